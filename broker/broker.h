/* broker/broker.h - a broker: takes queries from clients, hands their subtasks to workers, gathers the partials, keeps
 * the results.
 *
 * The way of a query through it is that of docs/architecture.md, its messages are those of docs/protocol.md. One thread
 * runs the loop (broker_run); behind it some open files, one keeps what is to be stored, and some merge what is large.
 */
#ifndef HQ_BROKER_BROKER_H
#define HQ_BROKER_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/remote.h"

typedef struct hq_broker hq_broker;

typedef struct hq_broker_settings {
    char *front, *back; /* end points to bind; a port may be "*" */
    char *advertise;    /* host name that others reach this one by; NULL: the one bound, or the host's own name for a
                           wildcard */
    char *coordinator;  /* see zk/coordinator.h */
    char *store;        /* see store/store.h, or "none" */
    char *datasets;     /* file of named datasets, or NULL */
    int64_t session_ms; /* of the coordinator */
    int64_t lease_ms;   /* a worker silent for so long is given up */
    int64_t keep_ms;    /* how long results, partials and plans are kept */
    int64_t store_timeout_ms;  /* of one call to the store */
    int64_t limit_ms;          /* time a subtask may take; 0 for no limit */
    int64_t partition_entries; /* aim of the cutting */
    int64_t attempts;          /* a subtask that failed on so many workers fails its query */
    int64_t max_queries, max_subtasks;
    int64_t user_queries, user_subtasks; /* that one user may have under way; 0: no limit */
    int64_t client_queries,
        query_listeners; /* that one client may wait for; that may wait for one query; 0: no limit */
    char *shares;   /* "alice=2 bob=0.5": weights of users' shares of the workers' time, 1 for all others; or NULL */
    bool is_random; /* subtasks go to any worker, whatever it holds: for measurements */
    int64_t query_memory; /* bytes of partials of one query that wait to be merged; 0: no limit */
    hq_remote_settings remote;
    int64_t remember_bad_ms;   /* a file that failed is left out so long, untried, by who skips bad files; 0: not */
    int64_t store_patience_ms; /* DONE waits so long for a store that is away, then goes without it; 0: for ever */
} hq_broker_settings;

/* Binds, opens coordinator and store (which may be away still). The settings are copied. */
hq_error broker_new(const hq_broker_settings *settings, hq_broker **broker_r, hq_reason *reason);
/* After broker_run has returned. */
void broker_free(hq_broker **broker_p);

/* Where it listens. */
const char *broker_front(const hq_broker *broker);
const char *broker_back(const hq_broker *broker);

/* The loop. Returns after broker_stop. Queries under way stay in the coordinator; their clients are told. */
hq_error broker_run(hq_broker *broker, hq_reason *reason);
/* From any thread or signal handler. */
void broker_stop(hq_broker *broker);

#endif
