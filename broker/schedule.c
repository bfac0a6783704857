#include "broker/schedule.h"

#include <string.h>

#include "base/memory.h"
#include "broker/backlog.h"
#include "broker/queue.h"

enum {
    MAX_HELD = 1 << 20, /* partitions whose holders are remembered: some 80 MB */
    MAX_PASSED = 64,    /* subtasks that an idle worker looks at and may not have */
    MAX_DEALT = 8192,   /* put into queues by one take, so that it does not last long */
    EXPECTED = 8,       /* subtasks ahead of the one that is taken, whose state is sent for */
    AT_ONCE = 4096,     /* given to one worker by one pass */
    LEAST_SAMPLE = 64,  /* subtasks from all over the data set, which come first */
    MAX_SAMPLE = 1024,
    STRAGGLER_TIMES = 3, /* what its like took */
    STRAGGLERS_SEEN = 8,
    STRAGGLER_US = 100000, /* what lasts no longer is none */
    DELAY_US = 100000,     /* an idle worker waits no longer for another's */
    SOME_LOAD_US = 20000,
    SOME_RUN_US = 1000 /* as long as nothing has been measured */
};

typedef enum subtask_state { WAITING, UNDER_WAY, FINISHED } subtask_state;

typedef struct subtask {
    uint32_t worker;   /* whom it was given to last; HQ_NO_WORKER if nobody */
    uint32_t second;   /* who has it too; HQ_NO_WORKER mostly */
    uint32_t given_ms; /* since its work came */
    uint8_t state, failures;
    bool is_dealt, is_answered;
} subtask;

typedef struct worker {
    bool is_used;
    uint64_t seed; /* of its id */
    uint32_t slots, credit, outstanding;
    int64_t idle_us; /* since when an executor has stood idle; 0: none has */
} worker;

typedef struct share { /* a user's */
    struct share *next;
    char *user;
    double weight, time, clock; /* virtual times: its own among users, that of its queries */
    uint32_t works;
} share;

struct hq_work {
    hq_work *next; /* by priority, then age */
    int priority;
    share *share;
    double time;                               /* virtual, among the queries of its share */
    uint64_t passed;                           /* the take that found nothing for its worker here */
    uint32_t count, sampled, samples, undealt; /* subtasks from undealt on have not been dealt, but for the samples */
    uint32_t waiting, serial;
    uint32_t under_way, most;
    bool is_in_order;
    uint32_t lowest; /* no subtask before it waits */
    subtask *subtasks;
    hq_queue returned; /* to be dealt again, before the undealt */
    hq_queue flight;   /* under way, in the order of their giving; what is not any more is passed over */
    hq_backlog *backlog;
    int64_t added_us;
    double load_us, run_us, turn_us; /* means of late: loading when something was cold, loop, from giving to answer */
    double cost_us;                  /* mean of late of loading and loop together, cold or not */
    uint64_t columns;
    hq_work_key *key;
    const void *context;
    void *owner;
};

struct hq_scheduler {
    bool is_random;
    hq_places *places;
    worker *workers;
    size_t worker_count, worker_capacity;
    hq_work *first;
    share *shares;
    double clock; /* virtual, of the shares */
    uint64_t take, waiting;
    uint32_t works, turn;
    double load_us, run_us;
    int64_t due_us;
    size_t dealt; /* by this take */
    hq_schedule_counts counts;
};

/* A mean that forgets; the first value is the mean. */
static void note_mean(double *mean, double value)
{
    *mean = *mean > 0 ? 0.8 * *mean + 0.2 * value : value;
}

static double least(double one, double other)
{
    return one < other ? one : other;
}

hq_scheduler *scheduler_new(bool is_random)
{
    hq_scheduler *scheduler = hq_calloc(1, sizeof *scheduler);
    scheduler->is_random = is_random;
    scheduler->places = places_new(MAX_HELD);
    scheduler->due_us = INT64_MAX;
    return scheduler;
}

static void work_free(hq_work *work)
{
    backlog_free(&work->backlog);
    queue_clear(&work->returned);
    queue_clear(&work->flight);
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
        scheduler_remove_work(scheduler, &work);
    }
    for (share *s = scheduler->shares, *next; s; s = next) {
        next = s->next;
        free(s->user);
        free(s);
    }
    places_free(&scheduler->places);
    free(scheduler->workers);
    free(scheduler);
    *scheduler_p = NULL;
}

