#include "client/shorthand.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

/* The loop's variable: a name that no column is likely to have. */
#define ITEM "item_"

typedef struct rewriting {
    char *collection; /* that the query loops over; NULL if none yet */
    hq_reason *reason;
} rewriting;

static void put(hq_buffer *text, const char *more)
{
    buffer_append(text, more, strlen(more));
}

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_one_of(const char *const *words, const char *name, size_t length)
{
    for (; *words; words++)
        if (strlen(*words) == length && memcmp(*words, name, length) == 0)
            return true;
    return false;
}

/* What a name is that no dot stands before. */
typedef enum name_kind { NAME_COLUMN, NAME_WORD, NAME_MATH } name_kind;

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static size_t name_length(const char *at)
{
    size_t length = 0;
    while (is_name_part(at[length]))
        length++;
    return length;
}

/* Where the string or the number at this place ends. */
static const char *literal_end(const char *at)
{
    const char *end = at + 1;
    if (*at == '"' || *at == '\'') {
        while (*end && *end != *at)
            end++;
        return end + (*end != 0);
    }
    while (is_name_part(*end) || *end == '.' || ((*end == '+' || *end == '-') && (end[-1] == 'e' || end[-1] == 'E')))
        end++;
    return end;
}

static bool is_literal(char c)
{
    return c == '"' || c == '\'' || isdigit((unsigned char)c);
}

static bool is_word(const char *name, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(name, word, length) == 0;
}

/* Does a comprehension or a lambda of the expression give the name a meaning? Its names stand between 'for' and 'in',
 * or between 'lambda' and the colon. */
static bool is_bound(const char *expression, const char *name, size_t length)
{
    bool is_binding = false;
    for (const char *at = expression; *at;) {
        if (is_literal(*at)) {
            at = literal_end(at);
            continue;
        }
        size_t here = name_length(at);
        if (is_word(at, here, "for") || is_word(at, here, "lambda"))
            is_binding = true;
        else if (is_word(at, here, "in") || *at == ':')
            is_binding = false;
        else if (is_binding && here == length && memcmp(at, name, length) == 0)
            return true;
        at += here ? here : 1;
    }
    return false;
}

/* next: what follows the name. */
static name_kind kind_of(const char *expression, const char *name, size_t length, const char *next)
{
    static const char *const words[] = {"and",    "or",   "not", "if",   "else",  "in", "for",
                                        "lambda", "None", "is",  "True", "False", NULL};
    static const char *const functions[] = {
        "abs", "all",  "any",       "bool",    "combinations",   "enumerate", "float", "int",
        "len", "list", "max",       "min",     "range",          "reversed",  "round", "sorted",
        "sum", "zip",  "delta_phi", "delta_r", "invariant_mass", NULL};
    static const char *const constants[] = {"pi", "tau", "inf", "nan", NULL};
    bool is_keyword = *next == '=' && next[1] != '=';
    bool is_spelt_out = (is_word(name, length, "event") && *next == '[') ||
                        (is_word(name, length, "math") && *next == '.');
    if (is_one_of(words, name, length) || is_keyword || is_spelt_out || is_bound(expression, name, length))
        return NAME_WORD;
    if (*next == '(')
        return is_one_of(functions, name, length) ? NAME_WORD : NAME_MATH;
    return is_one_of(constants, name, length) ? NAME_MATH : NAME_COLUMN;
}

/* A name that stands for a column or a collection. */
static hq_error rewrite_name(rewriting *r, const char *name, size_t length, const char *next, hq_buffer *out)
{
    bool is_member_of_each = *next == '.' && is_name_start(*skip_blanks(next + 1));
    if (!is_member_of_each) {
        put(out, "event.");
        buffer_append(out, name, length);
        return HQ_OK;
    }
    if (!r->collection)
        r->collection = hq_strndup(name, length);
    if (strlen(r->collection) != length || memcmp(r->collection, name, length) != 0)
        return hq_fail(r->reason, HQ_EINVAL,
                       "this asks of every %s and of every %.*s at once: name one by its index (%.*s[0]), or write the "
                       "loops into a file",
                       r->collection, (int)length, name, (int)length, name);
    put(out, ITEM);
    return HQ_OK;
}

