/* A real ZooKeeper that hangs, dies, comes back, and ends sessions. */
#include "tests/zk/suite.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zookeeper.h>

#include "base/clock.h"
#include "tests/support/servers.h"
#include "zk/engine.h"

enum { BOUND_MS = 60000 };

static hq_testserver *server; /* one for the whole program; cmocka's tests share nothing else */

typedef struct event_counts {
    int connected, suspended, expired;
    int lost; /* of suspended and expired, those that ended a connection */
} event_counts;

static void count_event(void *context, hq_coordinator_event event)
{
    event_counts *events = context;
    events->lost += event != HQ_COORDINATOR_CONNECTED && events->connected > events->lost;
    events->connected += event == HQ_COORDINATOR_CONNECTED;
    events->suspended += event == HQ_COORDINATOR_SUSPENDED;
    events->expired += event == HQ_COORDINATOR_EXPIRED;
}

static void a_chroot_is_made_and_hides_the_others(void **state)
{
    suite_told told = {0};
    char deep[300];
    const char *endpoint = ((suite_state *)*state)->endpoint;
    snprintf(deep, sizeof deep, "%s/a/b/c", endpoint);
    hq_coordinator *outer = suite_open(endpoint, NULL, NULL), *inner = suite_open(deep, NULL, NULL);
    do_submit(inner, "q", &told);
    do_entries(inner, "unowned", &told);
    assert_int_equal(told.count, 1);
    do_entries(outer, "unowned", &told);
    assert_int_equal(told.count, 0);
    coordinator_close(&inner);
    coordinator_close(&outer);
}

static void wrong_endpoints_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"zk:",        "zk:host",    "zk:host:0/hq", "zk:host:99999", "zk::2181",
                                        "zk:a:1,/hq", "zk:a:1//hq", "zk:a:1/hq/",   "zk:a:1/../x",   "zookeeper:a:1",
                                        "",           "local:"};
    hq_coordinator *coordinator;
    hq_reason reason;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(coordinator_open(wrong[i], 1000, NULL, NULL, &coordinator, &reason), HQ_EINVAL);
        assert_null(coordinator);
        assert_non_null(strstr(reason.text, wrong[i]));
    }
}

static void what_is_asked_before_the_server_is_there_is_done_when_it_is(void **state)
{
    suite_told told = {0};
    event_counts events = {0};
    hq_reason reason;
    int never = 0;
    testserver_kill(server);
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, count_event, &events);
    coordinator_submit(one, 1, "q", "x", 1, tell_entry, &told);
    assert_int_equal(coordinator_wait(one, &never, 200, &reason), HQ_ETIMEOUT);
    assert_int_equal(told.flag, 0);
    assert_int_equal(events.connected, 0);
    testserver_restart(server);
    await(one, &told);
    assert_told(&told, HQ_OK);
    assert_int_equal(events.connected, 1);
    do_entries(one, "unowned", &told);
    assert_int_equal(told.count, 1);
    coordinator_close(&one);
}

/* Submits, owns or finishes query number i. */
typedef void start_function(hq_coordinator *coordinator, int i, suite_told *told);

enum { QUERIES = 60 };
static char entries[QUERIES][300];

static void start_submit(hq_coordinator *coordinator, int i, suite_told *told)
{
    char query[16];
    snprintf(query, sizeof query, "q%d", i);
    coordinator_submit(coordinator, 1, query, "x", 1, tell_entry, told);
}

static void start_own(hq_coordinator *coordinator, int i, suite_told *told)
{
    coordinator_own(coordinator, entries[i], "x", 1, "me", tell_done, told);
}

static void start_finish(hq_coordinator *coordinator, int i, suite_told *told)
{
    coordinator_finish(coordinator, entries[i], "x", 1, tell_done, told);
}

/* Starts all and kills the server when some of them have come back and others are under way. */
static void start_all_and_kill(hq_coordinator *coordinator, start_function *start, suite_told *tolds)
{
    hq_reason reason;
    memset(tolds, 0, QUERIES * sizeof *tolds);
    for (int i = 0; i < QUERIES; i++)
        start(coordinator, i, &tolds[i]);
    assert_int_equal(coordinator_wait(coordinator, &tolds[0].flag, BOUND_MS, &reason), HQ_OK);
    testserver_kill(server);
    testserver_restart(server);
    for (int i = 0; i < QUERIES; i++) {
        await(coordinator, &tolds[i]);
        assert_told(&tolds[i], HQ_OK);
    }
    for (int i = 0; i < QUERIES; i++)
        assert_int_equal(tolds[i].flag, 0); /* and never again */
}

