#include "data/columns.h"

#include <inttypes.h>

#include "base/memory.h"
#include "data/collections.h"
#include "data/leaves.h"

enum {
    MAX_RECORD = 1 << 28,  /* bytes of one entry */
    MAX_VISITS = 1 << 14,  /* nodes of one branch's layout */
    MAX_COLUMNS = 1 << 17, /* of a tree */
};

/* Names. */

static size_t *name_slot(const hq_columns *columns, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    size_t mask = columns->name_slot_count - 1, place = (size_t)(hash ^ hash >> 32) & mask;
    while (columns->name_slots[place] && strcmp(columns->infos[columns->name_slots[place] - 1].name, name) != 0)
        place = (place + 1) & mask;
    return &columns->name_slots[place];
}

static bool name_is_taken(const hq_columns *columns, const char *name)
{
    return columns->name_slot_count > 0 && *name_slot(columns, name) != 0;
}

/* Room for one more; half of the slots stay free. */
static void grow_names(hq_columns *columns)
{
    if (2 * (columns->info_count + 1) <= columns->name_slot_count)
        return;
    free(columns->name_slots);
    columns->name_slot_count = columns->name_slot_count ? 2 * columns->name_slot_count : 256;
    columns->name_slots = hq_calloc(columns->name_slot_count, sizeof *columns->name_slots);
    for (size_t i = 0; i < columns->info_count; i++)
        *name_slot(columns, columns->infos[i].name) = i + 1;
}

/* The full name: the branch's own if it has the parent's in front, as split objects have ("Muon.pt" in "Muon"), else
 * both with a slash; and the leaf's behind a dot if there are several, or for the counter of a collection its leaf's
 * ("Muon_"), because the branch's is the collection's. */
static char *branch_path(const hq_branch *branch, const char *above)
{
    if (!branch->parent)
        return hq_strdup(branch->name);
    size_t length = strlen(branch->parent->name);
    bool ends_in_dot = length > 0 && branch->parent->name[length - 1] == '.';
    if (strncmp(branch->name, branch->parent->name, length) == 0 && (ends_in_dot || branch->name[length] == '.'))
        return hq_strdup(branch->name);
    return hq_format("%s/%s", above, branch->name);
}

static char *leaf_path(const hq_branch *branch, const hq_leaf *leaf, const char *path)
{
    if (branch_is_collection(branch) && branch->leaf_count == 1) {
        const char *slash = strrchr(path, '/');
        return slash ? hq_format("%.*s/%s", (int)(slash - path), path, leaf->name) : hq_strdup(leaf->name);
    }
    return branch->leaf_count > 1 ? hq_format("%s.%s", path, leaf->name) : hq_strdup(path);
}

/* A member of what has that path. */
static char *member_path(const char *path, const char *member)
{
    size_t length = strlen(path);
    return hq_format("%s%s%s", path, length > 0 && path[length - 1] == '.' ? "" : ".", member);
}

/* A name that no info has yet; *was_taken_r tells if the wanted one had. */
static char *unique_name(const hq_columns *columns, char *wanted, bool *was_taken_r)
{
    char *name = hq_strdup(wanted);
    *was_taken_r = false;
    for (size_t number = columns->info_count + 1; name_is_taken(columns, name); number++) {
        *was_taken_r = true;
        free(name);
        name = hq_format("%s#%zu", wanted, number);
    }
    free(wanted);
    return name;
}

/* The bytes of a branch are told once, with the first of its columns. */
static void add_info(hq_columns *columns, const hq_branch *branch, char *name, char *type, char *reason)
{
    bool is_first = columns->last_branch != branch;
    columns->last_branch = branch;
    grow_names(columns);
    HQ_GROW(columns->infos, columns->info_count, columns->info_capacity);
    columns->infos[columns->info_count++] = (hq_branch_info){
        .name = name,
        .title = hq_strdup(branch->title),
        .type = type,
        .entries = branch->entries,
        .baskets = branch->basket_count,
        .compressed_bytes = is_first ? branch->file_bytes : 0,
        .uncompressed_bytes = is_first ? branch->true_bytes : 0,
        .unreadable = reason,
    };
    *name_slot(columns, name) = columns->info_count;
}

static void add_plan(hq_columns *columns, const hq_model *model, hq_finding *found, char *name)
{
    const hq_branch *branch = found->plan.branch;
    bool was_taken;
    name = unique_name(columns, name, &was_taken);
    if (!found->reason && was_taken)
        found->reason = hq_strdup("a branch before it has the same name");
    if (!found->reason && branch->unreadable)
        found->reason = hq_strdup(branch->unreadable);
    if (!found->reason && branch->entries != model->entries)
        found->reason = hq_format("it has %" PRIu64 " entries, the tree %" PRIu64, branch->entries, model->entries);
    add_info(columns, branch, name, found->type, found->reason);
    if (found->reason) {
        free(found->plan.path);
        free(found->plan.collection);
        free(found->plan.member);
        return;
    }
    HQ_GROW(columns->plans, columns->plan_count, columns->plan_capacity);
    found->plan.name = name;
    columns->plans[columns->plan_count++] = found->plan;
}

