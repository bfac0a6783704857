/* query/code_stmt.c - statements, and the loop over the entries round them. */
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_emit.h"

static LLVMValueRef int_const(hq_emit *emit, int64_t value)
{
    return LLVMConstInt(emit->i64, (unsigned long long)value, true);
}

static void go_to(hq_emit *emit, LLVMBasicBlockRef block)
{
    LLVMBuildBr(emit->builder, block);
}

static void continue_at(hq_emit *emit, LLVMBasicBlockRef block)
{
    LLVMPositionBuilderAtEnd(emit->builder, block);
}

/* --- leaving --- */

static void leave(hq_emit *emit, hq_outcome outcome)
{
    LLVMBuildRet(emit->builder, LLVMConstInt(emit->i32, outcome, false));
}

static void store_state(hq_emit *emit, size_t offset, LLVMValueRef value)
{
    LLVMValueRef index = int_const(emit, (int64_t)offset);
    LLVMBuildStore(emit->builder, value, LLVMBuildInBoundsGEP2(emit->builder, emit->i8, emit->state, &index, 1, ""));
}

/* Goes on where is_right holds and ends the run with the fault elsewhere. */
static void demand(hq_emit *emit, LLVMValueRef is_right, uint32_t fault, LLVMValueRef index, LLVMValueRef length)
{
    LLVMBasicBlockRef wrong = emit_new_block(emit, "fault");
    LLVMBasicBlockRef right = emit_new_block(emit, "right");
    LLVMBuildCondBr(emit->builder, is_right, right, wrong);
    continue_at(emit, wrong);
    store_state(emit, offsetof(code_state, fault_entry), emit->entry);
    store_state(emit, offsetof(code_state, fault_index), index);
    store_state(emit, offsetof(code_state, fault_length), length);
    store_state(emit, offsetof(code_state, fault), LLVMConstInt(emit->i32, fault, false));
    leave(emit, OUTCOME_FAULT);
    continue_at(emit, right);
}

void emit_demand(hq_emit *emit, LLVMValueRef is_right, uint32_t fault)
{
    demand(emit, is_right, fault, int_const(emit, 0), int_const(emit, -1));
}

/* It touches nothing that the code knows but the state it is given, so that loads may be moved over it. */
static LLVMValueRef emit_declare_look(hq_emit *emit, LLVMTypeRef type)
{
    enum { OF_ARGUMENTS_AND_UNSEEN = 3 | 3 << 2 };
    LLVMValueRef look = emit_declare(emit, CODE_LOOK_NAME, type, false);
    unsigned kind = LLVMGetEnumAttributeKindForName("memory", 6);
    LLVMAddAttributeAtIndex(look, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(emit->context, kind, OF_ARGUMENTS_AND_UNSEEN));
    return look;
}

/* Takes a number of turns from what is left until the next look at the clock, and looks if that was the last. */
static void count_turns(hq_emit *emit, LLVMValueRef turns)
{
    LLVMBasicBlockRef look = emit_new_block(emit, "look");
    LLVMBasicBlockRef stopped = emit_new_block(emit, "stopped");
    LLVMBasicBlockRef rested = emit_new_block(emit, "rested");
    LLVMBasicBlockRef after = emit_new_block(emit, "counted");
    LLVMValueRef left = LLVMBuildLoad2(emit->builder, emit->i64, emit->turns, "");
    left = LLVMBuildSub(emit->builder, left, turns, "");
    LLVMBuildStore(emit->builder, left, emit->turns);
    LLVMBuildCondBr(emit->builder, LLVMBuildICmp(emit->builder, LLVMIntSLT, left, int_const(emit, 0), ""), look, after);

    continue_at(emit, look);
    LLVMTypeRef type = LLVMFunctionType(emit->i32, &emit->pointer, 1, false);
    if (!emit->look)
        emit->look = emit_declare_look(emit, type);
    LLVMValueRef answer = LLVMBuildCall2(emit->builder, type, emit->look, &emit->state, 1, "");
    LLVMValueRef goes_on = LLVMBuildICmp(emit->builder, LLVMIntEQ, answer, LLVMConstInt(emit->i32, 0, false), "");
    LLVMBuildCondBr(emit->builder, goes_on, rested, stopped);
    continue_at(emit, stopped);
    leave(emit, OUTCOME_STOPPED);
    continue_at(emit, rested);
    LLVMBuildStore(emit->builder, int_const(emit, TURNS_BETWEEN_LOOKS), emit->turns);
    go_to(emit, after);
    continue_at(emit, after);
}

