/* Tables for a terminal, and numbers as a person reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/table.h"

static char *printed(const hq_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    table_print(table, stream);
    fclose(stream);
    return text;
}

static void columns_are_aligned_by_characters(void **state)
{
    (void)state;
    hq_table *table = table_new("NAME >ALL_DONE LAST");
    char *text = printed(table);
    assert_string_equal(text, "");
    free(text);
    table_add(table, "Jürgen");
    table_add_format(table, "%d", 7);
    table_add(table, "x");
    table_add(table, "a");
    table_add(table, "1,234,567");
    table_add(table, "");
    text = printed(table);
    assert_string_equal(text, "NAME     ALL DONE  LAST\n"
                              "Jürgen          7  x\n"
                              "a       1,234,567  \n");
    free(text);
    table_free(&table);
    assert_null(table);
}

/* Names of queries and users are other people's. */
static void what_moves_a_terminals_cursor_is_not_printed(void **state)
{
    (void)state;
    hq_table *table = table_new("NAME");
    table_add(table, "\x1b[2J\a\tb\x7f \xc2\x9b"
                     "31m \xc2\xa0 é");
    char *text = printed(table);
    assert_string_equal(text, "NAME\n?[2J??b? ??31m \xc2\xa0 é\n");
    free(text);
    table_free(&table);
}

static void assert_is(char *got, const char *wanted)
{
    assert_string_equal(got, wanted);
    free(got);
}

static void numbers_are_as_a_person_reads_them(void **state)
{
    (void)state;
    assert_is(table_count(0), "0");
    assert_is(table_count(999), "999");
    assert_is(table_count(1000), "1,000");
    assert_is(table_count(-1234567), "-1,234,567");
    assert_is(table_count(-100), "-100");
    assert_is(table_count(INT64_MAX), "9,223,372,036,854,775,807");
    assert_is(table_bytes(0), "0 B");
    assert_is(table_bytes(1023), "1023 B");
    assert_is(table_bytes(1024), "1.0 KiB");
    assert_is(table_bytes((1 << 20) - 1), "1.0 MiB");
    assert_is(table_bytes(INT64_MAX), "8.0 EiB");
    assert_is(table_span(0), "0.00 s");
    assert_is(table_span(59000), "59 s");
    assert_is(table_span(185000), "3 m 5 s");
    assert_is(table_span(7260000), "2 h 1 m");
    assert_is(table_span(INT64_C(90000000)), "1 d 1 h");
    assert_is(table_share(0, 0), "-");
    assert_is(table_share(1, 3), "33.3%");
    setenv("TZ", "UTC", 1);
    assert_is(table_date(INT64_C(1795878594000)), "2026-11-28 15:09:54");
}

static void sums_stay_within_what_a_number_holds(void **state)
{
    (void)state;
    assert_true(table_sum(2, -3) == -1);
    assert_true(table_sum(INT64_MAX, INT64_MAX) == INT64_MAX);
    assert_true(table_sum(INT64_MIN, -1) == INT64_MIN);
    assert_true(table_sum(INT64_MIN, INT64_MAX) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_by_characters),
        cmocka_unit_test(what_moves_a_terminals_cursor_is_not_printed),
        cmocka_unit_test(numbers_are_as_a_person_reads_them),
        cmocka_unit_test(sums_stay_within_what_a_number_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
