#include "tests/store/suite.h"

#include <math.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/backend.h"

enum { TIMEOUT_MS = 60000, KEEP_MS = 3600 * 1000 };

static const char *address; /* cmocka's group set-up takes no argument to hand it through */

hq_store *suite_open(const char *at, int64_t keep_ms)
{
    hq_store *store;
    hq_reason reason = {""};
    assert_done(store_open(at, TIMEOUT_MS, keep_ms, &store, &reason));
    return store;
}

void suite_assert(hq_error got, hq_error wanted, const hq_reason *reason, const char *file, int line)
{
    if (got == wanted)
        return;
    print_error("%s:%d: %s (%s) instead of %s\n", file, line, hq_error_name(got), got == HQ_OK ? "" : reason->text,
                hq_error_name(wanted));
    fail();
}

hq_partial *suite_partials(size_t count, uint32_t size)
{
    hq_partial *partials = hq_calloc(count, sizeof *partials);
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = hq_alloc(size);
        for (uint32_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)hash_mix((uint64_t)i << 32 | k);
        partials[i] = (hq_partial){hash_random(), i * 1000, bytes, size};
    }
    return partials;
}

void suite_free_partials(hq_partial *partials, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)partials[i].bytes);
    free(partials);
}

void suite_gather(void *context, const hq_partial *partial)
{
    suite_gathered *gathered = context;
    for (size_t i = 0; i < gathered->count; i++) {
        const hq_partial *wanted = &gathered->wanted[i];
        if (memcmp(&wanted->partition, &partial->partition, sizeof partial->partition) != 0)
            continue;
        if (wanted->entries != partial->entries || wanted->size != partial->size ||
            (wanted->size && memcmp(wanted->bytes, partial->bytes, wanted->size) != 0))
            gathered->wrong++;
        gathered->found += !gathered->seen[i];
        gathered->seen[i] = 1;
        return;
    }
    gathered->wrong++;
}

size_t suite_count(hq_store *store, const hq_hash *program, const hq_partial *wanted, size_t count)
{
    hq_reason reason = {""};
    suite_gathered gathered = {wanted, count, 0, 0, hq_calloc(count, 1)};
    assert_done(store_get_partials(store, program, suite_gather, &gathered, &reason));
    assert_int_equal(gathered.wrong, 0);
    free(gathered.seen);
    return gathered.found;
}

/* --- results and the journal --- */

static int set_up(void **state)
{
    hq_reason reason = {""};
    hq_store *store = suite_open(address, KEEP_MS);
    assert_done(store_prepare(store, &reason));
    assert_done(store_flush(store, &reason));
    *state = store;
    return 0;
}

static int tear_down(void **state)
{
    hq_store *store = *state;
    store_close(&store);
    assert_null(store);
    return 0;
}

static bson_t *some_document(int number)
{
    return BCON_NEW("number", BCON_INT32(number), "text", BCON_UTF8("Z → μμ"), "nested", "{", "array", "[",
                    BCON_INT64(1), BCON_DOUBLE(0.5), "]", "}", "time", BCON_DATE_TIME(1234567890123), "yes",
                    BCON_BOOL(true));
}

static void assert_same(const bson_t *one, const bson_t *other)
{
    if (bson_equal(one, other))
        return;
    char *one_text = bson_as_canonical_extended_json(one, NULL),
         *other_text = bson_as_canonical_extended_json(other, NULL);
    print_error("%s\n%s\n", one_text, other_text);
    bson_free(one_text);
    bson_free(other_text);
    fail();
}

static void a_result_comes_back_as_it_was_put(void **state)
{
    hq_reason reason = {""};
    hq_hash key = hash_random(), other = hash_random();
    bson_t *put = some_document(1), *got = NULL;
    assert_error(store_get_result(*state, &key, &got, &reason), HQ_ENOTFOUND);
    assert_null(got);
    int64_t begun_ms = hq_wall_ms(), expires_ms;
    char id[HQ_HASH_TEXT];
    hash_to_text(&key, id);
    assert_error(store_get_expiry(*state, HQ_COLLECTION_RESULTS, id, &expires_ms, &reason), HQ_ENOTFOUND);
    assert_done(store_put_result(*state, &key, put, &reason));
    assert_done(store_get_result(*state, &key, &got, &reason));
    assert_same(got, put);
    assert_error(store_get_result(*state, &other, &(bson_t *){NULL}, &reason), HQ_ENOTFOUND);
    assert_done(store_get_expiry(*state, HQ_COLLECTION_RESULTS, id, &expires_ms, &reason));
    assert_true(expires_ms >= begun_ms + KEEP_MS && expires_ms <= hq_wall_ms() + KEEP_MS);
    assert_done(store_put_journal(*state, &key, put, &reason));
    assert_done(store_get_expiry(*state, HQ_COLLECTION_QUERIES, id, &expires_ms, &reason));
    assert_int_equal(expires_ms, 0);
    bson_destroy(got);
    bson_destroy(put);
}

