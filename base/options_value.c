#include "base/options_value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

static const unit size_units[] = {{"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
static const unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { UNIT_COUNT = 5 };

static void *field_of(const hq_option *option, const void *settings)
{
    return (char *)settings + option->offset;
}

static int64_t upper_bound(const hq_option *option)
{
    return option->max ? option->max : INT64_MAX;
}

/* A decimal number, with a fraction if need be, and one of the units. */
static bool parse_scaled(const char *text, const unit *units, int64_t *value_r)
{
    size_t digits = strspn(text, "0123456789"), length = digits;
    if (digits == 0)
        return false;
    if (text[length] == '.')
        length += 1 + strspn(text + length + 1, "0123456789");
    int64_t factor = 0;
    for (int i = 0; i < UNIT_COUNT; i++)
        if (strcasecmp(text + length, units[i].name) == 0)
            factor = units[i].factor;
    if (text[length] == 0 && strspn(text, "0.") == length)
        factor = 1; /* nothing is nothing in every unit */
    if (factor == 0)
        return false;
    if (length > digits) {
        double value = strtod(text, NULL) * (double)factor;
        if (value >= 0x1p62)
            return false;
        *value_r = (int64_t)value;
        return true;
    }
    errno = 0;
    int64_t whole = strtoll(text, NULL, 10);
    return errno == 0 && !__builtin_mul_overflow(whole, factor, value_r);
}

hq_error options_parse_size(const char *text, int64_t *bytes_r, hq_reason *reason)
{
    if (parse_scaled(text, size_units, bytes_r))
        return HQ_OK;
    return hq_fail(reason, HQ_EINVAL, "\"%s\" is not a size such as 65536, 64K, 1.5G or 2T", text);
}

hq_error options_parse_duration(const char *text, int64_t *ms_r, hq_reason *reason)
{
    if (parse_scaled(text, duration_units, ms_r))
        return HQ_OK;
    return hq_fail(reason, HQ_EINVAL, "\"%s\" is not a duration with its unit, such as 250ms, 10s, 5m, 2h or 7d", text);
}

static char *format_scaled(const unit *units, int64_t value)
{
    int i = 0;
    while (i < UNIT_COUNT - 1 && (value == 0 || value % units[i].factor))
        i++;
    return value == 0 ? hq_strdup("0") : hq_format("%lld%s", (long long)(value / units[i].factor), units[i].name);
}

static hq_error parse_integer(const char *text, int64_t *value_r, hq_reason *reason)
{
    char *end;
    errno = 0;
    *value_r = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text) || errno)
        return hq_fail(reason, HQ_EINVAL, "\"%s\" is not a whole number", text);
    return HQ_OK;
}

static hq_error parse_flag(const char *text, bool *value_r, hq_reason *reason)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value_r = i % 2;
            return HQ_OK;
        }
    return hq_fail(reason, HQ_EINVAL, "\"%s\" is neither yes nor no", text);
}

static hq_error parse_choice(const hq_option *option, const char *text, int *value_r, hq_reason *reason)
{
    for (int i = 0; option->choices[i]; i++)
        if (strcmp(text, option->choices[i]) == 0) {
            *value_r = i;
            return HQ_OK;
        }
    char *domain = option_domain(option);
    hq_error error = hq_fail(reason, HQ_EINVAL, "\"%s\" is not %s", text, domain);
    free(domain);
    return error;
}

static hq_error set_number(const hq_option *option, int64_t *field, const char *text, hq_reason *reason)
{
    int64_t value = 0;
    hq_error error = option->kind == HQ_OPTION_SIZE       ? options_parse_size(text, &value, reason)
                     : option->kind == HQ_OPTION_DURATION ? options_parse_duration(text, &value, reason)
                                                          : parse_integer(text, &value, reason);
    char *domain = option_domain(option);
    if (error && reason) {
        size_t used = strlen(reason->text);
        snprintf(reason->text + used, sizeof reason->text - used, "; it takes a value %s", domain);
    } else if (!error && (value < option->min || value > upper_bound(option))) {
        error = hq_fail(reason, HQ_EINVAL, "\"%s\" is out of range; it takes a value %s", text, domain);
    } else if (!error) {
        *field = value;
    }
    free(domain);
    return error;
}