/* --- statements --- */

static void emit_set(hq_emit *emit, uint32_t slot, LLVMValueRef value)
{
    emit_flat_store(emit, LLVMTypeOf(value), value, emit->slots[slot]);
}

static void emit_index(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef begin = emit_expr(emit, stmt->a);
    LLVMValueRef length = LLVMBuildSub(builder, emit_expr(emit, stmt->b), begin, "");
    LLVMValueRef asked = emit_expr(emit, stmt->c);
    LLVMValueRef is_from_end = LLVMBuildICmp(builder, LLVMIntSLT, asked, int_const(emit, 0), "");
    LLVMValueRef index = LLVMBuildSelect(builder, is_from_end, LLVMBuildAdd(builder, asked, length, ""), asked, "");
    /* What is still negative is larger than any length when taken as unsigned. */
    demand(emit, LLVMBuildICmp(builder, LLVMIntULT, index, length, ""), stmt->index, asked, length);
    emit_set(emit, stmt->slot, LLVMBuildAdd(builder, begin, index, ""));
}

static void emit_if(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMValueRef condition = emit_expr(emit, stmt->a);
    LLVMBasicBlockRef body = emit_new_block(emit, "then");
    LLVMBasicBlockRef after = emit_new_block(emit, "fi");
    LLVMBasicBlockRef other = stmt->other ? emit_new_block(emit, "else") : after;
    LLVMBuildCondBr(emit->builder, condition, body, other);
    continue_at(emit, body);
    emit_block(emit, stmt->body);
    go_to(emit, after);
    if (stmt->other) {
        continue_at(emit, other);
        emit_block(emit, stmt->other);
        go_to(emit, after);
    }
    continue_at(emit, after);
}

/* The body of a loop and what follows when it ends by itself; the builder ends behind the loop. */
static void emit_body(hq_emit *emit, const hq_stmt *stmt, LLVMBasicBlockRef body, LLVMBasicBlockRef next,
                      LLVMBasicBlockRef ended)
{
    LLVMBasicBlockRef after = emit_new_block(emit, "after");
    emit_loop loop = {emit->loop, after, next, stmt};
    emit->loop = &loop;
    continue_at(emit, body);
    emit_memo_show(emit, stmt);
    emit_block(emit, stmt->body);
    emit_memo_hide(emit, stmt);
    go_to(emit, next);
    emit->loop = loop.outer;
    continue_at(emit, ended);
    if (stmt->other)
        emit_block(emit, stmt->other);
    go_to(emit, after);
    continue_at(emit, after);
}

/* Counts in a cell of its own: the slot is the body's to change. */
static LLVMValueRef new_cell(hq_emit *emit, const char *name)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(emit->builder);
    LLVMBasicBlockRef first = LLVMGetEntryBasicBlock(emit->function);
    LLVMPositionBuilderBefore(emit->builder, LLVMGetFirstInstruction(first));
    LLVMValueRef cell = LLVMBuildAlloca(emit->builder, emit->i64, name);
    continue_at(emit, here);
    return cell;
}

static bool is_in_loop(const hq_emit *emit)
{
    const emit_loop *loop = emit->loop;
    while (loop && !loop->at_continue)
        loop = loop->outer;
    return loop != NULL;
}