static void a_result_is_replaced(void **state)
{
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *got = NULL;
    for (int i = 0; i < 3; i++) {
        bson_t *put = some_document(i);
        assert_done(store_put_result(*state, &key, put, &reason));
        assert_done(store_put_result(*state, &key, put, &reason));
        assert_done(store_get_result(*state, &key, &got, &reason));
        assert_same(got, put);
        bson_destroy(got);
        bson_destroy(put);
    }
}

static void what_the_store_adds_is_its_own(void **state)
{
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *put = BCON_NEW("_id", BCON_INT32(1), "expires", BCON_INT32(2), "mine", BCON_INT32(3)), *got = NULL;
    bson_t *wanted = BCON_NEW("mine", BCON_INT32(3));
    assert_done(store_put_result(*state, &key, put, &reason));
    assert_done(store_get_result(*state, &key, &got, &reason));
    assert_same(got, wanted);
    bson_destroy(got);
    bson_destroy(wanted);
    bson_destroy(put);
}

static void a_large_result_comes_back(void **state)
{
    enum { SIZE = 10 * 1024 * 1024 };
    hq_reason reason = {""};
    hq_hash key = hash_random();
    uint8_t *bytes = hq_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)hash_mix(i);
    bson_t *put = bson_new(), *got = NULL;
    BSON_APPEND_BINARY(put, "bins", BSON_SUBTYPE_BINARY, bytes, SIZE);
    assert_done(store_put_result(*state, &key, put, &reason));
    assert_done(store_get_result(*state, &key, &got, &reason));
    assert_true(bson_equal(put, got));
    bson_destroy(got);
    BSON_APPEND_BINARY(put, "more", BSON_SUBTYPE_BINARY, bytes, SIZE * 7 / 10);
    assert_error(store_put_result(*state, &key, put, &reason), HQ_ELIMIT);
    bson_destroy(put);
    free(bytes);
}

static void what_not_every_server_takes_is_refused(void **state)
{
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *wrong[] = {
        BCON_NEW("a", "{", "mean", BCON_DOUBLE(NAN), "}"),
        BCON_NEW("a", "[", BCON_DOUBLE(INFINITY), "]"),
        BCON_NEW("a.b", BCON_INT32(1)),
        BCON_NEW("a", "{", "$set", BCON_INT32(1), "}"),
        BCON_NEW("a", BCON_UTF8("\xff\xfe")),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_error(store_put_result(*state, &key, wrong[i], &reason), HQ_EINVAL);
        assert_error(store_put_journal(*state, &key, wrong[i], &reason), HQ_EINVAL);
        bson_destroy(wrong[i]);
    }
}

static void the_journal_keeps_the_latest_and_outlives_a_flush(void **state)
{
    hq_reason reason = {""};
    hq_hash query = hash_random();
    bson_t *first = some_document(1), *second = some_document(2), *got = NULL;
    assert_error(store_get_journal(*state, &query, &got, &reason), HQ_ENOTFOUND);
    assert_done(store_put_journal(*state, &query, first, &reason));
    assert_done(store_put_journal(*state, &query, second, &reason));
    assert_done(store_put_result(*state, &query, first, &reason));
    assert_done(store_flush(*state, &reason));
    assert_error(store_get_result(*state, &query, &got, &reason), HQ_ENOTFOUND);
    assert_done(store_get_journal(*state, &query, &got, &reason));
    assert_same(got, second);
    bson_destroy(got);
    bson_destroy(first);
    bson_destroy(second);
}

/* --- partials --- */

