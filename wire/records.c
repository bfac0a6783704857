#include "wire/records.h"

#include <string.h>

enum { MAX_PATH_TEXT = 64 << 10 };

void order_encode(const hq_order *order, hq_buffer *buffer)
{
    buffer_u32(buffer, order->handle);
    buffer_u32(buffer, order->index);
    buffer_u32(buffer, order->file);
    buffer_u64(buffer, order->first);
    buffer_u64(buffer, order->last);
}

bool order_next(hq_cursor *cursor, hq_order *order_r)
{
    if (cursor->bad || cursor->left == 0)
        return false;
    order_r->handle = cursor_u32(cursor);
    order_r->index = cursor_u32(cursor);
    order_r->file = cursor_u32(cursor);
    order_r->first = cursor_u64(cursor);
    order_r->last = cursor_u64(cursor);
    if (order_r->last < order_r->first)
        cursor->bad = true;
    return !cursor->bad;
}

void answer_encode(const hq_answer *answer, hq_buffer *answers, hq_buffer *contents)
{
    buffer_u32(answers, answer->handle);
    buffer_u32(answers, answer->index);
    buffer_u8(answers, answer->is_failed);
    buffer_u8(answers, 0);
    buffer_u64(answers, answer->entries);
    buffer_u64(answers, answer->read_bytes);
    buffer_u64(answers, answer->cached_bytes);
    buffer_u32(answers, answer->load_us);
    buffer_u32(answers, answer->run_us);
    buffer_u32(answers, answer->size);
    buffer_append(contents, answer->contents, answer->size);
}

bool answer_next(hq_cursor *answers, hq_cursor *contents, hq_answer *answer_r)
{
    if (answers->bad || contents->bad || answers->left == 0)
        return false;
    answer_r->handle = cursor_u32(answers);
    answer_r->index = cursor_u32(answers);
    uint8_t status = cursor_u8(answers);
    cursor_u8(answers);
    answer_r->is_failed = status == 1;
    answer_r->entries = cursor_u64(answers);
    answer_r->read_bytes = cursor_u64(answers);
    answer_r->cached_bytes = cursor_u64(answers);
    answer_r->load_us = cursor_u32(answers);
    answer_r->run_us = cursor_u32(answers);
    answer_r->size = cursor_u32(answers);
    answer_r->contents = cursor_take(contents, answer_r->size);
    if (status > 1)
        answers->bad = true;
    return !answers->bad && !contents->bad;
}

void failure_encode(const hq_failure *failure, hq_buffer *buffer)
{
    buffer_text(buffer, hq_error_name(failure->error));
    buffer_text(buffer, failure->reason.text);
    buffer_u64(buffer, failure->entry);
    buffer_u32(buffer, failure->line);
    buffer_u8(buffer, failure->is_of_file);
}

hq_error failure_decode(const void *bytes, size_t size, hq_failure *failure_r)
{
    hq_cursor cursor = cursor_over(bytes, size);
    char *code = cursor_text(&cursor, 64);
    char *text = cursor_text(&cursor, sizeof failure_r->reason.text - 1);
    *failure_r = (hq_failure){.entry = cursor_u64(&cursor), .line = cursor_u32(&cursor)};
    failure_r->is_of_file = cursor_u8(&cursor) != 0;
    hq_error error = cursor_is_complete(&cursor) ? HQ_OK : HQ_EPROTOCOL;
    if (!error) {
        failure_r->error = hq_error_from_name(code);
        if (failure_r->error == HQ_OK)
            failure_r->error = HQ_EINTERNAL; /* a failure that says "ok" is the worker's mistake */
        hq_fail(&failure_r->reason, failure_r->error, "%s", text);
    }
    free(code);
    free(text);
    return error;
}

void file_table_encode(const hq_file_entry *files, size_t count, hq_buffer *buffer)
{
    buffer_u32(buffer, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buffer_text(buffer, files[i].path);
        buffer_text(buffer, files[i].tree);
        buffer_append(buffer, files[i].identity.bytes, sizeof files[i].identity.bytes);
    }
}

hq_error file_table_decode(const void *bytes, size_t size, hq_file_entry **files_r, size_t *count_r, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    uint32_t count = cursor_u32(&cursor);
    /* Every entry takes 24 bytes at least: a count that lies is found before anything is allocated for it. */
    if (cursor.bad || count > cursor.left / 24)
        return hq_fail(reason, HQ_EPROTOCOL, "a file table of %zu bytes says it has %u files", size, count);
    hq_file_entry *files = hq_calloc(count, sizeof *files);
    for (uint32_t i = 0; i < count && !cursor.bad; i++) {
        files[i].path = cursor_text(&cursor, MAX_PATH_TEXT);
        files[i].tree = cursor_text(&cursor, MAX_PATH_TEXT);
        const uint8_t *identity = cursor_take(&cursor, sizeof files[i].identity.bytes);
        if (identity)
            memcpy(files[i].identity.bytes, identity, sizeof files[i].identity.bytes);
    }
    if (!cursor_is_complete(&cursor)) {
        file_table_free(&files, count);
        return hq_fail(reason, HQ_EPROTOCOL, "a file table is cut short or too long");
    }
    *files_r = files;
    *count_r = count;
    return HQ_OK;
}

void file_table_free(hq_file_entry **files_p, size_t count)
{
    if (!*files_p)
        return;
    for (size_t i = 0; i < count; i++) {
        free((*files_p)[i].path);
        free((*files_p)[i].tree);
    }
    free(*files_p);
    *files_p = NULL;
}
