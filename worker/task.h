/* worker/task.h - a query as a worker knows it, and the execution of one order of it.
 *
 * A task is made by the thread that talks to the broker and used by all executors; it lives as long as anybody holds
 * it.
 */
#ifndef HQ_WORKER_TASK_H
#define HQ_WORKER_TASK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/schema.h"
#include "query/code.h"
#include "wire/message.h"
#include "wire/records.h"
#include "worker/codes.h"
#include "worker/supply.h"

typedef struct hq_task hq_task;

/* From a QUERY. HQ_EPROTOCOL if it is malformed. Held once by the caller. codes (may be NULL) is where its machine code
 * may be already, and is kept; it must outlast the task. */
hq_error task_new(const hq_message *query, hq_codes *codes, hq_task **task_r, hq_reason *reason);
hq_task *task_hold(hq_task *task);
/* Nulls the pointer; the last one to release it frees it. */
void task_release(hq_task **task_p);

uint32_t task_handle(const hq_task *task);
/* Counts one more order of it that was given to executors; how many there were before. For one thread. */
size_t task_count_order(hq_task *task);
/* Ends what executors compute of it, as soon as they look. */
void task_cancel(hq_task *task);
bool task_is_cancelled(const hq_task *task);
/* The same for one order of it, whether it has begun or not. */
void task_drop(hq_task *task, uint32_t index);

/* What one executor keeps for one task from order to order: its histograms. */
typedef struct hq_bench hq_bench;

typedef struct hq_outcome {
    uint64_t entries, read_bytes, cached_bytes;
    uint32_t load_us, run_us; /* until the columns were there, and in the loop */
    hq_buffer contents;       /* of the histograms, nothing if all bins are empty; the caller clears it */
    hq_failure failure;       /* error is HQ_OK if it went well */
} hq_outcome;

/* Executes an order: compiles the text if nobody has, gets the columns, runs the loop. Blocks. *bench_p is NULL at
 * first, is kept by the executor for its next order of this task, and is released with bench_free. HQ_ECANCELLED in the
 * outcome if the task was cancelled, or the order dropped. */
void task_execute(hq_task *task, const hq_order *order, const hq_supply *supply, hq_bench **bench_p,
                  hq_outcome *outcome_r);
void bench_free(hq_bench **bench_p);

/* Reads the columns of an order that is to be executed later. The caller clears what it holds, also after an error.
 * Blocks; HQ_ECANCELLED if the task is cancelled meanwhile. */
hq_error task_read_ahead(hq_task *task, const hq_order *order, const hq_supply *supply, hq_held *held_r);

/* True if the order's file, or any of the task's, is a server's. */
bool task_reads_server(const hq_task *task, const hq_order *order);
bool task_has_servers(const hq_task *task);

#endif
