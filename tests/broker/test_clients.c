/* The front of a broker, clause by clause of docs/protocol.md, sections 3 and 4. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/broker/stage.h"
#include "wire/socket.h"

static char *zmumu; /* a real file */

/* ACCEPTED of a submission that was sent, as a check of its fields; gives the query's id. */
static hq_hash expect_accepted(zsock_t *client, int request, int64_t subtasks, int64_t stored, bool is_joined)
{
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    hq_hash query;
    assert_int_equal(talk_int(message, "request"), request);
    assert_true(message_get_hash(message, "query", &query));
    assert_int_equal(talk_int(message, "subtasks"), subtasks);
    assert_int_equal(talk_int(message, "stored"), stored);
    assert_int_equal(talk_bool(message, "joined"), is_joined);
    assert_int_equal(message_payload_count(message), 0);
    message_free(&message);
    return query;
}

static void expect_done(zsock_t *client, int64_t subtasks, bool is_from_store, double value, int64_t count)
{
    hq_message *message = talk_expect(client, HQ_DONE);
    assert_string_equal(talk_text(message, "state"), "SUCCESSFUL");
    assert_int_equal(talk_int(message, "done"), subtasks);
    assert_int_equal(talk_int(message, "subtasks"), subtasks);
    assert_int_equal(talk_bool(message, "from_store"), is_from_store);
    assert_true(talk_bool(message, "kept"));
    assert_true(talk_int(message, "elapsed_ms") >= 0);
    assert_int_equal(result_count(message, value), count);
    message_free(&message);
}

static void expect_failed(zsock_t *client, const hq_hash *query, hq_error code, const char *state)
{
    hq_message *message = talk_expect(client, HQ_FAILED);
    hq_hash id;
    assert_true(message_get_hash(message, "query", &id));
    assert_memory_equal(&id, query, sizeof id);
    assert_string_equal(talk_text(message, "code"), hq_error_name(code));
    assert_string_equal(talk_text(message, "state"), state);
    assert_true(talk_text(message, "text")[0] != 0);
    message_free(&message);
}

static void a_query_is_accepted_and_done_and_the_second_time_answered_from_the_store_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    talk_send(client, submit_of(-7, stage_text, "empty:5"));
    expect_accepted(client, -7, 5, 0, false);
    fake_collect(worker, 5);
    fake_answer_all(worker, 3.5);
    expect_done(client, 5, false, 3.5, 5);
    fake_collect_drops(worker, 1);

    /* The same meaning in another spelling, by another client. */
    zsock_t *other = stage_client(s);
    char *text = zsys_sprintf("# a remark\n%s", stage_text);
    talk_send(other, submit_of(8, text, "empty:5"));
    expect_accepted(other, 8, 5, 5, false);
    expect_done(other, 5, true, 3.5, 5);
    free(text);
    assert_int_equal(stage_counter(s, "from_store"), 1);
    assert_true(fake_hears_nothing(worker, s));

    hq_message *fresh = without(submit_of(9, stage_text, "empty:5"), "fresh");
    message_put_bool(fresh, "fresh", true);
    talk_send(other, fresh);
    expect_accepted(other, 9, 5, 0, false);
    fake_collect(worker, 5);
    fake_answer_all(worker, 4.5);
    expect_done(other, 5, false, 4.5, 5);
    zsock_destroy(&client);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

static void progress_tells_what_is_done_so_far_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    hq_message *submit = without(submit_of(1, stage_text, "empty:20"), "progress");
    message_put_bool(submit, "progress", true);
    talk_send(client, submit);
    expect_accepted(client, 1, 20, 0, false);
    fake_collect(worker, 20);
    int64_t told = 0;
    for (int i = 1; i < 20; i++) {
        fake_answer(worker, worker->orders[0], 3.5);
        if (i % 5)
            continue;
        do { /* one may tell of less than was answered by now */
            hq_message *message = talk_expect(client, HQ_PROGRESS);
            assert_string_equal(talk_text(message, "state"), "RUNNING");
            assert_true(talk_int(message, "done") > told);
            told = talk_int(message, "done");
            assert_int_equal(result_count(message, 3.5), told);
            assert_int_equal(talk_int(message, "read_bytes"), 10 * told);
            assert_int_equal(talk_int(message, "cached_bytes"), 20 * told);
            assert_int_equal(talk_int(message, "workers"), 1);
            message_free(&message);
        } while (told < i);
    }
    fake_answer_all(worker, 3.5);
    hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_DONE);
    assert_int_equal(result_count(message, 3.5), 20);
    message_free(&message);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* Even of a query that is through before its first progress was due. */
