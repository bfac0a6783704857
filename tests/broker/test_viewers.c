/* Who is told of which query, and how often: ten times a second for each client whatever it follows, and no more
 * listeners than there may be. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"

enum { QUERIES = 5, ROUNDS = 15, APART_MS = 100, DENSE = 140000 };

static void submit_as(zsock_t *client, int request, const char *text, int subtasks, bool is_fresh)
{
    char *spec = hq_format("empty:%d", subtasks);
    hq_message *message = without(without(submit_of(request, text, spec), "progress"), "fresh");
    message_put_bool(message, "progress", true);
    message_put_bool(message, "fresh", is_fresh);
    talk_send(client, message);
    free(spec);
}

/* A query of so many subtasks, whose progress is wanted. */
static void submit(zsock_t *client, int request, const char *text, int subtasks)
{
    submit_as(client, request, text, subtasks, false);
}

/* One whose histograms are merged behind the loop, and an answer to it. */
static char *dense_text(void)
{
    return hq_format("from hist import Hist, axis\n"
                     "h = Hist(axis.Regular(%d, 0, 10, name=\"x\"))\n"
                     "for event in events:\n"
                     "    h.fill(3.5)\n",
                     DENSE);
}

static hq_buffer dense_contents(double value)
{
    hq_axis axis = {.name = (char *)"x", .label = (char *)"", .bins = DENSE, .low = 0, .high = 10};
    hq_hist *hist = hist_new("h", &axis, 1, HQ_COUNT);
    hist_fill(hist, &value, 1);
    hq_histset *set = histset_new(&hist, 1);
    hq_buffer bytes = {0};
    histset_encode(set, &bytes);
    histset_free(&set);
    return bytes;
}

static void answer_dense(fake_worker *worker, const hq_order *order, const hq_buffer *contents)
{
    fake_say(worker, &(hq_answer){.handle = order->handle,
                                  .index = order->index,
                                  .entries = order->last - order->first,
                                  .contents = contents->bytes,
                                  .size = (uint32_t)contents->size});
}

static hq_hash accepted(zsock_t *client, int request)
{
    hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    hq_hash query;
    assert_int_equal(talk_int(message, "request"), request);
    assert_true(message_get_hash(message, "query", &query));
    message_free(&message);
    return query;
}

static void attach(zsock_t *client, int request, const hq_hash *query, bool wants_progress)
{
    hq_message *message = message_new(HQ_ATTACH);
    message_put_int32(message, "request", request);
    message_put_bool(message, "progress", wants_progress);
    message_put_hash(message, "query", query);
    talk_send(client, message);
}

/* One answer for a query that the worker has orders of. */
static void answer_one(fake_worker *worker, size_t handle, int64_t *answered)
{
    for (size_t i = 0; i < worker->count; i++)
        if (worker->orders[i].handle == worker->handles[handle]) {
            fake_answer(worker, worker->orders[i], 3.5);
            ++*answered;
            return;
        }
}

/* One for each, from the first handle on. */
static void answer_each(stage *s, fake_worker *worker, int64_t *answered)
{
    for (size_t k = 0; k < worker->handle_count; k++)
        answer_one(worker, k, answered);
    stage_wait_counter(s, "subtasks", *answered);
}

/* PROGRESS, whose histograms are those of the subtasks it tells of; gives its request. */
static int64_t progress(zsock_t *client, int64_t *done_r)
{
    hq_message *message = talk_expect(client, HQ_PROGRESS);
    int64_t request = talk_int(message, "request");
    *done_r = talk_int(message, "done");
    assert_int_equal(result_count(message, 3.5), *done_r);
    message_free(&message);
    return request;
}

static void a_client_hears_of_all_its_queries_ten_times_a_second_in_turn_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    for (int i = 0; i < QUERIES; i++) {
        submit(client, i, stage_text, 40 + i);
        accepted(client, i);
    }
    fake_collect(worker, QUERIES * 40 + QUERIES * (QUERIES - 1) / 2);
    int64_t answered = 0, begun_ms = hq_now_ms(), told[QUERIES] = {0}, last[QUERIES] = {0}, all = 0;
    for (; all < ROUNDS; all++) {
        answer_each(s, worker, &answered);
        int64_t done, request = progress(client, &done);
        assert_true(request >= 0 && request < QUERIES && done > last[request]);
        told[request]++;
        last[request] = done; /* what came meanwhile is in it */
    }
    assert_true(hq_now_ms() - begun_ms + 1 >= (all - 1) * APART_MS);
    for (int i = 0; i < QUERIES; i++)
        assert_true(told[i] >= 2 && last[i] > told[i]);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* One client has a query of so many subtasks, which is number 7 to it; the other follows that one as its number 0, and
 * has two more, each of so many subtasks more than the one before. The worker gets them all. */
