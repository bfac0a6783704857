/* query/code_expr.c - expressions as LLVM values: bool is i1, int i64, float double. */
#include <stdio.h>
#include <string.h>

#include "query/code_emit.h"

LLVMTypeRef emit_type(const hq_emit *emit, hq_scalar type)
{
    return type == SCALAR_BOOL ? emit->i1 : type == SCALAR_INT ? emit->i64 : emit->f64;
}

LLVMBasicBlockRef emit_new_block(hq_emit *emit, const char *name)
{
    return LLVMAppendBasicBlockInContext(emit->context, emit->function, name);
}

LLVMValueRef emit_intrinsic(hq_emit *emit, const char *name, LLVMTypeRef *types, size_t type_count,
                            LLVMValueRef *arguments, size_t argument_count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(emit->module, id, types, type_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(emit->context, id, types, type_count);
    return LLVMBuildCall2(emit->builder, type, function, arguments, (unsigned)argument_count, "");
}

static void add_attribute(hq_emit *emit, LLVMValueRef function, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(emit->context, kind, 0));
}

LLVMValueRef emit_declare(hq_emit *emit, const char *name, LLVMTypeRef type, bool is_pure)
{
    LLVMValueRef function = LLVMAddFunction(emit->module, name, type);
    add_attribute(emit, function, "nounwind");
    if (is_pure) {
        /* The value 0 of this attribute means that no memory is touched; errno is nobody's business here. */
        add_attribute(emit, function, "memory");
        add_attribute(emit, function, "willreturn");
    }
    return function;
}

LLVMValueRef emit_call(hq_emit *emit, const char *name, LLVMTypeRef result, LLVMValueRef *arguments, unsigned count)
{
    LLVMTypeRef types[8];
    for (unsigned i = 0; i < count; i++)
        types[i] = LLVMTypeOf(arguments[i]);
    LLVMTypeRef type = LLVMFunctionType(result, types, count, false);
    LLVMValueRef function = LLVMGetNamedFunction(emit->module, name);
    if (!function)
        function = emit_declare(emit, name, type, false);
    return LLVMBuildCall2(emit->builder, type, function, arguments, count, "");
}

LLVMValueRef emit_invariant_load(hq_emit *emit, LLVMTypeRef type, LLVMValueRef address)
{
    LLVMValueRef load = LLVMBuildLoad2(emit->builder, type, address, "");
    LLVMSetMetadata(load, emit->invariant, emit->empty_node);
    return load;
}

static LLVMValueRef int_const(hq_emit *emit, int64_t value)
{
    return LLVMConstInt(emit->i64, (unsigned long long)value, true);
}

static LLVMValueRef const_of(hq_emit *emit, const hq_expr *expr)
{
    if (expr->type == SCALAR_FLOAT)
        return LLVMConstReal(emit->f64, expr->value.number);
    return LLVMConstInt(emit_type(emit, (hq_scalar)expr->type), (unsigned long long)expr->value.integer, true);
}

/* One value of a column, widened. */
static LLVMValueRef column_value(hq_emit *emit, uint32_t column, LLVMValueRef position)
{
    hq_type type = emit->program->columns->fields[column].type;
    LLVMTypeRef stored = emit->i8;
    if (type == HQ_FLOAT32)
        stored = LLVMFloatTypeInContext(emit->context);
    else if (type == HQ_FLOAT64)
        stored = emit->f64;
    else if (type != HQ_BOOL)
        stored = LLVMIntTypeInContext(emit->context, 8 * (unsigned)hq_type_size(type));
    LLVMValueRef address = LLVMBuildInBoundsGEP2(emit->builder, stored, emit->values[column], &position, 1, "");
    LLVMValueRef value = emit_invariant_load(emit, stored, address);
    switch (type) {
    case HQ_BOOL:
        return LLVMBuildICmp(emit->builder, LLVMIntNE, value, LLVMConstInt(emit->i8, 0, false), "");
    case HQ_FLOAT32:
        return LLVMBuildFPExt(emit->builder, value, emit->f64, "");
    case HQ_INT8:
    case HQ_INT16:
    case HQ_INT32:
        return LLVMBuildSExt(emit->builder, value, emit->i64, "");
    case HQ_UINT8:
    case HQ_UINT16:
    case HQ_UINT32:
        return LLVMBuildZExt(emit->builder, value, emit->i64, "");
    default:
        return value; /* uint64 above int64's maximum comes out negative */
    }
}

