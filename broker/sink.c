#include "broker/sink.h"

#include <string.h>

#include "base/memory.h"

enum {
    MAX_LEVELS = 33,
    SMALL_BYTES = 1 << 20 /* sets up to this size wait as they are and can be watched; larger ones wait packed */
};

/* A finished node over some subtasks that waits for its sibling. */
typedef struct node {
    hq_histset *set; /* of a small query; else NULL, and the contents are packed, as histset_encode gives them */
    size_t size;
    uint8_t bytes[];
} node;

struct hq_sink {
    uint32_t count, done;
    uint64_t *counted; /* one bit a subtask */
    hq_histset *blank; /* the result of a query whose every partial is empty */
    hq_histset *running, *result;
    bool is_small;
    size_t set_bytes, waiting_bytes; /* of one set; of all nodes that wait */
    /* nodes[level][i] is the finished node over the subtasks i << level up to (i + 1) << level, exclusive: NULL while
     * it is not finished or has gone into its parent, &nothing if it is finished and has no contents, so that empty
     * partials cost no memory. */
    node **nodes[MAX_LEVELS];
    uint32_t widths[MAX_LEVELS];
    int levels;
};

static node nothing; /* a mark, never written */

static size_t bytes_of(const hq_histset *set)
{
    size_t bytes = 0;
    for (size_t i = 0; i < set->count; i++)
        bytes += hist_size(set->hists[i]) * storage_words(hist_storage(set->hists[i])) * sizeof(double);
    return bytes;
}

hq_sink *sink_new(uint32_t count, const hq_histset *shape)
{
    hq_sink *sink = hq_calloc(1, sizeof *sink);
    sink->count = count;
    sink->counted = hq_calloc(((size_t)count + 63) / 64, sizeof *sink->counted);
    sink->blank = histset_new_like(shape);
    sink->set_bytes = bytes_of(shape);
    sink->is_small = sink->set_bytes <= SMALL_BYTES;
    for (uint32_t width = count;; width = width / 2 + width % 2) {
        sink->widths[sink->levels] = width;
        sink->nodes[sink->levels++] = hq_calloc(width, sizeof(node *));
        if (width <= 1)
            return sink;
    }
}

/* ---- nodes ---- */

static node *node_of_set(hq_sink *sink, hq_histset *set)
{
    node *n = hq_alloc(sizeof *n);
    *n = (node){.set = set};
    sink->waiting_bytes += sink->set_bytes;
    return n;
}

static node *node_of_bytes(hq_sink *sink, const void *bytes, size_t size)
{
    node *n = hq_alloc(sizeof *n + size);
    *n = (node){.size = size};
    memcpy(n->bytes, bytes, size);
    sink->waiting_bytes += size;
    return n;
}

static void node_free(hq_sink *sink, node *n)
{
    if (!n || n == &nothing)
        return;
    sink->waiting_bytes -= n->set ? sink->set_bytes : n->size;
    histset_free(&n->set);
    free(n);
}

void sink_free(hq_sink **sink_p)
{
    hq_sink *sink = *sink_p;
    if (!sink)
        return;
    for (int level = 0; level < sink->levels; level++) {
        for (uint32_t i = 0; i < sink->widths[level]; i++)
            node_free(sink, sink->nodes[level][i]);
        free(sink->nodes[level]);
    }
    histset_free(&sink->running);
    histset_free(&sink->result);
    histset_free(&sink->blank);
    free(sink->counted);
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
static node *join(hq_sink *sink, node *left, node *right)
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

/* Puts a finished node in its place and joins it upwards for as long as its sibling is finished too. */
static void settle(hq_sink *sink, uint32_t index, node *n)
{
    for (int level = 0;; level++, index /= 2) {
        if (level == sink->levels - 1) {
            sink->nodes[level][0] = n;
            return;
        }
        uint32_t sibling = index ^ 1;
        if (sibling >= sink->widths[level])
            continue; /* the last one of an odd row goes up alone */
        node *other = sink->nodes[level][sibling];
        if (!other) {
            sink->nodes[level][index] = n;
            return;
        }
        sink->nodes[level][sibling] = NULL;
        n = index % 2 ? join(sink, other, n) : join(sink, n, other);
    }
}

hq_error sink_add(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason)
{
    if (index >= sink->count)
        return hq_fail(reason, HQ_EFORMAT, "subtask %u of %u", index, sink->count);
    if (sink_has(sink, index))
        return HQ_EEXISTS;
    node *n = &nothing;
    if (size > 0) {
        hq_histset *set = histset_new_like(sink->blank);
        hq_error error = histset_decode_into(set, contents, size, reason);
        if (error) {
            histset_free(&set);
            return error;
        }
        if (sink->running)
            merge(sink->running, set);
        if (sink->is_small) {
            n = node_of_set(sink, set);
        } else {
            n = node_of_bytes(sink, contents, size);
            histset_free(&set);
        }
    }
    sink->counted[index / 64] |= (uint64_t)1 << (index % 64);
    sink->done++;
    settle(sink, index, n);
    return HQ_OK;
}

uint32_t sink_done(const hq_sink *sink)
{
    return sink->done;
}

bool sink_is_complete(const hq_sink *sink)
{
    return sink->done == sink->count;
}

size_t sink_bytes(const hq_sink *sink)
{
    return sink->waiting_bytes;
}

void sink_watch(hq_sink *sink)
{
    if (sink->running || !sink->is_small)
        return;
    sink->running = histset_new_like(sink->blank);
    for (int level = 0; level < sink->levels; level++)
        for (uint32_t i = 0; i < sink->widths[level]; i++) {
            const node *n = sink->nodes[level][i];
            if (n && n != &nothing)
                merge(sink->running, n->set);
        }
}

const hq_histset *sink_so_far(const hq_sink *sink)
{
    return sink->running ? sink->running : sink->is_small ? sink->blank : NULL;
}

const hq_histset *sink_result(hq_sink *sink)
{
    if (!sink_is_complete(sink))
        return NULL;
    const node *root = sink->nodes[sink->levels - 1][0];
    if (root == &nothing)
        return sink->blank;
    if (!root->set && !sink->result)
        sink->result = unpack(sink, root);
    return root->set ? root->set : sink->result;
}
