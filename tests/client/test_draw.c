/* Drawings, character by character. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/draw.h"

static const hq_draw_options blocks = {80, 8, false, false}, plain = {48, 8, true, false};

static hq_axis regular(const char *name, const char *label, uint32_t bins, double low, double high)
{
    return (hq_axis){.name = (char *)name, .label = (char *)label, .bins = bins, .low = low, .high = high};
}

static char *drawing(const hq_hist *hist, const hq_draw_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    draw_hist(to, hist, options);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void assert_drawing(hq_hist *hist, const hq_draw_options *options, const char *expected)
{
    char *text = drawing(hist, options);
    if (strcmp(text, expected) != 0)
        print_message("drawn:\n%s", text);
    assert_string_equal(text, expected);
    free(text);
    hist_free(&hist);
}

static hq_hist *counted(const char *name, const hq_axis *axis, const int64_t *counts)
{
    hq_hist *hist = hist_new(name, axis, 1, HQ_COUNT);
    memcpy(hist_bins(hist), counts, (axis->bins + 2) * sizeof *counts);
    return hist;
}

static hq_hist *peak(void)
{
    static const int64_t counts[] = {3, 2, 5, 9, 20, 58, 400, 611, 190, 41, 17, 8, 5, 1};
    hq_axis axis = regular("mass", "dimuon mass [GeV]", 12, 80, 104);
    return counted("zpeak", &axis, counts);
}

static hq_hist *weighted(const hq_axis *axis, const double *weights)
{
    hq_hist *hist = hist_new("sums", axis, 1, HQ_WEIGHTED);
    double *sums = hist_bins(hist);
    for (uint32_t i = 0; i < axis->bins + 2; ++i) {
        sums[2 * i] = weights[i];
        sums[2 * i + 1] = weights[i] * weights[i];
    }
    *hist_fills(hist) = 1234567;
    return hist;
}

static hq_hist *plane(double scale)
{
    hq_axis axes[] = {regular("x", "p\xe1\xb5\x80 [GeV]", 8, 0, 40), regular("y", "", 5, -2.5, 2.5)};
    hq_hist *hist = hist_new("plane", axes, 2, scale == 1 ? HQ_COUNT : HQ_WEIGHTED);
    for (size_t i = 0; i < 10; ++i) {
        for (size_t j = 0; j < 7; ++j) {
            double value = (double)(i * j % 11) * scale;
            if (scale == 1)
                ((int64_t *)hist_bins(hist))[i * 7 + j] = (int64_t)value;
            else
                ((double *)hist_bins(hist))[2 * (i * 7 + j)] = value;
        }
    }
    return hist;
}

static void a_peak_is_drawn_in_blocks(void **state)
{
    (void)state;
    assert_drawing(peak(), &blocks,
                   "zpeak\n"
                   " 800 ┤\n"
                   "     │                                    ▁▁▁▁▁▁\n"
                   " 600 ┤                                    ██████\n"
                   "     │                                    ██████\n"
                   " 400 ┤                              ████████████\n"
                   "     │                              ████████████\n"
                   " 200 ┤                              ████████████▇▇▇▇▇▇\n"
                   "     │▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▂▅▅▅▅▅▅██████████████████▃▃▃▃▃▃▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁\n"
                   "   0 ┼┬──────────────┬──────────────┬──────────────┬──────────────┬───────────\n"
                   "     80             85             90             95             100\n"
                   "                                 dimuon mass [GeV]\n"
                   "entries 1,370  mean 92.61 ± 0.06  std 2.33  underflow 3  overflow 1\n"
                   "fullest bin [92, 94) with 611\n");
}

static void a_peak_is_drawn_in_plain_characters(void **state)
{
    (void)state;
    assert_drawing(peak(), &plain,
                   "zpeak\n"
                   " 800 +\n"
                   "     |                  ...\n"
                   " 600 +                  ###\n"
                   "     |                  ###\n"
                   " 400 +               ######\n"
                   "     |               ######\n"
                   " 200 +               ######:::\n"
                   "     |............:::#########............\n"
                   "   0 ++--------------+--------------+-----\n"
                   "     80             90             100\n"
                   "               dimuon mass [GeV]\n"
                   "entries 1,370  mean 92.61 +- 0.06  std 2.33  underflow 3  overflow 1\n"
                   "fullest bin [92, 94) with 611\n");
}

static void the_fullest_bin_stands_out_in_colour(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 3, 0, 3);
    hq_draw_options options = {40, 2, false, true};
    assert_drawing(counted("h", &axis, (int64_t[]){0, 1, 2, 1, 0}), &options,
                   "\033[1mh\033[0m\n"
                   " 2 ┤           \033[0m\033[1;33m███████████\033[0m\n"
                   " 1 ┤\033[0m\033[36m███████████\033[0m\033[1;33m███████████\033[0m\033[36m███████████\033[0m\n"
                   " 0 ┼┬──────────┬──────────┬──────────┬\n"
                   "    0          1          2          3\n"
                   "                    x\n"
                   "entries 4  mean 1.5 ± 0.4  std 0.707  underflow 0  overflow 0\n"
                   "fullest bin [1, 2) with 2\n");
}

static void bins_beyond_the_width_are_merged(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 120, 0, 1);
    int64_t counts[122] = {0};
    for (int i = 0; i < 122; ++i)
        counts[i] = i;
    assert_drawing(counted("h", &axis, counts), &plain,
                   "h\n"
                   " 400 +                                       .\n"
                   "     |                                  ..::##\n"
                   " 300 +                            ..:::#######\n"
                   "     |                      ..:::#############\n"
                   " 200 +                 ..:::##################\n"
                   "     |           ..:::########################\n"
                   " 100 +      ..:::#############################\n"
                   "     |..:::###################################\n"
                   "   0 ++-------------------+-------------------+\n"
                   "      0                  0.5                  1\n"
                   "                         x\n"
                   "(each bar is the sum of 3 bins)\n"
                   "entries 7,381  mean 0.665 +- 0.003  std 0.237  underflow 0  overflow 121\n"
                   "fullest bin [0.991667, 1) with 120\n");
}

static void bins_that_no_factor_divides_leave_a_short_last_bar(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 101, 0, 101);
    int64_t counts[103];
    for (int i = 0; i < 103; ++i)
        counts[i] = 10;
    assert_drawing(counted("h", &axis, counts), &plain,
                   "h\n"
                   " 30 +#################################\n"
                   "    |#################################\n"
                   " 20 +##################################\n"
                   "    |##################################\n"
                   " 10 +##################################\n"
                   "    |##################################\n"
                   "  0 ++----------------+---------------+\n"
                   "     0               50              100\n"
                   "                     x\n"
                   "(each bar is the sum of 3 bins)\n"
                   "entries 1,030  mean 50.5 +- 0.9  std 29.2  underflow 10  overflow 10\n"
                   "fullest bin [0, 1) with 10\n");
}

static void sums_of_weights_go_below_zero(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "cos \xce\xb8", 8, -1, 1);
    assert_drawing(weighted(&axis, (double[]){0.5, 0.25, 1.25, 3, 0.75, -0.01, -1, -2.25, 0, 1e-4}), &blocks,
                   "sums\n"
                   "  4 ┤\n"
                   "    │                  █████████\n"
                   "  2 ┤         ▂▂▂▂▂▂▂▂▂█████████\n"
                   "    │▂▂▂▂▂▂▂▂▂██████████████████▆▆▆▆▆▆▆▆▆\n"
                   "  0 ┤                                    ▔▔▔▔▔▔▔▔▔██████████████████\n"
                   "    │                                                      █████████\n"
                   " -2 ┤                                                      ▔▔▔▔▔▔▔▔▔\n"
                   "    │\n"
                   " -4 ┼┬─────────────────┬─────────────────┬─────────────────┬─────────────────┬\n"
                   "    -1               -0.5                0                0.5                1\n"
                   "                                      cos θ\n"
                   "entries 1,234,567  sum of weights 1.99  underflow 0.5  overflow 0.0001\n"
                   "fullest bin [-0.5, -0.25) with 3\n");
}

static void sums_that_are_no_numbers_are_counted(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 4, 0, 4);
    assert_drawing(weighted(&axis, (double[]){NAN, 1, NAN, INFINITY, 3, -INFINITY}), &plain,
                   "sums\n"
                   " 3 +                              ##########\n"
                   "   |                              ##########\n"
                   " 2 +                              ##########\n"
                   "   |                              ##########\n"
                   " 1 +##########                    ##########\n"
                   "   |##########                    ##########\n"
                   " 0 ++---------+---------+---------+---------+\n"
                   "    0         1         2         3         4\n"
                   "                       x\n"
                   "entries 1,234,567  sum of weights 4  mean 2.8 +- 1.0  std 1.3  underflow nan  overflow -inf\n"
                   "fullest bin [3, 4) with 3\n"
                   "bins with a sum that is no finite number: 4\n");
}

/* Whatever the sums are, something is drawn and nothing overflows (the sanitizers watch). */
static void extreme_sums_are_drawn(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 300, -1e-9, 1e12);
    static const double sums[][2] = {{1e308, 1e308},   {1e308, -1e308}, {5e-324, 5e-324}, {1, -1},
                                     {-1e308, -1e308}, {-3, -3},        {0, -5e-324},     {INFINITY, NAN}};
    for (size_t k = 0; k < sizeof sums / sizeof *sums; ++k) {
        double weights[302];
        for (int i = 0; i < 302; ++i)
            weights[i] = sums[k][i % 2];
        hq_hist *hist = weighted(&axis, weights);
        char *text = drawing(hist, &plain);
        assert_non_null(strstr(text, "entries 1,234,567"));
        free(text);
        hist_free(&hist);
    }
}

