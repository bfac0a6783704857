/* broker/keep.c - the jobs that ask the store, the lookers' and the keeper's: what is there already, what is to be
 * kept. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

/* ---- at the start: indexes, and whether the server is there ---- */

static void prepare_run(void *context)
{
    hq_broker *broker = context;
    hq_reason reason = {{0}};
    hq_error error = store_prepare(broker->store, &reason);
    if (error)
        hq_log(HQ_LOG_WARN, "broker", "the store is not ready: %s; queries run, and results are kept when it is back",
               reason.text);
}

static void nothing_more(void *context)
{
    (void)context;
}

void keep_prepare(hq_broker *broker)
{
    if (broker->store)
        jobs_give(broker->keeper, prepare_run, nothing_more, broker);
}

static void sweep_run(void *context)
{
    hq_broker *broker = context;
    uint64_t removed = 0;
    hq_reason reason = {{0}};
    hq_error error = store_sweep(broker->store, &removed, &reason);
    if (error)
        hq_log(HQ_LOG_WARN, "broker", "sweeping the store: %s", reason.text);
    else if (removed)
        hq_log(HQ_LOG_INFO, "broker", "swept %llu expired documents", (unsigned long long)removed);
}

void keep_sweep(hq_broker *broker)
{
    if (broker->store)
        jobs_give(broker->keeper, sweep_run, nothing_more, broker);
}

/* Partials on their way to the store. */
typedef struct hq_bundle {
    struct hq_bundle *next, **back; /* of the broker's */
    hq_query *query;
    hq_partial *partials;
    size_t count, size; /* size: of their bytes together */
    hq_buffer bytes;
    hq_arrival *arrivals; /* that hold the bytes of the large ones */
    hq_error error;
} bundle;

/* ---- before a query starts: the whole result, or partials of its partitions ---- */

typedef struct hq_identity {
    hq_hash hash;
    uint32_t index;
} hq_identity;

static int compare_identities(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(hq_hash));
}

static void index_partitions(hq_lookup *lookup)
{
    const hq_dataset *dataset = lookup->query->dataset;
    lookup->identity_count = dataset->partition_count;
    lookup->identities = hq_alloc(lookup->identity_count * sizeof *lookup->identities);
    for (size_t i = 0; i < lookup->identity_count; i++)
        lookup->identities[i] = (hq_identity){dataset_partition_identity(dataset, i), (uint32_t)i};
    qsort(lookup->identities, lookup->identity_count, sizeof *lookup->identities, compare_identities);
}

/* Merged here and now, so that they need no memory but what the sink's trees need, and the loop is not kept waiting. */
static void note_partial(void *context, const hq_partial *partial)
{
    hq_lookup *lookup = context;
    const hq_dataset *dataset = lookup->query->dataset;
    if (!lookup->identities)
        index_partitions(lookup);
    const hq_identity *identity = bsearch(&partial->partition, lookup->identities, lookup->identity_count,
                                          sizeof *lookup->identities, compare_identities);
    if (!identity)
        return;
    const hq_partition *partition = &dataset->partitions[identity->index];
    hq_reason reason = {{0}};
    if (partial->entries != partition->last - partition->first)
        return;
    if (!lookup->sink)
        lookup->sink = query_new_sink(lookup->query);
    /* They come in no order: what would fill the memory with gaps is computed again, in order (broker/merge.c). */
    size_t limit = (size_t)lookup->query->broker->settings.query_memory;
    if (limit && sink_bytes(lookup->sink) + partial->size > limit / 2)
        return;
    hq_error error = sink_add(lookup->sink, identity->index, partial->bytes, partial->size, &reason);
    if (error == HQ_EEXISTS)
        return;
    if (error) {
        hq_log(HQ_LOG_WARN, "broker", "query %s: a partial in the store is of no use, it is computed again: %s",
               lookup->query->id_text, reason.text);
        return;
    }
    lookup->entries += partial->entries;
    lookup->stored++;
}

hq_shared *keep_read_result(const bson_t *document, uint64_t *entries_r)
{
    bson_iter_t iter;
    bson_subtype_t subtype;
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    hq_histset *set = NULL;
    hq_reason reason = {{0}};
    *entries_r = 0;
    if (!bson_iter_init_find(&iter, document, "hists") || !BSON_ITER_HOLDS_BINARY(&iter))
        return NULL;
    bson_iter_binary(&iter, &subtype, &size, &bytes);
    if (histset_decode_whole(bytes, size, &set, &reason)) {
        hq_log(HQ_LOG_WARN, "broker", "a result in the store cannot be read, it is computed again: %s", reason.text);
        return NULL;
    }
    histset_free(&set);
    hq_buffer copy = {0};
    buffer_append(&copy, bytes, size);
    if (bson_iter_init_find(&iter, document, "entries") && BSON_ITER_HOLDS_INT64(&iter))
        *entries_r = (uint64_t)bson_iter_int64(&iter);
    return shared_new(&copy);
}

