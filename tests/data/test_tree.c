/* tests/data/test_tree.c - the reader on wrong, damaged and cut-off files, and at its limits.
 *
 * The values themselves are conformance.py's to compare. Samples are read from HQ_SAMPLES.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "data/collections.h"
#include "data/decompress.h"
#include "data/rootfile.h"

enum { MEMORY_LIMIT = 64 << 20 };

typedef struct image {
    uint8_t *bytes;
    size_t size;
} image;

static char *sample_path(const char *name)
{
    const char *folder = getenv("HQ_SAMPLES");
    char *path = hq_format("%s/%s", folder ? folder : ".", name);
    if (access(path, R_OK) != 0)
        fail_msg("%s is not there: scripts/setup fetches it", path);
    return path;
}

static image load_sample(const char *name)
{
    char *path = sample_path(name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    image loaded = {0};
    fseek(file, 0, SEEK_END);
    loaded.size = (size_t)ftell(file);
    fseek(file, 0, SEEK_SET);
    loaded.bytes = hq_alloc(loaded.size);
    assert_int_equal(fread(loaded.bytes, 1, loaded.size, file), loaded.size);
    fclose(file);
    free(path);
    return loaded;
}

static hq_file *open_sample(const char *name)
{
    hq_reason reason;
    hq_file *file = NULL;
    char *path = sample_path(name);
    assert_int_equal(rootfile_open(path, &file, &reason), HQ_OK);
    free(path);
    return file;
}

/* Reads all there is; counts what went wrong. Every failure must say which file. */
typedef struct read_tally {
    size_t columns, failures;
    uint64_t sum; /* of all columns' bytes, to tell right values from wrong ones */
} read_tally;

static void expect_reason(hq_error error, const hq_reason *reason)
{
    assert_true(error == HQ_EFORMAT || error == HQ_EUNSUPPORTED || error == HQ_ELIMIT || error == HQ_ENOTFOUND);
    assert_non_null(strstr(reason->text, "image"));
}

static void read_columns(const hq_tree *tree, read_tally *tally)
{
    const hq_schema *schema = tree_schema(tree);
    for (size_t i = 0; i < schema->count; i++) {
        hq_reason reason = {""};
        hq_column *column = NULL;
        hq_error error = tree_read(tree, schema->fields[i].name, 0, tree_entries(tree), MEMORY_LIMIT, &column, &reason);
        tally->columns++;
        if (error) {
            assert_null(column);
            expect_reason(error, &reason);
            tally->failures++;
            continue;
        }
        assert_true(column->bytes <= MEMORY_LIMIT + 4096);
        tally->sum = hash_mix(tally->sum ^ XXH64(column->values, column->value_count * hq_type_size(column->type), 0));
        column_free(&column);
    }
}

static read_tally read_all(const uint8_t *bytes, size_t size, const char *tree_name)
{
    read_tally tally = {0};
    hq_reason reason = {""};
    hq_file *file = NULL;
    hq_tree *tree = NULL;
    hq_error error = rootfile_open_memory("image", bytes, size, MEMORY_LIMIT, &file, &reason);
    if (!error)
        error = tree_open(file, tree_name, &tree, &reason);
    if (error) {
        expect_reason(error, &reason);
        tally.failures++;
    } else {
        uint64_t *borders;
        size_t count;
        tree_borders(tree, &borders, &count);
        assert_int_equal(borders[0], 0);
        assert_int_equal(borders[count - 1], tree_entries(tree));
        free(borders);
        read_columns(tree, &tally);
    }
    tree_close(&tree);
    rootfile_close(&file);
    return tally;
}

static void test_wrong_files_are_refused(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_file *file = NULL;
    assert_int_equal(rootfile_open("no/such/file.root", &file, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "no/such/file.root"));
    assert_int_equal(rootfile_open(".", &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "directory"));
    assert_int_equal(rootfile_open_memory("image", "", 0, MEMORY_LIMIT, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "empty"));
    static const char text[] = "This is a text and no ROOT file, although it is long enough to hold a header of one.";
    assert_int_equal(rootfile_open_memory("image", text, sizeof text, MEMORY_LIMIT, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "not a ROOT file"));
    assert_int_equal(rootfile_open_memory("image", "root\0\0\xf1\x68", 8, MEMORY_LIMIT, &file, &reason), HQ_EFORMAT);
    assert_null(file);
}

