/* data/basket_load.h - inside the room: baskets as they lie in the file, and decompressed.
 *
 * Where the file lies in memory or is mapped, and is in the page cache, they are used from there; else they are brought
 * with few reads. They are given to whoever asks one after the other. Where a column has said where it wants a basket's
 * data, they are decompressed to there; and if they are stored as they are, their bytes are turned round on the way
 * there.
 */
#ifndef HQ_DATA_BASKET_LOAD_H
#define HQ_DATA_BASKET_LOAD_H

#include "data/basket.h"
#include "data/decompress.h"

/* One call of basket_read_column. */
typedef struct hq_reader {
    const hq_basket_place *place;
    const hq_plan *plan;
    size_t left; /* of the limit on memory */
    hq_inflater *inflater;
    uint8_t *raw; /* a run of baskets as it lies in the file */
    size_t raw_size;
    uint8_t *scratch; /* one basket, decompressed */
    size_t scratch_size;
    uint8_t *into;                  /* where a column wants the next basket's data, which it may overwrite */
    size_t into_room;               /* up to so many bytes; or NULL */
    uint64_t hand_first, hand_last; /* of the file is at hand, as far as has been asked */
    uint64_t used_bytes, used_last; /* so many of it were used in place, the last behind all others */
    hq_reason *reason;
} hq_reader;

/* A basket in memory. */
typedef struct hq_loaded {
    const hq_basket *basket;
    uint8_t *owned;              /* what data points into, if it is to be released */
    const uint8_t *data, *table; /* the table is what is behind the data in the record */
    bool is_native;              /* the data have the machine's order of bytes already */
    const uint8_t *offsets;      /* 32 bits for each entry, or NULL */
    uint32_t border;             /* bytes of data */
    uint32_t origin;             /* what the first byte's offset is */
    uint32_t from;               /* where the first entry that is wanted begins */
} hq_loaded;

typedef hq_error use_basket(hq_reader *reader, hq_loaded *loaded, void *context);

/* Gives the baskets to use, one after the other. Those that are kept have memory of their own, which is use's to
 * release, also if use fails; others are valid up to the next one. */
hq_error reader_each_basket(hq_reader *reader, const hq_basket *baskets, size_t count, bool is_kept, use_basket *use,
                            void *context);

/* Releases what the reader holds. An error says that the file became shorter: then the column is not to be trusted. */
hq_error reader_end(hq_reader *reader);

/* The basket's header will soon be looked at. */
void reader_expect(const hq_reader *reader, const hq_basket *basket);

/* How many bytes of data a basket has, as its header says, which is not compressed; false if it is damaged. */
bool reader_peek(const hq_reader *reader, const hq_basket *basket, uint32_t *data_size_r);

/* HQ_EFORMAT with file, tree, branch, the basket's place and what is wrong. */
hq_error reader_damaged(const hq_reader *reader, const hq_basket *basket, const char *what);
hq_error reader_too_large(const hq_reader *reader, uint64_t bytes);

#endif
