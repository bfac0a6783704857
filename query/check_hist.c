/* query/check_hist.c - declarations of histograms, and fills. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "query/check.h"

static const hq_expr *constant(hq_checker *checker, const hq_node *node, const char *what)
{
    const hq_expr *expr = check_scalar(checker, node);
    if (expr->op != EXPR_CONST)
        source_fail(checker->source, node->at, NULL, "%s must be a constant", what);
    return expr;
}

static double constant_float(hq_checker *checker, const hq_node *node, const char *what)
{
    const hq_expr *expr = constant(checker, node, what);
    double value = build_convert(checker, expr, SCALAR_FLOAT)->value.number;
    if (!isfinite(value))
        source_fail(checker->source, node->at, NULL, "%s must be a finite number", what);
    return value;
}

static char *constant_text(hq_checker *checker, const hq_node *node, const char *what)
{
    hq_value value = check_expr(checker, node);
    if (value.kind != KIND_STRING)
        source_fail(checker->source, node->at, NULL, "%s must be a string, and this is %s", what,
                    check_describe(checker, &value));
    return arena_copy(checker->program->arena, value.text, strlen(value.text));
}

static void demand_flag(hq_checker *checker, const hq_node *keyword, bool wanted)
{
    const char *name = keyword->word->text;
    const hq_expr *value = constant(checker, keyword->kids[0], name);
    if (value->type != SCALAR_BOOL || (value->value.integer != 0) != wanted)
        source_fail(checker->source, keyword->at,
                    wanted ? "every axis of hq has an underflow and an overflow bin" : NULL, "%s can only be %s", name,
                    wanted ? "True" : "False");
}

static uint32_t check_bins(hq_checker *checker, const hq_node *node)
{
    const hq_expr *bins = constant(checker, node, "the number of bins");
    if (bins->type != SCALAR_INT)
        source_fail(checker->source, node->at, NULL, "the number of bins must be an int");
    if (bins->value.integer < 1)
        source_fail(checker->source, node->at, NULL, "an axis needs at least one bin, not %lld",
                    (long long)bins->value.integer);
    if (bins->value.integer > HQ_MAX_BINS)
        source_limit(checker->source, node->at, "%lld bins: a query may have %d in all", (long long)bins->value.integer,
                     HQ_MAX_BINS);
    return (uint32_t)bins->value.integer;
}

/* Puts a keyword argument of Regular into its place; parts are bins, start and stop. */
static void check_axis_keyword(hq_checker *checker, const hq_node *keyword, hq_axis *axis, const hq_node **parts)
{
    static const char *const PARTS[] = {"bins", "start", "stop"};
    const char *name = keyword->word->text;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, PARTS[i]) == 0) {
            if (parts[i])
                source_fail(checker->source, keyword->at, NULL, "%s is given twice", name);
            parts[i] = keyword->kids[0];
            return;
        }
    if (strcmp(name, "name") == 0) {
        axis->name = constant_text(checker, keyword->kids[0], "an axis's name");
    } else if (strcmp(name, "label") == 0) {
        axis->label = constant_text(checker, keyword->kids[0], "an axis's label");
    } else if (strcmp(name, "underflow") == 0 || strcmp(name, "overflow") == 0 || strcmp(name, "flow") == 0) {
        demand_flag(checker, keyword, true);
    } else if (strcmp(name, "growth") == 0 || strcmp(name, "circular") == 0) {
        demand_flag(checker, keyword, false);
    } else {
        hq_guess guess = {.wrong = name};
        guess_try(&guess, "name");
        guess_try(&guess, "label");
        for (size_t i = 0; i < 3; i++)
            guess_try(&guess, PARTS[i]);
        source_fail(checker->source, keyword->at, guess_hint(checker->source, &guess, ""),
                    "axis.Regular's argument '%.200s' is not part of hq's query language", name);
    }
}

