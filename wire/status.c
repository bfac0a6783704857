#include "wire/status.h"

#include <string.h>

#include "base/memory.h"

/* Each record's fields stand once, in a table that both directions follow. */
typedef enum field_kind { FIELD_HASH, FIELD_TEXT, FIELD_INT32, FIELD_INT64, FIELD_BOOL } field_kind;

typedef struct field {
    const char *key;
    field_kind kind;
    size_t offset;
} field;

#define WORKER(field) offsetof(hq_worker_status, field)
#define CACHE(name)   {#name, FIELD_INT64, offsetof(hq_worker_status, cache.name)}
#define QUERY(field)  offsetof(hq_query_status, field)
#define BROKER(field) offsetof(hq_broker_status, field)

static const field worker_fields[] = {
    {"worker", FIELD_HASH, WORKER(id)},
    {"host", FIELD_TEXT, WORKER(host)},
    {"version", FIELD_TEXT, WORKER(version)},
    {"slots", FIELD_INT32, WORKER(slots)},
    {"memory", FIELD_INT64, WORKER(memory)},
    {"under_way", FIELD_INT64, WORKER(under_way)},
    {"done", FIELD_INT64, WORKER(done)},
    {"evicted", FIELD_INT64, WORKER(evicted)},
    {"heard_ms", FIELD_INT64, WORKER(heard_ms)},
    {"age_ms", FIELD_INT64, WORKER(age_ms)},
    {"draining", FIELD_BOOL, WORKER(is_draining)},
    CACHE(hits),
    CACHE(misses),
    CACHE(evictions),
    CACHE(cache_bytes),
    CACHE(cache_columns),
    CACHE(cache_limit),
    CACHE(file_bytes),
    CACHE(ahead_used),
    CACHE(ahead_wasted),
    CACHE(disk_hits),
    CACHE(disk_hit_bytes),
    CACHE(disk_bytes),
    CACHE(disk_limit),
    CACHE(disk_written),
    CACHE(disk_evicted),
    CACHE(disk_damaged),
};

static const field query_fields[] = {
    {"query", FIELD_HASH, QUERY(id)},
    {"user", FIELD_TEXT, QUERY(user)},
    {"name", FIELD_TEXT, QUERY(name)},
    {"state", FIELD_TEXT, QUERY(state)},
    {"dataset", FIELD_TEXT, QUERY(dataset)},
    {"specs", FIELD_INT64, QUERY(specs)},
    {"files", FIELD_INT64, QUERY(files)},
    {"priority", FIELD_INT32, QUERY(priority)},
    {"subtasks", FIELD_INT64, QUERY(subtasks)},
    {"done", FIELD_INT64, QUERY(done)},
    {"under_way", FIELD_INT64, QUERY(under_way)},
    {"stored", FIELD_INT64, QUERY(stored)},
    {"entries", FIELD_INT64, QUERY(entries)},
    {"entries_total", FIELD_INT64, QUERY(entries_total)},
    {"age_ms", FIELD_INT64, QUERY(age_ms)},
    {"listeners", FIELD_INT32, QUERY(listeners)},
};

