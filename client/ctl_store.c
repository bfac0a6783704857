/* hq-ctl's commands that look into the store: stored and flush. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/ctl.h"
#include "client/find.h"
#include "client/table.h"

static const int64_t KEEP_MS = 86400000; /* nothing that expires is written here */

int ctl_open_store(const hq_ctl *ctl, hq_store **store_r)
{
    hq_reason reason = {{0}};
    char *address = ctl->is_local ? find_local_store() : hq_strdup(ctl->store);
    hq_error error = store_open(address, (int)ctl->store_timeout_ms, KEEP_MS, store_r, &reason);
    free(address);
    return error ? ctl_complain(error, &reason) : CTL_DONE;
}

const char *ctl_text_of(const bson_t *document, const char *key)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, document, key) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : "";
}

int64_t ctl_number_of(const bson_t *document, const char *key)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, document, key))
        return 0;
    return BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
}

json_t *ctl_text_json(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_null();
}

void ctl_set_text(json_t *object, const bson_t *document, const char *key)
{
    json_object_set_new(object, key, ctl_text_json(ctl_text_of(document, key)));
}

void ctl_set_number(json_t *object, const bson_t *document, const char *key)
{
    bool has_field = bson_has_field(document, key);
    json_object_set_new(object, key, has_field ? json_integer((json_int_t)ctl_number_of(document, key)) : json_null());
}

void ctl_add_short(hq_table *table, const char *id)
{
    table_add_own(table, hq_strndup(id, CTL_SHORT_ID));
}

void ctl_add_dataset(hq_table *table, const bson_t *document)
{
    long long specs = (long long)ctl_number_of(document, "specs");
    const char *first = ctl_text_of(document, "dataset");
    table_add_own(table, specs > 1 ? hq_format("%s and %lld more", first, specs - 1) : hq_strdup(first));
}

/* ---- what is stored ---- */

typedef struct result {
    char *id, *query, *program;
    bson_t *document;
    int64_t expires_ms, bytes;
} result;

/* Results that --dataset lets through; the other collections are only counted. */
typedef struct stock {
    const hq_ctl *ctl;
    result *results;
    size_t count, capacity;
    uint64_t documents;
    int64_t bytes;
} stock;

static void take_result(void *context, const hq_stored *stored)
{
    stock *s = context;
    if (s->ctl->dataset && strcmp(s->ctl->dataset, ctl_text_of(stored->document, "dataset")) != 0)
        return;
    HQ_GROW(s->results, s->count, s->capacity);
    s->results[s->count++] = (result){.id = hq_strdup(stored->id),
                                      .query = hq_strdup(ctl_text_of(stored->document, "query")),
                                      .program = hq_strdup(ctl_text_of(stored->document, "program")),
                                      .document = bson_copy(stored->document),
                                      .expires_ms = stored->expires_ms,
                                      .bytes = stored->bytes};
    s->bytes = table_sum(s->bytes, stored->bytes);
}

static void count_document(void *context, const hq_stored *stored)
{
    stock *s = context;
    s->documents++;
    s->bytes = table_sum(s->bytes, stored->bytes);
}

static void stock_clear(stock *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->results[i].id);
        free(s->results[i].query);
        free(s->results[i].program);
        bson_destroy(s->results[i].document);
    }
    free(s->results);
}

