/* data/decompress.h - the compressed records of ROOT files.
 *
 * A record is a row of blocks of at most 16 MiB - 1 bytes each. A block has a header of nine bytes, its kind ("ZL"
 * zlib, "XZ" LZMA, "L4" LZ4, "ZS" Zstandard, "CS" bare deflate, ROOT's before 2002), a method, and its compressed and
 * its true size in three little-endian bytes each; in an LZ4 block an XXH64 of the compressed bytes, big-endian, stands
 * before them and counts as compressed.
 */
#ifndef HQ_DATA_DECOMPRESS_H
#define HQ_DATA_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How many true bytes a compressed byte of any kind can stand for: Zstandard has four for 128 KiB of one value. */
enum { INFLATER_MOST = 1 << 15 };

/* The working memory of the decompressors, made when first needed. One thread at a time. */
typedef struct hq_inflater hq_inflater;

hq_inflater *inflater_new(void);
void inflater_free(hq_inflater **inflater_p);

/* The true size of a record as its block headers tell it; HQ_EFORMAT, HQ_EUNSUPPORTED. It needs no memory, so that a
 * size that no block confirms is found before any is taken. */
hq_error inflater_measure(const uint8_t *record, size_t size, uint64_t *true_size_r, hq_reason *reason);

/* The most bytes that a compressed record of so many can stand for, whose first block begins with front (of which size
 * bytes are there): what one byte of its kind can, for all of them. 0 if it begins with no block. */
uint64_t inflater_most(const uint8_t *front, size_t front_size, uint64_t size);

/* Whether the checksums of LZ4 blocks are verified, as they are at first: not where another checksum of the same bytes
 * has been. */
void inflater_verify(hq_inflater *inflater, bool is_wanted);

/* Fills out, which is exactly the record's true size. It may be left in the middle (data/mapped.h): then the inflater
 * is of no more use, but freed as ever. */
hq_error inflater_run(hq_inflater *inflater, const uint8_t *record, size_t size, uint8_t *out, size_t out_size,
                      hq_reason *reason);

#endif
