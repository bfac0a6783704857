/* What is computed once for each object of an entry must be what the text asks for at every place. */
#include "tests/query/fixture.h"

enum { ENTRIES = 3000, MOST = 6 };

static test_table *random_table(void)
{
    srand48(3);
    uint32_t counts[2][ENTRIES];
    float values[2][3][ENTRIES * MOST];
    for (size_t i = 0; i < ENTRIES; i++) {
        counts[0][i] = (uint32_t)(lrand48() % (MOST + 1));
        counts[1][i] = (uint32_t)(lrand48() % (MOST + 1));
    }
    for (size_t i = 0; i < ENTRIES * MOST; i++)
        for (size_t c = 0; c < 6; c++)
            values[c / 3][c % 3][i] = (float)(drand48() * 6 - 3);
    test_table *table = table_new(ENTRIES);
    static const char *const NAMES[2][3] = {{"Muon_pt", "Muon_eta", "Muon_phi"}, {"Jet_pt", "Jet_eta", "Jet_phi"}};
    for (size_t c = 0; c < 6; c++)
        table_jagged(table, NAMES[c / 3][c % 3], c / 3 ? "Jet" : "Muon", strchr(NAMES[c / 3][c % 3], '_') + 1,
                     HQ_FLOAT32, counts[c / 3], values[c / 3][c % 3]);
    return table;
}

