/* client/explain.h - what hq makes of a query, without running it: the columns it reads, its histograms, its code. */
#ifndef HQ_CLIENT_EXPLAIN_H
#define HQ_CLIENT_EXPLAIN_H

#include <stdio.h>

#include "base/error.h"
#include "query/code.h"

typedef enum hq_explanation { HQ_EXPLAIN_COLUMNS, HQ_EXPLAIN_IR, HQ_EXPLAIN_ASSEMBLY } hq_explanation;

/* Opens the files on this machine, checks the text against their columns, and writes what was asked for. HQ_EQUERY or
 * HQ_ELIMIT with the complaint for a wrong text; the errors of data/dataset.h. datasets is a file of named datasets, or
 * NULL. */
hq_error explain_query(FILE *to, const char *text, const char *const *specs, size_t spec_count, const char *datasets,
                       hq_explanation what, hq_complaint *complaint, hq_reason *reason);

#endif
