#include "query/search.h"

#include <math.h>
#include <string.h>

enum { PAIRS_BETWEEN_STOPS = 1 << 18 };

/* Pairs of objects that lie in memory together: those with a second object from one up to another. */
typedef struct pair_block {
    int64_t from, to;   /* second objects, to exclusive */
    int64_t first, end; /* numbers of the pairs, end exclusive */
} pair_block;

typedef struct least_so_far {
    double key;
    pair_block block; /* where it is */
    int64_t third;
    bool is_met_again; /* elsewhere too */
} least_so_far;

static int64_t pairs_before(int64_t second)
{
    return second * (second - 1) / 2;
}

static int64_t triplets_before(int64_t third)
{
    return third * (third - 1) * (third - 2) / 6;
}

/* What is called is machine code, which has nothing before it that clang's check of calls could read. */
#ifdef __clang__
#define CALLS_MACHINE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MACHINE_CODE
#endif

CALLS_MACHINE_CODE static void fill_pairs(const hq_search *search, const pair_block *block)
{
    search->pairs(search->memory, search->count + SEARCH_LANES, search->memory + SEARCH_AT_PAIRS, block->from,
                  block->to);
}

CALLS_MACHINE_CODE static const double *fill_keys(const hq_search *search, const pair_block *block, int64_t from,
                                                  int64_t to)
{
    double *keys = search->memory + SEARCH_AT_KEYS;
    search->keys(search->memory, search->count + SEARCH_LANES, keys, from, to, block->first, block->end);
    return keys;
}

/* Several minima side by side, which compilers keep in vectors. */
static double least_of(const double *keys, int64_t count)
{
    double least[2 * SEARCH_LANES];
    for (int lane = 0; lane < 2 * SEARCH_LANES; lane++)
        least[lane] = INFINITY;
    int64_t i = 0;
    for (; i + 2 * SEARCH_LANES <= count; i += 2 * SEARCH_LANES)
        for (int lane = 0; lane < 2 * SEARCH_LANES; lane++)
            least[lane] = keys[i + lane] < least[lane] ? keys[i + lane] : least[lane];
    for (int lane = 0; lane < SEARCH_LANES; lane++)
        least[lane] = least[lane + SEARCH_LANES] < least[lane] ? least[lane + SEARCH_LANES] : least[lane];
    for (; i < count; i++)
        least[0] = keys[i] < least[0] ? keys[i] : least[0];
    double one = least[1] < least[0] ? least[1] : least[0];
    double other = least[3] < least[2] ? least[3] : least[2];
    return other < one ? other : one;
}

/* Takes the triplet if it comes before the one that is there. */
static void take_triplet(int64_t triplet[3], int64_t pair, int64_t second, int64_t third)
{
    int64_t found[3] = {pair - pairs_before(second), second, third};
    for (int i = 0; i < 3; i++) {
        if (found[i] > triplet[i])
            return;
        if (found[i] < triplet[i])
            break;
    }
    memcpy(triplet, found, sizeof found);
}

/* The first place from one on where the key is, or count. */
static int64_t next_place(const double *keys, double key, int64_t from, int64_t count)
{
    for (; from + 2 * SEARCH_LANES <= count; from += 2 * SEARCH_LANES) {
        int is_here = 0;
        for (int lane = 0; lane < 2 * SEARCH_LANES; lane++)
            is_here |= keys[from + lane] == key;
        if (is_here)
            break;
    }
    while (from < count && keys[from] != key)
        from++;
    return from;
}

/* Takes the first of a row's triplets with that key. */
static void find_in_row(const double *keys, double key, const pair_block *block, int64_t third, int64_t count,
                        int64_t triplet[3])
{
    int64_t second = block->from;
    for (int64_t i = 0; (i = next_place(keys, key, i, count)) < count; i++) {
        while (pairs_before(second + 1) <= block->first + i)
            second++;
        take_triplet(triplet, block->first + i, second, third);
    }
}

static int64_t row_length(const pair_block *block, int64_t third)
{
    int64_t before = pairs_before(third);
    return (before < block->end ? before : block->end) - block->first;
}

