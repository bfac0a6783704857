/* What those ask who look after a broker: docs/protocol.md, clauses 3.2 and 4.6. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"
#include "wire/status.h"

static void ask(zsock_t *client, int request, bool wants_detail)
{
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", request);
    message_put_bool(message, "detail", wants_detail);
    talk_send(client, message);
}

/* The caller clears the status and frees the message that it stands on. */
static hq_message *answered(zsock_t *client, hq_broker_status *status_r)
{
    hq_message *message = talk_expect(client, HQ_STATE);
    hq_reason reason = {{0}};
    if (status_decode(message, status_r, &reason))
        fail_msg("%s", reason.text);
    return message;
}

static hq_message *asked(zsock_t *client, hq_broker_status *status_r)
{
    ask(client, 7, true);
    return answered(client, status_r);
}

static hq_hash submitted(zsock_t *client, int request, const char *spec)
{
    hq_hash query;
    talk_send(client, submit_of(request, stage_text, spec));
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    assert_true(message_get_hash(message, "query", &query));
    message_free(&message);
    return query;
}

static void detail_tells_workers_and_queries_4_6(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s), *watcher = stage_client(s);
    hq_broker_status status;
    hq_message *message = asked(watcher, &status);
    assert_true(status.has_detail);
    assert_int_equal(status.worker_count + status.query_count, 0);
    assert_string_equal(status.front, broker_front(s->broker));
    assert_string_equal(status.back, broker_back(s->broker));
    status_clear(&status);
    message_free(&message);

    fake_worker *worker = fake_join(s, 1, 6);
    hq_hash query = submitted(client, 1, "empty:10");
    fake_collect(worker, 6);
    fake_answer(worker, worker->orders[0], 3.5);
    fake_answer(worker, worker->orders[0], 3.5);
    fake_collect(worker, 6); /* as many are given anew */
    hq_message *evicted = message_new(HQ_EVICTED);
    message_copy_payload(evicted, "0123456789abcdef0123456789abcdef", 32);
    talk_send(worker->socket, evicted);
    hq_message *credit = message_new(HQ_CREDIT);
    message_put_int32(credit, "credit", 6);
    message_put_int(credit, "hits", 40);
    message_put_int(credit, "misses", 2);
    message_put_int(credit, "cache_bytes", 1000);
    talk_send(worker->socket, credit);
    stage_wait_counter(s, "evicted", 2);
    fake_hears_nothing(worker, s); /* once more through the loop: CREDIT comes behind EVICTED */

    message = asked(watcher, &status);
    assert_int_equal(status.request, 7);
    assert_int_equal(status.workers, 1);
    assert_int_equal(status.slots, 2);
    assert_int_equal(status.queries, 1);
    assert_int_equal(status.worker_count, 1);
    const hq_worker_status *w = status.worker_list;
    assert_memory_equal(&w->id, &worker->id, sizeof w->id);
    assert_string_equal(w->host, "somewhere");
    assert_string_equal(w->version, "0.1.0");
    assert_int_equal(w->slots, 2);
    assert_int_equal(w->memory, 1 << 20);
    assert_int_equal(w->under_way, 6);
    assert_int_equal(w->done, 2);
    assert_int_equal(w->cache.hits, 40);
    assert_int_equal(w->cache.misses, 2);
    assert_int_equal(w->cache.cache_bytes, 1000);
    assert_int_equal(w->evicted, 2);
    assert_false(w->is_draining);
    assert_int_equal(status.query_count, 1);
    const hq_query_status *q = status.query_list;
    assert_memory_equal(&q->id, &query, sizeof query);
    assert_string_equal(q->state, "RUNNING");
    assert_string_equal(q->dataset, "empty:10");
    assert_true(q->user[0] && q->name[0]);
    assert_int_equal(q->specs, 1);
    assert_int_equal(q->files, 1);
    assert_int_equal(q->priority, 500);
    assert_int_equal(q->subtasks, 10);
    assert_int_equal(q->done, 2);
    assert_int_equal(q->under_way, 6);
    assert_int_equal(q->stored, 0);
    assert_int_equal(q->listeners, 1);
    status_clear(&status);
    message_free(&message);

    ask(watcher, 8, false);
    message = answered(watcher, &status);
    assert_false(status.has_detail);
    status_clear(&status);
    message_free(&message);
    zsock_destroy(&client);
    zsock_destroy(&watcher);
    fake_free(&worker);
    stage_end(&s);
}

