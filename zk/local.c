/* The stand-in within the process: one tree a name, shared by all coordinators of that name.
 *
 * Every request is carried out at once, under one lock, and its reply posted; so a session never suspends or expires.
 */
#include <string.h>

#include "base/memory.h"
#include "zk/tree.h"

typedef struct local_node {
    char *name; /* the last part of its path */
    void *bytes;
    size_t size;
    int64_t session; /* 0 unless ephemeral */
    uint32_t sequence;
    struct local_node *parent, **children;
    size_t count, capacity;
} local_node;

typedef struct local_watch {
    hq_tree *tree;
    char *path;
    bool of_children;
} local_watch;

typedef struct local_forest {
    struct local_forest *next;
    char *name;
    size_t users;
    local_node *root;
    local_watch *watches;
    size_t watch_count, watch_capacity;
} local_forest;

typedef struct local_tree {
    hq_tree base;
    local_forest *forest;
    int64_t session;
} local_tree;

/* Coordinators of one name must find each other, in whichever threads they were opened: the one thing in hq that is
 * shared through the process itself. The lock guards the list and every tree in it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static local_forest *forests;
static int64_t last_session;

static local_node *node_new(local_node *parent, const char *name)
{
    local_node *new = hq_calloc(1, sizeof *new);
    new->name = hq_strdup(name);
    new->parent = parent;
    return new;
}

static void node_free(local_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        node_free(node->children[i]);
    free(node->children);
    free(node->bytes);
    free(node->name);
    free(node);
}

static void node_attach(local_node *child)
{
    local_node *parent = child->parent;
    HQ_GROW(parent->children, parent->count, parent->capacity);
    parent->children[parent->count++] = child;
}

static void node_detach(local_node *child)
{
    local_node *parent = child->parent;
    for (size_t i = 0; i < parent->count; i++)
        if (parent->children[i] == child) {
            parent->children[i] = parent->children[--parent->count];
            return;
        }
}

static void *copy_bytes(const void *bytes, size_t size)
{
    void *copy = hq_alloc(size);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

/* The node of the first length characters of path, which begins with '/'; NULL if there is none. */
static local_node *node_find(local_node *root, const char *path, size_t length)
{
    local_node *at = root;
    for (size_t begin = 1; at && begin < length;) {
        size_t end = begin;
        while (end < length && path[end] != '/')
            end++;
        local_node *found = NULL;
        for (size_t i = 0; i < at->count && !found; i++)
            if (strncmp(at->children[i]->name, path + begin, end - begin) == 0 &&
                at->children[i]->name[end - begin] == 0)
                found = at->children[i];
        at = found;
        begin = end + 1;
    }
    return at;
}

static size_t parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* Watches are one-shot, as ZooKeeper's are. */
static void fire(local_forest *forest, const char *path, size_t length, bool of_children)
{
    for (size_t i = 0; i < forest->watch_count;) {
        local_watch *watch = &forest->watches[i];
        if (watch->of_children != of_children || strncmp(watch->path, path, length) != 0 || watch->path[length] != 0) {
            i++;
            continue;
        }
        hq_tree_item *item = item_new(HQ_TREE_CHANGED, NULL, HQ_TREE_OK);
        item->path = watch->path;
        queue_post(watch->tree->queue, item);
        *watch = forest->watches[--forest->watch_count];
    }
}

static void fire_for(local_forest *forest, hq_tree_kind kind, const char *path)
{
    fire(forest, path, strlen(path), false);
    if (kind != HQ_TREE_SET)
        fire(forest, path, parent_length(path), true);
}

static void leave_watch(local_tree *tree, const char *path, bool of_children)
{
    local_forest *forest = tree->forest;
    for (size_t i = 0; i < forest->watch_count; i++)
        if (forest->watches[i].tree == &tree->base && forest->watches[i].of_children == of_children &&
            strcmp(forest->watches[i].path, path) == 0)
            return;
    HQ_GROW(forest->watches, forest->watch_count, forest->watch_capacity);
    forest->watches[forest->watch_count++] = (local_watch){&tree->base, hq_strdup(path), of_children};
}

