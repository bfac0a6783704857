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

void bin_range(const hq_hist *hist, size_t index, char *text_r, size_t size)
{
    size_t left = hist_size(hist), used = 0;
    text_r[0] = 0;
    for (size_t i = 0; i < hist_axis_count(hist); ++i) {
        const hq_axis *axis = hist_axis(hist, i);
        left /= (size_t)axis->bins + 2;
        uint32_t bin = (uint32_t)(index / left) - 1;
        index %= left;
        char low[NUMBER_TEXT], high[NUMBER_TEXT];
        double resolution = (axis->high - axis->low) / axis->bins / 1000;
        number_near(axis_edge(axis, bin), resolution, low);
        number_near(axis_edge(axis, bin + 1), resolution, high);
        int wrote = snprintf(text_r + used, size - used, "%s[%s, %s)", i ? " x " : "", low, high);
        used += (size_t)wrote;
        if (used >= size)
            return;
    }
}

double bin_value(const hq_hist *hist, size_t index)
{
    if (hist_storage(hist) == HQ_COUNT)
        return (double)((const int64_t *)hist_bins_const(hist))[index];
    return ((const double *)hist_bins_const(hist))[2 * index];
}

bool bin_is_flow(const hq_hist *hist, size_t index)
{
    for (size_t i = hist_axis_count(hist); i-- > 0;) {
        size_t bins = (size_t)hist_axis(hist, i)->bins + 2;
        if (index % bins == 0 || index % bins == bins - 1)
            return true;
        index /= bins;
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

/* --- the x axis --- */

/* Puts a number below its tick, unless it would touch the one before or leave the drawing. */
static void place_number(char *line, int size, int *free_from, int centre, const char *number)
{
    int length = (int)strlen(number), start = centre - length / 2;
    if (start < 0)
        start = 0;
    if (start + length > size)
        start = size - length;
    if (start < *free_from)
        return;
    memcpy(line + start, number, (size_t)length);
    *free_from = start + length + 2;
}

void put_x_axis(const hq_canvas *canvas, const hq_axis *axis, hq_fit fit, const char *corner)
{
    int columns = fit.shown * fit.each, size = canvas->options.width;
    int begin = canvas->margin + 1; /* where the first bin is drawn */
    char *line = hq_alloc((size_t)size + 1), *is_tick = hq_calloc((size_t)columns + 1, 1);
    memset(line, ' ', (size_t)size);
    int most = columns / 10 < 1 ? 1 : columns / 10, free_from = 0;
    double step = nice_step(axis->high - axis->low, most, false), first = ceil(axis->low / step - 1e-9);
    for (int i = 0; i <= most; ++i) {
        double value = (first + i) * step;
        double place = (value - axis->low) / (axis->high - axis->low) * axis->bins / fit.factor * fit.each;
        if (!(value <= axis->high + step * 1e-9) || !(place > -0.5 && place < columns + 0.5))
            continue;
        char number[NUMBER_TEXT];
        number_near(value, step, number);
        is_tick[lround(place)] = 1;
        place_number(line, size, &free_from, begin + (int)lround(place), number);
    }

    fprintf(canvas->to, "%*s %s", canvas->margin - 1, corner, canvas->options.is_ascii ? "+" : "┼");
    for (int i = 0; i <= columns; ++i) {
        if (i == columns && !is_tick[i])
            break;
        const char *plain = canvas->options.is_ascii ? "-" : "─", *tick = canvas->options.is_ascii ? "+" : "┬";
        fputs(is_tick[i] ? tick : plain, canvas->to);
    }
    while (size > 0 && line[size - 1] == ' ')
        --size;
    line[size] = 0;
    fprintf(canvas->to, "\n%s\n", line);

    const char *label = axis->label[0] ? axis->label : axis->name;
    if (label[0]) {
        int room = canvas->options.width - begin, width = text_width(label);
        put_spaces(canvas, width < columns ? begin + (columns - width) / 2 : begin);
        put_text(canvas, label, room);
        putc('\n', canvas->to);
    }
    free(line);
    free(is_tick);
}
