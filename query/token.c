#include "query/token.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BRACKETS = MAX_DEPTH, WORD_BUCKETS = 1024, TAB = 8 };

/* The width of an indentation, with tabs to the next multiple of 8 and with tabs as one column: two lines compare the
 * same way under both, or their tabs and spaces are mixed in a way nobody can see. */
typedef struct indent {
    int width, narrow;
} indent;

struct hq_lexer {
    hq_source *source;
    uint32_t at;
    int line;
    bool is_line_start;
    bool ends_with_newline; /* the last token that was given was a NEWLINE, or there was none */
    int dedents;            /* still to be given */
    indent indents[MAX_DEPTH + 1];
    int depth;
    char brackets[MAX_BRACKETS];
    uint32_t bracket_places[MAX_BRACKETS];
    int bracket_lines[MAX_BRACKETS];
    int open;
    hq_word *words[WORD_BUCKETS];
    locale_t locale;
};

static const struct {
    const char *text;
    hq_keyword keyword;
} KEYWORDS[] = {
    {"and", KEYWORD_AND},      {"as", KEYWORD_AS},          {"assert", KEYWORD_OTHER},  {"async", KEYWORD_OTHER},
    {"await", KEYWORD_OTHER},  {"break", KEYWORD_BREAK},    {"class", KEYWORD_OTHER},   {"continue", KEYWORD_CONTINUE},
    {"def", KEYWORD_DEF},      {"del", KEYWORD_OTHER},      {"elif", KEYWORD_ELIF},     {"else", KEYWORD_ELSE},
    {"except", KEYWORD_OTHER}, {"False", KEYWORD_FALSE},    {"finally", KEYWORD_OTHER}, {"for", KEYWORD_FOR},
    {"from", KEYWORD_FROM},    {"global", KEYWORD_OTHER},   {"if", KEYWORD_IF},         {"import", KEYWORD_IMPORT},
    {"in", KEYWORD_IN},        {"is", KEYWORD_IS},          {"lambda", KEYWORD_LAMBDA}, {"None", KEYWORD_OTHER},
    {"not", KEYWORD_NOT},      {"nonlocal", KEYWORD_OTHER}, {"or", KEYWORD_OR},         {"pass", KEYWORD_PASS},
    {"raise", KEYWORD_OTHER},  {"return", KEYWORD_RETURN},  {"True", KEYWORD_TRUE},     {"try", KEYWORD_OTHER},
    {"while", KEYWORD_WHILE},  {"with", KEYWORD_OTHER},     {"yield", KEYWORD_OTHER},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static char peek(const hq_lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->source->length ? lexer->source->text[at] : 0;
}

hq_word *lexer_word(hq_lexer *lexer, const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    hq_word **bucket = &lexer->words[hash % WORD_BUCKETS];
    for (hq_word *word = *bucket; word; word = word->next)
        if (strncmp(word->text, text, length) == 0 && word->text[length] == 0)
            return word;
    hq_word *word = arena_alloc(lexer->source->arena, sizeof *word);
    word->text = arena_copy(lexer->source->arena, text, length);
    word->next = *bucket;
    *bucket = word;
    return word;
}

/* The length of the UTF-8 character at text, by the Unicode standard's table of well-formed sequences; 0 if it is none.
 */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < length)
        return 0;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

hq_lexer *lexer_new(hq_source *source)
{
    for (size_t i = 0; i < source->length;) {
        size_t length = utf8_length((const unsigned char *)source->text + i, source->length - i);
        if (!length || !source->text[i])
            source_fail(source, (uint32_t)i, "save the query as plain UTF-8 text",
                        length ? "the text holds a zero byte" : "the text is not UTF-8 here");
        i += length;
    }
    hq_lexer *lexer = arena_alloc(source->arena, sizeof *lexer);
    lexer->source = source;
    lexer->line = 1;
    lexer->is_line_start = true;
    lexer->ends_with_newline = true;
    lexer->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    for (size_t i = 0; i < sizeof KEYWORDS / sizeof *KEYWORDS; i++)
        lexer_word(lexer, KEYWORDS[i].text, strlen(KEYWORDS[i].text))->keyword = KEYWORDS[i].keyword;
    if (source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0)
        lexer->at = 3;
    return lexer;
}

