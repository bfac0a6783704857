/* query/check_fold.c - comprehensions, lists, and the functions that go through a sequence: sum, any, max and their
 * kin.
 *
 * What a loop's statements leave behind lies in slots. Their types are those of the elements, which are known only once
 * the loop's body is being made: what has to run before the loop is put there first and completed later.
 */
#include <string.h>

#include "query/check.h"

/* --- arguments --- */

/* The positional arguments and those of the names given; the rest is refused. */
typedef struct arguments {
    const hq_node *first;
    size_t count; /* of positional ones */
    const hq_node *key, *fallback, *reverse, *start;
} arguments;

static const hq_node **place_of(arguments *given, const char *allowed, const char *name)
{
    if (!strstr(allowed, name))
        return NULL;
    return strcmp(name, "key") == 0       ? &given->key
           : strcmp(name, "default") == 0 ? &given->fallback
           : strcmp(name, "reverse") == 0 ? &given->reverse
           : strcmp(name, "start") == 0   ? &given->start
                                          : NULL;
}

static arguments read_arguments(hq_checker *checker, const hq_node *call, const char *function, const char *allowed)
{
    arguments given = {.first = call->kid_count > 1 ? call->kids[1] : NULL};
    for (size_t i = 1; i < call->kid_count; i++) {
        const hq_node *argument = call->kids[i];
        if (argument->kind != NODE_KEYWORD) {
            given.count++;
            continue;
        }
        const hq_node **place = place_of(&given, allowed, argument->word->text);
        if (!place)
            source_fail(checker->source, argument->at, NULL, "%s takes no argument named '%.200s'", function,
                        argument->word->text);
        if (*place)
            source_fail(checker->source, argument->at, NULL, "%s is given twice", argument->word->text);
        *place = argument->kids[0];
    }
    if (!given.count)
        source_fail(checker->source, call->at, NULL, "%s takes something to go through", function);
    return given;
}

static void demand_one(hq_checker *checker, const hq_node *call, const char *function, const arguments *given)
{
    if (given->count > 1)
        source_fail(checker->source, call->kids[2]->at, "put them into a list: [a, b]",
                    "%s takes one argument to go through, not %zu", function, given->count);
}

hq_value check_iterable(hq_checker *checker, const hq_node *node)
{
    if (node->kind == NODE_COMP)
        return (hq_value){.kind = KIND_GENERATOR, .node = node};
    hq_value tuple;
    return check_takes_list(checker, node, &tuple) ? tuple : check_expr(checker, node);
}

/* A number: bools count as ints. */
static const hq_expr *number_of(hq_checker *checker, const hq_node *node, const hq_value *value)
{
    if (!kind_is_scalar(value->kind))
        source_fail(checker->source, check_start(node), NULL, "the elements should be numbers, and each is %s",
                    check_describe(checker, value));
    return value->kind == KIND_BOOL ? build_convert(checker, value->part[0], SCALAR_INT) : value->part[0];
}

/* --- lists --- */

/* A list that grows in the event's memory. */
typedef struct listing {
    const hq_node *node;
    const hq_node *key; /* NULL, or what the elements are to be sorted by */
    bool is_sorted;
    bool is_bounded;      /* the room for all is taken beforehand */
    hq_stmt *room;        /* takes it */
    uint32_t base, count; /* slots */
    uint32_t capacity;    /* slot: how many elements there is room for */
    hq_value shape;       /* of the elements */
    size_t width;         /* words for each, its key included */
    size_t dropped;       /* the words of the key, unless it is the element itself */
    int64_t keys;         /* what STMT_SORT wants to know of them */
} listing;

static void finish_room(hq_checker *checker, hq_stmt *stmt, uint32_t base, size_t width)
{
    stmt->slot = base;
    stmt->c = build_int(checker, (int64_t)width);
}

