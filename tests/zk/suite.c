#include "tests/zk/suite.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { BOUND_MS = 60000, SESSION_MS = 4000 };

static void note(suite_told *told, hq_error error, const char *detail)
{
    told->flag++;
    told->error = error;
    snprintf(told->detail, sizeof told->detail, "%s", detail);
}

void tell_done(void *context, hq_error error, const char *detail)
{
    note(context, error, detail);
}

void tell_got(void *context, hq_error error, const char *detail, const void *bytes, size_t size)
{
    suite_told *told = context;
    note(told, error, detail);
    told->size = size;
    snprintf(told->bytes, sizeof told->bytes, "%.*s", (int)(size < 256 ? size : 256), size ? (const char *)bytes : "");
}

void tell_members(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    suite_told *told = context;
    note(told, error, detail);
    told->count = count;
    for (size_t i = 0; i < count && i < 32; i++) {
        snprintf(told->ids[i], sizeof told->ids[i], "%s", members[i].id);
        snprintf(told->data[i], sizeof told->data[i], "%.*s", (int)members[i].size,
                 members[i].size ? (const char *)members[i].bytes : "");
    }
}

void tell_entry(void *context, hq_error error, const char *detail, const char *entry)
{
    suite_told *told = context;
    note(told, error, detail);
    snprintf(told->entry, sizeof told->entry, "%s", entry ? entry : "");
}

void suite_await(hq_coordinator *coordinator, hq_coordinator *other, int *flag, const char *file, int line)
{
    int64_t end_ms = hq_now_ms() + BOUND_MS;
    while (!*flag) {
        struct pollfd ready[2] = {{coordinator_fd(coordinator), POLLIN, 0}, {-1, POLLIN, 0}};
        if (other)
            ready[1].fd = coordinator_fd(other);
        if (poll(ready, 2, 1000) < 0 || hq_now_ms() > end_ms) {
            print_error("%s:%d: the callback did not come\n", file, line);
            fail();
        }
        coordinator_dispatch(coordinator);
        if (other)
            coordinator_dispatch(other);
    }
    *flag = 0;
}

void suite_assert_told(const suite_told *told, hq_error error, const char *file, int line)
{
    if (told->error == error)
        return;
    print_error("%s:%d: told %s (%s) instead of %s\n", file, line, hq_error_name(told->error), told->detail,
                hq_error_name(error));
    fail();
}

hq_coordinator *suite_open(const char *endpoint, hq_coordinator_on_event *on_event, void *context)
{
    hq_coordinator *coordinator;
    hq_reason reason;
    if (coordinator_open(endpoint, SESSION_MS, on_event, context, &coordinator, &reason) != HQ_OK) {
        print_error("%s\n", reason.text);
        fail();
    }
    return coordinator;
}

int suite_setup(void **state)
{
    suite_state *at = *state;
    snprintf(at->endpoint, sizeof at->endpoint, "%stest-%d", at->base, at->number++);
    return 0;
}

void do_submit(hq_coordinator *coordinator, const char *query, suite_told *told)
{
    coordinator_submit(coordinator, 500, query, "query", 5, tell_entry, told);
    await(coordinator, told);
    assert_told(told, HQ_OK);
}

void do_own(hq_coordinator *coordinator, const char *entry, const char *owner, suite_told *told)
{
    coordinator_own(coordinator, entry, "state", 5, owner, tell_done, told);
    await(coordinator, told);
}

void do_finish(hq_coordinator *coordinator, const char *entry, suite_told *told)
{
    coordinator_finish(coordinator, entry, "end", 3, tell_done, told);
    await(coordinator, told);
}

void do_entries(hq_coordinator *coordinator, const char *group, suite_told *told)
{
    coordinator_entries(coordinator, group, tell_members, told);
    await(coordinator, told);
    assert_told(told, HQ_OK);
}

void do_get(hq_coordinator *coordinator, const char *group, const char *entry, suite_told *told)
{
    coordinator_get(coordinator, group, entry, tell_got, told);
    await(coordinator, told);
}

/* --- members --- */

static void join(hq_coordinator *coordinator, const char *id, suite_told *told)
{
    coordinator_join(coordinator, "workers", id, id, strlen(id), tell_done, told);
    await(coordinator, told);
}

static void members_are_seen_with_their_data(void **state)
{
    suite_told told = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    join(one, "w2", &told);
    assert_told(&told, HQ_OK);
    join(one, "w1", &told);
    assert_told(&told, HQ_OK);
    coordinator_members(one, "workers", tell_members, &told);
    await(one, &told);
    assert_int_equal(told.count, 2);
    assert_string_equal(told.ids[0], "w1");
    assert_string_equal(told.data[0], "w1");
    assert_string_equal(told.ids[1], "w2");
    coordinator_members(one, "brokers", tell_members, &told);
    await(one, &told);
    assert_int_equal(told.count, 0);
    coordinator_close(&one);
    assert_null(one);
}

