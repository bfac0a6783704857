/* query/check.h - what the parts of the checker share: values, names, and the typed program under construction.
 * Private to query/check_*.c and query/build.c.
 */
#ifndef HQ_QUERY_CHECK_H
#define HQ_QUERY_CHECK_H

#include "query/tree.h"
#include "query/typed.h"

/* What an expression can be. Only those up to KIND_RANGE can be kept in a variable. */
typedef enum hq_kind {
    KIND_BOOL = SCALAR_BOOL,
    KIND_INT = SCALAR_INT,
    KIND_FLOAT = SCALAR_FLOAT,
    KIND_RECORD,    /* ref: the group; part[0]: its position */
    KIND_RECORDS,   /* ref: the group; part[0], part[1]: from, up to */
    KIND_LIST,      /* ref: the jagged column; parts likewise */
    KIND_RANGE,     /* parts: start, stop, step */
    KIND_ENUMERATE, /* inner: the sequence; part[0]: the first number */
    KIND_TUPLE,     /* node */
    KIND_STRING,    /* text */
    KIND_EVENT,
    KIND_EVENTS,
    KIND_MODULE,    /* ref: hq_module */
    KIND_FUNCTION,  /* ref: hq_module it is of; text: its name there */
    KIND_HISTOGRAM, /* ref: which */
    KIND_FILL,      /* ref: of which histogram */
} hq_kind;

typedef enum hq_module { MODULE_BUILTINS, MODULE_MATH, MODULE_HIST, MODULE_AXIS, MODULE_STORAGE } hq_module;

/* The parts of records and sequences are simple, see build_is_simple: they may be used several times. */
typedef struct hq_value {
    hq_kind kind;
    uint32_t ref;
    const hq_expr *part[3];
    const char *text;
    const hq_node *node;
    const struct hq_value *inner;
} hq_value;

typedef struct hq_symbol {
    hq_word *word;
    bool is_global; /* defined outside the event loop, as value says */
    hq_value value;
    bool is_local; /* assigned in the event loop; all that follows is for these */
    bool has_kind; /* the join of all that is assigned to it, over all passes */
    hq_kind kind;
    uint32_t ref;
    int line;      /* where it got its kind */
    uint32_t slot; /* the first of its slots in this pass, if has_slot */
    bool has_slot;
    uint32_t id; /* among the locals */
    struct hq_symbol *next;
} hq_symbol;

/* Which locals certainly have a value at a point of the text. */
typedef struct hq_flow {
    uint64_t *bits;
    bool is_dead; /* the point cannot be reached */
} hq_flow;

typedef struct hq_loop {
    struct hq_loop *outer;
    hq_flow at_break; /* dead until there is a break */
} hq_loop;

typedef struct hq_checker {
    hq_source *source;
    const hq_schema *schema;
    hq_program *program;
    hq_symbol *symbols;
    uint32_t local_count;
    bool is_in_event;
    bool has_loop; /* the event loop has been met */
    bool again;    /* a variable's kind has widened: this pass was for finding out */
    uint32_t at;   /* of the node at hand, for build.c */
    size_t code_count;
    uint64_t bin_count; /* of all histograms */
    hq_block *block;    /* where statements go */
    hq_flow flow;
    hq_loop *loop;
} hq_checker;

/* --- check.c --- */

/* Checks the tree and leaves the typed program in source->program. It is the caller's to free even when this leaves by
 * longjmp. */
void check_tree(hq_source *source, const hq_schema *schema, const hq_node *tree);
hq_symbol *check_symbol(hq_checker *checker, hq_word *word);

/* --- build.c: typed expressions and statements; constants are folded --- */

