#include "wire/message.h"

#include <stdatomic.h>
#include <string.h>

enum { HEAD_BYTES = 4, MAX_DEPTH = 16 };

/* The queues of libzmq hand bytes from thread to thread with atomics that ThreadSanitizer does not see in a library it
 * did not compile: it is told here that what was done before a message was sent is done when one is received. */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static char passage;
#define HQ_PASSES_ON() __tsan_release(&passage)
#define HQ_TAKES_ON()  __tsan_acquire(&passage)
#else
#define HQ_PASSES_ON() ((void)0)
#define HQ_TAKES_ON()  ((void)0)
#endif

struct hq_message {
    atomic_int others; /* that hold it */
    hq_command command;
    hq_peer peer;
    bson_t body;
    zmq_msg_t document; /* holds body's bytes in a message that was received */
    bool was_received;
    zmq_msg_t payloads[HQ_MAX_PAYLOADS];
    size_t payload_count;
};

static const struct {
    hq_command command;
    const char *name;
} commands[] = {
    {HQ_SUBMIT, "SUBMIT"},     {HQ_ATTACH, "ATTACH"}, {HQ_CANCEL, "CANCEL"},   {HQ_STATUS, "STATUS"},
    {HQ_STOP, "STOP"},         {HQ_DRAIN, "DRAIN"},   {HQ_AGREED, "AGREED"},   {HQ_ACCEPTED, "ACCEPTED"},
    {HQ_PROGRESS, "PROGRESS"}, {HQ_DONE, "DONE"},     {HQ_FAILED, "FAILED"},   {HQ_REJECTED, "REJECTED"},
    {HQ_STATE, "STATE"},       {HQ_HELLO, "HELLO"},   {HQ_CREDIT, "CREDIT"},   {HQ_PARTIALS, "PARTIALS"},
    {HQ_EVICTED, "EVICTED"},   {HQ_BYE, "BYE"},       {HQ_WELCOME, "WELCOME"}, {HQ_QUERY, "QUERY"},
    {HQ_SUBTASKS, "SUBTASKS"}, {HQ_DROP, "DROP"},
};

static const char *name_or_null(hq_command command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].command == command)
            return commands[i].name;
    return NULL;
}

const char *command_name(hq_command command)
{
    const char *name = name_or_null(command);
    return name ? name : "?";
}

bool peer_is_equal(const hq_peer *one, const hq_peer *other)
{
    return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

hq_message *message_new(hq_command command)
{
    hq_message *message = hq_calloc(1, sizeof *message);
    message->command = command;
    bson_init(&message->body);
    return message;
}

hq_message *message_hold(hq_message *message)
{
    atomic_fetch_add(&message->others, 1);
    return message;
}

void message_free(hq_message **message_p)
{
    hq_message *message = *message_p;
    *message_p = NULL;
    if (!message || atomic_fetch_sub(&message->others, 1) > 0)
        return;
    bson_destroy(&message->body);
    if (message->was_received)
        zmq_msg_close(&message->document);
    for (size_t i = 0; i < message->payload_count; i++)
        zmq_msg_close(&message->payloads[i]);
    free(message);
}

hq_command message_command(const hq_message *message)
{
    return message->command;
}

bson_t *message_body(hq_message *message)
{
    return &message->body;
}

void message_set_peer(hq_message *message, const hq_peer *peer)
{
    message->peer = *peer;
}

const hq_peer *message_peer(const hq_message *message)
{
    return &message->peer;
}

static void free_bytes(void *bytes, void *hint)
{
    (void)hint;
    free(bytes);
}

static zmq_msg_t *next_payload(hq_message *message)
{
    if (message->payload_count == HQ_MAX_PAYLOADS)
        abort(); /* no command defines so many */
    return &message->payloads[message->payload_count++];
}

void message_add_payload(hq_message *message, hq_buffer *buffer)
{
    if (buffer->size == 0) {
        buffer_clear(buffer);
        zmq_msg_init(next_payload(message));
        return;
    }
    zmq_msg_init_data(next_payload(message), buffer->bytes, buffer->size, free_bytes, NULL);
    *buffer = (hq_buffer){0};
}

void message_copy_payload(hq_message *message, const void *bytes, size_t size)
{
    hq_buffer copy = {0};
    buffer_append(&copy, bytes, size);
    message_add_payload(message, &copy);
}

typedef struct lent {
    void (*release)(void *hint);
    void *hint;
} lent;

static void release_lent(void *bytes, void *hint)
{
    (void)bytes;
    lent *loan = hint;
    loan->release(loan->hint);
    free(loan);
}

void message_lend_payload(hq_message *message, const void *bytes, size_t size, void (*release)(void *hint), void *hint)
{
    lent *loan = hq_alloc(sizeof *loan);
    *loan = (lent){release, hint};
    zmq_msg_init_data(next_payload(message), (void *)bytes, size, release_lent, loan);
}

size_t message_payload_count(const hq_message *message)
{
    return message->payload_count;
}

const void *message_payload(const hq_message *message, size_t index, size_t *size_r)
{
    if (index >= message->payload_count) {
        *size_r = 0;
        return NULL;
    }
    zmq_msg_t *frame = (zmq_msg_t *)&message->payloads[index];
    *size_r = zmq_msg_size(frame);
    return zmq_msg_data(frame);
}

bool message_get_text(const hq_message *message, const char *key, const char **text_r)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, &message->body, key) || !BSON_ITER_HOLDS_UTF8(&iter))
        return false;
    *text_r = bson_iter_utf8(&iter, NULL);
    return true;
}

