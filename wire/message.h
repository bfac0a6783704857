/* wire/message.h - the messages of docs/protocol.md: the only place of hq that knows what bytes travel.
 *
 * A message is a command, a BSON document and payload frames; on a ROUTER socket also the peer it came from or goes to.
 * It belongs to one thread at a time, unless it is held by several, who then only read. Sending consumes it.
 */
#ifndef HQ_WIRE_MESSAGE_H
#define HQ_WIRE_MESSAGE_H

#include <bson/bson.h>
#include <czmq.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"

enum { HQ_WIRE_VERSION = 2, HQ_MAX_PEER = 64, HQ_MAX_PAYLOADS = 8, HQ_MAX_DOCUMENT = 16 << 20 };

typedef enum hq_command {
    HQ_SUBMIT = 1,
    HQ_ATTACH,
    HQ_CANCEL,
    HQ_STATUS,
    HQ_STOP,
    HQ_DRAIN, /* also from broker to worker */

    HQ_ACCEPTED = 16,
    HQ_PROGRESS,
    HQ_DONE,
    HQ_FAILED,
    HQ_REJECTED,
    HQ_STATE,
    HQ_AGREED,

    HQ_HELLO = 32,
    HQ_CREDIT,
    HQ_PARTIALS,
    HQ_EVICTED,
    HQ_BYE,

    HQ_WELCOME = 48,
    HQ_QUERY,
    HQ_SUBTASKS,
    HQ_DROP
} hq_command;

/* "SUBMIT"; "?" for a number that is no command. */
const char *command_name(hq_command command);

/* A ROUTER's name for a peer. */
typedef struct hq_peer {
    uint8_t size;
    uint8_t bytes[HQ_MAX_PEER];
} hq_peer;

bool peer_is_equal(const hq_peer *one, const hq_peer *other);

typedef struct hq_message hq_message;

/* With an empty document and no payload. */
hq_message *message_new(hq_command command);
/* Holds it once more, for who wants its payloads for longer: it is gone when all have freed it, in any thread. */
hq_message *message_hold(hq_message *message);
void message_free(hq_message **message_p);

hq_command message_command(const hq_message *message);
/* To read from or append to; belongs to the message. */
bson_t *message_body(hq_message *message);
void message_set_peer(hq_message *message, const hq_peer *peer);
const hq_peer *message_peer(const hq_message *message);
/* Moves the buffer's bytes into a new payload frame, without copying, and leaves it empty. */
void message_add_payload(hq_message *message, hq_buffer *buffer);
/* Copies bytes into a new payload frame. */
void message_copy_payload(hq_message *message, const void *bytes, size_t size);
/* Makes a new payload frame of bytes that it keeps until the frame is sent: release(hint) is called then, from any
 * thread. */
void message_lend_payload(hq_message *message, const void *bytes, size_t size, void (*release)(void *hint), void *hint);
size_t message_payload_count(const hq_message *message);
/* The payload frame's bytes, or NULL and size 0 if there is none of that index. */
const void *message_payload(const hq_message *message, size_t index, size_t *size_r);

/* Fields of the document. Each gives false if it is missing or of another type; numbers also if outside min … max. A
 * text is valid as long as the document is not appended to, and is UTF-8 without a zero within. */
bool message_get_text(const hq_message *message, const char *key, const char **text_r);
bool message_get_int(const hq_message *message, const char *key, int64_t min, int64_t max, int64_t *value_r);
bool message_get_bool(const hq_message *message, const char *key, bool *value_r);
bool message_get_hash(const hq_message *message, const char *key, hq_hash *hash_r);

void message_put_text(hq_message *message, const char *key, const char *text);
void message_put_int32(hq_message *message, const char *key, int32_t value);
void message_put_int(hq_message *message, const char *key, int64_t value);
void message_put_bool(hq_message *message, const char *key, bool value);
void message_put_hash(hq_message *message, const char *key, const hq_hash *hash);

/* HQ_ENOTFOUND if the peer of a ROUTER is gone, HQ_EUNAVAILABLE if it takes no more at the moment: the message is
 * dropped. Consumes it in every case. */
hq_error message_send(zsock_t *socket, hq_message **message_p, hq_reason *reason);

/* The next message, without waiting: HQ_ETIMEOUT if there is none. HQ_EPROTOCOL for a malformed one and HQ_EMISMATCH
 * for one of another version: it is gone from the socket, and *peer_r (if not NULL; a ROUTER's) tells whom to answer.
 */
hq_error message_receive(zsock_t *socket, hq_message **message_r, hq_peer *peer_r, hq_reason *reason);

/* Whether the bytes are a BSON document that may travel (docs/protocol.md, 2): of HQ_MAX_DOCUMENT bytes at most, every
 * element within it, every text UTF-8 without a zero, not nested too deep. *document_r then reads those bytes in place.
 */
bool document_is_sound(const void *bytes, size_t size, bson_t *document_r);

/* The part of receiving that decides what bytes are a message: frames after the peer's. For message_receive, tests and
 * fuzzing. Copies. */
hq_error message_decode(const void *const *frames, const size_t *sizes, size_t count, hq_message **message_r,
                        hq_reason *reason);

#endif
