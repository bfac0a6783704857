/* client/draw_summary.c - what can be said of a histogram in two lines. */
#include "client/draw_parts.h"

#include <math.h>
#include <string.h>

typedef struct hq_summary {
    double sum, sum2; /* of the bins within the range: the counts or weights, and their squares' sums */
    double outside;   /* the same of all flow bins */
    double mean, std; /* of the only axis; NaN where negative weights, or categories, leave them without meaning */
    size_t not_finite;
} hq_summary;

/* What a bin counts for in the mean of its axis: a place, in the unit that is given with the place of 0. */
typedef struct hq_ruler {
    double origin, unit, span;
} hq_ruler;

/* In units of bins where these are equal, lest a range far from zero eats the digits of the variance. */
static hq_ruler ruler_of(const hq_axis *axis)
{
    if (axis->kind == HQ_AXIS_INTEGER)
        return (hq_ruler){axis->low, 1, axis->bins};
    if (axis->kind == HQ_AXIS_VARIABLE || axis->transform != HQ_TRANSFORM_NONE)
        return (hq_ruler){axis->low, 1, axis->high - axis->low};
    double width = (axis->high - axis->low) / axis->bins;
    return (hq_ruler){axis->low + 0.5 * width, width, axis->bins};
}

static double place_of(const hq_axis *axis, size_t bin)
{
    if (axis->kind == HQ_AXIS_VARIABLE || axis->transform != HQ_TRANSFORM_NONE)
        return (axis_edge(axis, (uint32_t)bin) - axis->low) / 2 + (axis_edge(axis, (uint32_t)bin + 1) - axis->low) / 2;
    return (double)bin;
}

static hq_summary summarise(const hq_hist *hist)
{
    hq_summary all = {0};
    const hq_axis *axis = hist_axis(hist, 0);
    bool is_alone = hist_axis_count(hist) == 1;
    double moment = 0, moment2 = 0;
    for (size_t i = 0; i < hist_size(hist); ++i) {
        double value = bin_weight(hist, i);
        if (value == 0)
            continue;
        if (!isfinite(value)) {
            ++all.not_finite;
            continue;
        }
        if (bin_is_flow(hist, i)) {
            all.outside += value;
            continue;
        }
        double place = is_alone ? place_of(axis, i - axis_has_underflow(axis)) : 0;
        all.sum += value;
        all.sum2 += bin_weight2(hist, i);
        moment += value * place;
        moment2 += value * place * place;
    }
    hq_ruler ruler = ruler_of(axis);
    double mean = moment / all.sum, variance = moment2 / all.sum - mean * mean;
    all.mean = ruler.origin + mean * ruler.unit;
    /* A single bin's variance is 0, and may come out just below. */
    all.std = sqrt(variance > -1e-9 * mean * mean && variance < 0 ? 0 : variance) * ruler.unit;
    if (axis_is_category(axis) || !(all.sum > 0 && mean > -1 && mean < ruler.span))
        all.mean = NAN;
    return all;
}

size_t fullest_bin(const hq_hist *hist)
{
    bool has_mean = storage_has_mean(hist_storage(hist));
    double most = has_mean ? -INFINITY : 0;
    size_t fullest = NO_BIN;
    for (size_t i = 0; i < hist_size(hist); ++i) {
        double value = bin_value(hist, i);
        if (!(value > most) || !isfinite(value) || (has_mean && bin_weight(hist, i) == 0) || bin_is_flow(hist, i))
            continue;
        most = value;
        fullest = i;
    }
    return fullest;
}

/* Value and error with as many decimals as the error has its first digit or, where that is 1, its first two. */
static void put_with_error(const hq_canvas *canvas, double value, double error)
{
    const char *plus_minus = canvas->options.is_ascii ? "+-" : "±";
    double size = error > 0 ? floor(log10(error)) : 0;
    int decimals = (int)-size + (error / pow(10, size) < 1.95);
    if (error > 0 && fabs(value) < 1e7 && decimals < 8)
        fprintf(canvas->to, "%.*f %s %.*f", decimals > 0 ? decimals : 0, value, plus_minus, decimals > 0 ? decimals : 0,
                error);
    else
        fprintf(canvas->to, "%.6g %s %.2g", value, plus_minus, error);
}

