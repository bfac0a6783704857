/* The scheduler in a cluster whose time is made up: workers that load and compute as long as they are told to, and
 * remember what they loaded. What comes out is when each subtask was done, by whom, and what had to be loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "broker/schedule.h"

enum { MAX_WORKERS = 64, MAX_WORKS = 8, MAX_PARTITIONS = 4096, MAX_QUEUE = 256 };

typedef struct job {
    struct query *query;
    uint32_t index;
} job;

typedef struct executor {
    bool is_busy;
    job job;
    int64_t until_us;
    int64_t load_us, run_us;
} executor;

typedef struct machine {
    bool is_used;
    uint32_t slots, ahead; /* subtasks that wait in its own queue */
    job queue[MAX_QUEUE];
    size_t head, count;
    executor executors[8];
    double slowness;
    bool holds[MAX_PARTITIONS];
    int64_t idle_us; /* time that executors stood idle while there was work */
} machine;

typedef struct query {
    hq_work *work;
    uint32_t first, count; /* partitions */
    uint64_t columns;
    int64_t load_us, run_us;
    int64_t begun_us, first_us, last_us; /* first and last answer */
    uint32_t done, loaded, twice;
    uint8_t answered[MAX_PARTITIONS];
    uint32_t by[MAX_PARTITIONS];
    uint32_t order[MAX_PARTITIONS]; /* in which they were given out */
    uint32_t given;
    int64_t slow_us; /* that subtask 0 takes longer, the first time */
} query;

typedef struct cluster {
    hq_scheduler *scheduler;
    machine machines[MAX_WORKERS];
    uint32_t count;
    int64_t now_us, due_us;
    query *queries[MAX_WORKS];
} cluster;

static uint64_t key_of(const void *context, uint32_t index)
{
    return hash_mix(((const query *)context)->first + index + 1);
}

static uint32_t join(cluster *c, uint32_t slots, uint32_t ahead)
{
    uint64_t seed = 1000 + c->count;
    hq_hash id = hash_of(&seed, sizeof seed);
    uint32_t number = scheduler_add_worker(c->scheduler, &id, slots, slots + ahead);
    assert_int_equal(number, c->count);
    c->machines[c->count++] = (machine){.is_used = true, .slots = slots, .ahead = ahead, .slowness = 1};
    return number;
}

static cluster *cluster_new(uint32_t workers, uint32_t slots, uint32_t ahead)
{
    cluster *c = hq_calloc(1, sizeof *c);
    c->scheduler = scheduler_new(false);
    c->due_us = INT64_MAX;
    for (uint32_t i = 0; i < workers; i++)
        join(c, slots, ahead);
    return c;
}

static void cluster_free(cluster *c)
{
    scheduler_free(&c->scheduler);
    free(c);
}

static query *submit_as(cluster *c, query q, const char *user, double weight, int priority)
{
    query *copy = hq_alloc(sizeof *copy);
    *copy = q;
    copy->begun_us = c->now_us;
    hq_work_order order = {.count = q.count,
                           .priority = priority,
                           .user = user,
                           .weight = weight,
                           .columns = q.columns,
                           .key = key_of,
                           .context = copy,
                           .owner = copy};
    copy->work = scheduler_add_work(c->scheduler, &order, c->now_us);
    for (size_t i = 0; i < MAX_WORKS; i++)
        if (!c->queries[i]) {
            c->queries[i] = copy;
            return copy;
        }
    fail();
    return NULL;
}

static query *submit(cluster *c, query q)
{
    return submit_as(c, q, "somebody", 1, 500);
}

static void end(cluster *c, query **query_p)
{
    for (size_t i = 0; i < MAX_WORKS; i++)
        if (c->queries[i] == *query_p)
            c->queries[i] = NULL;
    for (uint32_t i = 0; i < c->count; i++) { /* what is left of it on the way is dropped */
        machine *m = &c->machines[i];
        for (uint32_t k = 0; k < m->slots; k++)
            if (m->executors[k].is_busy && m->executors[k].job.query == *query_p)
                m->executors[k].is_busy = false;
        for (size_t k = m->head; k < m->count; k++)
            if (m->queue[k % MAX_QUEUE].query == *query_p)
                m->queue[k % MAX_QUEUE].query = NULL;
    }
    scheduler_remove_work(c->scheduler, &(*query_p)->work);
    free(*query_p);
    *query_p = NULL;
}

