#include "data/model.h"

#include <inttypes.h>

#include "base/memory.h"
#include "data/streamed.h"

enum {
    MAX_DEPTH = 32,         /* branches within branches */
    MAX_BRANCHES = 1 << 15, /* and as many leaves; names are compared each with each */
    KIND_BRANCH,            /* what streamed_remember is told */
    KIND_LEAF,
    KIND_OTHER,
    IO_BITS_SIGN = 80, /* added to a basket's flag if its offsets are to be generated from the counter */
};

/* The reading of one tree. */
typedef struct hq_reading {
    hq_streamed streamed;
    hq_model *model;
    const char *unsupported; /* a class whose version hq does not know, and that version */
    unsigned version;
} hq_reading;

/* One branch's tables, before they are put together as baskets. */
typedef struct hq_tables {
    uint32_t written; /* baskets that have gone to the file; the next may be embedded */
    uint32_t size;    /* of the three tables, which point into the record */
    const uint8_t *sizes, *firsts, *seeks;
    bool is_narrow_first, is_narrow_seek; /* 4 bytes each, not 8 */
    hq_basket *embedded;
    uint32_t *embedded_counts; /* entries of each */
    uint32_t *slots;           /* the places of the embedded baskets among all */
    size_t embedded_count, embedded_capacity, counts_capacity, slots_capacity;
} hq_tables;

static void refuse_version(hq_reading *reading, const char *class_name, unsigned version)
{
    if (!reading->streamed.bytes.wrong) {
        reading->unsupported = class_name;
        reading->version = version;
    }
    bytes_fail(&reading->streamed.bytes, "a class version that hq does not know");
}

/* Counts are written as double in old versions. Negative or absurd ones become 0, and are found out by comparison. */
static uint64_t count_of_double(double value)
{
    return value >= 0 && value < 9e15 ? (uint64_t)value : 0;
}

static uint64_t read_count(hq_bytes *bytes, bool is_double)
{
    if (is_double)
        return count_of_double(bytes_f64(bytes));
    int64_t count = (int64_t)bytes_u64(bytes);
    return count < 0 ? 0 : (uint64_t)count;
}

/* Leaves. */

static hq_leaf *read_leaf(hq_reading *reading, const hq_pointer *pointer, int depth);

/* A pointer to a leaf, new or known; NULL for none. */
static hq_leaf *read_leaf_pointer(hq_reading *reading, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    if (depth > MAX_DEPTH)
        bytes_fail(bytes, "objects nested too deep");
    hq_pointer pointer = streamed_pointer(&reading->streamed);
    if (pointer.is == POINTER_KNOWN)
        return pointer.kind == KIND_LEAF ? pointer.object : NULL;
    if (pointer.is != POINTER_NEW)
        return NULL;
    hq_leaf *leaf = NULL;
    if (strncmp(pointer.class_name, "TLeaf", 5) == 0)
        leaf = read_leaf(reading, &pointer, depth + 1);
    bytes_move_to(bytes, pointer.end);
    return leaf;
}

static hq_leaf *read_leaf(hq_reading *reading, const hq_pointer *pointer, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    hq_model *model = reading->model;
    if (model->all_leaf_count == MAX_BRANCHES)
        bytes_fail(bytes, "more than 32768 leaves");
    hq_leaf *leaf = hq_calloc(1, sizeof *leaf);
    HQ_GROW(model->all_leaves, model->all_leaf_count, model->all_leaf_capacity);
    model->all_leaves[model->all_leaf_count++] = leaf;
    streamed_remember(&reading->streamed, pointer, KIND_LEAF, leaf);
    leaf->class_name = hq_strdup(pointer->class_name);
    uint16_t version;
    frame_begin(bytes, &version); /* of the class itself; the pointer's end closes it */
    size_t end = frame_begin(bytes, &version);
    if (version != 2)
        refuse_version(reading, "TLeaf", version);
    streamed_named(bytes, &leaf->name, &leaf->title);
    leaf->length = bytes_i32(bytes);
    bytes_u32(bytes); /* size of a value in memory */
    bytes_u32(bytes); /* offset in memory */
    bytes_u8(bytes);  /* whether it has a range: counters have */
    leaf->is_unsigned = bytes_u8(bytes);
    leaf->counter = read_leaf_pointer(reading, depth);
    frame_end(bytes, end);
    if (strcmp(pointer->class_name, "TLeafElement") == 0) {
        bytes_u32(bytes); /* index in the streamer info */
        leaf->element_type = bytes_i32(bytes);
    }
    return leaf;
}

