/* The back of a broker, clause by clause of docs/protocol.md, sections 5 and 6: who works, what is handed out, what
 * comes back, and what happens to it when a worker fails, lies, falls silent or leaves. */
#include <string.h>

#include "base/clock.h"
#include "base/schema.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"

static char *zmumu; /* a real file */

typedef struct scene {
    stage *s;
    zsock_t *client;
} scene;

static scene scene_with(hq_broker_settings settings)
{
    scene sc = {.s = stage_start(&settings)};
    sc.client = stage_client(sc.s);
    return sc;
}

static scene scene_start(void)
{
    return scene_with(stage_settings());
}

static void scene_end(scene *sc)
{
    zsock_destroy(&sc->client);
    stage_end(&sc->s);
}

static void submit(scene *sc, const char *spec)
{
    talk_send(sc->client, submit_of(1, stage_text, spec));
    hq_message *message = talk_expect(sc->client, HQ_ACCEPTED);
    message_free(&message);
}

static void expect_counts(scene *sc, double value, int64_t count, double other, int64_t other_count)
{
    hq_message *message = talk_expect(sc->client, HQ_DONE);
    assert_int_equal(result_count(message, value), count);
    assert_int_equal(result_count(message, other), other_count);
    message_free(&message);
}

static hq_message *expect_failed(scene *sc, hq_error code)
{
    hq_message *message = talk_expect(sc->client, HQ_FAILED);
    assert_string_equal(talk_text(message, "state"), "FAILED");
    if (strcmp(talk_text(message, "code"), hq_error_name(code)) != 0)
        fail_msg("%s: %s", talk_text(message, "code"), talk_text(message, "text"));
    return message;
}

static zsock_t *connect_back(const scene *sc)
{
    zsock_t *socket = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(socket_dealer(broker_back(sc->s->broker), &socket, &reason), HQ_OK);
    return socket;
}

/* ---- 5.1 HELLO ---- */

static hq_message *a_hello(void)
{
    hq_message *message = message_new(HQ_HELLO);
    message_put_text(message, "worker", "0123456789abcdef0123456789abcdef");
    message_put_text(message, "host", "somewhere");
    message_put_text(message, "version", "0.1.0");
    message_put_int32(message, "slots", 2);
    message_put_int(message, "memory", 1 << 20);
    message_put_int32(message, "credit", 4);
    return message;
}

static void hello_is_answered_with_welcome_5(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.lease_ms = 12345;
    scene sc = scene_with(settings);
    zsock_t *worker = connect_back(&sc);
    talk_send(worker, a_hello());
    hq_message *message = talk_expect(worker, HQ_WELCOME);
    hq_hash broker;
    assert_true(message_get_hash(message, "broker", &broker));
    assert_int_equal(talk_int(message, "lease_ms"), 12345);
    message_free(&message);
    zsock_destroy(&worker);
    scene_end(&sc);
}

static void hello_with_a_field_missing_or_wrong_is_rejected_5(void **state)
{
    (void)state;
    static const char *const keys[] = {"worker", "host", "version", "slots", "memory", "credit"};
    static const struct {
        const char *key;
        int64_t value;
    } beyond[] = {{"slots", 0}, {"slots", -1}, {"slots", INT32_MAX}, {"memory", -1}, {"credit", -1}};
    enum { KEYS = sizeof keys / sizeof *keys, BEYOND = sizeof beyond / sizeof *beyond };
    scene sc = scene_start();
    zsock_t *worker = connect_back(&sc);
    for (int i = 0; i < KEYS; i++) {
        talk_send(worker, without(a_hello(), keys[i]));
        talk_expect_rejected(worker, HQ_EPROTOCOL);
        hq_message *message = without(a_hello(), keys[i]);
        bson_append_double(message_body(message), keys[i], -1, 1.0);
        talk_send(worker, message);
        talk_expect_rejected(worker, HQ_EPROTOCOL);
    }
    for (int i = 0; i < BEYOND; i++) {
        hq_message *message = without(a_hello(), beyond[i].key);
        message_put_int(message, beyond[i].key, beyond[i].value);
        talk_send(worker, message);
        talk_expect_rejected(worker, HQ_EPROTOCOL);
    }
    assert_int_equal(stage_counter(sc.s, "malformed"), 2 * KEYS + BEYOND);
    talk_send(worker, a_hello()); /* none of it is held against it */
    hq_message *message = talk_expect(worker, HQ_WELCOME);
    message_free(&message);
    zsock_destroy(&worker);
    scene_end(&sc);
}

