#include "data/columns.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/memory.h"
#include "data/collections.h"

enum {
    MAX_RECORD = 1 << 28, /* bytes of one entry */
    MAX_LENGTH = 1 << 20, /* values of one item */
    VECTOR_HEADER = 10,   /* byte count, version, number of values */
    FIXED_ARRAY = 20,     /* added to a member's type number: an array of fixed size */
    POINTED_ARRAY = 40,   /* likewise: an array behind a pointer */
};

/* What a leaf is found to be, before it has a name. */
typedef struct finding {
    hq_plan plan;
    char *type;   /* as a person reads it */
    char *reason; /* why it is no column, or NULL */
} finding;

static bool simple_leaf_type(const hq_leaf *leaf, hq_type *type_r)
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
            *type_r = leaf->is_unsigned ? types[i].is_unsigned : types[i].plain;
            return true;
        }
    return false;
}

/* The type numbers of TVirtualStreamerInfo::EReadWrite. */
static bool element_type(int32_t number, hq_type *type_r)
{
    switch (number) {
    case 1:
        *type_r = HQ_INT8;
        return true;
    case 2:
        *type_r = HQ_INT16;
        return true;
    case 3:
    case 6: /* a counter of an array */
        *type_r = HQ_INT32;
        return true;
    case 4: /* long */
    case 16:
        *type_r = HQ_INT64;
        return true;
    case 5:
        *type_r = HQ_FLOAT32;
        return true;
    case 8:
        *type_r = HQ_FLOAT64;
        return true;
    case 11:
        *type_r = HQ_UINT8;
        return true;
    case 12:
        *type_r = HQ_UINT16;
        return true;
    case 13:
        *type_r = HQ_UINT32;
        return true;
    case 14: /* unsigned long */
    case 17:
        *type_r = HQ_UINT64;
        return true;
    case 18:
        *type_r = HQ_BOOL;
        return true;
    default:
        return false;
    }
}

static bool vector_type(const char *class_name, hq_type *type_r)
{
    static const struct {
        const char *name;
        hq_type type;
    } types[] = {
        {"bool", HQ_BOOL},        {"char", HQ_INT8},
        {"signed char", HQ_INT8}, {"unsigned char", HQ_UINT8},
        {"short", HQ_INT16},      {"unsigned short", HQ_UINT16},
        {"int", HQ_INT32},        {"unsigned int", HQ_UINT32},
        {"long", HQ_INT64},       {"unsigned long", HQ_UINT64},
        {"Long64_t", HQ_INT64},   {"ULong64_t", HQ_UINT64},
        {"long long", HQ_INT64},  {"unsigned long long", HQ_UINT64},
        {"float", HQ_FLOAT32},    {"double", HQ_FLOAT64},
    };
    static const char front[] = "vector<";
    size_t length = strlen(class_name);
    if (strncmp(class_name, front, sizeof front - 1) != 0 || class_name[length - 1] != '>')
        return false;
    const char *inner = class_name + sizeof front - 1;
    size_t inner_length = length - sizeof front;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == inner_length && memcmp(types[i].name, inner, inner_length) == 0) {
            *type_r = types[i].type;
            return true;
        }
    return false;
}

static bool is_collection(const hq_branch *branch)
{
    return branch->kind == BRANCH_CLONES || branch->kind == BRANCH_STL;
}