static void a_watch_follows_who_comes_and_goes(void **state)
{
    suite_told watched = {0}, joined = {0};
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *watcher = suite_open(endpoint, NULL, NULL);
    coordinator_watch(watcher, "workers", tell_members, &watched);
    await(watcher, &watched);
    assert_int_equal(watched.count, 0);
    for (size_t round = 0; round < 3; round++) {
        hq_coordinator *member = suite_open(endpoint, NULL, NULL);
        coordinator_join(member, "workers", "w", "data", 4, tell_done, &joined);
        await_both(watcher, member, &joined);
        assert_told(&joined, HQ_OK);
        while (watched.count != 1)
            await(watcher, &watched);
        assert_string_equal(watched.ids[0], "w");
        assert_string_equal(watched.data[0], "data");
        coordinator_close(&member);
        watched.flag = 0;
        while (watched.count != 0)
            await(watcher, &watched);
    }
    coordinator_close(&watcher);
}

static void a_living_members_id_is_refused_to_another(void **state)
{
    suite_told told = {0};
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *one = suite_open(endpoint, NULL, NULL), *other = suite_open(endpoint, NULL, NULL);
    join(one, "same", &told);
    assert_told(&told, HQ_OK);
    join(other, "same", &told);
    assert_told(&told, HQ_EEXISTS);
    coordinator_close(&other);
    coordinator_members(one, "workers", tell_members, &told);
    await(one, &told);
    assert_int_equal(told.count, 1);
    coordinator_close(&one);
}

/* --- the way of a query --- */

static void a_query_goes_from_unowned_to_owned_to_done(void **state)
{
    suite_told told = {0};
    char entry[300];
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    do_submit(one, "q1", &told);
    assert_memory_equal(told.entry, "entry-500-q1-", 13);
    memcpy(entry, told.entry, sizeof entry);
    do_get(one, "unowned", entry, &told);
    assert_string_equal(told.bytes, "query");
    do_own(one, entry, "me", &told);
    assert_told(&told, HQ_OK);
    do_entries(one, "unowned", &told);
    assert_int_equal(told.count, 0);
    do_get(one, "owned", entry, &told);
    assert_string_equal(told.bytes, "state");
    coordinator_update(one, entry, "later", 5, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_OK);
    do_get(one, "owned", entry, &told);
    assert_string_equal(told.bytes, "later");
    do_finish(one, entry, &told);
    assert_told(&told, HQ_OK);
    do_entries(one, "owned", &told);
    assert_int_equal(told.count, 0);
    do_get(one, "done", entry, &told);
    assert_string_equal(told.bytes, "end");
    coordinator_remove(one, "done", entry, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_OK);
    do_entries(one, "done", &told);
    assert_int_equal(told.count, 0);
    coordinator_close(&one);
}

static void what_is_not_there_is_not_found(void **state)
{
    suite_told told = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    do_own(one, "entry-500-q-0000000000", "me", &told);
    assert_told(&told, HQ_ENOTFOUND);
    do_finish(one, "entry-500-q-0000000000", &told);
    assert_told(&told, HQ_ENOTFOUND);
    coordinator_update(one, "entry-500-q-0000000000", "", 0, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_ENOTFOUND);
    coordinator_remove(one, "done", "entry-500-q-0000000000", tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_ENOTFOUND);
    do_get(one, "done", "entry-500-q-0000000000", &told);
    assert_told(&told, HQ_ENOTFOUND);
    do_entries(one, "done", &told); /* and nothing was half made */
    assert_int_equal(told.count, 0);
    do_entries(one, "owned", &told);
    assert_int_equal(told.count, 0);
    coordinator_close(&one);
}

static void of_two_contenders_exactly_one_owns(void **state)
{
    enum { QUERIES = 20 };
    suite_told submitted = {0}, one_told[QUERIES] = {0}, other_told[QUERIES] = {0}, told = {0};
    char entries[QUERIES][300];
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *one = suite_open(endpoint, NULL, NULL), *other = suite_open(endpoint, NULL, NULL);
    for (int i = 0; i < QUERIES; i++) {
        char query[16];
        snprintf(query, sizeof query, "q%d", i);
        do_submit(one, query, &submitted);
        memcpy(entries[i], submitted.entry, sizeof entries[i]);
    }
    for (int i = 0; i < QUERIES; i++) {
        coordinator_own(one, entries[i], "1", 1, "one", tell_done, &one_told[i]);
        coordinator_own(other, entries[i], "2", 1, "other", tell_done, &other_told[i]);
    }
    for (int i = 0; i < QUERIES; i++) {
        await_both(one, other, &one_told[i]);
        await_both(one, other, &other_told[i]);
        assert_true((one_told[i].error == HQ_OK) != (other_told[i].error == HQ_OK));
        assert_told(one_told[i].error == HQ_OK ? &other_told[i] : &one_told[i], HQ_ENOTFOUND);
        do_get(one, "owned", entries[i], &told);
        assert_string_equal(told.bytes, one_told[i].error == HQ_OK ? "1" : "2");
    }
    coordinator_close(&one);
    coordinator_close(&other);
}