static void read_leaves(hq_reading *reading, hq_branch *branch, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    size_t end;
    uint32_t count = streamed_array(bytes, &end);
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        hq_leaf *leaf = read_leaf_pointer(reading, depth);
        if (!leaf || leaf->branch)
            continue;
        leaf->branch = branch;
        HQ_GROW(branch->leaves, branch->leaf_count, branch->leaf_capacity);
        branch->leaves[branch->leaf_count++] = leaf;
    }
    frame_end(bytes, end);
}

/* Baskets. */

/* An int array with its length before it; NULL if it has not the wanted length at least. */
static const uint8_t *read_ints(hq_bytes *bytes, uint32_t wanted)
{
    uint32_t count = bytes_u32(bytes);
    const uint8_t *ints = bytes_take(bytes, (size_t)count * 4);
    if (count < wanted)
        bytes_fail(bytes, "a basket with fewer offsets than entries");
    return bytes->wrong ? NULL : ints;
}

/* A basket that waits in its branch for its file: key, header, offsets, and its buffer, which begins with room for the
 * key once more. */
static void read_embedded(hq_bytes *bytes, hq_basket *basket_r, uint32_t *count_r)
{
    hq_key key;
    key_read_front(bytes, &key);
    key_skip_texts(bytes);
    uint32_t origin = key.header_size;
    bytes_u16(bytes); /* class version */
    bytes_u32(bytes); /* room in memory */
    if (bytes_i32(bytes) < 0)
        bytes_u8(bytes); /* IO features follow a room for offsets that is written negative */
    *count_r = bytes_u32(bytes);
    uint32_t last = bytes_u32(bytes);
    unsigned flag = bytes_u8(bytes);
    const uint8_t *offsets = NULL;
    if (flag < IO_BITS_SIGN && flag != 0 && flag % 10 != 2 && *count_r > 0)
        offsets = read_ints(bytes, *count_r);
    flag %= IO_BITS_SIGN;
    if (flag > 40)
        read_ints(bytes, 0); /* displacements */
    const uint8_t *buffer = flag == 1 || flag > 10 ? bytes_take(bytes, last) : NULL;
    if (buffer && last < origin)
        bytes_fail(bytes, "a basket that is shorter than its key");
    if (bytes->wrong || !buffer || *count_r == 0)
        return;
    *basket_r = (hq_basket){.embedded = hq_alloc(last - origin), .border = last - origin, .origin = origin};
    memcpy(basket_r->embedded, buffer + origin, last - origin);
    if (offsets) {
        basket_r->offsets = hq_alloc((size_t)*count_r * 4);
        memcpy(basket_r->offsets, offsets, (size_t)*count_r * 4);
    }
}

static void read_baskets(hq_reading *reading, hq_tables *tables)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    size_t end;
    uint32_t count = streamed_array(bytes, &end);
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        hq_pointer pointer = streamed_pointer(&reading->streamed);
        if (pointer.is != POINTER_NEW)
            continue;
        hq_basket basket = {0};
        uint32_t entries = 0;
        if (strcmp(pointer.class_name, "TBasket") == 0)
            read_embedded(bytes, &basket, &entries);
        bytes_move_to(bytes, pointer.end);
        if (!basket.embedded)
            continue;
        HQ_GROW(tables->embedded, tables->embedded_count, tables->embedded_capacity);
        HQ_GROW(tables->embedded_counts, tables->embedded_count, tables->counts_capacity);
        HQ_GROW(tables->slots, tables->embedded_count, tables->slots_capacity);
        tables->embedded_counts[tables->embedded_count] = entries;
        tables->slots[tables->embedded_count] = i;
        tables->embedded[tables->embedded_count++] = basket;
    }
    frame_end(bytes, end);
}

