/* bench/query_c.c - compiled with -O3 -march=native, whatever the rest of the build uses.
 *
 * Where counting is all there is to do (q1 to q3), bins are found for a block of values at once, which gcc turns into
 * vector code, and are counted in several tables in turn, so that equal neighbours do not wait for one counter.
 */
#include "query_c.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK = 256, TABLES = 8, TABLE_SIZE = 128, NOWHERE = QUERY_BINS + 2, MAX_OBJECTS = 256 };

/* Both ranges here are such that 100 / (high - low) is exact, so no bin differs from the division's. */
static inline int bin_of(double x, double per_unit)
{
    double position = x * per_unit;
    if (x < 0)
        return 0;
    return position < QUERY_BINS ? 1 + (int)position : QUERY_BINS + 1;
}

static inline int32_t bin_of_float(float x, float per_unit)
{
    float position = x * per_unit;
    position = x < 0 ? -1.0F : position;
    position = position < QUERY_BINS ? position : QUERY_BINS;
    return 1 + (int32_t)position;
}

/* Counts values[first] up to values[last]; with eta, only those with |eta| < 1. */
static inline __attribute__((always_inline)) void count_all(const float *values, const float *eta, size_t first,
                                                            size_t last, int64_t *hist)
{
    uint32_t tables[TABLES][TABLE_SIZE];
    int32_t bins[BLOCK];
    memset(tables, 0, sizeof tables);
    size_t i = first;
    for (; i + BLOCK <= last; i += BLOCK) {
        for (size_t k = 0; k < BLOCK; k++) {
            int32_t bin = bin_of_float(values[i + k], 0.5F);
            bins[k] = !eta || fabsf(eta[i + k]) < 1 ? bin : NOWHERE;
        }
        for (size_t k = 0; k < BLOCK; k++)
            tables[k % TABLES][bins[k]]++;
    }
    for (; i < last; i++)
        if (!eta || fabsf(eta[i]) < 1)
            tables[0][bin_of_float(values[i], 0.5F)]++;
    for (size_t t = 0; t < TABLES; t++)
        for (size_t bin = 0; bin < QUERY_BINS + 2; bin++)
            hist[bin] += tables[t][bin];
}

static void q1(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    count_all(events->met_pt, NULL, 0, events->count, hists[0]);
}

static void q2(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *jets = &events->jets;
    count_all(jets->pt, NULL, jets->offsets[0], jets->offsets[events->count], hists[0]);
}

static void q3(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *jets = &events->jets;
    count_all(jets->pt, jets->eta, jets->offsets[0], jets->offsets[events->count], hists[0]);
}

static void q4(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const float *pt = events->jets.pt;
    const uint32_t *offsets = events->jets.offsets;
    for (size_t i = 0; i < events->count; i++) {
        int hard = 0;
        for (uint32_t k = offsets[i]; k < offsets[i + 1]; k++)
            hard += pt[k] > 40;
        if (hard >= 2)
            hists[0][bin_of_float(events->met_pt[i], 0.5F)]++;
    }
}

typedef struct momentum {
    double px, py, pz, e;
} momentum;

static inline momentum momentum_of(const query_objects *objects, size_t k)
{
    double pt = objects->pt[k], phi = objects->phi[k], eta = objects->eta[k], mass = objects->mass[k];
    momentum p = {pt * cos(phi), pt * sin(phi), pt * sinh(eta), 0};
    p.e = sqrt(p.px * p.px + p.py * p.py + p.pz * p.pz + mass * mass);
    return p;
}

static inline momentum sum_of(momentum a, momentum b)
{
    return (momentum){a.px + b.px, a.py + b.py, a.pz + b.pz, a.e + b.e};
}

static inline double mass_of(momentum p)
{
    double square = p.e * p.e - p.px * p.px - p.py * p.py - p.pz * p.pz;
    return square < 0 ? -sqrt(-square) : sqrt(square);
}

static bool has_z(const query_objects *muons, size_t first, size_t last)
{
    for (size_t a = first; a < last; a++)
        for (size_t b = a + 1; b < last; b++) {
            if (muons->charge[a] == muons->charge[b])
                continue;
            double mass = mass_of(sum_of(momentum_of(muons, a), momentum_of(muons, b)));
            if (mass > 60 && mass < 120)
                return true;
        }
    return false;
}

static void q5(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *muons = &events->muons;
    for (size_t i = 0; i < events->count; i++)
        if (has_z(muons, muons->offsets[i], muons->offsets[i + 1]))
            hists[0][bin_of_float(events->met_pt[i], 0.5F)]++;
}

