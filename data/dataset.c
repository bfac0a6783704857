#include "data/dataset.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "data/partition.h"
#include "data/recalled.h"
#include "data/remote.h"

enum { MAX_THREADS = 8, FILES_PER_THREAD = 4 };

/* One file as planning finds it. */
typedef struct planned_file {
    hq_dataset_file file; /* entries 0: it is left out */
    hq_partition *partitions;
    size_t partition_count;
    hq_error error; /* of one that is left out */
    char *text;
} planned_file;

/* What the planning threads share. Each takes the next file, so a file that fails was taken after all before it: the
 * first of those that failed is the same one every time. */
typedef struct file_planning {
    const hq_wanted *wanted;
    hq_remote *remote;
    uint64_t target_entries;
    bool skips_bad;
    hq_shelf *shelf;           /* never NULL */
    hq_recalled *recalled;     /* what it knows; read-only */
    planned_file *files;       /* one for each wanted; written by the thread that took it */
    hq_schema *schema;         /* of the first file with entries; set before there are threads */
    atomic_size_t *dropped_by; /* for each of its fields, 1 + the wanted file that lacks it; 0: none does */
    atomic_size_t next;
    atomic_bool has_failed;
    pthread_mutex_t lock;      /* guards what follows, and what planning adds to the shelf */
    const hq_schema *compared; /* a recalled schema that was compared for this file, so that it need not be for others
                                  after it */
    size_t compared_file;
    size_t failed_file;
    hq_error error;
    hq_reason reason;
} file_planning;

static bool fields_agree(const hq_field *one, const hq_field *other)
{
    bool has_collection = one->collection != NULL;
    return one->type == other->type && one->depth == other->depth && has_collection == (other->collection != NULL) &&
           (!has_collection ||
            (strcmp(one->collection, other->collection) == 0 && strcmp(one->member, other->member) == 0));
}

/* The first of several files is named, whichever thread comes first. */
static void note_dropped(atomic_size_t *dropped_by, size_t by)
{
    size_t old = atomic_load(dropped_by);
    while ((old == 0 || by < old) && !atomic_compare_exchange_weak(dropped_by, &old, by))
        ;
}

/* Whether the schema is the one that was compared last, for a file before. Only recalled ones last long enough for
 * their address to tell. */
static bool was_compared(file_planning *planning, size_t file, const hq_schema *schema)
{
    pthread_mutex_lock(&planning->lock);
    bool was = planning->compared == schema && file > planning->compared_file;
    if (!was) {
        planning->compared = schema;
        planning->compared_file = file;
    }
    pthread_mutex_unlock(&planning->lock);
    return was;
}

/* Marks the fields that the file lacks or has otherwise. Files of one dataset mostly have the same fields in the same
 * order, so the search begins where the field would then be. */
static void compare_schema(file_planning *planning, size_t file, const hq_schema *schema)
{
    for (size_t i = 0; i < planning->schema->count; i++) {
        const hq_field *mine = &planning->schema->fields[i];
        const hq_field *theirs = i < schema->count ? &schema->fields[i] : NULL;
        if (!theirs || strcmp(mine->name, theirs->name) != 0)
            theirs = schema_find(schema, mine->name);
        if (!theirs || !fields_agree(mine, theirs))
            note_dropped(&planning->dropped_by[i], file + 1);
    }
}

/* The border at which a part that begins at the border given ends best: the one nearest to the ideal entry. */
static size_t nearest_border(const uint64_t *borders, size_t count, size_t begin, double ideal)
{
    size_t end = begin + 1;
    while (end + 1 < count && (double)borders[end + 1] - ideal <= ideal - (double)borders[end])
        end++;
    return end;
}

/* Cuts one file into parts of equal size, as near as the borders come to it. */
static void cut(planned_file *file, const uint64_t *borders, size_t border_count, uint64_t target_entries)
{
    size_t stretches = border_count - 1;
    uint64_t entries = file->file.entries, parts = stretches;
    if (target_entries)
        parts = (entries + target_entries / 2) / target_entries;
    parts = parts < 1 ? 1 : parts > stretches ? stretches : parts;
    file->partitions = hq_calloc(parts, sizeof *file->partitions);
    size_t begin = 0;
    for (uint64_t part = 1; part <= parts && begin < stretches; part++) {
        size_t end = begin + 1;
        if (part == parts)
            end = stretches;
        else if (target_entries)
            end = nearest_border(borders, border_count, begin, (double)entries / (double)parts * (double)part);
        file->partitions[file->partition_count++] = (hq_partition){.first = borders[begin], .last = borders[end]};
        begin = end;
    }
}