static void assert_counts(hq_coordinator *coordinator, size_t unowned, size_t owned, size_t done)
{
    suite_told told = {0};
    do_entries(coordinator, "unowned", &told);
    assert_int_equal(told.count, unowned);
    do_entries(coordinator, "owned", &told);
    assert_int_equal(told.count, owned);
    do_entries(coordinator, "done", &told);
    assert_int_equal(told.count, done);
}

static void pending_operations_happen_once_when_the_server_is_killed(void **state)
{
    static suite_told tolds[QUERIES];
    event_counts events = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, count_event, &events);
    start_all_and_kill(one, start_submit, tolds);
    assert_counts(one, QUERIES, 0, 0);
    for (int i = 0; i < QUERIES; i++)
        memcpy(entries[i], tolds[i].entry, sizeof entries[i]);
    start_all_and_kill(one, start_own, tolds);
    assert_counts(one, 0, QUERIES, 0);
    start_all_and_kill(one, start_finish, tolds);
    assert_counts(one, 0, 0, QUERIES);
    assert_true(events.lost >= 3);
    assert_int_equal(events.connected, events.lost + 1);
    coordinator_close(&one);
}

static void a_server_that_hangs_is_waited_for(void **state)
{
    suite_told told = {0}, later = {0};
    event_counts events = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, count_event, &events);
    do_submit(one, "before", &told);
    testserver_pause(server);
    coordinator_submit(one, 1, "while", "x", 1, tell_entry, &told);
    coordinator_own(one, told.entry, "x", 1, "me", tell_done, &later);
    suite_await(one, NULL, &events.suspended, __FILE__, __LINE__);
    assert_int_equal(told.flag, 0);
    testserver_resume(server);
    await(one, &later);
    assert_told(&later, HQ_OK);
    if (!told.flag)
        await(one, &told);
    assert_told(&told, HQ_OK);
    assert_counts(one, 1, 1, 0);
    coordinator_close(&one);
}

static void on_other_session(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)handle, (void)type, (void)path;
    if (state == ZOO_CONNECTED_STATE || state == ZOO_EXPIRED_SESSION_STATE)
        __atomic_store_n((int *)context, 1, __ATOMIC_SEQ_CST);
}

static void drop_line(const char *message)
{
    (void)message;
}

/* A handle of the test's own, connected, or told that its session is gone. */
static zhandle_t *open_handle(const clientid_t *id, int *is_settled)
{
    *is_settled = 0;
    zhandle_t *handle = zookeeper_init2(testserver_address(server), on_other_session, 4000, id, is_settled,
                                        ZOO_NO_LOG_CLIENTENV, drop_line);
    assert_non_null(handle);
    int64_t end_ms = hq_now_ms() + BOUND_MS;
    while (!__atomic_load_n(is_settled, __ATOMIC_SEQ_CST) && hq_now_ms() < end_ms)
        poll(NULL, 0, 5);
    assert_true(__atomic_load_n(is_settled, __ATOMIC_SEQ_CST));
    return handle;
}

