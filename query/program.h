/* query/program.h - from a query's text to a typed program: the language of docs/query-language.md.
 *
 * Parsing and type-checking know columns by their schema only; no file is touched. A program is immutable once made and
 * may be shared by threads.
 */
#ifndef HQ_QUERY_PROGRAM_H
#define HQ_QUERY_PROGRAM_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/schema.h"
#include "query/hist.h"

typedef struct hq_program hq_program;

/* What is wrong with a text, for the person who wrote it. */
typedef struct hq_complaint {
    int line, column;      /* from 1; column counts characters, not bytes; 0 if no place can be named */
    char message[512];     /* "event.Muons: no such collection" */
    char hint[512];        /* "did you mean event.Muon?", or "" */
    char source_line[256]; /* the line itself, cut if it is long */
} hq_complaint;

enum { HQ_MAX_TEXT = 1 << 20 };

/* Reads and checks the text. HQ_EQUERY with the complaint if it is wrong; HQ_ELIMIT, likewise, if it is too large or
 * too deep. The schema is only read during the call. */
hq_error program_parse(const char *text, size_t length, const hq_schema *schema, hq_program **program_r,
                       hq_complaint *complaint);
void program_free(hq_program **program_p);

/* The columns it reads, by full name; the order is that of hq_run.columns. */
size_t program_column_count(const hq_program *program);
const hq_field *program_column(const hq_program *program, size_t index);

/* Equal for two texts that mean the same (spelling, comments, names of variables aside) over columns of the same names
 * and types; it covers the language's version. */
hq_hash program_fingerprint(const hq_program *program);

/* The histograms it declares, empty; the caller frees them. */
hq_histset *program_new_hists(const hq_program *program);

/* The complaint as it is shown: "q.py:4:13: error: …", the line, a caret below, "hint: …". The caller frees it. */
char *complaint_render(const hq_complaint *complaint, const char *file_name);

#endif