static void given(void *context, uint32_t worker, const hq_assignment *assignments, size_t count)
{
    cluster *c = context;
    machine *m = &c->machines[worker];
    for (size_t i = 0; i < count; i++) {
        query *q = assignments[i].owner;
        assert_true(m->count - m->head < MAX_QUEUE);
        m->queue[m->count++ % MAX_QUEUE] = (job){q, assignments[i].index};
        if (q->given < q->count)
            q->order[q->given] = assignments[i].index;
        q->given++;
    }
}

/* Idle executors take what their machine has. */
static void start_jobs(cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        machine *m = &c->machines[i];
        for (uint32_t k = 0; k < m->slots; k++) {
            executor *e = &m->executors[k];
            while (!e->is_busy && m->head < m->count) {
                job j = m->queue[m->head++ % MAX_QUEUE];
                if (!j.query || j.query->answered[j.index])
                    continue;
                query *q = j.query;
                bool is_cold = q->columns && !m->holds[q->first + j.index];
                m->holds[q->first + j.index] |= q->columns != 0;
                q->loaded += is_cold;
                e->is_busy = true;
                e->job = j;
                e->load_us = is_cold ? q->load_us : 0;
                e->run_us = (int64_t)((double)q->run_us * m->slowness) + (j.index == 0 ? q->slow_us : 0);
                if (j.index == 0)
                    q->slow_us = 0;
                e->until_us = c->now_us + e->load_us + e->run_us;
            }
        }
    }
}

static void answer(cluster *c, uint32_t worker, executor *e)
{
    query *q = e->job.query;
    e->is_busy = false;
    hq_done done = {
        .worker = worker, .load_us = (uint32_t)e->load_us, .run_us = (uint32_t)e->run_us, .was_cold = e->load_us > 0};
    if (!scheduler_done(c->scheduler, q->work, e->job.index, &done, c->now_us)) {
        q->twice++;
        return;
    }
    q->answered[e->job.index] = 1;
    q->by[e->job.index] = worker;
    q->first_us = q->done++ ? q->first_us : c->now_us;
    q->last_us = c->now_us;
}

/* To the next thing that happens; false if nothing does any more. */
static bool step(cluster *c)
{
    c->due_us = scheduler_give(c->scheduler, c->now_us, given, c);
    start_jobs(c);
    int64_t next_us = c->due_us;
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->machines[i].slots; k++) {
            const executor *e = &c->machines[i].executors[k];
            if (e->is_busy && e->until_us < next_us)
                next_us = e->until_us;
        }
    if (next_us == INT64_MAX)
        return false;
    if (next_us <= c->now_us)
        next_us = c->now_us + 1;
    uint64_t waiting = 0;
    for (size_t i = 0; i < MAX_WORKS; i++)
        waiting += c->queries[i] ? scheduler_waiting(c->queries[i]->work) : 0;
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->machines[i].slots; k++)
            if (waiting && !c->machines[i].executors[k].is_busy)
                c->machines[i].idle_us += next_us - c->now_us;
    c->now_us = next_us;
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->machines[i].slots; k++) {
            executor *e = &c->machines[i].executors[k];
            if (e->is_busy && e->until_us <= c->now_us)
                answer(c, i, e);
        }
    return true;
}

static void finish(cluster *c, const query *q)
{
    for (int steps = 0; q->done < q->count; steps++) {
        assert_true(step(c));
        assert_true(steps < 1000000);
    }
}

static int64_t time_of(const query *q)
{
    return q->last_us - q->begun_us;
}

static const query cold = {.count = 400, .columns = 5, .load_us = 20000, .run_us = 2000};

/* ---- between workers ---- */

