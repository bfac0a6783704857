/* Axes: which bin a value belongs to, where bins lie, what is no axis. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "query/axis.h"

static char nothing[] = "";
static double some_edges[] = {-1, 0, 0.5, 3, 100};
static int64_t some_ints[] = {3, -7, 100};
static char muon[] = "mu", electron[] = "e";
static char *some_texts[] = {muon, electron, nothing};

static hq_axis regular(uint32_t bins, double low, double high, hq_transform transform)
{
    return (hq_axis){.name = nothing, .label = nothing, .bins = bins, .low = low, .high = high, .transform = transform};
}

static hq_axis variable(void)
{
    return (hq_axis){.kind = HQ_AXIS_VARIABLE,
                     .name = nothing,
                     .label = nothing,
                     .bins = 4,
                     .low = -1,
                     .high = 100,
                     .edges = some_edges};
}

static hq_axis integer(double low, double high)
{
    return (hq_axis){.kind = HQ_AXIS_INTEGER,
                     .name = nothing,
                     .label = nothing,
                     .bins = (uint32_t)(high - low),
                     .low = low,
                     .high = high};
}

static hq_axis ints(void)
{
    return (hq_axis){.kind = HQ_AXIS_INT_CATEGORY, .name = nothing, .label = nothing, .bins = 3, .ints = some_ints};
}

static hq_axis texts(void)
{
    return (hq_axis){.kind = HQ_AXIS_STR_CATEGORY, .name = nothing, .label = nothing, .bins = 3, .texts = some_texts};
}

static hq_axis boolean(void)
{
    return (hq_axis){.kind = HQ_AXIS_BOOLEAN, .name = nothing, .label = nothing, .bins = 2};
}

static void bins_are_laid_out_as_in_boost_histogram(void **state)
{
    (void)state;
    const struct {
        hq_axis axis;
        size_t extent;
        bool has_underflow, has_overflow;
    } cases[] = {
        {regular(5, 0, 1, HQ_TRANSFORM_NONE), 7, true, true},
        {regular(5, 1, 2, HQ_TRANSFORM_LOG), 7, true, true},
        {variable(), 6, true, true},
        {integer(-2, 3), 7, true, true},
        {ints(), 4, false, true},
        {texts(), 4, false, true},
        {boolean(), 2, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const hq_axis *axis = &cases[i].axis;
        assert_null(axis_fault(axis));
        assert_int_equal(axis_extent(axis), cases[i].extent);
        assert_int_equal(axis_has_underflow(axis), cases[i].has_underflow);
        assert_int_equal(axis_has_overflow(axis), cases[i].has_overflow);
        assert_int_equal(axis_is_flow(axis, 0), cases[i].has_underflow);
        assert_int_equal(axis_is_flow(axis, cases[i].extent - 1), cases[i].has_overflow);
        assert_false(axis_is_flow(axis, 1));
    }
}

static void variable_bin_begins_at_its_edge(void **state)
{
    (void)state;
    hq_axis axis = variable();
    for (uint32_t i = 0; i <= 4; ++i) {
        assert_int_equal(axis_index(&axis, some_edges[i]), i + 1);
        assert_int_equal(axis_index(&axis, nextafter(some_edges[i], -INFINITY)), i);
        assert_int_equal(axis_index(&axis, nextafter(some_edges[i], INFINITY)), i + 1);
    }
    assert_int_equal(axis_index(&axis, -INFINITY), 0);
    assert_int_equal(axis_index(&axis, INFINITY), 5);
    assert_int_equal(axis_index(&axis, NAN), 5);
    assert_int_equal(axis_index_int(&axis, 99), 4);
    assert_int_equal(axis_index_int(&axis, INT64_MIN), 0);

    double edges[1001]; /* each bin of a long one */
    for (int i = 0; i <= 1000; ++i)
        edges[i] = i * i;
    axis.edges = edges;
    axis.bins = 1000;
    axis.low = 0;
    axis.high = 1e6;
    assert_null(axis_fault(&axis));
    for (uint32_t i = 0; i < 1000; ++i)
        assert_int_equal(axis_index(&axis, edges[i] + 0.5), i + 1);
}

