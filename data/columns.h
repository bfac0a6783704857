/* data/columns.h - inside the room: which columns the branches of a tree make.
 *
 * A leaf makes a column if its values are plain numbers:
 *   flat      one value an entry
 *   fixed     the same number of values in every entry, "x[3]", "m[2][2]" (rows one after the other)
 *   counted   as many as another leaf says, "pt[nMuon]", the members of a split TClonesArray or STL collection
 *   vector    a std::vector of numbers that is a branch of its own
 * All but flat are jagged columns. The counter of a split collection is a flat int32 column.
 */
#ifndef HQ_DATA_COLUMNS_H
#define HQ_DATA_COLUMNS_H

#include "data/model.h"

typedef enum hq_shape { SHAPE_FLAT, SHAPE_FIXED, SHAPE_COUNTED, SHAPE_VECTOR } hq_shape;

typedef struct hq_plan {
    const char *name; /* owned by its info */
    const hq_branch *branch;
    const hq_leaf *leaf;
    const hq_leaf *counter; /* of a counted column */
    hq_type type;
    hq_shape shape;
    uint32_t length;      /* values of one item: of the entry if flat or fixed, of one of the counted items */
    uint32_t record_at;   /* where in the entry's record the leaf begins (leaf lists) */
    uint32_t record_size; /* of the entry's record, if flat or fixed */
    uint32_t header_size; /* bytes before the values of a vector's entry */
    char *collection, *member;
} hq_plan;

typedef struct hq_columns {
    hq_branch_info *infos; /* texts are owned */
    size_t info_count, info_capacity;
    hq_schema *schema;
    hq_plan *plans; /* one for each field of the schema */
    size_t plan_count, plan_capacity;
} hq_columns;

/* Never fails: what cannot be a column is in infos with the reason. */
void columns_make(const hq_model *model, hq_columns *columns_r);
void columns_clear(hq_columns *columns);

#endif
