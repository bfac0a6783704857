#include "data/ntuple_model.h"

#include <inttypes.h>

#include "base/memory.h"
#include "data/ntuple_envelope.h"

enum {
    FIELD_REPEATS = 1, /* flags of a field */
    FIELD_PROJECTED = 2,
    COLUMN_DEFERRED = 1, /* flags of a column */
    COLUMN_RANGE = 2,
    CLUSTER_SHARDED = 1,
    MAX_FIELD_DEPTH = 64, /* fields within fields */
    MAX_FIELDS = 1 << 15, /* and as many columns; names are compared each with each */
};

/* While the envelopes are read. */
typedef struct reading {
    const hq_envelope_place *place;
    hq_nt_model *model;
    size_t limit; /* of all memory that the description may take */
    hq_reason *reason;
} reading;

/* Flags that a reader does not know forbid it to read on. None are defined in versions 1.0.x. */
static hq_error read_features(const reading *r, hq_bytes *bytes)
{
    uint64_t flags, word = 0;
    do {
        flags = envelope_u64(bytes);
        uint64_t known = word < 63 ? flags & (UINT64_C(1) << 63) : 0;
        if (flags != known)
            return hq_fail(r->reason, HQ_EUNSUPPORTED,
                           "%s: RNTuple %s: it uses a feature that hq does not know (flags %" PRIx64 ")",
                           r->place->file->source.name, r->place->ntuple, flags);
        word++;
    } while (flags >> 63 && !bytes->wrong);
    return HQ_OK;
}

static void read_field(hq_nt_model *model, hq_bytes *bytes)
{
    size_t end = envelope_record(bytes);
    hq_nt_field field = {.child = HQ_NO_FIELD, .next = HQ_NO_FIELD, .source = HQ_NO_FIELD, .repeat = 1};
    uint32_t id = (uint32_t)model->field_count;
    bytes_take(bytes, 2 * sizeof(uint32_t)); /* versions of field and type */
    field.parent = envelope_u32(bytes);
    uint16_t role = envelope_u16(bytes), flags = envelope_u16(bytes);
    field.role = role < ROLE_COUNT ? (hq_role)role : ROLE_COUNT;
    field.name = envelope_text(bytes);
    field.type = envelope_text(bytes);
    free(envelope_text(bytes)); /* the type's alias */
    field.description = envelope_text(bytes);
    if (flags & FIELD_REPEATS) {
        field.repeat = envelope_u64(bytes);
        field.is_array = true;
    }
    if (flags & FIELD_PROJECTED)
        field.source = envelope_u32(bytes);
    if (field.parent == id)
        field.parent = HQ_NO_FIELD;
    else if (field.parent > id)
        bytes_fail(bytes, "a field that comes before the one it is a part of");
    bytes_move_to(bytes, end);
    HQ_GROW(model->fields, model->field_count, model->field_capacity);
    model->fields[model->field_count++] = field;
}

static void read_column(hq_nt_model *model, hq_bytes *bytes)
{
    size_t end = envelope_record(bytes);
    hq_nt_column column = {.type = envelope_u16(bytes), .bits = envelope_u16(bytes), .field = envelope_u32(bytes)};
    uint16_t flags = envelope_u16(bytes);
    column.representation = envelope_u16(bytes);
    if (flags & COLUMN_DEFERRED) {
        column.is_deferred = true;
        column.starts_silent = envelope_u64(bytes) >> 63;
    }
    if (flags & COLUMN_RANGE) {
        column.has_range = true;
        column.low = envelope_f64(bytes);
        column.high = envelope_f64(bytes);
    }
    if (column.field >= model->field_count)
        bytes_fail(bytes, "a column of a field that does not exist");
    bytes_move_to(bytes, end);
    if (bytes->wrong)
        return;
    hq_nt_field *field = &model->fields[column.field];
    HQ_GROW(field->columns, field->column_count, field->column_capacity);
    field->columns[field->column_count++] = (uint32_t)model->column_count;
    HQ_GROW(model->columns, model->column_count, model->column_capacity);
    model->columns[model->column_count++] = column;
}

