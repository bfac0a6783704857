/* data/disk.h - decompressed columns as files in a folder, behind the cache in memory: plain arrays, as they lie there.
 *
 * Columns are written when they have been read from their file, not when memory gives them up: they are there after any
 * end of the worker, and what memory evicts is free at once. One thread writes, each file under a passing name first; a
 * column for which that thread is too far behind is not written. What goes when the folder is full is drawn by lot: a
 * loop over more columns than fit keeps its share of them, where the oldest first would keep none.
 *
 * Several workers, of one machine or not, may share a folder: a file's name tells what is in it, it never changes once
 * it has that name, and each worker looks at the whole folder before it removes anything. Part of the name is which
 * version of the reader made the column, so that what one had wrong does not outlive it; other versions' columns are
 * drawn with the rest.
 *
 * A file that is damaged, cut short or another's under one of our names is no column: it is deleted and counted. Files
 * of other names are left alone. A folder that takes no more is no error: columns are not kept then for a while.
 */
#ifndef HQ_DATA_DISK_H
#define HQ_DATA_DISK_H

#include "data/cache.h"

typedef struct hq_disk hq_disk;

/* Makes the folder if need be (its parent must be there). queue_bytes: of columns that wait to be written, at most.
 * HQ_EIO if the folder cannot be made or read. */
hq_error disk_open(const char *folder, uint64_t limit_bytes, size_t queue_bytes, hq_disk **disk_r, hq_reason *reason);
/* Writes what waits. The cache must still be there. */
void disk_close(hq_disk **disk_p);

/* From any thread: */

/* The column, the caller's; NULL if it is not there or holds more than limit bytes. */
hq_column *disk_get(hq_disk *disk, const hq_cache_key *key, size_t limit);
/* Writes a column of the cache, which stays pinned until that is done. The caller has it pinned, and keeps its own. */
void disk_put(hq_disk *disk, hq_cache *cache, const hq_cache_key *key, hq_cache_entry *entry);
/* Waits until nothing waits to be written. */
void disk_flush(hq_disk *disk);

typedef struct hq_disk_counts {
    uint64_t hits, hit_bytes, misses; /* columns, and their bytes in memory */
    uint64_t written, skipped;        /* columns; skipped: the writer was too far behind, or the folder took no more */
    uint64_t evicted, damaged;        /* files that this worker deleted */
    uint64_t bytes, limit_bytes;      /* in the folder, as far as this worker knows */
} hq_disk_counts;

void disk_count(hq_disk *disk, hq_disk_counts *counts_r);

#endif
