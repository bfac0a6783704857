#include "data/diskfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"

enum { FORMAT = 1, BYTE_ORDER_MARK = 0x01020304, ALIGNMENT = 64, MOST_ARRAYS = HQ_MAX_DEPTH + 1 };

static const char magic[8] = "hqcolumn";

typedef struct head {
    char magic[8];
    uint32_t format, byte_order;
    uint8_t file[16];
    uint64_t first, last, entries, value_count;
    uint32_t type, depth;
    uint64_t lists[HQ_MAX_DEPTH]; /* of each level; the rest 0 */
    uint32_t tree_size, column_size;
    uint64_t body_check; /* of the arrays */
    uint64_t head_check; /* of all before it, and of the texts */
} head;

_Static_assert(sizeof(head) == 128, "a head without gaps");

/* An array of the column, or where one is to go. */
typedef struct array {
    void *at;
    size_t size;
    uint64_t offset; /* in the file */
} array;

static uint64_t align(uint64_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static const char *tree_of(const hq_cache_key *key)
{
    return key->tree ? key->tree : "";
}

/* Where everything lies; gives back the file's size. */
static uint64_t lay_out(const hq_cache_key *key, const hq_column *column, array arrays_r[MOST_ARRAYS], size_t *count_r)
{
    size_t count = 0;
    if (column->offsets)
        arrays_r[count++] = (array){column->offsets, (column->entries + 1) * sizeof *column->offsets, 0};
    for (uint32_t i = 0; i < column->inner_count; i++)
        arrays_r[count++] = (array){column->inner[i].offsets,
                                    (column->inner[i].count + 1) * sizeof *column->inner[i].offsets, 0};
    arrays_r[count++] = (array){column->values, column->value_count * hq_type_size(column->type), 0};
    uint64_t at = align(sizeof(head) + strlen(tree_of(key)) + strlen(key->column));
    for (size_t i = 0; i < count; i++) {
        arrays_r[i].offset = at;
        at += i + 1 < count ? align(arrays_r[i].size) : arrays_r[i].size;
    }
    *count_r = count;
    return at;
}

static uint64_t check_arrays(const array *arrays, size_t count)
{
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < count; i++)
        XXH3_64bits_update(state, arrays[i].at, arrays[i].size);
    uint64_t check = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return check;
}

static uint64_t check_head(const head *h, const hq_cache_key *key)
{
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, h, offsetof(head, head_check));
    XXH3_64bits_update(state, tree_of(key), strlen(tree_of(key)));
    XXH3_64bits_update(state, key->column, strlen(key->column));
    uint64_t check = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return check;
}

uint64_t diskfile_size(const hq_cache_key *key, const hq_column *column)
{
    array arrays[MOST_ARRAYS];
    size_t count;
    return lay_out(key, column, arrays, &count);
}

static bool write_all(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t done = pwrite(fd, at, size, (off_t)offset);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            at += done;
            offset += (uint64_t)done;
            size -= (size_t)done;
        }
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t size, uint64_t offset)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t done = pread(fd, at, size, (off_t)offset);
        if (done == 0 || (done < 0 && errno != EINTR))
            return false;
        if (done > 0) {
            at += done;
            offset += (uint64_t)done;
            size -= (size_t)done;
        }
    }
    return true;
}

bool diskfile_write(int fd, const hq_cache_key *key, const hq_column *column, uint64_t *size_r)
{
    array arrays[MOST_ARRAYS];
    size_t count, tree_size = strlen(tree_of(key)), column_size = strlen(key->column);
    *size_r = lay_out(key, column, arrays, &count);
    head h = {.format = FORMAT,
              .byte_order = BYTE_ORDER_MARK,
              .first = key->first,
              .last = key->last,
              .entries = column->entries,
              .value_count = column->value_count,
              .type = (uint32_t)column->type,
              .depth = column_depth(column),
              .tree_size = (uint32_t)tree_size,
              .column_size = (uint32_t)column_size,
              .body_check = check_arrays(arrays, count)};
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.file, key->file.bytes, sizeof h.file);
    for (uint32_t i = 0; i < h.depth; i++)
        h.lists[i] = i == 0 ? column->entries : column->inner[i - 1].count;
    h.head_check = check_head(&h, key);
    bool is_written = write_all(fd, &h, sizeof h, 0) && write_all(fd, tree_of(key), tree_size, sizeof h) &&
                      write_all(fd, key->column, column_size, sizeof h + tree_size);
    for (size_t i = 0; i < count && is_written; i++)
        is_written = write_all(fd, arrays[i].at, arrays[i].size, arrays[i].offset);
    return is_written;
}

