/* broker/workers.c - the back: who works, what each is given, what comes back. */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

enum {
    RECEIVE_US = 2000, /* clients and the coordinator wait no longer than this for busy workers */
    MAX_SLOTS = 4096,
    MAX_CREDIT = 1 << 20
};

static void tell(hq_broker *broker, hq_message **message_p)
{
    hq_reason reason = {{0}};
    /* A worker that cannot be reached loses its lease soon: what it was given goes to others then. */
    if (message_send(broker->back, message_p, &reason))
        hq_log(HQ_LOG_WARN, "broker", "to a worker: %s", reason.text);
}

static void reject(hq_broker *broker, const hq_peer *peer, hq_error error, const char *text)
{
    hq_message *message = message_new(HQ_REJECTED);
    message_set_peer(message, peer);
    message_put_int32(message, "request", 0);
    message_put_text(message, "code", hq_error_name(error));
    message_put_text(message, "text", text);
    tell(broker, &message);
}

static void malformed(hq_broker *broker, const hq_peer *peer, hq_error error, const char *text)
{
    broker->counters.malformed++;
    hq_log(HQ_LOG_WARN, "broker", "from a worker: %s", text);
    reject(broker, peer, error, text);
}

/* ---- who works ---- */

static void node_free(hq_node **node_p)
{
    free((*node_p)->host);
    free((*node_p)->version);
    free(*node_p);
    *node_p = NULL;
}

static void give_up(hq_broker *broker, hq_node *node, const char *why)
{
    uint32_t outstanding = scheduler_outstanding(broker->scheduler, node->number);
    hq_log(outstanding ? HQ_LOG_WARN : HQ_LOG_INFO, "broker", "worker %s on %s %s: its %u subtasks go to others",
           node->id_text, node->host, why, outstanding);
    scheduler_remove_worker(broker->scheduler, node->number);
    for (size_t i = 0; i < broker->active_count; i++) {
        hq_query *query = broker->active[i];
        if (node->number < query->known_count)
            query->known_by[node->number] = QUERY_UNTOLD;
    }
    zhashx_delete(broker->node_by_peer, &node->peer);
    broker->nodes[node->number] = NULL;
    broker->live_nodes--;
    node_free(&node);
}

void workers_free(hq_broker *broker)
{
    for (size_t i = 0; i < broker->node_count; i++)
        if (broker->nodes[i])
            node_free(&broker->nodes[i]);
    free(broker->nodes);
}

void workers_check_leases(hq_broker *broker, int64_t now_ms)
{
    /* A broker that stood still did not hear either: its own silence is not held against the workers. */
    int64_t stood_ms = now_ms - broker->leases_ms - 2 * HQ_TICK_MS;
    broker->leases_ms = now_ms;
    for (size_t i = 0; stood_ms > 0 && i < broker->node_count; i++)
        if (broker->nodes[i])
            broker->nodes[i]->heard_ms += stood_ms;
    for (size_t i = 0; i < broker->node_count; i++)
        if (broker->nodes[i] && now_ms - broker->nodes[i]->heard_ms > broker->settings.lease_ms) {
            broker->counters.workers_lost++;
            give_up(broker, broker->nodes[i], "was silent for too long");
        }
}

static bool is_member(const hq_node *node, const hq_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].id, node->id_text) == 0)
            return true;
    return false;
}

void workers_members(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    hq_broker *broker = context;
    if (error) {
        hq_log(HQ_LOG_WARN, "broker", "the coordinator does not tell who works: %s", detail);
        return;
    }
    for (size_t i = 0; i < broker->node_count; i++) {
        hq_node *node = broker->nodes[i];
        if (!node)
            continue;
        bool is_there = is_member(node, members, count);
        if (node->was_member && !is_there) {
            /* One that drains may have gone as it should, and its BYE is still on the way. */
            broker->counters.workers_lost += !node->is_draining;
            give_up(broker, node, node->is_draining ? "leaves" : "is gone from the coordinator");
        } else {
            node->was_member |= is_there;
        }
    }
}

