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

static void query_start(hq_query *query, hq_lookup *lookup);
static void query_advance(hq_query *query);

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
    if (query->request)
        bson_destroy(query->request);
    sink_free(&query->sink);
    program_free(&query->program);
    dataset_free(&query->dataset);
    buffer_clear(&query->partial_bytes);
    free(query->partials);
    free(query->listeners);
    free(query->known_by);
    free(query->entry);
    free(query->name);
    free(query->text);
    free(query->user);
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
    for (size_t i = 0; i < query->listener_count; i++)
        clients_add(twin, &query->listeners[i]);
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
    if (query_joined(query))
        return;
    if (query->broker->store && !query->is_fresh)
        keep_look_up(query);
    else
        query_start(query, NULL);
}

/* The whole result was in the store. */
static void answer_from_store(hq_query *query, const hq_lookup *lookup)
{
    query->state = QUERY_SUCCESSFUL;
    query->is_from_store = query->is_kept = true;
    query->entries = lookup->entries;
    query->stored = (uint32_t)query->dataset->partition_count;
    query->computed_ms = hq_now_ms();
    query->broker->counters.from_store++;
    hq_log(HQ_LOG_INFO, "broker", "query %s answered from the store", query->id_text);
    clients_accept(query);
    clients_done(query, lookup->result);
    query->place = PLACE_DONE;
    keep_outcome(query, NULL);
    query_remove(query);
}

