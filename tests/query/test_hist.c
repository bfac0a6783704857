/* Histograms: which bin a value falls into, merging, and bytes that come back as they went or are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "query/hist.h"

static hq_axis regular(const char *name, uint32_t bins, double low, double high)
{
    return (hq_axis){.name = (char *)name, .label = (char *)"a label [GeV]", .bins = bins, .low = low, .high = high};
}

static double edges[] = {-1, 0, 0.5, 3};
static int64_t ints[] = {3, -7, 100};
static char none[] = "", muon[] = "mu", electron[] = "e";
static char *texts[] = {muon, electron};

/* One count histogram, one weighted, one of two axes; two that keep means, the first of them over axes of the kinds
 * that the others have not. */
static hq_histset *new_set(void)
{
    hq_axis mass = regular("mass", 100, 0, 200);
    hq_axis plane[] = {regular("x", 3, 0, 3), regular("y", 40, -1, 1)};
    hq_axis kinds[] = {
        {.kind = HQ_AXIS_VARIABLE, .name = none, .label = none, .bins = 3, .low = -1, .high = 3, .edges = edges},
        {.kind = HQ_AXIS_INT_CATEGORY, .name = none, .label = none, .bins = 3, .ints = ints},
        {.kind = HQ_AXIS_STR_CATEGORY, .name = none, .label = none, .bins = 2, .texts = texts},
        {.kind = HQ_AXIS_BOOLEAN, .name = none, .label = none, .bins = 2},
    };
    hq_axis rest[] = {
        {.kind = HQ_AXIS_INTEGER, .name = none, .label = none, .bins = 4, .low = -1, .high = 3},
        {.name = none, .label = none, .bins = 5, .low = 1, .high = 10, .transform = HQ_TRANSFORM_LOG},
    };
    hq_hist *hists[] = {hist_new("counts", &mass, 1, HQ_COUNT), hist_new("sums", &mass, 1, HQ_WEIGHTED),
                        hist_new("plane", plane, 2, HQ_COUNT), hist_new("means", kinds, 4, HQ_MEAN),
                        hist_new("weighted means", rest, 2, HQ_WEIGHTED_MEAN)};
    return histset_new(hists, 5);
}

/* A fixed sequence of numbers in [0, 1), the same in every run. */
static double next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void fill_some(hq_histset *set, uint64_t seed, int count)
{
    for (int i = 0; i < count; ++i) {
        double at = 240 * next_number(&seed) - 20, weight = next_number(&seed) - 0.3;
        hist_fill(set->hists[0], &at, 1);
        hist_fill(set->hists[1], &at, weight);
        hist_fill(set->hists[2], (double[]){next_number(&seed) * 4 - 0.5, next_number(&seed) * 3 - 1.5}, 1);
        double four[] = {next_number(&seed) * 6 - 2, (double)ints[i % 3], i % 5 % 3, i % 7 == 0};
        hist_fill_sample(set->hists[3], four, 1, next_number(&seed) * 10 + 90);
        double two[] = {next_number(&seed) * 6 - 2, next_number(&seed) * 11};
        hist_fill_sample(set->hists[4], two, weight + 0.4, next_number(&seed));
    }
}

static void bin_of_an_edge_is_the_one_above(void **state)
{
    (void)state;
    hq_axis axis = regular("x", 10, 0, 1);
    for (uint32_t i = 0; i <= 10; ++i)
        assert_int_equal(axis_index(&axis, i / 10.0), i + 1);
    axis = regular("x", 4, -2, 2);
    assert_int_equal(axis_index(&axis, -2), 1);
    assert_int_equal(axis_index(&axis, nextafter(-2, -3)), 0);
    assert_int_equal(axis_index(&axis, -1), 2);
    assert_int_equal(axis_index(&axis, nextafter(-1, -3)), 1);
    assert_int_equal(axis_index(&axis, 2), 5);
}

static void bin_of_what_is_no_number_is_a_flow_bin(void **state)
{
    (void)state;
    hq_axis axis = regular("x", 7, 1, 2);
    assert_int_equal(axis_index(&axis, NAN), 8);
    assert_int_equal(axis_index(&axis, -NAN), 8);
    assert_int_equal(axis_index(&axis, INFINITY), 8);
    assert_int_equal(axis_index(&axis, -INFINITY), 0);
    assert_int_equal(axis_index(&axis, 1e308), 8);
    assert_int_equal(axis_index(&axis, -1e308), 0);
    assert_int_equal(axis_index(&axis, -0.0), 0);
}

