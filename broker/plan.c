/* broker/plan.c - the job that opens a dataset's files and checks the query's text against what they hold. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"

/* A text that can be no path, for paths are absolute: a dataset's name. */
static bool is_dataset_name(const char *spec)
{
    return !strchr(spec, '/') && strncmp(spec, "empty:", 6) != 0;
}

/* The file of datasets goes before the store: it is there when that is away, and who runs the broker wrote it. */
static hq_error look_up_name(const hq_broker *broker, const char *name, char ***specs_r, size_t *count_r,
                             hq_reason *reason)
{
    const char *datasets = broker->settings.datasets;
    hq_reason in_file = {{0}};
    hq_error error = datasets ? dataset_lookup(datasets, name, specs_r, count_r, &in_file) : HQ_ENOTFOUND;
    if (error != HQ_ENOTFOUND) {
        *reason = in_file;
        return error;
    }
    error = dataset_is_name(name) ? named_specs(broker, name, specs_r, count_r, reason) : HQ_ENOTFOUND;
    if (error == HQ_ENOTFOUND && datasets)
        return hq_fail(reason, error, "%s; nor has the store a dataset of that name", in_file.text);
    if (error == HQ_ENOTFOUND)
        return hq_fail(reason, error,
                       "%s: no such file, and no dataset of that name is in the store (hq-ctl datasets add) or in a "
                       "file of the broker (its option --datasets)",
                       name);
    return error;
}

static hq_error resolve(hq_plan *plan)
{
    if (plan->spec_count != 1 || !is_dataset_name(plan->specs[0]))
        return HQ_OK;
    char **specs = NULL;
    size_t count = 0;
    hq_error error = look_up_name(plan->query->broker, plan->specs[0], &specs, &count, &plan->reason);
    if (error)
        return error;
    dataset_specs_free(&plan->specs, plan->spec_count);
    plan->specs = specs;
    plan->spec_count = count;
    return HQ_OK;
}

/* A column that the text asks for in vain may be one that only some files have: then the hint names a file that lacks
 * it. */
static void explain_dropped(hq_plan *plan)
{
    const hq_dataset *dataset = plan->dataset;
    const char *message = plan->complaint.message;
    for (size_t i = 0; i < dataset->dropped_count; i++) {
        const hq_dropped *dropped = &dataset->dropped[i];
        bool is_named = strstr(message, dropped->name) != NULL;
        bool is_member = dropped->collection && strstr(message, dropped->collection) &&
                         strstr(message, dropped->member);
        if (!is_named && !is_member)
            continue;
        snprintf(plan->complaint.hint, sizeof plan->complaint.hint,
                 "not every file of this dataset has %s: %s has it not, or in another type", dropped->name,
                 dataset->files[dropped->file].path);
        return;
    }
}

hq_hash plan_fingerprint(const hq_hash *program_print, const hq_dataset *dataset)
{
    hq_hash identity = dataset_identity(dataset);
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, program_print->bytes, sizeof program_print->bytes);
    hasher_add(hasher, identity.bytes, sizeof identity.bytes);
    return hasher_end(&hasher);
}

/* What a znode does not hold is kept in the store, for as long as a result is, and the entry names it. */
static hq_error keep_body(hq_plan *plan, const hq_hash *digest, const hq_buffer *body)
{
    const hq_broker *broker = plan->query->broker;
    hq_store *store = NULL;
    hq_reason why = {{0}};
    hq_error error = plans_borrow(broker, &store, &why);
    if (!error)
        error = HQ_EUNCERTAIN;
    for (int attempt = 0; store && error == HQ_EUNCERTAIN && attempt < 3; attempt++)
        error = store_put_body(store, digest, body->bytes, body->size, &why);
    plans_give_back(broker, store);
    if (!error)
        return HQ_OK;
    return hq_fail(
        &plan->reason, error == HQ_ENOTFOUND ? HQ_ELIMIT : error,
        "the names of %lld files take %zu bytes, packed, and a query's entry in the coordinator holds %d (%s): "
        "use globs, or give the list a name with hq-ctl datasets add NAME @LIST, and ask of NAME",
        (long long)plan->query->spec_count, body->size, HQ_NODE_BYTES_MAX, why.text);
}