static void make_room(hq_checker *checker, const listing *list)
{
    hq_stmt *full = build_stmt(checker, STMT_IF);
    const hq_expr *count = build_slot(checker, list->count);
    full->a = build_binary(checker, EXPR_EQUAL, count, build_slot(checker, list->capacity));
    hq_block *outer = build_begin_block(checker);
    full->body = checker->block;
    const hq_expr *doubled = build_binary(checker, EXPR_MULTIPLY, build_slot(checker, list->capacity),
                                          build_int(checker, 2));
    build_set(checker, list->capacity, build_binary(checker, EXPR_MAX, doubled, build_int(checker, 8)));
    hq_stmt *room = build_stmt(checker, STMT_ROOM);
    room->a = build_slot(checker, list->capacity);
    room->b = build_binary(checker, EXPR_MULTIPLY, count, build_int(checker, (int64_t)list->width));
    room->index = list->room->index;
    finish_room(checker, room, list->base, list->width);
    build_end_block(checker, outer);
}

/* What the elements are sorted by, in parts; it stands before each of them where it is not the element itself. */
static void sort_keys(hq_checker *checker, listing *list, const hq_value *element, const hq_expr **parts)
{
    hq_value key = list->key ? check_key(checker, list->key, element) : *element;
    if (!check_is_key(&key))
        source_fail(checker->source, list->key ? list->key->at : check_start(list->node),
                    list->key ? NULL : "give a key=lambda x: … that is a number",
                    "what is sorted by must be a number, or a tuple of numbers, and this is %s",
                    check_describe_key(checker, &key));
    size_t count = check_key_parts(checker, &key, parts, MAX_KEY_PARTS);
    for (size_t i = count; i-- > 0;)
        list->keys = list->keys << SORT_KEY_BITS | (parts[i]->type == SCALAR_FLOAT ? SORT_FLOAT : SORT_INT);
    list->dropped = list->key ? count : 0;
}

static void list_turn(hq_checker *checker, const hq_value *element, void *data)
{
    listing *list = data;
    const hq_expr *parts[MAX_PARTS + MAX_KEY_PARTS];
    if (!value_is_storable(element))
        source_fail(checker->source, check_start(list->node), NULL, "%s cannot be kept in a list",
                    check_describe(checker, element));
    list->shape = *element;
    if (list->is_sorted)
        sort_keys(checker, list, element, parts);
    size_t count = list->dropped + value_parts(element, parts + list->dropped);
    list->width = count;
    finish_room(checker, list->room, list->base, count);
    if (!list->is_bounded)
        make_room(checker, list);
    const hq_expr *offset = build_binary(checker, EXPR_MULTIPLY, build_slot(checker, list->count),
                                         build_int(checker, (int64_t)count));
    const hq_expr *address = build_copy(checker,
                                        build_binary(checker, EXPR_ADD, build_slot(checker, list->base), offset));
    for (size_t i = 0; i < count; i++)
        build_store(checker, build_binary(checker, EXPR_ADD, address, build_int(checker, (int64_t)i)), parts[i]);
    build_set(checker, list->count,
              build_binary(checker, EXPR_ADD, build_slot(checker, list->count), build_int(checker, 1)));
}

static hq_value list_of(hq_checker *checker, const hq_node *node, const hq_value *iterable, listing *list)
{
    const hq_expr *zero = build_int(checker, 0);
    hq_value whole = iterable->kind == KIND_REVERSED ? iterable->items[0] : *iterable;
    list->node = node;
    list->is_bounded = kind_is_sequence(whole.kind) && whole.kind != KIND_RANGE;
    if (list->is_bounded)
        whole = value_once(checker, &whole);
    const hq_expr *length = list->is_bounded ? build_once(checker, seq_length(checker, &whole)) : zero;
    list->base = build_new_slot(checker, SCALAR_INT);
    list->count = build_new_slot(checker, SCALAR_INT);
    list->capacity = build_new_slot(checker, SCALAR_INT);
    build_set(checker, list->base, zero);
    build_set(checker, list->count, zero);
    build_set(checker, list->capacity, zero);
    list->room = build_stmt(checker, STMT_ROOM);
    list->room->a = length;
    list->room->index = build_room_fault(checker, node->line);
    seq_each(checker, node, &whole, list_turn, list);
    hq_value *items = arena_alloc(checker->source->arena, sizeof *items);
    *items = list->shape;
    return (hq_value){.kind = KIND_ARRAY,
                      .ref = (uint32_t)list->width,
                      .part = {build_slot(checker, list->base), build_slot(checker, list->count)},
                      .items = items,
                      .item_count = 1};
}

