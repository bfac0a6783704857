/* broker/sink.h - one query's partials become its result.
 *
 * Each subtask is counted once, whatever comes late or twice. The partials of each file are merged in a binary tree
 * over its subtasks, and the files' sums in one over the files. A tree's shape depends on the number of its leaves
 * only: a node is its left child + its right child, and waits for both. So every floating-point sum is made in the same
 * order, and the result is the same bit for bit whatever the number of workers, their order and their failures; and one
 * without some of the files is that of a query which never knew of them.
 *
 * A sink has two halves. The tally knows which subtasks have come and which files are left out: a bit each. The trees
 * hold the sums. Each half belongs to one thread at a time, and they may be two threads' (broker/merge.c); what is said
 * of neither below is for one thread that has both. Subtrees have nothing to do with each other, so several threads may
 * merge into the trees of a sink that is shared. A sink knows no sockets.
 */
#ifndef HQ_BROKER_SINK_H
#define HQ_BROKER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "query/hist.h"

typedef struct hq_sink hq_sink;

/* A sink for file_count > 0 files of sizes[i] > 0 subtasks each, which are numbered through; shape is a set of the
 * query's histograms, of which only the shape is used. With can_leave_out the sum of a file waits until it is known for
 * every file before it whether it counts, which may take more memory. */
hq_sink *sink_new(const uint32_t *sizes, size_t file_count, const hq_histset *shape, bool can_leave_out);
void sink_free(hq_sink **sink_p);

/* Counts the partial of one subtask and merges it: contents are of histset_encode, or none for a partial whose bins are
 * all empty. HQ_EEXISTS, and nothing happens, if it was counted before; HQ_EFORMAT, and it is not counted, if the bytes
 * do not fit. */
hq_error sink_add(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason);

/* Forgets what came of a file, for a sink that was made for it: its subtasks are done, whatever may still come of them.
 * Nothing happens if the file is complete, or left out already. */
void sink_leave_out(hq_sink *sink, size_t file);

/* The bytes of one set of the query's histograms, every bin counted. For any thread. */
size_t sink_set_bytes(const hq_sink *sink);
/* The file that a subtask is of. For any thread. */
size_t sink_file(const hq_sink *sink, uint32_t index);

/* ---- the tally ---- */

/* The partial of a subtask is about to be added: what it is merged with is sent for from memory. */
void sink_expect(const hq_sink *sink, uint32_t index);
bool sink_has(const hq_sink *sink, uint32_t index);
bool sink_is_left_out(const hq_sink *sink, size_t file);
/* How many subtasks need nothing more. */
uint32_t sink_done(const hq_sink *sink);
bool sink_is_complete(const hq_sink *sink);
/* Of sink_add and sink_leave_out the part that is the tally's. The subtask was not counted before; false if the file is
 * complete or left out. */
void sink_count(hq_sink *sink, uint32_t index);
bool sink_cross_out(hq_sink *sink, size_t file);

/* ---- the trees ---- */

/* From now on any number of threads may call sink_merge at once, for different subtasks; for all else the trees are one
 * thread's still, and nothing is merged meanwhile. */
void sink_share(hq_sink *sink);

/* Of sink_add and sink_leave_out the part that is the trees'. A subtask that was merged must not come again, a file
 * that is whole or was cut must not be cut. */
hq_error sink_merge(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason);
void sink_cut(hq_sink *sink, size_t file);

/* The bytes of what waits for its sibling. A set of up to 1 MiB waits as it is, a larger one packed (histset_encode).
 * For any thread. */
size_t sink_bytes(const hq_sink *sink);

/* From now on the sum of what came is kept up as well, for sink_so_far; it costs a second merge for each partial, so it
 * is done for sets of up to 16 MiB only. */
void sink_watch(hq_sink *sink);
/* What came so far, added in the order of its coming: for a person who watches, not for the store. Empty unless it is
 * watched, NULL if it is too large for that. Valid until the next sink_merge. */
const hq_histset *sink_so_far(const hq_sink *sink);

/* The sum of all files that count, once every subtask was merged or cut; NULL before. Belongs to the sink. */
const hq_histset *sink_result(hq_sink *sink);

/* Frees what the trees hold: nothing is merged, and nothing asked of them, after that. */
void sink_drop(hq_sink *sink);

#endif
