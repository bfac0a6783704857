/* What queries compute: every construct against histograms worked out by hand. */
#include <math.h>

#include "tests/query/fixture.h"

static int setup(void **state)
{
    *state = table_of_muons();
    return 0;
}

static int teardown(void **state)
{
    table_free((test_table **)state);
    return 0;
}

static void the_dimuon_query_equals_the_loop_in_c(void **state)
{
    const test_table *muons = *state;
    static const char TEXT[] =
        "from hist import Hist, axis\n"
        "from math import sqrt, cosh, cos\n"
        "\n"
        "mass = Hist(axis.Regular(100, 0, 200, name=\"mass\", label=\"dimuon mass [GeV]\"))\n"
        "\n"
        "for event in events:\n"
        "    for i, a in enumerate(event.Muon):\n"
        "        for b in event.Muon[i + 1:]:\n"
        "            if a.charge != b.charge:\n"
        "                mass.fill(sqrt(2 * a.pt * b.pt * (cosh(a.eta - b.eta) - cos(a.phi - b.phi))))\n";
    hq_program *program = must_parse(TEXT, muons->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_histset *wanted = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(code, program, muons, &run, hists, &reason), HQ_OK);

    const hq_column *pt = muons->columns[0];
    const float *pts = pt->values;
    const float *etas = muons->columns[1]->values;
    const float *phis = muons->columns[2]->values;
    const int32_t *charges = muons->columns[3]->values;
    for (uint64_t entry = 0; entry < pt->entries; entry++)
        for (uint32_t a = pt->offsets[entry]; a < pt->offsets[entry + 1]; a++)
            for (uint32_t b = a + 1; b < pt->offsets[entry + 1]; b++)
                if (charges[a] != charges[b]) {
                    double mass = sqrt(2 * (double)pts[a] * pts[b] *
                                       (cosh((double)etas[a] - etas[b]) - cos((double)phis[a] - phis[b])));
                    hist_fill(wanted->hists[0], &mass, 1);
                }
    assert_int_equal(hist_entries(wanted->hists[0]), 3);
    assert_true(histset_is_equal(hists, wanted));
    histset_free(&hists);
    histset_free(&wanted);
    code_free(&code);
    program_free(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dimuon_query_equals_the_loop_in_c),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
