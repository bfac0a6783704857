/* bench/columns_run.c - hq's reader over the columns of a file, and the decompressor alone over the same blocks, in
 * turn, on one thread.
 *
 *     columns_run FILE TREE ENTRIES ROUNDS [NAME...]
 *
 * Columns are read as a worker reads them: partition by partition, each of at least so many ENTRIES and cut at a border
 * of the tree, column by column. The program is linked so that the reader's calls of the decompressors' and checksums'
 * libraries come here first (the linker's --wrap): in one pass of its own the blocks are copied.
 *
 *   reader  all columns of the file, decoded, as hq gives them to its queries
 *   alone   the decompressor alone: the same calls over the copies of the blocks, from memory, one behind the other
 *           into a buffer as large as the largest column, again and again, without checksums and without anything round
 *           them; the bytes that no block holds (baskets and pages that are stored as they are, of a file without
 *           compression all) are copied into it likewise, from all over a quarter of a GiB
 *   parts   what no reader that copies gets round: the file's bytes read, a MiB at a time, then alone with the blocks'
 *           checksums
 *
 * The file is put out of the page cache and read once in the beginning, and read again before each measurement. Times
 * are of the thread, the system's part included. Prints one JSON document; bench/columns makes a table of it.
 */
#include <fcntl.h>
#include <libdeflate.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/memory.h"
#include "data/tree.h"

enum { MAX_ROUNDS = 1000, COPY_BYTES = 64 << 10, READ_BYTES = 1 << 20, POOL_BYTES = 256 << 20 };

typedef enum library_kind { LIB_LZ4, LIB_ZSTD, LIB_ZLIB } library_kind;

typedef struct block_copy {
    library_kind library;
    void *data;
    size_t size, true_size;
    bool has_xxh64, has_xxh3; /* checksums, over the block or what it stands in */
} block_copy;

typedef struct block_list {
    block_copy *list;
    size_t count, capacity;
    uint64_t size, true_size;
    const uint8_t *xxh64, *xxh3; /* where the last checksum's bytes begin, */
    size_t xxh3_size;            /* and how many they are */
    bool is_recording;
} block_list;

/* The wrapped functions get no context, so what they record into can be nothing but one for the process. */
static block_list recorded;

static void record(library_kind library, const void *data, size_t size, size_t true_size)
{
    if (!recorded.is_recording)
        return;
    HQ_GROW(recorded.list, recorded.count, recorded.capacity);
    block_copy *block = &recorded.list[recorded.count++];
    block->library = library;
    block->data = hq_alloc(size);
    block->size = size;
    block->true_size = true_size;
    memcpy(block->data, data, size);
    recorded.size += size;
    recorded.true_size += true_size;
    block->has_xxh64 = recorded.xxh64 == data;
    block->has_xxh3 = recorded.xxh3 && (const uint8_t *)data - recorded.xxh3 < (ptrdiff_t)recorded.xxh3_size;
}

/* The linker gives these names their meaning. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

int __real_LZ4_decompress_safe(const char *from, char *to, int size, int true_size);
size_t __real_ZSTD_decompressDCtx(ZSTD_DCtx *context, void *to, size_t true_size, const void *from, size_t size);
enum libdeflate_result __real_libdeflate_zlib_decompress(struct libdeflate_decompressor *context, const void *from,
                                                         size_t size, void *to, size_t true_size, size_t *size_r);

uint64_t __real_checksum_xxh64(const void *data, size_t size);
uint64_t __real_checksum_xxh3(const void *data, size_t size);

uint64_t __wrap_checksum_xxh64(const void *data, size_t size)
{
    recorded.xxh64 = data;
    return __real_checksum_xxh64(data, size);
}

uint64_t __wrap_checksum_xxh3(const void *data, size_t size)
{
    recorded.xxh3 = data;
    recorded.xxh64 = NULL;
    recorded.xxh3_size = size;
    return __real_checksum_xxh3(data, size);
}

int __wrap_LZ4_decompress_safe(const char *from, char *to, int size, int true_size)
{
    record(LIB_LZ4, from, (size_t)size, (size_t)true_size);
    return __real_LZ4_decompress_safe(from, to, size, true_size);
}

size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *context, void *to, size_t true_size, const void *from, size_t size)
{
    record(LIB_ZSTD, from, size, true_size);
    return __real_ZSTD_decompressDCtx(context, to, true_size, from, size);
}

enum libdeflate_result __wrap_libdeflate_zlib_decompress(struct libdeflate_decompressor *context, const void *from,
                                                         size_t size, void *to, size_t true_size, size_t *size_r)
{
    record(LIB_ZLIB, from, size, true_size);
    return __real_libdeflate_zlib_decompress(context, from, size, to, true_size, size_r);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "columns_run: %s: %s\n", what, why);
    exit(1);
}

/* Of this thread alone: the machine may be shared. */
static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

