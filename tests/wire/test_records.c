/* The packed payloads of docs/protocol.md, sections 5 and 6: what is encoded comes back, and what is cut short, too
 * long or lying is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/records.h"

/* A copy of exactly that size, so that a sanitizer sees a byte read past its end. */
static uint8_t *exactly(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

/* ---- 6.2 orders ---- */

static const hq_order some_orders[] = {
    {.handle = 1, .index = 2, .file = 3, .first = 4, .last = 5},
    {.handle = UINT32_MAX, .index = UINT32_MAX, .file = UINT32_MAX, .first = UINT64_MAX - 1, .last = UINT64_MAX},
    {.handle = 0, .index = 0, .file = 0, .first = 7, .last = 7},
};

static void assert_orders_equal(const hq_order *one, const hq_order *other)
{
    assert_int_equal(one->handle, other->handle);
    assert_int_equal(one->index, other->index);
    assert_int_equal(one->file, other->file);
    assert_true(one->first == other->first && one->last == other->last);
}

static void order_is_28_bytes_little_endian_6_2(void **state)
{
    (void)state;
    static const uint8_t expected[HQ_ORDER_BYTES] = {4, 3, 2, 1, 8, 7, 6, 5,  12, 11, 10, 9, 1, 0,
                                                     0, 0, 0, 0, 0, 0, 2, 16, 0,  0,  0,  0, 0, 0};
    hq_buffer bytes = {0};
    order_encode(&(hq_order){.handle = 0x01020304, .index = 0x05060708, .file = 0x090a0b0c, .first = 1, .last = 0x1002},
                 &bytes);
    assert_int_equal(bytes.size, HQ_ORDER_BYTES);
    assert_memory_equal(bytes.bytes, expected, HQ_ORDER_BYTES);
    buffer_clear(&bytes);
}

static void orders_come_back_and_every_truncation_is_seen_6_2(void **state)
{
    (void)state;
    hq_buffer bytes = {0};
    for (size_t i = 0; i < 3; i++)
        order_encode(&some_orders[i], &bytes);
    for (size_t size = 0; size <= bytes.size; size++) {
        uint8_t *cut = exactly(bytes.bytes, size);
        hq_cursor cursor = cursor_over(cut, size);
        hq_order order;
        size_t count = 0;
        while (order_next(&cursor, &order))
            assert_orders_equal(&order, &some_orders[count++]);
        assert_int_equal(count, size / HQ_ORDER_BYTES);
        assert_int_equal(cursor_is_complete(&cursor), size % HQ_ORDER_BYTES == 0);
        assert_false(order_next(&cursor, &order));
        free(cut);
    }
    buffer_clear(&bytes);
}

static void order_that_ends_before_it_begins_is_refused_6_2(void **state)
{
    (void)state;
    hq_buffer bytes = {0};
    order_encode(&(hq_order){.first = 5, .last = 4}, &bytes);
    hq_cursor cursor = cursor_over(bytes.bytes, bytes.size);
    hq_order order;
    assert_false(order_next(&cursor, &order));
    assert_true(cursor.bad);
    buffer_clear(&bytes);
}

/* ---- 5 answers ---- */

static const hq_answer some_answers[] = {
    {.handle = 1,
     .index = 2,
     .entries = 3,
     .read_bytes = 4,
     .cached_bytes = 5,
     .load_us = 6,
     .run_us = 7,
     .contents = "contents",
     .size = 8},
    {.handle = 1, .index = 3, .entries = 0, .contents = "", .size = 0},
    {.handle = 9, .index = UINT32_MAX, .is_failed = true, .entries = UINT64_MAX, .contents = "why", .size = 3},
};

static void encode_answers(hq_buffer *answers, hq_buffer *contents)
{
    for (size_t i = 0; i < 3; i++)
        answer_encode(&some_answers[i], answers, contents);
    assert_int_equal(answers->size, 3 * HQ_ANSWER_BYTES);
    assert_int_equal(contents->size, 11);
}

static size_t count_answers(const uint8_t *answer_bytes, size_t answers_size, const uint8_t *content_bytes,
                            size_t contents_size, bool *is_whole_r)
{
    hq_cursor answers = cursor_over(answer_bytes, answers_size), contents = cursor_over(content_bytes, contents_size);
    hq_answer answer;
    size_t count = 0;
    while (answer_next(&answers, &contents, &answer)) {
        const hq_answer *expected = &some_answers[count++];
        assert_int_equal(answer.handle, expected->handle);
        assert_int_equal(answer.index, expected->index);
        assert_int_equal(answer.is_failed, expected->is_failed);
        assert_true(answer.entries == expected->entries);
        assert_true(answer.read_bytes == expected->read_bytes && answer.cached_bytes == expected->cached_bytes);
        assert_true(answer.load_us == expected->load_us && answer.run_us == expected->run_us);
        assert_int_equal(answer.size, expected->size);
        if (answer.size)
            assert_memory_equal(answer.contents, expected->contents, answer.size);
    }
    *is_whole_r = cursor_is_complete(&answers) && cursor_is_complete(&contents);
    return count;
}

static void answers_come_back_and_every_truncation_is_seen_5(void **state)
{
    (void)state;
    hq_buffer answers = {0}, contents = {0};
    encode_answers(&answers, &contents);
    for (size_t i = 0; i <= answers.size; i++)
        for (size_t k = 0; k <= contents.size; k++) {
            uint8_t *cut = exactly(answers.bytes, i), *cut_contents = exactly(contents.bytes, k);
            bool is_whole;
            size_t count = count_answers(cut, i, cut_contents, k, &is_whole);
            size_t fitting = k < 8 ? 0 : k < 11 ? 2 : 3; /* whose contents are there */
            size_t whole = i / HQ_ANSWER_BYTES;
            assert_int_equal(count, whole < fitting ? whole : fitting);
            /* What is left over in either is wrong as well as what is missing. */
            bool is_exact = i % HQ_ANSWER_BYTES == 0 && (whole == 0 ? k == 0 : whole == 3 ? k == 11 : k == 8);
            assert_int_equal(is_whole, is_exact);
            free(cut);
            free(cut_contents);
        }
    buffer_clear(&answers);
    buffer_clear(&contents);
}

static void answer_of_an_unknown_status_is_refused_5(void **state)
{
    (void)state;
    hq_buffer answers = {0}, contents = {0};
    encode_answers(&answers, &contents);
    answers.bytes[8] = 2;
    bool is_whole;
    assert_int_equal(count_answers(answers.bytes, answers.size, contents.bytes, contents.size, &is_whole), 0);
    assert_false(is_whole);
    buffer_clear(&answers);
    buffer_clear(&contents);
}

static void answer_that_lies_about_its_size_is_refused_5(void **state)
{
    (void)state;
    hq_buffer answers = {0}, contents = {0};
    encode_answers(&answers, &contents);
    memset(answers.bytes + HQ_ANSWER_BYTES - 4, 0xff, 4); /* the first one's size: 4 GiB */
    bool is_whole;
    assert_int_equal(count_answers(answers.bytes, answers.size, contents.bytes, contents.size, &is_whole), 0);
    assert_false(is_whole);
    buffer_clear(&answers);
    buffer_clear(&contents);
}

/* ---- 5 failures ---- */

static void failure_comes_back_and_every_truncation_is_refused_5(void **state)
{
    (void)state;
    hq_failure failure = {.error = HQ_EQUERY, .entry = 123456789012, .line = 7, .is_of_file = true}, back;
    hq_fail(&failure.reason, HQ_EQUERY, "q.py:7: index 3 of 2 Muon");
    hq_buffer bytes = {0};
    failure_encode(&failure, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *cut = exactly(bytes.bytes, size);
        assert_int_equal(failure_decode(cut, size, &back), HQ_EPROTOCOL);
        free(cut);
    }
    assert_int_equal(failure_decode(bytes.bytes, bytes.size, &back), HQ_OK);
    assert_int_equal(back.error, HQ_EQUERY);
    assert_string_equal(back.reason.text, failure.reason.text);
    assert_true(back.entry == failure.entry);
    assert_true(back.is_of_file);
    assert_int_equal(back.line, 7);
    buffer_u8(&bytes, 0); /* one byte too many */
    assert_int_equal(failure_decode(bytes.bytes, bytes.size, &back), HQ_EPROTOCOL);
    buffer_clear(&bytes);
}

static hq_error decode_failure(const char *code, const char *text, hq_failure *failure_r)
{
    hq_buffer bytes = {0};
    buffer_text(&bytes, code);
    buffer_text(&bytes, text);
    buffer_u64(&bytes, 0);
    buffer_u32(&bytes, 0);
    buffer_u8(&bytes, 0);
    hq_error error = failure_decode(bytes.bytes, bytes.size, failure_r);
    buffer_clear(&bytes);
    return error;
}

static void failure_of_another_hq_is_understood_as_well_as_can_be_5(void **state)
{
    (void)state;
    hq_failure failure;
    assert_int_equal(decode_failure("nosuchcode", "why", &failure), HQ_OK);
    assert_int_equal(failure.error, HQ_EINTERNAL);
    assert_string_equal(failure.reason.text, "why");
    assert_int_equal(decode_failure(hq_error_name(HQ_OK), "why", &failure), HQ_OK);
    assert_int_equal(failure.error, HQ_EINTERNAL); /* a failure is never "ok" */
    for (int error = 1; error < HQ_ERROR_COUNT; error++) {
        assert_int_equal(decode_failure(hq_error_name((hq_error)error), "", &failure), HQ_OK);
        assert_int_equal(failure.error, error);
    }
}

static void failure_with_the_longest_text_comes_back_5(void **state)
{
    (void)state;
    hq_failure failure;
    char text[sizeof failure.reason.text + 1];
    memset(text, 'x', sizeof text);
    text[sizeof failure.reason.text - 1] = 0;
    assert_int_equal(decode_failure("io", text, &failure), HQ_OK);
    assert_string_equal(failure.reason.text, text);
    text[sizeof failure.reason.text - 1] = 'x';
    text[sizeof failure.reason.text] = 0;
    assert_int_equal(decode_failure("io", text, &failure), HQ_EPROTOCOL);
}

/* ---- 6.3 the file table ---- */

static void file_table_comes_back_and_every_truncation_is_refused_6_3(void **state)
{
    (void)state;
    hq_file_entry files[] = {
        {(char *)"/data/a:b.root", (char *)"events", hash_of("a", 1)},
        {(char *)"/data/µ.root", (char *)"", hash_of("b", 1)},
    };
    hq_buffer bytes = {0};
    file_table_encode(files, 2, &bytes);
    hq_file_entry *back = NULL;
    size_t count = 0;
    hq_reason reason = {{0}};
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *cut = exactly(bytes.bytes, size);
        assert_int_equal(file_table_decode(cut, size, &back, &count, &reason), HQ_EPROTOCOL);
        assert_null(back);
        free(cut);
    }
    assert_true(reason.text[0] != 0);
    assert_int_equal(file_table_decode(bytes.bytes, bytes.size, &back, &count, &reason), HQ_OK);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(back[i].path, files[i].path);
        assert_string_equal(back[i].tree, files[i].tree);
        assert_memory_equal(&back[i].identity, &files[i].identity, sizeof(hq_hash));
    }
    file_table_free(&back, count);
    assert_null(back);
    file_table_free(&back, 0);
    buffer_u8(&bytes, 0);
    assert_int_equal(file_table_decode(bytes.bytes, bytes.size, &back, &count, &reason), HQ_EPROTOCOL);
    buffer_clear(&bytes);
}

