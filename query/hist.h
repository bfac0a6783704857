/* query/hist.h - histograms: storage, filling, merging, bytes.
 *
 * A histogram has one to four axes (query/axis.h says which bin of an axis a value belongs to) and, for each bin, flow
 * included, one to four numbers of eight bytes, the storage. Bins lie in row-major order, the last axis fastest, those
 * of an axis as boost-histogram orders them.
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
#include "query/axis.h"

enum {
    HQ_MAX_AXES = 4,
    HQ_MAX_HISTS = 1024,        /* in one query */
    HQ_MAX_BINS = 1 << 26,      /* in all histograms of one query together, flow included; if they count and no more: */
    HQ_MAX_WORDS = HQ_MAX_BINS, /* storage_words of all bins: half a gigabyte */
};

/* What is kept for each bin, and what a fill with weight w and sample x does to it (w is 1 where none is given):
 *
 *     HQ_COUNT          int64_t n                 n += 1
 *     HQ_WEIGHTED       double  W, W2             W += w; W2 += w * w
 *     HQ_MEAN           double  W, m, S           mean and spread of x, see below
 *     HQ_WEIGHTED_MEAN  double  W, W2, m, S       the same, and W2 += w * w
 *
 * These are boost-histogram's Int64, Weight, Mean and WeightedMean, in the order of the fields of their views: W is
 * Mean's count (of a fill with a weight it is the sum of weights). m is the mean of x so far and S the sum of
 * w * (x - m)^2, both updated by West's form of Welford's method (B. P. Welford, Technometrics 4 (1962) 419;
 * D. H. D. West, Comm. ACM 22 (1979) 532), each operation rounded to double:
 *
 *     W += w;  d = x - m;  m += w * d / W, that is (w * d) / W;  S += (w * d) * (x - m)
 *
 * A fill of weight 0 leaves the bin as it is (boost-histogram's mean becomes NaN if it is the first one). Weights whose
 * sum comes back to exactly 0 leave a mean that is no number, as there.
 *
 * Two parts are merged by the pairwise form (T. F. Chan, G. H. Golub, R. J. LeVeque, Stanford STAN-CS-79-773 (1979)),
 * as boost-histogram writes it; a bin whose numbers are all 0 changes nothing, and is replaced by the other's:
 *
 *     W = W' + W'';  m = (W' * m' + W'' * m'') / W;  S = (S' + S'') + (W' * (m - m')^2 + W'' * (m - m'')^2)
 */
typedef enum hq_storage {
    HQ_COUNT,
    HQ_WEIGHTED,
    HQ_MEAN,
    HQ_WEIGHTED_MEAN,
    HQ_STORAGE_COUNT,
} hq_storage;

typedef struct hq_hist hq_hist;

/* Numbers of eight bytes for each bin. */
static inline size_t storage_words(hq_storage storage)
{
    return (size_t)storage + 1;
}
/* True if a fill needs a sample. */
static inline bool storage_has_mean(hq_storage storage)
{
    return storage >= HQ_MEAN;
}

/* All bins of these axes together, flow included; SIZE_MAX if that is more than a size_t holds. */
size_t axes_size(const hq_axis *axes, size_t axis_count);

/* An empty histogram; name and axes are copied. The caller has checked axis_count, each axis' axis_fault, and axes_size
 * against the limits above. */
hq_hist *hist_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage);
/* The same; NULL if there is no memory for the bins. */
hq_hist *hist_try_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage);
void hist_free(hq_hist **hist_p);
/* Empties all bins. */
void hist_reset(hq_hist *hist);

const char *hist_name(const hq_hist *hist);
size_t hist_axis_count(const hq_hist *hist);
const hq_axis *hist_axis(const hq_hist *hist, size_t index);
hq_storage hist_storage(const hq_hist *hist);
/* All bins of all axes, flow included. */
size_t hist_size(const hq_hist *hist);
/* The bins themselves, for machine code that fills them in place: int64_t[size] or double[size][storage_words], the
 * numbers of one bin side by side in the order above. */
void *hist_bins(hq_hist *hist);
const void *hist_bins_const(const hq_hist *hist);
/* How often fill was called. A count storage derives it; machine code that fills another one adds to *hist_fills. */
int64_t hist_entries(const hq_hist *hist);
int64_t *hist_fills(hq_hist *hist);

/* One fill of the bin of that flat index: what stands at hq_storage, and *hist_fills. A count storage takes no notice
 * of weight and sample, a weighted one none of sample. */
void hist_fill_bin(hq_hist *hist, size_t bin, double weight, double sample);
/* Adds one value for each axis, the slow way; weight is 1 for a count storage, and a mean storage takes the sample 0.
 */
void hist_fill(hq_hist *hist, const double *values, double weight);
void hist_fill_sample(hq_hist *hist, const double *values, double weight, double sample);

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
/* Adds every bin of part to whole: whole + part, in this order, so that sums and means are reproducible.
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
