/* client/done.h - what the coordinator has of queries that are done: /done, for a day. */
#ifndef HQ_CLIENT_DONE_H
#define HQ_CLIENT_DONE_H

#include <bson/bson.h>
#include <stddef.h>

#include "base/error.h"

typedef struct hq_done_query {
    char *entry;      /* the znode's name */
    char *id;         /* the query's */
    int sequence;     /* of its submission: the newest has the greatest */
    bson_t *document; /* docs/protocol.md, 7 */
} hq_done_query;

typedef struct hq_done_list {
    hq_done_query *queries; /* from the newest on */
    size_t count;
} hq_done_list;

/* The newest limit of them; 0 for all. What is swept meanwhile, or is not what hq writes, is left out. HQ_EUNAVAILABLE
 * if the coordinator does not answer within timeout_ms. */
hq_error done_find(const char *coordinator, int timeout_ms, size_t limit, hq_done_list *done_r, hq_reason *reason);
void done_clear(hq_done_list *done);

#endif
