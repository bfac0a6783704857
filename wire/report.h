/* wire/report.h - what a worker tells of its column cache, in CREDIT (docs/protocol.md, 5.4).
 *
 * All numbers count since the worker's start, but for the three that say how things stand. A field that a worker does
 * not know is 0.
 */
#ifndef HQ_WIRE_REPORT_H
#define HQ_WIRE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/message.h"

typedef struct hq_cache_report {
    int64_t hits, misses;               /* columns of subtasks that were in memory, and that had to be read */
    int64_t evictions;                  /* columns */
    int64_t cache_bytes, cache_columns; /* held now */
    int64_t cache_limit;                /* bytes it may hold */
    int64_t file_bytes;                 /* of columns that were read from files, decompressed */
    int64_t ahead_used, ahead_wasted;   /* columns that were read ahead: used, and evicted before they were */
    int64_t disk_hits, disk_hit_bytes;  /* of the misses, those found in the cache directory, and their bytes */
    int64_t disk_bytes, disk_limit;     /* held there now, by all workers that share it, and what it may hold */
    int64_t disk_written, disk_evicted; /* columns */
    int64_t disk_damaged;               /* files that were none, or not whole: deleted */
} hq_cache_report;

void report_put(hq_message *message, const hq_cache_report *report);
/* Fields that are missing, of another type or negative are 0. False if none is there: the message tells nothing. */
bool report_get(const hq_message *message, hq_cache_report *report_r);

/* hits of all columns that were wanted, 0 to 1; 0 if there were none. */
double report_hit_rate(const hq_cache_report *report);

#endif