static void read_alias(hq_nt_model *model, hq_bytes *bytes)
{
    size_t end = envelope_record(bytes);
    uint32_t column = envelope_u32(bytes), id = envelope_u32(bytes);
    if (column >= model->column_count || id >= model->field_count)
        bytes_fail(bytes, "a projection of a column, or for a field, that does not exist");
    bytes_move_to(bytes, end);
    if (bytes->wrong)
        return;
    hq_nt_field *field = &model->fields[id];
    HQ_GROW(field->columns, field->column_count, field->column_capacity);
    field->columns[field->column_count++] = column;
    model->columns[column].is_projected = true;
}

static void read_list(hq_nt_model *model, hq_bytes *bytes, void (*read_one)(hq_nt_model *model, hq_bytes *bytes))
{
    uint32_t count;
    size_t end = envelope_list(bytes, &count);
    for (uint32_t i = 0; i < count && !bytes->wrong; i++)
        read_one(model, bytes);
    bytes_move_to(bytes, end);
}

/* Fields, columns and projections. The extra type information behind them is of no use to hq. */
static void read_schema(hq_nt_model *model, hq_bytes *bytes)
{
    read_list(model, bytes, read_field);
    read_list(model, bytes, read_column);
    read_list(model, bytes, read_alias);
    if (model->field_count > MAX_FIELDS || model->column_count > MAX_FIELDS)
        bytes_fail(bytes, "more fields or columns than hq allows");
}

/* Ties every field to its parent, and sees that a walk over them ends. */
static hq_error join_fields(const reading *r)
{
    hq_nt_model *model = r->model;
    uint32_t *last = hq_calloc(model->field_count, sizeof *last);
    uint8_t *depth = hq_calloc(model->field_count, 1);
    bool is_too_deep = false;
    for (uint32_t i = 0; i < model->field_count; i++) {
        uint32_t parent = model->fields[i].parent;
        if (parent == HQ_NO_FIELD)
            continue;
        depth[i] = depth[parent] + 1;
        if (depth[i] > MAX_FIELD_DEPTH) {
            is_too_deep = true;
            break;
        }
        if (model->fields[parent].child == HQ_NO_FIELD)
            model->fields[parent].child = i;
        else
            model->fields[last[parent]].next = i;
        last[parent] = i;
    }
    free(last);
    free(depth);
    return is_too_deep ? hq_fail(r->reason, HQ_EFORMAT, "%s: RNTuple %s: its fields are nested deeper than %d",
                                 r->place->file->source.name, r->place->ntuple, MAX_FIELD_DEPTH)
                       : HQ_OK;
}

static hq_error read_header(const reading *r, hq_envelope *header)
{
    hq_bytes *bytes = &header->bytes;
    hq_error error = read_features(r, bytes);
    if (error)
        return error;
    r->model->header_checksum = header->checksum;
    r->model->name = envelope_text(bytes);
    r->model->description = envelope_text(bytes);
    r->model->writer = envelope_text(bytes);
    read_schema(r->model, bytes);
    return envelope_check(r->place, header, r->reason);
}

static hq_error check_header(const reading *r, hq_envelope *envelope)
{
    if (envelope_u64(&envelope->bytes) != r->model->header_checksum)
        bytes_fail(&envelope->bytes, "it belongs to another header");
    return envelope_check(r->place, envelope, r->reason);
}

/* The footer, and where the page lists are; the caller frees *links_r. */
static hq_error read_footer(const reading *r, hq_envelope *footer, hq_envelope_link **links_r, size_t *count_r)
{
    hq_bytes *bytes = &footer->bytes;
    hq_error error = read_features(r, bytes);
    if (!error)
        error = check_header(r, footer);
    if (error)
        return error;
    size_t end = envelope_record(bytes), capacity = 0;
    if (bytes->at < end)
        read_schema(r->model, bytes);
    bytes_move_to(bytes, end);
    uint32_t groups;
    envelope_list(bytes, &groups);
    for (uint32_t i = 0; i < groups && !bytes->wrong; i++) {
        end = envelope_record(bytes);
        bytes_take(bytes,
                   2 * sizeof(uint64_t) + sizeof(uint32_t)); /* its entries and clusters: the list has them too */
        hq_envelope_link link = {.true_size = envelope_u64(bytes)};
        envelope_locator(bytes, &link.seek, &link.size);
        bytes_move_to(bytes, end);
        HQ_GROW(*links_r, *count_r, capacity);
        (*links_r)[(*count_r)++] = link;
    }
    return envelope_check(r->place, footer, r->reason);
}

