#include "data/basket.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/basket_load.h"

enum {
    VECTOR_COUNT_AT = 6, /* in the header of a vector's entry */
    EXPECTED = 4,        /* headers are asked for so many baskets ahead */
};

/* The part of a column that lies in one basket. */
typedef struct hq_part {
    uint64_t first, last;
} hq_part;

static hq_part part_of(const hq_basket *basket, uint64_t first, uint64_t last)
{
    return (hq_part){basket->first > first ? basket->first : first, basket->last < last ? basket->last : last};
}

/* Says where the next basket's data may go as they are, to be decoded in their place: from a column's value on, of
 * which so many follow. Numbers that do not have the column's size cannot be. */
static void aim(hq_reader *reader, const hq_column *column, uint64_t value)
{
    size_t size = hq_type_size(column->type);
    bool is_possible = reader->plan->number.packing == PACKED_NOT && reader->plan->number.size == size;
    reader->into = is_possible ? (uint8_t *)column->values + value * size : NULL;
    reader->into_room = is_possible ? (column->value_count - value) * size : 0;
}

/* Decodes a basket's values, which may lie where the column wanted them. */
static void decode_values(const hq_reader *reader, uint8_t *to, const uint8_t *from, const hq_loaded *loaded,
                          size_t count)
{
    if (!reader->into || loaded->data != reader->into) {
        number_decode(&reader->plan->number, to, from, count);
        return;
    }
    if (from != to)
        memmove(to, from, count * reader->plan->number.size);
    if (!loaded->is_native)
        number_swap(reader->plan->type, to, count);
}

/* Flat and fixed columns. */

typedef struct flat_target {
    hq_column *column;
    uint64_t first, last;
} flat_target;

static hq_error use_flat(hq_reader *reader, hq_loaded *loaded, void *context)
{
    const flat_target *target = context;
    const hq_plan *plan = reader->plan;
    const hq_basket *basket = loaded->basket;
    size_t value_size = hq_type_size(plan->type), raw_size = plan->number.size;
    if ((basket->last - basket->first) != loaded->border / plan->record_size || loaded->border % plan->record_size != 0)
        return reader_damaged(reader, basket, "its size does not fit its number of entries");
    hq_part part = part_of(basket, target->first, target->last);
    const uint8_t *from = loaded->data + (part.first - basket->first) * plan->record_size + plan->record_at;
    uint8_t *to = (uint8_t *)target->column->values + (part.first - target->first) * plan->length * value_size;
    uint64_t entries = part.last - part.first;
    if (plan->record_size == plan->length * raw_size) {
        decode_values(reader, to, from, loaded, entries * plan->length);
        aim(reader, target->column, (part.last - target->first) * plan->length);
        return HQ_OK;
    }
    for (uint64_t i = 0; i < entries; i++)
        number_decode(&plan->number, to + i * plan->length * value_size, from + i * plan->record_size, plan->length);
    return HQ_OK;
}

/* Lists that all have the same length. */
static void fill_offsets(uint32_t *offsets, uint64_t lists, uint32_t length)
{
    for (uint64_t i = 0; i <= lists; i++)
        offsets[i] = (uint32_t)(i * length);
}

/* Room for a column whose inner levels are the last inner_count of the plan's dimensions, filled in; outer says how
 * many lists of the first of them there are. Entries that are lists of one length have their offsets filled in too. */
static hq_column *new_regular(const hq_plan *plan, uint64_t entries, uint32_t entry_length, uint64_t outer,
                              size_t inner_count, uint64_t values, size_t limit)
{
    uint64_t inner[MAX_DIMENSIONS];
    const uint32_t *dimensions = plan->dimensions + (plan->dimension_count - inner_count);
    inner[0] = outer * (entry_length ? entry_length : 1);
    for (size_t i = 1; i < inner_count; i++)
        inner[i] = inner[i - 1] * dimensions[i - 1];
    hq_column *column = inner_count > 0 ? column_new_deep(plan->type, entries, inner, inner_count, values, limit)
                                        : column_new(plan->type, entries, values, plan->depth > 0, limit);
    for (size_t i = 0; column && i < inner_count; i++)
        fill_offsets(column->inner[i].offsets, inner[i], dimensions[i]);
    if (column && entry_length)
        fill_offsets(column->offsets, entries, entry_length);
    return column;
}

