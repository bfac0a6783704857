#include "data/ntuple_envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/memory.h"
#include "data/decompress.h"

enum {
    ANCHOR_FIELDS = 6,       /* where they begin: behind byte count and version of the class */
    BYTE_COUNT = 0x40000000, /* the bit that marks it as one */
    CHECKSUM = 8,
    ENVELOPE_FRONT = 8, /* kind and length */
    LOCATOR_LARGE = 1,
};

static uint64_t load_u64le(const uint8_t *from)
{
    return __builtin_bswap64(load_u64(from));
}

hq_error anchor_read(const hq_file *file, const hq_tree_key *key, hq_anchor *anchor_r, hq_reason *reason)
{
    uint8_t *object = NULL;
    hq_error error = rootfile_read_object(file, &key->key, &object, reason);
    if (error)
        return error;
    hq_bytes bytes = bytes_over(object, key->key.object_size);
    size_t count = bytes_u32(&bytes) & ~(uint32_t)BYTE_COUNT, end = count + 4;
    bytes_u16(&bytes);
    uint16_t epoch = bytes_u16(&bytes);
    bytes_take(&bytes, 3 * sizeof(uint16_t)); /* major, minor and patch are for information */
    anchor_r->header.seek = bytes_u64(&bytes);
    anchor_r->header.size = bytes_u64(&bytes);
    anchor_r->header.true_size = bytes_u64(&bytes);
    anchor_r->footer.seek = bytes_u64(&bytes);
    anchor_r->footer.size = bytes_u64(&bytes);
    anchor_r->footer.true_size = bytes_u64(&bytes);
    anchor_r->max_key_size = bytes_u64(&bytes);
    bytes_move_to(&bytes, end); /* later versions add to it, and the checksum covers what they add */
    uint64_t checksum = bytes_u64(&bytes);
    if (strcmp(key->key.class_name, "ROOT::RNTuple") != 0)
        error = hq_fail(reason, HQ_EUNSUPPORTED, "%s: \"%s\" is an RNTuple of before version 1.0 (class %s)",
                        file->source.name, key->path, key->key.class_name);
    else if (bytes.wrong)
        error = hq_fail(reason, HQ_EFORMAT, "%s: RNTuple %s: anchor at offset %" PRIu64 ": byte %zu: %s",
                        file->source.name, key->path, key->key.seek, bytes.wrong_at, bytes.wrong);
    else if (XXH3_64bits(object + ANCHOR_FIELDS, end - ANCHOR_FIELDS) != checksum)
        error = hq_fail(reason, HQ_EFORMAT,
                        "%s: RNTuple %s: anchor at offset %" PRIu64 ": its checksum does not fit its bytes",
                        file->source.name, key->path, key->key.seek);
    else if (epoch != 1)
        error = hq_fail(reason, HQ_EUNSUPPORTED, "%s: RNTuple %s: its format is of epoch %u, and hq reads epoch 1",
                        file->source.name, key->path, epoch);
    free(object);
    return error;
}

static hq_error damaged(const hq_envelope_place *place, uint64_t seek, hq_envelope_kind kind, const char *what,
                        hq_reason *reason)
{
    static const char *const names[] = {"", "header", "footer", "page list"};
    return hq_fail(reason, HQ_EFORMAT, "%s: RNTuple %s: %s at offset %" PRIu64 ": %s", place->file->source.name,
                   place->ntuple, names[kind], seek, what);
}

hq_error envelope_check(const hq_envelope_place *place, const hq_envelope *envelope, hq_reason *reason)
{
    if (!envelope->bytes.wrong)
        return HQ_OK;
    char what[256];
    snprintf(what, sizeof what, "byte %zu: %s", ENVELOPE_FRONT + envelope->bytes.wrong_at, envelope->bytes.wrong);
    return damaged(place, envelope->seek, envelope->kind, what, reason);
}

/* How many pieces a block has that is larger than a key may be. The places of all pieces but the first take up the end
 * of the first; if they find no room in what the last piece leaves free, there is one more. */
static uint64_t count_pieces(uint64_t size, uint64_t max_key_size)
{
    uint64_t pieces = size / max_key_size + (size % max_key_size != 0);
    uint64_t free_room = pieces * max_key_size - size;
    return pieces + ((pieces - 1) * sizeof(uint64_t) > free_room);
}

