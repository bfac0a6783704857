/* wire/entry.h - what stands in the znode of a query that is not done: what was asked, whole, packed, or by digest.
 *
 * A request is what SUBMIT's document has to say, less what concerns one client. Up to HQ_ENTRY_PLAIN bytes it stands
 * in the entry as it is. A longer one, of a data set of many paths, stands there as its summary and a body, which is
 * the request packed by zstd; if that is more than a znode holds, the body is kept elsewhere and the entry has its
 * digest. docs/protocol.md, section 7, has the fields.
 */
#ifndef HQ_WIRE_ENTRY_H
#define HQ_WIRE_ENTRY_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"

enum {
    HQ_ENTRY_PLAIN = 64 << 10, /* bytes of a request that is not packed */
    HQ_ENTRY_GROWTH = 4 << 10, /* what a broker may append to an entry */
    HQ_MAX_SPECS = 100000      /* texts of one data set */
};

/* The request of a SUBMIT, a new document: the fields of a request that are there, and no others, whatever a client has
 * written beside them. */
bson_t *request_new(const bson_t *submit);

/* Whether the request has a data set that is a list of texts: one, HQ_MAX_SPECS at most. */
bool request_has_specs(const bson_t *request);

/* The entry of a request, a new document of at most most bytes. If *body_r is not empty afterwards it holds the body,
 * which is to be kept under *digest_r, with the entry giving only that. */
bson_t *entry_encode(const bson_t *request, size_t most, hq_buffer *body_r, hq_hash *digest_r);

/* The reverse: a new document with the request's fields, and perhaps others of the entry. HQ_ENOTFOUND: the body is
 * elsewhere, under *digest_r (body_decode). HQ_EFORMAT for what is no entry; what a body says of its size is believed
 * only up to HQ_MAX_DOCUMENT, and before memory is taken for it. */
hq_error entry_decode(const void *bytes, size_t size, bson_t **request_r, hq_hash *digest_r, hq_reason *reason);
hq_error body_decode(const void *bytes, size_t size, bson_t **request_r, hq_reason *reason);

#endif
