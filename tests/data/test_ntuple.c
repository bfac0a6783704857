/* tests/data/test_ntuple.c - RNTuples beside the trees they were made from, and damaged ones.
 *
 * The values themselves are conformance_rntuple.py's to compare. Samples with twins are read from HQ_TWINS;
 * ntuple_writer.py makes the others when the test begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "data/rootfile.h"

enum { MEMORY_LIMIT = 16 << 20 };

static int make_files(void **state)
{
    (void)state;
    const char *python = getenv("HQ_PYTHON"), *source = getenv("HQ_SOURCE");
    char *command = hq_format("%s %s/tests/data/ntuple_writer.py .", python ? python : "python3", source);
    int status = system(command);
    free(command);
    return status;
}

/* --- A tree, and what ROOT's importer made of it --- */

static hq_tree *open_twin(const char *name, const char *tree_name, hq_file **file_r)
{
    const char *folder = getenv("HQ_TWINS");
    char *path = hq_format("%s/%s", folder ? folder : ".", name);
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    if (access(path, R_OK) != 0)
        fail_msg("%s is not there: scripts/setup fetches it", path);
    if (rootfile_open(path, file_r, &reason) || tree_open(*file_r, tree_name, &tree, &reason))
        fail_msg("%s", reason.text);
    free(path);
    return tree;
}

static bool is_same_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* An importer shows all counts as unsigned, also those that its tree had as signed ones. */
static bool is_same_type(const hq_field *one, const hq_field *other)
{
    return one->type == other->type ||
           (one->name[0] == 'n' && one->type == HQ_INT32 && other->type == HQ_UINT32 && one->depth == 0);
}

static void compare_values(const hq_tree *tree, const hq_tree *ntuple, const char *name)
{
    hq_reason reason = {""};
    hq_column *one = NULL, *other = NULL;
    uint64_t entries = tree_entries(tree);
    if (tree_read(tree, name, 0, entries, MEMORY_LIMIT, &one, &reason) ||
        tree_read(ntuple, name, 0, entries, MEMORY_LIMIT, &other, &reason))
        fail_msg("%s", reason.text);
    if (one && other) {
        assert_int_equal(one->value_count, other->value_count);
        assert_memory_equal(one->values, other->values, one->value_count * hq_type_size(one->type));
        assert_int_equal(one->offsets == NULL, other->offsets == NULL);
        if (one->offsets)
            assert_memory_equal(one->offsets, other->offsets, (one->entries + 1) * sizeof *one->offsets);
    }
    column_free(&one);
    column_free(&other);
}

static void test_twins_have_the_same_columns(void **state)
{
    (void)state;
    static const struct {
        const char *tree, *ntuple, *name;
        size_t least;
    } twins[] = {
        {"nano_dy.root", "nano_dy_rntuple.root", "Events", 1499},
        {"nano_dimuon.root", "nano_dimuon_rntuple.root", "Events", 1601},
        {"nano_tree.root", "nano_tree_rntuple.root", "Events", 1011},
        {"pfnano.root", "pfnano_rntuple.root", "Events", 1802},
        {"nano_dy_empty.root", "nano_dy_empty_rntuple.root", "Events", 1499},
        {"nano_dy_SpecialTree.root", "nano_dy_SpecialTree_rntuple.root", "NotEvents", 1874},
        {"treemaker.root", "treemaker_rntuple.root", "PreSelection", 400},
    };
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++) {
        hq_file *tree_file = NULL, *ntuple_file = NULL;
        hq_tree *tree = open_twin(twins[i].tree, twins[i].name, &tree_file);
        hq_tree *ntuple = open_twin(twins[i].ntuple, twins[i].name, &ntuple_file);
        assert_int_equal(tree_entries(tree), tree_entries(ntuple));
        const hq_schema *schema = tree_schema(tree);
        assert_true(schema->count >= twins[i].least);
        assert_int_equal(tree_schema(ntuple)->count, schema->count);
        for (size_t j = 0; j < schema->count; j++) {
            const hq_field *one = &schema->fields[j], *other = schema_find(tree_schema(ntuple), one->name);
            if (!other)
                fail_msg("%s: no column %s", twins[i].ntuple, one->name);
            if (!other || !is_same_type(one, other) || one->depth != other->depth ||
                !is_same_text(one->collection, other->collection) || !is_same_text(one->member, other->member))
                fail_msg("%s: %s differs", twins[i].ntuple, one->name);
            compare_values(tree, ntuple, one->name);
        }
        tree_close(&tree);
        tree_close(&ntuple);
        rootfile_close(&tree_file);
        rootfile_close(&ntuple_file);
    }
}