bool message_get_int(const hq_message *message, const char *key, int64_t min, int64_t max, int64_t *value_r)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, &message->body, key) ||
        !(BSON_ITER_HOLDS_INT32(&iter) || BSON_ITER_HOLDS_INT64(&iter)))
        return false;
    int64_t value = bson_iter_as_int64(&iter);
    if (value < min || value > max)
        return false;
    *value_r = value;
    return true;
}

bool message_get_bool(const hq_message *message, const char *key, bool *value_r)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, &message->body, key) || !BSON_ITER_HOLDS_BOOL(&iter))
        return false;
    *value_r = bson_iter_bool(&iter);
    return true;
}

bool message_get_hash(const hq_message *message, const char *key, hq_hash *hash_r)
{
    const char *text;
    return message_get_text(message, key, &text) && hash_from_text(text, hash_r) == 0;
}

/* A reason may be cut within a character, and a file's name may be any bytes: what is no UTF-8 goes as '?', for the
 * receiver would refuse the message. */
void message_put_text(hq_message *message, const char *key, const char *text)
{
    size_t length = strlen(text);
    if (bson_utf8_validate(text, length, false)) {
        bson_append_utf8(&message->body, key, -1, text, (int)length);
        return;
    }
    char *mended = hq_strdup(text);
    for (size_t at = 0, size; at < length; at += size) {
        for (size = 1; size < 4 && at + size < length && ((uint8_t)text[at + size] & 0xc0) == 0x80;)
            size++;
        if (!bson_utf8_validate(text + at, size, false)) {
            size = 1;
            mended[at] = '?';
        }
    }
    bson_append_utf8(&message->body, key, -1, mended, (int)length);
    free(mended);
}

void message_put_int32(hq_message *message, const char *key, int32_t value)
{
    bson_append_int32(&message->body, key, -1, value);
}

void message_put_int(hq_message *message, const char *key, int64_t value)
{
    bson_append_int64(&message->body, key, -1, value);
}

void message_put_bool(hq_message *message, const char *key, bool value)
{
    bson_append_bool(&message->body, key, -1, value);
}

void message_put_hash(hq_message *message, const char *key, const hq_hash *hash)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(hash, text);
    message_put_text(message, key, text);
}

static int send_frame(void *handle, zmq_msg_t *frame, bool has_more)
{
    return zmq_msg_send(frame, handle, ZMQ_DONTWAIT | (has_more ? ZMQ_SNDMORE : 0));
}

static int send_copy(void *handle, const void *bytes, size_t size, bool has_more)
{
    return zmq_send(handle, bytes, size, ZMQ_DONTWAIT | (has_more ? ZMQ_SNDMORE : 0));
}

