/* Every answer lost once, before or after the change has happened, with and without the session: whatever was asked for
 * has happened exactly once in the end.
 *
 * A tree that loses stands between the coordinator and a local tree, whose requests are carried out at once; so where
 * the loss falls is chosen, not left to luck.
 */
#include "tests/zk/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "zk/engine.h"

typedef enum lossy_loss {
    LOST_BEFORE,         /* the request did not reach the server */
    LOST_AFTER,          /* it did, its answer was lost */
    LOST_BEFORE_EXPIRED, /* and the session with it */
    LOST_AFTER_EXPIRED,
    LOST_QUIETLY, /* put off by a busy server, without an interruption */
    LOSS_COUNT
} lossy_loss;

typedef struct lossy_tree {
    hq_tree base;
    hq_tree_queue inner_queue;
    hq_tree *inner;
    char name[64];
    lossy_loss loss;
    int left;  /* requests until the loss; < 0: never */
    bool lost; /* it has happened */
} lossy_tree;

/* What the inner tree has posted, passed on. */
static void pass_on(lossy_tree *tree)
{
    for (hq_tree_item *item = queue_take(&tree->inner_queue), *next; item; item = next) {
        next = item->next;
        queue_post(tree->base.queue, item);
    }
}

static bool loses(lossy_tree *tree)
{
    if (tree->left < 0)
        return false;
    tree->left--;
    return tree->left < 0;
}

/* Only what was to be answered is lost: events of the inner tree are passed on. */
static void lose(lossy_tree *tree, void *tag)
{
    bool is_expired = tree->loss == LOST_BEFORE_EXPIRED || tree->loss == LOST_AFTER_EXPIRED;
    for (hq_tree_item *item = queue_take(&tree->inner_queue), *next; item; item = next) {
        next = item->next;
        if (item->kind == HQ_TREE_REPLY)
            item_free(&item);
        else
            queue_post(tree->base.queue, item);
    }
    tree->lost = true;
    if (tree->loss != LOST_QUIETLY)
        queue_post(tree->base.queue, item_new(is_expired ? HQ_TREE_EXPIRED : HQ_TREE_SUSPENDED, NULL, HQ_TREE_OK));
    queue_post(tree->base.queue, item_new(HQ_TREE_REPLY, tag, HQ_TREE_LOST));
    if (tree->loss == LOST_BEFORE || tree->loss == LOST_AFTER) {
        /* The same session again: its connect tells its number once more, without ending it. */
        hq_tree_item *connected = item_new(HQ_TREE_CONNECTED, NULL, HQ_TREE_OK);
        connected->session = local_tree_session(tree->inner);
        queue_post(tree->base.queue, connected);
    }
}

static bool happens(const lossy_tree *tree)
{
    return tree->loss == LOST_AFTER || tree->loss == LOST_AFTER_EXPIRED;
}

static void lossy_write(hq_tree *base, const hq_tree_change *changes, size_t count, void *tag)
{
    lossy_tree *tree = (lossy_tree *)base;
    bool is_lost = loses(tree);
    if (!is_lost || happens(tree))
        tree->inner->class->write(tree->inner, changes, count, tag);
    if (is_lost)
        lose(tree, tag);
    pass_on(tree);
}

static void lossy_get(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    lossy_tree *tree = (lossy_tree *)base;
    if (loses(tree))
        lose(tree, tag);
    else
        tree->inner->class->get(tree->inner, path, watch, latest, tag);
    pass_on(tree);
}

static void lossy_children(hq_tree *base, const char *path, bool watch, bool latest, void *tag)
{
    lossy_tree *tree = (lossy_tree *)base;
    if (loses(tree))
        lose(tree, tag);
    else
        tree->inner->class->children(tree->inner, path, watch, latest, tag);
    pass_on(tree);
}

static hq_error lossy_connect(hq_tree *base, hq_reason *reason)
{
    lossy_tree *tree = (lossy_tree *)base;
    if (tree->inner)
        tree->inner->class->close(tree->inner);
    tree->inner = local_tree_new(tree->name, &tree->inner_queue);
    hq_error error = tree->inner->class->connect(tree->inner, reason);
    pass_on(tree);
    return error;
}

static void lossy_close(hq_tree *base)
{
    lossy_tree *tree = (lossy_tree *)base;
    tree->inner->class->close(tree->inner);
    queue_fini(&tree->inner_queue);
    free(tree);
}

