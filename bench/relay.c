/* bench/relay - the ceiling for hq's throughput: what bare libzmq does in the shape of hq's way of a subtask, and
 * nothing else.
 *
 *   client DEALER -- ROUTER broker ROUTER -- DEALER worker (two of them)
 *
 * Four processes over tcp on loopback. A message carries a batch of subtasks of 64 bytes; a worker sends back as many
 * bytes as it got; the broker gives each message to the worker that has fewest under way. First a window of messages is
 * kept in flight until all subtasks are back: subtasks/s, and the CPU time of all four. Then one message at a time: the
 * round trip.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/options.h"

enum {
    WORKERS = 2,
    SUBTASK_BYTES = 64,
    ENDPOINT_SIZE = 128,
    IDENTITY_SIZE = 256,
    DRAIN = 256, /* messages the broker takes from one side before it looks at the other */
    WARM_UP = 10000,
    PATIENCE_MS = 30000 /* a process has died, or the machine has */
};

typedef struct relay_settings {
    int64_t count, batch, window, round_trips;
    bool json;
} relay_settings;

static const hq_option option_table[] = {
    {.name = "count",
     .letter = 'n',
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = offsetof(relay_settings, count),
     .fallback = "1000000",
     .help = "Subtasks in all, rounded up to whole messages.",
     .min = 1,
     .max = 1000000000},
    {.name = "batch",
     .letter = 'b',
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = offsetof(relay_settings, batch),
     .fallback = "64",
     .help = "Subtasks in a message.",
     .min = 1,
     .max = 65536},
    {.name = "window",
     .letter = 'w',
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = offsetof(relay_settings, window),
     .fallback = "16",
     .help = "Messages in flight.",
     .min = 1,
     .max = 65536},
    {.name = "round-trips",
     .letter = 'r',
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = offsetof(relay_settings, round_trips),
     .fallback = "10000",
     .help = "Round trips of a single message.",
     .min = 1,
     .max = 10000000},
    {.name = "json",
     .kind = HQ_OPTION_FLAG,
     .is_command_only = true,
     .offset = offsetof(relay_settings, json),
     .help = "Print one JSON object."},
};

static const hq_cli command = {.name = "relay",
                               .summary = "Measures a bare ZeroMQ relay of the shape of hq.",
                               .arguments = "",
                               .options = option_table,
                               .option_count = sizeof option_table / sizeof *option_table};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("relay: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void check(int result, const char *what)
{
    if (result < 0)
        die("%s: %s", what, zmq_strerror(zmq_errno()));
}

static void *open_socket(void *context, int type)
{
    int unlimited = 0;
    void *socket = zmq_socket(context, type);
    if (!socket)
        die("zmq_socket: %s", zmq_strerror(zmq_errno()));
    check(zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited), "ZMQ_SNDHWM");
    check(zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited), "ZMQ_RCVHWM");
    return socket;
}

/* --- the broker --- */

typedef struct relay_worker {
    char identity[IDENTITY_SIZE];
    size_t identity_size;
    int64_t under_way;
} relay_worker;

typedef struct relay_broker {
    void *front, *back;
    relay_worker workers[WORKERS];
    int worker_count;
} relay_broker;

static relay_worker *worker_of(relay_broker *broker, zmq_msg_t *identity)
{
    for (int i = 0; i < broker->worker_count; i++) {
        relay_worker *worker = &broker->workers[i];
        if (worker->identity_size == zmq_msg_size(identity) &&
            memcmp(worker->identity, zmq_msg_data(identity), worker->identity_size) == 0)
            return worker;
    }
    return NULL;
}

static void meet_worker(relay_broker *broker, zmq_msg_t *identity)
{
    size_t size = zmq_msg_size(identity);
    if (broker->worker_count == WORKERS || size > IDENTITY_SIZE)
        die("broker: an unexpected worker");
    relay_worker *worker = &broker->workers[broker->worker_count++];
    memcpy(worker->identity, zmq_msg_data(identity), size);
    worker->identity_size = size;
}

/* From a worker: its identity, then the client's and the bytes, or nothing when it has just come. */
static bool take_from_back(relay_broker *broker)
{
    zmq_msg_t identity, client, bytes;
    zmq_msg_init(&identity);
    if (zmq_msg_recv(&identity, broker->back, ZMQ_DONTWAIT) < 0)
        return false;
    zmq_msg_init(&client);
    check(zmq_msg_recv(&client, broker->back, 0), "broker: receive");
    if (!zmq_msg_more(&client)) {
        meet_worker(broker, &identity);
        zmq_msg_close(&client);
    } else {
        zmq_msg_init(&bytes);
        check(zmq_msg_recv(&bytes, broker->back, 0), "broker: receive");
        relay_worker *worker = worker_of(broker, &identity);
        if (!worker)
            die("broker: an answer of a worker that never came");
        worker->under_way--;
        check(zmq_msg_send(&client, broker->front, ZMQ_SNDMORE), "broker: send");
        check(zmq_msg_send(&bytes, broker->front, 0), "broker: send");
    }
    zmq_msg_close(&identity);
    return true;
}

