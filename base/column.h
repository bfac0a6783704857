/* base/column.h - a column of one partition, decompressed, in native byte order.
 *
 * Flat: values[i] belongs to entry i. Jagged: values[offsets[i]] up to values[offsets[i + 1]], exclusive, belong to
 * entry i. Lists of lists: lists offsets[i] up to offsets[i + 1] of the first inner level belong to entry i, and inner
 * offsets say in the same way which lists of the next level, or at last which values, belong to each of them. A column
 * is immutable once it has been handed on, so threads share it without locks.
 */
#ifndef HQ_BASE_COLUMN_H
#define HQ_BASE_COLUMN_H

#include <stddef.h>
#include <stdint.h>

typedef enum hq_type {
    HQ_BOOL, /* one byte, 0 or 1 */
    HQ_INT8,
    HQ_UINT8,
    HQ_INT16,
    HQ_UINT16,
    HQ_INT32,
    HQ_UINT32,
    HQ_INT64,
    HQ_UINT64,
    HQ_FLOAT32,
    HQ_FLOAT64,
    HQ_TYPE_COUNT
} hq_type;

/* NumPy's name: "bool", "int8" … "float64". */
const char *hq_type_name(hq_type type);
size_t hq_type_size(hq_type type);

enum { HQ_MAX_DEPTH = 4 /* lists within an entry, one in the other */ };

typedef struct hq_lists {
    uint64_t count;    /* of lists */
    uint32_t *offsets; /* count + 1 of them, the first 0 */
} hq_lists;

typedef struct hq_column {
    hq_type type;
    uint64_t entries;
    uint64_t value_count; /* entries if flat */
    uint32_t *offsets;    /* entries + 1 of them, the first 0; NULL if flat */
    hq_lists *inner;      /* inner_count of them, the outermost first; NULL if there are none */
    uint32_t inner_count; /* 0 for flat and jagged columns */
    void *values;         /* 64-byte aligned; 64 readable bytes follow the last value */
    size_t bytes;         /* what the column holds in memory, for a cache's accounts */
} hq_column;

/* Room for a column, values and offsets not set. NULL if it would hold more than limit bytes, or there is no such
 * memory; jagged columns have at most UINT32_MAX values. Release with column_free. */
hq_column *column_new(hq_type type, uint64_t entries, uint64_t value_count, int is_jagged, size_t limit);
void column_free(hq_column **column_p);

/* The same with inner levels, of so many lists each; inner_count is less than HQ_MAX_DEPTH. Offsets of all levels are
 * not set. */
hq_column *column_new_deep(hq_type type, uint64_t entries, const uint64_t *inner, size_t inner_count,
                           uint64_t value_count, size_t limit);
/* How deep its lists are, as hq_field has it. */
unsigned column_depth(const hq_column *column);

#endif
