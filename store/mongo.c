/* MongoDB, by its C driver: one client without threads of its own, as a store is used by one thread at a time.
 *
 * results:  _id (fingerprint), the caller's fields, expires
 * partials: _id (see pack.c), program, expires, bytes
 * plans:    _id (the record's key), expires, bytes
 * queries:  _id (the query's id), the caller's fields
 * datasets: _id (the name), the caller's fields
 * bodies:   _id (the digest), expires, bytes
 *
 * size, in each that is written as a whole, is how many bytes it is: a listing leaves out what is large.
 */
#include <mongoc/mongoc.h>

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/backend.h"

enum { DUPLICATE_KEY = 11000, BAD_VALUE = 2, TOO_LARGE = 10334, TOO_LARGE_TOO = 17280 };

typedef struct mongo_store {
    hq_store base;
    mongoc_client_t *client;
    char *database;
    char *where; /* host:port,…/database, without whatever secret the address holds */
} mongo_store;

/* --- errors --- */

/* The server was going away, or is not the primary any more: what it was asked to do may have been begun. */
static bool is_passing(uint32_t code)
{
    static const uint32_t codes[] = {6, 7, 64, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static hq_error fail(const mongo_store *store, const bson_error_t *error, bool is_write, const char *what,
                     hq_reason *reason)
{
    hq_error broken = is_write ? HQ_EUNCERTAIN : HQ_EUNAVAILABLE;
    switch (error->domain) {
    case MONGOC_ERROR_SERVER_SELECTION:
    case MONGOC_ERROR_CLIENT: /* no right to log in, among others */
        return hq_fail(reason, HQ_EUNAVAILABLE, "MongoDB at %s cannot be reached: %s", store->where, error->message);
    case MONGOC_ERROR_STREAM:
    case MONGOC_ERROR_PROTOCOL:
    case MONGOC_ERROR_WRITE_CONCERN:
        return hq_fail(reason, broken, "MongoDB at %s did not answer while %s: %s", store->where, what, error->message);
    case MONGOC_ERROR_BSON:
        return hq_fail(reason, HQ_EFORMAT, "MongoDB at %s, while %s: %s", store->where, what, error->message);
    default:
        break;
    }
    if (is_passing(error->code))
        return hq_fail(reason, broken, "MongoDB at %s is going away or changing its primary while %s: %s", store->where,
                       what, error->message);
    if (error->code == TOO_LARGE || error->code == TOO_LARGE_TOO)
        return hq_fail(reason, HQ_ELIMIT, "MongoDB at %s, while %s: %s", store->where, what, error->message);
    return hq_fail(reason, HQ_EIO, "MongoDB at %s refused %s: %s (%u)", store->where, what, error->message,
                   error->code);
}

static void on_log(mongoc_log_level_t level, const char *domain, const char *message, void *context)
{
    (void)context;
    hq_log(level <= MONGOC_LOG_LEVEL_WARNING ? HQ_LOG_INFO : HQ_LOG_DEBUG, "store", "%s: %s", domain, message);
}

/* --- writing --- */

static void set_write_concern(mongo_store *store, bool journal)
{
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(concern, store->base.timeout_ms);
    if (journal)
        mongoc_write_concern_set_journal(concern, true);
    mongoc_client_set_write_concern(store->client, concern);
    mongoc_write_concern_destroy(concern);
}

/* One write to one collection; replies into reply_r, which the caller has not initialised. */
typedef bool write_function(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error);

static hq_error write_once(mongo_store *store, const char *name, write_function *write, void *args, const char *what,
                           bson_error_t *error, hq_reason *reason)
{
    bson_t reply;
    mongoc_collection_t *collection = mongoc_client_get_collection(store->client, store->database, name);
    bool is_done = write(collection, args, &reply, error);
    bson_destroy(&reply);
    mongoc_collection_destroy(collection);
    return is_done ? HQ_OK : fail(store, error, true, what, reason);
}

static hq_error write_to(mongo_store *store, const char *name, write_function *write, void *args, const char *what,
                         bson_error_t *error, hq_reason *reason)
{
    hq_error result = write_once(store, name, write, args, what, error, reason);
    if (result == HQ_EIO && error->code == BAD_VALUE && strstr(error->message, "journal")) {
        hq_log(HQ_LOG_WARN, "store", "MongoDB at %s keeps no journal: it may lose what it has acknowledged",
               store->where);
        set_write_concern(store, false);
        result = write_once(store, name, write, args, what, error, reason);
    }
    return result;
}

typedef struct mongo_replacement {
    const bson_t *selector, *document;
} mongo_replacement;

static bool write_replacement(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error)
{
    const mongo_replacement *replacement = args;
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(true));
    bool is_done = mongoc_collection_replace_one(collection, replacement->selector, replacement->document, options,
                                                 reply_r, error);
    bson_destroy(options);
    return is_done;
}

static hq_error mongo_put(hq_store *base, hq_collection into, const char *key, const bson_t *document,
                          int64_t expires_ms, hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    bson_error_t error;
    bson_t *selector = BCON_NEW("_id", BCON_UTF8(key)), *whole = BCON_NEW("_id", BCON_UTF8(key));
    bson_concat(whole, document);
    BSON_APPEND_INT64(whole, "size", document->len);
    if (expires_ms)
        BSON_APPEND_DATE_TIME(whole, "expires", expires_ms);
    mongo_replacement replacement = {selector, whole};
    hq_error result = write_to(store, collection_name(into), write_replacement, &replacement, "writing a document",
                               &error, reason);
    /* Two upserts of a new key at once: one of them inserts, the other replaces when it is made again. */
    if (result == HQ_EIO && error.code == DUPLICATE_KEY)
        result = write_to(store, collection_name(into), write_replacement, &replacement, "writing a document", &error,
                          reason);
    bson_destroy(whole);
    bson_destroy(selector);
    return result;
}

typedef struct mongo_insertion {
    const bson_t **documents;
    size_t count;
    bool had_duplicates;
} mongo_insertion;

/* Whether duplicates are all that was refused, and nothing else went wrong. */
static bool only_duplicates(const bson_t *reply, const bson_error_t *error)
{
    bson_iter_t at, each, code;
    if (error->domain != MONGOC_ERROR_SERVER && error->domain != MONGOC_ERROR_COLLECTION)
        return false;
    if (bson_iter_init_find(&at, reply, "writeConcernErrors"))
        return false;
    if (!bson_iter_init_find(&at, reply, "writeErrors") || !bson_iter_recurse(&at, &each))
        return false;
    bool is_any = false;
    while (bson_iter_next(&each)) {
        is_any = true;
        if (!bson_iter_recurse(&each, &code) || !bson_iter_find(&code, "code") ||
            bson_iter_as_int64(&code) != DUPLICATE_KEY)
            return false;
    }
    return is_any;
}

static bool write_insertion(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error)
{
    mongo_insertion *insertion = args;
    bson_t *options = BCON_NEW("ordered", BCON_BOOL(false));
    insertion->had_duplicates = false;
    bool is_done = mongoc_collection_insert_many(collection, insertion->documents, insertion->count, options, reply_r,
                                                 error);
    if (!is_done && only_duplicates(reply_r, error))
        is_done = insertion->had_duplicates = true;
    bson_destroy(options);
    return is_done;
}

static bool write_deletion(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error)
{
    return mongoc_collection_delete_many(collection, args, NULL, reply_r, error);
}

static hq_error insert(mongo_store *store, mongo_insertion *insertion, const char *program, int64_t now_ms,
                       hq_reason *reason)
{
    bson_error_t error;
    hq_error result = write_to(store, "partials", write_insertion, insertion, "writing partials", &error, reason);
    if (result != HQ_OK || !insertion->had_duplicates)
        return result;
    /* What stood in the way may have expired without having been swept: then it must give way. */
    bson_t *expired = BCON_NEW("program", BCON_UTF8(program), "expires", "{", "$lte", BCON_DATE_TIME(now_ms), "}");
    result = write_to(store, "partials", write_deletion, expired, "writing partials", &error, reason);
    bson_destroy(expired);
    if (result == HQ_OK)
        result = write_to(store, "partials", write_insertion, insertion, "writing partials", &error, reason);
    return result;
}

static hq_error mongo_put_packs(hq_store *base, const hq_pack *packs, size_t count, int64_t now_ms, int64_t expires_ms,
                                hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    bson_t **documents = hq_calloc(count, sizeof *documents);
    for (size_t i = 0; i < count; i++) {
        documents[i] = BCON_NEW("_id", BCON_UTF8(packs[i].id), "program", BCON_UTF8(packs[i].program), "expires",
                                BCON_DATE_TIME(expires_ms), "size", BCON_INT64((int64_t)packs[i].payload.size));
        BSON_APPEND_BINARY(documents[i], "bytes", BSON_SUBTYPE_BINARY, packs[i].payload.bytes,
                           (uint32_t)packs[i].payload.size);
    }
    mongo_insertion insertion = {(const bson_t **)documents, count, false};
    hq_error result = insert(store, &insertion, packs[0].program, now_ms, reason);
    for (size_t i = 0; i < count; i++)
        bson_destroy(documents[i]);
    free(documents);
    return result;
}

/* --- reading --- */

static bool is_expired(const bson_t *document, int64_t now_ms)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, document, "expires") && BSON_ITER_HOLDS_DATE_TIME(&at) &&
           bson_iter_date_time(&at) <= now_ms;
}

