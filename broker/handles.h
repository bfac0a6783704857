/* broker/handles.h - handles on the store for threads that ask it side by side: each takes one and gives it back.
 *
 * Any thread may call these. A handle is opened when none is idle; so there are as many as threads that had one at
 * once.
 */
#ifndef HQ_BROKER_HANDLES_H
#define HQ_BROKER_HANDLES_H

#include "store/store.h"

typedef struct hq_handles hq_handles;

/* timeout_ms bounds each call of a handle. NULL for an address of which only one handle can be had: "none", and a
 * memory, which is one handle's. */
hq_handles *handles_new(const char *address, int timeout_ms, int64_t keep_ms);
/* All must have been given back. */
void handles_free(hq_handles **handles_p);

/* HQ_ENOTFOUND if handles is NULL. */
hq_error handles_take(hq_handles *handles, hq_store **store_r, hq_reason *reason);
/* store may be NULL. */
void handles_give(hq_handles *handles, hq_store *store);

#endif
