#include "bench/sim_worker.h"

#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bench/sim_cache.h"
#include "bench/sim_query.h"
#include "data/partition.h"
#include "wire/report.h"
#include "wire/socket.h"
#include "zk/coordinator.h"

enum {
    TICK_MS = 200,
    REPORT_MS = 1000,
    HELLO_AGAIN_MS = 2000,
    FIRST_LEASE_MS = 3000,
    SESSION_MS = 10000,
    WORK_AHEAD_US = 50000, /* these two as hq-worker's */
    MAX_CREDIT = 8192,
    FLUSH_BYTES = 4 << 20, /* likewise */
    EVICTED_AT_ONCE = 4096,
    EVENTS_AT_ONCE = 256
};

/* A subtask in a slot, or through it. */
typedef struct sim_run {
    uint32_t handle, index;
    uint64_t entries, read_bytes, cached_bytes;
    int64_t load_us, run_us;
} sim_run;

/* Orders that wait, from head on. */
typedef struct sim_line {
    hq_order *orders;
    size_t head, count, capacity;
} sim_line;

/* A query that a worker was told. */
typedef struct sim_told {
    sim_query *query; /* held */
    int64_t orders;   /* that came of it */
} sim_told;

typedef struct sim_worker {
    uint32_t number, life; /* life: of this HELLO; what was begun before it is not answered */
    hq_hash id;
    char id_text[HQ_HASH_TEXT];
    zsock_t *socket;
    bool is_welcome, is_draining, is_gone, is_dirty;
    int64_t lease_ms, sent_ms, hello_ms, reported_ms;
    uint64_t reported_columns; /* hits and misses that the broker has heard of */
    sim_told *queries;
    size_t query_count, query_capacity;
    sim_line queue, early; /* early as in hq-worker: the first orders of each query go before what waits */
    int64_t busy;          /* slots */
    sim_cache *cache;
    hq_buffer answers, contents; /* to be sent */
    int64_t answered, busy_us;   /* of those */
    double order_us;
    int64_t credit;
} sim_worker;

/* When a slot is free again. */
typedef struct sim_end {
    int64_t at_us;
    sim_worker *worker;
    uint32_t life;
    sim_run run;
} sim_end;

typedef struct sim_totals {
    int64_t subtasks, unknown, dropped, busy_us, read_bytes, cached_bytes, received, sent, queries, hellos, rejected,
        evicted;
} sim_totals;

struct sim_fleet {
    const sim_settings *settings;
    sim_worker *workers;
    size_t worker_count, welcome_count, gone_count;
    sim_queries *queries;
    hq_coordinator *coordinator;
    sim_end *ends; /* a heap, the next one first */
    size_t end_count, end_capacity;
    sim_worker **dirty; /* with something to send, or to be looked at because a message was sent */
    size_t dirty_count, dirty_capacity;
    int epoll_fd, stop_fd, stops;
    int64_t ticked_ms;
    bool was_ready;
    sim_totals totals;
};

/* ---- what a subtask costs ---- */

/* In (0, 1), the same whenever the same is asked. */
static double chance(const sim_fleet *fleet, const sim_worker *worker, const hq_order *order, uint64_t what)
{
    uint64_t word = hash_mix((uint64_t)fleet->settings->seed * 4 + what);
    word = hash_mix(word ^ ((uint64_t)worker->number << 32 | order->handle));
    return ((double)(hash_mix(word ^ order->index) >> 11) + 0.5) * 0x1p-53;
}

static int64_t run_time(const sim_fleet *fleet, const sim_worker *worker, const hq_order *order)
{
    const sim_settings *s = fleet->settings;
    double us = (double)s->run_us;
    if (s->spread == 1)
        us *= -log(chance(fleet, worker, order, 0));
    if (s->slow_percent && chance(fleet, worker, order, 1) * 100 < (double)s->slow_percent)
        us *= (double)s->slow_factor;
    return (int64_t)us;
}

