/* A worker in a thread, and a ROUTER that plays its broker: docs/protocol.md, sections 5 and 6, from the other side. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/partition.h"
#include "tests/worker/questions.h"
#include "wire/report.h"
#include "wire/socket.h"
#include "worker/worker.h"

static const char empty_text[] = "from hist import Hist, axis\n"
                                 "h = Hist(axis.Regular(10, 0, 10))\n"
                                 "for event in events:\n"
                                 "    h.fill(1.0)\n";

typedef struct scene {
    zsock_t *broker;
    char *endpoint;
    int64_t memory;
    hq_worker *worker;
    pthread_t thread;
    bool is_running;
    hq_error error;
    hq_peer peer; /* of the worker */
    hq_hash id;
} scene;

static void *run(void *context)
{
    scene *sc = context;
    hq_reason reason = {{0}};
    sc->error = worker_run(sc->worker, &reason);
    return NULL;
}

static hq_message *to_worker(const scene *sc, hq_command command)
{
    hq_message *message = message_new(command);
    message_set_peer(message, &sc->peer);
    return message;
}

static void welcome(const scene *sc, int lease_ms)
{
    hq_message *message = to_worker(sc, HQ_WELCOME);
    message_put_text(message, "broker", "0123456789abcdef0123456789abcdef");
    message_put_int32(message, "lease_ms", lease_ms);
    talk_send(sc->broker, message);
}

static void expect_hello(scene *sc)
{
    hq_message *message = talk_expect_past(sc->broker, HQ_CREDIT, HQ_HELLO);
    sc->peer = *message_peer(message);
    assert_true(message_get_hash(message, "worker", &sc->id));
    assert_true(talk_text(message, "host")[0] != 0);
    assert_string_equal(talk_text(message, "version"), HQ_VERSION);
    assert_int_equal(talk_int(message, "slots"), 2);
    assert_int_equal(talk_int(message, "memory"), sc->memory);
    assert_true(talk_int(message, "credit") >= 4); /* 5.2: never less than two subtasks a slot */
    message_free(&message);
}

static scene *scene_start_with(int lease_ms, int64_t memory)
{
    static int number;
    scene *sc = hq_calloc(1, sizeof *sc);
    sc->memory = memory;
    char endpoint[64];
    hq_reason reason = {{0}};
    hq_log_set_level(HQ_LOG_ERROR);
    snprintf(endpoint, sizeof endpoint, "inproc://worker-%d", number++);
    hq_worker_settings settings = {.broker = endpoint, .slots = 2, .memory = memory, .readers = 2, .open_files = 10};
    if (socket_router(endpoint, 0, 1 << 26, &sc->broker, &sc->endpoint, &reason) ||
        worker_new(&settings, &sc->worker, &reason))
        fail_msg("%s", reason.text);
    assert_int_equal(pthread_create(&sc->thread, NULL, run, sc), 0);
    sc->is_running = true;
    expect_hello(sc);
    welcome(sc, lease_ms);
    return sc;
}

static scene *scene_start(int lease_ms)
{
    return scene_start_with(lease_ms, 64 << 20);
}

static void join_worker(scene *sc)
{
    pthread_join(sc->thread, NULL);
    sc->is_running = false;
    assert_int_equal(sc->error, HQ_OK);
}

static void scene_end(scene **sc_p)
{
    scene *sc = *sc_p;
    if (sc->is_running) {
        worker_stop(sc->worker);
        worker_stop(sc->worker);
        join_worker(sc);
    }
    worker_free(&sc->worker);
    assert_null(sc->worker);
    zsock_destroy(&sc->broker);
    free(sc->endpoint);
    free(sc);
    *sc_p = NULL;
}

static void send_query(const scene *sc, uint32_t handle, const char *text, const hq_dataset *dataset)
{
    hq_message *message = query_of(handle, text, dataset);
    message_set_peer(message, &sc->peer);
    talk_send(sc->broker, message);
}

