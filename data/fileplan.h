/* data/fileplan.h - inside the room: what planning has to know of one file and one tree in it.
 *
 * It is found out by opening both, or comes as bytes that were kept. The bytes are little-endian: "HQF" and the version
 * of this format; u64 size, u64 time of modification and u64 time of change in ns; u8 1 and a text, or u8 0: the
 * version; 16 bytes UUID; text path of the tree; u64 entries; 16 bytes key of the schema; u32 number of borders, and
 * those, u64 each. The schema, which many files share, is a record of its own (schema_encode). What was kept by
 * somebody may be anything, and is worth nothing unless the file still is what it was made from.
 */
#ifndef HQ_DATA_FILEPLAN_H
#define HQ_DATA_FILEPLAN_H

#include "data/source.h"
#include "data/tree.h"

typedef struct hq_file_plan {
    hq_stamp stamp; /* of the file; changed_ns 0: of a server */
    char *version;  /* as hq_source has it */
    uint8_t uuid[16];
    hq_hash identity; /* of the file, from all of these */
    char *tree;       /* path, without cycle */
    uint64_t entries;
    uint64_t *borders; /* tree_borders; none if there are no entries */
    size_t border_count;
    const hq_schema *schema; /* borrowed: the tree's, or a recalled one; NULL in what was just decoded */
    hq_hash schema_key;      /* of what was decoded */
} hq_file_plan;

/* The schema stays the tree's. */
void fileplan_make(const hq_file *file, const hq_tree *tree, hq_file_plan *plan_r);
void fileplan_clear(hq_file_plan *plan);

/* What a plan is kept under: the file's path and the tree that was asked for, NULL for the only one. Another version of
 * the reader, which may find other columns or borders, has other keys. */
hq_hash fileplan_key(const char *path, const char *tree);
/* What a schema's bytes are kept under: a hash of them. */
hq_hash fileplan_schema_key(const void *bytes, size_t size);

void fileplan_encode(const hq_file_plan *plan, const hq_hash *schema_key, hq_buffer *buffer);
/* HQ_EFORMAT, and nothing in *plan_r, for bytes that are no plan. */
hq_error fileplan_decode(const void *bytes, size_t size, hq_file_plan *plan_r, hq_reason *reason);

#endif
