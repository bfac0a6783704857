/* query/code_search.c - loops over the triplets of a sequence that keep the one with the least or the greatest key, as
 * min(combinations(x, 3), key=…) makes them, become a search by query/search.h.
 *
 * The loops are left as they are in the program; here they are recognised by their form:
 *
 *     for i …: for j from i + 1 …: for k from j + 1 …:
 *         what is set on the way depends on i, j, k alone
 *         if not has or key < best: has, best = True, key; and what else is to be kept of the triplet
 *
 * The key is taken apart into what depends on no object, on one, and on two, which are kept in lists (parts), and the
 * rest, which is computed for each triplet. Once the best triplet is known the body is run for it alone: that leaves
 * everything as the loops would have left it.
 */
#include <llvm-c/DebugInfo.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_emit.h"
#include "query/search.h"

enum { FIRST = 1, SECOND = 2, THIRD = 4, PAIR = FIRST | SECOND, ALL = PAIR | THIRD };
enum { LEVELS = 3, MOST_NODES = 256, MOST_USES = 256 };

typedef enum slot_state {
    SLOT_OUTSIDE, /* the loops do not set it */
    SLOT_LATER,   /* they do, further on */
    SLOT_SET,     /* they have set it */
    SLOT_KEPT     /* of the best triplet */
} slot_state;

typedef enum part_kind { PART_INVARIANT, PART_OBJECT, PART_PAIR, PART_KINDS } part_kind;

static const size_t MOST_PARTS[PART_KINDS] = {SEARCH_INVARIANTS, SEARCH_OBJECTS, SEARCH_PAIRS};

typedef struct search_part {
    const hq_expr *expr;
    unsigned on;   /* of an object's: FIRST, SECOND or THIRD, which of them the expression reads */
    hq_buffer key; /* equal for equal expressions, whichever object they read */
} search_part;

/* An expression that stands in the computation of pairs, or of keys, and is loaded there. */
typedef struct search_use {
    const hq_expr *expr;
    unsigned where; /* PAIR or ALL */
    part_kind kind;
    size_t part;
} search_use;

struct emit_search {
    const hq_program *program;
    const hq_stmt *loops[LEVELS];
    const hq_stmt *choice;
    const hq_expr *key, *has; /* has: NULL if there is none */
    bool is_greatest;
    uint8_t *states;      /* slot_state of each slot */
    uint8_t *depends;     /* of a slot that is set, on which objects */
    const hq_expr **sets; /* what it is set to */
    bool *is_planned;     /* it is needed in the computation of pairs or keys */
    search_part parts[PART_KINDS][SEARCH_OBJECTS];
    size_t part_counts[PART_KINDS];
    search_use uses[MOST_USES];
    size_t use_count;
    /* while the code of one of the two functions is made */
    unsigned where;
    LLVMValueRef *values; /* of slots */
    LLVMValueRef memory, stride, index, at[LEVELS];
};

/* --- the form of the loops --- */

static bool is_slot(const hq_expr *expr, uint32_t slot)
{
    return expr->op == EXPR_SLOT && expr->index == slot;
}

static bool is_same(const hq_expr *one, const hq_expr *other)
{
    return one == other || (one->op == other->op && one->index == other->index && one->type == other->type &&
                            one->value.integer == other->value.integer && !one->a && !other->a);
}

static bool is_next_of(const hq_expr *expr, uint32_t slot)
{
    return expr->op == EXPR_ADD && is_slot(expr->a, slot) && expr->b->op == EXPR_CONST && expr->b->value.integer == 1;
}

/* The three loops and the choice in the innermost. */
static bool find_loops(emit_search *search, const hq_stmt *outermost)
{
    const hq_stmt *stmt = outermost;
    for (size_t level = 0; level < LEVELS; level++) {
        if (!stmt || stmt->op != STMT_FOR || stmt->index != 0 || stmt->other)
            return false;
        if (level > 0 &&
            (stmt->next || !is_next_of(stmt->a, search->loops[level - 1]->slot) || !is_same(stmt->b, outermost->b)))
            return false;
        search->loops[level] = stmt;
        stmt = stmt->body->first;
        while (stmt && stmt->op == STMT_SET)
            stmt = stmt->next;
    }
    search->choice = stmt;
    return stmt && stmt->op == STMT_IF && !stmt->other && !stmt->next;
}