static void partials_come_back_as_they_were_put(void **state)
{
    static const uint8_t all[256] = {0x00, 0xff, 0x7f, 0xf0, 0x7f, 0xf8}; /* zeros, NaN, infinity: any bytes */
    double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324};
    hq_reason reason = {""};
    hq_hash program = hash_random(), other = hash_random();
    hq_partial partials[] = {
        {hash_random(), 0, all, sizeof all}, {hash_random(), UINT64_MAX, odd, sizeof odd}, {hash_random(), 7, NULL, 0}};
    assert_done(store_put_partials(*state, &program, partials, 0, &reason));
    assert_int_equal(suite_count(*state, &program, partials, 3), 0);
    assert_done(store_put_partials(*state, &program, partials, 3, &reason));
    assert_int_equal(suite_count(*state, &program, partials, 3), 3);
    assert_int_equal(suite_count(*state, &other, partials, 3), 0);
}

static void five_thousand_partials_and_again_and_in_other_packs(void **state)
{
    enum { COUNT = 5000, SIZE = 2000 };
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, SIZE);
    assert_done(store_put_partials(*state, &program, partials, COUNT, &reason));
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    assert_done(store_put_partials(*state, &program, partials, COUNT, &reason));
    assert_done(store_put_partials(*state, &program, partials + 10, 500, &reason));
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    assert_int_equal(store_bad_count(*state), 0);
    suite_free_partials(partials, COUNT);
}

static void some_of_them_there_already(void **state)
{
    enum { COUNT = 6, SIZE = 3 * 1024 * 1024 }; /* each fills a pack */
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, SIZE);
    assert_done(store_put_partials(*state, &program, partials + 2, 2, &reason));
    assert_done(store_put_partials(*state, &program, partials, COUNT, &reason));
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    suite_free_partials(partials, COUNT);
}

static void more_partials_than_a_message_holds_come_back(void **state)
{
    enum { COUNT = 17, SIZE = 3 * 1024 * 1024 }; /* together more than the 48 MB of a MongoDB message */
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, SIZE);
    assert_done(store_put_partials(*state, &program, partials, COUNT, &reason));
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    assert_done(store_flush(*state, &reason));
    suite_free_partials(partials, COUNT);
}

static void a_partial_beyond_a_document_is_refused(void **state)
{
    enum { LARGE = 15 * 1024 * 1024, TOO_LARGE = 16 * 1024 * 1024 };
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(1, TOO_LARGE);
    assert_error(store_put_partials(*state, &program, partials, 1, &reason), HQ_ELIMIT);
    partials[0].size = LARGE;
    assert_done(store_put_partials(*state, &program, partials, 1, &reason));
    assert_int_equal(suite_count(*state, &program, partials, 1), 1);
    suite_free_partials(partials, 1);
}

/* --- plans --- */

typedef struct gathered_plans {
    const hq_record *wanted;
    size_t count, found, wrong;
} gathered_plans;

static void gather_plan(void *context, const hq_record *record)
{
    gathered_plans *gathered = context;
    for (size_t i = 0; i < gathered->count; i++) {
        const hq_record *wanted = &gathered->wanted[i];
        if (memcmp(&wanted->key, &record->key, sizeof record->key) != 0)
            continue;
        gathered->found++;
        if (wanted->size != record->size || (wanted->size && memcmp(wanted->bytes, record->bytes, wanted->size) != 0))
            gathered->wrong++;
        return;
    }
    gathered->wrong++;
}

/* How many of the records come back, each once and as it was put. */
static size_t count_plans(hq_store *store, const hq_record *records, size_t count)
{
    hq_reason reason = {""};
    gathered_plans gathered = {records, count, 0, 0};
    hq_hash *keys = hq_calloc(count + 1, sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = records[i].key;
    assert_done(store_get_plans(store, keys, count, gather_plan, &gathered, &reason));
    assert_int_equal(gathered.wrong, 0);
    free(keys);
    return gathered.found;
}

static hq_record *some_plans(size_t count, uint32_t size)
{
    hq_partial *partials = suite_partials(count, size);
    hq_record *records = hq_calloc(count, sizeof *records);
    for (size_t i = 0; i < count; i++)
        records[i] = (hq_record){partials[i].partition, partials[i].bytes, size};
    free(partials);
    return records;
}

static void free_plans(hq_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)records[i].bytes);
    free(records);
}