const hq_expr *build_bool(hq_checker *checker, bool value);
const hq_expr *build_int(hq_checker *checker, int64_t value);
const hq_expr *build_float(hq_checker *checker, double value);
const hq_expr *build_slot(hq_checker *checker, uint32_t slot);
/* EXPR_FLAT, EXPR_LOAD (a: the position), EXPR_BEGIN, EXPR_END. */
const hq_expr *build_read(hq_checker *checker, hq_expr_op op, uint32_t index, const hq_expr *a);
const hq_expr *build_unary(hq_checker *checker, hq_expr_op op, const hq_expr *a);
/* a and b are of one type. */
const hq_expr *build_binary(hq_checker *checker, hq_expr_op op, const hq_expr *a, const hq_expr *b);
const hq_expr *build_cond(hq_checker *checker, const hq_expr *a, const hq_expr *b, const hq_expr *c);
const hq_expr *build_call(hq_checker *checker, const char *function, const hq_expr *a, const hq_expr *b);
/* To bool, int or float: the scalar itself if it is one already. */
const hq_expr *build_convert(hq_checker *checker, const hq_expr *a, hq_scalar type);
/* A constant, a slot or an end of a sequence: costs nothing, and may be used again and again. */
bool build_is_simple(const hq_expr *a);
/* a itself if it is simple, else a new slot that holds its value. */
const hq_expr *build_once(hq_checker *checker, const hq_expr *a);
/* A new slot that holds its value, unless it is a constant: safe from assignments to variables later on. */
const hq_expr *build_copy(hq_checker *checker, const hq_expr *a);
uint32_t build_new_slot(hq_checker *checker, hq_scalar type);
hq_stmt *build_stmt(hq_checker *checker, hq_stmt_op op);
void build_set(hq_checker *checker, uint32_t slot, const hq_expr *a);
uint32_t build_fault(hq_checker *checker, int line, const char *text);
/* Statements go into a new block until build_end_block gives the old one back its place. */
hq_block *build_begin_block(hq_checker *checker);
void build_end_block(hq_checker *checker, hq_block *outer);

/* --- check_name.c: names, columns, records --- */

hq_value check_name(hq_checker *checker, const hq_node *node);
hq_value check_attribute(hq_checker *checker, const hq_node *node);
/* event["name"] */
hq_value check_column(hq_checker *checker, const hq_node *node, const char *name);
/* The element at a position that is known to be inside. */
hq_value check_element(hq_checker *checker, const hq_value *sequence, const hq_expr *position);
/* Every group gets a column to read its offsets from. */
void check_complete_groups(hq_checker *checker);
/* "an int", "a record of Muon": for messages. */
const char *check_describe(hq_checker *checker, const hq_value *value);
/* The text that the node was made of, shortened: "event.Muon[i]". */
const char *check_spell(hq_checker *checker, const hq_node *node);

/* --- check_expr.c --- */

hq_value check_expr(hq_checker *checker, const hq_node *node);
/* Where the text of an expression begins: of a.b[c] at a. */
uint32_t check_start(const hq_node *node);
/* Refuses what is not a number (or a bool). */
const hq_expr *check_scalar(hq_checker *checker, const hq_node *node);
const hq_expr *check_int(hq_checker *checker, const hq_node *node, const char *what);
const hq_expr *check_condition(hq_checker *checker, const hq_node *node);
const hq_expr *check_arithmetic(hq_checker *checker, const hq_node *node, int op, const hq_expr *a, const hq_expr *b);

static inline bool kind_is_scalar(hq_kind kind)
{
    return kind <= KIND_FLOAT;
}

static inline bool kind_is_sequence(hq_kind kind)
{
    return kind == KIND_RECORDS || kind == KIND_LIST;
}

static inline hq_value value_of(const hq_expr *expr)
{
    return (hq_value){.kind = (hq_kind)expr->type, .part = {expr, NULL, NULL}};
}

/* --- check_call.c --- */

hq_value check_call(hq_checker *checker, const hq_node *node);
/* Is it a function of the module that hq knows? */
bool check_has_function(hq_module module, const char *name);
void check_guess_functions(hq_guess *guess, hq_module module);
/* math.pi and its kin. */
bool check_math_constant(const char *name, double *value_r);
/* Why a function of Python's builtins or math is not there; NULL if nobody would expect it. */
const char *check_why_no_function(hq_module module, const char *name);

/* --- check_hist.c --- */

/* name = Hist(…): true if the call is one, and then it is declared. */
bool check_declares_hist(hq_checker *checker, hq_symbol *symbol, const hq_node *call);
void check_fill(hq_checker *checker, const hq_node *call, uint32_t hist);

/* --- check_stmt.c --- */

void check_event_loop(hq_checker *checker, const hq_node *node);

/* --- check_flow.c: which locals have a value --- */

hq_flow flow_copy(hq_checker *checker, const hq_flow *flow);
/* What holds on both ways into a point. */
void flow_merge(hq_checker *checker, hq_flow *into, const hq_flow *other);
void flow_assign(hq_flow *flow, const hq_symbol *symbol);
bool flow_has(const hq_flow *flow, const hq_symbol *symbol);

#endif
