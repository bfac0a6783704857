#include "data/cache.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "data/partition.h"

enum {
    FIRST_BUCKETS = 1024,
    SMALL_SHARE = 10,      /* the part for what is new: one tenth */
    GHOSTS_PER_ENTRY = 8,  /* names remembered for each column that is there … */
    MIN_GHOSTS = 1024,     /* … and at least so many */
    MAX_REPORTS = 1 << 20, /* 32 MiB at most; a second in which more are evicted is not to be had */
    REPORTS_COMPARED = 32
};

typedef enum cache_place {
    PLACE_LOADING,  /* in no list: a thread is reading the column */
    PLACE_MAIN,     /* comes back soon */
    PLACE_SMALL,    /* new, or comes back late */
    PLACE_OVERSIZE, /* in no list: larger than the limit, gone at its last release */
    PLACE_GHOST,    /* only the name is there */
    PLACE_FAILED    /* in neither list nor table: the last of those who waited frees it */
} cache_place;

/* One load under way. The thread that reads and those that wait share it; the last to leave frees it. */
typedef struct hq_cache_flight {
    pthread_cond_t done;
    bool is_done;
    uint32_t users;
    hq_error error;
    hq_reason reason;
} cache_flight;

struct hq_cache_entry {
    hq_hash file, partition;
    uint64_t first, last;
    uint64_t hash;
    hq_column *column;
    cache_flight *flight;
    uint64_t used; /* cache->clock at its last use */
    bool was_used; /* there was one that the cache remembers */
    bool is_ahead; /* loaded ahead, and not used since */
    uint32_t pins;
    cache_place place;
    hq_cache_entry *newer, *older; /* in the list of its place */
    hq_cache_entry *next;          /* in its bucket */
    const char *column_name;       /* within texts */
    char texts[];                  /* the tree's path and the column's name */
};

/* Ordered by last use, except that ghosts are in the order of their eviction. */
typedef struct cache_list {
    hq_cache_entry *newest, *oldest;
    size_t count;
    uint64_t bytes;
} cache_list;

struct hq_cache {
    pthread_mutex_t lock; /* guards all below; held for look-ups and lists, never while a column is read or freed */
    uint64_t limit, main_limit;
    uint64_t clock; /* counts uses */
    hq_cache_entry **buckets;
    size_t bucket_count, entry_count; /* with ghosts */
    cache_list main, small, ghosts;
    uint64_t oversize_bytes, oversize_count;
    hq_column **dead; /* evicted, to be freed once the lock is given back */
    size_t dead_count, dead_capacity;
    hq_hash *reports; /* partitions: from reports_taken up to reports_made, exclusive, those that nobody has taken */
    size_t reports_made, reports_taken, report_capacity;
    hq_cache_counts counts;
};

hq_cache *cache_new(size_t limit_bytes)
{
    hq_cache *cache = hq_calloc(1, sizeof *cache);
    /* It is held for a tenth of a microsecond: spinning a little is cheaper than going to sleep. */
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&cache->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    cache->limit = limit_bytes;
    cache->main_limit = limit_bytes - limit_bytes / SMALL_SHARE;
    cache->bucket_count = FIRST_BUCKETS;
    cache->buckets = hq_calloc(cache->bucket_count, sizeof *cache->buckets);
    return cache;
}

void cache_free(hq_cache **cache_p)
{
    hq_cache *cache = *cache_p;
    if (!cache)
        return;
    for (size_t i = 0; i < cache->bucket_count; i++)
        for (hq_cache_entry *entry = cache->buckets[i], *next; entry; entry = next) {
            assert(entry->pins == 0);
            next = entry->next;
            column_free(&entry->column);
            free(entry);
        }
    assert(cache->dead_count == 0);
    free(cache->buckets);
    free(cache->reports);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
    *cache_p = NULL;
}

/* --- the table --- */

static const char *tree_of(const hq_cache_key *key)
{
    return key->tree ? key->tree : "";
}

