/* hq-ctl's commands that ask brokers: status, queries, cancel, drain. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "client/ctl.h"
#include "client/table.h"

enum { SHORT_ID = 8, POLL_MS = 200 };

/* ---- as JSON ---- */

static json_t *text_of(const char *text)
{
    return json_string(text); /* the message was looked at: it is UTF-8 */
}

static json_t *id_of(const hq_hash *id)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(id, text);
    return json_string(text);
}

static json_t *number(int64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *share(int64_t part, int64_t of)
{
    return of > 0 ? json_real((double)part / (double)of) : json_null();
}

static void set(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, number(value));
}

static json_t *worker_to_json(const hq_worker_status *w)
{
    const hq_cache_report *c = &w->cache;
    json_t *worker = json_pack("{s:o, s:o, s:o, s:b}", "worker", id_of(&w->id), "host", text_of(w->host), "version",
                               text_of(w->version), "draining", (int)w->is_draining);
    set(worker, "slots", w->slots);
    set(worker, "busy", w->under_way < w->slots ? w->under_way : w->slots);
    set(worker, "under_way", w->under_way);
    set(worker, "done", w->done);
    set(worker, "memory", w->memory);
    set(worker, "evicted", w->evicted);
    set(worker, "heard_ms", w->heard_ms);
    set(worker, "age_ms", w->age_ms);
    json_object_set_new(worker, "hit_share", share(c->hits, table_sum(c->hits, c->misses)));
    set(worker, "hits", c->hits);
    set(worker, "misses", c->misses);
    set(worker, "evictions", c->evictions);
    set(worker, "cache_bytes", c->cache_bytes);
    set(worker, "cache_columns", c->cache_columns);
    set(worker, "cache_limit", c->cache_limit);
    set(worker, "file_bytes", c->file_bytes);
    set(worker, "ahead_used", c->ahead_used);
    set(worker, "ahead_wasted", c->ahead_wasted);
    set(worker, "disk_hits", c->disk_hits);
    set(worker, "disk_hit_bytes", c->disk_hit_bytes);
    set(worker, "disk_bytes", c->disk_bytes);
    set(worker, "disk_limit", c->disk_limit);
    set(worker, "disk_written", c->disk_written);
    set(worker, "disk_evicted", c->disk_evicted);
    set(worker, "disk_damaged", c->disk_damaged);
    return worker;
}

static json_t *query_to_json(const hq_query_status *q, const hq_hash *broker)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "query",
                     id_of(&q->id), "broker", id_of(broker), "user", text_of(q->user), "name", text_of(q->name),
                     "dataset", text_of(q->dataset), "specs", number(q->specs), "files", number(q->files), "priority",
                     number(q->priority), "state", text_of(q->state), "subtasks", number(q->subtasks), "done",
                     number(q->done), "under_way", number(q->under_way), "stored", number(q->stored), "entries",
                     number(q->entries), "entries_total", number(q->entries_total), "age_ms", number(q->age_ms),
                     "listeners", number(q->listeners));
}

static json_t *broker_to_json(const hq_fleet_broker *broker)
{
    const hq_broker_status *s = &broker->status;
    if (!broker->has_answered)
        return json_pack("{s:o, s:b}", "front", text_of(broker->endpoint), "answers", 0);
    json_t *counters = json_object();
    for (size_t i = 0; i < s->counter_count; i++)
        json_object_set_new(counters, s->counters[i].name, number(s->counters[i].value));
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "broker", id_of(&s->id), "answers", 1,
                     "host", text_of(s->host), "version", text_of(s->version), "front", text_of(broker->endpoint),
                     "back", text_of(s->back), "uptime_ms", number(s->uptime_ms), "workers", number(s->workers),
                     "slots", number(s->slots), "queries", number(s->queries), "counters", counters);
}

/* ---- queries in their order ---- */

typedef struct placed {
    const hq_query_status *query;
    const hq_hash *broker;
} placed;

/* As they are served: by priority, then the older first. */
static int compare_placed(const void *one, const void *other)
{
    const hq_query_status *a = ((const placed *)one)->query, *b = ((const placed *)other)->query;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->age_ms != b->age_ms)
        return a->age_ms > b->age_ms ? -1 : 1;
    return memcmp(&a->id, &b->id, sizeof a->id);
}

static placed *sorted_queries(const hq_fleet *fleet, size_t *count_r)
{
    placed *all = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < fleet_count(fleet); i++) {
        const hq_broker_status *status = &fleet_broker(fleet, i)->status;
        for (size_t k = 0; k < status->query_count; k++) {
            HQ_GROW(all, count, capacity);
            all[count++] = (placed){&status->query_list[k], &status->id};
        }
    }
    if (count)
        qsort(all, count, sizeof *all, compare_placed);
    *count_r = count;
    return all;
}