/* --- short circuits --- */

/* The value of yes where condition holds, else of no; a NULL expression stands for the bool constant given. */
static LLVMValueRef choice_of(hq_emit *emit, LLVMValueRef condition, const hq_expr *yes, const hq_expr *no,
                              bool constant)
{
    if (emit_flat_is_cheap(emit, yes) && emit_flat_is_cheap(emit, no)) {
        LLVMValueRef other = LLVMConstInt(emit->i1, constant, false);
        LLVMValueRef wanted = yes ? emit_expr(emit, yes) : other;
        return LLVMBuildSelect(emit->builder, condition, wanted, no ? emit_expr(emit, no) : other, "");
    }
    LLVMBasicBlockRef yes_block = emit_new_block(emit, "yes");
    LLVMBasicBlockRef no_block = emit_new_block(emit, "no");
    LLVMBasicBlockRef after = emit_new_block(emit, "chosen");
    LLVMValueRef fixed = LLVMConstInt(emit->i1, constant, false);
    LLVMValueRef values[2];
    LLVMBasicBlockRef blocks[2];
    LLVMBuildCondBr(emit->builder, condition, yes_block, no_block);
    LLVMPositionBuilderAtEnd(emit->builder, yes_block);
    values[0] = yes ? emit_expr(emit, yes) : fixed;
    blocks[0] = LLVMGetInsertBlock(emit->builder);
    LLVMBuildBr(emit->builder, after);
    LLVMPositionBuilderAtEnd(emit->builder, no_block);
    values[1] = no ? emit_expr(emit, no) : fixed;
    blocks[1] = LLVMGetInsertBlock(emit->builder);
    LLVMBuildBr(emit->builder, after);
    LLVMPositionBuilderAtEnd(emit->builder, after);
    LLVMValueRef phi = LLVMBuildPhi(emit->builder, LLVMTypeOf(values[0]), "");
    LLVMAddIncoming(phi, values, blocks, 2);
    return phi;
}

/* --- ints --- */

/* 1 where the operands' quotient was rounded towards zero and its floor lies one below. */
static LLVMValueRef is_below_zero_rest(hq_emit *emit, LLVMValueRef rest, LLVMValueRef b)
{
    LLVMValueRef zero = int_const(emit, 0);
    LLVMValueRef signs = LLVMBuildXor(emit->builder, rest, b, "");
    return LLVMBuildAnd(emit->builder, LLVMBuildICmp(emit->builder, LLVMIntNE, rest, zero, ""),
                        LLVMBuildICmp(emit->builder, LLVMIntSLT, signs, zero, ""), "");
}

/* math_int_floor_divide and math_int_modulo, inline: a divisor of 0 or -1 never reaches the machine's division. */
static LLVMValueRef int_division(hq_emit *emit, bool is_modulo, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef zero = int_const(emit, 0);
    LLVMValueRef is_zero = LLVMBuildICmp(builder, LLVMIntEQ, b, zero, "");
    LLVMValueRef is_minus = LLVMBuildICmp(builder, LLVMIntEQ, b, int_const(emit, -1), "");
    LLVMValueRef is_special = LLVMBuildOr(builder, is_zero, is_minus, "");
    LLVMValueRef divisor = LLVMBuildSelect(builder, is_special, int_const(emit, 1), b, "");
    LLVMValueRef rest = LLVMBuildSRem(builder, a, divisor, "");
    LLVMValueRef is_below = is_below_zero_rest(emit, rest, divisor);
    if (is_modulo) {
        LLVMValueRef moved = LLVMBuildAdd(builder, rest, divisor, "");
        return LLVMBuildSelect(builder, is_special, zero, LLVMBuildSelect(builder, is_below, moved, rest, ""), "");
    }
    LLVMValueRef quotient = LLVMBuildSDiv(builder, a, divisor, "");
    quotient = LLVMBuildSub(builder, quotient, LLVMBuildZExt(builder, is_below, emit->i64, ""), "");
    LLVMValueRef negated = LLVMBuildNeg(builder, a, "");
    return LLVMBuildSelect(builder, is_zero, zero, LLVMBuildSelect(builder, is_minus, negated, quotient, ""), "");
}

