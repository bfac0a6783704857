/* query/code_emit.h - a typed program on its way to LLVM's intermediate form. Private to query/code*.c.
 *
 * One function is made for a program:
 *
 *     int32_t run(const column_view *columns, void *const *bins, int64_t *const *fills, code_state *state,
 *                 uint64_t first, uint64_t last, double *memo, uint64_t memo_objects)
 *
 * It runs the entries from first up to last and gives back one of hq_outcome.
 */
#ifndef HQ_QUERY_CODE_EMIT_H
#define HQ_QUERY_CODE_EMIT_H

#include <llvm-c/Core.h>
#include <stdatomic.h>

#include "query/search.h"
#include "query/typed.h"

typedef enum hq_outcome { OUTCOME_DONE, OUTCOME_FAULT, OUTCOME_STOPPED } hq_outcome;

enum {
    TURNS_BETWEEN_LOOKS = 1 << 14, /* of loops inside an entry, between two looks at the clock */
    CODE_MEMORY_WORDS = 1 << 21,   /* of an event, for its lists */
    MEMO_FORMULAS = 8,             /* at most, of one collection */
    FLAT_MOST_FILLS = 8            /* in the text of a flat program */
};

/* What machine code needs of a column. */
typedef struct column_view {
    const void *values;
    const uint32_t *offsets;
} column_view;

/* What machine code and code_run tell each other. */
typedef struct code_state {
    uint64_t fault_entry;
    int64_t fault_index;  /* the index that was asked for, */
    int64_t fault_length; /* and the length of what was indexed */
    uint32_t fault;       /* which of the program's faults */
    hq_error stopped;     /* HQ_ECANCELLED or HQ_ETIMEOUT */
    atomic_int *cancel;
    int64_t deadline_ms;
    int64_t *words; /* the event's memory: CODE_MEMORY_WORDS, NULL if the program has no use for it */
    int64_t words_used;
    double *search; /* query/search.h's memory, NULL until there is a search */
    size_t search_words;
} code_state;

/* A flat program (code_flat.c) does not count in the histograms' own bins but in tables with FLAT_NOWHERE bins
 * more, for what is not filled: in turns in several of them, if they are small, so that a bin that is met again and
 * again is not waited for. */
enum { FLAT_TABLES = 8, FLAT_NOWHERE = 4 };
static inline uint64_t flat_tables_of(uint64_t size)
{
    return size < 1024 ? FLAT_TABLES : 1;
}
/* Counts the bins of a block in the tables. */
void code_count(const int32_t *bins, uint64_t count, int64_t *tables, uint64_t size);

typedef struct sin_and_cos {
    double sin, cos;
} sin_and_cos;
sin_and_cos code_sincos(double angle);

/* Called from loops that may be long: true, and the reason in state->stopped, if the run is to end. */
int32_t code_look(code_state *state);
/* The first of count * width words that are free, after the words used from before on have been copied there; -1 if
 * there are not as many. */
int64_t code_room(code_state *state, int64_t count, int64_t width, int64_t before, int64_t used);
/* How many of the edges, which rise, do not lie above x; all for nan. */
uint32_t code_count_edges(const double *edges, uint32_t count, double x);
/* The first of the categories that is x, or count. */
uint32_t code_find_category(const double *categories, uint32_t count, double x);
/* Sorts as STMT_SORT says; false if there is no room to work in. */
int32_t code_sort(code_state *state, int64_t base, int64_t count, int32_t spec, int64_t keys);

/* Memory for a search over count objects, with so many words for each; NULL, and the reason in state->stopped, if that
 * is too much. */
double *code_search_room(code_state *state, int64_t count, int64_t words);
/* search_least in that memory; 0, and the reason in state->stopped, if the run is to end. */
int32_t code_search(code_state *state, search_pairs *pairs, search_keys *keys, int64_t count, int32_t is_first_kept,
                    int64_t *triplet);

typedef struct emit_loop {
    struct emit_loop *outer;
    LLVMBasicBlockRef at_break;
    LLVMBasicBlockRef at_continue; /* NULL for a statement that a break can leave but that is no loop */
    const hq_stmt *stmt;           /* it */
} emit_loop;

typedef struct emit_memo emit_memo;
typedef struct emit_search emit_search;

