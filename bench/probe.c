/* bench/probe - asks a broker STATUS over and over until its input ends, and tells how long the answers took, as one
 * line of JSON: how long a broker's loop does not come round.
 *
 * usage: probe ENDPOINT
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/session.h"
#include "wire/socket.h"

enum { WAIT_MS = 60000, PAUSE_MS = 1 };

typedef struct answers {
    int64_t *us;
    size_t count, capacity;
} answers;

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static bool input_has_ended(void)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, PAUSE_MS) > 0;
}

static int probe(hq_session *session, answers *a, hq_reason *reason)
{
    do {
        hq_event event;
        int64_t begun_us = hq_now_us();
        session_probe(session);
        hq_error error = session_next(session, WAIT_MS, &event, reason);
        if (error)
            return 1;
        HQ_GROW(a->us, a->count, a->capacity);
        a->us[a->count++] = hq_now_us() - begun_us;
        event_clear(&event);
    } while (!input_has_ended());
    return 0;
}

int main(int argc, char **argv)
{
    hq_session *session = NULL;
    hq_reason reason = {{0}};
    answers a = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: probe ENDPOINT\n");
        return 2;
    }
    socket_prepare_process();
    int code = session_open(argv[1], &session, &reason) ? 1 : probe(session, &a, &reason);
    if (code) {
        fprintf(stderr, "probe: %s\n", reason.text);
    } else {
        qsort(a.us, a.count, sizeof *a.us, compare);
        printf("{\"answers\": %zu, \"p50_us\": %lld, \"p99_us\": %lld, \"max_us\": %lld}\n", a.count,
               (long long)a.us[a.count / 2], (long long)a.us[a.count * 99 / 100], (long long)a.us[a.count - 1]);
    }
    session_close(&session);
    free(a.us);
    socket_end_process();
    return code;
}