/* The document of that key, as options say. */
static hq_error find_one(mongo_store *store, hq_collection from, const char *key, int64_t now_ms, const bson_t *options,
                         bson_t **document_r, hq_reason *reason)
{
    mongoc_collection_t *collection = mongoc_client_get_collection(store->client, store->database,
                                                                   collection_name(from));
    bson_t *selector = BCON_NEW("_id", BCON_UTF8(key));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, selector, options, NULL);
    const bson_t *document;
    bson_error_t error;
    hq_error result = HQ_OK;
    if (mongoc_cursor_next(cursor, &document) && !is_expired(document, now_ms))
        *document_r = bson_copy(document);
    else if (mongoc_cursor_error(cursor, &error))
        result = fail(store, &error, false, "reading a document", reason);
    else
        result = hq_fail(reason, HQ_ENOTFOUND, "no %s in %s of %s", key, collection_name(from), store->where);
    mongoc_cursor_destroy(cursor);
    bson_destroy(selector);
    mongoc_collection_destroy(collection);
    return result;
}

static hq_error mongo_get(hq_store *base, hq_collection from, const char *key, int64_t now_ms, bson_t **document_r,
                          hq_reason *reason)
{
    bson_t *options = BCON_NEW("limit", BCON_INT64(1));
    hq_error error = find_one((mongo_store *)base, from, key, now_ms, options, document_r, reason);
    bson_destroy(options);
    return error;
}

