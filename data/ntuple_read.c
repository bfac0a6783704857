#include "data/ntuple_read.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "data/ntuple_decode.h"
#include "data/ntuple_pages.h"

/* Columns of more bytes are written past the caches: until they are read their first bytes would have been driven out
 * of them. */
enum { PAST_BYTES = 32 << 20 };

#define MOST_ELEMENTS (UINT64_C(1) << 43) /* that a cluster's index may speak of */

/* What is read of one cluster: at each level a range of things, counted from the cluster's begin. */
typedef struct segment {
    const hq_nt_cluster *cluster;
    uint64_t first, last;
    uint64_t base;  /* things of the segments before it */
    uint64_t zeros; /* leading elements of a deferred column, which no page holds */
    hq_ends ends;   /* of an index, as far as it has been read */
} segment;

typedef struct reader {
    hq_fetcher fetch;
    const hq_nt_plan *plan;
    uint64_t first, last; /* entries */
    segment *segments;
    size_t segment_count;
    uint64_t things;                 /* of all segments at the present level */
    uint64_t per_entry;              /* things an entry, while that is a fixed number; 0 behind the first index */
    uint32_t *offsets[HQ_MAX_DEPTH]; /* of each level */
    uint64_t counts[HQ_MAX_DEPTH];   /* how many lists it has */
} reader;

static hq_error damaged(const reader *r, const segment *s, const char *what)
{
    return hq_fail(r->fetch.reason, HQ_EFORMAT, "%s: RNTuple %s: column %s: cluster at entry %" PRIu64 ": %s",
                   r->fetch.place->file->source.name, r->fetch.place->ntuple, r->plan->name, s->cluster->first, what);
}

/* The representation of a field that has pages in a cluster: its number among the field's columns. */
static hq_error choose_column(const reader *r, const segment *s, const hq_nt_field *field, uint32_t *column_r,
                              const hq_nt_range **range_r)
{
    const hq_nt_model *model = r->fetch.place->model;
    for (uint32_t i = 0; i < field->column_count; i++) {
        uint32_t column = field->columns[i];
        const hq_nt_range *range = ntmodel_range(model, s->cluster, column);
        if (range ? range->is_suppressed : model->columns[column].starts_silent)
            continue;
        *column_r = column;
        *range_r = range;
        return HQ_OK;
    }
    return damaged(r, s, "it has pages in none of its representations");
}

/* Plans the pages for elements first up to last of each segment, and with before the element before the first. */
static hq_error plan_pages(reader *r, const hq_nt_field *field, bool with_before)
{
    const hq_nt_model *model = r->fetch.place->model;
    for (size_t i = 0; i < r->segment_count; i++) {
        segment *s = &r->segments[i];
        uint32_t number = 0;
        const hq_nt_range *range = NULL;
        s->zeros = 0;
        if (s->first == s->last)
            continue;
        hq_error error = choose_column(r, s, field, &number, &range);
        if (error)
            return error;
        const hq_nt_column *column = &model->columns[number];
        uint64_t held = range ? range->elements : 0, total;
        if (column->is_deferred && __builtin_mul_overflow(s->cluster->entries, r->per_entry, &total))
            return damaged(r, s, "it has more values than there can be");
        if (column->is_deferred && held < total)
            s->zeros = total - held;
        if (s->last > s->zeros + held)
            return damaged(r, s, "its pages hold fewer elements than it should have");
        uint64_t at = s->zeros, from = with_before && s->first > 0 ? s->first - 1 : s->first;
        for (size_t j = 0; range && j < range->page_count && at < s->last; j++) {
            const hq_nt_page *page = &model->pages[range->page_first + j];
            if (page->elements > 0 && at + page->elements > from) {
                HQ_GROW(r->fetch.jobs, r->fetch.job_count, r->fetch.job_capacity);
                r->fetch.jobs[r->fetch.job_count++] = (hq_page_job){page, column, at, i};
            }
            at += page->elements;
        }
    }
    return HQ_OK;
}

/* The stretch of a page that a segment wants, counted from the page's begin; empty if it wants but the element before.
 */
static void part_of(const hq_page_job *job, const segment *s, uint32_t *first_r, uint32_t *count_r)
{
    uint64_t end = job->first + job->page->elements;
    uint64_t first = s->first > job->first ? s->first : job->first, last = s->last < end ? s->last : end;
    *first_r = first < end ? (uint32_t)(first - job->first) : 0;
    *count_r = first < last ? (uint32_t)(last - first) : 0;
}

/* --- Indices --- */

