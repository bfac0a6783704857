/* query/check_seq.c - sequences: lengths, elements, slices, and the loops that go through them.
 *
 * Elements are found by a cursor: a position in a column for records and values of a column, the number itself for a
 * range of steps of one, else the element's index.
 */
#include <string.h>

#include "query/check.h"

static const hq_expr *add(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    if (a->op == EXPR_CONST && a->value.integer == 0)
        return b;
    if (b->op == EXPR_CONST && b->value.integer == 0)
        return a;
    return build_binary(checker, EXPR_ADD, a, b);
}

static const hq_expr *subtract(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return b->op == EXPR_CONST && b->value.integer == 0 ? a : build_binary(checker, EXPR_SUBTRACT, a, b);
}

static const hq_expr *least(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return build_binary(checker, EXPR_MIN, a, b);
}

static const hq_expr *greatest(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return build_binary(checker, EXPR_MAX, a, b);
}

static bool steps_by_one(const hq_value *range)
{
    return range->part[2]->op == EXPR_CONST && range->part[2]->value.integer == 1;
}

/* --- lengths and elements --- */

/* How many steps it is from start to stop, or none: (stop - start + step - 1) // step, for steps down + 1. */
static const hq_expr *range_length(hq_checker *checker, const hq_value *range)
{
    const hq_expr *zero = build_int(checker, 0);
    const hq_expr *distance = subtract(checker, range->part[1], range->part[0]);
    const hq_expr *step = range->part[2];
    if (steps_by_one(range))
        return greatest(checker, distance, zero);
    const hq_expr *sign = build_cond(checker, build_binary(checker, EXPR_GREATER, step, zero), build_int(checker, 1),
                                     build_int(checker, -1));
    distance = subtract(checker, add(checker, distance, step), sign);
    return greatest(checker, build_binary(checker, EXPR_FLOOR_DIVIDE, distance, step), zero);
}

const hq_expr *seq_length(hq_checker *checker, const hq_value *sequence)
{
    const hq_expr *length;
    switch (sequence->kind) {
    case KIND_RANGE:
        return range_length(checker, sequence);
    case KIND_STRIDED:
    case KIND_ARRAY:
        return sequence->part[1];
    case KIND_JOINED:
        length = build_int(checker, 0);
        for (size_t i = 0; i < sequence->item_count; i++)
            length = add(checker, length, seq_length(checker, &sequence->items[i]));
        return length;
    default: /* KIND_RECORDS, KIND_LIST */
        return build_binary(checker, EXPR_SUBTRACT, sequence->part[1], sequence->part[0]);
    }
}

void seq_cursors(hq_checker *checker, const hq_value *sequence, const hq_expr **low_r, const hq_expr **high_r)
{
    bool is_range = sequence->kind == KIND_RANGE && steps_by_one(sequence);
    if (sequence->kind == KIND_RECORDS || sequence->kind == KIND_LIST || is_range) {
        *low_r = build_once(checker, sequence->part[0]);
        *high_r = is_range ? greatest(checker, sequence->part[1], *low_r) : sequence->part[1];
        *high_r = build_once(checker, *high_r);
        return;
    }
    *low_r = build_int(checker, 0);
    *high_r = build_once(checker, seq_length(checker, sequence));
}

static hq_value joined_at(hq_checker *checker, const hq_value *items, size_t count, const hq_expr *index)
{
    const hq_expr *low, *high;
    seq_cursors(checker, &items[0], &low, &high);
    hq_value first = seq_at(checker, &items[0], add(checker, low, index));
    if (count == 1)
        return first;
    const hq_expr *length = build_once(checker, subtract(checker, high, low));
    const hq_expr *condition = build_once(checker, build_binary(checker, EXPR_LESS, index, length));
    const hq_expr *after = build_once(checker, subtract(checker, index, length));
    hq_value rest = joined_at(checker, items + 1, count - 1, after);
    hq_value value;
    if (!value_select(checker, condition, &first, &rest, &value))
        source_fail(checker->source, checker->at, NULL, "one sequence holds %s, the other %s",
                    check_describe(checker, &first), check_describe(checker, &rest));
    return value;
}

static hq_value array_at(hq_checker *checker, const hq_value *array, const hq_expr *index)
{
    const hq_expr *parts[MAX_PARTS];
    hq_scalar types[MAX_PARTS];
    size_t count = value_types(&array->items[0], types);
    const hq_expr *offset = build_binary(checker, EXPR_MULTIPLY, index, build_int(checker, array->ref));
    const hq_expr *address = build_once(checker, add(checker, array->part[0], offset));
    for (size_t i = 0; i < count; i++)
        parts[i] = build_word(checker, types[i], add(checker, address, build_int(checker, (int64_t)i)));
    return value_with_parts(checker, &array->items[0], parts);
}

