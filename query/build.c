#include <math.h>

#include "query/check.h"

static void count_code(hq_checker *checker)
{
    if (++checker->program->code_count > MAX_CODE)
        source_limit(checker->source, checker->at,
                     "the query is too long: more than %d operations, those of functions counted at every call; make "
                     "several queries of it",
                     MAX_CODE);
}

static void count_loop(hq_checker *checker)
{
    if (++checker->program->loop_count > MAX_LOOPS)
        source_limit(checker->source, checker->at,
                     "the query has more than %d loops and lists, those of functions and comprehensions counted at "
                     "every use; make "
                     "several queries of it",
                     MAX_LOOPS);
}

static hq_expr *new_expr(hq_checker *checker, hq_expr_op op, hq_scalar type)
{
    count_code(checker);
    hq_expr *expr = arena_alloc(checker->program->arena, sizeof *expr);
    expr->op = (uint8_t)op;
    expr->type = (uint8_t)type;
    return expr;
}

static bool is_const(const hq_expr *a)
{
    return a && a->op == EXPR_CONST;
}

const hq_expr *build_bool(hq_checker *checker, bool value)
{
    hq_expr *expr = new_expr(checker, EXPR_CONST, SCALAR_BOOL);
    expr->value.integer = value;
    return expr;
}

const hq_expr *build_int(hq_checker *checker, int64_t value)
{
    hq_expr *expr = new_expr(checker, EXPR_CONST, SCALAR_INT);
    expr->value.integer = value;
    return expr;
}

const hq_expr *build_float(hq_checker *checker, double value)
{
    hq_expr *expr = new_expr(checker, EXPR_CONST, SCALAR_FLOAT);
    /* One nan for all, so that equal programs are equal bit for bit. */
    expr->value.number = isnan(value) ? (double)NAN : value;
    return expr;
}

const hq_expr *build_slot(hq_checker *checker, uint32_t slot)
{
    hq_expr *expr = new_expr(checker, EXPR_SLOT, (hq_scalar)checker->program->slots[slot]);
    expr->index = slot;
    return expr;
}

const hq_expr *build_read(hq_checker *checker, hq_expr_op op, uint32_t index, const hq_expr *a)
{
    hq_scalar type = SCALAR_INT;
    if (op == EXPR_FLAT || op == EXPR_LOAD) {
        hq_type stored = checker->program->columns->fields[index].type;
        type = stored == HQ_BOOL ? SCALAR_BOOL : stored >= HQ_FLOAT32 ? SCALAR_FLOAT : SCALAR_INT;
    }
    hq_expr *expr = new_expr(checker, op, type);
    expr->index = index;
    expr->a = a;
    return expr;
}

/* --- folding --- */

static _Noreturn void refuse_overflow(hq_checker *checker)
{
    source_fail(checker->source, checker->at, "make one of the numbers a float, with a point",
                "this constant does not fit into 64 bits");
}

static int64_t checked_power(hq_checker *checker, int64_t base, int64_t exponent)
{
    if (base == 0 || base == 1 || exponent == 0)
        return exponent == 0 ? 1 : base;
    if (base == -1)
        return exponent & 1 ? -1 : 1;
    int64_t result = 1;
    for (int64_t i = 0; i < exponent; i++) /* at most 63 times */
        if (__builtin_mul_overflow(result, base, &result))
            refuse_overflow(checker);
    return result;
}

static bool compare_ints(hq_expr_op op, int64_t a, int64_t b)
{
    switch (op) {
    case EXPR_LESS:
        return a < b;
    case EXPR_LESS_EQUAL:
        return a <= b;
    case EXPR_GREATER:
        return a > b;
    case EXPR_GREATER_EQUAL:
        return a >= b;
    case EXPR_EQUAL:
        return a == b;
    default:
        return a != b;
    }
}

static bool compare_floats(hq_expr_op op, double a, double b)
{
    switch (op) {
    case EXPR_LESS:
        return a < b;
    case EXPR_LESS_EQUAL:
        return a <= b;
    case EXPR_GREATER:
        return a > b;
    case EXPR_GREATER_EQUAL:
        return a >= b;
    case EXPR_EQUAL:
        return a == b;
    default:
        return a != b;
    }
}

/* Python's integers grow where ours would wrap: a constant that needs it is refused, not wrapped. */
static int64_t fold_ints(hq_checker *checker, hq_expr_op op, int64_t a, int64_t b)
{
    int64_t result;
    bool is_over = false;
    switch (op) {
    case EXPR_ADD:
        is_over = __builtin_add_overflow(a, b, &result);
        break;
    case EXPR_SUBTRACT:
        is_over = __builtin_sub_overflow(a, b, &result);
        break;
    case EXPR_MULTIPLY:
        is_over = __builtin_mul_overflow(a, b, &result);
        break;
    case EXPR_FLOOR_DIVIDE:
        result = math_int_floor_divide(a, b);
        is_over = a == INT64_MIN && b == -1;
        break;
    case EXPR_MODULO:
        result = math_int_modulo(a, b);
        break;
    case EXPR_POWER:
        result = checked_power(checker, a, b);
        break;
    case EXPR_MIN:
        result = b < a ? b : a;
        break;
    case EXPR_MAX:
        result = b > a ? b : a;
        break;
    case EXPR_BIT_AND:
        result = a & b;
        break;
    case EXPR_BIT_OR:
        result = a | b;
        break;
    case EXPR_BIT_XOR:
        result = a ^ b;
        break;
    case EXPR_SHIFT_LEFT:
        result = math_int_shift_left(a, b);
        is_over = a != 0 && (b < 0 || b > 63 || math_int_shift_right(result, b) != a);
        break;
    default:
        result = math_int_shift_right(a, b);
        break;
    }
    if (is_over)
        refuse_overflow(checker);
    return result;
}

