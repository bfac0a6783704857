/* The scheduler: whose share is whose, who takes what, and that nothing is lost or done twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "broker/schedule.h"

enum { MANY = 100000 };

static uint64_t key_of(const void *context, uint32_t index)
{
    return hash_mix(*(const uint64_t *)context + index);
}

static const uint64_t some_file = 0x1234;

static hq_hash id_of(uint64_t number)
{
    return hash_of(&number, sizeof number);
}

static uint32_t add_worker(hq_scheduler *scheduler, uint64_t id, uint32_t slots, uint32_t credit)
{
    hq_hash hash = id_of(id);
    return scheduler_add_worker(scheduler, &hash, slots, credit);
}

/* Time stands still in these tests, so that nothing is a straggler; nobody holds anything. */
static const int64_t now_us = 1000000;

static hq_work *add_work_of(hq_scheduler *scheduler, uint32_t count, int priority, void *owner, const char *user,
                            double weight)
{
    hq_work_order order = {.count = count,
                           .priority = priority,
                           .user = user,
                           .weight = weight,
                           .key = key_of,
                           .context = &some_file,
                           .owner = owner};
    return scheduler_add_work(scheduler, &order, now_us);
}

static hq_work *add_work(hq_scheduler *scheduler, uint32_t count, int priority, void *owner)
{
    return add_work_of(scheduler, count, priority, owner, "somebody", 1);
}

static bool is_done(hq_scheduler *scheduler, hq_work *work, uint32_t index)
{
    hq_done done = {.worker = HQ_NO_WORKER};
    return scheduler_done(scheduler, work, index, &done, now_us);
}

/* Whose each subtask is: every worker takes its own share of a work made for the purpose. A worker with something in
 * hand takes nothing of another's, so each has a slot less than its share. */
static void find_homes(hq_scheduler *scheduler, const uint32_t *workers, size_t worker_count, uint32_t *homes_r)
{
    hq_work *work = add_work(scheduler, MANY, 0, NULL);
    hq_assignment *assignments = hq_calloc(MANY, sizeof *assignments);
    for (uint32_t i = 0; i < MANY; i++)
        homes_r[i] = HQ_NO_WORKER;
    size_t sum = 0;
    for (size_t i = 0, rounds = 0; sum < MANY && rounds < MANY; i = (i + 1) % worker_count, rounds++) {
        size_t count = scheduler_take(scheduler, workers[i], now_us, assignments, MANY);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(homes_r[assignments[k].index], HQ_NO_WORKER);
            homes_r[assignments[k].index] = workers[i];
        }
        sum += count;
    }
    assert_int_equal(sum, MANY);
    free(assignments);
    scheduler_remove_work(scheduler, &work);
}

static double share_of(const uint32_t *homes, uint32_t worker)
{
    size_t count = 0;
    for (uint32_t i = 0; i < MANY; i++)
        count += homes[i] == worker;
    return (double)count / MANY;
}

static void assert_about(double value, double expected)
{
    if (value < 0.85 * expected || value > 1.15 * expected)
        fail_msg("%g is not about %g", value, expected);
}

static uint32_t before[MANY], after[MANY];

/* ---- whose share is whose ---- */

static void the_same_key_has_the_same_home_again(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false), *other = scheduler_new(false);
    uint32_t workers[] = {add_worker(scheduler, 1, 1, MANY), add_worker(scheduler, 2, 1, MANY),
                          add_worker(scheduler, 3, 1, MANY)};
    find_homes(scheduler, workers, 3, before);
    find_homes(scheduler, workers, 3, after);
    assert_memory_equal(before, after, sizeof before);
    /* And with a broker that met them in another order. */
    uint32_t turned[] = {add_worker(other, 3, 1, MANY), add_worker(other, 2, 1, MANY), add_worker(other, 1, 1, MANY)};
    find_homes(other, turned, 3, after);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(after[i], turned[2 - before[i]]);
    scheduler_free(&scheduler);
    scheduler_free(&other);
    assert_null(scheduler);
    scheduler_free(&scheduler);
}