static hq_value strided_at(hq_checker *checker, const hq_value *strided, const hq_expr *cursor)
{
    const hq_expr *low, *high;
    seq_cursors(checker, &strided->items[0], &low, &high);
    const hq_expr *offset = build_binary(checker, EXPR_MULTIPLY, cursor, strided->part[2]);
    return seq_at(checker, &strided->items[0], add(checker, low, add(checker, strided->part[0], offset)));
}

hq_value seq_at(hq_checker *checker, const hq_value *sequence, const hq_expr *cursor)
{
    switch (sequence->kind) {
    case KIND_RECORDS:
        return (hq_value){.kind = KIND_RECORD, .ref = sequence->ref, .part = {cursor}};
    case KIND_LIST:
        return value_of(build_read(checker, EXPR_LOAD, sequence->ref, cursor));
    case KIND_RANGE:
        if (steps_by_one(sequence))
            return value_of(cursor);
        return value_of(
            add(checker, sequence->part[0], build_binary(checker, EXPR_MULTIPLY, cursor, sequence->part[2])));
    case KIND_JOINED:
        return joined_at(checker, sequence->items, sequence->item_count, build_once(checker, cursor));
    case KIND_STRIDED:
        return strided_at(checker, sequence, cursor);
    default: /* KIND_ARRAY */
        return array_at(checker, sequence, cursor);
    }
}

/* --- slices and sums --- */

static hq_value joined_slice(hq_checker *checker, const hq_value *sequence, const hq_expr *low, const hq_expr *high)
{
    hq_value *items = arena_alloc(checker->source->arena, sequence->item_count * sizeof *items);
    const hq_expr *zero = build_int(checker, 0);
    for (size_t i = 0; i < sequence->item_count; i++) {
        const hq_expr *length = build_once(checker, seq_length(checker, &sequence->items[i]));
        const hq_expr *from = build_once(checker, least(checker, low, length));
        items[i] = seq_slice(checker, &sequence->items[i], from, build_once(checker, least(checker, high, length)));
        low = build_once(checker, greatest(checker, subtract(checker, low, length), zero));
        high = build_once(checker, greatest(checker, subtract(checker, high, length), zero));
    }
    hq_value slice = *sequence;
    slice.items = items;
    return slice;
}

hq_value seq_slice(hq_checker *checker, const hq_value *sequence, const hq_expr *low, const hq_expr *high)
{
    hq_value slice = *sequence;
    const hq_expr *begin = sequence->part[0];
    switch (sequence->kind) {
    case KIND_RANGE: {
        const hq_expr *step = sequence->part[2];
        slice.part[0] = add(checker, begin, build_binary(checker, EXPR_MULTIPLY, low, step));
        slice.part[1] = add(checker, begin, build_binary(checker, EXPR_MULTIPLY, high, step));
        break;
    }
    case KIND_ARRAY:
        slice.part[0] = add(checker, begin,
                            build_binary(checker, EXPR_MULTIPLY, low, build_int(checker, sequence->ref)));
        slice.part[1] = subtract(checker, high, low);
        break;
    case KIND_JOINED:
        return joined_slice(checker, sequence, build_once(checker, low), build_once(checker, high));
    case KIND_STRIDED:
        slice.part[0] = add(checker, begin, build_binary(checker, EXPR_MULTIPLY, low, sequence->part[2]));
        slice.part[1] = subtract(checker, high, low);
        break;
    default: /* KIND_RECORDS, KIND_LIST */
        slice.part[0] = add(checker, begin, low);
        slice.part[1] = add(checker, begin, high);
    }
    return value_once(checker, &slice);
}

hq_value seq_stride(hq_checker *checker, const hq_value *sequence, const hq_expr *first, const hq_expr *count,
                    const hq_expr *step)
{
    hq_value result = {.kind = KIND_STRIDED, .items = sequence, .item_count = 1, .part = {first, count, step}};
    if (sequence->kind == KIND_RANGE || sequence->kind == KIND_STRIDED) {
        bool is_range = sequence->kind == KIND_RANGE;
        const hq_expr *old_step = sequence->part[2];
        result = *sequence;
        result.part[0] = add(checker, sequence->part[0], build_binary(checker, EXPR_MULTIPLY, first, old_step));
        result.part[0] = build_once(checker, result.part[0]);
        result.part[2] = build_once(checker, build_binary(checker, EXPR_MULTIPLY, step, old_step));
        const hq_expr *end = build_binary(checker, EXPR_MULTIPLY, count, result.part[2]);
        result.part[1] = is_range ? add(checker, result.part[0], end) : count;
    } else {
        hq_value *item = arena_alloc(checker->source->arena, sizeof *item);
        *item = *sequence;
        result.items = item;
    }
    return value_once(checker, &result);
}

