/* query/check_expr.c - the types of expressions, and what they become. */
#include <string.h>

#include "query/check.h"

/* --- operands --- */

uint32_t check_start(const hq_node *node)
{
    while (node->kind == NODE_ATTR || node->kind == NODE_INDEX || node->kind == NODE_CALL)
        node = node->kids[0];
    return node->at;
}

void check_refuse_operand(hq_checker *checker, const hq_node *node, const hq_value *value)
{
    const char *hint = NULL;
    const hq_field *field = value->kind == KIND_LIST ? &checker->program->columns->fields[value->ref] : NULL;
    if (field && field->collection && field->member)
        hint = source_format(checker->source,
                             "loop over its elements: for x in event.%.100s: … x.%.100s; with -e, %.100s.%.100s",
                             field->collection, field->member, field->collection, field->member);
    else if (kind_is_sequence(value->kind))
        hint = "loop over its elements, or ask for its len()";
    else if (value->kind == KIND_RECORD)
        hint = "take one of its members";
    else if (value->kind == KIND_FUNCTION)
        hint = source_format(checker->source, "call it: %s(…)", value->text);
    source_fail(checker->source, check_start(node), hint, "a number should stand here, and this is %s",
                check_describe(checker, value));
}

const hq_expr *check_scalar(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node);
    if (!kind_is_scalar(value.kind))
        check_refuse_operand(checker, node, &value);
    return value.part[0];
}

const hq_expr *check_int_value(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what)
{
    if (!kind_is_scalar(value->kind))
        check_refuse_operand(checker, node, value);
    if (value->kind == KIND_FLOAT)
        source_fail(checker->source, node->at, "make it an int with int(…)", "%s must be an int, and this is a float",
                    what);
    return build_convert(checker, value->part[0], SCALAR_INT);
}

const hq_expr *check_int(hq_checker *checker, const hq_node *node, const char *what)
{
    hq_value value = check_expr(checker, node);
    return check_int_value(checker, node, &value, what);
}

const hq_expr *check_truth(hq_checker *checker, const hq_node *node, const hq_value *value)
{
    if (kind_is_scalar(value->kind))
        return build_convert(checker, value->part[0], SCALAR_BOOL);
    if (value->kind == KIND_TUPLE)
        return build_bool(checker, value->item_count != 0);
    if (value->kind == KIND_RECORDS || value->kind == KIND_LIST)
        return build_binary(checker, EXPR_LESS, value->part[0], value->part[1]);
    if (kind_is_sequence(value->kind))
        return build_binary(checker, EXPR_LESS, build_int(checker, 0), seq_length(checker, value));
    source_fail(checker->source, check_start(node), NULL, "a condition should stand here, and this is %s",
                check_describe(checker, value));
}

/* Where only the truth counts, 'and' and 'or' join what else has no common type. */
static const hq_expr *check_joined_conditions(hq_checker *checker, const hq_node *node)
{
    hq_chain chain = {node->kind == NODE_AND ? EXPR_AND : EXPR_OR, check_condition(checker, node->kids[0])};
    for (size_t i = 1; i < node->kid_count; i++) {
        hq_block *outer = build_begin_block(checker);
        const hq_expr *next = check_condition(checker, node->kids[i]);
        hq_block *needed = checker->block;
        build_end_block(checker, outer);
        check_chain_add(checker, &chain, next, needed);
    }
    return chain.sofar;
}

const hq_expr *check_condition(hq_checker *checker, const hq_node *node)
{
    if (node->kind == NODE_AND || node->kind == NODE_OR)
        return check_joined_conditions(checker, node);
    hq_value value = check_expr(checker, node);
    checker->at = node->at;
    return check_truth(checker, node, &value);
}

static hq_scalar wider(const hq_expr *a, const hq_expr *b)
{
    return (hq_scalar)(a->type > b->type ? a->type : b->type);
}

/* --- arithmetic --- */

