/* query/check_stmt.c - the event loop and the statements in it. */
#include <string.h>

#include "query/check.h"

static void check_block(hq_checker *checker, const hq_node *node);

/* --- which names the event loop assigns --- */

static void declare_local(hq_checker *checker, const hq_node *target)
{
    const char *name = target->word->text;
    hq_symbol *symbol = check_symbol(checker, target->word);
    if (symbol->is_global && symbol->value.kind == KIND_EVENT)
        source_fail(checker->source, target->at, "use another name", "'%.200s' is the event itself", name);
    if (symbol->is_global)
        source_fail(checker->source, target->at,
                    "no event may change what the next one sees, or the query could not be split over many machines; "
                    "use another name",
                    "'%.200s' is defined outside the event loop and cannot be assigned to in it", name);
    if (strcmp(name, "events") == 0)
        source_fail(checker->source, target->at, "use another name", "'events' is hq's name for all events");
    if (symbol->is_local)
        return;
    symbol->is_local = true;
    symbol->id = checker->local_count++;
}

static void declare_targets(hq_checker *checker, const hq_node *target)
{
    if (target->kind == NODE_NAME)
        declare_local(checker, target);
    else if (target->kind == NODE_TUPLE)
        for (size_t i = 0; i < target->kid_count; i++)
            declare_targets(checker, target->kids[i]);
}

static void declare_locals(hq_checker *checker, const hq_node *node)
{
    if (!node)
        return;
    switch (node->kind) {
    case NODE_ASSIGN:
        for (size_t i = 0; i + 1 < node->kid_count; i++)
            declare_targets(checker, node->kids[i]);
        break;
    case NODE_FOR:
    case NODE_AUGMENT:
        declare_targets(checker, node->kids[0]);
        if (node->kind == NODE_FOR) {
            declare_locals(checker, node->kids[2]);
            declare_locals(checker, node->kids[3]);
        }
        break;
    case NODE_BLOCK:
    case NODE_IF:
    case NODE_WHILE:
        for (size_t i = 0; i < node->kid_count; i++)
            declare_locals(checker, node->kids[i]);
        break;
    default:
        break;
    }
}

/* --- assignment --- */

static size_t part_count(hq_kind kind)
{
    return kind_is_scalar(kind) || kind == KIND_RECORD ? 1 : kind == KIND_RANGE ? 3 : 2;
}

/* Settles what the variable is. Numbers widen, bool to int to float, and the program is checked once more then, so that
 * the variable has one type wherever it is used. */
static void settle_kind(hq_checker *checker, const hq_node *node, hq_symbol *symbol, const hq_value *value)
{
    if (!symbol->has_kind) {
        symbol->has_kind = true;
        symbol->kind = value->kind;
        symbol->ref = value->ref;
        symbol->line = node->line;
    } else if (kind_is_scalar(symbol->kind) && kind_is_scalar(value->kind)) {
        if (value->kind <= symbol->kind)
            return;
        symbol->kind = value->kind;
        symbol->line = node->line;
        symbol->has_slot = false;
        checker->again = true;
    } else if (symbol->kind != value->kind || symbol->ref != value->ref) {
        hq_value before = {.kind = symbol->kind, .ref = symbol->ref};
        source_fail(checker->source, node->at, "a variable keeps its type through the event loop: use two names",
                    "'%.200s' is %s in line %d, and here it would become %s", symbol->word->text,
                    check_describe(checker, &before), symbol->line, check_describe(checker, value));
    }
}

static void assign(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (target->kind == NODE_ATTR || target->kind == NODE_INDEX)
        source_fail(checker->source, target->at, "assign to a variable", "the columns of an event cannot be changed");
    if (target->kind != NODE_NAME)
        source_fail(checker->source, target->at, NULL, "only a name can be assigned to");
    if (value->kind > KIND_RANGE)
        source_fail(checker->source, target->at,
                    value->kind == KIND_TUPLE ? "use a variable for each of its parts" : NULL,
                    "%s cannot be kept in a variable", check_describe(checker, value));
    hq_symbol *symbol = target->word->symbol;
    settle_kind(checker, target, symbol, value);
    size_t parts = part_count(symbol->kind);
    if (!symbol->has_slot) {
        for (size_t i = 0; i < parts; i++) {
            uint32_t slot = build_new_slot(checker,
                                           kind_is_scalar(symbol->kind) ? (hq_scalar)symbol->kind : SCALAR_INT);
            symbol->slot = i == 0 ? slot : symbol->slot;
        }
        symbol->has_slot = true;
    }
    for (size_t i = 0; i < parts; i++) {
        const hq_expr *part = value->part[i];
        if (kind_is_scalar(symbol->kind))
            part = build_convert(checker, part, (hq_scalar)symbol->kind);
        build_set(checker, symbol->slot + (uint32_t)i, part);
    }
    flow_assign(&checker->flow, symbol);
}

