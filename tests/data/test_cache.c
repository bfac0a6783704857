/* The column cache: one load for many, the limit, what stays and what goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/cache.h"
#include "data/partition.h"

enum { VALUES = 1000 };

/* What one column of VALUES float64 takes in a cache. */
static size_t unit_bytes(void)
{
    hq_column *column = column_new(HQ_FLOAT64, VALUES, VALUES, 0, SIZE_MAX / 2);
    size_t bytes = column->bytes;
    column_free(&column);
    return bytes;
}

/* Gives a column whose values are the partition's first entry; counts, and fails when told to. */
typedef struct slow_disk {
    atomic_int loads;
    atomic_bool fails;
    uint64_t values; /* 0: VALUES */
    /* If gate is set, a load waits until it is opened; is_inside tells that it has begun. */
    bool gate, is_inside;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} slow_disk;

static slow_disk disk_new(void)
{
    return (slow_disk){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

static hq_error load(void *context, const hq_cache_key *key, hq_column **column_r, hq_reason *reason)
{
    slow_disk *self = context;
    pthread_mutex_lock(&self->lock);
    self->is_inside = true;
    pthread_cond_broadcast(&self->changed);
    while (self->gate)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    atomic_fetch_add(&self->loads, 1);
    if (atomic_load(&self->fails))
        return hq_fail(reason, HQ_EIO, "the disk is gone: %s", key->column);
    uint64_t values = self->values ? self->values : VALUES;
    *column_r = column_new(HQ_FLOAT64, values, values, 0, SIZE_MAX / 2);
    for (uint64_t i = 0; i < values; i++)
        ((double *)(*column_r)->values)[i] = (double)key->first;
    return HQ_OK;
}

static void load_all(void *context, hq_cache_want *const *wants, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wants[i]->error = load(context, &wants[i]->key, &wants[i]->column, wants[i]->reason);
}

static hq_error get_one(hq_cache *cache, const hq_cache_key *key, slow_disk *disk, hq_cache_entry **entry_r,
                        bool *was_hit_r, hq_reason *reason)
{
    hq_cache_want want = {.key = *key};
    hq_error error = cache_get(cache, &want, 1, load_all, disk, reason);
    *entry_r = want.entry;
    *was_hit_r = want.was_hit;
    return error;
}

static hq_cache_key key_of(uint64_t number)
{
    hq_cache_key key = {.tree = "events", .column = "Muon_pt", .first = number, .last = number + VALUES};
    memset(&key.file, 7, sizeof key.file);
    return key;
}

/* One use of one column; true if it was there. */
static bool use(hq_cache *cache, uint64_t number, slow_disk *disk)
{
    hq_cache_key key = key_of(number);
    hq_cache_entry *entry = NULL;
    bool was_hit = false;
    assert_int_equal(get_one(cache, &key, disk, &entry, &was_hit, NULL), HQ_OK);
    const hq_column *column = cache_entry_column(entry);
    assert_true(((const double *)column->values)[column->entries - 1] == (double)number);
    cache_release(cache, &entry);
    assert_null(entry);
    return was_hit;
}

static void a_second_use_is_a_hit(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    assert_false(use(cache, 1, &disk));
    assert_true(use(cache, 1, &disk));
    assert_false(use(cache, 2, &disk));
    assert_int_equal(atomic_load(&disk.loads), 2);
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.misses, 2);
    assert_int_equal(counts.entries, 2);
    assert_int_equal(counts.bytes, 2 * unit_bytes());
    assert_int_equal(counts.loaded_bytes, 2 * unit_bytes());
    assert_int_equal(counts.evictions, 0);
    cache_free(&cache);
    assert_null(cache);
    cache_free(&cache);
}

static void every_part_of_the_key_counts(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(100 * unit_bytes());
    hq_cache_key keys[7];
    for (int i = 0; i < 7; i++)
        keys[i] = key_of(1);
    keys[1].file.bytes[15] ^= 1;
    keys[2].column = "Muon_p";
    keys[3].first = 2;
    keys[4].last++;
    keys[5].tree = "event";
    keys[6].tree = NULL;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 7; i++) {
            hq_cache_entry *entry;
            bool was_hit;
            assert_int_equal(get_one(cache, &keys[i], &disk, &entry, &was_hit, NULL), HQ_OK);
            assert_int_equal(was_hit, round);
            cache_release(cache, &entry);
        }
    cache_free(&cache);
}

