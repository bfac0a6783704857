#include "data/ntuple_columns.h"

#include <inttypes.h>

#include "base/memory.h"
#include "data/collections.h"
#include "data/ntuple_decode.h"

enum { MAX_LENGTH = 1 << 20 /* values of an array of fixed size, with all the arrays that it is in */ };

/* Where the walk over the fields is. */
typedef struct place {
    const char *path;
    hq_nt_level levels[HQ_MAX_DEPTH];
    uint32_t depth;
    uint64_t length;        /* of all arrays of fixed size on the way, multiplied */
    const char *collection; /* of whose record the field is a part, and how much of the path that is; or NULL */
    size_t member_at;
    char between; /* what stands between the path and the name of a member */
    const char *counter;
    const char *unreadable; /* why nothing from here on is a column; NULL if it may be */
} place;

typedef struct walk {
    const hq_nt_model *model;
    hq_nt_columns *columns;
} walk;

static bool begins_with(const char *text, const char *front)
{
    return strncmp(text, front, strlen(front)) == 0;
}

static bool is_taken(const hq_nt_columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->info_count; i++)
        if (strcmp(columns->infos[i].name, name) == 0)
            return true;
    return false;
}

/* Pages and bytes of all that the field has in the file. */
static void add_sizes(const hq_nt_model *model, const hq_nt_field *field, hq_branch_info *info)
{
    for (uint32_t i = 0; i < field->column_count; i++) {
        const hq_nt_column *column = &model->columns[field->columns[i]];
        info->baskets += column->page_count;
        info->compressed_bytes += column->file_bytes;
        info->uncompressed_bytes += page_bytes(column, column->elements);
    }
}

/* type and reason are taken over. */
static hq_branch_info *add_info(walk *w, const hq_nt_field *field, const char *path, char *type, char *reason)
{
    hq_nt_columns *columns = w->columns;
    char *name = hq_strdup(path);
    for (unsigned i = 2; is_taken(columns, name); i++) {
        free(name);
        name = hq_format("%s#%u", path, i);
        if (!reason)
            reason = hq_strdup("another column has this name");
    }
    HQ_GROW(columns->infos, columns->info_count, columns->info_capacity);
    hq_branch_info *info = &columns->infos[columns->info_count++];
    const char *title = *field->description ? field->description : field->type;
    *info = (hq_branch_info){
        .name = name, .title = hq_strdup(title), .type = type, .entries = w->model->entries, .unreadable = reason};
    add_sizes(w->model, field, info);
    return info;
}

static void refuse(walk *w, const place *at, uint32_t id, const char *reason)
{
    const hq_nt_field *field = &w->model->fields[id];
    add_info(w, field, at->path, hq_strdup(*field->type ? field->type : "untyped"), hq_strdup(reason));
}

/* The type that a C++ type's values have; the column's own for all that hq does not know by name. */
static hq_type type_of(const hq_nt_field *field, const hq_nt_column *column)
{
    static const struct {
        const char *name;
        hq_type type;
    } types[] = {
        {"bool", HQ_BOOL},
        {"char", HQ_INT8},
        {"std::byte", HQ_UINT8},
        {"std::int8_t", HQ_INT8},
        {"std::uint8_t", HQ_UINT8},
        {"std::int16_t", HQ_INT16},
        {"std::uint16_t", HQ_UINT16},
        {"std::int32_t", HQ_INT32},
        {"std::uint32_t", HQ_UINT32},
        {"std::int64_t", HQ_INT64},
        {"std::uint64_t", HQ_UINT64},
        {"float", HQ_FLOAT32},
        {"double", HQ_FLOAT64},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(field->type, types[i].name) == 0)
            return types[i].type;
    return page_type(column);
}

static bool is_index(const walk *w, const hq_nt_field *field)
{
    for (uint32_t i = 0; i < field->column_count; i++) {
        const hq_nt_column *column = &w->model->columns[field->columns[i]];
        if (page_content(column) != CONTENT_INDEX)
            return false;
    }
    return field->column_count > 0;
}