static void read_summary(hq_nt_model *model, hq_bytes *bytes)
{
    size_t end = envelope_record(bytes);
    uint64_t first = envelope_u64(bytes), word = envelope_u64(bytes);
    if ((word >> 56) & CLUSTER_SHARDED)
        bytes_fail(bytes, "a cluster in shards, which hq does not read");
    bytes_move_to(bytes, end);
    HQ_GROW(model->clusters, model->cluster_count, model->cluster_capacity);
    model->clusters[model->cluster_count++] = (hq_nt_cluster){.first = first,
                                                              .entries = word & ((UINT64_C(1) << 56) - 1)};
}

static void read_pages(hq_nt_model *model, hq_nt_column *column, hq_bytes *bytes)
{
    uint32_t count;
    size_t end = envelope_list(bytes, &count);
    hq_nt_range range = {.page_first = model->page_count};
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        uint32_t elements = envelope_u32(bytes);
        hq_nt_page page = {.has_checksum = elements >> 31};
        /* The sign says whether there is a checksum: a negative number has one. */
        page.elements = page.has_checksum ? 0 - elements : elements;
        envelope_locator(bytes, &page.seek, &page.size);
        range.elements += page.elements;
        column->file_bytes += page.size;
        HQ_GROW(model->pages, model->page_count, model->page_capacity);
        model->pages[model->page_count++] = page;
    }
    range.page_count = model->page_count - range.page_first;
    column->page_count += range.page_count;
    column->elements += range.elements;
    range.is_suppressed = envelope_u64(bytes) >> 63; /* else the number of the first element, which hq does not need */
    bytes_move_to(bytes, end);                       /* over the compression: every block tells its own */
    if (range.is_suppressed && count > 0)
        bytes_fail(bytes, "pages of a column that has none in this cluster");
    HQ_GROW(model->ranges, model->range_count, model->range_capacity);
    model->ranges[model->range_count++] = range;
}

static bool fits_limit(const reading *r)
{
    const hq_nt_model *model = r->model;
    return model->page_count * sizeof *model->pages + model->range_count * sizeof *model->ranges <= r->limit;
}

static hq_error read_page_list(const reading *r, hq_envelope *envelope)
{
    hq_nt_model *model = r->model;
    hq_bytes *bytes = &envelope->bytes;
    hq_error error = check_header(r, envelope);
    if (error)
        return error;
    size_t first = model->cluster_count;
    uint32_t count;
    read_list(model, bytes, read_summary);
    size_t end = envelope_list(bytes, &count);
    if (count != model->cluster_count - first)
        bytes_fail(bytes, "pages of another number of clusters than it lists");
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        hq_nt_cluster *cluster = &model->clusters[first + i];
        uint32_t columns;
        size_t cluster_end = envelope_list(bytes, &columns);
        if (columns > model->column_count)
            bytes_fail(bytes, "pages of a column that does not exist");
        cluster->range_first = model->range_count;
        for (uint32_t j = 0; j < columns && !bytes->wrong; j++)
            read_pages(model, &model->columns[j], bytes);
        cluster->range_count = model->range_count - cluster->range_first;
        bytes_move_to(bytes, cluster_end);
        if (!fits_limit(r))
            return hq_fail(r->reason, HQ_ELIMIT, "%s: RNTuple %s: its list of pages takes more memory than is allowed",
                           r->place->file->source.name, r->place->ntuple);
    }
    bytes_move_to(bytes, end);
    return envelope_check(r->place, envelope, r->reason);
}