/* The second text of each pair computes the same where nothing can be kept: from variables that are set twice. */
static void what_is_kept_is_what_is_asked_for(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {"for a in event.Muon:\n    for b in event.Muon:\n        h.fill(cos(a.phi) + cosh(b.eta))",
         "for a in event.Muon:\n    for b in event.Muon:\n        x = a.phi\n        y = b.eta\n"
         "        if x > 99: x = 0.0\n        if y > 99: y = 0.0\n        h.fill(cos(x) + cosh(y))"},
        {"for a in event.Muon:\n    for b in event.Jet:\n        if a.pt > b.pt:\n"
         "            x = a.pt * cos(a.phi)\n            h.fill(x + b.pt * cos(b.phi))",
         "for a in event.Muon:\n    for b in event.Jet:\n        if a.pt > b.pt:\n"
         "            p = a.phi\n            q = b.phi\n            if p > 99: p = 0.0\n            if q > 99: q = "
         "0.0\n"
         "            h.fill(a.pt * cos(p) + b.pt * cos(q))"},
        {"for i, a in enumerate(event.Muon):\n    for j in range(i + 1, len(event.Muon)):\n        b = event.Muon[j]\n"
         "        for c in event.Muon[j + 1:]:\n            x = cosh(a.eta) * cos(b.phi) - cosh(c.eta)\n"
         "            h.fill(x)",
         "for i, a in enumerate(event.Muon):\n    for j in range(i + 1, len(event.Muon)):\n        b = event.Muon[j]\n"
         "        for c in event.Muon[j + 1:]:\n            p = a.eta\n            if p > 99: p = 0.0\n"
         "            q = b.phi\n            if q > 99: q = 0.0\n            r = c.eta\n            if r > 99: r = "
         "0.0\n"
         "            h.fill(cosh(p) * cos(q) - cosh(r))"},
        {"n = 0\nwhile n < 2:\n    for a in event.Muon:\n        for b in event.Jet:\n"
         "            h.fill(math.exp(a.pt) if n == 1 else math.exp(b.pt))\n    n += 1",
         "n = 0\nwhile n < 2:\n    for a in event.Muon:\n        for b in event.Jet:\n            p = b.pt\n"
         "            if n == 1: p = a.pt\n            h.fill(math.exp(p))\n    n += 1"},
        /* the same name for another object later on */
        {"for a in event.Jet:\n    for b in event.Jet:\n        x = math.sin(b.phi) + cos(b.phi)\n        h.fill(x)\n"
         "for a in event.Jet:\n    for b in event.Jet:\n        y = math.sin(b.phi) + cos(b.phi)\n        h.fill(y)",
         "for a in event.Jet:\n    for b in event.Jet:\n        p = b.phi\n        if p > 99: p = 0.0\n"
         "        h.fill(math.sin(p) + cos(p))\n"
         "for a in event.Jet:\n    for b in event.Jet:\n        p = b.phi\n        if p > 99: p = 0.0\n"
         "        h.fill(math.sin(p) + cos(p))"},
        /* objects of one collection or another */
        {"both = event.Muon + event.Jet\nfor a in both:\n    for b in both:\n"
         "        if a.pt > b.pt: h.fill(a.pt * cos(a.phi) + cosh(b.eta) - b.pt * cos(b.phi))",
         "both = event.Muon + event.Jet\nfor a in both:\n    for b in both:\n"
         "        p = a.phi\n        if p > 99: p = 0.0\n        q = b.phi\n        if q > 99: q = 0.0\n"
         "        r = b.eta\n        if r > 99: r = 0.0\n"
         "        if a.pt > b.pt: h.fill(a.pt * cos(p) + cosh(r) - b.pt * cos(q))"},
        {"both = event.Jet + event.Muon\nfor i in range(len(both)):\n    for j in range(i + 1, len(both)):\n"
         "        for c in event.Muon:\n            h.fill(cos(both[i].phi) + cos(both[j].phi) + cos(c.phi))",
         "both = event.Jet + event.Muon\nfor i in range(len(both)):\n    for j in range(i + 1, len(both)):\n"
         "        for c in event.Muon:\n            p = both[i].phi\n            if p > 99: p = 0.0\n"
         "            q = both[j].phi\n            if q > 99: q = 0.0\n            r = c.phi\n"
         "            if r > 99: r = 0.0\n            h.fill(cos(p) + cos(q) + cos(r))"},
        /* after the loops, whether they have come to it or not */
        {"for a in event.Muon:\n    for b in event.Muon:\n        if a.pt > 2 and b.pt > 2: h.fill(cos(b.phi))\n"
         "for c in event.Muon:\n    h.fill(cos(c.phi))",
         "for a in event.Muon:\n    for b in event.Muon:\n        p = b.phi\n        if p > 99: p = 0.0\n"
         "        if a.pt > 2 and b.pt > 2: h.fill(cos(p))\n"
         "for c in event.Muon:\n    q = c.phi\n    if q > 99: q = 0.0\n    h.fill(cos(q))"},
        /* more formulas than there is room for */
        {"for a in event.Muon:\n    for b in event.Muon:\n"
         "        h.fill(cos(b.pt) + cos(b.eta) + cos(b.phi) + cosh(b.pt) + cosh(b.eta) + cosh(a.phi) + a.pt)\n"
         "        h.fill(math.exp(b.pt) * a.pt + math.exp(b.eta) * a.pt + math.exp(b.phi) * a.pt)\n"
         "        h.fill(math.tan(b.pt) * a.pt + math.tan(b.eta) * a.pt + math.tan(b.phi) * a.pt)\n"
         "        h.fill(math.sinh(b.pt) * a.pt + math.sinh(b.eta) * a.pt + math.sinh(b.phi) * a.pt)",
         "for a in event.Muon:\n    for b in event.Muon:\n        p = b.pt\n        q = b.eta\n        r = b.phi\n"
         "        s = a.phi\n        if p > 99: p = 0.0\n        if q > 99: q = 0.0\n        if r > 99: r = 0.0\n"
         "        if s > 99: s = 0.0\n"
         "        h.fill(cos(p) + cos(q) + cos(r) + cosh(p) + cosh(q) + cosh(s) + a.pt)\n"
         "        h.fill(math.exp(p) * a.pt + math.exp(q) * a.pt + math.exp(r) * a.pt)\n"
         "        h.fill(math.tan(p) * a.pt + math.tan(q) * a.pt + math.tan(r) * a.pt)\n"
         "        h.fill(math.sinh(p) * a.pt + math.sinh(q) * a.pt + math.sinh(r) * a.pt)"},
        {"for a in event.Muon:\n    for b in event.Muon:\n        x = a.pt - b.pt\n"
         "        h.fill(-sqrt(-x) if x < 0 else sqrt(x))",
         "for a in event.Muon:\n    for b in event.Muon:\n        x = a.pt - b.pt\n        if x < 0:\n"
         "            h.fill(-sqrt(-x))\n        else:\n            h.fill(sqrt(x))"},
    };
    test_table *table = random_table();
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        char *outcomes[2];
        for (size_t k = 0; k < 2; k++) {
            char *text = query_with("axis.Regular(500, -10, 20)", PAIRS[i][k]);
            outcomes[k] = outcome_of(text, table);
            free(text);
        }
        if (strcmp(outcomes[0], outcomes[1]) != 0)
            fail_msg("%s\n%.300s\n%.300s", PAIRS[i][0], outcomes[0], outcomes[1]);
        assert_non_null(strchr("0123456789", outcomes[0][0])); /* bins, and no reason */
        free(outcomes[0]);
        free(outcomes[1]);
    }
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_kept_is_what_is_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
