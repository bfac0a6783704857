#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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
    return or_die(malloc(size ? size : 1), size);
}

void *hq_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        return or_die(calloc(1, 1), 1);
    return or_die(calloc(count, size), count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void *hq_realloc(void *old, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return or_die(NULL, SIZE_MAX);
    return or_die(realloc(old, total ? total : 1), total);
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
    enum { OWN_MAPPING = 32 << 20 /* the most that glibc takes */, KEPT = 256 << 20 };
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
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
    return size > limit ? NULL : malloc(size ? size : 1);
}