static void workers_share_by_their_slots(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    static const uint32_t slots[] = {1, 2, 4, 9};
    uint32_t workers[4];
    for (uint32_t i = 0; i < 4; i++)
        workers[i] = add_worker(scheduler, 100 + i, slots[i], MANY);
    find_homes(scheduler, workers, 4, before);
    for (uint32_t i = 0; i < 4; i++)
        assert_about(share_of(before, workers[i]), slots[i] / 16.0);
    scheduler_free(&scheduler);
}

static void a_joining_worker_moves_its_own_share_only(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t workers[8];
    for (uint32_t i = 0; i < 7; i++)
        workers[i] = add_worker(scheduler, i, 2, MANY);
    find_homes(scheduler, workers, 7, before);
    workers[7] = add_worker(scheduler, 7, 2, MANY);
    find_homes(scheduler, workers, 8, after);
    for (uint32_t i = 0; i < MANY; i++)
        if (after[i] != before[i])
            assert_int_equal(after[i], workers[7]);
    assert_about(share_of(after, workers[7]), 1 / 8.0);
    scheduler_free(&scheduler);
}

static void a_leaving_worker_moves_its_own_share_only(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t workers[8];
    for (uint32_t i = 0; i < 8; i++)
        workers[i] = add_worker(scheduler, i, 2, MANY);
    find_homes(scheduler, workers, 8, before);
    scheduler_remove_worker(scheduler, workers[3]);
    uint32_t gone = workers[3];
    workers[3] = workers[7];
    find_homes(scheduler, workers, 7, after);
    for (uint32_t i = 0; i < MANY; i++)
        if (before[i] != gone)
            assert_int_equal(after[i], before[i]);
    for (uint32_t i = 0; i < 7; i++)
        assert_about(share_of(after, workers[i]), 1 / 7.0);
    workers[3] = add_worker(scheduler, 3, 2, MANY); /* it comes back to what it had */
    assert_int_equal(workers[3], gone);
    find_homes(scheduler, workers, 8, after);
    assert_memory_equal(before, after, sizeof before);
    scheduler_free(&scheduler);
}

/* ---- who takes what ---- */

static hq_assignment taken[MANY];

static void credit_is_never_exceeded(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 4, 10);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 100), 0);
    hq_work *work = add_work(scheduler, 100, 0, NULL);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 3), 3);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 3, 100), 7);
    assert_int_equal(scheduler_outstanding(scheduler, worker), 10);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 11, 100), 0);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 10, 100), 0);
    assert_true(is_done(scheduler, work, taken[0].index));
    assert_false(is_done(scheduler, work, taken[0].index));
    assert_int_equal(scheduler_outstanding(scheduler, worker), 9);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 10, 100), 1);
    scheduler_set_credit(scheduler, worker, 2); /* less than what it has: no more until it is through with that */
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 11, 100), 0);
    for (int i = 1; i < 10; i++)
        assert_true(is_done(scheduler, work, taken[i].index));
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 11, 100), 1);
    scheduler_set_credit(scheduler, worker, 0);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + 11, 100), 0);
    scheduler_remove_work(scheduler, &work);
    assert_null(work);
    assert_int_equal(scheduler_outstanding(scheduler, worker), 0);
    scheduler_free(&scheduler);
}

