#include "broker/sink.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"

enum {
    MAX_LEVELS = 33,
    LEVELS_EXPECTED = 4,     /* of a tree over a million subtasks, those that no cache holds */
    SMALL_BYTES = 1 << 20,   /* sets up to this size wait as they are, larger ones packed */
    WATCHED_BYTES = 16 << 20 /* sets up to this size can be watched */
};

/* A finished node over some subtasks that waits for its sibling. */
typedef struct node {
    hq_histset *set; /* of a small query; else NULL, and the contents are packed, as histset_encode gives them */
    size_t size;
    uint8_t bytes[];
} node;

/* A tree of fixed shape over count leaves, of which some have come. */
typedef struct tree {
    /* nodes[level][i] is the finished node over the leaves i << level up to (i + 1) << level, exclusive: NULL while it
     * is not finished or has gone into its parent, &nothing if it is finished and has no contents, so that empty
     * partials cost no memory. */
    node **nodes[MAX_LEVELS];
    uint32_t widths[MAX_LEVELS];
    int levels; /* 0: it has not been made yet, or is gone */
} tree;

typedef struct file {
    uint32_t first, count; /* subtasks */
    /* the tally's */
    uint32_t counted;
    bool is_left_out;
    /* the trees' */
    uint32_t merged;
    bool is_cut;
    tree tree;
    node *sum; /* once it is whole, until it has gone into that of the files */
} file;

struct hq_sink {
    uint32_t count;
    hq_histset *blank; /* the result of a query whose every partial is empty */
    bool is_small, can_leave_out;
    size_t set_bytes;
    file *files;
    size_t file_count;

    /* the tally */
    uint32_t done;
    uint64_t *counted; /* one bit a subtask */

    /* The trees. If several threads merge, the lock is over all below but what is said to have none; it is not held
     * while two nodes are joined, which have left the trees for that time. */
    bool is_shared;
    pthread_mutex_t lock;
    pthread_mutex_t running_lock; /* over what running points to */
    hq_histset *running, *result;
    atomic_size_t waiting_bytes; /* of all nodes that wait or are being joined; no lock */
    uint32_t merged;             /* subtasks, with those of files that were cut */
    /* The tree over the files. If none can be left out, its leaves come in any order. Else their number and with it a
     * file's place is known only when all before it are settled: then they come in order, and what waits is, for each
     * bit that is set in the number of those that came, the node over so many of them. */
    tree whole;
    node *carried[MAX_LEVELS];
    size_t settled;   /* files that have gone into it, or were left out */
    bool is_settling; /* a thread is at that */
};

static node nothing; /* a mark, never written */

static void lock(hq_sink *sink)
{
    if (sink->is_shared)
        pthread_mutex_lock(&sink->lock);
}

static void unlock(hq_sink *sink)
{
    if (sink->is_shared)
        pthread_mutex_unlock(&sink->lock);
}

static void count_bytes(hq_sink *sink, size_t more, size_t less)
{
    atomic_fetch_add_explicit(&sink->waiting_bytes, more - less, memory_order_relaxed);
}

static size_t bytes_of(const hq_histset *set)
{
    size_t bytes = 0;
    for (size_t i = 0; i < set->count; i++)
        bytes += hist_size(set->hists[i]) * storage_words(hist_storage(set->hists[i])) * sizeof(double);
    return bytes;
}

static void tree_make(tree *t, uint32_t count)
{
    for (uint32_t width = count;; width = width / 2 + width % 2) {
        t->widths[t->levels] = width;
        t->nodes[t->levels++] = hq_calloc(width, sizeof(node *));
        if (width <= 1)
            return;
    }
}

hq_sink *sink_new(const uint32_t *sizes, size_t file_count, const hq_histset *shape, bool can_leave_out)
{
    hq_sink *sink = hq_calloc(1, sizeof *sink);
    sink->files = hq_calloc(file_count, sizeof *sink->files);
    sink->file_count = file_count;
    for (size_t i = 0; i < file_count; i++) {
        sink->files[i] = (file){.first = sink->count, .count = sizes[i]};
        sink->count += sizes[i];
    }
    sink->counted = hq_calloc(((size_t)sink->count + 63) / 64, sizeof *sink->counted);
    sink->blank = histset_new_like(shape);
    sink->set_bytes = bytes_of(shape);
    sink->is_small = sink->set_bytes <= SMALL_BYTES;
    sink->can_leave_out = can_leave_out;
    if (!can_leave_out)
        tree_make(&sink->whole, (uint32_t)file_count);
    pthread_mutex_init(&sink->lock, NULL);
    pthread_mutex_init(&sink->running_lock, NULL);
    return sink;
}

