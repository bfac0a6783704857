/* tests/data/served.h - files, and servers of them: http that behaves in every way (file_servers.py), and XRootD's own.
 *
 * The files are copies of samples, a large one of random bytes and an empty one, in a folder of the test's.
 */
#ifndef HQ_TESTS_DATA_SERVED_H
#define HQ_TESTS_DATA_SERVED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/error.h"
#include "data/remote.h"
#include "data/source.h"

enum { SERVED_BIG = 5000000, SERVED_SAMPLES = 2, SERVED_BRISK_MS = 4000 };

extern const char *const served_samples[SERVED_SAMPLES]; /* TTrees "events" */
extern const char served_ntuple[];                       /* an RNTuple "Events" */

typedef struct served {
    FILE *say, *hear; /* file_servers.py */
    pid_t pid;
    int port, other_port, xrootd_port; /* 0: there is no xrootd */
    char *xrootd_folder, *folder;
    uint8_t *big;      /* the bytes of the large one, "big" */
    hq_remote *remote; /* waits long, as a busy machine asks for */
    hq_remote *brisk;  /* waits SERVED_BRISK_MS, for servers that are silent now and then; a good one on a busy machine
                          must not seem so */
    hq_remote *hasty;  /* for servers that say nothing */
} served;

/* For cmocka's groups: the files alone, with http, with XRootD too if it is installed. */
int served_set_up_alone(void **state);
int served_set_up(void **state);
int served_set_up_with_xrootd(void **state);
int served_tear_down(void **state);

/* Says something to file_servers.py (NULL: nothing), and waits for its answer. */
void served_ask(served *f, const char *command, char answer_r[1024]);
/* The URL of a file; mode is one of file_servers.py's ways to behave. Without XRootD the test is skipped. The caller
 * frees it. */
char *served_http(const served *f, const char *mode, const char *name);
char *served_xrootd(const served *f, const char *name);

uint64_t served_random(uint64_t *state);
/* Stretches of the large file of all sizes, in no order, some of them overlapping; at most most, and room bytes. */
size_t served_stretches(uint64_t seed, uint8_t *to, size_t room, hq_stretch *stretches, size_t most);
void served_assert_stretches(const served *f, const hq_stretch *stretches, size_t count);

void served_open(hq_remote *remote, const char *name, hq_source *source_r);
/* The large file is read rightly, in many places at once; also one by one, and beyond its end. */
void served_assert_vector_reads(const served *f, const hq_source *source, uint64_t seed);
void served_assert_reads(const served *f, const hq_source *source);
/* mode: of http, or a URL. requests: how many it takes to know. */
void served_assert_open_fails(served *f, hq_remote *remote, const char *mode, hq_error expected, const char *text,
                              unsigned requests);

#endif