typedef struct hq_emit {
    const hq_program *program;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMValueRef function;
    LLVMTypeRef i1, i8, i32, i64, f64, pointer;
    LLVMValueRef state;   /* the argument */
    LLVMValueRef words;   /* where the event's memory starts */
    LLVMValueRef entry;   /* the number of the entry at hand */
    LLVMValueRef turns;   /* a stack cell: how many turns are left until code_look */
    LLVMValueRef *slots;  /* stack cells */
    LLVMValueRef *values; /* for each column, where its values start */
    LLVMValueRef *begins; /* for each group, of the entry at hand */
    LLVMValueRef *ends;
    LLVMValueRef *bins; /* for each histogram */
    LLVMValueRef *fills;
    LLVMValueRef *calls; /* for each of MATH_FUNCTIONS, its declaration once there is one */
    LLVMValueRef int_power, look, sincos, square;
    const hq_expr **angles; /* all calls of sin and cos in the program */
    size_t angle_count, angle_capacity;
    LLVMBasicBlockRef next_entry;
    emit_loop *loop;
    emit_memo *memo;
    emit_search *search;  /* the one whose rows are computed here; NULL elsewhere */
    LLVMValueRef triplet; /* stack cells for what searches find; NULL before the first */
    bool is_flat;
    LLVMValueRef flat_mask;                         /* whether what is being computed is wanted; NULL: it is */
    const hq_stmt *flat_fills[FLAT_MOST_FILLS + 1]; /* in the order they are met; NULL behind the last */
    LLVMValueRef flat_bins[FLAT_MOST_FILLS];        /* for each, a stack cell for the bin of the value at hand, */
    LLVMValueRef flat_blocks[FLAT_MOST_FILLS];      /* and the bins of a block */
    unsigned invariant;                             /* LLVM's number for the metadata of that name */
    LLVMValueRef empty_node;
} hq_emit;

/* Names of what the machine code calls, for code.c to give addresses to. */
#define CODE_FUNCTION_NAME    "hq_run"
#define CODE_LOOK_NAME        "hq_look"
#define CODE_COUNT_NAME       "hq_count"
#define CODE_SINCOS_NAME      "hq_sincos"
#define CODE_POWER_NAME       "hq_int_power"
#define CODE_ROOM_NAME        "hq_room"
#define CODE_SORT_NAME        "hq_sort"
#define CODE_EDGES_NAME       "hq_count_edges"
#define CODE_CATEGORY_NAME    "hq_find_category"
#define CODE_SEARCH_ROOM_NAME "hq_search_room"
#define CODE_SEARCH_NAME      "hq_search"
#define CODE_MATH_FORMAT      "hq_math_%zu"   /* index into MATH_FUNCTIONS */
#define CODE_KERNEL_FORMAT    "hq_kernel_%zu" /* and into MATH_KERNELS */

/* code_expr.c */
LLVMTypeRef emit_type(const hq_emit *emit, hq_scalar type);
LLVMValueRef emit_expr(hq_emit *emit, const hq_expr *expr);
/* A load from memory that nothing changes during the run. */
LLVMValueRef emit_invariant_load(hq_emit *emit, LLVMTypeRef type, LLVMValueRef address);
LLVMValueRef emit_intrinsic(hq_emit *emit, const char *name, LLVMTypeRef *types, size_t type_count,
                            LLVMValueRef *arguments, size_t argument_count);
LLVMBasicBlockRef emit_new_block(hq_emit *emit, const char *name);
LLVMValueRef emit_declare(hq_emit *emit, const char *name, LLVMTypeRef type, bool is_pure);
/* Calls a function of that name with the types that the arguments have; it is declared at its first call. */
LLVMValueRef emit_call(hq_emit *emit, const char *name, LLVMTypeRef result, LLVMValueRef *arguments, unsigned count);
/* Visits every expression of a statement, or of the statements of a block (NULL: none), with all that stand in them. */
typedef void hq_visit(const hq_expr *expr, void *context);
void emit_visit_stmt(const hq_stmt *stmt, hq_visit *visit, void *context);
void emit_visit_block(const hq_block *block, hq_visit *visit, void *context);

/* A call of a function of MATH_FUNCTIONS; b is NULL if it takes one argument. */
LLVMValueRef emit_math_call(hq_emit *emit, size_t index, LLVMValueRef a, LLVMValueRef b);

/* code_shortcut.c; NULL where there is no short way, but for emit_power. */
LLVMValueRef emit_root_with_sign(hq_emit *emit, const hq_expr *expr);
LLVMValueRef emit_comparison_of_root(hq_emit *emit, const hq_expr *expr);
LLVMValueRef emit_floor_of_quotient(hq_emit *emit, const hq_expr *expr);
/* Once emit_find_angles has looked through the program. */
LLVMValueRef emit_half_of_sincos(hq_emit *emit, const hq_expr *expr);
void emit_find_angles(hq_emit *emit);
LLVMValueRef emit_power(hq_emit *emit, const hq_expr *expr); /* of floats */