static void transformed_bins_are_equal_parts_of_the_transform(void **state)
{
    (void)state;
    hq_axis axis = regular(3, 1, 1000, HQ_TRANSFORM_LOG);
    const struct {
        double x;
        uint32_t index;
    } logs[] = {{-5, 4},    {-0.0, 0},      {0, 0},   {1e-300, 0}, {0.999, 0}, {1, 1},     {9.99, 1},
                {10.01, 2}, {99, 2},        {101, 3}, {999, 3},    {1000, 4},  {1e300, 4}, {INFINITY, 4},
                {NAN, 4},   {-INFINITY, 4}, {5, 1},   {50, 2},     {500, 3}};
    for (size_t i = 0; i < sizeof logs / sizeof *logs; ++i)
        assert_int_equal(axis_index(&axis, logs[i].x), logs[i].index);
    axis = regular(4, 0, 16, HQ_TRANSFORM_SQRT);
    const struct {
        double x;
        uint32_t index;
    } roots[] = {{-1e-9, 5}, {-0.0, 1}, {0, 1}, {0.99, 1}, {1, 2}, {3.9, 2},
                 {4, 3},     {8.9, 3},  {9, 4}, {15, 4},   {16, 5}};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; ++i)
        assert_int_equal(axis_index(&axis, roots[i].x), roots[i].index);
    assert_int_equal(axis_index(&(hq_axis){.bins = 4, .low = 4, .high = 16, .transform = HQ_TRANSFORM_SQRT}, 3.9), 0);
    assert_int_equal(axis_index_int(&axis, 9), 4);
}

static void transformed_edges_enclose_their_bins(void **state)
{
    (void)state;
    hq_axis axes[] = {regular(57, 0.01, 3e5, HQ_TRANSFORM_LOG), regular(33, 0, 777, HQ_TRANSFORM_SQRT),
                      regular(100, 1e-300, 1e300, HQ_TRANSFORM_LOG), regular(9, 2, 3, HQ_TRANSFORM_SQRT)};
    for (size_t k = 0; k < sizeof axes / sizeof *axes; ++k) {
        const hq_axis *axis = &axes[k];
        assert_null(axis_fault(axis));
        assert_true(axis_edge(axis, 0) == axis->low && axis_edge(axis, axis->bins) == axis->high);
        for (uint32_t i = 0; i < axis->bins; ++i) {
            double low = axis_edge(axis, i), high = axis_edge(axis, i + 1);
            assert_true(low < high);
            assert_int_equal(axis_index(axis, low + (high - low) * 1e-6), i + 1);
            assert_int_equal(axis_index(axis, high - (high - low) * 1e-6), i + 1);
        }
    }
}

static void integers_have_a_bin_each(void **state)
{
    (void)state;
    hq_axis axis = integer(-2, 3);
    for (int i = -4; i <= 5; ++i) {
        uint32_t expected = i < -2 ? 0 : i > 2 ? 6 : (uint32_t)(i + 3);
        assert_int_equal(axis_index(&axis, i), expected);
        assert_int_equal(axis_index_int(&axis, i), expected);
        assert_int_equal(axis_index(&axis, i + 0.75), expected);
    }
    assert_int_equal(axis_index(&axis, nextafter(-2, -3)), 0);
    assert_int_equal(axis_index(&axis, nextafter(3, 0)), 5);
    assert_int_equal(axis_index(&axis, -0.25), 2);
    assert_int_equal(axis_index(&axis, NAN), 6);
    assert_int_equal(axis_index(&axis, -INFINITY), 0);
    assert_int_equal(axis_index_int(&axis, INT64_MIN), 0);
    assert_int_equal(axis_index_int(&axis, INT64_MAX), 6);
    axis = integer(INT32_MIN, INT32_MAX - 1);
    assert_null(axis_fault(&axis));
    assert_int_equal(axis_index_int(&axis, INT32_MIN), 1);
    assert_int_equal(axis_index_int(&axis, INT32_MAX), UINT32_MAX);
    assert_int_equal(axis_index_int(&axis, INT32_MAX - 2), UINT32_MAX - 1);
    assert_int_equal(axis_index(&axis, INT32_MAX - 2), UINT32_MAX - 1);
}

static void categories_are_found_or_overflow(void **state)
{
    (void)state;
    hq_axis axis = ints();
    for (uint32_t i = 0; i < 3; ++i) {
        assert_int_equal(axis_index(&axis, (double)some_ints[i]), i);
        assert_int_equal(axis_index_int(&axis, some_ints[i]), i);
    }
    assert_int_equal(axis_index(&axis, 3.5), 3);
    assert_int_equal(axis_index(&axis, NAN), 3);
    assert_int_equal(axis_index_int(&axis, 3 + (INT64_C(1) << 32)), 3);
    axis = texts();
    assert_int_equal(axis_index_text(&axis, "mu"), 0);
    assert_int_equal(axis_index_text(&axis, ""), 2);
    assert_int_equal(axis_index_text(&axis, "E"), 3);
    assert_int_equal(axis_index(&axis, 2), 2);
    assert_int_equal(axis_index(&axis, 0.5), 3);
    assert_int_equal(axis_index(&axis, -1), 3);
    assert_int_equal(axis_index(&axis, NAN), 3);
    assert_int_equal(axis_index_int(&axis, 1), 1);
    assert_int_equal(axis_index_int(&axis, -1), 3);
    assert_int_equal(axis_index_int(&axis, INT64_MAX), 3);
    axis = boolean();
    assert_int_equal(axis_index(&axis, 0), 0);
    assert_int_equal(axis_index(&axis, -0.0), 0);
    assert_int_equal(axis_index(&axis, 0.1), 1);
    assert_int_equal(axis_index(&axis, NAN), 1);
    assert_int_equal(axis_index_int(&axis, 0), 0);
    assert_int_equal(axis_index_int(&axis, INT64_MIN), 1);
}

