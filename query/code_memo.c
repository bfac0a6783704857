/* query/code_memo.c - what costs much and depends on one object alone is computed once for each object of an entry.
 *
 * In loops over pairs and triplets of objects the text asks again and again for cos(jet.phi) of the same jet. Such an
 * expression, with the variables it uses replaced by what was assigned to them, is a formula over the columns of one
 * collection at one position. Before the second of the nested loops is entered, all formulas of a collection are
 * computed for all its objects in the entry, once, into memory that code_run provides; the loops only load.
 *
 * A variable is replaced only if the program sets it at one place, and that stands before the reader, in the same block
 * or in one round it: all ways to the reader lead past it, so that it, and what it was computed from, are still the
 * same.
 *
 * An object of event.Muon + event.Electron is a number, which of the collections it is of, and a position there; what
 * is read of it is "this column if the number is 0, else that one". Such an expression is a formula over one collection
 * for each number, and what is kept of each is kept apart.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_emit.h"

enum {
    MOST_NODES = 256, /* of a formula */
    WORTH = 10,       /* more costs than a load and the memory */
    DEPTH = 2,        /* of loops, from which on an object is met again and again */
    DEPTH_OF_PLACES,  /* and from which on an area is filled before the innermost loop */
    MOST_JOINED = 8,  /* collections of one object */
    ANY = -1          /* number: the object is of one collection */
};

typedef struct memo_formula {
    hq_buffer key; /* equal for equal formulas */
    const hq_expr *expr;
    int number; /* for an object that may be of several collections, of which; else ANY */
    size_t area;
    size_t index;          /* within the area */
    LLVMValueRef function; /* that computes it for one object; NULL until it is needed */
} memo_formula;

/* A loop before which an area is filled. */
typedef struct memo_place {
    const hq_stmt *loop;
    size_t area;
} memo_place;

typedef struct memo_area {
    uint32_t group;
    size_t formula_count;
    LLVMValueRef done;     /* a stack cell: has it been filled for this entry? */
    LLVMValueRef function; /* that fills it */
} memo_area;

struct emit_memo {
    const hq_program *program;
    const hq_stmt **definitions; /* for each slot, where it is set, */
    uint8_t *definition_counts;  /* and at how many places: 0, 1, more */
    bool *is_seen;               /* is it set on all ways to where we are? */
    bool *is_formula;            /* is it set to an expression of slots that were seen there? */
    uint32_t *positions;         /* the slot that it is a copy of; itself if it is none */
    memo_formula *formulas;
    size_t formula_count, formula_capacity;
    memo_area *areas;
    size_t area_count, area_capacity;
    memo_place *places;
    size_t place_count, place_capacity;
    LLVMValueRef position;       /* of the object, while the code of a formula is made */
    int number;                  /* and of which collection it is */
    LLVMBasicBlockRef at_filled; /* a block that has just made sure of the area filled */
    size_t filled;
    LLVMBasicBlockRef at_row; /* a block that has just found what is kept of a joined object: at row_address, for the */
    LLVMValueRef row_address; /* position in row_slot */
    uint32_t row_slot;
};

/* --- formulas --- */

typedef struct formula_reading {
    hq_buffer key;
    size_t nodes, cost;
    bool has_position;
    uint32_t position; /* a slot */
    uint32_t group;
    int number; /* what a joined object's number is taken for, or ANY: there is none */
    bool has_number;
    uint32_t number_slot; /* that holds it, */
    int last_number;      /* and the last one it may be */
} formula_reading;

/* Chooses what an expression is for a joined object of one number; NULL if it is no such choice. */
static const hq_expr *joined_choice(const hq_expr *expr, int number)
{
    if (number == ANY || expr->op != EXPR_COND || expr->a->op != EXPR_EQUAL || expr->a->a->op != EXPR_SLOT ||
        expr->a->b->op != EXPR_CONST || expr->a->b->type != SCALAR_INT)
        return NULL;
    return expr->a->b->value.integer == number ? expr->b : expr->c;
}