static void emit_for(hq_emit *emit, const hq_stmt *stmt)
{
    if (emit_search_loops(emit, stmt))
        return;
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef begin = emit_expr(emit, stmt->a);
    LLVMValueRef end = emit_expr(emit, stmt->b);
    LLVMValueRef counter = new_cell(emit, "counter");
    LLVMBasicBlockRef head = emit_new_block(emit, "for");
    LLVMBasicBlockRef body = emit_new_block(emit, "turn");
    LLVMBasicBlockRef next = emit_new_block(emit, "next");
    LLVMBasicBlockRef ended = emit_new_block(emit, "ended");
    bool is_unbounded = stmt->index != 0;
    /* One collection's elements are few enough to go through without a look; loops in loops need not be. */
    if (!is_unbounded && is_in_loop(emit))
        count_turns(emit, LLVMBuildSub(builder, end, begin, ""));
    emit_memo_fill(emit, stmt, LLVMBuildICmp(builder, LLVMIntSLT, begin, end, ""));
    LLVMBuildStore(builder, begin, counter);
    go_to(emit, head);
    continue_at(emit, head);
    LLVMValueRef now = LLVMBuildLoad2(builder, emit->i64, counter, "");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntSLT, now, end, ""), body, ended);
    continue_at(emit, body);
    emit_set(emit, stmt->slot, now);
    continue_at(emit, next);
    if (is_unbounded)
        count_turns(emit, int_const(emit, 1));
    now = LLVMBuildLoad2(builder, emit->i64, counter, "");
    LLVMBuildStore(builder, LLVMBuildAdd(builder, now, int_const(emit, 1), ""), counter);
    go_to(emit, head);
    emit_body(emit, stmt, body, next, ended);
}

static void emit_range(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef begin = emit_expr(emit, stmt->a);
    LLVMValueRef end = emit_expr(emit, stmt->b);
    LLVMValueRef step = emit_expr(emit, stmt->c);
    LLVMValueRef zero = int_const(emit, 0);
    /* The number of turns is found first, in unsigned numbers that hold it for any two ends; counting it down cannot
     * run past the end of int64 as adding the step could. */
    LLVMValueRef is_up = LLVMBuildICmp(builder, LLVMIntSGT, step, zero, "");
    LLVMValueRef distance = LLVMBuildSelect(builder, is_up, LLVMBuildSub(builder, end, begin, ""),
                                            LLVMBuildSub(builder, begin, end, ""), "");
    LLVMValueRef stride = LLVMBuildSelect(builder, is_up, step, LLVMBuildNeg(builder, step, ""), "");
    LLVMValueRef low = LLVMBuildSelect(builder, is_up, begin, end, "");
    LLVMValueRef high = LLVMBuildSelect(builder, is_up, end, begin, "");
    LLVMValueRef has_turns = LLVMBuildICmp(builder, LLVMIntSLT, low, high, "");
    LLVMValueRef last = LLVMBuildUDiv(builder, LLVMBuildSub(builder, distance, int_const(emit, 1), ""), stride, "");
    LLVMValueRef counter = new_cell(emit, "counter");
    LLVMValueRef left = new_cell(emit, "left");
    LLVMBasicBlockRef body = emit_new_block(emit, "turn");
    LLVMBasicBlockRef next = emit_new_block(emit, "next");
    LLVMBasicBlockRef step_on = emit_new_block(emit, "step");
    LLVMBasicBlockRef ended = emit_new_block(emit, "ended");
    emit_memo_fill(emit, stmt, has_turns);
    LLVMBuildStore(builder, begin, counter);
    LLVMBuildStore(builder, last, left);
    LLVMBuildCondBr(builder, has_turns, body, ended);

    continue_at(emit, next);
    count_turns(emit, int_const(emit, 1));
    LLVMValueRef more = LLVMBuildLoad2(builder, emit->i64, left, "");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntEQ, more, zero, ""), ended, step_on);
    continue_at(emit, step_on);
    LLVMBuildStore(builder, LLVMBuildSub(builder, more, int_const(emit, 1), ""), left);
    LLVMValueRef now = LLVMBuildLoad2(builder, emit->i64, counter, "");
    LLVMBuildStore(builder, LLVMBuildAdd(builder, now, step, ""), counter);
    go_to(emit, body);
    continue_at(emit, body);
    emit_set(emit, stmt->slot, LLVMBuildLoad2(builder, emit->i64, counter, ""));
    emit_body(emit, stmt, body, next, ended);
}