static void detail_of_another_type_is_malformed_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", 1);
    message_put_int32(message, "detail", 1);
    talk_send(client, message);
    talk_expect_rejected(client, HQ_EPROTOCOL);
    zsock_destroy(&client);
    stage_end(&s);
}

/* ---- STOP ---- */

static void send_stop(zsock_t *client, int request, const hq_hash *query, const char *user)
{
    hq_message *message = message_new(HQ_STOP);
    message_put_int32(message, "request", request);
    message_put_hash(message, "query", query);
    message_put_text(message, "user", user);
    talk_send(client, message);
}

static void expect_agreed(zsock_t *client, int request)
{
    hq_message *message = talk_expect(client, HQ_AGREED);
    assert_int_equal(talk_int(message, "request"), request);
    message_free(&message);
}

static void expect_not_found(zsock_t *client, int request)
{
    hq_message *message = talk_expect(client, HQ_REJECTED);
    assert_int_equal(talk_int(message, "request"), request);
    assert_string_equal(talk_text(message, "code"), "notfound");
    message_free(&message);
}

static void stop_ends_a_query_for_everybody_3_2(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *one = stage_client(s), *other = stage_client(s), *stranger = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    hq_hash query = submitted(one, 1, "empty:10"), joined = submitted(other, 2, "empty:10");
    assert_memory_equal(&query, &joined, sizeof query);
    fake_collect(worker, 10);
    send_stop(stranger, 5, &query, "operator");
    expect_agreed(stranger, 5);
    zsock_t *const listening[] = {one, other};
    for (int i = 0; i < 2; i++) {
        hq_message *message = talk_expect(listening[i], HQ_FAILED);
        assert_string_equal(talk_text(message, "code"), "cancelled");
        assert_string_equal(talk_text(message, "state"), "CANCELLED");
        assert_string_equal(talk_text(message, "text"), "cancelled by operator");
        message_free(&message);
    }
    fake_collect_drops(worker, 1);
    stage_wait_idle(s);
    assert_int_equal(stage_counter(s, "cancelled"), 1);
    send_stop(stranger, 6, &query, "operator"); /* it is over */
    expect_not_found(stranger, 6);
    zsock_destroy(&one);
    zsock_destroy(&other);
    zsock_destroy(&stranger);
    fake_free(&worker);
    stage_end(&s);
}

static void stop_and_drain_of_the_unknown_are_refused_3_2(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    hq_hash unknown = hash_of("unknown", 7);
    send_stop(client, 1, &unknown, "operator");
    expect_not_found(client, 1);
    hq_message *message = message_new(HQ_DRAIN);
    message_put_int32(message, "request", 2);
    message_put_hash(message, "worker", &unknown);
    talk_send(client, message);
    expect_not_found(client, 2);

    static const hq_command commands[] = {HQ_STOP, HQ_DRAIN};
    for (int i = 0; i < 2; i++) {
        message = message_new(commands[i]);
        message_put_int32(message, "request", 3);
        message_put_text(message, "query", "no id");
        message_put_text(message, "worker", "no id");
        message_put_text(message, "user", "operator");
        talk_send(client, message);
        talk_expect_rejected(client, HQ_EPROTOCOL);
    }
    assert_int_equal(stage_counter(s, "malformed"), 2);
    zsock_destroy(&client);
    stage_end(&s);
}

/* ---- DRAIN ---- */

