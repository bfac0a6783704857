/* query/code_flat.c - programs that do the same to each value of a column, or of a collection, and only count.
 *
 * For such a program the border between two entries does not matter, and the order of fills neither. So one loop goes
 * over all values of a run, a block at a time: first the bin of each value is written down, a loop that LLVM turns into
 * vector instructions, and then code_count counts a block of bins.
 */
#include "base/memory.h"
#include "query/code_emit.h"

enum {
    MOST_BINS = 1 << 16, /* in a histogram: they are kept twice during a run */
    BLOCK = 256
};

/* --- is it one? --- */

/* Within one collection's elements nothing may be asked of the entry. */
static bool expr_is_flat(const hq_expr *expr, bool is_of_elements)
{
    if (!expr)
        return true;
    if (is_of_elements && (expr->op == EXPR_FLAT || expr->op == EXPR_BEGIN || expr->op == EXPR_END))
        return false;
    return expr_is_flat(expr->a, is_of_elements) && expr_is_flat(expr->b, is_of_elements) &&
           expr_is_flat(expr->c, is_of_elements);
}

static bool fill_is_flat(const hq_program *program, const hq_stmt *stmt, bool is_of_elements)
{
    const hq_declared *hist = &program->hists[stmt->index];
    if (hist->storage != HQ_COUNT || axes_size(hist->axes, hist->axis_count) > MOST_BINS)
        return false;
    for (size_t i = 0; i < hist->axis_count; i++)
        if (!expr_is_flat(stmt->fill[i], is_of_elements))
            return false;
    return true;
}

static bool block_is_flat(const hq_program *program, const hq_block *block, bool is_of_elements, size_t *fill_count)
{
    bool is_flat = true;
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt && is_flat; stmt = stmt->next)
        switch ((hq_stmt_op)stmt->op) {
        case STMT_SET:
            is_flat = expr_is_flat(stmt->a, is_of_elements);
            break;
        case STMT_IF:
            is_flat = expr_is_flat(stmt->a, is_of_elements) &&
                      block_is_flat(program, stmt->body, is_of_elements, fill_count) &&
                      block_is_flat(program, stmt->other, is_of_elements, fill_count);
            break;
        case STMT_CONTINUE:
            break;
        case STMT_FILL:
            is_flat = fill_is_flat(program, stmt, is_of_elements) && ++*fill_count <= FLAT_MOST_FILLS;
            break;
        default: /* loops, and what may fail: which entry that was must be known */
            return false;
        }
    return is_flat;
}

/* The one loop over a whole collection that the program consists of; NULL if it is not like that. */
static const hq_stmt *only_loop(const hq_program *program)
{
    const hq_stmt *loop = program->body.first;
    bool is_whole = loop && !loop->next && loop->op == STMT_FOR && !loop->other && loop->index == 0 &&
                    loop->a->op == EXPR_BEGIN && loop->b->op == EXPR_END && loop->a->index == loop->b->index;
    return is_whole ? loop : NULL;
}

bool emit_is_flat(const hq_program *program)
{
    const hq_stmt *loop = only_loop(program);
    size_t fill_count = 0;
    return block_is_flat(program, loop ? loop->body : &program->body, loop != NULL, &fill_count) && fill_count > 0;
}

/* --- conditions --- */

enum { MOST_NODES = 64 }; /* of what is computed although it may not be wanted */

static const hq_stmt *only_loop(const hq_program *program);

/* Can it be computed where the program does not ask for it? It reads but the values of this turn, which are there, and
 * costs little. */
static bool expr_is_cheap(const hq_emit *emit, const hq_expr *expr, size_t *left)
{
    if (!expr)
        return true;
    if (*left == 0)
        return false;
    --*left;
    const hq_stmt *loop = only_loop(emit->program);
    switch ((hq_expr_op)expr->op) {
    case EXPR_LOAD:
        return loop && expr->a->op == EXPR_SLOT && emit_memo_is_copy(emit, expr->a->index, loop->slot);
    case EXPR_CALL:
    case EXPR_POWER:
    case EXPR_MODULO:
    case EXPR_FLOOR_DIVIDE:
        return false;
    default:
        return expr_is_cheap(emit, expr->a, left) && expr_is_cheap(emit, expr->b, left) &&
               expr_is_cheap(emit, expr->c, left);
    }
}

