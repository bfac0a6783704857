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

/* A body for h with Regular(10, 0, 10) over the table of muons, and its bins with flow. */
typedef struct example {
    const char *body, *bins;
} example;

static void check_all(const test_table *muons, const example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_bins(muons, examples[i].body, examples[i].bins);
}

#define CHECK_ALL(state, examples) check_all(*(state), (examples), sizeof(examples) / sizeof *(examples))

static void sequences(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(len(event.Muon))", "0 1 1 1 1 0 0 0 0 0 0 0"},
        {"h.fill(len(event.hit))", "0 1 1 1 1 0 0 0 0 0 0 0"},
        {"for m in event.Muon:\n    h.fill(m.pt / 10)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for x in event.hit:\n    h.fill(x)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for x in event[\"hit\"]:\n    h.fill(x)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for x in event.Muon_pt:\n    h.fill(x / 10)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for i, m in enumerate(event.Muon):\n    h.fill(i)", "0 3 2 1 0 0 0 0 0 0 0 0"},
        {"for i, x in enumerate(event.hit, 5):\n    h.fill(i)", "0 0 0 0 0 0 3 2 1 0 0 0"},
        {"for i, x in enumerate(event.hit, start=1):\n    h.fill(i)", "0 0 3 2 1 0 0 0 0 0 0 0"},
        {"for i in range(len(event.Muon)):\n    h.fill(event.Muon[i].pt / 10)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"if len(event.Muon) > 1:\n    h.fill(event.Muon[-1].pt / 10)", "0 0 0 0 1 0 0 1 0 0 0 0"},
        {"if len(event.hit) > 0:\n    h.fill(event.hit[0])\n    h.fill(event.hit[-1])", "0 0 1 0 1 2 1 1 0 0 0 0"},
        {"muons = event.Muon\nif len(muons) >= 2:\n    m = muons[1]\n    h.fill(m.pt / 10)", "0 0 0 0 1 0 1 0 0 0 0 0"},
        {"if event.Muon:\n    h.fill(1)", "0 0 3 0 0 0 0 0 0 0 0 0"},
        {"if not event.Muon:\n    h.fill(1)", "0 0 1 0 0 0 0 0 0 0 0 0"},
        {"if event.Muon and event.hit and 2: h.fill(1)", "0 0 2 0 0 0 0 0 0 0 0 0"},
        {"if not (event.Muon or event.hit): h.fill(1)\nelse: h.fill(2)", "0 0 0 4 0 0 0 0 0 0 0 0"},
        {"h.fill(bool(event.Muon))", "0 1 3 0 0 0 0 0 0 0 0 0"},
        /* the loop's sequence is what it was when the loop began */
        {"s = event.hit\nfor i, x in enumerate(s):\n    s = s[1:]\n    h.fill(i)", "0 3 2 1 0 0 0 0 0 0 0 0"},
        {"for i in range(3):\n    h.fill(i)\n    i = 9", "0 4 4 4 0 0 0 0 0 0 0 0"},
        {"s = event.Muon[:1] if event.flag else event.Muon\nh.fill(len(s))", "0 1 2 1 0 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

/* Every start and stop from -4 to 4 against Python's rule: the number of elements and the first of them. */
static void slices_of_every_sign(void **state)
{
    for (int start = -4; start <= 4; start++)
        for (int stop = -4; stop <= 4; stop++)
            for (int is_variable = 0; is_variable < 2; is_variable++) {
                int64_t bins[12] = {0};
                for (int length = 0; length < 4; length++) {
                    int low = start < 0 ? start + length : start;
                    int high = stop < 0 ? stop + length : stop;
                    low = low < 0 ? 0 : low > length ? length : low;
                    high = high < 0 ? 0 : high > length ? length : high;
                    bins[1 + (high > low ? high - low : 0)]++;
                    if (high > low)
                        bins[1 + 5 + low]++;
                }
                char body[512];
                if (is_variable)
                    snprintf(body, sizeof body,
                             "a = event.run - event.run + %d\nb = event.run - event.run + %d\ns = event.Muon[a:b]\n"
                             "h.fill(len(s))\nif len(s) > 0:\n    for i in range(len(event.Muon)):\n"
                             "        if event.Muon[i].pt == s[0].pt:\n            h.fill(5 + i)",
                             start, stop);
                else
                    snprintf(body, sizeof body,
                             "s = event.Muon[%d:%d]\nh.fill(len(s))\nif len(s) > 0:\n"
                             "    for i in range(len(event.Muon)):\n"
                             "        if event.Muon[i].pt == s[0].pt:\n            h.fill(5 + i)",
                             start, stop);
                char wanted[256];
                size_t used = 0;
                for (size_t i = 0; i < 12; i++)
                    used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%lld", i ? " " : "",
                                             (long long)bins[i]);
                assert_bins(*state, body, wanted);
            }
}

static void slices_of_slices(void **state)
{
    static const example EXAMPLES[] = {
        {"for m in event.Muon[1:][1:]:\n    h.fill(m.pt / 10)", "0 0 0 0 0 0 0 1 0 0 0 0"},
        {"for m in event.Muon[:-1][-1:]:\n    h.fill(m.pt / 10)", "0 0 0 1 0 0 1 0 0 0 0 0"},
        {"for m in event.Muon[:]:\n    h.fill(m.pt / 10)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for m in event.Muon[::1]:\n    h.fill(m.pt / 10)", "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for m in event.Muon[-9223372036854775808:9223372036854775807]:\n    h.fill(m.pt / 10)",
         "0 0 1 1 1 1 1 1 0 0 0 0"},
        {"for x in event.hit[1:3]:\n    h.fill(x)", "0 0 0 1 1 0 0 1 0 0 0 0"},
        {"for i, x in enumerate(event.hit[1:]):\n    h.fill(i)", "0 2 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(len(event.hit[2:1]))", "0 4 0 0 0 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void control(void **state)
{
    static const example EXAMPLES[] = {
        {"if event.run == 1:\n    h.fill(1)\nelif event.run == 2:\n    h.fill(2)\nelif event.run == 3:\n    h.fill(3)\n"
         "else:\n    h.fill(9)",
         "0 0 1 1 1 0 0 0 0 0 1 0"},
        {"if event.run < 3: continue\nh.fill(event.run)", "0 0 0 0 1 1 0 0 0 0 0 0"},
        {"for x in event.hit:\n    if x > 3: break\n    h.fill(x)", "0 0 1 1 0 0 0 0 0 0 0 0"},
        {"for x in event.hit:\n    if x < 3: continue\n    h.fill(x)", "0 0 0 0 1 1 1 1 0 0 0 0"},
        {"for i in range(3):\n    for j in range(3):\n        if j == i: break\n        h.fill(j)",
         "0 8 4 0 0 0 0 0 0 0 0 0"},
        {"for i in range(3):\n    for j in range(3):\n        if j == i: continue\n        h.fill(j)",
         "0 8 8 8 0 0 0 0 0 0 0 0"},
        {"i = 0\nwhile i < event.run:\n    h.fill(i)\n    i += 1", "0 4 3 2 1 0 0 0 0 0 0 0"},
        {"i = 0\nwhile True:\n    i += 1\n    if i == 2: continue\n    if i > event.run: break\n    h.fill(i)",
         "0 0 4 0 2 1 0 0 0 0 0 0"},
        {"for x in event.hit:\n    if x > 3: break\nelse:\n    h.fill(0)\nh.fill(5)", "0 1 0 0 0 0 4 0 0 0 0 0"},
        {"i = 0\nwhile i < event.run:\n    if i == 2: break\n    i += 1\nelse:\n    h.fill(i)",
         "0 0 1 1 0 0 0 0 0 0 0 0"},
        {"for i in range(2, 9, 3): h.fill(i)", "0 0 0 4 0 0 4 0 0 4 0 0"},
        {"for i in range(9, 2, -3): h.fill(i)", "0 0 0 0 4 0 0 4 0 0 4 0"},
        {"for i in range(5, 1): h.fill(i)", "0 0 0 0 0 0 0 0 0 0 0 0"},
        {"for i in range(1, 5, -1): h.fill(i)", "0 0 0 0 0 0 0 0 0 0 0 0"},
        {"for i in range(event.run, 0, -event.run): h.fill(i)", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"for i in range(9223372036854775800, 9223372036854775807, 5): h.fill(i - 9223372036854775800)",
         "0 4 0 0 0 0 4 0 0 0 0 0"},
        {"for i in range(-9223372036854775808, 9223372036854775807, 9223372036854775807): h.fill(2)",
         "0 0 0 12 0 0 0 0 0 0 0 0"},
        {"r = range(2)\nfor i in r:\n    for j in r: h.fill(i + j)", "0 4 8 4 0 0 0 0 0 0 0 0"},
        {"while True:\n    x = event.run\n    break\nh.fill(x)", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"if event.flag:\n    x = 1\nelse:\n    continue\nh.fill(x)", "0 0 2 0 0 0 0 0 0 0 0 0"},
        {"a, b = 1, 2\na, b = b, a\nh.fill(a)\nh.fill(b + 3)", "0 0 0 4 0 4 0 0 0 0 0 0"},
        {"a = b = event.run\na += 4\nh.fill(b)\nh.fill(a)", "0 0 1 1 1 1 1 1 1 1 0 0"},
        {"\"a string stands here and does nothing\"\npass; h.fill(1); h.fill(2)", "0 0 4 4 0 0 0 0 0 0 0 0"},
        {"h.fill(1) ; continue\nh.fill(2)", "0 0 4 0 0 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void ints(void **state)
{
    /* value + 5 is filled, so that -5 … 4 fall into the ten bins; each event gives the same */
    static const struct {
        const char *expression;
        int value;
    } EXAMPLES[] = {
        {"7 // 2", 3},
        {"-7 // 2", -4},
        {"7 // -2", -4},
        {"-7 // -2", 3},
        {"7 % 3", 1},
        {"-7 % 3", 2},
        {"7 % -3", -2},
        {"-7 % -3", -1},
        {"1 // 0", 0},
        {"1 % 0", 0},
        {"6 & 3", 2},
        {"6 | 1", 7},
        {"6 ^ 3", 5},
        {"~2", -3},
        {"1 << 2", 4},
        {"-8 >> 1", -4},
        {"1 >> 99", 0},
        {"-1 >> 99", -1},
        {"2 ** 2", 4},
        {"(-2) ** 1", -2},
        {"0 ** 0", 1},
        {"-2 ** 2", -4},
        {"True + True", 2},
        {"-True", -1},
        {"~True", -2},
        {"True & False", 0},
        {"True ^ True", 0},
        {"True | 2", 3},
        {"3 and 2", 2},
        {"0 and 2", 0},
        {"3 or 2", 3},
        {"0 or 2", 2},
        {"0 or False", 0},
        {"not 3", 0},
        {"not 0", 1},
        {"abs(-3)", 3},
        {"min(3, 1, 2)", 1},
        {"max(3, 1, 2)", 3},
        {"round(2.5)", 2},
        {"round(3.5)", 4},
        {"round(-0.5)", 0},
        {"int(2.9)", 2},
        {"int(-2.9)", -2},
        {"int(True)", 1},
        {"math.floor(-1.5)", -2},
        {"math.ceil(-1.5)", -1},
        {"math.trunc(-1.5)", -1},
        {"floor(3)", 3},
        {"1 if 2 > 1 else 3", 1},
        {"1 < 2 < 3", 1},
        {"1 < 3 < 2", 0},
        {"1 == 1.0", 1},
        {"True == 1", 1},
        {"0x10 - 0b11 - 0o12", 3},
        {"1_0 - 7", 3},
        {"pow(2, 2)", 4},
        {"int(1e300) // 2 ** 61", 3},
        {"int(math.nan)", 0},
        {"int(-1e300) // 2 ** 61", -4},
    };
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++)
        for (int is_variable = 0; is_variable < 2; is_variable++) {
            char body[512];
            char wanted[128] = "";
            int value = EXAMPLES[i].value;
            /* Once folded; once with every small number taken from a column, so that machine code computes it. */
            if (is_variable) {
                char text[256];
                size_t used = 0;
                for (const char *at = EXAMPLES[i].expression; *at && used < 200; at++) {
                    bool stands_alone = *at >= '0' && *at <= '9' &&
                                        (at == EXAMPLES[i].expression || strchr(" (-~", at[-1])) &&
                                        (!at[1] || strchr(" ),", at[1]));
                    used += (size_t)(stands_alone ? snprintf(text + used, sizeof text - used, "(zero + %c)", *at)
                                                  : snprintf(text + used, sizeof text - used, "%c", *at));
                }
                snprintf(body, sizeof body, "zero = event.run - event.run\nh.fill((%s) + 5%s)", text,
                         value > 4 ? " - 5" : "");
            } else {
                snprintf(body, sizeof body, "h.fill((%s) + 5%s)", EXAMPLES[i].expression, value > 4 ? " - 5" : "");
            }
            int bin = 1 + value + (value > 4 ? 0 : 5);
            size_t used = 0;
            for (int j = 0; j < 12; j++)
                used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%d", j ? " " : "", j == bin ? 4 : 0);
            assert_bins(*state, body, wanted);
        }
}

static void floats(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(7.5 // 2)", "0 0 0 0 4 0 0 0 0 0 0 0"},
        {"h.fill(5 + event.x // 2)", "0 0 0 0 0 1 1 1 0 1 0 0"},
        {"h.fill(event.x % 2)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(3 + event.x % -2)", "0 0 2 1 1 0 0 0 0 0 0 0"},
        {"h.fill(event.run / 2)", "0 1 2 1 0 0 0 0 0 0 0 0"},
        {"h.fill(event.run / 0)", "0 0 0 0 0 0 0 0 0 0 0 4"},
        {"h.fill(-event.run / 0)", "4 0 0 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.x / 0.0)", "1 0 0 0 0 0 0 0 0 0 0 3"},
        {"h.fill(event.x // 0.0)", "1 0 0 0 0 0 0 0 0 0 0 3"},
        {"h.fill(sqrt(event.x))", "0 1 1 1 0 0 0 0 0 0 0 1"},
        {"h.fill(event.x ** 0.5)", "0 1 1 1 0 0 0 0 0 0 0 1"},
        {"h.fill(event.run ** -1 * 4)", "0 0 2 1 0 1 0 0 0 0 0 0"},
        {"h.fill(math.isnan(sqrt(event.x)))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(math.isinf(event.x / 0.0) + 2 * math.isfinite(event.x))", "0 0 0 1 3 0 0 0 0 0 0 0"},
        {"h.fill(math.log(8, 2) + 0.5)", "0 0 0 0 4 0 0 0 0 0 0 0"},
        {"h.fill(math.hypot(3, 4) + 0.5)", "0 0 0 0 0 0 4 0 0 0 0 0"},
        {"h.fill(math.hypot(1, 2, 2) + 0.5)", "0 0 0 0 4 0 0 0 0 0 0 0"},
        {"h.fill(math.copysign(3, -event.x) + 5)", "0 0 0 3 0 0 0 0 0 1 0 0"},
        {"h.fill(math.degrees(math.pi) / 20)", "0 0 0 0 0 0 0 0 0 0 4 0"},
        {"h.fill(min(event.x, 2) + 2)", "0 1 0 1 0 2 0 0 0 0 0 0"},
        {"h.fill(max(math.nan, event.run))", "0 0 0 0 0 0 0 0 0 0 0 4"},
        {"h.fill(max(event.run, math.nan))", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(float(event.run))", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(float('-inf'))", "4 0 0 0 0 0 0 0 0 0 0 0"},
        {"h.fill(floor(event.x) + 2)", "0 1 0 1 0 1 0 0 0 0 1 0"},
        {"h.fill(math.nan == math.nan)", "0 4 0 0 0 0 0 0 0 0 0 0"},
        {"h.fill(math.nan != math.nan)", "0 0 4 0 0 0 0 0 0 0 0 0"},
        {"h.fill(1 if math.nan else 0)", "0 0 4 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.MET_pt ** 2 / 200)", "0 1 1 0 1 0 0 1 0 0 0 0"},
        {"h.fill(abs(event.x))", "0 1 1 1 0 0 0 0 1 0 0 0"},
        {"h.fill(round(event.x) + 2)", "0 1 0 1 0 1 0 0 0 0 1 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void columns_of_every_type(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(event.tiny // 64 + 2)", "0 1 1 1 1 0 0 0 0 0 0 0"},
        {"h.fill(event.byte // 50)", "0 2 0 0 0 1 1 0 0 0 0 0"},
        {"h.fill(event.short // 16384 + 2)", "0 1 1 1 1 0 0 0 0 0 0 0"},
        {"h.fill(event.ushort // 16384)", "0 3 0 0 1 0 0 0 0 0 0 0"},
        {"h.fill(event.uint // 1073741824)", "0 3 0 0 1 0 0 0 0 0 0 0"},
        {"h.fill(event.big % 10)", "0 0 0 1 1 0 0 0 2 0 0 0"},
        {"h.fill(event.flag)", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.x)", "1 1 0 1 0 0 0 0 1 0 0 0"},
        {"h.fill(event['weird.name/x'])", "1 1 0 1 0 0 0 0 1 0 0 0"},
        {"h.fill(event.MET_pt / 5)", "0 0 1 0 1 0 1 0 1 0 0 0"},
        /* uint64 is int64's bits */
        {"h.fill(event.huge == -1)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.huge < 0)", "0 2 2 0 0 0 0 0 0 0 0 0"},
        /* int64 wraps */
        {"h.fill(event.big + 1 == -9223372036854775808)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(-event.big == event.big)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.big // -1 == event.big)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.big % -1)", "0 4 0 0 0 0 0 0 0 0 0 0"},
        {"for m in event.Muon:\n    h.fill(m.tight + 2 * (m.charge > 0))", "0 0 2 2 2 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void variables_widen(void **state)
{
    static const example EXAMPLES[] = {
        {"s = 0\nfor x in event.hit:\n    s += x\nh.fill(s / 2)", "0 1 0 1 1 0 0 1 0 0 0 0"},
        {"x = 1\nif event.flag:\n    x = 2.5\nh.fill(x)", "0 0 2 2 0 0 0 0 0 0 0 0"},
        {"x = True\nif event.flag:\n    x = 7\nh.fill(x)", "0 0 2 0 0 0 0 0 2 0 0 0"},
        {"a = 0\nb = 0\nc = 0\nfor i in range(3):\n    a = b\n    b = c\n    c = 1.5\nh.fill(a + b + c)",
         "0 0 0 0 0 4 0 0 0 0 0 0"},
        {"n = 0\nfor m in event.Muon:\n    n += m.tight\nh.fill(n)", "0 1 2 1 0 0 0 0 0 0 0 0"},
        {"x = 7\nx /= 2\nh.fill(x)\nx //= 1\nh.fill(x + 1)", "0 0 0 0 4 4 0 0 0 0 0 0"},
        {"n = 1\nn <<= 3\nn |= 1\nn &= ~8\nn ^= 4\nh.fill(n)", "0 0 0 0 0 0 4 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void conditions_are_lazy(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(len(event.Muon) > 0 and event.Muon[0].pt > 15)", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {"h.fill(len(event.Muon) == 0 or event.Muon[0].pt > 15)", "0 1 3 0 0 0 0 0 0 0 0 0"},
        {"h.fill(event.Muon[0].pt / 10 if event.Muon else 9)", "0 0 1 1 0 1 0 0 0 0 1 0"},
        {"h.fill(1 < len(event.hit) < event.hit[1] < 3)", "0 4 0 0 0 0 0 0 0 0 0 0"},
        {"h.fill(1 <= event.run - 1 < event.hit[0] + 9 if event.hit else 5)", "0 1 2 0 0 0 1 0 0 0 0 0"},
        {"h.fill((len(event.hit) and event.hit[0]) or 7)", "0 0 1 0 0 1 1 0 1 0 0 0"},
        {"if len(event.hit) > 2 and event.hit[2] > 1 and (event.hit[1] > 2 or event.hit[99] > 0): h.fill(3)",
         "0 0 0 0 1 0 0 0 0 0 0 0"},
        {"i = 0\nwhile i < len(event.hit) and event.hit[i] < 6: i += 1\nh.fill(i)", "0 1 2 0 1 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void bins_at_the_edges(void **state)
{
    (void)state;
    static const double VALUES[] = {0,
                                    0.1,
                                    0.3,
                                    0.7,
                                    0.9,
                                    1,
                                    -0.0,
                                    0.29999999999999999,
                                    0.99999999999999989,
                                    -1e-300,
                                    1e300,
                                    -1e300,
                                    5e-324,
                                    INFINITY,
                                    -INFINITY,
                                    NAN,
                                    0.6,
                                    0.1 + 0.2};
    enum { COUNT = sizeof VALUES / sizeof *VALUES };
    static const struct {
        const char *text;
        uint32_t bins;
        double low, high;
    } AXES[] = {{"axis.Regular(10, 0, 1)", 10, 0, 1},
                {"axis.Regular(3, 0.1, 0.7)", 3, 0.1, 0.7},
                {"axis.Regular(1, -1e-300, 1e300)", 1, -1e-300, 1e300},
                {"axis.Regular(49, 0, 1)", 49, 0, 1},
                {"axis.Regular(67108862, 0, 0.3)", 67108862, 0, 0.3}};
    test_table *values = table_new(COUNT);
    table_flat(values, "x", HQ_FLOAT64, VALUES);
    for (size_t i = 0; i < sizeof AXES / sizeof *AXES; i++) {
        char *text = query_with(AXES[i].text, "h.fill(event.x)");
        hq_program *program = must_parse(text, values->schema);
        hq_code *code = must_compile(program);
        hq_histset *hists = program_new_hists(program);
        hq_run run = {0};
        hq_reason reason = {""};
        hq_axis axis = {
            .name = (char *)"", .label = (char *)"", .bins = AXES[i].bins, .low = AXES[i].low, .high = AXES[i].high};
        assert_int_equal(run_over(code, program, values, &run, hists, &reason), HQ_OK);
        int64_t *bins = hist_bins(hists->hists[0]);
        for (size_t j = 0; j < COUNT; j++)
            bins[axis_index(&axis, VALUES[j])]--;
        for (size_t j = 0; j < hist_size(hists->hists[0]); j++)
            assert_int_equal(bins[j], 0);
        histset_free(&hists);
        code_free(&code);
        program_free(&program);
        free(text);
    }
    table_free(&values);
}

static void fills(void **state)
{
    char *text;
    text = query_with("axis.Regular(2, 0, 4, name='x')", "h.fill(event.run, weight=event.x)");
    assert_outcome(*state, text, "0/0 -1.5/2.25 2.5/6.25 7.25/52.5625");
    free(text);
    text = query_with("axis.Regular(2, 0, 4, name='x')", "h.fill(x=event.run)\nh.fill(1, weight=2)");
    assert_outcome(*state, text, "0/0 9/17 2/2 1/1");
    free(text);
    text = query_with("axis.Regular(2, 0, 4), storage='weight'", "h.fill(event.run)");
    assert_outcome(*state, text, "0/0 1/1 2/2 1/1");
    free(text);
    text = query_with("axis.Regular(1, 0, 3, name='a'), axis.Regular(2, 0, 4, name='b')",
                      "h.fill(event.run, b=event.x)");
    assert_outcome(*state, text, "0 0 0 0 1 1 0 0 0 0 1 1");
    free(text);
    text = query_with("axis.Regular(1, 0, 1), axis.Regular(1, 0, 1), axis.Regular(1, 0, 1), axis.Regular(1, 0, 1)",
                      "h.fill(0, -1, 2, math.nan)");
    hq_program *program = must_parse(text, ((test_table *)*state)->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(code, program, *state, &run, hists, &reason), HQ_OK);
    assert_int_equal(((int64_t *)hist_bins(hists->hists[0]))[((1 * 3 + 0) * 3 + 2) * 3 + 2], 4);
    assert_int_equal(hist_entries(hists->hists[0]), 4);
    histset_free(&hists);
    code_free(&code);
    program_free(&program);
    free(text);
}

static void fills_of_a_weighted_histogram_are_counted(void **state)
{
    hq_program *program = must_parse("import hist as H\na = H.Hist(H.axis.Regular(1, 0, 1))\n"
                                     "b = H.Hist(H.axis.Regular(1, 0, 1))\nW = 2\nfor e in events:\n"
                                     "  for m in e.Muon:\n    a.fill(m.pt, weight=W / 4)\n  b.fill(0)\n",
                                     ((test_table *)*state)->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(code, program, *state, &run, hists, &reason), HQ_OK);
    assert_int_equal(hist_storage(hists->hists[0]), HQ_WEIGHTED);
    assert_int_equal(hist_storage(hists->hists[1]), HQ_COUNT);
    assert_int_equal(hist_entries(hists->hists[0]), 6);
    assert_int_equal(hist_entries(hists->hists[1]), 4);
    assert_string_equal(hist_name(hists->hists[1]), "b");
    histset_free(&hists);
    code_free(&code);
    program_free(&program);
}

/* Without a call where that cannot be told from pow, which CPython calls. */
static void squares_are_those_of_pow(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    double *values = hq_calloc(COUNT, sizeof *values), *twos = hq_calloc(COUNT, sizeof *twos);
    static const double SPECIAL[] = {0,      -0.0,     1,         1e154,  1.4e154,
                                     -1e160, 1e308,    1e-154,    1e-160, 1e-300,
                                     5e-324, INFINITY, -INFINITY, NAN,    0x1.6a09e667f3bcdp0};
    srand48(11);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = ldexp(drand48() - 0.5, (int)(lrand48() % 40) - 20);
        twos[i] = 2;
    }
    memcpy(values, SPECIAL, sizeof SPECIAL);
    test_table *table = table_new(COUNT);
    table_flat(table, "x", HQ_FLOAT64, values);
    table_flat(table, "two", HQ_FLOAT64, twos);
    static const char TEXT[] = "from hist import Hist, axis\nh = Hist(axis.Integer(0, 2))\nfor event in events:\n"
                               "    one = event.x ** 2\n    other = event.x ** event.two\n"
                               "    h.fill(1 if one == other or (one != one and other != other) else 0)\n";
    char *wanted = hq_format("0 0 %d 0", (int)COUNT);
    assert_outcome(table, TEXT, wanted);
    free(wanted);
    table_free(&table);
    free(values);
    free(twos);
}

enum { SHORTCUT_VALUES = 200000 };

static test_table *table_of_pairs(const double *x, const double *y, double constant)
{
    double *constants = hq_calloc(SHORTCUT_VALUES, sizeof *constants);
    for (size_t i = 0; i < SHORTCUT_VALUES; i++)
        constants[i] = constant;
    test_table *table = table_new(SHORTCUT_VALUES);
    table_flat(table, "x", HQ_FLOAT64, x);
    table_flat(table, "y", HQ_FLOAT64, y);
    table_flat(table, "c", HQ_FLOAT64, constants);
    free(constants);
    return table;
}

/* A comparison with a constant takes no root, one with a column does. */
static void distances_are_compared_as_their_roots(void **state)
{
    (void)state;
    static double x[SHORTCUT_VALUES], y[SHORTCUT_VALUES];
    srand48(13);
    for (size_t i = 0; i < SHORTCUT_VALUES; i++) {
        double near = 0.4; /* half of the values lie within a few last places of the border */
        for (long steps = lrand48() % 8; steps > 0; steps--)
            near = nextafter(near, i % 4 ? 0 : 1);
        double angle = drand48();
        x[i] = i % 2 ? near * cos(angle) : drand48();
        y[i] = i % 2 ? near * sin(angle) : i % 5 == 0 ? 0 : drand48();
        x[i] = i % 1000 == 0 ? (double)NAN : x[i];
    }
    test_table *table = table_of_pairs(x, y, 0.4);
    static const char *const COMPARISONS[] = {"<", "<=", ">", ">="};
    for (size_t i = 0; i < sizeof COMPARISONS / sizeof *COMPARISONS; i++) {
        char *text = hq_format("from math import sqrt\nfrom hist import Hist, axis\nh = Hist(axis.Integer(0, 2))\n"
                               "for event in events:\n    one = sqrt(event.x * event.x + event.y ** 2) %s 0.4\n"
                               "    other = sqrt(event.x * event.x + event.y ** 2) %s event.c\n"
                               "    h.fill(1 if one == other else 0)\n",
                               COMPARISONS[i], COMPARISONS[i]);
        assert_outcome(table, text, "0 0 200000 0");
        free(text);
    }
    table_free(&table);
}

/* A difference of angles takes no division by a whole turn; one by a column does. */
static void angles_are_wrapped_as_written(void **state)
{
    (void)state;
    static double x[SHORTCUT_VALUES], y[SHORTCUT_VALUES];
    static const double SPECIAL[] = {0,        -0.0,      M_PI,     -M_PI,    2 * M_PI,  -2 * M_PI,
                                     3 * M_PI, -3 * M_PI, 4 * M_PI, INFINITY, -INFINITY, NAN,
                                     1e300,    5e-324,    -5e-324,  100,      -100};
    enum { SPECIALS = sizeof SPECIAL / sizeof *SPECIAL };
    srand48(17);
    for (size_t i = 0; i < SHORTCUT_VALUES; i++) {
        x[i] = i % 3 ? (drand48() - 0.5) * 4 * M_PI : SPECIAL[lrand48() % SPECIALS];
        for (long steps = lrand48() % 3; steps > 0; steps--)
            x[i] = nextafter(x[i], i % 2 ? 0 : 10);
        y[i] = i % 2 ? (drand48() - 0.5) * 2 * M_PI : 0;
    }
    test_table *table = table_of_pairs(x, y, 2 * M_PI);
    assert_outcome(table,
                   "import math\nfrom hq import delta_phi\nfrom hist import Hist, axis\nh = Hist(axis.Integer(0, 2))\n"
                   "def floor(x): return x // 1.0\n"
                   "for event in events:\n    for n in range(1):\n        d = event.x - event.y\n"
                   "        one = delta_phi(event.x, event.y)\n"
                   "        other = d - event.c * floor((d + math.pi) / event.c)\n"
                   "        h.fill(1 if one == other or (one != one and other != other) else 0)\n",
                   "0 0 200000 0");
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dimuon_query_equals_the_loop_in_c),
        cmocka_unit_test(sequences),
        cmocka_unit_test(slices_of_every_sign),
        cmocka_unit_test(slices_of_slices),
        cmocka_unit_test(control),
        cmocka_unit_test(ints),
        cmocka_unit_test(floats),
        cmocka_unit_test(columns_of_every_type),
        cmocka_unit_test(variables_widen),
        cmocka_unit_test(conditions_are_lazy),
        cmocka_unit_test(bins_at_the_edges),
        cmocka_unit_test(fills),
        cmocka_unit_test(fills_of_a_weighted_histogram_are_counted),
        cmocka_unit_test(squares_are_those_of_pow),
        cmocka_unit_test(distances_are_compared_as_their_roots),
        cmocka_unit_test(angles_are_wrapped_as_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