static sim_run plan_run(const sim_fleet *fleet, sim_worker *worker, const sim_query *query, const hq_order *order)
{
    const sim_settings *s = fleet->settings;
    const hq_file_entry *file = &query->files[order->file];
    sim_run run = {.handle = order->handle, .index = order->index, .entries = order->last - order->first};
    uint64_t size = run.entries * (uint64_t)s->entry_bytes;
    if (query->column_count > 0 && size > 0) {
        hq_hash partition = partition_identity(&file->identity, file->tree, order->first, order->last);
        for (size_t i = 0; i < query->column_count; i++)
            if (sim_cache_use(worker->cache, &partition, query->columns[i], (uint32_t)size))
                run.cached_bytes += size;
            else
                run.read_bytes += size;
    }
    if (s->read_bytes_per_s)
        run.load_us = (int64_t)((double)run.read_bytes / (double)s->read_bytes_per_s * 1e6);
    run.run_us = run_time(fleet, worker, order);
    return run;
}

/* ---- what waits ---- */

static void line_push(sim_line *line, const hq_order *order)
{
    size_t left = line->count - line->head;
    if (line->head > left) { /* each order is moved at most once for each that went before */
        memmove(line->orders, line->orders + line->head, left * sizeof *line->orders);
        line->head = 0;
        line->count = left;
    }
    HQ_GROW(line->orders, line->count, line->capacity);
    line->orders[line->count++] = *order;
}

static bool line_is_empty(const sim_line *line)
{
    return line->head == line->count;
}

/* NULL if there is none; the order is there until the next push. */
static const hq_order *line_next(sim_line *line)
{
    if (!line_is_empty(line))
        return &line->orders[line->head++];
    line->head = line->count = 0;
    return NULL;
}

static void line_clear(sim_line *line)
{
    free(line->orders);
    *line = (sim_line){0};
}

/* ---- what is told ---- */

static void mark(sim_fleet *fleet, sim_worker *worker)
{
    if (worker->is_dirty)
        return;
    worker->is_dirty = true;
    HQ_GROW(fleet->dirty, fleet->dirty_count, fleet->dirty_capacity);
    fleet->dirty[fleet->dirty_count++] = worker;
}

/* A send may take the wake-up of what has come meanwhile, so that the socket must be looked at once more. */
static void say(sim_fleet *fleet, sim_worker *worker, hq_message **message_p)
{
    hq_reason reason = {{0}};
    worker->sent_ms = hq_now_ms();
    fleet->totals.sent++;
    if (message_send(worker->socket, message_p, &reason))
        hq_log(HQ_LOG_WARN, "sim", "%s", reason.text);
    mark(fleet, worker);
}

static void put_credit(const sim_worker *worker, hq_message *message)
{
    message_put_int32(message, "credit", worker->is_draining ? 0 : (int32_t)worker->credit);
}

static void forget_queries(sim_fleet *fleet, sim_worker *worker)
{
    for (size_t i = 0; i < worker->query_count; i++)
        sim_queries_release(fleet->queries, &worker->queries[i].query);
    worker->query_count = 0;
}

static void say_hello(sim_fleet *fleet, sim_worker *worker)
{
    forget_queries(fleet, worker);
    worker->life++;
    worker->busy = 0;
    line_clear(&worker->queue);
    line_clear(&worker->early);
    buffer_clear(&worker->answers);
    buffer_clear(&worker->contents);
    worker->answered = worker->busy_us = 0;
    worker->is_welcome = false;
    worker->hello_ms = hq_now_ms();
    fleet->totals.hellos++;
    hq_message *message = message_new(HQ_HELLO);
    message_put_text(message, "worker", worker->id_text);
    message_put_text(message, "host", "simulated");
    message_put_text(message, "version", HQ_VERSION);
    message_put_int32(message, "slots", (int32_t)fleet->settings->slots);
    message_put_int(message, "memory", fleet->settings->cache_bytes);
    put_credit(worker, message);
    say(fleet, worker, &message);
}