hq_value seq_reversed(hq_checker *checker, const hq_value *sequence)
{
    const hq_expr *length = build_once(checker, seq_length(checker, sequence));
    const hq_expr *last = build_once(checker, build_binary(checker, EXPR_SUBTRACT, length, build_int(checker, 1)));
    return seq_stride(checker, sequence, last, length, build_int(checker, -1));
}

static size_t joined_items(const hq_value *sequence, hq_value *items)
{
    if (sequence->kind != KIND_JOINED) {
        items[0] = *sequence;
        return 1;
    }
    memcpy(items, sequence->items, sequence->item_count * sizeof *items);
    return sequence->item_count;
}

/* An element as a shape, at a place that is never reached: what it needs to run goes nowhere. */
static hq_value shape_of_element(hq_checker *checker, const hq_value *sequence)
{
    hq_block *outer = build_begin_block(checker);
    hq_value element = seq_at(checker, sequence, build_int(checker, 0));
    build_end_block(checker, outer);
    return element;
}

hq_value seq_join(hq_checker *checker, const hq_node *node, const hq_value *one, const hq_value *other)
{
    if (one->kind == KIND_RANGE || other->kind == KIND_RANGE)
        source_fail(checker->source, node->at, NULL, "ranges cannot be joined");
    hq_value *items = arena_alloc(checker->source->arena, (size_t)MAX_PARTS * sizeof *items);
    size_t parts = value_part_count(one) + value_part_count(other);
    if (parts > MAX_PARTS)
        source_limit(checker->source, node->at, "more than %d sequences joined", MAX_PARTS / 2);
    size_t count = joined_items(one, items);
    count += joined_items(other, items + count);
    hq_value joined = {.kind = KIND_JOINED, .items = items, .item_count = count};
    hq_value first = shape_of_element(checker, one);
    hq_value second = shape_of_element(checker, other);
    bool widens = false;
    bool fits = (kind_is_record(first.kind) && kind_is_record(second.kind)) ||
                value_join(checker, &first, &second, &widens);
    if (!fits)
        source_fail(checker->source, node->at, NULL, "%s and %s cannot be joined", check_describe(checker, one),
                    check_describe(checker, other));
    return joined;
}

/* --- loops --- */

hq_block *seq_open(hq_checker *checker, hq_stmt *stmt)
{
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    checker->nest++;
    if (checker->nest > checker->program->nest_depth)
        checker->program->nest_depth = checker->nest;
    return outer;
}

void seq_close(hq_checker *checker, hq_block *outer)
{
    checker->nest--;
    build_end_block(checker, outer);
}

void seq_leave(hq_checker *checker, unsigned nest)
{
    hq_stmt *stmt = build_stmt(checker, STMT_BREAK);
    stmt->slot = checker->nest - nest - 1;
}

static hq_stmt *count_from(hq_checker *checker, const hq_expr *low, const hq_expr *high, bool is_unbounded)
{
    uint32_t counter = build_new_slot(checker, SCALAR_INT);
    hq_stmt *stmt = build_stmt(checker, STMT_FOR);
    stmt->slot = counter;
    stmt->index = is_unbounded;
    stmt->a = low;
    stmt->b = high;
    return stmt;
}

static hq_stmt *each_of_range(hq_checker *checker, const hq_value *range, hq_turn turn, void *data)
{
    uint32_t counter = build_new_slot(checker, SCALAR_INT);
    hq_stmt *stmt = build_stmt(checker, steps_by_one(range) ? STMT_FOR : STMT_RANGE);
    stmt->slot = counter;
    stmt->index = 1;
    stmt->a = range->part[0];
    stmt->b = range->part[1];
    stmt->c = steps_by_one(range) ? NULL : range->part[2];
    hq_block *outer = seq_open(checker, stmt);
    hq_value element = value_of(build_slot(checker, counter));
    turn(checker, &element, data);
    seq_close(checker, outer);
    return stmt;
}

/* What the cursors run through may be a variable's, which the loop's body may change. */
static hq_value settled(hq_checker *checker, const hq_value *sequence)
{
    bool needs_bounds_only = sequence->kind == KIND_RECORDS || sequence->kind == KIND_LIST;
    return needs_bounds_only ? *sequence : value_copy(checker, sequence);
}

