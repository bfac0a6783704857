/* data/checksum.h - inside the room: checksums of blocks that may not be in the processor's cache yet.
 *
 * Processors look ahead by themselves only within a page. So the lines some way ahead are asked for while one is
 * summed; and whoever decompresses the block afterwards finds it in cache, too.
 *
 * Source of XXH64: its specification, doc/xxhash_spec.md of Cyan4973/xxHash. XXH3 is libxxhash's, in the version for
 * this processor.
 */
#ifndef HQ_DATA_CHECKSUM_H
#define HQ_DATA_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_xxh64(const void *data, size_t size); /* seed 0 */
uint64_t checksum_xxh3(const void *data, size_t size);  /* likewise, 64 bits */

#endif