/* Before there is memory for a column: that its baskets are large enough to hold the entries that they are said to. */
static hq_error check_sizes(const hq_reader *reader, const hq_basket *baskets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const hq_basket *basket = &baskets[i];
        uint64_t entries = basket->last - basket->first, most;
        most = basket->embedded ? basket->border : basket->size * (uint64_t)INFLATER_MOST;
        if (entries > most / reader->plan->record_size)
            return reader_damaged(reader, basket, "it is too small for its number of entries");
    }
    return HQ_OK;
}

static hq_error read_flat(hq_reader *reader, const hq_basket *baskets, size_t count, uint64_t first, uint64_t last,
                          hq_column **column_r)
{
    hq_error error = check_sizes(reader, baskets, count);
    if (error)
        return error;
    const hq_plan *plan = reader->plan;
    uint64_t entries = last - first, values;
    if (__builtin_mul_overflow(entries, plan->length, &values))
        return reader_too_large(reader, UINT64_MAX);
    hq_column *column = new_regular(plan, entries, plan->dimension_count > 0 ? plan->dimensions[0] : 0, entries,
                                    plan->dimension_count > 0 ? plan->dimension_count - 1 : 0, values, reader->left);
    if (!column)
        return reader_too_large(reader, values);
    reader->left -= column->bytes < reader->left ? column->bytes : reader->left;
    flat_target target = {column, first, last};
    if (plan->record_size == plan->length * plan->number.size)
        aim(reader, column, 0);
    error = reader_each_basket(reader, baskets, count, false, use_flat, &target);
    if (error)
        column_free(&column);
    else
        *column_r = column;
    return error;
}

/* Counted columns and vectors. */

typedef struct jagged_target {
    const hq_plan *counter_plan;
    const hq_basket *baskets;
    size_t basket_count;
    uint64_t first, last;
    uint32_t *offsets;
    hq_column *counts; /* read when the first basket without offsets comes */
    uint64_t values;
    hq_loaded *kept;
    size_t kept_count;
} jagged_target;

static int64_t count_at(const hq_column *counts, uint64_t index)
{
    switch (counts->type) {
    case HQ_BOOL:
    case HQ_UINT8:
        return ((const uint8_t *)counts->values)[index];
    case HQ_INT8:
        return ((const int8_t *)counts->values)[index];
    case HQ_INT16:
        return ((const int16_t *)counts->values)[index];
    case HQ_UINT16:
        return ((const uint16_t *)counts->values)[index];
    case HQ_INT32:
        return ((const int32_t *)counts->values)[index];
    case HQ_UINT32:
        return ((const uint32_t *)counts->values)[index];
    case HQ_INT64:
    case HQ_UINT64:
        return ((const int64_t *)counts->values)[index];
    default:
        return -1;
    }
}

/* The counter's values for all entries of the baskets, from the first of the first one on. */
static hq_error read_counts(hq_reader *reader, const hq_basket *basket, jagged_target *target)
{
    if (target->counts)
        return HQ_OK;
    if (!target->counter_plan)
        return hq_fail(reader->reason, HQ_EUNSUPPORTED,
                       "%s: tree %s: branch %s: basket at offset %" PRIu64
                       " has no offsets, and its counter is no column",
                       reader->place->file->source.name, reader->place->tree, reader->plan->name, basket->seek);
    hq_error error = basket_read_column(reader->place, target->counter_plan, NULL, target->baskets[0].first,
                                        target->baskets[target->basket_count - 1].last, reader->left, &target->counts,
                                        reader->reason);
    if (!error && target->counts)
        reader->left -= target->counts->bytes < reader->left ? target->counts->bytes : reader->left;
    return error;
}

static const char outside[] = "an entry leads out of it",
                  uneven[] = "an entry whose size does not fit its number of values";

/* The three ways of finding where a basket's entries begin. Each sets from, writes the offsets behind each of the
 * part's entries, the first of which has base values before it, and gives NULL or what is wrong with the basket. */