hq_error message_send(zsock_t *socket, hq_message **message_p, hq_reason *reason)
{
    hq_message *message = *message_p;
    void *handle = zsock_resolve(socket);
    uint8_t head[HEAD_BYTES] = {'h', 'q', HQ_WIRE_VERSION, (uint8_t)message->command};
    hq_error error = HQ_OK;
    HQ_PASSES_ON();
    /* Only the first frame of a message can be refused: a peer that takes it takes them all. */
    int sent = 0;
    if (zsock_type(socket) == ZMQ_ROUTER) {
        sent = send_copy(handle, message->peer.bytes, message->peer.size, true);
        if (sent >= 0)
            sent = send_copy(handle, head, sizeof head, true);
    } else {
        sent = send_copy(handle, head, sizeof head, true);
    }
    if (sent >= 0)
        sent = send_copy(handle, bson_get_data(&message->body), message->body.len, message->payload_count > 0);
    for (size_t i = 0; sent >= 0 && i < message->payload_count; i++)
        sent = send_frame(handle, &message->payloads[i], i + 1 < message->payload_count);
    if (sent < 0)
        error = hq_fail(reason, zmq_errno() == EHOSTUNREACH ? HQ_ENOTFOUND : HQ_EUNAVAILABLE, "%s not sent: %s",
                        command_name(message->command), zmq_strerror(zmq_errno()));
    message_free(message_p);
    return error;
}

/* What the first frame says; HQ_OK if it is a command of this version. */
static hq_error check_head(const uint8_t *head, size_t size, hq_reason *reason)
{
    if (size != HEAD_BYTES || head[0] != 'h' || head[1] != 'q')
        return hq_fail(reason, HQ_EPROTOCOL, "frame 0 is not the head of a message of hq (%zu bytes)", size);
    if (head[2] != HQ_WIRE_VERSION)
        return hq_fail(reason, HQ_EMISMATCH, "the peer speaks version %d of the protocol, this program version %d",
                       head[2], HQ_WIRE_VERSION);
    if (!name_or_null((hq_command)head[3]))
        return hq_fail(reason, HQ_EPROTOCOL, "no command has the number %d", head[3]);
    return HQ_OK;
}

static bool is_sound_text(bson_iter_t *iter)
{
    uint32_t length;
    const char *text = BSON_ITER_HOLDS_UTF8(iter)   ? bson_iter_utf8(iter, &length)
                       : BSON_ITER_HOLDS_CODE(iter) ? bson_iter_code(iter, &length)
                                                    : bson_iter_symbol(iter, &length);
    return bson_utf8_validate(text, length, false);
}

/* Every element lies within the document, every text is UTF-8 without a zero, nothing is nested too deep. Not
 * bson_validate: that of libbson 1.23 lets texts pass that are no UTF-8, and follows any depth until the stack ends. */
static bool is_sound(bson_iter_t *iter, int depth)
{
    while (bson_iter_next(iter)) {
        const char *key = bson_iter_key(iter);
        bson_iter_t inner;
        bool is_good = bson_utf8_validate(key, strlen(key), false);
        if (BSON_ITER_HOLDS_UTF8(iter) || BSON_ITER_HOLDS_CODE(iter) || BSON_ITER_HOLDS_SYMBOL(iter))
            is_good = is_good && is_sound_text(iter);
        else if (BSON_ITER_HOLDS_DOCUMENT(iter) || BSON_ITER_HOLDS_ARRAY(iter))
            is_good = is_good && depth < MAX_DEPTH && bson_iter_recurse(iter, &inner) && is_sound(&inner, depth + 1);
        if (!is_good)
            return false;
    }
    return iter->err_off == 0;
}

bool document_is_sound(const void *bytes, size_t size, bson_t *document_r)
{
    bson_iter_t iter;
    return size <= HQ_MAX_DOCUMENT && bytes && bson_init_static(document_r, bytes, size) &&
           bson_iter_init(&iter, document_r) && is_sound(&iter, 1);
}

static hq_error check_document(bson_t *body, const void *bytes, size_t size, hq_command command, hq_reason *reason)
{
    if (!document_is_sound(bytes, size, body))
        return hq_fail(reason, HQ_EPROTOCOL, "%s: frame 1 is not a BSON document (%zu bytes)", command_name(command),
                       size);
    return HQ_OK;
}

static hq_error receive_payloads(hq_message *message, void *handle, bool has_more, hq_reason *reason)
{
    while (has_more) {
        if (message->payload_count == HQ_MAX_PAYLOADS)
            return hq_fail(reason, HQ_EPROTOCOL, "%s: more than %d payload frames", command_name(message->command),
                           HQ_MAX_PAYLOADS);
        zmq_msg_t *frame = next_payload(message);
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, handle, ZMQ_DONTWAIT) < 0)
            return hq_fail(reason, HQ_EPROTOCOL, "%s: a frame is missing", command_name(message->command));
        has_more = zmq_msg_more(frame);
    }
    return HQ_OK;
}

