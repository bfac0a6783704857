#include "data/checksum.h"

#include <string.h>
#if HQ_XXH3_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

enum { LINE = 64, AHEAD = 4096 };

static const uint64_t prime[5] = {UINT64_C(0x9E3779B185EBCA87), UINT64_C(0xC2B2AE3D27D4EB4F),
                                  UINT64_C(0x165667B19E3779F9), UINT64_C(0x85EBCA77C2B2AE63),
                                  UINT64_C(0x27D4EB2F165667C5)};

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t round_of(uint64_t lane, const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word); /* little-endian, as the machine */
    return rotate(lane + word * prime[1], 31) * prime[0];
}

/* Half a line, 8 bytes a lane. */
static inline void add_stripe(uint64_t lanes[4], const uint8_t *from)
{
    for (int i = 0; i < 4; i++)
        lanes[i] = round_of(lanes[i], from + 8 * i);
}

/* All whole stripes; gives where they end. */
static const uint8_t *add_stripes(uint64_t lanes_p[4], const uint8_t *at, const uint8_t *end)
{
    uint64_t lanes[4];
    memcpy(lanes, lanes_p, sizeof lanes);
    for (; end - at >= AHEAD + LINE; at += LINE) {
        __builtin_prefetch(at + AHEAD);
        add_stripe(lanes, at);
        add_stripe(lanes, at + LINE / 2);
    }
    for (; end - at >= LINE / 2; at += LINE / 2)
        add_stripe(lanes, at);
    memcpy(lanes_p, lanes, sizeof lanes);
    return at;
}

static uint64_t join_lanes(const uint64_t lanes[4])
{
    uint64_t sum = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++)
        sum = (sum ^ rotate(lanes[i] * prime[1], 31) * prime[0]) * prime[0] + prime[3];
    return sum;
}

/* What is less than a stripe, and the last mixing. */
static uint64_t finish(uint64_t sum, const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 8; at += 8)
        sum = rotate(sum ^ round_of(0, at), 27) * prime[0] + prime[3];
    if (end - at >= 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        sum = rotate(sum ^ word * prime[0], 23) * prime[1] + prime[2];
        at += 4;
    }
    for (; at < end; at++)
        sum = rotate(sum ^ *at * prime[4], 11) * prime[0];
    sum = (sum ^ sum >> 33) * prime[1];
    sum = (sum ^ sum >> 29) * prime[2];
    return sum ^ sum >> 32;
}

uint64_t checksum_xxh64(const void *data, size_t size)
{
    const uint8_t *at = data, *end = at + size;
    uint64_t sum = prime[4];
    if (size >= LINE / 2) {
        uint64_t lanes[4] = {prime[0] + prime[1], prime[1], 0, 0 - prime[0]};
        at = add_stripes(lanes, at, end);
        sum = join_lanes(lanes);
    }
    return finish(sum + size, at, end);
}

uint64_t checksum_xxh3(const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t line = 0; size > AHEAD && line < size; line += LINE)
        __builtin_prefetch(at + line);
    return XXH3_64bits(data, size);
}