static void say_credit(sim_fleet *fleet, sim_worker *worker)
{
    const sim_cache_counts *counts = sim_cache_count(worker->cache);
    hq_cache_report report = {.hits = (int64_t)counts->hits,
                              .misses = (int64_t)counts->misses,
                              .evictions = (int64_t)counts->evictions,
                              .cache_bytes = (int64_t)counts->bytes,
                              .cache_columns = (int64_t)counts->columns,
                              .cache_limit = (int64_t)sim_cache_limit(worker->cache),
                              .file_bytes = (int64_t)counts->file_bytes};
    worker->reported_columns = counts->hits + counts->misses;
    worker->reported_ms = hq_now_ms();
    hq_message *message = message_new(HQ_CREDIT);
    put_credit(worker, message);
    report_put(message, &report);
    say(fleet, worker, &message);
}

static void say_evicted(sim_fleet *fleet, sim_worker *worker)
{
    size_t count;
    const hq_hash *evicted = sim_cache_take_evicted(worker->cache, &count);
    if (count == 0)
        return;
    if (count > EVICTED_AT_ONCE) {
        evicted += count - EVICTED_AT_ONCE;
        count = EVICTED_AT_ONCE;
    }
    fleet->totals.evicted += (int64_t)count;
    hq_message *message = message_new(HQ_EVICTED);
    message_copy_payload(message, evicted, count * sizeof *evicted);
    say(fleet, worker, &message);
}

/* As hq-worker sets its credit. */
static void note_pace(const sim_fleet *fleet, sim_worker *worker)
{
    const sim_settings *s = fleet->settings;
    if (worker->answered == 0 || s->credit)
        return;
    double now_us = (double)worker->busy_us / (double)worker->answered;
    worker->order_us = worker->order_us > 0 ? 0.8 * worker->order_us + 0.2 * now_us : now_us;
    double ahead = (double)s->slots * WORK_AHEAD_US / (worker->order_us > 1 ? worker->order_us : 1);
    int64_t least = 2 * s->slots + 1;
    worker->credit = ahead < (double)least ? least : ahead > MAX_CREDIT ? MAX_CREDIT : (int64_t)ahead;
}

static void say_partials(sim_fleet *fleet, sim_worker *worker)
{
    note_pace(fleet, worker);
    worker->answered = worker->busy_us = 0;
    hq_message *message = message_new(HQ_PARTIALS);
    put_credit(worker, message);
    message_add_payload(message, &worker->answers);
    message_add_payload(message, &worker->contents);
    say(fleet, worker, &message);
}

static void leave(sim_fleet *fleet, sim_worker *worker)
{
    if (worker->is_gone)
        return;
    worker->is_gone = true;
    fleet->gone_count++;
    hq_message *message = message_new(HQ_BYE);
    say(fleet, worker, &message);
}

static void drain(sim_fleet *fleet, sim_worker *worker)
{
    if (worker->is_draining)
        return;
    worker->is_draining = true;
    say_credit(fleet, worker);
}

/* ---- slots ---- */

static void push_end(sim_fleet *fleet, const sim_end *end)
{
    HQ_GROW(fleet->ends, fleet->end_count, fleet->end_capacity);
    size_t at = fleet->end_count++;
    for (; at > 0 && fleet->ends[(at - 1) / 2].at_us > end->at_us; at = (at - 1) / 2)
        fleet->ends[at] = fleet->ends[(at - 1) / 2];
    fleet->ends[at] = *end;
}

static sim_end pop_end(sim_fleet *fleet)
{
    sim_end first = fleet->ends[0], last = fleet->ends[--fleet->end_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < fleet->end_count) {
        if (child + 1 < fleet->end_count && fleet->ends[child + 1].at_us < fleet->ends[child].at_us)
            child++;
        if (fleet->ends[child].at_us >= last.at_us)
            break;
        fleet->ends[at] = fleet->ends[child];
        at = child;
    }
    fleet->ends[at] = last;
    return first;
}

static sim_told *find_told(const sim_worker *worker, uint32_t handle)
{
    for (size_t i = worker->query_count; i > 0; i--)
        if (worker->queries[i - 1].query->handle == handle)
            return &worker->queries[i - 1];
    return NULL;
}