static LLVMValueRef int_power(hq_emit *emit, const hq_expr *exponent, LLVMValueRef a)
{
    if (exponent->op == EXPR_CONST && exponent->value.integer <= 64) {
        LLVMValueRef result = NULL;
        for (int64_t left = exponent->value.integer; left > 0; left >>= 1) {
            if (left & 1)
                result = result ? LLVMBuildMul(emit->builder, result, a, "") : a;
            a = LLVMBuildMul(emit->builder, a, a, "");
        }
        return result ? result : int_const(emit, 1);
    }
    LLVMTypeRef parameters[2] = {emit->i64, emit->i64};
    LLVMTypeRef type = LLVMFunctionType(emit->i64, parameters, 2, false);
    if (!emit->int_power)
        emit->int_power = emit_declare(emit, CODE_POWER_NAME, type, true);
    LLVMValueRef arguments[2] = {a, emit_expr(emit, exponent)};
    return LLVMBuildCall2(emit->builder, type, emit->int_power, arguments, 2, "");
}

static LLVMValueRef int_shift(hq_emit *emit, bool is_left, LLVMValueRef a, LLVMValueRef count)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef is_inside = LLVMBuildICmp(builder, LLVMIntULT, count, int_const(emit, 64), "");
    if (is_left) {
        LLVMValueRef safe = LLVMBuildSelect(builder, is_inside, count, int_const(emit, 0), "");
        return LLVMBuildSelect(builder, is_inside, LLVMBuildShl(builder, a, safe, ""), int_const(emit, 0), "");
    }
    return LLVMBuildAShr(builder, a, LLVMBuildSelect(builder, is_inside, count, int_const(emit, 63), ""), "");
}

/* --- floats --- */

LLVMValueRef emit_math_call(hq_emit *emit, size_t index, LLVMValueRef a, LLVMValueRef b)
{
    static const struct {
        const char *name, *intrinsic;
    } EXACT[] = {{"sqrt", "llvm.sqrt"},    {"copysign", "llvm.copysign"}, {MATH_FLOOR, "llvm.floor"},
                 {MATH_CEIL, "llvm.ceil"}, {MATH_TRUNC, "llvm.trunc"},    {MATH_ROUND, "llvm.roundeven"}};
    const math_function *function = &MATH_FUNCTIONS[index];
    LLVMValueRef arguments[2] = {a, b};
    unsigned count = math_arity(function);
    /* These have one right answer, so an instruction gives the same as the C library. */
    for (size_t i = 0; i < sizeof EXACT / sizeof *EXACT; i++)
        if (strcmp(function->name, EXACT[i].name) == 0)
            return emit_intrinsic(emit, EXACT[i].intrinsic, &emit->f64, 1, arguments, count);
    /* All others are called under names of our own: LLVM knows what pow and its kin are and would rewrite some calls
     * into others that round differently. */
    LLVMTypeRef scalar = emit_type(emit, math_type(function));
    LLVMTypeRef parameters[2] = {scalar, scalar};
    LLVMTypeRef type = LLVMFunctionType(scalar, parameters, count, false);
    if (!emit->calls[index]) {
        char name[64];
        snprintf(name, sizeof name, CODE_MATH_FORMAT, index);
        emit->calls[index] = emit_declare(emit, name, type, true);
    }
    return LLVMBuildCall2(emit->builder, type, emit->calls[index], arguments, count, "");
}

static LLVMValueRef extreme_of(hq_emit *emit, const hq_expr *expr, LLVMValueRef a, LLVMValueRef b)
{
    bool is_min = expr->op == EXPR_MIN;
    LLVMValueRef takes_b = expr->type == SCALAR_FLOAT
                               ? LLVMBuildFCmp(emit->builder, is_min ? LLVMRealOLT : LLVMRealOGT, b, a, "")
                               : LLVMBuildICmp(emit->builder, is_min ? LLVMIntSLT : LLVMIntSGT, b, a, "");
    return LLVMBuildSelect(emit->builder, takes_b, b, a, "");
}

