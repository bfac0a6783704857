#include "data/streamed.h"

#include "base/memory.h"

/* Facts from ROOT's TBufferFile.cxx. */
static const uint32_t BYTE_COUNT_MASK = 0x40000000, NEW_CLASS = 0xFFFFFFFF, CLASS_MASK = 0x80000000;
enum {
    PLACE_SHIFT = 2, /* places are counted from 2, so that 0 can be the null pointer and 1 the parent */
    IS_REFERENCED = 1 << 4,
    VERSION_HAS_COUNT = 0x4000,
};

size_t frame_begin(hq_bytes *bytes, uint16_t *version_r)
{
    uint32_t word = bytes_u32(bytes);
    if (!bytes->wrong && (word & (BYTE_COUNT_MASK | CLASS_MASK)) != BYTE_COUNT_MASK)
        bytes_fail(bytes,
                   "an object without a byte count, as ROOT before 1998 and streamers of a class's own write it");
    size_t length = word & ~BYTE_COUNT_MASK;
    if (bytes_left(bytes) < length || length < 2)
        bytes_fail(bytes, "an object's byte count leads out of its record");
    size_t end = bytes->at + length;
    *version_r = bytes_u16(bytes);
    return bytes->wrong ? bytes->at : end;
}

void frame_skip(hq_bytes *bytes)
{
    uint16_t version;
    size_t end = frame_begin(bytes, &version);
    frame_end(bytes, end);
}

void streamed_object(hq_bytes *bytes)
{
    if (bytes_u16(bytes) & VERSION_HAS_COUNT)
        bytes_take(bytes, 4); /* the version was the upper half of a byte count */
    bytes_u32(bytes);         /* unique id */
    if (bytes_u32(bytes) & IS_REFERENCED)
        bytes_u16(bytes); /* process id */
}

char *streamed_text(hq_bytes *bytes)
{
    size_t length;
    const char *text = bytes_text(bytes, &length);
    return bytes->wrong ? NULL : hq_strndup(text, length);
}

void streamed_named(hq_bytes *bytes, char **name_r, char **title_r)
{
    uint16_t version;
    size_t end = frame_begin(bytes, &version);
    streamed_object(bytes);
    *name_r = streamed_text(bytes);
    *title_r = streamed_text(bytes);
    frame_end(bytes, end);
}

static const hq_object_place *find_place(const hq_streamed *streamed, uint32_t place)
{
    size_t low = 0, high = streamed->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (streamed->places[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < streamed->place_count && streamed->places[low].place == place ? &streamed->places[low] : NULL;
}

/* Objects are remembered as they begin, so places ascend. */
void streamed_remember(hq_streamed *streamed, const hq_pointer *pointer, int kind, void *object)
{
    HQ_GROW(streamed->places, streamed->place_count, streamed->place_capacity);
    streamed->places[streamed->place_count++] = (hq_object_place){pointer->place, kind, object};
}

static void class_name(hq_bytes *bytes, char name_r[CLASS_NAME_SIZE])
{
    for (size_t i = 0; i < CLASS_NAME_SIZE; i++) {
        name_r[i] = (char)bytes_u8(bytes);
        if (name_r[i] == 0)
            return;
    }
    /* A longer name is none that hq knows; what matters is that its end is found. */
    name_r[CLASS_NAME_SIZE - 1] = 0;
    while (bytes_u8(bytes) != 0)
        ;
}

static void class_name_at(const hq_streamed *streamed, hq_bytes *bytes, uint32_t place, char name_r[CLASS_NAME_SIZE])
{
    uint32_t before = streamed->key_size + PLACE_SHIFT;
    hq_bytes there = bytes_over(bytes->base, bytes->at);
    if (place >= before && place - before < bytes->at)
        there.at = place - before;
    else
        bytes_fail(&there, "");
    if (bytes_u32(&there) != NEW_CLASS)
        bytes_fail(&there, "");
    class_name(&there, name_r);
    if (there.wrong)
        bytes_fail(bytes, "a reference to a class that was not named before");
}

hq_pointer streamed_pointer(hq_streamed *streamed)
{
    hq_bytes *bytes = &streamed->bytes;
    hq_pointer pointer = {.is = POINTER_NULL, .place = (uint32_t)bytes->at + streamed->key_size + PLACE_SHIFT};
    uint32_t tag = bytes_u32(bytes);
    if (tag & CLASS_MASK) {
        bytes_fail(bytes, "an object without a byte count (ROOT before 1998 wrote such)");
    } else if (tag & BYTE_COUNT_MASK) {
        size_t length = tag & ~BYTE_COUNT_MASK;
        if (bytes_left(bytes) < length)
            bytes_fail(bytes, "an object's byte count leads out of its record");
        pointer.end = bytes->at + length;
        tag = bytes_u32(bytes);
        if (tag & CLASS_MASK) {
            pointer.is = POINTER_NEW;
            if (tag == NEW_CLASS)
                class_name(bytes, pointer.class_name);
            else
                class_name_at(streamed, bytes, tag & ~CLASS_MASK, pointer.class_name);
        } else {
            bytes_move_to(bytes, pointer.end);
        }
    }
    if (bytes->wrong)
        return (hq_pointer){.is = POINTER_NULL};
    if (pointer.is == POINTER_NULL && tag != 0) {
        const hq_object_place *known = find_place(streamed, tag);
        pointer.is = known ? POINTER_KNOWN : POINTER_UNKNOWN;
        if (known) {
            pointer.kind = known->kind;
            pointer.object = known->object;
        }
    }
    return pointer;
}

uint32_t streamed_array(hq_bytes *bytes, size_t *end_r)
{
    uint16_t version;
    *end_r = frame_begin(bytes, &version);
    if (version > 2)
        streamed_object(bytes);
    if (version > 1) {
        size_t length;
        bytes_text(bytes, &length); /* its name */
    }
    uint32_t count = bytes_u32(bytes);
    bytes_u32(bytes); /* lower bound */
    if (!bytes->wrong && count > bytes_left(bytes) / 4)
        bytes_fail(bytes, "a list of more objects than there are bytes for");
    return bytes->wrong ? 0 : count;
}

void streamed_clear(hq_streamed *streamed)
{
    free(streamed->places);
    *streamed = (hq_streamed){0};
}