/* a, b = b, a: every value is there before the first variable changes. */
static void assign_tuple(hq_checker *checker, const hq_node *target, const hq_node *tuple)
{
    if (target->kid_count != tuple->kid_count)
        source_fail(checker->source, target->at, NULL, "%zu names for %zu values", target->kid_count, tuple->kid_count);
    hq_value *values = arena_alloc(checker->source->arena, tuple->kid_count * sizeof *values + 1);
    for (size_t i = 0; i < tuple->kid_count; i++) {
        values[i] = check_expr(checker, tuple->kids[i]);
        for (size_t j = 0; values[i].kind <= KIND_RANGE && j < part_count(values[i].kind); j++)
            values[i].part[j] = build_copy(checker, values[i].part[j]);
    }
    for (size_t i = 0; i < tuple->kid_count; i++)
        assign(checker, target->kids[i], &values[i]);
}

static void check_assign(hq_checker *checker, const hq_node *node)
{
    const hq_node *source = node->kids[node->kid_count - 1];
    size_t target_count = node->kid_count - 1;
    if (target_count == 1 && node->kids[0]->kind == NODE_TUPLE && source->kind == NODE_TUPLE) {
        assign_tuple(checker, node->kids[0], source);
        return;
    }
    hq_value value = check_expr(checker, source);
    for (size_t i = 0; target_count > 1 && value.kind <= KIND_RANGE && i < part_count(value.kind); i++)
        value.part[i] = build_copy(checker, value.part[i]);
    for (size_t i = 0; i < target_count; i++) {
        if (node->kids[i]->kind == NODE_TUPLE)
            source_fail(checker->source, node->kids[i]->at, NULL, "%s cannot be taken apart into several names",
                        check_describe(checker, &value));
        checker->at = node->at;
        assign(checker, node->kids[i], &value);
    }
}

static void check_augment(hq_checker *checker, const hq_node *node)
{
    if (node->kids[0]->kind != NODE_NAME)
        source_fail(checker->source, node->kids[0]->at, "assign to a variable",
                    node->kids[0]->kind == NODE_TUPLE ? "a tuple cannot be changed in place"
                                                      : "the columns of an event cannot be changed");
    const hq_expr *before = check_scalar(checker, node->kids[0]);
    const hq_expr *by = check_scalar(checker, node->kids[1]);
    hq_value value = value_of(check_arithmetic(checker, node, node->op, before, by));
    assign(checker, node->kids[0], &value);
}

static void check_expression(hq_checker *checker, const hq_node *node)
{
    const hq_node *inner = node->kids[0];
    if (inner->kind == NODE_STRING)
        return;
    if (inner->kind == NODE_CALL) {
        hq_value callee = check_expr(checker, inner->kids[0]);
        if (callee.kind == KIND_FILL) {
            check_fill(checker, inner, callee.ref);
            return;
        }
    }
    hq_value value = check_expr(checker, inner);
    const char *hint = value.kind == KIND_FILL ? "call it: fill(…)" : "assign it to a variable, or fill it";
    if (inner->kind == NODE_COMPARE && inner->ops[0] == OP_EQUAL)
        hint = "'==' compares; to assign, use '='";
    source_fail(checker->source, node->at, hint, "this statement has no effect");
}

/* --- control --- */

