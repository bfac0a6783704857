#include "client/find.h"

#include <bson/bson.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/source.h"
#include "wire/entry.h"
#include "zk/coordinator.h"

enum { SESSION_MS = 5000 };

typedef struct search {
    int is_over;
    hq_error error;
    hq_reason reason;
    char **endpoints;
    size_t count, capacity;
} search;

static void got_brokers(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    search *s = context;
    s->error = error;
    if (error)
        hq_fail(&s->reason, error, "%s", detail);
    for (size_t i = 0; !error && i < count; i++) {
        bson_t document;
        bson_iter_t iter;
        if (!bson_init_static(&document, members[i].bytes, members[i].size) ||
            !bson_validate(&document, BSON_VALIDATE_UTF8, NULL) || !bson_iter_init_find(&iter, &document, "front") ||
            !BSON_ITER_HOLDS_UTF8(&iter))
            continue;
        HQ_GROW(s->endpoints, s->count, s->capacity);
        s->endpoints[s->count++] = hq_strdup(bson_iter_utf8(&iter, NULL));
    }
    s->is_over = 1;
}

hq_error find_brokers(const char *coordinator, int timeout_ms, char ***endpoints_r, size_t *count_r, hq_reason *reason)
{
    hq_coordinator *c = NULL;
    hq_error error = coordinator_open(coordinator, SESSION_MS, NULL, NULL, &c, reason);
    if (error)
        return error;
    search s = {0};
    coordinator_members(c, "brokers", got_brokers, &s);
    error = coordinator_wait(c, &s.is_over, timeout_ms, reason);
    coordinator_close(&c);
    if (error)
        return hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s does not answer", coordinator);
    if (s.error)
        return hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s does not tell the brokers: %s", coordinator,
                       s.reason.text);
    *endpoints_r = s.endpoints;
    *count_r = s.count;
    return HQ_OK;
}

hq_error find_broker(const char *coordinator, int timeout_ms, char **endpoint_r, hq_reason *reason)
{
    char **endpoints = NULL;
    size_t count = 0;
    hq_error error = find_brokers(coordinator, timeout_ms, &endpoints, &count, reason);
    if (count > 0) {
        hq_hash random = hash_random();
        *endpoint_r = hq_strdup(endpoints[random.bytes[0] % count]);
    } else if (!error) {
        error = hq_fail(reason, HQ_EUNAVAILABLE,
                        "no broker is registered at %s: start hq-broker, or ask this machine alone with --local",
                        coordinator);
    }
    for (size_t i = 0; i < count; i++)
        free(endpoints[i]);
    free(endpoints);
    return error;
}

static int is_dataset_name(const char *spec)
{
    return !strchr(spec, '/') && !strpbrk(spec, "*?[") && !strstr(spec, ".root") && access(spec, F_OK) != 0;
}

char *find_spec(const char *spec)
{
    char here[PATH_MAX];
    if (spec[0] == '/' || source_is_url(spec) || strncmp(spec, "empty:", 6) == 0 || is_dataset_name(spec) ||
        !getcwd(here, sizeof here))
        return hq_strdup(spec);
    return hq_format("%s/%s", strcmp(here, "/") == 0 ? "" : here, spec);
}

typedef struct texts {
    char **texts;
    size_t count, capacity;
} texts;

static hq_error add_text(texts *all, const char *text, hq_reason *reason)
{
    if (all->count == HQ_MAX_SPECS)
        return hq_fail(reason, HQ_EINVAL, "a data set has at most %d texts: globs name more files", HQ_MAX_SPECS);
    HQ_GROW(all->texts, all->count, all->capacity);
    all->texts[all->count++] = hq_strdup(text);
    return HQ_OK;
}

/* A line without its end and the blanks round it. */
static char *trimmed(char *line, size_t length)
{
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = 0;
    while (isspace((unsigned char)*line))
        line++;
    return line;
}

static hq_error add_lines(texts *all, FILE *stream, const char *name, hq_reason *reason)
{
    char *line = NULL;
    size_t capacity = 0, before = all->count;
    ssize_t length;
    hq_error error = HQ_OK;
    errno = 0;
    for (size_t number = 1; !error && (length = getline(&line, &capacity, stream)) >= 0; number++) {
        if (memchr(line, 0, (size_t)length)) {
            error = hq_fail(reason, HQ_EINVAL, "%s: there is a zero byte in line %zu: this is no list of names", name,
                            number);
            break;
        }
        const char *text = trimmed(line, (size_t)length);
        if (*text && *text != '#')
            error = add_text(all, text, reason);
    }
    if (!error && ferror(stream))
        error = hq_fail(reason, HQ_EINVAL, "%s: %s", name, strerror(errno));
    if (!error && all->count == before)
        error = hq_fail(reason, HQ_EINVAL, "%s: no file is named in it; one a line is wanted", name);
    free(line);
    return error;
}

static hq_error add_list(texts *all, const char *path, hq_reason *reason)
{
    if (strcmp(path, "-") == 0)
        return add_lines(all, stdin, "stdin", reason);
    FILE *stream = fopen(path, "r");
    if (!stream)
        return hq_fail(reason, HQ_EINVAL, "%s: %s (a file whose name begins with @ is written ./@...)", path,
                       strerror(errno));
    hq_error error = add_lines(all, stream, path, reason);
    fclose(stream);
    return error;
}

hq_error find_listed(const char *const *given, size_t count, char ***listed_r, size_t *count_r, hq_reason *reason)
{
    texts all = {0};
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count && !error; i++)
        error = given[i][0] == '@' ? add_list(&all, given[i] + 1, reason) : add_text(&all, given[i], reason);
    if (error) {
        dataset_specs_free(&all.texts, all.count);
        return error;
    }
    *listed_r = all.texts;
    *count_r = all.count;
    return HQ_OK;
}

char *find_local_store(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return hq_format("sqlite:%s/hq/results.db", cache);
    if (home && home[0] == '/')
        return hq_format("sqlite:%s/.cache/hq/results.db", home);
    return hq_strdup("none");
}