static void put_flow(const hq_canvas *canvas, const hq_hist *hist, double outside)
{
    char number[NUMBER_TEXT];
    const hq_axis *axis = hist_axis(hist, 0);
    if (hist_axis_count(hist) > 1) {
        number_short(outside, number);
        fprintf(canvas->to, "  outside the range %s", number);
        return;
    }
    if (axis_has_underflow(axis)) {
        number_short(bin_weight(hist, 0), number);
        fprintf(canvas->to, "  underflow %s", number);
    }
    if (axis_has_overflow(axis)) {
        number_short(bin_weight(hist, hist_size(hist) - 1), number);
        fprintf(canvas->to, "  %s %s", axis_is_category(axis) ? "in no category" : "overflow", number);
    }
}

/* The mean of the samples of all bins within the range, and its error. */
static void put_sample_mean(const hq_canvas *canvas, const hq_hist *hist)
{
    size_t words = storage_words(hist_storage(hist));
    const double *numbers = hist_bins_const(hist);
    hq_heap heap = {0};
    double deltas = 0, sum2 = 0;
    for (size_t i = 0; i < hist_size(hist); ++i)
        if (!bin_is_flow(hist, i))
            heap_add(&heap, hist, i);
    double mean = heap_value(&heap, hist);
    for (size_t i = 0; i < hist_size(hist); ++i) {
        double step = bin_value(hist, i) - mean, spread = numbers[words * i + words - 1];
        if (bin_is_flow(hist, i) || bin_weight(hist, i) == 0 || !isfinite(step) || !isfinite(spread))
            continue;
        deltas += spread + bin_weight(hist, i) * step * step;
        sum2 += bin_weight2(hist, i);
    }
    if (heap.weight != 0 && isfinite(mean)) {
        fputs("  mean of the samples ", canvas->to);
        put_with_error(canvas, mean, sqrt(fmax(deltas / heap.weight * sum2, 0)) / fabs(heap.weight));
    }
}

static void put_fullest(const hq_canvas *canvas, const hq_hist *hist)
{
    char number[NUMBER_TEXT], range[HQ_MAX_AXES * 2 * NUMBER_TEXT];
    size_t fullest = fullest_bin(hist);
    if (fullest == NO_BIN)
        return;
    bool has_mean = storage_has_mean(hist_storage(hist));
    bin_range(hist, fullest, range, sizeof range);
    fputs(has_mean ? "highest bin " : "fullest bin ", canvas->to);
    put_text(canvas, range, (int)sizeof range);
    number_short(bin_value(hist, fullest), number);
    fprintf(canvas->to, " with %s", number);
    if (has_mean) {
        number_short(bin_weight(hist, fullest), number);
        fprintf(canvas->to, ", the mean of %s", number);
    }
    putc('\n', canvas->to);
}

void put_summary(const hq_canvas *canvas, const hq_hist *hist)
{
    char number[NUMBER_TEXT];
    hq_summary all = summarise(hist);
    number_short((double)hist_entries(hist), number);
    fprintf(canvas->to, "entries %s", number);
    if (hist_storage(hist) == HQ_WEIGHTED || hist_storage(hist) == HQ_WEIGHTED_MEAN) {
        number_short(all.sum, number);
        fprintf(canvas->to, "  sum of weights %s", number);
    }
    if (storage_has_mean(hist_storage(hist))) {
        put_sample_mean(canvas, hist);
    } else if (hist_axis_count(hist) == 1 && isfinite(all.mean) && isfinite(all.std)) {
        fputs("  mean ", canvas->to);
        put_with_error(canvas, all.mean, all.std * sqrt(all.sum2) / all.sum);
        fprintf(canvas->to, all.std >= 1000 && all.std < 1e7 ? "  std %.0f" : "  std %.3g", all.std);
    }
    put_flow(canvas, hist, all.outside);
    putc('\n', canvas->to);
    put_fullest(canvas, hist);
    if (all.not_finite)
        fprintf(canvas->to, "bins with a sum that is no finite number: %zu\n", all.not_finite);
}