/* Notes which slot holds the object's number, and how many there are. */
static bool read_number(const emit_memo *memo, const hq_expr *expr, formula_reading *reading)
{
    const hq_expr *slot = expr->a->a;
    int64_t number = expr->a->b->value.integer;
    if (!memo->is_seen[slot->index] || number < 0 || number >= MOST_JOINED - 1)
        return false;
    uint32_t held = memo->positions[slot->index];
    if (reading->has_number && held != reading->number_slot)
        return false;
    reading->has_number = true;
    reading->number_slot = held;
    reading->last_number = number + 1 > reading->last_number ? (int)number + 1 : reading->last_number;
    return true;
}

static bool read_load(const emit_memo *memo, const hq_expr *expr, formula_reading *reading)
{
    uint32_t group = memo->program->column_groups[expr->index];
    if (expr->a->op != EXPR_SLOT || !memo->is_seen[expr->a->index])
        return false;
    uint32_t slot = memo->positions[expr->a->index];
    if (reading->has_position && (slot != reading->position || group != reading->group))
        return false;
    reading->has_position = true;
    reading->position = slot;
    reading->group = group;
    return true;
}

static size_t cost_of(const hq_expr *expr)
{
    if (expr->op == EXPR_POWER)
        return expr->type == SCALAR_FLOAT && !(expr->b->op == EXPR_CONST && expr->b->value.number == 2) ? 2 * WORTH : 1;
    if (expr->op != EXPR_CALL)
        return 1;
    const char *name = MATH_FUNCTIONS[expr->index].name;
    static const char *const CHEAP[] = {"sqrt",     "fabs",    "copysign", "degrees", "radians",
                                        MATH_FLOOR, MATH_CEIL, MATH_TRUNC, MATH_ROUND};
    for (size_t i = 0; i < sizeof CHEAP / sizeof *CHEAP; i++)
        if (strcmp(name, CHEAP[i]) == 0)
            return 2;
    return 2 * WORTH;
}

/* Writes the formula's key; false if the expression is not a formula over one object. */
static bool read_formula(const emit_memo *memo, const hq_expr *expr, formula_reading *reading)
{
    if (!expr) {
        buffer_u8(&reading->key, UINT8_MAX);
        return true;
    }
    if (++reading->nodes > MOST_NODES || expr->op == EXPR_BEGIN || expr->op == EXPR_END || expr->op == EXPR_WORD)
        return false;
    if (expr->op == EXPR_SLOT)
        return memo->is_seen[expr->index] && memo->is_formula[expr->index] &&
               read_formula(memo, memo->definitions[expr->index]->a, reading);
    const hq_expr *choice = joined_choice(expr, reading->number);
    if (choice)
        return read_number(memo, expr, reading) && read_formula(memo, choice, reading);
    buffer_u8(&reading->key, expr->op);
    buffer_u8(&reading->key, expr->type);
    buffer_u32(&reading->key, expr->index);
    if (expr->op == EXPR_CONST)
        buffer_u64(&reading->key, (uint64_t)expr->value.integer);
    if (expr->op == EXPR_LOAD)
        return read_load(memo, expr, reading);
    reading->cost += cost_of(expr);
    return read_formula(memo, expr->a, reading) && read_formula(memo, expr->b, reading) &&
           read_formula(memo, expr->c, reading);
}

/* True, and reading->key is the caller's to release, if it is a formula that is worth its memory. */
static bool read_worthy(const emit_memo *memo, const hq_expr *expr, formula_reading *reading)
{
    if (expr->type == SCALAR_FLOAT && expr->op != EXPR_CONST && expr->op != EXPR_SLOT &&
        read_formula(memo, expr, reading) && reading->has_position && reading->cost >= WORTH)
        return true;
    buffer_clear(&reading->key);
    return false;
}

static void clear_readings(formula_reading *readings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_clear(&readings[i].key);
}