static void emit_while(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMBasicBlockRef head = emit_new_block(emit, "while");
    LLVMBasicBlockRef body = emit_new_block(emit, "turn");
    LLVMBasicBlockRef next = emit_new_block(emit, "next");
    LLVMBasicBlockRef ended = emit_new_block(emit, "ended");
    emit_memo_fill(emit, stmt, NULL);
    go_to(emit, head);
    continue_at(emit, head);
    emit_block(emit, stmt->head);
    LLVMBuildCondBr(emit->builder, emit_expr(emit, stmt->a), body, ended);
    continue_at(emit, next);
    count_turns(emit, int_const(emit, 1));
    go_to(emit, head);
    emit_body(emit, stmt, body, next, ended);
}

/* --- any statement --- */

static void emit_once(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMBasicBlockRef after = emit_new_block(emit, "left");
    emit_loop loop = {emit->loop, after, NULL, stmt};
    emit->loop = &loop;
    emit_block(emit, stmt->body);
    emit->loop = loop.outer;
    go_to(emit, after);
    continue_at(emit, after);
}

static void emit_jump(hq_emit *emit, const hq_stmt *stmt)
{
    const emit_loop *loop = emit->loop;
    for (uint32_t i = 0; i < stmt->slot; i++)
        loop = loop->outer;
    go_to(emit, stmt->op == STMT_BREAK ? loop->at_break : loop ? loop->at_continue : emit->next_entry);
    /* What follows is never reached, but a block has to hold it. */
    continue_at(emit, emit_new_block(emit, "dead"));
}

static void emit_stmt(hq_emit *emit, const hq_stmt *stmt)
{
    switch ((hq_stmt_op)stmt->op) {
    case STMT_SET:
        emit_set(emit, stmt->slot, emit_expr(emit, stmt->a));
        break;
    case STMT_INDEX:
        emit_index(emit, stmt);
        break;
    case STMT_DEMAND:
        emit_demand(emit, emit_expr(emit, stmt->a), stmt->index);
        break;
    case STMT_IF:
        if (!emit->is_flat || !emit_flat_if(emit, stmt))
            emit_if(emit, stmt);
        break;
    case STMT_FOR:
        emit_for(emit, stmt);
        break;
    case STMT_RANGE:
        emit_range(emit, stmt);
        break;
    case STMT_WHILE:
        emit_while(emit, stmt);
        break;
    case STMT_ONCE:
        emit_once(emit, stmt);
        break;
    case STMT_BREAK:
    case STMT_CONTINUE:
        emit_jump(emit, stmt);
        break;
    case STMT_ROOM:
        emit_room(emit, stmt);
        break;
    case STMT_STORE:
        emit_store(emit, stmt);
        break;
    case STMT_SORT:
        emit_sort(emit, stmt);
        break;
    case STMT_KERNEL:
        emit_kernel(emit, stmt);
        break;
    case STMT_FILL:
        if (emit->is_flat)
            emit_flat_fill(emit, stmt);
        else
            emit_fill(emit, stmt);
        break;
    }
}