static void a_question_asked_again_finds_its_columns(void **state)
{
    (void)state;
    cluster *c = cluster_new(8, 2, 4);
    query *q = submit(c, cold);
    finish(c, q);
    assert_int_equal(q->loaded, 400);
    int64_t cold_us = time_of(q);
    end(c, &q);
    for (int again = 0; again < 5; again++) {
        c->now_us += 1000;
        q = submit(c, cold);
        finish(c, q);
        assert_true(q->loaded <= 8); /* 2 % */
        assert_true(time_of(q) < cold_us / 4);
        /* As fast as can be when each worker computes what it has: 400 of 2 ms on 16 executors are 50 ms. */
        assert_true(time_of(q) < 2 * 50000);
        end(c, &q);
    }
    cluster_free(c);
}

static void other_columns_go_where_the_partition_is_too(void **state)
{
    (void)state;
    cluster *c = cluster_new(4, 2, 4);
    query *q = submit(c, cold), *other;
    finish(c, q);
    query wider = cold;
    wider.columns = 7; /* one more */
    other = submit(c, wider);
    finish(c, other);
    uint32_t same = 0;
    for (uint32_t i = 0; i < q->count; i++)
        same += q->by[i] == other->by[i];
    assert_true(same > 340);
    end(c, &other);
    end(c, &q);
    cluster_free(c);
}

static void what_was_evicted_is_nobodys(void **state)
{
    (void)state;
    cluster *c = cluster_new(2, 1, 2);
    query all = cold;
    all.count = 100;
    query *q = submit(c, all);
    finish(c, q);
    uint32_t had[2] = {0};
    for (uint32_t i = 0; i < 100; i++)
        had[q->by[i]]++;
    for (uint32_t i = 0; i < 100; i++)
        if (q->by[i] == 0)
            scheduler_evicted(c->scheduler, 0, key_of(q, i));
    memset(c->machines[0].holds, 0, sizeof c->machines[0].holds);
    end(c, &q);
    q = submit(c, all);
    finish(c, q);
    assert_in_range(q->loaded, had[0] - 2, had[0] + 2); /* what the other holds is where it was */
    end(c, &q);
    cluster_free(c);
}

/* With short subtasks and all data on one worker, the others come in when waiting costs more than loading, and not
 * never (SPARK-18886). */
static void work_does_not_pile_up_where_the_data_are(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 2, 4);
    query many = {.count = 2000, .columns = 1, .load_us = 5000, .run_us = 1000};
    query *q = submit(c, many);
    finish(c, q);
    end(c, &q);
    for (int i = 0; i < 7; i++)
        join(c, 2, 4);
    q = submit(c, many);
    finish(c, q);
    /* Alone the one needs a second. If all sixteen executors work and those of the others load, 6 ms each, ... */
    double rate = 2 / 1000.0 + 14 / 6000.0;
    assert_true((double)time_of(q) < 1.3 * 2000 / rate);
    assert_true(q->loaded > 500);
    end(c, &q);
    /* And the next time they have it. */
    q = submit(c, many);
    finish(c, q);
    assert_true(q->loaded < 1000);
    end(c, &q);
    cluster_free(c);
}

/* Few subtasks that one worker has in its cache stay there though the others stand idle: loading would take longer. */
static void a_short_wait_is_better_than_loading(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 2, 4);
    query few = {.count = 10, .columns = 1, .load_us = 80000, .run_us = 1000};
    query *q = submit(c, few);
    finish(c, q);
    end(c, &q);
    for (int i = 0; i < 7; i++)
        join(c, 2, 4);
    c->now_us += 10000000; /* they have stood idle for long */
    q = submit(c, few);
    finish(c, q);
    assert_int_equal(q->loaded, 0);
    end(c, &q);
    cluster_free(c);
}

static void no_executor_is_idle_for_longer_than_the_bound(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 1, 2);
    /* Loading would take 10 s, so it never seems worth it; and the holder is slow. */
    query slow = {.count = 40, .columns = 1, .load_us = 10000000, .run_us = 200000};
    query *q = submit(c, slow);
    finish(c, q);
    end(c, &q);
    uint32_t other = join(c, 1, 2);
    q = submit(c, slow);
    int64_t begin_us = c->now_us;
    while (!c->machines[other].executors[0].is_busy && c->now_us - begin_us < 1000000)
        assert_true(step(c));
    assert_true(c->machines[other].executors[0].is_busy);
    assert_in_range(c->now_us - begin_us, 0, 200000);
    end(c, &q);
    cluster_free(c);
}