static void an_idle_worker_takes_anothers_and_a_busy_one_does_not(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t idle = add_worker(scheduler, 1, 3, 1000), slow = add_worker(scheduler, 2, 3, 1000);
    (void)slow;
    hq_work *work = add_work(scheduler, 200, 0, NULL);
    size_t own = scheduler_take(scheduler, idle, now_us, taken, 1000);
    assert_true(own > 50 && own < 150); /* its own share, and none of the other's */
    assert_int_equal(scheduler_take(scheduler, idle, now_us, taken + own, 1000), 0);
    for (size_t i = 0; i < own - 3; i++)
        is_done(scheduler, work, taken[i].index);
    assert_int_equal(scheduler_take(scheduler, idle, now_us, taken + own, 1000),
                     0); /* three slots, three in hand: busy */
    is_done(scheduler, work, taken[own - 3].index);
    assert_int_equal(scheduler_take(scheduler, idle, now_us, taken + own, 1000), 1);
    for (size_t i = own - 2; i <= own; i++)
        is_done(scheduler, work, taken[i].index);
    assert_int_equal(scheduler_take(scheduler, idle, now_us, taken + own + 1, 1000),
                     3); /* as many as it has executors */
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

static void what_a_removed_worker_had_goes_to_others_once(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t dies = add_worker(scheduler, 1, 1, 60), lives = add_worker(scheduler, 2, 1, 1000);
    hq_work *work = add_work(scheduler, 200, 0, NULL);
    int done[200] = {0};
    assert_int_equal(scheduler_take(scheduler, dies, now_us, taken, 60), 60);
    for (int i = 0; i < 20; i++)
        done[taken[i].index] += is_done(scheduler, work, taken[i].index);
    size_t count = scheduler_take(scheduler, lives, now_us, taken, 1000);
    scheduler_remove_worker(scheduler, dies);
    count += scheduler_take(scheduler, lives, now_us, taken + count, 1000); /* what waited for the dead one too */
    assert_int_equal(count, 180);
    assert_int_equal(scheduler_outstanding(scheduler, lives), 180);
    for (size_t i = 0; i < count; i++)
        done[taken[i].index] += is_done(scheduler, work, taken[i].index);
    for (int i = 0; i < 200; i++)
        assert_int_equal(done[i], 1);
    assert_int_equal(scheduler_outstanding(scheduler, lives), 0);
    assert_int_equal(scheduler_take(scheduler, lives, now_us, taken, 100), 0);
    assert_int_equal(scheduler_waiting(work), 0);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

static void a_late_answer_spares_whoever_was_given_it_meanwhile(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t dies = add_worker(scheduler, 1, 1, 10);
    hq_work *work = add_work(scheduler, 2, 0, NULL);
    assert_int_equal(scheduler_take(scheduler, dies, now_us, taken, 10), 2);
    scheduler_remove_worker(scheduler, dies);
    assert_true(is_done(scheduler, work, 0)); /* while it waits for somebody */
    uint32_t lives = add_worker(scheduler, 2, 1, 10);
    assert_int_equal(scheduler_take(scheduler, lives, now_us, taken, 10), 1);
    assert_int_equal(taken[0].index, 1);
    scheduler_remove_work(scheduler, &work);

    work = add_work(scheduler, 1, 0, NULL);
    assert_int_equal(scheduler_take(scheduler, lives, now_us, taken, 10), 1);
    assert_true(is_done(scheduler, work, 0)); /* while another has it */
    assert_int_equal(scheduler_outstanding(scheduler, lives), 0);
    assert_int_equal(scheduler_failed(scheduler, work, 0, lives), 0);
    assert_false(is_done(scheduler, work, 0));
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

/* ---- failures ---- */

static void what_failed_goes_to_somebody_else_and_attempts_are_counted(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t one = add_worker(scheduler, 1, 8, 100), other = add_worker(scheduler, 2, 8, 100);
    enum { COUNT = 50 };
    hq_work *work = add_work(scheduler, COUNT, 0, NULL);
    size_t count = scheduler_take(scheduler, one, now_us, taken, 100);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(scheduler_failed(scheduler, work, taken[i].index, other), 0); /* it is not with that one */
        assert_int_equal(scheduler_failed(scheduler, work, taken[i].index, one), 1);
        assert_int_equal(scheduler_failed(scheduler, work, taken[i].index, one), 0); /* nor with this one any more */
    }
    assert_int_equal(scheduler_outstanding(scheduler, one), 0);
    /* The one stands idle and would take anything of the other's, but not what it has failed on. */
    bool has_failed[COUNT] = {false};
    for (size_t i = 0; i < count; i++)
        has_failed[taken[i].index] = true;
    hq_assignment again[100];
    size_t stolen = scheduler_take(scheduler, one, now_us, again, 100);
    for (size_t i = 0; i < stolen; i++)
        assert_false(has_failed[again[i].index]);
    assert_int_equal(stolen, COUNT - count < 8 ? COUNT - count : 8);
    size_t rest = scheduler_take(scheduler, other, now_us, again, 100);
    assert_int_equal(rest, COUNT - stolen);
    for (size_t i = 0; i < rest; i++)
        assert_int_equal(scheduler_failed(scheduler, work, again[i].index, other), 1 + has_failed[again[i].index]);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

static void what_failed_on_the_only_worker_is_given_to_it_again(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t only = add_worker(scheduler, 1, 1, 10), leaving = add_worker(scheduler, 2, 1, 10);
    hq_work *work = add_work(scheduler, 1, 0, NULL);
    scheduler_set_credit(scheduler, leaving, 0); /* it is there, but takes nothing any more */
    for (uint32_t i = 1; i < 300; i++) {
        assert_int_equal(scheduler_take(scheduler, only, now_us, taken, 10), 1);
        assert_int_equal(scheduler_failed(scheduler, work, 0, only), i < UINT8_MAX ? i : UINT8_MAX);
    }
    scheduler_remove_worker(scheduler, leaving);
    assert_int_equal(scheduler_take(scheduler, only, now_us, taken, 10), 1);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

/* ---- between queries ---- */

static size_t count_owner(const hq_assignment *assignments, size_t count, const void *owner)
{
    size_t own = 0;
    for (size_t i = 0; i < count; i++)
        own += assignments[i].owner == owner;
    return own;
}

static void the_lowest_priority_number_goes_first(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 1, 1000);
    int late, early, middle;
    hq_work *works[] = {add_work(scheduler, 10, 900, &late), add_work(scheduler, 10, 0, &early),
                        add_work(scheduler, 10, 500, &middle)};
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 25), 25);
    assert_int_equal(count_owner(taken, 10, &early), 10);
    assert_int_equal(count_owner(taken + 10, 10, &middle), 10);
    assert_int_equal(count_owner(taken + 20, 5, &late), 5);
    for (int i = 0; i < 3; i++)
        scheduler_remove_work(scheduler, &works[i]);
    assert_int_equal(scheduler_outstanding(scheduler, worker), 0);
    scheduler_free(&scheduler);
}

static void a_query_in_more_of_a_hurry_goes_before_others(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 1, 1000);
    int first, second, third;
    hq_work *works[] = {add_work(scheduler, 10, 100, &first), add_work(scheduler, 10, 500, &second),
                        add_work(scheduler, 10, 900, &third)};
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 5), 5);
    assert_int_equal(count_owner(taken, 5, &first), 5);
    scheduler_hurry(scheduler, works[2], 0);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 12), 12);
    assert_int_equal(count_owner(taken, 10, &third), 10);
    assert_int_equal(count_owner(taken + 10, 2, &first), 2);
    for (int i = 0; i < 3; i++)
        scheduler_remove_work(scheduler, &works[i]);
    assert_int_equal(scheduler_outstanding(scheduler, worker), 0);
    scheduler_free(&scheduler);
}

