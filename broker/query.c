/* broker/query.c - a query's life: planned, looked up, placed in the coordinator, computed, kept, told.
 *
 * Two things go on at once after the look-up: computing, and the znode's way from nowhere to /owned. Neither waits for
 * the other; a query ends when both have (query_advance).
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

enum { FIRST_SPEC_BYTES = 8192 };

static void query_start(hq_query *query, hq_lookup *lookup);

const char *query_state_name(hq_query_state state)
{
    static const char *const names[] = {"PENDING", "STAGING", "RUNNING", "SUCCESSFUL", "FAILED", "CANCELLED"};
    return names[state];
}

bool query_is_over(const hq_query *query)
{
    return query->state >= QUERY_SUCCESSFUL;
}

hq_query *query_new(hq_broker *broker)
{
    hq_query *query = hq_calloc(1, sizeof *query);
    query->broker = broker;
    query->id = hash_random();
    hash_to_text(&query->id, query->id_text);
    query->submitted_ms = hq_now_ms();
    query->submitted_wall_ms = hq_wall_ms();
    query->handle = (uint32_t)broker->handle_count;
    HQ_GROW(broker->by_handle, broker->handle_count, broker->handle_capacity);
    broker->by_handle[broker->handle_count++] = query;
    HQ_GROW(broker->active, broker->active_count, broker->active_capacity);
    broker->active[broker->active_count++] = query;
    return query;
}

void query_free(hq_query **query_p)
{
    hq_query *query = *query_p;
    if (!query)
        return;
    scheduler_remove_work(query->broker->scheduler, &query->work);
    workers_forget_query(query);
    if (query->request)
        bson_destroy(query->request);
    merge_clear(query);
    sink_free(&query->sink);
    shared_release(&query->result);
    program_free(&query->program);
    dataset_free(&query->dataset);
    for (hq_arrival *arrival; (arrival = query->partial_arrivals);) {
        query->partial_arrivals = arrival->next;
        arrival_free(&arrival);
    }
    buffer_clear(&query->partial_bytes);
    free(query->partials);
    viewers_clear(query);
    free(query->listeners);
    free(query->known_by);
    free(query->entry);
    free(query->name);
    free(query->text);
    free(query->user);
    free(query->first_spec);
    free(query);
    *query_p = NULL;
}

static void take_out(hq_query **array, size_t *count, const hq_query *query)
{
    for (size_t i = 0; i < *count; i++)
        if (array[i] == query) {
            array[i] = array[--*count];
            return;
        }
}

void query_hold(hq_query *query)
{
    query->references++;
}

void query_release(hq_query *query)
{
    query->references--;
}

void query_bury(hq_broker *broker)
{
    for (size_t i = broker->gone_count; i > 0; i--)
        if (broker->gone[i - 1]->references == 0) {
            query_free(&broker->gone[i - 1]);
            broker->gone[i - 1] = broker->gone[--broker->gone_count];
        }
}

/* The broker has done all it must for this query; query_bury frees it when nothing holds it any more. */
static void query_remove(hq_query *query)
{
    hq_broker *broker = query->broker;
    if (query->is_removed)
        return;
    query->is_removed = true;
    broker->by_handle[query->handle] = NULL;
    take_out(broker->active, &broker->active_count, query);
    HQ_GROW(broker->gone, broker->gone_count, broker->gone_capacity);
    broker->gone[broker->gone_count++] = query;
}

hq_query *query_find(hq_broker *broker, const hq_hash *id)
{
    for (size_t i = 0; i < broker->active_count; i++)
        if (memcmp(&broker->active[i]->id, id, sizeof *id) == 0)
            return broker->active[i];
    return NULL;
}

/* Whether both are told of the same files left out, and treat others that turn out bad in the same way. */
static bool skips_alike(const hq_query *one, const hq_query *other)
{
    const hq_dataset *mine = one->dataset, *theirs = other->dataset;
    if (one->skips_bad != other->skips_bad || mine->left_out_count != theirs->left_out_count - other->files_failed)
        return false;
    for (size_t i = 0; i < mine->left_out_count; i++)
        if (strcmp(mine->left_out[i].path, theirs->left_out[i].path) != 0)
            return false;
    return true;
}

