#include "client/session.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "wire/message.h"
#include "wire/socket.h"

struct hq_session {
    zsock_t *socket;
    int interrupt_fd;
    int32_t request;
    bool was_accepted, is_over; /* what was asked last */
    hq_hash query;              /* likewise, once accepted */
};

hq_error session_open(const char *endpoint, hq_session **session_r, hq_reason *reason)
{
    hq_session *session = hq_calloc(1, sizeof *session);
    session->interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    hq_error error = socket_dealer(endpoint, &session->socket, reason);
    if (error)
        session_close(&session);
    else
        *session_r = session;
    return error;
}

void session_close(hq_session **session_p)
{
    hq_session *session = *session_p;
    if (!session)
        return;
    zsock_destroy(&session->socket);
    close(session->interrupt_fd);
    free(session);
    *session_p = NULL;
}

static hq_error ask_status(hq_session *session, hq_reason *reason)
{
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", session->request);
    return message_send(session->socket, &message, reason);
}

/* Begins with a question after the broker itself, so that one that is there is heard of at once, however long it takes
 * to open a dataset's files. */
static hq_error begin(hq_session *session, hq_reason *reason)
{
    session->request++;
    session->was_accepted = session->is_over = false;
    return ask_status(session, reason);
}

hq_error session_submit(hq_session *session, const hq_submission *submission, hq_reason *reason)
{
    hq_error error = begin(session, reason);
    if (error)
        return error;
    hq_message *message = message_new(HQ_SUBMIT);
    message_put_int32(message, "request", session->request);
    message_put_text(message, "name", submission->name);
    message_put_text(message, "text", submission->text);
    bson_t list;
    bson_append_array_begin(message_body(message), "dataset", -1, &list);
    for (size_t i = 0; i < submission->spec_count; i++) {
        char buffer[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        bson_append_utf8(&list, key, -1, submission->specs[i], -1);
    }
    bson_append_array_end(message_body(message), &list);
    message_put_text(message, "user", submission->user);
    message_put_int32(message, "priority", submission->priority);
    message_put_bool(message, "fresh", submission->is_fresh);
    message_put_bool(message, "progress", submission->wants_progress);
    message_put_int(message, "partition_entries", submission->partition_entries);
    message_put_bool(message, "skip_bad_files", submission->skips_bad);
    if (message_body(message)->len > HQ_MAX_DOCUMENT) {
        error = hq_fail(reason, HQ_ELIMIT,
                        "the question takes %u bytes with the names of its %zu files, and one message holds %d: use "
                        "globs, or give the list a name with hq-ctl datasets add NAME @LIST, and ask of NAME",
                        message_body(message)->len, submission->spec_count, HQ_MAX_DOCUMENT);
        message_free(&message);
        return error;
    }
    return message_send(session->socket, &message, reason);
}

hq_error session_attach(hq_session *session, const hq_hash *query, bool wants_progress, hq_reason *reason)
{
    hq_error error = begin(session, reason);
    if (error)
        return error;
    hq_message *message = message_new(HQ_ATTACH);
    message_put_int32(message, "request", session->request);
    message_put_hash(message, "query", query);
    message_put_bool(message, "progress", wants_progress);
    return message_send(session->socket, &message, reason);
}

void session_cancel(hq_session *session)
{
    if (session->is_over)
        return;
    hq_reason reason = {{0}};
    hq_message *message = message_new(HQ_CANCEL);
    if (session->was_accepted)
        message_put_hash(message, "query", &session->query);
    else
        message_put_int32(message, "request", session->request);
    if (message_send(session->socket, &message, &reason))
        hq_log(HQ_LOG_WARN, "client", "the broker was not told to cancel: %s", reason.text);
}

void session_probe(hq_session *session)
{
    hq_reason reason = {{0}};
    if (ask_status(session, &reason))
        hq_log(HQ_LOG_DEBUG, "client", "%s", reason.text);
}

void session_interrupt(hq_session *session)
{
    eventfd_write(session->interrupt_fd, 1);
}

/* ---- events ---- */

static bool get_count(const hq_message *message, const char *key, int64_t *value_r)
{
    return message_get_int(message, key, 0, INT64_MAX, value_r);
}

static bool read_standing(const hq_message *message, hq_event *event)
{
    return get_count(message, "done", &event->done) && get_count(message, "subtasks", &event->subtasks) &&
           get_count(message, "stored", &event->stored) && get_count(message, "entries", &event->entries) &&
           get_count(message, "read_bytes", &event->read_bytes) &&
           get_count(message, "cached_bytes", &event->cached_bytes) &&
           get_count(message, "elapsed_ms", &event->elapsed_ms) && get_count(message, "workers", &event->workers);
}

static bool read_hists(const hq_message *message, hq_event *event)
{
    size_t size;
    const void *bytes = message_payload(message, 0, &size);
    hq_reason reason = {{0}};
    if (size == 0)
        return event->kind == HQ_EVENT_PROGRESS;
    if (histset_decode_whole(bytes, size, &event->hists, &reason) == HQ_OK)
        return true;
    hq_log(HQ_LOG_WARN, "client", "%s", reason.text);
    return false;
}

static char *text_of(const bson_iter_t *document, const char *key)
{
    bson_iter_t iter;
    if (bson_iter_recurse(document, &iter) && bson_iter_find(&iter, key) && BSON_ITER_HOLDS_UTF8(&iter))
        return hq_strdup(bson_iter_utf8(&iter, NULL));
    return hq_strdup("?");
}

static void read_left_out(hq_message *message, hq_event *event)
{
    bson_iter_t iter, item;
    size_t capacity = 0;
    get_count(message, "left_out_count", &event->left_out_count);
    if (!bson_iter_init_find(&iter, message_body(message), "left_out") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
        !bson_iter_recurse(&iter, &item))
        return;
    while (bson_iter_next(&item)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&item))
            continue;
        HQ_GROW(event->left_out, event->left_out_told, capacity);
        event->left_out[event->left_out_told].path = text_of(&item, "file");
        event->left_out[event->left_out_told++].text = text_of(&item, "text");
    }
}

