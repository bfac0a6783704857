/* query/check_value.c - what values are made of: numbers, in the order of value_parts.
 *
 * A value's own parts come first, then those of its items, where these are values themselves. The items of an array and
 * of a record of either group are shapes only: they have no parts.
 */
#include <string.h>

#include "query/check.h"

static size_t own_parts(hq_kind kind)
{
    switch (kind) {
    case KIND_BOOL:
    case KIND_INT:
    case KIND_FLOAT:
    case KIND_RECORD:
        return 1;
    case KIND_EITHER:
    case KIND_RECORDS:
    case KIND_LIST:
    case KIND_ARRAY:
        return 2;
    case KIND_RANGE:
    case KIND_STRIDED:
        return 3;
    default:
        return 0;
    }
}

static bool has_items_with_parts(hq_kind kind)
{
    return kind == KIND_TUPLE || kind == KIND_JOINED || kind == KIND_STRIDED;
}

bool value_is_storable(const hq_value *value)
{
    for (size_t i = 0; i < value->item_count; i++)
        if (!value_is_storable(&value->items[i]))
            return false;
    return value->kind <= KIND_ARRAY;
}

size_t value_part_count(const hq_value *value)
{
    size_t count = own_parts(value->kind);
    for (size_t i = 0; has_items_with_parts(value->kind) && i < value->item_count; i++)
        count += value_part_count(&value->items[i]);
    return count;
}

size_t value_parts(const hq_value *value, const hq_expr **parts)
{
    size_t count = own_parts(value->kind);
    for (size_t i = 0; i < count; i++)
        parts[i] = value->part[i];
    for (size_t i = 0; has_items_with_parts(value->kind) && i < value->item_count; i++)
        count += value_parts(&value->items[i], parts + count);
    return count;
}

size_t value_types(const hq_value *value, hq_scalar *types)
{
    size_t count = own_parts(value->kind);
    for (size_t i = 0; i < count; i++)
        types[i] = kind_is_scalar(value->kind) ? (hq_scalar)value->kind : SCALAR_INT;
    for (size_t i = 0; has_items_with_parts(value->kind) && i < value->item_count; i++)
        count += value_types(&value->items[i], types + count);
    return count;
}

static hq_value *copy_items(hq_checker *checker, const hq_value *items, size_t count)
{
    hq_value *copy = arena_alloc(checker->source->arena, count * sizeof *copy + 1);
    for (size_t i = 0; i < count; i++)
        copy[i] = items[i];
    return copy;
}

hq_value value_with_parts(hq_checker *checker, const hq_value *shape, const hq_expr *const *parts)
{
    hq_value value = *shape;
    size_t count = own_parts(shape->kind);
    for (size_t i = 0; i < count; i++)
        value.part[i] = parts[i];
    if (has_items_with_parts(shape->kind)) {
        hq_value *items = copy_items(checker, shape->items, shape->item_count);
        for (size_t i = 0; i < shape->item_count; i++) {
            items[i] = value_with_parts(checker, &shape->items[i], parts + count);
            count += value_part_count(&items[i]);
        }
        value.items = items;
    }
    return value;
}

/* Adds those that the record may be of. */
static size_t add_groups(hq_value *groups, size_t count, const hq_value *record)
{
    const hq_value *items = record->kind == KIND_EITHER ? record->items : record;
    size_t item_count = record->kind == KIND_EITHER ? record->item_count : 1;
    for (size_t i = 0; i < item_count; i++) {
        size_t at = 0;
        while (at < count && groups[at].ref != items[i].ref)
            at++;
        if (at == count && count < MAX_PARTS)
            groups[count++] = (hq_value){.kind = KIND_RECORD, .ref = items[i].ref};
    }
    return count;
}

/* Which of the groups it is, while the query runs. */
static const hq_expr *group_number(hq_checker *checker, const hq_value *groups, const hq_value *record)
{
    const hq_value *items = record->kind == KIND_EITHER ? record->items : record;
    size_t item_count = record->kind == KIND_EITHER ? record->item_count : 1;
    const hq_expr *number = NULL;
    for (size_t i = item_count; i-- > 0;) {
        int64_t at = 0;
        while (groups[at].ref != items[i].ref)
            at++;
        const hq_expr *here = build_int(checker, at);
        number = !number
                     ? here
                     : build_cond(checker,
                                  build_binary(checker, EXPR_EQUAL, record->part[0], build_int(checker, (int64_t)i)),
                                  here, number);
    }
    return number;
}

static const hq_expr *position_of(const hq_value *record)
{
    return record->part[record->kind == KIND_EITHER ? 1 : 0];
}

static hq_value record_shape(hq_checker *checker, const hq_value *groups, size_t count)
{
    if (count == 1)
        return groups[0];
    return (hq_value){.kind = KIND_EITHER, .items = copy_items(checker, groups, count), .item_count = count};
}

static void join_records(hq_checker *checker, hq_value *shape, const hq_value *other, bool *widens_r)
{
    hq_value groups[MAX_PARTS];
    size_t before = add_groups(groups, 0, shape);
    size_t count = add_groups(groups, before, other);
    if (count == before)
        return;
    *shape = record_shape(checker, groups, count);
    *widens_r = true;
}

