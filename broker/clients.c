/* broker/clients.c - the front: what clients ask, and what they are told. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

enum {
    RECEIVE_US = 2000, /* workers and the coordinator wait no longer than this for busy clients */
    MAX_NAME = 4096,
    LEFT_OUT_BYTES = 4 << 20
};

static hq_message *reply(const hq_peer *peer, hq_command command)
{
    hq_message *message = message_new(command);
    message_set_peer(message, peer);
    return message;
}

/* A client that is gone needs no answer: what it asked for is kept in the store all the same. */
hq_error clients_tell(hq_broker *broker, hq_message **message_p)
{
    hq_reason reason = {{0}};
    hq_error error = message_send(broker->front, message_p, &reason);
    if (error)
        hq_log(HQ_LOG_DEBUG, "broker", "to a client: %s", reason.text);
    return error;
}

void clients_refuse(hq_broker *broker, const hq_peer *peer, int32_t request, hq_error error, const char *text)
{
    hq_message *message = reply(peer, HQ_REJECTED);
    message_put_int32(message, "request", request);
    message_put_text(message, "code", hq_error_name(error));
    message_put_text(message, "text", text);
    clients_tell(broker, &message);
}

void clients_accept(hq_query *query)
{
    for (size_t i = 0; i < query->listener_count; i++) {
        hq_listener *listener = query->listeners[i];
        if (listener->was_accepted)
            continue;
        listener->was_accepted = true;
        hq_message *message = reply(viewers_peer(listener), HQ_ACCEPTED);
        message_put_int32(message, "request", listener->request);
        message_put_text(message, "query", query->id_text);
        message_put_int(message, "subtasks", (int64_t)query->dataset->partition_count);
        message_put_int(message, "entries", (int64_t)query->dataset->entries);
        message_put_int(message, "stored", query->stored);
        message_put_bool(message, "joined", listener->has_joined);
        clients_tell(query->broker, &message);
    }
}

void clients_reject(hq_query *query, hq_error error, const char *text, const hq_complaint *complaint)
{
    for (size_t i = 0; i < query->listener_count; i++) {
        const hq_listener *listener = query->listeners[i];
        hq_message *message = reply(viewers_peer(listener), HQ_REJECTED);
        message_put_int32(message, "request", listener->request);
        message_put_text(message, "code", hq_error_name(error));
        message_put_text(message, "text", text);
        if (complaint) {
            message_put_int32(message, "line", complaint->line);
            message_put_int32(message, "column", complaint->column);
            message_put_text(message, "message", complaint->message);
            message_put_text(message, "hint", complaint->hint);
            message_put_text(message, "source", complaint->source_line);
        }
        clients_tell(query->broker, &message);
    }
    viewers_clear(query);
}

static void put_standing(hq_message *message, const hq_query *query, hq_query_state state)
{
    message_put_text(message, "query", query->id_text);
    message_put_text(message, "state", query_state_name(state));
    message_put_int(message, "done",
                    query->state == QUERY_SUCCESSFUL ? (int64_t)query->dataset->partition_count
                                                     : sink_done(query->sink));
    message_put_int(message, "subtasks", (int64_t)query->dataset->partition_count);
    message_put_int(message, "stored", query->stored);
    message_put_int(message, "entries", (int64_t)query->entries);
    message_put_int(message, "read_bytes", (int64_t)query->read_bytes);
    message_put_int(message, "cached_bytes", (int64_t)query->cached_bytes);
    message_put_int(message, "elapsed_ms", hq_now_ms() - query->submitted_ms);
    message_put_int32(message, "workers", (int32_t)query->broker->live_nodes);
}

static void release_shared(void *hint)
{
    hq_shared *shared = hint;
    shared_release(&shared);
}

/* All messages carry the same bytes, without a copy of their own. */
static void put_shared(hq_message *message, hq_shared *shared)
{
    message_lend_payload(message, shared_bytes(shared), shared_size(shared), release_shared, shared_take(shared));
}

