/* tests/base/test_memory.c - large pieces that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* A piece that is used for less is no larger than what was asked for, but for pages of 2 MiB. */
static void test_what_is_too_much_of_a_piece_goes_back(void **state)
{
    (void)state;
    hq_memory_reuse();
    size_t page = (size_t)sysconf(_SC_PAGESIZE), resident = 0;
    uint8_t *memory = take(70 * MIB);
    memset(memory, 1, 70 * MIB);
    hq_memory_give(memory);
    assert_ptr_equal(take(63 * MIB), memory);
    uintptr_t begin = ((uintptr_t)memory + 63 * MIB + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
    uintptr_t end = ((uintptr_t)memory + 70 * MIB) / page * page;
    unsigned char pages[7 * 256];
    assert_true((end - begin) / page <= sizeof pages);
    assert_int_equal(mincore(memory + (begin - (uintptr_t)memory), end - begin, pages), 0);
    for (size_t i = 0; i < (end - begin) / page; i++)
        resident += pages[i] & 1;
    assert_int_equal(resident, 0);
    assert_int_equal(memory[0], 1);
    assert_int_equal(memory[63 * MIB - 1], 1);
    free(memory);
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Memory that nobody uses is no reason for there being none. */
static void test_what_stays_gives_way(void **state)
{
    (void)state;
    const char *sanitizers = getenv("HQ_SANITIZE");
    if (sanitizers && *sanitizers)
        skip(); /* their allocators end the process */
    hq_memory_reuse();
    void *(*const ways[])(size_t) = {hq_memory_take, hq_alloc};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        void *pieces[4];
        for (size_t j = 0; j < 4; j++)
            pieces[j] = take(60 * MIB);
        for (size_t j = 0; j < 4; j++)
            hq_memory_give(pieces[j]);
        struct rlimit before, now;
        assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
        now = before;
        now.rlim_cur = address_space() + 20 * MIB;
        assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
        void *memory = ways[i](150 * MIB);
        setrlimit(RLIMIT_AS, &before);
        assert_non_null(memory);
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_pieces_are_used_again),
        cmocka_unit_test(test_not_too_much_stays),
        cmocka_unit_test(test_what_is_too_much_of_a_piece_goes_back),
        cmocka_unit_test(test_what_stays_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
