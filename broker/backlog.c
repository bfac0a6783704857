#include "broker/backlog.h"

#include <stdlib.h>

#include "base/memory.h"
#include "broker/queue.h"

typedef struct line {
    hq_queue queue;
    size_t place; /* in the heap */
} line;

struct hq_backlog {
    line *lines; /* by worker number */
    size_t count;
    uint32_t *heap; /* worker numbers, the longest queue on top */
};

hq_backlog *backlog_new(void)
{
    return hq_calloc(1, sizeof(hq_backlog));
}

void backlog_free(hq_backlog **backlog_p)
{
    hq_backlog *backlog = *backlog_p;
    if (!backlog)
        return;
    for (size_t i = 0; i < backlog->count; i++)
        queue_clear(&backlog->lines[i].queue);
    free(backlog->lines);
    free(backlog->heap);
    free(backlog);
    *backlog_p = NULL;
}

size_t backlog_length(const hq_backlog *backlog, uint32_t worker)
{
    return worker < backlog->count ? queue_length(&backlog->lines[worker].queue) : 0;
}

/* ---- the heap ---- */

static size_t length_at(const hq_backlog *backlog, size_t place)
{
    return queue_length(&backlog->lines[backlog->heap[place]].queue);
}

static void swap(hq_backlog *backlog, size_t one, size_t other)
{
    uint32_t worker = backlog->heap[one];
    backlog->heap[one] = backlog->heap[other];
    backlog->heap[other] = worker;
    backlog->lines[backlog->heap[one]].place = one;
    backlog->lines[backlog->heap[other]].place = other;
}

/* A length has grown by one, so this ends after a step or two, mostly. */
static void rise(hq_backlog *backlog, size_t place)
{
    while (place > 0 && length_at(backlog, place) > length_at(backlog, (place - 1) / 2)) {
        swap(backlog, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sink(hq_backlog *backlog, size_t place)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < backlog->count && length_at(backlog, child + 1) > length_at(backlog, child))
            child++;
        if (child >= backlog->count || length_at(backlog, child) <= length_at(backlog, place))
            return;
        swap(backlog, place, child);
        place = child;
    }
}

static void add_queues(hq_backlog *backlog, uint32_t worker)
{
    if (worker < backlog->count)
        return;
    size_t count = backlog->count + backlog->count / 2;
    count = count > worker ? count : (size_t)worker + 1;
    backlog->lines = hq_realloc(backlog->lines, count, sizeof *backlog->lines);
    backlog->heap = hq_realloc(backlog->heap, count, sizeof *backlog->heap);
    for (size_t i = backlog->count; i < count; i++) { /* empty ones have their place at the bottom */
        backlog->lines[i] = (line){.place = i};
        backlog->heap[i] = (uint32_t)i;
    }
    backlog->count = count;
}

uint32_t backlog_longest(const hq_backlog *backlog)
{
    return backlog->count > 0 && length_at(backlog, 0) > 0 ? backlog->heap[0] : UINT32_MAX;
}

/* ---- the queues ---- */

void backlog_push(hq_backlog *backlog, uint32_t worker, uint32_t index)
{
    add_queues(backlog, worker);
    queue_push(&backlog->lines[worker].queue, index);
    rise(backlog, backlog->lines[worker].place);
}

bool backlog_pop(hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    if (backlog_length(backlog, worker) == 0)
        return false;
    line *l = &backlog->lines[worker];
    *index_r = *queue_at(&l->queue, 0);
    queue_drop(&l->queue, 1);
    sink(backlog, l->place);
    return true;
}

bool backlog_behind(const hq_backlog *backlog, uint32_t worker, size_t places, uint32_t *index_r)
{
    if (backlog_length(backlog, worker) <= places)
        return false;
    *index_r = *queue_at(&backlog->lines[worker].queue, places);
    return true;
}

bool backlog_last(const hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    size_t length = backlog_length(backlog, worker);
    return length > 0 && backlog_behind(backlog, worker, length - 1, index_r);
}

bool backlog_pop_last(hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    if (!backlog_last(backlog, worker, index_r))
        return false;
    queue_drop_last(&backlog->lines[worker].queue);
    sink(backlog, backlog->lines[worker].place);
    return true;
}
