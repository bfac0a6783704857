/* data/collections.h - inside the room: which jagged columns make a collection.
 *
 * Columns counted by the same thing belong together. The collection's name is the counter's without what marks it as
 * one
 * ("nMuon", "NMuon", "Muon_size", "Muon_"), if the columns' names go on from there with "_" or "."; else the columns'
 * common front up to the first of these. What does not fit, or would share its name with another column, stands alone.
 */
#ifndef HQ_DATA_COLLECTIONS_H
#define HQ_DATA_COLLECTIONS_H

#include <stddef.h>

/* A column of the tree, whatever the tree's format. */
typedef struct hq_counted {
    const char *name;
    const void *counter;       /* the same for all columns that the same thing counts; NULL: it can be no member */
    const char *counter_name;  /* NULL if the counter has none */
    char *collection, *member; /* set by collections_find, and then the caller's; NULL if it stands alone. Where they
                                  are set already they are left alone, and no other collection gets that name. */
} hq_counted;

/* Of all columns of a tree, those that can be no member too: a collection is not named as a column is. */
void collections_find(hq_counted *columns, size_t count);

#endif
