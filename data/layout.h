/* data/layout.h - inside the room: how the bytes of an entry lie, as a tree of nodes.
 *
 * A branch whose entries are more than plain numbers in a row is laid out as nodes, after the C++ type that the branch
 * or the file's classes name. Each number in the tree can be a column of its own; on the way down to it every list,
 * array and map is one level of the column's lists.
 */
#ifndef HQ_DATA_LAYOUT_H
#define HQ_DATA_LAYOUT_H

#include "data/model.h"
#include "data/streamer.h"
#include "data/values.h"

typedef enum hq_node_kind {
    NODE_NUMBER,
    NODE_BITS,      /* of a TObject: four bytes, and two more if one of the bits says so */
    NODE_TOBJECT,   /* a TObject as a base or a member */
    NODE_TEXT,      /* one byte of length, or 255 and four; nothing hq has columns of */
    NODE_LONG_TEXT, /* four bytes of length */
    NODE_RECORD,    /* its children one after the other */
    NODE_LIST,      /* a number of items, and its child so many times */
    NODE_ARRAY,     /* its child a fixed number of times */
    NODE_COUNTED,   /* its child as many times as a member before it said */
    NODE_REST,      /* its child up to the end of the frame, or of the entry */
    NODE_POINTER,   /* to an object: what hq steps over */
    NODE_OPAQUE,    /* an object with a frame that hq steps over */
    NODE_UNKNOWN,   /* something without a frame: what lies behind it cannot be found */
} hq_node_kind;

typedef struct hq_node hq_node;

typedef struct hq_child {
    const char *name; /* NULL: no column is made of it, and its children's names stand for themselves */
    const hq_node *node;
    bool is_base;
} hq_child;

struct hq_node {
    hq_node_kind kind;
    bool is_framed;     /* it begins with byte count and version */
    bool is_row_framed; /* likewise, but once for all, where one member of many objects comes after the other */
    bool has_flag;      /* NODE_COUNTED: a byte comes first */
    uint32_t count;     /* NODE_ARRAY */
    uint32_t slot; /* NODE_NUMBER: where its value goes for others to count by, NODE_COUNTED: where it is; 0: nowhere */
    uint32_t least;     /* bytes that it takes at least, 0 only if it may take none */
    hq_number number;   /* NODE_NUMBER */
    const char *reason; /* NODE_POINTER, NODE_OPAQUE, NODE_UNKNOWN, and texts: why there is no column */
    const char *name;   /* of a NODE_RECORD's class */
    int32_t version;    /* NODE_RECORD: what its frame must say */
    uint32_t checksum;  /* likewise, if it says version 0 */
    hq_child *children;
    size_t child_count, child_capacity;
};

enum { MAX_SLOTS = 64 };

typedef struct hq_layouts {
    const hq_file *file;
    hq_classes *classes; /* read when first needed */
    char *classes_wrong; /* why they could not be */
    hq_node **nodes;     /* all there are, for releasing */
    size_t node_count, node_capacity;
    char **texts; /* likewise */
    size_t text_count, text_capacity;
    struct hq_known_class *known;
    size_t known_count, known_capacity;
    uint32_t slot_count;
} hq_layouts;

/* Everything that is made belongs to layouts. */
void layouts_clear(hq_layouts *layouts);

/* The layout of the entries of a branch with one leaf, a TLeafElement; never NULL. */
const hq_node *layout_branch(hq_layouts *layouts, const hq_branch *branch, const hq_leaf *leaf);

/* The title of the member that a leaf is of, for what packs its numbers; "" if that is not known. */
const char *layout_member_title(hq_layouts *layouts, const hq_branch *branch);

/* The numeric type of a type number below TYPE_ARRAY; false for what is none, or packed. */
bool type_of_number(int32_t number, hq_type *type_r);

#endif
