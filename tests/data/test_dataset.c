/* Datasets: which files they are, how they are cut, what columns are left, what they are refused for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/dataset.h"
#include "data/partition.h"

/* The files are written by make_dataset.py into the test's own folder. */
static int make_files(void **state)
{
    (void)state;
    char *command = hq_format("'%s' '%s/tests/data/make_dataset.py'", getenv("HQ_PYTHON"), getenv("HQ_SOURCE"));
    int result = system(command);
    free(command);
    return result;
}

static hq_dataset *plan(const char *const *specs, size_t count, uint64_t target)
{
    hq_dataset *dataset = NULL;
    hq_reason reason;
    if (dataset_plan(specs, count, target, &dataset, &reason) != HQ_OK)
        fail_msg("%s: %s", specs[0], reason.text);
    return dataset;
}

static hq_dataset *plan_one(const char *spec, uint64_t target)
{
    return plan(&spec, 1, target);
}

static void assert_refused(const char *const *specs, size_t count, hq_error expected, const char *text)
{
    hq_dataset *dataset = NULL;
    hq_reason reason = {""};
    hq_error error = dataset_plan(specs, count, 100, &dataset, &reason);
    if (error != expected || !strstr(reason.text, text))
        fail_msg("%s: %s \"%s\" instead of %s \"%s\"", specs[0], hq_error_name(error), reason.text,
                 hq_error_name(expected), text);
    assert_null(dataset);
}

static void assert_one_refused(const char *spec, hq_error expected, const char *text)
{
    assert_refused(&spec, 1, expected, text);
}

/* Partitions follow each other without gap or overlap and cover each file once. */
static void assert_covers(const hq_dataset *dataset)
{
    uint64_t entries = 0, next = 0;
    uint32_t file = 0;
    for (size_t i = 0; i < dataset->partition_count; i++) {
        const hq_partition *partition = &dataset->partitions[i];
        if (partition->file != file) {
            assert_int_equal(next, dataset->files[file].entries);
            assert_int_equal(partition->file, ++file);
            next = 0;
        }
        assert_int_equal(partition->first, next);
        assert_true(partition->last > partition->first);
        next = partition->last;
        entries += partition->last - partition->first;
    }
    assert_int_equal(file + 1, dataset->file_count);
    assert_int_equal(next, dataset->files[file].entries);
    assert_int_equal(entries, dataset->entries);
}

static void a_glob_gives_its_files_in_order(void **state)
{
    (void)state;
    hq_dataset *dataset = plan_one("globbed/part*.root", 1000);
    assert_int_equal(dataset->file_count, 12);
    for (size_t i = 0; i < 12; i++) {
        char path[64];
        snprintf(path, sizeof path, "globbed/part%02zu.root", i);
        assert_string_equal(dataset->files[i].path, path);
        assert_string_equal(dataset->files[i].tree, "events");
        assert_int_equal(dataset->files[i].entries, 10 * (i + 1));
    }
    assert_int_equal(dataset->entries, 780);
    assert_int_equal(dataset->schema->count, 2);
    assert_covers(dataset);
    dataset_free(&dataset);
    assert_null(dataset);
    dataset_free(&dataset);
}

static void a_tree_stands_after_the_last_colon(void **state)
{
    (void)state;
    hq_dataset *dataset = plan_one("two.root:second", 1000);
    assert_string_equal(dataset->files[0].path, "two.root");
    assert_string_equal(dataset->files[0].tree, "second");
    dataset_free(&dataset);
    dataset = plan_one("two.root:second;1", 1000);
    assert_string_equal(dataset->files[0].tree, "second");
    dataset_free(&dataset);
    dataset = plan_one("globbed/part0[0-3].root:events", 1000);
    assert_int_equal(dataset->file_count, 4);
    dataset_free(&dataset);
    dataset = plan_one("colon:name.root", 1000);
    assert_string_equal(dataset->files[0].path, "colon:name.root");
    dataset_free(&dataset);
    dataset = plan_one("colon:name.root:events", 1000);
    assert_string_equal(dataset->files[0].path, "colon:name.root");
    dataset_free(&dataset);
    dataset = plan_one("glob[1].root", 1000);
    assert_int_equal(dataset->entries, 4);
    dataset_free(&dataset);
}