static hq_coordinator *open_lossy(const char *name, lossy_tree **tree_r)
{
    static const hq_tree_class class = {lossy_connect, lossy_close, lossy_write, lossy_get, lossy_children};
    hq_reason reason;
    hq_coordinator *coordinator = coordinator_new("lossy", "", NULL, NULL, &reason);
    assert_non_null(coordinator);
    lossy_tree *tree = hq_calloc(1, sizeof *tree);
    tree->base = (hq_tree){&class, &coordinator->queue};
    tree->left = -1;
    snprintf(tree->name, sizeof tree->name, "%s", name);
    assert_int_equal(queue_init(&tree->inner_queue, &reason), HQ_OK);
    assert_int_equal(coordinator_start(coordinator, &tree->base, &reason), HQ_OK);
    *tree_r = tree;
    return coordinator;
}

/* --- every operation, with the loss at each of its requests in turn --- */

typedef enum lossy_operation {
    SUBMIT,
    OWN,
    UPDATE,
    FINISH,
    FINISH_OWNERLESS,
    REMOVE,
    GET,
    ENTRIES,
    JOIN,
    OPERATION_COUNT
} lossy_operation;

static const char *const operation_names[] = {"submit", "own", "update",  "finish", "finish, ownerless",
                                              "remove", "get", "entries", "join"};

typedef struct lossy_trial {
    hq_coordinator *lossy, *witness;
    lossy_tree *tree;
    char name[32], endpoint[64], entry[300];
} lossy_trial;

/* What the operation needs to find. The witness sees the same tree and loses nothing. */
static void prepare(lossy_trial *trial, lossy_operation operation)
{
    suite_told told = {0};
    do_submit(trial->lossy, "others", &told);
    do_submit(trial->lossy, "q-1", &told); /* begins as "q" does */
    if (operation == SUBMIT || operation == JOIN)
        return;
    do_submit(trial->lossy, "q", &told);
    memcpy(trial->entry, told.entry, sizeof trial->entry);
    if (operation == OWN || operation == ENTRIES)
        return;
    do_own(operation == FINISH_OWNERLESS ? trial->witness : trial->lossy, trial->entry, "me", &told);
    assert_told(&told, HQ_OK);
    if (operation == FINISH_OWNERLESS) {
        coordinator_close(&trial->witness);
        trial->witness = suite_open(trial->endpoint, NULL, NULL);
    }
    if (operation != REMOVE)
        return;
    do_finish(trial->lossy, trial->entry, &told);
    assert_told(&told, HQ_OK);
}

static void start(lossy_trial *trial, lossy_operation operation, suite_told *told)
{
    hq_coordinator *lossy = trial->lossy;
    switch (operation) {
    case SUBMIT:
        coordinator_submit(lossy, 500, "q", "query", 5, tell_entry, told);
        break;
    case OWN:
        coordinator_own(lossy, trial->entry, "state", 5, "me", tell_done, told);
        break;
    case UPDATE:
        coordinator_update(lossy, trial->entry, "later", 5, tell_done, told);
        break;
    case FINISH:
    case FINISH_OWNERLESS:
        coordinator_finish(lossy, trial->entry, "end", 3, tell_done, told);
        break;
    case REMOVE:
        coordinator_remove(lossy, "done", trial->entry, tell_done, told);
        break;
    case GET:
        coordinator_get(lossy, "owned", trial->entry, tell_got, told);
        break;
    case ENTRIES:
        coordinator_entries(lossy, "unowned", tell_members, told);
        break;
    case JOIN:
        coordinator_join(lossy, "workers", "w", "data", 4, tell_done, told);
        break;
    default:
        fail();
    }
}

static size_t count_entries(hq_coordinator *witness, const char *group)
{
    suite_told told = {0};
    do_entries(witness, group, &told);
    return told.count;
}

static void assert_data(hq_coordinator *witness, const char *group, const char *entry, const char *data)
{
    suite_told told = {0};
    do_get(witness, group, entry, &told);
    assert_told(&told, HQ_OK);
    assert_string_equal(told.bytes, data);
}

static void verify(lossy_trial *trial, lossy_operation operation, const suite_told *told)
{
    suite_told members = {0};
    /* Two other queries lie in unowned all the time. */
    size_t unowned = 2, owned = 0, done = 0;
    unowned += operation == SUBMIT || operation == ENTRIES;
    owned += operation == OWN || operation == UPDATE || operation == GET;
    done += operation == FINISH || operation == FINISH_OWNERLESS;
    assert_int_equal(count_entries(trial->witness, "unowned"), unowned);
    assert_int_equal(count_entries(trial->witness, "owned"), owned);
    assert_int_equal(count_entries(trial->witness, "done"), done);
    if (operation == SUBMIT)
        assert_data(trial->witness, "unowned", told->entry, "query");
    if (operation == OWN) {
        assert_data(trial->witness, "owned", trial->entry, "state");
        coordinator_remove(trial->witness, "owned", trial->entry, tell_done, &members);
        await(trial->witness, &members);
        assert_told(&members, HQ_EEXISTS); /* the owner's node is there */
    }
    if (operation == UPDATE)
        assert_data(trial->witness, "owned", trial->entry, "later");
    if (done)
        assert_data(trial->witness, "done", trial->entry, "end");
    if (operation == GET)
        assert_string_equal(told->bytes, "state");
    if (operation == ENTRIES)
        assert_int_equal(told->count, 3);
    if (operation == JOIN) {
        coordinator_members(trial->witness, "workers", tell_members, &members);
        await(trial->witness, &members);
        assert_int_equal(members.count, 1);
        assert_string_equal(members.data[0], "data");
    }
}

