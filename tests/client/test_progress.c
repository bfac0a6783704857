/* The progress line's text, and what a terminal shows of it, by way of a small terminal that obeys the sequences used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/draw.h"
#include "client/progress.h"

static const hq_progress_state midway = {128, 312, 3.2e6, 0.84, 0.1, 2.1};

static void assert_line(hq_progress_state state, int width, const char *expected)
{
    char *line = progress_line(&state, width);
    assert_string_equal(line, expected);
    free(line);
}

static void a_line_says_all_that_is_known(void **state)
{
    (void)state;
    assert_line(midway, 80, "[###------] 128/312 subtasks  3.2 M events/s  cached 84%  stored 10%  2.1 s left");
    assert_line(
        midway, 200,
        "[############------------------] 128/312 subtasks  3.2 M events/s  cached 84%  stored 10%  2.1 s left");
    assert_line((hq_progress_state){312, 312, 850, 1, 0, 0}, 80,
                "[######################] 312/312 subtasks  850 events/s  cached 100%  0.0 s left");
    assert_line((hq_progress_state){0, 7, -1, -1, -1, -1}, 80, "[------------------------------] 0/7 subtasks");
    assert_line((hq_progress_state){0, 0, -1, -1, -1, -1}, 80, "waiting");
    assert_line((hq_progress_state){9, 7, 1e12, 1.5, 1.5, 1e9}, 120,
                "[##############################] 9/7 subtasks  1000 G events/s  cached 100%  stored 100%  days left");
}

static void a_line_that_is_too_long_loses_the_least_important(void **state)
{
    (void)state;
    assert_line(midway, 73, "128/312 subtasks  3.2 M events/s  cached 84%  stored 10%  2.1 s left");
    assert_line(midway, 67, "[###-----] 128/312 subtasks  3.2 M events/s  cached 84%  2.1 s left");
    assert_line(midway, 45, "128/312 subtasks  3.2 M events/s  2.1 s left");
    assert_line(midway, 30, "128/312 subtasks  2.1 s left");
    assert_line(midway, 20, "128/312 subtasks");
    assert_line(midway, 7, "128/312");
    assert_line(midway, 0, "");
    for (int width = 0; width < 130; ++width) {
        char *line = progress_line(&midway, width);
        assert_true((int)strlen(line) <= width);
        free(line);
    }
}

static void rates_and_times_have_fitting_units(void **state)
{
    (void)state;
    static const struct {
        double rate, left;
        const char *text;
    } cases[] = {
        {0, 0.04, "1/2 subtasks  0 events/s  0.0 s left"},
        {12.4, 9.94, "1/2 subtasks  12 events/s  9.9 s left"},
        {999.4, 9.96, "1/2 subtasks  999 events/s  10 s left"},
        {999.6, 99.4, "1/2 subtasks  1.0 k events/s  99 s left"},
        {9949, 99.6, "1/2 subtasks  9.9 k events/s  1 min 40 s left"},
        {9951, 3599.4, "1/2 subtasks  10 k events/s  59 min 59 s left"},
        {123e6, 3600, "1/2 subtasks  123 M events/s  1 h 0 min left"},
        {5e9, 359999, "1/2 subtasks  5.0 G events/s  99 h 59 min left"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hq_progress_state at = {1, 2, cases[i].rate, -1, 0, cases[i].left};
        assert_line(at, (int)strlen(cases[i].text), cases[i].text);
    }
}

/* --- a terminal of ROWS x COLUMNS, ASCII only --- */

enum { ROWS = 30, COLUMNS = 80 };

typedef struct hq_screen {
    char cells[ROWS][COLUMNS + 1];
    int row, column;
    int scrolled;
} hq_screen;

static void screen_clear(hq_screen *screen, int row, int column)
{
    for (int i = column; i < COLUMNS; ++i)
        screen->cells[row][i] = ' ';
}

static void screen_newline(hq_screen *screen)
{
    screen->column = 0; /* the driver of a terminal adds the carriage return */
    if (++screen->row < ROWS)
        return;
    memmove(screen->cells[0], screen->cells[1], sizeof screen->cells - sizeof screen->cells[0]);
    screen->row = ROWS - 1;
    screen_clear(screen, screen->row, 0);
    ++screen->scrolled;
}

