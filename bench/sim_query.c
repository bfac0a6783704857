#include "bench/sim_query.h"

#include <string.h>

#include "base/memory.h"
#include "query/program.h"

struct sim_queries {
    bool fills;
    sim_query **known;
    size_t count, capacity;
    char **names; /* of columns */
    size_t name_count, name_capacity;
    int64_t next_id;
};

sim_queries *sim_queries_new(bool fills)
{
    sim_queries *queries = hq_calloc(1, sizeof *queries);
    queries->fills = fills;
    return queries;
}

static void query_free(sim_query *query)
{
    file_table_free(&query->files, query->file_count);
    free(query->columns);
    buffer_clear(&query->contents);
    free(query);
}

void sim_queries_free(sim_queries **queries_p)
{
    sim_queries *queries = *queries_p;
    if (!queries)
        return;
    for (size_t i = 0; i < queries->count; i++)
        query_free(queries->known[i]);
    for (size_t i = 0; i < queries->name_count; i++)
        free(queries->names[i]);
    free(queries->names);
    free(queries->known);
    free(queries);
    *queries_p = NULL;
}

static uint32_t number_of_name(sim_queries *queries, const char *name)
{
    for (size_t i = 0; i < queries->name_count; i++)
        if (strcmp(queries->names[i], name) == 0)
            return (uint32_t)i;
    HQ_GROW(queries->names, queries->name_count, queries->name_capacity);
    queries->names[queries->name_count++] = hq_strdup(name);
    return (uint32_t)queries->name_count - 1;
}

static void fill_contents(const hq_program *program, hq_buffer *contents)
{
    hq_histset *hists = program_new_hists(program);
    for (size_t i = 0; i < hists->count; i++)
        for (size_t bin = 0; bin < hist_size(hists->hists[i]); bin++)
            hist_fill_bin(hists->hists[i], bin, 1.0 + (double)(bin % 7), 0.5);
    histset_encode(hists, contents);
    histset_free(&hists);
}

static hq_error read_program(sim_queries *queries, sim_query *query, const hq_message *message, hq_reason *reason)
{
    const char *text;
    size_t size;
    hq_schema *schema = NULL;
    hq_program *program = NULL;
    hq_complaint complaint;
    if (!message_get_text(message, "text", &text))
        return hq_fail(reason, HQ_EPROTOCOL, "QUERY without a text");
    const void *bytes = message_payload(message, 0, &size);
    hq_error error = schema_decode(bytes, size, &schema, reason);
    if (!error && program_parse(text, strlen(text), schema, &program, &complaint))
        error = hq_fail(reason, HQ_EPROTOCOL, "QUERY with a text that is wrong: %s", complaint.message);
    if (!error) {
        query->column_count = program_column_count(program);
        query->columns = hq_calloc(query->column_count, sizeof *query->columns);
        for (size_t i = 0; i < query->column_count; i++)
            query->columns[i] = number_of_name(queries, program_column(program, i)->name);
        if (queries->fills)
            fill_contents(program, &query->contents);
    }
    program_free(&program);
    schema_free(&schema);
    return error;
}

hq_error sim_queries_take(sim_queries *queries, const hq_message *message, sim_query **query_r, hq_reason *reason)
{
    int64_t handle;
    if (!message_get_int(message, "handle", 0, UINT32_MAX, &handle))
        return hq_fail(reason, HQ_EPROTOCOL, "QUERY without a handle");
    for (size_t i = queries->count; i > 0; i--)
        if (queries->known[i - 1]->handle == handle) {
            *query_r = queries->known[i - 1];
            (*query_r)->holders++;
            return HQ_OK;
        }
    sim_query *query = hq_calloc(1, sizeof *query);
    *query = (sim_query){.handle = (uint32_t)handle, .holders = 1, .id = queries->next_id++};
    size_t size;
    const void *table = message_payload(message, 1, &size);
    hq_error error = file_table_decode(table, size, &query->files, &query->file_count, reason);
    if (!error)
        error = read_program(queries, query, message, reason);
    if (error) {
        query_free(query);
        return error;
    }
    HQ_GROW(queries->known, queries->count, queries->capacity);
    queries->known[queries->count++] = query;
    *query_r = query;
    return HQ_OK;
}

void sim_queries_release(sim_queries *queries, sim_query **query_p)
{
    sim_query *query = *query_p;
    *query_p = NULL;
    if (!query || --query->holders > 0)
        return;
    size_t at = 0;
    while (queries->known[at] != query)
        at++;
    queries->known[at] = queries->known[--queries->count];
    query_free(query);
}
