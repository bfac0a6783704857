/* Columns in a folder: they come back as they were, or not at all, whatever happens to the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/disk.h"

enum { ENTRIES = 1000, ROOM = 100 << 20 };

typedef struct fixture {
    char *folder;
    hq_cache *cache;
    hq_disk *disk;
} fixture;

static void reopen(fixture *f, uint64_t limit)
{
    hq_reason reason = {{0}};
    disk_close(&f->disk);
    if (disk_open(f->folder, limit, 64 << 20, &f->disk, &reason))
        fail_msg("%s", reason.text);
}

static int set_up(void **state)
{
    static int number;
    fixture *f = *state = hq_calloc(1, sizeof *f);
    char here[2048];
    assert_non_null(getcwd(here, sizeof here));
    f->folder = hq_format("%s/columns-%ld-%d", here, (long)getpid(), number++);
    f->cache = cache_new(ROOM);
    hq_log_set_level(HQ_LOG_ERROR);
    reopen(f, ROOM);
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    disk_close(&f->disk);
    disk_close(&f->disk);
    cache_free(&f->cache);
    char *command = hq_format("rm -r '%s'", f->folder);
    int result = system(command);
    free(command);
    free(f->folder);
    free(f);
    return result;
}

static hq_cache_key key_of(uint64_t number)
{
    hq_cache_key key = {.tree = "events", .column = "Muon_pt", .first = number, .last = number + ENTRIES};
    memset(&key.file, 7, sizeof key.file);
    return key;
}

/* Of depth 0 to 3, with contents that the number tells. */
static hq_column *column_of(uint64_t number, unsigned depth)
{
    static const uint64_t inner[] = {2 * ENTRIES, 3 * ENTRIES};
    uint64_t values = depth < 2 ? (1 + depth) * ENTRIES : (depth + 1) * ENTRIES;
    hq_column *column = depth > 1 ? column_new_deep(HQ_FLOAT32, ENTRIES, inner, depth - 1, values, SIZE_MAX / 2)
                                  : column_new(HQ_FLOAT32, ENTRIES, values, depth == 1, SIZE_MAX / 2);
    uint32_t *offsets = column->offsets;
    uint64_t lists = ENTRIES;
    for (unsigned level = 0; level < depth; level++) {
        uint64_t things = level + 1 < depth ? column->inner[level].count : values;
        for (uint64_t i = 0; i <= lists; i++)
            offsets[i] = (uint32_t)(i * things / lists);
        if (level + 1 < depth) {
            offsets = column->inner[level].offsets;
            lists = things;
        }
    }
    for (uint64_t i = 0; i < values; i++)
        ((float *)column->values)[i] = (float)(number + i);
    return column;
}

static void assert_same_column(const hq_column *one, const hq_column *other)
{
    assert_int_equal(one->type, other->type);
    assert_int_equal(one->entries, other->entries);
    assert_int_equal(one->value_count, other->value_count);
    assert_int_equal(one->inner_count, other->inner_count);
    assert_int_equal(one->bytes, other->bytes);
    assert_memory_equal(one->values, other->values, one->value_count * 4);
    assert_int_equal(one->offsets != NULL, other->offsets != NULL);
    if (one->offsets)
        assert_memory_equal(one->offsets, other->offsets, (one->entries + 1) * 4);
    for (uint32_t i = 0; i < one->inner_count; i++) {
        assert_int_equal(one->inner[i].count, other->inner[i].count);
        assert_memory_equal(one->inner[i].offsets, other->inner[i].offsets, (one->inner[i].count + 1) * 4);
    }
}

static void make(void *context, hq_cache_want *const *wants, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wants[i]->column = column_of(wants[i]->key.first, *(unsigned *)context);
}

static void put(hq_disk *disk, hq_cache *cache, uint64_t number, unsigned depth)
{
    hq_cache_want want = {.key = key_of(number)};
    cache_get(cache, &want, 1, make, &depth, NULL);
    disk_put(disk, cache, &want.key, want.entry);
    cache_release(cache, &want.entry);
}