static hq_axis check_axis(hq_checker *checker, const hq_node *node)
{
    hq_value callee = {.kind = KIND_TUPLE};
    if (node->kind == NODE_CALL)
        callee = check_expr(checker, node->kids[0]);
    if (callee.kind != KIND_FUNCTION || callee.ref != MODULE_AXIS)
        source_fail(checker->source, node->at, "axis.Regular(bins, low, high, name=\"…\", label=\"…\")",
                    "an axis should stand here");
    static char empty[] = "";
    hq_axis axis = {.kind = HQ_AXIS_REGULAR, .name = empty, .label = empty};
    const hq_node *parts[3] = {NULL, NULL, NULL};
    for (size_t i = 1; i < node->kid_count; i++) {
        const hq_node *argument = node->kids[i];
        if (argument->kind == NODE_KEYWORD)
            check_axis_keyword(checker, argument, &axis, parts);
        else if (i <= 3)
            parts[i - 1] = argument;
        else
            source_fail(checker->source, argument->at, "name the rest: name=\"…\", label=\"…\"",
                        "axis.Regular takes bins, low and high, and no fourth number");
    }
    if (!parts[0] || !parts[1] || !parts[2])
        source_fail(checker->source, node->at, "axis.Regular(bins, low, high)", "%s is missing",
                    !parts[0]   ? "the number of bins"
                    : !parts[1] ? "the axis's lower end"
                                : "the axis's upper end");
    axis.bins = check_bins(checker, parts[0]);
    axis.low = constant_float(checker, parts[1], "an axis's lower end");
    axis.high = constant_float(checker, parts[2], "an axis's upper end");
    if (!(axis.low < axis.high))
        source_fail(checker->source, parts[2]->at, NULL, "the axis's upper end %g does not lie above its lower end %g",
                    axis.high, axis.low);
    /* What a bin's number is computed from must not overflow. */
    if (!isfinite((axis.high - axis.low) * axis.bins))
        source_fail(checker->source, parts[2]->at, NULL, "the axis is too long for float64");
    return axis;
}

static void check_storage(hq_checker *checker, const hq_node *keyword, hq_declared *hist)
{
    const hq_node *node = keyword->kids[0];
    hq_value value = check_expr(checker, node->kind == NODE_CALL ? node->kids[0] : node);
    const char *name = NULL;
    if (value.kind == KIND_STRING || (value.kind == KIND_FUNCTION && value.ref == MODULE_STORAGE))
        name = value.text;
    if (name && strcasecmp(name, "Weight") == 0)
        hist->storage = HQ_WEIGHTED;
    else if (name && strcasecmp(name, "Int64") == 0)
        hist->refuses_weight = true;
    else if (!name || strcasecmp(name, "Double") != 0)
        source_fail(checker->source, keyword->at, "leave it out: hq keeps sums of weights where a fill has a weight",
                    "a storage hq does not know; it knows Double, Int64 and Weight");
}

static void check_axis_name(hq_checker *checker, const hq_node *at, const hq_declared *hist)
{
    const char *name = hist->axes[hist->axis_count - 1].name;
    if (strcmp(name, "weight") == 0 || strcmp(name, "sample") == 0 || strcmp(name, "threads") == 0)
        source_fail(checker->source, at->at, NULL, "an axis cannot be named '%s': fill has an argument of that name",
                    name);
    for (size_t i = 0; i + 1 < hist->axis_count; i++)
        if (*name && strcmp(hist->axes[i].name, name) == 0)
            source_fail(checker->source, at->at, NULL, "two axes of one histogram are named '%.200s'", name);
}

static void check_size(hq_checker *checker, const hq_node *at, const hq_declared *hist)
{
    uint64_t size = 1;
    for (size_t i = 0; i < hist->axis_count; i++) {
        size *= (uint64_t)hist->axes[i].bins + 2;
        if (size > HQ_MAX_BINS)
            source_limit(checker->source, at->at, "the histogram has more than %d bins", HQ_MAX_BINS);
    }
    checker->bin_count += size;
    if (checker->bin_count > HQ_MAX_BINS)
        source_limit(checker->source, at->at, "the histograms have more than %d bins in all", HQ_MAX_BINS);
}