/* The rest of a block whose first piece is in place. */
static hq_error read_pieces(const hq_envelope_place *place, const hq_envelope_link *link, hq_envelope_kind kind,
                            uint8_t *block, hq_reason *reason)
{
    uint64_t most = place->max_key_size, pieces = count_pieces(link->size, most);
    uint64_t table = (pieces - 1) * sizeof(uint64_t);
    if (table >= most || pieces > link->size)
        return damaged(place, link->seek, kind, "it lies in more pieces than can be", reason);
    uint8_t *seeks = hq_alloc(table);
    hq_stretch *stretches = hq_calloc(pieces - 1, sizeof *stretches);
    memcpy(seeks, block + most - table, table);
    uint64_t at = most - table;
    for (uint64_t i = 0; i + 1 < pieces; i++) {
        uint64_t size = link->size - at < most ? link->size - at : most;
        stretches[i] = (hq_stretch){load_u64le(seeks + i * sizeof(uint64_t)), size, block + at};
        at += size;
    }
    hq_error error = source_read_vector(&place->file->source, stretches, pieces - 1, reason);
    free(stretches);
    free(seeks);
    return error;
}

/* The blocks as they lie in the file. */
static hq_error read_blocks(const hq_envelope_place *place, const hq_envelope_link *links,
                            const hq_envelope_kind *kinds, size_t count, size_t *left_p, hq_envelope *envelopes,
                            hq_reason *reason)
{
    uint64_t most = place->max_key_size, file_size = place->file->source.size;
    hq_stretch *stretches = hq_calloc(count, sizeof *stretches);
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count && !error; i++) {
        const hq_envelope_link *link = &links[i];
        uint64_t piece = most && link->size > most ? most : link->size;
        if (link->size > file_size || link->seek > file_size - piece) {
            damaged(place, link->seek, kinds[i], "it should be there, but the file ends before its end", reason);
            error = HQ_EFORMAT;
            break;
        }
        envelopes[i].block = hq_try_alloc(link->size, *left_p);
        if (!envelopes[i].block) {
            hq_fail(reason, HQ_ELIMIT, "%s: RNTuple %s: its description takes more memory than is allowed",
                    place->file->source.name, place->ntuple);
            error = HQ_ELIMIT;
            break;
        }
        *left_p -= link->size;
        stretches[i] = (hq_stretch){link->seek, piece, envelopes[i].block};
    }
    if (!error)
        error = source_read_vector(&place->file->source, stretches, count, reason);
    for (size_t i = 0; i < count && !error; i++)
        if (most && links[i].size > most)
            error = read_pieces(place, &links[i], kinds[i], envelopes[i].block, reason);
    free(stretches);
    return error;
}

/* Puts the decompressed block in the compressed one's place. */
static hq_error decompress(const hq_envelope_place *place, const hq_envelope_link *link, size_t *left_p,
                           hq_envelope *envelope, hq_reason *reason)
{
    uint64_t declared;
    hq_error error = inflater_measure(envelope->block, link->size, &declared, reason);
    if (!error && declared != link->true_size)
        error = hq_fail(reason, HQ_EFORMAT, "its blocks hold %" PRIu64 " bytes, not %" PRIu64, declared,
                        link->true_size);
    uint8_t *block = NULL;
    if (!error && !(block = hq_try_alloc(link->true_size, *left_p)))
        error = hq_fail(reason, HQ_ELIMIT, "it takes %" PRIu64 " bytes, more than is allowed", link->true_size);
    if (!error) {
        *left_p -= link->true_size;
        hq_inflater *inflater = inflater_new();
        error = inflater_run(inflater, envelope->block, link->size, block, link->true_size, reason);
        inflater_free(&inflater);
    }
    if (error) {
        free(block);
        return hq_fail_within(reason, error, "%s: RNTuple %s: envelope at offset %" PRIu64, place->file->source.name,
                              place->ntuple, link->seek);
    }
    free(envelope->block);
    envelope->block = block;
    return HQ_OK;
}