static void a_thousand_plans_come_back_as_they_were_put(void **state)
{
    enum { COUNT = 1000, SIZE = 300 };
    hq_reason reason = {""};
    hq_record *plans = some_plans(COUNT, SIZE);
    assert_int_equal(count_plans(*state, plans, COUNT), 0);
    assert_done(store_put_plans(*state, plans, 0, &reason));
    assert_done(store_put_plans(*state, plans, 700, &reason));
    assert_int_equal(count_plans(*state, plans, COUNT), 700);
    assert_done(store_put_plans(*state, plans, COUNT, &reason)); /* most of them there already */
    assert_int_equal(count_plans(*state, plans, COUNT), COUNT);
    assert_int_equal(count_plans(*state, plans, 0), 0);
    assert_int_equal(store_bad_count(*state), 0);
    free_plans(plans, COUNT);
}

static void a_plan_is_replaced_by_any_other_bytes(void **state)
{
    static const uint8_t any[] = {0x00, 0xff, 0x7f, 0x00};
    hq_reason reason = {""};
    hq_record plan = {hash_random(), "first", 5};
    assert_done(store_put_plans(*state, &plan, 1, &reason));
    plan.bytes = any;
    plan.size = sizeof any;
    assert_done(store_put_plans(*state, &plan, 1, &reason));
    assert_int_equal(count_plans(*state, &plan, 1), 1);
    plan.size = 0;
    assert_done(store_put_plans(*state, &plan, 1, &reason));
    assert_int_equal(count_plans(*state, &plan, 1), 1);
    assert_done(store_flush(*state, &reason));
    assert_int_equal(count_plans(*state, &plan, 1), 0);
}

static void large_plans_are_kept_and_too_large_ones_refused(void **state)
{
    enum { LARGE = 7 * 1024 * 1024, COUNT = 4 };
    hq_reason reason = {""};
    hq_record *plans = some_plans(COUNT, LARGE); /* more than one write takes */
    assert_done(store_put_plans(*state, plans, COUNT, &reason));
    assert_int_equal(count_plans(*state, plans, COUNT), COUNT);
    plans[1].size = 16 * 1024 * 1024; /* it is not looked at */
    assert_error(store_put_plans(*state, plans, COUNT, &reason), HQ_ELIMIT);
    free_plans(plans, COUNT);
}

/* --- time --- */

static void wait_until_past(int64_t wall_ms)
{
    while (hq_wall_ms() <= wall_ms)
        poll(NULL, 0, 1);
}

/* --- datasets, and what there is --- */

enum { LISTED_MAX = 32 };

typedef struct listed {
    size_t count;
    char ids[LISTED_MAX][HQ_HASH_TEXT];
    int32_t numbers[LISTED_MAX];
    int64_t expires_ms[LISTED_MAX], bytes[LISTED_MAX];
    size_t with_binaries, with_own;
} listed;

static void note_listed(void *context, const hq_stored *stored)
{
    listed *l = context;
    bson_iter_t at;
    assert_true(l->count < LISTED_MAX);
    snprintf(l->ids[l->count], HQ_HASH_TEXT, "%s", stored->id);
    l->numbers[l->count] = bson_iter_init_find(&at, stored->document, "number") ? bson_iter_int32(&at) : -1;
    l->expires_ms[l->count] = stored->expires_ms;
    l->bytes[l->count++] = stored->bytes;
    assert_true(bson_iter_init(&at, stored->document));
    while (bson_iter_next(&at)) {
        l->with_binaries += BSON_ITER_HOLDS_BINARY(&at);
        l->with_own += strcmp(bson_iter_key(&at), "_id") == 0 || strcmp(bson_iter_key(&at), "expires") == 0 ||
                       strcmp(bson_iter_key(&at), "size") == 0;
    }
}

static listed list_of(hq_store *store, hq_collection from, size_t limit)
{
    hq_reason reason = {""};
    listed l = {0};
    assert_done(store_list(store, from, limit, note_listed, &l, &reason));
    assert_int_equal(l.with_binaries + l.with_own, 0);
    return l;
}

static uint64_t removed_of(hq_store *store, hq_collection from, const char *id)
{
    hq_reason reason = {""};
    uint64_t removed = 99;
    assert_done(store_remove(store, from, id, &removed, &reason));
    return removed;
}

