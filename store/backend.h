/* store/backend.h - within store: what MongoDB and SQLite each have to do, and the packing of partials.
 *
 * store.c checks what comes from the caller, adds times and unpacks; a backend moves documents and packs.
 */
#ifndef HQ_STORE_BACKEND_H
#define HQ_STORE_BACKEND_H

#include <stdbool.h>

#include "base/buffer.h"
#include "store/store.h"

enum {
    STORE_DOCUMENT_MAX = 16 * 1024 * 1024 - 16 * 1024, /* MongoDB's limit, less what hq adds */
    STORE_PACK_SIZE = 4 * 1024 * 1024,                 /* what a pack is filled up to */
    STORE_BATCH_SIZE = 32 * 1024 * 1024,               /* of packs that are inserted at once */
    STORE_PLAN_KEYS = 256                              /* of plans that are asked for, or written, at once */
};

/* Partials of one program in one document. The same partials in the same order give the same id. */
typedef struct hq_pack {
    char id[HQ_HASH_TEXT], program[HQ_HASH_TEXT];
    hq_buffer payload;
} hq_pack;

typedef void hq_pack_each(void *context, const char *id, const void *bytes, size_t size);

typedef struct hq_store_class {
    void (*close)(hq_store *store);
    hq_error (*prepare)(hq_store *store, hq_reason *reason);
    /* What expired before now_ms is not found. The document may hold _id and expires. */
    hq_error (*get)(hq_store *store, hq_collection from, const char *key, int64_t now_ms, bson_t **document_r,
                    hq_reason *reason);
    /* The document holds neither; expires_ms 0 is never. */
    hq_error (*put)(hq_store *store, hq_collection into, const char *key, const bson_t *document, int64_t expires_ms,
                    hq_reason *reason);
    hq_error (*put_packs)(hq_store *store, const hq_pack *packs, size_t count, int64_t now_ms, int64_t expires_ms,
                          hq_reason *reason);
    hq_error (*each_pack)(hq_store *store, const char *program, int64_t now_ms, hq_pack_each *each, void *context,
                          hq_reason *reason);
    /* Up to STORE_PLAN_KEYS of them. */
    hq_error (*put_plans)(hq_store *store, const hq_record *records, size_t count, int64_t expires_ms,
                          hq_reason *reason);
    hq_error (*get_plans)(hq_store *store, const hq_hash *keys, size_t count, int64_t now_ms, hq_store_plan *each,
                          void *context, hq_reason *reason);
    /* The documents given may hold _id, expires, size and binary fields. */
    hq_error (*list)(hq_store *store, hq_collection from, int64_t now_ms, size_t limit, hq_store_listed *each,
                     void *context, hq_reason *reason);
    hq_error (*get_expiry)(hq_store *store, hq_collection from, const char *id, int64_t now_ms, int64_t *expires_ms_r,
                           hq_reason *reason);
    hq_error (*remove)(hq_store *store, hq_collection from, const char *id, uint64_t *removed_r, hq_reason *reason);
    hq_error (*sweep)(hq_store *store, int64_t now_ms, uint64_t *removed_r, hq_reason *reason);
    hq_error (*flush)(hq_store *store, hq_reason *reason);
} hq_store_class;

/* The head of each backend's own struct. */
struct hq_store {
    const hq_store_class *class;
    int timeout_ms;
    int64_t keep_ms;
    uint64_t bad_count;
};

hq_error mongo_open(const char *address, int timeout_ms, hq_store **store_r, hq_reason *reason);
hq_error sqlite_open(const char *path, int timeout_ms, hq_store **store_r, hq_reason *reason);

/* Logs a document that is not what hq writes, and counts it. */
void store_found_bad(hq_store *store, const char *collection, const char *id, const char *why);

/* Packs as many of the partials as fit, beginning with the first, and gives back how many: 0 if not even the first
 * fits into a document. */
size_t pack_fill(hq_pack *pack, const hq_hash *program, const hq_partial *partials, size_t count);
/* Calls each for every partial in the bytes; HQ_EFORMAT, and no call, if they are not a whole pack. */
hq_error pack_read(const void *bytes, size_t size, hq_store_each *each, void *context);

#endif