static void queries_of_one_priority_share_equally(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 1, 100000);
    int owners[4];
    hq_work *works[4];
    for (int i = 0; i < 4; i++)
        works[i] = add_work(scheduler, i == 0 ? 3 : 1000, 7, &owners[i]);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 400), 400);
    assert_int_equal(count_owner(taken, 400, &owners[0]), 3); /* what it does not need is the others' */
    for (int i = 1; i < 4; i++)
        assert_true(count_owner(taken, 400, &owners[i]) >= 100);
    for (int i = 0; i < 300; i++) /* one at a time, as credit comes back */
        assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + i, 1), 1);
    for (int i = 1; i < 4; i++)
        assert_in_range(count_owner(taken, 300, &owners[i]), 70, 150);
    for (int i = 0; i < 4; i++)
        scheduler_remove_work(scheduler, &works[i]);
    scheduler_free(&scheduler);
}

/* Answers of a worker that needed so long for them. */
static void answer(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t worker, uint32_t load_us,
                   int64_t at_us)
{
    hq_done done = {.worker = worker, .load_us = load_us, .run_us = 1000, .was_cold = load_us > 0};
    assert_true(scheduler_done(scheduler, work, index, &done, at_us));
}

static void one_cold_subtask_is_not_charged_for_all_that_follow(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 1, 1);
    int anna, bela;
    hq_work *cold = add_work_of(scheduler, 1000, 7, &anna, "anna", 1);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 1), 1);
        answer(scheduler, cold, taken[0].index, worker, i == 0 ? 1000000 : 0, now_us);
    }
    hq_work *warm = add_work_of(scheduler, 1000, 7, &bela, "bela", 1);
    int hers = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 1), 1);
        hers += taken[0].owner == &anna;
        answer(scheduler, taken[0].owner == &anna ? cold : warm, taken[0].index, worker, 0, now_us);
    }
    assert_in_range(hers, 40, 60);
    scheduler_remove_work(scheduler, &cold);
    scheduler_remove_work(scheduler, &warm);
    scheduler_free(&scheduler);
}

