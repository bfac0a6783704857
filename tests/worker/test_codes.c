/* Tests of worker/codes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "worker/codes.h"

static const char text_format[] = "from hist import Hist, axis\n"
                                  "h = Hist(axis.Regular(%d, 0, 1, name=\"x\"))\n"
                                  "for event in events:\n"
                                  "    h.fill(0.5)\n";

static const char wrong_text[] = "for event in events:\n    nothing.fill(1)\n";

static hq_compiled *hold(hq_codes *codes, int bins, const char *schema)
{
    char text[256];
    snprintf(text, sizeof text, text_format, bins);
    return codes_hold(codes, text, schema, strlen(schema));
}

/* What its code is, made if it is not there. */
static const hq_code *make(hq_compiled *compiled, int bins)
{
    char text[256];
    hq_failure failure = {0};
    hq_schema *schema = schema_new();
    snprintf(text, sizeof text, text_format, bins);
    assert_true(compiled_make(compiled, text, schema, &failure));
    schema_free(&schema);
    assert_non_null(compiled_program(compiled));
    return compiled_code(compiled);
}

static void what_is_asked_again_is_compiled_once(void **state)
{
    (void)state;
    hq_codes *codes = codes_new(4);
    hq_compiled *first = hold(codes, 10, "a"), *second = hold(codes, 10, "a");
    assert_ptr_equal(first, second);
    const hq_code *code = make(first, 10);
    assert_ptr_equal(make(second, 10), code);
    codes_release(codes, &first);
    assert_null(first);
    codes_release(codes, &second);
    hq_compiled *again = hold(codes, 10, "a"); /* nobody held it meanwhile */
    assert_ptr_equal(compiled_code(again), code);
    codes_release(codes, &again);
    codes_free(&codes);
    assert_null(codes);
}

static void another_text_or_schema_is_another_code(void **state)
{
    (void)state;
    hq_codes *codes = codes_new(4);
    hq_compiled *one = hold(codes, 10, "a"), *text = hold(codes, 11, "a"), *schema = hold(codes, 10, "b");
    assert_ptr_not_equal(one, text);
    assert_ptr_not_equal(one, schema);
    assert_ptr_not_equal(text, schema);
    codes_release(codes, &one);
    codes_release(codes, &text);
    codes_release(codes, &schema);
    codes_free(&codes);
}

static void the_one_asked_for_longest_ago_goes_first(void **state)
{
    (void)state;
    hq_codes *codes = codes_new(2);
    hq_compiled *held = hold(codes, 99, "a");
    make(held, 99);
    for (int bins = 1; bins <= 3; bins++) { /* the first goes when the third is there */
        hq_compiled *compiled = hold(codes, bins, "a");
        make(compiled, bins);
        codes_release(codes, &compiled);
    }
    for (int bins = 3; bins >= 1; bins--) {
        hq_compiled *compiled = hold(codes, bins, "a");
        assert_true((compiled_code(compiled) != NULL) == (bins > 1));
        codes_release(codes, &compiled);
    }
    assert_non_null(compiled_code(held));
    codes_release(codes, &held);
    codes_free(&codes);
}

static void a_text_that_is_wrong_says_so_and_is_not_kept(void **state)
{
    (void)state;
    hq_codes *codes = codes_new(2);
    hq_schema *schema = schema_new();
    hq_compiled *compiled = codes_hold(codes, wrong_text, "a", 1), *other = codes_hold(codes, wrong_text, "a", 1);
    for (int i = 0; i < 2; i++) {
        hq_failure failure = {0};
        assert_false(compiled_make(i ? other : compiled, wrong_text, schema, &failure));
        assert_int_equal(failure.error, HQ_EQUERY);
        assert_true(failure.line > 0 && failure.reason.text[0] != 0);
    }
    codes_release(codes, &compiled);
    codes_release(codes, &other);
    schema_free(&schema);
    codes_free(&codes);
}

static void without_codes_everybody_has_his_own(void **state)
{
    (void)state;
    hq_compiled *one = hold(NULL, 10, "a"), *other = hold(NULL, 10, "a");
    assert_ptr_not_equal(one, other);
    assert_ptr_not_equal(make(one, 10), make(other, 10));
    codes_release(NULL, &one);
    codes_release(NULL, &other);
    codes_release(NULL, &other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_again_is_compiled_once),
        cmocka_unit_test(another_text_or_schema_is_another_code),
        cmocka_unit_test(the_one_asked_for_longest_ago_goes_first),
        cmocka_unit_test(a_text_that_is_wrong_says_so_and_is_not_kept),
        cmocka_unit_test(without_codes_everybody_has_his_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
