/* tests/fuzz/fuzz_tree.c - the reader on bytes from anywhere.
 *
 * An input that begins with "root" is a whole file; any other is the decompressed record of a tree, which a mutation
 * can reach only this way. Seeds of both kinds come from tests/fuzz/seeds_tree.py: seeds_tree.py SAMPLE_FOLDER seeds &&
 * fuzz_tree -max_len=65536 corpus seeds
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/basket.h"
#include "data/rootfile.h"

enum {
    MEMORY_LIMIT = 16 << 20,
    MAX_COLUMNS = 48, /* read of one tree */
};

static void use_column(hq_column **column_p)
{
    const hq_column *column = *column_p;
    volatile uint8_t sum = 0;
    size_t size = column->value_count * hq_type_size(column->type);
    for (size_t i = 0; i < size; i += 61)
        sum = (uint8_t)(sum + ((const uint8_t *)column->values)[i]);
    /* What a query relies on. */
    if (column->offsets) {
        for (uint64_t i = 0; i < column->entries; i++)
            if (column->offsets[i] > column->offsets[i + 1])
                abort();
        if (column->offsets[0] != 0 || column->offsets[column->entries] != column->value_count)
            abort();
    }
    column_free(column_p);
}

static void read_tree(hq_file *file, const char *path)
{
    hq_reason reason;
    hq_tree *tree = NULL;
    if (tree_open(file, path, &tree, &reason) != HQ_OK)
        return;
    const hq_schema *schema = tree_schema(tree);
    uint64_t *borders, entries = tree_entries(tree);
    size_t count;
    tree_borders(tree, &borders, &count);
    uint64_t middle = borders[count / 2], last = middle < entries / 2 ? middle + 1 : entries;
    free(borders);
    for (size_t i = 0; i < schema->count && i < MAX_COLUMNS; i++) {
        hq_column *column = NULL;
        if (tree_read(tree, schema->fields[i].name, 0, entries, MEMORY_LIMIT, &column, &reason) == HQ_OK)
            use_column(&column);
        if (tree_read(tree, schema->fields[i].name, middle, last, MEMORY_LIMIT, &column, &reason) == HQ_OK)
            use_column(&column);
    }
    tree_close(&tree);
}

static void fuzz_file(const uint8_t *bytes, size_t size)
{
    hq_reason reason;
    hq_file *file;
    hq_tree_name *names;
    size_t count;
    if (rootfile_open_memory("fuzz", bytes, size, MEMORY_LIMIT, &file, &reason) != HQ_OK)
        return;
    if (rootfile_list(file, &names, &count, &reason) == HQ_OK) {
        for (size_t i = 0; i < count && i < 8; i++)
            read_tree(file, names[i].path);
        tree_names_free(&names, count);
    }
    rootfile_close(&file);
}

/* The record as it would lie in a file, behind a key. Its baskets are read from wherever it says. */
static void fuzz_record(const uint8_t *bytes, size_t size)
{
    hq_reason reason;
    char name[] = "tree", class_name[] = "TTree";
    size_t key_size = size > 0 ? bytes[0] : 0;
    size -= size > 0;
    uint8_t *memory = hq_calloc(1, key_size + size);
    if (size > 0)
        memcpy(memory + key_size, bytes + 1, size);
    hq_file file = {.record_limit = MEMORY_LIMIT};
    source_open_memory("fuzz", memory, key_size + size, &file.source);
    hq_tree_key key = {.path = name,
                       .key = {.record_size = (uint32_t)(key_size + size),
                               .object_size = (uint32_t)size,
                               .header_size = (uint16_t)key_size,
                               .class_name = class_name,
                               .name = name}};
    hq_model *model = NULL;
    if (model_read(&file, &key, &model, &reason) == HQ_OK) {
        hq_columns columns;
        columns_make(model, &columns);
        hq_basket_place place = {&file, "tree"};
        for (size_t i = 0; i < columns.plan_count && i < MAX_COLUMNS; i++) {
            hq_column *column = NULL;
            if (basket_read_column(&place, &columns.plans[i], NULL, 0, model->entries, MEMORY_LIMIT, &column,
                                   &reason) == HQ_OK)
                use_column(&column);
        }
        columns_clear(&columns);
    }
    model_free(&model);
    source_close(&file.source);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size >= 4 && memcmp(bytes, "root", 4) == 0)
        fuzz_file(bytes, size);
    else
        fuzz_record(bytes, size);
    return 0;
}