static bool has(fixture *f, uint64_t number, unsigned depth)
{
    hq_cache_key key = key_of(number);
    hq_column *found = disk_get(f->disk, &key, SIZE_MAX), *expected = column_of(number, depth);
    if (found)
        assert_same_column(found, expected);
    bool is_there = found != NULL;
    column_free(&found);
    column_free(&expected);
    return is_there;
}

/* Calls each for the files of the folder that are no passing thing; gives back how many and how large. */
static size_t each_file(const fixture *f, void (*each)(const char *path, void *context), void *context,
                        uint64_t *bytes_r)
{
    size_t count = 0;
    DIR *folder = opendir(f->folder);
    assert_non_null(folder);
    uint64_t bytes = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.'))
            continue;
        char *path = hq_format("%s/%s", f->folder, entry->d_name);
        struct stat status;
        if (stat(path, &status) == 0) {
            bytes += (uint64_t)status.st_size;
            count++;
            if (each)
                each(path, context);
        }
        free(path);
    }
    closedir(folder);
    if (bytes_r)
        *bytes_r = bytes;
    return count;
}

static void columns_come_back_as_they_were(void **state)
{
    fixture *f = *state;
    for (unsigned depth = 0; depth < 4; depth++) {
        assert_false(has(f, depth, depth));
        put(f->disk, f->cache, depth, depth);
    }
    disk_flush(f->disk);
    for (int round = 0; round < 2; round++) {
        for (unsigned depth = 0; depth < 4; depth++)
            assert_true(has(f, depth, depth));
        reopen(f, ROOM); /* as after a restart */
    }
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    uint64_t bytes;
    assert_int_equal(each_file(f, NULL, NULL, &bytes), 4);
    assert_int_equal(counts.bytes, bytes);
    hq_cache_key key = key_of(0);
    assert_null(disk_get(f->disk, &key, 100)); /* more than is allowed, and still there */
    assert_true(has(f, 0, 0));
    key.column = "Muon_eta";
    assert_null(disk_get(f->disk, &key, SIZE_MAX));
    disk_count(f->disk, &counts);
    assert_int_equal(counts.damaged, 0);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.misses, 2);
}

static void what_waits_is_written_before_the_end(void **state)
{
    fixture *f = *state;
    for (uint64_t i = 0; i < 50; i++)
        put(f->disk, f->cache, i, 1);
    reopen(f, ROOM);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(has(f, i, 1));
}

typedef struct harm {
    long at; /* the byte that is changed; from -1 on down: the file is cut, grown, emptied, another's */
} harm;

static void do_harm(const char *path, void *context)
{
    const harm *h = context;
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    if (h->at >= 0) {
        assert_int_equal(fseek(file, h->at, SEEK_SET), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, h->at, SEEK_SET), 0);
        fputc(byte ^ 0x10, file);
    } else if (h->at == -2) {
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        fputc(0, file);
    } else {
        assert_int_equal(ftruncate(fileno(file), h->at == -1 ? 3000 : h->at == -3 ? 100 : 0), 0);
    }
    fclose(file);
}

static void what_is_damaged_is_deleted_and_counted(void **state)
{
    fixture *f = *state;
    unsigned harms = 0;
    for (long at = -4; at < 8000; at += at < 160 ? 1 : 97) {
        if (at >= 141 && at < 192)
            continue; /* what fills up to the first array is nobody's */
        put(f->disk, f->cache, 5, 1);
        disk_flush(f->disk);
        assert_int_equal(each_file(f, do_harm, &(harm){at}, NULL), 1);
        if (has(f, 5, 1))
            fail_msg("byte %ld is of no account", at);
        harms++;
        hq_disk_counts counts;
        disk_count(f->disk, &counts);
        assert_int_equal(counts.damaged, harms);
        assert_int_equal(each_file(f, NULL, NULL, NULL), 0);
    }
    put(f->disk, f->cache, 5, 1);
    disk_flush(f->disk);
    assert_true(has(f, 5, 1));
}

static void rename_to(const char *path, void *context)
{
    assert_int_equal(rename(path, context), 0);
}

static void keep_path(const char *path, void *context)
{
    strcpy(context, path);
}