/* --- Names, borders, collections --- */

static hq_tree *open_made(const char *name, hq_file **file_r)
{
    hq_reason reason = {""};
    hq_tree *tree = NULL;
    if (rootfile_open(name, file_r, &reason) || tree_open(*file_r, NULL, &tree, &reason))
        fail_msg("%s", reason.text);
    return tree;
}

static void test_borders_are_those_of_clusters(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t count;
        uint64_t borders[5];
    } cases[] = {
        {"plain.root", 4, {0, 1000, 1001, 1518}},
        {"representations.root", 4, {0, 1000, 1001, 1518}}, /* whose lists are in another order */
        {"late.root", 5, {0, 300, 700, 1200, 1300}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_file *file = NULL;
        hq_tree *tree = open_made(cases[i].file, &file);
        uint64_t *borders;
        size_t count;
        tree_borders(tree, &borders, &count);
        assert_int_equal(count, cases[i].count);
        assert_memory_equal(borders, cases[i].borders, count * sizeof *borders);
        free(borders);
        tree_close(&tree);
        rootfile_close(&file);
    }
}

static void check_member(const hq_tree *tree, const char *name, const char *collection, const char *member)
{
    const hq_field *field = schema_find(tree_schema(tree), name);
    assert_non_null(field);
    assert_true(is_same_text(field->collection, collection));
    assert_true(is_same_text(field->member, member));
}

/* Every dimension of an array is a level of lists, and the outermost stands first in the type. */
static void check_type(const hq_tree *tree, const char *name, unsigned depth, const char *type)
{
    const hq_field *field = schema_find(tree_schema(tree), name);
    assert_non_null(field);
    assert_int_equal(field->depth, depth);
    for (size_t i = 0; i < tree_branch_count(tree); i++)
        if (strcmp(tree_branch(tree, i)->name, name) == 0)
            assert_string_equal(tree_branch(tree, i)->type, type);
}

static void test_collections_and_reasons(void **state)
{
    (void)state;
    hq_file *file = NULL;
    hq_tree *tree = open_made("index27.root", &file);
    check_member(tree, "Muon_pt", "Muon", "pt");
    check_member(tree, "Muon_hits", NULL, NULL); /* lists of lists stand alone */
    check_member(tree, "Track.p4.x", "Track", "p4.x");
    check_member(tree, "Track.charge", "Track", "charge"); /* of a base class */
    check_member(tree, "v", NULL, NULL);
    check_type(tree, "va", 2, "vector<float32[3]>");
    check_type(tree, "av", 2, "vector<float64>[2]");
    check_type(tree, "aa", 2, "bool[3][2]");
    check_type(tree, "vaa", 3, "vector<float32[3][2]>");
    check_type(tree, "ava", 3, "vector<float32[3]>[2]");
    check_type(tree, "Muon_pt", 1, "float32[nMuon]");
    static const char *const reasons[][2] = {
        {"s", "texts"},        {"either", "variant"},       {"object", "not split"},
        {"wide", "too large"}, {"nested", "nested deeper"}, {NULL, NULL}};
    for (size_t i = 0; reasons[i][0]; i++) {
        hq_reason reason = {""};
        hq_column *column = NULL;
        assert_int_equal(tree_read(tree, reasons[i][0], 0, 1, MEMORY_LIMIT, &column, &reason), HQ_ENOTFOUND);
        assert_non_null(strstr(reason.text, reasons[i][1]));
    }
    tree_close(&tree);
    rootfile_close(&file);
    tree = open_made("projections.root", &file);
    check_member(tree, "Muon_charge", "Muon", "charge");
    check_member(tree, "nMuon", NULL, NULL);
    assert_int_equal(tree_branch_count(tree), 4);
    tree_close(&tree);
    rootfile_close(&file);
}

