/* broker/internal.h - what the broker's files share. Everything here belongs to the loop's thread, but for what a job
 * holds.
 *
 *   broker.c   sockets, loop, ticks              query.c   a query's life, from plan to DONE
 *   clients.c  the front's messages              plan.c    job: files and text become partitions and a program
 *   workers.c  the back's messages, hand-out     keep.c    jobs: what the store has and gets
 *   status.c   what those ask who look after it  plans.c   what is known of files, from the store and to it
 *   users.c    what users may have               named.c   datasets that have a name in the store
 *   answers.c  what comes of subtasks            merge.c   jobs: partials become the result
 *   viewers.c  who listens, and is told when
 */
#ifndef HQ_BROKER_INTERNAL_H
#define HQ_BROKER_INTERNAL_H

#include <czmq.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/hash.h"
#include "broker/broker.h"
#include "broker/flaws.h"
#include "broker/handles.h"
#include "broker/jobs.h"
#include "broker/schedule.h"
#include "broker/shared.h"
#include "broker/sink.h"
#include "data/dataset.h"
#include "data/shelf.h"
#include "query/program.h"
#include "store/store.h"
#include "wire/entry.h"
#include "wire/message.h"
#include "wire/records.h"
#include "wire/report.h"
#include "zk/coordinator.h"

enum {
    HQ_PROGRESS_MS = 100, /* between two PROGRESS to one client */
    HQ_MERGERS = 2,
    HQ_TICK_MS = 200,
    HQ_UPDATE_MS = 500,         /* between two updates of one query's znode */
    HQ_UPDATE_BYTES = 64 << 10, /* and so often more, as many times as its entry has this many bytes */
    HQ_SWEEP_MS = 3600 * 1000,
    HQ_PARTIALS_BATCH = 16384,      /* partials of one write to the store */
    HQ_PARTIALS_BYTES = 4 << 20,    /* likewise */
    HQ_PARTIALS_HELD = 64 << 10,    /* bytes of one that is not copied out of its message */
    HQ_PARTIALS_WAITING = 64 << 20, /* bytes of partials that may wait for a slow store; more are not kept */
    HQ_RESULT_BYTES = 15 << 20,     /* a document of MongoDB holds 16 MiB */
    HQ_STORE_RETRY_MS = 500
};

typedef struct hq_outcome_job hq_outcome_job; /* keep.c */
typedef struct hq_plan_stores hq_plan_stores; /* plans.c */

typedef struct hq_telling hq_telling; /* workers.c */

/* Whether a worker was sent QUERY. One that says it does not know the query is told again before it gets another
 * subtask; it may know it all the same, and is told to drop it like the others. */
enum { QUERY_UNTOLD, QUERY_TOLD, QUERY_DOUBTED };

typedef struct hq_viewer hq_viewer; /* viewers.c: a client that listens to queries */

/* One that a query's end is told to. */
typedef struct hq_listener {
    struct hq_query *query;
    hq_viewer *viewer; /* who that is */
    size_t place;      /* among the query's */
    int32_t request;
    bool wants_progress, has_joined, was_accepted;
    /* For one that wants progress. */
    struct hq_listener *next, *previous; /* in its viewer's line if it is waiting, else among its query's caught up */
    bool is_waiting;                     /* there is something new that it was not told */
    bool is_asked;                       /* and that is being made for it */
    bool was_shown;
    hq_message *held; /* PROGRESS that waits until its viewer may be told again */
    uint32_t held_news;
} hq_listener;

typedef enum hq_query_state {
    QUERY_PENDING,
    QUERY_STAGING,
    QUERY_RUNNING,
    QUERY_SUCCESSFUL,
    QUERY_FAILED,
    QUERY_CANCELLED
} hq_query_state;

/* Where the query's znode is. */
typedef enum hq_place {
    PLACE_NOWHERE,
    PLACE_SUBMITTING,
    PLACE_OWNING,
    PLACE_OWNED,
    PLACE_FINISHING,
    PLACE_DONE
} hq_place;