static void datasets_are_kept_by_name_until_they_are_removed(void **state)
{
    hq_reason reason = {""};
    bson_t *first = some_document(1), *second = some_document(2), *got = NULL;
    removed_of(*state, HQ_COLLECTION_DATASETS, NULL);
    assert_error(store_get_dataset(*state, "zmumu", &got, &reason), HQ_ENOTFOUND);
    assert_int_equal(list_of(*state, HQ_COLLECTION_DATASETS, 0).count, 0);
    assert_done(store_put_dataset(*state, "zmumu", first, &reason));
    assert_done(store_put_dataset(*state, "zmumu", second, &reason));
    assert_done(store_put_dataset(*state, "a.b-c_d", first, &reason));
    assert_done(store_flush(*state, &reason)); /* which is not for them */
    assert_done(store_get_dataset(*state, "zmumu", &got, &reason));
    assert_same(got, second);
    bson_destroy(got);
    listed all = list_of(*state, HQ_COLLECTION_DATASETS, 0);
    assert_int_equal(all.count, 2);
    assert_string_equal(all.ids[0], "a.b-c_d");
    assert_string_equal(all.ids[1], "zmumu");
    assert_int_equal(all.numbers[1], 2);
    assert_int_equal(all.expires_ms[0], 0);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_DATASETS, "zmumu"), 1);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_DATASETS, "zmumu"), 0);
    assert_error(store_get_dataset(*state, "zmumu", &got, &reason), HQ_ENOTFOUND);
    assert_int_equal(list_of(*state, HQ_COLLECTION_DATASETS, 0).count, 1);
    bson_destroy(first);
    bson_destroy(second);
}

static void results_are_listed_from_the_newest_on_without_their_bins(void **state)
{
    enum { RESULTS = 5, BINS = 100000 };
    hq_reason reason = {""};
    hq_hash keys[RESULTS];
    char id[HQ_HASH_TEXT];
    uint8_t *bins = hq_calloc(1, BINS);
    int64_t begun_ms = hq_wall_ms();
    for (int i = 0; i < RESULTS; i++) {
        keys[i] = hash_random();
        bson_t *document = some_document(i);
        BSON_APPEND_BINARY(document, "hists", BSON_SUBTYPE_BINARY, bins, BINS);
        assert_done(store_put_result(*state, &keys[i], document, &reason));
        bson_destroy(document);
        wait_until_past(hq_wall_ms());
    }
    listed all = list_of(*state, HQ_COLLECTION_RESULTS, 0), some = list_of(*state, HQ_COLLECTION_RESULTS, 2);
    assert_int_equal(all.count, RESULTS);
    assert_int_equal(some.count, 2);
    for (int i = 0; i < RESULTS; i++) {
        hash_to_text(&keys[RESULTS - 1 - i], id);
        assert_string_equal(all.ids[i], id);
        assert_int_equal(all.numbers[i], RESULTS - 1 - i);
        assert_true(all.expires_ms[i] >= begun_ms + KEEP_MS);
        assert_true(all.bytes[i] >= BINS && all.bytes[i] < BINS + 1000);
    }
    assert_string_equal(some.ids[1], all.ids[1]);

    bson_t *got = NULL;
    assert_int_equal(removed_of(*state, HQ_COLLECTION_RESULTS, all.ids[0]), 1);
    assert_error(store_get_result(*state, &keys[RESULTS - 1], &got, &reason), HQ_ENOTFOUND);
    assert_done(store_get_result(*state, &keys[0], &got, &reason));
    assert_false(bson_has_field(got, "size"));
    bson_destroy(got);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_RESULTS, NULL), RESULTS - 1);
    assert_int_equal(list_of(*state, HQ_COLLECTION_RESULTS, 0).count, 0);
    free(bins);
}

static void partials_are_listed_and_removed_by_their_program(void **state)
{
    enum { COUNT = 10, SIZE = 1000 };
    hq_reason reason = {""};
    hq_hash one = hash_random(), other = hash_random();
    char id[HQ_HASH_TEXT];
    hq_partial *partials = suite_partials(COUNT, SIZE);
    assert_done(store_put_partials(*state, &one, partials, COUNT, &reason));
    assert_done(store_put_partials(*state, &one, partials, COUNT / 2, &reason));
    assert_done(store_put_partials(*state, &other, partials, COUNT, &reason));
    listed all = list_of(*state, HQ_COLLECTION_PARTIALS, 0);
    assert_int_equal(all.count, 3);
    hash_to_text(&one, id);
    size_t of_one = 0;
    for (size_t i = 0; i < all.count; i++) {
        of_one += strcmp(all.ids[i], id) == 0;
        assert_true(all.bytes[i] >= COUNT / 2 * SIZE && all.bytes[i] < 2 * COUNT * SIZE);
    }
    assert_int_equal(of_one, 2);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_PARTIALS, id), 2);
    assert_int_equal(suite_count(*state, &one, partials, COUNT), 0);
    assert_int_equal(suite_count(*state, &other, partials, COUNT), COUNT);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_PARTIALS, NULL), 1);
    suite_free_partials(partials, COUNT);
}

