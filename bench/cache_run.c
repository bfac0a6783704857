/* What a worker's cache of columns costs, and what reading ahead gains.
 *
 *     cache_run FILE:TREE QUERY ENTRIES ROUNDS READERS… [--disk FOLDER]
 *
 * For each number of READERS, in turn, ROUNDS times: a pool of one executor answers the whole query, partitions of
 * about so many ENTRIES, with nothing in memory (cold), then once more with all of it there (warm). With --disk also
 * with nothing in memory and all columns in that folder. Then what a look-up of a column that is there takes, for one
 * thread and for as many as there are cores at once. Prints one JSON document; bench/cache makes a table of it.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "worker/pool.h"

enum { LOOKUPS = 2000000, COLUMNS = 10, PARTITIONS = 1000, MOST_THREADS = 64, OPEN_FILES = 64 };
static const size_t MEMORY = (size_t)8 << 30;

typedef struct bench {
    hq_dataset *dataset;
    hq_message *query;
    const char *disk;
} bench;

static void die(const char *text)
{
    fprintf(stderr, "cache_run: %s\n", text);
    exit(1);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    char *text = hq_calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = 0;
    fclose(file);
    return text;
}

static hq_message *query_of(const char *text, const hq_dataset *dataset)
{
    hq_message *message = message_new(HQ_QUERY);
    hq_hash id = hash_random();
    message_put_int(message, "handle", 1);
    message_put_hash(message, "query", &id);
    message_put_text(message, "name", "bench");
    message_put_text(message, "text", text);
    message_put_int(message, "limit_ms", 0);
    hq_buffer schema = {0}, table = {0};
    schema_encode(dataset->schema, &schema);
    hq_file_entry *files = hq_calloc(dataset->file_count, sizeof *files);
    for (size_t i = 0; i < dataset->file_count; i++)
        files[i] = (hq_file_entry){dataset->files[i].path, dataset->files[i].tree, dataset->files[i].identity};
    file_table_encode(files, dataset->file_count, &table);
    free(files);
    message_add_payload(message, &schema);
    message_add_payload(message, &table);
    return message;
}

/* Of all threads, in seconds. */
static double cpu_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Seconds until all partitions are answered; no more than a worker's credit wait at a time. */
static double answer_all(hq_pool *pool, hq_task *task, const hq_dataset *dataset, size_t credit)
{
    size_t given = 0, done = 0;
    int64_t begin_us = hq_now_us();
    while (done < dataset->partition_count) {
        for (; given < dataset->partition_count && given - done < credit; given++) {
            const hq_partition *p = &dataset->partitions[given];
            pool_give(pool, &(hq_assigned){task_hold(task), {1, (uint32_t)given, p->file, p->first, p->last}, 0}, 1);
        }
        struct pollfd item = {pool_fd(pool), POLLIN, 0};
        poll(&item, 1, 60000);
        for (hq_batch *batch; (batch = pool_take(pool)); batch_free(&batch)) {
            done += batch->orders;
            hq_cursor answers = cursor_over(batch->answers.bytes, batch->answers.size);
            hq_cursor contents = cursor_over(batch->contents.bytes, batch->contents.size);
            for (hq_answer answer; answer_next(&answers, &contents, &answer);)
                if (answer.is_failed)
                    die("a subtask failed");
        }
    }
    return (double)(hq_now_us() - begin_us) / 1e6;
}

static void run(const bench *b, size_t readers, bool has_disk)
{
    hq_reason reason = {{0}};
    hq_cache *cache = cache_new(MEMORY);
    hq_files *files = files_new(OPEN_FILES, NULL);
    hq_disk *disk = NULL;
    hq_task *task = NULL;
    if (task_new(b->query, NULL, &task, &reason) ||
        (has_disk && disk_open(b->disk, UINT64_MAX / 2, MEMORY, &disk, &reason)))
        die(reason.text);
    hq_pool *pool = pool_new(1, readers, MEMORY / 8, cache, files, disk);
    double cpu = cpu_now(), cold = answer_all(pool, task, b->dataset, 2 + readers);
    cpu = cpu_now() - cpu;
    double warm = answer_all(pool, task, b->dataset, 2 + readers);
    hq_cache_counts counts;
    hq_disk_counts on_disk = {0};
    cache_count(cache, &counts);
    if (disk)
        disk_count(disk, &on_disk);
    printf("{\"readers\": %zu, \"disk_hits\": %llu, \"cold_s\": %.4f, \"cold_cpu_s\": %.4f, \"warm_s\": %.4f, "
           "\"misses\": %llu, \"ahead\": "
           "%llu, \"bytes\": %llu},\n",
           readers, (unsigned long long)on_disk.hits, cold, cpu, warm, (unsigned long long)counts.misses,
           (unsigned long long)counts.ahead_used, (unsigned long long)counts.bytes);
    task_release(&task);
    pool_free(&pool);
    files_free(&files);
    disk_close(&disk);
    cache_free(&cache);
}

