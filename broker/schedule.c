#include "broker/schedule.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

enum { SLOTS = 4096, MAX_PASSED_OVER = 64 /* subtasks that an idle worker looks at and may not have */ };

typedef enum subtask_state { WAITING, UNDER_WAY, FINISHED } subtask_state;

typedef struct subtask {
    uint32_t worker; /* whom it was given to last; HQ_NO_WORKER if nobody */
    uint8_t state, failures;
} subtask;

/* Indexes in order; what is taken from the front leaves a gap that is closed now and then. */
typedef struct queue {
    uint32_t *items;
    size_t head, count, capacity; /* items[head] up to items[count] */
} queue;

typedef struct worker {
    bool is_used;
    uint64_t seed; /* of its id */
    uint32_t slots, credit, outstanding;
} worker;

struct hq_work {
    hq_work *next; /* by priority, then age */
    int priority;
    uint32_t count, undealt; /* subtasks from undealt on have not been put into any queue */
    uint32_t waiting;
    subtask *subtasks;
    queue returned; /* to be dealt again, before the undealt */
    queue *queues;  /* one for each worker number */
    size_t queue_count;
    hq_work_key *key;
    const void *context;
    void *owner;
};

struct hq_scheduler {
    worker *workers;
    size_t worker_count, worker_capacity;
    uint32_t homes[SLOTS]; /* worker numbers; HQ_NO_WORKER if there are none */
    hq_work *first;
    uint32_t turn; /* which of several queries of one priority goes first */
};

static void queue_push(queue *q, uint32_t index)
{
    if (q->head > 1024 && q->head > q->count / 2) {
        memmove(q->items, q->items + q->head, (q->count - q->head) * sizeof *q->items);
        q->count -= q->head;
        q->head = 0;
    }
    HQ_GROW(q->items, q->count, q->capacity);
    q->items[q->count++] = index;
}

static size_t queue_length(const queue *q)
{
    return q->count - q->head;
}

static uint32_t queue_pop(queue *q)
{
    return q->items[q->head++];
}

hq_scheduler *scheduler_new(void)
{
    hq_scheduler *scheduler = hq_calloc(1, sizeof *scheduler);
    for (size_t i = 0; i < SLOTS; i++)
        scheduler->homes[i] = HQ_NO_WORKER;
    return scheduler;
}

static void work_free(hq_work *work)
{
    for (size_t i = 0; i < work->queue_count; i++)
        free(work->queues[i].items);
    free(work->queues);
    free(work->returned.items);
    free(work->subtasks);
    free(work);
}

void scheduler_free(hq_scheduler **scheduler_p)
{
    hq_scheduler *scheduler = *scheduler_p;
    if (!scheduler)
        return;
    while (scheduler->first) {
        hq_work *work = scheduler->first;
        scheduler->first = work->next;
        work_free(work);
    }
    free(scheduler->workers);
    free(scheduler);
    *scheduler_p = NULL;
}

/* The weighted rendezvous score: -weight / ln(u), u uniform in (0, 1) and the same whenever this worker meets this
 * slot. */
static double score(const worker *w, size_t slot)
{
    double u = ((double)(hash_mix(w->seed + slot * 0x9e3779b97f4a7c15u) >> 11) + 0.5) * 0x1p-53;
    return -(double)w->slots / log(u);
}

static void settle_slots(hq_scheduler *scheduler)
{
    for (size_t slot = 0; slot < SLOTS; slot++) {
        double best = -1;
        scheduler->homes[slot] = HQ_NO_WORKER;
        for (size_t i = 0; i < scheduler->worker_count; i++) {
            const worker *w = &scheduler->workers[i];
            double mine = w->is_used ? score(w, slot) : -1;
            if (mine > best) {
                best = mine;
                scheduler->homes[slot] = (uint32_t)i;
            }
        }
    }
}

uint32_t scheduler_add_worker(hq_scheduler *scheduler, const hq_hash *id, uint32_t slots, uint32_t credit)
{
    uint32_t number = 0;
    while (number < scheduler->worker_count && scheduler->workers[number].is_used)
        number++;
    if (number == scheduler->worker_count) {
        HQ_GROW(scheduler->workers, scheduler->worker_count, scheduler->worker_capacity);
        scheduler->worker_count++;
    }
    uint64_t seed;
    memcpy(&seed, id->bytes, sizeof seed);
    scheduler->workers[number] = (worker){.is_used = true, .seed = seed, .slots = slots ? slots : 1, .credit = credit};
    /* Only slots that the new one wins change hands; the others' scores are as they were. */
    for (size_t slot = 0; slot < SLOTS; slot++) {
        uint32_t home = scheduler->homes[slot];
        if (home == HQ_NO_WORKER || score(&scheduler->workers[number], slot) > score(&scheduler->workers[home], slot))
            scheduler->homes[slot] = number;
    }
    return number;
}

