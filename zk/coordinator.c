/* A coordinator's life: its endpoint, its session, and the turning of what the tree posts into the next steps of its
 * operations. What the operations are stands in operations.c and lasting.c. */
#include "zk/coordinator.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "zk/engine.h"

enum {
    RECONNECT_MS = 1000, /* until a session that could not even be begun is tried again */
    REMIND_MS = 30000,   /* until an operator is told again that nobody answers */
    FIRST_REMIND_MS = 5000,
    HOLD_MS = 20,   /* until operations are made again that were lost without an interruption */
    ROUNDS_MAX = 16 /* of one dispatch: operations that go on at once must not keep the caller's loop forever */
};

static const char *const groups[] = {"brokers", "workers", "unowned", "owned", "done"};

const char *group_name(size_t index)
{
    return index < sizeof groups / sizeof *groups ? groups[index] : NULL;
}

/* --- operations: the list, and what every step does --- */

hq_op *op_new(hq_coordinator *coordinator, const char *group, const char *name, const void *bytes, size_t size,
              void *context)
{
    hq_op *op = hq_calloc(1, sizeof *op);
    op->group = group;
    op->name = hq_strdup(name);
    op->bytes = hq_alloc(size);
    if (size)
        memcpy(op->bytes, bytes, size);
    op->size = size;
    op->context = context;
    op->previous = coordinator->last;
    *(op->previous ? &op->previous->next : &coordinator->first) = op;
    coordinator->last = op;
    return op;
}

void op_free_members(hq_op *op)
{
    for (size_t i = 0; i < op->member_count; i++) {
        free(op->members[i].id);
        free(op->members[i].bytes);
    }
    free(op->members);
    op->members = NULL;
    op->member_count = op->member_at = 0;
}

static int by_id(const void *one, const void *other)
{
    return strcmp(((const hq_member *)one)->id, ((const hq_member *)other)->id);
}

void op_sort_members(hq_op *op)
{
    qsort(op->members, op->member_count, sizeof *op->members, by_id);
}

static void op_release(hq_op *op)
{
    op_free_members(op);
    free(op->name);
    free(op->path);
    free(op->owner);
    free(op->bytes);
    free(op);
}

static void op_free(hq_coordinator *coordinator, hq_op *op)
{
    *(op->previous ? &op->previous->next : &coordinator->first) = op->next;
    *(op->next ? &op->next->previous : &coordinator->last) = op->previous;
    op_release(op);
}

char *op_path(const hq_coordinator *coordinator, const char *group, const char *name)
{
    return hq_format("%s%s%s%s%s", coordinator->root, group ? "/" : "", group ? group : "", name ? "/" : "",
                     name ? name : "");
}

static void op_go_on(hq_coordinator *coordinator, hq_op *op)
{
    op->is_waiting = !coordinator->is_ready;
    if (coordinator->is_ready)
        op->run(coordinator, op);
}

void op_begin(hq_coordinator *coordinator, hq_op *op, hq_op_run *run, hq_op_run *after_loss)
{
    op->run = run;
    op->after_loss = after_loss;
    op_go_on(coordinator, op);
}

void op_write(hq_coordinator *coordinator, hq_op *op, const hq_tree_change *changes, size_t count, hq_op_reply *reply)
{
    op->outstanding++;
    op->reply = reply;
    coordinator->tree->class->write(coordinator->tree, changes, count, op);
}

void op_get(hq_coordinator *coordinator, hq_op *op, const char *path, bool watch, bool latest, hq_op_reply *reply)
{
    op->outstanding++;
    op->reply = reply;
    coordinator->tree->class->get(coordinator->tree, path, watch, latest, op);
}

void op_children(hq_coordinator *coordinator, hq_op *op, const char *path, bool watch, bool latest, hq_op_reply *reply)
{
    op->outstanding++;
    op->reply = reply;
    coordinator->tree->class->children(coordinator->tree, path, watch, latest, op);
}