/* ---- workers ---- */

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
    scheduler->workers[number] = (worker){.is_used = true, .seed = seed, .slots = slots ? slots : 1};
    scheduler_set_credit(scheduler, number, credit);
    return number;
}

/* What waits for it is dealt again. */
static void take_home_away(hq_scheduler *scheduler, uint32_t number)
{
    place_remove(scheduler->places, number);
    uint32_t index;
    for (hq_work *work = scheduler->first; work; work = work->next)
        while (backlog_pop(work->backlog, number, &index))
            queue_push(&work->returned, index);
}

void scheduler_set_credit(hq_scheduler *scheduler, uint32_t number, uint32_t credit)
{
    worker *w = &scheduler->workers[number];
    uint32_t before = w->credit;
    w->credit = credit;
    if (credit && !before)
        place_add(scheduler->places, number, w->seed, w->slots);
    else if (before && !credit)
        take_home_away(scheduler, number);
}

static void wait_again(hq_scheduler *scheduler, hq_work *work, uint32_t index)
{
    work->subtasks[index].state = WAITING;
    work->subtasks[index].is_answered = false;
    work->waiting++;
    work->under_way--;
    scheduler->waiting++;
    if (index < work->lowest)
        work->lowest = index;
    queue_push(&work->returned, index);
}

/* The worker has it no more. False if it was not with it. */
static bool take_away(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t number)
{
    subtask *s = &work->subtasks[index];
    if (s->state != UNDER_WAY || (s->worker != number && s->second != number))
        return false;
    scheduler->workers[number].outstanding--;
    if (s->second == HQ_NO_WORKER) {
        wait_again(scheduler, work, index);
        return true;
    }
    if (s->worker == number)
        s->worker = s->second;
    s->second = HQ_NO_WORKER;
    return true;
}

void scheduler_remove_worker(hq_scheduler *scheduler, uint32_t number)
{
    scheduler_set_credit(scheduler, number, 0);
    scheduler->workers[number].is_used = false;
    for (hq_work *work = scheduler->first; work; work = work->next)
        for (uint32_t i = 0; i < work->count; i++)
            if (take_away(scheduler, work, i, number)) {
                if (work->subtasks[i].state == WAITING)
                    work->subtasks[i].worker = HQ_NO_WORKER;
                else /* a straggler that may have a second worker again */
                    queue_push(&work->flight, i);
            }
}

void scheduler_evicted(hq_scheduler *scheduler, uint32_t number, uint64_t key)
{
    place_forget(scheduler->places, key, number);
}

uint32_t scheduler_outstanding(const hq_scheduler *scheduler, uint32_t number)
{
    return scheduler->workers[number].outstanding;
}

uint32_t scheduler_waiting(const hq_work *work)
{
    return work->waiting;
}

hq_schedule_counts scheduler_counts(const hq_scheduler *scheduler)
{
    return scheduler->counts;
}

/* ---- queries ---- */

static share *share_of(hq_scheduler *scheduler, const char *user, double weight)
{
    share *s = scheduler->shares;
    while (s && strcmp(s->user, user) != 0)
        s = s->next;
    if (!s) {
        s = hq_calloc(1, sizeof *s);
        s->user = hq_strdup(user);
        s->next = scheduler->shares;
        scheduler->shares = s;
    }
    /* Who asked for nothing meanwhile has saved nothing up. */
    if (s->works == 0 && s->time < scheduler->clock)
        s->time = scheduler->clock;
    s->weight = weight > 0 ? weight : 1;
    s->works++;
    return s;
}

/* A share is kept for as long as it has work, or has had more than others who have. */
static void leave_share(hq_scheduler *scheduler, share *left)
{
    left->works--;
    for (share **place = &scheduler->shares; *place;) {
        share *s = *place;
        if (s->works > 0 || (scheduler->first && s->time > scheduler->clock)) {
            place = &s->next;
            continue;
        }
        *place = s->next;
        free(s->user);
        free(s);
    }
}

