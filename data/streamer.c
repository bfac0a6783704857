#include "data/streamer.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/memory.h"
#include "data/streamed.h"

enum {
    MAX_CLASSES = 1 << 14,
    MAX_MEMBERS = 1 << 12,      /* of one class */
    MAX_RECORD_BYTES = 1 << 28, /* of the list, decompressed */
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

char *class_spelling(const char *name)
{
    size_t length = 0;
    char *spelling = hq_alloc(strlen(name) + 1);
    for (const char *at = name; *at; at++) {
        bool begins = length == 0 || !is_word(spelling[length - 1]);
        if (begins && strncmp(at, "std::", 5) == 0) {
            at += 4;
            continue;
        }
        if (isspace((unsigned char)*at)) {
            if (!begins && is_word(at[1]))
                spelling[length++] = ' ';
            continue;
        }
        spelling[length++] = *at;
    }
    spelling[length] = 0;
    return spelling;
}

/* The members that every kind of TStreamerElement begins with. */
static void read_element_base(hq_bytes *bytes, hq_class_member *member)
{
    uint16_t version;
    size_t end = frame_begin(bytes, &version);
    streamed_named(bytes, &member->name, &member->title);
    member->type = bytes_i32(bytes);
    bytes_u32(bytes); /* its size in memory */
    int32_t length = bytes_i32(bytes);
    bytes_u32(bytes); /* number of dimensions, which the dimensions tell too */
    uint32_t dimensions = version == 1 ? bytes_u32(bytes) : MAX_DIMENSIONS;
    uint64_t product = 1;
    for (uint32_t i = 0; i < dimensions && !bytes->wrong; i++) {
        int32_t dimension = bytes_i32(bytes);
        if (i < MAX_DIMENSIONS && dimension > 0 && member->dimension_count == i && product <= INT32_MAX) {
            member->dimensions[member->dimension_count++] = (uint32_t)dimension;
            product *= (uint32_t)dimension;
        }
    }
    member->length = length > 0 ? (uint32_t)length : 0;
    if (product != member->length) {
        member->dimensions[0] = member->length;
        member->dimension_count = member->length > 0;
    }
    char *type_name = streamed_text(bytes);
    member->type_name = type_name ? class_spelling(type_name) : NULL;
    free(type_name);
    frame_end(bytes, end);
}

static void read_member(hq_bytes *bytes, const char *class_name, hq_class_member *member)
{
    uint16_t version;
    size_t end = frame_begin(bytes, &version);
    if (strcmp(class_name, "TStreamerSTLstring") == 0)
        frame_begin(bytes, &version); /* it is a TStreamerSTL */
    read_element_base(bytes, member);
    bool is_bool = member->type_name && strcmp(member->type_name, "bool") == 0;
    if (member->type == TYPE_UINT8 && (is_bool || (member->type_name && strcmp(member->type_name, "Bool_t") == 0)))
        member->type = TYPE_BOOL; /* before ROOT 4 there was no number for it */
    if (strcmp(class_name, "TStreamerBase") == 0 && version > 2) {
        member->base_version = bytes_i32(bytes);
    } else if (strcmp(class_name, "TStreamerBasicPointer") == 0 || strcmp(class_name, "TStreamerLoop") == 0) {
        bytes_u32(bytes); /* version of the class that has the counter */
        member->count_name = streamed_text(bytes);
    }
    frame_end(bytes, end);
}

static void read_members(hq_streamed *streamed, hq_class *info)
{
    hq_bytes *bytes = &streamed->bytes;
    hq_pointer array = streamed_pointer(streamed);
    if (array.is != POINTER_NEW)
        return;
    size_t end;
    uint32_t count = streamed_array(bytes, &end);
    if (count > MAX_MEMBERS)
        bytes_fail(bytes, "a class with more than 4096 members");
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        hq_pointer pointer = streamed_pointer(streamed);
        if (pointer.is != POINTER_NEW)
            continue;
        HQ_GROW(info->members, info->member_count, info->member_capacity);
        hq_class_member *member = &info->members[info->member_count++];
        *member = (hq_class_member){0};
        read_member(bytes, pointer.class_name, member);
        bytes_move_to(bytes, pointer.end);
    }
    frame_end(bytes, end);
}

