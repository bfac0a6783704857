/* tests/zk/suite.h - what holds for a coordinator of either kind. */
#ifndef HQ_TESTS_ZK_SUITE_H
#define HQ_TESTS_ZK_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zk/coordinator.h"

/* The state of every test: an end point of its own, made of base and the number of the test. */
typedef struct suite_state {
    const char *base; /* "local:" or "zk:host:port/" */
    int number;
    char endpoint[256];
} suite_state;

int suite_setup(void **state);
/* Runs the suite and then these, all with the state above. The number of tests that failed. */
int suite_run(const char *base, const struct CMUnitTest *more, size_t count);

/* What a callback was told; give it as the context. */
typedef struct suite_told {
    int flag; /* calls since it was last cleared */
    hq_error error;
    char detail[1024];
    char entry[300];
    char bytes[300]; /* with a zero behind */
    size_t size, count;
    char ids[32][64]; /* of the first members */
    char data[32][64];
} suite_told;

void tell_done(void *context, hq_error error, const char *detail);
void tell_got(void *context, hq_error error, const char *detail, const void *bytes, size_t size);
void tell_members(void *context, hq_error error, const char *detail, const hq_member *members, size_t count);
void tell_entry(void *context, hq_error error, const char *detail, const char *entry);

/* Dispatches until the callback has come, and clears its flag. The test fails if it does not come. */
#define await(coordinator, told)             suite_await(coordinator, NULL, &(told)->flag, __FILE__, __LINE__)
#define await_both(coordinator, other, told) suite_await(coordinator, other, &(told)->flag, __FILE__, __LINE__)
void suite_await(hq_coordinator *coordinator, hq_coordinator *other, int *flag, const char *file, int line);
#define assert_told(told, code) suite_assert_told(told, code, __FILE__, __LINE__)
void suite_assert_told(const suite_told *told, hq_error error, const char *file, int line);

hq_coordinator *suite_open(const char *endpoint, hq_coordinator_on_event *on_event, void *context);
/* The operation, waited for. */
void do_submit(hq_coordinator *coordinator, const char *query, suite_told *told);
void do_own(hq_coordinator *coordinator, const char *entry, const char *owner, suite_told *told);
void do_finish(hq_coordinator *coordinator, const char *entry, suite_told *told);
void do_entries(hq_coordinator *coordinator, const char *group, suite_told *told);
void do_get(hq_coordinator *coordinator, const char *group, const char *entry, suite_told *told);

#endif
