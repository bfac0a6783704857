/* bench/ask - asks a broker a query over and over on one open connection and tells how long it took, as one line of
 * JSON: from SUBMIT to ACCEPTED, to the first histograms (PROGRESS with something in it, or DONE) and to DONE, in
 * microseconds; of the last query also when it had reached each tenth of its subtasks, as PROGRESS tells it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/options.h"
#include "client/session.h"
#include "wire/socket.h"

enum { WAIT_MS = 600000, MAX_QUERY = 65536, TENTHS = 10 };

typedef struct ask_settings {
    int64_t count, priority, partition_entries, warm_up;
    char *user;
    bool is_fresh, wants_progress;
} ask_settings;

#define AT(field) offsetof(ask_settings, field)

static const hq_option option_table[] = {
    {.name = "count",
     .letter = 'n',
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = AT(count),
     .fallback = "1",
     .min = 1,
     .max = 10000000,
     .help = "How often."},
    {.name = "warm-up",
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = AT(warm_up),
     .fallback = "0",
     .max = 1000000,
     .help = "As often before, not counted."},
    {.name = "priority",
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = AT(priority),
     .fallback = "500",
     .max = 999,
     .help = "0 first."},
    {.name = "partition-entries",
     .kind = HQ_OPTION_INTEGER,
     .is_command_only = true,
     .offset = AT(partition_entries),
     .fallback = "0",
     .max = INT64_MAX,
     .help = "Aim of the cutting; 0: the broker's own."},
    {.name = "user",
     .kind = HQ_OPTION_TEXT,
     .is_command_only = true,
     .offset = AT(user),
     .fallback = "bench",
     .help = "Who asks."},
    {.name = "fresh",
     .kind = HQ_OPTION_FLAG,
     .is_command_only = true,
     .offset = AT(is_fresh),
     .help = "Take nothing from the store."},
    {.name = "progress",
     .kind = HQ_OPTION_FLAG,
     .is_command_only = true,
     .offset = AT(wants_progress),
     .help = "Ask for PROGRESS."},
};

static const hq_cli command = {.name = "ask",
                               .summary = "Asks a broker a query and tells how long it took.",
                               .arguments = "ENDPOINT QUERY-FILE DATASET…",
                               .min_arguments = 3,
                               .max_arguments = 1000,
                               .options = option_table,
                               .option_count = sizeof option_table / sizeof *option_table};

typedef struct times {
    int64_t *accepted_us, *first_us, *done_us;
    size_t count;
    int64_t subtasks, stored, read_bytes, cached_bytes;
    int64_t tenths_us[TENTHS]; /* of the last query */
} times;

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static void note_event(times *t, const hq_event *event, int64_t since_us)
{
    bool has_hists = event->kind == HQ_EVENT_DONE || (event->kind == HQ_EVENT_PROGRESS && event->done > 0);
    if (event->kind == HQ_EVENT_ACCEPTED)
        t->accepted_us[t->count] = since_us;
    if (has_hists && t->first_us[t->count] == 0)
        t->first_us[t->count] = since_us;
    for (int i = 0; has_hists && i < TENTHS && event->done * TENTHS >= (i + 1) * event->subtasks; i++)
        if (t->tenths_us[i] == 0)
            t->tenths_us[i] = since_us;
    if (event->kind != HQ_EVENT_DONE)
        return;
    t->done_us[t->count++] = since_us;
    t->subtasks += event->done;
    t->stored += event->stored;
    t->read_bytes += event->read_bytes;
    t->cached_bytes += event->cached_bytes;
}

