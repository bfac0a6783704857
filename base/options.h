/* base/options.h - one table for each program's options drives its command line, its configuration file, its
 * environment, its --help, its checks and its defaults.
 *
 * A value is taken from the command line (--window=64, -w 64), else from the environment (HQ_WINDOW=64), else from the
 * file that --config or HQ_CONFIG names (window = 64), else from the table. Every program has, besides its own,
 * --help, --version, --config FILE and --print-config, which prints the configuration as it stands in the form of such
 * a file; conf/ holds what it prints when nothing is set.
 *
 * In a configuration file, keys before the first section are this program's; keys in the section [broker] are read by
 * hq-broker only, and so on, so that several programs can share one file. A key or a section that nobody knows is an
 * error, with file and line.
 */
#ifndef HQ_BASE_OPTIONS_H
#define HQ_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef enum hq_option_kind {
    HQ_OPTION_FLAG,     /* bool: --name, --no-name; in a file or the environment yes, no, true, false, on, off, 1, 0 */
    HQ_OPTION_TEXT,     /* char *: any text; NULL without a default */
    HQ_OPTION_INTEGER,  /* int64_t, from min to max */
    HQ_OPTION_SIZE,     /* int64_t, bytes, from min to max: 65536, 64K, 1.5G, T; powers of 1024 */
    HQ_OPTION_DURATION, /* int64_t, milliseconds, from min to max: 250ms, 10s, 5m, 2h, 7d; only 0 goes without a unit */
    HQ_OPTION_CHOICE,   /* int: the index of one of choices */
    HQ_OPTION_LIST,     /* hq_texts: given several times, the texts in their order; in the environment, blanks between
                           them. What a stronger source gives replaces what a weaker one gave, an empty text with
                           nothing. */
    HQ_OPTION_GROUP     /* no option: help is a heading above the options that follow */
} hq_option_kind;

typedef struct hq_texts {
    char **texts;
    size_t count, capacity;
} hq_texts;

typedef struct hq_option {
    const char *name; /* "max-attempts": lower-case words and hyphens */
    char letter;      /* 'w', or 0; not 'h' or 'V' */
    hq_option_kind kind;
    bool is_command_only; /* makes sense for one run only: neither in the file nor in the environment */
    size_t offset;        /* of the value within the program's settings; see the kinds for its type */
    const char *fallback; /* the default as a person spells it, "yes" for a flag; NULL: false, 0, no text, no texts */
    const char *argument; /* "HOSTS", for --help; NULL gives one after the kind */
    const char *help;     /* one sentence or two, without the default and the range */
    int64_t min, max;     /* of a number; max 0: no upper bound */
    const char *const *choices; /* ends with NULL */
} hq_option;

typedef struct hq_cli {
    const char *name;      /* "hq-broker" */
    const char *summary;   /* one sentence */
    const char *arguments; /* "QUERY [FILE[:TREE]…]", for the usage line; "" if it takes none */
    size_t min_arguments, max_arguments;
    const char *epilogue; /* below the options: exit codes, examples; may be NULL */
    const hq_option *options;
    size_t option_count;
} hq_cli;

typedef struct hq_arguments {
    char **texts; /* what is left on the command line; they point into argv */
    size_t count;
    bool is_done; /* --help, --version or --print-config was asked for and has been written to stdout: end with 0 */
} hq_arguments;

/* Fills settings, a zeroed struct of the program's own, from all sources. HQ_EINVAL, with a text that names the option,
 * where it was given and what it takes, and settings released again. Permutes argv. Not to be called by two threads at
 * once (getopt). */
hq_error options_parse(const hq_cli *program, int argc, char **argv, void *settings, hq_arguments *arguments_r,
                       hq_reason *reason);

/* Frees the texts in settings and zeroes its options. */
void options_free(const hq_cli *program, void *settings);

/* options_parse for a main(): -1 to go on; else the code to exit with, 0 after --help and its kin, 2 after a mistake,
 * which then stands on stderr. */
int options_start(const hq_cli *program, int argc, char **argv, void *settings, hq_arguments *arguments_r);

void options_print_help(const hq_cli *program, FILE *stream);

/* Reads a size or a duration as options do; HQ_EINVAL with a text that says what is wrong with it. */
hq_error options_parse_size(const char *text, int64_t *bytes_r, hq_reason *reason);
hq_error options_parse_duration(const char *text, int64_t *ms_r, hq_reason *reason);

#endif