static hq_error mongo_get_expiry(hq_store *base, hq_collection from, const char *id, int64_t now_ms,
                                 int64_t *expires_ms_r, hq_reason *reason)
{
    bson_t *options = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "expires", BCON_INT32(1), "}");
    bson_t *document = NULL;
    bson_iter_t at;
    hq_error error = find_one((mongo_store *)base, from, id, now_ms, options, &document, reason);
    if (!error && bson_iter_init_find(&at, document, "expires") && BSON_ITER_HOLDS_DATE_TIME(&at))
        *expires_ms_r = bson_iter_date_time(&at);
    if (document)
        bson_destroy(document);
    bson_destroy(options);
    return error;
}

/* Whatever wrote it: only a string _id and a binary field make a pack. */
static void give_pack(mongo_store *store, const bson_t *document, hq_pack_each *each, void *context)
{
    bson_iter_t at;
    bson_subtype_t subtype;
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    const char *id = "?";
    if (bson_iter_init_find(&at, document, "_id") && BSON_ITER_HOLDS_UTF8(&at))
        id = bson_iter_utf8(&at, NULL);
    if (bson_iter_init_find(&at, document, "bytes") && BSON_ITER_HOLDS_BINARY(&at)) {
        bson_iter_binary(&at, &subtype, &size, &bytes);
        each(context, id, bytes, size);
    } else {
        store_found_bad(&store->base, "partials", id, "it has no binary field \"bytes\"");
    }
}