/* What came of one subtask, out of its message: of a query that is merged behind the loop. */
typedef struct hq_arrival {
    struct hq_arrival *next;
    hq_answer answer;    /* its contents are the bytes below, or are in the message */
    hq_message *message; /* of large contents, which are not copied; else NULL */
    uint32_t worker;     /* the scheduler's number, and who that was */
    hq_hash worker_id;
    bool is_late;        /* it was counted before, or is of a file that was left out */
    hq_failure *failure; /* of the worker, or that the bytes do not fit; else NULL */
    uint8_t bytes[];
} hq_arrival;

typedef struct hq_merging {    /* merge.c */
    bool is_behind;            /* the loop, by the mergers; else the loop merges */
    uint32_t jobs;             /* under way */
    bool is_alone;             /* the one that is has the sink's trees for itself */
    hq_arrival *first, **last; /* that wait for the next one */
    size_t count, bytes;       /* of those, and of those in jobs */
    size_t answer_bytes;       /* of late; 0: none has come */
    uint64_t *taken;           /* a bit for each subtask: is one of its answers in a job? */
    uint32_t *cuts;
    size_t cut_count, cut_capacity;
    bool is_to_watch, is_to_show, is_to_end;
} hq_merging;

typedef struct hq_query {
    hq_broker *broker;
    int references; /* callbacks and jobs under way */
    hq_hash id;
    char id_text[HQ_HASH_TEXT];
    uint32_t handle;
    hq_query_state state;
    hq_place place;
    bool is_removed;         /* from the broker's active queries */
    atomic_bool is_unwanted; /* planners read it: it is planned no further */

    bson_t *request; /* wire/entry.h; once it is planned, the entry */
    char *name, *text, *user, *first_spec;
    int64_t spec_count;
    int priority;
    bool is_fresh, skips_bad;
    int64_t partition_entries;
    hq_listener **listeners;
    size_t listener_count, listener_capacity;
    hq_listener *caught_up, *caught_up_last; /* of those that want progress */

    hq_program *program;
    hq_dataset *dataset;
    hq_hash program_print, fingerprint;
    uint32_t files_failed; /* left out while it ran; at its end they are taken out of the dataset */
    hq_sink *sink;
    hq_merging merging;
    hq_shared *result; /* encoded; once it is complete */
    hq_work *work;
    char *entry;       /* the znode's name */
    uint8_t *known_by; /* for each worker number: QUERY_UNTOLD or one of those beside it */
    size_t known_count;
    hq_telling *telling; /* what workers are told of it; NULL until one is */

    bool is_updating; /* its standing in the coordinator */
    int64_t updated_ms;
    uint32_t updated_done;
    int64_t submitted_ms, submitted_wall_ms, planned_ms, started_ms, computed_ms, told_ms;
    uint32_t news;   /* answers counted, to tell whether there was one */
    bool is_telling; /* PROGRESS is being made, last at told_ms */
    int64_t show_ms; /* least time between two: making them is to cost a tenth of it */
    uint32_t stored, duplicates, requeued;
    uint64_t entries, read_bytes, cached_bytes;
    bool is_from_store, is_kept, is_settled /* the store has what it shall get */;
    hq_error error;
    hq_reason reason;
    uint32_t fault_line;

    hq_partial *partials; /* not yet given to the store; without bytes if those are the next ones of partial_bytes */
    size_t partial_count, partial_capacity, partial_size; /* size: of all together */
    hq_buffer partial_bytes;
    hq_arrival *partial_arrivals; /* that hold the bytes of the others */
} hq_query;

typedef struct hq_node { /* a worker, as the broker sees it */
    hq_peer peer;
    hq_hash id;
    char id_text[HQ_HASH_TEXT];
    char *host, *version;
    uint32_t number; /* the scheduler's */
    uint32_t slots;
    int64_t heard_ms, joined_ms;
    bool was_member; /* its ephemeral node was seen */
    bool is_draining;
    int64_t memory, done;   /* subtasks it has answered */
    int64_t evicted;        /* partitions it told of */
    hq_cache_report report; /* the last one; all 0 until one has come */
} hq_node;

