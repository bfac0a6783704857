#include "data/layout.h"

#include <ctype.h>

#include "base/memory.h"

enum {
    MAX_NESTING = 24,    /* types within types */
    MAX_NODES = 1 << 18, /* of all branches of a tree */
    MAX_ITEM = 1 << 20,  /* values of an array of fixed size */
};

static const char no_text[] = "hq has no columns of texts",
                  no_pointer[] = "objects behind pointers, which may be of any class",
                  no_streamer[] = "an object with a streamer of its own, which the file does not describe",
                  no_class[] = "a class that the file does not describe", too_deep[] = "types nested too deep",
                  no_bytes[] = "an array of something without bytes";

/* A class's record, made once and shared. */
typedef struct hq_known_class {
    const hq_class *info;
    const hq_node *node; /* NULL while it is being made */
} hq_known_class;

/* Where a container or a text has its frame: as an item of a container nowhere, as a member of a class before it, and
 * as a member of a pair only if one member of many pairs comes after the other. */
typedef enum hq_framing { FRAME_NONE, FRAME_OWN, FRAME_ROW } hq_framing;

/* Making nodes. */

static hq_node *new_node(hq_layouts *layouts, hq_node_kind kind)
{
    hq_node *node = hq_calloc(1, sizeof *node);
    node->kind = kind;
    HQ_GROW(layouts->nodes, layouts->node_count, layouts->node_capacity);
    layouts->nodes[layouts->node_count++] = node;
    return node;
}

static const hq_node *number_node(hq_layouts *layouts, hq_number number)
{
    hq_node *node = new_node(layouts, NODE_NUMBER);
    node->number = number;
    node->least = number.size;
    return node;
}

static const hq_node *plain_node(hq_layouts *layouts, hq_type type)
{
    return number_node(layouts, number_plain(type));
}

static const hq_node *blind_node(hq_layouts *layouts, hq_node_kind kind, const char *reason)
{
    hq_node *node = new_node(layouts, kind);
    node->reason = reason;
    node->is_framed = kind == NODE_OPAQUE;
    node->least = kind == NODE_OPAQUE ? 6 : kind == NODE_POINTER ? 4 : 0;
    return node;
}

static const hq_node *text_node(hq_layouts *layouts, hq_framing framing)
{
    hq_node *node = new_node(layouts, NODE_TEXT);
    node->reason = no_text;
    node->is_framed = framing == FRAME_OWN;
    node->is_row_framed = framing != FRAME_NONE;
    node->least = node->is_framed ? 7 : 1;
    return node;
}

static void add_child(hq_node *node, const char *name, const hq_node *child)
{
    HQ_GROW(node->children, node->child_count, node->child_capacity);
    node->children[node->child_count++] = (hq_child){.name = name, .node = child};
    if (node->kind == NODE_RECORD && !node->is_framed &&
        __builtin_add_overflow(node->least, child->least, &node->least))
        node->least = UINT32_MAX;
}

static hq_node *record_node(hq_layouts *layouts, bool is_framed)
{
    hq_node *node = new_node(layouts, NODE_RECORD);
    node->is_framed = is_framed;
    node->least = is_framed ? 6 : 0;
    return node;
}

static const hq_node *list_node(hq_layouts *layouts, const hq_node *item, hq_framing framing)
{
    hq_node *node = new_node(layouts, NODE_LIST);
    node->is_framed = framing == FRAME_OWN;
    node->is_row_framed = framing != FRAME_NONE;
    node->least = node->is_framed ? 10 : 4;
    add_child(node, NULL, item);
    return node;
}

static const hq_node *rest_node(hq_layouts *layouts, const hq_node *item, bool is_framed)
{
    hq_node *node = new_node(layouts, NODE_REST);
    node->is_framed = is_framed;
    node->least = is_framed ? 6 : 0;
    if (item->least == 0)
        item = blind_node(layouts, NODE_UNKNOWN, item->reason ? item->reason : no_bytes);
    add_child(node, NULL, item);
    return node;
}

