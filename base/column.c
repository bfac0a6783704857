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
    column->values = aligned_alloc(64, padded);
    column->offsets = offsets ? malloc(offsets) : NULL;
    column->bytes = padded + offsets + sizeof *column;
    if (!column->values || (offsets && !column->offsets)) {
        column_free(&column);
        return NULL;
    }
    memset((char *)column->values + values, 0, padded - values);
    return column;
}

void column_free(hq_column **column_p)
{
    hq_column *column = *column_p;
    if (!column)
        return;
    free(column->values);
    free(column->offsets);
    free(column);
    *column_p = NULL;
}
