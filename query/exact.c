/* query/exact.c - see exact.h.
 *
 * A sum is sixty-nine digits to the base 2^32, the lowest first; digit i counts 2^(32 * i - 1088). A digit may be
 * negative and may grow to 2^63, so that carrying is due only once in 2^30 additions.
 */
#include "query/exact.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    DIGITS = 69,
    DIGIT_BITS = 32,
    LOWEST = -1088, /* the exponent of the lowest digit */
    ADDED = DIGITS, /* word: additions since digits were last carried */
    HAS_SPECIAL,    /* word: inf or nan was among the terms, */
    SPECIAL,        /* and the sum of these, as a float's bits */
    FRACTION_BITS = 53,
    LEAST_EXPONENT = -1074 /* of a float's last bit */
};

_Static_assert((int)SPECIAL < (int)EXACT_WORDS, "a sum has room");

double exact_clear(int64_t *words, double x)
{
    (void)x;
    memset(words, 0, EXACT_WORDS * sizeof *words);
    return 0;
}

/* Every digit but the highest, which has the sign, comes to lie between 0 and 2^32. */
static void carry(int64_t *words)
{
    int64_t over = 0;
    for (int i = 0; i < DIGITS; i++) {
        int64_t digit = words[i] + over;
        over = i + 1 < DIGITS ? digit >> DIGIT_BITS : 0;
        words[i] = digit - (int64_t)((uint64_t)over << DIGIT_BITS);
    }
    words[ADDED] = 0;
}

static void add_special(int64_t *words, double x)
{
    double sofar = 0;
    memcpy(&sofar, &words[SPECIAL], sizeof sofar);
    sofar = words[HAS_SPECIAL] ? sofar + x : x;
    words[HAS_SPECIAL] = 1;
    memcpy(&words[SPECIAL], &sofar, sizeof sofar);
}

double exact_add(int64_t *words, double x)
{
    if (!isfinite(x)) {
        add_special(words, x);
        return 0;
    }
    int exponent;
    int64_t fraction = (int64_t)ldexp(frexp(x, &exponent), FRACTION_BITS);
    int place = exponent - FRACTION_BITS;
    if (place < LEAST_EXPONENT) { /* a small one: its last bits are zeros */
        fraction /= (int64_t)1 << (LEAST_EXPONENT - place);
        place = LEAST_EXPONENT;
    }
    int digit = (place - LOWEST) / DIGIT_BITS;
    int shift = (place - LOWEST) % DIGIT_BITS;
    __int128 wide = (__int128)fraction * ((int64_t)1 << shift);
    for (int i = 0; i < 3; i++) {
        words[digit + i] += i < 2 ? (int64_t)(wide & UINT32_MAX) : (int64_t)wide;
        wide >>= DIGIT_BITS;
    }
    if (++words[ADDED] >= (int64_t)1 << 30)
        carry(words);
    return 0;
}

/* Of digits that are carried and not negative; the highest that is not 0 has the index top. */
static double rounded(const int64_t *digits, int top)
{
    unsigned __int128 window = 0; /* three digits: the highest bit is one of the highest 32 of 96 */
    bool is_sticky = false;
    for (int i = top; i > top - 3; i--)
        window = window << DIGIT_BITS | (i >= 0 ? (uint64_t)digits[i] : 0);
    for (int i = 0; i < top - 2; i++)
        is_sticky = is_sticky || digits[i] != 0;
    int base = LOWEST + DIGIT_BITS * (top - 2);
    int length = 128 - __builtin_clzll((uint64_t)(window >> 64));
    int last = base + length - FRACTION_BITS;
    if (last < LEAST_EXPONENT)
        last = LEAST_EXPONENT;
    int dropped = last - base;
    uint64_t fraction = (uint64_t)(window >> dropped);
    unsigned __int128 rest = window & (((unsigned __int128)1 << dropped) - 1);
    unsigned __int128 half = (unsigned __int128)1 << (dropped - 1);
    if (rest > half || (rest == half && (is_sticky || fraction & 1)))
        fraction++;
    return ldexp((double)fraction, last);
}

