/* STATE, clause 4.6 of docs/protocol.md: what is encoded is what is decoded, and nothing else passes. */
#include <string.h>

#include "base/memory.h"
#include "tests/wire/talk.h"
#include "wire/status.h"

/* As it would arrive: through the bytes. */
static hq_message *sent(hq_message **message_p)
{
    hq_message *arrived = NULL;
    hq_reason reason = {{0}};
    const uint8_t head[] = {'h', 'q', HQ_WIRE_VERSION, (uint8_t)message_command(*message_p)};
    const bson_t *body = message_body(*message_p);
    const void *frames[] = {head, bson_get_data(body)};
    size_t sizes[] = {sizeof head, body->len};
    if (message_decode(frames, sizes, 2, &arrived, &reason))
        fail_msg("%s", reason.text);
    message_free(message_p);
    return arrived;
}

static hq_worker_status some_worker(int i)
{
    return (hq_worker_status){.id = hash_of(&i, sizeof i),
                              .host = "node",
                              .version = "1",
                              .slots = i,
                              .memory = INT64_MAX,
                              .under_way = i + 1,
                              .done = i + 2,
                              .cache = {.hits = i + 3, .misses = i + 4, .cache_bytes = i + 5, .disk_damaged = i + 9},
                              .evicted = i + 6,
                              .heard_ms = i + 7,
                              .age_ms = i + 8,
                              .is_draining = i % 2 == 0};
}

static hq_query_status some_query(int i)
{
    return (hq_query_status){.id = hash_of(&i, sizeof i),
                             .user = "ann",
                             .name = "z.py",
                             .state = "RUNNING",
                             .dataset = "/data/z.root:events",
                             .specs = i,
                             .files = i + 1,
                             .priority = 999,
                             .subtasks = i + 2,
                             .done = i + 3,
                             .under_way = i + 4,
                             .stored = i + 5,
                             .entries = i + 6,
                             .entries_total = i + 7,
                             .age_ms = i + 8,
                             .listeners = i + 9};
}

static hq_broker_status some_broker(void)
{
    static hq_counter_status counters[] = {{"queries", 7}, {"negative", -1}};
    return (hq_broker_status){.request = -3,
                              .id = hash_of("b", 1),
                              .host = "here",
                              .version = "0",
                              .front = "tcp://here:1",
                              .back = "tcp://here:2",
                              .uptime_ms = 123456789012,
                              .workers = 2,
                              .slots = 3,
                              .queries = 4,
                              .counters = counters,
                              .counter_count = 2};
}

static void decode(hq_message *message, hq_broker_status *status_r)
{
    hq_reason reason = {{0}};
    if (status_decode(message, status_r, &reason))
        fail_msg("%s", reason.text);
}

static void a_state_without_detail_comes_back_4(void **state)
{
    (void)state;
    hq_broker_status broker = some_broker(), back;
    hq_message *message = status_encode(&broker);
    message = sent(&message);
    decode(message, &back);
    assert_int_equal(back.request, -3);
    assert_memory_equal(&back.id, &broker.id, sizeof back.id);
    assert_string_equal(back.host, "here");
    assert_string_equal(back.version, "0");
    assert_string_equal(back.front, "tcp://here:1");
    assert_string_equal(back.back, "tcp://here:2");
    assert_true(back.uptime_ms == 123456789012);
    assert_int_equal(back.workers, 2);
    assert_int_equal(back.slots, 3);
    assert_int_equal(back.queries, 4);
    assert_int_equal(back.counter_count, 2);
    assert_string_equal(back.counters[1].name, "negative");
    assert_int_equal(back.counters[1].value, -1);
    assert_false(back.has_detail);
    status_clear(&back);
    message_free(&message);
}