static void send_orders(const scene *sc, const hq_order *orders, size_t count)
{
    hq_message *message = to_worker(sc, HQ_SUBTASKS);
    hq_buffer bytes = {0};
    for (size_t i = 0; i < count; i++)
        order_encode(&orders[i], &bytes);
    message_add_payload(message, &bytes);
    talk_send(sc->broker, message);
}

static void send_drop(const scene *sc, uint32_t handle)
{
    hq_message *message = to_worker(sc, HQ_DROP);
    message_put_int(message, "handle", handle);
    talk_send(sc->broker, message);
}

typedef void each_answer(void *context, const hq_answer *answer);

/* Receives PARTIALS, passing over CREDIT, until so many answers came. */
static void expect_answers(scene *sc, size_t count, each_answer *each, void *context)
{
    while (count > 0) {
        hq_message *message = talk_expect_past(sc->broker, HQ_CREDIT, HQ_PARTIALS);
        assert_true(talk_int(message, "credit") >= 0);
        size_t answers_size, contents_size;
        const void *answer_bytes = message_payload(message, 0, &answers_size);
        const void *content_bytes = message_payload(message, 1, &contents_size);
        hq_cursor answers = cursor_over(answer_bytes, answers_size);
        hq_cursor contents = cursor_over(content_bytes, contents_size);
        hq_answer answer;
        while (answer_next(&answers, &contents, &answer)) {
            assert_true(count-- > 0);
            each(context, &answer);
        }
        assert_true(cursor_is_complete(&answers) && cursor_is_complete(&contents));
        message_free(&message);
    }
}

/* ---- */

typedef struct sums {
    const hq_dataset *dataset;
    hq_histset *whole;
    uint64_t entries;
    uint32_t handle;
} sums;

static void add_answer(void *context, const hq_answer *answer)
{
    sums *s = context;
    assert_false(answer->is_failed);
    assert_int_equal(answer->handle, s->handle);
    hq_histset *part = hists_of(mass_text, s->dataset, answer->contents, answer->size);
    assert_int_equal(histset_merge(s->whole, part, NULL), HQ_OK);
    histset_free(&part);
    s->entries += answer->entries;
}

static void orders_are_answered_with_partials_5(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0), .handle = UINT32_MAX - 1};
    hq_order orders[24];
    for (uint32_t i = 0; i < 24; i++)
        orders[i] = (hq_order){s.handle, i, 0, i * 96, (i + 1) * 96};
    send_query(sc, s.handle, mass_text, dataset);
    send_orders(sc, orders, 24);
    expect_answers(sc, 24, add_answer, &s);
    assert_int_equal(s.entries, 2304);
    assert_int_equal(hist_entries(s.whole->hists[0]), 2304);
    histset_free(&s.whole);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void note_failed(void *context, const hq_answer *answer)
{
    int *failures = context;
    hq_failure failure;
    assert_true(answer->is_failed);
    assert_int_equal(failure_decode(answer->contents, answer->size, &failure), HQ_OK);
    assert_int_equal(failure.error, HQ_EPROTOCOL);
    failures[answer->index]++;
}

static void note_done(void *context, const hq_answer *answer)
{
    int *done = context;
    assert_false(answer->is_failed);
    done[answer->index]++;
}

static void an_unknown_handle_is_answered_6_4(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("empty:10");
    int failures[4] = {0}, done[4] = {0};
    hq_order orders[] = {{3, 0, 0, 0, 0}, {3, 1, 0, 0, 0}};
    send_orders(sc, orders, 2);
    expect_answers(sc, 2, note_failed, failures);
    send_query(sc, 3, empty_text, dataset);
    send_orders(sc, orders, 2);
    expect_answers(sc, 2, note_done, done);
    send_drop(sc, 3);
    send_drop(sc, 99); /* never heard of: nothing to do */
    send_orders(sc, orders, 2);
    expect_answers(sc, 2, note_failed, failures);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(failures[i], 2);
        assert_int_equal(done[i], 1);
    }
    dataset_free(&dataset);
    scene_end(&sc);
}

