/* data/xxhash.h - XXH64 with seed 0, the checksum of ROOT's LZ4 blocks.
 *
 * After the algorithm's description, github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
 */
#ifndef HQ_DATA_XXHASH_H
#define HQ_DATA_XXHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxhash64(const void *bytes, size_t size);

#endif