/* --- all keys at once --- */

static void search_few(const hq_search *search, int64_t triplet[3])
{
    pair_block all = {1, search->count - 1, 0, pairs_before(search->count - 1)};
    fill_pairs(search, &all);
    const double *keys = fill_keys(search, &all, 2, search->count);
    int64_t count = triplets_before(search->count), third = 2, second = 1;
    double key = least_of(keys, count);
    if (!(key < INFINITY) || (search->is_first_kept && isnan(keys[0]))) {
        memcpy(triplet, (const int64_t[3]){0, 1, 2}, 3 * sizeof *triplet);
        return;
    }
    for (int64_t i = 0; (i = next_place(keys, key, i, count)) < count; i++) {
        while (triplets_before(third + 1) <= i)
            third++, second = 1;
        while (pairs_before(second + 1) <= i - triplets_before(third))
            second++;
        take_triplet(triplet, i - triplets_before(third), second, third);
    }
}

/* --- in blocks --- */

/* The block that begins with a second object. */
static pair_block block_from(const hq_search *search, int64_t from)
{
    pair_block block = {from, from + 1, pairs_before(from), 0};
    while (block.to < search->count - 1 && pairs_before(block.to + 1) - block.first <= SEARCH_BLOCK)
        block.to++;
    block.end = pairs_before(block.to);
    return block;
}

/* Asks from time to time. */
static bool is_stopped(const hq_search *search, int64_t pairs, int64_t *looked_at)
{
    *looked_at += pairs;
    if (*looked_at < PAIRS_BETWEEN_STOPS)
        return false;
    *looked_at = 0;
    return search->stop(search->context);
}

static bool find_least(const hq_search *search, least_so_far *least)
{
    int64_t looked_at = 0;
    for (pair_block block = {.to = 1}; block.to < search->count - 1;) {
        block = block_from(search, block.to);
        fill_pairs(search, &block);
        for (int64_t third = block.from + 1; third < search->count; third++) {
            int64_t count = row_length(&block, third);
            const double *keys = fill_keys(search, &block, third, third + 1);
            if (third == 2 && search->is_first_kept && isnan(keys[0])) {
                *least = (least_so_far){.key = NAN};
                return true;
            }
            double here = least_of(keys, count);
            if (here < least->key)
                *least = (least_so_far){.key = here, .block = block, .third = third};
            else
                least->is_met_again = least->is_met_again || here == least->key;
            if (is_stopped(search, count, &looked_at))
                return false;
        }
    }
    return true;
}

static bool find_everywhere(const hq_search *search, double key, int64_t triplet[3])
{
    int64_t looked_at = 0;
    for (pair_block block = {.to = 1}; block.to < search->count - 1;) {
        block = block_from(search, block.to);
        fill_pairs(search, &block);
        for (int64_t third = block.from + 1; third < search->count; third++) {
            int64_t count = row_length(&block, third);
            find_in_row(fill_keys(search, &block, third, third + 1), key, &block, third, count, triplet);
            if (is_stopped(search, count, &looked_at))
                return false;
        }
    }
    return true;
}

static bool search_many(const hq_search *search, int64_t triplet[3])
{
    least_so_far least = {.key = INFINITY};
    if (!find_least(search, &least))
        return false;
    if (!(least.key < INFINITY)) {
        memcpy(triplet, (const int64_t[3]){0, 1, 2}, 3 * sizeof *triplet);
        return true;
    }
    if (least.is_met_again)
        return find_everywhere(search, least.key, triplet);
    fill_pairs(search, &least.block);
    find_in_row(fill_keys(search, &least.block, least.third, least.third + 1), least.key, &least.block, least.third,
                row_length(&least.block, least.third), triplet);
    return true;
}

bool search_least(const hq_search *search, int64_t triplet_r[3])
{
    memcpy(triplet_r, (const int64_t[3]){search->count, search->count, search->count}, 3 * sizeof *triplet_r);
    if (triplets_before(search->count) > SEARCH_BLOCK)
        return search_many(search, triplet_r);
    search_few(search, triplet_r);
    return true;
}
