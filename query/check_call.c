/* query/check_call.c - functions: what is known, what is refused by name, and what a call becomes. */
#include <math.h>
#include <string.h>

#include "query/check.h"

typedef hq_value (*check_function)(hq_checker *checker, const hq_node *node);

static hq_value call_len(hq_checker *checker, const hq_node *node);
static hq_value call_abs(hq_checker *checker, const hq_node *node);
static hq_value call_min(hq_checker *checker, const hq_node *node);
static hq_value call_max(hq_checker *checker, const hq_node *node);
static hq_value call_round(hq_checker *checker, const hq_node *node);
static hq_value call_int(hq_checker *checker, const hq_node *node);
static hq_value call_float(hq_checker *checker, const hq_node *node);
static hq_value call_bool(hq_checker *checker, const hq_node *node);
static hq_value call_power(hq_checker *checker, const hq_node *node);
static hq_value call_range(hq_checker *checker, const hq_node *node);
static hq_value call_enumerate(hq_checker *checker, const hq_node *node);
static hq_value call_reversed(hq_checker *checker, const hq_node *node);
static hq_value call_floor(hq_checker *checker, const hq_node *node);
static hq_value call_ceil(hq_checker *checker, const hq_node *node);
static hq_value call_trunc(hq_checker *checker, const hq_node *node);
static hq_value call_misplaced(hq_checker *checker, const hq_node *node);
static hq_value call_zip(hq_checker *checker, const hq_node *node);
static hq_value call_combinations(hq_checker *checker, const hq_node *node);

typedef struct known_function {
    hq_module module;
    const char *name;
    unsigned least, most; /* arguments */
    check_function check;
} known_function;

enum { ANY_NAMES = UINT32_MAX /* the function looks after its arguments itself */ };

/* Those of math that are not here are looked for among MATH_FUNCTIONS. */
static const known_function KNOWN[] = {
    {MODULE_BUILTINS, "abs", 1, 1, call_abs},
    {MODULE_BUILTINS, "all", 1, ANY_NAMES, fold_all},
    {MODULE_BUILTINS, "any", 1, ANY_NAMES, fold_any},
    {MODULE_BUILTINS, "bool", 1, 1, call_bool},
    {MODULE_BUILTINS, "enumerate", 1, 2, call_enumerate},
    {MODULE_BUILTINS, "float", 1, 1, call_float},
    {MODULE_BUILTINS, "int", 1, 1, call_int},
    {MODULE_BUILTINS, "len", 1, 1, call_len},
    {MODULE_BUILTINS, "list", 1, ANY_NAMES, fold_list},
    {MODULE_BUILTINS, "max", 1, ANY_NAMES, call_max},
    {MODULE_BUILTINS, "min", 1, ANY_NAMES, call_min},
    {MODULE_BUILTINS, "pow", 2, 2, call_power},
    {MODULE_BUILTINS, "range", 1, 3, call_range},
    {MODULE_BUILTINS, "reversed", 1, 1, call_reversed},
    {MODULE_BUILTINS, "round", 1, 2, call_round},
    {MODULE_BUILTINS, "sorted", 1, ANY_NAMES, fold_sorted},
    {MODULE_BUILTINS, "sum", 1, ANY_NAMES, fold_sum},
    {MODULE_BUILTINS, "zip", 1, 100, call_zip},
    {MODULE_MATH, "ceil", 1, 1, call_ceil},
    {MODULE_MATH, "comb", 2, 2, math_comb},
    {MODULE_MATH, "dist", 2, 2, math_dist},
    {MODULE_MATH, "fabs", 1, 1, math_fabs},
    {MODULE_MATH, "factorial", 1, 1, math_factorial},
    {MODULE_MATH, "floor", 1, 1, call_floor},
    {MODULE_MATH, "frexp", 1, 1, math_frexp},
    {MODULE_MATH, "fsum", 1, 1, math_fsum},
    {MODULE_MATH, "gcd", 0, 100, math_gcd},
    {MODULE_MATH, "hypot", 0, 100, math_hypot},
    {MODULE_MATH, "isclose", 0, ANY_NAMES, math_isclose},
    {MODULE_MATH, "isfinite", 1, 1, math_isfinite},
    {MODULE_MATH, "isinf", 1, 1, math_isinf},
    {MODULE_MATH, "isnan", 1, 1, math_isnan},
    {MODULE_MATH, "isqrt", 1, 1, math_isqrt},
    {MODULE_MATH, "lcm", 0, 100, math_lcm},
    {MODULE_MATH, "ldexp", 2, 2, math_ldexp},
    {MODULE_MATH, "log", 1, 2, math_log},
    {MODULE_MATH, "modf", 1, 1, math_modf},
    {MODULE_MATH, "perm", 1, 2, math_perm},
    {MODULE_MATH, "prod", 1, ANY_NAMES, fold_product},
    {MODULE_MATH, "trunc", 1, 1, call_trunc},
    {MODULE_HIST, "Hist", 0, 100, call_misplaced},
    {MODULE_AXIS, "Boolean", 0, 100, call_misplaced},
    {MODULE_AXIS, "IntCategory", 0, 100, call_misplaced},
    {MODULE_AXIS, "Integer", 0, 100, call_misplaced},
    {MODULE_AXIS, "Regular", 0, 100, call_misplaced},
    {MODULE_AXIS, "StrCategory", 0, 100, call_misplaced},
    {MODULE_AXIS, "Variable", 0, 100, call_misplaced},
    {MODULE_STORAGE, "Double", 0, 0, call_misplaced},
    {MODULE_STORAGE, "Int64", 0, 0, call_misplaced},
    {MODULE_STORAGE, "Mean", 0, 0, call_misplaced},
    {MODULE_STORAGE, "Weight", 0, 0, call_misplaced},
    {MODULE_STORAGE, "WeightedMean", 0, 0, call_misplaced},
    {MODULE_TRANSFORM, "log", 0, 0, call_misplaced},
    {MODULE_TRANSFORM, "sqrt", 0, 0, call_misplaced},
    {MODULE_HQ, "delta_phi", 2, 2, call_delta_phi},
    {MODULE_HQ, "delta_r", 2, 2, call_delta_r},
    {MODULE_HQ, "invariant_mass", 1, 100, call_invariant_mass},
    {MODULE_ITERTOOLS, "combinations", 2, 2, call_combinations},
};
enum { KNOWN_COUNT = sizeof KNOWN / sizeof *KNOWN };

