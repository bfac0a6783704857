#include "client/draw_parts.h"

#include <math.h>
#include <string.h>

hq_fit fit_axis(const hq_axis *axis, int room, int each_most)
{
    uint32_t space = room < 1 ? 1 : (uint32_t)room;
    uint32_t least = axis->bins / space + (axis->bins % space != 0), factor = least;
    while (factor < 2 * least && axis->bins % factor != 0)
        ++factor;
    if (axis->bins % factor != 0)
        factor = least;
    int shown = (int)(axis->bins / factor + (axis->bins % factor != 0));
    int each = (int)space / shown;
    return (hq_fit){factor, shown, each > each_most ? each_most : each};
}

double nice_step(double range, int most, bool is_integral)
{
    double least = range / most;
    double power = pow(10, floor(log10(least)));
    double step = power;
    static const double factors[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 4 && step < least * (1 - 1e-9); ++i)
        step = factors[i] * power;
    return is_integral && step < 1 ? 1 : step;
}

void number_near(double value, double resolution, char text_r[NUMBER_TEXT])
{
    if (fabs(value) < resolution / 2)
        value = 0;
    int decimals = resolution >= 1 ? 0 : (int)-floor(log10(resolution) + 1e-9);
    if (fabs(value) >= 1e7 || decimals > 7) {
        int digits = value == 0 ? 1 : (int)(floor(log10(fabs(value))) - floor(log10(resolution) + 1e-9)) + 1;
        snprintf(text_r, NUMBER_TEXT, "%.*g", digits < 1 ? 1 : digits > 17 ? 17 : digits, value);
        return;
    }
    int length = snprintf(text_r, NUMBER_TEXT, "%.*f", decimals, value);
    if (decimals) {
        while (text_r[length - 1] == '0')
            text_r[--length] = 0;
        if (text_r[length - 1] == '.')
            text_r[--length] = 0;
    }
}

void number_short(double value, char text_r[NUMBER_TEXT])
{
    if (value != floor(value) || fabs(value) >= 9007199254740992.0) {
        snprintf(text_r, NUMBER_TEXT, "%.5g", value);
        return;
    }
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", fabs(value));
    char *to = text_r;
    if (value < 0)
        *to++ = '-';
    for (int i = 0; i < length; ++i) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
}

/* The first size bytes of a text, less what would cut a character. */
static void copy_text(char *to, size_t size, const char *text)
{
    size_t length = strnlen(text, size);
    if (length == size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            --length;
    }
    memcpy(to, text, length);
    to[length] = 0;
}

static void category_name(const hq_axis *axis, uint32_t bin, char text_r[NUMBER_TEXT])
{
    if (axis->kind == HQ_AXIS_STR_CATEGORY)
        copy_text(text_r, NUMBER_TEXT, axis->texts[bin]);
    else if (axis->kind == HQ_AXIS_INT_CATEGORY)
        snprintf(text_r, NUMBER_TEXT, "%lld", (long long)axis->ints[bin]);
    else
        copy_text(text_r, NUMBER_TEXT, bin ? "True" : "False");
}

/* One axis' part of bin_range. */
static void axis_range(const hq_axis *axis, uint32_t bin, char text_r[2 * NUMBER_TEXT])
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT];
    double begin = axis_edge(axis, bin), end = axis_edge(axis, bin + 1);
    if (axis_is_category(axis)) {
        category_name(axis, bin, text_r);
    } else if (axis->kind == HQ_AXIS_INTEGER) {
        snprintf(text_r, NUMBER_TEXT, "%.0f", begin);
    } else {
        bool is_even = axis->kind == HQ_AXIS_REGULAR && axis->transform == HQ_TRANSFORM_NONE;
        double resolution = (is_even ? (axis->high - axis->low) / axis->bins : end - begin) / 1000;
        number_near(begin, resolution, low);
        number_near(end, resolution, high);
        snprintf(text_r, 2 * NUMBER_TEXT, "[%s, %s)", low, high);
    }
}

void bin_range(const hq_hist *hist, size_t index, char *text_r, size_t size)
{
    size_t left = hist_size(hist), used = 0;
    text_r[0] = 0;
    for (size_t i = 0; i < hist_axis_count(hist) && used < size; ++i) {
        const hq_axis *axis = hist_axis(hist, i);
        char part[2 * NUMBER_TEXT];
        left /= axis_extent(axis);
        axis_range(axis, (uint32_t)(index / left) - axis_has_underflow(axis), part);
        index %= left;
        used += (size_t)snprintf(text_r + used, size - used, "%s%s", i ? " x " : "", part);
    }
}

void axis_ends(const hq_axis *axis, char text_r[2 * NUMBER_TEXT])
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT];
    text_r[0] = 0;
    if (axis_is_category(axis))
        return;
    double resolution = (axis->high - axis->low) / axis->bins / 1000;
    number_near(axis->low, resolution, low);
    number_near(axis->kind == HQ_AXIS_INTEGER ? axis->high - 1 : axis->high, resolution, high);
    snprintf(text_r, 2 * NUMBER_TEXT, " from %s to %s", low, high);
}

