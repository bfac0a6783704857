/* query/check_math.c - those functions of math that are more than a call of one of MATH_FUNCTIONS. */
#include <math.h>
#include <string.h>

#include "query/check.h"
#include "query/exact.h"

static size_t argument_count(const hq_node *node)
{
    return node->kid_count - 1;
}

static const hq_node *argument(const hq_node *node, size_t index)
{
    return node->kids[index + 1];
}

static const hq_expr *float_of(hq_checker *checker, const hq_node *node)
{
    return build_convert(checker, check_scalar(checker, node), SCALAR_FLOAT);
}

static const hq_expr *float_argument(hq_checker *checker, const hq_node *node, size_t index)
{
    const hq_expr *value = float_of(checker, argument(node, index));
    checker->at = node->at;
    return value;
}

static const hq_expr *int_argument(hq_checker *checker, const hq_node *node, size_t index, const char *what)
{
    const hq_expr *value = check_int(checker, argument(node, index), what);
    checker->at = node->at;
    return value;
}

/* --- floats --- */

hq_value math_isnan(hq_checker *checker, const hq_node *node)
{
    const hq_expr *a = build_once(checker, float_argument(checker, node, 0));
    return value_of(build_binary(checker, EXPR_NOT_EQUAL, a, a));
}

static const hq_expr *against_infinity(hq_checker *checker, const hq_expr *a, hq_expr_op op)
{
    return build_binary(checker, op, build_unary(checker, EXPR_ABS, a), build_float(checker, (double)INFINITY));
}

hq_value math_isinf(hq_checker *checker, const hq_node *node)
{
    return value_of(against_infinity(checker, float_argument(checker, node, 0), EXPR_EQUAL));
}

hq_value math_isfinite(hq_checker *checker, const hq_node *node)
{
    return value_of(against_infinity(checker, float_argument(checker, node, 0), EXPR_LESS));
}

hq_value math_fabs(hq_checker *checker, const hq_node *node)
{
    return value_of(build_unary(checker, EXPR_ABS, float_argument(checker, node, 0)));
}

hq_value math_log(hq_checker *checker, const hq_node *node)
{
    const hq_expr *x = float_argument(checker, node, 0);
    if (argument_count(node) == 1)
        return value_of(build_call(checker, "log", x, NULL));
    return value_of(build_call(checker, MATH_LOG_TO_BASE, x, float_argument(checker, node, 1)));
}

hq_value math_ldexp(hq_checker *checker, const hq_node *node)
{
    const hq_expr *x = float_argument(checker, node, 0);
    const hq_expr *exponent = int_argument(checker, node, 1, "the exponent of ldexp");
    return value_of(build_call(checker, MATH_SCALE, x, build_convert(checker, exponent, SCALAR_FLOAT)));
}

hq_value math_frexp(hq_checker *checker, const hq_node *node)
{
    const hq_expr *x = build_once(checker, float_argument(checker, node, 0));
    const hq_expr *exponent = build_convert(checker, build_call(checker, MATH_EXPONENT, x, NULL), SCALAR_INT);
    hq_value parts[2] = {value_of(build_once(checker, build_call(checker, MATH_MANTISSA, x, NULL))),
                         value_of(build_once(checker, exponent))};
    return value_tuple(checker, 2, parts);
}

hq_value math_modf(hq_checker *checker, const hq_node *node)
{
    const hq_expr *x = build_once(checker, float_argument(checker, node, 0));
    hq_value parts[2] = {value_of(build_once(checker, build_call(checker, MATH_FRACTION, x, NULL))),
                         value_of(build_once(checker, build_call(checker, MATH_TRUNC, x, NULL)))};
    return value_tuple(checker, 2, parts);
}

