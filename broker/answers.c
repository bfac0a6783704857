/* broker/answers.c - what comes of subtasks: counted, kept, refused, given again; files left out. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

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
    scheduler_done(query->broker->scheduler, query->work, index, &done, query->broker->heard_us);
}

/* Large contents are not copied: the arrival that holds them is taken. */
static void gather_partial(hq_query *query, const hq_answer *answer, hq_arrival **arrival_p)
{
    hq_broker *broker = query->broker;
    if (!broker->store || answer->entries == 0)
        return;
    if (broker->partial_bytes_waiting > HQ_PARTIALS_WAITING) {
        broker->counters.partials_lost++;
        return;
    }
    HQ_GROW(query->partials, query->partial_count, query->partial_capacity);
    hq_partial *partial = &query->partials[query->partial_count++];
    *partial = (hq_partial){.partition = dataset_partition_identity(query->dataset, answer->index),
                            .entries = answer->entries,
                            .size = answer->size};
    broker->partial_bytes_waiting += answer->size;
    query->partial_size += answer->size;
    if (arrival_p && answer->size >= HQ_PARTIALS_HELD) {
        partial->bytes = answer->contents;
        (*arrival_p)->next = query->partial_arrivals;
        query->partial_arrivals = *arrival_p;
        *arrival_p = NULL;
    } else {
        buffer_append(&query->partial_bytes, answer->contents, answer->size);
    }
    if (query->partial_count >= HQ_PARTIALS_BATCH || query->partial_size >= HQ_PARTIALS_BYTES)
        keep_partials(query);
}

/* What it must have at once, however slowly it is computed: one sum for each gap between the subtasks that are done, of
 * which there are no more than the trees are high when they are done in order. */
static bool has_too_much(hq_query *query)
{
    size_t limit = (size_t)query->broker->settings.query_memory, needed = sink_bytes(query->sink);
    if (!limit || needed <= limit)
        return false;
    static const double mib = 1 << 20;
    char *text =
        hq_format("merging this query needs more than %.1f MiB, as one set of its histograms takes up to "
                  "%.1f MiB, and a query may have %.1f MiB (the broker's option --query-memory): fewer bins are "
                  "needed",
                  (double)needed / mib, (double)sink_set_bytes(query->sink) / mib, (double)limit / mib);
    query_fail(query, HQ_ELIMIT, text);
    free(text);
    return true;
}

/* It has been merged. node is NULL if it is gone, arrival_p if there is none. */
static void count_answer(hq_query *query, const hq_node *node, const hq_answer *answer, hq_arrival **arrival_p)
{
    hq_broker *broker = query->broker;
    finish_subtask(query, answer->index, node, answer);
    if (has_too_much(query))
        return;
    broker->counters.subtasks++;
    query->state = QUERY_RUNNING;
    viewers_news(query);
    query->entries += answer->entries;
    query->read_bytes += answer->read_bytes;
    query->cached_bytes += answer->cached_bytes;
    gather_partial(query, answer, arrival_p);
    if (sink_is_complete(query->sink))
        query_advance(query);
}

static void count_duplicate(hq_query *query)
{
    query->duplicates++;
    query->broker->counters.duplicates++;
}

/* The worker's answer is not what it must be. */
static void refuse_answer(hq_query *query, const hq_node *node, uint32_t index, const hq_reason *reason)
{
    hq_failure failure = {.error = HQ_EPROTOCOL, .reason = *reason};
    query_answer_failed(query, node, index, &failure);
}

void query_expect(const hq_query *query, uint32_t index)
{
    if (!query->work || index >= query->dataset->partition_count)
        return;
    __builtin_prefetch(&query->dataset->partitions[index]);
    scheduler_expect(query->work, index);
    if (!query->merging.is_behind)
        sink_expect(query->sink, index);
}

/* Of a query that is merged behind the loop. */
static void take_large(hq_query *query, const hq_node *node, const hq_answer *answer, hq_message *message)
{
    if (merge_has_room(query, answer->size)) {
        scheduler_answered(query->work, answer->index);
        merge_give(query, node, answer, message, NULL);
    } else if (scheduler_put_back(query->broker->scheduler, query->work, answer->index, node->number)) {
        query->requeued++;
        query->broker->counters.requeued++;
    }
}