/* FNV-1a's steps; what comes of it is mixed once more. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of_key(const hq_cache_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->file.bytes, sizeof hash);
    hash = hash_mix(hash ^ hash_mix(key->first + 1)) ^ hash_mix(key->last + 0x9e3779b97f4a7c15u);
    return hash_mix(hash_text(hash_mix(hash_text(hash, tree_of(key))), key->column));
}

static hq_cache_entry **bucket_of(hq_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static hq_cache_entry *find(hq_cache *cache, const hq_cache_key *key, uint64_t hash)
{
    hq_cache_entry *entry = *bucket_of(cache, hash);
    while (entry && (entry->hash != hash || entry->first != key->first || entry->last != key->last ||
                     memcmp(&entry->file, &key->file, sizeof key->file) != 0 ||
                     strcmp(entry->column_name, key->column) != 0 || strcmp(entry->texts, tree_of(key)) != 0))
        entry = entry->next;
    return entry;
}

static void grow_table(hq_cache *cache)
{
    hq_cache_entry **old = cache->buckets;
    size_t old_count = cache->bucket_count;
    cache->bucket_count *= 2;
    cache->buckets = hq_calloc(cache->bucket_count, sizeof *cache->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (hq_cache_entry *entry = old[i], *next; entry; entry = next) {
            next = entry->next;
            hq_cache_entry **bucket = bucket_of(cache, entry->hash);
            entry->next = *bucket;
            *bucket = entry;
        }
    free(old);
}

static hq_cache_entry *insert(hq_cache *cache, const hq_cache_key *key, uint64_t hash)
{
    if (cache->entry_count >= cache->bucket_count)
        grow_table(cache);
    size_t tree_size = strlen(tree_of(key)) + 1, name_size = strlen(key->column) + 1;
    hq_cache_entry *entry = hq_calloc(1, sizeof *entry + tree_size + name_size);
    entry->file = key->file;
    entry->first = key->first;
    entry->last = key->last;
    entry->hash = hash;
    memcpy(entry->texts, tree_of(key), tree_size);
    entry->column_name = memcpy(entry->texts + tree_size, key->column, name_size);
    hq_cache_entry **bucket = bucket_of(cache, hash);
    entry->next = *bucket;
    *bucket = entry;
    cache->entry_count++;
    return entry;
}

static void take_from_table(hq_cache *cache, hq_cache_entry *entry)
{
    hq_cache_entry **at = bucket_of(cache, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    cache->entry_count--;
}

/* --- the lists --- */

static cache_list *list_of(hq_cache *cache, cache_place place)
{
    return place == PLACE_MAIN    ? &cache->main
           : place == PLACE_SMALL ? &cache->small
           : place == PLACE_GHOST ? &cache->ghosts
                                  : NULL;
}

static void unlink_entry(hq_cache *cache, hq_cache_entry *entry)
{
    cache_list *list = list_of(cache, entry->place);
    if (!list)
        return;
    *(entry->newer ? &entry->newer->older : &list->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &list->oldest) = entry->newer;
    list->count--;
    list->bytes -= entry->column ? entry->column->bytes : 0;
}

/* Takes the entry out of the list it is in and puts it in front of another, or of the same. */
static void move_entry(hq_cache *cache, hq_cache_entry *entry, cache_place place)
{
    unlink_entry(cache, entry);
    entry->place = place;
    cache_list *list = list_of(cache, place);
    if (!list)
        return;
    entry->newer = NULL;
    entry->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = entry;
    list->newest = entry;
    list->count++;
    list->bytes += entry->column ? entry->column->bytes : 0;
}

/* Only what the executors hold at this moment is passed over. */
static hq_cache_entry *oldest_idle(const cache_list *list)
{
    hq_cache_entry *entry = list->oldest;
    while (entry && entry->pins)
        entry = entry->newer;
    return entry;
}

/* --- what stays and what goes --- */

static void forget_ghosts(hq_cache *cache)
{
    size_t limit = GHOSTS_PER_ENTRY * (cache->main.count + cache->small.count);
    limit = limit > MIN_GHOSTS ? limit : MIN_GHOSTS;
    /* A ghost that was used before all of the main part can't move there any more: the main part's oldest use only
     * becomes later. */
    uint64_t oldest_use = cache->main.oldest ? cache->main.oldest->used : 0;
    hq_cache_entry *ghost = cache->ghosts.oldest;
    while (ghost && (cache->ghosts.count > limit || ghost->used < oldest_use)) {
        hq_cache_entry *next = ghost->newer;
        unlink_entry(cache, ghost);
        take_from_table(cache, ghost);
        free(ghost);
        ghost = next;
    }
}

