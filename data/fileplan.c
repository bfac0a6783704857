#include "data/fileplan.h"

#include <string.h>

#include "base/memory.h"
#include "data/rootfile.h"
#include "reader_print.h"

enum {
    MAX_TEXT = 4096,
    MAX_TIMES = 62, /* entries are fewer than two to so many, so that sums over many files are numbers too */
};
static const uint8_t magic[4] = {'H', 'Q', 'F', 1};

void fileplan_make(const hq_file *file, const hq_tree *tree, hq_file_plan *plan_r)
{
    const hq_source *source = &file->source;
    *plan_r = (hq_file_plan){.stamp = {source->size, source->modified_ns, source->changed_ns},
                             .version = hq_strdup(source->version),
                             .identity = file->identity,
                             .tree = hq_strdup(tree_path(tree)),
                             .entries = tree_entries(tree),
                             .schema = tree_schema(tree)};
    memcpy(plan_r->uuid, file->uuid, sizeof plan_r->uuid);
    if (plan_r->entries)
        tree_borders(tree, &plan_r->borders, &plan_r->border_count);
}

void fileplan_clear(hq_file_plan *plan)
{
    free(plan->version);
    free(plan->tree);
    free(plan->borders);
    *plan = (hq_file_plan){0};
}

hq_hash fileplan_key(const char *path, const char *tree)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, "hq's plan of a file");
    hasher_add(hasher, magic, sizeof magic);
    hasher_add_text(hasher, HQ_READER_PRINT);
    hasher_add_text(hasher, path);
    if (tree)
        hasher_add_text(hasher, tree);
    return hasher_end(&hasher);
}

hq_hash fileplan_schema_key(const void *bytes, size_t size)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, "hq's schema");
    hasher_add(hasher, bytes, size);
    return hasher_end(&hasher);
}

void fileplan_encode(const hq_file_plan *plan, const hq_hash *schema_key, hq_buffer *buffer)
{
    buffer_append(buffer, magic, sizeof magic);
    buffer_u64(buffer, plan->stamp.size);
    buffer_u64(buffer, (uint64_t)plan->stamp.modified_ns);
    buffer_u64(buffer, (uint64_t)plan->stamp.changed_ns);
    buffer_u8(buffer, plan->version != NULL);
    if (plan->version)
        buffer_text(buffer, plan->version);
    buffer_append(buffer, plan->uuid, sizeof plan->uuid);
    buffer_text(buffer, plan->tree);
    buffer_u64(buffer, plan->entries);
    buffer_append(buffer, schema_key->bytes, sizeof schema_key->bytes);
    buffer_u32(buffer, (uint32_t)plan->border_count);
    for (size_t i = 0; i < plan->border_count; i++)
        buffer_u64(buffer, plan->borders[i]);
}

static void take_bytes(hq_cursor *cursor, void *bytes_r, size_t size)
{
    const uint8_t *taken = cursor_take(cursor, size);
    if (taken)
        memcpy(bytes_r, taken, size);
}

/* False unless they ascend from 0 to the number of entries. */
static bool read_borders(hq_cursor *cursor, hq_file_plan *plan)
{
    uint32_t count = cursor_u32(cursor);
    if (cursor->bad || cursor->left / sizeof(uint64_t) < count)
        return false;
    if (plan->entries == 0)
        return count == 0;
    if (count < 2)
        return false;
    plan->borders = hq_calloc(count, sizeof *plan->borders);
    plan->border_count = count;
    for (uint32_t i = 0; i < count; i++) {
        plan->borders[i] = cursor_u64(cursor);
        if (i == 0 ? plan->borders[0] != 0 : plan->borders[i] <= plan->borders[i - 1])
            return false;
    }
    return plan->borders[count - 1] == plan->entries;
}

static bool read_plan(hq_cursor *cursor, hq_file_plan *plan)
{
    const uint8_t *head = cursor_take(cursor, sizeof magic);
    if (!head || memcmp(head, magic, sizeof magic) != 0)
        return false;
    plan->stamp.size = cursor_u64(cursor);
    plan->stamp.modified_ns = (int64_t)cursor_u64(cursor);
    plan->stamp.changed_ns = (int64_t)cursor_u64(cursor);
    uint8_t has_version = cursor_u8(cursor);
    if (has_version > 1)
        return false;
    if (has_version)
        plan->version = cursor_text(cursor, MAX_TEXT);
    take_bytes(cursor, plan->uuid, sizeof plan->uuid);
    plan->tree = cursor_text(cursor, MAX_TEXT);
    plan->entries = cursor_u64(cursor);
    take_bytes(cursor, plan->schema_key.bytes, sizeof plan->schema_key.bytes);
    return !cursor->bad && plan->entries >> MAX_TIMES == 0 && read_borders(cursor, plan) && cursor_is_complete(cursor);
}

hq_error fileplan_decode(const void *bytes, size_t size, hq_file_plan *plan_r, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    *plan_r = (hq_file_plan){0};
    if (!read_plan(&cursor, plan_r)) {
        fileplan_clear(plan_r);
        return hq_fail(reason, HQ_EFORMAT, "these %zu bytes are not the plan of a file", size);
    }
    plan_r->identity = rootfile_identity_of(plan_r->uuid, plan_r->stamp.size, plan_r->stamp.modified_ns,
                                            plan_r->version);
    return HQ_OK;
}
