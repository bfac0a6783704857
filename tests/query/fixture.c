#include "tests/query/fixture.h"

test_table *table_new(uint64_t entries)
{
    test_table *fresh = hq_calloc(1, sizeof *fresh);
    fresh->schema = schema_new();
    fresh->entries = entries;
    return fresh;
}

void table_free(test_table **table_p)
{
    test_table *old = *table_p;
    for (size_t i = 0; i < old->schema->count; i++)
        column_free(&old->columns[i]);
    schema_free(&old->schema);
    free(old);
    *table_p = NULL;
}

static hq_column *add(test_table *table, const char *name, const char *collection, const char *member, hq_type type,
                      uint64_t value_count, bool is_jagged, const void *values)
{
    size_t index = table->schema->count;
    assert_true(index < MAX_COLUMNS);
    assert_int_equal(schema_add(table->schema, name, collection, member, type, is_jagged), HQ_OK);
    hq_column *column = column_new(type, table->entries, value_count, is_jagged, SIZE_MAX);
    assert_non_null(column);
    if (value_count)
        memcpy(column->values, values, value_count * hq_type_size(type));
    table->columns[index] = column;
    return column;
}

void table_flat(test_table *table, const char *name, hq_type type, const void *values)
{
    add(table, name, NULL, NULL, type, table->entries, false, values);
}

void table_jagged(test_table *table, const char *name, const char *collection, const char *member, hq_type type,
                  const uint32_t *counts, const void *values)
{
    uint32_t total = 0;
    for (uint64_t i = 0; i < table->entries; i++)
        total += counts[i];
    hq_column *column = add(table, name, collection, member, type, total, true, values);
    column->offsets[0] = 0;
    for (uint64_t i = 0; i < table->entries; i++)
        column->offsets[i + 1] = column->offsets[i] + counts[i];
}

test_table *table_of_muons(void)
{
    static const uint32_t MUONS[] = {0, 1, 2, 3};
    static const float PT[] = {10, 20, 30, 40, 50, 60};
    static const float ETA[] = {0.5F, -0.25F, 1.5F, 0.75F, -2, 0.125F};
    static const float PHI[] = {0.25F, 3, -1, 2, -2.5F, 1};
    static const int32_t CHARGE[] = {1, 1, -1, -1, 1, 1};
    static const uint8_t TIGHT[] = {1, 0, 1, 1, 1, 0};
    static const uint32_t HITS[] = {3, 0, 1, 2};
    static const double HIT[] = {1.5, 2.5, 3.5, 4.5, 5.5, 6.5};
    static const float MET[] = {5, 15, 25, 35};
    static const int32_t RUN[] = {1, 2, 3, 4};
    static const int64_t BIG[] = {INT64_MAX, INT64_MIN, -7, 7};
    static const uint64_t HUGE_COUNT[] = {0, 1, UINT64_MAX, (uint64_t)1 << 63};
    static const int8_t TINY[] = {-128, -1, 0, 127};
    static const uint8_t BYTE[] = {0, 1, 200, 255};
    static const int16_t SHORT[] = {-32768, -1, 2, 32767};
    static const uint16_t USHORT[] = {0, 1, 2, 65535};
    static const uint32_t UINT[] = {0, 1, 2, UINT32_MAX};
    static const uint8_t FLAG[] = {0, 1, 0, 1};
    static const double X[] = {-1.5, 0, 2.5, 7.25};
    test_table *muons = table_new(4);
    table_jagged(muons, "Muon_pt", "Muon", "pt", HQ_FLOAT32, MUONS, PT);
    table_jagged(muons, "Muon_eta", "Muon", "eta", HQ_FLOAT32, MUONS, ETA);
    table_jagged(muons, "Muon_phi", "Muon", "phi", HQ_FLOAT32, MUONS, PHI);
    table_jagged(muons, "Muon_charge", "Muon", "charge", HQ_INT32, MUONS, CHARGE);
    table_jagged(muons, "Muon_tight", "Muon", "tight", HQ_BOOL, MUONS, TIGHT);
    table_jagged(muons, "hit", NULL, NULL, HQ_FLOAT64, HITS, HIT);
    table_flat(muons, "MET_pt", HQ_FLOAT32, MET);
    table_flat(muons, "run", HQ_INT32, RUN);
    table_flat(muons, "big", HQ_INT64, BIG);
    table_flat(muons, "huge", HQ_UINT64, HUGE_COUNT);
    table_flat(muons, "tiny", HQ_INT8, TINY);
    table_flat(muons, "byte", HQ_UINT8, BYTE);
    table_flat(muons, "short", HQ_INT16, SHORT);
    table_flat(muons, "ushort", HQ_UINT16, USHORT);
    table_flat(muons, "uint", HQ_UINT32, UINT);
    table_flat(muons, "flag", HQ_BOOL, FLAG);
    table_flat(muons, "x", HQ_FLOAT64, X);
    table_flat(muons, "weird.name/x", HQ_FLOAT64, X);
    return muons;
}

