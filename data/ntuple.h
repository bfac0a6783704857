/* data/ntuple.h - inside the room: an RNTuple behind the functions of data/tree.h, whose contracts are theirs.
 */
#ifndef HQ_DATA_NTUPLE_H
#define HQ_DATA_NTUPLE_H

#include "data/rootfile.h"
#include "data/staged.h"

typedef struct hq_ntuple hq_ntuple;

/* The file must outlive it. */
hq_error ntuple_open(const hq_file *file, const hq_tree_key *key, hq_ntuple **ntuple_r, hq_reason *reason);
void ntuple_close(hq_ntuple **ntuple_p);

uint64_t ntuple_entries(const hq_ntuple *ntuple);
const hq_branch_info *ntuple_infos(const hq_ntuple *ntuple, size_t *count_r);
const hq_schema *ntuple_schema(const hq_ntuple *ntuple);
/* The borders of its clusters. */
void ntuple_borders(const hq_ntuple *ntuple, uint64_t **borders_r, size_t *count_r);
/* A column by its number in the schema; first and last are in their order and not above the entries. It is read through
 * file, which is that of the RNTuple or a copy of it. */
hq_error ntuple_read(const hq_ntuple *ntuple, const hq_file *file, size_t column, uint64_t first, uint64_t last,
                     size_t limit, hq_column **column_r, hq_reason *reason);
/* As tree_rest and tree_kept_bytes. */
void ntuple_rest(const hq_ntuple *ntuple);
size_t ntuple_kept_bytes(const hq_ntuple *ntuple);
/* Wants the pages that ntuple_read will read, as far as can be told before: those of clusters that are wanted whole. */
void ntuple_stage(const hq_ntuple *ntuple, size_t column, uint64_t first, uint64_t last, hq_staged *staged);

#endif