static void what_waits_for_one_that_drains_goes_to_others_at_once(void **state)
{
    (void)state;
    cluster *c = cluster_new(2, 1, 2);
    query all = cold;
    all.count = 100;
    query *q = submit(c, all);
    finish(c, q);
    end(c, &q);
    q = submit(c, all);
    assert_true(step(c));
    scheduler_set_credit(c->scheduler, 0, 0);
    finish(c, q);
    uint32_t by_drained = 0;
    for (uint32_t i = 0; i < 100; i++)
        by_drained += q->by[i] == 0;
    assert_true(by_drained <= 3); /* what it had */
    assert_true(c->machines[1].idle_us < 1000);
    end(c, &q);
    cluster_free(c);
}

static void a_joining_worker_gets_work_at_once(void **state)
{
    (void)state;
    cluster *c = cluster_new(2, 2, 4);
    query *q = submit(c, cold);
    for (int i = 0; i < 20; i++)
        assert_true(step(c));
    uint32_t number = join(c, 2, 4);
    assert_true(step(c));
    assert_true(c->machines[number].count > 0);
    finish(c, q);
    uint32_t by_it = 0;
    for (uint32_t i = 0; i < q->count; i++)
        by_it += q->by[i] == number;
    assert_true(by_it > 80);
    end(c, &q);
    cluster_free(c);
}

/* ---- within a query ---- */

static void the_first_subtasks_come_from_all_over(void **state)
{
    (void)state;
    cluster *c = cluster_new(4, 1, 2);
    query large = {.count = 4000, .run_us = 1000};
    query *q = submit(c, large);
    finish(c, q);
    uint32_t seen[8] = {0};
    for (uint32_t i = 0; i < 64; i++)
        seen[q->order[i] / 500]++;
    for (int i = 0; i < 8; i++)
        assert_in_range(seen[i], 4, 12);
    /* Each worker gets the rest of its own in the data set's order, so that few partials wait for their neighbours. */
    uint32_t backwards = 0, last[4] = {0};
    for (uint32_t i = 64; i < q->count; i++) {
        uint32_t index = q->order[i], by = q->by[index];
        backwards += index < last[by];
        last[by] = index;
    }
    assert_true(backwards < 100); /* what was another's */
    end(c, &q);
    cluster_free(c);
}

/* ---- between queries ---- */

static void users_share_by_weight(void **state)
{
    (void)state;
    cluster *c = cluster_new(2, 2, 2);
    query large = {.count = 4000, .run_us = 1000};
    query *anna = submit_as(c, large, "anna", 3, 500), *bela = submit_as(c, large, "bela", 1, 500);
    query *more = submit_as(c, large, "anna", 3, 500); /* two of one user are one share */
    while (anna->done + more->done + bela->done < 2000)
        assert_true(step(c));
    assert_in_range(bela->done, 450, 550);
    assert_in_range(anna->done, 700, 800);
    assert_in_range(more->done, 700, 800);
    end(c, &anna);
    end(c, &more);
    end(c, &bela);
    cluster_free(c);
}

static void time_is_shared_not_subtasks(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 1, 2);
    query longer = {.count = 4000, .run_us = 10000}, shorter = {.count = 4000, .run_us = 1000};
    query *anna = submit_as(c, longer, "anna", 1, 500), *bela = submit_as(c, shorter, "bela", 1, 500);
    while (bela->done < 2000)
        assert_true(step(c));
    assert_in_range(anna->done, 160, 240);
    end(c, &anna);
    end(c, &bela);
    cluster_free(c);
}

static void a_short_query_is_not_stuck_behind_a_long_one(void **state)
{
    (void)state;
    cluster *c = cluster_new(4, 2, 4);
    query hour = {.count = 4000, .run_us = 50000}, second = {.count = 100, .run_us = 50000};
    query *anna = submit_as(c, hour, "anna", 1, 500);
    while (c->now_us < 10000000)
        assert_true(step(c));
    query *bela = submit_as(c, second, "bela", 1, 500);
    finish(c, bela);
    assert_true(bela->first_us - bela->begun_us < 250000);
    /* Half of eight executors for 5 s of work; what waits in the workers' queues comes first. */
    assert_true(time_of(bela) < 2000000);
    end(c, &bela);
    end(c, &anna);
    cluster_free(c);
}