static void the_first_histograms_come_before_the_end_4_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    hq_message *submit = without(submit_of(7, stage_text, "empty:1"), "progress");
    message_put_bool(submit, "progress", true);
    talk_send(client, submit);
    expect_accepted(client, 7, 1, 0, false);
    fake_collect(worker, 1);
    fake_answer_all(worker, 3.5);
    hq_message *message = talk_expect(client, HQ_PROGRESS);
    assert_int_equal(talk_int(message, "request"), 7);
    assert_int_equal(talk_int(message, "done"), 1);
    assert_int_equal(result_count(message, 3.5), 1);
    message_free(&message);
    expect_done(client, 1, false, 3.5, 1);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* ---- 2.1, 3: malformed ---- */

static void a_submission_with_a_field_missing_or_wrong_is_rejected_3(void **state)
{
    (void)state;
    static const char *const keys[] = {"request",  "name",  "text",     "dataset",          "user",
                                       "priority", "fresh", "progress", "partition_entries"};
    enum { KEYS = sizeof keys / sizeof *keys };
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    for (int i = 0; i < KEYS; i++)
        for (int k = 0; k < 2; k++) { /* missing, and of another type */
            hq_message *message = without(submit_of(1, stage_text, "empty:5"), keys[i]);
            if (k)
                bson_append_double(message_body(message), keys[i], -1, 1.0);
            talk_send(client, message);
            talk_expect_rejected(client, HQ_EPROTOCOL);
        }
    static const struct {
        const char *key;
        int64_t value;
    } beyond[] = {{"priority", -1}, {"priority", 1000}, {"partition_entries", -1}, {"request", (int64_t)1 << 31}};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        hq_message *message = without(submit_of(1, stage_text, "empty:5"), beyond[i].key);
        bson_append_int64(message_body(message), beyond[i].key, -1, beyond[i].value);
        talk_send(client, message);
        talk_expect_rejected(client, HQ_EPROTOCOL);
    }
    assert_int_equal(stage_counter(s, "malformed"), 2 * KEYS + 4);
    zsock_destroy(&client);
    stage_end(&s);
}

static void a_dataset_that_is_no_list_of_texts_is_rejected_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    for (int i = 0; i < 2; i++) { /* none at all, and one that is a number */
        hq_message *message = without(submit_of(1, stage_text, "empty:5"), "dataset");
        bson_t specs;
        bson_append_array_begin(message_body(message), "dataset", -1, &specs);
        if (i) {
            bson_append_utf8(&specs, "0", -1, "empty:5", -1);
            bson_append_int32(&specs, "1", -1, 5);
        }
        bson_append_array_end(message_body(message), &specs);
        talk_send(client, message);
        talk_expect_rejected(client, HQ_EPROTOCOL);
    }
    zsock_destroy(&client);
    stage_end(&s);
}

static void what_is_no_message_of_a_client_is_rejected_2_1(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    static const uint8_t document[] = {5, 0, 0, 0, 0};
    const struct {
        const char *head;
        size_t head_size, frames;
        hq_error code;
    } cases[] = {
        {"hq\1\1", 4, 2, HQ_EMISMATCH},
        {"hq\2\1", 4, 1, HQ_EPROTOCOL},
        {"nonsense", 8, 2, HQ_EPROTOCOL},
        {"", 0, 2, HQ_EPROTOCOL},
        {"hq\2\x7f", 4, 2, HQ_EPROTOCOL},
        {"hq\2\x20", 4, 2, HQ_EPROTOCOL}, /* HELLO */
        {"hq\2\x12", 4, 2, HQ_EPROTOCOL},
        {"hq\2\2", 4, 2, HQ_EPROTOCOL},
        {"hq\2\3", 4, 2, HQ_EPROTOCOL},
        {"hq\2\4", 4, 2, HQ_EPROTOCOL}, /* DONE; ATTACH, CANCEL, STATUS without their fields */
    };
    enum { CASES = sizeof cases / sizeof *cases };
    for (size_t i = 0; i < CASES; i++) {
        const talk_frame frames[] = {{cases[i].head, cases[i].head_size}, {document, sizeof document}};
        talk_send_frames(client, frames, cases[i].frames);
        talk_expect_rejected(client, cases[i].code);
    }
    assert_int_equal(stage_counter(s, "malformed"), CASES);
    zsock_destroy(&client);
    stage_end(&s);
}

