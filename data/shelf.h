/* data/shelf.h - what planning has found out about files, kept from one question to the next by somebody else.
 *
 * A file's plan (its tree, entries, schema and borders) is a record, and so is a schema, which many files share. A plan
 * is trusted only as long as its file is what it was: of a file of this machine its size, its time of modification and
 * its time of change, which the system tells without opening it; of a server's file its identity, UUID included, which
 * comes with the first request. Else the file is opened and planned anew. What a shelf holds may be anything: bytes
 * that are no record are logged, counted, and as if they were not there.
 */
#ifndef HQ_DATA_SHELF_H
#define HQ_DATA_SHELF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

/* To be called for each record; it is valid during the call only. */
typedef void hq_shelf_take(void *taker, const hq_record *record);

typedef struct hq_shelf_counts {
    uint64_t found;    /* files that were not opened, because their plan was there */
    uint64_t opened;   /* files that were opened and planned */
    uint64_t replaced; /* of those, the ones that had a plan, but had changed since */
    uint64_t bad;      /* records that are none */
} hq_shelf_counts;

typedef struct hq_shelf {
    /* Calls take for those of the keys that there is a record of, all in the thread that plans, which waits for it.
     * NULL: nothing is known. */
    void (*look_up)(void *context, const hq_hash *keys, size_t count, hq_shelf_take *take, void *taker);
    void *context;
    bool keeps; /* what was found out is wanted in records */
    const atomic_bool
        *is_unwanted; /* once true, no more files are planned and planning fails with HQ_ECANCELLED; or NULL */

    /* Filled by planning, also if it fails. */
    hq_shelf_counts counts;
    hq_record *records; /* new ones, to be kept; the bytes are the shelf's */
    size_t record_count, record_capacity;
    hq_hash *schemas; /* the keys of those among them that are schemas */
    size_t schema_count, schema_capacity;
} hq_shelf;

/* Frees the records. */
void shelf_clear(hq_shelf *shelf);

#endif
