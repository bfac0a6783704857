/* query/check_axis.c - declarations of axes. */
#include <math.h>
#include <string.h>

#include "query/check.h"

/* --- constants --- */

/* node is where messages point to. */
static const hq_expr *constant_of(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what)
{
    if (!kind_is_scalar(value->kind))
        check_refuse_operand(checker, node, value);
    if (value->part[0]->op != EXPR_CONST)
        source_fail(checker->source, node->at, NULL, "%s must be a constant", what);
    return value->part[0];
}

static double float_of(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what)
{
    const hq_expr *expr = constant_of(checker, node, value, what);
    double number = build_convert(checker, expr, SCALAR_FLOAT)->value.number;
    if (!isfinite(number))
        source_fail(checker->source, node->at, NULL, "%s must be a finite number", what);
    return number;
}

static int64_t int_of(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what)
{
    const hq_expr *expr = constant_of(checker, node, value, what);
    if (expr->type != SCALAR_INT)
        source_fail(checker->source, node->at, NULL, "%s must be an int", what);
    return expr->value.integer;
}

static char *text_of(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what)
{
    if (value->kind != KIND_STRING)
        source_fail(checker->source, node->at, NULL, "%s must be a string, and this is %s", what,
                    check_describe(checker, value));
    return arena_copy(checker->program->arena, value->text, strlen(value->text));
}

static double constant_float(hq_checker *checker, const hq_node *node, const char *what)
{
    hq_value value = check_expr(checker, node);
    return float_of(checker, node, &value, what);
}

static int64_t constant_int(hq_checker *checker, const hq_node *node, const char *what)
{
    hq_value value = check_expr(checker, node);
    return int_of(checker, node, &value, what);
}

static char *constant_text(hq_checker *checker, const hq_node *node, const char *what)
{
    hq_value value = check_expr(checker, node);
    return text_of(checker, node, &value, what);
}

static void demand_flag(hq_checker *checker, const hq_node *keyword, bool wanted)
{
    const char *name = keyword->word->text;
    hq_value given = check_expr(checker, keyword->kids[0]);
    const hq_expr *value = constant_of(checker, keyword->kids[0], &given, name);
    if (value->type != SCALAR_BOOL || (value->value.integer != 0) != wanted)
        source_fail(checker->source, keyword->at,
                    wanted                        ? "every axis of hq has an underflow and an overflow bin"
                    : strcmp(name, "growth") == 0 ? "every machine must fill the same bins"
                                                  : "fill with x % period",
                    "%s can only be %s", name, wanted ? "True" : "False");
}

/* What stands side by side in a list or a tuple, or in one that a name stands for. */
typedef struct listed {
    const hq_node *node;
    const hq_value *items;
    size_t count;
} listed;

static bool is_written_out(const hq_node *node)
{
    return node->kind == NODE_LIST || node->kind == NODE_TUPLE;
}

/* Where messages about one of them point to. */
static const hq_node *item_node(const listed *list, size_t index)
{
    return is_written_out(list->node) ? list->node->kids[index] : list->node;
}

/* Axes may have more edges than a value can have parts. */
static listed written_out(hq_checker *checker, const hq_node *node)
{
    hq_value *items = arena_alloc(checker->source->arena, node->kid_count * sizeof *items + 1);
    for (size_t i = 0; i < node->kid_count; i++)
        items[i] = check_expr(checker, node->kids[i]);
    return (listed){node, items, node->kid_count};
}

static listed check_list(hq_checker *checker, const hq_node *node, const char *what, size_t least, size_t most)
{
    bool is_named = node->kind == NODE_NAME;
    hq_value whole = {.kind = KIND_EVENTS};
    if (is_named)
        whole = check_expr(checker, node);
    if (!is_written_out(node) && whole.kind != KIND_TUPLE)
        source_fail(checker->source, check_start(node), NULL, "the %s should stand here, as a list", what);
    size_t count = is_named ? whole.item_count : node->kid_count;
    if (count < least)
        source_fail(checker->source, node->at, NULL, "the axis needs at least %zu of the %s", least, what);
    if (count > most)
        source_limit(checker->source, node->at, "an axis has at most %zu of the %s", most, what);
    return is_named ? (listed){node, whole.items, count} : written_out(checker, node);
}

/* --- the kinds --- */

enum { MOST_PARTS = 3 };

typedef struct axis_kind {
    const char *name, *usage;
    hq_axis_kind kind;
    const char *parts[MOST_PARTS]; /* its arguments, */
    const char *words[MOST_PARTS]; /* and what a message calls them */
    size_t part_count;
} axis_kind;

