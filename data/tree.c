#include "data/tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/basket.h"
#include "data/borders.h"
#include "data/ntuple.h"

/* Either a TTree, with a model and its columns, or an RNTuple. */
struct hq_tree {
    hq_file *file;
    char *path;
    hq_model *model;
    hq_columns columns;
    const hq_plan **counters; /* for each plan the plan of its counter, or NULL */
    hq_ntuple *ntuple;        /* NULL if it is a TTree */
};

/* "name;cycle" in two; cycle 0 means the latest. */
static char *split_cycle(const char *name, unsigned long *cycle_r)
{
    *cycle_r = 0;
    const char *semicolon = strrchr(name, ';');
    if (!semicolon || semicolon[1] < '0' || semicolon[1] > '9')
        return hq_strdup(name);
    char *end;
    unsigned long cycle = strtoul(semicolon + 1, &end, 10);
    if (*end != 0)
        return hq_strdup(name);
    *cycle_r = cycle;
    return hq_strndup(name, (size_t)(semicolon - name));
}

/* Some of the names, for a message. */
static void list_names(const hq_tree_key *keys, size_t count, char *text_r, size_t size)
{
    size_t at = 0;
    text_r[0] = 0;
    for (size_t i = 0; i < count && at < size; i++) {
        bool is_again = false;
        for (size_t j = 0; j < i && !is_again; j++)
            is_again = strcmp(keys[i].path, keys[j].path) == 0;
        if (is_again)
            continue;
        int length = snprintf(text_r + at, size - at, "%s%s", at ? ", " : "", keys[i].path);
        at += length > 0 ? (size_t)length : 0;
    }
}

static const hq_tree_key *find_key(const hq_tree_key *keys, size_t count, const char *path, unsigned long cycle)
{
    const hq_tree_key *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].path, path) == 0 &&
            (cycle ? keys[i].key.cycle == cycle : !found || keys[i].key.cycle > found->key.cycle))
            found = &keys[i];
    return found;
}

/* The only tree of a file, NULL if it has none or several. */
static const hq_tree_key *only_key(const hq_tree_key *keys, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(keys[i].path, keys[0].path) != 0)
            return NULL;
    return count > 0 ? find_key(keys, count, keys[0].path, 0) : NULL;
}

static hq_error choose_key(const hq_file *file, const hq_tree_key *keys, size_t count, const char *name,
                           const hq_tree_key **key_r, hq_reason *reason)
{
    char names[512];
    list_names(keys, count, names, sizeof names);
    if (count == 0)
        return hq_fail(reason, HQ_ENOTFOUND, "%s: the file has no tree", file->source.name);
    if (name) {
        unsigned long cycle;
        char *path = split_cycle(*name == '/' ? name + 1 : name, &cycle);
        *key_r = find_key(keys, count, path, cycle);
        free(path);
        if (!*key_r)
            return hq_fail(reason, HQ_ENOTFOUND, "%s: the file has no tree \"%s\"; it has: %s", file->source.name, name,
                           names);
    } else {
        *key_r = only_key(keys, count);
        if (!*key_r)
            return hq_fail(reason, HQ_EINVAL, "%s: the file has several trees, say which one: %s", file->source.name,
                           names);
    }
    return HQ_OK;
}

static const hq_plan *plan_of_leaf(const hq_columns *columns, const hq_leaf *leaf)
{
    for (size_t i = 0; i < columns->plan_count; i++)
        if (columns->plans[i].leaf == leaf && columns->plans[i].shape == SHAPE_FLAT &&
            columns->plans[i].type < HQ_FLOAT32)
            return &columns->plans[i];
    return NULL;
}

static void find_counters(hq_tree *tree)
{
    const hq_columns *columns = &tree->columns;
    tree->counters = hq_calloc(columns->plan_count, sizeof *tree->counters);
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_leaf *counter = columns->plans[i].counter;
        if (!counter)
            continue;
        /* Columns with the same counter mostly stand together. */
        bool is_as_before = i > 0 && columns->plans[i - 1].counter == counter;
        tree->counters[i] = is_as_before ? tree->counters[i - 1] : plan_of_leaf(columns, counter);
    }
}

static hq_error open_key(hq_file *file, const hq_tree_key *key, hq_tree **tree_r, hq_reason *reason)
{
    hq_ntuple *ntuple = NULL;
    hq_model *model = NULL;
    hq_error error = key_is_rntuple(&key->key) ? ntuple_open(file, key, &ntuple, reason)
                                               : model_read(file, key, &model, reason);
    if (error)
        return error;
    hq_tree *tree = hq_calloc(1, sizeof *tree);
    *tree = (hq_tree){.file = file, .path = hq_strdup(key->path), .model = model, .ntuple = ntuple};
    if (model) {
        columns_make(file, model, &tree->columns);
        find_counters(tree);
    }
    *tree_r = tree;
    return HQ_OK;
}

hq_error tree_open(hq_file *file, const char *name, hq_tree **tree_r, hq_reason *reason)
{
    hq_tree_key *keys;
    size_t count;
    hq_error error = rootfile_find_trees(file, &keys, &count, reason);
    if (error)
        return error;
    const hq_tree_key *key = NULL;
    error = choose_key(file, keys, count, name, &key, reason);
    if (!error && key)
        error = open_key(file, key, tree_r, reason);
    tree_keys_free(&keys, count);
    return error;
}

