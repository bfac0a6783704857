#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

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
    *source_r = (hq_source){
        .name = hq_strdup(path),
        .fd = fd,
        .size = (uint64_t)status.st_size,
        .modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec,
    };
    return HQ_OK;
}

void source_open_memory(const char *name, const void *bytes, uint64_t size, hq_source *source_r)
{
    static const uint8_t nothing[1];
    *source_r = (hq_source){.name = hq_strdup(name), .memory = bytes ? bytes : nothing, .fd = -1, .size = size};
}

void source_close(hq_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
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
    hq_error error = check_place(source, offset, size, reason);
    if (error || size == 0)
        return error;
    if (source->memory) {
        memcpy(bytes_r, source->memory + offset, size);
        return HQ_OK;
    }
    return read_file(source, offset, size, bytes_r, reason);
}

hq_error source_read_vector(const hq_source *source, const hq_stretch *stretches, size_t count, hq_reason *reason)
{
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count && !error; i++)
        error = source_read(source, stretches[i].offset, stretches[i].size, stretches[i].bytes_r, reason);
    return error;
}
