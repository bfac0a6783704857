/* broker/merge.c - who merges a query's partials: the loop itself what is small, the mergers behind it what is large.
 *
 * A set of a few KiB is merged in less time than it takes to hand it over. A large one would keep everybody else
 * waiting: its bytes are kept, in their message if they are many, and what has come of a query goes to the mergers in
 * jobs, in the order of its coming, a bounded amount of work at a time. A query has one job at a time, so that queries
 * take turns, and more only while mergers have nothing else to do. What wants the sink's trees for itself (to show
 * them, to cut a file out, the end) is a job of its own, and no other one of the query runs beside it. The tally stays
 * the loop's: a subtask counts when its job's end comes back, and until then it is under way for the scheduler too.
 *
 * So that workers who compute faster than is merged do not fill the memory, no more of a query's subtasks are under way
 * than half of its memory holds answers for, by the size of those that came last. What exceeds the memory all the same
 * is forgotten and computed again. What waits in the sink for its sibling grows with the number of gaps between the
 * subtasks that are done: when that takes a quarter of the memory, the rest is computed in its order, which closes
 * them.
 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "broker/internal.h"

enum {
    INLINE_BYTES = 16 << 10, /* sets up to this size are merged by the loop */
    JOB_BYTES = 16 << 20,    /* of sets in one job: some ten milliseconds */
    NOTHING_BYTES = 1 << 10  /* what a partial without contents counts as in it */
};

typedef struct merge_job {
    hq_query *query;
    hq_arrival *first;
    uint32_t *cuts; /* files to be left out */
    size_t cut_count;
    bool is_alone; /* it has the trees for itself: for what follows, and nothing is merged by it */
    bool is_to_watch, is_to_show, is_to_end;
    hq_shared *shown, *result; /* encoded */
    int64_t shown_us;          /* what that took */
} merge_job;

/* ---- arrivals ---- */

void arrival_free(hq_arrival **arrival_p)
{
    hq_arrival *arrival = *arrival_p;
    if (!arrival)
        return;
    message_free(&arrival->message);
    free(arrival->failure);
    free(arrival);
    *arrival_p = NULL;
}

static hq_arrival *arrival_new(const hq_node *node, const hq_answer *answer, hq_message *message,
                               const hq_failure *failure)
{
    bool is_held = message && answer->size >= HQ_PARTIALS_HELD;
    hq_arrival *arrival = hq_alloc(sizeof *arrival + (is_held ? 0 : answer->size));
    *arrival = (hq_arrival){.answer = *answer, .worker = node->number, .worker_id = node->id};
    if (is_held) {
        arrival->message = message_hold(message);
    } else {
        if (answer->size)
            memcpy(arrival->bytes, answer->contents, answer->size);
        arrival->answer.contents = arrival->bytes;
    }
    if (failure) {
        arrival->failure = hq_alloc(sizeof *failure);
        *arrival->failure = *failure;
    }
    return arrival;
}

static bool is_taken(const hq_merging *merging, uint32_t index)
{
    return merging->taken[index / 64] >> (index % 64) & 1;
}

static void forget_arrival(hq_query *query, const hq_arrival *arrival)
{
    query->merging.count--;
    query->merging.bytes -= arrival->answer.size;
    query->broker->merging--;
}

/* ---- in a merger's thread ---- */

static hq_shared *encode_set(const hq_histset *set)
{
    hq_buffer bytes = {0};
    if (!set)
        return NULL;
    histset_encode_whole(set, &bytes);
    return shared_new(&bytes);
}

static void merge_arrival(hq_sink *sink, hq_arrival *arrival)
{
    const hq_answer *answer = &arrival->answer;
    hq_reason reason = {{0}};
    if (arrival->failure || arrival->is_late ||
        !sink_merge(sink, answer->index, answer->contents, answer->size, &reason))
        return;
    arrival->failure = hq_calloc(1, sizeof *arrival->failure);
    arrival->failure->error = HQ_EPROTOCOL;
    arrival->failure->reason = reason;
}