void tree_close(hq_tree **tree_p)
{
    hq_tree *tree = *tree_p;
    if (!tree)
        return;
    ntuple_close(&tree->ntuple);
    columns_clear(&tree->columns);
    model_free(&tree->model);
    free(tree->counters);
    free(tree->path);
    free(tree);
    *tree_p = NULL;
}

const char *tree_path(const hq_tree *tree)
{
    return tree->path;
}

uint64_t tree_entries(const hq_tree *tree)
{
    return tree->ntuple ? ntuple_entries(tree->ntuple) : tree->model->entries;
}

static const hq_branch_info *infos_of(const hq_tree *tree, size_t *count_r)
{
    if (tree->ntuple)
        return ntuple_infos(tree->ntuple, count_r);
    *count_r = tree->columns.info_count;
    return tree->columns.infos;
}

size_t tree_branch_count(const hq_tree *tree)
{
    size_t count;
    infos_of(tree, &count);
    return count;
}

const hq_branch_info *tree_branch(const hq_tree *tree, size_t index)
{
    size_t count;
    const hq_branch_info *infos = infos_of(tree, &count);
    return index < count ? &infos[index] : NULL;
}

const hq_schema *tree_schema(const hq_tree *tree)
{
    return tree->ntuple ? ntuple_schema(tree->ntuple) : tree->columns.schema;
}

void tree_borders(const hq_tree *tree, uint64_t **borders_r, size_t *count_r)
{
    if (tree->ntuple)
        ntuple_borders(tree->ntuple, borders_r, count_r);
    else
        borders_find(tree->model, &tree->columns, borders_r, count_r);
}

static hq_error no_column(const hq_tree *tree, const char *name, hq_reason *reason)
{
    size_t count;
    const hq_branch_info *infos = infos_of(tree, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(infos[i].name, name) == 0)
            return hq_fail(reason, HQ_ENOTFOUND, "%s: tree %s: branch %s cannot be read: %s", tree->file->source.name,
                           tree->path, name, infos[i].unreadable);
    return hq_fail(reason, HQ_ENOTFOUND, "%s: tree %s has no column \"%s\"", tree->file->source.name, tree->path, name);
}

static hq_error read_through(const hq_tree *tree, const hq_file *file, const char *name, uint64_t first, uint64_t last,
                             size_t limit, hq_column **column_r, hq_reason *reason)
{
    const hq_schema *schema = tree_schema(tree);
    const hq_field *field = schema_find(schema, name);
    if (!field)
        return no_column(tree, name, reason);
    if (first > last || last > tree_entries(tree))
        return hq_fail(reason, HQ_EINVAL,
                       "%s: tree %s: entries %" PRIu64 " to %" PRIu64 " are asked for, but it has %" PRIu64,
                       tree->file->source.name, tree->path, first, last, tree_entries(tree));
    size_t index = (size_t)(field - schema->fields);
    if (tree->ntuple)
        return ntuple_read(tree->ntuple, file, index, first, last, limit, column_r, reason);
    hq_basket_place place = {file, tree->path};
    return basket_read_column(&place, &tree->columns.plans[index], tree->counters[index], first, last, limit, column_r,
                              reason);
}

hq_error tree_read(const hq_tree *tree, const char *name, uint64_t first, uint64_t last, size_t limit,
                   hq_column **column_r, hq_reason *reason)
{
    return read_through(tree, tree->file, name, first, last, limit, column_r, reason);
}

void tree_rest(const hq_tree *tree)
{
    source_rest(&tree->file->source);
    if (tree->ntuple)
        ntuple_rest(tree->ntuple);
}

size_t tree_kept_bytes(const hq_tree *tree)
{
    return tree->ntuple ? ntuple_kept_bytes(tree->ntuple) : 0;
}

/* --- several columns at once --- */

struct hq_stage {
    hq_staged staged;
    hq_file file; /* a copy of the tree's that reads from staged first; what it points to is the tree's file's */
};

hq_error tree_stage(const hq_tree *tree, const char *const *names, size_t count, uint64_t first, uint64_t last,
                    hq_stage **stage_r, hq_reason *reason)
{
    *stage_r = NULL;
    if (!source_is_remote(&tree->file->source) || first >= last || last > tree_entries(tree))
        return HQ_OK;
    const hq_schema *schema = tree_schema(tree);
    hq_stage *stage = hq_calloc(1, sizeof *stage);
    for (size_t i = 0; i < count; i++) {
        const hq_field *field = schema_find(schema, names[i]);
        if (field && tree->ntuple)
            ntuple_stage(tree->ntuple, (size_t)(field - schema->fields), first, last, &stage->staged);
        else if (field)
            basket_stage_column(&tree->columns.plans[field - schema->fields], first, last, &stage->staged);
    }
    hq_error error = staged_fetch(&stage->staged, &tree->file->source, reason);
    stage->file = *tree->file;
    stage->file.source.staged = &stage->staged;
    *stage_r = stage;
    if (error || stage->staged.count == 0)
        stage_free(stage_r);
    return error;
}

void stage_free(hq_stage **stage_p)
{
    if (!*stage_p)
        return;
    staged_clear(&(*stage_p)->staged);
    free(*stage_p);
    *stage_p = NULL;
}

hq_error tree_read_staged(const hq_tree *tree, const hq_stage *stage, const char *name, uint64_t first, uint64_t last,
                          size_t limit, hq_column **column_r, hq_reason *reason)
{
    return read_through(tree, stage ? &stage->file : tree->file, name, first, last, limit, column_r, reason);
}