static void nothing_filled_draws_no_frame(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 3, 0, 3);
    assert_drawing(counted("h", &axis, (int64_t[]){0, 0, 0, 0, 0}), &blocks,
                   "h\n"
                   "  nothing within the range\n"
                   "entries 0  underflow 0  overflow 0\n");
    assert_drawing(counted("h", &axis, (int64_t[]){7, 0, 0, 0, 1}), &blocks,
                   "h\n"
                   "  nothing within the range\n"
                   "entries 8  underflow 7  overflow 1\n");
}

static void two_axes_make_a_map(void **state)
{
    (void)state;
    assert_drawing(plane(1), &blocks,
                   "plane\n"
                   "    y\n"
                   "  2 ┤▒▒▒▒████▒▒▒▒████▒▒▒▒████░░░░▓▓▓▓\n"
                   "    │▒▒▒▒████▒▒▒▒████▒▒▒▒████░░░░▓▓▓▓\n"
                   "    │▒▒▒▒████░░░░▒▒▒▒████░░░░▓▓▓▓████\n"
                   "    │▒▒▒▒████░░░░▒▒▒▒████░░░░▓▓▓▓████\n"
                   "  0 ┤▒▒▒▒▓▓▓▓████░░░░▒▒▒▒▓▓▓▓████░░░░\n"
                   "    │▒▒▒▒▓▓▓▓████░░░░▒▒▒▒▓▓▓▓████░░░░\n"
                   "    │░░░░▒▒▒▒▓▓▓▓████████░░░░▒▒▒▒▒▒▒▒\n"
                   "    │░░░░▒▒▒▒▓▓▓▓████████░░░░▒▒▒▒▒▒▒▒\n"
                   " -2 ┤░░░░░░░░▒▒▒▒▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓████\n"
                   "    │░░░░░░░░▒▒▒▒▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓████\n"
                   "    ┼┬───────────────┬───────────────┬\n"
                   "     0              20              40\n"
                   "                 pᵀ [GeV]\n"
                   "     ░ to 2  ▒ to 5  ▓ to 7  █ to 10\n"
                   "entries 285  outside the range 75\n"
                   "fullest bin [5, 10) x [1.5, 2.5) with 10\n");
    assert_drawing(plane(-0.5), &plain,
                   "plane\n"
                   "    y\n"
                   "  2 +--------------------------------\n"
                   "    |--------------------------------\n"
                   "    |--------------------------------\n"
                   "    |--------------------------------\n"
                   "  0 +--------------------------------\n"
                   "    |--------------------------------\n"
                   "    |--------------------------------\n"
                   "    |--------------------------------\n"
                   " -2 +--------------------------------\n"
                   "    |--------------------------------\n"
                   "    ++---------------+---------------+\n"
                   "     0              20              40\n"
                   "                 p? [GeV]\n"
                   "     - below 0\n"
                   "entries 0  sum of weights -105  outside the range -37.5\n");
}

