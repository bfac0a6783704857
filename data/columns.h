/* data/columns.h - inside the room: which columns the branches of a tree make.
 *
 * A leaf makes a column if its values are plain numbers:
 *   flat      one value an entry
 *   fixed     the same number of values in every entry, "x[3]", "m[2][2]"
 *   counted   as many items as another leaf says, "pt[nMuon]", the members of a split TClonesArray or STL collection;
 *             an item may be an array of fixed size
 *   vector    a std::vector, or another container of the kind, of numbers
 * and each number within any other leaf makes one if the way to it can be found:
 *   streamed  along a path of its layout
 * The counter of a split collection is a flat int32 column.
 */
#ifndef HQ_DATA_COLUMNS_H
#define HQ_DATA_COLUMNS_H

#include "data/layout.h"
#include "data/objects.h"

typedef enum hq_shape { SHAPE_FLAT, SHAPE_FIXED, SHAPE_COUNTED, SHAPE_VECTOR, SHAPE_STREAMED } hq_shape;

typedef struct hq_plan {
    const char *name; /* owned by its info */
    const hq_branch *branch;
    const hq_leaf *leaf;
    const hq_leaf *counter; /* of a counted column, and of a streamed member of a split collection */
    hq_type type;           /* of number */
    hq_shape shape;
    hq_number number;
    unsigned depth;  /* of its lists */
    uint32_t length; /* values of one item: of the entry if flat or fixed, of one of the counted items */
    uint32_t dimensions[MAX_DIMENSIONS]; /* whose product that is */
    size_t dimension_count;
    uint32_t record_at;   /* where in the entry's record the leaf begins (leaf lists) */
    uint32_t record_size; /* of the entry's record, if flat or fixed */
    uint32_t header_size; /* bytes before the values of a vector's entry */
    hq_path *path;        /* of a streamed column; owned */
    char *collection, *member;
} hq_plan;

typedef struct hq_columns {
    hq_branch_info *infos; /* texts are owned */
    size_t info_count, info_capacity;
    hq_schema *schema;
    hq_plan *plans; /* one for each field of the schema */
    size_t plan_count, plan_capacity;
    hq_layouts layouts;
    size_t *name_slots; /* infos by a hash of their names, open addressing; 0: free, else the index + 1 */
    size_t name_slot_count;
    const hq_branch *last_branch; /* of which an info was made */
} hq_columns;

/* Never fails: what cannot be a column is in infos with the reason. The file is asked for its classes only if a branch
 * cannot be understood without. */
void columns_make(const hq_file *file, const hq_model *model, hq_columns *columns_r);
void columns_clear(hq_columns *columns);

#endif