static uint32_t sample_size(const hq_scheduler *scheduler, uint32_t count)
{
    uint64_t slots = 0;
    for (size_t i = 0; i < scheduler->worker_count; i++)
        slots += scheduler->workers[i].is_used ? scheduler->workers[i].slots : 0;
    uint64_t size = 2 * slots < LEAST_SAMPLE ? LEAST_SAMPLE : 2 * slots > MAX_SAMPLE ? MAX_SAMPLE : 2 * slots;
    return count < size ? count : (uint32_t)size;
}

/* Among the others by priority, then age. */
static void line_up(hq_scheduler *scheduler, hq_work *work)
{
    hq_work **place = &scheduler->first;
    while (*place && ((*place)->priority < work->priority ||
                      ((*place)->priority == work->priority && (*place)->serial < work->serial)))
        place = &(*place)->next;
    work->next = *place;
    *place = work;
}

static void step_out(hq_scheduler *scheduler, const hq_work *work)
{
    hq_work **place = &scheduler->first;
    while (*place != work)
        place = &(*place)->next;
    *place = work->next;
}

hq_work *scheduler_add_work(hq_scheduler *scheduler, const hq_work_order *order, int64_t now_us)
{
    hq_work *work = hq_calloc(1, sizeof *work);
    *work = (hq_work){.priority = order->priority,
                      .share = share_of(scheduler, order->user, order->weight),
                      .count = order->count,
                      .samples = sample_size(scheduler, order->count),
                      .waiting = order->count,
                      .most = UINT32_MAX,
                      .serial = scheduler->works++,
                      .backlog = backlog_new(),
                      .added_us = now_us,
                      .columns = order->columns,
                      .key = order->key,
                      .context = order->context,
                      .owner = order->owner};
    if (order->most_samples && work->samples > order->most_samples)
        work->samples = order->most_samples;
    work->time = work->share->clock;
    work->subtasks = hq_alloc(order->count * sizeof *work->subtasks);
    for (uint32_t i = 0; i < order->count; i++)
        work->subtasks[i] = (subtask){.worker = HQ_NO_WORKER, .second = HQ_NO_WORKER, .state = WAITING};
    scheduler->waiting += order->count;
    line_up(scheduler, work);
    return work;
}

void scheduler_hurry(hq_scheduler *scheduler, hq_work *work, int priority)
{
    step_out(scheduler, work);
    work->priority = priority;
    line_up(scheduler, work);
}

void scheduler_bound(hq_work *work, uint32_t most, bool is_in_order)
{
    work->most = most;
    work->is_in_order = is_in_order;
}

void scheduler_remove_work(hq_scheduler *scheduler, hq_work **work_p)
{
    hq_work *work = *work_p;
    if (!work)
        return;
    for (uint32_t i = 0; i < work->count; i++) {
        const subtask *s = &work->subtasks[i];
        if (s->state == UNDER_WAY)
            scheduler->workers[s->worker].outstanding--;
        if (s->state == UNDER_WAY && s->second != HQ_NO_WORKER)
            scheduler->workers[s->second].outstanding--;
    }
    scheduler->waiting -= work->waiting;
    step_out(scheduler, work);
    leave_share(scheduler, work->share);
    work_free(work);
    *work_p = NULL;
}

/* What a subtask of the query costs, as far as anybody knows. */
static double run_cost_us(const hq_scheduler *scheduler, const hq_work *work)
{
    return work->run_us > 0 ? work->run_us : scheduler->run_us > 0 ? scheduler->run_us : SOME_RUN_US;
}

static double load_cost_us(const hq_scheduler *scheduler, const hq_work *work)
{
    return work->load_us > 0 ? work->load_us : scheduler->load_us > 0 ? scheduler->load_us : SOME_LOAD_US;
}

/* ---- dealing: whose queue a subtask waits in ---- */

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

static uint32_t any_worker(const hq_scheduler *scheduler, const hq_work *work, uint32_t index)
{
    return place_home(scheduler->places, hash_mix(((uint64_t)work->serial << 32) + index));
}

/* Who holds it, or its home; if that has just failed on it, the next one. */
static uint32_t host_of(const hq_scheduler *scheduler, const hq_work *work, uint32_t index)
{
    uint64_t key = work->key(work->context, index);
    uint32_t host = scheduler->is_random ? any_worker(scheduler, work, index)
                                         : place_holder(scheduler->places, key, work->columns);
    if (host == HQ_NO_WORKER || scheduler->workers[host].credit == 0)
        host = place_home(scheduler->places, key);
    for (size_t i = 1; i < scheduler->worker_count && is_barred(scheduler, &work->subtasks[index], host); i++) {
        uint32_t next = (uint32_t)((host + i) % scheduler->worker_count);
        if (scheduler->workers[next].is_used && scheduler->workers[next].credit > 0)
            return next;
    }
    return host;
}

