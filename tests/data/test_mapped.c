/* tests/data/test_mapped.c - files used in place: that they may become shorter meanwhile, and checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"
#include "data/checksum.h"
#include "data/decompress.h"
#include "data/mapped.h"
#include "data/ntuple_decode.h"
#include "data/rootfile.h"
#include "data/tree.h"
#include "data/values.h"

enum { BYTES = 1 << 20, SMALL = 100, ROUNDS = 20 };

static const char *const samples[] = {"uproot-HZZ.root", "uproot-HZZ-uncompressed.root"};
static const char ntuple_sample[] = "nano_dy_rntuple.root";

/* The handler that was there before hq's, and where it goes on. */
static sigjmp_buf outside;
static volatile sig_atomic_t seen;

static void on_bus(int signal)
{
    (void)signal;
    seen++;
    siglongjmp(outside, 1);
}

/* cmocka puts its own handler in place for each test. */
static void set_handlers(void)
{
    static struct sigaction with_hqs;
    if (with_hqs.sa_sigaction) {
        sigaction(SIGBUS, &with_hqs, NULL);
        return;
    }
    hq_source source;
    hq_reason reason;
    struct sigaction action = {.sa_handler = on_bus};
    sigaction(SIGBUS, &action, NULL);
    if (source_open_file("/proc/self/exe", &source, &reason) == HQ_OK)
        source_close(&source);
    sigaction(SIGBUS, NULL, &with_hqs);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static uint8_t *read_sample(const char *name, size_t *size_r)
{
    const char *folder = getenv(name == ntuple_sample ? "HQ_TWINS" : "HQ_SAMPLES");
    char *path = hq_format("%s/%s", folder ? folder : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: cannot open", path);
    fseek(file, 0, SEEK_END);
    *size_r = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = hq_alloc(*size_r);
    assert_int_equal(fread(bytes, 1, *size_r, file), *size_r);
    fclose(file);
    free(path);
    return bytes;
}

typedef struct scene {
    hq_source source;
    const uint8_t *bytes;
    uint64_t sum;
    off_t cut; /* to so many bytes in the middle of the work; negative: not */
} scene;

static void make_scene(scene *s)
{
    uint8_t *ones = hq_alloc(BYTES);
    hq_reason reason;
    memset(ones, 1, BYTES);
    write_file("ones", ones, BYTES);
    free(ones);
    *s = (scene){.cut = -1};
    assert_int_equal(source_open_file("ones", &s->source, &reason), HQ_OK);
    s->bytes = source_in_place(&s->source, 0, BYTES);
    if (!s->bytes) {
        source_close(&s->source);
        print_message("files of this folder's file system are not mapped\n");
        skip();
    }
}

static void add_up(void *context)
{
    scene *s = context;
    for (size_t i = 0; i < BYTES; i++) {
        if (i == BYTES / 4 && s->cut >= 0)
            assert_int_equal(truncate("ones", s->cut), 0);
        s->sum += s->bytes[i];
    }
}

static void test_work_ends_where_the_file_does(void **state)
{
    (void)state;
    set_handlers();
    scene s;
    hq_reason reason;
    make_scene(&s);
    assert_int_equal(source_use(&s.source, s.bytes, BYTES, add_up, &s, &reason), HQ_OK);
    assert_int_equal(s.sum, BYTES);
    source_rest(&s.source);
    assert_int_equal(source_use(&s.source, s.bytes, BYTES, add_up, &s, &reason), HQ_OK);
    assert_int_equal(s.sum, 2 * BYTES);
    assert_int_equal(source_used(&s.source, BYTES, BYTES, &reason), HQ_OK);
    s.sum = 0;
    s.cut = BYTES / 2;
    assert_int_equal(source_use(&s.source, s.bytes, BYTES, add_up, &s, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "ones: the file became shorter while it was read"));
    assert_non_null(strstr(reason.text, "524288"));
    assert_int_equal(s.sum, BYTES / 2);
    assert_int_equal(source_used(&s.source, BYTES, BYTES / 2, &reason), HQ_OK);
    assert_int_equal(source_used(&s.source, BYTES, BYTES / 2 + 1, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "became shorter"));
    source_close(&s.source);
}

/* Where a page is cut in its middle no signal comes, and zeros are read. */
static void test_a_cut_within_a_page_is_seen(void **state)
{
    (void)state;
    set_handlers();
    scene s;
    hq_reason reason;
    make_scene(&s);
    s.cut = BYTES - 1;
    assert_int_equal(source_use(&s.source, s.bytes, BYTES, add_up, &s, &reason), HQ_OK);
    assert_int_equal(s.sum, BYTES - 1);
    assert_int_equal(source_used(&s.source, BYTES, BYTES, &reason), HQ_EFORMAT);
    source_close(&s.source);
}

static void test_other_faults_are_not_caught(void **state)
{
    (void)state;
    set_handlers();
    scene s;
    hq_reason reason;
    make_scene(&s);
    const volatile uint8_t *bytes = s.bytes;
    s.cut = 0;
    assert_int_equal(source_use(&s.source, s.bytes, BYTES, add_up, &s, &reason), HQ_EFORMAT);
    seen = 0;
    if (sigsetjmp(outside, 1) == 0)
        s.sum += bytes[BYTES - 1];
    assert_int_equal(seen, 1);
    if (sigsetjmp(outside, 1) == 0)
        raise(SIGBUS);
    assert_int_equal(seen, 2);
    source_close(&s.source);
}

/* A process of its own, in which this was what SIGBUS did before a file was mapped; gives how it ended. */
static int end_of_child(void (*before)(int), bool is_sent)
{
    pid_t child = fork();
    if (child == 0) {
        hq_source source;
        hq_reason reason;
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGBUS, before);
        if (source_open_file("child", &source, &reason) != HQ_OK || !source.mapped)
            _exit(77);
        if (is_sent)
            raise(SIGBUS);
        else if (truncate("child", 0) == 0)
            _exit(1 + *(const volatile uint8_t *)mapped_bytes(source.mapped));
        _exit(0);
    }
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Before anything is mapped here. */
static void test_without_a_handler_all_is_as_ever(void **state)
{
    (void)state;
    static const struct {
        void (*before)(int);
        bool is_sent, is_end;
    } each[] = {{SIG_DFL, true, true}, {SIG_DFL, false, true}, {SIG_IGN, true, false}, {SIG_IGN, false, true}};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        write_file("child", "bytes", 5);
        int status = end_of_child(each[i].before, each[i].is_sent);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, each[i].is_end ? SIGBUS : 0);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
}

/* --- A tree whose file is cut under its readers --- */

typedef struct victim {
    const char *path;
    hq_file *file;
    hq_tree *tree;
    atomic_bool is_cut;
    atomic_int failures, others; /* of these, with another text */
} victim;

static void read_once(victim *v)
{
    const hq_schema *schema = tree_schema(v->tree);
    for (size_t i = 0; i < schema->count; i++) {
        hq_reason reason = {""};
        hq_column *column = NULL;
        hq_error error = tree_read(v->tree, schema->fields[i].name, 0, tree_entries(v->tree), SIZE_MAX / 2, &column,
                                   &reason);
        column_free(&column);
        if (!error)
            continue;
        v->failures++;
        if (error != HQ_EFORMAT || !strstr(reason.text, v->path))
            v->others++;
        else if (!strstr(reason.text, "became shorter while it was read"))
            v->others++;
    }
}

static void *keep_reading(void *context)
{
    victim *v = context;
    while (!v->is_cut)
        read_once(v);
    read_once(v);
    return NULL;
}

static void cut_under_readers(const char *sample, bool is_concurrent)
{
    size_t size, count;
    uint8_t *bytes = read_sample(sample, &size);
    hq_reason reason;
    hq_tree_name *names;
    victim v = {.path = "victim.root"};
    write_file(v.path, bytes, size);
    assert_int_equal(rootfile_open(v.path, &v.file, &reason), HQ_OK);
    assert_int_equal(rootfile_list(v.file, &names, &count, &reason), HQ_OK);
    assert_int_equal(tree_open(v.file, names[0].path, &v.tree, &reason), HQ_OK);
    read_once(&v);
    assert_int_equal(v.failures, 0);
    pthread_t threads[2];
    for (size_t i = 0; is_concurrent && i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &v), 0);
    assert_int_equal(truncate(v.path, 4096), 0);
    v.is_cut = true;
    for (size_t i = 0; is_concurrent && i < 2; i++)
        pthread_join(threads[i], NULL);
    read_once(&v);
    assert_true(v.failures > 0);
    assert_int_equal(v.others, 0);
    tree_close(&v.tree);
    rootfile_close(&v.file);
    tree_names_free(&names, count);
    free(bytes);
}

