/* query/check.h - what the parts of the checker share: values, names, and the typed program under construction.
 * Private to query/check_*.c and query/build.c.
 */
#ifndef HQ_QUERY_CHECK_H
#define HQ_QUERY_CHECK_H

#include "query/tree.h"
#include "query/typed.h"

/* What an expression can be. */
typedef enum hq_kind {
    KIND_BOOL = SCALAR_BOOL,
    KIND_INT = SCALAR_INT,
    KIND_FLOAT = SCALAR_FLOAT,
    KIND_RECORD, /* ref: the collection, see hq_ledger; part[0]: its position */
    KIND_EITHER, /* items: a KIND_RECORD for each collection it may be of; parts: which of them, its position there */
    KIND_TUPLE,  /* items */
    /* sequences, which have a length and elements by index */
    KIND_RECORDS, /* ref: the collection; part[0], part[1]: from, up to */
    KIND_LIST,    /* ref: the jagged column; parts likewise */
    KIND_RANGE,   /* parts: start, stop, step */
    KIND_JOINED,  /* items: sequences, one after the other */
    KIND_STRIDED, /* items: a sequence that is no range; parts: index of the first element there, length, step */
    KIND_ARRAY,   /* ref: words for each element; parts: the first word, the length; items: the element's shape */
    /* what gives its elements once, one by one, and cannot be kept */
    KIND_ENUMERATE,    /* items: what is numbered; part[0]: the first number */
    KIND_ZIP,          /* items: sequences */
    KIND_COMBINATIONS, /* ref: how many at a time; items: the sequence */
    KIND_REVERSED,     /* items: the sequence, turned round already */
    KIND_GENERATOR,    /* node: NODE_COMP */
    /* what is known by the compiler only */
    KIND_STRING, /* text */
    KIND_EVENT,
    KIND_EVENTS,
    KIND_MODULE,    /* ref: hq_module */
    KIND_FUNCTION,  /* ref: hq_module it is of; text: its name there */
    KIND_HISTOGRAM, /* ref: which */
    KIND_FILL,      /* ref: of which histogram */
    KIND_DEF,       /* ref: which */
} hq_kind;

typedef enum hq_module {
    MODULE_BUILTINS,
    MODULE_MATH,
    MODULE_HIST,
    MODULE_AXIS,
    MODULE_STORAGE,
    MODULE_HQ,
    MODULE_ITERTOOLS,
    MODULE_TRANSFORM
} hq_module;

enum {
    MAX_PARTS = 256,    /* of one value: numbers that it is made of */
    MAX_KEY_PARTS = 31, /* that decide an order */
    MAX_INLINED = 2000  /* calls of functions of the query's own */
};

/* The parts of records and sequences are simple, see build_is_simple: they may be used several times. */
typedef struct hq_value {
    hq_kind kind;
    uint32_t ref;
    const hq_expr *part[3];
    const char *text;
    const hq_node *node;
    const struct hq_value *items;
    size_t item_count;
} hq_value;

typedef struct hq_symbol {
    hq_word *word;
    bool is_global; /* defined outside the event loop, as value says */
    bool is_alias;  /* stands for value, in a function, a lambda or a comprehension */
    hq_value value;
    bool is_local;  /* assigned in the event loop or in a function; all that follows is for these */
    bool has_shape; /* the join of all that is assigned to it, over all passes; the parts are of no account */
    hq_value shape;
    int line;      /* where it got its shape */
    uint32_t slot; /* the first of its slots in this pass, if has_slot */
    bool has_slot;
    uint32_t id;    /* among the locals */
    unsigned level; /* of the scope it is in: 0 is the event loop */
    struct hq_symbol *next;
} hq_symbol;

/* Which locals certainly have a value at a point of the text. */
typedef struct hq_flow {
    uint64_t *bits;
    size_t words; /* of bits; what is beyond them has no value */
    bool is_dead; /* the point cannot be reached */
} hq_flow;

typedef struct hq_loop {
    struct hq_loop *outer;
    unsigned nest;    /* how many statements that a break can leave stand round it */
    hq_flow at_break; /* dead until there is a break */
} hq_loop;

