#include "data/ntuple_decode.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { CHUNK = 512 /* elements that are converted at a time, in what is surely cache */ };

typedef enum encoding {
    PLAIN,
    BITS,
    SPLIT,
    SPLIT_ZIGZAG,
    SPLIT_DELTA,
    HALF,
    SPLIT_HALF,
    TRUNCATED,
    QUANTISED
} encoding;

typedef struct type_info {
    const char *name;
    uint16_t least_bits, most_bits;
    hq_content content;
    hq_type type;
    encoding how;
} type_info;

static const type_info *info_of(const hq_nt_column *column)
{
    static const type_info types[] = {
        {"Bit", 1, 1, CONTENT_NUMBERS, HQ_BOOL, BITS},
        {"Byte", 8, 8, CONTENT_NUMBERS, HQ_UINT8, PLAIN},
        {"Char", 8, 8, CONTENT_NUMBERS, HQ_INT8, PLAIN},
        {"Int8", 8, 8, CONTENT_NUMBERS, HQ_INT8, PLAIN},
        {"UInt8", 8, 8, CONTENT_NUMBERS, HQ_UINT8, PLAIN},
        {"Int16", 16, 16, CONTENT_NUMBERS, HQ_INT16, PLAIN},
        {"UInt16", 16, 16, CONTENT_NUMBERS, HQ_UINT16, PLAIN},
        {"Int32", 32, 32, CONTENT_NUMBERS, HQ_INT32, PLAIN},
        {"UInt32", 32, 32, CONTENT_NUMBERS, HQ_UINT32, PLAIN},
        {"Int64", 64, 64, CONTENT_NUMBERS, HQ_INT64, PLAIN},
        {"UInt64", 64, 64, CONTENT_NUMBERS, HQ_UINT64, PLAIN},
        {"Real16", 16, 16, CONTENT_NUMBERS, HQ_FLOAT32, HALF},
        {"Real32", 32, 32, CONTENT_NUMBERS, HQ_FLOAT32, PLAIN},
        {"Real64", 64, 64, CONTENT_NUMBERS, HQ_FLOAT64, PLAIN},
        {"Index32", 32, 32, CONTENT_INDEX, HQ_UINT32, PLAIN},
        {"Index64", 64, 64, CONTENT_INDEX, HQ_UINT64, PLAIN},
        {"Switch", 96, 96, CONTENT_SWITCH, HQ_UINT8, PLAIN},
        {"SplitInt16", 16, 16, CONTENT_NUMBERS, HQ_INT16, SPLIT_ZIGZAG},
        {"SplitUInt16", 16, 16, CONTENT_NUMBERS, HQ_UINT16, SPLIT},
        {"SplitInt32", 32, 32, CONTENT_NUMBERS, HQ_INT32, SPLIT_ZIGZAG},
        {"SplitUInt32", 32, 32, CONTENT_NUMBERS, HQ_UINT32, SPLIT},
        {"SplitInt64", 64, 64, CONTENT_NUMBERS, HQ_INT64, SPLIT_ZIGZAG},
        {"SplitUInt64", 64, 64, CONTENT_NUMBERS, HQ_UINT64, SPLIT},
        {"SplitReal16", 16, 16, CONTENT_NUMBERS, HQ_FLOAT32, SPLIT_HALF},
        {"SplitReal32", 32, 32, CONTENT_NUMBERS, HQ_FLOAT32, SPLIT},
        {"SplitReal64", 64, 64, CONTENT_NUMBERS, HQ_FLOAT64, SPLIT},
        {"SplitIndex32", 32, 32, CONTENT_INDEX, HQ_UINT32, SPLIT_DELTA},
        {"SplitIndex64", 64, 64, CONTENT_INDEX, HQ_UINT64, SPLIT_DELTA},
        {"Real32Trunc", 10, 31, CONTENT_NUMBERS, HQ_FLOAT32, TRUNCATED},
        {"Real32Quant", 1, 32, CONTENT_NUMBERS, HQ_FLOAT32, QUANTISED},
    };
    const type_info *info = column->type < sizeof types / sizeof *types ? &types[column->type] : NULL;
    if (!info || column->bits < info->least_bits || column->bits > info->most_bits)
        return NULL;
    return info->how == QUANTISED && !column->has_range ? NULL : info;
}

