/* query/token.h - a query's text as tokens, by Python's rules: indentation becomes INDENT and DEDENT, line ends inside
 * brackets, after a backslash, in comments and on blank lines vanish, neighbouring strings are joined.
 */
#ifndef HQ_QUERY_TOKEN_H
#define HQ_QUERY_TOKEN_H

#include "query/source.h"

typedef enum hq_token_kind {
    TOKEN_END,
    TOKEN_NEWLINE,
    TOKEN_INDENT,
    TOKEN_DEDENT,
    TOKEN_NAME,
    TOKEN_KEYWORD,
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_STRING,
    TOKEN_OPERATOR, /* op: the character itself, or one of hq_operator */
    TOKEN_AUGMENTED /* +=, -= …; op: the operator before the = */
} hq_token_kind;

typedef enum hq_operator {
    OP_POWER = 256,
    OP_FLOOR_DIVIDE,
    OP_SHIFT_LEFT,
    OP_SHIFT_RIGHT,
    OP_LESS_EQUAL,
    OP_GREATER_EQUAL,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_ARROW,
    OP_WALRUS,
    OP_ELLIPSIS,
    OP_IN, /* these two are made by the parser, of keywords */
    OP_NOT_IN
} hq_operator;

typedef enum hq_keyword {
    KEYWORD_NONE,
    KEYWORD_AND,
    KEYWORD_BREAK,
    KEYWORD_CONTINUE,
    KEYWORD_DEF,
    KEYWORD_ELIF,
    KEYWORD_ELSE,
    KEYWORD_FALSE,
    KEYWORD_FOR,
    KEYWORD_FROM,
    KEYWORD_IF,
    KEYWORD_IMPORT,
    KEYWORD_IN,
    KEYWORD_IS,
    KEYWORD_LAMBDA,
    KEYWORD_NOT,
    KEYWORD_OR,
    KEYWORD_AS,
    KEYWORD_PASS,
    KEYWORD_RETURN,
    KEYWORD_TRUE,
    KEYWORD_WHILE,
    KEYWORD_OTHER /* a keyword of Python that hq's language has no use for */
} hq_keyword;

/* A name, one for each spelling: names are equal if their pointers are. */
typedef struct hq_word {
    const char *text;
    hq_keyword keyword;
    struct hq_symbol *symbol; /* what the checker knows of it, or NULL */
    struct hq_word *next;     /* in its bucket */
} hq_word;

typedef struct hq_token {
    hq_token_kind kind;
    int op;
    uint32_t at; /* byte offset of its first character */
    int line;
    hq_word *word;    /* NAME, KEYWORD */
    int64_t integer;  /* INT */
    bool is_past_max; /* INT: it was 2**63, which only a minus before it makes fit */
    double number;    /* FLOAT */
    const char *text; /* STRING, decoded */
} hq_token;

typedef struct hq_lexer hq_lexer;

/* Checks that the text is UTF-8 without zeros. Lives in the source's arena. */
hq_lexer *lexer_new(hq_source *source);
hq_token lexer_next(hq_lexer *lexer);
/* The innermost bracket that is open: true, and which and where. */
bool lexer_open_bracket(const hq_lexer *lexer, char *bracket_r, int *line_r);
hq_word *lexer_word(hq_lexer *lexer, const char *text, size_t length);

/* "'x'", "end of the line", "'+='": a token as a message names it. */
const char *token_describe(hq_source *source, const hq_token *token);
const char *operator_text(int op, char buffer[3]);

#endif
