/* client/session.h - queries asked of one broker, one after another: submit, watch, cancel.
 *
 * A session belongs to one thread, but for session_interrupt.
 */
#ifndef HQ_CLIENT_SESSION_H
#define HQ_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "query/hist.h"
#include "query/program.h"

typedef struct hq_session hq_session;

/* Connects, which does not wait for anybody to be there. endpoint is a broker's front. */
hq_error session_open(const char *endpoint, hq_session **session_r, hq_reason *reason);
void session_close(hq_session **session_p);

typedef struct hq_submission {
    const char *name, *text;  /* the query, and what to call it in messages */
    const char *const *specs; /* files, globs, a dataset's name: as docs/protocol.md's SUBMIT has them */
    size_t spec_count;
    const char *user;
    int priority;
    bool is_fresh, wants_progress, skips_bad;
    int64_t partition_entries; /* 0 for the broker's own */
} hq_submission;

/* Sends it; HQ_ELIMIT if its texts are too long for one message. What comes of it is told by session_next, up to DONE,
 * FAILED or REJECTED; then the next one may be submitted. */
hq_error session_submit(hq_session *session, const hq_submission *submission, hq_reason *reason);
/* Listens to a query that is under way, instead of submitting one. */
hq_error session_attach(hq_session *session, const hq_hash *query, bool wants_progress, hq_reason *reason);
/* Cancels what was asked last, accepted or not; after its end nothing happens. */
void session_cancel(hq_session *session);
/* Asks for a sign of life: an HQ_EVENT_STATE will come if the broker is there. */
void session_probe(hq_session *session);

typedef enum hq_event_kind {
    HQ_EVENT_STATE,    /* the broker is there: broker, workers */
    HQ_EVENT_ACCEPTED, /* query, subtasks, entries, stored, has_joined */
    HQ_EVENT_PROGRESS, /* query and all counts; hists, or NULL; may come before HQ_EVENT_ACCEPTED */
    HQ_EVENT_DONE,     /* the same; hists is the result */
    HQ_EVENT_FAILED,   /* error, text, is_cancelled */
    HQ_EVENT_REJECTED  /* is_cancelled, error, text; complaint if the query's text is wrong (its message is then not
                          empty) */
} hq_event_kind;

typedef struct hq_event {
    hq_event_kind kind;
    char query[HQ_HASH_TEXT], broker[HQ_HASH_TEXT];
    int64_t subtasks, done, stored, entries, read_bytes, cached_bytes, elapsed_ms, workers;
    bool has_joined, is_from_store, is_kept, is_cancelled;
    hq_error error;
    hq_reason text;
    hq_complaint complaint;
    int64_t left_out_count; /* of DONE: files that could not be read; left_out has the first of them, at least */
    struct hq_bad_file {
        char *path, *text;
    } *left_out;
    size_t left_out_told;
    hq_histset *hists; /* the event's: event_clear frees it */
} hq_event;

/* The next event, at most timeout_ms later: HQ_ETIMEOUT if none comes. HQ_ECANCELLED once after each session_interrupt.
 * Messages that are malformed or of another query are logged and passed over. */
hq_error session_next(hq_session *session, int timeout_ms, hq_event *event_r, hq_reason *reason);
void event_clear(hq_event *event);

/* From any thread: makes session_next return. */
void session_interrupt(hq_session *session);

#endif
