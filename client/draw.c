#include "client/draw_parts.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DEFAULT_WIDTH = 80,
    DEFAULT_HEIGHT = 12,
    TEXT_ROWS = 7,       /* title, axis, numbers, label, two lines of summary, the cursor's */
    Y_PARTS = 5,         /* the y axis is cut into at most so many */
    BAR_WIDTH_MOST = 16, /* so that a histogram of two bins stays a histogram */
};

static bool locale_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
    if (!locale)
        return false;
    bool is_utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return is_utf8;
}

static bool variable_is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

hq_draw_options draw_options_for(FILE *to)
{
    hq_draw_options options = {DEFAULT_WIDTH, DEFAULT_HEIGHT, !locale_is_utf8(), false};
    const char *columns = getenv("COLUMNS"), *term = getenv("TERM");
    struct winsize size = {0};
    bool is_terminal = fileno(to) >= 0 && isatty(fileno(to));
    if (is_terminal && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        options.width = size.ws_col;
    else if (columns && atoi(columns) > 0)
        options.width = atoi(columns) < 1000 ? atoi(columns) : 1000;
    if (size.ws_row > 0 && size.ws_row < DEFAULT_HEIGHT + TEXT_ROWS)
        options.height = size.ws_row > TEXT_ROWS + 3 ? size.ws_row - TEXT_ROWS : 3;
    options.has_colour = is_terminal && !variable_is_set("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
    return options;
}

/* --- what can be said of a histogram --- */

typedef struct hq_summary {
    double sum, sum2; /* of the bins within the range: the counts or weights, and their squares' sums */
    double outside;   /* the same of all flow bins */
    double mean, std; /* of the only axis; NaN where negative weights leave them without meaning */
    size_t fullest;   /* flat index; 0, a flow bin, if nothing within the range is above 0 */
    size_t not_finite;
} hq_summary;

static hq_summary summarise(const hq_hist *hist)
{
    hq_summary all = {0};
    const hq_axis *axis = hist_axis(hist, 0);
    const double *sums = hist_bins_const(hist);
    double moment = 0, moment2 = 0, most = 0;
    for (size_t i = 0; i < hist_size(hist); ++i) {
        double value = bin_value(hist, i);
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
        all.sum += value;
        all.sum2 += hist_storage(hist) == HQ_COUNT ? value : sums[2 * i + 1];
        moment += value * (double)(i - 1);
        moment2 += value * (double)(i - 1) * (double)(i - 1);
        if (value > most) {
            most = value;
            all.fullest = i;
        }
    }
    /* In units of bins until here, lest a range far from zero eats the digits of the variance. */
    double width = (axis->high - axis->low) / axis->bins, mean = moment / all.sum;
    all.mean = axis->low + (mean + 0.5) * width;
    double variance = moment2 / all.sum - mean * mean;
    /* A single bin's variance is 0, and may come out just below. */
    all.std = sqrt(variance > -1e-9 * mean * mean && variance < 0 ? 0 : variance) * width;
    if (!(all.sum > 0 && mean > -1 && mean < axis->bins))
        all.mean = NAN;
    return all;
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

static void put_summary(const hq_canvas *canvas, const hq_hist *hist)
{
    char number[NUMBER_TEXT], range[HQ_MAX_AXES * 2 * NUMBER_TEXT];
    hq_summary all = summarise(hist);
    number_short((double)hist_entries(hist), number);
    fprintf(canvas->to, "entries %s", number);
    if (hist_storage(hist) == HQ_WEIGHTED) {
        number_short(all.sum, number);
        fprintf(canvas->to, "  sum of weights %s", number);
    }
    if (hist_axis_count(hist) == 1) {
        if (isfinite(all.mean) && isfinite(all.std)) {
            fputs("  mean ", canvas->to);
            put_with_error(canvas, all.mean, all.std * sqrt(all.sum2) / all.sum);
            fprintf(canvas->to, all.std >= 1000 && all.std < 1e7 ? "  std %.0f" : "  std %.3g", all.std);
        }
        number_short(bin_value(hist, 0), number);
        fprintf(canvas->to, "  underflow %s", number);
        number_short(bin_value(hist, hist_size(hist) - 1), number);
        fprintf(canvas->to, "  overflow %s", number);
    } else {
        number_short(all.outside, number);
        fprintf(canvas->to, "  outside the range %s", number);
    }
    putc('\n', canvas->to);
    if (all.fullest) {
        bin_range(hist, all.fullest, range, sizeof range);
        number_short(bin_value(hist, all.fullest), number);
        fprintf(canvas->to, "fullest bin %s with %s\n", range, number);
    }
    if (all.not_finite)
        fprintf(canvas->to, "bins with a sum that is no finite number: %zu\n", all.not_finite);
}

/* --- one axis: bars --- */

typedef struct hq_bars {
    hq_fit fit;
    int *eighths;     /* each bar's height, in eighths of a row; below zero for a negative sum */
    int fullest;      /* the bar with the fullest bin in it */
    int above, below; /* rows above and below zero */
    int tick_rows;    /* rows from one tick of the y axis to the next */
    double step;      /* and what they amount to */
} hq_bars;

/* The sums of the bins that each bar stands for; what is not finite counts as 0. Sums at the ends of a double's range
 * are brought within what the arithmetic of the scale can bear. */
static double *bar_values(const hq_hist *hist, hq_fit fit)
{
    uint32_t bins = hist_axis(hist, 0)->bins;
    double *values = hq_calloc((size_t)fit.shown, sizeof *values);
    for (uint32_t i = 0; i < bins; ++i) {
        double value = bin_value(hist, (size_t)i + 1);
        if (isfinite(value))
            values[i / fit.factor] += value;
    }
    for (int i = 0; i < fit.shown; ++i)
        values[i] = fabs(values[i]) < 1e-300 ? 0 : fmax(fmin(values[i], 1e300), -1e300);
    return values;
}

static hq_bars bars_of(const hq_canvas *canvas, const hq_hist *hist, hq_fit fit)
{
    hq_bars bars = {.fit = fit, .eighths = hq_calloc((size_t)fit.shown, sizeof(int)), .fullest = -1};
    double *values = bar_values(hist, fit), most = 0, least = 0;
    for (int i = 0; i < fit.shown; ++i) {
        most = fmax(most, values[i]);
        least = fmin(least, values[i]);
    }
    if (most == least)
        most = 1; /* sums of weights that cancel in every bar: an axis without bars */
    bars.step = nice_step(most - least, Y_PARTS, hist_storage(hist) == HQ_COUNT);
    int above = (int)ceil(most / bars.step - 1e-9), below = (int)ceil(-least / bars.step - 1e-9);
    int height = canvas->options.height < 1 ? 1 : canvas->options.height;
    bars.tick_rows = height / (above + below) < 1 ? 1 : height / (above + below);
    bars.above = above * bars.tick_rows;
    bars.below = below * bars.tick_rows;
    for (int i = 0; i < fit.shown; ++i) {
        bars.eighths[i] = (int)lround(8 * bars.tick_rows * values[i] / bars.step);
        if (bars.eighths[i] == 0 && values[i] != 0)
            bars.eighths[i] = values[i] > 0 ? 1 : -1; /* what is there must be seen */
    }
    size_t fullest = summarise(hist).fullest;
    if (fullest)
        bars.fullest = (int)((fullest - 1) / fit.factor);
    free(values);
    return bars;
}

/* How much of a bar is in a row, 0 to 8. Row 0 is the first above zero, row -1 the first below. */
static int eighths_in_row(int eighths, int row)
{
    int part = row >= 0 ? eighths - 8 * row : -eighths - 8 * (-row - 1);
    return part < 0 ? 0 : part > 8 ? 8 : part;
}

static const char *bar_glyph(int part, bool is_above, bool is_ascii)
{
    static const char *const up[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const down[] = {" ", "▔", "▔", "▀", "▀", "▀", "▀", "█", "█"};
    static const char *const plain_up[] = {" ", ".", ".", ".", ":", ":", ":", ":", "#"};
    static const char *const plain_down[] = {" ", "'", "'", "'", ":", ":", ":", ":", "#"};
    return is_ascii ? (is_above ? plain_up : plain_down)[part] : (is_above ? up : down)[part];
}

/* What the lower edge of a row that bears a tick amounts to. */
static void tick_number(const hq_bars *bars, int row, char text_r[NUMBER_TEXT])
{
    int ticks = row / bars->tick_rows;
    number_near(ticks * bars->step, bars->step, text_r);
}

static void put_bar_row(const hq_canvas *canvas, const hq_bars *bars, int row)
{
    char number[NUMBER_TEXT] = "";
    int top = row + 1; /* a tick's number stands in the row whose upper edge it is */
    bool has_tick = top % bars->tick_rows == 0;
    if (has_tick)
        tick_number(bars, top, number);
    fprintf(canvas->to, "%*s ", canvas->margin - 1, number);
    if (canvas->options.is_ascii)
        fputs(has_tick ? "+" : "|", canvas->to);
    else
        fputs(has_tick ? "┤" : "│", canvas->to);

    int last = bars->fit.shown - 1;
    while (last >= 0 && eighths_in_row(bars->eighths[last], row) == 0)
        --last;
    const char *style = "";
    for (int i = 0; i <= last; ++i) {
        int part = eighths_in_row(bars->eighths[i], row);
        const char *wanted = i == bars->fullest ? "\033[1;33m" : "\033[36m";
        if (part && style != wanted && strcmp(style, wanted) != 0) {
            put_style(canvas, "\033[0m");
            put_style(canvas, wanted);
            style = wanted;
        }
        for (int k = 0; k < bars->fit.each; ++k)
            fputs(bar_glyph(part, row >= 0, canvas->options.is_ascii), canvas->to);
    }
    if (style[0])
        put_style(canvas, "\033[0m");
    putc('\n', canvas->to);
}

/* The width of the widest number on the y axis. */
static int y_numbers_width(const hq_bars *bars)
{
    size_t widest = 0;
    for (int row = -bars->below; row <= bars->above; row += bars->tick_rows) {
        char number[NUMBER_TEXT];
        tick_number(bars, row, number);
        widest = strlen(number) > widest ? strlen(number) : widest;
    }
    return (int)widest;
}

static void draw_bars(hq_canvas *canvas, const hq_hist *hist)
{
    const hq_axis *axis = hist_axis(hist, 0);
    hq_bars bars;
    /* A wider margin may merge more bins, and their larger sums want a wider margin: until it fits. */
    for (canvas->margin = 3;; ++canvas->margin) {
        hq_fit fit = fit_axis(axis, canvas->options.width - canvas->margin - 2, BAR_WIDTH_MOST);
        bars = bars_of(canvas, hist, fit);
        if (y_numbers_width(&bars) + 2 <= canvas->margin)
            break;
        free(bars.eighths);
    }
    for (int row = bars.above - 1; row >= -bars.below; --row)
        put_bar_row(canvas, &bars, row);

    char corner[NUMBER_TEXT];
    tick_number(&bars, -bars.below, corner);
    put_x_axis(canvas, axis, bars.fit, corner);
    free(bars.eighths);
    if (bars.fit.factor > 1)
        fprintf(canvas->to, "(each bar is the sum of %u bins)\n", bars.fit.factor);
}

/* --- all of them --- */

static void put_title(const hq_canvas *canvas, const hq_hist *hist)
{
    put_style(canvas, "\033[1m");
    put_text(canvas, hist_name(hist)[0] ? hist_name(hist) : "histogram", canvas->options.width);
    put_style(canvas, "\033[0m");
    putc('\n', canvas->to);
}

static void put_axes(const hq_canvas *canvas, const hq_hist *hist)
{
    for (size_t i = 0; i < hist_axis_count(hist); ++i) {
        const hq_axis *axis = hist_axis(hist, i);
        char low[NUMBER_TEXT], high[NUMBER_TEXT];
        double resolution = (axis->high - axis->low) / axis->bins / 1000;
        number_near(axis->low, resolution, low);
        number_near(axis->high, resolution, high);
        int written = fprintf(canvas->to, "  axis %zu: %u bin%s from %s to %s", i + 1, axis->bins,
                              axis->bins == 1 ? "" : "s", low, high);
        const char *label = axis->label[0] ? axis->label : axis->name;
        if (label[0]) {
            fputs(", ", canvas->to);
            put_text(canvas, label, canvas->options.width - written - 2);
        }
        putc('\n', canvas->to);
    }
}

static bool range_is_empty(const hq_hist *hist)
{
    for (size_t i = 0; i < hist_size(hist); ++i) {
        double value = bin_value(hist, i);
        if (value != 0 && isfinite(value) && !bin_is_flow(hist, i))
            return false;
    }
    return true;
}

void draw_hist(FILE *to, const hq_hist *hist, const hq_draw_options *options)
{
    hq_canvas canvas = {to, *options, 0};
    if (canvas.options.width < HQ_DRAW_MIN_WIDTH)
        canvas.options.width = HQ_DRAW_MIN_WIDTH;
    put_title(&canvas, hist);
    if (hist_axis_count(hist) > 2)
        put_axes(&canvas, hist);
    else if (range_is_empty(hist))
        fputs("  nothing within the range\n", to);
    else if (hist_axis_count(hist) == 2)
        draw_map(&canvas, hist);
    else
        draw_bars(&canvas, hist);
    put_summary(&canvas, hist);
}

void draw_histset(FILE *to, const hq_histset *set, const hq_draw_options *options)
{
    for (size_t i = 0; i < set->count; ++i) {
        if (i)
            putc('\n', to);
        draw_hist(to, set->hists[i], options);
    }
}