/* From the basket's own table, where it has one and an entry is nothing but its values. The loop is free of branches,
 * so that it runs over whole vectors. */
HQ_WIDE static const char *find_by_table(const hq_plan *plan, hq_loaded *loaded, hq_part part, uint64_t base,
                                         uint32_t *offsets_r)
{
    uint64_t entries = loaded->basket->last - loaded->basket->first;
    uint64_t first = part.first - loaded->basket->first, count = part.last - part.first;
    const uint8_t *table = loaded->offsets + 4 * first;
    uint32_t origin = loaded->origin, border = loaded->border, from = load_u32(table) - origin;
    /* Three bytes, a packed float, are no power of two: their number is found in a loop of its own. */
    uint32_t size = plan->number.size;
    unsigned shift = size & (size - 1) ? 0 : (unsigned)__builtin_ctz(size);
    /* The table's end is not to be relied on: the last entry ends with the data. */
    uint64_t inner = first + count == entries ? count - 1 : count;
    uint32_t is_outside = from > border, rest = 0;
    for (uint64_t i = 1; i <= inner; i++) {
        uint32_t before = load_u32(table + 4 * (i - 1)) - origin, at = load_u32(table + 4 * i) - origin;
        is_outside |= (at < before) | (at > border);
        rest |= at - from;
        offsets_r[i - 1] = (uint32_t)base + ((at - from) >> shift);
    }
    if (inner < count) {
        is_outside |= load_u32(table + 4 * inner) - origin > border;
        rest |= border - from;
        offsets_r[count - 1] = (uint32_t)base + ((border - from) >> shift);
    }
    loaded->from = from;
    if (is_outside)
        return outside;
    if (rest & ((1u << shift) - 1))
        return uneven;
    if (size & (size - 1))
        for (uint64_t i = 0; i < count; i++) {
            uint32_t bytes = offsets_r[i] - (uint32_t)base;
            if (bytes % size != 0)
                return uneven;
            offsets_r[i] = (uint32_t)base + bytes / size;
        }
    for (uint64_t i = 0; plan->length > 1 && i < count; i++)
        if ((offsets_r[i] - (uint32_t)base) % plan->length != 0)
            return uneven;
    return NULL;
}

/* From the counter's values, counts, for all of the basket's entries. */
static const char *find_by_counts(const hq_plan *plan, hq_loaded *loaded, hq_part part, uint64_t base,
                                  const hq_column *counts, uint64_t at_count, uint32_t *offsets_r)
{
    uint64_t before = 0, values = 0, most = loaded->border / plan->number.size;
    const hq_basket *basket = loaded->basket;
    for (uint64_t entry = basket->first; entry < part.last; entry++) {
        int64_t count = count_at(counts, at_count + (entry - basket->first));
        if (count < 0 || (uint64_t)count > most)
            return outside;
        if (entry == part.first)
            before = values;
        values += (uint64_t)count * plan->length;
        if (values > most)
            return outside;
        if (entry >= part.first)
            offsets_r[entry - part.first] = (uint32_t)(base + values - before);
    }
    loaded->from = (uint32_t)(before * plan->number.size);
    return NULL;
}

/* From the header that a vector has before its values in each entry. */
static const char *find_by_headers(const hq_plan *plan, hq_loaded *loaded, hq_part part, uint64_t base,
                                   uint32_t *offsets_r)
{
    const hq_basket *basket = loaded->basket;
    size_t size = hq_type_size(plan->type);
    uint64_t at = 0, values = 0, border = loaded->border;
    for (uint64_t entry = basket->first; entry < part.last; entry++) {
        if (border - at < plan->header_size)
            return outside;
        if (loaded->offsets && load_u32(loaded->offsets + 4 * (entry - basket->first)) - loaded->origin != at)
            return uneven;
        if (entry == part.first)
            loaded->from = (uint32_t)at;
        uint64_t count = load_u32(loaded->data + at + VECTOR_COUNT_AT);
        at += plan->header_size;
        if (count > (border - at) / size)
            return outside;
        at += count * size;
        if (entry < part.first)
            continue;
        values += count;
        offsets_r[entry - part.first] = (uint32_t)(base + values);
    }
    return NULL;
}