static uint64_t table_entry(const uint8_t *table, bool is_narrow, uint32_t index)
{
    return is_narrow ? load_u32(table + 4 * (size_t)index) : load_u64(table + 8 * (size_t)index);
}

/* Before each table a byte says whether there is one; in old branches a 2 there says that places in the file are wide.
 */
static void read_tables(hq_bytes *bytes, unsigned version, hq_tables *tables)
{
    bool is_old = version < 10;
    bytes_u8(bytes);
    tables->sizes = bytes_take(bytes, (size_t)tables->size * 4);
    bytes_u8(bytes);
    tables->is_narrow_first = is_old;
    tables->firsts = bytes_take(bytes, (size_t)tables->size * (is_old ? 4 : 8));
    tables->is_narrow_seek = bytes_u8(bytes) != 2 && is_old;
    tables->seeks = bytes_take(bytes, (size_t)tables->size * (tables->is_narrow_seek ? 4 : 8));
}

static void complain(hq_branch *branch, char *reason)
{
    if (branch->unreadable)
        free(reason);
    else
        branch->unreadable = reason;
}

/* The first entry behind the basket of a place. */
static uint64_t end_of(const hq_tables *tables, const hq_branch *branch, uint32_t index)
{
    return index + 1 < tables->size ? table_entry(tables->firsts, tables->is_narrow_first, index + 1) : branch->entries;
}

/* The tables and the embedded baskets as one row of baskets. What cannot be is told in the branch, not in the cursor:
 * the other branches are none the worse for it. */
static void put_together(hq_branch *branch, hq_tables *tables)
{
    branch->baskets = hq_calloc(tables->written + tables->embedded_count + 1, sizeof *branch->baskets);
    uint64_t reached = 0;
    size_t next = 0; /* embedded basket */
    for (uint32_t i = 0; i < tables->size && i <= tables->written; i++) {
        hq_basket basket = {.first = table_entry(tables->firsts, tables->is_narrow_first, i)};
        while (next < tables->embedded_count && tables->slots[next] < i)
            next++;
        if (i < tables->written && table_entry(tables->seeks, tables->is_narrow_seek, i) != 0) {
            basket.seek = table_entry(tables->seeks, tables->is_narrow_seek, i);
            basket.size = load_u32(tables->sizes + 4 * (size_t)i);
            basket.last = end_of(tables, branch, i);
        } else if (next < tables->embedded_count && tables->slots[next] == i) {
            uint64_t first = basket.first;
            basket = tables->embedded[next];
            tables->embedded[next] = (hq_basket){0};
            basket.first = first;
            basket.last = first + tables->embedded_counts[next];
        } else {
            continue;
        }
        if (basket.first == basket.last && !basket.embedded)
            continue;
        branch->baskets[branch->basket_count++] = basket;
        if (basket.first != reached || basket.last < basket.first)
            complain(branch, hq_format("the tables of its baskets are damaged: basket %u begins with entry %" PRIu64
                                       " and ends before %" PRIu64 ", the one before it ends before %" PRIu64,
                                       i, basket.first, basket.last, reached));
        reached = basket.last;
    }
    if (reached != branch->entries)
        complain(branch, hq_format("its baskets hold %" PRIu64 " of its %" PRIu64 " entries (the file was not closed?)",
                                   reached, branch->entries));
}

static void tables_clear(hq_tables *tables)
{
    for (size_t i = 0; i < tables->embedded_count; i++) {
        free(tables->embedded[i].embedded);
        free(tables->embedded[i].offsets);
    }
    free(tables->embedded);
    free(tables->embedded_counts);
    free(tables->slots);
}