static void who_did_not_say_hello_is_told_so_5_1(void **state)
{
    (void)state;
    scene sc = scene_start();
    zsock_t *worker = connect_back(&sc);
    static const hq_command commands[] = {HQ_CREDIT, HQ_PARTIALS, HQ_EVICTED};
    for (int i = 0; i < 3; i++) {
        talk_send(worker, message_new(commands[i]));
        talk_expect_rejected(worker, HQ_ENOTFOUND);
    }
    talk_send(worker, message_new(HQ_BYE)); /* needs no answer: what follows is the answer to the next */
    talk_send(worker, message_new(HQ_CREDIT));
    talk_expect_rejected(worker, HQ_ENOTFOUND);
    assert_false(talk_has_input(worker, 0));
    zsock_destroy(&worker);
    scene_end(&sc);
}

static void a_worker_that_says_hello_again_has_forgotten_everything_5_1(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:5");
    fake_collect(worker, 5);
    fake_answer(worker, worker->orders[0], 0.5);
    worker->count = worker->handle_count = 0;
    fake_hello(worker);
    hq_message *message = talk_expect(worker->socket, HQ_WELCOME);
    message_free(&message);
    fake_collect(worker, 4); /* with a QUERY before them */
    fake_answer_all(worker, 1.5);
    expect_counts(&sc, 0.5, 1, 1.5, 4);
    fake_free(&worker);
    scene_end(&sc);
}

/* ---- malformed ---- */

static void what_is_no_message_of_a_worker_is_rejected_2_1(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 10);
    static const uint8_t document[] = {5, 0, 0, 0, 0};
    static const uint8_t later[] = {'h', 'q', HQ_WIRE_VERSION + 1, 0x20};
    const talk_frame frames[] = {{later, sizeof later}, {document, sizeof document}};
    talk_send_frames(worker->socket, frames, 2);
    talk_expect_rejected(worker->socket, HQ_EMISMATCH);
    talk_send_frames(worker->socket, frames + 1, 1);
    talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    static const hq_command commands[] = {HQ_SUBMIT, HQ_STATUS, HQ_DONE, HQ_WELCOME, HQ_SUBTASKS, HQ_CREDIT};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) { /* CREDIT without a credit */
        talk_send(worker->socket, message_new(commands[i]));
        talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    }
    for (size_t size = 0; size <= 33; size++) {
        hq_message *message = message_new(HQ_EVICTED);
        uint8_t bytes[33] = {0};
        message_copy_payload(message, bytes, size);
        talk_send(worker->socket, message);
        if (size != 16 && size != 32)
            talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    }
    assert_int_equal(stage_counter(sc.s, "evicted"), 3);
    fake_free(&worker);
    scene_end(&sc);
}

