/* worker/supply.h - where the columns of a subtask come from: the cache, else the cache directory, else the file.
 */
#ifndef HQ_WORKER_SUPPLY_H
#define HQ_WORKER_SUPPLY_H

#include <stdatomic.h>

#include "data/disk.h"
#include "query/program.h"
#include "wire/records.h"
#include "worker/files.h"

struct hq_ahead;

/* Shared by all executors; what it points to is thread-safe. */
typedef struct hq_supply {
    hq_cache *cache;
    hq_files *files;
    hq_disk *disk;          /* looked into before the files; NULL: there is none */
    struct hq_ahead *ahead; /* told when a column has to be read; NULL: nobody is */
} hq_supply;

/* The columns of one subtask, pinned. */
typedef struct hq_held {
    hq_cache_want *wants; /* one for each column of the program */
    const hq_column **columns;
    size_t count;
    uint64_t read_bytes, cached_bytes; /* of those that had to be read, and of those that were there */
} hq_held;

/* Columns of entries first up to last, exclusive, for use; blocks. To be released with held_clear, also after an error.
 * HQ_ECANCELLED if *cancelled became true. The rest is tree_read's and files_get's. */
hq_error supply_get(const hq_supply *supply, const hq_file_entry *file, const hq_program *program, uint64_t first,
                    uint64_t last, const atomic_int *cancelled, hq_held *held_r, hq_reason *reason);
/* The same ahead of their use: cache_get_ahead's contract; columns that others are reading are NULL. */
hq_error supply_get_ahead(const hq_supply *supply, const hq_file_entry *file, const hq_program *program, uint64_t first,
                          uint64_t last, const atomic_int *cancelled, hq_held *held_r, hq_reason *reason);
void held_clear(hq_held *held, hq_cache *cache);

#endif