/* Where n * (x - low) / (high - low) rounds to n although x < high, ROOT's TAxis::FindFixBin gives n + 1: here it does.
 */
static void bin_of_a_value_rounded_to_the_end_is_overflow(void **state)
{
    (void)state;
    hq_axis axis = regular("x", 100, -1e10, 1e-10);
    double below = nextafter(1e-10, 0);
    assert_true(below < axis.high);
    assert_int_equal(axis_index(&axis, below), 101);
    /* The product overflows: still a bin of the histogram. */
    axis = regular("x", 1000000, 0, 1e305);
    assert_in_range(axis_index(&axis, 9e304), 1, 1000001);
}

static void every_bin_is_reached_by_its_centre(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 200; ++round) {
        double low = 2000 * next_number(&seed) - 1000;
        hq_axis axis = regular("x", 1 + (uint32_t)(500 * next_number(&seed)), low,
                               low + 0.001 + 50 * next_number(&seed));
        for (uint32_t i = 0; i < axis.bins; ++i)
            assert_int_equal(axis_index(&axis, axis.low + (axis.high - axis.low) * (i + 0.5) / axis.bins), i + 1);
    }
}

static void fill_adds_counts_and_sums_of_weights(void **state)
{
    (void)state;
    hq_histset *set = new_set();
    double at = 91.2, nowhere = NAN;
    hist_fill(set->hists[0], &at, 1);
    hist_fill(set->hists[0], &at, 1);
    hist_fill(set->hists[0], &nowhere, 1);
    const int64_t *counts = hist_bins_const(set->hists[0]);
    assert_int_equal(counts[46], 2);
    assert_int_equal(counts[101], 1);
    assert_int_equal(hist_entries(set->hists[0]), 3);

    hist_fill(set->hists[1], &at, 0.5);
    hist_fill(set->hists[1], &at, -2);
    const double *sums = hist_bins_const(set->hists[1]);
    assert_true(sums[92] == -1.5 && sums[93] == 4.25);
    assert_int_equal(hist_entries(set->hists[1]), 2);

    hist_fill(set->hists[2], (double[]){1.5, -2}, 1); /* row 2 of 5, column 0 of 42 */
    counts = hist_bins_const(set->hists[2]);
    assert_int_equal(hist_size(set->hists[2]), 5 * 42);
    assert_int_equal(counts[2 * 42], 1);
    histset_reset(set);
    hq_histset *empty = new_set();
    assert_true(histset_is_equal(set, empty));
    histset_free(&set);
    histset_free(&empty);
    assert_null(set);
    histset_free(&set);
}

static void merge_adds_every_bin(void **state)
{
    (void)state;
    hq_histset *whole = new_set(), *part = new_set();
    fill_some(whole, 1, 500);
    fill_some(part, 2, 700);
    hq_histset *before = histset_copy(whole);
    assert_true(histset_is_equal(before, whole));
    assert_int_equal(histset_merge(whole, part, NULL), HQ_OK);
    assert_int_equal(hist_entries(whole->hists[0]), 1200);
    assert_int_equal(hist_entries(whole->hists[1]), 1200);
    for (size_t h = 0; h < 3; ++h) {
        const int64_t *counts = hist_bins_const(whole->hists[h]);
        const double *sums = hist_bins_const(whole->hists[h]);
        for (size_t i = 0; i < hist_size(whole->hists[h]); ++i) {
            if (hist_storage(whole->hists[h]) == HQ_COUNT)
                assert_int_equal(counts[i], ((const int64_t *)hist_bins_const(before->hists[h]))[i] +
                                                ((const int64_t *)hist_bins_const(part->hists[h]))[i]);
            else
                assert_true(sums[2 * i] == ((const double *)hist_bins_const(before->hists[h]))[2 * i] +
                                               ((const double *)hist_bins_const(part->hists[h]))[2 * i]);
        }
    }
    histset_free(&whole);
    histset_free(&part);
    histset_free(&before);
}

