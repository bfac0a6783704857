/* base/signals.h - SIGINT, SIGTERM and SIGHUP as calls of a function, from a thread of their own rather than a signal
 * handler. */
#ifndef HQ_BASE_SIGNALS_H
#define HQ_BASE_SIGNALS_H

typedef struct hq_signals hq_signals;

/* Called once for each signal that comes, from another thread than the caller's. */
typedef void hq_signal_came(void *context);

/* First thing in main, before any other thread: blocks the three signals in this thread and in all it starts later. */
void signals_block(void);
/* From now on came is called, also for signals that came since signals_block. */
hq_signals *signals_start(hq_signal_came *came, void *context);
/* No call is under way, and none comes, after this. */
void signals_end(hq_signals **signals_p);

#endif