static json_t *queries_to_json(const hq_fleet *fleet)
{
    size_t count;
    placed *all = sorted_queries(fleet, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, query_to_json(all[i].query, all[i].broker));
    free(all);
    return list;
}

/* ---- as tables ---- */

static void add_id(hq_table *table, const hq_hash *id)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(id, text);
    text[SHORT_ID] = 0;
    table_add(table, text);
}

static int64_t counter(const hq_broker_status *status, const char *name)
{
    for (size_t i = 0; i < status->counter_count; i++)
        if (strcmp(status->counters[i].name, name) == 0)
            return status->counters[i].value;
    return 0;
}

static void print_brokers(const hq_fleet *fleet)
{
    static const char *const counted[] = {"queries", "from_store", "joined", "subtasks", "requeued", "workers_lost"};
    hq_table *table = table_new("BROKER HOST CLIENTS_AT >UP >WORKERS >SLOTS >UNDER_WAY >QUERIES >FROM_STORE >JOINED "
                                ">SUBTASKS >AGAIN >LOST");
    for (size_t i = 0; i < fleet_count(fleet); i++) {
        const hq_fleet_broker *broker = fleet_broker(fleet, i);
        const hq_broker_status *s = &broker->status;
        if (!broker->has_answered)
            continue;
        add_id(table, &s->id);
        table_add(table, s->host);
        table_add(table, broker->endpoint);
        table_add_own(table, table_span(s->uptime_ms));
        table_add_own(table, table_count(s->workers));
        table_add_own(table, table_count(s->slots));
        table_add_own(table, table_count(s->queries));
        for (size_t k = 0; k < sizeof counted / sizeof *counted; k++)
            table_add_own(table, table_count(counter(s, counted[k])));
    }
    table_print(table, stdout);
    table_free(&table);
    for (size_t i = 0; i < fleet_count(fleet); i++) {
        const hq_fleet_broker *broker = fleet_broker(fleet, i);
        int64_t bad = broker->has_answered ? counter(&broker->status, "files_known_bad") : 0;
        if (!broker->has_answered)
            printf("the broker at %s does not answer\n", broker->endpoint);
        if (bad)
            printf("the broker at %s knows %lld file%s that failed, which --skip-bad-files leaves out for a while\n",
                   broker->endpoint, (long long)bad, ctl_plural((uint64_t)bad));
    }
}

static const char *condition(const hq_worker_status *w)
{
    return w->is_draining ? "draining" : w->under_way ? "busy" : "idle";
}

static void print_workers(const hq_fleet *fleet)
{
    size_t count;
    const hq_worker_status *workers = fleet_workers(fleet, &count);
    hq_worker_status sum = {0};
    hq_table *table =
        table_new("WORKER HOST VERSION >UP STATE >SLOTS >BUSY >UNDER_WAY >DONE >CACHE >OF >HITS >DISK_HITS >EVICTED");
    for (size_t i = 0; i < count; i++) {
        const hq_worker_status *w = &workers[i];
        int64_t busy = w->under_way < w->slots ? w->under_way : w->slots;
        add_id(table, &w->id);
        table_add(table, w->host);
        table_add(table, w->version);
        table_add_own(table, table_span(w->age_ms));
        table_add(table, condition(w));
        table_add_own(table, table_count(w->slots));
        table_add_own(table, table_count(busy));
        table_add_own(table, table_count(w->under_way));
        table_add_own(table, table_count(w->done));
        table_add_own(table, table_bytes(w->cache.cache_bytes));
        table_add_own(table, table_bytes(w->memory));
        table_add_own(table, table_share(w->cache.hits, table_sum(w->cache.hits, w->cache.misses)));
        table_add_own(table, table_share(w->cache.disk_hits, w->cache.misses));
        table_add_own(table, table_count(w->cache.evictions));
        sum.slots += w->slots;
        sum.under_way = table_sum(sum.under_way, busy);
        sum.cache.cache_bytes = table_sum(sum.cache.cache_bytes, w->cache.cache_bytes);
        sum.memory = table_sum(sum.memory, w->memory);
        sum.cache.hits = table_sum(sum.cache.hits, w->cache.hits);
        sum.cache.misses = table_sum(sum.cache.misses, w->cache.misses);
    }
    char *cache = table_bytes(sum.cache.cache_bytes), *memory = table_bytes(sum.memory);
    char *hits = table_share(sum.cache.hits, table_sum(sum.cache.hits, sum.cache.misses));
    printf("\n%zu worker%s, %lld of %lld slots busy, caches hold %s of %s, hits %s\n", count, ctl_plural(count),
           (long long)sum.under_way, (long long)sum.slots, cache, memory, hits);
    free(cache);
    free(memory);
    free(hits);
    table_print(table, stdout);
    table_free(&table);
}