/* The same query, under way already and open for more listeners. */
static hq_query *find_twin(const hq_query *query)
{
    const hq_broker *broker = query->broker;
    for (size_t i = 0; !query->is_fresh && i < broker->active_count; i++) {
        hq_query *other = broker->active[i];
        bool is_under_way = other->state == QUERY_STAGING || other->state == QUERY_RUNNING;
        if (other != query && is_under_way && memcmp(&other->fingerprint, &query->fingerprint, sizeof(hq_hash)) == 0 &&
            skips_alike(query, other))
            return other;
    }
    return NULL;
}

/* Moves the listeners to the twin, if there is one; the query is then gone. */
static bool query_joined(hq_query *query)
{
    hq_query *twin = find_twin(query);
    if (!twin)
        return false;
    hq_log(HQ_LOG_INFO, "broker", "query %s joins %s", query->id_text, twin->id_text);
    query->broker->counters.joined++;
    clients_join(query, twin);
    if (query->priority < twin->priority) { /* whoever is in more of a hurry counts */
        twin->priority = query->priority;
        scheduler_hurry(query->broker->scheduler, twin->work, twin->priority);
    }
    query_remove(query);
    return true;
}

/* ---- plan, look-up, start ---- */

void query_plan(hq_query *query)
{
    query->broker->counters.queries++;
    plan_give(query);
}

static void query_reject(hq_query *query, hq_error error, const char *text, const hq_complaint *complaint)
{
    hq_log(HQ_LOG_INFO, "broker", "query %s rejected (%s): %s", query->id_text, hq_error_name(error), text);
    query->broker->counters.rejected++;
    clients_reject(query, error, text, complaint);
    query_remove(query);
}

/* The whole result was in the store. */
static void answer_from_store(hq_query *query, hq_shared **result_p, uint64_t entries)
{
    query->state = QUERY_SUCCESSFUL;
    query->is_from_store = query->is_kept = true;
    query->result = *result_p;
    *result_p = NULL;
    query->entries = entries;
    query->stored = (uint32_t)query->dataset->partition_count;
    query->computed_ms = hq_now_ms();
    query->broker->counters.from_store++;
    hq_log(HQ_LOG_INFO, "broker", "query %s answered from the store", query->id_text);
    clients_accept(query);
    clients_done(query);
    query->place = PLACE_DONE;
    keep_outcome(query);
    query_remove(query);
}

void plan_done(hq_plan *plan)
{
    hq_query *query = plan->query;
    query->planned_ms = hq_now_ms();
    if (query->broker->is_stopping)
        return; /* its client is told with all others */
    if (query_is_over(query)) {
        query_remove(query); /* cancelled meanwhile */
        return;
    }
    if (plan->error) {
        bool is_wrong_text = plan->complaint.message[0] != 0;
        query_reject(query, plan->error, is_wrong_text ? plan->complaint.message : plan->reason.text,
                     is_wrong_text ? &plan->complaint : NULL);
        return;
    }
    query->program = plan->program;
    query->dataset = plan->dataset;
    query->program_print = plan->program_print;
    query->fingerprint = plan->fingerprint;
    plan->program = NULL;
    plan->dataset = NULL;
    if (plan->entry) {
        bson_destroy(query->request);
        query->request = plan->entry;
        plan->entry = NULL;
    }
    if (plan->result) {
        answer_from_store(query, &plan->result, plan->result_entries);
        return;
    }
    if (query_joined(query))
        return;
    if (query->broker->store && !query->is_fresh)
        keep_look_up(query);
    else
        query_start(query, NULL);
}

void lookup_done(hq_lookup *lookup)
{
    hq_query *query = lookup->query;
    if (query->broker->is_stopping)
        return;
    if (query_is_over(query))
        query_remove(query);
    else if (lookup->result)
        answer_from_store(query, &lookup->result, lookup->entries);
    else if (!query_joined(query))
        query_start(query, lookup);
}

static uint64_t partition_key(const void *context, uint32_t index)
{
    const hq_dataset *dataset = context;
    const hq_partition *partition = &dataset->partitions[index];
    if (partition->first == partition->last) /* an "empty:" data set has no entries to tell its partitions apart */
        return hash_mix(index + 1);
    hq_hash identity = dataset_partition_identity(dataset, index);
    return query_key(&identity);
}

uint64_t query_key(const hq_hash *partition)
{
    uint64_t key;
    memcpy(&key, partition->bytes, sizeof key);
    return key;
}

/* The columns that the program reads, for the scheduler. */
static uint64_t columns_of(const hq_program *program)
{
    uint64_t columns = 0;
    for (size_t i = 0; i < program_column_count(program); i++)
        columns |= place_column(program_column(program, i)->name);
    return columns;
}

