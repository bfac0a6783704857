/* The trees a worker keeps open: found again, checked for their identity, closed when they are too many. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "worker/files.h"

enum { SAMPLES = 4 };
static const char *const names[SAMPLES] = {"uproot-Zmumu.root", "uproot-Zmumu-zlib.root", "uproot-Zmumu-lz4.root",
                                           "uproot-Zmumu-zstd.root"};
static char *paths[SAMPLES];
static hq_hash identities[SAMPLES];

/* How many descriptors of this process are open on that file. */
static int open_count(const char *path)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char link[300], target[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = 0;
        count += strcmp(target, path) == 0;
    }
    closedir(dir);
    return count;
}

static hq_open_tree *get(hq_files *files, int sample)
{
    hq_open_tree *open = NULL;
    hq_reason reason = {{0}};
    if (files_get(files, paths[sample], "events", &identities[sample], &open, &reason))
        fail_msg("%s", reason.text);
    assert_int_equal(tree_entries(files_tree(open)), 2304);
    return open;
}

static void a_tree_is_opened_once_and_stays_open(void **state)
{
    (void)state;
    hq_files *files = files_new(4, NULL);
    hq_open_tree *one = get(files, 0), *again = get(files, 0);
    assert_ptr_equal(one, again);
    assert_int_equal(open_count(paths[0]), 1);
    files_release(files, &one);
    assert_null(one);
    files_release(files, &again);
    assert_int_equal(open_count(paths[0]), 1);
    again = get(files, 0);
    assert_int_equal(open_count(paths[0]), 1);
    files_release(files, &again);
    files_free(&files);
    assert_null(files);
    assert_int_equal(open_count(paths[0]), 0);
    files_free(&files);
}

static void the_one_unused_longest_is_closed_first(void **state)
{
    (void)state;
    hq_files *files = files_new(2, NULL);
    for (int i = 0; i < 2; i++) {
        hq_open_tree *open = get(files, i);
        files_release(files, &open);
    }
    hq_open_tree *first = get(files, 0); /* now 1 is the oldest */
    files_release(files, &first);
    hq_open_tree *third = get(files, 2);
    assert_int_equal(open_count(paths[0]), 1);
    assert_int_equal(open_count(paths[1]), 0);
    assert_int_equal(open_count(paths[2]), 1);
    files_release(files, &third);
    files_free(&files);
}

