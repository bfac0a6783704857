/* query/check_stmt.c - the event loop and the statements in it. */
#include <string.h>

#include "query/check.h"

/* --- which names the event loop assigns --- */

static void declare_local(void *data, const hq_node *target)
{
    hq_checker *checker = data;
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
    symbol->level = 0;
    symbol->id = checker->local_count++;
}

static void targets_of(const hq_node *target, void (*found)(void *, const hq_node *), void *data)
{
    if (target->kind == NODE_NAME)
        found(data, target);
    else if (target->kind == NODE_TUPLE || target->kind == NODE_LIST)
        for (size_t i = 0; i < target->kid_count; i++)
            targets_of(target->kids[i], found, data);
}

void check_assigned_names(const hq_node *node, void (*found)(void *data, const hq_node *name), void *data)
{
    if (!node)
        return;
    switch (node->kind) {
    case NODE_ASSIGN:
        for (size_t i = 0; i + 1 < node->kid_count; i++)
            targets_of(node->kids[i], found, data);
        break;
    case NODE_FOR:
    case NODE_AUGMENT:
        targets_of(node->kids[0], found, data);
        if (node->kind == NODE_FOR) {
            check_assigned_names(node->kids[2], found, data);
            check_assigned_names(node->kids[3], found, data);
        }
        break;
    case NODE_BLOCK:
    case NODE_IF:
    case NODE_WHILE:
        for (size_t i = 0; i < node->kid_count; i++)
            check_assigned_names(node->kids[i], found, data);
        break;
    default:
        break;
    }
}

/* --- assignment --- */

/* Settles what the variable is. Numbers widen, bool to int to float, and the program is checked once more then, so that
 * the variable has one type wherever it is used. */
static void settle_shape(hq_checker *checker, const hq_node *node, hq_symbol *symbol, const hq_value *value)
{
    bool widens = false;
    if (!symbol->has_shape) {
        symbol->has_shape = true;
        symbol->shape = *value;
        symbol->line = node->line;
    } else if (!value_join(checker, &symbol->shape, value, &widens)) {
        source_fail(checker->source, node->at, "a variable keeps its type through the event loop: use two names",
                    "'%.200s' is %s in line %d, and here it would become %s", symbol->word->text,
                    check_describe(checker, &symbol->shape), symbol->line, check_describe(checker, value));
    } else if (widens) {
        symbol->line = node->line;
        symbol->has_slot = false;
        checker->again = true;
    }
}

void check_assign_symbol(hq_checker *checker, const hq_node *at, hq_symbol *symbol, const hq_value *value)
{
    settle_shape(checker, at, symbol, value);
    if (!symbol->has_slot) {
        symbol->slot = value_new_slots(checker, &symbol->shape);
        symbol->has_slot = true;
    }
    value_set(checker, symbol->slot, &symbol->shape, value);
    flow_assign(checker, &checker->flow, symbol);
}

/* a, b = …: every value is there before the first variable changes. */
static void assign_parts(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (value->kind != KIND_TUPLE)
        source_fail(checker->source, target->at,
                    kind_is_sequence(value->kind) ? "take its elements by index: how many there are is not known before"
                                                  : NULL,
                    "%s cannot be taken apart into several names", check_describe(checker, value));
    if (target->kid_count != value->item_count)
        source_fail(checker->source, target->at, NULL, "%zu names for %zu values", target->kid_count,
                    value->item_count);
    hq_value *copies = arena_alloc(checker->source->arena, value->item_count * sizeof *copies + 1);
    for (size_t i = 0; i < value->item_count; i++)
        copies[i] = value_is_storable(&value->items[i]) ? value_copy(checker, &value->items[i]) : value->items[i];
    for (size_t i = 0; i < value->item_count; i++)
        check_assign_to(checker, target->kids[i], &copies[i]);
}