static bool read_refusal(const hq_message *message, hq_event *event)
{
    const char *code, *text, *more;
    int64_t number;
    if (!message_get_text(message, "code", &code) || !message_get_text(message, "text", &text))
        return false;
    event->error = hq_error_from_name(code);
    hq_fail(&event->text, event->error, "%s", text);
    if (message_get_text(message, "state", &more))
        event->is_cancelled = strcmp(more, "CANCELLED") == 0;
    hq_complaint *complaint = &event->complaint;
    if (message_get_int(message, "line", 0, INT32_MAX, &number))
        complaint->line = (int)number;
    if (message_get_int(message, "column", 0, INT32_MAX, &number))
        complaint->column = (int)number;
    if (message_get_text(message, "message", &more))
        snprintf(complaint->message, sizeof complaint->message, "%s", more);
    if (message_get_text(message, "hint", &more))
        snprintf(complaint->hint, sizeof complaint->hint, "%s", more);
    if (message_get_text(message, "source", &more))
        snprintf(complaint->source_line, sizeof complaint->source_line, "%s", more);
    return true;
}

static bool read_accepted(hq_session *session, const hq_message *message, hq_event *event)
{
    if (!message_get_hash(message, "query", &session->query) || !get_count(message, "subtasks", &event->subtasks) ||
        !get_count(message, "entries", &event->entries) || !get_count(message, "stored", &event->stored) ||
        !message_get_bool(message, "joined", &event->has_joined))
        return false;
    session->was_accepted = true;
    return true;
}

