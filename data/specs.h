/* data/specs.h - from the specification of a dataset to a list of files. Private to data/. */
#ifndef HQ_DATA_SPECS_H
#define HQ_DATA_SPECS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct hq_remote;

enum { HQ_MAX_PARTITIONS = 10000000 };

/* One file that was asked for. */
typedef struct hq_wanted_file {
    char *path;
    char *tree; /* NULL: the only one in the file */
} hq_wanted_file;

typedef struct hq_wanted {
    hq_wanted_file *files;
    size_t count, capacity;
    uint64_t empty_partitions; /* the N of "empty:N"; then there are no files */
} hq_wanted;

/* Expands globs and splits trees from paths, in the order given; servers are asked through remote. With takes_missing
 * a path that is not there is wanted all the same. *wanted_r is to be cleared in any case. */
hq_error specs_expand(struct hq_remote *remote, const char *const *specs, size_t count, bool takes_missing,
                      hq_wanted *wanted_r, hq_reason *reason);
void wanted_clear(hq_wanted *wanted);

#endif
