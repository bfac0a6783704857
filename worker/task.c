#include "worker/task.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/source.h"

enum {
    MAX_CONTENTS = 512 << 20, /* half of what a broker's socket takes in one frame */
    MAX_DROPPED = 1024        /* orders that are not to be begun; those beyond are computed for nothing */
};

/* An order that an executor is at. */
typedef struct running {
    struct running *next;
    uint32_t index;
    atomic_int cancelled;
} running;

struct hq_task {
    atomic_int holders, cancelled;
    uint32_t handle;
    char *name, *text;
    int64_t limit_ms;
    hq_schema *schema;
    hq_file_entry *files;
    size_t file_count;
    size_t orders; /* that were given to executors */

    hq_codes *codes;
    hq_compiled *compiled; /* of codes */

    pthread_mutex_t order_lock; /* over what follows */
    running *running;
    uint32_t dropped[MAX_DROPPED];
    size_t dropped_count;
};

struct hq_bench {
    hq_histset *hists;
};

hq_error task_new(const hq_message *message, hq_codes *codes, hq_task **task_r, hq_reason *reason)
{
    int64_t handle, limit_ms;
    const char *name, *text;
    if (!message_get_int(message, "handle", 0, UINT32_MAX, &handle) ||
        !message_get_int(message, "limit_ms", 0, INT64_MAX, &limit_ms) || !message_get_text(message, "name", &name) ||
        !message_get_text(message, "text", &text))
        return hq_fail(reason, HQ_EPROTOCOL, "QUERY with a field missing or out of range");
    hq_task *task = hq_calloc(1, sizeof *task);
    *task =
        (hq_task){.handle = (uint32_t)handle, .limit_ms = limit_ms, .name = hq_strdup(name), .text = hq_strdup(text)};
    atomic_init(&task->holders, 1);
    atomic_init(&task->cancelled, 0);
    pthread_mutex_init(&task->order_lock, NULL);
    size_t schema_size, table_size;
    const void *schema = message_payload(message, 0, &schema_size), *table = message_payload(message, 1, &table_size);
    hq_error error = schema_decode(schema, schema_size, &task->schema, reason);
    if (!error)
        error = file_table_decode(table, table_size, &task->files, &task->file_count, reason);
    if (error) {
        task_release(&task);
        return hq_fail_within(reason, HQ_EPROTOCOL, "QUERY");
    }
    task->codes = codes;
    task->compiled = codes_hold(codes, text, schema, schema_size);
    *task_r = task;
    return HQ_OK;
}

hq_task *task_hold(hq_task *task)
{
    atomic_fetch_add(&task->holders, 1);
    return task;
}

void task_release(hq_task **task_p)
{
    hq_task *task = *task_p;
    *task_p = NULL;
    if (!task || atomic_fetch_sub(&task->holders, 1) > 1)
        return;
    codes_release(task->codes, &task->compiled);
    schema_free(&task->schema);
    file_table_free(&task->files, task->file_count);
    pthread_mutex_destroy(&task->order_lock);
    free(task->name);
    free(task->text);
    free(task);
}

uint32_t task_handle(const hq_task *task)
{
    return task->handle;
}

size_t task_count_order(hq_task *task)
{
    return task->orders++;
}

void task_cancel(hq_task *task)
{
    atomic_store(&task->cancelled, 1);
    pthread_mutex_lock(&task->order_lock);
    for (running *r = task->running; r; r = r->next)
        atomic_store(&r->cancelled, 1);
    pthread_mutex_unlock(&task->order_lock);
}

void task_drop(hq_task *task, uint32_t index)
{
    bool is_running = false;
    pthread_mutex_lock(&task->order_lock);
    for (running *r = task->running; r; r = r->next)
        if (r->index == index) {
            atomic_store(&r->cancelled, 1);
            is_running = true;
        }
    if (!is_running && task->dropped_count < MAX_DROPPED)
        task->dropped[task->dropped_count++] = index;
    pthread_mutex_unlock(&task->order_lock);
}

/* Begins an order; false if it is not to be. */
static bool begin(hq_task *task, running *r)
{
    pthread_mutex_lock(&task->order_lock);
    size_t at = 0;
    while (at < task->dropped_count && task->dropped[at] != r->index)
        at++;
    bool is_wanted = at == task->dropped_count;
    if (is_wanted) {
        atomic_init(&r->cancelled, task_is_cancelled(task)); /* task_cancel does so before it takes the lock */
        r->next = task->running;
        task->running = r;
    } else {
        task->dropped[at] = task->dropped[--task->dropped_count];
    }
    pthread_mutex_unlock(&task->order_lock);
    return is_wanted;
}

static void end(hq_task *task, const running *r)
{
    pthread_mutex_lock(&task->order_lock);
    running **place = &task->running;
    while (*place != r)
        place = &(*place)->next;
    *place = r->next;
    pthread_mutex_unlock(&task->order_lock);
}

bool task_is_cancelled(const hq_task *task)
{
    return atomic_load(&task->cancelled) != 0;
}

/* The first executor that comes compiles, the others wait for it. */
static bool make_ready(hq_task *task, hq_failure *failure)
{
    return compiled_make(task->compiled, task->text, task->schema, failure);
}

/* ---- the loop ---- */

