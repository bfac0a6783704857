#include "data/xxhash.h"

#include <string.h>

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u,
                      P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u;

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t lane(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return rotate(sum + value * P2, 31) * P1;
}

static uint64_t fold(uint64_t hash, uint64_t sum)
{
    return (hash ^ mix(0, sum)) * P1 + P4;
}

/* The stripes of 32 bytes, four sums side by side. */
static uint64_t stripes(const uint8_t **at_p, const uint8_t *end)
{
    uint64_t sums[4] = {P1 + P2, P2, 0, 0 - P1};
    const uint8_t *at = *at_p;
    for (; end - at >= 32; at += 32)
        for (int i = 0; i < 4; i++)
            sums[i] = mix(sums[i], lane(at + 8 * i));
    *at_p = at;
    uint64_t hash = rotate(sums[0], 1) + rotate(sums[1], 7) + rotate(sums[2], 12) + rotate(sums[3], 18);
    for (int i = 0; i < 4; i++)
        hash = fold(hash, sums[i]);
    return hash;
}

uint64_t xxhash64(const void *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = at + size;
    uint64_t hash = (size >= 32 ? stripes(&at, end) : P5) + size;
    for (; end - at >= 8; at += 8)
        hash = rotate(hash ^ mix(0, lane(at)), 27) * P1 + P4;
    if (end - at >= 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        hash = rotate(hash ^ word * P1, 23) * P2 + P3;
        at += 4;
    }
    for (; at < end; at++)
        hash = rotate(hash ^ *at * P5, 11) * P1;
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}