static void who_had_workers_that_nobody_else_wanted_has_not_had_too_much(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t worker = add_worker(scheduler, 1, 1, 1000);
    int anna, bela;
    hq_work *alone = add_work_of(scheduler, 500, 7, &anna, "anna", 1);
    assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, 500), 500);
    scheduler_remove_work(scheduler, &alone);
    hq_work *hers = add_work_of(scheduler, 500, 7, &anna, "anna", 1);
    hq_work *his = add_work_of(scheduler, 500, 7, &bela, "bela", 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(scheduler_take(scheduler, worker, now_us, taken + i, 1), 1);
    assert_in_range(count_owner(taken, 100, &anna), 40, 60);
    scheduler_remove_work(scheduler, &hers);
    scheduler_remove_work(scheduler, &his);
    scheduler_free(&scheduler);
}

/* ---- stragglers ---- */

enum { LATE_US = 10000000 };

static void a_straggler_whose_second_worker_dies_gets_another_one(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t slow = add_worker(scheduler, 1, 2, 2);
    hq_work *work = add_work(scheduler, 2, 0, NULL);
    assert_int_equal(scheduler_take(scheduler, slow, now_us, taken, 2), 2);
    uint32_t left = taken[1].index;
    answer(scheduler, work, taken[0].index, slow, 0, now_us + 1000);
    uint32_t dies = add_worker(scheduler, 2, 1, 1);
    assert_int_equal(scheduler_take(scheduler, dies, now_us + LATE_US, taken, 1), 1);
    assert_int_equal(taken[0].index, left);
    assert_int_equal(scheduler_take(scheduler, add_worker(scheduler, 3, 1, 1), now_us + LATE_US, taken, 1), 0);
    scheduler_remove_worker(scheduler, dies);
    uint32_t helps = add_worker(scheduler, 4, 1, 1);
    assert_int_equal(scheduler_take(scheduler, helps, now_us + LATE_US, taken, 1), 1);
    assert_int_equal(taken[0].index, left);
    assert_int_equal(scheduler_rival(work, left, helps), slow);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

static void a_straggler_is_found_behind_much_that_is_over(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t half = add_worker(scheduler, 1, 2, 1), full = add_worker(scheduler, 2, 100, 100);
    hq_work *work = add_work(scheduler, 50, 0, NULL);
    assert_int_equal(scheduler_take(scheduler, half, now_us, taken, 1), 1);
    assert_int_equal(scheduler_take(scheduler, full, now_us, taken, 100), 49);
    for (int i = 0; i < 48; i++)
        answer(scheduler, work, taken[i].index, full, 0, now_us + 1000);
    uint32_t left = taken[48].index;
    /* Its own is the oldest, and of no use to it. */
    scheduler_set_credit(scheduler, half, 2);
    assert_int_equal(scheduler_take(scheduler, half, now_us + LATE_US, taken, 2), 1);
    assert_int_equal(taken[0].index, left);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

/* ---- anything at any time, against a model ---- */

enum { MAX_WORKS = 6, MAX_COUNT = 300, MAX_WORKERS = 12, WAITS = -1, IS_DONE = -2 };

typedef struct model_work {
    hq_work *work; /* NULL: none at this place */
    uint64_t file;
    uint32_t count;
    int state[MAX_COUNT];  /* WAITS, IS_DONE, or the worker that has it */
    int second[MAX_COUNT]; /* that has it too, or -1 */
    uint32_t failures[MAX_COUNT];
    int times_done[MAX_COUNT];
} model_work;

typedef struct model {
    hq_scheduler *scheduler;
    uint64_t random;
    model_work works[MAX_WORKS];
    bool is_used[MAX_WORKERS];
    uint32_t credit[MAX_WORKERS], slots[MAX_WORKERS], outstanding[MAX_WORKERS];
    uint64_t next_id;
    int64_t now_us;
    size_t seconds;
} model;

static uint32_t random_below(model *m, uint32_t limit)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((m->random >> 33) % limit);
}

static uint32_t random_worker(model *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MAX_WORKERS; i++)
        count += m->is_used[i];
    if (count == 0)
        return HQ_NO_WORKER;
    uint32_t skip = random_below(m, count);
    for (uint32_t i = 0;; i++)
        if (m->is_used[i] && skip-- == 0)
            return i;
}

