/* query/mathlib.h - scalar arithmetic that machine code calls for and that constants are folded with, so that a
 * constant and a variable of the same value cannot differ.
 *
 * The functions are those of the C library on float64, as CPython's math module uses them, Python's own rules for //
 * and % on floats, and what math has for ints. None of them fails: outside its domain a function of floats gives nan or
 * inf, one of ints 0, and what does not fit into 64 bits wraps round.
 */
#ifndef HQ_QUERY_MATHLIB_H
#define HQ_QUERY_MATHLIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum hq_scalar { SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT } hq_scalar;

typedef double (*math_unary)(double);
typedef double (*math_binary)(double, double);

typedef int64_t (*math_int_unary)(int64_t);
typedef int64_t (*math_int_binary)(int64_t, int64_t);

typedef struct math_function {
    const char *name; /* in Python's math; what starts with a dot has no name there */
    math_unary unary; /* one of the four */
    math_binary binary;
    math_int_unary int_unary;
    math_int_binary int_binary;
} math_function;

/* Indices into the table are stable within one build only: fingerprints use the names. */
extern const math_function MATH_FUNCTIONS[];
extern const size_t MATH_FUNCTION_COUNT;

static inline unsigned math_arity(const math_function *function)
{
    return function->binary || function->int_binary ? 2 : 1;
}

/* Of the arguments and of the result. */
static inline hq_scalar math_type(const math_function *function)
{
    return function->int_unary || function->int_binary ? SCALAR_INT : SCALAR_FLOAT;
}

/* Where its code is. */
uintptr_t math_address(const math_function *function);

/* The index of a function, -1 if there is none of that name. */
int math_find(const char *name);

/* comb(n, k) is 0 where both k and n - k are above it. */
enum { MATH_MOST_CHOSEN = 1 << 16 };

/* The functions below the surface. */
#define MATH_FLOOR_DIVIDE ".floordiv"
#define MATH_MODULO       ".mod"
#define MATH_ROUND        ".round"
#define MATH_ROUND_TO     ".roundto"  /* to so many digits behind the point, */
#define MATH_ROUND_INT    ".roundint" /* before it if there are less than none */
#define MATH_FLOOR        ".floor"
#define MATH_CEIL         ".ceil"
#define MATH_TRUNC        ".trunc"
#define MATH_LOG_TO_BASE  ".logbase"
#define MATH_FRACTION     ".modf" /* what modf gives first; MATH_TRUNC gives the other */
#define MATH_MANTISSA     ".frexp"
#define MATH_EXPONENT     ".exponent" /* the second of frexp, as a float */
#define MATH_SCALE        ".ldexp"    /* with the exponent as a float */
#define MATH_PERMUTATIONS ".perm"

/* Integers, with NumPy's int64 rules: results wrap, x // 0 and x % 0 are 0, a shift by less than 0 or more than 63
 * moves every bit out. */
int64_t math_int_floor_divide(int64_t a, int64_t b);
int64_t math_int_modulo(int64_t a, int64_t b);
int64_t math_int_power(int64_t base, int64_t exponent); /* exponent >= 0 */
int64_t math_int_shift_left(int64_t a, int64_t count);
int64_t math_int_shift_right(int64_t a, int64_t count);
/* Towards zero; the nearest int64 if it is beyond; 0 for nan. */
int64_t math_to_int(double value);

#endif