static void more_axes_are_described(void **state)
{
    (void)state;
    hq_axis axes[] = {regular("x", "", 3, 0, 1), regular("", "", 2, -5, 5), regular("z", "third", 1, 0, 1e9)};
    hq_hist *hist = hist_new("cube", axes, 3, HQ_COUNT);
    hist_fill(hist, (double[]){0.5, 0, 1}, 1);
    hist_fill(hist, (double[]){0.5, 0, 1}, 1);
    hist_fill(hist, (double[]){0.5, NAN, 1}, 1);
    assert_drawing(hist, &blocks,
                   "cube\n"
                   "  axis 1: 3 bins from 0 to 1, x\n"
                   "  axis 2: 2 bins from -5 to 5\n"
                   "  axis 3: 1 bin from 0 to 1e+09, third\n"
                   "entries 3  outside the range 1\n"
                   "fullest bin [0.3333, 0.6667) x [0, 5) x [0, 1e+09) with 2\n");
}

static char none[] = "", muon[] = "4\xce\xbc", electron[] = "\x1b[31m4e", mixed[] = "two muons and two electrons";
static char *channels[] = {muon, electron, mixed};
static double edges[] = {0, 1, 2, 5, 10, 100};
static int64_t flavours[] = {0, 4, 5};

static const hq_axis by_channel = {
    .kind = HQ_AXIS_STR_CATEGORY, .name = none, .label = none, .bins = 3, .texts = channels};
