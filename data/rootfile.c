#include "data/rootfile.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

enum {
    HEADER_BYTES = 75,     /* of a wide header, UUID included */
    DIRECTORY_BYTES = 42,  /* of a wide directory, without its UUID */
    WIDE_FILE = 1000000,   /* the version from which on file pointers have 8 bytes */
    WIDE_DIRECTORY = 1000, /* likewise of a directory */
    MAX_DEPTH = 64,
    MAX_TREES = 4096,
    MAX_DIRECTORIES = 65536,
    RECORD_LIMIT = 1 << 30, /* ROOT's own limit on one streamed object */
};

hq_hash rootfile_identity_of(const uint8_t uuid[16], uint64_t size, int64_t modified_ns, const char *version)
{
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, uuid, 16);
    hasher_add_u64(hasher, size);
    hasher_add_u64(hasher, (uint64_t)modified_ns);
    if (version)
        hasher_add_text(hasher, version);
    return hasher_end(&hasher);
}

static hq_error read_header(hq_file *file, hq_reason *reason)
{
    const hq_source *source = &file->source;
    uint8_t raw[HEADER_BYTES] = {0};
    size_t size = source->size < HEADER_BYTES ? (size_t)source->size : HEADER_BYTES;
    hq_error error = source_read(source, 0, size, raw, reason);
    if (error)
        return error;
    if (size == 0)
        return hq_fail(reason, HQ_EFORMAT, "%s: not a ROOT file: it is empty", source->name);
    if (size < 4 || memcmp(raw, "root", 4) != 0)
        return hq_fail(reason, HQ_EFORMAT, "%s: not a ROOT file: it does not begin with \"root\"", source->name);
    hq_bytes bytes = bytes_over(raw + 4, size - 4);
    file->version = bytes_i32(&bytes); /* negative ones exist and are narrow */
    bool is_wide = file->version >= WIDE_FILE;
    file->begin = bytes_u32(&bytes);
    file->end = bytes_seek(&bytes, is_wide);
    bytes_seek(&bytes, is_wide); /* the list of free segments: place, size, number */
    bytes_take(&bytes, 8);
    file->name_bytes = bytes_u32(&bytes);
    bytes_take(&bytes, 5); /* bytes of a file pointer, compression of new records */
    file->classes_seek = bytes_seek(&bytes, is_wide);
    file->classes_size = bytes_u32(&bytes);
    bytes_u16(&bytes); /* the UUID's version */
    const uint8_t *uuid = bytes_take(&bytes, 16);
    if (bytes.wrong || file->begin < 64 || file->begin > file->end)
        return hq_fail(reason, HQ_EFORMAT, "%s: its ROOT header is cut off or damaged", source->name);
    if (file->end > source->size)
        return hq_fail(reason, HQ_EFORMAT,
                       "%s: truncated: its header says %" PRIu64 " bytes, but it has only %" PRIu64 "; fetch it again",
                       source->name, file->end, source->size);
    memcpy(file->uuid, uuid, sizeof file->uuid);
    file->identity = rootfile_identity_of(file->uuid, source->size, source->modified_ns, source->version);
    return HQ_OK;
}

static hq_error open_source(hq_source source, size_t record_limit, hq_file **file_r, hq_reason *reason)
{
    hq_file *file = hq_calloc(1, sizeof *file);
    file->source = source;
    file->record_limit = record_limit;
    hq_error error = read_header(file, reason);
    if (error)
        rootfile_close(&file);
    else
        *file_r = file;
    return error;
}

hq_error rootfile_open(const char *path, hq_file **file_r, hq_reason *reason)
{
    return rootfile_open_through(NULL, path, file_r, reason);
}

hq_error rootfile_open_through(struct hq_remote *remote, const char *path, hq_file **file_r, hq_reason *reason)
{
    hq_source source;
    hq_error error = source_open(remote, path, &source, reason);
    return error ? error : open_source(source, RECORD_LIMIT, file_r, reason);
}

hq_error rootfile_open_memory(const char *name, const void *bytes, size_t size, size_t record_limit, hq_file **file_r,
                              hq_reason *reason)
{
    hq_source source;
    source_open_memory(name, bytes, size, &source);
    return open_source(source, record_limit, file_r, reason);
}