hq_program *must_parse(const char *text, const hq_schema *schema)
{
    hq_program *program = NULL;
    hq_complaint complaint;
    if (program_parse(text, strlen(text), schema, &program, &complaint) != HQ_OK) {
        char *message = complaint_render(&complaint, "q.py");
        print_error("%s\n%s", text, message);
        free(message);
        fail();
    }
    return program;
}

hq_code *must_compile(const hq_program *program)
{
    hq_code *code = NULL;
    hq_reason reason = {""};
    if (code_compile(program, &code, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    return code;
}

hq_error run_over(const hq_code *code, const hq_program *program, const test_table *table, hq_run *run,
                  hq_histset *hists, hq_reason *reason)
{
    const hq_column *columns[MAX_COLUMNS];
    for (size_t i = 0; i < program_column_count(program); i++) {
        const hq_field *field = schema_find(table->schema, program_column(program, i)->name);
        columns[i] = table->columns[field - table->schema->fields];
    }
    run->columns = columns;
    run->entries = table->entries;
    return code_run(code, run, hists, reason);
}

static char *bins_of(hq_hist *hist)
{
    hq_buffer text = {0};
    char number[64];
    for (size_t i = 0; i < hist_size(hist); i++) {
        if (hist_storage(hist) == HQ_COUNT)
            snprintf(number, sizeof number, "%s%lld", i ? " " : "", (long long)((int64_t *)hist_bins(hist))[i]);
        else
            snprintf(number, sizeof number, "%s%g/%g", i ? " " : "", ((double *)hist_bins(hist))[2 * i],
                     ((double *)hist_bins(hist))[2 * i + 1]);
        buffer_append(&text, number, strlen(number));
    }
    buffer_u8(&text, 0);
    return (char *)text.bytes;
}

char *outcome_of(const char *text, const test_table *table)
{
    hq_program *program = must_parse(text, table->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    hq_error error = run_over(code, program, table, &run, hists, &reason);
    char *outcome = error ? hq_format("%s: %s", hq_error_name(error), reason.text) : bins_of(hists->hists[0]);
    histset_free(&hists);
    code_free(&code);
    program_free(&program);
    return outcome;
}

void assert_outcome(const test_table *table, const char *text, const char *wanted)
{
    char *outcome = outcome_of(text, table);
    if (strcmp(outcome, wanted) != 0) {
        print_error("%s\ngave   %s\nwanted %s\n", text, outcome, wanted);
        fail();
    }
    free(outcome);
}

char *query_with(const char *axis, const char *body)
{
    hq_buffer text = {0};
    char head[512];
    snprintf(head, sizeof head,
             "import math\nfrom math import sqrt, cos, cosh, floor\nfrom hist import Hist, axis\n"
             "h = Hist(%s)\nfor event in events:\n    ",
             axis);
    buffer_append(&text, head, strlen(head));
    for (const char *at = body; *at; at++) {
        buffer_u8(&text, (uint8_t)*at);
        if (*at == '\n' && at[1])
            buffer_append(&text, "    ", 4);
    }
    buffer_append(&text, "\n", 2);
    return (char *)text.bytes;
}

void assert_bins(const test_table *table, const char *body, const char *wanted)
{
    char *text = query_with("axis.Regular(10, 0, 10)", body);
    assert_outcome(table, text, wanted);
    free(text);
}