/* k's bits in reverse order, as a fraction of 1, times count: spread evenly however many there are (van der Corput). */
static uint32_t spread(uint32_t k, uint32_t count)
{
    uint32_t bits = k;
    bits = (bits >> 16) | (bits << 16);
    bits = ((bits & 0xff00ff00) >> 8) | ((bits & 0x00ff00ff) << 8);
    bits = ((bits & 0xf0f0f0f0) >> 4) | ((bits & 0x0f0f0f0f) << 4);
    bits = ((bits & 0xcccccccc) >> 2) | ((bits & 0x33333333) << 2);
    bits = ((bits & 0xaaaaaaaa) >> 1) | ((bits & 0x55555555) << 1);
    return (uint32_t)((uint64_t)bits * count >> 32);
}

/* The next subtask that is in no queue; false if there is none. */
static bool next_undealt(hq_work *work, uint32_t *index_r)
{
    if (queue_length(&work->returned) > 0) {
        *index_r = *queue_at(&work->returned, 0);
        queue_drop(&work->returned, 1);
        return true;
    }
    while (work->sampled < work->samples) {
        *index_r = spread(work->sampled++, work->count);
        if (!work->subtasks[*index_r].is_dealt)
            return true;
    }
    while (work->undealt < work->count) {
        *index_r = work->undealt++;
        if (!work->subtasks[*index_r].is_dealt)
            return true;
    }
    return false;
}

/* Puts one more into a queue; false if there is none, or have been enough for one take. */
static bool deal_one(hq_scheduler *scheduler, hq_work *work)
{
    uint32_t index;
    if (scheduler->dealt >= MAX_DEALT || !next_undealt(work, &index))
        return false;
    scheduler->dealt++;
    work->subtasks[index].is_dealt = true;
    if (work->subtasks[index].state != WAITING)
        return true;
    uint32_t host = host_of(scheduler, work, index);
    if (host == HQ_NO_WORKER) { /* everybody drains */
        queue_push(&work->returned, index);
        return false;
    }
    backlog_push(work->backlog, host, index);
    return true;
}

/* ---- taking ---- */

/* Whether an idle worker may have what waits for another one. */
static bool may_steal(hq_scheduler *scheduler, const hq_work *work, uint32_t victim, uint32_t thief, uint32_t index,
                      int64_t now_us)
{
    const worker *v = &scheduler->workers[victim], *t = &scheduler->workers[thief];
    uint64_t key = work->key(work->context, index);
    if (scheduler->is_random || !work->columns || !place_is_held(scheduler->places, key, victim, work->columns) ||
        place_is_held(scheduler->places, key, thief, work->columns))
        return true; /* it costs here what it costs there */
    double load_us = load_cost_us(scheduler, work);
    double wait_us = (double)(backlog_length(work->backlog, victim) + v->outstanding) * run_cost_us(scheduler, work) /
                     v->slots;
    if (wait_us > load_us)
        return true;
    int64_t since_us = t->idle_us && t->idle_us > work->added_us ? t->idle_us : work->added_us;
    int64_t due_us = since_us + (int64_t)least(load_us, DELAY_US);
    if (now_us >= due_us)
        return true;
    if (due_us < scheduler->due_us)
        scheduler->due_us = due_us;
    return false;
}

static bool steal_one(hq_scheduler *scheduler, hq_work *work, uint32_t number, int64_t now_us, uint32_t *index_r)
{
    uint32_t passed[MAX_PASSED], hosts[MAX_PASSED];
    size_t count = 0;
    bool has_one = false;
    while (!has_one && count < MAX_PASSED) {
        uint32_t longest = backlog_longest(work->backlog);
        if (longest == HQ_NO_WORKER)
            break;
        backlog_last(work->backlog, longest, index_r);
        const subtask *s = &work->subtasks[*index_r];
        if (s->state == WAITING && !is_barred(scheduler, s, number) &&
            !may_steal(scheduler, work, longest, number, *index_r, now_us))
            break;
        backlog_pop_last(work->backlog, longest, index_r);
        if (s->state != WAITING)
            continue; /* answered while it lay there */
        has_one = !is_barred(scheduler, s, number);
        if (has_one) {
            bool is_held = place_is_held(scheduler->places, work->key(work->context, *index_r), longest, work->columns);
            scheduler->counts.stolen++;
            scheduler->counts.stolen_held += is_held;
        } else {
            hosts[count] = longest;
            passed[count++] = *index_r;
        }
    }
    while (count > 0) {
        count--;
        backlog_push(work->backlog, hosts[count], passed[count]);
    }
    return has_one;
}

