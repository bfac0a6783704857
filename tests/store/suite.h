/* tests/store/suite.h - what holds for every store. */
#ifndef HQ_TESTS_STORE_SUITE_H
#define HQ_TESTS_STORE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

/* Runs the suite on one store, emptied before each test. The number of tests that failed. */
int suite_run(const char *address);

hq_store *suite_open(const char *address, int64_t keep_ms);
#define assert_done(call)         suite_assert(call, HQ_OK, &reason, __FILE__, __LINE__)
#define assert_error(call, error) suite_assert(call, error, &reason, __FILE__, __LINE__)
void suite_assert(hq_error got, hq_error wanted, const hq_reason *reason, const char *file, int line);

/* count partials of size bytes each, every one different; the bytes of number i follow from i. */
hq_partial *suite_partials(size_t count, uint32_t size);
void suite_free_partials(hq_partial *partials, size_t count);

/* What store_get_partials gave, compared with what was put. */
typedef struct suite_gathered {
    const hq_partial *wanted;
    size_t count, found, wrong;
    unsigned char *seen;
} suite_gathered;
void suite_gather(void *context, const hq_partial *partial);
/* How many of the wanted are in the store, each with its bytes; the test fails for any that is not as it was put. */
size_t suite_count(hq_store *store, const hq_hash *program, const hq_partial *wanted, size_t count);

#endif