static void malformed_partials_change_nothing_2_1(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 10);
    submit(&sc, "empty:3");
    fake_collect(worker, 3);
    hq_buffer answers = {0}, contents = {0};
    for (size_t i = 0; i < 2; i++)
        answer_encode(&(hq_answer){.handle = worker->orders[i].handle, .index = worker->orders[i].index}, &answers,
                      &contents);
    for (size_t cut = 1; cut < HQ_ANSWER_BYTES; cut += 4) { /* the first answer is whole, the second is not */
        hq_message *message = message_new(HQ_PARTIALS);
        message_put_int32(message, "credit", 10);
        message_copy_payload(message, answers.bytes, answers.size - cut);
        talk_send(worker->socket, message);
        talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    }
    hq_message *message = message_new(HQ_PARTIALS);
    message_put_int32(message, "credit", 10);
    message_copy_payload(message, answers.bytes, answers.size);
    message_copy_payload(message, "left over", 9);
    talk_send(worker->socket, message);
    talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    message = message_new(HQ_PARTIALS); /* no credit */
    message_copy_payload(message, answers.bytes, answers.size);
    talk_send(worker->socket, message);
    talk_expect_rejected(worker->socket, HQ_EPROTOCOL);
    assert_int_equal(stage_counter(sc.s, "subtasks"), 0);
    fake_answer_all(worker, 0.5);
    expect_counts(&sc, 0.5, 3, 1.5, 0);
    buffer_clear(&answers);
    buffer_clear(&contents);
    fake_free(&worker);
    scene_end(&sc);
}

/* ---- 6 what is handed out ---- */

static void a_query_comes_before_its_subtasks_and_once_6_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.limit_ms = 4711;
    scene sc = scene_with(settings);
    fake_worker *worker = fake_join(sc.s, 1, 1);
    submit(&sc, zmumu);
    hq_message *message = talk_expect(worker->socket, HQ_QUERY);
    assert_string_equal(talk_text(message, "text"), stage_text);
    assert_string_equal(talk_text(message, "name"), "q.py");
    assert_int_equal(talk_int(message, "limit_ms"), 4711);
    uint32_t handle = (uint32_t)talk_int(message, "handle");
    hq_hash query;
    assert_true(message_get_hash(message, "query", &query));
    size_t size;
    const void *bytes = message_payload(message, 0, &size);
    hq_schema *schema = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(schema_decode(bytes, size, &schema, &reason), HQ_OK);
    assert_non_null(schema_find(schema, "pt1"));
    schema_free(&schema);
    bytes = message_payload(message, 1, &size);
    hq_file_entry *files = NULL;
    size_t count = 0;
    assert_int_equal(file_table_decode(bytes, size, &files, &count, &reason), HQ_OK);
    assert_int_equal(count, 1);
    assert_string_equal(files[0].path, zmumu);
    assert_string_equal(files[0].tree, "events");
    file_table_free(&files, count);
    message_free(&message);

    message = talk_expect(worker->socket, HQ_SUBTASKS);
    bytes = message_payload(message, 0, &size);
    hq_cursor cursor = cursor_over(bytes, size);
    hq_order order;
    assert_true(order_next(&cursor, &order));
    assert_true(cursor_is_complete(&cursor));
    assert_int_equal(order.handle, handle);
    assert_int_equal(order.index, 0);
    assert_int_equal(order.file, 0);
    assert_int_equal(order.first, 0);
    assert_int_equal(order.last, 2304);
    message_free(&message);
    fake_free(&worker);
    scene_end(&sc);
}

static void no_more_is_handed_out_than_the_credit_5_2(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 7);
    submit(&sc, "empty:30");
    fake_collect(worker, 7);
    assert_true(fake_hears_nothing(worker, sc.s));
    fake_answer(worker, worker->orders[0], 0.5);
    fake_collect(worker, 7); /* one for the one that was answered */
    fake_say_credit(worker, 9);
    fake_collect(worker, 9);
    fake_say_credit(worker, 9); /* absolute, no increment */
    assert_true(fake_hears_nothing(worker, sc.s));
    worker->credit = 0; /* it drains */
    fake_say_credit(worker, 0);
    fake_answer_all(worker, 0.5);
    assert_true(fake_hears_nothing(worker, sc.s));
    fake_say_credit(worker, 100);
    fake_collect(worker, 20);
    fake_answer_all(worker, 0.5);
    expect_counts(&sc, 0.5, 30, 1.5, 0);
    fake_free(&worker);
    scene_end(&sc);
}