/* What one change has done, so that it can be taken back: the node made, the node taken away, or the bytes before. */
typedef struct local_done {
    local_node *node;
    char *path;
    void *old_bytes;
    size_t old_size;
} local_done;

static hq_tree_status apply_create(local_tree *tree, const hq_tree_change *change, local_done *done)
{
    local_node *parent = node_find(tree->forest->root, change->path, parent_length(change->path));
    if (!parent)
        return HQ_TREE_NO_NODE;
    done->path = change->flags & HQ_TREE_SEQUENCE ? hq_format("%s%010u", change->path, parent->sequence)
                                                  : hq_strdup(change->path);
    if (node_find(tree->forest->root, done->path, strlen(done->path)))
        return HQ_TREE_NODE_EXISTS;
    parent->sequence++;
    done->node = node_new(parent, done->path + parent_length(done->path) + 1);
    done->node->bytes = copy_bytes(change->bytes, change->size);
    done->node->size = change->size;
    done->node->session = change->flags & HQ_TREE_EPHEMERAL ? tree->session : 0;
    node_attach(done->node);
    return HQ_TREE_OK;
}

static hq_tree_status apply(local_tree *tree, const hq_tree_change *change, local_done *done)
{
    if (change->kind == HQ_TREE_CREATE)
        return apply_create(tree, change, done);
    local_node *node = node_find(tree->forest->root, change->path, strlen(change->path));
    if (!node)
        return HQ_TREE_NO_NODE;
    if (change->kind == HQ_TREE_DELETE && node->count)
        return HQ_TREE_NOT_EMPTY;
    done->node = node;
    done->path = hq_strdup(change->path);
    if (change->kind == HQ_TREE_DELETE) {
        node_detach(node);
    } else {
        done->old_bytes = node->bytes;
        done->old_size = node->size;
        node->bytes = copy_bytes(change->bytes, change->size);
        node->size = change->size;
    }
    return HQ_TREE_OK;
}

static void take_back(const hq_tree_change *change, local_done *done)
{
    if (change->kind == HQ_TREE_CREATE) {
        node_detach(done->node);
        done->node->parent->sequence--;
        node_free(done->node);
    } else if (change->kind == HQ_TREE_DELETE) {
        node_attach(done->node);
    } else {
        free(done->node->bytes);
        done->node->bytes = done->old_bytes;
        done->node->size = done->old_size;
    }
    free(done->path);
}

static void settle(local_tree *tree, const hq_tree_change *change, local_done *done)
{
    if (change->kind == HQ_TREE_DELETE)
        node_free(done->node);
    free(done->old_bytes);
    fire_for(tree->forest, change->kind, done->path);
    free(done->path);
}

static void local_write(hq_tree *base, const hq_tree_change *changes, size_t count, void *tag)
{
    local_tree *tree = (local_tree *)base;
    hq_tree_item *reply = item_new(HQ_TREE_REPLY, tag, HQ_TREE_OK);
    local_done *dones = hq_calloc(count, sizeof *dones);
    pthread_mutex_lock(&lock);
    size_t applied = 0;
    for (; applied < count; applied++) {
        reply->status = apply(tree, &changes[applied], &dones[applied]);
        if (reply->status != HQ_TREE_OK)
            break;
    }
    if (reply->status == HQ_TREE_OK) {
        reply->path = count == 1 ? hq_strdup(dones[0].path) : NULL;
        for (size_t i = 0; i < count; i++)
            settle(tree, &changes[i], &dones[i]);
    } else {
        reply->refused = applied;
        free(dones[applied].path);
        while (applied-- > 0)
            take_back(&changes[applied], &dones[applied]);
    }
    queue_post(base->queue, reply);
    pthread_mutex_unlock(&lock);
    free(dones);
}