/* ESC [ number letter; gives the character after it. */
static const char *screen_sequence(hq_screen *screen, const char *at)
{
    assert_int_equal(at[1], '[');
    at += 2;
    if (at[0] == '?') {
        assert_true(strncmp(at, "?7l", 3) == 0 || strncmp(at, "?7h", 3) == 0);
        return at + 3;
    }
    char *end;
    long number = strtol(at, &end, 10);
    if (*end == 'A') {
        screen->row -= (int)number;
        assert_true(number > 0 && screen->row >= 0);
    } else if (*end == 'K' || *end == 'J') {
        screen_clear(screen, screen->row, screen->column);
        for (int row = screen->row + 1; *end == 'J' && row < ROWS; ++row)
            screen_clear(screen, row, 0);
    } else {
        fail_msg("unexpected sequence ESC [%s", at);
    }
    return end + 1;
}

static void screen_write(hq_screen *screen, const char *text)
{
    for (const char *at = text; *at;) {
        if (*at == '\033') {
            at = screen_sequence(screen, at);
            continue;
        }
        if (*at == '\r')
            screen->column = 0;
        else if (*at == '\n')
            screen_newline(screen);
        else if (screen->column < COLUMNS)
            screen->cells[screen->row][screen->column++] = *at;
        ++at;
    }
}

static hq_screen screen_new(int row)
{
    hq_screen screen = {.row = row};
    for (int i = 0; i < ROWS; ++i) {
        screen_clear(&screen, i, 0);
        screen.cells[i][COLUMNS] = 0;
    }
    return screen;
}

/* What is on the screen, without the blanks at the ends of lines and without empty lines at the end. */
static char *screen_text(const hq_screen *screen)
{
    char *text = calloc(ROWS, COLUMNS + 2), *end = text;
    for (int row = 0; row < ROWS; ++row) {
        int length = COLUMNS;
        while (length && screen->cells[row][length - 1] == ' ')
            --length;
        memcpy(end, screen->cells[row], (size_t)length);
        end += length;
        *end++ = '\n';
    }
    while (end > text && end[-1] == '\n')
        *--end = 0;
    return text;
}

/* --- progress on it --- */

typedef struct hq_fixture {
    FILE *to;
    char *text;
    size_t size, seen;
    hq_histset *set;
} hq_fixture;

static void setup(hq_fixture *fixture, const char *lines, const char *term)
{
    setenv("LC_ALL", "C", 1);
    setenv("COLUMNS", "80", 1);
    setenv("LINES", lines, 1);
    setenv("TERM", term, 1);
    *fixture = (hq_fixture){0};
    fixture->to = open_memstream(&fixture->text, &fixture->size);
    assert_non_null(fixture->to);
    char name[] = "mass", label[] = "m [GeV]";
    hq_axis axis = {.name = name, .label = label, .bins = 12, .low = 0, .high = 120};
    hq_hist *hist = hist_new("peak", &axis, 1, HQ_COUNT);
    fixture->set = histset_new(&hist, 1);
}

static void teardown(hq_fixture *fixture)
{
    fclose(fixture->to);
    free(fixture->text);
    histset_free(&fixture->set);
}

static void fill(hq_histset *set, int count)
{
    for (int i = 0; i < count; ++i)
        hist_fill(set->hists[0], (double[]){(double)(i * i % 120)}, 1);
}

/* Updates until one is drawn, and gives what has been written since the last time. */
static const char *next_drawing(hq_fixture *fixture, hq_progress *progress, const hq_progress_state *state)
{
    int64_t deadline_ms = hq_now_ms() + 10000;
    do {
        progress_update(progress, state, fixture->set);
        fflush(fixture->to);
    } while (fixture->size == fixture->seen && hq_now_ms() < deadline_ms);
    assert_true(fixture->size > fixture->seen);
    const char *written = fixture->text + fixture->seen;
    fixture->seen = fixture->size;
    return written;
}

/* The screen must show the drawing of the histogram with the line below it. */
static void assert_shows(const hq_screen *screen, const hq_fixture *fixture, const hq_progress_state *state)
{
    char *drawn = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&drawn, &size);
    hq_draw_options options = {80, 12, true, false};
    draw_hist(to, fixture->set->hists[0], &options);
    char *line = progress_line(state, 79);
    fputs(line, to);
    fclose(to);
    char *shown = screen_text(screen);
    assert_non_null(strstr(shown, drawn));
    assert_string_equal(strstr(shown, drawn), drawn); /* and nothing after it */
    free(line);
    free(drawn);
    free(shown);
}