static bool block_is_cheap(const hq_emit *emit, const hq_block *block, size_t *left)
{
    bool is_cheap = true;
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt && is_cheap; stmt = stmt->next) {
        is_cheap = (stmt->op == STMT_SET || stmt->op == STMT_IF || stmt->op == STMT_FILL) &&
                   expr_is_cheap(emit, stmt->a, left);
        if (stmt->op == STMT_IF)
            is_cheap = is_cheap && block_is_cheap(emit, stmt->body, left) && block_is_cheap(emit, stmt->other, left);
        for (size_t i = 0; stmt->op == STMT_FILL && i < HQ_MAX_AXES; i++)
            is_cheap = is_cheap && expr_is_cheap(emit, stmt->fill[i], left);
    }
    return is_cheap;
}

bool emit_flat_is_cheap(const hq_emit *emit, const hq_expr *expr)
{
    size_t left = MOST_NODES;
    return emit->is_flat && expr_is_cheap(emit, expr, &left);
}

void emit_flat_store(hq_emit *emit, LLVMTypeRef type, LLVMValueRef value, LLVMValueRef cell)
{
    if (emit->flat_mask)
        value = LLVMBuildSelect(emit->builder, emit->flat_mask, value, LLVMBuildLoad2(emit->builder, type, cell, ""),
                                "");
    LLVMBuildStore(emit->builder, value, cell);
}

bool emit_flat_if(hq_emit *emit, const hq_stmt *stmt)
{
    size_t left = MOST_NODES;
    if (!emit->flat_mask && !(block_is_cheap(emit, stmt->body, &left) && block_is_cheap(emit, stmt->other, &left)))
        return false;
    LLVMValueRef outer = emit->flat_mask;
    LLVMValueRef holds = emit_expr(emit, stmt->a);
    emit->flat_mask = outer ? LLVMBuildAnd(emit->builder, outer, holds, "") : holds;
    emit_block(emit, stmt->body);
    holds = LLVMBuildNot(emit->builder, holds, "");
    emit->flat_mask = outer ? LLVMBuildAnd(emit->builder, outer, holds, "") : holds;
    if (stmt->other)
        emit_block(emit, stmt->other);
    emit->flat_mask = outer;
    return true;
}

/* --- its code --- */

static LLVMValueRef int_const(hq_emit *emit, uint64_t value)
{
    return LLVMConstInt(emit->i64, value, false);
}

static uint64_t size_of(const hq_emit *emit, const hq_stmt *fill)
{
    const hq_declared *hist = &emit->program->hists[fill->index];
    return axes_size(hist->axes, hist->axis_count);
}

void emit_flat_fill(hq_emit *emit, const hq_stmt *stmt)
{
    size_t which = 0;
    while (emit->flat_fills[which] && emit->flat_fills[which] != stmt)
        which++;
    emit->flat_fills[which] = stmt;
    emit_flat_store(emit, emit->i32, emit_fill_index(emit, stmt), emit->flat_bins[which]);
}

/* Numbers behind the last bin stand for values that are not filled, in turns as well. */
static void start_turn(hq_emit *emit, LLVMValueRef now, LLVMBasicBlockRef start)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMPositionBuilderBefore(builder, LLVMGetFirstInstruction(start));
    LLVMValueRef round = LLVMBuildUDiv(builder, LLVMBuildTrunc(builder, now, emit->i32, ""),
                                       LLVMConstInt(emit->i32, FLAT_TABLES, false), "");
    LLVMValueRef nowhere = LLVMBuildURem(builder, round, LLVMConstInt(emit->i32, FLAT_NOWHERE, false), "");
    for (size_t i = 0; emit->flat_fills[i]; i++) {
        LLVMValueRef size = LLVMConstInt(emit->i32, size_of(emit, emit->flat_fills[i]), false);
        LLVMBuildStore(builder, LLVMBuildAdd(builder, size, nowhere, ""), emit->flat_bins[i]);
    }
}

static void end_turn(hq_emit *emit, LLVMValueRef turn)
{
    for (size_t i = 0; emit->flat_fills[i]; i++) {
        LLVMValueRef bin = LLVMBuildLoad2(emit->builder, emit->i32, emit->flat_bins[i], "");
        LLVMBuildStore(emit->builder, bin,
                       LLVMBuildInBoundsGEP2(emit->builder, emit->i32, emit->flat_blocks[i], &turn, 1, ""));
    }
}

static void count_block(hq_emit *emit, LLVMValueRef turns)
{
    LLVMTypeRef parameters[4] = {emit->pointer, emit->i64, emit->pointer, emit->i64};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(emit->context), parameters, 4, false);
    LLVMValueRef function = emit_declare(emit, CODE_COUNT_NAME, type, false);
    /* It keeps no pointer to the block, so that no column can lie in it. */
    unsigned kind = LLVMGetEnumAttributeKindForName("nocapture", 9);
    LLVMAddAttributeAtIndex(function, 1, LLVMCreateEnumAttribute(emit->context, kind, 0));
    for (size_t i = 0; emit->flat_fills[i]; i++) {
        LLVMValueRef arguments[4] = {emit->flat_blocks[i], turns, emit->bins[emit->flat_fills[i]->index],
                                     int_const(emit, size_of(emit, emit->flat_fills[i]))};
        LLVMBuildCall2(emit->builder, type, function, arguments, 4, "");
    }
}

