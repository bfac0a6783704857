/* query/bin_rule.h - how machine code finds the bin of a Regular axis without the division that defines it.
 *
 * query/axis.h defines the bin by p = n * (x - low) / (high - low), each operation rounded. The division costs more
 * than all the rest of a fill. (x - low) * f with f about n / (high - low) is cheap, but rounds differently, and may
 * put a value next to an edge into the neighbouring bin. Both are functions of x that never fall, so both give every x
 * the same bin if they agree where the bin changes: at the smallest x of each bin, and at the x just before it. That is
 * looked at when the query is compiled, edge by edge; an axis that does not pass keeps the division.
 */
#ifndef HQ_QUERY_BIN_RULE_H
#define HQ_QUERY_BIN_RULE_H

#include <stdbool.h>

#include "query/axis.h"

typedef enum hq_bin_way {
    BIN_BY_DIVISION,    /* n * (x - low) / (high - low) */
    BIN_BY_PRODUCT,     /* n * (x - low) * factor, with factor about 1 / (high - low) */
    BIN_BY_FACTOR,      /* (x - low) * factor */
    BIN_BY_FLOAT_FACTOR /* the same in float: low and factor are floats, and so is every x */
} hq_bin_way;

typedef struct hq_bin_rule {
    hq_bin_way way;
    double factor;
} hq_bin_rule;

/* The cheapest rule that gives each x, or each x that is a float, the bin of axis_index. The axis is Regular and has no
 * transform. x < low is asked first; then the rule's result is the bin, less 1, where it is less than axis->bins, and
 * everything else is overflow. */
hq_bin_rule bin_rule_of(const hq_axis *axis, bool is_float);

#endif
