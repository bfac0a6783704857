#include "data/specs.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/source.h"

static const char empty_prefix[] = "empty:";

static void want(hq_wanted *wanted, const char *path, const char *tree)
{
    HQ_GROW(wanted->files, wanted->count, wanted->capacity);
    wanted->files[wanted->count++] = (hq_wanted_file){hq_strdup(path), hq_strdup(tree)};
}

void wanted_clear(hq_wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        free(wanted->files[i].path);
        free(wanted->files[i].tree);
    }
    free(wanted->files);
    *wanted = (hq_wanted){0};
}

static bool is_empty_spec(const char *spec)
{
    size_t prefix = strlen(empty_prefix);
    const char *number = spec + prefix;
    return strncmp(spec, empty_prefix, prefix) == 0 && *number && number[strspn(number, "0123456789")] == 0;
}

static hq_error expand_empty(const char *spec, size_t spec_count, hq_wanted *wanted, hq_reason *reason)
{
    if (spec_count > 1)
        return hq_fail(reason, HQ_EINVAL, "\"%s\" stands alone, without other files", spec);
    errno = 0;
    unsigned long long count = strtoull(spec + strlen(empty_prefix), NULL, 10);
    if (errno || count < 1 || count > HQ_MAX_PARTITIONS)
        return hq_fail(reason, HQ_EINVAL, "\"%s\": the number of partitions is from 1 to %d", spec, HQ_MAX_PARTITIONS);
    wanted->empty_partitions = count;
    return HQ_OK;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Appends what the pattern matches; HQ_ENOTFOUND, without a text, if that is nothing. glob's own order follows the
 * locale, so the sorting is done here. */
static hq_error expand_glob(const char *pattern, const char *tree, hq_wanted *wanted, hq_reason *reason)
{
    glob_t found;
    int result = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    hq_error error = HQ_OK;
    if (result == GLOB_NOMATCH)
        error = HQ_ENOTFOUND;
    else if (result == GLOB_NOSPACE)
        error = hq_fail(reason, HQ_ELIMIT, "\"%s\" matches more files than memory holds", pattern);
    else if (result)
        error = hq_fail(reason, HQ_EIO, "\"%s\": a folder on the way cannot be read: %s", pattern, strerror(errno));
    if (!error) {
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare_texts);
        for (size_t i = 0; i < found.gl_pathc; i++)
            want(wanted, found.gl_pathv[i], tree);
    }
    if (result != GLOB_NOSPACE)
        globfree(&found);
    return error;
}

/* A path that is there is taken as it is, though it may look like a glob. */
static hq_error expand_path(const char *path, const char *tree, hq_wanted *wanted, hq_reason *reason)
{
    if (access(path, F_OK) == 0) {
        want(wanted, path, tree);
        return HQ_OK;
    }
    return strpbrk(path, "*?[") ? expand_glob(path, tree, wanted, reason) : HQ_ENOTFOUND;
}

/* The path of a URL, up to its query. */
static const char *url_path(const char *url, size_t *length_r)
{
    const char *path = strchr(strstr(url, "://") + 3, '/');
    *length_r = strcspn(path, "?");
    return path;
}

/* The files of an XRootD server's folder whose names match the last part of the path. What follows the path, "?…", is
 * for the server, and goes with each. */
static hq_error expand_remote_glob(struct hq_remote *remote, const char *url, const char *tree, hq_wanted *wanted,
                                   hq_reason *reason)
{
    size_t length, count = 0, begin = wanted->count;
    const char *path = url_path(url, &length), *query = path + length;
    char *front = hq_strndup(url, (size_t)(query - url)), *pattern = strrchr(front, '/') + 1;
    char *folder = hq_strndup(front, (size_t)(pattern - front)), *listed = hq_format("%s%s", folder, query);
    char **names = NULL;
    hq_error error;
    if (strpbrk(folder + (path - url), "*["))
        error = hq_fail(reason, HQ_EUNSUPPORTED, "\"%s\": on a server only a file's name may be a glob, no folder's",
                        url);
    else
        error = source_list(remote, listed, &names, &count, reason);
    for (size_t i = 0; i < count; i++) {
        if (fnmatch(pattern, names[i], FNM_PERIOD) == 0) {
            char *found = hq_format("%s%s%s", folder, names[i], query);
            want(wanted, found, tree);
            free(found);
        }
        free(names[i]);
    }
    if (!error && wanted->count == begin)
        error = hq_fail(reason, HQ_ENOTFOUND, "\"%s\": no file matches", url);
    free(names);
    free(listed);
    free(folder);
    free(front);
    return error;
}

