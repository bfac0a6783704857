#include "data/basket_load.h"

#include <inttypes.h>

#include "base/memory.h"

enum {
    RUN_GAP = 64 << 10,      /* baskets of one branch so near to each other are fetched with one read */
    RUN_BYTES = 1 << 20,     /* unless that makes it longer than this */
    REMOTE_BYTES = 64 << 20, /* of baskets, wherever they lie, asked of a server in one go */
    FRONT = 512,             /* holds the header of nearly every basket */
    DIRECT_AT = 64 << 10,    /* baskets as large as this are looked at before they are read: they may be stored */
    PIECE = 256 << 10,       /* of a stored basket is read, and its bytes swapped while they are in cache */
};

hq_error reader_damaged(const hq_reader *reader, const hq_basket *basket, const char *what)
{
    return hq_fail(reader->reason, HQ_EFORMAT,
                   "%s: tree %s: branch %s: basket at offset %" PRIu64 " (entries %" PRIu64 " to %" PRIu64 "): %s",
                   reader->place->file->source.name, reader->place->tree, reader->plan->name, basket->seek,
                   basket->first, basket->last, what);
}

hq_error reader_too_large(const hq_reader *reader, uint64_t bytes)
{
    return hq_fail(reader->reason, HQ_ELIMIT,
                   "%s: tree %s: branch %s: reading it takes %" PRIu64
                   " bytes more, but only %zu are left of the limit",
                   reader->place->file->source.name, reader->place->tree, reader->plan->name, bytes, reader->left);
}

/* A buffer that is kept and only grows, counted against the limit once. */
static hq_error reserve(hq_reader *reader, uint8_t **buffer_p, size_t *size_p, size_t wanted)
{
    if (*buffer_p && wanted <= *size_p)
        return HQ_OK;
    free(*buffer_p);
    *buffer_p = NULL;
    reader->left += *size_p;
    *size_p = 0;
    *buffer_p = hq_try_alloc(wanted, reader->left);
    if (!*buffer_p)
        return reader_too_large(reader, wanted);
    reader->left -= wanted;
    *size_p = wanted;
    return HQ_OK;
}

/* The key and the header before a basket's data. */
static hq_error read_basket_header(const hq_reader *reader, hq_bytes *bytes, const hq_basket *basket, hq_key *key_r,
                                   uint32_t *last_r)
{
    key_read_front(bytes, key_r);
    key_skip_texts(bytes);
    bytes_u16(bytes); /* class version */
    bytes_u32(bytes); /* room in memory */
    if (bytes_i32(bytes) < 0)
        bytes_u8(bytes); /* IO features follow a room for offsets that is written negative */
    uint32_t entries = bytes_u32(bytes);
    *last_r = bytes_u32(bytes);
    bytes_u8(bytes); /* flag: what follows in a basket that is embedded */
    if (bytes->wrong || bytes->at > key_r->header_size)
        return reader_damaged(reader, basket, "its header is damaged");
    if (key_r->record_size > basket->size || key_r->header_size > key_r->record_size)
        return reader_damaged(reader, basket, "its key says that it is longer than the branch does");
    if (entries != basket->last - basket->first)
        return reader_damaged(reader, basket, "its header has another number of entries than the branch");
    if (*last_r < key_r->header_size || *last_r - key_r->header_size > key_r->object_size)
        return reader_damaged(reader, basket, "its data end behind its end");
    return HQ_OK;
}

/* The basket's bytes, decompressed; into memory of its own if it is to be kept, else where the next one will lie too.
 */
static hq_error unpack(hq_reader *reader, const uint8_t *record, size_t size, const hq_key *key, bool is_kept,
                       hq_loaded *loaded)
{
    hq_reason why = {""};
    size_t true_size = key->object_size, own_size = 0;
    uint64_t declared = size;
    hq_error error = size == true_size ? HQ_OK : inflater_measure(record, size, &declared, &why);
    if (!error && declared != true_size)
        error = hq_fail(&why, HQ_EFORMAT, "its blocks hold %" PRIu64 " bytes, its key says %zu", declared, true_size);
    if (error) {
        reader_damaged(reader, loaded->basket, why.text);
        return error;
    }
    if (size == true_size && !is_kept) {
        loaded->data = record;
        return HQ_OK;
    }
    uint8_t *into = !is_kept && true_size <= reader->into_room ? reader->into : NULL;
    if (!into) {
        error = is_kept ? reserve(reader, &loaded->owned, &own_size, true_size)
                        : reserve(reader, &reader->scratch, &reader->scratch_size, true_size);
        if (error)
            return error;
        into = is_kept ? loaded->owned : reader->scratch;
    }
    if (size == true_size) {
        memcpy(into, record, size);
    } else {
        error = inflater_run(reader->inflater, record, size, into, true_size, &why);
        if (error)
            reader_damaged(reader, loaded->basket, why.text);
    }
    loaded->data = into;
    return error;
}