static void test_cut_files_are_refused(void **state)
{
    (void)state;
    image whole = load_sample("uproot-Zmumu.root");
    for (size_t size = 0; size < whole.size; size += 1021) {
        /* In memory of its exact size, so that a sanitizer sees a read past the end. */
        uint8_t *cut = hq_alloc(size);
        memcpy(cut, whole.bytes, size);
        read_tally tally = read_all(cut, size, "events");
        assert_true(tally.failures > 0);
        free(cut);
    }
    assert_int_equal(read_all(whole.bytes, whole.size, "events").failures, 0);
    free(whole.bytes);
}

/* A file whose header does not tell that it was cut: its records must be found missing one by one. */
static void test_files_cut_behind_their_back(void **state)
{
    (void)state;
    image whole = load_sample("uproot-HZZ-zlib.root");
    uint64_t sum = read_all(whole.bytes, whole.size, "events").sum;
    for (size_t size = 101; size < whole.size; size += 4093) {
        uint8_t *cut = hq_alloc(size);
        memcpy(cut, whole.bytes, size);
        for (int i = 0; i < 4; i++)
            cut[12 + i] = (uint8_t)(size >> (8 * (3 - i))); /* fEND */
        read_tally tally = read_all(cut, size, "events");
        assert_true(tally.failures > 0 || tally.sum == sum);
        free(cut);
    }
    free(whole.bytes);
}

/* Files of more than 2 GiB, without their size: Zmumu's header, root directory and list of keys written anew in the
 * wide form, with one more key if wanted. */
static void put(hq_buffer *buffer, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buffer_u8(buffer, i < 8 ? (uint8_t)(value >> (8 * i)) : 0);
}

static void put_text(hq_buffer *buffer, const char *text)
{
    buffer_u8(buffer, (uint8_t)strlen(text));
    buffer_append(buffer, text, strlen(text));
}

static void put_wide_key(hq_buffer *buffer, const hq_key *key)
{
    put(buffer, key->record_size, 4);
    put(buffer, 1004, 2);
    put(buffer, key->object_size, 4);
    put(buffer, 0, 4);
    put(buffer, key->header_size, 2);
    put(buffer, key->cycle, 2);
    put(buffer, key->seek, 8);
    put(buffer, 100, 8);
    put_text(buffer, key->class_name);
    put_text(buffer, key->name);
    put_text(buffer, key->title);
}

static image widen(const image *narrow, const hq_key *extra)
{
    hq_reason reason;
    hq_file *file;
    hq_tree_key *keys;
    size_t count;
    assert_int_equal(rootfile_open_memory("image", narrow->bytes, narrow->size, MEMORY_LIMIT, &file, &reason), HQ_OK);
    assert_int_equal(rootfile_find_trees(file, &keys, &count, &reason), HQ_OK);
    assert_int_equal(count, 1);
    uint32_t name_bytes = file->name_bytes;
    char four[] = "four";
    hq_buffer list = {0}, head = {0}, directory = {0};
    hq_key own = {.record_size = 4096, .header_size = 34 + 3 * 5, .class_name = four, .name = four, .title = four};
    put_wide_key(&list, &own);
    list.size = own.header_size;
    put(&list, extra ? 2 : 1, 4);
    put_wide_key(&list, &keys[0].key);
    if (extra)
        put_wide_key(&list, extra);
    put(&head, 1062406, 4);
    put(&head, 100, 4);
    put(&head, narrow->size + list.size, 8);
    put(&head, 0, 8 + 4 + 4);
    put(&head, name_bytes, 4);
    put(&head, 8, 1);
    put(&head, 0, 4 + 8 + 4 + 2);
    put(&directory, 1005, 2);
    put(&directory, 0, 8);
    put(&directory, list.size, 4);
    put(&directory, name_bytes, 4);
    put(&directory, 100, 8);
    put(&directory, 0, 8);
    put(&directory, narrow->size, 8);
    image wide = {hq_alloc(narrow->size + list.size), narrow->size + list.size};
    memcpy(wide.bytes, narrow->bytes, narrow->size);
    memcpy(wide.bytes + narrow->size, list.bytes, list.size);
    memcpy(wide.bytes + 4, head.bytes, head.size);
    memcpy(wide.bytes + 100 + name_bytes, directory.bytes, directory.size);
    buffer_clear(&list);
    buffer_clear(&head);
    buffer_clear(&directory);
    tree_keys_free(&keys, count);
    rootfile_close(&file);
    return wide;
}

