#include "data/leaves.h"

#include <ctype.h>

#include "base/memory.h"

enum {
    MAX_LENGTH = 1 << 20, /* values of one item */
    VECTOR_HEADER = 10,   /* byte count, version, number of values */
};

bool branch_is_collection(const hq_branch *branch)
{
    return branch->kind == BRANCH_CLONES || branch->kind == BRANCH_STL;
}

static bool is_item(const hq_branch *branch)
{
    return branch->kind == BRANCH_OF_CLONES || branch->kind == BRANCH_OF_STL;
}

static bool simple_leaf_number(const hq_leaf *leaf, hq_number *number_r)
{
    static const struct {
        const char *class_name;
        hq_type plain, is_unsigned;
    } types[] = {
        {"TLeafO", HQ_BOOL, HQ_BOOL},       {"TLeafB", HQ_INT8, HQ_UINT8},      {"TLeafS", HQ_INT16, HQ_UINT16},
        {"TLeafI", HQ_INT32, HQ_UINT32},    {"TLeafL", HQ_INT64, HQ_UINT64},    {"TLeafG", HQ_INT64, HQ_UINT64},
        {"TLeafF", HQ_FLOAT32, HQ_FLOAT32}, {"TLeafD", HQ_FLOAT64, HQ_FLOAT64},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(leaf->class_name, types[i].class_name) == 0) {
            *number_r = number_plain(leaf->is_unsigned ? types[i].is_unsigned : types[i].plain);
            return true;
        }
    bool is_float16 = strcmp(leaf->class_name, "TLeafF16") == 0,
         is_double32 = strcmp(leaf->class_name, "TLeafD32") == 0;
    if (is_float16 || is_double32)
        *number_r = number_packed(is_double32, leaf->title);
    return is_float16 || is_double32;
}

/* The numbers of a leaf that holds nothing else. */
static bool find_number(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf, hq_number *number_r)
{
    if (branch_is_collection(branch)) {
        *number_r = number_plain(HQ_INT32);
        return true;
    }
    if (simple_leaf_number(leaf, number_r))
        return true;
    if (strcmp(leaf->class_name, "TLeafElement") != 0)
        return false;
    int32_t number = leaf->element_type;
    number -= number > TYPE_ARRAY && number < TYPE_POINTED ? TYPE_ARRAY : 0;
    hq_type type;
    if (type_of_number(number, &type))
        *number_r = number_plain(type);
    else if (number == TYPE_DOUBLE32 || number == TYPE_FLOAT16)
        *number_r = number_packed(number == TYPE_DOUBLE32, layout_member_title(layouts, branch));
    else
        return false;
    return true;
}

/* The fixed dimensions that stand in brackets in a text, and their product; 0 if there are none. */
static uint64_t read_dimensions(const char *text, hq_plan *plan)
{
    uint64_t product = 1;
    plan->dimension_count = 0;
    for (const char *open = strchr(text, '['); open; open = strchr(open + 1, '[')) {
        char *end;
        unsigned long dimension = isdigit((unsigned char)open[1]) ? strtoul(open + 1, &end, 10) : 0;
        if (dimension == 0 || *end != ']' || dimension > MAX_LENGTH || product > MAX_LENGTH)
            continue;
        if (plan->dimension_count == MAX_DIMENSIONS)
            return 0;
        plan->dimensions[plan->dimension_count++] = (uint32_t)dimension;
        product *= dimension;
    }
    return plan->dimension_count > 0 ? product : 0;
}

/* From the leaf's title, else from the branch's name, else one dimension. */
static void find_dimensions(const hq_branch *branch, const hq_leaf *leaf, hq_plan *plan)
{
    plan->length = leaf->length > 1 ? (uint32_t)leaf->length : 1;
    if (read_dimensions(leaf->title, plan) == plan->length || read_dimensions(branch->name, plan) == plan->length)
        return;
    plan->dimensions[0] = plan->length;
    plan->dimension_count = plan->length > 1;
}

