/* query/parse_expr.c - expressions, by precedence climbing. */
#include "query/parse.h"

#include <string.h>

static hq_node *parse_unary(hq_parser *parser);
static hq_node *parse_chain(hq_parser *parser, hq_keyword keyword, hq_node_kind kind);
static hq_node *finish_tuple(hq_parser *parser, hq_node *first, hq_node *(*parse_one)(hq_parser *));
static hq_node *parse_expression_or_star(hq_parser *parser);

/* How tightly a binary operator binds; 0 if op is none. */
static int precedence_of(const hq_token *token)
{
    if (token->kind != TOKEN_OPERATOR)
        return 0;
    switch (token->op) {
    case '|':
        return 1;
    case '^':
        return 2;
    case '&':
        return 3;
    case OP_SHIFT_LEFT:
    case OP_SHIFT_RIGHT:
        return 4;
    case '+':
    case '-':
        return 5;
    case '*':
    case '/':
    case '%':
    case '@':
    case OP_FLOOR_DIVIDE:
        return 6;
    default:
        return 0;
    }
}

static bool is_comparison(const hq_token *token)
{
    if (token->kind == TOKEN_KEYWORD)
        return token->word->keyword == KEYWORD_IN || token->word->keyword == KEYWORD_IS ||
               token->word->keyword == KEYWORD_NOT;
    return token->kind == TOKEN_OPERATOR &&
           (token->op == '<' || token->op == '>' || token->op == OP_LESS_EQUAL || token->op == OP_GREATER_EQUAL ||
            token->op == OP_EQUAL || token->op == OP_NOT_EQUAL);
}

/* One string, or several side by side, which are one. */
static hq_node *parse_string(hq_parser *parser)
{
    enum { LONGEST = 4096 };
    hq_node *node = node_new(parser, NODE_STRING, &parser->token);
    node->text = parser->token.text;
    parser_step(parser);
    if (parser->token.kind != TOKEN_STRING)
        return node;
    char *joined = arena_alloc(parser->source->arena, LONGEST + 1);
    size_t used = 0;
    for (const char *piece = node->text; piece;) {
        size_t length = strlen(piece);
        if (length > LONGEST - used)
            source_limit(parser->source, node->at, "strings side by side of more than %d bytes", LONGEST);
        memcpy(joined + used, piece, length + 1);
        used += length;
        piece = parser->token.kind == TOKEN_STRING ? parser->token.text : NULL;
        if (piece)
            parser_step(parser);
    }
    node->text = joined;
    return node;
}

/* What follows the element of a comprehension: for … in … if …, and so on. */
static hq_node *parse_comprehension(hq_parser *parser, hq_node *element, int bracket)
{
    hq_node *node = node_new(parser, NODE_COMP, &parser->token);
    node->op = bracket;
    node->at = element->at;
    hq_kids clauses = {0};
    kids_add(parser, &clauses, element);
    parser_enter(parser);
    while (parser_at_keyword(parser, KEYWORD_FOR)) {
        hq_node *clause = node_new(parser, NODE_CLAUSE, &parser->token);
        hq_kids kids = {0};
        parser_step(parser);
        kids_add(parser, &kids, parse_targets(parser));
        if (!parser_take_keyword(parser, KEYWORD_IN))
            parser_unexpected(parser, "'in'");
        kids_add(parser, &kids, parse_chain(parser, KEYWORD_OR, NODE_OR));
        while (parser_take_keyword(parser, KEYWORD_IF))
            kids_add(parser, &kids, parse_chain(parser, KEYWORD_OR, NODE_OR));
        node_adopt(parser, clause, &kids);
        kids_add(parser, &clauses, clause);
    }
    parser_leave(parser);
    node_adopt(parser, node, &clauses);
    return node;
}

static _Noreturn void refuse_open_tuple(hq_parser *parser, const hq_node *first)
{
    source_fail(parser->source, first->at, "((a, b) for …)",
                "a tuple before the 'for' of a comprehension needs brackets of its own");
}

/* ( … ): an expression in brackets, a tuple, or a generator expression. */
static hq_node *parse_parenthesis(hq_parser *parser)
{
    hq_token opening = parser->token;
    parser_step(parser);
    if (parser_take(parser, ')'))
        return node_new(parser, NODE_TUPLE, &opening);
    hq_node *inner = parse_expression_or_star(parser);
    bool has_comma = parser_at(parser, ',');
    if (has_comma)
        inner = finish_tuple(parser, inner, parse_expression);
    if (parser_at_keyword(parser, KEYWORD_FOR)) {
        if (has_comma)
            refuse_open_tuple(parser, inner);
        inner = parse_comprehension(parser, inner, '(');
    }
    parser_expect(parser, ')', "after this expression");
    return inner;
}

