/* query/complain.c - from "it is wrong at this byte" to what a person reads. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "query/source.h"

enum { LONGEST_GUESS = 63 };

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Copies at most size - 1 bytes and never a part of a character. */
static void copy_whole_characters(char *to, size_t size, const char *from, size_t length)
{
    if (length > size - 1) {
        length = size - 1;
        while (length > 0 && is_continuation(from[length]))
            length--;
    }
    memcpy(to, from, length);
    to[length] = 0;
}

/* The line that holds the byte, its number, and which character of it the byte is in. */
static void find_place(const hq_source *source, uint32_t at, hq_complaint *complaint)
{
    size_t start = 0;
    size_t end = at;
    if (at == (uint32_t)NO_PLACE)
        return;
    complaint->line = 1;
    complaint->column = 1;
    for (size_t i = 0; i < at && i < source->length; i++)
        if (source->text[i] == '\n' || (source->text[i] == '\r' && source->text[i + 1] != '\n')) {
            complaint->line++;
            start = i + 1;
        }
    for (size_t i = start; i < at && i < source->length; i++)
        complaint->column += !is_continuation(source->text[i]);
    while (end < source->length && source->text[end] != '\n' && source->text[end] != '\r')
        end++;
    copy_whole_characters(complaint->source_line, sizeof complaint->source_line, source->text + start, end - start);
}

static _Noreturn void leave(hq_source *source, hq_error error, uint32_t at, const char *hint, const char *format,
                            va_list args) __attribute__((format(printf, 5, 0)));
static _Noreturn void leave(hq_source *source, hq_error error, uint32_t at, const char *hint, const char *format,
                            va_list args)
{
    hq_complaint *complaint = source->complaint;
    char whole[2 * sizeof complaint->message];
    vsnprintf(whole, sizeof whole, format, args);
    memset(complaint, 0, sizeof *complaint);
    copy_whole_characters(complaint->message, sizeof complaint->message, whole, strlen(whole));
    if (hint)
        copy_whole_characters(complaint->hint, sizeof complaint->hint, hint, strlen(hint));
    find_place(source, at, complaint);
    source->error = error;
    longjmp(source->out, 1);
}

void source_fail(hq_source *source, uint32_t at, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    leave(source, HQ_EQUERY, at, hint, format, args);
}

void source_limit(hq_source *source, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    leave(source, HQ_ELIMIT, at, NULL, format, args);
}

char *source_format(hq_source *source, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_copy(source->arena, text, strlen(text));
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* Edits (one letter put in, left out, replaced, or two neighbours swapped) between two names; case counts little:
 * distances are doubled, and a difference in case alone costs 1. */
static unsigned edit_distance(const char *one, size_t one_length, const char *other, size_t other_length)
{
    unsigned rows[3][LONGEST_GUESS + 2];
    unsigned *before = rows[0];
    unsigned *above = rows[1];
    unsigned *row = rows[2];
    for (size_t j = 0; j <= other_length; j++)
        above[j] = 2 * (unsigned)j;
    for (size_t i = 1; i <= one_length; i++) {
        row[0] = 2 * (unsigned)i;
        for (size_t j = 1; j <= other_length; j++) {
            char a = one[i - 1];
            char b = other[j - 1];
            unsigned change = a == b ? 0 : lower(a) == lower(b) ? 1 : 2;
            row[j] = smallest(above[j] + 2, row[j - 1] + 2, above[j - 1] + change);
            if (i > 1 && j > 1 && a == other[j - 2] && one[i - 2] == b && before[j - 2] + 2 < row[j])
                row[j] = before[j - 2] + 2;
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[other_length];
}

void guess_try(hq_guess *guess, const char *candidate)
{
    size_t length = strlen(guess->wrong);
    size_t other_length = strlen(candidate);
    if (length > LONGEST_GUESS || other_length > LONGEST_GUESS)
        return;
    unsigned allowed = length < 3 ? 2 : 2 * (unsigned)((length + 2) / 3);
    unsigned distance = edit_distance(guess->wrong, length, candidate, other_length);
    /* Replacing every letter of a short name is no near miss, unless only the case differs. */
    if (strcasecmp(guess->wrong, candidate) == 0)
        distance = 1;
    else if (distance >= 2 * other_length)
        return;
    if (distance <= allowed && (!guess->best || distance < guess->distance)) {
        guess->best = candidate;
        guess->distance = distance;
    }
}

const char *guess_hint(hq_source *source, const hq_guess *guess, const char *prefix)
{
    if (!guess->best)
        return NULL;
    return source_format(source, "did you mean %s%s?", prefix, guess->best);
}

char *complaint_render(const hq_complaint *complaint, const char *file_name)
{
    if (complaint->line <= 0)
        return hq_format("%s: error: %s\n%s%s%s", file_name, complaint->message, complaint->hint[0] ? "hint: " : "",
                         complaint->hint, complaint->hint[0] ? "\n" : "");
    /* The caret's line repeats tabs, so that it stands below its character whatever their width. */
    char caret[2 * sizeof complaint->source_line];
    size_t used = 0;
    int column = 1;
    for (const char *at = complaint->source_line; *at && column < complaint->column; at++)
        if (!is_continuation(*at)) {
            caret[used++] = *at == '\t' ? '\t' : ' ';
            column++;
        }
    caret[used] = 0;
    bool is_shown = column == complaint->column;
    return hq_format("%s:%d:%d: error: %s\n    %s\n%s%s%s%s%s%s", file_name, complaint->line, complaint->column,
                     complaint->message, complaint->source_line, is_shown ? "    " : "", is_shown ? caret : "",
                     is_shown ? "^\n" : "", complaint->hint[0] ? "hint: " : "", complaint->hint,
                     complaint->hint[0] ? "\n" : "");
}
