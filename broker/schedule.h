/* broker/schedule.h - which worker computes which subtask.
 *
 * Every subtask has a key (a mix of its file's identity and its first entry), every key a home among the workers: the
 * keys fall into 4,096 slots and each slot belongs to the worker that wins it by weighted rendezvous hashing (Thaler
 * and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005), so a question asked again finds its columns
 * where they were loaded, and a worker that comes or goes moves only its own share. A worker takes subtasks whose home
 * it is; one whose executors would stand idle takes another's.
 *
 * Between queries: the lowest priority number first; queries of one priority share each hand-out equally.
 *
 * A scheduler knows no sockets and no clock, and belongs to one thread. Taking a subtask costs O(1) amortised, whatever
 * their number; a worker's death costs a scan of what is under way.
 */
#ifndef HQ_BROKER_SCHEDULE_H
#define HQ_BROKER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

typedef struct hq_scheduler hq_scheduler;
typedef struct hq_work hq_work; /* one query's subtasks, as the scheduler sees them */

hq_scheduler *scheduler_new(void);
/* All work must have been removed. */
void scheduler_free(hq_scheduler **scheduler_p);

/* A worker; the number given back names it until it is removed, and may be given to another one after that. */
uint32_t scheduler_add_worker(hq_scheduler *scheduler, const hq_hash *id, uint32_t slots, uint32_t credit);
void scheduler_set_credit(hq_scheduler *scheduler, uint32_t worker, uint32_t credit);
/* What it had and what waited for it goes to others. */
void scheduler_remove_worker(hq_scheduler *scheduler, uint32_t worker);

uint32_t scheduler_outstanding(const hq_scheduler *scheduler, uint32_t worker);
/* True if scheduler_take could give that worker something. */
bool scheduler_can_take(const hq_scheduler *scheduler, uint32_t worker);

typedef uint64_t hq_work_key(const void *context, uint32_t index);

/* A query of count subtasks. owner is given back with each assignment. */
hq_work *scheduler_add_work(hq_scheduler *scheduler, uint32_t count, int priority, hq_work_key *key,
                            const void *context, void *owner);
/* How many of its subtasks are neither done nor with a worker. */
uint32_t scheduler_waiting(const hq_work *work);
/* Forgets the query, subtasks under way included. */
void scheduler_remove_work(hq_scheduler *scheduler, hq_work **work_p);

typedef struct hq_assignment {
    void *owner; /* of the work */
    uint32_t index;
} hq_assignment;

/* Gives the worker at most max subtasks, never more than its credit leaves; they count as under way from now on. */
size_t scheduler_take(hq_scheduler *scheduler, uint32_t worker, hq_assignment *assignments_r, size_t max);

enum { HQ_NO_WORKER = UINT32_MAX };

/* The subtask is done. False if it was done before. A worker that answers what others were given meanwhile is heard:
 * its answer counts, theirs will not. */
bool scheduler_done(hq_scheduler *scheduler, hq_work *work, uint32_t index);
/* The worker could not do it: it goes to somebody else if there is anybody else. Gives back how often it has failed. 0
 * if it is done or not with that worker. */
uint32_t scheduler_failed(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t worker);

#endif
