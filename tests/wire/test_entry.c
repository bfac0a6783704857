/* Entries of queries in the coordinator, docs/protocol.md, section 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/memory.h"
#include "wire/entry.h"
#include "wire/message.h"

enum { NODE = 1000000 };

/* Names of that many bytes, of which digits random ones each that no packing gets rid of. */
static bson_t *request_of(int specs, int digits, int bytes)
{
    bson_t *request = BCON_NEW("name", BCON_UTF8("q.py"), "text", BCON_UTF8("the query"), "user", BCON_UTF8("somebody"),
                               "priority", BCON_INT32(7), "fresh", BCON_BOOL(true));
    bson_t list;
    uint64_t state = 1;
    char *spec = hq_alloc((size_t)bytes + 1);
    BSON_APPEND_ARRAY_BEGIN(request, "dataset", &list);
    for (int i = 0; i < specs; i++) {
        char buffer[16];
        const char *key;
        memset(spec, 'n', (size_t)bytes);
        spec[bytes] = 0;
        for (int k = 0; k < digits; k++) {
            state = hash_mix(state);
            spec[k] = "0123456789abcdef"[state & 15];
        }
        spec[0] = '/';
        bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        bson_append_utf8(&list, key, -1, spec, -1);
    }
    bson_append_array_end(request, &list);
    free(spec);
    return request;
}

/* What else a client has written is no part of it, not even what looks like an entry's own. */
static void a_request_has_the_fields_of_a_submit_and_no_others_7(void **state)
{
    (void)state;
    bson_t *submit = BCON_NEW("request", BCON_INT32(3), "body", BCON_UTF8("0123456789abcdef0123456789abcdef"), "name",
                              BCON_UTF8("q.py"), "text", BCON_UTF8("the query"), "dataset", "[", BCON_UTF8("/a"), "]",
                              "user", BCON_UTF8("somebody"), "state", BCON_UTF8("SUCCESSFUL"), "priority",
                              BCON_INT32(7), "fresh", BCON_BOOL(true), "progress", BCON_BOOL(true), "fingerprint",
                              BCON_INT32(1), "partition_entries", BCON_INT64(9), "skip_bad_files", BCON_BOOL(true));
    bson_t *wanted = BCON_NEW("name", BCON_UTF8("q.py"), "text", BCON_UTF8("the query"), "dataset", "[",
                              BCON_UTF8("/a"), "]", "user", BCON_UTF8("somebody"), "priority", BCON_INT32(7), "fresh",
                              BCON_BOOL(true), "partition_entries", BCON_INT64(9), "skip_bad_files", BCON_BOOL(true));
    bson_t *request = request_new(submit), *older = bson_new();
    bson_copy_to_excluding_noinit(submit, older, "skip_bad_files", NULL);
    assert_true(bson_equal(request, wanted));
    bson_destroy(request);
    request = request_new(older);
    assert_false(bson_has_field(request, "skip_bad_files"));
    bson_destroy(request);
    bson_destroy(older);
    bson_destroy(wanted);
    bson_destroy(submit);
}

static hq_error decode(const bson_t *entry, bson_t **request_r, hq_hash *digest_r)
{
    hq_reason reason = {{0}};
    return entry_decode(bson_get_data(entry), entry->len, request_r, digest_r, &reason);
}

/* What brokers wrote before there were bodies is such an entry. */
static void a_short_request_stands_as_it_is_7(void **state)
{
    (void)state;
    bson_t *request = request_of(3, 8, 40), *got = NULL;
    hq_buffer body;
    hq_hash digest;
    bson_t *entry = entry_encode(request, NODE, &body, &digest);
    assert_true(bson_equal(entry, request));
    assert_null(body.bytes);
    BSON_APPEND_UTF8(entry, "state", "RUNNING");
    assert_int_equal(decode(entry, &got, &digest), HQ_OK);
    assert_true(bson_equal(entry, got));
    bson_destroy(got);
    bson_destroy(entry);
    bson_destroy(request);
}

static void a_long_request_is_packed_with_its_summary_beside_it_7(void **state)
{
    (void)state;
    bson_t *request = request_of(20000, 32, 120), *got = NULL;
    hq_buffer body;
    hq_hash digest;
    bson_iter_t iter;
    assert_true(request->len > 2 * NODE);
    bson_t *entry = entry_encode(request, NODE, &body, &digest);
    assert_null(body.bytes);
    assert_true(entry->len < NODE);
    assert_true(bson_iter_init_find(&iter, entry, "user"));
    assert_string_equal(bson_iter_utf8(&iter, NULL), "somebody");
    assert_true(bson_iter_init_find(&iter, entry, "priority"));
    assert_int_equal(bson_iter_as_int64(&iter), 7);
    assert_false(bson_has_field(entry, "dataset"));
    BSON_APPEND_UTF8(entry, "state", "RUNNING"); /* as its broker does */
    assert_int_equal(decode(entry, &got, &digest), HQ_OK);
    assert_true(bson_equal(request, got));
    bson_destroy(got);
    bson_destroy(entry);
    bson_destroy(request);
}

