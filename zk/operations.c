/* The way of a query, and reading: each operation as its steps. The names of the steps tell the order. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "zk/engine.h"

static void op_fail(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void op_fail(hq_coordinator *coordinator, hq_op *op, hq_error error, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    op_end(coordinator, op, error, text, NULL);
}

/* What no step expects. */
static void op_fail_unexpected(hq_coordinator *coordinator, hq_op *op, const hq_tree_item *reply)
{
    const char *name = op->name ? op->name : "";
    switch (reply->status) {
    case HQ_TREE_NO_NODE:
        op_fail(coordinator, op, HQ_ENOTFOUND, "there is no /%s/%s", op->group, name);
        break;
    case HQ_TREE_NODE_EXISTS:
        op_fail(coordinator, op, HQ_EEXISTS, "/%s/%s is there already", op->group, name);
        break;
    case HQ_TREE_NOT_EMPTY:
        op_fail(coordinator, op, HQ_EEXISTS, "/%s/%s still has an owner", op->group, name);
        break;
    default:
        op_fail(coordinator, op, HQ_EIO, "/%s/%s: %s", op->group, name, reply->detail ? reply->detail : "not possible");
    }
}

static const char *known_group(const char *group)
{
    static const char *const known[] = {"unowned", "owned", "done"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (group && strcmp(group, known[i]) == 0)
            return known[i];
    return NULL;
}

static void begin(hq_coordinator *coordinator, hq_op *op, hq_op_run *run, hq_op_run *after_loss)
{
    if (op_is_sound(coordinator, op, "the groups of entries are unowned, owned and done"))
        op_begin(coordinator, op, run, after_loss);
}

/* --- submit --- */

static char *submit_prefix(const hq_op *op)
{
    return hq_format("entry-%03d-%s-", op->priority, op->name);
}

static void submit_created(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void submit_create(hq_coordinator *coordinator, hq_op *op)
{
    char *prefix = submit_prefix(op), *path = op_path(coordinator, "unowned", prefix);
    hq_tree_change change = {HQ_TREE_CREATE, HQ_TREE_SEQUENCE, path, op->bytes, op->size};
    op_write(coordinator, op, &change, 1, submit_created);
    free(path);
    free(prefix);
}

/* An entry only moves forward, so one that is not seen in a group can only be in a later one. */
static const char *group_after(const char *group)
{
    return strcmp(group, "unowned") == 0 ? "owned" : strcmp(group, "owned") == 0 ? "done" : NULL;
}

static void submit_looked(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    char *prefix = submit_prefix(op);
    size_t length = strlen(prefix);
    const char *found = NULL;
    for (size_t i = 0; i < reply->count && !found; i++) {
        const char *name = reply->names[i];
        /* What follows must be the sequence number alone: a query's id may begin as another's does. */
        if (strncmp(name, prefix, length) == 0 && name[length] && !name[length + strspn(name + length, "0123456789")])
            found = name;
    }
    free(prefix);
    if (found) {
        hq_tree_item made = {.path = op_path(coordinator, op->group, found)};
        op_end(coordinator, op, HQ_OK, "", &made);
        free(made.path);
    } else if (reply->status != HQ_TREE_OK) {
        op_fail_unexpected(coordinator, op, reply);
    } else if (group_after(op->group)) {
        op->group = group_after(op->group);
        char *path = op_path(coordinator, op->group, NULL);
        op_children(coordinator, op, path, false, true, submit_looked);
        free(path);
    } else {
        op->group = "unowned";
        submit_create(coordinator, op);
    }
}

static void submit_look(hq_coordinator *coordinator, hq_op *op)
{
    op->group = "unowned";
    char *path = op_path(coordinator, op->group, NULL);
    op_children(coordinator, op, path, false, true, submit_looked);
    free(path);
}

void coordinator_submit(hq_coordinator *coordinator, int priority, const char *query_id, const void *bytes, size_t size,
                        hq_coordinator_entry *done, void *context)
{
    hq_op *op = op_new(coordinator, "unowned", query_id ? query_id : "", bytes, size, context);
    op->got_entry = done;
    op->priority = priority;
    if (priority < 0 || priority > 999)
        op_refuse(coordinator, op, HQ_EINVAL, "a priority is a number from 0 to 999");
    else
        begin(coordinator, op, submit_create, submit_look);
}

/* --- own --- */

static void own_written(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else if (reply->status == HQ_TREE_NO_NODE && reply->refused == 0)
        op_fail(coordinator, op, HQ_ENOTFOUND, "%s is not unowned (any more)", op->name);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void own_write(hq_coordinator *coordinator, hq_op *op)
{
    char *unowned = op_path(coordinator, "unowned", op->name), *owned = op_path(coordinator, "owned", op->name);
    char *owner = hq_format("%s/owner", owned);
    hq_tree_change changes[] = {
        {.kind = HQ_TREE_DELETE, .path = unowned},
        {HQ_TREE_CREATE, 0, owned, op->bytes, op->size},
        {HQ_TREE_CREATE, HQ_TREE_EPHEMERAL, owner, op->owner, strlen(op->owner)},
    };
    op_write(coordinator, op, changes, 3, own_written);
    free(owner);
    free(owned);
    free(unowned);
}

static void own_reowned(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else if (reply->status == HQ_TREE_NO_NODE) /* no /owned/<entry>: it did not happen */
        own_write(coordinator, op);
    else if (reply->status == HQ_TREE_NODE_EXISTS)
        op_fail(coordinator, op, HQ_ENOTFOUND, "%s is owned by another", op->name);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void own_looked(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK && reply->session == coordinator->session && reply->size == strlen(op->owner) &&
        memcmp(reply->bytes, op->owner, reply->size) == 0)
        op_end(coordinator, op, HQ_OK, "", reply);
    else if (reply->status == HQ_TREE_OK)
        op_fail(coordinator, op, HQ_ENOTFOUND, "%s is owned by another", op->name);
    else if (reply->status == HQ_TREE_NO_NODE) {
        /* Either it did not happen, or it did and the session that the owner's node belonged to has expired since. */
        char *path = hq_format("%s/owned/%s/owner", coordinator->root, op->name);
        hq_tree_change change = {HQ_TREE_CREATE, HQ_TREE_EPHEMERAL, path, op->owner, strlen(op->owner)};
        op_write(coordinator, op, &change, 1, own_reowned);
        free(path);
    } else
        op_fail_unexpected(coordinator, op, reply);
}

static void own_look(hq_coordinator *coordinator, hq_op *op)
{
    char *path = hq_format("%s/owned/%s/owner", coordinator->root, op->name);
    op_get(coordinator, op, path, false, true, own_looked);
    free(path);
}

void coordinator_own(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size, const char *owner,
                     hq_coordinator_done *done, void *context)
{
    hq_op *op = op_new(coordinator, "owned", entry ? entry : "", bytes, size, context);
    op->done = done;
    op->owner = hq_strdup(owner ? owner : "");
    begin(coordinator, op, own_write, own_look);
}

/* --- update: the same bytes again do no harm --- */

static void written(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void update_write(hq_coordinator *coordinator, hq_op *op)
{
    char *path = op_path(coordinator, op->group, op->name);
    hq_tree_change change = {HQ_TREE_SET, 0, path, op->bytes, op->size};
    op_write(coordinator, op, &change, 1, written);
    free(path);
}

void coordinator_update(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size,
                        hq_coordinator_done *done, void *context)
{
    hq_op *op = op_new(coordinator, "owned", entry ? entry : "", bytes, size, context);
    op->done = done;
    begin(coordinator, op, update_write, update_write);
}

/* --- finish --- */

static void finish_write_ownerless(hq_coordinator *coordinator, hq_op *op);

static void finish_written(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else if (reply->status == HQ_TREE_NO_NODE && reply->refused == 0)
        finish_write_ownerless(coordinator, op);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void finish_write(hq_coordinator *coordinator, hq_op *op)
{
    char *owned = op_path(coordinator, "owned", op->name), *finished = op_path(coordinator, "done", op->name);
    char *owner = hq_format("%s/owner", owned);
    hq_tree_change changes[] = {
        {.kind = HQ_TREE_DELETE, .path = owner},
        {.kind = HQ_TREE_DELETE, .path = owned},
        {HQ_TREE_CREATE, 0, finished, op->bytes, op->size},
    };
    op_write(coordinator, op, changes, 3, finish_written);
    free(owner);
    free(finished);
    free(owned);
}

static void finish_written_ownerless(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_NOT_EMPTY) /* an owner came meanwhile */
        finish_write(coordinator, op);
    else
        written(coordinator, op, reply);
}

/* The owner's node went with its session. */
static void finish_write_ownerless(hq_coordinator *coordinator, hq_op *op)
{
    char *owned = op_path(coordinator, "owned", op->name), *finished = op_path(coordinator, "done", op->name);
    hq_tree_change changes[] = {
        {.kind = HQ_TREE_DELETE, .path = owned},
        {HQ_TREE_CREATE, 0, finished, op->bytes, op->size},
    };
    op_write(coordinator, op, changes, 2, finish_written_ownerless);
    free(finished);
    free(owned);
}

static void finish_looked(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else if (reply->status == HQ_TREE_NO_NODE)
        finish_write(coordinator, op);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void finish_look(hq_coordinator *coordinator, hq_op *op)
{
    char *path = op_path(coordinator, "done", op->name);
    op_get(coordinator, op, path, false, true, finish_looked);
    free(path);
}

void coordinator_finish(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size,
                        hq_coordinator_done *done, void *context)
{
    hq_op *op = op_new(coordinator, "owned", entry ? entry : "", bytes, size, context);
    op->done = done;
    begin(coordinator, op, finish_write, finish_look);
}

/* --- reading and sweeping --- */

static void get_got(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status == HQ_TREE_OK)
        op_end(coordinator, op, HQ_OK, "", reply);
    else
        op_fail_unexpected(coordinator, op, reply);
}

static void get_read(hq_coordinator *coordinator, hq_op *op)
{
    char *path = op_path(coordinator, op->group, op->name);
    op_get(coordinator, op, path, false, false, get_got);
    free(path);
}

void coordinator_get(hq_coordinator *coordinator, const char *group, const char *entry, hq_coordinator_got *got,
                     void *context)
{
    hq_op *op = op_new(coordinator, known_group(group), entry ? entry : "", NULL, 0, context);
    op->got = got;
    begin(coordinator, op, get_read, get_read);
}

static void entries_got(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    if (reply->status != HQ_TREE_OK) {
        op_fail_unexpected(coordinator, op, reply);
        return;
    }
    op->members = hq_calloc(reply->count, sizeof *op->members);
    op->member_count = reply->count;
    for (size_t i = 0; i < reply->count; i++) {
        op->members[i].id = reply->names[i];
        reply->names[i] = NULL;
    }
    op_sort_members(op);
    op_end(coordinator, op, HQ_OK, "", reply);
}

static void entries_read(hq_coordinator *coordinator, hq_op *op)
{
    char *path = op_path(coordinator, op->group, NULL);
    op_children(coordinator, op, path, false, false, entries_got);
    free(path);
}

void coordinator_entries(hq_coordinator *coordinator, const char *group, hq_coordinator_members *got, void *context)
{
    hq_op *op = op_new(coordinator, known_group(group), NULL, NULL, 0, context);
    op->got_members = got;
    begin(coordinator, op, entries_read, entries_read);
}

static void removed(hq_coordinator *coordinator, hq_op *op, hq_tree_item *reply)
{
    /* Gone after a lost answer: by this one's hand or another's, it is what was asked for. */
    if (reply->status == HQ_TREE_NO_NODE && op->is_uncertain)
        op_end(coordinator, op, HQ_OK, "", NULL);
    else
        written(coordinator, op, reply);
}

static void remove_write(hq_coordinator *coordinator, hq_op *op)
{
    char *path = op_path(coordinator, op->group, op->name);
    hq_tree_change change = {.kind = HQ_TREE_DELETE, .path = path};
    op_write(coordinator, op, &change, 1, removed);
    free(path);
}

void coordinator_remove(hq_coordinator *coordinator, const char *group, const char *entry, hq_coordinator_done *done,
                        void *context)
{
    hq_op *op = op_new(coordinator, known_group(group), entry ? entry : "", NULL, 0, context);
    op->done = done;
    begin(coordinator, op, remove_write, remove_write);
}
