/* worker/pool.h - the executors: threads that take orders from one queue and hand back batches of answers.
 *
 * pool_give and pool_take are for one thread, the one that talks to brokers.
 */
#ifndef HQ_WORKER_POOL_H
#define HQ_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/task.h"

typedef struct hq_pool hq_pool;

/* readers: threads that read ahead of the executors, of files of servers all of them, of others one; 0: nothing is read
 * ahead. Together never more than ahead_bytes, but for one subtask. disk: NULL if there is none. */
hq_pool *pool_new(size_t slots, size_t readers, size_t ahead_bytes, hq_cache *cache, hq_files *files, hq_disk *disk);
/* Ends the executors after the order each is at; what is queued is forgotten. */
void pool_free(hq_pool **pool_p);

typedef struct hq_assigned {
    hq_task *task; /* held; the pool releases it */
    hq_order order;
    uint32_t link; /* given back with the answer */
} hq_assigned;

/* Takes the tasks' holds over. Orders are executed as they were given, but that the first ones of each task, as many as
 * there are executors, go before what waits of other tasks: the person who asks sees something at once. */
void pool_give(hq_pool *pool, const hq_assigned *assigned, size_t count);

/* Answers of one executor to one link, as PARTIALS wants them. */
typedef struct hq_batch {
    struct hq_batch *next;
    uint32_t link;
    hq_buffer answers, contents;
    size_t orders;   /* how many orders are through, those of cancelled tasks included, which have no answer */
    int64_t busy_us; /* what they took */
} hq_batch;

/* Readable when pool_take has something. */
int pool_fd(const hq_pool *pool);
/* The oldest batch, or NULL. The caller frees it with batch_free. */
hq_batch *pool_take(hq_pool *pool);
void batch_free(hq_batch **batch_p);

/* Orders given and not yet taken back as part of a batch. */
size_t pool_under_way(const hq_pool *pool);

#endif
