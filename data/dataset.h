/* data/dataset.h - a dataset: an ordered list of files with one tree in each, and the partitions it is cut into.
 *
 * A specification is a list of texts, each a path or a glob (* ? [set], not ~) with an optional ":Tree"
 * ("/data/z*.root:events"), a URL (http, https, root) with one ("root://host//z.root:events"; for root the file's name
 * may be a glob of * and [set]), or, alone, "empty:N", a dataset of N partitions without entries and without columns,
 * which measures a cluster's own cost.
 *
 * The text as a whole is tried as a path and as a glob before what follows its last ':' is taken for a tree. A glob's
 * files come in the order of their bytes, so that it names the same dataset everywhere.
 */
#ifndef HQ_DATA_DATASET_H
#define HQ_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/schema.h"

struct hq_remote;
struct hq_shelf;

typedef struct hq_dataset_file {
    char *path;
    char *tree; /* the tree's path within the file, without cycle; "" in an "empty:N" */
    hq_hash identity;
    uint64_t entries;
} hq_dataset_file;

typedef struct hq_partition {
    uint32_t file;        /* index into files */
    uint64_t first, last; /* entries, last exclusive */
} hq_partition;

/* A column of the first file that is no column of the dataset, and a file that lacks it or has it in another type. */
typedef struct hq_dropped {
    char *name, *collection, *member; /* as hq_field has them */
    uint32_t file;                    /* index into files */
} hq_dropped;

/* A file that was asked for and is none of the dataset's, because it cannot be read. */
typedef struct hq_left_out {
    char *path;
    hq_error error;
    char *text;
} hq_left_out;

typedef struct hq_dataset {
    hq_dataset_file *files; /* those that have entries */
    size_t file_count;
    hq_partition *partitions; /* in the order of files and entries */
    size_t partition_count;
    uint64_t entries;
    hq_schema *schema; /* that of the first file that has entries; columns that a later file lacks or has in another
                          type are dropped */
    hq_dropped *dropped;
    size_t dropped_count;
    hq_left_out *left_out; /* in the order they were found in */
    size_t left_out_count;
} hq_dataset;

/* Opens every file once, several at a time, and cuts it at borders into partitions of about target_entries, as even as
 * the borders allow (a partition is never smaller than the stretch between two borders; with a target of 0 each stretch
 * is one). HQ_ENOTFOUND: a path or a glob that matches nothing; HQ_EFORMAT, HQ_EUNSUPPORTED …: naming the file;
 * HQ_EINVAL: no entries in the whole dataset, saying so, or the same tree of the same file twice (by the file's
 * identity, whatever its path), since its events would count twice; HQ_ELIMIT: more than 10 million partitions. An
 * empty file among others adds nothing.
 *
 * "empty:N" has one pseudo file; partition i of it is the empty range from i to i, so that each has its own identity.
 */
hq_error dataset_plan(const char *const *specs, size_t spec_count, uint64_t target_entries, hq_dataset **dataset_r,
                      hq_reason *reason);
/* The same, with files of servers read through remote (data/remote.h) instead of one for this call. With a shelf
 * (data/shelf.h; NULL: none) files whose plan is on it, and that have not changed since, are not opened; the data set
 * is the same. With skips_bad a
 * file that cannot be read (not there, truncated, no ROOT file, without such a tree) is left out and noted instead of
 * failing all; a glob must still match something, and one file must be good: else it is the first bad one's error. */
hq_error dataset_plan_through(struct hq_remote *remote, const char *const *specs, size_t spec_count,
                              uint64_t target_entries, bool skips_bad, struct hq_shelf *shelf, hq_dataset **dataset_r,
                              hq_reason *reason);
/* Notes a file as left out; the partitions stay. The texts are copied. */
void dataset_note_left_out(hq_dataset *dataset, const char *path, hq_error error, const char *text);
/* Takes files out, with their partitions and entries: those for which is_out has true. */
void dataset_take_out(hq_dataset *dataset, const bool *is_out);
void dataset_free(hq_dataset **dataset_p);

/* The identity of one partition, partition_identity of its file, tree and entry range. */
hq_hash dataset_partition_identity(const hq_dataset *dataset, size_t index);
/* The identity of the whole: equal if and only if the same partitions of the same files come in the same order. */
hq_hash dataset_identity(const hq_dataset *dataset);

/* Whether the text can name a dataset: letters, digits, '_', '-', '.' and '+', at most 100, a letter, a digit or '_'
 * first, and no ".root" within, as files have it. */
bool dataset_is_name(const char *text);

/* Named datasets, from a file as conf/datasets.conf shows: "[name]" and "files = spec spec …". A relative path in it is
 * relative to the folder of the file. On HQ_OK *specs_r is an array of *count_r texts; free with dataset_specs_free.
 * HQ_ENOTFOUND if the file has no such name (the text lists those it has), HQ_EINVAL for a file that is wrong. */
hq_error dataset_lookup(const char *config_path, const char *name, char ***specs_r, size_t *count_r, hq_reason *reason);
void dataset_specs_free(char ***specs_p, size_t count);

#endif