/* code_fill.c */
/* Which bin a fill goes to, flow included, as an i32. */
LLVMValueRef emit_fill_index(hq_emit *emit, const hq_stmt *stmt);
void emit_fill(hq_emit *emit, const hq_stmt *stmt);

/* code_memory.c */
LLVMValueRef emit_word(hq_emit *emit, const hq_expr *expr);
void emit_store(hq_emit *emit, const hq_stmt *stmt);
void emit_room(hq_emit *emit, const hq_stmt *stmt);
void emit_sort(hq_emit *emit, const hq_stmt *stmt);
void emit_kernel(hq_emit *emit, const hq_stmt *stmt);
/* At the start of the run, and of every entry. */
void emit_memory(hq_emit *emit);
void emit_empty_memory(hq_emit *emit);

/* code_flat.c */
/* Is it a program whose fills may be done in any order, over values that know nothing of each other? */
bool emit_is_flat(const hq_program *program);
/* In the function's first block. */
void emit_flat_cells(hq_emit *emit);
/* The loop, from the builder's place on; offsets: for each group, its list. */
void emit_flat(hq_emit *emit, LLVMValueRef *offsets, LLVMValueRef first, LLVMValueRef last, LLVMBasicBlockRef done);
void emit_flat_fill(hq_emit *emit, const hq_stmt *stmt);
/* Vector code has no branches: what is cheap is computed in any case, and kept where it is wanted. So its loads need no
 * masks. emit_flat_if gives false, and has done nothing, where that is not cheap. */
bool emit_flat_is_cheap(const hq_emit *emit, const hq_expr *expr);
bool emit_flat_if(hq_emit *emit, const hq_stmt *stmt);
void emit_flat_store(hq_emit *emit, LLVMTypeRef type, LLVMValueRef value, LLVMValueRef cell);

/* code_memo.c */
void emit_memo_new(hq_emit *emit);
void emit_memo_free(hq_emit *emit);
/* Each area is for the objects of one collection, double[memo_objects][MEMO_FORMULAS], one after the other in memo;
 * memo_objects is as many as any entry has of any of these collections. The columns whose offsets count
 * them, one for each area; the caller frees them. */
uint32_t *emit_memo_columns(const hq_program *program, size_t *count_r);
/* In the function's first block, at the start of an entry, before a loop that has turns (NULL: not known), and when the
 * function is done. */
void emit_memo_cells(hq_emit *emit);
void emit_memo_forget(hq_emit *emit);
void emit_memo_fill(hq_emit *emit, const hq_stmt *loop, LLVMValueRef has_turns);
void emit_memo_functions(hq_emit *emit);
/* What a statement sets, a loop that begins its body too, can be read from here on, and after the end of the block, or
 * of the loop's body, no more. */
void emit_memo_show(hq_emit *emit, const hq_stmt *stmt);
void emit_memo_hide(hq_emit *emit, const hq_stmt *stmt);
/* Does the slot certainly hold what the other one does, or is it that one? Both can be read here. */
bool emit_memo_is_copy(const hq_emit *emit, uint32_t slot, uint32_t of);
/* The expression's value, if it need not be computed here; else NULL. */
LLVMValueRef emit_memo_value(hq_emit *emit, const hq_expr *expr);
/* The position of the object for which a formula is computed; NULL elsewhere. */
LLVMValueRef emit_memo_position(const hq_emit *emit);

/* code_search.c */
/* Makes a search of loops that are one, and gives false for all others. */
bool emit_search_loops(hq_emit *emit, const hq_stmt *outermost);
/* What is known of an expression where a search's rows are computed; NULL if it is to be computed. */
LLVMValueRef emit_search_value(hq_emit *emit, const hq_expr *expr);

/* code_stmt.c */
/* Sets emit->values from the table of columns. */
void emit_column_values(hq_emit *emit, LLVMValueRef columns);
void emit_block(hq_emit *emit, const hq_block *block);
/* Where each group's values of the entry at hand begin and end. offsets: for each group, its list. */
void emit_groups(hq_emit *emit, LLVMValueRef *offsets);
/* Goes on where is_right holds and ends the run with the fault, whose text says all, elsewhere. */
void emit_demand(hq_emit *emit, LLVMValueRef is_right, uint32_t fault);
/* Makes the function in emit->module; program, context, module and builder are set. */
void emit_function(hq_emit *emit);
/* Frees what emit_function allocated. */
void emit_clear(hq_emit *emit);

#endif