static hq_error mongo_each_pack(hq_store *base, const char *program, int64_t now_ms, hq_pack_each *each, void *context,
                                hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    mongoc_collection_t *collection = mongoc_client_get_collection(store->client, store->database, "partials");
    bson_t *selector = BCON_NEW("program", BCON_UTF8(program));
    /* Not every server ends an answer before it is longer than a message may be: two packs of any size fit into one. */
    bson_t *options = BCON_NEW("batchSize", BCON_INT32(2));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, selector, options, NULL);
    const bson_t *document;
    bson_error_t error;
    hq_error result = HQ_OK;
    while (mongoc_cursor_next(cursor, &document))
        if (!is_expired(document, now_ms))
            give_pack(store, document, each, context);
    if (mongoc_cursor_error(cursor, &error))
        result = fail(store, &error, false, "reading partials", reason);
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(selector);
    mongoc_collection_destroy(collection);
    return result;
}

/* --- plans --- */

typedef struct mongo_plans {
    const hq_record *records;
    size_t count;
    int64_t expires_ms;
} mongo_plans;

static bool write_plans(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error)
{
    const mongo_plans *plans = args;
    bson_t *unordered = BCON_NEW("ordered", BCON_BOOL(false)), *upsert = BCON_NEW("upsert", BCON_BOOL(true));
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(collection, unordered);
    bool is_done = true;
    for (size_t i = 0; i < plans->count && is_done; i++) {
        char id[HQ_HASH_TEXT];
        hash_to_text(&plans->records[i].key, id);
        bson_t *selector = BCON_NEW("_id", BCON_UTF8(id));
        bson_t *document = BCON_NEW("_id", BCON_UTF8(id), "expires", BCON_DATE_TIME(plans->expires_ms), "size",
                                    BCON_INT64((int64_t)plans->records[i].size));
        BSON_APPEND_BINARY(document, "bytes", BSON_SUBTYPE_BINARY, plans->records[i].bytes, plans->records[i].size);
        is_done = mongoc_bulk_operation_replace_one_with_opts(bulk, selector, document, upsert, error);
        bson_destroy(document);
        bson_destroy(selector);
    }
    if (is_done)
        is_done = mongoc_bulk_operation_execute(bulk, reply_r, error) != 0;
    else
        bson_init(reply_r);
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(upsert);
    bson_destroy(unordered);
    return is_done;
}

static hq_error mongo_put_plans(hq_store *base, const hq_record *records, size_t count, int64_t expires_ms,
                                hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    mongo_plans plans = {records, count, expires_ms};
    bson_error_t error;
    hq_error result = write_to(store, "plans", write_plans, &plans, "writing plans", &error, reason);
    if (result == HQ_EIO && error.code == DUPLICATE_KEY) /* as in mongo_put */
        result = write_to(store, "plans", write_plans, &plans, "writing plans", &error, reason);
    return result;
}

/* Whatever wrote it: only a key that was asked for and a binary field make a record. */
static void give_plan(mongo_store *store, const bson_t *document, hq_store_plan *each, void *context)
{
    bson_iter_t at;
    bson_subtype_t subtype;
    hq_record record = {.bytes = NULL};
    const char *id = "?";
    if (bson_iter_init_find(&at, document, "_id") && BSON_ITER_HOLDS_UTF8(&at))
        id = bson_iter_utf8(&at, NULL);
    if (hash_from_text(id, &record.key) == 0 && bson_iter_init_find(&at, document, "bytes") &&
        BSON_ITER_HOLDS_BINARY(&at)) {
        const uint8_t *bytes;
        bson_iter_binary(&at, &subtype, &record.size, &bytes);
        record.bytes = bytes;
        each(context, &record);
    } else {
        store_found_bad(&store->base, "plans", id, "it has no binary field \"bytes\"");
    }
}