/* --- bins --- */

static const double *bin_numbers(const hq_hist *hist, size_t index)
{
    return (const double *)hist_bins_const(hist) + index * storage_words(hist_storage(hist));
}

double bin_weight(const hq_hist *hist, size_t index)
{
    if (hist_storage(hist) == HQ_COUNT)
        return (double)((const int64_t *)hist_bins_const(hist))[index];
    return bin_numbers(hist, index)[0];
}

double bin_weight2(const hq_hist *hist, size_t index)
{
    hq_storage storage = hist_storage(hist);
    bool is_count = storage == HQ_COUNT || storage == HQ_MEAN;
    return is_count ? bin_weight(hist, index) : bin_numbers(hist, index)[1];
}

double bin_value(const hq_hist *hist, size_t index)
{
    hq_storage storage = hist_storage(hist);
    return storage_has_mean(storage) ? bin_numbers(hist, index)[storage_words(storage) - 2] : bin_weight(hist, index);
}

void heap_add(hq_heap *heap, const hq_hist *hist, size_t index)
{
    double value = bin_value(hist, index), weight = bin_weight(hist, index);
    if (!isfinite(value) || !isfinite(weight))
        return;
    heap->weight += weight;
    heap->sum += storage_has_mean(hist_storage(hist)) ? weight * value : value;
}

double heap_value(const hq_heap *heap, const hq_hist *hist)
{
    double value = heap->sum;
    if (storage_has_mean(hist_storage(hist)))
        value = heap->weight == 0 ? 0 : heap->sum / heap->weight;
    return fabs(value) < 1e-300 ? 0 : fmax(fmin(value, 1e300), -1e300);
}

bool bin_is_flow(const hq_hist *hist, size_t index)
{
    for (size_t i = hist_axis_count(hist); i-- > 0;) {
        size_t extent = axis_extent(hist_axis(hist, i));
        if (axis_is_flow(hist_axis(hist, i), index % extent))
            return true;
        index /= extent;
    }
    return false;
}

/* --- texts --- */

/* The bytes of the UTF-8 character at text; 1 for a byte that begins none. */
static int character_length(const unsigned char *text)
{
    int length = text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 1;
    if (text[0] >= 0xf5)
        length = 1;
    for (int i = 1; i < length; ++i)
        if ((text[i] & 0xc0) != 0x80)
            return 1;
    return length;
}

int text_width(const char *text)
{
    int width = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at; at += character_length(at))
        ++width;
    return width;
}

int put_text(const hq_canvas *canvas, const char *text, int most)
{
    int width = text_width(text), written = 0;
    bool is_cut = width > most;
    if (is_cut)
        width = most;
    for (const unsigned char *at = (const unsigned char *)text; written < width; ++written) {
        int length = character_length(at);
        bool is_control = *at < 0x20 || *at == 0x7f || (length == 2 && *at == 0xc2 && at[1] < 0xa0);
        bool is_broken = length == 1 && *at >= 0x80;
        if (is_cut && written == width - 1)
            fputs(canvas->options.is_ascii ? "~" : "…", canvas->to);
        else if (is_control || is_broken || (length > 1 && canvas->options.is_ascii))
            putc('?', canvas->to);
        else
            fwrite(at, 1, (size_t)length, canvas->to);
        at += length;
    }
    return written;
}

void put_spaces(const hq_canvas *canvas, int count)
{
    if (count > 0)
        fprintf(canvas->to, "%*s", count, "");
}

void put_style(const hq_canvas *canvas, const char *style)
{
    if (canvas->options.has_colour)
        fputs(style, canvas->to);
}

/* --- ticks --- */

/* Characters from a bin's first to the one below which its name stands. */
static int middle_of(hq_fit fit)
{
    return (fit.each - 1) / 2;
}

/* Round numbers, where bins are of one width. */
static int even_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r)
{
    bool is_integer = axis->kind == HQ_AXIS_INTEGER;
    double step = nice_step(axis->high - axis->low, most, is_integer), first = ceil(axis->low / step - 1e-9);
    double last = is_integer ? axis->high - 1 : axis->high + step * 1e-9;
    int count = 0, middle = is_integer && fit.factor == 1 ? middle_of(fit) : 0;
    for (int i = 0; i <= most; ++i) {
        double value = (first + i) * step;
        if (!(value <= last))
            continue;
        double bins = (value - axis->low) / (axis->high - axis->low) * axis->bins;
        ticks_r[count].place = bins / fit.factor * fit.each + middle;
        number_near(value, step, ticks_r[count++].text);
    }
    return count;
}

