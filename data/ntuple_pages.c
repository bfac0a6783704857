#include "data/ntuple_pages.h"

#include <inttypes.h>

#include "base/memory.h"
#include "data/checksum.h"
#include "data/ntuple_decode.h"

enum {
    CHECKSUM = 8,
    BATCH_LOCAL = 1 << 20,   /* bytes of a file of this machine at a time: they are used while they are in cache */
    BATCH_REMOTE = 64 << 20, /* of a server's */
};

void fetcher_clear(hq_fetcher *fetcher)
{
    inflater_free(&fetcher->inflater);
    free(fetcher->raw);
    free(fetcher->scratch);
    free(fetcher->jobs);
    *fetcher = (hq_fetcher){0};
}

hq_error fetcher_too_large(const hq_fetcher *fetcher, uint64_t bytes)
{
    return hq_fail(fetcher->reason, HQ_ELIMIT,
                   "%s: RNTuple %s: column %s takes %" PRIu64 " bytes more, which is over the limit",
                   fetcher->place->file->source.name, fetcher->place->ntuple, fetcher->column, bytes);
}

hq_error fetcher_damaged(const hq_fetcher *fetcher, const hq_nt_page *page, const char *what)
{
    return hq_fail(fetcher->reason, HQ_EFORMAT, "%s: RNTuple %s: column %s: page at offset %" PRIu64 ": %s",
                   fetcher->place->file->source.name, fetcher->place->ntuple, fetcher->column, page->seek, what);
}

/* Room for so many bytes, whose present contents are of no use. */
static hq_error reserve(hq_fetcher *fetcher, uint8_t **buffer, size_t *size_p, uint64_t size)
{
    if (size <= *size_p)
        return HQ_OK;
    fetcher->left += *size_p;
    free(*buffer);
    *size_p = 0;
    *buffer = hq_try_alloc(size, fetcher->left);
    if (!*buffer)
        return fetcher_too_large(fetcher, size);
    fetcher->left -= size;
    *size_p = size;
    return HQ_OK;
}

static hq_error in_column(const hq_fetcher *fetcher, hq_error error)
{
    return hq_fail_within(fetcher->reason, error, "RNTuple %s: column %s", fetcher->place->ntuple, fetcher->column);
}

static uint64_t size_with_checksum(const hq_nt_page *page)
{
    return page->size + (page->has_checksum ? CHECKSUM : 0);
}

/* The jobs from one on whose pages are read together: their number, the stretches that they make, and how many bytes.
 */
typedef struct page_batch {
    size_t jobs, stretch_count;
    uint64_t size;
} page_batch;

/* Where each page lies in the batch's bytes is kept in at_r. */
static hq_error plan_batch(const hq_fetcher *fetcher, size_t from, uint64_t most, hq_stretch *stretches, size_t *at_r,
                           page_batch *batch_r)
{
    uint64_t file_size = fetcher->place->file->source.size;
    *batch_r = (page_batch){0};
    for (size_t i = from; i < fetcher->job_count; i++) {
        const hq_nt_page *page = fetcher->jobs[i].page;
        uint64_t size = size_with_checksum(page);
        if (page->size > file_size || size > file_size || page->seek > file_size - size)
            return fetcher_damaged(fetcher, page, "it should be there, but the file ends before its end");
        hq_stretch *last = batch_r->stretch_count > 0 ? &stretches[batch_r->stretch_count - 1] : NULL;
        uint64_t end = last ? last->offset + last->size : 0;
        uint64_t gap = last && page->seek >= end && page->seek - end <= STAGED_GAP ? page->seek - end : UINT64_MAX;
        if (batch_r->jobs > 0 && batch_r->size + size > most)
            break;
        if (gap == UINT64_MAX) {
            stretches[batch_r->stretch_count++] = (hq_stretch){.offset = page->seek, .size = size};
        } else {
            last->size += gap + size;
            batch_r->size += gap;
        }
        at_r[batch_r->jobs++] = batch_r->size;
        batch_r->size += size;
    }
    return HQ_OK;
}

static hq_error check_page(const hq_fetcher *fetcher, const hq_nt_page *page, const uint8_t *raw)
{
    uint64_t wanted;
    if (!page->has_checksum)
        return HQ_OK;
    memcpy(&wanted, raw + page->size, sizeof wanted); /* little-endian, as the machine */
    return checksum_xxh3(raw, page->size) == wanted
               ? HQ_OK
               : fetcher_damaged(fetcher, page, "its checksum does not fit its bytes");
}

/* One page that is in memory. */
typedef struct page_work {
    hq_fetcher *fetcher;
    const hq_page_job *job;
    const uint8_t *raw;
    hq_use_page *use;
    void *context;
    hq_error error;
} page_work;

static void work_on(void *context)
{
    page_work *work = context;
    work->error = check_page(work->fetcher, work->job->page, work->raw);
    if (!work->error)
        work->error = work->use(work->fetcher, work->job, work->raw, work->context);
}

