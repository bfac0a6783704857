/* hq-broker: takes queries, schedules their subtasks, keeps their results. */
#include "base/memory.h"
#include "broker/broker.h"
#include "wire/daemon.h"

typedef struct settings {
    hq_broker_settings broker;
    int log_level;
} settings;

#define AT(field) offsetof(settings, field)

static const hq_option options[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Where it is"},
    {.name = "front",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.front),
     .fallback = "tcp://127.0.0.1:5570",
     .argument = "ENDPOINT",
     .help = "Where clients connect. tcp://*:5570 for every interface, a port of * for a free one."},
    {.name = "back",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.back),
     .fallback = "tcp://127.0.0.1:5571",
     .argument = "ENDPOINT",
     .help = "Where workers connect."},
    {.name = "advertise",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.advertise),
     .argument = "HOST",
     .help = "The host name that others reach this broker by. Unset: the address it is bound to, or this host's name."},
    {.kind = HQ_OPTION_GROUP, .help = "What it stands on"},
    {.name = "coordinator",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.coordinator),
     .fallback = "zk:127.0.0.1:2181/hq",
     .argument = "zk:HOSTS/CHROOT",
     .help = "The ZooKeeper servers, host:port with commas between, and the znode to live under."},
    {.name = "session",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.session_ms),
     .fallback = "10s",
     .min = 500,
     .max = 600000,
     .help = "How long ZooKeeper keeps this broker's ephemeral nodes when it does not hear of it."},
    {.name = "store",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.store),
     .fallback = "mongodb://127.0.0.1:27017/hq",
     .argument = "ADDRESS",
     .help = "Where results are kept: mongodb://..., sqlite:FILE, or none."},
    {.name = "store-timeout",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.store_timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 600000,
     .help = "How long one call to the store may take."},
    {.name = "store-patience",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.store_patience_ms),
     .fallback = "0",
     .help = "How long a finished query waits for a store that is away before its client gets the result all the "
             "same; 0 waits for ever, so that whatever is done is kept."},
    {.name = "keep",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.keep_ms),
     .fallback = "14d",
     .min = 1000,
     .help = "How long results, partials and plans of files are kept."},
    {.name = "datasets",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.datasets),
     .argument = "FILE",
     .help = "A file of named datasets, as conf/datasets.conf shows."},
    HQ_REMOTE_OPTIONS(AT(broker.remote)),
    {.kind = HQ_OPTION_GROUP, .help = "Scheduling"},
    {.name = "lease",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.lease_ms),
     .fallback = "5s",
     .min = 300,
     .max = 3600000,
     .help = "A worker silent for so long is given up, and its subtasks go to others."},
    {.name = "attempts",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.attempts),
     .fallback = "3",
     .min = 1,
     .max = 100,
     .help = "A subtask that failed so often fails its query."},
    {.name = "remember-bad",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.remember_bad_ms),
     .fallback = "10m",
     .help = "A file that failed while a query ran is left out for so long, without being tried, by queries with "
             "--skip-bad-files that read the same columns of it; 0: each tries it."},
    {.name = "subtask-limit",
     .kind = HQ_OPTION_DURATION,
     .offset = AT(broker.limit_ms),
     .fallback = "10m",
     .help = "How long one subtask may compute; 0 for no limit."},
    {.name = "partition-entries",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.partition_entries),
     .fallback = "100000",
     .min = 1,
     .help = "How many entries a partition should have, about: it is cut at the file's own borders."},
    {.name = "max-queries",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.max_queries),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "How many queries may be under way."},
    {.name = "max-subtasks",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.max_subtasks),
     .fallback = "10000000",
     .min = 1,
     .max = 1000000000,
     .help = "How many subtasks one query may have."},
    {.name = "user-queries",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.user_queries),
     .fallback = "0",
     .max = 1000000,
     .help = "How many queries one user may have under way; 0 for no limit."},
    {.name = "user-subtasks",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.user_subtasks),
     .fallback = "0",
     .help = "How many subtasks the queries of one user may have under way together; 0 for no limit."},
    {.name = "client-queries",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.client_queries),
     .fallback = "1000",
     .max = 1000000,
     .help = "How many queries one client, a connection, may wait for at once; 0 for no limit."},
    {.name = "query-listeners",
     .kind = HQ_OPTION_INTEGER,
     .offset = AT(broker.query_listeners),
     .fallback = "1000",
     .max = 1000000,
     .help = "How many clients may wait for one query, as those who ask the same do; 0 for no limit."},
    {.name = "shares",
     .kind = HQ_OPTION_TEXT,
     .offset = AT(broker.shares),
     .argument = "USER=WEIGHT…",
     .help = "Queries of one priority share the workers' time between their users. A user of weight 2 gets twice the "
             "time of one of weight 1, which everybody has who is not named here: alice=2 bob=0.5."},
    {.name = "random-placement",
     .kind = HQ_OPTION_FLAG,
     .offset = AT(broker.is_random),
     .help = "Gives subtasks to any worker, whatever it has in its cache: to measure what placement is worth."},
    {.name = "query-memory",
     .kind = HQ_OPTION_SIZE,
     .offset = AT(broker.query_memory),
     .fallback = "2G",
     .min = 1 << 20,
     .help = "Memory for those partials of one query that wait to be merged: as fast as they are, so fast it is "
             "computed. A "
             "query that needs more however slowly it is computed fails."},
    {.kind = HQ_OPTION_GROUP, .help = "What it tells"},
    HQ_OPTION_LOG_LEVEL(AT(log_level), "info"),
};

static const hq_cli cli = {
    .name = "hq-broker",
    .summary = "Takes queries from clients, hands their subtasks to workers, keeps the results.",
    .arguments = "",
    .epilogue = "SIGTERM and SIGINT end it. Exit codes: 0 ended, 1 failed, 2 wrong use.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
};

static hq_error open_broker(const void *all, void **served_r, hq_reason *reason)
{
    hq_broker *broker = NULL;
    hq_error error = broker_new(&((const settings *)all)->broker, &broker, reason);
    *served_r = broker;
    return error;
}

static hq_error run_broker(void *served, hq_reason *reason)
{
    return broker_run(served, reason);
}

static void stop_broker(void *served)
{
    broker_stop(served);
}

static void close_broker(void **served_p)
{
    hq_broker *broker = *served_p;
    broker_free(&broker);
    *served_p = NULL;
}

int main(int argc, char **argv)
{
    hq_memory_reuse();
    settings s = {0};
    const hq_daemon daemon = {.cli = &cli,
                              .settings = &s,
                              .log_level = &s.log_level,
                              .open = open_broker,
                              .run = run_broker,
                              .stop = stop_broker,
                              .close = close_broker};
    return daemon_main(&daemon, argc, argv);
}
