/* client/shorthand.h - the command line's short question, -e 'Muon.pt' --bins 100,0,200 --where 'nMuon >= 2', as the
 * text of a query.
 *
 * Names are columns: MET_pt becomes event.MET_pt, Muon[0].pt becomes event.Muon[0].pt, len(Jet) becomes len(event.Jet).
 * Muon.pt without an index is asked of every muon: the text then loops over event.Muon, and one collection only can be
 * looped over; whatever else is asked belongs into a file. A name before a parenthesis is a function, of math if it is
 * not one of the language; pi, tau, inf and nan are math's. Names that a comprehension or a lambda binds are its own,
 * and who writes event.MET_pt, event["MET_pt"] or math.sqrt(MET_pt) all the same is understood.
 */
#ifndef HQ_CLIENT_SHORTHAND_H
#define HQ_CLIENT_SHORTHAND_H

#include <stddef.h>

#include "base/error.h"

typedef struct hq_shorthand {
    const char *const *expressions; /* one for each axis */
    const char *const *bins;        /* "100,0,200": number, low, high; likewise */
    size_t axis_count;
    const char *where, *weight; /* or NULL */
} hq_shorthand;

/* HQ_EINVAL with a text that says what cannot be written so. The caller frees the text. */
hq_error shorthand_text(const hq_shorthand *shorthand, char **text_r, hq_reason *reason);

#endif