static hq_stmt *each_of_sequence(hq_checker *checker, const hq_value *sequence, hq_turn turn, void *data)
{
    if (sequence->kind == KIND_RANGE)
        return each_of_range(checker, sequence, turn, data);
    const hq_expr *low, *high;
    hq_value whole = settled(checker, sequence);
    seq_cursors(checker, &whole, &low, &high);
    hq_stmt *stmt = count_from(checker, low, high, false);
    hq_block *outer = seq_open(checker, stmt);
    hq_value element = seq_at(checker, &whole, build_slot(checker, stmt->slot));
    element = value_once(checker, &element);
    turn(checker, &element, data);
    seq_close(checker, outer);
    return stmt;
}

/* Sequences that are gone through in step, or one sequence with its numbers. */
static hq_stmt *each_of_zip(hq_checker *checker, const hq_value *zip, hq_turn turn, void *data)
{
    hq_value *wholes = arena_alloc(checker->source->arena, zip->item_count * sizeof *wholes + 1);
    hq_value *elements = arena_alloc(checker->source->arena, zip->item_count * sizeof *elements + 1);
    const hq_expr **lows = arena_alloc(checker->source->arena, zip->item_count * sizeof(void *) + 1);
    const hq_expr *length = NULL;
    bool is_unbounded = true;
    for (size_t i = 0; i < zip->item_count; i++) {
        const hq_expr *low, *high;
        wholes[i] = value_copy(checker, &zip->items[i]);
        seq_cursors(checker, &wholes[i], &low, &high);
        lows[i] = low;
        is_unbounded = is_unbounded && wholes[i].kind == KIND_RANGE;
        const hq_expr *here = subtract(checker, high, low);
        length = build_once(checker, length ? least(checker, length, here) : here);
    }
    hq_stmt *stmt = count_from(checker, build_int(checker, 0), length, is_unbounded);
    hq_block *outer = seq_open(checker, stmt);
    for (size_t i = 0; i < zip->item_count; i++) {
        elements[i] = seq_at(checker, &wholes[i], add(checker, lows[i], build_slot(checker, stmt->slot)));
        elements[i] = value_once(checker, &elements[i]);
    }
    hq_value element = value_tuple(checker, zip->item_count, elements);
    turn(checker, &element, data);
    seq_close(checker, outer);
    return stmt;
}

/* What numbering an iterable needs to know in its turns. */
typedef struct numbering {
    hq_turn turn;
    void *data;
    uint32_t next; /* the slot of the next number */
} numbering;

static void number_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const numbering *self = data;
    hq_value pair[2] = {value_of(build_copy(checker, build_slot(checker, self->next))), *element};
    build_set(checker, self->next, add(checker, pair[0].part[0], build_int(checker, 1)));
    hq_value tuple = value_tuple(checker, 2, pair);
    self->turn(checker, &tuple, self->data);
}

static hq_stmt *each_of_enumerate(hq_checker *checker, const hq_node *node, const hq_value *value, hq_turn turn,
                                  void *data)
{
    const hq_value *inner = &value->items[0];
    const hq_expr *start = build_copy(checker, value->part[0]);
    if (!kind_is_sequence(inner->kind)) {
        numbering self = {turn, data, build_new_slot(checker, SCALAR_INT)};
        build_set(checker, self.next, start);
        return seq_each(checker, node, inner, number_turn, &self);
    }
    const hq_expr *low, *high;
    hq_value whole = value_copy(checker, inner);
    seq_cursors(checker, &whole, &low, &high);
    hq_stmt *stmt = count_from(checker, low, high, inner->kind == KIND_RANGE);
    hq_block *outer = seq_open(checker, stmt);
    const hq_expr *cursor = build_slot(checker, stmt->slot);
    hq_value element = seq_at(checker, &whole, cursor);
    hq_value pair[2] = {value_of(build_copy(checker, add(checker, subtract(checker, cursor, low), start))),
                        value_once(checker, &element)};
    hq_value tuple = value_tuple(checker, 2, pair);
    turn(checker, &tuple, data);
    seq_close(checker, outer);
    return stmt;
}

