/* query/code_shortcut.c - expressions that are computed in another way than they are written, with the same result, bit
 * for bit, and faster.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_emit.h"

static LLVMValueRef int_const(hq_emit *emit, uint64_t value)
{
    return LLVMConstInt(emit->i64, value, false);
}

static LLVMValueRef float_const(hq_emit *emit, double value)
{
    return LLVMConstReal(emit->f64, value);
}

static bool is_call(const hq_expr *expr, const char *name)
{
    return expr->op == EXPR_CALL && strcmp(MATH_FUNCTIONS[expr->index].name, name) == 0;
}

/* --- roots --- */

static bool is_same(const hq_expr *one, const hq_expr *other)
{
    return one == other || (one->op == EXPR_SLOT && other->op == EXPR_SLOT && one->index == other->index);
}

static bool is_root_of(const hq_expr *expr, const hq_expr *x)
{
    return is_call(expr, "sqrt") && is_same(expr->a, x);
}

/* -sqrt(-x) if x < 0 else sqrt(x), as masses are written: the root of |x| with the sign of x, which is the same for
 * every x, -0 and nan too. Else both roots would be taken, and one thrown away. NULL if the expression is not that. */
LLVMValueRef emit_root_with_sign(hq_emit *emit, const hq_expr *expr)
{
    const hq_expr *is_less = expr->a, *negated = expr->b;
    if (is_less->op != EXPR_LESS || is_less->a->type != SCALAR_FLOAT || is_less->b->op != EXPR_CONST ||
        is_less->b->value.number != 0)
        return NULL;
    const hq_expr *x = is_less->a;
    if (!is_root_of(expr->c, x) || negated->op != EXPR_NEGATE || negated->a->op != EXPR_CALL ||
        negated->a->a->op != EXPR_NEGATE || negated->a->index != expr->c->index || !is_same(negated->a->a->a, x))
        return NULL;
    LLVMValueRef value = emit_expr(emit, x);
    LLVMValueRef size = emit_intrinsic(emit, "llvm.fabs", &emit->f64, 1, &value, 1);
    LLVMValueRef arguments[2] = {emit_intrinsic(emit, "llvm.sqrt", &emit->f64, 1, &size, 1), value};
    return emit_intrinsic(emit, "llvm.copysign", &emit->f64, 1, arguments, 2);
}

/* It cannot be less than zero: what stands under the root of a distance. */
static bool is_sum_of_squares(const hq_expr *expr)
{
    return (expr->op == EXPR_ADD && is_sum_of_squares(expr->a) && is_sum_of_squares(expr->b)) ||
           (expr->op == EXPR_MULTIPLY && is_same(expr->a, expr->b)) ||
           (expr->op == EXPR_POWER && expr->b->op == EXPR_CONST && expr->b->value.number == 2);
}

/* The least double whose root is not less than c, or, if is_above, greater than c. */
static double first_with_root(double c, bool is_above)
{
    double x = c * c;
    while (is_above ? sqrt(x) > c : sqrt(x) >= c)
        x = nextafter(x, 0);
    while (is_above ? sqrt(x) <= c : sqrt(x) < c)
        x = nextafter(x, INFINITY);
    return x;
}

LLVMValueRef emit_comparison_of_root(hq_emit *emit, const hq_expr *expr)
{
    if (expr->op == EXPR_EQUAL || expr->op == EXPR_NOT_EQUAL || !is_call(expr->a, "sqrt") ||
        expr->b->op != EXPR_CONST || !is_sum_of_squares(expr->a->a))
        return NULL;
    double c = expr->b->value.number;
    if (!(c > 1e-100 && c < 1e100))
        return NULL;
    /* The root never falls as its argument rises, so there is one number that divides those below c from the rest. */
    bool is_above = expr->op == EXPR_LESS_EQUAL || expr->op == EXPR_GREATER;
    bool is_less = expr->op == EXPR_LESS || expr->op == EXPR_LESS_EQUAL;
    LLVMValueRef first = float_const(emit, first_with_root(c, is_above));
    return LLVMBuildFCmp(emit->builder, is_less ? LLVMRealOLT : LLVMRealOGE, emit_expr(emit, expr->a->a), first, "");
}

/* --- powers --- */

/* True if the square of the value has at most 53 significant bits, so that x * x is exact and pow(x, 2) equals it.
 * For other values the two differ in the last bit once in a thousand, and CPython calls pow. */
static bool has_exact_square(const hq_emit *emit, const hq_expr *expr)
{
    if (expr->op == EXPR_TO_FLOAT)
        expr = expr->a;
    if (expr->type == SCALAR_BOOL)
        return true;
    if (expr->op != EXPR_LOAD && expr->op != EXPR_FLAT)
        return false;
    hq_type type = emit->program->columns->fields[expr->index].type;
    return type == HQ_FLOAT32 || hq_type_size(type) <= 2;
}

