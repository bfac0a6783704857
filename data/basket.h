/* data/basket.h - inside the room: from baskets to a column.
 */
#ifndef HQ_DATA_BASKET_H
#define HQ_DATA_BASKET_H

#include "data/columns.h"
#include "data/staged.h"

/* Which tree of which file, for messages. */
typedef struct hq_basket_place {
    const hq_file *file;
    const char *tree;
} hq_basket_place;

/* Entries first up to last of one column; counter is the plan of its counter, if that is a readable flat column. The
 * contract is tree_read's. */
hq_error basket_read_column(const hq_basket_place *place, const hq_plan *plan, const hq_plan *counter, uint64_t first,
                            uint64_t last, size_t limit, hq_column **column_r, hq_reason *reason);

/* Wants the baskets that basket_read_column will read of the column, but not those of its counter. */
void basket_stage_column(const hq_plan *plan, uint64_t first, uint64_t last, hq_staged *staged);

#endif