void rootfile_close(hq_file **file_p)
{
    hq_file *file = *file_p;
    if (!file)
        return;
    source_close(&file->source);
    free(file);
    *file_p = NULL;
}

const char *rootfile_path(const hq_file *file)
{
    return file->source.name;
}

hq_hash rootfile_identity(const hq_file *file)
{
    return file->identity;
}

uint64_t rootfile_size(const hq_file *file)
{
    return file->source.size;
}

/* The walk over the directories. */
typedef struct hq_walk {
    const hq_file *file;
    hq_tree_key *found;
    size_t count, capacity;
    uint64_t *seen; /* where the lists of the directories passed lie: none is read twice, so that no loop is followed */
    size_t seen_count, seen_capacity;
    hq_reason *reason;
} hq_walk;

static bool is_tree(const hq_key *key)
{
    return strcmp(key->class_name, "TTree") == 0 || strcmp(key->class_name, "TNtuple") == 0 ||
           strcmp(key->class_name, "TNtupleD") == 0;
}

bool key_is_rntuple(const hq_key *key)
{
    return strcmp(key->class_name, "ROOT::RNTuple") == 0 || strcmp(key->class_name, "ROOT::Experimental::RNTuple") == 0;
}

static bool is_directory(const hq_key *key)
{
    return strcmp(key->class_name, "TDirectory") == 0 || strcmp(key->class_name, "TDirectoryFile") == 0;
}

static hq_error damaged(const hq_walk *walk, const char *path, uint64_t offset, const char *what)
{
    return hq_fail(walk->reason, HQ_EFORMAT, "%s: directory /%s: offset %" PRIu64 ": %s", walk->file->source.name, path,
                   offset, what);
}

/* Where the list of a directory's keys lies, from the directory's own record. A size of 0: it has none. */
static hq_error read_directory(hq_walk *walk, const char *path, uint64_t offset, uint64_t *keys_seek_r,
                               uint32_t *keys_size_r)
{
    const hq_source *source = &walk->file->source;
    uint8_t raw[DIRECTORY_BYTES];
    if (offset >= source->size)
        return damaged(walk, path, offset, "the directory should be there, but the file ends before");
    size_t size = source->size - offset < sizeof raw ? (size_t)(source->size - offset) : sizeof raw;
    hq_error error = source_read(source, offset, size, raw, walk->reason);
    if (error)
        return error;
    hq_bytes bytes = bytes_over(raw, size);
    bool is_wide = bytes_u16(&bytes) > WIDE_DIRECTORY;
    bytes_take(&bytes, 8); /* created, modified */
    *keys_size_r = bytes_u32(&bytes);
    bytes_u32(&bytes);           /* size of its name */
    bytes_seek(&bytes, is_wide); /* itself */
    bytes_seek(&bytes, is_wide); /* its parent */
    *keys_seek_r = bytes_seek(&bytes, is_wide);
    if (bytes.wrong)
        return damaged(walk, path, offset, bytes.wrong);
    if (*keys_seek_r == 0)
        *keys_size_r = 0;
    return HQ_OK;
}

static hq_error mark_seen(hq_walk *walk, const char *path, uint64_t offset)
{
    for (size_t i = 0; i < walk->seen_count; i++)
        if (walk->seen[i] == offset)
            return damaged(walk, path, offset, "a directory that contains itself");
    if (walk->seen_count == MAX_DIRECTORIES)
        return hq_fail(walk->reason, HQ_ELIMIT, "%s: more than %d directories", walk->file->source.name,
                       MAX_DIRECTORIES);
    HQ_GROW(walk->seen, walk->seen_count, walk->seen_capacity);
    walk->seen[walk->seen_count++] = offset;
    return HQ_OK;
}

static hq_error walk_directory(hq_walk *walk, const char *path, uint64_t offset, int depth);