/* A question that is wrong is not the file's fault. */
static bool is_of_file(hq_error error)
{
    return error && error != HQ_EINVAL && error != HQ_EINTERNAL && error != HQ_ECANCELLED;
}

/* Takes what is known of a file into the dataset. */
static void use_plan(file_planning *planning, size_t index, const hq_file_plan *plan, bool is_recalled)
{
    planned_file *planned = &planning->files[index];
    planned->file = (hq_dataset_file){.path = hq_strdup(planning->wanted->files[index].path),
                                      .tree = hq_strdup(plan->tree),
                                      .identity = plan->identity,
                                      .entries = plan->entries};
    if (plan->entries == 0)
        return;
    cut(planned, plan->borders, plan->border_count, planning->target_entries);
    if (!planning->schema)
        planning->schema = schema_copy(plan->schema);
    else if (!is_recalled || !was_compared(planning, index, plan->schema))
        compare_schema(planning, index, plan->schema);
}

/* A file of this machine is what it was if its stamp says so. */
static bool has_stamp_of(const char *path, const hq_file_plan *plan)
{
    hq_stamp now;
    const hq_stamp *then = &plan->stamp;
    return !source_is_url(path) && !plan->version && source_stamp_file(path, &now) && now.size == then->size &&
           now.modified_ns == then->modified_ns && now.changed_ns == then->changed_ns;
}

/* Opens the tree of a file that is open, and keeps what it finds. */
static hq_error plan_tree(file_planning *planning, size_t index, hq_file *file, bool was_known, hq_reason *reason)
{
    const hq_wanted_file *wanted = &planning->wanted->files[index];
    hq_tree *tree = NULL;
    hq_error error = tree_open(file, wanted->tree, &tree, reason);
    if (error)
        return error;
    hq_file_plan plan;
    fileplan_make(file, tree, &plan);
    use_plan(planning, index, &plan, false);
    hq_new_plan fresh = {.bytes = {0}};
    if (planning->shelf->keeps)
        fresh = shelf_encode(wanted, &plan);
    pthread_mutex_lock(&planning->lock);
    planning->shelf->counts.opened++;
    planning->shelf->counts.replaced += was_known;
    if (planning->shelf->keeps)
        shelf_add(planning->shelf, &fresh);
    pthread_mutex_unlock(&planning->lock);
    fileplan_clear(&plan);
    tree_close(&tree);
    return HQ_OK;
}

/* Uses what is known of the file, if it still holds: a server's file is asked for its beginning, and only what follows
 * is spared. */
static hq_error open_or_recall(file_planning *planning, size_t index, hq_reason *reason)
{
    const char *path = planning->wanted->files[index].path;
    const hq_file_plan *known = recalled_plan(planning->recalled, index);
    hq_file *file = NULL;
    hq_error error = HQ_OK;
    bool still_holds = known && has_stamp_of(path, known);
    if (!still_holds)
        error = rootfile_open_through(planning->remote, path, &file, reason);
    if (!still_holds && !error && known && source_is_url(path)) {
        hq_hash identity = rootfile_identity(file);
        still_holds = memcmp(&identity, &known->identity, sizeof identity) == 0;
    }
    if (still_holds) {
        use_plan(planning, index, known, true);
        pthread_mutex_lock(&planning->lock);
        planning->shelf->counts.found++;
        pthread_mutex_unlock(&planning->lock);
    } else if (!error) {
        error = plan_tree(planning, index, file, known != NULL, reason);
    }
    rootfile_close(&file);
    return error;
}

static hq_error plan_file(file_planning *planning, size_t index, hq_reason *reason)
{
    const atomic_bool *is_unwanted = planning->shelf->is_unwanted;
    if (is_unwanted && atomic_load(is_unwanted))
        return hq_fail(reason, HQ_ECANCELLED, "cancelled");
    const char *path = planning->wanted->files[index].path;
    planned_file *planned = &planning->files[index];
    hq_error error = open_or_recall(planning, index, reason);
    if (error && !strstr(reason->text, path))
        hq_fail_within(reason, error, "%s", path);
    if (planning->skips_bad && is_of_file(error)) {
        planned->error = error;
        planned->text = hq_strdup(reason->text);
        return HQ_OK;
    }
    return error;
}

