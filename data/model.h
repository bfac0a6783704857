/* data/model.h - inside the room: a tree as its record describes it, before any thought of columns.
 *
 * Everything here belongs to the model and lives as long as it does.
 */
#ifndef HQ_DATA_MODEL_H
#define HQ_DATA_MODEL_H

#include "data/rootfile.h"

typedef struct hq_branch hq_branch;

typedef struct hq_leaf {
    char *class_name; /* "TLeafF" */
    char *name, *title;
    int32_t length; /* values of one item: the product of the fixed dimensions */
    bool is_unsigned;
    int32_t element_type;    /* of a TLeafElement: the type's number in ROOT's streamer infos */
    struct hq_leaf *counter; /* how many items an entry has; NULL: one */
    hq_branch *branch;       /* NULL if no branch claimed it */
} hq_leaf;

/* A stretch of a branch's entries and where its bytes are. */
typedef struct hq_basket {
    uint64_t first, last; /* entries, last exclusive */
    uint64_t seek;        /* in the file; 0 if embedded */
    uint32_t size;        /* in the file, key included */
    uint8_t *embedded;    /* the data, as they lie in the tree's own record */
    uint8_t *offsets;     /* of an embedded basket: big-endian 32 bits for each entry, or NULL */
    uint32_t border;      /* of an embedded basket: size of its data */
    uint32_t origin;      /* of an embedded basket: what the first byte's offset is */
} hq_basket;

enum {
    BRANCH_WHOLE = -1, /* kinds of a TBranchElement: an object that its class's own streamer wrote, with a frame */
    BRANCH_LEAF = 0,
    BRANCH_CLONES = 3, /* a TClonesArray: its data count its objects */
    BRANCH_STL = 4,    /* an STL collection: likewise */
    BRANCH_OF_CLONES = 31,
    BRANCH_OF_STL = 41,
};

struct hq_branch {
    char *class_name; /* "TBranch", "TBranchElement" … */
    char *name, *title;
    char *type_name; /* of a TBranchElement or TBranchObject: the C++ class; else NULL */
    int32_t kind;    /* of a TBranchElement, else BRANCH_LEAF */
    int32_t member;  /* of a TBranchElement: which of its class's members it is; negative: it is no member */
    int32_t class_version;
    uint64_t entries, true_bytes, file_bytes;
    hq_branch *parent;
    hq_branch *count_branch;
    hq_leaf **leaves;
    size_t leaf_count, leaf_capacity;
    hq_branch **branches;
    size_t branch_count, branch_capacity;
    hq_basket *baskets; /* those with entries, ascending and without gap from entry 0 */
    size_t basket_count;
    char *unreadable; /* why its baskets cannot be read; NULL if they can */
};

typedef struct hq_model {
    uint64_t entries;
    int64_t auto_flush;                 /* entries of a cluster after the ranges, if positive */
    uint64_t *range_ends, *range_sizes; /* first entry behind a range of clusters; entries of one of its clusters */
    size_t range_count;
    hq_branch **branches; /* the outermost */
    size_t branch_count, branch_capacity;
    hq_branch **all_branches; /* for releasing */
    size_t all_branch_count, all_branch_capacity;
    hq_leaf **all_leaves;
    size_t all_leaf_count, all_leaf_capacity;
} hq_model;

/* The model of a streamed tree: HQ_EFORMAT (with the place in the record) or HQ_EUNSUPPORTED (a version of a class that
 * hq does not know), both naming file and tree. */
hq_error model_read(const hq_file *file, const hq_tree_key *key, hq_model **model_r, hq_reason *reason);
void model_free(hq_model **model_p);

#endif
