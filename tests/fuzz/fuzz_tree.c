/* tests/fuzz/fuzz_tree.c - the reader on bytes from anywhere.
 *
 * An input that begins with "root" is a whole file; one that begins with "walk" a branch of objects, the classes that
 * describe them, and entries; any other is the decompressed record of a tree. What a file has compressed a mutation can
 * reach only this way. Seeds of all kinds come from tests/fuzz/seeds_tree.py: seeds_tree.py SAMPLE_FOLDER seeds &&
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
        uint64_t items = column->inner_count > 0 ? column->inner[0].count : column->value_count;
        if (column->offsets[0] != 0 || column->offsets[column->entries] != items)
            abort();
    }
    for (uint32_t i = 0; i < column->inner_count; i++) {
        const hq_lists *level = &column->inner[i];
        for (uint64_t j = 0; j < level->count; j++)
            if (level->offsets[j] > level->offsets[j + 1])
                abort();
        uint64_t items = i + 1 < column->inner_count ? column->inner[i + 1].count : column->value_count;
        if (level->offsets[0] != 0 || level->offsets[level->count] != items)
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

static void read_columns(hq_file *file, hq_model *model)
{
    hq_reason reason;
    hq_columns columns;
    columns_make(file, model, &columns);
    hq_basket_place place = {file, "tree"};
    for (size_t i = 0; i < columns.plan_count && i < MAX_COLUMNS; i++) {
        hq_column *column = NULL;
        if (basket_read_column(&place, &columns.plans[i], NULL, 0, model->entries, MEMORY_LIMIT, &column, &reason) ==
            HQ_OK)
            use_column(&column);
        if (model->entries > 1 &&
            basket_read_column(&place, &columns.plans[i], NULL, 1, 2, MEMORY_LIMIT, &column, &reason) == HQ_OK)
            use_column(&column);
    }
    columns_clear(&columns);
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
    if (model_read(&file, &key, &model, &reason) == HQ_OK)
        read_columns(&file, model);
    model_free(&model);
    source_close(&file.source);
    free(memory);
}

/* kind of the branch, length and text of its type, two bytes of length and the record of the classes, and the data of
 * three entries, of which the first two have as many bytes as the next two bytes say; bit 7 of the kind: no offsets. */
static void fuzz_walk(const uint8_t *bytes, size_t size)
{
    enum { KEY_SIZE = 96, ENTRIES = 3 };
    hq_bytes input = bytes_over(bytes, size);
    uint8_t kind = bytes_u8(&input), type_size = bytes_u8(&input);
    const uint8_t *type = bytes_take(&input, type_size);
    uint16_t classes_size = bytes_u16(&input);
    const uint8_t *classes = bytes_take(&input, classes_size);
    uint8_t first = bytes_u8(&input), second = bytes_u8(&input);
    size_t data_size = bytes_left(&input);
    const uint8_t *data = bytes_take(&input, data_size);
    if (!data || first + second > data_size)
        return;
    /* Places begin with 1, as 0 is that there are no classes. */
    size_t memory_size = 1 + KEY_SIZE + (size_t)classes_size;
    uint8_t *memory = hq_calloc(1, memory_size);
    uint8_t key[] = {0,
                     0,
                     (uint8_t)((KEY_SIZE + classes_size) >> 8),
                     (uint8_t)(KEY_SIZE + classes_size),
                     0,
                     4,
                     0,
                     0,
                     (uint8_t)(classes_size >> 8),
                     (uint8_t)classes_size,
                     0,
                     0,
                     0,
                     0,
                     0,
                     KEY_SIZE};
    memcpy(memory + 1, key, sizeof key);
    memcpy(memory + 1 + KEY_SIZE, classes, classes_size);
    uint8_t table[4 * ENTRIES] = {
        [7] = first, [10] = (uint8_t)((first + second) >> 8), [11] = (uint8_t)(first + second)};
    char leaf_class[] = "TLeafElement", name[] = "branch";
    char *type_name = hq_strndup((const char *)type, type_size);
    hq_basket basket = {.last = ENTRIES,
                        .embedded = hq_alloc(data_size),
                        .border = (uint32_t)data_size,
                        .offsets = kind & 0x80 ? NULL : table};
    memcpy(basket.embedded, data, data_size);
    hq_branch branch = {.class_name = leaf_class,
                        .name = name,
                        .title = name,
                        .type_name = type_name,
                        .kind = kind & 0x40 ? BRANCH_WHOLE : BRANCH_LEAF,
                        .member = -1,
                        .class_version = -1,
                        .entries = ENTRIES,
                        .baskets = &basket,
                        .basket_count = 1};
    hq_leaf leaf = {
        .class_name = leaf_class, .name = name, .title = name, .length = 1, .element_type = -1, .branch = &branch};
    hq_leaf *leaves[] = {&leaf};
    hq_branch *branches[] = {&branch};
    branch.leaves = leaves;
    branch.leaf_count = 1;
    if (kind & 0x20) { /* a member of a split collection */
        branch.kind = BRANCH_OF_STL;
        branch.member = kind & 0x1f;
    }
    hq_model model = {.entries = ENTRIES, .branches = branches, .branch_count = 1};
    hq_file file = {.record_limit = MEMORY_LIMIT, .classes_seek = 1, .classes_size = KEY_SIZE + classes_size};
    source_open_memory("fuzz", memory, memory_size, &file.source);
    read_columns(&file, &model);
    source_close(&file.source);
    free(memory);
    free(basket.embedded);
    free(type_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size >= 4 && memcmp(bytes, "root", 4) == 0)
        fuzz_file(bytes, size);
    else if (size >= 4 && memcmp(bytes, "walk", 4) == 0)
        fuzz_walk(bytes + 4, size - 4);
    else
        fuzz_record(bytes, size);
    return 0;
}
