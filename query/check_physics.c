/* query/check_physics.c - the functions of the module hq: angles, distances, masses, in float64.
 *
 * docs/query-language.md gives the formulas; the order of the operations is part of them.
 */
#include <math.h>

#include "query/check.h"

static const hq_expr *add(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return build_binary(checker, EXPR_ADD, a, b);
}

static const hq_expr *subtract(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return build_binary(checker, EXPR_SUBTRACT, a, b);
}

static const hq_expr *multiply(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    return build_binary(checker, EXPR_MULTIPLY, a, b);
}

static const hq_expr *square(hq_checker *checker, const hq_expr *a)
{
    return multiply(checker, a, a);
}

static const hq_expr *float_of(hq_checker *checker, const hq_expr *a)
{
    return build_once(checker, build_convert(checker, a, SCALAR_FLOAT));
}

static hq_value record_argument(hq_checker *checker, const hq_node *node)
{
    hq_value value = check_expr(checker, node);
    if (!kind_is_record(value.kind))
        source_fail(checker->source, check_start(node), NULL, "a record should stand here, and this is %s",
                    check_describe(checker, &value));
    return value_once(checker, &value);
}

/* Into [-pi, pi): d - 2 pi * floor((d + pi) / (2 pi)). */
static const hq_expr *wrapped(hq_checker *checker, const hq_expr *a, const hq_expr *b)
{
    const hq_expr *turn = build_float(checker, 2 * M_PI);
    const hq_expr *d = build_once(checker, subtract(checker, a, b));
    const hq_expr *turns = build_binary(checker, EXPR_DIVIDE, add(checker, d, build_float(checker, M_PI)), turn);
    return subtract(checker, d, multiply(checker, turn, build_call(checker, MATH_FLOOR, turns, NULL)));
}

hq_value call_delta_phi(hq_checker *checker, const hq_node *node)
{
    const hq_expr *a = check_scalar(checker, node->kids[1]);
    const hq_expr *b = check_scalar(checker, node->kids[2]);
    checker->at = node->at;
    return value_of(wrapped(checker, build_convert(checker, a, SCALAR_FLOAT), build_convert(checker, b, SCALAR_FLOAT)));
}

static const hq_expr *member(hq_checker *checker, const hq_node *node, const hq_value *record, const char *name)
{
    return float_of(checker, check_member(checker, node, record, name));
}

hq_value call_delta_r(hq_checker *checker, const hq_node *node)
{
    hq_value a = record_argument(checker, node->kids[1]);
    hq_value b = record_argument(checker, node->kids[2]);
    const hq_expr *eta = build_once(checker, subtract(checker, member(checker, node->kids[1], &a, "eta"),
                                                      member(checker, node->kids[2], &b, "eta")));
    const hq_expr *phi = build_once(checker, wrapped(checker, member(checker, node->kids[1], &a, "phi"),
                                                     member(checker, node->kids[2], &b, "phi")));
    checker->at = node->at;
    const hq_expr *sum = add(checker, square(checker, eta), square(checker, phi));
    return value_of(build_call(checker, "sqrt", sum, NULL));
}

enum { PX, PY, PZ, ENERGY, COMPONENTS };

static void momentum(hq_checker *checker, const hq_node *node, const hq_expr **p)
{
    hq_value record = record_argument(checker, node);
    const hq_expr *pt = member(checker, node, &record, "pt");
    const hq_expr *eta = member(checker, node, &record, "eta");
    const hq_expr *phi = member(checker, node, &record, "phi");
    const hq_expr *mass = member(checker, node, &record, "mass");
    p[PX] = build_once(checker, multiply(checker, pt, build_call(checker, "cos", phi, NULL)));
    p[PY] = build_once(checker, multiply(checker, pt, build_call(checker, "sin", phi, NULL)));
    p[PZ] = build_once(checker, multiply(checker, pt, build_call(checker, "sinh", eta, NULL)));
    const hq_expr *sum = add(checker, square(checker, p[PX]), square(checker, p[PY]));
    sum = add(checker, add(checker, sum, square(checker, p[PZ])), square(checker, mass));
    p[ENERGY] = build_once(checker, build_call(checker, "sqrt", sum, NULL));
}

hq_value call_invariant_mass(hq_checker *checker, const hq_node *node)
{
    const hq_expr *sum[COMPONENTS] = {NULL};
    for (size_t i = 1; i < node->kid_count; i++) {
        const hq_expr *p[COMPONENTS];
        momentum(checker, node->kids[i], p);
        for (size_t j = 0; j < COMPONENTS; j++)
            sum[j] = i == 1 ? p[j] : build_once(checker, add(checker, sum[j], p[j]));
    }
    checker->at = node->at;
    const hq_expr *rest = square(checker, sum[ENERGY]);
    for (size_t j = PX; j <= PZ; j++)
        rest = subtract(checker, rest, square(checker, sum[j]));
    rest = build_once(checker, rest);
    const hq_expr *is_negative = build_binary(checker, EXPR_LESS, rest, build_float(checker, 0));
    const hq_expr *below = build_call(checker, "sqrt", build_unary(checker, EXPR_NEGATE, rest), NULL);
    return value_of(build_cond(checker, is_negative, build_unary(checker, EXPR_NEGATE, below),
                               build_call(checker, "sqrt", rest, NULL)));
}
