#include "broker/sink.h"

#include "base/memory.h"

enum { MAX_LEVELS = 33 };

struct hq_sink {
    uint32_t count, done;
    uint64_t *counted; /* one bit a subtask */
    hq_histset *blank; /* the result of a query whose every partial is empty */
    hq_histset *running;
    /* nodes[level][i] is the finished node over the subtasks i << level up to (i + 1) << level, exclusive: NULL while
     * it is not finished or has gone into its parent, &nothing if it is finished and has no contents, so that empty
     * partials cost no memory. */
    hq_histset **nodes[MAX_LEVELS];
    uint32_t widths[MAX_LEVELS];
    int levels;
};

static hq_histset nothing;

hq_sink *sink_new(uint32_t count, const hq_histset *shape)
{
    hq_sink *sink = hq_calloc(1, sizeof *sink);
    sink->count = count;
    sink->counted = hq_calloc(((size_t)count + 63) / 64, sizeof *sink->counted);
    sink->blank = histset_new_like(shape);
    for (uint32_t width = count;; width = width / 2 + width % 2) {
        sink->widths[sink->levels] = width;
        sink->nodes[sink->levels++] = hq_calloc(width, sizeof(hq_histset *));
        if (width <= 1)
            return sink;
    }
}

static void node_free(hq_histset **node_p)
{
    if (*node_p != &nothing)
        histset_free(node_p);
    *node_p = NULL;
}

void sink_free(hq_sink **sink_p)
{
    hq_sink *sink = *sink_p;
    if (!sink)
        return;
    for (int level = 0; level < sink->levels; level++) {
        for (uint32_t i = 0; i < sink->widths[level]; i++)
            if (sink->nodes[level][i])
                node_free(&sink->nodes[level][i]);
        free(sink->nodes[level]);
    }
    histset_free(&sink->running);
    histset_free(&sink->blank);
    free(sink->counted);
    free(sink);
    *sink_p = NULL;
}

bool sink_has(const hq_sink *sink, uint32_t index)
{
    return index < sink->count && (sink->counted[index / 64] >> (index % 64) & 1);
}

/* left + right; both are consumed. */
static hq_histset *join(hq_histset *left, hq_histset *right)
{
    if (right == &nothing)
        return left;
    if (left == &nothing)
        return right;
    hq_error error = histset_merge(left, right, NULL);
    if (error)
        abort(); /* both were decoded into the shape of this query */
    histset_free(&right);
    return left;
}

/* Puts a finished node in its place and joins it upwards for as long as its sibling is finished too. */
static void settle(hq_sink *sink, uint32_t index, hq_histset *node)
{
    for (int level = 0;; level++, index /= 2) {
        if (level == sink->levels - 1) {
            sink->nodes[level][0] = node;
            return;
        }
        uint32_t sibling = index ^ 1;
        if (sibling >= sink->widths[level])
            continue; /* the last one of an odd row goes up alone */
        hq_histset *other = sink->nodes[level][sibling];
        if (!other) {
            sink->nodes[level][index] = node;
            return;
        }
        sink->nodes[level][sibling] = NULL;
        node = index % 2 ? join(other, node) : join(node, other);
    }
}

hq_error sink_add(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason)
{
    if (index >= sink->count)
        return hq_fail(reason, HQ_EFORMAT, "subtask %u of %u", index, sink->count);
    if (sink_has(sink, index))
        return HQ_EEXISTS;
    hq_histset *node = &nothing;
    if (size > 0) {
        node = histset_new_like(sink->blank);
        hq_error error = histset_decode_into(node, contents, size, reason);
        if (!error && sink->running)
            error = histset_merge(sink->running, node, reason);
        if (error) {
            histset_free(&node);
            return error;
        }
    }
    sink->counted[index / 64] |= (uint64_t)1 << (index % 64);
    sink->done++;
    settle(sink, index, node);
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

void sink_watch(hq_sink *sink)
{
    if (sink->running)
        return;
    sink->running = histset_new_like(sink->blank);
    for (int level = 0; level < sink->levels; level++)
        for (uint32_t i = 0; i < sink->widths[level]; i++) {
            const hq_histset *node = sink->nodes[level][i];
            if (node && node != &nothing && histset_merge(sink->running, node, NULL))
                abort(); /* every node has this query's shape */
        }
}

const hq_histset *sink_so_far(const hq_sink *sink)
{
    return sink->running ? sink->running : sink->blank;
}

const hq_histset *sink_result(const hq_sink *sink)
{
    if (!sink_is_complete(sink))
        return NULL;
    const hq_histset *root = sink->nodes[sink->levels - 1][0];
    return root == &nothing ? sink->blank : root;
}