static void file_table_that_lies_about_its_count_is_refused_6_3(void **state)
{
    (void)state;
    hq_file_entry file = {(char *)"/data/a.root", (char *)"events", hash_of("a", 1)}, *back = NULL;
    hq_buffer bytes = {0};
    file_table_encode(&file, 1, &bytes);
    static const uint32_t lies[] = {0, 2, 3, 1 << 20, UINT32_MAX};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        for (int k = 0; k < 4; k++)
            bytes.bytes[k] = (uint8_t)(lies[i] >> (8 * k));
        size_t count;
        assert_int_equal(file_table_decode(bytes.bytes, bytes.size, &back, &count, NULL), HQ_EPROTOCOL);
        assert_null(back);
    }
    buffer_clear(&bytes);
}

static void file_table_with_a_zero_within_a_path_is_refused_6_3(void **state)
{
    (void)state;
    hq_file_entry file = {(char *)"/data/a.root", (char *)"events", hash_of("a", 1)}, *back = NULL;
    hq_buffer bytes = {0};
    size_t count;
    file_table_encode(&file, 1, &bytes);
    bytes.bytes[9] = 0; /* "/" of "/data" is byte 8 */
    assert_int_equal(file_table_decode(bytes.bytes, bytes.size, &back, &count, NULL), HQ_EPROTOCOL);
    buffer_clear(&bytes);
}

