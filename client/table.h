/* client/table.h - tables of text for a terminal, and numbers as a person reads them. */
#ifndef HQ_CLIENT_TABLE_H
#define HQ_CLIENT_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct hq_table hq_table;

/* Heads are one text, with blanks between; a head that begins with '>' is of a column of numbers, to the right. An '_'
 * stands for a blank in a head. */
hq_table *table_new(const char *heads);
void table_free(hq_table **table_p);
/* The next cell, row by row. What would move the terminal's cursor goes as '?'. */
void table_add(hq_table *table, const char *text);
void table_add_format(hq_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes a text of the caller's and frees it. */
void table_add_own(hq_table *table, char *text);
/* Nothing, not even the heads, if there is no row. */
void table_print(const hq_table *table, FILE *stream);

/* a + b, or the largest or smallest number there is if that is beyond it: what brokers and stores tell may be anything.
 */
int64_t table_sum(int64_t a, int64_t b);

/* A copy of the text in which what would move the terminal's cursor is a '?'. The caller frees it, and these: */
char *table_safe(const char *text);
char *table_bytes(int64_t bytes);            /* "3.2 GiB" */
char *table_count(int64_t count);            /* "1,234,567" */
char *table_span(int64_t ms);                /* "0.25 s", "3 m 5 s", "2 d 3 h" */
char *table_share(int64_t part, int64_t of); /* "93.1%"; "-" of nothing */
char *table_date(int64_t wall_ms);           /* "2026-11-28 15:09:44", here */

#endif