static bool take_from_front(relay_broker *broker)
{
    zmq_msg_t client, bytes;
    zmq_msg_init(&client);
    if (zmq_msg_recv(&client, broker->front, ZMQ_DONTWAIT) < 0)
        return false;
    zmq_msg_init(&bytes);
    check(zmq_msg_recv(&bytes, broker->front, 0), "broker: receive");
    relay_worker *worker = &broker->workers[0];
    for (int i = 1; i < broker->worker_count; i++)
        if (broker->workers[i].under_way < worker->under_way)
            worker = &broker->workers[i];
    worker->under_way++;
    check(zmq_send(broker->back, worker->identity, worker->identity_size, ZMQ_SNDMORE), "broker: send");
    check(zmq_msg_send(&client, broker->back, ZMQ_SNDMORE), "broker: send");
    check(zmq_msg_send(&bytes, broker->back, 0), "broker: send");
    return true;
}

/* Binds to a free port and writes the end point, with its zero, to the pipe for the others. */
static void *bind_socket(void *context, int pipe)
{
    void *socket = open_socket(context, ZMQ_ROUTER);
    char endpoint[ENDPOINT_SIZE] = {0};
    size_t size = sizeof endpoint;
    check(zmq_bind(socket, "tcp://127.0.0.1:*"), "broker: bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), "broker: end point");
    if (write(pipe, endpoint, sizeof endpoint) != sizeof endpoint)
        die("broker: write: %s", strerror(errno));
    return socket;
}

static void __attribute__((noreturn)) run_broker(int pipe)
{
    void *context = zmq_ctx_new();
    relay_broker broker = {.front = bind_socket(context, pipe), .back = bind_socket(context, pipe)};
    for (;;) {
        bool is_complete = broker.worker_count == WORKERS;
        zmq_pollitem_t items[] = {{broker.back, 0, ZMQ_POLLIN, 0}, {broker.front, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, is_complete ? 2 : 1, -1), "broker: poll");
        for (int i = 0; i < DRAIN && take_from_back(&broker); i++)
            continue;
        for (int i = 0; is_complete && i < DRAIN && take_from_front(&broker); i++)
            continue;
    }
}

/* --- a worker --- */

static void __attribute__((noreturn)) run_worker(const char *endpoint)
{
    void *context = zmq_ctx_new(), *socket = open_socket(context, ZMQ_DEALER);
    check(zmq_connect(socket, endpoint), "worker: connect");
    check(zmq_send(socket, "", 0, 0), "worker: send");
    for (;;) {
        zmq_msg_t client, bytes, answer;
        zmq_msg_init(&client);
        zmq_msg_init(&bytes);
        check(zmq_msg_recv(&client, socket, 0), "worker: receive");
        check(zmq_msg_recv(&bytes, socket, 0), "worker: receive");
        size_t size = zmq_msg_size(&bytes);
        check(zmq_msg_init_size(&answer, size), "worker: memory");
        memcpy(zmq_msg_data(&answer), zmq_msg_data(&bytes), size);
        zmq_msg_close(&bytes);
        check(zmq_msg_send(&client, socket, ZMQ_SNDMORE), "worker: send");
        check(zmq_msg_send(&answer, socket, 0), "worker: send");
    }
}

/* --- the client --- */

static void send_message(void *socket, int64_t number, size_t size)
{
    zmq_msg_t message;
    check(zmq_msg_init_size(&message, size), "client: memory");
    memset(zmq_msg_data(&message), 0, size);
    memcpy(zmq_msg_data(&message), &number, sizeof number);
    check(zmq_msg_send(&message, socket, 0), "client: send");
}

static bool receive_message(void *socket, size_t size, int flags)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    int result = zmq_msg_recv(&message, socket, flags);
    if (result < 0 && zmq_errno() == EAGAIN)
        return false;
    check(result, "client: receive");
    if (zmq_msg_size(&message) != size)
        die("client: an answer of %zu bytes instead of %zu", zmq_msg_size(&message), size);
    zmq_msg_close(&message);
    return true;
}