static const axis_kind KINDS[] = {
    {"Regular",
     "axis.Regular(bins, low, high)",
     HQ_AXIS_REGULAR,
     {"bins", "start", "stop"},
     {"the number of bins", "the axis's lower end", "the axis's upper end"},
     3},
    {"Variable", "axis.Variable([0, 10, 100])", HQ_AXIS_VARIABLE, {"edges"}, {"the list of edges"}, 1},
    {"Integer",
     "axis.Integer(start, stop)",
     HQ_AXIS_INTEGER,
     {"start", "stop"},
     {"the axis's lower end", "the axis's upper end"},
     2},
    {"IntCategory", "axis.IntCategory([1, 2, 5])", HQ_AXIS_INT_CATEGORY, {"categories"}, {"the list of categories"}, 1},
    {"StrCategory",
     "axis.StrCategory([\"a\", \"b\"])",
     HQ_AXIS_STR_CATEGORY,
     {"categories"},
     {"the list of categories"},
     1},
    {"Boolean", "axis.Boolean(name=\"…\")", HQ_AXIS_BOOLEAN, {NULL}, {NULL}, 0},
};

static void check_transform(hq_checker *checker, const hq_node *node, hq_axis *axis)
{
    hq_value value = check_expr(checker, node);
    if (value.kind != KIND_FUNCTION || value.ref != MODULE_TRANSFORM)
        source_fail(checker->source, check_start(node), "transform=axis.transform.log",
                    "the transform of an axis is axis.transform.log or axis.transform.sqrt");
    axis->transform = strcmp(value.text, "log") == 0 ? HQ_TRANSFORM_LOG : HQ_TRANSFORM_SQRT;
}

/* Puts a keyword argument into its place. */
static void check_keyword(hq_checker *checker, const axis_kind *kind, const hq_node *keyword, hq_axis *axis,
                          const hq_node **parts)
{
    const char *name = keyword->word->text;
    bool has_flow = kind->kind != HQ_AXIS_BOOLEAN;
    for (size_t i = 0; i < kind->part_count; i++)
        if (strcmp(name, kind->parts[i]) == 0) {
            if (parts[i])
                source_fail(checker->source, keyword->at, NULL, "%s is given twice", name);
            parts[i] = keyword->kids[0];
            return;
        }
    if (strcmp(name, "name") == 0) {
        axis->name = constant_text(checker, keyword->kids[0], "an axis's name");
    } else if (strcmp(name, "label") == 0) {
        axis->label = constant_text(checker, keyword->kids[0], "an axis's label");
    } else if (has_flow &&
               (strcmp(name, "underflow") == 0 || strcmp(name, "overflow") == 0 || strcmp(name, "flow") == 0)) {
        demand_flag(checker, keyword, true);
    } else if (has_flow && (strcmp(name, "growth") == 0 || strcmp(name, "circular") == 0)) {
        demand_flag(checker, keyword, false);
    } else if (kind->kind == HQ_AXIS_REGULAR && strcmp(name, "transform") == 0) {
        check_transform(checker, keyword->kids[0], axis);
    } else {
        hq_guess guess = {.wrong = name};
        guess_try(&guess, "name");
        guess_try(&guess, "label");
        for (size_t i = 0; i < kind->part_count; i++)
            guess_try(&guess, kind->parts[i]);
        source_fail(checker->source, keyword->at, guess_hint(checker->source, &guess, ""),
                    "axis.%s's argument '%.200s' is not part of hq's query language", kind->name, name);
    }
}

static uint32_t check_bins(hq_checker *checker, const hq_node *node)
{
    int64_t bins = constant_int(checker, node, "the number of bins");
    if (bins < 1)
        source_fail(checker->source, node->at, NULL, "an axis needs at least one bin, not %lld", (long long)bins);
    if (bins > HQ_MAX_BINS)
        source_limit(checker->source, node->at, "%lld bins: a query may have %d in all", (long long)bins, HQ_MAX_BINS);
    return (uint32_t)bins;
}

static void check_ends(hq_checker *checker, const hq_node *const *parts, hq_axis *axis)
{
    axis->bins = check_bins(checker, parts[0]);
    axis->low = constant_float(checker, parts[1], "an axis's lower end");
    axis->high = constant_float(checker, parts[2], "an axis's upper end");
    if (!(axis->low < axis->high))
        source_fail(checker->source, parts[2]->at, NULL, "the axis's upper end %g does not lie above its lower end %g",
                    axis->high, axis->low);
    /* What a bin's number is computed from must not overflow. */
    if (!isfinite((axis->high - axis->low) * axis->bins))
        source_fail(checker->source, parts[2]->at, NULL, "the axis is too long for float64");
}

static void check_edges(hq_checker *checker, const hq_node *node, hq_axis *axis)
{
    listed list = check_list(checker, node, "edges", 2, (size_t)MAX_NODES);
    size_t count = list.count;
    axis->edges = arena_alloc(checker->program->arena, count * sizeof *axis->edges);
    for (size_t i = 0; i < count; i++) {
        axis->edges[i] = float_of(checker, item_node(&list, i), &list.items[i], "an edge");
        if (i > 0 && !(axis->edges[i - 1] < axis->edges[i]))
            source_fail(checker->source, item_node(&list, i)->at, NULL,
                        "the edge %g does not lie above the one before it, %g", axis->edges[i], axis->edges[i - 1]);
    }
    axis->bins = (uint32_t)(count - 1);
    axis->low = axis->edges[0];
    axis->high = axis->edges[count - 1];
}

