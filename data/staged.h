/* data/staged.h - inside the room: pieces of a server's file that were fetched in one journey, for several columns to
 * be read from.
 *
 * A reader of columns knows nothing of it: it reads from a copy of the file's source that has its staged set, and what
 * lies there does not travel again. Read-only once fetched, so threads may share it.
 */
#ifndef HQ_DATA_STAGED_H
#define HQ_DATA_STAGED_H

#include "data/source.h"

typedef struct hq_staged {
    hq_stretch *areas; /* as wanted; once fetched ascending, apart from each other, each with its bytes */
    size_t count, capacity;
    uint64_t bytes; /* of all areas */
    uint8_t *memory;
} hq_staged;

enum {
    STAGED_BYTES = 64 << 20, /* fetched in one journey, at most */
    STAGED_GAP = 512, /* bytes between two pieces that are rather read than passed over: the key of a record. Readers
                         that read more than that in between would not find it here. */
};

/* Wants a piece, which may be nowhere in the file: then it is not fetched. */
void staged_want(hq_staged *staged, uint64_t offset, uint64_t size);
/* Fetches all that is wanted, as source_read_vector does, but of more than STAGED_BYTES nothing. To be cleared, also
 * after an error. */
hq_error staged_fetch(hq_staged *staged, const hq_source *source, hq_reason *reason);
/* True if the bytes are there, and then copies them. */
bool staged_copy(const hq_staged *staged, const hq_stretch *stretch);
void staged_clear(hq_staged *staged);

#endif
