/* query/parse.c - statements, and the tokens under the parser's hands. */
#include "query/parse.h"

#include <string.h>

static hq_node *parse_block(hq_parser *parser);

/* --- tokens --- */

void parser_step(hq_parser *parser)
{
    parser->token = parser->has_ahead ? parser->ahead : lexer_next(parser->lexer);
    parser->has_ahead = false;
}

const hq_token *parser_peek(hq_parser *parser)
{
    if (!parser->has_ahead)
        parser->ahead = lexer_next(parser->lexer);
    parser->has_ahead = true;
    return &parser->ahead;
}

bool parser_at(const hq_parser *parser, int op)
{
    return parser->token.kind == TOKEN_OPERATOR && parser->token.op == op;
}

bool parser_at_keyword(const hq_parser *parser, hq_keyword keyword)
{
    return parser->token.kind == TOKEN_KEYWORD && parser->token.word->keyword == keyword;
}

bool parser_take(hq_parser *parser, int op)
{
    if (!parser_at(parser, op))
        return false;
    parser_step(parser);
    return true;
}

bool parser_take_keyword(hq_parser *parser, hq_keyword keyword)
{
    if (!parser_at_keyword(parser, keyword))
        return false;
    parser_step(parser);
    return true;
}

void parser_unexpected(hq_parser *parser, const char *wanted)
{
    if (parser->token.kind == TOKEN_INDENT)
        source_fail(parser->source, parser->token.at,
                    "only what stands under a line that ends in ':' is indented deeper",
                    "this line is indented deeper than the one before it");
    char bracket;
    int line;
    const char *hint = NULL;
    if (lexer_open_bracket(parser->lexer, &bracket, &line) && line < parser->token.line)
        hint = source_format(parser->source, "the '%c' in line %d is still open", bracket, line);
    source_fail(parser->source, parser->token.at, hint, "%s where %s should stand",
                token_describe(parser->source, &parser->token), wanted);
}

void parser_expect(hq_parser *parser, int op, const char *where)
{
    if (parser_take(parser, op))
        return;
    char buffer[3];
    parser_unexpected(parser, source_format(parser->source, "'%s' %s", operator_text(op, buffer), where));
}

void parser_refuse_keyword(hq_parser *parser)
{
    static const struct {
        const char *word, *hint;
    } HINTS[] = {
        {"class", "a query can only compute and fill histograms"},
        {"try", "hq raises no exceptions: division by zero gives inf or nan"},
        {"except", "hq raises no exceptions: division by zero gives inf or nan"},
        {"finally", "hq raises no exceptions: division by zero gives inf or nan"},
        {"raise", "hq raises no exceptions; leave the event with continue"},
        {"assert", "hq raises no exceptions; leave the event with continue"},
        {"with", "a query reads and writes no files"},
        {"global", "an event may not change what the next one sees: that is what makes a query safe to split"},
        {"nonlocal", "an event may not change what the next one sees: that is what makes a query safe to split"},
        {"None", "start from a number, or keep a bool that says whether there is a value yet"},
        {"del", "a variable ends with its event"},
    };
    const char *word = parser->token.word->text;
    const char *hint = NULL;
    for (size_t i = 0; i < sizeof HINTS / sizeof *HINTS; i++)
        if (strcmp(word, HINTS[i].word) == 0)
            hint = HINTS[i].hint;
    source_fail(parser->source, parser->token.at, hint, "'%s' is not part of hq's query language", word);
}

/* --- nodes --- */

void parser_enter(hq_parser *parser)
{
    if (++parser->depth > MAX_DEPTH)
        source_limit(parser->source, parser->token.at, "this is nested more than %d deep", MAX_DEPTH);
}

void parser_leave(hq_parser *parser)
{
    parser->depth--;
}

hq_node *node_new(hq_parser *parser, hq_node_kind kind, const hq_token *token)
{
    if (++parser->node_count > MAX_NODES)
        source_limit(parser->source, token->at, "the query is too long: more than %d names, numbers and operators",
                     MAX_NODES);
    hq_node *node = arena_alloc(parser->source->arena, sizeof *node);
    node->kind = kind;
    node->at = token->at;
    node->line = token->line;
    return node;
}

void kids_add(hq_parser *parser, hq_kids *kids, hq_node *node)
{
    ARENA_GROW(parser->source->arena, kids->nodes, kids->count, kids->capacity);
    kids->nodes[kids->count++] = node;
}

