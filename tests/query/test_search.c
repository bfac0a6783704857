/* A search finds what three loops, one in the other, would have found. */
#include "tests/query/fixture.h"

#include <math.h>

#include "query/search.h"

/* --- search_least by itself --- */

/* One word of each object; a pair's word is its first two objects' sum, a key what rule makes of three. */
static void sum_pairs(const double *memory, int64_t stride, double *pairs, int64_t from, int64_t to)
{
    (void)stride;
    const double *objects = memory + SEARCH_AT_OBJECTS;
    for (int64_t second = from; second < to; second++)
        for (int64_t first = 0; first < second; first++)
            *pairs++ = objects[first] + objects[second];
}

static void sum_keys(const double *memory, int64_t stride, double *keys, int64_t from, int64_t to, int64_t first,
                     int64_t end)
{
    (void)stride;
    for (int64_t third = from; third < to; third++) {
        int64_t before = third * (third - 1) / 2;
        for (int64_t pair = first; pair < (before < end ? before : end); pair++)
            *keys++ = memory[SEARCH_AT_PAIRS + pair - first] + memory[SEARCH_AT_OBJECTS + third];
    }
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void find_by_loops(const double *objects, int64_t count, bool is_first_kept, int64_t found[3])
{
    double best = INFINITY;
    bool has = false;
    memcpy(found, (const int64_t[3]){0, 1, 2}, 3 * sizeof *found);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = i + 1; j < count; j++)
            for (int64_t k = j + 1; k < count; k++) {
                double key = objects[i] + objects[j] + objects[k];
                if ((is_first_kept && !has) || key < best) {
                    best = key;
                    memcpy(found, (const int64_t[3]){i, j, k}, 3 * sizeof *found);
                }
                has = true;
            }
}

static void compare_with_loops(int64_t count, double (*value)(int64_t), bool is_first_kept)
{
    int asked = 0;
    double *memory = hq_calloc((size_t)(SEARCH_AT_OBJECTS + count + SEARCH_LANES), sizeof *memory);
    double *objects = memory + SEARCH_AT_OBJECTS;
    for (int64_t i = 0; i < count; i++)
        objects[i] = value(i);
    hq_search search = {sum_pairs, sum_keys, memory, count, is_first_kept, never, &asked};
    int64_t found[3], wanted[3];
    assert_true(search_least(&search, found));
    find_by_loops(objects, count, is_first_kept, wanted);
    for (int i = 0; i < 3; i++)
        assert_int_equal(found[i], wanted[i]);
    free(memory);
}

static double any_value(int64_t i)
{
    (void)i;
    return drand48() - 0.5;
}

static double few_values(int64_t i) /* many triplets have the same key */
{
    (void)i;
    return (double)(lrand48() % 3);
}

static double nan_at_times(int64_t i)
{
    return i % 4 == 1 ? (double)NAN : drand48();
}

static double nan_first(int64_t i)
{
    return i == 0 ? (double)NAN : drand48();
}

static double only_nan(int64_t i)
{
    (void)i;
    return NAN;
}

static double infinite(int64_t i)
{
    (void)i;
    return INFINITY;
}

static double falling(int64_t i)
{
    return -(double)i;
}

static void searches_find_what_loops_find(void **state)
{
    (void)state;
    srand48(5);
    double (*const values[])(int64_t) = {any_value, few_values, nan_at_times, nan_first, only_nan, infinite, falling};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        for (int64_t count = 3; count < 60; count++)
            for (int is_first_kept = 0; is_first_kept < 2; is_first_kept++)
                compare_with_loops(count, values[v], is_first_kept);
        compare_with_loops(200, values[v], true); /* five blocks of pairs */
    }
}

static void long_searches_can_be_stopped(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    double *memory = hq_calloc(SEARCH_AT_OBJECTS + COUNT + SEARCH_LANES, sizeof *memory);
    int64_t found[3];
    int asked = 0;
    hq_search search = {sum_pairs, sum_keys, memory, COUNT, true, never, &asked};
    assert_true(search_least(&search, found)); /* all keys are equal */
    assert_int_equal(found[0] + found[1] + found[2], 0 + 1 + 2);
    assert_true(asked >= 30);
    search.stop = at_once;
    assert_false(search_least(&search, found));
    free(memory);
}

/* --- loops that become one --- */

enum { ENTRIES = 2000, MOST = 9 };

