/* What the coordinator has of queries that are done: the newest first, and nothing that hq did not write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "client/done.h"
#include "zk/coordinator.h"

enum { WAIT_MS = 10000, QUERIES = 30 };

static const char endpoint[] = "local:done";

typedef struct step {
    int is_over;
    hq_error error;
    char entry[256];
} step;

static void submitted(void *context, hq_error error, const char *detail, const char *entry)
{
    step *s = context;
    (void)detail;
    *s = (step){.is_over = 1, .error = error};
    snprintf(s->entry, sizeof s->entry, "%s", entry ? entry : "");
}

static void over(void *context, hq_error error, const char *detail)
{
    step *s = context;
    (void)detail;
    s->is_over = 1;
    s->error = error;
}

static void await(hq_coordinator *c, step *s)
{
    hq_reason reason = {{0}};
    assert_int_equal(coordinator_wait(c, &s->is_over, WAIT_MS, &reason), HQ_OK);
    assert_int_equal(s->error, HQ_OK);
    s->is_over = 0;
}

/* The way of a query to /done. */
static void finish(hq_coordinator *c, int priority, const char *id, const void *bytes, size_t size)
{
    step s = {0};
    coordinator_submit(c, priority, id, "", 0, submitted, &s);
    await(c, &s);
    coordinator_own(c, s.entry, "", 0, "broker", over, &s);
    await(c, &s);
    coordinator_finish(c, s.entry, bytes, size, over, &s);
    await(c, &s);
}

static int64_t number_of(const hq_done_query *query)
{
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, query->document, "number"));
    return bson_iter_as_int64(&iter);
}

static void the_newest_come_first_whatever_their_priority(void **state)
{
    (void)state;
    hq_coordinator *c = NULL;
    hq_reason reason = {{0}};
    hq_done_list done = {0};
    char id[40];
    assert_int_equal(coordinator_open(endpoint, 1000, NULL, NULL, &c, &reason), HQ_OK);
    assert_int_equal(done_find(endpoint, WAIT_MS, 0, &done, &reason), HQ_OK);
    assert_int_equal(done.count, 0);
    done_clear(&done);
    for (int i = 0; i < QUERIES; i++) {
        bson_t *document = BCON_NEW("number", BCON_INT32(i));
        snprintf(id, sizeof id, "%032x", i * 7919 % 1000);
        finish(c, (i * 31) % 1000, id, bson_get_data(document), document->len);
        bson_destroy(document);
    }
    finish(c, 0, "not-an-id", "", 0);
    finish(c, 0, "0123456789abcdef0123456789abcdef", "no document", 11);
    assert_int_equal(done_find(endpoint, WAIT_MS, 0, &done, &reason), HQ_OK);
    assert_int_equal(done.count, QUERIES);
    for (int i = 0; i < QUERIES; i++) {
        assert_int_equal(number_of(&done.queries[i]), QUERIES - 1 - i);
        snprintf(id, sizeof id, "%032x", (QUERIES - 1 - i) * 7919 % 1000);
        assert_string_equal(done.queries[i].id, id);
    }
    done_clear(&done);
    assert_int_equal(done_find(endpoint, WAIT_MS, 6, &done, &reason), HQ_OK);
    assert_int_equal(done.count, 5); /* one of the newest six is not what hq writes */
    assert_int_equal(number_of(&done.queries[0]), QUERIES - 1);
    done_clear(&done);
    coordinator_close(&c);
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    hq_reason reason = {{0}};
    hq_done_list done = {0};
    assert_int_equal(done_find("zk:127.0.0.1:1/hq", 100, 0, &done, &reason), HQ_EUNAVAILABLE);
    assert_non_null(strstr(reason.text, "does not answer"));
    assert_int_equal(done_find("nonsense", 100, 0, &done, &reason), HQ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_come_first_whatever_their_priority),
        cmocka_unit_test(nobody_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
