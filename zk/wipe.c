/* Deleting all that hq has in the tree: a walk that lists the node on top of a stack, puts its children above it, and
 * deletes it when it has none. The stack is the operation's list of members. */
#include <string.h>

#include "base/memory.h"
#include "zk/engine.h"

static void wipe_step(hq_coordinator *coordinator, hq_op *op);

static void push(hq_op *op, char *path)
{
    if ((op->member_count & (op->member_count - 1)) == 0) /* grown to powers of two */
        op->members = hq_realloc(op->members, op->member_count ? 2 * op->member_count : 1, sizeof *op->members);
    op->members[op->member_count++] = (hq_member){.id = path};
}

static void pop(hq_op *op)
{
    free(op->members[--op->member_count].id);
}

static const char *top(const hq_op *op)
{
    return op->members[op->member_count - 1].id;
}

static void refuse(hq_coordinator *coordinator, hq_op *op, const hq_tree_item *reply)
{
    hq_reason reason;
    hq_fail(&reason, HQ_EIO, "%s cannot be removed: %s", top(op), reply->detail ? reply->detail : "not possible");
    op_end(coordinator, op, HQ_EIO, reason.text, NULL);
}

static void wipe_deleted(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    bool is_root = op->member_count == 1;
    if (reply->status == HQ_TREE_OK || reply->status == HQ_TREE_NO_NODE ||
        (reply->status == HQ_TREE_NOT_EMPTY && is_root)) /* something else lives there, and stays */
        pop(op);
    else if (reply->status != HQ_TREE_NOT_EMPTY) { /* else somebody has just made one: it is listed again */
        refuse(coordinator, op, reply);
        return;
    }
    wipe_step(coordinator, op);
}

static void wipe_delete(hq_coordinator *coordinator, hq_op *op)
{
    hq_tree_change change = {.kind = HQ_TREE_DELETE, .path = top(op)};
    op_write(coordinator, op, &change, 1, wipe_deleted);
}

static void wipe_listed(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_NO_NODE) {
        pop(op);
        wipe_step(coordinator, op);
        return;
    }
    if (reply->status != HQ_TREE_OK) {
        refuse(coordinator, op, reply);
        return;
    }
    if (reply->count == 0) {
        wipe_delete(coordinator, op);
        return;
    }
    char *parent = hq_strdup(top(op));
    for (size_t i = 0; i < reply->count; i++)
        push(op, hq_format("%s/%s", parent, reply->names[i]));
    free(parent);
    wipe_step(coordinator, op);
}

static void wipe_step(hq_coordinator *coordinator, hq_op *op)
{
    if (op->member_count == 0) {
        op_end(coordinator, op, HQ_OK, "", NULL);
        return;
    }
    bool is_root = op->member_count == 1;
    if (!is_root)
        op_children(coordinator, op, top(op), false, true, wipe_listed);
    else if (*coordinator->root)
        wipe_delete(coordinator, op); /* hq's groups are gone; what else is there is not hq's to list */
    else {
        pop(op);
        op_end(coordinator, op, HQ_OK, "", NULL);
    }
}

static void wipe_begin(hq_coordinator *coordinator, hq_op *op)
{
    op_free_members(op);
    push(op, hq_strdup(coordinator->root));
    for (size_t i = 0; group_name(i); i++)
        push(op, op_path(coordinator, group_name(i), NULL));
    wipe_step(coordinator, op);
}

void coordinator_wipe(hq_coordinator *coordinator, hq_coordinator_done *done, void *context)
{
    hq_op *op = op_new(coordinator, NULL, NULL, NULL, 0, context);
    op->done = done;
    op_begin(coordinator, op, wipe_begin, wipe_begin);
}
