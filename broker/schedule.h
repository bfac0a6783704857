/* broker/schedule.h - which worker computes which subtask, and when.
 *
 * Between workers. A subtask waits for the worker that holds most of its columns, else for the one that is its home
 * (broker/place.h). A worker with an executor that would stand idle takes another's: at once if nobody holds the
 * columns or if they wait there for longer than it takes to load them here; else when it has stood idle for as long as
 * loading takes, 100 ms at most. The idleness is the executor's, and no subtask that another executor gets meanwhile
 * begins it anew (with a delay that every local task begins anew, short tasks pile up on few workers: SPARK-18886).
 *
 * Between queries. The lowest priority number first. In one priority, users share the workers' time by their weights,
 * and the queries of one user share what is his equally: start-time fair queueing (Goyal, Vin and Cheng 1996), the cost
 * of a subtask being what the last ones of its query took.
 *
 * Within a query. The first subtasks come from all over the data set, the rest in its order.
 *
 * A query may be bounded (scheduler_bound): what its answers need is its owner's to know.
 *
 * At its end. When all subtasks are given out, or as many as may be, one that is under way for much longer than its
 * like took is given to a second worker that has nothing else to do; whose answer comes first is heard.
 *
 * A scheduler knows no sockets and no clock (times are passed to it, of any steady clock), and belongs to one thread.
 * Taking a subtask costs O(1) amortised in their number and O(log n) in that of workers, and O(n) in that of queries;
 * a worker's death costs a look at every subtask of every query.
 */
#ifndef HQ_BROKER_SCHEDULE_H
#define HQ_BROKER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "broker/place.h"

typedef struct hq_scheduler hq_scheduler;
typedef struct hq_work hq_work; /* one query's subtasks, as the scheduler sees them */

/* With is_random subtasks go to any worker, whatever it holds: for measurements. */
hq_scheduler *scheduler_new(bool is_random);
/* All work must have been removed. */
void scheduler_free(hq_scheduler **scheduler_p);

/* A worker; the number given back names it until it is removed, and may be given to another one after that. A credit
 * of 0 means that it drains: what waits for it goes to others. */
uint32_t scheduler_add_worker(hq_scheduler *scheduler, const hq_hash *id, uint32_t slots, uint32_t credit);
void scheduler_set_credit(hq_scheduler *scheduler, uint32_t worker, uint32_t credit);
/* What it had and what waited for it goes to others. */
void scheduler_remove_worker(hq_scheduler *scheduler, uint32_t worker);
/* It has dropped columns of the partition of that key. */
void scheduler_evicted(hq_scheduler *scheduler, uint32_t worker, uint64_t key);

uint32_t scheduler_outstanding(const hq_scheduler *scheduler, uint32_t worker);
/* Subtasks of a query that nobody has. */
uint32_t scheduler_waiting(const hq_work *work);

typedef uint64_t hq_work_key(const void *context, uint32_t index);

/* What is asked for. */
typedef struct hq_work_order {
    uint32_t count;
    int priority;
    const char *user;      /* whose share it is of */
    double weight;         /* of that share, > 0; the latest one counts */
    uint64_t columns;      /* that it reads, by place_column */
    uint32_t most_samples; /* of the first subtasks, which come from all over the data set; 0: as many as suit */
    hq_work_key *key;      /* the partition of a subtask, the same for all queries */
    const void *context;   /* of key */
    void *owner;           /* given back with each assignment */
} hq_work_order;

hq_work *scheduler_add_work(hq_scheduler *scheduler, const hq_work_order *order, int64_t now_us);
/* From now on the query has that priority. */
void scheduler_hurry(hq_scheduler *scheduler, hq_work *work, int priority);
/* From now on no more than so many > 0 of the query's subtasks are given out at once, whoever stands idle; in order,
 * always the first that waits, whoever holds its columns. No bound: UINT32_MAX, in no order. */
void scheduler_bound(hq_work *work, uint32_t most, bool is_in_order);
/* Forgets the query, subtasks under way included. */
void scheduler_remove_work(hq_scheduler *scheduler, hq_work **work_p);

typedef struct hq_assignment {
    void *owner; /* of the work */
    uint32_t index;
} hq_assignment;

/* Gives the worker at most max subtasks, never more than its credit leaves; they count as under way from now on. */
size_t scheduler_take(hq_scheduler *scheduler, uint32_t worker, int64_t now_us, hq_assignment *assignments_r,
                      size_t max);

typedef void hq_give(void *context, uint32_t worker, const hq_assignment *assignments, size_t count);
/* The same for every worker that has credit left; give is called for each that gets something. Gives back when to be
 * called again though nothing happens until then, INT64_MAX if that is never. */
int64_t scheduler_give(hq_scheduler *scheduler, int64_t now_us, hq_give *give, void *context);

/* How a subtask was done. */
typedef struct hq_done {
    uint32_t worker; /* by whom; HQ_NO_WORKER: it needed none */
    uint32_t load_us, run_us;
    bool was_cold; /* columns were read from file */
} hq_done;

/* False if it was done before. A worker that answers what others were given meanwhile is heard: its answer counts,
 * theirs will not. */
bool scheduler_done(hq_scheduler *scheduler, hq_work *work, uint32_t index, const hq_done *done, int64_t now_us);
/* The subtask is about to be asked for: its state is sent for from memory. */
void scheduler_expect(const hq_work *work, uint32_t index);
/* Its answer is here, but not counted yet: it is no straggler, however long that takes. */
void scheduler_answered(hq_work *work, uint32_t index);
/* The worker could not do it: it goes to somebody else if there is anybody else, and if nobody has it already. Gives
 * back how often it has failed. 0 if it is done or not with that worker. */
uint32_t scheduler_failed(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t worker);

/* The worker's answer is of no use, and nobody's fault: as scheduler_failed, but it does not count as a failure. False
 * if it is done or not with that worker. */
bool scheduler_put_back(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t worker);

/* Who else has a subtask that this worker has; HQ_NO_WORKER if nobody. */
uint32_t scheduler_rival(const hq_work *work, uint32_t index, uint32_t worker);

typedef struct hq_schedule_counts {
    uint64_t at_holder, at_home, stolen, stolen_held; /* how subtasks were given out */
    uint64_t twice;                                   /* stragglers given to a second worker */
} hq_schedule_counts;

hq_schedule_counts scheduler_counts(const hq_scheduler *scheduler);

#endif
