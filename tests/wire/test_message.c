/* Messages between a ROUTER and a DEALER, clause by clause of docs/protocol.md, sections 1 and 2. */
#include <stdatomic.h>
#include <string.h>

#include "tests/wire/talk.h"
#include "wire/socket.h"

typedef struct pair {
    zsock_t *router, *dealer;
    char *endpoint;
} pair;

static int open_pair(void **state)
{
    static int number;
    pair *p = calloc(1, sizeof *p);
    char endpoint[64];
    hq_reason reason = {{0}};
    snprintf(endpoint, sizeof endpoint, "inproc://message-%d", number++);
    if (!p || socket_router(endpoint, 0, 1 << 26, &p->router, &p->endpoint, &reason) ||
        socket_dealer(endpoint, &p->dealer, &reason))
        return -1;
    *state = p;
    return 0;
}

static int close_pair(void **state)
{
    pair *p = *state;
    zsock_destroy(&p->dealer);
    zsock_destroy(&p->router);
    free(p->endpoint);
    free(p);
    return 0;
}

static const uint8_t head[] = {'h', 'q', HQ_WIRE_VERSION, HQ_STATUS};
static const uint8_t empty_document[] = {5, 0, 0, 0, 0};

/* What the ROUTER makes of these frames; and, whatever it was, the message that follows must be intact. */
static hq_error received(pair *p, const talk_frame *frames, size_t count, hq_message **message_r)
{
    talk_send_frames(p->dealer, frames, count);
    hq_message *next = message_new(HQ_STATUS), *message = NULL;
    message_put_int32(next, "request", 77);
    talk_send(p->dealer, next);

    hq_reason reason = {{0}};
    hq_peer peer = {0};
    assert_true(talk_has_input(p->router, TALK_WAIT_MS));
    hq_error error = message_receive(p->router, &message, &peer, &reason);
    assert_true(error == HQ_OK || reason.text[0] != 0);
    assert_true(error == HQ_OK ? message != NULL : message == NULL);
    next = talk_expect(p->router, HQ_STATUS);
    assert_int_equal(talk_int(next, "request"), 77);
    assert_true(peer_is_equal(&peer, message_peer(next))); /* whom to answer is known, malformed or not */
    message_free(&next);
    assert_int_equal(message_receive(p->router, &next, NULL, &reason), HQ_ETIMEOUT);
    if (message_r)
        *message_r = message;
    else
        message_free(&message);
    return error;
}

static hq_error received_two(pair *p, const void *first, size_t first_size, const void *second, size_t second_size)
{
    const talk_frame frames[] = {{first, first_size}, {second, second_size}};
    return received(p, frames, 2, NULL);
}

/* ---- section 1 ---- */

static void a_message_goes_and_its_answer_comes_back_1(void **state)
{
    pair *p = *state;
    hq_message *question = message_new(HQ_PARTIALS);
    hq_hash hash = hash_of("hq", 2), hash_back;
    message_put_text(question, "text", "ein µ");
    message_put_int32(question, "small", INT32_MIN);
    message_put_int(question, "large", INT64_MAX);
    message_put_bool(question, "yes", true);
    message_put_hash(question, "hash", &hash);
    hq_buffer bytes = {0}, none = {0};
    buffer_append(&bytes, "payload", 7);
    message_add_payload(question, &bytes);
    assert_null(bytes.bytes);
    message_add_payload(question, &none);
    message_copy_payload(question, "copied", 6);
    talk_send(p->dealer, question);

    question = talk_expect(p->router, HQ_PARTIALS);
    assert_string_equal(talk_text(question, "text"), "ein µ");
    assert_int_equal(talk_int(question, "small"), INT32_MIN);
    assert_true(talk_int(question, "large") == INT64_MAX);
    assert_true(talk_bool(question, "yes"));
    assert_true(message_get_hash(question, "hash", &hash_back));
    assert_memory_equal(&hash, &hash_back, sizeof hash);
    assert_int_equal(message_payload_count(question), 3);
    size_t size;
    assert_memory_equal(message_payload(question, 0, &size), "payload", 7);
    assert_int_equal(size, 7);
    message_payload(question, 1, &size);
    assert_int_equal(size, 0);
    assert_memory_equal(message_payload(question, 2, &size), "copied", 6);
    assert_null(message_payload(question, 3, &size));
    assert_int_equal(size, 0);

    hq_message *answer = message_new(HQ_WELCOME);
    message_set_peer(answer, message_peer(question));
    talk_send(p->router, answer);
    answer = talk_expect(p->dealer, HQ_WELCOME);
    assert_int_equal(message_payload_count(answer), 0);
    message_free(&answer);
    message_free(&question);
}