/* [ … ]: a list, or a list comprehension. */
static hq_node *parse_list(hq_parser *parser)
{
    hq_node *node = node_new(parser, NODE_LIST, &parser->token);
    hq_kids kids = {0};
    parser_step(parser);
    while (!parser_at(parser, ']')) {
        hq_node *element = parse_expression(parser);
        if (!kids.count && parser_at_keyword(parser, KEYWORD_FOR)) {
            node = parse_comprehension(parser, element, '[');
            parser_expect(parser, ']', "after this comprehension");
            return node;
        }
        kids_add(parser, &kids, element);
        if (parser_at_keyword(parser, KEYWORD_FOR))
            refuse_open_tuple(parser, kids.nodes[0]);
        if (!parser_take(parser, ','))
            break;
    }
    parser_expect(parser, ']', "after the list");
    node_adopt(parser, node, &kids);
    return node;
}

void parse_parameters(hq_parser *parser, int end, hq_kids *kids)
{
    while (!parser_at(parser, end)) {
        if (parser_at(parser, '*') || parser_at(parser, OP_POWER) || parser_at(parser, '/'))
            source_fail(parser->source, parser->token.at, "name every argument",
                        "'%s' among the arguments is not part of hq's query language",
                        parser_at(parser, OP_POWER) ? "**"
                        : parser_at(parser, '*')    ? "*"
                                                    : "/");
        if (parser->token.kind != TOKEN_NAME)
            parser_unexpected(parser, "an argument's name");
        hq_node *node = node_new(parser, NODE_PARAMETER, &parser->token);
        node->word = parser->token.word;
        parser_step(parser);
        if (end == ')' && parser_at(parser, ':'))
            source_fail(parser->source, parser->token.at, "leave the annotation out: hq finds the types by itself",
                        "annotations are not part of hq's query language");
        if (parser_take(parser, '=')) {
            hq_node *value = parse_expression(parser);
            node_adopt_some(parser, node, 1, &value);
        } else if (kids->count && kids->nodes[kids->count - 1]->kid_count) {
            source_fail(parser->source, node->at, NULL, "an argument without a default after one with a default");
        }
        kids_add(parser, kids, node);
        if (!parser_take(parser, ','))
            break;
    }
}

static hq_node *parse_lambda(hq_parser *parser)
{
    hq_node *node = node_new(parser, NODE_LAMBDA, &parser->token);
    hq_kids kids = {0};
    parser_step(parser);
    parse_parameters(parser, ':', &kids);
    parser_expect(parser, ':', "after the lambda's arguments");
    kids_add(parser, &kids, parse_expression(parser));
    node_adopt(parser, node, &kids);
    return node;
}

static _Noreturn void refuse_display(hq_parser *parser)
{
    source_fail(parser->source, parser->token.at, "keep the numbers in variables of their own, or in a list",
                "dictionaries and sets are not part of hq's query language");
}

static hq_node *parse_atom(hq_parser *parser)
{
    hq_token token = parser->token;
    hq_node *node;
    switch (token.kind) {
    case TOKEN_INT:
        if (token.is_past_max)
            source_fail(parser->source, token.at, "write it as a float, with a point or an exponent: 1e20",
                        "this integer does not fit into 64 bits");
        node = node_new(parser, NODE_INT, &token);
        node->value.integer = token.integer;
        break;
    case TOKEN_FLOAT:
        node = node_new(parser, NODE_FLOAT, &token);
        node->value.number = token.number;
        break;
    case TOKEN_STRING:
        return parse_string(parser);
    case TOKEN_NAME:
        node = node_new(parser, NODE_NAME, &token);
        node->word = token.word;
        break;
    case TOKEN_KEYWORD:
        if (token.word->keyword != KEYWORD_TRUE && token.word->keyword != KEYWORD_FALSE) {
            if (token.word->keyword == KEYWORD_OTHER)
                parser_refuse_keyword(parser);
            parser_unexpected(parser, "an expression");
        }
        node = node_new(parser, NODE_BOOL, &token);
        node->value.integer = token.word->keyword == KEYWORD_TRUE;
        break;
    default:
        if (parser_at(parser, '('))
            return parse_parenthesis(parser);
        if (parser_at(parser, '['))
            return parse_list(parser);
        if (parser_at(parser, '{'))
            refuse_display(parser);
        if (parser_at(parser, OP_ELLIPSIS))
            source_fail(parser->source, token.at, NULL, "'...' is not part of hq's query language");
        parser_unexpected(parser, "an expression");
    }
    parser_step(parser);
    return node;
}

