#include "base/buffer.h"

#include <endian.h>
#include <string.h>

void buffer_append(hq_buffer *buffer, const void *bytes, size_t size)
{
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity - buffer->size < size)
            capacity *= 2;
        buffer->bytes = hq_realloc(buffer->bytes, capacity, 1);
        buffer->capacity = capacity;
    }
    if (size)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

void buffer_u8(hq_buffer *buffer, uint8_t value)
{
    buffer_append(buffer, &value, 1);
}

void buffer_u32(hq_buffer *buffer, uint32_t value)
{
    value = htole32(value);
    buffer_append(buffer, &value, sizeof value);
}

void buffer_u64(hq_buffer *buffer, uint64_t value)
{
    value = htole64(value);
    buffer_append(buffer, &value, sizeof value);
}

void buffer_f64(hq_buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    buffer_u64(buffer, bits);
}

void buffer_text(hq_buffer *buffer, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    buffer_u32(buffer, (uint32_t)length);
    buffer_append(buffer, text, length);
}

void buffer_clear(hq_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (hq_buffer){0};
}

double cursor_f64(hq_cursor *cursor)
{
    uint64_t bits = cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

char *cursor_text(hq_cursor *cursor, size_t limit)
{
    uint32_t length = cursor_u32(cursor);
    const uint8_t *bytes = length > limit ? NULL : cursor_take(cursor, length);
    if (!bytes || memchr(bytes, 0, length)) {
        cursor->bad = true;
        return NULL;
    }
    return hq_strndup((const char *)bytes, length);
}