static void file_table_of_no_files_is_one_6_3(void **state)
{
    (void)state;
    hq_buffer bytes = {0};
    file_table_encode(NULL, 0, &bytes);
    hq_file_entry *back = NULL;
    size_t count = 1;
    assert_int_equal(file_table_decode(bytes.bytes, bytes.size, &back, &count, NULL), HQ_OK);
    assert_int_equal(count, 0);
    file_table_free(&back, count);
    buffer_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_28_bytes_little_endian_6_2),
        cmocka_unit_test(orders_come_back_and_every_truncation_is_seen_6_2),
        cmocka_unit_test(order_that_ends_before_it_begins_is_refused_6_2),
        cmocka_unit_test(answers_come_back_and_every_truncation_is_seen_5),
        cmocka_unit_test(answer_of_an_unknown_status_is_refused_5),
        cmocka_unit_test(answer_that_lies_about_its_size_is_refused_5),
        cmocka_unit_test(failure_comes_back_and_every_truncation_is_refused_5),
        cmocka_unit_test(failure_of_another_hq_is_understood_as_well_as_can_be_5),
        cmocka_unit_test(failure_with_the_longest_text_comes_back_5),
        cmocka_unit_test(file_table_comes_back_and_every_truncation_is_refused_6_3),
        cmocka_unit_test(file_table_that_lies_about_its_count_is_refused_6_3),
        cmocka_unit_test(file_table_with_a_zero_within_a_path_is_refused_6_3),
        cmocka_unit_test(file_table_of_no_files_is_one_6_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