static void a_body_that_no_node_holds_is_named_by_its_digest_7(void **state)
{
    (void)state;
    bson_t *request = request_of(60000, 60, 80), *got = NULL;
    hq_buffer body;
    hq_hash digest, named, of_body;
    hq_reason reason = {{0}};
    bson_t *entry = entry_encode(request, NODE, &body, &digest);
    assert_true(body.size > NODE && entry->len < 1000);
    assert_int_equal(decode(entry, &got, &named), HQ_ENOTFOUND);
    of_body = hash_of(body.bytes, body.size);
    assert_memory_equal(&named, &digest, sizeof digest);
    assert_memory_equal(&named, &of_body, sizeof digest);
    assert_int_equal(body_decode(body.bytes, body.size, &got, &reason), HQ_OK);
    assert_true(bson_equal(request, got));
    bson_destroy(got);
    buffer_clear(&body);
    bson_destroy(entry);
    bson_destroy(request);
}

/* As long as it may be and not a byte longer: what has room for the body has it. */
static void an_entry_is_no_longer_than_it_may_be_7(void **state)
{
    (void)state;
    bson_t *request = request_of(2000, 60, 80);
    hq_buffer body;
    hq_hash digest;
    bson_t *entry = entry_encode(request, NODE, &body, &digest);
    size_t size = entry->len;
    bson_destroy(entry);
    entry = entry_encode(request, size, &body, &digest);
    assert_int_equal(entry->len, size);
    assert_null(body.bytes);
    bson_destroy(entry);
    entry = entry_encode(request, size - 1, &body, &digest);
    assert_true(entry->len < size);
    assert_non_null(body.bytes);
    buffer_clear(&body);
    bson_destroy(entry);
    bson_destroy(request);
}

static hq_error decode_body(const void *bytes, size_t size)
{
    bson_t *got = NULL;
    hq_reason reason = {{0}};
    hq_error error = body_decode(bytes, size, &got, &reason);
    assert_true(!error == (got != NULL));
    if (got)
        bson_destroy(got);
    return error;
}

static void a_damaged_body_is_refused_7(void **state)
{
    (void)state;
    bson_t *request = request_of(3000, 20, 80);
    hq_buffer body;
    hq_hash digest;
    bson_t *entry = entry_encode(request, 300, &body, &digest);
    assert_int_equal(decode_body(body.bytes, body.size), HQ_OK);
    for (size_t size = 0; size < body.size; size += 1 + body.size / 50)
        assert_int_equal(decode_body(body.bytes, size), HQ_EFORMAT);
    buffer_u8(&body, 0);
    assert_int_equal(decode_body(body.bytes, body.size), HQ_EFORMAT);
    buffer_clear(&body);
    bson_destroy(entry);
    bson_destroy(request);
}

static hq_error decode_packed(const void *bytes, size_t size)
{
    size_t room = ZSTD_compressBound(size);
    uint8_t *packed = hq_alloc(room);
    size_t packed_size = ZSTD_compress(packed, room, bytes, size, 1);
    hq_error error = decode_body(packed, packed_size);
    free(packed);
    return error;
}

/* A few bytes that say they become very many: a frame's head is believed only within bounds. */
static void what_would_become_more_than_a_message_is_refused_7(void **state)
{
    (void)state;
    size_t size = (size_t)HQ_MAX_DOCUMENT + 1;
    uint8_t *zeros = hq_calloc(size, 1);
    assert_int_equal(decode_packed(zeros, size), HQ_EFORMAT);
    free(zeros);
    /* Magic, a frame with a content size of 8 bytes, 2^62 of them, and nothing in it. */
    static const uint8_t bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0};
    assert_int_equal(decode_body(bomb, sizeof bomb), HQ_EFORMAT);
}

static void what_is_no_request_is_refused_7(void **state)
{
    (void)state;
    bson_t *wrong[] = {
        BCON_NEW("name", BCON_UTF8("q.py")),
        BCON_NEW("text", BCON_UTF8("q"), "dataset", "[", "]"),
        BCON_NEW("text", BCON_UTF8("q"), "dataset", "[", BCON_INT32(1), "]"),
        BCON_NEW("text", BCON_INT32(1), "dataset", "[", BCON_UTF8("a"), "]"),
        BCON_NEW("text", BCON_UTF8("\xff"), "dataset", "[", BCON_UTF8("a"), "]"),
        BCON_NEW("body", BCON_UTF8("no digest")),
        BCON_NEW("body", BCON_INT32(1)),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bson_t *got = NULL;
        hq_hash digest;
        assert_int_equal(decode(wrong[i], &got, &digest), HQ_EFORMAT);
        assert_null(got);
        assert_int_equal(decode_packed(bson_get_data(wrong[i]), wrong[i]->len), HQ_EFORMAT);
        bson_destroy(wrong[i]);
    }
    assert_int_equal(decode_packed("no BSON", 7), HQ_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_the_fields_of_a_submit_and_no_others_7),
        cmocka_unit_test(a_short_request_stands_as_it_is_7),
        cmocka_unit_test(a_long_request_is_packed_with_its_summary_beside_it_7),
        cmocka_unit_test(a_body_that_no_node_holds_is_named_by_its_digest_7),
        cmocka_unit_test(an_entry_is_no_longer_than_it_may_be_7),
        cmocka_unit_test(a_damaged_body_is_refused_7),
        cmocka_unit_test(what_would_become_more_than_a_message_is_refused_7),
        cmocka_unit_test(what_is_no_request_is_refused_7),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