void emit_flat_cells(hq_emit *emit)
{
    LLVMTypeRef block = LLVMArrayType2(emit->i32, BLOCK);
    for (size_t i = 0; i < FLAT_MOST_FILLS; i++) {
        emit->flat_bins[i] = LLVMBuildAlloca(emit->builder, emit->i32, "bin");
        emit->flat_blocks[i] = LLVMBuildAlloca(emit->builder, block, "block");
    }
}

/* The first and last value of what is gone through, instead of the first and last entry. */
static LLVMValueRef value_of_entry(hq_emit *emit, const hq_stmt *loop, LLVMValueRef *offsets, LLVMValueRef entry)
{
    if (!loop)
        return entry;
    LLVMValueRef address = LLVMBuildInBoundsGEP2(emit->builder, emit->i32, offsets[loop->a->index], &entry, 1, "");
    return LLVMBuildZExt(emit->builder, emit_invariant_load(emit, emit->i32, address), emit->i64, "");
}

void emit_flat(hq_emit *emit, LLVMValueRef *offsets, LLVMValueRef first, LLVMValueRef last, LLVMBasicBlockRef done)
{
    LLVMBuilderRef builder = emit->builder;
    const hq_stmt *loop = only_loop(emit->program);
    LLVMBasicBlockRef start = LLVMGetInsertBlock(builder);
    LLVMBasicBlockRef head = emit_new_block(emit, "blocks");
    LLVMBasicBlockRef block = emit_new_block(emit, "block");
    LLVMBasicBlockRef turn = emit_new_block(emit, "turn");
    LLVMBasicBlockRef ended = emit_new_block(emit, "ended");
    first = value_of_entry(emit, loop, offsets, first);
    last = value_of_entry(emit, loop, offsets, last);
    LLVMBuildBr(builder, head);

    LLVMPositionBuilderAtEnd(builder, head);
    LLVMValueRef at = LLVMBuildPhi(builder, emit->i64, "at");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntULT, at, last, ""), block, done);
    LLVMPositionBuilderAtEnd(builder, block);
    LLVMValueRef left = LLVMBuildSub(builder, last, at, "");
    LLVMValueRef is_last = LLVMBuildICmp(builder, LLVMIntULT, left, int_const(emit, BLOCK), "");
    LLVMValueRef turns = LLVMBuildSelect(builder, is_last, left, int_const(emit, BLOCK), "turns");
    LLVMBuildBr(builder, turn);

    LLVMPositionBuilderAtEnd(builder, turn);
    LLVMValueRef now = LLVMBuildPhi(builder, emit->i64, "now");
    LLVMBasicBlockRef body = emit_new_block(emit, "body");
    LLVMBuildBr(builder, body);
    LLVMPositionBuilderAtEnd(builder, body);
    emit->entry = LLVMBuildAdd(builder, at, now, "");
    if (loop)
        LLVMBuildStore(builder, emit->entry, emit->slots[loop->slot]);
    else
        emit_groups(emit, offsets);
    emit_loop frame = {NULL, NULL, emit->next_entry, loop};
    emit->loop = loop ? &frame : NULL;
    if (loop)
        emit_memo_show(emit, loop);
    emit_block(emit, loop ? loop->body : &emit->program->body);
    if (loop)
        emit_memo_hide(emit, loop);
    emit->loop = NULL;
    LLVMBuildBr(builder, emit->next_entry);
    start_turn(emit, now, body);

    LLVMPositionBuilderAtEnd(builder, emit->next_entry);
    end_turn(emit, now);
    LLVMValueRef next = LLVMBuildAdd(builder, now, int_const(emit, 1), "");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntULT, next, turns, ""), turn, ended);
    LLVMValueRef values[2] = {int_const(emit, 0), next};
    LLVMBasicBlockRef blocks[2] = {block, emit->next_entry};
    LLVMAddIncoming(now, values, blocks, 2);

    LLVMPositionBuilderAtEnd(builder, ended);
    count_block(emit, turns);
    LLVMValueRef on = LLVMBuildAdd(builder, at, turns, "");
    LLVMBuildBr(builder, head);
    LLVMValueRef ats[2] = {first, on};
    LLVMBasicBlockRef froms[2] = {start, ended};
    LLVMAddIncoming(at, ats, froms, 2);
}
