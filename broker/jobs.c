#include "broker/jobs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

typedef struct job {
    struct job *next;
    hq_job_step *run, *end;
    void *context;
} job;

typedef struct job_list {
    job *first, **last;
} job_list;

struct hq_jobs {
    pthread_t *threads;
    size_t thread_count;
    pthread_mutex_t lock; /* over all below but waiting */
    pthread_cond_t given;
    job_list todo, ended;
    bool is_closing;
    int fd;
    size_t waiting; /* the loop's thread only */
};

static void list_push(job_list *list, job *item)
{
    item->next = NULL;
    if (!list->first)
        list->last = &list->first;
    *list->last = item;
    list->last = &item->next;
}

static job *list_pop(job_list *list)
{
    job *item = list->first;
    if (item)
        list->first = item->next;
    return item;
}

static void *work(void *context)
{
    hq_jobs *jobs = context;
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        while (!jobs->todo.first && !jobs->is_closing)
            pthread_cond_wait(&jobs->given, &jobs->lock);
        if (jobs->is_closing)
            break;
        job *item = list_pop(&jobs->todo);
        pthread_mutex_unlock(&jobs->lock);
        item->run(item->context);
        pthread_mutex_lock(&jobs->lock);
        list_push(&jobs->ended, item);
        eventfd_write(jobs->fd, 1);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

hq_jobs *jobs_new(size_t threads)
{
    hq_jobs *jobs = hq_calloc(1, sizeof *jobs);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->given, NULL);
    jobs->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    jobs->threads = hq_calloc(threads, sizeof *jobs->threads);
    if (jobs->fd < 0)
        abort(); /* no descriptors or threads at start-up: there is nothing to run with */
    for (; jobs->thread_count < threads; jobs->thread_count++)
        if (pthread_create(&jobs->threads[jobs->thread_count], NULL, work, jobs) != 0)
            abort();
    return jobs;
}

static void end_all(hq_jobs *jobs, job_list *list)
{
    job *item;
    while ((item = list_pop(list))) {
        jobs->waiting--;
        item->end(item->context);
        free(item);
    }
}

void jobs_free(hq_jobs **jobs_p)
{
    hq_jobs *jobs = *jobs_p;
    if (!jobs)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->is_closing = true;
    pthread_cond_broadcast(&jobs->given);
    pthread_mutex_unlock(&jobs->lock);
    for (size_t i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    free(jobs->threads);
    end_all(jobs, &jobs->ended);
    end_all(jobs, &jobs->todo);
    close(jobs->fd);
    pthread_cond_destroy(&jobs->given);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
    *jobs_p = NULL;
}

int jobs_fd(const hq_jobs *jobs)
{
    return jobs->fd;
}

void jobs_give(hq_jobs *jobs, hq_job_step *run, hq_job_step *end, void *context)
{
    job *item = hq_alloc(sizeof *item);
    *item = (job){.run = run, .end = end, .context = context};
    jobs->waiting++;
    pthread_mutex_lock(&jobs->lock);
    list_push(&jobs->todo, item);
    pthread_cond_signal(&jobs->given);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_dispatch(hq_jobs *jobs)
{
    eventfd_t ignored;
    pthread_mutex_lock(&jobs->lock);
    eventfd_read(jobs->fd, &ignored);
    job_list ended = jobs->ended;
    jobs->ended.first = NULL;
    pthread_mutex_unlock(&jobs->lock);
    end_all(jobs, &ended);
}

size_t jobs_waiting(const hq_jobs *jobs)
{
    return jobs->waiting;
}