/* An index's page of the segment, and where its ends begin: behind the end of what stands before the segment. */
static hq_error open_index(reader *r, const hq_page_job *job, const uint8_t *raw, segment *s, const uint8_t **page_r)
{
    hq_error error = fetcher_open_page(&r->fetch, job, raw, NULL, page_r);
    if (!error && s->first > job->first && s->first <= job->first + job->page->elements) {
        uint32_t before = (uint32_t)(s->first - 1 - job->first);
        s->ends.start = s->ends.last = page_end(job->column, *page_r, job->page->elements, before);
        if (s->ends.last > s->ends.most)
            return fetcher_damaged(&r->fetch, job->page, "a list that ends beyond all there can be");
    }
    return error;
}

typedef struct index_target {
    reader *r;
    size_t next;       /* the segment that has not begun */
    uint32_t *offsets; /* behind the first; NULL for a column of counts, */
    void *counts;      /* which these are */
} index_target;

/* Begins all segments up to one: their pages come one after the other, so that how many values those before have is
 * known by then. Lists that no page holds are empty. */
static void begin_segments(index_target *target, size_t upto)
{
    reader *r = target->r;
    for (; target->next <= upto && target->next < r->segment_count; target->next++) {
        segment *s = &r->segments[target->next];
        const hq_ends *before = target->next > 0 ? &r->segments[target->next - 1].ends : NULL;
        s->ends = (hq_ends){.most = MOST_ELEMENTS};
        if (before)
            s->ends.base = before->base + (before->last - before->start);
        uint64_t zeros = s->zeros > s->first ? s->zeros - s->first : 0, lists = s->last - s->first;
        for (uint64_t i = 0; target->offsets && i < zeros && i < lists; i++)
            target->offsets[s->base + i] = (uint32_t)s->ends.base;
    }
}

static hq_error use_index(hq_fetcher *fetcher, const hq_page_job *job, const uint8_t *raw, void *context)
{
    index_target *target = context;
    reader *r = target->r;
    segment *s = &r->segments[job->segment];
    const uint8_t *page = NULL;
    uint32_t first, count;
    begin_segments(target, job->segment);
    hq_error error = open_index(r, job, raw, s, &page);
    if (error)
        return error;
    part_of(job, s, &first, &count);
    if (count == 0)
        return HQ_OK;
    uint64_t to = s->base + (job->first + first - s->first);
    bool is_right = target->counts
                        ? page_counts(job->column, page, job->page->elements, first, count, &s->ends, r->plan->type,
                                      (uint8_t *)target->counts + to * hq_type_size(r->plan->type))
                        : page_offsets(job->column, page, job->page->elements, first, count, &s->ends,
                                       target->offsets + to);
    return is_right ? HQ_OK : fetcher_damaged(fetcher, job->page, "lists that end before they begin, or are too long");
}

/* The offsets or counts that an index tells. */
static hq_error read_index(reader *r, const hq_nt_field *field, uint32_t *offsets, void *counts)
{
    hq_error error = plan_pages(r, field, true);
    if (error)
        return error;
    index_target target = {.r = r, .offsets = offsets, .counts = counts};
    error = fetcher_run(&r->fetch, use_index, &target);
    if (!error)
        begin_segments(&target, r->segment_count);
    return error;
}

/* --- Indices that are kept --- */

/* The kept index of a collection, to be given back; NULL if there is none. */
static const hq_nt_index *take_index(const reader *r, const hq_nt_field *field)
{
    hq_nt_indices *indices = r->fetch.place->indices;
    const hq_nt_index *index = ntindices_take(indices, field->columns[0], r->first, r->last);
    if (!index || (index->offset_count == r->things + 1 && index->span_count == r->segment_count))
        return index;
    ntindices_give_back(indices, index); /* the same collection on another way */
    return NULL;
}

static void keep_index(const reader *r, const hq_nt_field *field, uint32_t *offsets)
{
    hq_nt_span *spans = hq_calloc(r->segment_count, sizeof *spans);
    for (size_t i = 0; i < r->segment_count; i++)
        spans[i] = (hq_nt_span){r->segments[i].ends.start, r->segments[i].ends.last};
    ntindices_keep(r->fetch.place->indices, &(hq_nt_index){.column = field->columns[0],
                                                           .first = r->first,
                                                           .last = r->last,
                                                           .offsets = offsets,
                                                           .offset_count = r->things + 1,
                                                           .spans = spans,
                                                           .span_count = r->segment_count});
    free(spans);
}

/* The offsets that a collection's index tells, kept or read; the segments have their ends. */
static hq_error get_index(reader *r, const hq_nt_field *field, uint32_t *offsets)
{
    const hq_nt_index *kept = take_index(r, field);
    if (kept) {
        memcpy(offsets, kept->offsets, kept->offset_count * sizeof *offsets);
        for (size_t i = 0; i < r->segment_count; i++) {
            r->segments[i].ends.start = kept->spans[i].first;
            r->segments[i].ends.last = kept->spans[i].last;
        }
        ntindices_give_back(r->fetch.place->indices, kept);
        return HQ_OK;
    }
    offsets[0] = 0;
    hq_error error = read_index(r, field, offsets + 1, NULL);
    if (!error)
        keep_index(r, field, offsets);
    return error;
}

