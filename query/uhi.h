/* query/uhi.h - histograms as JSON of the UHI schema, version 1 (histograms.schema.json of the Python package uhi), so
 * that hist, boost-histogram and mplhep read them as they are.
 *
 * The document is an object of histograms by name. Bins are dense, flow included, as nested arrays, the last axis
 * innermost. An axis' name and label are in its metadata, where hist looks for them. What stands for what:
 *
 *     HQ_COUNT           "int"            values
 *     HQ_WEIGHTED        "weighted"       values: the sums of w; variances: of w * w
 *     HQ_MEAN            "mean"           counts: W; values: m; variances: S / (W - 1), of the samples, not of m
 *     HQ_WEIGHTED_MEAN   "weighted_mean"  sum_of_weights: W; sum_of_weights_squared: W2; values: m;
 *                                         variances: S / (W - W2 / W)
 *     Regular            "regular"; with a transform "variable", and boost-histogram's note of transform, bins and ends
 *     Variable           "variable"
 *     Integer            "regular" with bins of width 1, and boost-histogram's note that it was an Integer
 *     IntCategory        "category_int" with flow
 *     StrCategory        "category_str" with flow
 *     Boolean            "boolean"
 *
 * The notes are in the axis' writer_info, where boost-histogram leaves them for itself: it, and hist, read the axis
 * back as what it was. The variance of a bin that was filled once or never is written as 0.
 *
 * The schema has numbers only. An infinite sum is written as 1e999 (or -1e999): a JSON number beyond a double's range,
 * which Python and JavaScript read as infinity. A bin of which something is NaN is written as value 0 with variance
 * 1e999, that is, as known to no accuracy (and a sum of weights that is NaN as 0), and the histogram's metadata then
 * has "hq_nan_bins", the number of such bins.
 *
 * A finite double is written with 15 digits where these give it back exactly, else with 17, whatever the locale.
 */
#ifndef HQ_QUERY_UHI_H
#define HQ_QUERY_UHI_H

#include <jansson.h>

#include "base/buffer.h"
#include "query/hist.h"

/* Appends the document to text, ending in a newline; no zero byte follows. Takes time and room in proportion to the
 * bins.
 *
 * metadata is an object whose strings, numbers and booleans are written in every histogram's metadata, or NULL; what
 * the schema does not allow there (null, arrays, objects, an empty key) is left out. Readers make attributes of a
 * histogram of them, so their names begin with "hq_", lest they hide one. The document itself adds "name" and
 * "hq_fills", how often fill was called, and these win over the caller's.
 *
 * A key is the histogram's name. One that the schema gives a meaning of its own ("uhi_schema"), an empty one, and one
 * that stands there already, gets underscores at its end. */
void histset_to_uhi(const hq_histset *set, const json_t *metadata, hq_buffer *text);

#endif