static bool is_at_hand(const hq_source *source, const hq_stretch *stretches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (stretches[i].size > 0 && !source_is_at_hand(source, stretches[i].offset + stretches[i].size - 1))
            return false;
    return true;
}

/* Uses the batch's pages where they are in the file. */
static hq_error use_in_place(hq_fetcher *fetcher, size_t from, const page_batch *batch, hq_use_page *use, void *context)
{
    const hq_source *source = &fetcher->place->file->source;
    hq_error error = HQ_OK;
    for (size_t i = 0; i < batch->jobs && !error; i++) {
        const hq_page_job *job = &fetcher->jobs[from + i];
        uint64_t begin = job->page->seek, size = size_with_checksum(job->page);
        page_work work = {fetcher, job, source_in_place(source, begin, size), use, context, HQ_OK};
        fetcher->used_bytes += size;
        if (begin + size > fetcher->used_last)
            fetcher->used_last = begin + size;
        error = source_use(source, work.raw, size, work_on, &work, fetcher->reason);
        error = error ? in_column(fetcher, error) : work.error;
    }
    return error;
}

/* Reads the batch and uses its pages. */
static hq_error run_batch(hq_fetcher *fetcher, size_t from, const page_batch *batch, hq_stretch *stretches,
                          const size_t *at, hq_use_page *use, void *context)
{
    const hq_source *source = &fetcher->place->file->source;
    if (source_in_place(source, 0, 0) && is_at_hand(source, stretches, batch->stretch_count))
        return use_in_place(fetcher, from, batch, use, context);
    hq_error error = reserve(fetcher, &fetcher->raw, &fetcher->raw_size, batch->size);
    if (error)
        return error;
    uint64_t to = 0;
    for (size_t i = 0; i < batch->stretch_count; i++) {
        stretches[i].bytes_r = fetcher->raw + to;
        to += stretches[i].size;
    }
    error = source_read_vector(source, stretches, batch->stretch_count, fetcher->reason);
    if (error)
        return in_column(fetcher, error);
    for (size_t i = 0; i < batch->jobs && !error; i++) {
        page_work work = {fetcher, &fetcher->jobs[from + i], fetcher->raw + at[i], use, context, HQ_OK};
        work_on(&work);
        error = work.error;
    }
    return error;
}

hq_error fetcher_run(hq_fetcher *fetcher, hq_use_page *use, void *context)
{
    hq_error error = HQ_OK;
    const hq_source *source = &fetcher->place->file->source;
    uint64_t most = source_is_remote(source) ? BATCH_REMOTE : BATCH_LOCAL;
    hq_stretch *stretches = hq_calloc(fetcher->job_count, sizeof *stretches);
    size_t *at = hq_calloc(fetcher->job_count, sizeof *at);
    for (size_t i = 0; i < fetcher->job_count && !error;) {
        page_batch next;
        error = plan_batch(fetcher, i, most, stretches, at, &next);
        if (!error)
            error = run_batch(fetcher, i, &next, stretches, at, use, context);
        i += next.jobs;
    }
    if (!error) {
        error = source_used(source, fetcher->used_bytes, fetcher->used_last, fetcher->reason);
        error = error ? in_column(fetcher, error) : HQ_OK;
    }
    fetcher->used_bytes = fetcher->used_last = 0;
    free(stretches);
    free(at);
    fetcher->job_count = 0;
    return error;
}

hq_error fetcher_open_page(hq_fetcher *fetcher, const hq_page_job *job, const uint8_t *raw, uint8_t *out,
                           const uint8_t **page_r)
{
    const hq_nt_page *page = job->page;
    uint64_t true_size = page_bytes(job->column, page->elements), declared;
    if (page->size == true_size) { /* not compressed */
        if (out)
            memcpy(out, raw, true_size);
        *page_r = out ? out : raw;
        return HQ_OK;
    }
    hq_error error = inflater_measure(raw, page->size, &declared, fetcher->reason);
    if (!error && declared != true_size)
        error = hq_fail(fetcher->reason, HQ_EFORMAT,
                        "its blocks hold %" PRIu64 " bytes, but its elements have %" PRIu64, declared, true_size);
    if (!error && !out) {
        error = reserve(fetcher, &fetcher->scratch, &fetcher->scratch_size, true_size);
        if (error)
            return error;
        out = fetcher->scratch;
    }
    if (!error && !fetcher->inflater)
        fetcher->inflater = inflater_new();
    if (!error)
        inflater_verify(fetcher->inflater, !page->has_checksum);
    if (!error)
        error = inflater_run(fetcher->inflater, raw, page->size, out, true_size, fetcher->reason);
    *page_r = out;
    return error
               ? hq_fail_within(fetcher->reason, error, "%s: RNTuple %s: column %s: page at offset %" PRIu64,
                                fetcher->place->file->source.name, fetcher->place->ntuple, fetcher->column, page->seek)
               : HQ_OK;
}