static const struct {
    hq_module module;
    const char *name, *why;
} REFUSED[] = {
    {MODULE_BUILTINS, "complex", "keep the real and the imaginary part in two variables"},
    {MODULE_BUILTINS, "dict", "keep the numbers in variables of their own"},
    {MODULE_BUILTINS, "divmod", "write a // b and a % b"},
    {MODULE_BUILTINS, "eval", "a query can do nothing but compute and fill histograms"},
    {MODULE_BUILTINS, "exec", "a query can do nothing but compute and fill histograms"},
    {MODULE_BUILTINS, "filter", "write the loop out, with an if in it"},
    {MODULE_BUILTINS, "getattr", "write the column's name: event.name or event[\"name\"]"},
    {MODULE_BUILTINS, "hasattr", "the columns of the data set are known before the query runs"},
    {MODULE_BUILTINS, "input", "a query can do nothing but compute and fill histograms"},
    {MODULE_BUILTINS, "isinstance", "every variable has one type, known before the query runs"},
    {MODULE_BUILTINS, "iter", "write the loop as a for statement"},
    {MODULE_BUILTINS, "map", "write the loop out"},
    {MODULE_BUILTINS, "next", "write the loop as a for statement"},
    {MODULE_BUILTINS, "open", "a query reads and writes no files"},
    {MODULE_BUILTINS, "print", "a query's only output is its histograms"},
    {MODULE_BUILTINS, "set", "keep the numbers in variables of their own"},
    {MODULE_BUILTINS, "str", "strings stand only in the declarations of histograms"},
    {MODULE_BUILTINS, "tuple", "write (a, b), or list(…)"},
    {MODULE_BUILTINS, "type", "every variable has one type, known before the query runs"},
    {MODULE_MATH, "fma", "write a * b + c"},
    {MODULE_MATH, "sumprod", "write sum(x * y for x, y in zip(…, …))"},
    {MODULE_HIST, "NamedHist", "use Hist with named axes"},
    {MODULE_HIST, "BaseHist", "use Hist"},
    {MODULE_HIST, "new", "use Hist(axis.Regular(bins, low, high))"},
    {MODULE_ITERTOOLS, "accumulate", "add up in a loop"},
    {MODULE_ITERTOOLS, "chain", "write s + t"},
    {MODULE_ITERTOOLS, "pairwise", "write zip(s, s[1:])"},
    {MODULE_ITERTOOLS, "permutations", "write the loops out, and leave out what is equal"},
    {MODULE_ITERTOOLS, "product", "write a loop in a loop, or two fors in a comprehension"},
    {MODULE_TRANSFORM, "Function", "use axis.transform.log or axis.transform.sqrt"},
    {MODULE_TRANSFORM, "Pow", "use axis.transform.sqrt, or axis.Variable([…])"},
    {MODULE_STORAGE, "AtomicInt64", "use Int64"},
    {MODULE_STORAGE, "Unlimited", "use Double"},
};