/* Why a field with columns is no column of numbers; NULL if it is one. */
static const char *why_no_numbers(const walk *w, const hq_nt_field *field)
{
    if (strcmp(field->type, "std::string") == 0)
        return "hq has no columns of texts";
    for (uint32_t i = 0; i < field->column_count; i++) {
        const hq_nt_column *column = &w->model->columns[field->columns[i]];
        if (page_content(column) == CONTENT_UNKNOWN)
            return "its numbers are packed in a way that hq does not know";
        if (page_content(column) != CONTENT_NUMBERS)
            return "several columns make one value";
        if (i > 0 && column->representation == w->model->columns[field->columns[i - 1]].representation)
            return "several columns make one value";
        if (!page_can_become(column, type_of(field, &w->model->columns[field->columns[0]])))
            return "its numbers do not fit the type that they should have";
    }
    return NULL;
}

/* Takes a plan for what is at the place. */
static void add_plan(walk *w, const place *at, uint32_t id, hq_type type, bool is_count)
{
    const hq_nt_field *field = &w->model->fields[id];
    hq_nt_plan plan = {.type = type, .field = id, .is_count = is_count, .depth = at->depth, .counter = at->counter};
    memcpy(plan.levels, at->levels, sizeof plan.levels);
    const hq_branch_info *info = add_info(w, field, at->path, NULL, NULL);
    if (info->unreadable)
        return;
    plan.name = info->name;
    if (at->collection && at->depth == 1) {
        plan.collection = hq_strdup(at->collection);
        plan.member = hq_strdup(at->path + at->member_at);
    }
    HQ_GROW(w->columns->plans, w->columns->plan_count, w->columns->plan_capacity);
    w->columns->plans[w->columns->plan_count++] = plan;
}

/* An importer keeps columns that are counted together in a nameless collection, and shows them by projections. */
static bool is_behind_the_scenes(const walk *w, uint32_t id)
{
    const hq_nt_field *field = &w->model->fields[id];
    if (field->source != HQ_NO_FIELD || field->column_count == 0 || !w->model->columns[field->columns[0]].is_projected)
        return false;
    while (field->parent != HQ_NO_FIELD)
        field = &w->model->fields[field->parent];
    return field->role == ROLE_COLLECTION && !*field->type && *field->name == '_';
}

static void visit_leaf(walk *w, const place *at, uint32_t id)
{
    static const char cardinality[] = "ROOT::RNTupleCardinality<";
    const hq_nt_field *field = &w->model->fields[id];
    if (is_behind_the_scenes(w, id))
        return;
    if (!at->unreadable && begins_with(field->type, cardinality) && is_index(w, field)) {
        add_plan(w, at, id, strstr(field->type, "64_t") ? HQ_UINT64 : HQ_UINT32, true);
        return;
    }
    const char *reason = at->unreadable ? at->unreadable : why_no_numbers(w, field);
    if (reason)
        refuse(w, at, id, reason);
    else
        add_plan(w, at, id, type_of(field, &w->model->columns[field->columns[0]]), false);
}

static void visit(walk *w, const place *above, uint32_t id);

/* The parts of a field. Those that only say what a vector or an array is made of add nothing to the name. */
static void visit_parts(walk *w, const place *at, uint32_t id)
{
    const hq_nt_field *fields = w->model->fields;
    bool is_record = fields[id].role == ROLE_RECORD;
    for (uint32_t part = fields[id].child; part != HQ_NO_FIELD; part = fields[part].next) {
        place inside = *at;
        /* A base class has a name like ":_0"; its members are the record's own. */
        bool has_name = fields[part].name[0] != ':' && (is_record || fields[fields[id].child].next != HQ_NO_FIELD);
        char *path = NULL;
        if (has_name) {
            inside.path = path = hq_format("%s%c%s", at->path, at->between, fields[part].name);
            inside.between = '.';
        }
        visit(w, &inside, part);
        free(path);
    }
}

/* The name of the column that counts the records of a collection: "nMuon" beside "Muon_pt", "Muon_" beside "Muon.pt".
 * If there is none, it is made. */
static const char *find_or_add_counter(walk *w, const place *at, uint32_t id, bool is_nameless)
{
    char *name = is_nameless ? hq_format("n%s", at->path) : hq_format("%s_", at->path);
    const char *found = NULL;
    for (uint32_t i = 0; i < w->model->field_count && !found; i++)
        if (w->model->fields[i].parent == HQ_NO_FIELD && strcmp(w->model->fields[i].name, name) == 0)
            found = w->model->fields[i].name;
    if (!found && !is_taken(w->columns, name)) {
        add_plan(w, &(place){.path = name, .length = 1}, id, HQ_INT32, true);
        found = w->columns->plans[w->columns->plan_count - 1].name;
    }
    free(name);
    return found;
}