hq_message *clients_progress(const hq_listener *listener, hq_shared *shown)
{
    const hq_query *query = listener->query;
    hq_message *message = reply(viewers_peer(listener), HQ_PROGRESS);
    message_put_int32(message, "request", listener->request);
    /* It is a success when it is in the store. */
    put_standing(message, query, query_is_over(query) ? QUERY_RUNNING : query->state);
    if (shown)
        put_shared(message, shown);
    return message;
}

/* As many of the files left out as a message may well hold; left_out_count tells of all. */
static void put_left_out(hq_message *message, const hq_dataset *dataset)
{
    bson_t list, one;
    size_t bytes = 0;
    message_put_int(message, "left_out_count", (int64_t)dataset->left_out_count);
    bson_append_array_begin(message_body(message), "left_out", -1, &list);
    for (size_t i = 0; i < dataset->left_out_count && bytes < LEFT_OUT_BYTES; i++) {
        const hq_left_out *file = &dataset->left_out[i];
        char buffer[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        bson_append_document_begin(&list, key, -1, &one);
        /* A path is UTF-8, as SUBMIT's texts are, unless a glob found it. */
        bool is_text = bson_utf8_validate(file->path, strlen(file->path), false) &&
                       bson_utf8_validate(file->text, strlen(file->text), false);
        BSON_APPEND_UTF8(&one, "file", is_text ? file->path : "(a file whose name is not UTF-8)");
        BSON_APPEND_UTF8(&one, "code", hq_error_name(file->error));
        BSON_APPEND_UTF8(&one, "text", is_text ? file->text : "it cannot be read");
        bson_append_document_end(&list, &one);
        bytes += strlen(file->path) + strlen(file->text);
    }
    bson_append_array_end(message_body(message), &list);
}

void clients_done(hq_query *query)
{
    clients_accept(query);
    for (size_t i = 0; i < query->listener_count; i++) {
        hq_message *message = reply(viewers_peer(query->listeners[i]), HQ_DONE);
        put_standing(message, query, query->state);
        message_put_bool(message, "from_store", query->is_from_store);
        message_put_bool(message, "kept", query->is_kept);
        put_left_out(message, query->dataset);
        put_shared(message, query->result);
        clients_tell(query->broker, &message);
    }
    viewers_clear(query);
}

/* FAILED, or REJECTED to one that was not accepted yet. */
static void tell_failed(const hq_query *query, const hq_listener *listener, hq_query_state state, hq_error error,
                        const char *text)
{
    if (!listener->was_accepted) {
        clients_refuse(query->broker, viewers_peer(listener), listener->request, error, text);
        return;
    }
    hq_message *message = reply(viewers_peer(listener), HQ_FAILED);
    message_put_text(message, "query", query->id_text);
    message_put_text(message, "code", hq_error_name(error));
    message_put_text(message, "text", text);
    message_put_text(message, "state", query_state_name(state));
    message_put_int32(message, "line", (int32_t)query->fault_line);
    clients_tell(query->broker, &message);
}

void clients_failed(hq_query *query)
{
    for (size_t i = 0; i < query->listener_count; i++)
        tell_failed(query, query->listeners[i], query->state, query->error, query->reason.text);
    viewers_clear(query);
}

/* ---- what they ask ---- */

/* HQ_ELIMIT if the client waits for as many queries as one may. */
static hq_error check_client(const hq_broker *broker, const hq_peer *peer, hq_reason *reason)
{
    size_t count = viewers_listening(broker, peer);
    if (!broker->settings.client_queries || count < (size_t)broker->settings.client_queries)
        return HQ_OK;
    return hq_fail(reason, HQ_ELIMIT,
                   "this client waits for %zu queries, and one may for no more (the broker's option --client-queries): "
                   "try again when one is done",
                   count);
}

/* HQ_ELIMIT if as many wait for the query as may. */
static hq_error check_query(const hq_query *query, hq_reason *reason)
{
    size_t limit = (size_t)query->broker->settings.query_listeners;
    if (!limit || query->listener_count < limit)
        return HQ_OK;
    return hq_fail(reason, HQ_ELIMIT,
                   "%zu clients wait for this query, and no more may (the broker's option --query-listeners): when it "
                   "is done, submitting it gives its result from the store",
                   query->listener_count);
}

static void listen_to(hq_query *query, const hq_peer *peer, int32_t request, bool wants_progress, bool has_joined)
{
    hq_listener *listener = viewers_add(query, peer, request, wants_progress);
    listener->has_joined = has_joined;
    if (query->place >= PLACE_OWNING)
        clients_accept(query);
}

void clients_join(hq_query *query, hq_query *twin)
{
    for (size_t i = 0; i < query->listener_count; i++) {
        const hq_listener *listener = query->listeners[i];
        hq_reason reason = {{0}};
        hq_error error = check_query(twin, &reason);
        if (error)
            clients_refuse(query->broker, viewers_peer(listener), listener->request, error, reason.text);
        else
            listen_to(twin, viewers_peer(listener), listener->request, listener->wants_progress, true);
    }
    viewers_clear(query);
}

void clients_malformed(hq_broker *broker, const hq_peer *peer, hq_error error, const char *text)
{
    broker->counters.malformed++;
    hq_log(HQ_LOG_WARN, "broker", "from a client: %s", text);
    clients_refuse(broker, peer, 0, error, text);
}

/* What to call a data set by: its first text, and how many there are. */
static void note_specs(hq_query *query)
{
    bson_iter_t iter, item;
    if (!bson_iter_init_find(&iter, query->request, "dataset") || !bson_iter_recurse(&iter, &item))
        return;
    for (; bson_iter_next(&item); query->spec_count++)
        if (query->spec_count == 0)
            query->first_spec = hq_strdup(bson_iter_utf8(&item, NULL));
}

static void submit(hq_broker *broker, hq_message *message)
{
    const hq_peer *peer = message_peer(message);
    const char *name, *text, *user;
    int64_t request, priority, partition_entries;
    bool is_fresh, wants_progress, skips_bad = false;
    if (!message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) ||
        !message_get_text(message, "name", &name) || !message_get_text(message, "text", &text) ||
        !message_get_text(message, "user", &user) || !message_get_int(message, "priority", 0, 999, &priority) ||
        !message_get_bool(message, "fresh", &is_fresh) || !message_get_bool(message, "progress", &wants_progress) ||
        !message_get_int(message, "partition_entries", 0, INT64_MAX, &partition_entries) ||
        !request_has_specs(message_body(message)) || strlen(name) > MAX_NAME || strlen(user) > MAX_NAME ||
        (bson_has_field(message_body(message), "skip_bad_files") &&
         !message_get_bool(message, "skip_bad_files", &skips_bad))) {
        clients_malformed(broker, peer, HQ_EPROTOCOL, "SUBMIT with a field missing or out of range");
        return;
    }
    if (broker->active_count >= (size_t)broker->settings.max_queries || broker->is_stopping) {
        broker->counters.rejected++;
        clients_refuse(broker, peer, (int32_t)request, broker->is_stopping ? HQ_EUNAVAILABLE : HQ_ELIMIT,
                       broker->is_stopping ? "the broker is stopping"
                                           : "as many queries as this broker takes are under way: try again later");
        return;
    }
    hq_reason reason = {{0}};
    hq_error error = check_client(broker, peer, &reason);
    if (error) {
        broker->counters.rejected++;
        clients_refuse(broker, peer, (int32_t)request, error, reason.text);
        return;
    }
    hq_query *query = query_new(broker);
    query->name = hq_strdup(name);
    query->text = hq_strdup(text);
    query->user = hq_strdup(user);
    query->priority = (int)priority;
    query->is_fresh = is_fresh;
    query->skips_bad = skips_bad;
    query->partition_entries = partition_entries;
    query->request = request_new(message_body(message));
    note_specs(query);
    listen_to(query, peer, (int32_t)request, wants_progress, false);
    query_plan(query);
}