static void test_wide_files_are_read(void **state)
{
    (void)state;
    image narrow = load_sample("uproot-Zmumu.root"), wide = widen(&narrow, NULL);
    read_tally one = read_all(narrow.bytes, narrow.size, "events"), other = read_all(wide.bytes, wide.size, "events");
    assert_int_equal(other.failures, 0);
    assert_int_equal(other.columns, one.columns);
    assert_true(other.sum == one.sum);
    free(narrow.bytes);
    free(wide.bytes);
}

static void test_looping_directories_are_refused(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_file *file;
    hq_tree_name *names;
    size_t count;
    image narrow = load_sample("uproot-Zmumu.root");
    assert_int_equal(rootfile_open_memory("image", narrow.bytes, narrow.size, MEMORY_LIMIT, &file, &reason), HQ_OK);
    char class_name[] = "TDirectoryFile", name[] = "again";
    hq_key loop = {.record_size = 60,
                   .header_size = 50,
                   .seek = 100 + file->name_bytes - 50,
                   .class_name = class_name,
                   .name = name,
                   .title = name};
    rootfile_close(&file);
    image wide = widen(&narrow, &loop);
    assert_int_equal(rootfile_open_memory("image", wide.bytes, wide.size, MEMORY_LIMIT, &file, &reason), HQ_OK);
    assert_int_equal(rootfile_list(file, &names, &count, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "contains itself"));
    rootfile_close(&file);
    free(narrow.bytes);
    free(wide.bytes);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    return hash_mix(*seed);
}

static size_t flip_bits(const char *name, const char *tree, size_t rounds)
{
    image whole = load_sample(name);
    uint64_t seed = hash_mix(whole.size);
    size_t harmed = 0;
    for (size_t round = 0; round < rounds; round++) {
        size_t places[4];
        size_t count = 1 + next_random(&seed) % 4;
        for (size_t i = 0; i < count; i++) {
            /* Every second flip goes to the end, where the trees' own records and the lists of keys are. */
            uint64_t random = next_random(&seed);
            size_t window = random & 1 ? whole.size : whole.size / 8;
            places[i] = whole.size - 1 - (random >> 8) % window;
            whole.bytes[places[i]] ^= (uint8_t)(1u << (random >> 1 & 7));
        }
        harmed += read_all(whole.bytes, whole.size, tree).failures > 0;
        free(whole.bytes);
        whole = load_sample(name);
    }
    free(whole.bytes);
    return harmed;
}

static void test_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    size_t rounds = *getenv("HQ_SANITIZE") ? 100 : 200;
    static const struct {
        const char *name, *tree;
    } samples[] = {
        {"uproot-Zmumu.root", "events"},
        {"uproot-Zmumu-zlib.root", "events"},
        {"uproot-Zmumu-lzma.root", "events"},
        {"uproot-Zmumu-lz4.root", "events"},
        {"uproot-Zmumu-uncompressed.root", "events"},
        {"uproot-HZZ-zlib.root", "events"},
        {"uproot-HZZ-lz4.root", "events"},
        {"uproot-HZZ-objects.root", "events"},
        {"uproot-Zmumu-zstd.root", "events"},
        {"uproot-small-evnt-tree-fullsplit.root", "tree"},
        {"uproot-from-geant4.root", "Details"},
    };
    size_t harmed = 0;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        harmed += flip_bits(samples[i].name, samples[i].tree, rounds);
    /* What is compressed or counted is noticed; a flip in plain values cannot be. */
    assert_true(harmed > rounds);
}