static LLVMValueRef float_binary(hq_emit *emit, const hq_expr *expr)
{
    if (expr->op == EXPR_POWER)
        return emit_power(emit, expr);
    LLVMValueRef a = emit_expr(emit, expr->a);
    LLVMValueRef b = emit_expr(emit, expr->b);
    switch ((hq_expr_op)expr->op) {
    case EXPR_ADD:
        return LLVMBuildFAdd(emit->builder, a, b, "");
    case EXPR_SUBTRACT:
        return LLVMBuildFSub(emit->builder, a, b, "");
    case EXPR_MULTIPLY:
        return LLVMBuildFMul(emit->builder, a, b, "");
    case EXPR_DIVIDE:
        return LLVMBuildFDiv(emit->builder, a, b, "");
    case EXPR_FLOOR_DIVIDE:
        return emit_math_call(emit, (size_t)math_find(MATH_FLOOR_DIVIDE), a, b);
    case EXPR_MODULO:
        return emit_math_call(emit, (size_t)math_find(MATH_MODULO), a, b);
    default:
        return extreme_of(emit, expr, a, b);
    }
}

static LLVMValueRef int_binary(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef a = emit_expr(emit, expr->a);
    if (expr->op == EXPR_POWER)
        return int_power(emit, expr->b, a);
    LLVMValueRef b = emit_expr(emit, expr->b);
    switch ((hq_expr_op)expr->op) {
    case EXPR_ADD:
        return LLVMBuildAdd(emit->builder, a, b, "");
    case EXPR_SUBTRACT:
        return LLVMBuildSub(emit->builder, a, b, "");
    case EXPR_MULTIPLY:
        return LLVMBuildMul(emit->builder, a, b, "");
    case EXPR_FLOOR_DIVIDE:
    case EXPR_MODULO:
        return int_division(emit, expr->op == EXPR_MODULO, a, b);
    case EXPR_BIT_AND:
        return LLVMBuildAnd(emit->builder, a, b, "");
    case EXPR_BIT_OR:
        return LLVMBuildOr(emit->builder, a, b, "");
    case EXPR_BIT_XOR:
        return LLVMBuildXor(emit->builder, a, b, "");
    case EXPR_SHIFT_LEFT:
    case EXPR_SHIFT_RIGHT:
        return int_shift(emit, expr->op == EXPR_SHIFT_LEFT, a, b);
    default:
        return extreme_of(emit, expr, a, b);
    }
}

static LLVMValueRef comparison(hq_emit *emit, const hq_expr *expr)
{
    static const LLVMIntPredicate INTS[] = {LLVMIntSLT, LLVMIntSLE, LLVMIntSGT, LLVMIntSGE, LLVMIntEQ, LLVMIntNE};
    static const LLVMRealPredicate FLOATS[] = {LLVMRealOLT, LLVMRealOLE, LLVMRealOGT,
                                               LLVMRealOGE, LLVMRealOEQ, LLVMRealUNE};
    size_t which = (size_t)(expr->op - EXPR_LESS);
    LLVMValueRef without_root = emit_comparison_of_root(emit, expr);
    if (without_root)
        return without_root;
    LLVMValueRef a = emit_expr(emit, expr->a);
    LLVMValueRef b = emit_expr(emit, expr->b);
    return expr->a->type == SCALAR_FLOAT ? LLVMBuildFCmp(emit->builder, FLOATS[which], a, b, "")
                                         : LLVMBuildICmp(emit->builder, INTS[which], a, b, "");
}

static LLVMValueRef unary(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef a = emit_expr(emit, expr->a);
    bool is_float = expr->type == SCALAR_FLOAT;
    switch ((hq_expr_op)expr->op) {
    case EXPR_NEGATE:
        return is_float ? LLVMBuildFNeg(emit->builder, a, "") : LLVMBuildNeg(emit->builder, a, "");
    case EXPR_ABS: {
        LLVMValueRef arguments[2] = {a, LLVMConstInt(emit->i1, 0, false)};
        return is_float ? emit_intrinsic(emit, "llvm.fabs", &emit->f64, 1, arguments, 1)
                        : emit_intrinsic(emit, "llvm.abs", &emit->i64, 1, arguments, 2);
    }
    default: /* EXPR_NOT, EXPR_INVERT */
        return LLVMBuildNot(emit->builder, a, "");
    }
}

