#include "query/hist.h"

#include <endian.h>
#include <math.h>
#include <string.h>

struct hq_hist {
    char *name;
    hq_axis axes[HQ_MAX_AXES];
    size_t axis_count;
    hq_storage storage;
    size_t size;   /* bins of all axes, flow included */
    int64_t fills; /* of a weighted storage only: a count storage derives it */
    void *bins;    /* int64_t[size], or double[2 * size] */
};

static size_t bin_bytes(hq_storage storage)
{
    return storage == HQ_COUNT ? sizeof(int64_t) : 2 * sizeof(double);
}

size_t axes_size(const hq_axis *axes, size_t axis_count)
{
    size_t size = 1;
    for (size_t i = 0; i < axis_count; ++i)
        if (__builtin_mul_overflow(size, (size_t)axes[i].bins + 2, &size))
            return SIZE_MAX;
    return size;
}

/* Copies name and axes, takes the bins. */
static hq_hist *hist_around(void *bins, const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage)
{
    hq_hist *hist = hq_calloc(1, sizeof *hist);
    hist->name = hq_strdup(name ? name : "");
    for (size_t i = 0; i < axis_count; ++i) {
        hist->axes[i] = axes[i];
        hist->axes[i].name = hq_strdup(axes[i].name ? axes[i].name : "");
        hist->axes[i].label = hq_strdup(axes[i].label ? axes[i].label : "");
    }
    hist->axis_count = axis_count;
    hist->storage = storage;
    hist->size = axes_size(axes, axis_count);
    hist->bins = bins;
    return hist;
}

hq_hist *hist_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage)
{
    void *bins = hq_calloc(axes_size(axes, axis_count), bin_bytes(storage));
    return hist_around(bins, name, axes, axis_count, storage);
}

void hist_free(hq_hist **hist_p)
{
    hq_hist *hist = *hist_p;
    if (!hist)
        return;
    for (size_t i = 0; i < hist->axis_count; ++i) {
        free(hist->axes[i].name);
        free(hist->axes[i].label);
    }
    free(hist->name);
    free(hist->bins);
    free(hist);
    *hist_p = NULL;
}

const char *hist_name(const hq_hist *hist)
{
    return hist->name;
}

size_t hist_axis_count(const hq_hist *hist)
{
    return hist->axis_count;
}

const hq_axis *hist_axis(const hq_hist *hist, size_t index)
{
    return &hist->axes[index];
}

hq_storage hist_storage(const hq_hist *hist)
{
    return hist->storage;
}

size_t hist_size(const hq_hist *hist)
{
    return hist->size;
}

void *hist_bins(hq_hist *hist)
{
    return hist->bins;
}

const void *hist_bins_const(const hq_hist *hist)
{
    return hist->bins;
}

int64_t hist_entries(const hq_hist *hist)
{
    if (hist->storage == HQ_WEIGHTED)
        return hist->fills;
    const int64_t *counts = hist->bins;
    uint64_t sum = 0;
    for (size_t i = 0; i < hist->size; ++i)
        sum += (uint64_t)counts[i];
    return (int64_t)sum;
}

int64_t *hist_fills(hq_hist *hist)
{
    return &hist->fills;
}

uint32_t axis_index(const hq_axis *axis, double value)
{
    if (value < axis->low)
        return 0;
    if (!(value < axis->high))
        return axis->bins + 1;
    double position = axis->bins * (value - axis->low) / (axis->high - axis->low);
    /* Rounding can lift a value just below high to n itself; ROOT counts it as overflow then, and so do we. */
    return position < axis->bins ? 1 + (uint32_t)position : axis->bins + 1;
}

void hist_fill(hq_hist *hist, const double *values, double weight)
{
    size_t index = 0;
    for (size_t i = 0; i < hist->axis_count; ++i)
        index = index * ((size_t)hist->axes[i].bins + 2) + axis_index(&hist->axes[i], values[i]);
    if (hist->storage == HQ_COUNT) {
        ((int64_t *)hist->bins)[index] += 1;
    } else {
        double *sums = (double *)hist->bins + 2 * index;
        sums[0] += weight;
        sums[1] += weight * weight;
        hist->fills += 1;
    }
}