/* What can be no element of anything. */
static _Noreturn void refuse_element(hq_checker *checker, const hq_node *node, const hq_value *value)
{
    const char *hint = value->kind == KIND_HISTOGRAM ? "fill each by name; a function can be given a histogram"
                       : value->kind == KIND_STRING  ? "strings stand only in declarations and in fills, each by itself"
                       : kind_is_iterable(value->kind) ? "make a list of it: list(…)"
                                                       : NULL;
    source_fail(checker->source, check_start(node), hint, "%s cannot be an element here",
                check_describe(checker, value));
}

/* Values side by side, of one shape, become elements. */
static hq_value array_of_tuple(hq_checker *checker, const hq_node *node, const hq_value *tuple)
{
    if (!tuple->item_count)
        source_fail(checker->source, check_start(node), "begin with what it is to hold, or write [x for x in … if …]",
                    "an empty list has elements of no type");
    hq_value *shape = arena_alloc(checker->source->arena, sizeof *shape);
    *shape = tuple->items[0];
    bool widens = false;
    for (size_t i = 0; i < tuple->item_count; i++)
        if (!value_is_storable(&tuple->items[i]))
            refuse_element(checker, node, &tuple->items[i]);
    for (size_t i = 0; i < tuple->item_count; i++)
        if (!value_join(checker, shape, &tuple->items[i], &widens))
            source_fail(checker->source, check_start(node), NULL, "the elements differ: %s and %s",
                        check_describe(checker, shape), check_describe(checker, &tuple->items[i]));
    size_t width = value_part_count(shape);
    uint32_t base = build_new_slot(checker, SCALAR_INT);
    build_set(checker, base, build_int(checker, 0));
    hq_stmt *room = build_stmt(checker, STMT_ROOM);
    room->a = build_int(checker, (int64_t)tuple->item_count);
    room->index = build_room_fault(checker, node->line);
    finish_room(checker, room, base, width);
    for (size_t i = 0; i < tuple->item_count; i++) {
        const hq_expr *parts[MAX_PARTS];
        hq_value element = value_convert(checker, &tuple->items[i], shape);
        value_parts(&element, parts);
        for (size_t j = 0; j < width; j++)
            build_store(checker,
                        build_binary(checker, EXPR_ADD, build_slot(checker, base),
                                     build_int(checker, (int64_t)(i * width + j))),
                        parts[j]);
    }
    return (hq_value){.kind = KIND_ARRAY,
                      .ref = (uint32_t)width,
                      .part = {build_slot(checker, base), build_int(checker, (int64_t)tuple->item_count)},
                      .items = shape,
                      .item_count = 1};
}

hq_value seq_array(hq_checker *checker, const hq_node *node, const hq_value *iterable)
{
    if (iterable->kind == KIND_TUPLE)
        return array_of_tuple(checker, node, iterable);
    listing list = {0};
    return list_of(checker, node, iterable, &list);
}

hq_value check_comprehension(hq_checker *checker, const hq_node *node)
{
    hq_value generator = {.kind = KIND_GENERATOR, .node = node};
    return node->op == '[' ? seq_array(checker, node, &generator) : generator;
}

hq_value fold_list(hq_checker *checker, const hq_node *node)
{
    arguments given = read_arguments(checker, node, "list", "");
    demand_one(checker, node, "list", &given);
    hq_value iterable = check_iterable(checker, given.first);
    return seq_array(checker, given.first, &iterable);
}