/* Steps over one line end: \n, \r\n or \r. */
static void skip_line_end(hq_lexer *lexer)
{
    lexer->at += peek(lexer, 0) == '\r' && peek(lexer, 1) == '\n' ? 2 : 1;
    lexer->line++;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_at_end(const hq_lexer *lexer)
{
    return lexer->at >= lexer->source->length;
}

/* Blanks, comments and continued lines inside a line. */
static void skip_blanks(hq_lexer *lexer)
{
    for (;;) {
        char c = peek(lexer, 0);
        if (c == ' ' || c == '\t' || c == '\f') {
            lexer->at++;
        } else if (c == '#') {
            while (!is_at_end(lexer) && !is_line_end(peek(lexer, 0)))
                lexer->at++;
        } else if (c == '\\') {
            if (!is_line_end(peek(lexer, 1)))
                source_fail(lexer->source, lexer->at, "nothing, not even a blank, may follow a backslash",
                            "a backslash that does not end its line");
            lexer->at++;
            skip_line_end(lexer);
            if (is_at_end(lexer))
                source_fail(lexer->source, lexer->at, NULL, "the text ends in a continued line");
        } else if (lexer->open && is_line_end(c)) {
            skip_line_end(lexer);
        } else {
            return;
        }
    }
}

/* Reads indentation up to the first line that holds a token, and compares it with what encloses it. */
static void read_indentation(hq_lexer *lexer, bool *is_indent_r)
{
    indent here = {0, 0};
    *is_indent_r = false;
    for (;;) {
        char c = peek(lexer, 0);
        if (c == ' ') {
            here.width++;
            here.narrow++;
        } else if (c == '\t') {
            here.width = (here.width / TAB + 1) * TAB;
            here.narrow++;
        } else if (c == '\f') {
            here = (indent){0, 0};
        } else if (c == '#' || is_line_end(c)) {
            while (!is_at_end(lexer) && !is_line_end(peek(lexer, 0)))
                lexer->at++;
            if (is_at_end(lexer))
                return;
            skip_line_end(lexer);
            here = (indent){0, 0};
            continue;
        } else {
            break;
        }
        lexer->at++;
    }
    if (is_at_end(lexer))
        return;
    const indent *top = &lexer->indents[lexer->depth];
    if (here.width > top->width && here.narrow > top->narrow) {
        if (lexer->depth >= MAX_DEPTH)
            source_limit(lexer->source, lexer->at, "blocks are nested more than %d deep", MAX_DEPTH);
        lexer->indents[++lexer->depth] = here;
        *is_indent_r = true;
        return;
    }
    while (here.width < top->width && here.narrow < top->narrow) {
        lexer->dedents++;
        top = &lexer->indents[--lexer->depth];
    }
    if (here.width == top->width && here.narrow == top->narrow)
        return;
    if ((here.width > top->width) != (here.narrow > top->narrow) || here.width == top->width)
        source_fail(lexer->source, lexer->at, "indent every line with spaces",
                    "tabs and spaces are mixed in a way "
                    "that leaves the indentation open");
    source_fail(lexer->source, lexer->at, NULL, "this indentation fits no block that is open");
}

/* --- numbers --- */

/* Digits of the base with single underscores between them; they are copied to digits, without the underscores, as far
 * as there is room, and counted. */
static size_t read_digits(hq_lexer *lexer, int base, char *digits, size_t room)
{
    size_t count = 0;
    for (;;) {
        char c = peek(lexer, 0);
        if (c == '_' && count > 0 && digit_value(peek(lexer, 1)) < base) {
            lexer->at++;
            continue;
        }
        if (digit_value(c) >= base)
            return count;
        if (count < room)
            digits[count] = c;
        count++;
        lexer->at++;
    }
}

static void finish_integer(hq_lexer *lexer, hq_token *token, const char *digits, size_t count, int base)
{
    uint64_t value = 0;
    bool is_over = false;
    for (size_t i = 0; i < count && !is_over; i++) {
        is_over = __builtin_mul_overflow(value, (uint64_t)base, &value) ||
                  __builtin_add_overflow(value, (uint64_t)digit_value(digits[i]), &value) ||
                  value > (uint64_t)INT64_MAX + 1;
    }
    if (is_over)
        source_fail(lexer->source, token->at, "write it as a float, with a point or an exponent: 1e20",
                    "this integer does not fit into 64 bits");
    token->kind = TOKEN_INT;
    token->is_past_max = value > (uint64_t)INT64_MAX;
    token->integer = token->is_past_max ? INT64_MIN : (int64_t)value;
}

static void check_number_end(hq_lexer *lexer, const hq_token *token)
{
    char c = peek(lexer, 0);
    if (c == 'j' || c == 'J')
        source_fail(lexer->source, token->at, NULL, "complex numbers are not part of hq's query language");
    if (is_name_part(c))
        source_fail(lexer->source, lexer->at, NULL, "'%c' does not belong into a number", c);
}

enum { MAX_DIGITS = 800 }; /* more than any double needs to be told from its neighbours */

/* 0x…, 0o… or 0b… */
static void read_integer_in_base(hq_lexer *lexer, hq_token *token, int base)
{
    char digits[MAX_DIGITS];
    lexer->at += 2;
    lexer->at += peek(lexer, 0) == '_';
    size_t count = read_digits(lexer, base, digits, MAX_DIGITS);
    if (!count)
        source_fail(lexer->source, token->at, NULL, "a number without digits");
    check_number_end(lexer, token);
    if (count > MAX_DIGITS)
        source_limit(lexer->source, token->at, "a number of more than %d digits", MAX_DIGITS);
    finish_integer(lexer, token, digits, count, base);
}

static void read_number(hq_lexer *lexer, hq_token *token)
{
    char digits[MAX_DIGITS + 32];
    int base = 10;
    char mark = peek(lexer, 0) == '0' ? peek(lexer, 1) : 0;
    if (mark == 'x' || mark == 'X')
        base = 16;
    else if (mark == 'o' || mark == 'O')
        base = 8;
    else if (mark == 'b' || mark == 'B')
        base = 2;
    if (base != 10) {
        read_integer_in_base(lexer, token, base);
        return;
    }
    size_t whole = read_digits(lexer, 10, digits, MAX_DIGITS);
    size_t used = whole;
    bool is_float = false;
    if (used <= MAX_DIGITS && peek(lexer, 0) == '.') {
        is_float = true;
        digits[used++] = '.';
        lexer->at++;
        used += read_digits(lexer, 10, digits + used, MAX_DIGITS + 1 - used);
    }
    if (whole > MAX_DIGITS || used > MAX_DIGITS + 1)
        source_limit(lexer->source, token->at, "a number of more than %d digits", MAX_DIGITS);
    char exponent = peek(lexer, 0);
    size_t sign = peek(lexer, 1) == '+' || peek(lexer, 1) == '-';
    if ((exponent == 'e' || exponent == 'E') && is_digit(peek(lexer, 1 + sign))) {
        is_float = true;
        digits[used++] = 'e';
        if (sign)
            digits[used++] = peek(lexer, 1);
        lexer->at += 1 + (uint32_t)sign;
        char power[16];
        size_t count = read_digits(lexer, 10, power, sizeof power);
        if (count > sizeof power)
            source_limit(lexer->source, token->at, "an exponent of more than %zu digits", sizeof power);
        memcpy(digits + used, power, count);
        used += count;
    }
    check_number_end(lexer, token);
    if (!is_float) {
        size_t zeros = 0;
        while (zeros < whole && digits[zeros] == '0')
            zeros++;
        if (zeros > 0 && zeros < whole)
            source_fail(lexer->source, token->at, "an octal number starts with 0o",
                        "a decimal number must not start with 0");
        finish_integer(lexer, token, digits, whole, 10);
        return;
    }
    digits[used] = 0;
    token->kind = TOKEN_FLOAT;
    token->number = strtod_l(digits, NULL, lexer->locale);
}

/* --- strings --- */

static void put_utf8(char *to, size_t *used, uint32_t code)
{
    if (code < 0x80) {
        to[(*used)++] = (char)code;
    } else if (code < 0x800) {
        to[(*used)++] = (char)(0xC0 | code >> 6);
        to[(*used)++] = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        to[(*used)++] = (char)(0xE0 | code >> 12);
        to[(*used)++] = (char)(0x80 | (code >> 6 & 0x3F));
        to[(*used)++] = (char)(0x80 | (code & 0x3F));
    } else {
        to[(*used)++] = (char)(0xF0 | code >> 18);
        to[(*used)++] = (char)(0x80 | (code >> 12 & 0x3F));
        to[(*used)++] = (char)(0x80 | (code >> 6 & 0x3F));
        to[(*used)++] = (char)(0x80 | (code & 0x3F));
    }
}

static uint32_t read_code(hq_lexer *lexer, int base, int least, int most, uint32_t place)
{
    uint32_t code = 0;
    int count = 0;
    while (count < most && digit_value(peek(lexer, 0)) < base) {
        code = code * (uint32_t)base + (uint32_t)digit_value(peek(lexer, 0));
        lexer->at++;
        count++;
    }
    if (count < least || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        source_fail(lexer->source, place, NULL, "an escape that stands for no character hq can hold");
    return code;
}

/* At a backslash inside a string: its character goes to the end of text. */
static void read_escape(hq_lexer *lexer, char *text, size_t *used)
{
    static const char from[] = "\\'\"abfnrtv";
    static const char to[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t place = lexer->at++;
    char c = peek(lexer, 0);
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        lexer->at++;
        text[(*used)++] = to[simple - from];
    } else if (is_line_end(c)) {
        skip_line_end(lexer);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        int count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        lexer->at++;
        put_utf8(text, used, read_code(lexer, 16, count, count, place));
    } else if (c >= '0' && c <= '7') {
        put_utf8(text, used, read_code(lexer, 8, 1, 3, place));
    } else if (c == 'N') {
        source_fail(lexer->source, place, "write the character itself, or \\u and its number",
                    "named characters are not part of hq's query language");
    } else {
        text[(*used)++] = '\\'; /* as in Python, what is no escape stays as it is */
    }
}

static void read_string(hq_lexer *lexer, hq_token *token, bool is_raw)
{
    char quote = peek(lexer, 0);
    bool is_triple = peek(lexer, 1) == quote && peek(lexer, 2) == quote;
    lexer->at += is_triple ? 3 : 1;
    /* No escape is longer than what it stands for, so the rest of the literal bounds the text. */
    size_t room = 0;
    while (lexer->at + room < lexer->source->length) {
        char c = peek(lexer, room);
        if (c == '\\')
            room++;
        else if ((c == quote && (!is_triple || (peek(lexer, room + 1) == quote && peek(lexer, room + 2) == quote))) ||
                 (!is_triple && is_line_end(c)))
            break;
        room++;
    }
    char *text = arena_alloc(lexer->source->arena, room + 2);
    size_t used = 0;
    for (;;) {
        char c = peek(lexer, 0);
        if (is_at_end(lexer) || (!is_triple && is_line_end(c)))
            source_fail(lexer->source, token->at, NULL, "this string has no end");
        if (c == quote && (!is_triple || (peek(lexer, 1) == quote && peek(lexer, 2) == quote)))
            break;
        if (c == '\\' && !is_raw) {
            read_escape(lexer, text, &used);
        } else if (c == '\\') {
            text[used++] = c;
            lexer->at++;
            if (!is_at_end(lexer) && !is_line_end(peek(lexer, 0)))
                text[used++] = peek(lexer, 0), lexer->at++;
        } else if (is_line_end(c)) {
            text[used++] = '\n';
            skip_line_end(lexer);
        } else {
            text[used++] = c;
            lexer->at++;
        }
    }
    lexer->at += is_triple ? 3 : 1;
    token->kind = TOKEN_STRING;
    token->text = text;
}

/* Letters before a quote: how many, and whether they mean raw; 0 if this is no string. */
static size_t string_prefix(hq_lexer *lexer, bool *is_raw_r)
{
    size_t length = 0;
    *is_raw_r = false;
    while (length < 3 && peek(lexer, length) && strchr("rRbBuUfFtT", peek(lexer, length)))
        length++;
    char quote = peek(lexer, length);
    if (quote != '"' && quote != '\'')
        return 0;
    if (length > 1 || (length == 1 && !strchr("rRuU", peek(lexer, 0))))
        source_fail(lexer->source, lexer->at, "use a plain string",
                    "strings with the prefix %.*s are not part of hq's "
                    "query language",
                    (int)length, lexer->source->text + lexer->at);
    *is_raw_r = length == 1 && (peek(lexer, 0) == 'r' || peek(lexer, 0) == 'R');
    return length;
}

/* --- operators --- */

static _Noreturn void refuse_character(hq_lexer *lexer, char c)
{
    if ((unsigned char)c >= 0x80)
        source_fail(lexer->source, lexer->at, "names are made of a-z, A-Z, 0-9 and _",
                    "this character can stand in strings and comments only");
    if (c < ' ' || c == 0x7F)
        source_fail(lexer->source, lexer->at, NULL, "a control character (%d) means nothing in Python", c);
    source_fail(lexer->source, lexer->at, c == '!' ? "write not …, and != for what is not equal" : NULL,
                "'%c' means nothing in Python", c);
}

static void read_operator(hq_lexer *lexer, hq_token *token)
{
    static const struct {
        const char text[4];
        int op;
    } LONG[] = {{"...", OP_ELLIPSIS},   {"**", OP_POWER},      {"//", OP_FLOOR_DIVIDE},  {"<<", OP_SHIFT_LEFT},
                {">>", OP_SHIFT_RIGHT}, {"<=", OP_LESS_EQUAL}, {">=", OP_GREATER_EQUAL}, {"==", OP_EQUAL},
                {"!=", OP_NOT_EQUAL},   {"->", OP_ARROW},      {":=", OP_WALRUS}};
    char c = peek(lexer, 0);
    if ((c == '&' || c == '|') && peek(lexer, 1) == c)
        source_fail(lexer->source, lexer->at, c == '&' ? "write and" : "write or", "'%c%c' means nothing in Python", c,
                    c);
    token->kind = TOKEN_OPERATOR;
    token->op = 0;
    for (size_t i = 0; i < sizeof LONG / sizeof *LONG; i++) {
        size_t length = strlen(LONG[i].text);
        if (lexer->source->length - lexer->at >= length &&
            memcmp(lexer->source->text + lexer->at, LONG[i].text, length) == 0) {
            token->op = LONG[i].op;
            lexer->at += (uint32_t)length;
            break;
        }
    }
    if (!token->op) {
        if (!c || !strchr("+-*/%@&|^~<>()[]{},:;.=", c))
            refuse_character(lexer, c);
        token->op = (unsigned char)c;
        lexer->at++;
    }
    bool takes_equal = token->op == OP_POWER || token->op == OP_FLOOR_DIVIDE || token->op == OP_SHIFT_LEFT ||
                       token->op == OP_SHIFT_RIGHT || (token->op < 128 && strchr("+-*/%@&|^", (char)token->op));
    if (takes_equal && peek(lexer, 0) == '=') {
        token->kind = TOKEN_AUGMENTED;
        lexer->at++;
    }
}

static void count_bracket(hq_lexer *lexer, const hq_token *token)
{
    if (token->kind != TOKEN_OPERATOR || token->op > 127)
        return;
    char c = (char)token->op;
    if (c == '(' || c == '[' || c == '{') {
        if (lexer->open >= MAX_BRACKETS)
            source_limit(lexer->source, token->at, "brackets are nested more than %d deep", MAX_BRACKETS);
        lexer->bracket_places[lexer->open] = token->at;
        lexer->bracket_lines[lexer->open] = token->line;
        lexer->brackets[lexer->open++] = c;
    } else if (c == ')' || c == ']' || c == '}') {
        char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
        if (!lexer->open)
            source_fail(lexer->source, token->at, NULL, "'%c' closes nothing", c);
        char opened = lexer->brackets[--lexer->open];
        if (opened != wanted)
            source_fail(lexer->source, token->at, NULL, "'%c' cannot close '%c'", c, opened);
    }
}

bool lexer_open_bracket(const hq_lexer *lexer, char *bracket_r, int *line_r)
{
    if (!lexer->open)
        return false;
    *bracket_r = lexer->brackets[lexer->open - 1];
    *line_r = lexer->bracket_lines[lexer->open - 1];
    return true;
}

static hq_token finish_line(hq_lexer *lexer, hq_token token)
{
    lexer->ends_with_newline = true;
    token.kind = TOKEN_NEWLINE;
    return token;
}

static hq_token token_at_end(hq_lexer *lexer, hq_token token)
{
    if (lexer->open)
        source_fail(lexer->source, lexer->bracket_places[lexer->open - 1], NULL, "'%c' is never closed",
                    lexer->brackets[lexer->open - 1]);
    if (!lexer->ends_with_newline)
        return finish_line(lexer, token);
    token.kind = TOKEN_END;
    if (lexer->depth > 0) {
        lexer->depth--;
        token.kind = TOKEN_DEDENT;
    }
    return token;
}

hq_token lexer_next(hq_lexer *lexer)
{
    bool is_indent = false;
    if (lexer->is_line_start) {
        lexer->is_line_start = false;
        read_indentation(lexer, &is_indent);
    } else if (!lexer->dedents) {
        skip_blanks(lexer);
    }
    hq_token token = {.at = lexer->at, .line = lexer->line};
    if (is_indent || lexer->dedents) {
        lexer->dedents -= !is_indent;
        token.kind = is_indent ? TOKEN_INDENT : TOKEN_DEDENT;
        return token;
    }
    if (is_at_end(lexer))
        return token_at_end(lexer, token);
    char c = peek(lexer, 0);
    if (is_line_end(c)) {
        skip_line_end(lexer);
        lexer->is_line_start = true;
        return finish_line(lexer, token);
    }
    lexer->ends_with_newline = false;
    bool is_raw;
    size_t prefix;
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        read_number(lexer, &token);
    } else if (c == '"' || c == '\'') {
        read_string(lexer, &token, false);
    } else if (is_name_start(c) && (prefix = string_prefix(lexer, &is_raw)) > 0) {
        lexer->at += (uint32_t)prefix;
        read_string(lexer, &token, is_raw);
    } else if (is_name_start(c)) {
        uint32_t start = lexer->at;
        while (is_name_part(peek(lexer, 0)))
            lexer->at++;
        token.word = lexer_word(lexer, lexer->source->text + start, lexer->at - start);
        token.kind = token.word->keyword ? TOKEN_KEYWORD : TOKEN_NAME;
    } else {
        read_operator(lexer, &token);
        count_bracket(lexer, &token);
    }
    return token;
}

const char *operator_text(int op, char buffer[3])
{
    static const char *const LONG[] = {
        "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "->", ":=", "...", "in", "not in"};
    if (op >= OP_POWER)
        return LONG[op - OP_POWER];
    buffer[0] = (char)op;
    buffer[1] = 0;
    return buffer;
}

const char *token_describe(hq_source *source, const hq_token *token)
{
    char buffer[3];
    switch (token->kind) {
    case TOKEN_END:
        return "the end of the text";
    case TOKEN_NEWLINE:
        return "the end of the line";
    case TOKEN_INDENT:
        return "a deeper indentation";
    case TOKEN_DEDENT:
        return "the end of the block";
    case TOKEN_NAME:
    case TOKEN_KEYWORD:
        return source_format(source, "'%.60s'", token->word->text);
    case TOKEN_INT:
    case TOKEN_FLOAT:
        return "a number";
    case TOKEN_STRING:
        return "a string";
    case TOKEN_OPERATOR:
        return source_format(source, "'%s'", operator_text(token->op, buffer));
    case TOKEN_AUGMENTED:
        return source_format(source, "'%s='", operator_text(token->op, buffer));
    }
    return "this";
}
