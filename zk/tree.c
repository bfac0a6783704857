#include "zk/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

hq_tree_item *item_new(hq_tree_item_kind kind, void *tag, hq_tree_status status)
{
    hq_tree_item *item = hq_calloc(1, sizeof *item);
    item->kind = kind;
    item->tag = tag;
    item->status = status;
    return item;
}

void item_free(hq_tree_item **item_p)
{
    hq_tree_item *item = *item_p;
    if (!item)
        return;
    for (size_t i = 0; i < item->count; i++)
        free(item->names[i]);
    free(item->names);
    free(item->path);
    free(item->detail);
    free(item->bytes);
    free(item);
    *item_p = NULL;
}

hq_error queue_init(hq_tree_queue *queue, hq_reason *reason)
{
    *queue = (hq_tree_queue){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (queue->fd < 0)
        return hq_fail(reason, HQ_EIO, "no event descriptor for the coordinator: %s", strerror(errno));
    queue->end = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    return HQ_OK;
}

void queue_fini(hq_tree_queue *queue)
{
    for (hq_tree_item *item = queue_take(queue), *next; item; item = next) {
        next = item->next;
        item_free(&item);
    }
    pthread_mutex_destroy(&queue->lock);
    close(queue->fd);
}

void queue_post(hq_tree_queue *queue, hq_tree_item *item)
{
    uint64_t one = 1;
    pthread_mutex_lock(&queue->lock);
    item->next = NULL;
    *queue->end = item;
    queue->end = &item->next;
    bool was_empty = queue->first == item;
    pthread_mutex_unlock(&queue->lock);
    if (was_empty && write(queue->fd, &one, sizeof one) < 0)
        abort(); /* the counter of an eventfd that is read does not fill up */
}

hq_tree_item *queue_take(hq_tree_queue *queue)
{
    uint64_t count;
    /* Before the list: a signal that comes between the two is for nothing next time, but none is taken for what stays.
     */
    if (read(queue->fd, &count, sizeof count) < 0 && errno != EAGAIN)
        abort(); /* an eventfd knows no other error */
    pthread_mutex_lock(&queue->lock);
    hq_tree_item *first = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    pthread_mutex_unlock(&queue->lock);
    return first;
}