static void look_up(hq_lookup *lookup, hq_store *store)
{
    const hq_query *query = lookup->query;
    hq_reason reason = {{0}};
    bson_t *document = NULL;
    hq_error error = store_get_result(store, &query->fingerprint, &document, &reason);
    if (!error)
        lookup->result = keep_read_result(document, &lookup->entries);
    if (document)
        bson_destroy(document);
    if (!lookup->result && (!error || error == HQ_ENOTFOUND))
        error = store_get_partials(store, &query->program_print, note_partial, lookup, &reason);
    if (error && error != HQ_ENOTFOUND)
        hq_log(HQ_LOG_WARN, "broker", "query %s: the store was not asked, everything is computed: %s", query->id_text,
               reason.text);
}

/* In the keeper's thread, and in a looker's. */
static void lookup_run(void *context)
{
    hq_lookup *lookup = context;
    look_up(lookup, lookup->query->broker->store);
}

static void lookup_run_aside(void *context)
{
    hq_lookup *lookup = context;
    hq_handles *handles = lookup->query->broker->look_stores;
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    if (handles_take(handles, &store, &reason))
        hq_log(HQ_LOG_WARN, "broker", "query %s: the store was not asked, everything is computed: %s",
               lookup->query->id_text, reason.text);
    else
        look_up(lookup, store);
    handles_give(handles, store);
}

static void lookup_end(void *context)
{
    hq_lookup *lookup = context;
    hq_query *query = lookup->query;
    lookup_done(lookup);
    shared_release(&lookup->result);
    sink_free(&lookup->sink);
    free(lookup->identities);
    free(lookup);
    query_release(query);
}

static bool is_same_program(const hq_query *one, const hq_query *other)
{
    return memcmp(&one->program_print, &other->program_print, sizeof one->program_print) == 0;
}

/* Whether the keeper has partials or a result of its program that are not written yet: of a query that was cancelled or
 * that has just ended. */
static bool is_being_written(const hq_query *query)
{
    const hq_broker *broker = query->broker;
    for (const bundle *batch = broker->bundles; batch; batch = batch->next)
        if (is_same_program(batch->query, query))
            return true;
    for (size_t i = 0; i < broker->active_count; i++) {
        const hq_query *other = broker->active[i];
        if (other->state == QUERY_SUCCESSFUL && !other->is_settled && is_same_program(other, query))
            return true;
    }
    return false;
}

/* Beside what the keeper does, so that a slow answer holds up no other query; behind it if it is about what is just
 * being written, or if there is but one handle. */
void keep_look_up(hq_query *query)
{
    hq_broker *broker = query->broker;
    hq_lookup *lookup = hq_calloc(1, sizeof *lookup);
    lookup->query = query;
    query_hold(query);
    if (broker->look_stores && !is_being_written(query))
        jobs_give(broker->lookers, lookup_run_aside, lookup_end, lookup);
    else
        jobs_give(broker->keeper, lookup_run, lookup_end, lookup);
}

/* ---- while it runs: partials ---- */

static void bundle_run(void *context)
{
    bundle *batch = context;
    hq_reason reason = {{0}};
    for (int attempt = 0; attempt < 3; attempt++) {
        batch->error = store_put_partials(batch->query->broker->store, &batch->query->program_print, batch->partials,
                                          batch->count, &reason);
        if (batch->error != HQ_EUNCERTAIN)
            break;
    }
    /* Here, as the loop need not free what is large. */
    for (hq_arrival *arrival; (arrival = batch->arrivals);) {
        batch->arrivals = arrival->next;
        arrival_free(&arrival);
    }
    /* Partials only spare computing later: the query does not depend on them. */
    if (batch->error)
        hq_log(HQ_LOG_WARN, "broker", "query %s: %zu partials not kept: %s", batch->query->id_text, batch->count,
               reason.text);
}

static void bundle_end(void *context)
{
    bundle *batch = context;
    hq_query *query = batch->query;
    *batch->back = batch->next;
    if (batch->next)
        batch->next->back = batch->back;
    query->broker->partial_bytes_waiting -= batch->size;
    if (batch->error)
        query->broker->counters.partials_lost += (int64_t)batch->count;
    else
        query->broker->counters.partials_kept += (int64_t)batch->count;
    for (hq_arrival *arrival; (arrival = batch->arrivals);) {
        batch->arrivals = arrival->next;
        arrival_free(&arrival);
    }
    free(batch->partials);
    buffer_clear(&batch->bytes);
    free(batch);
    query_release(query);
}

