/* The queue of numbers: against a plain array, and how much memory it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/queue.h"

enum { STEPS = 200000 };

static void what_was_pushed_is_there_in_its_order(void **state)
{
    (void)state;
    static uint32_t all[STEPS];
    hq_queue queue = {0};
    size_t first = 0, end = 0;
    uint64_t random = 1;
    for (uint32_t step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t what = (uint32_t)(random >> 60);
        if (step / 20000 % 2 ? what < 5 : what < 11) { /* it grows for a while, then shrinks, to nothing too */
            queue_push(&queue, step);
            all[end++] = step;
        } else if (what < 14 && end > first) {
            queue_drop(&queue, 1);
            first++;
        } else if (end > first) {
            queue_drop_last(&queue);
            end--;
        }
        assert_int_equal(queue_length(&queue), end - first);
        for (size_t place = 0; place < end - first; place += 1 + (end - first) / 3)
            assert_int_equal(*queue_at(&queue, place), all[first + place]);
        if (end > first)
            assert_int_equal(*queue_at(&queue, end - first - 1), all[end - 1]);
    }
    queue_clear(&queue);
    assert_int_equal(queue_length(&queue), 0);
    queue_push(&queue, 7);
    assert_int_equal(*queue_at(&queue, 0), 7);
    queue_clear(&queue);
}

static void one_that_stays_short_takes_little_memory_however_many_pass(void **state)
{
    (void)state;
    hq_queue queue = {0};
    for (uint32_t i = 0; i < 10; i++)
        queue_push(&queue, i);
    for (uint32_t i = 10; i < STEPS; i++) {
        assert_int_equal(*queue_at(&queue, 0), i - 10);
        queue_drop(&queue, 1);
        queue_push(&queue, i);
    }
    assert_int_equal(queue_length(&queue), 10);
    assert_true(queue.capacity <= 4096);
    queue_clear(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_pushed_is_there_in_its_order),
        cmocka_unit_test(one_that_stays_short_takes_little_memory_however_many_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
