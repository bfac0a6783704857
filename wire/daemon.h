/* wire/daemon.h - the main() of a program that serves until a signal ends it: options, log, signals, sockets, in the
 * order they need.
 *
 * Signals are blocked before the first thread is there, and every socket is gone before the process ends.
 */
#ifndef HQ_WIRE_DAEMON_H
#define HQ_WIRE_DAEMON_H

#include "base/error.h"
#include "base/log.h"
#include "base/options.h"

typedef struct hq_daemon {
    const hq_cli *cli;
    void *settings;       /* zeroed; what cli's table fills */
    const int *log_level; /* within settings: an hq_level */
    hq_error (*open)(const void *settings, void **served_r, hq_reason *reason);
    hq_error (*run)(void *served, hq_reason *reason);
    void (*stop)(void *served); /* called from another thread for each signal: run then returns */
    void (*close)(void **served_p);
} hq_daemon;

/* Gives back what main() shall: 0 ended, 1 failed, 2 wrong use. */
int daemon_main(const hq_daemon *daemon, int argc, char **argv);

/* A program's --log-level: the row of its table, for an int of its settings. */
#define HQ_OPTION_LOG_LEVEL(where, level)                                                                              \
    {.name = "log-level",                                                                                              \
     .kind = HQ_OPTION_CHOICE,                                                                                         \
     .offset = (where),                                                                                                \
     .fallback = (level),                                                                                              \
     .choices = hq_level_words,                                                                                        \
     .help = "What is logged on stderr."}

#endif