static sim_query *find_query(const sim_worker *worker, uint32_t handle)
{
    const sim_told *told = find_told(worker, handle);
    return told ? told->query : NULL;
}

static void put_answer(sim_fleet *fleet, sim_worker *worker, const sim_query *query, const sim_run *run)
{
    hq_answer answer = {.handle = run->handle,
                        .index = run->index,
                        .entries = run->entries,
                        .read_bytes = run->read_bytes,
                        .cached_bytes = run->cached_bytes,
                        .load_us = (uint32_t)run->load_us,
                        .run_us = (uint32_t)run->run_us};
    answer.contents = query->contents.bytes; /* partitions without entries too, with --fill */
    answer.size = (uint32_t)query->contents.size;
    answer_encode(&answer, &worker->answers, &worker->contents);
    worker->answered++;
    worker->busy_us += run->load_us + run->run_us;
    fleet->totals.subtasks++;
    fleet->totals.busy_us += run->load_us + run->run_us;
    fleet->totals.read_bytes += (int64_t)run->read_bytes;
    fleet->totals.cached_bytes += (int64_t)run->cached_bytes;
    mark(fleet, worker);
    if (worker->contents.size > FLUSH_BYTES)
        say_partials(fleet, worker);
}

static void put_unknown(sim_fleet *fleet, sim_worker *worker, const hq_order *order)
{
    hq_failure failure = {.error = HQ_EPROTOCOL};
    hq_fail(&failure.reason, HQ_EPROTOCOL, "the worker was not told this query, or not this file");
    hq_buffer bytes = {0};
    failure_encode(&failure, &bytes);
    const hq_answer answer = {.handle = order->handle,
                              .index = order->index,
                              .is_failed = true,
                              .contents = bytes.bytes,
                              .size = (uint32_t)bytes.size};
    answer_encode(&answer, &worker->answers, &worker->contents);
    buffer_clear(&bytes);
    fleet->totals.unknown++;
    mark(fleet, worker);
}

/* Gives the worker's free slots what waits, from the time given on. */
static void begin_waiting(sim_fleet *fleet, sim_worker *worker, int64_t at_us)
{
    const hq_order *order;
    while (worker->busy < fleet->settings->slots &&
           ((order = line_next(&worker->early)) || (order = line_next(&worker->queue)))) {
        const sim_query *query = find_query(worker, order->handle);
        if (!query) {
            fleet->totals.dropped++;
            continue;
        }
        sim_run run = plan_run(fleet, worker, query, order);
        if (run.load_us + run.run_us == 0) {
            put_answer(fleet, worker, query, &run);
            continue;
        }
        worker->busy++;
        push_end(
            fleet,
            &(sim_end){.at_us = at_us + run.load_us + run.run_us, .worker = worker, .life = worker->life, .run = run});
    }
}

static void end_due(sim_fleet *fleet, int64_t now_us)
{
    while (fleet->end_count > 0 && fleet->ends[0].at_us <= now_us) {
        sim_end end = pop_end(fleet);
        sim_worker *worker = end.worker;
        if (end.life != worker->life)
            continue;
        worker->busy--;
        const sim_query *query = find_query(worker, end.run.handle);
        if (query)
            put_answer(fleet, worker, query, &end.run);
        else
            fleet->totals.dropped++;
        begin_waiting(fleet, worker, end.at_us);
    }
}

/* ---- what brokers say ---- */

static void take_query(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    sim_query *query = NULL;
    hq_reason reason = {{0}};
    fleet->totals.queries++;
    if (sim_queries_take(fleet->queries, message, &query, &reason)) {
        hq_log(HQ_LOG_WARN, "sim", "%s", reason.text);
        return;
    }
    if (find_query(worker, query->handle)) {
        sim_queries_release(fleet->queries, &query);
        return;
    }
    HQ_GROW(worker->queries, worker->query_count, worker->query_capacity);
    worker->queries[worker->query_count++] = (sim_told){query, 0};
}