typedef struct hq_broker_counters {
    int64_t queries, joined, from_store, rejected, failed, cancelled, malformed, subtasks, duplicates, requeued,
        workers_lost, partials_kept, partials_lost, evicted, files_left_out, plans_found, plans_opened, plans_replaced,
        plans_bad;
} hq_broker_counters;

typedef struct hq_user_share hq_user_share; /* users.c */

struct hq_broker {
    hq_broker_settings settings;
    hq_user_share *shares;
    size_t share_count, share_capacity;
    hq_hash id;
    char id_text[HQ_HASH_TEXT];
    char *host, *front_endpoint, *back_endpoint;
    zsock_t *front, *back;
    hq_coordinator *coordinator;
    bool is_connected; /* to the coordinator */
    hq_store *store;   /* the store thread's only; NULL for "none" */
    hq_remote *remote; /* the planners' */
    hq_jobs *planner, *keeper, *lookers, *mergers;
    hq_plan_stores *plan_stores; /* the planners' */
    hq_handles *look_stores;     /* the lookers' */
    hq_scheduler *scheduler;
    hq_flaws *flaws; /* the planners' too */
    int stop_fd;
    bool is_stopping;

    hq_query **active;
    size_t active_count, active_capacity;
    hq_query **gone; /* over, but a callback is still to come */
    size_t gone_count, gone_capacity;
    hq_query **by_handle;
    size_t handle_count, handle_capacity;

    hq_node **nodes; /* by the scheduler's number; NULL for none */
    size_t node_count, node_capacity;
    size_t live_nodes;
    zhashx_t *node_by_peer;

    hq_viewer **viewers; /* a heap, who is due first on top */
    size_t viewer_count, viewer_capacity;
    zhashx_t *viewer_by_peer;

    size_t partial_bytes_waiting, plan_bytes_waiting;
    struct hq_bundle *bundles;        /* of partials that the keeper has */
    size_t merging;                   /* answers that the mergers have or will get */
    hq_outcome_job *waiting_outcomes; /* for the store to be there */
    int64_t heard_us;                 /* when the answers that are just being counted came */
    int64_t hand_out_us; /* when a worker may be given something though nothing happens; INT64_MAX: never */
    int64_t begun_ms, ticked_ms, swept_ms, leases_ms;
    hq_broker_counters counters;
};

/* clients.c */
void clients_receive(hq_broker *broker);
void clients_accept(hq_query *query); /* ACCEPTED to every listener that had none */
void clients_reject(hq_query *query, hq_error error, const char *text, const hq_complaint *complaint);
/* PROGRESS for one listener, not sent yet; shown may be NULL. */
hq_message *clients_progress(const hq_listener *listener, hq_shared *shown);
void clients_done(hq_query *query);
void clients_failed(hq_query *query);
/* The query's listeners listen to its twin from now on, or are refused if those are too many. */
void clients_join(hq_query *query, hq_query *twin);
/* HQ_ENOTFOUND if the client is gone; it needs no answer then. */
hq_error clients_tell(hq_broker *broker, hq_message **message_p);
void clients_refuse(hq_broker *broker, const hq_peer *peer, int32_t request, hq_error error, const char *text);
void clients_malformed(hq_broker *broker, const hq_peer *peer, hq_error error, const char *text);