/* The first of its own queue that still waits. */
static bool take_own(hq_scheduler *scheduler, hq_work *work, uint32_t number, uint32_t *index_r)
{
    uint32_t later;
    if (backlog_behind(work->backlog, number, EXPECTED, &later))
        scheduler_expect(work, later);
    while (backlog_pop(work->backlog, number, index_r))
        if (work->subtasks[*index_r].state == WAITING) {
            bool is_held = place_is_held(scheduler->places, work->key(work->context, *index_r), number, work->columns);
            scheduler->counts.at_holder += is_held;
            scheduler->counts.at_home += !is_held;
            return true;
        }
    return false;
}

/* The first of all that waits, whose queue it may be in: there it is passed over. */
static bool take_lowest(hq_scheduler *scheduler, hq_work *work, uint32_t number, uint32_t *index_r)
{
    while (work->lowest < work->count && work->subtasks[work->lowest].state != WAITING)
        work->lowest++;
    *index_r = work->lowest;
    if (work->lowest == work->count || is_barred(scheduler, &work->subtasks[work->lowest], number))
        return false;
    uint64_t key = work->key(work->context, *index_r);
    bool is_held = place_is_held(scheduler->places, key, number, work->columns);
    bool is_home = place_home(scheduler->places, key) == number;
    scheduler->counts.at_holder += is_held;
    scheduler->counts.at_home += !is_held && is_home;
    scheduler->counts.stolen += !is_held && !is_home;
    return true;
}

static bool take_one(hq_scheduler *scheduler, hq_work *work, uint32_t number, int64_t now_us, uint32_t *index_r)
{
    if (work->is_in_order)
        return take_lowest(scheduler, work, number, index_r);
    while (!take_own(scheduler, work, number, index_r))
        if (!deal_one(scheduler, work)) {
            /* What is another's stays there unless an executor of this one would stand idle. */
            const worker *w = &scheduler->workers[number];
            return w->outstanding < w->slots && steal_one(scheduler, work, number, now_us, index_r);
        }
    return true;
}

/* One worker has it, and has not answered yet. */
static bool is_with_one(const subtask *s)
{
    return s->state == UNDER_WAY && s->second == HQ_NO_WORKER && !s->is_answered;
}

/* Those at the front that are over are forgotten. */
static void trim_flight(hq_work *work)
{
    while (queue_length(&work->flight) > 0 && !is_with_one(&work->subtasks[*queue_at(&work->flight, 0)]))
        queue_drop(&work->flight, 1);
}

/* At most max subtasks of one query. */
static size_t take_work(hq_scheduler *scheduler, hq_work *work, uint32_t number, int64_t now_us,
                        hq_assignment *assignments_r, size_t max)
{
    size_t taken = 0;
    uint32_t index;
    trim_flight(work);
    if (max > work->most - work->under_way)
        max = work->most - work->under_way;
    while (taken < max && work->waiting > 0 && take_one(scheduler, work, number, now_us, &index)) {
        subtask *s = &work->subtasks[index];
        s->state = UNDER_WAY;
        s->worker = number;
        s->given_ms = (uint32_t)((now_us - work->added_us) / 1000);
        queue_push(&work->flight, index);
        work->waiting--;
        work->under_way++;
        scheduler->waiting--;
        scheduler->workers[number].outstanding++;
        assignments_r[taken++] = (hq_assignment){work->owner, index};
    }
    return taken;
}

/* ---- between queries ---- */

/* Whether some of its subtasks may be given out. */
static bool has_some(const hq_work *work)
{
    return work->waiting > 0 && work->under_way < work->most;
}

