/* query/hist.h - histograms: axes, storage, merging, bytes.
 *
 * Bin order is that of boost-histogram: bin 0 is underflow, bins 1..n the range, bin n + 1 overflow; several axes in
 * row-major order, the last axis fastest. The bin of a Regular axis is floor(n * (x - low) / (high - low)), as in
 * ROOT's TAxis: a value on an inner edge belongs to the bin above it, high itself and NaN to the overflow.
 *
 * A histogram belongs to one thread at a time.
 */
#ifndef HQ_QUERY_HIST_H
#define HQ_QUERY_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    HQ_MAX_AXES = 4,
    HQ_MAX_HISTS = 1024,   /* in one query */
    HQ_MAX_BINS = 1 << 26, /* in all histograms of one query together, flow included */
};

typedef enum hq_axis_kind { HQ_AXIS_REGULAR } hq_axis_kind;

typedef struct hq_axis {
    hq_axis_kind kind;
    char *name;  /* never NULL, may be "" */
    char *label; /* likewise */
    uint32_t bins;
    double low, high;
} hq_axis;

typedef enum hq_storage {
    HQ_COUNT,   /* int64_t for each bin */
    HQ_WEIGHTED /* two doubles for each bin, side by side: the sum of w and the sum of w * w */
} hq_storage;

typedef struct hq_hist hq_hist;

/* All bins of these axes together, flow included; SIZE_MAX if that is more than a size_t holds. */
size_t axes_size(const hq_axis *axes, size_t axis_count);

/* An empty histogram; name and axes are copied. The caller has checked axis_count, bins, low < high, that
 * high - low is finite, and axes_size against the limits above. */
hq_hist *hist_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage);
void hist_free(hq_hist **hist_p);

const char *hist_name(const hq_hist *hist);
size_t hist_axis_count(const hq_hist *hist);
const hq_axis *hist_axis(const hq_hist *hist, size_t index);
hq_storage hist_storage(const hq_hist *hist);
/* All bins of all axes, flow included. */
size_t hist_size(const hq_hist *hist);
/* The bins themselves, for machine code that fills them in place: int64_t[size] or double[2 * size]. */
void *hist_bins(hq_hist *hist);
const void *hist_bins_const(const hq_hist *hist);
/* How often fill was called. A count storage derives it; machine code that fills a weighted one adds to *hist_fills. */
int64_t hist_entries(const hq_hist *hist);
int64_t *hist_fills(hq_hist *hist);

/* The bin along one axis, flow included: the definition that machine code must agree with, operation by operation:
 * x < low is 0, !(x < high) is n + 1; else with p = n * (x - low) / (high - low), each step rounded to double, it is
 * 1 + floor(p) where p < n, else n + 1 (rounding can take p to n). */
uint32_t axis_index(const hq_axis *axis, double value);
/* Adds one value to an axis_count-dimensional histogram, the slow way; weight is 1 for a count storage. */
void hist_fill(hq_hist *hist, const double *values, double weight);

/* The histograms of one query, in the order of their declaration. */
typedef struct hq_histset {
    hq_hist **hists; /* owned */
    size_t count;
} hq_histset;

/* Takes the histograms; the array itself is copied. */
hq_histset *histset_new(hq_hist **hists, size_t count);
void histset_free(hq_histset **set_p);
/* Same names, axes and storages, empty. */
hq_histset *histset_new_like(const hq_histset *set);
hq_histset *histset_copy(const hq_histset *set);
void histset_reset(hq_histset *set);
/* Adds every bin of part to whole: whole + part, in this order, so that sums are reproducible.
 * HQ_EMISMATCH, and whole untouched, if anything but the contents differs. */
hq_error histset_merge(hq_histset *whole, const hq_histset *part, hq_reason *reason);
bool histset_is_equal(const hq_histset *one, const hq_histset *other); /* bit for bit, contents included */

/* Contents only, compact (an empty histogram and runs of empty bins cost next to nothing); to be decoded into a set of
 * the same shape: histset_decode_into replaces set's contents. HQ_EFORMAT, contents then undefined but valid, for bytes
 * that do not fit the shape; never reads past size, never allocates more than the shape does. */
void histset_encode(const hq_histset *set, hq_buffer *buffer);
hq_error histset_decode_into(hq_histset *set, const void *bytes, size_t size, hq_reason *reason);

/* Shape and contents, for the store: a set out of nothing. Limits as in the enum above. */
void histset_encode_whole(const hq_histset *set, hq_buffer *buffer);
hq_error histset_decode_whole(const void *bytes, size_t size, hq_histset **set_r, hq_reason *reason);

#endif