static void a_query_told_once_more_stops_nothing_6_1(void **state)
{
    (void)state;
    enum { ORDERS = 4 };
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("empty:10");
    hq_order orders[ORDERS];
    int done[ORDERS] = {0};
    for (uint32_t i = 0; i < ORDERS; i++)
        orders[i] = (hq_order){1, i, 0, i, i};
    send_query(sc, 1, empty_text, dataset);
    for (int i = 0; i < ORDERS; i++) {
        send_orders(sc, &orders[i], 1);
        send_query(sc, 1, empty_text, dataset);
    }
    expect_answers(sc, ORDERS, note_done, done);
    for (int i = 0; i < ORDERS; i++)
        assert_int_equal(done[i], 1);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void drop_stops_what_runs_6(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root"), *empty = dataset_of("empty:10");
    hq_order orders[50];
    for (uint32_t i = 0; i < 50; i++)
        orders[i] = (hq_order){1, i, 0, 0, 2304};
    send_query(sc, 1, endless_text, dataset);
    send_orders(sc, orders, 50); /* both executors are at it for years */
    send_drop(sc, 1);
    int done[4] = {0};
    send_query(sc, 2, empty_text, empty);
    send_orders(sc, &(hq_order){2, 3, 0, 3, 3}, 1);
    expect_answers(sc, 1, note_done, done); /* and nothing of the first query comes */
    assert_int_equal(done[3], 1);
    dataset_free(&dataset);
    dataset_free(&empty);
    scene_end(&sc);
}

static void a_worker_is_never_silent_for_a_third_of_its_lease_5_3(void **state)
{
    (void)state;
    enum { LEASE_MS = 3000, SAYINGS = 7 };
    scene *sc = scene_start(LEASE_MS);
    int64_t gaps_ms[SAYINGS], last_ms = hq_now_ms();
    for (int i = 0; i < SAYINGS; i++) {
        hq_message *message = talk_expect(sc->broker, HQ_CREDIT);
        int64_t now_ms = hq_now_ms(), at = i;
        for (; at > 0 && gaps_ms[at - 1] > now_ms - last_ms; at--)
            gaps_ms[at] = gaps_ms[at - 1];
        gaps_ms[at] = now_ms - last_ms;
        last_ms = now_ms;
        assert_true(talk_int(message, "credit") >= 4);
        assert_true(talk_int(message, "hits") >= 0 && talk_int(message, "misses") >= 0);
        assert_int_equal(talk_int(message, "cache_limit"), 64 << 20);
        message_free(&message);
    }
    /* The middle one, for some may be late on a machine that is busy; and not more often than makes sense. */
    assert_in_range(gaps_ms[SAYINGS / 2], LEASE_MS / 10, LEASE_MS / 3);
    scene_end(&sc);
}

/* Notes the partitions of an EVICTED, LENGTH entries each. */
static void note_told(const hq_message *message, const hq_dataset *dataset, uint64_t length, bool *was_told,
                      size_t count)
{
    size_t size;
    const hq_hash *told = message_payload(message, 0, &size);
    if (message_command(message) != HQ_EVICTED)
        return;
    assert_true(size > 0 && size % sizeof *told == 0);
    for (size_t at = 0; at < size / sizeof *told; at++) {
        bool is_known = false;
        for (size_t i = 0; i < count && !is_known; i++) {
            hq_hash partition = partition_identity(&dataset->files[0].identity, dataset->files[0].tree, i * length,
                                                   (i + 1) * length);
            is_known = memcmp(&partition, &told[at], sizeof partition) == 0;
            was_told[i] |= is_known;
        }
        assert_true(is_known);
    }
}

static void expect_cached(void *context, const hq_answer *answer)
{
    (void)context;
    assert_false(answer->is_failed);
    assert_int_equal(answer->read_bytes, 0);
    assert_true(answer->cached_bytes > 0);
}

/* CREDIT that tells of so many columns wanted, within a second or so though the lease is a minute. */
static hq_cache_report expect_report(scene *sc, int64_t wanted)
{
    hq_cache_report report = {0};
    while (report.hits + report.misses < wanted) {
        hq_message *message = talk_expect_past(sc->broker, HQ_EVICTED, HQ_CREDIT);
        assert_true(report_get(message, &report));
        message_free(&message);
    }
    return report;
}

static void the_cache_is_reported_while_it_changes_5_4(void **state)
{
    (void)state;
    enum { ORDERS = 20, LENGTH = 100 };
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0), .handle = 1};
    hq_order orders[ORDERS];
    for (uint32_t i = 0; i < ORDERS; i++)
        orders[i] = (hq_order){1, i, 0, i * LENGTH, (i + 1) * LENGTH};
    send_query(sc, 1, mass_text, dataset);
    for (int round = 0; round < 2; round++) {
        send_orders(sc, orders, ORDERS);
        expect_answers(sc, ORDERS, add_answer, &s);
    }
    hq_cache_report report = expect_report(sc, 2 * ORDERS);
    assert_int_equal(report.misses, ORDERS);
    assert_int_equal(report.hits, ORDERS);
    assert_int_equal(report.cache_columns, ORDERS);
    assert_true(report.cache_bytes >= ORDERS * LENGTH * 8 && report.file_bytes == report.cache_bytes);
    assert_int_equal(report.evictions, 0);
    histset_free(&s.whole);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void what_is_evicted_is_told_5_5(void **state)
{
    (void)state;
    enum { ORDERS = 30, LENGTH = 50, FIT = 10 };
    size_t bytes = 640; /* more than a column of LENGTH, less than two */
    scene *sc = scene_start_with(60000, (int64_t)(FIT * bytes));
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0), .handle = 1};
    send_query(sc, 1, mass_text, dataset);
    bool was_told[ORDERS] = {false};
    for (uint32_t i = 0; i < ORDERS; i++) {
        send_orders(sc, &(hq_order){1, i, 0, i * LENGTH, (i + 1) * LENGTH}, 1);
        hq_message *message = talk_next(sc->broker, TALK_WAIT_MS);
        while (message_command(message) == HQ_CREDIT || message_command(message) == HQ_EVICTED) {
            note_told(message, dataset, LENGTH, was_told, ORDERS);
            message_free(&message);
            message = talk_next(sc->broker, TALK_WAIT_MS);
        }
        assert_int_equal(message_command(message), HQ_PARTIALS);
        message_free(&message);
    }
    hq_cache_report report = {0};
    int64_t told = 0;
    while (report.misses < ORDERS || told < report.evictions) {
        hq_message *message = talk_next(sc->broker, TALK_WAIT_MS);
        assert_non_null(message);
        note_told(message, dataset, LENGTH, was_told, ORDERS);
        report_get(message, &report);
        message_free(&message);
        told = 0;
        for (int i = 0; i < ORDERS; i++)
            told += was_told[i];
    }
    assert_int_equal(report.cache_columns, ORDERS - told);
    assert_in_range(told, ORDERS - 2 * FIT, ORDERS - FIT);
    /* And what was not told is there: most likely the first, but a reader may have held one at the wrong moment. */
    uint32_t kept = 0;
    while (kept < ORDERS && was_told[kept])
        kept++;
    assert_true(kept < ORDERS);
    send_orders(sc, &(hq_order){1, kept, 0, kept * LENGTH, (kept + 1) * LENGTH}, 1);
    expect_answers(sc, 1, expect_cached, NULL);
    histset_free(&s.whole);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void say_rejected(const scene *sc, hq_error code)
{
    hq_message *message = to_worker(sc, HQ_REJECTED);
    message_put_text(message, "code", hq_error_name(code));
    message_put_text(message, "text", "for the test");
    talk_send(sc->broker, message);
}