static void the_histogram_grows_in_place(void **state)
{
    (void)state;
    for (int begin = 0; begin < ROWS; begin += 10) { /* where the prompt was */
        hq_fixture fixture;
        setup(&fixture, "30", "xterm");
        hq_screen screen = screen_new(begin);
        screen_write(&screen, "$ hq-submit\n");
        char *before = screen_text(&screen);
        hq_progress *progress = progress_new(fixture.to, true);
        for (uint64_t i = 0; i < 4; ++i) {
            hq_progress_state at = {3 * i, 10, 1e6, 0.5, 0, 12.5 - 4 * (double)i};
            fill(fixture.set, (int)(40 * i * i)); /* first nothing: the drawing is shorter then */
            screen_write(&screen, next_drawing(&fixture, progress, &at));
            assert_shows(&screen, &fixture, &at);
        }
        histset_reset(fixture.set);
        hq_progress_state at = {10, 10, 1e6, 0.5, 0, 0};
        screen_write(&screen, next_drawing(&fixture, progress, &at)); /* and shorter again */
        assert_shows(&screen, &fixture, &at);

        progress_end(&progress);
        assert_null(progress);
        fflush(fixture.to);
        screen_write(&screen, fixture.text + fixture.seen);
        char *after = screen_text(&screen);
        assert_string_equal(after + strspn(after, "\n"), before + strspn(before, "\n")); /* it may have scrolled */
        assert_int_equal(screen.column, 0);
        free(before);
        free(after);
        teardown(&fixture);
    }
}

static void a_low_terminal_shows_the_line_alone(void **state)
{
    (void)state;
    hq_fixture fixture;
    setup(&fixture, "15", "xterm");
    hq_screen screen = screen_new(0);
    fill(fixture.set, 100);
    hq_progress *progress = progress_new(fixture.to, true);
    screen_write(&screen, next_drawing(&fixture, progress, &midway));
    char *shown = screen_text(&screen), *line = progress_line(&midway, 79);
    assert_string_equal(shown, line);
    free(shown);
    free(line);
    hq_progress_state shorter = {312, 312, 10, -1, 0, 0};
    screen_write(&screen, next_drawing(&fixture, progress, &shorter));
    shown = screen_text(&screen), line = progress_line(&shorter, 79);
    assert_string_equal(shown, line);
    free(shown);
    free(line);
    progress_end(&progress);
    teardown(&fixture);
}

static void a_dumb_terminal_gets_no_sequences(void **state)
{
    (void)state;
    hq_fixture fixture;
    setup(&fixture, "30", "dumb");
    hq_screen screen = screen_new(0);
    hq_progress *progress = progress_new(fixture.to, true);
    screen_write(&screen, next_drawing(&fixture, progress, &midway));
    hq_progress_state shorter = {312, 312, 10, -1, 0, 0};
    screen_write(&screen, next_drawing(&fixture, progress, &shorter));
    char *shown = screen_text(&screen), *line = progress_line(&shorter, 79);
    assert_string_equal(shown, line);
    free(shown);
    free(line);
    progress_end(&progress);
    fflush(fixture.to);
    screen_write(&screen, fixture.text + fixture.seen);
    shown = screen_text(&screen);
    assert_string_equal(shown, "");
    free(shown);
    assert_null(strchr(fixture.text, '\033'));
    teardown(&fixture);
}

static void it_is_drawn_ten_times_a_second_at_most(void **state)
{
    (void)state;
    hq_fixture fixture;
    setup(&fixture, "0", "xterm");
    hq_progress *progress = progress_new(fixture.to, true);
    int64_t begin_ms = hq_now_ms(), now_ms;
    do {
        progress_update(progress, &midway, NULL);
        now_ms = hq_now_ms();
    } while (now_ms < begin_ms + 350);
    fflush(fixture.to);
    int drawn = 0;
    for (const char *at = fixture.text; (at = strchr(at, '\r')); ++at)
        ++drawn;
    assert_in_range(drawn, 1, (now_ms - begin_ms) / 100 + 1);
    progress_end(&progress);
    teardown(&fixture);
}

static void what_is_no_terminal_gets_nothing(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    hq_progress *progress = progress_new(file, false);
    progress_update(progress, &midway, NULL);
    progress_end(&progress);
    progress_end(&progress);
    assert_int_equal(ftell(file), 0);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_all_that_is_known),
        cmocka_unit_test(a_line_that_is_too_long_loses_the_least_important),
        cmocka_unit_test(rates_and_times_have_fitting_units),
        cmocka_unit_test(the_histogram_grows_in_place),
        cmocka_unit_test(a_low_terminal_shows_the_line_alone),
        cmocka_unit_test(a_dumb_terminal_gets_no_sequences),
        cmocka_unit_test(it_is_drawn_ten_times_a_second_at_most),
        cmocka_unit_test(what_is_no_terminal_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