/* Nested from the outermost dimension to the innermost. */
static const hq_node *array_node(hq_layouts *layouts, const hq_node *item, const uint32_t *dimensions, size_t count)
{
    uint64_t bytes = item->least;
    if (bytes == 0)
        return item->kind == NODE_UNKNOWN ? item : blind_node(layouts, NODE_UNKNOWN, no_bytes);
    for (size_t i = count; i-- > 0;) {
        bytes *= dimensions[i];
        if (bytes > MAX_ITEM * UINT64_C(8))
            return blind_node(layouts, NODE_UNKNOWN, "an array of more than 8 MiB in one entry");
        hq_node *node = new_node(layouts, NODE_ARRAY);
        node->count = dimensions[i];
        node->least = (uint32_t)bytes;
        add_child(node, NULL, item);
        item = node;
    }
    return item;
}

static const char *keep_text(hq_layouts *layouts, char *text)
{
    HQ_GROW(layouts->texts, layouts->text_count, layouts->text_capacity);
    layouts->texts[layouts->text_count++] = text;
    return text;
}

void layouts_clear(hq_layouts *layouts)
{
    for (size_t i = 0; i < layouts->node_count; i++) {
        free(layouts->nodes[i]->children);
        free(layouts->nodes[i]);
    }
    for (size_t i = 0; i < layouts->text_count; i++)
        free(layouts->texts[i]);
    free(layouts->nodes);
    free(layouts->texts);
    free(layouts->known);
    free(layouts->classes_wrong);
    classes_free(&layouts->classes);
    *layouts = (hq_layouts){0};
}

/* C++ types by name. */

bool type_of_number(int32_t number, hq_type *type_r)
{
    static const struct {
        int32_t number;
        hq_type type;
    } types[] = {
        {1, HQ_INT8},
        {2, HQ_INT16},
        {3, HQ_INT32},
        {TYPE_COUNTER, HQ_INT32},
        {4, HQ_INT64} /* long */,
        {5, HQ_FLOAT32},
        {8, HQ_FLOAT64},
        {TYPE_UINT8, HQ_UINT8},
        {12, HQ_UINT16},
        {13, HQ_UINT32},
        {14, HQ_UINT64} /* unsigned long */,
        {16, HQ_INT64},
        {17, HQ_UINT64},
        {TYPE_BOOL, HQ_BOOL},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].number == number) {
            *type_r = types[i].type;
            return true;
        }
    return false;
}

