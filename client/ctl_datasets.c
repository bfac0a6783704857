/* hq-ctl datasets: names for lists of files, kept in the store. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/ctl.h"
#include "client/find.h"
#include "client/table.h"
#include "data/dataset.h"

/* ---- telling ---- */

static size_t count_files(const bson_t *document)
{
    bson_iter_t at, item;
    size_t count = 0;
    if (bson_iter_init_find(&at, document, "files") && bson_iter_recurse(&at, &item))
        while (bson_iter_next(&item))
            count++;
    return count;
}

static const char *first_file(const bson_t *document)
{
    bson_iter_t at, item;
    if (bson_iter_init_find(&at, document, "files") && bson_iter_recurse(&at, &item) && bson_iter_next(&item) &&
        BSON_ITER_HOLDS_UTF8(&item))
        return bson_iter_utf8(&item, NULL);
    return "";
}

static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_null();
}

static json_t *dataset_to_json(const char *name, const bson_t *document)
{
    bson_iter_t at, item;
    json_t *files = json_array();
    if (bson_iter_init_find(&at, document, "files") && bson_iter_recurse(&at, &item))
        while (bson_iter_next(&item))
            if (BSON_ITER_HOLDS_UTF8(&item))
                json_array_append_new(files, text_json(bson_iter_utf8(&item, NULL)));
    return json_pack("{s:o, s:o, s:o, s:o, s:I}", "name", text_json(name), "files", files, "tree",
                     text_json(ctl_text_of(document, "tree")), "user", text_json(ctl_text_of(document, "user")),
                     "created", (json_int_t)ctl_number_of(document, "created"));
}

typedef struct listing {
    hq_table *table;
    json_t *list;
} listing;

static void take_dataset(void *context, const hq_stored *stored)
{
    const listing *l = context;
    if (l->list) {
        json_array_append_new(l->list, dataset_to_json(stored->id, stored->document));
        return;
    }
    table_add(l->table, stored->id);
    table_add_own(l->table, table_count((int64_t)count_files(stored->document)));
    table_add(l->table, ctl_text_of(stored->document, "tree"));
    table_add(l->table, ctl_text_of(stored->document, "user"));
    table_add_own(l->table, table_date(ctl_number_of(stored->document, "created")));
    table_add(l->table, first_file(stored->document));
}

static int list(const hq_ctl *ctl, hq_store *store, const hq_arguments *arguments)
{
    (void)arguments;
    hq_reason reason = {{0}};
    listing l = {.table = table_new("NAME >FILES TREE USER CREATED FIRST_FILE"),
                 .list = ctl->wants_json ? json_array() : NULL};
    hq_error error = store_list(store, HQ_COLLECTION_DATASETS, 0, take_dataset, &l, &reason);
    if (!error && l.list)
        ctl_print_json(ctl, json_incref(l.list));
    else if (!error)
        table_print(l.table, stdout);
    table_free(&l.table);
    json_decref(l.list);
    return error ? ctl_complain(error, &reason) : CTL_DONE;
}

static hq_error get(hq_store *store, const char *name, bson_t **document_r, hq_reason *reason)
{
    hq_error error = store_get_dataset(store, name, document_r, reason);
    return error == HQ_ENOTFOUND ? hq_fail(reason, error, "%s: the store has no dataset of that name", name) : error;
}

static int show(const hq_ctl *ctl, hq_store *store, const hq_arguments *arguments)
{
    hq_reason reason = {{0}};
    bson_t *document = NULL;
    bson_iter_t at, item;
    hq_error error = get(store, arguments->texts[0], &document, &reason);
    if (error)
        return ctl_complain(error, &reason);
    if (ctl->wants_json) {
        ctl_print_json(ctl, dataset_to_json(arguments->texts[0], document));
    } else if (bson_iter_init_find(&at, document, "files") && bson_iter_recurse(&at, &item)) {
        const char *tree = ctl_text_of(document, "tree");
        while (bson_iter_next(&item)) {
            char *file = table_safe(BSON_ITER_HOLDS_UTF8(&item) ? bson_iter_utf8(&item, NULL) : "?");
            printf("%s%s%s\n", file, *tree ? ":" : "", tree);
            free(file);
        }
    }
    bson_destroy(document);
    return CTL_DONE;
}

/* ---- changing ---- */

/* A file as every host reads it; what has no slash even then is neither a file here nor a glob. */
static hq_error append_file(bson_t *files, size_t index, const char *text, hq_reason *reason)
{
    char buffer[16];
    const char *key;
    char *spec = find_spec(text);
    hq_error error = HQ_OK;
    bson_uint32_to_string((uint32_t)index, &key, buffer, sizeof buffer);
    if (!strchr(spec, '/') && strncmp(spec, "empty:", 6) != 0)
        error = hq_fail(reason, HQ_EINVAL, "%s: no such file is here; write ./%s if it is one elsewhere", text, text);
    else
        bson_append_utf8(files, key, -1, spec, -1);
    free(spec);
    return error;
}