/* "key < best" or "key > best", perhaps behind "not has or". */
static bool read_condition(emit_search *search, const hq_expr *condition, uint32_t *best_r)
{
    search->has = NULL;
    if (condition->op == EXPR_OR) {
        if (condition->a->op != EXPR_NOT || condition->a->a->op != EXPR_SLOT)
            return false;
        search->has = condition->a->a;
        condition = condition->b;
    }
    if ((condition->op != EXPR_LESS && condition->op != EXPR_GREATER) || condition->a->type != SCALAR_FLOAT ||
        condition->b->op != EXPR_SLOT)
        return false;
    search->key = condition->a;
    search->is_greatest = condition->op == EXPR_GREATER;
    *best_r = condition->b->index;
    return true;
}

static bool keeps_the_best(const emit_search *search, uint32_t best)
{
    bool sets_key = false, sets_has = search->has == NULL;
    for (const hq_stmt *stmt = search->choice->body->first; stmt; stmt = stmt->next) {
        if (stmt->op != STMT_SET || search->states[stmt->slot] != SLOT_OUTSIDE)
            return false;
        search->states[stmt->slot] = SLOT_KEPT;
        if (stmt->slot == best)
            sets_key = is_same(stmt->a, search->key);
        else if (search->has && stmt->slot == search->has->index)
            sets_has = stmt->a->op == EXPR_CONST && stmt->a->value.integer != 0;
    }
    return sets_key && sets_has;
}

/* False if the expression reads what the loops have not set yet, or what is kept of the best triplet. */
static bool depends_on(const emit_search *search, const hq_expr *expr, size_t *left, unsigned *on)
{
    if (!expr)
        return true;
    if (*left == 0)
        return false;
    --*left;
    if (expr->op == EXPR_SLOT) {
        slot_state state = (slot_state)search->states[expr->index];
        *on |= state == SLOT_SET ? search->depends[expr->index] : 0;
        return state == SLOT_OUTSIDE || state == SLOT_SET;
    }
    return depends_on(search, expr->a, left, on) && depends_on(search, expr->b, left, on) &&
           depends_on(search, expr->c, left, on);
}

static unsigned objects_of(const emit_search *search, const hq_expr *expr)
{
    size_t left = MOST_NODES;
    unsigned on = 0;
    return depends_on(search, expr, &left, &on) ? on : ~0U;
}

static bool set_slot(emit_search *search, uint32_t slot, unsigned on, const hq_expr *expr)
{
    if (on > ALL || search->states[slot] != SLOT_LATER)
        return false;
    search->states[slot] = SLOT_SET;
    search->depends[slot] = (uint8_t)on;
    search->sets[slot] = expr;
    return true;
}

static bool claim_slot(emit_search *search, uint32_t slot)
{
    bool is_free = search->states[slot] == SLOT_OUTSIDE;
    search->states[slot] = SLOT_LATER;
    return is_free;
}

/* What every slot depends on. */
static bool read_sets(emit_search *search)
{
    bool is_good = true;
    for (size_t level = 0; level < LEVELS; level++) {
        is_good = claim_slot(search, search->loops[level]->slot) && is_good;
        for (const hq_stmt *stmt = search->loops[level]->body->first; stmt && stmt->op == STMT_SET; stmt = stmt->next)
            is_good = claim_slot(search, stmt->slot) && is_good;
    }
    for (size_t level = 0; level < LEVELS && is_good; level++) {
        const hq_stmt *loop = search->loops[level];
        is_good = objects_of(search, loop->b) == 0 && (level > 0 || objects_of(search, loop->a) == 0) &&
                  set_slot(search, loop->slot, 1U << level, NULL);
        for (const hq_stmt *stmt = loop->body->first; is_good && stmt && stmt->op == STMT_SET; stmt = stmt->next)
            is_good = set_slot(search, stmt->slot, objects_of(search, stmt->a), stmt->a);
    }
    for (const hq_stmt *stmt = search->choice->body->first; is_good && stmt; stmt = stmt->next)
        is_good = objects_of(search, stmt->a) <= ALL;
    return is_good;
}

