#include "query/uhi.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(hq_buffer *text, const char *literal)
{
    buffer_append(text, literal, strlen(literal));
}

/* The length of the UTF-8 sequence at bytes, 0 if there is no valid one. */
static size_t utf8_length(const unsigned char *bytes)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t form = 0; form < 4; ++form) {
        if ((bytes[0] & forms[form].mask) != forms[form].lead)
            continue;
        uint32_t code = bytes[0] & (unsigned char)~forms[form].mask;
        for (size_t i = 1; i <= form; ++i) {
            if ((bytes[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (bytes[i] & 0x3f);
        }
        return code < forms[form].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : form + 1;
    }
    return 0;
}

/* Bytes that are no UTF-8 become U+FFFD: a label out of a damaged store must not make the document unreadable. */
static void put_string(hq_buffer *text, const char *string)
{
    put(text, "\"");
    for (const unsigned char *at = (const unsigned char *)string; *at;) {
        size_t length = utf8_length(at);
        char escape[8];
        if (length == 0)
            put(text, "\xef\xbf\xbd");
        else if (*at == '"' || *at == '\\' || *at < 0x20)
            buffer_append(text, escape,
                          (size_t)snprintf(escape, sizeof escape, *at < 0x20 ? "\\u%04x" : "\\%c", (unsigned)*at));
        else
            buffer_append(text, at, length);
        at += length ? length : 1;
    }
    put(text, "\"");
}

static void put_count(hq_buffer *text, int64_t count)
{
    char digits[24];
    buffer_append(text, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, count));
}

/* Not NaN. Always with a point or an exponent, so that readers take it for a floating-point number. */
static void put_real(hq_buffer *text, double value)
{
    char digits[40];
    int length = 0;
    if (isinf(value)) {
        put(text, value < 0 ? "-1e999" : "1e999");
        return;
    }
    if (fabs(value) < 1e15 && value == floor(value)) { /* most sums of a histogram are 0 or whole: save the search */
        length = snprintf(digits, sizeof digits, "%.1f", value);
    } else {
        length = snprintf(digits, sizeof digits, "%.15g", value);
        if (strtod(digits, NULL) != value)
            length = snprintf(digits, sizeof digits, "%.17g", value);
        if (!strpbrk(digits, ".e"))
            length += snprintf(digits + length, sizeof digits - (size_t)length, ".0");
    }
    buffer_append(text, digits, (size_t)length);
}

/* --- the bins --- */

/* The schema's name of each storage, and of the arrays it consists of; the last two are the value and its variance. */
static const struct {
    const char *type, *arrays[4];
} STORAGES[HQ_STORAGE_COUNT] = {
    [HQ_COUNT] = {"int", {"values"}},
    [HQ_WEIGHTED] = {"weighted", {"values", "variances"}},
    [HQ_MEAN] = {"mean", {"counts", "values", "variances"}},
    [HQ_WEIGHTED_MEAN] = {"weighted_mean", {"sum_of_weights", "sum_of_weights_squared", "values", "variances"}},
};

/* The schema wants the spread of the samples; what is kept is the sum of their squared deltas. */
static double sample_variance(hq_storage storage, const double *numbers)
{
    double deltas = numbers[storage_words(storage) - 1], sum = numbers[0];
    if (deltas == 0)
        return 0; /* of a single fill, and of none, it would be 0 / 0 */
    if (storage == HQ_MEAN)
        return deltas / (sum - 1);
    /* Of a single fill with a weight both sides are what rounding has left of 0. */
    double free = sum - numbers[1] / sum;
    return fabs(free) <= 4 * DBL_EPSILON * fabs(sum) ? 0 : deltas / free;
}

/* A bin of sums, as it is written. True if something in it was NaN. */
static bool bin_numbers(const hq_hist *hist, size_t index, double numbers_r[4])
{
    hq_storage storage = hist_storage(hist);
    size_t words = storage_words(storage);
    memcpy(numbers_r, (const double *)hist_bins_const(hist) + index * words, words * sizeof *numbers_r);
    if (storage_has_mean(storage))
        numbers_r[words - 1] = sample_variance(storage, numbers_r);
    bool has_nan = false;
    for (size_t i = 0; i < words; ++i) {
        has_nan |= isnan(numbers_r[i]);
        numbers_r[i] = isnan(numbers_r[i]) ? 0 : numbers_r[i];
    }
    if (has_nan) {
        numbers_r[words - 2] = 0;
        numbers_r[words - 1] = INFINITY;
    }
    return has_nan;
}

static int64_t nan_bins(const hq_hist *hist)
{
    int64_t count = 0;
    double numbers[4];
    for (size_t i = 0; hist_storage(hist) != HQ_COUNT && i < hist_size(hist); ++i)
        count += bin_numbers(hist, i, numbers);
    return count;
}

static void put_bin(hq_buffer *text, const hq_hist *hist, size_t array, size_t index)
{
    double numbers[4];
    if (hist_storage(hist) == HQ_COUNT) {
        put_count(text, ((const int64_t *)hist_bins_const(hist))[index]);
    } else {
        bin_numbers(hist, index, numbers);
        put_real(text, numbers[array]);
    }
}

/* The bins along the axis, and all axes after it, from index on; gives the index after them. */
static size_t put_bins(hq_buffer *text, const hq_hist *hist, size_t array, size_t axis, size_t index)
{
    bool is_last = axis + 1 == hist_axis_count(hist);
    size_t bins = axis_extent(hist_axis(hist, axis));
    put(text, "[");
    for (size_t i = 0; i < bins; ++i) {
        if (i)
            put(text, is_last ? ", " : ",\n        ");
        if (is_last)
            put_bin(text, hist, array, index++);
        else
            index = put_bins(text, hist, array, axis + 1, index);
    }
    put(text, "]");
    return index;
}

static void put_storage(hq_buffer *text, const hq_hist *hist)
{
    hq_storage storage = hist_storage(hist);
    put(text, "    \"storage\": {\n      \"type\": \"");
    put(text, STORAGES[storage].type);
    put(text, "\"");
    for (size_t i = 0; i < storage_words(storage); ++i) {
        put(text, ",\n      \"");
        put(text, STORAGES[storage].arrays[i]);
        put(text, "\": ");
        put_bins(text, hist, i, 0, 0);
    }
    put(text, "\n    }\n");
}

/* --- what surrounds them --- */

static void put_ends(hq_buffer *text, const hq_axis *axis)
{
    bool is_integer = axis->kind == HQ_AXIS_INTEGER;
    put(text, "\"lower\": ");
    is_integer ? put_count(text, (int64_t)axis->low) : put_real(text, axis->low);
    put(text, ", \"upper\": ");
    is_integer ? put_count(text, (int64_t)axis->high) : put_real(text, axis->high);
    put(text, ", \"bins\": ");
    put_count(text, axis->bins);
}

static void put_edges(hq_buffer *text, const hq_axis *axis)
{
    put(text, "{\"type\": \"variable\", \"edges\": [");
    for (uint32_t i = 0; i <= axis->bins; ++i) {
        put(text, i ? ", " : "");
        put_real(text, axis_edge(axis, i));
    }
    put(text, "]");
}

static void put_categories(hq_buffer *text, const hq_axis *axis)
{
    put(text, axis->kind == HQ_AXIS_INT_CATEGORY ? "{\"type\": \"category_int\"" : "{\"type\": \"category_str\"");
    put(text, ", \"categories\": [");
    for (uint32_t i = 0; i < axis->bins; ++i) {
        put(text, i ? ", " : "");
        if (axis->kind == HQ_AXIS_INT_CATEGORY)
            put_count(text, axis->ints[i]);
        else
            put_string(text, axis->texts[i]);
    }
    put(text, "], \"flow\": true");
}

/* The schema knows neither whole-numbered nor transformed axes. They are written as the regular and the variable axis
 * of the same edges, with the note that boost-histogram leaves itself to read them back as what they are. */
static void put_axis(hq_buffer *text, const hq_axis *axis)
{
    bool is_transformed = axis->transform != HQ_TRANSFORM_NONE;
    if (axis->kind == HQ_AXIS_BOOLEAN) {
        put(text, "{\"type\": \"boolean\"");
    } else if (axis_is_category(axis)) {
        put_categories(text, axis);
    } else if (axis->kind == HQ_AXIS_VARIABLE || is_transformed) {
        put_edges(text, axis);
    } else {
        put(text, "{\"type\": \"regular\", ");
        put_ends(text, axis);
    }
    if (!axis_is_category(axis))
        put(text, ", \"underflow\": true, \"overflow\": true, \"circular\": false");
    if (axis->kind == HQ_AXIS_INTEGER) {
        put(text, ", \"writer_info\": {\"boost-histogram\": {\"orig_type\": \"Integer\"}}");
    } else if (is_transformed) {
        put(text, ", \"writer_info\": {\"boost-histogram\": {\"transform\": ");
        put(text, axis->transform == HQ_TRANSFORM_LOG ? "\"log\", " : "\"sqrt\", ");
        put_ends(text, axis);
        put(text, "}}");
    }
    if (axis->name[0] || axis->label[0]) {
        put(text, ", \"metadata\": {");
        if (axis->name[0]) {
            put(text, "\"name\": ");
            put_string(text, axis->name);
        }
        if (axis->label[0]) {
            put(text, axis->name[0] ? ", \"label\": " : "\"label\": ");
            put_string(text, axis->label);
        }
        put(text, "}");
    }
    put(text, "}");
}

static bool key_is_ours(const char *key)
{
    return strcmp(key, "name") == 0 || strcmp(key, "hq_fills") == 0 || strcmp(key, "hq_nan_bins") == 0;
}

static void put_metadata(hq_buffer *text, const hq_hist *hist, const json_t *metadata)
{
    put(text, "    \"metadata\": {");
    if (hist_name(hist)[0]) {
        put(text, "\"name\": ");
        put_string(text, hist_name(hist));
        put(text, ", ");
    }
    put(text, "\"hq_fills\": ");
    put_count(text, hist_entries(hist));
    int64_t nans = nan_bins(hist);
    if (nans) {
        put(text, ", \"hq_nan_bins\": ");
        put_count(text, nans);
    }

    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value)
    {
        bool is_scalar = json_is_string(value) || json_is_number(value) || json_is_boolean(value);
        if (!key[0] || key_is_ours(key) || !is_scalar)
            continue;
        put(text, ", ");
        put_string(text, key);
        put(text, ": ");
        if (json_is_string(value))
            put_string(text, json_string_value(value));
        else if (json_is_integer(value))
            put_count(text, json_integer_value(value));
        else if (json_is_real(value))
            put_real(text, json_real_value(value));
        else
            put(text, json_is_true(value) ? "true" : "false");
    }
    put(text, "},\n");
}