static void drain_is_passed_on_and_the_worker_gets_nothing_more_6_5(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s), *watcher = stage_client(s);
    fake_worker *leaving = fake_join(s, 1, 3);
    submitted(client, 1, "empty:10");
    fake_collect(leaving, 3);
    hq_message *message = message_new(HQ_DRAIN);
    message_put_int32(message, "request", 9);
    message_put_hash(message, "worker", &leaving->id);
    talk_send(watcher, message);
    expect_agreed(watcher, 9);
    message = talk_expect(leaving->socket, HQ_DRAIN);
    message_free(&message);
    fake_say_credit(leaving, 0);

    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    for (bool is_draining = false; !is_draining && hq_now_ms() < end_ms;) {
        hq_broker_status status;
        message = asked(watcher, &status);
        assert_int_equal(status.worker_count, 1);
        is_draining = status.worker_list[0].is_draining;
        status_clear(&status);
        message_free(&message);
    }
    leaving->credit = 0; /* what it then answers brings it nothing more */
    while (leaving->count)
        fake_answer(leaving, leaving->orders[0], 3.5);
    stage_wait_counter(s, "subtasks", 3);
    assert_true(fake_hears_nothing(leaving, s));
    talk_send(leaving->socket, message_new(HQ_BYE));

    fake_worker *staying = fake_join(s, 2, 100);
    fake_collect(staying, 7);
    fake_answer_all(staying, 3.5);
    message = talk_expect(client, HQ_DONE);
    assert_int_equal(result_count(message, 3.5), 10);
    message_free(&message);
    assert_int_equal(stage_counter(s, "subtasks"), 10);
    assert_int_equal(stage_counter(s, "workers_lost"), 0);
    zsock_destroy(&client);
    zsock_destroy(&watcher);
    fake_free(&leaving);
    fake_free(&staying);
    stage_end(&s);
}

/* ---- many of both ---- */

static void a_thousand_workers_and_hundreds_of_queries_are_told_in_one_message_4_6(void **state)
{
    (void)state;
    enum { WORKERS = 1000, QUERIES = 300, TIMES = 50 };
    hq_broker_settings settings = stage_settings();
    settings.max_queries = QUERIES;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s), *watcher = stage_client(s);
    fake_worker **workers = hq_calloc(WORKERS, sizeof *workers);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = fake_join(s, i, 1);
    for (int i = 0; i < QUERIES; i++) {
        char spec[32];
        snprintf(spec, sizeof spec, "empty:%d", 2000 + i);
        submitted(client, i, spec);
    }
    hq_broker_status status;
    int64_t begun_us = hq_now_us();
    for (int i = 0; i < TIMES; i++) {
        hq_message *message = asked(watcher, &status);
        assert_int_equal(status.worker_count, WORKERS);
        assert_int_equal(status.query_count, QUERIES);
        status_clear(&status);
        message_free(&message);
    }
    double ms = (double)(hq_now_us() - begun_us) / 1e3 / TIMES;
    print_message("STATE of %d workers and %d queries: %.2f ms there and back\n", WORKERS, QUERIES, ms);
    assert_true(ms < 1000); /* leases are seconds; a busy machine under a sanitizer takes tens of milliseconds */
    zsock_destroy(&client);
    zsock_destroy(&watcher);
    for (int i = 0; i < WORKERS; i++)
        fake_free(&workers[i]);
    free(workers);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detail_tells_workers_and_queries_4_6),
        cmocka_unit_test(detail_of_another_type_is_malformed_3),
        cmocka_unit_test(stop_ends_a_query_for_everybody_3_2),
        cmocka_unit_test(stop_and_drain_of_the_unknown_are_refused_3_2),
        cmocka_unit_test(drain_is_passed_on_and_the_worker_gets_nothing_more_6_5),
        cmocka_unit_test(a_thousand_workers_and_hundreds_of_queries_are_told_in_one_message_4_6),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