static const field broker_fields[] = {
    {"broker", FIELD_HASH, BROKER(id)},        {"host", FIELD_TEXT, BROKER(host)},
    {"version", FIELD_TEXT, BROKER(version)},  {"front", FIELD_TEXT, BROKER(front)},
    {"back", FIELD_TEXT, BROKER(back)},        {"uptime_ms", FIELD_INT64, BROKER(uptime_ms)},
    {"workers", FIELD_INT32, BROKER(workers)}, {"slots", FIELD_INT32, BROKER(slots)},
    {"queries", FIELD_INT32, BROKER(queries)},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- encoding ---- */

/* Whole characters only; what is no UTF-8, as a host's name may be, goes with '?' for every byte beyond ASCII. */
static void append_text(bson_t *document, const char *key, const char *text)
{
    size_t length = strlen(text);
    if (length > HQ_STATUS_TEXT)
        for (length = HQ_STATUS_TEXT; length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80;)
            length--;
    if (bson_utf8_validate(text, length, false)) {
        bson_append_utf8(document, key, -1, text, (int)length);
        return;
    }
    char *mended = hq_strndup(text, length);
    for (char *c = mended; *c; c++)
        if ((uint8_t)*c >= 0x80)
            *c = '?';
    bson_append_utf8(document, key, -1, mended, (int)length);
    free(mended);
}

static int32_t as_int32(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static void append_fields(bson_t *document, const field *fields, size_t count, const void *record)
{
    for (size_t i = 0; i < count; i++) {
        const void *at = (const char *)record + fields[i].offset;
        char text[HQ_HASH_TEXT];
        switch (fields[i].kind) {
        case FIELD_HASH:
            hash_to_text(at, text);
            bson_append_utf8(document, fields[i].key, -1, text, HQ_HASH_TEXT - 1);
            break;
        case FIELD_TEXT:
            append_text(document, fields[i].key, *(const char *const *)at);
            break;
        case FIELD_INT32:
            bson_append_int32(document, fields[i].key, -1, as_int32(*(const int64_t *)at));
            break;
        case FIELD_INT64:
            bson_append_int64(document, fields[i].key, -1, *(const int64_t *)at);
            break;
        case FIELD_BOOL:
            bson_append_bool(document, fields[i].key, -1, *(const bool *)at);
            break;
        }
    }
}

static void append_list(bson_t *body, const char *key, const field *fields, size_t field_count, const void *records,
                        size_t count, size_t record_size)
{
    bson_t list, one;
    bson_append_array_begin(body, key, -1, &list);
    for (size_t i = 0; i < count; i++) {
        char buffer[16];
        const char *number;
        bson_uint32_to_string((uint32_t)i, &number, buffer, sizeof buffer);
        bson_append_document_begin(&list, number, -1, &one);
        append_fields(&one, fields, field_count, (const char *)records + i * record_size);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(body, &list);
}

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

hq_message *status_encode(const hq_broker_status *status)
{
    hq_message *message = message_new(HQ_STATE);
    bson_t *body = message_body(message), counters;
    message_put_int32(message, "request", (int32_t)status->request);
    append_fields(body, broker_fields, COUNT(broker_fields), status);
    bson_append_document_begin(body, "counters", -1, &counters);
    for (size_t i = 0; i < at_most(status->counter_count, HQ_STATUS_COUNTERS); i++)
        bson_append_int64(&counters, status->counters[i].name, -1, status->counters[i].value);
    bson_append_document_end(body, &counters);
    if (!status->has_detail)
        return message;
    append_list(body, "worker_list", worker_fields, COUNT(worker_fields), status->worker_list,
                at_most(status->worker_count, HQ_STATUS_WORKERS), sizeof *status->worker_list);
    append_list(body, "query_list", query_fields, COUNT(query_fields), status->query_list,
                at_most(status->query_count, HQ_STATUS_QUERIES), sizeof *status->query_list);
    return message;
}

/* ---- decoding ---- */

static bool read_field(const field *f, const bson_iter_t *iter, void *record)
{
    void *at = (char *)record + f->offset;
    bool is_number = BSON_ITER_HOLDS_INT32(iter) || BSON_ITER_HOLDS_INT64(iter);
    int64_t most = f->kind == FIELD_INT32 ? INT32_MAX : INT64_MAX;
    switch (f->kind) {
    case FIELD_HASH:
        return BSON_ITER_HOLDS_UTF8(iter) && hash_from_text(bson_iter_utf8(iter, NULL), at) == 0;
    case FIELD_TEXT:
        if (BSON_ITER_HOLDS_UTF8(iter))
            *(const char **)at = bson_iter_utf8(iter, NULL);
        return BSON_ITER_HOLDS_UTF8(iter);
    case FIELD_BOOL:
        if (BSON_ITER_HOLDS_BOOL(iter))
            *(bool *)at = bson_iter_bool(iter);
        return BSON_ITER_HOLDS_BOOL(iter);
    default:
        if (is_number)
            *(int64_t *)at = bson_iter_as_int64(iter);
        return is_number && *(int64_t *)at >= 0 && *(int64_t *)at <= most;
    }
}

/* Goes once through the document: the fields come in the table's order from whoever speaks this version, and are looked
 * for from there if they do not. A key that comes twice counts as it comes first. */
static hq_error read_fields(bson_iter_t first, const field *fields, size_t count, void *record, hq_reason *reason)
{
    bson_iter_t at = first;
    for (size_t i = 0; i < count; i++) {
        bool is_next = bson_iter_next(&at) && strcmp(bson_iter_key(&at), fields[i].key) == 0;
        if (!is_next) {
            at = first;
            if (!bson_iter_find(&at, fields[i].key))
                return hq_fail(reason, HQ_EPROTOCOL, "STATE without \"%s\"", fields[i].key);
        }
        if (!read_field(&fields[i], &at, record))
            return hq_fail(reason, HQ_EPROTOCOL, "STATE whose \"%s\" is of another type or out of range",
                           fields[i].key);
    }
    return HQ_OK;
}

static hq_error read_list(hq_message *message, const char *key, const field *fields, size_t field_count, size_t most,
                          size_t record_size, void **records_r, size_t *count_r, hq_reason *reason)
{
    bson_iter_t iter, item, inner;
    size_t count = 0, capacity = 0;
    if (!bson_iter_init_find(&iter, message_body(message), key) || !BSON_ITER_HOLDS_ARRAY(&iter) ||
        !bson_iter_recurse(&iter, &item))
        return hq_fail(reason, HQ_EPROTOCOL, "STATE without a list \"%s\"", key);
    while (bson_iter_next(&item)) {
        if (count == most)
            return hq_fail(reason, HQ_EPROTOCOL, "STATE whose \"%s\" has more than %zu members", key, most);
        if (!BSON_ITER_HOLDS_DOCUMENT(&item) || !bson_iter_recurse(&item, &inner))
            return hq_fail(reason, HQ_EPROTOCOL, "STATE whose \"%s\" is no list of documents", key);
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            *records_r = hq_realloc(*records_r, capacity, record_size);
        }
        void *record = (char *)*records_r + count * record_size;
        memset(record, 0, record_size);
        hq_error error = read_fields(inner, fields, field_count, record, reason);
        if (error)
            return error;
        count++;
    }
    *count_r = count;
    return HQ_OK;
}

static hq_error read_counters(hq_message *message, hq_broker_status *status, hq_reason *reason)
{
    bson_iter_t iter, item;
    size_t capacity = 0;
    if (!bson_iter_init_find(&iter, message_body(message), "counters") || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
        !bson_iter_recurse(&iter, &item))
        return hq_fail(reason, HQ_EPROTOCOL, "STATE without counters");
    while (bson_iter_next(&item)) {
        if (status->counter_count == HQ_STATUS_COUNTERS || !BSON_ITER_HOLDS_INT64(&item))
            return hq_fail(reason, HQ_EPROTOCOL, "STATE with a counter that is no number, or too many of them");
        HQ_GROW(status->counters, status->counter_count, capacity);
        status->counters[status->counter_count++] = (hq_counter_status){bson_iter_key(&item), bson_iter_int64(&item)};
    }
    return HQ_OK;
}

hq_error status_decode(hq_message *message, hq_broker_status *status_r, hq_reason *reason)
{
    hq_broker_status status = {0};
    void *workers = NULL, *queries = NULL;
    bson_iter_t iter;
    hq_error error = HQ_OK;
    if (!message_get_int(message, "request", INT32_MIN, INT32_MAX, &status.request) ||
        !bson_iter_init(&iter, message_body(message)))
        error = hq_fail(reason, HQ_EPROTOCOL, "STATE without a request");
    if (!error)
        error = read_fields(iter, broker_fields, COUNT(broker_fields), &status, reason);
    if (!error)
        error = read_counters(message, &status, reason);
    status.has_detail = !error && bson_has_field(message_body(message), "worker_list");
    if (!error && status.has_detail)
        error = read_list(message, "worker_list", worker_fields, COUNT(worker_fields), HQ_STATUS_WORKERS,
                          sizeof(hq_worker_status), &workers, &status.worker_count, reason);
    if (!error && status.has_detail)
        error = read_list(message, "query_list", query_fields, COUNT(query_fields), HQ_STATUS_QUERIES,
                          sizeof(hq_query_status), &queries, &status.query_count, reason);
    status.worker_list = workers;
    status.query_list = queries;
    if (error)
        status_clear(&status);
    else
        *status_r = status;
    return error;
}

void status_clear(hq_broker_status *status)
{
    free(status->counters);
    free(status->worker_list);
    free(status->query_list);
    *status = (hq_broker_status){0};
}
