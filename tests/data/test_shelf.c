/* Plans of files, kept and recalled: as bytes they are what opening yields; a file that has not changed is not opened,
 * and one that has is; what a shelf holds may be anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/fileplan.h"
#include "data/remote.h"
#include "data/shelf.h"

/* ---- a shelf in memory ---- */

typedef struct memory {
    hq_record *records;
    size_t count, capacity, asked;
} memory;

static void look_up(void *context, const hq_hash *keys, size_t count, hq_shelf_take *take, void *taker)
{
    memory *kept = context;
    kept->asked++;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < kept->count; j++)
            if (memcmp(&keys[i], &kept->records[j].key, sizeof *keys) == 0)
                take(taker, &kept->records[j]);
}

static void put(memory *kept, const hq_record *record)
{
    uint8_t *bytes = hq_alloc(record->size + 1);
    memcpy(bytes, record->bytes, record->size);
    size_t at = 0;
    while (at < kept->count && memcmp(&kept->records[at].key, &record->key, sizeof record->key) != 0)
        at++;
    if (at == kept->count) {
        HQ_GROW(kept->records, kept->count, kept->capacity);
        kept->count++;
    } else {
        free((void *)kept->records[at].bytes);
    }
    kept->records[at] = (hq_record){record->key, bytes, record->size};
}

static void memory_clear(memory *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        free((void *)kept->records[i].bytes);
    free(kept->records);
    *kept = (memory){0};
}

/* Plans with the shelf and keeps what is new; kept NULL: without one. */
static hq_dataset *plan(memory *kept, const char *const *specs, size_t count, hq_shelf_counts *counts_r)
{
    hq_shelf shelf = {.look_up = look_up, .context = kept, .keeps = true};
    hq_remote *remote = remote_new(NULL);
    hq_dataset *dataset = NULL;
    hq_reason reason;
    if (dataset_plan_through(remote, specs, count, 25, false, kept ? &shelf : NULL, &dataset, &reason))
        fail_msg("%s", reason.text);
    for (size_t i = 0; kept && i < shelf.record_count; i++)
        put(kept, &shelf.records[i]);
    if (counts_r)
        *counts_r = shelf.counts;
    shelf_clear(&shelf);
    remote_free(&remote);
    return dataset;
}

static void assert_counts(hq_shelf_counts is, uint64_t found, uint64_t opened, uint64_t replaced, uint64_t bad)
{
    if (is.found != found || is.opened != opened || is.replaced != replaced || is.bad != bad)
        fail_msg("found %d, opened %d, replaced %d, bad %d; not %d, %d, %d, %d", (int)is.found, (int)is.opened,
                 (int)is.replaced, (int)is.bad, (int)found, (int)opened, (int)replaced, (int)bad);
}

static void assert_same_schema(const hq_schema *one, const hq_schema *other)
{
    hq_buffer mine = {0}, theirs = {0};
    schema_encode(one, &mine);
    schema_encode(other, &theirs);
    assert_int_equal(mine.size, theirs.size);
    assert_memory_equal(mine.bytes, theirs.bytes, mine.size);
    buffer_clear(&mine);
    buffer_clear(&theirs);
}

static void assert_same_dataset(const hq_dataset *one, const hq_dataset *other)
{
    assert_int_equal(one->file_count, other->file_count);
    for (size_t i = 0; i < one->file_count; i++) {
        assert_string_equal(one->files[i].path, other->files[i].path);
        assert_string_equal(one->files[i].tree, other->files[i].tree);
        assert_memory_equal(&one->files[i].identity, &other->files[i].identity, sizeof(hq_hash));
        assert_int_equal(one->files[i].entries, other->files[i].entries);
    }
    assert_int_equal(one->entries, other->entries);
    assert_int_equal(one->partition_count, other->partition_count);
    hq_hash mine = dataset_identity(one), theirs = dataset_identity(other); /* with all partitions */
    assert_memory_equal(&mine, &theirs, sizeof mine);
    assert_same_schema(one->schema, other->schema);
    assert_int_equal(one->dropped_count, other->dropped_count);
    for (size_t i = 0; i < one->dropped_count; i++) {
        assert_string_equal(one->dropped[i].name, other->dropped[i].name);
        assert_int_equal(one->dropped[i].file, other->dropped[i].file);
    }
}

