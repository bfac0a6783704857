#include "broker/flaws.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

enum { MOST = 1000 };

typedef struct columns { /* names, in the order of strcmp */
    char **names;
    size_t count;
} columns;

typedef struct flaw {
    hq_hash file; /* its identity, its tree and its path */
    columns read;
    hq_error error;
    char *text;
    int64_t found_ms;
} flaw;

struct hq_flaws {
    int64_t keep_ms;
    pthread_mutex_t lock;
    flaw *known; /* from the oldest on */
    size_t count, capacity;
};

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static columns columns_of(const hq_program *program)
{
    columns c = {.count = program_column_count(program)};
    c.names = hq_calloc(c.count, sizeof *c.names);
    for (size_t i = 0; i < c.count; i++)
        c.names[i] = hq_strdup(program_column(program, i)->name);
    if (c.count)
        qsort(c.names, c.count, sizeof *c.names, compare_names);
    return c;
}

static void columns_clear(columns *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->names[i]);
    free(c->names);
    *c = (columns){0};
}

static bool has_all(const columns *c, const columns *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!bsearch(&wanted->names[i], c->names, c->count, sizeof *c->names, compare_names))
            return false;
    return true;
}

/* With its path: of two copies of a file, one server's or disk's may fail while the other is there. */
static hq_hash key_of(const hq_dataset_file *file)
{
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, file->identity.bytes, sizeof file->identity.bytes);
    hasher_add_text(hasher, file->tree);
    hasher_add_text(hasher, file->path);
    return hasher_end(&hasher);
}

hq_flaws *flaws_new(int64_t keep_ms)
{
    hq_flaws *flaws = hq_calloc(1, sizeof *flaws);
    flaws->keep_ms = keep_ms;
    pthread_mutex_init(&flaws->lock, NULL);
    return flaws;
}

/* Keeps those for which is_kept is true, in their order. */
static void sift(hq_flaws *flaws, const bool *is_kept)
{
    size_t kept = 0;
    for (size_t i = 0; i < flaws->count; i++) {
        if (is_kept[i]) {
            flaws->known[kept++] = flaws->known[i];
            continue;
        }
        columns_clear(&flaws->known[i].read);
        free(flaws->known[i].text);
    }
    flaws->count = kept;
}

static void drop_first(hq_flaws *flaws, size_t count)
{
    if (count == 0)
        return;
    bool *is_kept = hq_calloc(flaws->count, sizeof *is_kept);
    for (size_t i = count; i < flaws->count; i++)
        is_kept[i] = true;
    sift(flaws, is_kept);
    free(is_kept);
}

static void drop_old(hq_flaws *flaws)
{
    size_t old = 0;
    int64_t before_ms = hq_now_ms() - flaws->keep_ms;
    while (old < flaws->count && flaws->known[old].found_ms <= before_ms)
        old++;
    drop_first(flaws, old);
}

void flaws_free(hq_flaws **flaws_p)
{
    hq_flaws *flaws = *flaws_p;
    if (!flaws)
        return;
    drop_first(flaws, flaws->count);
    pthread_mutex_destroy(&flaws->lock);
    free(flaws->known);
    free(flaws);
    *flaws_p = NULL;
}

/* What was found of the file by programs that read all of these columns, and perhaps more; else by those that read no
 * others. For who has the lock. */
static void drop_those_of(hq_flaws *flaws, const hq_hash *file, const columns *read, bool is_of_more)
{
    bool *is_kept = hq_calloc(flaws->count + 1, sizeof *is_kept);
    for (size_t i = 0; i < flaws->count; i++) {
        const flaw *known = &flaws->known[i];
        bool is_covered = is_of_more ? has_all(&known->read, read) : has_all(read, &known->read);
        is_kept[i] = memcmp(&known->file, file, sizeof *file) != 0 || !is_covered;
    }
    sift(flaws, is_kept);
    free(is_kept);
}

static void forget(hq_flaws *flaws, const hq_hash *file, const hq_program *program)
{
    columns read = columns_of(program);
    pthread_mutex_lock(&flaws->lock);
    drop_those_of(flaws, file, &read, false);
    pthread_mutex_unlock(&flaws->lock);
    columns_clear(&read);
}