static const known_function *find_known(hq_module module, const char *name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (KNOWN[i].module == module && strcmp(KNOWN[i].name, name) == 0)
            return &KNOWN[i];
    return NULL;
}

bool check_has_function(hq_module module, const char *name)
{
    return find_known(module, name) || (module == MODULE_MATH && name[0] != '.' && math_find(name) >= 0);
}

void check_guess_functions(hq_guess *guess, hq_module module)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (KNOWN[i].module == module)
            guess_try(guess, KNOWN[i].name);
    for (size_t i = 0; module == MODULE_MATH && i < MATH_FUNCTION_COUNT; i++)
        if (MATH_FUNCTIONS[i].name[0] != '.')
            guess_try(guess, MATH_FUNCTIONS[i].name);
}

bool check_math_constant(const char *name, double *value_r)
{
    static const struct {
        const char *name;
        double value;
    } CONSTANTS[] = {{"pi", M_PI}, {"e", M_E}, {"tau", 2 * M_PI}, {"inf", (double)INFINITY}, {"nan", (double)NAN}};
    for (size_t i = 0; i < sizeof CONSTANTS / sizeof *CONSTANTS; i++)
        if (strcmp(name, CONSTANTS[i].name) == 0) {
            *value_r = CONSTANTS[i].value;
            return true;
        }
    return false;
}

const char *check_why_no_function(hq_module module, const char *name)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (REFUSED[i].module == module && strcmp(REFUSED[i].name, name) == 0)
            return REFUSED[i].why;
    return NULL;
}

/* --- arguments --- */

static size_t argument_count(const hq_node *node)
{
    return node->kid_count - 1;
}

static const hq_node *argument(const hq_node *node, size_t index)
{
    return node->kids[index + 1];
}

static const hq_expr *float_argument(hq_checker *checker, const hq_node *node, size_t index)
{
    const hq_expr *expr = check_scalar(checker, argument(node, index));
    checker->at = node->at;
    return build_convert(checker, expr, SCALAR_FLOAT);
}

/* A bool becomes an int. */
static const hq_expr *number_argument(hq_checker *checker, const hq_node *node, size_t index)
{
    const hq_expr *expr = check_scalar(checker, argument(node, index));
    checker->at = node->at;
    return expr->type == SCALAR_BOOL ? build_convert(checker, expr, SCALAR_INT) : expr;
}

static void check_count(hq_checker *checker, const hq_node *node, const char *name, unsigned least, unsigned most)
{
    const char *second = strcmp(name, "enumerate") == 0 ? "start" : strcmp(name, "round") == 0 ? "ndigits" : "";
    for (size_t i = 0; i < argument_count(node); i++)
        if (argument(node, i)->kind == NODE_KEYWORD && !(i == 1 && strcmp(argument(node, i)->word->text, second) == 0))
            source_fail(checker->source, argument(node, i)->at, NULL, "%s takes no argument named '%.200s'", name,
                        argument(node, i)->word->text);
    if (argument_count(node) >= least && argument_count(node) <= most)
        return;
    if (least == most)
        source_fail(checker->source, node->at, NULL, "%s takes %u argument%s, not %zu", name, least,
                    least == 1 ? "" : "s", argument_count(node));
    source_fail(checker->source, node->at, NULL, "%s takes %u to %u arguments, not %zu", name, least, most,
                argument_count(node));
}