static const char too_deep[] = "its lists are nested deeper than hq's columns";

static void visit_collection(walk *w, place *at, uint32_t id)
{
    const hq_nt_field *fields = w->model->fields, *field = &fields[id];
    bool is_nameless = !*field->type, is_outermost = at->depth == 0;
    if (!is_index(w, field))
        at->unreadable = "its lists are packed in a way that hq does not know";
    else if (at->depth == HQ_MAX_DEPTH)
        at->unreadable = too_deep;
    if (at->unreadable) {
        refuse(w, at, id, at->unreadable);
        return;
    }
    at->levels[at->depth++] = (hq_nt_level){.field = id};
    if (field->child != HQ_NO_FIELD && fields[field->child].role == ROLE_RECORD) {
        if (is_nameless)
            at->between = '_';
        if (is_outermost) {
            at->collection = at->path;
            at->member_at = strlen(at->path) + 1;
            if (!(is_nameless && field->name[0] == '_'))
                at->counter = find_or_add_counter(w, at, id, is_nameless);
        }
    }
    visit_parts(w, at, id);
}

/* Each dimension is a level of lists, as in a TTree. */
static void enter_array(place *at, uint64_t length)
{
    if (length > MAX_LENGTH || at->length * length > MAX_LENGTH)
        at->unreadable = "its arrays are too large";
    else if (at->depth == HQ_MAX_DEPTH)
        at->unreadable = too_deep;
    if (at->unreadable)
        return;
    at->length *= length;
    at->levels[at->depth++] = (hq_nt_level){.field = HQ_NO_FIELD, .length = length};
}

static void visit(walk *w, const place *above, uint32_t id)
{
    const hq_nt_field *field = &w->model->fields[id];
    place at = *above;
    if (field->is_array)
        enter_array(&at, field->repeat);
    switch (field->role) {
    case ROLE_LEAF:
        if (field->column_count > 0)
            visit_leaf(w, &at, id);
        else if (field->child != HQ_NO_FIELD)
            visit_parts(w, &at, id);
        else
            refuse(w, &at, id, "a field without columns");
        break;
    case ROLE_COLLECTION:
        visit_collection(w, &at, id);
        break;
    case ROLE_RECORD:
        visit_parts(w, &at, id);
        break;
    case ROLE_VARIANT:
        refuse(w, &at, id, "a variant, whose values have different types");
        break;
    case ROLE_STREAMER:
        refuse(w, &at, id, "objects that are not split into their members");
        break;
    default:
        refuse(w, &at, id, "a kind of field that hq does not know");
    }
}

/* --- Which columns belong together --- */

static bool is_plain_list(const hq_nt_plan *plan)
{
    return plan->depth == 1 && plan->levels[0].field != HQ_NO_FIELD;
}

/* The physical index that a plain list is told by, or that a flat column of counts shows. */
static const uint32_t *index_of(const hq_nt_model *model, const hq_nt_plan *plan)
{
    if (is_plain_list(plan))
        return model->fields[plan->levels[0].field].columns;
    return plan->is_count && plan->depth == 0 ? model->fields[plan->field].columns : NULL;
}

/* The flat column of integers that is called as the counter of this one would be, "nMuon" for "Muon_pt". A file that
 * was made from a tree keeps both, but not that one counts the other. */
static const hq_nt_plan *counter_by_name(const hq_nt_columns *columns, const hq_nt_plan *plan)
{
    const hq_nt_plan *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_nt_plan *flat = &columns->plans[i];
        size_t length = strlen(flat->name);
        if (flat->depth > 0 || flat->type == HQ_BOOL || flat->type >= HQ_FLOAT32 || flat->name[0] != 'n' ||
            length < 2 || length <= longest)
            continue;
        if (strncmp(plan->name, flat->name + 1, length - 1) == 0 && plan->name[length - 1] == '_') {
            found = flat;
            longest = length;
        }
    }
    return found;
}

/* What counts a list that stands alone so far: its index, if others have it too or a column shows it; else a column
 * with the right name. */
