#include "data/basket.h"

/* Plain loops over memcpy'd loads: compilers turn them into byte shuffles of whole vectors. */

static void swap_16(uint16_t *restrict to, const uint8_t *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = load_u16(from + 2 * i);
}

static void swap_32(uint32_t *restrict to, const uint8_t *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = load_u32(from + 4 * i);
}

static void swap_64(uint64_t *restrict to, const uint8_t *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = load_u64(from + 8 * i);
}

static void to_bool(uint8_t *restrict to, const uint8_t *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] != 0;
}

void values_from_big_endian(hq_type type, void *to, const uint8_t *from, size_t count)
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
