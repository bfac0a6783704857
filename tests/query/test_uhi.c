/* Histograms as UHI JSON. Without an argument: the writer's own rules. With "write" and "write-kinds": documents of
 * every kind of histogram on standard output, which test_uhi.py checks with the schema and the readers of the Python
 * packages. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "query/uhi.h"

static hq_axis regular(const char *name, const char *label, uint32_t bins, double low, double high)
{
    return (hq_axis){.name = (char *)name, .label = (char *)label, .bins = bins, .low = low, .high = high};
}

static hq_histset *set_of(hq_hist *hist)
{
    return histset_new(&hist, 1);
}

static char *document(const hq_histset *set, const json_t *metadata)
{
    hq_buffer text = {0};
    histset_to_uhi(set, metadata, &text);
    buffer_u8(&text, 0);
    return (char *)text.bytes;
}

static void document_of_one_histogram_is_exactly_this(void **state)
{
    (void)state;
    hq_axis axis = regular("mass", "m [GeV]", 3, 0, 0.3);
    hq_histset *set = set_of(hist_new("peak", &axis, 1, HQ_COUNT));
    hist_fill(set->hists[0], (double[]){0.1}, 1);
    hist_fill(set->hists[0], (double[]){0.1}, 1);
    hist_fill(set->hists[0], (double[]){7}, 1);
    json_t *metadata = json_pack("{s:s, s:i, s:f, s:b, s:n, s:[i], s:i, s:i}", "hq_query", "6f\n", "hq_entries_read",
                                 2304, "hq_seconds", 0.25, "hq_complete", 1, "hq_null", "hq_list", 1, "name", 5, "", 6);
    char *text = document(set, metadata);
    assert_string_equal(text, "{\n"
                              "  \"peak\": {\n"
                              "    \"uhi_schema\": 1,\n"
                              "    \"writer_info\": {\"hq\": {\"version\": \"" HQ_VERSION "\"}},\n"
                              "    \"metadata\": {\"name\": \"peak\", \"hq_fills\": 3, \"hq_query\": \"6f\\u000a\", "
                              "\"hq_entries_read\": 2304, \"hq_seconds\": 0.25, \"hq_complete\": true},\n"
                              "    \"axes\": [{\"type\": \"regular\", \"lower\": 0.0, \"upper\": 0.3, \"bins\": 3, "
                              "\"underflow\": true, \"overflow\": true, \"circular\": false, "
                              "\"metadata\": {\"name\": \"mass\", \"label\": \"m [GeV]\"}}],\n"
                              "    \"storage\": {\n"
                              "      \"type\": \"int\",\n"
                              "      \"values\": [0, 0, 2, 0, 1]\n"
                              "    }\n"
                              "  }\n"
                              "}\n");
    free(text);
    json_decref(metadata);
    histset_free(&set);
}

static void every_double_comes_back_from_its_text(void **state)
{
    (void)state;
    hq_axis axis = regular("", "", 20000, 0, 1);
    hq_histset *set = set_of(hist_new("w", &axis, 1, HQ_WEIGHTED));
    double *sums = hist_bins(set->hists[0]);
    uint64_t bits = 1;
    for (size_t i = 0; i < 2 * hist_size(set->hists[0]); ++i) {
        do {
            bits = bits * 6364136223846793005u + 1442695040888963407u;
            uint64_t value = bits ^ bits >> 31;
            memcpy(&sums[i], &value, sizeof value);
        } while (!isfinite(sums[i]));
        if (i % 3 == 0)
            sums[i] = (double)(bits >> 40) / 100;
    }
    sums[0] = -0.0;
    sums[2] = 4.9e-324;
    sums[4] = 1e15;
    sums[6] = 123456789012345680.0;
    char *text = document(set, NULL);
    json_error_t error;
    json_t *parsed = json_loads(text, 0, &error);
    assert_non_null(parsed);
    json_t *storage = json_object_get(json_object_get(parsed, "w"), "storage");
    json_t *values = json_object_get(storage, "values"), *variances = json_object_get(storage, "variances");
    assert_int_equal(json_array_size(values), 20002);
    for (size_t i = 0; i < hist_size(set->hists[0]); ++i) {
        assert_true(json_is_real(json_array_get(values, i)) && json_is_real(json_array_get(variances, i)));
        assert_true(json_real_value(json_array_get(values, i)) == sums[2 * i]);
        assert_true(json_real_value(json_array_get(variances, i)) == sums[2 * i + 1]);
    }
    assert_true(signbit(json_real_value(json_array_get(values, 0))));
    json_decref(parsed);
    free(text);
    histset_free(&set);
}

static void what_is_not_finite_is_written_in_numbers(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 2, 0, 1);
    hq_histset *set = set_of(hist_new("w", &axis, 1, HQ_WEIGHTED));
    double sums[] = {NAN, 1, INFINITY, INFINITY, -INFINITY, INFINITY, 1.5, NAN};
    memcpy(hist_bins(set->hists[0]), sums, sizeof sums);
    char *text = document(set, NULL);
    assert_non_null(strstr(text, "\"values\": [0.0, 1e999, -1e999, 0.0]"));
    assert_non_null(strstr(text, "\"variances\": [1e999, 1e999, 1e999, 1e999]"));
    assert_non_null(strstr(text, "\"hq_nan_bins\": 2"));
    free(text);
    histset_free(&set);
}

static void axes_of_other_kinds_are_exactly_this(void **state)
{
    (void)state;
    static double edges[] = {0.1, 1, 10};
    static int64_t ints[] = {-11, 13};
    static char one[] = "\xce\xbc \"", *texts[] = {one}, none[] = "", name[] = "n";
    const struct {
        hq_axis axis;
        const char *text;
    } cases[] = {
        {{.kind = HQ_AXIS_VARIABLE, .name = name, .label = none, .bins = 2, .low = 0.1, .high = 10, .edges = edges},
         "{\"type\": \"variable\", \"edges\": [0.1, 1.0, 10.0], \"underflow\": true, \"overflow\": true, "
         "\"circular\": false, \"metadata\": {\"name\": \"n\"}}"},
        {{.name = none, .label = none, .bins = 2, .low = 4, .high = 16, .transform = HQ_TRANSFORM_SQRT},
         "{\"type\": \"variable\", \"edges\": [4.0, 9.0, 16.0], \"underflow\": true, \"overflow\": true, "
         "\"circular\": false, \"writer_info\": {\"boost-histogram\": {\"transform\": \"sqrt\", \"lower\": 4.0, "
         "\"upper\": 16.0, \"bins\": 2}}}"},
        {{.kind = HQ_AXIS_INTEGER, .name = none, .label = none, .bins = 5, .low = -2, .high = 3},
         "{\"type\": \"regular\", \"lower\": -2, \"upper\": 3, \"bins\": 5, \"underflow\": true, \"overflow\": true, "
         "\"circular\": false, \"writer_info\": {\"boost-histogram\": {\"orig_type\": \"Integer\"}}}"},
        {{.kind = HQ_AXIS_INT_CATEGORY, .name = name, .label = none, .bins = 2, .ints = ints},
         "{\"type\": \"category_int\", \"categories\": [-11, 13], \"flow\": true, \"metadata\": {\"name\": \"n\"}}"},
        {{.kind = HQ_AXIS_STR_CATEGORY, .name = none, .label = none, .bins = 1, .texts = texts},
         "{\"type\": \"category_str\", \"categories\": [\"\xce\xbc \\\"\"], \"flow\": true}"},
        {{.kind = HQ_AXIS_BOOLEAN, .name = none, .label = none, .bins = 2}, "{\"type\": \"boolean\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hq_histset *set = set_of(hist_new("h", &cases[i].axis, 1, HQ_COUNT));
        char *text = document(set, NULL);
        if (!strstr(text, cases[i].text))
            print_message("%s", text);
        assert_non_null(strstr(text, cases[i].text));
        free(text);
        histset_free(&set);
    }
}

static void means_are_written_with_the_variance_of_the_samples(void **state)
{
    (void)state;
    hq_axis axis = regular("", "", 2, 0, 1);
    const double numbers[] = {0, 0, 0, 1, 7, 0, 5, 7, 2, NAN, 1, 1};
    hq_histset *set = set_of(hist_new("m", &axis, 1, HQ_MEAN));
    memcpy(hist_bins(set->hists[0]), numbers, sizeof numbers);
    char *text = document(set, NULL);
    assert_non_null(strstr(text, "\"type\": \"mean\",\n      \"counts\": [0.0, 1.0, 5.0, 0.0],\n"
                                 "      \"values\": [0.0, 7.0, 7.0, 0.0],\n"
                                 "      \"variances\": [0.0, 0.0, 0.5, 1e999]\n"));
    assert_non_null(strstr(text, "\"hq_nan_bins\": 1"));
    free(text);
    histset_free(&set);

    const double sums[] = {0, 0, 0, 0, 2, 4, 7, 0, 4, 8, 7, 3, 0, 2, NAN, INFINITY};
    set = set_of(hist_new("w", &axis, 1, HQ_WEIGHTED_MEAN));
    memcpy(hist_bins(set->hists[0]), sums, sizeof sums);
    text = document(set, NULL);
    assert_non_null(strstr(text, "\"type\": \"weighted_mean\",\n      \"sum_of_weights\": [0.0, 2.0, 4.0, 0.0],\n"
                                 "      \"sum_of_weights_squared\": [0.0, 4.0, 8.0, 2.0],\n"
                                 "      \"values\": [0.0, 7.0, 7.0, 0.0],\n"
                                 "      \"variances\": [0.0, 0.0, 1.5, 1e999]\n"));
    free(text);
    histset_free(&set);
}

static void a_key_is_never_taken_twice(void **state)
{
    (void)state;
    hq_axis axis = regular("x", "", 1, 0, 1);
    const char *names[] = {"uhi_schema", "a", "a", "a_", "", "uhi_schema_"};
    const char *keys[] = {"uhi_schema__", "a", "a__", "a_", "_", "uhi_schema_"};
    hq_hist *hists[6];
    for (int i = 0; i < 6; ++i)
        hists[i] = hist_new(names[i], &axis, 1, HQ_COUNT);
    hq_histset *set = histset_new(hists, 6);
    char *text = document(set, NULL);
    json_t *parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    assert_int_equal(json_object_size(parsed), 6);
    for (int i = 0; i < 6; ++i) {
        json_t *hist = json_object_get(parsed, keys[i]);
        assert_non_null(hist);
        const char *name = json_string_value(json_object_get(json_object_get(hist, "metadata"), "name"));
        assert_string_equal(name ? name : "", names[i]);
    }
    json_decref(parsed);
    free(text);
    histset_free(&set);
}

static void texts_are_escaped_and_bad_utf8_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *label, *read;
    } cases[] = {
        {"a \"b\" \\ \t \x01 \x7f", "a \"b\" \\ \t \x01 \x7f"},
        {"p\xe1\xb5\x80 \xc2\xb5\xc2\xb5 \xf0\x9f\x98\x80", "p\xe1\xb5\x80 \xc2\xb5\xc2\xb5 \xf0\x9f\x98\x80"},
        {"\xff|\xc0\x80|\xed\xa0\x80|\xe2\x82",
         "\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
         "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hq_axis axis = regular("", cases[i].label, 1, 0, 1);
        hq_histset *set = set_of(hist_new("h", &axis, 1, HQ_COUNT));
        char *text = document(set, NULL);
        json_t *parsed = json_loads(text, 0, NULL);
        assert_non_null(parsed);
        json_t *read = json_array_get(json_object_get(json_object_get(parsed, "h"), "axes"), 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(read, "metadata"), "label")),
                            cases[i].read);
        json_decref(parsed);
        free(text);
        histset_free(&set);
    }
}

static void no_histograms_are_an_empty_object(void **state)
{
    (void)state;
    hq_histset *set = histset_new(NULL, 0);
    char *text = document(set, NULL);
    assert_string_equal(text, "{}\n");
    free(text);
    histset_free(&set);
}

static double edges[] = {-1, 0, 0.5, 3};
static int64_t ints[] = {3, -7, 100};
static char muon[] = "mu", electron[] = "e\xc3\xa9 \"", none[] = "";
static char *texts[] = {muon, electron};

static const hq_axis kinds[] = {
    {.name = none, .label = none, .bins = 7, .low = 0.5, .high = 300, .transform = HQ_TRANSFORM_LOG},
    {.name = none, .label = none, .bins = 5, .low = 0, .high = 90, .transform = HQ_TRANSFORM_SQRT},
    {.kind = HQ_AXIS_VARIABLE, .name = none, .label = none, .bins = 3, .low = -1, .high = 3, .edges = edges},
    {.kind = HQ_AXIS_INTEGER, .name = none, .label = none, .bins = 6, .low = -2, .high = 4},
    {.kind = HQ_AXIS_INT_CATEGORY, .name = none, .label = none, .bins = 3, .ints = ints},
    {.kind = HQ_AXIS_STR_CATEGORY, .name = none, .label = none, .bins = 2, .texts = texts},
    {.kind = HQ_AXIS_BOOLEAN, .name = none, .label = none, .bins = 2},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The k-th of a series of values; whole numbers for the last kinds. */
