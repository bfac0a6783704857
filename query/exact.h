/* query/exact.h - sums of floats that are rounded once, at their end, and roots of sums of squares.
 *
 * A sum is kept as one long number in words that the caller gives, wide enough for every float there is, so that the
 * order of the terms is of no account and nothing overflows on the way. The result is what math.fsum gives: the float
 * nearest to the exact sum, of two the even one.
 *
 * All functions are of one kind, math_kernel, so that machine code can call them alike.
 */
#ifndef HQ_QUERY_EXACT_H
#define HQ_QUERY_EXACT_H

#include <stdint.h>

enum { EXACT_WORDS = 72 /* of a sum */ };

typedef double (*math_kernel)(int64_t *words, double x);

/* Makes the words the sum of nothing; x does not matter. Gives 0. */
double exact_clear(int64_t *words, double x);
/* Adds x, which may be inf or nan, to a sum. Gives 0. */
double exact_add(int64_t *words, double x);
/* The sum, rounded; x does not matter. The words can be added to further. nan if there were inf and -inf. */
double exact_sum(int64_t *words, double x);
/* The length of the vector of as many floats as count says, whose bits are the words: with the errors of squaring and
 * summing carried along, as math.hypot does it, so that both give the same bits. */
double exact_norm(int64_t *words, double count);

/* What a kernel statement calls, by number; the numbers are part of fingerprints. */
enum { KERNEL_CLEAR, KERNEL_ADD, KERNEL_SUM, KERNEL_NORM, KERNEL_COUNT };
extern const math_kernel MATH_KERNELS[KERNEL_COUNT];

/* math.hypot of two. */
double exact_hypot(double x, double y);

#endif