static void do_join(model *m)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < MAX_WORKERS; i++)
        used += m->is_used[i];
    if (used == MAX_WORKERS)
        return;
    uint32_t slots = 1 + random_below(m, 40), credit = random_below(m, 60);
    uint32_t number = add_worker(m->scheduler, m->next_id++, slots, credit);
    assert_true(number < MAX_WORKERS && !m->is_used[number]);
    m->is_used[number] = true;
    m->slots[number] = slots;
    m->credit[number] = credit;
    m->outstanding[number] = 0;
}

/* The worker has it no more. */
static void leave_with(model_work *work, uint32_t i, int number)
{
    if (work->state[i] == number)
        work->state[i] = work->second[i] >= 0 ? work->second[i] : WAITS;
    else if (work->second[i] != number)
        return;
    work->second[i] = -1;
}

static void do_leave(model *m)
{
    uint32_t number = random_worker(m);
    if (number == HQ_NO_WORKER)
        return;
    scheduler_remove_worker(m->scheduler, number);
    m->is_used[number] = false;
    for (int w = 0; w < MAX_WORKS; w++)
        for (uint32_t i = 0; m->works[w].work && i < m->works[w].count; i++)
            leave_with(&m->works[w], i, (int)number);
}

static void do_submit(model *m)
{
    model_work *work = &m->works[random_below(m, MAX_WORKS)];
    if (work->work)
        return;
    *work = (model_work){.file = m->random, .count = 1 + random_below(m, MAX_COUNT)};
    for (uint32_t i = 0; i < work->count; i++) {
        work->state[i] = WAITS;
        work->second[i] = -1;
    }
    static const char *const users[] = {"anna", "bela", "cleo"};
    hq_work_order order = {.count = work->count,
                           .priority = (int)random_below(m, 3),
                           .user = users[random_below(m, 3)],
                           .weight = 1 + random_below(m, 3),
                           .columns = random_below(m, 4),
                           .key = key_of,
                           .context = &work->file,
                           .owner = work};
    work->work = scheduler_add_work(m->scheduler, &order, m->now_us);
}

static void free_workers(model *m, model_work *work, uint32_t i)
{
    if (work->state[i] >= 0)
        m->outstanding[work->state[i]]--;
    if (work->second[i] >= 0)
        m->outstanding[work->second[i]]--;
    work->second[i] = -1;
}

