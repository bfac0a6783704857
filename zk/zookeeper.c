/* ZooKeeper, by its multi-threaded C client's asynchronous calls.
 *
 * The client's completions and watchers run in its own threads: each makes an item of what it was told, posts it, and
 * returns. Nothing is decided there and nothing waited for.
 */
#include <zookeeper.h>

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "zk/tree.h"

enum { RESOLVE_MS = 30000 }; /* a host that moves is found at once all the same when its connection breaks */

typedef struct zk_tree zk_tree;

/* What is in flight. The list is there for the one case in which the client does not complete: a closed handle. */
typedef struct zk_request {
    struct zk_request *next, **back;
    zk_tree *tree;
    void *tag;
    size_t count;
    zoo_op_result_t *results; /* of a multi */
    char *created;            /* where the client puts the path of a node created, if there is one change only */
} zk_request;

struct zk_tree {
    hq_tree base;
    char *hosts;
    int session_ms;
    zhandle_t *handle;
    pthread_mutex_t lock; /* guards requests: the caller's thread adds, the client's threads take off */
    zk_request *requests;
};

static zk_request *request_new(zk_tree *tree, void *tag)
{
    zk_request *new = hq_calloc(1, sizeof *new);
    new->tree = tree;
    new->tag = tag;
    pthread_mutex_lock(&tree->lock);
    new->next = tree->requests;
    new->back = &tree->requests;
    if (new->next)
        new->next->back = &new->next;
    tree->requests = new;
    pthread_mutex_unlock(&tree->lock);
    return new;
}

/* Posts the reply and frees the request, which is in no list any more. */
static void request_reply(zk_request *request, hq_tree_item *reply)
{
    queue_post(request->tree->base.queue, reply);
    free(request->results);
    free(request->created);
    free(request);
}

static void request_end(zk_request *request, hq_tree_item *reply)
{
    pthread_mutex_lock(&request->tree->lock);
    *request->back = request->next;
    if (request->next)
        request->next->back = request->back;
    pthread_mutex_unlock(&request->tree->lock);
    request_reply(request, reply);
}

static hq_tree_status status_of(int code)
{
    switch (code) {
    case ZOK:
        return HQ_TREE_OK;
    case ZNONODE:
        return HQ_TREE_NO_NODE;
    case ZNODEEXISTS:
        return HQ_TREE_NODE_EXISTS;
    case ZNOTEMPTY:
        return HQ_TREE_NOT_EMPTY;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZCLOSING:
    case ZINVALIDSTATE: /* the handle has expired and its event is on the way */
    case ZNOTREADONLY:
    case ZTHROTTLEDOP:
        return HQ_TREE_LOST;
    default:
        return HQ_TREE_REFUSED;
    }
}

static hq_tree_item *reply_new(const zk_request *request, int code)
{
    hq_tree_item *reply = item_new(HQ_TREE_REPLY, request->tag, status_of(code));
    if (reply->status == HQ_TREE_REFUSED)
        reply->detail = hq_format("ZooKeeper says: %s (%d)", zerror(code), code);
    return reply;
}

static void on_write(int code, const void *data)
{
    zk_request *request = (zk_request *)data;
    hq_tree_item *reply = reply_new(request, code);
    for (size_t i = 0; i < request->count; i++)
        /* The changes before the one at fault are marked 0 and those after it as inconsistent. */
        if (request->results[i].err == code) {
            reply->refused = i;
            break;
        }
    if (code == ZOK && request->created)
        reply->path = hq_strdup(request->created);
    request_end(request, reply);
}

static void on_get(int code, const char *value, int size, const struct Stat *stat, const void *data)
{
    zk_request *request = (zk_request *)data;
    hq_tree_item *reply = reply_new(request, code);
    if (code == ZOK) {
        reply->size = value && size > 0 ? (size_t)size : 0; /* -1 is a node without data */
        reply->bytes = hq_alloc(reply->size);
        if (reply->size)
            memcpy(reply->bytes, value, reply->size);
        reply->session = stat ? stat->ephemeralOwner : 0;
    }
    request_end(request, reply);
}

static void on_children(int code, const struct String_vector *names, const void *data)
{
    zk_request *request = (zk_request *)data;
    hq_tree_item *reply = reply_new(request, code);
    if (code == ZOK && names && names->count > 0) {
        reply->count = (size_t)names->count;
        reply->names = hq_calloc(reply->count, sizeof *reply->names);
        for (size_t i = 0; i < reply->count; i++)
            reply->names[i] = hq_strdup(names->data[i]);
    }
    request_end(request, reply);
}

static void on_sync(int code, const char *path, const void *data)
{
    /* The read that follows tells all: it travels behind the sync, and is lost if that is. */
    (void)code, (void)path, (void)data;
}

static void on_changed(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)handle, (void)state;
    zk_tree *tree = context;
    if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT)
        return;
    hq_tree_item *item = item_new(HQ_TREE_CHANGED, NULL, HQ_TREE_OK);
    item->path = hq_strdup(path);
    queue_post(tree->base.queue, item);
}

static void on_session(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)path;
    zk_tree *tree = context;
    if (type != ZOO_SESSION_EVENT)
        return;
    hq_tree_item_kind kind = HQ_TREE_SUSPENDED;
    if (state == ZOO_CONNECTED_STATE)
        kind = HQ_TREE_CONNECTED;
    else if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE)
        kind = HQ_TREE_EXPIRED; /* either way the handle is of no more use */
    hq_tree_item *item = item_new(kind, NULL, HQ_TREE_OK);
    const clientid_t *id = zoo_client_id(handle);
    item->session = id ? id->client_id : 0;
    queue_post(tree->base.queue, item);
}