void emit_block(hq_emit *emit, const hq_block *block)
{
    for (const hq_stmt *stmt = block->first; stmt; stmt = stmt->next) {
        emit_stmt(emit, stmt);
        if (stmt->op == STMT_SET || stmt->op == STMT_INDEX)
            emit_memo_show(emit, stmt);
    }
    for (const hq_stmt *stmt = block->first; stmt; stmt = stmt->next)
        if (stmt->op == STMT_SET || stmt->op == STMT_INDEX)
            emit_memo_hide(emit, stmt);
}

/* --- the function --- */

/* The element of a table of pointers. */
static LLVMValueRef table_entry(hq_emit *emit, LLVMValueRef table, size_t index)
{
    LLVMValueRef at = int_const(emit, (int64_t)index);
    return emit_invariant_load(emit, emit->pointer,
                               LLVMBuildInBoundsGEP2(emit->builder, emit->pointer, table, &at, 1, ""));
}

void emit_column_values(hq_emit *emit, LLVMValueRef columns)
{
    for (size_t i = 0; i < emit->program->columns->count; i++)
        emit->values[i] = table_entry(emit, columns, 2 * i);
}

static void emit_prologue(hq_emit *emit)
{
    const hq_program *program = emit->program;
    LLVMValueRef columns = LLVMGetParam(emit->function, 0);
    LLVMValueRef bins = LLVMGetParam(emit->function, 1);
    LLVMValueRef fills = LLVMGetParam(emit->function, 2);
    emit->turns = LLVMBuildAlloca(emit->builder, emit->i64, "turns");
    LLVMBuildStore(emit->builder, int_const(emit, TURNS_BETWEEN_LOOKS), emit->turns);
    for (size_t i = 0; i < program->slot_count; i++) {
        LLVMTypeRef type = emit_type(emit, (hq_scalar)program->slots[i]);
        emit->slots[i] = LLVMBuildAlloca(emit->builder, type, "");
        LLVMBuildStore(emit->builder, LLVMConstNull(type), emit->slots[i]);
    }
    if (program->has_memory)
        emit_memory(emit);
    if (emit->is_flat)
        emit_flat_cells(emit);
    emit_memo_cells(emit);
    emit_column_values(emit, columns);
    for (size_t i = 0; i < program->hist_count; i++) {
        emit->bins[i] = table_entry(emit, bins, i);
        emit->fills[i] = table_entry(emit, fills, i);
    }
}

void emit_groups(hq_emit *emit, LLVMValueRef *offsets)
{
    LLVMBuilderRef builder = emit->builder;
    for (size_t i = 0; i < emit->program->group_count; i++) {
        LLVMValueRef at = emit->entry;
        LLVMValueRef address = LLVMBuildInBoundsGEP2(builder, emit->i32, offsets[i], &at, 1, "");
        emit->begins[i] = LLVMBuildZExt(builder, emit_invariant_load(emit, emit->i32, address), emit->i64, "begin");
        at = int_const(emit, 1);
        address = LLVMBuildInBoundsGEP2(builder, emit->i32, address, &at, 1, "");
        emit->ends[i] = LLVMBuildZExt(builder, emit_invariant_load(emit, emit->i32, address), emit->i64, "end");
    }
}

static void prepare(hq_emit *emit)
{
    const hq_program *program = emit->program;
    LLVMContextRef context = emit->context;
    emit->i1 = LLVMInt1TypeInContext(context);
    emit->i8 = LLVMInt8TypeInContext(context);
    emit->i32 = LLVMInt32TypeInContext(context);
    emit->i64 = LLVMInt64TypeInContext(context);
    emit->f64 = LLVMDoubleTypeInContext(context);
    emit->pointer = LLVMPointerTypeInContext(context, 0);
    emit->invariant = LLVMGetMDKindIDInContext(context, "invariant.load", 14);
    emit->empty_node = LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, NULL, 0));
    emit->slots = hq_calloc(program->slot_count + 1, sizeof *emit->slots);
    emit->values = hq_calloc(program->columns->count + 1, sizeof *emit->values);
    emit->begins = hq_calloc(program->group_count + 1, sizeof *emit->begins);
    emit->ends = hq_calloc(program->group_count + 1, sizeof *emit->ends);
    emit->bins = hq_calloc(program->hist_count + 1, sizeof *emit->bins);
    emit->fills = hq_calloc(program->hist_count + 1, sizeof *emit->fills);
    emit->calls = hq_calloc(MATH_FUNCTION_COUNT, sizeof *emit->calls);
}

