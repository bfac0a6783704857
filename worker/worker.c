#include "worker/worker.h"

#include <czmq.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "wire/message.h"
#include "wire/report.h"
#include "wire/socket.h"
#include "worker/pool.h"
#include "zk/coordinator.h"

enum {
    TICK_MS = 200,
    REPORT_MS = 1000, /* between two reports of the cache, if there is news */
    HELLO_AGAIN_MS = 2000,
    FIRST_LEASE_MS = 3000, /* until WELCOME tells */
    WORK_AHEAD_US = 50000, /* of each executor, waiting in the queue */
    MAX_CREDIT = 8192,
    WRITE_SHARE = 8, /* and that may wait to be written to the cache directory */
    AHEAD_SHARE = 8, /* of the cache that may be filled ahead of its use: one eighth */
    EVICTED_AT_ONCE = 4096,
    KEPT_CODES = 64, /* of queries that are over; some tens of KiB each */
    RECEIVE_AT_ONCE = 64,
    MESSAGE_BYTES = 64 << 20 /* of contents; one more batch still fits into what a broker takes */
};

/* One broker. */
typedef struct broker_link {
    uint32_t number; /* of this HELLO; never used again, so that answers to what was given before it find no link */
    char *endpoint;
    zsock_t *socket;
    bool is_welcome;
    int64_t lease_ms, sent_ms, hello_ms;
    hq_task **tasks; /* held */
    size_t task_count, task_capacity;
} broker_link;

struct hq_worker {
    hq_worker_settings settings;
    hq_hash id;
    char id_text[HQ_HASH_TEXT];
    char host[256];
    hq_coordinator *coordinator;
    hq_cache *cache;
    hq_files *files;
    hq_disk *disk; /* NULL: none */
    hq_codes *codes;
    hq_pool *pool;
    broker_link **links;
    size_t link_count, link_capacity;
    uint32_t next_link;
    int64_t ticked_ms, reported_ms;
    hq_cache_report reported;
    int stop_fd;
    bool is_draining, is_leaving;
    bool reads_servers; /* files of servers, for some query */
    double order_us;    /* mean time of one, of late */
    int64_t credit;
};

/* ---- links ---- */

static void say(broker_link *l, hq_message **message_p)
{
    hq_reason reason = {{0}};
    l->sent_ms = hq_now_ms();
    if (message_send(l->socket, message_p, &reason))
        hq_log(HQ_LOG_WARN, "worker", "to %s: %s", l->endpoint, reason.text);
}

static void forget_tasks(broker_link *l)
{
    for (size_t i = 0; i < l->task_count; i++) {
        task_cancel(l->tasks[i]);
        task_release(&l->tasks[i]);
    }
    l->task_count = 0;
}

static void say_hello(hq_worker *worker, broker_link *l)
{
    forget_tasks(l);
    l->number = worker->next_link++;
    l->is_welcome = false;
    l->hello_ms = hq_now_ms();
    hq_message *message = message_new(HQ_HELLO);
    message_put_text(message, "worker", worker->id_text);
    message_put_text(message, "host", worker->host);
    message_put_text(message, "version", HQ_VERSION);
    message_put_int32(message, "slots", (int32_t)worker->settings.slots);
    message_put_int(message, "memory", worker->settings.memory);
    message_put_int32(message, "credit", worker->is_draining ? 0 : (int32_t)worker->credit);
    say(l, &message);
}

static hq_cache_report report_of(const hq_worker *worker)
{
    hq_cache_counts counts;
    hq_disk_counts disk = {0};
    cache_count(worker->cache, &counts);
    if (worker->disk)
        disk_count(worker->disk, &disk);
    /* A column that is just being taken from the directory is a hit there, and not loaded yet. */
    uint64_t from_disk = disk.hit_bytes < counts.loaded_bytes ? disk.hit_bytes : counts.loaded_bytes;
    return (hq_cache_report){.hits = (int64_t)counts.hits,
                             .misses = (int64_t)counts.misses,
                             .evictions = (int64_t)counts.evictions,
                             .cache_bytes = (int64_t)counts.bytes,
                             .cache_columns = (int64_t)counts.entries,
                             .cache_limit = (int64_t)counts.limit_bytes,
                             .file_bytes = (int64_t)(counts.loaded_bytes - from_disk),
                             .ahead_used = (int64_t)counts.ahead_used,
                             .ahead_wasted = (int64_t)counts.ahead_wasted,
                             .disk_hits = (int64_t)disk.hits,
                             .disk_hit_bytes = (int64_t)disk.hit_bytes,
                             .disk_bytes = (int64_t)disk.bytes,
                             .disk_limit = (int64_t)disk.limit_bytes,
                             .disk_written = (int64_t)disk.written,
                             .disk_evicted = (int64_t)disk.evicted,
                             .disk_damaged = (int64_t)disk.damaged};
}

