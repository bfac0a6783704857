/* data/streamed.h - inside the room: objects as ROOT's TBufferFile streams them.
 *
 * An object has a frame, its byte count and its class's version; a pointer has before it a tag that names a class, or
 * refers to a class or an object that came earlier by its place, counted from the beginning of the record's key. The
 * objects that matter are remembered with their places; a class is looked up where the reference says its name stands.
 */
#ifndef HQ_DATA_STREAMED_H
#define HQ_DATA_STREAMED_H

#include "data/bytes.h"

enum { CLASS_NAME_SIZE = 64 };

typedef struct hq_object_place {
    uint32_t place;
    int kind; /* what the caller said the object is */
    void *object;
} hq_object_place;

typedef struct hq_streamed {
    hq_bytes bytes;
    uint32_t key_size; /* places are counted from the key's first byte, which lies so far before the object's */
    hq_object_place *places;
    size_t place_count, place_capacity;
} hq_streamed;

/* A frame's version and where it ends. ROOT's oldest frames have no byte count: the cursor turns bad. */
size_t frame_begin(hq_bytes *bytes, uint16_t *version_r);
static inline void frame_end(hq_bytes *bytes, size_t end)
{
    bytes_move_to(bytes, end);
}
void frame_skip(hq_bytes *bytes);

/* The bases that everything has: TObject, and TNamed (texts copied, NULL on a bad cursor). */
void streamed_object(hq_bytes *bytes);
void streamed_named(hq_bytes *bytes, char **name_r, char **title_r);
char *streamed_text(hq_bytes *bytes);

typedef struct hq_pointer {
    enum { POINTER_NULL, POINTER_NEW, POINTER_KNOWN, POINTER_UNKNOWN } is;
    char class_name[CLASS_NAME_SIZE]; /* of a new object, whose frame comes next */
    size_t end;                       /* of a new object */
    uint32_t place;                   /* under which a new object is to be remembered */
    int kind;                         /* of a known one */
    void *object;
} hq_pointer;

hq_pointer streamed_pointer(hq_streamed *streamed);
void streamed_remember(hq_streamed *streamed, const hq_pointer *pointer, int kind, void *object);

/* The head of a TObjArray: the number of pointers that follow (never more than there are bytes for), and its end. */
uint32_t streamed_array(hq_bytes *bytes, size_t *end_r);

void streamed_clear(hq_streamed *streamed);

#endif