static void drop_query(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    int64_t handle;
    if (!message_get_int(message, "handle", 0, UINT32_MAX, &handle))
        return;
    for (size_t i = 0; i < worker->query_count; i++)
        if (worker->queries[i].query->handle == handle) {
            sim_queries_release(fleet->queries, &worker->queries[i].query);
            worker->queries[i] = worker->queries[--worker->query_count];
            return;
        }
}

static void take_orders(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    size_t size;
    const void *bytes = message_payload(message, 0, &size);
    hq_cursor cursor = cursor_over(bytes, size);
    hq_order order;
    bool is_queue = !line_is_empty(&worker->queue);
    while (order_next(&cursor, &order)) {
        sim_told *told = find_told(worker, order.handle);
        if (!told || order.file >= told->query->file_count) {
            put_unknown(fleet, worker, &order);
            continue;
        }
        bool is_first = told->orders++ < fleet->settings->slots;
        line_push(is_first && is_queue ? &worker->early : &worker->queue, &order);
    }
    if (cursor.bad)
        hq_log(HQ_LOG_WARN, "sim", "SUBTASKS whose payload is no list of orders");
    begin_waiting(fleet, worker, hq_now_us());
}

static void take_welcome(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    int64_t lease_ms;
    fleet->welcome_count += !worker->is_welcome;
    worker->is_welcome = true;
    if (message_get_int(message, "lease_ms", 1, INT32_MAX, &lease_ms))
        worker->lease_ms = lease_ms;
}

static void take_rejection(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    const char *code = "", *text = "";
    message_get_text(message, "code", &code);
    message_get_text(message, "text", &text);
    fleet->totals.rejected++;
    hq_log(HQ_LOG_WARN, "sim", "worker %u: the broker says %s: %s", worker->number, code, text);
    if (hq_error_from_name(code) != HQ_ENOTFOUND || !worker->is_welcome || worker->is_gone)
        return;
    fleet->welcome_count--;
    say_hello(fleet, worker);
}

static void handle(sim_fleet *fleet, sim_worker *worker, const hq_message *message)
{
    switch (message_command(message)) {
    case HQ_WELCOME:
        take_welcome(fleet, worker, message);
        break;
    case HQ_QUERY:
        take_query(fleet, worker, message);
        break;
    case HQ_SUBTASKS:
        take_orders(fleet, worker, message);
        break;
    case HQ_DROP:
        if (!bson_has_field(message_body((hq_message *)message),
                            "index")) /* one subtask that somebody else did is done in vain */
            drop_query(fleet, worker, message);
        break;
    case HQ_DRAIN:
        drain(fleet, worker);
        break;
    case HQ_REJECTED:
        take_rejection(fleet, worker, message);
        break;
    default:
        hq_log(HQ_LOG_WARN, "sim", "%s is not for a worker", command_name(message_command(message)));
    }
}

/* Everything that is there, so that the socket's descriptor tells of what comes next. */
static void receive(sim_fleet *fleet, sim_worker *worker)
{
    for (;;) {
        hq_message *message = NULL;
        hq_reason reason = {{0}};
        hq_error error = message_receive(worker->socket, &message, NULL, &reason);
        if (error == HQ_ETIMEOUT)
            return;
        fleet->totals.received++;
        if (error)
            hq_log(HQ_LOG_WARN, "sim", "%s", reason.text);
        else
            handle(fleet, worker, message);
        message_free(&message);
    }
}

static bool is_through(const sim_worker *worker)
{
    return worker->is_draining && worker->busy == 0 && line_is_empty(&worker->early) && line_is_empty(&worker->queue);
}

static void send_all(sim_fleet *fleet)
{
    while (fleet->dirty_count > 0) {
        sim_worker *worker = fleet->dirty[--fleet->dirty_count];
        worker->is_dirty = false;
        if (worker->answers.size > 0)
            say_partials(fleet, worker);
        else if (is_through(worker))
            leave(fleet, worker);
        receive(fleet, worker);
    }
}

/* ---- the loop ---- */