static hq_error mongo_get_plans(hq_store *base, const hq_hash *keys, size_t count, int64_t now_ms, hq_store_plan *each,
                                void *context, hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    mongoc_collection_t *collection = mongoc_client_get_collection(store->client, store->database, "plans");
    bson_t selector = BSON_INITIALIZER, among, ids;
    BSON_APPEND_DOCUMENT_BEGIN(&selector, "_id", &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &ids);
    for (size_t i = 0; i < count; i++) {
        char id[HQ_HASH_TEXT], buffer[16];
        const char *place;
        hash_to_text(&keys[i], id);
        bson_uint32_to_string((uint32_t)i, &place, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&ids, place, id);
    }
    bson_append_array_end(&among, &ids);
    bson_append_document_end(&selector, &among);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &selector, NULL, NULL);
    const bson_t *document;
    bson_error_t error;
    hq_error result = HQ_OK;
    while (mongoc_cursor_next(cursor, &document))
        if (!is_expired(document, now_ms))
            give_plan(store, document, each, context);
    if (mongoc_cursor_error(cursor, &error))
        result = fail(store, &error, false, "reading plans", reason);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&selector);
    mongoc_collection_destroy(collection);
    return result;
}

/* --- what there is --- */

static int64_t number_of(const bson_t *document, const char *key)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, document, key))
        return 0;
    if (BSON_ITER_HOLDS_DATE_TIME(&at))
        return bson_iter_date_time(&at);
    return BSON_ITER_HOLDS_INT64(&at) ? bson_iter_int64(&at) : 0;
}

static void give_document(mongo_store *store, hq_collection from, const bson_t *document, hq_store_listed *each,
                          void *context)
{
    bson_iter_t at;
    bool is_pack = from == HQ_COLLECTION_PARTIALS;
    if (!bson_iter_init_find(&at, document, is_pack ? "program" : "_id") || !BSON_ITER_HOLDS_UTF8(&at)) {
        store_found_bad(&store->base, collection_name(from), "?", "its key is no text");
        return;
    }
    hq_stored stored = {.id = bson_iter_utf8(&at, NULL),
                        .document = is_pack || from == HQ_COLLECTION_PLANS ? NULL : document,
                        .expires_ms = number_of(document, "expires"),
                        .bytes = number_of(document, "size")};
    each(context, &stored);
}

/* The sort keys are indexed: the newest result is the one that expires last. */
static bson_t *listing_options(hq_collection from, size_t limit)
{
    static const struct {
        const char *key;
        int32_t direction;
    } sorts[] = {
        [HQ_COLLECTION_RESULTS] = {"expires", -1},
        [HQ_COLLECTION_QUERIES] = {"submitted", -1},
        [HQ_COLLECTION_DATASETS] = {"_id", 1},
        [HQ_COLLECTION_BODIES] = {"expires", -1},
    };
    bson_t *options = BCON_NEW("projection", "{", from == HQ_COLLECTION_RESULTS ? "hists" : "bytes", BCON_INT32(0),
                               "}");
    if (from != HQ_COLLECTION_PARTIALS && from != HQ_COLLECTION_PLANS)
        BCON_APPEND(options, "sort", "{", sorts[from].key, BCON_INT32(sorts[from].direction), "}");
    if (limit)
        BSON_APPEND_INT64(options, "limit", limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    return options;
}

static hq_error mongo_list(hq_store *base, hq_collection from, int64_t now_ms, size_t limit, hq_store_listed *each,
                           void *context, hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    mongoc_collection_t *collection = mongoc_client_get_collection(store->client, store->database,
                                                                   collection_name(from));
    bson_t all = BSON_INITIALIZER, *options = listing_options(from, limit);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &all, options, NULL);
    const bson_t *document;
    bson_error_t error;
    hq_error result = HQ_OK;
    while (mongoc_cursor_next(cursor, &document))
        if (!is_expired(document, now_ms))
            give_document(store, from, document, each, context);
    if (mongoc_cursor_error(cursor, &error))
        result = fail(store, &error, false, "listing", reason);
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(&all);
    mongoc_collection_destroy(collection);
    return result;
}

/* --- indexes, sweeping --- */

