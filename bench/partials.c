/* bench/partials - puts partials into a store as a broker's keeper does, reads them back, and tells how long both took,
 * as one line of JSON.
 *
 * usage: partials STORE COUNT BYTES [BATCH]
 * COUNT partials of BYTES bytes that do not compress, BATCH (default: as the broker) at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "broker/internal.h"

enum { TIMEOUT_MS = 60000, KEEP_MS = 3600000 };

static void count_partial(void *context, const hq_partial *partial)
{
    (void)partial;
    ++*(size_t *)context;
}

static hq_error put_all(hq_store *store, const hq_hash *program, size_t count, size_t size, size_t batch,
                        hq_reason *reason)
{
    hq_error error = HQ_OK;
    hq_partial *partials = hq_calloc(batch, sizeof *partials);
    uint8_t *bytes = hq_alloc(batch * size + 1);
    uint64_t state = 1;
    for (size_t i = 0; i < batch * size; i++)
        bytes[i] = (uint8_t)((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
    for (size_t at = 0; at < count && !error; at += batch) {
        size_t now = count - at < batch ? count - at : batch;
        for (size_t i = 0; i < now; i++) {
            size_t number = at + i;
            partials[i] = (hq_partial){.partition = hash_of(&number, sizeof number),
                                       .entries = 1000,
                                       .bytes = bytes + i * size,
                                       .size = (uint32_t)size};
        }
        error = store_put_partials(store, program, partials, now, reason);
    }
    free(partials);
    free(bytes);
    return error;
}

static hq_error measure(hq_store *store, size_t count, size_t size, size_t batch, hq_reason *reason)
{
    hq_hash program = hash_random();
    size_t found = 0;
    hq_error error = store_prepare(store, reason);
    int64_t begun_us = hq_now_us();
    if (!error)
        error = put_all(store, &program, count, size, batch, reason);
    int64_t put_us = hq_now_us();
    if (!error)
        error = store_get_partials(store, &program, count_partial, &found, reason);
    int64_t got_us = hq_now_us();
    if (!error && found != count)
        error = hq_fail(reason, HQ_EINTERNAL, "%zu of %zu partials came back", found, count);
    if (!error)
        printf("{\"partials\": %zu, \"bytes\": %zu, \"batch\": %zu, \"put_s\": %.3f, \"get_s\": %.3f}\n", count, size,
               batch, (double)(put_us - begun_us) / 1e6, (double)(got_us - put_us) / 1e6);
    return error;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: partials STORE COUNT BYTES [BATCH]\n");
        return 2;
    }
    size_t count = strtoull(argv[2], NULL, 10), size = strtoull(argv[3], NULL, 10);
    size_t batch = argc > 4 ? strtoull(argv[4], NULL, 10) : HQ_PARTIALS_BATCH;
    if (argc <= 4 && size && batch > HQ_PARTIALS_BYTES / size)
        batch = HQ_PARTIALS_BYTES / size + 1;
    hq_store *store = NULL;
    hq_reason reason = {{0}};
    hq_error error = batch ? store_open(argv[1], TIMEOUT_MS, KEEP_MS, &store, &reason) : HQ_EINVAL;
    if (!error)
        error = measure(store, count, size, batch, &reason);
    if (error)
        fprintf(stderr, "partials: %s\n", reason.text);
    store_close(&store);
    return error ? 1 : 0;
}