static void a_state_with_lists_comes_back_4_6(void **state)
{
    (void)state;
    hq_worker_status workers[] = {some_worker(10), some_worker(21), some_worker(32)};
    hq_query_status queries[] = {some_query(5), some_query(6)};
    hq_broker_status broker = some_broker(), back;
    broker.has_detail = true;
    broker.worker_list = workers;
    broker.worker_count = 3;
    broker.query_list = queries;
    broker.query_count = 2;
    hq_message *message = status_encode(&broker);
    message = sent(&message);
    decode(message, &back);
    assert_true(back.has_detail);
    assert_int_equal(back.worker_count, 3);
    assert_int_equal(back.query_count, 2);
    for (size_t i = 0; i < 3; i++) {
        hq_worker_status got = back.worker_list[i];
        assert_string_equal(got.host, "node");
        assert_string_equal(got.version, "1");
        got.host = workers[i].host;
        got.version = workers[i].version;
        assert_memory_equal(&got.id, &workers[i].id, sizeof got.id);
        assert_int_equal(got.is_draining, workers[i].is_draining);
        assert_memory_equal(&got.slots, &workers[i].slots,
                            offsetof(hq_worker_status, is_draining) - offsetof(hq_worker_status, slots));
    }
    for (size_t i = 0; i < 2; i++) {
        const hq_query_status *got = &back.query_list[i];
        assert_string_equal(got->user, "ann");
        assert_string_equal(got->name, "z.py");
        assert_string_equal(got->state, "RUNNING");
        assert_string_equal(got->dataset, "/data/z.root:events");
        assert_memory_equal(&got->id, &queries[i].id, sizeof got->id);
        assert_memory_equal(&got->specs, &queries[i].specs, sizeof *got - offsetof(hq_query_status, specs));
    }
    status_clear(&back);
    message_free(&message);
}

static void empty_lists_are_detail_too_4_6(void **state)
{
    (void)state;
    hq_broker_status broker = some_broker(), back;
    broker.has_detail = true;
    hq_message *message = status_encode(&broker);
    message = sent(&message);
    decode(message, &back);
    assert_true(back.has_detail);
    assert_int_equal(back.worker_count + back.query_count, 0);
    status_clear(&back);
    message_free(&message);
}

static void texts_are_cut_between_characters_and_mended_4_6(void **state)
{
    (void)state;
    char text[HQ_STATUS_TEXT * 2 + 1] = {0};
    for (int i = 0; i < HQ_STATUS_TEXT; i += 3) /* 256 is no multiple of 3 */
        memcpy(text + i, "\xe2\x86\x92", 3);
    hq_query_status query = some_query(1);
    query.dataset = text;
    query.name = "caf\xe9";
    hq_broker_status broker = some_broker(), back;
    broker.has_detail = true;
    broker.query_list = &query;
    broker.query_count = 1;
    hq_message *message = status_encode(&broker);
    message = sent(&message);
    decode(message, &back);
    assert_int_equal(strlen(back.query_list[0].dataset), HQ_STATUS_TEXT / 3 * 3);
    assert_memory_equal(back.query_list[0].dataset, text, HQ_STATUS_TEXT / 3 * 3);
    assert_string_equal(back.query_list[0].name, "caf?");
    status_clear(&back);
    message_free(&message);
}

static void lists_are_bounded_4_6(void **state)
{
    (void)state;
    enum { MANY = HQ_STATUS_WORKERS + 100 };
    hq_worker_status *workers = hq_calloc(MANY, sizeof *workers);
    hq_query_status *queries = hq_calloc(MANY, sizeof *queries);
    char longest[HQ_STATUS_TEXT + 1];
    memset(longest, 'x', HQ_STATUS_TEXT);
    longest[HQ_STATUS_TEXT] = 0;
    for (int i = 0; i < MANY; i++) {
        workers[i] = some_worker(i);
        workers[i].host = workers[i].version = longest;
        queries[i] = some_query(i);
        queries[i].user = queries[i].name = queries[i].dataset = queries[i].state = longest;
    }
    hq_broker_status broker = some_broker(), back;
    broker.has_detail = true;
    broker.worker_list = workers;
    broker.query_list = queries;
    broker.worker_count = broker.query_count = MANY;
    hq_message *message = status_encode(&broker);
    message = sent(&message); /* so it is within the 16 MiB of a document */
    decode(message, &back);
    assert_int_equal(back.worker_count, HQ_STATUS_WORKERS);
    assert_int_equal(back.query_count, HQ_STATUS_QUERIES);
    status_clear(&back);

    /* One more than that is refused, whoever sends it. */
    bson_t list, one, *body = message_body(message);
    hq_message *more = message_new(HQ_STATE);
    bson_copy_to_excluding_noinit(body, message_body(more), "query_list", NULL);
    bson_append_array_begin(message_body(more), "query_list", -1, &list);
    for (int i = 0; i <= HQ_STATUS_QUERIES; i++) {
        char key[16];
        bson_iter_t iter, inner;
        const uint8_t *bytes;
        uint32_t size;
        assert_true(bson_iter_init_find(&iter, body, "query_list") && bson_iter_recurse(&iter, &inner) &&
                    bson_iter_next(&inner));
        bson_iter_document(&inner, &size, &bytes);
        assert_true(bson_init_static(&one, bytes, size));
        snprintf(key, sizeof key, "%d", i);
        bson_append_document(&list, key, -1, &one);
    }
    bson_append_array_end(message_body(more), &list);
    hq_reason reason = {{0}};
    assert_int_equal(status_decode(more, &back, &reason), HQ_EPROTOCOL);
    message_free(&more);
    message_free(&message);
    free(workers);
    free(queries);
}