static double fold_floats(hq_expr_op op, double a, double b)
{
    switch (op) {
    case EXPR_ADD:
        return a + b;
    case EXPR_SUBTRACT:
        return a - b;
    case EXPR_MULTIPLY:
        return a * b;
    case EXPR_DIVIDE:
        return a / b;
    case EXPR_FLOOR_DIVIDE:
        return MATH_FUNCTIONS[math_find(MATH_FLOOR_DIVIDE)].binary(a, b);
    case EXPR_MODULO:
        return MATH_FUNCTIONS[math_find(MATH_MODULO)].binary(a, b);
    case EXPR_POWER:
        return pow(a, b);
    case EXPR_MIN:
        return b < a ? b : a;
    default:
        return b > a ? b : a;
    }
}

static bool is_comparison(hq_expr_op op)
{
    return op >= EXPR_LESS && op <= EXPR_NOT_EQUAL;
}

const hq_expr *build_binary(hq_checker *checker, hq_expr_op op, const hq_expr *a, const hq_expr *b)
{
    if (op == EXPR_AND || op == EXPR_OR) {
        if (is_const(a))
            return (a->value.integer != 0) == (op == EXPR_AND) ? b : a;
    } else if (is_const(a) && is_const(b)) {
        bool is_float = a->type == SCALAR_FLOAT;
        if (is_comparison(op))
            return build_bool(checker, is_float ? compare_floats(op, a->value.number, b->value.number)
                                                : compare_ints(op, a->value.integer, b->value.integer));
        if (is_float)
            return build_float(checker, fold_floats(op, a->value.number, b->value.number));
        int64_t result = fold_ints(checker, op, a->value.integer, b->value.integer);
        return a->type == SCALAR_BOOL ? build_bool(checker, result != 0) : build_int(checker, result);
    }
    hq_expr *expr = new_expr(checker, op, is_comparison(op) ? SCALAR_BOOL : (hq_scalar)a->type);
    expr->a = a;
    expr->b = b;
    return expr;
}

const hq_expr *build_unary(hq_checker *checker, hq_expr_op op, const hq_expr *a)
{
    if (is_const(a)) {
        int64_t result = a->value.integer;
        if (op == EXPR_NOT)
            return build_bool(checker, !a->value.integer);
        if (a->type == SCALAR_FLOAT)
            return build_float(checker, op == EXPR_NEGATE ? -a->value.number : fabs(a->value.number));
        if (op == EXPR_INVERT)
            return build_int(checker, ~a->value.integer);
        if (op == EXPR_NEGATE || a->value.integer < 0)
            if (__builtin_sub_overflow((int64_t)0, a->value.integer, &result))
                refuse_overflow(checker);
        return build_int(checker, result);
    }
    hq_expr *expr = new_expr(checker, op, (hq_scalar)a->type);
    expr->a = a;
    return expr;
}

const hq_expr *build_cond(hq_checker *checker, const hq_expr *a, const hq_expr *b, const hq_expr *c)
{
    if (is_const(a))
        return a->value.integer ? b : c;
    hq_expr *expr = new_expr(checker, EXPR_COND, (hq_scalar)b->type);
    expr->a = a;
    expr->b = b;
    expr->c = c;
    return expr;
}

/* Of constants; b may be NULL. */
static const hq_expr *fold_call(hq_checker *checker, const math_function *entry, const hq_expr *a, const hq_expr *b)
{
    const hq_expr *second = b ? b : a;
    if (entry->int_unary)
        return build_int(checker, entry->int_unary(a->value.integer));
    if (entry->int_binary)
        return build_int(checker, entry->int_binary(a->value.integer, second->value.integer));
    return build_float(checker, entry->unary ? entry->unary(a->value.number)
                                             : entry->binary(a->value.number, second->value.number));
}

const hq_expr *build_call(hq_checker *checker, const char *function, const hq_expr *a, const hq_expr *b)
{
    int index = math_find(function);
    const math_function *entry = &MATH_FUNCTIONS[index];
    if (is_const(a) && (!b || is_const(b)))
        return fold_call(checker, entry, a, b);
    hq_expr *expr = new_expr(checker, EXPR_CALL, math_type(entry));
    expr->index = (uint32_t)index;
    expr->a = a;
    expr->b = b;
    return expr;
}

