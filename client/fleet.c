#include "client/fleet.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "client/find.h"
#include "client/table.h"
#include "wire/socket.h"

enum { TOLD_AT_ONCE = 5 /* of those that a text may mean */, ID_DIGITS = 8 };

/* One broker, and what it last said. */
typedef struct member {
    char *endpoint;
    zsock_t *socket;
    int32_t request;
    hq_message *message; /* that told's status stands on */
    hq_fleet_broker told;
} member;

struct hq_fleet {
    char *coordinator, *only;
    int timeout_ms;
    member *members;
    size_t count, capacity;
    hq_worker_status *workers;
    size_t worker_count, worker_capacity;
};

/* ---- who there is ---- */

static void member_forget(member *m)
{
    status_clear(&m->told.status);
    message_free(&m->message);
    m->told.has_answered = false;
}

static void member_clear(member *m)
{
    member_forget(m);
    zsock_destroy(&m->socket);
    free(m->endpoint);
}

static hq_error add_member(hq_fleet *fleet, const char *endpoint, hq_reason *reason)
{
    zsock_t *socket = NULL;
    hq_error error = socket_dealer(endpoint, &socket, reason);
    if (error)
        return error;
    HQ_GROW(fleet->members, fleet->count, fleet->capacity);
    fleet->members[fleet->count++] = (member){.endpoint = hq_strdup(endpoint), .socket = socket};
    return HQ_OK;
}

static void keep_only(hq_fleet *fleet, char *const *endpoints, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < count; k++)
            is_there |= strcmp(endpoints[k], fleet->members[i].endpoint) == 0;
        if (is_there)
            fleet->members[kept++] = fleet->members[i];
        else
            member_clear(&fleet->members[i]);
    }
    fleet->count = kept;
}

static bool has_member(const hq_fleet *fleet, const char *endpoint)
{
    for (size_t i = 0; i < fleet->count; i++)
        if (strcmp(fleet->members[i].endpoint, endpoint) == 0)
            return true;
    return false;
}

/* The members as the coordinator has them now. */
static hq_error find_members(hq_fleet *fleet, hq_reason *reason)
{
    char **endpoints = NULL;
    size_t count = 0;
    hq_error error = find_brokers(fleet->coordinator, fleet->timeout_ms, &endpoints, &count, reason);
    if (error)
        return error;
    keep_only(fleet, endpoints, count);
    for (size_t i = 0; i < count; i++) {
        hq_reason why = {{0}};
        if (!has_member(fleet, endpoints[i]) && add_member(fleet, endpoints[i], &why))
            hq_log(HQ_LOG_WARN, "client", "%s", why.text);
        free(endpoints[i]);
    }
    free(endpoints);
    if (fleet->count)
        return HQ_OK;
    return hq_fail(reason, HQ_EUNAVAILABLE, "no broker is registered at %s", fleet->coordinator);
}

hq_error fleet_open(const char *coordinator, const char *broker, int timeout_ms, hq_fleet **fleet_r, hq_reason *reason)
{
    hq_fleet *fleet = hq_calloc(1, sizeof *fleet);
    fleet->timeout_ms = timeout_ms;
    fleet->coordinator = hq_strdup(coordinator);
    fleet->only = hq_strdup(broker);
    hq_error error = broker ? add_member(fleet, broker, reason) : HQ_OK;
    if (error)
        fleet_close(&fleet);
    else
        *fleet_r = fleet;
    return error;
}

void fleet_close(hq_fleet **fleet_p)
{
    hq_fleet *fleet = *fleet_p;
    if (!fleet)
        return;
    for (size_t i = 0; i < fleet->count; i++)
        member_clear(&fleet->members[i]);
    free(fleet->members);
    free(fleet->workers);
    free(fleet->coordinator);
    free(fleet->only);
    free(fleet);
    *fleet_p = NULL;
}

/* ---- questions and answers ---- */

/* The answer to the member's last request, or HQ_ETIMEOUT if it is not there yet. Older ones, and what cannot be read,
 * are passed over. */
static hq_error take_answer(member *m, hq_message **message_r)
{
    for (;;) {
        hq_message *message = NULL;
        hq_reason reason = {{0}};
        int64_t request;
        hq_error error = message_receive(m->socket, &message, NULL, &reason);
        if (error == HQ_ETIMEOUT)
            return error;
        if (error) {
            hq_log(HQ_LOG_WARN, "client", "from %s: %s", m->endpoint, reason.text);
            continue;
        }
        if (message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) && request == m->request) {
            *message_r = message;
            return HQ_OK;
        }
        message_free(&message);
    }
}

