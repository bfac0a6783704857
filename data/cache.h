/* data/cache.h - decompressed columns in memory, shared by a worker's executors.
 *
 * A column that several ask for at once is loaded once; the others wait for it. What is in use is never evicted, and
 * the limit on bytes holds at all times for what is not in use: a column larger than the limit is given, and gone when
 * it is released. Thread-safe throughout; a column that is there costs a fraction of a microsecond.
 *
 * A column may be loaded ahead of its use, by a thread that knows what will be wanted. That is no use of it: it counts
 * as a miss when it is loaded, its first use as neither hit nor miss, and what the cache thinks of it is what it would
 * think if it had been loaded at that first use.
 *
 * What goes when room is needed follows LIRS (Jiang and Zhang, "LIRS: an efficient low inter-reference recency set
 * replacement policy to improve buffer cache performance", SIGMETRICS 2002), with lists in place of its stack. Nine
 * tenths of the limit, the main part, hold the columns that come back soonest; the rest, in passing, holds what is new.
 * A column moves to the main part only if the time between its last two uses is shorter than the time since the main
 * part's oldest column was used; to judge this, columns that are gone are remembered by name for a while. So
 * one long scan passes through a tenth of the memory and leaves the rest as it is, and a dataset larger than the memory
 * that is read again and again, the common case here, keeps nine tenths of the hits that are possible at all, where LRU
 * has none.
 */
#ifndef HQ_DATA_CACHE_H
#define HQ_DATA_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/column.h"
#include "base/error.h"
#include "base/hash.h"

typedef struct hq_cache hq_cache;
typedef struct hq_cache_entry hq_cache_entry;

typedef struct hq_cache_key {
    hq_hash file;     /* rootfile_identity */
    const char *tree; /* its path in the file; NULL is "" */
    const char *column;
    uint64_t first, last;
} hq_cache_key;

hq_cache *cache_new(size_t limit_bytes);
/* No entry may be in use. */
void cache_free(hq_cache **cache_p);

/* One of several columns that are asked for together. */
typedef struct hq_cache_want {
    hq_cache_key key;      /* set by the caller; its texts must last as long as the call */
    hq_cache_entry *entry; /* the answer: pinned until cache_release */
    bool was_hit;          /* it was there, and not only because somebody had it loaded ahead; one that another thread
                              was loading counts as there */
    hq_column *column;     /* between cache and load: what was read, or why it was not */
    hq_error error;
    hq_reason *reason;
    bool is_mine;   /* it was loaded by this call */
    bool is_copied; /* load's note for the caller; false before it */
    struct hq_cache_flight *flight;
} hq_cache_want;

/* Reads columns that are not there, setting column, or error and *reason, of each; called without any lock held, from
 * the thread that asks. HQ_ECANCELLED makes others who waited for the column try for themselves. */
typedef void hq_cache_load(void *context, hq_cache_want *const *wants, size_t count);

/* Gets all of the columns; those that nobody has or is loading are given to load in one call. After an error, the first
 * in the order of wants, none is pinned. A failed load is told to all who waited for it and is not remembered. */
hq_error cache_get(hq_cache *cache, hq_cache_want *wants, size_t count, hq_cache_load *load, void *context,
                   hq_reason *reason);
/* The same without using them. Does not wait for others: a column that somebody is loading gets no entry. */
hq_error cache_get_ahead(hq_cache *cache, hq_cache_want *wants, size_t count, hq_cache_load *load, void *context,
                         hq_reason *reason);

const hq_column *cache_entry_column(const hq_cache_entry *entry);
/* Pins once more what the caller has pinned. */
hq_cache_entry *cache_hold(hq_cache *cache, hq_cache_entry *entry);
/* Nulls the pointer; NULL is let pass. */
void cache_release(hq_cache *cache, hq_cache_entry **entry_p);

/* What was evicted since the last call, oldest first, for the report to the broker: at most max hashes as
 * partition_identity gives them. A partition is named when any of its columns went, once for columns
 * that went together. Of more than 1,048,576 reports that nobody takes the oldest are dropped and counted. */
size_t cache_take_evicted(hq_cache *cache, hq_hash *partitions_r, size_t max);

typedef struct hq_cache_counts {
    uint64_t hits, misses, evictions, failures;
    uint64_t bytes, entries, limit_bytes;
    uint64_t loaded_bytes;     /* sum of all that was ever loaded */
    uint64_t ahead_used;       /* columns loaded ahead that were used … */
    uint64_t ahead_wasted;     /* … and that were evicted without */
    uint64_t evictions_untold; /* reports of evictions that cache_take_evicted came too late for */
} hq_cache_counts;

void cache_count(hq_cache *cache, hq_cache_counts *counts_r);

#endif