static hq_error check_name(const char *name, hq_reason *reason)
{
    if (!dataset_is_name(name))
        return hq_fail(reason, HQ_EINVAL,
                       "\"%s\" cannot be the name of a dataset: letters, digits, _, -, . and +, not more than 100, and "
                       "no \".root\"",
                       name);
    if (access(name, F_OK) == 0)
        fprintf(stderr, "hq-ctl: there is a file %s in this folder: here hq-submit will take the name for that file\n",
                name);
    return HQ_OK;
}

static hq_error check_new(const hq_ctl *ctl, hq_store *store, const char *name, hq_reason *reason)
{
    bson_t *document = NULL;
    hq_error error = store_get_dataset(store, name, &document, reason);
    if (document)
        bson_destroy(document);
    if (error == HQ_ENOTFOUND || (!error && ctl->is_forced))
        return HQ_OK;
    return error ? error
                 : hq_fail(reason, HQ_EEXISTS, "the store has a dataset %s already; --force puts this one in its place",
                           name);
}

static int add(const hq_ctl *ctl, hq_store *store, const hq_arguments *arguments)
{
    hq_reason reason = {{0}};
    const char *name = arguments->texts[0];
    bson_t document = BSON_INITIALIZER, files;
    char **listed = NULL;
    size_t count = 0;
    hq_error error = check_name(name, &reason);
    if (!error)
        error = find_listed((const char *const *)arguments->texts + 1, arguments->count - 1, &listed, &count, &reason);
    BSON_APPEND_ARRAY_BEGIN(&document, "files", &files);
    for (size_t i = 0; i < count && !error; i++)
        error = append_file(&files, i, listed[i], &reason);
    dataset_specs_free(&listed, count);
    bson_append_array_end(&document, &files);
    if (ctl->tree)
        BSON_APPEND_UTF8(&document, "tree", ctl->tree);
    char *user = ctl_user(ctl);
    BSON_APPEND_UTF8(&document, "user", user);
    BSON_APPEND_DATE_TIME(&document, "created", hq_wall_ms());
    free(user);
    if (!error)
        error = check_new(ctl, store, name, &reason);
    for (int attempt = 0; !error && attempt < 3; attempt++) {
        error = store_put_dataset(store, name, &document, &reason);
        if (error != HQ_EUNCERTAIN)
            break;
    }
    bson_destroy(&document);
    if (error)
        return ctl_complain(error, &reason);
    printf("dataset %s: %zu file%s or glob%s\n", name, count, ctl_plural(count), ctl_plural(count));
    return CTL_DONE;
}

static int remove_named(const hq_ctl *ctl, hq_store *store, const hq_arguments *arguments)
{
    (void)ctl;
    int code = CTL_DONE;
    for (size_t i = 0; i < arguments->count; i++) {
        hq_reason reason = {{0}};
        uint64_t removed = 0;
        hq_error error = store_remove(store, HQ_COLLECTION_DATASETS, arguments->texts[i], &removed, &reason);
        if (!error && removed == 0)
            error = hq_fail(&reason, HQ_ENOTFOUND, "%s: the store has no dataset of that name", arguments->texts[i]);
        if (error)
            code = ctl_complain(error, &reason);
        else
            printf("dataset %s is removed; its files stay\n", arguments->texts[i]);
    }
    return code;
}

int ctl_datasets(const hq_ctl *ctl)
{
    static const struct {
        const char *name;
        size_t least, most;
        int (*run)(const hq_ctl *ctl, hq_store *store, const hq_arguments *arguments);
    } actions[] = {
        {"list", 0, 0, list}, {"add", 2, SIZE_MAX, add}, {"show", 1, 1, show}, {"remove", 1, SIZE_MAX, remove_named}};
    hq_arguments arguments = ctl->arguments;
    const char *name = arguments.count ? arguments.texts[0] : "list";
    if (arguments.count) {
        arguments.texts++;
        arguments.count--;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        bool is_it = strcmp(actions[i].name, name) == 0;
        if (!is_it || arguments.count < actions[i].least || arguments.count > actions[i].most)
            continue;
        hq_store *store = NULL;
        int code = ctl_open_store(ctl, &store);
        if (store)
            code = actions[i].run(ctl, store, &arguments);
        store_close(&store);
        return code;
    }
    fprintf(stderr, "hq-ctl: the command is: hq-ctl datasets [list | add NAME FILE... | show NAME | remove NAME...]\n");
    return CTL_WRONG;
}