typedef struct asker {
    pthread_t thread;
    hq_cache *cache;
    slow_disk *disk;
    hq_error error;
    hq_reason reason;
    const hq_column *column;
    hq_cache_entry *entry;
} asker;

static void *ask(void *argument)
{
    asker *self = argument;
    hq_cache_key key = key_of(1);
    bool was_hit;
    self->error = get_one(self->cache, &key, self->disk, &self->entry, &was_hit, &self->reason);
    if (self->error == HQ_OK)
        self->column = cache_entry_column(self->entry);
    return NULL;
}

enum { ASKERS = 100 };

/* Lets a hundred threads ask for one column while its load is held up, then lets the load go on. */
static void ask_all_at_once(hq_cache *cache, slow_disk *disk, asker askers[ASKERS])
{
    disk->gate = true;
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (asker){.cache = cache, .disk = disk};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    pthread_mutex_lock(&disk->lock);
    while (!disk->is_inside)
        pthread_cond_wait(&disk->changed, &disk->lock);
    disk->gate = false;
    pthread_cond_broadcast(&disk->changed);
    pthread_mutex_unlock(&disk->lock);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(askers[i].thread, NULL);
}

static void a_hundred_threads_share_one_load(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    asker askers[ASKERS];
    ask_all_at_once(cache, &disk, askers);
    assert_int_equal(atomic_load(&disk.loads), 1);
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(counts.hits, ASKERS - 1);
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(askers[i].error, HQ_OK);
        assert_ptr_equal(askers[i].column, askers[0].column);
        cache_release(cache, &askers[i].entry);
    }
    cache_free(&cache);
}

static void a_failed_load_is_told_to_all_and_tried_again(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    asker askers[ASKERS];
    atomic_store(&disk.fails, true);
    ask_all_at_once(cache, &disk, askers);
    int loads = atomic_load(&disk.loads);
    assert_in_range(loads, 1, ASKERS); /* who came after the failure tried again */
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(askers[i].error, HQ_EIO);
        assert_string_equal(askers[i].reason.text, "the disk is gone: Muon_pt");
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.failures, loads);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.hits, 0);
    atomic_store(&disk.fails, false);
    assert_false(use(cache, 1, &disk));
    assert_true(use(cache, 1, &disk));
    cache_free(&cache);
}

static void the_limit_holds(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    for (uint64_t i = 0; i < 100; i++) {
        use(cache, i, &disk);
        hq_cache_counts counts;
        cache_count(cache, &counts);
        assert_true(counts.bytes <= counts.limit_bytes);
        assert_int_equal(counts.entries, i < 10 ? i + 1 : 10);
    }
    cache_free(&cache);
}

static void what_is_in_use_stays(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    hq_cache_entry *held[15];
    for (uint64_t i = 0; i < 15; i++) {
        hq_cache_key key = key_of(i);
        bool was_hit;
        assert_int_equal(get_one(cache, &key, &disk, &held[i], &was_hit, NULL), HQ_OK);
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.entries, 15); /* over the limit, since all is held */
    for (uint64_t i = 0; i < 15; i++) {
        assert_true(((const double *)cache_entry_column(held[i])->values)[0] == (double)i);
        cache_release(cache, &held[i]);
    }
    cache_count(cache, &counts);
    assert_int_equal(counts.entries, 10);
    assert_true(counts.bytes <= counts.limit_bytes);
    cache_free(&cache);
}

