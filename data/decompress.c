#include "data/decompress.h"

#include <inttypes.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#include "base/memory.h"
#include "data/bytes.h"
#include "data/checksum.h"

enum {
    BLOCK_HEADER = 9,
    LZ4_CHECKSUM = 8,
    LZMA_MEMORY = 128 << 20, /* what xz -9 needs, doubled */
};

typedef enum block_kind { ZLIB, LZMA, LZ4, ZSTD, OLD, BLOCK_KINDS } block_kind;

typedef struct block {
    block_kind kind;
    const uint8_t *data;
    size_t size, true_size;
} block;

struct hq_inflater {
    struct libdeflate_decompressor *zlib;
    ZSTD_DCtx *zstd;
    bool is_trusting; /* LZ4's checksums are not looked at */
    lzma_stream lzma; /* so that what it holds is released also if it does not come to its end */
};

hq_inflater *inflater_new(void)
{
    return hq_calloc(1, sizeof(hq_inflater));
}

void inflater_free(hq_inflater **inflater_p)
{
    hq_inflater *inflater = *inflater_p;
    if (!inflater)
        return;
    if (inflater->zlib)
        libdeflate_free_decompressor(inflater->zlib);
    ZSTD_freeDCtx(inflater->zstd);
    lzma_end(&inflater->lzma);
    free(inflater);
    *inflater_p = NULL;
}

void inflater_verify(hq_inflater *inflater, bool is_wanted)
{
    inflater->is_trusting = !is_wanted;
}

static size_t load_u24le(const uint8_t *from)
{
    return (size_t)from[0] | (size_t)from[1] << 8 | (size_t)from[2] << 16;
}

enum { MOST_LZMA = 1 << 14 };

static const struct {
    char name[3];
    uint32_t most;     /* how many true bytes one compressed byte can stand for, about; */
    bool is_told_most; /* and whether that is a law of the format, so that it is checked */
} kinds[BLOCK_KINDS] = {[ZLIB] = {"ZL", 1032, true},
                        [LZMA] = {"XZ", MOST_LZMA, false},
                        [LZ4] = {"L4", 255, true},
                        [ZSTD] = {"ZS", INFLATER_MOST, false},
                        [OLD] = {"CS", 1032, true}};

/* The kind of block that a header begins; BLOCK_KINDS if it is none. */
static block_kind kind_of(const uint8_t *header)
{
    block_kind kind = ZLIB;
    while (kind < BLOCK_KINDS && memcmp(header, kinds[kind].name, 2) != 0)
        kind++;
    return kind;
}

static hq_error next_block(const uint8_t *record, size_t size, size_t *at_p, block *block_r, hq_reason *reason)
{
    size_t at = *at_p;
    if (size - at < BLOCK_HEADER)
        return hq_fail(reason, HQ_EFORMAT, "byte %zu of the compressed record: a block's header is cut off", at);
    const uint8_t *header = record + at;
    block_kind kind = kind_of(header);
    if (kind == BLOCK_KINDS)
        return hq_fail(reason, HQ_EFORMAT, "byte %zu of the compressed record: a block of no known kind (%02x %02x)",
                       at, header[0], header[1]);
    *block_r = (block){kind, header + BLOCK_HEADER, load_u24le(header + 3), load_u24le(header + 6)};
    at += BLOCK_HEADER;
    if (block_r->size > size - at || (kind == LZ4 && block_r->size < LZ4_CHECKSUM))
        return hq_fail(reason, HQ_EFORMAT, "byte %zu of the compressed record: a block of %zu bytes where %zu are left",
                       at, block_r->size, size - at);
    if (kinds[kind].is_told_most && block_r->true_size > (uint64_t)block_r->size * kinds[kind].most)
        return hq_fail(reason, HQ_EFORMAT, "byte %zu of the compressed record: %zu bytes cannot hold %zu", at,
                       block_r->size, block_r->true_size);
    *at_p = at + block_r->size;
    return HQ_OK;
}

hq_error inflater_measure(const uint8_t *record, size_t size, uint64_t *true_size_r, hq_reason *reason)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < size;) {
        block next = {0};
        hq_error error = next_block(record, size, &at, &next, reason);
        if (error)
            return error;
        sum += next.true_size;
    }
    *true_size_r = sum;
    return HQ_OK;
}