static void report_eviction(hq_cache *cache, const hq_cache_entry *entry)
{
    size_t compared = 0;
    for (size_t i = cache->reports_made; i-- > cache->reports_taken && compared < REPORTS_COMPARED; compared++)
        if (memcmp(&cache->reports[i], &entry->partition, sizeof entry->partition) == 0)
            return;
    if (cache->reports_made - cache->reports_taken == MAX_REPORTS) {
        cache->reports_taken++;
        cache->counts.evictions_untold++;
    }
    if (cache->reports_made == cache->report_capacity && cache->reports_taken > cache->reports_made / 2) {
        cache->reports_made -= cache->reports_taken;
        memmove(cache->reports, cache->reports + cache->reports_taken, cache->reports_made * sizeof *cache->reports);
        cache->reports_taken = 0;
    }
    HQ_GROW(cache->reports, cache->reports_made, cache->report_capacity);
    cache->reports[cache->reports_made++] = entry->partition;
}

static void evict(hq_cache *cache, hq_cache_entry *entry)
{
    report_eviction(cache, entry);
    cache->counts.evictions++;
    cache->counts.ahead_wasted += entry->is_ahead;
    entry->is_ahead = false;
    unlink_entry(cache, entry);
    entry->place = PLACE_LOADING; /* in no list */
    HQ_GROW(cache->dead, cache->dead_count, cache->dead_capacity);
    cache->dead[cache->dead_count++] = entry->column;
    entry->column = NULL;
    move_entry(cache, entry, PLACE_GHOST);
}

static void shrink(hq_cache *cache)
{
    while (cache->main.bytes + cache->small.bytes > cache->limit) {
        hq_cache_entry *victim = oldest_idle(&cache->small);
        if (!victim)
            victim = oldest_idle(&cache->main);
        if (!victim)
            break;
        evict(cache, victim);
    }
    forget_ghosts(cache);
}

/* True if a column that comes back after distance uses belongs in the main part. */
static bool deserves_main(const hq_cache *cache, uint64_t bytes, uint64_t distance)
{
    if (cache->main.bytes + bytes <= cache->main_limit)
        return true;
    if (bytes > cache->main_limit)
        return false;
    const hq_cache_entry *rival = oldest_idle(&cache->main);
    return rival && cache->clock - rival->used > distance;
}

/* Puts a pinned entry with its column where it belongs. What gives way in the main part gets another chance in the
 * small one. */
static void place_entry(hq_cache *cache, hq_cache_entry *entry, uint64_t distance)
{
    if (!deserves_main(cache, entry->column->bytes, distance)) {
        move_entry(cache, entry, PLACE_SMALL);
        return;
    }
    move_entry(cache, entry, PLACE_MAIN);
    while (cache->main.bytes > cache->main_limit) {
        hq_cache_entry *rival = oldest_idle(&cache->main);
        if (!rival)
            break;
        move_entry(cache, rival, PLACE_SMALL);
    }
}

/* A use of a column that is there. True if it was there before anybody thought of this use. */
static bool use(hq_cache *cache, hq_cache_entry *entry)
{
    bool was_ahead = entry->is_ahead;
    uint64_t distance = entry->was_used ? cache->clock - entry->used : UINT64_MAX;
    entry->used = cache->clock;
    entry->was_used = true;
    entry->is_ahead = false;
    cache->counts.ahead_used += was_ahead;
    if (entry->place == PLACE_MAIN)
        move_entry(cache, entry, PLACE_MAIN);
    else if (entry->place == PLACE_SMALL)
        place_entry(cache, entry, distance);
    return !was_ahead;
}

static void unlock(hq_cache *cache)
{
    hq_column **dead = cache->dead;
    size_t count = cache->dead_count;
    if (count) {
        cache->dead = NULL;
        cache->dead_count = cache->dead_capacity = 0;
    }
    pthread_mutex_unlock(&cache->lock);
    for (size_t i = 0; i < count; i++)
        column_free(&dead[i]);
    if (count)
        free(dead);
}

/* --- getting and giving back --- */

