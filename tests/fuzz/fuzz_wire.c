/* Everything that a peer's bytes go through: messages, the packed records, schemas. Any bytes give an error, or what
 * can be read to its end and encoded again.
 *
 * The first byte chooses the decoder. For a message and for answers the second byte says after how many bytes each of
 * the following frames ends. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/schema.h"
#include "wire/entry.h"
#include "wire/message.h"
#include "wire/records.h"
#include "wire/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int is_true)
{
    if (!is_true)
        __builtin_trap();
}

static volatile size_t touched;

/* Reads it all, so that a sanitizer sees what lies outside. */
static void touch(const void *bytes, size_t size)
{
    size_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
    touched += sum;
}

static void read_fields(hq_message *message)
{
    static const char *const keys[] = {"request", "text", "query", "fresh", "credit", "worker", "detail"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text;
        int64_t number;
        bool truth;
        hq_hash hash;
        if (message_get_text(message, keys[i], &text)) {
            touch(text, strlen(text));
            require(bson_utf8_validate(text, strlen(text), false));
        }
        if (message_get_int(message, keys[i], -5, 1000, &number))
            require(number >= -5 && number <= 1000);
        message_get_bool(message, keys[i], &truth);
        message_get_hash(message, keys[i], &hash);
    }
    bson_iter_t iter, item;
    if (bson_iter_init_find(&iter, message_body(message), "dataset") && BSON_ITER_HOLDS_ARRAY(&iter) &&
        bson_iter_recurse(&iter, &item))
        while (bson_iter_next(&item))
            if (BSON_ITER_HOLDS_UTF8(&item)) {
                const char *text = bson_iter_utf8(&item, NULL);
                touch(text, strlen(text));
            }
    for (size_t i = 0; i <= message_payload_count(message); i++) {
        size_t size;
        const void *payload = message_payload(message, i, &size);
        touch(payload, size);
    }
}

static void touch_text(const char *text)
{
    touch(text, strlen(text));
}

/* Whatever is decoded can be encoded, and is then decoded to the same counts. */
static void check_status(hq_message *message)
{
    hq_broker_status status, back;
    if (status_decode(message, &status, NULL) != HQ_OK)
        return;
    for (size_t i = 0; i < status.worker_count; i++)
        touch_text(status.worker_list[i].host);
    for (size_t i = 0; i < status.query_count; i++)
        touch_text(status.query_list[i].dataset);
    hq_message *again = status_encode(&status);
    require(status_decode(again, &back, NULL) == HQ_OK);
    require(back.worker_count == status.worker_count && back.query_count == status.query_count &&
            back.counter_count == status.counter_count && back.has_detail == status.has_detail);
    status_clear(&back);
    status_clear(&status);
    message_free(&again);
}

static void check_message(const uint8_t *bytes, size_t size)
{
    static const uint8_t head[] = {'h', 'q', HQ_WIRE_VERSION, HQ_SUBMIT};
    const void *frames[16] = {head};
    size_t sizes[16] = {sizeof head}, count = 1;
    uint8_t own_head = bytes[0] & 1;
    size_t step = (size_t)(bytes[0] >> 1) + 1;
    bytes++, size--;
    count -= own_head;
    while (count < 16 && (size > 0 || count < 2)) {
        size_t taken = count < 14 && step < size ? step : size;
        if (count == 0)
            taken = size < 4 ? size : 4;
        frames[count] = bytes;
        sizes[count++] = taken;
        bytes += taken;
        size -= taken;
    }
    hq_message *message = NULL;
    hq_error error = message_decode(frames, sizes, count, &message, NULL);
    require(error == HQ_OK || error == HQ_EPROTOCOL || error == HQ_EMISMATCH);
    if (error)
        return;
    require(message_payload_count(message) == count - 2);
    read_fields(message);
    check_status(message);
    message_free(&message);
}

