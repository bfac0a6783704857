/* query/source.h - a text under compilation: where its pieces live, and the one way to refuse it.
 *
 * The first mistake found ends the compilation: source_fail leaves by longjmp to program_parse. That is safe because
 * everything made on the way lives in the two arenas, and it keeps the front end free of error paths that no test
 * would ever walk.
 */
#ifndef HQ_QUERY_SOURCE_H
#define HQ_QUERY_SOURCE_H

#include <setjmp.h>
#include <stdint.h>

#include "base/error.h"
#include "query/arena.h"
#include "query/program.h"

enum {
    MAX_DEPTH = 200,    /* of nested expressions and of nested blocks */
    MAX_NODES = 100000, /* of the syntax tree */
    MAX_CODE = 20000,   /* statements and operations of the typed program, */
    MAX_LOOPS = 400 /* and loops and lists: with both what is accepted takes about a second to compile, see code.c */
};

typedef struct hq_source {
    const char *text;
    size_t length;
    hq_arena *arena;            /* tokens' texts and the syntax tree: gone when the compilation ends */
    struct hq_program *program; /* what it becomes; NULL until there is one */
    hq_complaint *complaint;
    hq_error error;
    jmp_buf out;
} hq_source;

enum { NO_PLACE = -1 };

/* Refuses the text at a byte offset, or as a whole at NO_PLACE. hint may be NULL. */
_Noreturn void source_fail(hq_source *source, uint32_t at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Likewise for a text that is too much rather than wrong: HQ_ELIMIT. */
_Noreturn void source_limit(hq_source *source, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text made for a message, in the arena. */
char *source_format(hq_source *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The nearest of several names to one that is not known. Feed it every candidate, then ask. */
typedef struct hq_guess {
    const char *wrong;
    const char *best;
    unsigned distance;
} hq_guess;

void guess_try(hq_guess *guess, const char *candidate);
/* "did you mean PREFIXbest?" in the arena, or NULL if nothing was near. */
const char *guess_hint(hq_source *source, const hq_guess *guess, const char *prefix);

#endif