/* --- builtins --- */

static hq_value call_len(hq_checker *checker, const hq_node *node)
{
    const hq_node *inner = argument(node, 0);
    if (inner->kind == NODE_COMP && inner->op == '[')
        return fold_length(checker, inner);
    hq_value whole = check_expr(checker, inner);
    checker->at = node->at;
    if (whole.kind == KIND_TUPLE)
        return value_of(build_int(checker, (int64_t)whole.item_count));
    if (kind_is_sequence(whole.kind))
        return value_of(seq_length(checker, &whole));
    const char *hint = whole.kind == KIND_EVENTS      ? "a query sees one event at a time"
                       : kind_is_iterable(whole.kind) ? "count with sum(1 for … in …), or make a list of it: list(…)"
                                                      : NULL;
    source_fail(checker->source, check_start(inner), hint, "%s has no len", check_describe(checker, &whole));
}

static hq_value call_abs(hq_checker *checker, const hq_node *node)
{
    return value_of(build_unary(checker, EXPR_ABS, number_argument(checker, node, 0)));
}

static hq_value call_min(hq_checker *checker, const hq_node *node)
{
    return fold_extreme(checker, node, EXPR_MIN);
}

static hq_value call_max(hq_checker *checker, const hq_node *node)
{
    return fold_extreme(checker, node, EXPR_MAX);
}

/* To an int by one of MATH_FUNCTIONS; what is an int already stays as it is. */
static hq_value to_int_by(hq_checker *checker, const hq_node *node, const char *function)
{
    const hq_expr *a = number_argument(checker, node, 0);
    if (a->type == SCALAR_FLOAT && function)
        a = build_call(checker, function, a, NULL);
    return value_of(build_convert(checker, a, SCALAR_INT));
}

static hq_value call_round(hq_checker *checker, const hq_node *node)
{
    if (argument_count(node) == 1)
        return to_int_by(checker, node, MATH_ROUND);
    const hq_expr *a = number_argument(checker, node, 0);
    const hq_node *second = argument(node, 1);
    const hq_expr *digits = check_int(checker, second->kind == NODE_KEYWORD ? second->kids[0] : second,
                                      "the number of digits");
    checker->at = node->at;
    if (a->type == SCALAR_INT)
        return value_of(build_call(checker, MATH_ROUND_INT, a, digits));
    return value_of(build_call(checker, MATH_ROUND_TO, a, build_convert(checker, digits, SCALAR_FLOAT)));
}

static hq_value call_floor(hq_checker *checker, const hq_node *node)
{
    return to_int_by(checker, node, MATH_FLOOR);
}

static hq_value call_ceil(hq_checker *checker, const hq_node *node)
{
    return to_int_by(checker, node, MATH_CEIL);
}

static hq_value call_trunc(hq_checker *checker, const hq_node *node)
{
    return to_int_by(checker, node, NULL);
}

static hq_value call_int(hq_checker *checker, const hq_node *node)
{
    return to_int_by(checker, node, NULL);
}

static hq_value call_float(hq_checker *checker, const hq_node *node)
{
    const hq_node *text = argument(node, 0);
    if (text->kind == NODE_STRING) {
        /* float("inf") and float("nan") are how many write these; no other string is a number to hq. */
        const char *word = text->text;
        double sign = *word == '-' ? -1.0 : 1.0;
        word += *word == '-' || *word == '+';
        if (strcmp(word, "inf") == 0 || strcmp(word, "infinity") == 0)
            return value_of(build_float(checker, sign * (double)INFINITY));
        if (strcmp(word, "nan") == 0)
            return value_of(build_float(checker, (double)NAN));
    }
    return value_of(float_argument(checker, node, 0));
}

static hq_value call_bool(hq_checker *checker, const hq_node *node)
{
    return value_of(check_condition(checker, argument(node, 0)));
}

static hq_value call_power(hq_checker *checker, const hq_node *node)
{
    const hq_expr *base = check_scalar(checker, argument(node, 0));
    return value_of(check_arithmetic(checker, node, OP_POWER, base, check_scalar(checker, argument(node, 1))));
}

