/* query/check_compare.c - comparisons: of numbers, of tuples part by part, and whether something is in a sequence.
 *
 * Tuples are compared as Python does: the first parts that are not equal decide, and if there are none, the lengths. A
 * nan is equal to nothing, so it decides, and against every order.
 */
#include "query/check.h"

/* --- two values --- */

static const hq_expr *compare_numbers(hq_checker *checker, int op, const hq_expr *a, const hq_expr *b)
{
    hq_scalar type = (hq_scalar)(a->type > b->type ? a->type : b->type);
    hq_expr_op kind = op == '<'                ? EXPR_LESS
                      : op == '>'              ? EXPR_GREATER
                      : op == OP_LESS_EQUAL    ? EXPR_LESS_EQUAL
                      : op == OP_GREATER_EQUAL ? EXPR_GREATER_EQUAL
                      : op == OP_EQUAL         ? EXPR_EQUAL
                                               : EXPR_NOT_EQUAL;
    /* bools are compared as the numbers 0 and 1 */
    if (type == SCALAR_BOOL)
        type = SCALAR_INT;
    return build_binary(checker, kind, build_convert(checker, a, type), build_convert(checker, b, type));
}

static _Noreturn void refuse_comparison(hq_checker *checker, const hq_node *node, const hq_value *a, const hq_value *b)
{
    const char *hint = NULL;
    if (kind_is_record(a->kind) && kind_is_record(b->kind))
        hint = "compare their members: a.pt < b.pt";
    else if (kind_is_iterable(a->kind) && kind_is_iterable(b->kind))
        hint = "compare their elements: all(x == y for x, y in zip(…, …))";
    else if (kind_is_record(a->kind) || kind_is_record(b->kind))
        hint = "take one of the record's members";
    else if (kind_is_sequence(a->kind) || kind_is_sequence(b->kind))
        hint = "loop over its elements, or ask for its len()";
    source_fail(checker->source, node->at, hint, "%s and %s cannot be compared", check_describe(checker, a),
                check_describe(checker, b));
}

static const hq_expr *equal(hq_checker *checker, const hq_node *node, const hq_value *a, const hq_value *b)
{
    if (kind_is_scalar(a->kind) && kind_is_scalar(b->kind))
        return compare_numbers(checker, OP_EQUAL, a->part[0], b->part[0]);
    if (a->kind != KIND_TUPLE || b->kind != KIND_TUPLE)
        refuse_comparison(checker, node, a, b);
    const hq_expr *sofar = build_bool(checker, a->item_count == b->item_count);
    for (size_t i = 0; i < a->item_count && i < b->item_count; i++)
        sofar = build_binary(checker, EXPR_AND, sofar, equal(checker, node, &a->items[i], &b->items[i]));
    return sofar;
}

static const hq_expr *ordered(hq_checker *checker, const hq_node *node, int op, const hq_value *a, const hq_value *b)
{
    if (kind_is_scalar(a->kind) && kind_is_scalar(b->kind))
        return compare_numbers(checker, op, a->part[0], b->part[0]);
    if (a->kind != KIND_TUPLE || b->kind != KIND_TUPLE)
        refuse_comparison(checker, node, a, b);
    size_t count = a->item_count < b->item_count ? a->item_count : b->item_count;
    int strictly = op == '<' || op == OP_LESS_EQUAL ? '<' : '>';
    const hq_expr *sofar = compare_numbers(checker, op, build_int(checker, (int64_t)a->item_count),
                                           build_int(checker, (int64_t)b->item_count));
    bool is_open = a->item_count == b->item_count && count > 0; /* the last parts decide, by the operator itself */
    for (size_t i = count; i-- > 0;) {
        const hq_value *one = &a->items[i], *other = &b->items[i];
        if (is_open && i + 1 == count) {
            sofar = ordered(checker, node, op, one, other);
            continue;
        }
        const hq_expr *is_decided = ordered(checker, node, strictly, one, other);
        const hq_expr *goes_on = build_binary(checker, EXPR_AND, equal(checker, node, one, other), sofar);
        sofar = build_binary(checker, EXPR_OR, is_decided, goes_on);
    }
    return sofar;
}

const hq_expr *check_comparison(hq_checker *checker, const hq_node *node, int op, const hq_value *a, const hq_value *b)
{
    checker->at = node->at;
    if (op == OP_EQUAL)
        return equal(checker, node, a, b);
    if (op == OP_NOT_EQUAL && kind_is_scalar(a->kind) && kind_is_scalar(b->kind))
        return compare_numbers(checker, op, a->part[0], b->part[0]);
    if (op == OP_NOT_EQUAL)
        return build_unary(checker, EXPR_NOT, equal(checker, node, a, b));
    return ordered(checker, node, op, a, b);
}

