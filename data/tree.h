/* data/tree.h - ROOT files: their trees and their columns, without ROOT.
 *
 * A tree is a TTree or an RNTuple; here they are the same. Both formats are described in docs/formats.md, byte by byte
 * and with references.
 *
 * A file and its trees are read-only once open, and tree_read may be called by many threads at once (reads are
 * positional).
 */
#ifndef HQ_DATA_TREE_H
#define HQ_DATA_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/column.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/schema.h"

typedef struct hq_file hq_file;
typedef struct hq_tree hq_tree;

struct hq_remote;

/* Opens a ROOT file: a path on this machine, or a URL (http, https, root). HQ_ENOTFOUND, HQ_EIO, HQ_EFORMAT (not a ROOT
 * file, truncated, …), and what data/source.h says of servers, each naming the file. */
hq_error rootfile_open(const char *path, hq_file **file_r, hq_reason *reason);
/* The same; URLs through remote (data/remote.h), which must outlive the file, so that files share connections. */
hq_error rootfile_open_through(struct hq_remote *remote, const char *path, hq_file **file_r, hq_reason *reason);
/* Its trees must be closed before. */
void rootfile_close(hq_file **file_p);

const char *rootfile_path(const hq_file *file);
/* Who this file is: its UUID, size and modification time in one hash; the same path rewritten is another file. */
hq_hash rootfile_identity(const hq_file *file);
uint64_t rootfile_size(const hq_file *file);

/* The trees of a file, directories included ("dir/Events"), each once, in its latest cycle. */
typedef struct hq_tree_name {
    char *path; /* "Events", "dir/Events" */
    char *title;
    uint16_t cycle;
    bool is_rntuple;
} hq_tree_name;

hq_error rootfile_list(hq_file *file, hq_tree_name **names_r, size_t *count_r, hq_reason *reason);
void tree_names_free(hq_tree_name **names_p, size_t count);

/* Opens one tree; name may carry a cycle ("events;1") and may be NULL if the file has just one tree (HQ_EINVAL, with
 * the names, if it has several). The file must outlive the tree. */
hq_error tree_open(hq_file *file, const char *name, hq_tree **tree_r, hq_reason *reason);
void tree_close(hq_tree **tree_p);

const char *tree_path(const hq_tree *tree);
uint64_t tree_entries(const hq_tree *tree);

/* What stands in the tree, readable or not. */
typedef struct hq_branch_info {
    const char *name;  /* full name, unique in the tree */
    const char *title; /* the leaf list, "pt[nMuon]/F" */
    const char *type;  /* as a person reads it: "float32[nMuon]", "vector<string>" */
    uint64_t entries, baskets, compressed_bytes, uncompressed_bytes;
    const char *unreadable; /* NULL if it is a column of the schema, else why not */
} hq_branch_info;

size_t tree_branch_count(const hq_tree *tree);
const hq_branch_info *tree_branch(const hq_tree *tree, size_t index);

/* The readable columns. Owned by the tree. */
const hq_schema *tree_schema(const hq_tree *tree);

/* Entries at which a partition may begin, ascending, the first 0 and the last tree_entries: the cluster borders, or
 * basket borders where the tree has none, so that no basket of the common branches is read by two partitions. The
 * caller frees them. */
void tree_borders(const hq_tree *tree, uint64_t **borders_r, size_t *count_r);

/* Entries first up to last, exclusive, of one column. HQ_ENOTFOUND for a name that is not in the schema, HQ_EFORMAT
 * naming file, branch and offset for bytes that are not what they must be, HQ_ELIMIT if it takes more than limit bytes.
 */
hq_error tree_read(const hq_tree *tree, const char *name, uint64_t first, uint64_t last, size_t limit,
                   hq_column **column_r, hq_reason *reason);

/* Reading keeps what other columns of the same entries will need (16 MiB at most, outside of any limit), and of a file
 * of this machine holds some pages (data/mapped.h). For a tree that stays open but is not read for a while: gives that
 * back. */
void tree_rest(const hq_tree *tree);
size_t tree_kept_bytes(const hq_tree *tree);

/* What several columns need of a file, fetched from its server in one journey. */
typedef struct hq_stage hq_stage;

/* For entries first up to last of the columns of those names; names that are none of the schema are passed over. NULL
 * and HQ_OK if the file is none of a server, or it is too much to be fetched at once. Errors are those of reading from
 * a server. The tree must outlive it. */
hq_error tree_stage(const hq_tree *tree, const char *const *names, size_t count, uint64_t first, uint64_t last,
                    hq_stage **stage_r, hq_reason *reason);
void stage_free(hq_stage **stage_p);

/* tree_read, with what lies in stage, which may be NULL, taken from there. */
hq_error tree_read_staged(const hq_tree *tree, const hq_stage *stage, const char *name, uint64_t first, uint64_t last,
                          size_t limit, hq_column **column_r, hq_reason *reason);

#endif