static void say_credit(hq_worker *worker, broker_link *l)
{
    hq_cache_report report = report_of(worker);
    hq_message *message = message_new(HQ_CREDIT);
    message_put_int32(message, "credit", worker->is_draining ? 0 : (int32_t)worker->credit);
    report_put(message, &report);
    say(l, &message);
}

/* A worker that has much to say has no need of CREDIT to keep its lease, but what it tells of its cache is wanted. */
static void report_news(hq_worker *worker, int64_t now_ms)
{
    if (now_ms - worker->reported_ms < REPORT_MS)
        return;
    worker->reported_ms = now_ms;
    hq_cache_report report = report_of(worker);
    if (memcmp(&report, &worker->reported, sizeof report) == 0)
        return;
    worker->reported = report;
    for (size_t i = 0; i < worker->link_count; i++)
        if (worker->links[i]->is_welcome)
            say_credit(worker, worker->links[i]);
}

static hq_error link_add(hq_worker *worker, const char *endpoint, hq_reason *reason)
{
    broker_link *l = hq_calloc(1, sizeof *l);
    *l = (broker_link){.endpoint = hq_strdup(endpoint), .lease_ms = FIRST_LEASE_MS};
    hq_error error = socket_dealer(endpoint, &l->socket, reason);
    if (error) {
        free(l->endpoint);
        free(l);
        return error;
    }
    HQ_GROW(worker->links, worker->link_count, worker->link_capacity);
    worker->links[worker->link_count++] = l;
    hq_log(HQ_LOG_INFO, "worker", "%s works for the broker at %s", worker->id_text, endpoint);
    say_hello(worker, l);
    return HQ_OK;
}

static void link_free(broker_link **link_p)
{
    broker_link *l = *link_p;
    forget_tasks(l);
    free(l->tasks);
    zsock_destroy(&l->socket);
    free(l->endpoint);
    free(l);
    *link_p = NULL;
}

static broker_link *link_of(const hq_worker *worker, uint32_t number)
{
    for (size_t i = 0; i < worker->link_count; i++)
        if (worker->links[i]->number == number)
            return worker->links[i];
    return NULL;
}

/* ---- brokers, as the coordinator names them ---- */

static char *back_endpoint(const hq_member *member)
{
    bson_t document;
    bson_iter_t iter;
    if (!bson_init_static(&document, member->bytes, member->size) ||
        !bson_validate(&document, BSON_VALIDATE_UTF8, NULL) || !bson_iter_init_find(&iter, &document, "back") ||
        !BSON_ITER_HOLDS_UTF8(&iter)) {
        hq_log(HQ_LOG_WARN, "worker", "the coordinator has no end point of broker %s", member->id);
        return NULL;
    }
    return hq_strdup(bson_iter_utf8(&iter, NULL));
}

static void remove_missing_links(hq_worker *worker, char *const *endpoints, size_t count)
{
    for (size_t i = 0; i < worker->link_count;) {
        bool is_there = false;
        for (size_t k = 0; k < count; k++)
            is_there |= endpoints[k] && strcmp(endpoints[k], worker->links[i]->endpoint) == 0;
        if (is_there) {
            i++;
            continue;
        }
        hq_log(HQ_LOG_INFO, "worker", "the broker at %s is gone", worker->links[i]->endpoint);
        link_free(&worker->links[i]);
        worker->links[i] = worker->links[--worker->link_count];
    }
}

