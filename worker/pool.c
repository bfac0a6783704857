#include "worker/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "worker/ahead.h"

enum {
    CHUNK = 64,      /* orders an executor takes at once, at most */
    BENCHES = 8,     /* queries whose histograms an executor keeps at hand */
    CHUNK_US = 2000, /* that they may take together */
    FLUSH_US = 5000, /* answers do not wait for the rest of a chunk longer than this */
    FLUSH_BYTES = 4 << 20
};

typedef struct ring {
    hq_assigned *items;
    size_t head, count, capacity;
} ring;

#define UNNUMBERED UINT64_MAX

struct hq_pool {
    hq_supply supply;
    pthread_t *threads;
    size_t thread_count;
    int fd;
    size_t under_way; /* the giving thread's */

    atomic_bool is_closing;

    pthread_mutex_t order_lock; /* over what follows */
    pthread_cond_t order_given;
    ring queue;
    /* The first orders of each task, one for each executor: somebody waits for the first histograms of a query, and for
     * those behind it that is a delay of no more than one order. */
    ring early;
    uint64_t taken; /* orders by executors from the queue, since the beginning: the number of the one at its head */

    pthread_mutex_t batch_lock; /* over the list */
    hq_batch *first, **last;
};

/* ---- orders ---- */

static hq_assigned *ring_at(const ring *r, size_t i)
{
    return &r->items[(r->head + i) % r->capacity];
}

static void ring_push(ring *r, const hq_assigned *assigned)
{
    if (r->count == r->capacity) {
        ring larger = {.count = r->count, .capacity = r->capacity ? 2 * r->capacity : 256};
        larger.items = hq_alloc(larger.capacity * sizeof *larger.items);
        for (size_t i = 0; i < r->count; i++)
            larger.items[i] = *ring_at(r, i);
        free(r->items);
        *r = larger;
    }
    *ring_at(r, r->count++) = *assigned;
}

static void ring_pop(ring *r, size_t count, hq_assigned *chunk)
{
    for (size_t i = 0; i < count; i++)
        chunk[i] = *ring_at(r, i);
    r->head = (r->head + count) % r->capacity;
    r->count -= count;
}

void pool_give(hq_pool *pool, const hq_assigned *assigned, size_t count)
{
    pool->under_way += count;
    pthread_mutex_lock(&pool->order_lock);
    /* What nobody is before has no need to overtake, and is read ahead of in the queue. */
    bool is_queue = pool->queue.count > 0;
    for (size_t i = 0; i < count; i++) {
        bool is_first = task_count_order(assigned[i].task) < pool->thread_count;
        ring_push(is_first && is_queue ? &pool->early : &pool->queue, &assigned[i]);
    }
    if (count > 1)
        pthread_cond_broadcast(&pool->order_given);
    else
        pthread_cond_signal(&pool->order_given);
    pthread_mutex_unlock(&pool->order_lock);
    if (pool->supply.ahead)
        ahead_news(pool->supply.ahead);
}

/* The contract is hq_ahead_peek's. */
static bool peek_order(void *context, uint64_t *number_p, hq_task **task_r, hq_order *order_r)
{
    hq_pool *pool = context;
    pthread_mutex_lock(&pool->order_lock);
    size_t at = *number_p > pool->taken ? (size_t)(*number_p - pool->taken) : 0;
    const hq_assigned *found = NULL;
    for (; at < pool->queue.count && !found; at++) {
        const hq_assigned *assigned = ring_at(&pool->queue, at);
        if (assigned->order.first < assigned->order.last && !task_is_cancelled(assigned->task))
            found = assigned;
    }
    if (found) {
        *number_p = pool->taken + at - 1;
        *task_r = task_hold(found->task);
        *order_r = found->order;
    }
    pthread_mutex_unlock(&pool->order_lock);
    return found != NULL;
}

/* Waits for orders and takes a share, at most so many, that leaves the other executors theirs; 0 when the pool closes.
 * The number is of the first, or UNNUMBERED for one that overtook the queue. */
