#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/recalled.h"

enum {
    MAX_PLAN = 1 << 20,   /* bytes: a file with more borders than that is opened each time */
    MAX_SCHEMA = 8 << 20, /* bytes: likewise one with so many columns */
};

typedef struct sought { /* the key of a file's plan, or of a file's schema */
    hq_hash key;
    size_t file;
} sought;

typedef struct known_schema {
    hq_hash key;
    hq_schema *schema;
} known_schema;

struct hq_recalled {
    hq_shelf_counts *counts;
    hq_file_plan *plans; /* for each file that is wanted; tree NULL: nothing is known */
    size_t count;
    sought *sought; /* by key */
    size_t sought_count;
    known_schema *schemas;
    size_t schema_count, schema_capacity;
};

void shelf_clear(hq_shelf *shelf)
{
    for (size_t i = 0; i < shelf->record_count; i++)
        free((void *)shelf->records[i].bytes);
    free(shelf->records);
    shelf->records = NULL;
    shelf->record_count = shelf->record_capacity = 0;
    free(shelf->schemas);
    shelf->schemas = NULL;
    shelf->schema_count = shelf->schema_capacity = 0;
}

static int compare_keys(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(hq_hash)); /* which both a sought and a known_schema begin with */
}

/* The first of those with that key; a file that is wanted twice is refused later. */
static const sought *find_sought(const hq_recalled *recalled, const hq_hash *key)
{
    return bsearch(key, recalled->sought, recalled->sought_count, sizeof *recalled->sought, compare_keys);
}

static void found_bad(hq_recalled *recalled, const hq_hash *key, const char *why)
{
    char text[HQ_HASH_TEXT];
    hash_to_text(key, text);
    recalled->counts->bad++;
    hq_log(HQ_LOG_WARN, "data", "record %s of a file's plan is of no use, the file is opened: %s", text, why);
}

static void take_plan(void *taker, const hq_record *record)
{
    hq_recalled *recalled = taker;
    const sought *of = find_sought(recalled, &record->key);
    hq_file_plan plan;
    hq_reason reason;
    if (!of || recalled->plans[of->file].tree)
        return;
    if (record->size > MAX_PLAN)
        found_bad(recalled, &record->key, "it is longer than any that is kept");
    else if (fileplan_decode(record->bytes, record->size, &plan, &reason))
        found_bad(recalled, &record->key, reason.text);
    else
        recalled->plans[of->file] = plan;
}

static void take_schema(void *taker, const hq_record *record)
{
    hq_recalled *recalled = taker;
    hq_hash is = fileplan_schema_key(record->bytes, record->size);
    hq_schema *schema;
    hq_reason reason;
    if (!find_sought(recalled, &record->key))
        return;
    if (record->size > MAX_SCHEMA) {
        found_bad(recalled, &record->key, "it is longer than any that is kept");
    } else if (memcmp(&is, &record->key, sizeof is) != 0) {
        found_bad(recalled, &record->key, "its bytes are not those that it is named for");
    } else if (schema_decode(record->bytes, record->size, &schema, &reason)) {
        found_bad(recalled, &record->key, reason.text);
    } else {
        HQ_GROW(recalled->schemas, recalled->schema_count, recalled->schema_capacity);
        recalled->schemas[recalled->schema_count++] = (known_schema){record->key, schema};
    }
}

/* Sorts what is sought and asks for it, each key once. */
static void ask(const hq_shelf *shelf, hq_recalled *recalled, hq_shelf_take *take)
{
    hq_hash *keys = hq_calloc(recalled->sought_count + 1, sizeof *keys);
    size_t count = 0;
    qsort(recalled->sought, recalled->sought_count, sizeof *recalled->sought, compare_keys);
    for (size_t i = 0; i < recalled->sought_count; i++)
        if (count == 0 || compare_keys(&keys[count - 1], &recalled->sought[i]) != 0)
            keys[count++] = recalled->sought[i].key;
    if (count > 0)
        shelf->look_up(shelf->context, keys, count, take, recalled);
    free(keys);
}