void query_answered(hq_query *query, const hq_node *node, const hq_answer *answer, hq_message *message)
{
    if (query_is_over(query) || !query->work || answer->index >= query->dataset->partition_count)
        return;
    const hq_partition *partition = &query->dataset->partitions[answer->index];
    if (sink_is_left_out(query->sink, partition->file))
        return;
    if (sink_has(query->sink, answer->index)) {
        count_duplicate(query);
        return;
    }
    hq_reason reason;
    if (answer->entries != partition->last - partition->first) {
        hq_fail(&reason, HQ_EPROTOCOL, "%llu entries computed of %llu", (unsigned long long)answer->entries,
                (unsigned long long)(partition->last - partition->first));
        refuse_answer(query, node, answer->index, &reason);
    } else if (query->merging.is_behind) {
        take_large(query, node, answer, message);
    } else if (sink_add(query->sink, answer->index, answer->contents, answer->size, &reason)) {
        refuse_answer(query, node, answer->index, &reason);
    } else {
        count_answer(query, node, answer, NULL);
    }
}

static void answer_failed(hq_query *query, const hq_node *node, uint32_t index, const hq_failure *failure);

/* The worker whose answer it was, unless it is gone: then the subtask has gone to others. */
static const hq_node *node_of(const hq_broker *broker, const hq_arrival *arrival)
{
    const hq_node *node = arrival->worker < broker->node_count ? broker->nodes[arrival->worker] : NULL;
    return node && memcmp(&node->id, &arrival->worker_id, sizeof node->id) == 0 ? node : NULL;
}

void query_merged(hq_query *query, hq_arrival **arrival_p)
{
    const hq_arrival *arrival = *arrival_p;
    const hq_answer *answer = &arrival->answer;
    if (query_is_over(query) || !query->work || query->broker->is_stopping)
        return;
    const hq_node *node = node_of(query->broker, arrival);
    query->broker->heard_us = hq_now_us();
    bool is_left_out = sink_is_left_out(query->sink, query->dataset->partitions[answer->index].file);
    if (arrival->failure && node) {
        answer_failed(query, node, answer->index, arrival->failure);
    } else if (!arrival->failure && arrival->is_late && !is_left_out) {
        count_duplicate(query);
    } else if (!arrival->failure && !arrival->is_late && !is_left_out) {
        sink_count(query->sink, answer->index);
        count_answer(query, node, answer, arrival_p);
    }
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
    merge_leave_out(query, file);
    dataset_note_left_out(dataset, dataset->files[file].path, failure->error, failure->reason.text);
    query->files_failed++;
    viewers_news(query);
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

static void answer_failed(hq_query *query, const hq_node *node, uint32_t index, const hq_failure *failure)
{
    hq_broker *broker = query->broker;
    if (sink_has(query->sink, index))
        return;
    hq_log(HQ_LOG_WARN, "broker", "query %s: subtask %u failed on worker %s (%s): %s", query->id_text, index,
           node->id_text, hq_error_name(failure->error), failure->reason.text);
    uint32_t failures = scheduler_failed(broker->scheduler, query->work, index, node->number);
    if (failures == 0)
        return; /* it is no longer this worker's to fail */
    bool is_last = is_final(failure->error) || failures >= broker->settings.attempts;
    if (is_last && failure->is_of_file)
        flaws_note(broker->flaws, &query->dataset->files[query->dataset->partitions[index].file], query->program,
                   failure->error, failure->reason.text);
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

void query_answer_failed(hq_query *query, const hq_node *node, uint32_t index, const hq_failure *failure)
{
    if (query_is_over(query) || !query->work || index >= query->dataset->partition_count)
        return;
    /* Another answer to the subtask may be on its way through the mergers: it keeps its place among them. */
    if (query->merging.count)
        merge_give(query, node, &(hq_answer){.index = index}, NULL, failure);
    else
        answer_failed(query, node, index, failure);
}
