/* base/memory.h - allocation, and the one policy for its running out.
 *
 * Memory for what the program itself decides to hold never fails: hq_alloc and its kin end the process with a line on
 * stderr, and their callers do not check. A size that a file, a peer or a person chose goes through hq_try_alloc, which
 * may give NULL and which the caller turns into HQ_ELIMIT. All of it is released with free().
 */
#ifndef HQ_BASE_MEMORY_H
#define HQ_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

void *hq_alloc(size_t size);                            /* not zeroed */
void *hq_calloc(size_t count, size_t size);             /* zeroed; overflow of the product ends the process */
void *hq_realloc(void *old, size_t count, size_t size); /* overflow likewise */
char *hq_strdup(const char *text);                      /* NULL gives NULL */
char *hq_strndup(const char *text, size_t length);
char *hq_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NULL if there is no such memory or the size is over the limit given. */
void *hq_try_alloc(size_t size, size_t limit);

/* For size bytes of which the first are aligned as aligned_alloc's, all about to be written: asks the system for pages
 * of 2 MiB where they lie whole in them, which come 512 times as seldom. */
void hq_memory_in_large_pages(void *memory, size_t size);

/* For programs that read columns or merge histograms, before they make threads: large pieces that are released stay
 * with the process, up to a quarter of a GiB for each of the allocator's pools, and as much of those that are too large
 * for its pools (hq_memory_give), instead of going back to the system and coming again page by page. When the system
 * has no more memory, the latter are given up before anything here fails. */
void hq_memory_reuse(void);

/* Memory aligned to 64 bytes, not zeroed, NULL if there is none: a piece of about that size that was given back and is
 * still here, of which what is too much goes back to the system; or new. What is given back came from here. Released
 * with free() or, so that it can be taken again, with hq_memory_give, which accepts NULL. Any thread. */
void *hq_memory_take(size_t size);
void hq_memory_give(void *memory);

/* Room for one more element in a growing array: doubles *capacity_p when count has reached it. */
#define HQ_GROW(array, count, capacity)                                                                                \
    do {                                                                                                               \
        if ((count) >= (capacity)) {                                                                                   \
            (capacity) = (capacity) ? (capacity) * 2 : 8;                                                              \
            (array) = hq_realloc((array), (capacity), sizeof *(array));                                                \
        }                                                                                                              \
    } while (0)

#endif