void op_tell(hq_op *op, hq_error error, const char *detail, const hq_tree_item *reply)
{
    bool has_data = error == HQ_OK && reply;
    if (op->done)
        op->done(op->context, error, detail);
    if (op->got)
        op->got(op->context, error, detail, has_data ? reply->bytes : NULL, has_data ? reply->size : 0);
    if (op->got_members)
        op->got_members(op->context, error, detail, op->members, op->member_count);
    if (op->got_entry)
        op->got_entry(op->context, error, detail, has_data ? strrchr(reply->path, '/') + 1 : NULL);
}

void op_end(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail, const hq_tree_item *reply)
{
    op_tell(op, error, detail, reply);
    op_free(coordinator, op);
}

void op_rest(hq_coordinator *coordinator, hq_op *op)
{
    op_free_members(op);
    if (!op->is_stale)
        return;
    op->is_stale = false;
    op_go_on(coordinator, op);
}

static void on_refused(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    op_end(coordinator, op, (hq_error)reply->refused, reply->detail, NULL);
}

void op_refuse(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail)
{
    hq_tree_item *item = item_new(HQ_TREE_REPLY, op, HQ_TREE_REFUSED);
    item->refused = (size_t)error;
    item->detail = hq_strdup(detail);
    op->outstanding++;
    op->is_lasting = false;
    op->reply = on_refused;
    queue_post(&coordinator->queue, item);
}

/* A name becomes one part of a path. */
static bool is_name(const char *name)
{
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strlen(name) < 256;
}

bool op_is_sound(hq_coordinator *coordinator, hq_op *op, const char *groups_known)
{
    hq_reason reason;
    hq_error error = HQ_OK;
    if (!op->group)
        error = hq_fail(&reason, HQ_EINVAL, "no such group: %s", groups_known);
    else if (op->name && !is_name(op->name))
        error = hq_fail(&reason, HQ_EINVAL, "\"%s\" cannot be the name of a node", op->name);
    else if (op->size > HQ_NODE_BYTES_MAX)
        error = hq_fail(&reason, HQ_ELIMIT, "%zu bytes for /%s/%s: a node holds at most %d", op->size, op->group,
                        op->name ? op->name : "", HQ_NODE_BYTES_MAX);
    if (error != HQ_OK)
        op_refuse(coordinator, op, error, reason.text);
    return error == HQ_OK;
}

/* --- the session --- */

static void set_timer(hq_coordinator *coordinator, int ms)
{
    struct itimerspec when = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};
    timerfd_settime(coordinator->timer, 0, &when, NULL);
}

static void tell_event(hq_coordinator *coordinator, hq_coordinator_event event)
{
    if (coordinator->on_event)
        coordinator->on_event(coordinator->context, event);
}

static void run_again(hq_coordinator *coordinator, hq_op *op)
{
    if (op->outstanding > 0) {
        op->is_stale = true;
        return;
    }
    op->is_waiting = op->is_stale = false;
    op->run(coordinator, op);
}

static void become_ready(hq_coordinator *coordinator)
{
    coordinator->is_ready = true;
    /* First what waited, in the order it was asked for; only then can the caller ask for more. */
    for (hq_op *op = coordinator->first; op; op = op->next)
        if (op->is_waiting || op->is_lasting)
            run_again(coordinator, op);
    if (coordinator->is_announced)
        return;
    coordinator->is_announced = true;
    hq_log(HQ_LOG_INFO, "zk", "connected to %s, session %#llx", coordinator->endpoint,
           (unsigned long long)coordinator->session);
    tell_event(coordinator, HQ_COORDINATOR_CONNECTED);
}