static const hq_expr *int_power(hq_checker *checker, const hq_node *node, const hq_expr *a, const hq_expr *b)
{
    if (b->op == EXPR_CONST && b->value.integer < 0)
        return build_binary(checker, EXPR_POWER, build_convert(checker, a, SCALAR_FLOAT),
                            build_convert(checker, b, SCALAR_FLOAT));
    if (b->op != EXPR_CONST) {
        /* Python would give a float for a negative exponent, NumPy an error: where they agree, it is an int. */
        b = build_once(checker, b);
        hq_stmt *demand = build_stmt(checker, STMT_DEMAND);
        demand->a = build_binary(checker, EXPR_GREATER_EQUAL, b, build_int(checker, 0));
        demand->index = build_fault(checker, node->line,
                                    "an int to the power of a negative int is no int: make one of them a float(…)");
    }
    return build_binary(checker, EXPR_POWER, a, b);
}

const hq_expr *check_arithmetic(hq_checker *checker, const hq_node *node, int op, const hq_expr *a, const hq_expr *b)
{
    hq_scalar type = wider(a, b);
    hq_expr_op kind;
    char buffer[3];
    checker->at = node->at;
    switch (op) {
    case '&':
    case '|':
    case '^':
    case OP_SHIFT_LEFT:
    case OP_SHIFT_RIGHT:
        if (type == SCALAR_FLOAT)
            source_fail(checker->source, node->at,
                        op == '&'   ? "to join conditions, use and"
                        : op == '|' ? "to join conditions, use or"
                        : op == '^' ? "the power is written **"
                                    : NULL,
                        "'%s' works on ints and bools only, and this is a float", operator_text(op, buffer));
        kind = op == '&'             ? EXPR_BIT_AND
               : op == '|'           ? EXPR_BIT_OR
               : op == '^'           ? EXPR_BIT_XOR
               : op == OP_SHIFT_LEFT ? EXPR_SHIFT_LEFT
                                     : EXPR_SHIFT_RIGHT;
        if (kind == EXPR_SHIFT_LEFT || kind == EXPR_SHIFT_RIGHT)
            type = SCALAR_INT;
        break;
    case '/':
        type = SCALAR_FLOAT;
        kind = EXPR_DIVIDE;
        break;
    default:
        kind = op == '+'               ? EXPR_ADD
               : op == '-'             ? EXPR_SUBTRACT
               : op == '*'             ? EXPR_MULTIPLY
               : op == '%'             ? EXPR_MODULO
               : op == OP_FLOOR_DIVIDE ? EXPR_FLOOR_DIVIDE
                                       : EXPR_POWER;
        if (type == SCALAR_BOOL)
            type = SCALAR_INT;
    }
    a = build_convert(checker, a, type);
    b = build_convert(checker, b, type);
    if (kind == EXPR_POWER && type == SCALAR_INT)
        return int_power(checker, node, a, b);
    return build_binary(checker, kind, a, b);
}

static hq_value check_joined_tuples(hq_checker *checker, const hq_node *node, const hq_value *left)
{
    hq_value right = check_expr(checker, node->kids[1]);
    if (right.kind != KIND_TUPLE)
        source_fail(checker->source, check_start(node->kids[1]), NULL,
                    "a tuple should stand here, to be joined to the other, and this is %s",
                    check_describe(checker, &right));
    hq_value items[2 * MAX_PARTS];
    memcpy(items, left->items, left->item_count * sizeof *items);
    memcpy(items + left->item_count, right.items, right.item_count * sizeof *items);
    checker->at = node->at;
    return value_tuple(checker, left->item_count + right.item_count, items);
}

static hq_value check_binary(hq_checker *checker, const hq_node *node)
{
    hq_value left = check_expr(checker, node->kids[0]);
    if (node->op == '+' && kind_is_sequence(left.kind)) {
        hq_value right = check_expr(checker, node->kids[1]);
        if (kind_is_sequence(right.kind))
            return seq_join(checker, node, &left, &right);
        source_fail(checker->source, check_start(node->kids[1]), NULL,
                    "a sequence should stand here, to be joined to the other, and this is %s",
                    check_describe(checker, &right));
    }
    if (node->op == '+' && left.kind == KIND_TUPLE)
        return check_joined_tuples(checker, node, &left);
    if (!kind_is_scalar(left.kind))
        check_refuse_operand(checker, node->kids[0], &left);
    const hq_expr *right = check_scalar(checker, node->kids[1]);
    return value_of(check_arithmetic(checker, node, node->op, left.part[0], right));
}

