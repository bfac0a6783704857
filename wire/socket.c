#include "wire/socket.h"

#include <sys/resource.h>

#include "base/memory.h"

enum {
    HEARTBEAT_MS = 1000,
    HEARTBEAT_TIMEOUT_MS = 5000,
    RECONNECT_MS = 50,
    RECONNECT_MAX_MS = 2000,
    LINGER_MS = 1000, /* long enough for a last message to a living peer, short enough for a person at Ctrl-C */
    MAX_SOCKETS = 16384,
    MAX_DESCRIPTORS = 65536
};

/* Each peer needs one, and a shell gives 1,024 as a rule. */
static void take_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= MAX_DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < MAX_DESCRIPTORS ? limit.rlim_max : MAX_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void socket_prepare_process(void)
{
    take_descriptors();
    zsys_init();
    zsys_handler_set(NULL);
    zsys_set_max_sockets(MAX_SOCKETS);
    zsys_set_linger(LINGER_MS);
}

void socket_end_process(void)
{
    zsys_shutdown();
}

static void set_common(zsock_t *socket)
{
    zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(socket, HEARTBEAT_TIMEOUT_MS);
    zsock_set_linger(socket, LINGER_MS);
}

hq_error socket_router(const char *endpoint, int queue, int64_t max_bytes, zsock_t **socket_r, char **bound_r,
                       hq_reason *reason)
{
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return hq_fail(reason, HQ_ELIMIT, "no more sockets: %s", zmq_strerror(zmq_errno()));
    set_common(socket);
    zsock_set_router_mandatory(socket, 1);
    zsock_set_sndhwm(socket, queue);
    zsock_set_rcvhwm(socket, queue);
    zsock_set_maxmsgsize(socket, (int)(max_bytes > INT_MAX ? INT_MAX : max_bytes));
    if (zmq_bind(zsock_resolve(socket), endpoint) != 0) {
        hq_error error = hq_fail(reason,
                                 zmq_errno() == EINVAL || zmq_errno() == EPROTONOSUPPORT ? HQ_EINVAL : HQ_EUNAVAILABLE,
                                 "cannot listen at %s: %s", endpoint, zmq_strerror(zmq_errno()));
        zsock_destroy(&socket);
        return error;
    }
    char bound[1024];
    size_t size = sizeof bound;
    zmq_getsockopt(zsock_resolve(socket), ZMQ_LAST_ENDPOINT, bound, &size);
    *bound_r = hq_strdup(bound);
    *socket_r = socket;
    return HQ_OK;
}

hq_error socket_dealer(const char *endpoint, zsock_t **socket_r, hq_reason *reason)
{
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    if (!socket)
        return hq_fail(reason, HQ_ELIMIT, "no more sockets: %s", zmq_strerror(zmq_errno()));
    set_common(socket);
    zsock_set_sndhwm(socket, 0);
    zsock_set_rcvhwm(socket, 0);
    zsock_set_reconnect_ivl(socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
    if (zmq_connect(zsock_resolve(socket), endpoint) != 0) {
        hq_error error = hq_fail(reason, HQ_EINVAL, "%s is not an end point hq can connect to: %s", endpoint,
                                 zmq_strerror(zmq_errno()));
        zsock_destroy(&socket);
        return error;
    }
    *socket_r = socket;
    return HQ_OK;
}
