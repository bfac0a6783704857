/* Look-ups in a store that is slow: they hold up no other query, and see what was written of their own program before.
 *
 * The store is a real one, of which two calls (the linker wraps them, see CMakeLists.txt) wait at a gate while it is
 * closed. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"

hq_error __real_store_get_partials(hq_store *store, const hq_hash *program, hq_store_each *each, void *context,
                                   hq_reason *reason);
hq_error __wrap_store_get_partials(hq_store *store, const hq_hash *program, hq_store_each *each, void *context,
                                   hq_reason *reason);
hq_error __real_store_put_partials(hq_store *store, const hq_hash *program, const hq_partial *partials, size_t count,
                                   hq_reason *reason);
hq_error __wrap_store_put_partials(hq_store *store, const hq_hash *program, const hq_partial *partials, size_t count,
                                   hq_reason *reason);

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int room;    /* calls that wait: the first ones that come while it is above 0 */
    int waiting; /* that do */
} gate;

static gate readers = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
static gate writers = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void gate_close(gate *g, int room)
{
    pthread_mutex_lock(&g->lock);
    g->room = room;
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->room = g->waiting = 0;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

static void gate_pass(gate *g)
{
    pthread_mutex_lock(&g->lock);
    if (g->waiting < g->room) {
        g->waiting++;
        pthread_cond_broadcast(&g->moved);
        while (g->waiting > 0)
            pthread_cond_wait(&g->moved, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static void gate_await(gate *g, int waiting)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += TALK_WAIT_MS / 1000;
    pthread_mutex_lock(&g->lock);
    int code = 0;
    while (g->waiting < waiting && code == 0)
        code = pthread_cond_timedwait(&g->moved, &g->lock, &end);
    assert_int_equal(g->waiting, waiting);
    pthread_mutex_unlock(&g->lock);
}

hq_error __wrap_store_get_partials(hq_store *store, const hq_hash *program, hq_store_each *each, void *context,
                                   hq_reason *reason)
{
    gate_pass(&readers);
    return __real_store_get_partials(store, program, each, context, reason);
}

hq_error __wrap_store_put_partials(hq_store *store, const hq_hash *program, const hq_partial *partials, size_t count,
                                   hq_reason *reason)
{
    gate_pass(&writers);
    return __real_store_put_partials(store, program, partials, count, reason);
}

static stage *start(void)
{
    static const char *const files[] = {"slow.db", "slow.db-wal", "slow.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"sqlite:slow.db";
    return stage_start(&settings);
}

static const char other_text[] = "from hist import Hist, axis\n"
                                 "h = Hist(axis.Regular(10, 0, 10, name=\"x\"))\n"
                                 "for event in events:\n"
                                 "    h.fill(2.0)\n";

/* Its id, and how many subtasks the store had. */
static hq_hash expect_accepted(zsock_t *client, int request, int64_t stored)
{
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    hq_hash query;
    assert_int_equal(talk_int(message, "request"), request);
    assert_int_equal(talk_int(message, "stored"), stored);
    assert_true(message_get_hash(message, "query", &query));
    message_free(&message);
    return query;
}

static void expect_done(zsock_t *client)
{
    hq_message *message = talk_expect(client, HQ_DONE);
    assert_true(talk_bool(message, "kept"));
    message_free(&message);
}

static void a_slow_look_up_holds_up_no_other_query(void **state)
{
    (void)state;
    stage *s = start();
    zsock_t *slow = stage_client(s), *quick = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    gate_close(&readers, 1);
    talk_send(slow, submit_of(1, stage_text, "empty:5"));
    gate_await(&readers, 1);
    talk_send(quick, submit_of(2, other_text, "empty:7"));
    expect_accepted(quick, 2, 0);
    fake_collect(worker, 7);
    fake_answer_all(worker, 3.5);
    expect_done(quick);
    talk_send(quick, submit_of(3, other_text, "empty:7")); /* and the store is asked again */
    expect_accepted(quick, 3, 7);
    expect_done(quick);
    assert_false(talk_has_input(slow, 0));
    gate_open(&readers);
    expect_accepted(slow, 1, 0);
    fake_collect(worker, 5);
    fake_answer_all(worker, 3.5);
    expect_done(slow);
    zsock_destroy(&slow);
    zsock_destroy(&quick);
    fake_free(&worker);
    stage_end(&s);
}

/* What a cancelled query leaves may still be on its way to the store when it is asked again. */
static void a_look_up_sees_what_was_written_before_it(void **state)
{
    (void)state;
    stage *s = start();
    zsock_t *client = stage_client(s), *other = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *five = zsys_sprintf("%s/uproot-Zmumu-*.root",
                              getenv("HQ_SAMPLES")); /* partials without entries are not kept */
    talk_send(client, submit_of(1, stage_text, five));
    hq_hash query = expect_accepted(client, 1, 0);
    fake_collect(worker, 5);
    gate_close(&writers, 1);
    for (int i = 0; i < 3; i++)
        fake_answer(worker, worker->orders[0], 3.5);
    stage_wait_counter(s, "subtasks", 3);
    hq_message *cancel = message_new(HQ_CANCEL);
    message_put_hash(cancel, "query", &query);
    talk_send(client, cancel);
    gate_await(&writers, 1);
    talk_send(client, submit_of(2, stage_text, five));
    stage_wait_counter(s, "plans_found", 5);               /* it is planned, and the store is to be asked */
    talk_send(other, submit_of(3, other_text, "empty:1")); /* this one need not wait */
    expect_accepted(other, 3, 0);
    gate_open(&writers);
    hq_message *failed = talk_expect(client, HQ_FAILED);
    message_free(&failed);
    expect_accepted(client, 2, 3);
    zstr_free(&five);
    zsock_destroy(&client);
    zsock_destroy(&other);
    fake_free(&worker);
    stage_end(&s);
}

/* Whoever stops a broker does not wait for it forever, nor lose it. */
static void a_broker_stops_while_the_store_is_slow(void **state)
{
    (void)state;
    stage *s = start();
    zsock_t *client = stage_client(s);
    gate_close(&readers, 1);
    talk_send(client, submit_of(1, stage_text, "empty:5"));
    gate_await(&readers, 1);
    stage_stop_broker(s);
    talk_expect_rejected(client, HQ_EUNAVAILABLE);
    gate_open(&readers);
    zsock_destroy(&client);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_look_up_holds_up_no_other_query),
        cmocka_unit_test(a_look_up_sees_what_was_written_before_it),
        cmocka_unit_test(a_broker_stops_while_the_store_is_slow),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