/* --- sets --- */

hq_histset *histset_new(hq_hist **hists, size_t count)
{
    hq_histset *set = hq_alloc(sizeof *set);
    set->hists = hq_calloc(count, sizeof *set->hists);
    if (count)
        memcpy(set->hists, hists, count * sizeof *hists);
    set->count = count;
    return set;
}

void histset_free(hq_histset **set_p)
{
    hq_histset *set = *set_p;
    if (!set)
        return;
    for (size_t i = 0; i < set->count; ++i)
        hist_free(&set->hists[i]);
    free(set->hists);
    free(set);
    *set_p = NULL;
}

hq_histset *histset_new_like(const hq_histset *set)
{
    hq_histset *like = histset_new(set->hists, set->count);
    for (size_t i = 0; i < set->count; ++i) {
        const hq_hist *hist = set->hists[i];
        like->hists[i] = hist_new(hist->name, hist->axes, hist->axis_count, hist->storage);
    }
    return like;
}

hq_histset *histset_copy(const hq_histset *set)
{
    hq_histset *copy = histset_new_like(set);
    for (size_t i = 0; i < set->count; ++i) {
        const hq_hist *hist = set->hists[i];
        memcpy(copy->hists[i]->bins, hist->bins, hist->size * bin_bytes(hist->storage));
        copy->hists[i]->fills = hist->fills;
    }
    return copy;
}

static void hist_reset(hq_hist *hist)
{
    memset(hist->bins, 0, hist->size * bin_bytes(hist->storage));
    hist->fills = 0;
}

void histset_reset(hq_histset *set)
{
    for (size_t i = 0; i < set->count; ++i)
        hist_reset(set->hists[i]);
}

static bool axes_agree(const hq_axis *one, const hq_axis *other)
{
    return one->kind == other->kind && one->bins == other->bins && one->low == other->low && one->high == other->high &&
           strcmp(one->name, other->name) == 0 && strcmp(one->label, other->label) == 0;
}

/* NULL if the two differ in nothing but their contents, else what differs. */
static const char *shape_difference(const hq_hist *one, const hq_hist *other)
{
    if (strcmp(one->name, other->name) != 0)
        return "the names";
    if (one->storage != other->storage)
        return "the storages";
    if (one->axis_count != other->axis_count)
        return "the numbers of axes";
    for (size_t i = 0; i < one->axis_count; ++i)
        if (!axes_agree(&one->axes[i], &other->axes[i]))
            return "the axes";
    return NULL;
}

/* Counts wrap instead of overflowing: only damaged partials could ever come near, and they must not be undefined. */
static void add_counts(uint64_t *restrict whole, const uint64_t *restrict part, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        whole[i] += part[i];
}

static void add_sums(double *restrict whole, const double *restrict part, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        whole[i] = whole[i] + part[i];
}

hq_error histset_merge(hq_histset *whole, const hq_histset *part, hq_reason *reason)
{
    if (whole->count != part->count)
        return hq_fail(reason, HQ_EMISMATCH, "cannot add %zu histograms to %zu", part->count, whole->count);
    for (size_t i = 0; i < whole->count; ++i) {
        const char *difference = shape_difference(whole->hists[i], part->hists[i]);
        if (difference)
            return hq_fail(reason, HQ_EMISMATCH, "cannot add histogram \"%s\" to \"%s\" (number %zu): %s differ",
                           part->hists[i]->name, whole->hists[i]->name, i, difference);
    }
    for (size_t i = 0; i < whole->count; ++i) {
        hq_hist *into = whole->hists[i];
        const hq_hist *from = part->hists[i];
        if (into->storage == HQ_COUNT)
            add_counts(into->bins, from->bins, into->size);
        else
            add_sums(into->bins, from->bins, 2 * into->size);
        into->fills = (int64_t)((uint64_t)into->fills + (uint64_t)from->fills);
    }
    return HQ_OK;
}