static hq_value check_unary(hq_checker *checker, const hq_node *node)
{
    const hq_expr *a = check_scalar(checker, node->kids[0]);
    checker->at = node->at;
    if (a->type == SCALAR_BOOL)
        a = build_convert(checker, a, SCALAR_INT);
    if (node->op == '+')
        return value_of(a);
    if (node->op == '-')
        return value_of(build_unary(checker, EXPR_NEGATE, a));
    if (a->type == SCALAR_FLOAT)
        source_fail(checker->source, node->at, "to turn a condition round, use not",
                    "'~' works on ints only, and this is a float");
    return value_of(build_unary(checker, EXPR_INVERT, a));
}

/* --- one value or another --- */

/* A value, and the statements that have to run before it is there. */
typedef struct branch {
    hq_value value;
    hq_block *block;
} branch;

static branch check_branch(hq_checker *checker, const hq_node *node)
{
    hq_block *outer = build_begin_block(checker);
    branch side = {check_expr(checker, node), checker->block};
    build_end_block(checker, outer);
    return side;
}

static branch branch_of(hq_checker *checker, hq_value value)
{
    return (branch){value, arena_alloc(checker->program->arena, sizeof(hq_block))};
}

static void set_in(hq_checker *checker, hq_block *block, uint32_t first, const hq_value *shape, const hq_value *value)
{
    hq_block *outer = checker->block;
    checker->block = block;
    value_set(checker, first, shape, value);
    checker->block = outer;
}

static hq_value choose(hq_checker *checker, const hq_node *node, const hq_expr *condition, branch yes, branch no)
{
    checker->at = node->at;
    bool widens = false;
    hq_value shape = yes.value;
    bool is_storable = value_is_storable(&yes.value) && value_is_storable(&no.value);
    if (is_storable && !yes.block->first && !no.block->first) {
        hq_value result;
        if (value_select(checker, build_once(checker, condition), &yes.value, &no.value, &result))
            return result;
    }
    bool is_scalar = kind_is_scalar(yes.value.kind) && kind_is_scalar(no.value.kind);
    if (!is_scalar && !is_storable && yes.value.kind == no.value.kind)
        source_fail(checker->source, node->at,
                    yes.value.kind == KIND_STRING ? "write an if statement with a fill in each branch" : NULL,
                    "%s cannot be chosen by a condition", check_describe(checker, &yes.value));
    if (!is_storable || !value_join(checker, &shape, &no.value, &widens))
        source_fail(checker->source, node->at, NULL, "one side is %s, the other %s",
                    check_describe(checker, &yes.value), check_describe(checker, &no.value));
    uint32_t first = value_new_slots(checker, &shape);
    set_in(checker, yes.block, first, &shape, &yes.value);
    set_in(checker, no.block, first, &shape, &no.value);
    hq_stmt *choice = build_stmt(checker, STMT_IF);
    choice->a = condition;
    choice->body = yes.block;
    choice->other = no.block;
    return value_of_slots(checker, &shape, first);
}

/* x if c else y */
static hq_value check_cond(hq_checker *checker, const hq_node *node)
{
    const hq_expr *condition = check_condition(checker, node->kids[0]);
    branch yes = check_branch(checker, node->kids[1]);
    return choose(checker, node, condition, yes, check_branch(checker, node->kids[2]));
}

static void demand_scalar(hq_checker *checker, const hq_node *node, const hq_value *value)
{
    if (!kind_is_scalar(value->kind))
        source_fail(checker->source, check_start(node),
                    kind_is_sequence(value->kind) ? "compare its len() with 0" : NULL,
                    "'and' and 'or' join numbers and conditions, and this is %s", check_describe(checker, value));
}