static double kth_value(size_t kind, int k)
{
    return kind < 3 ? (double)(k * 37 % 113) / 8 - 1.5 : (double)(k * 5 % 13 - 5);
}

/* What the storages hold after k-th fills first up to last, exclusive. */
static void fill_kth(hq_hist *hist, int first, int last)
{
    for (int k = first; k < last; ++k)
        hist_fill_sample(hist, (double[]){(k * 29 % 31) / 20.0 - 0.25}, 0.25 + k % 5 / 4.0, (k * k % 29) / 7.0 + 90);
}

static hq_hist *merged_means(const char *name, hq_storage storage, int parts)
{
    hq_axis axis = regular("x", "", 4, 0, 1);
    hq_histset *whole = set_of(hist_new(name, &axis, 1, storage));
    for (int part = 0; part < parts; ++part) {
        hq_histset *some = histset_new_like(whole);
        fill_kth(some->hists[0], 200 * part / parts, 200 * (part + 1) / parts);
        if (histset_merge(whole, some, NULL) != HQ_OK)
            abort();
        histset_free(&some);
    }
    hq_hist *merged = whole->hists[0];
    whole->count = 0;
    histset_free(&whole);
    return merged;
}

/* Of every kind of axis, and of every storage, made again in test_uhi.py by boost-histogram itself. */
static int write_kinds(void)
{
    static const char *const names[KINDS] = {"log", "sqrt", "variable", "integer", "ints", "texts", "flags"};
    hq_hist *hists[KINDS + 7];
    for (size_t i = 0; i < KINDS; ++i) {
        hists[i] = hist_new(names[i], &kinds[i], 1, HQ_COUNT);
        for (int k = 0; k < 500; ++k)
            hist_fill(hists[i], (double[]){kth_value(i, k)}, 1);
    }
    hists[KINDS] = hist_new("many", &kinds[3], 4, HQ_WEIGHTED);
    double *sums = hist_bins(hists[KINDS]);
    for (size_t i = 0; i < 2 * hist_size(hists[KINDS]); ++i)
        sums[i] = (double)i / 7;
    hists[KINDS + 1] = merged_means("mean", HQ_MEAN, 1);
    hists[KINDS + 2] = merged_means("mean of parts", HQ_MEAN, 3);
    hists[KINDS + 3] = merged_means("weighted mean", HQ_WEIGHTED_MEAN, 1);
    hists[KINDS + 4] = merged_means("weighted mean of parts", HQ_WEIGHTED_MEAN, 3);
    hists[KINDS + 5] = hist_new("mean of none", &kinds[2], 1, HQ_MEAN);
    hist_fill_sample(hists[KINDS + 5], (double[]){-9}, 1, 5);
    hist_fill_sample(hists[KINDS + 5], (double[]){9}, 1, NAN);
    hists[KINDS + 6] = hist_new("weighted mean of none", &kinds[6], 1, HQ_WEIGHTED_MEAN);
    hist_fill_sample(hists[KINDS + 6], (double[]){1}, 2, 5);
    hq_histset *set = histset_new(hists, KINDS + 7);
    hq_buffer text = {0};
    histset_to_uhi(set, NULL, &text);
    size_t written = fwrite(text.bytes, 1, text.size, stdout);
    int status = written == text.size && fflush(stdout) == 0 ? 0 : 1;
    buffer_clear(&text);
    histset_free(&set);
    return status;
}