static void *plan_files(void *context)
{
    file_planning *planning = context;
    hq_reason reason;
    size_t index;
    while (!atomic_load(&planning->has_failed) &&
           (index = atomic_fetch_add(&planning->next, 1)) < planning->wanted->count) {
        hq_error error = plan_file(planning, index, &reason);
        if (!error)
            continue;
        pthread_mutex_lock(&planning->lock);
        if (!planning->error || index < planning->failed_file) {
            planning->error = error;
            planning->failed_file = index;
            planning->reason = reason;
        }
        pthread_mutex_unlock(&planning->lock);
        atomic_store(&planning->has_failed, true);
    }
    return NULL;
}

/* Plans all files: one after the other up to the first that has entries, whose schema is the measure for the rest,
 * then, since opening mostly waits for disks, several at a time. */
static hq_error plan_all_files(file_planning *planning, hq_reason *reason)
{
    size_t count = planning->wanted->count, first = 0;
    for (; first < count && !planning->schema; first++) {
        hq_reason why;
        hq_error error = plan_file(planning, first, &why);
        if (error && reason)
            *reason = why;
        if (error)
            return error;
    }
    for (size_t i = 0; !planning->schema && i < count; i++)
        if (planning->files[i].error)
            return hq_fail(reason, planning->files[i].error, "no file of this dataset that can be read has entries: %s",
                           planning->files[i].text);
    if (!planning->schema) {
        hq_fail(reason, HQ_EINVAL, "there are no entries in this dataset: %s%s", planning->wanted->files[0].path,
                count > 1 ? " and all other files are empty" : " is empty");
        return HQ_EINVAL;
    }
    planning->dropped_by = hq_calloc(planning->schema->count + 1, sizeof *planning->dropped_by);
    atomic_store(&planning->next, first);

    pthread_t threads[MAX_THREADS];
    size_t started = 0, useful = (count - first) / FILES_PER_THREAD;
    while (started < MAX_THREADS && started < useful &&
           pthread_create(&threads[started], NULL, plan_files, planning) == 0)
        started++;
    plan_files(planning);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (planning->error && reason)
        *reason = planning->reason;
    return planning->error;
}

static int compare_identity(const void *one_p, const void *other_p)
{
    const hq_dataset_file *one = *(const hq_dataset_file *const *)one_p;
    const hq_dataset_file *other = *(const hq_dataset_file *const *)other_p;
    int order = memcmp(&one->identity, &other->identity, sizeof one->identity);
    return order ? order : strcmp(one->tree, other->tree);
}

static hq_error check_doubles(const hq_dataset *dataset, hq_reason *reason)
{
    const hq_dataset_file **sorted = hq_calloc(dataset->file_count, sizeof *sorted);
    for (size_t i = 0; i < dataset->file_count; i++)
        sorted[i] = &dataset->files[i];
    qsort(sorted, dataset->file_count, sizeof *sorted, compare_identity);
    hq_error error = HQ_OK;
    for (size_t i = 1; i < dataset->file_count && !error; i++) {
        const hq_dataset_file *one = sorted[i - 1], *other = sorted[i];
        if (compare_identity(&one, &other) != 0)
            continue;
        if (strcmp(one->path, other->path) == 0)
            error = hq_fail(reason, HQ_EINVAL, "%s is given twice; its events would count twice", one->path);
        else
            error = hq_fail(reason, HQ_EINVAL, "%s and %s are the same file; its events would count twice",
                            one < other ? one->path : other->path, one < other ? other->path : one->path);
    }
    free(sorted);
    return error;
}

/* The columns that all files have, and those that some file lacks. */
static void gather_schema(const file_planning *planning, const uint32_t *indexes, hq_dataset *dataset)
{
    /* Of the first file with entries; if there is none, planning has failed before. */
    const hq_schema *first = planning->schema;
    size_t capacity = 0;
    dataset->schema = schema_new();
    for (size_t i = 0; first && i < first->count; i++) {
        const hq_field *field = &first->fields[i];
        size_t by = atomic_load(&planning->dropped_by[i]);
        if (by == 0) {
            schema_add(dataset->schema, field->name, field->collection, field->member, field->type, field->depth);
            continue;
        }
        HQ_GROW(dataset->dropped, dataset->dropped_count, capacity);
        dataset->dropped[dataset->dropped_count++] = (hq_dropped){.name = hq_strdup(field->name),
                                                                  .collection = hq_strdup(field->collection),
                                                                  .member = hq_strdup(field->member),
                                                                  .file = indexes[by - 1]};
    }
}

