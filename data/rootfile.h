/* data/rootfile.h - inside the room: the container. File header, keys, directories, records.
 */
#ifndef HQ_DATA_ROOTFILE_H
#define HQ_DATA_ROOTFILE_H

#include "data/bytes.h"
#include "data/source.h"
#include "data/tree.h"

struct hq_file {
    hq_source source;
    int32_t version; /* of ROOT, 62406 is 6.24/06; 1000000 more if file pointers are wide */
    uint64_t begin, end;
    uint32_t name_bytes;   /* from begin to the root directory's record */
    uint64_t classes_seek; /* the record that tells of the classes in it; 0: there is none */
    uint32_t classes_size;
    uint8_t uuid[16];
    hq_hash identity;
    size_t record_limit; /* no streamed tree may be larger */
};

/* Who a file is, as rootfile_identity tells it; version may be NULL. */
hq_hash rootfile_identity_of(const uint8_t uuid[16], uint64_t size, int64_t modified_ns, const char *version);

/* What stands before every record, and once more in its directory's list. */
typedef struct hq_key {
    uint32_t record_size; /* header and data as they lie in the file */
    uint32_t object_size; /* the data, decompressed */
    uint16_t header_size;
    uint16_t cycle;
    uint64_t seek;
    char *class_name, *name, *title;
} hq_key;

/* Reads a key's header; on a bad cursor the key is empty. */
void key_read(hq_bytes *bytes, hq_key *key_r);
void key_clear(hq_key *key);

/* The same in two steps and without a copy of the texts, as for a basket, which has no use for them. The record may
 * have size 0: that of an embedded basket, which has no place in the file. */
void key_read_front(hq_bytes *bytes, hq_key *key_r);
void key_skip_texts(hq_bytes *bytes);

/* A tree or an RNTuple: where in the directories, and its key. */
typedef struct hq_tree_key {
    char *path;
    hq_key key;
} hq_tree_key;

/* Every cycle of every tree, in the order of the directories. */
hq_error rootfile_find_trees(const hq_file *file, hq_tree_key **keys_r, size_t *count_r, hq_reason *reason);
void tree_keys_free(hq_tree_key **keys_p, size_t count);
bool key_is_rntuple(const hq_key *key);

/* The data of a key's record, decompressed; the caller frees it. It has key->object_size bytes. */
hq_error rootfile_read_object(const hq_file *file, const hq_key *key, uint8_t **object_r, hq_reason *reason);

/* A file in memory, which must stay as long as the file is open. */
hq_error rootfile_open_memory(const char *name, const void *bytes, size_t size, size_t record_limit, hq_file **file_r,
                              hq_reason *reason);

#endif
