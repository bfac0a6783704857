/* query/check_index.c - indices and slices, by Python's rules. */
#include "query/check.h"

/* --- slices --- */

/* Where a bound of a slice lies, from 0 to the length, by Python's rules. bound is an int. */
static const hq_expr *clamp_bound(hq_checker *checker, const hq_expr *bound, const hq_expr *length)
{
    const hq_expr *zero = build_int(checker, 0);
    if (bound->op == EXPR_CONST && bound->value.integer >= 0)
        return build_binary(checker, EXPR_MIN, bound, length);
    bound = build_once(checker, bound);
    const hq_expr *from_end = build_binary(checker, EXPR_MAX, build_binary(checker, EXPR_ADD, bound, length), zero);
    if (bound->op == EXPR_CONST)
        return from_end;
    return build_cond(checker, build_binary(checker, EXPR_LESS, bound, zero), from_end,
                      build_binary(checker, EXPR_MIN, bound, length));
}

/* A number that stands in the text; fallback where there is none. */
static int64_t constant_bound(hq_checker *checker, const hq_node *bound, int64_t fallback)
{
    if (!bound)
        return fallback;
    const hq_expr *number = check_int(checker, bound, "a bound of a slice");
    if (number->op != EXPR_CONST)
        source_fail(checker->source, bound->at, "make it a list: […]",
                    "the bounds of a tuple's slice must be constants");
    return number->value.integer;
}

static int64_t within(int64_t bound, int64_t count, int64_t lowest, int64_t highest)
{
    if (bound < 0)
        bound = bound < -count ? lowest : bound + count;
    return bound < lowest ? lowest : bound > highest ? highest : bound;
}

static hq_value tuple_slice(hq_checker *checker, const hq_node *node, const hq_value *tuple)
{
    const hq_node *slice = node->kids[1];
    int64_t count = (int64_t)tuple->item_count;
    int64_t step = constant_bound(checker, slice->kids[2], 1);
    if (step == 0)
        source_fail(checker->source, slice->kids[2]->at, NULL, "the step of a slice must not be 0");
    step = step < -count - 1 ? -count - 1 : step > count + 1 ? count + 1 : step;
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? count - 1 : count;
    int64_t start = step < 0 ? highest : lowest, stop = step < 0 ? lowest : highest;
    if (slice->kids[0])
        start = within(constant_bound(checker, slice->kids[0], 0), count, lowest, highest);
    if (slice->kids[1])
        stop = within(constant_bound(checker, slice->kids[1], 0), count, lowest, highest);
    hq_value items[MAX_PARTS];
    size_t used = 0;
    for (int64_t i = start; step < 0 ? i > stop : i < stop; i += step)
        items[used++] = tuple->items[i];
    return value_tuple(checker, used, items);
}

/* The step of a slice that has one, from -INT64_MAX on; NULL for 1. */
static const hq_expr *step_of(hq_checker *checker, const hq_node *slice)
{
    if (!slice->kids[2])
        return NULL;
    const hq_expr *step = check_int(checker, slice->kids[2], "the step of a slice");
    if (step->op != EXPR_CONST) {
        step = build_once(checker, build_binary(checker, EXPR_MAX, step, build_int(checker, -INT64_MAX)));
        hq_stmt *demand = build_stmt(checker, STMT_DEMAND);
        demand->a = build_binary(checker, EXPR_NOT_EQUAL, step, build_int(checker, 0));
        demand->index = build_fault(checker, slice->line, "the step of the slice is 0");
        return step;
    }
    if (step->value.integer == 0)
        source_fail(checker->source, slice->kids[2]->at, NULL, "the step of a slice must not be 0");
    return step->value.integer == 1
               ? NULL
               : build_int(checker, step->value.integer == INT64_MIN ? -INT64_MAX : step->value.integer);
}

/* A bound where the slice may go down: it then lies from -1 to the last element, else from 0 to the length. */
static const hq_expr *bound_of_steps(hq_checker *checker, const hq_expr *bound, const hq_expr *length,
                                     const hq_expr *is_down)
{
    const hq_expr *zero = build_int(checker, 0), *minus_one = build_int(checker, -1);
    const hq_expr *lowest = build_cond(checker, is_down, minus_one, zero);
    const hq_expr *highest = build_cond(checker, is_down, build_binary(checker, EXPR_ADD, length, minus_one), length);
    bound = build_once(checker, bound);
    const hq_expr *from_end = build_binary(checker, EXPR_MAX, build_binary(checker, EXPR_ADD, bound, length), lowest);
    return build_cond(checker, build_binary(checker, EXPR_LESS, bound, zero), from_end,
                      build_binary(checker, EXPR_MIN, bound, highest));
}