void sink_share(hq_sink *sink)
{
    sink->is_shared = true;
}

/* ---- nodes ---- */

static node *node_of_set(hq_sink *sink, hq_histset *set)
{
    node *n = hq_alloc(sizeof *n);
    *n = (node){.set = set};
    count_bytes(sink, sink->set_bytes, 0);
    return n;
}

static node *node_of_bytes(hq_sink *sink, const void *bytes, size_t size)
{
    node *n = hq_alloc(sizeof *n + size);
    *n = (node){.size = size};
    memcpy(n->bytes, bytes, size);
    count_bytes(sink, size, 0);
    return n;
}

static void node_free(hq_sink *sink, node *n)
{
    if (!n || n == &nothing)
        return;
    count_bytes(sink, 0, n->set ? sink->set_bytes : n->size);
    histset_free(&n->set);
    free(n);
}

static void tree_clear(hq_sink *sink, tree *t)
{
    for (int level = 0; level < t->levels; level++) {
        for (uint32_t i = 0; i < t->widths[level]; i++)
            node_free(sink, t->nodes[level][i]);
        free(t->nodes[level]);
    }
    t->levels = 0;
}

void sink_drop(hq_sink *sink)
{
    for (size_t i = 0; i < sink->file_count; i++) {
        tree_clear(sink, &sink->files[i].tree);
        node_free(sink, sink->files[i].sum);
        sink->files[i].sum = NULL;
    }
    tree_clear(sink, &sink->whole);
    for (int level = 0; level < MAX_LEVELS; level++) {
        node_free(sink, sink->carried[level]);
        sink->carried[level] = NULL;
    }
    histset_free(&sink->running);
    histset_free(&sink->result);
}

void sink_free(hq_sink **sink_p)
{
    hq_sink *sink = *sink_p;
    if (!sink)
        return;
    sink_drop(sink);
    free(sink->files);
    histset_free(&sink->blank);
    free(sink->counted);
    pthread_mutex_destroy(&sink->lock);
    pthread_mutex_destroy(&sink->running_lock);
    free(sink);
    *sink_p = NULL;
}

bool sink_has(const hq_sink *sink, uint32_t index)
{
    return index < sink->count && (sink->counted[index / 64] >> (index % 64) & 1);
}

/* The contents of a packed node, as a set of its own. What is packed here has been decoded or encoded here before. */
static hq_histset *unpack(const hq_sink *sink, const node *n)
{
    hq_histset *set = histset_new_like(sink->blank);
    if (histset_decode_into(set, n->bytes, n->size, NULL))
        abort();
    return set;
}

static void merge(hq_histset *whole, const hq_histset *part)
{
    if (histset_merge(whole, part, NULL))
        abort(); /* both have the shape of this query */
}

/* left + right; both are consumed. */
static node *join_nodes(hq_sink *sink, node *left, node *right)
{
    if (right == &nothing)
        return left;
    if (left == &nothing)
        return right;
    if (sink->is_small) {
        merge(left->set, right->set);
        node_free(sink, right);
        return left;
    }
    hq_histset *whole = unpack(sink, left), *part = unpack(sink, right);
    node_free(sink, left);
    node_free(sink, right);
    merge(whole, part);
    histset_free(&part);
    hq_buffer packed = {0};
    histset_encode(whole, &packed);
    histset_free(&whole);
    node *joined = node_of_bytes(sink, packed.bytes, packed.size);
    buffer_clear(&packed);
    return joined;
}

/* The same, without the lock, which the caller has: the two are nobody else's. */
static node *join(hq_sink *sink, node *left, node *right)
{
    unlock(sink);
    node *joined = join_nodes(sink, left, right);
    lock(sink);
    return joined;
}

void sink_expect(const hq_sink *sink, uint32_t index)
{
    /* Of many files each has a small tree, which is at hand. */
    const tree *t = sink->file_count == 1 ? &sink->files[0].tree : NULL;
    for (int level = 0; t && level < t->levels && level < LEVELS_EXPECTED; level++)
        __builtin_prefetch(&t->nodes[level][index >> level], 1);
}

