#include "data/ntuple.h"

#include "base/memory.h"
#include "data/ntuple_read.h"

struct hq_ntuple {
    const hq_file *file;
    char *path;
    hq_nt_model *model;
    hq_nt_columns columns;
    hq_nt_indices *indices;
};

hq_error ntuple_open(const hq_file *file, const hq_tree_key *key, hq_ntuple **ntuple_r, hq_reason *reason)
{
    hq_nt_model *model = NULL;
    hq_error error = ntmodel_read(file, key, &model, reason);
    if (error)
        return error;
    hq_ntuple *ntuple = hq_calloc(1, sizeof *ntuple);
    *ntuple = (hq_ntuple){.file = file, .path = hq_strdup(key->path), .model = model, .indices = ntindices_new()};
    ntcolumns_make(model, &ntuple->columns);
    *ntuple_r = ntuple;
    return HQ_OK;
}

void ntuple_close(hq_ntuple **ntuple_p)
{
    hq_ntuple *ntuple = *ntuple_p;
    if (!ntuple)
        return;
    ntindices_free(&ntuple->indices);
    ntcolumns_clear(&ntuple->columns);
    ntmodel_free(&ntuple->model);
    free(ntuple->path);
    free(ntuple);
    *ntuple_p = NULL;
}

uint64_t ntuple_entries(const hq_ntuple *ntuple)
{
    return ntuple->model->entries;
}

const hq_branch_info *ntuple_infos(const hq_ntuple *ntuple, size_t *count_r)
{
    *count_r = ntuple->columns.info_count;
    return ntuple->columns.infos;
}

const hq_schema *ntuple_schema(const hq_ntuple *ntuple)
{
    return ntuple->columns.schema;
}

void ntuple_borders(const hq_ntuple *ntuple, uint64_t **borders_r, size_t *count_r)
{
    const hq_nt_model *model = ntuple->model;
    uint64_t *borders = hq_calloc(model->cluster_count + 1, sizeof *borders);
    for (size_t i = 0; i < model->cluster_count; i++)
        borders[i + 1] = model->clusters[i].first + model->clusters[i].entries;
    *borders_r = borders;
    *count_r = model->cluster_count + 1;
}

void ntuple_stage(const hq_ntuple *ntuple, size_t column, uint64_t first, uint64_t last, hq_staged *staged)
{
    ntuple_stage_column(ntuple->model, &ntuple->columns.plans[column], first, last, staged);
}

hq_error ntuple_read(const hq_ntuple *ntuple, const hq_file *file, size_t column, uint64_t first, uint64_t last,
                     size_t limit, hq_column **column_r, hq_reason *reason)
{
    hq_nt_place place = {file, ntuple->path, ntuple->model, ntuple->indices};
    return ntuple_read_column(&place, &ntuple->columns.plans[column], first, last, limit, column_r, reason);
}

void ntuple_rest(const hq_ntuple *ntuple)
{
    ntindices_rest(ntuple->indices);
}

size_t ntuple_kept_bytes(const hq_ntuple *ntuple)
{
    return ntindices_bytes(ntuple->indices);
}