/* --- slots that are read behind the loops --- */

static void count_read(const hq_expr *expr, void *context)
{
    uint32_t *counts = context;
    if (expr->op == EXPR_SLOT)
        counts[expr->index]++;
}

/* After the loops their slots hold what the last turn left, which a search does not do. */
static bool are_private(const emit_search *search)
{
    size_t count = search->program->slot_count;
    uint32_t *everywhere = hq_calloc(count, sizeof *everywhere), *inside = hq_calloc(count, sizeof *inside);
    emit_visit_block(&search->program->body, count_read, everywhere);
    emit_visit_stmt(search->loops[0], count_read, inside);
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++)
        is_good = search->states[i] != SLOT_SET || everywhere[i] == inside[i];
    free(everywhere);
    free(inside);
    return is_good;
}

/* --- what is computed where --- */

/* The expression as bytes: equal for equal expressions. Those of one object are equal whichever object it is. */
static void write_key(const emit_search *search, part_kind kind, const hq_expr *expr, hq_buffer *key, size_t *left)
{
    if (!expr) {
        buffer_u8(key, UINT8_MAX);
        return;
    }
    if (*left == 0)
        return;
    --*left;
    if (expr->op == EXPR_SLOT && search->states[expr->index] == SLOT_SET) {
        const hq_expr *set = search->sets[expr->index];
        if (set) {
            write_key(search, kind, set, key, left);
            return;
        }
        buffer_u8(key, UINT8_MAX - 1);
        buffer_u32(key, kind == PART_OBJECT ? 0 : expr->index);
        return;
    }
    buffer_u8(key, expr->op);
    buffer_u8(key, expr->type);
    buffer_u32(key, expr->index);
    buffer_u64(key, expr->op == EXPR_CONST ? (uint64_t)expr->value.integer : 0);
    write_key(search, kind, expr->a, key, left);
    write_key(search, kind, expr->b, key, left);
    write_key(search, kind, expr->c, key, left);
}

