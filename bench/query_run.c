/* bench/query_run.c - queries as hq compiles them and as hand-written C, in turn, over columns in memory, on one
 * thread.
 *
 *     query_run FILE TREE ROUNDS QUERIES [NAME...]
 *
 * FILE is NanoAOD-like: MET_pt, MET_phi and the collections Jet, Muon and Electron; its columns are read by hq's own
 * reader. QUERIES is the folder of NAME.py. Each query also runs from the file, as a worker does: partition by
 * partition its columns are read and looped over, the file being in the page cache. Prints one JSON document;
 * bench/query makes a table of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/tree.h"
#include "query/code.h"
#include "query_c.h"

enum {
    MAX_COLUMNS = 32,
    MAX_ROUNDS = 1000,
    COMPILATIONS = 15,
    FILE_ROUNDS = 5,    /* from the file, at most */
    PARTITION = 200000, /* entries, at least */
    READ_BYTES = 1 << 20,
};

/* Of this thread alone: the machine may be shared. */
static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

typedef struct loaded {
    const char *path;
    hq_tree *tree;
    uint64_t *borders; /* of partitions */
    size_t border_count;
    hq_column *columns[MAX_COLUMNS]; /* each read once, when it is first asked for */
    const char *names[MAX_COLUMNS];
    size_t count;
} loaded;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "query_run: %s: %s\n", what, why);
    exit(1);
}

static const hq_column *column_of(loaded *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->names[i], name) == 0)
            return table->columns[i];
    if (table->count == MAX_COLUMNS)
        die(name, "too many columns");
    hq_reason reason = {0};
    hq_column *column = NULL;
    if (tree_read(table->tree, name, 0, tree_entries(table->tree), SIZE_MAX, &column, &reason) != HQ_OK)
        die(name, reason.text);
    table->names[table->count] = hq_strdup(name);
    table->columns[table->count++] = column;
    return column;
}

static const void *values_of(loaded *table, const char *collection, const char *member, hq_type type)
{
    char *name = hq_format("%s_%s", collection, member);
    const hq_column *column = column_of(table, name);
    if (column->type != type)
        die(name, "is not of the type that the hand-written C reads");
    free(name);
    return column->values;
}

static query_objects objects_of(loaded *table, const char *collection, bool is_lepton)
{
    query_objects objects = {
        .pt = values_of(table, collection, "pt", HQ_FLOAT32),
        .eta = values_of(table, collection, "eta", HQ_FLOAT32),
        .phi = values_of(table, collection, "phi", HQ_FLOAT32),
        .mass = values_of(table, collection, "mass", HQ_FLOAT32),
    };
    if (is_lepton)
        objects.charge = values_of(table, collection, "charge", HQ_INT32);
    else
        objects.btag = values_of(table, collection, "btag", HQ_FLOAT32);
    char *name = hq_format("%s_pt", collection);
    objects.offsets = column_of(table, name)->offsets;
    free(name);
    return objects;
}

static query_events events_of(loaded *table)
{
    return (query_events){
        .count = tree_entries(table->tree),
        .met_pt = values_of(table, "MET", "pt", HQ_FLOAT32),
        .met_phi = values_of(table, "MET", "phi", HQ_FLOAT32),
        .jets = objects_of(table, "Jet", false),
        .muons = objects_of(table, "Muon", true),
        .electrons = objects_of(table, "Electron", true),
    };
}

/* The whole text of a file. The caller frees it. */
static char *text_of(const char *path, size_t *length_r)
{
    FILE *file = fopen(path, "r");
    if (!file)
        die(path, "cannot be read");
    char *text = hq_calloc(1, HQ_MAX_TEXT + 1);
    *length_r = fread(text, 1, HQ_MAX_TEXT, file);
    fclose(file);
    return text;
}