static void finish_works_when_the_owners_session_has_gone(void **state)
{
    suite_told told = {0};
    char entry[300];
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *one = suite_open(endpoint, NULL, NULL), *other = suite_open(endpoint, NULL, NULL);
    do_submit(one, "q", &told);
    memcpy(entry, told.entry, sizeof entry);
    do_own(other, entry, "other", &told);
    assert_told(&told, HQ_OK);
    coordinator_remove(one, "owned", entry, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_EEXISTS); /* it has an owner */
    coordinator_close(&other);
    do_finish(one, entry, &told);
    assert_told(&told, HQ_OK);
    do_get(one, "done", entry, &told);
    assert_string_equal(told.bytes, "end");
    do_finish(one, entry, &told);
    assert_told(&told, HQ_ENOTFOUND);
    coordinator_close(&one);
}

static void updates_happen_in_their_order(void **state)
{
    enum { UPDATES = 200 };
    suite_told told = {0}, updated = {0};
    char entry[300];
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    do_submit(one, "q", &told);
    memcpy(entry, told.entry, sizeof entry);
    do_own(one, entry, "me", &told);
    for (int i = 0; i < UPDATES; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "%d", i);
        coordinator_update(one, entry, text, (size_t)size, tell_done, &updated);
    }
    do_get(one, "owned", entry, &told);
    assert_string_equal(told.bytes, "199");
    while (updated.flag < UPDATES)
        await(one, &told);
    assert_told(&updated, HQ_OK);
    coordinator_close(&one);
}

static void entries_come_by_priority(void **state)
{
    static const int priorities[] = {999, 0, 500, 7};
    suite_told told = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        coordinator_submit(one, priorities[i], "q", NULL, 0, tell_entry, &told);
        await(one, &told);
        assert_told(&told, HQ_OK);
    }
    do_entries(one, "unowned", &told);
    assert_int_equal(told.count, 4);
    assert_memory_equal(told.ids[0], "entry-000-q-", 12);
    assert_memory_equal(told.ids[1], "entry-007-q-", 12);
    assert_memory_equal(told.ids[2], "entry-500-q-", 12);
    assert_memory_equal(told.ids[3], "entry-999-q-", 12);
    coordinator_close(&one);
}

/* --- what is refused, and how calls behave --- */

static void wrong_names_and_sizes_are_refused(void **state)
{
    static char large[1000001];
    suite_told told = {0};
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    coordinator_submit(one, 1000, "q", NULL, 0, tell_entry, &told);
    await(one, &told);
    assert_told(&told, HQ_EINVAL);
    coordinator_submit(one, 0, "../q", NULL, 0, tell_entry, &told);
    await(one, &told);
    assert_told(&told, HQ_EINVAL);
    coordinator_submit(one, 0, "q", large, sizeof large, tell_entry, &told);
    await(one, &told);
    assert_told(&told, HQ_ELIMIT);
    coordinator_join(one, "friends", "me", NULL, 0, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_EINVAL);
    coordinator_join(one, "workers", "", NULL, 0, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_EINVAL);
    coordinator_entries(one, "workers", tell_members, &told);
    await(one, &told);
    assert_told(&told, HQ_EINVAL);
    do_get(one, "done", "..", &told);
    assert_told(&told, HQ_EINVAL);
    coordinator_submit(one, 0, "q", large, sizeof large - 1, tell_entry, &told); /* just small enough */
    await(one, &told);
    assert_told(&told, HQ_OK);
    coordinator_close(&one);
}

static void callbacks_come_from_dispatch_alone(void **state)
{
    suite_told told = {0};
    hq_reason reason;
    int never = 0;
    hq_coordinator *one = suite_open(((suite_state *)*state)->endpoint, NULL, NULL);
    coordinator_submit(one, 1000, "q", NULL, 0, tell_entry, &told);
    coordinator_submit(one, 0, "q", NULL, 0, tell_entry, &told);
    assert_int_equal(told.flag, 0);
    assert_int_equal(coordinator_wait(one, &never, 50, &reason), HQ_ETIMEOUT);
    while (told.flag < 2)
        coordinator_wait(one, &never, 50, &reason);
    coordinator_submit(one, 0, "another", NULL, 0, tell_entry, &told);
    coordinator_close(&one); /* in the middle: its callback never comes */
    assert_int_equal(told.flag, 2);
    coordinator_close(&one);
}