static json_t *result_to_json(const result *r)
{
    static const char *const texts[] = {"query", "name", "user", "dataset", "program"};
    static const char *const numbers[] = {"specs", "entries", "subtasks", "finished"};
    bson_iter_t at;
    json_t *object = json_pack("{s:o, s:I, s:I}", "fingerprint", ctl_text_json(r->id), "bytes", (json_int_t)r->bytes,
                               "expires", (json_int_t)r->expires_ms);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ctl_set_text(object, r->document, texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ctl_set_number(object, r->document, numbers[i]);
    bool has_seconds = bson_iter_init_find(&at, r->document, "seconds") && BSON_ITER_HOLDS_DOUBLE(&at);
    json_object_set_new(object, "seconds", has_seconds ? json_real(bson_iter_double(&at)) : json_null());
    return object;
}

static size_t shown(const stock *s)
{
    return s->ctl->limit && (size_t)s->ctl->limit < s->count ? (size_t)s->ctl->limit : s->count;
}

static void print_results(const stock *s)
{
    int64_t now_ms = hq_wall_ms();
    hq_table *table = table_new("FINGERPRINT QUERY FINISHED >EXPIRES_IN >SIZE >ENTRIES USER NAME DATASET");
    for (size_t i = 0; i < shown(s); i++) {
        const result *r = &s->results[i];
        table_add_own(table, hq_strndup(r->id, 2 * CTL_SHORT_ID));
        ctl_add_short(table, r->query);
        table_add_own(table, table_date(ctl_number_of(r->document, "finished")));
        table_add_own(table, table_span(r->expires_ms > now_ms ? r->expires_ms - now_ms : 0));
        table_add_own(table, table_bytes(r->bytes));
        table_add_own(table, table_count(ctl_number_of(r->document, "entries")));
        table_add(table, ctl_text_of(r->document, "user"));
        table_add(table, ctl_base_name(ctl_text_of(r->document, "name")));
        ctl_add_dataset(table, r->document);
    }
    table_print(table, stdout);
    table_free(&table);
    if (shown(s) < s->count)
        printf("and %zu more: --limit 0 shows all\n", s->count - shown(s));
}

static void print_sum(const char *what, uint64_t documents, int64_t bytes)
{
    char *count = table_count((int64_t)documents), *size = table_bytes(bytes);
    printf("%s: %s, %s\n", what, count, size);
    free(count);
    free(size);
}

static json_t *sum_to_json(uint64_t documents, int64_t bytes)
{
    return json_pack("{s:I, s:I}", "documents", (json_int_t)documents, "bytes", (json_int_t)bytes);
}

int ctl_stored(const hq_ctl *ctl)
{
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    int code = ctl_open_store(ctl, &store);
    if (!store)
        return code;
    stock results = {.ctl = ctl}, partials = {.ctl = ctl}, plans = {.ctl = ctl}, bodies = {.ctl = ctl};
    hq_error error = store_list(store, HQ_COLLECTION_RESULTS, 0, take_result, &results, &reason);
    if (!error)
        error = store_list(store, HQ_COLLECTION_PARTIALS, 0, count_document, &partials, &reason);
    if (!error)
        error = store_list(store, HQ_COLLECTION_PLANS, 0, count_document, &plans, &reason);
    if (!error)
        error = store_list(store, HQ_COLLECTION_BODIES, 0, count_document, &bodies, &reason);
    store_close(&store);
    if (error) {
        code = ctl_complain(error, &reason);
    } else if (ctl->wants_json) {
        json_t *list = json_array();
        for (size_t i = 0; i < shown(&results); i++)
            json_array_append_new(list, result_to_json(&results.results[i]));
        ctl_print_json(ctl, json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "results", list, "result_count",
                                      (json_int_t)results.count, "result_bytes", (json_int_t)results.bytes, "partials",
                                      sum_to_json(partials.documents, partials.bytes), "plans",
                                      sum_to_json(plans.documents, plans.bytes), "requests",
                                      sum_to_json(bodies.documents, bodies.bytes)));
    } else {
        print_results(&results);
        print_sum("results", results.count, results.bytes);
        print_sum("packs of partials", partials.documents, partials.bytes);
        print_sum("plans of files", plans.documents, plans.bytes);
        if (bodies.documents)
            print_sum("requests of very many files", bodies.documents, bodies.bytes);
    }
    stock_clear(&results);
    return code;
}

/* ---- flush ---- */

/* What a flush is of. None of the three named: all of them. */
typedef struct extent {
    bool results, partials, plans;
    bool is_filtered;
} extent;

static extent extent_of(const hq_ctl *ctl)
{
    bool is_any = ctl->wants_results || ctl->wants_partials || ctl->wants_plans;
    bool is_filtered = ctl->arguments.count > 0 || ctl->dataset;
    return (extent){.results = ctl->wants_results || !is_any,
                    .partials = ctl->wants_partials || !is_any,
                    .plans = ctl->wants_plans || (!is_any && !is_filtered),
                    .is_filtered = is_filtered};
}

static bool begins(const char *id, const char *text)
{
    return *text && strncasecmp(id, text, strlen(text)) == 0;
}

/* Puts the results that an argument names (by fingerprint, query, or what these begin with) before the others, and
 * their number into documents; without arguments, all. An argument that fits none or several is an error. */
static hq_error choose(stock *s, hq_reason *reason)
{
    const hq_arguments *wanted = &s->ctl->arguments;
    s->documents = wanted->count ? 0 : s->count;
    for (size_t i = 0; i < wanted->count; i++) {
        size_t fitting = 0, at = 0;
        for (size_t k = 0; k < s->count; k++)
            if (begins(s->results[k].id, wanted->texts[i]) || begins(s->results[k].query, wanted->texts[i])) {
                at = k;
                fitting++;
            }
        if (fitting == 0)
            return hq_fail(reason, HQ_ENOTFOUND, "%s: no such result is stored", wanted->texts[i]);
        if (fitting > 1)
            return hq_fail(reason, HQ_EINVAL, "%s: %zu results fit", wanted->texts[i], fitting);
        if (at < s->documents)
            continue; /* named twice */
        result r = s->results[at];
        s->results[at] = s->results[s->documents];
        s->results[s->documents++] = r;
    }
    return HQ_OK;
}

