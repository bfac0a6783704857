#include "data/staged.h"

#include <string.h>

#include "base/memory.h"

void staged_want(hq_staged *staged, uint64_t offset, uint64_t size)
{
    if (size == 0 || size > STAGED_BYTES)
        return;
    HQ_GROW(staged->areas, staged->count, staged->capacity);
    staged->areas[staged->count++] = (hq_stretch){.offset = offset, .size = (size_t)size};
}

static int compare_areas(const void *one, const void *other)
{
    uint64_t a = ((const hq_stretch *)one)->offset, b = ((const hq_stretch *)other)->offset;
    return (a > b) - (a < b);
}

/* Sorted, without those outside of the file, and neighbours in one. */
static void settle(hq_staged *staged, uint64_t file_size)
{
    size_t wanted = staged->count;
    qsort(staged->areas, wanted, sizeof *staged->areas, compare_areas);
    staged->count = 0;
    staged->bytes = 0;
    for (size_t i = 0; i < wanted; i++) {
        hq_stretch area = staged->areas[i];
        if (area.offset > file_size || area.size > file_size - area.offset)
            continue;
        hq_stretch *last = staged->count > 0 ? &staged->areas[staged->count - 1] : NULL;
        if (!last || area.offset > last->offset + last->size + STAGED_GAP) {
            staged->areas[staged->count++] = area;
        } else if (area.offset + area.size > last->offset + last->size) {
            last->size = (size_t)(area.offset + area.size - last->offset);
        }
    }
    for (size_t i = 0; i < staged->count; i++)
        staged->bytes += staged->areas[i].size;
}

hq_error staged_fetch(hq_staged *staged, const hq_source *source, hq_reason *reason)
{
    if (staged->count > 0)
        settle(staged, source->size);
    staged->memory = staged->count > 0 ? hq_try_alloc(staged->bytes, STAGED_BYTES) : NULL;
    if (!staged->memory) {
        staged->count = 0; /* columns are read one by one then */
        return HQ_OK;
    }
    uint8_t *at = staged->memory;
    for (size_t i = 0; i < staged->count; at += staged->areas[i++].size)
        staged->areas[i].bytes_r = at;
    return source_read_vector(source, staged->areas, staged->count, reason);
}

bool staged_copy(const hq_staged *staged, const hq_stretch *stretch)
{
    size_t low = 0, high = staged->count; /* the last area that does not begin behind it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (staged->areas[middle].offset <= stretch->offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const hq_stretch *area = &staged->areas[low - 1];
    uint64_t from = stretch->offset - area->offset;
    if (from > area->size || stretch->size > area->size - from)
        return false;
    if (stretch->size > 0)
        memcpy(stretch->bytes_r, (const uint8_t *)area->bytes_r + from, stretch->size);
    return true;
}

void staged_clear(hq_staged *staged)
{
    free(staged->areas);
    free(staged->memory);
    *staged = (hq_staged){0};
}