/* What the store had needs no worker. */
static void take_stored(hq_query *query, const hq_lookup *lookup)
{
    query->stored = lookup->stored;
    query->entries = lookup->entries;
    int64_t now_us = hq_now_us();
    const hq_done done = {.worker = HQ_NO_WORKER};
    for (uint32_t i = 0; i < query->dataset->partition_count; i++)
        if (sink_has(query->sink, i))
            scheduler_done(query->broker->scheduler, query->work, i, &done, now_us);
}

hq_sink *query_new_sink(const hq_query *query)
{
    const hq_dataset *dataset = query->dataset;
    hq_histset *shape = program_new_hists(query->program);
    uint32_t *sizes = hq_calloc(dataset->file_count, sizeof *sizes);
    for (size_t i = 0; i < dataset->partition_count; i++)
        sizes[dataset->partitions[i].file]++;
    hq_sink *sink = sink_new(sizes, dataset->file_count, shape, query->skips_bad);
    free(sizes);
    histset_free(&shape);
    return sink;
}

static void submitted(void *context, hq_error error, const char *detail, const char *entry);

static void query_submit(hq_query *query)
{
    char fingerprint[HQ_HASH_TEXT];
    hash_to_text(&query->fingerprint, fingerprint);
    BSON_APPEND_UTF8(query->request, "fingerprint", fingerprint);
    BSON_APPEND_DATE_TIME(query->request, "submitted", query->submitted_wall_ms);
    query->place = PLACE_SUBMITTING;
    query_hold(query);
    coordinator_submit(query->broker->coordinator, query->priority, query->id_text, bson_get_data(query->request),
                       query->request->len, submitted, query);
}

static void query_start(hq_query *query, hq_lookup *lookup)
{
    hq_broker *broker = query->broker;
    const hq_dataset *dataset = query->dataset;
    hq_reason reason = {{0}};
    hq_error error = users_check(query, &reason); /* what needs no computing is answered without asking for a limit */
    if (error) {
        query_reject(query, error, reason.text, NULL);
        return;
    }
    query->state = QUERY_STAGING;
    query->started_ms = hq_now_ms();
    bool has_stored = lookup && lookup->sink;
    query->sink = has_stored ? lookup->sink : query_new_sink(query);
    if (has_stored)
        lookup->sink = NULL;
    merge_begin(query);
    broker->counters.files_left_out += (int64_t)dataset->left_out_count;
    for (size_t i = 0; i < query->listener_count; i++)
        if (query->listeners[i]->wants_progress)
            merge_watch(query);
    hq_work_order order = {.count = (uint32_t)dataset->partition_count,
                           .priority = query->priority,
                           .user = query->user,
                           .weight = users_weight(broker, query->user),
                           .columns = columns_of(query->program),
                           .most_samples = merge_most_at_once(query) / 4 + 1,
                           .key = partition_key,
                           .context = dataset,
                           .owner = query};
    query->work = scheduler_add_work(broker->scheduler, &order, hq_now_us());
    merge_pace(query);
    if (has_stored)
        take_stored(query, lookup);
    hq_log(HQ_LOG_INFO, "broker", "query %s (%s, %s): %zu subtasks, %llu entries, %u from the store", query->id_text,
           query->name, query->user, dataset->partition_count, (unsigned long long)dataset->entries, query->stored);
    query_submit(query);
    if (query->stored > 0)
        viewers_news(query);
    query_advance(query);
}

/* ---- the znode's way ---- */

static bson_t *owned_document(const hq_query *query)
{
    bson_t *document = bson_copy(query->request);
    BSON_APPEND_UTF8(document, "state", query_state_name(query->state));
    BSON_APPEND_INT64(document, "subtasks", (int64_t)query->dataset->partition_count);
    BSON_APPEND_INT64(document, "done", sink_done(query->sink));
    BSON_APPEND_INT64(document, "entries", (int64_t)query->entries);
    return document;
}

static void owned(void *context, hq_error error, const char *detail)
{
    hq_query *query = context;
    if (error && error != HQ_EEXISTS) {
        char *text = hq_format("the coordinator did not give the query to this broker: %s", detail);
        query_fail(query, error, text);
        free(text);
        query->place = PLACE_DONE;
    } else {
        query->place = PLACE_OWNED;
    }
    query_advance(query);
    query_release(query);
}

