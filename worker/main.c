/* hq-worker: computes subtasks for the brokers it finds. */
#include <stdio.h>

#include "base/log.h"
#include "base/options.h"
#include "base/signals.h"
#include "wire/socket.h"
#include "worker/worker.h"

typedef struct settings {
    hq_worker_settings worker;
    int log_level;
} settings;

#define AT(field) offsetof(settings, field)

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

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
    {.name = "open-files",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(worker.open_files),
     .fallback = "256",
     .min = 1,
     .max = 100000,
     .help = "How many files stay open."},
    {.kind = HQ_OPTION_GROUP, .help = "What it tells"},
    {.name = "log-level",
     .kind = HQ_OPTION_CHOICE,
     .offset = AT(log_level),
     .fallback = "info",
     .choices = levels,
     .help = "What is logged on stderr."},
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

static void stop(void *worker)
{
    worker_stop(worker);
}

static int run(const settings *s)
{
    hq_worker *worker = NULL;
    hq_reason reason = {{0}};
    hq_error error = worker_new(&s->worker, &worker, &reason);
    if (!error) {
        hq_signals *signals = signals_start(stop, worker);
        error = worker_run(worker, &reason);
        signals_end(&signals);
    }
    worker_free(&worker);
    if (error)
        fprintf(stderr, "hq-worker: %s\n", reason.text);
    return error == HQ_EINVAL ? 2 : error ? 1 : 0;
}

int main(int argc, char **argv)
{
    settings s = {0};
    hq_arguments arguments;
    int code = options_start(&cli, argc, argv, &s, &arguments);
    if (code >= 0)
        return code;
    hq_log_set_level((hq_level)s.log_level);
    signals_block();
    socket_prepare_process();
    code = run(&s);
    options_free(&cli, &s);
    socket_end_process();
    return code;
}