static bool key_is_taken(const hq_histset *set, char *const *keys, size_t count, const char *key)
{
    if (!key[0] || strcmp(key, "uhi_schema") == 0)
        return true;
    for (size_t i = 0; i < count; ++i)
        if (strcmp(keys[i], key) == 0)
            return true;
    /* A made-up key must not push aside a later histogram that bears it by right. */
    for (size_t i = count + 1; i < set->count; ++i)
        if (strcmp(hist_name(set->hists[i]), key) == 0 && strcmp(hist_name(set->hists[count]), key) != 0)
            return true;
    return false;
}

static void put_hist(hq_buffer *text, const hq_hist *hist, const char *key, const json_t *metadata)
{
    put(text, "  ");
    put_string(text, key);
    put(text, ": {\n    \"uhi_schema\": 1,\n    \"writer_info\": {\"hq\": {\"version\": \"" HQ_VERSION "\"}},\n");
    put_metadata(text, hist, metadata);
    put(text, "    \"axes\": [");
    for (size_t i = 0; i < hist_axis_count(hist); ++i) {
        if (i)
            put(text, ",\n             ");
        put_axis(text, hist_axis(hist, i));
    }
    put(text, "],\n");
    put_storage(text, hist);
    put(text, "  }");
}

void histset_to_uhi(const hq_histset *set, const json_t *metadata, hq_buffer *text)
{
    /* JSON has a decimal point, whatever the program's locale says. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
    locale_t before = uselocale(plain);
    char **keys = hq_calloc(set->count, sizeof *keys);
    put(text, "{");
    for (size_t i = 0; i < set->count; ++i) {
        keys[i] = hq_strdup(hist_name(set->hists[i]));
        while (key_is_taken(set, keys, i, keys[i])) {
            char *longer = hq_format("%s_", keys[i]);
            free(keys[i]);
            keys[i] = longer;
        }
        put(text, i ? ",\n" : "\n");
        put_hist(text, set->hists[i], keys[i], metadata);
    }
    put(text, set->count ? "\n}\n" : "}\n");

    for (size_t i = 0; i < set->count; ++i)
        free(keys[i]);
    free(keys);
    uselocale(before);
    freelocale(plain);
}