void check_assign_to(hq_checker *checker, const hq_node *target, const hq_value *value)
{
    if (target->kind == NODE_ATTR || target->kind == NODE_INDEX)
        source_fail(checker->source, target->at, "assign to a variable", "the columns of an event cannot be changed");
    if (target->kind == NODE_TUPLE || target->kind == NODE_LIST) {
        assign_parts(checker, target, value);
        return;
    }
    if (target->kind != NODE_NAME)
        source_fail(checker->source, target->at, NULL, "only a name can be assigned to");
    if (!value_is_storable(value))
        source_fail(checker->source, target->at,
                    kind_is_iterable(value->kind) && value->kind != KIND_TUPLE
                        ? "it gives its elements only once; make a list of it: list(…), or [… for … in …]"
                        : NULL,
                    "%s cannot be kept in a variable", check_describe(checker, value));
    check_assign_symbol(checker, target, target->word->symbol, value);
}

static void check_assign(hq_checker *checker, const hq_node *node)
{
    const hq_node *source = node->kids[node->kid_count - 1];
    size_t target_count = node->kid_count - 1;
    hq_value value = check_expr(checker, source);
    if (target_count > 1 && value_is_storable(&value))
        value = value_copy(checker, &value);
    for (size_t i = 0; i < target_count; i++) {
        checker->at = node->at;
        check_assign_to(checker, node->kids[i], &value);
    }
}

static void check_augment(hq_checker *checker, const hq_node *node)
{
    if (node->kids[0]->kind != NODE_NAME)
        source_fail(checker->source, node->kids[0]->at, "assign to a variable",
                    node->kids[0]->kind == NODE_TUPLE ? "a tuple cannot be changed in place"
                                                      : "the columns of an event cannot be changed");
    hq_value before = check_expr(checker, node->kids[0]);
    if (node->op == '+' && kind_is_sequence(before.kind))
        source_fail(checker->source, node->at, "use a new name for the longer one: both = first + second",
                    "a sequence cannot be changed in place");
    const hq_expr *value = check_scalar(checker, node->kids[0]);
    const hq_expr *by = check_scalar(checker, node->kids[1]);
    hq_value result = value_of(check_arithmetic(checker, node, node->op, value, by));
    check_assign_to(checker, node->kids[0], &result);
}