static int compare_times(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static void print_times(const char *name, int64_t *times_us, size_t count)
{
    qsort(times_us, count, sizeof *times_us, compare_times);
    printf(",\n     \"%s\": {\"best_us\": %lld, \"median_us\": %lld, \"worst_us\": %lld}", name, (long long)times_us[0],
           (long long)times_us[count / 2], (long long)times_us[count - 1]);
}

typedef struct compiled {
    hq_program *program;
    hq_code *code;
    int64_t
        compile_us[COMPILATIONS]; /* from text to machine code; the first is the process's first for the first query */
} compiled;

static void compile(compiled *subject, const char *path, const hq_schema *schema)
{
    size_t length = 0;
    char *text = text_of(path, &length);
    for (size_t i = 0; i < COMPILATIONS; i++) {
        code_free(&subject->code);
        program_free(&subject->program);
        hq_complaint complaint;
        hq_reason reason = {0};
        int64_t begun = cpu_us();
        if (program_parse(text, length, schema, &subject->program, &complaint) != HQ_OK)
            die(path, complaint.message);
        if (code_compile(subject->program, &subject->code, &reason) != HQ_OK)
            die(path, reason.text);
        subject->compile_us[i] = cpu_us() - begun;
    }
    free(text);
}

static void find_partitions(loaded *table)
{
    uint64_t *all = NULL;
    size_t count = 0;
    tree_borders(table->tree, &all, &count);
    table->borders = hq_calloc(count + 1, sizeof *table->borders);
    for (size_t i = 1; i < count; i++)
        if (all[i] - table->borders[table->border_count] >= PARTITION || i + 1 == count)
            table->borders[++table->border_count] = all[i];
    table->border_count++;
    free(all);
}

/* So that it is in the page cache. */
static void read_file(const char *path)
{
    void *buffer = hq_alloc(READ_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, buffer, READ_BYTES) > 0)
        ;
    if (fd >= 0)
        close(fd);
    free(buffer);
}

/* Reads one partition's columns and loops over them; gives what the reading took. */
static int64_t run_partition(const compiled *subject, const loaded *table, size_t number, hq_histset *hists)
{
    uint64_t first = table->borders[number], last = table->borders[number + 1];
    size_t count = program_column_count(subject->program);
    hq_column *columns[MAX_COLUMNS] = {0};
    hq_reason reason = {0};
    int64_t begun = cpu_us();
    for (size_t i = 0; i < count; i++)
        if (tree_read(table->tree, program_column(subject->program, i)->name, first, last, SIZE_MAX, &columns[i],
                      &reason) != HQ_OK)
            die("reading a column", reason.text);
    int64_t read_us = cpu_us() - begun;
    hq_run run = {.columns = (const hq_column *const *)columns, .entries = last - first};
    if (code_run(subject->code, &run, hists, &reason) != HQ_OK)
        die("running the query", reason.text);
    for (size_t i = 0; i < count; i++)
        column_free(&columns[i]);
    return read_us;
}

/* From the file to the histograms. */
static int64_t run_from_file(const compiled *subject, const loaded *table, hq_histset *hists, int64_t *read_us_r)
{
    read_file(table->path);
    histset_reset(hists);
    *read_us_r = 0;
    int64_t begun = cpu_us();
    for (size_t i = 0; i + 1 < table->border_count; i++)
        *read_us_r += run_partition(subject, table, i, hists);
    return cpu_us() - begun;
}

static int64_t run_hq(const compiled *subject, loaded *table, hq_histset *hists)
{
    const hq_column *columns[MAX_COLUMNS];
    for (size_t i = 0; i < program_column_count(subject->program); i++)
        columns[i] = column_of(table, program_column(subject->program, i)->name);
    hq_run run = {.columns = columns, .entries = tree_entries(table->tree)};
    hq_reason reason = {0};
    histset_reset(hists);
    int64_t begun = cpu_us();
    if (code_run(subject->code, &run, hists, &reason) != HQ_OK)
        die("running the query", reason.text);
    return cpu_us() - begun;
}

/* How many fills lie in other bins; -1 if the histograms are not even of one shape. */
static int64_t count_differences(const hq_histset *hists, const query_by_hand *by_hand,
                                 int64_t (*counts)[QUERY_BINS + 2], int64_t *fills_r)
{
    int64_t differences = 0;
    *fills_r = 0;
    if (hists->count != by_hand->hist_count)
        return -1;
    for (size_t h = 0; h < hists->count; h++) {
        const int64_t *bins = hist_bins_const(hists->hists[h]);
        if (hist_size(hists->hists[h]) != QUERY_BINS + 2 || hist_storage(hists->hists[h]) != HQ_COUNT)
            return -1;
        for (size_t i = 0; i < QUERY_BINS + 2; i++) {
            differences += llabs(bins[i] - counts[h][i]);
            *fills_r += bins[i];
        }
    }
    return differences;
}