static void test_trees_are_found_by_name(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    hq_file *file = open_sample("uproot-Zmumu.root");
    static const char *const good[] = {"events", "events;1", "/events", NULL};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(tree_open(file, good[i], &tree, &reason), HQ_OK);
        assert_string_equal(tree_path(tree), "events");
        assert_int_equal(tree_entries(tree), 2304);
        tree_close(&tree);
    }
    assert_int_equal(tree_open(file, "events;7", &tree, &reason), HQ_ENOTFOUND);
    assert_int_equal(tree_open(file, "event", &tree, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "it has: events"));
    rootfile_close(&file);
    file = open_sample("uproot-nesteddirs.root");
    assert_int_equal(tree_open(file, "one/two/tree", &tree, &reason), HQ_OK);
    assert_string_equal(tree_path(tree), "one/two/tree");
    tree_close(&tree);
    assert_int_equal(tree_open(file, NULL, &tree, &reason), HQ_EINVAL);
    assert_non_null(strstr(reason.text, "three/tree"));
    hq_tree_name *names;
    size_t count;
    assert_int_equal(rootfile_list(file, &names, &count, &reason), HQ_OK);
    assert_int_equal(count, 3);
    tree_names_free(&names, count);
    rootfile_close(&file);
}

static void test_mistaken_reads_are_refused(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    hq_column *column = NULL;
    hq_file *file = open_sample("uproot-Zmumu.root");
    assert_int_equal(tree_open(file, "events", &tree, &reason), HQ_OK);
    assert_int_equal(tree_read(tree, "nonsense", 0, 1, MEMORY_LIMIT, &column, &reason), HQ_ENOTFOUND);
    assert_int_equal(tree_read(tree, "Type", 0, 1, MEMORY_LIMIT, &column, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "texts"));
    assert_int_equal(tree_read(tree, "M", 0, 2305, MEMORY_LIMIT, &column, &reason), HQ_EINVAL);
    assert_int_equal(tree_read(tree, "M", 7, 6, MEMORY_LIMIT, &column, &reason), HQ_EINVAL);
    assert_int_equal(tree_read(tree, "M", 0, UINT64_MAX, MEMORY_LIMIT, &column, &reason), HQ_EINVAL);
    assert_int_equal(tree_read(tree, "M", 0, 2304, 1000, &column, &reason), HQ_ELIMIT);
    assert_non_null(strstr(reason.text, "branch M"));
    assert_null(column);
    assert_int_equal(tree_read(tree, "M", 2304, 2304, MEMORY_LIMIT, &column, &reason), HQ_OK);
    assert_int_equal(column->entries, 0);
    column_free(&column);
    tree_close(&tree);
    rootfile_close(&file);
}

static void test_collections_come_from_counters(void **state)
{
    (void)state;
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    hq_file *file = open_sample("uproot-HZZ.root");
    assert_int_equal(tree_open(file, "events", &tree, &reason), HQ_OK);
    const hq_schema *schema = tree_schema(tree);
    const hq_field *field = schema_find_member(schema, "Muon", "Px");
    assert_non_null(field);
    assert_string_equal(field->name, "Muon_Px");
    assert_int_equal(field->type, HQ_FLOAT32);
    assert_true(field->depth);
    assert_non_null(schema_find_member(schema, "Jet", "ID"));
    assert_null(schema_find(schema, "NMuon")->collection);
    assert_null(schema_find(schema, "MET_px")->collection); /* flat, whatever its name */
    tree_close(&tree);
    rootfile_close(&file);
}