static void a_peer_that_is_not_there_is_not_found_1(void **state)
{
    pair *p = *state;
    hq_message *message = message_new(HQ_WELCOME);
    message_set_peer(message, &(hq_peer){4, "gone"});
    hq_reason reason = {{0}};
    assert_int_equal(message_send(p->router, &message, &reason), HQ_ENOTFOUND);
    assert_null(message);
    assert_non_null(strstr(reason.text, "WELCOME"));
    message = message_new(HQ_WELCOME); /* to nobody */
    assert_int_equal(message_send(p->router, &message, &reason), HQ_ENOTFOUND);
}

/* Received from a DEALER that calls itself so. */
static hq_error received_from(pair *p, size_t size)
{
    char name[256];
    memset(name, 'x', sizeof name);
    zsock_t *dealer = zsock_new(ZMQ_DEALER);
    zmq_setsockopt(zsock_resolve(dealer), ZMQ_ROUTING_ID, name, size);
    assert_int_equal(zmq_connect(zsock_resolve(dealer), p->endpoint), 0);
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", 1);
    talk_send(dealer, message);
    hq_peer peer = {0};
    hq_reason reason = {{0}};
    assert_true(talk_has_input(p->router, TALK_WAIT_MS));
    hq_error error = message_receive(p->router, &message, &peer, &reason);
    if (!error) {
        assert_int_equal(peer.size, size);
        message_free(&message);
    }
    talk_send(p->dealer, message_new(HQ_STATUS));
    message = talk_expect(p->router, HQ_STATUS);
    message_free(&message);
    zsock_destroy(&dealer);
    return error;
}

static void a_routing_id_of_more_than_64_bytes_is_malformed_1(void **state)
{
    assert_int_equal(received_from(*state, 1), HQ_OK);
    assert_int_equal(received_from(*state, HQ_MAX_PEER), HQ_OK);
    assert_int_equal(received_from(*state, HQ_MAX_PEER + 1), HQ_EPROTOCOL);
    assert_int_equal(received_from(*state, 255), HQ_EPROTOCOL);
}

static void a_routing_id_alone_is_malformed_1(void **state)
{
    pair *p = *state;
    talk_frame frame = {"", 0}; /* the DEALER sends one empty frame: no head of hq */
    assert_int_equal(received(p, &frame, 1, NULL), HQ_EPROTOCOL);
}

static void peers_are_equal_byte_by_byte_1(void **state)
{
    (void)state;
    hq_peer one = {3, "abc"}, same = {3, "abcd"}, other = {3, "abd"}, longer = {4, "abc"};
    assert_true(peer_is_equal(&one, &same));
    assert_false(peer_is_equal(&one, &other));
    assert_false(peer_is_equal(&one, &longer));
}

static void endpoints_that_cannot_be_used_are_refused_1(void **state)
{
    pair *p = *state;
    zsock_t *socket = NULL;
    char *bound = NULL;
    hq_reason reason = {{0}};
    assert_int_equal(socket_router(p->endpoint, 0, 1000, &socket, &bound, &reason), HQ_EUNAVAILABLE);
    assert_int_equal(socket_router("nonsense", 0, 1000, &socket, &bound, &reason), HQ_EINVAL);
    assert_non_null(strstr(reason.text, "nonsense"));
    assert_int_equal(socket_router("carrier-pigeon://loft", 0, 1000, &socket, &bound, &reason), HQ_EINVAL);
    assert_int_equal(socket_dealer("tcp://127.0.0.1", &socket, &reason), HQ_EINVAL);
    assert_null(socket);
    assert_int_equal(socket_router("tcp://127.0.0.1:*", 0, 1000, &socket, &bound, &reason), HQ_OK);
    assert_memory_equal(bound, "tcp://127.0.0.1:", 16);
    assert_true(atoi(bound + 16) > 0);
    zsock_destroy(&socket);
    free(bound);
}

