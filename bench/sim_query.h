/* bench/sim_query.h - a query as simulated workers know it: its files, its columns, and the one answer that every
 * subtask of it gets. Nothing is compiled to machine code.
 */
#ifndef HQ_BENCH_SIM_QUERY_H
#define HQ_BENCH_SIM_QUERY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "wire/message.h"
#include "wire/records.h"

typedef struct sim_query {
    uint32_t handle;
    int holders;       /* workers that know it */
    int64_t id;        /* of this process; never used again, as a handle is by a broker that begins anew */
    uint32_t *columns; /* numbers of their names, the same in all queries of the process */
    size_t column_count;
    hq_file_entry *files;
    size_t file_count;
    hq_buffer contents; /* of its histograms with something in every bin; empty if they were not asked for */
} sim_query;

typedef struct sim_queries sim_queries;

/* fills: answers have contents. */
sim_queries *sim_queries_new(bool fills);
void sim_queries_free(sim_queries **queries_p);

/* The query of a QUERY, read if it is not known yet, and held once more. HQ_EPROTOCOL if it is malformed. */
hq_error sim_queries_take(sim_queries *queries, const hq_message *message, sim_query **query_r, hq_reason *reason);
/* Nulls the pointer; the last holder's release forgets the query. */
void sim_queries_release(sim_queries *queries, sim_query **query_p);

#endif