void lookup_done(hq_lookup *lookup)
{
    hq_query *query = lookup->query;
    if (query->broker->is_stopping)
        return;
    if (query_is_over(query))
        query_remove(query);
    else if (lookup->has_result)
        answer_from_store(query, lookup);
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

/* node and answer are NULL if no worker did it. */
static void finish_subtask(const hq_query *query, uint32_t index, const hq_node *node, const hq_answer *answer)
{
    hq_done done = {.worker = HQ_NO_WORKER};
    uint32_t rival = node ? scheduler_rival(query->work, index, node->number) : HQ_NO_WORKER;
    if (rival != HQ_NO_WORKER)
        workers_drop_subtask(query, rival, index);
    if (node)
        done = (hq_done){.worker = node->number,
                         .load_us = answer->load_us,
                         .run_us = answer->run_us,
                         .was_cold = answer->read_bytes > 0};
    scheduler_done(query->broker->scheduler, query->work, index, &done, hq_now_us());
}

static void take_stored(hq_query *query, const hq_lookup *lookup)
{
    for (size_t i = 0; i < lookup->found_count; i++) {
        const hq_found *found = &lookup->found[i];
        const hq_partition *partition = &query->dataset->partitions[found->index];
        if (found->entries != partition->last - partition->first || sink_has(query->sink, found->index))
            continue;
        hq_reason reason = {{0}};
        if (sink_add(query->sink, found->index, lookup->bytes.bytes + found->at, found->size, &reason)) {
            hq_log(HQ_LOG_WARN, "broker", "query %s: a partial in the store is of no use, it is computed again: %s",
                   query->id_text, reason.text);
            continue;
        }
        finish_subtask(query, found->index, NULL, NULL);
        query->entries += found->entries;
        query->stored++;
    }
}

static hq_sink *new_sink(const hq_query *query)
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
    query->sink = new_sink(query);
    broker->counters.files_left_out += (int64_t)dataset->left_out_count;
    for (size_t i = 0; i < query->listener_count; i++)
        if (query->listeners[i].wants_progress)
            sink_watch(query->sink);
    hq_work_order order = {.count = (uint32_t)dataset->partition_count,
                           .priority = query->priority,
                           .user = query->user,
                           .weight = users_weight(broker, query->user),
                           .columns = columns_of(query->program),
                           .key = partition_key,
                           .context = dataset,
                           .owner = query};
    query->work = scheduler_add_work(broker->scheduler, &order, hq_now_us());
    if (lookup)
        take_stored(query, lookup);
    hq_log(HQ_LOG_INFO, "broker", "query %s (%s, %s): %zu subtasks, %llu entries, %u from the store", query->id_text,
           query->name, query->user, dataset->partition_count, (unsigned long long)dataset->entries, query->stored);
    query_submit(query);
    query->has_news = query->stored > 0;
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

static void query_finish(hq_query *query)
{
    char fingerprint[HQ_HASH_TEXT];
    hash_to_text(&query->fingerprint, fingerprint);
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "state", query_state_name(query->state));
    BSON_APPEND_UTF8(&document, "fingerprint", fingerprint);
    BSON_APPEND_INT64(&document, "subtasks", (int64_t)query->dataset->partition_count);
    BSON_APPEND_INT64(&document, "entries", (int64_t)query->entries);
    if (query->error) {
        BSON_APPEND_UTF8(&document, "code", hq_error_name(query->error));
        BSON_APPEND_UTF8(&document, "text", query->reason.text);
    }
    BSON_APPEND_DATE_TIME(&document, "finished", hq_wall_ms());
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

static void tell_progress(hq_query *query, int64_t now_ms)
{
    query->told_ms = now_ms;
    query->has_news = false;
    clients_progress(query);
}

/* Takes the next step towards the end, if it is due. */
static void query_advance(hq_query *query)
{
    if (query->broker->is_stopping)
        return; /* it stays where it is, in the coordinator too */
    if (!query_is_over(query) && query->sink && sink_is_complete(query->sink)) {
        if (query->told_ms == 0) /* a short query's histograms, while the store and the coordinator are told */
            tell_progress(query, hq_now_ms());
        query->state = QUERY_SUCCESSFUL;
        stop_computing(query);
        if (query->files_failed)
            take_out_failed(query);
        keep_outcome(query, sink_result(query->sink));
        return; /* outcome_kept comes back here */
    }
    if (!query_is_over(query) || !query->is_settled)
        return;
    if (query->place == PLACE_OWNED) {
        query_finish(query);
    } else if (query->place == PLACE_DONE && !query->is_removed) {
        if (query->state == QUERY_SUCCESSFUL)
            clients_done(query, sink_result(query->sink));
        else
            clients_failed(query);
        hq_log(HQ_LOG_INFO, "broker", "query %s %s: %llu entries in %lld ms, %u subtasks done twice, %u given again",
               query->id_text, query_state_name(query->state), (unsigned long long)query->entries,
               (long long)(hq_now_ms() - query->submitted_ms), query->duplicates, query->requeued);
        query_remove(query);
    }
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
    keep_outcome(query, NULL);
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
    query_end_badly(query, QUERY_CANCELLED, HQ_ECANCELLED, why);
    if (!is_planned)
        clients_failed(query);
}

/* ---- answers ---- */

static void gather_partial(hq_query *query, uint32_t index, const hq_answer *answer)
{
    hq_broker *broker = query->broker;
    if (!broker->store || answer->entries == 0)
        return;
    if (broker->partial_bytes_waiting > HQ_PARTIALS_WAITING) {
        broker->counters.partials_lost++;
        return;
    }
    HQ_GROW(query->partials, query->partial_count, query->partial_capacity);
    query->partials[query->partial_count++] =
        (hq_partial){.partition = dataset_partition_identity(query->dataset, index),
                     .entries = answer->entries,
                     .size = answer->size};
    buffer_append(&query->partial_bytes, answer->contents, answer->size);
    broker->partial_bytes_waiting += answer->size;
    if (query->partial_count >= HQ_PARTIALS_BATCH || query->partial_bytes.size >= HQ_PARTIALS_BYTES)
        keep_partials(query);
}

void query_answered(hq_query *query, const hq_node *node, const hq_answer *answer)
{
    hq_broker *broker = query->broker;
    if (query_is_over(query) || !query->work || answer->index >= query->dataset->partition_count)
        return;
    if (sink_is_left_out(query->sink, query->dataset->partitions[answer->index].file))
        return;
    if (sink_has(query->sink, answer->index)) {
        query->duplicates++;
        broker->counters.duplicates++;
        return;
    }
    const hq_partition *partition = &query->dataset->partitions[answer->index];
    hq_failure failure = {.error = HQ_EPROTOCOL};
    if (answer->entries != partition->last - partition->first) {
        hq_fail(&failure.reason, HQ_EPROTOCOL, "%llu entries computed of %llu", (unsigned long long)answer->entries,
                (unsigned long long)(partition->last - partition->first));
        query_answer_failed(query, node, answer->index, &failure);
        return;
    }
    if (sink_add(query->sink, answer->index, answer->contents, answer->size, &failure.reason)) {
        query_answer_failed(query, node, answer->index, &failure);
        return;
    }
    finish_subtask(query, answer->index, node, answer);
    if (broker->settings.query_memory && sink_bytes(query->sink) > (size_t)broker->settings.query_memory) {
        query_fail(query, HQ_ELIMIT,
                   "partials that wait to be merged need more memory than a query may have "
                   "(the broker's option --query-memory): fewer bins are needed");
        return;
    }
    broker->counters.subtasks++;
    query->state = QUERY_RUNNING;
    query->has_news = true;
    query->entries += answer->entries;
    query->read_bytes += answer->read_bytes;
    query->cached_bytes += answer->cached_bytes;
    gather_partial(query, answer->index, answer);
    if (sink_is_complete(query->sink))
        query_advance(query);
}

/* The rest of the query goes on without the file that the subtask is of. */
static void leave_out(hq_query *query, uint32_t index, const hq_failure *failure)
{
    hq_broker *broker = query->broker;
    hq_dataset *dataset = query->dataset;
    uint32_t file = dataset->partitions[index].file, first = index, last = index;
    while (first > 0 && dataset->partitions[first - 1].file == file)
        first--;
    for (; last < dataset->partition_count && dataset->partitions[last].file == file; last++)
        ;
    for (uint32_t i = first; i < last; i++) {
        if (sink_has(query->sink, i))
            query->entries -= dataset->partitions[i].last - dataset->partitions[i].first;
        finish_subtask(query, i, NULL, NULL);
    }
    sink_leave_out(query->sink, file);
    dataset_note_left_out(dataset, dataset->files[file].path, failure->error, failure->reason.text);
    query->files_failed++;
    query->has_news = true;
    broker->counters.files_left_out++;
    hq_log(HQ_LOG_WARN, "broker", "query %s goes on without %s", query->id_text, dataset->files[file].path);
    if (query->files_failed < dataset->file_count) {
        query_advance(query);
        return;
    }
    char *text = hq_format("no file of this dataset can be read: %s", failure->reason.text);
    query_fail(query, failure->error, text);
    free(text);
}

/* What no other worker would do better. */
static bool is_final(hq_error error)
{
    return error == HQ_EQUERY || error == HQ_ETIMEOUT || error == HQ_EMISMATCH || error == HQ_EUNSUPPORTED ||
           error == HQ_EFORMAT || error == HQ_ELIMIT;
}

void query_answer_failed(hq_query *query, const hq_node *node, uint32_t index, const hq_failure *failure)
{
    hq_broker *broker = query->broker;
    if (query_is_over(query) || !query->work || index >= query->dataset->partition_count ||
        sink_has(query->sink, index))
        return;
    hq_log(HQ_LOG_WARN, "broker", "query %s: subtask %u failed on worker %s (%s): %s", query->id_text, index,
           node->id_text, hq_error_name(failure->error), failure->reason.text);
    uint32_t failures = scheduler_failed(broker->scheduler, query->work, index, node->number);
    if (failures == 0)
        return; /* it is no longer this worker's to fail */
    bool is_last = is_final(failure->error) || failures >= broker->settings.attempts;
    if (is_last && query->skips_bad && failure->is_of_file) {
        leave_out(query, index, failure);
    } else if (is_final(failure->error)) {
        query->fault_line = failure->line;
        query_fail(query, failure->error, failure->reason.text);
    } else if (failures >= broker->settings.attempts) {
        char *text = hq_format("%s (tried %u times)", failure->reason.text, failures);
        query_fail(query, failure->error, text);
        free(text);
    } else {
        query->requeued++;
        broker->counters.requeued++;
    }
}

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
    if (query->place != PLACE_OWNED || query->is_updating || done == query->updated_done ||
        now_ms - query->updated_ms < HQ_UPDATE_MS)
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

void query_tick(hq_query *query, int64_t now_ms)
{
    if (!query_is_over(query) && query->sink)
        update_standing(query, now_ms);
    if (query_is_over(query) || !query->has_news || now_ms - query->told_ms < HQ_PROGRESS_MS)
        return;
    tell_progress(query, now_ms);
}