static void test_a_tree_that_is_cut(void **state)
{
    (void)state;
    set_handlers();
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        cut_under_readers(samples[i], false);
    cut_under_readers(ntuple_sample, false);
}

static void test_a_tree_that_is_cut_meanwhile(void **state)
{
    (void)state;
    set_handlers();
    for (size_t i = 0; i < ROUNDS; i++)
        cut_under_readers(i % 2 ? samples[0] : ntuple_sample, true);
}

/* --- A file that is cut in the middle of a decompressor's work, or another's ---
 *
 * The calls of those who read mapped bytes come here first (the linker's --wrap). */

static struct {
    const hq_file *file; /* NULL: no trap is set */
    const char *path;
    int left; /* calls before it */
} trap;

static void spring(const uint8_t *from, size_t size)
{
    const hq_source *source = trap.file ? &trap.file->source : NULL;
    uintptr_t begin = source && source->mapped ? (uintptr_t)mapped_bytes(source->mapped) : 0, at = (uintptr_t)from;
    if (begin == 0 || size == 0 || at < begin || at - begin >= source->size || trap.left-- > 0)
        return;
    trap.file = NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(truncate(trap.path, (off_t)((at - begin + size / 2) / page * page)), 0);
}

hq_error __real_inflater_run(hq_inflater *inflater, const uint8_t *record, size_t size, uint8_t *out, size_t out_size,
                             hq_reason *reason);
