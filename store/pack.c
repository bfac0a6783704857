/* A pack: "HQP" and the version, u32 count, then for each partial 16 bytes of partition, u64 entries, u32 size and the
 * bytes; little-endian. It is one binary field to the server, so that any bytes may stand in it. */
#include <string.h>

#include "store/backend.h"

static const uint8_t magic[4] = {'H', 'Q', 'P', 1};
enum { HEAD_SIZE = 8, ITEM_SIZE = 16 + 8 + 4 };

static size_t packed_size(const hq_partial *partial)
{
    return (size_t)ITEM_SIZE + partial->size;
}

/* How many fit: up to STORE_PACK_SIZE, or one that is larger than that alone. */
static size_t count_fitting(const hq_partial *partials, size_t count)
{
    size_t size = HEAD_SIZE, fitting = 0;
    if (count == 0 || HEAD_SIZE + packed_size(&partials[0]) > STORE_DOCUMENT_MAX)
        return 0;
    do
        size += packed_size(&partials[fitting++]);
    while (fitting < count && size + packed_size(&partials[fitting]) <= STORE_PACK_SIZE);
    return fitting;
}

size_t pack_fill(hq_pack *pack, const hq_hash *program, const hq_partial *partials, size_t count)
{
    size_t fitting = count_fitting(partials, count);
    if (fitting == 0)
        return 0;
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, program->bytes, sizeof program->bytes);
    buffer_append(&pack->payload, magic, sizeof magic);
    buffer_u32(&pack->payload, (uint32_t)fitting);
    for (size_t i = 0; i < fitting; i++) {
        const hq_partial *partial = &partials[i];
        /* The partition is the key: the same program on it gives the same bytes. */
        hasher_add(hasher, partial->partition.bytes, sizeof partial->partition.bytes);
        buffer_append(&pack->payload, partial->partition.bytes, sizeof partial->partition.bytes);
        buffer_u64(&pack->payload, partial->entries);
        buffer_u32(&pack->payload, partial->size);
        buffer_append(&pack->payload, partial->bytes, partial->size);
    }
    hq_hash id = hasher_end(&hasher);
    hash_to_text(&id, pack->id);
    hash_to_text(program, pack->program);
    return fitting;
}

static hq_partial read_one(hq_cursor *cursor)
{
    hq_partial partial = {.bytes = NULL};
    const uint8_t *partition = cursor_take(cursor, sizeof partial.partition.bytes);
    if (partition)
        memcpy(partial.partition.bytes, partition, sizeof partial.partition.bytes);
    partial.entries = cursor_u64(cursor);
    partial.size = cursor_u32(cursor);
    partial.bytes = cursor_take(cursor, partial.size);
    return partial;
}

hq_error pack_read(const void *bytes, size_t size, hq_store_each *each, void *context)
{
    hq_cursor start = cursor_over(bytes, size);
    const uint8_t *head = cursor_take(&start, sizeof magic);
    if (!head || memcmp(head, magic, sizeof magic) != 0)
        return HQ_EFORMAT;
    uint32_t count = cursor_u32(&start);
    hq_cursor check = start;
    for (uint32_t i = 0; i < count && !check.bad; i++)
        read_one(&check);
    if (!cursor_is_complete(&check))
        return HQ_EFORMAT;
    for (uint32_t i = 0; i < count; i++) {
        hq_partial partial = read_one(&start);
        each(context, &partial);
    }
    return HQ_OK;
}
