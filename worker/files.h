/* worker/files.h - the trees a worker keeps open, shared by its executors. Thread-safe. */
#ifndef HQ_WORKER_FILES_H
#define HQ_WORKER_FILES_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "data/remote.h"
#include "data/tree.h"

typedef struct hq_files hq_files;
typedef struct hq_open_tree hq_open_tree;

/* How many of the trees that were used last keep what they have read for further columns (tree_rest). */
enum { FILES_AWAKE = 8 };

/* At most limit trees stay open when nobody uses them; the one unused longest is closed first. remote: how files of
 * servers are read; NULL: as data/remote.h has it. */
hq_files *files_new(size_t limit, const hq_remote_settings *remote);
/* None may be in use. */
void files_free(hq_files **files_p);

/* The tree, opened or found open; in use until files_release. HQ_EMISMATCH if the file at that path is not (any more)
 * the one of this identity. Errors are tree.h's. */
hq_error files_get(hq_files *files, const char *path, const char *tree, const hq_hash *identity, hq_open_tree **open_r,
                   hq_reason *reason);
const hq_tree *files_tree(const hq_open_tree *open);
void files_release(hq_files *files, hq_open_tree **open_p);

#endif