/* Finds how many values the basket's entries have. */
static hq_error find_entries(hq_reader *reader, hq_loaded *loaded, jagged_target *target)
{
    const hq_plan *plan = reader->plan;
    const hq_basket *basket = loaded->basket;
    hq_part part = part_of(basket, target->first, target->last);
    uint32_t *offsets = target->offsets + (part.first - target->first) + 1;
    const char *wrong;
    if (plan->shape == SHAPE_VECTOR) {
        wrong = find_by_headers(plan, loaded, part, target->values, offsets);
    } else if (loaded->offsets) {
        wrong = find_by_table(plan, loaded, part, target->values, offsets);
    } else {
        hq_error error = read_counts(reader, basket, target);
        if (error)
            return error;
        wrong = find_by_counts(plan, loaded, part, target->values, target->counts,
                               basket->first - target->baskets[0].first, offsets);
    }
    if (wrong)
        return reader_damaged(reader, basket, wrong);
    /* A basket has less than 2^32 values, so the sum wraps at most once. */
    uint64_t added = (uint32_t)(offsets[part.last - part.first - 1] - (uint32_t)target->values);
    target->values += added;
    if (target->values > UINT32_MAX)
        return reader_too_large(reader, target->values * hq_type_size(plan->type));
    return HQ_OK;
}

static hq_error use_jagged(hq_reader *reader, hq_loaded *loaded, void *context)
{
    jagged_target *target = context;
    target->kept[target->kept_count++] = *loaded;
    return find_entries(reader, &target->kept[target->kept_count - 1], target);
}

/* The values of one basket, now that there is a column for them. Its entries lie without gaps. */
static void copy_values(const hq_plan *plan, const jagged_target *target, const hq_loaded *loaded, hq_column *column)
{
    size_t value_size = hq_type_size(plan->type);
    hq_part part = part_of(loaded->basket, target->first, target->last);
    const uint32_t *offsets = target->offsets + (part.first - target->first);
    uint64_t entries = part.last - part.first;
    const uint8_t *from = loaded->data + loaded->from;
    uint8_t *to = column->values;
    if (plan->header_size == 0) {
        number_decode(&plan->number, to + offsets[0] * value_size, from, offsets[entries] - offsets[0]);
        return;
    }
    for (uint64_t i = 0; i < entries; i++) {
        size_t count = offsets[i + 1] - offsets[i];
        from += plan->header_size;
        number_decode(&plan->number, to + offsets[i] * value_size, from, count);
        from += count * value_size;
    }
}

/* How many values whole baskets have, as their headers say, which are not compressed: then their column can be made
 * before any of them is decompressed. False if the headers cannot tell, or are damaged, or it is not worth while: a
 * server's bytes are asked for only once. */
static bool count_by_headers(const hq_reader *reader, const hq_basket *baskets, size_t count, uint64_t first,
                             uint64_t last, uint64_t *values_r)
{
    const hq_plan *plan = reader->plan;
    if (plan->shape != SHAPE_COUNTED || plan->length != 1 || plan->dimension_count > 0 ||
        source_is_remote(&reader->place->file->source) || count == 0 || baskets[0].first != first ||
        baskets[count - 1].last != last)
        return false;
    uint64_t values = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t size;
        if (i + EXPECTED < count)
            reader_expect(reader, &baskets[i + EXPECTED]);
        if (!reader_peek(reader, &baskets[i], &size))
            return false;
        values += size / plan->number.size;
    }
    *values_r = values;
    return values <= UINT32_MAX;
}

typedef struct direct_target {
    jagged_target jagged; /* whose offsets are the column's own */
    hq_column *column;
} direct_target;

static hq_error use_direct(hq_reader *reader, hq_loaded *loaded, void *context)
{
    direct_target *target = context;
    hq_column *column = target->column;
    uint64_t before = target->jagged.values;
    hq_error error = find_entries(reader, loaded, &target->jagged);
    if (error)
        return error;
    if (target->jagged.values > column->value_count)
        return reader_damaged(reader, loaded->basket, uneven);
    uint8_t *to = (uint8_t *)column->values + before * hq_type_size(column->type);
    decode_values(reader, to, loaded->data + loaded->from, loaded, target->jagged.values - before);
    aim(reader, column, target->jagged.values);
    return HQ_OK;
}