static void attach(hq_broker *broker, hq_message *message)
{
    const hq_peer *peer = message_peer(message);
    int64_t request;
    hq_hash id;
    bool wants_progress = false;
    if (!message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) ||
        !message_get_hash(message, "query", &id) || !message_get_bool(message, "progress", &wants_progress)) {
        clients_malformed(broker, peer, HQ_EPROTOCOL, "ATTACH with a field missing or out of range");
        return;
    }
    hq_query *query = query_find(broker, &id);
    if (!query || query_is_over(query)) {
        clients_refuse(
            broker, peer, (int32_t)request, HQ_ENOTFOUND,
            "no such query is under way here; if it is done, submitting it again gives its result from the store");
        return;
    }
    /* One that listens already does so under its new request from now on. */
    hq_listener *before = viewers_find(query, peer);
    hq_reason reason = {{0}};
    hq_error error = before ? HQ_OK : check_client(broker, peer, &reason);
    if (!before && !error)
        error = check_query(query, &reason);
    if (error) {
        clients_refuse(broker, peer, (int32_t)request, error, reason.text);
        return;
    }
    listen_to(query, peer, (int32_t)request, wants_progress, true);
    if (before)
        viewers_remove(&before);
}

/* What a client has submitted and not been told the id of. */
static hq_query *find_request(const hq_broker *broker, const hq_peer *peer, int32_t request)
{
    for (size_t i = 0; i < broker->active_count; i++) {
        hq_query *query = broker->active[i];
        for (size_t k = 0; k < query->listener_count; k++)
            if (query->listeners[k]->request == request && peer_is_equal(viewers_peer(query->listeners[k]), peer))
                return query;
    }
    return NULL;
}

