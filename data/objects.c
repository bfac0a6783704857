#include "data/objects.h"

#include "data/streamed.h"

enum {
    MEMBERWISE = 0x4000, /* in a container's version: first one member of all items, then the next */
    IS_REFERENCED = 1 << 4,
    MAX_SKIP = 48, /* nodes within nodes */
};

typedef struct hq_walk {
    const hq_path *path;
    hq_bytes *bytes;
    hq_harvest *harvest; /* NULL: nothing is taken */
    bool has_end;
    int64_t slots[MAX_SLOTS]; /* the counters passed */
} hq_walk;

/* Harvesting. */

static void take_list(hq_walk *walk, unsigned level, uint64_t items)
{
    hq_harvest *harvest = walk->harvest;
    if (!harvest)
        return;
    harvest->lists[level]++;
    harvest->items[level] += items;
    if (!harvest->column)
        return;
    uint32_t *offsets = level == 0 ? harvest->column->offsets : harvest->column->inner[level - 1].offsets;
    offsets[harvest->lists[level]] = (uint32_t)harvest->items[level];
}

static void take_values(hq_walk *walk, const hq_number *number, const uint8_t *from, size_t count)
{
    hq_harvest *harvest = walk->harvest;
    if (!harvest || !from)
        return;
    if (harvest->column)
        number_decode(number, (uint8_t *)harvest->column->values + harvest->values * hq_type_size(number->type), from,
                      count);
    harvest->values += count;
}

/* Stepping over. */

static int64_t integer_of(const hq_number *number, const uint8_t *from)
{
    switch (number->type) {
    case HQ_BOOL:
    case HQ_UINT8:
        return from[0];
    case HQ_INT8:
        return (int8_t)from[0];
    case HQ_INT16:
        return (int16_t)load_u16(from);
    case HQ_UINT16:
        return load_u16(from);
    case HQ_INT32:
        return (int32_t)load_u32(from);
    case HQ_UINT32:
        return load_u32(from);
    case HQ_INT64:
    case HQ_UINT64:
        return (int64_t)load_u64(from);
    default:
        return -1;
    }
}

/* Numbers in a row; what counts others is remembered. */
static const uint8_t *step_numbers(hq_walk *walk, const hq_node *node, size_t count)
{
    const uint8_t *from = bytes_take(walk->bytes, count * node->number.size);
    if (from && node->slot && count > 0)
        walk->slots[node->slot] = integer_of(&node->number, from + (count - 1) * node->number.size);
    return from;
}

static const uint8_t *step_bits(hq_bytes *bytes)
{
    const uint8_t *from = bytes_take(bytes, 4);
    if (from && load_u32(from) & IS_REFERENCED)
        bytes_take(bytes, 2); /* the process that the object was made in */
    return from;
}

static void step_pointer(hq_bytes *bytes)
{
    uint32_t tag = bytes_u32(bytes);
    if (tag & 0x40000000) /* a byte count: the object is here */
        bytes_take(bytes, tag & ~0x40000000u);
}

/* The number of items that a list says it has. Each takes a byte at least, so it is bounded by the bytes. */
static uint32_t list_count(hq_walk *walk, const hq_node *item)
{
    uint32_t count = bytes_u32(walk->bytes), least = item->least > 0 ? item->least : 1;
    if (!walk->bytes->wrong && count > bytes_left(walk->bytes) / least)
        bytes_fail(walk->bytes, "a list of more items than there are bytes for");
    return walk->bytes->wrong ? 0 : count;
}

static uint32_t counted(hq_walk *walk, const hq_node *node)
{
    bool is_there = !node->has_flag || bytes_u8(walk->bytes) != 0;
    const hq_node *item = node->children[0].node;
    int64_t count = is_there ? walk->slots[node->slot] : 0;
    if (!walk->bytes->wrong &&
        (count < 0 || (uint64_t)count > bytes_left(walk->bytes) / (item->least > 0 ? item->least : 1)))
        bytes_fail(walk->bytes, "an array of more items than there are bytes for");
    return walk->bytes->wrong ? 0 : (uint32_t)count;
}

static void step(hq_walk *walk, const hq_node *node, int nesting);

static void step_items(hq_walk *walk, const hq_node *item, uint64_t count, int nesting)
{
    if (item->kind == NODE_NUMBER) {
        step_numbers(walk, item, count);
        return;
    }
    for (uint64_t i = 0; i < count && !walk->bytes->wrong; i++)
        step(walk, item, nesting);
}