/* viewers.c: a listener belongs to its query, and is told how far that is if it wants progress, accepted or not. */
hq_listener *viewers_add(hq_query *query, const hq_peer *peer, int32_t request, bool wants_progress);
void viewers_remove(hq_listener **listener_p);
void viewers_clear(hq_query *query); /* nobody listens to it any more */
void viewers_free(hq_broker *broker);
hq_listener *viewers_find(const hq_query *query, const hq_peer *peer); /* NULL if that client does not listen to it */
const hq_peer *viewers_peer(const hq_listener *listener);
/* To how many queries the client listens. */
size_t viewers_listening(const hq_broker *broker, const hq_peer *peer);
/* Something was counted. */
void viewers_news(hq_query *query);
/* The histograms so far, for whom they are due; NULL if they are too large. */
void viewers_show(hq_query *query, hq_shared *shown);
/* The last state of a query, at once, for those that were shown none. */
void viewers_show_last(hq_query *query, hq_shared *shown);
/* Shows what is due. Gives back when the next is; INT64_MAX if something must happen before. */
int64_t viewers_tick(hq_broker *broker, int64_t now_ms);

/* status.c: answers to STATUS, STOP and DRAIN */
void status_asked(hq_broker *broker, const hq_message *message);
void stop_asked(hq_broker *broker, const hq_message *message);
void drain_asked(hq_broker *broker, const hq_message *message);

/* workers.c */
void workers_receive(hq_broker *broker);
void workers_hand_out(hq_broker *broker);
void workers_drop_query(hq_query *query);
void workers_drop_subtask(const hq_query *query, uint32_t worker, uint32_t index); /* another has answered it */
void workers_forget_query(hq_query *query);                                        /* when it is freed */
/* Tells the worker to drain; false if there is none of that id. */
bool workers_drain(hq_broker *broker, const hq_hash *id);
void workers_check_leases(hq_broker *broker, int64_t now_ms);
void workers_members(void *broker, hq_error error, const char *detail, const hq_member *members, size_t count);
void workers_free(hq_broker *broker);

/* query.c */
hq_query *query_new(hq_broker *broker);
void query_plan(hq_query *query);
/* Takes the next step towards the end, if it is due. */
void query_advance(hq_query *query);
void query_fail(hq_query *query, hq_error error, const char *text);
void query_cancel(hq_query *query, const char *why);
void query_tick(hq_query *query, int64_t now_ms);
/* When its histograms may be shown again; INT64_MAX while they are, and when it is over. */
int64_t query_show_due_ms(const hq_query *query);
hq_sink *query_new_sink(const hq_query *query);
void query_hold(hq_query *query);
void query_release(hq_query *query);
/* Frees the queries that are over and that nothing holds. */
void query_bury(hq_broker *broker);
void query_free(hq_query **query_p);
/* What the scheduler knows a partition by. */
uint64_t query_key(const hq_hash *partition);
hq_query *query_find(hq_broker *broker, const hq_hash *id);
bool query_is_over(const hq_query *query);
const char *query_state_name(hq_query_state state);

/* answers.c. The answer's contents are in the message. */
/* An answer to the subtask is about to be counted. */
void query_expect(const hq_query *query, uint32_t index);
void query_answered(hq_query *query, const hq_node *node, const hq_answer *answer, hq_message *message);
void query_answer_failed(hq_query *query, const hq_node *node, uint32_t index, const hq_failure *failure);

/* users.c */
hq_error users_prepare(hq_broker *broker, const char *shares, hq_reason *reason);
void users_free(hq_broker *broker);
double users_weight(const hq_broker *broker, const char *user);
/* HQ_ELIMIT if the query's user has as much under way as one may. */
hq_error users_check(const hq_query *query, hq_reason *reason);

/* plan.c: gives the job; plan_done of query.c is called with its outcome. */
typedef struct hq_plan {
    hq_query *query;
    char **specs;
    size_t spec_count;
    hq_error error;
    hq_reason reason;
    hq_complaint complaint;
    hq_program *program;
    hq_dataset *dataset;
    hq_hash program_print, fingerprint;
    hq_shelf shelf;
    hq_shared *result; /* NULL if the store has none, or was not asked */
    uint64_t result_entries;
    bson_t *entry; /* of the request; NULL if it is answered already */
} hq_plan;

void plan_give(hq_query *query);
hq_hash plan_fingerprint(const hq_hash *program_print, const hq_dataset *dataset);
void plan_done(hq_plan *plan); /* query.c; takes program, dataset and result out of it */

