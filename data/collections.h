/* data/collections.h - inside the room: which counted columns make a collection.
 *
 * Columns counted by the same leaf belong together. The collection's name is the counter's without what marks it as one
 * ("nMuon", "NMuon", "Muon_size", "Muon_"), if the columns' names go on from there with "_" or "."; else the columns'
 * common front up to the first of these. What does not fit, or would share its name with another column, stands alone.
 */
#ifndef HQ_DATA_COLLECTIONS_H
#define HQ_DATA_COLLECTIONS_H

#include "data/columns.h"

/* Sets collection and member of the plans. */
void collections_find(hq_plan *plans, size_t count);

#endif
