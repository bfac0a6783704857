/* data/recalled.h - inside the room: a shelf as planning uses it.
 */
#ifndef HQ_DATA_RECALLED_H
#define HQ_DATA_RECALLED_H

#include "data/fileplan.h"
#include "data/shelf.h"
#include "data/specs.h"

typedef struct hq_recalled hq_recalled;

/* Asks the shelf for the plans of all files, then for the schemas that those name. Never NULL; the same schema is the
 * same pointer in all plans. */
hq_recalled *shelf_recall(hq_shelf *shelf, const hq_wanted *wanted);
void recalled_free(hq_recalled **recalled_p);
/* Of a file that was wanted, whether or not it still is what it was; NULL if nothing is known. */
const hq_file_plan *recalled_plan(const hq_recalled *recalled, size_t file);

/* A plan and its schema as bytes. */
typedef struct hq_new_plan {
    hq_hash key, schema_key;
    hq_buffer bytes, schema;
} hq_new_plan;

hq_new_plan shelf_encode(const hq_wanted_file *wanted, const hq_file_plan *plan);
/* Moves them to the shelf's records, the schema unless it is there already, and clears the rest. One thread at a time.
 */
void shelf_add(hq_shelf *shelf, hq_new_plan *plan);

#endif