/* Bools are joined as bools. Of numbers the first one's value decides which of the two is the result. */
static hq_value check_and_or(hq_checker *checker, const hq_node *node)
{
    hq_value sofar = check_expr(checker, node->kids[0]);
    demand_scalar(checker, node->kids[0], &sofar);
    for (size_t i = 1; i < node->kid_count; i++) {
        branch next = check_branch(checker, node->kids[i]);
        demand_scalar(checker, node->kids[i], &next.value);
        checker->at = node->at;
        if (sofar.kind == KIND_BOOL && next.value.kind == KIND_BOOL) {
            hq_chain chain = {node->kind == NODE_AND ? EXPR_AND : EXPR_OR, sofar.part[0]};
            check_chain_add(checker, &chain, next.value.part[0], next.block);
            sofar = value_of(chain.sofar);
            continue;
        }
        sofar.part[0] = build_once(checker, sofar.part[0]);
        const hq_expr *condition = build_convert(checker, sofar.part[0], SCALAR_BOOL);
        branch given = branch_of(checker, sofar);
        sofar = node->kind == NODE_AND ? choose(checker, node, condition, next, given)
                                       : choose(checker, node, condition, given, next);
    }
    return sofar;
}

/* --- all kinds --- */

hq_value check_items(hq_checker *checker, const hq_node *node)
{
    if (node->kid_count > MAX_PARTS)
        source_limit(checker->source, node->at, "more than %d values side by side", MAX_PARTS);
    hq_value *items = arena_alloc(checker->source->arena, node->kid_count * sizeof *items + 1);
    for (size_t i = 0; i < node->kid_count; i++) {
        items[i] = check_expr(checker, node->kids[i]);
        if (value_is_storable(&items[i]))
            items[i] = value_once(checker, &items[i]);
    }
    checker->at = node->at;
    return value_tuple(checker, node->kid_count, items);
}

static hq_value check_list(hq_checker *checker, const hq_node *node)
{
    hq_value items = check_items(checker, node);
    return seq_array(checker, node, &items);
}

void check_enter(hq_checker *checker, const hq_node *node)
{
    enum { DEEPEST = 3 * MAX_DEPTH };
    if (++checker->depth > DEEPEST)
        source_limit(checker->source, node->at, "functions in functions more than %d deep", DEEPEST);
}

static hq_value check_kind(hq_checker *checker, const hq_node *node)
{
    checker->at = node->at;
    switch (node->kind) {
    case NODE_INT:
        return value_of(build_int(checker, node->value.integer));
    case NODE_FLOAT:
        return value_of(build_float(checker, node->value.number));
    case NODE_BOOL:
        return value_of(build_bool(checker, node->value.integer != 0));
    case NODE_STRING:
        return (hq_value){.kind = KIND_STRING, .text = node->text};
    case NODE_NAME:
        return check_name(checker, node);
    case NODE_ATTR:
        return check_attribute(checker, node);
    case NODE_INDEX:
        return check_index(checker, node);
    case NODE_CALL:
        return check_call(checker, node);
    case NODE_UNARY:
        return check_unary(checker, node);
    case NODE_NOT:
        return value_of(build_unary(checker, EXPR_NOT, check_condition(checker, node->kids[0])));
    case NODE_BINARY:
        return check_binary(checker, node);
    case NODE_COMPARE:
        return check_compare(checker, node);
    case NODE_AND:
    case NODE_OR:
        return check_and_or(checker, node);
    case NODE_COND:
        return check_cond(checker, node);
    case NODE_TUPLE:
        return check_items(checker, node);
    case NODE_LIST:
        return check_list(checker, node);
    case NODE_COMP:
        return check_comprehension(checker, node);
    case NODE_VALUE:
        return *node->made;
    case NODE_STAR:
        source_fail(checker->source, node->at, "write the arguments out", "nothing can be unpacked here");
    case NODE_LAMBDA:
        source_fail(checker->source, node->at, "write the expression out where it is needed, or define a function",
                    "a lambda can only be the key of min, max and sorted");
    default:
        source_fail(checker->source, node->at, NULL, "this cannot stand here");
    }
}

hq_value check_expr(hq_checker *checker, const hq_node *node)
{
    check_enter(checker, node);
    hq_value value = check_kind(checker, node);
    checker->depth--;
    return value;
}