static test_table *random_table(void)
{
    srand48(7);
    uint32_t counts[2][ENTRIES];
    float values[2][3][ENTRIES * MOST];
    for (size_t i = 0; i < ENTRIES; i++)
        for (size_t c = 0; c < 2; c++)
            counts[c][i] = (uint32_t)(lrand48() % (MOST + 1));
    for (size_t i = 0; i < ENTRIES * MOST; i++) {
        for (size_t c = 0; c < 6; c++)
            values[c / 3][c % 3][i] = (float)(drand48() * 6 - 3);
        values[0][2][i] = (float)(lrand48() % 3); /* keys that are equal */
        if (lrand48() % 9 == 0)
            values[0][1][i] = NAN;
    }
    test_table *table = table_new(ENTRIES);
    static const char *const NAMES[2][3] = {{"Muon_pt", "Muon_eta", "Muon_phi"}, {"Jet_pt", "Jet_eta", "Jet_phi"}};
    float flat[ENTRIES];
    for (size_t i = 0; i < ENTRIES; i++)
        flat[i] = (float)(drand48() * 4);
    for (size_t c = 0; c < 6; c++)
        table_jagged(table, NAMES[c / 3][c % 3], c / 3 ? "Jet" : "Muon", strchr(NAMES[c / 3][c % 3], '_') + 1,
                     HQ_FLOAT32, counts[c / 3], values[c / 3][c % 3]);
    table_flat(table, "MET_pt", HQ_FLOAT32, flat);
    return table;
}

static char *listing_of(const char *text, const test_table *table)
{
    hq_program *program = must_parse(text, table->schema);
    char *listing = NULL;
    assert_int_equal(code_list(program, HQ_LISTING_IR, &listing, NULL), HQ_OK);
    program_free(&program);
    return listing;
}

/* The second text of each pair says the same in a way that no search can be made of: it counts as it goes. */
static void loops_over_triplets_give_the_same_either_way(void **state)
{
    (void)state;
    static const char *const KEYS[] = {
        "abs(cos(a.phi) * a.pt + cos(b.phi) * b.pt + cos(c.phi) * c.pt - 1)",
        "a.phi + b.phi + c.phi", /* of Muon: many are equal */
        "a.eta + b.eta + c.eta", /* of Muon: some are nan */
        "abs(a.pt - b.pt) + c.pt * event.MET_pt",
        "sqrt(a.pt + b.pt + c.pt)", /* nan below 0 */
        "(a.pt if a.eta < b.eta else b.eta) + c.pt",
        "a.pt + (c.pt if c.eta > 0 and a.eta + b.eta > 0 else 1000.0)",
        "float((int(a.pt * 3) + int(b.pt * 5)) * int(c.pt * 7))",
        "a.pt * b.pt * math.exp(c.pt)",
        "-math.inf * a.pt + b.pt + c.pt",
    };
    test_table *table = random_table();
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        for (size_t way = 0; way < 4; way++) {
            const char *name = way % 2 ? "Jet" : "Muon", *extreme = way / 2 ? "max" : "min";
            char *search = hq_format("def k(a, b, c): return %s\n"
                                     "    if len(event.%s) >= 3:\n"
                                     "        t = %s(combinations(event.%s, 3), key=lambda t: k(t[0], t[1], t[2]))\n"
                                     "        h.fill(t[0].pt + 2 * t[1].pt)\n        h.fill(t[2].pt)",
                                     KEYS[i], name, extreme, name);
            char *body = strchr(search, '\n') + 5; /* the definition goes before the loop */
            char *definition = hq_strndup(search, (size_t)(strchr(search, '\n') - search));
            char *loops = hq_format("has = False\n    best = 0.0\n    n = 0\n    x = 0.0\n    y = 0.0\n    z = 0.0\n"
                                    "    for a, b, c in combinations(event.%s, 3):\n        n += 1\n"
                                    "        v = k(a, b, c)\n        if not has or v %c best:\n"
                                    "            has = True\n            best = v\n"
                                    "            x, y, z = a.pt, b.pt, c.pt\n"
                                    "    if n > 0:\n        h.fill(x + 2 * y)\n        h.fill(z)",
                                    name, way / 2 ? '>' : '<');
            char *texts[2];
            const char *bodies[2] = {body, loops};
            for (int t = 0; t < 2; t++)
                texts[t] = hq_format("import math\nfrom math import cos, sqrt\nfrom hist import Hist, axis\n"
                                     "from itertools import combinations\n"
                                     "h = Hist(axis.Regular(60, -9, 9))\n%s\nfor event in events:\n    %s\n",
                                     definition, bodies[t]);
            char *one = outcome_of(texts[0], table), *other = outcome_of(texts[1], table);
            assert_string_equal(one, other);
            char *listing = listing_of(texts[0], table), *plain = listing_of(texts[1], table);
            assert_non_null(strstr(listing, "hq_search"));
            assert_null(strstr(plain, "hq_search"));
            free(listing);
            free(plain);
            free(one);
            free(other);
            free(texts[0]);
            free(texts[1]);
            free(loops);
            free(definition);
            free(search);
        }
    table_free(&table);
}

