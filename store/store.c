#include "store/store.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/backend.h"

enum { DEPTH_MAX = 100 }; /* of documents within documents, as MongoDB has it */

const char *collection_name(hq_collection collection)
{
    static const char *const names[] = {"results", "partials", "plans", "queries", "datasets", "bodies"};
    return names[collection];
}

hq_error store_open(const char *address, int timeout_ms, int64_t keep_ms, hq_store **store_r, hq_reason *reason)
{
    hq_error error;
    *store_r = NULL;
    if (timeout_ms <= 0 || keep_ms <= 0)
        return hq_fail(reason, HQ_EINVAL, "store \"%s\": the timeout and the time to keep results must be above 0",
                       address);
    if (strncmp(address, "mongodb://", 10) == 0 || strncmp(address, "mongodb+srv://", 14) == 0)
        error = mongo_open(address, timeout_ms, store_r, reason);
    else if (strncmp(address, "sqlite:", 7) == 0 && address[7])
        error = sqlite_open(address + 7, timeout_ms, store_r, reason);
    else
        return hq_fail(reason, HQ_EINVAL,
                       "store \"%s\": it must look like mongodb://host:27017/hq, sqlite:/path/to/file or "
                       "sqlite::memory:",
                       address);
    if (error == HQ_OK) {
        (*store_r)->timeout_ms = timeout_ms;
        (*store_r)->keep_ms = keep_ms;
    }
    return error;
}

void store_close(hq_store **store_p)
{
    if (*store_p)
        (*store_p)->class->close(*store_p);
    *store_p = NULL;
}

hq_error store_prepare(hq_store *store, hq_reason *reason)
{
    return store->class->prepare(store, reason);
}

void store_found_bad(hq_store *store, const char *collection, const char *id, const char *why)
{
    store->bad_count++;
    hq_log(HQ_LOG_WARN, "store", "skipped %s of %s in the store: %s", id, collection, why);
}

uint64_t store_bad_count(const hq_store *store)
{
    return store->bad_count;
}

static int64_t expiry(const hq_store *store)
{
    return hq_wall_ms() + store->keep_ms;
}

/* What is wrong with a value at the iterator, or NULL. (bson_validate lets a string that is not UTF-8 pass.) */
static const char *value_fault(const bson_iter_t *at)
{
    uint32_t length;
    if (BSON_ITER_HOLDS_DOUBLE(at) && !isfinite(bson_iter_double(at)))
        return "holds NaN or infinity: such numbers belong into binary fields";
    if (BSON_ITER_HOLDS_UTF8(at)) {
        const char *text = bson_iter_utf8(at, &length);
        return bson_utf8_validate(text, length, false) ? NULL : "is not UTF-8";
    }
    return NULL;
}

/* The first fault of a document, with the key that has it; NULL if there is none. */
static const char *find_fault(const bson_t *document, int depth, const char **key_r)
{
    bson_iter_t at;
    if (!bson_iter_init(&at, document))
        return "is not BSON";
    while (bson_iter_next(&at)) {
        *key_r = bson_iter_key(&at);
        bson_t child;
        const uint8_t *bytes;
        uint32_t size;
        const char *fault = value_fault(&at);
        if (BSON_ITER_HOLDS_DOCUMENT(&at))
            bson_iter_document(&at, &size, &bytes);
        else if (BSON_ITER_HOLDS_ARRAY(&at))
            bson_iter_array(&at, &size, &bytes);
        else
            size = 0;
        if (size > 0 && depth == 0)
            fault = "is nested too deep";
        else if (size > 0 && !fault)
            fault = bson_init_static(&child, bytes, size) ? find_fault(&child, depth - 1, key_r) : "is not BSON";
        if (fault)
            return fault;
    }
    return NULL;
}

