/* data/ntuple_model.h - inside the room: an RNTuple as its envelopes describe it, before any thought of columns of hq.
 *
 * The anchor (an object in the file's directory) leads to the header, which has the schema, and to the footer, which
 * may extend it and leads to the page lists; these say of each cluster, a stretch of entries, where the pages of each
 * column lie. All is read when the RNTuple is opened, in three journeys: the anchor; header and footer; all page lists.
 *
 * Everything here belongs to the model and lives as long as it does.
 */
#ifndef HQ_DATA_NTUPLE_MODEL_H
#define HQ_DATA_NTUPLE_MODEL_H

#include "data/rootfile.h"

enum { HQ_NO_FIELD = 0xFFFFFFFFu };

typedef enum hq_role { ROLE_LEAF, ROLE_COLLECTION, ROLE_RECORD, ROLE_VARIANT, ROLE_STREAMER, ROLE_COUNT } hq_role;

typedef struct hq_nt_field {
    char *name, *type, *description;
    uint32_t parent;      /* HQ_NO_FIELD if it is none's member */
    uint32_t child, next; /* its first member, its parent's next one; HQ_NO_FIELD at the end */
    uint32_t source;      /* the field it is a projection of; HQ_NO_FIELD if it has columns of its own */
    hq_role role;         /* ROLE_COUNT: one that hq does not know */
    uint64_t repeat;      /* so many of it stand side by side; 1 unless it is an array of fixed size or a bitset */
    bool is_array;        /* repeat is to be taken for an array's size, even if it is 1 */
    uint32_t *columns;    /* the physical ones, in the order of their representations */
    uint32_t column_count, column_capacity;
} hq_nt_field;

typedef struct hq_nt_column {
    uint16_t type, bits;
    uint32_t field;
    uint16_t representation;
    bool is_deferred;   /* added when entries had been written: those before are zeros */
    bool starts_silent; /* likewise, and until then another representation is to be read */
    bool is_projected;  /* another field shows it too */
    double low, high;   /* what the smallest and the largest number of a quantised column stand for */
    bool has_range;
    uint64_t page_count, file_bytes, elements; /* of all clusters */
} hq_nt_column;

typedef struct hq_nt_page {
    uint64_t seek, size; /* in the file, without the checksum */
    uint32_t elements;
    bool has_checksum; /* 8 bytes behind the page */
} hq_nt_page;

/* What a cluster has of a column. */
typedef struct hq_nt_range {
    size_t page_first, page_count;
    uint64_t elements; /* of all pages together */
    bool is_suppressed;
} hq_nt_range;

typedef struct hq_nt_cluster {
    uint64_t first, entries;
    size_t range_first, range_count; /* one for each column that was there when the cluster was written */
} hq_nt_cluster;

typedef struct hq_nt_model {
    char *name, *description, *writer;
    uint64_t header_checksum;
    hq_nt_field *fields;
    size_t field_count, field_capacity;
    hq_nt_column *columns;
    size_t column_count, column_capacity;
    hq_nt_cluster *clusters; /* those with entries, ascending and without gap from entry 0 */
    size_t cluster_count, cluster_capacity;
    hq_nt_range *ranges;
    size_t range_count, range_capacity;
    hq_nt_page *pages;
    size_t page_count, page_capacity;
    uint64_t entries;
} hq_nt_model;

/* HQ_EFORMAT (naming file, RNTuple, envelope, its place and the byte within it), HQ_EUNSUPPORTED (an RNTuple from
 * before version 1.0, a feature that hq does not know), HQ_ELIMIT. */
hq_error ntmodel_read(const hq_file *file, const hq_tree_key *key, hq_nt_model **model_r, hq_reason *reason);
void ntmodel_free(hq_nt_model **model_p);

/* What the cluster has of a column: NULL if the column came later. */
static inline const hq_nt_range *ntmodel_range(const hq_nt_model *model, const hq_nt_cluster *cluster, uint32_t column)
{
    return column < cluster->range_count ? &model->ranges[cluster->range_first + column] : NULL;
}

#endif