static void print_queries(const hq_fleet *fleet)
{
    size_t count;
    placed *all = sorted_queries(fleet, &count);
    hq_table *table = table_new("QUERY USER >PRIO STATE >DONE >OF >PART >RUNNING >STORED >ENTRIES >AGE NAME DATASET");
    printf("%zu quer%s under way\n", count, count == 1 ? "y" : "ies");
    for (size_t i = 0; i < count; i++) {
        const hq_query_status *q = all[i].query;
        add_id(table, &q->id);
        table_add(table, q->user);
        table_add_format(table, "%lld", (long long)q->priority);
        table_add(table, q->state);
        table_add_own(table, table_count(q->done));
        table_add_own(table, table_count(q->subtasks));
        table_add_own(table, table_share(q->done, q->subtasks));
        table_add_own(table, table_count(q->under_way));
        table_add_own(table, table_count(q->stored));
        table_add_own(table, table_count(q->entries));
        table_add_own(table, table_span(q->age_ms));
        table_add(table, ctl_base_name(q->name));
        if (q->specs > 1)
            table_add_format(table, "%s and %lld more", q->dataset, (long long)q->specs - 1);
        else
            table_add(table, q->dataset);
    }
    table_print(table, stdout);
    table_free(&table);
    free(all);
}

/* ---- status, queries ---- */

static void tell_status(const hq_ctl *ctl, const hq_fleet *fleet)
{
    if (!ctl->wants_json) {
        print_brokers(fleet);
        print_workers(fleet);
        putchar('\n');
        print_queries(fleet);
        return;
    }
    size_t count;
    const hq_worker_status *workers = fleet_workers(fleet, &count);
    json_t *brokers = json_array(), *list = json_array();
    for (size_t i = 0; i < fleet_count(fleet); i++)
        json_array_append_new(brokers, broker_to_json(fleet_broker(fleet, i)));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, worker_to_json(&workers[i]));
    ctl_print_json(
        ctl, json_pack("{s:o, s:o, s:o}", "brokers", brokers, "workers", list, "queries", queries_to_json(fleet)));
}

static void wake(void *context)
{
    eventfd_write(*(const int *)context, 1);
}

/* Until a signal; somebody who is not there at the moment may come back. */
static int watch_status(const hq_ctl *ctl, hq_fleet *fleet)
{
    int stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), came = 0;
    bool is_screen = isatty(STDOUT_FILENO) && !ctl->wants_json;
    hq_signals *signals = signals_start(wake, &stop_fd);
    for (bool is_first = true; came <= 0; is_first = false) {
        hq_reason reason = {{0}};
        hq_error error = fleet_ask(fleet, &reason);
        if (is_screen)
            fputs("\033[H\033[2J", stdout);
        else if (!is_first && !ctl->wants_json)
            putchar('\n');
        if (error)
            fprintf(stderr, "hq-ctl: %s\n", reason.text);
        else
            tell_status(ctl, fleet);
        if (fflush(stdout) != 0)
            break; /* nobody reads it any more */
        struct pollfd stop = {stop_fd, POLLIN, 0};
        came = poll(&stop, 1, (int)ctl->interval_ms);
    }
    signals_end(&signals);
    close(stop_fd);
    return CTL_DONE;
}

/* The fleet, asked. Else the code to exit with, and no fleet. */
static int open_and_ask(const hq_ctl *ctl, hq_fleet **fleet_r)
{
    hq_reason reason = {{0}};
    hq_error error = fleet_open(ctl->coordinator, ctl->broker, (int)ctl->timeout_ms, fleet_r, &reason);
    if (!error && !ctl->watches)
        error = fleet_ask(*fleet_r, &reason);
    if (!error)
        return CTL_DONE;
    fleet_close(fleet_r);
    return ctl_complain(error, &reason);
}

int ctl_status(const hq_ctl *ctl)
{
    hq_fleet *fleet = NULL;
    int code = open_and_ask(ctl, &fleet);
    if (code == CTL_DONE && ctl->watches)
        code = watch_status(ctl, fleet);
    else if (code == CTL_DONE)
        tell_status(ctl, fleet);
    fleet_close(&fleet);
    return code;
}

/* Coordinator, brokers and store are asked one after the other, and what some know is told if others are away. Brokers
 * cannot be found without the coordinator, which need be waited for once only. */