static void on_prepared(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    /* Who may not make the root may still find it there, which ZooKeeper does not tell; the groups will. */
    bool is_group = op->member_at++ >= coordinator->root_parts;
    if (is_group && reply->status != HQ_TREE_OK && reply->status != HQ_TREE_NODE_EXISTS) {
        op->is_uncertain = true;
        hq_log(HQ_LOG_ERROR, "zk", "%s: the nodes that hq needs cannot be made, trying again: %s",
               coordinator->endpoint, reply->detail ? reply->detail : "the path before them is missing");
    }
    if (op->outstanding > 0)
        return;
    bool is_prepared = !op->is_uncertain;
    op_free(coordinator, op);
    coordinator->preparing = NULL;
    if (is_prepared) {
        coordinator->prepared_session = coordinator->session;
        become_ready(coordinator);
    } else {
        set_timer(coordinator, RECONNECT_MS);
    }
}

static void prepare_node(hq_coordinator *coordinator, char *path)
{
    hq_tree_change change = {.kind = HQ_TREE_CREATE, .path = path};
    op_write(coordinator, coordinator->preparing, &change, 1, on_prepared);
    free(path);
}

/* The root, part by part, and the five groups. The requests travel one behind the other; most find their node there. */
static void prepare(hq_coordinator *coordinator)
{
    if (coordinator->prepared_session == coordinator->session) {
        become_ready(coordinator);
        return;
    }
    coordinator->preparing = op_new(coordinator, NULL, NULL, NULL, 0, NULL);
    coordinator->root_parts = 0;
    for (size_t i = 1; i <= strlen(coordinator->root); i++) {
        if (coordinator->root[i] != '/' && coordinator->root[i] != 0)
            continue;
        prepare_node(coordinator, hq_strndup(coordinator->root, i));
        coordinator->root_parts++;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        prepare_node(coordinator, op_path(coordinator, groups[i], NULL));
}

static void connect_tree(hq_coordinator *coordinator)
{
    hq_reason reason;
    coordinator->must_connect = coordinator->tree->class->connect(coordinator->tree, &reason) != HQ_OK;
    if (coordinator->must_connect) {
        hq_log(HQ_LOG_WARN, "zk", "%s; trying again", reason.text);
        set_timer(coordinator, RECONNECT_MS);
    }
}

static void lose(hq_coordinator *coordinator, bool is_expired)
{
    bool was_announced = coordinator->is_announced;
    coordinator->is_connected = coordinator->is_ready = coordinator->is_announced = false;
    if (is_expired) {
        hq_log(HQ_LOG_WARN, "zk", "%s: session %#llx has expired, opening a new one", coordinator->endpoint,
               (unsigned long long)coordinator->session);
        coordinator->former_session = coordinator->session;
        connect_tree(coordinator);
        tell_event(coordinator, HQ_COORDINATOR_EXPIRED);
    } else if (was_announced) {
        hq_log(HQ_LOG_WARN, "zk", "%s: the connection is lost", coordinator->endpoint);
        tell_event(coordinator, HQ_COORDINATOR_SUSPENDED);
    }
}

static void on_timer(hq_coordinator *coordinator)
{
    uint64_t count;
    if (read(coordinator->timer, &count, sizeof count) < 0)
        return;
    if (coordinator->must_connect)
        connect_tree(coordinator);
    else if (coordinator->is_connected && !coordinator->is_ready && !coordinator->preparing)
        prepare(coordinator);
    else if (!coordinator->is_connected && coordinator->session == 0) {
        hq_log(HQ_LOG_WARN, "zk", "no answer from %s yet, still trying", coordinator->endpoint);
        set_timer(coordinator, REMIND_MS);
    }
}

/* --- what the tree posts --- */

static void take_lost(hq_coordinator *coordinator, hq_op *op)
{
    op->is_lost = false;
    if (op == coordinator->preparing) { /* the next connection prepares anew */
        op_free(coordinator, op);
        coordinator->preparing = NULL;
        if (coordinator->is_connected)
            set_timer(coordinator, HOLD_MS);
        return;
    }
    op->is_uncertain = op->is_waiting = true;
    op->is_stale = false;
    op->run = op->after_loss;
    op_free_members(op);
    if (!coordinator->is_ready)
        return;
    /* Lost without an interruption: a busy server put it off. Everything waits a little, so that the order holds. */
    coordinator->is_ready = false;
    set_timer(coordinator, HOLD_MS);
}

static void take_reply(hq_coordinator *coordinator, hq_tree_item *item)
{
    hq_op *op = item->tag;
    op->outstanding--;
    if (item->status == HQ_TREE_LOST)
        op->is_lost = true;
    if (!op->is_lost)
        op->reply(coordinator, op, item);
    else if (op->outstanding == 0)
        take_lost(coordinator, op);
}

static void take_changed(hq_coordinator *coordinator, const char *path)
{
    if (!coordinator->is_ready)
        return; /* all of them run again when it is ready */
    for (hq_op *op = coordinator->first; op; op = op->next)
        if (op->is_lasting && op->path && strcmp(op->path, path) == 0)
            run_again(coordinator, op);
}

static void take_item(hq_coordinator *coordinator, hq_tree_item *item)
{
    switch (item->kind) {
    case HQ_TREE_REPLY:
        take_reply(coordinator, item);
        break;
    case HQ_TREE_CHANGED:
        take_changed(coordinator, item->path);
        break;
    case HQ_TREE_CONNECTED:
        coordinator->is_connected = true;
        coordinator->session = item->session;
        if (!coordinator->preparing)
            prepare(coordinator);
        break;
    case HQ_TREE_SUSPENDED:
    case HQ_TREE_EXPIRED:
        lose(coordinator, item->kind == HQ_TREE_EXPIRED);
        break;
    }
}

void coordinator_dispatch(hq_coordinator *coordinator)
{
    on_timer(coordinator);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        hq_tree_item *item = queue_take(&coordinator->queue);
        if (!item)
            return;
        for (hq_tree_item *next; item; item = next) {
            next = item->next;
            take_item(coordinator, item);
            item_free(&item);
        }
    }
}