bool histset_is_equal(const hq_histset *one, const hq_histset *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; ++i) {
        const hq_hist *left = one->hists[i], *right = other->hists[i];
        if (shape_difference(left, right) || left->fills != right->fills ||
            memcmp(left->bins, right->bins, left->size * bin_bytes(left->storage)) != 0)
            return false;
    }
    return true;
}

/* --- bytes ---
 *
 * Contents of one histogram: for a weighted one first the number of fills; then runs of bins that are not empty, each
 * as length (never 0), number of empty bins before it, and the bins; then a length of 0. Whole numbers are varints
 * (seven bits a byte, lowest first, the top bit set on all but the last), sums are doubles. A full histogram is one
 * run, an empty one a single byte. A gap too short to be worth its two numbers stays within a run.
 */

enum {
    VARINT_MAX = 10,
    COUNT_GAP = 3, /* an empty count costs one byte within a run, a gap two or more */
    WHOLE_MARK = 0x51,
    WHOLE_VERSION = 1,
    NAME_MAX_BYTES = 1 << 20 /* as long as a query's text may be */
};

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

static void buffer_varint(hq_buffer *buffer, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    buffer_append(buffer, bytes, put_varint(bytes, value));
}

static uint64_t cursor_long_varint(hq_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(cursor);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    cursor->bad = true;
    return 0;
}

/* Nearly all numbers of a partial are below 128: one byte, without a call. */
static inline uint64_t cursor_varint(hq_cursor *cursor)
{
    if (cursor->left == 0 || cursor->bad || *cursor->at >= 0x80)
        return cursor_long_varint(cursor);
    --cursor->left;
    return *cursor->at++;
}

/* Bits, so that -0.0 is kept. */
static bool bin_is_empty(const hq_hist *hist, size_t index)
{
    const uint64_t *words = hist->bins;
    return hist->storage == HQ_COUNT ? words[index] == 0 : (words[2 * index] | words[2 * index + 1]) == 0;
}

/* One past the run that begins at begin; the run ends where a gap worth leaving out, or the histogram's end, follows.
 */
static size_t run_end(const hq_hist *hist, size_t begin)
{
    size_t gap_min = hist->storage == HQ_COUNT ? COUNT_GAP : 1;
    size_t end = begin + 1;
    for (size_t i = end; i < hist->size && i - end < gap_min; ++i)
        if (!bin_is_empty(hist, i))
            end = i + 1;
    return end;
}

static void encode_run(const hq_hist *hist, size_t begin, size_t end, hq_buffer *buffer)
{
    uint8_t chunk[4096];
    size_t used = 0;
    const uint64_t *words = hist->bins;
    size_t per_bin = hist->storage == HQ_COUNT ? 1 : 2;
    for (size_t i = begin * per_bin; i < end * per_bin; ++i) {
        if (used + VARINT_MAX > sizeof chunk) {
            buffer_append(buffer, chunk, used);
            used = 0;
        }
        if (hist->storage == HQ_COUNT) {
            used += put_varint(chunk + used, words[i]);
        } else {
            uint64_t bits = htole64(words[i]);
            memcpy(chunk + used, &bits, sizeof bits);
            used += sizeof bits;
        }
    }
    buffer_append(buffer, chunk, used);
}

static void encode_contents(const hq_hist *hist, hq_buffer *buffer)
{
    if (hist->storage == HQ_WEIGHTED)
        buffer_varint(buffer, (uint64_t)hist->fills);
    size_t done = 0;
    for (size_t i = 0; i < hist->size;) {
        if (bin_is_empty(hist, i)) {
            ++i;
            continue;
        }
        size_t end = run_end(hist, i);
        buffer_varint(buffer, end - i);
        buffer_varint(buffer, i - done);
        encode_run(hist, i, end, buffer);
        i = done = end;
    }
    buffer_u8(buffer, 0);
}