/* Whether x * x, whose error a fused multiplication tells, lies so far from the middle between two doubles that pow,
 * which may err by 0.54 units in the last place (glibc, sysdeps/ieee754/dbl-64/e_pow.c), gives the same. */
static LLVMValueRef is_sure_square(hq_emit *emit, LLVMValueRef x, LLVMValueRef square)
{
    enum { LEAST_EXPONENT = 200, MOST_EXPONENT = 2040, EXPONENT_AT = 52 };
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef product[3] = {x, x, LLVMBuildFNeg(builder, square, "")};
    LLVMValueRef error = emit_intrinsic(emit, "llvm.fma", &emit->f64, 1, product, 3);
    error = emit_intrinsic(emit, "llvm.fabs", &emit->f64, 1, &error, 1);
    LLVMValueRef bits = LLVMBuildBitCast(builder, square, emit->i64, "");
    LLVMValueRef exponent = LLVMBuildLShr(builder, bits, int_const(emit, EXPONENT_AT), "");
    LLVMValueRef scale = LLVMBuildBitCast(builder, LLVMBuildShl(builder, exponent, int_const(emit, EXPONENT_AT), ""),
                                          emit->f64, "");
    LLVMValueRef limit = LLVMBuildFMul(builder, scale, LLVMConstReal(emit->f64, 0x1.cp-54), ""); /* 7/16 of a unit */
    LLVMValueRef from_least = LLVMBuildSub(builder, exponent, int_const(emit, LEAST_EXPONENT), "");
    return LLVMBuildAnd(
        builder, LLVMBuildFCmp(builder, LLVMRealOLT, error, limit, ""),
        LLVMBuildICmp(builder, LLVMIntULT, from_least, int_const(emit, MOST_EXPONENT - LEAST_EXPONENT), ""), "");
}

/* double square(double x): pow(x, 2), most times without the call. */
static LLVMValueRef square_function(hq_emit *emit)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(builder);
    LLVMTypeRef type = LLVMFunctionType(emit->f64, &emit->f64, 1, false);
    LLVMValueRef outer = emit->function;
    emit->square = emit_declare(emit, "square", type, true);
    LLVMSetLinkage(emit->square, LLVMInternalLinkage);
    emit->function = emit->square;
    LLVMValueRef x = LLVMGetParam(emit->square, 0);
    LLVMPositionBuilderAtEnd(builder, emit_new_block(emit, "start"));
    LLVMBasicBlockRef sure = emit_new_block(emit, "sure"), unsure = emit_new_block(emit, "unsure");
    LLVMValueRef square = LLVMBuildFMul(builder, x, x, "");
    LLVMBuildCondBr(builder, is_sure_square(emit, x, square), sure, unsure);
    LLVMPositionBuilderAtEnd(builder, sure);
    LLVMBuildRet(builder, square);
    LLVMPositionBuilderAtEnd(builder, unsure);
    LLVMBuildRet(builder, emit_math_call(emit, (size_t)math_find("pow"), x, LLVMConstReal(emit->f64, 2)));
    emit->function = outer;
    LLVMPositionBuilderAtEnd(builder, here);
    return emit->square;
}

LLVMValueRef emit_power(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef a = emit_expr(emit, expr->a);
    if (expr->b->op != EXPR_CONST || expr->b->value.number != 2)
        return emit_math_call(emit, (size_t)math_find("pow"), a, emit_expr(emit, expr->b));
    if (has_exact_square(emit, expr->a))
        return LLVMBuildFMul(emit->builder, a, a, "");
    LLVMValueRef function = emit->square ? emit->square : square_function(emit);
    return LLVMBuildCall2(emit->builder, LLVMGlobalGetValueType(function), function, &a, 1, "");
}

/* --- quotients --- */

