/* data/ntuple_pages.h - inside the room: pages as they lie in the file, and decompressed.
 *
 * A fetcher is told which pages are wanted, in the order in which they are to be used, and brings them with few reads:
 * neighbours in one, of a server's file all of a column in one call; or uses them where they are, if the file is mapped
 * and they are in the page cache. One thread at a time.
 */
#ifndef HQ_DATA_NTUPLE_PAGES_H
#define HQ_DATA_NTUPLE_PAGES_H

#include "data/decompress.h"
#include "data/ntuple_read.h"

typedef struct hq_page_job {
    const hq_nt_page *page;
    const hq_nt_column *column;
    uint64_t first; /* its first element, counted from the cluster's begin */
    size_t segment; /* for the user */
} hq_page_job;

typedef struct hq_fetcher {
    const hq_nt_place *place;
    const char *column; /* for messages */
    size_t left;        /* of the limit on memory */
    hq_inflater *inflater;
    uint8_t *raw, *scratch;
    size_t raw_size, scratch_size;
    uint64_t used_bytes, used_last; /* so many of the file were used in place, the last behind all others */
    hq_page_job *jobs;
    size_t job_count, job_capacity;
    hq_reason *reason;
} hq_fetcher;

void fetcher_clear(hq_fetcher *fetcher);

/* Calls use for each of the jobs, whose page's bytes lie at raw and whose checksum has been verified, and forgets them.
 * Use is work as data/mapped.h has it. */
typedef hq_error hq_use_page(hq_fetcher *fetcher, const hq_page_job *job, const uint8_t *raw, void *context);
hq_error fetcher_run(hq_fetcher *fetcher, hq_use_page *use, void *context);

/* The page decompressed: in place, or in memory that is valid up to the next call; or, if out is not NULL, in out,
 * which has just the page's size. */
hq_error fetcher_open_page(hq_fetcher *fetcher, const hq_page_job *job, const uint8_t *raw, uint8_t *out,
                           const uint8_t **page_r);

hq_error fetcher_too_large(const hq_fetcher *fetcher, uint64_t bytes);
/* HQ_EFORMAT with file, RNTuple, column, the page's offset and what is wrong. */
hq_error fetcher_damaged(const hq_fetcher *fetcher, const hq_nt_page *page, const char *what);

#endif
