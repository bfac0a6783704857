/* Who is there: being a member, and knowing the members. */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "zk/engine.h"

static const char *known_group(const char *group)
{
    static const char *const known[] = {"brokers", "workers"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (group && strcmp(group, known[i]) == 0)
            return known[i];
    return NULL;
}

/* --- join --- */

static void join_create(hq_coordinator *coordinator, hq_op *op);

static void join_tell(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail)
{
    if (!op->is_told && error != HQ_OK) { /* it never was a member */
        op_end(coordinator, op, error, detail, NULL);
        return;
    }
    if (error != HQ_OK)
        hq_log(HQ_LOG_ERROR, "zk", "%s: /%s/%s is no more ours: %s", coordinator->endpoint, op->group, op->name,
               detail);
    if (!op->is_told)
        op_tell(op, error, detail, NULL);
    op->is_told = true;
    op_rest(coordinator, op);
}

static void join_removed(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK || reply->status == HQ_TREE_NO_NODE)
        join_create(coordinator, op);
    else
        join_tell(coordinator, op, HQ_EIO, reply->detail ? reply->detail : "its old node cannot be removed");
}

static void join_looked(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_NO_NODE) {
        join_create(coordinator, op);
    } else if (reply->status != HQ_TREE_OK) {
        join_tell(coordinator, op, HQ_EIO, reply->detail ? reply->detail : "not possible");
    } else if (reply->session == coordinator->session) {
        join_tell(coordinator, op, HQ_OK, "");
    } else if (reply->session == coordinator->former_session && reply->session != 0) {
        /* The server will remove what an expired session left, but need not have done so yet. */
        hq_tree_change change = {.kind = HQ_TREE_DELETE, .path = op->path};
        op_write(coordinator, op, &change, 1, join_removed);
    } else {
        /* If it was a member before, the watch left here makes it one again when the other goes. */
        hq_reason reason;
        hq_fail(&reason, HQ_EEXISTS, "another session holds /%s/%s; give this process an id of its own", op->group,
                op->name);
        join_tell(coordinator, op, HQ_EEXISTS, reason.text);
    }
}

static void join_created(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        join_tell(coordinator, op, HQ_OK, "");
    else if (reply->status == HQ_TREE_NODE_EXISTS)
        op_get(coordinator, op, op->path, true, true, join_looked);
    else
        join_tell(coordinator, op, HQ_EIO, reply->detail ? reply->detail : "the group's node is missing");
}

static void join_create(hq_coordinator *coordinator, hq_op *op)
{
    hq_tree_change change = {HQ_TREE_CREATE, HQ_TREE_EPHEMERAL, op->path, op->bytes, op->size};
    op_write(coordinator, op, &change, 1, join_created);
}

void coordinator_join(hq_coordinator *coordinator, const char *group, const char *id, const void *bytes, size_t size,
                      hq_coordinator_done *done, void *context)
{
    hq_op *op = op_new(coordinator, known_group(group), id ? id : "", bytes, size, context);
    op->done = done;
    op->is_lasting = true;
    if (!op_is_sound(coordinator, op, "the groups of members are brokers and workers"))
        return;
    op->path = op_path(coordinator, op->group, op->name);
    op_begin(coordinator, op, join_create, join_create);
}

/* --- members, once or lastingly --- */

static void members_end(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *detail)
{
    if (!op->is_lasting) {
        op_end(coordinator, op, error, detail, NULL);
        return;
    }
    op_tell(op, error, detail, NULL);
    op_rest(coordinator, op);
}

static void members_got_one(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    hq_member *member = &op->members[op->member_at++]; /* replies come in the order of the requests */
    if (reply->status == HQ_TREE_OK) {
        member->bytes = reply->bytes;
        member->size = reply->size;
        reply->bytes = NULL;
    } else { /* it left between the two */
        free(member->id);
        member->id = NULL;
    }
    if (op->outstanding > 0)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < op->member_count; i++)
        if (op->members[i].id)
            op->members[kept++] = op->members[i];
    op->member_count = kept;
    op_sort_members(op);
    members_end(coordinator, op, HQ_OK, "");
}

static void members_listed(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status != HQ_TREE_OK) {
        hq_reason reason;
        hq_fail(&reason, HQ_EIO, "the members of /%s cannot be read: %s", op->group,
                reply->detail ? reply->detail : "the node is missing");
        members_end(coordinator, op, HQ_EIO, reason.text);
        return;
    }
    if (reply->count == 0) {
        members_end(coordinator, op, HQ_OK, "");
        return;
    }
    op->members = hq_calloc(reply->count, sizeof *op->members);
    op->member_count = reply->count;
    for (size_t i = 0; i < reply->count; i++) {
        op->members[i].id = reply->names[i];
        reply->names[i] = NULL;
        char *path = op_path(coordinator, op->group, op->members[i].id);
        op_get(coordinator, op, path, false, false, members_got_one);
        free(path);
    }
}

static void members_list(hq_coordinator *coordinator, hq_op *op)
{
    op_children(coordinator, op, op->path, op->is_lasting, false, members_listed);
}

static void members_begin(hq_coordinator *coordinator, const char *group, bool is_lasting, hq_coordinator_members *got,
                          void *context)
{
    hq_op *op = op_new(coordinator, known_group(group), NULL, NULL, 0, context);
    op->got_members = got;
    op->is_lasting = is_lasting;
    if (!op_is_sound(coordinator, op, "the groups of members are brokers and workers"))
        return;
    op->path = op_path(coordinator, op->group, NULL);
    op_begin(coordinator, op, members_list, members_list);
}

void coordinator_watch(hq_coordinator *coordinator, const char *group, hq_coordinator_members *changed, void *context)
{
    members_begin(coordinator, group, true, changed, context);
}

void coordinator_members(hq_coordinator *coordinator, const char *group, hq_coordinator_members *got, void *context)
{
    members_begin(coordinator, group, false, got, context);
}
