/* bench/sim_worker.h - simulated workers: they speak hq's protocol and compute nothing.
 *
 * A fleet is any number of them in one thread, each with a connection of its own, slots whose time passes on the clock,
 * a queue and a cache that holds names. What a subtask costs follows from the seed, the worker and the subtask, not
 * from how busy the machine is: a slot that is late begins the next subtask when it should have.
 */
#ifndef HQ_BENCH_SIM_WORKER_H
#define HQ_BENCH_SIM_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef struct sim_settings {
    char *broker;      /* its back */
    char *coordinator; /* where each worker is made known, or NULL */
    int64_t workers, slots, seed;
    int64_t credit;                    /* 0: as a worker sets it, by its pace */
    int64_t run_us;                    /* mean time in the loop */
    int spread;                        /* 0 fixed, 1 exponential */
    int64_t slow_percent, slow_factor; /* so many subtasks of a hundred take so many times as long */
    int64_t cache_bytes, entry_bytes /* of one column */, read_bytes_per_s /* 0: reading costs nothing */;
    bool fills; /* answers hold something in every bin */
    int log_level;
} sim_settings;

typedef struct sim_fleet sim_fleet;

/* Connects them all; waits for nobody. The settings must last. */
hq_error sim_fleet_new(const sim_settings *settings, sim_fleet **fleet_r, hq_reason *reason);
void sim_fleet_free(sim_fleet **fleet_p);

/* Works until sim_fleet_stop, or until each worker was told to drain and has. Writes a line "ready" to out when every
 * worker has been welcomed, and at the end one JSON object of what they did. */
hq_error sim_fleet_run(sim_fleet *fleet, FILE *out, hq_reason *reason);
/* From any thread: all drain; a second time: all leave. */
void sim_fleet_stop(sim_fleet *fleet);

#endif