static const hq_axis by_edges = {
    .kind = HQ_AXIS_VARIABLE, .name = none, .label = none, .bins = 5, .low = 0, .high = 100, .edges = edges};
static const hq_axis by_flavour = {
    .kind = HQ_AXIS_INT_CATEGORY, .name = none, .label = none, .bins = 3, .ints = flavours};
static const hq_axis by_flag = {.kind = HQ_AXIS_BOOLEAN, .name = none, .label = none, .bins = 2};
static const hq_axis by_number = {
    .kind = HQ_AXIS_INTEGER, .name = none, .label = none, .bins = 6, .low = -2, .high = 4};
static const hq_axis by_decade = {
    .name = none, .label = none, .bins = 30, .low = 1, .high = 1000, .transform = HQ_TRANSFORM_LOG};

static hq_hist *filled(const hq_axis *axes, size_t count, hq_storage storage, int fills)
{
    hq_hist *hist = hist_new("h", axes, count, storage);
    for (int k = 0; k < fills; ++k) {
        double values[] = {k * k % 23 % 7 - 2, k * 5 % 13 % 5};
        hist_fill_sample(hist, values, 1 + k % 2, (k * 7 % 11) / 4.0 + values[0]);
    }
    return hist;
}

static void categories_are_drawn_by_name(void **state)
{
    (void)state;
    assert_drawing(filled(&by_channel, 1, HQ_COUNT, 100), &blocks,
                   "h\n"
                   " 30 ┤▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃\n"
                   "    │████████████████\n"
                   " 20 ┤████████████████                ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃\n"
                   "    │████████████████                ████████████████\n"
                   " 10 ┤████████████████▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆████████████████\n"
                   "    │████████████████████████████████████████████████\n"
                   "  0 ┼───────┬───────────────┬───────────────┬────────\n"
                   "           4μ            ?[31m4e\n"
                   "entries 100  in no category 47\n"
                   "fullest bin 4μ with 27\n");
    assert_drawing(filled(&by_channel, 1, HQ_COUNT, 100), &plain,
                   "h\n"
                   " 30 +..............\n"
                   "    |##############\n"
                   " 20 +##############              ..............\n"
                   "    |##############              ##############\n"
                   " 10 +##############::::::::::::::##############\n"
                   "    |##########################################\n"
                   "  0 +------+-------------+-------------+-------\n"
                   "          4?          ?[31m4e\n"
                   "entries 100  in no category 47\n"
                   "fullest bin 4? with 27\n");
    assert_drawing(filled(&by_flavour, 1, HQ_WEIGHTED, 100), &plain,
                   "h\n"
                   " 50 +..............\n"
                   " 40 +##############\n"
                   " 30 +##############::::::::::::::\n"
                   " 20 +############################\n"
                   " 10 +############################\n"
                   "  0 +------+-------------+-------------+-------\n"
                   "           0             4             5\n"
                   "entries 100  sum of weights 66  in no category 84\n"
                   "fullest bin 0 with 41\n");
    assert_drawing(filled(&by_flag, 1, HQ_COUNT, 100), &plain,
                   "h\n"
                   " 80 +                ................\n"
                   "    |                ################\n"
                   " 60 +                ################\n"
                   "    |                ################\n"
                   " 40 +                ################\n"
                   "    |::::::::::::::::################\n"
                   " 20 +################################\n"
                   "    |################################\n"
                   "  0 +-------+---------------+--------\n"
                   "          False           True\n"
                   "entries 100\n"
                   "fullest bin True with 73\n");
}

