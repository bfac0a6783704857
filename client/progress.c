#include "client/progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/draw.h"

enum {
    INTERVAL_MS = 100,
    BAR_LEAST = 5,
    BAR_MOST = 30,
    LIVE_ROWS_LEAST = 16, /* a terminal lower than this shows the line alone */
};

struct hq_progress {
    FILE *to;
    bool is_shown;   /* on a terminal, or forced */
    bool has_ansi;   /* the terminal moves its cursor when told to */
    int64_t next_ms; /* when it may be drawn again */
    int lines_above; /* of the drawing that stands above the progress line now */
    int line_length; /* of the progress line that stands there now */
};

/* --- the line --- */

static double clamp_share(double share)
{
    return share > 1 ? 1 : share;
}

static char *rate_text(double events_per_s)
{
    static const char *const units[] = {"", "k ", "M ", "G "};
    size_t unit = 0;
    for (; events_per_s >= 999.5 && unit < 3; ++unit)
        events_per_s /= 1000;
    return hq_format(events_per_s < 9.95 && unit ? "  %.1f %sevents/s" : "  %.0f %sevents/s", events_per_s,
                     units[unit]);
}

static char *time_text(double seconds)
{
    if (seconds < 9.95)
        return hq_format("  %.1f s left", seconds);
    if (seconds > 359999)
        return hq_strdup("  days left");
    unsigned whole = (unsigned)(seconds + 0.5);
    if (whole < 100)
        return hq_format("  %u s left", whole);
    if (whole < 3600)
        return hq_format("  %u min %u s left", whole / 60, whole % 60);
    return hq_format("  %u h %u min left", whole / 3600, whole % 3600 / 60);
}

/* The bar in the room that is left, or "" if there is too little. */
static char *bar_text(const hq_progress_state *state, int room)
{
    int cells = room - 3 > BAR_MOST ? BAR_MOST : room - 3; /* brackets and the space after them */
    if (cells < BAR_LEAST || state->subtasks == 0)
        return hq_strdup("");
    uint64_t done = state->subtasks_done < state->subtasks ? state->subtasks_done : state->subtasks;
    int full = (int)((double)done / (double)state->subtasks * cells);
    char hashes[BAR_MOST], dashes[BAR_MOST];
    memset(hashes, '#', sizeof hashes);
    memset(dashes, '-', sizeof dashes);
    return hq_format("[%.*s%.*s] ", full, hashes, cells - full, dashes);
}

char *progress_line(const hq_progress_state *state, int width)
{
    enum { COUNT, RATE, CACHED, STORED, LEFT, PARTS };
    static const int drop_order[] = {STORED, CACHED, RATE, LEFT};
    char *parts[PARTS];
    if (state->subtasks)
        parts[COUNT] = hq_format("%" PRIu64 "/%" PRIu64 " subtasks", state->subtasks_done, state->subtasks);
    else
        parts[COUNT] = hq_strdup("waiting");
    parts[RATE] = state->events_per_s >= 0 ? rate_text(state->events_per_s) : hq_strdup("");
    parts[CACHED] = state->cached_share >= 0 ? hq_format("  cached %.0f%%", 100 * clamp_share(state->cached_share))
                                             : hq_strdup("");
    parts[STORED] = state->stored_share > 0 ? hq_format("  stored %.0f%%", 100 * clamp_share(state->stored_share))
                                            : hq_strdup("");
    parts[LEFT] = state->seconds_left >= 0 ? time_text(state->seconds_left) : hq_strdup("");

    size_t length = 0, room = width > 0 ? (size_t)width : 0;
    for (int i = 0; i < PARTS; ++i)
        length += strlen(parts[i]);
    for (size_t i = 0; i < sizeof drop_order / sizeof *drop_order && length > room; ++i) {
        length -= strlen(parts[drop_order[i]]);
        parts[drop_order[i]][0] = 0;
    }
    if (length > room)
        parts[COUNT][room] = 0; /* all that is left is longer than the room */
    char *bar = bar_text(state, length > room ? 0 : (int)(room - length));
    char *line = hq_format("%s%s%s%s%s%s", bar, parts[COUNT], parts[RATE], parts[CACHED], parts[STORED], parts[LEFT]);
    free(bar);
    for (int i = 0; i < PARTS; ++i)
        free(parts[i]);
    return line;
}

