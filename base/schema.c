#include "base/schema.h"

#include <string.h>

enum { MAX_FIELDS = 1 << 20, MAX_NAME = 4096, HAS_COLLECTION = 1 };

hq_schema *schema_new(void)
{
    return hq_calloc(1, sizeof(hq_schema));
}

void schema_free(hq_schema **schema_p)
{
    hq_schema *schema = *schema_p;
    if (!schema)
        return;
    for (size_t i = 0; i < schema->count; i++) {
        free(schema->fields[i].name);
        free(schema->fields[i].collection);
        free(schema->fields[i].member);
    }
    free(schema->fields);
    free(schema->slots);
    free(schema);
    *schema_p = NULL;
}

/* Where the name is, or would be. There are more slots than names. */
static size_t *find_slot(const hq_schema *schema, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    size_t mask = schema->slot_count - 1, place = (size_t)(hash ^ hash >> 32) & mask;
    while (schema->slots[place] && strcmp(schema->fields[schema->slots[place] - 1].name, name) != 0)
        place = (place + 1) & mask;
    return &schema->slots[place];
}

/* Half of the slots stay free. */
static void grow_slots(hq_schema *schema)
{
    if (2 * (schema->count + 1) <= schema->slot_count)
        return;
    free(schema->slots);
    schema->slot_count = schema->slot_count ? 2 * schema->slot_count : 64;
    schema->slots = hq_calloc(schema->slot_count, sizeof *schema->slots);
    for (size_t i = 0; i < schema->count; i++)
        *find_slot(schema, schema->fields[i].name) = i + 1;
}

/* Takes the field over; its name is not there yet. */
static void append(hq_schema *schema, hq_field field)
{
    HQ_GROW(schema->fields, schema->count, schema->capacity);
    grow_slots(schema);
    schema->fields[schema->count++] = field;
    *find_slot(schema, field.name) = schema->count;
}

static hq_field field_of(const char *name, const char *collection, const char *member, hq_type type, unsigned depth)
{
    return (hq_field){.name = hq_strdup(name),
                      .collection = hq_strdup(collection),
                      .member = hq_strdup(member),
                      .type = type,
                      .depth = (uint8_t)depth};
}

hq_schema *schema_copy(const hq_schema *schema)
{
    hq_schema *copy = schema_new();
    for (size_t i = 0; i < schema->count; i++) {
        const hq_field *field = &schema->fields[i];
        append(copy, field_of(field->name, field->collection, field->member, field->type, field->depth));
    }
    return copy;
}

hq_error schema_add(hq_schema *schema, const char *name, const char *collection, const char *member, hq_type type,
                    unsigned depth)
{
    if (schema_find(schema, name))
        return HQ_EEXISTS;
    append(schema, field_of(name, collection, member, type, depth));
    return HQ_OK;
}

const hq_field *schema_find(const hq_schema *schema, const char *name)
{
    size_t slot = schema->slot_count > 0 ? *find_slot(schema, name) : 0;
    return slot > 0 ? &schema->fields[slot - 1] : NULL;
}

const hq_field *schema_find_member(const hq_schema *schema, const char *collection, const char *member)
{
    for (size_t i = 0; i < schema->count; i++) {
        const hq_field *field = &schema->fields[i];
        if (field->collection && strcmp(field->collection, collection) == 0 && strcmp(field->member, member) == 0)
            return field;
    }
    return NULL;
}

bool schema_has_collection(const hq_schema *schema, const char *collection)
{
    for (size_t i = 0; i < schema->count; i++)
        if (schema->fields[i].collection && strcmp(schema->fields[i].collection, collection) == 0)
            return true;
    return false;
}

bool schema_agrees(const hq_schema *one, const hq_schema *other, const char *const *names, size_t count,
                   const char **name_r)
{
    for (size_t i = 0; i < count; i++) {
        const hq_field *a = schema_find(one, names[i]), *b = schema_find(other, names[i]);
        if (!a || !b || a->type != b->type || a->depth != b->depth) {
            *name_r = names[i];
            return false;
        }
    }
    return true;
}

void schema_encode(const hq_schema *schema, hq_buffer *buffer)
{
    buffer_u32(buffer, (uint32_t)schema->count);
    for (size_t i = 0; i < schema->count; i++) {
        const hq_field *field = &schema->fields[i];
        buffer_u8(buffer, (uint8_t)field->type);
        buffer_u8(buffer, (uint8_t)(field->depth << 1 | (field->collection ? HAS_COLLECTION : 0)));
        buffer_text(buffer, field->name);
        if (field->collection) {
            buffer_text(buffer, field->collection);
            buffer_text(buffer, field->member);
        }
    }
}

/* Appends a field. False for bytes that are none, and for one whose name is there already: a peer may send anything. */
static bool decode_field(hq_cursor *cursor, hq_schema *schema)
{
    hq_field field = {0};
    uint8_t type = cursor_u8(cursor), flags = cursor_u8(cursor);
    field.type = (hq_type)type;
    field.depth = flags >> 1;
    field.name = cursor_text(cursor, MAX_NAME);
    if (flags & HAS_COLLECTION) {
        field.collection = cursor_text(cursor, MAX_NAME);
        field.member = cursor_text(cursor, MAX_NAME);
    }
    bool is_good = !cursor->bad && type < HQ_TYPE_COUNT && field.depth <= HQ_MAX_DEPTH &&
                   (!field.collection || field.depth <= 1) && !schema_find(schema, field.name);
    if (is_good) {
        append(schema, field);
    } else {
        free(field.name);
        free(field.collection);
        free(field.member);
    }
    return is_good;
}

hq_error schema_decode(const void *bytes, size_t size, hq_schema **schema_r, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    uint32_t count = cursor_u32(&cursor);
    hq_schema *schema = schema_new();
    bool is_good = !cursor.bad && count <= MAX_FIELDS;
    for (uint32_t i = 0; is_good && i < count; i++)
        is_good = decode_field(&cursor, schema);
    if (!is_good || !cursor_is_complete(&cursor)) {
        schema_free(&schema);
        return hq_fail(reason, HQ_EFORMAT, "these %zu bytes are not a schema", size);
    }
    *schema_r = schema;
    return HQ_OK;
}