/* ---- 4.3, 4.4: refused ---- */

static void a_wrong_text_is_rejected_with_its_place_4_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(12,
                                "from hist import Hist, axis\n"
                                "h = Hist(axis.Regular(10, 0, 10))\n"
                                "for event in events:\n"
                                "    h.fill(event.nonsense)\n",
                                zmumu));
    hq_message *message = talk_expect(client, HQ_REJECTED);
    assert_int_equal(talk_int(message, "request"), 12);
    assert_string_equal(talk_text(message, "code"), "query");
    assert_int_equal(talk_int(message, "line"), 4);
    assert_true(talk_int(message, "column") > 8);
    assert_non_null(strstr(talk_text(message, "message"), "nonsense"));
    assert_string_equal(talk_text(message, "source"), "    h.fill(event.nonsense)");
    talk_text(message, "hint");
    message_free(&message);
    stage_wait_idle(s);
    zsock_destroy(&client);
    stage_end(&s);
}

static void what_cannot_be_read_is_rejected_4_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.max_subtasks = 10;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    char *no_tree = zsys_sprintf("%s:nonsense", zmumu);
    const struct {
        const char *spec;
        hq_error code;
    } cases[] = {{"/nowhere/at-all.root", HQ_ENOTFOUND},
                 {"nonsense", HQ_ENOTFOUND},
                 {no_tree, HQ_ENOTFOUND},
                 {"/dev/null", HQ_EFORMAT},
                 {"empty:11", HQ_ELIMIT},
                 {"empty:0", HQ_EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        talk_send(client, submit_of((int)i, stage_text, cases[i].spec));
        hq_message *message = talk_expect(client, HQ_REJECTED);
        assert_int_equal(talk_int(message, "request"), i);
        if (strcmp(talk_text(message, "code"), hq_error_name(cases[i].code)) != 0)
            fail_msg("%s: %s, %s", cases[i].spec, talk_text(message, "code"), talk_text(message, "text"));
        message_free(&message);
    }
    free(no_tree);
    zsock_destroy(&client);
    stage_end(&s);
}

static void more_queries_than_it_takes_are_rejected_4_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.max_queries = 2;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, "empty:1"));
    expect_accepted(client, 1, 1, 0, false);
    talk_send(client, submit_of(2, stage_text, "empty:2"));
    hq_hash second = expect_accepted(client, 2, 2, 0, false);
    talk_send(client, submit_of(3, stage_text, "empty:3"));
    talk_expect_rejected(client, HQ_ELIMIT);
    hq_message *message = message_new(HQ_CANCEL);
    message_put_hash(message, "query", &second);
    talk_send(client, message);
    expect_failed(client, &second, HQ_ECANCELLED, "CANCELLED");
    talk_send(client, submit_of(3, stage_text, "empty:3"));
    expect_accepted(client, 3, 3, 0, false);
    zsock_destroy(&client);
    stage_end(&s);
}

static void one_user_gets_no_more_than_one_may_have_4_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.user_queries = 2;
    settings.user_subtasks = 10;
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, "empty:11"));
    talk_expect_rejected(client, HQ_ELIMIT);
    talk_send(client, submit_of(1, stage_text, "empty:7"));
    expect_accepted(client, 1, 7, 0, false);
    talk_send(client, submit_of(2, stage_text, "empty:4")); /* eleven together */
    talk_expect_rejected(client, HQ_ELIMIT);
    talk_send(client, submit_of(2, stage_text, "empty:3"));
    hq_hash second = expect_accepted(client, 2, 3, 0, false);
    talk_send(client, submit_of(3, stage_text, "empty:1"));
    talk_expect_rejected(client, HQ_ELIMIT);
    hq_message *other = without(submit_of(3, stage_text, "empty:1"), "user");
    message_put_text(other, "user", "another");
    talk_send(client, other);
    expect_accepted(client, 3, 1, 0, false);
    hq_message *message = message_new(HQ_CANCEL);
    message_put_hash(message, "query", &second);
    talk_send(client, message);
    expect_failed(client, &second, HQ_ECANCELLED, "CANCELLED");
    talk_send(client, submit_of(4, stage_text, "empty:2"));
    expect_accepted(client, 4, 2, 0, false);
    zsock_destroy(&client);
    stage_end(&s);
}