/* Each basket is decompressed once, mostly into the column itself. */
static hq_error read_direct(hq_reader *reader, const hq_plan *counter, const hq_basket *baskets, size_t count,
                            uint64_t first, uint64_t last, uint64_t values, hq_column **column_r)
{
    hq_column *column = column_new(reader->plan->type, last - first, values, true, reader->left);
    if (!column)
        return reader_too_large(reader, values * hq_type_size(reader->plan->type));
    reader->left -= column->bytes < reader->left ? column->bytes : reader->left;
    direct_target target = {.jagged = {.counter_plan = counter,
                                       .baskets = baskets,
                                       .basket_count = count,
                                       .first = first,
                                       .last = last,
                                       .offsets = column->offsets},
                            .column = column};
    column->offsets[0] = 0;
    aim(reader, column, 0);
    hq_error error = reader_each_basket(reader, baskets, count, false, use_direct, &target);
    column_free(&target.jagged.counts);
    if (error) {
        column_free(&column);
        return error;
    }
    column->value_count = target.jagged.values; /* a counter may speak of fewer than there are */
    *column_r = column;
    return HQ_OK;
}

static hq_error read_jagged(hq_reader *reader, const hq_plan *counter, const hq_basket *baskets, size_t count,
                            uint64_t first, uint64_t last, hq_column **column_r)
{
    jagged_target target = {
        .counter_plan = counter, .baskets = baskets, .basket_count = count, .first = first, .last = last};
    hq_error error;
    size_t offsets_size;
    uint64_t values;
    if (count_by_headers(reader, baskets, count, first, last, &values))
        return read_direct(reader, counter, baskets, count, first, last, values, column_r);
    if (__builtin_mul_overflow(last - first + 1, sizeof *target.offsets, &offsets_size))
        return reader_too_large(reader, UINT64_MAX);
    target.offsets = hq_try_alloc(offsets_size, reader->left);
    if (!target.offsets)
        return reader_too_large(reader, offsets_size);
    reader->left -= offsets_size;
    target.offsets[0] = 0;
    target.kept = hq_calloc(count, sizeof *target.kept);
    error = reader_each_basket(reader, baskets, count, true, use_jagged, &target);
    if (error)
        goto done;
    const hq_plan *plan = reader->plan;
    hq_column *column = new_regular(plan, last - first, 0, target.values / plan->length, plan->dimension_count,
                                    target.values, reader->left);
    if (!column) {
        error = reader_too_large(reader, target.values * hq_type_size(plan->type));
        goto done;
    }
    if (plan->length == 1)
        memcpy(column->offsets, target.offsets, offsets_size);
    for (uint64_t i = 0; plan->length > 1 && i <= last - first; i++)
        column->offsets[i] = target.offsets[i] / plan->length; /* of items, each of so many values */
    for (size_t i = 0; i < target.kept_count; i++)
        copy_values(reader->plan, &target, &target.kept[i], column);
    *column_r = column;
done:
    for (size_t i = 0; i < target.kept_count; i++)
        free(target.kept[i].owned);
    free(target.kept);
    free(target.offsets);
    column_free(&target.counts);
    return error;
}

/* Streamed columns. */

typedef struct streamed_target {
    uint64_t first, last;
    hq_harvest harvest;
    hq_loaded *kept;
    size_t kept_count;
} streamed_target;

