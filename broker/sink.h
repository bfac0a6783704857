/* broker/sink.h - one query's partials become its result.
 *
 * Each subtask is counted once, whatever comes late or twice. Partials are merged in a binary tree over the subtasks'
 * indexes whose shape depends on their number only: a node is its left child + its right child, and waits for both. So
 * every floating-point sum is made in the same order, and the result is the same bit for bit whatever the number of
 * workers, their order and their failures.
 *
 * A sink knows no sockets and belongs to one thread.
 */
#ifndef HQ_BROKER_SINK_H
#define HQ_BROKER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "query/hist.h"

typedef struct hq_sink hq_sink;

/* A sink for count > 0 subtasks; shape is a set of the query's histograms, of which only the shape is used. */
hq_sink *sink_new(uint32_t count, const hq_histset *shape);
void sink_free(hq_sink **sink_p);

bool sink_has(const hq_sink *sink, uint32_t index);

/* Counts the partial of one subtask: contents are of histset_encode, or none for a partial whose bins are all empty.
 * HQ_EEXISTS, and nothing happens, if it was counted before; HQ_EFORMAT, and it is not counted, if the bytes do not
 * fit. */
hq_error sink_add(hq_sink *sink, uint32_t index, const void *contents, size_t size, hq_reason *reason);

uint32_t sink_done(const hq_sink *sink);
bool sink_is_complete(const hq_sink *sink);

/* The bytes of what waits for its sibling. A set of up to 1 MiB waits as it is, a larger one packed (histset_encode).
 */
size_t sink_bytes(const hq_sink *sink);

/* From now on the sum of what came is kept up as well, for sink_so_far; it costs a second merge for each partial, so
 * it is done for sets of up to 1 MiB only. */
void sink_watch(hq_sink *sink);
/* What came so far, added in the order of its coming: for a person who watches, not for the store. Empty unless it is
 * watched, NULL if it is too large for that. Valid until the next sink_add. */
const hq_histset *sink_so_far(const hq_sink *sink);

/* The result; NULL unless complete. Belongs to the sink. */
const hq_histset *sink_result(hq_sink *sink);

#endif