/* False if the operation had not so many requests that the loss could come. */
static bool try_loss(lossy_operation operation, lossy_loss loss, int request, int number)
{
    suite_told told = {0};
    lossy_trial trial = {0};
    snprintf(trial.name, sizeof trial.name, "lossy-%d", number);
    snprintf(trial.endpoint, sizeof trial.endpoint, "local:%s", trial.name);
    trial.lossy = open_lossy(trial.name, &trial.tree);
    trial.witness = suite_open(trial.endpoint, NULL, NULL);
    prepare(&trial, operation);
    trial.tree->loss = loss;
    trial.tree->left = request;
    start(&trial, operation, &told);
    await(trial.lossy, &told);
    bool was_lost = trial.tree->lost;
    trial.tree->left = -1;
    assert_told(&told, HQ_OK);
    do_entries(trial.lossy, "done", &(suite_told){0}); /* what is still to come has come */
    assert_int_equal(told.flag, 0);
    verify(&trial, operation, &told);
    coordinator_close(&trial.lossy);
    coordinator_close(&trial.witness);
    return was_lost;
}

static void every_lost_answer_is_made_good(void **state)
{
    (void)state;
    int number = 0, losses = 0;
    for (lossy_operation operation = 0; operation < OPERATION_COUNT; operation++)
        for (lossy_loss loss = 0; loss < LOSS_COUNT; loss++) {
            int request = 0;
            print_message("%s, loss %d\n", operation_names[operation], (int)loss);
            while (try_loss(operation, loss, request, number++))
                request++;
            assert_true(request > 0);
            losses += request;
        }
    assert_true(losses >= 2 * OPERATION_COUNT);
}

/* Somebody else takes the query while the answer to our multi is under way: it must not be taken for ours. */
static void what_another_owns_is_not_taken_for_ours(void **state)
{
    suite_told told = {0}, other_told = {0};
    lossy_tree *tree;
    (void)state;
    hq_coordinator *lossy = open_lossy("contended", &tree), *other = suite_open("local:contended", NULL, NULL);
    do_submit(lossy, "q", &told);
    tree->loss = LOST_BEFORE;
    tree->left = 0;
    coordinator_own(lossy, told.entry, "state", 5, "me", tell_done, &told);
    do_own(other, told.entry, "me", &other_told); /* even if it calls itself by the same name */
    assert_told(&other_told, HQ_OK);
    await(lossy, &told);
    assert_told(&told, HQ_ENOTFOUND);
    coordinator_close(&lossy);
    coordinator_close(&other);
}

/* A submitted query that has moved on before the lost answer is looked for. */
static void a_submitted_query_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (int steps = 1; steps <= 2; steps++) {
        suite_told told = {0}, other_told = {0};
        lossy_tree *tree;
        char name[32], endpoint[64];
        snprintf(name, sizeof name, "moved-%d", steps);
        snprintf(endpoint, sizeof endpoint, "local:%s", name);
        hq_coordinator *lossy = open_lossy(name, &tree), *other = suite_open(endpoint, NULL, NULL);
        do_submit(lossy, "first", &told);
        tree->loss = LOST_AFTER;
        tree->left = 0;
        coordinator_submit(lossy, 500, "q", "x", 1, tell_entry, &told);
        do_entries(other, "unowned", &other_told);
        assert_int_equal(other_told.count, 2);
        do_own(other, other_told.ids[1], "other", &other_told);
        assert_told(&other_told, HQ_OK);
        if (steps == 2)
            do_finish(other, other_told.ids[1], &other_told);
        await(lossy, &told);
        assert_told(&told, HQ_OK);
        assert_string_equal(told.entry, other_told.ids[1]);
        assert_int_equal(count_entries(other, "unowned"), 1);
        coordinator_close(&lossy);
        coordinator_close(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lost_answer_is_made_good),
        cmocka_unit_test(what_another_owns_is_not_taken_for_ours),
        cmocka_unit_test(a_submitted_query_is_found_wherever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
