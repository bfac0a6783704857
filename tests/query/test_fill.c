/* Machine code fills every kind of axis and storage as hist_fill_sample does, bit for bit. */
#include <math.h>

#include "tests/query/fixture.h"

enum { COUNT = 400 };

/* Numbers that lie on edges, beside them, far away, and that are none. */
static void values_at(double *x)
{
    static const double SPECIAL[] = {NAN,  INFINITY, -INFINITY, 0.0,   -0.0, 1e300, -1e300, 5e-324,
                                     -2.5, 2.5,      1e18,      -1e18, 0.5,  -0.5,  1e-9,   -1e-9};
    enum { SPECIAL_COUNT = sizeof SPECIAL / sizeof *SPECIAL };
    for (int i = 0; i < COUNT; i++) {
        double edge = (i - 100) / 8.0;
        x[i] = i < SPECIAL_COUNT ? SPECIAL[i]
               : i % 3 == 0      ? edge
               : i % 3 == 1      ? nextafter(edge, INFINITY)
                                 : nextafter(edge, -INFINITY);
    }
}

static test_table *table_of_values(void)
{
    double x[COUNT], weight[COUNT], sample[COUNT];
    int64_t whole[COUNT];
    values_at(x);
    for (int i = 0; i < COUNT; i++) {
        whole[i] = i % 13 - 4;
        weight[i] = i % 7 == 0 ? 0 : (i % 11 - 3) / 4.0 + 0.1;
        sample[i] = sin(i) * 10;
    }
    test_table *table = table_new(COUNT);
    table_flat(table, "x", HQ_FLOAT64, x);
    table_flat(table, "whole", HQ_INT64, whole);
    table_flat(table, "w", HQ_FLOAT64, weight);
    table_flat(table, "s", HQ_FLOAT64, sample);
    return table;
}

/* Runs a query that fills h with x, and perhaps a weight and a sample, and compares with filling by hand. */
static void assert_filled(const test_table *table, const char *axis, const char *column, const char *storage,
                          bool has_weight, bool has_sample)
{
    char *text = hq_format("from hist import Hist, axis, storage\nh = Hist(%s%s)\nfor event in events:\n"
                           "    h.fill(event.%s%s%s)\n",
                           axis, storage, column, has_weight ? ", weight=event.w" : "",
                           has_sample ? ", sample=event.s" : "");
    hq_program *program = must_parse(text, table->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_histset *wanted = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(code, program, table, &run, hists, &reason), HQ_OK);
    const hq_column *x = table->columns[schema_find(table->schema, column) - table->schema->fields];
    const double *weights = table->columns[2]->values;
    const double *samples = table->columns[3]->values;
    for (int i = 0; i < COUNT; i++) {
        double value = x->type == HQ_INT64 ? (double)((const int64_t *)x->values)[i] : ((const double *)x->values)[i];
        hist_fill_sample(wanted->hists[0], &value, has_weight ? weights[i] : 1, has_sample ? samples[i] : 0);
    }
    if (!histset_is_equal(hists, wanted))
        fail_msg("%s", text);
    histset_free(&hists);
    histset_free(&wanted);
    code_free(&code);
    program_free(&program);
    free(text);
}

static void every_axis(void **state)
{
    static const char *const AXES[] = {
        "axis.Regular(10, -5, 5)",
        "axis.Regular(7, 0.125, 30, transform=axis.transform.log)",
        "axis.Regular(9, 0, 25, transform=axis.transform.sqrt)",
        "axis.Variable([-3, -1.5, 0, 0.125, 7, 12.5])",
        "axis.Variable([-9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, "
        "17, 18, 19, 20, 21, 22, 23, 24, 25.5])",
        "axis.Integer(-3, 9)",
        "axis.Integer(5, 6)",
        "axis.IntCategory([4, -2, 7])",
        "axis.IntCategory([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
        "25, "
        "26, 27, 28, 29, 30, 31, 32, -1])",
        "axis.Boolean()",
    };
    for (size_t i = 0; i < sizeof AXES / sizeof *AXES; i++) {
        assert_filled(*state, AXES[i], "x", "", false, false);
        assert_filled(*state, AXES[i], "whole", "", false, false);
        assert_filled(*state, AXES[i], "x", "", true, false);
    }
}

static void every_storage(void **state)
{
    static const char AXIS[] = "axis.Variable([-10, 0, 10, 20])";
    assert_filled(*state, AXIS, "x", ", storage=storage.Int64()", false, false);
    assert_filled(*state, AXIS, "x", ", storage=storage.Double()", true, false);
    assert_filled(*state, AXIS, "x", ", storage=storage.Weight()", false, false);
    assert_filled(*state, AXIS, "x", ", storage=\"weight\"", true, false);
    assert_filled(*state, AXIS, "x", ", storage=storage.Mean()", false, true);
    assert_filled(*state, AXIS, "x", ", storage=\"Mean\"", true, true);
    assert_filled(*state, AXIS, "x", ", storage=storage.WeightedMean()", false, true);
    assert_filled(*state, AXIS, "x", ", storage=\"weightedmean\"", true, true);
}

static void categories_by_name(void **state)
{
    static const char TEXT[] = "from hist import Hist, axis\n"
                               "h = Hist(axis.StrCategory([\"a\", \"ü\", \"c\"]), axis.Boolean(name=\"b\"))\n"
                               "for event in events:\n"
                               "    h.fill(\"a\", event.x > 0)\n"
                               "    h.fill(\"c\", b=True)\n"
                               "    h.fill(\"ü\" if True else \"c\", False)\n"
                               "    h.fill(\"nowhere\", False)\n";
    static const char PLAIN[] = "from hist import Hist, axis\n"
                                "h = Hist(axis.StrCategory([\"a\", \"ü\", \"c\"]), axis.Boolean(name=\"b\"))\n"
                                "for event in events:\n"
                                "    h.fill(\"a\", event.x > 0)\n"
                                "    h.fill(\"c\", b=True)\n"
                                "    h.fill(\"nowhere\", False)\n";
    hq_program *program = NULL;
    hq_complaint complaint;
    const test_table *table = *state;
    assert_int_equal(program_parse(TEXT, strlen(TEXT), table->schema, &program, &complaint), HQ_EQUERY);
    double x[COUNT];
    values_at(x);
    int above = 0;
    for (int i = 0; i < COUNT; i++)
        above += x[i] > 0;
    char *wanted = hq_format("%d %d 0 0 0 %d %d 0", COUNT - above, above, COUNT, COUNT);
    assert_outcome(table, PLAIN, wanted);
    free(wanted);
}

static int setup(void **state)
{
    *state = table_of_values();
    return 0;
}

static int teardown(void **state)
{
    table_free((test_table **)state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_axis),
        cmocka_unit_test(every_storage),
        cmocka_unit_test(categories_by_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