static bool is_equal(const hq_buffer *one, const hq_buffer *other)
{
    return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

/* The number of the part, an old or a new one; is_new_r tells. False if there are too many. */
static bool find_part(emit_search *search, part_kind kind, const hq_expr *expr, size_t *part_r, bool *is_new_r)
{
    unsigned on = objects_of(search, expr);
    hq_buffer key = {0};
    size_t left = MOST_NODES;
    write_key(search, kind, expr, &key, &left);
    if (left == 0) /* cut off: it is equal to itself alone */
        buffer_u64(&key, (uint64_t)(uintptr_t)expr);
    size_t count = search->part_counts[kind];
    *is_new_r = false;
    for (*part_r = 0; *part_r < count; ++*part_r)
        if (is_equal(&search->parts[kind][*part_r].key, &key)) {
            buffer_clear(&key);
            return true;
        }
    if (count == MOST_PARTS[kind]) {
        buffer_clear(&key);
        return false;
    }
    *is_new_r = true;
    search->parts[kind][search->part_counts[kind]++] = (search_part){expr, on, key};
    return true;
}

static bool plan(emit_search *search, const hq_expr *expr, unsigned where);

static bool plan_part(emit_search *search, const hq_expr *expr, unsigned where, part_kind kind)
{
    size_t part;
    bool is_new;
    if (search->use_count == MOST_USES || !find_part(search, kind, expr, &part, &is_new))
        return false;
    search->uses[search->use_count++] = (search_use){expr, where, kind, part};
    return kind != PART_PAIR || !is_new || plan(search, expr, PAIR);
}

/* Takes apart what is computed for pairs, or for triplets. */
static bool plan(emit_search *search, const hq_expr *expr, unsigned where)
{
    if (!expr || expr->op == EXPR_CONST)
        return true;
    unsigned on = objects_of(search, expr);
    bool is_one = on == FIRST || on == SECOND || on == THIRD;
    if (on == 0)
        return plan_part(search, expr, where, PART_INVARIANT);
    if (is_one && (where == PAIR || on == THIRD))
        return plan_part(search, expr, where, PART_OBJECT);
    if (where == ALL && (is_one || on == PAIR))
        return plan_part(search, expr, where, PART_PAIR);
    if (on != where)
        return false;
    if (expr->op == EXPR_SLOT) {
        if (search->is_planned[expr->index])
            return true;
        search->is_planned[expr->index] = true;
        return plan(search, search->sets[expr->index], where);
    }
    return plan(search, expr->a, where) && plan(search, expr->b, where) && plan(search, expr->c, where);
}

/* --- the functions for rows --- */

static LLVMValueRef int_const(hq_emit *emit, uint64_t value)
{
    return LLVMConstInt(emit->i64, value, false);
}

static LLVMValueRef address_of(hq_emit *emit, LLVMValueRef from, LLVMValueRef index)
{
    return LLVMBuildInBoundsGEP2(emit->builder, emit->f64, from, &index, 1, "");
}

/* Every part takes 8 bytes, whatever its type. */
static LLVMValueRef load_word(hq_emit *emit, const hq_expr *expr, LLVMValueRef address)
{
    if (expr->type == SCALAR_FLOAT)
        return LLVMBuildLoad2(emit->builder, emit->f64, address, "");
    LLVMValueRef value = LLVMBuildLoad2(emit->builder, emit->i64, address, "");
    return expr->type == SCALAR_INT ? value : LLVMBuildICmp(emit->builder, LLVMIntNE, value, int_const(emit, 0), "");
}

static void store_word(hq_emit *emit, const hq_expr *expr, LLVMValueRef value, LLVMValueRef address)
{
    if (expr->type == SCALAR_BOOL)
        value = LLVMBuildZExt(emit->builder, value, emit->i64, "");
    LLVMBuildStore(emit->builder, value, address);
}

static LLVMValueRef object_address(hq_emit *emit, LLVMValueRef memory, LLVMValueRef stride, size_t part,
                                   LLVMValueRef object)
{
    LLVMValueRef at = LLVMBuildMul(emit->builder, stride, int_const(emit, part), "");
    at = LLVMBuildAdd(emit->builder, LLVMBuildAdd(emit->builder, at, object, ""), int_const(emit, SEARCH_AT_OBJECTS),
                      "");
    return address_of(emit, memory, at);
}

static LLVMValueRef load_part(hq_emit *emit, const emit_search *search, const search_use *use)
{
    LLVMValueRef address;
    if (use->kind == PART_INVARIANT) {
        address = address_of(emit, search->memory, int_const(emit, use->part));
    } else if (use->kind == PART_OBJECT) {
        unsigned on = objects_of(search, use->expr);
        LLVMValueRef object = search->at[on == FIRST ? 0 : on == SECOND ? 1 : 2];
        address = object_address(emit, search->memory, search->stride, use->part, object);
    } else {
        LLVMValueRef row = int_const(emit, SEARCH_AT_PAIRS + use->part * SEARCH_ROW);
        address = address_of(emit, search->memory, LLVMBuildAdd(emit->builder, row, search->index, ""));
    }
    return load_word(emit, use->expr, address);
}

LLVMValueRef emit_search_value(hq_emit *emit, const hq_expr *expr)
{
    const emit_search *search = emit->search;
    if (!search)
        return NULL;
    for (size_t i = 0; i < search->use_count; i++)
        if (search->uses[i].expr == expr && search->uses[i].where == search->where)
            return load_part(emit, search, &search->uses[i]);
    return expr->op == EXPR_SLOT ? search->values[expr->index] : NULL;
}

/* What the text sets on the way, as far as it is needed. */
static void emit_values(hq_emit *emit, emit_search *search)
{
    for (size_t level = 0; level < LEVELS; level++)
        for (const hq_stmt *stmt = search->loops[level]->body->first; stmt && stmt->op == STMT_SET; stmt = stmt->next)
            if (search->is_planned[stmt->slot] && search->depends[stmt->slot] == search->where)
                search->values[stmt->slot] = emit_expr(emit, stmt->a);
}

static void emit_turn(hq_emit *emit, emit_search *search, LLVMValueRef to)
{
    emit_values(emit, search);
    if (search->where == ALL) {
        LLVMValueRef key = emit_expr(emit, search->key);
        key = search->is_greatest ? LLVMBuildFNeg(emit->builder, key, "") : key;
        LLVMBuildStore(emit->builder, key, address_of(emit, to, search->index));
        return;
    }
    LLVMValueRef pairs[SEARCH_PAIRS];
    for (size_t i = 0; i < search->part_counts[PART_PAIR]; i++)
        pairs[i] = emit_expr(emit, search->parts[PART_PAIR][i].expr);
    for (size_t i = 0; i < search->part_counts[PART_PAIR]; i++) {
        LLVMValueRef row = LLVMBuildAdd(emit->builder, search->index, int_const(emit, i * SEARCH_ROW), "");
        store_word(emit, search->parts[PART_PAIR][i].expr, pairs[i], address_of(emit, to, row));
    }
}

static void set_private(hq_emit *emit, LLVMValueRef function, unsigned argument)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("noalias", 7);
    LLVMAddAttributeAtIndex(function, argument, LLVMCreateEnumAttribute(emit->context, kind, 0));
    LLVMSetLinkage(function, LLVMInternalLinkage);
}

