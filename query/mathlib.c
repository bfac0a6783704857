#include "query/mathlib.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/exact.h"

static double floor_modulo(double a, double b)
{
    double rest = fmod(a, b);
    if (b == 0)
        return rest;
    if (rest == 0)
        return copysign(0.0, b);
    return (b < 0) != (rest < 0) ? rest + b : rest;
}

/* Python's // on floats: the exact quotient's floor, found from fmod so that rounding of the quotient cannot lift it.
 */
static double floor_divide(double a, double b)
{
    if (b == 0)
        return a / b;
    double rest = fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0))
        quotient -= 1.0;
    if (quotient == 0)
        return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

static double degrees(double x)
{
    return x * (180.0 / M_PI);
}

static double radians(double x)
{
    return x * (M_PI / 180.0);
}

/* C leaves lgamma's sign of gamma in a global that threads would share. */
static double lgamma_alone(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static double log_to_base(double x, double base)
{
    return log(x) / log(base);
}

/* The nearest number of so many digits that is not greater than ten to their count, or the even one: of the exact
 * value, which the C library knows how to write. */
static double round_to(double x, double digits)
{
    enum { MOST_DIGITS = 323, LEAST_DIGITS = -308, LONGEST = 1100, ALL_DIGITS = 800 };
    char text[LONGEST];
    if (!isfinite(x) || x == 0 || digits > MOST_DIGITS)
        return x;
    if (digits < LEAST_DIGITS)
        return copysign(0.0, x);
    if (digits >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)digits, x);
        return strtod(text, NULL);
    }
    snprintf(text, sizeof text, "%.*e", ALL_DIGITS, fabs(x));
    int kept = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + (int)digits; /* behind the first digit */
    if (kept < 0) {
        /* The number is less than the unit: it counts as one if it is more than half of it. */
        char half[LONGEST];
        snprintf(half, sizeof half, "%.*e", ALL_DIGITS, 5.0);
        size_t fraction = (size_t)ALL_DIGITS + 2;
        bool is_one = kept == -1 && strncmp(text, half, fraction) > 0;
        snprintf(text, sizeof text, "%de%d", is_one, (int)-digits);
        return copysign(strtod(text, NULL), x);
    }
    snprintf(text, sizeof text, "%.*e", kept, x);
    return strtod(text, NULL);
}

/* Likewise; what needs more than 64 bits wraps. */
static int64_t round_int(int64_t a, int64_t digits)
{
    if (digits >= 0)
        return a;
    if (digits < -19)
        return 0;
    __int128 unit = 1;
    for (int64_t i = 0; i < -digits; i++)
        unit *= 10;
    __int128 count = a / unit, rest = a % unit;
    if (rest < 0) {
        rest += unit;
        count--;
    }
    if (2 * rest > unit || (2 * rest == unit && count & 1))
        count++;
    return (int64_t)(count * unit);
}

static double distance_to_next(double x)
{
    if (!isfinite(x))
        return fabs(x);
    double next = nextafter(fabs(x), (double)INFINITY);
    return isinf(next) ? fabs(x) - nextafter(fabs(x), 0) : next - fabs(x);
}

static double fraction_of(double x)
{
    double whole;
    return modf(x, &whole);
}

static double mantissa_of(double x)
{
    int exponent;
    return frexp(x, &exponent);
}

static double exponent_of(double x)
{
    int exponent = 0;
    if (isfinite(x)) /* C leaves it open else, Python gives 0 */
        frexp(x, &exponent);
    return exponent;
}

static double scale_by(double x, double exponent)
{
    return ldexp(x, exponent > INT_MAX ? INT_MAX : exponent < -INT_MAX ? -INT_MAX : (int)exponent);
}

/* --- of ints --- */

static uint64_t size_of(int64_t a)
{
    return a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    return (int64_t)common_divisor(size_of(a), size_of(b));
}

static int64_t least_multiple(int64_t a, int64_t b)
{
    uint64_t divisor = common_divisor(size_of(a), size_of(b));
    return divisor ? (int64_t)(size_of(a) / divisor * size_of(b)) : 0;
}

/* Ends soon: a product of that many neighbours has more twos in it than 64 bits can show. */
static int64_t permutations(int64_t n, int64_t k)
{
    if (n < 0 || k < 0 || k > n)
        return 0;
    uint64_t product = 1;
    for (int64_t i = 0; i < k && product; i++)
        product *= (uint64_t)(n - i);
    return (int64_t)product;
}

static int64_t factorial(int64_t n)
{
    return permutations(n, n);
}

/* One over an odd number, modulo 2^64: every step doubles the bits that are right, three to begin with. */
static uint64_t odd_inverse(uint64_t odd)
{
    uint64_t inverse = odd;
    for (int bits = 3; bits < 64; bits *= 2)
        inverse *= 2 - odd * inverse;
    return inverse;
}

