#include "query/axis.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

/* --- what is an axis --- */

static bool is_int32(double value)
{
    return value >= INT32_MIN && value <= INT32_MAX && value == floor(value);
}

static const char *regular_fault(const hq_axis *axis)
{
    if (!(axis->low < axis->high))
        return "its upper end does not lie above its lower end";
    if (!isfinite(axis->high - axis->low))
        return "it is too long for a double";
    if (axis->transform == HQ_TRANSFORM_NONE)
        return NULL;
    if (axis->transform == HQ_TRANSFORM_LOG ? !(axis->low > 0) : !(axis->low >= 0))
        return axis->transform == HQ_TRANSFORM_LOG ? "a logarithmic axis begins above 0" : "a square root begins at 0";
    /* Its edges are written down, and no two may be the same double: each bin is several roundings wide. */
    double low = axis_transformed(axis, axis->low), high = axis_transformed(axis, axis->high);
    double size = fmax(fabs(low), fabs(high));
    if (axis->transform == HQ_TRANSFORM_LOG && size < 1)
        size = 1;
    return (high - low) / axis->bins > 16 * DBL_EPSILON * size ? NULL : "its bins are too narrow for doubles";
}

static const char *edges_fault(const hq_axis *axis)
{
    for (uint32_t i = 0; i <= axis->bins; ++i)
        if (!isfinite(axis->edges[i]))
            return "an edge is not a finite number";
    for (uint32_t i = 0; i < axis->bins; ++i)
        if (!(axis->edges[i] < axis->edges[i + 1]))
            return "its edges do not rise";
    if (axis->low != axis->edges[0] || axis->high != axis->edges[axis->bins])
        return "its ends are not its outer edges";
    return isfinite(axis->high - axis->low) ? NULL : "it is too long for a double";
}

static const char *integer_fault(const hq_axis *axis)
{
    if (!is_int32(axis->low) || !is_int32(axis->high))
        return "its ends are not whole numbers of 32 bits";
    return axis->high - axis->low == axis->bins ? NULL : "its upper end does not lie its bins above its lower end";
}