static void merge_run(void *context)
{
    merge_job *job = context;
    hq_sink *sink = job->query->sink;
    for (size_t i = 0; i < job->cut_count; i++)
        sink_cut(sink, job->cuts[i]);
    if (job->is_to_watch)
        sink_watch(sink);
    for (hq_arrival *arrival = job->first; arrival; arrival = arrival->next) {
        merge_arrival(sink, arrival);
        if (!job->query->broker->store) /* nobody keeps it: the loop need not free what is large */
            message_free(&arrival->message);
    }
    if (job->is_to_show) {
        int64_t begun_us = hq_now_us();
        job->shown = encode_set(sink_so_far(sink));
        job->shown_us = hq_now_us() - begun_us;
    }
    if (job->is_to_end) {
        job->result = encode_set(sink_result(sink));
        sink_drop(sink);
    }
}

/* ---- in the loop's ---- */

static void merge_next(hq_query *query);

static void merge_end(void *context)
{
    merge_job *job = context;
    hq_query *query = job->query;
    hq_merging *merging = &query->merging;
    for (hq_arrival *arrival = job->first, *next; arrival; arrival = next) {
        next = arrival->next;
        merging->taken[arrival->answer.index / 64] &= ~((uint64_t)1 << (arrival->answer.index % 64));
        forget_arrival(query, arrival);
        query_merged(query, &arrival);
        arrival_free(&arrival);
    }
    if (job->is_to_show)
        query_shown(query, job->shown, job->shown_us);
    if (job->is_to_end)
        query_has_result(query, job->result);
    shared_release(&job->shown);
    shared_release(&job->result);
    merging->jobs--;
    merging->is_alone &= !job->is_alone;
    free(job->cuts);
    free(job);
    merge_next(query);
    merge_pace(query);
    query_release(query);
}

/* Takes what has come first, for as long as it is not too much for one job. An answer to a subtask of which another one
 * is in the job already waits for what becomes of that. */
static hq_arrival *take_arrivals(hq_query *query)
{
    hq_merging *merging = &query->merging;
    hq_arrival *first = NULL, **last = &first;
    size_t work = 0, set_bytes = sink_set_bytes(query->sink);
    while (merging->first && work < JOB_BYTES && !is_taken(merging, merging->first->answer.index)) {
        hq_arrival *arrival = merging->first;
        uint32_t index = arrival->answer.index;
        merging->first = arrival->next;
        arrival->next = NULL;
        arrival->is_late = sink_has(query->sink, index);
        merging->taken[index / 64] |= (uint64_t)1 << (index % 64);
        work += arrival->answer.size ? set_bytes : NOTHING_BYTES;
        *last = arrival;
        last = &arrival->next;
    }
    if (!merging->first)
        merging->last = &merging->first;
    return first;
}

/* False if nothing is to be done, or not yet. */
static bool begin_job(hq_query *query)
{
    hq_merging *merging = &query->merging;
    hq_jobs *mergers = query->broker->mergers;
    bool is_asked = merging->cut_count || merging->is_to_watch || merging->is_to_show || merging->is_to_end;
    bool has_turn = merging->jobs == 0 || (!is_asked && jobs_waiting(mergers) < HQ_MERGERS);
    if (merging->is_alone || !has_turn || query->broker->is_stopping)
        return false;
    hq_arrival *first = is_asked ? NULL : take_arrivals(query);
    if (!is_asked && !first)
        return false;
    merge_job *job = hq_alloc(sizeof *job);
    *job = (merge_job){.query = query, .first = first, .is_alone = is_asked};
    if (is_asked) {
        job->cuts = merging->cuts;
        job->cut_count = merging->cut_count;
        job->is_to_watch = merging->is_to_watch;
        job->is_to_show = merging->is_to_show;
        job->is_to_end = merging->is_to_end;
        merging->cuts = NULL;
        merging->cut_count = merging->cut_capacity = 0;
        merging->is_to_watch = merging->is_to_show = merging->is_to_end = false;
    }
    merging->is_alone = is_asked;
    merging->jobs++;
    query_hold(query);
    jobs_give(mergers, merge_run, merge_end, job);
    return true;
}

