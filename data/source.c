#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/mapped.h"
#include "data/source_remote.h"
#include "data/staged.h"

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static hq_stamp stamp_of(const struct stat *status)
{
    return (hq_stamp){.size = (uint64_t)status->st_size,
                      .modified_ns = nanoseconds(&status->st_mtim),
                      .changed_ns = nanoseconds(&status->st_ctim)};
}

bool source_stamp_file(const char *path, hq_stamp *stamp_r)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    *stamp_r = stamp_of(&status);
    return true;
}

hq_error source_open_file(const char *path, hq_source *source_r, hq_reason *reason)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not keep us waiting for its writer */
    if (fd < 0) {
        hq_error error = errno == ENOENT || errno == ENOTDIR ? HQ_ENOTFOUND : HQ_EIO;
        return hq_fail(reason, error, "%s: cannot open: %s", path, strerror(errno));
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        hq_fail(reason, HQ_EIO, "%s: cannot ask for its size: %s", path, strerror(errno));
        close(fd);
        return HQ_EIO;
    }
    if (!S_ISREG(status.st_mode)) {
        close(fd);
        return hq_fail(reason, HQ_EFORMAT, "%s: not a ROOT file: it is %s", path,
                       S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
    }
    hq_stamp stamp = stamp_of(&status);
    *source_r = (hq_source){.name = hq_strdup(path),
                            .fd = fd,
                            .mapped = mapped_open(fd, stamp.size),
                            .size = stamp.size,
                            .modified_ns = stamp.modified_ns,
                            .changed_ns = stamp.changed_ns};
    return HQ_OK;
}

void source_open_memory(const char *name, const void *bytes, uint64_t size, hq_source *source_r)
{
    static const uint8_t nothing[1];
    *source_r = (hq_source){.name = hq_strdup(name), .memory = bytes ? bytes : nothing, .fd = -1, .size = size};
}

bool source_is_url(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return length > 0 && strncmp(name + length, "://", 3) == 0;
}

hq_error source_check_url(const char *url, hq_reason *reason)
{
    static const char *const schemes[] = {"http", "https", "root", "roots", "xroot", "xroots"};
    const char *host = strstr(url, "://");
    size_t length = (size_t)(host - url), known = 0, count = sizeof schemes / sizeof *schemes;
    while (known < count && (strlen(schemes[known]) != length || strncmp(url, schemes[known], length) != 0))
        known++;
    if (known == count)
        return hq_fail(reason, HQ_EUNSUPPORTED,
                       "\"%s\": hq reads files of this machine, named by their path, and http://, "
                       "https:// and root:// URLs",
                       url);
    host += 3;
    length = strcspn(host, "/?#");
    if (length == 0)
        return hq_fail(reason, HQ_EINVAL, "\"%s\": the URL names no server", url);
    const char *at = memchr(host, '@', length);
    if (at && memchr(host, ':', (size_t)(at - host)))
        return hq_fail(reason, HQ_EINVAL,
                       "a URL with a password (server %.*s): it would stand in logs and results; put "
                       "it into ~/.netrc where the file is read",
                       (int)(length - (size_t)(at + 1 - host)), at + 1);
    if (host[length] != '/' || host[length + 1] == 0)
        return hq_fail(reason, HQ_EINVAL, "\"%s\": the URL names a server, but no file", url);
    return HQ_OK;
}

void source_split_url(const char *text, char **url_r, char **tree_r)
{
    static const char ending[] = ".root:";
    const char *path = strstr(text, "://") + 3, *colon = NULL;
    path += strcspn(path, "/");
    for (const char *found = path; (found = strstr(found, ending)); found++)
        colon = found + strlen(ending) - 1;
    const char *slash = strrchr(path, '/');
    if (!colon && slash)
        colon = strrchr(slash, ':');
    *url_r = colon ? hq_strndup(text, (size_t)(colon - text)) : hq_strdup(text);
    *tree_r = hq_strdup(colon ? colon + 1 : NULL);
}

static hq_error open_url(hq_remote *remote, const char *url, hq_source *source_r, hq_reason *reason)
{
    hq_source source = {.name = hq_strdup(url), .fd = -1};
    hq_error error = source_check_url(url, reason);
    if (!error)
        error = remote_file_open(remote, source.name, &source.remote, reason);
    if (error) {
        free(source.name);
        return error;
    }
    const hq_version *version = &source.remote->version;
    source.size = version->size;
    if (!version->is_replica) {
        source.modified_ns = version->modified_ns;
        source.version = hq_strdup(version->tag);
    }
    *source_r = source;
    return HQ_OK;
}

hq_error source_open(hq_remote *remote, const char *name, hq_source *source_r, hq_reason *reason)
{
    return source_is_url(name) ? open_url(remote, name, source_r, reason) : source_open_file(name, source_r, reason);
}

hq_error source_list(hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_reason *reason)
{
    if (strncmp(url, "http", 4) == 0)
        return hq_fail(reason, HQ_EUNSUPPORTED, "%s: servers of http do not tell what files there are", url);
    hq_remote *own = remote ? NULL : remote_new(NULL);
    hq_error error = remote_list(remote ? remote : own, url, names_r, count_r, reason);
    remote_free(&own);
    return error;
}

