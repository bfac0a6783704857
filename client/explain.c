#include "client/explain.h"

#include <string.h>

#include "base/memory.h"
#include "data/dataset.h"

static void print_columns(FILE *to, const hq_program *program, const hq_dataset *dataset)
{
    size_t count = program_column_count(program);
    fprintf(to, "reads %zu column%s of %llu entries in %zu file%s, %zu partition%s\n", count, count == 1 ? "" : "s",
            (unsigned long long)dataset->entries, dataset->file_count, dataset->file_count == 1 ? "" : "s",
            dataset->partition_count, dataset->partition_count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        const hq_field *field = program_column(program, i);
        fprintf(to, "  %-32s %s%s", field->name, hq_type_name(field->type), field->depth ? "[]" : "");
        if (field->collection)
            fprintf(to, "  as %s of %s", field->member, field->collection);
        fprintf(to, "\n");
    }
}

static const char *storage_name(hq_storage storage)
{
    static const char *const names[] = {[HQ_COUNT] = "counts",
                                        [HQ_WEIGHTED] = "sums of weights",
                                        [HQ_MEAN] = "means",
                                        [HQ_WEIGHTED_MEAN] = "weighted means"};
    return names[storage];
}

static void print_hists(FILE *to, const hq_program *program)
{
    hq_histset *hists = program_new_hists(program);
    fprintf(to, "fills %zu histogram%s\n", hists->count, hists->count == 1 ? "" : "s");
    for (size_t i = 0; i < hists->count; i++) {
        const hq_hist *hist = hists->hists[i];
        fprintf(to, "  %s: %zu bins of %s\n", hist_name(hist), hist_size(hist), storage_name(hist_storage(hist)));
    }
    histset_free(&hists);
    hq_hash print = program_fingerprint(program);
    char hash[HQ_HASH_TEXT];
    hash_to_text(&print, hash);
    fprintf(to, "means %s\n", hash);
}

static hq_error plan(const char *const *specs, size_t spec_count, const char *datasets, hq_dataset **dataset_r,
                     hq_reason *reason)
{
    char **named = NULL;
    size_t named_count = 0;
    bool is_name = spec_count == 1 && datasets && !strchr(specs[0], '/') && strncmp(specs[0], "empty:", 6) != 0;
    hq_error error = is_name ? dataset_lookup(datasets, specs[0], &named, &named_count, reason) : HQ_OK;
    if (!error)
        error = dataset_plan(named ? (const char *const *)named : specs, named ? named_count : spec_count, 0, dataset_r,
                             reason);
    if (named)
        dataset_specs_free(&named, named_count);
    return error;
}

hq_error explain_query(FILE *to, const char *text, const char *const *specs, size_t spec_count, const char *datasets,
                       hq_explanation what, hq_complaint *complaint, hq_reason *reason)
{
    hq_dataset *dataset = NULL;
    hq_program *program = NULL;
    char *listing = NULL;
    hq_error error = plan(specs, spec_count, datasets, &dataset, reason);
    if (!error)
        error = program_parse(text, strlen(text), dataset->schema, &program, complaint);
    if (!error && what != HQ_EXPLAIN_COLUMNS)
        error = code_list(program, what == HQ_EXPLAIN_IR ? HQ_LISTING_IR : HQ_LISTING_ASSEMBLY, &listing, reason);
    if (!error && listing) {
        fputs(listing, to);
    } else if (!error) {
        print_columns(to, program, dataset);
        print_hists(to, program);
    }
    free(listing);
    program_free(&program);
    dataset_free(&dataset);
    return error;
}