static void test_a_type_of_a_later_version_harms_no_other(void **state)
{
    (void)state;
    hq_file *file = NULL;
    hq_tree *tree = open_made("plain.root", &file);
    hq_reason reason = {""};
    hq_column *column = NULL;
    assert_int_equal(tree_read(tree, "later", 0, 1, MEMORY_LIMIT, &column, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "packed in a way"));
    assert_true(tree_schema(tree)->count > 40);
    tree_close(&tree);
    rootfile_close(&file);
}

static void test_limits_are_kept(void **state)
{
    (void)state;
    hq_file *file = NULL;
    hq_tree *tree = open_made("index27.root", &file);
    hq_reason reason = {""};
    hq_column *column = NULL;
    assert_int_equal(tree_read(tree, "vv", 0, 1518, 8192, &column, &reason), HQ_ELIMIT);
    assert_non_null(strstr(reason.text, "column vv"));
    assert_int_equal(tree_read(tree, "vv", 5, 4, MEMORY_LIMIT, &column, &reason), HQ_EINVAL);
    assert_int_equal(tree_read(tree, "vv", 0, 1519, MEMORY_LIMIT, &column, &reason), HQ_EINVAL);
    tree_close(&tree);
    rootfile_close(&file);
}

/* --- Damage --- */

typedef struct image {
    uint8_t *bytes;
    size_t size;
} image;

static image load(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    image loaded = {.size = (size_t)ftell(file)};
    rewind(file);
    loaded.bytes = hq_alloc(loaded.size);
    assert_int_equal(fread(loaded.bytes, 1, loaded.size, file), loaded.size);
    fclose(file);
    return loaded;
}

/* Reads all there is. True if everything could be read; if not, every message names the file. */
static bool reads_whole(const uint8_t *bytes, size_t size)
{
    hq_reason reason = {""};
    hq_file *file = NULL;
    hq_tree *tree = NULL;
    bool is_whole = true;
    hq_error error = rootfile_open_memory("damaged.root", bytes, size, MEMORY_LIMIT, &file, &reason);
    if (!error)
        error = tree_open(file, NULL, &tree, &reason);
    if (error) {
        assert_non_null(strstr(reason.text, "damaged.root"));
        rootfile_close(&file);
        return false;
    }
    const hq_schema *schema = tree_schema(tree);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *column = NULL;
        error = tree_read(tree, schema->fields[i].name, 0, tree_entries(tree), MEMORY_LIMIT, &column, &reason);
        if (error) {
            is_whole = false;
            assert_non_null(strstr(reason.text, "damaged.root"));
            assert_non_null(strstr(reason.text, schema->fields[i].name));
            assert_true(error != HQ_EFORMAT || strstr(reason.text, "offset") ||
                        strstr(reason.text, "cluster at entry"));
        } else {
            assert_true(column->bytes <= MEMORY_LIMIT + 4096);
        }
        column_free(&column);
    }
    tree_close(&tree);
    rootfile_close(&file);
    return is_whole;
}

static const char *const damaged_files[] = {"zstd.root", "index27.root", "late.root", "projections.root",
                                            "pieces.root"};

static void test_cut_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damaged_files / sizeof *damaged_files; i++) {
        image whole = load(damaged_files[i]);
        assert_true(reads_whole(whole.bytes, whole.size));
        for (size_t size = 0; size < whole.size; size += 1 + whole.size / 200) {
            /* A block of its own, so that a sanitizer sees every byte read beyond. */
            uint8_t *cut = hq_alloc(size + 1);
            memcpy(cut, whole.bytes, size);
            assert_false(reads_whole(cut, size));
            free(cut);
        }
        free(whole.bytes);
    }
}

/* All that matters is under a checksum: a flipped bit is found wherever it is of use. */
static void test_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    uint64_t random = 1, found = 0, tried = 0;
    for (size_t i = 0; i < sizeof damaged_files / sizeof *damaged_files; i++) {
        image whole = load(damaged_files[i]);
        for (int turn = 0; turn < 150; turn++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)((random >> 16) % whole.size);
            whole.bytes[at] ^= (uint8_t)(1u << (random >> 61));
            found += !reads_whole(whole.bytes, whole.size);
            tried++;
            whole.bytes[at] ^= (uint8_t)(1u << (random >> 61));
        }
        assert_true(reads_whole(whole.bytes, whole.size));
        free(whole.bytes);
    }
    assert_true(found > tried / 2);
}

