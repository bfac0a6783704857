#include "query/program.h"

#include <string.h>

#include "base/memory.h"
#include "query/check.h"
#include "query/tree.h"

hq_program *typed_new(void)
{
    hq_arena *arena = arena_new();
    hq_program *program = arena_alloc(arena, sizeof *program);
    program->arena = arena;
    program->columns = schema_new();
    return program;
}

void program_free(hq_program **program_p)
{
    hq_program *program = *program_p;
    if (!program)
        return;
    hq_arena *arena = program->arena;
    schema_free(&program->columns);
    arena_free(&arena);
    *program_p = NULL;
}

static void parse(hq_source *source, const char *text, size_t length, const hq_schema *schema)
{
    source->text = "";
    if (length > HQ_MAX_TEXT)
        source_limit(source, (uint32_t)NO_PLACE, "the query is longer than %d bytes", HQ_MAX_TEXT);
    /* The zero behind it lets the lexer look past the last byte. */
    source->text = arena_copy(source->arena, text, length);
    source->length = length;
    const hq_node *tree = tree_parse(source);
    check_tree(source, schema, tree);
    source->program->fingerprint = typed_fingerprint(source->program);
}

hq_error program_parse(const char *text, size_t length, const hq_schema *schema, hq_program **program_r,
                       hq_complaint *complaint)
{
    hq_arena *arena = arena_new();
    hq_source *source = arena_alloc(arena, sizeof *source);
    source->arena = arena;
    source->complaint = complaint;
    if (setjmp(source->out) == 0)
        parse(source, text, length, schema);
    hq_error error = source->error;
    if (error)
        program_free(&source->program);
    else
        *program_r = source->program;
    arena_free(&arena);
    return error;
}

size_t program_column_count(const hq_program *program)
{
    return program->columns->count;
}

const hq_field *program_column(const hq_program *program, size_t index)
{
    return &program->columns->fields[index];
}

hq_hash program_fingerprint(const hq_program *program)
{
    return program->fingerprint;
}

hq_histset *program_new_hists(const hq_program *program)
{
    hq_hist **hists = hq_calloc(program->hist_count, sizeof *hists);
    for (size_t i = 0; i < program->hist_count; i++) {
        const hq_declared *declared = &program->hists[i];
        hists[i] = hist_new(declared->name, declared->axes, declared->axis_count, declared->storage);
    }
    hq_histset *set = histset_new(hists, program->hist_count);
    free(hists);
    return set;
}
