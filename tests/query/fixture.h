/* tests/query/fixture.h - columns in memory, queries over them, and histograms as short texts. */
#ifndef HQ_TESTS_QUERY_FIXTURE_H
#define HQ_TESTS_QUERY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "query/code.h"

enum { MAX_COLUMNS = 64 };

/* A schema and one column for each of its fields. */
typedef struct test_table {
    hq_schema *schema;
    hq_column *columns[MAX_COLUMNS];
    uint64_t entries;
} test_table;

test_table *table_new(uint64_t entries);
void table_free(test_table **table_p);
/* A flat column; values are copied. */
void table_flat(test_table *table, const char *name, hq_type type, const void *values);
/* Jagged: counts[i] values belong to entry i. collection and member may be NULL. */
void table_jagged(test_table *table, const char *name, const char *collection, const char *member, hq_type type,
                  const uint32_t *counts, const void *values);

/* Four events with 0, 1, 2 and 3 muons; a flat column of most types; jagged columns on their own. */
test_table *table_of_muons(void);

/* Parses or fails the test with the complaint. */
hq_program *must_parse(const char *text, const hq_schema *schema);
hq_code *must_compile(const hq_program *program);
/* Runs over the whole table; the columns are looked up by name. */
hq_error run_over(const hq_code *code, const hq_program *program, const test_table *table, hq_run *run,
                  hq_histset *hists, hq_reason *reason);
/* Parse, compile, run: the first histogram's bins with flow, "0 1 2 0", or the error's text. The caller frees it. */
char *outcome_of(const char *text, const test_table *table);
void assert_outcome(const test_table *table, const char *text, const char *wanted);

/* "from … import" lines, a histogram h of the axis given, and the event loop with the body given, indented by four. */
char *query_with(const char *axis, const char *body);
/* The same, with Regular(10, 0, 10), and its bins compared. */
void assert_bins(const test_table *table, const char *body, const char *wanted);

#endif