static void a_column_over_the_limit_pushes_nothing_out(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    for (uint64_t i = 0; i < 10; i++)
        use(cache, i, &disk);
    disk.values = 20 * VALUES;
    hq_cache_key key = key_of(77);
    hq_cache_entry *entry, *again;
    bool was_hit;
    assert_int_equal(get_one(cache, &key, &disk, &entry, &was_hit, NULL), HQ_OK);
    assert_int_equal(get_one(cache, &key, &disk, &again, &was_hit, NULL), HQ_OK);
    assert_true(was_hit);
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.entries, 11);
    cache_release(cache, &entry);
    assert_true(((const double *)cache_entry_column(again)->values)[0] == 77);
    cache_release(cache, &again);
    cache_count(cache, &counts);
    assert_int_equal(counts.entries, 10);
    disk.values = 0;
    for (uint64_t i = 0; i < 10; i++)
        assert_true(use(cache, i, &disk));
    cache_free(&cache);
}

static void a_cache_of_no_bytes_still_serves(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(0);
    for (uint64_t i = 0; i < 20; i++)
        assert_false(use(cache, i % 2, &disk));
    cache_free(&cache);
}

/* The yardstick: hits of a plain LRU of so many columns on the same trace. */
typedef struct lru_list {
    uint64_t numbers[64];
    size_t count, limit;
} lru_list;

static bool lru_use(lru_list *lru, uint64_t number)
{
    size_t at = 0;
    while (at < lru->count && lru->numbers[at] != number)
        at++;
    bool was_hit = at < lru->count;
    if (!was_hit && lru->count < lru->limit)
        lru->count++;
    else if (!was_hit)
        at--;
    memmove(lru->numbers + 1, lru->numbers, at * sizeof *lru->numbers);
    lru->numbers[0] = number;
    return was_hit;
}

static void a_scan_leaves_what_is_used_often(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    lru_list yardstick = {.limit = 40};
    hq_cache *cache = cache_new(40 * unit_bytes());
    int hits = 0, lru_hits = 0, uses = 0;
    uint64_t scanned = 1000;
    for (int round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 20; i++, uses++) { /* the working set … */
            hits += use(cache, i, &disk);
            lru_hits += lru_use(&yardstick, i);
        }
        for (int i = 0; i < 60; i++, scanned++) { /* … and between its uses a scan longer than the cache */
            use(cache, scanned, &disk);
            lru_use(&yardstick, scanned);
        }
    }
    assert_int_equal(lru_hits, 0);
    assert_true(hits >= uses * 9 / 10);
    cache_free(&cache);
}

static void a_loop_longer_than_the_cache_keeps_its_share(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    lru_list yardstick = {.limit = 40};
    hq_cache *cache = cache_new(40 * unit_bytes());
    int hits = 0, lru_hits = 0, uses = 0;
    for (int round = 0; round < 20; round++)
        for (uint64_t i = 0; i < 80; i++, uses++) {
            hits += use(cache, i, &disk);
            lru_hits += lru_use(&yardstick, i);
        }
    assert_int_equal(lru_hits, 0);
    assert_true(hits >= uses * 2 / 5); /* of a half that is possible */
    cache_free(&cache);
}

static void a_new_working_set_takes_over(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(40 * unit_bytes());
    for (int round = 0; round < 20; round++)
        for (uint64_t i = 0; i < 36; i++)
            use(cache, i, &disk);
    int hits = 0;
    for (int round = 0; round < 6; round++)
        for (uint64_t i = 100; i < 136; i++)
            hits = use(cache, i, &disk) + (round == 5 && i > 100 ? hits : 0);
    assert_int_equal(hits, 36);

    /* The same for one twice as long as the memory: its share, as if it had been the first. */
    for (int round = 0; round < 10; round++)
        for (uint64_t i = 200; i < 280; i++)
            hits = use(cache, i, &disk) + (round == 9 && i > 200 ? hits : 0);
    assert_true(hits >= 32);
    cache_free(&cache);
}