static void brokers_changed(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    hq_worker *worker = context;
    if (error) {
        hq_log(HQ_LOG_WARN, "worker", "the coordinator does not tell the brokers: %s", detail);
        return;
    }
    char **endpoints = hq_calloc(count, sizeof *endpoints);
    for (size_t i = 0; i < count; i++)
        endpoints[i] = back_endpoint(&members[i]);
    remove_missing_links(worker, endpoints, count);
    for (size_t i = 0; i < count; i++) {
        bool is_known = !endpoints[i] || worker->is_draining;
        for (size_t k = 0; k < worker->link_count; k++)
            is_known |= endpoints[i] && strcmp(worker->links[k]->endpoint, endpoints[i]) == 0;
        hq_reason reason = {{0}};
        if (!is_known && link_add(worker, endpoints[i], &reason))
            hq_log(HQ_LOG_WARN, "worker", "%s", reason.text);
        free(endpoints[i]);
    }
    free(endpoints);
}

static void on_joined(void *context, hq_error error, const char *detail)
{
    const hq_worker *worker = context;
    if (error)
        hq_log(HQ_LOG_ERROR, "worker", "%s is not registered in the coordinator: %s", worker->id_text, detail);
}

static hq_error join_coordinator(hq_worker *worker, hq_reason *reason)
{
    hq_error error = coordinator_open(worker->settings.coordinator, (int)worker->settings.session_ms, NULL, NULL,
                                      &worker->coordinator, reason);
    if (error)
        return error;
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "host", worker->host);
    BSON_APPEND_UTF8(&document, "version", HQ_VERSION);
    BSON_APPEND_INT32(&document, "slots", (int32_t)worker->settings.slots);
    BSON_APPEND_INT64(&document, "memory", worker->settings.memory);
    coordinator_join(worker->coordinator, "workers", worker->id_text, bson_get_data(&document), document.len, on_joined,
                     worker);
    coordinator_watch(worker->coordinator, "brokers", brokers_changed, worker);
    bson_destroy(&document);
    return HQ_OK;
}

/* ---- what brokers say ---- */

static hq_task **find_task(const broker_link *l, uint32_t handle)
{
    for (size_t i = l->task_count; i > 0; i--)
        if (task_handle(l->tasks[i - 1]) == handle)
            return &l->tasks[i - 1];
    return NULL;
}

static void forget_task(broker_link *l, uint32_t handle)
{
    hq_task **task = find_task(l, handle);
    if (!task)
        return;
    task_cancel(*task);
    task_release(task);
    *task = l->tasks[--l->task_count];
}

static void take_drop(broker_link *l, const hq_message *message)
{
    int64_t handle, index;
    if (!message_get_int(message, "handle", 0, UINT32_MAX, &handle))
        return;
    hq_task **task = find_task(l, (uint32_t)handle);
    if (!message_get_int(message, "index", 0, UINT32_MAX, &index))
        forget_task(l, (uint32_t)handle);
    else if (task)
        task_drop(*task, (uint32_t)index);
}

static void take_query(hq_worker *worker, broker_link *l, const hq_message *message)
{
    hq_task *task = NULL;
    hq_reason reason = {{0}};
    if (task_new(message, worker->codes, &task, &reason)) {
        hq_log(HQ_LOG_WARN, "worker", "from %s: %s", l->endpoint, reason.text);
        return;
    }
    if (find_task(l, task_handle(task))) {
        task_release(&task); /* told once more; orders that are under way hold the one there is */
        return;
    }
    HQ_GROW(l->tasks, l->task_count, l->task_capacity);
    l->tasks[l->task_count++] = task;
    worker->reads_servers |= task_has_servers(task);
}

static void answer_unknown(const hq_order *order, hq_buffer *answers, hq_buffer *contents)
{
    hq_failure failure = {.error = HQ_EPROTOCOL};
    hq_fail(&failure.reason, HQ_EPROTOCOL, "the worker was not told this query");
    hq_buffer bytes = {0};
    failure_encode(&failure, &bytes);
    hq_answer answer = {.handle = order->handle,
                        .index = order->index,
                        .is_failed = true,
                        .contents = bytes.bytes,
                        .size = (uint32_t)bytes.size};
    answer_encode(&answer, answers, contents);
    buffer_clear(&bytes);
}

static void say_partials(hq_worker *worker, broker_link *l, hq_buffer *answers, hq_buffer *contents)
{
    hq_message *message = message_new(HQ_PARTIALS);
    message_put_int32(message, "credit", worker->is_draining ? 0 : (int32_t)worker->credit);
    message_add_payload(message, answers);
    message_add_payload(message, contents);
    say(l, &message);
}

