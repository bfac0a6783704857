#include "broker/broker.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "wire/socket.h"

enum {
    FRONT_QUEUE = 1000,
    FRONT_FRAME = 64 << 20,
    BACK_FRAME = 1 << 30,
    DONE_DAYS = 1,
    LOOKERS = 4, /* a question that the store is slow to answer holds up no others unless there are so many */
    PLANNERS = 4 /* so that one client's many files do not keep the others waiting */
};

/* ---- settings ---- */

static void copy_settings(hq_broker_settings *copy, const hq_broker_settings *settings)
{
    *copy = *settings;
    copy->front = hq_strdup(settings->front);
    copy->back = hq_strdup(settings->back);
    copy->advertise = hq_strdup(settings->advertise);
    copy->coordinator = hq_strdup(settings->coordinator);
    copy->store = hq_strdup(settings->store);
    copy->datasets = hq_strdup(settings->datasets);
    copy->shares = hq_strdup(settings->shares);
    copy->remote.ca = hq_strdup(settings->remote.ca);
}

static void free_settings(hq_broker_settings *settings)
{
    free(settings->front);
    free(settings->back);
    free(settings->advertise);
    free(settings->coordinator);
    free(settings->store);
    free(settings->datasets);
    free(settings->shares);
    free(settings->remote.ca);
}

/* "tcp://0.0.0.0:5570" as others reach it: "tcp://<advertise>:5570". */
static char *advertised(const char *bound, const char *advertise, const char *host)
{
    const char *address = strstr(bound, "://");
    const char *port = strrchr(bound, ':');
    bool is_tcp = strncmp(bound, "tcp://", 6) == 0;
    bool is_wildcard = is_tcp && (strncmp(address + 3, "0.0.0.0:", 8) == 0 || strncmp(address + 3, "[::]:", 5) == 0);
    if (!is_tcp || !(advertise || is_wildcard))
        return hq_strdup(bound);
    return hq_format("tcp://%s%s", advertise ? advertise : host, port);
}

/* ---- peers as keys ---- */

static size_t hash_peer(const void *key)
{
    const hq_peer *peer = key;
    uint64_t hash = peer->size;
    for (size_t i = 0; i < peer->size; i++)
        hash = hash * 0x100000001b3u ^ peer->bytes[i];
    return (size_t)hash_mix(hash);
}

static int compare_peers(const void *one, const void *other)
{
    return peer_is_equal(one, other) ? 0 : 1;
}

/* The keys lie in what they lead to. */
static zhashx_t *table_by_peer(void)
{
    zhashx_t *table = zhashx_new();
    zhashx_set_key_hasher(table, hash_peer);
    zhashx_set_key_comparator(table, compare_peers);
    zhashx_set_key_duplicator(table, NULL);
    zhashx_set_key_destructor(table, NULL);
    return table;
}

/* ---- coordinator ---- */

static void on_event(void *context, hq_coordinator_event event)
{
    hq_broker *broker = context;
    static const char *const words[] = {"connected",
                                        "suspended: queries go on, and none is accepted or done until it is back",
                                        "expired: a new session begins"};
    hq_log(event == HQ_COORDINATOR_CONNECTED ? HQ_LOG_INFO : HQ_LOG_WARN, "broker", "coordinator %s", words[event]);
    broker->is_connected = event == HQ_COORDINATOR_CONNECTED;
}

static void on_joined(void *context, hq_error error, const char *detail)
{
    hq_broker *broker = context;
    if (error)
        hq_log(HQ_LOG_ERROR, "broker", "not registered in the coordinator: %s", detail);
    else
        hq_log(HQ_LOG_INFO, "broker", "%s: clients at %s, workers at %s", broker->id_text, broker->front_endpoint,
               broker->back_endpoint);
}

static hq_error join_coordinator(hq_broker *broker, hq_reason *reason)
{
    hq_error error = coordinator_open(broker->settings.coordinator, (int)broker->settings.session_ms, on_event, broker,
                                      &broker->coordinator, reason);
    if (error)
        return error;
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "front", broker->front_endpoint);
    BSON_APPEND_UTF8(&document, "back", broker->back_endpoint);
    BSON_APPEND_UTF8(&document, "host", broker->host);
    BSON_APPEND_UTF8(&document, "version", HQ_VERSION);
    coordinator_join(broker->coordinator, "brokers", broker->id_text, bson_get_data(&document), document.len, on_joined,
                     broker);
    coordinator_watch(broker->coordinator, "workers", workers_members, broker);
    bson_destroy(&document);
    return HQ_OK;
}

/* Old entries of /done: each is read for its date, then removed. */
typedef struct sweep {
    hq_broker *broker;
    char *entry;
} sweep;

static void swept(void *context, hq_error error, const char *detail)
{
    (void)context;
    if (error)
        hq_log(HQ_LOG_DEBUG, "broker", "sweeping /done: %s", detail);
}