/* A loop that counts up by one, from 0 if from is NULL, and has a turn at least. */
typedef struct counting {
    LLVMBasicBlockRef turn, done;
    LLVMValueRef index;
} counting;

static counting begin_counting(hq_emit *emit, LLVMValueRef from)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(emit->builder);
    counting loop = {emit_new_block(emit, "turn"), emit_new_block(emit, "done"), NULL};
    LLVMBuildBr(emit->builder, loop.turn);
    LLVMPositionBuilderAtEnd(emit->builder, loop.turn);
    loop.index = LLVMBuildPhi(emit->builder, emit->i64, "index");
    LLVMAddIncoming(loop.index, &from, &before, 1);
    return loop;
}

/* The number to, exclusive, is met exactly. The jump back is the result. */
static LLVMValueRef end_counting(hq_emit *emit, const counting *loop, LLVMValueRef to)
{
    LLVMValueRef next = LLVMBuildAdd(emit->builder, loop->index, int_const(emit, 1), "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(emit->builder);
    LLVMAddIncoming(loop->index, &next, &last, 1);
    LLVMValueRef is_done = LLVMBuildICmp(emit->builder, LLVMIntEQ, next, to, "");
    LLVMValueRef jump = LLVMBuildCondBr(emit->builder, is_done, loop->done, loop->turn);
    LLVMPositionBuilderAtEnd(emit->builder, loop->done);
    return jump;
}

/* A loop that is not worth vectors, and what LLVM would ask before it used them. Its node names itself first (LLVM
 * Language Reference, "llvm.loop"). */
static void forbid_vectors(hq_emit *emit, LLVMValueRef jump)
{
    static const char PROPERTY[] = "llvm.loop.vectorize.enable";
    LLVMContextRef context = emit->context;
    LLVMMetadataRef words[2] = {LLVMMDStringInContext2(context, PROPERTY, sizeof PROPERTY - 1),
                                LLVMValueAsMetadata(LLVMConstInt(emit->i1, 0, false))};
    LLVMMetadataRef itself = LLVMTemporaryMDNode(context, NULL, 0);
    LLVMMetadataRef parts[2] = {itself, LLVMMDNodeInContext2(context, words, 2)};
    LLVMMetadataRef node = LLVMMDNodeInContext2(context, parts, 2);
    LLVMMetadataReplaceAllUsesWith(itself, node);
    LLVMSetMetadata(jump, LLVMGetMDKindIDInContext(context, "llvm.loop", 9), LLVMMetadataAsValue(context, node));
}

/* A row, in full steps of SEARCH_LANES: what is written beyond its end is written again by the next one. LLVM sees that
 * its vectors leave no rest. */
static void emit_row(hq_emit *emit, emit_search *search, LLVMValueRef to, LLVMValueRef count)
{
    count = LLVMBuildAdd(emit->builder, count, int_const(emit, SEARCH_LANES - 1), "");
    count = LLVMBuildAnd(emit->builder, count, int_const(emit, ~(uint64_t)(SEARCH_LANES - 1)), "");
    LLVMValueRef least[2] = {count, int_const(emit, SEARCH_LANES)};
    count = emit_intrinsic(emit, "llvm.umax", &emit->i64, 1, least, 2);
    counting loop = begin_counting(emit, int_const(emit, 0));
    search->index = loop.index;
    search->at[0] = search->where == PAIR ? loop.index : NULL;
    emit_turn(emit, search, to);
    end_counting(emit, &loop, count);
}

/* n * (n - 1) / 2 */
static LLVMValueRef pairs_before(hq_emit *emit, LLVMValueRef n)
{
    LLVMValueRef before = LLVMBuildSub(emit->builder, n, int_const(emit, 1), "");
    return LLVMBuildLShr(emit->builder, LLVMBuildMul(emit->builder, n, before, ""), int_const(emit, 1), "");
}

/* How many pairs the row of a second object has, or of a third one, and where it begins. */
static LLVMValueRef emit_row_length(hq_emit *emit, const emit_search *search, LLVMValueRef function,
                                    LLVMValueRef object)
{
    if (search->where == PAIR)
        return object;
    LLVMBuilderRef builder = emit->builder;
    LLVMValueRef before = pairs_before(emit, object), end = LLVMGetParam(function, 6);
    before = LLVMBuildSelect(builder, LLVMBuildICmp(builder, LLVMIntULT, before, end, ""), before, end, "");
    return LLVMBuildSub(builder, before, LLVMGetParam(function, 5), "");
}

/* search_pairs or search_keys. */
static LLVMValueRef emit_row_function(hq_emit *emit, emit_search *search, unsigned where)
{
    LLVMBuilderRef builder = emit->builder;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(builder);
    LLVMValueRef outer = emit->function;
    LLVMTypeRef parameters[7] = {emit->pointer, emit->i64, emit->pointer, emit->i64, emit->i64, emit->i64, emit->i64};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(emit->context), parameters, where == PAIR ? 5 : 7, false);
    LLVMValueRef function = LLVMAddFunction(emit->module, where == PAIR ? "pairs" : "keys", type);
    set_private(emit, function, 3);
    emit->function = function;
    emit->search = search;
    search->where = where;
    search->values = hq_calloc(search->program->slot_count + 1, sizeof *search->values);
    search->memory = LLVMGetParam(function, 0);
    search->stride = LLVMGetParam(function, 1);

    LLVMBasicBlockRef start = emit_new_block(emit, "start");
    LLVMPositionBuilderAtEnd(builder, start);
    counting rows = begin_counting(emit, LLVMGetParam(function, 3));
    LLVMValueRef written = LLVMBuildPhi(builder, emit->i64, "written"), none = int_const(emit, 0);
    LLVMAddIncoming(written, &none, &start, 1);
    search->at[1] = rows.index;
    search->at[2] = rows.index;
    LLVMValueRef length = emit_row_length(emit, search, function, rows.index);
    emit_row(emit, search, address_of(emit, LLVMGetParam(function, 2), written), length);
    LLVMValueRef sum = LLVMBuildAdd(builder, written, length, "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(builder);
    LLVMAddIncoming(written, &sum, &last, 1);
    end_counting(emit, &rows, LLVMGetParam(function, 4));
    LLVMBuildRetVoid(builder);

    free(search->values);
    search->values = NULL;
    emit->search = NULL;
    emit->function = outer;
    LLVMPositionBuilderAtEnd(builder, here);
    return function;
}

/* --- the search --- */

/* Goes on where it holds; elsewhere state->stopped says why the run ends. */
static void go_on_if(hq_emit *emit, LLVMValueRef goes_on)
{
    LLVMBasicBlockRef stopped = emit_new_block(emit, "stopped"), on = emit_new_block(emit, "on");
    LLVMBuildCondBr(emit->builder, goes_on, on, stopped);
    LLVMPositionBuilderAtEnd(emit->builder, stopped);
    LLVMBuildRet(emit->builder, LLVMConstInt(emit->i32, OUTCOME_STOPPED, false));
    LLVMPositionBuilderAtEnd(emit->builder, on);
}

static void set_loop(hq_emit *emit, const hq_stmt *loop, LLVMValueRef value)
{
    LLVMBuildStore(emit->builder, value, emit->slots[loop->slot]);
    emit_memo_show(emit, loop);
}

static void set_and_show(hq_emit *emit, const hq_stmt *stmt)
{
    LLVMBuildStore(emit->builder, emit_expr(emit, stmt->a), emit->slots[stmt->slot]);
    emit_memo_show(emit, stmt);
}

static void hide_all(hq_emit *emit, const emit_search *search)
{
    for (size_t level = LEVELS; level-- > 0;) {
        for (const hq_stmt *stmt = search->loops[level]->body->first; stmt && stmt->op == STMT_SET; stmt = stmt->next)
            emit_memo_hide(emit, stmt);
        emit_memo_hide(emit, search->loops[level]);
    }
}

/* Stores the parts that depend on one object, for all of them. */
static void emit_objects(hq_emit *emit, emit_search *search, LLVMValueRef memory, LLVMValueRef stride, LLVMValueRef low,
                         LLVMValueRef count)
{
    unsigned used = 0;
    for (size_t i = 0; i < search->part_counts[PART_OBJECT]; i++)
        used |= search->parts[PART_OBJECT][i].on;
    counting loop = begin_counting(emit, int_const(emit, 0));
    LLVMValueRef cursor = LLVMBuildAdd(emit->builder, low, loop.index, "");
    for (size_t level = 0; level < LEVELS; level++)
        if (used & 1U << level)
            set_loop(emit, search->loops[level], cursor);
    for (size_t level = 0; level < LEVELS; level++)
        for (const hq_stmt *stmt = search->loops[level]->body->first; stmt && stmt->op == STMT_SET; stmt = stmt->next) {
            unsigned on = search->depends[stmt->slot];
            if ((on & used) == on && (on & (on - 1)) == 0)
                set_and_show(emit, stmt);
        }
    for (size_t i = 0; i < search->part_counts[PART_OBJECT]; i++) {
        const hq_expr *expr = search->parts[PART_OBJECT][i].expr;
        store_word(emit, expr, emit_expr(emit, expr), object_address(emit, memory, stride, i, loop.index));
    }
    hide_all(emit, search);
    forbid_vectors(emit, end_counting(emit, &loop, count));
}

/* The loops' body, once, for the best triplet. */
static void emit_best(hq_emit *emit, const emit_search *search, LLVMValueRef low, LLVMValueRef triplet)
{
    for (size_t level = 0; level < LEVELS; level++) {
        LLVMValueRef at = int_const(emit, level);
        LLVMValueRef address = LLVMBuildInBoundsGEP2(emit->builder, emit->i64, triplet, &at, 1, "");
        LLVMValueRef number = LLVMBuildLoad2(emit->builder, emit->i64, address, "");
        set_loop(emit, search->loops[level], LLVMBuildAdd(emit->builder, low, number, ""));
        for (const hq_stmt *stmt = search->loops[level]->body->first; stmt && stmt->op == STMT_SET; stmt = stmt->next)
            set_and_show(emit, stmt);
    }
    hq_block choice = {(hq_stmt *)search->choice, (hq_stmt *)search->choice};
    emit_block(emit, &choice);
    hide_all(emit, search);
}

static void emit_searching(hq_emit *emit, emit_search *search, LLVMValueRef low, LLVMValueRef count)
{
    LLVMBuilderRef builder = emit->builder;
    emit_loop loops[LEVELS];
    for (size_t level = 0; level < LEVELS; level++) {
        loops[level] = (emit_loop){level ? &loops[level - 1] : emit->loop, NULL, NULL, search->loops[level]};
        emit_memo_fill(emit, search->loops[level], NULL);
    }
    LLVMValueRef room[3] = {emit->state, count, int_const(emit, search->part_counts[PART_OBJECT])};
    LLVMValueRef memory = emit_call(emit, CODE_SEARCH_ROOM_NAME, emit->pointer, room, 3);
    go_on_if(emit, LLVMBuildIsNotNull(builder, memory, ""));
    LLVMValueRef stride = LLVMBuildAdd(builder, count, int_const(emit, SEARCH_LANES), "");
    for (size_t i = 0; i < search->part_counts[PART_INVARIANT]; i++) {
        const hq_expr *expr = search->parts[PART_INVARIANT][i].expr;
        store_word(emit, expr, emit_expr(emit, expr), address_of(emit, memory, int_const(emit, i)));
    }
    emit->loop = &loops[LEVELS - 1];
    emit_objects(emit, search, memory, stride, low, count);
    LLVMValueRef is_first_kept = LLVMConstInt(emit->i32, 0, false);
    if (search->has) {
        LLVMValueRef has = LLVMBuildLoad2(builder, emit->i1, emit->slots[search->has->index], "");
        is_first_kept = LLVMBuildZExt(builder, LLVMBuildNot(builder, has, ""), emit->i32, "");
    }
    LLVMValueRef pairs = emit_row_function(emit, search, PAIR);
    LLVMValueRef keys = emit_row_function(emit, search, ALL);
    LLVMValueRef arguments[6] = {emit->state, pairs, keys, count, is_first_kept, emit->triplet};
    LLVMValueRef found = emit_call(emit, CODE_SEARCH_NAME, emit->i32, arguments, 6);
    go_on_if(emit, LLVMBuildICmp(builder, LLVMIntNE, found, LLVMConstInt(emit->i32, 0, false), ""));
    emit_best(emit, search, low, emit->triplet);
    emit->loop = loops[0].outer;
}

static LLVMValueRef new_triplet(hq_emit *emit)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(emit->builder);
    LLVMPositionBuilderBefore(emit->builder, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(emit->function)));
    LLVMValueRef triplet = LLVMBuildAlloca(emit->builder, LLVMArrayType2(emit->i64, LEVELS), "triplet");
    LLVMPositionBuilderAtEnd(emit->builder, here);
    return triplet;
}

