/* tests/wire/talk.h - messages in tests: every wait has a bound, and what is not as expected fails the test.
 */
#ifndef HQ_TESTS_WIRE_TALK_H
#define HQ_TESTS_WIRE_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/message.h"

enum { TALK_WAIT_MS = 60000 };

/* True if something can be read from the socket within that time. */
bool talk_has_input(zsock_t *socket, int wait_ms);
/* The next message whatever it is; NULL if none comes within wait_ms. One that is malformed fails the test. */
hq_message *talk_next(zsock_t *socket, int wait_ms);
/* The next message, which must be of that command. The caller frees it. */
hq_message *talk_expect(zsock_t *socket, hq_command command);
/* The same, passing over messages of another command. */
hq_message *talk_expect_past(zsock_t *socket, hq_command skipped, hq_command command);
/* A REJECTED with that code. */
void talk_expect_rejected(zsock_t *socket, hq_error code);
/* Sends; it must be possible. */
void talk_send(zsock_t *socket, hq_message *message);

/* Frames as they are, for what message_send would not send. */
typedef struct talk_frame {
    const void *bytes;
    size_t size;
} talk_frame;
void talk_send_frames(zsock_t *socket, const talk_frame *frames, size_t count);

/* Fields that must be there. */
int64_t talk_int(const hq_message *message, const char *key);
bool talk_bool(const hq_message *message, const char *key);
const char *talk_text(const hq_message *message, const char *key);

#endif