/* ---- section 2: frames ---- */

static void frame_0_that_is_no_head_is_malformed_2(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } heads[] = {{"", 0}, {"h", 1}, {"hq\2", 3}, {"hq\2\1x", 5}, {"qh\2\1", 4}, {"HQ\2\1", 4}, {"h\0\2\1", 4}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        assert_int_equal(received_two(*state, heads[i].bytes, heads[i].size, empty_document, sizeof empty_document),
                         HQ_EPROTOCOL);
}

static void another_version_is_a_mismatch_and_nothing_else_is_looked_at_2(void **state)
{
    for (int version = 0; version < 256; version++) {
        if (version == HQ_WIRE_VERSION)
            continue;
        const uint8_t other[] = {'h', 'q', (uint8_t)version, 255}; /* neither command nor document would do */
        assert_int_equal(received_two(*state, other, sizeof other, "nonsense", 8), HQ_EMISMATCH);
    }
}

static void a_number_that_is_no_command_is_malformed_2(void **state)
{
    int known = 0;
    for (int command = 0; command < 256; command++) {
        const uint8_t other[] = {'h', 'q', HQ_WIRE_VERSION, (uint8_t)command};
        hq_error error = received_two(*state, other, sizeof other, empty_document, sizeof empty_document);
        bool is_known = command_name((hq_command)command)[0] != '?';
        assert_int_equal(error, is_known ? HQ_OK : HQ_EPROTOCOL);
        known += is_known;
    }
    assert_int_equal(known, 22);
}

static void a_missing_document_is_malformed_2(void **state)
{
    talk_frame frame = {head, sizeof head};
    assert_int_equal(received(*state, &frame, 1, NULL), HQ_EPROTOCOL);
    assert_int_equal(received_two(*state, head, sizeof head, "", 0), HQ_EPROTOCOL);
}

static void a_document_that_is_no_bson_is_malformed_2(void **state)
{
    bson_t good = BSON_INITIALIZER;
    bson_append_utf8(&good, "key", -1, "a text", -1);
    uint8_t bytes[64];
    size_t size = good.len;
    memcpy(bytes, bson_get_data(&good), size);
    assert_int_equal(received_two(*state, head, sizeof head, bytes, size), HQ_OK);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(received_two(*state, head, sizeof head, bytes, size - cut), HQ_EPROTOCOL);
    assert_int_equal(received_two(*state, head, sizeof head, bytes, size + 1), HQ_EPROTOCOL);
    assert_int_equal(received_two(*state, head, sizeof head, "{\"request\": 1}", 14), HQ_EPROTOCOL);
    bytes[4] = 0x66; /* a type that there is not */
    assert_int_equal(received_two(*state, head, sizeof head, bytes, size), HQ_EPROTOCOL);
    bytes[4] = 2;
    bytes[9] = 200; /* a text longer than the document */
    assert_int_equal(received_two(*state, head, sizeof head, bytes, size), HQ_EPROTOCOL);
    bson_destroy(&good);
}

static void a_text_that_is_no_utf8_or_holds_a_zero_is_malformed_2(void **state)
{
    static const char *const texts[] = {"\xff\xfe", "cut \xc3", "a\0b"};
    static const int sizes[] = {2, 5, 3};
    for (int i = 0; i < 3; i++) {
        bson_t body = BSON_INITIALIZER, inner;
        bson_append_utf8(&body, "text", -1, texts[i], sizes[i]);
        assert_int_equal(received_two(*state, head, sizeof head, bson_get_data(&body), body.len), HQ_EPROTOCOL);
        bson_reinit(&body);
        bson_append_document_begin(&body, "deeper", -1, &inner);
        bson_append_utf8(&inner, "text", -1, texts[i], sizes[i]);
        bson_append_document_end(&body, &inner);
        assert_int_equal(received_two(*state, head, sizeof head, bson_get_data(&body), body.len), HQ_EPROTOCOL);
        bson_destroy(&body);
    }
}