static LLVMValueRef conversion(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef a = emit_expr(emit, expr->a);
    hq_scalar from = (hq_scalar)expr->a->type;
    if (expr->op == EXPR_TO_BOOL)
        return from == SCALAR_FLOAT ? LLVMBuildFCmp(emit->builder, LLVMRealUNE, a, LLVMConstReal(emit->f64, 0), "")
                                    : LLVMBuildICmp(emit->builder, LLVMIntNE, a, int_const(emit, 0), "");
    if (expr->op == EXPR_TO_FLOAT)
        return from == SCALAR_BOOL ? LLVMBuildUIToFP(emit->builder, a, emit->f64, "")
                                   : LLVMBuildSIToFP(emit->builder, a, emit->f64, "");
    if (from == SCALAR_BOOL)
        return LLVMBuildZExt(emit->builder, a, emit->i64, "");
    LLVMTypeRef types[2] = {emit->i64, emit->f64};
    return emit_intrinsic(emit, "llvm.fptosi.sat", types, 2, &a, 1);
}

LLVMValueRef emit_expr(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef kept = emit->search ? emit_search_value(emit, expr) : emit_memo_value(emit, expr);
    if (kept)
        return kept;
    switch ((hq_expr_op)expr->op) {
    case EXPR_CONST:
        return const_of(emit, expr);
    case EXPR_SLOT:
        return LLVMBuildLoad2(emit->builder, emit_type(emit, (hq_scalar)expr->type), emit->slots[expr->index], "");
    case EXPR_FLAT:
        return column_value(emit, expr->index, emit->entry);
    case EXPR_LOAD:
        kept = emit_memo_position(emit);
        return column_value(emit, expr->index, kept ? kept : emit_expr(emit, expr->a));
    case EXPR_BEGIN:
        return emit->begins[expr->index];
    case EXPR_END:
        return emit->ends[expr->index];
    case EXPR_WORD:
        return emit_word(emit, expr);
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
        return comparison(emit, expr);
    case EXPR_NOT:
    case EXPR_INVERT:
    case EXPR_NEGATE:
    case EXPR_ABS:
        return unary(emit, expr);
    case EXPR_AND:
        return choice_of(emit, emit_expr(emit, expr->a), expr->b, NULL, false);
    case EXPR_OR:
        return choice_of(emit, emit_expr(emit, expr->a), NULL, expr->b, true);
    case EXPR_COND:
        kept = emit_root_with_sign(emit, expr);
        if (kept)
            return kept;
        return choice_of(emit, emit_expr(emit, expr->a), expr->b, expr->c, false);
    case EXPR_TO_BOOL:
    case EXPR_TO_INT:
    case EXPR_TO_FLOAT:
        return conversion(emit, expr);
    case EXPR_CALL: {
        kept = emit_floor_of_quotient(emit, expr);
        if (!kept)
            kept = emit_half_of_sincos(emit, expr);
        if (kept)
            return kept;
        LLVMValueRef a = emit_expr(emit, expr->a);
        return emit_math_call(emit, expr->index, a, expr->b ? emit_expr(emit, expr->b) : NULL);
    }
    default:
        return expr->type == SCALAR_FLOAT ? float_binary(emit, expr) : int_binary(emit, expr);
    }
}

/* --- all expressions --- */

static void visit_expr(const hq_expr *expr, hq_visit *visit, void *context)
{
    if (!expr)
        return;
    visit(expr, context);
    visit_expr(expr->a, visit, context);
    visit_expr(expr->b, visit, context);
    visit_expr(expr->c, visit, context);
}

void emit_visit_block(const hq_block *block, hq_visit *visit, void *context)
{
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt; stmt = stmt->next)
        emit_visit_stmt(stmt, visit, context);
}

void emit_visit_stmt(const hq_stmt *stmt, hq_visit *visit, void *context)
{
    visit_expr(stmt->a, visit, context);
    visit_expr(stmt->b, visit, context);
    visit_expr(stmt->c, visit, context);
    for (size_t i = 0; stmt->op == STMT_FILL && i < HQ_MAX_AXES; i++)
        visit_expr(stmt->fill[i], visit, context);
    emit_visit_block(stmt->head, visit, context);
    emit_visit_block(stmt->body, visit, context);
    emit_visit_block(stmt->other, visit, context);
}
