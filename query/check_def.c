/* query/check_def.c - scopes, and the functions that a query defines: every call becomes the function's body.
 *
 * A name bound in a scope is an alias of its value, which is simple, unless the function assigns to it. The bodies of
 * one function are apart from each other: each call has variables of its own, with types of their own.
 */
#include <string.h>

#include "query/check.h"

/* --- scopes --- */

size_t scope_open(hq_checker *checker)
{
    return checker->binding_count;
}

hq_symbol *scope_bind(hq_checker *checker, hq_word *word)
{
    hq_ledger *ledger = checker->ledger;
    hq_symbol *symbol;
    size_t index = checker->ledger_used++;
    if (index < ledger->count && ledger->symbols[index]->word == word) {
        symbol = ledger->symbols[index];
    } else {
        symbol = arena_alloc(checker->source->arena, sizeof *symbol);
        symbol->word = word;
        if (index >= ledger->count) {
            ARENA_GROW(checker->source->arena, ledger->symbols, ledger->count, ledger->capacity);
            ledger->count++;
        }
        ledger->symbols[index] = symbol;
    }
    symbol->is_global = symbol->is_local = symbol->is_alias = symbol->has_slot = false;
    symbol->level = checker->level;
    ARENA_GROW(checker->source->arena, checker->bindings, checker->binding_count, checker->binding_capacity);
    checker->bindings[checker->binding_count++] = (hq_binding){word, word->symbol};
    word->symbol = symbol;
    return symbol;
}

static void swap(hq_binding *binding)
{
    hq_symbol *symbol = binding->word->symbol;
    binding->word->symbol = binding->other;
    binding->other = symbol;
}

void scope_suspend(hq_checker *checker, size_t from, size_t to)
{
    for (size_t i = to; i-- > from;)
        swap(&checker->bindings[i]);
}

void scope_resume(hq_checker *checker, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        swap(&checker->bindings[i]);
}

void scope_close(hq_checker *checker, size_t mark)
{
    scope_suspend(checker, mark, checker->binding_count);
    checker->binding_count = mark;
}

static void bind_alias(hq_checker *checker, hq_word *word, const hq_value *value)
{
    hq_symbol *symbol = scope_bind(checker, word);
    symbol->is_alias = true;
    symbol->value = *value;
}

/* The parts of a value that is taken apart. */
static const hq_value *parts_for(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (value->kind != KIND_TUPLE)
        source_fail(checker->source, target->at, NULL, "%s cannot be taken apart into several names",
                    check_describe(checker, value));
    if (value->item_count != target->kid_count)
        source_fail(checker->source, target->at, NULL, "%zu names for %zu values", target->kid_count,
                    value->item_count);
    return value->items;
}

void scope_bind_targets(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (target->kind == NODE_NAME) {
        bind_alias(checker, target->word, value);
        return;
    }
    const hq_value *items = parts_for(checker, target, value);
    for (size_t i = 0; i < target->kid_count; i++)
        scope_bind_targets(checker, target->kids[i], &items[i]);
}

/* --- definitions --- */

static size_t parameter_count(const hq_node *node)
{
    return node->kid_count - 1;
}

static void refuse_twice(hq_checker *checker, const hq_node *node)
{
    for (size_t i = 0; i < parameter_count(node); i++)
        for (size_t j = 0; j < i; j++)
            if (node->kids[i]->word == node->kids[j]->word)
                source_fail(checker->source, node->kids[i]->at, NULL, "two arguments are named '%.200s'",
                            node->kids[i]->word->text);
}

void check_def(hq_checker *checker, const hq_node *node, hq_symbol *symbol)
{
    size_t count = parameter_count(node);
    if (count > MAX_PARTS)
        source_limit(checker->source, node->at, "a function of more than %d arguments", MAX_PARTS);
    refuse_twice(checker, node);
    hq_def def = {.node = node, .defaults = arena_alloc(checker->source->arena, count * sizeof *def.defaults + 1)};
    for (size_t i = 0; i < count; i++) {
        def.defaults[i] = (hq_value){.kind = KIND_EVENTS};
        if (!node->kids[i]->kid_count)
            continue;
        const hq_node *value = node->kids[i]->kids[0];
        def.defaults[i] = check_expr(checker, value);
        bool is_constant = def.defaults[i].kind == KIND_STRING ||
                           (kind_is_scalar(def.defaults[i].kind) && def.defaults[i].part[0]->op == EXPR_CONST);
        if (!is_constant)
            source_fail(checker->source, value->at, NULL, "a default must be a number or a string");
    }
    ARENA_GROW(checker->source->arena, checker->defs, checker->def_count, checker->def_capacity);
    checker->defs[checker->def_count] = def;
    symbol->value = (hq_value){.kind = KIND_DEF, .ref = (uint32_t)checker->def_count++, .text = node->word->text};
}

/* --- calls --- */

