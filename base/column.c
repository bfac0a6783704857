#include "base/column.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { PADDING = 64 };

static const struct {
    const char *name;
    size_t size;
} types[HQ_TYPE_COUNT] = {
    [HQ_BOOL] = {"bool", 1},       [HQ_INT8] = {"int8", 1},       [HQ_UINT8] = {"uint8", 1},
    [HQ_INT16] = {"int16", 2},     [HQ_UINT16] = {"uint16", 2},   [HQ_INT32] = {"int32", 4},
    [HQ_UINT32] = {"uint32", 4},   [HQ_INT64] = {"int64", 8},     [HQ_UINT64] = {"uint64", 8},
    [HQ_FLOAT32] = {"float32", 4}, [HQ_FLOAT64] = {"float64", 8},
};

const char *hq_type_name(hq_type type)
{
    return (unsigned)type < HQ_TYPE_COUNT ? types[type].name : "unknown";
}

size_t hq_type_size(hq_type type)
{
    return (unsigned)type < HQ_TYPE_COUNT ? types[type].size : 0;
}

hq_column *column_new(hq_type type, uint64_t entries, uint64_t value_count, int is_jagged, size_t limit)
{
    size_t values, offset_count = 0, offsets = 0;
    if (__builtin_mul_overflow(value_count, hq_type_size(type), &values) || values > limit || values > SIZE_MAX / 2)
        return NULL;
    if (is_jagged && (value_count > UINT32_MAX || __builtin_add_overflow(entries, 1, &offset_count) ||
                      __builtin_mul_overflow(offset_count, sizeof(uint32_t), &offsets)))
        return NULL;
    if (offsets > limit - values)
        return NULL;
    hq_column *column = hq_calloc(1, sizeof *column);
    *column = (hq_column){.type = type, .entries = entries, .value_count = value_count};
    size_t padded = (values + PADDING + 63) / 64 * 64;
    column->values = hq_memory_take(padded);
    hq_memory_in_large_pages(column->values, padded);
    column->offsets = offsets ? hq_try_alloc(offsets, limit - values) : NULL;
    column->bytes = padded + offsets + sizeof *column;
    if (!column->values || (offsets && !column->offsets)) {
        column_free(&column);
        return NULL;
    }
    memset((char *)column->values + values, 0, padded - values);
    return column;
}

static bool add_level(hq_column *column, uint64_t count, size_t limit)
{
    size_t offsets, bytes;
    if (count >= UINT32_MAX || __builtin_mul_overflow(count + 1, sizeof(uint32_t), &offsets) ||
        __builtin_add_overflow(column->bytes, offsets, &bytes) || bytes - column->bytes > limit)
        return false;
    hq_lists *level = &column->inner[column->inner_count++];
    *level = (hq_lists){.count = count, .offsets = hq_try_alloc(offsets, limit)};
    column->bytes = bytes;
    return level->offsets != NULL;
}

hq_column *column_new_deep(hq_type type, uint64_t entries, const uint64_t *inner, size_t inner_count,
                           uint64_t value_count, size_t limit)
{
    hq_column *column = column_new(type, entries, value_count, true, limit);
    if (!column || inner_count == 0)
        return column;
    size_t left = column->bytes < limit ? limit - column->bytes : 0;
    column->inner = hq_calloc(inner_count, sizeof *column->inner);
    for (size_t i = 0; i < inner_count; i++) {
        size_t before = column->bytes;
        if (!add_level(column, inner[i], left)) {
            column_free(&column);
            return NULL;
        }
        left -= column->bytes - before;
    }
    return column;
}

unsigned column_depth(const hq_column *column)
{
    return column->offsets ? 1 + column->inner_count : 0;
}

void column_free(hq_column **column_p)
{
    hq_column *column = *column_p;
    if (!column)
        return;
    hq_memory_give(column->values);
    free(column->offsets);
    for (uint32_t i = 0; i < column->inner_count; i++)
        free(column->inner[i].offsets);
    free(column->inner);
    free(column);
    *column_p = NULL;
}