/* A server that takes connections and never says a word. */
static int mute_server(char *url_r, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(url_r, size, "http://127.0.0.1:%d/none.root", ntohs(address.sin_port));
    return fd;
}

static void what_is_still_planned_keeps_nobody_from_starting_4_3(void **state)
{
    (void)state;
    char url[64];
    int server = mute_server(url, sizeof url);
    hq_broker_settings settings = stage_settings();
    settings.user_queries = 1;
    settings.remote = (hq_remote_settings){.requests = 1, .timeout_ms = 600000, .attempts = 1};
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, url));
    talk_send(client, submit_of(2, stage_text, "empty:3"));
    expect_accepted(client, 2, 3, 0, false);
    talk_send(client, submit_of(3, stage_text, "empty:1"));
    talk_expect_rejected(client, HQ_ELIMIT);
    close(server); /* resets what it has */
    talk_expect_rejected(client, HQ_EUNAVAILABLE);
    zsock_destroy(&client);
    stage_end(&s);
}

static void shares_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"anna",    "anna=",    "=2",      "anna=0",
                                        "anna=-1", "anna=nan", "anna=2x", "anna=2 bela=1e9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hq_broker_settings settings = stage_settings();
        settings.shares = (char *)wrong[i];
        hq_broker *broker = NULL;
        hq_reason reason = {{0}};
        assert_int_equal(broker_new(&settings, &broker, &reason), HQ_EINVAL);
        assert_null(broker);
        assert_non_null(strstr(reason.text, "USER=WEIGHT"));
    }
    hq_broker_settings settings = stage_settings();
    settings.shares = (char *)"anna=2, bela=0.5 a=b=3";
    stage *s = stage_start(&settings);
    stage_end(&s);
}

static void what_is_not_accepted_yet_is_cancelled_by_its_request_3(void **state)
{
    (void)state;
    char url[64];
    int server = mute_server(url, sizeof url);
    hq_broker_settings settings = stage_settings();
    settings.remote = (hq_remote_settings){.requests = 1, .timeout_ms = 600000, .attempts = 1};
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(7, stage_text, url)); /* its planning takes as long as the server says nothing */
    hq_message *cancel = message_new(HQ_CANCEL);
    message_put_int32(cancel, "request", 7);
    talk_send(client, cancel);
    hq_message *message = talk_expect(client, HQ_REJECTED);
    assert_int_equal(talk_int(message, "request"), 7);
    assert_string_equal(talk_text(message, "code"), "cancelled");
    message_free(&message);
    close(server);
    stage_wait_idle(s);
    cancel = message_new(HQ_CANCEL);
    message_put_int32(cancel, "request", 8); /* nothing was asked under that number */
    talk_send(client, cancel);
    talk_send(client, submit_of(9, stage_text, "empty:1"));
    expect_accepted(client, 9, 1, 0, false);
    zsock_destroy(&client);
    stage_end(&s);
}

/* ---- several listeners ---- */

static void send_cancel(zsock_t *client, const hq_hash *query)
{
    hq_message *message = message_new(HQ_CANCEL);
    message_put_hash(message, "query", query);
    talk_send(client, message);
}

static void the_same_query_is_joined_and_both_are_told_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *one = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    talk_send(one, submit_of(1, stage_text, "empty:5"));
    hq_hash query = expect_accepted(one, 1, 5, 0, false);
    fake_collect(worker, 5);
    talk_send(other, submit_of(2, stage_text, "empty:5"));
    hq_hash joined = expect_accepted(other, 2, 5, 0, true);
    assert_memory_equal(&query, &joined, sizeof query);
    assert_int_equal(stage_counter(s, "joined"), 1);
    assert_true(fake_hears_nothing(worker, s)); /* nothing is computed twice */
    fake_answer_all(worker, 0.5);
    expect_done(one, 5, false, 0.5, 5);
    expect_done(other, 5, false, 0.5, 5);
    zsock_destroy(&one);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