static hq_error open_envelope(const hq_envelope_place *place, const hq_envelope_link *link, hq_envelope_kind kind,
                              size_t *left_p, hq_envelope *envelope, hq_reason *reason)
{
    hq_error error = link->size == link->true_size ? HQ_OK : decompress(place, link, left_p, envelope, reason);
    if (error)
        return error;
    if (link->true_size < ENVELOPE_FRONT + CHECKSUM)
        return damaged(place, link->seek, kind, "it is too short for an envelope", reason);
    uint64_t front = load_u64le(envelope->block);
    size_t size = link->true_size - CHECKSUM;
    envelope->checksum = load_u64le(envelope->block + size);
    if (XXH3_64bits(envelope->block, size) != envelope->checksum)
        return damaged(place, link->seek, kind, "its checksum does not fit its bytes", reason);
    if ((front & 0xFFFF) != (uint64_t)kind || front >> 16 != link->true_size)
        return damaged(place, link->seek, kind, "it is of another kind or length", reason);
    envelope->bytes = bytes_over(envelope->block + ENVELOPE_FRONT, size - ENVELOPE_FRONT);
    envelope->kind = kind;
    envelope->seek = link->seek;
    return HQ_OK;
}

hq_error envelopes_read(const hq_envelope_place *place, const hq_envelope_link *links, const hq_envelope_kind *kinds,
                        size_t count, size_t limit, hq_envelope *envelopes_r, hq_reason *reason)
{
    for (size_t i = 0; i < count; i++)
        envelopes_r[i] = (hq_envelope){0};
    size_t left = limit;
    hq_error error = read_blocks(place, links, kinds, count, &left, envelopes_r, reason);
    for (size_t i = 0; i < count && !error; i++)
        error = open_envelope(place, &links[i], kinds[i], &left, &envelopes_r[i], reason);
    for (size_t i = 0; i < count && error; i++)
        envelope_free(&envelopes_r[i]);
    return error;
}

void envelope_free(hq_envelope *envelope)
{
    free(envelope->block);
    *envelope = (hq_envelope){0};
}

uint16_t envelope_u16(hq_bytes *bytes)
{
    return __builtin_bswap16(bytes_u16(bytes));
}

uint32_t envelope_u32(hq_bytes *bytes)
{
    return __builtin_bswap32(bytes_u32(bytes));
}

uint64_t envelope_u64(hq_bytes *bytes)
{
    return __builtin_bswap64(bytes_u64(bytes));
}

double envelope_f64(hq_bytes *bytes)
{
    uint64_t raw = envelope_u64(bytes);
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

char *envelope_text(hq_bytes *bytes)
{
    size_t length = envelope_u32(bytes);
    const uint8_t *text = bytes_take(bytes, length);
    return text ? hq_strndup((const char *)text, length) : hq_strdup("");
}

static size_t enter_frame(hq_bytes *bytes, bool is_list)
{
    size_t start = bytes->at, left = bytes_left(bytes);
    int64_t size = (int64_t)envelope_u64(bytes);
    if (bytes->wrong)
        return start;
    if ((size < 0) != is_list)
        bytes_fail(bytes, is_list ? "a record where a list should be" : "a list where a record should be");
    uint64_t length = size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
    if (length > left || length < sizeof(uint64_t))
        bytes_fail(bytes, "a frame that ends outside of what holds it");
    return bytes->wrong ? start : start + (size_t)length;
}

size_t envelope_record(hq_bytes *bytes)
{
    return enter_frame(bytes, false);
}

size_t envelope_list(hq_bytes *bytes, uint32_t *count_r)
{
    size_t end = enter_frame(bytes, true);
    *count_r = envelope_u32(bytes);
    return end;
}

void envelope_locator(hq_bytes *bytes, uint64_t *seek_r, uint64_t *size_r)
{
    uint32_t front = envelope_u32(bytes);
    if (!(front >> 31)) {
        *size_r = front;
        *seek_r = envelope_u64(bytes);
        return;
    }
    /* Of another kind. The number is negated as a whole: kind in the highest byte, its own length in the lower half. */
    uint32_t head = 0 - front;
    size_t length = head & 0xFFFF;
    if (head >> 24 != LOCATOR_LARGE)
        bytes_fail(bytes, "a locator of a kind that hq does not know");
    if (length < sizeof front + 2 * sizeof(uint64_t))
        bytes_fail(bytes, "a locator that is too short");
    *size_r = envelope_u64(bytes);
    *seek_r = envelope_u64(bytes);
    bytes_take(bytes, bytes->wrong ? 0 : length - sizeof front - 2 * sizeof(uint64_t));
}