/* |b - a| <= a part of either's size, or an absolute bound. */
static const hq_expr *are_close(hq_checker *checker, const hq_expr *a, const hq_expr *b, const hq_expr *part,
                                const hq_expr *bound)
{
    const hq_expr *apart = build_once(checker,
                                      build_unary(checker, EXPR_ABS, build_binary(checker, EXPR_SUBTRACT, b, a)));
    const hq_expr *sides[2] = {b, a};
    const hq_expr *is_near = build_binary(checker, EXPR_LESS_EQUAL, apart, bound);
    for (size_t i = 0; i < 2; i++) {
        const hq_expr *allowed = build_unary(checker, EXPR_ABS, build_binary(checker, EXPR_MULTIPLY, part, sides[i]));
        is_near = build_binary(checker, EXPR_OR, build_binary(checker, EXPR_LESS_EQUAL, apart, allowed), is_near);
    }
    /* An infinity is close to itself only. */
    const hq_expr *is_finite = build_binary(checker, EXPR_AND, against_infinity(checker, a, EXPR_LESS),
                                            against_infinity(checker, b, EXPR_LESS));
    return build_binary(checker, EXPR_OR, build_binary(checker, EXPR_EQUAL, a, b),
                        build_binary(checker, EXPR_AND, is_finite, is_near));
}

hq_value math_isclose(hq_checker *checker, const hq_node *node)
{
    const hq_node *places[2] = {NULL, NULL}; /* rel_tol, abs_tol */
    size_t count = 0;
    for (size_t i = 0; i < argument_count(node); i++) {
        const hq_node *given = argument(node, i);
        if (given->kind != NODE_KEYWORD) {
            count++;
            continue;
        }
        bool is_absolute = strcmp(given->word->text, "abs_tol") == 0;
        if (!is_absolute && strcmp(given->word->text, "rel_tol") != 0)
            source_fail(checker->source, given->at, "isclose(a, b, rel_tol=…, abs_tol=…)",
                        "isclose takes no argument named '%.200s'", given->word->text);
        if (places[is_absolute])
            source_fail(checker->source, given->at, NULL, "%s is given twice", given->word->text);
        places[is_absolute] = given->kids[0];
    }
    if (count != 2)
        source_fail(checker->source, node->at, "isclose(a, b, rel_tol=…, abs_tol=…)",
                    "isclose compares two numbers, not %zu", count);
    const hq_expr *values[4] = {NULL, NULL, build_float(checker, 1e-9), build_float(checker, 0)};
    for (size_t i = 0; i < 4; i++) {
        const hq_node *given = i < 2 ? argument(node, i) : places[i - 2];
        if (!given)
            continue;
        values[i] = build_once(checker, float_of(checker, given));
        if (i >= 2 && values[i]->op == EXPR_CONST && values[i]->value.number < 0)
            source_fail(checker->source, given->at, NULL, "a tolerance must not be negative");
    }
    checker->at = node->at;
    return value_of(are_close(checker, values[0], values[1], values[2], values[3]));
}

/* --- ints --- */

static hq_value call_of_ints(hq_checker *checker, const hq_node *node, const char *function, const char *what)
{
    const hq_expr *a = int_argument(checker, node, 0, what);
    const hq_expr *b = argument_count(node) > 1 ? int_argument(checker, node, 1, what) : NULL;
    return value_of(build_call(checker, function, a, b));
}

hq_value math_factorial(hq_checker *checker, const hq_node *node)
{
    return call_of_ints(checker, node, "factorial", "the argument of factorial");
}

hq_value math_isqrt(hq_checker *checker, const hq_node *node)
{
    return call_of_ints(checker, node, "isqrt", "the argument of isqrt");
}

hq_value math_comb(hq_checker *checker, const hq_node *node)
{
    enum { STEPS = 64 }; /* that take about as long as it takes to compile an operation */
    const hq_expr *n = int_argument(checker, node, 0, "an argument of comb");
    const hq_expr *k = int_argument(checker, node, 1, "an argument of comb");
    /* Of constants it is computed now, in up to a millisecond each: they count as the operations that they spare. */
    if (n->op == EXPR_CONST && k->op == EXPR_CONST && k->value.integer > 0 && n->value.integer > k->value.integer) {
        int64_t rest = n->value.integer - k->value.integer;
        int64_t steps = rest < k->value.integer ? rest : k->value.integer;
        checker->program->code_count += (size_t)(steps <= MATH_MOST_CHOSEN ? steps : 0) / STEPS;
    }
    return value_of(build_call(checker, "comb", n, k));
}