/* start, stop: ints, or NULL where the slice does not say. */
static hq_value stepped_slice(hq_checker *checker, const hq_value *whole, const hq_expr *start, const hq_expr *stop,
                              const hq_expr *step)
{
    const hq_expr *zero = build_int(checker, 0), *one = build_int(checker, 1);
    const hq_expr *length = build_once(checker, seq_length(checker, whole));
    const hq_expr *is_down = build_once(checker, build_binary(checker, EXPR_LESS, step, zero));
    const hq_expr *last = build_binary(checker, EXPR_SUBTRACT, length, one);
    start = start ? bound_of_steps(checker, start, length, is_down) : build_cond(checker, is_down, last, zero);
    stop = stop ? bound_of_steps(checker, stop, length, is_down)
                : build_cond(checker, is_down, build_int(checker, -1), length);
    start = build_once(checker, start);
    stop = build_once(checker, stop);
    const hq_expr *distance = build_once(checker,
                                         build_cond(checker, is_down, build_binary(checker, EXPR_SUBTRACT, start, stop),
                                                    build_binary(checker, EXPR_SUBTRACT, stop, start)));
    const hq_expr *steps = build_binary(checker, EXPR_FLOOR_DIVIDE, build_binary(checker, EXPR_SUBTRACT, distance, one),
                                        build_unary(checker, EXPR_ABS, step));
    const hq_expr *count = build_cond(checker, build_binary(checker, EXPR_GREATER, distance, zero),
                                      build_binary(checker, EXPR_ADD, steps, one), zero);
    return seq_stride(checker, whole, start, build_once(checker, count), step);
}

static hq_value check_slice(hq_checker *checker, const hq_node *node, hq_value whole)
{
    const hq_node *slice = node->kids[1];
    if (whole.kind == KIND_TUPLE)
        return tuple_slice(checker, node, &whole);
    if (!kind_is_sequence(whole.kind))
        source_fail(checker->source, node->at,
                    whole.kind == KIND_EVENTS ? "for event in events: goes through all; an event is left by continue"
                                              : NULL,
                    "a slice of %s", check_describe(checker, &whole));
    const hq_expr *low = slice->kids[0] ? check_int(checker, slice->kids[0], "the start of a slice") : NULL;
    const hq_expr *high = slice->kids[1] ? check_int(checker, slice->kids[1], "the stop of a slice") : NULL;
    const hq_expr *step = step_of(checker, slice);
    checker->at = node->at;
    if (step)
        return stepped_slice(checker, &whole, low, high, step);
    const hq_expr *length = build_once(checker, seq_length(checker, &whole));
    low = low ? build_once(checker, clamp_bound(checker, low, length)) : build_int(checker, 0);
    high = high ? clamp_bound(checker, high, length) : length;
    /* With both bounds the end may lie before the start: the slice is empty then. */
    if (slice->kids[0] && slice->kids[1])
        high = build_binary(checker, EXPR_MAX, low, high);
    return seq_slice(checker, &whole, low, build_once(checker, high));
}

/* --- elements --- */

/* Python takes a bool for 0 or 1 here; who writes one means to choose elements by a condition, as arrays are asked. */
static const hq_expr *check_position(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node);
    if (value.kind == KIND_BOOL)
        source_fail(checker->source, node->at, "choose elements with [x for x in … if …]; int(…) makes a bool 0 or 1",
                    "an index must be an int, and this is a bool");
    return check_int_value(checker, node, &value, "an index");
}

/* A tuple's parts differ in type: which one it is must be known. */
static hq_value tuple_index(hq_checker *checker, const hq_node *node, const hq_value *tuple)
{
    const hq_expr *number = check_position(checker, node->kids[1]);
    int64_t count = (int64_t)tuple->item_count;
    if (number->op != EXPR_CONST)
        source_fail(checker->source, node->kids[1]->at, "make it a list: […]",
                    "the index of a tuple must be a constant");
    int64_t index = number->value.integer < 0 ? number->value.integer + count : number->value.integer;
    if (index < 0 || index >= count)
        source_fail(checker->source, node->kids[1]->at, NULL, "the tuple has %lld part%s", (long long)count,
                    count == 1 ? "" : "s");
    return tuple->items[index];
}

hq_value check_index(hq_checker *checker, const hq_node *node)
{
    hq_value whole = check_expr(checker, node->kids[0]);
    const hq_node *index = node->kids[1];
    checker->at = node->at;
    if (whole.kind == KIND_EVENT) {
        if (index->kind == NODE_STRING)
            return check_column(checker, node, index->text);
        source_fail(checker->source, index->at, "event[\"name\"]", "a column's name in quotes should stand here");
    }
    if (index->kind == NODE_SLICE)
        return check_slice(checker, node, whole);
    if (whole.kind == KIND_TUPLE)
        return tuple_index(checker, node, &whole);
    if (!kind_is_sequence(whole.kind))
        source_fail(checker->source, node->at, kind_is_iterable(whole.kind) ? "make a list of it: list(…)" : NULL,
                    "%s cannot be indexed", check_describe(checker, &whole));
    if (index->kind == NODE_STRING)
        source_fail(checker->source, index->at, NULL, "an int should stand here, and this is a string");
    const hq_expr *number = check_position(checker, index);
    checker->at = node->at;
    const hq_expr *low, *high;
    seq_cursors(checker, &whole, &low, &high);
    uint32_t slot = build_new_slot(checker, SCALAR_INT);
    hq_stmt *stmt = build_stmt(checker, STMT_INDEX);
    stmt->slot = slot;
    stmt->a = low;
    stmt->b = high;
    stmt->c = number;
    stmt->index = build_fault(checker, node->line, check_spell(checker, node->kids[0]));
    return seq_at(checker, &whole, build_slot(checker, slot));
}