/* The table behind the data. The number of its offsets comes first; it counts one more than there are entries. */
static hq_error set_offsets(const hq_reader *reader, hq_loaded *loaded, const uint8_t *table, size_t size)
{
    uint64_t entries = loaded->basket->last - loaded->basket->first;
    if (size / 4 < entries + 1 || load_u32(table) < entries)
        return reader_damaged(reader, loaded->basket, "it has fewer offsets than entries");
    loaded->offsets = table + 4;
    return HQ_OK;
}

static hq_error load_from_record(hq_reader *reader, const uint8_t *record, bool is_kept, hq_loaded *loaded)
{
    const hq_basket *basket = loaded->basket;
    hq_bytes bytes = bytes_over(record, basket->size);
    hq_key key;
    uint32_t last;
    hq_error error = read_basket_header(reader, &bytes, basket, &key, &last);
    if (error)
        return error;
    error = unpack(reader, record + key.header_size, key.record_size - key.header_size, &key, is_kept, loaded);
    if (error)
        return error;
    loaded->border = last - key.header_size;
    loaded->origin = key.header_size;
    if (loaded->border == key.object_size)
        return HQ_OK;
    return set_offsets(reader, loaded, loaded->data + loaded->border, key.object_size - loaded->border);
}

/* What lies at the front of a basket. */
typedef struct basket_front {
    hq_key key;
    uint32_t last; /* where its data end */
    bool is_stored;
} basket_front;

static bool is_in_file(const hq_reader *reader, const hq_basket *basket)
{
    uint64_t file_size = reader->place->file->source.size;
    return basket->seek <= file_size && basket->size <= file_size - basket->seek;
}

/* Of a file of this machine; false if it cannot be had so simply, or speaks of more bytes than its record can hold. */
static bool read_front(const hq_reader *reader, const hq_basket *basket, basket_front *front_r)
{
    uint8_t raw[FRONT];
    size_t size = basket->size < FRONT ? basket->size : FRONT;
    hq_reason why;
    hq_reader quiet = {.place = reader->place, .plan = reader->plan, .reason = &why};
    const hq_key *key = &front_r->key;
    if (basket->embedded || !is_in_file(reader, basket) ||
        source_read(&reader->place->file->source, basket->seek, size, raw, &why) != HQ_OK)
        return false;
    hq_bytes bytes = bytes_over(raw, size);
    if (read_basket_header(&quiet, &bytes, basket, &front_r->key, &front_r->last) != HQ_OK || key->header_size > size)
        return false;
    uint64_t packed = key->record_size - key->header_size;
    front_r->is_stored = packed == key->object_size;
    return front_r->is_stored ||
           key->object_size <= inflater_most(raw + key->header_size, size - key->header_size, packed);
}

bool reader_peek(const hq_reader *reader, const hq_basket *basket, uint32_t *data_size_r)
{
    basket_front front;
    if (!read_front(reader, basket, &front))
        return false;
    *data_size_r = front.last - front.key.header_size;
    return true;
}

/* Reads a basket that is stored as it is to where the column wants its data. *is_done_r is false if it is none, or has
 * no room there. */