uint64_t inflater_most(const uint8_t *front, size_t front_size, uint64_t size)
{
    block_kind kind = front_size < BLOCK_HEADER ? BLOCK_KINDS : kind_of(front);
    return kind == BLOCK_KINDS ? 0 : size * kinds[kind].most;
}

static bool inflate_zlib(hq_inflater *inflater, const block *in, uint8_t *out)
{
    if (!inflater->zlib)
        inflater->zlib = libdeflate_alloc_decompressor();
    return inflater->zlib && libdeflate_zlib_decompress(inflater->zlib, in->data, in->size, out, in->true_size, NULL) ==
                                 LIBDEFLATE_SUCCESS;
}

/* Deflated data without zlib's frame. */
static bool inflate_old(hq_inflater *inflater, const block *in, uint8_t *out)
{
    if (!inflater->zlib)
        inflater->zlib = libdeflate_alloc_decompressor();
    return inflater->zlib && libdeflate_deflate_decompress(inflater->zlib, in->data, in->size, out, in->true_size,
                                                           NULL) == LIBDEFLATE_SUCCESS;
}

static bool inflate_lzma(hq_inflater *inflater, const block *in, uint8_t *out)
{
    lzma_stream *stream = &inflater->lzma;
    if (lzma_stream_decoder(stream, LZMA_MEMORY, 0) != LZMA_OK)
        return false;
    stream->next_in = in->data;
    stream->avail_in = in->size;
    stream->next_out = out;
    stream->avail_out = in->true_size;
    return lzma_code(stream, LZMA_FINISH) == LZMA_STREAM_END && stream->avail_out == 0;
}

static bool inflate_lz4(const hq_inflater *inflater, const block *in, uint8_t *out)
{
    size_t size = in->size - LZ4_CHECKSUM;
    const uint8_t *data = in->data + LZ4_CHECKSUM;
    return (inflater->is_trusting || load_u64(in->data) == checksum_xxh64(data, size)) &&
           LZ4_decompress_safe((const char *)data, (char *)out, (int)size, (int)in->true_size) == (int)in->true_size;
}

static bool inflate_zstd(hq_inflater *inflater, const block *in, uint8_t *out)
{
    if (!inflater->zstd)
        inflater->zstd = ZSTD_createDCtx();
    return inflater->zstd &&
           ZSTD_decompressDCtx(inflater->zstd, out, in->true_size, in->data, in->size) == in->true_size;
}

static bool inflate(hq_inflater *inflater, const block *in, uint8_t *out)
{
    switch (in->kind) {
    case ZLIB:
        return inflate_zlib(inflater, in, out);
    case LZMA:
        return inflate_lzma(inflater, in, out);
    case LZ4:
        return inflate_lz4(inflater, in, out);
    case ZSTD:
        return inflate_zstd(inflater, in, out);
    case OLD:
        return inflate_old(inflater, in, out);
    default:
        return false;
    }
}

hq_error inflater_run(hq_inflater *inflater, const uint8_t *record, size_t size, uint8_t *out, size_t out_size,
                      hq_reason *reason)
{
    static const char *const names[BLOCK_KINDS] = {"zlib", "LZMA", "LZ4", "Zstandard", "old deflate"};
    size_t filled = 0;
    for (size_t at = 0; at < size;) {
        size_t start = at;
        block next = {0};
        hq_error error = next_block(record, size, &at, &next, reason);
        if (error)
            return error;
        if (next.true_size > out_size - filled)
            return hq_fail(reason, HQ_EFORMAT,
                           "byte %zu of the compressed record: more than the %zu bytes that it should hold", start,
                           out_size);
        if (!inflate(inflater, &next, out + filled))
            return hq_fail(reason, HQ_EFORMAT, "byte %zu of the compressed record: its %s data are damaged", start,
                           names[next.kind]);
        filled += next.true_size;
    }
    if (filled != out_size)
        return hq_fail(reason, HQ_EFORMAT, "the compressed record holds %zu bytes, not %zu", filled, out_size);
    return HQ_OK;
}
