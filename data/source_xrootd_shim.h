/* data/source_xrootd_shim.h - what hq uses of the XRootD client library, which speaks C++, as C functions.
 *
 * The shim is a module of its own, loaded when the first root:// URL is opened: programs that open none neither wait
 * for the library nor need it. It converts arguments and nothing else.
 */
#ifndef HQ_DATA_SOURCE_XROOTD_SHIM_H
#define HQ_DATA_SOURCE_XROOTD_SHIM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { XROOTD_API_VERSION = 1 };

/* The library's own status: class (0 is success), code (what failed) and number (of the server's error, or errno). */
typedef struct xrootd_status {
    int status, code;
    uint32_t number;
    char text[256];
} xrootd_status;

typedef struct xrootd_chunk {
    uint64_t offset;
    uint32_t size;
    void *to;
} xrootd_chunk;

/* Called once, by a thread of the library. */
typedef void xrootd_done(void *context, const xrootd_status *status, uint32_t bytes);
typedef void xrootd_found(void *context, const char *name, int is_directory);

typedef struct hq_xrootd_api {
    int version;
    /* A setting of the library for the whole process; one that the environment sets (XRD_…) stays. */
    void (*set)(const char *name, int value);
    /* Those without a callback wait. NULL, and why. */
    void *(*open)(const char *url, uint16_t timeout_s, xrootd_status *status_r);
    void (*stat)(void *file, uint16_t timeout_s, uint64_t *size_r, uint64_t *modified_s_r, xrootd_status *status_r);
    /* The host and port of the server that has the file, cut to size. */
    void (*server)(void *file, char *text_r, uint32_t size);
    void (*close)(void *file, uint16_t timeout_s);
    /* Unless the status they give is an error, done is called later, and may be before they return. */
    void (*read)(void *file, const xrootd_chunk *chunk, uint16_t timeout_s, xrootd_done *done, void *context,
                 xrootd_status *status_r);
    void (*read_vector)(void *file, const xrootd_chunk *chunks, uint32_t count, uint16_t timeout_s, xrootd_done *done,
                        void *context, xrootd_status *status_r);
    /* What is in the directory of a URL. */
    void (*list)(const char *url, uint16_t timeout_s, xrootd_found *found, void *context, xrootd_status *status_r);
} hq_xrootd_api;

/* The module's one symbol. */
const hq_xrootd_api *hq_xrootd(void);

#ifdef __cplusplus
}
#endif

#endif