static void a_cancel_by_one_of_two_leaves_the_other_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *one = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    talk_send(one, submit_of(1, stage_text, "empty:5"));
    hq_hash query = expect_accepted(one, 1, 5, 0, false);
    talk_send(other, submit_of(2, stage_text, "empty:5"));
    expect_accepted(other, 2, 5, 0, true);
    fake_collect(worker, 5);
    send_cancel(one, &query);
    expect_failed(one, &query, HQ_ECANCELLED, "CANCELLED"); /* 4.1: exactly one of DONE and FAILED for everybody */
    fake_answer_all(worker, 0.5);
    expect_done(other, 5, false, 0.5, 5);
    assert_int_equal(stage_counter(s, "cancelled"), 0);
    assert_false(talk_has_input(one, 0));
    zsock_destroy(&one);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

static void a_cancel_by_the_last_one_stops_it_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 3);
    talk_send(client, submit_of(1, stage_text, "empty:500"));
    hq_hash query = expect_accepted(client, 1, 500, 0, false);
    fake_collect(worker, 3);
    hq_order kept = worker->orders[0];
    send_cancel(client, &query);
    expect_failed(client, &query, HQ_ECANCELLED, "CANCELLED");
    fake_collect_drops(worker, 1);
    fake_answer(worker, kept, 0.5); /* too late, and harmless */
    assert_true(fake_hears_nothing(worker, s));
    assert_int_equal(stage_counter(s, "cancelled"), 1);
    send_cancel(client, &query); /* it is over: nothing to say */
    hq_hash unknown = hash_of("x", 1);
    send_cancel(client, &unknown);
    talk_send(client, submit_of(2, stage_text, "empty:500")); /* and it may be asked again */
    expect_accepted(client, 2, 500, 0, false);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

static void a_client_may_attach_to_a_query_under_way_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *one = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    talk_send(one, submit_of(1, stage_text, "empty:5"));
    hq_hash query = expect_accepted(one, 1, 5, 0, false), unknown = hash_of("x", 1);
    hq_message *message = message_new(HQ_ATTACH);
    message_put_int32(message, "request", 44);
    message_put_bool(message, "progress", true);
    message_put_hash(message, "query", &query);
    talk_send(other, message);
    expect_accepted(other, 44, 5, 0, true);
    zsock_destroy(&one); /* a client that vanishes leaves it running */
    fake_collect(worker, 5);
    fake_answer_all(worker, 0.5);
    message = talk_expect_past(other, HQ_PROGRESS, HQ_DONE);
    assert_int_equal(result_count(message, 0.5), 5);
    message_free(&message);
    for (int i = 0; i < 2; i++) { /* over, or never heard of */
        message = message_new(HQ_ATTACH);
        message_put_int32(message, "request", 45);
        message_put_bool(message, "progress", true);
        message_put_hash(message, "query", i ? &query : &unknown);
        talk_send(other, message);
        talk_expect_rejected(other, HQ_ENOTFOUND);
    }
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

static void a_query_whose_client_vanished_is_computed_and_stored_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, "empty:5"));
    expect_accepted(client, 1, 5, 0, false);
    zsock_destroy(&client);
    fake_worker *worker = fake_join(s, 1, 100);
    fake_collect(worker, 5);
    fake_answer_all(worker, 0.5);
    stage_wait_idle(s);
    client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, "empty:5"));
    expect_accepted(client, 1, 5, 5, false);
    expect_done(client, 5, true, 0.5, 5);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

static void partials_in_the_store_are_not_computed_again_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    char *five = zsys_sprintf("%s/uproot-Zmumu-*.root", getenv("HQ_SAMPLES")); /* the same events five times */
    enum { SUBTASKS = 5, ENTRIES = 5 * 2304 };
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, FAKE_MAX);
    talk_send(client, submit_of(1, stage_text, five));
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    assert_int_equal(talk_int(message, "subtasks"), SUBTASKS);
    assert_int_equal(talk_int(message, "entries"), ENTRIES);
    hq_hash query;
    assert_true(message_get_hash(message, "query", &query));
    message_free(&message);
    fake_collect(worker, SUBTASKS);
    hq_order last = worker->orders[SUBTASKS - 1];
    while (worker->count > 1)
        fake_answer(worker, worker->orders[worker->orders[0].index == last.index], 6.5);
    stage_wait_counter(s, "subtasks", SUBTASKS - 1);
    send_cancel(client, &query);
    expect_failed(client, &query, HQ_ECANCELLED, "CANCELLED");
    fake_collect_drops(worker, 1);
    worker->count = 0;

    talk_send(client, submit_of(2, stage_text, five));
    expect_accepted(client, 2, SUBTASKS, SUBTASKS - 1, false);
    fake_collect(worker, 1);
    assert_int_equal(worker->orders[0].index, last.index);
    fake_answer_all(worker, 7.5);
    message = talk_expect(client, HQ_DONE);
    assert_int_equal(talk_int(message, "entries"), ENTRIES);
    assert_int_equal(talk_int(message, "stored"), SUBTASKS - 1);
    assert_int_equal(result_count(message, 6.5), SUBTASKS - 1);
    assert_int_equal(result_count(message, 7.5), 1);
    message_free(&message);
    free(five);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