static void evictions_are_reported_once_a_partition(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    hq_hash partitions[64];
    for (uint64_t i = 0; i < 5; i++)
        for (int column = 0; column < 2; column++) {
            hq_cache_key key = key_of(i);
            key.column = column ? "Muon_pt" : "Muon_eta";
            hq_cache_entry *entry;
            bool was_hit;
            assert_int_equal(get_one(cache, &key, &disk, &entry, &was_hit, NULL), HQ_OK);
            cache_release(cache, &entry);
        }
    assert_int_equal(cache_take_evicted(cache, partitions, 64), 0);
    /* Six columns, one by one, pass through the small part: the first pushes out the one column there. */
    for (uint64_t i = 10; i < 16; i++)
        use(cache, i, &disk);
    assert_int_equal(cache_take_evicted(cache, partitions, 2), 2);
    hq_cache_key first = key_of(4), second = key_of(10);
    hq_hash expected = partition_identity(&first.file, "events", first.first, first.last);
    assert_memory_equal(&partitions[0], &expected, sizeof expected);
    expected = partition_identity(&second.file, "events", second.first, second.last);
    assert_memory_equal(&partitions[1], &expected, sizeof expected);
    assert_int_equal(cache_take_evicted(cache, partitions, 64), 4);
    assert_int_equal(cache_take_evicted(cache, partitions, 64), 0);
    cache_free(&cache);
}

/* However many went before anybody asked, and whatever part of them is taken at once. */
static void no_eviction_is_lost(void **state)
{
    (void)state;
    enum { COUNT = 20000, AT_ONCE = 4096 };
    slow_disk disk = disk_new();
    disk.values = 1;
    hq_cache *cache = cache_new(0);
    hq_hash *partitions = hq_calloc(COUNT, sizeof *partitions);
    size_t taken = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        use(cache, i, &disk);
        if (i % 7000 == 6999)
            taken += cache_take_evicted(cache, partitions + taken, AT_ONCE);
    }
    assert_int_equal(taken, 2 * AT_ONCE);
    for (size_t now;
         (now = cache_take_evicted(cache, partitions + taken, COUNT - taken < AT_ONCE ? COUNT - taken : AT_ONCE)) > 0;)
        taken += now;
    assert_int_equal(taken, COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        hq_cache_key key = key_of(i);
        hq_hash expected = partition_identity(&key.file, "events", key.first, key.last);
        assert_memory_equal(&partitions[i], &expected, sizeof expected);
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.evictions, COUNT);
    assert_int_equal(counts.evictions_untold, 0);
    free(partitions);
    cache_free(&cache);
}

/* If nobody ever asks, memory for it has an end: the oldest are dropped, and counted. */
static void untaken_reports_are_bounded_and_counted(void **state)
{
    (void)state;
    enum { MOST = 1 << 20, MORE = 1000 };
    slow_disk disk = disk_new();
    disk.values = 1;
    hq_cache *cache = cache_new(0);
    for (uint64_t i = 0; i < MOST + MORE; i++)
        use(cache, i, &disk);
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.evictions, MOST + MORE);
    assert_int_equal(counts.evictions_untold, MORE);
    hq_hash *partitions = hq_calloc(MOST + 1, sizeof *partitions);
    assert_int_equal(cache_take_evicted(cache, partitions, MOST + 1), MOST);
    for (uint64_t i = 0; i < MOST; i += MOST - 1) {
        hq_cache_key key = key_of(MORE + i);
        hq_hash expected = partition_identity(&key.file, "events", key.first, key.last);
        assert_memory_equal(&partitions[i], &expected, sizeof expected);
    }
    free(partitions);
    cache_free(&cache);
}

/* --- ahead, and several at once --- */

/* Loads a column ahead and lets it go; true if the cache has it now. */
static bool load_ahead(hq_cache *cache, uint64_t number, slow_disk *disk)
{
    hq_cache_want want = {.key = key_of(number)};
    assert_int_equal(cache_get_ahead(cache, &want, 1, load_all, disk, NULL), HQ_OK);
    bool is_there = want.entry != NULL;
    cache_release(cache, &want.entry);
    return is_there;
}