/* Some of the edges, where they lie anyhow. */
static int edge_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r)
{
    uint32_t step = axis->bins / (uint32_t)most + (axis->bins % (uint32_t)most != 0);
    int count = 0;
    for (uint32_t i = 0; i <= axis->bins; i += step) {
        ticks_r[count].place = (double)i / fit.factor * fit.each;
        snprintf(ticks_r[count++].text, NUMBER_TEXT, "%.4g", axis_edge(axis, i));
    }
    return count;
}

/* Powers of ten on a logarithmic axis; of a short one, with fewer than two within, some edges. */
static int power_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r)
{
    int first = (int)ceil(log10(axis->low) - 1e-9), last = (int)floor(log10(axis->high) + 1e-9);
    if (last <= first)
        return edge_ticks(axis, fit, most, ticks_r);
    int step = (last - first) / most + 1, count = 0;
    double low = axis_transformed(axis, axis->low), high = axis_transformed(axis, axis->high);
    for (int power = first; power <= last; power += step) {
        double bins = (axis_transformed(axis, pow(10, power)) - low) / (high - low) * axis->bins;
        ticks_r[count].place = bins / fit.factor * fit.each;
        snprintf(ticks_r[count++].text, NUMBER_TEXT, "%g", pow(10, power));
    }
    return count;
}

/* The names of categories, or of the first of those that are drawn as one. */
static int name_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r)
{
    uint32_t step = axis->bins / (uint32_t)most + (axis->bins % (uint32_t)most != 0);
    int count = 0;
    for (uint32_t i = 0; i < axis->bins; i += step) {
        uint32_t bar = i / fit.factor;
        ticks_r[count].place = (double)bar * fit.each + middle_of(fit);
        category_name(axis, i, ticks_r[count++].text);
    }
    return count;
}

int axis_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r)
{
    if (axis_is_category(axis))
        return name_ticks(axis, fit, most, ticks_r);
    if (axis->transform == HQ_TRANSFORM_LOG)
        return power_ticks(axis, fit, most, ticks_r);
    if (axis->kind == HQ_AXIS_VARIABLE || axis->transform != HQ_TRANSFORM_NONE)
        return edge_ticks(axis, fit, most, ticks_r);
    return even_ticks(axis, fit, most, ticks_r);
}

/* --- the x axis --- */

/* Where a text of that width goes if it is to stand below its tick; -1 if it would touch the one before. It does not
 * leave the drawing. */
static int text_start(int size, int free_from, int centre, int width)
{
    int start = centre - width / 2;
    if (start + width > size)
        start = size - width;
    if (start < 0)
        start = 0;
    return start < free_from ? -1 : start;
}

static void put_tick_texts(const hq_canvas *canvas, const hq_tick *ticks, int count, int begin)
{
    int size = canvas->options.width, at = 0;
    for (int i = 0; i < count; ++i) {
        int width = text_width(ticks[i].text);
        int start = text_start(size, at ? at + 2 : 0, begin + (int)lround(ticks[i].place), width);
        if (start < 0)
            continue;
        put_spaces(canvas, start - at);
        at = start + put_text(canvas, ticks[i].text, size - start);
    }
    putc('\n', canvas->to);
}

void put_x_axis(const hq_canvas *canvas, const hq_axis *axis, hq_fit fit, const char *corner)
{
    int columns = fit.shown * fit.each;
    int begin = canvas->margin + 1; /* where the first bin is drawn */
    int apart = axis->kind == HQ_AXIS_REGULAR && axis->transform == HQ_TRANSFORM_NONE ? 10 : 7;
    int most = axis_is_category(axis) ? fit.shown : columns / apart < 1 ? 1 : columns / apart;
    hq_tick *ticks = hq_calloc((size_t)most + 1, sizeof *ticks);
    char *is_tick = hq_calloc((size_t)columns + 1, 1);
    int found = axis_ticks(axis, fit, most, ticks), count = 0;
    for (int i = 0; i < found; ++i) {
        if (!(ticks[i].place > -0.5 && ticks[i].place < columns + 0.5))
            continue;
        is_tick[lround(ticks[i].place)] = 1;
        ticks[count++] = ticks[i];
    }

    fprintf(canvas->to, "%*s %s", canvas->margin - 1, corner, canvas->options.is_ascii ? "+" : "┼");
    for (int i = 0; i <= columns; ++i) {
        if (i == columns && !is_tick[i])
            break;
        const char *plain = canvas->options.is_ascii ? "-" : "─", *tick = canvas->options.is_ascii ? "+" : "┬";
        fputs(is_tick[i] ? tick : plain, canvas->to);
    }
    putc('\n', canvas->to);
    put_tick_texts(canvas, ticks, count, begin);

    const char *label = axis->label[0] ? axis->label : axis->name;
    if (label[0]) {
        int room = canvas->options.width - begin, width = text_width(label);
        put_spaces(canvas, width < columns ? begin + (columns - width) / 2 : begin);
        put_text(canvas, label, room);
        putc('\n', canvas->to);
    }
    free(ticks);
    free(is_tick);
}