/* The readings of an expression over a joined object, one for each number; their count, or 0 if it is not worthy. */
static size_t read_joined(const emit_memo *memo, const hq_expr *expr, formula_reading readings[MOST_JOINED])
{
    size_t count = 0, all = 1;
    for (; count < all; count++) {
        formula_reading *reading = &readings[count];
        *reading = (formula_reading){.number = (int)count};
        bool is_good = read_worthy(memo, expr, reading) && reading->has_number &&
                       (count == 0 ||
                        (reading->number_slot == readings[0].number_slot && reading->position == readings[0].position));
        if (!is_good) {
            clear_readings(readings, count + 1);
            return 0;
        }
        all = (size_t)reading->last_number + 1 > all ? (size_t)reading->last_number + 1 : all;
    }
    return count;
}

static memo_formula *find_formula(const emit_memo *memo, const formula_reading *reading)
{
    for (size_t i = 0; i < memo->formula_count; i++) {
        memo_formula *formula = &memo->formulas[i];
        if (memo->areas[formula->area].group == reading->group && formula->key.size == reading->key.size &&
            memcmp(formula->key.bytes, reading->key.bytes, reading->key.size) == 0)
            return formula;
    }
    return NULL;
}

/* --- finding them --- */

static size_t area_of(emit_memo *memo, uint32_t group)
{
    size_t i = 0;
    while (i < memo->area_count && memo->areas[i].group != group)
        i++;
    if (i == memo->area_count) {
        HQ_GROW(memo->areas, memo->area_count, memo->area_capacity);
        memo->areas[memo->area_count++] = (memo_area){.group = group};
    }
    return i;
}

static bool place_has(const emit_memo *memo, const hq_stmt *loop, size_t area)
{
    for (size_t i = 0; i < memo->place_count; i++)
        if (memo->places[i].loop == loop && memo->places[i].area == area)
            return true;
    return false;
}

static void need_area(emit_memo *memo, const hq_stmt *loop, size_t area)
{
    if (!loop || place_has(memo, loop, area))
        return;
    HQ_GROW(memo->places, memo->place_count, memo->place_capacity);
    memo->places[memo->place_count++] = (memo_place){loop, area};
}

/* Takes a formula, if there is room, and with it the reading's key. */
static bool take_formula(emit_memo *memo, const hq_expr *expr, formula_reading *found, const hq_stmt *loop)
{
    size_t area = area_of(memo, found->group);
    bool is_known = find_formula(memo, found) != NULL;
    bool is_taken = is_known || memo->areas[area].formula_count < MEMO_FORMULAS;
    if (is_taken)
        need_area(memo, loop, area);
    if (is_taken && !is_known) {
        HQ_GROW(memo->formulas, memo->formula_count, memo->formula_capacity);
        size_t index = memo->areas[area].formula_count++;
        memo->formulas[memo->formula_count++] = (memo_formula){found->key, expr, found->number, area, index, NULL};
    } else {
        buffer_clear(&found->key);
    }
    return is_taken;
}

/* Takes the largest formulas in the expression. loop: before which their areas are filled, or NULL. */
static void find_formulas(emit_memo *memo, const hq_expr *expr, const hq_stmt *loop)
{
    if (!expr)
        return;
    formula_reading found = {.number = ANY}, joined[MOST_JOINED];
    bool is_taken = false;
    if (read_worthy(memo, expr, &found)) {
        is_taken = take_formula(memo, expr, &found, loop);
    } else {
        size_t count = read_joined(memo, expr, joined);
        is_taken = count > 0;
        for (size_t i = 0; i < count; i++)
            is_taken = take_formula(memo, expr, &joined[i], loop) && is_taken;
    }
    if (!is_taken) {
        find_formulas(memo, expr->a, loop);
        find_formulas(memo, expr->b, loop);
        find_formulas(memo, expr->c, loop);
    }
}

static bool is_loop(const hq_stmt *stmt)
{
    return stmt->op == STMT_FOR || stmt->op == STMT_RANGE || stmt->op == STMT_WHILE;
}

static bool sets_slot(const hq_stmt *stmt)
{
    return stmt->op == STMT_SET || stmt->op == STMT_INDEX || stmt->op == STMT_FOR || stmt->op == STMT_RANGE ||
           stmt->op == STMT_ROOM;
}