static void another_columns_file_is_none_of_it(void **state)
{
    fixture *f = *state;
    char path[4096];
    put(f->disk, f->cache, 1, 0);
    disk_flush(f->disk);
    each_file(f, keep_path, path, NULL);
    assert_int_equal(unlink(path), 0);
    put(f->disk, f->cache, 2, 0);
    disk_flush(f->disk);
    each_file(f, rename_to, path, NULL); /* the second's under the first's name */
    assert_false(has(f, 1, 0));
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    assert_int_equal(counts.damaged, 1);
    assert_int_equal(each_file(f, NULL, NULL, NULL), 0);
}

/* What the key alone would be called, whoever read the column. */
static char *path_without_reader(const fixture *f, const hq_cache_key *key)
{
    char text[HQ_HASH_TEXT];
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, key->file.bytes, sizeof key->file.bytes);
    hasher_add_text(hasher, key->tree);
    hasher_add_text(hasher, key->column);
    hasher_add_u64(hasher, key->first);
    hasher_add_u64(hasher, key->last);
    hq_hash hash = hasher_end(&hasher);
    hash_to_text(&hash, text);
    return hq_format("%s/%s.hqcolumn1", f->folder, text);
}

static void what_another_version_of_the_reader_made_is_not_used(void **state)
{
    fixture *f = *state;
    hq_cache_key key = key_of(1);
    char *path = path_without_reader(f, &key);
    put(f->disk, f->cache, 1, 0);
    disk_flush(f->disk);
    each_file(f, rename_to, path, NULL);
    assert_false(has(f, 1, 0));
    assert_int_equal(each_file(f, NULL, NULL, NULL), 1); /* nor is it damaged: that version may still run */
    free(path);
}

static void make_astray(void *context, hq_cache_want *const *wants, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        wants[i]->column = column_of(1, 1);
        wants[i]->column->offsets[500] = 4000000000u;
    }
}

static void offsets_that_lead_astray_are_not_followed(void **state)
{
    fixture *f = *state;
    hq_cache_want want = {.key = key_of(1)};
    cache_get(f->cache, &want, 1, make_astray, NULL, NULL);
    disk_put(f->disk, f->cache, &want.key, want.entry);
    cache_release(f->cache, &want.entry);
    disk_flush(f->disk);
    assert_int_equal(each_file(f, NULL, NULL, NULL), 1); /* well written, with the right checksums */
    assert_null(disk_get(f->disk, &want.key, SIZE_MAX));
    assert_int_equal(each_file(f, NULL, NULL, NULL), 0);
}

/* Makes the head speak of 2^30 values, with the right checksum. */
static void boast(const char *path, void *context)
{
    enum { VALUE_COUNT_AT = 56, CHECK_AT = 120, HEAD = 128 };
    (void)context;
    static const char texts[] = "eventsMuon_pt";
    uint8_t bytes[HEAD + sizeof texts - 1];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_memory_equal(bytes + HEAD, texts, sizeof texts - 1);
    uint64_t count;
    memcpy(&count, bytes + VALUE_COUNT_AT, sizeof count);
    assert_int_equal(count, ENTRIES);
    count = (uint64_t)1 << 30;
    memcpy(bytes + VALUE_COUNT_AT, &count, sizeof count);
    uint8_t checked[CHECK_AT + sizeof texts - 1];
    memcpy(checked, bytes, CHECK_AT);
    memcpy(checked + CHECK_AT, texts, sizeof texts - 1);
    uint64_t check = XXH3_64bits(checked, sizeof checked);
    memcpy(bytes + CHECK_AT, &check, sizeof check);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
}

