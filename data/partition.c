#include "data/partition.h"

hq_hash partition_identity(const hq_hash *file, const char *tree, uint64_t first, uint64_t last)
{
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, file->bytes, sizeof file->bytes);
    hasher_add_text(hasher, tree);
    hasher_add_u64(hasher, first);
    hasher_add_u64(hasher, last);
    return hasher_end(&hasher);
}