static hq_value call_range(hq_checker *checker, const hq_node *node)
{
    size_t count = argument_count(node);
    hq_value range = {.kind = KIND_RANGE};
    const hq_expr *parts[3] = {NULL, NULL, NULL};
    for (size_t i = 0; i < count; i++)
        parts[i] = build_once(checker, check_int(checker, argument(node, i), "an argument of range"));
    checker->at = node->at;
    range.part[0] = count == 1 ? build_int(checker, 0) : parts[0];
    range.part[1] = count == 1 ? parts[0] : parts[1];
    range.part[2] = count == 3 ? parts[2] : build_int(checker, 1);
    if (range.part[2]->op == EXPR_CONST && range.part[2]->value.integer == 0)
        source_fail(checker->source, argument(node, 2)->at, NULL, "the step of range must not be 0");
    if (range.part[2]->op != EXPR_CONST) {
        hq_stmt *demand = build_stmt(checker, STMT_DEMAND);
        demand->a = build_binary(checker, EXPR_NOT_EQUAL, range.part[2], build_int(checker, 0));
        demand->index = build_fault(checker, node->line, "the step of range is 0");
    }
    return range;
}

/* What is gone through, checked to be so and kept for later. */
static hq_value *iterable_argument(hq_checker *checker, const hq_node *node)
{
    hq_value *value = arena_alloc(checker->source->arena, sizeof *value);
    *value = check_expr(checker, node);
    if (!kind_is_iterable(value->kind))
        source_fail(checker->source, check_start(node), value->kind == KIND_EVENTS ? "for event in events:" : NULL,
                    "%s cannot be looped over", check_describe(checker, value));
    if (value->kind == KIND_TUPLE)
        *value = seq_array(checker, node, value);
    if (value->kind == KIND_REVERSED)
        *value = value->items[0];
    return value;
}

/* The same with an index for every element. */
static hq_value *sequence_argument(hq_checker *checker, const hq_node *node)
{
    hq_value *value = iterable_argument(checker, node);
    if (!kind_is_sequence(value->kind))
        *value = seq_array(checker, node, value);
    return value;
}

static hq_value call_reversed(hq_checker *checker, const hq_node *node)
{
    const hq_node *given = argument(node, 0);
    hq_value whole = check_expr(checker, given);
    checker->at = node->at;
    if (whole.kind == KIND_TUPLE)
        whole = seq_array(checker, given, &whole);
    if (!kind_is_sequence(whole.kind))
        source_fail(checker->source, check_start(given),
                    kind_is_iterable(whole.kind) ? "make a list of it: reversed(list(…))" : NULL,
                    "%s cannot be gone through backwards", check_describe(checker, &whole));
    hq_value *reversed = arena_alloc(checker->source->arena, sizeof *reversed);
    *reversed = seq_reversed(checker, &whole);
    return (hq_value){.kind = KIND_REVERSED, .items = reversed, .item_count = 1};
}

static hq_value call_enumerate(hq_checker *checker, const hq_node *node)
{
    hq_value *inner = iterable_argument(checker, argument(node, 0));
    const hq_expr *start = build_int(checker, 0);
    if (argument_count(node) == 2) {
        const hq_node *given = argument(node, 1);
        start = check_int(checker, given->kind == NODE_KEYWORD ? given->kids[0] : given, "the start of enumerate");
    }
    return (hq_value){.kind = KIND_ENUMERATE, .items = inner, .item_count = 1, .part = {build_once(checker, start)}};
}