static void the_journal_is_listed_from_the_newest_on(void **state)
{
    hq_reason reason = {""};
    removed_of(*state, HQ_COLLECTION_QUERIES, NULL);
    for (int i = 0; i < 4; i++) {
        hq_hash key = hash_random();
        bson_t *entry = BCON_NEW("number", BCON_INT32(i), "submitted", BCON_DATE_TIME(1000 + i));
        assert_done(store_put_journal(*state, &key, entry, &reason));
        bson_destroy(entry);
    }
    listed newest = list_of(*state, HQ_COLLECTION_QUERIES, 3);
    assert_int_equal(newest.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(newest.numbers[i], 3 - i);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_QUERIES, NULL), 4);
}

static void plans_are_listed_and_removed(void **state)
{
    hq_reason reason = {""};
    hq_record records[] = {{.key = hash_random(), .bytes = "12345", .size = 5},
                           {.key = hash_random(), .bytes = "1234567890", .size = 10}};
    assert_done(store_put_plans(*state, records, 2, &reason));
    listed all = list_of(*state, HQ_COLLECTION_PLANS, 0);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.bytes[0] + all.bytes[1], 15);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_PLANS, all.ids[0]), 1);
    assert_int_equal(removed_of(*state, HQ_COLLECTION_PLANS, NULL), 1);
}

static void what_has_expired_is_not_listed(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *document = some_document(1);
    hq_store *brief = suite_open(address, 1);
    assert_done(store_put_result(brief, &key, document, &reason));
    wait_until_past(hq_wall_ms() + 1);
    assert_int_equal(list_of(brief, HQ_COLLECTION_RESULTS, 0).count, 0);
    bson_destroy(document);
    store_close(&brief);
}

/* --- bodies --- */

static void a_body_comes_back_and_outlives_a_flush(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 };
    hq_reason reason = {""};
    hq_hash digest = hash_random(), other = hash_random();
    hq_buffer got = {0};
    uint8_t *bytes = hq_alloc(STORE_DOCUMENT_MAX + 1);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)hash_mix(i);
    assert_error(store_get_body(*state, &digest, &got, &reason), HQ_ENOTFOUND);
    assert_done(store_put_body(*state, &digest, bytes, SIZE, &reason));
    assert_done(store_put_body(*state, &digest, bytes, SIZE, &reason));
    assert_done(store_flush(*state, &reason)); /* queries under way need it */
    assert_done(store_get_body(*state, &digest, &got, &reason));
    assert_int_equal(got.size, SIZE);
    assert_memory_equal(got.bytes, bytes, SIZE);
    buffer_clear(&got);
    assert_error(store_get_body(*state, &other, &got, &reason), HQ_ENOTFOUND);
    assert_error(store_put_body(*state, &other, bytes, STORE_DOCUMENT_MAX + 1, &reason), HQ_ELIMIT);
    free(bytes);
}

/* --- what expires --- */

enum { KEEP_BRIEFLY_MS = 1 };

