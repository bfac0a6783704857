/* hq-ctl queries, the finished half: what the coordinator has of the last day, and the store's journal. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/ctl.h"

typedef struct finished {
    char *id;
    bson_t *document;
    bool is_of_journal;
    int64_t finished_ms, expires_ms; /* of its result in the store; 0: none is there */
} finished;

typedef struct gathered {
    finished *all;
    size_t count, capacity;
} gathered;

static void take(gathered *g, const char *id, const bson_t *document, bool is_of_journal)
{
    int64_t finished_ms = ctl_number_of(document, "finished"); /* the journal has when it began, and how long it took */
    if (!finished_ms)
        finished_ms = table_sum(ctl_number_of(document, "submitted"), ctl_number_of(document, "total_ms"));
    HQ_GROW(g->all, g->count, g->capacity);
    g->all[g->count++] = (finished){.id = hq_strdup(id),
                                    .document = bson_copy(document),
                                    .is_of_journal = is_of_journal,
                                    .finished_ms = finished_ms,
                                    .expires_ms = ctl_number_of(document, "expires")};
}

static void take_journal(void *context, const hq_stored *stored)
{
    take(context, stored->id, stored->document, true);
}

static void finished_clear(finished *f)
{
    free(f->id);
    bson_destroy(f->document);
}

static void gathered_clear(gathered *g)
{
    for (size_t i = 0; i < g->count; i++)
        finished_clear(&g->all[i]);
    free(g->all);
}

/* Of one query the journal's comes first: it tells more. */
static int by_id(const void *one, const void *other)
{
    const finished *a = one, *b = other;
    int order = strcmp(a->id, b->id);
    return order ? order : (int)b->is_of_journal - (int)a->is_of_journal;
}

static int by_age(const void *one, const void *other)
{
    const finished *a = one, *b = other;
    return a->finished_ms != b->finished_ms ? (a->finished_ms > b->finished_ms ? -1 : 1) : by_id(one, other);
}

/* Each query once, the newest first, as many as are wanted. */
static void put_in_order(gathered *g, size_t limit)
{
    size_t kept = 0;
    if (g->count == 0)
        return;
    qsort(g->all, g->count, sizeof *g->all, by_id);
    for (size_t i = 0; i < g->count; i++) {
        if (kept > 0 && strcmp(g->all[kept - 1].id, g->all[i].id) == 0) {
            if (!g->all[kept - 1].expires_ms)
                g->all[kept - 1].expires_ms = g->all[i].expires_ms;
            finished_clear(&g->all[i]);
        } else {
            g->all[kept++] = g->all[i];
        }
    }
    g->count = kept;
    qsort(g->all, g->count, sizeof *g->all, by_age);
    while (limit && g->count > limit)
        finished_clear(&g->all[--g->count]);
}

/* A result may have been flushed, or have been computed again, since its query was done. */
static hq_error look_up_expiry(gathered *g, hq_store *store, hq_reason *reason)
{
    hq_error error = HQ_OK;
    for (size_t i = 0; i < g->count && !error; i++) {
        const char *fingerprint = ctl_text_of(g->all[i].document, "fingerprint");
        bool has_result = strcmp(ctl_text_of(g->all[i].document, "state"), "SUCCESSFUL") == 0 && *fingerprint;
        g->all[i].expires_ms = 0;
        if (has_result)
            error = store_get_expiry(store, HQ_COLLECTION_RESULTS, fingerprint, &g->all[i].expires_ms, reason);
        if (error == HQ_ENOTFOUND)
            error = HQ_OK;
    }
    return error;
}

static json_t *to_json(const finished *f)
{
    static const char *const texts[] = {"name", "user", "dataset", "state", "code", "broker", "fingerprint"};
    static const char *const numbers[] = {"specs",   "submitted",  "priority", "subtasks",   "entries",     "stored",
                                          "plan_ms", "compute_ms", "total_ms", "read_bytes", "cached_bytes"};
    json_t *object = json_pack("{s:o, s:I, s:o}", "query", ctl_text_json(f->id), "finished", (json_int_t)f->finished_ms,
                               "expires", f->expires_ms ? json_integer((json_int_t)f->expires_ms) : json_null());
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ctl_set_text(object, f->document, texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ctl_set_number(object, f->document, numbers[i]);
    const char *reason = ctl_text_of(f->document, f->is_of_journal ? "reason" : "text");
    json_object_set_new(object, "reason", ctl_text_json(reason));
    return object;
}

static void add_row(hq_table *table, const finished *f, int64_t now_ms)
{
    const bson_t *document = f->document;
    const char *code = ctl_text_of(document, "code");
    int64_t submitted_ms = ctl_number_of(document, "submitted");
    ctl_add_short(table, f->id);
    table_add(table, ctl_text_of(document, "user"));
    table_add(table, ctl_text_of(document, "state"));
    table_add(table, strcmp(code, "ok") == 0 ? "" : code);
    table_add_own(table, table_date(f->finished_ms));
    table_add_own(table, submitted_ms ? table_span(table_sum(f->finished_ms, -submitted_ms)) : hq_strdup("-"));
    table_add_own(table, table_count(ctl_number_of(document, "subtasks")));
    table_add_own(table, table_count(ctl_number_of(document, "entries")));
    table_add_own(table, table_share(ctl_number_of(document, "stored"), ctl_number_of(document, "subtasks")));
    table_add_own(table, f->expires_ms > now_ms ? table_span(f->expires_ms - now_ms) : hq_strdup("-"));
    table_add(table, ctl_base_name(ctl_text_of(document, "name")));
    ctl_add_dataset(table, document);
}

static void print(const gathered *g)
{
    int64_t now_ms = hq_wall_ms();
    hq_table *table = table_new("QUERY USER STATE CODE FINISHED >TOOK >SUBTASKS >ENTRIES >FROM_STORE >STORED_FOR NAME "
                                "DATASET");
    for (size_t i = 0; i < g->count; i++)
        add_row(table, &g->all[i], now_ms);
    table_print(table, stdout);
    table_free(&table);
}

int ctl_find_done(const hq_ctl *ctl, hq_done_list *done_r)
{
    hq_reason reason = {{0}};
    hq_error error = done_find(ctl->coordinator, (int)ctl->timeout_ms, (size_t)ctl->limit, done_r, &reason);
    return error ? ctl_complain(error, &reason) : CTL_DONE;
}

int ctl_finished(const hq_ctl *ctl, const hq_done_list *done, json_t **list_r)
{
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    hq_error error = HQ_OK;
    gathered g = {0};
    bool has_store = ctl->is_local || strcmp(ctl->store, "none") != 0;
    int code = has_store ? ctl_open_store(ctl, &store) : CTL_DONE;
    if (store)
        error = store_list(store, HQ_COLLECTION_QUERIES, (size_t)ctl->limit, take_journal, &g, &reason);
    for (size_t i = 0; i < done->count; i++)
        take(&g, done->queries[i].id, done->queries[i].document, false);
    put_in_order(&g, (size_t)ctl->limit);
    if (store && !error)
        error = look_up_expiry(&g, store, &reason);
    store_close(&store);
    if (error)
        code = ctl_complain(error, &reason);
    if (!list_r)
        print(&g);
    else if (g.count || code == CTL_DONE) { /* else nobody knows whether there are any */
        *list_r = json_array();
        for (size_t i = 0; i < g.count; i++)
            json_array_append_new(*list_r, to_json(&g.all[i]));
    }
    gathered_clear(&g);
    return code;
}