static bool read_search(emit_search *search, const hq_stmt *outermost)
{
    uint32_t best;
    return find_loops(search, outermost) && read_condition(search, search->choice->a, &best) &&
           keeps_the_best(search, best) && read_sets(search) && are_private(search) &&
           objects_of(search, search->key) == ALL && plan(search, search->key, ALL);
}

bool emit_search_loops(hq_emit *emit, const hq_stmt *outermost)
{
    size_t slots = emit->program->slot_count + 1;
    emit_search *search = hq_calloc(1, sizeof *search);
    *search = (emit_search){.program = emit->program,
                            .states = hq_calloc(slots, sizeof *search->states),
                            .depends = hq_calloc(slots, sizeof *search->depends),
                            .sets = hq_calloc(slots, sizeof *search->sets),
                            .is_planned = hq_calloc(slots, sizeof *search->is_planned)};
    bool is_search = !emit->is_flat && !emit->search && read_search(search, outermost);
    if (is_search) {
        LLVMBuilderRef builder = emit->builder;
        if (!emit->triplet)
            emit->triplet = new_triplet(emit);
        LLVMValueRef low = emit_expr(emit, outermost->a);
        LLVMValueRef count = LLVMBuildSub(builder, emit_expr(emit, outermost->b), low, "");
        LLVMBasicBlockRef some = emit_new_block(emit, "search"), after = emit_new_block(emit, "searched");
        LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntSGE, count, int_const(emit, LEVELS), ""), some, after);
        LLVMPositionBuilderAtEnd(builder, some);
        emit_searching(emit, search, low, count);
        LLVMBuildBr(builder, after);
        LLVMPositionBuilderAtEnd(builder, after);
    }
    for (size_t kind = 0; kind < PART_KINDS; kind++)
        for (size_t i = 0; i < search->part_counts[kind]; i++)
            buffer_clear(&search->parts[kind][i].key);
    free(search->states);
    free(search->depends);
    free(search->sets);
    free(search->is_planned);
    free(search);
    return is_search;
}