static hq_value call_zip(hq_checker *checker, const hq_node *node)
{
    size_t count = argument_count(node);
    hq_value *items = arena_alloc(checker->source->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = *sequence_argument(checker, argument(node, i));
    return (hq_value){.kind = KIND_ZIP, .items = items, .item_count = count};
}

static hq_value call_combinations(hq_checker *checker, const hq_node *node)
{
    hq_value *inner = sequence_argument(checker, argument(node, 0));
    const hq_expr *count = check_int(checker, argument(node, 1), "the number of elements in a combination");
    if (count->op != EXPR_CONST || count->value.integer < 1 || count->value.integer > 8)
        source_fail(checker->source, argument(node, 1)->at, NULL,
                    "the number of elements in a combination must be a constant from 1 to 8");
    return (hq_value){
        .kind = KIND_COMBINATIONS, .ref = (uint32_t)count->value.integer, .items = inner, .item_count = 1};
}

static hq_value call_misplaced(hq_checker *checker, const hq_node *node)
{
    const char *hint = checker->is_in_event ? "declare every histogram above the event loop" : NULL;
    source_fail(checker->source, node->at, hint,
                "a histogram is declared as name = Hist(axis.Regular(bins, low, high), …)");
}

static hq_value call_math(hq_checker *checker, const hq_node *node, const char *name)
{
    const math_function *function = &MATH_FUNCTIONS[math_find(name)];
    unsigned count = math_arity(function);
    check_count(checker, node, name, count, count);
    const hq_expr *a = float_argument(checker, node, 0);
    return value_of(build_call(checker, name, a, count == 2 ? float_argument(checker, node, 1) : NULL));
}

/* The parts of a tuple as arguments. */
static void unpack(hq_checker *checker, const hq_node *star, hq_kids *kids)
{
    hq_value tuple = check_expr(checker, star->kids[0]);
    if (tuple.kind != KIND_TUPLE)
        source_fail(checker->source, check_start(star->kids[0]),
                    kind_is_iterable(tuple.kind) ? "take its elements by index: how many there are is not known before"
                                                 : NULL,
                    "%s cannot be unpacked into arguments", check_describe(checker, &tuple));
    for (size_t i = 0; i < tuple.item_count; i++) {
        hq_node *node = arena_alloc(checker->source->arena, sizeof *node);
        *node = (hq_node){.kind = NODE_VALUE, .at = star->at, .line = star->line, .made = &tuple.items[i]};
        ARENA_GROW(checker->source->arena, kids->nodes, kids->count, kids->capacity);
        kids->nodes[kids->count++] = node;
    }
}

const hq_node *check_unpacked(hq_checker *checker, const hq_node *call)
{
    bool has_star = false;
    for (size_t i = 1; i < call->kid_count; i++)
        has_star = has_star || call->kids[i]->kind == NODE_STAR;
    if (!has_star)
        return call;
    hq_kids kids = {.nodes = arena_alloc(checker->source->arena, call->kid_count * sizeof(hq_node *)),
                    .capacity = call->kid_count};
    for (size_t i = 0; i < call->kid_count; i++) {
        if (call->kids[i]->kind == NODE_STAR) {
            unpack(checker, call->kids[i], &kids);
            continue;
        }
        ARENA_GROW(checker->source->arena, kids.nodes, kids.count, kids.capacity);
        kids.nodes[kids.count++] = call->kids[i];
    }
    hq_node *unpacked = arena_alloc(checker->source->arena, sizeof *unpacked);
    *unpacked = *call;
    unpacked->kids = kids.nodes;
    unpacked->kid_count = kids.count;
    return unpacked;
}

hq_value check_call(hq_checker *checker, const hq_node *call)
{
    hq_value callee = check_expr(checker, call->kids[0]);
    const hq_node *node = check_unpacked(checker, call);
    checker->at = node->at;
    if (callee.kind == KIND_FILL)
        source_fail(checker->source, node->at, "write it as a statement of its own", "fill gives no value");
    if (callee.kind == KIND_DEF)
        return check_inline(checker, node, callee.ref, false);
    if (callee.kind != KIND_FUNCTION) {
        const char *hint = node->kids[0]->kind == NODE_NAME && node->kids[0]->word->symbol &&
                                   node->kids[0]->word->symbol->is_local &&
                                   check_has_function(MODULE_BUILTINS, node->kids[0]->word->text)
                               ? "the event loop uses this name for a variable; give the variable another one"
                               : NULL;
        source_fail(checker->source, node->at, hint, "%s is %s and cannot be called",
                    check_spell(checker, node->kids[0]), check_describe(checker, &callee));
    }
    const known_function *known = find_known((hq_module)callee.ref, callee.text);
    if (!known)
        return call_math(checker, node, callee.text);
    if (known->check != call_misplaced && known->most != ANY_NAMES)
        check_count(checker, node, known->name, known->least, known->most);
    return known->check(checker, node);
}