static void partitions_are_even_and_end_at_borders(void **state)
{
    (void)state;
    static const struct {
        uint64_t target;
        size_t partitions;
    } cases[] = {{1000, 1}, {5000, 1}, {500, 2}, {334, 3}, {100, 10}, {50, 20}, {1, 20}, {0, 20}, {130, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_dataset *dataset = plan_one("clusters.root", cases[i].target);
        assert_int_equal(dataset->partition_count, cases[i].partitions);
        assert_covers(dataset);
        uint64_t smallest = UINT64_MAX, largest = 0;
        for (size_t j = 0; j < dataset->partition_count; j++) {
            uint64_t size = dataset->partitions[j].last - dataset->partitions[j].first;
            assert_int_equal(size % 50, 0); /* the clusters */
            smallest = size < smallest ? size : smallest;
            largest = size > largest ? size : largest;
        }
        assert_true(largest - smallest <= 50);
        dataset_free(&dataset);
    }
}

static void empty_files_add_nothing(void **state)
{
    (void)state;
    static const char *const specs[] = {"empty.root", "only_x.root", "empty.root", "jagged.root"};
    hq_dataset *dataset = plan(specs, 4, 100);
    assert_int_equal(dataset->file_count, 2);
    assert_string_equal(dataset->files[0].path, "only_x.root");
    assert_covers(dataset);
    dataset_free(&dataset);
    assert_one_refused("empty.root", HQ_EINVAL, "no entries in this dataset: empty.root is empty");
}

static void only_columns_that_all_files_have_are_left(void **state)
{
    (void)state;
    static const char *const specs[] = {"jagged.root", "globbed/part00.root", "n_is_long.root", "globbed/part01.root",
                                        "only_x.root"};
    hq_dataset *dataset = plan(specs, 1, 100);
    assert_non_null(schema_find(dataset->schema, "p"));
    assert_int_equal(schema_find(dataset->schema, "p")->depth, 1);
    assert_int_equal(schema_find(dataset->schema, "n")->type, HQ_INT32);
    dataset_free(&dataset);
    dataset = plan(specs, 2, 100);
    assert_null(schema_find(dataset->schema, "p"));
    assert_non_null(schema_find(dataset->schema, "n"));
    bool is_told = false;
    for (size_t i = 0; i < dataset->dropped_count; i++)
        is_told |= strcmp(dataset->dropped[i].name, "p") == 0 && dataset->dropped[i].file == 1;
    assert_true(is_told);
    dataset_free(&dataset);
    dataset = plan(specs, 3, 100);
    assert_null(schema_find(dataset->schema, "n")); /* int64 in one */
    dataset_free(&dataset);
    dataset = plan(specs, 5, 100);
    assert_int_equal(dataset->schema->count, 1);
    assert_string_equal(dataset->schema->fields[0].name, "x");
    dataset_free(&dataset);
}

static void wrong_specifications_are_named(void **state)
{
    (void)state;
    assert_refused((const char *const[]){""}, 0, HQ_EINVAL, "at least one file");
    assert_one_refused("missing.root", HQ_ENOTFOUND, "\"missing.root\": no such file");
    assert_one_refused("missing.root:events", HQ_ENOTFOUND, "\"missing.root\": no such file");
    assert_one_refused("nothing*.root", HQ_ENOTFOUND, "\"nothing*.root\": no file matches");
    assert_one_refused("nothing*.root:events", HQ_ENOTFOUND, "\"nothing*.root\": no file matches");
    assert_one_refused("only_x.root:nope", HQ_ENOTFOUND, "only_x.root");
    assert_one_refused("two.root", HQ_EINVAL, "second");
    assert_one_refused("text.root", HQ_EFORMAT, "text.root");
    assert_one_refused("", HQ_ENOTFOUND, "no such file");
    assert_one_refused(":", HQ_ENOTFOUND, "no such file");
    assert_one_refused("only_x.root:", HQ_ENOTFOUND, "no such file");
    assert_one_refused(".", HQ_EFORMAT, "it is a directory");
}

static void the_first_wrong_file_is_the_one_named(void **state)
{
    (void)state;
    static const char *const specs[] = {"globbed/part*.root", "text.root", "two.root", "two.root:nope"};
    for (int i = 0; i < 10; i++)
        assert_refused(specs, 4, HQ_EFORMAT, "text.root");
}

static void a_file_given_twice_is_refused(void **state)
{
    (void)state;
    static const char *const same[] = {"only_x.root", "jagged.root", "./only_x.root"};
    assert_refused(same, 3, HQ_EINVAL, "only_x.root and ./only_x.root are the same file");
    static const char *const glob[] = {"globbed/part0*.root", "globbed/part03.root:events"};
    assert_refused(glob, 2, HQ_EINVAL, "globbed/part03.root is given twice");
    static const char *const copied[] = {"copy.root", "only_x.root"};
    assert_refused(copied, 2, HQ_EINVAL, "copy.root and only_x.root are the same file");
    static const char *const trees[] = {"two.root:first", "two.root:second"};
    hq_dataset *dataset = plan(trees, 2, 100);
    hq_hash first = dataset_partition_identity(dataset, 0), second = dataset_partition_identity(dataset, 1);
    assert_memory_not_equal(&first, &second, sizeof first);
    dataset_free(&dataset);
}

static void identities_tell_datasets_apart(void **state)
{
    (void)state;
    static const char *const specs[] = {"only_x.root", "jagged.root"};
    static const char *const turned[] = {"jagged.root", "only_x.root"};
    hq_dataset *datasets[] = {plan(specs, 2, 100), plan(turned, 2, 100), plan(specs, 1, 100),
                              plan_one("clusters.root", 100), plan_one("clusters.root", 200)};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++) {
            hq_hash one = dataset_identity(datasets[i]), other = dataset_identity(datasets[j]);
            assert_memory_not_equal(&one, &other, sizeof one);
        }
    hq_dataset *again = plan_one("./clusters.root:events", 100);
    hq_hash one = dataset_identity(again), other = dataset_identity(datasets[3]);
    assert_memory_equal(&one, &other, sizeof one); /* another path to the same file */
    one = dataset_partition_identity(again, 3);
    other = partition_identity(&again->files[0].identity, "events", again->partitions[3].first,
                               again->partitions[3].last);
    assert_memory_equal(&one, &other, sizeof one);
    dataset_free(&again);
    for (size_t i = 0; i < 5; i++)
        dataset_free(&datasets[i]);
}

