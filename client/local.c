#include "client/local.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/broker.h"
#include "worker/worker.h"

enum {
    SESSION_MS = 10000,
    LEASE_MS = 60000,
    STORE_TIMEOUT_MS = 10000,
    OPEN_FILES = 256,
    READERS = 4,
    MAX_QUERIES = 1000,
    PARTITION_ENTRIES = 100000
};
static const int64_t KEEP_MS = INT64_C(14) * 24 * 3600 * 1000;
static const int64_t MAX_SUBTASKS = 10000000;
static const int64_t QUERY_MEMORY = INT64_C(4) << 30;
static const int64_t STORE_PATIENCE_MS = 1; /* one attempt: a person's own answer does not wait for a cache of it */

struct hq_local {
    hq_broker *broker;
    hq_worker *worker;
    pthread_t broker_thread, worker_thread;
    bool has_broker_thread, has_worker_thread;
};

static void *run_broker(void *context)
{
    hq_reason reason = {{0}};
    if (broker_run(context, &reason))
        hq_log(HQ_LOG_ERROR, "local", "%s", reason.text);
    return NULL;
}

static void *run_worker(void *context)
{
    hq_reason reason = {{0}};
    if (worker_run(context, &reason))
        hq_log(HQ_LOG_ERROR, "local", "%s", reason.text);
    return NULL;
}

static hq_error start_broker(hq_local *local, const hq_local_settings *settings, char *name, hq_reason *reason)
{
    char *front = hq_format("inproc://hq-front-%s", name), *back = hq_format("inproc://hq-back-%s", name);
    char *coordinator = hq_format("local:%s", name);
    char *store = hq_strdup(settings->store), *datasets = hq_strdup(settings->datasets);
    /* A thread of this process does not vanish: the lease is long, so that a machine that slept loses nothing. */
    hq_broker_settings broker = {.front = front,
                                 .back = back,
                                 .coordinator = coordinator,
                                 .store = store,
                                 .datasets = datasets,
                                 .session_ms = SESSION_MS,
                                 .lease_ms = LEASE_MS,
                                 .keep_ms = KEEP_MS,
                                 .store_timeout_ms = STORE_TIMEOUT_MS,
                                 .limit_ms = settings->limit_ms,
                                 .partition_entries = PARTITION_ENTRIES,
                                 .attempts = 1,
                                 .max_queries = MAX_QUERIES,
                                 .max_subtasks = MAX_SUBTASKS,
                                 .query_memory = QUERY_MEMORY,
                                 .store_patience_ms = STORE_PATIENCE_MS,
                                 .remote = *settings->remote};
    hq_error error = broker_new(&broker, &local->broker, reason);
    free(front);
    free(back);
    free(coordinator);
    free(store);
    free(datasets);
    return error;
}

hq_error local_start(const hq_local_settings *settings, hq_local **local_r, hq_reason *reason)
{
    hq_local *local = hq_calloc(1, sizeof *local);
    hq_hash random = hash_random();
    char name[HQ_HASH_TEXT];
    hash_to_text(&random, name);
    hq_error error = start_broker(local, settings, name, reason);
    if (!error) {
        char *back = hq_strdup(broker_back(local->broker));
        hq_worker_settings worker = {.broker = back,
                                     .slots = settings->threads,
                                     .memory = settings->memory,
                                     .readers = settings->threads == 1 ? 0 : READERS,
                                     .open_files = OPEN_FILES,
                                     .remote = *settings->remote};
        error = worker_new(&worker, &local->worker, reason);
        free(back);
    }
    if (!error) {
        local->has_broker_thread = pthread_create(&local->broker_thread, NULL, run_broker, local->broker) == 0;
        local->has_worker_thread = pthread_create(&local->worker_thread, NULL, run_worker, local->worker) == 0;
        if (!local->has_broker_thread || !local->has_worker_thread)
            error = hq_fail(reason, HQ_ELIMIT, "no more threads");
    }
    if (error)
        local_stop(&local);
    else
        *local_r = local;
    return error;
}

const char *local_endpoint(const hq_local *local)
{
    return broker_front(local->broker);
}

void local_stop(hq_local **local_p)
{
    hq_local *local = *local_p;
    if (!local)
        return;
    /* The broker first: it drops its queries, so that the worker has nothing to finish. */
    if (local->has_broker_thread) {
        broker_stop(local->broker);
        pthread_join(local->broker_thread, NULL);
    }
    if (local->has_worker_thread) {
        worker_stop(local->worker);
        worker_stop(local->worker);
        pthread_join(local->worker_thread, NULL);
    }
    worker_free(&local->worker);
    broker_free(&local->broker);
    free(local);
    *local_p = NULL;
}