/* Gives each plan its schema; those whose schema is not there are as if they were not. */
static void join_schemas(hq_recalled *recalled)
{
    if (recalled->schema_count > 0)
        qsort(recalled->schemas, recalled->schema_count, sizeof *recalled->schemas, compare_keys);
    for (size_t i = 0; i < recalled->count; i++) {
        hq_file_plan *plan = &recalled->plans[i];
        const known_schema *known = NULL;
        if (plan->tree && recalled->schema_count > 0)
            known = bsearch(&plan->schema_key, recalled->schemas, recalled->schema_count, sizeof *recalled->schemas,
                            compare_keys);
        if (known)
            plan->schema = known->schema;
        else
            fileplan_clear(plan);
    }
}

hq_recalled *shelf_recall(hq_shelf *shelf, const hq_wanted *wanted)
{
    hq_recalled *recalled = hq_calloc(1, sizeof *recalled);
    *recalled = (hq_recalled){.counts = &shelf->counts,
                              .plans = hq_calloc(wanted->count, sizeof *recalled->plans),
                              .count = wanted->count,
                              .sought = hq_calloc(wanted->count, sizeof *recalled->sought)};
    if (!shelf->look_up)
        return recalled;
    for (size_t i = 0; i < wanted->count; i++)
        recalled->sought[i] = (sought){fileplan_key(wanted->files[i].path, wanted->files[i].tree), i};
    recalled->sought_count = wanted->count;
    ask(shelf, recalled, take_plan);
    recalled->sought_count = 0;
    for (size_t i = 0; i < wanted->count; i++)
        if (recalled->plans[i].tree)
            recalled->sought[recalled->sought_count++] = (sought){recalled->plans[i].schema_key, i};
    ask(shelf, recalled, take_schema);
    join_schemas(recalled);
    return recalled;
}

void recalled_free(hq_recalled **recalled_p)
{
    hq_recalled *recalled = *recalled_p;
    if (!recalled)
        return;
    for (size_t i = 0; i < recalled->count; i++)
        fileplan_clear(&recalled->plans[i]);
    for (size_t i = 0; i < recalled->schema_count; i++)
        schema_free(&recalled->schemas[i].schema);
    free(recalled->plans);
    free(recalled->sought);
    free(recalled->schemas);
    free(recalled);
    *recalled_p = NULL;
}

const hq_file_plan *recalled_plan(const hq_recalled *recalled, size_t file)
{
    return recalled->plans[file].tree ? &recalled->plans[file] : NULL;
}

/* Takes the bytes over. */
static void add_record(hq_shelf *shelf, const hq_hash *key, hq_buffer *bytes)
{
    HQ_GROW(shelf->records, shelf->record_count, shelf->record_capacity);
    shelf->records[shelf->record_count++] = (hq_record){*key, bytes->bytes, (uint32_t)bytes->size};
    *bytes = (hq_buffer){0};
}

/* Files of one data set have few schemas. */
static bool note_schema(hq_shelf *shelf, const hq_hash *key)
{
    for (size_t i = 0; i < shelf->schema_count; i++)
        if (memcmp(&shelf->schemas[i], key, sizeof *key) == 0)
            return false;
    HQ_GROW(shelf->schemas, shelf->schema_count, shelf->schema_capacity);
    shelf->schemas[shelf->schema_count++] = *key;
    return true;
}

hq_new_plan shelf_encode(const hq_wanted_file *wanted, const hq_file_plan *plan)
{
    hq_new_plan fresh = {.key = fileplan_key(wanted->path, wanted->tree)};
    schema_encode(plan->schema, &fresh.schema);
    fresh.schema_key = fileplan_schema_key(fresh.schema.bytes, fresh.schema.size);
    fileplan_encode(plan, &fresh.schema_key, &fresh.bytes);
    return fresh;
}

void shelf_add(hq_shelf *shelf, hq_new_plan *plan)
{
    if (plan->bytes.size <= MAX_PLAN && plan->schema.size <= MAX_SCHEMA) {
        if (note_schema(shelf, &plan->schema_key))
            add_record(shelf, &plan->schema_key, &plan->schema); /* before those that name it */
        add_record(shelf, &plan->key, &plan->bytes);
    }
    buffer_clear(&plan->schema);
    buffer_clear(&plan->bytes);
}
