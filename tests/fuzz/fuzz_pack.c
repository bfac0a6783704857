/* The store's packs of partials: any bytes are either refused or give partials that lie within them. */
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef struct bounds {
    const uint8_t *begin, *end;
    hq_partial *partials;
    size_t count, capacity;
} bounds;

static void check(void *context, const hq_partial *partial)
{
    bounds *within = context;
    const uint8_t *begin = partial->bytes;
    if (begin < within->begin || partial->size > (size_t)(within->end - begin))
        abort();
    HQ_GROW(within->partials, within->count, within->capacity);
    within->partials[within->count++] = *partial;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bounds within = {.begin = bytes, .end = bytes + size};
    hq_hash program = {{0}};
    hq_pack pack = {.payload = {0}};
    if (pack_read(bytes, size, check, &within) == HQ_OK && within.count > 0) {
        /* What was read and packs into one again is what it was. */
        size_t fitting = pack_fill(&pack, &program, within.partials, within.count);
        if (fitting == within.count && (pack.payload.size != size || memcmp(pack.payload.bytes, bytes, size) != 0))
            abort();
    } else if (within.count > 0) {
        abort(); /* nothing is given of what is then refused */
    }
    buffer_clear(&pack.payload);
    free(within.partials);
    return 0;
}