int ctl_queries(const hq_ctl *ctl)
{
    hq_fleet *fleet = NULL;
    json_t *finished = NULL;
    hq_done_list done = {0};
    bool asks_coordinator = !ctl->is_local && !ctl->broker;
    int code = asks_coordinator ? ctl_find_done(ctl, &done) : CTL_DONE;
    if (code == CTL_DONE && !ctl->is_local)
        code = open_and_ask(ctl, &fleet);
    if (fleet && !ctl->wants_json) {
        print_queries(fleet);
        putchar('\n');
    }
    int its_code = ctl_finished(ctl, &done, ctl->wants_json ? &finished : NULL);
    if (ctl->wants_json && (fleet || finished))
        ctl_print_json(ctl, json_pack("{s:o, s:o}", "running", fleet ? queries_to_json(fleet) : json_null(), "finished",
                                      finished ? finished : json_null()));
    done_clear(&done);
    fleet_close(&fleet);
    return its_code > code ? its_code : code;
}

/* ---- cancel, drain ---- */

typedef hq_error action(const hq_ctl *ctl, hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason);

/* Does it for each argument; the worst code counts. ids_r, if not NULL, has room for all, and *count_r tells how many
 * there are for whom it was done. */
static int for_each(const hq_ctl *ctl, hq_fleet *fleet, action *act, hq_hash *ids_r, size_t *count_r)
{
    int code = CTL_DONE;
    for (size_t i = 0; i < ctl->arguments.count; i++) {
        hq_reason reason = {{0}};
        hq_hash id;
        hq_error error = act(ctl, fleet, ctl->arguments.texts[i], &id, &reason);
        int its_code = error ? ctl_complain(error, &reason) : CTL_DONE;
        code = its_code > code ? its_code : code;
        if (!error && ids_r)
            ids_r[(*count_r)++] = id;
    }
    return code;
}

static void tell_done(const hq_hash *id, const char *what, const char *how)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(id, text);
    printf("%s %s %s\n", what, text, how);
}

static hq_error cancel_one(const hq_ctl *ctl, hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason)
{
    hq_error error = fleet_find_query(fleet, text, id_r, reason);
    if (error)
        return error;
    char *user = ctl_user(ctl);
    error = fleet_stop(fleet, id_r, user, reason);
    free(user);
    if (error == HQ_ENOTFOUND)
        return hq_fail(reason, error, "%s: no such query is under way", text);
    if (!error)
        tell_done(id_r, "query", "is cancelled");
    return error;
}

int ctl_cancel(const hq_ctl *ctl)
{
    hq_fleet *fleet = NULL;
    int code = open_and_ask(ctl, &fleet);
    if (code == CTL_DONE)
        code = for_each(ctl, fleet, cancel_one, NULL, NULL);
    fleet_close(&fleet);
    return code;
}

static hq_error drain_one(const hq_ctl *ctl, hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason)
{
    (void)ctl;
    hq_error error = fleet_find_worker(fleet, text, id_r, reason);
    if (!error)
        error = fleet_drain(fleet, id_r, reason);
    if (error == HQ_ENOTFOUND)
        return hq_fail(reason, error, "%s: no such worker", text);
    if (!error)
        tell_done(id_r, "worker", "drains");
    return error;
}

static bool is_there(const hq_fleet *fleet, const hq_hash *id)
{
    size_t count;
    const hq_worker_status *workers = fleet_workers(fleet, &count);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&workers[i].id, id, sizeof *id) == 0)
            return true;
    return false;
}

/* Until no broker knows them any more. What they have may take long: there is no bound but the caller's patience. */
static int await_leaving(hq_fleet *fleet, hq_hash *ids, size_t count)
{
    fflush(stdout);
    for (;;) {
        hq_reason reason = {{0}};
        hq_error error = fleet_ask(fleet, &reason);
        if (error)
            return ctl_complain(error, &reason);
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            if (is_there(fleet, &ids[i]))
                ids[left++] = ids[i];
            else
                tell_done(&ids[i], "worker", "has left");
        }
        count = left;
        if (count == 0)
            return CTL_DONE;
        poll(NULL, 0, POLL_MS);
    }
}

int ctl_drain(const hq_ctl *ctl)
{
    hq_fleet *fleet = NULL;
    size_t count = 0;
    int code = open_and_ask(ctl, &fleet);
    hq_hash *ids = hq_calloc(ctl->arguments.count, sizeof *ids);
    if (code == CTL_DONE)
        code = for_each(ctl, fleet, drain_one, ids, &count);
    if (ctl->waits && count) {
        int its_code = await_leaving(fleet, ids, count);
        code = its_code > code ? its_code : code;
    }
    free(ids);
    fleet_close(&fleet);
    return code;
}
