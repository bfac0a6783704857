#include "query/bin_rule.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    MOST_BINS = 4096,     /* that are looked at: a few microseconds for each hundred */
    WIDE_SEARCH = 1 << 12 /* how many values from where it should be an edge is looked for first */
};

/* Doubles, and floats, as whole numbers in the same order. */
static int64_t rank_of(double x, bool is_float)
{
    int64_t bits = 0;
    if (is_float) {
        float narrow = (float)x;
        int32_t bits32;
        memcpy(&bits32, &narrow, sizeof bits32);
        bits = bits32 < 0 ? (int64_t)INT32_MIN - bits32 : bits32;
    } else {
        memcpy(&bits, &x, sizeof bits);
        bits = bits < 0 ? (int64_t)((uint64_t)INT64_MIN - (uint64_t)bits) : bits;
    }
    return bits;
}

static double at_rank(int64_t rank, bool is_float)
{
    if (is_float) {
        int32_t bits32 = (int32_t)(rank < 0 ? (int64_t)INT32_MIN - rank : rank);
        float narrow;
        memcpy(&narrow, &bits32, sizeof narrow);
        return narrow;
    }
    double x;
    int64_t bits = rank < 0 ? (int64_t)((uint64_t)INT64_MIN - (uint64_t)rank) : rank;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The smallest x that axis_index gives at least this bin; it is known to lie above below and not above above. */
static int64_t find_edge(const hq_axis *axis, uint32_t bin, int64_t below, int64_t above, bool is_float)
{
    while (above - below > 1) {
        int64_t middle = below + (above - below) / 2;
        if (axis_index(axis, at_rank(middle, is_float)) >= bin)
            above = middle;
        else
            below = middle;
    }
    return above;
}

static uint32_t index_by_rule(const hq_axis *axis, hq_bin_rule rule, double x)
{
    double position;
    if (x < axis->low)
        return 0;
    if (rule.way == BIN_BY_FLOAT_FACTOR) {
        float distance = (float)x - (float)axis->low;
        float narrow = distance * (float)rule.factor;
        position = narrow;
    } else {
        position = x - axis->low;
        if (rule.way == BIN_BY_PRODUCT)
            position *= axis->bins;
        position *= rule.factor;
    }
    return position < axis->bins ? 1 + (uint32_t)position : axis->bins + 1;
}

static bool rule_holds(const hq_axis *axis, hq_bin_rule rule, bool is_float)
{
    int64_t low = rank_of(axis->low, is_float), high = rank_of(axis->high, is_float) + 1;
    int64_t before = low - 1; /* rounding may have put low above itself or below */
    for (uint32_t bin = 2; bin <= axis->bins + 1; bin++) {
        double guess = axis->low + (axis->high - axis->low) * (bin - 1) / axis->bins;
        int64_t below = rank_of(guess, is_float) - WIDE_SEARCH, above = below + 2 * (int64_t)WIDE_SEARCH;
        if (below < before || axis_index(axis, at_rank(below, is_float)) >= bin)
            below = before;
        if (above > high || axis_index(axis, at_rank(above, is_float)) < bin)
            above = high;
        int64_t edge = find_edge(axis, bin, below, above, is_float);
        if (index_by_rule(axis, rule, at_rank(edge, is_float)) < bin ||
            index_by_rule(axis, rule, at_rank(edge - 1, is_float)) >= bin)
            return false;
        before = edge - 1;
    }
    return true;
}

/* Far from where anything overflows or loses bits because it is too small. */
static bool is_tame(double x)
{
    double size = fabs(x);
    return size == 0 || (size > 1e-30 && size < 1e30);
}

hq_bin_rule bin_rule_of(const hq_axis *axis, bool is_float)
{
    hq_bin_rule rule = {BIN_BY_DIVISION, 0};
    double length = axis->high - axis->low;
    if (axis->bins > MOST_BINS || !is_tame(axis->low) || !is_tame(axis->high) || !is_tame(length))
        return rule;
    double factor = axis->bins / length;
    bool is_narrow = is_float && (double)(float)axis->low == axis->low;
    if (is_narrow && rule_holds(axis, (hq_bin_rule){BIN_BY_FLOAT_FACTOR, (float)factor}, true))
        return (hq_bin_rule){BIN_BY_FLOAT_FACTOR, (float)factor};
    const double near[] = {factor, nextafter(factor, INFINITY), nextafter(factor, 0)};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        if (rule_holds(axis, (hq_bin_rule){BIN_BY_FACTOR, near[i]}, is_float))
            return (hq_bin_rule){BIN_BY_FACTOR, near[i]};
    rule = (hq_bin_rule){BIN_BY_PRODUCT, 1 / length};
    return rule_holds(axis, rule, is_float) ? rule : (hq_bin_rule){BIN_BY_DIVISION, 0};
}
