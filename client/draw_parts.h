/* client/draw_parts.h - what the drawings of client/draw.h are made of: numbers, ticks, axes, texts. Only for draw*.c.
 */
#ifndef HQ_CLIENT_DRAW_PARTS_H
#define HQ_CLIENT_DRAW_PARTS_H

#include "client/draw.h"

enum { NUMBER_TEXT = 48 };

/* Where drawing goes, and how wide the margin to the left of the frame is. */
typedef struct hq_canvas {
    FILE *to;
    hq_draw_options options;
    int margin;
} hq_canvas;

/* How the bins of an axis share the room: factor neighbours are drawn as one, each of those `each` characters wide.
 * factor divides the bins where one that does is at hand; else the last group is short. */
typedef struct hq_fit {
    uint32_t factor;
    int shown, each;
} hq_fit;

hq_fit fit_axis(const hq_axis *axis, int room, int each_most);

/* The least of 1, 2, 5 times a power of ten that cuts range into at most `most` parts; not below 1 if is_integral. */
double nice_step(double range, int most, bool is_integral);

/* With as many decimals as tell it from its neighbours at distance resolution; without trailing zeros. */
void number_near(double value, double resolution, char text_r[NUMBER_TEXT]);
/* Five significant digits; whole numbers up to 2^53 in full and grouped by commas: 2,304. */
void number_short(double value, char text_r[NUMBER_TEXT]);

/* A place where the axis bears a number or a name, in characters from where its first bin is drawn. */
typedef struct hq_tick {
    double place;
    char text[NUMBER_TEXT];
} hq_tick;

/* Not more than `most` + 1 of them, in their order; gives how many. Numbers lie on edges, of Integer axes and of
 * categories below the bins' middles. */
int axis_ticks(const hq_axis *axis, hq_fit fit, int most, hq_tick *ticks_r);
/* " from 0 to 1"; "" where bins are no places along a line. */
void axis_ends(const hq_axis *axis, char text_r[2 * NUMBER_TEXT]);

/* "[90, 92)", "[0, 1) x mu": the bin of that flat index, none of its axes in a flow bin. It may hold a category's name
 * and is for put_text. */
void bin_range(const hq_hist *hist, size_t index, char *text_r, size_t size);

/* What a bin is drawn as: its count, its sum of weights, or the mean of its samples. */
double bin_value(const hq_hist *hist, size_t index);
/* Its count or sum of weights, and the sum of their squares. */
double bin_weight(const hq_hist *hist, size_t index);
double bin_weight2(const hq_hist *hist, size_t index);

/* Several bins that are drawn as one, added one by one; what is not finite counts as nothing. */
typedef struct hq_heap {
    double sum, weight;
} hq_heap;
void heap_add(hq_heap *heap, const hq_hist *hist, size_t index);
/* The sum of the counts or weights, or the mean of all samples. What lies at the ends of a double's range is brought
 * within what the arithmetic of a scale can bear. */
double heap_value(const hq_heap *heap, const hq_hist *hist);

/* True if the flat index is in a flow bin of any axis. */
bool bin_is_flow(const hq_hist *hist, size_t index);

/* Writes the text, cut to `most` characters, made harmless for a terminal; gives how many it wrote. */
int put_text(const hq_canvas *canvas, const char *text, int most);
/* The length in characters that put_text will take. */
int text_width(const char *text);
void put_spaces(const hq_canvas *canvas, int count);
/* An ANSI sequence if the drawing has colour. */
void put_style(const hq_canvas *canvas, const char *style);

/* The line below the bars with its ticks, their numbers, and the axis' label. The number corner, or "", stands in the
 * margin. */
void put_x_axis(const hq_canvas *canvas, const hq_axis *axis, hq_fit fit, const char *corner);

/* draw_summary.c: the flat index of the bin within the range with the most in it or, of means, with the highest; NO_BIN
 * if none is above 0. And the lines below the drawing. */
#define NO_BIN SIZE_MAX
size_t fullest_bin(const hq_hist *hist);
void put_summary(const hq_canvas *canvas, const hq_hist *hist);

/* draw_map.c: the map of a histogram of two axes, without title and summary. */
void draw_map(const hq_canvas *canvas, const hq_hist *hist);

#endif