static uint32_t count_waiting(const model_work *work)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < work->count; i++)
        count += work->state[i] == WAITS;
    return count;
}

static bool is_through(const model_work *work)
{
    for (uint32_t i = 0; i < work->count; i++)
        if (work->state[i] != IS_DONE)
            return false;
    return true;
}

static void do_end(model *m, bool is_cancel)
{
    model_work *work = &m->works[random_below(m, MAX_WORKS)];
    if (!work->work || !(is_cancel || is_through(work)))
        return;
    for (uint32_t i = 0; i < work->count; i++) {
        assert_int_equal(work->times_done[i], work->state[i] == IS_DONE);
        free_workers(m, work, i);
    }
    scheduler_remove_work(m->scheduler, &work->work);
}

static size_t do_take(model *m, uint32_t number)
{
    if (number == HQ_NO_WORKER)
        return 0;
    size_t max = 1 + random_below(m, 50);
    size_t count = scheduler_take(m->scheduler, number, m->now_us, taken, max);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        model_work *work = taken[i].owner;
        assert_non_null(work->work);
        assert_true(taken[i].index < work->count);
        int *state = &work->state[taken[i].index], *second = &work->second[taken[i].index];
        if (*state != WAITS) { /* a straggler: one that nobody else has yet, when all others are given out */
            assert_true(*state >= 0 && *state != (int)number && *second < 0);
            assert_int_equal(count_waiting(work), 0);
            *second = (int)number;
            m->seconds++;
        } else {
            *state = (int)number;
        }
        m->outstanding[number]++;
    }
    assert_true(count == 0 || m->outstanding[number] <= m->credit[number]);
    return count;
}

/* An answer, mostly of somebody that has it, now and then late or twice. */
static void do_answer(model *m, bool is_failure)
{
    model_work *work = &m->works[random_below(m, MAX_WORKS)];
    if (!work->work)
        return;
    uint32_t index = random_below(m, work->count);
    for (uint32_t i = 0; i < work->count && random_below(m, 50) && work->state[index] < 0; i++)
        index = (index + 1) % work->count;
    int *state = &work->state[index];
    if (is_failure) {
        uint32_t by = random_below(m, 4) && *state >= 0 ? (uint32_t)*state : random_worker(m);
        if (by == HQ_NO_WORKER)
            return;
        bool counts = *state == (int)by || work->second[index] == (int)by;
        work->failures[index] += counts;
        assert_int_equal(scheduler_failed(m->scheduler, work->work, index, by), counts ? work->failures[index] : 0);
        if (counts) {
            m->outstanding[by]--;
            leave_with(work, index, (int)by);
        }
    } else {
        uint32_t by = random_worker(m);
        hq_done done = {.worker = by == HQ_NO_WORKER || *state < 0 ? by : (uint32_t)*state,
                        .load_us = random_below(m, 100000),
                        .run_us = random_below(m, 10000),
                        .was_cold = random_below(m, 2)};
        bool counts = scheduler_done(m->scheduler, work->work, index, &done, m->now_us);
        assert_int_equal(counts, *state != IS_DONE);
        work->times_done[index] += counts;
        free_workers(m, work, index);
        *state = IS_DONE;
    }
}

static void check(const model *m)
{
    for (int w = 0; w < MAX_WORKS; w++)
        if (m->works[w].work)
            assert_int_equal(scheduler_waiting(m->works[w].work), count_waiting(&m->works[w]));
    for (uint32_t i = 0; i < MAX_WORKERS; i++)
        if (m->is_used[i])
            assert_int_equal(scheduler_outstanding(m->scheduler, i), m->outstanding[i]);
}

static void do_anything(model *m)
{
    uint32_t what = random_below(m, 100), number;
    m->now_us += random_below(m, 20000);
    if (what < 3)
        do_join(m);
    else if (what < 5)
        do_leave(m);
    else if (what < 8)
        do_submit(m);
    else if (what < 9)
        do_end(m, random_below(m, 4) == 0);
    else if (what < 12) {
        if ((number = random_worker(m)) != HQ_NO_WORKER)
            scheduler_set_credit(m->scheduler, number, m->credit[number] = random_below(m, 60));
    } else if (what < 45)
        do_take(m, random_worker(m));
    else
        do_answer(m, what < 52);
}