/* Leaves that are more than numbers in a row. */

typedef struct hq_tour {
    hq_columns *columns;
    const hq_model *model;
    const hq_finding *found;
    hq_path path;
    size_t visits;
    const char *record_path; /* the path at which the outermost list's items begin to have members; NULL: none so far */
    bool is_hidden;          /* something of unknown size came before */
} hq_tour;

static char *describe_path(const hq_path *path)
{
    char *text = hq_strdup(hq_type_name(path_number(path).type));
    for (size_t i = 0; i < path->count; i++) {
        const hq_node *node = path->nodes[i];
        if (node->kind < NODE_LIST || node->kind > NODE_REST)
            continue;
        char *longer = node->kind == NODE_ARRAY ? hq_format("%s[%u]", text, node->count) : hq_format("%s[]", text);
        free(text);
        text = longer;
    }
    return text;
}

static void add_member(hq_tour *tour, const char *path, const char *reason)
{
    hq_finding found = {.plan = tour->found->plan};
    const hq_node *last = tour->path.nodes[tour->path.count - 1];
    hq_plan *plan = &found.plan;
    plan->shape = SHAPE_STREAMED;
    plan->depth = tour->path.depth;
    if (tour->is_hidden)
        reason = "it lies behind a member whose size hq does not know";
    if (reason) {
        const char *type = last->kind == NODE_TEXT || last->kind == NODE_LONG_TEXT ? "string" : tour->found->type;
        found.type = hq_strdup(type);
        found.reason = hq_strdup(reason);
    } else {
        plan->number = path_number(&tour->path);
        plan->type = plan->number.type;
        plan->path = hq_alloc(sizeof *plan->path);
        *plan->path = tour->path;
        found.type = describe_path(&tour->path);
        if (plan->depth > HQ_MAX_DEPTH)
            found.reason = hq_format("lists nested %u deep, and hq has columns of %d at most", plan->depth,
                                     HQ_MAX_DEPTH);
    }
    if (plan->depth != 1)
        plan->counter = NULL;
    size_t front = tour->record_path ? strlen(tour->record_path) : 0;
    if (plan->depth == 1 && !plan->counter && front > 0 && path[front] != 0) {
        front -= tour->record_path[front - 1] == '.';
        plan->collection = hq_strndup(path, front);
        plan->member = hq_strdup(path + front + 1);
    }
    add_plan(tour->columns, tour->model, &found, hq_strdup(path));
}

static void visit(hq_tour *tour, const hq_node *node, const char *path);

static void visit_record(hq_tour *tour, const hq_node *node, const char *path)
{
    bool was_hidden = tour->is_hidden;
    size_t place = tour->path.count - 1;
    for (size_t i = 0; i < node->child_count; i++) {
        const hq_child *child = &node->children[i];
        tour->path.child[place] = (uint16_t)i;
        if (child->name && *child->name) {
            char *longer = member_path(path, child->name);
            visit(tour, child->node, longer);
            free(longer);
        } else if (child->name || child->is_base) {
            visit(tour, child->node, path);
        }
        tour->is_hidden |= child->node->kind == NODE_UNKNOWN;
    }
    if (node->is_framed)
        tour->is_hidden = was_hidden;
}

static void visit_list(hq_tour *tour, const hq_node *node, const char *path)
{
    const hq_node *item = node->children[0].node;
    bool is_outermost = tour->path.depth++ == 0 && item->kind == NODE_RECORD;
    bool was_hidden = tour->is_hidden;
    if (is_outermost)
        tour->record_path = path;
    tour->path.child[tour->path.count - 1] = 0;
    visit(tour, item, path);
    if (is_outermost)
        tour->record_path = NULL;
    if (node->is_framed)
        tour->is_hidden = was_hidden;
    tour->path.depth--;
}

/* A column for each number, a reason for each of the rest. */
static void visit(hq_tour *tour, const hq_node *node, const char *path)
{
    hq_path *way = &tour->path;
    if (++tour->visits > MAX_VISITS || tour->columns->info_count > MAX_COLUMNS)
        return;
    if (way->count == MAX_PATH) {
        add_member(tour, path, "types nested too deep");
        return;
    }
    way->nodes[way->count++] = node;
    switch (node->kind) {
    case NODE_NUMBER:
    case NODE_BITS:
        add_member(tour, path, NULL);
        break;
    case NODE_TOBJECT: /* what every object has of ROOT's own is nobody's data */
        break;
    case NODE_RECORD:
        visit_record(tour, node, path);
        break;
    case NODE_LIST:
    case NODE_ARRAY:
    case NODE_COUNTED:
    case NODE_REST:
        visit_list(tour, node, path);
        break;
    default:
        add_member(tour, path, node->reason);
    }
    way->count--;
}

static void add_objects(hq_columns *columns, const hq_model *model, const hq_finding *found, const char *path)
{
    size_t before = columns->info_count;
    hq_tour tour = {.columns = columns, .model = model, .found = found};
    visit(&tour, found->root, path);
    if (columns->info_count > before)
        return;
    hq_finding nothing = {.plan = found->plan, .type = hq_strdup(found->type)};
    nothing.reason = hq_strdup("an object without members that are numbers");
    add_plan(columns, model, &nothing, hq_strdup(path));
}

