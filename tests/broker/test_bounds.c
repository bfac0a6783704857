/* Queries of which not all may be under way at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/schedule.h"

enum { COUNT = 1000, LEAST_SAMPLE = 64 };

static const int64_t now_us = 1000000;

static uint64_t key_of(const void *context, uint32_t index)
{
    (void)context;
    return hash_mix(index + 1);
}

static hq_work *add_work(hq_scheduler *scheduler, void *owner, uint32_t most_samples)
{
    hq_work_order order = {.count = COUNT,
                           .priority = 1,
                           .user = "somebody",
                           .weight = 1,
                           .most_samples = most_samples,
                           .key = key_of,
                           .owner = owner};
    return scheduler_add_work(scheduler, &order, now_us);
}

static uint32_t add_worker(hq_scheduler *scheduler, uint64_t id)
{
    hq_hash hash = hash_of(&id, sizeof id);
    return scheduler_add_worker(scheduler, &hash, COUNT, 10 * COUNT);
}

static bool is_done(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t worker)
{
    hq_done done = {.worker = worker, .run_us = 1000};
    return scheduler_done(scheduler, work, index, &done, now_us);
}

static size_t count_of(const hq_assignment *taken, size_t count, const void *owner)
{
    size_t mine = 0;
    for (size_t i = 0; i < count; i++)
        mine += taken[i].owner == owner;
    return mine;
}

static void no_more_are_under_way_than_may_and_others_get_the_workers(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    int bounded, free_one;
    uint32_t one = add_worker(scheduler, 1), other = add_worker(scheduler, 2);
    hq_work *work = add_work(scheduler, &bounded, 0), *beside = add_work(scheduler, &free_one, 0);
    scheduler_bound(work, 10, false);
    hq_assignment taken[4 * COUNT];
    size_t count = scheduler_take(scheduler, one, now_us, taken, 100);
    assert_int_equal(count, 100);
    count += scheduler_take(scheduler, other, now_us, taken + count, 3 * COUNT);
    assert_int_equal(count_of(taken, count, &bounded), 10);
    assert_int_equal(count_of(taken, count, &free_one), COUNT);
    assert_int_equal(scheduler_take(scheduler, one, now_us, taken + count, 1), 0);
    assert_int_equal(scheduler_waiting(work), COUNT - 10);
    uint32_t index = COUNT;
    for (size_t i = 0; i < 100 && index == COUNT; i++)
        if (taken[i].owner == &bounded)
            index = taken[i].index;
    assert_true(is_done(scheduler, work, index, one)); /* one is through, one more is given */
    assert_int_equal(scheduler_take(scheduler, other, now_us, taken + count, COUNT), 1);
    assert_ptr_equal(taken[count].owner, &bounded);
    scheduler_bound(work, 5, false); /* fewer than there are */
    assert_int_equal(scheduler_take(scheduler, one, now_us, taken + count + 1, COUNT), 0);
    scheduler_bound(work, UINT32_MAX, false);
    size_t rest = scheduler_take(scheduler, one, now_us, taken + count + 1, COUNT);
    rest += scheduler_take(scheduler, other, now_us, taken + count + 1 + rest, COUNT);
    assert_int_equal(rest, COUNT - 11);
    scheduler_remove_work(scheduler, &work);
    scheduler_remove_work(scheduler, &beside);
    scheduler_free(&scheduler);
}