/* Of the queries of first's priority that may have something for this worker, the one whose turn it is. */
static hq_work *pick(const hq_scheduler *scheduler, hq_work *first, size_t *count_r)
{
    hq_work *best = NULL;
    *count_r = 0;
    for (hq_work *work = first; work && work->priority == first->priority; work = work->next) {
        if (!has_some(work) || work->passed == scheduler->take)
            continue;
        ++*count_r;
        bool is_first = !best || work->share->time < best->share->time ||
                        (work->share == best->share && work->time < best->time);
        if (is_first)
            best = work;
    }
    return best;
}

static void charge(hq_scheduler *scheduler, hq_work *work, size_t count)
{
    double cost_us = (double)count * (work->cost_us > 0 ? work->cost_us : run_cost_us(scheduler, work));
    if (work->share->time > scheduler->clock)
        scheduler->clock = work->share->time;
    if (work->time > work->share->clock)
        work->share->clock = work->time;
    work->share->time += cost_us / work->share->weight;
    work->time += cost_us;
}

/* The queries of one priority, from first on. */
static size_t take_group(hq_scheduler *scheduler, hq_work *first, uint32_t number, int64_t now_us,
                         hq_assignment *assignments_r, size_t max)
{
    size_t taken = 0, count;
    hq_work *work;
    while (taken < max && (work = pick(scheduler, first, &count))) {
        size_t most = count == 1 ? max - taken : (max - taken + count - 1) / count;
        size_t got = take_work(scheduler, work, number, now_us, assignments_r + taken, most);
        charge(scheduler, work, got);
        taken += got;
        if (got < most)
            work->passed = scheduler->take;
    }
    return taken;
}

/* ---- stragglers ---- */

/* How long after its giving a subtask of this query is one. */
static double patience_us(const hq_work *work)
{
    double us = STRAGGLER_TIMES * work->turn_us;
    return us < STRAGGLER_US ? STRAGGLER_US : us;
}

/* Those that one worker has for longest; what is over, answered, or with a second worker leaves the list on the way. */
static size_t oldest_under_way(hq_work *work, uint32_t oldest_r[static STRAGGLERS_SEEN])
{
    hq_queue *flight = &work->flight;
    size_t count = 0, at = 0;
    for (; at < queue_length(flight) && count < STRAGGLERS_SEEN; at++)
        if (is_with_one(&work->subtasks[*queue_at(flight, at)]))
            oldest_r[count++] = *queue_at(flight, at);
    queue_drop(flight, at - count);
    for (size_t i = 0; i < count; i++)
        *queue_at(flight, i) = oldest_r[i];
    return count;
}

/* A subtask that somebody else has had for too long; false if there is none. */
static bool find_straggler(hq_scheduler *scheduler, hq_work *work, uint32_t number, int64_t now_us, uint32_t *index_r)
{
    if (work->turn_us <= 0)
        return false; /* there is no like of it yet */
    uint32_t oldest[STRAGGLERS_SEEN];
    size_t count = oldest_under_way(work, oldest);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = oldest[i];
        const subtask *s = &work->subtasks[index];
        if (s->worker == number)
            continue;
        int64_t due_us = work->added_us + (int64_t)s->given_ms * 1000 + (int64_t)patience_us(work);
        if (now_us >= due_us) {
            *index_r = index;
            return true;
        }
        if (due_us < scheduler->due_us)
            scheduler->due_us = due_us;
    }
    return false;
}

static size_t take_stragglers(hq_scheduler *scheduler, uint32_t number, int64_t now_us, hq_assignment *assignments_r,
                              size_t max)
{
    worker *w = &scheduler->workers[number];
    size_t taken = 0;
    uint32_t index;
    for (hq_work *work = scheduler->first; work; work = work->next)
        while (!has_some(work) && taken < max && w->outstanding < w->slots &&
               find_straggler(scheduler, work, number, now_us, &index)) {
            work->subtasks[index].second = number;
            w->outstanding++;
            scheduler->counts.twice++;
            assignments_r[taken++] = (hq_assignment){work->owner, index};
        }
    return taken;
}

/* ---- a take ---- */