static void tick_worker(sim_fleet *fleet, sim_worker *worker, int64_t now_ms)
{
    if (worker->is_gone)
        return;
    if (!worker->is_welcome) {
        if (now_ms - worker->hello_ms >= HELLO_AGAIN_MS)
            say_hello(fleet, worker);
        return;
    }
    say_evicted(fleet, worker);
    const sim_cache_counts *counts = sim_cache_count(worker->cache);
    bool has_news = counts->hits + counts->misses != worker->reported_columns;
    /* One tick early, for the next one may be too late. */
    if (now_ms - worker->sent_ms >= worker->lease_ms / 4 - TICK_MS ||
        (has_news && now_ms - worker->reported_ms >= REPORT_MS))
        say_credit(fleet, worker);
    if (is_through(worker))
        mark(fleet, worker);
}

static void tick(sim_fleet *fleet)
{
    int64_t now_ms = hq_now_ms();
    if (now_ms - fleet->ticked_ms < TICK_MS)
        return;
    fleet->ticked_ms = now_ms;
    for (size_t i = 0; i < fleet->worker_count; i++)
        tick_worker(fleet, &fleet->workers[i], now_ms);
}

static void stop_once_more(sim_fleet *fleet)
{
    eventfd_t times = 0;
    eventfd_read(fleet->stop_fd, &times);
    fleet->stops += (int)times;
    for (size_t i = 0; i < fleet->worker_count; i++)
        if (fleet->stops > 1)
            leave(fleet, &fleet->workers[i]);
        else
            drain(fleet, &fleet->workers[i]);
}

static int wait_for_events(sim_fleet *fleet, struct epoll_event *events)
{
    int64_t wait_us = (fleet->ticked_ms + TICK_MS) * 1000 - hq_now_us();
    if (fleet->end_count > 0 && fleet->ends[0].at_us - hq_now_us() < wait_us)
        wait_us = fleet->ends[0].at_us - hq_now_us();
    if (wait_us < 0)
        wait_us = 0;
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    return epoll_pwait2(fleet->epoll_fd, events, EVENTS_AT_ONCE, &wait, NULL);
}

static void print_totals(const sim_fleet *fleet, FILE *out)
{
    const sim_totals *t = &fleet->totals;
    fprintf(out,
            "{\"workers\": %zu, \"subtasks\": %" PRId64 ", \"unknown\": %" PRId64 ", \"dropped\": %" PRId64
            ", \"busy_us\": %" PRId64 ", \"read_bytes\": %" PRId64 ", \"cached_bytes\": %" PRId64
            ", \"received\": %" PRId64 ", \"sent\": %" PRId64 ", \"queries\": %" PRId64 ", \"hellos\": %" PRId64
            ", \"rejected\": %" PRId64 ", \"evicted\": %" PRId64 "}\n",
            fleet->worker_count, t->subtasks, t->unknown, t->dropped, t->busy_us, t->read_bytes, t->cached_bytes,
            t->received, t->sent, t->queries, t->hellos, t->rejected, t->evicted);
    fflush(out);
}

hq_error sim_fleet_run(sim_fleet *fleet, FILE *out, hq_reason *reason)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    while (fleet->gone_count < fleet->worker_count) {
        tick(fleet);
        end_due(fleet, hq_now_us());
        send_all(fleet);
        int count = wait_for_events(fleet, events);
        if (count < 0 && errno != EINTR)
            return hq_fail(reason, HQ_EINTERNAL, "cannot wait: %s", strerror(errno));
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr == &fleet->stop_fd)
                stop_once_more(fleet);
            else if (events[i].data.ptr == &fleet->coordinator)
                coordinator_dispatch(fleet->coordinator);
            else
                receive(fleet, events[i].data.ptr);
        if (!fleet->was_ready && fleet->welcome_count == fleet->worker_count) {
            fleet->was_ready = true;
            fprintf(out, "ready\n");
            fflush(out);
        }
    }
    print_totals(fleet, out);
    return HQ_OK;
}

void sim_fleet_stop(sim_fleet *fleet)
{
    eventfd_write(fleet->stop_fd, 1);
}