static size_t take_orders(hq_pool *pool, size_t most, hq_assigned *chunk, uint64_t *number_r)
{
    pthread_mutex_lock(&pool->order_lock);
    while (pool->queue.count == 0 && pool->early.count == 0 && !pool->is_closing)
        pthread_cond_wait(&pool->order_given, &pool->order_lock);
    size_t count = 0;
    *number_r = UNNUMBERED;
    if (!pool->is_closing && pool->early.count > 0) {
        count = 1;
        ring_pop(&pool->early, count, chunk);
    } else if (!pool->is_closing) {
        count = pool->queue.count / (2 * pool->thread_count);
        count = count < 1 ? 1 : count > most ? most : count;
        *number_r = pool->taken;
        pool->taken += count;
        ring_pop(&pool->queue, count, chunk);
    }
    pthread_mutex_unlock(&pool->order_lock);
    return count;
}

/* ---- batches ---- */

static void hand_back(hq_pool *pool, hq_batch **batch_p, int64_t since_us)
{
    hq_batch *batch = *batch_p;
    if (!batch)
        return;
    *batch_p = NULL;
    batch->busy_us = hq_now_us() - since_us;
    pthread_mutex_lock(&pool->batch_lock);
    bool was_empty = !pool->first;
    *(was_empty ? &pool->first : pool->last) = batch;
    pool->last = &batch->next;
    pthread_mutex_unlock(&pool->batch_lock);
    if (was_empty)
        eventfd_write(pool->fd, 1);
}

int pool_fd(const hq_pool *pool)
{
    return pool->fd;
}

hq_batch *pool_take(hq_pool *pool)
{
    eventfd_t ignored;
    pthread_mutex_lock(&pool->batch_lock);
    hq_batch *batch = pool->first;
    if (batch)
        pool->first = batch->next;
    if (!pool->first)
        eventfd_read(pool->fd, &ignored);
    pthread_mutex_unlock(&pool->batch_lock);
    if (batch)
        pool->under_way -= batch->orders;
    return batch;
}

void batch_free(hq_batch **batch_p)
{
    if (!*batch_p)
        return;
    buffer_clear(&(*batch_p)->answers);
    buffer_clear(&(*batch_p)->contents);
    free(*batch_p);
    *batch_p = NULL;
}

size_t pool_under_way(const hq_pool *pool)
{
    return pool->under_way;
}

/* ---- an executor ---- */

typedef struct place {
    hq_task *task;
    hq_bench *bench;
} place;

typedef struct executor {
    hq_pool *pool;
    place places[BENCHES]; /* the task used last first */
    hq_batch *batch;
    int64_t since_us; /* when work on the batch began */
} executor;

static void place_clear(place *p)
{
    bench_free(&p->bench);
    task_release(&p->task);
}

/* The bench of a task, at the front of the places from now on. Tasks that are over give theirs up. */
static hq_bench **bench_of(executor *e, hq_task *task)
{
    size_t at = 0;
    while (at < BENCHES - 1 && e->places[at].task && e->places[at].task != task)
        at++;
    place found = e->places[at];
    if (found.task != task) {
        place_clear(&found);
        found = (place){.task = task_hold(task)};
    }
    memmove(&e->places[1], &e->places[0], at * sizeof *e->places);
    e->places[0] = found;
    for (size_t i = 1; i < BENCHES; i++)
        if (e->places[i].task && task_is_cancelled(e->places[i].task)) {
            place_clear(&e->places[i]);
            memmove(&e->places[i], &e->places[i + 1], (BENCHES - 1 - i) * sizeof *e->places);
            e->places[BENCHES - 1] = (place){0};
            i--;
        }
    return &e->places[0].bench;
}

static void note_outcome(executor *e, const hq_assigned *assigned, hq_outcome *outcome)
{
    e->batch->orders++;
    if (outcome->failure.error == HQ_ECANCELLED)
        return;
    hq_buffer failure = {0};
    const hq_buffer *contents = &outcome->contents;
    if (outcome->failure.error) {
        failure_encode(&outcome->failure, &failure);
        contents = &failure;
    }
    hq_answer answer = {.handle = assigned->order.handle,
                        .index = assigned->order.index,
                        .is_failed = outcome->failure.error != HQ_OK,
                        .entries = outcome->entries,
                        .read_bytes = outcome->read_bytes,
                        .cached_bytes = outcome->cached_bytes,
                        .load_us = outcome->load_us,
                        .run_us = outcome->run_us,
                        .contents = contents->bytes,
                        .size = (uint32_t)contents->size};
    answer_encode(&answer, &e->batch->answers, &e->batch->contents);
    buffer_clear(&failure);
}

