/* query/search.h - the best of all triplets of a sequence, for machine code (query/code_search.c) whose key is a
 * function of three objects.
 *
 * Instead of three loops, one in the other, there are rows that vector code is good at: what in the key depends on the
 * first two objects is computed for all pairs, then the keys of all pairs that come before a third object.
 * Pairs are numbered by their second object, then by their first, so that those that come before a third object are the
 * first ones. The order of operations within a key is that of the text, and so is which of equal keys is found: the
 * first in the order of the three loops.
 */
#ifndef HQ_QUERY_SEARCH_H
#define HQ_QUERY_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SEARCH_INVARIANTS = 8, /* at most, of one search: words that depend on no object, */
    SEARCH_OBJECTS = 12,   /* on one, */
    SEARCH_PAIRS = 8,      /* and on two */
    SEARCH_BLOCK = 4096,   /* pairs, and keys, at a time */
    SEARCH_LANES = 4,      /* rows are written in steps of so many, beyond their end */
    SEARCH_ROW = SEARCH_BLOCK + SEARCH_LANES,
    SEARCH_MOST = SEARCH_BLOCK, /* objects: a row fits into a block */
    /* A search's memory: the invariants, a list for each word of the pairs, a list of keys, and for each word of an
     * object a list of count + SEARCH_LANES. */
    SEARCH_AT_PAIRS = SEARCH_INVARIANTS,
    SEARCH_AT_KEYS = SEARCH_AT_PAIRS + SEARCH_PAIRS * SEARCH_ROW,
    SEARCH_AT_OBJECTS = SEARCH_AT_KEYS + SEARCH_ROW
};

/* Computes the words of all pairs whose second object is from or one of the next up to to, exclusive, one row after the
 * other, each word into its own list. */
typedef void search_pairs(const double *memory, int64_t stride, double *pairs, int64_t from, int64_t to);
/* Computes, one row after the other, the keys with each third object from up to to, exclusive, of the pairs before it;
 * of those, only the ones that are kept: from the pair first on, up to end, exclusive. */
typedef void search_keys(const double *memory, int64_t stride, double *keys, int64_t from, int64_t to, int64_t first,
                         int64_t end);

typedef struct hq_search {
    search_pairs *pairs;
    search_keys *keys;
    double *memory;
    int64_t count;        /* of objects, from 3 to SEARCH_MOST */
    bool is_first_kept;   /* if the first triplet's key is nan it is the best: nothing is less */
    bool (*stop)(void *); /* asked now and then: true ends the search */
    void *context;
} hq_search;

/* The numbers of the triplet with the least key; nan is never less. The first triplet if none is less than infinity.
 * False if it was stopped. */
bool search_least(const hq_search *search, int64_t triplet_r[3]);

#endif
