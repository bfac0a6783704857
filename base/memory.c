#include "base/memory.h"

#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    OWN_MAPPING = 32 << 20, /* the most that glibc takes from its pools */
    KEPT = 256 << 20,
    KEPT_PIECES = 16,
};

/* What was given back of pieces as large as OWN_MAPPING, the oldest first. The allocator is one for the process, and so
 * is this. */
static struct {
    pthread_mutex_t lock;
    bool is_on;
    void *pieces[KEPT_PIECES];
    size_t count, bytes;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *remove_piece(size_t index)
{
    void *piece = kept.pieces[index];
    kept.bytes -= malloc_usable_size(piece);
    kept.count--;
    memmove(kept.pieces + index, kept.pieces + index + 1, (kept.count - index) * sizeof *kept.pieces);
    return piece;
}

/* When there is no more memory: gives up what is kept; false if that is nothing. */
static bool release_kept(void)
{
    void *old[KEPT_PIECES];
    size_t count = 0;
    pthread_mutex_lock(&kept.lock);
    while (kept.count > 0)
        old[count++] = remove_piece(kept.count - 1);
    pthread_mutex_unlock(&kept.lock);
    for (size_t i = 0; i < count; i++)
        free(old[i]);
    return count > 0;
}

static void *or_die(void *memory, size_t size)
{
    if (!memory && size) {
        fprintf(stderr, "hq: out of memory asking for %zu bytes\n", size);
        abort();
    }
    return memory;
}

void *hq_alloc(size_t size)
{
    void *memory;
    while (!(memory = malloc(size ? size : 1)) && release_kept())
        ;
    return or_die(memory, size);
}

void *hq_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        return or_die(calloc(1, 1), 1);
    void *memory;
    while (!(memory = calloc(count, size)) && release_kept())
        ;
    return or_die(memory, count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void *hq_realloc(void *old, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return or_die(NULL, SIZE_MAX);
    void *memory;
    while (!(memory = realloc(old, total ? total : 1)) && release_kept())
        ;
    return or_die(memory, total);
}

char *hq_strdup(const char *text)
{
    return text ? hq_strndup(text, strlen(text)) : NULL;
}

char *hq_strndup(const char *text, size_t length)
{
    char *copy = hq_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *hq_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return or_die(length < 0 ? NULL : text, 1);
}

void hq_memory_reuse(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    mallopt(M_TRIM_THRESHOLD, KEPT);
    kept.is_on = true;
#endif
}

/* A piece of so many bytes is longer than is wanted: nobody counts its end, so the system has it back, in whole large
 * pages. */
static void return_end(void *piece, size_t wanted, size_t held)
{
    enum { LARGE_PAGE = 2 << 20, PAGE = 4 << 10 /* or a multiple: then the advice is refused */ };
    uintptr_t begin = ((uintptr_t)piece + wanted + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    uintptr_t end = ((uintptr_t)piece + held) / PAGE * PAGE;
    if (begin < end)
        madvise((char *)piece + (begin - (uintptr_t)piece), end - begin, MADV_DONTNEED);
}

void *hq_memory_take(size_t size)
{
    enum { ALIGNMENT = 64, WASTE = 8 /* an eighth of what is wanted may be too much */ };
    size_t held = 0;
    void *memory = NULL;
    if (kept.is_on && size >= OWN_MAPPING) {
        pthread_mutex_lock(&kept.lock);
        for (size_t i = 0; i < kept.count && !memory; i++) {
            held = malloc_usable_size(kept.pieces[i]);
            if (held >= size && held - size <= size / WASTE)
                memory = remove_piece(i);
        }
        pthread_mutex_unlock(&kept.lock);
    }
    if (memory) {
        return_end(memory, size, held);
        return memory;
    }
    while (!(memory = aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)) && release_kept())
        ;
    return memory;
}

void hq_memory_give(void *memory)
{
    size_t size = memory && kept.is_on ? malloc_usable_size(memory) : 0;
    if (size < OWN_MAPPING || size > KEPT) {
        free(memory);
        return;
    }
    void *old[KEPT_PIECES];
    size_t old_count = 0;
    pthread_mutex_lock(&kept.lock);
    while (kept.count > 0 && (kept.count == KEPT_PIECES || kept.bytes > KEPT - size))
        old[old_count++] = remove_piece(0);
    kept.pieces[kept.count++] = memory;
    kept.bytes += size;
    pthread_mutex_unlock(&kept.lock);
    while (old_count > 0)
        free(old[--old_count]);
}

void hq_memory_in_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    enum { PAGE = 2 << 20 };
    uintptr_t begin = ((uintptr_t)memory + PAGE - 1) / PAGE * PAGE, end = ((uintptr_t)memory + size) / PAGE * PAGE;
    if (memory && begin < end)
        madvise((char *)memory + (begin - (uintptr_t)memory), end - begin,
                MADV_HUGEPAGE); /* advice: it may be refused */
#else
    (void)memory;
    (void)size;
#endif
}

void *hq_try_alloc(size_t size, size_t limit)
{
    void *memory = NULL;
    while (size <= limit && !(memory = malloc(size ? size : 1)) && release_kept())
        ;
    return memory;
}
