/* zk/engine.h - within zk: the operations that a coordinator has under way, and how they go on.
 *
 * An operation is a chain of requests to the tree. Its run makes the next request; its reply looks at what came back
 * and makes another, or ends the operation. When an answer is lost the operation waits until the tree is there again
 * and goes on with after_loss, which looks whether the change happened before it is made again. A lasting operation (a
 * membership, a watch) never ends: it rests, and runs again when its path changes and after every reconnection.
 *
 * All of it happens in the one thread that calls the coordinator.
 */
#ifndef HQ_ZK_ENGINE_H
#define HQ_ZK_ENGINE_H

#include "zk/coordinator.h"
#include "zk/tree.h"

typedef struct hq_op hq_op;
typedef void hq_op_run(hq_coordinator *coordinator, hq_op *op);
typedef void hq_op_reply(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply);

struct hq_op {
    hq_op *next, *previous; /* in the order they were started, which is the order they are made again in */
    hq_op_run *run, *after_loss;
    hq_op_reply *reply;
    int outstanding; /* requests not replied to */
    bool is_waiting; /* for the tree to be there (again) */
    bool is_lost;    /* one of the outstanding replies was */
    bool is_uncertain;
    bool is_lasting, is_stale; /* stale: to be run again as soon as it rests */
    bool is_told;              /* the caller of a lasting operation has had its first answer */

    const char *group; /* one of the five, static */
    char *name;        /* the entry's, the member's, or the query's id */
    char *path;        /* the node that a lasting operation watches */
    char *owner;
    void *bytes;
    size_t size;
    int priority;

    hq_member *members; /* being gathered */
    size_t member_count, member_at;

    hq_coordinator_done *done; /* at most one of these four */
    hq_coordinator_got *got;
    hq_coordinator_members *got_members;
    hq_coordinator_entry *got_entry;
    void *context;
};

struct hq_coordinator {
    hq_tree_queue queue;
    hq_tree *tree;
    char *endpoint, *root; /* root: "/hq", before every path; "" for a local tree */
    hq_coordinator_on_event *on_event;
    void *context;
    int epoll, timer;
    bool is_connected; /* the tree says so */
    bool is_ready;     /* and the nodes that hq needs are there: operations run at once */
    bool is_announced; /* and on_event has been told */
    bool must_connect; /* not even a session could be begun: the timer tries again */
    int64_t session, former_session, prepared_session;
    hq_op *first, *last;
    hq_op *preparing;  /* while the root and the groups are being made */
    size_t root_parts; /* how many of its requests are for the root */
};

/* The two halves of coordinator_open: a coordinator without a tree (NULL if there are no descriptors), and its
 * beginning on a tree, consumed, that was made to post on its queue. */
hq_coordinator *coordinator_new(const char *endpoint, const char *root, hq_coordinator_on_event *on_event,
                                void *context, hq_reason *reason);
hq_error coordinator_start(hq_coordinator *coordinator, hq_tree *tree, hq_reason *reason);

/* A new operation at the end of the list, which runs at once if the tree is there. */
hq_op *op_new(hq_coordinator *coordinator, const char *group, const char *name, const void *bytes, size_t size,
              void *context);
void op_begin(hq_coordinator *coordinator, hq_op *op, hq_op_run *run, hq_op_run *after_loss);
/* Calls the operation's function from the next dispatch with that error, and ends it. */
void op_refuse(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail);

/* True if its group, its name and its size are such that the tree may be asked; else it has been refused.
 * groups_known is for the person who named another. */
bool op_is_sound(hq_coordinator *coordinator, hq_op *op, const char *groups_known);

void op_write(hq_coordinator *coordinator, hq_op *op, const hq_tree_change *changes, size_t count, hq_op_reply *reply);
void op_get(hq_coordinator *coordinator, hq_op *op, const char *path, bool watch, bool latest, hq_op_reply *reply);
void op_children(hq_coordinator *coordinator, hq_op *op, const char *path, bool watch, bool latest, hq_op_reply *reply);

/* Tells the caller, and ends the operation, or lets it rest if it is lasting. */
void op_end(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail, const hq_tree_item *reply);
void op_rest(hq_coordinator *coordinator, hq_op *op);
/* Tells the caller of a lasting operation, without ending it. */
void op_tell(hq_op *op, hq_error error, const char *detail, const hq_tree_item *reply);

/* The names of hq's groups, brokers and the others; NULL after the last. */
const char *group_name(size_t index);
/* root + "/" + group + "/" + name, to be freed; the last two may be NULL. */
char *op_path(const hq_coordinator *coordinator, const char *group, const char *name);
void op_free_members(hq_op *op);
/* By name: what a caller sees must not depend on the server's order. */
void op_sort_members(hq_op *op);

#endif