static int ask_once(hq_session *session, const hq_submission *submission, times *t)
{
    hq_reason reason = {{0}};
    int64_t begun_us = hq_now_us();
    memset(t->tenths_us, 0, sizeof t->tenths_us);
    hq_error error = session_submit(session, submission, &reason);
    while (!error) {
        hq_event event;
        error = session_next(session, WAIT_MS, &event, &reason);
        if (error)
            break;
        hq_event_kind kind = event.kind;
        note_event(t, &event, hq_now_us() - begun_us);
        if (kind == HQ_EVENT_FAILED || kind == HQ_EVENT_REJECTED)
            error = hq_fail(&reason, event.error, "%s %s", event.text.text, event.complaint.message);
        event_clear(&event);
        if (kind == HQ_EVENT_DONE)
            return 0;
    }
    fprintf(stderr, "ask: %s\n", reason.text);
    return 1;
}

static void print_quantiles(const char *name, int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    printf("\"%s_p50_us\": %" PRId64 ", \"%s_p99_us\": %" PRId64 ", ", name, values[(count - 1) / 2], name,
           values[(size_t)(0.99 * (double)(count - 1))]);
}

static void print_times(times *t, double seconds)
{
    printf("{\"queries\": %zu, \"subtasks\": %" PRId64 ", \"stored\": %" PRId64 ", \"read_bytes\": %" PRId64
           ", \"cached_bytes\": %" PRId64 ", \"seconds\": %.6f, ",
           t->count, t->subtasks, t->stored, t->read_bytes, t->cached_bytes, seconds);
    print_quantiles("accepted", t->accepted_us, t->count);
    print_quantiles("first", t->first_us, t->count);
    print_quantiles("done", t->done_us, t->count);
    printf("\"tenths_us\": [");
    for (int i = 0; i < TENTHS; i++)
        printf("%s%" PRId64, i ? ", " : "", t->tenths_us[i]);
    printf("]}\n");
}

static int ask_all(const char *endpoint, const hq_submission *submission, const ask_settings *settings)
{
    hq_session *session = NULL;
    hq_reason reason = {{0}};
    if (session_open(endpoint, &session, &reason)) {
        fprintf(stderr, "ask: %s\n", reason.text);
        return 1;
    }
    size_t count = (size_t)settings->count, room = count + (size_t)settings->warm_up;
    times t = {.accepted_us = hq_calloc(room, sizeof(int64_t)),
               .first_us = hq_calloc(room, sizeof(int64_t)),
               .done_us = hq_calloc(room, sizeof(int64_t))};
    int code = 0;
    while (!code && t.count < (size_t)settings->warm_up)
        code = ask_once(session, submission, &t);
    t.count = 0;
    t.subtasks = t.stored = t.read_bytes = t.cached_bytes = 0;
    memset(t.first_us, 0, room * sizeof *t.first_us);
    int64_t begun_us = hq_now_us();
    while (!code && t.count < count)
        code = ask_once(session, submission, &t);
    if (!code)
        print_times(&t, (double)(hq_now_us() - begun_us) / 1e6);
    session_close(&session);
    free(t.accepted_us);
    free(t.first_us);
    free(t.done_us);
    return code;
}

int main(int argc, char **argv)
{
    ask_settings settings = {0};
    hq_arguments arguments;
    int code = options_start(&command, argc, argv, &settings, &arguments);
    if (code >= 0)
        return code;
    char text[MAX_QUERY] = {0};
    FILE *file = fopen(arguments.texts[1], "rb");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    if (size == 0) {
        fprintf(stderr, "ask: %s cannot be read, or is empty\n", arguments.texts[1]);
        return 2;
    }
    const hq_submission submission = {.name = arguments.texts[1],
                                      .text = text,
                                      .specs = (const char *const *)arguments.texts + 2,
                                      .spec_count = arguments.count - 2,
                                      .user = settings.user,
                                      .priority = (int)settings.priority,
                                      .is_fresh = settings.is_fresh,
                                      .wants_progress = settings.wants_progress,
                                      .partition_entries = settings.partition_entries};
    socket_prepare_process();
    code = ask_all(arguments.texts[0], &submission, &settings);
    socket_end_process();
    options_free(&command, &settings);
    return code;
}
