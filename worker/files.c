#include "worker/files.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

struct hq_open_tree {
    struct hq_open_tree *next; /* the most recently used first */
    char *path, *name;
    hq_hash identity;
    hq_file *file;
    hq_tree *tree;
    int users;
    bool is_awake;   /* it was used since it was put to rest */
    bool is_opening; /* by one of its users; the others wait */
    hq_error error;  /* of that; then it is in no list, and the last user frees it */
    hq_reason reason;
};

struct hq_files {
    pthread_mutex_t lock; /* over the list and its members' users */
    pthread_cond_t opened;
    hq_open_tree *first;
    size_t count, limit;
    hq_remote *remote;
};

hq_files *files_new(size_t limit, const hq_remote_settings *remote)
{
    hq_files *files = hq_calloc(1, sizeof *files);
    pthread_mutex_init(&files->lock, NULL);
    pthread_cond_init(&files->opened, NULL);
    files->limit = limit;
    files->remote = remote_new(remote);
    return files;
}

static void open_tree_free(hq_open_tree **open_p)
{
    hq_open_tree *open = *open_p;
    tree_close(&open->tree);
    rootfile_close(&open->file);
    free(open->path);
    free(open->name);
    free(open);
    *open_p = NULL;
}

void files_free(hq_files **files_p)
{
    hq_files *files = *files_p;
    if (!files)
        return;
    while (files->first) {
        hq_open_tree *open = files->first;
        files->first = open->next;
        open_tree_free(&open);
    }
    remote_free(&files->remote);
    pthread_mutex_destroy(&files->lock);
    pthread_cond_destroy(&files->opened);
    free(files);
    *files_p = NULL;
}

/* With the lock held: the tree, moved to the front and one more user on it; NULL if it is not open. */
static hq_open_tree *find(hq_files *files, const char *path, const char *name, const hq_hash *identity)
{
    for (hq_open_tree **place = &files->first; *place; place = &(*place)->next) {
        hq_open_tree *open = *place;
        if (memcmp(&open->identity, identity, sizeof *identity) != 0 || strcmp(open->path, path) != 0 ||
            strcmp(open->name, name) != 0)
            continue;
        *place = open->next;
        open->next = files->first;
        files->first = open;
        open->users++;
        open->is_awake = true;
        return open;
    }
    return NULL;
}

static hq_error open_tree(hq_remote *remote, hq_open_tree *open)
{
    hq_reason *reason = &open->reason;
    hq_error error = rootfile_open_through(remote, open->path, &open->file, reason);
    if (!error) {
        hq_hash found = rootfile_identity(open->file);
        if (memcmp(&found, &open->identity, sizeof found) != 0)
            error = hq_fail(reason, HQ_EMISMATCH, "%s: the file has changed since the query was planned; ask again",
                            open->path);
    }
    return error ? error : tree_open(open->file, open->name, &open->tree, reason);
}

/* With the lock held: what is over the limit and unused, taken out of the list, the oldest first. */
static hq_open_tree *take_surplus(hq_files *files)
{
    hq_open_tree *surplus = NULL;
    while (files->count > files->limit) {
        hq_open_tree **oldest = NULL;
        for (hq_open_tree **place = &files->first; *place; place = &(*place)->next)
            if ((*place)->users == 0)
                oldest = place;
        if (!oldest)
            break;
        hq_open_tree *open = *oldest;
        *oldest = open->next;
        open->next = surplus;
        surplus = open;
        files->count--;
    }
    return surplus;
}

/* With the lock held: puts to rest what is unused, but for those that were used last. */
static void rest_others(const hq_files *files)
{
    size_t place = 0;
    for (hq_open_tree *open = files->first; open; open = open->next, place++) {
        if (place < FILES_AWAKE || open->users > 0 || !open->is_awake)
            continue;
        tree_rest(open->tree);
        open->is_awake = false;
    }
}

static void free_all(hq_open_tree *list)
{
    while (list) {
        hq_open_tree *open = list;
        list = open->next;
        open_tree_free(&open);
    }
}

/* With the lock held: takes an entry that could not be opened out of the list. */
static void take_out(hq_files *files, const hq_open_tree *open)
{
    hq_open_tree **place = &files->first;
    while (*place != open)
        place = &(*place)->next;
    *place = open->next;
    files->count--;
}

/* With the lock held: a new entry at the front, opened. The lock is given back meanwhile, so that others go on. */
static hq_open_tree *open_new(hq_files *files, const char *path, const char *name, const hq_hash *identity)
{
    hq_open_tree *open = hq_calloc(1, sizeof *open);
    open->path = hq_strdup(path);
    open->name = hq_strdup(name);
    open->identity = *identity;
    open->users = 1;
    open->is_awake = true;
    open->is_opening = true;
    open->next = files->first;
    files->first = open;
    files->count++;
    pthread_mutex_unlock(&files->lock);
    hq_error error = open_tree(files->remote, open);
    pthread_mutex_lock(&files->lock);
    open->error = error;
    open->is_opening = false;
    if (error)
        take_out(files, open);
    pthread_cond_broadcast(&files->opened);
    return open;
}

hq_error files_get(hq_files *files, const char *path, const char *name, const hq_hash *identity, hq_open_tree **open_r,
                   hq_reason *reason)
{
    pthread_mutex_lock(&files->lock);
    hq_open_tree *open = find(files, path, name, identity);
    while (open && open->is_opening)
        pthread_cond_wait(&files->opened, &files->lock);
    if (!open)
        open = open_new(files, path, name, identity);
    hq_error error = open->error;
    if (error && reason)
        *reason = open->reason;
    bool is_last = error && --open->users == 0;
    hq_open_tree *surplus = take_surplus(files);
    pthread_mutex_unlock(&files->lock);
    free_all(surplus);
    if (is_last)
        open_tree_free(&open);
    else if (!error)
        *open_r = open;
    return error;
}

const hq_tree *files_tree(const hq_open_tree *open)
{
    return open->tree;
}

void files_release(hq_files *files, hq_open_tree **open_p)
{
    pthread_mutex_lock(&files->lock);
    (*open_p)->users--;
    rest_others(files);
    hq_open_tree *surplus = take_surplus(files);
    pthread_mutex_unlock(&files->lock);
    free_all(surplus);
    *open_p = NULL;
}