static size_t find_parameter(hq_checker *checker, const hq_node *def, const hq_node *keyword)
{
    hq_guess guess = {.wrong = keyword->word->text};
    for (size_t i = 0; i < parameter_count(def); i++) {
        if (def->kids[i]->word == keyword->word)
            return i;
        guess_try(&guess, def->kids[i]->word->text);
    }
    source_fail(checker->source, keyword->at, guess_hint(checker->source, &guess, ""),
                "%.100s takes no argument named '%.200s'", def->word->text, keyword->word->text);
}

static hq_value check_argument(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node);
    if (value_is_storable(&value))
        return value_once(checker, &value);
    if (value.kind >= KIND_ENUMERATE && value.kind <= KIND_GENERATOR)
        source_fail(checker->source, check_start(node), "make a list of it: list(…), or [… for … in …]",
                    "%s gives its elements only once and cannot be an argument", check_describe(checker, &value));
    return value;
}

/* The value of each parameter. */
static hq_value *bind_arguments(hq_checker *checker, const hq_node *call, const hq_def *def)
{
    const hq_node *node = def->node;
    size_t count = parameter_count(node);
    hq_value *values = arena_alloc(checker->source->arena, count * sizeof *values + 1);
    bool *is_given = arena_alloc(checker->source->arena, count + 1);
    for (size_t i = 1; i < call->kid_count; i++) {
        const hq_node *argument = call->kids[i];
        size_t index = argument->kind == NODE_KEYWORD ? find_parameter(checker, node, argument) : i - 1;
        if (index >= count)
            source_fail(checker->source, argument->at, NULL, "%.100s takes %zu argument%s, and this is one more",
                        node->word->text, count, count == 1 ? "" : "s");
        if (is_given[index])
            source_fail(checker->source, argument->at, NULL, "%.200s is given twice", node->kids[index]->word->text);
        is_given[index] = true;
        values[index] = check_argument(checker, argument->kind == NODE_KEYWORD ? argument->kids[0] : argument);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_given[i])
            continue;
        if (def->defaults[i].kind == KIND_EVENTS)
            source_fail(checker->source, check_start(call), NULL, "%.100s's argument '%.200s' is missing",
                        node->word->text, node->kids[i]->word->text);
        values[i] = def->defaults[i];
    }
    return values;
}

static void find_local(void *data, const hq_node *name)
{
    hq_checker *checker = data;
    hq_symbol *symbol = name->word->symbol;
    if (symbol && symbol->level == checker->level && (symbol->is_local || symbol->is_alias)) {
        symbol->is_alias = false; /* a parameter that is assigned to becomes a variable */
        symbol->is_local = true;
        return;
    }
    symbol = scope_bind(checker, name->word);
    symbol->is_local = true;
}

/* Binds parameters and variables of the body. */
static void begin_body(hq_checker *checker, const hq_node *node, const hq_value *values)
{
    const hq_node *body = node->kids[parameter_count(node)];
    size_t first = checker->binding_count;
    for (size_t i = 0; i < parameter_count(node); i++)
        bind_alias(checker, node->kids[i]->word, &values[i]);
    check_assigned_names(body, find_local, checker);
    for (size_t i = first; i < checker->binding_count; i++) {
        hq_symbol *symbol = checker->bindings[i].word->symbol;
        symbol->id = checker->local_count;
        checker->local_count += symbol->is_local;
        if (!symbol->is_local)
            continue;
        flow_forget(&checker->flow, symbol);
        if (i - first < parameter_count(node))
            check_assign_symbol(checker, node, symbol, &values[i - first]);
    }
}

static size_t count_returns(const hq_node *node)
{
    size_t count = node && node->kind == NODE_RETURN;
    bool has_statements = node && (node->kind == NODE_BLOCK || node->kind == NODE_IF || node->kind == NODE_FOR ||
                                   node->kind == NODE_WHILE);
    for (size_t i = 0; has_statements && i < node->kid_count; i++)
        count += count_returns(node->kids[i]);
    return count;
}

static _Noreturn void refuse_no_value(hq_checker *checker, const hq_node *call, const hq_node *def)
{
    source_fail(checker->source, check_start(call), "end every way through it with return …",
                "%.100s may end without a return, and then it has no value", def->word->text);
}

/* A body that ends in its only return needs nothing to leave. */
static hq_value check_straight_body(hq_checker *checker, const hq_node *body)
{
    for (size_t i = 0; i + 1 < body->kid_count; i++)
        check_statement(checker, body->kids[i]);
    const hq_node *last = body->kids[body->kid_count - 1]->kids[0];
    hq_value value = check_expr(checker, last);
    if (value_is_storable(&value))
        return value_once(checker, &value);
    source_fail(checker->source, check_start(last), "make a list of it, or give back numbers or records",
                "%s cannot be given back by a function", check_describe(checker, &value));
}

