/* tests/base/test_memory.c - large pieces that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

#define MIB ((size_t)1 << 20)

static void *take(size_t size)
{
    uint8_t *memory = hq_memory_take(size);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    memory[0] = memory[size - 1] = 1;
    return memory;
}

/* Before hq_memory_reuse nothing stays. */
static void test_large_pieces_are_used_again(void **state)
{
    (void)state;
    hq_memory_give(take(40 * MIB));
    hq_memory_give(NULL);
    hq_memory_reuse();
    void *first = take(40 * MIB);
    hq_memory_give(first);
    void *again = take(40 * MIB), *other = take(40 * MIB);
    assert_ptr_equal(again, first);
    assert_ptr_not_equal(other, first);
    hq_memory_give(again);
    void *nearly = take(39 * MIB); /* less than an eighth too much */
    assert_ptr_equal(nearly, first);
    hq_memory_give(nearly);
    void *little = take(33 * MIB);
    assert_ptr_not_equal(little, first);
    hq_memory_give(little);
    hq_memory_give(other);
    free(take(40 * MIB)); /* it may be released as any memory */
}

/* A quarter of a GiB stays at most: the oldest give way. */
static void test_not_too_much_stays(void **state)
{
    (void)state;
    enum { PIECES = 8 };
    hq_memory_reuse();
    void *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = take(60 * MIB);
    for (size_t i = 0; i < PIECES; i++)
        hq_memory_give(pieces[i]);
    void *got[4];
    for (size_t i = 0; i < 4; i++) {
        got[i] = take(60 * MIB);
        assert_ptr_equal(got[i], pieces[PIECES - 4 + i]);
    }
    for (size_t i = 0; i < 4; i++)
        hq_memory_give(got[i]);
    hq_memory_give(take(300 * MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_pieces_are_used_again),
        cmocka_unit_test(test_not_too_much_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