static void cancel(hq_broker *broker, hq_message *message)
{
    hq_hash id;
    int64_t request;
    hq_query *query = NULL;
    if (message_get_hash(message, "query", &id)) {
        query = query_find(broker, &id);
    } else if (message_get_int(message, "request", INT32_MIN, INT32_MAX, &request)) {
        query = find_request(broker, message_peer(message), (int32_t)request);
    } else {
        clients_malformed(broker, message_peer(message), HQ_EPROTOCOL, "CANCEL without a query or a request");
        return;
    }
    if (!query || query_is_over(query))
        return;
    /* A peer that does not listen to the query has no say in it: it attaches first. */
    hq_listener *listener = viewers_find(query, message_peer(message));
    if (!listener)
        return;
    if (query->listener_count == 1) {
        query_cancel(query, "cancelled");
        return;
    }
    tell_failed(query, listener, QUERY_CANCELLED, HQ_ECANCELLED,
                "cancelled; others still wait for its result, so it goes on");
    viewers_remove(&listener);
}

static void handle(hq_broker *broker, hq_message *message)
{
    switch (message_command(message)) {
    case HQ_SUBMIT:
        submit(broker, message);
        break;
    case HQ_ATTACH:
        attach(broker, message);
        break;
    case HQ_CANCEL:
        cancel(broker, message);
        break;
    case HQ_STATUS:
        status_asked(broker, message);
        break;
    case HQ_STOP:
        stop_asked(broker, message);
        break;
    case HQ_DRAIN:
        drain_asked(broker, message);
        break;
    default:
        clients_malformed(broker, message_peer(message), HQ_EPROTOCOL, "a command that is not a client's");
    }
}

void clients_receive(hq_broker *broker)
{
    int64_t until_us = hq_now_us() + RECEIVE_US;
    do {
        hq_message *message = NULL;
        hq_peer peer = {0};
        hq_reason reason = {{0}};
        hq_error error = message_receive(broker->front, &message, &peer, &reason);
        if (error == HQ_ETIMEOUT)
            return;
        if (error)
            clients_malformed(broker, &peer, error, reason.text);
        else
            handle(broker, message);
        message_free(&message);
    } while (hq_now_us() < until_us);
}