typedef struct read_plan {
    const char *path;
    hq_file *file;
    hq_tree *tree;
    const char **names;
    size_t name_count;
    uint64_t *borders; /* of partitions */
    size_t border_count;
    uint64_t bytes; /* of all columns, decompressed */
    size_t largest; /* of them */
} read_plan;

static void read_file(const char *path, void *buffer)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, buffer, READ_BYTES) > 0)
        ;
    if (fd >= 0)
        close(fd);
}

/* So that it is in the page cache as a file is that was read from a disk, however it was written: its pages are in
 * groups then, of which mapping one costs a fifth. */
static void bring_into_cache(const char *path, void *buffer)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        fdatasync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    read_file(path, buffer);
}

static uint64_t column_size(const hq_column *column)
{
    uint64_t bytes = column->value_count * hq_type_size(column->type);
    if (column->offsets)
        bytes += (column->entries + 1) * sizeof *column->offsets;
    for (uint32_t i = 0; i < column->inner_count; i++)
        bytes += (column->inner[i].count + 1) * sizeof(uint32_t);
    return bytes;
}

/* Reads everything once; gives the bytes of all columns. */
static uint64_t read_all(read_plan *subject)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i + 1 < subject->border_count; i++)
        for (size_t j = 0; j < subject->name_count; j++) {
            hq_reason reason = {0};
            hq_column *column = NULL;
            if (tree_read(subject->tree, subject->names[j], subject->borders[i], subject->borders[i + 1], SIZE_MAX,
                          &column, &reason) != HQ_OK)
                die(subject->names[j], reason.text);
            if (column_size(column) > subject->largest)
                subject->largest = column_size(column);
            bytes += column_size(column);
            column_free(&column);
        }
    return bytes;
}

/* What stands beside the reader. */
typedef struct comparison {
    uint8_t *to, *from; /* from has POOL_BYTES */
    size_t to_size;
    uint64_t stored; /* bytes that no block holds */
    ZSTD_DCtx *zstd;
    struct libdeflate_decompressor *zlib;
    uint64_t checksums; /* so that they are not optimised away */
} comparison;

static bool replay_block(comparison *beside, const block_copy *in, uint8_t *to)
{
    if (in->library == LIB_LZ4)
        return __real_LZ4_decompress_safe(in->data, (char *)to, (int)in->size, (int)in->true_size) ==
               (int)in->true_size;
    if (in->library == LIB_ZSTD)
        return __real_ZSTD_decompressDCtx(beside->zstd, to, in->true_size, in->data, in->size) == in->true_size;
    return __real_libdeflate_zlib_decompress(beside->zlib, in->data, in->size, to, in->true_size, NULL) ==
           LIBDEFLATE_SUCCESS;
}

/* All blocks, and the stored bytes. */
static void replay(comparison *beside, bool with_checksums)
{
    size_t at = 0;
    for (size_t i = 0; i < recorded.count; i++) {
        const block_copy *in = &recorded.list[i];
        if (with_checksums && in->has_xxh64)
            beside->checksums ^= XXH64(in->data, in->size, 0);
        if (with_checksums && in->has_xxh3)
            beside->checksums ^= XXH3_64bits(in->data, in->size);
        if (in->true_size > beside->to_size - at)
            at = 0;
        if (!replay_block(beside, in, beside->to + at))
            die("a recorded block", "cannot be decompressed again");
        at += in->true_size;
    }
    for (uint64_t done = 0; done < beside->stored; done += COPY_BYTES) {
        if (COPY_BYTES > beside->to_size - at)
            at = 0;
        memcpy(beside->to + at, beside->from + done % POOL_BYTES, COPY_BYTES);
        at += COPY_BYTES;
    }
}

static comparison make_comparison(uint64_t bytes, size_t largest)
{
    comparison beside = {.to_size = largest};
    for (size_t i = 0; i < recorded.count; i++)
        if (recorded.list[i].true_size > beside.to_size)
            beside.to_size = recorded.list[i].true_size;
    beside.to_size += COPY_BYTES;
    beside.stored = bytes > recorded.true_size ? bytes - recorded.true_size : 0;
    beside.to = hq_calloc(1, beside.to_size);
    beside.from = hq_alloc(POOL_BYTES);
    memset(beside.from, 1, POOL_BYTES); /* zeros that were never written all lie in one page */
    beside.zstd = ZSTD_createDCtx();
    beside.zlib = libdeflate_alloc_decompressor();
    return beside;
}

