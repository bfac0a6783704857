#include "base/memory.h"
#include "data/decompress.h"
#include "data/rootfile.h"

#include <inttypes.h>

enum { WIDE_KEY = 1000 }; /* a key's version from which on its file pointers have 8 bytes */

void key_read_front(hq_bytes *bytes, hq_key *key_r)
{
    *key_r = (hq_key){0};
    key_r->record_size = bytes_u32(bytes);
    uint16_t version = bytes_u16(bytes);
    key_r->object_size = bytes_u32(bytes);
    bytes_u32(bytes); /* date and time */
    key_r->header_size = bytes_u16(bytes);
    key_r->cycle = bytes_u16(bytes);
    key_r->seek = bytes_seek(bytes, version > WIDE_KEY);
    bytes_seek(bytes, version > WIDE_KEY);               /* the directory's place */
    if (!bytes->wrong && key_r->record_size > INT32_MAX) /* negative */
        bytes_fail(bytes, "a key of a deleted record");
}

void key_skip_texts(hq_bytes *bytes)
{
    for (int i = 0; i < 3; i++) {
        size_t length;
        bytes_text(bytes, &length);
    }
}

static char *copy_text(hq_bytes *bytes)
{
    size_t length;
    const char *text = bytes_text(bytes, &length);
    return hq_strndup(text, length);
}

void key_read(hq_bytes *bytes, hq_key *key_r)
{
    key_read_front(bytes, key_r);
    key_r->class_name = copy_text(bytes);
    key_r->name = copy_text(bytes);
    key_r->title = copy_text(bytes);
    if (!bytes->wrong && key_r->header_size > key_r->record_size)
        bytes_fail(bytes, "a key's header is longer than its record");
    if (bytes->wrong)
        key_clear(key_r);
}

void key_clear(hq_key *key)
{
    free(key->class_name);
    free(key->name);
    free(key->title);
    *key = (hq_key){0};
}

hq_error rootfile_read_object(const hq_file *file, const hq_key *key, uint8_t **object_r, hq_reason *reason)
{
    size_t size = key->record_size - key->header_size, true_size = key->object_size;
    uint8_t *object = NULL;
    hq_inflater *inflater = NULL;
    hq_error error;
    uint8_t *record = hq_try_alloc(size, file->record_limit);
    if (!record)
        return hq_fail(reason, HQ_ELIMIT, "%s: %s: the record at offset %" PRIu64 " has %zu bytes, the limit is %zu",
                       file->source.name, key->name, key->seek, size, file->record_limit);
    error = source_read(&file->source, key->seek + key->header_size, size, record, reason);
    if (error)
        goto done;
    if (size == true_size) {
        *object_r = record;
        return HQ_OK;
    }
    uint64_t declared;
    error = inflater_measure(record, size, &declared, reason);
    if (!error && declared != true_size)
        error = hq_fail(reason, HQ_EFORMAT, "its blocks hold %" PRIu64 " bytes, its key says %zu", declared, true_size);
    if (error)
        goto place;
    object = hq_try_alloc(true_size, file->record_limit);
    if (!object) {
        error = hq_fail(reason, HQ_ELIMIT, "it has %zu bytes, the limit is %zu", true_size, file->record_limit);
        goto place;
    }
    inflater = inflater_new();
    error = inflater_run(inflater, record, size, object, true_size, reason);
place:
    if (error)
        hq_fail_within(reason, error, "%s: %s: record at offset %" PRIu64, file->source.name, key->name, key->seek);
done:
    inflater_free(&inflater);
    free(record);
    if (error)
        free(object);
    else
        *object_r = object;
    return error;
}
