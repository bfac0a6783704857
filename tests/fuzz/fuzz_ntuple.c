/* tests/fuzz/fuzz_ntuple.c - the reader of RNTuples on bytes from anywhere.
 *
 * All that an RNTuple says of itself is under checksums, which no mutation keeps. So the input is what the checksums
 * are of: the contents of a header, of a footer and of a list of pages, each of a fixed length, and behind them the
 * pages. They are put where the seeds' places lead to, with the checksums that they then have. Seeds:
 * tests/fuzz/seeds_ntuple.py FOLDER, then fuzz_ntuple -max_len=65536 corpus FOLDER. Whole files, checksums and all, are
 * fuzz_tree's.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "data/ntuple.h"

enum {
    MEMORY_LIMIT = 16 << 20,
    MAX_COLUMNS = 64,
    ANCHOR = 78,
    ENVELOPE_EDGES = 16, /* kind and length before, checksum behind */
    HEADER_AT = 128,
    HEADER_SIZE = 8192,
    FOOTER_AT = HEADER_AT + HEADER_SIZE,
    FOOTER_SIZE = 1024,
    LIST_AT = FOOTER_AT + FOOTER_SIZE,
    LIST_SIZE = 16384,
    PAGES_AT = LIST_AT + LIST_SIZE,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What a query relies on. */
static void check_offsets(const uint32_t *offsets, uint64_t lists, uint64_t values)
{
    for (uint64_t i = 0; i < lists; i++)
        if (offsets[i] > offsets[i + 1])
            abort();
    if (offsets[0] != 0 || offsets[lists] != values)
        abort();
}

static void use_column(hq_column **column_p)
{
    const hq_column *column = *column_p;
    volatile uint8_t sum = 0;
    size_t size = column->value_count * hq_type_size(column->type);
    for (size_t i = 0; i < size; i += 61)
        sum = (uint8_t)(sum + ((const uint8_t *)column->values)[i]);
    const uint32_t *offsets = column->offsets;
    uint64_t lists = column->entries;
    for (uint32_t i = 0; i < column->inner_count; i++) {
        check_offsets(offsets, lists, column->inner[i].count);
        offsets = column->inner[i].offsets;
        lists = column->inner[i].count;
    }
    if (offsets)
        check_offsets(offsets, lists, column->value_count);
    column_free(column_p);
}

static void read_columns(const hq_ntuple *ntuple, const hq_file *file)
{
    hq_reason reason;
    size_t count = ntuple_schema(ntuple)->count, border_count;
    uint64_t *borders, entries = ntuple_entries(ntuple);
    ntuple_borders(ntuple, &borders, &border_count);
    uint64_t middle = borders[border_count / 2], last = middle < entries / 2 ? middle + 1 : entries;
    middle -= middle > 0;
    free(borders);
    for (size_t i = 0; i < count && i < MAX_COLUMNS; i++) {
        hq_column *column = NULL;
        if (ntuple_read(ntuple, file, i, 0, entries, MEMORY_LIMIT, &column, &reason) == HQ_OK)
            use_column(&column);
        if (ntuple_read(ntuple, file, i, middle, last, MEMORY_LIMIT, &column, &reason) == HQ_OK)
            use_column(&column);
    }
}

static void store_u64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

static uint64_t seal(uint8_t *envelope, uint64_t kind, size_t size)
{
    store_u64(envelope, kind | (uint64_t)size << 16);
    uint64_t checksum = XXH3_64bits(envelope, size - sizeof checksum);
    store_u64(envelope + size - sizeof checksum, checksum);
    return checksum;
}

static void write_anchor(uint8_t *anchor)
{
    static const uint64_t numbers[] = {HEADER_AT, HEADER_SIZE, HEADER_SIZE, FOOTER_AT, FOOTER_SIZE, FOOTER_SIZE, 0};
    static const uint8_t front[] = {0x40, 0, 0, 66, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0};
    memcpy(anchor, front, sizeof front);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        store_u64(anchor + sizeof front + 8 * i, __builtin_bswap64(numbers[i]));
    store_u64(anchor + ANCHOR - 8, __builtin_bswap64(XXH3_64bits(anchor + 6, ANCHOR - 8 - 6)));
}

/* The next part of the input, as far as there is any, and zeros. */
static void fill(uint8_t *to, size_t size, const uint8_t **bytes_p, size_t *left_p)
{
    size_t part = *left_p < size ? *left_p : size;
    if (part > 0)
        memcpy(to, *bytes_p, part);
    *bytes_p += part;
    *left_p -= part;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    hq_reason reason;
    hq_ntuple *ntuple = NULL;
    size_t left = size;
    uint8_t *memory = hq_calloc(1, PAGES_AT + size);
    fill(memory + HEADER_AT + 8, HEADER_SIZE - ENVELOPE_EDGES, &bytes, &left);
    fill(memory + FOOTER_AT + 8, FOOTER_SIZE - ENVELOPE_EDGES, &bytes, &left);
    fill(memory + LIST_AT + 8, LIST_SIZE - ENVELOPE_EDGES, &bytes, &left);
    size_t pages = left;
    fill(memory + PAGES_AT, pages, &bytes, &left);
    write_anchor(memory);
    uint64_t checksum = seal(memory + HEADER_AT, 1, HEADER_SIZE);
    store_u64(memory + FOOTER_AT + 16, checksum); /* behind the features */
    store_u64(memory + LIST_AT + 8, checksum);
    seal(memory + FOOTER_AT, 2, FOOTER_SIZE);
    seal(memory + LIST_AT, 3, LIST_SIZE);

    char name[] = "T", class_name[] = "ROOT::RNTuple";
    hq_file file = {.record_limit = MEMORY_LIMIT};
    source_open_memory("fuzz", memory, PAGES_AT + pages, &file.source);
    hq_tree_key key = {
        .path = name,
        .key = {.record_size = ANCHOR, .object_size = ANCHOR, .class_name = class_name, .name = name, .title = name}};
    if (ntuple_open(&file, &key, &ntuple, &reason) == HQ_OK)
        read_columns(ntuple, &file);
    ntuple_close(&ntuple);
    source_close(&file.source);
    free(memory);
    return 0;
}