static bool is_same(const hq_value *one, const hq_value *other)
{
    if (one->kind != other->kind || one->ref != other->ref || one->item_count != other->item_count)
        return false;
    for (size_t i = 0; i < one->item_count; i++)
        if (!is_same(&one->items[i], &other->items[i]))
            return false;
    return true;
}

bool value_join(hq_checker *checker, hq_value *shape, const hq_value *other, bool *widens_r)
{
    if (kind_is_scalar(shape->kind) && kind_is_scalar(other->kind)) {
        *widens_r = *widens_r || other->kind > shape->kind;
        if (other->kind > shape->kind)
            shape->kind = other->kind;
        return true;
    }
    if (kind_is_record(shape->kind) && kind_is_record(other->kind)) {
        join_records(checker, shape, other, widens_r);
        return true;
    }
    if (shape->kind != other->kind || shape->ref != other->ref || shape->item_count != other->item_count)
        return false;
    if (!has_items_with_parts(shape->kind)) /* what lies in memory lies there as it is */
        return is_same(shape, other);
    bool widens = false;
    hq_value *items = copy_items(checker, shape->items, shape->item_count);
    for (size_t i = 0; i < shape->item_count; i++)
        if (!value_join(checker, &items[i], &other->items[i], &widens))
            return false;
    shape->items = items;
    *widens_r = *widens_r || widens;
    return true;
}

hq_value value_convert(hq_checker *checker, const hq_value *value, const hq_value *shape)
{
    hq_value result = *shape;
    if (shape->kind == KIND_EITHER) {
        result.part[0] = group_number(checker, shape->items, value);
        result.part[1] = position_of(value);
        return result;
    }
    for (size_t i = 0; i < own_parts(shape->kind); i++)
        result.part[i] = kind_is_scalar(shape->kind) ? build_convert(checker, value->part[i], (hq_scalar)shape->kind)
                                                     : value->part[i];
    if (has_items_with_parts(shape->kind)) {
        hq_value *items = copy_items(checker, value->items, value->item_count);
        for (size_t i = 0; i < value->item_count; i++)
            items[i] = value_convert(checker, &value->items[i], &shape->items[i]);
        result.items = items;
    }
    return result;
}

hq_value value_once(hq_checker *checker, const hq_value *value)
{
    const hq_expr *parts[MAX_PARTS];
    size_t count = value_parts(value, parts);
    for (size_t i = 0; i < count; i++)
        parts[i] = build_once(checker, parts[i]);
    return value_with_parts(checker, value, parts);
}

hq_value value_copy(hq_checker *checker, const hq_value *value)
{
    const hq_expr *parts[MAX_PARTS];
    size_t count = value_parts(value, parts);
    for (size_t i = 0; i < count; i++)
        parts[i] = build_copy(checker, parts[i]);
    return value_with_parts(checker, value, parts);
}

uint32_t value_new_slots(hq_checker *checker, const hq_value *shape)
{
    hq_scalar types[MAX_PARTS];
    size_t count = value_types(shape, types);
    uint32_t first = (uint32_t)checker->program->slot_count;
    for (size_t i = 0; i < count; i++)
        build_new_slot(checker, types[i]);
    return first;
}

hq_value value_of_slots(hq_checker *checker, const hq_value *shape, uint32_t first)
{
    const hq_expr *parts[MAX_PARTS];
    size_t count = value_part_count(shape);
    for (size_t i = 0; i < count; i++)
        parts[i] = build_slot(checker, first + (uint32_t)i);
    return value_with_parts(checker, shape, parts);
}

void value_set(hq_checker *checker, uint32_t first, const hq_value *shape, const hq_value *value)
{
    const hq_expr *parts[MAX_PARTS];
    hq_value converted = value_convert(checker, value, shape);
    size_t count = value_parts(&converted, parts);
    for (size_t i = 0; i < count; i++)
        build_set(checker, first + (uint32_t)i, parts[i]);
}

hq_value value_tuple(hq_checker *checker, size_t count, const hq_value *items)
{
    hq_value tuple = {.kind = KIND_TUPLE, .item_count = count, .items = copy_items(checker, items, count)};
    if (count > MAX_PARTS || value_part_count(&tuple) > MAX_PARTS)
        source_limit(checker->source, checker->at, "a value of more than %d numbers", MAX_PARTS);
    return tuple;
}

/* --- one of two --- */

bool value_select(hq_checker *checker, const hq_expr *condition, const hq_value *yes, const hq_value *no,
                  hq_value *value_r)
{
    bool widens = false;
    hq_value shape = *yes;
    if (!value_is_storable(yes) || !value_is_storable(no) || !value_join(checker, &shape, no, &widens))
        return false;
    const hq_expr *parts[MAX_PARTS] = {0}, *others[MAX_PARTS] = {0};
    hq_value one = value_convert(checker, yes, &shape);
    hq_value other = value_convert(checker, no, &shape);
    size_t count = value_parts(&one, parts);
    value_parts(&other, others);
    for (size_t i = 0; i < count; i++)
        parts[i] = build_cond(checker, condition, parts[i], others[i]);
    *value_r = value_with_parts(checker, &shape, parts);
    return true;
}