static void an_empty_dataset_has_partitions_without_entries(void **state)
{
    (void)state;
    hq_dataset *dataset = plan_one("empty:1000", 100);
    assert_int_equal(dataset->partition_count, 1000);
    assert_int_equal(dataset->entries, 0);
    assert_int_equal(dataset->file_count, 1);
    assert_int_equal(dataset->schema->count, 0);
    hq_hash one = dataset_partition_identity(dataset, 0), other = dataset_partition_identity(dataset, 999);
    assert_memory_not_equal(&one, &other, sizeof one);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(dataset->partitions[i].first, dataset->partitions[i].last);
    dataset_free(&dataset);
    assert_one_refused("empty:0", HQ_EINVAL, "from 1 to 10000000");
    assert_one_refused("empty:10000001", HQ_EINVAL, "from 1 to 10000000");
    assert_one_refused("empty:99999999999999999999", HQ_EINVAL, "from 1 to 10000000");
    assert_one_refused("empty:-1", HQ_EINVAL, "the number of partitions");
    static const char *const mixed[] = {"only_x.root", "empty:5"};
    assert_refused(mixed, 2, HQ_EINVAL, "stands alone");
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void named_datasets_are_looked_up(void **state)
{
    (void)state;
    write_text("globbed/datasets.conf", "# all of it\n[one]\nfiles = part00.root:events /abs/a.root\n  b*.root\n"
                                        "[two]\nfiles = empty:5\nfiles = c.root\n[none]\nfiles =\n");
    char **specs;
    size_t count;
    hq_reason reason;
    assert_int_equal(dataset_lookup("globbed/datasets.conf", "one", &specs, &count, &reason), HQ_OK);
    assert_int_equal(count, 3);
    assert_string_equal(specs[0], "globbed/part00.root:events");
    assert_string_equal(specs[1], "/abs/a.root");
    assert_string_equal(specs[2], "globbed/b*.root");
    dataset_specs_free(&specs, count);
    assert_null(specs);
    assert_int_equal(dataset_lookup("globbed/datasets.conf", "two", &specs, &count, &reason), HQ_OK);
    assert_int_equal(count, 2);
    assert_string_equal(specs[0], "empty:5");
    dataset_specs_free(&specs, count);
    assert_int_equal(dataset_lookup("globbed/datasets.conf", "three", &specs, &count, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "no dataset \"three\"; it has one, two, none"));
    assert_int_equal(dataset_lookup("globbed/datasets.conf", "none", &specs, &count, &reason), HQ_EINVAL);
    assert_int_equal(dataset_lookup("no.conf", "one", &specs, &count, &reason), HQ_ENOTFOUND);
}

static void a_wrong_list_of_datasets_names_its_line(void **state)
{
    (void)state;
    char **specs;
    size_t count;
    hq_reason reason;
    write_text("wrong.conf", "[one]\nfiles = a\nfile = b\n");
    assert_int_equal(dataset_lookup("wrong.conf", "one", &specs, &count, &reason), HQ_EINVAL);
    assert_non_null(strstr(reason.text, "wrong.conf:3: file: a dataset has only the key files"));
    write_text("wrong.conf", "files = a\n");
    assert_int_equal(dataset_lookup("wrong.conf", "one", &specs, &count, &reason), HQ_EINVAL);
    assert_non_null(strstr(reason.text, "wrong.conf:1: files: a dataset begins with its [name]"));
}

static void the_example_in_conf_is_valid(void **state)
{
    (void)state;
    char **specs;
    size_t count;
    hq_reason reason;
    char *path = hq_format("%s/conf/datasets.conf", getenv("HQ_SOURCE"));
    assert_int_equal(dataset_lookup(path, "zmumu", &specs, &count, &reason), HQ_ENOTFOUND);
    assert_non_null(strstr(reason.text, "it has none"));
    free(path);
}

int main(void)
{
    if (!getenv("HQ_PYTHON") || access(getenv("HQ_PYTHON"), X_OK) != 0) {
        puts("no Python with uproot to write the files with; scripts/setup installs it");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glob_gives_its_files_in_order),
        cmocka_unit_test(a_tree_stands_after_the_last_colon),
        cmocka_unit_test(partitions_are_even_and_end_at_borders),
        cmocka_unit_test(empty_files_add_nothing),
        cmocka_unit_test(only_columns_that_all_files_have_are_left),
        cmocka_unit_test(wrong_specifications_are_named),
        cmocka_unit_test(the_first_wrong_file_is_the_one_named),
        cmocka_unit_test(a_file_given_twice_is_refused),
        cmocka_unit_test(identities_tell_datasets_apart),
        cmocka_unit_test(an_empty_dataset_has_partitions_without_entries),
        cmocka_unit_test(named_datasets_are_looked_up),
        cmocka_unit_test(a_wrong_list_of_datasets_names_its_line),
        cmocka_unit_test(the_example_in_conf_is_valid),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
