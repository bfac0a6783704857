#include "query/mathlib.h"

#include <math.h>
#include <string.h>

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

const math_function MATH_FUNCTIONS[] = {
    {"acos", acos, NULL},
    {"acosh", acosh, NULL},
    {"asin", asin, NULL},
    {"asinh", asinh, NULL},
    {"atan", atan, NULL},
    {"atan2", NULL, atan2},
    {"atanh", atanh, NULL},
    {"cbrt", cbrt, NULL},
    {"copysign", NULL, copysign},
    {"cos", cos, NULL},
    {"cosh", cosh, NULL},
    {"degrees", degrees, NULL},
    {"erf", erf, NULL},
    {"erfc", erfc, NULL},
    {"exp", exp, NULL},
    {"exp2", exp2, NULL},
    {"expm1", expm1, NULL},
    {"fabs", fabs, NULL},
    {"fmod", NULL, fmod},
    {"gamma", tgamma, NULL},
    {"hypot", NULL, hypot},
    {"lgamma", lgamma_alone, NULL},
    {"log", log, NULL},
    {"log10", log10, NULL},
    {"log1p", log1p, NULL},
    {"log2", log2, NULL},
    {"nextafter", NULL, nextafter},
    {"pow", NULL, pow},
    {"radians", radians, NULL},
    {"remainder", NULL, remainder},
    {"sin", sin, NULL},
    {"sinh", sinh, NULL},
    {"sqrt", sqrt, NULL},
    {"tan", tan, NULL},
    {"tanh", tanh, NULL},
    {MATH_CEIL, ceil, NULL},
    {MATH_FLOOR, floor, NULL},
    {MATH_LOG_TO_BASE, NULL, log_to_base},
    {MATH_FLOOR_DIVIDE, NULL, floor_divide},
    {MATH_MODULO, NULL, floor_modulo},
    {MATH_ROUND, rint, NULL}, /* to even in halfway cases, as Python's round: the rounding mode is never changed */
};
const size_t MATH_FUNCTION_COUNT = sizeof MATH_FUNCTIONS / sizeof *MATH_FUNCTIONS;

int math_find(const char *name)
{
    for (size_t i = 0; i < MATH_FUNCTION_COUNT; i++)
        if (strcmp(MATH_FUNCTIONS[i].name, name) == 0)
            return (int)i;
    return -1;
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
