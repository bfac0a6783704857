#include "broker/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { GAP = 1024 }; /* that is not worth closing */

void queue_push(hq_queue *queue, uint32_t item)
{
    if (queue->head == queue->end) {
        queue->head = queue->end = 0;
    } else if (queue->head > GAP && queue->head > queue->end / 2) {
        memmove(queue->items, queue->items + queue->head, queue_length(queue) * sizeof *queue->items);
        queue->end -= queue->head;
        queue->head = 0;
    }
    HQ_GROW(queue->items, queue->end, queue->capacity);
    queue->items[queue->end++] = item;
}

void queue_clear(hq_queue *queue)
{
    free(queue->items);
    *queue = (hq_queue){0};
}
