/* Errors: names that travel, and texts that say where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/error.h"

static void names_go_there_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < HQ_ERROR_COUNT; i++) {
        assert_int_equal(hq_error_from_name(hq_error_name((hq_error)i)), i);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hq_error_name((hq_error)i), hq_error_name((hq_error)j));
    }
    assert_string_equal(hq_error_name(HQ_ENOTFOUND), "notfound"); /* these stand on the wire: they never change */
    assert_string_equal(hq_error_name(HQ_EUNCERTAIN), "uncertain");
    assert_int_equal(hq_error_from_name("no such error"), HQ_EINTERNAL);
    assert_int_equal(hq_error_from_name(""), HQ_EINTERNAL);
    assert_string_equal(hq_error_name((hq_error)1000), "internal");
}

static void a_reason_says_what_and_where(void **state)
{
    (void)state;
    hq_reason reason;
    assert_int_equal(hq_fail(&reason, HQ_EIO, "%d of %d bytes", 3, 5), HQ_EIO);
    assert_string_equal(reason.text, "3 of 5 bytes");
    assert_int_equal(hq_fail_within(&reason, HQ_EFORMAT, "%s", "a.root"), HQ_EFORMAT);
    assert_string_equal(reason.text, "a.root: 3 of 5 bytes");
    assert_int_equal(hq_fail(NULL, HQ_EIO, "nobody reads this"), HQ_EIO);
    assert_int_equal(hq_fail_within(NULL, HQ_EIO, "nor this"), HQ_EIO);
}

static void long_reasons_are_cut_not_overrun(void **state)
{
    (void)state;
    hq_reason reason;
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    hq_fail(&reason, HQ_EIO, "%s", text);
    assert_int_equal(strlen(reason.text), sizeof reason.text - 1);
    hq_fail_within(&reason, HQ_EIO, "front");
    assert_int_equal(strlen(reason.text), sizeof reason.text - 1);
    assert_memory_equal(reason.text, "front: xxx", 10);
    hq_fail_within(&reason, HQ_EIO, "%s", text);
    assert_int_equal(strlen(reason.text), sizeof reason.text - 1);
}

static void a_long_reason_is_not_cut_within_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "x"};
    for (int c = 0; c < 4; c++)
        for (size_t ascii = 0; ascii < 5; ascii++) {
            size_t size = strlen(characters[c]);
            hq_reason reason = {{0}}, outer = {{0}};
            char text[2 * sizeof reason.text] = "aaaaa";
            size_t at = ascii;
            for (; at < sizeof reason.text + 8; at += size)
                memcpy(text + at, characters[c], size);
            text[at] = 0;
            hq_fail(&reason, HQ_EIO, "%s", text);
            size_t length = strlen(reason.text);
            assert_true(length >= sizeof reason.text - size && length < sizeof reason.text);
            assert_int_equal((length - ascii) % size, 0);
            assert_memory_equal(reason.text, text, length);
            hq_fail(&outer, HQ_EIO, "%s", text);
            hq_fail_within(&outer, HQ_EIO, "in");
            assert_int_equal((strlen(outer.text) - strlen("in: ") - ascii) % size, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_there_and_back),
        cmocka_unit_test(a_reason_says_what_and_where),
        cmocka_unit_test(long_reasons_are_cut_not_overrun),
        cmocka_unit_test(a_long_reason_is_not_cut_within_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