hq_content page_content(const hq_nt_column *column)
{
    const type_info *info = info_of(column);
    return info ? info->content : CONTENT_UNKNOWN;
}

const char *page_encoding(const hq_nt_column *column)
{
    const type_info *info = info_of(column);
    return info ? info->name : NULL;
}

hq_type page_type(const hq_nt_column *column)
{
    const type_info *info = info_of(column);
    return info ? info->type : HQ_UINT8;
}

static bool is_float(hq_type type)
{
    return type == HQ_FLOAT32 || type == HQ_FLOAT64;
}

static bool is_signed(hq_type type)
{
    return type == HQ_INT8 || type == HQ_INT16 || type == HQ_INT32 || type == HQ_INT64;
}

bool page_can_become(const hq_nt_column *column, hq_type type)
{
    hq_type own = page_type(column);
    if (own == type || (is_float(own) && is_float(type)))
        return true;
    if (is_float(own) || is_float(type) || type == HQ_BOOL)
        return false;
    if (own == HQ_BOOL)
        return true;
    return is_signed(own) == is_signed(type) ? hq_type_size(own) <= hq_type_size(type)
                                             : is_signed(type) && hq_type_size(own) < hq_type_size(type);
}

uint64_t page_bytes(const hq_nt_column *column, uint64_t elements)
{
    return (elements * column->bits + 7) / 8; /* less than 2^32 times less than 2^16 */
}

bool page_is_plain(const hq_nt_column *column, hq_type type)
{
    const type_info *info = info_of(column);
    return info && info->how == PLAIN && info->content == CONTENT_NUMBERS && info->type == type;
}

/* --- Split encodings: the planes of bytes woven together, 16 elements at a time ---
 *
 * Interleaving the bytes of two planes gives 16-bit pieces, interleaving these 32-bit ones, and so on. Vectors as GCC
 * and clang have them become the shuffles of the machine that hq is compiled for. */

typedef uint8_t vector_8 __attribute__((vector_size(16)));
typedef uint16_t vector_16 __attribute__((vector_size(16)));
typedef uint32_t vector_32 __attribute__((vector_size(16)));
typedef uint64_t vector_64 __attribute__((vector_size(16)));

enum { LANES = 16 };

static inline vector_8 load(const uint8_t *from)
{
    vector_8 vector;
    memcpy(&vector, from, sizeof vector);
    return vector;
}

/* To memory and not into the caches; finish_past comes before anybody else reads there. */
static inline void store_past(vector_8 *to, vector_8 vector)
{
#ifdef __SSE2__
    _mm_stream_si128((__m128i *)to, (__m128i)vector);
#else
    *to = vector;
#endif
}

static inline void finish_past(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}

#define INTERLEAVE_8(a, b)                                                                                             \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),                             \
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define INTERLEAVE_16(a, b)                                                                                            \
    __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11), __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define INTERLEAVE_32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5), __builtin_shufflevector(a, b, 2, 6, 3, 7)

/* 16 elements of two planes, as two vectors. */
static inline void weave_16(const uint8_t *from, size_t stride, vector_16 out_r[2])
{
    vector_8 woven[2] = {INTERLEAVE_8(load(from), load(from + stride))};
    out_r[0] = (vector_16)woven[0];
    out_r[1] = (vector_16)woven[1];
}

/* Of four planes, as four. */
static inline void weave_32(const uint8_t *from, size_t stride, vector_32 out_r[4])
{
    vector_16 low[2], high[2];
    weave_16(from, stride, low);
    weave_16(from + 2 * stride, stride, high);
    for (int i = 0; i < 2; i++) {
        vector_16 woven[2] = {INTERLEAVE_16(low[i], high[i])};
        out_r[2 * i] = (vector_32)woven[0];
        out_r[2 * i + 1] = (vector_32)woven[1];
    }
}

