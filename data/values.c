#include "data/values.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/bytes.h"

enum {
    FLOAT16_BITS = 12,    /* of the mantissa, if the title does not say */
    MAX_PACKED_BITS = 15, /* with more, and without limits, ROOT packs nothing */
    MAX_NESTING = 16,     /* of a limit's expression */
};

/* Plain loops over memcpy'd loads: compilers turn them into byte shuffles of whole vectors. */

/* A line at a time, so that lines some way ahead can be asked for: what comes next in a file that is mapped, which
 * processors do only up to a page's end by themselves, and where it goes. */
enum { LINE = 64, FROM_AHEAD = 4096, TO_AHEAD = 2048 };

#define DEFINE_SWAP(bits, load)                                                                                        \
    HQ_WIDE static void swap_##bits(uint##bits##_t *restrict to, const uint8_t *restrict from, size_t count)           \
    {                                                                                                                  \
        enum { SIZE = (bits) / 8, NUMBERS = LINE / SIZE };                                                             \
        size_t i = 0;                                                                                                  \
        for (; count - i >= FROM_AHEAD / SIZE + NUMBERS; i += NUMBERS) {                                               \
            __builtin_prefetch(from + SIZE * i + FROM_AHEAD);                                                          \
            __builtin_prefetch((const uint8_t *)(to + i) + TO_AHEAD, 1);                                               \
            for (size_t j = 0; j < NUMBERS; j++)                                                                       \
                to[i + j] = load(from + SIZE * (i + j));                                                               \
        }                                                                                                              \
        for (; i < count; i++)                                                                                         \
            to[i] = load(from + SIZE * i);                                                                             \
    }

DEFINE_SWAP(16, load_u16)
DEFINE_SWAP(32, load_u32)
DEFINE_SWAP(64, load_u64)

HQ_WIDE static void to_bool(uint8_t *restrict to, const uint8_t *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] != 0;
}

static void decode_plain(hq_type type, void *to, const uint8_t *from, size_t count)
{
    if (type == HQ_BOOL) {
        to_bool(to, from, count);
        return;
    }
    switch (hq_type_size(type)) {
    case 1:
        if (count > 0)
            memcpy(to, from, count);
        break;
    case 2:
        swap_16(to, from, count);
        break;
    case 4:
        swap_32(to, from, count);
        break;
    default:
        swap_64(to, from, count);
    }
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double unpack(const hq_number *number, const uint8_t *from)
{
    if (number->packing == PACKED_FLOAT)
        return (double)float_of_bits(load_u32(from));
    if (number->packing == PACKED_RANGE)
        return load_u32(from) / number->factor + number->low;
    uint32_t mantissa = load_u16(from + 1), sign = 1u << (number->bits + 1);
    float value = float_of_bits((uint32_t)from[0] << 23 | (mantissa & (sign - 1)) << (23 - number->bits));
    return (double)(mantissa & sign ? -value : value);
}

void number_decode(const hq_number *number, void *to, const uint8_t *from, size_t count)
{
    if (number->packing == PACKED_NOT) {
        decode_plain(number->type, to, from, count);
    } else if (number->type == HQ_FLOAT32) {
        for (size_t i = 0; i < count; i++)
            ((float *)to)[i] = (float)unpack(number, from + i * number->size);
    } else {
        for (size_t i = 0; i < count; i++)
            ((double *)to)[i] = unpack(number, from + i * number->size);
    }
}

HQ_WIDE static void swap_16_in_place(uint16_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = __builtin_bswap16(values[i]);
}

HQ_WIDE static void swap_32_in_place(uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = __builtin_bswap32(values[i]);
}

HQ_WIDE static void swap_64_in_place(uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = __builtin_bswap64(values[i]);
}

HQ_WIDE static void to_bool_in_place(uint8_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] != 0;
}

