/* zk/tree.h - within zk: the tree of nodes that a coordinator stands on, as ZooKeeper has it, reduced to what is used.
 *
 * Two things implement it, zookeeper.c and local.c. A request never blocks and never calls back: its reply, and every
 * event, is put on the queue given at opening, from whatever thread, and taken from there by the coordinator's thread.
 * Each request gives exactly one reply, also when the session ends under it. coordinator.c and operations.c turn these
 * into the contract of coordinator.h: what is lost is looked for, what was not done is repeated.
 */
#ifndef HQ_ZK_TREE_H
#define HQ_ZK_TREE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum hq_tree_status {
    HQ_TREE_OK,
    HQ_TREE_NO_NODE,
    HQ_TREE_NODE_EXISTS,
    HQ_TREE_NOT_EMPTY,
    HQ_TREE_LOST,   /* no answer, the connection or the session is gone: it may or may not have happened */
    HQ_TREE_REFUSED /* the server's own reason, in detail: no right to, bad argument; repeating does not help */
} hq_tree_status;

/* One change in a multi: all of them happen, or none. */
typedef enum hq_tree_kind { HQ_TREE_CREATE, HQ_TREE_DELETE, HQ_TREE_SET } hq_tree_kind;
enum { HQ_TREE_EPHEMERAL = 1, HQ_TREE_SEQUENCE = 2 };

typedef struct hq_tree_change {
    hq_tree_kind kind;
    int flags; /* of HQ_TREE_CREATE; HQ_TREE_SEQUENCE only in a multi of one */
    const char *path;
    const void *bytes;
    size_t size;
} hq_tree_change;

typedef enum hq_tree_item_kind {
    HQ_TREE_REPLY,
    HQ_TREE_CHANGED,   /* a node or its children that a watch was left on; path says which */
    HQ_TREE_CONNECTED, /* session is the session's id */
    HQ_TREE_SUSPENDED,
    HQ_TREE_EXPIRED
} hq_tree_item_kind;

/* A reply or an event; item_free releases it with all it holds. */
typedef struct hq_tree_item {
    struct hq_tree_item *next;
    hq_tree_item_kind kind;
    void *tag; /* as given with the request */
    hq_tree_status status;
    size_t refused; /* if a multi was refused: the index of the change at fault */
    char *path;     /* of the node a multi of one created (with its sequence number), or of the event */
    char *detail;   /* for a person, where status is REFUSED */
    void *bytes;    /* get: the node's data */
    size_t size;
    char **names; /* children: their names, in no order */
    size_t count;
    int64_t session; /* get: the session that an ephemeral node belongs to, else 0 */
} hq_tree_item;

hq_tree_item *item_new(hq_tree_item_kind kind, void *tag, hq_tree_status status);
void item_free(hq_tree_item **item_p);

/* The one thing that threads share: a list under a lock, and an eventfd that is readable while the list is not empty.
 */
typedef struct hq_tree_queue {
    pthread_mutex_t lock;
    hq_tree_item *first, **end;
    int fd;
} hq_tree_queue;

hq_error queue_init(hq_tree_queue *queue, hq_reason *reason);
void queue_fini(hq_tree_queue *queue);
/* Consumes the item. */
void queue_post(hq_tree_queue *queue, hq_tree_item *item);
/* Everything there is, oldest first, as a list through next; NULL if nothing. */
hq_tree_item *queue_take(hq_tree_queue *queue);

typedef struct hq_tree hq_tree;

typedef struct hq_tree_class {
    /* Begins a session, the first or one after HQ_TREE_EXPIRED; what was asked of the one before is replied to as
     * LOST before this returns. HQ_EUNAVAILABLE if that cannot even be tried (a host's name is not known). */
    hq_error (*connect)(hq_tree *tree, hq_reason *reason);
    /* Ends the session, waits for the last callback to have posted, frees the tree. */
    void (*close)(hq_tree *tree);
    void (*write)(hq_tree *tree, const hq_tree_change *changes, size_t count, void *tag);
    /* With latest, first makes sure that what was written before by anybody is seen; with watch, a HQ_TREE_CHANGED
     * comes once after the next change. */
    void (*get)(hq_tree *tree, const char *path, bool watch, bool latest, void *tag);
    void (*children)(hq_tree *tree, const char *path, bool watch, bool latest, void *tag);
} hq_tree_class;

struct hq_tree {
    const hq_tree_class *class;
    hq_tree_queue *queue; /* outlives the tree */
};

/* hosts is "host:port,host:port". */
hq_tree *zookeeper_tree_new(const char *hosts, int session_ms, hq_tree_queue *queue);
/* The client's id and password of the session (a clientid_t), with which a test can end it. */
const void *zookeeper_tree_session(const hq_tree *tree);
hq_tree *local_tree_new(const char *name, hq_tree_queue *queue);
int64_t local_tree_session(const hq_tree *tree);

#endif