static void q6(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *jets = &events->jets;
    momentum p[MAX_OBJECTS];
    for (size_t i = 0; i < events->count; i++) {
        size_t first = jets->offsets[i], count = jets->offsets[i + 1] - first;
        if (count < 3 || count > MAX_OBJECTS)
            continue;
        for (size_t k = 0; k < count; k++)
            p[k] = momentum_of(jets, first + k);
        double nearest = INFINITY;
        size_t best[3] = {0, 1, 2};
        for (size_t a = 0; a + 2 < count; a++)
            for (size_t b = a + 1; b + 1 < count; b++) {
                momentum pair = sum_of(p[a], p[b]);
                for (size_t c = b + 1; c < count; c++) {
                    double distance = fabs(mass_of(sum_of(pair, p[c])) - 172.5);
                    if (distance < nearest) {
                        nearest = distance;
                        best[0] = a, best[1] = b, best[2] = c;
                    }
                }
            }
        momentum all = sum_of(sum_of(p[best[0]], p[best[1]]), p[best[2]]);
        const float *btag = jets->btag + first;
        float greatest = fmaxf(btag[best[0]], fmaxf(btag[best[1]], btag[best[2]]));
        hists[0][bin_of(sqrt(all.px * all.px + all.py * all.py), 0.5)]++;
        hists[1][bin_of(greatest, 100)]++;
    }
}

static bool has_near(const query_objects *leptons, size_t event, double eta, double phi)
{
    for (size_t k = leptons->offsets[event]; k < leptons->offsets[event + 1]; k++) {
        if (!(leptons->pt[k] > 10))
            continue;
        double d_eta = eta - leptons->eta[k], d_phi = phi - leptons->phi[k];
        if (d_phi > M_PI)
            d_phi -= 2 * M_PI;
        else if (d_phi < -M_PI)
            d_phi += 2 * M_PI;
        if (d_eta * d_eta + d_phi * d_phi < 0.4 * 0.4)
            return true;
    }
    return false;
}

static void q7(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *jets = &events->jets;
    for (size_t i = 0; i < events->count; i++) {
        double total = 0;
        for (size_t k = jets->offsets[i]; k < jets->offsets[i + 1]; k++)
            if (jets->pt[k] > 30 && !has_near(&events->muons, i, jets->eta[k], jets->phi[k]) &&
                !has_near(&events->electrons, i, jets->eta[k], jets->phi[k]))
                total += jets->pt[k];
        if (total > 0)
            hists[0][bin_of(total, 0.5)]++;
    }
}

static void q8(const query_events *events, int64_t (*hists)[QUERY_BINS + 2])
{
    const query_objects *flavours[2] = {&events->muons, &events->electrons};
    for (size_t i = 0; i < events->count; i++) {
        size_t count = 0;
        for (size_t f = 0; f < 2; f++)
            count += flavours[f]->offsets[i + 1] - flavours[f]->offsets[i];
        if (count < 3)
            continue;
        double nearest = INFINITY;
        size_t flavour = 0, first = 0, second = 0;
        for (size_t f = 0; f < 2; f++) {
            const query_objects *l = flavours[f];
            for (size_t a = l->offsets[i]; a < l->offsets[i + 1]; a++)
                for (size_t b = a + 1; b < l->offsets[i + 1]; b++) {
                    if (l->charge[a] == l->charge[b])
                        continue;
                    double distance = fabs(mass_of(sum_of(momentum_of(l, a), momentum_of(l, b))) - 91.2);
                    if (distance < nearest)
                        nearest = distance, flavour = f, first = a, second = b;
                }
        }
        if (!(nearest < INFINITY))
            continue;
        double pt = -1, phi = 0;
        for (size_t f = 0; f < 2; f++)
            for (size_t k = flavours[f]->offsets[i]; k < flavours[f]->offsets[i + 1]; k++)
                if ((f != flavour || (k != first && k != second)) && flavours[f]->pt[k] > pt)
                    pt = flavours[f]->pt[k], phi = flavours[f]->phi[k];
        hists[0][bin_of(sqrt(2 * pt * events->met_pt[i] * (1 - cos(events->met_phi[i] - phi))), 0.5)]++;
    }
}

const query_by_hand QUERIES_BY_HAND[] = {
    {"q1", "MET of all events", 1, q1},         {"q2", "pT of all jets", 1, q2},
    {"q3", "pT of jets in the barrel", 1, q3},  {"q4", "MET, two jets above 40 GeV", 1, q4},
    {"q5", "MET, a muon pair from a Z", 1, q5}, {"q6", "the trijet nearest to the top", 2, q6},
    {"q7", "HT of isolated jets", 1, q7},       {"q8", "MT of the lepton beside a Z", 1, q8},
};
const size_t QUERY_BY_HAND_COUNT = sizeof QUERIES_BY_HAND / sizeof *QUERIES_BY_HAND;
