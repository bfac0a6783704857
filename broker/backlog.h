/* broker/backlog.h - the subtasks of one query that wait, in a queue for each worker.
 *
 * A worker takes from the front of its own; who takes another's takes from the end of the longest. Each call is
 * O(log workers) at most. Belongs to one thread.
 */
#ifndef HQ_BROKER_BACKLOG_H
#define HQ_BROKER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hq_backlog hq_backlog;

hq_backlog *backlog_new(void);
void backlog_free(hq_backlog **backlog_p);

void backlog_push(hq_backlog *backlog, uint32_t worker, uint32_t index);
/* The first of a worker's queue leaves it; false if there is none. */
bool backlog_pop(hq_backlog *backlog, uint32_t worker, uint32_t *index_r);
/* The one that is so many behind the first; false if there is none. */
bool backlog_behind(const hq_backlog *backlog, uint32_t worker, size_t places, uint32_t *index_r);
/* The last one stays, or leaves. */
bool backlog_last(const hq_backlog *backlog, uint32_t worker, uint32_t *index_r);
bool backlog_pop_last(hq_backlog *backlog, uint32_t worker, uint32_t *index_r);
size_t backlog_length(const hq_backlog *backlog, uint32_t worker);
/* The worker whose queue is longest; UINT32_MAX if all are empty. */
uint32_t backlog_longest(const hq_backlog *backlog);

#endif