static bool make_index(mongo_store *store, const char *collection, const char *key, bool expires, bson_error_t *error)
{
    mongoc_database_t *database = mongoc_client_get_database(store->client, store->database);
    bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(collection));
    bson_t indexes, index;
    BSON_APPEND_ARRAY_BEGIN(command, "indexes", &indexes);
    BSON_APPEND_DOCUMENT_BEGIN(&indexes, "0", &index);
    bson_t *keys = BCON_NEW(key, BCON_INT32(1));
    BSON_APPEND_DOCUMENT(&index, "key", keys);
    BSON_APPEND_UTF8(&index, "name", key);
    if (expires)
        BSON_APPEND_INT32(&index, "expireAfterSeconds", 0);
    bson_append_document_end(&indexes, &index);
    bson_append_array_end(command, &indexes);
    bool is_done = mongoc_database_write_command_with_opts(database, command, NULL, NULL, error);
    bson_destroy(keys);
    bson_destroy(command);
    mongoc_database_destroy(database);
    return is_done;
}

static hq_error make_expiry_index(mongo_store *store, const char *collection, hq_reason *reason)
{
    bson_error_t error;
    if (make_index(store, collection, "expires", true, &error))
        return HQ_OK;
    hq_error result = fail(store, &error, false, "making an index", reason);
    if (result == HQ_EUNAVAILABLE)
        return result;
    hq_log(HQ_LOG_INFO, "store", "MongoDB at %s will not remove what expires by itself (%s); the sweep does",
           store->where, error.message);
    if (!make_index(store, collection, "expires", false, &error))
        return fail(store, &error, false, "making an index", reason);
    return HQ_OK;
}

static hq_error mongo_prepare(hq_store *base, hq_reason *reason)
{
    mongo_store *store = (mongo_store *)base;
    bson_error_t error;
    hq_error result = make_expiry_index(store, "results", reason);
    if (result == HQ_OK)
        result = make_expiry_index(store, "partials", reason);
    if (result == HQ_OK)
        result = make_expiry_index(store, "plans", reason);
    if (result == HQ_OK)
        result = make_expiry_index(store, "bodies", reason);
    if (result == HQ_OK && (!make_index(store, "partials", "program", false, &error) ||
                            !make_index(store, "queries", "submitted", false, &error)))
        result = fail(store, &error, false, "making an index", reason);
    return result;
}

typedef struct mongo_deletion {
    const bson_t *selector;
    uint64_t removed;
} mongo_deletion;

static bool write_counted_deletion(mongoc_collection_t *collection, void *args, bson_t *reply_r, bson_error_t *error)
{
    mongo_deletion *deletion = args;
    bson_iter_t at;
    bool is_done = mongoc_collection_delete_many(collection, deletion->selector, NULL, reply_r, error);
    if (is_done && bson_iter_init_find(&at, reply_r, "deletedCount"))
        deletion->removed += (uint64_t)bson_iter_as_int64(&at);
    return is_done;
}

static hq_error delete_all(mongo_store *store, const bson_t *selector, uint64_t *removed_r, const char *what,
                           hq_reason *reason)
{
    bson_error_t error;
    mongo_deletion deletion = {selector, 0};
    hq_error result = write_to(store, "results", write_counted_deletion, &deletion, what, &error, reason);
    if (result == HQ_OK)
        result = write_to(store, "partials", write_counted_deletion, &deletion, what, &error, reason);
    if (result == HQ_OK)
        result = write_to(store, "plans", write_counted_deletion, &deletion, what, &error, reason);
    *removed_r = deletion.removed;
    return result;
}

static hq_error mongo_remove(hq_store *base, hq_collection from, const char *id, uint64_t *removed_r, hq_reason *reason)
{
    bson_error_t error;
    bson_t *selector = bson_new();
    if (id)
        BSON_APPEND_UTF8(selector, from == HQ_COLLECTION_PARTIALS ? "program" : "_id", id);
    mongo_deletion deletion = {selector, 0};
    hq_error result = write_to((mongo_store *)base, collection_name(from), write_counted_deletion, &deletion,
                               "removing", &error, reason);
    *removed_r = deletion.removed;
    bson_destroy(selector);
    return result;
}