size_t check_key_parts(hq_checker *checker, const hq_value *key, const hq_expr **parts, size_t room)
{
    if (kind_is_scalar(key->kind)) {
        if (room == 0)
            source_limit(checker->source, checker->at, "a key of more than %d numbers", MAX_KEY_PARTS);
        parts[0] = build_convert(checker, key->part[0], key->kind == KIND_BOOL ? SCALAR_INT : (hq_scalar)key->kind);
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < key->item_count; i++)
        count += check_key_parts(checker, &key->items[i], parts + count, room - count);
    return count;
}

bool check_is_key(const hq_value *value)
{
    if (value->kind != KIND_TUPLE)
        return kind_is_scalar(value->kind);
    for (size_t i = 0; i < value->item_count; i++)
        if (!check_is_key(&value->items[i]))
            return false;
    return value->item_count > 0;
}

const char *check_describe_key(hq_checker *checker, const hq_value *value)
{
    for (size_t i = 0; value->kind == KIND_TUPLE && i < value->item_count; i++)
        if (!check_is_key(&value->items[i]))
            return source_format(checker->source, "a tuple with %.200s in it",
                                 check_describe_key(checker, &value->items[i]));
    return value->kind == KIND_TUPLE && !value->item_count ? "an empty tuple" : check_describe(checker, value);
}

/* --- in --- */

typedef struct looking {
    const hq_node *node;
    const hq_value *wanted;
    uint32_t slot;     /* whether it was found */
    unsigned nest;     /* what stands round the loop */
    bool runs_through; /* a list is made to its end before anybody asks */
} looking;

static void looking_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const looking *self = data;
    hq_stmt *stmt = build_stmt(checker, STMT_IF);
    stmt->a = equal(checker, self->node, self->wanted, element);
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    build_set(checker, self->slot, build_bool(checker, true));
    if (!self->runs_through)
        seq_leave(checker, self->nest);
    build_end_block(checker, outer);
}

static const hq_expr *is_among(hq_checker *checker, const hq_node *node, const hq_value *wanted, const hq_value *items)
{
    const hq_expr *sofar = build_bool(checker, false);
    for (size_t i = 0; i < items->item_count; i++)
        sofar = build_binary(checker, EXPR_OR, sofar, equal(checker, node, wanted, &items->items[i]));
    return sofar;
}

/* Without going through it: a float has to be whole, and then it is inside if it leaves the same rest as the start. */
static const hq_expr *is_in_range(hq_checker *checker, const hq_expr *wanted, const hq_value *range)
{
    const hq_expr *start = range->part[0], *stop = range->part[1], *step = range->part[2];
    const hq_expr *is_whole = build_bool(checker, true);
    if (wanted->type == SCALAR_FLOAT) {
        const hq_expr *below = build_binary(checker, EXPR_LESS, wanted, build_float(checker, 0x1p63));
        const hq_expr *whole = build_convert(checker, build_convert(checker, wanted, SCALAR_INT), SCALAR_FLOAT);
        is_whole = build_binary(checker, EXPR_AND, below, build_binary(checker, EXPR_EQUAL, wanted, whole));
    }
    const hq_expr *number = build_once(checker, build_convert(checker, wanted, SCALAR_INT));
    const hq_expr *is_up = build_binary(checker, EXPR_GREATER, step, build_int(checker, 0));
    const hq_expr *up = build_binary(checker, EXPR_AND, build_binary(checker, EXPR_LESS_EQUAL, start, number),
                                     build_binary(checker, EXPR_LESS, number, stop));
    const hq_expr *down = build_binary(checker, EXPR_AND, build_binary(checker, EXPR_GREATER_EQUAL, start, number),
                                       build_binary(checker, EXPR_GREATER, number, stop));
    const hq_expr *is_met = build_binary(checker, EXPR_EQUAL, build_binary(checker, EXPR_MODULO, number, step),
                                         build_binary(checker, EXPR_MODULO, start, step));
    const hq_expr *is_inside = build_binary(checker, EXPR_AND, build_cond(checker, is_up, up, down), is_met);
    return build_binary(checker, EXPR_AND, is_whole, is_inside);
}

