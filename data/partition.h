/* data/partition.h - the identity of a partition, by which brokers, workers and the store speak of it. */
#ifndef HQ_DATA_PARTITION_H
#define HQ_DATA_PARTITION_H

#include <stdint.h>

#include "base/hash.h"

/* A hash of the file's identity (rootfile_identity), of the tree's path in it (two trees of one file are told apart;
 * NULL is ""), and of the entries first up to last, exclusive. */
hq_hash partition_identity(const hq_hash *file, const char *tree, uint64_t first, uint64_t last);

#endif