static void test_collection_names(void **state)
{
    (void)state;
    static const struct {
        const char *counter, *columns[3], *collection, *member; /* of the first column */
    } cases[] = {
        {"nMuon", {"Muon_pt", "Muon_eta"}, "Muon", "pt"},
        {"n_mu", {"mu_pt"}, "mu", "pt"},
        {"Muon_size", {"Muon.PT", "Muon.Eta"}, "Muon", "PT"},
        {"Muon_", {"Muon.P4.fX"}, "Muon", "P4.fX"},
        {"nLHEPart", {"LHEPart_pt", "other"}, "LHEPart", "pt"},
        {"count", {"hit_x", "hit_y"}, "hit", "x"},
        {"count", {"hit_x", "cluster_y"}, NULL, NULL},
        {"count", {"hit_x"}, NULL, NULL},
        {"n", {"x", "y"}, NULL, NULL},
        {"nMuon", {"Muon_pt", "Muon"}, NULL, NULL}, /* the name is a column's */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_counted columns[3] = {0};
        size_t count = 0;
        for (; count < 3 && cases[i].columns[count]; count++)
            columns[count] =
                (hq_counted){.name = cases[i].columns[count], .counter = &cases[i], .counter_name = cases[i].counter};
        collections_find(columns, count);
        if (cases[i].collection) {
            assert_non_null(columns[0].collection);
            assert_string_equal(columns[0].collection, cases[i].collection);
            assert_string_equal(columns[0].member, cases[i].member);
        } else {
            assert_null(columns[0].collection);
        }
        for (size_t j = 0; j < count; j++) {
            free(columns[j].collection);
            free(columns[j].member);
        }
    }
}

static void check_borders(const char *name, const char *tree_name, size_t count, const uint64_t *wanted)
{
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    hq_file *file = open_sample(name);
    uint64_t *borders;
    size_t got;
    assert_int_equal(tree_open(file, tree_name, &tree, &reason), HQ_OK);
    tree_borders(tree, &borders, &got);
    assert_int_equal(got, count);
    assert_int_equal(borders[got - 1], tree_entries(tree));
    for (size_t i = 0; i < 3 && i < count; i++)
        assert_int_equal(borders[i], wanted[i]);
    free(borders);
    tree_close(&tree);
    rootfile_close(&file);
}

static void test_borders_are_those_of_baskets(void **state)
{
    (void)state;
    check_borders("uproot-Zmumu.root", "events", 2, (const uint64_t[]){0, 2304});
    check_borders("uproot-demo-double32.root", "T", 32, (const uint64_t[]){0, 1310, 2620});
    check_borders("uproot-issue412.root", NULL, 101, (const uint64_t[]){0, 10000, 20000});
    /* Some branches have a border at 2231, but to cut there would have most of the file read twice. */
    check_borders("uproot-HZZ.root", "events", 2, (const uint64_t[]){0, 2421});
}

/* Four threads on one tree. */
typedef struct shared_read {
    const hq_tree *tree;
    read_tally tally;
} shared_read;

static void *read_shared(void *argument)
{
    shared_read *shared = argument;
    read_columns(shared->tree, &shared->tally);
    return NULL;
}