/* A document of documents of documents, as many as the size allows. */
static void a_document_of_the_greatest_depth_ends_nobody_2(void **state)
{
    static const int levels[] = {15, 16, 2000000};
    for (int i = 0; i < 3; i++) {
        int deepest = levels[i];
        enum { OPEN = 6, CLOSE = 1 };
        size_t size = 5 + (size_t)deepest * (OPEN + CLOSE);
        uint8_t *bytes = calloc(1, size);
        assert_non_null(bytes);
        size_t at = 0;
        for (int level = 0; level <= deepest; level++) {
            uint32_t length = (uint32_t)(size - at - (size_t)level * CLOSE);
            for (int k = 0; k < 4; k++)
                bytes[at + (size_t)k] = (uint8_t)(length >> (8 * k));
            at += 4;
            if (level < deepest) {
                bytes[at++] = 3; /* document */
                bytes[at++] = 0; /* key "" */
            }
        }
        assert_int_equal(received_two(*state, head, sizeof head, bytes, size), i == 0 ? HQ_OK : HQ_EPROTOCOL);
        free(bytes);
    }
}

static void a_document_of_more_than_16_mib_is_malformed_2(void **state)
{
    enum { TEXT = 16 << 20 };
    char *text = malloc(TEXT);
    assert_non_null(text);
    memset(text, 'x', TEXT);
    static const int less[] = {64, 0};
    for (int i = 0; i < 2; i++) {
        bson_t body = BSON_INITIALIZER;
        bson_append_utf8(&body, "text", -1, text, TEXT - less[i]);
        assert_int_equal(received_two(*state, head, sizeof head, bson_get_data(&body), body.len),
                         less[i] ? HQ_OK : HQ_EPROTOCOL);
        bson_destroy(&body);
    }
    free(text);
}

static void more_than_8_payload_frames_are_malformed_2(void **state)
{
    talk_frame frames[2 + HQ_MAX_PAYLOADS + 20] = {{head, sizeof head}, {empty_document, sizeof empty_document}};
    for (size_t i = 2; i < sizeof frames / sizeof *frames; i++)
        frames[i] = (talk_frame){"payload", 7};
    hq_message *message = NULL;
    assert_int_equal(received(*state, frames, 2 + HQ_MAX_PAYLOADS, &message), HQ_OK);
    assert_int_equal(message_payload_count(message), HQ_MAX_PAYLOADS);
    message_free(&message);
    for (size_t more = 1; more <= 20; more++)
        assert_int_equal(received(*state, frames, 2 + HQ_MAX_PAYLOADS + more, NULL), HQ_EPROTOCOL);
}

static void what_decode_says_is_what_receive_says_2(void **state)
{
    const void *frames[2 + HQ_MAX_PAYLOADS + 1] = {head, empty_document};
    size_t sizes[2 + HQ_MAX_PAYLOADS + 1] = {sizeof head, sizeof empty_document};
    for (size_t i = 2; i < sizeof sizes / sizeof *sizes; i++) {
        frames[i] = "payload";
        sizes[i] = 7;
    }
    hq_reason reason = {{0}};
    for (size_t count = 0; count <= sizeof sizes / sizeof *sizes; count++) {
        hq_message *message = NULL;
        hq_error error = message_decode(frames, sizes, count, &message, &reason);
        assert_int_equal(error, count >= 2 && count <= 2 + HQ_MAX_PAYLOADS ? HQ_OK : HQ_EPROTOCOL);
        if (error)
            continue;
        assert_int_equal(message_command(message), HQ_STATUS);
        assert_int_equal(message_payload_count(message), count - 2);
        message_free(&message);
    }
    (void)state;
}

/* ---- section 2: fields ---- */