/* Moves what planning found into the dataset. */
static hq_error gather(file_planning *planning, hq_dataset *dataset, hq_reason *reason)
{
    size_t count = planning->wanted->count, partitions = 0;
    for (size_t i = 0; i < count; i++)
        partitions += planning->files[i].partition_count;
    if (partitions > HQ_MAX_PARTITIONS)
        return hq_fail(reason, HQ_ELIMIT, "this dataset would have %zu partitions, more than %d; ask for larger ones",
                       partitions, HQ_MAX_PARTITIONS);
    dataset->files = hq_calloc(count, sizeof *dataset->files);
    dataset->partitions = hq_calloc(partitions, sizeof *dataset->partitions);
    uint32_t *indexes = hq_calloc(count, sizeof *indexes); /* of the wanted files in the dataset */
    for (size_t i = 0; i < count; i++) {
        planned_file *planned = &planning->files[i];
        if (planned->error)
            dataset_note_left_out(dataset, planning->wanted->files[i].path, planned->error, planned->text);
        if (planned->file.entries == 0)
            continue;
        indexes[i] = (uint32_t)dataset->file_count;
        for (size_t j = 0; j < planned->partition_count; j++) {
            hq_partition *partition = &dataset->partitions[dataset->partition_count++];
            *partition = planned->partitions[j];
            partition->file = (uint32_t)dataset->file_count;
        }
        dataset->entries += planned->file.entries;
        dataset->files[dataset->file_count++] = planned->file;
        planned->file = (hq_dataset_file){0};
    }
    gather_schema(planning, indexes, dataset);
    free(indexes);
    return check_doubles(dataset, reason);
}

static hq_error plan_wanted(hq_remote *remote, const hq_wanted *wanted, uint64_t target_entries, bool skips_bad,
                            hq_shelf *shelf, hq_dataset *dataset, hq_reason *reason)
{
    hq_shelf none = {0};
    file_planning planning = {.wanted = wanted,
                              .remote = remote,
                              .target_entries = target_entries,
                              .skips_bad = skips_bad,
                              .shelf = shelf ? shelf : &none,
                              .files = hq_calloc(wanted->count, sizeof *planning.files),
                              .lock = PTHREAD_MUTEX_INITIALIZER};
    planning.recalled = shelf_recall(planning.shelf, wanted);
    hq_error error = plan_all_files(&planning, reason);
    if (!error)
        error = gather(&planning, dataset, reason);
    for (size_t i = 0; i < wanted->count; i++) {
        free(planning.files[i].file.path);
        free(planning.files[i].file.tree);
        free(planning.files[i].partitions);
        free(planning.files[i].text);
    }
    free(planning.files);
    recalled_free(&planning.recalled);
    free(planning.dropped_by);
    schema_free(&planning.schema);
    pthread_mutex_destroy(&planning.lock);
    return error;
}

static void plan_empty(hq_dataset *dataset, const char *spec, uint64_t count)
{
    static const char name[] = "hq's empty dataset";
    dataset->files = hq_calloc(1, sizeof *dataset->files);
    dataset->files[0] =
        (hq_dataset_file){.path = hq_strdup(spec), .tree = hq_strdup(""), .identity = hash_of(name, sizeof name)};
    dataset->file_count = 1;
    dataset->partitions = hq_calloc(count, sizeof *dataset->partitions);
    dataset->partition_count = count;
    for (uint64_t i = 0; i < count; i++)
        dataset->partitions[i] = (hq_partition){.first = i, .last = i};
    dataset->schema = schema_new();
}

hq_error dataset_plan(const char *const *specs, size_t spec_count, uint64_t target_entries, hq_dataset **dataset_r,
                      hq_reason *reason)
{
    hq_remote *remote = remote_new(NULL);
    hq_error error = dataset_plan_through(remote, specs, spec_count, target_entries, false, NULL, dataset_r, reason);
    remote_free(&remote);
    return error;
}