static void test_threads_share_a_tree(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static const char *const names[] = {"uproot-HZZ-zlib.root", "uproot-HZZ-zstd.root", "uproot-HZZ-lz4.root",
                                        "uproot-HZZ-lzma.root"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        hq_reason reason = {""};
        hq_tree *tree = NULL;
        hq_file *file = open_sample(names[n]);
        assert_int_equal(tree_open(file, NULL, &tree, &reason), HQ_OK);
        pthread_t threads[THREADS];
        shared_read reads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            reads[i] = (shared_read){.tree = tree};
            assert_int_equal(pthread_create(&threads[i], NULL, read_shared, &reads[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(reads[i].tally.failures, 0);
            assert_true(reads[i].tally.sum == reads[0].tally.sum);
        }
        tree_close(&tree);
        rootfile_close(&file);
    }
}

static void test_identity_follows_the_content(void **state)
{
    (void)state;
    hq_file *one = open_sample("uproot-Zmumu.root"), *again = open_sample("uproot-Zmumu.root");
    hq_file *other = open_sample("uproot-HZZ.root");
    hq_hash a = rootfile_identity(one), b = rootfile_identity(again), c = rootfile_identity(other);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    rootfile_close(&one);
    rootfile_close(&again);
    rootfile_close(&other);
}

static void store_u32(uint8_t *to, uint32_t value)
{
    uint32_t raw = __builtin_bswap32(value);
    memcpy(to, &raw, sizeof raw);
}

/* The keys of the samples below are those of large files, which have their class there. */
enum { CLASS_AT = 34, MUCH = 0x7FFFFF00 };
static const char class_name[] = "\7TBasket";

/* Lets every basket of the image say that it holds two GiB; their number. */
static size_t exaggerate_baskets(image *lying)
{
    enum { OBJECT_SIZE_AT = 6, LAST_AT = 14 };
    size_t count = 0;
    for (size_t at = CLASS_AT; at + 600 < lying->size; at++) {
        if (memcmp(lying->bytes + at, class_name, strlen(class_name)) != 0)
            continue;
        uint8_t *header = lying->bytes + at + strlen(class_name);
        header += 1 + header[0]; /* the branch's name, */
        header += 1 + header[0]; /* the tree's */
        store_u32(lying->bytes + at - CLASS_AT + OBJECT_SIZE_AT, MUCH);
        store_u32(header + LAST_AT, MUCH);
        count++;
    }
    return count;
}

/* Makes the tree, and if need be the keys as well, say of all larger baskets that they are longer than the file. Gives
 * back how often. */
static size_t lengthen_baskets(image *lying)
{
    enum { LARGE = 5000 };
    static const char tree_class[] = "\5TTree";
    size_t count = 0, tree_at = CLASS_AT; /* which stands behind its baskets */
    while (memcmp(lying->bytes + tree_at, tree_class, strlen(tree_class)) != 0)
        tree_at++;
    for (size_t at = CLASS_AT; at < tree_at; at++) {
        uint8_t *key = lying->bytes + at - CLASS_AT;
        if (memcmp(lying->bytes + at, class_name, strlen(class_name)) != 0 || load_u32(key) < LARGE)
            continue;
        uint8_t size[4];
        memcpy(size, key, sizeof size);
        for (size_t i = tree_at; i + sizeof size <= lying->size; i++)
            if (memcmp(lying->bytes + i, size, sizeof size) == 0) {
                store_u32(lying->bytes + i, MUCH);
                count++;
            }
    }
    return count;
}

static void lengthen_keys(image *lying)
{
    for (size_t at = CLASS_AT; at + 600 < lying->size; at++)
        if (memcmp(lying->bytes + at, class_name, strlen(class_name)) == 0)
            store_u32(lying->bytes + at - CLASS_AT, MUCH);
    exaggerate_baskets(lying);
}

static void test_baskets_are_not_longer_than_the_file(void **state)
{
    (void)state;
    for (int keys_lie_too = 0; keys_lie_too < 2; keys_lie_too++) {
        image lying = load_sample("uproot-HZZ-uncompressed.root");
        assert_true(lengthen_baskets(&lying) > 20);
        if (keys_lie_too)
            lengthen_keys(&lying);
        hq_reason reason = {""};
        hq_file *file = NULL;
        hq_tree *tree = NULL;
        size_t refused = 0;
        assert_int_equal(rootfile_open_memory("image", lying.bytes, lying.size, MEMORY_LIMIT, &file, &reason), HQ_OK);
        assert_int_equal(tree_open(file, "events", &tree, &reason), HQ_OK);
        const hq_schema *schema = tree_schema(tree);
        for (size_t i = 0; i < schema->count; i++) {
            hq_column *column = NULL;
            hq_error error = tree_read(tree, schema->fields[i].name, 0, tree_entries(tree), MEMORY_LIMIT, &column,
                                       &reason);
            if (error && (error != HQ_EFORMAT || !strstr(reason.text, "basket at offset")))
                fail_msg("%s: %s", hq_error_name(error), reason.text);
            refused += error != HQ_OK;
            column_free(&column);
        }
        assert_true(refused > 20);
        tree_close(&tree);
        rootfile_close(&file);
        free(lying.bytes);
    }
}

/* No memory is taken for what a basket's header says: if it were, these reads would end at the limit, with HQ_ELIMIT.
 */
static void test_lying_headers_get_no_memory(void **state)
{
    (void)state;
    static const char *const samples[] = {"uproot-HZZ-zlib.root", "uproot-HZZ-lz4.root",
                                          "uproot-HZZ-uncompressed.root"};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        image lying = load_sample(samples[i]);
        assert_true(exaggerate_baskets(&lying) > 50);
        hq_reason reason = {""};
        hq_file *file = NULL;
        hq_tree *tree = NULL;
        assert_int_equal(rootfile_open_memory("image", lying.bytes, lying.size, MEMORY_LIMIT, &file, &reason), HQ_OK);
        assert_int_equal(tree_open(file, "events", &tree, &reason), HQ_OK);
        const hq_schema *schema = tree_schema(tree);
        for (size_t j = 0; j < schema->count; j++) {
            hq_column *column = NULL;
            assert_int_equal(
                tree_read(tree, schema->fields[j].name, 0, tree_entries(tree), MEMORY_LIMIT, &column, &reason),
                HQ_EFORMAT);
            assert_non_null(strstr(reason.text, "basket"));
        }
        tree_close(&tree);
        rootfile_close(&file);
        free(lying.bytes);
    }
}

static void test_blocks_are_measured(void **state)
{
    (void)state;
    hq_reason reason = {""};
    uint64_t size;
    static const uint8_t strange[] = {'Q', 'Q', 8, 1, 0, 0, 1, 0, 0, 0};
    static const uint8_t bomb[] = {'Z', 'L', 8, 1, 0, 0, 255, 255, 255, 0};
    assert_int_equal(inflater_measure(strange, sizeof strange, &size, &reason), HQ_EFORMAT);
    assert_int_equal(inflater_measure(bomb, sizeof bomb, &size, &reason), HQ_EFORMAT);
    assert_int_equal(inflater_measure(strange, 5, &size, &reason), HQ_EFORMAT);
    assert_int_equal(inflater_most(bomb, sizeof bomb, 1000), 1032000);
    assert_int_equal(inflater_most(bomb, 8, 1000), 0);
    assert_int_equal(inflater_most(strange, sizeof strange, 1000), 0);
}

/* "CS" is deflate as it is: here one stored block of three bytes. */
static void test_old_compression_is_undone(void **state)
{
    (void)state;
    hq_reason reason = {""};
    uint64_t size = 0;
    uint8_t out[3];
    uint8_t old[] = {'C', 'S', 8, 8, 0, 0, 3, 0, 0, 1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'};
    hq_inflater *inflater = inflater_new();
    assert_int_equal(inflater_measure(old, sizeof old, &size, &reason), HQ_OK);
    assert_int_equal(size, 3);
    assert_int_equal(inflater_run(inflater, old, sizeof old, out, sizeof out, &reason), HQ_OK);
    assert_memory_equal(out, "abc", 3);
    old[11] = 4; /* not the complement of the length's other copy */
    assert_int_equal(inflater_run(inflater, old, sizeof old, out, sizeof out, &reason), HQ_EFORMAT);
    inflater_free(&inflater);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_files_are_refused),
        cmocka_unit_test(test_cut_files_are_refused),
        cmocka_unit_test(test_files_cut_behind_their_back),
        cmocka_unit_test(test_wide_files_are_read),
        cmocka_unit_test(test_looping_directories_are_refused),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_trees_are_found_by_name),
        cmocka_unit_test(test_mistaken_reads_are_refused),
        cmocka_unit_test(test_collections_come_from_counters),
        cmocka_unit_test(test_collection_names),
        cmocka_unit_test(test_borders_are_those_of_baskets),
        cmocka_unit_test(test_threads_share_a_tree),
        cmocka_unit_test(test_identity_follows_the_content),
        cmocka_unit_test(test_blocks_are_measured),
        cmocka_unit_test(test_old_compression_is_undone),
        cmocka_unit_test(test_lying_headers_get_no_memory),
        cmocka_unit_test(test_baskets_are_not_longer_than_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
