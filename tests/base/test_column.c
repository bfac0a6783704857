/* Columns: room, alignment, the readable bytes behind, and sizes that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/column.h"

static void types_have_numpys_names_and_sizes(void **state)
{
    (void)state;
    static const struct {
        hq_type type;
        const char *name;
        size_t size;
    } cases[] = {{HQ_BOOL, "bool", 1},       {HQ_INT8, "int8", 1},      {HQ_UINT8, "uint8", 1},
                 {HQ_INT16, "int16", 2},     {HQ_UINT16, "uint16", 2},  {HQ_INT32, "int32", 4},
                 {HQ_UINT32, "uint32", 4},   {HQ_INT64, "int64", 8},    {HQ_UINT64, "uint64", 8},
                 {HQ_FLOAT32, "float32", 4}, {HQ_FLOAT64, "float64", 8}};
    assert_int_equal(sizeof cases / sizeof *cases, HQ_TYPE_COUNT);
    for (size_t i = 0; i < HQ_TYPE_COUNT; i++) {
        assert_string_equal(hq_type_name(cases[i].type), cases[i].name);
        assert_int_equal(hq_type_size(cases[i].type), cases[i].size);
    }
    assert_string_equal(hq_type_name(HQ_TYPE_COUNT), "unknown");
    assert_int_equal(hq_type_size((hq_type)-1), 0);
}

static void values_are_aligned_and_padded(void **state)
{
    (void)state;
    for (uint64_t count = 0; count < 200; count += 7)
        for (int is_jagged = 0; is_jagged < 2; is_jagged++) {
            hq_column *column = column_new(HQ_UINT16, 10, is_jagged ? count : 10, is_jagged, 1 << 20);
            assert_non_null(column);
            assert_int_equal((uintptr_t)column->values % 64, 0);
            assert_int_equal(column->offsets != NULL, is_jagged);
            size_t size = column->value_count * 2;
            memset(column->values, 0xff, size);
            for (size_t i = 0; i < 64; i++)
                assert_int_equal(((const uint8_t *)column->values)[size + i], 0);
            if (is_jagged)
                memset(column->offsets, 0, 11 * sizeof(uint32_t));
            assert_true(column->bytes >= size + 64 + (is_jagged ? 44 : 0));
            column_free(&column);
            assert_null(column);
            column_free(&column);
        }
}

static void sizes_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    assert_null(column_new(HQ_FLOAT64, 1001, 1001, 0, 8000));
    assert_null(column_new(HQ_FLOAT64, 10, 1000, 1, 8000)); /* the offsets count */
    hq_column *column = column_new(HQ_FLOAT64, 1000, 1000, 0, 8000);
    assert_non_null(column);
    column_free(&column);
    assert_null(column_new(HQ_FLOAT64, UINT64_MAX, UINT64_MAX, 0, SIZE_MAX));
    assert_null(column_new(HQ_INT8, UINT64_MAX, UINT64_MAX, 0, SIZE_MAX));
    assert_null(column_new(HQ_INT8, UINT64_MAX, 10, 1, SIZE_MAX));     /* entries + 1 offsets overflow */
    assert_null(column_new(HQ_INT8, UINT64_MAX / 2, 10, 1, SIZE_MAX)); /* so does their size */
    assert_null(column_new(HQ_INT8, 10, (uint64_t)UINT32_MAX + 1, 1, SIZE_MAX));
}

static void lists_of_lists_have_offsets_at_every_level(void **state)
{
    (void)state;
    const uint64_t lists[] = {5, 7};
    hq_column *column = column_new_deep(HQ_FLOAT32, 3, lists, 2, 11, 4096);
    assert_non_null(column);
    assert_int_equal(column_depth(column), 3);
    assert_int_equal(column->inner_count, 2);
    memset(column->offsets, 0, 4 * sizeof(uint32_t));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(column->inner[i].count, lists[i]);
        memset(column->inner[i].offsets, 0, (lists[i] + 1) * sizeof(uint32_t));
    }
    assert_true(column->bytes >= 11 * 4 + (4 + 6 + 8) * sizeof(uint32_t));
    size_t all = column->bytes;
    column_free(&column);
    assert_null(
        column_new_deep(HQ_FLOAT32, 3, lists, 2, 11, all - 9 * sizeof(uint32_t))); /* the last level does not fit */
    const uint64_t many[] = {UINT32_MAX};
    assert_null(column_new_deep(HQ_INT8, 1, many, 1, 1, SIZE_MAX));
    column = column_new_deep(HQ_INT8, 3, NULL, 0, 3, 4096);
    assert_non_null(column);
    assert_int_equal(column_depth(column), 1);
    column_free(&column);
    column = column_new(HQ_INT8, 3, 3, 0, 4096);
    assert_non_null(column);
    assert_int_equal(column_depth(column), 0);
    column_free(&column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_numpys_names_and_sizes),
        cmocka_unit_test(values_are_aligned_and_padded),
        cmocka_unit_test(sizes_beyond_the_limit_are_refused),
        cmocka_unit_test(lists_of_lists_have_offsets_at_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