hq_value fold_sorted(hq_checker *checker, const hq_node *node)
{
    arguments given = read_arguments(checker, node, "sorted", "key reverse");
    demand_one(checker, node, "sorted", &given);
    hq_value iterable = check_iterable(checker, given.first);
    int64_t is_reverse = 0;
    if (given.reverse) {
        const hq_expr *reverse = check_condition(checker, given.reverse);
        if (reverse->op != EXPR_CONST)
            source_fail(checker->source, given.reverse->at, "sort by a key that changes its sign",
                        "reverse must be True or False");
        is_reverse = reverse->value.integer;
    }
    if (iterable.kind == KIND_TUPLE)
        iterable = array_of_tuple(checker, given.first, &iterable);
    listing list = {.key = given.key, .is_sorted = true};
    hq_value array = list_of(checker, given.first, &iterable, &list);
    size_t own = value_part_count(&list.shape);
    hq_stmt *sort = build_stmt(checker, STMT_SORT);
    sort->a = array.part[0];
    sort->b = array.part[1];
    sort->index = list.room->index;
    sort->c = build_int(checker, list.keys);
    sort->slot = (uint32_t)list.width * SORT_WIDTH + (is_reverse ? SORT_REVERSE : 0) +
                 (list.width > own ? SORT_DROP : 0);
    array.ref = (uint32_t)own;
    return array;
}

/* --- sums and questions --- */

typedef struct folding {
    const hq_node *node;
    hq_stmt *before; /* sets the slot before the loop */
    const hq_expr *start;
    hq_expr_op op;
    uint32_t slot;
    unsigned nest;     /* what stands round the loop */
    bool wanted;       /* the outcome that ends it */
    bool runs_through; /* a list is made to its end before anybody asks */
} folding;

static void sum_turn(hq_checker *checker, const hq_value *element, void *data)
{
    folding *self = data;
    const hq_expr *next = number_of(checker, self->node, element);
    hq_scalar type = (hq_scalar)(next->type > self->start->type ? next->type : self->start->type);
    self->slot = build_new_slot(checker, type);
    self->before->slot = self->slot;
    self->before->a = build_convert(checker, self->start, type);
    build_set(checker, self->slot,
              build_binary(checker, self->op, build_slot(checker, self->slot), build_convert(checker, next, type)));
}

/* All elements added up or multiplied, from left to right. */
static hq_value fold_by(hq_checker *checker, const hq_node *node, const arguments *given, hq_expr_op op)
{
    hq_value iterable = check_iterable(checker, given->first);
    folding self = {.node = given->first, .op = op, .start = build_int(checker, op == EXPR_MULTIPLY)};
    if (given->start) {
        hq_value start = check_expr(checker, given->start);
        self.start = build_once(checker, number_of(checker, given->start, &start));
    }
    checker->at = node->at;
    self.before = build_stmt(checker, STMT_SET);
    seq_each(checker, given->first, &iterable, sum_turn, &self);
    return value_of(build_slot(checker, self.slot));
}

hq_value fold_product(hq_checker *checker, const hq_node *node)
{
    arguments given = read_arguments(checker, node, "math.prod", "start");
    demand_one(checker, node, "math.prod", &given);
    return fold_by(checker, node, &given, EXPR_MULTIPLY);
}

hq_value fold_sum(hq_checker *checker, const hq_node *node)
{
    arguments given = read_arguments(checker, node, "sum", "start");
    if (given.count == 2 && !given.start)
        given.start = node->kids[2];
    else
        demand_one(checker, node, "sum", &given);
    return fold_by(checker, node, &given, EXPR_ADD);
}

static void length_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const folding *self = data;
    (void)element;
    build_set(checker, self->slot,
              build_binary(checker, EXPR_ADD, build_slot(checker, self->slot), build_int(checker, 1)));
}