/* All slots of the expression are seen. */
static bool sees_all(const emit_memo *memo, const hq_expr *expr, size_t *left)
{
    if (!expr)
        return true;
    if (*left == 0)
        return false;
    --*left;
    return (expr->op != EXPR_SLOT || memo->is_seen[expr->index]) && sees_all(memo, expr->a, left) &&
           sees_all(memo, expr->b, left) && sees_all(memo, expr->c, left);
}

static void show(emit_memo *memo, const hq_stmt *stmt)
{
    if (!sets_slot(stmt) || memo->definition_counts[stmt->slot] != 1)
        return;
    size_t left = MOST_NODES;
    bool is_set = stmt->op == STMT_SET;
    bool is_copy = is_set && stmt->a->op == EXPR_SLOT && memo->is_seen[stmt->a->index];
    memo->is_seen[stmt->slot] = true;
    memo->positions[stmt->slot] = is_copy ? memo->positions[stmt->a->index] : stmt->slot;
    memo->is_formula[stmt->slot] = is_set && sees_all(memo, stmt->a, &left);
}

static void hide(emit_memo *memo, const hq_stmt *stmt)
{
    if (sets_slot(stmt))
        memo->is_seen[stmt->slot] = false;
}

void emit_memo_show(hq_emit *emit, const hq_stmt *stmt)
{
    show(emit->memo, stmt);
}

void emit_memo_hide(hq_emit *emit, const hq_stmt *stmt)
{
    hide(emit->memo, stmt);
}

static void find_definitions(emit_memo *memo, const hq_block *block)
{
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt; stmt = stmt->next) {
        if (sets_slot(stmt)) {
            memo->definitions[stmt->slot] = stmt;
            memo->definition_counts[stmt->slot] += memo->definition_counts[stmt->slot] < 2;
        }
        find_definitions(memo, stmt->head);
        find_definitions(memo, stmt->body);
        find_definitions(memo, stmt->other);
    }
}

/* depth: of loops round the block; place: the innermost of them, if areas are filled before it. */
static void find_in_block(emit_memo *memo, const hq_block *block, size_t depth, const hq_stmt *place)
{
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt; stmt = stmt->next) {
        const hq_stmt *inner = depth + 1 >= DEPTH_OF_PLACES ? stmt : NULL;
        if (depth >= DEPTH) {
            find_formulas(memo, stmt->a, place);
            find_formulas(memo, stmt->b, place);
            find_formulas(memo, stmt->c, place);
            for (size_t i = 0; stmt->op == STMT_FILL && i < HQ_MAX_AXES; i++)
                find_formulas(memo, stmt->fill[i], place);
        }
        find_in_block(memo, stmt->head, depth, place);
        if (is_loop(stmt)) {
            show(memo, stmt);
            find_in_block(memo, stmt->body, depth + 1, inner);
            hide(memo, stmt);
        } else {
            find_in_block(memo, stmt->body, depth, place);
        }
        find_in_block(memo, stmt->other, depth, place);
        if (!is_loop(stmt))
            show(memo, stmt);
    }
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt; stmt = stmt->next)
        hide(memo, stmt);
}

void emit_memo_new(hq_emit *emit)
{
    const hq_program *program = emit->program;
    emit_memo *memo = hq_calloc(1, sizeof *memo);
    emit->memo = memo;
    memo->program = program;
    memo->definitions = hq_calloc(program->slot_count + 1, sizeof *memo->definitions);
    memo->definition_counts = hq_calloc(program->slot_count + 1, sizeof *memo->definition_counts);
    memo->is_seen = hq_calloc(program->slot_count + 1, sizeof *memo->is_seen);
    memo->is_formula = hq_calloc(program->slot_count + 1, sizeof *memo->is_formula);
    memo->positions = hq_calloc(program->slot_count + 1, sizeof *memo->positions);
    find_definitions(memo, &program->body);
    find_in_block(memo, &program->body, 0, NULL);
}