static void take_status(member *m)
{
    hq_reason reason = {{0}};
    hq_message *message = NULL;
    if (take_answer(m, &message))
        return;
    hq_error error = message_command(message) == HQ_STATE ? status_decode(message, &m->told.status, &reason)
                                                          : hq_fail(&reason, HQ_EPROTOCOL, "%s instead of STATE",
                                                                    command_name(message_command(message)));
    if (error) {
        hq_log(HQ_LOG_ERROR, "client", "%s: %s", m->endpoint, reason.text);
        message_free(&message);
        return;
    }
    m->message = message;
    m->told.has_answered = true;
}

/* Waits for those that have not answered; true if time is left and some are still to come. */
static bool await_some(const hq_fleet *fleet, int64_t until_ms)
{
    zmq_pollitem_t *items = hq_calloc(fleet->count, sizeof *items);
    int count = 0;
    for (size_t i = 0; i < fleet->count; i++)
        if (!fleet->members[i].told.has_answered)
            items[count++] = (zmq_pollitem_t){zsock_resolve(fleet->members[i].socket), 0, ZMQ_POLLIN, 0};
    int64_t left_ms = until_ms - hq_now_ms();
    if (count && left_ms > 0)
        zmq_poll(items, count, (long)left_ms);
    free(items);
    return count && left_ms > 0;
}

static int compare_workers(const void *one, const void *other)
{
    const hq_worker_status *a = one, *b = other;
    int order = strcmp(a->host, b->host);
    return order ? order : memcmp(&a->id, &b->id, sizeof a->id);
}

static void add_worker(hq_fleet *fleet, const hq_worker_status *more)
{
    hq_worker_status *same = NULL;
    for (size_t i = 0; i < fleet->worker_count && !same; i++)
        if (memcmp(&fleet->workers[i].id, &more->id, sizeof more->id) == 0)
            same = &fleet->workers[i];
    if (!same) {
        HQ_GROW(fleet->workers, fleet->worker_count, fleet->worker_capacity);
        fleet->workers[fleet->worker_count++] = *more;
        return;
    }
    hq_worker_status sum = more->heard_ms < same->heard_ms ? *more : *same;
    sum.under_way = table_sum(same->under_way, more->under_way);
    sum.done = table_sum(same->done, more->done);
    sum.age_ms = same->age_ms > more->age_ms ? same->age_ms : more->age_ms;
    sum.is_draining = same->is_draining || more->is_draining;
    *same = sum;
}

hq_error fleet_ask(hq_fleet *fleet, hq_reason *reason)
{
    hq_error error = fleet->only ? HQ_OK : find_members(fleet, reason);
    if (error)
        return error;
    fleet->worker_count = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        member *m = &fleet->members[i];
        hq_reason why = {{0}};
        member_forget(m);
        hq_message *message = message_new(HQ_STATUS);
        message_put_int32(message, "request", ++m->request);
        message_put_bool(message, "detail", true);
        if (message_send(m->socket, &message, &why))
            hq_log(HQ_LOG_WARN, "client", "%s: %s", m->endpoint, why.text);
    }
    int64_t until_ms = hq_now_ms() + fleet->timeout_ms;
    size_t answered = 0;
    while (await_some(fleet, until_ms))
        for (size_t i = 0; i < fleet->count; i++)
            if (!fleet->members[i].told.has_answered)
                take_status(&fleet->members[i]);
    for (size_t i = 0; i < fleet->count; i++) {
        member *m = &fleet->members[i];
        m->told.endpoint = m->endpoint;
        answered += m->told.has_answered;
        for (size_t k = 0; k < m->told.status.worker_count; k++)
            add_worker(fleet, &m->told.status.worker_list[k]);
    }
    if (fleet->worker_count)
        qsort(fleet->workers, fleet->worker_count, sizeof *fleet->workers, compare_workers);
    if (answered)
        return HQ_OK;
    return hq_fail(reason, HQ_EUNAVAILABLE, "no broker answers at %s",
                   fleet->only ? fleet->only : "the addresses the coordinator gives");
}

size_t fleet_count(const hq_fleet *fleet)
{
    return fleet->count;
}

const hq_fleet_broker *fleet_broker(const hq_fleet *fleet, size_t index)
{
    return &fleet->members[index].told;
}

const hq_worker_status *fleet_workers(const hq_fleet *fleet, size_t *count_r)
{
    *count_r = fleet->worker_count;
    return fleet->workers;
}

/* ---- one of many ---- */

/* What a text may mean, gathered. */
typedef struct search {
    const char *text;
    hq_hash found;
    size_t count;
    char names[256];
} search;