static hq_error make_entry(hq_plan *plan)
{
    hq_buffer body;
    hq_hash digest;
    plan->entry = entry_encode(plan->query->request, HQ_NODE_BYTES_MAX - HQ_ENTRY_GROWTH, &body, &digest);
    hq_error error = body.size ? keep_body(plan, &digest, &body) : HQ_OK;
    buffer_clear(&body);
    return error;
}

static void plan_run(void *context)
{
    hq_plan *plan = context;
    const hq_query *query = plan->query; /* text and settings do not change while it is planned */
    const hq_broker_settings *settings = &query->broker->settings;
    int64_t entries = query->partition_entries ? query->partition_entries : settings->partition_entries;
    plan->error = resolve(plan);
    if (!plan->error)
        plan->error = dataset_plan_through(query->broker->remote, (const char *const *)plan->specs, plan->spec_count,
                                           (uint64_t)entries, query->skips_bad, &plan->shelf, &plan->dataset,
                                           &plan->reason);
    if (!plan->error && plan->dataset->partition_count > (size_t)settings->max_subtasks)
        plan->error = hq_fail(&plan->reason, HQ_ELIMIT,
                              "%zu subtasks are more than the %lld this broker takes: ask for larger partitions",
                              plan->dataset->partition_count, (long long)settings->max_subtasks);
    if (!plan->error)
        plan->error = program_parse(query->text, strlen(query->text), plan->dataset->schema, &plan->program,
                                    &plan->complaint);
    if (plan->error && plan->complaint.message[0])
        explain_dropped(plan);
    if (!plan->error && query->skips_bad && !query->is_fresh)
        plan->error = flaws_take_out(query->broker->flaws, plan->program, plan->dataset, &plan->reason);
    if (plan->error)
        return;
    plan->program_print = program_fingerprint(plan->program);
    plan->fingerprint = plan_fingerprint(&plan->program_print, plan->dataset);
    if (!query->is_fresh) /* here, as two changes of thread take longer than the question */
        plan->result = plans_find_result(query->broker, &plan->fingerprint, &plan->result_entries);
    if (!plan->result)
        plan->error = make_entry(plan);
}

static void count_plans(hq_plan *plan)
{
    hq_query *query = plan->query;
    const hq_shelf_counts *counts = &plan->shelf.counts;
    hq_broker_counters *sums = &query->broker->counters;
    sums->plans_found += (int64_t)counts->found;
    sums->plans_opened += (int64_t)counts->opened;
    sums->plans_replaced += (int64_t)counts->replaced;
    sums->plans_bad += (int64_t)counts->bad;
    if (counts->found + counts->opened > 0)
        hq_log(HQ_LOG_INFO, "broker",
               "query %s planned in %lld ms: %llu files known from before, %llu opened (%llu of them changed)",
               query->id_text, (long long)(hq_now_ms() - query->submitted_ms), (unsigned long long)counts->found,
               (unsigned long long)counts->opened, (unsigned long long)counts->replaced);
}

static void plan_end(void *context)
{
    hq_plan *plan = context;
    hq_query *query = plan->query;
    count_plans(plan);
    plan_done(plan);
    plans_keep(query->broker, &plan->shelf); /* last, as the store's thread looks for the query's result first */
    shared_release(&plan->result);
    program_free(&plan->program);
    dataset_free(&plan->dataset);
    dataset_specs_free(&plan->specs, plan->spec_count);
    if (plan->entry)
        bson_destroy(plan->entry);
    free(plan);
    query_release(query);
}

void plan_give(hq_query *query)
{
    hq_plan *plan = hq_calloc(1, sizeof *plan);
    plan->query = query;
    plan->shelf = plans_shelf(query->broker, query->is_fresh);
    plan->shelf.is_unwanted = &query->is_unwanted;
    bson_iter_t iter, item;
    size_t capacity = 0;
    if (bson_iter_init_find(&iter, query->request, "dataset") && bson_iter_recurse(&iter, &item))
        while (bson_iter_next(&item)) {
            HQ_GROW(plan->specs, plan->spec_count, capacity);
            plan->specs[plan->spec_count++] = hq_strdup(bson_iter_utf8(&item, NULL));
        }
    query_hold(query);
    jobs_give(query->broker->planner, plan_run, plan_end, plan);
}