static cache_flight *flight_new(void)
{
    cache_flight *flight = hq_calloc(1, sizeof *flight);
    pthread_cond_init(&flight->done, NULL);
    flight->users = 1;
    return flight;
}

static void flight_leave(cache_flight *flight)
{
    if (--flight->users == 0) {
        pthread_cond_destroy(&flight->done);
        free(flight);
    }
}

/* Takes a pin off an entry that may have no place any more. */
static void unpin(hq_cache *cache, hq_cache_entry *entry)
{
    assert(entry->pins > 0);
    if (--entry->pins > 0)
        return;
    if (entry->place == PLACE_FAILED) {
        free(entry);
        return;
    }
    if (entry->place == PLACE_OVERSIZE) {
        cache->oversize_bytes -= entry->column->bytes;
        cache->oversize_count--;
        evict(cache, entry);
    }
    if (cache->main.bytes + cache->small.bytes > cache->limit || cache->dead_count)
        shrink(cache);
}

/* Pins the column if it is there; else its load is the caller's to make, or to wait for. */
static void look_up(hq_cache *cache, hq_cache_want *want, bool is_ahead)
{
    uint64_t hash = hash_of_key(&want->key);
    hq_cache_entry *entry = find(cache, &want->key, hash);
    want->is_mine = !entry || entry->place == PLACE_GHOST;
    want->is_copied = false;
    want->flight = NULL;
    cache->clock += !is_ahead;
    if (want->is_mine) {
        cache->counts.misses++;
        if (entry)
            unlink_entry(cache, entry);
        else
            entry = insert(cache, &want->key, hash);
        entry->place = PLACE_LOADING;
        entry->pins = 1;
        entry->is_ahead = is_ahead;
        want->flight = entry->flight = flight_new();
        want->column = NULL;
        want->error = HQ_OK;
        want->reason = &want->flight->reason;
    } else if (entry->place == PLACE_LOADING && is_ahead) {
        entry = NULL;
    } else {
        entry->pins++;
        if (entry->place == PLACE_LOADING) {
            want->flight = entry->flight;
            want->flight->users++;
        } else if (!is_ahead) {
            want->was_hit = use(cache, entry);
            cache->counts.hits += want->was_hit;
        }
    }
    want->entry = entry;
}

/* Puts what was loaded, pinned, where it belongs, or forgets it if that failed, and tells those who wait. */
static void settle(hq_cache *cache, hq_cache_want *want)
{
    hq_cache_entry *entry = want->entry;
    cache_flight *flight = want->flight;
    flight->error = want->error;
    flight->is_done = true;
    pthread_cond_broadcast(&flight->done);
    entry->flight = NULL;
    if (want->error) {
        cache->counts.failures++;
        take_from_table(cache, entry);
        entry->place = PLACE_FAILED;
        return;
    }
    entry->column = want->column;
    want->column = NULL;
    cache->counts.loaded_bytes += entry->column->bytes;
    if (entry->column->bytes > cache->limit) {
        entry->place = PLACE_OVERSIZE;
        cache->oversize_bytes += entry->column->bytes;
        cache->oversize_count++;
    } else {
        move_entry(cache, entry, PLACE_SMALL);
    }
    if (!entry->is_ahead)
        use(cache, entry);
    shrink(cache);
}

static void load_mine(hq_cache *cache, hq_cache_want **mine, size_t count, hq_cache_load *load, void *context)
{
    pthread_mutex_unlock(&cache->lock);
    for (size_t i = 0; i < count; i++) {
        const hq_cache_key *key = &mine[i]->key;
        mine[i]->entry->partition = partition_identity(&key->file, key->tree, key->first, key->last);
    }
    load(context, mine, count);
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < count; i++)
        settle(cache, mine[i]);
}

/* Waits until another thread has read the column, which is pinned. */
static void wait_for_load(hq_cache *cache, hq_cache_want *want)
{
    while (!want->flight->is_done)
        pthread_cond_wait(&want->flight->done, &cache->lock);
    want->error = want->flight->error;
    if (want->error)
        return;
    want->was_hit = !want->entry->is_ahead || use(cache, want->entry);
    cache->counts.hits += want->was_hit;
}

/* With the lock held: one round of getting those columns that have no entry yet. What another thread gave up for
 * reasons of its own has none after it. */