static const hq_expr *is_in(hq_checker *checker, const hq_node *node, const hq_value *wanted, const hq_node *place,
                            const hq_value *whole)
{
    checker->at = node->at;
    if (!kind_is_iterable(whole->kind))
        source_fail(checker->source, check_start(place), NULL,
                    "behind 'in' there should be something to look through, and this is %s",
                    check_describe(checker, whole));
    if (!value_is_storable(wanted))
        source_fail(checker->source, node->at, NULL, "%s cannot be looked for", check_describe(checker, wanted));
    if (whole->kind == KIND_TUPLE)
        return is_among(checker, node, wanted, whole);
    if (whole->kind == KIND_RANGE && kind_is_scalar(wanted->kind))
        return is_in_range(checker, wanted->part[0], whole);
    looking self = {.node = node, .wanted = wanted, .nest = checker->nest};
    self.runs_through = place->kind == NODE_COMP && place->op == '[';
    self.slot = build_new_slot(checker, SCALAR_BOOL);
    build_set(checker, self.slot, build_bool(checker, false));
    seq_each(checker, place, whole, looking_turn, &self);
    return build_slot(checker, self.slot);
}

/* --- chains --- */

void check_chain_add(hq_checker *checker, hq_chain *chain, const hq_expr *next, hq_block *needed)
{
    if (!needed->first) {
        chain->sofar = build_binary(checker, chain->op, chain->sofar, next);
        return;
    }
    uint32_t slot = build_new_slot(checker, SCALAR_BOOL);
    build_set(checker, slot, chain->sofar);
    hq_block *outer = checker->block;
    checker->block = needed;
    build_set(checker, slot, next);
    checker->block = outer;
    hq_stmt *test = build_stmt(checker, STMT_IF);
    test->a = chain->op == EXPR_AND ? build_slot(checker, slot)
                                    : build_unary(checker, EXPR_NOT, build_slot(checker, slot));
    test->body = needed;
    chain->sofar = build_slot(checker, slot);
}

static bool is_membership(int op)
{
    return op == OP_IN || op == OP_NOT_IN;
}

/* The operand with this number. What stands behind 'in' is gone through where it stands. */
static hq_value operand_of(hq_checker *checker, const hq_node *node, size_t index)
{
    const hq_node *kid = node->kids[index];
    bool is_last_place = index + 1 == node->kid_count && is_membership(node->ops[index - 1]);
    if (is_last_place && kid->kind == NODE_LIST)
        return check_items(checker, kid);
    return is_last_place ? check_iterable(checker, kid) : check_expr(checker, kid);
}

/* Numbers stay expressions where they are used once. */
static hq_value settle(hq_checker *checker, const hq_value *value)
{
    return value_is_storable(value) ? value_once(checker, value) : *value;
}

static bool is_settled(const hq_value *value)
{
    return !kind_is_scalar(value->kind) || build_is_simple(value->part[0]);
}

static const hq_expr *link_of(hq_checker *checker, const hq_node *node, size_t index, const hq_value *left,
                              const hq_value *right)
{
    int op = node->ops[index];
    if (!is_membership(op)) {
        if (kind_is_scalar(left->kind) && !check_is_key(right))
            check_refuse_operand(checker, node->kids[index + 1], right);
        if (kind_is_scalar(right->kind) && !check_is_key(left))
            check_refuse_operand(checker, node->kids[index], left);
        return check_comparison(checker, node, op, left, right);
    }
    hq_value wanted = settle(checker, left);
    const hq_expr *found = is_in(checker, node, &wanted, node->kids[index + 1], right);
    return op == OP_IN ? found : build_unary(checker, EXPR_NOT, found);
}

hq_value check_compare(hq_checker *checker, const hq_node *node)
{
    hq_value left = check_expr(checker, node->kids[0]);
    hq_value right = operand_of(checker, node, 1);
    if (node->kid_count > 2)
        right = settle(checker, &right);
    hq_chain chain = {EXPR_AND, link_of(checker, node, 0, &left, &right)};
    for (size_t i = 2; i < node->kid_count; i++) {
        left = right;
        hq_block *outer = build_begin_block(checker);
        right = operand_of(checker, node, i);
        if (i + 1 < node->kid_count && !is_settled(&right)) {
            /* The next link uses it too. A slot that is set on one way only would do, but an expression that needs
             * nothing to run is as well computed on both. */
            hq_block *needed = checker->block;
            if (!needed->first)
                build_end_block(checker, outer);
            right = settle(checker, &right);
            checker->block = needed;
        }
        const hq_expr *link = link_of(checker, node, i - 1, &left, &right);
        hq_block *needed = checker->block;
        build_end_block(checker, outer);
        check_chain_add(checker, &chain, link, needed);
    }
    return value_of(chain.sofar);
}