void keep_partials(hq_query *query)
{
    if (query->partial_count == 0)
        return;
    bundle *batch = hq_calloc(1, sizeof *batch);
    *batch = (bundle){.query = query,
                      .partials = query->partials,
                      .count = query->partial_count,
                      .size = query->partial_size,
                      .bytes = query->partial_bytes,
                      .arrivals = query->partial_arrivals};
    for (size_t i = 0, at = 0; i < batch->count; i++) {
        if (batch->partials[i].bytes)
            continue;
        batch->partials[i].bytes = batch->bytes.bytes + at;
        at += batch->partials[i].size;
    }
    query->partials = NULL;
    query->partial_arrivals = NULL;
    query->partial_count = query->partial_capacity = query->partial_size = 0;
    query->partial_bytes = (hq_buffer){0};
    batch->next = query->broker->bundles;
    batch->back = &query->broker->bundles;
    if (batch->next)
        batch->next->back = &batch->next;
    query->broker->bundles = batch;
    query_hold(query);
    jobs_give(query->broker->keeper, bundle_run, bundle_end, batch);
}

/* ---- at its end: first the result, which the query waits for, then the journal, which it does not ---- */

struct hq_outcome_job {
    hq_outcome_job *next; /* while it waits for the store to come back */
    hq_query *query;
    bool has_result; /* that is to be kept */
    bson_t *journal;
    bool is_kept, is_settled /* the query knows */, was_told;
    hq_error error;
    hq_reason reason;
    int64_t due_ms;
};

/* What was asked of: the first text of the dataset, and how many there are. */
static void append_dataset(bson_t *document, const hq_query *query)
{
    BSON_APPEND_UTF8(document, "dataset", query->first_spec);
    BSON_APPEND_INT64(document, "specs", query->spec_count);
}

/* Of a query that is complete: nothing of what is read here changes any more. */
static bson_t *result_document(const hq_query *query)
{
    if (shared_size(query->result) > HQ_RESULT_BYTES) {
        hq_log(HQ_LOG_WARN, "broker",
               "query %s: a result of %zu bytes is more than a document of the store holds; it is not kept",
               query->id_text, shared_size(query->result));
        return NULL;
    }
    bson_t *document = bson_new();
    BSON_APPEND_UTF8(document, "query", query->id_text);
    BSON_APPEND_UTF8(document, "name", query->name);
    BSON_APPEND_UTF8(document, "user", query->user);
    append_dataset(document, query);
    char program[HQ_HASH_TEXT];
    hash_to_text(&query->program_print, program);
    BSON_APPEND_UTF8(document, "program", program);
    BSON_APPEND_INT64(document, "entries", (int64_t)query->dataset->entries);
    BSON_APPEND_INT64(document, "subtasks", (int64_t)query->dataset->partition_count);
    BSON_APPEND_DOUBLE(document, "seconds", (double)(query->computed_ms - query->submitted_ms) / 1e3);
    BSON_APPEND_DATE_TIME(document, "finished", hq_wall_ms());
    BSON_APPEND_BINARY(document, "hists", BSON_SUBTYPE_BINARY, shared_bytes(query->result),
                       (uint32_t)shared_size(query->result));
    return document;
}

static hq_error put_result(hq_outcome_job *job)
{
    const hq_query *query = job->query;
    bson_t *document = result_document(query);
    if (!document)
        return HQ_OK;
    hq_error error = store_put_result(query->broker->store, &query->fingerprint, document, &job->reason);
    bson_destroy(document);
    job->is_kept = !error;
    return error;
}

static void outcome_run(void *context)
{
    hq_outcome_job *job = context;
    const hq_query *query = job->query;
    if (!job->is_settled)
        job->error = put_result(job);
    else
        job->error = store_put_journal(query->broker->store, &query->id, job->journal, &job->reason);
}

static void outcome_free(hq_outcome_job **job_p)
{
    bson_destroy((*job_p)->journal);
    free(*job_p);
    *job_p = NULL;
}

/* A store that is away is asked again later, so that other queries' jobs have their turn meanwhile. A broker that stops
 * gives up: the query is still owned. */