hq_error dataset_plan_through(hq_remote *remote, const char *const *specs, size_t spec_count, uint64_t target_entries,
                              bool skips_bad, struct hq_shelf *shelf, hq_dataset **dataset_r, hq_reason *reason)
{
    hq_wanted wanted;
    hq_dataset *dataset = hq_calloc(1, sizeof *dataset);
    hq_error error = specs_expand(remote, specs, spec_count, skips_bad, &wanted, reason);
    if (!error && wanted.empty_partitions)
        plan_empty(dataset, specs[0], wanted.empty_partitions);
    else if (!error)
        error = plan_wanted(remote, &wanted, target_entries, skips_bad, shelf, dataset, reason);
    wanted_clear(&wanted);
    if (error) {
        dataset_free(&dataset);
        return error;
    }
    *dataset_r = dataset;
    return HQ_OK;
}

void dataset_free(hq_dataset **dataset_p)
{
    hq_dataset *dataset = *dataset_p;
    if (!dataset)
        return;
    for (size_t i = 0; i < dataset->file_count; i++) {
        free(dataset->files[i].path);
        free(dataset->files[i].tree);
    }
    for (size_t i = 0; i < dataset->dropped_count; i++) {
        free(dataset->dropped[i].name);
        free(dataset->dropped[i].collection);
        free(dataset->dropped[i].member);
    }
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        free(dataset->left_out[i].path);
        free(dataset->left_out[i].text);
    }
    free(dataset->left_out);
    free(dataset->files);
    free(dataset->partitions);
    free(dataset->dropped);
    schema_free(&dataset->schema);
    free(dataset);
    *dataset_p = NULL;
}

void dataset_note_left_out(hq_dataset *dataset, const char *path, hq_error error, const char *text)
{
    /* Grown to powers of two. */
    if ((dataset->left_out_count & (dataset->left_out_count - 1)) == 0)
        dataset->left_out = hq_realloc(dataset->left_out, dataset->left_out_count ? 2 * dataset->left_out_count : 1,
                                       sizeof *dataset->left_out);
    dataset->left_out[dataset->left_out_count++] = (hq_left_out){hq_strdup(path), error, hq_strdup(text)};
}

void dataset_take_out(hq_dataset *dataset, const bool *is_out)
{
    uint32_t *places = hq_calloc(dataset->file_count + 1, sizeof *places);
    size_t files = 0, partitions = 0;
    for (size_t i = 0; i < dataset->file_count; i++) {
        places[i] = (uint32_t)files;
        if (!is_out[i]) {
            dataset->files[files++] = dataset->files[i];
            continue;
        }
        dataset->entries -= dataset->files[i].entries;
        free(dataset->files[i].path);
        free(dataset->files[i].tree);
    }
    for (size_t i = 0; i < dataset->partition_count; i++) {
        hq_partition partition = dataset->partitions[i];
        if (is_out[partition.file])
            continue;
        partition.file = places[partition.file];
        dataset->partitions[partitions++] = partition;
    }
    dataset->file_count = files;
    dataset->partition_count = partitions;
    free(places);
    for (size_t i = 0; i < dataset->dropped_count; i++) {
        free(dataset->dropped[i].name);
        free(dataset->dropped[i].collection);
        free(dataset->dropped[i].member);
    }
    free(dataset->dropped); /* which name files by their index */
    dataset->dropped = NULL;
    dataset->dropped_count = 0;
}

hq_hash dataset_partition_identity(const hq_dataset *dataset, size_t index)
{
    const hq_partition *partition = &dataset->partitions[index];
    const hq_dataset_file *file = &dataset->files[partition->file];
    return partition_identity(&file->identity, file->tree, partition->first, partition->last);
}

hq_hash dataset_identity(const hq_dataset *dataset)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_u64(hasher, dataset->file_count);
    for (size_t i = 0; i < dataset->file_count; i++) {
        hasher_add(hasher, dataset->files[i].identity.bytes, sizeof dataset->files[i].identity.bytes);
        hasher_add_text(hasher, dataset->files[i].tree);
    }
    hq_buffer buffer = {0};
    for (size_t i = 0; i < dataset->partition_count; i++) {
        buffer_u32(&buffer, dataset->partitions[i].file);
        buffer_u64(&buffer, dataset->partitions[i].first);
        buffer_u64(&buffer, dataset->partitions[i].last);
        if (buffer.size > 32768 || i + 1 == dataset->partition_count) { /* few large pieces are hashed faster */
            hasher_add(hasher, buffer.bytes, buffer.size);
            buffer.size = 0;
        }
    }
    buffer_clear(&buffer);
    return hasher_end(&hasher);
}