size_t scheduler_take(hq_scheduler *scheduler, uint32_t number, int64_t now_us, hq_assignment *assignments_r,
                      size_t max)
{
    worker *w = &scheduler->workers[number];
    size_t taken = 0;
    if (w->outstanding >= w->credit)
        return 0;
    if (max > w->credit - w->outstanding)
        max = w->credit - w->outstanding;
    if (w->outstanding < w->slots && !w->idle_us)
        w->idle_us = now_us;
    scheduler->take++;
    scheduler->dealt = 0;
    for (hq_work *work = scheduler->first; work && taken < max && scheduler->waiting > 0;) {
        taken += take_group(scheduler, work, number, now_us, assignments_r + taken, max - taken);
        int priority = work->priority;
        while (work && work->priority == priority)
            work = work->next;
    }
    taken += take_stragglers(scheduler, number, now_us, assignments_r + taken, max - taken);
    if (w->outstanding >= w->slots)
        w->idle_us = 0;
    if (scheduler->dealt >= MAX_DEALT)
        scheduler->due_us = now_us; /* there is more to deal */
    return taken;
}

int64_t scheduler_give(hq_scheduler *scheduler, int64_t now_us, hq_give *give, void *context)
{
    hq_assignment assignments[AT_ONCE];
    scheduler->due_us = INT64_MAX;
    if (!scheduler->first)
        return INT64_MAX;
    bool is_any = false;
    for (const hq_work *work = scheduler->first; work && !is_any; work = work->next)
        is_any = has_some(work);
    size_t count = scheduler->worker_count, begin = count ? scheduler->turn++ % count : 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)((begin + i) % count);
        const worker *w = &scheduler->workers[number];
        if (!w->is_used || w->outstanding >= w->credit || (!is_any && w->outstanding >= w->slots))
            continue;
        size_t taken = scheduler_take(scheduler, number, now_us, assignments, AT_ONCE);
        if (taken > 0)
            give(context, number, assignments, taken);
    }
    return scheduler->due_us;
}

/* ---- what becomes of it ---- */

static void note_times(hq_scheduler *scheduler, hq_work *work, const subtask *s, const hq_done *done, int64_t now_us)
{
    note_mean(&work->cost_us, (double)done->load_us + done->run_us);
    note_mean(&work->run_us, done->run_us);
    note_mean(&scheduler->run_us, done->run_us);
    if (done->was_cold) {
        note_mean(&work->load_us, done->load_us);
        note_mean(&scheduler->load_us, done->load_us);
    }
    if (s->state == UNDER_WAY)
        note_mean(&work->turn_us, (double)(now_us - work->added_us - (int64_t)s->given_ms * 1000));
}

bool scheduler_done(hq_scheduler *scheduler, hq_work *work, uint32_t index, const hq_done *done, int64_t now_us)
{
    subtask *s = &work->subtasks[index];
    if (s->state == FINISHED)
        return false;
    if (done->worker != HQ_NO_WORKER) {
        note_times(scheduler, work, s, done, now_us);
        if (work->columns)
            place_note(scheduler->places, work->key(work->context, index), done->worker, work->columns);
    }
    if (s->state == WAITING) {
        work->waiting--;
        scheduler->waiting--;
    } else {
        work->under_way--;
        scheduler->workers[s->worker].outstanding--;
        if (s->second != HQ_NO_WORKER)
            scheduler->workers[s->second].outstanding--;
    }
    s->state = FINISHED;
    return true;
}

void scheduler_expect(const hq_work *work, uint32_t index)
{
    __builtin_prefetch(&work->subtasks[index], 1);
}

void scheduler_answered(hq_work *work, uint32_t index)
{
    work->subtasks[index].is_answered = true;
}

bool scheduler_put_back(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t number)
{
    return take_away(scheduler, work, index, number);
}

uint32_t scheduler_failed(hq_scheduler *scheduler, hq_work *work, uint32_t index, uint32_t number)
{
    subtask *s = &work->subtasks[index];
    if (!take_away(scheduler, work, index, number))
        return 0;
    s->is_answered = false;
    /* s->worker stays if it is with nobody now, so that it is not given to the same one again. */
    if (s->failures < UINT8_MAX)
        s->failures++;
    return s->failures;
}

uint32_t scheduler_rival(const hq_work *work, uint32_t index, uint32_t number)
{
    const subtask *s = &work->subtasks[index];
    if (s->state != UNDER_WAY)
        return HQ_NO_WORKER;
    return s->worker == number ? s->second : s->worker;
}
