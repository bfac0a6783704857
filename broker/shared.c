#include "broker/shared.h"

#include <stdatomic.h>

#include "base/memory.h"

struct hq_shared {
    atomic_int holders;
    hq_buffer buffer;
};

hq_shared *shared_new(hq_buffer *buffer)
{
    hq_shared *shared = hq_calloc(1, sizeof *shared);
    atomic_init(&shared->holders, 1);
    shared->buffer = *buffer;
    *buffer = (hq_buffer){0};
    return shared;
}

hq_shared *shared_take(hq_shared *shared)
{
    if (shared)
        atomic_fetch_add(&shared->holders, 1);
    return shared;
}

void shared_release(hq_shared **shared_p)
{
    hq_shared *shared = *shared_p;
    *shared_p = NULL;
    if (!shared || atomic_fetch_sub(&shared->holders, 1) > 1)
        return;
    buffer_clear(&shared->buffer);
    free(shared);
}

const uint8_t *shared_bytes(const hq_shared *shared)
{
    return shared->buffer.bytes;
}

size_t shared_size(const hq_shared *shared)
{
    return shared->buffer.size;
}