/* plans.c: NULL if there is no store that planners can read. */
hq_plan_stores *plan_stores_new(const hq_broker_settings *settings);
void plan_stores_free(hq_plan_stores **stores_p);
/* For one planning, and to be handed back when that is over; a query that is to be computed anew finds nothing there.
 */
hq_shelf plans_shelf(const hq_broker *broker, bool is_fresh);
void plans_keep(hq_broker *broker, hq_shelf *shelf);
/* In a planner's thread: the result of that fingerprint. NULL if there is none, or no store answers; the store's own
 * thread is asked then. */
hq_shared *plans_find_result(const hq_broker *broker, const hq_hash *fingerprint, uint64_t *entries_r);
/* A handle on the store for a planner's thread, to be given back (NULL too). HQ_ENOTFOUND if there is no store. */
hq_error plans_borrow(const hq_broker *broker, hq_store **store_r, hq_reason *reason);
void plans_give_back(const hq_broker *broker, hq_store *store);

/* named.c: the files of a dataset in the store, in a planner's thread. HQ_ENOTFOUND if it has none of that name. */
hq_error named_specs(const hq_broker *broker, const char *name, char ***specs_r, size_t *count_r, hq_reason *reason);

/* merge.c: for a query that has a sink */
void merge_begin(hq_query *query);
/* What came of a subtask of a query that is merged behind the loop: an answer whose contents are in the message, or a
 * failure (message is NULL then, else failure is). query_merged is called for each, in the order of their coming,
 * unless it is dropped. */
void merge_give(hq_query *query, const hq_node *node, const hq_answer *answer, hq_message *message,
                const hq_failure *failure);
void merge_leave_out(hq_query *query, uint32_t file);
void merge_watch(hq_query *query);
void merge_show(hq_query *query);      /* query_shown is called, perhaps at once */
void merge_end_query(hq_query *query); /* query_has_result is called, perhaps at once */
void merge_drop(hq_query *query);      /* nothing that waits is of interest any more */
void merge_clear(hq_query *query);
/* How many of the query's subtasks may be under way, that their answers have room. */
uint32_t merge_most_at_once(const hq_query *query);
/* Tells the scheduler; called when it may have changed. */
void merge_pace(hq_query *query);
/* An answer of that size has come. False if there is no room for it while others wait to be merged. */
bool merge_has_room(hq_query *query, size_t size);
void arrival_free(hq_arrival **arrival_p);
/* answers.c. An arrival that is kept is taken. */
void query_merged(hq_query *query, hq_arrival **arrival_p);
/* query.c. What is shown (NULL if that is too large) and the result are the caller's. */
void query_shown(hq_query *query, hq_shared *shown, int64_t took_us);
void query_has_result(hq_query *query, hq_shared *result);

/* keep.c */
typedef struct hq_lookup {
    hq_query *query;
    hq_shared *result; /* NULL if there is none */
    uint64_t entries;  /* of the result, or of the partials */
    hq_sink *sink;     /* the partials, merged; NULL if there are none */
    uint32_t stored;   /* how many */
    /* of the run: partitions by identity */
    struct hq_identity *identities;
    size_t identity_count;
} hq_lookup;

void keep_prepare(hq_broker *broker);
/* Out of a result's document; NULL if it cannot be read, which is logged. */
hq_shared *keep_read_result(const bson_t *document, uint64_t *entries_r);
void keep_look_up(hq_query *query);
void lookup_done(hq_lookup *lookup);                    /* query.c; takes result and sink out of it */
void keep_partials(hq_query *query);                    /* those gathered; no wait */
void keep_outcome(hq_query *query);                     /* result, if there is one, and journal */
void outcome_kept(hq_query *query, bool is_kept);       /* query.c */
void keep_try_again(hq_broker *broker, int64_t now_ms); /* what waits for the store */
void keep_sweep(hq_broker *broker);
void keep_free(hq_broker *broker);

#endif