static void follow_beside(zsock_t *one, zsock_t *many, fake_worker *worker, int subtasks, int step)
{
    submit(one, 7, stage_text, subtasks);
    hq_hash query = accepted(one, 7);
    attach(many, 0, &query, true);
    accepted(many, 0);
    for (int i = 1; i < 3; i++) {
        submit(many, i, stage_text, subtasks + i * step);
        accepted(many, i);
    }
    fake_collect(worker, 3 * subtasks + 3 * step);
}

/* One that follows a query alone does not make those wait for ever that another one follows beside it. */
static void a_query_that_others_follow_takes_nobody_s_turn_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *many = stage_client(s), *one = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    follow_beside(one, many, worker, 50, 1);
    int64_t answered = 0, begun_ms = hq_now_ms(), told[3] = {0}, done;
    for (int round = 0; round < ROUNDS; round++) {
        answer_each(s, worker, &answered);
        assert_int_equal(progress(one, &done), 7);
        while (talk_has_input(many, 0))
            told[progress(many, &done)]++;
    }
    int64_t all = told[0] + told[1] + told[2];
    assert_true(hq_now_ms() - begun_ms + 1 >= (all - 1) * APART_MS);
    for (int i = 0; i < 3; i++)
        assert_true(told[i] > 0 && 5 * told[i] >= all);
    zsock_destroy(&many);
    zsock_destroy(&one);
    fake_free(&worker);
    stage_end(&s);
}

/* Another client is told of the one that both follow each time when this one may not be told for a little longer. */
static void a_query_is_told_of_though_others_are_told_just_before_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *many = stage_client(s), *one = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    follow_beside(one, many, worker, 300, -1);
    int64_t answered = 0, told[3] = {0}, all = 0, done;
    answer_one(worker, 1, &answered);
    assert_int_equal(progress(many, &done), 1);
    assert_false(talk_has_input(one, APART_MS / 2));
    answer_one(worker, 0, &answered); /* the other client is half a turn ahead, from now on */
    assert_int_equal(progress(one, &done), 7);
    while (all < ROUNDS) {
        answer_each(s, worker, &answered);
        for (; talk_has_input(many, APART_MS / 10); all++)
            told[progress(many, &done)]++;
        while (talk_has_input(one, 0))
            assert_int_equal(progress(one, &done), 7);
    }
    for (int i = 0; i < 3; i++)
        assert_true(5 * told[i] >= all);
    zsock_destroy(&many);
    zsock_destroy(&one);
    fake_free(&worker);
    stage_end(&s);
}

/* What is merged behind the loop comes back when its client may just have been told of another query. */
static void what_the_mergers_make_waits_until_its_client_may_be_told_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"none";
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    char *text = dense_text();
    submit(client, 0, stage_text, 300);
    accepted(client, 0); /* the first that the worker is told of */
    submit(client, 1, text, 300);
    const double value = 3.5;
    hq_buffer bytes = dense_contents(value);
    fake_collect(worker, 600);
    hq_order orders[600];
    memcpy(orders, worker->orders, sizeof orders);
    int64_t begun_ms = hq_now_ms(), told[2] = {0}, last[2] = {0}, done, answered = 0;
    for (size_t next[2] = {0}; told[0] < 4 || told[1] < 4;) {
        for (uint32_t k = 0; k < 2; k++) {
            while (next[k] < 600 && orders[next[k]].handle != worker->handles[k])
                next[k]++;
            assert_true(next[k] < 600);
            const hq_order *order = &orders[next[k]++];
            if (k == 0)
                fake_answer(worker, *order, value);
            else
                answer_dense(worker, order, &bytes);
        }
        stage_wait_counter(s, "subtasks", answered += 2);
        while (talk_has_input(client, APART_MS / 5)) {
            hq_message *message = talk_next(client, 0);
            if (message_command(message) == HQ_PROGRESS) {
                int64_t request = talk_int(message, "request");
                done = talk_int(message, "done");
                assert_int_equal(result_count(message, value), done);
                assert_true(done > last[request]);
                last[request] = done;
                told[request]++;
            }
            message_free(&message);
        }
    }
    assert_true(hq_now_ms() - begun_ms + 1 >= (told[0] + told[1] - 1) * APART_MS);
    buffer_clear(&bytes);
    free(text);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* A query is through, and told of as a whole, while what was made of it before waits for its turn: that is not told any
 * more. Nobody answers as the store, so that DONE does not come. */
