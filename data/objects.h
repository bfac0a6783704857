/* data/objects.h - inside the room: from the bytes of entries to one column, along a layout.
 *
 * The way from the layout's root to the number that is wanted is a path of nodes. Entries are walked twice: once to
 * count lists and values, so that the column can be made as large as it must be, and once to fill it.
 */
#ifndef HQ_DATA_OBJECTS_H
#define HQ_DATA_OBJECTS_H

#include "data/bytes.h"
#include "data/layout.h"

enum { MAX_PATH = 24 };

typedef struct hq_path {
    const hq_node *nodes[MAX_PATH]; /* from the root to a NODE_NUMBER or NODE_BITS */
    uint16_t child[MAX_PATH];       /* which of its children each leads to */
    size_t count;
    unsigned depth; /* of the lists on the way */
} hq_path;

/* What has been found so far, of all entries walked. */
typedef struct hq_harvest {
    uint64_t lists[HQ_MAX_DEPTH]; /* on each level, outermost first */
    uint64_t items[HQ_MAX_DEPTH]; /* in these lists */
    uint64_t values;
    hq_column *column; /* where it goes; NULL: it is only counted */
} hq_harvest;

/* Walks one entry, which begins where the cursor is. If has_end the bytes end with the entry, and what lies behind the
 * wanted number is left alone; else the cursor stands behind the entry afterwards. A mistake turns the cursor bad. With
 * harvest NULL the entry is stepped over. */
void objects_walk(const hq_path *path, hq_bytes *bytes, bool has_end, hq_harvest *harvest);

/* The column for all that was counted over so many entries; NULL if it takes more than limit bytes. */
hq_column *objects_column(const hq_path *path, const hq_harvest *counted, uint64_t entries, size_t limit);

/* The type of the column's values. */
hq_number path_number(const hq_path *path);

#endif