static void exchange(void *socket, int64_t messages, size_t size, int64_t window)
{
    for (int64_t sent = 0, back = 0; back < messages;) {
        for (; sent < messages && sent - back < window; sent++)
            send_message(socket, sent, size);
        if (!receive_message(socket, size, 0))
            die("client: no answer within %d s", PATIENCE_MS / 1000);
        do
            back++;
        while (receive_message(socket, size, ZMQ_DONTWAIT));
    }
}

/* CPU time so far of this process and of its children, which are alive. */
static double cpu_seconds(const pid_t *children, int count)
{
    double total = 0;
    for (int i = -1; i < count; i++) {
        clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
        struct timespec time;
        if ((i >= 0 && clock_getcpuclockid(children[i], &clock) != 0) || clock_gettime(clock, &time) != 0)
            die("a process is gone before its time");
        total += (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
    }
    return total;
}

static int compare_times(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

typedef struct relay_result {
    int64_t subtasks;
    double seconds, cpu_seconds, p50_us, p99_us;
} relay_result;

static relay_result measure(void *socket, const relay_settings *settings, const pid_t *children, int child_count)
{
    size_t size = (size_t)settings->batch * SUBTASK_BYTES;
    int64_t messages = (settings->count + settings->batch - 1) / settings->batch;
    relay_result result = {.subtasks = messages * settings->batch};
    exchange(socket, WARM_UP, size, settings->window);

    double cpu = cpu_seconds(children, child_count);
    int64_t begin = now_ns();
    exchange(socket, messages, size, settings->window);
    result.seconds = (double)(now_ns() - begin) * 1e-9;
    result.cpu_seconds = cpu_seconds(children, child_count) - cpu;

    size_t count = (size_t)settings->round_trips;
    int64_t *times = hq_calloc(count, sizeof *times);
    for (size_t i = 0; i < count; i++) {
        begin = now_ns();
        exchange(socket, 1, size, 1);
        times[i] = now_ns() - begin;
    }
    qsort(times, count, sizeof *times, compare_times);
    size_t middle = count / 2, late = count - 1 - count / 100;
    result.p50_us = (double)times[middle] * 1e-3;
    result.p99_us = (double)times[late] * 1e-3;
    free(times);
    return result;
}

static void print_result(const relay_settings *settings, const relay_result *result)
{
    double per_s = (double)result->subtasks / result->seconds;
    double per_million = result->cpu_seconds / (double)result->subtasks * 1e6;
    if (settings->json)
        printf("{\"subtasks\": %lld, \"batch\": %lld, \"window\": %lld, \"seconds\": %.6f, \"per_s\": %.0f, "
               "\"cpu_s_per_million\": %.4f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
               (long long)result->subtasks, (long long)settings->batch, (long long)settings->window, result->seconds,
               per_s, per_million, result->p50_us, result->p99_us);
    else
        printf(
            "%lld subtasks, %lld a message, %lld messages in flight: %.3f s, %.0f subtasks/s, %.2f CPU s per million\n"
            "one message at a time: p50 %.1f us, p99 %.1f us\n",
            (long long)result->subtasks, (long long)settings->batch, (long long)settings->window, result->seconds,
            per_s, per_million, result->p50_us, result->p99_us);
}

/* A process that ends with this one. */
static pid_t start_child(pid_t parent)
{
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            exit(1);
    }
    return pid;
}

int main(int argc, char **argv)
{
    relay_settings settings = {0};
    hq_arguments arguments;
    int code = options_start(&command, argc, argv, &settings, &arguments);
    if (code >= 0)
        return code;

    pid_t children[1 + WORKERS], self = getpid();
    int pipes[2];
    if (pipe(pipes) != 0)
        die("pipe: %s", strerror(errno));
    if ((children[0] = start_child(self)) == 0)
        run_broker(pipes[1]);
    close(pipes[1]);
    char front[ENDPOINT_SIZE], back[ENDPOINT_SIZE];
    if (read(pipes[0], front, sizeof front) != sizeof front || read(pipes[0], back, sizeof back) != sizeof back)
        die("the broker could not bind");
    for (int i = 0; i < WORKERS; i++)
        if ((children[1 + i] = start_child(self)) == 0)
            run_worker(back);

    void *context = zmq_ctx_new(), *socket = open_socket(context, ZMQ_DEALER);
    int patience = PATIENCE_MS;
    check(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience), "ZMQ_RCVTIMEO");
    check(zmq_connect(socket, front), "client: connect");
    relay_result result = measure(socket, &settings, children, 1 + WORKERS);
    print_result(&settings, &result);

    zmq_close(socket);
    zmq_ctx_term(context);
    for (int i = 0; i < 1 + WORKERS; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    return 0;
}
