#include "query/hist.h"

#include <string.h>

struct hq_hist {
    char *name;
    hq_axis axes[HQ_MAX_AXES];
    size_t axis_count;
    hq_storage storage;
    size_t size;   /* bins of all axes, flow included */
    int64_t fills; /* not of a count storage, which derives it */
    void *bins;    /* int64_t[size], or double[size][storage_words] */
};

static size_t bin_bytes(hq_storage storage)
{
    return storage_words(storage) * sizeof(double);
}

size_t axes_size(const hq_axis *axes, size_t axis_count)
{
    size_t size = 1;
    for (size_t i = 0; i < axis_count; ++i)
        if (__builtin_mul_overflow(size, axis_extent(&axes[i]), &size))
            return SIZE_MAX;
    return size;
}

/* Copies name and axes, takes the bins. */
static hq_hist *hist_around(void *bins, const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage)
{
    hq_hist *hist = hq_calloc(1, sizeof *hist);
    hist->name = hq_strdup(name ? name : "");
    for (size_t i = 0; i < axis_count; ++i)
        hist->axes[i] = axis_copy(&axes[i]);
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

/* calloc, since bins that are never touched then cost nothing. */
hq_hist *hist_try_new(const char *name, const hq_axis *axes, size_t axis_count, hq_storage storage)
{
    void *bins = calloc(axes_size(axes, axis_count), bin_bytes(storage));
    return bins ? hist_around(bins, name, axes, axis_count, storage) : NULL;
}

void hist_free(hq_hist **hist_p)
{
    hq_hist *hist = *hist_p;
    if (!hist)
        return;
    for (size_t i = 0; i < hist->axis_count; ++i)
        axis_clear(&hist->axes[i]);
    free(hist->name);
    free(hist->bins);
    free(hist);
    *hist_p = NULL;
}

void hist_reset(hq_hist *hist)
{
    memset(hist->bins, 0, hist->size * bin_bytes(hist->storage));
    hist->fills = 0;
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
    if (hist->storage != HQ_COUNT)
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

/* --- filling --- */

/* West's update of a sum of weights, a mean and a sum of weighted squared deltas. */
static void mean_add(double *sum, double *mean, double *deltas, double weight, double sample)
{
    *sum += weight;
    double weighted = weight * (sample - *mean);
    *mean += weighted / *sum;
    *deltas += weighted * (sample - *mean);
}

void hist_fill_bin(hq_hist *hist, size_t bin, double weight, double sample)
{
    if (hist->storage == HQ_COUNT) {
        ((int64_t *)hist->bins)[bin] += 1;
        return;
    }
    hist->fills += 1;
    double *numbers = (double *)hist->bins + bin * storage_words(hist->storage);
    if (hist->storage == HQ_WEIGHTED) {
        numbers[0] += weight;
        numbers[1] += weight * weight;
    } else if (weight == 0) {
        return; /* it says nothing of the mean, and 0 / 0 would spoil an empty bin's */
    } else if (hist->storage == HQ_MEAN) {
        mean_add(&numbers[0], &numbers[1], &numbers[2], weight, sample);
    } else {
        numbers[1] += weight * weight;
        mean_add(&numbers[0], &numbers[2], &numbers[3], weight, sample);
    }
}

void hist_fill_sample(hq_hist *hist, const double *values, double weight, double sample)
{
    size_t index = 0;
    for (size_t i = 0; i < hist->axis_count; ++i)
        index = index * axis_extent(&hist->axes[i]) + axis_index(&hist->axes[i], values[i]);
    hist_fill_bin(hist, index, weight, sample);
}

void hist_fill(hq_hist *hist, const double *values, double weight)
{
    hist_fill_sample(hist, values, weight, 0);
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

void histset_reset(hq_histset *set)
{
    for (size_t i = 0; i < set->count; ++i)
        hist_reset(set->hists[i]);
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
        if (!axis_is_equal(&one->axes[i], &other->axes[i]))
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

static bool is_all_zero(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (numbers[i] != 0)
            return false;
    return true;
}

/* Chan, Golub and LeVeque's merge of the means of two parts; an empty bin is left out, lest rounding move the other's
 * mean. The sum of weights comes first, mean and sum of squared deltas come last. */
static void add_means(double *restrict whole, const double *restrict part, size_t count, size_t words)
{
    for (size_t i = 0; i < count; ++i, whole += words, part += words) {
        if (is_all_zero(part, words))
            continue;
        if (is_all_zero(whole, words)) {
            memcpy(whole, part, words * sizeof *whole);
            continue;
        }
        double *mean = &whole[words - 2], *deltas = &whole[words - 1];
        double part_mean = part[words - 2], sum = whole[0] + part[0];
        double merged = (whole[0] * *mean + part[0] * part_mean) / sum;
        double step = merged - *mean, part_step = merged - part_mean;
        *deltas = (*deltas + part[words - 1]) + (whole[0] * (step * step) + part[0] * (part_step * part_step));
        *mean = merged;
        whole[0] = sum;
        if (words == storage_words(HQ_WEIGHTED_MEAN))
            whole[1] += part[1];
    }
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
        else if (into->storage == HQ_WEIGHTED)
            add_sums(into->bins, from->bins, 2 * into->size);
        else
            add_means(into->bins, from->bins, into->size, storage_words(into->storage));
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
