/* broker/plans.c - what is known of files: planners read it from the store, each with a handle of its own; the store's
 * thread writes what they found out, after what queries wait for. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

enum {
    PLANS_BATCH = 256,        /* records of one write, so that others have their turn between */
    PLANS_WAITING = 64 << 20, /* bytes that may wait for a slow store; more are not kept */
    MOST_READ_MS = 2000,      /* opening files is never so slow that a store is worth a longer wait */
    AWAY_MS = 10000,          /* how long a store that failed is left alone */
};

struct hq_plan_stores {
    hq_handles *handles;
    pthread_mutex_t lock; /* over what follows */
    int64_t away_until_ms;
};

hq_plan_stores *plan_stores_new(const hq_broker_settings *settings)
{
    int64_t timeout_ms = settings->store_timeout_ms < MOST_READ_MS ? settings->store_timeout_ms : MOST_READ_MS;
    hq_handles *handles = handles_new(settings->store, (int)timeout_ms, settings->keep_ms);
    if (!handles)
        return NULL;
    hq_plan_stores *stores = hq_calloc(1, sizeof *stores);
    stores->handles = handles;
    pthread_mutex_init(&stores->lock, NULL);
    return stores;
}

void plan_stores_free(hq_plan_stores **stores_p)
{
    hq_plan_stores *stores = *stores_p;
    if (!stores)
        return;
    handles_free(&stores->handles);
    pthread_mutex_destroy(&stores->lock);
    free(stores);
    *stores_p = NULL;
}

static bool is_away(hq_plan_stores *stores)
{
    pthread_mutex_lock(&stores->lock);
    bool is = hq_now_ms() < stores->away_until_ms;
    pthread_mutex_unlock(&stores->lock);
    return is;
}

static void note_away(hq_plan_stores *stores)
{
    pthread_mutex_lock(&stores->lock);
    stores->away_until_ms = hq_now_ms() + AWAY_MS;
    pthread_mutex_unlock(&stores->lock);
}

hq_error plans_borrow(const hq_broker *broker, hq_store **store_r, hq_reason *reason)
{
    return handles_take(broker->plan_stores ? broker->plan_stores->handles : NULL, store_r, reason);
}

void plans_give_back(const hq_broker *broker, hq_store *store)
{
    if (store)
        handles_give(broker->plan_stores->handles, store);
}

/* In a planner's thread. A store that fails leaves files to be opened. */
static void look_up(void *context, const hq_hash *keys, size_t count, hq_shelf_take *take, void *taker)
{
    hq_plan_stores *stores = context;
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    if (is_away(stores))
        return;
    hq_error error = handles_take(stores->handles, &store, &reason);
    if (!error)
        error = store_get_plans(store, keys, count, take, taker, &reason);
    if (error) {
        note_away(stores);
        hq_log(HQ_LOG_WARN, "broker", "files are opened, as their plans cannot be had from the store: %s", reason.text);
    }
    handles_give(stores->handles, store);
}

hq_shared *plans_find_result(const hq_broker *broker, const hq_hash *fingerprint, uint64_t *entries_r)
{
    hq_plan_stores *stores = broker->plan_stores;
    hq_store *store = NULL;
    hq_shared *result = NULL;
    bson_t *document = NULL;
    hq_reason reason = {{0}};
    *entries_r = 0;
    if (!stores || is_away(stores))
        return NULL;
    hq_error error = handles_take(stores->handles, &store, &reason);
    if (!error)
        error = store_get_result(store, fingerprint, &document, &reason);
    if (!error)
        result = keep_read_result(document, entries_r);
    else if (error != HQ_ENOTFOUND)
        note_away(stores);
    if (document)
        bson_destroy(document);
    handles_give(stores->handles, store);
    return result;
}

hq_shelf plans_shelf(const hq_broker *broker, bool is_fresh)
{
    if (!broker->plan_stores)
        return (hq_shelf){.keeps = false};
    return (hq_shelf){.look_up = is_fresh ? NULL : look_up, .context = broker->plan_stores, .keeps = true};
}

/* ---- writing ---- */

typedef struct plans_job {
    hq_broker *broker;
    hq_record *records; /* with their bytes */
    size_t count, bytes;
} plans_job;

static void plans_run(void *context)
{
    plans_job *job = context;
    hq_plan_stores *stores = job->broker->plan_stores;
    hq_reason reason = {{0}};
    hq_error error = HQ_EUNCERTAIN;
    if (is_away(stores))
        return;
    for (int attempt = 0; attempt < 2 && error == HQ_EUNCERTAIN; attempt++)
        error = store_put_plans(job->broker->store, job->records, job->count, &reason);
    if (error) {
        note_away(stores);
        hq_log(HQ_LOG_WARN, "broker", "plans of files are not kept, those are opened again: %s", reason.text);
    }
}

static void plans_end(void *context)
{
    plans_job *job = context;
    job->broker->plan_bytes_waiting -= job->bytes;
    for (size_t i = 0; i < job->count; i++)
        free((void *)job->records[i].bytes);
    free(job->records);
    free(job);
}

static plans_job *job_of(hq_broker *broker, const hq_record *records, size_t count)
{
    plans_job *job = hq_calloc(1, sizeof *job);
    *job = (plans_job){.broker = broker, .records = hq_calloc(count, sizeof *job->records), .count = count};
    memcpy(job->records, records, count * sizeof *records);
    for (size_t i = 0; i < count; i++)
        job->bytes += records[i].size;
    return job;
}

void plans_keep(hq_broker *broker, hq_shelf *shelf)
{
    size_t at = 0;
    while (at < shelf->record_count && broker->plan_bytes_waiting < PLANS_WAITING) {
        size_t count = shelf->record_count - at < PLANS_BATCH ? shelf->record_count - at : PLANS_BATCH;
        plans_job *job = job_of(broker, shelf->records + at, count);
        broker->plan_bytes_waiting += job->bytes;
        jobs_give(broker->keeper, plans_run, plans_end, job);
        at += count;
    }
    /* What was handed on is not the shelf's any more. */
    for (size_t i = 0; i < at; i++)
        shelf->records[i].bytes = NULL;
    shelf_clear(shelf);
}
