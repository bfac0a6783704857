/* Programs over flat values run in vector code and count in tables of their own; the same program with one statement
 * more, that keeps it from being flat, must give the same histograms. */
#include "tests/query/fixture.h"

enum { ENTRIES = 5000, MOST_MUONS = 5 };

static float small_or_odd(size_t i)
{
    static const float ODD[] = {0.0F, -0.0F, 1e30F, -1e30F, 10.0F, 9.999999F};
    if (i % 97 == 0)
        return ODD[(i / 97) % (sizeof ODD / sizeof *ODD)];
    return (float)(drand48() * 14 - 2);
}

static test_table *random_table(void)
{
    srand48(2);
    uint32_t counts[ENTRIES];
    float met[ENTRIES], pt[ENTRIES * MOST_MUONS], eta[ENTRIES * MOST_MUONS];
    int32_t charge[ENTRIES * MOST_MUONS], run[ENTRIES];
    for (size_t i = 0; i < ENTRIES; i++) {
        counts[i] = (uint32_t)(lrand48() % (MOST_MUONS + 1));
        met[i] = small_or_odd(i);
        run[i] = (int32_t)(lrand48() % 7) - 1;
    }
    for (size_t i = 0; i < ENTRIES * MOST_MUONS; i++) {
        pt[i] = small_or_odd(i);
        eta[i] = small_or_odd(i + 5) / 4;
        charge[i] = lrand48() & 1 ? 1 : -1;
    }
    test_table *table = table_new(ENTRIES);
    table_flat(table, "met", HQ_FLOAT32, met);
    table_flat(table, "run", HQ_INT32, run);
    table_jagged(table, "Muon_pt", "Muon", "pt", HQ_FLOAT32, counts, pt);
    table_jagged(table, "Muon_eta", "Muon", "eta", HQ_FLOAT32, counts, eta);
    table_jagged(table, "Muon_charge", "Muon", "charge", HQ_INT32, counts, charge);
    return table;
}

/* The body as it is, and within a loop of one turn. */
static char *text_of(const char *axis, const char *body, bool is_flat)
{
    if (is_flat)
        return query_with(axis, body);
    char *inner = hq_format("for once in range(1):\n    %s", body);
    char *indented = hq_calloc(1, 2 * strlen(inner) + 64 * 4);
    size_t length = 0;
    size_t line = 0;
    for (const char *at = inner; *at; at++) {
        indented[length++] = *at;
        if (*at == '\n' && line++ > 0)
            length += (size_t)sprintf(indented + length, "    ");
    }
    char *text = query_with(axis, indented);
    free(indented);
    free(inner);
    return text;
}

static void flat_programs_count_as_others_do(void **state)
{
    (void)state;
    static const char *const AXES[] = {"axis.Regular(10, 0, 10)", "axis.Regular(3000, -2, 12)"};
    static const char *const BODIES[] = {
        "h.fill(event.met)",
        "if event.met > 3: h.fill(event.met)",
        "if event.met > 3:\n    h.fill(event.met)\nelse:\n    h.fill(event.met * 2)",
        "if event.run == 0:\n    continue\nh.fill(event.met)",
        "h.fill(event.run)\nh.fill(event.met)",
        "h.fill(len(event.Muon))",
        "h.fill(event.met / event.run)",
        "h.fill(event.run // (event.run - 2))",
        "for m in event.Muon: h.fill(m.pt)",
        "for m in event.Muon:\n    if abs(m.eta) < 1: h.fill(m.pt)",
        "for m in event.Muon:\n    if abs(m.eta) < 1 and m.pt > 2 or m.charge > 0: h.fill(m.pt)",
        ("for m in event.Muon:\n    x = m.pt\n    if m.charge > 0:\n        x = x + 1\n        if m.eta > 0: x = x * "
         "2\n"
         "    else:\n        x = -x\n    h.fill(x)"),
        "for m in event.Muon:\n    if m.charge > 0: continue\n    h.fill(m.pt)\n    h.fill(m.eta)",
        "for m in event.Muon:\n    if sqrt(m.pt) > 2: h.fill(m.pt)",
        "for m in event.Muon: h.fill(cosh(m.eta) if m.charge > 0 else m.pt)",
    };
    test_table *table = random_table();
    for (size_t a = 0; a < sizeof AXES / sizeof *AXES; a++)
        for (size_t b = 0; b < sizeof BODIES / sizeof *BODIES; b++) {
            char *outcomes[2];
            for (int is_flat = 0; is_flat < 2; is_flat++) {
                char *text = text_of(AXES[a], BODIES[b], is_flat);
                outcomes[is_flat] = outcome_of(text, table);
                free(text);
            }
            if (strcmp(outcomes[0], outcomes[1]) != 0)
                fail_msg("%s: %.200s and flat %.200s", BODIES[b], outcomes[0], outcomes[1]);
            assert_non_null(strchr("0123456789", outcomes[0][0])); /* bins, and no reason */
            free(outcomes[0]);
            free(outcomes[1]);
        }
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(flat_programs_count_as_others_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