static void assert_fault(hq_axis axis, const char *part)
{
    const char *fault = axis_fault(&axis);
    assert_non_null(fault);
    assert_non_null(strstr(fault, part));
}

static void what_is_no_axis_is_told(void **state)
{
    (void)state;
    assert_fault(regular(0, 0, 1, 0), "no bins");
    assert_fault(regular(1, 1, 1, 0), "does not lie above");
    assert_fault(regular(1, NAN, 1, 0), "does not lie above");
    assert_fault(regular(1, -DBL_MAX, DBL_MAX, 0), "too long");
    assert_fault(regular(1, 0, INFINITY, 0), "too long");
    assert_fault(regular(1, 0, 1, HQ_TRANSFORM_LOG), "above 0");
    assert_fault(regular(1, -1, 1, HQ_TRANSFORM_SQRT), "begins at 0");
    assert_fault(regular(1000000, 1, 1 + 1e-9, HQ_TRANSFORM_LOG), "narrow");
    assert_fault(regular(1000000, 1e20, 1e20 + 1e11, HQ_TRANSFORM_SQRT), "narrow");
    assert_fault(regular(1, 0, 1, HQ_TRANSFORM_COUNT), "unknown");
    hq_axis axis = variable();
    axis.transform = HQ_TRANSFORM_LOG;
    assert_fault(axis, "Regular");
    double wrong[][3] = {{0, 1, 1}, {0, 2, 1}, {0, NAN, 1}, {0, 1, INFINITY}, {-DBL_MAX, 0, DBL_MAX}};
    const char *parts[] = {"rise", "rise", "finite", "finite", "too long"};
    for (size_t i = 0; i < 5; ++i) {
        axis = (hq_axis){.kind = HQ_AXIS_VARIABLE, .bins = 2, .low = wrong[i][0], .high = wrong[i][2]};
        axis.edges = wrong[i];
        assert_fault(axis, parts[i]);
    }
    axis = variable();
    axis.high = 99;
    assert_fault(axis, "outer edges");
    assert_fault(integer(0.5, 2.5), "whole numbers");
    assert_fault(integer(0, 2147483648.0), "whole numbers");
    axis = integer(0, 5);
    axis.bins = 4;
    assert_fault(axis, "upper end");
    int64_t twice[] = {1, 2, 1}, large[] = {1, INT64_C(1) << 31, 2};
    axis = ints();
    axis.ints = twice;
    assert_fault(axis, "twice");
    axis.ints = large;
    assert_fault(axis, "32 bits");
    char *same[] = {muon, electron, muon};
    axis = texts();
    axis.texts = same;
    assert_fault(axis, "twice");
    axis.bins = HQ_MAX_CATEGORIES + 1;
    assert_fault(axis, "4096");
    axis = boolean();
    axis.bins = 3;
    assert_fault(axis, "two bins");
    axis.kind = HQ_AXIS_KIND_COUNT;
    assert_fault(axis, "unknown");
}

static void copies_are_equal_and_share_nothing(void **state)
{
    (void)state;
    hq_axis axes[] = {regular(5, 1, 2, 0),
                      regular(5, 1, 2, HQ_TRANSFORM_LOG),
                      regular(5, 1, 2, HQ_TRANSFORM_SQRT),
                      variable(),
                      integer(1, 6),
                      ints(),
                      texts(),
                      boolean()};
    enum { COUNT = sizeof axes / sizeof *axes };
    for (size_t i = 0; i < COUNT; ++i) {
        hq_axis copy = axis_copy(&axes[i]);
        for (size_t j = 0; j < COUNT; ++j)
            assert_int_equal(axis_is_equal(&copy, &axes[j]), i == j);
        assert_ptr_not_equal(copy.name, axes[i].name);
        if (copy.edges)
            copy.edges[1] = 0.25;
        else if (copy.ints)
            copy.ints[2] = 101;
        else if (copy.texts)
            copy.texts[1][0] = 'f';
        else
            copy.bins += 1;
        assert_false(axis_is_equal(&copy, &axes[i]));
        axis_clear(&copy);
        assert_null(copy.name);
        axis_clear(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_laid_out_as_in_boost_histogram),
        cmocka_unit_test(variable_bin_begins_at_its_edge),
        cmocka_unit_test(transformed_bins_are_equal_parts_of_the_transform),
        cmocka_unit_test(transformed_edges_enclose_their_bins),
        cmocka_unit_test(integers_have_a_bin_each),
        cmocka_unit_test(categories_are_found_or_overflow),
        cmocka_unit_test(what_is_no_axis_is_told),
        cmocka_unit_test(copies_are_equal_and_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