static hq_error load_stored(hq_reader *reader, hq_loaded *loaded, bool *is_done_r)
{
    const hq_basket *basket = loaded->basket;
    const hq_source *source = &reader->place->file->source;
    basket_front front;
    *is_done_r = reader->into && basket->size >= DIRECT_AT && !source_is_remote(source) &&
                 read_front(reader, basket, &front) && front.is_stored &&
                 front.last - front.key.header_size <= reader->into_room;
    if (!*is_done_r)
        return HQ_OK;
    const hq_key *key = &front.key;
    size_t data_size = front.last - key->header_size, table_size = key->object_size - data_size,
           width = reader->plan->number.size;
    uint64_t from = basket->seek + key->header_size;
    hq_error error = table_size > 0 ? reserve(reader, &reader->scratch, &reader->scratch_size, table_size) : HQ_OK;
    if (error)
        return error;
    for (size_t at = 0; at < data_size && !error; at += PIECE) {
        size_t size = data_size - at < PIECE ? data_size - at : PIECE;
        error = source_read(source, from + at, size, reader->into + at, reader->reason);
        number_swap(reader->plan->type, reader->into + at, error ? 0 : size / width);
    }
    if (!error && table_size > 0)
        error = source_read(source, from + data_size, table_size, reader->scratch, reader->reason);
    if (error)
        return hq_fail_within(reader->reason, error, "tree %s: branch %s", reader->place->tree, reader->plan->name);
    loaded->data = reader->into;
    loaded->is_native = true;
    loaded->border = (uint32_t)data_size;
    loaded->origin = key->header_size;
    return table_size > 0 ? set_offsets(reader, loaded, reader->scratch, table_size) : HQ_OK;
}

/* Baskets that are fetched together: of a file of this machine those that lie near to each other, with what is between
 * them; of a server's file all that may be asked for in one go, and nothing else. */
typedef struct hq_run {
    size_t length; /* baskets */
    size_t size;   /* bytes in memory */
    bool is_packed;
} hq_run;

static hq_run plan_run(const hq_reader *reader, const hq_basket *baskets, size_t count)
{
    hq_run run = {.length = 1, .size = baskets[0].size, .is_packed = source_is_remote(&reader->place->file->source)};
    for (; run.length < count && !baskets[run.length].embedded; run.length++) {
        const hq_basket *next = &baskets[run.length];
        uint64_t end = baskets[0].seek + run.size, size = run.size + next->size;
        if (!run.is_packed) {
            if (next->seek < end || next->seek - end > RUN_GAP)
                break;
            size = next->seek + next->size - baskets[0].seek;
        }
        if (size > (run.is_packed ? REMOTE_BYTES : RUN_BYTES) || size > reader->left / 2)
            break;
        run.size = (size_t)size;
    }
    return run;
}

static hq_error fetch_run(hq_reader *reader, const hq_basket *baskets, const hq_run *run)
{
    const hq_source *source = &reader->place->file->source;
    hq_error error = reserve(reader, &reader->raw, &reader->raw_size, run->size);
    if (error)
        return error;
    if (!run->is_packed) {
        error = source_read(source, baskets[0].seek, run->size, reader->raw, reader->reason);
    } else {
        hq_stretch *stretches = hq_calloc(run->length, sizeof *stretches);
        uint8_t *to = reader->raw;
        for (size_t i = 0; i < run->length; to += baskets[i++].size)
            stretches[i] = (hq_stretch){baskets[i].seek, baskets[i].size, to};
        error = source_read_vector(source, stretches, run->length, reader->reason);
        free(stretches);
    }
    return error ? hq_fail_within(reader->reason, error, "tree %s: branch %s", reader->place->tree, reader->plan->name)
                 : HQ_OK;
}

hq_error reader_each_basket(hq_reader *reader, const hq_basket *baskets, size_t count, bool is_kept, use_basket *use,
                            void *context)
{
    hq_error error = HQ_OK;
    hq_run run = {0};
    const uint8_t *record = NULL;
    for (size_t i = 0; i < count && !error; i++) {
        const hq_basket *basket = &baskets[i];
        hq_loaded loaded = {.basket = basket};
        if (basket->embedded) {
            loaded.data = basket->embedded;
            loaded.border = basket->border;
            loaded.offsets = basket->offsets;
            loaded.origin = basket->origin;
            error = use(reader, &loaded, context);
            continue;
        }
        if (!is_in_file(reader, basket))
            return reader_damaged(reader, basket, "it ends behind the end of the file");
        if (run.length == 0 && !is_kept) {
            bool is_done;
            error = load_stored(reader, &loaded, &is_done);
            if (!error && is_done)
                error = use(reader, &loaded, context);
            if (error || is_done)
                continue;
        }
        if (run.length > 0) {
            record += run.is_packed ? baskets[i - 1].size : basket->seek - baskets[i - 1].seek;
        } else {
            run = plan_run(reader, basket, count - i);
            error = fetch_run(reader, basket, &run);
            if (error)
                break;
            record = reader->raw;
        }
        run.length--;
        error = load_from_record(reader, record, is_kept, &loaded);
        if (error)
            free(loaded.owned);
        else
            error = use(reader, &loaded, context);
    }
    return error;
}
