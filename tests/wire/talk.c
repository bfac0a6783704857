#include "tests/wire/talk.h"

#include "base/clock.h"

bool talk_has_input(zsock_t *socket, int wait_ms)
{
    zmq_pollitem_t item = {zsock_resolve(socket), 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, wait_ms) > 0;
}

hq_message *talk_next(zsock_t *socket, int wait_ms)
{
    int64_t end_ms = hq_now_ms() + wait_ms;
    for (;;) {
        hq_message *message = NULL;
        hq_reason reason = {{0}};
        hq_error error = message_receive(socket, &message, NULL, &reason);
        if (!error)
            return message;
        if (error != HQ_ETIMEOUT)
            fail_msg("a malformed message came: %s", reason.text);
        int64_t left_ms = end_ms - hq_now_ms();
        if (left_ms <= 0 || !talk_has_input(socket, (int)left_ms))
            return NULL;
    }
}

hq_message *talk_expect(zsock_t *socket, hq_command command)
{
    hq_message *message = talk_next(socket, TALK_WAIT_MS);
    if (!message)
        fail_msg("no %s came", command_name(command));
    else if (message_command(message) != command)
        fail_msg("a %s came, and no %s: %s", command_name(message_command(message)), command_name(command),
                 bson_as_relaxed_extended_json(message_body(message), NULL));
    return message;
}

hq_message *talk_expect_past(zsock_t *socket, hq_command skipped, hq_command command)
{
    for (;;) {
        hq_message *message = talk_next(socket, TALK_WAIT_MS);
        if (!message)
            fail_msg("no %s came", command_name(command));
        if (message_command(message) == command)
            return message;
        if (message_command(message) != skipped)
            fail_msg("a %s came, and no %s: %s", command_name(message_command(message)), command_name(command),
                     bson_as_relaxed_extended_json(message_body(message), NULL));
        message_free(&message);
    }
}

void talk_expect_rejected(zsock_t *socket, hq_error code)
{
    hq_message *message = talk_expect(socket, HQ_REJECTED);
    assert_string_equal(talk_text(message, "code"), hq_error_name(code));
    assert_true(talk_text(message, "text")[0] != 0);
    message_free(&message);
}

void talk_send(zsock_t *socket, hq_message *message)
{
    hq_reason reason = {{0}};
    if (message_send(socket, &message, &reason))
        fail_msg("%s", reason.text);
}

void talk_send_frames(zsock_t *socket, const talk_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int sent = zmq_send(zsock_resolve(socket), frames[i].bytes, frames[i].size, i + 1 < count ? ZMQ_SNDMORE : 0);
        assert_int_equal(sent, (int)frames[i].size);
    }
}

int64_t talk_int(const hq_message *message, const char *key)
{
    int64_t value = 0;
    if (!message_get_int(message, key, INT64_MIN, INT64_MAX, &value))
        fail_msg("%s has no number %s", command_name(message_command(message)), key);
    return value;
}

bool talk_bool(const hq_message *message, const char *key)
{
    bool value = false;
    if (!message_get_bool(message, key, &value))
        fail_msg("%s has no truth value %s", command_name(message_command(message)), key);
    return value;
}

const char *talk_text(const hq_message *message, const char *key)
{
    const char *text = "";
    if (!message_get_text(message, key, &text))
        fail_msg("%s has no text %s", command_name(message_command(message)), key);
    return text;
}
