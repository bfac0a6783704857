/* Any text as a query: it is refused with a complaint, or it has a fingerprint that parsing it again gives too, and
 * machine code that runs over a few events. Dictionary: query.dict. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "query/code.h"

enum { ENTRIES = 3, MOST_BINS = 1 << 16, RUN_MS = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t COUNTS[ENTRIES] = {0, 1, 3};

static hq_schema *make_schema(void)
{
    hq_schema *schema = schema_new();
    schema_add(schema, "Muon_pt", "Muon", "pt", HQ_FLOAT32, true);
    schema_add(schema, "Muon_eta", "Muon", "eta", HQ_FLOAT32, true);
    schema_add(schema, "Muon_charge", "Muon", "charge", HQ_INT32, true);
    schema_add(schema, "Muon_tight", "Muon", "tight", HQ_BOOL, true);
    schema_add(schema, "Electron_pt", "Electron", "pt", HQ_FLOAT32, true);
    schema_add(schema, "Electron_charge", "Electron", "charge", HQ_INT32, true);
    schema_add(schema, "hit", NULL, NULL, HQ_FLOAT64, true);
    schema_add(schema, "MET_pt", NULL, NULL, HQ_FLOAT32, false);
    schema_add(schema, "run", NULL, NULL, HQ_UINT32, false);
    schema_add(schema, "flag", NULL, NULL, HQ_BOOL, false);
    return schema;
}

static hq_column *make_column(const hq_field *field)
{
    uint64_t values = field->depth ? 4 : ENTRIES;
    hq_column *column = column_new(field->type, ENTRIES, values, field->depth, SIZE_MAX);
    memset(column->values, 0, values * hq_type_size(field->type));
    if (field->depth) {
        column->offsets[0] = 0;
        for (int i = 0; i < ENTRIES; i++)
            column->offsets[i + 1] = column->offsets[i] + COUNTS[i];
    }
    return column;
}

static void run_code(const hq_program *program)
{
    hq_code *code = NULL;
    hq_reason reason;
    if (code_compile(program, &code, &reason) != HQ_OK)
        abort();
    size_t count = program_column_count(program);
    hq_column **columns = hq_calloc(count + 1, sizeof *columns);
    for (size_t i = 0; i < count; i++)
        columns[i] = make_column(program_column(program, i));
    hq_histset *hists = program_new_hists(program);
    hq_run run = {
        .columns = (const hq_column *const *)columns, .entries = ENTRIES, .deadline_ms = hq_now_ms() + RUN_MS};
    hq_error error = code_run(code, &run, hists, &reason);
    if (error != HQ_OK && error != HQ_EQUERY && error != HQ_ETIMEOUT)
        abort();
    histset_free(&hists);
    for (size_t i = 0; i < count; i++)
        column_free(&columns[i]);
    free(columns);
    code_free(&code);
}

static size_t bins_of(const hq_program *program)
{
    hq_histset *hists = program_new_hists(program);
    size_t bins = 0;
    for (size_t i = 0; i < hists->count; i++)
        bins += hist_size(hists->hists[i]);
    histset_free(&hists);
    return bins;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hq_schema *schema = make_schema();
    hq_program *program = NULL;
    hq_program *again = NULL;
    hq_complaint complaint;
    hq_error error = program_parse((const char *)data, size, schema, &program, &complaint);
    if (error) {
        if ((error != HQ_EQUERY && error != HQ_ELIMIT) || program || !complaint.message[0])
            abort();
        free(complaint_render(&complaint, "q.py"));
    } else {
        if (program_parse((const char *)data, size, schema, &again, &complaint) != HQ_OK)
            abort();
        hq_hash one = program_fingerprint(program);
        hq_hash other = program_fingerprint(again);
        if (memcmp(&one, &other, sizeof one) != 0)
            abort();
        if (bins_of(program) <= MOST_BINS)
            run_code(program);
    }
    program_free(&program);
    program_free(&again);
    schema_free(&schema);
    return 0;
}
