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
    free(schema);
    *schema_p = NULL;
}

static void append(hq_schema *schema, hq_field field)
{
    HQ_GROW(schema->fields, schema->count, schema->capacity);
    schema->fields[schema->count++] = field;
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
    for (size_t i = 0; i < schema->count; i++)
        if (strcmp(schema->fields[i].name, name) == 0)
            return &schema->fields[i];
    return NULL;
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
    append(schema, field);
    return !cursor->bad && type < HQ_TYPE_COUNT && field.depth <= HQ_MAX_DEPTH &&
           (!field.collection || field.depth <= 1);
}

static int compare_names(const void *one, const void *other)
{
    return strcmp((*(const hq_field *const *)one)->name, (*(const hq_field *const *)other)->name);
}

/* By sorting: a peer may send very many. */
static bool names_are_unique(const hq_schema *schema)
{
    const hq_field **sorted = hq_calloc(schema->count, sizeof *sorted);
    for (size_t i = 0; i < schema->count; i++)
        sorted[i] = &schema->fields[i];
    qsort(sorted, schema->count, sizeof *sorted, compare_names);
    bool is_unique = true;
    for (size_t i = 1; i < schema->count && is_unique; i++)
        is_unique = compare_names(&sorted[i - 1], &sorted[i]) != 0;
    free(sorted);
    return is_unique;
}

hq_error schema_decode(const void *bytes, size_t size, hq_schema **schema_r, hq_reason *reason)
{
    hq_cursor cursor = cursor_over(bytes, size);
    uint32_t count = cursor_u32(&cursor);
    hq_schema *schema = schema_new();
    bool is_good = !cursor.bad && count <= MAX_FIELDS;
    for (uint32_t i = 0; is_good && i < count; i++)
        is_good = decode_field(&cursor, schema);
    if (!is_good || !cursor_is_complete(&cursor) || !names_are_unique(schema)) {
        schema_free(&schema);
        return hq_fail(reason, HQ_EFORMAT, "these %zu bytes are not a schema", size);
    }
    *schema_r = schema;
    return HQ_OK;
}
