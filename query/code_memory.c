/* query/code_memory.c - the memory of an event, where lists are kept: the statements that use it, and what these call.
 *
 * It is a stretch of words that fills up from its start and is empty again with the next entry. Bools and ints lie in
 * it as int64, floats as doubles.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "query/code_emit.h"

/* --- what machine code calls --- */

int64_t code_room(code_state *state, int64_t count, int64_t width, int64_t before, int64_t used)
{
    if (width == 0 || count <= 0)
        return 0;
    if (count > CODE_MEMORY_WORDS / width || count * width > CODE_MEMORY_WORDS - state->words_used)
        return -1;
    int64_t base = state->words_used;
    state->words_used += count * width;
    memcpy(state->words + base, state->words + before, (size_t)used * sizeof *state->words);
    return base;
}

static double float_of(int64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* True if an element goes before another. */
static bool is_before(const int64_t *one, const int64_t *other, int32_t spec, int64_t keys)
{
    bool is_reverse = spec & SORT_REVERSE;
    for (; keys; keys >>= SORT_KEY_BITS, one++, other++) {
        if (keys & SORT_FLOAT) {
            double a = float_of(*one), b = float_of(*other);
            if (a != b)
                return is_reverse ? a > b : a < b;
        } else if (*one != *other) {
            return is_reverse ? *one > *other : *one < *other;
        }
    }
    return false;
}

/* Two runs that stand side by side become one; equal elements keep their order. */
static void merge(int64_t *to, const int64_t *from, int64_t middle, int64_t end, int32_t spec, int64_t keys)
{
    int64_t width = spec / SORT_WIDTH;
    int64_t left = 0, right = middle;
    for (int64_t i = 0; i < end; i++) {
        bool takes_right = left == middle ||
                           (right < end && is_before(from + right * width, from + left * width, spec, keys));
        int64_t taken = takes_right ? right++ : left++;
        memcpy(to + i * width, from + taken * width, (size_t)width * sizeof *to);
    }
}

int32_t code_sort(code_state *state, int64_t base, int64_t count, int32_t spec, int64_t keys)
{
    int64_t width = spec / SORT_WIDTH;
    if (count * width > CODE_MEMORY_WORDS - state->words_used)
        return 0;
    int64_t *elements = state->words + base;
    int64_t *from = elements;
    int64_t *to = state->words + state->words_used;
    for (int64_t run = 1; run < count; run *= 2) {
        for (int64_t first = 0; first < count; first += 2 * run) {
            int64_t end = count - first < 2 * run ? count - first : 2 * run;
            merge(to + first * width, from + first * width, run < end ? run : end, end, spec, keys);
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    int64_t skipped = 0;
    for (int64_t left = spec & SORT_DROP ? keys : 0; left; left >>= SORT_KEY_BITS)
        skipped++;
    int64_t kept = width - skipped;
    for (int64_t i = 0; i < count && (skipped || from != elements); i++)
        memmove(elements + i * kept, from + i * width + skipped, (size_t)kept * sizeof *elements);
    return 1;
}

/* --- the code that calls it --- */

static LLVMValueRef word_address(hq_emit *emit, const hq_expr *index)
{
    LLVMValueRef at = emit_expr(emit, index);
    return LLVMBuildInBoundsGEP2(emit->builder, emit->i64, emit->words, &at, 1, "");
}

LLVMValueRef emit_word(hq_emit *emit, const hq_expr *expr)
{
    LLVMValueRef address = word_address(emit, expr->a);
    if (expr->type == SCALAR_FLOAT)
        return LLVMBuildLoad2(emit->builder, emit->f64, address, "");
    LLVMValueRef word = LLVMBuildLoad2(emit->builder, emit->i64, address, "");
    return expr->type == SCALAR_BOOL ? LLVMBuildTrunc(emit->builder, word, emit->i1, "") : word;
}

void emit_store(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMValueRef value = emit_expr(emit, stmt->b);
    if (stmt->b->type == SCALAR_BOOL)
        value = LLVMBuildZExt(emit->builder, value, emit->i64, "");
    LLVMBuildStore(emit->builder, value, word_address(emit, stmt->a));
}

void emit_room(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMValueRef zero = LLVMConstInt(emit->i64, 0, false);
    LLVMValueRef before = LLVMBuildLoad2(emit->builder, emit->i64, emit->slots[stmt->slot], "");
    LLVMValueRef arguments[5] = {emit->state, emit_expr(emit, stmt->a), emit_expr(emit, stmt->c), before,
                                 stmt->b ? emit_expr(emit, stmt->b) : zero};
    LLVMValueRef base = emit_call(emit, CODE_ROOM_NAME, emit->i64, arguments, 5);
    emit_demand(emit, LLVMBuildICmp(emit->builder, LLVMIntSGE, base, zero, ""), stmt->index);
    LLVMBuildStore(emit->builder, base, emit->slots[stmt->slot]);
}

void emit_sort(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMValueRef arguments[5] = {emit->state, emit_expr(emit, stmt->a), emit_expr(emit, stmt->b),
                                 LLVMConstInt(emit->i32, stmt->slot, false), emit_expr(emit, stmt->c)};
    LLVMValueRef is_done = emit_call(emit, CODE_SORT_NAME, emit->i32, arguments, 5);
    emit_demand(emit, LLVMBuildICmp(emit->builder, LLVMIntNE, is_done, LLVMConstInt(emit->i32, 0, false), ""),
                stmt->index);
}

void emit_kernel(hq_emit *emit, const hq_stmt *stmt)
{
    char name[64];
    snprintf(name, sizeof name, CODE_KERNEL_FORMAT, (size_t)stmt->index);
    LLVMValueRef arguments[2] = {word_address(emit, stmt->a), emit_expr(emit, stmt->b)};
    LLVMBuildStore(emit->builder, emit_call(emit, name, emit->f64, arguments, 2), emit->slots[stmt->slot]);
}

static LLVMValueRef state_field(hq_emit *emit, size_t offset)
{
    LLVMValueRef index = LLVMConstInt(emit->i64, offset, false);
    return LLVMBuildInBoundsGEP2(emit->builder, emit->i8, emit->state, &index, 1, "");
}

void emit_memory(hq_emit *emit)
{
    emit->words = LLVMBuildLoad2(emit->builder, emit->pointer, state_field(emit, offsetof(code_state, words)), "");
}

void emit_empty_memory(hq_emit *emit)
{
    LLVMBuildStore(emit->builder, LLVMConstInt(emit->i64, 0, false),
                   state_field(emit, offsetof(code_state, words_used)));
}
