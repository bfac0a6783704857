/* data/diskfile.h - inside the room: one column in one file of data/disk.h.
 *
 * A head of fixed size (what it is, whose it is, how many of everything, checksums), the tree's path and the column's
 * name, then the arrays as they lie in memory: offsets of all levels, outermost first, and values, each at a multiple
 * of 64 bytes, so that a file could be mapped and used. In the byte order of the machine that wrote it, which the head
 * tells.
 */
#ifndef HQ_DATA_DISKFILE_H
#define HQ_DATA_DISKFILE_H

#include "data/cache.h"

typedef enum diskfile_verdict {
    DISKFILE_NONE,   /* it could not be read, or is too large for now; another time it may be good */
    DISKFILE_DAMAGED /* it is not what its name says, and never will be */
} diskfile_verdict;

uint64_t diskfile_size(const hq_cache_key *key, const hq_column *column);
/* False, with errno, if it could not be written whole. */
bool diskfile_write(int fd, const hq_cache_key *key, const hq_column *column, uint64_t *size_r);
/* Sets *column_r, the caller's, if the file is that column, and all of its bytes and all of its offsets are right; else
 * the verdict tells. */
diskfile_verdict diskfile_read(int fd, const hq_cache_key *key, size_t limit, hq_column **column_r, uint64_t *size_r);

#endif