/* ---- making and unmaking ---- */

static void watch(const sim_fleet *fleet, int fd, void *what)
{
    epoll_ctl(fleet->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = what});
}

static void on_joined(void *context, hq_error error, const char *detail)
{
    const sim_worker *worker = context;
    if (error)
        hq_log(HQ_LOG_ERROR, "sim", "worker %u is not registered in the coordinator: %s", worker->number, detail);
}

static void join(sim_fleet *fleet, sim_worker *worker)
{
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "host", "simulated");
    BSON_APPEND_UTF8(&document, "version", HQ_VERSION);
    BSON_APPEND_INT32(&document, "slots", (int32_t)fleet->settings->slots);
    BSON_APPEND_INT64(&document, "memory", fleet->settings->cache_bytes);
    coordinator_join(fleet->coordinator, "workers", worker->id_text, bson_get_data(&document), document.len, on_joined,
                     worker);
    bson_destroy(&document);
}

static hq_error worker_connect(sim_fleet *fleet, uint32_t number, hq_reason *reason)
{
    const sim_settings *s = fleet->settings;
    sim_worker *worker = &fleet->workers[number];
    const uint64_t name[] = {(uint64_t)s->seed, number};
    *worker = (sim_worker){.number = number, .id = hash_of(name, sizeof name), .lease_ms = FIRST_LEASE_MS};
    hash_to_text(&worker->id, worker->id_text);
    worker->cache = sim_cache_new((uint64_t)s->cache_bytes);
    worker->credit = s->credit ? s->credit : 2 * s->slots + 1;
    fleet->worker_count++;
    hq_error error = socket_dealer(s->broker, &worker->socket, reason);
    if (error)
        return error;
    watch(fleet, zsock_fd(worker->socket), worker);
    if (fleet->coordinator)
        join(fleet, worker);
    say_hello(fleet, worker);
    return HQ_OK;
}

hq_error sim_fleet_new(const sim_settings *settings, sim_fleet **fleet_r, hq_reason *reason)
{
    if (!settings->broker)
        return hq_fail(reason, HQ_EINVAL, "--broker is missing: the back of the broker they work for");
    sim_fleet *fleet = hq_calloc(1, sizeof *fleet);
    fleet->settings = settings;
    fleet->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fleet->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fleet->queries = sim_queries_new(settings->fills);
    fleet->workers = hq_calloc((size_t)settings->workers, sizeof *fleet->workers);
    fleet->ticked_ms = hq_now_ms();
    watch(fleet, fleet->stop_fd, &fleet->stop_fd);
    hq_error error = HQ_OK;
    if (settings->coordinator) {
        error = coordinator_open(settings->coordinator, SESSION_MS, NULL, NULL, &fleet->coordinator, reason);
        if (!error)
            watch(fleet, coordinator_fd(fleet->coordinator), &fleet->coordinator);
    }
    for (int64_t i = 0; !error && i < settings->workers; i++)
        error = worker_connect(fleet, (uint32_t)i, reason);
    if (error)
        sim_fleet_free(&fleet);
    *fleet_r = fleet;
    return error;
}

static void worker_clear(sim_fleet *fleet, sim_worker *worker)
{
    forget_queries(fleet, worker);
    free(worker->queries);
    line_clear(&worker->queue);
    line_clear(&worker->early);
    buffer_clear(&worker->answers);
    buffer_clear(&worker->contents);
    sim_cache_free(&worker->cache);
    zsock_destroy(&worker->socket);
}

void sim_fleet_free(sim_fleet **fleet_p)
{
    sim_fleet *fleet = *fleet_p;
    if (!fleet)
        return;
    coordinator_close(&fleet->coordinator);
    for (size_t i = 0; i < fleet->worker_count; i++)
        worker_clear(fleet, &fleet->workers[i]);
    sim_queries_free(&fleet->queries);
    free(fleet->workers);
    free(fleet->ends);
    free(fleet->dirty);
    close(fleet->epoll_fd);
    close(fleet->stop_fd);
    free(fleet);
    *fleet_p = NULL;
}
