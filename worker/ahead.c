#include "worker/ahead.h"

#include <pthread.h>

#include "base/memory.h"

enum {
    LOCAL_AT_ONCE = 1, /* threads that read files of this machine: it takes a core, and executors want theirs */
    MOST_RECORDS = 64, /* subtasks that are read ahead of at once */
    ENOUGH_FOUND = 32  /* subtasks in a row of which all is there: back to sleep */
};

/* One subtask that is being or has been read ahead. */
typedef struct record {
    uint64_t number;
    bool is_of_server;
    uint64_t bytes; /* what it holds; while it is read, what it is likely to */
    hq_held held;
    bool is_loading;
    bool is_through; /* the executor was faster: its reader clears it */
} record;

struct hq_ahead {
    const hq_supply *supply;
    hq_ahead_peek *peek;
    void *queue;
    size_t limit;
    pthread_t *threads;
    size_t thread_count;

    atomic_bool is_awake;
    atomic_size_t claims; /* records, and looks that may become one: executors need not take the lock while it is 0 */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    bool is_closing;
    record *records[MOST_RECORDS];
    size_t record_count;
    uint64_t next;  /* the first subtask nobody has looked at */
    uint64_t bytes; /* of all records */
    uint64_t usual; /* bytes of the largest subtask of late */
    size_t local;   /* threads that read files of this machine */
    size_t found;   /* subtasks in a row of which nothing had to be read */
};

static void forget(hq_ahead *ahead, record *r)
{
    size_t at = 0;
    while (ahead->records[at] != r)
        at++;
    ahead->records[at] = ahead->records[--ahead->record_count];
    ahead->bytes -= r->bytes;
    atomic_fetch_sub(&ahead->claims, 1);
    pthread_cond_signal(&ahead->changed);
}

/* With the lock held: the next subtask to read ahead of, or NULL if there is none or no room for it. */
static record *claim(hq_ahead *ahead, hq_task **task_r, hq_order *order_r)
{
    if (!ahead->is_awake || ahead->record_count == MOST_RECORDS)
        return NULL;
    if (ahead->bytes + ahead->usual > ahead->limit) {
        /* One that was too large is no reason to give up for ever. */
        ahead->usual -= ahead->record_count == 0 ? ahead->usual / 8 : 0;
        return NULL;
    }
    /* Before the look: an executor that takes the subtask behind it sees that somebody may have to be told. */
    atomic_fetch_add(&ahead->claims, 1);
    uint64_t number = ahead->next;
    if (!ahead->peek(ahead->queue, &number, task_r, order_r)) {
        atomic_fetch_sub(&ahead->claims, 1);
        return NULL;
    }
    bool is_of_server = task_reads_server(*task_r, order_r);
    if (!is_of_server && ahead->local == LOCAL_AT_ONCE) {
        task_release(task_r);
        atomic_fetch_sub(&ahead->claims, 1);
        return NULL;
    }
    ahead->local += !is_of_server;
    ahead->next = number + 1;
    record *r = hq_calloc(1, sizeof *r);
    *r = (record){.number = number, .is_of_server = is_of_server, .bytes = ahead->usual, .is_loading = true};
    ahead->records[ahead->record_count++] = r;
    ahead->bytes += r->bytes;
    return r;
}

/* With the lock held: what was read counts from now on as what it is. */
static void note(hq_ahead *ahead, record *r, hq_error error)
{
    uint64_t bytes = r->held.read_bytes + r->held.cached_bytes;
    ahead->bytes += bytes - r->bytes;
    r->bytes = bytes;
    r->is_loading = false;
    ahead->local -= !r->is_of_server;
    ahead->usual = bytes > ahead->usual - ahead->usual / 8 ? bytes : ahead->usual - ahead->usual / 8;
    ahead->found = r->held.read_bytes ? 0 : ahead->found + 1;
    /* After a failure executors find out for themselves, and one whose read goes well wakes us again. */
    if (ahead->found >= ENOUGH_FOUND || (error && error != HQ_ECANCELLED)) {
        ahead->found = 0;
        ahead->is_awake = false;
    }
    pthread_cond_signal(&ahead->changed);
}

static void *run_reader(void *context)
{
    hq_ahead *ahead = context;
    hq_task *task;
    hq_order order;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->is_closing) {
        record *r = claim(ahead, &task, &order);
        if (!r) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        if (r->is_of_server)
            pthread_cond_signal(&ahead->changed); /* there may be one for another of us; each wakes the next */
        pthread_mutex_unlock(&ahead->lock);
        hq_error error = task_read_ahead(task, &order, ahead->supply, &r->held);
        task_release(&task);
        pthread_mutex_lock(&ahead->lock);
        note(ahead, r, error);
        if (r->is_through) {
            forget(ahead, r);
            pthread_mutex_unlock(&ahead->lock);
            held_clear(&r->held, ahead->supply->cache);
            free(r);
            pthread_mutex_lock(&ahead->lock);
        }
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

void ahead_wake(hq_ahead *ahead)
{
    if (atomic_load_explicit(&ahead->is_awake, memory_order_relaxed))
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->is_awake = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

void ahead_news(hq_ahead *ahead)
{
    if (!atomic_load_explicit(&ahead->is_awake, memory_order_relaxed))
        return;
    pthread_mutex_lock(&ahead->lock);
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

void ahead_through(hq_ahead *ahead, uint64_t number)
{
    if (atomic_load(&ahead->claims) == 0)
        return;
    pthread_mutex_lock(&ahead->lock);
    record *r = NULL;
    for (size_t i = 0; i < ahead->record_count && !r; i++)
        r = ahead->records[i]->number == number ? ahead->records[i] : NULL;
    if (r && r->is_loading) {
        r->is_through = true;
        r = NULL;
    }
    if (r)
        forget(ahead, r);
    pthread_mutex_unlock(&ahead->lock);
    if (!r)
        return;
    held_clear(&r->held, ahead->supply->cache);
    free(r);
}

hq_ahead *ahead_new(size_t readers, size_t limit_bytes, const hq_supply *supply, hq_ahead_peek *peek, void *queue)
{
    hq_ahead *ahead = hq_calloc(1, sizeof *ahead);
    ahead->supply = supply;
    ahead->peek = peek;
    ahead->queue = queue;
    ahead->limit = limit_bytes;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    ahead->threads = hq_calloc(readers, sizeof *ahead->threads);
    ahead->thread_count = readers;
    for (size_t i = 0; i < readers; i++)
        if (pthread_create(&ahead->threads[i], NULL, run_reader, ahead) != 0)
            abort(); /* no threads at start-up: there is nothing to run with */
    return ahead;
}

void ahead_free(hq_ahead **ahead_p)
{
    hq_ahead *ahead = *ahead_p;
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->is_closing = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    for (size_t i = 0; i < ahead->thread_count; i++)
        pthread_join(ahead->threads[i], NULL);
    for (size_t i = 0; i < ahead->record_count; i++) {
        held_clear(&ahead->records[i]->held, ahead->supply->cache);
        free(ahead->records[i]);
    }
    pthread_mutex_destroy(&ahead->lock);
    pthread_cond_destroy(&ahead->changed);
    free(ahead->threads);
    free(ahead);
    *ahead_p = NULL;
}