void emit_memo_free(hq_emit *emit)
{
    emit_memo *memo = emit->memo;
    if (!memo)
        return;
    for (size_t i = 0; i < memo->formula_count; i++)
        buffer_clear(&memo->formulas[i].key);
    free(memo->formulas);
    free(memo->areas);
    free(memo->places);
    free(memo->definitions);
    free(memo->definition_counts);
    free(memo->is_seen);
    free(memo->is_formula);
    free(memo->positions);
    free(memo);
    emit->memo = NULL;
}

uint32_t *emit_memo_columns(const hq_program *program, size_t *count_r)
{
    hq_emit emit = {.program = program};
    emit_memo_new(&emit);
    *count_r = emit.memo->area_count;
    uint32_t *columns = hq_calloc(emit.memo->area_count + 1, sizeof *columns);
    for (size_t i = 0; i < emit.memo->area_count; i++)
        columns[i] = program->groups[emit.memo->areas[i].group].column;
    emit_memo_free(&emit);
    return columns;
}

/* --- their code --- */

static LLVMValueRef int_const(hq_emit *emit, uint64_t value)
{
    return LLVMConstInt(emit->i64, value, false);
}

static LLVMTypeRef filler_type(hq_emit *emit)
{
    LLVMTypeRef parameters[5] = {emit->pointer, emit->pointer, emit->i64, emit->i64, emit->i64};
    return LLVMFunctionType(LLVMVoidTypeInContext(emit->context), parameters, 5, false);
}

void emit_memo_cells(hq_emit *emit)
{
    for (size_t i = 0; i < emit->memo->area_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "objects_%zu", i);
        memo_area *area = &emit->memo->areas[i];
        area->done = LLVMBuildAlloca(emit->builder, emit->i1, "done");
        area->function = emit_declare(emit, name, filler_type(emit), false);
        LLVMSetLinkage(area->function, LLVMInternalLinkage);
    }
}

void emit_memo_forget(hq_emit *emit)
{
    for (size_t i = 0; i < emit->memo->area_count; i++)
        LLVMBuildStore(emit->builder, LLVMConstInt(emit->i1, 0, false), emit->memo->areas[i].done);
}

static LLVMValueRef area_address(hq_emit *emit, size_t area)
{
    LLVMValueRef index = LLVMBuildMul(emit->builder, LLVMGetParam(emit->function, 7),
                                      int_const(emit, area * MEMO_FORMULAS), "");
    return LLVMBuildInBoundsGEP2(emit->builder, emit->f64, LLVMGetParam(emit->function, 6), &index, 1, "");
}

/* Fills the area unless that has been done for this entry. */
static void fill_area(hq_emit *emit, size_t index, LLVMValueRef has_turns)
{
    LLVMBuilderRef builder = emit->builder;
    memo_area *area = &emit->memo->areas[index];
    if (LLVMGetInsertBlock(builder) == emit->memo->at_filled && emit->memo->filled == index)
        return;
    LLVMBasicBlockRef fill = emit_new_block(emit, "fill_objects");
    LLVMBasicBlockRef filled = emit_new_block(emit, "filled");
    LLVMValueRef is_empty = LLVMBuildNot(builder, LLVMBuildLoad2(builder, emit->i1, area->done, ""), "");
    if (has_turns)
        is_empty = LLVMBuildAnd(builder, is_empty, has_turns, "");
    LLVMBuildCondBr(builder, is_empty, fill, filled);
    LLVMPositionBuilderAtEnd(builder, fill);
    LLVMValueRef arguments[5] = {LLVMGetParam(emit->function, 0), area_address(emit, index), emit->begins[area->group],
                                 emit->ends[area->group], emit->entry};
    LLVMBuildCall2(builder, filler_type(emit), area->function, arguments, 5, "");
    LLVMBuildStore(builder, LLVMConstInt(emit->i1, 1, false), area->done);
    LLVMBuildBr(builder, filled);
    LLVMPositionBuilderAtEnd(builder, filled);
    emit->memo->at_filled = has_turns ? NULL : filled;
    emit->memo->filled = index;
}

void emit_memo_fill(hq_emit *emit, const hq_stmt *loop, LLVMValueRef has_turns)
{
    for (size_t i = 0; i < emit->memo->place_count; i++)
        if (emit->memo->places[i].loop == loop)
            fill_area(emit, emit->memo->places[i].area, has_turns);
}