static void whole_numbers_stand_below_their_bars(void **state)
{
    (void)state;
    assert_drawing(filled(&by_number, 1, HQ_COUNT, 100), &plain,
                   "h\n"
                   " 30 +              .......\n"
                   "    |              #######\n"
                   " 20 +       .......#######       .......\n"
                   "    |       ##############       #######\n"
                   " 10 +       ##############:::::::#######:::::::\n"
                   "    |##########################################\n"
                   "  0 +---+------+------+------+------+------+---\n"
                   "       -2     -1      0      1      2      3\n"
                   "entries 100  mean 0.48 +- 0.16  std 1.42  underflow 0  overflow 17\n"
                   "fullest bin 0 with 27\n");
}

static void edges_are_written_where_they_are_uneven(void **state)
{
    (void)state;
    assert_drawing(filled(&by_edges, 1, HQ_COUNT, 100), &plain,
                   "h\n"
                   " 50 +                ........\n"
                   " 40 +                ########\n"
                   " 30 +::::::::        ########\n"
                   " 20 +########        ########\n"
                   " 10 +########::::::::########\n"
                   "  0 ++-------+-------+-------+-------+-------+\n"
                   "     0       1       2       5      10      100\n"
                   "entries 100  mean 2.23 +- 0.16  std 1.4  underflow 22  overflow 0\n"
                   "fullest bin [2, 5) with 42\n");
    assert_drawing(filled(&by_decade, 1, HQ_COUNT, 100), &plain,
                   "h\n"
                   " 20 +\n"
                   "    |   :  :\n"
                   " 15 +   #  #\n"
                   "    |   #  #\n"
                   " 10 +:  #. #\n"
                   "    |#  ## #\n"
                   "  5 +#  ## #\n"
                   "    |#  ## #\n"
                   "  0 ++---------+---------+---------+\n"
                   "     1        10        100      1000\n"
                   "entries 100  mean 2.89 +- 0.17  std 1.24  underflow 27  overflow 22\n"
                   "fullest bin [1.9953, 2.5119) with 17\n");
}

