/* query/tree.h - the syntax tree of a query, and the parser that makes it.
 *
 * The parser knows Python's grammar well enough to name what hq's language leaves out. It knows nothing of types or
 * columns. Every node is bounded in depth and number, so that whoever walks the tree may recurse.
 */
#ifndef HQ_QUERY_TREE_H
#define HQ_QUERY_TREE_H

#include "query/source.h"
#include "query/token.h"

typedef enum hq_node_kind {
    /* expressions */
    NODE_INT,     /* integer */
    NODE_FLOAT,   /* number */
    NODE_BOOL,    /* integer, 0 or 1 */
    NODE_STRING,  /* text */
    NODE_NAME,    /* word */
    NODE_ATTR,    /* kids[0] . word */
    NODE_INDEX,   /* kids[0] [ kids[1] ] */
    NODE_SLICE,   /* start : stop : step; each may be NULL; only as kids[1] of an index */
    NODE_CALL,    /* kids[0] is called, the rest are its arguments */
    NODE_KEYWORD, /* word = kids[0]; only as an argument */
    NODE_STAR,    /* * kids[0]; only as an argument */
    NODE_VALUE,   /* made by the checker: a value in the place of an argument */
    NODE_UNARY,   /* op; '+', '-' or '~' */
    NODE_NOT,
    NODE_BINARY,  /* op */
    NODE_COMPARE, /* kids[0] ops[0] kids[1] ops[1] kids[2] … */
    NODE_AND,     /* two or more */
    NODE_OR,
    NODE_COND, /* kids: condition, then, else */
    NODE_TUPLE,
    NODE_LIST,   /* [a, b, …] */
    NODE_COMP,   /* op: '[' or '('; kids: the element, then NODE_CLAUSEs */
    NODE_CLAUSE, /* kids: target, sequence, conditions …; only in NODE_COMP */
    NODE_LAMBDA, /* kids: NODE_NAMEs, and the expression as the last */
    /* statements */
    NODE_BLOCK,
    NODE_ASSIGN,  /* kids: targets …, value (a = b = 1 has two targets) */
    NODE_AUGMENT, /* op; kids: target, value */
    NODE_EXPRESSION,
    NODE_IF,    /* kids: condition, block, condition, block …, and one more block if there is an else */
    NODE_FOR,   /* kids: target, sequence, block, else block or NULL */
    NODE_WHILE, /* kids: condition, block, else block or NULL */
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_PASS,
    NODE_DEF,       /* word; kids: NODE_PARAMETERs, and the block as the last */
    NODE_PARAMETER, /* word; kids: none, or the default */
    NODE_RETURN,    /* kids: none, or the value */
    NODE_IMPORT,    /* text: the module's dotted name; word: what it is known as */
    NODE_FROM       /* text: the module's dotted name; kids: NODE_NAME (word: its name here, text: its name there) */
} hq_node_kind;

typedef struct hq_node {
    hq_node_kind kind;
    int op;
    uint32_t at;
    int line;
    unsigned depth; /* of the expression below it */
    size_t kid_count;
    struct hq_node **kids;
    hq_word *word;
    const char *text;
    int *ops;
    const struct hq_value *made; /* NODE_VALUE */
    union {
        int64_t integer;
        double number;
    } value;
} hq_node;

/* A growing list of kids. */
typedef struct hq_kids {
    hq_node **nodes;
    size_t count, capacity;
} hq_kids;

/* The whole text as a block; does not return if it is no query. */
hq_node *tree_parse(hq_source *source);

#endif