static void what_cannot_be_deleted_makes_no_room(void **state)
{
    enum { NOBODY = 65534, FILES = 10 };
    fixture *f = *state;
    if (geteuid() != 0 || seteuid(NOBODY) != 0 || seteuid(0) != 0) {
        print_message("skipped: only root can own files that it then must not delete\n");
        skip();
    }
    uint64_t bytes;
    for (uint64_t i = 0; i < FILES; i++)
        put(f->disk, f->cache, i, 0);
    disk_flush(f->disk);
    assert_int_equal(each_file(f, NULL, NULL, &bytes), FILES);
    reopen(f, bytes);
    assert_int_equal(chmod(f->folder, 01777), 0); /* others may add to it, but not take away */
    assert_int_equal(seteuid(NOBODY), 0);
    put(f->disk, f->cache, FILES, 0);
    disk_flush(f->disk);
    assert_int_equal(seteuid(0), 0);
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    assert_int_equal(counts.written, 0);
    assert_int_equal(counts.skipped, 1);
    assert_int_equal(counts.evicted, 0);
    assert_int_equal(counts.bytes, bytes);
    assert_int_equal(each_file(f, NULL, NULL, NULL), FILES);
}

static void a_head_that_speaks_of_more_than_there_is_is_not_believed(void **state)
{
    fixture *f = *state;
    put(f->disk, f->cache, 3, 0);
    disk_flush(f->disk);
    assert_int_equal(each_file(f, boast, NULL, NULL), 1);
    assert_false(has(f, 3, 0));
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    assert_int_equal(counts.damaged, 1);
}