static void a_root_that_only_others_may_make_is_used(void **state)
{
    suite_told told = {0};
    struct ACL read_only = {ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE};
    struct ACL_vector acl = {1, &read_only};
    int is_settled;
    (void)state;
    zhandle_t *handle = open_handle(NULL, &is_settled);
    assert_int_equal(zoo_create(handle, "/site", NULL, 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
    assert_int_equal(zoo_create(handle, "/site/hq", NULL, 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
    assert_int_equal(zoo_set_acl(handle, "/site", -1, &acl), ZOK);
    zookeeper_close(handle);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "zk:%s/site/hq", testserver_address(server));
    hq_coordinator *one = suite_open(endpoint, NULL, NULL);
    do_submit(one, "q", &told);
    coordinator_close(&one);
}

/* Takes the session over and closes it: to its first holder it has expired. */
static void take_session(hq_coordinator *coordinator)
{
    int is_settled;
    clientid_t id = *(const clientid_t *)zookeeper_tree_session(coordinator->tree);
    zhandle_t *handle = open_handle(&id, &is_settled);
    zookeeper_close(handle);
}

/* The first holder may be quick enough to take its session back before the other has closed it: then again. */
static void expire(hq_coordinator *coordinator, const event_counts *events)
{
    hq_reason reason;
    int64_t end_ms = hq_now_ms() + 2 * BOUND_MS;
    int before = events->expired, never = 0;
    while (events->expired == before) {
        assert_true(hq_now_ms() < end_ms);
        take_session(coordinator);
        for (int i = 0; i < 100 && events->expired == before; i++)
            coordinator_wait(coordinator, &never, 10, &reason);
    }
}

static void after_an_expired_session_all_is_as_before_but_ownership(void **state)
{
    suite_told told = {0}, watched = {0};
    event_counts events = {0};
    char entry[300];
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *one = suite_open(endpoint, count_event, &events), *other = suite_open(endpoint, NULL, NULL);
    coordinator_join(one, "workers", "w1", "data", 4, tell_done, &told);
    await(one, &told);
    coordinator_watch(one, "brokers", tell_members, &watched);
    await(one, &watched);
    assert_int_equal(watched.count, 0);
    do_submit(one, "q", &told);
    memcpy(entry, told.entry, sizeof entry);
    do_own(one, entry, "me", &told);
    assert_told(&told, HQ_OK);
    for (int round = 0; round < 2; round++) {
        expire(one, &events);
        do_submit(one, "after", &told); /* behind the member's node, which is made again first */
        coordinator_members(other, "workers", tell_members, &told);
        await(other, &told);
        assert_int_equal(told.count, 1);
        assert_string_equal(told.ids[0], "w1");
        assert_string_equal(told.data[0], "data");
    }
    coordinator_join(other, "brokers", "b1", "x", 1, tell_done, &told);
    await(other, &told);
    watched.flag = 0;
    while (watched.count != 1) /* the watch lives on */
        await(one, &watched);
    coordinator_get(one, "owned", entry, tell_got, &told);
    await(one, &told);
    assert_told(&told, HQ_OK);
    do_finish(one, entry, &told); /* its owner's node is gone */
    assert_told(&told, HQ_OK);
    assert_counts(one, 2, 0, 1);
    coordinator_close(&one);
    coordinator_close(&other);
}

static void closing_does_not_wait_for_a_server_that_is_away(void **state)
{
    suite_told told = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    do_submit(one, "q", &told);
    testserver_pause(server);
    coordinator_submit(one, 1, "q", "x", 1, tell_entry, &told);
    int64_t begin_ms = hq_now_ms();
    coordinator_close(&one);
    assert_true(hq_now_ms() - begin_ms < BOUND_MS);
    testserver_resume(server);
    assert_int_equal(told.flag, 0);
}

int main(void)
{
    static const struct CMUnitTest more[] = {
        cmocka_unit_test_setup(a_chroot_is_made_and_hides_the_others, suite_setup),
        cmocka_unit_test(wrong_endpoints_are_refused),
        cmocka_unit_test(a_root_that_only_others_may_make_is_used),
        cmocka_unit_test_setup(what_is_asked_before_the_server_is_there_is_done_when_it_is, suite_setup),
        cmocka_unit_test_setup(pending_operations_happen_once_when_the_server_is_killed, suite_setup),
        cmocka_unit_test_setup(a_server_that_hangs_is_waited_for, suite_setup),
        cmocka_unit_test_setup(after_an_expired_session_all_is_as_before_but_ownership, suite_setup),
        cmocka_unit_test_setup(closing_does_not_wait_for_a_server_that_is_away, suite_setup),
    };
    char base[64];
    if (!testserver_is_here(TESTSERVER_ZOOKEEPER))
        testserver_skip("these tests need a ZooKeeper");
    server = testserver_start(TESTSERVER_ZOOKEEPER);
    snprintf(base, sizeof base, "zk:%s/", testserver_address(server));
    int failed = suite_run(base, more, sizeof more / sizeof *more);
    testserver_stop(&server);
    return failed;
}