/* Modulo 2^64: twos are counted apart, since only odd numbers have inverses. */
static int64_t combinations(int64_t n, int64_t k)
{
    if (n < 0 || k < 0 || k > n)
        return 0;
    k = k > n - k ? n - k : k;
    if (k > MATH_MOST_CHOSEN)
        return 0;
    uint64_t above = 1, below = 1;
    int twos = 0;
    for (int64_t i = 1; i <= k; i++) {
        uint64_t factor = (uint64_t)(n - k + i), divisor = (uint64_t)i;
        int more = __builtin_ctzll(factor), less = __builtin_ctzll(divisor);
        above *= factor >> more;
        below *= divisor >> less;
        twos += more - less;
    }
    return twos > 63 ? 0 : (int64_t)((above * odd_inverse(below)) << twos);
}

/* The floor of the root: the float's root is off by one at most. */
static int64_t int_root(int64_t n)
{
    if (n <= 0)
        return 0;
    uint64_t root = (uint64_t)sqrt((double)n);
    while (root * root > (uint64_t)n)
        root--;
    while ((root + 1) * (root + 1) <= (uint64_t)n)
        root++;
    return (int64_t)root;
}

const math_function MATH_FUNCTIONS[] = {
    {"acos", .unary = acos},
    {"acosh", .unary = acosh},
    {"asin", .unary = asin},
    {"asinh", .unary = asinh},
    {"atan", .unary = atan},
    {"atan2", .binary = atan2},
    {"atanh", .unary = atanh},
    {"cbrt", .unary = cbrt},
    {"comb", .int_binary = combinations},
    {"copysign", .binary = copysign},
    {"cos", .unary = cos},
    {"cosh", .unary = cosh},
    {"degrees", .unary = degrees},
    {"erf", .unary = erf},
    {"erfc", .unary = erfc},
    {"exp", .unary = exp},
    {"exp2", .unary = exp2},
    {"expm1", .unary = expm1},
    {"factorial", .int_unary = factorial},
    {"fabs", .unary = fabs},
    {"fmod", .binary = fmod},
    {"gamma", .unary = tgamma},
    {"gcd", .int_binary = greatest_divisor},
    {"hypot", .binary = exact_hypot},
    {"isqrt", .int_unary = int_root},
    {"lcm", .int_binary = least_multiple},
    {"lgamma", .unary = lgamma_alone},
    {"log", .unary = log},
    {"log10", .unary = log10},
    {"log1p", .unary = log1p},
    {"log2", .unary = log2},
    {"nextafter", .binary = nextafter},
    {"pow", .binary = pow},
    {"radians", .unary = radians},
    {"remainder", .binary = remainder},
    {"sin", .unary = sin},
    {"sinh", .unary = sinh},
    {"sqrt", .unary = sqrt},
    {"tan", .unary = tan},
    {"tanh", .unary = tanh},
    {"ulp", .unary = distance_to_next},
    {MATH_CEIL, .unary = ceil},
    {MATH_FLOOR, .unary = floor},
    {MATH_TRUNC, .unary = trunc},
    {MATH_FRACTION, .unary = fraction_of},
    {MATH_MANTISSA, .unary = mantissa_of},
    {MATH_EXPONENT, .unary = exponent_of},
    {MATH_SCALE, .binary = scale_by},
    {MATH_PERMUTATIONS, .int_binary = permutations},
    {MATH_LOG_TO_BASE, .binary = log_to_base},
    {MATH_FLOOR_DIVIDE, .binary = floor_divide},
    {MATH_MODULO, .binary = floor_modulo},
    {MATH_ROUND_TO, .binary = round_to},
    {MATH_ROUND_INT, .int_binary = round_int},
    {MATH_ROUND, .unary = rint}, /* to even in halfway cases, as Python's round: the rounding mode is never changed */
};
const size_t MATH_FUNCTION_COUNT = sizeof MATH_FUNCTIONS / sizeof *MATH_FUNCTIONS;

int math_find(const char *name)
{
    for (size_t i = 0; i < MATH_FUNCTION_COUNT; i++)
        if (strcmp(MATH_FUNCTIONS[i].name, name) == 0)
            return (int)i;
    return -1;
}

uintptr_t math_address(const math_function *function)
{
    return function->unary       ? (uintptr_t)function->unary
           : function->binary    ? (uintptr_t)function->binary
           : function->int_unary ? (uintptr_t)function->int_unary
                                 : (uintptr_t)function->int_binary;
}

int64_t math_int_floor_divide(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t math_int_modulo(int64_t a, int64_t b)
{
    if (b == 0 || b == -1)
        return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t math_int_power(int64_t base, int64_t exponent)
{
    uint64_t result = 1;
    uint64_t square = (uint64_t)base;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result *= square;
        square *= square;
    }
    return (int64_t)result;
}

int64_t math_int_shift_left(int64_t a, int64_t count)
{
    return count < 0 || count > 63 ? 0 : (int64_t)((uint64_t)a << count);
}

int64_t math_int_shift_right(int64_t a, int64_t count)
{
    return a >> (count < 0 || count > 63 ? 63 : count);
}

int64_t math_to_int(double value)
{
    if (isnan(value))
        return 0;
    if (value >= 0x1p63)
        return INT64_MAX;
    return value < -0x1p63 ? INT64_MIN : (int64_t)value;
}
