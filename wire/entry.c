#include "wire/entry.h"

#include <string.h>
#include <zstd.h>

#include "wire/message.h"

/* Names of files compress no better at higher levels: what is left of them is their digits. */
enum { LEVEL = 1 };

static const char *const fields[] = {"name",     "text",  "dataset",           "user",
                                     "priority", "fresh", "partition_entries", "skip_bad_files"};
static const char *const summary[] = {"name", "user", "priority"};

static bson_t *copy_of(const bson_t *document, const char *const *keys, size_t count)
{
    bson_t *copy = bson_new();
    bson_iter_t iter;
    for (size_t i = 0; i < count; i++)
        if (bson_iter_init_find(&iter, document, keys[i]))
            bson_append_iter(copy, keys[i], -1, &iter);
    return copy;
}

bson_t *request_new(const bson_t *submit)
{
    return copy_of(submit, fields, sizeof fields / sizeof *fields);
}

bool request_has_specs(const bson_t *request)
{
    bson_iter_t iter, item;
    size_t count = 0;
    if (!bson_iter_init_find(&iter, request, "dataset") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
        !bson_iter_recurse(&iter, &item))
        return false;
    while (bson_iter_next(&item))
        if (!BSON_ITER_HOLDS_UTF8(&item) || ++count > HQ_MAX_SPECS)
            return false;
    return count > 0;
}

static hq_buffer pack(const bson_t *request)
{
    hq_buffer body = {0};
    body.capacity = ZSTD_compressBound(request->len);
    body.bytes = hq_alloc(body.capacity);
    body.size = ZSTD_compress(body.bytes, body.capacity, bson_get_data(request), request->len, LEVEL);
    if (ZSTD_isError(body.size))
        abort(); /* there is room for whatever it makes: memory has run out */
    return body;
}

bson_t *entry_encode(const bson_t *request, size_t most, hq_buffer *body_r, hq_hash *digest_r)
{
    *body_r = (hq_buffer){0};
    if (request->len <= HQ_ENTRY_PLAIN && request->len <= most)
        return bson_copy(request);
    bson_t *entry = copy_of(request, summary, sizeof summary / sizeof *summary);
    hq_buffer body = pack(request);
    const size_t field_size = 1 + sizeof "body" + 4 + 1; /* type, key, length, subtype */
    if (entry->len + field_size + body.size <= most) {
        BSON_APPEND_BINARY(entry, "body", BSON_SUBTYPE_BINARY, body.bytes, (uint32_t)body.size);
        buffer_clear(&body);
        return entry;
    }
    char text[HQ_HASH_TEXT];
    *digest_r = hash_of(body.bytes, body.size);
    hash_to_text(digest_r, text);
    BSON_APPEND_UTF8(entry, "body", text);
    *body_r = body;
    return entry;
}

static hq_error check_request(const bson_t *request, hq_reason *reason)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, request, "text") || !BSON_ITER_HOLDS_UTF8(&iter) || !request_has_specs(request))
        return hq_fail(reason, HQ_EFORMAT, "an entry without a query's text and data set");
    return HQ_OK;
}

static hq_error take_document(const void *bytes, size_t size, bson_t *document_r, hq_reason *reason)
{
    if (!document_is_sound(bytes, size, document_r))
        return hq_fail(reason, HQ_EFORMAT, "an entry that is not a BSON document (%zu bytes)", size);
    return HQ_OK;
}

hq_error body_decode(const void *bytes, size_t size, bson_t **request_r, hq_reason *reason)
{
    bson_t document;
    unsigned long long whole = ZSTD_getFrameContentSize(bytes, size);
    if (whole == ZSTD_CONTENTSIZE_UNKNOWN || whole == ZSTD_CONTENTSIZE_ERROR || whole > HQ_MAX_DOCUMENT)
        return hq_fail(reason, HQ_EFORMAT, "an entry's body of %zu bytes that is not packed, or too large", size);
    uint8_t *unpacked = hq_try_alloc((size_t)whole, HQ_MAX_DOCUMENT);
    if (!unpacked)
        return hq_fail(reason, HQ_ELIMIT, "no memory for the %llu bytes of an entry's body", whole);
    hq_error error = HQ_OK;
    if (ZSTD_decompress(unpacked, (size_t)whole, bytes, size) != whole)
        error = hq_fail(reason, HQ_EFORMAT, "an entry's body that is damaged (%zu bytes)", size);
    if (!error)
        error = take_document(unpacked, (size_t)whole, &document, reason);
    if (!error)
        error = check_request(&document, reason);
    if (!error)
        *request_r = bson_copy(&document);
    free(unpacked);
    return error;
}

hq_error entry_decode(const void *bytes, size_t size, bson_t **request_r, hq_hash *digest_r, hq_reason *reason)
{
    bson_t document;
    bson_iter_t iter;
    hq_error error = take_document(bytes, size, &document, reason);
    if (error)
        return error;
    if (!bson_iter_init_find(&iter, &document, "body")) {
        error = check_request(&document, reason);
        if (!error)
            *request_r = bson_copy(&document);
        return error;
    }
    if (BSON_ITER_HOLDS_BINARY(&iter)) {
        bson_subtype_t subtype;
        uint32_t body_size;
        const uint8_t *body;
        bson_iter_binary(&iter, &subtype, &body_size, &body);
        return body_decode(body, body_size, request_r, reason);
    }
    if (BSON_ITER_HOLDS_UTF8(&iter) && hash_from_text(bson_iter_utf8(&iter, NULL), digest_r) == 0)
        return hq_fail(reason, HQ_ENOTFOUND, "the body of the entry is in the store, under %s",
                       bson_iter_utf8(&iter, NULL));
    return hq_fail(reason, HQ_EFORMAT, "an entry whose body is neither bytes nor a digest");
}