void scheduler_set_credit(hq_scheduler *scheduler, uint32_t number, uint32_t credit)
{
    scheduler->workers[number].credit = credit;
}

/* A subtask that is with nobody any more. */
static void give_back(hq_work *work, uint32_t index)
{
    work->subtasks[index].state = WAITING;
    work->subtasks[index].worker = HQ_NO_WORKER;
    work->waiting++;
    queue_push(&work->returned, index);
}

void scheduler_remove_worker(hq_scheduler *scheduler, uint32_t number)
{
    scheduler->workers[number].is_used = false;
    settle_slots(scheduler);
    for (hq_work *work = scheduler->first; work; work = work->next) {
        if (number < work->queue_count) {
            queue *own = &work->queues[number];
            while (queue_length(own) > 0)
                queue_push(&work->returned, queue_pop(own));
        }
        for (uint32_t i = 0; i < work->count; i++)
            if (work->subtasks[i].state == UNDER_WAY && work->subtasks[i].worker == number)
                give_back(work, i);
    }
    scheduler->workers[number].outstanding = 0;
}

uint32_t scheduler_outstanding(const hq_scheduler *scheduler, uint32_t number)
{
    return scheduler->workers[number].outstanding;
}

bool scheduler_can_take(const hq_scheduler *scheduler, uint32_t number)
{
    const worker *w = &scheduler->workers[number];
    if (w->outstanding >= w->credit)
        return false;
    for (const hq_work *work = scheduler->first; work; work = work->next)
        if (work->waiting > 0)
            return true;
    return false;
}

hq_work *scheduler_add_work(hq_scheduler *scheduler, uint32_t count, int priority, hq_work_key *key,
                            const void *context, void *owner)
{
    hq_work *work = hq_calloc(1, sizeof *work);
    *work = (hq_work){
        .priority = priority, .count = count, .waiting = count, .key = key, .context = context, .owner = owner};
    work->subtasks = hq_alloc(count * sizeof *work->subtasks);
    for (uint32_t i = 0; i < count; i++)
        work->subtasks[i] = (subtask){.worker = HQ_NO_WORKER, .state = WAITING};
    hq_work **place = &scheduler->first;
    while (*place && (*place)->priority <= priority)
        place = &(*place)->next;
    work->next = *place;
    *place = work;
    return work;
}

uint32_t scheduler_waiting(const hq_work *work)
{
    return work->waiting;
}

void scheduler_remove_work(hq_scheduler *scheduler, hq_work **work_p)
{
    hq_work *work = *work_p;
    if (!work)
        return;
    for (uint32_t i = 0; i < work->count; i++)
        if (work->subtasks[i].state == UNDER_WAY)
            scheduler->workers[work->subtasks[i].worker].outstanding--;
    hq_work **place = &scheduler->first;
    while (*place != work)
        place = &(*place)->next;
    *place = work->next;
    work_free(work);
    *work_p = NULL;
}

static queue *queue_of(hq_scheduler *scheduler, hq_work *work, uint32_t number)
{
    if (number >= work->queue_count) {
        size_t count = scheduler->worker_count > number + 1 ? scheduler->worker_count : number + 1;
        work->queues = hq_realloc(work->queues, count, sizeof *work->queues);
        memset(work->queues + work->queue_count, 0, (count - work->queue_count) * sizeof *work->queues);
        work->queue_count = count;
    }
    return &work->queues[number];
}

/* True if the worker was the last to fail on it, and there is another that may do better. */
static bool is_barred(const hq_scheduler *scheduler, const subtask *s, uint32_t number)
{
    if (s->failures == 0 || s->worker != number)
        return false;
    for (size_t i = 0; i < scheduler->worker_count; i++)
        if (i != number && scheduler->workers[i].is_used && scheduler->workers[i].credit > 0)
            return true;
    return false;
}

/* Whose queue a subtask goes into: its home's, or, if that has just failed on it, the next one's. */
static uint32_t host_of(const hq_scheduler *scheduler, const hq_work *work, uint32_t index)
{
    uint32_t host = scheduler->homes[hash_mix(work->key(work->context, index)) % SLOTS];
    for (size_t i = 1; i < scheduler->worker_count && is_barred(scheduler, &work->subtasks[index], host); i++) {
        uint32_t next = (uint32_t)((host + i) % scheduler->worker_count);
        if (scheduler->workers[next].is_used && scheduler->workers[next].credit > 0)
            return next;
    }
    return host;
}