/* How many loops the code being made stands in, and the innermost. */
static size_t depth_of(const hq_emit *emit, const hq_stmt **innermost_r)
{
    size_t depth = 0;
    *innermost_r = NULL;
    for (const emit_loop *loop = emit->loop; loop; loop = loop->outer)
        if (is_loop(loop->stmt)) {
            *innermost_r = *innermost_r ? *innermost_r : loop->stmt;
            depth++;
        }
    return depth;
}

bool emit_memo_is_copy(const hq_emit *emit, uint32_t slot, uint32_t of)
{
    return emit->memo->is_seen[slot] && emit->memo->positions[slot] == of;
}

/* What an area holds of the object at a position that a slot holds. */
static LLVMValueRef load_kept(hq_emit *emit, const memo_formula *formula, uint32_t slot, uint32_t group)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef position = LLVMBuildLoad2(builder, emit->i64, emit->slots[slot], "");
    LLVMValueRef index = LLVMBuildSub(builder, position, emit->begins[group], "");
    index = LLVMBuildMul(builder, index, int_const(emit, MEMO_FORMULAS), "");
    index = LLVMBuildAdd(builder, index, int_const(emit, formula->index), "");
    LLVMValueRef area = area_address(emit, formula->area);
    return LLVMBuildLoad2(builder, emit->f64, LLVMBuildInBoundsGEP2(builder, emit->f64, area, &index, 1, ""), "");
}

/* double formula(columns, position, entry): a formula for one object. */
static LLVMTypeRef formula_type(hq_emit *emit)
{
    LLVMTypeRef parameters[3] = {emit->pointer, emit->i64, emit->i64};
    return LLVMFunctionType(emit->f64, parameters, 3, false);
}

static LLVMValueRef compute_new(hq_emit *emit, memo_formula *formula, uint32_t slot)
{
    if (!formula->function) {
        formula->function = emit_declare(emit, "formula", formula_type(emit), false);
        LLVMSetLinkage(formula->function, LLVMInternalLinkage);
    }
    LLVMValueRef position = LLVMBuildLoad2(emit->builder, emit->i64, emit->slots[slot], "");
    LLVMValueRef arguments[3] = {LLVMGetParam(emit->function, 0), position, emit->entry};
    return LLVMBuildCall2(emit->builder, formula_type(emit), formula->function, arguments, 3, "");
}

/* Outside the loops over pairs: what they have left, if they have come to it, else it is computed. */
static LLVMValueRef kept_or_new(hq_emit *emit, memo_formula *formula, uint32_t slot, uint32_t group)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMBasicBlockRef kept = emit_new_block(emit, "kept");
    LLVMBasicBlockRef fresh = emit_new_block(emit, "fresh");
    LLVMBasicBlockRef after = emit_new_block(emit, "after");
    LLVMValueRef values[2];
    LLVMBasicBlockRef blocks[2];
    LLVMValueRef is_done = LLVMBuildLoad2(builder, emit->i1, emit->memo->areas[formula->area].done, "");
    LLVMBuildCondBr(builder, is_done, kept, fresh);
    LLVMPositionBuilderAtEnd(builder, kept);
    values[0] = load_kept(emit, formula, slot, group);
    blocks[0] = LLVMGetInsertBlock(builder);
    LLVMBuildBr(builder, after);
    LLVMPositionBuilderAtEnd(builder, fresh);
    values[1] = compute_new(emit, formula, slot);
    blocks[1] = LLVMGetInsertBlock(builder);
    LLVMBuildBr(builder, after);
    LLVMPositionBuilderAtEnd(builder, after);
    LLVMValueRef phi = LLVMBuildPhi(builder, emit->f64, "");
    LLVMAddIncoming(phi, values, blocks, 2);
    return phi;
}