/* Of a list comprehension: nothing needs to be kept. */
hq_value fold_length(hq_checker *checker, const hq_node *node)
{
    folding self = {.slot = build_new_slot(checker, SCALAR_INT)};
    build_set(checker, self.slot, build_int(checker, 0));
    hq_value generator = {.kind = KIND_GENERATOR, .node = node};
    seq_each(checker, node, &generator, length_turn, &self);
    return value_of(build_slot(checker, self.slot));
}

static void question_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const folding *self = data;
    const hq_expr *truth = check_truth(checker, self->node, element);
    hq_stmt *stmt = build_stmt(checker, STMT_IF);
    stmt->a = self->wanted ? truth : build_unary(checker, EXPR_NOT, truth);
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    build_set(checker, self->slot, build_bool(checker, self->wanted));
    if (!self->runs_through)
        seq_leave(checker, self->nest);
    build_end_block(checker, outer);
}

static hq_value fold_question(hq_checker *checker, const hq_node *node, const char *function, bool wanted)
{
    arguments given = read_arguments(checker, node, function, "");
    demand_one(checker, node, function, &given);
    hq_value iterable = check_iterable(checker, given.first);
    folding self = {.node = given.first, .nest = checker->nest, .wanted = wanted};
    self.runs_through = given.first->kind == NODE_COMP && given.first->op == '[';
    self.slot = build_new_slot(checker, SCALAR_BOOL);
    build_set(checker, self.slot, build_bool(checker, !wanted));
    seq_each(checker, given.first, &iterable, question_turn, &self);
    return value_of(build_slot(checker, self.slot));
}

hq_value fold_any(hq_checker *checker, const hq_node *node)
{
    return fold_question(checker, node, "any", true);
}

hq_value fold_all(hq_checker *checker, const hq_node *node)
{
    return fold_question(checker, node, "all", false);
}

/* --- the least and the greatest --- */

typedef struct search {
    const hq_node *node, *key;
    int better;        /* than the best so far: '<' or '>' */
    uint32_t has;      /* slot: there was an element */
    uint32_t best;     /* the first slot of the best one so far, */
    uint32_t best_key; /* and that of its key */
    hq_value shape;
} search;

static void search_turn(hq_checker *checker, const hq_value *element, void *data)
{
    search *self = data;
    hq_value candidate = *element;
    if (!value_is_storable(element))
        source_fail(checker->source, check_start(self->node), NULL, "%s cannot be chosen",
                    check_describe(checker, element));
    hq_value key = self->key ? check_key(checker, self->key, element) : *element;
    const hq_node *place = self->key ? self->key : self->node;
    if (!check_is_key(&key))
        source_fail(checker->source, self->key ? place->at : check_start(place),
                    self->key ? NULL : "give a key=lambda x: … that is a number",
                    "%s must be a number, or a tuple of numbers, and this is %s",
                    self->key ? "a key" : "what has a least and a greatest", check_describe_key(checker, &key));
    if (kind_is_scalar(key.kind))
        key = value_of(number_of(checker, place, &key));
    key = value_once(checker, &key);
    if (!self->key)
        candidate = key;
    self->shape = candidate;
    self->best = value_new_slots(checker, &candidate);
    self->best_key = self->key ? value_new_slots(checker, &key) : self->best;
    hq_value best_key = value_of_slots(checker, &key, self->best_key);
    hq_stmt *stmt = build_stmt(checker, STMT_IF);
    stmt->a = build_binary(checker, EXPR_OR, build_unary(checker, EXPR_NOT, build_slot(checker, self->has)),
                           check_comparison(checker, self->node, self->better, &key, &best_key));
    hq_block *outer = build_begin_block(checker);
    stmt->body = checker->block;
    build_set(checker, self->has, build_bool(checker, true));
    value_set(checker, self->best, &self->shape, &candidate);
    if (self->key)
        value_set(checker, self->best_key, &key, &key);
    build_end_block(checker, outer);
}