/* Takes the key over, or clears it. */
static hq_error visit_key(hq_walk *walk, const char *path, hq_key *key, int depth)
{
    hq_error error = HQ_OK;
    char *full = *path ? hq_format("%s/%s", path, key->name) : hq_strdup(key->name);
    if (is_directory(key)) {
        error = walk_directory(walk, full, key->seek + key->header_size, depth + 1);
    } else if (is_tree(key) || key_is_rntuple(key)) {
        if (walk->count == MAX_TREES) {
            error = hq_fail(walk->reason, HQ_ELIMIT, "%s: more than %d trees", walk->file->source.name, MAX_TREES);
        } else {
            HQ_GROW(walk->found, walk->count, walk->capacity);
            walk->found[walk->count++] = (hq_tree_key){.path = full, .key = *key};
            return HQ_OK;
        }
    }
    free(full);
    key_clear(key);
    return error;
}

static hq_error walk_keys(hq_walk *walk, const char *path, uint64_t offset, hq_bytes *bytes, int depth)
{
    hq_key key;
    key_read_front(bytes, &key); /* of the list itself */
    bytes->at = 0;
    bytes_take(bytes, key.header_size);
    uint32_t count = bytes_u32(bytes);
    hq_error error = HQ_OK;
    for (uint32_t i = 0; !error && !bytes->wrong && i < count; i++) {
        key_read(bytes, &key);
        if (!bytes->wrong)
            error = visit_key(walk, path, &key, depth);
    }
    if (!error && bytes->wrong)
        error = damaged(walk, path, offset + bytes->wrong_at, bytes->wrong);
    return error;
}

static hq_error walk_directory(hq_walk *walk, const char *path, uint64_t offset, int depth)
{
    if (depth > MAX_DEPTH)
        return hq_fail(walk->reason, HQ_EFORMAT, "%s: its directories are nested deeper than %d",
                       walk->file->source.name, MAX_DEPTH);
    uint64_t seek = 0;
    uint32_t size = 0;
    hq_error error = read_directory(walk, path, offset, &seek, &size);
    if (error || size == 0)
        return error;
    error = mark_seen(walk, path, seek);
    if (error)
        return error;
    uint8_t *raw = hq_try_alloc(size, (size_t)walk->file->source.size);
    if (!raw)
        return damaged(walk, path, offset, "its list of keys is longer than the file");
    error = source_read(&walk->file->source, seek, size, raw, walk->reason);
    if (!error) {
        hq_bytes bytes = bytes_over(raw, size);
        error = walk_keys(walk, path, seek, &bytes, depth);
    }
    free(raw);
    return error;
}

hq_error rootfile_find_trees(const hq_file *file, hq_tree_key **keys_r, size_t *count_r, hq_reason *reason)
{
    hq_walk walk = {.file = file, .reason = reason};
    hq_error error = walk_directory(&walk, "", file->begin + file->name_bytes, 0);
    free(walk.seen);
    if (error) {
        tree_keys_free(&walk.found, walk.count);
    } else {
        *keys_r = walk.found;
        *count_r = walk.count;
    }
    return error;
}

void tree_keys_free(hq_tree_key **keys_p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((*keys_p)[i].path);
        key_clear(&(*keys_p)[i].key);
    }
    free(*keys_p);
    *keys_p = NULL;
}

static bool is_latest(const hq_tree_key *keys, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t cycle = keys[i].key.cycle, own = keys[index].key.cycle;
        if (i != index && (cycle > own || (cycle == own && i < index)) && strcmp(keys[i].path, keys[index].path) == 0)
            return false;
    }
    return true;
}

hq_error rootfile_list(hq_file *file, hq_tree_name **names_r, size_t *count_r, hq_reason *reason)
{
    hq_tree_key *keys;
    size_t key_count, count = 0;
    hq_error error = rootfile_find_trees(file, &keys, &key_count, reason);
    if (error)
        return error;
    hq_tree_name *names = hq_calloc(key_count, sizeof *names);
    for (size_t i = 0; i < key_count; i++)
        if (is_latest(keys, key_count, i))
            names[count++] = (hq_tree_name){.path = hq_strdup(keys[i].path),
                                            .title = hq_strdup(keys[i].key.title),
                                            .cycle = keys[i].key.cycle,
                                            .is_rntuple = key_is_rntuple(&keys[i].key)};
    tree_keys_free(&keys, key_count);
    *names_r = names;
    *count_r = count;
    return HQ_OK;
}

void tree_names_free(hq_tree_name **names_p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((*names_p)[i].path);
        free((*names_p)[i].title);
    }
    free(*names_p);
    *names_p = NULL;
}