static void nothing_older_is_told_after_the_whole_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"mongodb://127.0.0.1:9/hq";
    settings.store_timeout_ms = 200;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    char *text = dense_text();
    hq_buffer bytes = dense_contents(3.5);
    submit_as(client, 0, stage_text, 9, true);
    accepted(client, 0);
    fake_collect(worker, 9);
    submit_as(client, 1, text, 2, true);
    accepted(client, 1);
    fake_collect(worker, 11);
    hq_order orders[11];
    memcpy(orders, worker->orders, sizeof orders);
    int64_t done, answered = 0, last = 0;
    fake_answer(worker, orders[0], 3.5);
    assert_int_equal(progress(client, &done), 0);
    answer_dense(worker, &orders[9], &bytes);
    stage_wait_counter(s, "subtasks", 2);
    fake_answer(worker, orders[1], 3.5); /* both are due: the large one is asked for, the small one is told at once */
    for (answered = 2; done < answered;)
        if (progress(client, &done) == 1) {
            last = done;
            done = 0;
        }
    answer_dense(worker, &orders[10], &bytes);
    stage_wait_counter(s, "subtasks", 4);
    fake_answer(worker, orders[2], 3.5);
    for (answered = 3; done < answered;) { /* the whole has come before, unless what was made before it has */
        int64_t now, request = progress(client, &now);
        if (request == 1) {
            assert_true(now > last);
            last = now;
        } else {
            done = now;
        }
    }
    buffer_clear(&bytes);
    free(text);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

static void the_last_state_of_each_query_is_told_at_once_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    for (int i = 0; i < QUERIES; i++) {
        submit(client, i, stage_text, 1 + i);
        accepted(client, i);
    }
    fake_collect(worker, QUERIES * (QUERIES + 1) / 2);
    fake_answer_all(worker, 3.5);
    int whole[QUERIES] = {0}, ended = 0;
    while (ended < QUERIES) {
        hq_message *message = talk_next(client, TALK_WAIT_MS);
        assert_non_null(message);
        int64_t subtasks = talk_int(message, "subtasks");
        if (message_command(message) == HQ_PROGRESS) {
            assert_int_equal(talk_int(message, "request"), subtasks - 1);
            assert_int_equal(result_count(message, 3.5), talk_int(message, "done"));
            whole[subtasks - 1]++;
        } else {
            assert_int_equal(message_command(message), HQ_DONE);
            assert_int_equal(result_count(message, 3.5), subtasks);
            assert_true(whole[subtasks - 1] > 0);
            ended++;
        }
        message_free(&message);
    }
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* It is told under the request that it said last, and of the end once. */
static void who_attaches_again_listens_once_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.query_listeners = 2;
    settings.client_queries = 1;
    stage *s = stage_start(&settings);
    zsock_t *one = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    submit(one, 1, stage_text, 5);
    hq_hash query = accepted(one, 1);
    for (int i = 0; i < 10; i++) {
        attach(other, 20 + i, &query, i % 2 == 1);
        accepted(other, 20 + i);
        attach(one, 40 + i, &query, true);
        accepted(one, 40 + i);
    }
    fake_collect(worker, 5);
    int64_t done, answered = 0;
    answer_each(s, worker, &answered);
    assert_int_equal(progress(other, &done), 29);
    assert_int_equal(progress(one, &done), 49);
    fake_answer_all(worker, 3.5);
    zsock_t *clients[] = {one, other};
    for (int i = 0; i < 2; i++) {
        hq_message *message = talk_expect_past(clients[i], HQ_PROGRESS, HQ_DONE);
        assert_int_equal(result_count(message, 3.5), 5);
        message_free(&message);
    }
    stage_wait_idle(s);
    assert_false(talk_has_input(one, 0) || talk_has_input(other, 0));
    submit(one, 2, stage_text, 6); /* nothing is left of all that */
    accepted(one, 2);
    zsock_destroy(&one);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

