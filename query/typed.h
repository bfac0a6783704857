/* query/typed.h - the typed program: what the checker makes of the syntax tree and the code generator of it machine
 * code.
 *
 * Only three types are left, bool, int64 and float64: a record is the position of its values in the collection's
 * columns, a sequence is its first position and the one after its last, both int64, and the checker has worked them
 * into plain arithmetic. Variables are slots; each has one type. Expressions are pure: whatever can fail (an index out
 * of range) or loop is a statement that leaves its outcome in a slot.
 */
#ifndef HQ_QUERY_TYPED_H
#define HQ_QUERY_TYPED_H

#include "query/arena.h"
#include "query/mathlib.h"
#include "query/program.h"

enum {
    /* Part of every fingerprint. To be raised when the same text comes to mean something else. */
    HQ_LANGUAGE_VERSION = 2
};

typedef enum hq_expr_op {
    EXPR_CONST, /* of its type: integer (bool, int) or number (float) */
    EXPR_SLOT,  /* index: the slot */
    EXPR_FLAT,  /* index: the column; its value in this entry, widened */
    EXPR_LOAD,  /* index: the column; a: the position */
    EXPR_BEGIN, /* index: the group; position of the first value in this entry */
    EXPR_END,   /* index: the group; position after the last */
    EXPR_WORD,  /* a: which word of the event's memory */
    /* a and b have one type, which is also the result's */
    EXPR_ADD,
    EXPR_SUBTRACT,
    EXPR_MULTIPLY,
    EXPR_DIVIDE, /* float only */
    EXPR_FLOOR_DIVIDE,
    EXPR_MODULO,
    EXPR_POWER, /* int: b is not negative */
    EXPR_MIN,   /* b if b < a, else a, as Python's min(a, b) */
    EXPR_MAX,   /* b if b > a, else a */
    /* int or bool only */
    EXPR_BIT_AND,
    EXPR_BIT_OR,
    EXPR_BIT_XOR,
    /* int only */
    EXPR_SHIFT_LEFT,
    EXPR_SHIFT_RIGHT,
    EXPR_INVERT,
    /* one operand, of the result's type */
    EXPR_NEGATE,
    EXPR_ABS,
    /* comparisons: a and b have one type, the result is a bool */
    EXPR_LESS,
    EXPR_LESS_EQUAL,
    EXPR_GREATER,
    EXPR_GREATER_EQUAL,
    EXPR_EQUAL,
    EXPR_NOT_EQUAL,
    EXPR_NOT,
    EXPR_AND, /* bools; b is evaluated only if it matters */
    EXPR_OR,
    EXPR_COND,     /* a ? b : c */
    EXPR_TO_BOOL,  /* is not zero */
    EXPR_TO_INT,   /* bool to int; float to int towards zero, at the ends of int64 if beyond, 0 for nan */
    EXPR_TO_FLOAT, /* bool or int to float */
    EXPR_CALL      /* index: a function of mathlib.h, of a and b, which have its type as the result has */
} hq_expr_op;

typedef struct hq_expr {
    uint8_t op;   /* hq_expr_op */
    uint8_t type; /* hq_scalar */
    uint32_t index;
    union {
        int64_t integer;
        double number;
    } value;
    const struct hq_expr *a, *b, *c;
} hq_expr;

typedef enum hq_stmt_op {
    STMT_SET,    /* slot = a */
    STMT_INDEX,  /* slot = the position of element c of the sequence a up to b, or a fault */
    STMT_DEMAND, /* a fault unless a */
    STMT_IF,     /* a; body; other */
    STMT_FOR, /* slot runs from a up to b, in steps of 1; body; other after the last; index: 1 if b may be any number */
    STMT_RANGE,    /* slot runs from a towards b in steps of c, not 0; body; other after the last */
    STMT_WHILE,    /* head, then a is asked; body; other when a is false */
    STMT_ONCE,     /* body, which STMT_BREAK can leave as if it were a loop */
    STMT_BREAK,    /* of the loop it stands in, if slot is 0, else of the slot-th round that */
    STMT_CONTINUE, /* likewise; outside any loop: the entry is done */
    STMT_ROOM,     /* slot = the first of a times c words of the event's memory, or a fault; b words, if it is not
                    * NULL, are copied there from where slot was */
    STMT_STORE,    /* word a of the event's memory = b */
    STMT_SORT,     /* the b elements from word a on, stably; slot: hq_sort_spec; c: their keys; or a fault */
    STMT_KERNEL,   /* slot, a float = function index of exact.h, of the event's memory from word a on and the float b */
    STMT_FILL      /* index: the histogram; fill: a value for each axis; a: the weight or NULL; b: the sample or NULL */
} hq_stmt_op;

/* How STMT_SORT sorts: the words of each element times SORT_WIDTH, and what else is so. The first words are the keys:
 * the first two that differ decide. A constant tells how many there are and what each is, the first one in the low
 * bits. */
enum {
    SORT_REVERSE = 1, /* the greatest first */
    SORT_DROP = 2,    /* the keys are left out afterwards, and the elements stand close together */
    SORT_WIDTH = 4,
    SORT_KEY_BITS = 2, /* in the constant, for each key: */
    SORT_INT = 1,
    SORT_FLOAT = 2
};

typedef struct hq_block {
    struct hq_stmt *first;
    struct hq_stmt *last;
} hq_block;

typedef struct hq_stmt {
    uint8_t op; /* hq_stmt_op */
    uint32_t slot;
    uint32_t index; /* STMT_INDEX, STMT_DEMAND, STMT_ROOM, STMT_SORT: the fault */
    const hq_expr *a, *b, *c;
    const hq_expr *fill[HQ_MAX_AXES];
    hq_block *head, *body, *other;
    struct hq_stmt *next;
} hq_stmt;

/* Columns whose values are counted by one list of offsets. */
typedef struct hq_group {
    const char *collection; /* NULL for a column that stands alone */
    uint32_t column;        /* the one whose offsets are read */
} hq_group;

/* A place in the text where a run can fail. */
typedef struct hq_fault {
    int line;
    const char *text; /* "event.Muon" for an index; the whole reason for a demand */
} hq_fault;

typedef struct hq_declared {
    const char *name;
    hq_axis axes[HQ_MAX_AXES];
    size_t axis_count;
    hq_storage storage;
    bool refuses_weight; /* declared with storage.Int64() */
} hq_declared;

struct hq_program {
    hq_arena *arena; /* holds all that follows */
    hq_schema *columns;
    uint32_t *column_groups; /* for a jagged column, its group */
    size_t column_group_capacity;
    hq_group *groups;
    size_t group_count, group_capacity;
    hq_declared *hists;
    size_t hist_count, hist_capacity;
    uint8_t *slots; /* the hq_scalar of each */
    size_t slot_count, slot_capacity;
    hq_fault *faults;
    size_t fault_count, fault_capacity;
    size_t code_count, loop_count; /* statements and operations; loops and lists */
    size_t nest_depth;             /* loops in loops, and bodies of functions in them: as deep as it gets */
    bool has_memory;               /* a list is kept in some event */
    hq_block body;
    hq_hash fingerprint;
};

hq_program *typed_new(void);

/* Hashes the typed program, see program_fingerprint. */
hq_hash typed_fingerprint(const hq_program *program);

#endif