/* What the search found, or the default. */
static hq_value found_or(hq_checker *checker, const hq_node *node, const search *self, const hq_value *fallback)
{
    hq_value best = value_of_slots(checker, &self->shape, self->best);
    hq_value result;
    const hq_expr *has = build_slot(checker, self->has);
    if (!value_select(checker, has, &best, fallback, &result))
        source_fail(checker->source, check_start(node), NULL, "the default is %s, and the elements are each %s",
                    check_describe(checker, fallback), check_describe(checker, &best));
    return result;
}

static hq_value extreme_of(hq_checker *checker, const hq_node *node, const arguments *given, hq_expr_op op,
                           const hq_value *iterable)
{
    hq_value fallback = {0};
    if (given->fallback) {
        fallback = check_expr(checker, given->fallback);
        if (value_is_storable(&fallback))
            fallback = value_once(checker, &fallback);
    }
    search self = {.node = given->first, .key = given->key, .better = op == EXPR_MIN ? '<' : '>'};
    self.has = build_new_slot(checker, SCALAR_BOOL);
    build_set(checker, self.has, build_bool(checker, false));
    seq_each(checker, given->first, iterable, search_turn, &self);
    checker->at = node->at;
    if (given->fallback)
        return found_or(checker, given->fallback, &self, &fallback);
    hq_stmt *demand = build_stmt(checker, STMT_DEMAND);
    demand->a = build_slot(checker, self.has);
    demand->index = build_fault(
        checker, node->line,
        source_format(checker->source, "%s of nothing: give it a default=…", op == EXPR_MIN ? "min" : "max"));
    return value_of_slots(checker, &self.shape, self.best);
}

/* The least or greatest of numbers that stand side by side needs no loop. */
static hq_value extreme_of_numbers(hq_checker *checker, const hq_node *node, hq_expr_op op, const hq_value *numbers)
{
    const hq_expr *sofar = numbers->items[0].part[0];
    for (size_t i = 1; i < numbers->item_count; i++) {
        const hq_expr *next = numbers->items[i].part[0];
        hq_scalar type = (hq_scalar)(sofar->type > next->type ? sofar->type : next->type);
        checker->at = node->at;
        if (type == SCALAR_BOOL)
            type = SCALAR_INT;
        sofar = build_binary(checker, op, build_convert(checker, sofar, type), build_convert(checker, next, type));
    }
    return value_of(sofar);
}

static hq_value extreme_of_several(hq_checker *checker, const hq_node *node, const arguments *given, hq_expr_op op)
{
    enum { MOST = 100 };
    bool are_numbers = !given->key;
    if (given->fallback)
        source_fail(checker->source, given->fallback->at, NULL, "there is always one of several: no default");
    if (given->count > MOST)
        source_limit(checker->source, node->at, "more than %d arguments", MOST);
    hq_value *items = arena_alloc(checker->source->arena, given->count * sizeof *items);
    for (size_t i = 0; i < given->count; i++) {
        items[i] = check_expr(checker, node->kids[i + 1]);
        if (kind_is_scalar(items[i].kind))
            continue;
        if (are_numbers && !check_is_key(&items[i]))
            check_refuse_operand(checker, node->kids[i + 1], &items[i]);
        are_numbers = false;
    }
    hq_value tuple = {.kind = KIND_TUPLE, .items = items, .item_count = given->count};
    if (are_numbers)
        return extreme_of_numbers(checker, node, op, &tuple);
    tuple = value_tuple(checker, given->count, items);
    return extreme_of(checker, node, given, op, &tuple);
}

hq_value fold_extreme(hq_checker *checker, const hq_node *node, hq_expr_op op)
{
    const char *function = op == EXPR_MIN ? "min" : "max";
    arguments given = read_arguments(checker, node, function, "key default");
    if (given.count > 1)
        return extreme_of_several(checker, node, &given, op);
    hq_value iterable = check_iterable(checker, given.first);
    if (!kind_is_iterable(iterable.kind))
        source_fail(checker->source, check_start(given.first), NULL, "%s of %s", function,
                    check_describe(checker, &iterable));
    return extreme_of(checker, node, &given, op, &iterable);
}