static void profiles_show_the_means(void **state)
{
    (void)state;
    assert_drawing(filled(&by_number, 1, HQ_MEAN, 100), &plain,
                   "h\n"
                   "  5 +                                   :::::::\n"
                   "  4 +                            .......#######\n"
                   "  3 +                            ##############\n"
                   "  2 +              .......#####################\n"
                   "  1 +       .......############################\n"
                   "  0 +:::::::\n"
                   " -1 +---+------+------+------+------+------+---\n"
                   "       -2     -1      0      1      2      3\n"
                   "entries 100  mean of the samples 1.71 +- 0.14  underflow 0  overflow 25\n"
                   "highest bin 3 with 4.4375, the mean of 12\n");
    assert_drawing(filled(&by_edges, 1, HQ_WEIGHTED_MEAN, 100), &plain,
                   "h\n"
                   " 5 +                ........\n"
                   " 4 +                ########\n"
                   " 3 +                ########\n"
                   " 2 +........################\n"
                   " 1 +########################\n"
                   " 0 ++-------+-------+-------+-------+-------+\n"
                   "    0       1       2       5      10      100\n"
                   "entries 100  sum of weights 117  mean of the samples 2.9 +- 0.2  underflow 33  overflow 0\n"
                   "highest bin [2, 5) with 4.3105, the mean of 62\n");
    hq_hist *wide = hist_new("wide", (hq_axis[]){regular("x", "", 120, 0, 120)}, 1, HQ_MEAN);
    for (int k = 0; k < 1000; ++k)
        hist_fill_sample(wide, (double[]){k % 7 * k % 120}, 1, k % 120);
    assert_drawing(wide, &plain,
                   "wide\n"
                   " 100 +                                   . . :\n"
                   "  80 +                     ... ..:::.::::###:#\n"
                   "  60 +:     . ...:..:::::::###:###############\n"
                   "  40 +#:::###:################################\n"
                   "  20 +########################################\n"
                   "   0 ++----------------+---------------+------\n"
                   "      0               50              100\n"
                   "                         x\n"
                   "(each bar is the mean of 3 bins)\n"
                   "entries 1,000  mean of the samples 57.9 +- 1.1  underflow 0  overflow 0\n"
                   "highest bin [119, 120) with 119, the mean of 1\n");
    assert_drawing(filled(&by_number, 1, HQ_MEAN, 0), &plain,
                   "h\n"
                   "  nothing within the range\n"
                   "entries 0  underflow 0  overflow 0\n");
}

static void maps_have_axes_of_all_kinds(void **state)
{
    (void)state;
    assert_drawing(filled((hq_axis[]){by_number, by_channel}, 2, HQ_COUNT, 200), &plain,
                   "h\n"
                   "                |....****####++++****++++\n"
                   "two muons and ~ +....****####++++****++++\n"
                   "                |....****####++++****++++\n"
                   "        ?[31m4e +....****####++++****++++\n"
                   "                |....****####++++****++++\n"
                   "             4? +....****####++++****++++\n"
                   "                +-+-------+-------+------\n"
                   "                 -2       0       2\n"
                   "                 . to 3  + to 6  * to 9  # to 13\n"
                   "entries 200  outside the range 84\n"
                   "fullest bin 0 x two muons and two electrons with 13\n");
    assert_drawing(filled((hq_axis[]){by_edges, by_flag}, 2, HQ_MEAN, 200), &plain,
                   "h\n"
                   "       |++++++++####\n"
                   "  True +++++++++####\n"
                   "       |....****####\n"
                   " False +....****####\n"
                   "       ++-----------+-------\n"
                   "        0           5\n"
                   "        . to 1.067  + to 2.134  * to 3.202  # to 4.269\n"
                   "entries 200  mean of the samples 3.02 +- 0.11  outside the range 66\n"
                   "highest bin [2, 5) x True with 4.2689, the mean of 106\n");
    assert_drawing(filled((hq_axis[]){by_flavour, by_number, by_channel}, 3, HQ_COUNT, 0), &plain,
                   "h\n"
                   "  axis 1: 3 categories\n"
                   "  axis 2: 6 bins from -2 to 3\n"
                   "  axis 3: 3 categories\n"
                   "entries 0  outside the range 0\n");
}