/* A function of the query's own. */
typedef struct hq_def {
    const hq_node *node;
    hq_value *defaults; /* for each parameter; KIND_EVENTS where it has none */
    bool is_active;     /* its body is being checked for a call */
} hq_def;

/* The function whose body is being checked. */
typedef struct hq_call {
    struct hq_call *outer;
    const hq_def *def;
    unsigned nest;        /* of the statement that its returns leave */
    hq_symbol *result;    /* NULL until there is a return with a value */
    bool returns_nothing; /* there was a return without one */
} hq_call;

/* A name, and what it meant before a scope gave it another meaning. */
typedef struct hq_binding {
    hq_word *word;
    hq_symbol *other;
} hq_binding;

/* What the scopes of functions, lambdas and comprehensions bind, in the order of the text: the same in every pass, so
 * that the shapes found in one are known in the next. */
typedef struct hq_ledger {
    hq_symbol **symbols;
    size_t count, capacity;
    const char **collections; /* the names of those that records are of */
    size_t collection_count, collection_capacity;
} hq_ledger;

typedef struct hq_checker {
    hq_source *source;
    const hq_schema *schema;
    hq_program *program;
    hq_symbol *symbols;
    uint32_t local_count;
    bool is_in_event;
    bool has_loop;  /* the event loop has been met */
    bool again;     /* a variable's kind has widened: this pass was for finding out */
    uint32_t at;    /* of the node at hand, for build.c */
    unsigned depth; /* of the recursion through expressions, statements and functions */
    unsigned nest;  /* how many statements that a break can leave are open */
    unsigned level; /* of the innermost scope */
    unsigned floor; /* locals of scopes below are out of sight */
    hq_binding *bindings;
    size_t binding_count, binding_capacity;
    hq_ledger *ledger;
    size_t ledger_used;
    hq_def *defs;
    size_t def_count, def_capacity;
    size_t inlined_count;
    hq_call *call;
    uint64_t hist_words; /* of all histograms */
    hq_block *block;     /* where statements go */
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
/* EXPR_WORD: a word of the event's memory. */
const hq_expr *build_word(hq_checker *checker, hq_scalar type, const hq_expr *address);
void build_store(hq_checker *checker, const hq_expr *address, const hq_expr *value);
/* STMT_KERNEL: its result. */
const hq_expr *build_kernel(hq_checker *checker, uint32_t kernel, const hq_expr *address, const hq_expr *x);
/* The first of words that every event takes at its start, for one place in the text. */
const hq_expr *build_room(hq_checker *checker, int line, int64_t words);
uint32_t build_fault(hq_checker *checker, int line, const char *text);
/* Of every STMT_ROOM and STMT_SORT. */
uint32_t build_room_fault(hq_checker *checker, int line);
/* Statements go into a new block until build_end_block gives the old one back its place. */
hq_block *build_begin_block(hq_checker *checker);
void build_end_block(hq_checker *checker, hq_block *outer);

/* --- check_value.c: what values are made of --- */

static inline bool kind_is_scalar(hq_kind kind)
{
    return kind <= KIND_FLOAT;
}

static inline bool kind_is_record(hq_kind kind)
{
    return kind == KIND_RECORD || kind == KIND_EITHER;
}

static inline bool kind_is_sequence(hq_kind kind)
{
    return kind >= KIND_RECORDS && kind <= KIND_ARRAY;
}

static inline bool kind_is_iterable(hq_kind kind)
{
    return kind >= KIND_TUPLE && kind <= KIND_GENERATOR;
}

static inline hq_value value_of(const hq_expr *expr)
{
    return (hq_value){.kind = (hq_kind)expr->type, .part = {expr, NULL, NULL}};
}

/* True if a variable can hold it. */
bool value_is_storable(const hq_value *value);
/* The numbers it is made of: how many, which (parts has room for MAX_PARTS), and the same value of other numbers. */
size_t value_part_count(const hq_value *value);
size_t value_parts(const hq_value *value, const hq_expr **parts);
hq_value value_with_parts(hq_checker *checker, const hq_value *shape, const hq_expr *const *parts);
/* The scalar of each of the numbers. */
size_t value_types(const hq_value *value, hq_scalar *types);
/* Makes shape cover other too: numbers widen. False if there is no such shape; *widens_r is set if it became another.
 * check_describe tells the difference. */
bool value_join(hq_checker *checker, hq_value *shape, const hq_value *other, bool *widens_r);
/* The same value with every part converted to the types that shape has, which value_join has made. */
hq_value value_convert(hq_checker *checker, const hq_value *value, const hq_value *shape);
/* Every part simple, or every part in slots of its own. */
hq_value value_once(hq_checker *checker, const hq_value *value);
hq_value value_copy(hq_checker *checker, const hq_value *value);
/* In new slots, and back as the value of these slots. */
uint32_t value_new_slots(hq_checker *checker, const hq_value *shape);
hq_value value_of_slots(hq_checker *checker, const hq_value *shape, uint32_t first);
void value_set(hq_checker *checker, uint32_t first, const hq_value *shape, const hq_value *value);
/* A tuple of values, which are copied. */
hq_value value_tuple(hq_checker *checker, size_t count, const hq_value *items);
/* yes where condition holds, else no; false if they have nothing in common. Records of two groups become either. */
bool value_select(hq_checker *checker, const hq_expr *condition, const hq_value *yes, const hq_value *no,
                  hq_value *value_r);

/* --- check_seq.c: sequences, and what else can be gone through --- */

const hq_expr *seq_length(hq_checker *checker, const hq_value *sequence);
/* Cursors run from *low_r up to *high_r, both simple; seq_at is the element at one of them. */
void seq_cursors(hq_checker *checker, const hq_value *sequence, const hq_expr **low_r, const hq_expr **high_r);
hq_value seq_at(hq_checker *checker, const hq_value *sequence, const hq_expr *cursor);
/* From low up to high, both from 0 to the length, low not above high. */
hq_value seq_slice(hq_checker *checker, const hq_value *sequence, const hq_expr *low, const hq_expr *high);
/* count elements, from the one with index first on, both ints that are simple, in steps that are not 0. */
hq_value seq_stride(hq_checker *checker, const hq_value *sequence, const hq_expr *first, const hq_expr *count,
                    const hq_expr *step);
/* From the last to the first. */
hq_value seq_reversed(hq_checker *checker, const hq_value *sequence);
hq_value seq_join(hq_checker *checker, const hq_node *node, const hq_value *one, const hq_value *other);
/* In the event's memory: of everything that can be gone through. node is for messages. */
hq_value seq_array(hq_checker *checker, const hq_node *node, const hq_value *iterable);

/* What is done with each element. */
typedef void (*hq_turn)(hq_checker *checker, const hq_value *element, void *data);
/* Makes the loops that go through all elements, with what turn makes inside; turn is called once. The outermost of the
 * loops is given back, so that it may get an else. Refuses what cannot be gone through. */
hq_stmt *seq_each(hq_checker *checker, const hq_node *node, const hq_value *iterable, hq_turn turn, void *data);
/* A break that leaves the statements inside the first nest ones. */
void seq_leave(hq_checker *checker, unsigned nest);
/* Statements go into the body of a statement that a break can leave until close gives back the old block. */
hq_block *seq_open(hq_checker *checker, hq_stmt *stmt);
void seq_close(hq_checker *checker, hq_block *outer);

/* --- check_fold.c: comprehensions, and the functions that go through sequences --- */

hq_value check_comprehension(hq_checker *checker, const hq_node *node);
/* An argument that is gone through where it stands: a list comprehension needs no memory there. */
hq_value check_iterable(hq_checker *checker, const hq_node *node);
hq_value fold_sum(hq_checker *checker, const hq_node *node);
hq_value fold_product(hq_checker *checker, const hq_node *node);
hq_value fold_any(hq_checker *checker, const hq_node *node);
hq_value fold_all(hq_checker *checker, const hq_node *node);
hq_value fold_length(hq_checker *checker, const hq_node *node);
hq_value fold_sorted(hq_checker *checker, const hq_node *node);
hq_value fold_list(hq_checker *checker, const hq_node *node);
/* min or max of one argument's elements, or of several arguments. */
hq_value fold_extreme(hq_checker *checker, const hq_node *node, hq_expr_op op);

/* --- check_def.c: scopes and functions --- */

/* Gives the name a meaning of its own until scope_close of what scope_open gave. */
size_t scope_open(hq_checker *checker);
hq_symbol *scope_bind(hq_checker *checker, hq_word *word);
void scope_close(hq_checker *checker, size_t mark);
/* The names that were bound between the two marks have their old meanings between these two calls. */
void scope_suspend(hq_checker *checker, size_t from, size_t to);
void scope_resume(hq_checker *checker, size_t from, size_t to);
/* Binds names, in tuples perhaps, to a value. */
void scope_bind_targets(hq_checker *checker, const hq_node *target, const hq_value *value);
void check_def(hq_checker *checker, const hq_node *node, hq_symbol *symbol);
/* The call of a function of the query's own; without a value only where it is a statement. */
hq_value check_inline(hq_checker *checker, const hq_node *call, uint32_t def, bool is_statement);
/* key=lambda x: …, or the name of a function: what it gives for the value. */
hq_value check_key(hq_checker *checker, const hq_node *key, const hq_value *value);
void check_return(hq_checker *checker, const hq_node *node);

/* --- check_name.c: names, columns, records --- */

hq_value check_name(hq_checker *checker, const hq_node *node);
/* Is it the name of a list that stands above the event loop? Then this is what it holds, side by side. */
bool check_takes_list(hq_checker *checker, const hq_node *node, hq_value *tuple_r);
hq_value check_attribute(hq_checker *checker, const hq_node *node);
/* A member of a record. node is for messages. */
const hq_expr *check_member(hq_checker *checker, const hq_node *node, const hq_value *record, const char *member);
/* event["name"] */
hq_value check_column(hq_checker *checker, const hq_node *node, const char *name);
/* Every group gets a column to read its offsets from. */
void check_complete_groups(hq_checker *checker);
/* "an int", "a record of Muon": for messages. */
const char *check_describe(hq_checker *checker, const hq_value *value);
/* The text that the node was made of, shortened: "event.Muon[i]". */
const char *check_spell(hq_checker *checker, const hq_node *node);

/* --- check_expr.c --- */

hq_value check_expr(hq_checker *checker, const hq_node *node);
/* One level deeper into expressions, statements or functions, or a refusal. */
void check_enter(hq_checker *checker, const hq_node *node);
/* Where the text of an expression begins: of a.b[c] at a. */
uint32_t check_start(const hq_node *node);
/* Says that a number should stand here. */
_Noreturn void check_refuse_operand(hq_checker *checker, const hq_node *node, const hq_value *value);
/* Refuses what is not a number (or a bool). */
const hq_expr *check_scalar(hq_checker *checker, const hq_node *node);
const hq_expr *check_int(hq_checker *checker, const hq_node *node, const char *what);
/* The same of a value that the node has given already. */
const hq_expr *check_int_value(hq_checker *checker, const hq_node *node, const hq_value *value, const char *what);
const hq_expr *check_condition(hq_checker *checker, const hq_node *node);
/* Whether the value counts as true. */
const hq_expr *check_truth(hq_checker *checker, const hq_node *node, const hq_value *value);
const hq_expr *check_arithmetic(hq_checker *checker, const hq_node *node, int op, const hq_expr *a, const hq_expr *b);

/* The values of a tuple or a list, side by side. */
hq_value check_items(hq_checker *checker, const hq_node *node);

/* --- check_compare.c --- */

/* 'and' and 'or'. What the operands after the first need to run (an index that is looked at, a loop) may run only if
 * they count: such a chain becomes if statements round a slot; any other stays an expression. */
typedef struct hq_chain {
    hq_expr_op op; /* EXPR_AND or EXPR_OR */
    const hq_expr *sofar;
} hq_chain;

/* needed: the statements that next needs. */
void check_chain_add(hq_checker *checker, hq_chain *chain, const hq_expr *next, hq_block *needed);
hq_value check_compare(hq_checker *checker, const hq_node *node);
/* a op b, of numbers or of tuples of such: any comparison but in. The parts of tuples are simple. */
const hq_expr *check_comparison(hq_checker *checker, const hq_node *node, int op, const hq_value *a, const hq_value *b);
/* Has it an order: is it a number, or a tuple of nothing else? Then these are the numbers that decide, the first one
 * first, and how many there are. */
bool check_is_key(const hq_value *value);
/* What is wrong with it if not: "a tuple with a record of Muon in it". */
const char *check_describe_key(hq_checker *checker, const hq_value *value);
size_t check_key_parts(hq_checker *checker, const hq_value *key, const hq_expr **parts, size_t room);

/* --- check_index.c --- */

/* An element, a slice, or event["name"]. */
hq_value check_index(hq_checker *checker, const hq_node *node);

/* --- check_call.c --- */

hq_value check_call(hq_checker *checker, const hq_node *call);
/* The call with the parts of *tuples among its arguments; itself if there are none. */
const hq_node *check_unpacked(hq_checker *checker, const hq_node *call);
/* delta_phi and its kin of the module hq. */
hq_value call_delta_phi(hq_checker *checker, const hq_node *node);
hq_value call_delta_r(hq_checker *checker, const hq_node *node);
hq_value call_invariant_mass(hq_checker *checker, const hq_node *node);
/* Is it a function of the module that hq knows? */
bool check_has_function(hq_module module, const char *name);
void check_guess_functions(hq_guess *guess, hq_module module);
/* math.pi and its kin. */
bool check_math_constant(const char *name, double *value_r);
/* Why a function of Python's builtins or math is not there; NULL if nobody would expect it. */
const char *check_why_no_function(hq_module module, const char *name);

/* --- check_math.c: functions of math --- */

hq_value math_comb(hq_checker *checker, const hq_node *node);
hq_value math_dist(hq_checker *checker, const hq_node *node);
hq_value math_fabs(hq_checker *checker, const hq_node *node);
hq_value math_factorial(hq_checker *checker, const hq_node *node);
hq_value math_frexp(hq_checker *checker, const hq_node *node);
hq_value math_fsum(hq_checker *checker, const hq_node *node);
hq_value math_gcd(hq_checker *checker, const hq_node *node);
hq_value math_hypot(hq_checker *checker, const hq_node *node);
hq_value math_isclose(hq_checker *checker, const hq_node *node);
hq_value math_isfinite(hq_checker *checker, const hq_node *node);
hq_value math_isinf(hq_checker *checker, const hq_node *node);
hq_value math_isnan(hq_checker *checker, const hq_node *node);
hq_value math_isqrt(hq_checker *checker, const hq_node *node);
hq_value math_lcm(hq_checker *checker, const hq_node *node);
hq_value math_ldexp(hq_checker *checker, const hq_node *node);
hq_value math_log(hq_checker *checker, const hq_node *node);
hq_value math_modf(hq_checker *checker, const hq_node *node);
hq_value math_perm(hq_checker *checker, const hq_node *node);

/* --- check_axis.c --- */

/* axis.Regular(…) and its kin; what it points to lives in the program's arena. */
hq_axis check_axis(hq_checker *checker, const hq_node *node);

/* --- check_hist.c --- */

/* name = Hist(…): true if the call is one, and then it is declared. */
bool check_declares_hist(hq_checker *checker, hq_symbol *symbol, const hq_node *call);
void check_fill(hq_checker *checker, const hq_node *call, uint32_t hist);

/* --- check_stmt.c --- */

void check_event_loop(hq_checker *checker, const hq_node *node);
void check_block(hq_checker *checker, const hq_node *node);
void check_statement(hq_checker *checker, const hq_node *node);
/* Assigns to a name, or part by part to several. */
void check_assign_to(hq_checker *checker, const hq_node *target, const hq_value *value);
void check_assign_symbol(hq_checker *checker, const hq_node *at, hq_symbol *symbol, const hq_value *value);
/* Calls found for every name that the statements assign to, once or more often. */
void check_assigned_names(const hq_node *node, void (*found)(void *data, const hq_node *name), void *data);

/* --- check_flow.c: which locals have a value --- */

hq_flow flow_copy(hq_checker *checker, const hq_flow *flow);
/* What holds on both ways into a point. */
void flow_merge(hq_checker *checker, hq_flow *into, const hq_flow *other);
void flow_assign(hq_checker *checker, hq_flow *flow, const hq_symbol *symbol);
void flow_forget(hq_flow *flow, const hq_symbol *symbol);
bool flow_has(const hq_flow *flow, const hq_symbol *symbol);

#endif
