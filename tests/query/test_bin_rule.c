/* A rule may only be taken if no double, or no float, can tell it from axis_index. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/bin_rule.h"

enum { AXES = 300, VALUES = 2000 };

static hq_axis regular(uint32_t bins, double low, double high)
{
    return (hq_axis){.kind = HQ_AXIS_REGULAR, .bins = bins, .low = low, .high = high};
}

/* What machine code makes of x by the rule. */
static uint32_t index_of(const hq_axis *axis, hq_bin_rule rule, double x)
{
    double bins = axis->bins;
    if (x < axis->low)
        return 0;
    double position = bins * (x - axis->low) / (axis->high - axis->low);
    if (rule.way == BIN_BY_PRODUCT)
        position = bins * (x - axis->low) * rule.factor;
    if (rule.way == BIN_BY_FACTOR)
        position = (x - axis->low) * rule.factor;
    if (rule.way == BIN_BY_FLOAT_FACTOR) {
        float distance = (float)x - (float)axis->low;
        float product = distance * (float)rule.factor;
        position = product;
    }
    bool is_inside = position < bins && (rule.way != BIN_BY_DIVISION || x < axis->high);
    return is_inside ? 1 + (uint32_t)position : axis->bins + 1;
}

static double random_from(double low, double high)
{
    return low + (high - low) * drand48();
}

static void assert_agrees(const hq_axis *axis, hq_bin_rule rule, bool is_float, double x)
{
    if (is_float)
        x = (double)(float)x;
    if (index_of(axis, rule, x) != axis_index(axis, x))
        fail_msg("%u bins from %a to %a, way %d, factor %a: %a is in bin %u and was put into %u", axis->bins, axis->low,
                 axis->high, rule.way, rule.factor, x, axis_index(axis, x), index_of(axis, rule, x));
}

/* Values anywhere, on edges, and a few steps beside them. */
static void look_at(const hq_axis *axis, bool is_float)
{
    hq_bin_rule rule = bin_rule_of(axis, is_float);
    assert_true(is_float || rule.way != BIN_BY_FLOAT_FACTOR);
    static const double ODD[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e300, -1e300, 5e-324, -5e-324, 1e-40};
    for (size_t i = 0; i < sizeof ODD / sizeof *ODD; i++)
        assert_agrees(axis, rule, is_float, ODD[i]);
    double length = axis->high - axis->low;
    for (int i = 0; i < VALUES; i++) {
        assert_agrees(axis, rule, is_float, random_from(axis->low - length / 8, axis->high + length / 8));
        double x = axis_edge(axis, (uint32_t)(lrand48() % (axis->bins + 1)));
        for (int step = (int)(lrand48() % 5) - 2; step != 0; step += step < 0 ? 1 : -1)
            x = is_float ? (double)nextafterf((float)x, step < 0 ? -INFINITY : INFINITY)
                         : nextafter(x, step < 0 ? -INFINITY : INFINITY);
        assert_agrees(axis, rule, is_float, x);
    }
}

static void a_rule_gives_the_bins_of_the_axis(void **state)
{
    (void)state;
    srand48(1);
    for (int i = 0; i < AXES; i++) {
        double low = random_from(-100, 100), high = low + random_from(1e-3, 300);
        uint32_t bins = 1 + (uint32_t)(lrand48() % 200);
        if (i % 3 == 0)
            low = rint(low), high = low + 1 + rint(high - low);
        hq_axis axis = regular(bins, low, high);
        look_at(&axis, false);
        look_at(&axis, true);
    }
}

static void odd_axes_have_rules_that_hold(void **state)
{
    (void)state;
    const hq_axis axes[] = {
        regular(1, 0, 1),
        regular(10, 1e15, 1e15 + 10),  /* bins of a few doubles each */
        regular(100, 1e15, 1e15 + 10), /* and less than one */
        regular(3, -1e308, 1e308),     /* high - low is infinite */
        regular(7, 0, 5e-324),         /* the smallest there is */
        regular(1 << 20, 0, 1),
        regular(4096, -3, 3),
        regular(100, 0.1, 0.7),
        regular(3, 16777216, 16777219), /* between floats */
    };
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        look_at(&axes[i], false);
        look_at(&axes[i], true);
    }
}

/* Else the test above would pass with nothing gained. */
static void common_axes_need_no_division(void **state)
{
    (void)state;
    const hq_axis axes[] = {regular(100, 0, 200), regular(100, 0, 1), regular(60, 60, 120), regular(40, 0, 400)};
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        assert_int_not_equal(bin_rule_of(&axes[i], false).way, BIN_BY_DIVISION);
    assert_int_equal(bin_rule_of(&axes[0], true).way, BIN_BY_FLOAT_FACTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_gives_the_bins_of_the_axis),
        cmocka_unit_test(odd_axes_have_rules_that_hold),
        cmocka_unit_test(common_axes_need_no_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