/* Pages without checksums: what cannot be noticed must still do no harm. */
static void test_pages_without_checksums(void **state)
{
    (void)state;
    image whole = load("lz4.root");
    uint64_t random = 7;
    for (int turn = 0; turn < 300; turn++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t at = 200 + (size_t)((random >> 16) % (whole.size - 200));
        uint8_t before = whole.bytes[at];
        whole.bytes[at] = (uint8_t)(random >> 56);
        reads_whole(whole.bytes, whole.size);
        whole.bytes[at] = before;
    }
    free(whole.bytes);
}

static void test_strange_files(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        hq_error opening, reading;
        const char *column, *text;
    } cases[] = {
        {"feature.root", HQ_EUNSUPPORTED, HQ_OK, "x", "a feature that hq does not know"},
        {"epoch.root", HQ_EUNSUPPORTED, HQ_OK, "x", "epoch 2"},
        {"gap.root", HQ_EFORMAT, HQ_OK, "x", "begins at entry 11"},
        {"few.root", HQ_OK, HQ_EFORMAT, "x", "fewer elements"},
        {"huge.root", HQ_OK, HQ_ELIMIT, "x", "over the limit"},
        {"nowhere.root", HQ_OK, HQ_EFORMAT, "x", "in none of its representations"},
        {"parent.root", HQ_EFORMAT, HQ_OK, "x", "before the one it is a part of"},
        {"deep.root", HQ_EFORMAT, HQ_OK, "x", "nested deeper"},
        {"many.root", HQ_EFORMAT, HQ_OK, "x", "more fields"},
        {"back.root", HQ_OK, HQ_EFORMAT, "v", "end before they begin"},
        {"beyond.root", HQ_OK, HQ_ELIMIT, "v", "over the limit"},
        {"absurd.root", HQ_OK, HQ_EFORMAT, "v", "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_reason reason = {""};
        hq_file *file = NULL;
        hq_tree *tree = NULL;
        hq_column *column = NULL;
        assert_int_equal(rootfile_open(cases[i].file, &file, &reason), HQ_OK);
        hq_error error = tree_open(file, "T", &tree, &reason);
        if (error != cases[i].opening)
            fail_msg("%s: opening gives %s: %s", cases[i].file, hq_error_name(error), reason.text);
        if (!error)
            error = tree_read(tree, cases[i].column, 0, tree_entries(tree), MEMORY_LIMIT, &column, &reason);
        if (error != (cases[i].opening ? cases[i].opening : cases[i].reading) || !strstr(reason.text, cases[i].text) ||
            !strstr(reason.text, cases[i].file))
            fail_msg("%s: %s: %s", cases[i].file, hq_error_name(error), reason.text);
        tree_close(&tree);
        rootfile_close(&file);
    }
}

static void test_counts_beside_lists_that_came_late(void **state)
{
    (void)state;
    enum { LISTS = 20, ENTRIES = 4300010, ROOM = 64 << 20 };
    static const char *const names[] = {"V_in", "V_n"};
    hq_reason reason = {""};
    hq_file *file = NULL;
    hq_tree *tree = NULL;
    hq_column *column = NULL;
    if (rootfile_open("late_lists.root", &file, &reason) || tree_open(file, "T", &tree, &reason))
        fail_msg("%s", reason.text);
    for (size_t i = 0; i < 2; i++) {
        if (tree_read(tree, names[i], 0, ENTRIES, ROOM, &column, &reason))
            fail_msg("%s", reason.text);
        assert_int_equal(column->offsets[ENTRIES - LISTS / 2], 0);
        assert_int_equal(column->offsets[ENTRIES], LISTS);
        for (uint32_t j = 0; j < LISTS; j++)
            assert_int_equal(i == 0 ? column->inner[0].offsets[j + 1] - column->inner[0].offsets[j]
                                    : ((const uint32_t *)column->values)[j],
                             j % 4);
        column_free(&column);
    }
    tree_close(&tree);
    rootfile_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins_have_the_same_columns),
        cmocka_unit_test(test_borders_are_those_of_clusters),
        cmocka_unit_test(test_collections_and_reasons),
        cmocka_unit_test(test_a_type_of_a_later_version_harms_no_other),
        cmocka_unit_test(test_limits_are_kept),
        cmocka_unit_test(test_cut_files_are_refused),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_pages_without_checksums),
        cmocka_unit_test(test_strange_files),
        cmocka_unit_test(test_counts_beside_lists_that_came_late),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