/* True if the message is an event of this session. */
static bool read_event(hq_session *session, hq_message *message, hq_event *event)
{
    hq_hash query;
    *event = (hq_event){0};
    hq_command command = message_command(message);
    bool is_of_query = command == HQ_DONE || command == HQ_FAILED;
    if (is_of_query && (!session->was_accepted || !message_get_hash(message, "query", &query) ||
                        memcmp(&query, &session->query, sizeof query) != 0))
        return false;
    int64_t request;
    bool is_answer = command == HQ_ACCEPTED || command == HQ_PROGRESS || command == HQ_REJECTED || command == HQ_STATE;
    /* A broker that could not read who asked answers request 0. */
    if (is_answer && !(message_get_int(message, "request", INT32_MIN, INT32_MAX, &request) &&
                       (request == session->request || request == 0)))
        return false;
    switch (command) {
    case HQ_STATE:
        event->kind = HQ_EVENT_STATE;
        if (!message_get_hash(message, "broker", &query))
            return false;
        hash_to_text(&query, event->broker);
        return get_count(message, "workers", &event->workers);
    case HQ_ACCEPTED:
        event->kind = HQ_EVENT_ACCEPTED;
        return read_accepted(session, message, event);
    case HQ_PROGRESS:
        event->kind = HQ_EVENT_PROGRESS;
        if (!message_get_hash(message, "query", &query))
            return false;
        hash_to_text(&query, event->query);
        return read_standing(message, event) && read_hists(message, event);
    case HQ_DONE:
        event->kind = HQ_EVENT_DONE;
        session->is_over = true;
        read_left_out(message, event);
        if (read_standing(message, event) && message_get_bool(message, "from_store", &event->is_from_store) &&
            message_get_bool(message, "kept", &event->is_kept) && read_hists(message, event))
            return true;
        /* There will be no other one: it is the end all the same. */
        event->kind = HQ_EVENT_FAILED;
        event->error = hq_fail(&event->text, HQ_EPROTOCOL, "the broker's answer cannot be read");
        return true;
    case HQ_FAILED:
        event->kind = HQ_EVENT_FAILED;
        session->is_over = true;
        return read_refusal(message, event);
    case HQ_REJECTED: {
        event->kind = HQ_EVENT_REJECTED;
        session->is_over = true;
        bool is_read = read_refusal(message, event);
        event->is_cancelled = is_read && event->error == HQ_ECANCELLED; /* before it was accepted */
        return is_read;
    }
    default:
        return false;
    }
}

/* The next message that is an event; HQ_ETIMEOUT if there is none at the moment. */
static hq_error receive_event(hq_session *session, hq_event *event)
{
    for (;;) {
        hq_message *message = NULL;
        hq_reason reason = {{0}};
        hq_error error = message_receive(session->socket, &message, NULL, &reason);
        if (error == HQ_ETIMEOUT)
            return error;
        if (error) {
            hq_log(HQ_LOG_WARN, "client", "from the broker: %s", reason.text);
            continue;
        }
        bool is_event = read_event(session, message, event);
        if (is_event && session->was_accepted)
            hash_to_text(&session->query, event->query);
        if (!is_event)
            hq_log(HQ_LOG_WARN, "client", "passed over: %s", command_name(message_command(message)));
        message_free(&message);
        if (is_event)
            return HQ_OK;
        event_clear(event);
    }
}

hq_error session_next(hq_session *session, int timeout_ms, hq_event *event_r, hq_reason *reason)
{
    int64_t until_ms = hq_now_ms() + timeout_ms;
    for (;;) {
        if (receive_event(session, event_r) == HQ_OK)
            return HQ_OK;
        int64_t left_ms = until_ms - hq_now_ms();
        if (left_ms <= 0)
            return hq_fail(reason, HQ_ETIMEOUT, "no answer within %.3g s", timeout_ms / 1e3);
        zmq_pollitem_t items[] = {{zsock_resolve(session->socket), 0, ZMQ_POLLIN, 0},
                                  {NULL, session->interrupt_fd, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, 2, left_ms) < 0 && zmq_errno() != EINTR)
            return hq_fail(reason, HQ_EINTERNAL, "cannot wait: %s", zmq_strerror(zmq_errno()));
        eventfd_t times;
        if (items[1].revents && eventfd_read(session->interrupt_fd, &times) == 0)
            return hq_fail(reason, HQ_ECANCELLED, "interrupted");
    }
}

void event_clear(hq_event *event)
{
    histset_free(&event->hists);
    for (size_t i = 0; i < event->left_out_told; i++) {
        free(event->left_out[i].path);
        free(event->left_out[i].text);
    }
    free(event->left_out);
    event->left_out = NULL;
    event->left_out_told = 0;
}