bool check_declares_hist(hq_checker *checker, hq_symbol *symbol, const hq_node *call)
{
    hq_value callee = check_expr(checker, call->kids[0]);
    if (callee.kind != KIND_FUNCTION || callee.ref != MODULE_HIST)
        return false;
    hq_declared hist = {.name = arena_copy(checker->program->arena, symbol->word->text, strlen(symbol->word->text))};
    for (size_t i = 1; i < call->kid_count; i++) {
        const hq_node *argument = call->kids[i];
        if (argument->kind == NODE_KEYWORD && strcmp(argument->word->text, "storage") == 0) {
            check_storage(checker, argument, &hist);
        } else if (argument->kind == NODE_KEYWORD) {
            const char *hint = strcmp(argument->word->text, "name") == 0 || strcmp(argument->word->text, "label") == 0
                                   ? "a histogram is called as its variable is; its axes have names and labels"
                                   : NULL;
            source_fail(checker->source, argument->at, hint,
                        "Hist's argument '%.200s' is not part of hq's query language", argument->word->text);
        } else {
            if (hist.axis_count == HQ_MAX_AXES)
                source_limit(checker->source, argument->at, "a histogram has at most %d axes", HQ_MAX_AXES);
            hist.axes[hist.axis_count++] = check_axis(checker, argument);
            check_axis_name(checker, argument, &hist);
        }
    }
    if (!hist.axis_count)
        source_fail(checker->source, call->at, "Hist(axis.Regular(bins, low, high))", "a histogram needs an axis");
    check_size(checker, call, &hist);
    hq_program *program = checker->program;
    if (program->hist_count >= HQ_MAX_HISTS)
        source_limit(checker->source, call->at, "a query declares at most %d histograms", HQ_MAX_HISTS);
    ARENA_GROW(program->arena, program->hists, program->hist_count, program->hist_capacity);
    program->hists[program->hist_count] = hist;
    symbol->is_global = true;
    symbol->value = (hq_value){.kind = KIND_HISTOGRAM, .ref = (uint32_t)program->hist_count++};
    return true;
}

/* --- fill --- */

static size_t find_axis(hq_checker *checker, const hq_node *keyword, const hq_declared *hist)
{
    const char *name = keyword->word->text;
    hq_guess guess = {.wrong = name};
    for (size_t i = 0; i < hist->axis_count; i++) {
        if (strcmp(hist->axes[i].name, name) == 0)
            return i;
        if (*hist->axes[i].name)
            guess_try(&guess, hist->axes[i].name);
    }
    guess_try(&guess, "weight");
    source_fail(checker->source, keyword->at, guess_hint(checker->source, &guess, ""),
                "the histogram %s has no axis named '%.200s'", hist->name, name);
}

static const hq_expr *fill_value(hq_checker *checker, const hq_node *node)
{
    return build_convert(checker, check_scalar(checker, node), SCALAR_FLOAT);
}

void check_fill(hq_checker *checker, const hq_node *call, uint32_t index)
{
    const hq_expr *values[HQ_MAX_AXES] = {NULL};
    const hq_expr *weight = NULL;
    size_t axis_count = checker->program->hists[index].axis_count;
    for (size_t i = 1; i < call->kid_count; i++) {
        const hq_node *argument = call->kids[i];
        hq_declared *hist = &checker->program->hists[index];
        if (argument->kind != NODE_KEYWORD) {
            if (i > axis_count)
                source_fail(checker->source, argument->at, "a weight is given as weight=…",
                            "the histogram %s has %zu ax%s, and this is one value too many", hist->name, axis_count,
                            axis_count == 1 ? "is" : "es");
            values[i - 1] = fill_value(checker, argument);
        } else if (strcmp(argument->word->text, "weight") == 0) {
            if (weight)
                source_fail(checker->source, argument->at, NULL, "weight is given twice");
            if (hist->refuses_weight)
                source_fail(checker->source, argument->at, "leave the storage out, or make it storage.Weight()",
                            "the histogram %s counts with Int64 and takes no weight", hist->name);
            weight = fill_value(checker, argument->kids[0]);
            hist->storage = HQ_WEIGHTED;
        } else if (strcmp(argument->word->text, "sample") == 0 || strcmp(argument->word->text, "threads") == 0) {
            source_fail(checker->source, argument->at, NULL, "fill's argument '%s' is not part of hq's query language",
                        argument->word->text);
        } else {
            size_t axis = find_axis(checker, argument, hist);
            if (values[axis])
                source_fail(checker->source, argument->at, NULL, "the value for axis '%.200s' is given twice",
                            argument->word->text);
            values[axis] = fill_value(checker, argument->kids[0]);
        }
    }
    checker->at = call->at;
    for (size_t i = 0; i < axis_count; i++)
        if (!values[i])
            source_fail(checker->source, check_start(call), NULL,
                        "the histogram %s has %zu ax%s, and the value for %s is missing",
                        checker->program->hists[index].name, axis_count, axis_count == 1 ? "is" : "es",
                        axis_count == 1 ? "it"
                        : i == 0        ? "the first"
                        : i == 1        ? "the second"
                        : i == 2        ? "the third"
                                        : "the fourth");
    hq_stmt *stmt = build_stmt(checker, STMT_FILL);
    stmt->index = index;
    stmt->a = weight;
    memcpy(stmt->fill, values, sizeof values);
    /* Each axis becomes some ten instructions. */
    checker->code_count += 10 * axis_count;
}
