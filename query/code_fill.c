/* query/code_fill.c - which bin, and what happens to it. */
#include <stdlib.h>

#include "base/memory.h"
#include "query/bin_rule.h"
#include "query/code_emit.h"

enum { MOST_COMPARED = 32 }; /* edges or categories, one by one */

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
static LLVMValueRef emit_regular_bin(hq_emit *emit, const hq_axis *axis, const hq_expr *expr, LLVMValueRef x)
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

static LLVMValueRef bin_number(hq_emit *emit, uint32_t number)
{
    return LLVMConstInt(emit->i32, number, false);
}

/* A table of the program's that machine code looks values up in. */
static LLVMValueRef emit_table(hq_emit *emit, LLVMValueRef *numbers, size_t count)
{
    LLVMValueRef global = LLVMAddGlobal(emit->module, LLVMArrayType2(emit->f64, count), "table");
    LLVMSetInitializer(global, LLVMConstArray2(emit->f64, numbers, count));
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

static LLVMValueRef look_up(hq_emit *emit, const char *name, LLVMValueRef *numbers, size_t count, LLVMValueRef x)
{
    LLVMTypeRef parameters[3] = {emit->pointer, emit->i32, emit->f64};
    LLVMTypeRef type = LLVMFunctionType(emit->i32, parameters, 3, false);
    LLVMValueRef function = LLVMGetNamedFunction(emit->module, name);
    if (!function)
        function = emit_declare(emit, name, type, false);
    LLVMValueRef arguments[3] = {emit_table(emit, numbers, count), bin_number(emit, (uint32_t)count), x};
    return LLVMBuildCall2(emit->builder, type, function, arguments, 3, "");
}

uint32_t code_count_edges(const double *edges, uint32_t count, double x)
{
    uint32_t low = 0;
    for (uint32_t high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (x < edges[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint32_t code_find_category(const double *categories, uint32_t count, double x)
{
    uint32_t i = 0;
    while (i < count && categories[i] != x)
        i++;
    return i;
}

/* As many edges as do not lie above x: nan lies above none of them, and so goes to the overflow. */
static LLVMValueRef emit_variable_bin(hq_emit *emit, const hq_axis *axis, LLVMValueRef x)
{
    size_t count = (size_t)axis->bins + 1;
    LLVMValueRef *edges = hq_calloc(count, sizeof *edges);
    for (size_t i = 0; i < count; i++)
        edges[i] = LLVMConstReal(emit->f64, axis->edges[i]);
    LLVMValueRef bin = bin_number(emit, 0);
    if (count > MOST_COMPARED)
        bin = look_up(emit, CODE_EDGES_NAME, edges, count, x);
    for (size_t i = 0; count <= MOST_COMPARED && i < count; i++) {
        LLVMValueRef is_above = LLVMBuildFCmp(emit->builder, LLVMRealUGE, x, edges[i], "");
        bin = LLVMBuildAdd(emit->builder, bin, LLVMBuildZExt(emit->builder, is_above, emit->i32, ""), "");
    }
    free(edges);
    return bin;
}

static LLVMValueRef emit_category_bin(hq_emit *emit, const hq_axis *axis, LLVMValueRef x)
{
    LLVMValueRef *categories = hq_calloc(axis->bins, sizeof *categories);
    for (size_t i = 0; i < axis->bins; i++)
        categories[i] = LLVMConstReal(emit->f64, axis->ints ? (double)axis->ints[i] : (double)i);
    LLVMValueRef bin = bin_number(emit, axis->bins);
    if (axis->bins > MOST_COMPARED)
        bin = look_up(emit, CODE_CATEGORY_NAME, categories, axis->bins, x);
    for (uint32_t i = axis->bins; axis->bins <= MOST_COMPARED && i-- > 0;)
        bin = LLVMBuildSelect(emit->builder, LLVMBuildFCmp(emit->builder, LLVMRealOEQ, x, categories[i], ""),
                              bin_number(emit, i), bin, "");
    free(categories);
    return bin;
}

static LLVMValueRef emit_integer_bin(hq_emit *emit, const hq_axis *axis, LLVMValueRef x)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef low = LLVMConstReal(emit->f64, axis->low);
    LLVMValueRef bins = LLVMConstReal(emit->f64, axis->bins);
    LLVMValueRef whole = emit_intrinsic(emit, "llvm.floor", &emit->f64, 1, &x, 1);
    LLVMValueRef position = LLVMBuildFSub(builder, whole, low, "");
    position = LLVMBuildSelect(builder, LLVMBuildFCmp(builder, LLVMRealOLT, x, low, ""), LLVMConstReal(emit->f64, -1),
                               position, "");
    LLVMValueRef is_inside = LLVMBuildFCmp(builder, LLVMRealOLT, x, LLVMConstReal(emit->f64, axis->high), "");
    position = LLVMBuildSelect(builder, is_inside, position, bins, "");
    return LLVMBuildAdd(builder, LLVMBuildFPToSI(builder, position, emit->i32, ""), bin_number(emit, 1), "");
}

/* axis_index, inline. */
static LLVMValueRef emit_bin(hq_emit *emit, const hq_axis *axis, const hq_expr *expr, LLVMValueRef x)
{
    switch (axis->kind) {
    case HQ_AXIS_VARIABLE:
        return emit_variable_bin(emit, axis, x);
    case HQ_AXIS_INTEGER:
        return emit_integer_bin(emit, axis, x);
    case HQ_AXIS_INT_CATEGORY:
    case HQ_AXIS_STR_CATEGORY:
        return emit_category_bin(emit, axis, x);
    case HQ_AXIS_BOOLEAN:
        return LLVMBuildZExt(emit->builder,
                             LLVMBuildFCmp(emit->builder, LLVMRealUNE, x, LLVMConstReal(emit->f64, 0), ""), emit->i32,
                             "");
    default: {
        /* The expression is the transform's value already. */
        hq_axis plain = *axis;
        plain.transform = HQ_TRANSFORM_NONE;
        plain.low = axis_transformed(axis, axis->low);
        plain.high = axis_transformed(axis, axis->high);
        return emit_regular_bin(emit, &plain, expr, x);
    }
    }
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
        LLVMValueRef extent = LLVMConstInt(emit->i32, axis_extent(&hist->axes[i]), false);
        index = index ? LLVMBuildAdd(builder, LLVMBuildMul(builder, index, extent, ""), bin, "") : bin;
    }
    return index;
}

/* hist_fill_bin of a storage with a mean, inline. A weight of 0 changes nothing. */
static void emit_mean(hq_emit *emit, const hq_stmt *stmt, LLVMValueRef index, LLVMValueRef weight, LLVMValueRef sample)
{
    enum { SUM, MEAN, DELTAS, SQUARES, NUMBERS };
    static const int PLACES[2][NUMBERS] = {{0, 1, 2, -1}, {0, 2, 3, 1}};
    LLVMBuilderRef builder = emit->builder;
    hq_storage storage = emit->program->hists[stmt->index].storage;
    const int *places = PLACES[storage == HQ_WEIGHTED_MEAN];
    LLVMValueRef first = LLVMBuildMul(builder, index, int_const(emit, (int64_t)storage_words(storage)), "");
    LLVMValueRef address[NUMBERS], before[NUMBERS], after[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++) {
        if (places[i] < 0)
            continue;
        LLVMValueRef at = LLVMBuildAdd(builder, first, int_const(emit, places[i]), "");
        address[i] = LLVMBuildInBoundsGEP2(builder, emit->f64, emit->bins[stmt->index], &at, 1, "");
        before[i] = LLVMBuildLoad2(builder, emit->f64, address[i], "");
    }
    after[SUM] = LLVMBuildFAdd(builder, before[SUM], weight, "");
    LLVMValueRef delta = LLVMBuildFSub(builder, sample, before[MEAN], "");
    LLVMValueRef weighted = LLVMBuildFMul(builder, weight, delta, "");
    after[MEAN] = LLVMBuildFAdd(builder, before[MEAN], LLVMBuildFDiv(builder, weighted, after[SUM], ""), "");
    LLVMValueRef rest = LLVMBuildFSub(builder, sample, after[MEAN], "");
    after[DELTAS] = LLVMBuildFAdd(builder, before[DELTAS], LLVMBuildFMul(builder, weighted, rest, ""), "");
    if (places[SQUARES] >= 0)
        after[SQUARES] = LLVMBuildFAdd(builder, before[SQUARES], LLVMBuildFMul(builder, weight, weight, ""), "");
    LLVMValueRef is_nothing = LLVMBuildFCmp(builder, LLVMRealOEQ, weight, LLVMConstReal(emit->f64, 0), "");
    for (size_t i = 0; i < NUMBERS; i++)
        if (places[i] >= 0)
            LLVMBuildStore(builder, LLVMBuildSelect(builder, is_nothing, before[i], after[i], ""), address[i]);
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
    if (storage_has_mean(hist->storage)) {
        emit_mean(emit, stmt, index, weight, emit_expr(emit, stmt->b));
    } else {
        index = LLVMBuildMul(builder, index, int_const(emit, 2), "");
        add_to(emit, emit->f64, emit->bins[stmt->index], index, weight);
        index = LLVMBuildAdd(builder, index, one, "");
        add_to(emit, emit->f64, emit->bins[stmt->index], index, LLVMBuildFMul(builder, weight, weight, ""));
    }
    add_to(emit, emit->i64, emit->fills[stmt->index], int_const(emit, 0), one);
}