static void name_fault(hq_task *task, const hq_order *order, const hq_file_entry *file, const hq_run *run,
                       hq_failure *failure)
{
    if (failure->error == HQ_EQUERY) {
        failure->entry = order->first + run->fault_entry;
        failure->line = (uint32_t)run->fault_line;
        hq_fail_within(&failure->reason, HQ_EQUERY, "%s:%d: entry %llu of %s", task->name, run->fault_line,
                       (unsigned long long)failure->entry, file->path);
    } else if (failure->error == HQ_ETIMEOUT) {
        hq_fail(&failure->reason, HQ_ETIMEOUT,
                "%s: entries %llu to %llu of %s took longer than the %.3g s a subtask may take", task->name,
                (unsigned long long)order->first, (unsigned long long)order->last, file->path,
                (double)task->limit_ms / 1e3);
    } else {
        hq_fail_within(&failure->reason, failure->error, "%s", file->path);
    }
}

static void run_loop(hq_task *task, running *r, const hq_order *order, const hq_file_entry *file,
                     const hq_column **columns, hq_bench *bench, hq_outcome *outcome)
{
    hq_run run = {.columns = columns,
                  .entries = order->last - order->first,
                  .cancel = &r->cancelled,
                  .deadline_ms = task->limit_ms ? hq_now_ms() + task->limit_ms : 0};
    outcome->failure.error = code_run(compiled_code(task->compiled), &run, bench->hists, &outcome->failure.reason);
    if (outcome->failure.error) {
        name_fault(task, order, file, &run, &outcome->failure);
    } else {
        outcome->entries = run.entries;
        histset_encode(bench->hists, &outcome->contents);
        if (outcome->contents.size > MAX_CONTENTS) {
            outcome->failure.error =
                hq_fail(&outcome->failure.reason, HQ_ELIMIT,
                        "%s: histograms of %zu bytes are more than a message takes: fewer bins are needed", task->name,
                        outcome->contents.size);
            buffer_clear(&outcome->contents);
        }
    }
    histset_reset(bench->hists);
}

/* What another file would not do. A limit may be the worker's, and a file that has changed is none that is bad. */
static bool is_of_file(hq_error error)
{
    switch (error) {
    case HQ_EFORMAT:
    case HQ_EUNSUPPORTED:
    case HQ_EIO:
    case HQ_ENOTFOUND:
    case HQ_EPROTOCOL: /* these three: of the server that has it */
    case HQ_ETIMEOUT:
    case HQ_EUNAVAILABLE:
        return true;
    default:
        return false;
    }
}

/* And moves the beginning to now. */
static uint32_t micros_since(int64_t *begin_us)
{
    int64_t now_us = hq_now_us(), micros = now_us - *begin_us;
    *begin_us = now_us;
    return micros > UINT32_MAX ? UINT32_MAX : (uint32_t)micros;
}

static void execute_with(hq_task *task, const hq_order *order, const hq_supply *supply, hq_bench *bench,
                         hq_outcome *outcome)
{
    const hq_file_entry *file = &task->files[order->file];
    hq_held held;
    running r = {.index = order->index};
    int64_t begin_us = hq_now_us();
    if (!begin(task, &r)) {
        outcome->failure.error = HQ_ECANCELLED;
        return;
    }
    outcome->failure.error = supply_get(supply, file, compiled_program(task->compiled), order->first, order->last,
                                        &r.cancelled, &held, &outcome->failure.reason);
    outcome->load_us = micros_since(&begin_us);
    outcome->failure.is_of_file = is_of_file(outcome->failure.error);
    outcome->read_bytes = held.read_bytes;
    outcome->cached_bytes = held.cached_bytes;
    if (!outcome->failure.error)
        run_loop(task, &r, order, file, held.columns, bench, outcome);
    outcome->run_us = micros_since(&begin_us);
    end(task, &r);
    held_clear(&held, supply->cache);
}

void task_execute(hq_task *task, const hq_order *order, const hq_supply *supply, hq_bench **bench_p,
                  hq_outcome *outcome)
{
    *outcome = (hq_outcome){0};
    hq_failure *failure = &outcome->failure;
    if (task_is_cancelled(task)) {
        failure->error = HQ_ECANCELLED;
        return;
    }
    if (order->file >= task->file_count) {
        failure->error = hq_fail(&failure->reason, HQ_EPROTOCOL, "an order for file %u of %zu", order->file,
                                 task->file_count);
        return;
    }
    if (order->first == order->last)
        return; /* nothing to read, nothing to compute, all bins empty */
    if (!make_ready(task, failure))
        return;
    if (!*bench_p) {
        *bench_p = hq_calloc(1, sizeof **bench_p);
        (*bench_p)->hists = program_new_hists(compiled_program(task->compiled));
    }
    execute_with(task, order, supply, *bench_p, outcome);
}

bool task_reads_server(const hq_task *task, const hq_order *order)
{
    return order->file < task->file_count && source_is_url(task->files[order->file].path);
}

bool task_has_servers(const hq_task *task)
{
    for (size_t i = 0; i < task->file_count; i++)
        if (source_is_url(task->files[i].path))
            return true;
    return false;
}

hq_error task_read_ahead(hq_task *task, const hq_order *order, const hq_supply *supply, hq_held *held_r)
{
    hq_failure failure = {.error = HQ_EPROTOCOL};
    *held_r = (hq_held){0};
    if (order->file >= task->file_count || !make_ready(task, &failure))
        return failure.error;
    return supply_get_ahead(supply, &task->files[order->file], compiled_program(task->compiled), order->first,
                            order->last, &task->cancelled, held_r, &failure.reason);
}

void bench_free(hq_bench **bench_p)
{
    if (!*bench_p)
        return;
    histset_free(&(*bench_p)->hists);
    free(*bench_p);
    *bench_p = NULL;
}
