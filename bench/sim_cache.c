#include "bench/sim_cache.h"

#include <string.h>

#include "base/memory.h"

enum { NONE = 0, FIRST_BUCKETS = 64 }; /* item 0 is nobody: the head of the list */

typedef struct item {
    hq_hash partition;
    uint64_t key;
    uint32_t size;
    uint32_t newer, older; /* in the list of uses; a ring through item 0 */
    uint32_t next;         /* in its bucket, or of the free ones */
} item;

struct sim_cache {
    uint64_t limit;
    sim_cache_counts counts;
    item *items;
    uint32_t item_count, item_capacity, free_items;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    hq_hash *evicted;
    size_t evicted_count, evicted_capacity;
    bool was_taken;
};

sim_cache *sim_cache_new(uint64_t limit_bytes)
{
    sim_cache *cache = hq_calloc(1, sizeof *cache);
    cache->limit = limit_bytes;
    HQ_GROW(cache->items, cache->item_count, cache->item_capacity);
    cache->items[cache->item_count++] = (item){0};
    cache->bucket_count = FIRST_BUCKETS;
    cache->buckets = hq_calloc(cache->bucket_count, sizeof *cache->buckets);
    return cache;
}

void sim_cache_free(sim_cache **cache_p)
{
    sim_cache *cache = *cache_p;
    if (!cache)
        return;
    free(cache->items);
    free(cache->buckets);
    free(cache->evicted);
    free(cache);
    *cache_p = NULL;
}

static uint64_t key_of(const hq_hash *partition, uint32_t column)
{
    uint64_t word;
    memcpy(&word, partition->bytes, sizeof word);
    return word + hash_mix(column + 1);
}

static uint32_t *bucket_of(const sim_cache *cache, uint64_t key)
{
    return &cache->buckets[hash_mix(key) & (cache->bucket_count - 1)];
}

static void unlink_use(sim_cache *cache, uint32_t at)
{
    item *gone = &cache->items[at];
    cache->items[gone->newer].older = gone->older;
    cache->items[gone->older].newer = gone->newer;
}

static void link_newest(sim_cache *cache, uint32_t at)
{
    item *head = &cache->items[NONE], *one = &cache->items[at];
    one->newer = NONE;
    one->older = head->older;
    cache->items[head->older].newer = at;
    head->older = at;
}

static void note_evicted(sim_cache *cache, const hq_hash *partition)
{
    if (cache->was_taken)
        cache->evicted_count = 0;
    cache->was_taken = false;
    size_t count = cache->evicted_count;
    if (count > 0 && memcmp(&cache->evicted[count - 1], partition, sizeof *partition) == 0)
        return;
    HQ_GROW(cache->evicted, cache->evicted_count, cache->evicted_capacity);
    cache->evicted[cache->evicted_count++] = *partition;
}

static void evict_oldest(sim_cache *cache)
{
    uint32_t at = cache->items[NONE].newer; /* the ring's other end */
    item *gone = &cache->items[at];
    unlink_use(cache, at);
    uint32_t *place = bucket_of(cache, gone->key);
    while (*place != at)
        place = &cache->items[*place].next;
    *place = gone->next;
    note_evicted(cache, &gone->partition);
    cache->counts.bytes -= gone->size;
    cache->counts.columns--;
    cache->counts.evictions++;
    gone->next = cache->free_items;
    cache->free_items = at;
}

static void widen(sim_cache *cache)
{
    free(cache->buckets);
    cache->bucket_count *= 2;
    cache->buckets = hq_calloc(cache->bucket_count, sizeof *cache->buckets);
    for (uint32_t at = cache->items[NONE].newer; at != NONE; at = cache->items[at].newer) {
        uint32_t *place = bucket_of(cache, cache->items[at].key);
        cache->items[at].next = *place;
        *place = at;
    }
}

static void add(sim_cache *cache, const hq_hash *partition, uint64_t key, uint32_t size)
{
    if (size > cache->limit)
        return;
    while (cache->counts.bytes + size > cache->limit)
        evict_oldest(cache);
    uint32_t at = cache->free_items;
    if (at != NONE) {
        cache->free_items = cache->items[at].next;
    } else {
        HQ_GROW(cache->items, cache->item_count, cache->item_capacity);
        at = cache->item_count++;
    }
    if (cache->counts.columns >= cache->bucket_count)
        widen(cache);
    uint32_t *place = bucket_of(cache, key);
    cache->items[at] = (item){.partition = *partition, .key = key, .size = size, .next = *place};
    *place = at;
    link_newest(cache, at);
    cache->counts.bytes += size;
    cache->counts.columns++;
}

bool sim_cache_use(sim_cache *cache, const hq_hash *partition, uint32_t column, uint32_t size)
{
    uint64_t key = key_of(partition, column);
    uint32_t at = *bucket_of(cache, key);
    while (at != NONE && cache->items[at].key != key)
        at = cache->items[at].next;
    if (at != NONE) {
        cache->counts.hits++;
        unlink_use(cache, at);
        link_newest(cache, at);
        return true;
    }
    cache->counts.misses++;
    cache->counts.file_bytes += size;
    add(cache, partition, key, size);
    return false;
}

const sim_cache_counts *sim_cache_count(const sim_cache *cache)
{
    return &cache->counts;
}

uint64_t sim_cache_limit(const sim_cache *cache)
{
    return cache->limit;
}

const hq_hash *sim_cache_take_evicted(sim_cache *cache, size_t *count_r)
{
    *count_r = cache->was_taken ? 0 : cache->evicted_count;
    cache->was_taken = true;
    return cache->evicted;
}