/* Branches. */

static void read_branches(hq_reading *reading, hq_branch *parent, int depth);

/* The numbers of a TBranch up to its lists. */
static void read_branch_numbers(hq_bytes *bytes, unsigned version, hq_branch *branch, hq_tables *tables)
{
    bool is_old = version < 10;
    bytes_u32(bytes); /* compression */
    bytes_u32(bytes); /* size of a basket */
    bytes_u32(bytes); /* room for offsets */
    int32_t written = bytes_i32(bytes);
    bytes_take(bytes, is_old ? 4 : 8); /* number of the entry being filled */
    if (version >= 13)
        frame_skip(bytes); /* IO features */
    bytes_u32(bytes);      /* offset in memory */
    int32_t size = bytes_i32(bytes);
    bytes_u32(bytes); /* split level */
    branch->entries = read_count(bytes, is_old);
    if (version >= 11)
        bytes_u64(bytes); /* first entry */
    branch->true_bytes = read_count(bytes, is_old);
    branch->file_bytes = read_count(bytes, is_old);
    if (!bytes->wrong && (written < 0 || size < 0 || written > size))
        bytes_fail(bytes, "a branch with more baskets than its tables have places");
    tables->written = bytes->wrong ? 0 : (uint32_t)written;
    tables->size = bytes->wrong ? 0 : (uint32_t)size;
}

/* The TBranch that every kind of branch begins with. */
static void read_branch_base(hq_reading *reading, hq_branch *branch, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    hq_tables tables = {0};
    uint16_t version;
    size_t end = frame_begin(bytes, &version);
    if (version != 8 && (version < 10 || version > 13))
        refuse_version(reading, "TBranch", version);
    streamed_named(bytes, &branch->name, &branch->title);
    frame_skip(bytes); /* TAttFill */
    read_branch_numbers(bytes, version, branch, &tables);
    read_branches(reading, branch, depth + 1);
    read_leaves(reading, branch, depth + 1);
    read_baskets(reading, &tables);
    read_tables(bytes, version, &tables);
    char *file_name = streamed_text(bytes);
    if (!bytes->wrong)
        put_together(branch, &tables);
    if (file_name && *file_name)
        complain(branch, hq_format("its data are in another file, %s", file_name));
    free(file_name);
    tables_clear(&tables);
    frame_end(bytes, end);
}

/* What a TBranchElement adds. */
static void read_element(hq_reading *reading, unsigned version, hq_branch *branch)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    if (version < 8 || version > 10)
        refuse_version(reading, "TBranchElement", version);
    branch->type_name = streamed_text(bytes);
    free(streamed_text(bytes)); /* the parent's class */
    free(streamed_text(bytes)); /* the class of a TClonesArray's objects */
    bytes_u32(bytes);           /* checksum of the class */
    branch->class_version = version >= 10 ? bytes_u16(bytes) : bytes_i32(bytes);
    branch->member = bytes_i32(bytes);
    branch->kind = bytes_i32(bytes);
    bytes_take(bytes, 4 + 4); /* the member's type, which the leaf has too; most objects in one entry */
    for (int i = 0; i < 2; i++) {
        hq_pointer pointer = streamed_pointer(&reading->streamed);
        if (i == 0 && pointer.is == POINTER_KNOWN && pointer.kind == KIND_BRANCH)
            branch->count_branch = pointer.object;
        if (pointer.is == POINTER_NEW)
            bytes_move_to(bytes, pointer.end);
    }
}