static void take_orders(hq_worker *worker, broker_link *l, const hq_message *message)
{
    size_t size, count = 0;
    const void *bytes = message_payload(message, 0, &size);
    hq_cursor cursor = cursor_over(bytes, size);
    hq_assigned *assigned = hq_alloc((size / HQ_ORDER_BYTES + 1) * sizeof *assigned);
    hq_buffer answers = {0}, contents = {0};
    hq_order order;
    hq_task **task = NULL;
    while (order_next(&cursor, &order)) {
        if (!task || task_handle(*task) != order.handle)
            task = find_task(l, order.handle);
        if (task)
            assigned[count++] = (hq_assigned){task_hold(*task), order, l->number};
        else
            answer_unknown(&order, &answers, &contents);
    }
    if (cursor.bad)
        hq_log(HQ_LOG_WARN, "worker", "from %s: SUBTASKS whose payload is no list of orders", l->endpoint);
    if (count)
        pool_give(worker->pool, assigned, count);
    if (answers.size)
        say_partials(worker, l, &answers, &contents);
    buffer_clear(&answers);
    buffer_clear(&contents);
    free(assigned);
}

static void take_rejection(hq_worker *worker, broker_link *l, const hq_message *message)
{
    const char *code = "", *text = "";
    message_get_text(message, "code", &code);
    message_get_text(message, "text", &text);
    hq_log(HQ_LOG_WARN, "worker", "the broker at %s says %s: %s", l->endpoint, code, text);
    /* Several may come for what was on its way: one HELLO answers them all. */
    if (hq_error_from_name(code) == HQ_ENOTFOUND && l->is_welcome && !worker->is_leaving)
        say_hello(worker, l);
}

/* Takes nothing new from now on. */
static void drain(hq_worker *worker)
{
    worker->is_draining = true;
    hq_log(HQ_LOG_INFO, "worker", worker->is_leaving ? "leaving" : "draining: %zu subtasks to finish",
           pool_under_way(worker->pool));
    for (size_t i = 0; i < worker->link_count; i++)
        say_credit(worker, worker->links[i]);
}

static void handle(hq_worker *worker, broker_link *l, const hq_message *message)
{
    int64_t number;
    switch (message_command(message)) {
    case HQ_WELCOME:
        l->is_welcome = true;
        if (message_get_int(message, "lease_ms", 1, INT32_MAX, &number))
            l->lease_ms = number;
        break;
    case HQ_QUERY:
        take_query(worker, l, message);
        break;
    case HQ_SUBTASKS:
        take_orders(worker, l, message);
        break;
    case HQ_DROP:
        take_drop(l, message);
        break;
    case HQ_DRAIN:
        hq_log(HQ_LOG_INFO, "worker", "the broker at %s says that it shall drain", l->endpoint);
        if (!worker->is_draining)
            drain(worker);
        break;
    case HQ_REJECTED:
        take_rejection(worker, l, message);
        break;
    default:
        hq_log(HQ_LOG_WARN, "worker", "from %s: %s is not for a worker", l->endpoint,
               command_name(message_command(message)));
    }
}

static void receive(hq_worker *worker, broker_link *l)
{
    for (int i = 0; i < RECEIVE_AT_ONCE; i++) {
        hq_message *message = NULL;
        hq_reason reason = {{0}};
        hq_error error = message_receive(l->socket, &message, NULL, &reason);
        if (error == HQ_ETIMEOUT)
            return;
        if (error)
            hq_log(HQ_LOG_WARN, "worker", "from %s: %s", l->endpoint, reason.text);
        else
            handle(worker, l, message);
        message_free(&message);
    }
}

/* ---- what executors hand back ---- */

static void note_pace(hq_worker *worker, const hq_batch *batch)
{
    double now_us = (double)batch->busy_us / (double)(batch->orders ? batch->orders : 1);
    worker->order_us = worker->order_us > 0 ? 0.8 * worker->order_us + 0.2 * now_us : now_us;
    double ahead = (double)worker->settings.slots * WORK_AHEAD_US / (worker->order_us > 1 ? worker->order_us : 1);
    /* Subtasks for those who read ahead. */
    int64_t readers = worker->reads_servers || worker->settings.readers < 1 ? worker->settings.readers : 1;
    int64_t least = 2 * worker->settings.slots + readers;
    worker->credit = ahead < (double)least ? least : ahead > MAX_CREDIT ? MAX_CREDIT : (int64_t)ahead;
}

