/* hq-worker: computes subtasks for the brokers it finds. */
#include "base/memory.h"
#include "wire/daemon.h"
#include "worker/worker.h"

typedef struct settings {
    hq_worker_settings worker;
    int log_level;
} settings;

#define AT(field) offsetof(settings, field)

static const hq_option options[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Whom it works for"},
    {.name = "coordinator",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(worker.coordinator),
     .fallback = "zk:127.0.0.1:2181/hq",
     .argument = "zk:HOSTS/CHROOT",
     .help = "The ZooKeeper servers, host:port with commas between, and the znode to live under."},
    {.name = "session",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(worker.session_ms),
     .fallback = "10s",
     .min = 500,
     .max = 600000,
     .help = "How long ZooKeeper keeps this worker's ephemeral node when it does not hear of it."},
    {.name = "broker",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(worker.broker),
     .argument = "ENDPOINT",
     .help = "The back of one broker, instead of those that the coordinator names."},
    {.kind = HQ_OPTION_GROUP, .help = "What it has"},
    {.name = "slots",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(worker.slots),
     .fallback = "0",
     .max = 4096,
     .help = "Executor threads; 0 for one a core."},
    {.name = "memory",
     .kind = HQ_OPTION_SIZE,
     .offset = AT(worker.memory),
     .fallback = "2G",
     .help = "Bytes of the column cache."},
    {.name = "cache-dir",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(worker.cache_dir),
     .argument = "DIR",
     .help =
         "A folder on a fast local disk that keeps columns too, decompressed: those that memory has no room for, and "
         "all of them after a restart. Several workers may share it. None unless it is given."},
    {.name = "cache-dir-size",
     .kind = HQ_OPTION_SIZE,
     .offset = AT(worker.cache_dir_size),
     .fallback = "100G",
     .help = "Bytes of that folder."},
    {.name = "readers",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(worker.readers),
     .fallback = "4",
     .max = 256,
     .help =
         "Threads that read the columns of the next subtasks while executors compute: all of them files of servers, "
         "one files of this machine. With 0 nothing is read ahead."},
    {.name = "open-files",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(worker.open_files),
     .fallback = "256",
     .min = 1,
     .max = 100000,
     .help = "How many files stay open."},
    HQ_REMOTE_OPTIONS(AT(worker.remote)),
    {.kind = HQ_OPTION_GROUP, .help = "What it tells"},
    HQ_OPTION_LOG_LEVEL(AT(log_level), "info"),
};

static const hq_cli cli = {
    .name = "hq-worker",
    .summary = "Computes subtasks for the brokers it finds, round a cache of columns.",
    .arguments = "",
    .epilogue = "SIGTERM and SIGINT drain it: it finishes what it has, takes nothing new and leaves; once more, and it "
                "leaves at once.\n"
                "Exit codes: 0 ended, 1 failed, 2 wrong use.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
};

static hq_error open_worker(const void *all, void **served_r, hq_reason *reason)
{
    hq_worker *worker = NULL;
    hq_error error = worker_new(&((const settings *)all)->worker, &worker, reason);
    *served_r = worker;
    return error;
}

static hq_error run_worker(void *served, hq_reason *reason)
{
    return worker_run(served, reason);
}

static void stop_worker(void *served)
{
    worker_stop(served);
}

static void close_worker(void **served_p)
{
    hq_worker *worker = *served_p;
    worker_free(&worker);
    *served_p = NULL;
}

int main(int argc, char **argv)
{
    hq_memory_reuse();
    settings s = {0};
    const hq_daemon daemon = {.cli = &cli,
                              .settings = &s,
                              .log_level = &s.log_level,
                              .open = open_worker,
                              .run = run_worker,
                              .stop = stop_worker,
                              .close = close_worker};
    return daemon_main(&daemon, argc, argv);
}
