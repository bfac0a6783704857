/* query/hist_bytes.c - histograms as bytes, and back. */
#include <endian.h>
#include <string.h>

#include "query/hist.h"

/* Contents of one histogram: for any but a count storage first the number of fills; then runs of bins that are not
 * empty, each as length (never 0), number of empty bins before it, and the bins; then a length of 0. Whole numbers are
 * varints (seven bits a byte, lowest first, the top bit set on all but the last), sums are doubles. A full histogram is
 * one run, an empty one a single byte. A gap too short to be worth its two numbers stays within a run.
 */

enum {
    VARINT_MAX = 10,
    TRANSFORM_SHIFT = 4,
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

/* What the encoder looks at for each number, at hand without a call. */
typedef struct hq_words {
    const uint64_t *words;
    size_t size, per_bin; /* bins, and words in each */
    bool is_count;
} hq_words;

static hq_words words_of(const hq_hist *hist)
{
    hq_storage storage = hist_storage(hist);
    return (hq_words){hist_bins_const(hist), hist_size(hist), storage_words(storage), storage == HQ_COUNT};
}

/* Bits, so that -0.0 is kept. */
static inline bool bin_is_empty(const hq_words *bins, size_t index)
{
    const uint64_t *words = bins->words + index * bins->per_bin;
    uint64_t all = words[0];
    for (size_t i = 1; i < bins->per_bin; ++i)
        all |= words[i];
    return all == 0;
}

/* One past the run that begins at begin; the run ends where a gap worth leaving out, or the histogram's end, follows.
 */
static size_t run_end(const hq_words *bins, size_t begin)
{
    size_t gap_min = bins->is_count ? COUNT_GAP : 1;
    size_t end = begin + 1;
    for (size_t i = end; i < bins->size && i - end < gap_min; ++i)
        if (!bin_is_empty(bins, i))
            end = i + 1;
    return end;
}

static void encode_run(const hq_words *bins, size_t begin, size_t end, hq_buffer *buffer)
{
    uint8_t chunk[4096];
    size_t used = 0;
    for (size_t i = begin * bins->per_bin; i < end * bins->per_bin; ++i) {
        if (used + VARINT_MAX > sizeof chunk) {
            buffer_append(buffer, chunk, used);
            used = 0;
        }
        if (bins->is_count) {
            used += put_varint(chunk + used, bins->words[i]);
        } else {
            uint64_t bits = htole64(bins->words[i]);
            memcpy(chunk + used, &bits, sizeof bits);
            used += sizeof bits;
        }
    }
    buffer_append(buffer, chunk, used);
}

static void encode_contents(const hq_hist *hist, hq_buffer *buffer)
{
    hq_words bins = words_of(hist);
    if (!bins.is_count)
        buffer_varint(buffer, (uint64_t)hist_entries(hist));
    size_t done = 0;
    for (size_t i = 0; i < bins.size;) {
        if (bin_is_empty(&bins, i)) {
            ++i;
            continue;
        }
        size_t end = run_end(&bins, i);
        buffer_varint(buffer, end - i);
        buffer_varint(buffer, i - done);
        encode_run(&bins, i, end, buffer);
        i = done = end;
    }
    buffer_u8(buffer, 0);
}

/* Fills bins begin up to end, exclusive, from the cursor. */
static void decode_run(hq_hist *hist, size_t begin, size_t end, hq_cursor *cursor)
{
    uint64_t *words = hist_bins(hist);
    if (hist_storage(hist) == HQ_COUNT) {
        for (size_t i = begin; i < end && !cursor->bad; ++i) {
            words[i] = cursor_varint(cursor);
            if (words[i] > INT64_MAX)
                cursor->bad = true;
        }
        return;
    }
    size_t per_bin = storage_words(hist_storage(hist)), count = per_bin * (end - begin);
    const uint8_t *bytes = cursor_take(cursor, count * sizeof(uint64_t));
    if (!bytes)
        return;
    memcpy(words + per_bin * begin, bytes, count * sizeof(uint64_t));
    for (size_t i = per_bin * begin; i < per_bin * end; ++i)
        words[i] = le64toh(words[i]);
}

/* The histogram is empty before. */
static void decode_contents(hq_hist *hist, hq_cursor *cursor)
{
    if (hist_storage(hist) != HQ_COUNT) {
        uint64_t fills = cursor_varint(cursor);
        cursor->bad |= fills > INT64_MAX;
        *hist_fills(hist) = (int64_t)(fills & INT64_MAX);
    }
    size_t at = 0;
    while (!cursor->bad) {
        uint64_t length = cursor_varint(cursor);
        if (length == 0)
            return;
        uint64_t gap = cursor_varint(cursor);
        if (gap > hist_size(hist) - at || length > hist_size(hist) - at - gap) {
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
                           hist_name(set->hists[i]));
    }
    if (!cursor_is_complete(&cursor))
        return hq_fail(reason, HQ_EFORMAT, "%zu of %zu bytes of histogram contents are left over", cursor.left, size);
    return HQ_OK;
}

/* An axis begins with its kind and, times 16, its transform. What follows the bins depends on the kind. */
static void encode_axis(const hq_axis *axis, hq_buffer *buffer)
{
    buffer_u8(buffer, (uint8_t)((unsigned)axis->kind | (unsigned)axis->transform << TRANSFORM_SHIFT));
    buffer_text(buffer, axis->name);
    buffer_text(buffer, axis->label);
    buffer_u32(buffer, axis->bins);
    if (axis->kind == HQ_AXIS_REGULAR || axis->kind == HQ_AXIS_INTEGER) {
        buffer_f64(buffer, axis->low);
        buffer_f64(buffer, axis->high);
    }
    for (size_t i = 0; axis->kind == HQ_AXIS_VARIABLE && i <= axis->bins; ++i)
        buffer_f64(buffer, axis->edges[i]);
    for (size_t i = 0; axis->kind == HQ_AXIS_INT_CATEGORY && i < axis->bins; ++i)
        buffer_u64(buffer, (uint64_t)axis->ints[i]);
    for (size_t i = 0; axis->kind == HQ_AXIS_STR_CATEGORY && i < axis->bins; ++i)
        buffer_text(buffer, axis->texts[i]);
}

static void encode_shape(const hq_hist *hist, hq_buffer *buffer)
{
    buffer_text(buffer, hist_name(hist));
    buffer_u8(buffer, (uint8_t)hist_storage(hist));
    buffer_u8(buffer, (uint8_t)hist_axis_count(hist));
    for (size_t i = 0; i < hist_axis_count(hist); ++i)
        encode_axis(hist_axis(hist, i), buffer);
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

static void decode_edges(hq_cursor *cursor, hq_axis *axis)
{
    const uint64_t count = (uint64_t)axis->bins + 1;
    if (cursor->left / sizeof(double) < count) { /* before memory is spent on them */
        cursor->bad = true;
        return;
    }
    axis->edges = hq_calloc(count, sizeof *axis->edges);
    for (uint64_t i = 0; i < count; ++i)
        axis->edges[i] = cursor_f64(cursor);
    axis->low = axis->edges[0];
    axis->high = axis->edges[axis->bins];
}

static void decode_categories(hq_cursor *cursor, hq_axis *axis)
{
    if (axis->bins > HQ_MAX_CATEGORIES) {
        cursor->bad = true;
    } else if (axis->kind == HQ_AXIS_INT_CATEGORY) {
        axis->ints = hq_calloc(axis->bins, sizeof *axis->ints);
        for (uint32_t i = 0; i < axis->bins; ++i)
            axis->ints[i] = (int64_t)cursor_u64(cursor);
    } else {
        axis->texts = hq_calloc(axis->bins, sizeof *axis->texts);
        for (uint32_t i = 0; i < axis->bins && !cursor->bad; ++i)
            axis->texts[i] = cursor_text(cursor, NAME_MAX_BYTES);
    }
}

/* What the axis points to belongs to the caller, whatever the cursor's state. */
static void decode_axis(hq_cursor *cursor, hq_axis *axis_r)
{
    uint8_t head = cursor_u8(cursor);
    axis_r->kind = (hq_axis_kind)(head & ((1 << TRANSFORM_SHIFT) - 1));
    axis_r->transform = (hq_transform)(head >> TRANSFORM_SHIFT);
    axis_r->name = cursor_text(cursor, NAME_MAX_BYTES);
    axis_r->label = cursor_text(cursor, NAME_MAX_BYTES);
    axis_r->bins = cursor_u32(cursor);
    if (axis_r->kind == HQ_AXIS_REGULAR || axis_r->kind == HQ_AXIS_INTEGER) {
        axis_r->low = cursor_f64(cursor);
        axis_r->high = cursor_f64(cursor);
    } else if (axis_r->kind == HQ_AXIS_VARIABLE) {
        decode_edges(cursor, axis_r);
    } else if (axis_r->kind == HQ_AXIS_INT_CATEGORY || axis_r->kind == HQ_AXIS_STR_CATEGORY) {
        decode_categories(cursor, axis_r);
    }
    if (!cursor->bad && axis_fault(axis_r))
        cursor->bad = true;
}

/* The next histogram of a set, contents included, with at most limit numbers (storage_words) in its bins; NULL, with
 * error and reason set, if the bytes are none. */
static hq_hist *decode_hist(hq_cursor *cursor, size_t limit, hq_error *error_r, hq_reason *reason)
{
    hq_axis axes[HQ_MAX_AXES] = {0};
    hq_hist *hist = NULL;
    char *name = cursor_text(cursor, NAME_MAX_BYTES);
    uint8_t storage = cursor_u8(cursor);
    uint8_t axis_count = cursor_u8(cursor);
    if (axis_count < 1 || axis_count > HQ_MAX_AXES || storage >= HQ_STORAGE_COUNT)
        cursor->bad = true;
    for (size_t i = 0; i < axis_count && !cursor->bad; ++i)
        decode_axis(cursor, &axes[i]);

    if (cursor->bad) {
        *error_r = hq_fail(reason, HQ_EFORMAT, "the bytes hold no histogram where one should begin");
    } else if (axes_size(axes, axis_count) > limit / storage_words((hq_storage)storage)) {
        *error_r = hq_fail(reason, HQ_ELIMIT, "histogram \"%s\" has %zu bins, which is more than there may be in a set",
                           name, axes_size(axes, axis_count));
    } else if (!(hist = hist_try_new(name, axes, axis_count, (hq_storage)storage))) {
        *error_r = hq_fail(reason, HQ_ELIMIT, "no memory for the bins of histogram \"%s\"", name);
    } else {
        decode_contents(hist, cursor);
        if (cursor->bad) {
            *error_r = hq_fail(reason, HQ_EFORMAT, "the contents of histogram \"%s\" do not fit its shape", name);
            hist_free(&hist);
        }
    }

    for (size_t i = 0; i < HQ_MAX_AXES; ++i)
        axis_clear(&axes[i]);
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
    size_t decoded = 0, words_left = HQ_MAX_WORDS;
    while (decoded < count && error == HQ_OK) {
        hq_hist *hist = decode_hist(&cursor, words_left, &error, reason);
        if (hist) {
            words_left -= hist_size(hist) * storage_words(hist_storage(hist));
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