static const hq_node *named_number(hq_layouts *layouts, const char *name)
{
    static const struct {
        const char *name;
        hq_type type;
    } types[] = {
        {"bool", HQ_BOOL},
        {"Bool_t", HQ_BOOL},
        {"char", HQ_INT8},
        {"Char_t", HQ_INT8},
        {"signed char", HQ_INT8},
        {"int8_t", HQ_INT8},
        {"unsigned char", HQ_UINT8},
        {"UChar_t", HQ_UINT8},
        {"uint8_t", HQ_UINT8},
        {"short", HQ_INT16},
        {"Short_t", HQ_INT16},
        {"int16_t", HQ_INT16},
        {"unsigned short", HQ_UINT16},
        {"UShort_t", HQ_UINT16},
        {"uint16_t", HQ_UINT16},
        {"int", HQ_INT32},
        {"Int_t", HQ_INT32},
        {"int32_t", HQ_INT32},
        {"unsigned int", HQ_UINT32},
        {"unsigned", HQ_UINT32},
        {"UInt_t", HQ_UINT32},
        {"uint32_t", HQ_UINT32},
        {"long", HQ_INT64},
        {"Long_t", HQ_INT64},
        {"unsigned long", HQ_UINT64},
        {"ULong_t", HQ_UINT64},
        {"Long64_t", HQ_INT64},
        {"ULong64_t", HQ_UINT64},
        {"long long", HQ_INT64},
        {"unsigned long long", HQ_UINT64},
        {"int64_t", HQ_INT64},
        {"uint64_t", HQ_UINT64},
        {"size_t", HQ_UINT64},
        {"float", HQ_FLOAT32},
        {"Float_t", HQ_FLOAT32},
        {"double", HQ_FLOAT64},
        {"Double_t", HQ_FLOAT64},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return plain_node(layouts, types[i].type);
    if (strcmp(name, "Double32_t") == 0 || strcmp(name, "Float16_t") == 0)
        return number_node(layouts, number_packed(name[0] == 'D', ""));
    return NULL;
}

static const hq_node *type_node(hq_layouts *layouts, const char *name, hq_framing framing, int nesting);

/* The argument of that place within the outermost brackets, NULL if there is none; kept with layouts. */
static const char *template_argument(hq_layouts *layouts, const char *name, size_t index)
{
    const char *begin = strchr(name, '<');
    int depth = 0;
    for (const char *at = begin; at && *at; at++) {
        depth += *at == '<';
        depth -= *at == '>';
        if ((*at != ',' || depth != 1) && depth != 0)
            continue;
        if (index == 0)
            return keep_text(layouts, hq_strndup(begin + 1, (size_t)(at - begin - 1)));
        index--;
        begin = at;
        if (depth == 0)
            break;
    }
    return NULL;
}

static bool is_template(const char *name, const char *const *names, size_t count)
{
    size_t length = strcspn(name, "<");
    for (size_t i = 0; i < count && name[length] == '<'; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return true;
    return false;
}

static const hq_node *pair_node(hq_layouts *layouts, const char *name, int nesting)
{
    const char *first = template_argument(layouts, name, 0), *second = template_argument(layouts, name, 1);
    if (!first || !second)
        return blind_node(layouts, NODE_UNKNOWN, no_class);
    hq_node *node = record_node(layouts, false);
    add_child(node, "first", type_node(layouts, first, FRAME_ROW, nesting + 1));
    add_child(node, "second", type_node(layouts, second, FRAME_ROW, nesting + 1));
    return node;
}

/* An STL container; NULL if it is none. */
static const hq_node *container_node(hq_layouts *layouts, const char *name, hq_framing framing, int nesting)
{
    static const char *const lists[] = {"vector",       "list",
                                        "deque",        "set",
                                        "multiset",     "unordered_set",
                                        "forward_list", "unordered_multiset",
                                        "ROOT::RVec",   "ROOT::VecOps::RVec"},
                             *const maps[] = {"map", "multimap", "unordered_map", "unordered_multimap"},
                             *const bitsets[] = {"bitset"};
    if (is_template(name, bitsets, sizeof bitsets / sizeof *bitsets))
        return list_node(layouts, plain_node(layouts, HQ_BOOL), framing);
    if (is_template(name, maps, sizeof maps / sizeof *maps))
        return list_node(layouts, pair_node(layouts, name, nesting), framing);
    if (!is_template(name, lists, sizeof lists / sizeof *lists))
        return NULL;
    const char *item = template_argument(layouts, name, 0);
    return list_node(
        layouts, item ? type_node(layouts, item, FRAME_NONE, nesting + 1) : blind_node(layouts, NODE_UNKNOWN, no_class),
        framing);
}

static const hq_classes *classes_of(hq_layouts *layouts)
{
    hq_reason reason;
    if (!layouts->classes && layouts->file && classes_read(layouts->file, &layouts->classes, &reason) != HQ_OK)
        layouts->classes_wrong = hq_strdup(reason.text);
    if (!layouts->classes)
        layouts->classes = hq_calloc(1, sizeof *layouts->classes);
    return layouts->classes;
}

/* Classes whose streamers ROOT writes by hand; NULL if it is none of them. */
static const hq_node *special_node(hq_layouts *layouts, const char *name)
{
    static const struct {
        const char *name;
        hq_type type;
    } arrays[] = {{"TArrayC", HQ_INT8},    {"TArrayS", HQ_INT16},   {"TArrayI", HQ_INT32},  {"TArrayL", HQ_INT64},
                  {"TArrayL64", HQ_INT64}, {"TArrayF", HQ_FLOAT32}, {"TArrayD", HQ_FLOAT64}};
    hq_node *node = NULL;
    if (strcmp(name, "TObject") == 0) {
        node = new_node(layouts, NODE_TOBJECT);
        node->least = 10;
    } else if (strcmp(name, "TRef") == 0) { /* version, what it refers to, bits, process */
        node = record_node(layouts, false);
        add_child(node, NULL, plain_node(layouts, HQ_UINT16));
        add_child(node, "ref", plain_node(layouts, HQ_UINT32));
        add_child(node, NULL, plain_node(layouts, HQ_UINT32));
        add_child(node, NULL, plain_node(layouts, HQ_UINT16));
    } else if (strcmp(name, "TRefArray") == 0) {
        node = record_node(layouts, true);
        node->version = 1;
        add_child(node, NULL, special_node(layouts, "TObject"));
        add_child(node, NULL, text_node(layouts, FRAME_NONE));
        hq_node *size = new_node(layouts, NODE_NUMBER);
        *size = (hq_node){.number = number_plain(HQ_INT32), .least = 4, .slot = 1};
        add_child(node, "fSize", size);
        add_child(node, NULL, plain_node(layouts, HQ_INT32));  /* lower bound */
        add_child(node, NULL, plain_node(layouts, HQ_UINT16)); /* process */
        hq_node *refs = new_node(layouts, NODE_COUNTED);
        refs->slot = 1;
        add_child(refs, NULL, plain_node(layouts, HQ_INT32));
        add_child(node, "refs", refs);
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !node; i++)
        if (strcmp(arrays[i].name, name) == 0)
            return list_node(layouts, plain_node(layouts, arrays[i].type), FRAME_NONE);
    return node;
}

/* Members of classes. */

static const hq_node *class_node(hq_layouts *layouts, const hq_class *info, int nesting);

/* A class by name: with its frame, as a member or an item is written. */
static const hq_node *object_node(hq_layouts *layouts, const char *name, int32_t version, int nesting)
{
    const hq_node *special = special_node(layouts, name);
    if (special)
        return special;
    const hq_class *info = classes_find(classes_of(layouts), name, version);
    if (!info)
        return blind_node(layouts, NODE_OPAQUE, no_class);
    return class_node(layouts, info, nesting);
}

static const hq_node *pointed_node(hq_layouts *layouts, const hq_class_member *member, const hq_node *item,
                                   hq_node *record)
{
    for (size_t i = 0; i < record->child_count && member->count_name; i++) {
        const hq_child *child = &record->children[i];
        if (!child->name || strcmp(child->name, member->count_name) != 0 || child->node->kind != NODE_NUMBER)
            continue;
        /* The member's own node, which nobody shares yet, learns that it counts. */
        hq_node *counter = (hq_node *)child->node;
        if (counter->slot == 0 && layouts->slot_count + 2 < MAX_SLOTS)
            counter->slot = 2 + layouts->slot_count++;
        if (counter->slot == 0)
            break;
        hq_node *node = new_node(layouts, NODE_COUNTED);
        node->has_flag = true;
        node->slot = counter->slot;
        node->least = 1;
        add_child(node, NULL, item);
        return node;
    }
    return blind_node(layouts, NODE_UNKNOWN, "an array whose counter is no member before it");
}

static const hq_node *number_member(hq_layouts *layouts, const hq_class_member *member, int32_t number)
{
    hq_type type;
    if (type_of_number(number, &type))
        return plain_node(layouts, type);
    if (number == TYPE_DOUBLE32 || number == TYPE_FLOAT16)
        return number_node(layouts, number_packed(number == TYPE_DOUBLE32, member->title));
    return NULL;
}

/* A member that is a number or an array of numbers; NULL if it is something else. */
static const hq_node *basic_member(hq_layouts *layouts, const hq_class_member *member, hq_node *record)
{
    int32_t number = member->type;
    if (number == TYPE_BITS) {
        hq_node *node = new_node(layouts, NODE_BITS);
        node->least = 4;
        return node;
    }
    if (number == TYPE_CHAR_STAR) {
        hq_node *node = new_node(layouts, NODE_LONG_TEXT);
        node->reason = no_text;
        node->least = 4;
        return node;
    }
    if (number > TYPE_POINTED && number < TYPE_POINTED + TYPE_ARRAY) {
        const hq_node *item = number_member(layouts, member, number - TYPE_POINTED);
        return item ? pointed_node(layouts, member, item, record) : NULL;
    }
    if (number > TYPE_ARRAY && number < TYPE_POINTED) {
        const hq_node *item = number_member(layouts, member, number - TYPE_ARRAY);
        return item ? array_node(layouts, item, member->dimensions, member->dimension_count) : NULL;
    }
    const hq_node *item = number_member(layouts, member, number);
    return item && member->length > 0 ? array_node(layouts, item, member->dimensions, member->dimension_count) : item;
}

/* record: what the member is one of, for the counters before it. */
static const hq_node *member_node(hq_layouts *layouts, const hq_class_member *member, hq_node *record, int nesting)
{
    const hq_node *basic = basic_member(layouts, member, record);
    if (basic)
        return basic;
    const char *type = member->type_name;
    bool is_array = member->type > TYPE_ARRAY + TYPE_OBJECT - 1 && member->type < TYPE_ARRAY + TYPE_ANY_POINTER;
    switch (is_array ? member->type - TYPE_ARRAY : member->type) {
    case TYPE_BASE:
        return object_node(layouts, keep_text(layouts, class_spelling(member->name)), member->base_version,
                           nesting + 1);
    case TYPE_STRING:
        basic = text_node(layouts, FRAME_NONE);
        break;
    case TYPE_TOBJECT:
        basic = special_node(layouts, "TObject");
        break;
    case TYPE_TNAMED:
        return object_node(layouts, "TNamed", member->base_version, nesting + 1);
    case TYPE_OBJECT:
    case TYPE_ANY:
        basic = object_node(layouts, type, -1, nesting + 1);
        break;
    case TYPE_OBJECT_INLINE:
    case TYPE_ANY_INLINE:
        return object_node(layouts, keep_text(layouts, hq_strndup(type, strcspn(type, "*"))), -1, nesting + 1);
    case TYPE_OBJECT_POINTER:
    case TYPE_ANY_POINTER:
    case TYPE_ANY_POINTER_PLAIN:
        return blind_node(layouts, is_array ? NODE_UNKNOWN : NODE_POINTER, no_pointer);
    case TYPE_STL:
    case TYPE_STL_STRING:
    case TYPE_STREAMER:
        if (strcmp(type, "string") == 0)
            return text_node(layouts, FRAME_OWN);
        basic = container_node(layouts, type, FRAME_OWN, nesting);
        return basic ? basic : blind_node(layouts, NODE_UNKNOWN, no_streamer);
    case TYPE_LOOP:
        return blind_node(layouts, NODE_OPAQUE, no_pointer);
    default:
        return blind_node(layouts, member->type > TYPE_STL ? NODE_OPAQUE : NODE_UNKNOWN, no_streamer);
    }
    return is_array ? array_node(layouts, basic, member->dimensions, member->dimension_count) : basic;
}

static void add_members(hq_layouts *layouts, const hq_class *info, hq_node *record, int nesting)
{
    for (size_t i = 0; i < info->member_count; i++) {
        const hq_class_member *member = &info->members[i];
        bool is_base = member->type == TYPE_BASE || strcmp(member->type_name, "BASE") == 0;
        add_child(record, is_base ? NULL : member->name, member_node(layouts, member, record, nesting));
        record->children[record->child_count - 1].is_base = is_base;
    }
}

static const hq_node *class_node(hq_layouts *layouts, const hq_class *info, int nesting)
{
    size_t place = 0;
    while (place < layouts->known_count && layouts->known[place].info != info)
        place++;
    if (place < layouts->known_count)
        return layouts->known[place].node ? layouts->known[place].node
                                          : blind_node(layouts, NODE_OPAQUE, "a class that contains itself");
    if (nesting > MAX_NESTING || layouts->node_count > MAX_NODES)
        return blind_node(layouts, NODE_OPAQUE, too_deep);
    HQ_GROW(layouts->known, layouts->known_count, layouts->known_capacity);
    layouts->known[layouts->known_count++] = (hq_known_class){.info = info};
    hq_node *node = record_node(layouts, true);
    node->name = info->name;
    node->version = info->version;
    node->checksum = info->checksum;
    add_members(layouts, info, node, nesting);
    layouts->known[place].node = node;
    return node;
}

/* A type by name. */
static const hq_node *type_node(hq_layouts *layouts, const char *name, hq_framing framing, int nesting)
{
    if (nesting > MAX_NESTING || layouts->node_count > MAX_NODES)
        return blind_node(layouts, NODE_UNKNOWN, too_deep);
    const hq_node *node = named_number(layouts, name);
    size_t length = strlen(name);
    if (node)
        return node;
    if (length > 0 && name[length - 1] == '*')
        return blind_node(layouts, NODE_POINTER, no_pointer);
    if (strcmp(name, "string") == 0)
        return text_node(layouts, framing);
    if (strcmp(name, "TString") == 0)
        return text_node(layouts, FRAME_NONE);
    node = container_node(layouts, name, framing, nesting);
    return node ? node : object_node(layouts, name, -1, nesting);
}

/* Branches. */

/* The same record without its frame, as the entries of a branch of whole objects have it. */
static const hq_node *without_frame(hq_layouts *layouts, const hq_node *node)
{
    if (node->kind != NODE_RECORD || !node->is_framed)
        return node;
    hq_node *bare = record_node(layouts, false);
    bare->name = node->name;
    for (size_t i = 0; i < node->child_count; i++) {
        add_child(bare, node->children[i].name, node->children[i].node);
        bare->children[i].is_base = node->children[i].is_base;
    }
    return bare;
}

/* The last part of a branch's name, without dimensions: the member's. */
static bool is_named(const hq_class_member *member, const char *branch)
{
    size_t end = strcspn(branch, "["), length = strlen(member->name);
    return end >= length && memcmp(branch + end - length, member->name, length) == 0 &&
           (end == length || branch[end - length - 1] == '.' || branch[end - length - 1] == '/');
}

static const hq_class_member *find_member(hq_layouts *layouts, const hq_branch *branch)
{
    if (!branch->type_name || branch->member < 0)
        return NULL;
    char *name = class_spelling(branch->type_name);
    const hq_class *info = classes_find(classes_of(layouts), name, branch->class_version);
    free(name);
    if (!info)
        return NULL;
    if ((size_t)branch->member < info->member_count && is_named(&info->members[branch->member], branch->name))
        return &info->members[branch->member];
    for (size_t i = 0; i < info->member_count; i++)
        if (is_named(&info->members[i], branch->name))
            return &info->members[i];
    return NULL;
}

const char *layout_member_title(hq_layouts *layouts, const hq_branch *branch)
{
    const hq_class_member *member = find_member(layouts, branch);
    return member && member->title ? member->title : "";
}

/* The type of the whole branch. */
static const hq_node *outer_node(hq_layouts *layouts, const hq_branch *branch)
{
    const char *name = keep_text(layouts, class_spelling(branch->type_name ? branch->type_name : ""));
    const hq_node *node = container_node(layouts, name, FRAME_OWN, 0);
    if (node)
        return node;
    if (strcmp(name, "string") == 0)
        return text_node(layouts, FRAME_NONE);
    node = object_node(layouts, name, branch->class_version, 0);
    if (node->kind == NODE_OPAQUE)
        return blind_node(layouts, NODE_UNKNOWN, node->reason);
    return branch->kind == BRANCH_WHOLE ? node : without_frame(layouts, node);
}

/* The items of a split collection's member, one after the other: a container's frame comes once for all of them. */
static const hq_node *items_node(hq_layouts *layouts, const hq_class_member *member)
{
    bool is_stl = member->type == TYPE_STL || member->type == TYPE_STL_STRING || member->type == TYPE_STREAMER;
    if (!is_stl) {
        hq_node *record = record_node(layouts, false);
        const hq_node *item = member_node(layouts, member, record, 0);
        return rest_node(layouts, item, false);
    }
    if (strcmp(member->type_name, "string") == 0)
        return rest_node(layouts, text_node(layouts, FRAME_NONE), true);
    const hq_node *item = container_node(layouts, member->type_name, FRAME_NONE, 0);
    return rest_node(layouts, item ? item : blind_node(layouts, NODE_UNKNOWN, no_streamer), true);
}

const hq_node *layout_branch(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf)
{
    if (leaf->element_type == TYPE_BITS) {
        hq_node *bits = new_node(layouts, NODE_BITS);
        bits->least = 4;
        bool is_item = branch->kind == BRANCH_OF_CLONES || branch->kind == BRANCH_OF_STL;
        return is_item ? rest_node(layouts, bits, false) : bits;
    }
    const hq_class_member *member = find_member(layouts, branch);
    const hq_node *node;
    if (branch->member < 0) {
        node = outer_node(layouts, branch);
    } else if (!member) {
        node = blind_node(layouts, NODE_UNKNOWN, no_class);
    } else if (branch->kind == BRANCH_OF_CLONES || branch->kind == BRANCH_OF_STL) {
        node = items_node(layouts, member);
    } else if (member->type > TYPE_POINTED && member->type < TYPE_POINTED + TYPE_ARRAY) {
        /* Its counter is a branch of its own, but the entry has nothing else in it. */
        const hq_node *item = number_member(layouts, member, member->type - TYPE_POINTED);
        hq_node *record = record_node(layouts, false);
        add_child(record, NULL, plain_node(layouts, HQ_UINT8)); /* whether there is an array */
        if (item)
            add_child(record, "", rest_node(layouts, item, false));
        node = record;
    } else {
        node = member_node(layouts, member, record_node(layouts, false), 0);
    }
    /* What a class would have told is why something is not known. */
    if (node->kind == NODE_UNKNOWN && layouts->classes_wrong)
        return blind_node(layouts, NODE_UNKNOWN, layouts->classes_wrong);
    return node;
}