static bool url_is_glob(const char *url)
{
    size_t length;
    const char *path = url_path(url, &length);
    return memchr(path, '*', length) || memchr(path, '[', length);
}

static hq_error expand_url(struct hq_remote *remote, const char *spec, hq_wanted *wanted, hq_reason *reason)
{
    char *url, *tree;
    source_split_url(spec, &url, &tree);
    hq_error error = source_check_url(url, reason);
    if (!error && tree && !*tree)
        error = hq_fail(reason, HQ_EINVAL, "\"%s\": a tree is named after the colon, URL:TREE", spec);
    if (!error && !url_is_glob(url))
        want(wanted, url, tree);
    else if (!error && strncmp(url, "http", 4) == 0)
        error =
            hq_fail(reason, HQ_EUNSUPPORTED,
                    "\"%s\": servers of http do not tell what files there are, so there are no globs: name each file "
                    "(a * or [ that is part of its name is written %%2A or %%5B)",
                    url);
    else if (!error)
        error = expand_remote_glob(remote, url, tree, wanted, reason);
    free(url);
    free(tree);
    return error;
}

static hq_error expand_spec(struct hq_remote *remote, const char *spec, bool takes_missing, hq_wanted *wanted,
                            hq_reason *reason)
{
    if (source_is_url(spec))
        return expand_url(remote, spec, wanted, reason);
    hq_error error = expand_path(spec, NULL, wanted, reason);
    const char *colon = strrchr(spec, ':');
    if (error != HQ_ENOTFOUND)
        return error;
    if (strncmp(spec, empty_prefix, strlen(empty_prefix)) == 0)
        return hq_fail(reason, HQ_EINVAL, "\"%s\": after empty: comes the number of partitions, as in empty:1000",
                       spec);
    if (takes_missing && !strpbrk(spec, "*?[") && !(colon && colon != spec && colon[1])) {
        want(wanted, spec, NULL);
        return HQ_OK;
    }
    if (strpbrk(spec, "*?[") && !colon)
        return hq_fail(reason, HQ_ENOTFOUND, "\"%s\": no file matches", spec);
    if (!colon || colon == spec || colon[1] == 0)
        return hq_fail(reason, HQ_ENOTFOUND, "\"%s\": no such file%s", spec,
                       colon ? "; a tree is named after a colon, FILE:TREE" : "");
    char *path = hq_strndup(spec, (size_t)(colon - spec));
    error = expand_path(path, colon + 1, wanted, reason);
    if (error == HQ_ENOTFOUND && takes_missing && !strpbrk(path, "*?[")) {
        want(wanted, path, colon + 1);
        error = HQ_OK;
    }
    if (error == HQ_ENOTFOUND)
        hq_fail(reason, error, strpbrk(path, "*?[") ? "\"%s\": no file matches" : "\"%s\": no such file", path);
    free(path);
    return error;
}

hq_error specs_expand(struct hq_remote *remote, const char *const *specs, size_t count, bool takes_missing,
                      hq_wanted *wanted_r, hq_reason *reason)
{
    *wanted_r = (hq_wanted){0};
    if (count == 0)
        return hq_fail(reason, HQ_EINVAL, "a dataset needs at least one file");
    for (size_t i = 0; i < count; i++) {
        hq_error error = is_empty_spec(specs[i]) ? expand_empty(specs[i], count, wanted_r, reason)
                                                 : expand_spec(remote, specs[i], takes_missing, wanted_r, reason);
        if (error)
            return error;
    }
    return HQ_OK;
}