static hq_branch *read_branch(hq_reading *reading, const hq_pointer *pointer, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    hq_model *model = reading->model;
    hq_branch *branch = hq_calloc(1, sizeof *branch);
    HQ_GROW(model->all_branches, model->all_branch_count, model->all_branch_capacity);
    model->all_branches[model->all_branch_count++] = branch;
    streamed_remember(&reading->streamed, pointer, KIND_BRANCH, branch);
    branch->class_name = hq_strdup(pointer->class_name);
    branch->member = -1;
    bool is_plain = strcmp(pointer->class_name, "TBranch") == 0;
    uint16_t version = 0;
    if (!is_plain)
        frame_begin(bytes, &version);
    read_branch_base(reading, branch, depth);
    if (strcmp(pointer->class_name, "TBranchElement") == 0)
        read_element(reading, version, branch);
    else if (strcmp(pointer->class_name, "TBranchObject") == 0)
        branch->type_name = streamed_text(bytes);
    return branch;
}

static bool is_branch_class(const char *name)
{
    static const char *const known[] = {"TBranch", "TBranchElement", "TBranchObject", "TBranchRef", "TBranchSTL"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

/* A branch of a class with a streamer of its own: there is nothing to tell of it but that it is there. */
static hq_branch *unknown_branch(hq_reading *reading, const hq_pointer *pointer, uint32_t index)
{
    hq_model *model = reading->model;
    hq_branch *branch = hq_calloc(1, sizeof *branch);
    HQ_GROW(model->all_branches, model->all_branch_count, model->all_branch_capacity);
    model->all_branches[model->all_branch_count++] = branch;
    streamed_remember(&reading->streamed, pointer, KIND_OTHER, branch);
    branch->class_name = hq_strdup(pointer->class_name);
    branch->name = hq_format("(%s %u)", pointer->class_name, index);
    branch->title = hq_strdup("");
    branch->unreadable = hq_format("hq cannot read a branch of class %s", pointer->class_name);
    return branch;
}

/* The list of a branch's branches, or with parent NULL of the tree's. */
static void read_branches(hq_reading *reading, hq_branch *parent, int depth)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    hq_model *model = reading->model;
    if (depth > MAX_DEPTH)
        bytes_fail(bytes, "branches nested too deep");
    size_t end;
    uint32_t count = streamed_array(bytes, &end);
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        if (model->all_branch_count == MAX_BRANCHES)
            bytes_fail(bytes, "more than 32768 branches");
        hq_pointer pointer = streamed_pointer(&reading->streamed);
        if (pointer.is != POINTER_NEW)
            continue; /* a branch that stands elsewhere: to follow it could mean to go in circles */
        hq_branch *branch = is_branch_class(pointer.class_name) ? read_branch(reading, &pointer, depth)
                                                                : unknown_branch(reading, &pointer, i);
        bytes_move_to(bytes, pointer.end);
        branch->parent = parent;
        if (parent) {
            HQ_GROW(parent->branches, parent->branch_count, parent->branch_capacity);
            parent->branches[parent->branch_count++] = branch;
        } else {
            HQ_GROW(model->branches, model->branch_count, model->branch_capacity);
            model->branches[model->branch_count++] = branch;
        }
    }
    frame_end(bytes, end);
}

/* The tree. */

static uint64_t *read_range(hq_bytes *bytes, uint32_t count)
{
    bytes_u8(bytes); /* whether there is one */
    const uint8_t *raw = bytes_take(bytes, (size_t)count * 8);
    uint64_t *values = hq_calloc(raw ? count : 0, sizeof *values);
    for (uint32_t i = 0; raw && i < count; i++)
        values[i] = load_u64(raw + 8 * (size_t)i);
    return values;
}

/* The numbers of a TTree, versions 16 (ROOT 5.22) to 20. */
static void read_numbers(hq_bytes *bytes, unsigned version, hq_model *model)
{
    model->entries = read_count(bytes, false);
    bytes_take(bytes, 3 * 8); /* bytes in all, compressed, saved */
    if (version >= 18)
        bytes_u64(bytes); /* bytes flushed */
    bytes_u64(bytes);     /* weight */
    bytes_take(bytes, 3 * 4);
    if (version >= 17)
        bytes_u32(bytes); /* room for offsets */
    uint32_t ranges = version >= 19 ? bytes_u32(bytes) : 0;
    bytes_take(bytes, 4 * 8); /* limits of entries and of memory; bytes between two savings */
    model->auto_flush = version >= 18 ? (int64_t)bytes_u64(bytes) : 0;
    bytes_u64(bytes); /* estimate for drawing */
    if (version < 19)
        return;
    model->range_ends = read_range(bytes, ranges);
    model->range_sizes = read_range(bytes, ranges);
    model->range_count = bytes->wrong ? 0 : ranges;
    for (size_t i = 0; i < model->range_count; i++)
        model->range_ends[i]++; /* the file has the last entry within */
    if (version >= 20)
        frame_skip(bytes); /* IO features */
}