/* Without it LLVM would divide in any case, and choose afterwards. */
static void set_likely(hq_emit *emit, LLVMValueRef jump)
{
    static const char NAME[] = "branch_weights";
    LLVMMetadataRef words[3] = {LLVMMDStringInContext2(emit->context, NAME, sizeof NAME - 1),
                                LLVMValueAsMetadata(LLVMConstInt(emit->i32, 1 << 20, false)),
                                LLVMValueAsMetadata(LLVMConstInt(emit->i32, 1, false))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(emit->context, words, 3);
    LLVMSetMetadata(jump, LLVMGetMDKindIDInContext(emit->context, "prof", 4), LLVMMetadataAsValue(emit->context, node));
}

/* A sum with a constant is 0 or not much smaller than the constant's last place. */
static bool is_never_tiny(const hq_expr *expr)
{
    return expr->op == EXPR_ADD && expr->b->op == EXPR_CONST && fabs(expr->b->value.number) > 1e-100;
}

/* The floor of y / c, for a constant c, is -1, 0 or 1 where y lies between -c and 2 c, as for angles, and to know which
 * takes no division: next to c no quotient is rounded across, nor next to 0 if y is never so small that y / c would
 * become 0. Elsewhere it is divided. For -0 the result is 0 and not -0. */
LLVMValueRef emit_floor_of_quotient(hq_emit *emit, const hq_expr *expr)
{
    if (emit->is_flat || emit->search || !is_call(expr, MATH_FLOOR) || expr->a->op != EXPR_DIVIDE ||
        expr->a->b->op != EXPR_CONST || !is_never_tiny(expr->a->a))
        return NULL;
    double c = expr->a->b->value.number;
    if (!(c > 1e-100 && c < 1e100))
        return NULL;
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef y = emit_expr(emit, expr->a->a), zero = float_const(emit, 0);
    LLVMValueRef is_below = LLVMBuildFCmp(builder, LLVMRealOLT, y, zero, "");
    LLVMValueRef is_near = LLVMBuildAnd(builder, LLVMBuildFCmp(builder, LLVMRealOGE, y, float_const(emit, -c), ""),
                                        LLVMBuildFCmp(builder, LLVMRealOLT, y, float_const(emit, 2 * c), ""), "");
    LLVMBasicBlockRef here = LLVMGetInsertBlock(builder);
    LLVMBasicBlockRef far = emit_new_block(emit, "far"), after = emit_new_block(emit, "after");
    LLVMValueRef is_one = LLVMBuildFCmp(builder, LLVMRealOGE, y, float_const(emit, c), "");
    LLVMValueRef near = LLVMBuildSelect(builder, is_one, float_const(emit, 1), zero, "");
    near = LLVMBuildSelect(builder, is_below, float_const(emit, -1), near, "");
    LLVMValueRef jump = LLVMBuildCondBr(builder, is_near, after, far);
    set_likely(emit, jump);
    LLVMPositionBuilderAtEnd(builder, far);
    LLVMValueRef quotient = LLVMBuildFDiv(builder, y, float_const(emit, c), "");
    quotient = emit_intrinsic(emit, "llvm.floor", &emit->f64, 1, &quotient, 1);
    LLVMBuildBr(builder, after);
    LLVMPositionBuilderAtEnd(builder, after);
    LLVMValueRef phi = LLVMBuildPhi(builder, emit->f64, "");
    LLVMValueRef values[2] = {near, quotient};
    LLVMBasicBlockRef blocks[2] = {here, far};
    LLVMAddIncoming(phi, values, blocks, 2);
    return phi;
}

/* --- sin and cos --- */

static void find_angle(const hq_expr *expr, void *context)
{
    hq_emit *emit = context;
    if (!is_call(expr, "sin") && !is_call(expr, "cos"))
        return;
    HQ_GROW(emit->angles, emit->angle_count, emit->angle_capacity);
    emit->angles[emit->angle_count++] = expr;
}

void emit_find_angles(hq_emit *emit)
{
    emit_visit_block(&emit->program->body, find_angle, emit);
}

static bool is_equal(const hq_expr *one, const hq_expr *other, size_t *left)
{
    if (one == other)
        return true;
    if (!one || !other || *left == 0)
        return false;
    --*left;
    return one->op == other->op && one->type == other->type && one->index == other->index &&
           (one->op != EXPR_CONST || one->value.integer == other->value.integer) && is_equal(one->a, other->a, left) &&
           is_equal(one->b, other->b, left) && is_equal(one->c, other->c, left);
}

/* sin and cos of one angle, as the C library's sincos gives them, bit for bit what sin and cos give: LLVM makes one
 * call of the two for the same angle. */
LLVMValueRef emit_half_of_sincos(hq_emit *emit, const hq_expr *expr)
{
    enum { MOST_NODES = 64 };
    bool is_sin = is_call(expr, "sin"), has_both = false;
    if (!is_sin && !is_call(expr, "cos"))
        return NULL;
    for (size_t i = 0; i < emit->angle_count && !has_both; i++) {
        size_t left = MOST_NODES;
        has_both = emit->angles[i]->index != expr->index && is_equal(emit->angles[i]->a, expr->a, &left);
    }
    if (!has_both)
        return NULL;
    LLVMTypeRef pair[2] = {emit->f64, emit->f64};
    LLVMTypeRef type = LLVMFunctionType(LLVMStructTypeInContext(emit->context, pair, 2, false), &emit->f64, 1, false);
    if (!emit->sincos)
        emit->sincos = emit_declare(emit, CODE_SINCOS_NAME, type, true);
    LLVMValueRef angle = emit_expr(emit, expr->a);
    LLVMValueRef both = LLVMBuildCall2(emit->builder, type, emit->sincos, &angle, 1, "");
    return LLVMBuildExtractValue(emit->builder, both, is_sin ? 0 : 1, "");
}
