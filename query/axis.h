/* query/axis.h - the axes of a histogram: which bin a value belongs to, and where a bin lies.
 *
 * A bin's index along an axis counts flow bins too and is that of boost-histogram's storage order:
 *
 *     kind                          index of the bins                  flow
 *     Regular, Variable, Integer    1 ... bins                         0 underflow, bins + 1 overflow
 *     IntCategory, StrCategory      0 ... bins - 1                     bins: overflow, all that is in no category
 *     Boolean                       0 false, 1 true                    none
 *
 * Which bin that is, for a double x; machine code must agree with it operation by operation, each rounded to double:
 *
 *     Regular      with t(x) = x, log(x) or sqrt(x), as the transform says, L = t(low), H = t(high): t(x) < L is
 *                  underflow, !(t(x) < H) overflow; else p = n * (t(x) - L) / (H - L) gives 1 + floor(p) where p < n,
 *                  and overflow where rounding took p to n, as in ROOT's TAxis. What the transform makes NaN of
 *                  (log and sqrt of less than 0) is overflow; log(0), minus infinity, is underflow.
 *     Variable     1 + i with edges[i] <= x < edges[i + 1]; x < edges[0] is underflow.
 *     Integer      x < low is underflow, !(x < high) overflow, else 1 + (floor(x) - low).
 *     IntCategory  i with ints[i] == x.
 *     StrCategory  x is the category's number i itself: a text is looked up once, by axis_index_text.
 *     Boolean      x != 0; so is NaN.
 *
 * A value on an edge belongs to the bin above it, high itself and NaN to the overflow. boost-histogram takes nothing
 * but whole numbers for Integer, IntCategory and Boolean axes; for those both agree.
 */
#ifndef HQ_QUERY_AXIS_H
#define HQ_QUERY_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HQ_MAX_CATEGORIES = 4096 /* of one axis: a fill looks through them one by one */ };

typedef enum hq_axis_kind {
    HQ_AXIS_REGULAR,      /* equal parts from low to high, of x or of its transform */
    HQ_AXIS_VARIABLE,     /* between edges; low and high repeat the first and the last of them */
    HQ_AXIS_INTEGER,      /* one for each whole number from low up to high, exclusive; bins == high - low */
    HQ_AXIS_INT_CATEGORY, /* one for each of ints; low and high are 0 */
    HQ_AXIS_STR_CATEGORY, /* one for each of texts; low and high are 0 */
    HQ_AXIS_BOOLEAN,      /* bins == 2; low and high are 0 */
    HQ_AXIS_KIND_COUNT
} hq_axis_kind;

typedef enum hq_transform { HQ_TRANSFORM_NONE, HQ_TRANSFORM_LOG, HQ_TRANSFORM_SQRT, HQ_TRANSFORM_COUNT } hq_transform;

/* An axis whose fields after high are zero is a plain Regular one. The arrays belong to whoever made the axis; only
 * axis_copy makes one that owns all it points to. */
typedef struct hq_axis {
    hq_axis_kind kind;
    char *name;  /* never NULL, may be "" */
    char *label; /* likewise */
    uint32_t bins;
    double low, high;
    hq_transform transform; /* of Regular only */
    double *edges;          /* of Variable: bins + 1, rising */
    int64_t *ints;          /* of IntCategory: bins, in any order, none twice */
    char **texts;           /* of StrCategory: likewise */
} hq_axis;

/* What makes the axis impossible, for a message ("its edges do not rise"), or NULL. Kind, transform and numbers may be
 * anything; arrays must be as long as bins says. All other functions want an axis without fault. In time
 * O(bins) for Variable, O(bins log bins) for categories. */
const char *axis_fault(const hq_axis *axis);

/* A copy that shares nothing with the axis; NULL as name or label becomes "". axis_clear releases it. */
hq_axis axis_copy(const hq_axis *axis);
void axis_clear(hq_axis *axis);
/* In everything, name and label included. */
bool axis_is_equal(const hq_axis *one, const hq_axis *other);

static inline bool axis_has_underflow(const hq_axis *axis)
{
    return axis->kind <= HQ_AXIS_INTEGER;
}
static inline bool axis_has_overflow(const hq_axis *axis)
{
    return axis->kind != HQ_AXIS_BOOLEAN;
}
/* All its bins, flow included. */
static inline size_t axis_extent(const hq_axis *axis)
{
    return (size_t)axis->bins + axis_has_underflow(axis) + axis_has_overflow(axis);
}
/* True if that index, flow included, is a flow bin. */
static inline bool axis_is_flow(const hq_axis *axis, size_t index)
{
    return (axis_has_underflow(axis) && index == 0) || index >= (size_t)axis->bins + axis_has_underflow(axis);
}
/* True if the bins are names of things and not places along a line. */
static inline bool axis_is_category(const hq_axis *axis)
{
    return axis->kind >= HQ_AXIS_INT_CATEGORY;
}

/* The bin of a value, flow included, by the definitions above. */
uint32_t axis_index(const hq_axis *axis, double value);
/* The same for a whole number: exact for Integer, IntCategory, StrCategory and Boolean; Regular and Variable take it as
 * a double. */
uint32_t axis_index_int(const hq_axis *axis, int64_t value);
/* The bin of a text on a StrCategory axis. */
uint32_t axis_index_text(const hq_axis *axis, const char *text);

/* x as a Regular axis measures it: x, log(x) or sqrt(x). */
double axis_transformed(const hq_axis *axis, double x);
/* The lower edge of a bin, without flow: 0 is the first bin of the range, bins gives the range's end. Of categories and
 * Boolean, whose bins have no edges, the index itself. */
double axis_edge(const hq_axis *axis, uint32_t index);

#endif