/* All of it, in as many messages as it takes: what a broker is not told of, it takes for held for ever. */
static void say_evicted(hq_worker *worker)
{
    hq_hash evicted[EVICTED_AT_ONCE];
    for (size_t count; (count = cache_take_evicted(worker->cache, evicted, EVICTED_AT_ONCE)) > 0;)
        for (size_t i = 0; i < worker->link_count; i++) {
            hq_message *message = message_new(HQ_EVICTED);
            message_copy_payload(message, evicted, count * sizeof *evicted);
            say(worker->links[i], &message);
        }
}

/* Everything that is there goes out, the answers for one broker in one message. */
static void send_answers(hq_worker *worker)
{
    hq_batch *batch;
    broker_link *current = NULL;
    hq_buffer answers = {0}, contents = {0};
    say_evicted(worker); /* what went before these answers is not to be taken for what went after them */
    while ((batch = pool_take(worker->pool))) {
        note_pace(worker, batch);
        broker_link *l = link_of(worker, batch->link);
        if (current && answers.size && (l != current || contents.size > MESSAGE_BYTES))
            say_partials(worker, current, &answers, &contents);
        if (l) {
            buffer_append(&answers, batch->answers.bytes, batch->answers.size);
            buffer_append(&contents, batch->contents.bytes, batch->contents.size);
        }
        current = l;
        batch_free(&batch);
    }
    if (current && answers.size)
        say_partials(worker, current, &answers, &contents);
    buffer_clear(&answers);
    buffer_clear(&contents);
}

/* ---- the loop ---- */

/* What is due. Gives back how long the loop may sleep. */
static int64_t tick(hq_worker *worker)
{
    int64_t now_ms = hq_now_ms(), wait_ms = TICK_MS;
    if (now_ms - worker->ticked_ms >= TICK_MS) {
        worker->ticked_ms = now_ms;
        say_evicted(worker);
        report_news(worker, now_ms);
    }
    for (size_t i = 0; i < worker->link_count; i++) {
        broker_link *l = worker->links[i];
        /* A quarter of the lease, so that a little delay still leaves it within the third that it must keep to. */
        int64_t patience_ms = l->is_welcome ? l->lease_ms / 4 : HELLO_AGAIN_MS;
        int64_t since_ms = now_ms - (l->is_welcome ? l->sent_ms : l->hello_ms);
        if (since_ms >= patience_ms) {
            since_ms = 0;
            if (l->is_welcome)
                say_credit(worker, l);
            else if (!worker->is_leaving)
                say_hello(worker, l);
        }
        if (patience_ms - since_ms < wait_ms)
            wait_ms = patience_ms - since_ms;
    }
    return wait_ms < 1 ? 1 : wait_ms;
}

static void stop_once_more(hq_worker *worker)
{
    eventfd_t times = 0;
    eventfd_read(worker->stop_fd, &times);
    worker->is_leaving = worker->is_draining || times > 1;
    drain(worker);
}

static void say_bye(hq_worker *worker)
{
    for (size_t i = 0; i < worker->link_count; i++) {
        hq_message *message = message_new(HQ_BYE);
        say(worker->links[i], &message);
    }
}

enum { FIXED_ITEMS = 3 };

static zmq_pollitem_t *poll_items(const hq_worker *worker, size_t *count_r)
{
    *count_r = FIXED_ITEMS + worker->link_count;
    zmq_pollitem_t *items = hq_calloc(*count_r, sizeof *items);
    items[0] = (zmq_pollitem_t){NULL, worker->stop_fd, ZMQ_POLLIN, 0};
    items[1] = (zmq_pollitem_t){NULL, pool_fd(worker->pool), ZMQ_POLLIN, 0};
    /* A worker of one broker has no coordinator: its place watches the stop once more, and is not looked at. */
    items[2] = (zmq_pollitem_t){NULL, worker->coordinator ? coordinator_fd(worker->coordinator) : worker->stop_fd,
                                ZMQ_POLLIN, 0};
    for (size_t i = 0; i < worker->link_count; i++)
        items[FIXED_ITEMS + i] = (zmq_pollitem_t){zsock_resolve(worker->links[i]->socket), 0, ZMQ_POLLIN, 0};
    return items;
}