hq_error option_set(const hq_option *option, void *settings, const char *text, hq_reason *reason)
{
    void *field = field_of(option, settings);
    switch (option->kind) {
    case HQ_OPTION_FLAG:
        return parse_flag(text, field, reason);
    case HQ_OPTION_TEXT:
        free(*(char **)field);
        *(char **)field = hq_strdup(text);
        return HQ_OK;
    case HQ_OPTION_INTEGER:
    case HQ_OPTION_SIZE:
    case HQ_OPTION_DURATION:
        return set_number(option, field, text, reason);
    case HQ_OPTION_CHOICE:
        return parse_choice(option, text, field, reason);
    case HQ_OPTION_LIST: {
        hq_texts *list = field;
        HQ_GROW(list->texts, list->count, list->capacity);
        list->texts[list->count++] = hq_strdup(text);
        return HQ_OK;
    }
    case HQ_OPTION_GROUP:
        break;
    }
    return hq_fail(reason, HQ_EINTERNAL, "no option can be set by the heading \"%s\"", option->help);
}

void option_clear(const hq_option *option, void *settings)
{
    void *field = field_of(option, settings);
    switch (option->kind) {
    case HQ_OPTION_FLAG:
        *(bool *)field = false;
        break;
    case HQ_OPTION_TEXT:
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case HQ_OPTION_INTEGER:
    case HQ_OPTION_SIZE:
    case HQ_OPTION_DURATION:
        *(int64_t *)field = 0;
        break;
    case HQ_OPTION_CHOICE:
        *(int *)field = 0;
        break;
    case HQ_OPTION_LIST: {
        hq_texts *list = field;
        for (size_t i = 0; i < list->count; i++)
            free(list->texts[i]);
        free(list->texts);
        *list = (hq_texts){0};
        break;
    }
    case HQ_OPTION_GROUP:
        break;
    }
}

char *option_to_text(const hq_option *option, const void *settings)
{
    const void *field = field_of(option, settings);
    switch (option->kind) {
    case HQ_OPTION_FLAG:
        return hq_strdup(*(const bool *)field ? "yes" : "no");
    case HQ_OPTION_TEXT:
        return hq_strdup(*(char *const *)field);
    case HQ_OPTION_INTEGER:
        return hq_format("%lld", (long long)*(const int64_t *)field);
    case HQ_OPTION_SIZE:
        return format_scaled(size_units, *(const int64_t *)field);
    case HQ_OPTION_DURATION:
        return format_scaled(duration_units, *(const int64_t *)field);
    case HQ_OPTION_CHOICE:
        return hq_strdup(option->choices[*(const int *)field]);
    case HQ_OPTION_LIST:
    case HQ_OPTION_GROUP:
        break;
    }
    return NULL;
}

static char *number_to_text(const hq_option *option, int64_t value)
{
    return option->kind == HQ_OPTION_SIZE       ? format_scaled(size_units, value)
           : option->kind == HQ_OPTION_DURATION ? format_scaled(duration_units, value)
                                                : hq_format("%lld", (long long)value);
}

static char *choices_domain(const hq_option *option)
{
    char *domain = hq_strdup("one of ");
    for (int i = 0; option->choices[i]; i++) {
        char *longer = hq_format("%s%s%s", domain, i ? ", " : "", option->choices[i]);
        free(domain);
        domain = longer;
    }
    return domain;
}

char *option_domain(const hq_option *option)
{
    if (option->kind == HQ_OPTION_CHOICE)
        return choices_domain(option);
    if (option->kind != HQ_OPTION_INTEGER && option->kind != HQ_OPTION_SIZE && option->kind != HQ_OPTION_DURATION)
        return hq_strdup("");
    char *min = number_to_text(option, option->min), *max = number_to_text(option, option->max);
    char *domain = option->max ? hq_format("from %s to %s", min, max) : hq_format("from %s up", min);
    free(min);
    free(max);
    return domain;
}
