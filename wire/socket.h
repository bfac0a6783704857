/* wire/socket.h - hq's sockets, set up the way docs/protocol.md, section 1, says: heartbeats, limits, reconnecting.
 *
 * A socket belongs to one thread. zsock_destroy releases it.
 */
#ifndef HQ_WIRE_SOCKET_H
#define HQ_WIRE_SOCKET_H

#include <czmq.h>

#include "base/error.h"

/* Once, first thing in main, before any thread: leaves signals to the program and takes descriptors enough for many
 * peers. */
void socket_prepare_process(void);
/* Last thing in main, when every socket is destroyed. */
void socket_end_process(void);

/* A bound ROUTER. endpoint may end in ":*" for a free port; *bound_r is where it really listens (the caller frees it),
 * with a "*" or 0.0.0.0 for the host as it was given. HQ_EUNAVAILABLE: the address is in use or not this machine's.
 * queue is the number of messages kept for a peer that does not read, 0 for no limit; max_bytes the size of the largest
 * frame taken from a peer. */
hq_error socket_router(const char *endpoint, int queue, int64_t max_bytes, zsock_t **socket_r, char **bound_r,
                       hq_reason *reason);

/* A DEALER that connects, and connects again whenever it must. */
hq_error socket_dealer(const char *endpoint, zsock_t **socket_r, hq_reason *reason);

#endif