/* A copy of a document in which the field of that number, counted through all levels, is left out (kind 0), has another
 * type (1) or is out of range (2). */
static void damage(const bson_t *from, bson_t *to, int *countdown, int kind)
{
    bson_iter_t at, inner;
    assert_true(bson_iter_init(&at, from));
    while (bson_iter_next(&at)) {
        const char *key = bson_iter_key(&at);
        bool is_hit = (*countdown)-- == 0;
        const uint8_t *bytes;
        uint32_t size;
        bson_t child, copy = BSON_INITIALIZER;
        if (is_hit && kind == 0)
            continue;
        if (is_hit) {
            if (kind == 1)
                bson_append_double(to, key, -1, 1.0);
            else
                bson_append_int64(to, key, -1, INT64_MIN);
            continue;
        }
        if (!bson_iter_recurse(&at, &inner)) {
            bson_append_iter(to, key, -1, &at);
            continue;
        }
        if (BSON_ITER_HOLDS_ARRAY(&at))
            bson_iter_array(&at, &size, &bytes);
        else
            bson_iter_document(&at, &size, &bytes);
        assert_true(bson_init_static(&child, bytes, size));
        damage(&child, &copy, countdown, kind);
        if (BSON_ITER_HOLDS_ARRAY(&at))
            bson_append_array(to, key, -1, &copy);
        else
            bson_append_document(to, key, -1, &copy);
        bson_destroy(&copy);
    }
}

static void a_field_that_is_missing_or_wrong_is_refused_4_6(void **state)
{
    (void)state;
    hq_worker_status worker = some_worker(1);
    hq_query_status query = some_query(1);
    hq_broker_status broker = some_broker(), back;
    broker.has_detail = true;
    broker.worker_list = &worker;
    broker.query_list = &query;
    broker.worker_count = broker.query_count = 1;
    hq_message *message = status_encode(&broker);
    size_t refused[3] = {0}, taken[3] = {0};
    for (int kind = 0; kind < 3; kind++)
        for (int field = 0, left = -1; left < 0; field++) {
            left = field;
            hq_message *wrong = message_new(HQ_STATE);
            damage(message_body(message), message_body(wrong), &left, kind);
            hq_reason reason = {{0}};
            if (left >= 0) { /* there is no such field: it is whole */
                assert_int_equal(status_decode(wrong, &back, &reason), HQ_OK);
                status_clear(&back);
            } else if (status_decode(wrong, &back, &reason)) {
                refused[kind]++;
                assert_int_not_equal(reason.text[0], 0);
            } else {
                taken[kind]++;
                status_clear(&back);
            }
            message_free(&wrong);
        }
    /* Without a counter, without its list of workers (no detail then) or without a member of a list it is still one. */
    assert_int_equal(taken[0], 2 + 1 + 2);
    assert_int_equal(taken[1], 0);
    assert_int_equal(taken[2], 2); /* a counter may have any value */
    assert_true(refused[0] > 40 && refused[1] > 40 && refused[2] > 40);
    message_free(&message);
}

static void fields_in_another_order_and_more_of_them_do_no_harm_2(void **state)
{
    (void)state;
    hq_broker_status broker = some_broker(), back;
    hq_message *message = status_encode(&broker), *turned = message_new(HQ_STATE);
    static const char *const order[] = {"queries", "back",    "broker", "counters",  "host",    "later",
                                        "slots",   "request", "front",  "uptime_ms", "version", "workers"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, message_body(message), order[i]))
            bson_append_iter(message_body(turned), order[i], -1, &iter);
        else
            message_put_text(turned, order[i], "a later version's");
    }
    decode(turned, &back);
    assert_string_equal(back.host, "here");
    assert_int_equal(back.queries, 4);
    status_clear(&back);
    message_free(&message);
    message_free(&turned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_without_detail_comes_back_4),
        cmocka_unit_test(a_state_with_lists_comes_back_4_6),
        cmocka_unit_test(empty_lists_are_detail_too_4_6),
        cmocka_unit_test(texts_are_cut_between_characters_and_mended_4_6),
        cmocka_unit_test(lists_are_bounded_4_6),
        cmocka_unit_test(a_field_that_is_missing_or_wrong_is_refused_4_6),
        cmocka_unit_test(fields_in_another_order_and_more_of_them_do_no_harm_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
