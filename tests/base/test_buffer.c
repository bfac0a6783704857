/* Buffers and cursors: what was written comes back, and a cursor never reads past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/buffer.h"

static void what_is_written_comes_back(void **state)
{
    (void)state;
    hq_buffer buffer = {0};
    buffer_u8(&buffer, 0xab);
    buffer_u32(&buffer, 0xdeadbeef);
    buffer_u64(&buffer, 0x0123456789abcdefu);
    buffer_f64(&buffer, -0.0);
    buffer_f64(&buffer, NAN);
    buffer_text(&buffer, "Grüße");
    buffer_text(&buffer, NULL);
    buffer_append(&buffer, "xyz", 3);
    buffer_append(&buffer, NULL, 0);

    hq_cursor cursor = cursor_over(buffer.bytes, buffer.size);
    assert_int_equal(cursor_u8(&cursor), 0xab);
    assert_int_equal(cursor_u32(&cursor), 0xdeadbeef);
    assert_true(cursor_u64(&cursor) == 0x0123456789abcdefu);
    double zero = cursor_f64(&cursor);
    assert_true(zero == 0 && signbit(zero));
    assert_true(isnan(cursor_f64(&cursor)));
    char *text = cursor_text(&cursor, 100);
    assert_string_equal(text, "Grüße");
    free(text);
    text = cursor_text(&cursor, 0);
    assert_string_equal(text, "");
    free(text);
    assert_false(cursor_is_complete(&cursor)); /* something is left */
    assert_memory_equal(cursor_take(&cursor, 3), "xyz", 3);
    assert_true(cursor_is_complete(&cursor));
    buffer_clear(&buffer);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.size, 0);
    buffer_clear(&buffer);
}

static void numbers_are_little_endian(void **state)
{
    (void)state;
    hq_buffer buffer = {0};
    buffer_u32(&buffer, 0x01020304);
    buffer_u64(&buffer, 0x05060708090a0b0cu);
    buffer_f64(&buffer, 1.0);
    static const uint8_t expected[] = {4, 3, 2, 1, 12, 11, 10, 9, 8, 7, 6, 5, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f};
    assert_int_equal(buffer.size, sizeof expected);
    assert_memory_equal(buffer.bytes, expected, sizeof expected);
    buffer_clear(&buffer);
}

static void a_buffer_grows(void **state)
{
    (void)state;
    hq_buffer buffer = {0};
    char piece[777];
    for (int i = 0; i < 1000; i++) {
        memset(piece, i & 0xff, sizeof piece);
        buffer_append(&buffer, piece, sizeof piece);
    }
    assert_int_equal(buffer.size, 777000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer.bytes[i * 777 + 776], i & 0xff);
    buffer_clear(&buffer);
}

static void a_cursor_that_lacks_bytes_stays_bad(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    hq_cursor cursor = cursor_over(bytes, 7);
    assert_int_equal(cursor_u32(&cursor), 0x04030201);
    assert_int_equal(cursor_u32(&cursor), 0); /* three bytes are left */
    assert_true(cursor.bad);
    assert_int_equal(cursor_u8(&cursor), 0); /* which would be there, but nothing is trusted any more */
    assert_null(cursor_take(&cursor, 0));
    assert_true(cursor_f64(&cursor) == 0);
    assert_null(cursor_text(&cursor, 10));
    assert_false(cursor_is_complete(&cursor));

    cursor = cursor_over(bytes, 8);
    assert_null(cursor_take(&cursor, SIZE_MAX));
    assert_true(cursor.bad);
    cursor = cursor_over(NULL, 0);
    assert_true(cursor_is_complete(&cursor));
}

static void a_text_that_lies_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t size, limit;
    } cases[] = {
        {{3, 0, 0, 0, 'a', 'b'}, 6, 10},              /* shorter than it says */
        {{0xff, 0xff, 0xff, 0xff, 'a'}, 5, SIZE_MAX}, /* much shorter */
        {{3, 0, 0, 0, 'a', 'b', 'c'}, 7, 2},          /* longer than the limit */
        {{3, 0, 0, 0, 'a', 0, 'c'}, 7, 10},           /* with a zero in it */
        {{3, 0, 0}, 3, 10},                           /* half a length */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_cursor cursor = cursor_over(cases[i].bytes, cases[i].size);
        assert_null(cursor_text(&cursor, cases[i].limit));
        assert_true(cursor.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(a_buffer_grows),
        cmocka_unit_test(a_cursor_that_lacks_bytes_stays_bad),
        cmocka_unit_test(a_text_that_lies_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