static void check_integers(hq_checker *checker, const hq_node *const *parts, hq_axis *axis)
{
    int64_t low = constant_int(checker, parts[0], "an Integer axis's lower end");
    int64_t high = constant_int(checker, parts[1], "an Integer axis's upper end");
    int64_t bins;
    if (low >= high)
        source_fail(checker->source, parts[1]->at, NULL,
                    "the axis's upper end %lld does not lie above its lower end %lld", (long long)high, (long long)low);
    if (__builtin_sub_overflow(high, low, &bins) || bins > HQ_MAX_BINS)
        source_limit(checker->source, parts[1]->at, "an axis has at most %d bins", HQ_MAX_BINS);
    axis->bins = (uint32_t)bins;
    axis->low = (double)low;
    axis->high = (double)high;
}

static void check_categories(hq_checker *checker, const hq_node *node, hq_axis *axis)
{
    listed list = check_list(checker, node, "categories", 1, (size_t)HQ_MAX_CATEGORIES);
    size_t count = list.count;
    bool is_of_ints = axis->kind == HQ_AXIS_INT_CATEGORY;
    axis->bins = (uint32_t)count;
    axis->ints = is_of_ints ? arena_alloc(checker->program->arena, count * sizeof *axis->ints) : NULL;
    axis->texts = is_of_ints ? NULL : arena_alloc(checker->program->arena, count * sizeof *axis->texts);
    for (size_t i = 0; i < count; i++) {
        bool is_twice = false;
        if (is_of_ints)
            axis->ints[i] = int_of(checker, item_node(&list, i), &list.items[i], "a category");
        else
            axis->texts[i] = text_of(checker, item_node(&list, i), &list.items[i], "a category");
        for (size_t j = 0; j < i && !is_twice; j++)
            is_twice = is_of_ints ? axis->ints[i] == axis->ints[j] : strcmp(axis->texts[i], axis->texts[j]) == 0;
        if (is_twice)
            source_fail(checker->source, item_node(&list, i)->at, NULL, "a category that is there already");
    }
}

static const axis_kind *find_kind(hq_checker *checker, const hq_node *node)
{
    hq_value callee = {.kind = KIND_EVENTS};
    if (node->kind == NODE_CALL)
        callee = check_expr(checker, node->kids[0]);
    if (callee.kind != KIND_FUNCTION || callee.ref != MODULE_AXIS)
        source_fail(checker->source, node->at, "axis.Regular(bins, low, high, name=\"…\", label=\"…\")",
                    "an axis should stand here");
    size_t i = 0;
    while (strcmp(KINDS[i].name, callee.text) != 0)
        i++;
    return &KINDS[i];
}

static void read_parts(hq_checker *checker, const axis_kind *kind, const hq_node *node, hq_axis *axis,
                       const hq_node **parts)
{
    for (size_t i = 1; i < node->kid_count; i++) {
        const hq_node *argument = node->kids[i];
        if (argument->kind == NODE_KEYWORD)
            check_keyword(checker, kind, argument, axis, parts);
        else if (i <= kind->part_count)
            parts[i - 1] = argument;
        else
            source_fail(checker->source, argument->at, "name the rest: name=\"…\", label=\"…\"",
                        "this is one argument too many: %s", kind->usage);
    }
    for (size_t i = 0; i < kind->part_count; i++)
        if (!parts[i])
            source_fail(checker->source, node->at, kind->usage, "%s is missing", kind->words[i]);
}

hq_axis check_axis(hq_checker *checker, const hq_node *node)
{
    static char empty[] = "";
    const axis_kind *kind = find_kind(checker, node);
    const hq_node *parts[MOST_PARTS] = {NULL};
    hq_axis axis = {.kind = kind->kind, .name = empty, .label = empty};
    read_parts(checker, kind, node, &axis, parts);
    switch (axis.kind) {
    case HQ_AXIS_REGULAR:
        check_ends(checker, parts, &axis);
        break;
    case HQ_AXIS_VARIABLE:
        check_edges(checker, parts[0], &axis);
        break;
    case HQ_AXIS_INTEGER:
        check_integers(checker, parts, &axis);
        break;
    case HQ_AXIS_BOOLEAN:
        axis.bins = 2;
        break;
    default:
        check_categories(checker, parts[0], &axis);
    }
    const char *fault = axis_fault(&axis);
    if (fault)
        source_fail(checker->source, node->at, kind->usage, "this axis is impossible: %s", fault);
    return axis;
}
