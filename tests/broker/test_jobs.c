/* Jobs: run one after another behind the loop, ended in its thread. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/jobs.h"

enum { MANY = 500, WAIT_MS = 20000 };

typedef struct sample {
    struct log *log;
    int number;
    int runs, ends;
    pthread_t ran_in, ended_in;
    sem_t *waits_for; /* or NULL */
} sample;

typedef struct log {
    int ran[MANY], ran_count; /* of the jobs' thread */
    int ended[MANY], ended_count;
} log_of;

static void run(void *context)
{
    sample *s = context;
    if (s->waits_for)
        sem_wait(s->waits_for);
    s->runs++;
    s->ran_in = pthread_self();
    s->log->ran[s->log->ran_count++] = s->number;
}

static void end(void *context)
{
    sample *s = context;
    s->ends++;
    s->ended_in = pthread_self();
    s->log->ended[s->log->ended_count++] = s->number;
}

static void dispatch_until(hq_jobs *jobs, size_t waiting)
{
    while (jobs_waiting(jobs) > waiting) {
        struct pollfd item = {jobs_fd(jobs), POLLIN, 0};
        assert_int_equal(poll(&item, 1, WAIT_MS), 1);
        jobs_dispatch(jobs);
    }
}

static void jobs_run_in_order_and_end_in_the_loops_thread(void **state)
{
    (void)state;
    static sample samples[MANY];
    static log_of record;
    hq_jobs *jobs = jobs_new(1);
    assert_int_equal(jobs_waiting(jobs), 0);
    jobs_dispatch(jobs); /* nothing to do */
    for (int i = 0; i < MANY; i++) {
        samples[i] = (sample){.log = &record, .number = i};
        jobs_give(jobs, run, end, &samples[i]);
        if (i % 100 == 99)
            dispatch_until(jobs, 0);
    }
    dispatch_until(jobs, 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(record.ran[i], i);
        assert_int_equal(record.ended[i], i);
        assert_int_equal(samples[i].runs, 1);
        assert_int_equal(samples[i].ends, 1);
        assert_true(pthread_equal(samples[i].ended_in, pthread_self()));
        assert_true(pthread_equal(samples[i].ran_in, samples[0].ran_in));
        assert_false(pthread_equal(samples[i].ran_in, pthread_self()));
    }
    struct pollfd item = {jobs_fd(jobs), POLLIN, 0};
    assert_int_equal(poll(&item, 1, 0), 0); /* it does not keep a loop awake that has nothing to do */
    jobs_free(&jobs);
    assert_null(jobs);
    jobs_free(&jobs);
}

static void an_end_comes_in_dispatch_and_not_before(void **state)
{
    (void)state;
    static log_of record;
    sem_t go;
    sem_init(&go, 0, 0);
    sample first = {.log = &record, .number = 0, .waits_for = &go}, second = {.log = &record, .number = 1};
    hq_jobs *jobs = jobs_new(1);
    jobs_give(jobs, run, end, &first);
    jobs_give(jobs, run, end, &second);
    assert_int_equal(jobs_waiting(jobs), 2);
    jobs_dispatch(jobs);
    assert_int_equal(first.ends, 0);
    sem_post(&go);
    struct pollfd item = {jobs_fd(jobs), POLLIN, 0};
    assert_int_equal(poll(&item, 1, WAIT_MS), 1);
    assert_int_equal(first.ends, 0);
    dispatch_until(jobs, 0);
    assert_int_equal(first.ends, 1);
    assert_int_equal(second.ends, 1);
    jobs_free(&jobs);
    sem_destroy(&go);
}

typedef struct chain {
    hq_jobs *jobs;
    int left, ends;
} chain;

static void run_link(void *context)
{
    (void)context;
}

static void end_link(void *context)
{
    chain *c = context;
    c->ends++;
    if (c->left-- > 0)
        jobs_give(c->jobs, run_link, end_link, c);
}

static void an_end_may_give_more(void **state)
{
    (void)state;
    chain c = {jobs_new(1), 50, 0};
    jobs_give(c.jobs, run_link, end_link, &c);
    dispatch_until(c.jobs, 0);
    assert_int_equal(c.ends, 51);
    jobs_free(&c.jobs);
}

/* The first job holds the thread up until the free below has begun, or nearly so: then those behind it never run. */
static void *let_go(void *context)
{
    usleep(20000);
    sem_post(context);
    return NULL;
}

static void jobs_that_wait_when_it_ends_are_ended_too(void **state)
{
    (void)state;
    static sample samples[MANY];
    static log_of record;
    sem_t go;
    sem_init(&go, 0, 0);
    hq_jobs *jobs = jobs_new(1);
    for (int i = 0; i < MANY; i++) {
        samples[i] = (sample){.log = &record, .number = i, .waits_for = i == 0 ? &go : NULL};
        jobs_give(jobs, run, end, &samples[i]);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, let_go, &go), 0);
    jobs_free(&jobs);
    pthread_join(thread, NULL);
    sem_destroy(&go);
    assert_int_equal(record.ended_count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(record.ended[i], i);
        assert_int_equal(samples[i].ends, 1);
        assert_true(samples[i].runs <= 1);
        assert_true(i >= record.ran_count || samples[i].runs == 1);
        assert_true(pthread_equal(samples[i].ended_in, pthread_self()));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_and_end_in_the_loops_thread),
        cmocka_unit_test(an_end_comes_in_dispatch_and_not_before),
        cmocka_unit_test(an_end_may_give_more),
        cmocka_unit_test(jobs_that_wait_when_it_ends_are_ended_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