static void no_more_listen_to_a_query_than_may_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.query_listeners = 3;
    stage *s = stage_start(&settings);
    zsock_t *clients[4];
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    for (int i = 0; i < 4; i++)
        clients[i] = stage_client(s);
    submit(clients[0], 0, stage_text, 5);
    hq_hash query = accepted(clients[0], 0);
    attach(clients[1], 1, &query, true);
    accepted(clients[1], 1);
    submit(clients[2], 2, stage_text, 5);
    accepted(clients[2], 2);
    attach(clients[3], 3, &query, true);
    talk_expect_rejected(clients[3], HQ_ELIMIT);
    submit(clients[3], 4, stage_text, 5); /* would listen to the same */
    hq_message *message = talk_expect(clients[3], HQ_REJECTED);
    assert_int_equal(talk_int(message, "request"), 4);
    assert_string_equal(talk_text(message, "code"), hq_error_name(HQ_ELIMIT));
    assert_non_null(strstr(talk_text(message, "text"), "--query-listeners"));
    message_free(&message);
    message = message_new(HQ_CANCEL); /* one goes, one comes */
    message_put_hash(message, "query", &query);
    talk_send(clients[1], message);
    message = talk_expect(clients[1], HQ_FAILED);
    message_free(&message);
    attach(clients[3], 5, &query, true);
    accepted(clients[3], 5);
    fake_collect(worker, 5);
    fake_answer_all(worker, 3.5);
    for (int i = 0; i < 4; i++) {
        if (i != 1) {
            message = talk_expect_past(clients[i], HQ_PROGRESS, HQ_DONE);
            assert_int_equal(result_count(message, 3.5), 5);
            message_free(&message);
        }
        zsock_destroy(&clients[i]);
    }
    fake_free(&worker);
    stage_end(&s);
}

static void a_client_waits_for_no_more_queries_than_it_may_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.client_queries = 2;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    submit(client, 0, stage_text, 5);
    accepted(client, 0);
    submit(client, 1, stage_text, 5); /* joins its own: two answers are owed */
    accepted(client, 1);
    submit(client, 2, stage_text, 6);
    hq_message *message = talk_expect(client, HQ_REJECTED);
    assert_string_equal(talk_text(message, "code"), hq_error_name(HQ_ELIMIT));
    assert_non_null(strstr(talk_text(message, "text"), "--client-queries"));
    message_free(&message);
    submit(other, 0, stage_text, 6); /* others may all the same */
    hq_hash query = accepted(other, 0);
    attach(client, 3, &query, true);
    talk_expect_rejected(client, HQ_ELIMIT);
    fake_collect(worker, 11);
    fake_answer_all(worker, 3.5);
    for (int i = 0; i < 2; i++) {
        message = talk_expect_past(client, HQ_PROGRESS, HQ_DONE);
        message_free(&message);
    }
    submit(client, 4, stage_text, 7);
    accepted(client, 4);
    assert_int_equal(stage_counter(s, "rejected"), 1);
    zsock_destroy(&client);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_hears_of_all_its_queries_ten_times_a_second_in_turn_4_1),
        cmocka_unit_test(a_query_that_others_follow_takes_nobody_s_turn_4_1),
        cmocka_unit_test(a_query_is_told_of_though_others_are_told_just_before_4_1),
        cmocka_unit_test(what_the_mergers_make_waits_until_its_client_may_be_told_4_1),
        cmocka_unit_test(nothing_older_is_told_after_the_whole_4_1),
        cmocka_unit_test(the_last_state_of_each_query_is_told_at_once_4_1),
        cmocka_unit_test(who_attaches_again_listens_once_3),
        cmocka_unit_test(no_more_listen_to_a_query_than_may_3),
        cmocka_unit_test(a_client_waits_for_no_more_queries_than_it_may_3),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