static void fields_and_frames_that_are_not_listed_are_ignored_2(void **state)
{
    pair *p = *state;
    hq_message *message = message_new(HQ_STATUS);
    bson_t *body = message_body(message), inner;
    bson_append_document_begin(body, "later", -1, &inner);
    bson_append_int32(&inner, "request", -1, 5);
    bson_append_document_end(body, &inner);
    bson_append_regex(body, "and", -1, "a.*", "i");
    bson_append_int32(body, "request", -1, 3);
    message_copy_payload(message, "more", 4);
    talk_send(p->dealer, message);
    message = talk_expect(p->router, HQ_STATUS);
    assert_int_equal(talk_int(message, "request"), 3);
    message_free(&message);
}

static void a_field_that_is_missing_or_of_another_type_is_not_given_2(void **state)
{
    (void)state;
    hq_message *message = message_new(HQ_STATUS);
    bson_t *body = message_body(message);
    const char *text = "as it was";
    int64_t number = 42;
    bool truth = true;
    hq_hash hash = hash_of("x", 1), before = hash;
    bson_append_double(body, "double", -1, 1.0);
    bson_append_null(body, "null", -1);
    message_put_int32(message, "one", 1);
    message_put_text(message, "text", "1");
    message_put_bool(message, "true", true);
    static const char *const no_number[] = {"missing", "double", "null", "text", "true"};
    static const char *const no_text[] = {"missing", "double", "null", "one", "true"};
    static const char *const no_truth[] = {"missing", "double", "null", "one", "text"};
    for (int i = 0; i < 5; i++) {
        assert_false(message_get_int(message, no_number[i], INT64_MIN, INT64_MAX, &number));
        assert_false(message_get_text(message, no_text[i], &text));
        assert_false(message_get_bool(message, no_truth[i], &truth));
        assert_false(message_get_hash(message, no_text[i], &hash));
    }
    assert_int_equal(number, 42);
    assert_string_equal(text, "as it was");
    assert_true(truth);
    assert_memory_equal(&hash, &before, sizeof hash);
    message_free(&message);
}

static void a_number_out_of_range_is_not_given_2(void **state)
{
    (void)state;
    hq_message *message = message_new(HQ_SUBMIT);
    int64_t number = 42;
    message_put_int32(message, "small", -1);
    message_put_int(message, "large", (int64_t)1 << 40);
    assert_false(message_get_int(message, "small", 0, 999, &number));
    assert_false(message_get_int(message, "large", 0, ((int64_t)1 << 40) - 1, &number));
    assert_int_equal(number, 42);
    assert_true(message_get_int(message, "small", -1, -1, &number));
    assert_int_equal(number, -1);
    assert_true(message_get_int(message, "large", (int64_t)1 << 40, INT64_MAX, &number));
    assert_true(number == (int64_t)1 << 40);
    message_free(&message);
}

static void an_id_is_32_hexadecimal_digits_2_3(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "0123456789abcdef0123456789abcde",
                                        "0123456789abcdef0123456789abcdef0",
                                        "0123456789abcdef0123456789abcdeg",
                                        "0x23456789abcdef0123456789abcdef",
                                        " 123456789abcdef0123456789abcdef"};
    hq_message *message = message_new(HQ_CANCEL);
    hq_hash hash;
    char key[8], text[HQ_HASH_TEXT];
    message_put_text(message, "good", "0123456789abcdef0123456789abcdef");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(key, sizeof key, "%zu", i);
        message_put_text(message, key, wrong[i]);
        assert_false(message_get_hash(message, key, &hash));
    }
    assert_true(message_get_hash(message, "good", &hash));
    hash_to_text(&hash, text);
    assert_string_equal(text, "0123456789abcdef0123456789abcdef");
    message_free(&message);
}

/* A reason may be cut within a character, and a file's name need not be UTF-8: the message must not be refused for it.
 */