static void find_counter(const hq_nt_model *model, const hq_nt_columns *columns, size_t number, hq_counted *counted_r)
{
    const hq_nt_plan *plan = &columns->plans[number];
    const uint32_t *index = index_of(model, plan);
    size_t sharers = 0;
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_nt_plan *other = &columns->plans[i];
        const uint32_t *its = i == number ? NULL : index_of(model, other);
        if (!its || *its != *index)
            continue;
        sharers++;
        if (other->is_count)
            counted_r->counter_name = other->name;
    }
    if (sharers > 0) {
        counted_r->counter = &model->columns[*index];
        return;
    }
    const hq_nt_plan *flat = counter_by_name(columns, plan);
    if (flat) {
        counted_r->counter = flat;
        counted_r->counter_name = flat->name;
    }
}

static void gather_collections(const hq_nt_model *model, hq_nt_columns *columns)
{
    hq_counted *counted = hq_calloc(columns->plan_count, sizeof *counted);
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_nt_plan *plan = &columns->plans[i];
        counted[i] = (hq_counted){.name = plan->name, .collection = plan->collection, .member = plan->member};
        if (!plan->collection && is_plain_list(plan))
            find_counter(model, columns, i, &counted[i]);
    }
    collections_find(counted, columns->plan_count);
    for (size_t i = 0; i < columns->plan_count; i++) {
        columns->plans[i].collection = counted[i].collection;
        columns->plans[i].member = counted[i].member;
        if (counted[i].collection && counted[i].counter_name)
            columns->plans[i].counter = counted[i].counter_name;
    }
    free(counted);
}

/* "float32", "float32[3][2]", "float32[nMuon]", "vector<vector<float32>[2]>". */
static char *describe(const hq_nt_plan *plan)
{
    char *text = hq_strdup(hq_type_name(plan->type));
    for (uint32_t end = plan->depth; end > 0;) {
        uint32_t begin = end - 1;
        const hq_nt_level *level = &plan->levels[begin];
        if (level->field != HQ_NO_FIELD) {
            char *inner = text;
            text = plan->depth == 1 && plan->counter ? hq_format("%s[%s]", inner, plan->counter)
                                                     : hq_format("vector<%s>", inner);
            free(inner);
            end = begin;
            continue;
        }
        /* Arrays in arrays: the outermost dimension stands first. */
        while (begin > 0 && plan->levels[begin - 1].field == HQ_NO_FIELD)
            begin--;
        for (uint32_t i = begin; i < end; i++) {
            char *longer = hq_format("%s[%" PRIu64 "]", text, plan->levels[i].length);
            free(text);
            text = longer;
        }
        end = begin;
    }
    return text;
}

void ntcolumns_make(const hq_nt_model *model, hq_nt_columns *columns_r)
{
    *columns_r = (hq_nt_columns){.schema = schema_new()};
    walk w = {.model = model, .columns = columns_r};
    for (uint32_t i = 0; i < model->field_count; i++)
        if (model->fields[i].parent == HQ_NO_FIELD)
            visit(&w, &(place){.path = model->fields[i].name, .between = '.', .length = 1}, i);
    gather_collections(model, columns_r);
    for (size_t i = 0; i < columns_r->plan_count; i++) {
        const hq_nt_plan *plan = &columns_r->plans[i];
        schema_add(columns_r->schema, plan->name, plan->collection, plan->member, plan->type, plan->depth);
    }
    for (size_t i = 0, plan = 0; i < columns_r->info_count && plan < columns_r->plan_count; i++)
        if (!columns_r->infos[i].unreadable)
            columns_r->infos[i].type = describe(&columns_r->plans[plan++]);
}

void ntcolumns_clear(hq_nt_columns *columns)
{
    for (size_t i = 0; i < columns->info_count; i++) {
        free((char *)columns->infos[i].name);
        free((char *)columns->infos[i].title);
        free((char *)columns->infos[i].type);
        free((char *)columns->infos[i].unreadable);
    }
    for (size_t i = 0; i < columns->plan_count; i++) {
        free(columns->plans[i].collection);
        free(columns->plans[i].member);
    }
    free(columns->infos);
    free(columns->plans);
    schema_free(&columns->schema);
    *columns = (hq_nt_columns){0};
}
