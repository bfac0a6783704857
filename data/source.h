/* data/source.h - where the bytes of a file come from: a file of this machine, a server (http, https, root), or memory
 * (tests and fuzzing).
 *
 * Reads are positional, so any number of threads share one source. A server's file is read with as few requests as its
 * protocol allows, several of them under way at once, and what fails for a reason that may pass is asked for again (see
 * data/remote.h); a reader's part is to say all that it wants in one call of source_read_vector.
 */
#ifndef HQ_DATA_SOURCE_H
#define HQ_DATA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct hq_remote;
struct hq_remote_file;
struct hq_mapped;
struct hq_staged;

/* What this machine says of one of its files without opening it: as long as it says the same, it is the same file. */
typedef struct hq_stamp {
    uint64_t size;
    int64_t modified_ns;
    int64_t changed_ns; /* the last change of its bytes or of what is known of it, which nobody can set back */
} hq_stamp;

typedef struct hq_source {
    char *name;                    /* for messages: the path, or the URL */
    const uint8_t *memory;         /* borrowed; NULL if it does not lie in memory */
    int fd;                        /* -1 if it is no file of this machine */
    struct hq_mapped *mapped;      /* such a file as memory (data/mapped.h); NULL if it is only read by pread */
    struct hq_remote_file *remote; /* what a server's file is read through; NULL for all others */
    uint64_t size;
    int64_t modified_ns;            /* 0: not known, or not the same on all servers that have the file */
    int64_t changed_ns;             /* of a file of this machine, as hq_stamp has it; else 0 */
    const struct hq_staged *staged; /* of a copy that columns are read through: what of it is in memory; else NULL */
    char *version; /* what else tells this state of the file from others (HTTP's ETag); NULL: nothing */
} hq_source;

/* True for what begins as a URL does ("https://…"), whether or not hq can read it. */
bool source_is_url(const char *name);
/* HQ_OK for a URL with a scheme that hq reads, a host, a path, and no password (it would stand in every log); else
 * HQ_EINVAL or HQ_EUNSUPPORTED, and what to write instead. */
hq_error source_check_url(const char *url, hq_reason *reason);

/* Splits "URL:TREE": the tree stands behind the last ".root:", else behind the last colon after the last slash of the
 * path; NULL if there is none. Both are the caller's. */
void source_split_url(const char *text, char **url_r, char **tree_r);

/* Opens a path, or a URL through remote (NULL: through one of its own). HQ_ENOTFOUND; HQ_EIO, also for a lack of
 * permission; HQ_EFORMAT for what is no regular file; of a server also HQ_EUNAVAILABLE and HQ_ETIMEOUT, when all
 * attempts have failed, HQ_EUNSUPPORTED, if it does not send parts of files, and HQ_EPROTOCOL. Reading from a server
 * gives the same, and HQ_EMISMATCH if the file is not any more what it was when it was opened. */
hq_error source_open(struct hq_remote *remote, const char *name, hq_source *source_r, hq_reason *reason);
hq_error source_open_file(const char *path, hq_source *source_r, hq_reason *reason);
/* False for what cannot be asked for its stamp, or is no regular file. */
bool source_stamp_file(const char *path, hq_stamp *stamp_r);
void source_open_memory(const char *name, const void *bytes, uint64_t size, hq_source *source_r);
void source_close(hq_source *source);

/* The names of the files, not the folders, in a folder of a server, sorted: a URL that ends in a slash. HQ_EUNSUPPORTED
 * unless the scheme is root. */
hq_error source_list(struct hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_reason *reason);

/* True if each read costs a journey, so that many small ones are to be said in one call. */
static inline bool source_is_remote(const hq_source *source)
{
    return source->remote != NULL;
}

/* Exactly size bytes from offset on. HQ_EFORMAT, naming file and offset, if the file does not have them. */
hq_error source_read(const hq_source *source, uint64_t offset, size_t size, void *bytes_r, hq_reason *reason);

/* A piece of a file, and where its bytes go. */
typedef struct hq_stretch {
    uint64_t offset;
    size_t size;
    void *bytes_r; /* size bytes of the caller's */
} hq_stretch;

/* All of the stretches, each as source_read would read it: in any order, overlapping in the file or not, of any size
 * and number (a size of 0 reads nothing). After an error the contents of all destinations are undefined. Blocks until
 * all are there; no destination is written to after it has returned. */
hq_error source_read_vector(const hq_source *source, const hq_stretch *stretches, size_t count, hq_reason *reason);

/* The bytes where they are, without a copy: of a file in memory, and of one of this machine that is mapped. NULL if
 * they can only be read. Nobody looks at them but in source_use. */
const uint8_t *source_in_place(const hq_source *source, uint64_t offset, size_t size);
/* True if the byte there waits for no disk: of others, reading asks for more at a time than a mapping does. */
bool source_is_at_hand(const hq_source *source, uint64_t offset);

/* Runs work, which uses size bytes from there on that source_in_place gave, and all that is said of work in
 * data/mapped.h. The error of source_read if they are not there any more. */
hq_error source_use(const hq_source *source, const uint8_t *from, size_t size, void (*work)(void *context),
                    void *context, hq_reason *reason);

/* Who used so many bytes in place, none at end or behind it, has to ask at last whether the file still has them: where
 * it ends within a page the rest is zeros. */
hq_error source_used(const hq_source *source, uint64_t bytes, uint64_t end, hq_reason *reason);
/* Of what was used in place no page is held. */
void source_rest(const hq_source *source);

#endif