static hq_error remove_chosen(hq_store *store, const stock *s, extent of, uint64_t *results_r, uint64_t *packs_r,
                              hq_reason *reason)
{
    for (size_t i = 0; i < s->documents; i++) {
        uint64_t removed;
        hq_error error = HQ_OK;
        if (of.results)
            error = store_remove(store, HQ_COLLECTION_RESULTS, s->results[i].id, &removed, reason);
        *results_r += of.results && !error ? removed : 0;
        /* Results of hq's first days do not tell their program. */
        bool has_partials = of.partials && *s->results[i].program;
        if (!error && has_partials)
            error = store_remove(store, HQ_COLLECTION_PARTIALS, s->results[i].program, &removed, reason);
        *packs_r += has_partials && !error ? removed : 0;
        if (error)
            return error;
    }
    return HQ_OK;
}

static void tell_removed(const extent *of, uint64_t results, uint64_t packs, uint64_t plans)
{
    if (of->results)
        printf("%llu result%s dropped\n", (unsigned long long)results, ctl_plural(results));
    if (of->partials)
        printf("%llu pack%s of partials dropped\n", (unsigned long long)packs, ctl_plural(packs));
    if (of->plans)
        printf("%llu plan%s of files dropped\n", (unsigned long long)plans, ctl_plural(plans));
}

static int flush_chosen(const hq_ctl *ctl, hq_store *store, extent of)
{
    hq_reason reason = {{0}};
    stock s = {.ctl = ctl};
    uint64_t results = 0, packs = 0;
    hq_error error = store_list(store, HQ_COLLECTION_RESULTS, 0, take_result, &s, &reason);
    if (!error)
        error = choose(&s, &reason);
    if (!error && s.documents == 0)
        error = hq_fail(&reason, HQ_ENOTFOUND, "no result of the dataset %s is stored", ctl->dataset);
    int code = error ? ctl_complain(error, &reason) : CTL_DONE;
    char *question = hq_format("%s%s%s of %llu queries will be computed again when somebody asks. Drop them?",
                               of.results ? "Results" : "", of.results && of.partials ? " and partials" : "",
                               !of.results ? "Partials" : "", (unsigned long long)s.documents);
    if (!error && !ctl_confirm(ctl, question)) {
        code = CTL_FAILED;
    } else if (!error) {
        error = remove_chosen(store, &s, of, &results, &packs, &reason);
        tell_removed(&of, results, packs, 0);
        code = error ? ctl_complain(error, &reason) : CTL_DONE;
    }
    free(question);
    stock_clear(&s);
    return code;
}

static int flush_all(const hq_ctl *ctl, hq_store *store, extent of)
{
    hq_reason reason = {{0}};
    uint64_t results = 0, packs = 0, plans = 0;
    hq_error error = HQ_OK;
    char *question = hq_format("All%s%s%s of the store will be computed again when somebody asks. Drop them?",
                               of.results ? " results" : "", of.partials ? " partials" : "",
                               of.plans ? " plans of files" : "");
    bool is_meant = ctl_confirm(ctl, question);
    free(question);
    if (!is_meant)
        return CTL_FAILED;
    if (of.results)
        error = store_remove(store, HQ_COLLECTION_RESULTS, NULL, &results, &reason);
    if (!error && of.partials)
        error = store_remove(store, HQ_COLLECTION_PARTIALS, NULL, &packs, &reason);
    if (!error && of.plans)
        error = store_remove(store, HQ_COLLECTION_PLANS, NULL, &plans, &reason);
    if (error)
        return ctl_complain(error, &reason);
    tell_removed(&of, results, packs, plans);
    return CTL_DONE;
}

int ctl_flush(const hq_ctl *ctl)
{
    hq_store *store = NULL;
    extent of = extent_of(ctl);
    if (of.is_filtered && of.plans) {
        fprintf(stderr, "hq-ctl: plans are of files, not of results: --plans goes with neither an id nor --dataset\n");
        return CTL_WRONG;
    }
    int code = ctl_open_store(ctl, &store);
    if (store)
        code = of.is_filtered ? flush_chosen(ctl, store, of) : flush_all(ctl, store, of);
    store_close(&store);
    return code;
}