hq_value math_perm(hq_checker *checker, const hq_node *node)
{
    const char *function = argument_count(node) == 1 ? "factorial" : MATH_PERMUTATIONS;
    return call_of_ints(checker, node, function, "an argument of perm");
}

static hq_value each_with_the_next(hq_checker *checker, const hq_node *node, const char *function, int64_t of_none,
                                   const char *what)
{
    const hq_expr *sofar = build_int(checker, of_none);
    for (size_t i = 0; i < argument_count(node); i++)
        sofar = build_call(checker, function, sofar, int_argument(checker, node, i, what));
    return value_of(sofar);
}

hq_value math_gcd(hq_checker *checker, const hq_node *node)
{
    return each_with_the_next(checker, node, "gcd", 0, "an argument of gcd");
}

hq_value math_lcm(hq_checker *checker, const hq_node *node)
{
    return each_with_the_next(checker, node, "lcm", 1, "an argument of lcm");
}

/* --- sums and norms --- */

static void fsum_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const hq_expr *words = data;
    if (!kind_is_scalar(element->kind))
        source_fail(checker->source, checker->at, NULL, "the elements should be numbers, and each is %s",
                    check_describe(checker, element));
    build_kernel(checker, KERNEL_ADD, words, build_convert(checker, element->part[0], SCALAR_FLOAT));
}

hq_value math_fsum(hq_checker *checker, const hq_node *node)
{
    hq_value iterable = check_iterable(checker, argument(node, 0));
    const hq_expr *words = build_room(checker, node->line, EXACT_WORDS);
    const hq_expr *nothing = build_float(checker, 0);
    build_kernel(checker, KERNEL_CLEAR, words, nothing);
    checker->at = check_start(argument(node, 0));
    seq_each(checker, argument(node, 0), &iterable, fsum_turn, (void *)(uintptr_t)words);
    checker->at = node->at;
    return value_of(build_kernel(checker, KERNEL_SUM, words, nothing));
}

static const hq_expr *constant_norm(hq_checker *checker, const hq_expr *const *sizes, size_t count)
{
    int64_t words[MAX_PARTS];
    for (size_t i = 0; i < count; i++)
        memcpy(&words[i], &sizes[i]->value.number, sizeof words[i]);
    return build_float(checker, exact_norm(words, (double)count));
}

