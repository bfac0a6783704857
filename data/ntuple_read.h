/* data/ntuple_read.h - inside the room: from the pages of an RNTuple to a column.
 */
#ifndef HQ_DATA_NTUPLE_READ_H
#define HQ_DATA_NTUPLE_READ_H

#include "data/ntuple_columns.h"
#include "data/ntuple_index.h"
#include "data/staged.h"

/* Which RNTuple of which file. */
typedef struct hq_nt_place {
    const hq_file *file;
    const char *ntuple; /* for messages */
    const hq_nt_model *model;
    hq_nt_indices *indices; /* looked into before an index is decoded */
} hq_nt_place;

/* Entries first up to last of one column; the contract is tree_read's. */
hq_error ntuple_read_column(const hq_nt_place *place, const hq_nt_plan *plan, uint64_t first, uint64_t last,
                            size_t limit, hq_column **column_r, hq_reason *reason);

/* Wants the pages of the clusters that lie within the entries. */
void ntuple_stage_column(const hq_nt_model *model, const hq_nt_plan *plan, uint64_t first, uint64_t last,
                         hq_staged *staged);

#endif