/* Why a leaf that is no plain number is none. */
static char *why_no_number(const hq_branch *branch, const hq_leaf *leaf, char **type_r)
{
    const char *class_name = branch->type_name && *branch->type_name ? branch->type_name : NULL;
    if (strcmp(leaf->class_name, "TLeafC") == 0) {
        *type_r = hq_strdup("string");
        return hq_strdup("hq has no columns of texts");
    }
    if (strcmp(leaf->class_name, "TLeafF16") == 0 || strcmp(leaf->class_name, "TLeafD32") == 0) {
        *type_r = hq_strdup(leaf->class_name[5] == 'F' ? "Float16_t" : "Double32_t");
        return hq_strdup("numbers packed into fewer bits, which hq does not unpack");
    }
    if (strcmp(leaf->class_name, "TLeafElement") != 0) {
        *type_r = hq_strdup(class_name ? class_name : leaf->class_name);
        return hq_strdup(class_name ? "objects that are not split into their members"
                                    : "a kind of leaf that hq does not know");
    }
    int32_t number = leaf->element_type;
    if (number == 9 || number == 19 || number == 9 + FIXED_ARRAY || number == 19 + FIXED_ARRAY) {
        *type_r = hq_strdup(number % FIXED_ARRAY == 9 ? "Double32_t" : "Float16_t");
        return hq_strdup("numbers packed into fewer bits, which hq does not unpack");
    }
    if (number == 15) {
        *type_r = hq_strdup("bits");
        return hq_strdup("the bits of a TObject, which take more bytes in some entries than in others");
    }
    if (number > POINTED_ARRAY && number < POINTED_ARRAY + FIXED_ARRAY) {
        *type_r = hq_strdup("array");
        return hq_strdup("an array behind a pointer");
    }
    bool is_own = class_name && !branch->parent;
    *type_r = is_own ? hq_strdup(class_name) : hq_format("member of %s", class_name ? class_name : "an object");
    if (number == 65)
        return hq_strdup("hq has no columns of texts");
    if (number == 500 || number == 300 || number == 365 || (is_own && strchr(class_name, '<')))
        return hq_strdup("an STL object that is not a vector of numbers in a branch of its own");
    return hq_strdup("objects that are not split into their members");
}

static char *describe(const hq_plan *plan)
{
    if (plan->shape == SHAPE_VECTOR)
        return hq_format("vector<%s>", hq_type_name(plan->type));
    char *count = plan->counter ? hq_format("[%s]", plan->counter->name) : hq_strdup("");
    char *fixed = plan->length > 1 || plan->shape == SHAPE_FIXED ? hq_format("[%u]", plan->length) : hq_strdup("");
    char *text = hq_format("%s%s%s", hq_type_name(plan->type), count, fixed);
    free(count);
    free(fixed);
    return text;
}

static bool find_type(const hq_branch *branch, const hq_leaf *leaf, hq_plan *plan)
{
    if (is_collection(branch)) {
        plan->type = HQ_INT32;
        return true;
    }
    if (simple_leaf_type(leaf, &plan->type))
        return true;
    if (strcmp(leaf->class_name, "TLeafElement") != 0)
        return false;
    int32_t number = leaf->element_type;
    if (element_type(number > FIXED_ARRAY && number < POINTED_ARRAY ? number - FIXED_ARRAY : number, &plan->type))
        return true;
    if (!branch->parent && branch->kind == BRANCH_LEAF && branch->type_name &&
        vector_type(branch->type_name, &plan->type)) {
        plan->shape = SHAPE_VECTOR;
        plan->header_size = VECTOR_HEADER;
        return true;
    }
    return false;
}

/* Type and shape of one leaf, its place in the record left out. */
static finding find(const hq_branch *branch, const hq_leaf *leaf)
{
    finding found = {.plan = {.branch = branch, .leaf = leaf}};
    hq_plan *plan = &found.plan;
    if (!find_type(branch, leaf, plan)) {
        found.reason = why_no_number(branch, leaf, &found.type);
        return found;
    }
    plan->length = 1;
    if (leaf->length < 0 || leaf->length > MAX_LENGTH)
        found.reason = hq_format("%d values in one item", leaf->length);
    else if (leaf->length > 1 && plan->shape != SHAPE_VECTOR && !is_collection(branch))
        plan->length = (uint32_t)leaf->length;
    plan->counter = leaf->counter;
    if (!plan->counter && branch->count_branch && branch->count_branch->leaf_count == 1 &&
        (branch->kind == BRANCH_OF_CLONES || branch->kind == BRANCH_OF_STL))
        plan->counter = branch->count_branch->leaves[0];
    if (is_collection(branch))
        plan->counter = NULL;
    if (plan->shape == SHAPE_VECTOR)
        ;
    else if (plan->counter)
        plan->shape = SHAPE_COUNTED;
    else if (plan->length > 1 || strchr(leaf->title, '['))
        plan->shape = SHAPE_FIXED;
    found.type = describe(plan);
    const char *bracket = strchr(leaf->title, '[');
    if (!found.reason && plan->shape == SHAPE_FIXED && bracket && !isdigit((unsigned char)bracket[1]))
        found.reason = hq_strdup("the leaf that counts its values cannot be found");
    if (!found.reason && plan->counter && branch->leaf_count > 1)
        found.reason = hq_strdup("a list of several leaves with a counter");
    return found;
}