static void a_query_that_is_over_is_dropped_everywhere_6(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *one = fake_join(sc.s, 1, 100), *other = fake_join(sc.s, 2, 100);
    submit(&sc, "empty:100");
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    while (one->count + other->count < 100) {
        assert_true(hq_now_ms() < end_ms);
        fake_drain(one, 5);
        fake_drain(other, 5);
    }
    fake_answer_all(one, 0.5);
    fake_answer_all(other, 1.5);
    hq_message *message = talk_expect(sc.client, HQ_DONE);
    assert_int_equal(result_count(message, 0.5) + result_count(message, 1.5), 100);
    message_free(&message);
    fake_collect_drops(one, 1);
    fake_collect_drops(other, 1);
    fake_free(&one);
    fake_free(&other);
    scene_end(&sc);
}

static void whoever_failed_on_it_is_told_to_drop_it_too_6(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.attempts = 1;
    scene sc = scene_with(settings);
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:2");
    fake_collect(worker, 2);
    fake_fail(worker, worker->orders[0], HQ_EPROTOCOL, "what the server of the file says is no HTTP");
    hq_message *message = expect_failed(&sc, HQ_EPROTOCOL);
    message_free(&message);
    fake_collect_drops(worker, 1);
    fake_free(&worker);
    scene_end(&sc);
}

static bool is_one_of(const hq_order *order, const hq_order of[2])
{
    return order->index == of[0].index || order->index == of[1].index;
}

static void a_straggler_is_given_to_a_second_worker_and_the_first_told_6(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *lame = fake_join(sc.s, 1, 2),
                *good = fake_join(sc.s, 2, 100); /* the lame one has no credit for more */
    submit(&sc, "empty:100");
    fake_collect(lame, 2);
    hq_order kept[2] = {lame->orders[0], lame->orders[1]};
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    for (int answered = 0; answered < 98;) {
        assert_true(hq_now_ms() < end_ms);
        size_t at = 0;
        while (at < good->count && is_one_of(&good->orders[at], kept))
            at++; /* given to it already, if the answers to others took their time */
        if (at == good->count) {
            fake_drain(good, 5);
            continue;
        }
        fake_answer(good, good->orders[at], 0.5);
        answered++;
    }
    fake_collect(good, 2); /* when they have taken much longer than the others */
    for (int i = 0; i < 2; i++)
        assert_true(is_one_of(&good->orders[i], kept));
    /* Whoever is first is heard: of one the second worker, of the other the first. */
    fake_answer(lame, kept[0], 1.5);
    fake_answer(good, kept[1], 1.5);
    hq_message *message = talk_expect(sc.client, HQ_DONE);
    assert_int_equal(result_count(message, 0.5), 98);
    assert_int_equal(result_count(message, 1.5), 2);
    message_free(&message);
    fake_collect_drops(lame, 1);
    fake_collect_drops(good, 1);
    assert_int_equal(lame->subtask_drops + good->subtask_drops, 2);
    assert_int_equal(stage_counter(sc.s, "stragglers"), 2);
    assert_int_equal(stage_counter(sc.s, "duplicates"), 0);
    fake_free(&lame);
    fake_free(&good);
    scene_end(&sc);
}

/* ---- 5.3 leases ---- */

