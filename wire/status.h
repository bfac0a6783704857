/* wire/status.h - STATE of docs/protocol.md, sections 4 and 4.6: how a broker stands, for those who look after it. */
#ifndef HQ_WIRE_STATUS_H
#define HQ_WIRE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"
#include "wire/report.h"

enum { HQ_STATUS_WORKERS = 5000, HQ_STATUS_QUERIES = 1000, HQ_STATUS_COUNTERS = 256, HQ_STATUS_TEXT = 256 };

typedef struct hq_worker_status {
    hq_hash id;
    const char *host, *version;
    int64_t slots, memory, under_way, done;
    int64_t evicted;          /* partitions it told of */
    int64_t heard_ms, age_ms; /* since it was heard of, and since its HELLO */
    hq_cache_report cache;    /* as it last told */
    bool is_draining;
} hq_worker_status;

typedef struct hq_query_status {
    hq_hash id;
    const char *user, *name, *state;
    const char *dataset; /* the first text of its dataset, of specs */
    int64_t specs, files, priority;
    int64_t subtasks, done, under_way, stored, entries, entries_total, age_ms, listeners;
} hq_query_status;

typedef struct hq_counter_status {
    const char *name;
    int64_t value;
} hq_counter_status;

typedef struct hq_broker_status {
    int64_t request;
    hq_hash id;
    const char *host, *version, *front, *back;
    int64_t uptime_ms, workers, slots, queries;
    hq_counter_status *counters;
    size_t counter_count;
    bool has_detail; /* the two lists are told, though they may be empty */
    hq_worker_status *worker_list;
    size_t worker_count;
    hq_query_status *query_list;
    size_t query_count;
} hq_broker_status;

/* A STATE. Texts are cut to HQ_STATUS_TEXT bytes, lists and counters to what the protocol has. */
hq_message *status_encode(const hq_broker_status *status);

/* What a STATE says. Its texts are the message's, which must outlive it; status_clear frees its lists. HQ_EPROTOCOL,
 * and nothing to clear, for a field that is missing, of another type or out of range, or a list that is too long. */
hq_error status_decode(hq_message *message, hq_broker_status *status_r, hq_reason *reason);
void status_clear(hq_broker_status *status);

#endif