/* Lengths of lists: of a kept index, else from its pages. */
static hq_error count_lists(reader *r, void *counts)
{
    const hq_nt_field *field = &r->fetch.place->model->fields[r->plan->field];
    const hq_nt_index *kept = take_index(r, field);
    if (!kept)
        return read_index(r, field, NULL, counts);
    ends_to_counts(kept->offsets, r->things, r->plan->type, counts);
    ntindices_give_back(r->fetch.place->indices, kept);
    return HQ_OK;
}

/* From the lists of each segment to what is in them. */
static hq_error descend(reader *r)
{
    r->things = 0;
    r->per_entry = 0;
    for (size_t i = 0; i < r->segment_count; i++) {
        segment *s = &r->segments[i];
        s->first = s->ends.start;
        s->last = s->ends.last;
        s->zeros = 0; /* those were lists */
        s->base = r->things;
        r->things += s->last - s->first;
        if (r->things > UINT32_MAX)
            return fetcher_too_large(&r->fetch, r->things);
    }
    return HQ_OK;
}

/* Offsets of a level whose lists all have the same length. */
static hq_error count_fixed(reader *r, uint64_t length, uint32_t *offsets)
{
    uint64_t lists = r->things;
    if (__builtin_mul_overflow(r->things, length, &r->things) || r->things > UINT32_MAX)
        return fetcher_too_large(&r->fetch, UINT64_MAX);
    for (uint64_t i = 0; i <= lists; i++)
        offsets[i] = (uint32_t)(i * length);
    for (size_t i = 0; i < r->segment_count; i++) {
        segment *s = &r->segments[i];
        s->base *= length;
        if (__builtin_mul_overflow(s->first, length, &s->first) || __builtin_mul_overflow(s->last, length, &s->last))
            return damaged(r, s, "it has more values than there can be");
    }
    r->per_entry *= length;
    return HQ_OK;
}

static hq_error read_level(reader *r, uint32_t number)
{
    const hq_nt_level *level = &r->plan->levels[number];
    size_t size;
    if (__builtin_mul_overflow(r->things + 1, sizeof(uint32_t), &size))
        return fetcher_too_large(&r->fetch, UINT64_MAX);
    uint32_t *offsets = hq_try_alloc(size, r->fetch.left);
    if (!offsets)
        return fetcher_too_large(&r->fetch, size);
    r->fetch.left -= size;
    r->offsets[number] = offsets;
    r->counts[number] = r->things;
    if (level->field == HQ_NO_FIELD)
        return count_fixed(r, level->length, offsets);
    hq_error error = get_index(r, &r->fetch.place->model->fields[level->field], offsets);
    return error ? error : descend(r);
}

/* --- Values --- */

typedef struct value_target {
    reader *r;
    uint8_t *values;
} value_target;

static hq_error use_values(hq_fetcher *fetcher, const hq_page_job *job, const uint8_t *raw, void *context)
{
    const value_target *target = context;
    const reader *r = target->r;
    const segment *s = &r->segments[job->segment];
    hq_type type = r->plan->type;
    uint32_t first, count;
    part_of(job, s, &first, &count);
    uint8_t *to = target->values + (s->base + (job->first + first - s->first)) * hq_type_size(type);
    const uint8_t *page = NULL;
    /* Decompressed to where it belongs; but what is stored is copied, as other pages are decoded. */
    bool goes_as_it_is = count == job->page->elements && page_is_plain(job->column, type) &&
                         job->page->size != page_bytes(job->column, count);
    hq_error error = fetcher_open_page(fetcher, job, raw, goes_as_it_is ? to : NULL, &page);
    if (!error && !goes_as_it_is)
        page_numbers(job->column, page, job->page->elements, first, count, type,
                     r->things > PAST_BYTES / hq_type_size(type), to);
    return error;
}

static hq_error read_numbers(reader *r, void *values)
{
    const hq_nt_field *field = &r->fetch.place->model->fields[r->plan->field];
    hq_error error = r->plan->is_count ? count_lists(r, values) : plan_pages(r, field, false);
    if (error)
        return error;
    size_t width = hq_type_size(r->plan->type);
    for (size_t i = 0; i < r->segment_count; i++) {
        const segment *s = &r->segments[i];
        uint64_t zeros = s->zeros > s->first ? s->zeros - s->first : 0;
        if (zeros > 0)
            memset((uint8_t *)values + s->base * width, 0,
                   (zeros < s->last - s->first ? zeros : s->last - s->first) * width);
    }
    if (r->plan->is_count)
        return HQ_OK;
    return fetcher_run(&r->fetch, use_values, &(value_target){.r = r, .values = values});
}

