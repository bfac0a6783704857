/* broker/named.c - datasets that have a name in the store; in a planner's thread. */
#include <string.h>

#include "base/memory.h"
#include "broker/internal.h"

static bool read_text(const bson_t *document, const char *key, const char **text_r)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, key) || !BSON_ITER_HOLDS_UTF8(&iter))
        return false;
    *text_r = bson_iter_utf8(&iter, NULL);
    return true;
}

static hq_error read_specs(const char *name, const bson_t *document, char ***specs_r, size_t *count_r,
                           hq_reason *reason)
{
    bson_iter_t iter, item;
    const char *tree = "";
    size_t capacity = 0, count = 0;
    char **specs = NULL;
    bool is_sound = bson_iter_init_find(&iter, document, "files") && BSON_ITER_HOLDS_ARRAY(&iter) &&
                    bson_iter_recurse(&iter, &item);
    read_text(document, "tree", &tree);
    while (is_sound && bson_iter_next(&item)) {
        is_sound = BSON_ITER_HOLDS_UTF8(&item) && count < HQ_MAX_SPECS;
        if (!is_sound)
            break;
        HQ_GROW(specs, count, capacity);
        specs[count++] = hq_format("%s%s%s", bson_iter_utf8(&item, NULL), *tree ? ":" : "", tree);
    }
    if (is_sound && count > 0) {
        *specs_r = specs;
        *count_r = count;
        return HQ_OK;
    }
    dataset_specs_free(&specs, count);
    return hq_fail(reason, HQ_EFORMAT,
                   "the dataset %s in the store is not what hq writes there: remove it and add it again", name);
}

hq_error named_specs(const hq_broker *broker, const char *name, char ***specs_r, size_t *count_r, hq_reason *reason)
{
    hq_store *store = NULL;
    bson_t *document = NULL;
    hq_error error = plans_borrow(broker, &store, reason);
    if (!error)
        error = store_get_dataset(store, name, &document, reason);
    plans_give_back(broker, store);
    if (error == HQ_ENOTFOUND)
        return error;
    if (error)
        return hq_fail_within(reason, error, "the store was asked for the dataset %s", name);
    error = read_specs(name, document, specs_r, count_r, reason);
    bson_destroy(document);
    return error;
}