/* One good worker is enough to end everything. */
static void finish(model *m)
{
    for (uint32_t i = 0; i < MAX_WORKERS; i++)
        if (m->is_used[i]) {
            scheduler_set_credit(m->scheduler, i, 0);
            m->credit[i] = 0;
        }
    if (random_worker(m) == HQ_NO_WORKER)
        do_join(m);
    uint32_t good = random_worker(m);
    scheduler_set_credit(m->scheduler, good, MANY);
    m->credit[good] = MANY;
    for (int w = 0; w < MAX_WORKS; w++) /* answers that are on their way */
        for (uint32_t i = 0; m->works[w].work && i < m->works[w].count; i++)
            if (m->works[w].state[i] >= 0) {
                free_workers(m, &m->works[w], i);
                m->works[w].state[i] = IS_DONE;
                m->works[w].times_done[i] += is_done(m->scheduler, m->works[w].work, i);
            }
    for (size_t count = 1; count > 0;) {
        m->now_us += 1000000; /* whatever may be waited for is over */
        count = do_take(m, good);
        for (size_t i = 0; i < count; i++) {
            model_work *work = taken[i].owner;
            work->state[taken[i].index] = IS_DONE;
            work->times_done[taken[i].index] += is_done(m->scheduler, work->work, taken[i].index);
            m->outstanding[good]--;
        }
    }
    check(m);
    for (int w = 0; w < MAX_WORKS; w++) {
        model_work *work = &m->works[w];
        for (uint32_t i = 0; work->work && i < work->count; i++)
            assert_int_equal(work->times_done[i], 1);
        scheduler_remove_work(m->scheduler, &work->work);
    }
}

static void whatever_happens_every_subtask_is_done_once(void **state)
{
    (void)state;
    size_t seconds = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        model *m = hq_calloc(1, sizeof *m);
        m->random = seed * 0x9e3779b97f4a7c15u;
        m->now_us = 1;
        m->scheduler = scheduler_new(false);
        for (int i = 0; i < 3000; i++) {
            do_anything(m);
            check(m);
        }
        finish(m);
        seconds += m->seconds;
        scheduler_free(&m->scheduler);
        free(m);
    }

    assert_true(seconds > 10); /* that stragglers were among it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_key_has_the_same_home_again),
        cmocka_unit_test(workers_share_by_their_slots),
        cmocka_unit_test(a_joining_worker_moves_its_own_share_only),
        cmocka_unit_test(a_leaving_worker_moves_its_own_share_only),
        cmocka_unit_test(credit_is_never_exceeded),
        cmocka_unit_test(an_idle_worker_takes_anothers_and_a_busy_one_does_not),
        cmocka_unit_test(what_a_removed_worker_had_goes_to_others_once),
        cmocka_unit_test(a_late_answer_spares_whoever_was_given_it_meanwhile),
        cmocka_unit_test(what_failed_goes_to_somebody_else_and_attempts_are_counted),
        cmocka_unit_test(what_failed_on_the_only_worker_is_given_to_it_again),
        cmocka_unit_test(the_lowest_priority_number_goes_first),
        cmocka_unit_test(a_query_in_more_of_a_hurry_goes_before_others),
        cmocka_unit_test(queries_of_one_priority_share_equally),
        cmocka_unit_test(one_cold_subtask_is_not_charged_for_all_that_follow),
        cmocka_unit_test(who_had_workers_that_nobody_else_wanted_has_not_had_too_much),
        cmocka_unit_test(a_straggler_whose_second_worker_dies_gets_another_one),
        cmocka_unit_test(a_straggler_is_found_behind_much_that_is_over),
        cmocka_unit_test(whatever_happens_every_subtask_is_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
