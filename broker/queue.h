/* broker/queue.h - numbers in a line: pushed at the end, taken from either end.
 *
 * A queue that is all zero is empty and has no memory. Each call is O(1), pushing amortised. What is taken from the
 * front leaves a gap that is closed now and then, so that the memory is that of the longest the queue has been, about.
 * Belongs to one thread.
 */
#ifndef HQ_BROKER_QUEUE_H
#define HQ_BROKER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hq_queue {
    uint32_t *items;
    size_t head, end, capacity; /* items[head] up to items[end], exclusive */
} hq_queue;

void queue_push(hq_queue *queue, uint32_t item);
void queue_clear(hq_queue *queue);

static inline size_t queue_length(const hq_queue *queue)
{
    return queue->end - queue->head;
}

/* The item so many places behind the first; place < length. */
static inline uint32_t *queue_at(const hq_queue *queue, size_t place)
{
    return &queue->items[queue->head + place];
}

/* count <= length of the first, or the last one, leave it. */
static inline void queue_drop(hq_queue *queue, size_t count)
{
    queue->head += count;
}

static inline void queue_drop_last(hq_queue *queue)
{
    queue->end--;
}

#endif
