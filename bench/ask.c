/* bench/ask - asks a broker a query over and over on one open connection and tells how long it took, as one line of
 * JSON.
 *
 * usage: ask ENDPOINT QUERY-FILE DATASET COUNT [fresh]
 * For each query: from SUBMIT to ACCEPTED and to DONE, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/session.h"
#include "wire/socket.h"

enum { WAIT_MS = 600000, MAX_QUERY = 65536 };

typedef struct times {
    int64_t *accepted_us, *done_us;
    size_t count;
    int64_t subtasks;
} times;

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static int64_t quantile(int64_t *values, size_t count, double q)
{
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)(q * (double)(count - 1))];
}

static int ask_once(hq_session *session, const hq_submission *submission, times *t)
{
    hq_reason reason = {{0}};
    int64_t begun_us = hq_now_us();
    hq_error error = session_submit(session, submission, &reason);
    while (!error) {
        hq_event event;
        error = session_next(session, WAIT_MS, &event, &reason);
        if (error)
            break;
        hq_event_kind kind = event.kind;
        if (kind == HQ_EVENT_ACCEPTED)
            t->accepted_us[t->count] = hq_now_us() - begun_us;
        if (kind == HQ_EVENT_DONE) {
            t->done_us[t->count++] = hq_now_us() - begun_us;
            t->subtasks += event.done;
        }
        if (kind == HQ_EVENT_FAILED || kind == HQ_EVENT_REJECTED)
            error = hq_fail(&reason, event.error, "%s %s", event.text.text, event.complaint.message);
        event_clear(&event);
        if (kind == HQ_EVENT_DONE)
            return 0;
    }
    fprintf(stderr, "ask: %s\n", reason.text);
    return 1;
}

static int ask_all(const char *endpoint, const hq_submission *submission, size_t count)
{
    hq_session *session = NULL;
    hq_reason reason = {{0}};
    if (session_open(endpoint, &session, &reason)) {
        fprintf(stderr, "ask: %s\n", reason.text);
        return 1;
    }
    times t = {.accepted_us = hq_calloc(count, sizeof(int64_t)), .done_us = hq_calloc(count, sizeof(int64_t))};
    int64_t begun_us = hq_now_us();
    int code = 0;
    while (!code && t.count < count)
        code = ask_once(session, submission, &t);
    double seconds = (double)(hq_now_us() - begun_us) / 1e6;
    if (!code)
        printf("{\"queries\": %zu, \"subtasks\": %lld, \"seconds\": %.6f, \"accepted_p50_us\": %lld, "
               "\"accepted_p99_us\": %lld, "
               "\"done_p50_us\": %lld, \"done_p99_us\": %lld}\n",
               t.count, (long long)t.subtasks, seconds, (long long)quantile(t.accepted_us, t.count, 0.5),
               (long long)quantile(t.accepted_us, t.count, 0.99), (long long)quantile(t.done_us, t.count, 0.5),
               (long long)quantile(t.done_us, t.count, 0.99));
    session_close(&session);
    free(t.accepted_us);
    free(t.done_us);
    return code;
}

int main(int argc, char **argv)
{
    char text[MAX_QUERY] = {0};
    FILE *file = argc >= 5 ? fopen(argv[2], "rb") : NULL;
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    if (size == 0) {
        fprintf(stderr, "usage: ask ENDPOINT QUERY-FILE DATASET COUNT [fresh]\n");
        return 2;
    }
    long count = strtol(argv[4], NULL, 10);
    const char *specs[] = {argv[3]};
    const hq_submission submission = {.name = argv[2],
                                      .text = text,
                                      .specs = specs,
                                      .spec_count = 1,
                                      .user = "bench",
                                      .priority = 500,
                                      .is_fresh = argc > 5 && strcmp(argv[5], "fresh") == 0};
    socket_prepare_process();
    int code = ask_all(argv[1], &submission, count > 0 ? (size_t)count : 1);
    socket_end_process();
    return code;
}