/* What one server takes and another refuses must show with every server. */
static hq_error check_document(hq_collection into, const char *what, const bson_t *document, hq_reason *reason)
{
    const char *advice = into == HQ_COLLECTION_RESULTS    ? ": fill fewer bins"
                         : into == HQ_COLLECTION_DATASETS ? ": globs name more files"
                                                          : "";
    bson_error_t error;
    const char *key = "";
    if (document->len > STORE_DOCUMENT_MAX)
        return hq_fail(reason, HQ_ELIMIT, "a %s of %u bytes is too large for the store, which takes %d%s", what,
                       document->len, STORE_DOCUMENT_MAX, advice);
    if (!bson_validate_with_error(document, BSON_VALIDATE_DOLLAR_KEYS | BSON_VALIDATE_DOT_KEYS, &error))
        return hq_fail(reason, HQ_EINVAL, "a %s is not what the store takes: %s", what, error.message);
    const char *fault = find_fault(document, DEPTH_MAX, &key);
    if (fault)
        return hq_fail(reason, HQ_EINVAL, "a %s is not what the store takes: \"%s\" %s", what, key, fault);
    return HQ_OK;
}

static bson_t *without_own_fields(const bson_t *document)
{
    bson_t *copy = bson_new();
    bson_copy_to_excluding_noinit(document, copy, "_id", "expires", "size", NULL);
    return copy;
}

static hq_error put_named(hq_store *store, hq_collection into, const char *key, const bson_t *document,
                          int64_t expires_ms, const char *what, hq_reason *reason)
{
    hq_error error = check_document(into, what, document, reason);
    if (error != HQ_OK)
        return error;
    bson_t *copy = without_own_fields(document);
    error = store->class->put(store, into, key, copy, expires_ms, reason);
    bson_destroy(copy);
    return error;
}

static hq_error put(hq_store *store, hq_collection into, const hq_hash *key, const bson_t *document, int64_t expires_ms,
                    const char *what, hq_reason *reason)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(key, text);
    return put_named(store, into, text, document, expires_ms, what, reason);
}

static hq_error get_named(hq_store *store, hq_collection from, const char *key, bson_t **document_r, hq_reason *reason)
{
    bson_t *found = NULL;
    *document_r = NULL;
    hq_error error = store->class->get(store, from, key, hq_wall_ms(), &found, reason);
    if (error != HQ_OK)
        return error;
    *document_r = without_own_fields(found);
    bson_destroy(found);
    return HQ_OK;
}

static hq_error get(hq_store *store, hq_collection from, const hq_hash *key, bson_t **document_r, hq_reason *reason)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(key, text);
    return get_named(store, from, text, document_r, reason);
}

hq_error store_get_result(hq_store *store, const hq_hash *fingerprint, bson_t **result_r, hq_reason *reason)
{
    return get(store, HQ_COLLECTION_RESULTS, fingerprint, result_r, reason);
}

hq_error store_put_result(hq_store *store, const hq_hash *fingerprint, const bson_t *result, hq_reason *reason)
{
    return put(store, HQ_COLLECTION_RESULTS, fingerprint, result, expiry(store), "result", reason);
}

hq_error store_get_journal(hq_store *store, const hq_hash *query, bson_t **document_r, hq_reason *reason)
{
    return get(store, HQ_COLLECTION_QUERIES, query, document_r, reason);
}

hq_error store_put_journal(hq_store *store, const hq_hash *query, const bson_t *document, hq_reason *reason)
{
    return put(store, HQ_COLLECTION_QUERIES, query, document, 0, "journal entry", reason);
}

hq_error store_put_dataset(hq_store *store, const char *name, const bson_t *document, hq_reason *reason)
{
    return put_named(store, HQ_COLLECTION_DATASETS, name, document, 0, "dataset", reason);
}

hq_error store_get_dataset(hq_store *store, const char *name, bson_t **document_r, hq_reason *reason)
{
    return get_named(store, HQ_COLLECTION_DATASETS, name, document_r, reason);
}