static void hello(hq_broker *broker, hq_message *message)
{
    hq_hash id;
    const char *host, *version;
    int64_t slots, memory, credit;
    if (!message_get_hash(message, "worker", &id) || !message_get_text(message, "host", &host) ||
        !message_get_text(message, "version", &version) || !message_get_int(message, "slots", 1, MAX_SLOTS, &slots) ||
        !message_get_int(message, "memory", 0, INT64_MAX, &memory) ||
        !message_get_int(message, "credit", 0, MAX_CREDIT, &credit)) {
        malformed(broker, message_peer(message), HQ_EPROTOCOL, "HELLO with a field missing or out of range");
        return;
    }
    /* A worker that says HELLO anew has forgotten what it had; so has one that comes back under a new routing id. */
    for (size_t i = 0; i < broker->node_count; i++)
        if (broker->nodes[i] && (memcmp(&broker->nodes[i]->id, &id, sizeof id) == 0 ||
                                 peer_is_equal(&broker->nodes[i]->peer, message_peer(message))))
            give_up(broker, broker->nodes[i], "begins anew");
    hq_node *node = hq_calloc(1, sizeof *node);
    *node = (hq_node){.peer = *message_peer(message),
                      .id = id,
                      .host = hq_strdup(host),
                      .version = hq_strdup(version),
                      .slots = (uint32_t)slots,
                      .memory = memory,
                      .is_draining = credit == 0,
                      .joined_ms = hq_now_ms()};
    node->heard_ms = node->joined_ms;
    hash_to_text(&id, node->id_text);
    node->number = scheduler_add_worker(broker->scheduler, &id, (uint32_t)slots, (uint32_t)credit);
    while (broker->node_count <= node->number) {
        HQ_GROW(broker->nodes, broker->node_count, broker->node_capacity);
        broker->nodes[broker->node_count++] = NULL;
    }
    broker->nodes[node->number] = node;
    broker->live_nodes++;
    zhashx_insert(broker->node_by_peer, &node->peer, node);
    hq_log(HQ_LOG_INFO, "broker", "worker %s on %s, version %s, %lld slots", node->id_text, host, version,
           (long long)slots);
    hq_message *welcome = message_new(HQ_WELCOME);
    message_set_peer(welcome, &node->peer);
    message_put_text(welcome, "broker", broker->id_text);
    message_put_int32(welcome, "lease_ms", (int32_t)broker->settings.lease_ms);
    tell(broker, &welcome);
}

bool workers_drain(hq_broker *broker, const hq_hash *id)
{
    for (size_t i = 0; i < broker->node_count; i++) {
        const hq_node *node = broker->nodes[i];
        if (!node || memcmp(&node->id, id, sizeof *id) != 0)
            continue;
        hq_log(HQ_LOG_INFO, "broker", "worker %s on %s is told to drain", node->id_text, node->host);
        hq_message *message = message_new(HQ_DRAIN);
        message_set_peer(message, &node->peer);
        tell(broker, &message);
        return true;
    }
    return false;
}

/* ---- what comes back ---- */

static bool take_credit(hq_broker *broker, hq_node *node, const hq_message *message)
{
    int64_t credit;
    if (!message_get_int(message, "credit", 0, MAX_CREDIT, &credit)) {
        malformed(broker, &node->peer, HQ_EPROTOCOL, "a credit missing or out of range");
        return false;
    }
    node->is_draining = credit == 0;
    scheduler_set_credit(broker->scheduler, node->number, (uint32_t)credit);
    return true;
}

static void credit(hq_broker *broker, hq_node *node, const hq_message *message)
{
    if (!take_credit(broker, node, message))
        return;
    hq_cache_report report;
    if (report_get(message, &report))
        node->report = report;
}

static void take_failure(hq_query *query, const hq_node *node, const hq_answer *answer)
{
    hq_failure failure;
    if (failure_decode(answer->contents, answer->size, &failure)) {
        failure.error = HQ_EPROTOCOL;
        hq_fail(&failure.reason, HQ_EPROTOCOL, "it failed and did not say why");
    } else if (failure.error == HQ_EPROTOCOL && node->number < query->known_count) {
        query->known_by[node->number] = QUERY_DOUBTED; /* or it was a server of files that was not understood */
    }
    query_answer_failed(query, node, answer->index, &failure);
}

static hq_query *query_of(const hq_broker *broker, const hq_answer *answer)
{
    return answer->handle < broker->handle_count ? broker->by_handle[answer->handle] : NULL;
}

