/* data/source_remote.h - inside the room: what files of servers have in common, whatever the protocol.
 *
 * A read is planned as requests (source_requests.c), which a protocol (source_http.c, source_xrootd.c) sends, several
 * at a time; source_remote.c repeats what is worth it.
 */
#ifndef HQ_DATA_SOURCE_REMOTE_H
#define HQ_DATA_SOURCE_REMOTE_H

#include <pthread.h>
#include <stdatomic.h>

#include "data/remote.h"
#include "data/source.h"

/* A piece of a file and its place in memory. */
typedef struct hq_piece {
    uint64_t offset;
    size_t size;
    uint8_t *to;
} hq_piece;

/* One request to a server. */
typedef struct hq_request {
    const hq_piece *pieces; /* ascending by offset */
    size_t piece_count;
    size_t passed;   /* pieces at the front that have all their bytes */
    uint64_t offset; /* of the first piece */
    size_t size;     /* from there to the end of the last; of a protocol that reads pieces: their bytes */
    size_t done;     /* bytes, from the front, that are in their places */
} hq_request;

typedef struct hq_requests {
    hq_request *requests;
    size_t count, capacity;
    hq_piece *pieces;
    size_t piece_count;
} hq_requests;

/* What one request may hold. */
typedef struct hq_request_limits {
    bool takes_pieces;  /* the server sends just the pieces; else it sends what lies between them too */
    size_t piece_bytes; /* of one piece; longer ones are cut */
    size_t piece_count; /* pieces of one request */
    size_t bytes;       /* size of one request */
    size_t gap;         /* unless takes_pieces: the most bytes between two pieces of one request */
} hq_request_limits;

/* Cuts stretches, in any order, into requests. To be cleared. */
void requests_plan(const hq_request_limits *limits, const hq_stretch *stretches, size_t count, hq_requests *requests_r);
void requests_clear(hq_requests *requests);

/* The next bytes of the request's range have come: puts them where they belong. There must not be more than are
 * missing. */
void request_take(hq_request *request, const uint8_t *bytes, size_t size);

/* What went wrong, and whether to try again. */
typedef struct hq_fault {
    hq_error error; /* HQ_OK: nothing */
    bool may_pass;
    int64_t wait_ms; /* what the server asks for before it is tried again */
    char text[512];
} hq_fault;

void fault_set(hq_fault *fault, hq_error error, bool may_pass, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One state of a file, as far as its server tells. */
typedef struct hq_version {
    uint64_t size;
    int64_t modified_ns; /* 0: not known */
    char *tag;           /* HTTP's ETag; NULL: none */
    bool is_replica; /* another server than the one asked has it: its time and tag may differ from those of others */
} hq_version;

typedef struct hq_remote_file hq_remote_file;

typedef struct hq_protocol {
    hq_request_limits limits;
    /* Makes the file's state and fills version and, if it came with the answer, head. Nothing stays after a fault. */
    void (*open)(hq_remote_file *file, hq_fault *fault);
    void (*close)(hq_remote_file *file);
    /* Sends those requests that are not done, some at a time, and waits for all that it sent: nothing is written to a
     * destination once it is back. After a fault no further one is sent; those under way are waited for if it may
     * pass. */
    void (*fetch)(hq_remote_file *file, hq_request *requests, size_t count, hq_fault *fault);
} hq_protocol;

extern const hq_protocol http_protocol, xrootd_protocol;

enum {
    REMOTE_BLOCK = 64 << 10, /* small reads take whole blocks, since neighbours are mostly wanted next */
    REMOTE_BLOCKS = 6,       /* kept for each file */
    REMOTE_REDIRECTS = 8,    /* followed for one request */
};

typedef struct hq_block {
    uint64_t offset, used;
    size_t size;
    uint8_t *bytes;
} hq_block;

struct hq_remote_file {
    hq_remote *remote;
    const char *url; /* the source's name */
    const hq_protocol *protocol;
    void *state;        /* the protocol's */
    hq_version version; /* of the file when it was opened; read-only from then on */
    bool owns_remote;
    pthread_mutex_t lock; /* over blocks and clock; a protocol may use it for its state */
    hq_block blocks[REMOTE_BLOCKS];
    uint64_t clock;
};

struct hq_http_session;
struct hq_xrootd_api;

struct hq_remote {
    hq_remote_settings settings;
    pthread_mutex_t lock;               /* over what follows */
    struct hq_http_session *sessions;   /* not in use, the last used first */
    const struct hq_xrootd_api *xrootd; /* NULL: not loaded yet */
    atomic_uint_fast64_t files, requests, bytes, wanted, retries, failures;
};

/* Frees the connections that remote keeps. */
void http_sessions_free(hq_remote *remote);

/* The XRootD client, loaded when it is first wanted; NULL and a fault if it is not there. */
const struct hq_xrootd_api *xrootd_load(hq_remote *remote, hq_fault *fault);

/* Opens a URL, through remote, or through one of its own with the defaults. */
hq_error remote_file_open(hq_remote *remote, const char *url, hq_remote_file **file_r, hq_reason *reason);
void remote_file_close(hq_remote_file **file_p);
/* All stretches lie within the file. */
hq_error remote_file_read(hq_remote_file *file, const hq_stretch *stretches, size_t count, hq_reason *reason);

/* The contract is source_list's. */
hq_error remote_list(hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_reason *reason);
void xrootd_list(hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_fault *fault);

/* A block of bytes from offset on that came with something else; taken over. */
void remote_file_keep(hq_remote_file *file, uint64_t offset, uint8_t *bytes, size_t size);

#endif
