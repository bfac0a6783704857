/* worker/worker.h - a worker: executor threads round one column cache, answering the brokers that the coordinator
 * names.
 *
 * worker_run's thread talks to brokers and to the coordinator; executors take orders from one queue, compile each query
 * once, get columns from the cache or from file, run the loop and hand back partials. The two share nothing but two
 * queues, each under its lock.
 */
#ifndef HQ_WORKER_WORKER_H
#define HQ_WORKER_WORKER_H

#include <stdint.h>

#include "base/error.h"
#include "data/remote.h"

typedef struct hq_worker hq_worker;

typedef struct hq_worker_settings {
    char *coordinator;      /* see zk/coordinator.h; NULL if broker is given */
    char *broker;           /* the back end point of one broker, instead of those the coordinator names; or NULL */
    int64_t session_ms;     /* of the coordinator */
    int64_t slots;          /* executor threads; 0 for one a core */
    int64_t memory;         /* bytes of the column cache */
    int64_t readers;        /* threads that read ahead; see pool_new */
    char *cache_dir;        /* a folder for columns, see data/disk.h; NULL: none */
    int64_t cache_dir_size; /* bytes it may hold */
    int64_t open_files;     /* files kept open */
    hq_remote_settings remote;
} hq_worker_settings;

hq_error worker_new(const hq_worker_settings *settings, hq_worker **worker_r, hq_reason *reason);
/* After worker_run has returned. */
void worker_free(hq_worker **worker_p);

/* Until worker_stop: then it takes no more orders, finishes what it has, says BYE and returns. */
hq_error worker_run(hq_worker *worker, hq_reason *reason);
/* From any thread or signal handler. A second call does not wait for what is under way. */
void worker_stop(hq_worker *worker);

#endif
