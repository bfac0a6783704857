/* client/draw.h - a histogram as a drawing of characters, for a terminal or a text file.
 *
 * One axis: bars upwards, in eighths of a character, over the range; neighbouring bins are drawn as one where the width
 * demands it. Two axes: a map, the first axis to the right, the second upwards, darker where there is more. More: a
 * line on each axis. Below stands what can be said of it:
 *
 *     entries 2,304  mean 87.31 ± 0.44  std 21.1  underflow 3  overflow 1
 *     fullest bin [90, 91) with 190
 *
 * Mean, its error and std are those of the bins within the range, taken at their centres; for a weighted histogram
 * the error is std over the square root of (sum of w)^2 / (sum of w^2), "sum of weights" is that of all bins within the
 * range, and underflow and overflow are sums of weights too, while "entries" counts the calls of fill. Where several
 * bins are equally full, the first is named.
 *
 * Of a histogram that keeps means the bars and the map show the mean of each bin's samples, and the text has the mean
 * of all samples within the range, with its error, and the bin with the highest; underflow and overflow are counts, or
 * sums of weights. Variable and transformed axes are drawn with all bins of one width and their edges written below,
 * categories with their names.
 */
#ifndef HQ_CLIENT_DRAW_H
#define HQ_CLIENT_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include "query/hist.h"

enum { HQ_DRAW_MIN_WIDTH = 32 };

typedef struct hq_draw_options {
    int width;       /* columns that may be used; less than HQ_DRAW_MIN_WIDTH is taken as that */
    int height;      /* rows that bars or map may use; the texts around them come on top */
    bool is_ascii;   /* no character beyond 127 is written; else UTF-8 */
    bool has_colour; /* ANSI sequences for colour are written */
} hq_draw_options;

/* What suits the stream and its surroundings: the width from the terminal, else from COLUMNS, else 80; 12 rows, fewer
 * on a low terminal; UTF-8 if the environment's locale (LC_ALL, LC_CTYPE, LANG) is UTF-8; colour on a terminal, unless
 * NO_COLOR is set to something or TERM is "dumb". It does not need setlocale to have been called. */
hq_draw_options draw_options_for(FILE *to);

/* Draws on to, ending in a newline. Control characters in names and labels are drawn as "?". Errors of the stream are
 * left in its error indicator. */
void draw_hist(FILE *to, const hq_hist *hist, const hq_draw_options *options);

/* All of a set, with an empty line between two. */
void draw_histset(FILE *to, const hq_histset *set, const hq_draw_options *options);

#endif