static void write_text(const fixture *f, const char *name, long age_s)
{
    char *path = hq_format("%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("somebody's", file);
    fclose(file);
    time_t then = time(NULL) - age_s;
    assert_int_equal(utime(path, &(struct utimbuf){then, then}), 0);
    free(path);
}

static bool is_there(const fixture *f, const char *name)
{
    char *path = hq_format("%s/%s", f->folder, name);
    bool answer = access(path, F_OK) == 0;
    free(path);
    return answer;
}

static void files_of_other_names_are_left_alone(void **state)
{
    fixture *f = *state;
    write_text(f, "thesis.tex", 1000000);
    write_text(f, "0123456789abcdef0123456789abcdef.hqcolumn0", 1000000);
    write_text(f, ".1-22.hqpart", 10);      /* another worker's, at this moment */
    write_text(f, ".1-33.hqpart", 1000000); /* of one that died */
    reopen(f, 60000);
    for (uint64_t i = 0; i < 100; i++)
        put(f->disk, f->cache, i, 0);
    disk_flush(f->disk);
    assert_true(is_there(f, "thesis.tex"));
    assert_true(is_there(f, "0123456789abcdef0123456789abcdef.hqcolumn0"));
    assert_true(is_there(f, ".1-22.hqpart"));
    assert_false(is_there(f, ".1-33.hqpart"));
}

static void the_limit_holds(void **state)
{
    fixture *f = *state;
    enum { FILES = 200, LIMIT = 100000 }; /* some 4,200 bytes each */
    uint64_t bytes;
    reopen(f, LIMIT);
    for (uint64_t i = 0; i < FILES; i++) {
        put(f->disk, f->cache, i, 0);
        disk_flush(f->disk);
        each_file(f, NULL, NULL, &bytes);
        assert_true(bytes <= LIMIT);
    }
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    size_t left = each_file(f, NULL, NULL, &bytes);
    assert_int_equal(counts.written, FILES);
    assert_int_equal(counts.evicted, FILES - left);
    assert_int_equal(counts.bytes, bytes);
    assert_in_range(left, 15, 24);
    reopen(f, 3000); /* none fits */
    put(f->disk, f->cache, 1000, 0);
    disk_flush(f->disk);
    assert_false(has(f, 1000, 0));
    disk_count(f->disk, &counts);
    assert_int_equal(counts.skipped, 1);
}

/* Columns used again and again in turn, more than fit: the oldest first would never have one. */
static void a_loop_longer_than_the_folder_has_its_share(void **state)
{
    fixture *f = *state;
    reopen(f, 30 * 4200);
    for (int round = 0; round < 12; round++)
        for (uint64_t i = 0; i < 60; i++)
            if (!has(f, i, 0)) {
                put(f->disk, f->cache, i, 0);
                disk_flush(f->disk);
            }
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    assert_true(counts.hits > 12 * 60 / 20);
}

static void who_is_too_far_behind_leaves_some_out(void **state)
{
    fixture *f = *state;
    hq_disk *slow = NULL;
    assert_int_equal(disk_open(f->folder, ROOM, 100, &slow, NULL), HQ_OK); /* no column may wait */
    put(slow, f->cache, 1, 0);
    hq_disk_counts counts;
    disk_count(slow, &counts);
    assert_int_equal(counts.skipped, 1);
    disk_close(&slow);
    assert_false(has(f, 1, 0));
}

static void a_folder_that_takes_no_more_is_no_error(void **state)
{
    fixture *f = *state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put(f->disk, f->cache, 1, 0);
    put(f->disk, f->cache, 2, 0);
    disk_flush(f->disk);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(has(f, 1, 0));
    assert_int_equal(each_file(f, NULL, NULL, NULL), 0); /* nothing half written either */
    hq_disk_counts counts;
    disk_count(f->disk, &counts);
    assert_int_equal(counts.skipped, 2);
    assert_int_equal(counts.written, 0);
}

static void a_folder_that_cannot_be_is_told(void **state)
{
    (void)state;
    hq_disk *disk = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(disk_open("/nowhere/at/all", ROOM, ROOM, &disk, &reason), HQ_EIO);
    assert_non_null(strstr(reason.text, "/nowhere/at/all"));
    assert_int_equal(disk_open("/dev/null", ROOM, ROOM, &disk, &reason), HQ_EIO);
    assert_null(disk);
}

typedef struct sharer {
    pthread_t thread;
    const char *folder;
    hq_cache *cache;
    uint64_t seed, wrong;
} sharer;

/* A worker of its own: writes and reads columns that others write, read and evict too. */
static void *share(void *argument)
{
    sharer *self = argument;
    hq_disk *disk = NULL;
    if (disk_open(self->folder, 100000, 64 << 20, &disk, NULL)) {
        self->wrong++;
        return NULL;
    }
    for (int i = 0; i < 400; i++) {
        self->seed = hash_mix(self->seed + 0x9e3779b97f4a7c15u);
        uint64_t number = self->seed % 60;
        hq_cache_key key = key_of(number);
        hq_column *column = disk_get(disk, &key, SIZE_MAX);
        if (column)
            self->wrong += ((const float *)column->values)[ENTRIES - 1] != (float)(number + ENTRIES - 1);
        else
            put(disk, self->cache, number, (unsigned)(number % 2));
        column_free(&column);
    }
    disk_flush(disk);
    hq_disk_counts counts;
    disk_count(disk, &counts);
    self->wrong += counts.damaged;
    disk_close(&disk);
    return NULL;
}

static void several_workers_share_a_folder(void **state)
{
    fixture *f = *state;
    sharer sharers[4];
    for (uint64_t i = 0; i < 4; i++) {
        sharers[i] = (sharer){.folder = f->folder, .cache = f->cache, .seed = i};
        assert_int_equal(pthread_create(&sharers[i].thread, NULL, share, &sharers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(sharers[i].thread, NULL);
        assert_int_equal(sharers[i].wrong, 0);
    }
    reopen(f, 100000);
    size_t found = 0;
    for (uint64_t i = 0; i < 60; i++)
        found += has(f, i, (unsigned)(i % 2));
    assert_int_equal(found, each_file(f, NULL, NULL, NULL));
    assert_true(found > 0);
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(columns_come_back_as_they_were),
        A_TEST(what_waits_is_written_before_the_end),
        A_TEST(what_is_damaged_is_deleted_and_counted),
        A_TEST(another_columns_file_is_none_of_it),
        A_TEST(what_another_version_of_the_reader_made_is_not_used),
        A_TEST(offsets_that_lead_astray_are_not_followed),
        A_TEST(a_head_that_speaks_of_more_than_there_is_is_not_believed),
        A_TEST(files_of_other_names_are_left_alone),
        A_TEST(the_limit_holds),
        A_TEST(what_cannot_be_deleted_makes_no_room),
        A_TEST(a_loop_longer_than_the_folder_has_its_share),
        A_TEST(who_is_too_far_behind_leaves_some_out),
        A_TEST(a_folder_that_takes_no_more_is_no_error),
        A_TEST(several_workers_share_a_folder),
        cmocka_unit_test(a_folder_that_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