static hq_value check_body(hq_checker *checker, const hq_node *call, const hq_node *node, bool is_statement)
{
    const hq_node *body = node->kids[parameter_count(node)];
    const hq_node *last = body->kids[body->kid_count - 1];
    if (last->kind == NODE_RETURN && last->kid_count && count_returns(body) == 1)
        return check_straight_body(checker, body);
    hq_call *frame = checker->call;
    hq_stmt *once = build_stmt(checker, STMT_ONCE);
    frame->nest = checker->nest;
    hq_block *outer = seq_open(checker, once);
    check_block(checker, body);
    bool may_end = !checker->flow.is_dead;
    seq_close(checker, outer);
    if (!frame->result) {
        if (is_statement)
            return (hq_value){.kind = KIND_EVENTS};
        source_fail(checker->source, check_start(call), "call it as a statement of its own", "%.100s returns no value",
                    node->word->text);
    }
    if (may_end || frame->returns_nothing)
        refuse_no_value(checker, call, node);
    return value_of_slots(checker, &frame->result->shape, frame->result->slot);
}

hq_value check_inline(hq_checker *checker, const hq_node *call, uint32_t index, bool is_statement)
{
    const hq_node *node = checker->defs[index].node;
    if (checker->defs[index].is_active)
        source_fail(checker->source, check_start(call), "write it as a loop",
                    "%.100s calls itself: a query's functions are put in the place of their calls", node->word->text);
    if (++checker->inlined_count > MAX_INLINED)
        source_limit(checker->source, call->at, "more than %d calls of the query's own functions, one in another's",
                     MAX_INLINED);
    hq_value *values = bind_arguments(checker, call, &checker->defs[index]);

    hq_call frame = {.outer = checker->call, .def = &checker->defs[index]};
    hq_loop *loop = checker->loop;
    hq_flow flow = flow_copy(checker, &checker->flow);
    unsigned floor = checker->floor;
    unsigned level = checker->level;
    uint32_t local_count = checker->local_count;
    size_t mark = scope_open(checker);
    checker->defs[index].is_active = true;
    checker->call = &frame;
    checker->loop = NULL;
    checker->floor = checker->level = level + 1;
    begin_body(checker, node, values);
    hq_value value = check_body(checker, call, node, is_statement);
    scope_close(checker, mark);
    checker->floor = floor;
    checker->level = level;
    checker->local_count = local_count;
    checker->loop = loop;
    checker->flow = flow;
    checker->call = frame.outer;
    checker->defs[index].is_active = false;
    return value;
}

void check_return(hq_checker *checker, const hq_node *node)
{
    hq_call *frame = checker->call;
    if (!frame)
        source_fail(checker->source, node->at, "to leave this event, use continue", "'return' outside a function");
    if (!node->kid_count) {
        frame->returns_nothing = true;
    } else {
        hq_value value = check_expr(checker, node->kids[0]);
        if (!value_is_storable(&value))
            source_fail(checker->source, check_start(node->kids[0]), NULL,
                        "%s cannot be given back by one return of several", check_describe(checker, &value));
        if (!frame->result) {
            size_t mark = scope_open(checker);
            frame->result = scope_bind(checker, frame->def->node->word);
            frame->result->is_local = true;
            frame->result->id = checker->local_count++;
            scope_close(checker, mark);
        }
        check_assign_symbol(checker, node, frame->result, &value);
    }
    seq_leave(checker, frame->nest);
    checker->flow.is_dead = true;
}

/* --- keys --- */

/* function(value), by way of a name that no text can hold. */
static hq_value call_with(hq_checker *checker, const hq_node *function, const hq_value *value)
{
    hq_word *word = arena_alloc(checker->source->arena, sizeof *word);
    hq_node *name = arena_alloc(checker->source->arena, sizeof *name);
    hq_node *call = arena_alloc(checker->source->arena, sizeof *call);
    hq_node **kids = arena_alloc(checker->source->arena, 2 * sizeof(hq_node *));
    *word = (hq_word){.text = "element"};
    *name = (hq_node){.kind = NODE_NAME, .at = function->at, .line = function->line, .word = word};
    kids[0] = (hq_node *)function;
    kids[1] = name;
    *call = (hq_node){.kind = NODE_CALL, .at = function->at, .line = function->line, .kids = kids, .kid_count = 2};
    size_t mark = scope_open(checker);
    hq_value argument = value_is_storable(value) ? value_once(checker, value) : *value;
    bind_alias(checker, word, &argument);
    hq_value result = check_call(checker, call);
    scope_close(checker, mark);
    return result;
}

hq_value check_key(hq_checker *checker, const hq_node *key, const hq_value *value)
{
    if (key->kind != NODE_LAMBDA) {
        hq_value function = check_expr(checker, key);
        if (function.kind != KIND_DEF && function.kind != KIND_FUNCTION)
            source_fail(checker->source, check_start(key), "key=lambda x: x.pt",
                        "a key is a lambda or a function, and this is %s", check_describe(checker, &function));
        return call_with(checker, key, value);
    }
    if (key->kid_count != 2)
        source_fail(checker->source, key->at, "key=lambda x: …", "a key takes one argument, not %zu",
                    key->kid_count - 1);
    size_t mark = scope_open(checker);
    hq_value argument = value_is_storable(value) ? value_once(checker, value) : *value;
    bind_alias(checker, key->kids[0]->word, &argument);
    hq_value result = check_expr(checker, key->kids[1]);
    scope_close(checker, mark);
    return result;
}