/* ---- the rest ---- */

static void status_tells_how_it_stands_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 1);
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", 99);
    talk_send(client, message);
    message = talk_expect(client, HQ_STATE);
    hq_hash broker;
    assert_int_equal(talk_int(message, "request"), 99);
    assert_true(message_get_hash(message, "broker", &broker));
    assert_true(talk_text(message, "host")[0] != 0);
    assert_string_equal(talk_text(message, "version"), HQ_VERSION);
    assert_int_equal(talk_int(message, "workers"), 1);
    assert_int_equal(talk_int(message, "slots"), 2);
    assert_int_equal(talk_int(message, "queries"), 0);
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, message_body(message), "counters") && BSON_ITER_HOLDS_DOCUMENT(&iter));
    message_free(&message);
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

static void a_broker_that_stops_tells_its_clients_4_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    talk_send(client, submit_of(1, stage_text, "empty:5"));
    hq_hash query = expect_accepted(client, 1, 5, 0, false);
    stage_stop_broker(s);
    expect_failed(client, &query, HQ_EUNAVAILABLE, "FAILED");
    zsock_destroy(&client);
    stage_end(&s);
}

static void without_a_store_nothing_is_kept_4(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"none";
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    for (int i = 0; i < 2; i++) {
        talk_send(client, submit_of(1, stage_text, "empty:5"));
        expect_accepted(client, 1, 5, 0, false);
        fake_collect(worker, 5);
        fake_answer_all(worker, 3.5);
        hq_message *message = talk_expect(client, HQ_DONE);
        assert_false(talk_bool(message, "kept"));
        assert_false(talk_bool(message, "from_store"));
        message_free(&message);
    }
    zsock_destroy(&client);
    fake_free(&worker);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_accepted_and_done_and_the_second_time_answered_from_the_store_4_1),
        cmocka_unit_test(progress_tells_what_is_done_so_far_4),
        cmocka_unit_test(the_first_histograms_come_before_the_end_4_1),
        cmocka_unit_test(a_submission_with_a_field_missing_or_wrong_is_rejected_3),
        cmocka_unit_test(a_dataset_that_is_no_list_of_texts_is_rejected_3),
        cmocka_unit_test(what_is_no_message_of_a_client_is_rejected_2_1),
        cmocka_unit_test(a_wrong_text_is_rejected_with_its_place_4_4),
        cmocka_unit_test(what_cannot_be_read_is_rejected_4_3),
        cmocka_unit_test(more_queries_than_it_takes_are_rejected_4_3),
        cmocka_unit_test(one_user_gets_no_more_than_one_may_have_4_3),
        cmocka_unit_test(what_is_still_planned_keeps_nobody_from_starting_4_3),
        cmocka_unit_test(shares_that_make_no_sense_are_refused),
        cmocka_unit_test(what_is_not_accepted_yet_is_cancelled_by_its_request_3),
        cmocka_unit_test(the_same_query_is_joined_and_both_are_told_4),
        cmocka_unit_test(a_cancel_by_one_of_two_leaves_the_other_3),
        cmocka_unit_test(a_cancel_by_the_last_one_stops_it_3),
        cmocka_unit_test(a_client_may_attach_to_a_query_under_way_3),
        cmocka_unit_test(a_query_whose_client_vanished_is_computed_and_stored_3),
        cmocka_unit_test(partials_in_the_store_are_not_computed_again_4),
        cmocka_unit_test(status_tells_how_it_stands_4),
        cmocka_unit_test(a_broker_that_stops_tells_its_clients_4_3),
        cmocka_unit_test(without_a_store_nothing_is_kept_4),
    };
    socket_prepare_process();
    zmumu = zsys_sprintf("%s/uproot-Zmumu.root", getenv("HQ_SAMPLES"));
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    free(zmumu);
    socket_end_process();
    return failures;
}
