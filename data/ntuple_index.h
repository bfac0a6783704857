/* data/ntuple_index.h - inside the room: where an RNTuple's lists end, kept for the columns that share it.
 *
 * All members of a collection hang on one index, which would else be read and decoded for each of them. An RNTuple
 * keeps the few that were decoded last, up to KEPT_INDEX_BYTES, whoever's limit on memory they were read under, until
 * it is told to rest. Any thread may call these functions.
 */
#ifndef HQ_DATA_NTUPLE_INDEX_H
#define HQ_DATA_NTUPLE_INDEX_H

#include <stddef.h>
#include <stdint.h>

enum { KEPT_INDEX_BYTES = 16 << 20 };

/* What a cluster has in a range of lists: their things from the first to before the last, counted from its begin. */
typedef struct hq_nt_span {
    uint64_t first, last;
} hq_nt_span;

typedef struct hq_nt_index {
    uint32_t column;      /* the physical one, of which fields may be projections */
    uint64_t first, last; /* the entries asked for */
    uint32_t *offsets;    /* as a column of these entries has them, */
    size_t offset_count;  /* one more than there are lists */
    hq_nt_span *spans;    /* of each cluster */
    size_t span_count;
} hq_nt_index;

typedef struct hq_nt_indices hq_nt_indices;

hq_nt_indices *ntindices_new(void);
/* Everything taken must have been given back. */
void ntindices_free(hq_nt_indices **indices_p);

/* The index of a collection for these entries, which stays valid until it is given back; NULL if it is not there. */
const hq_nt_index *ntindices_take(hq_nt_indices *indices, uint32_t column, uint64_t first, uint64_t last);
void ntindices_give_back(hq_nt_indices *indices, const hq_nt_index *index);

/* Keeps a copy; what was used least lately goes. Nothing happens if it is there already, or is too large. */
void ntindices_keep(hq_nt_indices *indices, const hq_nt_index *index);
/* Frees all that nobody uses. */
void ntindices_rest(hq_nt_indices *indices);
size_t ntindices_bytes(hq_nt_indices *indices);

#endif