static void a_silent_worker_loses_its_lease_and_its_subtasks_5_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.lease_ms = 2000; /* which the good one must not miss on a busy machine */
    scene sc = scene_with(settings);
    fake_worker *silent = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:20");
    fake_collect(silent, 20);
    fake_answer(silent, silent->orders[0], 0.5); /* one is done before it falls silent */
    stage_wait_counter(sc.s, "subtasks", 1);

    fake_worker *good = fake_join(sc.s, 2, 100);
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    while (stage_counter(sc.s, "workers_lost") == 0) {
        assert_true(hq_now_ms() < end_ms);
        fake_say_credit(good, 100); /* keeps its own lease */
        fake_drain(silent, 20);
    }
    fake_collect(good, 19);
    fake_answer_all(silent, 2.5); /* late */
    talk_expect_rejected(silent->socket, HQ_ENOTFOUND);
    fake_answer_all(good, 1.5);
    expect_counts(&sc, 0.5, 1, 1.5, 19);
    assert_int_equal(stage_counter(sc.s, "workers_lost"), 1);
    fake_free(&silent);
    fake_free(&good);
    scene_end(&sc);
}

static void a_worker_that_leaves_gives_back_what_it_has_5(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *leaves = fake_join(sc.s, 1, 100), *stays = NULL;
    submit(&sc, "empty:20");
    fake_collect(leaves, 20);
    fake_answer(leaves, leaves->orders[3], 0.5);
    talk_send(leaves->socket, message_new(HQ_BYE));
    stays = fake_join(sc.s, 2, 100);
    fake_collect(stays, 19);
    fake_answer_all(stays, 1.5);
    expect_counts(&sc, 0.5, 1, 1.5, 19);
    assert_int_equal(stage_counter(sc.s, "workers_lost"), 0);
    fake_free(&leaves);
    fake_free(&stays);
    scene_end(&sc);
}

static void what_is_answered_twice_counts_once_5_3(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:3");
    fake_collect(worker, 3);
    hq_order first = worker->orders[0];
    fake_answer(worker, first, 0.5);
    fake_answer(worker, first, 1.5);
    fake_fail(worker, first, HQ_EIO, "too late to fail");
    stage_wait_counter(sc.s, "duplicates", 1);
    fake_answer_all(worker, 0.5);
    expect_counts(&sc, 0.5, 3, 1.5, 0);
    assert_int_equal(stage_counter(sc.s, "subtasks"), 3);
    assert_int_equal(stage_counter(sc.s, "requeued"), 0);
    fake_free(&worker);
    scene_end(&sc);
}

/* ---- failures ---- */

static void a_failed_subtask_is_tried_elsewhere_4_3(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *bad = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:10");
    fake_collect(bad, 10);
    fake_worker *good = fake_join(sc.s, 2, 100);
    while (bad->count)
        fake_fail(bad, bad->orders[0], HQ_EIO, "the disk is on fire");
    fake_collect(good, 10);
    assert_int_equal(stage_counter(sc.s, "requeued"), 10);
    assert_true(fake_hears_nothing(bad, sc.s)); /* idle as it is */
    fake_answer_all(good, 1.5);
    expect_counts(&sc, 1.5, 10, 0.5, 0);
    fake_free(&bad);
    fake_free(&good);
    scene_end(&sc);
}

static void a_subtask_that_failed_as_often_as_allowed_fails_the_query_4_3(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:5");
    fake_collect(worker, 5);
    uint32_t index = worker->orders[2].index;
    for (int attempt = 1; attempt <= 3; attempt++) {
        size_t at = 0;
        while (worker->orders[at].index != index)
            at++;
        fake_fail(worker, worker->orders[at], HQ_EIO, "the disk is on fire");
        if (attempt < 3)
            fake_collect(worker, 5);
    }
    hq_message *message = expect_failed(&sc, HQ_EIO);
    assert_non_null(strstr(talk_text(message, "text"), "the disk is on fire"));
    assert_non_null(strstr(talk_text(message, "text"), "3 times"));
    message_free(&message);
    fake_collect_drops(worker, 1);
    assert_int_equal(stage_counter(sc.s, "failed"), 1);
    fake_free(&worker);
    scene_end(&sc);
}