static void check_expression(hq_checker *checker, const hq_node *node)
{
    const hq_node *inner = node->kids[0];
    if (inner->kind == NODE_STRING)
        return;
    if (inner->kind == NODE_CALL) {
        hq_value callee = check_expr(checker, inner->kids[0]);
        if (callee.kind == KIND_FILL) {
            check_fill(checker, check_unpacked(checker, inner), callee.ref);
            return;
        }
        if (callee.kind == KIND_DEF) {
            check_inline(checker, check_unpacked(checker, inner), callee.ref, true);
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

/* What a loop's body needs; where the loop stands is checker->flow before. */
typedef struct loop_frame {
    hq_loop loop;
    hq_flow ended; /* what holds where the loop ends by itself */
} loop_frame;

static void begin_loop(hq_checker *checker, loop_frame *frame, bool never_ends_itself)
{
    frame->ended = flow_copy(checker, &checker->flow);
    frame->ended.is_dead = frame->ended.is_dead || never_ends_itself;
    frame->loop = (hq_loop){checker->loop, checker->nest, flow_copy(checker, &checker->flow)};
    frame->loop.at_break.is_dead = true;
    checker->loop = &frame->loop;
}

/* stmt: the outermost statement of the loop, which gets the else. */
static void end_loop(hq_checker *checker, loop_frame *frame, hq_stmt *stmt, const hq_node *otherwise)
{
    checker->loop = frame->loop.outer;
    checker->flow = frame->ended;
    if (otherwise) {
        hq_block *outer = build_begin_block(checker);
        stmt->other = checker->block;
        check_block(checker, otherwise);
        build_end_block(checker, outer);
    }
    flow_merge(checker, &checker->flow, &frame->loop.at_break);
}

static void for_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const hq_node *node = data;
    checker->at = node->kids[0]->at;
    check_assign_to(checker, node->kids[0], element);
    check_block(checker, node->kids[2]);
}

static void check_for_targets(hq_checker *checker, const hq_node *target, const hq_value *sequence)
{
    bool gives_pairs = sequence->kind == KIND_ENUMERATE;
    if (gives_pairs && (target->kind != NODE_TUPLE || target->kid_count != 2))
        source_fail(checker->source, target->at, "for i, x in enumerate(…)", "enumerate gives a number and an element");
    bool gives_one = sequence->kind == KIND_RECORDS || sequence->kind == KIND_LIST || sequence->kind == KIND_RANGE;
    if (gives_one && target->kind != NODE_NAME)
        source_fail(checker->source, target->at, "to number the elements: for i, x in enumerate(…)",
                    "each turn gives one element, not %zu", target->kid_count);
}

static void check_for(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node->kids[1]);
    check_for_targets(checker, node->kids[0], &value);
    loop_frame frame;
    begin_loop(checker, &frame, false);
    hq_stmt *stmt = seq_each(checker, node->kids[1], &value, for_turn, (void *)(uintptr_t)node);
    end_loop(checker, &frame, stmt, node->kids[3]);
}

static void check_while(hq_checker *checker, const hq_node *node)
{
    hq_stmt *stmt = build_stmt(checker, STMT_WHILE);
    hq_block *outer = build_begin_block(checker);
    stmt->head = checker->block;
    stmt->a = check_condition(checker, node->kids[0]);
    build_end_block(checker, outer);
    loop_frame frame;
    begin_loop(checker, &frame, stmt->a->op == EXPR_CONST && stmt->a->value.integer != 0);
    outer = seq_open(checker, stmt);
    check_block(checker, node->kids[1]);
    seq_close(checker, outer);
    end_loop(checker, &frame, stmt, node->kids[2]);
}

static void check_jump(hq_checker *checker, const hq_node *node)
{
    bool is_break = node->kind == NODE_BREAK;
    if (is_break && !checker->loop && checker->call)
        source_fail(checker->source, node->at, "to leave the function, use return",
                    "'break' in a function, outside any loop of its own");
    if (is_break && !checker->loop)
        source_fail(
            checker->source, node->at,
            "to leave this event only, use continue; no event may decide about the next ones, or the query could "
            "not be split over many machines",
            "break would end the loop over the events");
    if (!checker->loop && checker->call)
        source_fail(checker->source, node->at, "to leave the function, use return",
                    "'continue' in a function, outside any loop of its own");
    if (is_break) {
        flow_merge(checker, &checker->loop->at_break, &checker->flow);
        seq_leave(checker, checker->loop->nest);
    } else {
        build_stmt(checker, STMT_CONTINUE);
    }
    checker->flow.is_dead = true;
}

static void check_statement_kind(hq_checker *checker, const hq_node *node)
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
    case NODE_RETURN:
        check_return(checker, node);
        break;
    case NODE_PASS:
        break;
    case NODE_DEF:
        source_fail(checker->source, node->at, "define it above the event loop", "a function defined in %s",
                    checker->call ? "another function" : "the event loop");
    case NODE_IMPORT:
    case NODE_FROM:
        source_fail(checker->source, node->at, "put it at the top of the query", "an import inside the event loop");
    default:
        source_fail(checker->source, node->at, NULL, "this cannot stand here");
    }
}

void check_statement(hq_checker *checker, const hq_node *node)
{
    check_enter(checker, node);
    check_statement_kind(checker, node);
    checker->depth--;
}

void check_block(hq_checker *checker, const hq_node *node)
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
    check_assigned_names(node->kids[2], declare_local, checker);
    check_block(checker, node->kids[2]);
    checker->is_in_event = false;
}
