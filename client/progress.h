/* client/progress.h - the line that shows how far a query is, and the histogram as it grows.
 *
 *     [#####-----] 128/312 subtasks  3.2 M events/s  cached 84%  stored 10%  2.1 s left
 *
 * On a terminal the line is redrawn in place, at most ten times a second, below a drawing of the first histogram if the
 * terminal has room for it. On anything else nothing is written. Belongs to one thread.
 */
#ifndef HQ_CLIENT_PROGRESS_H
#define HQ_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "query/hist.h"

typedef struct hq_progress_state {
    uint64_t subtasks_done, subtasks; /* 0 of them: not known yet */
    double events_per_s;              /* negative if not known, and so for the following */
    double cached_share;              /* of the columns' bytes, found in a worker's memory: 0 to 1 */
    double stored_share;              /* of the subtasks, found in the store: 0 to 1 */
    double seconds_left;
} hq_progress_state;

/* The line, without its end, in at most width characters. The bar takes what the texts leave, 30 cells at most, and
 * goes if there is room for fewer than 5; then goes the share of the store, that of the cache, the rate, the time. A
 * share of the store of 0 is not mentioned. The caller frees. */
char *progress_line(const hq_progress_state *state, int width);

typedef struct hq_progress hq_progress;

/* is_forced: write even if the stream is no terminal (COLUMNS and LINES then give its size). */
hq_progress *progress_new(FILE *to, bool is_forced);

/* Shows the state, unless less than a tenth of a second has passed since the last time. hists is what has been summed
 * up so far, or NULL; it is only read during the call. */
void progress_update(hq_progress *progress, const hq_progress_state *state, const hq_histset *hists);

/* Wipes what has been drawn, so that the next line written begins where the drawing stood. */
void progress_end(hq_progress **progress_p);

#endif
