/* client/ctl.h - what hq-ctl's commands share. Private to client/ctl*.c. */
#ifndef HQ_CLIENT_CTL_H
#define HQ_CLIENT_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/options.h"
#include "client/done.h"
#include "client/fleet.h"
#include "client/table.h"
#include "store/store.h"

enum { CTL_SHORT_ID = 8 }; /* digits of one in a table */

typedef enum hq_ctl_exit { CTL_DONE = 0, CTL_FAILED = 1, CTL_WRONG = 2, CTL_NOBODY = 3 } hq_ctl_exit;

typedef struct hq_ctl {
    char *broker, *coordinator, *user, *store, *dataset, *tree;
    int64_t timeout_ms, store_timeout_ms, interval_ms, limit;
    bool wants_json, watches, wants_all, says_yes, is_forced, wipes, waits;
    bool is_local, wants_results, wants_partials, wants_plans;
    int log_level;
    hq_arguments arguments; /* of the command */
} hq_ctl;

/* Each runs one command and gives back what main() shall. */
int ctl_status(const hq_ctl *ctl);
int ctl_queries(const hq_ctl *ctl);
int ctl_cancel(const hq_ctl *ctl);
int ctl_drain(const hq_ctl *ctl);
int ctl_init(const hq_ctl *ctl);
int ctl_stored(const hq_ctl *ctl);
int ctl_flush(const hq_ctl *ctl);
int ctl_datasets(const hq_ctl *ctl);

/* Says on stderr what went wrong, and gives back the exit code for it. */
int ctl_complain(hq_error error, const hq_reason *reason);
/* The store that the options name, or, with the code to exit with, NULL: then it has been said why. */
int ctl_open_store(const hq_ctl *ctl, hq_store **store_r);
/* Queries that are done, of the coordinator's /done and of the journal, for ctl_queries. The first asks the
 * coordinator; the second looks into the store, and prints a table or, with list_r, gives a list. An entry that both
 * have is told once. */
int ctl_find_done(const hq_ctl *ctl, hq_done_list *done_r);
int ctl_finished(const hq_ctl *ctl, const hq_done_list *done, json_t **list_r);
/* A field of a document of the store: a text, "" if there is none; a number or a date, 0 if there is none. */
const char *ctl_text_of(const bson_t *document, const char *key);
int64_t ctl_number_of(const bson_t *document, const char *key);
/* For JSON: a text, null if it is none; a field of a document, null if it has none. What anybody has written there may
 * be anything. */
json_t *ctl_text_json(const char *text);
void ctl_set_text(json_t *object, const bson_t *document, const char *key);
void ctl_set_number(json_t *object, const bson_t *document, const char *key);
/* For tables: the beginning of an id, and "/data/z-00.root and 7 more" of a document's dataset. */
void ctl_add_short(hq_table *table, const char *id);
void ctl_add_dataset(hq_table *table, const bson_t *document);
/* "s" unless it is one; the last part of a path, for tables. */
const char *ctl_plural(uint64_t count);
const char *ctl_base_name(const char *path);
/* Asks "question [y/N]" on the terminal, unless --yes was given; without a terminal it says that --yes is wanted. */
bool ctl_confirm(const hq_ctl *ctl, const char *question);
/* Who asks: --user or the login name. The caller frees it. */
char *ctl_user(const hq_ctl *ctl);
/* Writes the document to stdout and frees it: indented, or in one line for --watch. */
void ctl_print_json(const hq_ctl *ctl, json_t *document);

#endif
