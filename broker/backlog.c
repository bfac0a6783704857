#include "broker/backlog.h"

#include <string.h>

#include "base/memory.h"

/* What is taken from the front leaves a gap that is closed now and then. */
typedef struct queue {
    uint32_t *items;
    size_t head, count, capacity; /* items[head] up to items[count] */
    size_t place;                 /* in the heap */
} queue;

struct hq_backlog {
    queue *queues; /* by worker number */
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
        free(backlog->queues[i].items);
    free(backlog->queues);
    free(backlog->heap);
    free(backlog);
    *backlog_p = NULL;
}

static size_t length(const queue *q)
{
    return q->count - q->head;
}

size_t backlog_length(const hq_backlog *backlog, uint32_t worker)
{
    return worker < backlog->count ? length(&backlog->queues[worker]) : 0;
}

/* ---- the heap ---- */

static size_t length_at(const hq_backlog *backlog, size_t place)
{
    return length(&backlog->queues[backlog->heap[place]]);
}

static void swap(hq_backlog *backlog, size_t one, size_t other)
{
    uint32_t worker = backlog->heap[one];
    backlog->heap[one] = backlog->heap[other];
    backlog->heap[other] = worker;
    backlog->queues[backlog->heap[one]].place = one;
    backlog->queues[backlog->heap[other]].place = other;
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
    backlog->queues = hq_realloc(backlog->queues, count, sizeof *backlog->queues);
    backlog->heap = hq_realloc(backlog->heap, count, sizeof *backlog->heap);
    for (size_t i = backlog->count; i < count; i++) { /* empty ones have their place at the bottom */
        backlog->queues[i] = (queue){.place = i};
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
    queue *q = &backlog->queues[worker];
    if (q->head > 1024 && q->head > q->count / 2) {
        memmove(q->items, q->items + q->head, length(q) * sizeof *q->items);
        q->count -= q->head;
        q->head = 0;
    }
    HQ_GROW(q->items, q->count, q->capacity);
    q->items[q->count++] = index;
    rise(backlog, q->place);
}

bool backlog_pop(hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    if (backlog_length(backlog, worker) == 0)
        return false;
    queue *q = &backlog->queues[worker];
    *index_r = q->items[q->head++];
    if (q->head == q->count)
        q->head = q->count = 0;
    sink(backlog, q->place);
    return true;
}

bool backlog_behind(const hq_backlog *backlog, uint32_t worker, size_t places, uint32_t *index_r)
{
    if (backlog_length(backlog, worker) <= places)
        return false;
    const queue *q = &backlog->queues[worker];
    *index_r = q->items[q->head + places];
    return true;
}

bool backlog_last(const hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    if (backlog_length(backlog, worker) == 0)
        return false;
    const queue *q = &backlog->queues[worker];
    *index_r = q->items[q->count - 1];
    return true;
}

bool backlog_pop_last(hq_backlog *backlog, uint32_t worker, uint32_t *index_r)
{
    if (!backlog_last(backlog, worker, index_r))
        return false;
    queue *q = &backlog->queues[worker];
    q->count--;
    sink(backlog, q->place);
    return true;
}
