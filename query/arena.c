#include "query/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

enum { CHUNK_BYTES = 64 * 1024 - 64 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
} chunk;

struct hq_arena {
    chunk *first;
};

hq_arena *arena_new(void)
{
    return hq_calloc(1, sizeof(hq_arena));
}

void arena_free(hq_arena **arena_p)
{
    hq_arena *arena = *arena_p;
    if (!arena)
        return;
    for (chunk *at = arena->first; at;) {
        chunk *next = at->next;
        free(at);
        at = next;
    }
    free(arena);
    *arena_p = NULL;
}

void *arena_alloc(hq_arena *arena, size_t size)
{
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    chunk *first = arena->first;
    if (!first || first->size - first->used < size) {
        size_t room = size > CHUNK_BYTES / 4 ? size : CHUNK_BYTES;
        chunk *fresh = hq_calloc(1, sizeof *fresh + room);
        fresh->size = room;
        /* A large piece gets a chunk of its own behind the first, which goes on serving small ones. */
        if (first && room == size) {
            fresh->next = first->next;
            first->next = fresh;
        } else {
            fresh->next = first;
            arena->first = fresh;
        }
        first = fresh;
    }
    void *at = first->bytes + first->used;
    first->used += size;
    return at;
}

char *arena_copy(hq_arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

void *arena_grow(hq_arena *arena, void *array, size_t count, size_t *capacity_p, size_t element_size)
{
    *capacity_p = *capacity_p ? *capacity_p * 2 : 8;
    void *grown = arena_alloc(arena, *capacity_p * element_size);
    if (count)
        memcpy(grown, array, count * element_size);
    return grown;
}
