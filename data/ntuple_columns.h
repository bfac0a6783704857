/* data/ntuple_columns.h - inside the room: which columns the fields of an RNTuple make.
 *
 * Every field that has numbers makes a column. Its name is the path to it, as the branch of a TTree would be called:
 * members of a record behind a dot ("jet.p4.pt"), those of a collection of nameless records behind "_" ("Muon_pt"),
 * while elements of vectors and arrays go by the name of what holds them.
 */
#ifndef HQ_DATA_NTUPLE_COLUMNS_H
#define HQ_DATA_NTUPLE_COLUMNS_H

#include "data/ntuple_model.h"

/* A step from the entry to its values: from each thing of the level above to a list of things. */
typedef struct hq_nt_level {
    uint32_t field;  /* the collection whose index says how long the list is; HQ_NO_FIELD for an array of fixed size, */
    uint64_t length; /* which this is */
} hq_nt_level;

typedef struct hq_nt_plan {
    const char *name; /* owned by its info */
    hq_type type;
    uint32_t field; /* that of the numbers, or the collection whose elements are counted */
    bool is_count;  /* the lengths of lists, which the collection's index tells */
    hq_nt_level levels[HQ_MAX_DEPTH];
    uint32_t depth; /* of levels */
    char *collection, *member;
    const char *counter; /* the name of the column that has the number of values in each entry; NULL if there is none */
} hq_nt_plan;

typedef struct hq_nt_columns {
    hq_branch_info *infos; /* texts are owned */
    size_t info_count, info_capacity;
    hq_schema *schema;
    hq_nt_plan *plans; /* one for each field of the schema */
    size_t plan_count, plan_capacity;
} hq_nt_columns;

/* Never fails: what cannot be a column is in infos with the reason. */
void ntcolumns_make(const hq_nt_model *model, hq_nt_columns *columns_r);
void ntcolumns_clear(hq_nt_columns *columns);

#endif
