/* query/parse.h - what the two halves of the parser, expressions and statements, share. Private to them. */
#ifndef HQ_QUERY_PARSE_H
#define HQ_QUERY_PARSE_H

#include "query/tree.h"

typedef struct hq_parser {
    hq_source *source;
    hq_lexer *lexer;
    hq_token token; /* the one to look at */
    hq_token ahead; /* the one after it, if has_ahead */
    bool has_ahead;
    unsigned depth; /* of the recursion */
    size_t node_count;
} hq_parser;

void parser_step(hq_parser *parser);
const hq_token *parser_peek(hq_parser *parser);
bool parser_at(const hq_parser *parser, int op); /* at this operator? */
bool parser_at_keyword(const hq_parser *parser, hq_keyword keyword);
bool parser_take(hq_parser *parser, int op); /* steps over it if it is there */
bool parser_take_keyword(hq_parser *parser, hq_keyword keyword);
void parser_expect(hq_parser *parser, int op, const char *where);
_Noreturn void parser_unexpected(hq_parser *parser, const char *wanted);
/* Refuses a Python keyword that is not part of the language, by name. */
_Noreturn void parser_refuse_keyword(hq_parser *parser);

hq_node *node_new(hq_parser *parser, hq_node_kind kind, const hq_token *token);
void kids_add(hq_parser *parser, hq_kids *kids, hq_node *node);
/* Gives the list to the node and sets the node's depth. */
void node_adopt(hq_parser *parser, hq_node *node, const hq_kids *kids);
void node_adopt_some(hq_parser *parser, hq_node *node, size_t count, hq_node *const *kids);
void parser_enter(hq_parser *parser);
void parser_leave(hq_parser *parser);

hq_node *parse_expression(hq_parser *parser);
/* One expression, or several with commas as a tuple. */
hq_node *parse_expressions(hq_parser *parser);
/* What may stand between for and in: names, in brackets or not. */
hq_node *parse_targets(hq_parser *parser);
/* Names, each perhaps with a default, up to the token given, which stays. */
void parse_parameters(hq_parser *parser, int end, hq_kids *kids);

#endif
