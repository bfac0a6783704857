#include "client/done.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "wire/message.h"
#include "zk/coordinator.h"

enum { SESSION_MS = 5000 };

typedef struct search {
    int is_over;
    size_t left; /* answers to come */
    hq_error error;
    hq_reason reason;
    hq_done_list list;
} search;

/* Of "entry-<priority>-<query>-<sequence>"; false for any other name. */
static bool read_name(const char *entry, hq_done_query *query_r)
{
    char id[HQ_HASH_TEXT];
    int priority, sequence, end = 0;
    if (sscanf(entry, "entry-%d-%32[0-9a-f]-%d%n", &priority, id, &sequence, &end) != 3 || entry[end] ||
        strlen(id) != HQ_HASH_TEXT - 1)
        return false;
    *query_r = (hq_done_query){.entry = hq_strdup(entry), .id = hq_strdup(id), .sequence = sequence};
    return true;
}

static void query_clear(hq_done_query *query)
{
    free(query->entry);
    free(query->id);
    if (query->document)
        bson_destroy(query->document);
}

static int compare(const void *one, const void *other)
{
    int a = ((const hq_done_query *)one)->sequence, b = ((const hq_done_query *)other)->sequence;
    return a > b ? -1 : a < b;
}

static void got_entries(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    search *s = context;
    s->error = error;
    if (error)
        hq_fail(&s->reason, error, "%s", detail);
    s->list.queries = hq_calloc(count, sizeof *s->list.queries);
    for (size_t i = 0; !error && i < count; i++)
        s->list.count += (size_t)read_name(members[i].id, &s->list.queries[s->list.count]);
    if (s->list.count)
        qsort(s->list.queries, s->list.count, sizeof *s->list.queries, compare);
    s->is_over = 1;
}

typedef struct question {
    search *search;
    size_t at;
} question;

static void got_entry(void *context, hq_error error, const char *detail, const void *bytes, size_t size)
{
    question *q = context;
    bson_t document;
    (void)detail;
    if (!error && document_is_sound(bytes, size, &document))
        q->search->list.queries[q->at].document = bson_copy(&document);
    q->search->is_over = --q->search->left == 0;
}

static hq_error get_each(search *s, hq_coordinator *coordinator, int timeout_ms, hq_reason *reason)
{
    question *questions = hq_calloc(s->list.count, sizeof *questions);
    s->left = s->list.count;
    s->is_over = s->left == 0;
    for (size_t i = 0; i < s->list.count; i++) {
        questions[i] = (question){s, i};
        coordinator_get(coordinator, "done", s->list.queries[i].entry, got_entry, &questions[i]);
    }
    hq_error error = coordinator_wait(coordinator, &s->is_over, timeout_ms, reason);
    coordinator_close(&coordinator); /* none of the questions is answered after this */
    free(questions);
    size_t kept = 0;
    for (size_t i = 0; i < s->list.count; i++) {
        if (s->list.queries[i].document)
            s->list.queries[kept++] = s->list.queries[i];
        else
            query_clear(&s->list.queries[i]);
    }
    s->list.count = kept;
    return error;
}

hq_error done_find(const char *endpoint, int timeout_ms, size_t limit, hq_done_list *done_r, hq_reason *reason)
{
    hq_coordinator *coordinator = NULL;
    search s = {0};
    hq_error error = coordinator_open(endpoint, SESSION_MS, NULL, NULL, &coordinator, reason);
    if (error)
        return error;
    coordinator_entries(coordinator, "done", got_entries, &s);
    error = coordinator_wait(coordinator, &s.is_over, timeout_ms, reason);
    if (!error && s.error)
        error = hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s does not tell what is done: %s", endpoint,
                        s.reason.text);
    else if (error)
        error = hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s does not answer", endpoint);
    if (error) {
        coordinator_close(&coordinator);
        done_clear(&s.list);
        return error;
    }
    while (limit && s.list.count > limit)
        query_clear(&s.list.queries[--s.list.count]);
    if (get_each(&s, coordinator, timeout_ms, reason)) {
        done_clear(&s.list);
        return hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s answers no more", endpoint);
    }
    *done_r = s.list;
    return HQ_OK;
}

void done_clear(hq_done_list *done)
{
    for (size_t i = 0; i < done->count; i++)
        query_clear(&done->queries[i]);
    free(done->queries);
    *done = (hq_done_list){0};
}