/* ---- as bytes ---- */

static void assert_same_plan(const hq_file_plan *one, const hq_file_plan *other)
{
    assert_int_equal(one->stamp.size, other->stamp.size);
    assert_int_equal(one->stamp.modified_ns, other->stamp.modified_ns);
    assert_int_equal(one->stamp.changed_ns, other->stamp.changed_ns);
    assert_int_equal(one->version == NULL, other->version == NULL);
    if (one->version)
        assert_string_equal(one->version, other->version);
    assert_memory_equal(one->uuid, other->uuid, sizeof one->uuid);
    assert_memory_equal(&one->identity, &other->identity, sizeof one->identity);
    assert_string_equal(one->tree, other->tree);
    assert_int_equal(one->entries, other->entries);
    assert_int_equal(one->border_count, other->border_count);
    for (size_t i = 0; i < one->border_count; i++)
        assert_int_equal(one->borders[i], other->borders[i]);
}

/* To bytes and back; every shorter piece of them, and a longer one, is refused. */
static void check_plan(const hq_file_plan *plan, const hq_schema *schema)
{
    hq_buffer bytes = {0}, schema_bytes = {0}, again = {0};
    hq_file_plan back;
    hq_reason reason;
    schema_encode(schema, &schema_bytes);
    hq_hash key = fileplan_schema_key(schema_bytes.bytes, schema_bytes.size);
    fileplan_encode(plan, &key, &bytes);
    if (fileplan_decode(bytes.bytes, bytes.size, &back, &reason))
        fail_msg("%s: %s", plan->tree, reason.text);
    assert_same_plan(plan, &back);
    assert_memory_equal(&key, &back.schema_key, sizeof key);
    fileplan_encode(&back, &back.schema_key, &again);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.bytes, bytes.bytes, bytes.size);
    fileplan_clear(&back);
    for (size_t size = 0; size < bytes.size; size += 1 + size / 64)
        assert_int_equal(fileplan_decode(bytes.bytes, size, &back, &reason), HQ_EFORMAT);
    buffer_u8(&bytes, 0);
    assert_int_equal(fileplan_decode(bytes.bytes, bytes.size, &back, &reason), HQ_EFORMAT);
    assert_null(back.tree);
    hq_schema *schema_back = NULL;
    assert_int_equal(schema_decode(schema_bytes.bytes, schema_bytes.size, &schema_back, &reason), HQ_OK);
    assert_same_schema(schema, schema_back);
    schema_free(&schema_back);
    buffer_clear(&again);
    buffer_clear(&bytes);
    buffer_clear(&schema_bytes);
}

static size_t check_file(const char *path, size_t *ntuples, size_t *folders, size_t *clustered)
{
    hq_file *file = NULL;
    hq_tree_name *names;
    hq_reason reason;
    size_t count, checked = 0;
    if (rootfile_open(path, &file, &reason))
        return 0;
    if (rootfile_list(file, &names, &count, &reason) == HQ_OK) {
        for (size_t i = 0; i < count; i++) {
            hq_tree *tree = NULL;
            hq_file_plan plan;
            if (tree_open(file, names[i].path, &tree, &reason))
                continue;
            fileplan_make(file, tree, &plan);
            check_plan(&plan, tree_schema(tree));
            checked++;
            *ntuples += names[i].is_rntuple;
            *folders += strchr(plan.tree, '/') != NULL;
            *clustered += plan.border_count > 2;
            fileplan_clear(&plan);
            tree_close(&tree);
        }
        tree_names_free(&names, count);
    }
    rootfile_close(&file);
    return checked;
}

static void every_sample_is_as_opening_yields_it(void **state)
{
    (void)state;
    size_t checked = 0, ntuples = 0, folders = 0, clustered = 0;
    char *patterns[] = {hq_format("%s/skhep/*.root", getenv("HQ_DATA")),
                        hq_format("%s/coffea/*.root", getenv("HQ_DATA"))};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        glob_t found;
        assert_int_equal(glob(patterns[p], 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++)
            checked += check_file(found.gl_pathv[i], &ntuples, &folders, &clustered);
        globfree(&found);
        free(patterns[p]);
    }
    print_message("%zu trees: %zu RNTuples, %zu in folders, %zu with borders within\n", checked, ntuples, folders,
                  clustered);
    assert_true(checked > 50 && ntuples > 5 && folders > 2 && clustered > 5);
}