/* A document of any size, which check_message cuts into short frames. */
static void check_state(const uint8_t *bytes, size_t size)
{
    static const uint8_t head[] = {'h', 'q', HQ_WIRE_VERSION, HQ_STATE};
    const void *frames[] = {head, bytes};
    const size_t sizes[] = {sizeof head, size};
    hq_message *message = NULL;
    if (message_decode(frames, sizes, 2, &message, NULL) == HQ_OK)
        check_status(message);
    message_free(&message);
}

static void check_orders(const uint8_t *bytes, size_t size)
{
    hq_cursor cursor = cursor_over(bytes, size);
    hq_order order;
    hq_buffer again = {0};
    while (order_next(&cursor, &order))
        order_encode(&order, &again);
    require(again.size <= size && (again.size == 0 || memcmp(again.bytes, bytes, again.size) == 0));
    require(!cursor_is_complete(&cursor) || again.size == size);
    buffer_clear(&again);
}

static void check_answers(const uint8_t *bytes, size_t size)
{
    size_t split = (size_t)bytes[0] * 4;
    bytes++, size--;
    split = split < size ? split : size;
    hq_cursor answers = cursor_over(bytes, split), contents = cursor_over(bytes + split, size - split);
    hq_answer answer;
    hq_buffer again = {0}, contents_again = {0};
    while (answer_next(&answers, &contents, &answer)) {
        touch(answer.contents, answer.size);
        answer_encode(&answer, &again, &contents_again);
    }
    require(again.size <= split && contents_again.size <= size - split);
    buffer_clear(&again);
    buffer_clear(&contents_again);
}

static void check_failure(const uint8_t *bytes, size_t size)
{
    hq_failure failure, back;
    if (failure_decode(bytes, size, &failure) != HQ_OK)
        return;
    require(failure.error != HQ_OK && strlen(failure.reason.text) < sizeof failure.reason.text);
    hq_buffer again = {0};
    failure_encode(&failure, &again);
    require(failure_decode(again.bytes, again.size, &back) == HQ_OK && back.error == failure.error &&
            strcmp(back.reason.text, failure.reason.text) == 0);
    buffer_clear(&again);
}

static void check_file_table(const uint8_t *bytes, size_t size)
{
    hq_file_entry *files = NULL;
    size_t count;
    if (file_table_decode(bytes, size, &files, &count, NULL) != HQ_OK)
        return;
    hq_buffer again = {0};
    file_table_encode(files, count, &again);
    require(again.size == size && memcmp(again.bytes, bytes, size) == 0);
    buffer_clear(&again);
    file_table_free(&files, count);
}

static void check_schema(const uint8_t *bytes, size_t size)
{
    hq_schema *schema = NULL;
    if (schema_decode(bytes, size, &schema, NULL) != HQ_OK)
        return;
    hq_buffer again = {0};
    schema_encode(schema, &again);
    require(again.size == size && memcmp(again.bytes, bytes, size) == 0);
    buffer_clear(&again);
    schema_free(&schema);
}

/* An entry, or the body of one. */
static void check_entry(const uint8_t *bytes, size_t size)
{
    bson_t *request = NULL;
    hq_hash digest;
    bool is_body = bytes[0] & 1;
    bytes++, size--;
    hq_error error = is_body ? body_decode(bytes, size, &request, NULL)
                             : entry_decode(bytes, size, &request, &digest, NULL);
    require(!error == (request != NULL));
    if (error)
        return;
    require(request_has_specs(request) && request->len <= HQ_MAX_DOCUMENT);
    bson_destroy(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const checks[])(const uint8_t *bytes, size_t size) = {check_message, check_orders,     check_answers,
                                                                        check_failure, check_file_table, check_schema,
                                                                        check_state,   check_entry};
    if (size < 2)
        return 0;
    checks[bytes[0] % (sizeof checks / sizeof *checks)](bytes + 1, size - 1);
    return 0;
}
