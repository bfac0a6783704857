/* client/find.h - which broker to ask, and what to ask it about. */
#ifndef HQ_CLIENT_FIND_H
#define HQ_CLIENT_FIND_H

#include <stddef.h>

#include "base/error.h"

/* The front end points of all brokers that the coordinator names, in the order of their ids; *count_r may be 0.
 * HQ_EUNAVAILABLE if it does not answer within timeout_ms. The caller frees the texts and the array. */
hq_error find_brokers(const char *coordinator, int timeout_ms, char ***endpoints_r, size_t *count_r, hq_reason *reason);

/* The front end point of one of the brokers that the coordinator names, chosen at random so that clients spread.
 * HQ_EUNAVAILABLE if the coordinator does not answer or names none within timeout_ms. The caller frees it. */
hq_error find_broker(const char *coordinator, int timeout_ms, char **endpoint_r, hq_reason *reason);

/* A dataset's specification as a broker on another host needs it: a relative path or glob becomes absolute, a dataset's
 * name and "empty:N" stay. A text is a name if it has no slash, is no file here, has no character of a glob and does
 * not speak of ".root". The caller frees it. */
char *find_spec(const char *spec);

/* The texts, with the lines of a file in the place of each "@FILE" ("@-": of stdin): as many names as one likes, where
 * a command line is bounded. Blanks round a line are dropped, empty ones and those that begin with '#' are passed over.
 * HQ_EINVAL for a file that cannot be read or names nothing, and for more than HQ_MAX_SPECS texts together. Free with
 * dataset_specs_free. */
hq_error find_listed(const char *const *texts, size_t count, char ***listed_r, size_t *count_r, hq_reason *reason);

/* Where results are kept when nobody says otherwise: "sqlite:" and results.db in $XDG_CACHE_HOME/hq, else in
 * ~/.cache/hq. "none" if there is no home. The caller frees it. */
char *find_local_store(void);

#endif
