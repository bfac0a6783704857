/* query/arena.h - memory that is released all at once: what one compilation makes, or what one program holds.
 *
 * Nothing in an arena is freed by itself, so code that builds trees in one may be left at any point, by longjmp too,
 * without a leak.
 */
#ifndef HQ_QUERY_ARENA_H
#define HQ_QUERY_ARENA_H

#include <stddef.h>

typedef struct hq_arena hq_arena;

hq_arena *arena_new(void);
void arena_free(hq_arena **arena_p);

/* Zeroed, aligned for anything. Never NULL, see base/memory.h: callers bound what they ask for. */
void *arena_alloc(hq_arena *arena, size_t size);
/* A copy with a zero after it. */
char *arena_copy(hq_arena *arena, const char *text, size_t length);

/* Room for one more element in a growing array inside the arena; what it outgrew stays until the arena goes. */
void *arena_grow(hq_arena *arena, void *array, size_t count, size_t *capacity_p, size_t element_size);
#define ARENA_GROW(arena, array, count, capacity)                                                                      \
    do {                                                                                                               \
        if ((count) >= (capacity))                                                                                     \
            (array) = arena_grow((arena), (array), (count), &(capacity), sizeof *(array));                             \
    } while (0)

#endif