/* Of eight, as eight. */
static inline void weave_64(const uint8_t *from, size_t stride, vector_64 out_r[8])
{
    vector_32 low[4], high[4];
    weave_32(from, stride, low);
    weave_32(from + 4 * stride, stride, high);
    for (int i = 0; i < 4; i++) {
        vector_32 woven[2] = {INTERLEAVE_32(low[i], high[i])};
        out_r[2 * i] = (vector_64)woven[0];
        out_r[2 * i + 1] = (vector_64)woven[1];
    }
}

/* The rest, fewer than 16, one by one. */
static inline uint64_t join_one(const uint8_t *from, size_t stride, unsigned planes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < planes; i++)
        value |= (uint64_t)from[i * stride] << (8 * i);
    return value;
}

#define UNZIGZAG(value) (((value) >> 1) ^ (0 - ((value) & 1)))

/* One loop for each width, as a macro because nothing but the type differs. Where the values go is asked for ahead, or
 * if they are many, they go past the caches: then it is not read before it is written. */
#define DEFINE_SPLIT(bits)                                                                                             \
    static inline void split_##bits(const uint8_t *from, size_t stride, size_t count, bool is_zigzag, bool is_past,    \
                                    uint##bits##_t *to)                                                                \
    {                                                                                                                  \
        enum { VECTORS = (bits) / 8, AHEAD = 2048 / ((bits) / 8) };                                                    \
        size_t i = 0;                                                                                                  \
        for (; is_past && i < count && (uintptr_t)(to + i) % sizeof(vector_##bits) != 0; i++) {                        \
            uint##bits##_t value = (uint##bits##_t)join_one(from + i, stride, sizeof *to);                             \
            to[i] = is_zigzag ? (uint##bits##_t)UNZIGZAG(value) : value;                                               \
        }                                                                                                              \
        for (; count - i >= LANES; i += LANES) {                                                                       \
            vector_##bits out[VECTORS];                                                                                \
            if (!is_past && count - i >= AHEAD + LANES)                                                                \
                __builtin_prefetch(to + i + AHEAD, 1);                                                                 \
            weave_##bits(from + i, stride, out);                                                                       \
            for (int j = 0; is_zigzag && j < VECTORS; j++)                                                             \
                out[j] = UNZIGZAG(out[j]);                                                                             \
            if (is_past)                                                                                               \
                for (int j = 0; j < VECTORS; j++)                                                                      \
                    store_past((vector_8 *)(to + i) + j, (vector_8)out[j]);                                            \
            else                                                                                                       \
                memcpy(to + i, out, sizeof out);                                                                       \
        }                                                                                                              \
        for (; i < count; i++) {                                                                                       \
            uint##bits##_t value = (uint##bits##_t)join_one(from + i, stride, sizeof *to);                             \
            to[i] = is_zigzag ? (uint##bits##_t)UNZIGZAG(value) : value;                                               \
        }                                                                                                              \
    }

DEFINE_SPLIT(16)
DEFINE_SPLIT(32)
DEFINE_SPLIT(64)

static void copy(uint8_t *to, const uint8_t *from, size_t size, bool is_past)
{
    size_t at = (0 - (uintptr_t)to) % sizeof(vector_8);
    if (!is_past || size < at) {
        memcpy(to, from, size);
        return;
    }
    memcpy(to, from, at);
    for (; size - at >= sizeof(vector_8); at += sizeof(vector_8))
        store_past((vector_8 *)(to + at), load(from + at));
    finish_past();
    memcpy(to + at, from + at, size - at);
}

/* The flags are constants in each call, so that no loop asks for them. */
#define SPLIT_AS(bits)                                                                                                 \
    (is_zigzag ? (is_past ? split_##bits(from, stride, count, true, true, to)                                          \
                          : split_##bits(from, stride, count, true, false, to))                                        \
               : (is_past ? split_##bits(from, stride, count, false, true, to)                                         \
                          : split_##bits(from, stride, count, false, false, to)))

static void decode_split(unsigned bits, const uint8_t *from, size_t stride, size_t count, bool is_zigzag, bool is_past,
                         void *to)
{
    switch (bits) {
    case 16:
        SPLIT_AS(16);
        break;
    case 32:
        SPLIT_AS(32);
        break;
    default:
        SPLIT_AS(64);
    }
    if (is_past)
        finish_past();
}

/* --- The narrow ones --- */

/* A byte's eight bits become the eight bytes of a word: a copy of it in each, the bit masked out, and made 0 or 1. */
static inline uint64_t spread_bits(uint8_t byte)
{
    uint64_t masked = (byte * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
    return ((masked + UINT64_C(0x7F7F7F7F7F7F7F7F)) | masked) >> 7 & UINT64_C(0x0101010101010101);
}

static void decode_bits(const uint8_t *page, size_t first, size_t count, uint8_t *to)
{
    size_t i = 0;
    for (; i < count && (first + i) % 8 != 0; i++)
        to[i] = page[(first + i) / 8] >> ((first + i) % 8) & 1;
    for (const uint8_t *from = page + (first + i) / 8; count - i >= 8; i += 8, from++) {
        uint64_t spread = spread_bits(*from);
        memcpy(to + i, &spread, sizeof spread);
    }
    for (; i < count; i++)
        to[i] = page[(first + i) / 8] >> ((first + i) % 8) & 1;
}

/* Half a float: its bits in a float's places are a number 2^112 times too small, also where it is denormal; infinities
 * and what is no number get all bits of the exponent. */
static void decode_half(const uint16_t *restrict from, size_t count, uint32_t *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(from[i] & 0x7FFF) << 13, sign = (uint32_t)(from[i] & 0x8000) << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        value *= 0x1p112f;
        memcpy(&bits, &value, sizeof bits);
        bits |= (from[i] & 0x7C00) == 0x7C00 ? 0x7F800000u : 0;
        to[i] = bits | sign;
    }
}

/* The number of so many bits (at most 32) that begins at a bit of the page, whose size is in bytes. */
static inline uint32_t packed_bits(const uint8_t *page, size_t size, uint64_t at, unsigned bits)
{
    size_t byte = at / 8;
    uint64_t word = 0;
    if (size - byte >= sizeof word)
        memcpy(&word, page + byte, sizeof word);
    else
        memcpy(&word, page + byte, size - byte);
    return (uint32_t)(word >> (at % 8) & ((UINT64_C(1) << bits) - 1));
}

/* Of a narrow element: info_of lets none have more bits. */
static inline unsigned narrow_bits(const hq_nt_column *column)
{
    return column->bits < 32 ? column->bits : 32;
}

static void decode_truncated(const hq_nt_column *column, const uint8_t *page, size_t size, size_t first, size_t count,
                             uint32_t *to)
{
    unsigned bits = narrow_bits(column);
    for (size_t i = 0; i < count; i++)
        to[i] = packed_bits(page, size, (uint64_t)(first + i) * bits, bits) << (32 - bits);
}

/* A number between low and high, evenly divided. */
static inline double quantum(const hq_nt_column *column, uint32_t packed)
{
    double step = (column->high - column->low) / (double)((UINT64_C(1) << column->bits) - 1);
    return (double)packed * step + column->low;
}

/* --- All of them --- */

/* Into the column's own type, except that quantised numbers may also be had as float64. */
static void decode(const hq_nt_column *column, const uint8_t *page, uint32_t elements, size_t first, size_t count,
                   hq_type type, bool is_past, void *to)
{
    const type_info *info = info_of(column);
    size_t size = page_bytes(column, elements), width = hq_type_size(info->type);
    unsigned bits = narrow_bits(column);
    uint16_t half[CHUNK];
    switch (info->how) {
    case BITS:
        decode_bits(page, first, count, to);
        break;
    case SPLIT:
    case SPLIT_ZIGZAG:
    case SPLIT_DELTA:
        decode_split(column->bits, page + first, elements, count, info->how == SPLIT_ZIGZAG, is_past, to);
        break;
    case HALF:
    case SPLIT_HALF:
        for (size_t i = 0; i < count; i += CHUNK) {
            size_t part = count - i < CHUNK ? count - i : CHUNK;
            if (info->how == HALF)
                memcpy(half, page + 2 * (first + i), 2 * part);
            else
                split_16(page + first + i, elements, part, false, false, half);
            decode_half(half, part, (uint32_t *)to + i);
        }
        break;
    case TRUNCATED:
        decode_truncated(column, page, size, first, count, to);
        break;
    case QUANTISED:
        for (size_t i = 0; i < count; i++) {
            double value = quantum(column, packed_bits(page, size, (uint64_t)(first + i) * bits, bits));
            if (type == HQ_FLOAT64)
                ((double *)to)[i] = value;
            else
                ((float *)to)[i] = (float)value;
        }
        break;
    default:
        copy(to, page + first * width, count * width, is_past);
    }
}

static int64_t integer_at(hq_type type, const void *values, size_t i)
{
    switch (type) {
    case HQ_INT8:
        return ((const int8_t *)values)[i];
    case HQ_INT16:
        return ((const int16_t *)values)[i];
    case HQ_UINT16:
        return ((const uint16_t *)values)[i];
    case HQ_INT32:
        return ((const int32_t *)values)[i];
    case HQ_UINT32:
        return ((const uint32_t *)values)[i];
    case HQ_INT64:
    case HQ_UINT64:
        return ((const int64_t *)values)[i];
    default:
        return ((const uint8_t *)values)[i];
    }
}

/* From the type that the column has to the one that its field has: as page_can_become allows. */
static void convert(hq_type from, const void *values, size_t count, hq_type to, void *values_r)
{
    for (size_t i = 0; i < count; i++) {
        if (from == HQ_FLOAT32) {
            ((double *)values_r)[i] = ((const float *)values)[i];
            continue;
        }
        if (from == HQ_FLOAT64) {
            ((float *)values_r)[i] = (float)((const double *)values)[i];
            continue;
        }
        int64_t value = integer_at(from, values, i);
        memcpy((uint8_t *)values_r + i * hq_type_size(to), &value, hq_type_size(to));
    }
}

void page_numbers(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                  hq_type type, bool is_past, void *values_r)
{
    const type_info *info = info_of(column);
    if (info->type == type || (info->how == QUANTISED && type == HQ_FLOAT64)) {
        decode(column, page, elements, first, count, type, is_past, values_r);
        return;
    }
    uint64_t chunk[CHUNK];
    for (size_t i = 0; i < count; i += CHUNK) {
        size_t part = count - i < CHUNK ? count - i : CHUNK;
        decode(column, page, elements, first + i, part, info->type, false, chunk);
        convert(info->type, chunk, part, type, (uint8_t *)values_r + i * hq_type_size(type));
    }
}

/* --- Indices --- */

static bool is_delta(const hq_nt_column *column)
{
    return info_of(column)->how == SPLIT_DELTA;
}

/* Elements of an index as they stand in the page, differences or not, all as 64 bits. */
static void raw_ends(const hq_nt_column *column, const uint8_t *page, uint32_t elements, size_t first, size_t count,
                     uint64_t *to)
{
    bool is_plain = info_of(column)->how == PLAIN;
    uint32_t narrow[CHUNK];
    if (column->bits == 64 && is_plain)
        memcpy(to, page + first * sizeof *to, count * sizeof *to);
    else if (column->bits == 64)
        split_64(page + first, elements, count, false, false, to);
    if (column->bits == 64)
        return;
    if (is_plain)
        memcpy(narrow, page + first * sizeof *narrow, count * sizeof *narrow);
    else
        split_32(page + first, elements, count, false, false, narrow);
    for (size_t i = 0; i < count; i++)
        to[i] = narrow[i];
}

/* The sum of the differences before an element. */
static uint64_t sum_before(const hq_nt_column *column, const uint8_t *page, uint32_t elements, size_t index)
{
    uint64_t sum = 0, chunk[CHUNK];
    for (size_t i = 0; is_delta(column) && i < index; i += CHUNK) {
        size_t part = index - i < CHUNK ? index - i : CHUNK;
        raw_ends(column, page, elements, i, part, chunk);
        for (size_t j = 0; j < part; j++)
            sum += chunk[j];
    }
    return sum;
}

uint64_t page_end(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t index)
{
    uint64_t end;
    raw_ends(column, page, elements, index, 1, &end);
    return end + sum_before(column, page, elements, index);
}

/* Gives the ends in chunks: sums, checked. */
static bool next_ends(const hq_nt_column *column, const uint8_t *page, uint32_t elements, size_t first, size_t count,
                      uint64_t *sum_p, hq_ends *ends, uint64_t *chunk)
{
    raw_ends(column, page, elements, first, count, chunk);
    uint64_t last = ends->last, sum = *sum_p;
    bool is_wrong = false;
    if (is_delta(column))
        for (size_t i = 0; i < count; i++)
            chunk[i] = sum += chunk[i];
    for (size_t i = 0; i < count; i++) {
        is_wrong |= chunk[i] < last;
        last = chunk[i];
    }
    *sum_p = sum;
    ends->last = last;
    return !is_wrong && last <= ends->most;
}

bool page_offsets(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                  hq_ends *ends, uint32_t *offsets_r)
{
    uint64_t chunk[CHUNK], sum = sum_before(column, page, elements, first);
    for (size_t i = 0; i < count; i += CHUNK) {
        size_t part = count - i < CHUNK ? count - i : CHUNK;
        if (!next_ends(column, page, elements, first + i, part, &sum, ends, chunk))
            return false;
        for (size_t j = 0; j < part; j++)
            offsets_r[i + j] = (uint32_t)(ends->base + (chunk[j] - ends->start));
    }
    uint64_t end;
    return !__builtin_add_overflow(ends->last - ends->start, ends->base, &end) && end <= UINT32_MAX;
}

void ends_to_counts(const uint32_t *offsets, uint64_t lists, hq_type type, void *counts_r)
{
    uint64_t *wide = counts_r;
    uint32_t *narrow = counts_r;
    if (hq_type_size(type) == sizeof *wide)
        for (uint64_t i = 0; i < lists; i++)
            wide[i] = offsets[i + 1] - offsets[i];
    else
        for (uint64_t i = 0; i < lists; i++)
            narrow[i] = offsets[i + 1] - offsets[i];
}

/* The differences of ends, the first from what is before them; as above. */
static void store_counts(const uint64_t *ends, size_t count, uint64_t before, bool is_wide, void *to)
{
    uint64_t *wide = to;
    uint32_t *narrow = to;
    if (is_wide) {
        wide[0] = ends[0] - before;
        for (size_t i = 1; i < count; i++)
            wide[i] = ends[i] - ends[i - 1];
    } else {
        narrow[0] = (uint32_t)(ends[0] - before);
        for (size_t i = 1; i < count; i++)
            narrow[i] = (uint32_t)(ends[i] - ends[i - 1]);
    }
}

bool page_counts(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                 hq_ends *ends, hq_type type, void *values_r)
{
    uint64_t chunk[CHUNK], sum = sum_before(column, page, elements, first);
    size_t width = hq_type_size(type);
    for (size_t i = 0; i < count; i += CHUNK) {
        size_t part = count - i < CHUNK ? count - i : CHUNK;
        uint64_t before = ends->last;
        if (!next_ends(column, page, elements, first + i, part, &sum, ends, chunk))
            return false;
        store_counts(chunk, part, before, width == sizeof *chunk, (uint8_t *)values_r + i * width);
    }
    return true;
}