static void check_if(hq_checker *checker, const hq_node *node, size_t kid)
{
    const hq_expr *condition = check_condition(checker, node->kids[kid]);
    hq_stmt *stmt = build_stmt(checker, STMT_IF);
    stmt->a = condition;
    hq_flow otherwise = flow_copy(checker, &checker->flow);
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    check_block(checker, node->kids[kid + 1]);
    build_end_block(checker, outer);
    hq_flow after = checker->flow;
    checker->flow = otherwise;
    if (kid + 2 < node->kid_count) {
        build_begin_block(checker);
        stmt->other = checker->block;
        if (kid + 3 == node->kid_count)
            check_block(checker, node->kids[kid + 2]);
        else
            check_if(checker, node, kid + 2);
        build_end_block(checker, outer);
    }
    flow_merge(checker, &checker->flow, &after);
}

/* The body of a loop whose statement is there; what holds where the loop ends by itself is checker->flow before. */
static void check_loop_body(hq_checker *checker, hq_stmt *stmt, const hq_node *body, const hq_node *otherwise,
                            bool never_ends_itself, void (*first)(hq_checker *, void *), void *data)
{
    hq_flow ended = flow_copy(checker, &checker->flow);
    ended.is_dead = ended.is_dead || never_ends_itself;
    hq_loop loop = {checker->loop, flow_copy(checker, &checker->flow)};
    loop.at_break.is_dead = true;
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    checker->loop = &loop;
    if (first)
        first(checker, data);
    check_block(checker, body);
    checker->loop = loop.outer;
    build_end_block(checker, outer);
    checker->flow = ended;
    if (otherwise) {
        build_begin_block(checker);
        stmt->other = checker->block;
        check_block(checker, otherwise);
        build_end_block(checker, outer);
    }
    flow_merge(checker, &checker->flow, &loop.at_break);
}

/* What is assigned at the start of each turn. */
typedef struct turn {
    const hq_node *target;
    hq_value sequence;
    bool is_numbered;
    const hq_expr *start;
    uint32_t counter;
} turn;

static void begin_turn(hq_checker *checker, void *data)
{
    const turn *now = data;
    const hq_expr *position = build_slot(checker, now->counter);
    const hq_node *target = now->target;
    checker->at = target->at;
    if (now->is_numbered) {
        const hq_expr *number = build_binary(checker, EXPR_SUBTRACT, position, now->sequence.part[0]);
        hq_value value = value_of(build_binary(checker, EXPR_ADD, number, now->start));
        assign(checker, target->kids[0], &value);
        target = target->kids[1];
    }
    hq_value element = now->sequence.kind == KIND_RANGE ? value_of(position)
                                                        : check_element(checker, &now->sequence, position);
    assign(checker, target, &element);
}

static void check_for_targets(hq_checker *checker, const hq_node *target, bool is_numbered)
{
    if (is_numbered && (target->kind != NODE_TUPLE || target->kid_count != 2 || target->kids[0]->kind != NODE_NAME ||
                        target->kids[1]->kind != NODE_NAME))
        source_fail(checker->source, target->at, "for i, x in enumerate(…)", "enumerate gives a number and an element");
    if (!is_numbered && target->kind != NODE_NAME)
        source_fail(checker->source, target->at, "to number the elements: for i, x in enumerate(…)",
                    "each turn gives one element, not %zu", target->kid_count);
}

static void check_for(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node->kids[1]);
    turn now = {.target = node->kids[0], .is_numbered = value.kind == KIND_ENUMERATE};
    now.start = value.part[0];
    now.sequence = now.is_numbered ? *value.inner : value;
    if (value.kind == KIND_EVENTS)
        source_fail(checker->source, node->kids[1]->at, "there is one loop over the events, and this stands in it",
                    "a loop over the events inside the event loop");
    if (!kind_is_sequence(now.sequence.kind) && now.sequence.kind != KIND_RANGE)
        source_fail(checker->source, check_start(node->kids[1]),
                    kind_is_scalar(value.kind) ? "for i in range(…) counts" : NULL, "%s cannot be looped over",
                    check_describe(checker, &value));
    check_for_targets(checker, node->kids[0], now.is_numbered);
    checker->at = node->at;
    if (now.is_numbered) {
        /* The body may assign to the variables that these came from. */
        now.sequence.part[0] = build_copy(checker, now.sequence.part[0]);
        now.start = build_copy(checker, now.start);
    }
    now.counter = build_new_slot(checker, SCALAR_INT);
    bool steps_by_one = now.sequence.kind != KIND_RANGE ||
                        (now.sequence.part[2]->op == EXPR_CONST && now.sequence.part[2]->value.integer == 1);
    hq_stmt *stmt = build_stmt(checker, steps_by_one ? STMT_FOR : STMT_RANGE);
    stmt->slot = now.counter;
    stmt->index = now.sequence.kind == KIND_RANGE;
    stmt->a = now.sequence.part[0];
    stmt->b = now.sequence.part[1];
    stmt->c = steps_by_one ? NULL : now.sequence.part[2];
    check_loop_body(checker, stmt, node->kids[2], node->kids[3], false, begin_turn, &now);
}