static void read_class(hq_streamed *streamed, hq_classes *classes)
{
    hq_bytes *bytes = &streamed->bytes;
    if (classes->count == MAX_CLASSES)
        bytes_fail(bytes, "more than 16384 classes");
    HQ_GROW(classes->classes, classes->count, classes->capacity);
    hq_class *info = &classes->classes[classes->count++];
    *info = (hq_class){0};
    uint16_t version;
    char *name = NULL, *title = NULL;
    size_t end = frame_begin(bytes, &version);
    streamed_named(bytes, &name, &title);
    info->name = name ? class_spelling(name) : NULL;
    free(name);
    free(title);
    info->checksum = bytes_u32(bytes);
    info->version = bytes_i32(bytes);
    read_members(streamed, info);
    frame_end(bytes, end);
}

/* A TList: frame, TObject, name, number, and for each object a pointer and a text, its option. */
static void read_list(hq_streamed *streamed, hq_classes *classes)
{
    hq_bytes *bytes = &streamed->bytes;
    uint16_t version;
    size_t length;
    frame_begin(bytes, &version);
    streamed_object(bytes);
    bytes_text(bytes, &length);
    uint32_t count = bytes_u32(bytes);
    for (uint32_t i = 0; i < count && !bytes->wrong; i++) {
        hq_pointer pointer = streamed_pointer(streamed);
        if (pointer.is == POINTER_NEW && strcmp(pointer.class_name, "TStreamerInfo") == 0)
            read_class(streamed, classes);
        if (pointer.is == POINTER_NEW)
            bytes_move_to(bytes, pointer.end); /* the rules of schema evolution are a list in this list */
        bytes_text(bytes, &length);
    }
}

static hq_error read_record_key(const hq_file *file, hq_key *key_r, hq_reason *reason)
{
    uint64_t seek = file->classes_seek;
    size_t size = file->classes_size;
    uint8_t *record = seek < file->source.size ? hq_try_alloc(size, (size_t)(file->source.size - seek)) : NULL;
    if (!record)
        return hq_fail(reason, HQ_EFORMAT, "%s: the list of its classes at offset %" PRIu64 " lies behind its end",
                       file->source.name, seek);
    hq_error error = source_read(&file->source, seek, size, record, reason);
    hq_bytes bytes = bytes_over(record, size);
    if (!error) {
        key_read(&bytes, key_r);
        key_r->seek = seek;
        if (bytes.wrong || key_r->record_size > size || key_r->object_size > MAX_RECORD_BYTES)
            error = hq_fail(reason, HQ_EFORMAT, "%s: the list of its classes at offset %" PRIu64 ": %s",
                            file->source.name, seek, bytes.wrong ? bytes.wrong : "its sizes cannot be");
    }
    free(record);
    return error;
}

hq_error classes_read(const hq_file *file, hq_classes **classes_r, hq_reason *reason)
{
    if (file->classes_seek == 0 || file->classes_size == 0) {
        *classes_r = hq_calloc(1, sizeof **classes_r);
        return HQ_OK;
    }
    hq_key key = {0};
    uint8_t *object = NULL;
    hq_error error = read_record_key(file, &key, reason);
    if (!error)
        error = rootfile_read_object(file, &key, &object, reason);
    if (error) {
        key_clear(&key);
        return error;
    }
    hq_classes *classes = hq_calloc(1, sizeof *classes);
    hq_streamed streamed = {.bytes = bytes_over(object, key.object_size), .key_size = key.header_size};
    read_list(&streamed, classes);
    if (streamed.bytes.wrong) {
        error = hq_fail(reason, HQ_EFORMAT, "%s: the list of its classes at offset %" PRIu64 ", byte %zu: %s",
                        file->source.name, key.seek, streamed.bytes.wrong_at, streamed.bytes.wrong);
        classes_free(&classes);
    } else {
        *classes_r = classes;
    }
    streamed_clear(&streamed);
    key_clear(&key);
    free(object);
    return error;
}

static void class_clear(hq_class *info)
{
    for (size_t i = 0; i < info->member_count; i++) {
        free(info->members[i].name);
        free(info->members[i].title);
        free(info->members[i].type_name);
        free(info->members[i].count_name);
    }
    free(info->members);
    free(info->name);
}

void classes_free(hq_classes **classes_p)
{
    hq_classes *classes = *classes_p;
    if (!classes)
        return;
    for (size_t i = 0; i < classes->count; i++)
        class_clear(&classes->classes[i]);
    free(classes->classes);
    free(classes);
    *classes_p = NULL;
}

const hq_class *classes_find(const hq_classes *classes, const char *name, int32_t version)
{
    const hq_class *found = NULL;
    for (size_t i = 0; i < classes->count; i++) {
        const hq_class *info = &classes->classes[i];
        if (strcmp(info->name, name) != 0)
            continue;
        if (info->version == version)
            return info;
        if (!found || info->version > found->version)
            found = info;
    }
    return found;
}
