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
};

struct hq_files {
    pthread_mutex_t lock; /* over the list and its members' users */
    hq_open_tree *first;
    size_t count, limit;
    hq_remote *remote;
};

hq_files *files_new(size_t limit, const hq_remote_settings *remote)
{
    hq_files *files = hq_calloc(1, sizeof *files);
    pthread_mutex_init(&files->lock, NULL);
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
        return open;
    }
    return NULL;
}

static hq_error open_tree(hq_remote *remote, const char *path, const char *name, const hq_hash *identity,
                          hq_open_tree **open_r, hq_reason *reason)
{
    hq_open_tree *open = hq_calloc(1, sizeof *open);
    *open = (hq_open_tree){.path = hq_strdup(path), .name = hq_strdup(name), .identity = *identity, .users = 1};
    hq_error error = rootfile_open_through(remote, path, &open->file, reason);
    if (!error) {
        hq_hash found = rootfile_identity(open->file);
        if (memcmp(&found, identity, sizeof found) != 0)
            error = hq_fail(reason, HQ_EMISMATCH, "%s: the file has changed since the query was planned; ask again",
                            path);
    }
    if (!error)
        error = tree_open(open->file, name, &open->tree, reason);
    if (error)
        open_tree_free(&open);
    else
        *open_r = open;
    return error;
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

static void free_all(hq_open_tree *list)
{
    while (list) {
        hq_open_tree *open = list;
        list = open->next;
        open_tree_free(&open);
    }
}

hq_error files_get(hq_files *files, const char *path, const char *name, const hq_hash *identity, hq_open_tree **open_r,
                   hq_reason *reason)
{
    pthread_mutex_lock(&files->lock);
    hq_open_tree *open = find(files, path, name, identity);
    pthread_mutex_unlock(&files->lock);
    if (open) {
        *open_r = open;
        return HQ_OK;
    }
    /* Opened without the lock: other executors go on. If two open the same one, both stay, and the surplus goes as any
     * other. */
    hq_error error = open_tree(files->remote, path, name, identity, &open, reason);
    if (error)
        return error;
    pthread_mutex_lock(&files->lock);
    open->next = files->first;
    files->first = open;
    files->count++;
    hq_open_tree *surplus = take_surplus(files);
    pthread_mutex_unlock(&files->lock);
    free_all(surplus);
    *open_r = open;
    return HQ_OK;
}

const hq_tree *files_tree(const hq_open_tree *open)
{
    return open->tree;
}

void files_release(hq_files *files, hq_open_tree **open_p)
{
    pthread_mutex_lock(&files->lock);
    (*open_p)->users--;
    hq_open_tree *surplus = take_surplus(files);
    pthread_mutex_unlock(&files->lock);
    free_all(surplus);
    *open_p = NULL;
}