/* Where what is kept of a joined object begins, once it is kept; at the builder's place. */
static LLVMValueRef joined_row(hq_emit *emit, const formula_reading *readings, memo_formula *const *formulas,
                               size_t count, bool is_filled)
{
    LLVMBuilderRef builder = emit->builder;
    emit_memo *memo = emit->memo;
    if (LLVMGetInsertBlock(builder) == memo->at_row && memo->row_slot == readings[0].position)
        return memo->row_address;
    LLVMBasicBlockRef after = emit_new_block(emit, "row"), blocks[MOST_JOINED];
    LLVMValueRef addresses[MOST_JOINED];
    LLVMValueRef number = LLVMBuildLoad2(builder, emit->i64, emit->slots[readings[0].number_slot], "");
    LLVMValueRef position = LLVMBuildLoad2(builder, emit->i64, emit->slots[readings[0].position], "");
    for (size_t i = 0; i < count; i++) {
        LLVMBasicBlockRef other = NULL;
        if (i + 1 < count) {
            LLVMBasicBlockRef here = emit_new_block(emit, "joined");
            other = emit_new_block(emit, "other");
            LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntEQ, number, int_const(emit, i), ""), here, other);
            LLVMPositionBuilderAtEnd(builder, here);
        }
        if (!is_filled)
            fill_area(emit, formulas[i]->area, NULL);
        LLVMValueRef index = LLVMBuildSub(builder, position, emit->begins[readings[i].group], "");
        index = LLVMBuildMul(builder, index, int_const(emit, MEMO_FORMULAS), "");
        addresses[i] = LLVMBuildInBoundsGEP2(builder, emit->f64, area_address(emit, formulas[i]->area), &index, 1, "");
        blocks[i] = LLVMGetInsertBlock(builder);
        LLVMBuildBr(builder, after);
        if (other)
            LLVMPositionBuilderAtEnd(builder, other);
    }
    LLVMPositionBuilderAtEnd(builder, after);
    memo->row_address = LLVMBuildPhi(builder, emit->pointer, "row");
    LLVMAddIncoming(memo->row_address, addresses, blocks, (unsigned)count);
    memo->at_row = after;
    memo->row_slot = readings[0].position;
    return memo->row_address;
}

/* In loops over pairs: what is kept of a joined object, if that is at the same place for all of its collections. */
static LLVMValueRef joined_value(hq_emit *emit, const hq_expr *expr)
{
    const emit_memo *memo = emit->memo;
    formula_reading readings[MOST_JOINED];
    memo_formula *formulas[MOST_JOINED] = {NULL};
    size_t count = read_joined(memo, expr, readings);
    const hq_stmt *innermost;
    size_t depth = depth_of(emit, &innermost);
    bool is_kept = count > 0 && depth >= DEPTH;
    for (size_t i = 0; i < count && is_kept; i++) {
        formulas[i] = find_formula(memo, &readings[i]);
        is_kept = formulas[i] && formulas[i]->index == formulas[0]->index &&
                  (depth < DEPTH_OF_PLACES || place_has(memo, innermost, formulas[i]->area));
    }
    clear_readings(readings, count);
    if (!is_kept)
        return NULL;
    LLVMValueRef index = int_const(emit, formulas[0]->index);
    LLVMValueRef row = joined_row(emit, readings, formulas, count, depth >= DEPTH_OF_PLACES);
    return LLVMBuildLoad2(emit->builder, emit->f64, LLVMBuildInBoundsGEP2(emit->builder, emit->f64, row, &index, 1, ""),
                          "");
}

LLVMValueRef emit_memo_value(hq_emit *emit, const hq_expr *expr)
{
    const emit_memo *memo = emit->memo;
    if (!memo || memo->formula_count == 0)
        return NULL;
    if (memo->position) { /* in a formula: everything is of the one object */
        if (expr->op == EXPR_SLOT)
            return emit_expr(emit, memo->definitions[expr->index]->a);
        const hq_expr *choice = joined_choice(expr, memo->number);
        return choice ? emit_expr(emit, choice) : NULL;
    }
    formula_reading found = {.number = ANY};
    if (!read_worthy(memo, expr, &found))
        return joined_value(emit, expr);
    memo_formula *formula = find_formula(memo, &found);
    buffer_clear(&found.key);
    if (!formula)
        return NULL;
    const hq_stmt *innermost;
    size_t depth = depth_of(emit, &innermost);
    if (depth < DEPTH)
        return kept_or_new(emit, formula, found.position, found.group);
    if (depth >= DEPTH_OF_PLACES && !place_has(memo, innermost, formula->area))
        return NULL;
    if (depth < DEPTH_OF_PLACES)
        fill_area(emit, formula->area, NULL);
    return load_kept(emit, formula, found.position, found.group);
}