int coordinator_fd(const hq_coordinator *coordinator)
{
    return coordinator->epoll;
}

hq_error coordinator_wait(hq_coordinator *coordinator, const int *flag, int timeout_ms, hq_reason *reason)
{
    int64_t end_ms = hq_now_ms() + timeout_ms;
    for (;;) {
        coordinator_dispatch(coordinator);
        if (*flag)
            return HQ_OK;
        int64_t left_ms = end_ms - hq_now_ms();
        if (left_ms <= 0)
            return hq_fail(reason, HQ_ETIMEOUT, "no answer from the coordinator %s within %d ms (it is %s)",
                           coordinator->endpoint, timeout_ms,
                           coordinator->is_connected ? "connected" : "not connected");
        struct pollfd ready = {coordinator->epoll, POLLIN, 0};
        if (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR)
            return hq_fail(reason, HQ_EIO, "waiting for the coordinator: %s", strerror(errno));
    }
}

/* --- opening and closing --- */

static hq_error watch_descriptor(int epoll, int fd, hq_reason *reason)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (fd < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return hq_fail(reason, HQ_EIO, "no descriptor for the coordinator: %s", strerror(errno));
    return HQ_OK;
}

hq_coordinator *coordinator_new(const char *endpoint, const char *root, hq_coordinator_on_event *on_event,
                                void *context, hq_reason *reason)
{
    hq_coordinator *coordinator = hq_calloc(1, sizeof *coordinator);
    if (queue_init(&coordinator->queue, reason) != HQ_OK) {
        free(coordinator);
        return NULL;
    }
    coordinator->endpoint = hq_strdup(endpoint);
    coordinator->root = hq_strdup(root);
    coordinator->on_event = on_event;
    coordinator->context = context;
    coordinator->epoll = epoll_create1(EPOLL_CLOEXEC);
    coordinator->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (watch_descriptor(coordinator->epoll, coordinator->queue.fd, reason) != HQ_OK ||
        watch_descriptor(coordinator->epoll, coordinator->timer, reason) != HQ_OK)
        coordinator_close(&coordinator);
    return coordinator;
}