static void submitted(void *context, hq_error error, const char *detail, const char *entry)
{
    hq_query *query = context;
    if (error) {
        char *text = hq_format("the coordinator did not take the query: %s", detail);
        query_fail(query, error, text);
        free(text);
        query->place = PLACE_DONE;
        query_advance(query);
    } else {
        query->entry = hq_strdup(entry);
        query->place = PLACE_OWNING;
        clients_accept(query);
        bson_t *document = owned_document(query);
        query_hold(query);
        coordinator_own(query->broker->coordinator, entry, bson_get_data(document), document->len,
                        query->broker->id_text, owned, query);
        bson_destroy(document);
    }
    query_release(query);
}

static void finished(void *context, hq_error error, const char *detail)
{
    hq_query *query = context;
    if (error && error != HQ_ENOTFOUND)
        hq_log(HQ_LOG_ERROR, "broker", "query %s: not marked done: %s", query->id_text, detail);
    else if (error)
        hq_log(HQ_LOG_WARN, "broker", "query %s: it was no longer owned when it was done: %s", query->id_text, detail);
    query->place = PLACE_DONE;
    query_advance(query);
    query_release(query);
}

/* A path that is longer than any file system has it is cut, between two characters: a node has bounds. */
static void append_first_spec(bson_t *document, const hq_query *query)
{
    size_t length = strlen(query->first_spec);
    if (length > FIRST_SPEC_BYTES)
        for (length = FIRST_SPEC_BYTES; length > 0 && ((uint8_t)query->first_spec[length] & 0xc0) == 0x80;)
            length--;
    bson_append_utf8(document, "dataset", -1, query->first_spec, (int)length);
}

static void query_finish(hq_query *query)
{
    char fingerprint[HQ_HASH_TEXT];
    hash_to_text(&query->fingerprint, fingerprint);
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "state", query_state_name(query->state));
    BSON_APPEND_UTF8(&document, "fingerprint", fingerprint);
    BSON_APPEND_INT64(&document, "subtasks", (int64_t)query->dataset->partition_count);
    BSON_APPEND_INT64(&document, "entries", (int64_t)query->entries);
    BSON_APPEND_INT64(&document, "stored", query->stored);
    BSON_APPEND_UTF8(&document, "name", query->name);
    BSON_APPEND_UTF8(&document, "user", query->user);
    BSON_APPEND_INT32(&document, "priority", query->priority);
    append_first_spec(&document, query);
    BSON_APPEND_INT64(&document, "specs", query->spec_count);
    BSON_APPEND_UTF8(&document, "broker", query->broker->id_text);
    if (query->error) {
        BSON_APPEND_UTF8(&document, "code", hq_error_name(query->error));
        BSON_APPEND_UTF8(&document, "text", query->reason.text);
    }
    BSON_APPEND_DATE_TIME(&document, "submitted", query->submitted_wall_ms);
    BSON_APPEND_DATE_TIME(&document, "finished", hq_wall_ms());
    if (query->is_kept)
        BSON_APPEND_DATE_TIME(&document, "expires", hq_wall_ms() + query->broker->settings.keep_ms);
    query->place = PLACE_FINISHING;
    query_hold(query);
    coordinator_finish(query->broker->coordinator, query->entry, bson_get_data(&document), document.len, finished,
                       query);
    bson_destroy(&document);
}

/* ---- the end ---- */

/* No more is computed for it. */
static void stop_computing(hq_query *query)
{
    query->computed_ms = hq_now_ms();
    scheduler_remove_work(query->broker->scheduler, &query->work);
    workers_drop_query(query);
    merge_drop(query);
    keep_partials(query);
}

/* The result is that of the files that are left, so it stands under their identity. */
static void take_out_failed(hq_query *query)
{
    hq_dataset *dataset = query->dataset;
    bool *is_out = hq_calloc(dataset->file_count, sizeof *is_out);
    for (size_t i = 0; i < dataset->file_count; i++)
        is_out[i] = sink_is_left_out(query->sink, i);
    dataset_take_out(dataset, is_out);
    free(is_out);
    query->files_failed = 0;
    query->fingerprint = plan_fingerprint(&query->program_print, dataset);
    if (query->stored > dataset->partition_count)
        query->stored = (uint32_t)dataset->partition_count;
}

