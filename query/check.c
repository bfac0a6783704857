/* query/check.c - what stands outside the event loop, and the passes over the whole. */
#include "query/check.h"

#include <string.h>

enum { MAX_PASSES = 24 };

hq_symbol *check_symbol(hq_checker *checker, hq_word *word)
{
    if (!word->symbol) {
        hq_symbol *symbol = arena_alloc(checker->source->arena, sizeof *symbol);
        symbol->word = word;
        symbol->next = checker->symbols;
        checker->symbols = symbol;
        word->symbol = symbol;
    }
    return word->symbol;
}

/* A name outside the event loop gets a meaning. */
static hq_symbol *define(hq_checker *checker, const hq_node *at, hq_word *word)
{
    hq_symbol *symbol = check_symbol(checker, word);
    if (strcmp(word->text, "events") == 0)
        source_fail(checker->source, at->at, "use another name", "'events' is hq's name for all events");
    if (symbol->is_local)
        source_fail(checker->source, at->at, "use another name", "'%.200s' is a variable of the event loop",
                    word->text);
    if (symbol->is_global &&
        (symbol->value.kind == KIND_HISTOGRAM || symbol->value.kind == KIND_EVENT || symbol->value.kind == KIND_DEF))
        source_fail(checker->source, at->at, "use another name", "'%.200s' is %s already", word->text,
                    check_describe(checker, &symbol->value));
    symbol->is_global = true;
    return symbol;
}

/* --- imports --- */

static const struct {
    const char *name;
    hq_module module;
} MODULES[] = {
    {"math", MODULE_MATH},
    {"hist", MODULE_HIST},
    {"hist.axis", MODULE_AXIS},
    {"hist.storage", MODULE_STORAGE},
    {"hist.axis.transform", MODULE_TRANSFORM},
    {"hq", MODULE_HQ},
    {"itertools", MODULE_ITERTOOLS},
};

static hq_module find_module(hq_checker *checker, const hq_node *node)
{
    hq_guess guess = {.wrong = node->text};
    for (size_t i = 0; i < sizeof MODULES / sizeof *MODULES; i++) {
        if (strcmp(node->text, MODULES[i].name) == 0)
            return MODULES[i].module;
        guess_try(&guess, MODULES[i].name);
    }
    const char *hint = guess_hint(checker->source, &guess, "");
    source_fail(checker->source, node->at, hint ? hint : "a query can import from math, hist, itertools and hq",
                "the module '%.200s' is not part of hq's query language", node->text);
}

static void check_import(hq_checker *checker, const hq_node *node)
{
    hq_module module = find_module(checker, node);
    define(checker, node, node->word)->value = (hq_value){.kind = KIND_MODULE, .ref = module};
}

static void check_from(hq_checker *checker, const hq_node *node)
{
    hq_module module = find_module(checker, node);
    for (size_t i = 0; i < node->kid_count; i++) {
        const hq_node *name = node->kids[i];
        double constant;
        hq_value value;
        if (module == MODULE_HIST && strcmp(name->text, "axis") == 0) {
            value = (hq_value){.kind = KIND_MODULE, .ref = MODULE_AXIS};
        } else if (module == MODULE_HIST && strcmp(name->text, "storage") == 0) {
            value = (hq_value){.kind = KIND_MODULE, .ref = MODULE_STORAGE};
        } else if (module == MODULE_AXIS && strcmp(name->text, "transform") == 0) {
            value = (hq_value){.kind = KIND_MODULE, .ref = MODULE_TRANSFORM};
        } else if (module == MODULE_MATH && check_math_constant(name->text, &constant)) {
            value = value_of(build_float(checker, constant));
        } else if (check_has_function(module, name->text)) {
            value = (hq_value){.kind = KIND_FUNCTION, .ref = module, .text = name->text};
        } else {
            const char *why = check_why_no_function(module, name->text);
            if (why)
                source_fail(checker->source, name->at, why, "%s.%.200s is not part of hq's query language", node->text,
                            name->text);
            hq_guess guess = {.wrong = name->text};
            check_guess_functions(&guess, module);
            if (module == MODULE_HIST)
                guess_try(&guess, "axis");
            source_fail(checker->source, name->at, guess_hint(checker->source, &guess, ""), "%s has no '%.200s'",
                        node->text, name->text);
        }
        define(checker, name, name->word)->value = value;
    }
}

/* --- constants and histograms --- */

static bool is_constant(const hq_value *value)
{
    if (value->kind != KIND_TUPLE)
        return value->kind == KIND_STRING || (kind_is_scalar(value->kind) && value->part[0]->op == EXPR_CONST);
    for (size_t i = 0; i < value->item_count; i++)
        if (!is_constant(&value->items[i]))
            return false;
    return true;
}

/* A list is kept as a tuple that knows where it came from: it becomes a list where an event uses it, see check_name. */
static hq_value check_constant(hq_checker *checker, const hq_node *node)
{
    if (node->kind != NODE_LIST)
        return check_expr(checker, node);
    hq_value value = check_items(checker, node);
    value.node = node;
    return value;
}