static void sweep_entry(void *context, hq_error error, const char *detail, const void *bytes, size_t size)
{
    sweep *s = context;
    bson_t document;
    bson_iter_t iter;
    (void)detail;
    if (!error && bson_init_static(&document, bytes, size) && bson_iter_init_find(&iter, &document, "finished") &&
        BSON_ITER_HOLDS_DATE_TIME(&iter) && bson_iter_date_time(&iter) < hq_wall_ms() - DONE_DAYS * INT64_C(86400000))
        coordinator_remove(s->broker->coordinator, "done", s->entry, swept, s->broker);
    free(s->entry);
    free(s);
}

static void sweep_done(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    hq_broker *broker = context;
    if (error)
        hq_log(HQ_LOG_DEBUG, "broker", "sweeping /done: %s", detail);
    for (size_t i = 0; !error && i < count; i++) {
        sweep *s = hq_alloc(sizeof *s);
        *s = (sweep){broker, hq_strdup(members[i].id)};
        coordinator_get(broker->coordinator, "done", members[i].id, sweep_entry, s);
    }
}

/* ---- making and unmaking ---- */

static hq_error bind_sockets(hq_broker *broker, hq_reason *reason)
{
    char *front = NULL, *back = NULL;
    hq_error error = socket_router(broker->settings.front, FRONT_QUEUE, FRONT_FRAME, &broker->front, &front, reason);
    if (!error) /* what a worker has is bounded by its credit, so its queue needs no bound */
        error = socket_router(broker->settings.back, 0, BACK_FRAME, &broker->back, &back, reason);
    if (!error) {
        broker->front_endpoint = advertised(front, broker->settings.advertise, broker->host);
        broker->back_endpoint = advertised(back, broker->settings.advertise, broker->host);
    }
    free(front);
    free(back);
    return error;
}

hq_error broker_new(const hq_broker_settings *settings, hq_broker **broker_r, hq_reason *reason)
{
    hq_broker *broker = hq_calloc(1, sizeof *broker);
    copy_settings(&broker->settings, settings);
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    broker->host = hq_strdup(host);
    broker->id = hash_random();
    hash_to_text(&broker->id, broker->id_text);
    broker->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    broker->scheduler = scheduler_new(settings->is_random);
    broker->flaws = flaws_new(settings->remember_bad_ms);
    broker->node_by_peer = table_by_peer();
    broker->viewer_by_peer = table_by_peer();
    broker->hand_out_us = INT64_MAX;
    broker->begun_ms = broker->swept_ms = broker->leases_ms = hq_now_ms();
    hq_error error = users_prepare(broker, settings->shares, reason);
    if (!error)
        error = bind_sockets(broker, reason);
    if (!error && strcmp(settings->store, "none") != 0)
        error = store_open(settings->store, (int)settings->store_timeout_ms, settings->keep_ms, &broker->store, reason);
    if (!error) {
        broker->remote = remote_new(&broker->settings.remote);
        broker->plan_stores = plan_stores_new(&broker->settings);
        broker->planner = jobs_new(PLANNERS);
        broker->keeper = jobs_new(1); /* a store is one thread's */
        broker->look_stores = handles_new(settings->store, (int)settings->store_timeout_ms, settings->keep_ms);
        broker->lookers = jobs_new(LOOKERS);
        broker->mergers = jobs_new(HQ_MERGERS);
        keep_prepare(broker);
        error = join_coordinator(broker, reason);
    }
    if (error)
        broker_free(&broker);
    else
        *broker_r = broker;
    return error;
}

void broker_free(hq_broker **broker_p)
{
    hq_broker *broker = *broker_p;
    if (!broker)
        return;
    broker->is_stopping = true;
    /* The coordinator first: it calls nobody back after this. Then the jobs, whose ends still find their queries. */
    coordinator_close(&broker->coordinator);
    jobs_free(&broker->planner);
    jobs_free(&broker->lookers);
    jobs_free(&broker->mergers);
    remote_free(&broker->remote);
    jobs_free(&broker->keeper);
    plan_stores_free(&broker->plan_stores);
    handles_free(&broker->look_stores);
    keep_free(broker);
    for (size_t i = 0; i < broker->active_count; i++)
        query_free(&broker->active[i]);
    for (size_t i = 0; i < broker->gone_count; i++)
        query_free(&broker->gone[i]);
    viewers_free(broker);
    free(broker->active);
    free(broker->gone);
    free(broker->by_handle);
    workers_free(broker);
    zhashx_destroy(&broker->node_by_peer);
    scheduler_free(&broker->scheduler);
    flaws_free(&broker->flaws);
    users_free(broker);
    store_close(&broker->store);
    zsock_destroy(&broker->front);
    zsock_destroy(&broker->back);
    close(broker->stop_fd);
    free(broker->host);
    free(broker->front_endpoint);
    free(broker->back_endpoint);
    free_settings(&broker->settings);
    free(broker);
    *broker_p = NULL;
}

const char *broker_front(const hq_broker *broker)
{
    return broker->front_endpoint;
}