double exact_sum(int64_t *words, double x)
{
    (void)x;
    if (words[HAS_SPECIAL]) {
        double special;
        memcpy(&special, &words[SPECIAL], sizeof special);
        return special;
    }
    carry(words);
    int64_t digits[EXACT_WORDS];
    memcpy(digits, words, sizeof digits);
    bool is_negative = words[DIGITS - 1] < 0;
    for (int i = 0; is_negative && i < DIGITS; i++)
        digits[i] = -digits[i];
    carry(digits);
    int top = DIGITS - 1;
    while (top >= 0 && digits[top] == 0)
        top--;
    if (top < 0)
        return 0;
    double size = rounded(digits, top);
    return is_negative ? -size : size;
}

/* --- norms --- */

/* A sum from 1 on of terms that are not larger than it, with the roundings of each step in three heaps. */
typedef struct careful {
    double sum, errors[3];
} careful;

static void careful_add(careful *self, int heap, double term)
{
    double before = self->sum;
    self->sum += term;
    self->errors[heap] += (before - self->sum) + term;
}

static double careful_total(const careful *self)
{
    return self->sum - 1.0 + (self->errors[0] + self->errors[1] + self->errors[2]);
}

/* The value's upper half, with 26 bits, and the rest: products of these are exact. */
static double upper_half(double value)
{
    double spread = value * (double)0x8000001;
    return spread - (spread - value);
}

static double size_at(const int64_t *words, int64_t index)
{
    double value;
    memcpy(&value, &words[index], sizeof value);
    return fabs(value);
}

/* Floats that are scaled to lie below 1. One step of Newton's, with the difference of the squares known to more than
 * a float's precision, corrects the root's last bit. */
static double scaled_norm(const int64_t *words, int64_t count, double scale)
{
    careful squares = {.sum = 1.0};
    for (int64_t i = 0; i < count; i++) {
        double value = size_at(words, i) * scale;
        double high = upper_half(value);
        double low = value - high;
        careful_add(&squares, 0, high * high);
        careful_add(&squares, 1, 2.0 * high * low);
        squares.errors[2] += low * low;
    }
    double root = sqrt(careful_total(&squares));
    double high = upper_half(root);
    double low = root - high;
    careful_add(&squares, 0, -high * high);
    careful_add(&squares, 1, -2.0 * high * low);
    careful_add(&squares, 2, -low * low);
    return (root + careful_total(&squares) / (2.0 * root)) / scale;
}

/* All of them so small that the scale would overflow. */
static double tiny_norm(const int64_t *words, int64_t count, double greatest)
{
    careful squares = {.sum = 1.0};
    for (int64_t i = 0; i < count; i++) {
        double value = size_at(words, i) / greatest;
        careful_add(&squares, 0, value * value);
    }
    return greatest * sqrt(squares.sum - 1.0 + squares.errors[0]);
}

static double norm_of(const int64_t *words, int64_t count)
{
    double greatest = 0;
    bool has_nan = false;
    for (int64_t i = 0; i < count; i++) {
        double size = size_at(words, i);
        has_nan = has_nan || isnan(size);
        greatest = size > greatest ? size : greatest;
    }
    if (isinf(greatest))
        return greatest;
    if (has_nan)
        return (double)NAN;
    if (greatest == 0 || count == 1)
        return greatest;
    int exponent;
    frexp(greatest, &exponent);
    return exponent >= -1023 ? scaled_norm(words, count, ldexp(1.0, -exponent)) : tiny_norm(words, count, greatest);
}

double exact_norm(int64_t *words, double count)
{
    return norm_of(words, (int64_t)count);
}

double exact_hypot(double x, double y)
{
    int64_t words[2];
    memcpy(&words[0], &x, sizeof x);
    memcpy(&words[1], &y, sizeof y);
    return norm_of(words, 2);
}

const math_kernel MATH_KERNELS[KERNEL_COUNT] = {
    [KERNEL_CLEAR] = exact_clear, [KERNEL_ADD] = exact_add, [KERNEL_SUM] = exact_sum, [KERNEL_NORM] = exact_norm};
