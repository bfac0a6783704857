/* broker/shared.h - bytes that are made once and held by several: a query's histograms, encoded, by the messages that
 * carry them and by the job that keeps them.
 *
 * The bytes do not change. Taking and releasing is for any thread.
 */
#ifndef HQ_BROKER_SHARED_H
#define HQ_BROKER_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct hq_shared hq_shared;

/* Moves the buffer's bytes, and leaves it empty. The caller holds it once. */
hq_shared *shared_new(hq_buffer *buffer);
/* Holds it once more; NULL gives NULL. */
hq_shared *shared_take(hq_shared *shared);
/* Whoever is the last frees it. Accepts NULL, and nulls the pointer. */
void shared_release(hq_shared **shared_p);

const uint8_t *shared_bytes(const hq_shared *shared);
size_t shared_size(const hq_shared *shared);

#endif