/* Fills bins begin up to end, exclusive, from the cursor. */
static void decode_run(hq_hist *hist, size_t begin, size_t end, hq_cursor *cursor)
{
    uint64_t *words = hist->bins;
    if (hist->storage == HQ_COUNT) {
        for (size_t i = begin; i < end && !cursor->bad; ++i) {
            words[i] = cursor_varint(cursor);
            if (words[i] > INT64_MAX)
                cursor->bad = true;
        }
        return;
    }
    size_t count = 2 * (end - begin);
    const uint8_t *bytes = cursor_take(cursor, count * sizeof(uint64_t));
    if (!bytes)
        return;
    memcpy(words + 2 * begin, bytes, count * sizeof(uint64_t));
    for (size_t i = 2 * begin; i < 2 * end; ++i)
        words[i] = le64toh(words[i]);
}

/* The histogram is empty before. */
static void decode_contents(hq_hist *hist, hq_cursor *cursor)
{
    if (hist->storage == HQ_WEIGHTED) {
        uint64_t fills = cursor_varint(cursor);
        cursor->bad |= fills > INT64_MAX;
        hist->fills = (int64_t)(fills & INT64_MAX);
    }
    size_t at = 0;
    while (!cursor->bad) {
        uint64_t length = cursor_varint(cursor);
        if (length == 0)
            return;
        uint64_t gap = cursor_varint(cursor);
        if (gap > hist->size - at || length > hist->size - at - gap) {
            cursor->bad = true;
            return;
        }
        decode_run(hist, at + gap, at + gap + length, cursor);
        at += gap + length;
    }
}

void histset_encode(const hq_histset *set, hq_buffer *buffer)
{
    for (size_t i = 0; i < set->count; ++i)
        encode_contents(set->hists[i], buffer);
}

hq_error histset_decode_into(hq_histset *set, const void *bytes, size_t size, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    for (size_t i = 0; i < set->count; ++i) {
        hist_reset(set->hists[i]);
        decode_contents(set->hists[i], &cursor);
        if (cursor.bad)
            return hq_fail(reason, HQ_EFORMAT, "%zu bytes of histogram contents do not fit the shape of \"%s\"", size,
                           set->hists[i]->name);
    }
    if (!cursor_is_complete(&cursor))
        return hq_fail(reason, HQ_EFORMAT, "%zu of %zu bytes of histogram contents are left over", cursor.left, size);
    return HQ_OK;
}

static void encode_shape(const hq_hist *hist, hq_buffer *buffer)
{
    buffer_text(buffer, hist->name);
    buffer_u8(buffer, (uint8_t)hist->storage);
    buffer_u8(buffer, (uint8_t)hist->axis_count);
    for (size_t i = 0; i < hist->axis_count; ++i) {
        const hq_axis *axis = &hist->axes[i];
        buffer_u8(buffer, (uint8_t)axis->kind);
        buffer_text(buffer, axis->name);
        buffer_text(buffer, axis->label);
        buffer_u32(buffer, axis->bins);
        buffer_f64(buffer, axis->low);
        buffer_f64(buffer, axis->high);
    }
}

void histset_encode_whole(const hq_histset *set, hq_buffer *buffer)
{
    buffer_u8(buffer, WHOLE_MARK);
    buffer_u8(buffer, WHOLE_VERSION);
    buffer_u32(buffer, (uint32_t)set->count);
    for (size_t i = 0; i < set->count; ++i) {
        encode_shape(set->hists[i], buffer);
        encode_contents(set->hists[i], buffer);
    }
}

/* Name and label belong to the caller, whatever the cursor's state. */
static void decode_axis(hq_cursor *cursor, hq_axis *axis_r)
{
    uint8_t kind = cursor_u8(cursor);
    axis_r->kind = HQ_AXIS_REGULAR;
    axis_r->name = cursor_text(cursor, NAME_MAX_BYTES);
    axis_r->label = cursor_text(cursor, NAME_MAX_BYTES);
    axis_r->bins = cursor_u32(cursor);
    axis_r->low = cursor_f64(cursor);
    axis_r->high = cursor_f64(cursor);
    if (kind != HQ_AXIS_REGULAR || axis_r->bins == 0 || !isfinite(axis_r->high - axis_r->low) ||
        !(axis_r->low < axis_r->high))
        cursor->bad = true;
}