static void who_saved_nothing_up_has_nothing_saved(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 1, 1);
    query large = {.count = 4000, .run_us = 1000};
    query *anna = submit_as(c, large, "anna", 1, 500);
    while (anna->done < 1000)
        assert_true(step(c));
    query *bela = submit_as(c, large, "bela", 1, 500); /* the past second of anna's is not held against her */
    while (bela->done < 500)
        assert_true(step(c));
    assert_in_range(anna->done, 1450, 1550);
    end(c, &bela);
    end(c, &anna);
    cluster_free(c);
}

/* ---- stragglers ---- */

static void a_straggler_is_given_to_a_second_worker(void **state)
{
    (void)state;
    cluster *c = cluster_new(4, 1, 1);
    query lame = {.count = 100, .run_us = 10000, .slow_us = 60000000};
    query *q = submit(c, lame);
    finish(c, q);
    assert_true(time_of(q) < 1000000);                         /* not the minute that the lame one takes */
    assert_int_equal(scheduler_counts(c->scheduler).twice, 2); /* it, and the one that waits behind it */
    end(c, &q);
    for (uint32_t i = 0; i < c->count; i++)
        assert_int_equal(scheduler_outstanding(c->scheduler, i), 0);
    cluster_free(c);
}

static void what_is_answered_and_not_counted_yet_is_no_straggler(void **state)
{
    (void)state;
    for (int is_answered = 0; is_answered < 2; is_answered++) {
        cluster *c = cluster_new(2, 1, 0);
        query q10 = {.count = 10, .run_us = 10000, .slow_us = 1000000};
        query *q = submit(c, q10);
        while (q->done < 9) {
            assert_true(step(c));
            if (is_answered && q->given > 0)
                scheduler_answered(q->work, 0); /* it waits to be merged */
        }
        finish(c, q);
        assert_int_equal(scheduler_counts(c->scheduler).twice, !is_answered);
        end(c, &q);
        cluster_free(c);
    }
}

static void what_takes_as_long_as_its_like_is_no_straggler(void **state)
{
    (void)state;
    cluster *c = cluster_new(8, 2, 1);
    query even = {.count = 200, .run_us = 400000};
    query *q = submit(c, even);
    finish(c, q);
    assert_int_equal(scheduler_counts(c->scheduler).twice, 0);
    assert_int_equal(q->twice, 0);
    end(c, &q);
    cluster_free(c);
}

static void a_lame_worker_does_not_hold_up_the_end(void **state)
{
    (void)state;
    cluster *c = cluster_new(8, 2, 2);
    c->machines[3].slowness = 50;
    query q200 = {.count = 400, .run_us = 10000};
    query *q = submit(c, q200);
    finish(c, q);
    /* 400 of 10 ms on 14 good executors are 0.29 s; its own first two would last half a second. */
    assert_true(time_of(q) < 480000);
    end(c, &q);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_asked_again_finds_its_columns),
        cmocka_unit_test(other_columns_go_where_the_partition_is_too),
        cmocka_unit_test(what_was_evicted_is_nobodys),
        cmocka_unit_test(work_does_not_pile_up_where_the_data_are),
        cmocka_unit_test(a_short_wait_is_better_than_loading),
        cmocka_unit_test(no_executor_is_idle_for_longer_than_the_bound),
        cmocka_unit_test(what_waits_for_one_that_drains_goes_to_others_at_once),
        cmocka_unit_test(a_joining_worker_gets_work_at_once),
        cmocka_unit_test(the_first_subtasks_come_from_all_over),
        cmocka_unit_test(users_share_by_weight),
        cmocka_unit_test(time_is_shared_not_subtasks),
        cmocka_unit_test(a_short_query_is_not_stuck_behind_a_long_one),
        cmocka_unit_test(who_saved_nothing_up_has_nothing_saved),
        cmocka_unit_test(a_straggler_is_given_to_a_second_worker),
        cmocka_unit_test(what_is_answered_and_not_counted_yet_is_no_straggler),
        cmocka_unit_test(what_takes_as_long_as_its_like_is_no_straggler),
        cmocka_unit_test(a_lame_worker_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
