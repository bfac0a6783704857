/* data/remote.h - how files of servers are read: limits, time-outs, connections kept, and what it came to.
 *
 * Any number of files, opened by any number of threads, share one hq_remote and with it the connections to their
 * servers. What fails for a reason that may pass (a time-out, a connection lost, "too many requests", a server's own
 * error) is asked for again, only what is missing of it, after a wait that doubles from one attempt to the next and is
 * part chance, or as long as the server says. What will not pass (no such file, no permission, a server that knows no
 * ranges, a file that is not any more what it was when it was opened) fails at once.
 */
#ifndef HQ_DATA_REMOTE_H
#define HQ_DATA_REMOTE_H

#include <stdint.h>

#include "base/options.h"

typedef struct hq_remote hq_remote;

typedef struct hq_remote_settings {
    int64_t requests;   /* under way at once for one read; HTTP takes a connection for each */
    int64_t timeout_ms; /* for a connection to come about, and without a byte of an answer */
    int64_t attempts;   /* in a row that get nothing */
    int64_t backoff_ms; /* the wait after the first of them; 0: 100 ms */
    char *ca;           /* certificates that HTTPS servers are trusted by, in a file or a folder; NULL: the system's */
} hq_remote_settings;

/* The rows of a program's table for them; at is the offset of the hq_remote_settings within the program's settings. */
#define HQ_REMOTE_OPTIONS(at)                                                                                          \
    {.name = "remote-requests",                                                                                        \
     .kind = HQ_OPTION_INTEGER,                                                                                        \
     .offset = (at) + offsetof(hq_remote_settings, requests),                                                          \
     .fallback = "8",                                                                                                  \
     .min = 1,                                                                                                         \
     .max = 256,                                                                                                       \
     .help = "Requests under way at once for one read of a file on a server (http, https, root)."},                    \
        {.name = "remote-timeout",                                                                                     \
         .kind = HQ_OPTION_DURATION,                                                                                   \
         .offset = (at) + offsetof(hq_remote_settings, timeout_ms),                                                    \
         .fallback = "30s",                                                                                            \
         .min = 100,                                                                                                   \
         .max = 3600000,                                                                                               \
         .help = "How long a server of files may take to be connected to, and to send nothing."},                      \
        {.name = "remote-attempts",                                                                                    \
         .kind = HQ_OPTION_INTEGER,                                                                                    \
         .offset = (at) + offsetof(hq_remote_settings, attempts),                                                      \
         .fallback = "5",                                                                                              \
         .min = 1,                                                                                                     \
         .max = 100,                                                                                                   \
         .help = "How often in a row a read of a server's file may fail for a reason that may pass."},                 \
        {.name = "remote-ca",                                                                                          \
         .kind = HQ_OPTION_TEXT,                                                                                       \
         .offset = (at) + offsetof(hq_remote_settings, ca),                                                            \
         .argument = "PATH",                                                                                           \
         .help = "Certificates of the authorities that https servers are trusted by: a file of them, or a folder as "  \
                 "c_rehash makes it. Unset: the system's."}

/* Thread-safe from then on. The settings are copied; NULL, or a field of 0, stands for the defaults above. */
hq_remote *remote_new(const hq_remote_settings *settings);
/* Its files must be closed before. Logs what it came to, if it was used. */
void remote_free(hq_remote **remote_p);

/* What was done since remote_new. */
typedef struct hq_remote_counts {
    uint64_t files;    /* opened */
    uint64_t requests; /* sent */
    uint64_t bytes;    /* of files, received */
    uint64_t wanted;   /* of them, those that were asked for: the rest lay between */
    uint64_t retries;  /* waits before an attempt was repeated */
    uint64_t failures; /* opens and reads given up */
} hq_remote_counts;

hq_remote_counts remote_counts(const hq_remote *remote);

#endif