/* --- The whole --- */

/* The cluster that an entry is in. */
static size_t find_cluster(const hq_nt_model *model, uint64_t entry)
{
    size_t low = 0, high = model->cluster_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (model->clusters[middle].first + model->clusters[middle].entries <= entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_segments(reader *r, uint64_t first, uint64_t last)
{
    const hq_nt_model *model = r->fetch.place->model;
    size_t begin = find_cluster(model, first), end = begin;
    while (first < last && end < model->cluster_count && model->clusters[end].first < last)
        end++;
    r->segments = hq_calloc(end - begin, sizeof *r->segments);
    for (size_t i = begin; i < end; i++) {
        const hq_nt_cluster *cluster = &model->clusters[i];
        uint64_t from = first > cluster->first ? first - cluster->first : 0;
        uint64_t to = last - cluster->first < cluster->entries ? last - cluster->first : cluster->entries;
        r->segments[r->segment_count++] =
            (segment){.cluster = cluster, .first = from, .last = to, .base = cluster->first + from - first};
    }
    r->things = last - first;
    r->per_entry = 1;
}

/* The column round the offsets, which it takes over. */
static hq_column *make_column(reader *r)
{
    uint32_t depth = r->plan->depth;
    hq_column *column = column_new(r->plan->type, r->things, r->things, false, r->fetch.left);
    if (!column || depth == 0)
        return column;
    column->entries = r->counts[0];
    column->offsets = r->offsets[0];
    column->inner = depth > 1 ? hq_calloc(depth - 1, sizeof *column->inner) : NULL;
    column->inner_count = depth - 1;
    for (uint32_t i = 0; i < depth; i++) {
        column->bytes += (r->counts[i] + 1) * sizeof(uint32_t);
        if (i > 0)
            column->inner[i - 1] = (hq_lists){.count = r->counts[i], .offsets = r->offsets[i]};
        r->offsets[i] = NULL;
    }
    return column;
}

hq_error ntuple_read_column(const hq_nt_place *place, const hq_nt_plan *plan, uint64_t first, uint64_t last,
                            size_t limit, hq_column **column_r, hq_reason *reason)
{
    reader r = {.fetch = {.place = place, .column = plan->name, .left = limit, .reason = reason},
                .plan = plan,
                .first = first,
                .last = last};
    hq_column *column = NULL;
    hq_error error = HQ_OK;
    make_segments(&r, first, last);
    for (uint32_t i = 0; i < plan->depth && !error; i++)
        error = read_level(&r, i);
    if (!error) {
        column = make_column(&r);
        if (!column) {
            error = fetcher_too_large(&r.fetch, r.things * hq_type_size(plan->type));
        } else {
            r.fetch.left -= column->bytes < r.fetch.left ? column->bytes : r.fetch.left;
            error = read_numbers(&r, column->values);
        }
    }
    if (error)
        column_free(&column);
    else
        *column_r = column;
    for (uint32_t i = 0; i < plan->depth; i++)
        free(r.offsets[i]);
    free(r.segments);
    fetcher_clear(&r.fetch);
    return error;
}

/* All pages that a cluster has of a field, in the representation that will be read. */
static void stage_field(const hq_nt_model *model, const hq_nt_cluster *cluster, uint32_t number, hq_staged *staged)
{
    enum { CHECKSUM = 8 };
    const hq_nt_field *field = &model->fields[number];
    for (uint32_t i = 0; i < field->column_count; i++) {
        const hq_nt_range *range = ntmodel_range(model, cluster, field->columns[i]);
        if (range ? range->is_suppressed : model->columns[field->columns[i]].starts_silent)
            continue;
        for (size_t j = 0; range && j < range->page_count; j++) {
            const hq_nt_page *page = &model->pages[range->page_first + j];
            if (page->size <= STAGED_BYTES)
                staged_want(staged, page->seek, page->size + (page->has_checksum ? CHECKSUM : 0));
        }
        return;
    }
}

void ntuple_stage_column(const hq_nt_model *model, const hq_nt_plan *plan, uint64_t first, uint64_t last,
                         hq_staged *staged)
{
    for (size_t i = find_cluster(model, first); i < model->cluster_count && model->clusters[i].first < last; i++) {
        const hq_nt_cluster *cluster = &model->clusters[i];
        if (cluster->first < first || cluster->entries > last - cluster->first)
            continue;
        for (uint32_t level = 0; level < plan->depth; level++)
            if (plan->levels[level].field != HQ_NO_FIELD)
                stage_field(model, cluster, plan->levels[level].field, staged);
        stage_field(model, cluster, plan->field, staged);
    }
}