/* Looked at before anything is counted: a malformed message changes nothing. With very many subtasks each answer's
 * state lies somewhere else in memory; all of it is sent for here, so that counting does not wait for each in turn. */
static bool is_whole(const hq_broker *broker, hq_cursor answers, hq_cursor contents)
{
    hq_answer answer;
    while (answer_next(&answers, &contents, &answer)) {
        const hq_query *query = query_of(broker, &answer);
        if (query)
            query_expect(query, answer.index);
    }
    return cursor_is_complete(&answers) && cursor_is_complete(&contents);
}

static void partials(hq_broker *broker, hq_node *node, hq_message *message)
{
    size_t answers_size, contents_size;
    const void *answer_bytes = message_payload(message, 0, &answers_size);
    const void *content_bytes = message_payload(message, 1, &contents_size);
    hq_cursor answers = cursor_over(answer_bytes, answers_size), contents = cursor_over(content_bytes, contents_size);
    if (!is_whole(broker, answers, contents)) {
        malformed(broker, &node->peer, HQ_EPROTOCOL, "PARTIALS whose payload is cut short or too long");
        return;
    }
    if (!take_credit(broker, node, message))
        return;
    hq_answer answer;
    while (answer_next(&answers, &contents, &answer)) {
        node->done += !answer.is_failed;
        hq_query *query = query_of(broker, &answer);
        if (!query)
            continue; /* it is over: the worker did not know yet */
        if (answer.is_failed)
            take_failure(query, node, &answer);
        else
            query_answered(query, node, &answer, message);
    }
}

static void evicted(hq_broker *broker, hq_node *node, const hq_message *message)
{
    size_t size;
    const uint8_t *bytes = message_payload(message, 0, &size);
    if (size == 0 || size % sizeof(hq_hash) != 0) {
        malformed(broker, &node->peer, HQ_EPROTOCOL, "EVICTED whose payload is no list of partitions");
        return;
    }
    for (size_t at = 0; at < size; at += sizeof(hq_hash)) {
        hq_hash partition;
        memcpy(&partition, bytes + at, sizeof partition);
        scheduler_evicted(broker->scheduler, node->number, query_key(&partition));
    }
    node->evicted += (int64_t)(size / sizeof(hq_hash));
    broker->counters.evicted += (int64_t)(size / sizeof(hq_hash));
}

static void handle(hq_broker *broker, hq_message *message)
{
    const hq_peer *peer = message_peer(message);
    hq_node *node = zhashx_lookup(broker->node_by_peer, peer);
    if (message_command(message) == HQ_HELLO) {
        hello(broker, message);
        return;
    }
    if (!node) {
        if (message_command(message) != HQ_BYE)
            reject(broker, peer, HQ_ENOTFOUND, "say HELLO first");
        return;
    }
    broker->heard_us = hq_now_us();
    node->heard_ms = broker->heard_us / 1000;
    switch (message_command(message)) {
    case HQ_CREDIT:
        credit(broker, node, message);
        break;
    case HQ_PARTIALS:
        partials(broker, node, message);
        break;
    case HQ_EVICTED:
        evicted(broker, node, message);
        break;
    case HQ_BYE:
        give_up(broker, node, "leaves");
        break;
    default:
        malformed(broker, peer, HQ_EPROTOCOL, "a command that is not a worker's");
    }
}

void workers_receive(hq_broker *broker)
{
    int64_t until_us = hq_now_us() + RECEIVE_US;
    do {
        hq_message *message = NULL;
        hq_peer peer = {0};
        hq_reason reason = {{0}};
        hq_error error = message_receive(broker->back, &message, &peer, &reason);
        if (error == HQ_ETIMEOUT)
            return;
        if (error)
            malformed(broker, &peer, error, reason.text);
        else
            handle(broker, message);
        message_free(&message);
    } while (hq_now_us() < until_us);
}

/* ---- what each is given ---- */

/* The frames of QUERY that are the same for all workers: a thousand of them are lent one copy. */
struct hq_telling {
    atomic_int holders; /* the query, and each frame that is not sent yet */
    hq_buffer schema, table;
};

static void telling_release(void *hint)
{
    hq_telling *telling = hint;
    if (atomic_fetch_sub(&telling->holders, 1) > 1)
        return;
    buffer_clear(&telling->schema);
    buffer_clear(&telling->table);
    free(telling);
}