LLVMValueRef emit_memo_position(const hq_emit *emit)
{
    return emit->memo ? emit->memo->position : NULL;
}

/* void objects(columns, area, begin, end, entry): all formulas of an area for all objects of an entry. */
static void emit_filler(hq_emit *emit, size_t index)
{
    emit_memo *memo = emit->memo;
    LLVMBuilderRef builder = emit->builder;
    emit->function = memo->areas[index].function;
    LLVMValueRef area = LLVMGetParam(emit->function, 1);
    LLVMValueRef begin = LLVMGetParam(emit->function, 2), end = LLVMGetParam(emit->function, 3);
    emit->entry = LLVMGetParam(emit->function, 4);
    LLVMBasicBlockRef start = emit_new_block(emit, "start");
    LLVMBasicBlockRef head = emit_new_block(emit, "objects");
    LLVMBasicBlockRef body = emit_new_block(emit, "object");
    LLVMBasicBlockRef done = emit_new_block(emit, "done");
    LLVMPositionBuilderAtEnd(builder, start);
    emit_column_values(emit, LLVMGetParam(emit->function, 0));
    LLVMBuildBr(builder, head);

    LLVMPositionBuilderAtEnd(builder, head);
    memo->position = LLVMBuildPhi(builder, emit->i64, "position");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntULT, memo->position, end, ""), body, done);
    LLVMPositionBuilderAtEnd(builder, body);
    LLVMValueRef first = LLVMBuildMul(builder, LLVMBuildSub(builder, memo->position, begin, ""),
                                      int_const(emit, MEMO_FORMULAS), "");
    for (size_t i = 0; i < memo->formula_count; i++)
        if (memo->formulas[i].area == index) {
            memo->number = memo->formulas[i].number;
            LLVMValueRef value = emit_expr(emit, memo->formulas[i].expr);
            LLVMValueRef at = LLVMBuildAdd(builder, first, int_const(emit, memo->formulas[i].index), "");
            LLVMBuildStore(builder, value, LLVMBuildInBoundsGEP2(builder, emit->f64, area, &at, 1, ""));
        }
    LLVMValueRef next = LLVMBuildAdd(builder, memo->position, int_const(emit, 1), "");
    LLVMValueRef values[2] = {begin, next};
    LLVMBasicBlockRef blocks[2] = {start, LLVMGetInsertBlock(builder)};
    LLVMBuildBr(builder, head);
    LLVMAddIncoming(memo->position, values, blocks, 2);
    LLVMPositionBuilderAtEnd(builder, done);
    LLVMBuildRetVoid(builder);
    memo->position = NULL;
}

static void emit_formula(hq_emit *emit, const memo_formula *formula)
{
    emit->function = formula->function;
    LLVMPositionBuilderAtEnd(emit->builder, emit_new_block(emit, "start"));
    emit_column_values(emit, LLVMGetParam(emit->function, 0));
    emit->memo->position = LLVMGetParam(emit->function, 1);
    emit->memo->number = formula->number;
    emit->entry = LLVMGetParam(emit->function, 2);
    LLVMBuildRet(emit->builder, emit_expr(emit, formula->expr));
    emit->memo->position = NULL;
}

void emit_memo_functions(hq_emit *emit)
{
    for (size_t i = 0; i < emit->memo->formula_count; i++)
        if (emit->memo->formulas[i].function)
            emit_formula(emit, &emit->memo->formulas[i]);
    for (size_t i = 0; i < emit->memo->area_count; i++)
        emit_filler(emit, i);
}
