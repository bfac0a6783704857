/* broker/status.c - what those ask who look after a broker: how it stands, an end for a query, rest for a worker. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "wire/status.h"

enum { MAX_USER = 256 };

/* ---- how it stands ---- */

static void describe_node(const hq_broker *broker, const hq_node *node, int64_t now_ms, hq_worker_status *status_r)
{
    *status_r = (hq_worker_status){.id = node->id,
                                   .host = node->host,
                                   .version = node->version,
                                   .slots = node->slots,
                                   .memory = node->memory,
                                   .under_way = scheduler_outstanding(broker->scheduler, node->number),
                                   .done = node->done,
                                   .cache = node->report,
                                   .evicted = node->evicted,
                                   .heard_ms = now_ms > node->heard_ms ? now_ms - node->heard_ms : 0,
                                   .age_ms = now_ms - node->joined_ms,
                                   .is_draining = node->is_draining};
}

static void describe_query(const hq_query *query, int64_t now_ms, hq_query_status *status_r)
{
    *status_r = (hq_query_status){.id = query->id,
                                  .user = query->user,
                                  .name = query->name,
                                  .state = query_state_name(query->state),
                                  .priority = query->priority,
                                  .stored = query->stored,
                                  .entries = (int64_t)query->entries,
                                  .age_ms = now_ms - query->submitted_ms,
                                  .listeners = (int64_t)query->listener_count,
                                  .dataset = query->first_spec,
                                  .specs = query->spec_count};
    if (!query->dataset)
        return;
    status_r->files = (int64_t)query->dataset->file_count;
    status_r->subtasks = (int64_t)query->dataset->partition_count;
    status_r->entries_total = (int64_t)query->dataset->entries;
    status_r->done = query->sink ? sink_done(query->sink) : 0;
    if (query->state == QUERY_SUCCESSFUL)
        status_r->done = status_r->subtasks;
    int64_t left = status_r->subtasks - status_r->done;
    int64_t waiting = query->work ? scheduler_waiting(query->work) : left;
    status_r->under_way = left > waiting ? left - waiting : 0;
}

static void describe_all(const hq_broker *broker, int64_t now_ms, hq_broker_status *status)
{
    status->has_detail = true;
    status->worker_list = hq_calloc(broker->live_nodes, sizeof *status->worker_list);
    for (size_t i = 0; i < broker->node_count && status->worker_count < HQ_STATUS_WORKERS; i++)
        if (broker->nodes[i])
            describe_node(broker, broker->nodes[i], now_ms, &status->worker_list[status->worker_count++]);
    status->query_list = hq_calloc(broker->active_count, sizeof *status->query_list);
    for (size_t i = 0; i < broker->active_count && status->query_count < HQ_STATUS_QUERIES; i++)
        describe_query(broker->active[i], now_ms, &status->query_list[status->query_count++]);
}

void status_asked(hq_broker *broker, const hq_message *message)
{
    int64_t request;
    bool has_detail = false;
    bool is_sound = message_get_int(message, "request", INT32_MIN, INT32_MAX, &request);
    if (!is_sound || (bson_has_field(message_body((hq_message *)message), "detail") &&
                      !message_get_bool(message, "detail", &has_detail))) {
        clients_malformed(broker, message_peer(message), HQ_EPROTOCOL,
                          "STATUS with a field missing or of another type");
        return;
    }
    const hq_broker_counters *n = &broker->counters;
    hq_schedule_counts given = scheduler_counts(broker->scheduler);
    hq_counter_status counters[] = {
        {"queries", n->queries},
        {"joined", n->joined},
        {"from_store", n->from_store},
        {"rejected", n->rejected},
        {"failed", n->failed},
        {"cancelled", n->cancelled},
        {"malformed", n->malformed},
        {"subtasks", n->subtasks},
        {"duplicates", n->duplicates},
        {"requeued", n->requeued},
        {"workers_lost", n->workers_lost},
        {"partials_kept", n->partials_kept},
        {"partials_lost", n->partials_lost},
        {"evicted", n->evicted},
        {"files_left_out", n->files_left_out},
        {"files_known_bad", (int64_t)flaws_count(broker->flaws)},
        {"merging", (int64_t)broker->merging},
        {"plans_found", n->plans_found},
        {"plans_opened", n->plans_opened},
        {"plans_replaced", n->plans_replaced},
        {"plans_bad", n->plans_bad},
        {"given_to_holder", (int64_t)given.at_holder},
        {"given_to_home", (int64_t)given.at_home},
        {"stolen", (int64_t)given.stolen},
        {"stolen_held", (int64_t)given.stolen_held},
        {"stragglers", (int64_t)given.twice},
    };
    int64_t now_ms = hq_now_ms();
    hq_broker_status status = {.request = request,
                               .id = broker->id,
                               .host = broker->host,
                               .version = HQ_VERSION,
                               .front = broker->front_endpoint,
                               .back = broker->back_endpoint,
                               .uptime_ms = now_ms - broker->begun_ms,
                               .workers = (int64_t)broker->live_nodes,
                               .queries = (int64_t)broker->active_count,
                               .counters = counters,
                               .counter_count = sizeof counters / sizeof *counters};
    for (size_t i = 0; i < broker->node_count; i++)
        status.slots += broker->nodes[i] ? broker->nodes[i]->slots : 0;
    if (has_detail)
        describe_all(broker, now_ms, &status);
    hq_message *answer = status_encode(&status);
    message_set_peer(answer, message_peer(message));
    clients_tell(broker, &answer);
    free(status.worker_list);
    free(status.query_list);
}

/* ---- what they want done ---- */

static void agree(hq_broker *broker, const hq_peer *peer, int64_t request)
{
    hq_message *answer = message_new(HQ_AGREED);
    message_set_peer(answer, peer);
    message_put_int32(answer, "request", (int32_t)request);
    clients_tell(broker, &answer);
}

void stop_asked(hq_broker *broker, const hq_message *message)
{
    const hq_peer *peer = message_peer(message);
    int64_t request;
    hq_hash id;
    const char *user;
    if (!message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) ||
        !message_get_hash(message, "query", &id) || !message_get_text(message, "user", &user) ||
        strlen(user) > MAX_USER) {
        clients_malformed(broker, peer, HQ_EPROTOCOL, "STOP with a field missing or out of range");
        return;
    }
    hq_query *query = query_find(broker, &id);
    if (!query || query_is_over(query)) {
        clients_refuse(broker, peer, (int32_t)request, HQ_ENOTFOUND, "no such query is under way here");
        return;
    }
    hq_log(HQ_LOG_INFO, "broker", "query %s is cancelled for %s", query->id_text, user);
    agree(broker, peer, request);
    char *why = hq_format("cancelled by %s", user);
    query_cancel(query, why);
    free(why);
}

void drain_asked(hq_broker *broker, const hq_message *message)
{
    const hq_peer *peer = message_peer(message);
    int64_t request;
    hq_hash id;
    if (!message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) ||
        !message_get_hash(message, "worker", &id))
        clients_malformed(broker, peer, HQ_EPROTOCOL, "DRAIN with a field missing or out of range");
    else if (workers_drain(broker, &id))
        agree(broker, peer, request);
    else
        clients_refuse(broker, peer, (int32_t)request, HQ_ENOTFOUND, "no such worker is known here");
}