static void names_cannot_command_the_terminal(void **state)
{
    (void)state;
    hq_axis axis = regular("", "a\x1b[31m\x7f \xc2\x9b|\xff", 2, 0, 1);
    assert_drawing(counted("\x1b]0;x\x07\n", &axis, (int64_t[]){0, 1, 0, 0}), &blocks,
                   "?]0;x??\n"
                   " 1 ┤████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   "   │████████████████\n"
                   " 0 ┼┬───────────────┬───────────────┬\n"
                   "    0              0.5              1\n"
                   "              a?[31m? ?|?\n"
                   "entries 1  mean 0.25 ± 0  std 0  underflow 0  overflow 0\n"
                   "fullest bin [0, 0.5) with 1\n");
}

static void lines_keep_to_the_width(void **state)
{
    (void)state;
    for (int width = 20; width < 140; ++width) {
        hq_draw_options options = {width, 8, true, false};
        hq_hist *hists[] = {peak(), plane(1), plane(123456789.5)};
        for (size_t i = 0; i < 3; ++i) {
            char *text = drawing(hists[i], &options);
            /* Up to the summary, which is as long as it is. */
            for (char *line = strtok(text, "\n"); strncmp(line, "entries", 7) != 0; line = strtok(NULL, "\n"))
                if (line[0] != '(' && !strstr(line, " to "))
                    assert_true((int)strlen(line) <= (width < HQ_DRAW_MIN_WIDTH ? HQ_DRAW_MIN_WIDTH : width));
            free(text);
            hist_free(&hists[i]);
        }
    }
}

static void options_follow_the_surroundings(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    setenv("COLUMNS", "132", 1);
    setenv("LC_ALL", "C", 1);
    hq_draw_options options = draw_options_for(file);
    assert_int_equal(options.width, 132);
    assert_int_equal(options.height, 12);
    assert_true(options.is_ascii);
    assert_false(options.has_colour);
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_false(draw_options_for(file).is_ascii);
    setenv("LC_ALL", "no_such_LOCALE", 1);
    assert_true(draw_options_for(file).is_ascii);
    setenv("COLUMNS", "-7", 1);
    assert_int_equal(draw_options_for(file).width, 80);
    unsetenv("COLUMNS");
    assert_int_equal(draw_options_for(file).width, 80);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peak_is_drawn_in_blocks),
        cmocka_unit_test(a_peak_is_drawn_in_plain_characters),
        cmocka_unit_test(the_fullest_bin_stands_out_in_colour),
        cmocka_unit_test(bins_beyond_the_width_are_merged),
        cmocka_unit_test(bins_that_no_factor_divides_leave_a_short_last_bar),
        cmocka_unit_test(sums_of_weights_go_below_zero),
        cmocka_unit_test(sums_that_are_no_numbers_are_counted),
        cmocka_unit_test(extreme_sums_are_drawn),
        cmocka_unit_test(nothing_filled_draws_no_frame),
        cmocka_unit_test(two_axes_make_a_map),
        cmocka_unit_test(more_axes_are_described),
        cmocka_unit_test(categories_are_drawn_by_name),
        cmocka_unit_test(whole_numbers_stand_below_their_bars),
        cmocka_unit_test(edges_are_written_where_they_are_uneven),
        cmocka_unit_test(profiles_show_the_means),
        cmocka_unit_test(maps_have_axes_of_all_kinds),
        cmocka_unit_test(names_cannot_command_the_terminal),
        cmocka_unit_test(lines_keep_to_the_width),
        cmocka_unit_test(options_follow_the_surroundings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