void workers_forget_query(hq_query *query)
{
    if (query->telling)
        telling_release(query->telling);
    query->telling = NULL;
}

static hq_telling *telling_new(const hq_dataset *dataset)
{
    hq_telling *telling = hq_calloc(1, sizeof *telling);
    atomic_init(&telling->holders, 1);
    schema_encode(dataset->schema, &telling->schema);
    hq_file_entry *files = hq_calloc(dataset->file_count, sizeof *files);
    for (size_t i = 0; i < dataset->file_count; i++)
        files[i] = (hq_file_entry){dataset->files[i].path, dataset->files[i].tree, dataset->files[i].identity};
    file_table_encode(files, dataset->file_count, &telling->table);
    free(files);
    return telling;
}

static void lend(hq_message *message, hq_telling *telling, const hq_buffer *bytes)
{
    atomic_fetch_add(&telling->holders, 1);
    message_lend_payload(message, bytes->bytes, bytes->size, telling_release, telling);
}

static void send_query(hq_query *query, const hq_node *node)
{
    if (!query->telling)
        query->telling = telling_new(query->dataset);
    hq_message *message = message_new(HQ_QUERY);
    message_set_peer(message, &node->peer);
    message_put_int(message, "handle", query->handle);
    message_put_text(message, "query", query->id_text);
    message_put_text(message, "name", query->name);
    message_put_text(message, "text", query->text);
    message_put_int(message, "limit_ms", query->broker->settings.limit_ms);
    lend(message, query->telling, &query->telling->schema);
    lend(message, query->telling, &query->telling->table);
    tell(query->broker, &message);
}

static void make_known(hq_query *query, const hq_node *node)
{
    if (node->number >= query->known_count) {
        size_t count = node->number + 16;
        query->known_by = hq_realloc(query->known_by, count, 1);
        memset(query->known_by + query->known_count, 0, count - query->known_count);
        query->known_count = count;
    }
    if (query->known_by[node->number] == QUERY_TOLD)
        return;
    query->known_by[node->number] = QUERY_TOLD;
    send_query(query, node);
}

static void hand_out_to(void *context, uint32_t number, const hq_assignment *assignments, size_t count)
{
    hq_broker *broker = context;
    const hq_node *node = broker->nodes[number];
    hq_buffer orders = {0};
    for (size_t i = 0; i < count; i++) {
        const hq_query *query = assignments[i].owner;
        __builtin_prefetch(&query->dataset->partitions[assignments[i].index]);
    }
    for (size_t i = 0; i < count; i++) {
        hq_query *query = assignments[i].owner;
        const hq_partition *partition = &query->dataset->partitions[assignments[i].index];
        make_known(query, node);
        order_encode(&(hq_order){.handle = query->handle,
                                 .index = assignments[i].index,
                                 .file = partition->file,
                                 .first = partition->first,
                                 .last = partition->last},
                     &orders);
    }
    hq_message *message = message_new(HQ_SUBTASKS);
    message_set_peer(message, &node->peer);
    message_add_payload(message, &orders);
    tell(broker, &message);
}

void workers_hand_out(hq_broker *broker)
{
    broker->hand_out_us = scheduler_give(broker->scheduler, hq_now_us(), hand_out_to, broker);
}

void workers_drop_subtask(const hq_query *query, uint32_t number, uint32_t index)
{
    if (number >= query->known_count || query->known_by[number] == QUERY_UNTOLD)
        return;
    hq_message *message = message_new(HQ_DROP);
    message_set_peer(message, &query->broker->nodes[number]->peer);
    message_put_int(message, "handle", query->handle);
    message_put_int(message, "index", index);
    tell(query->broker, &message);
}

void workers_drop_query(hq_query *query)
{
    for (size_t i = 0; i < query->known_count && i < query->broker->node_count; i++) {
        if (query->known_by[i] == QUERY_UNTOLD || !query->broker->nodes[i])
            continue;
        hq_message *message = message_new(HQ_DROP);
        message_set_peer(message, &query->broker->nodes[i]->peer);
        message_put_int(message, "handle", query->handle);
        tell(query->broker, &message);
        query->known_by[i] = QUERY_UNTOLD;
    }
}