void query_advance(hq_query *query)
{
    if (query->broker->is_stopping)
        return; /* it stays where it is, in the coordinator too */
    if (!query_is_over(query) && query->sink && sink_is_complete(query->sink)) {
        query->state = QUERY_SUCCESSFUL;
        stop_computing(query);
        if (query->files_failed)
            take_out_failed(query);
        if (query->is_fresh)
            flaws_disproved(query->broker->flaws, query->program, query->dataset);
        merge_end_query(query);
        return; /* query_has_result, then outcome_kept come back here */
    }
    if (!query_is_over(query) || !query->is_settled)
        return;
    if (query->place == PLACE_OWNED) {
        query_finish(query);
    } else if (query->place == PLACE_DONE && !query->is_removed) {
        if (query->state == QUERY_SUCCESSFUL)
            clients_done(query);
        else
            clients_failed(query);
        hq_log(HQ_LOG_INFO, "broker", "query %s %s: %llu entries in %lld ms, %u subtasks done twice, %u given again",
               query->id_text, query_state_name(query->state), (unsigned long long)query->entries,
               (long long)(hq_now_ms() - query->submitted_ms), query->duplicates, query->requeued);
        query_remove(query);
    }
}

void query_has_result(hq_query *query, hq_shared *result)
{
    if (query->broker->is_stopping)
        return;
    query->result = shared_take(result);
    /* A short query's histograms, while the store and the coordinator are told. */
    viewers_show_last(query, shared_size(result) <= HQ_RESULT_BYTES ? result : NULL);
    keep_outcome(query);
}

void outcome_kept(hq_query *query, bool is_kept)
{
    if (query->is_from_store)
        return; /* it was the journal only, and the clients have been told */
    query->is_kept = is_kept;
    query->is_settled = true;
    query_advance(query);
}

/* Ends a query that is under way; one whose plan is still being made ends in plan_done or lookup_done. */
static void query_end_badly(hq_query *query, hq_query_state state, hq_error error, const char *text)
{
    if (query_is_over(query))
        return;
    query->state = state;
    query->error = error;
    hq_fail(&query->reason, error, "%s", text);
    if (!query->work)
        return;
    stop_computing(query);
    /* While the coordinator is away nothing can be marked, but a failure need not wait for that. */
    if (!query->broker->is_connected)
        clients_failed(query);
    keep_outcome(query);
}

void query_fail(hq_query *query, hq_error error, const char *text)
{
    query->broker->counters.failed += !query_is_over(query);
    query_end_badly(query, QUERY_FAILED, error, text);
}

void query_cancel(hq_query *query, const char *why)
{
    query->broker->counters.cancelled += !query_is_over(query);
    bool is_planned = query->work != NULL;
    atomic_store(&query->is_unwanted, true);
    query_end_badly(query, QUERY_CANCELLED, HQ_ECANCELLED, why);
    if (!is_planned)
        clients_failed(query);
}

/* ---- while it runs ---- */

static void updated(void *context, hq_error error, const char *detail)
{
    hq_query *query = context;
    query->is_updating = false;
    if (error && error != HQ_ENOTFOUND) /* not found: it is done meanwhile */
        hq_log(HQ_LOG_DEBUG, "broker", "query %s: its standing is not in the coordinator: %s", query->id_text, detail);
    query_release(query);
}

/* How far it is, for those who look at /owned. */
static void update_standing(hq_query *query, int64_t now_ms)
{
    uint32_t done = sink_done(query->sink);
    int64_t least_ms = HQ_UPDATE_MS * (1 + query->request->len / HQ_UPDATE_BYTES);
    if (query->place != PLACE_OWNED || query->is_updating || done == query->updated_done ||
        now_ms - query->updated_ms < least_ms)
        return;
    query->updated_ms = now_ms;
    query->updated_done = done;
    query->is_updating = true;
    bson_t *document = owned_document(query);
    query_hold(query);
    coordinator_update(query->broker->coordinator, query->entry, bson_get_data(document), document->len, updated,
                       query);
    bson_destroy(document);
}

int64_t query_show_due_ms(const hq_query *query)
{
    if (query_is_over(query) || query->is_telling)
        return INT64_MAX;
    return query->told_ms + (query->show_ms > HQ_PROGRESS_MS ? query->show_ms : HQ_PROGRESS_MS);
}

void query_shown(hq_query *query, hq_shared *shown, int64_t took_us)
{
    query->is_telling = false;
    if (query_is_over(query))
        return;
    query->told_ms = hq_now_ms();
    query->show_ms = took_us / 100;
    viewers_show(query, shown);
}

void query_tick(hq_query *query, int64_t now_ms)
{
    if (!query_is_over(query) && query->sink)
        update_standing(query, now_ms);
}