hq_error store_put_body(hq_store *store, const hq_hash *digest, const void *bytes, size_t size, hq_reason *reason)
{
    if (size > STORE_DOCUMENT_MAX)
        return hq_fail(reason, HQ_ELIMIT, "a request of %zu bytes is too large for the store, which takes %d", size,
                       STORE_DOCUMENT_MAX);
    bson_t *document = bson_new();
    BSON_APPEND_BINARY(document, "bytes", BSON_SUBTYPE_BINARY, bytes, (uint32_t)size);
    hq_error error = put(store, HQ_COLLECTION_BODIES, digest, document, expiry(store), "request", reason);
    bson_destroy(document);
    return error;
}

hq_error store_get_body(hq_store *store, const hq_hash *digest, hq_buffer *bytes_r, hq_reason *reason)
{
    bson_t *document = NULL;
    bson_iter_t at;
    bson_subtype_t subtype;
    uint32_t size;
    const uint8_t *bytes;
    hq_error error = get(store, HQ_COLLECTION_BODIES, digest, &document, reason);
    if (error)
        return error;
    if (bson_iter_init_find(&at, document, "bytes") && BSON_ITER_HOLDS_BINARY(&at)) {
        bson_iter_binary(&at, &subtype, &size, &bytes);
        buffer_append(bytes_r, bytes, size);
    } else {
        error = hq_fail(reason, HQ_EFORMAT, "a body in the store without its bytes");
    }
    bson_destroy(document);
    return error;
}

/* --- what there is --- */

typedef struct listing {
    hq_store_listed *each;
    void *context;
} listing;

/* Gives it on without what is the store's own, and without bins. */
static void give_listed(void *context, const hq_stored *stored)
{
    const listing *l = context;
    hq_stored given = *stored;
    bson_t document = BSON_INITIALIZER;
    bson_iter_t at;
    if (stored->document && bson_iter_init(&at, stored->document))
        while (bson_iter_next(&at)) {
            const char *key = bson_iter_key(&at);
            bool is_own = strcmp(key, "_id") == 0 || strcmp(key, "expires") == 0 || strcmp(key, "size") == 0;
            if (!is_own && !BSON_ITER_HOLDS_BINARY(&at))
                bson_append_iter(&document, key, -1, &at);
        }
    given.document = &document;
    l->each(l->context, &given);
    bson_destroy(&document);
}

hq_error store_list(hq_store *store, hq_collection from, size_t limit, hq_store_listed *each, void *context,
                    hq_reason *reason)
{
    listing l = {each, context};
    return store->class->list(store, from, hq_wall_ms(), limit, give_listed, &l, reason);
}

hq_error store_get_expiry(hq_store *store, hq_collection from, const char *id, int64_t *expires_ms_r, hq_reason *reason)
{
    *expires_ms_r = 0;
    return store->class->get_expiry(store, from, id, hq_wall_ms(), expires_ms_r, reason);
}

hq_error store_remove(hq_store *store, hq_collection from, const char *id, uint64_t *removed_r, hq_reason *reason)
{
    *removed_r = 0;
    return store->class->remove(store, from, id, removed_r, reason);
}

/* --- partials --- */

typedef struct pack_batch {
    hq_pack *packs;
    size_t count, capacity, bytes;
    int64_t now_ms, expires_ms;
} pack_batch;

static hq_error batch_insert(hq_store *store, pack_batch *full, hq_reason *reason)
{
    hq_error error = HQ_OK;
    if (full->count > 0)
        error = store->class->put_packs(store, full->packs, full->count, full->now_ms, full->expires_ms, reason);
    for (size_t i = 0; i < full->count; i++)
        buffer_clear(&full->packs[i].payload);
    full->count = full->bytes = 0;
    return error;
}