static hq_error get_round(hq_cache *cache, hq_cache_want *wants, size_t count, bool is_ahead, hq_cache_load *load,
                          void *context, hq_reason *reason)
{
    hq_cache_want *few[16], **mine = few;
    size_t mine_count = 0;
    if (count > sizeof few / sizeof *few)
        mine = hq_alloc(count * sizeof *mine);
    for (size_t i = 0; i < count; i++)
        if (!wants[i].entry) {
            wants[i].was_hit = false;
            look_up(cache, &wants[i], is_ahead);
            if (wants[i].is_mine)
                mine[mine_count++] = &wants[i];
        }
    if (mine_count > 0)
        load_mine(cache, mine, mine_count, load, context);
    if (mine != few)
        free(mine);
    /* Only now: two threads that wait for each other's columns have both read their own. */
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count; i++) {
        hq_cache_want *want = &wants[i];
        if (!want->flight)
            continue;
        if (!want->is_mine)
            wait_for_load(cache, want);
        if (want->error && (want->is_mine || want->error != HQ_ECANCELLED) && !error) {
            error = want->error;
            if (reason)
                *reason = want->flight->reason;
        }
        flight_leave(want->flight);
        want->flight = NULL;
        if (want->error) {
            unpin(cache, want->entry);
            want->entry = NULL;
        }
    }
    return error;
}

static hq_error get(hq_cache *cache, hq_cache_want *wants, size_t count, bool is_ahead, hq_cache_load *load,
                    void *context, hq_reason *reason)
{
    hq_error error = HQ_OK;
    bool is_complete = false;
    for (size_t i = 0; i < count; i++)
        wants[i].entry = NULL;
    pthread_mutex_lock(&cache->lock);
    while (!is_complete && !error) {
        error = get_round(cache, wants, count, is_ahead, load, context, reason);
        is_complete = true;
        for (size_t i = 0; i < count && !is_ahead; i++)
            is_complete = is_complete && wants[i].entry;
    }
    for (size_t i = 0; error && i < count; i++)
        if (wants[i].entry) {
            unpin(cache, wants[i].entry);
            wants[i].entry = NULL;
        }
    unlock(cache);
    return error;
}

hq_error cache_get(hq_cache *cache, hq_cache_want *wants, size_t count, hq_cache_load *load, void *context,
                   hq_reason *reason)
{
    return get(cache, wants, count, false, load, context, reason);
}

hq_error cache_get_ahead(hq_cache *cache, hq_cache_want *wants, size_t count, hq_cache_load *load, void *context,
                         hq_reason *reason)
{
    return get(cache, wants, count, true, load, context, reason);
}

const hq_column *cache_entry_column(const hq_cache_entry *entry)
{
    return entry->column; /* set before the entry was given out, and kept while it is pinned */
}

hq_cache_entry *cache_hold(hq_cache *cache, hq_cache_entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    assert(entry->pins > 0);
    entry->pins++;
    pthread_mutex_unlock(&cache->lock);
    return entry;
}

void cache_release(hq_cache *cache, hq_cache_entry **entry_p)
{
    hq_cache_entry *entry = *entry_p;
    if (!entry)
        return;
    *entry_p = NULL;
    pthread_mutex_lock(&cache->lock);
    unpin(cache, entry);
    unlock(cache);
}

size_t cache_take_evicted(hq_cache *cache, hq_hash *partitions_r, size_t max)
{
    pthread_mutex_lock(&cache->lock);
    size_t left = cache->reports_made - cache->reports_taken, count = left < max ? left : max;
    if (count > 0)
        memcpy(partitions_r, cache->reports + cache->reports_taken, count * sizeof *partitions_r);
    cache->reports_taken += count;
    if (count == left)
        cache->reports_made = cache->reports_taken = 0;
    pthread_mutex_unlock(&cache->lock);
    return count;
}

void cache_count(hq_cache *cache, hq_cache_counts *counts_r)
{
    pthread_mutex_lock(&cache->lock);
    *counts_r = cache->counts;
    counts_r->bytes = cache->main.bytes + cache->small.bytes + cache->oversize_bytes;
    counts_r->entries = cache->main.count + cache->small.count + cache->oversize_count;
    counts_r->limit_bytes = cache->limit;
    pthread_mutex_unlock(&cache->lock);
}
