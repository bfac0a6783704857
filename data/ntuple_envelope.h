/* data/ntuple_envelope.h - inside the room: the anchor of an RNTuple, and envelopes as bytes.
 *
 * An envelope is a block of little-endian metadata, compressed or not: a number with its kind and length, what it has
 * to say, and the XXH3 of both. What it says is made of frames, each with its size, so that a reader passes over what a
 * later version has added.
 */
#ifndef HQ_DATA_NTUPLE_ENVELOPE_H
#define HQ_DATA_NTUPLE_ENVELOPE_H

#include "data/rootfile.h"

typedef enum hq_envelope_kind { ENVELOPE_HEADER = 1, ENVELOPE_FOOTER = 2, ENVELOPE_PAGE_LIST = 3 } hq_envelope_kind;

/* Where an envelope lies. */
typedef struct hq_envelope_link {
    uint64_t seek, size; /* as it lies in the file */
    uint64_t true_size;  /* decompressed */
} hq_envelope_link;

typedef struct hq_anchor {
    hq_envelope_link header, footer;
    uint64_t max_key_size; /* what is larger lies in several pieces; 0: nothing is */
} hq_anchor;

typedef struct hq_envelope {
    uint8_t *block;
    uint64_t checksum;
    hq_bytes bytes; /* behind kind and length, up to the checksum */
    hq_envelope_kind kind;
    uint64_t seek;
} hq_envelope;

/* Whose envelopes, for messages. */
typedef struct hq_envelope_place {
    const hq_file *file;
    const char *ntuple;
    uint64_t max_key_size;
} hq_envelope_place;

/* The anchor, its checksum verified. HQ_EUNSUPPORTED if it was written before version 1.0 of the format. */
hq_error anchor_read(const hq_file *file, const hq_tree_key *key, hq_anchor *anchor_r, hq_reason *reason);

/* count envelopes, with as few journeys as there can be; kinds and checksums are verified. At most limit bytes of
 * memory. To be freed one by one, unless an error comes back. */
hq_error envelopes_read(const hq_envelope_place *place, const hq_envelope_link *links, const hq_envelope_kind *kinds,
                        size_t count, size_t limit, hq_envelope *envelopes_r, hq_reason *reason);
void envelope_free(hq_envelope *envelope);

/* HQ_EFORMAT with the cursor's place and what is wrong with it, if it is bad. */
hq_error envelope_check(const hq_envelope_place *place, const hq_envelope *envelope, hq_reason *reason);

/* Little-endian numbers; a text has a length of 32 bits, stays in place and has no zero after it. */
uint16_t envelope_u16(hq_bytes *bytes);
uint32_t envelope_u32(hq_bytes *bytes);
uint64_t envelope_u64(hq_bytes *bytes);
double envelope_f64(hq_bytes *bytes);
char *envelope_text(hq_bytes *bytes); /* a copy, which the caller frees */

/* Steps into a frame and gives where it ends (for bytes_move_to). A list says how many items it has. */
size_t envelope_record(hq_bytes *bytes);
size_t envelope_list(hq_bytes *bytes, uint32_t *count_r);

/* The place of a block: *seek_r and *size_r as it lies in the file. */
void envelope_locator(hq_bytes *bytes, uint64_t *seek_r, uint64_t *size_r);

#endif
