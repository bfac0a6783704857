/* hq-sim-workers: any number of workers for one broker, in one process, that compute nothing. See bench/sim_worker.h.
 */
#include <stddef.h>
#include <stdio.h>

#include "bench/sim_worker.h"
#include "wire/daemon.h"

#define AT(field) offsetof(sim_settings, field)

static const char *const spreads[] = {"fixed", "exponential", NULL};

static const hq_option options[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Whom they work for"},
    {.name = "broker",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker),
     .argument = "ENDPOINT",
     .help = "The broker's back."},
    {.name = "coordinator",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(coordinator),
     .argument = "zk:HOSTS/CHROOT",
     .help = "Where each makes its ephemeral node, all in one session."},
    {.kind = HQ_OPTION_GROUP, .help = "What they are"},
    {.name = "workers",
     .letter = 'n',
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(workers),
     .fallback = "1000",
     .min = 1,
     .max = 5000,
     .help = "How many."},
    {.name = "slots",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(slots),
     .fallback = "1",
     .min = 1,
     .max = 4096,
     .help = "Of each."},
    {.name = "credit",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(credit),
     .fallback = "0",
     .max = 8192,
     .help = "Subtasks that may be with one unanswered; 0: by its pace, as hq-worker does."},
    {.name = "seed",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(seed),
     .fallback = "1",
     .max = INT32_MAX,
     .help = "Of their ids and of all times."},
    {.kind = HQ_OPTION_GROUP, .help = "What a subtask costs"},
    {.name = "run-us",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(run_us),
     .fallback = "0",
     .max = 3600000000,
     .help = "Microseconds in the loop, in the mean; 0: answered as soon as it comes."},
    {.name = "spread",
     .kind = HQ_OPTION_CHOICE,
     .offset = AT(spread),
     .fallback = "fixed",
     .choices = spreads,
     .help = "How that time is distributed."},
    {.name = "slow-percent",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(slow_percent),
     .fallback = "0",
     .max = 100,
     .help = "Subtasks of a hundred that take longer; the same subtask with another worker may not."},
    {.name = "slow-factor",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(slow_factor),
     .fallback = "10",
     .min = 1,
     .max = 1000000,
     .help = "How many times as long."},
    {.name = "fill",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(fills),
     .help = "Answers have something in every bin; else none."},
    {.kind = HQ_OPTION_GROUP, .help = "What they hold"},
    {.name = "cache", .kind = HQ_OPTION_SIZE, .offset = AT(cache_bytes), .fallback = "2G", .help = "Of each."},
    {.name = "entry-bytes",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(entry_bytes),
     .fallback = "4",
     .max = 1 << 20,
     .help = "Bytes of one entry in one column."},
    {.name = "read-rate",
     .kind = HQ_OPTION_SIZE,
     .offset = AT(read_bytes_per_s),
     .fallback = "0",
     .help = "Bytes a second that a slot reads; 0: reading costs no time."},
    HQ_OPTION_LOG_LEVEL(AT(log_level), "warn"),
};

static const hq_cli cli = {
    .name = "hq-sim-workers",
    .summary = "Simulates workers: the real protocol, no computing.",
    .arguments = "",
    .epilogue = "Prints \"ready\" when all are welcome, and at the end one JSON object.\n"
                "SIGTERM and SIGINT drain them; once more, and they leave at once.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
};

static hq_error open_fleet(const void *settings, void **served_r, hq_reason *reason)
{
    sim_fleet *fleet = NULL;
    hq_error error = sim_fleet_new(settings, &fleet, reason);
    *served_r = fleet;
    return error;
}

static hq_error run_fleet(void *served, hq_reason *reason)
{
    return sim_fleet_run(served, stdout, reason);
}

static void stop_fleet(void *served)
{
    sim_fleet_stop(served);
}

static void close_fleet(void **served_p)
{
    sim_fleet *fleet = *served_p;
    sim_fleet_free(&fleet);
    *served_p = NULL;
}

int main(int argc, char **argv)
{
    sim_settings s = {0};
    const hq_daemon daemon = {.cli = &cli,
                              .settings = &s,
                              .log_level = &s.log_level,
                              .open = open_fleet,
                              .run = run_fleet,
                              .stop = stop_fleet,
                              .close = close_fleet};
    return daemon_main(&daemon, argc, argv);
}