static void merge_next(hq_query *query)
{
    while (begin_job(query))
        continue;
}

void merge_begin(hq_query *query)
{
    hq_merging *merging = &query->merging;
    merging->is_behind = sink_set_bytes(query->sink) > INLINE_BYTES;
    merging->last = &merging->first;
    if (!merging->is_behind)
        return;
    merging->taken = hq_calloc(query->dataset->partition_count / 64 + 1, sizeof *merging->taken);
    sink_share(query->sink);
}

/* ---- not more than the memory holds ---- */

uint32_t merge_most_at_once(const hq_query *query)
{
    const hq_merging *merging = &query->merging;
    size_t limit = (size_t)query->broker->settings.query_memory;
    if (!merging->is_behind || !limit)
        return UINT32_MAX;
    size_t answer = merging->answer_bytes ? merging->answer_bytes : sink_set_bytes(query->sink);
    size_t waiting = sink_bytes(query->sink), over = waiting > limit / 4 ? waiting - limit / 4 : 0;
    size_t most = over < limit / 2 ? (limit / 2 - over) / answer : 0;
    return most < 1 ? 1 : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

void merge_pace(hq_query *query)
{
    size_t limit = (size_t)query->broker->settings.query_memory;
    if (!query->merging.is_behind || !limit || !query->work)
        return;
    scheduler_bound(query->work, merge_most_at_once(query), sink_bytes(query->sink) > limit / 4);
}

bool merge_has_room(hq_query *query, size_t size)
{
    hq_merging *merging = &query->merging;
    size_t limit = (size_t)query->broker->settings.query_memory, had = merging->answer_bytes;
    /* Larger ones count at once, smaller ones little by little. */
    merging->answer_bytes = size + 1 > had ? size + 1 : had - (had - size) / 8;
    merge_pace(query);
    return !limit || merging->count == 0 || merging->bytes + sink_bytes(query->sink) + size <= limit;
}

/* ---- what is to be done ---- */

void merge_give(hq_query *query, const hq_node *node, const hq_answer *answer, hq_message *message,
                const hq_failure *failure)
{
    hq_merging *merging = &query->merging;
    hq_arrival *arrival = arrival_new(node, answer, message, failure);
    *merging->last = arrival;
    merging->last = &arrival->next;
    merging->count++;
    merging->bytes += answer->size;
    query->broker->merging++;
    merge_next(query);
}

void merge_leave_out(hq_query *query, uint32_t file)
{
    hq_merging *merging = &query->merging;
    if (!merging->is_behind) {
        sink_leave_out(query->sink, file);
    } else if (sink_cross_out(query->sink, file)) {
        HQ_GROW(merging->cuts, merging->cut_count, merging->cut_capacity);
        merging->cuts[merging->cut_count++] = file;
        merge_next(query);
    }
}

void merge_watch(hq_query *query)
{
    if (!query->merging.is_behind) {
        sink_watch(query->sink);
        return;
    }
    query->merging.is_to_watch = true;
    merge_next(query);
}

void merge_show(hq_query *query)
{
    if (query->merging.is_behind) {
        query->merging.is_to_show = true;
        merge_next(query);
        return;
    }
    hq_shared *shown = encode_set(sink_so_far(query->sink));
    query_shown(query, shown, 0);
    shared_release(&shown);
}

void merge_end_query(hq_query *query)
{
    if (query->merging.is_behind) {
        query->merging.is_to_end = true;
        merge_next(query);
        return;
    }
    hq_shared *result = encode_set(sink_result(query->sink));
    query_has_result(query, result);
    shared_release(&result);
}

void merge_drop(hq_query *query)
{
    hq_merging *merging = &query->merging;
    for (hq_arrival *arrival; (arrival = merging->first);) {
        merging->first = arrival->next;
        forget_arrival(query, arrival);
        arrival_free(&arrival);
    }
    merging->last = &merging->first;
    merging->is_to_show = merging->is_to_watch = false;
}

void merge_clear(hq_query *query)
{
    merge_drop(query);
    free(query->merging.taken);
    free(query->merging.cuts);
}