static _Noreturn void refuse_bare_generator(hq_parser *parser)
{
    source_fail(parser->source, parser->token.at, "put it into brackets of its own",
                "a generator expression beside other arguments");
}

static hq_node *parse_argument(hq_parser *parser, bool is_first)
{
    if (parser_at(parser, OP_POWER))
        source_fail(parser->source, parser->token.at, "write the arguments out",
                    "unpacking a dictionary into arguments is not part of hq's query language");
    if (parser_at(parser, '*')) {
        hq_node *star = node_new(parser, NODE_STAR, &parser->token);
        parser_step(parser);
        hq_node *tuple = parse_expression(parser);
        node_adopt_some(parser, star, 1, &tuple);
        return star;
    }
    const hq_token *next = parser_peek(parser);
    if (parser->token.kind == TOKEN_NAME && next->kind == TOKEN_OPERATOR && next->op == '=') {
        hq_node *node = node_new(parser, NODE_KEYWORD, &parser->token);
        node->word = parser->token.word;
        parser_step(parser);
        parser_step(parser);
        hq_node *value = parse_expression(parser);
        node_adopt_some(parser, node, 1, &value);
        return node;
    }
    hq_node *value = parse_expression(parser);
    if (!parser_at_keyword(parser, KEYWORD_FOR))
        return value;
    if (!is_first)
        refuse_bare_generator(parser);
    value = parse_comprehension(parser, value, '(');
    if (parser_at(parser, ','))
        refuse_bare_generator(parser);
    return value;
}

static hq_node *parse_call(hq_parser *parser, hq_node *callee)
{
    hq_node *node = node_new(parser, NODE_CALL, &parser->token);
    node->at = callee->at;
    hq_kids kids = {0};
    kids_add(parser, &kids, callee);
    parser_step(parser);
    bool has_keyword = false;
    while (!parser_at(parser, ')')) {
        hq_node *argument = parse_argument(parser, kids.count == 1);
        if (has_keyword && argument->kind != NODE_KEYWORD)
            source_fail(parser->source, argument->at, NULL, "an argument without a name after one with a name");
        has_keyword = has_keyword || argument->kind == NODE_KEYWORD;
        kids_add(parser, &kids, argument);
        if (!parser_take(parser, ','))
            break;
    }
    parser_expect(parser, ')', "after the arguments");
    node_adopt(parser, node, &kids);
    return node;
}

/* None for a bound of a slice is no bound. */
static bool is_open_bound(hq_parser *parser, bool is_slice)
{
    if (parser->token.kind != TOKEN_KEYWORD || strcmp(parser->token.word->text, "None") != 0)
        return false;
    const hq_token *next = parser_peek(parser);
    return next->kind == TOKEN_OPERATOR && (next->op == ':' || (next->op == ']' && is_slice));
}

static hq_node *parse_subscript(hq_parser *parser, hq_node *whole)
{
    hq_node *node = node_new(parser, NODE_INDEX, &parser->token);
    hq_token opening = parser->token;
    parser_step(parser);
    hq_node *parts[3] = {NULL, NULL, NULL};
    size_t part = 0;
    bool is_slice = false;
    while (!parser_at(parser, ']')) {
        if (parser_take(parser, ':')) {
            is_slice = true;
            if (++part > 2)
                parser_unexpected(parser, "']'");
        } else if (parts[part] || parser_at(parser, ',')) {
            if (parser_at(parser, ','))
                source_fail(parser->source, parser->token.at, NULL,
                            "an index of several parts is not part of hq's query language");
            parser_unexpected(parser, "']'");
        } else if (is_open_bound(parser, is_slice)) {
            parser_step(parser);
        } else {
            parts[part] = parse_expression(parser);
        }
    }
    if (!is_slice && !parts[0])
        parser_unexpected(parser, "an index");
    parser_step(parser);
    hq_node *inner = parts[0];
    if (is_slice) {
        inner = node_new(parser, NODE_SLICE, &opening);
        node_adopt_some(parser, inner, 3, parts);
    }
    hq_node *kids[2] = {whole, inner};
    node_adopt_some(parser, node, 2, kids);
    node->at = whole->at;
    return node;
}