hq_error __wrap_inflater_run(hq_inflater *inflater, const uint8_t *record, size_t size, uint8_t *out, size_t out_size,
                             hq_reason *reason);
void __real_number_decode(const hq_number *number, void *to, const uint8_t *from, size_t count);
void __wrap_number_decode(const hq_number *number, void *to, const uint8_t *from, size_t count);
void __real_page_numbers(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first,
                         uint32_t count, hq_type type, bool is_past, void *values_r);
void __wrap_page_numbers(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first,
                         uint32_t count, hq_type type, bool is_past, void *values_r);

hq_error __wrap_inflater_run(hq_inflater *inflater, const uint8_t *record, size_t size, uint8_t *out, size_t out_size,
                             hq_reason *reason)
{
    spring(record, size);
    return __real_inflater_run(inflater, record, size, out, out_size, reason);
}

void __wrap_number_decode(const hq_number *number, void *to, const uint8_t *from, size_t count)
{
    spring(from, count * number->size);
    __real_number_decode(number, to, from, count);
}

void __wrap_page_numbers(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first,
                         uint32_t count, hq_type type, bool is_past, void *values_r)
{
    if (first == 0 && count == elements)
        spring(page, page_bytes(column, elements));
    __real_page_numbers(column, page, elements, first, count, type, is_past, values_r);
}

