#include "client/draw_parts.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 4, CELL_WIDTH_MOST = 4, CELL_HEIGHT_MOST = 2 };

/* The map's cells: sums of the bins that each stands for, the lowest row first. */
typedef struct hq_map {
    hq_fit x, y;
    double *cells;
    double most;
    bool has_negative;
} hq_map;

static hq_map map_of(const hq_hist *hist, hq_fit x, hq_fit y)
{
    size_t cells = (size_t)x.shown * (size_t)y.shown;
    hq_map map = {x, y, hq_calloc(cells, sizeof(double)), 0, false};
    hq_heap *heaps = hq_calloc(cells, sizeof *heaps);
    const hq_axis *columns = hist_axis(hist, 0), *rows = hist_axis(hist, 1);
    for (uint32_t i = 0; i < columns->bins; ++i) {
        size_t column = (i + (size_t)axis_has_underflow(columns)) * axis_extent(rows) + axis_has_underflow(rows);
        for (uint32_t j = 0; j < rows->bins; ++j)
            heap_add(&heaps[(size_t)(j / y.factor) * (size_t)x.shown + i / x.factor], hist, column + j);
    }
    for (size_t i = 0; i < cells; ++i) {
        map.cells[i] = heap_value(&heaps[i], hist);
        map.most = fmax(map.most, map.cells[i]);
        map.has_negative |= map.cells[i] < 0;
    }
    free(heaps);
    return map;
}

/* 0 for an empty cell, 1 to LEVELS for equal parts of the way to the fullest, -1 below zero. */
static int cell_level(const hq_map *map, double value)
{
    if (value <= 0)
        return value < 0 ? -1 : 0;
    int level = (int)ceil(value / map->most * LEVELS - 1e-9);
    return level < 1 ? 1 : level > LEVELS ? LEVELS : level;
}

static const char *level_glyph(int level, bool is_ascii)
{
    static const char *const shades[] = {"-", " ", "░", "▒", "▓", "█"};
    static const char *const plain[] = {"-", " ", ".", "+", "*", "#"};
    return (is_ascii ? plain : shades)[level + 1];
}

/* For each line of the map, from the lowest, the tick's number that stands in it, or "". */
static char (*y_numbers(const hq_axis *axis, hq_fit fit))[NUMBER_TEXT]
{
    int lines = fit.shown * fit.each;
    char(*numbers)[NUMBER_TEXT] = hq_calloc((size_t)lines, sizeof *numbers);
    int most = axis_is_category(axis) ? fit.shown : lines / 3 < 1 ? 1 : lines / 3;
    hq_tick *ticks = hq_calloc((size_t)most + 1, sizeof *ticks);
    int count = axis_ticks(axis, fit, most, ticks);
    for (int i = 0; i < count; ++i)
        if (ticks[i].place > -0.5 && ticks[i].place < lines - 0.5)
            memcpy(numbers[lround(ticks[i].place)], ticks[i].text, NUMBER_TEXT);
    free(ticks);
    return numbers;
}

static void put_map_line(const hq_canvas *canvas, const hq_map *map, int line, const char *number)
{
    int width = text_width(number) < canvas->margin - 1 ? text_width(number) : canvas->margin - 1;
    put_spaces(canvas, canvas->margin - 1 - width);
    put_text(canvas, number, width);
    putc(' ', canvas->to);
    if (canvas->options.is_ascii)
        fputs(number[0] ? "+" : "|", canvas->to);
    else
        fputs(number[0] ? "┤" : "│", canvas->to);
    const double *cells = map->cells + (size_t)(line / map->y.each) * (size_t)map->x.shown;
    int last = map->x.shown - 1;
    while (last >= 0 && cells[last] == 0)
        --last;
    put_style(canvas, last < 0 ? "" : "\033[36m");
    for (int i = 0; i <= last; ++i)
        for (int k = 0; k < map->x.each; ++k)
            fputs(level_glyph(cell_level(map, cells[i]), canvas->options.is_ascii), canvas->to);
    put_style(canvas, last < 0 ? "" : "\033[0m");
    putc('\n', canvas->to);
}

static void put_legend(const hq_canvas *canvas, const hq_map *map, const hq_hist *hist)
{
    bool is_ascii = canvas->options.is_ascii, is_integral = hist_storage(hist) == HQ_COUNT;
    char number[NUMBER_TEXT];
    put_spaces(canvas, canvas->margin + 1);
    for (int level = 1; level <= LEVELS && map->most > 0; ++level) {
        double end = map->most * level / LEVELS;
        if (is_integral)
            number_short(floor(end + 1e-9), number);
        else
            number_near(end, map->most / 1000, number);
        fprintf(canvas->to, "%s to %s%s", level_glyph(level, is_ascii), number, level < LEVELS ? "  " : "");
    }
    if (map->has_negative)
        fprintf(canvas->to, "%s- below 0", map->most > 0 ? "  " : "");
    putc('\n', canvas->to);
    if (map->x.factor > 1 || map->y.factor > 1)
        fprintf(canvas->to, "(each cell is the %s of %u x %u bins)\n",
                storage_has_mean(hist_storage(hist)) ? "mean" : "sum", map->x.factor, map->y.factor);
}

void draw_map(const hq_canvas *given, const hq_hist *hist)
{
    hq_canvas canvas = *given;
    const hq_axis *x_axis = hist_axis(hist, 0), *y_axis = hist_axis(hist, 1);
    int height = 2 * canvas.options.height < 1 ? 1 : 2 * canvas.options.height;
    hq_fit y = fit_axis(y_axis, height, CELL_HEIGHT_MOST);
    char(*numbers)[NUMBER_TEXT] = y_numbers(y_axis, y);
    int lines = y.shown * y.each;
    for (int i = 0; i < lines; ++i)
        canvas.margin = text_width(numbers[i]) + 2 > canvas.margin ? text_width(numbers[i]) + 2 : canvas.margin;
    if (axis_is_category(y_axis) && canvas.margin > canvas.options.width / 3)
        canvas.margin = canvas.options.width / 3; /* long names are cut */
    hq_map map = map_of(hist, fit_axis(x_axis, canvas.options.width - canvas.margin - 2, CELL_WIDTH_MOST), y);

    const char *label = y_axis->label[0] ? y_axis->label : y_axis->name;
    if (label[0]) {
        put_spaces(&canvas, canvas.margin);
        put_text(&canvas, label, canvas.options.width - canvas.margin);
        putc('\n', canvas.to);
    }
    for (int i = lines - 1; i >= 0; --i)
        put_map_line(&canvas, &map, i, numbers[i]);
    put_x_axis(&canvas, x_axis, map.x, "");
    put_legend(&canvas, &map, hist);
    free(numbers);
    free(map.cells);
}