static const hq_expr *fold_conversion(hq_checker *checker, const hq_expr *a, hq_scalar type)
{
    bool is_float = a->type == SCALAR_FLOAT;
    if (type == SCALAR_BOOL)
        return build_bool(checker, is_float ? a->value.number != 0 : a->value.integer != 0);
    if (type == SCALAR_INT)
        return build_int(checker, is_float ? math_to_int(a->value.number) : a->value.integer);
    return build_float(checker, (double)a->value.integer);
}

const hq_expr *build_convert(hq_checker *checker, const hq_expr *a, hq_scalar type)
{
    if (a->type == type)
        return a;
    if (is_const(a))
        return fold_conversion(checker, a, type);
    hq_expr_op op = type == SCALAR_BOOL ? EXPR_TO_BOOL : type == SCALAR_INT ? EXPR_TO_INT : EXPR_TO_FLOAT;
    hq_expr *expr = new_expr(checker, op, type);
    expr->a = a;
    return expr;
}

/* --- slots and statements --- */

const hq_expr *build_word(hq_checker *checker, hq_scalar type, const hq_expr *address)
{
    hq_expr *expr = new_expr(checker, EXPR_WORD, type);
    expr->a = address;
    return expr;
}

void build_store(hq_checker *checker, const hq_expr *address, const hq_expr *value)
{
    hq_stmt *stmt = build_stmt(checker, STMT_STORE);
    stmt->a = address;
    stmt->b = value;
}

bool build_is_simple(const hq_expr *a)
{
    return a->op == EXPR_CONST || a->op == EXPR_SLOT || a->op == EXPR_BEGIN || a->op == EXPR_END;
}

uint32_t build_new_slot(hq_checker *checker, hq_scalar type)
{
    hq_program *program = checker->program;
    ARENA_GROW(program->arena, program->slots, program->slot_count, program->slot_capacity);
    program->slots[program->slot_count] = (uint8_t)type;
    return (uint32_t)program->slot_count++;
}

hq_stmt *build_stmt(hq_checker *checker, hq_stmt_op op)
{
    count_code(checker);
    if (op == STMT_FOR || op == STMT_RANGE || op == STMT_WHILE || op == STMT_ROOM)
        count_loop(checker);
    hq_stmt *stmt = arena_alloc(checker->program->arena, sizeof *stmt);
    stmt->op = (uint8_t)op;
    if (checker->block->last)
        checker->block->last->next = stmt;
    else
        checker->block->first = stmt;
    checker->block->last = stmt;
    return stmt;
}

void build_set(hq_checker *checker, uint32_t slot, const hq_expr *a)
{
    hq_stmt *stmt = build_stmt(checker, STMT_SET);
    stmt->slot = slot;
    stmt->a = a;
}

const hq_expr *build_once(hq_checker *checker, const hq_expr *a)
{
    return build_is_simple(a) ? a : build_copy(checker, a);
}

const hq_expr *build_copy(hq_checker *checker, const hq_expr *a)
{
    if (is_const(a))
        return a;
    uint32_t slot = build_new_slot(checker, (hq_scalar)a->type);
    build_set(checker, slot, a);
    return build_slot(checker, slot);
}

const hq_expr *build_kernel(hq_checker *checker, uint32_t kernel, const hq_expr *address, const hq_expr *x)
{
    hq_stmt *stmt = build_stmt(checker, STMT_KERNEL);
    stmt->slot = build_new_slot(checker, SCALAR_FLOAT);
    stmt->index = kernel;
    stmt->a = address;
    stmt->b = x;
    return build_slot(checker, stmt->slot);
}

const hq_expr *build_room(hq_checker *checker, int line, int64_t words)
{
    hq_block *outer = checker->block;
    hq_block *body = &checker->program->body;
    hq_block fresh = {0};
    checker->block = &fresh;
    uint32_t base = build_new_slot(checker, SCALAR_INT);
    build_set(checker, base, build_int(checker, 0));
    hq_stmt *room = build_stmt(checker, STMT_ROOM);
    room->slot = base;
    room->a = build_int(checker, 1);
    room->c = build_int(checker, words);
    room->index = build_room_fault(checker, line);
    checker->block = outer;
    room->next = body->first;
    body->first = fresh.first;
    if (!body->last)
        body->last = room;
    return build_slot(checker, base);
}

uint32_t build_room_fault(hq_checker *checker, int line)
{
    checker->program->has_memory = true;
    return build_fault(checker, line, "the lists of this event need more than 16 MiB");
}

uint32_t build_fault(hq_checker *checker, int line, const char *text)
{
    hq_program *program = checker->program;
    ARENA_GROW(program->arena, program->faults, program->fault_count, program->fault_capacity);
    size_t length = 0;
    while (text[length])
        length++;
    program->faults[program->fault_count] = (hq_fault){line, arena_copy(program->arena, text, length)};
    return (uint32_t)program->fault_count++;
}

hq_block *build_begin_block(hq_checker *checker)
{
    hq_block *outer = checker->block;
    checker->block = arena_alloc(checker->program->arena, sizeof *checker->block);
    return outer;
}

void build_end_block(hq_checker *checker, hq_block *outer)
{
    checker->block = outer;
}