static hq_node *parse_primary(hq_parser *parser)
{
    hq_node *node = parse_atom(parser);
    for (;;) {
        if (parser_at(parser, '.')) {
            parser_step(parser);
            if (parser->token.kind != TOKEN_NAME)
                parser_unexpected(parser, "a name after '.'");
            hq_node *attribute = node_new(parser, NODE_ATTR, &parser->token);
            attribute->word = parser->token.word;
            node_adopt_some(parser, attribute, 1, &node);
            parser_step(parser);
            node = attribute;
        } else if (parser_at(parser, '(')) {
            node = parse_call(parser, node);
        } else if (parser_at(parser, '[')) {
            node = parse_subscript(parser, node);
        } else {
            return node;
        }
    }
}

static hq_node *parse_power(hq_parser *parser)
{
    hq_node *base = parse_primary(parser);
    if (!parser_at(parser, OP_POWER))
        return base;
    hq_node *node = node_new(parser, NODE_BINARY, &parser->token);
    node->op = OP_POWER;
    parser_step(parser);
    parser_enter(parser);
    hq_node *kids[2] = {base, parse_unary(parser)};
    parser_leave(parser);
    node_adopt_some(parser, node, 2, kids);
    return node;
}

static hq_node *parse_unary(hq_parser *parser)
{
    if (!parser_at(parser, '-') && !parser_at(parser, '+') && !parser_at(parser, '~'))
        return parse_power(parser);
    hq_token token = parser->token;
    parser_step(parser);
    /* -2**63 is the one number that exists with its minus only; the power binds tighter, so look past it. */
    if (token.op == '-' && parser->token.kind == TOKEN_INT && parser->token.is_past_max) {
        const hq_token *next = parser_peek(parser);
        if (next->kind != TOKEN_OPERATOR || next->op != OP_POWER) {
            hq_node *node = node_new(parser, NODE_INT, &token);
            node->value.integer = INT64_MIN;
            parser_step(parser);
            return node;
        }
    }
    hq_node *node = node_new(parser, NODE_UNARY, &token);
    node->op = token.op;
    parser_enter(parser);
    hq_node *inner = parse_unary(parser);
    parser_leave(parser);
    node_adopt_some(parser, node, 1, &inner);
    return node;
}

static hq_node *parse_binary(hq_parser *parser, int least)
{
    hq_node *left = parse_unary(parser);
    for (;;) {
        int precedence = precedence_of(&parser->token);
        if (!precedence || precedence < least)
            return left;
        hq_node *node = node_new(parser, NODE_BINARY, &parser->token);
        node->op = parser->token.op;
        if (node->op == '@')
            source_fail(parser->source, node->at, NULL, "the operator '@' is not part of hq's query language");
        parser_step(parser);
        hq_node *kids[2] = {left, parse_binary(parser, precedence + 1)};
        node_adopt_some(parser, node, 2, kids);
        left = node;
    }
}

/* Steps over the operator, which may be two keywords. */
static int take_comparison(hq_parser *parser)
{
    int op = parser->token.op;
    if (parser->token.kind == TOKEN_KEYWORD) {
        if (parser_at_keyword(parser, KEYWORD_IS))
            source_fail(parser->source, parser->token.at,
                        "compare with == or !=", "the operator 'is' is not part of hq's query language");
        op = OP_IN;
        if (parser_take_keyword(parser, KEYWORD_NOT)) {
            op = OP_NOT_IN;
            if (!parser_at_keyword(parser, KEYWORD_IN))
                parser_unexpected(parser, "'in'");
        }
    }
    parser_step(parser);
    return op;
}

static hq_node *parse_comparison(hq_parser *parser)
{
    hq_node *first = parse_binary(parser, 1);
    if (!is_comparison(&parser->token))
        return first;
    hq_node *node = node_new(parser, NODE_COMPARE, &parser->token);
    hq_kids kids = {0};
    kids_add(parser, &kids, first);
    size_t capacity = 0;
    while (is_comparison(&parser->token)) {
        ARENA_GROW(parser->source->arena, node->ops, kids.count - 1, capacity);
        node->ops[kids.count - 1] = take_comparison(parser);
        kids_add(parser, &kids, parse_binary(parser, 1));
    }
    node_adopt(parser, node, &kids);
    return node;
}

static hq_node *parse_not(hq_parser *parser)
{
    if (!parser_at_keyword(parser, KEYWORD_NOT))
        return parse_comparison(parser);
    hq_node *node = node_new(parser, NODE_NOT, &parser->token);
    parser_step(parser);
    parser_enter(parser);
    hq_node *inner = parse_not(parser);
    parser_leave(parser);
    node_adopt_some(parser, node, 1, &inner);
    return node;
}

