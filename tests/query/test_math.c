/* The functions of math that are more than the C library's, alone and in queries. What the queries fill is what CPython
 * fills when it runs them. */
#include <math.h>

#include "query/exact.h"
#include "query/mathlib.h"
#include "tests/query/fixture.h"

/* A body for h with Regular(10, 0, 10), and its bins with flow. */
typedef struct example {
    const char *body, *bins;
} example;

static void check_all(const test_table *table, const example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_bins(table, examples[i].body, examples[i].bins);
}

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

static void of_ints(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(math.gcd(12 * event.run, 18) + math.gcd() + math.gcd(-3))", "0 0 0 0 0 0 0 0 0 0 3 1"},
        {"h.fill(math.lcm(event.run, 2) + math.lcm(0, 5))", "0 0 0 2 0 1 0 1 0 0 0 0"},
        {"h.fill(math.comb(event.run, 2) + math.comb(5, event.run) / 10)", "0 1 0 1 0 1 0 1 0 0 0 0"},
        {"h.fill(math.perm(event.run, 2) / 2 + math.perm(3) - 6)", "0 1 1 0 1 0 0 1 0 0 0 0"},
        {"h.fill(math.factorial(event.run) / 3)", "0 2 0 1 0 0 0 0 0 1 0 0"},
        {"h.fill(math.isqrt(event.run * 10))", "0 0 0 0 1 1 1 1 0 0 0 0"},
        {"h.fill(math.comb(62, 31) % 7 + math.factorial(20) % 11)", "0 4 0 0 0 0 0 0 0 0 0 0"},
        {"h.fill(math.isqrt(9223372036854775807 - event.run) - 3037000495)", "0 0 0 0 0 4 0 0 0 0 0 0"},
    };
    check_all(*state, EXAMPLES, sizeof EXAMPLES / sizeof *EXAMPLES);
}