/* Puts a finished node in its place and joins it upwards for as long as its sibling is finished too. Of two siblings
 * that are finished at once, whoever comes second finds the other. True if the tree is whole: then its root is given.
 */
static bool settle(hq_sink *sink, tree *t, uint32_t index, node *n, node **root_r)
{
    for (int level = 0;; level++, index /= 2) {
        if (level == t->levels - 1) {
            *root_r = n;
            return true;
        }
        uint32_t sibling = index ^ 1;
        if (sibling >= t->widths[level])
            continue; /* the last one of an odd row goes up alone */
        node *other = t->nodes[level][sibling];
        if (!other) {
            t->nodes[level][index] = n;
            return false;
        }
        t->nodes[level][sibling] = NULL;
        n = index % 2 ? join(sink, other, n) : join(sink, n, other);
    }
}

/* The next leaf of the tree over the files that count, joined as a carry runs through a number that is counted up. */
static void carry(hq_sink *sink, node *n)
{
    int level = 0;
    for (node *left; (left = sink->carried[level]); level++) {
        sink->carried[level] = NULL;
        n = join(sink, left, n);
    }
    sink->carried[level] = n;
}

/* No more leaves come: what is left of them goes up alone, each until it meets the next one to its left. */
static void carry_out(hq_sink *sink)
{
    node *n = NULL;
    for (int level = 0; level < MAX_LEVELS; level++) {
        node *left = sink->carried[level];
        if (!left)
            continue;
        sink->carried[level] = NULL;
        n = n ? join(sink, left, n) : left;
    }
    sink->carried[0] = n;
}

/* Takes into the whole what has its place in it. One thread does, and finds what others have ready meanwhile. */
static void settle_files(hq_sink *sink)
{
    if (sink->is_settling)
        return;
    sink->is_settling = true;
    for (; sink->settled < sink->file_count; sink->settled++) {
        file *f = &sink->files[sink->settled];
        node *sum = f->sum;
        if (!f->is_cut && !sum)
            break;
        f->sum = NULL;
        if (!f->is_cut)
            carry(sink, sum);
    }
    if (sink->settled == sink->file_count)
        carry_out(sink);
    sink->is_settling = false;
}

/* ---- what comes ---- */

static void merge_node(hq_sink *sink, size_t number, uint32_t index, node *n)
{
    file *f = &sink->files[number];
    lock(sink);
    sink->merged++;
    f->merged++;
    if (!f->tree.levels)
        tree_make(&f->tree, f->count);
    if (settle(sink, &f->tree, index - f->first, n, &n)) {
        tree_clear(sink, &f->tree);
        if (sink->can_leave_out) {
            f->sum = n;
            settle_files(sink);
        } else if (settle(sink, &sink->whole, (uint32_t)number, n, &n)) {
            sink->whole.nodes[sink->whole.levels - 1][0] = n;
        }
    }
    unlock(sink);
}

static void add_to_running(hq_sink *sink, const hq_histset *set)
{
    if (!sink->running)
        return;
    if (sink->is_shared)
        pthread_mutex_lock(&sink->running_lock);
    merge(sink->running, set);
    if (sink->is_shared)
        pthread_mutex_unlock(&sink->running_lock);
}

static hq_error merge_into(hq_sink *sink, size_t number, uint32_t index, const void *contents, size_t size,
                           hq_reason *reason)
{
    node *n = &nothing;
    if (size > 0) {
        hq_histset *set = histset_new_like(sink->blank);
        hq_error error = histset_decode_into(set, contents, size, reason);
        if (error) {
            histset_free(&set);
            return error;
        }
        add_to_running(sink, set);
        if (sink->is_small) {
            n = node_of_set(sink, set);
        } else {
            n = node_of_bytes(sink, contents, size);
            histset_free(&set);
        }
    }
    merge_node(sink, number, index, n);
    return HQ_OK;
}

static void count_into(hq_sink *sink, size_t number, uint32_t index)
{
    sink->counted[index / 64] |= (uint64_t)1 << (index % 64);
    sink->done++;
    sink->files[number].counted++;
}