static hq_error mongo_sweep(hq_store *base, int64_t now_ms, uint64_t *removed_r, hq_reason *reason)
{
    bson_t *selector = BCON_NEW("expires", "{", "$lte", BCON_DATE_TIME(now_ms), "}");
    bson_error_t error;
    mongo_deletion bodies = {selector, 0};
    hq_error result = delete_all((mongo_store *)base, selector, removed_r, "sweeping", reason);
    if (result == HQ_OK)
        result = write_to((mongo_store *)base, "bodies", write_counted_deletion, &bodies, "sweeping", &error, reason);
    *removed_r += bodies.removed;
    bson_destroy(selector);
    return result;
}

static hq_error mongo_flush(hq_store *base, hq_reason *reason)
{
    uint64_t removed;
    bson_t *selector = bson_new();
    hq_error result = delete_all((mongo_store *)base, selector, &removed, "flushing", reason);
    bson_destroy(selector);
    return result;
}

/* --- opening --- */

static void mongo_close(hq_store *base)
{
    mongo_store *store = (mongo_store *)base;
    if (store->client)
        mongoc_client_destroy(store->client);
    free(store->database);
    free(store->where);
    free(store);
}

/* What the address sets itself stands. A call may first have to find the server and then to wait for its answer: each
 * gets half of the time. */
static void set_timeouts(mongoc_uri_t *uri, int timeout_ms)
{
    static const char *const names[] = {MONGOC_URI_SERVERSELECTIONTIMEOUTMS, MONGOC_URI_CONNECTTIMEOUTMS,
                                        MONGOC_URI_SOCKETTIMEOUTMS};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!mongoc_uri_has_option(uri, names[i]))
            mongoc_uri_set_option_as_int32(uri, names[i], timeout_ms > 1 ? timeout_ms / 2 : 1);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_SERVERSELECTIONTRYONCE))
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
}

static char *describe(const mongoc_uri_t *uri, const char *database)
{
    char *hosts = hq_strdup("");
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
    for (const mongoc_host_list_t *at = host; at; at = at->next) {
        char *longer = hq_format("%s%s%s", hosts, at == host ? "" : ",", at->host_and_port);
        free(hosts);
        hosts = longer;
    }
    char *where = hq_format("%s/%s", hosts, database);
    free(hosts);
    return where;
}

hq_error mongo_open(const char *address, int timeout_ms, hq_store **store_r, hq_reason *reason)
{
    static const hq_store_class class = {
        mongo_close,     mongo_prepare,   mongo_get,       mongo_put,  mongo_put_packs,
        mongo_each_pack, mongo_put_plans, mongo_get_plans, mongo_list, mongo_get_expiry,
        mongo_remove,    mongo_sweep,     mongo_flush,
    };
    bson_error_t error;
    mongoc_init(); /* both may be called again and again, from any thread */
    mongoc_log_set_handler(on_log, NULL);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(address, &error);
    if (!uri) /* the address is not repeated here: it may hold a password */
        return hq_fail(reason, HQ_EINVAL, "the store's MongoDB address cannot be understood: %s", error.message);
    mongo_store *store = hq_calloc(1, sizeof *store);
    store->base = (hq_store){.class = &class, .timeout_ms = timeout_ms};
    store->database = hq_strdup(mongoc_uri_get_database(uri) ? mongoc_uri_get_database(uri) : "hq");
    store->where = describe(uri, store->database);
    set_timeouts(uri, timeout_ms);
    store->client = mongoc_client_new_from_uri_with_error(uri, &error);
    mongoc_uri_destroy(uri);
    if (!store->client) {
        hq_error result = hq_fail(reason, HQ_EINVAL, "no MongoDB client for %s: %s", store->where, error.message);
        mongo_close(&store->base);
        return result;
    }
    mongoc_client_set_error_api(store->client, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_set_appname(store->client, "hq");
    set_write_concern(store, true);
    *store_r = &store->base;
    return HQ_OK;
}