hq_error coordinator_start(hq_coordinator *coordinator, hq_tree *tree, hq_reason *reason)
{
    coordinator->tree = tree;
    set_timer(coordinator, FIRST_REMIND_MS);
    return tree->class->connect(tree, reason);
}

void coordinator_close(hq_coordinator **coordinator_p)
{
    hq_coordinator *coordinator = *coordinator_p;
    if (!coordinator)
        return;
    *coordinator_p = NULL;
    if (coordinator->tree)
        coordinator->tree->class->close(coordinator->tree); /* from here on nothing is posted */
    for (hq_op *op = coordinator->first, *next; op; op = next) {
        next = op->next;
        op_release(op);
    }
    queue_fini(&coordinator->queue);
    if (coordinator->timer >= 0)
        close(coordinator->timer);
    if (coordinator->epoll >= 0)
        close(coordinator->epoll);
    free(coordinator->endpoint);
    free(coordinator->root);
    free(coordinator);
}

/* "/hq" of "host:port,host:port/hq"; an empty or repeated part is refused, as ZooKeeper refuses it. */
static hq_error parse_chroot(const char *endpoint, const char *chroot, hq_reason *reason)
{
    size_t length = strlen(chroot);
    if (strstr(chroot, "//") || chroot[length - 1] == '/' || strstr(chroot, "/../") || strstr(chroot, "/./"))
        return hq_fail(reason, HQ_EINVAL, "coordinator \"%s\": the path after the hosts must look like /hq or /site/hq",
                       endpoint);
    return HQ_OK;
}

static hq_error parse_hosts(const char *endpoint, const char *hosts, hq_reason *reason)
{
    const char *at = hosts;
    for (;;) {
        size_t length = strcspn(at, ",");
        const char *colon = memrchr(at, ':', length);
        size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
        bool is_port = colon && colon > at && digits > 0 && digits <= 5 && colon + 1 + digits == at + length;
        long port = is_port ? strtol(colon + 1, NULL, 10) : 0;
        if (port < 1 || port > 65535)
            return hq_fail(reason, HQ_EINVAL,
                           "coordinator \"%s\": \"%.*s\" is not a host and a port; it must look like "
                           "zk:host:2181,otherhost:2181/hq",
                           endpoint, (int)length, at);
        if (at[length] == 0)
            return HQ_OK;
        at += length + 1;
    }
}

hq_error coordinator_open(const char *endpoint, int session_ms, hq_coordinator_on_event *on_event, void *context,
                          hq_coordinator **coordinator_r, hq_reason *reason)
{
    bool is_local = strncmp(endpoint, "local:", 6) == 0 && endpoint[6];
    if (!is_local && (strncmp(endpoint, "zk:", 3) != 0 || session_ms <= 0))
        return hq_fail(reason, HQ_EINVAL,
                       "coordinator \"%s\" (session of %d ms): it must look like zk:host:2181/hq or local:NAME",
                       endpoint, session_ms);
    const char *slash = is_local ? NULL : strchr(endpoint + 3, '/');
    char *hosts = is_local ? NULL
                           : hq_strndup(endpoint + 3, slash ? (size_t)(slash - endpoint - 3) : strlen(endpoint + 3));
    const char *root = is_local ? "" : slash ? slash : "/hq";
    hq_error error = is_local ? HQ_OK : parse_hosts(endpoint, hosts, reason);
    if (error == HQ_OK && !is_local)
        error = parse_chroot(endpoint, root, reason);
    hq_coordinator *coordinator = NULL;
    if (error == HQ_OK) {
        coordinator = coordinator_new(endpoint, root, on_event, context, reason);
        error = coordinator ? HQ_OK : HQ_EIO;
    }
    if (error == HQ_OK)
        error = coordinator_start(coordinator,
                                  is_local ? local_tree_new(endpoint + 6, &coordinator->queue)
                                           : zookeeper_tree_new(hosts, session_ms, &coordinator->queue),
                                  reason);
    free(hosts);
    if (error != HQ_OK)
        coordinator_close(&coordinator);
    *coordinator_r = coordinator;
    return error;
}
