/* data/ntuple_decode.h - inside the room: from the bytes of a page to values.
 *
 * A page is a row of elements, all of one width in bits. In the split encodings its bytes are sorted: the first bytes
 * of all elements, then the second ones, and so on, which compresses better; signed integers are then zigzag, indices
 * differences.
 */
#ifndef HQ_DATA_NTUPLE_DECODE_H
#define HQ_DATA_NTUPLE_DECODE_H

#include "base/column.h"
#include "data/ntuple_model.h"

typedef enum hq_content {
    CONTENT_UNKNOWN, /* a type of a later version, or a width that its type does not have */
    CONTENT_NUMBERS,
    CONTENT_INDEX,  /* where the lists of a collection end, counted from the cluster's begin */
    CONTENT_SWITCH, /* which of a variant's fields holds an entry */
} hq_content;

hq_content page_content(const hq_nt_column *column);
/* What the column is made of, for a person: "SplitReal32"; NULL if it is not known. */
const char *page_encoding(const hq_nt_column *column);
/* The narrowest of hq's types that holds its numbers. */
hq_type page_type(const hq_nt_column *column);
/* True if values of one type can be handed on as the other without loss (and floats as narrower ones). */
bool page_can_become(const hq_nt_column *column, hq_type type);

/* The size of a decompressed page. */
uint64_t page_bytes(const hq_nt_column *column, uint64_t elements);

/* True if a page is, byte for byte, its values in the machine's order. */
bool page_is_plain(const hq_nt_column *column, hq_type type);

/* Numbers first up to first + count of a page that has so many elements, as values of the type. is_past: they are part
 * of so many that the processor's caches had better not take them. */
void page_numbers(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                  hq_type type, bool is_past, void *values_r);

/* The lists' ends that a page of an index holds, from the first on: where it is to go on, and how. */
typedef struct hq_ends {
    uint64_t last;  /* the end of the list before; 0 at the begin of a cluster */
    uint64_t start; /* what is to be subtracted from all ends */
    uint64_t base;  /* and what is to be added */
    uint64_t most;  /* no end is above */
} hq_ends;

/* Elements first up to first + count of a page as offsets of a column, what is before being passed over. False if an
 * end lies before the one before it, or above the most; or the offset does not fit into 32 bits. */
bool page_offsets(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                  hq_ends *ends, uint32_t *offsets_r);

/* One element. */
uint64_t page_end(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t index);

/* Lengths of so many lists from their offsets, which are one more: as a column of counts has them, whose type is an
 * integer of 32 or 64 bits. */
void ends_to_counts(const uint32_t *offsets, uint64_t lists, hq_type type, void *counts_r);

/* Lengths of the lists, as the elements of a column that counts them. As page_offsets otherwise; start and base are not
 * used. */
bool page_counts(const hq_nt_column *column, const uint8_t *page, uint32_t elements, uint32_t first, uint32_t count,
                 hq_ends *ends, hq_type type, void *values_r);

#endif