static hq_node *parse_chain(hq_parser *parser, hq_keyword keyword, hq_node_kind kind)
{
    hq_node *first = keyword == KEYWORD_OR ? parse_chain(parser, KEYWORD_AND, NODE_AND) : parse_not(parser);
    if (!parser_at_keyword(parser, keyword))
        return first;
    hq_node *node = node_new(parser, kind, &parser->token);
    hq_kids kids = {0};
    kids_add(parser, &kids, first);
    while (parser_take_keyword(parser, keyword))
        kids_add(parser, &kids, keyword == KEYWORD_OR ? parse_chain(parser, KEYWORD_AND, NODE_AND) : parse_not(parser));
    node_adopt(parser, node, &kids);
    return node;
}

hq_node *parse_expression(hq_parser *parser)
{
    parser_enter(parser);
    if (parser_at_keyword(parser, KEYWORD_LAMBDA)) {
        hq_node *lambda = parse_lambda(parser);
        parser_leave(parser);
        return lambda;
    }
    hq_node *value = parse_chain(parser, KEYWORD_OR, NODE_OR);
    if (parser_at(parser, OP_WALRUS))
        source_fail(parser->source, parser->token.at, "assign in a statement of its own",
                    "the operator ':=' is not part of hq's query language");
    if (parser_at_keyword(parser, KEYWORD_IF)) {
        hq_node *node = node_new(parser, NODE_COND, &parser->token);
        parser_step(parser);
        hq_node *condition = parse_chain(parser, KEYWORD_OR, NODE_OR);
        if (!parser_take_keyword(parser, KEYWORD_ELSE))
            parser_unexpected(parser, "'else'");
        hq_node *kids[3] = {condition, value, parse_expression(parser)};
        node_adopt_some(parser, node, 3, kids);
        value = node;
    }
    parser_leave(parser);
    return value;
}

static hq_node *finish_tuple(hq_parser *parser, hq_node *first, hq_node *(*parse_one)(hq_parser *))
{
    hq_node *node = node_new(parser, NODE_TUPLE, &parser->token);
    node->at = first->at;
    hq_kids kids = {0};
    kids_add(parser, &kids, first);
    while (parser_take(parser, ',')) {
        bool starts_another = parser->token.kind == TOKEN_NAME || parser->token.kind == TOKEN_INT ||
                              parser->token.kind == TOKEN_FLOAT || parser->token.kind == TOKEN_STRING ||
                              parser_at(parser, '(') || parser_at(parser, '-') || parser_at(parser, '+') ||
                              parser_at(parser, '~') || parser_at(parser, '[') || parser_at(parser, '{') ||
                              parser_at_keyword(parser, KEYWORD_NOT) || parser_at_keyword(parser, KEYWORD_TRUE) ||
                              parser_at_keyword(parser, KEYWORD_FALSE) || parser_at_keyword(parser, KEYWORD_LAMBDA) ||
                              parser_at_keyword(parser, KEYWORD_OTHER);
        if (!starts_another)
            break;
        kids_add(parser, &kids, parse_one(parser));
    }
    node_adopt(parser, node, &kids);
    return node;
}

static hq_node *parse_expression_or_star(hq_parser *parser)
{
    if (parser_at(parser, '*'))
        source_fail(parser->source, parser->token.at, NULL,
                    "'*' in front of a value is not part of hq's query language");
    return parse_expression(parser);
}

hq_node *parse_expressions(hq_parser *parser)
{
    hq_node *first = parse_expression_or_star(parser);
    return parser_at(parser, ',') ? finish_tuple(parser, first, parse_expression) : first;
}

static hq_node *parse_target(hq_parser *parser)
{
    if (parser->token.kind == TOKEN_NAME) {
        hq_node *node = node_new(parser, NODE_NAME, &parser->token);
        node->word = parser->token.word;
        parser_step(parser);
        return node;
    }
    if (parser_at(parser, '(')) {
        parser_enter(parser);
        parser_step(parser);
        hq_node *inner = parse_targets(parser);
        parser_expect(parser, ')', "after the loop's variables");
        parser_leave(parser);
        return inner;
    }
    parser_unexpected(parser, "a name");
}

hq_node *parse_targets(hq_parser *parser)
{
    hq_node *first = parse_target(parser);
    return parser_at(parser, ',') ? finish_tuple(parser, first, parse_target) : first;
}