static int compare_ints(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* True if two of the elements, pointers or int64_t, compare equal. */
static bool has_twice(const void *elements, size_t count, int (*compare)(const void *, const void *))
{
    _Static_assert(sizeof(char *) == sizeof(int64_t), "both kinds of categories have elements of one size");
    enum { EACH = sizeof(int64_t) };
    char *sorted = hq_alloc(count * EACH);
    memcpy(sorted, elements, count * EACH);
    qsort(sorted, count, EACH, compare);
    bool is_twice = false;
    for (size_t i = 1; i < count && !is_twice; ++i)
        is_twice = compare(sorted + (i - 1) * EACH, sorted + i * EACH) == 0;
    free(sorted);
    return is_twice;
}

static const char *categories_fault(const hq_axis *axis)
{
    if (axis->bins > HQ_MAX_CATEGORIES)
        return "it has more than 4096 categories";
    if (axis->low != 0 || axis->high != 0)
        return "categories have no ends";
    if (axis->kind == HQ_AXIS_STR_CATEGORY)
        return has_twice(axis->texts, axis->bins, compare_texts) ? "a category stands twice" : NULL;
    for (uint32_t i = 0; i < axis->bins; ++i)
        if (axis->ints[i] < INT32_MIN || axis->ints[i] > INT32_MAX)
            return "a category is not a whole number of 32 bits";
    return has_twice(axis->ints, axis->bins, compare_ints) ? "a category stands twice" : NULL;
}

const char *axis_fault(const hq_axis *axis)
{
    if (axis->bins == 0)
        return "it has no bins";
    if (axis->transform != HQ_TRANSFORM_NONE && axis->kind != HQ_AXIS_REGULAR)
        return "only a Regular axis has a transform";
    if ((unsigned)axis->transform >= HQ_TRANSFORM_COUNT)
        return "its transform is unknown";
    switch (axis->kind) {
    case HQ_AXIS_REGULAR:
        return regular_fault(axis);
    case HQ_AXIS_VARIABLE:
        return edges_fault(axis);
    case HQ_AXIS_INTEGER:
        return integer_fault(axis);
    case HQ_AXIS_INT_CATEGORY:
    case HQ_AXIS_STR_CATEGORY:
        return categories_fault(axis);
    case HQ_AXIS_BOOLEAN:
        return axis->bins == 2 && axis->low == 0 && axis->high == 0 ? NULL : "false and true are two bins";
    case HQ_AXIS_KIND_COUNT:
        break;
    }
    return "its kind is unknown";
}

/* --- copies --- */

hq_axis axis_copy(const hq_axis *axis)
{
    hq_axis copy = *axis;
    copy.name = hq_strdup(axis->name ? axis->name : "");
    copy.label = hq_strdup(axis->label ? axis->label : "");
    copy.edges = NULL;
    copy.ints = NULL;
    copy.texts = NULL;
    if (axis->kind == HQ_AXIS_VARIABLE) {
        copy.edges = hq_calloc((size_t)axis->bins + 1, sizeof *copy.edges);
        memcpy(copy.edges, axis->edges, ((size_t)axis->bins + 1) * sizeof *copy.edges);
    } else if (axis->kind == HQ_AXIS_INT_CATEGORY) {
        copy.ints = hq_calloc(axis->bins, sizeof *copy.ints);
        memcpy(copy.ints, axis->ints, axis->bins * sizeof *copy.ints);
    } else if (axis->kind == HQ_AXIS_STR_CATEGORY) {
        copy.texts = hq_calloc(axis->bins, sizeof *copy.texts);
        for (uint32_t i = 0; i < axis->bins; ++i)
            copy.texts[i] = hq_strdup(axis->texts[i]);
    }
    return copy;
}

void axis_clear(hq_axis *axis)
{
    free(axis->name);
    free(axis->label);
    free(axis->edges);
    free(axis->ints);
    for (uint32_t i = 0; axis->texts && i < axis->bins; ++i)
        free(axis->texts[i]);
    free(axis->texts);
    *axis = (hq_axis){0};
}

bool axis_is_equal(const hq_axis *one, const hq_axis *other)
{
    if (one->kind != other->kind || one->transform != other->transform || one->bins != other->bins ||
        one->low != other->low || one->high != other->high || strcmp(one->name, other->name) != 0 ||
        strcmp(one->label, other->label) != 0)
        return false;
    size_t bins = one->bins;
    if (one->kind == HQ_AXIS_VARIABLE)
        return memcmp(one->edges, other->edges, (bins + 1) * sizeof *one->edges) == 0;
    if (one->kind == HQ_AXIS_INT_CATEGORY)
        return memcmp(one->ints, other->ints, bins * sizeof *one->ints) == 0;
    for (size_t i = 0; one->kind == HQ_AXIS_STR_CATEGORY && i < bins; ++i)
        if (strcmp(one->texts[i], other->texts[i]) != 0)
            return false;
    return true;
}

/* --- bins --- */

double axis_transformed(const hq_axis *axis, double x)
{
    return axis->transform == HQ_TRANSFORM_LOG ? log(x) : axis->transform == HQ_TRANSFORM_SQRT ? sqrt(x) : x;
}

static double transformed_back(const hq_axis *axis, double t)
{
    return axis->transform == HQ_TRANSFORM_LOG ? exp(t) : axis->transform == HQ_TRANSFORM_SQRT ? t * t : t;
}

static uint32_t regular_index(uint32_t bins, double low, double high, double value)
{
    if (value < low)
        return 0;
    if (!(value < high))
        return bins + 1;
    double position = bins * (value - low) / (high - low);
    /* Rounding can lift a value just below high to n itself; ROOT counts it as overflow then, and so do we. */
    return position < bins ? 1 + (uint32_t)position : bins + 1;
}

/* The number of edges that are not above value; NaN is above none and below none, and is sent to the overflow. */
static uint32_t edges_index(const hq_axis *axis, double value)
{
    if (!(value < axis->high))
        return axis->bins + 1;
    uint32_t not_above = 0, above = axis->bins; /* edges[above] > value */
    while (not_above < above) {
        uint32_t middle = not_above + (above - not_above) / 2;
        if (axis->edges[middle] <= value)
            not_above = middle + 1;
        else
            above = middle;
    }
    return not_above;
}

static uint32_t integer_index(const hq_axis *axis, double value)
{
    if (value < axis->low)
        return 0;
    return value < axis->high ? 1 + (uint32_t)(floor(value) - axis->low) : axis->bins + 1;
}

uint32_t axis_index(const hq_axis *axis, double value)
{
    switch (axis->kind) {
    case HQ_AXIS_VARIABLE:
        return edges_index(axis, value);
    case HQ_AXIS_INTEGER:
        return integer_index(axis, value);
    case HQ_AXIS_INT_CATEGORY:
        for (uint32_t i = 0; i < axis->bins; ++i)
            if ((double)axis->ints[i] == value) /* 32 bits: exact */
                return i;
        return axis->bins;
    case HQ_AXIS_STR_CATEGORY:
        return value >= 0 && value < axis->bins && value == floor(value) ? (uint32_t)value : axis->bins;
    case HQ_AXIS_BOOLEAN:
        return value != 0;
    case HQ_AXIS_REGULAR:
    case HQ_AXIS_KIND_COUNT:
        break;
    }
    if (axis->transform == HQ_TRANSFORM_NONE)
        return regular_index(axis->bins, axis->low, axis->high, value);
    return regular_index(axis->bins, axis_transformed(axis, axis->low), axis_transformed(axis, axis->high),
                         axis_transformed(axis, value));
}

uint32_t axis_index_int(const hq_axis *axis, int64_t value)
{
    switch (axis->kind) {
    case HQ_AXIS_INTEGER: /* ends of 32 bits are exact as doubles, and the difference fits once value is within */
        if (value < (int64_t)axis->low)
            return 0;
        return value < (int64_t)axis->high ? 1 + (uint32_t)(value - (int64_t)axis->low) : axis->bins + 1;
    case HQ_AXIS_INT_CATEGORY:
        for (uint32_t i = 0; i < axis->bins; ++i)
            if (axis->ints[i] == value)
                return i;
        return axis->bins;
    case HQ_AXIS_STR_CATEGORY:
        return value >= 0 && value < axis->bins ? (uint32_t)value : axis->bins;
    case HQ_AXIS_BOOLEAN:
        return value != 0;
    case HQ_AXIS_REGULAR:
    case HQ_AXIS_VARIABLE:
    case HQ_AXIS_KIND_COUNT:
        break;
    }
    return axis_index(axis, (double)value);
}

uint32_t axis_index_text(const hq_axis *axis, const char *text)
{
    uint32_t i = 0;
    while (i < axis->bins && strcmp(axis->texts[i], text) != 0)
        ++i;
    return i;
}

double axis_edge(const hq_axis *axis, uint32_t index)
{
    if (axis_is_category(axis))
        return index;
    if (axis->kind == HQ_AXIS_VARIABLE)
        return axis->edges[index];
    if (index == axis->bins)
        return axis->high;
    if (axis->transform == HQ_TRANSFORM_NONE || index == 0)
        return axis->low + (axis->high - axis->low) * index / axis->bins;
    double low = axis_transformed(axis, axis->low), high = axis_transformed(axis, axis->high);
    return transformed_back(axis, low + (high - low) * index / axis->bins);
}
