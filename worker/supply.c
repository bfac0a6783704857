#include "worker/supply.h"

#include "base/memory.h"
#include "data/source.h"
#include "worker/ahead.h"

enum { MAX_COLUMN_BYTES = INT32_MAX /* of one column of one partition */ };

typedef struct loader {
    const hq_supply *supply;
    const hq_file_entry *file;
    const atomic_int *cancelled;
    bool is_ahead;
} loader;

static hq_error read_column(const loader *l, const hq_tree *tree, const hq_stage *stage, hq_cache_want *want)
{
    const hq_cache_key *key = &want->key;
    if (atomic_load(l->cancelled))
        return hq_fail(want->reason, HQ_ECANCELLED, "cancelled");
    return tree_read_staged(tree, stage, key->column, key->first, key->last, MAX_COLUMN_BYTES, &want->column,
                            want->reason);
}

/* All wants are of one partition: that is how get asks for them. */
static hq_error fetch(const hq_tree *tree, hq_cache_want *const *wants, size_t count, hq_stage **stage_r,
                      hq_reason *reason)
{
    const char **names = hq_calloc(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = wants[i]->key.column;
    hq_error error = tree_stage(tree, names, count, wants[0]->key.first, wants[0]->key.last, stage_r, reason);
    free(names);
    return error;
}

/* Those that the cache directory does not have. */
static size_t take_from_disk(const loader *l, hq_cache_want *const *wants, size_t count, hq_cache_want **missing)
{
    size_t missing_count = 0;
    for (size_t i = 0; i < count; i++) {
        wants[i]->column = disk_get(l->supply->disk, &wants[i]->key, MAX_COLUMN_BYTES);
        wants[i]->is_copied = wants[i]->column != NULL;
        if (!wants[i]->column)
            missing[missing_count++] = wants[i];
    }
    return missing_count;
}

static void read_from_file(const loader *l, hq_cache_want *const *wants, size_t count)
{
    const hq_file_entry *file = l->file;
    hq_open_tree *open = NULL;
    hq_stage *stage = NULL;
    hq_reason reason = {{0}};
    hq_error error = files_get(l->supply->files, file->path, file->tree, &file->identity, &open, &reason);
    if (!error && count > 1)
        error = fetch(files_tree(open), wants, count, &stage, &reason);
    for (size_t i = 0; i < count; i++) {
        wants[i]->error = error ? error : read_column(l, files_tree(open), stage, wants[i]);
        if (error)
            *wants[i]->reason = reason;
    }
    stage_free(&stage);
    if (open)
        files_release(l->supply->files, &open);
}

static void load(void *context, hq_cache_want *const *wants, size_t count)
{
    const loader *l = context;
    hq_cache_want **missing = NULL;
    if (l->supply->ahead && !l->is_ahead)
        ahead_wake(l->supply->ahead);
    if (l->supply->disk) {
        missing = hq_calloc(count, sizeof *missing);
        count = take_from_disk(l, wants, count, missing);
        wants = missing;
    }
    if (count > 0)
        read_from_file(l, wants, count);
    free(missing);
}

/* A server is asked for all columns at once; those of a file of this machine are read one by one, so that an executor
 * that comes meanwhile reads the others beside us instead of waiting for all. */
static hq_error get_ahead(loader *l, hq_held *held, hq_reason *reason)
{
    if (source_is_url(l->file->path))
        return cache_get_ahead(l->supply->cache, held->wants, held->count, load, l, reason);
    hq_error error = HQ_OK;
    for (size_t i = 0; i < held->count && !error; i++)
        error = cache_get_ahead(l->supply->cache, &held->wants[i], 1, load, l, reason);
    return error;
}

static hq_error get(loader *l, const hq_program *program, uint64_t first, uint64_t last, hq_held *held,
                    hq_reason *reason)
{
    size_t count = program_column_count(program);
    *held = (hq_held){.wants = hq_calloc(count, sizeof *held->wants),
                      .columns = hq_calloc(count, sizeof *held->columns),
                      .count = count};
    for (size_t i = 0; i < count; i++)
        held->wants[i].key = (hq_cache_key){.file = l->file->identity,
                                            .tree = l->file->tree,
                                            .column = program_column(program, i)->name,
                                            .first = first,
                                            .last = last};
    hq_error error = l->is_ahead ? get_ahead(l, held, reason)
                                 : cache_get(l->supply->cache, held->wants, count, load, l, reason);
    for (size_t i = 0; !error && i < count; i++) {
        const hq_cache_want *want = &held->wants[i];
        if (!want->entry)
            continue;
        held->columns[i] = cache_entry_column(want->entry);
        if (want->is_mine && !want->is_copied && l->supply->disk)
            disk_put(l->supply->disk, l->supply->cache, &want->key, want->entry);
        *(want->was_hit ? &held->cached_bytes : &held->read_bytes) += held->columns[i]->bytes;
    }
    return error;
}

hq_error supply_get(const hq_supply *supply, const hq_file_entry *file, const hq_program *program, uint64_t first,
                    uint64_t last, const atomic_int *cancelled, hq_held *held_r, hq_reason *reason)
{
    loader l = {.supply = supply, .file = file, .cancelled = cancelled};
    return get(&l, program, first, last, held_r, reason);
}

hq_error supply_get_ahead(const hq_supply *supply, const hq_file_entry *file, const hq_program *program, uint64_t first,
                          uint64_t last, const atomic_int *cancelled, hq_held *held_r, hq_reason *reason)
{
    loader l = {.supply = supply, .file = file, .cancelled = cancelled, .is_ahead = true};
    return get(&l, program, first, last, held_r, reason);
}

void held_clear(hq_held *held, hq_cache *cache)
{
    for (size_t i = 0; i < held->count; i++)
        cache_release(cache, &held->wants[i].entry);
    free(held->wants);
    free(held->columns);
    *held = (hq_held){0};
}
