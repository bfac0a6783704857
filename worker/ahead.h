/* worker/ahead.h - threads that read the columns of the subtasks that wait, while executors compute those before.
 *
 * What they have read stays pinned until its subtask is through, so that no later one pushes it out; together that is
 * never more than a given number of bytes. They sleep while the cache has all that is wanted, and are woken by the
 * first column that an executor has to read.
 */
#ifndef HQ_WORKER_AHEAD_H
#define HQ_WORKER_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/supply.h"
#include "worker/task.h"

typedef struct hq_ahead hq_ahead;

/* Subtasks are numbered in the order in which executors take them, from 0. This gives the first of those that wait that
 * is not before *number_p and has something to read; false if there is none. The task is held for the caller. */
typedef bool hq_ahead_peek(void *queue, uint64_t *number_p, hq_task **task_r, hq_order *order_r);

/* The supply must outlive it; readers threads, at least one. */
hq_ahead *ahead_new(size_t readers, size_t limit_bytes, const hq_supply *supply, hq_ahead_peek *peek, void *queue);
/* After the executors have ended. */
void ahead_free(hq_ahead **ahead_p);

/* From any thread: */
void ahead_wake(hq_ahead *ahead);                     /* a column has to be read: it is worth while to look ahead */
void ahead_news(hq_ahead *ahead);                     /* there are more subtasks */
void ahead_through(hq_ahead *ahead, uint64_t number); /* an executor is through with a subtask, whatever came of it */

#endif
