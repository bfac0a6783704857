/* base/schema.h - what columns a tree has: the one thing that a file's reader and the query language must agree on.
 *
 * A collection is a set of jagged columns that have the same number of values in every entry: nMuon with
 * Muon_pt[nMuon], Muon_eta[nMuon] is the collection "Muon" with members "pt", "eta". A jagged column outside any
 * collection stands alone, and so does every column of lists of lists.
 */
#ifndef HQ_BASE_SCHEMA_H
#define HQ_BASE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/column.h"
#include "base/error.h"

typedef struct hq_field {
    char *name;       /* the column's full name in the file, unique in the schema */
    char *collection; /* "Muon"; NULL outside any collection */
    char *member;     /* "pt"; NULL outside any collection */
    hq_type type;
    uint8_t depth; /* 0: flat, 1: jagged, 2: lists of lists … up to HQ_MAX_DEPTH; a member of a collection has 1 */
} hq_field;

typedef struct hq_schema {
    hq_field *fields;
    size_t count, capacity;
    size_t *slots; /* fields by a hash of their names, for schema_find: 0 is free, else the index + 1 */
    size_t slot_count;
} hq_schema;

hq_schema *schema_new(void);
void schema_free(hq_schema **schema_p);
hq_schema *schema_copy(const hq_schema *schema);

/* Appends a field; the texts are copied. HQ_EEXISTS if the name is there already. */
hq_error schema_add(hq_schema *schema, const char *name, const char *collection, const char *member, hq_type type,
                    unsigned depth);

/* The field of that full name, or of that collection's member; NULL if there is none. */
const hq_field *schema_find(const hq_schema *schema, const char *name);
const hq_field *schema_find_member(const hq_schema *schema, const char *collection, const char *member);
bool schema_has_collection(const hq_schema *schema, const char *collection);

/* True if every field of the names given has the same type and shape in both. On false *name_r is the first that
 * differs. */
bool schema_agrees(const hq_schema *one, const hq_schema *other, const char *const *names, size_t count,
                   const char **name_r);

/* As bytes for the wire and the store, and back: HQ_EFORMAT for bytes that are no schema. */
void schema_encode(const hq_schema *schema, hq_buffer *buffer);
hq_error schema_decode(const void *bytes, size_t size, hq_schema **schema_r, hq_reason *reason);

#endif
