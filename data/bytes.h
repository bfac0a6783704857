/* data/bytes.h - a cursor over the big-endian bytes of a ROOT file.
 *
 * A cursor that was asked for more than it has, or that was told of a mistake with bytes_fail, turns bad: it keeps the
 * first reason and its place, gives zeros from then on and moves no further. A decoder therefore checks where it would
 * allocate, loop or recurse on what it read, and once at its end.
 */
#ifndef HQ_DATA_BYTES_H
#define HQ_DATA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "reading ROOT files is written for little-endian machines");

typedef struct hq_bytes {
    const uint8_t *base;
    size_t size, at;
    const char *wrong; /* what the first mistake was, a text that lives for ever; NULL as long as all is well */
    size_t wrong_at;
} hq_bytes;

static inline hq_bytes bytes_over(const void *base, size_t size)
{
    return (hq_bytes){.base = base, .size = size};
}

static inline void bytes_fail(hq_bytes *bytes, const char *wrong)
{
    if (!bytes->wrong) {
        bytes->wrong = wrong;
        bytes->wrong_at = bytes->at;
    }
}

static inline size_t bytes_left(const hq_bytes *bytes)
{
    return bytes->wrong ? 0 : bytes->size - bytes->at;
}

/* size bytes in place, or NULL and the cursor is bad. */
static inline const uint8_t *bytes_take(hq_bytes *bytes, size_t size)
{
    if (bytes_left(bytes) < size)
        bytes_fail(bytes, "the bytes end in the middle of a value");
    if (bytes->wrong)
        return NULL;
    const uint8_t *taken = bytes->base + bytes->at;
    bytes->at += size;
    return taken;
}

/* Moves to a place at or after the present one. */
static inline void bytes_move_to(hq_bytes *bytes, size_t place)
{
    if (!bytes->wrong && (place < bytes->at || place > bytes->size))
        bytes_fail(bytes, "an object is longer than its byte count");
    if (!bytes->wrong)
        bytes->at = place;
}

static inline uint16_t load_u16(const uint8_t *from)
{
    uint16_t raw;
    memcpy(&raw, from, sizeof raw);
    return __builtin_bswap16(raw);
}

static inline uint32_t load_u32(const uint8_t *from)
{
    uint32_t raw;
    memcpy(&raw, from, sizeof raw);
    return __builtin_bswap32(raw);
}

static inline uint64_t load_u64(const uint8_t *from)
{
    uint64_t raw;
    memcpy(&raw, from, sizeof raw);
    return __builtin_bswap64(raw);
}

static inline uint8_t bytes_u8(hq_bytes *bytes)
{
    const uint8_t *taken = bytes_take(bytes, 1);
    return taken ? *taken : 0;
}

static inline uint16_t bytes_u16(hq_bytes *bytes)
{
    const uint8_t *taken = bytes_take(bytes, 2);
    return taken ? load_u16(taken) : 0;
}

static inline uint32_t bytes_u32(hq_bytes *bytes)
{
    const uint8_t *taken = bytes_take(bytes, 4);
    return taken ? load_u32(taken) : 0;
}

static inline uint64_t bytes_u64(hq_bytes *bytes)
{
    const uint8_t *taken = bytes_take(bytes, 8);
    return taken ? load_u64(taken) : 0;
}

static inline int32_t bytes_i32(hq_bytes *bytes)
{
    return (int32_t)bytes_u32(bytes);
}

static inline double bytes_f64(hq_bytes *bytes)
{
    uint64_t raw = bytes_u64(bytes);
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

/* A file pointer: 8 bytes in the files and keys of more than 2 GiB, else 4. */
static inline uint64_t bytes_seek(hq_bytes *bytes, bool is_wide)
{
    return is_wide ? bytes_u64(bytes) : bytes_u32(bytes);
}

/* A TString: one byte of length, or 255 and four. The text stays in place and has no zero after it. */
static inline const char *bytes_text(hq_bytes *bytes, size_t *length_r)
{
    size_t length = bytes_u8(bytes);
    if (length == 255)
        length = bytes_u32(bytes);
    const uint8_t *text = bytes_take(bytes, length);
    *length_r = text ? length : 0;
    return text ? (const char *)text : "";
}

#endif