static hq_stmt *each_of_combinations(hq_checker *checker, const hq_value *value, hq_turn turn, void *data)
{
    size_t count = value->ref;
    hq_value *elements = arena_alloc(checker->source->arena, count * sizeof *elements);
    hq_block **outers = arena_alloc(checker->source->arena, count * sizeof(void *));
    hq_stmt *outermost = NULL;
    const hq_expr *low, *high;
    hq_value whole = value_copy(checker, &value->items[0]);
    seq_cursors(checker, &whole, &low, &high);
    for (size_t i = 0; i < count; i++) {
        hq_stmt *stmt = count_from(checker, low, high, whole.kind == KIND_RANGE);
        outermost = i == 0 ? stmt : outermost;
        outers[i] = seq_open(checker, stmt);
        const hq_expr *cursor = build_slot(checker, stmt->slot);
        elements[i] = seq_at(checker, &whole, cursor);
        elements[i] = value_once(checker, &elements[i]);
        low = i + 1 < count ? add(checker, cursor, build_int(checker, 1)) : low;
    }
    hq_value tuple = value_tuple(checker, count, elements);
    turn(checker, &tuple, data);
    for (size_t i = count; i-- > 0;)
        seq_close(checker, outers[i]);
    return outermost;
}

/* A comprehension under way: its clauses from the given one on. Between the names of two clauses there may stand those
 * of comprehensions that the latter goes through; they are out of sight. */
typedef struct generation {
    const struct generation *outer; /* the clause before */
    const hq_node *node;
    size_t clause;
    size_t from, to; /* its names among the bindings */
    hq_turn turn;
    void *data;
} generation;

static void hide_names(hq_checker *checker, const generation *self)
{
    for (; self; self = self->outer)
        scope_suspend(checker, self->from, self->to);
}

static void show_names(hq_checker *checker, const generation *self)
{
    if (self->outer)
        show_names(checker, self->outer);
    scope_resume(checker, self->from, self->to);
}

static void clause_turn(hq_checker *checker, const hq_value *element, void *data);

static hq_stmt *each_of_clause(hq_checker *checker, generation *self)
{
    const hq_node *clause = self->node->kids[self->clause];
    hq_value sequence = check_iterable(checker, clause->kids[1]);
    return seq_each(checker, clause->kids[1], &sequence, clause_turn, self);
}

static void clause_turn(hq_checker *checker, const hq_value *element, void *data)
{
    generation *self = data;
    const hq_node *clause = self->node->kids[self->clause];
    hq_block *outer = checker->block;
    self->from = scope_open(checker);
    scope_bind_targets(checker, clause->kids[0], element);
    self->to = checker->binding_count;
    for (size_t i = 2; i < clause->kid_count; i++) {
        const hq_expr *condition = check_condition(checker, clause->kids[i]);
        hq_stmt *stmt = build_stmt(checker, STMT_IF);
        stmt->a = condition;
        build_begin_block(checker);
        stmt->body = checker->block;
    }
    if (self->clause + 1 < self->node->kid_count) {
        generation next = *self;
        next.outer = self;
        next.clause++;
        each_of_clause(checker, &next);
    } else {
        hq_value value = check_expr(checker, self->node->kids[0]);
        if (value_is_storable(&value))
            value = value_once(checker, &value);
        hide_names(checker, self);
        self->turn(checker, &value, self->data);
        show_names(checker, self);
    }
    scope_close(checker, self->from);
    build_end_block(checker, outer);
}

static hq_stmt *each_of_generator(hq_checker *checker, const hq_value *value, hq_turn turn, void *data)
{
    generation self = {.node = value->node, .clause = 1, .turn = turn, .data = data};
    return each_of_clause(checker, &self);
}

hq_stmt *seq_each(hq_checker *checker, const hq_node *node, const hq_value *iterable, hq_turn turn, void *data)
{
    checker->at = node->at;
    switch (iterable->kind) {
    case KIND_TUPLE: {
        hq_value array = seq_array(checker, node, iterable);
        return each_of_sequence(checker, &array, turn, data);
    }
    case KIND_RECORDS:
    case KIND_LIST:
    case KIND_RANGE:
    case KIND_JOINED:
    case KIND_STRIDED:
    case KIND_ARRAY:
        return each_of_sequence(checker, iterable, turn, data);
    case KIND_REVERSED:
        return each_of_sequence(checker, &iterable->items[0], turn, data);
    case KIND_ENUMERATE:
        return each_of_enumerate(checker, node, iterable, turn, data);
    case KIND_ZIP:
        return each_of_zip(checker, iterable, turn, data);
    case KIND_COMBINATIONS:
        return each_of_combinations(checker, iterable, turn, data);
    case KIND_GENERATOR:
        return each_of_generator(checker, iterable, turn, data);
    case KIND_EVENTS:
        source_fail(checker->source, check_start(node), "there is one loop over the events, and this stands in it",
                    "a loop over the events inside the event loop");
    default:
        source_fail(checker->source, check_start(node),
                    kind_is_scalar(iterable->kind) ? "for i in range(…) counts" : NULL, "%s cannot be looped over",
                    check_describe(checker, iterable));
    }
}