/* The client's own lines are for whoever debugs it: it calls every refused connection an error, thirty times a second
 * while the server is away. What an operator must know the coordinator says itself. */
static void on_log(const char *message)
{
    const char *text = strchr(message, '@');
    hq_log(HQ_LOG_DEBUG, "zookeeper", "%s", text ? text + 1 : message);
}

static void zk_end_session(zk_tree *tree)
{
    if (tree->handle)
        zookeeper_close(tree->handle); /* joins the client's threads: from here on nothing is posted by them */
    tree->handle = NULL;
    zk_request *left = tree->requests;
    tree->requests = NULL;
    for (zk_request *next; left; left = next) {
        next = left->next;
        request_reply(left, reply_new(left, ZCLOSING));
    }
}

static hq_error zk_connect(hq_tree *base, hq_reason *reason)
{
    zk_tree *tree = (zk_tree *)base;
    zk_end_session(tree);
    zoo_set_debug_level(ZOO_LOG_LEVEL_INFO);
    tree->handle = zookeeper_init2(tree->hosts, on_session, tree->session_ms, NULL, tree, ZOO_NO_LOG_CLIENTENV, on_log);
    if (!tree->handle)
        return hq_fail(reason, HQ_EUNAVAILABLE, "no connection to ZooKeeper at %s can be begun: %s; is the name right?",
                       tree->hosts, strerror(errno));
    /* Otherwise the client looks the hosts' names up before each message. */
    zoo_set_servers_resolution_delay(tree->handle, RESOLVE_MS);
    return HQ_OK;
}

static void zk_close(hq_tree *base)
{
    zk_tree *tree = (zk_tree *)base;
    zk_end_session(tree);
    pthread_mutex_destroy(&tree->lock);
    free(tree->hosts);
    free(tree);
}

static void init_op(zoo_op_t *op, const hq_tree_change *change, zk_request *request)
{
    int mode = change->flags & HQ_TREE_EPHEMERAL  ? ZOO_EPHEMERAL
               : change->flags & HQ_TREE_SEQUENCE ? ZOO_PERSISTENT_SEQUENTIAL
                                                  : ZOO_PERSISTENT;
    int room = request->created ? (int)strlen(change->path) + 16 : 0;
    switch (change->kind) {
    case HQ_TREE_CREATE:
        zoo_create_op_init(op, change->path, change->bytes, (int)change->size, &ZOO_OPEN_ACL_UNSAFE, mode,
                           request->created, room);
        break;
    case HQ_TREE_DELETE:
        zoo_delete_op_init(op, change->path, -1);
        break;
    case HQ_TREE_SET:
        zoo_set_op_init(op, change->path, change->bytes, (int)change->size, -1, NULL);
        break;
    }
}

static void zk_write(hq_tree *base, const hq_tree_change *changes, size_t count, void *tag)
{
    zk_tree *tree = (zk_tree *)base;
    zk_request *request = request_new(tree, tag);
    zoo_op_t *ops = hq_calloc(count, sizeof *ops);
    request->count = count;
    request->results = hq_calloc(count, sizeof *request->results);
    if (count == 1 && changes[0].kind == HQ_TREE_CREATE)
        request->created = hq_calloc(strlen(changes[0].path) + 16, 1); /* a sequence number is ten digits */
    for (size_t i = 0; i < count; i++)
        init_op(&ops[i], &changes[i], request);
    int code = tree->handle ? zoo_amulti(tree->handle, (int)count, ops, request->results, on_write, request)
                            : ZINVALIDSTATE;
    if (code != ZOK)
        request_end(request, reply_new(request, code));
    free(ops);
}

static void zk_get(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    zk_tree *tree = (zk_tree *)base;
    zk_request *request = request_new(tree, tag);
    int code = tree->handle ? ZOK : ZINVALIDSTATE;
    if (code == ZOK && latest)
        code = zoo_async(tree->handle, path, on_sync, NULL);
    if (code == ZOK)
        code = zoo_awget(tree->handle, path, watch ? on_changed : NULL, tree, on_get, request);
    if (code != ZOK)
        request_end(request, reply_new(request, code));
}

static void zk_children(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    zk_tree *tree = (zk_tree *)base;
    zk_request *request = request_new(tree, tag);
    int code = tree->handle ? ZOK : ZINVALIDSTATE;
    if (code == ZOK && latest)
        code = zoo_async(tree->handle, path, on_sync, NULL);
    if (code == ZOK)
        code = zoo_awget_children(tree->handle, path, watch ? on_changed : NULL, tree, on_children, request);
    if (code != ZOK)
        request_end(request, reply_new(request, code));
}

hq_tree *zookeeper_tree_new(const char *hosts, int session_ms, hq_tree_queue *queue)
{
    static const hq_tree_class class = {zk_connect, zk_close, zk_write, zk_get, zk_children};
    zk_tree *tree = hq_calloc(1, sizeof *tree);
    tree->base = (hq_tree){&class, queue};
    tree->hosts = hq_strdup(hosts);
    tree->session_ms = session_ms;
    pthread_mutex_init(&tree->lock, NULL);
    return &tree->base;
}

const void *zookeeper_tree_session(const hq_tree *base)
{
    const zk_tree *tree = (const zk_tree *)base;
    return zoo_client_id(tree->handle);
}
