/* bench/steps - what one query needs of the coordinator and of the store, step by step and one at a time: the times
 * that bench/latency compares hq's own with. One line of JSON, microseconds.
 *
 *   create   the entry under /unowned          own      the multi that moves it to /owned
 *   finish   the multi that moves it to /done  insert   a result of one small histogram put into the store
 *   journal  the journal's document            read     that result, by its fingerprint
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/store.h"
#include "wire/socket.h"
#include "zk/coordinator.h"

enum { SESSION_MS = 10000, STEP_MS = 30000, KEEP_MS = 86400000, DOCUMENT_BYTES = 200, PRIORITY = 500 };

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
    fprintf(stderr, "steps: %s: %s\n", what, why);
    exit(1);
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static void print_quantiles(const char *name, int64_t *us, size_t count, const char *after)
{
    qsort(us, count, sizeof *us, compare);
    printf("\"%s_p50_us\": %" PRId64 ", \"%s_p99_us\": %" PRId64 "%s", name, us[(count - 1) / 2], name,
           us[(size_t)(0.99 * (double)(count - 1))], after);
}

/* ---- the coordinator ---- */

typedef struct step {
    hq_coordinator *coordinator;
    int is_done;
    hq_error error;
    char detail[256], entry[256];
} step;

static void step_done(void *context, hq_error error, const char *detail)
{
    step *s = context;
    s->is_done = 1;
    s->error = error;
    snprintf(s->detail, sizeof s->detail, "%s", detail ? detail : "");
}

static void step_entry(void *context, hq_error error, const char *detail, const char *entry)
{
    step *s = context;
    snprintf(s->entry, sizeof s->entry, "%s", entry ? entry : "");
    step_done(context, error, detail);
}

static int64_t wait_for(step *s, const char *what, int64_t begun_us)
{
    hq_reason reason = {{0}};
    if (coordinator_wait(s->coordinator, &s->is_done, STEP_MS, &reason))
        die(what, reason.text);
    if (s->error)
        die(what, s->detail);
    s->is_done = 0;
    return hq_now_us() - begun_us;
}

static void measure_coordinator(const char *address, size_t count)
{
    step s = {0};
    hq_reason reason = {{0}};
    char bytes[DOCUMENT_BYTES] = {0};
    int64_t *times[3];
    for (size_t i = 0; i < 3; i++)
        times[i] = hq_calloc(count, sizeof **times);
    if (coordinator_open(address, SESSION_MS, NULL, NULL, &s.coordinator, &reason))
        die("coordinator", reason.text);
    for (size_t i = 0; i <= count; i++) { /* the first one connects */
        size_t at = i ? i - 1 : 0;
        char id[HQ_HASH_TEXT];
        hq_hash hash = hash_random();
        hash_to_text(&hash, id);
        int64_t begun_us = hq_now_us();
        coordinator_submit(s.coordinator, PRIORITY, id, bytes, sizeof bytes, step_entry, &s);
        times[0][at] = wait_for(&s, "create", begun_us);
        begun_us = hq_now_us();
        coordinator_own(s.coordinator, s.entry, bytes, sizeof bytes, id, step_done, &s);
        times[1][at] = wait_for(&s, "own", begun_us);
        begun_us = hq_now_us();
        coordinator_finish(s.coordinator, s.entry, bytes, sizeof bytes, step_done, &s);
        times[2][at] = wait_for(&s, "finish", begun_us);
    }
    coordinator_close(&s.coordinator);
    static const char *const names[] = {"create", "own", "finish"};
    for (size_t i = 0; i < 3; i++) {
        print_quantiles(names[i], times[i], count, ", ");
        free(times[i]);
    }
}

/* ---- the store ---- */

static bson_t *result_document(void)
{
    uint8_t hists[DOCUMENT_BYTES] = {0};
    bson_t *document = bson_new();
    BSON_APPEND_UTF8(document, "name", "no-op.py");
    BSON_APPEND_UTF8(document, "user", "bench");
    BSON_APPEND_INT64(document, "entries", 1);
    BSON_APPEND_BINARY(document, "hists", BSON_SUBTYPE_BINARY, hists, sizeof hists);
    return document;
}

static void measure_store(const char *address, size_t count)
{
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    int64_t *times[3];
    for (size_t i = 0; i < 3; i++)
        times[i] = hq_calloc(count, sizeof **times);
    if (store_open(address, STEP_MS, KEEP_MS, &store, &reason) || store_prepare(store, &reason))
        die("store", reason.text);
    bson_t *document = result_document();
    for (size_t i = 0; i <= count; i++) {
        size_t at = i ? i - 1 : 0;
        hq_hash id = hash_random();
        bson_t *found = NULL;
        int64_t begun_us = hq_now_us();
        if (store_put_result(store, &id, document, &reason))
            die("insert", reason.text);
        int64_t put_us = hq_now_us();
        if (store_put_journal(store, &id, document, &reason))
            die("journal", reason.text);
        int64_t told_us = hq_now_us();
        if (store_get_result(store, &id, &found, &reason))
            die("read", reason.text);
        times[2][at] = hq_now_us() - told_us;
        times[1][at] = told_us - put_us;
        times[0][at] = put_us - begun_us;
        bson_destroy(found);
    }
    bson_destroy(document);
    store_close(&store);
    static const char *const names[] = {"insert", "journal", "read"};
    for (size_t i = 0; i < 3; i++) {
        print_quantiles(names[i], times[i], count, i < 2 ? ", " : "}\n");
        free(times[i]);
    }
}

int main(int argc, char **argv)
{
    long count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (count < 1) {
        fprintf(stderr, "usage: steps COORDINATOR STORE COUNT\n");
        return 2;
    }
    socket_prepare_process();
    printf("{");
    measure_coordinator(argv[1], (size_t)count);
    measure_store(argv[2], (size_t)count);
    socket_end_process();
    return 0;
}