/* Else one slow worker would hold up all of a query that may have no more under way. */
static void a_straggler_that_takes_the_room_of_others_is_given_twice(void **state)
{
    (void)state;
    const int64_t later_us = now_us + 1000000;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t one = add_worker(scheduler, 1), other = add_worker(scheduler, 2);
    hq_work *work = add_work(scheduler, NULL, 0);
    hq_assignment first, slow, second;
    hq_done done = {.worker = one, .run_us = 1000};
    scheduler_bound(work, 1, false);
    assert_int_equal(scheduler_take(scheduler, one, now_us, &first, 1), 1);
    assert_true(scheduler_done(scheduler, work, first.index, &done, now_us + 1000));
    assert_int_equal(scheduler_take(scheduler, one, now_us + 1000, &slow, 1), 1);
    assert_int_equal(scheduler_take(scheduler, other, now_us + 2000, &second, 1), 0);
    assert_int_equal(scheduler_take(scheduler, other, later_us, &second, 1), 1);
    assert_int_equal(second.index, slow.index);
    done.worker = other;
    assert_true(scheduler_done(scheduler, work, slow.index, &done, later_us + 1000));
    assert_int_equal(scheduler_outstanding(scheduler, one) + scheduler_outstanding(scheduler, other), 0);
    assert_int_equal(scheduler_take(scheduler, other, later_us + 1000, &first, 1), 1); /* and there is room again */
    assert_int_equal(scheduler_take(scheduler, one, later_us + 1000, &first, 1), 0);
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

/* Whatever lies in queues of workers already. */
static void in_order_the_first_that_waits_is_given_next(void **state)
{
    (void)state;
    hq_scheduler *scheduler = scheduler_new(false);
    uint32_t one = add_worker(scheduler, 1), other = add_worker(scheduler, 2);
    hq_work *work = add_work(scheduler, NULL, 0);
    hq_assignment taken[COUNT];
    bool is_taken[COUNT] = {false};
    size_t count = scheduler_take(scheduler, one, now_us, taken, 200); /* from all over the data set */
    assert_int_equal(count, 200);
    for (size_t i = 0; i < count; i++)
        is_taken[taken[i].index] = true;
    scheduler_bound(work, UINT32_MAX, true);
    for (uint32_t next = 0; count < COUNT - 10; count++) {
        while (is_taken[next])
            next++;
        assert_int_equal(scheduler_take(scheduler, count % 2 ? one : other, now_us, taken + count, 1), 1);
        assert_int_equal(taken[count].index, next);
        is_taken[next] = true;
    }
    /* What comes back is the first again, unless somebody has tried it who should not again. */
    assert_true(scheduler_put_back(scheduler, work, taken[0].index, one));
    assert_false(scheduler_put_back(scheduler, work, taken[0].index, one));
    assert_int_equal(scheduler_take(scheduler, one, now_us, taken + count, 1), 1);
    assert_int_equal(taken[count].index, taken[0].index);
    assert_int_equal(scheduler_failed(scheduler, work, taken[0].index, one), 1); /* none before it counted */
    assert_int_equal(scheduler_take(scheduler, one, now_us, taken + count, 1), 0);
    assert_int_equal(scheduler_take(scheduler, other, now_us, taken + count, 1), 1);
    assert_int_equal(taken[count].index, taken[0].index);
    scheduler_bound(work, UINT32_MAX, false); /* and in no order nothing is given twice or forgotten */
    size_t rest = scheduler_take(scheduler, one, now_us, taken + count, 20);
    rest += scheduler_take(scheduler, other, now_us, taken + count + rest, 20);
    assert_int_equal(rest, 10);
    for (size_t i = 0; i < rest; i++) {
        assert_false(is_taken[taken[count + i].index]);
        is_taken[taken[count + i].index] = true;
    }
    scheduler_remove_work(scheduler, &work);
    scheduler_free(&scheduler);
}

/* Each subtask from somewhere else is a gap before it. */
static void so_many_come_from_all_over_the_data_set_as_may(void **state)
{
    (void)state;
    const uint32_t most[] = {0, 3, COUNT};
    for (size_t k = 0; k < 3; k++) {
        hq_scheduler *scheduler = scheduler_new(false);
        uint32_t worker = add_worker(scheduler, 1);
        hq_work *work = add_work(scheduler, NULL, most[k]);
        hq_assignment taken[LEAST_SAMPLE];
        assert_int_equal(scheduler_take(scheduler, worker, now_us, taken, LEAST_SAMPLE), LEAST_SAMPLE);
        size_t far = 0;
        for (size_t i = 0; i < LEAST_SAMPLE; i++)
            far += taken[i].index >= LEAST_SAMPLE;
        assert_true(most[k] == 3 ? far <= 3 : far > LEAST_SAMPLE / 2);
        scheduler_remove_work(scheduler, &work);
        scheduler_free(&scheduler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_are_under_way_than_may_and_others_get_the_workers),
        cmocka_unit_test(a_straggler_that_takes_the_room_of_others_is_given_twice),
        cmocka_unit_test(in_order_the_first_that_waits_is_given_next),
        cmocka_unit_test(so_many_come_from_all_over_the_data_set_as_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
