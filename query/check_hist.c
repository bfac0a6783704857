/* query/check_hist.c - declarations of histograms, and fills. */
#include <string.h>
#include <strings.h>

#include "query/check.h"

/* A storage that stands behind the axes without its keyword, as hist allows. */
static bool is_storage(hq_checker *checker, const hq_node *node)
{
    if (node->kind == NODE_STRING)
        return true;
    if (node->kind != NODE_CALL && node->kind != NODE_ATTR && node->kind != NODE_NAME)
        return false;
    hq_value value = check_expr(checker, node->kind == NODE_CALL ? node->kids[0] : node);
    return value.kind == KIND_STRING || (value.kind == KIND_FUNCTION && value.ref == MODULE_STORAGE);
}

/* at is where messages point to. */
static void check_storage(hq_checker *checker, uint32_t at, const hq_node *node, hq_declared *hist)
{
    hq_value value = check_expr(checker, node->kind == NODE_CALL ? node->kids[0] : node);
    const char *name = NULL;
    if (value.kind == KIND_STRING || (value.kind == KIND_FUNCTION && value.ref == MODULE_STORAGE))
        name = value.text;
    static const struct {
        const char *name;
        hq_storage storage;
    } STORAGES[] = {{"Weight", HQ_WEIGHTED},
                    {"Mean", HQ_MEAN},
                    {"WeightedMean", HQ_WEIGHTED_MEAN},
                    {"Int64", HQ_COUNT},
                    {"Double", HQ_COUNT}};
    for (size_t i = 0; name && i < sizeof STORAGES / sizeof *STORAGES; i++)
        if (strcasecmp(name, STORAGES[i].name) == 0) {
            hist->storage = STORAGES[i].storage;
            hist->refuses_weight = strcmp(STORAGES[i].name, "Int64") == 0;
            return;
        }
    source_fail(checker->source, at, "leave it out: hq keeps sums of weights where a fill has a weight",
                "a storage hq does not know; it knows Double, Int64, Weight, Mean and WeightedMean");
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

static void take_words(hq_checker *checker, const hq_node *at, uint64_t words)
{
    checker->hist_words += words;
    if (checker->hist_words > HQ_MAX_WORDS)
        source_limit(
            checker->source, at->at,
            "the histograms have more than %d bins in all, where one with weights counts as 2, a mean as 3 and "
            "a mean with weights as 4",
            HQ_MAX_BINS);
}

static void check_size(hq_checker *checker, const hq_node *at, const hq_declared *hist)
{
    uint64_t size = 1;
    for (size_t i = 0; i < hist->axis_count; i++) {
        size *= axis_extent(&hist->axes[i]);
        if (size > HQ_MAX_BINS)
            source_limit(checker->source, at->at, "the histogram has more than %d bins", HQ_MAX_BINS);
    }
    take_words(checker, at, size * storage_words(hist->storage));
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
            check_storage(checker, argument->at, argument->kids[0], &hist);
        } else if (argument->kind == NODE_KEYWORD) {
            const char *hint = strcmp(argument->word->text, "name") == 0 || strcmp(argument->word->text, "label") == 0
                                   ? "a histogram is called as its variable is; its axes have names and labels"
                                   : NULL;
            source_fail(checker->source, argument->at, hint,
                        "Hist's argument '%.200s' is not part of hq's query language", argument->word->text);
        } else if (hist.axis_count && i + 1 == call->kid_count && is_storage(checker, argument)) {
            check_storage(checker, argument->at, argument, &hist);
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

/* The value for an axis, as the number by which machine code finds its bin. */
static const hq_expr *fill_value(hq_checker *checker, const hq_node *node, const hq_axis *axis)
{
    hq_value value = check_expr(checker, node);
    bool is_text = value.kind == KIND_STRING;
    checker->at = node->at;
    if (is_text != (axis->kind == HQ_AXIS_STR_CATEGORY))
        source_fail(checker->source, check_start(node), is_text ? "an axis.StrCategory([…]) takes strings" : NULL,
                    "the axis takes %s, and this is %s", is_text ? "numbers" : "the name of a category",
                    check_describe(checker, &value));
    if (is_text)
        return build_float(checker, axis_index_text(axis, value.text));
    if (!kind_is_scalar(value.kind))
        return check_scalar(checker, node);
    const hq_expr *number = build_convert(checker, value.part[0], SCALAR_FLOAT);
    return axis->transform == HQ_TRANSFORM_NONE
               ? number
               : build_call(checker, axis->transform == HQ_TRANSFORM_LOG ? "log" : "sqrt", number, NULL);
}

static const hq_expr *fill_number(hq_checker *checker, const hq_node *node)
{
    return build_convert(checker, check_scalar(checker, node), SCALAR_FLOAT);
}

/* weight=…, sample=…: false if it is neither. */
static bool check_fill_keyword(hq_checker *checker, const hq_node *argument, hq_declared *hist, hq_stmt *fill)
{
    const char *name = argument->word->text;
    bool is_weight = strcmp(name, "weight") == 0;
    if (!is_weight && strcmp(name, "sample") != 0)
        return false;
    if (is_weight ? fill->a != NULL : fill->b != NULL)
        source_fail(checker->source, argument->at, NULL, "%s is given twice", name);
    if (is_weight && hist->refuses_weight)
        source_fail(checker->source, argument->at, "leave the storage out, or make it storage.Weight()",
                    "the histogram %s counts with Int64 and takes no weight", hist->name);
    if (!is_weight && !storage_has_mean(hist->storage))
        source_fail(checker->source, argument->at, "declare it with storage=storage.Mean()",
                    "the histogram %s keeps no mean and takes no sample", hist->name);
    const hq_expr *value = fill_number(checker, argument->kids[0]);
    if (is_weight)
        fill->a = value;
    else
        fill->b = value;
    if (is_weight && hist->storage == HQ_COUNT) {
        hist->storage = HQ_WEIGHTED;
        take_words(checker, argument, axes_size(hist->axes, hist->axis_count));
    }
    return true;
}

static const char *ordinal(size_t index, size_t count)
{
    static const char *const WORDS[] = {"the first", "the second", "the third", "the fourth"};
    return count == 1 ? "it" : WORDS[index];
}

void check_fill(hq_checker *checker, const hq_node *call, uint32_t index)
{
    hq_stmt fill = {0};
    size_t axis_count = checker->program->hists[index].axis_count;
    for (size_t i = 1; i < call->kid_count; i++) {
        const hq_node *argument = call->kids[i];
        hq_declared *hist = &checker->program->hists[index];
        if (argument->kind != NODE_KEYWORD) {
            if (i > axis_count)
                source_fail(checker->source, argument->at, "a weight is given as weight=…",
                            "the histogram %s has %zu ax%s, and this is one value too many", hist->name, axis_count,
                            axis_count == 1 ? "is" : "es");
            fill.fill[i - 1] = fill_value(checker, argument, &hist->axes[i - 1]);
        } else if (strcmp(argument->word->text, "threads") == 0) {
            source_fail(checker->source, argument->at, NULL, "fill's argument '%s' is not part of hq's query language",
                        argument->word->text);
        } else if (!check_fill_keyword(checker, argument, hist, &fill)) {
            size_t axis = find_axis(checker, argument, hist);
            if (fill.fill[axis])
                source_fail(checker->source, argument->at, NULL, "the value for axis '%.200s' is given twice",
                            argument->word->text);
            fill.fill[axis] = fill_value(checker, argument->kids[0], &hist->axes[axis]);
        }
    }
    const hq_declared *hist = &checker->program->hists[index];
    checker->at = call->at;
    for (size_t i = 0; i < axis_count; i++)
        if (!fill.fill[i])
            source_fail(checker->source, check_start(call), NULL,
                        "the histogram %s has %zu ax%s, and the value for %s is missing", hist->name, axis_count,
                        axis_count == 1 ? "is" : "es", ordinal(i, axis_count));
    if (storage_has_mean(hist->storage) && !fill.b)
        source_fail(checker->source, check_start(call), "sample=…",
                    "the histogram %s keeps the mean of a sample, and the sample is missing", hist->name);
    hq_stmt *stmt = build_stmt(checker, STMT_FILL);
    stmt->index = index;
    stmt->a = fill.a;
    stmt->b = fill.b;
    memcpy(stmt->fill, fill.fill, sizeof fill.fill);
    /* Each axis becomes some ten instructions. */
    checker->program->code_count += 10 * axis_count;
}