/* Written by hand, with what is nearest from before the loops; and what comes after them. */
static void loops_by_hand_are_searches_too(void **state)
{
    (void)state;
    test_table *table = random_table();
    static const char BODY[] = "best = event.MET_pt\n    x = -1.0\n"
                               "    for a, b, c in combinations(event.Muon, 3):\n        v = abs(a.pt + b.pt + c.eta)\n"
                               "        if v < best:\n            best = v\n            x = c.pt\n"
                               "    h.fill(x)\n    h.fill(best)";
    static const char PLAIN[] =
        "best = event.MET_pt\n    x = -1.0\n    n = 0\n"
        "    for a, b, c in combinations(event.Muon, 3):\n        v = abs(a.pt + b.pt + c.eta)\n"
        "        n += 1\n        if v < best:\n            best = v\n            x = c.pt\n"
        "    h.fill(x)\n    h.fill(best)";
    char *texts[2];
    const char *bodies[2] = {BODY, PLAIN};
    for (int t = 0; t < 2; t++)
        texts[t] = hq_format("from hist import Hist, axis\nfrom itertools import combinations\n"
                             "h = Hist(axis.Regular(60, -9, 9))\nfor event in events:\n    %s\n",
                             bodies[t]);
    char *one = outcome_of(texts[0], table), *other = outcome_of(texts[1], table);
    assert_string_equal(one, other);
    char *listing = listing_of(texts[0], table);
    assert_non_null(strstr(listing, "hq_search"));
    free(listing);
    free(one);
    free(other);
    free(texts[0]);
    free(texts[1]);
    table_free(&table);
}

/* What the loops leave behind, or carry from turn to turn, is not what a search would leave. */
static void other_loops_stay_loops(void **state)
{
    (void)state;
    static const char *const BODIES[] = {
        "best = 9.0\n    v = 0.0\n    for a, b, c in combinations(event.Muon, 3):\n        v = a.pt + b.pt + c.pt\n"
        "        if v < best:\n            best = v\n    h.fill(v)", /* read afterwards */
        "best = 9.0\n    n = 0\n    for a, b, c in combinations(event.Muon, 3):\n        v = a.pt + b.pt + c.pt\n"
        "        if v < best:\n            best = v\n            n = n + 1\n    h.fill(n)", /* counts */
        "best = 9.0\n    for a, b, c in combinations(event.Muon, 3):\n        v = a.pt + b.pt + c.pt\n"
        "        if v < best:\n            best = v + 1\n    h.fill(best)", /* keeps another value */
        "best = 9.0\n    for a, b, c in combinations(event.Muon, 3):\n        v = a.pt + b.pt + c.pt - best\n"
        "        if v < best:\n            best = v\n    h.fill(best)", /* looks at the best */
        "best = 9.0\n    for a, b, c in combinations(event.Muon, 3):\n        v = a.pt + b.pt + c.pt\n"
        "        if v <= best:\n            best = v\n    h.fill(best)", /* the last of equal ones */
    };
    test_table *table = random_table();
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        char *text = hq_format("from hist import Hist, axis\nfrom itertools import combinations\n"
                               "h = Hist(axis.Regular(60, -9, 9))\nfor event in events:\n    %s\n",
                               BODIES[i]);
        char *listing = listing_of(text, table);
        assert_null(strstr(listing, "hq_search"));
        free(listing);
        free(text);
    }
    table_free(&table);
}

static void too_many_objects_are_refused(void **state)
{
    (void)state;
    enum { MANY = SEARCH_MOST + 1 };
    uint32_t count = MANY;
    float *values = hq_calloc(MANY, sizeof *values);
    test_table *table = table_new(1);
    table_jagged(table, "Muon_pt", "Muon", "pt", HQ_FLOAT32, &count, values);
    char *text = hq_format("from hist import Hist, axis\nfrom itertools import combinations\n"
                           "h = Hist(axis.Regular(60, -9, 9))\nfor event in events:\n"
                           "    t = min(combinations(event.Muon, 3), key=lambda t: t[0].pt + t[1].pt + t[2].pt)\n"
                           "    h.fill(t[0].pt)\n");
    char *outcome = outcome_of(text, table);
    assert_non_null(strstr(outcome, "more than 4096 objects"));
    free(outcome);
    free(text);
    free(values);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_find_what_loops_find),
        cmocka_unit_test(long_searches_can_be_stopped),
        cmocka_unit_test(loops_over_triplets_give_the_same_either_way),
        cmocka_unit_test(loops_by_hand_are_searches_too),
        cmocka_unit_test(other_loops_stay_loops),
        cmocka_unit_test(too_many_objects_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