/* The rest of a message that is given up. */
static void skip_frames(void *handle)
{
    int has_more = 0;
    size_t size = sizeof has_more;
    while (zmq_getsockopt(handle, ZMQ_RCVMORE, &has_more, &size) == 0 && has_more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int got = zmq_msg_recv(&frame, handle, ZMQ_DONTWAIT);
        zmq_msg_close(&frame);
        if (got < 0)
            return;
    }
}

static hq_error receive_peer(void *handle, hq_peer *peer, hq_reason *reason)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    hq_error error = HQ_OK;
    if (zmq_msg_recv(&frame, handle, ZMQ_DONTWAIT) < 0) {
        error = HQ_ETIMEOUT;
    } else if (zmq_msg_size(&frame) > HQ_MAX_PEER || !zmq_msg_more(&frame)) {
        error = hq_fail(reason, HQ_EPROTOCOL, "a routing id of %zu bytes without a message of hq",
                        zmq_msg_size(&frame));
    } else {
        peer->size = (uint8_t)zmq_msg_size(&frame);
        memcpy(peer->bytes, zmq_msg_data(&frame), peer->size);
    }
    zmq_msg_close(&frame);
    return error;
}

static hq_error receive_body(hq_message *message, void *handle, hq_reason *reason)
{
    zmq_msg_t head;
    zmq_msg_init(&head);
    if (zmq_msg_recv(&head, handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&head);
        return HQ_ETIMEOUT;
    }
    HQ_TAKES_ON();
    bool has_more = zmq_msg_more(&head);
    hq_error error = check_head(zmq_msg_data(&head), zmq_msg_size(&head), reason);
    if (!error) {
        message->command = (hq_command)((uint8_t *)zmq_msg_data(&head))[3];
        if (!has_more)
            error = hq_fail(reason, HQ_EPROTOCOL, "%s without a document", command_name(message->command));
    }
    zmq_msg_close(&head);
    if (error)
        return error;
    if (zmq_msg_recv(&message->document, handle, ZMQ_DONTWAIT) < 0)
        return hq_fail(reason, HQ_EPROTOCOL, "%s without a document", command_name(message->command));
    has_more = zmq_msg_more(&message->document);
    error = check_document(&message->body, zmq_msg_data(&message->document), zmq_msg_size(&message->document),
                           message->command, reason);
    return error ? error : receive_payloads(message, handle, has_more, reason);
}

hq_error message_receive(zsock_t *socket, hq_message **message_r, hq_peer *peer_r, hq_reason *reason)
{
    void *handle = zsock_resolve(socket);
    hq_message *message = message_new(HQ_SUBMIT);
    message->was_received = true;
    zmq_msg_init(&message->document);
    hq_error error = zsock_type(socket) == ZMQ_ROUTER ? receive_peer(handle, &message->peer, reason) : HQ_OK;
    if (!error)
        error = receive_body(message, handle, reason);
    if (peer_r)
        *peer_r = message->peer;
    if (error) {
        if (error != HQ_ETIMEOUT)
            skip_frames(handle);
        message_free(&message);
        return error;
    }
    *message_r = message;
    return HQ_OK;
}

hq_error message_decode(const void *const *frames, const size_t *sizes, size_t count, hq_message **message_r,
                        hq_reason *reason)
{
    hq_error error = count < 2 || count > 2 + HQ_MAX_PAYLOADS
                         ? hq_fail(reason, HQ_EPROTOCOL, "a message of %zu frames", count)
                         : check_head(frames[0], sizes[0], reason);
    if (error)
        return error;
    hq_message *message = message_new((hq_command)((const uint8_t *)frames[0])[3]);
    message->was_received = true;
    zmq_msg_init_size(&message->document, sizes[1]);
    if (sizes[1])
        memcpy(zmq_msg_data(&message->document), frames[1], sizes[1]);
    error = check_document(&message->body, zmq_msg_data(&message->document), sizes[1], message->command, reason);
    for (size_t i = 2; !error && i < count; i++)
        message_copy_payload(message, frames[i], sizes[i]);
    if (error)
        message_free(&message);
    else
        *message_r = message;
    return error;
}