/* --- look-ups --- */

static hq_cache_key key_of(size_t partition, size_t column)
{
    static const char *const names[COLUMNS] = {"Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge",
                                               "Jet_pt",  "Jet_eta",  "Jet_btag", "MET_pt",    "MET_phi"};
    hq_cache_key key = {.tree = "Events", .column = names[column], .first = partition * 100000};
    key.last = key.first + 100000;
    memset(&key.file, 42, sizeof key.file);
    return key;
}

static void load_small(void *context, hq_cache_want *const *wants, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        wants[i]->column = column_new(HQ_FLOAT32, 10, 10, false, SIZE_MAX / 2);
}

/* As an executor: all columns of a partition, pinned and given back. */
static void *look_up(void *context)
{
    hq_cache *cache = context;
    hq_cache_want wants[COLUMNS];
    for (size_t i = 0; i < LOOKUPS / COLUMNS; i++) {
        for (size_t c = 0; c < COLUMNS; c++)
            wants[c].key = key_of(i * 7919 % PARTITIONS, c);
        cache_get(cache, wants, COLUMNS, load_small, NULL, NULL);
        for (size_t c = 0; c < COLUMNS; c++)
            cache_release(cache, &wants[c].entry);
    }
    return NULL;
}

static double time_look_ups(hq_cache *cache, size_t threads)
{
    pthread_t ids[MOST_THREADS];
    int64_t begin_us = hq_now_us();
    for (size_t i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, look_up, cache);
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return (double)(hq_now_us() - begin_us) * 1e3 / LOOKUPS;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        die("FILE:TREE QUERY ENTRIES ROUNDS READERS... [--disk FOLDER]");
    hq_memory_reuse();
    bench b = {0};
    hq_reason reason = {{0}};
    if (dataset_plan((const char *const *)&argv[1], 1, strtoull(argv[3], NULL, 10), &b.dataset, &reason))
        die(reason.text);
    if (strcmp(argv[argc - 2], "--disk") == 0) {
        b.disk = argv[argc - 1];
        argc -= 2;
    }
    char *text = read_text(argv[2]);
    b.query = query_of(text, b.dataset);
    printf("{\"partitions\": %zu, \"entries\": %llu, \"runs\": [\n", b.dataset->partition_count,
           (unsigned long long)b.dataset->entries);
    for (int round = 0; round < atoi(argv[4]); round++)
        for (int i = 5; i < argc; i++) {
            run(&b, strtoull(argv[i], NULL, 10), false);
            if (b.disk && round == 0 && i == 5)
                run(&b, strtoull(argv[i], NULL, 10), true); /* fills the folder */
            if (b.disk)
                run(&b, strtoull(argv[i], NULL, 10), true);
        }
    hq_cache *cache = cache_new(MEMORY);
    look_up(cache); /* loads all */
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = cores < 1 ? 1 : cores > MOST_THREADS ? MOST_THREADS : (size_t)cores;
    double alone = 1e9, together = 1e9;
    for (int round = 0; round < 3; round++) {
        double ns = time_look_ups(cache, 1);
        alone = ns < alone ? ns : alone;
        ns = time_look_ups(cache, threads);
        together = ns < together ? ns : together;
    }
    printf("{}], \"lookup_ns\": %.1f, \"lookup_threads\": %zu, \"lookup_ns_together\": %.1f}\n", alone, threads,
           together);
    cache_free(&cache);
    message_free(&b.query);
    dataset_free(&b.dataset);
    free(text);
    return 0;
}