static void measure(const query_by_hand *by_hand, const char *folder, loaded *table, const query_events *events,
                    size_t rounds, bool is_first)
{
    char *path = hq_format("%s/%s.py", folder, by_hand->name);
    compiled subject = {0};
    compile(&subject, path, tree_schema(table->tree));
    hq_histset *hists = program_new_hists(subject.program);
    int64_t counts[QUERY_MAX_HISTS][QUERY_BINS + 2];
    int64_t hq_us[MAX_ROUNDS], c_us[MAX_ROUNDS];
    run_hq(&subject, table, hists); /* the columns are read, and warm */
    for (size_t i = 0; i < rounds; i++) {
        memset(counts, 0, sizeof counts);
        int64_t begun = cpu_us();
        by_hand->run(events, counts);
        c_us[i] = cpu_us() - begun;
        hq_us[i] = run_hq(&subject, table, hists);
    }
    int64_t fills = 0;
    int64_t differences = count_differences(hists, by_hand, counts, &fills);
    int64_t file_us[FILE_ROUNDS], read_us[FILE_ROUNDS];
    size_t file_rounds = rounds < FILE_ROUNDS ? rounds : FILE_ROUNDS;
    for (size_t i = 0; i < file_rounds; i++)
        file_us[i] = run_from_file(&subject, table, hists, &read_us[i]);
    int64_t file_differences = count_differences(hists, by_hand, counts, &fills);
    printf("%s\n    {\"name\": \"%s\", \"what\": \"%s\", \"fills\": %lld, \"differences\": %lld", is_first ? "" : ",",
           by_hand->name, by_hand->what, (long long)fills, (long long)differences);
    print_times("compile", subject.compile_us, COMPILATIONS);
    print_times("hq", hq_us, rounds);
    print_times("c", c_us, rounds);
    print_times("file", file_us, file_rounds);
    print_times("file_read", read_us, file_rounds);
    printf(",\n     \"file_differences\": %lld, \"columns\": [", (long long)file_differences);
    for (size_t i = 0; i < program_column_count(subject.program); i++)
        printf("%s\"%s\"", i ? ", " : "", program_column(subject.program, i)->name);
    printf("]}");
    fflush(stdout);
    histset_free(&hists);
    code_free(&subject.code);
    program_free(&subject.program);
    free(path);
}

static bool is_wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (rounds < 1 || rounds > MAX_ROUNDS)
        die("usage", "query_run FILE TREE ROUNDS QUERIES [NAME...]");
    hq_memory_reuse();
    hq_reason reason = {0};
    hq_file *file = NULL;
    loaded table = {.path = argv[1]};
    if (rootfile_open(argv[1], &file, &reason) != HQ_OK || tree_open(file, argv[2], &table.tree, &reason) != HQ_OK)
        die(argv[1], reason.text);
    find_partitions(&table);
    query_events events = events_of(&table);
    printf("{\"events\": %zu, \"jets\": %u, \"muons\": %u, \"electrons\": %u, \"rounds\": %zu,\n \"queries\": [",
           events.count, events.jets.offsets[events.count], events.muons.offsets[events.count],
           events.electrons.offsets[events.count], rounds);
    bool is_first = true;
    for (size_t i = 0; i < QUERY_BY_HAND_COUNT; i++)
        if (is_wanted(QUERIES_BY_HAND[i].name, argv + 5, argc - 5)) {
            measure(&QUERIES_BY_HAND[i], argv[4], &table, &events, rounds, is_first);
            is_first = false;
        }
    printf("\n]}\n");
    for (size_t i = 0; i < table.count; i++) {
        column_free(&table.columns[i]);
        free((char *)table.names[i]);
    }
    free(table.borders);
    tree_close(&table.tree);
    rootfile_close(&file);
    return 0;
}