static void loading_ahead_is_no_use(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    hq_cache_counts counts;
    assert_true(load_ahead(cache, 1, &disk));
    assert_true(load_ahead(cache, 1, &disk));
    assert_false(use(cache, 1, &disk)); /* it had to be read, though not now */
    assert_true(use(cache, 1, &disk));
    assert_true(load_ahead(cache, 1, &disk));
    assert_true(use(cache, 1, &disk));
    assert_int_equal(atomic_load(&disk.loads), 1);
    cache_count(cache, &counts);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(counts.hits, 2);
    assert_int_equal(counts.ahead_used, 1);
    for (uint64_t i = 10; i < 30; i++)
        load_ahead(cache, i, &disk);
    cache_count(cache, &counts);
    assert_int_equal(counts.misses, 21);
    assert_int_equal(counts.ahead_used, 1);
    assert_int_equal(counts.ahead_wasted, counts.evictions);
    assert_in_range(counts.ahead_wasted, 11, 12);
    cache_free(&cache);
}

static void a_failed_load_ahead_leaves_nothing(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    hq_cache_want wants[2] = {{.key = key_of(1)}, {.key = key_of(2)}};
    hq_reason reason = {{0}};
    use(cache, 1, &disk);
    atomic_store(&disk.fails, true);
    assert_int_equal(cache_get_ahead(cache, wants, 2, load_all, &disk, &reason), HQ_EIO);
    assert_string_equal(reason.text, "the disk is gone: Muon_pt");
    assert_null(wants[0].entry);
    assert_null(wants[1].entry);
    atomic_store(&disk.fails, false);
    assert_false(use(cache, 2, &disk));
    assert_true(use(cache, 1, &disk));
    cache_free(&cache);
}

static void a_scan_read_ahead_leaves_what_is_used_often(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(40 * unit_bytes());
    int hits = 0, uses = 0;
    uint64_t scanned = 1000;
    for (int round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 20; i++, uses++) {
            load_ahead(cache, i, &disk);
            hits += use(cache, i, &disk);
        }
        for (int i = 0; i < 60; i++, scanned++) {
            load_ahead(cache, scanned, &disk);
            assert_false(use(cache, scanned, &disk));
        }
    }
    assert_true(hits >= uses * 9 / 10);
    cache_free(&cache);
}

/* Counts how many columns it is asked for at once; the second fails if it is told to. */
static void load_counted(void *context, hq_cache_want *const *wants, size_t count)
{
    slow_disk *disk = context;
    disk->values = 10 * disk->values + count;
    for (size_t i = 0; i < count; i++) {
        wants[i]->column = column_new(HQ_FLOAT64, VALUES, VALUES, 0, SIZE_MAX / 2);
        if (i == 1 && atomic_load(&disk->fails)) {
            column_free(&wants[i]->column);
            wants[i]->error = hq_fail(wants[i]->reason, HQ_EFORMAT, "damaged: %d", (int)wants[i]->key.first);
        }
    }
}