static void wrong_borders_are_refused(void **state)
{
    (void)state;
    static uint64_t wrong[][3] = {{1, 5, 9}, {0, 0, 9}, {0, 9, 9}, {0, 5, 8}, {0, 10, 9}};
    hq_hash key = hash_random();
    hq_file_plan plan = {.tree = (char *)"t", .entries = 9, .border_count = 3}, back;
    hq_reason reason;
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        static uint64_t right[3] = {0, 5, 9};
        hq_buffer bytes = {0};
        bool is_right = i == sizeof wrong / sizeof *wrong;
        plan.borders = is_right ? right : wrong[i];
        fileplan_encode(&plan, &key, &bytes);
        assert_int_equal(fileplan_decode(bytes.bytes, bytes.size, &back, &reason), is_right ? HQ_OK : HQ_EFORMAT);
        fileplan_clear(&back);
        buffer_clear(&bytes);
    }
}

/* ---- files of this machine, by make_dataset.py ---- */

static int make_files(void **state)
{
    (void)state;
    hq_log_set_level(HQ_LOG_ERROR); /* bad records are told of as warnings */
    char *command = hq_format("'%s' '%s/tests/data/make_dataset.py'", getenv("HQ_PYTHON"), getenv("HQ_SOURCE"));
    int result = system(command);
    free(command);
    return result;
}

/* How often a file in the folder was opened since the watch began. */
static int watch_opens(const char *folder)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0 && inotify_add_watch(fd, folder, IN_OPEN) >= 0);
    return fd;
}