static void read_tree(hq_reading *reading, bool is_ntuple)
{
    hq_bytes *bytes = &reading->streamed.bytes;
    uint16_t version;
    char *name = NULL, *title = NULL;
    if (is_ntuple)
        frame_begin(bytes, &version);
    frame_begin(bytes, &version);
    if (version != 5 && (version < 16 || version > 20))
        refuse_version(reading, "TTree", version);
    streamed_named(bytes, &name, &title);
    free(name);
    free(title);
    frame_skip(bytes); /* TAttLine */
    frame_skip(bytes); /* TAttFill */
    frame_skip(bytes); /* TAttMarker */
    if (version == 5) {
        reading->model->entries = read_count(bytes, true);
        bytes_take(bytes, 3 * 8 + 7 * 4);
    } else {
        read_numbers(bytes, version, reading->model);
    }
    read_branches(reading, NULL, 0);
    /* Lists of leaves, aliases, indices, friends and user's things follow; nothing in them is needed. */
}

hq_error model_read(const hq_file *file, const hq_tree_key *key, hq_model **model_r, hq_reason *reason)
{
    uint8_t *object;
    hq_error error = rootfile_read_object(file, &key->key, &object, reason);
    if (error)
        return error;
    hq_reading reading = {
        .streamed = {.bytes = bytes_over(object, key->key.object_size), .key_size = key->key.header_size},
        .model = hq_calloc(1, sizeof *reading.model)};
    hq_bytes *bytes = &reading.streamed.bytes;
    read_tree(&reading, strcmp(key->key.class_name, "TTree") != 0);
    if (reading.unsupported)
        error = hq_fail(reason, HQ_EUNSUPPORTED,
                        "%s: tree %s: written with version %u of class %s, which hq cannot read", file->source.name,
                        key->path, reading.version, reading.unsupported);
    else if (bytes->wrong)
        error = hq_fail(reason, HQ_EFORMAT, "%s: tree %s: record at offset %" PRIu64 ", byte %zu: %s",
                        file->source.name, key->path, key->key.seek, bytes->wrong_at, bytes->wrong);
    streamed_clear(&reading.streamed);
    free(object);
    if (error)
        model_free(&reading.model);
    else
        *model_r = reading.model;
    return error;
}

static void free_branch(hq_branch *branch)
{
    for (size_t i = 0; i < branch->basket_count; i++) {
        free(branch->baskets[i].embedded);
        free(branch->baskets[i].offsets);
    }
    free(branch->baskets);
    free(branch->class_name);
    free(branch->name);
    free(branch->title);
    free(branch->type_name);
    free(branch->leaves);
    free(branch->branches);
    free(branch->unreadable);
    free(branch);
}

void model_free(hq_model **model_p)
{
    hq_model *model = *model_p;
    if (!model)
        return;
    for (size_t i = 0; i < model->all_branch_count; i++)
        free_branch(model->all_branches[i]);
    for (size_t i = 0; i < model->all_leaf_count; i++) {
        free(model->all_leaves[i]->class_name);
        free(model->all_leaves[i]->name);
        free(model->all_leaves[i]->title);
        free(model->all_leaves[i]);
    }
    free(model->all_branches);
    free(model->all_leaves);
    free(model->branches);
    free(model->range_ends);
    free(model->range_sizes);
    free(model);
    *model_p = NULL;
}