void emit_clear(hq_emit *emit)
{
    emit_memo_free(emit);
    free(emit->slots);
    free(emit->values);
    free(emit->begins);
    free(emit->ends);
    free(emit->bins);
    free(emit->fills);
    free(emit->calls);
    free(emit->angles);
}

static void emit_entries(hq_emit *emit, LLVMValueRef *offsets, LLVMValueRef first, LLVMValueRef last,
                         LLVMBasicBlockRef done)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMBasicBlockRef start = LLVMGetInsertBlock(builder);
    LLVMBasicBlockRef head = emit_new_block(emit, "entries");
    LLVMBasicBlockRef body = emit_new_block(emit, "entry");
    go_to(emit, head);

    continue_at(emit, head);
    emit->entry = LLVMBuildPhi(builder, emit->i64, "entry");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntULT, emit->entry, last, ""), body, done);
    continue_at(emit, body);
    emit_groups(emit, offsets);
    if (emit->program->has_memory)
        emit_empty_memory(emit);
    emit_memo_forget(emit);
    emit_block(emit, &emit->program->body);
    go_to(emit, emit->next_entry);

    continue_at(emit, emit->next_entry);
    LLVMValueRef next = LLVMBuildAdd(builder, emit->entry, int_const(emit, 1), "");
    go_to(emit, head);
    LLVMValueRef values[2] = {first, next};
    LLVMBasicBlockRef blocks[2] = {start, emit->next_entry};
    LLVMAddIncoming(emit->entry, values, blocks, 2);
}

static void set_noalias(hq_emit *emit, unsigned parameter)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("noalias", 7);
    LLVMAddAttributeAtIndex(emit->function, parameter, LLVMCreateEnumAttribute(emit->context, kind, 0));
}

void emit_function(hq_emit *emit)
{
    prepare(emit);
    emit->is_flat = emit_is_flat(emit->program);
    emit_memo_new(emit);
    emit_find_angles(emit);
    LLVMTypeRef parameters[8] = {emit->pointer, emit->pointer, emit->pointer, emit->pointer,
                                 emit->i64,     emit->i64,     emit->pointer, emit->i64};
    emit->function = LLVMAddFunction(emit->module, CODE_FUNCTION_NAME,
                                     LLVMFunctionType(emit->i32, parameters, 8, false));
    /* Nothing else leads to the state and to what is kept of objects. */
    set_noalias(emit, 4);
    set_noalias(emit, 7);
    emit->state = LLVMGetParam(emit->function, 3);
    LLVMValueRef first = LLVMGetParam(emit->function, 4);
    LLVMValueRef last = LLVMGetParam(emit->function, 5);
    LLVMBasicBlockRef start = emit_new_block(emit, "start");
    LLVMBasicBlockRef done = emit_new_block(emit, "done");
    emit->next_entry = emit_new_block(emit, "next_entry");

    continue_at(emit, start);
    emit_prologue(emit);
    LLVMValueRef *offsets = hq_calloc(emit->program->group_count + 1, sizeof *offsets);
    for (size_t i = 0; i < emit->program->group_count; i++)
        offsets[i] = table_entry(emit, LLVMGetParam(emit->function, 0),
                                 2 * (size_t)emit->program->groups[i].column + 1);
    if (emit->is_flat)
        emit_flat(emit, offsets, first, last, done);
    else
        emit_entries(emit, offsets, first, last, done);
    free(offsets);

    continue_at(emit, done);
    leave(emit, OUTCOME_DONE);
    emit_memo_functions(emit);
}
