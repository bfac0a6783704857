/* data/values.h - inside the room: numbers as they lie in a file, and as a column has them.
 */
#ifndef HQ_DATA_VALUES_H
#define HQ_DATA_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/column.h"

/* For loops over many numbers: compiled twice, the second time for processors with AVX2, whose byte shuffles SSE2
 * lacks. Sanitizers have not begun their work when the choice is made, so they get one version. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HQ_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&                                 \
    !defined(__SANITIZE_THREAD__) && !defined(HQ_SANITIZED)
#define HQ_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define HQ_WIDE
#endif

typedef enum hq_packing {
    PACKED_NOT,   /* big-endian, as wide as the column's type */
    PACKED_FLOAT, /* a Double32_t: float32 in the file, float64 in the column */
    PACKED_RANGE, /* an unsigned 32-bit step between two limits */
    PACKED_BITS,  /* a float32 with fewer bits of mantissa: exponent in one byte, sign and mantissa in two */
} hq_packing;

typedef struct hq_number {
    hq_type type; /* of the column */
    hq_packing packing;
    uint8_t size;       /* of one in the file */
    uint8_t bits;       /* of the mantissa, PACKED_BITS */
    double low, factor; /* PACKED_RANGE: value = step / factor + low */
} hq_number;

/* One that is not packed. */
hq_number number_plain(hq_type type);

/* A Double32_t (is_double) or Float16_t whose member or leaf has that title: "[0, 2*pi, 16]" somewhere in it gives
 * limits and bits; an empty title the default of each. */
hq_number number_packed(bool is_double, const char *title);

/* count of them from the file's bytes into a column's values; of HQ_BOOL, any byte but 0 is 1. */
void number_decode(const hq_number *number, void *to, const uint8_t *from, size_t count);
/* The same in place, of numbers that are not packed. */
void number_swap(hq_type type, void *values, size_t count);

#endif