static void what_has_expired_is_not_found_and_is_swept(void **state)
{
    enum { COUNT = 10 };
    (void)state;
    hq_reason reason = {""};
    hq_hash key = hash_random(), program = hash_random();
    bson_t *document = some_document(1), *got = NULL;
    hq_partial *partials = suite_partials(COUNT, 100);
    hq_record *plans = some_plans(COUNT, 100);
    uint64_t removed = 99;
    hq_store *brief = suite_open(address, KEEP_BRIEFLY_MS);
    assert_done(store_prepare(brief, &reason));
    assert_done(store_put_plans(brief, plans, COUNT, &reason));
    assert_done(store_put_result(brief, &key, document, &reason));
    assert_done(store_put_partials(brief, &program, partials, COUNT, &reason));
    assert_done(store_put_journal(brief, &key, document, &reason));
    assert_done(store_put_body(brief, &key, "body", 4, &reason));
    wait_until_past(hq_wall_ms() + KEEP_BRIEFLY_MS);
    assert_error(store_get_result(brief, &key, &got, &reason), HQ_ENOTFOUND);
    int64_t expires_ms;
    char id[HQ_HASH_TEXT];
    hash_to_text(&key, id);
    assert_error(store_get_expiry(brief, HQ_COLLECTION_RESULTS, id, &expires_ms, &reason), HQ_ENOTFOUND);
    assert_error(store_get_body(brief, &key, &(hq_buffer){0}, &reason), HQ_ENOTFOUND);
    assert_int_equal(suite_count(brief, &program, partials, COUNT), 0);
    assert_int_equal(count_plans(brief, plans, COUNT), 0);
    assert_done(store_sweep(brief, &removed, &reason));
    assert_int_equal(removed, 3 + COUNT); /* a result, a pack of partials, a body, and the plans */
    assert_done(store_sweep(brief, &removed, &reason));
    assert_int_equal(removed, 0);
    assert_done(store_get_journal(brief, &key, &got, &reason));
    assert_same(got, document);
    bson_destroy(got);
    bson_destroy(document);
    suite_free_partials(partials, COUNT);
    free_plans(plans, COUNT);
    store_close(&brief);
}

static void what_expires_leaves_the_rest_and_gives_way(void **state)
{
    enum { COUNT = 10 };
    if (strcmp(address, "sqlite::memory:") == 0)
        skip(); /* one cannot open the same memory twice; the file stands for it */
    hq_reason reason = {""};
    hq_hash key = hash_random(), program = hash_random();
    bson_t *document = some_document(1), *got = NULL;
    hq_partial *partials = suite_partials(COUNT, 100);
    hq_record *plans = some_plans(COUNT, 100);
    uint64_t removed = 99;
    hq_store *brief = suite_open(address, KEEP_BRIEFLY_MS);
    assert_done(store_put_plans(brief, plans, COUNT, &reason));
    assert_done(store_put_partials(brief, &program, partials, COUNT, &reason));
    wait_until_past(hq_wall_ms() + KEEP_BRIEFLY_MS);
    assert_int_equal(suite_count(*state, &program, partials, COUNT), 0);
    assert_int_equal(count_plans(*state, plans, COUNT), 0);
    /* What has expired but was not swept must not stand in the way of the same thing computed again. */
    assert_done(store_put_partials(*state, &program, partials, COUNT, &reason));
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    assert_done(store_put_plans(*state, plans, COUNT, &reason));
    assert_done(store_put_result(*state, &key, document, &reason));
    assert_done(store_put_result(brief, &program, document, &reason));
    wait_until_past(hq_wall_ms() + KEEP_BRIEFLY_MS);
    assert_done(store_sweep(*state, &removed, &reason));
    assert_int_equal(removed, 1);
    assert_int_equal(suite_count(*state, &program, partials, COUNT), COUNT);
    assert_int_equal(count_plans(*state, plans, COUNT), COUNT);
    assert_done(store_get_result(*state, &key, &got, &reason));
    bson_destroy(got);
    bson_destroy(document);
    free_plans(plans, COUNT);
    suite_free_partials(partials, COUNT);
    store_close(&brief);
}

int suite_run(const char *at)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_result_comes_back_as_it_was_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_store_adds_is_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_result_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_not_every_server_takes_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_journal_keeps_the_latest_and_outlives_a_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partials_come_back_as_they_were_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(five_thousand_partials_and_again_and_in_other_packs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(some_of_them_there_already, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_partials_than_a_message_holds_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_partial_beyond_a_document_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_plans_come_back_as_they_were_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plan_is_replaced_by_any_other_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_plans_are_kept_and_too_large_ones_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_comes_back_and_outlives_a_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_expired_is_not_found_and_is_swept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_expires_leaves_the_rest_and_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(datasets_are_kept_by_name_until_they_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(results_are_listed_from_the_newest_on_without_their_bins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partials_are_listed_and_removed_by_their_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_journal_is_listed_from_the_newest_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_are_listed_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_expired_is_not_listed, set_up, tear_down),
    };
    address = at;
    print_message("store %s\n", at);
    return _cmocka_run_group_tests(at, tests, sizeof tests / sizeof *tests, NULL, NULL);
}