static void serve(hq_worker *worker, const zmq_pollitem_t *items)
{
    if (items[0].revents)
        stop_once_more(worker);
    /* Links before the coordinator: it may add and remove some, and items tells of those there were. */
    for (size_t i = 0, count = worker->link_count; i < count; i++)
        if (items[FIXED_ITEMS + i].revents)
            receive(worker, worker->links[i]);
    if (items[1].revents)
        send_answers(worker);
    if (items[2].revents && worker->coordinator)
        coordinator_dispatch(worker->coordinator);
}

static void log_cache(const hq_worker *worker)
{
    hq_cache_report r = report_of(worker);
    hq_log(HQ_LOG_INFO, "worker",
           "of the columns that were wanted %lld were in memory, %lld in the cache directory, %lld in their files; "
           "%lld evicted; %lld read ahead, %lld of them for nothing",
           (long long)r.hits, (long long)r.disk_hits, (long long)(r.misses - r.disk_hits), (long long)r.evictions,
           (long long)(r.ahead_used + r.ahead_wasted), (long long)r.ahead_wasted);
}

hq_error worker_run(hq_worker *worker, hq_reason *reason)
{
    while (!worker->is_leaving && !(worker->is_draining && pool_under_way(worker->pool) == 0)) {
        int64_t wait_ms = tick(worker);
        size_t count;
        zmq_pollitem_t *items = poll_items(worker, &count);
        int ready = zmq_poll(items, (int)count, (long)wait_ms);
        if (ready > 0)
            serve(worker, items);
        free(items);
        if (ready < 0 && zmq_errno() != EINTR)
            return hq_fail(reason, HQ_EINTERNAL, "the worker's loop cannot wait: %s", zmq_strerror(zmq_errno()));
    }
    say_bye(worker);
    log_cache(worker);
    return HQ_OK;
}

void worker_stop(hq_worker *worker)
{
    eventfd_write(worker->stop_fd, 1);
}

/* ---- making and unmaking ---- */

hq_error worker_new(const hq_worker_settings *settings, hq_worker **worker_r, hq_reason *reason)
{
    if (!settings->coordinator && !settings->broker)
        return hq_fail(reason, HQ_EINVAL, "a worker needs a coordinator or a broker");
    hq_worker *worker = hq_calloc(1, sizeof *worker);
    worker->settings = *settings;
    worker->settings.coordinator = hq_strdup(settings->coordinator);
    worker->settings.broker = hq_strdup(settings->broker);
    worker->settings.cache_dir = hq_strdup(settings->cache_dir);
    if (worker->settings.slots <= 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        worker->settings.slots = cores > 0 ? cores : 1;
    }
    worker->credit = 2 * worker->settings.slots + (worker->settings.readers > 0);
    worker->id = hash_random();
    hash_to_text(&worker->id, worker->id_text);
    gethostname(worker->host, sizeof worker->host - 1);
    worker->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->cache = cache_new((size_t)settings->memory);
    if (settings->cache_dir) {
        hq_error failed = disk_open(settings->cache_dir, (uint64_t)settings->cache_dir_size,
                                    (size_t)settings->memory / WRITE_SHARE, &worker->disk, reason);
        if (failed) {
            worker_free(&worker);
            return failed;
        }
    }
    worker->codes = codes_new(KEPT_CODES);
    worker->files = files_new((size_t)settings->open_files, &settings->remote);
    worker->pool = pool_new((size_t)worker->settings.slots, (size_t)settings->readers,
                            (size_t)settings->memory / AHEAD_SHARE, worker->cache, worker->files, worker->disk);
    hq_error error = settings->broker ? link_add(worker, settings->broker, reason) : join_coordinator(worker, reason);
    if (error)
        worker_free(&worker);
    else
        *worker_r = worker;
    return error;
}

void worker_free(hq_worker **worker_p)
{
    hq_worker *worker = *worker_p;
    if (!worker)
        return;
    coordinator_close(&worker->coordinator);
    for (size_t i = 0; i < worker->link_count; i++)
        link_free(&worker->links[i]);
    free(worker->links);
    pool_free(&worker->pool);
    codes_free(&worker->codes);
    files_free(&worker->files);
    disk_close(&worker->disk);
    cache_free(&worker->cache);
    close(worker->stop_fd);
    free(worker->settings.coordinator);
    free(worker->settings.broker);
    free(worker->settings.cache_dir);
    free(worker);
    *worker_p = NULL;
}
