/* base/record.h - bytes under a key: what one room keeps without knowing what it means to another. */
#ifndef HQ_BASE_RECORD_H
#define HQ_BASE_RECORD_H

#include <stdint.h>

#include "base/hash.h"

typedef struct hq_record {
    hq_hash key;
    const void *bytes; /* whose they are, the function says that gives or takes the record */
    uint32_t size;
} hq_record;

#endif