static void consider(search *s, const hq_hash *id, const char *host)
{
    char id_text[HQ_HASH_TEXT];
    hash_to_text(id, id_text);
    bool begins = *s->text && strncasecmp(id_text, s->text, strlen(s->text)) == 0;
    if (!begins && !(host && strcmp(host, s->text) == 0))
        return;
    if (s->count > 0 && memcmp(&s->found, id, sizeof *id) == 0)
        return;
    s->found = *id;
    size_t length = strlen(s->names);
    if (s->count++ < TOLD_AT_ONCE)
        snprintf(s->names + length, sizeof s->names - length, "%s%.*s", length ? ", " : "", ID_DIGITS, id_text);
}

static hq_error conclude(const search *s, const char *what, hq_hash *id_r, hq_reason *reason)
{
    if (s->count == 0)
        return hq_fail(reason, HQ_ENOTFOUND, "%s: no such %s", s->text, what);
    if (s->count > 1)
        return hq_fail(reason, HQ_EINVAL, "%s: %zu %s fit: %s%s", s->text, s->count, what, s->names,
                       s->count > TOLD_AT_ONCE ? ", ..." : "");
    *id_r = s->found;
    return HQ_OK;
}

hq_error fleet_find_query(const hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason)
{
    search s = {.text = text};
    for (size_t i = 0; i < fleet->count; i++) {
        const hq_broker_status *status = &fleet->members[i].told.status;
        for (size_t k = 0; k < status->query_count; k++)
            consider(&s, &status->query_list[k].id, NULL);
    }
    /* A list is bounded: a whole id may be one that it does not hold. */
    if (s.count == 0 && hash_from_text(text, id_r) == 0)
        return HQ_OK;
    return conclude(&s, s.count ? "queries" : "query is under way", id_r, reason);
}

hq_error fleet_find_worker(const hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason)
{
    search s = {.text = text};
    for (size_t i = 0; i < fleet->worker_count; i++)
        consider(&s, &fleet->workers[i].id, fleet->workers[i].host);
    if (s.count == 0 && hash_from_text(text, id_r) == 0)
        return HQ_OK;
    return conclude(&s, s.count ? "workers" : "worker", id_r, reason);
}

/* ---- what they are told to do ---- */

/* Sends the request, which this puts in, to the member and waits for AGREED or REJECTED. Consumes the message. */
static hq_error demand(const hq_fleet *fleet, member *m, hq_message *message, hq_reason *reason)
{
    message_put_int32(message, "request", ++m->request);
    hq_error error = message_send(m->socket, &message, reason);
    hq_message *answer = NULL;
    zmq_pollitem_t item = {zsock_resolve(m->socket), 0, ZMQ_POLLIN, 0};
    int64_t until_ms = hq_now_ms() + fleet->timeout_ms, left_ms;
    while (!error && take_answer(m, &answer) && (left_ms = until_ms - hq_now_ms()) > 0)
        zmq_poll(&item, 1, (long)left_ms);
    if (!error && !answer)
        error = hq_fail(reason, HQ_EUNAVAILABLE, "the broker at %s does not answer", m->endpoint);
    if (answer && message_command(answer) != HQ_AGREED) {
        const char *code = "", *text = "it does not say why";
        message_get_text(answer, "code", &code);
        message_get_text(answer, "text", &text);
        error = hq_fail(reason, hq_error_from_name(code), "the broker at %s refuses: %s", m->endpoint, text);
    }
    message_free(&answer);
    return error;
}

/* Of one after another, until one has it: lists are bounded, so that it may be in none. */
static hq_error demand_of_any(hq_fleet *fleet, hq_command command, const char *key, const hq_hash *id, const char *user,
                              hq_reason *reason)
{
    hq_error error = hq_fail(reason, HQ_ENOTFOUND, "no broker has it");
    for (size_t i = 0; i < fleet->count && error == HQ_ENOTFOUND; i++) {
        if (!fleet->members[i].told.has_answered)
            continue;
        hq_message *message = message_new(command);
        message_put_hash(message, key, id);
        if (user)
            message_put_text(message, "user", user);
        error = demand(fleet, &fleet->members[i], message, reason);
    }
    return error;
}

hq_error fleet_stop(hq_fleet *fleet, const hq_hash *query, const char *user, hq_reason *reason)
{
    return demand_of_any(fleet, HQ_STOP, "query", query, user, reason);
}

hq_error fleet_drain(hq_fleet *fleet, const hq_hash *worker, hq_reason *reason)
{
    return demand_of_any(fleet, HQ_DRAIN, "worker", worker, NULL, reason);
}