static void clear_comparison(comparison *beside)
{
    ZSTD_freeDCtx(beside->zstd);
    libdeflate_free_decompressor(beside->zlib);
    free(beside->to);
    free(beside->from);
}

static void open_subject(read_plan *subject, const char *tree, uint64_t entries, char **names, size_t name_count)
{
    hq_reason reason = {0};
    if (rootfile_open(subject->path, &subject->file, &reason) != HQ_OK ||
        tree_open(subject->file, tree, &subject->tree, &reason) != HQ_OK)
        die(subject->path, reason.text);
    const hq_schema *schema = tree_schema(subject->tree);
    subject->name_count = name_count ? name_count : schema->count;
    subject->names = hq_calloc(subject->name_count, sizeof *subject->names);
    for (size_t i = 0; i < subject->name_count; i++)
        subject->names[i] = name_count ? names[i] : schema->fields[i].name;
    uint64_t *all = NULL;
    size_t count = 0;
    tree_borders(subject->tree, &all, &count);
    subject->borders = hq_calloc(count + 1, sizeof *subject->borders);
    for (size_t i = 1; i < count; i++)
        if (all[i] - subject->borders[subject->border_count] >= entries || i + 1 == count)
            subject->borders[++subject->border_count] = all[i];
    subject->border_count++;
    free(all);
}

static int compare_times(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static void print_times(const char *name, int64_t *times_us, size_t count)
{
    qsort(times_us, count, sizeof *times_us, compare_times);
    printf(", \"%s\": {\"best_us\": %lld, \"median_us\": %lld, \"worst_us\": %lld}", name, (long long)times_us[0],
           (long long)times_us[count / 2], (long long)times_us[count - 1]);
}

static void print_plan(const read_plan *subject)
{
    printf("{\"entries\": %llu, \"columns\": %zu, \"partitions\": %zu, \"bytes\": %llu, \"blocks\": %zu, "
           "\"block_bytes\": %llu, \"block_true_bytes\": %llu",
           (unsigned long long)tree_entries(subject->tree), subject->name_count, subject->border_count - 1,
           (unsigned long long)subject->bytes, recorded.count, (unsigned long long)recorded.size,
           (unsigned long long)recorded.true_size);
    printf(", \"borders\": [");
    for (size_t i = 0; i < subject->border_count; i++)
        printf("%s%llu", i ? ", " : "", (unsigned long long)subject->borders[i]);
    printf("], \"names\": [");
    for (size_t i = 0; i < subject->name_count; i++)
        printf("%s\"%s\"", i ? ", " : "", subject->names[i]);
    printf("]");
}

static void measure(read_plan *subject, size_t rounds)
{
    int64_t reader_us[MAX_ROUNDS], alone_us[MAX_ROUNDS], parts_us[MAX_ROUNDS];
    uint8_t *buffer = hq_alloc(READ_BYTES);
    bring_into_cache(subject->path, buffer);
    recorded.is_recording = true;
    subject->bytes = read_all(subject);
    recorded.is_recording = false;
    comparison beside = make_comparison(subject->bytes, subject->largest);
    for (size_t i = 0; i < rounds; i++) {
        int64_t begun = cpu_us();
        replay(&beside, false);
        alone_us[i] = cpu_us() - begun;
        read_file(subject->path, buffer);
        begun = cpu_us();
        read_file(subject->path, buffer);
        replay(&beside, true);
        parts_us[i] = cpu_us() - begun;
        read_file(subject->path, buffer);
        begun = cpu_us();
        if (read_all(subject) != subject->bytes)
            die(subject->path, "gives other columns when read again");
        reader_us[i] = cpu_us() - begun;
    }
    print_plan(subject);
    print_times("reader", reader_us, rounds);
    print_times("alone", alone_us, rounds);
    print_times("parts", parts_us, rounds);
    printf("}\n");
    clear_comparison(&beside);
    free(buffer);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    if (rounds < 1 || rounds > MAX_ROUNDS)
        die("usage", "columns_run FILE TREE ENTRIES ROUNDS [NAME...]");
    hq_memory_reuse();
    read_plan subject = {.path = argv[1]};
    open_subject(&subject, argv[2], strtoull(argv[3], NULL, 10), argv + 5, (size_t)(argc - 5));
    measure(&subject, rounds);
    for (size_t i = 0; i < recorded.count; i++)
        free(recorded.list[i].data);
    free(recorded.list);
    free(subject.names);
    free(subject.borders);
    tree_close(&subject.tree);
    rootfile_close(&subject.file);
    return 0;
}