/* Puts the next subtask that is in no queue into one; false if there is none. */
static bool deal_one(hq_scheduler *scheduler, hq_work *work)
{
    uint32_t index;
    if (queue_length(&work->returned) > 0)
        index = queue_pop(&work->returned);
    else if (work->undealt < work->count)
        index = work->undealt++;
    else
        return false;
    if (work->subtasks[index].state == WAITING)
        queue_push(queue_of(scheduler, work, host_of(scheduler, work, index)), index);
    return true;
}

/* The next waiting subtask of a queue, or false. What was answered while it lay there is passed over. */
static bool take_from(const hq_work *work, queue *from, uint32_t *index_r)
{
    while (queue_length(from) > 0) {
        *index_r = queue_pop(from);
        if (work->subtasks[*index_r].state == WAITING)
            return true;
    }
    return false;
}

static queue *longest_queue(hq_work *work)
{
    queue *longest = NULL;
    for (size_t i = 0; i < work->queue_count; i++)
        if (!longest || queue_length(&work->queues[i]) > queue_length(longest))
            longest = &work->queues[i];
    return longest && queue_length(longest) > 0 ? longest : NULL;
}

/* Another worker's. */
static bool steal_one(hq_scheduler *scheduler, hq_work *work, uint32_t number, uint32_t *index_r)
{
    for (int passed = 0; passed < MAX_PASSED_OVER; passed++) {
        queue *longest = longest_queue(work);
        if (!longest)
            return false;
        if (!take_from(work, longest, index_r))
            continue;
        if (!is_barred(scheduler, &work->subtasks[*index_r], number))
            return true;
        queue_push(longest, *index_r);
    }
    return false;
}

static bool take_one(hq_scheduler *scheduler, hq_work *work, uint32_t number, uint32_t *index_r)
{
    while (!take_from(work, queue_of(scheduler, work, number), index_r))
        if (!deal_one(scheduler, work)) {
            /* What is another's stays there unless an executor of this one would stand idle. */
            const worker *w = &scheduler->workers[number];
            return w->outstanding < w->slots && steal_one(scheduler, work, number, index_r);
        }
    return true;
}

/* At most max subtasks of one query. */
static size_t take_work(hq_scheduler *scheduler, hq_work *work, uint32_t number, hq_assignment *assignments_r,
                        size_t max)
{
    size_t taken = 0;
    uint32_t index;
    while (taken < max && work->waiting > 0 && take_one(scheduler, work, number, &index)) {
        work->subtasks[index].state = UNDER_WAY;
        work->subtasks[index].worker = number;
        work->waiting--;
        scheduler->workers[number].outstanding++;
        assignments_r[taken++] = (hq_assignment){work->owner, index};
    }
    return taken;
}

/* The queries of one priority, from first on: a round of equal shares, then whoever has more. */
static size_t take_group(hq_scheduler *scheduler, hq_work *first, size_t size, uint32_t number,
                         hq_assignment *assignments_r, size_t max)
{
    size_t taken = 0, share = (max + size - 1) / size, begin = scheduler->turn++ % size;
    hq_work *work = first;
    for (size_t i = 0; i < begin; i++)
        work = work->next;
    for (size_t i = 0; i < 2 * size && taken < max; i++) {
        size_t left = max - taken;
        size_t most = i < size && share < left ? share : left;
        taken += take_work(scheduler, work, number, assignments_r + taken, most);
        work = begin + i + 1 == size || begin + i + 1 == 2 * size ? first : work->next;
    }
    return taken;
}

size_t scheduler_take(hq_scheduler *scheduler, uint32_t number, hq_assignment *assignments_r, size_t max)
{
    const worker *w = &scheduler->workers[number];
    size_t taken = 0;
    for (hq_work *work = scheduler->first; work && taken < max && w->outstanding < w->credit;) {
        size_t size = 0, room = w->credit - w->outstanding;
        hq_work *next = work;
        for (; next && next->priority == work->priority; next = next->next)
            size++;
        if (room > max - taken)
            room = max - taken;
        taken += take_group(scheduler, work, size, number, assignments_r + taken, room);
        work = next;
    }
    return taken;
}

bool scheduler_done(hq_scheduler *scheduler, hq_work *work, uint32_t index)
{
    subtask *s = &work->subtasks[index];
    if (s->state == FINISHED)
        return false;
    if (s->state == WAITING)
        work->waiting--;
    else
        scheduler->workers[s->worker].outstanding--;
    s->state = FINISHED;
    return true;
}

uint32_t scheduler_failed(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t number)
{
    subtask *s = &work->subtasks[index];
    if (s->state != UNDER_WAY || s->worker != number)
        return 0;
    scheduler->workers[number].outstanding--;
    uint32_t failures = s->failures < UINT8_MAX ? ++s->failures : s->failures;
    s->state = WAITING; /* s->worker stays, so that it is not given to the same one again */
    work->waiting++;
    queue_push(&work->returned, index);
    return failures;
}