static char *describe(const hq_plan *plan)
{
    char *count = plan->counter ? hq_format("[%s]", plan->counter->name) : hq_strdup("");
    char *text = hq_format("%s%s", hq_type_name(plan->type), count);
    free(count);
    for (size_t i = 0; i < plan->dimension_count; i++) {
        char *longer = hq_format("%s[%u]", text, plan->dimensions[i]);
        free(text);
        text = longer;
    }
    return text;
}

static void find_shape(const hq_branch *branch, const hq_leaf *leaf, hq_finding *found)
{
    hq_plan *plan = &found->plan;
    plan->type = plan->number.type;
    plan->length = 1;
    if (leaf->length < 0 || leaf->length > MAX_LENGTH)
        found->reason = hq_format("%d values in one item", leaf->length);
    else if (!branch_is_collection(branch))
        find_dimensions(branch, leaf, plan);
    plan->counter = leaf->counter;
    if (!plan->counter && branch->count_branch && branch->count_branch->leaf_count == 1 && is_item(branch))
        plan->counter = branch->count_branch->leaves[0];
    if (branch_is_collection(branch))
        plan->counter = NULL;
    plan->shape = plan->counter ? SHAPE_COUNTED : plan->dimension_count > 0 ? SHAPE_FIXED : SHAPE_FLAT;
    plan->depth = (plan->counter != NULL) + (unsigned)plan->dimension_count;
    found->type = describe(plan);
    const char *bracket = strchr(leaf->title, '[');
    bool is_counted = bracket && !isdigit((unsigned char)bracket[1]) && !plan->counter &&
                      plan->number.packing == PACKED_NOT;
    if (!found->reason && is_counted && !branch_is_collection(branch))
        found->reason = hq_strdup("the leaf that counts its values cannot be found");
    if (!found->reason && plan->counter && branch->leaf_count > 1)
        found->reason = hq_strdup("a list of several leaves with a counter");
    if (!found->reason && plan->depth > HQ_MAX_DEPTH)
        found->reason = hq_format("lists nested %u deep, and hq has columns of %d at most", plan->depth, HQ_MAX_DEPTH);
}

/* A leaf that is no row of numbers. */
static void find_objects(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf, hq_finding *found)
{
    const char *class_name = branch->type_name && *branch->type_name ? branch->type_name : NULL;
    bool is_element = strcmp(leaf->class_name, "TLeafElement") == 0;
    found->type = !is_element && strcmp(leaf->class_name, "TLeafC") == 0 ? hq_strdup("string")
                  : is_element && branch->member >= 0 ? hq_format("member of %s", class_name ? class_name : "an object")
                                                      : hq_strdup(class_name ? class_name : leaf->class_name);
    if (!is_element || branch->leaf_count > 1) {
        found->reason = hq_strdup(strcmp(leaf->class_name, "TLeafC") == 0 ? "hq has no columns of texts"
                                  : class_name
                                      ? "an object that the branch streams as ROOT did before it could split them"
                                      : "a kind of leaf that hq does not know");
        return;
    }
    found->root = layout_branch(layouts, branch, leaf);
    const hq_node *item = found->root->child_count > 0 ? found->root->children[0].node : NULL;
    bool is_vector = found->root->kind == NODE_LIST && found->root->is_framed && item && item->kind == NODE_NUMBER &&
                     item->number.packing == PACKED_NOT;
    found->plan.counter = is_item(branch) ? leaf->counter : NULL;
    if (!is_vector)
        return;
    found->root = NULL;
    found->plan.number = item->number;
    found->plan.type = item->number.type;
    found->plan.shape = SHAPE_VECTOR;
    found->plan.length = 1;
    found->plan.depth = 1;
    found->plan.header_size = VECTOR_HEADER;
    free(found->type);
    found->type = hq_format("vector<%s>", hq_type_name(found->plan.type));
}

hq_finding leaf_find(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf)
{
    hq_finding found = {.plan = {.branch = branch, .leaf = leaf}};
    if (find_number(layouts, branch, leaf, &found.plan.number))
        find_shape(branch, leaf, &found);
    else
        find_objects(layouts, branch, leaf, &found);
    return found;
}