/* A name, or names in a tuple, get their constants. */
static void define_constants(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (target->kind == NODE_NAME) {
        define(checker, target, target->word)->value = *value;
        return;
    }
    if (target->kind != NODE_TUPLE && target->kind != NODE_LIST)
        source_fail(checker->source, target->at, NULL, "only a name can be assigned to");
    if (value->kind != KIND_TUPLE || value->item_count != target->kid_count)
        source_fail(checker->source, target->at, NULL, "%s cannot be taken apart into %zu names",
                    value->kind == KIND_TUPLE ? "a tuple of another length" : check_describe(checker, value),
                    target->kid_count);
    for (size_t i = 0; i < target->kid_count; i++)
        define_constants(checker, target->kids[i], &value->items[i]);
}

static void check_global(hq_checker *checker, const hq_node *node)
{
    const hq_node *source = node->kids[node->kid_count - 1];
    const hq_node *target = node->kids[0];
    if (source->kind == NODE_CALL && target->kind == NODE_NAME) {
        hq_symbol fresh = {.word = target->word};
        if (check_declares_hist(checker, &fresh, source)) {
            if (node->kid_count > 2)
                source_fail(checker->source, target->at, NULL, "one histogram with two names");
            define(checker, target, target->word)->value = fresh.value;
            return;
        }
    }
    hq_value value = check_constant(checker, source);
    if (!is_constant(&value)) {
        const char *hint = value.kind == KIND_FUNCTION ? "import it under that name: from math import … as …" : NULL;
        source_fail(checker->source, source->at, hint,
                    "outside the event loop a name can stand for a number, a string, a tuple or a list of these, or a "
                    "histogram, and this is %s",
                    check_describe(checker, &value));
    }
    for (size_t i = 0; i + 1 < node->kid_count; i++)
        define_constants(checker, node->kids[i], &value);
}

static void check_global_augment(hq_checker *checker, const hq_node *node)
{
    const hq_node *target = node->kids[0];
    if (target->kind != NODE_NAME)
        source_fail(checker->source, target->at, NULL, "only a name can be assigned to");
    const hq_expr *before = check_scalar(checker, target);
    const hq_expr *by = check_scalar(checker, node->kids[1]);
    hq_value value = value_of(check_arithmetic(checker, node, node->op, before, by));
    define(checker, target, target->word)->value = value;
}

static void check_top_statement(hq_checker *checker, const hq_node *node)
{
    checker->at = node->at;
    switch (node->kind) {
    case NODE_IMPORT:
        check_import(checker, node);
        break;
    case NODE_FROM:
        check_from(checker, node);
        break;
    case NODE_ASSIGN:
        check_global(checker, node);
        break;
    case NODE_AUGMENT:
        check_global_augment(checker, node);
        break;
    case NODE_FOR:
        check_event_loop(checker, node);
        break;
    case NODE_DEF:
        check_def(checker, node, define(checker, node, node->word));
        break;
    case NODE_PASS:
        break;
    case NODE_EXPRESSION:
        if (node->kids[0]->kind == NODE_STRING)
            break;
        check_expr(checker, node->kids[0]->kind == NODE_CALL ? node->kids[0]->kids[0] : node->kids[0]);
        source_fail(checker->source, node->at,
                    "what a query does stands under: for event in events:", "this cannot stand outside the event loop");
    default:
        source_fail(checker->source, node->at,
                    "what a query does stands under: for event in events:", "'%s' cannot stand outside the event loop",
                    node->kind == NODE_IF       ? "if"
                    : node->kind == NODE_WHILE  ? "while"
                    : node->kind == NODE_BREAK  ? "break"
                    : node->kind == NODE_RETURN ? "return"
                                                : "continue");
    }
}

static void check_once(hq_checker *checker, const hq_node *tree)
{
    checker->block = &checker->program->body;
    for (size_t i = 0; i < tree->kid_count; i++)
        check_top_statement(checker, tree->kids[i]);

    if (!checker->has_loop)
        source_fail(checker->source, (uint32_t)NO_PLACE, "for event in events:", "the query has no event loop");
    if (!checker->program->hist_count)
        source_fail(checker->source, (uint32_t)NO_PLACE, "mass = Hist(axis.Regular(100, 0, 200))",
                    "the query declares no histogram");
    check_complete_groups(checker);
}

/* Forgets what a pass has found out, except for the kinds of variables. */
static void forget(hq_checker *checker)
{
    for (hq_symbol *symbol = checker->symbols; symbol; symbol = symbol->next) {
        symbol->is_global = false;
        symbol->is_local = false;
        symbol->has_slot = false;
    }
}

void check_tree(hq_source *source, const hq_schema *schema, const hq_node *tree)
{
    hq_symbol *symbols = NULL;
    hq_ledger ledger = {0};
    for (int pass = 0;; pass++) {
        program_free(&source->program);
        source->program = typed_new();
        hq_checker *checker = arena_alloc(source->arena, sizeof *checker);
        *checker = (hq_checker){
            .source = source, .schema = schema, .program = source->program, .symbols = symbols, .ledger = &ledger};
        forget(checker);
        check_once(checker, tree);
        symbols = checker->symbols;
        if (!checker->again)
            return;
        if (pass == MAX_PASSES)
            source_limit(source, (uint32_t)NO_PLACE,
                         "the types of the variables depend on each other in too long a chain; start those "
                         "that become floats with a float, like 0.0");
    }
}