static void a_text_that_is_put_arrives_whatever_its_bytes_2(void **state)
{
    pair *p = *state;
    hq_message *message = message_new(HQ_FAILED);
    message_put_text(message, "cut", "caf\xc3");
    message_put_text(message, "latin", "caf\xe9 noir");
    message_put_text(message, "good", "caf\xc3\xa9");
    talk_send(p->dealer, message);
    message = talk_expect(p->router, HQ_FAILED);
    assert_string_equal(talk_text(message, "cut"), "caf?");
    assert_string_equal(talk_text(message, "latin"), "caf? noir");
    assert_string_equal(talk_text(message, "good"), "caf\xc3\xa9");
    message_free(&message);
}

/* ---- payloads that are lent ---- */

static atomic_int released;

static void note_release(void *hint)
{
    atomic_fetch_add(&released, *(const int *)hint);
}

static void a_payload_that_is_lent_is_released_when_it_is_sent(void **state)
{
    pair *p = *state;
    static char bytes[1 << 20] = "lent";
    static int hint = 5;
    atomic_store(&released, 0);
    hq_message *message = message_new(HQ_DONE);
    message_lend_payload(message, bytes, sizeof bytes, note_release, &hint);
    talk_send(p->dealer, message);
    message = talk_expect(p->router, HQ_DONE);
    size_t size;
    const char *got = message_payload(message, 0, &size);
    assert_int_equal(size, sizeof bytes);
    assert_string_equal(got, "lent");
    assert_int_equal(atomic_load(&released), 0); /* in one process the receiver reads the lender's bytes */
    message_free(&message);
    assert_int_equal(atomic_load(&released), 5);
}

static void a_payload_that_is_lent_is_released_when_it_is_not_sent(void **state)
{
    pair *p = *state;
    static const char bytes[1000];
    static int hint = 7;
    atomic_store(&released, 0);
    hq_message *message = message_new(HQ_DONE);
    message_lend_payload(message, bytes, sizeof bytes, note_release, &hint);
    message_free(&message);
    assert_int_equal(atomic_load(&released), 7);
    message = message_new(HQ_DONE);
    message_set_peer(message, &(hq_peer){4, "gone"});
    message_lend_payload(message, bytes, sizeof bytes, note_release, &hint);
    assert_int_equal(message_send(p->router, &message, NULL), HQ_ENOTFOUND);
    assert_int_equal(atomic_load(&released), 14);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(a_message_goes_and_its_answer_comes_back_1),
        WITH_PAIR(a_peer_that_is_not_there_is_not_found_1),
        WITH_PAIR(a_routing_id_of_more_than_64_bytes_is_malformed_1),
        WITH_PAIR(a_routing_id_alone_is_malformed_1),
        cmocka_unit_test(peers_are_equal_byte_by_byte_1),
        WITH_PAIR(endpoints_that_cannot_be_used_are_refused_1),
        WITH_PAIR(frame_0_that_is_no_head_is_malformed_2),
        WITH_PAIR(another_version_is_a_mismatch_and_nothing_else_is_looked_at_2),
        WITH_PAIR(a_number_that_is_no_command_is_malformed_2),
        WITH_PAIR(a_missing_document_is_malformed_2),
        WITH_PAIR(a_document_that_is_no_bson_is_malformed_2),
        WITH_PAIR(a_text_that_is_no_utf8_or_holds_a_zero_is_malformed_2),
        WITH_PAIR(a_document_of_the_greatest_depth_ends_nobody_2),
        WITH_PAIR(a_document_of_more_than_16_mib_is_malformed_2),
        WITH_PAIR(more_than_8_payload_frames_are_malformed_2),
        cmocka_unit_test(what_decode_says_is_what_receive_says_2),
        WITH_PAIR(fields_and_frames_that_are_not_listed_are_ignored_2),
        cmocka_unit_test(a_field_that_is_missing_or_of_another_type_is_not_given_2),
        cmocka_unit_test(a_number_out_of_range_is_not_given_2),
        cmocka_unit_test(an_id_is_32_hexadecimal_digits_2_3),
        WITH_PAIR(a_text_that_is_put_arrives_whatever_its_bytes_2),
        WITH_PAIR(a_payload_that_is_lent_is_released_when_it_is_sent),
        WITH_PAIR(a_payload_that_is_lent_is_released_when_it_is_not_sent),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
