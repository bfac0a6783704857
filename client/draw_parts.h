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

/* "[90, 92)", "[0, 1) x [2, 3)": the bin of that flat index, none of its axes in a flow bin. */
void bin_range(const hq_hist *hist, size_t index, char *text_r, size_t size);

/* A bin's count or sum of weights. */
double bin_value(const hq_hist *hist, size_t index);
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

/* draw_map.c: the map of a histogram of two axes, without title and summary. */
void draw_map(const hq_canvas *canvas, const hq_hist *hist);

#endif