static void check_while(hq_checker *checker, const hq_node *node)
{
    hq_stmt *stmt = build_stmt(checker, STMT_WHILE);
    hq_block *outer = build_begin_block(checker);
    stmt->head = checker->block;
    stmt->a = check_condition(checker, node->kids[0]);
    build_end_block(checker, outer);
    bool is_endless = stmt->a->op == EXPR_CONST && stmt->a->value.integer != 0;
    check_loop_body(checker, stmt, node->kids[1], node->kids[2], is_endless, NULL, NULL);
}

static void check_jump(hq_checker *checker, const hq_node *node)
{
    bool is_break = node->kind == NODE_BREAK;
    if (is_break && !checker->loop)
        source_fail(
            checker->source, node->at,
            "to leave this event only, use continue; no event may decide about the next ones, or the query could "
            "not be split over many machines",
            "break would end the loop over the events");
    if (is_break)
        flow_merge(checker, &checker->loop->at_break, &checker->flow);
    build_stmt(checker, is_break ? STMT_BREAK : STMT_CONTINUE);
    checker->flow.is_dead = true;
}

static void check_statement(hq_checker *checker, const hq_node *node)
{
    checker->at = node->at;
    switch (node->kind) {
    case NODE_ASSIGN:
        check_assign(checker, node);
        break;
    case NODE_AUGMENT:
        check_augment(checker, node);
        break;
    case NODE_EXPRESSION:
        check_expression(checker, node);
        break;
    case NODE_IF:
        check_if(checker, node, 0);
        break;
    case NODE_FOR:
        check_for(checker, node);
        break;
    case NODE_WHILE:
        check_while(checker, node);
        break;
    case NODE_BREAK:
    case NODE_CONTINUE:
        check_jump(checker, node);
        break;
    case NODE_PASS:
        break;
    case NODE_IMPORT:
    case NODE_FROM:
        source_fail(checker->source, node->at, "put it at the top of the query", "an import inside the event loop");
    default:
        source_fail(checker->source, node->at, NULL, "this cannot stand here");
    }
}

static void check_block(hq_checker *checker, const hq_node *node)
{
    for (size_t i = 0; i < node->kid_count; i++)
        check_statement(checker, node->kids[i]);
}

void check_event_loop(hq_checker *checker, const hq_node *node)
{
    const hq_node *target = node->kids[0];
    hq_value events = check_expr(checker, node->kids[1]);
    if (events.kind != KIND_EVENTS)
        source_fail(checker->source, node->kids[1]->at, "the loop of a query is: for event in events:",
                    "outside the event loop nothing can be looped over");
    if (checker->has_loop)
        source_fail(checker->source, node->at, "put what it does into the first one", "a second loop over the events");
    if (target->kind != NODE_NAME)
        source_fail(checker->source, target->at, "for event in events:", "one name should stand here, for the event");
    if (node->kids[3])
        source_fail(checker->source, node->at, NULL, "the loop over the events cannot have an else");
    hq_symbol *symbol = check_symbol(checker, target->word);
    if (symbol->is_global || strcmp(target->word->text, "events") == 0)
        source_fail(checker->source, target->at, "use another name", "'%.200s' has a meaning already",
                    target->word->text);
    symbol->is_global = true;
    symbol->value = (hq_value){.kind = KIND_EVENT};
    checker->has_loop = true;
    checker->is_in_event = true;
    declare_locals(checker, node->kids[2]);
    checker->flow = flow_copy(checker,
                              &(hq_flow){arena_alloc(checker->source->arena, checker->local_count / 8 + 8), false});
    check_block(checker, node->kids[2]);
    checker->is_in_event = false;
}
