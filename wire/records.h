/* wire/records.h - the packed payloads of docs/protocol.md, sections 5 and 6: orders, answers, file tables.
 *
 * They are packed by hand, not BSON, because a million of them travel for one query.
 */
#ifndef HQ_WIRE_RECORDS_H
#define HQ_WIRE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"

typedef struct hq_order {
    uint32_t handle, index, file;
    uint64_t first, last;
} hq_order;

enum { HQ_ORDER_BYTES = 28, HQ_ANSWER_BYTES = 46 };

void order_encode(const hq_order *order, hq_buffer *buffer);
/* The next order of a payload; false when there is none. A payload that is no multiple of HQ_ORDER_BYTES leaves the
 * cursor bad. */
bool order_next(hq_cursor *cursor, hq_order *order_r);

typedef struct hq_answer {
    uint32_t handle, index;
    bool is_failed;
    uint64_t entries, read_bytes, cached_bytes;
    uint32_t load_us, run_us; /* until it had its columns, and in its loop */
    const void *contents;     /* in place */
    uint32_t size;
} hq_answer;

/* Appends the fixed part to answers and contents to contents. */
void answer_encode(const hq_answer *answer, hq_buffer *answers, hq_buffer *contents);
/* The next answer of the two payloads; false when there is none. Bytes that do not fit leave a cursor bad. */
bool answer_next(hq_cursor *answers, hq_cursor *contents, hq_answer *answer_r);

/* Why a subtask failed: the contents of a failed answer. */
typedef struct hq_failure {
    hq_error error;
    hq_reason reason;
    uint64_t entry; /* in the file; HQ_EQUERY only */
    uint32_t line;  /* 0 if none */
    bool
        is_of_file; /* the bytes of the file could not be had or are not what they must be: the query is not at fault */
} hq_failure;

void failure_encode(const hq_failure *failure, hq_buffer *buffer);
hq_error failure_decode(const void *bytes, size_t size, hq_failure *failure_r);

typedef struct hq_file_entry {
    char *path, *tree;
    hq_hash identity;
} hq_file_entry;

void file_table_encode(const hq_file_entry *files, size_t count, hq_buffer *buffer);
/* Free with file_table_free. */
hq_error file_table_decode(const void *bytes, size_t size, hq_file_entry **files_r, size_t *count_r, hq_reason *reason);
void file_table_free(hq_file_entry **files_p, size_t count);

#endif