/* The head says that it is this column's, in a way that can be read here. */
static bool is_head_of(const head *h, const hq_cache_key *key)
{
    return memcmp(h->magic, magic, sizeof magic) == 0 && h->format == FORMAT && h->byte_order == BYTE_ORDER_MARK &&
           h->head_check == check_head(h, key) && memcmp(h->file, key->file.bytes, sizeof h->file) == 0 &&
           h->first == key->first && h->last == key->last && h->tree_size == strlen(tree_of(key)) &&
           h->column_size == strlen(key->column) && h->type < HQ_TYPE_COUNT && h->depth <= HQ_MAX_DEPTH &&
           h->entries == h->last - h->first && h->value_count < (uint64_t)1 << 40 && h->entries < (uint64_t)1 << 40;
}

/* The texts behind the head, which has their checksum but not them. */
static bool texts_are_right(int fd, const hq_cache_key *key)
{
    size_t tree_size = strlen(tree_of(key)), size = tree_size + strlen(key->column);
    char *texts = hq_alloc(size + 1);
    bool is_right = read_all(fd, texts, size, sizeof(head)) && memcmp(texts, tree_of(key), tree_size) == 0 &&
                    memcmp(texts + tree_size, key->column, size - tree_size) == 0;
    free(texts);
    return is_right;
}

static hq_column *room_for(const head *h, size_t limit)
{
    return h->depth > 1
               ? column_new_deep((hq_type)h->type, h->entries, h->lists + 1, h->depth - 1, h->value_count, limit)
               : column_new((hq_type)h->type, h->entries, h->value_count, h->depth == 1, limit);
}

/* Offsets that lead nowhere would be followed. */
static bool lists_are_right(const uint32_t *offsets, uint64_t lists, uint64_t things)
{
    bool is_right = offsets[0] == 0 && offsets[lists] == things;
    for (uint64_t i = 0; i < lists; i++)
        is_right &= offsets[i] <= offsets[i + 1];
    return is_right;
}

static bool offsets_are_right(const hq_column *column)
{
    const uint32_t *offsets = column->offsets;
    uint64_t lists = column->entries;
    for (uint32_t i = 0; offsets && i < column->inner_count; i++) {
        if (!lists_are_right(offsets, lists, column->inner[i].count))
            return false;
        offsets = column->inner[i].offsets;
        lists = column->inner[i].count;
    }
    return !offsets || lists_are_right(offsets, lists, column->value_count);
}

diskfile_verdict diskfile_read(int fd, const hq_cache_key *key, size_t limit, hq_column **column_r, uint64_t *size_r)
{
    struct stat status;
    head h;
    if (fstat(fd, &status) != 0)
        return DISKFILE_NONE;
    *size_r = (uint64_t)status.st_size;
    if (!S_ISREG(status.st_mode) || *size_r < sizeof h)
        return DISKFILE_DAMAGED;
    if (!read_all(fd, &h, sizeof h, 0))
        return DISKFILE_NONE;
    if (!is_head_of(&h, key) || !texts_are_right(fd, key))
        return DISKFILE_DAMAGED;
    /* A head that speaks of more than the file has is not believed, whatever its checksum. */
    hq_column *column = room_for(&h, *size_r < limit ? *size_r : limit);
    if (!column)
        return *size_r < limit ? DISKFILE_DAMAGED : DISKFILE_NONE;
    array arrays[MOST_ARRAYS];
    size_t count;
    diskfile_verdict verdict = lay_out(key, column, arrays, &count) == *size_r ? DISKFILE_NONE : DISKFILE_DAMAGED;
    bool is_read = verdict == DISKFILE_NONE;
    for (size_t i = 0; i < count && is_read; i++)
        is_read = read_all(fd, arrays[i].at, arrays[i].size, arrays[i].offset);
    if (is_read && check_arrays(arrays, count) == h.body_check && offsets_are_right(column)) {
        *column_r = column;
        return DISKFILE_NONE;
    }
    column_free(&column);
    return is_read ? DISKFILE_DAMAGED : verdict;
}
