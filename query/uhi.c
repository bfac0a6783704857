#include "query/uhi.h"

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

typedef enum { COUNTS, VALUES, VARIANCES } column;

static bool bin_is_nan(const double *sums)
{
    return isnan(sums[0]) || isnan(sums[1]);
}

static int64_t nan_bins(const hq_hist *hist)
{
    int64_t count = 0;
    if (hist_storage(hist) == HQ_WEIGHTED) {
        const double *sums = hist_bins_const(hist);
        for (size_t i = 0; i < hist_size(hist); ++i)
            count += bin_is_nan(sums + 2 * i);
    }
    return count;
}

static void put_bin(hq_buffer *text, const hq_hist *hist, column which, size_t index)
{
    if (which == COUNTS) {
        put_count(text, ((const int64_t *)hist_bins_const(hist))[index]);
        return;
    }
    const double *sums = (const double *)hist_bins_const(hist) + 2 * index;
    if (bin_is_nan(sums))
        put_real(text, which == VALUES ? 0 : INFINITY);
    else
        put_real(text, sums[which == VALUES ? 0 : 1]);
}

/* The bins along the axis, and all axes after it, from index on; gives the index after them. */
static size_t put_bins(hq_buffer *text, const hq_hist *hist, column which, size_t axis, size_t index)
{
    bool is_last = axis + 1 == hist_axis_count(hist);
    size_t bins = (size_t)hist_axis(hist, axis)->bins + 2;
    put(text, "[");
    for (size_t i = 0; i < bins; ++i) {
        if (i)
            put(text, is_last ? ", " : ",\n        ");
        if (is_last)
            put_bin(text, hist, which, index++);
        else
            index = put_bins(text, hist, which, axis + 1, index);
    }
    put(text, "]");
    return index;
}

static void put_storage(hq_buffer *text, const hq_hist *hist)
{
    put(text, "    \"storage\": {\n");
    if (hist_storage(hist) == HQ_COUNT) {
        put(text, "      \"type\": \"int\",\n      \"values\": ");
        put_bins(text, hist, COUNTS, 0, 0);
    } else {
        put(text, "      \"type\": \"weighted\",\n      \"values\": ");
        put_bins(text, hist, VALUES, 0, 0);
        put(text, ",\n      \"variances\": ");
        put_bins(text, hist, VARIANCES, 0, 0);
    }
    put(text, "\n    }\n");
}

/* --- what surrounds them --- */

static void put_axis(hq_buffer *text, const hq_axis *axis)
{
    put(text, "{\"type\": \"regular\", \"lower\": ");
    put_real(text, axis->low);
    put(text, ", \"upper\": ");
    put_real(text, axis->high);
    put(text, ", \"bins\": ");
    put_count(text, axis->bins);
    put(text, ", \"underflow\": true, \"overflow\": true, \"circular\": false");
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