static void of_many(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(math.fsum(event.hit))", "0 1 0 0 0 1 0 0 1 0 0 1"},
        {"h.fill(math.fsum(0.1 for i in range(10)) * event.run)", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(math.fsum([event.run, 1e100, 1, -1e100]))", "0 0 0 1 1 1 1 0 0 0 0 0"},
        {"h.fill(math.fsum([1e16, event.run, -1e16]))", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(math.fsum(math.fsum((x, 1e20, -1e20)) for x in event.hit))", "0 1 0 0 0 1 0 0 1 0 0 1"},
        {"h.fill(math.prod(event.hit) / 10)", "0 2 1 0 1 0 0 0 0 0 0 0"},
        {"h.fill(math.prod((event.run, 2), start=0.5))", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(math.hypot(event.run, 2, event.run) + math.hypot())", "0 0 0 1 1 1 0 1 0 0 0 0"},
        {"h.fill(math.dist((event.run, 1), (0, 0)))", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {"h.fill(math.dist(event.hit, [x - 1 for x in event.hit]))", "0 1 3 0 0 0 0 0 0 0 0 0"},
    };
    check_all(*state, EXAMPLES, sizeof EXAMPLES / sizeof *EXAMPLES);
}

static void of_one_number(void **state)
{
    static const example EXAMPLES[] = {
        {"h.fill(round(event.x + 0.125, 2) * 2)", "1 1 0 0 0 0 1 0 0 0 0 1"},
        {"h.fill(round(2.675, 2) * 3 + round(event.x, -1))", "0 0 0 0 0 0 0 0 0 3 0 1"},
        {"h.fill(round(event.run * 5, -1) / 10)", "0 1 1 2 0 0 0 0 0 0 0 0"},
        {"h.fill(round(event.MET_pt, -1) / 10)", "0 1 0 2 0 1 0 0 0 0 0 0"},
        {"h.fill(round(event.x * 1e22, -22))", "1 1 0 0 0 0 0 0 0 0 0 2"},
        {"h.fill(round(event.big, -18) % 7 + (round(0.5, 0) == 0))", "0 0 2 0 1 0 0 1 0 0 0 0"},
        {"m, e = math.frexp(event.run)\nh.fill(m * 4)\nh.fill(e)", "0 0 1 5 2 0 0 0 0 0 0 0"},
        {"a, b = math.modf(event.x)\nh.fill(a * 4 + 5)\nh.fill(b)", "1 1 0 1 1 0 1 1 2 0 0 0"},
        {"h.fill(math.ldexp(event.run, -1))", "0 1 2 1 0 0 0 0 0 0 0 0"},
        {"h.fill(math.ulp(event.run) * 2.0 ** 52)", "0 0 1 2 0 1 0 0 0 0 0 0"},
        {"h.fill(math.isclose(event.run, 2 + 1e-10) + 2 * math.isclose(event.run, 4, rel_tol=0.25) + 4 * "
         "math.isclose(event.x, 0, abs_tol=2))",
         "0 0 0 2 0 1 1 0 0 0 0 0"},
    };
    check_all(*state, EXAMPLES, sizeof EXAMPLES / sizeof *EXAMPLES);
}

/* --- exact sums --- */

static double sum_of(const double *terms, size_t count)
{
    int64_t words[EXACT_WORDS];
    exact_clear(words, 0);
    for (size_t i = 0; i < count; i++)
        exact_add(words, terms[i]);
    return exact_sum(words, 0);
}

static void sums_are_rounded_once(void **state)
{
    (void)state;
    static const struct {
        double terms[6], sum;
    } SUMS[] = {
        {{0}, 0.0},
        {{1e100, 1, -1e100}, 1.0},
        {{0x1p53, 1, 0x1p-1074}, 0x1p53 + 2}, /* just above half: up */
        {{0x1p53, 1}, 0x1p53},                /* half: to even, */
        {{0x1p53 + 2, 1}, 0x1p53 + 4},        /* either way */
        {{-0x1p53, -1, -0x1p-1074}, -0x1p53 - 2},
        {{0x1p1023, 0x1p1023, -0x1p1023}, 0x1p1023}, /* too large on its way only */
        {{-0x1p1023, -0x1p1023}, (double)-INFINITY},
        {{0x1p-1074, 0x1p-1074, 0x1p-1073}, 0x1p-1072},
        {{0x1p-1022, -0x1p-1074}, 0x0.fffffffffffffp-1022},
        {{1.7976931348623157e308, 0x1p969}, 1.7976931348623157e308}, /* less than half of the last bit */
        {{1.7976931348623157e308, 0x1p970}, (double)INFINITY},
        {{(double)INFINITY, -1e308}, (double)INFINITY},
        {{-1, 1, -0.0}, 0.0},
    };
    for (size_t i = 0; i < sizeof SUMS / sizeof *SUMS; i++)
        assert_memory_equal(&(double){sum_of(SUMS[i].terms, 6)}, &SUMS[i].sum, sizeof(double));
    assert_true(isnan(sum_of((double[]){(double)INFINITY, 1, (double)-INFINITY}, 3)));
    assert_true(isnan(sum_of((double[]){1, (double)NAN}, 2)));
}

/* A generator of numbers that needs no seed of the system's: xorshift. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Floats of all sizes and their negatives, in another order: nothing is left. Added once more in one order and in the
 * other, they give the same. */
static void the_order_of_terms_is_of_no_account(void **state)
{
    enum { COUNT = 1000 };
    (void)state;
    uint64_t seed = 88172645463325252;
    double terms[2 * COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t bits = next_random(&seed);
        double term;
        memcpy(&term, &bits, sizeof term);
        terms[i] = isfinite(term) ? term : 1;
        terms[COUNT + (i * 7) % COUNT] = -terms[i];
    }
    assert_true(sum_of(terms, (size_t)2 * COUNT) == 0);
    double forth = sum_of(terms, COUNT);
    for (size_t i = 0; i < COUNT / 2; i++) {
        double swap = terms[i];
        terms[i] = terms[COUNT - 1 - i];
        terms[COUNT - 1 - i] = swap;
    }
    assert_true(sum_of(terms, COUNT) == forth && isfinite(forth));
}

/* A sum of more terms than digits may grow for without being carried. */
static void sums_of_very_many_terms(void **state)
{
    (void)state;
    int64_t words[EXACT_WORDS];
    exact_clear(words, 0);
    for (int i = 0; i < 3000000; i++)
        exact_add(words, i % 3 ? 0x1.fffffffffffffp31 : -0x1p32);
    double whole = 2000000 * 0x1.fffffffffffffp31 - 1000000 * 0x1p32;
    assert_true(exact_sum(words, 0) == whole);
    exact_add(words, 1);
    assert_true(exact_sum(words, 0) == whole + 1);
}

/* --- norms --- */

static void norms(void **state)
{
    (void)state;
    /* What math.hypot gives, where a root of squares that are added up has another last bit. */
    static const struct {
        double x, y, norm;
    } NORMS[] = {
        {-0x1.c9f311284552bp-6, 0x1.057f51e29e4acp+6, 0x1.057f53739cbfcp+6},
        {0x1.8883d749a4027p+2, -0x1.ea80c557094e2p+5, 0x1.ecf3695612cecp+5},
        {-0x1.1834704ea6641p+15, -0x1.e20f7bb323112p+5, 0x1.18348a39493e1p+15},
        {-0x1.b676afa87061ap-12, -0x1.6dc044cc4aa61p+6, 0x1.6dc044cc5b132p+6},
        {-0x1.0137b10f19e49p-10, -0x1.215fb5b858ac0p+3, 0x1.215fb5d4ecfa5p+3},
        {-0x1.377d902abc9aep-3, -0x1.351afc6610e88p+6, 0x1.351b23a2a9ab5p+6},
        {0x0.00000000017b8p-1022, 0x0.0000000001fa0p-1022, 0x0.0000000002788p-1022},
        {0x1.55c576d815726p+1023, 0x1.1ccf385ebc8a0p+1023, 0x1.bce2f77eeccf9p+1023},
        {3, 4, 0x1.4000000000000p+2},
        {0x1.56e1fc2f8f359p-997, 0x0.012688b70e62bp-1022, 0x1.56e1fc2f8f359p-997},

    };
    for (size_t i = 0; i < sizeof NORMS / sizeof *NORMS; i++)
        assert_true(exact_hypot(NORMS[i].x, NORMS[i].y) == NORMS[i].norm);
    assert_true(exact_hypot((double)NAN, (double)-INFINITY) == (double)INFINITY);
    assert_true(isnan(exact_hypot((double)NAN, 1)));
    assert_true(exact_hypot(0, -0.0) == 0 && !signbit(exact_hypot(0, -0.0)));
}

/* --- ints --- */

static int64_t of_two(const char *name, int64_t a, int64_t b)
{
    return MATH_FUNCTIONS[math_find(name)].int_binary(a, b);
}

static int64_t of_one(const char *name, int64_t a)
{
    return MATH_FUNCTIONS[math_find(name)].int_unary(a);
}

static void ints_wrap(void **state)
{
    (void)state;
    assert_int_equal(of_two("gcd", INT64_MIN, 0), INT64_MIN);
    assert_int_equal(of_two("gcd", INT64_MIN, 6), 2);
    assert_int_equal(of_two("lcm", INT64_MAX, 2), -2);
    assert_int_equal(of_one("factorial", 20), 2432902008176640000);
    assert_int_equal(of_one("factorial", 21), -4249290049419214848);
    assert_int_equal(of_one("factorial", INT64_MAX), 0);
    assert_int_equal(of_one("factorial", -1), 0);
    assert_int_equal(of_two("comb", 66, 33), 7219428434016265740);
    assert_int_equal(of_two("comb", 70, 35), 1505813374405535736);
    assert_int_equal(of_two("comb", INT64_MAX, 5), -2305843009213693953);
    assert_int_equal(of_two("comb", 100000, 60000), 7800148653222936512);
    assert_int_equal(of_two("comb", INT64_MAX, INT64_MAX / 2), 0);
    assert_int_equal(of_two("comb", 3, 4), 0);
    assert_int_equal(of_two("comb", -3, 1), 0);
    assert_int_equal(of_two(MATH_PERMUTATIONS, 30, 20), 7324805792373932032);
    assert_int_equal(of_two(MATH_PERMUTATIONS, INT64_MAX, INT64_MAX), 0);
    assert_int_equal(of_one("isqrt", INT64_MAX), 3037000499);
    assert_int_equal(of_one("isqrt", 3037000499 * 3037000499), 3037000499);
    assert_int_equal(of_one("isqrt", 3037000499 * 3037000499 - 1), 3037000498);
    assert_int_equal(of_one("isqrt", -4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_ints),
        cmocka_unit_test(of_many),
        cmocka_unit_test(of_one_number),
        cmocka_unit_test(sums_are_rounded_once),
        cmocka_unit_test(the_order_of_terms_is_of_no_account),
        cmocka_unit_test(sums_of_very_many_terms),
        cmocka_unit_test(norms),
        cmocka_unit_test(ints_wrap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