void source_close(hq_source *source)
{
    remote_file_close(&source->remote);
    mapped_close(&source->mapped);
    if (source->fd >= 0)
        close(source->fd);
    free(source->version);
    free(source->name);
    *source = (hq_source){.fd = -1};
}

static hq_error check_place(const hq_source *source, uint64_t offset, size_t size, hq_reason *reason)
{
    if (offset > source->size || size > source->size - offset)
        return hq_fail(reason, HQ_EFORMAT,
                       "%s: offset %" PRIu64 ": %zu bytes should be there, but the file ends at %" PRIu64, source->name,
                       offset, size, source->size);
    return HQ_OK;
}

static hq_error read_file(const hq_source *source, uint64_t offset, size_t size, void *bytes_r, hq_reason *reason)
{
    uint8_t *at = bytes_r;
    while (size > 0) {
        ssize_t got = pread(source->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hq_fail(reason, HQ_EIO, "%s: cannot read at offset %" PRIu64 ": %s", source->name, offset,
                           strerror(errno));
        if (got == 0)
            return hq_fail(reason, HQ_EFORMAT,
                           "%s: the file became shorter while it was read: it ends before offset %" PRIu64,
                           source->name, offset);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return HQ_OK;
}

hq_error source_read(const hq_source *source, uint64_t offset, size_t size, void *bytes_r, hq_reason *reason)
{
    const hq_stretch stretch = {offset, size, bytes_r};
    return source_read_vector(source, &stretch, 1, reason);
}

/* What is not in memory is asked for in one go. */
static hq_error read_staged(const hq_source *source, const hq_stretch *stretches, size_t count, hq_reason *reason)
{
    hq_stretch *missing = hq_calloc(count, sizeof *missing);
    size_t missing_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!staged_copy(source->staged, &stretches[i]))
            missing[missing_count++] = stretches[i];
    hq_error error = missing_count ? remote_file_read(source->remote, missing, missing_count, reason) : HQ_OK;
    free(missing);
    return error;
}

hq_error source_read_vector(const hq_source *source, const hq_stretch *stretches, size_t count, hq_reason *reason)
{
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count && !error; i++)
        error = check_place(source, stretches[i].offset, stretches[i].size, reason);
    if (error)
        return error;
    if (source->remote)
        return source->staged ? read_staged(source, stretches, count, reason)
                              : remote_file_read(source->remote, stretches, count, reason);
    for (size_t i = 0; i < count && !error; i++) {
        const hq_stretch *stretch = &stretches[i];
        if (!source->memory)
            error = read_file(source, stretch->offset, stretch->size, stretch->bytes_r, reason);
        else if (stretch->size)
            memcpy(stretch->bytes_r, source->memory + stretch->offset, stretch->size);
    }
    return error;
}

const uint8_t *source_in_place(const hq_source *source, uint64_t offset, size_t size)
{
    if (offset > source->size || size > source->size - offset)
        return NULL;
    if (source->memory)
        return source->memory + offset;
    return source->mapped ? mapped_bytes(source->mapped) + offset : NULL;
}

bool source_is_at_hand(const hq_source *source, uint64_t offset)
{
    return source->memory || (source->mapped && mapped_is_at_hand(source->fd, offset));
}

/* Reading by pread tells what a mapping cannot. */
static hq_error tell_fault(const hq_source *source, uint64_t offset, size_t size, hq_reason *reason)
{
    uint8_t piece[4096];
    hq_error error = HQ_OK;
    for (size_t at = 0; at < size && !error; at += sizeof piece)
        error = read_file(source, offset + at, size - at < sizeof piece ? size - at : sizeof piece, piece, reason);
    return error ? error
                 : hq_fail(reason, HQ_EIO, "%s: cannot read at offset %" PRIu64 ": the system gave no bytes at first",
                           source->name, offset);
}

hq_error source_use(const hq_source *source, const uint8_t *from, size_t size, void (*work)(void *context),
                    void *context, hq_reason *reason)
{
    if (source->memory)
        work(context);
    else if (!mapped_use(from, size, work, context))
        return tell_fault(source, (uint64_t)(from - mapped_bytes(source->mapped)), size, reason);
    return HQ_OK;
}

void source_rest(const hq_source *source)
{
    if (source->mapped)
        mapped_rest(source->mapped);
}

hq_error source_used(const hq_source *source, uint64_t bytes, uint64_t end, hq_reason *reason)
{
    struct stat status;
    if (!source->mapped || bytes == 0)
        return HQ_OK;
    mapped_used(source->mapped, bytes);
    if (fstat(source->fd, &status) != 0)
        return hq_fail(reason, HQ_EIO, "%s: cannot ask for its size: %s", source->name, strerror(errno));
    return (uint64_t)status.st_size >= end
               ? HQ_OK
               : hq_fail(reason, HQ_EFORMAT,
                         "%s: the file became shorter while it was read: it ends before offset %" PRIu64, source->name,
                         end);
}