static size_t count_opens(int fd)
{
    char events[65536];
    size_t opens = 0;
    ssize_t size;
    while ((size = read(fd, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < size;) {
            struct inotify_event event;
            memcpy(&event, events + at, sizeof event);
            opens += (event.mask & IN_OPEN) && !(event.mask & IN_ISDIR);
            at += (ssize_t)(sizeof event + event.len);
        }
    return opens;
}

static const char *const mixed[] = {"globbed/part*.root", "jagged.root",   "empty.root",
                                    "only_x.root",        "clusters.root", "two.root:second"};
enum { MIXED = sizeof mixed / sizeof *mixed, MIXED_FILES = 12 + 5 };

static void the_second_time_no_file_is_opened(void **state)
{
    (void)state;
    memory kept = {0};
    hq_shelf_counts counts;
    hq_dataset *alone = plan(NULL, mixed, MIXED, NULL), *first = plan(&kept, mixed, MIXED, &counts);
    assert_counts(counts, 0, MIXED_FILES, 0, 0);
    assert_true(first->dropped_count > 0);
    assert_same_dataset(first, alone);
    kept.asked = 0;
    int here = watch_opens("."), globbed = watch_opens("globbed");
    hq_dataset *second = plan(&kept, mixed, MIXED, &counts);
    assert_int_equal(count_opens(here) + count_opens(globbed), 0);
    assert_counts(counts, MIXED_FILES, 0, 0, 0);
    assert_int_equal(kept.asked, 2); /* once for all plans, once for all schemas */
    assert_same_dataset(second, alone);
    dataset_free(&second);
    second = plan(NULL, mixed, MIXED, NULL); /* the watches do see what is opened */
    assert_true(count_opens(here) >= 5 && count_opens(globbed) >= 12);
    close(here);
    close(globbed);
    dataset_free(&alone);
    dataset_free(&first);
    dataset_free(&second);
    memory_clear(&kept);
}

static void copy_file(const char *from, const char *to)
{
    char *command = hq_format("cat '%s' > '%s'", from, to); /* in place: the same inode */
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_changed_file_is_opened_anew(void **state)
{
    (void)state;
    static const char *const specs[] = {"globbed/part00.root", "changing.root"};
    memory kept = {0};
    hq_shelf_counts counts;
    copy_file("globbed/part01.root", "changing.root");
    hq_dataset *dataset = plan(&kept, specs, 2, &counts);
    assert_int_equal(dataset->entries, 10 + 20);
    dataset_free(&dataset);
    copy_file("globbed/part02.root", "changing.root");
    dataset = plan(&kept, specs, 2, &counts);
    assert_counts(counts, 1, 1, 1, 0);
    assert_int_equal(dataset->entries, 10 + 30);
    dataset_free(&dataset);
    dataset = plan(&kept, specs, 2, &counts);
    assert_counts(counts, 2, 0, 0, 0);
    dataset_free(&dataset);
    /* Only the time of modification. */
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, "changing.root", times, 0), 0);
    dataset = plan(&kept, specs, 2, &counts);
    assert_counts(counts, 1, 1, 1, 0);
    dataset_free(&dataset);
    memory_clear(&kept);
}

/* Other bytes, the same size, and the time of modification set back: only the time of change tells. */
static void a_file_disguised_as_the_old_one_is_opened_anew(void **state)
{
    (void)state;
    static const char *const specs[] = {"disguised.root"};
    memory kept = {0};
    hq_shelf_counts counts;
    struct stat before, after;
    copy_file("two.root", "disguised.root");
    int fd = open("disguised.root", O_RDWR);
    char *spec = hq_strdup("disguised.root:second");
    assert_int_equal(fstat(fd, &before), 0);
    hq_dataset *dataset = plan(&kept, (const char *const *)&spec, 1, &counts);
    dataset_free(&dataset);
    assert_int_equal(pwrite(fd, "junk", 4, 0), 4);
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    do { /* the clock of the file system moves in steps */
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(fstat(fd, &after), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    hq_shelf shelf = {.look_up = look_up, .context = &kept};
    hq_reason reason = {""};
    dataset = NULL;
    assert_int_equal(dataset_plan_through(NULL, (const char *const *)&spec, 1, 25, false, &shelf, &dataset, &reason),
                     HQ_EFORMAT);
    assert_non_null(strstr(reason.text, specs[0]));
    assert_counts(shelf.counts, 0, 0, 0, 0);
    free(spec);
    close(fd);
    memory_clear(&kept);
}

static void planning_that_nobody_wants_any_more_ends(void **state)
{
    (void)state;
    static const char *const specs[] = {"globbed/part00.root", "globbed/part01.root"};
    atomic_bool is_unwanted;
    atomic_init(&is_unwanted, true);
    for (int skips_bad = 0; skips_bad < 2; skips_bad++) { /* it is no fault of the files */
        hq_shelf shelf = {.keeps = true, .is_unwanted = &is_unwanted};
        hq_reason reason = {""};
        hq_dataset *dataset = NULL;
        assert_int_equal(dataset_plan_through(NULL, specs, 2, 25, skips_bad != 0, &shelf, &dataset, &reason),
                         HQ_ECANCELLED);
        assert_counts(shelf.counts, 0, 0, 0, 0);
        assert_int_equal(shelf.record_count, 0);
        shelf_clear(&shelf);
    }
}

static void what_went_wrong_is_said_as_without_a_shelf(void **state)
{
    (void)state;
    static const char *const specs[] = {"globbed/part00.root", "going.root"};
    memory kept = {0};
    hq_reason reason = {""};
    copy_file("globbed/part01.root", "going.root");
    hq_dataset *dataset = plan(&kept, specs, 2, NULL);
    dataset_free(&dataset);
    unlink("going.root");
    hq_shelf shelf = {.look_up = look_up, .context = &kept, .keeps = true};
    assert_int_equal(dataset_plan_through(NULL, specs, 2, 25, false, &shelf, &dataset, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "going.root"));
    dataset = NULL;
    assert_int_equal(dataset_plan_through(NULL, specs, 2, 25, true, &shelf, &dataset, &reason), HQ_OK);
    assert_int_equal(dataset->file_count, 1);
    assert_int_equal(dataset->left_out_count, 1);
    assert_counts(shelf.counts, 1, 0, 0, 0);
    shelf_clear(&shelf);
    dataset_free(&dataset);
    memory_clear(&kept);
}

static void what_is_left_out_is_said_to_whom_asks_for_no_reason(void **state)
{
    (void)state;
    static const char *const specs[] = {"text.root", "globbed/part00.root"};
    hq_dataset *dataset = NULL;
    assert_int_equal(dataset_plan_through(NULL, specs, 2, 25, true, NULL, &dataset, NULL), HQ_OK);
    assert_int_equal(dataset->left_out_count, 1);
    assert_non_null(dataset->left_out[0].text);
    assert_non_null(strstr(dataset->left_out[0].text, "text.root"));
    dataset_free(&dataset);
}

/* What was found out before one file turned out bad is kept: asked again with that file mended, the others are known.
 */
static void a_planning_that_fails_keeps_what_it_has(void **state)
{
    (void)state;
    static const char *const specs[] = {"globbed/part00.root", "globbed/part01.root", "text.root"};
    memory kept = {0};
    hq_shelf_counts counts;
    hq_reason reason = {""};
    hq_dataset *dataset = NULL;
    hq_shelf shelf = {.look_up = look_up, .context = &kept, .keeps = true};
    assert_int_equal(dataset_plan_through(NULL, specs, 3, 25, false, &shelf, &dataset, &reason), HQ_EFORMAT);
    for (size_t i = 0; i < shelf.record_count; i++)
        put(&kept, &shelf.records[i]);
    shelf_clear(&shelf);
    dataset = plan(&kept, specs, 2, &counts);
    assert_counts(counts, 2, 0, 0, 0);
    dataset_free(&dataset);
    memory_clear(&kept);
}

static void bad_records_are_as_if_they_were_not_there(void **state)
{
    (void)state;
    static const char junk[64] = "HQF\1 and so on";
    hq_dataset *alone = plan(NULL, mixed, MIXED, NULL);
    hq_shelf_counts counts;
    for (int round = 0; round < 7; round++) {
        memory kept = {0};
        hq_dataset *dataset = plan(&kept, mixed, MIXED, NULL);
        dataset_free(&dataset);
        size_t plans = 0;
        for (size_t i = 0; i < kept.count; i++) {
            hq_record *record = &kept.records[i];
            uint8_t *bytes = (uint8_t *)record->bytes;
            bool is_plan = record->size > 4 && memcmp(bytes, "HQF", 3) == 0;
            plans += is_plan;
            if (round == 0) { /* all of them junk */
                memcpy(bytes, junk, record->size < sizeof junk ? record->size : sizeof junk);
                record->size = record->size < sizeof junk ? record->size : sizeof junk;
            } else if (round == 1) { /* no bytes at all */
                record->size = 0;
            } else if (round == 2 && !is_plan) { /* schemas that are not what they are named for */
                bytes[record->size - 1] ^= 1;
            } else if (round == 3 && is_plan) { /* of another version */
                bytes[3]++;
            } else if (round == 4 && is_plan) { /* a byte less */
                record->size--;
            } else if (round == 5 && !is_plan) { /* no schema is found */
                record->key = hash_random();
            } else if (round == 6 && is_plan) { /* longer than any that is kept */
                record->bytes = hq_realloc(bytes, 2 << 20, 1);
                record->size = 2 << 20;
            }
        }
        assert_int_equal(plans, MIXED_FILES);
        dataset = plan(&kept, mixed, MIXED, &counts);
        assert_int_equal(counts.found, 0);
        assert_int_equal(counts.opened, MIXED_FILES);
        assert_int_equal(counts.bad > 0, round != 5);
        assert_same_dataset(dataset, alone);
        dataset_free(&dataset);
        dataset = plan(&kept, mixed, MIXED, &counts); /* they have been replaced */
        assert_counts(counts, MIXED_FILES, 0, 0, 0);
        dataset_free(&dataset);
        memory_clear(&kept);
    }
    dataset_free(&alone);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_as_opening_yields_it),
        cmocka_unit_test(wrong_borders_are_refused),
        cmocka_unit_test(the_second_time_no_file_is_opened),
        cmocka_unit_test(a_changed_file_is_opened_anew),
        cmocka_unit_test(a_file_disguised_as_the_old_one_is_opened_anew),
        cmocka_unit_test(planning_that_nobody_wants_any_more_ends),
        cmocka_unit_test(what_went_wrong_is_said_as_without_a_shelf),
        cmocka_unit_test(what_is_left_out_is_said_to_whom_asks_for_no_reason),
        cmocka_unit_test(a_planning_that_fails_keeps_what_it_has),
        cmocka_unit_test(bad_records_are_as_if_they_were_not_there),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