static hq_error check_index(const hq_sink *sink, uint32_t index, hq_reason *reason)
{
    return index < sink->count ? HQ_OK : hq_fail(reason, HQ_EFORMAT, "subtask %u of %u", index, sink->count);
}

hq_error sink_merge(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason)
{
    hq_error error = check_index(sink, index, reason);
    return error ? error : merge_into(sink, sink_file(sink, index), index, contents, size, reason);
}

void sink_count(hq_sink *sink, uint32_t index)
{
    count_into(sink, sink_file(sink, index), index);
}

hq_error sink_add(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason)
{
    hq_error error = check_index(sink, index, reason);
    if (error)
        return error;
    if (sink_has(sink, index))
        return HQ_EEXISTS;
    size_t number = sink_file(sink, index);
    error = merge_into(sink, number, index, contents, size, reason);
    if (!error)
        count_into(sink, number, index);
    return error;
}

size_t sink_file(const hq_sink *sink, uint32_t index)
{
    size_t low = 0, high = sink->file_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (sink->files[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool sink_is_left_out(const hq_sink *sink, size_t number)
{
    return sink->files[number].is_left_out;
}

uint32_t sink_done(const hq_sink *sink)
{
    return sink->done;
}

bool sink_is_complete(const hq_sink *sink)
{
    return sink->done == sink->count;
}

size_t sink_set_bytes(const hq_sink *sink)
{
    return sink->set_bytes;
}

size_t sink_bytes(const hq_sink *sink)
{
    return atomic_load_explicit(&((hq_sink *)sink)->waiting_bytes, memory_order_relaxed);
}

static void run_up_node(hq_sink *sink, const node *n)
{
    if (!n || n == &nothing)
        return;
    hq_histset *unpacked = n->set ? NULL : unpack(sink, n);
    merge(sink->running, unpacked ? unpacked : n->set);
    histset_free(&unpacked);
}

static void run_up_tree(hq_sink *sink, const tree *t)
{
    for (int level = 0; level < t->levels; level++)
        for (uint32_t i = 0; i < t->widths[level]; i++)
            run_up_node(sink, t->nodes[level][i]);
}

/* The running sum of all that waits. */
static void run_up(hq_sink *sink)
{
    sink->running = histset_new_like(sink->blank);
    for (size_t i = 0; i < sink->file_count; i++) {
        run_up_tree(sink, &sink->files[i].tree);
        run_up_node(sink, sink->files[i].sum);
    }
    run_up_tree(sink, &sink->whole);
    for (int level = 0; level < MAX_LEVELS; level++)
        run_up_node(sink, sink->carried[level]);
}

void sink_watch(hq_sink *sink)
{
    if (!sink->running && sink->set_bytes <= WATCHED_BYTES)
        run_up(sink);
}

bool sink_cross_out(hq_sink *sink, size_t number)
{
    file *f = &sink->files[number];
    if (!sink->can_leave_out || f->is_left_out || f->counted == f->count)
        return false;
    f->is_left_out = true;
    for (uint32_t i = f->first; i < f->first + f->count; i++)
        sink->counted[i / 64] |= (uint64_t)1 << (i % 64);
    sink->done += f->count - f->counted;
    return true;
}

void sink_cut(hq_sink *sink, size_t number)
{
    file *f = &sink->files[number];
    lock(sink);
    f->is_cut = true;
    tree_clear(sink, &f->tree);
    sink->merged += f->count - f->merged;
    settle_files(sink);
    unlock(sink);
    if (sink->running) {
        histset_free(&sink->running);
        run_up(sink);
    }
}

void sink_leave_out(hq_sink *sink, size_t number)
{
    if (sink_cross_out(sink, number))
        sink_cut(sink, number);
}

const hq_histset *sink_so_far(const hq_sink *sink)
{
    return sink->running ? sink->running : sink->set_bytes <= WATCHED_BYTES ? sink->blank : NULL;
}

const hq_histset *sink_result(hq_sink *sink)
{
    if (sink->merged < sink->count)
        return NULL;
    const node *root = sink->can_leave_out ? sink->carried[0] : sink->whole.nodes[sink->whole.levels - 1][0];
    if (!root || root == &nothing)
        return sink->blank; /* every partial is empty, or every file was left out */
    if (!root->set && !sink->result)
        sink->result = unpack(sink, root);
    return root->set ? root->set : sink->result;
}