/* The same sums are made again in test_uhi.py. */
static int write_document(void)
{
    hq_axis x = regular("x", "p\xe1\xb5\x80 [GeV]", 10, -0.1, 1.2), y = regular("y", "", 3, 0, 3),
            bare = regular("", "", 4, 0, 1), z = regular("z", "third", 2, 0, 2), wide = regular("u", "", 1000, 0, 1),
            high = regular("v", "", 1000, 0, 1);
    hq_hist *hists[] = {
        hist_new("counts", &x, 1, HQ_COUNT),
        hist_new("sums", &x, 1, HQ_WEIGHTED),
        hist_new("plane", (hq_axis[]){x, y}, 2, HQ_WEIGHTED),
        hist_new("cube", (hq_axis[]){x, y, z}, 3, HQ_COUNT),
        hist_new("bare", &bare, 1, HQ_COUNT),
        hist_new("infinite", &bare, 1, HQ_WEIGHTED),
        hist_new("large", (hq_axis[]){wide, high}, 2, HQ_COUNT),
    };
    hq_histset *set = histset_new(hists, sizeof hists / sizeof *hists);
    for (int h = 0; h < 6; ++h) {
        if (hist_storage(hists[h]) == HQ_COUNT) {
            int64_t *counts = hist_bins(hists[h]);
            for (size_t i = 0; i < hist_size(hists[h]); ++i)
                counts[i] = (int64_t)(i * i + 3 * i);
        } else {
            double *sums = hist_bins(hists[h]);
            for (size_t i = 0; i < hist_size(hists[h]); ++i) {
                sums[2 * i] = (double)i / 7 - 1;
                sums[2 * i + 1] = (double)i / 3;
            }
        }
    }
    ((double *)hist_bins(hists[5]))[2] = INFINITY;
    ((double *)hist_bins(hists[5]))[4] = NAN;
    for (size_t i = 0; i < hist_size(hists[6]); ++i)
        ((int64_t *)hist_bins(hists[6]))[i] = (int64_t)i;
    json_t *metadata = json_pack("{s:s, s:f}", "hq_query", "0123", "hq_seconds", 1.5);
    hq_buffer text = {0};
    histset_to_uhi(set, metadata, &text);
    size_t written = fwrite(text.bytes, 1, text.size, stdout);
    int status = written == text.size && fflush(stdout) == 0 ? 0 : 1;
    buffer_clear(&text);
    json_decref(metadata);
    histset_free(&set);
    return status;
}

int main(int argc, char **argv)
{
    /* A locale with a decimal comma, where the machine has one, must not show. */
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        setlocale(LC_ALL, "");
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return write_document();
    if (argc > 1 && strcmp(argv[1], "write-kinds") == 0)
        return write_kinds();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_of_one_histogram_is_exactly_this),
        cmocka_unit_test(every_double_comes_back_from_its_text),
        cmocka_unit_test(what_is_not_finite_is_written_in_numbers),
        cmocka_unit_test(axes_of_other_kinds_are_exactly_this),
        cmocka_unit_test(means_are_written_with_the_variance_of_the_samples),
        cmocka_unit_test(a_key_is_never_taken_twice),
        cmocka_unit_test(texts_are_escaped_and_bad_utf8_replaced),
        cmocka_unit_test(no_histograms_are_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