static void a_fault_of_the_query_fails_it_at_once_with_its_line_4_4(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    static const hq_error finals[] = {HQ_EQUERY, HQ_ETIMEOUT, HQ_EMISMATCH, HQ_EUNSUPPORTED};
    for (int i = 0; i < 4; i++) {
        submit(&sc, "empty:5");
        fake_collect(worker, 5);
        fake_fail(worker, worker->orders[1], finals[i], "q.py:4: index 3 of 2");
        hq_message *message = expect_failed(&sc, finals[i]);
        assert_string_equal(talk_text(message, "text"), "q.py:4: index 3 of 2");
        assert_int_equal(talk_int(message, "line"), finals[i] == HQ_EQUERY ? 4 : 0);
        message_free(&message);
        fake_collect_drops(worker, (size_t)i + 1);
        worker->count = 0;
    }
    assert_int_equal(stage_counter(sc.s, "requeued"), 0);
    fake_free(&worker);
    scene_end(&sc);
}

static void an_unknown_handle_makes_the_broker_send_the_query_again_6_4(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:4");
    fake_collect(worker, 4);
    worker->handle_count = 0; /* it has forgotten */
    worker->is_forgetful = true;
    while (worker->count)
        fake_fail(worker, worker->orders[0], HQ_EPROTOCOL, "the worker was not told this query");
    fake_collect(worker, 4);
    assert_int_equal(worker->handle_count, 1);
    fake_answer_all(worker, 0.5);
    expect_counts(&sc, 0.5, 4, 1.5, 0);
    fake_free(&worker);
    scene_end(&sc);
}

static void a_failure_that_does_not_say_why_is_one_all_the_same_5(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *worker = fake_join(sc.s, 1, 100);
    submit(&sc, "empty:1");
    for (int attempt = 0; attempt < 3; attempt++) {
        fake_collect(worker, 1);
        hq_order order = worker->orders[0];
        worker->count = 0;
        fake_say(worker, &(hq_answer){.handle = order.handle, .is_failed = true, .contents = "?", .size = 1});
    }
    hq_message *message = expect_failed(&sc, HQ_EPROTOCOL);
    message_free(&message);
    fake_free(&worker);
    scene_end(&sc);
}

/* ---- lies ---- */

static void answers_that_cannot_be_are_not_counted_and_tried_elsewhere_5(void **state)
{
    (void)state;
    scene sc = scene_start();
    fake_worker *liar = fake_join(sc.s, 1, 100);
    submit(&sc, zmumu);
    fake_collect(liar, 1);
    fake_worker *honest = fake_join(sc.s, 2, 100);
    hq_order order = liar->orders[0];
    /* Not its own to answer: no such subtask, no such query. */
    fake_say(liar, &(hq_answer){.handle = order.handle, .index = 1, .entries = 2304});
    fake_say(liar, &(hq_answer){.handle = order.handle, .index = UINT32_MAX, .entries = 2304});
    fake_say(liar, &(hq_answer){.handle = UINT32_MAX, .index = 0, .entries = 2304});
    fake_say(liar, &(hq_answer){.handle = order.handle, .index = 1, .is_failed = true});
    assert_true(fake_hears_nothing(liar, sc.s));
    assert_true(fake_hears_nothing(honest, sc.s));
    /* The wrong number of entries. */
    fake_say(liar, &(hq_answer){.handle = order.handle, .entries = 2303});
    fake_collect(honest, 1);
    assert_int_equal(stage_counter(sc.s, "subtasks"), 0);
    /* Contents that do not fit. */
    fake_say(honest, &(hq_answer){.handle = order.handle, .entries = 2304, .contents = "nonsense", .size = 8});
    liar->count = 0;
    fake_collect(liar, 1);
    assert_int_equal(stage_counter(sc.s, "subtasks"), 0);
    assert_int_equal(stage_counter(sc.s, "requeued"), 2);
    fake_answer(liar, order, 0.5); /* it has learnt */
    hq_message *message = talk_expect(sc.client, HQ_DONE);
    assert_int_equal(talk_int(message, "entries"), 2304);
    assert_int_equal(result_count(message, 0.5), 1);
    message_free(&message);
    fake_free(&liar);
    fake_free(&honest);
    scene_end(&sc);
}

