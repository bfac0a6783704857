/* store/store.h - results, partials, plans, the journal and named datasets, kept for days: MongoDB, or SQLite for one
 * machine.
 *
 * Every call blocks until the server has answered, so a daemon makes them from a thread of its own; a store is used by
 * one thread at a time, and threads that are to read side by side open one each. A write is an idempotent upsert by
 * key, or an insert whose duplicate counts as done: one that ended HQ_EUNCERTAIN (it may or may not have happened) is
 * made again. HQ_EUNAVAILABLE: nothing happened, the server cannot be reached. Documents are BSON as docs/protocol.md
 * describes them. Asked of a server is only what every MongoDB-protocol server does right: insert, find by one _id or
 * several or by equality, replace by _id, delete by filter, plain and TTL indexes.
 */
#ifndef HQ_STORE_STORE_H
#define HQ_STORE_STORE_H

#include <bson/bson.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/record.h"

typedef struct hq_store hq_store;

/* "mongodb://host:port/…[/database]" (database hq if none), "sqlite:/path/to/file" (made when missing, with its
 * directory) or "sqlite::memory:", which nobody else sees. timeout_ms bounds every later call. Does not wait for a
 * MongoDB server to be there. keep_ms is how long results, partials, plans and bodies are
 * kept. HQ_EINVAL for an address that
 * cannot be understood. */
hq_error store_open(const char *address, int timeout_ms, int64_t keep_ms, hq_store **store_r, hq_reason *reason);
void store_close(hq_store **store_p);

/* Creates the indexes, and tells whether the server is there. */
hq_error store_prepare(hq_store *store, hq_reason *reason);

/* A result by its fingerprint. HQ_ENOTFOUND if there is none, or it has expired. The caller destroys the document. */
hq_error store_get_result(hq_store *store, const hq_hash *fingerprint, bson_t **result_r, hq_reason *reason);
/* Replaces or inserts; the store adds _id and expires, and takes them off again. HQ_ELIMIT for one of more than some
 * 16 MB; HQ_EINVAL for one that not every server takes: a key with a dot or a leading '$', a NaN or an infinity that is
 * not within a binary field. */
hq_error store_put_result(hq_store *store, const hq_hash *fingerprint, const bson_t *result, hq_reason *reason);

/* One computed subtask: the partition it belongs to, its entries and its histograms' contents (histset_encode). */
typedef struct hq_partial {
    hq_hash partition;
    uint64_t entries;
    const void *bytes;
    uint32_t size;
} hq_partial;

/* Packs the partials of one query (the program's fingerprint) into as few documents as their size allows and inserts
 * them. Safe to call again with the same ones. HQ_ELIMIT if one has more than some 16 MB. */
hq_error store_put_partials(hq_store *store, const hq_hash *program, const hq_partial *partials, size_t count,
                            hq_reason *reason);
/* Calls each for every partial of that program; one may come more than once. partial is valid during the call only. */
typedef void hq_store_each(void *context, const hq_partial *partial);
hq_error store_get_partials(hq_store *store, const hq_hash *program, hq_store_each *each, void *context,
                            hq_reason *reason);

/* What planners know of files (data/shelf.h): bytes under keys of theirs, each at most some 16 MB, else HQ_ELIMIT. One
 * that is there already is replaced, and its time begins anew. */
hq_error store_put_plans(hq_store *store, const hq_record *records, size_t count, hq_reason *reason);
/* Calls each for those of the keys that there is a record of, in any order, with a few hundred keys in one request. A
 * record is valid during the call only. After an error some may have been given. */
typedef void hq_store_plan(void *context, const hq_record *record);
hq_error store_get_plans(hq_store *store, const hq_hash *keys, size_t count, hq_store_plan *each, void *context,
                         hq_reason *reason);

/* The journal: one document per query, _id is the query's id; replaces an older one. */
hq_error store_put_journal(hq_store *store, const hq_hash *query, const bson_t *document, hq_reason *reason);
hq_error store_get_journal(hq_store *store, const hq_hash *query, bson_t **document_r, hq_reason *reason);

/* Named datasets, kept until they are removed: _id is the name, the document lists the files (docs/protocol.md, 8). */
hq_error store_put_dataset(hq_store *store, const char *name, const bson_t *document, hq_reason *reason);
hq_error store_get_dataset(hq_store *store, const char *name, bson_t **document_r, hq_reason *reason);

/* What a query's entry in the coordinator has no room for (wire/entry.h), under its digest. Kept for as long as a
 * result; put again, its time begins anew. HQ_ELIMIT for more than some 16 MB. The caller clears *bytes_r. */
hq_error store_put_body(hq_store *store, const hq_hash *digest, const void *bytes, size_t size, hq_reason *reason);
hq_error store_get_body(hq_store *store, const hq_hash *digest, hq_buffer *bytes_r, hq_reason *reason);

typedef enum hq_collection {
    HQ_COLLECTION_RESULTS,
    HQ_COLLECTION_PARTIALS,
    HQ_COLLECTION_PLANS,
    HQ_COLLECTION_QUERIES,
    HQ_COLLECTION_DATASETS,
    HQ_COLLECTION_BODIES
} hq_collection;
/* "results" */
const char *collection_name(hq_collection collection);

/* One document of a collection, without its binary fields. */
typedef struct hq_stored {
    const char *id; /* of partials: the program's fingerprint, which several packs may share */
    const bson_t *document;
    int64_t expires_ms; /* wall clock; 0: never */
    int64_t bytes;      /* what it takes; 0 if the store does not know */
} hq_stored;

/* Calls each for what has not expired: results and queries from the newest on, datasets by name, at most limit of them,
 * 0 for all. stored is valid during the call only. */
typedef void hq_store_listed(void *context, const hq_stored *stored);
hq_error store_list(hq_store *store, hq_collection from, size_t limit, hq_store_listed *each, void *context,
                    hq_reason *reason);
/* When what has that _id expires; 0: never. HQ_ENOTFOUND if it is not there (any more). */
hq_error store_get_expiry(hq_store *store, hq_collection from, const char *id, int64_t *expires_ms_r,
                          hq_reason *reason);
/* Deletes what has that id (see hq_stored), or, with NULL, everything; *removed_r counts documents. */
hq_error store_remove(hq_store *store, hq_collection from, const char *id, uint64_t *removed_r, hq_reason *reason);

/* Deletes what has expired, for servers that do not do it themselves. *removed_r counts documents. */
hq_error store_sweep(hq_store *store, uint64_t *removed_r, hq_reason *reason);
/* Deletes every result, partial and plan. */
hq_error store_flush(hq_store *store, hq_reason *reason);

/* How many documents were skipped since the store was opened because they are not what hq writes; each was logged. */
uint64_t store_bad_count(const hq_store *store);

#endif
