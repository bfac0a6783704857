/* client/local.h - a cluster in one process: broker and workers as threads over inproc://, the coordinator's stand-in,
 * SQLite. The same code as the cluster's, over another transport. */
#ifndef HQ_CLIENT_LOCAL_H
#define HQ_CLIENT_LOCAL_H

#include <stdint.h>

#include "base/error.h"
#include "data/remote.h"

typedef struct hq_local hq_local;

typedef struct hq_local_settings {
    const char *store;    /* see store/store.h, or "none" */
    const char *datasets; /* file of named datasets, or NULL */
    int64_t threads;      /* executors; 0 for one a core. With 1 nothing is read ahead: it is all that computes */
    int64_t memory;       /* bytes of the column cache */
    int64_t limit_ms;     /* time a subtask may take; 0 for no limit */
    const hq_remote_settings *remote;
} hq_local_settings;

hq_error local_start(const hq_local_settings *settings, hq_local **local_r, hq_reason *reason);
/* The broker's front, for session_open in this process. */
const char *local_endpoint(const hq_local *local);
/* Ends what is under way and waits for the threads. */
void local_stop(hq_local **local_p);

#endif