/* The full name: the branch's own if it has the parent's in front, as split objects have ("Muon.pt" in "Muon"), else
 * both with a slash; and the leaf's behind a dot if there are several, or for the counter of a collection its leaf's
 * ("Muon_"), because the branch's is the collection's. */
static char *branch_path(const hq_branch *branch, const char *above)
{
    if (!branch->parent)
        return hq_strdup(branch->name);
    size_t length = strlen(branch->parent->name);
    bool ends_in_dot = length > 0 && branch->parent->name[length - 1] == '.';
    if (strncmp(branch->name, branch->parent->name, length) == 0 && (ends_in_dot || branch->name[length] == '.'))
        return hq_strdup(branch->name);
    return hq_format("%s/%s", above, branch->name);
}

static char *leaf_path(const hq_branch *branch, const hq_leaf *leaf, const char *path)
{
    if (is_collection(branch) && branch->leaf_count == 1) {
        const char *slash = strrchr(path, '/');
        return slash ? hq_format("%.*s/%s", (int)(slash - path), path, leaf->name) : hq_strdup(leaf->name);
    }
    return branch->leaf_count > 1 ? hq_format("%s.%s", path, leaf->name) : hq_strdup(path);
}

/* A name that no info has yet; *was_taken_r tells if the wanted one had. */
static char *unique_name(const hq_columns *columns, char *wanted, bool *was_taken_r)
{
    char *name = hq_strdup(wanted);
    *was_taken_r = false;
    for (size_t number = columns->info_count + 1;; number++) {
        bool is_taken = false;
        for (size_t i = 0; i < columns->info_count && !is_taken; i++)
            is_taken = strcmp(columns->infos[i].name, name) == 0;
        if (!is_taken)
            break;
        *was_taken_r = true;
        free(name);
        name = hq_format("%s#%zu", wanted, number);
    }
    free(wanted);
    return name;
}

static void add_info(hq_columns *columns, const hq_branch *branch, char *name, char *type, char *reason)
{
    HQ_GROW(columns->infos, columns->info_count, columns->info_capacity);
    columns->infos[columns->info_count++] = (hq_branch_info){
        .name = name,
        .title = hq_strdup(branch->title),
        .type = type,
        .entries = branch->entries,
        .baskets = branch->basket_count,
        .compressed_bytes = branch->file_bytes,
        .uncompressed_bytes = branch->true_bytes,
        .unreadable = reason,
    };
}

static void add_leaf(hq_columns *columns, const hq_model *model, finding *found, char *name)
{
    const hq_branch *branch = found->plan.branch;
    bool was_taken;
    name = unique_name(columns, name, &was_taken);
    if (!found->reason && was_taken)
        found->reason = hq_strdup("a branch before it has the same name");
    if (!found->reason && branch->unreadable)
        found->reason = hq_strdup(branch->unreadable);
    if (!found->reason && branch->entries != model->entries)
        found->reason = hq_format("it has %" PRIu64 " entries, the tree %" PRIu64, branch->entries, model->entries);
    add_info(columns, branch, name, found->type, found->reason);
    if (found->reason)
        return;
    HQ_GROW(columns->plans, columns->plan_count, columns->plan_capacity);
    found->plan.name = name;
    columns->plans[columns->plan_count++] = found->plan;
}