void flaws_note(hq_flaws *flaws, const hq_dataset_file *file, const hq_program *program, hq_error error,
                const char *text)
{
    if (flaws->keep_ms == 0)
        return;
    flaw found = {.file = key_of(file), .read = columns_of(program), .error = error, .text = hq_strdup(text)};
    pthread_mutex_lock(&flaws->lock);
    found.found_ms = hq_now_ms();
    drop_those_of(flaws, &found.file, &found.read, true); /* the new one says as much, and is newer */
    drop_first(flaws, flaws->count >= MOST);
    HQ_GROW(flaws->known, flaws->count, flaws->capacity);
    flaws->known[flaws->count++] = found;
    pthread_mutex_unlock(&flaws->lock);
}

static int compare_files(const void *one, const void *other)
{
    return memcmp(&((const flaw *)one)->file, &((const flaw *)other)->file, sizeof(hq_hash));
}

/* A copy, by file, of those that the program would meet: so that nobody waits while a large dataset is gone through. */
static flaw *copy_met(hq_flaws *flaws, const hq_program *program, size_t *count_r)
{
    flaw *met = NULL;
    columns read = columns_of(program);
    *count_r = 0;
    pthread_mutex_lock(&flaws->lock);
    drop_old(flaws);
    if (flaws->count > 0)
        met = hq_calloc(flaws->count, sizeof *met);
    for (size_t i = 0; i < flaws->count; i++) {
        const flaw *known = &flaws->known[i];
        if (!has_all(&read, &known->read))
            continue;
        met[*count_r] = *known;
        met[*count_r].read = (columns){0};
        met[(*count_r)++].text = hq_strdup(known->text);
    }
    pthread_mutex_unlock(&flaws->lock);
    columns_clear(&read);
    if (*count_r)
        qsort(met, *count_r, sizeof *met, compare_files);
    return met;
}

static const flaw *find(const flaw *met, size_t count, const hq_dataset_file *file)
{
    const flaw wanted = {.file = key_of(file)};
    return count ? bsearch(&wanted, met, count, sizeof *met, compare_files) : NULL;
}

static void note_left_out(hq_dataset *dataset, size_t file, const flaw *of)
{
    char *text = hq_format("%s (found %lld s ago; --fresh tries again)", of->text,
                           (long long)(hq_now_ms() - of->found_ms) / 1000);
    dataset_note_left_out(dataset, dataset->files[file].path, of->error, text);
    free(text);
}

static hq_error take_out(const flaw *met, size_t count, hq_dataset *dataset, hq_reason *reason)
{
    const flaw **of = hq_calloc(dataset->file_count, sizeof *of);
    bool *is_out = hq_calloc(dataset->file_count, sizeof *is_out);
    size_t marked = 0;
    hq_error error = HQ_OK;
    for (size_t i = 0; i < dataset->file_count; i++) {
        of[i] = find(met, count, &dataset->files[i]);
        is_out[i] = of[i] != NULL;
        marked += is_out[i];
    }
    if (marked > 0 && marked == dataset->file_count) {
        error = hq_fail(reason, of[0]->error, "no file of this dataset can be read: %s (--fresh tries again)",
                        of[0]->text);
    } else if (marked > 0) {
        for (size_t i = 0; i < dataset->file_count; i++)
            if (is_out[i])
                note_left_out(dataset, i, of[i]);
        dataset_take_out(dataset, is_out);
    }
    free(is_out);
    free(of);
    return error;
}

hq_error flaws_take_out(hq_flaws *flaws, const hq_program *program, hq_dataset *dataset, hq_reason *reason)
{
    size_t count;
    flaw *met = copy_met(flaws, program, &count);
    hq_error error = count ? take_out(met, count, dataset, reason) : HQ_OK;
    for (size_t i = 0; i < count; i++)
        free(met[i].text);
    free(met);
    return error;
}

void flaws_disproved(hq_flaws *flaws, const hq_program *program, const hq_dataset *dataset)
{
    size_t count;
    flaw *met = copy_met(flaws, program, &count);
    for (size_t i = 0; i < dataset->file_count && count; i++) {
        const flaw *of = find(met, count, &dataset->files[i]);
        if (of)
            forget(flaws, &of->file, program);
    }
    for (size_t i = 0; i < count; i++)
        free(met[i].text);
    free(met);
}

size_t flaws_count(hq_flaws *flaws)
{
    pthread_mutex_lock(&flaws->lock);
    drop_old(flaws);
    size_t count = flaws->count;
    pthread_mutex_unlock(&flaws->lock);
    return count;
}