/* Walks the entries of one basket that are wanted. */
static hq_error walk_basket(const hq_reader *reader, const hq_loaded *loaded, streamed_target *target)
{
    const hq_basket *basket = loaded->basket;
    hq_part part = part_of(basket, target->first, target->last);
    hq_bytes bytes = bytes_over(loaded->data, loaded->border);
    bool has_table = loaded->offsets != NULL;
    for (uint64_t entry = has_table ? part.first : basket->first; entry < part.last && !bytes.wrong; entry++) {
        if (has_table) {
            const uint8_t *at = loaded->offsets + 4 * (entry - basket->first);
            uint64_t begin = load_u32(at) - loaded->origin;
            uint64_t end = entry + 1 < basket->last ? load_u32(at + 4) - loaded->origin : loaded->border;
            if (begin > end || end > loaded->border)
                return reader_damaged(reader, basket, outside);
            bytes = bytes_over(loaded->data, (size_t)end);
            bytes.at = (size_t)begin;
        }
        objects_walk(reader->plan->path, &bytes, has_table, entry < part.first ? NULL : &target->harvest);
        if (bytes.wrong) {
            char what[256];
            snprintf(what, sizeof what, "entry %" PRIu64 ", byte %zu of the basket's data: %s", entry, bytes.wrong_at,
                     bytes.wrong);
            return reader_damaged(reader, basket, what);
        }
    }
    return HQ_OK;
}

/* Counts what the basket has, and keeps it. */
static hq_error use_streamed(hq_reader *reader, hq_loaded *loaded, void *context)
{
    streamed_target *target = context;
    target->kept[target->kept_count++] = *loaded;
    return walk_basket(reader, loaded, target);
}

static hq_error read_streamed(hq_reader *reader, const hq_basket *baskets, size_t count, uint64_t first, uint64_t last,
                              hq_column **column_r)
{
    const hq_plan *plan = reader->plan;
    streamed_target target = {.first = first, .last = last};
    target.kept = hq_calloc(count, sizeof *target.kept);
    hq_column *column = NULL;
    hq_error error = reader_each_basket(reader, baskets, count, true, use_streamed, &target);
    if (!error) {
        column = objects_column(plan->path, &target.harvest, last - first, reader->left);
        if (!column)
            error = reader_too_large(reader, target.harvest.values * hq_type_size(plan->type));
    }
    if (!error) {
        target.harvest = (hq_harvest){.column = column};
        for (size_t i = 0; i < target.kept_count && !error; i++)
            error = walk_basket(reader, &target.kept[i], &target);
    }
    for (size_t i = 0; i < target.kept_count; i++)
        free(target.kept[i].owned);
    free(target.kept);
    if (error)
        column_free(&column);
    else
        *column_r = column;
    return error;
}

/* The first basket that ends behind an entry. */
static size_t find_basket(const hq_branch *branch, uint64_t entry)
{
    size_t low = 0, high = branch->basket_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (branch->baskets[middle].last <= entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

hq_error basket_read_column(const hq_basket_place *place, const hq_plan *plan, const hq_plan *counter, uint64_t first,
                            uint64_t last, size_t limit, hq_column **column_r, hq_reason *reason)
{
    const hq_branch *branch = plan->branch;
    size_t begin = find_basket(branch, first), end = begin;
    while (first < last && end < branch->basket_count && branch->baskets[end].first < last)
        end++;
    hq_reader reader = {.place = place, .plan = plan, .left = limit, .inflater = inflater_new(), .reason = reason};
    hq_error error;
    if (plan->shape == SHAPE_FLAT || plan->shape == SHAPE_FIXED)
        error = read_flat(&reader, branch->baskets + begin, end - begin, first, last, column_r);
    else if (plan->shape == SHAPE_STREAMED)
        error = read_streamed(&reader, branch->baskets + begin, end - begin, first, last, column_r);
    else
        error = read_jagged(&reader, counter, branch->baskets + begin, end - begin, first, last, column_r);
    hq_reason late;
    reader.reason = error ? &late : reason; /* the first error tells more */
    hq_error ended = reader_end(&reader);
    if (!error && ended)
        column_free(column_r);
    return error ? error : ended;
}

void basket_stage_column(const hq_plan *plan, uint64_t first, uint64_t last, hq_staged *staged)
{
    const hq_branch *branch = plan->branch;
    for (size_t i = find_basket(branch, first); i < branch->basket_count && branch->baskets[i].first < last; i++)
        if (!branch->baskets[i].embedded)
            staged_want(staged, branch->baskets[i].seek, branch->baskets[i].size);
}
