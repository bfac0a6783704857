/* data/leaves.h - inside the room: what one leaf of a branch holds.
 */
#ifndef HQ_DATA_LEAVES_H
#define HQ_DATA_LEAVES_H

#include "data/columns.h"

typedef struct hq_finding {
    hq_plan plan; /* without a name, and without its place in the record */
    const hq_node
        *root;    /* of a leaf that is more than numbers in a row; its members are columns. NULL for all others */
    char *type;   /* as a person reads it */
    char *reason; /* why it is no column, or NULL */
} hq_finding;

/* The caller frees type and reason. */
hq_finding leaf_find(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf);

/* A split collection's own branch, which has the number of its objects. */
bool branch_is_collection(const hq_branch *branch);

#endif