static void who_is_not_known_says_hello_again_and_has_forgotten_everything_5_1(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("empty:10");
    hq_hash id = sc->id;
    int failures[4] = {0}, done[4] = {0};
    send_query(sc, 1, empty_text, dataset);
    say_rejected(sc, HQ_EPROTOCOL); /* a complaint is no reason */
    for (int i = 0; i < 3; i++)
        say_rejected(sc, HQ_ENOTFOUND); /* and three are one */
    expect_hello(sc);
    assert_memory_equal(&id, &sc->id, sizeof id);
    welcome(sc, 60000);
    send_orders(sc, &(hq_order){1, 2, 0, 0, 0}, 1);
    expect_answers(sc, 1, note_failed, failures);
    assert_int_equal(failures[2], 1);
    send_query(sc, 1, empty_text, dataset);
    send_orders(sc, &(hq_order){1, 2, 0, 0, 0}, 1);
    expect_answers(sc, 1, note_done, done);
    assert_int_equal(done[2], 1);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void what_was_given_before_hello_is_not_answered_after_it_5_3(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("empty:10"), *zmumu = dataset_of("uproot-Zmumu.root");
    send_query(sc, 1, mass_text, zmumu);
    hq_order orders[500];
    for (uint32_t i = 0; i < 500; i++)
        orders[i] = (hq_order){1, i, 0, i, i + 1000};
    send_orders(sc, orders, 500);
    say_rejected(sc, HQ_ENOTFOUND);
    hq_message *message; /* before HELLO answers may come, after it none */
    while (message_command(message = talk_next(sc->broker, TALK_WAIT_MS)) != HQ_HELLO)
        message_free(&message);
    message_free(&message);
    welcome(sc, 60000);
    send_query(sc, 1, empty_text, dataset); /* another query of the same handle: the broker was restarted */
    send_orders(sc, &(hq_order){1, 3, 0, 3, 3}, 1);
    message = talk_expect_past(sc->broker, HQ_CREDIT, HQ_PARTIALS);
    size_t size;
    message_payload(message, 0, &size);
    assert_int_equal(size, HQ_ANSWER_BYTES);
    message_payload(message, 1, &size);
    assert_int_equal(size, 0);
    message_free(&message);
    dataset_free(&dataset);
    dataset_free(&zmumu);
    scene_end(&sc);
}

static void what_is_malformed_is_survived_2_1(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("empty:10");
    const uint8_t document[] = {5, 0, 0, 0, 0};
    const talk_frame frames[] = {{sc->peer.bytes, sc->peer.size}, {"nonsense", 8}, {document, 5}};
    talk_send_frames(sc->broker, frames, 2);
    talk_send_frames(sc->broker, frames, 3);
    static const hq_command commands[] = {HQ_WELCOME, HQ_QUERY, HQ_SUBTASKS, HQ_DROP, HQ_REJECTED, HQ_SUBMIT, HQ_HELLO};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        talk_send(sc->broker, to_worker(sc, commands[i]));
    hq_message *message = to_worker(sc, HQ_SUBTASKS);
    message_copy_payload(message, "no list of orders", 17);
    talk_send(sc->broker, message);
    int done[4] = {0};
    send_query(sc, 1, empty_text, dataset);
    send_orders(sc, &(hq_order){1, 2, 0, 0, 0}, 1);
    expect_answers(sc, 1, note_done, done);
    assert_int_equal(done[2], 1);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void stop_worker(const scene *sc)
{
    worker_stop(sc->worker);
}

/* Twice: the second one must not make it leave at once. */
static void tell_drain(const scene *sc)
{
    talk_send(sc->broker, to_worker(sc, HQ_DRAIN));
    talk_send(sc->broker, to_worker(sc, HQ_DRAIN));
}

static void drain_in_the_middle(void (*begin_drain)(const scene *sc))
{
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0), .handle = 1};
    enum { ORDERS = 400 };
    hq_order orders[ORDERS];
    for (uint32_t i = 0; i < ORDERS; i++)
        orders[i] = (hq_order){1, i, 0, i, i + 1};
    send_query(sc, 1, mass_text, dataset);
    send_orders(sc, orders, ORDERS);
    hq_message *message = talk_expect_past(sc->broker, HQ_CREDIT, HQ_PARTIALS); /* it is at work */
    size_t answered, size, left = ORDERS;
    message_payload(message, 0, &answered);
    message_free(&message);
    left -= answered / HQ_ANSWER_BYTES;
    begin_drain(sc);
    bool has_said_so = false;
    for (;;) {
        message = talk_next(sc->broker, TALK_WAIT_MS);
        assert_non_null(message);
        if (message_command(message) == HQ_BYE)
            break;
        has_said_so |= talk_int(message, "credit") == 0;
        if (message_command(message) == HQ_PARTIALS) {
            message_payload(message, 0, &size);
            left -= size / HQ_ANSWER_BYTES;
        }
        message_free(&message);
    }
    message_free(&message);
    assert_int_equal(left, 0);
    assert_true(has_said_so);
    join_worker(sc);
    histset_free(&s.whole);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void a_worker_that_drains_finishes_what_it_has_5_2(void **state)
{
    (void)state;
    drain_in_the_middle(stop_worker);
}

static void a_worker_that_is_told_drain_finishes_what_it_has_6_5(void **state)
{
    (void)state;
    drain_in_the_middle(tell_drain);
}

static void a_second_stop_does_not_wait(void **state)
{
    (void)state;
    scene *sc = scene_start(60000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    send_query(sc, 1, endless_text, dataset);
    send_orders(sc, &(hq_order){1, 0, 0, 0, 2304}, 1);
    worker_stop(sc->worker);
    hq_message *message = NULL;
    for (int64_t credit = -1; credit != 0;) { /* it may have had news of its cache before */
        message_free(&message);
        message = talk_expect(sc->broker, HQ_CREDIT);
        credit = talk_int(message, "credit");
    }
    message_free(&message);
    worker_stop(sc->worker);
    message = talk_expect_past(sc->broker, HQ_CREDIT, HQ_BYE);
    message_free(&message);
    join_worker(sc);
    dataset_free(&dataset);
    scene_end(&sc);
}

static void a_worker_needs_somebody_to_work_for(void **state)
{
    (void)state;
    hq_worker *worker = NULL;
    hq_reason reason = {{0}};
    hq_worker_settings settings = {.slots = 1, .memory = 1 << 20, .open_files = 1};
    assert_int_equal(worker_new(&settings, &worker, &reason), HQ_EINVAL);
    settings.broker = (char *)"nonsense";
    assert_int_equal(worker_new(&settings, &worker, &reason), HQ_EINVAL);
    assert_non_null(strstr(reason.text, "nonsense"));
    assert_null(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_answered_with_partials_5),
        cmocka_unit_test(an_unknown_handle_is_answered_6_4),
        cmocka_unit_test(a_query_told_once_more_stops_nothing_6_1),
        cmocka_unit_test(drop_stops_what_runs_6),
        cmocka_unit_test(a_worker_is_never_silent_for_a_third_of_its_lease_5_3),
        cmocka_unit_test(the_cache_is_reported_while_it_changes_5_4),
        cmocka_unit_test(what_is_evicted_is_told_5_5),
        cmocka_unit_test(who_is_not_known_says_hello_again_and_has_forgotten_everything_5_1),
        cmocka_unit_test(what_was_given_before_hello_is_not_answered_after_it_5_3),
        cmocka_unit_test(what_is_malformed_is_survived_2_1),
        cmocka_unit_test(a_worker_that_drains_finishes_what_it_has_5_2),
        cmocka_unit_test(a_worker_that_is_told_drain_finishes_what_it_has_6_5),
        cmocka_unit_test(a_second_stop_does_not_wait),
        cmocka_unit_test(a_worker_needs_somebody_to_work_for),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