/* The leaves of a branch lie one after the other in each entry: one of unknown size hides those behind it. */
static void add_leaves(hq_columns *columns, const hq_model *model, const hq_branch *branch, const char *path)
{
    uint32_t at = 0;
    bool is_hidden = false;
    size_t first = columns->plan_count;
    for (size_t i = 0; i < branch->leaf_count; i++) {
        const hq_leaf *leaf = branch->leaves[i];
        finding found = find(branch, leaf);
        uint32_t size = (uint32_t)hq_type_size(found.plan.type) * found.plan.length;
        found.plan.record_at = at;
        if (!found.reason && size > MAX_RECORD - at)
            found.reason = hq_strdup("an entry of more than 256 MiB");
        if (!found.reason && is_hidden)
            found.reason = hq_strdup("it lies behind a leaf that hq cannot read");
        is_hidden |= found.reason != NULL;
        at += is_hidden ? 0 : size;
        add_leaf(columns, model, &found, leaf_path(branch, leaf, path));
    }
    if (is_hidden && columns->plan_count > first) {
        /* The record's size is not known either. */
        for (size_t i = columns->info_count - branch->leaf_count; i < columns->info_count; i++)
            if (!columns->infos[i].unreadable)
                columns->infos[i].unreadable = hq_strdup("it lies beside a leaf that hq cannot read");
        columns->plan_count = first;
    }
    for (size_t i = first; i < columns->plan_count; i++)
        columns->plans[i].record_size = at;
}

static void add_branch(hq_columns *columns, const hq_model *model, const hq_branch *branch, const char *above)
{
    char *path = branch_path(branch, above);
    /* A split object's own branch has nothing but its members. */
    bool is_group = branch->branch_count > 0 && !is_collection(branch) && branch->basket_count == 0;
    if (!is_group && branch->leaf_count > 0) {
        add_leaves(columns, model, branch, path);
    } else if (!is_group) {
        bool was_taken;
        const char *type = branch->type_name ? branch->type_name : branch->class_name;
        add_info(columns, branch, unique_name(columns, hq_strdup(path), &was_taken), hq_strdup(type),
                 hq_strdup(branch->unreadable ? branch->unreadable : "a branch without leaves"));
    }
    for (size_t i = 0; i < branch->branch_count; i++)
        add_branch(columns, model, branch->branches[i], path);
    free(path);
}

static void gather_collections(const hq_columns *columns)
{
    hq_counted *counted = hq_calloc(columns->plan_count, sizeof *counted);
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_plan *plan = &columns->plans[i];
        bool is_member = plan->shape == SHAPE_COUNTED && plan->length == 1;
        counted[i].name = plan->name;
        counted[i].counter = is_member ? plan->counter : NULL;
        counted[i].counter_name = is_member ? plan->counter->name : NULL;
    }
    collections_find(counted, columns->plan_count);
    for (size_t i = 0; i < columns->plan_count; i++) {
        columns->plans[i].collection = counted[i].collection;
        columns->plans[i].member = counted[i].member;
    }
    free(counted);
}

void columns_make(const hq_model *model, hq_columns *columns_r)
{
    *columns_r = (hq_columns){.schema = schema_new()};
    for (size_t i = 0; i < model->branch_count; i++)
        add_branch(columns_r, model, model->branches[i], "");
    gather_collections(columns_r);
    for (size_t i = 0; i < columns_r->plan_count; i++) {
        const hq_plan *plan = &columns_r->plans[i];
        schema_add(columns_r->schema, plan->name, plan->collection, plan->member, plan->type,
                   plan->shape != SHAPE_FLAT);
    }
}

void columns_clear(hq_columns *columns)
{
    for (size_t i = 0; i < columns->info_count; i++) {
        free((char *)columns->infos[i].name);
        free((char *)columns->infos[i].title);
        free((char *)columns->infos[i].type);
        free((char *)columns->infos[i].unreadable);
    }
    for (size_t i = 0; i < columns->plan_count; i++) {
        free(columns->plans[i].collection);
        free(columns->plans[i].member);
    }
    free(columns->infos);
    free(columns->plans);
    schema_free(&columns->schema);
    *columns = (hq_columns){0};
}