static bool waits_for_store(hq_outcome_job *job)
{
    hq_broker *broker = job->query->broker;
    bool may_help = job->error == HQ_EUNAVAILABLE || job->error == HQ_EUNCERTAIN || job->error == HQ_ETIMEOUT;
    int64_t patience_ms = broker->settings.store_patience_ms;
    if (!may_help || broker->is_stopping || (patience_ms && hq_now_ms() - job->query->computed_ms > patience_ms))
        return false;
    if (!job->was_told)
        hq_log(HQ_LOG_WARN, "broker", "query %s waits for the store: %s", job->query->id_text, job->reason.text);
    job->was_told = true;
    job->due_ms = hq_now_ms() + HQ_STORE_RETRY_MS;
    job->next = broker->waiting_outcomes;
    broker->waiting_outcomes = job;
    return true;
}

static void outcome_end(void *context);

/* The query goes on: its znode is marked done while the journal is written. */
static void settle_outcome(hq_outcome_job *job)
{
    job->is_settled = true;
    outcome_kept(job->query, job->is_kept);
    jobs_give(job->query->broker->keeper, outcome_run, outcome_end, job);
}

static void outcome_end(void *context)
{
    hq_outcome_job *job = context;
    hq_query *query = job->query;
    if (waits_for_store(job))
        return;
    if (job->error)
        hq_log(HQ_LOG_ERROR, "broker", "query %s: its %s is not in the store: %s", query->id_text,
               job->is_settled ? "journal" : "result", job->reason.text);
    if (!job->is_settled) {
        settle_outcome(job);
        return;
    }
    outcome_free(&job);
    query_release(query);
}

void keep_try_again(hq_broker *broker, int64_t now_ms)
{
    for (hq_outcome_job **place = &broker->waiting_outcomes; *place;) {
        hq_outcome_job *job = *place;
        if (job->due_ms > now_ms) {
            place = &job->next;
            continue;
        }
        *place = job->next;
        jobs_give(broker->keeper, outcome_run, outcome_end, job);
    }
}

void keep_free(hq_broker *broker)
{
    while (broker->waiting_outcomes) {
        hq_outcome_job *job = broker->waiting_outcomes;
        broker->waiting_outcomes = job->next;
        outcome_free(&job);
    }
}

static bson_t *journal_document(const hq_query *query)
{
    bson_t *document = bson_new();
    char fingerprint[HQ_HASH_TEXT];
    hash_to_text(&query->fingerprint, fingerprint);
    BSON_APPEND_UTF8(document, "name", query->name);
    BSON_APPEND_UTF8(document, "user", query->user);
    BSON_APPEND_UTF8(document, "text", query->text);
    append_dataset(document, query);
    BSON_APPEND_UTF8(document, "broker", query->broker->id_text);
    BSON_APPEND_UTF8(document, "fingerprint", fingerprint);
    BSON_APPEND_UTF8(document, "state", query_state_name(query->state));
    BSON_APPEND_UTF8(document, "code", hq_error_name(query->error));
    BSON_APPEND_UTF8(document, "reason", query->reason.text);
    BSON_APPEND_DATE_TIME(document, "submitted", query->submitted_wall_ms);
    BSON_APPEND_INT32(document, "priority", query->priority);
    BSON_APPEND_INT64(document, "subtasks", query->dataset ? (int64_t)query->dataset->partition_count : 0);
    BSON_APPEND_INT64(document, "entries", (int64_t)query->entries);
    BSON_APPEND_INT64(document, "stored", query->stored);
    BSON_APPEND_INT64(document, "left_out", query->dataset ? (int64_t)query->dataset->left_out_count : 0);
    BSON_APPEND_INT64(document, "duplicates", query->duplicates);
    BSON_APPEND_INT64(document, "requeued", query->requeued);
    BSON_APPEND_INT64(document, "read_bytes", (int64_t)query->read_bytes);
    BSON_APPEND_INT64(document, "cached_bytes", (int64_t)query->cached_bytes);
    BSON_APPEND_BOOL(document, "from_store", query->is_from_store);
    BSON_APPEND_INT64(document, "plan_ms", query->planned_ms - query->submitted_ms);
    BSON_APPEND_INT64(document, "compute_ms", query->started_ms ? query->computed_ms - query->started_ms : 0);
    BSON_APPEND_INT64(document, "total_ms", hq_now_ms() - query->submitted_ms);
    return document;
}

void keep_outcome(hq_query *query)
{
    if (!query->broker->store) {
        outcome_kept(query, false);
        return;
    }
    hq_outcome_job *job = hq_calloc(1, sizeof *job);
    *job = (hq_outcome_job){
        .query = query, .journal = journal_document(query), .has_result = query->result && !query->is_from_store};
    query_hold(query);
    if (job->has_result)
        jobs_give(query->broker->keeper, outcome_run, outcome_end, job);
    else
        settle_outcome(job);
}