static void execute(executor *e, hq_assigned *assigned)
{
    if (e->batch && e->batch->link != assigned->link)
        hand_back(e->pool, &e->batch, e->since_us);
    if (!e->batch) {
        e->batch = hq_calloc(1, sizeof *e->batch);
        e->batch->link = assigned->link;
        e->since_us = hq_now_us();
    }
    hq_outcome outcome;
    task_execute(assigned->task, &assigned->order, &e->pool->supply, bench_of(e, assigned->task), &outcome);
    note_outcome(e, assigned, &outcome);
    buffer_clear(&outcome.contents);
    task_release(&assigned->task);
    if (e->batch->contents.size > FLUSH_BYTES || hq_now_us() - e->since_us > FLUSH_US)
        hand_back(e->pool, &e->batch, e->since_us);
}

/* Orders that take long are taken one by one: what waits in a chunk neither another executor nor a reader can see. */
static size_t chunk_after(int64_t took_us, size_t count)
{
    int64_t most = CHUNK_US * (int64_t)count / (took_us > 0 ? took_us : 1);
    return most < 1 ? 1 : most > CHUNK ? CHUNK : (size_t)most;
}

static void *run_executor(void *context)
{
    executor e = {.pool = context};
    hq_assigned chunk[CHUNK];
    size_t count, most = 1;
    uint64_t number;
    while ((count = take_orders(e.pool, most, chunk, &number)) > 0) {
        int64_t begin_us = hq_now_us();
        for (size_t i = 0; i < count; i++) {
            if (e.pool->is_closing)
                task_release(&chunk[i].task);
            else
                execute(&e, &chunk[i]);
            if (e.pool->supply.ahead && number != UNNUMBERED)
                ahead_through(e.pool->supply.ahead, number + i);
        }
        hand_back(e.pool, &e.batch, e.since_us);
        most = chunk_after(hq_now_us() - begin_us, count);
    }
    for (size_t i = 0; i < BENCHES; i++)
        place_clear(&e.places[i]);
    return NULL;
}

/* ---- the pool ---- */

hq_pool *pool_new(size_t slots, size_t readers, size_t ahead_bytes, hq_cache *cache, hq_files *files, hq_disk *disk)
{
    hq_pool *pool = hq_calloc(1, sizeof *pool);
    pool->supply = (hq_supply){.cache = cache, .files = files, .disk = disk};
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&pool->order_lock, NULL);
    pthread_mutex_init(&pool->batch_lock, NULL);
    pthread_cond_init(&pool->order_given, NULL);
    if (readers > 0 && ahead_bytes > 0)
        pool->supply.ahead = ahead_new(readers, ahead_bytes, &pool->supply, peek_order, pool);
    pool->threads = hq_calloc(slots, sizeof *pool->threads);
    pool->thread_count = slots;
    for (size_t i = 0; i < slots; i++)
        if (pthread_create(&pool->threads[i], NULL, run_executor, pool) != 0)
            abort(); /* no threads at start-up: there is nothing to run with */
    return pool;
}

static void ring_cancel(const ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        task_cancel(ring_at(r, i)->task);
}

static void ring_clear(ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        task_release(&ring_at(r, i)->task);
    free(r->items);
}

void pool_free(hq_pool **pool_p)
{
    hq_pool *pool = *pool_p;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->order_lock);
    pool->is_closing = true;
    ring_cancel(&pool->queue);
    ring_cancel(&pool->early);
    pthread_cond_broadcast(&pool->order_given);
    pthread_mutex_unlock(&pool->order_lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    ahead_free(&pool->supply.ahead);
    ring_clear(&pool->queue);
    ring_clear(&pool->early);
    hq_batch *batch;
    while ((batch = pool_take(pool)))
        batch_free(&batch);
    close(pool->fd);
    pthread_mutex_destroy(&pool->order_lock);
    pthread_mutex_destroy(&pool->batch_lock);
    pthread_cond_destroy(&pool->order_given);
    free(pool->threads);
    free(pool);
    *pool_p = NULL;
}