/* --- on a terminal --- */

hq_progress *progress_new(FILE *to, bool is_forced)
{
    hq_progress *progress = hq_calloc(1, sizeof *progress);
    const char *term = getenv("TERM");
    progress->to = to;
    progress->is_shown = is_forced || (fileno(to) >= 0 && isatty(fileno(to)));
    progress->has_ansi = !(term && strcmp(term, "dumb") == 0);
    return progress;
}

static int terminal_rows(FILE *to)
{
    struct winsize size = {0};
    if (fileno(to) >= 0 && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    const char *lines = getenv("LINES");
    return lines ? atoi(lines) : 0;
}

/* The drawing of the first histogram that has one and fits between the terminal's top and the line; NULL if none. */
static char *live_drawing(const hq_progress *progress, const hq_histset *hists, const hq_draw_options *options)
{
    int rows = terminal_rows(progress->to);
    if (!hists || !progress->has_ansi || rows < LIVE_ROWS_LEAST)
        return NULL;
    for (size_t i = 0; i < hists->count; ++i) {
        if (hist_axis_count(hists->hists[i]) > 2)
            continue;
        char *text = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&text, &size);
        if (!memory)
            return NULL;
        draw_hist(memory, hists->hists[i], options);
        if (fclose(memory) != 0) {
            free(text);
            return NULL;
        }
        int lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); ++at)
            ++lines;
        if (lines + 2 <= rows)
            return text;
        free(text);
    }
    return NULL;
}

/* Brings the cursor to the first character of what was drawn last. */
static void put_cursor_back(const hq_progress *progress, FILE *to)
{
    putc('\r', to);
    if (progress->lines_above)
        fprintf(to, "\033[%dA", progress->lines_above);
}

/* Everything goes out in one write, so that nothing half drawn is seen. Each line is cleared behind its text, not
 * before it, and lines that are too long must not wrap, or the way back up would be miscounted. */
static void redraw(hq_progress *progress, const char *drawing, const char *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return;
    put_cursor_back(progress, memory);
    progress->lines_above = 0;
    if (drawing) {
        fputs("\033[?7l", memory);
        for (const char *at = drawing, *end; (end = strchr(at, '\n')); at = end + 1) {
            fprintf(memory, "%.*s\033[K\n", (int)(end - at), at);
            ++progress->lines_above;
        }
        fputs("\033[?7h", memory);
    }
    fputs(line, memory);
    int length = (int)strlen(line);
    if (progress->has_ansi)
        fputs("\033[J", memory);
    else if (length < progress->line_length)
        fprintf(memory, "%*s", progress->line_length - length, "");
    progress->line_length = length;
    if (fclose(memory) == 0) {
        fwrite(text, 1, size, progress->to);
        fflush(progress->to);
    }
    free(text);
}

void progress_update(hq_progress *progress, const hq_progress_state *state, const hq_histset *hists)
{
    int64_t now_ms = hq_now_ms();
    if (!progress->is_shown || now_ms < progress->next_ms)
        return;
    progress->next_ms = now_ms + INTERVAL_MS;

    hq_draw_options options = draw_options_for(progress->to); /* each time: the window may have changed */
    char *drawing = live_drawing(progress, hists, &options);
    char *line = progress_line(state, options.width - 1); /* the last column would make some terminals wrap */
    redraw(progress, drawing, line);
    free(drawing);
    free(line);
}

void progress_end(hq_progress **progress_p)
{
    hq_progress *progress = *progress_p;
    if (!progress)
        return;
    if (progress->line_length) {
        put_cursor_back(progress, progress->to);
        if (progress->has_ansi)
            fputs("\033[J", progress->to);
        else
            fprintf(progress->to, "%*s\r", progress->line_length, "");
        fflush(progress->to);
    }
    free(progress);
    *progress_p = NULL;
}