static void write_again(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static hq_column *read_whole(const hq_tree *tree, const char *name)
{
    hq_reason reason;
    hq_column *column = NULL;
    if (tree_read(tree, name, 0, tree_entries(tree), SIZE_MAX / 2, &column, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    tree_rest(tree); /* so that nothing is kept of an RNTuple's lists */
    return column;
}

/* Of each column one call is cut short, and the file is whole again afterwards; gives how many were. */
static size_t cut_each_column(const char *sample, int left)
{
    size_t size, count, cuts = 0;
    uint8_t *bytes = read_sample(sample, &size);
    hq_reason reason;
    hq_tree_name *names;
    hq_file *file;
    hq_tree *tree;
    trap.path = "trapped.root";
    write_file(trap.path, bytes, size);
    assert_int_equal(rootfile_open(trap.path, &file, &reason), HQ_OK);
    assert_int_equal(rootfile_list(file, &names, &count, &reason), HQ_OK);
    assert_int_equal(tree_open(file, names[0].path, &tree, &reason), HQ_OK);
    const hq_schema *schema = tree_schema(tree);
    for (size_t i = 0; file->source.mapped && i < schema->count; i++) {
        const char *name = schema->fields[i].name;
        hq_column *whole = read_whole(tree, name), *column = NULL;
        trap.file = file;
        trap.left = left;
        hq_error error = tree_read(tree, name, 0, tree_entries(tree), SIZE_MAX / 2, &column, &reason);
        bool is_cut = !trap.file;
        trap.file = NULL;
        assert_int_equal(error, is_cut ? HQ_EFORMAT : HQ_OK);
        if (is_cut) {
            assert_non_null(strstr(reason.text, "became shorter while it was read"));
            assert_non_null(strstr(reason.text, trap.path));
            assert_null(column);
            write_again(trap.path, bytes, size);
            column = read_whole(tree, name);
        }
        assert_int_equal(column->value_count, whole->value_count);
        assert_memory_equal(column->values, whole->values, whole->value_count * hq_type_size(whole->type));
        column_free(&column);
        column_free(&whole);
        cuts += is_cut;
    }
    bool is_mapped = file->source.mapped != NULL;
    tree_close(&tree);
    rootfile_close(&file);
    tree_names_free(&names, count);
    free(bytes);
    if (!is_mapped)
        skip();
    return cuts;
}

static void test_work_is_cut_in_its_middle(void **state)
{
    (void)state;
    static const char *const each[] = {"uproot-HZZ-zlib.root", "uproot-HZZ-lzma.root", "uproot-HZZ-lz4.root",
                                       "uproot-HZZ-zstd.root", "uproot-HZZ-uncompressed.root"};
    set_handlers();
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        assert_true(cut_each_column(each[i], 0) >= 30);
    assert_true(cut_each_column(ntuple_sample, 0) >= 30);
}

/* --- A file whose bytes change under its readers ---
 *
 * What has been checked may be something else when it is used. Then a column may be wrong, but never out of bounds. */

typedef struct scribbler {
    const uint8_t *bytes; /* as they should be */
    size_t size;
    int fd;
    atomic_bool is_over;
} scribbler;

static void *scribble(void *context)
{
    scribbler *s = context;
    for (uint32_t random = 1; !s->is_over;) {
        random = random * 1664525u + 1013904223u;
        off_t at = (off_t)(random % s->size);
        uint8_t wrong = (uint8_t)(s->bytes[at] ^ (uint8_t)(1u << (random >> 29)));
        if (pwrite(s->fd, &wrong, 1, at) != 1 || pwrite(s->fd, &s->bytes[at], 1, at) != 1)
            break;
    }
    return NULL;
}

static void check_column(const hq_column *column)
{
    uint64_t lists = column->entries;
    const uint32_t *offsets = column->offsets;
    for (uint32_t level = 0; offsets; level++) {
        bool is_last = level == column->inner_count;
        assert_int_equal(offsets[0], 0);
        for (uint64_t i = 0; i < lists; i++)
            assert_true(offsets[i] <= offsets[i + 1]);
        assert_int_equal(offsets[lists], is_last ? column->value_count : column->inner[level].count);
        lists = offsets[lists];
        offsets = is_last ? NULL : column->inner[level].offsets;
    }
}

static void scribble_under_reader(const char *sample)
{
    size_t size, count, rounds = 0, whole = 0;
    scribbler s = {.bytes = read_sample(sample, &size)};
    hq_reason reason;
    hq_tree_name *names;
    hq_file *file;
    hq_tree *tree;
    pthread_t thread;
    write_file("scribbled.root", s.bytes, size);
    assert_int_equal(rootfile_open("scribbled.root", &file, &reason), HQ_OK);
    assert_int_equal(rootfile_list(file, &names, &count, &reason), HQ_OK);
    assert_int_equal(tree_open(file, names[0].path, &tree, &reason), HQ_OK);
    s.size = size;
    s.fd = open("scribbled.root", O_WRONLY | O_CLOEXEC);
    assert_true(s.fd >= 0);
    assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
    const hq_schema *schema = tree_schema(tree);
    for (; rounds < ROUNDS / 4; rounds++)
        for (size_t i = 0; i < schema->count; i++) {
            hq_column *column = NULL;
            if (tree_read(tree, schema->fields[i].name, 0, tree_entries(tree), SIZE_MAX / 2, &column, &reason) != HQ_OK)
                continue;
            check_column(column);
            column_free(&column);
            whole++;
        }
    s.is_over = true;
    pthread_join(thread, NULL);
    assert_true(whole > 0);
    close(s.fd);
    tree_close(&tree);
    rootfile_close(&file);
    tree_names_free(&names, count);
    free((void *)s.bytes);
}

static void test_bytes_that_change_meanwhile(void **state)
{
    (void)state;
    static const char *const each[] = {"uproot-HZZ-zlib.root", "uproot-HZZ-lzma.root", "uproot-HZZ-lz4.root",
                                       "uproot-HZZ-zstd.root", "uproot-HZZ-uncompressed.root"};
    set_handlers();
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        scribble_under_reader(each[i]);
    scribble_under_reader(ntuple_sample);
}

/* What is not in the page cache is read by pread, and gives the same values. */
static void cold_as_warm(const char *sample)
{
    size_t size, count;
    uint8_t *bytes = read_sample(sample, &size);
    hq_reason reason;
    hq_tree_name *names;
    victim v = {.path = "cold.root"};
    write_file(v.path, bytes, size);
    int fd = open(v.path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fdatasync(fd), 0); /* what has not been written stays in the cache */
    assert_int_equal(rootfile_open(v.path, &v.file, &reason), HQ_OK);
    assert_int_equal(rootfile_list(v.file, &names, &count, &reason), HQ_OK);
    assert_int_equal(tree_open(v.file, names[0].path, &v.tree, &reason), HQ_OK);
    const hq_schema *schema = tree_schema(v.tree);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *columns[2] = {NULL, NULL};
        for (int j = 0; j < 2; j++) {
            tree_rest(v.tree); /* mapped pages stay in the cache, too */
            if (j == 0)
                assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
            assert_int_equal(
                tree_read(v.tree, schema->fields[i].name, 0, tree_entries(v.tree), SIZE_MAX / 2, &columns[j], &reason),
                HQ_OK);
        }
        size_t length = columns[0]->value_count * hq_type_size(columns[0]->type);
        assert_int_equal(columns[0]->value_count, columns[1]->value_count);
        assert_memory_equal(columns[0]->values, columns[1]->values, length);
        column_free(&columns[0]);
        column_free(&columns[1]);
    }
    close(fd);
    tree_close(&v.tree);
    rootfile_close(&v.file);
    tree_names_free(&names, count);
    free(bytes);
}

static void test_cold_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        cold_as_warm(samples[i]);
    cold_as_warm(ntuple_sample);
}

static void test_checksums(void **state)
{
    (void)state;
    enum { MOST = 20000 };
    uint8_t *bytes = hq_alloc(MOST + 8);
    for (uint32_t i = 0, random = 1; i < MOST + 8; i++)
        bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (size_t size = 0; size <= MOST; size += size < 300 ? 1 : 97) {
        const uint8_t *at = bytes + size % 8;
        assert_true(checksum_xxh64(at, size) == XXH64(at, size, 0));
        assert_true(checksum_xxh3(at, size) == XXH3_64bits(at, size));
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_handler_all_is_as_ever),
        cmocka_unit_test(test_work_ends_where_the_file_does),
        cmocka_unit_test(test_a_cut_within_a_page_is_seen),
        cmocka_unit_test(test_other_faults_are_not_caught),
        cmocka_unit_test(test_a_tree_that_is_cut),
        cmocka_unit_test(test_a_tree_that_is_cut_meanwhile),
        cmocka_unit_test(test_work_is_cut_in_its_middle),
        cmocka_unit_test(test_bytes_that_change_meanwhile),
        cmocka_unit_test(test_cold_files),
        cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
