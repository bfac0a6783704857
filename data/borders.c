#include "data/borders.h"

#include "base/memory.h"

enum {
    MAX_BORDERS = 1 << 16, /* of a cluster size that a damaged file makes absurdly small */
    COSTLY = 8,            /* to cut through baskets with one part in so many of the tree's bytes is not worth it */
};

typedef struct hq_border_list {
    uint64_t *entries;
    size_t count, capacity;
} hq_border_list;

static void list_add(hq_border_list *list, uint64_t entry)
{
    HQ_GROW(list->entries, list->count, list->capacity);
    list->entries[list->count++] = entry;
}

/* The borders of one branch's baskets, those at the ends left out. */
static void list_baskets(const hq_branch *branch, uint64_t entries, hq_border_list *borders_r)
{
    for (size_t i = 0; i < branch->basket_count; i++)
        if (branch->baskets[i].first > 0 && branch->baskets[i].first < entries &&
            branch->baskets[i].first < branch->baskets[i].last)
            list_add(borders_r, branch->baskets[i].first);
}

/* Leaves what both have; both ascend. */
static void intersect(hq_border_list *kept, const hq_branch *branch)
{
    size_t count = 0, basket = 0;
    for (size_t i = 0; i < kept->count; i++) {
        while (basket < branch->basket_count && branch->baskets[basket].first < kept->entries[i])
            basket++;
        if (basket < branch->basket_count && branch->baskets[basket].first == kept->entries[i])
            kept->entries[count++] = kept->entries[i];
    }
    kept->count = count;
}

/* The borders that all readable branches have. */
static hq_border_list common_borders(const hq_model *model, const hq_columns *columns)
{
    hq_border_list kept = {0};
    for (size_t i = 0; i < columns->plan_count && (i == 0 || kept.count > 0); i++) {
        if (i == 0)
            list_baskets(columns->plans[i].branch, model->entries, &kept);
        else if (columns->plans[i].branch != columns->plans[i - 1].branch)
            intersect(&kept, columns->plans[i].branch);
    }
    return kept;
}

static void add_clusters(hq_border_list *borders, uint64_t first, uint64_t last, uint64_t size)
{
    for (uint64_t at = first; size > 0 && at < last && borders->count < MAX_BORDERS; at += size)
        if (at > 0)
            list_add(borders, at);
}

/* The borders of the clusters as the tree itself knows them. */
static hq_border_list cluster_borders(const hq_model *model)
{
    hq_border_list borders = {0};
    uint64_t at = 0;
    for (size_t i = 0; i < model->range_count; i++) {
        uint64_t end = model->range_ends[i] < model->entries ? model->range_ends[i] : model->entries;
        if (end <= at)
            continue;
        add_clusters(&borders, at, end, model->range_sizes[i]);
        at = end;
    }
    if (model->auto_flush > 0)
        add_clusters(&borders, at, model->entries, (uint64_t)model->auto_flush);
    return borders;
}

/* The borders of the branch that has the fewest, but has some: cutting there splits fewer baskets of the others. */
static hq_border_list coarsest_borders(const hq_model *model, const hq_columns *columns)
{
    hq_border_list borders = {0};
    const hq_branch *coarsest = NULL;
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_branch *branch = columns->plans[i].branch;
        if (columns->plans[i].shape == SHAPE_FLAT && branch->basket_count > 1 &&
            (!coarsest || branch->basket_count < coarsest->basket_count))
            coarsest = branch;
    }
    for (size_t i = 0; i < columns->plan_count && !coarsest; i++)
        if (columns->plans[i].branch->basket_count > 1)
            coarsest = columns->plans[i].branch;
    if (coarsest)
        list_baskets(coarsest, model->entries, &borders);
    return borders;
}

static uint64_t basket_bytes(const hq_basket *basket)
{
    return basket->embedded ? basket->border : basket->size;
}

/* The bytes of the baskets that an entry lies inside of: what is read twice if the tree is cut there. The place in each
 * branch is kept for the next entry, as entries ascend. */
static uint64_t bytes_cut(const hq_columns *columns, size_t *places, uint64_t entry)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < columns->plan_count; i++) {
        const hq_branch *branch = columns->plans[i].branch;
        while (places[i] < branch->basket_count && branch->baskets[places[i]].last <= entry)
            places[i]++;
        if (places[i] < branch->basket_count && branch->baskets[places[i]].first < entry)
            bytes += basket_bytes(&branch->baskets[places[i]]);
    }
    return bytes;
}

static void drop_costly(hq_border_list *borders, const hq_columns *columns)
{
    uint64_t total = 0;
    size_t count = 0, *places = hq_calloc(columns->plan_count, sizeof *places);
    for (size_t i = 0; i < columns->plan_count; i++)
        for (size_t j = 0; j < columns->plans[i].branch->basket_count; j++)
            total += basket_bytes(&columns->plans[i].branch->baskets[j]);
    for (size_t i = 0; i < borders->count; i++)
        if (bytes_cut(columns, places, borders->entries[i]) <= total / COSTLY)
            borders->entries[count++] = borders->entries[i];
    borders->count = count;
    free(places);
}

void borders_find(const hq_model *model, const hq_columns *columns, uint64_t **borders_r, size_t *count_r)
{
    /* What all branches have is exact, whatever the tree says of its clusters; a few odd branches can spoil it. */
    hq_border_list inner = common_borders(model, columns);
    if (inner.count == 0) {
        free(inner.entries);
        inner = cluster_borders(model);
        drop_costly(&inner, columns);
    }
    if (inner.count == 0) {
        free(inner.entries);
        inner = coarsest_borders(model, columns);
        drop_costly(&inner, columns);
    }
    uint64_t *borders = hq_calloc(inner.count + 2, sizeof *borders);
    size_t count = 0;
    borders[count++] = 0;
    for (size_t i = 0; i < inner.count; i++)
        if (inner.entries[i] > borders[count - 1] && inner.entries[i] < model->entries)
            borders[count++] = inner.entries[i];
    if (model->entries > 0)
        borders[count++] = model->entries;
    free(inner.entries);
    *borders_r = borders;
    *count_r = count;
}