static void step(hq_walk *walk, const hq_node *node, int nesting)
{
    hq_bytes *bytes = walk->bytes;
    size_t length;
    if (nesting > MAX_SKIP)
        bytes_fail(bytes, "objects nested too deep");
    if (node->is_framed) {
        frame_skip(bytes);
        return;
    }
    switch (node->kind) {
    case NODE_NUMBER:
        step_numbers(walk, node, 1);
        break;
    case NODE_BITS:
        step_bits(bytes);
        break;
    case NODE_TOBJECT:
        streamed_object(bytes);
        break;
    case NODE_TEXT:
        bytes_text(bytes, &length);
        break;
    case NODE_LONG_TEXT:
        bytes_take(bytes, bytes_u32(bytes));
        break;
    case NODE_RECORD:
        for (size_t i = 0; i < node->child_count && !bytes->wrong; i++)
            step(walk, node->children[i].node, nesting + 1);
        break;
    case NODE_LIST:
        step_items(walk, node->children[0].node, list_count(walk, node->children[0].node), nesting + 1);
        break;
    case NODE_ARRAY:
        step_items(walk, node->children[0].node, node->count, nesting + 1);
        break;
    case NODE_COUNTED:
        step_items(walk, node->children[0].node, counted(walk, node), nesting + 1);
        break;
    case NODE_POINTER:
        step_pointer(bytes);
        break;
    default:
        bytes_fail(bytes, "something whose size is not known");
    }
}

/* The same for one member of many objects, where a container or a text has its frame once for all of them, and a base
 * class none. */
static void step_row(hq_walk *walk, const hq_child *child, uint32_t count, int nesting)
{
    const hq_node *node = child->node;
    if (nesting > MAX_SKIP)
        bytes_fail(walk->bytes, "objects nested too deep");
    if (node->kind == NODE_RECORD && child->is_base) {
        for (size_t i = 0; i < node->child_count && !walk->bytes->wrong; i++)
            step_row(walk, &node->children[i], count, nesting + 1);
    } else if (node->is_row_framed) {
        frame_skip(walk->bytes);
    } else if (node->kind == NODE_COUNTED && count > 1) {
        bytes_fail(walk->bytes, "arrays of several sizes, one member after the other, which hq cannot read");
    } else {
        step_items(walk, node, count, nesting);
    }
}

/* Walking down the path. */

static void follow(hq_walk *walk, size_t place, unsigned level);

static void follow_items(hq_walk *walk, size_t place, unsigned level, uint64_t count)
{
    const hq_node *item = walk->path->nodes[place];
    if (item->kind == NODE_NUMBER) {
        take_values(walk, &item->number, step_numbers(walk, item, count), count);
        return;
    }
    for (uint64_t i = 0; i < count && !walk->bytes->wrong; i++)
        follow(walk, place, level);
}

/* Version 0 is followed by a checksum: the class has no version of its own. */
static void check_version(hq_walk *walk, const hq_node *record, uint16_t version)
{
    uint32_t checksum = version == 0 ? bytes_u32(walk->bytes) : 0;
    if (walk->bytes->wrong || !record->name)
        return;
    bool is_other = version == 0 ? record->checksum != 0 && checksum != record->checksum : version != record->version;
    if (is_other)
        bytes_fail(walk->bytes,
                   "an object of another version of its class than the file's newest, which hq cannot read");
}

static void follow_row(hq_walk *walk, const hq_child *child, size_t place, unsigned level, uint32_t count);

/* One member of all items after the other. */
static void follow_members(hq_walk *walk, const hq_node *record, size_t place, unsigned level, uint32_t count)
{
    for (size_t i = 0; i < record->child_count && !walk->bytes->wrong; i++) {
        if (i == walk->path->child[place - 1])
            follow_row(walk, &record->children[i], place, level, count);
        else
            step_row(walk, &record->children[i], count, 0);
    }
}

static void follow_list_body(hq_walk *walk, size_t place, unsigned level, bool is_memberwise)
{
    const hq_node *item = walk->path->nodes[place + 1];
    if (!is_memberwise) {
        uint32_t count = list_count(walk, item);
        follow_items(walk, place + 1, level + 1, count);
        take_list(walk, level, count);
        return;
    }
    uint32_t count = bytes_u32(walk->bytes);
    if (!walk->bytes->wrong && (count > bytes_left(walk->bytes) || item->kind != NODE_RECORD))
        bytes_fail(walk->bytes, "a list of more items than there are bytes for");
    if (walk->bytes->wrong)
        return;
    if (count > 0) /* of none there are no members either */
        follow_members(walk, item, place + 2, level + 1, count);
    take_list(walk, level, count);
}

/* A container's frame, and in it the version of its items' class if their members come one after the other. */
static size_t begin_container(hq_walk *walk, const hq_node *item, bool *is_memberwise_r)
{
    uint16_t version;
    size_t end = frame_begin(walk->bytes, &version);
    *is_memberwise_r = version & MEMBERWISE;
    if (*is_memberwise_r)
        check_version(walk, item, bytes_u16(walk->bytes));
    return end;
}

static void end_container(hq_walk *walk, size_t end)
{
    if (!walk->bytes->wrong && walk->bytes->at != end)
        bytes_fail(walk->bytes, "a container whose items do not fill its bytes");
}