/* Leaves and branches. */

/* The leaves of a branch lie one after the other in each entry: one of unknown size hides those behind it. */
static void add_leaves(hq_columns *columns, const hq_model *model, const hq_branch *branch, const char *path)
{
    uint32_t at = 0;
    bool is_hidden = false;
    size_t first = columns->plan_count, first_info = columns->info_count;
    for (size_t i = 0; i < branch->leaf_count; i++) {
        const hq_leaf *leaf = branch->leaves[i];
        hq_finding found = leaf_find(&columns->layouts, branch, leaf);
        char *name = leaf_path(branch, leaf, path);
        if (found.root) {
            add_objects(columns, model, &found, name);
            free(name);
            free(found.type);
            continue;
        }
        uint64_t size = (uint64_t)found.plan.number.size * found.plan.length;
        found.plan.record_at = at;
        if (!found.reason && size > MAX_RECORD - at)
            found.reason = hq_strdup("an entry of more than 256 MiB");
        if (!found.reason && is_hidden)
            found.reason = hq_strdup("it lies behind a leaf that hq cannot read");
        is_hidden |= found.reason != NULL;
        at += is_hidden ? 0 : (uint32_t)size;
        add_plan(columns, model, &found, name);
    }
    if (is_hidden && columns->plan_count > first) {
        /* The record's size is not known either. */
        for (size_t i = first_info; i < columns->info_count; i++)
            if (!columns->infos[i].unreadable)
                columns->infos[i].unreadable = hq_strdup("it lies beside a leaf that hq cannot read");
        columns->plan_count = first;
    }
    for (size_t i = first; i < columns->plan_count; i++)
        columns->plans[i].record_size = at;
}

static void add_branch(hq_columns *columns, const hq_model *model, const hq_branch *branch, const char *above)
{
    char *path = branch_path(branch, above);
    /* A split object's own branch has nothing but its members. */
    bool is_group = branch->branch_count > 0 && !branch_is_collection(branch) && branch->basket_count == 0;
    if (!is_group && branch->leaf_count > 0) {
        add_leaves(columns, model, branch, path);
    } else if (!is_group) {
        bool was_taken;
        const char *type = branch->type_name ? branch->type_name : branch->class_name;
        add_info(columns, branch, unique_name(columns, hq_strdup(path), &was_taken), hq_strdup(type),
                 hq_strdup(branch->unreadable ? branch->unreadable : "a branch without leaves"));
    }
    for (size_t i = 0; i < branch->branch_count; i++)
        add_branch(columns, model, branch->branches[i], path);
    free(path);
}

static bool can_be_member(const hq_plan *plan)
{
    return plan->counter && plan->depth == 1 && (plan->shape == SHAPE_COUNTED || plan->shape == SHAPE_STREAMED);
}

static void gather_collections(const hq_columns *columns)
{
    hq_counted *counted = hq_calloc(columns->plan_count, sizeof *counted);
    for (size_t i = 0; i < columns->plan_count; i++) {
        hq_plan *plan = &columns->plans[i];
        counted[i].name = plan->name;
        counted[i].counter = can_be_member(plan) ? plan->counter : NULL;
        counted[i].counter_name = can_be_member(plan) ? plan->counter->name : NULL;
        if (plan->collection && name_is_taken(columns, plan->collection)) {
            free(plan->collection);
            free(plan->member);
            plan->collection = plan->member = NULL;
        }
        counted[i].collection = plan->collection;
        counted[i].member = plan->member;
    }
    collections_find(counted, columns->plan_count);
    for (size_t i = 0; i < columns->plan_count; i++) {
        columns->plans[i].collection = counted[i].collection;
        columns->plans[i].member = counted[i].member;
    }
    free(counted);
}

void columns_make(const hq_file *file, const hq_model *model, hq_columns *columns_r)
{
    *columns_r = (hq_columns){.schema = schema_new(), .layouts = {.file = file}};
    for (size_t i = 0; i < model->branch_count; i++)
        add_branch(columns_r, model, model->branches[i], "");
    gather_collections(columns_r);
    for (size_t i = 0; i < columns_r->plan_count; i++) {
        const hq_plan *plan = &columns_r->plans[i];
        schema_add(columns_r->schema, plan->name, plan->collection, plan->member, plan->type, plan->depth);
    }
}

void columns_clear(hq_columns *columns)
{
    for (size_t i = 0; i < columns->info_count; i++) {
        free((char *)columns->infos[i].name);
        free((char *)columns->infos[i].title);
        free((char *)columns->infos[i].type);
        free((char *)columns->infos[i].unreadable);
    }
    for (size_t i = 0; i < columns->plan_count; i++) {
        free(columns->plans[i].path);
        free(columns->plans[i].collection);
        free(columns->plans[i].member);
    }
    free(columns->infos);
    free(columns->plans);
    free(columns->name_slots);
    layouts_clear(&columns->layouts);
    schema_free(&columns->schema);
    *columns = (hq_columns){0};
}