/* NULL if there is no memory for the bins. calloc, since bins that are never touched then cost nothing. */
static hq_hist *hist_try_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage)
{
    void *bins = calloc(axes_size(axes, axis_count), bin_bytes(storage));
    return bins ? hist_around(bins, name, axes, axis_count, storage) : NULL;
}

/* The next histogram of a set, contents included, with at most limit bins; NULL, with error and reason set, if the
 * bytes are none. */
static hq_hist *decode_hist(hq_cursor *cursor, size_t limit, hq_error *error_r, hq_reason *reason)
{
    hq_axis axes[HQ_MAX_AXES] = {0};
    hq_hist *hist = NULL;
    char *name = cursor_text(cursor, NAME_MAX_BYTES);
    uint8_t storage = cursor_u8(cursor);
    uint8_t axis_count = cursor_u8(cursor);
    if (axis_count < 1 || axis_count > HQ_MAX_AXES || storage > HQ_WEIGHTED)
        cursor->bad = true;
    for (size_t i = 0; i < axis_count && !cursor->bad; ++i)
        decode_axis(cursor, &axes[i]);

    if (cursor->bad) {
        *error_r = hq_fail(reason, HQ_EFORMAT, "the bytes hold no histogram where one should begin");
    } else if (axes_size(axes, axis_count) > limit) {
        *error_r = hq_fail(reason, HQ_ELIMIT, "histogram \"%s\" has %zu bins; there may be %d in a set", name,
                           axes_size(axes, axis_count), HQ_MAX_BINS);
    } else if (!(hist = hist_try_new(name, axes, axis_count, (hq_storage)storage))) {
        *error_r = hq_fail(reason, HQ_ELIMIT, "no memory for the bins of histogram \"%s\"", name);
    } else {
        decode_contents(hist, cursor);
        if (cursor->bad) {
            *error_r = hq_fail(reason, HQ_EFORMAT, "the contents of histogram \"%s\" do not fit its shape", name);
            hist_free(&hist);
        }
    }

    for (size_t i = 0; i < HQ_MAX_AXES; ++i) {
        free(axes[i].name);
        free(axes[i].label);
    }
    free(name);
    return hist;
}

hq_error histset_decode_whole(const void *bytes, size_t size, hq_histset **set_r, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    uint8_t mark = cursor_u8(&cursor);
    uint8_t version = cursor_u8(&cursor);
    uint32_t count = cursor_u32(&cursor);
    if (cursor.bad || mark != WHOLE_MARK)
        return hq_fail(reason, HQ_EFORMAT, "%zu bytes are no set of histograms", size);
    if (version != WHOLE_VERSION)
        return hq_fail(reason, HQ_EUNSUPPORTED, "a set of histograms of version %u; this hq reads version %d", version,
                       WHOLE_VERSION);
    if (count > HQ_MAX_HISTS)
        return hq_fail(reason, HQ_ELIMIT, "a set of %u histograms; there may be %d", count, HQ_MAX_HISTS);

    hq_error error = HQ_OK;
    hq_hist *hists[HQ_MAX_HISTS];
    size_t decoded = 0, bins_left = HQ_MAX_BINS;
    while (decoded < count && error == HQ_OK) {
        hq_hist *hist = decode_hist(&cursor, bins_left, &error, reason);
        if (hist) {
            bins_left -= hist->size;
            hists[decoded++] = hist;
        }
    }
    if (error == HQ_OK && !cursor_is_complete(&cursor))
        error = hq_fail(reason, HQ_EFORMAT, "%zu bytes are left over after a set of %u histograms", cursor.left, count);
    hq_histset *set = histset_new(hists, decoded);
    if (error == HQ_OK)
        *set_r = set;
    else
        histset_free(&set);
    return error;
}