const char *broker_back(const hq_broker *broker)
{
    return broker->back_endpoint;
}

void broker_stop(hq_broker *broker)
{
    eventfd_write(broker->stop_fd, 1);
}

/* ---- the loop ---- */

/* What is due. Gives back how long the loop may sleep. */
static long tick(hq_broker *broker, int64_t now_ms)
{
    long wait_ms = HQ_TICK_MS;
    int64_t due_ms = viewers_tick(broker, now_ms);
    if (due_ms < now_ms + wait_ms)
        wait_ms = (long)(due_ms - now_ms);
    if (now_ms - broker->ticked_ms >= HQ_TICK_MS) {
        broker->ticked_ms = now_ms;
        workers_check_leases(broker, now_ms);
        keep_try_again(broker, now_ms);
        for (size_t i = 0; i < broker->active_count; i++) {
            query_tick(broker->active[i], now_ms);
            keep_partials(broker->active[i]);
        }
    }
    if (now_ms - broker->swept_ms >= HQ_SWEEP_MS) {
        broker->swept_ms = now_ms;
        keep_sweep(broker);
        coordinator_entries(broker->coordinator, "done", sweep_done, broker);
    }
    if (broker->hand_out_us != INT64_MAX) {
        due_ms = (broker->hand_out_us - hq_now_us()) / 1000;
        wait_ms = due_ms < wait_ms ? (long)due_ms : wait_ms;
    }
    return wait_ms < 1 ? 1 : wait_ms;
}

static void finish_jobs(hq_jobs *jobs, int64_t until_ms)
{
    int64_t left_ms;
    zmq_pollitem_t item = {NULL, jobs_fd(jobs), ZMQ_POLLIN, 0};
    while (jobs_waiting(jobs) > 0 && (left_ms = until_ms - hq_now_ms()) > 0)
        if (zmq_poll(&item, 1, (long)left_ms) > 0)
            jobs_dispatch(jobs);
}

/* A query that is under way is not lost with this broker: what was computed of it goes into the store, for as long as
 * one call to that may take. */
static void keep_all(hq_broker *broker, int64_t until_ms)
{
    for (size_t i = 0; i < broker->active_count; i++)
        keep_partials(broker->active[i]);
    finish_jobs(broker->keeper, until_ms);
}

static void tell_all_of_the_end(hq_broker *broker)
{
    for (size_t i = 0; i < broker->active_count; i++) {
        hq_query *query = broker->active[i];
        atomic_store(&query->is_unwanted, true); /* by this broker */
        if (query->state == QUERY_SUCCESSFUL && query->is_kept) {
            clients_done(query);
            continue;
        }
        if (query->state < QUERY_FAILED) {
            query->state = QUERY_FAILED;
            query->error = hq_fail(&query->reason, HQ_EUNAVAILABLE,
                                   "the broker is stopping; asked again, the query goes on from what is in the store");
        }
        clients_failed(query);
    }
}

hq_error broker_run(hq_broker *broker, hq_reason *reason)
{
    zmq_pollitem_t items[] = {
        {zsock_resolve(broker->back), 0, ZMQ_POLLIN, 0}, {zsock_resolve(broker->front), 0, ZMQ_POLLIN, 0},
        {NULL, broker->stop_fd, ZMQ_POLLIN, 0},          {NULL, coordinator_fd(broker->coordinator), ZMQ_POLLIN, 0},
        {NULL, jobs_fd(broker->planner), ZMQ_POLLIN, 0}, {NULL, jobs_fd(broker->keeper), ZMQ_POLLIN, 0},
        {NULL, jobs_fd(broker->mergers), ZMQ_POLLIN, 0}, {NULL, jobs_fd(broker->lookers), ZMQ_POLLIN, 0},
    };
    for (;;) {
        long wait_ms = tick(broker, hq_now_ms());
        if (zmq_poll(items, sizeof items / sizeof *items, wait_ms) < 0 && zmq_errno() != EINTR)
            return hq_fail(reason, HQ_EINTERNAL, "the broker's loop cannot wait: %s", zmq_strerror(zmq_errno()));
        if (items[2].revents)
            break;
        if (items[0].revents)
            workers_receive(broker);
        if (items[1].revents)
            clients_receive(broker);
        if (items[3].revents)
            coordinator_dispatch(broker->coordinator);
        if (items[4].revents)
            jobs_dispatch(broker->planner);
        if (items[5].revents)
            jobs_dispatch(broker->keeper);
        if (items[6].revents)
            jobs_dispatch(broker->mergers);
        if (items[7].revents)
            jobs_dispatch(broker->lookers);
        workers_hand_out(broker);
        query_bury(broker);
    }
    int64_t until_ms = hq_now_ms() + broker->settings.store_timeout_ms;
    finish_jobs(broker->mergers, until_ms); /* what has come counts */
    broker->is_stopping = true;
    keep_all(broker, until_ms);
    tell_all_of_the_end(broker);
    return HQ_OK;
}
