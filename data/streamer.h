/* data/streamer.h - inside the room: what classes the objects of a file have, as the file itself tells it.
 *
 * Every ROOT file carries a list of TStreamerInfo objects, one for each version of each class in it, with the members
 * in the order in which they are written. Class names are kept in one spelling, see class_spelling.
 */
#ifndef HQ_DATA_STREAMER_H
#define HQ_DATA_STREAMER_H

#include "data/rootfile.h"

enum { MAX_DIMENSIONS = 5 };

/* The type numbers of a member, ROOT's TVirtualStreamerInfo::EReadWrite, as far as hq names them. */
enum {
    TYPE_BASE = 0,
    TYPE_COUNTER = 6,
    TYPE_CHAR_STAR = 7,
    TYPE_DOUBLE32 = 9,
    TYPE_UINT8 = 11,
    TYPE_BITS = 15, /* of a TObject */
    TYPE_BOOL = 18,
    TYPE_FLOAT16 = 19,
    TYPE_ARRAY = 20,   /* added: an array of fixed size */
    TYPE_POINTED = 40, /* added: an array behind a pointer */
    TYPE_OBJECT = 61,
    TYPE_ANY = 62,
    TYPE_OBJECT_INLINE = 63, /* a pointer that is never null */
    TYPE_OBJECT_POINTER = 64,
    TYPE_STRING = 65, /* TString */
    TYPE_TOBJECT = 66,
    TYPE_TNAMED = 67,
    TYPE_ANY_INLINE = 68,
    TYPE_ANY_POINTER = 69,
    TYPE_ANY_POINTER_PLAIN = 70,
    TYPE_STL = 300,
    TYPE_STL_STRING = 365,
    TYPE_STREAMER = 500, /* an STL object, or a streamer of the class's own */
    TYPE_LOOP = 501,
};

typedef struct hq_class_member {
    char *name, *title;
    char *type_name;  /* as class_spelling has it */
    char *count_name; /* of an array behind a pointer: the member that counts; else NULL */
    int32_t type;
    int32_t base_version; /* of a base class; 0 if it is not known */
    uint32_t length;      /* of an array: the product of its dimensions */
    uint32_t dimensions[MAX_DIMENSIONS];
    size_t dimension_count;
} hq_class_member;

typedef struct hq_class {
    char *name; /* as class_spelling has it */
    int32_t version;
    uint32_t checksum;
    hq_class_member *members; /* bases first */
    size_t member_count, member_capacity;
} hq_class;

typedef struct hq_classes {
    hq_class *classes;
    size_t count, capacity;
} hq_classes;

/* Reads the list. HQ_EFORMAT, HQ_ELIMIT or HQ_EIO with the reason; a file without a list gives an empty one. */
hq_error classes_read(const hq_file *file, hq_classes **classes_r, hq_reason *reason);
void classes_free(hq_classes **classes_p);

/* The class of that name (spelled as class_spelling does) in that version, or if there is none in the newest one; NULL
 * if the file does not tell of it. */
const hq_class *classes_find(const hq_classes *classes, const char *name, int32_t version);

/* The one spelling of a C++ type's name: no "std::", no blanks but between two words ("unsigned int"). The caller frees
 * it. */
char *class_spelling(const char *name);

#endif