static void local_get(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    (void)latest; /* there is only one copy */
    local_tree *tree = (local_tree *)base;
    pthread_mutex_lock(&lock);
    local_node *node = node_find(tree->forest->root, path, strlen(path));
    hq_tree_item *reply = item_new(HQ_TREE_REPLY, tag, node ? HQ_TREE_OK : HQ_TREE_NO_NODE);
    if (node) {
        reply->bytes = copy_bytes(node->bytes, node->size);
        reply->size = node->size;
        reply->session = node->session;
        if (watch)
            leave_watch(tree, path, false);
    }
    queue_post(base->queue, reply);
    pthread_mutex_unlock(&lock);
}

static void local_children(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    (void)latest;
    local_tree *tree = (local_tree *)base;
    pthread_mutex_lock(&lock);
    local_node *node = node_find(tree->forest->root, path, strlen(path));
    hq_tree_item *reply = item_new(HQ_TREE_REPLY, tag, node ? HQ_TREE_OK : HQ_TREE_NO_NODE);
    if (node) {
        reply->names = hq_calloc(node->count, sizeof *reply->names);
        reply->count = node->count;
        for (size_t i = 0; i < node->count; i++)
            reply->names[i] = hq_strdup(node->children[i]->name);
        if (watch)
            leave_watch(tree, path, true);
    }
    queue_post(base->queue, reply);
    pthread_mutex_unlock(&lock);
}

static void remove_ephemerals(local_tree *tree, local_node *node, const char *path)
{
    for (size_t i = node->count; i-- > 0;) {
        struct local_node *child = node->children[i];
        char *child_path = hq_format("%s/%s", path, child->name);
        remove_ephemerals(tree, child, child_path);
        if (child->session == tree->session) {
            node_detach(child);
            node_free(child);
            fire_for(tree->forest, HQ_TREE_DELETE, child_path);
        }
        free(child_path);
    }
}

static void forest_release(local_forest *gone)
{
    if (--gone->users > 0)
        return;
    for (local_forest **at = &forests; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    node_free(gone->root);
    free(gone->watches);
    free(gone->name);
    free(gone);
}

static void local_close(hq_tree *base)
{
    local_tree *tree = (local_tree *)base;
    local_forest *forest = tree->forest;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < forest->watch_count;)
        if (forest->watches[i].tree == base) {
            free(forest->watches[i].path);
            forest->watches[i] = forest->watches[--forest->watch_count];
        } else {
            i++;
        }
    if (tree->session)
        remove_ephemerals(tree, forest->root, "");
    forest_release(forest);
    pthread_mutex_unlock(&lock);
    free(tree);
}

static hq_error local_connect(hq_tree *base, hq_reason *reason)
{
    (void)reason;
    local_tree *tree = (local_tree *)base;
    hq_tree_item *item = item_new(HQ_TREE_CONNECTED, NULL, HQ_TREE_OK);
    pthread_mutex_lock(&lock);
    tree->session = ++last_session;
    item->session = tree->session;
    queue_post(base->queue, item);
    pthread_mutex_unlock(&lock);
    return HQ_OK;
}

hq_tree *local_tree_new(const char *name, hq_tree_queue *queue)
{
    static const hq_tree_class class = {local_connect, local_close, local_write, local_get, local_children};
    local_tree *tree = hq_calloc(1, sizeof *tree);
    tree->base = (hq_tree){&class, queue};
    pthread_mutex_lock(&lock);
    for (local_forest *at = forests; at && !tree->forest; at = at->next)
        if (strcmp(at->name, name) == 0)
            tree->forest = at;
    if (!tree->forest) {
        local_forest *new = hq_calloc(1, sizeof *new);
        *new = (local_forest){.next = forests, .name = hq_strdup(name), .root = node_new(NULL, "")};
        forests = tree->forest = new;
    }
    tree->forest->users++;
    pthread_mutex_unlock(&lock);
    return &tree->base;
}

int64_t local_tree_session(const hq_tree *base)
{
    return ((const local_tree *)base)->session;
}