void node_adopt(hq_parser *parser, hq_node *node, const hq_kids *kids)
{
    node->kids = kids->nodes;
    node->kid_count = kids->count;
    for (size_t i = 0; i < kids->count; i++)
        if (kids->nodes[i] && kids->nodes[i]->depth >= node->depth)
            node->depth = kids->nodes[i]->depth + 1;
    /* 1 + 1 + 1 + … nests to the left without any recursion of the parser's: whoever walks the tree does recurse. */
    if (node->depth > MAX_DEPTH)
        source_limit(parser->source, node->at, "this is nested more than %d deep; use variables for its parts",
                     MAX_DEPTH);
}

void node_adopt_some(hq_parser *parser, hq_node *node, size_t count, hq_node *const *some)
{
    hq_kids kids = {0};
    for (size_t i = 0; i < count; i++)
        kids_add(parser, &kids, some[i]);
    node_adopt(parser, node, &kids);
}

/* Statements do not count as depth of expressions: their nesting is bounded by the indentation's. */
static void adopt_statements(hq_node *node, const hq_kids *kids)
{
    node->kids = kids->nodes;
    node->kid_count = kids->count;
}

/* --- imports --- */

static const char *parse_module(hq_parser *parser)
{
    if (parser_at(parser, '.') || parser_at(parser, OP_ELLIPSIS))
        source_fail(parser->source, parser->token.at, NULL, "a query has no modules beside it to import from");
    const char *name = NULL;
    do {
        if (parser->token.kind != TOKEN_NAME)
            parser_unexpected(parser, "a module's name");
        name = name ? source_format(parser->source, "%.300s.%s", name, parser->token.word->text)
                    : parser->token.word->text;
        parser_step(parser);
    } while (parser_take(parser, '.'));
    return name;
}

static hq_word *parse_as(hq_parser *parser)
{
    if (!parser_take_keyword(parser, KEYWORD_AS))
        return NULL;
    if (parser->token.kind != TOKEN_NAME)
        parser_unexpected(parser, "a name after 'as'");
    hq_word *word = parser->token.word;
    parser_step(parser);
    return word;
}

static void parse_import(hq_parser *parser, hq_kids *statements)
{
    parser_step(parser);
    do {
        hq_node *node = node_new(parser, NODE_IMPORT, &parser->token);
        node->text = parse_module(parser);
        node->word = parse_as(parser);
        if (!node->word) {
            /* import a.b makes the name a known. */
            size_t length = strcspn(node->text, ".");
            node->word = lexer_word(parser->lexer, node->text, length);
            if (node->text[length])
                source_fail(parser->source, node->at, NULL, "import %.*s, and write %s where it is used", (int)length,
                            node->text, node->text);
        }
        kids_add(parser, statements, node);
    } while (parser_take(parser, ','));
}

static void parse_from(hq_parser *parser, hq_kids *statements)
{
    hq_node *node = node_new(parser, NODE_FROM, &parser->token);
    parser_step(parser);
    node->at = parser->token.at;
    node->text = parse_module(parser);
    if (!parser_take_keyword(parser, KEYWORD_IMPORT))
        parser_unexpected(parser, "'import'");
    if (parser_at(parser, '*'))
        source_fail(parser->source, parser->token.at, "name what you use: from math import sqrt, cos",
                    "'import *' is not part of hq's query language");
    bool is_bracketed = parser_take(parser, '(');
    hq_kids kids = {0};
    do {
        if (is_bracketed && kids.count && parser_at(parser, ')'))
            break;
        if (parser->token.kind != TOKEN_NAME)
            parser_unexpected(parser, "a name to import");
        hq_node *name = node_new(parser, NODE_NAME, &parser->token);
        name->text = parser->token.word->text;
        name->word = parser->token.word;
        parser_step(parser);
        hq_word *other = parse_as(parser);
        if (other)
            name->word = other;
        kids_add(parser, &kids, name);
    } while (parser_take(parser, ','));
    if (is_bracketed)
        parser_expect(parser, ')', "after the imported names");
    node_adopt(parser, node, &kids);
    kids_add(parser, statements, node);
}

/* --- statements --- */