/* Mean, and sum of squared deltas, of n weighted samples, in two passes and in more digits. */
static void exact_mean(const double (*fills)[2], int count, double *mean_r, double *deltas_r)
{
    long double sum = 0, first = 0, second = 0;
    for (int i = 0; i < count; ++i) {
        sum += fills[i][0];
        first += (long double)fills[i][0] * fills[i][1];
    }
    for (int i = 0; i < count; ++i)
        second += fills[i][0] * (fills[i][1] - first / sum) * (fills[i][1] - first / sum);
    *mean_r = (double)(first / sum);
    *deltas_r = (double)second;
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

static void means_are_those_of_all_samples_however_they_are_parted(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static double fills[COUNT][2];
    uint64_t seed = 12;
    for (int i = 0; i < COUNT; ++i) {
        fills[i][0] = 0.1 + next_number(&seed);
        fills[i][1] = 1000 + 30 * next_number(&seed);
    }
    double mean, deltas;
    exact_mean(fills, COUNT, &mean, &deltas);
    hq_axis axis = regular("x", 1, 0, 1);
    for (int parts = 1; parts <= COUNT; parts *= 7) {
        hq_histset *whole =
            histset_new((hq_hist *[]){hist_new("m", &axis, 1, HQ_MEAN), hist_new("w", &axis, 1, HQ_WEIGHTED_MEAN)}, 2);
        for (int part = 0; part < parts; ++part) {
            hq_histset *some = histset_new_like(whole);
            for (int i = part; i < COUNT; i += parts)
                for (int h = 0; h < 2; ++h)
                    hist_fill_sample(some->hists[h], (double[]){0.5}, fills[i][0], fills[i][1]);
            assert_int_equal(histset_merge(whole, some, NULL), HQ_OK);
            histset_free(&some);
        }
        const double *m = (const double *)hist_bins_const(whole->hists[0]) + 3;
        const double *w = (const double *)hist_bins_const(whole->hists[1]) + 4;
        assert_near(m[1], mean);
        assert_near(m[2], deltas);
        assert_true(w[0] == m[0] && w[2] == m[1] && w[3] == m[2]);
        assert_true(w[1] > 0 && w[1] < w[0] * w[0]);
        assert_int_equal(hist_entries(whole->hists[1]), COUNT);
        histset_free(&whole);
    }
}

static void merge_with_an_empty_bin_keeps_every_bit(void **state)
{
    (void)state;
    hq_histset *full = new_set(), *empty = new_set(), *sum = new_set();
    fill_some(full, 21, 100);
    hq_histset *copy = histset_copy(full);
    assert_int_equal(histset_merge(full, empty, NULL), HQ_OK);
    assert_true(histset_is_equal(full, copy));
    assert_int_equal(histset_merge(sum, full, NULL), HQ_OK);
    assert_true(histset_is_equal(sum, copy));
    histset_free(&full);
    histset_free(&empty);
    histset_free(&sum);
    histset_free(&copy);
}

static void mean_of_a_few_samples_is_exactly_this(void **state)
{
    (void)state;
    hq_axis axis = regular("x", 1, 0, 1);
    hq_hist *mean = hist_new("m", &axis, 1, HQ_MEAN), *weighted = hist_new("w", &axis, 1, HQ_WEIGHTED_MEAN);
    const double fills[][2] = {{0, 7}, {1, 3}, {1, 5}, {2, 10}};
    for (size_t i = 0; i < 4; ++i) {
        hist_fill_sample(mean, (double[]){0.5}, fills[i][0], fills[i][1]);
        hist_fill_bin(weighted, 1, fills[i][0], fills[i][1]);
    }
    const double *m = hist_bins(mean), *w = hist_bins(weighted);
    assert_true(m[3] == 4 && m[4] == 7 && m[5] == 38);
    assert_true(w[4] == 4 && w[5] == 6 && w[6] == 7 && w[7] == 38);
    assert_int_equal(hist_entries(mean), 4);
    assert_int_equal(hist_entries(weighted), 4);
    hist_fill(mean, (double[]){-1}, 1);
    assert_true(m[0] == 1 && m[1] == 0 && m[2] == 0);
    hist_free(&mean);
    hist_free(&weighted);
}

/* Sets that differ from new_set's in one thing each. */
static void merge_refuses_another_shape_and_changes_nothing(void **state)
{
    (void)state;
    hq_axis mass = regular("mass", 100, 0, 200);
    hq_axis others[] = {regular("pass", 100, 0, 200), regular("mass", 101, 0, 200), regular("mass", 100, 1, 200),
                        regular("mass", 100, 0, 201), regular("mass", 100, 0, 200)};
    others[4].label = (char *)"another label";
    for (size_t i = 0; i < sizeof others / sizeof *others + 3; ++i) {
        hq_histset *whole = new_set(), *part = new_set();
        fill_some(part, 3, 10);
        hist_free(&part->hists[1]);
        if (i < 5)
            part->hists[1] = hist_new("sums", &others[i], 1, HQ_WEIGHTED);
        else if (i == 5)
            part->hists[1] = hist_new("sums", &mass, 1, HQ_COUNT);
        else if (i == 6)
            part->hists[1] = hist_new("summe", &mass, 1, HQ_WEIGHTED);
        else
            part->hists[1] = hist_new("sums", (hq_axis[]){mass, mass}, 2, HQ_WEIGHTED);
        hq_reason reason = {""};
        hq_histset *before = histset_copy(whole);
        assert_int_equal(histset_merge(whole, part, &reason), HQ_EMISMATCH);
        assert_non_null(strstr(reason.text, "\"sums\" (number 1)"));
        assert_true(histset_is_equal(whole, before));
        assert_false(histset_is_equal(whole, part));

        part->count = 4; /* and a set with fewer histograms */
        assert_int_equal(histset_merge(whole, part, &reason), HQ_EMISMATCH);
        assert_true(histset_is_equal(whole, before));
        part->count = 5;
        histset_free(&whole);
        histset_free(&part);
        histset_free(&before);
    }
}

static void bytes_come_back_as_they_went(void **state)
{
    (void)state;
    for (int fills = 0; fills < 4000; fills = 3 * fills + 1) {
        hq_histset *set = new_set(), *back = new_set(), *whole = NULL;
        fill_some(set, 9, fills);
        fill_some(back, 10, 50); /* to be replaced, not added to */
        if (fills) {
            double *sums = hist_bins(set->hists[1]);
            sums[10] = -0.0;
            sums[20] = NAN;
            sums[23] = -INFINITY;
            sums[203] = 4.9e-324;
            ((int64_t *)hist_bins(set->hists[0]))[101] = INT64_MAX;
        }
        hq_buffer bytes = {0};
        histset_encode(set, &bytes);
        assert_int_equal(histset_decode_into(back, bytes.bytes, bytes.size, NULL), HQ_OK);
        assert_true(histset_is_equal(set, back));
        buffer_clear(&bytes);

        histset_encode_whole(set, &bytes);
        assert_int_equal(histset_decode_whole(bytes.bytes, bytes.size, &whole, NULL), HQ_OK);
        assert_true(histset_is_equal(set, whole));
        assert_string_equal(hist_axis(whole->hists[2], 1)->name, "y");
        assert_string_equal(hist_axis(whole->hists[2], 1)->label, "a label [GeV]");
        assert_string_equal(hist_axis(whole->hists[3], 2)->texts[1], "e");
        assert_true(hist_axis(whole->hists[3], 0)->edges[2] == 0.5);
        buffer_clear(&bytes);
        histset_free(&set);
        histset_free(&back);
        histset_free(&whole);
    }
}

static void bytes_of_sparse_contents_are_few(void **state)
{
    (void)state;
    hq_axis axis = regular("x", 1000000, 0, 1);
    hq_histset *set = histset_new((hq_hist *[]){hist_new("h", &axis, 1, HQ_COUNT)}, 1);
    hq_buffer bytes = {0};
    histset_encode(set, &bytes);
    assert_int_equal(bytes.size, 1);
    buffer_clear(&bytes);
    for (int i = 0; i < 10; ++i)
        hist_fill(set->hists[0], (double[]){i / 10.0}, 1);
    histset_encode(set, &bytes);
    assert_in_range(bytes.size, 10, 60);
    buffer_clear(&bytes);
    int64_t *counts = hist_bins(set->hists[0]);
    for (size_t i = 0; i < hist_size(set->hists[0]); ++i)
        counts[i] = (int64_t)i % 100;
    histset_encode(set, &bytes);
    assert_in_range(bytes.size, 1000000, 1000020);
    buffer_clear(&bytes);
    histset_free(&set);
}

/* Each cut of the bytes is refused; each changed byte is refused or gives a set of the same shape that can be used. */
static void bytes_that_are_damaged_are_refused(void **state)
{
    (void)state;
    hq_histset *set = new_set(), *into = new_set();
    fill_some(set, 11, 200);
    hq_buffer contents = {0}, whole = {0};
    histset_encode(set, &contents);
    histset_encode_whole(set, &whole);
    hq_reason reason;
    hq_histset *back = NULL;
    for (size_t size = 0; size < contents.size; ++size)
        assert_int_equal(histset_decode_into(into, contents.bytes, size, &reason), HQ_EFORMAT);
    for (size_t size = 0; size < whole.size; ++size) {
        assert_int_equal(histset_decode_whole(whole.bytes, size, &back, &reason), HQ_EFORMAT);
        assert_null(back);
    }
    for (size_t at = 0; at < contents.size; ++at) {
        for (int flip = 1; flip < 256; flip *= 2) {
            contents.bytes[at] ^= (uint8_t)flip;
            if (histset_decode_into(into, contents.bytes, contents.size, &reason) == HQ_OK)
                assert_int_equal(histset_merge(into, set, NULL), HQ_OK);
            contents.bytes[at] ^= (uint8_t)flip;
        }
    }
    for (size_t at = 0; at < whole.size; ++at) {
        whole.bytes[at] ^= 0x81;
        if (histset_decode_whole(whole.bytes, whole.size, &back, &reason) == HQ_OK)
            assert_true(back->count <= HQ_MAX_HISTS);
        histset_free(&back);
        whole.bytes[at] ^= 0x81;
    }
    buffer_u8(&contents, 0);
    buffer_u8(&whole, 0);
    assert_int_equal(histset_decode_into(into, contents.bytes, contents.size, &reason), HQ_EFORMAT);
    assert_int_equal(histset_decode_whole(whole.bytes, whole.size, &back, &reason), HQ_EFORMAT);
    buffer_clear(&contents);
    buffer_clear(&whole);
    histset_free(&set);
    histset_free(&into);
}

static void put_header(hq_buffer *bytes, uint32_t hists)
{
    buffer_u8(bytes, 0x51);
    buffer_u8(bytes, 1);
    buffer_u32(bytes, hists);
}

static void put_hist(hq_buffer *bytes, uint8_t axes, uint32_t bins, double low, double high)
{
    buffer_text(bytes, "h");
    buffer_u8(bytes, HQ_COUNT);
    buffer_u8(bytes, axes);
    for (uint8_t i = 0; i < axes; ++i) {
        buffer_u8(bytes, HQ_AXIS_REGULAR);
        buffer_text(bytes, "x");
        buffer_text(bytes, "");
        buffer_u32(bytes, bins);
        buffer_f64(bytes, low);
        buffer_f64(bytes, high);
    }
    buffer_u8(bytes, 0);
}

static hq_error decode_one(uint8_t axes, uint32_t bins, double low, double high)
{
    hq_buffer bytes = {0};
    put_header(&bytes, 1);
    put_hist(&bytes, axes, bins, low, high);
    hq_histset *set = NULL;
    hq_reason reason;
    hq_error error = histset_decode_whole(bytes.bytes, bytes.size, &set, &reason);
    histset_free(&set);
    buffer_clear(&bytes);
    return error;
}

static void bytes_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_one(1, 10, 0, 1), HQ_OK);
    assert_int_equal(decode_one(HQ_MAX_AXES, 10, 0, 1), HQ_OK);
    assert_int_equal(decode_one(0, 10, 0, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(HQ_MAX_AXES + 1, 1, 0, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(1, 0, 0, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(1, 10, 1, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(1, 10, 2, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(1, 10, 0, INFINITY), HQ_EFORMAT);
    assert_int_equal(decode_one(1, 10, NAN, 1), HQ_EFORMAT);
    assert_int_equal(decode_one(1, UINT32_MAX, 0, 1), HQ_ELIMIT);
    assert_int_equal(decode_one(HQ_MAX_AXES, UINT32_MAX, 0, 1), HQ_ELIMIT);
    assert_int_equal(decode_one(2, 1 << 13, 0, 1), HQ_ELIMIT);

    hq_buffer bytes = {0};
    hq_histset *set = NULL;
    hq_reason reason;
    put_header(&bytes, HQ_MAX_HISTS + 1);
    assert_int_equal(histset_decode_whole(bytes.bytes, bytes.size, &set, &reason), HQ_ELIMIT);
    buffer_clear(&bytes);
    put_header(&bytes, 0);
    assert_int_equal(histset_decode_whole(bytes.bytes, bytes.size, &set, &reason), HQ_OK);
    assert_int_equal(set->count, 0);
    histset_free(&set);
    bytes.bytes[1] = 2;
    assert_int_equal(histset_decode_whole(bytes.bytes, bytes.size, &set, &reason), HQ_EUNSUPPORTED);
    buffer_clear(&bytes);

    put_header(&bytes, 2); /* each within the limit, together beyond it */
    for (int i = 0; i < 2; ++i)
        put_hist(&bytes, 1, HQ_MAX_BINS / 2, 0, 1);
    assert_int_equal(histset_decode_whole(bytes.bytes, bytes.size, &set, &reason), HQ_ELIMIT);
    assert_non_null(strstr(reason.text, "in a set"));
    buffer_clear(&bytes);
}

/* The bytes of one histogram of one axis, filled never, with those of the axis in them changed. */
static hq_error decode_changed(hq_axis axis, size_t back, const void *change, size_t size)
{
    hq_histset *set = histset_new((hq_hist *[]){hist_new("", &axis, 1, HQ_COUNT)}, 1), *read = NULL;
    hq_buffer bytes = {0};
    hq_reason reason;
    histset_encode_whole(set, &bytes);
    memcpy(bytes.bytes + bytes.size - 1 - back, change, size);
    hq_error error = histset_decode_whole(bytes.bytes, bytes.size, &read, &reason);
    assert_true(error != HQ_OK || axis_fault(hist_axis(read->hists[0], 0)) == NULL);
    buffer_clear(&bytes);
    histset_free(&set);
    histset_free(&read);
    return error;
}

static void bytes_of_impossible_axes_are_refused(void **state)
{
    (void)state;
    hq_axis axis = {.kind = HQ_AXIS_VARIABLE, .name = none, .label = none, .bins = 3, .low = -1, .high = 3};
    axis.edges = edges;
    double value = 2.5;
    assert_int_equal(decode_changed(axis, 8, &value, 8), HQ_OK);
    value = 0.5;
    assert_int_equal(decode_changed(axis, 8, &value, 8), HQ_EFORMAT);
    uint32_t bins = UINT32_MAX; /* more edges than there are bytes */
    assert_int_equal(decode_changed(axis, 36, &bins, 4), HQ_EFORMAT);
    axis = (hq_axis){.kind = HQ_AXIS_INT_CATEGORY, .name = none, .label = none, .bins = 3, .ints = ints};
    int64_t category = 3;
    assert_int_equal(decode_changed(axis, 8, &category, 8), HQ_EFORMAT);
    category = 4;
    assert_int_equal(decode_changed(axis, 8, &category, 8), HQ_OK);
    bins = HQ_MAX_CATEGORIES + 1;
    assert_int_equal(decode_changed(axis, 28, &bins, 4), HQ_EFORMAT);
    axis = (hq_axis){.name = none, .label = none, .bins = 5, .low = 1, .high = 10, .transform = HQ_TRANSFORM_LOG};
    value = 20;
    assert_int_equal(decode_changed(axis, 8, &value, 8), HQ_OK);
    value = -1;
    assert_int_equal(decode_changed(axis, 16, &value, 8), HQ_EFORMAT);
    uint8_t heads[] = {HQ_AXIS_KIND_COUNT, 0x30, 0x11, 0x15};
    for (size_t i = 0; i < sizeof heads; ++i)
        assert_int_equal(decode_changed(axis, 29, &heads[i], 1), HQ_EFORMAT);
    axis = (hq_axis){.kind = HQ_AXIS_BOOLEAN, .name = none, .label = none, .bins = 2};
    bins = 3;
    assert_int_equal(decode_changed(axis, 4, &bins, 4), HQ_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bin_of_an_edge_is_the_one_above),
        cmocka_unit_test(bin_of_what_is_no_number_is_a_flow_bin),
        cmocka_unit_test(bin_of_a_value_rounded_to_the_end_is_overflow),
        cmocka_unit_test(every_bin_is_reached_by_its_centre),
        cmocka_unit_test(fill_adds_counts_and_sums_of_weights),
        cmocka_unit_test(mean_of_a_few_samples_is_exactly_this),
        cmocka_unit_test(means_are_those_of_all_samples_however_they_are_parted),
        cmocka_unit_test(merge_adds_every_bin),
        cmocka_unit_test(merge_with_an_empty_bin_keeps_every_bit),
        cmocka_unit_test(merge_refuses_another_shape_and_changes_nothing),
        cmocka_unit_test(bytes_come_back_as_they_went),
        cmocka_unit_test(bytes_of_sparse_contents_are_few),
        cmocka_unit_test(bytes_that_are_damaged_are_refused),
        cmocka_unit_test(bytes_of_impossible_axes_are_refused),
        cmocka_unit_test(bytes_beyond_the_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