/* ---- workers that come and go while queries run ---- */

static void queries_go_on_through_any_coming_and_going(void **state)
{
    (void)state;
    enum { QUERIES = 4, SUBTASKS = 200, WORKERS = 3 };
    scene sc = scene_start();
    fake_worker *workers[WORKERS] = {NULL};
    uint64_t random = 1;
    for (int i = 0; i < QUERIES; i++) {
        char spec[32];
        snprintf(spec, sizeof spec, "empty:%d", SUBTASKS + i);
        submit(&sc, spec);
    }
    int done = 0, next_id = 1;
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    while (done < QUERIES) {
        assert_true(hq_now_ms() < end_ms);
        random = random * 6364136223846793005u + 1442695040888963407u;
        fake_worker **w = &workers[(random >> 40) % WORKERS];
        if (!*w)
            *w = fake_join(sc.s, next_id++, 10);
        fake_drain(*w, 1);
        if ((random >> 50) % 8 == 0) { /* it goes with what it has */
            talk_send((*w)->socket, message_new(HQ_BYE));
            fake_free(w);
        } else if ((random >> 50) % 8 == 1 && (*w)->count) {
            fake_answer(*w, (*w)->orders[0], 0.5);
        } else {
            fake_answer_all(*w, 0.5);
        }
        while (talk_has_input(sc.client, 0)) {
            hq_message *message = talk_expect(sc.client, HQ_DONE);
            assert_int_equal(result_count(message, 0.5), talk_int(message, "subtasks"));
            message_free(&message);
            done++;
        }
    }
    for (int i = 0; i < WORKERS; i++)
        if (workers[i])
            fake_free(&workers[i]);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_answered_with_welcome_5),
        cmocka_unit_test(hello_with_a_field_missing_or_wrong_is_rejected_5),
        cmocka_unit_test(who_did_not_say_hello_is_told_so_5_1),
        cmocka_unit_test(a_worker_that_says_hello_again_has_forgotten_everything_5_1),
        cmocka_unit_test(what_is_no_message_of_a_worker_is_rejected_2_1),
        cmocka_unit_test(malformed_partials_change_nothing_2_1),
        cmocka_unit_test(a_query_comes_before_its_subtasks_and_once_6_1),
        cmocka_unit_test(no_more_is_handed_out_than_the_credit_5_2),
        cmocka_unit_test(a_query_that_is_over_is_dropped_everywhere_6),
        cmocka_unit_test(whoever_failed_on_it_is_told_to_drop_it_too_6),
        cmocka_unit_test(a_straggler_is_given_to_a_second_worker_and_the_first_told_6),
        cmocka_unit_test(a_silent_worker_loses_its_lease_and_its_subtasks_5_3),
        cmocka_unit_test(a_worker_that_leaves_gives_back_what_it_has_5),
        cmocka_unit_test(what_is_answered_twice_counts_once_5_3),
        cmocka_unit_test(a_failed_subtask_is_tried_elsewhere_4_3),
        cmocka_unit_test(a_subtask_that_failed_as_often_as_allowed_fails_the_query_4_3),
        cmocka_unit_test(a_fault_of_the_query_fails_it_at_once_with_its_line_4_4),
        cmocka_unit_test(an_unknown_handle_makes_the_broker_send_the_query_again_6_4),
        cmocka_unit_test(a_failure_that_does_not_say_why_is_one_all_the_same_5),
        cmocka_unit_test(answers_that_cannot_be_are_not_counted_and_tried_elsewhere_5),
        cmocka_unit_test(queries_go_on_through_any_coming_and_going),
    };
    socket_prepare_process();
    zmumu = zsys_sprintf("%s/uproot-Zmumu.root", getenv("HQ_SAMPLES"));
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    free(zmumu);
    socket_end_process();
    return failures;
}
