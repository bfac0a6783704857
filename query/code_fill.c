/* query/code_fill.c - which bin, and what happens to it. */
#include "query/bin_rule.h"
#include "query/code_emit.h"

static LLVMValueRef int_const(hq_emit *emit, int64_t value)
{
    return LLVMConstInt(emit->i64, (unsigned long long)value, true);
}

/* True if every value of the expression is a float32 that was widened. */
static bool is_from_float(const hq_emit *emit, const hq_expr *expr)
{
    switch ((hq_expr_op)expr->op) {
    case EXPR_FLAT:
    case EXPR_LOAD:
        return emit->program->columns->fields[expr->index].type == HQ_FLOAT32;
    case EXPR_NEGATE:
    case EXPR_ABS:
        return is_from_float(emit, expr->a);
    case EXPR_MIN:
    case EXPR_MAX:
        return is_from_float(emit, expr->a) && is_from_float(emit, expr->b);
    case EXPR_COND:
        return is_from_float(emit, expr->b) && is_from_float(emit, expr->c);
    default:
        return false;
    }
}

/* n * (x - low) / (high - low), or what gives the same bins: the number of the bin without flow, not yet cut off. */
static LLVMValueRef emit_position(hq_emit *emit, const hq_axis *axis, hq_bin_rule rule, LLVMTypeRef type,
                                  LLVMValueRef x)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef distance = LLVMBuildFSub(builder, x, LLVMConstReal(type, axis->low), "");
    if (rule.way == BIN_BY_DIVISION || rule.way == BIN_BY_PRODUCT)
        distance = LLVMBuildFMul(builder, LLVMConstReal(type, axis->bins), distance, "");
    return rule.way == BIN_BY_DIVISION
               ? LLVMBuildFDiv(builder, distance, LLVMConstReal(type, axis->high - axis->low), "")
               : LLVMBuildFMul(builder, distance, LLVMConstReal(type, rule.factor), "");
}

/* axis_index of a Regular axis, inline. x is the value of the expression. */
static LLVMValueRef emit_bin(hq_emit *emit, const hq_axis *axis, const hq_expr *expr, LLVMValueRef x)
{
    LLVMBuilderRef builder = emit->builder;
    hq_bin_rule rule = bin_rule_of(axis, is_from_float(emit, expr));
    LLVMTypeRef type = emit->f64;
    if (rule.way == BIN_BY_FLOAT_FACTOR) {
        type = LLVMFloatTypeInContext(emit->context);
        x = LLVMBuildFPTrunc(builder, x, type, "");
    }
    LLVMValueRef bins = LLVMConstReal(type, axis->bins);
    LLVMValueRef position = emit_position(emit, axis, rule, type, x);
    LLVMValueRef is_below = LLVMBuildFCmp(builder, LLVMRealOLT, x, LLVMConstReal(type, axis->low), "");
    position = LLVMBuildSelect(builder, is_below, LLVMConstReal(type, -1), position, "");
    LLVMValueRef is_inside = LLVMBuildFCmp(builder, LLVMRealOLT, position, bins, "");
    /* The division may give less than n for x = high; a rule that does is not taken. */
    if (rule.way == BIN_BY_DIVISION)
        is_inside = LLVMBuildAnd(builder, is_inside,
                                 LLVMBuildFCmp(builder, LLVMRealOLT, x, LLVMConstReal(type, axis->high), ""), "");
    position = LLVMBuildSelect(builder, is_inside, position, bins, "");
    LLVMValueRef bin = LLVMBuildFPToSI(builder, position, emit->i32, "");
    return LLVMBuildAdd(builder, bin, LLVMConstInt(emit->i32, 1, false), "");
}

static void add_to(hq_emit *emit, LLVMTypeRef type, LLVMValueRef base, LLVMValueRef index, LLVMValueRef value)
{
    LLVMValueRef address = LLVMBuildInBoundsGEP2(emit->builder, type, base, &index, 1, "");
    LLVMValueRef before = LLVMBuildLoad2(emit->builder, type, address, "");
    LLVMBuildStore(emit->builder,
                   type == emit->f64 ? LLVMBuildFAdd(emit->builder, before, value, "")
                                     : LLVMBuildAdd(emit->builder, before, value, ""),
                   address);
}

LLVMValueRef emit_fill_index(hq_emit *emit, const hq_stmt *stmt)
{
    const hq_declared *hist = &emit->program->hists[stmt->index];
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef index = NULL;
    for (size_t i = 0; i < hist->axis_count; i++) {
        LLVMValueRef bin = emit_bin(emit, &hist->axes[i], stmt->fill[i], emit_expr(emit, stmt->fill[i]));
        LLVMValueRef extent = LLVMConstInt(emit->i32, hist->axes[i].bins + 2, false);
        index = index ? LLVMBuildAdd(builder, LLVMBuildMul(builder, index, extent, ""), bin, "") : bin;
    }
    return index;
}

void emit_fill(hq_emit *emit, const hq_stmt *stmt)
{
    const hq_declared *hist = &emit->program->hists[stmt->index];
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef index = LLVMBuildZExt(builder, emit_fill_index(emit, stmt), emit->i64, "");
    LLVMValueRef weight = stmt->a ? emit_expr(emit, stmt->a) : LLVMConstReal(emit->f64, 1.0);
    LLVMValueRef one = int_const(emit, 1);
    if (hist->storage == HQ_COUNT) {
        add_to(emit, emit->i64, emit->bins[stmt->index], index, one);
        return;
    }
    index = LLVMBuildMul(builder, index, int_const(emit, 2), "");
    add_to(emit, emit->f64, emit->bins[stmt->index], index, weight);
    index = LLVMBuildAdd(builder, index, one, "");
    add_to(emit, emit->f64, emit->bins[stmt->index], index, LLVMBuildFMul(builder, weight, weight, ""));
    add_to(emit, emit->i64, emit->fills[stmt->index], int_const(emit, 0), one);
}