/* The length of a vector; what is behind the sizes are floats. */
static hq_value norm_of(hq_checker *checker, const hq_node *node, const hq_expr *const *sizes, size_t count)
{
    checker->at = node->at;
    if (count < 2)
        return value_of(count ? build_unary(checker, EXPR_ABS, sizes[0]) : build_float(checker, 0));
    if (count == 2)
        return value_of(build_call(checker, "hypot", sizes[0], sizes[1]));
    bool is_constant = true;
    for (size_t i = 0; i < count; i++)
        is_constant = is_constant && sizes[i]->op == EXPR_CONST;
    if (is_constant)
        return value_of(constant_norm(checker, sizes, count));
    const hq_expr *words = build_room(checker, node->line, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        build_store(checker, build_binary(checker, EXPR_ADD, words, build_int(checker, (int64_t)i)), sizes[i]);
    return value_of(build_kernel(checker, KERNEL_NORM, words, build_float(checker, (double)count)));
}

hq_value math_hypot(hq_checker *checker, const hq_node *node)
{
    const hq_expr *sizes[MAX_PARTS];
    for (size_t i = 0; i < argument_count(node); i++)
        sizes[i] = float_argument(checker, node, i);
    return norm_of(checker, node, sizes, argument_count(node));
}

/* A point: a tuple, a list that stands in the text as one, or a sequence. */
static hq_value point_argument(hq_checker *checker, const hq_node *node, size_t index)
{
    const hq_node *given = argument(node, index);
    hq_value point = given->kind == NODE_LIST ? check_items(checker, given) : check_expr(checker, given);
    if (point.kind != KIND_TUPLE && !kind_is_sequence(point.kind))
        source_fail(checker->source, check_start(given), "math.dist((x1, y1), (x2, y2))",
                    "a point is a tuple or a list of numbers, and this is %s", check_describe(checker, &point));
    return point;
}

static hq_value distance_of_tuples(hq_checker *checker, const hq_node *node, const hq_value *one, const hq_value *other)
{
    const hq_expr *sizes[MAX_PARTS];
    if (one->item_count != other->item_count)
        source_fail(checker->source, node->at, NULL, "a point with %zu coordinates and one with %zu", one->item_count,
                    other->item_count);
    for (size_t i = 0; i < one->item_count; i++) {
        const hq_value *wrong = !kind_is_scalar(one->items[i].kind)     ? &one->items[i]
                                : !kind_is_scalar(other->items[i].kind) ? &other->items[i]
                                                                        : NULL;
        if (wrong)
            source_fail(checker->source, node->at, NULL, "a coordinate must be a number, and this is %s",
                        check_describe(checker, wrong));
        sizes[i] = build_binary(checker, EXPR_SUBTRACT, build_convert(checker, one->items[i].part[0], SCALAR_FLOAT),
                                build_convert(checker, other->items[i].part[0], SCALAR_FLOAT));
    }
    return norm_of(checker, node, sizes, one->item_count);
}

typedef struct differing {
    const hq_node *node;
    uint32_t next; /* slot: the word of the next difference */
} differing;

static void difference_turn(hq_checker *checker, const hq_value *element, void *data)
{
    const differing *self = data;
    const hq_value *one = &element->items[0], *other = &element->items[1];
    if (!kind_is_scalar(one->kind) || !kind_is_scalar(other->kind))
        source_fail(checker->source, self->node->at, NULL, "a coordinate must be a number, and this is %s",
                    check_describe(checker, kind_is_scalar(one->kind) ? other : one));
    const hq_expr *next = build_slot(checker, self->next);
    build_store(checker, next,
                build_binary(checker, EXPR_SUBTRACT, build_convert(checker, one->part[0], SCALAR_FLOAT),
                             build_convert(checker, other->part[0], SCALAR_FLOAT)));
    build_set(checker, self->next, build_binary(checker, EXPR_ADD, next, build_int(checker, 1)));
}

hq_value math_dist(hq_checker *checker, const hq_node *node)
{
    hq_value *points = arena_alloc(checker->source->arena, 2 * sizeof *points);
    for (size_t i = 0; i < 2; i++)
        points[i] = point_argument(checker, node, i);
    checker->at = node->at;
    if (points[0].kind == KIND_TUPLE && points[1].kind == KIND_TUPLE)
        return distance_of_tuples(checker, node, &points[0], &points[1]);
    const hq_expr *lengths[2];
    for (size_t i = 0; i < 2; i++) {
        if (points[i].kind == KIND_TUPLE)
            points[i] = seq_array(checker, argument(node, i), &points[i]);
        points[i] = value_once(checker, &points[i]);
        lengths[i] = build_once(checker, seq_length(checker, &points[i]));
    }
    hq_stmt *demand = build_stmt(checker, STMT_DEMAND);
    demand->a = build_binary(checker, EXPR_EQUAL, lengths[0], lengths[1]);
    demand->index = build_fault(checker, node->line, "math.dist of points with different numbers of coordinates");
    uint32_t base = build_new_slot(checker, SCALAR_INT);
    build_set(checker, base, build_int(checker, 0));
    hq_stmt *room = build_stmt(checker, STMT_ROOM);
    room->slot = base;
    room->a = lengths[0];
    room->c = build_int(checker, 1);
    room->index = build_room_fault(checker, node->line);
    differing self = {node, build_new_slot(checker, SCALAR_INT)};
    build_set(checker, self.next, build_slot(checker, base));
    hq_value zip = {.kind = KIND_ZIP, .items = points, .item_count = 2};
    seq_each(checker, node, &zip, difference_turn, &self);
    checker->at = node->at;
    return value_of(build_kernel(checker, KERNEL_NORM, build_slot(checker, base),
                                 build_convert(checker, lengths[0], SCALAR_FLOAT)));
}
