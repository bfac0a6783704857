/* query/code.h - a typed program as machine code, by LLVM (ORC LLJIT). The only place of hq that knows LLVM is
 * query/code.c and what it includes.
 *
 * Code may be run by many threads at once, each with histograms of its own.
 */
#ifndef HQ_QUERY_CODE_H
#define HQ_QUERY_CODE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/column.h"
#include "query/program.h"

typedef struct hq_code hq_code;

hq_error code_compile(const hq_program *program, hq_code **code_r, hq_reason *reason);
void code_free(hq_code **code_p);

typedef enum hq_listing { HQ_LISTING_IR, HQ_LISTING_ASSEMBLY } hq_listing;

/* The code of a program as a text to read: LLVM's intermediate form after its passes, or this machine's assembly. The
 * caller frees it. */
hq_error code_list(const hq_program *program, hq_listing listing, char **text_r, hq_reason *reason);

typedef struct hq_run {
    const hq_column *const *columns; /* one for each program_column, in that order, all with the same entries */
    uint64_t entries;
    atomic_int *cancel;   /* looked at between blocks of entries: not 0 ends the run; may be NULL */
    int64_t deadline_ms;  /* on base/clock.h's monotonic clock; 0 for none */
    uint64_t fault_entry; /* out: where in the columns an HQ_EQUERY happened, */
    int fault_line;       /* and in which line of the text */
} hq_run;

/* Runs the event loop over all entries and adds to hists, a set as program_new_hists gives.
 * HQ_EMISMATCH: the columns are not of the program's types, or members of one collection have different lengths;
 * HQ_EQUERY: an index out of range, with fault_entry and fault_line; HQ_ECANCELLED; HQ_ETIMEOUT. After a failure the
 * contents of hists are of no use. */
hq_error code_run(const hq_code *code, hq_run *run, hq_histset *hists, hq_reason *reason);

#endif
