/* data/source.h - where the bytes of a file come from: a file of this machine, or memory (tests and fuzzing).
 *
 * Reads are positional, so any number of threads share one source.
 */
#ifndef HQ_DATA_SOURCE_H
#define HQ_DATA_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct hq_source {
    char *name;            /* for messages */
    const uint8_t *memory; /* borrowed; NULL if fd is read */
    int fd;                /* -1 if memory is read */
    uint64_t size;
    int64_t modified_ns;
} hq_source;

/* HQ_ENOTFOUND, HQ_EIO, or HQ_EFORMAT for what is no regular file. */
hq_error source_open_file(const char *path, hq_source *source_r, hq_reason *reason);
void source_open_memory(const char *name, const void *bytes, uint64_t size, hq_source *source_r);
void source_close(hq_source *source);

/* Exactly size bytes from offset on. HQ_EFORMAT, naming file and offset, if the file does not have them. */
hq_error source_read(const hq_source *source, uint64_t offset, size_t size, void *bytes_r, hq_reason *reason);

#endif
