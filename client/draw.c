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

/* --- one axis: bars --- */

typedef struct hq_bars {
    hq_fit fit;
    int *eighths;     /* each bar's height, in eighths of a row; below zero for a negative sum */
    int fullest;      /* the bar with the fullest bin in it */
    int above, below; /* rows above and below zero */
    int tick_rows;    /* rows from one tick of the y axis to the next */
    double step;      /* and what they amount to */
} hq_bars;

/* What the bins come to that each bar stands for. */
static double *bar_values(const hq_hist *hist, hq_fit fit)
{
    const hq_axis *axis = hist_axis(hist, 0);
    hq_heap *heaps = hq_calloc((size_t)fit.shown, sizeof *heaps);
    for (uint32_t i = 0; i < axis->bins; ++i)
        heap_add(&heaps[i / fit.factor], hist, (size_t)i + axis_has_underflow(axis));
    double *values = hq_calloc((size_t)fit.shown, sizeof *values);
    for (int i = 0; i < fit.shown; ++i)
        values[i] = heap_value(&heaps[i], hist);
    free(heaps);
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
    size_t fullest = fullest_bin(hist);
    if (fullest != NO_BIN)
        bars.fullest = (int)((fullest - axis_has_underflow(hist_axis(hist, 0))) / fit.factor);
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
        fprintf(canvas->to, "(each bar is the %s of %u bins)\n", storage_has_mean(hist_storage(hist)) ? "mean" : "sum",
                bars.fit.factor);
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
        char ends[2 * NUMBER_TEXT] = "";
        const char *bins = axis->kind == HQ_AXIS_INT_CATEGORY || axis->kind == HQ_AXIS_STR_CATEGORY
                               ? axis->bins == 1 ? "category" : "categories"
                           : axis->bins == 1 ? "bin"
                                             : "bins";
        axis_ends(axis, ends);
        int written = fprintf(canvas->to, "  axis %zu: %u %s%s", i + 1, axis->bins, bins, ends);
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
        double value = bin_weight(hist, i);
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
