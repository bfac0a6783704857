/* client/fleet.h - the brokers of a cluster, asked how they stand and told what to do, for those who look after them.
 *
 * A fleet belongs to one thread. It stays connected between two questions, and finds brokers that come meanwhile.
 */
#ifndef HQ_CLIENT_FLEET_H
#define HQ_CLIENT_FLEET_H

#include "base/error.h"
#include "wire/status.h"

typedef struct hq_fleet hq_fleet;

/* broker is the front of the only one to ask, or NULL for all that the coordinator names. HQ_EINVAL for an end point
 * that cannot be understood. timeout_ms bounds each wait of later calls. */
hq_error fleet_open(const char *coordinator, const char *broker, int timeout_ms, hq_fleet **fleet_r, hq_reason *reason);
void fleet_close(hq_fleet **fleet_p);

typedef struct hq_fleet_broker {
    const char *endpoint;
    bool has_answered;
    hq_broker_status status; /* if it has */
} hq_fleet_broker;

/* Asks all at once and waits for the answers. HQ_EUNAVAILABLE if the coordinator does not answer, no broker is
 * registered, or none answers; one that does not while others do is left out of what is told. */
hq_error fleet_ask(hq_fleet *fleet, hq_reason *reason);

/* What the last fleet_ask was answered; the fleet's until the next one. */
size_t fleet_count(const hq_fleet *fleet);
const hq_fleet_broker *fleet_broker(const hq_fleet *fleet, size_t index);
/* Each worker once, though it works for several brokers: what it has of each is added up, and what it last told one of
 * them of its cache counts. By host, then by id. */
const hq_worker_status *fleet_workers(const hq_fleet *fleet, size_t *count_r);

/* An id, or what it begins with, or a worker's host. HQ_ENOTFOUND if none fits, HQ_EINVAL if several do; the text names
 * some of these. */
hq_error fleet_find_query(const hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason);
hq_error fleet_find_worker(const hq_fleet *fleet, const char *text, hq_hash *id_r, hq_reason *reason);

/* Asks a broker that has it. HQ_ENOTFOUND: it is over, or has left, meanwhile. HQ_EUNAVAILABLE: no answer. */
hq_error fleet_stop(hq_fleet *fleet, const hq_hash *query, const char *user, hq_reason *reason);
hq_error fleet_drain(hq_fleet *fleet, const hq_hash *worker, hq_reason *reason);

#endif
