/* broker/jobs.h - what would block a loop, done by threads behind it: opening files, asking the store.
 *
 * A job runs in one of the threads; when it is through, its end is called from jobs_dispatch, in the loop's thread.
 * Jobs begin in the order they were given; with one thread they also end in it.
 */
#ifndef HQ_BROKER_JOBS_H
#define HQ_BROKER_JOBS_H

#include <stddef.h>

typedef struct hq_jobs hq_jobs;

typedef void hq_job_step(void *job);

hq_jobs *jobs_new(size_t threads);
/* Waits for the jobs that are running; ends every job that was given, also those that never ran, by calling their end.
 */
void jobs_free(hq_jobs **jobs_p);

/* Readable when jobs_dispatch has something to do. */
int jobs_fd(const hq_jobs *jobs);
void jobs_give(hq_jobs *jobs, hq_job_step *run, hq_job_step *end, void *job);
void jobs_dispatch(hq_jobs *jobs);
/* How many were given and have not ended. For the loop's thread. */
size_t jobs_waiting(const hq_jobs *jobs);

#endif
