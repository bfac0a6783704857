/* data/borders.h - inside the room: where a tree may be cut so that partitions waste little.
 */
#ifndef HQ_DATA_BORDERS_H
#define HQ_DATA_BORDERS_H

#include "data/columns.h"

/* The contract is tree_borders'. */
void borders_find(const hq_model *model, const hq_columns *columns, uint64_t **borders_r, size_t *count_r);

#endif