static void several_at_once_are_loaded_in_one_call(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(100 * unit_bytes());
    hq_cache_want wants[20];
    for (uint64_t i = 0; i < 20; i++)
        wants[i].key = key_of(i);
    assert_int_equal(cache_get(cache, wants, 3, load_counted, &disk, NULL), HQ_OK);
    for (int i = 0; i < 3; i++) {
        assert_false(wants[i].was_hit);
        cache_release(cache, &wants[i].entry);
    }
    assert_int_equal(cache_get(cache, wants + 1, 19, load_counted, &disk, NULL), HQ_OK);
    assert_int_equal(disk.values, 3 * 10 + 17);
    for (int i = 1; i < 20; i++) {
        assert_int_equal(wants[i].was_hit, i < 3);
        assert_int_equal(cache_entry_column(wants[i].entry)->entries, VALUES);
        cache_release(cache, &wants[i].entry);
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_int_equal(counts.hits, 2);
    assert_int_equal(counts.misses, 20);

    for (uint64_t i = 0; i < 4; i++)
        wants[i].key = key_of(18 + i); /* two that are there, one that goes well, one that does not */
    atomic_store(&disk.fails, true);
    hq_reason reason = {{0}};
    assert_int_equal(cache_get(cache, wants, 4, load_counted, &disk, &reason), HQ_EFORMAT);
    assert_string_equal(reason.text, "damaged: 21");
    for (int i = 0; i < 4; i++)
        assert_null(wants[i].entry);
    disk.values = 0;
    atomic_store(&disk.fails, false);
    assert_int_equal(cache_get(cache, wants, 4, load_counted, &disk, &reason), HQ_OK);
    assert_int_equal(disk.values, 1); /* what went well is there */
    for (int i = 0; i < 4; i++)
        cache_release(cache, &wants[i].entry);
    cache_free(&cache);
}

static void load_cancelled(void *context, hq_cache_want *const *wants, size_t count)
{
    load_all(context, wants, count);
    for (size_t i = 0; i < count; i++) {
        column_free(&wants[i]->column);
        wants[i]->error = hq_fail(wants[i]->reason, HQ_ECANCELLED, "cancelled");
    }
}

static void *ask_and_cancel(void *argument)
{
    asker *self = argument;
    hq_cache_want want = {.key = key_of(1)};
    self->error = cache_get(self->cache, &want, 1, load_cancelled, self->disk, &self->reason);
    return NULL;
}

static void who_waited_for_a_cancelled_load_makes_it(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(10 * unit_bytes());
    disk.gate = true;
    asker first = {.cache = cache, .disk = &disk}, second = first;
    assert_int_equal(pthread_create(&first.thread, NULL, ask_and_cancel, &first), 0);
    pthread_mutex_lock(&disk.lock);
    while (!disk.is_inside)
        pthread_cond_wait(&disk.changed, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
    assert_int_equal(pthread_create(&second.thread, NULL, ask, &second), 0);
    pthread_mutex_lock(&disk.lock);
    disk.gate = false;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(first.error, HQ_ECANCELLED);
    assert_int_equal(second.error, HQ_OK);
    assert_int_equal(atomic_load(&disk.loads), 2);
    cache_release(cache, &second.entry);
    cache_free(&cache);
}

/* Wants three columns of ten at a time, in changing order, for use or ahead. */
static void *walk_in_threes(void *argument)
{
    asker *self = argument;
    uint64_t seed = self->reason.text[0], wrong = 0;
    for (int i = 0; i < 3000; i++) {
        hq_cache_want wants[3];
        seed = hash_mix(seed + 0x9e3779b97f4a7c15u);
        uint64_t begin = seed % 10, step = seed / 10 % 2 ? 1 : 9;
        for (uint64_t k = 0; k < 3; k++)
            wants[k].key = key_of((begin + k * step) % 10);
        bool is_ahead = seed / 20 % 3 == 0;
        wrong += (is_ahead ? cache_get_ahead : cache_get)(self->cache, wants, 3, load_all, self->disk, NULL) != HQ_OK;
        for (int k = 0; k < 3; k++) {
            const hq_cache_entry *entry = wants[k].entry;
            wrong += !is_ahead && !entry;
            wrong += entry && ((const double *)cache_entry_column(entry)->values)[9] != (double)wants[k].key.first;
            cache_release(self->cache, &wants[k].entry);
        }
    }
    self->error = wrong ? HQ_EINTERNAL : HQ_OK;
    return NULL;
}

static void many_threads_share_several_columns(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(5 * unit_bytes());
    asker askers[8];
    for (int i = 0; i < 8; i++) {
        askers[i] = (asker){.cache = cache, .disk = &disk};
        askers[i].reason.text[0] = (char)(i + 1);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, walk_in_threes, &askers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].error, HQ_OK);
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_true(counts.bytes <= counts.limit_bytes);
    assert_int_equal(counts.misses, atomic_load(&disk.loads));
    cache_free(&cache);
}

typedef struct walker {
    pthread_t thread;
    hq_cache *cache;
    slow_disk *disk;
    uint64_t seed, wrong, over;
} walker;

/* Uses columns at random, holding a few at a time; cmocka's assertions are for the main thread only. */
static void *walk(void *argument)
{
    walker *self = argument;
    hq_cache_entry *held[4] = {NULL};
    for (int i = 0; i < 4000; i++) {
        self->seed = hash_mix(self->seed + 0x9e3779b97f4a7c15u);
        uint64_t number = self->seed % 7 ? self->seed % 12 : self->seed % 200;
        hq_cache_key key = key_of(number);
        bool was_hit;
        cache_release(self->cache, &held[i % 4]);
        hq_error error = get_one(self->cache, &key, self->disk, &held[i % 4], &was_hit, NULL);
        if (error) {
            held[i % 4] = NULL;
            self->wrong += error != HQ_EIO;
            continue;
        }
        const hq_column *column = cache_entry_column(held[i % 4]);
        self->wrong += ((const double *)column->values)[VALUES - 1] != (double)number;
        hq_cache_counts counts;
        cache_count(self->cache, &counts);
        /* Eight threads hold at most 32 columns; the rest must fit. */
        self->over += counts.bytes > counts.limit_bytes + 32 * column->bytes;
        if (i % 64 == 0) {
            hq_hash partitions[16];
            cache_take_evicted(self->cache, partitions, 16);
            atomic_store(&self->disk->fails, i % 512 == 0);
        }
    }
    for (int i = 0; i < 4; i++)
        cache_release(self->cache, &held[i]);
    return NULL;
}

static void many_threads_find_what_they_asked_for(void **state)
{
    (void)state;
    slow_disk disk = disk_new();
    hq_cache *cache = cache_new(40 * unit_bytes());
    walker walkers[8];
    for (uint64_t i = 0; i < 8; i++) {
        walkers[i] = (walker){.cache = cache, .disk = &disk, .seed = i};
        assert_int_equal(pthread_create(&walkers[i].thread, NULL, walk, &walkers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(walkers[i].thread, NULL);
        assert_int_equal(walkers[i].wrong, 0);
        assert_int_equal(walkers[i].over, 0);
    }
    hq_cache_counts counts;
    cache_count(cache, &counts);
    assert_true(counts.bytes <= counts.limit_bytes);
    assert_true(counts.hits > counts.misses);
    assert_int_equal(counts.misses, atomic_load(&disk.loads));
    cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_use_is_a_hit),
        cmocka_unit_test(every_part_of_the_key_counts),
        cmocka_unit_test(a_hundred_threads_share_one_load),
        cmocka_unit_test(a_failed_load_is_told_to_all_and_tried_again),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(what_is_in_use_stays),
        cmocka_unit_test(a_column_over_the_limit_pushes_nothing_out),
        cmocka_unit_test(a_cache_of_no_bytes_still_serves),
        cmocka_unit_test(a_scan_leaves_what_is_used_often),
        cmocka_unit_test(a_loop_longer_than_the_cache_keeps_its_share),
        cmocka_unit_test(a_new_working_set_takes_over),
        cmocka_unit_test(evictions_are_reported_once_a_partition),
        cmocka_unit_test(no_eviction_is_lost),
        cmocka_unit_test(untaken_reports_are_bounded_and_counted),
        cmocka_unit_test(loading_ahead_is_no_use),
        cmocka_unit_test(a_failed_load_ahead_leaves_nothing),
        cmocka_unit_test(a_scan_read_ahead_leaves_what_is_used_often),
        cmocka_unit_test(several_at_once_are_loaded_in_one_call),
        cmocka_unit_test(who_waited_for_a_cancelled_load_makes_it),
        cmocka_unit_test(many_threads_share_several_columns),
        cmocka_unit_test(many_threads_find_what_they_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