hq_error store_put_partials(hq_store *store, const hq_hash *program, const hq_partial *partials, size_t count,
                            hq_reason *reason)
{
    pack_batch filling = {.now_ms = hq_wall_ms(), .expires_ms = expiry(store)};
    hq_error error = HQ_OK;
    for (size_t at = 0; at < count && error == HQ_OK;) {
        HQ_GROW(filling.packs, filling.count, filling.capacity);
        hq_pack *pack = &filling.packs[filling.count];
        *pack = (hq_pack){.payload = {0}};
        size_t fitting = pack_fill(pack, program, partials + at, count - at);
        if (fitting == 0) {
            error = hq_fail(reason, HQ_ELIMIT,
                            "the histograms of one partition take %u bytes, too many for the store, which takes %d: "
                            "fill fewer bins",
                            partials[at].size, STORE_DOCUMENT_MAX);
            break;
        }
        at += fitting;
        filling.count++;
        filling.bytes += pack->payload.size;
        if (filling.bytes >= STORE_BATCH_SIZE)
            error = batch_insert(store, &filling, reason);
    }
    if (error == HQ_OK)
        error = batch_insert(store, &filling, reason);
    for (size_t i = 0; i < filling.count; i++)
        buffer_clear(&filling.packs[i].payload);
    free(filling.packs);
    return error;
}

typedef struct pack_reading {
    hq_store *store;
    hq_store_each *each;
    void *context;
} pack_reading;

static void read_pack(void *context, const char *id, const void *bytes, size_t size)
{
    pack_reading *reading = context;
    if (pack_read(bytes, size, reading->each, reading->context) != HQ_OK)
        store_found_bad(reading->store, "partials", id, "its bytes are not a pack of partials");
}

hq_error store_get_partials(hq_store *store, const hq_hash *program, hq_store_each *each, void *context,
                            hq_reason *reason)
{
    char text[HQ_HASH_TEXT];
    pack_reading reading = {store, each, context};
    hash_to_text(program, text);
    return store->class->each_pack(store, text, hq_wall_ms(), read_pack, &reading, reason);
}

/* --- plans --- */

/* How many go into one write: a server's answer to many is no slower than to one, but what it takes is bounded. */
static size_t count_plans(const hq_record *records, size_t count)
{
    size_t fitting = 1, size = records[0].size;
    while (fitting < count && fitting < STORE_PLAN_KEYS && size + records[fitting].size <= STORE_DOCUMENT_MAX)
        size += records[fitting++].size;
    return fitting;
}

hq_error store_put_plans(hq_store *store, const hq_record *records, size_t count, hq_reason *reason)
{
    int64_t expires_ms = expiry(store);
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count; i++)
        if (records[i].size > STORE_DOCUMENT_MAX)
            return hq_fail(reason, HQ_ELIMIT,
                           "the plan of a file takes %u bytes, too many for the store, which takes %d", records[i].size,
                           STORE_DOCUMENT_MAX);
    for (size_t at = 0, fitting; at < count && !error; at += fitting) {
        fitting = count_plans(records + at, count - at);
        error = store->class->put_plans(store, records + at, fitting, expires_ms, reason);
    }
    return error;
}

hq_error store_get_plans(hq_store *store, const hq_hash *keys, size_t count, hq_store_plan *each, void *context,
                         hq_reason *reason)
{
    hq_error error = HQ_OK;
    for (size_t at = 0; at < count && !error; at += STORE_PLAN_KEYS) {
        size_t asked = count - at < STORE_PLAN_KEYS ? count - at : STORE_PLAN_KEYS;
        error = store->class->get_plans(store, keys + at, asked, hq_wall_ms(), each, context, reason);
    }
    return error;
}

hq_error store_sweep(hq_store *store, uint64_t *removed_r, hq_reason *reason)
{
    *removed_r = 0;
    return store->class->sweep(store, hq_wall_ms(), removed_r, reason);
}

hq_error store_flush(hq_store *store, hq_reason *reason)
{
    return store->class->flush(store, reason);
}
