/* zk/coordinator.h - who is alive, and which query is unowned, owned, done: ZooKeeper, or a stand-in within the
 * process.
 *
 * The znodes and what they hold are described in docs/protocol.md. Nothing here blocks: a call starts an operation, and
 * its outcome comes as a callback from coordinator_dispatch, in the thread that called that. The owner of a coordinator
 * polls coordinator_fd for reading and calls coordinator_dispatch when it is ready; all calls come from that one
 * thread.
 *
 * While ZooKeeper is away operations wait and are made again when it is back; a multi that may already have happened is
 * looked up before it is repeated. When the session has expired the coordinator opens a new one, makes its ephemeral
 * nodes again and tells by hq_coordinator_event.
 */
#ifndef HQ_ZK_COORDINATOR_H
#define HQ_ZK_COORDINATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct hq_coordinator hq_coordinator;

/* Bytes of one node: ZooKeeper drops the connection of who sends more than 1 MiB at once. */
enum { HQ_NODE_BYTES_MAX = 1000000 };

typedef enum hq_coordinator_event {
    HQ_COORDINATOR_CONNECTED, /* the first time, and after each interruption */
    HQ_COORDINATOR_SUSPENDED, /* the connection is lost; the session may still live */
    HQ_COORDINATOR_EXPIRED    /* the session is gone and a new one is being opened: ownership was lost */
} hq_coordinator_event;

typedef void hq_coordinator_on_event(void *context, hq_coordinator_event event);

/* endpoint is "zk:host:port,host:port/chroot" (chroot /hq if none; made when it is missing), or "local:NAME": every
 * coordinator of that name in this process shares one tree, and a closed one's ephemeral nodes go. on_event may be
 * NULL. Returns before it is connected. HQ_EINVAL for an endpoint that cannot be understood,
 * HQ_EUNAVAILABLE if none of its hosts' names is known. */
hq_error coordinator_open(const char *endpoint, int session_ms, hq_coordinator_on_event *on_event, void *context,
                          hq_coordinator **coordinator_r, hq_reason *reason);
/* Ends the session (ephemeral nodes go at once). Callbacks that did not come yet never come. Not from a callback. */
void coordinator_close(hq_coordinator **coordinator_p);

int coordinator_fd(const hq_coordinator *coordinator);
/* Runs every callback that is due; they may start more. Not from a callback. */
void coordinator_dispatch(hq_coordinator *coordinator);
/* Waits, for programs without a loop: dispatches until *flag is not 0 or timeout_ms has passed; HQ_ETIMEOUT then. */
hq_error coordinator_wait(hq_coordinator *coordinator, const int *flag, int timeout_ms, hq_reason *reason);

typedef void hq_coordinator_done(void *context, hq_error error, const char *detail);
/* bytes are valid during the call only. */
typedef void hq_coordinator_got(void *context, hq_error error, const char *detail, const void *bytes, size_t size);

typedef struct hq_member {
    char *id;
    void *bytes;
    size_t size;
} hq_member;

/* members is valid during the call only. */
typedef void hq_coordinator_members(void *context, hq_error error, const char *detail, const hq_member *members,
                                    size_t count);

/* Makes the ephemeral node /<group>/<id>, group being "brokers" or "workers", and keeps it for as long as the
 * coordinator lives, across sessions. done comes when it is there the first time; HQ_EEXISTS if another session holds
 * that id. */
void coordinator_join(hq_coordinator *coordinator, const char *group, const char *id, const void *bytes, size_t size,
                      hq_coordinator_done *done, void *context);
/* Calls changed now and whenever the group's members change, with all of them. */
void coordinator_watch(hq_coordinator *coordinator, const char *group, hq_coordinator_members *changed, void *context);
/* The members, once. */
void coordinator_members(hq_coordinator *coordinator, const char *group, hq_coordinator_members *got, void *context);

/* The way of a query. An entry's name is "entry-<priority %03d>-<query id>-<seq>", as ZooKeeper made it. */
typedef void hq_coordinator_entry(void *context, hq_error error, const char *detail, const char *entry);

/* Creates /unowned/entry-<priority>-<query id>-<seq>. After a lost answer it looks for the query's id before trying
 * again. */
void coordinator_submit(hq_coordinator *coordinator, int priority, const char *query_id, const void *bytes, size_t size,
                        hq_coordinator_entry *done, void *context);
/* One multi: deletes /unowned/<entry>, makes /owned/<entry> with bytes and the ephemeral /owned/<entry>/owner with
 * owner. HQ_ENOTFOUND if it was not (any more) unowned. */
void coordinator_own(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size, const char *owner,
                     hq_coordinator_done *done, void *context);
/* Replaces the data of /owned/<entry>. */
void coordinator_update(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size,
                        hq_coordinator_done *done, void *context);
/* One multi: deletes /owned/<entry>/owner and /owned/<entry>, makes /done/<entry> with bytes. */
void coordinator_finish(hq_coordinator *coordinator, const char *entry, const void *bytes, size_t size,
                        hq_coordinator_done *done, void *context);

/* The names below "unowned", "owned" or "done" (as hq_member without bytes), and the data of one of them. */
void coordinator_entries(hq_coordinator *coordinator, const char *group, hq_coordinator_members *got, void *context);
void coordinator_get(hq_coordinator *coordinator, const char *group, const char *entry, hq_coordinator_got *got,
                     void *context);
/* Deletes /<group>/<entry>, for sweeping. */
void coordinator_remove(hq_coordinator *coordinator, const char *group, const char *entry, hq_coordinator_done *done,
                        void *context);
/* Deletes all of hq's groups with whatever is below them, other sessions' ephemeral nodes too, and then the root if
 * nothing else lives there. Whoever connects next makes them again. */
void coordinator_wipe(hq_coordinator *coordinator, hq_coordinator_done *done, void *context);

#endif