static hq_node *parse_assignment(hq_parser *parser)
{
    hq_token start = parser->token;
    hq_node *first = parse_expressions(parser);
    hq_kids kids = {0};
    kids_add(parser, &kids, first);
    if (parser->token.kind == TOKEN_AUGMENTED) {
        hq_node *node = node_new(parser, NODE_AUGMENT, &parser->token);
        node->op = parser->token.op;
        if (node->op == '@')
            source_fail(parser->source, node->at, NULL, "the operator '@=' is not part of hq's query language");
        parser_step(parser);
        kids_add(parser, &kids, parse_expressions(parser));
        node_adopt(parser, node, &kids);
        return node;
    }
    if (parser_at(parser, ':'))
        source_fail(parser->source, parser->token.at, "leave the annotation out: hq finds the types by itself",
                    "annotations are not part of hq's query language");
    hq_node *node = node_new(parser, parser_at(parser, '=') ? NODE_ASSIGN : NODE_EXPRESSION, &start);
    while (parser_take(parser, '='))
        kids_add(parser, &kids, parse_expressions(parser));
    node_adopt(parser, node, &kids);
    return node;
}

static hq_node *parse_return(hq_parser *parser)
{
    hq_node *node = node_new(parser, NODE_RETURN, &parser->token);
    parser_step(parser);
    if (parser->token.kind == TOKEN_NEWLINE || parser_at(parser, ';'))
        return node;
    hq_node *value = parse_expressions(parser);
    node_adopt_some(parser, node, 1, &value);
    return node;
}

static void parse_small_statement(hq_parser *parser, hq_kids *statements)
{
    hq_token token = parser->token;
    hq_node_kind kind;
    switch (token.kind == TOKEN_KEYWORD ? token.word->keyword : KEYWORD_NONE) {
    case KEYWORD_IMPORT:
        parse_import(parser, statements);
        return;
    case KEYWORD_FROM:
        parse_from(parser, statements);
        return;
    case KEYWORD_BREAK:
        kind = NODE_BREAK;
        break;
    case KEYWORD_CONTINUE:
        kind = NODE_CONTINUE;
        break;
    case KEYWORD_PASS:
        kind = NODE_PASS;
        break;
    case KEYWORD_RETURN:
        kids_add(parser, statements, parse_return(parser));
        return;
    case KEYWORD_ELSE:
    case KEYWORD_ELIF:
        source_fail(parser->source, token.at, "it must be indented as deep as its if, for or while",
                    "'%s' belongs to nothing here", token.word->text);
    case KEYWORD_OTHER:
        if (strcmp(token.word->text, "None") != 0)
            parser_refuse_keyword(parser);
        kids_add(parser, statements, parse_assignment(parser));
        return;
    default:
        kids_add(parser, statements, parse_assignment(parser));
        return;
    }
    kids_add(parser, statements, node_new(parser, kind, &token));
    parser_step(parser);
}

/* Small statements up to the end of the line. */
static void parse_line(hq_parser *parser, hq_kids *statements)
{
    do {
        parse_small_statement(parser, statements);
    } while (parser_take(parser, ';') && parser->token.kind != TOKEN_NEWLINE);
    if (parser->token.kind != TOKEN_NEWLINE) {
        if (parser->token.kind == TOKEN_OPERATOR || parser->token.kind == TOKEN_AUGMENTED)
            parser_unexpected(parser, "the end of the statement");
        source_fail(parser->source, parser->token.at, NULL, "%s where the end of the statement should stand",
                    token_describe(parser->source, &parser->token));
    }
    parser_step(parser);
}

static hq_node *parse_if(hq_parser *parser)
{
    hq_node *node = node_new(parser, NODE_IF, &parser->token);
    hq_kids kids = {0};
    do {
        if (kids.count >= 2 * MAX_DEPTH)
            source_limit(parser->source, parser->token.at, "more than %d branches", MAX_DEPTH);
        parser_step(parser);
        kids_add(parser, &kids, parse_expression(parser));
        kids_add(parser, &kids, parse_block(parser));
    } while (parser_at_keyword(parser, KEYWORD_ELIF));
    if (parser_take_keyword(parser, KEYWORD_ELSE))
        kids_add(parser, &kids, parse_block(parser));
    adopt_statements(node, &kids);
    return node;
}