static void follow_row(hq_walk *walk, const hq_child *child, size_t place, unsigned level, uint32_t count)
{
    const hq_node *node = child->node;
    if (node->kind == NODE_RECORD && child->is_base) {
        follow_members(walk, node, place + 1, level, count);
    } else if (node->kind == NODE_LIST && node->is_row_framed) {
        bool is_memberwise;
        size_t end = begin_container(walk, node->children[0].node, &is_memberwise);
        for (uint32_t i = 0; i < count && !walk->bytes->wrong; i++)
            follow_list_body(walk, place, level, is_memberwise);
        end_container(walk, end);
    } else if (node->kind == NODE_COUNTED && count > 1) {
        bytes_fail(walk->bytes, "arrays of several sizes, one member after the other, which hq cannot read");
    } else {
        follow_items(walk, place, level, count);
    }
}

static void follow_record(hq_walk *walk, const hq_node *record, size_t place, unsigned level)
{
    hq_bytes *bytes = walk->bytes;
    size_t end = 0, i = 0;
    if (record->is_framed) {
        uint16_t version;
        end = frame_begin(bytes, &version);
        check_version(walk, record, version);
    }
    for (; i < walk->path->child[place] && !bytes->wrong; i++)
        step(walk, record->children[i].node, 0);
    if (!bytes->wrong)
        follow(walk, place + 1, level);
    if (record->is_framed)
        frame_end(bytes, end);
    else if (place > 0 || !walk->has_end)
        for (i++; i < record->child_count && !bytes->wrong; i++)
            step(walk, record->children[i].node, 0);
}

/* Items up to the end of the frame or of the entry. */
static void follow_rest(hq_walk *walk, const hq_node *node, size_t place, unsigned level)
{
    hq_bytes *bytes = walk->bytes;
    const hq_node *item = walk->path->nodes[place + 1];
    size_t end = bytes->size;
    bool is_memberwise = false;
    if (node->is_framed)
        end = bytes_left(bytes) > 0
                  ? begin_container(walk, item->child_count ? item->children[0].node : item, &is_memberwise)
                  : bytes->at;
    else if (!walk->has_end)
        bytes_fail(bytes, "entries without offsets, whose number of items is in another branch");
    uint64_t count = 0;
    if (item->kind == NODE_NUMBER && !bytes->wrong) {
        count = (end - bytes->at) / item->number.size;
        follow_items(walk, place + 1, level + 1, count);
    }
    for (; bytes->at < end && !bytes->wrong; count++) {
        if (is_memberwise && item->kind == NODE_LIST)
            follow_list_body(walk, place + 1, level + 1, true);
        else
            follow(walk, place + 1, level + 1);
    }
    end_container(walk, end);
    take_list(walk, level, count);
}

static void follow(hq_walk *walk, size_t place, unsigned level)
{
    const hq_node *node = walk->path->nodes[place];
    hq_bytes *bytes = walk->bytes;
    uint32_t count;
    bool is_memberwise = false;
    size_t end;
    switch (node->kind) {
    case NODE_NUMBER:
        follow_items(walk, place, level, 1);
        break;
    case NODE_BITS:
        take_values(walk, &(hq_number){.type = HQ_UINT32, .size = 4}, step_bits(bytes), 1);
        break;
    case NODE_RECORD:
        follow_record(walk, node, place, level);
        break;
    case NODE_LIST:
        end = node->is_framed ? begin_container(walk, node->children[0].node, &is_memberwise) : 0;
        follow_list_body(walk, place, level, is_memberwise);
        if (node->is_framed)
            end_container(walk, end);
        break;
    case NODE_ARRAY:
        follow_items(walk, place + 1, level + 1, node->count);
        take_list(walk, level, node->count);
        break;
    case NODE_COUNTED:
        count = counted(walk, node);
        follow_items(walk, place + 1, level + 1, count);
        take_list(walk, level, count);
        break;
    case NODE_REST:
        follow_rest(walk, node, place, level);
        break;
    default:
        bytes_fail(bytes, "something that hq has no columns of");
    }
}

void objects_walk(const hq_path *path, hq_bytes *bytes, bool has_end, hq_harvest *harvest)
{
    hq_walk walk;
    walk.path = path;
    walk.bytes = bytes;
    walk.harvest = harvest;
    walk.has_end = has_end;
    memset(walk.slots, 0, sizeof walk.slots);
    follow(&walk, 0, 0);
}

hq_number path_number(const hq_path *path)
{
    const hq_node *last = path->nodes[path->count - 1];
    return last->kind == NODE_BITS ? number_plain(HQ_UINT32) : last->number;
}

hq_column *objects_column(const hq_path *path, const hq_harvest *counted, uint64_t entries, size_t limit)
{
    hq_number number = path_number(path);
    if (path->depth == 0)
        return column_new(number.type, entries, counted->values, false, limit);
    hq_column *column = column_new_deep(number.type, entries, counted->items, path->depth - 1, counted->values, limit);
    if (!column)
        return NULL;
    column->offsets[0] = 0;
    for (uint32_t i = 0; i < column->inner_count; i++)
        column->inner[i].offsets[0] = 0;
    return column;
}