static hq_error rewrite(rewriting *r, const char *expression, hq_buffer *out)
{
    bool is_after_dot = false;
    if (!*skip_blanks(expression))
        return hq_fail(r->reason, HQ_EINVAL, "an expression is empty: -e, --where and --weight each want one");
    for (const char *at = expression; *at;) {
        if (*at == '\n' || *at == '\r' || *at == '#' || *at == ';')
            return hq_fail(r->reason, HQ_EINVAL, "\"%s\" is no expression: a query of several lines goes into a file",
                           expression);
        if (is_literal(*at)) {
            const char *end = literal_end(at);
            buffer_append(out, at, (size_t)(end - at));
            at = end;
            continue;
        }
        if (!is_name_start(*at)) {
            is_after_dot = *at == '.' || (is_after_dot && *at == ' ');
            buffer_u8(out, (uint8_t)*at++);
            continue;
        }
        size_t length = name_length(at);
        const char *next = skip_blanks(at + length);
        if (!is_after_dot && is_word(at, length, "event") && *next == '.') {
            at = next + 1;
            continue;
        }
        name_kind kind = is_after_dot ? NAME_WORD : kind_of(expression, at, length, next);
        hq_error error = HQ_OK;
        if (kind == NAME_COLUMN) {
            error = rewrite_name(r, at, length, next, out);
        } else {
            put(out, kind == NAME_MATH ? "math." : "");
            buffer_append(out, at, length);
        }
        if (error)
            return error;
        is_after_dot = false;
        at += length;
    }
    return HQ_OK;
}

/* A string literal with that text; what Python would read otherwise is escaped. */
static void put_string(hq_buffer *out, const char *value)
{
    buffer_u8(out, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buffer_u8(out, '\\');
        buffer_u8(out, (uint8_t)*value);
    }
    buffer_u8(out, '"');
}

static hq_error put_axis(const hq_shorthand *shorthand, size_t index, hq_buffer *out, hq_reason *reason)
{
    const char *bins = shorthand->bins[index];
    long long count;
    double low, high;
    int used = 0;
    if (sscanf(bins, " %lld , %lf , %lf %n", &count, &low, &high, &used) != 3 || bins[used] != 0)
        return hq_fail(reason, HQ_EINVAL, "--bins %s: number, low and high are wanted, as in 100,0,200", bins);
    char *axis = hq_format("%saxis.Regular(%s, name=\"x%zu\", label=", index ? ", " : "", bins, index);
    put(out, axis);
    free(axis);
    put_string(out, shorthand->expressions[index]);
    put(out, ")");
    return HQ_OK;
}

/* The head of the text: imports and the histogram. */
static hq_error put_head(const hq_shorthand *shorthand, hq_buffer *out, hq_reason *reason)
{
    put(out, "import math\nfrom itertools import combinations\nfrom hist import Hist, axis\n"
             "from hq import delta_phi, delta_r, invariant_mass\n\nh = Hist(");
    hq_error error = HQ_OK;
    for (size_t i = 0; !error && i < shorthand->axis_count; i++)
        error = put_axis(shorthand, i, out, reason);
    put(out, ")\n\nfor event in events:\n");
    return error;
}

static void put_line(hq_buffer *out, int depth, const char *begin, const hq_buffer *middle, const char *end)
{
    for (int i = 0; i < depth; i++)
        put(out, "    ");
    put(out, begin);
    buffer_append(out, middle->bytes, middle->size);
    put(out, end);
}

hq_error shorthand_text(const hq_shorthand *shorthand, char **text_r, hq_reason *reason)
{
    rewriting r = {.reason = reason};
    hq_buffer text = {0}, fill = {0}, where = {0}, none = {0};
    hq_error error = put_head(shorthand, &text, reason);
    for (size_t i = 0; !error && i < shorthand->axis_count; i++) {
        put(&fill, i ? ", " : "");
        error = rewrite(&r, shorthand->expressions[i], &fill);
    }
    if (!error && shorthand->weight) {
        put(&fill, ", weight=");
        error = rewrite(&r, shorthand->weight, &fill);
    }
    if (!error && shorthand->where)
        error = rewrite(&r, shorthand->where, &where);
    if (!error) {
        int depth = 1;
        if (r.collection) {
            put_line(&text, depth++, "for " ITEM " in event.", &none, r.collection);
            put(&text, ":\n");
        }
        if (shorthand->where)
            put_line(&text, depth++, "if ", &where, ":\n");
        put_line(&text, depth, "h.fill(", &fill, ")\n");
        *text_r = hq_strndup((const char *)text.bytes, text.size);
    }
    buffer_clear(&text);
    buffer_clear(&fill);
    buffer_clear(&where);
    free(r.collection);
    return error;
}