static hq_node *parse_loop(hq_parser *parser)
{
    bool is_for = parser_at_keyword(parser, KEYWORD_FOR);
    hq_node *node = node_new(parser, is_for ? NODE_FOR : NODE_WHILE, &parser->token);
    hq_kids kids = {0};
    parser_step(parser);
    if (is_for) {
        kids_add(parser, &kids, parse_targets(parser));
        if (!parser_take_keyword(parser, KEYWORD_IN))
            parser_unexpected(parser, "'in'");
        kids_add(parser, &kids, parse_expressions(parser));
    } else {
        kids_add(parser, &kids, parse_expression(parser));
    }
    kids_add(parser, &kids, parse_block(parser));
    kids_add(parser, &kids, parser_take_keyword(parser, KEYWORD_ELSE) ? parse_block(parser) : NULL);
    adopt_statements(node, &kids);
    return node;
}

static hq_node *parse_def(hq_parser *parser)
{
    hq_node *node = node_new(parser, NODE_DEF, &parser->token);
    parser_step(parser);
    if (parser->token.kind != TOKEN_NAME)
        parser_unexpected(parser, "the function's name");
    node->at = parser->token.at;
    node->word = parser->token.word;
    parser_step(parser);
    parser_expect(parser, '(', "after the function's name");
    hq_kids kids = {0};
    parse_parameters(parser, ')', &kids);
    parser_expect(parser, ')', "after the function's arguments");
    if (parser_at(parser, OP_ARROW))
        source_fail(parser->source, parser->token.at, "leave the annotation out: hq finds the types by itself",
                    "annotations are not part of hq's query language");
    kids_add(parser, &kids, parse_block(parser));
    adopt_statements(node, &kids);
    return node;
}

static void parse_statement(hq_parser *parser, hq_kids *statements)
{
    if (parser_at_keyword(parser, KEYWORD_IF)) {
        kids_add(parser, statements, parse_if(parser));
    } else if (parser_at_keyword(parser, KEYWORD_FOR) || parser_at_keyword(parser, KEYWORD_WHILE)) {
        kids_add(parser, statements, parse_loop(parser));
    } else if (parser_at_keyword(parser, KEYWORD_DEF)) {
        kids_add(parser, statements, parse_def(parser));
    } else if (parser_at(parser, '@')) {
        source_fail(parser->source, parser->token.at, NULL, "decorators are not part of hq's query language");
    } else {
        parse_line(parser, statements);
    }
}

/* ':' and what stands under it, or behind it on the same line. */
static hq_node *parse_block(hq_parser *parser)
{
    if (parser_at(parser, '='))
        source_fail(parser->source, parser->token.at, "compare with ==", "'=' assigns; it is no comparison");
    if (parser->token.kind == TOKEN_NEWLINE)
        source_fail(parser->source, parser->token.at, NULL, "':' is missing at the end of this line");
    parser_expect(parser, ':', "before the block");
    hq_node *node = node_new(parser, NODE_BLOCK, &parser->token);
    hq_kids kids = {0};
    if (parser->token.kind != TOKEN_NEWLINE) {
        if (parser_at_keyword(parser, KEYWORD_IF) || parser_at_keyword(parser, KEYWORD_FOR) ||
            parser_at_keyword(parser, KEYWORD_WHILE) || parser_at_keyword(parser, KEYWORD_DEF))
            source_fail(parser->source, parser->token.at, "put it on a line of its own, indented deeper",
                        "'%s' cannot follow ':' on the same line", parser->token.word->text);
        parse_line(parser, &kids);
    } else {
        parser_step(parser);
        if (parser->token.kind != TOKEN_INDENT)
            source_fail(parser->source, parser->token.at, "indent what belongs to it, or write pass",
                        "nothing stands under the line that ends in ':'");
        parser_step(parser);
        parser_enter(parser);
        while (parser->token.kind != TOKEN_DEDENT)
            parse_statement(parser, &kids);
        parser_leave(parser);
        parser_step(parser);
    }
    adopt_statements(node, &kids);
    return node;
}

hq_node *tree_parse(hq_source *source)
{
    hq_parser *parser = arena_alloc(source->arena, sizeof *parser);
    parser->source = source;
    parser->lexer = lexer_new(source);
    parser_step(parser);
    hq_node *node = node_new(parser, NODE_BLOCK, &parser->token);
    hq_kids kids = {0};
    while (parser->token.kind != TOKEN_END)
        parse_statement(parser, &kids);
    adopt_statements(node, &kids);
    return node;
}