void number_swap(hq_type type, void *values, size_t count)
{
    if (type == HQ_BOOL) {
        to_bool_in_place(values, count);
        return;
    }
    switch (hq_type_size(type)) {
    case 1:
        break;
    case 2:
        swap_16_in_place(values, count);
        break;
    case 4:
        swap_32_in_place(values, count);
        break;
    default:
        swap_64_in_place(values, count);
    }
}

hq_number number_plain(hq_type type)
{
    return (hq_number){.type = type, .size = (uint8_t)hq_type_size(type)};
}

/* Limits as people write them into a comment: "-pi", "2*pi", "pi/4", "1e3". */
typedef struct hq_formula {
    const char *at;
    int nesting;
    bool is_wrong;
} hq_formula;

static void skip_blanks(hq_formula *formula)
{
    while (isspace((unsigned char)*formula->at))
        formula->at++;
}

static bool take_word(hq_formula *formula, const char *word)
{
    size_t length = strlen(word);
    if (strncasecmp(formula->at, word, length) != 0)
        return false;
    formula->at += length;
    return true;
}

static double read_factor(hq_formula *formula)
{
    skip_blanks(formula);
    if (*formula->at == '-' || *formula->at == '+') {
        bool is_negative = *formula->at++ == '-';
        if (++formula->nesting > MAX_NESTING) {
            formula->is_wrong = true;
            return 0;
        }
        double value = read_factor(formula);
        return is_negative ? -value : value;
    }
    if (take_word(formula, "twopi"))
        return 2 * M_PI;
    if (take_word(formula, "pi"))
        return M_PI;
    if (!isdigit((unsigned char)*formula->at) && *formula->at != '.') {
        formula->is_wrong = true;
        return 0;
    }
    char *end;
    double value = strtod(formula->at, &end);
    formula->at = end;
    return take_word(formula, "pi") ? value * M_PI : value;
}

static double read_limit(hq_formula *formula)
{
    double value = read_factor(formula);
    for (skip_blanks(formula); *formula->at == '*' || *formula->at == '/'; skip_blanks(formula)) {
        bool is_product = *formula->at++ == '*';
        double other = read_factor(formula);
        value = is_product ? value * other : value / other;
    }
    return value;
}

/* "[low, high]" or "[low, high, bits]", the first brackets with a comma in them: others are dimensions. */
static bool read_range(const char *title, double *low_r, double *high_r, long *bits_r)
{
    const char *open = strchr(title, '[');
    for (; open; open = strchr(open + 1, '['))
        if (open[strcspn(open, ",]")] == ',')
            break;
    if (!open)
        return false;
    hq_formula formula = {.at = open + 1};
    *low_r = read_limit(&formula);
    if (formula.is_wrong || *formula.at++ != ',')
        return false;
    *high_r = read_limit(&formula);
    *bits_r = 32;
    if (!formula.is_wrong && *formula.at == ',') {
        char *end;
        *bits_r = strtol(formula.at + 1, &end, 10);
        formula.at = end;
        skip_blanks(&formula);
    }
    return !formula.is_wrong && *formula.at == ']';
}

hq_number number_packed(bool is_double, const char *title)
{
    hq_number number = {.type = is_double ? HQ_FLOAT64 : HQ_FLOAT32};
    double low = 0, high = 0;
    long bits = 0;
    bool has_range = read_range(title, &low, &high, &bits);
    if (has_range && (bits < 2 || bits > 32))
        bits = 32;
    if (has_range && low < high) {
        number.packing = PACKED_RANGE;
        number.size = 4;
        number.low = low;
        number.factor = (bits < 32 ? (double)(1u << bits) : (double)UINT32_MAX) / (high - low);
        return number;
    }
    bool has_bits = has_range && bits < MAX_PACKED_BITS;
    number.packing = is_double && !has_bits ? PACKED_FLOAT : PACKED_BITS;
    number.size = number.packing == PACKED_BITS ? 3 : 4;
    number.bits = has_bits ? (uint8_t)bits : FLOAT16_BITS;
    return number;
}