static void what_is_in_use_stays_whatever_the_limit(void **state)
{
    (void)state;
    hq_files *files = files_new(1, NULL);
    hq_open_tree *open[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        open[i] = get(files, i);
    for (int i = 0; i < SAMPLES; i++)
        assert_int_equal(open_count(paths[i]), 1);
    for (int i = 0; i < SAMPLES; i++) {
        files_release(files, &open[i]);
        assert_int_equal(open_count(paths[i]), i == SAMPLES - 1); /* closed as soon as nobody needs it */
    }
    files_free(&files);
    files = files_new(0, NULL);
    open[0] = get(files, 0);
    files_release(files, &open[0]);
    assert_int_equal(open_count(paths[0]), 0);
    files_free(&files);
}

static void a_file_that_is_another_one_is_a_mismatch(void **state)
{
    (void)state;
    hq_files *files = files_new(4, NULL);
    hq_open_tree *open = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(files_get(files, paths[0], "events", &identities[1], &open, &reason), HQ_EMISMATCH);
    assert_non_null(strstr(reason.text, paths[0]));
    assert_null(open);
    assert_int_equal(open_count(paths[0]), 0);
    open = get(files, 0); /* the right one is there all the same */
    hq_open_tree *wrong = NULL;
    assert_int_equal(files_get(files, paths[0], "events", &identities[1], &wrong, &reason), HQ_EMISMATCH);
    files_release(files, &open);
    files_free(&files);
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    hq_files *files = files_new(4, NULL);
    hq_open_tree *open = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(files_get(files, "/nowhere.root", "events", &identities[0], &open, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "/nowhere.root"));
    assert_int_equal(files_get(files, paths[0], "nonsense", &identities[0], &open, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "nonsense"));
    assert_int_equal(files_get(files, "/dev/null", "events", &identities[0], &open, &reason), HQ_EFORMAT);
    assert_null(open);
    assert_int_equal(open_count(paths[0]), 0); /* nothing is left open after a failure */
    files_free(&files);
}

typedef struct opener {
    pthread_t thread;
    hq_files *files;
    const char *path;
    pthread_barrier_t *begin;
    hq_open_tree *open;
    hq_error error;
    hq_reason reason;
} opener;

static void *open_at_once(void *context)
{
    opener *o = context;
    pthread_barrier_wait(o->begin);
    o->error = files_get(o->files, o->path, "events", &identities[0], &o->open, &o->reason);
    return NULL;
}

static void who_comes_at_once_shares_one_opening(void **state)
{
    (void)state;
    enum { OPENERS = 8, ROUNDS = 50 };
    pthread_barrier_t begin;
    pthread_barrier_init(&begin, NULL, OPENERS);
    for (int round = 0; round < ROUNDS; round++) {
        bool is_there = round % 2 == 0;
        hq_files *files = files_new(4, NULL);
        opener openers[OPENERS];
        for (int i = 0; i < OPENERS; i++) {
            openers[i] = (opener){.files = files, .path = is_there ? paths[0] : "/nowhere.root", .begin = &begin};
            assert_int_equal(pthread_create(&openers[i].thread, NULL, open_at_once, &openers[i]), 0);
        }
        for (int i = 0; i < OPENERS; i++)
            pthread_join(openers[i].thread, NULL);
        assert_int_equal(open_count(paths[0]), is_there);
        for (int i = 0; i < OPENERS; i++) {
            assert_int_equal(openers[i].error, is_there ? HQ_OK : HQ_ENOTFOUND);
            if (is_there) {
                assert_ptr_equal(openers[i].open, openers[0].open);
            } else {
                assert_non_null(strstr(openers[i].reason.text, "/nowhere.root"));
            }
        }
        for (int i = 0; i < OPENERS && is_there; i++)
            files_release(files, &openers[i].open);
        files_free(&files);
    }
    pthread_barrier_destroy(&begin);
}

static void *use_many(void *context)
{
    hq_files *files = context;
    uint64_t random = (uint64_t)pthread_self();
    for (int i = 0; i < 150; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int sample = (int)((random >> 40) % SAMPLES);
        hq_open_tree *open = NULL;
        hq_column *column = NULL;
        hq_reason reason = {{0}};
        if (files_get(files, paths[sample], "events", &identities[sample], &open, &reason) ||
            tree_read(files_tree(open), "M", 0, 10, 1 << 20, &column, &reason))
            return context;
        column_free(&column);
        files_release(files, &open);
    }
    return NULL;
}

static void executors_share_them(void **state)
{
    (void)state;
    hq_files *files = files_new(2, NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, files), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    int count = 0;
    for (int i = 0; i < SAMPLES; i++)
        count += open_count(paths[i]);
    assert_in_range(count, 1, 2);
    files_free(&files);
}

/* An RNTuple, under several names, so that it is several files. */
static hq_open_tree *get_twin(hq_files *files, const char *name)
{
    hq_file *file = NULL;
    hq_open_tree *open = NULL;
    hq_reason reason = {{0}};
    if (rootfile_open(name, &file, &reason))
        fail_msg("%s", reason.text);
    hq_hash identity = rootfile_identity(file);
    rootfile_close(&file);
    if (files_get(files, name, "Events", &identity, &open, &reason))
        fail_msg("%s", reason.text);
    return open;
}

static void read_muons(hq_open_tree *open)
{
    hq_column *column = NULL;
    hq_reason reason = {{0}};
    const hq_tree *tree = files_tree(open);
    if (tree_read(tree, "Muon_pt", 0, tree_entries(tree), 1 << 30, &column, &reason))
        fail_msg("%s", reason.text);
    column_free(&column);
}

static void what_is_open_and_unused_keeps_little(void **state)
{
    (void)state;
    enum { TWINS = 3 * FILES_AWAKE };
    hq_files *files = files_new(TWINS, NULL);
    hq_open_tree *open[TWINS], *held = NULL;
    const hq_tree *trees[TWINS]; /* all stay open */
    for (int i = 0; i < TWINS; i++) {
        char name[32];
        snprintf(name, sizeof name, "twin%d.root", i);
        unlink(name);
        assert_int_equal(symlink(getenv("HQ_TWIN"), name), 0);
        open[i] = get_twin(files, name);
        read_muons(open[i]);
        trees[i] = files_tree(open[i]);
        assert_true(tree_kept_bytes(trees[i]) > 0);
        if (i == 0)
            held = open[i];
        else
            files_release(files, &open[i]);
    }
    int awake = 0;
    for (int i = 1; i < TWINS; i++)
        awake += tree_kept_bytes(trees[i]) > 0;
    assert_int_equal(awake, FILES_AWAKE);
    assert_true(tree_kept_bytes(trees[0]) > 0); /* in use all the while */
    files_release(files, &held);
    assert_int_equal(tree_kept_bytes(trees[0]), 0);
    open[1] = get_twin(files, "twin1.root"); /* comes to life again */
    assert_ptr_equal(files_tree(open[1]), trees[1]);
    read_muons(open[1]);
    files_release(files, &open[1]);
    assert_true(tree_kept_bytes(trees[1]) > 0);
    files_free(&files);
}

static int find_samples(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        char *path = hq_format("%s/%s", getenv("HQ_SAMPLES"), names[i]);
        paths[i] = realpath(path, NULL); /* as /proc/self/fd shows it */
        free(path);
        hq_file *file = NULL;
        hq_reason reason = {{0}};
        if (!paths[i] || rootfile_open(paths[i], &file, &reason)) {
            print_error("%s\n", reason.text);
            return -1;
        }
        identities[i] = rootfile_identity(file);
        rootfile_close(&file);
    }
    return 0;
}

static int forget_samples(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        free(paths[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_opened_once_and_stays_open),
        cmocka_unit_test(the_one_unused_longest_is_closed_first),
        cmocka_unit_test(what_is_in_use_stays_whatever_the_limit),
        cmocka_unit_test(a_file_that_is_another_one_is_a_mismatch),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(who_comes_at_once_shares_one_opening),
        cmocka_unit_test(executors_share_them),
        cmocka_unit_test(what_is_open_and_unused_keeps_little),
    };
    return cmocka_run_group_tests(tests, find_samples, forget_samples);
}
