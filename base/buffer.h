/* base/buffer.h - growing bytes to write, and a cursor that never reads past its end.
 *
 * Numbers are little-endian on the wire and in the store, whatever the machine. A cursor that was asked for more than
 * it has turns bad, gives zeros from then on and stays bad, so that a decoder checks once, at its end.
 */
#ifndef HQ_BASE_BUFFER_H
#define HQ_BASE_BUFFER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct hq_buffer {
    uint8_t *bytes; /* owned; buffer_clear releases it */
    size_t size, capacity;
} hq_buffer;

void buffer_append(hq_buffer *buffer, const void *bytes, size_t size);
void buffer_u8(hq_buffer *buffer, uint8_t value);
void buffer_u32(hq_buffer *buffer, uint32_t value);
void buffer_u64(hq_buffer *buffer, uint64_t value);
void buffer_f64(hq_buffer *buffer, double value);
/* u32 length and the bytes, without the zero; NULL is written as "". */
void buffer_text(hq_buffer *buffer, const char *text);
/* Frees the bytes and makes the buffer empty again. */
void buffer_clear(hq_buffer *buffer);

typedef struct hq_cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
} hq_cursor;

static inline hq_cursor cursor_over(const void *bytes, size_t size)
{
    return (hq_cursor){bytes, size, false};
}
/* size bytes in place, or NULL (and the cursor is bad). This and the next three are here, as a million answers a second
 * go through them. */
static inline const uint8_t *cursor_take(hq_cursor *cursor, size_t size)
{
    if (cursor->bad || size > cursor->left) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *taken = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return taken;
}

static inline uint8_t cursor_u8(hq_cursor *cursor)
{
    const uint8_t *byte = cursor_take(cursor, 1);
    return byte ? *byte : 0;
}

static inline uint32_t cursor_u32(hq_cursor *cursor)
{
    uint32_t value = 0;
    const uint8_t *bytes = cursor_take(cursor, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

static inline uint64_t cursor_u64(hq_cursor *cursor)
{
    uint64_t value = 0;
    const uint8_t *bytes = cursor_take(cursor, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

double cursor_f64(hq_cursor *cursor);
/* A copy for the caller to free, with a zero after it; NULL (and bad) if it is longer than limit or holds a zero. */
char *cursor_text(hq_cursor *cursor, size_t limit);
/* True if nothing was missing and nothing is left. */
static inline bool cursor_is_complete(const hq_cursor *cursor)
{
    return !cursor->bad && cursor->left == 0;
}

#endif
