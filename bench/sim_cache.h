/* bench/sim_cache.h - which columns a simulated worker would hold: their names and sizes, and no bytes.
 *
 * The least recently used goes first. A column is known by a number of 64 bits, its partition's and its own mixed.
 */
#ifndef HQ_BENCH_SIM_CACHE_H
#define HQ_BENCH_SIM_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

typedef struct sim_cache sim_cache;

/* limit_bytes 0: nothing is ever held. */
sim_cache *sim_cache_new(uint64_t limit_bytes);
void sim_cache_free(sim_cache **cache_p);

/* True if the column was there. If not it is from now on, and what has to go for it is gone. */
bool sim_cache_use(sim_cache *cache, const hq_hash *partition, uint32_t column, uint32_t size);

typedef struct sim_cache_counts {
    uint64_t hits, misses, evictions, bytes, columns, file_bytes;
} sim_cache_counts;

const sim_cache_counts *sim_cache_count(const sim_cache *cache);
uint64_t sim_cache_limit(const sim_cache *cache);
/* The partitions of what went since the last call, oldest first, each once in a row; valid until the next use. */
const hq_hash *sim_cache_take_evicted(sim_cache *cache, size_t *count_r);

#endif
