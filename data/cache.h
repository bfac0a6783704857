/* data/cache.h - decompressed columns in memory, shared by a worker's executors.
 *
 * A column that several ask for at once is loaded once; the others wait for it. What is in use is never evicted, and
 * the limit on bytes holds at all times for what is not in use: a column larger than the limit is given, and gone when
 * it is released. Thread-safe throughout.
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
    hq_hash file; /* rootfile_identity */
    const char *column;
    uint64_t first, last;
} hq_cache_key;

/* Reads a column that is not there; called without any lock held, from the thread that called cache_get. */
typedef hq_error hq_cache_load(void *context, const hq_cache_key *key, hq_column **column_r, hq_reason *reason);

hq_cache *cache_new(size_t limit_bytes);
/* No entry may be in use. */
void cache_free(hq_cache **cache_p);

/* The column, pinned until cache_release; *was_hit_r tells if it was there already (one that another thread was loading
 * counts as a hit). A failed load is told to all who waited for it and is not remembered. */
hq_error cache_get(hq_cache *cache, const hq_cache_key *key, hq_cache_load *load, void *context,
                   hq_cache_entry **entry_r, bool *was_hit_r, hq_reason *reason);
const hq_column *cache_entry_column(const hq_cache_entry *entry);
void cache_release(hq_cache *cache, hq_cache_entry **entry_p);

/* What was evicted since the last call, oldest first, for the report to the broker: at most max hashes of (file, first,
 * last), as dataset_partition_identity gives them. */
size_t cache_take_evicted(hq_cache *cache, hq_hash *partitions_r, size_t max);

typedef struct hq_cache_counts {
    uint64_t hits, misses, evictions, failures;
    uint64_t bytes, entries, limit_bytes;
    uint64_t loaded_bytes; /* sum of all that was ever loaded */
} hq_cache_counts;

void cache_count(hq_cache *cache, hq_cache_counts *counts_r);

#endif
