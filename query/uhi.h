/* query/uhi.h - histograms as JSON of the UHI schema, version 1 (histograms.schema.json of the Python package uhi), so
 * that hist, boost-histogram and mplhep read them as they are.
 *
 * The document is an object of histograms by name. A count storage becomes "int", a weighted one "weighted" with the
 * sums of w as values and of w * w as variances; both are dense, with underflow and overflow, as nested arrays, the
 * last axis innermost. An axis' name and label are in its metadata, where hist looks for them.
 *
 * The schema has numbers only. An infinite sum is written as 1e999 (or -1e999): a JSON number beyond a double's range,
 * which Python and JavaScript read as infinity. A bin whose sum is NaN is written as value 0 with variance 1e999, that
 * is, as known to no accuracy, and the histogram's metadata then has "hq_nan_bins", the number of such bins.
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