typedef struct suite_chain {
    hq_coordinator *coordinator;
    int left, flag;
} suite_chain;

static void chain_next(void *context, hq_error error, const char *detail, const char *entry)
{
    suite_chain *chain = context;
    (void)detail, (void)entry;
    assert_int_equal(error, HQ_OK);
    if (chain->left-- > 0)
        coordinator_submit(chain->coordinator, 1, "chain", NULL, 0, chain_next, chain);
    else
        chain->flag = 1;
}

static void a_callback_may_start_the_next(void **state)
{
    suite_told told = {0};
    suite_chain chain = {suite_open(((suite_state *)*state)->endpoint, NULL, NULL), 30, 0};
    coordinator_submit(chain.coordinator, 1, "chain", NULL, 0, chain_next, &chain);
    suite_await(chain.coordinator, NULL, &chain.flag, __FILE__, __LINE__);
    do_entries(chain.coordinator, "unowned", &told);
    assert_int_equal(told.count, 31);
    coordinator_close(&chain.coordinator);
}

static void a_wipe_leaves_nothing_and_who_comes_next_begins_anew(void **state)
{
    suite_told told = {0};
    char entry[300];
    const char *endpoint = ((suite_state *)*state)->endpoint;
    hq_coordinator *one = suite_open(endpoint, NULL, NULL), *other = suite_open(endpoint, NULL, NULL);
    coordinator_join(other, "workers", "w", "x", 1, tell_done, &told);
    await(other, &told);
    assert_told(&told, HQ_OK);
    for (int i = 0; i < 20; i++)
        do_submit(one, "waiting", &told);
    do_submit(one, "q", &told);
    memcpy(entry, told.entry, sizeof entry);
    do_own(one, entry, "me", &told);
    do_submit(one, "over", &told);
    memcpy(entry, told.entry, sizeof entry);
    do_own(one, entry, "me", &told);
    do_finish(one, entry, &told);
    assert_told(&told, HQ_OK);

    coordinator_wipe(one, tell_done, &told);
    await(one, &told);
    assert_told(&told, HQ_OK);
    coordinator_entries(one, "unowned", tell_members, &told);
    await(one, &told);
    assert_told(&told, HQ_ENOTFOUND);
    coordinator_wipe(one, tell_done, &told); /* of nothing */
    await(one, &told);
    assert_told(&told, HQ_OK);
    coordinator_close(&other);
    coordinator_close(&one);

    one = suite_open(endpoint, NULL, NULL);
    static const char *const groups[] = {"unowned", "owned", "done"};
    for (size_t i = 0; i < 3; i++) {
        do_entries(one, groups[i], &told);
        assert_told(&told, HQ_OK);
        assert_int_equal(told.count, 0);
    }
    coordinator_members(one, "workers", tell_members, &told);
    await(one, &told);
    assert_told(&told, HQ_OK);
    assert_int_equal(told.count, 0);
    do_submit(one, "q", &told);
    assert_told(&told, HQ_OK);
    coordinator_close(&one);
}

static const struct CMUnitTest suite_tests[] = {
    cmocka_unit_test_setup(members_are_seen_with_their_data, suite_setup),
    cmocka_unit_test_setup(a_watch_follows_who_comes_and_goes, suite_setup),
    cmocka_unit_test_setup(a_living_members_id_is_refused_to_another, suite_setup),
    cmocka_unit_test_setup(a_query_goes_from_unowned_to_owned_to_done, suite_setup),
    cmocka_unit_test_setup(what_is_not_there_is_not_found, suite_setup),
    cmocka_unit_test_setup(of_two_contenders_exactly_one_owns, suite_setup),
    cmocka_unit_test_setup(finish_works_when_the_owners_session_has_gone, suite_setup),
    cmocka_unit_test_setup(updates_happen_in_their_order, suite_setup),
    cmocka_unit_test_setup(entries_come_by_priority, suite_setup),
    cmocka_unit_test_setup(wrong_names_and_sizes_are_refused, suite_setup),
    cmocka_unit_test_setup(callbacks_come_from_dispatch_alone, suite_setup),
    cmocka_unit_test_setup(a_callback_may_start_the_next, suite_setup),
    cmocka_unit_test_setup(a_wipe_leaves_nothing_and_who_comes_next_begins_anew, suite_setup),
};

static suite_state suite; /* cmocka's group set-up takes no argument to hand it through */

static int give_state(void **state)
{
    *state = &suite;
    return 0;
}

int suite_run(const char *base, const struct CMUnitTest *more, size_t count)
{
    suite = (suite_state){.base = base};
    int failed = _cmocka_run_group_tests("suite", suite_tests, sizeof suite_tests / sizeof *suite_tests, give_state,
                                         NULL);
    if (count > 0)
        failed += _cmocka_run_group_tests("more", more, count, give_state, NULL);
    return failed;
}
