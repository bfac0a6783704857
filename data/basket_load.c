#include "data/basket_load.h"

#include <inttypes.h>

#include "base/memory.h"

enum {
    RUN_GAP = 64 << 10,      /* baskets of one branch so near to each other are fetched with one read */
    RUN_BYTES = 1 << 20,     /* unless that makes it longer than this */
    REMOTE_BYTES = 64 << 20, /* of baskets, wherever they lie, asked of a server in one go */
    FRONT = 512,             /* holds the header of nearly every basket */
    HAND_BYTES = 256 << 10,  /* as near as this to what is at hand, so are others, it is supposed */
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

/* A basket's record, which may lie in a mapped file: what touches its bytes is done by use_record. */
typedef struct basket_record {
    hq_reader *reader;
    const hq_basket *basket;
    const uint8_t *bytes;
    size_t size;      /* of the bytes: the basket's, or less if only its front is looked at */
    bool is_in_place; /* they are the file's */
    bool is_front;
    bool is_stored;
    hq_key key;
    uint32_t last; /* where its data end */
    hq_error error;
    /* Filled with all of it; or, if there is a table, into with the data in the machine's order of bytes, and the table
     * with what is behind them. */
    uint8_t *into, *table;
} basket_record;

static hq_error use_record(basket_record *record, void (*work)(void *context))
{
    const hq_reader *reader = record->reader;
    record->error = HQ_OK;
    if (!record->is_in_place) {
        work(record);
        return record->error;
    }
    hq_error error = source_use(&reader->place->file->source, record->bytes, record->size, work, record,
                                reader->reason);
    return error ? hq_fail_within(reader->reason, error, "tree %s: branch %s", reader->place->tree, reader->plan->name)
                 : record->error;
}

/* The basket's header, and whether its blocks can hold what it says: all of them if they are there. */
static void look_at(void *context)
{
    basket_record *record = context;
    hq_reason why = {""};
    hq_bytes bytes = bytes_over(record->bytes, record->size);
    hq_key *key = &record->key;
    record->error = read_basket_header(record->reader, &bytes, record->basket, key, &record->last);
    if (record->error)
        return;
    const uint8_t *data = record->bytes + key->header_size;
    size_t packed = key->record_size - key->header_size;
    uint64_t declared = 0;
    record->is_stored = packed == key->object_size;
    if (record->is_stored)
        return;
    if (record->is_front) {
        if (key->header_size > record->size ||
            key->object_size > inflater_most(data, record->size - key->header_size, packed))
            record->error = HQ_EFORMAT;
        return;
    }
    record->error = inflater_measure(data, packed, &declared, &why);
    if (!record->error && declared != key->object_size)
        record->error = hq_fail(&why, HQ_EFORMAT, "its blocks hold %" PRIu64 " bytes, its key says %" PRIu32, declared,
                                key->object_size);
    if (record->error)
        reader_damaged(record->reader, record->basket, why.text);
}

static void fill(void *context)
{
    basket_record *record = context;
    hq_reader *reader = record->reader;
    const hq_key *key = &record->key;
    const uint8_t *data = record->bytes + key->header_size;
    size_t size = key->object_size, data_size = record->last - key->header_size;
    if (record->is_stored && record->table) {
        number_decode(&reader->plan->number, record->into, data, data_size / reader->plan->number.size);
        memcpy(record->table, data + data_size, size - data_size);
        return;
    }
    if (record->is_stored) {
        memcpy(record->into, data, size);
        return;
    }
    hq_reason why = {""};
    record->error = inflater_run(reader->inflater, data, key->record_size - key->header_size, record->into, size, &why);
    if (record->error)
        reader_damaged(reader, record->basket, why.text);
}

/* The basket's bytes, decompressed: into memory of its own if it is to be kept; else to where the column wants them, or
 * where the next one will lie too. */
static hq_error unpack(basket_record *record, bool is_kept, hq_loaded *loaded)
{
    hq_reader *reader = record->reader;
    const hq_key *key = &record->key;
    size_t size = key->object_size, data_size = record->last - key->header_size, own_size = 0;
    hq_error error = HQ_OK;
    if (record->is_stored && !is_kept && !record->is_in_place) {
        loaded->data = record->bytes + key->header_size;
        loaded->table = loaded->data + data_size;
        return HQ_OK;
    }
    bool is_split = record->is_stored && !is_kept && reader->into && data_size <= reader->into_room;
    if (is_split) {
        error = reserve(reader, &reader->scratch, &reader->scratch_size, size - data_size);
        record->into = reader->into;
        record->table = reader->scratch;
    } else if (is_kept) {
        error = reserve(reader, &loaded->owned, &own_size, size);
        record->into = loaded->owned;
    } else if (!reader->into || size > reader->into_room) {
        error = reserve(reader, &reader->scratch, &reader->scratch_size, size);
        record->into = reader->scratch;
    } else {
        record->into = reader->into;
    }
    if (!error)
        error = use_record(record, fill);
    loaded->data = record->into;
    loaded->table = is_split ? record->table : record->into + data_size;
    loaded->is_native = is_split;
    return error;
}

/* The table behind the data. The number of its offsets comes first; it counts one more than there are entries. */
static hq_error set_offsets(const hq_reader *reader, hq_loaded *loaded, size_t size)
{
    uint64_t entries = loaded->basket->last - loaded->basket->first;
    if (size / 4 < entries + 1 || load_u32(loaded->table) < entries)
        return reader_damaged(reader, loaded->basket, "it has fewer offsets than entries");
    loaded->offsets = loaded->table + 4;
    return HQ_OK;
}

static hq_error load_from_record(hq_reader *reader, const uint8_t *bytes, bool is_in_place, bool is_kept,
                                 hq_loaded *loaded)
{
    basket_record record = {.reader = reader,
                            .basket = loaded->basket,
                            .bytes = bytes,
                            .size = loaded->basket->size,
                            .is_in_place = is_in_place};
    hq_error error = use_record(&record, look_at);
    if (!error)
        error = unpack(&record, is_kept, loaded);
    if (error)
        return error;
    const hq_key *key = &record.key;
    loaded->border = record.last - key->header_size;
    loaded->origin = key->header_size;
    return loaded->border == key->object_size ? HQ_OK : set_offsets(reader, loaded, key->object_size - loaded->border);
}

static bool is_in_file(const hq_reader *reader, const hq_basket *basket)
{
    uint64_t file_size = reader->place->file->source.size;
    return basket->seek <= file_size && basket->size <= file_size - basket->seek;
}

void reader_expect(const hq_reader *reader, const hq_basket *basket)
{
    if (!basket->embedded)
        __builtin_prefetch(source_in_place(&reader->place->file->source, basket->seek, basket->size));
}

/* Only of a file of this machine. */
bool reader_peek(const hq_reader *reader, const hq_basket *basket, uint32_t *data_size_r)
{
    const hq_source *source = &reader->place->file->source;
    uint8_t front[FRONT];
    hq_reason why;
    hq_reader quiet = {.place = reader->place, .plan = reader->plan, .reason = &why};
    if (basket->embedded || !is_in_file(reader, basket))
        return false;
    basket_record record = {.reader = &quiet,
                            .basket = basket,
                            .bytes = source_in_place(source, basket->seek, basket->size),
                            .size = basket->size < FRONT ? basket->size : FRONT,
                            .is_in_place = true,
                            .is_front = true};
    if (!record.bytes) {
        if (source_read(source, basket->seek, record.size, front, &why) != HQ_OK)
            return false;
        record.bytes = front;
        record.is_in_place = false;
    }
    if (use_record(&record, look_at) != HQ_OK)
        return false;
    *data_size_r = record.last - record.key.header_size;
    return true;
}

/* Baskets that are fetched together: of a file of this machine those that lie near to each other, with what is between
 * them; of a server's file all that may be asked for in one go, and nothing else. */
typedef struct hq_run {
    size_t length; /* baskets */
    size_t size;   /* bytes in memory */
    size_t at;     /* where the present one lies in them */
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

/* Where the basket lies in memory that is the file's; NULL if it is to be read. */
static const uint8_t *find_in_place(hq_reader *reader, const hq_basket *basket)
{
    const hq_source *source = &reader->place->file->source;
    uint64_t last = basket->seek + basket->size;
    const uint8_t *found = basket->size > 0 ? source_in_place(source, basket->seek, basket->size) : NULL;
    if (!found)
        return NULL;
    if (last - 1 < reader->hand_first || last - 1 >= reader->hand_last) {
        if (!source_is_at_hand(source, last - 1))
            return NULL;
        reader->hand_first = last - 1;
        reader->hand_last = last + HAND_BYTES;
    }
    reader->used_bytes += basket->size;
    if (last > reader->used_last)
        reader->used_last = last;
    return found;
}

/* Brings a basket of those from here on, of which so many follow, with others if that is one read. */
static hq_error load_basket(hq_reader *reader, hq_run *run, size_t count, bool is_kept, hq_loaded *loaded)
{
    const hq_basket *basket = loaded->basket;
    if (!is_in_file(reader, basket))
        return reader_damaged(reader, basket, "it ends behind the end of the file");
    if (run->length > 0) {
        run->at += run->is_packed ? basket[-1].size : basket->seek - basket[-1].seek;
    } else {
        const uint8_t *found = find_in_place(reader, basket);
        if (found && count > 1)
            reader_expect(reader, basket + 1);
        if (found)
            return load_from_record(reader, found, true, is_kept, loaded);
        *run = plan_run(reader, basket, count);
        hq_error error = fetch_run(reader, basket, run);
        if (error)
            return error;
        run->at = 0;
    }
    run->length--;
    return load_from_record(reader, reader->raw + run->at, false, is_kept, loaded);
}

hq_error reader_each_basket(hq_reader *reader, const hq_basket *baskets, size_t count, bool is_kept, use_basket *use,
                            void *context)
{
    hq_error error = HQ_OK;
    hq_run run = {0};
    for (size_t i = 0; i < count && !error; i++) {
        const hq_basket *basket = &baskets[i];
        hq_loaded loaded = {.basket = basket};
        if (basket->embedded) {
            loaded.data = basket->embedded;
            loaded.border = basket->border;
            loaded.offsets = basket->offsets;
            loaded.origin = basket->origin;
        } else {
            error = load_basket(reader, &run, count - i, is_kept, &loaded);
        }
        if (error)
            free(loaded.owned);
        else
            error = use(reader, &loaded, context);
    }
    return error;
}

hq_error reader_end(hq_reader *reader)
{
    hq_error error = source_used(&reader->place->file->source, reader->used_bytes, reader->used_last, reader->reason);
    inflater_free(&reader->inflater);
    free(reader->raw);
    free(reader->scratch);
    return error ? hq_fail_within(reader->reason, error, "tree %s: branch %s", reader->place->tree, reader->plan->name)
                 : HQ_OK;
}