static int compare_clusters(const void *one, const void *other)
{
    const hq_nt_cluster *a = one, *b = other;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Brings the clusters into the order of their entries, which need not be that of the lists, and sees that none is
 * missing. */
static hq_error join_clusters(const reading *r)
{
    hq_nt_model *model = r->model;
    size_t kept = 0;
    for (size_t i = 0; i < model->cluster_count; i++)
        if (model->clusters[i].entries > 0)
            model->clusters[kept++] = model->clusters[i];
    model->cluster_count = kept;
    if (kept > 0)
        qsort(model->clusters, kept, sizeof *model->clusters, compare_clusters);
    for (size_t i = 0; i < kept; i++) {
        if (model->clusters[i].first != model->entries)
            return hq_fail(r->reason, HQ_EFORMAT,
                           "%s: RNTuple %s: a cluster begins at entry %" PRIu64 ", but the one before ends at %" PRIu64,
                           r->place->file->source.name, r->place->ntuple, model->clusters[i].first, model->entries);
        model->entries += model->clusters[i].entries; /* each has less than 2^56, and a list less than 2^32 */
        if (model->entries >> 62)
            return hq_fail(r->reason, HQ_EFORMAT, "%s: RNTuple %s: it says that it has %" PRIu64 " entries",
                           r->place->file->source.name, r->place->ntuple, model->entries);
    }
    return HQ_OK;
}

static hq_error read_page_lists(const reading *r, const hq_envelope_link *links, size_t count)
{
    hq_envelope_kind *kinds = hq_calloc(count, sizeof *kinds);
    hq_envelope *lists = hq_calloc(count, sizeof *lists);
    for (size_t i = 0; i < count; i++)
        kinds[i] = ENVELOPE_PAGE_LIST;
    hq_error error = envelopes_read(r->place, links, kinds, count, r->limit, lists, r->reason);
    for (size_t i = 0; i < count && !error; i++)
        error = read_page_list(r, &lists[i]);
    for (size_t i = 0; i < count; i++)
        envelope_free(&lists[i]);
    free(lists);
    free(kinds);
    return error ? error : join_clusters(r);
}

hq_error ntmodel_read(const hq_file *file, const hq_tree_key *key, hq_nt_model **model_r, hq_reason *reason)
{
    hq_anchor anchor = {0};
    hq_error error = anchor_read(file, key, &anchor, reason);
    if (error)
        return error;
    hq_envelope_place place = {file, key->path, anchor.max_key_size};
    hq_nt_model *model = hq_calloc(1, sizeof *model);
    reading r = {.place = &place, .model = model, .limit = file->record_limit, .reason = reason};
    const hq_envelope_link both[] = {anchor.header, anchor.footer};
    const hq_envelope_kind kinds[] = {ENVELOPE_HEADER, ENVELOPE_FOOTER};
    hq_envelope envelopes[2] = {0};
    hq_envelope_link *links = NULL;
    size_t link_count = 0;
    error = envelopes_read(&place, both, kinds, 2, r.limit, envelopes, reason);
    if (!error)
        error = read_header(&r, &envelopes[0]);
    if (!error)
        error = read_footer(&r, &envelopes[1], &links, &link_count);
    envelope_free(&envelopes[0]);
    envelope_free(&envelopes[1]);
    if (!error)
        error = join_fields(&r);
    if (!error)
        error = read_page_lists(&r, links, link_count);
    free(links);
    if (error)
        ntmodel_free(&model);
    else
        *model_r = model;
    return error;
}

void ntmodel_free(hq_nt_model **model_p)
{
    hq_nt_model *model = *model_p;
    if (!model)
        return;
    for (size_t i = 0; i < model->field_count; i++) {
        free(model->fields[i].name);
        free(model->fields[i].type);
        free(model->fields[i].description);
        free(model->fields[i].columns);
    }
    free(model->fields);
    free(model->columns);
    free(model->clusters);
    free(model->ranges);
    free(model->pages);
    free(model->name);
    free(model->description);
    free(model->writer);
    free(model);
    *model_p = NULL;
}
