/* bench/query_c.h - the ADL queries as a good C programmer writes them by hand: what hq's machine code is measured
 * against.
 *
 * Each function goes over all events and adds to histograms of int64_t[102]: underflow, 100 bins, overflow. Inputs are
 * float32, arithmetic is double, a bin is floor(n (x - low) / (high - low)). Nothing is taken from hq but the columns.
 */
#ifndef HQ_BENCH_QUERY_C_H
#define HQ_BENCH_QUERY_C_H

#include <stddef.h>
#include <stdint.h>

enum { QUERY_BINS = 100, QUERY_MAX_HISTS = 2 };

typedef struct query_objects {
    const float *pt, *eta, *phi, *mass;
    const float *btag;     /* of jets */
    const int32_t *charge; /* of leptons */
    const uint32_t *offsets;
} query_objects;

typedef struct query_events {
    size_t count;
    const float *met_pt, *met_phi;
    query_objects jets, muons, electrons;
} query_events;

typedef struct query_by_hand {
    const char *name; /* "q1" */
    const char *what;
    size_t hist_count;
    void (*run)(const query_events *events, int64_t (*hists)[QUERY_BINS + 2]);
} query_by_hand;

extern const query_by_hand QUERIES_BY_HAND[];
extern const size_t QUERY_BY_HAND_COUNT;

#endif
