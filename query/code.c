#include "query/code.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "query/code_emit.h"
#include "query/code_jit.h"
#include "query/code_module.h"

enum { ENTRIES_BETWEEN_LOOKS = 1024 };

typedef int32_t (*run_function)(const column_view *columns, void *const *bins, int64_t *const *fills, code_state *state,
                                uint64_t first, uint64_t last, double *memo, uint64_t memo_objects);

/* All it needs of the program is copied: code may outlive it. */
struct hq_code {
    jit_piece piece; /* a run_function */
    hq_schema *columns;
    uint32_t *group_columns; /* for each column, the one whose offsets its group goes by; itself if flat */
    hq_histset *shape;       /* empty histograms as the program declares them */
    hq_fault *faults;
    size_t fault_count;
    bool has_memory;
    bool is_flat;           /* see code_emit.h */
    uint32_t *memo_columns; /* for each of the areas in which formulas over objects are kept, who counts the objects */
    size_t memo_count;
};

/* --- compiling --- */

/* What LLVM's own -O2 does that helps an event loop, once and in this order; it takes half the time of -O2 and gives
 * code that is as fast (docs/performance.md). Loops are not unrolled: objects are few. */
static const char PASSES[] =
    "function(sroa<modify-cfg>,early-cse<memssa>,simplifycfg<speculate-blocks;simplify-cond-branch>,"
    "instcombine<max-iterations=1;no-verify-fixpoint>,correlated-propagation,simplifycfg,"
    "loop-mssa(loop-rotate,licm),loop(indvars),gvn,instcombine<max-iterations=1;no-verify-fixpoint>,"
    "loop-mssa(licm),simplifycfg,loop-vectorize<interleave-forced-only;no-vectorize-forced-only>,"
    "instcombine<max-iterations=1;no-verify-fixpoint>,simplifycfg)";

/* What some of these and of code generation cost grows with the square of the loops, and faster where they stand in
 * each other. A person who waits for hundreds of loops waits less for slower code that is made at once: only what takes
 * time in proportion, and the machine's level 0.
 */
static const char LARGE_PASSES[] =
    "function(simplifycfg,mem2reg,early-cse<memssa>,simplifycfg,instcombine<max-iterations=1;no-verify-fixpoint>,"
    "loop-mssa(licm),simplifycfg)";

enum { LARGE_LOOPS = 60, LARGE_CODE = 4000, LARGE_DEPTH = 16 };

static jit_level level_of(const hq_program *program)
{
    bool is_large = program->loop_count > LARGE_LOOPS || program->code_count > LARGE_CODE ||
                    program->nest_depth > LARGE_DEPTH;
    return is_large ? JIT_QUICK : JIT_GOOD;
}

static hq_error optimise(const code_unit *unit, hq_reason *reason)
{
    char *message = NULL;
    if (LLVMVerifyModule(unit->module, LLVMReturnStatusAction, &message)) {
        hq_error code = hq_fail(reason, HQ_EINTERNAL, "compiling the query: %s", message);
        LLVMDisposeMessage(message);
        return code;
    }
    LLVMDisposeMessage(message);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(unit->module, unit->level == JIT_QUICK ? LARGE_PASSES : PASSES, unit->machine,
                                       options);
    LLVMDisposePassBuilderOptions(options);
    return error ? jit_fail(reason, error, "optimising") : HQ_OK;
}

hq_error code_module(const hq_program *program, code_unit *unit_r, hq_reason *reason)
{
    code_unit unit = {.level = level_of(program)};
    unit.machine = jit_take_machine(unit.level, reason);
    if (!unit.machine)
        return HQ_EUNSUPPORTED;
    unit.context = LLVMContextCreate();
    unit.module = LLVMModuleCreateWithNameInContext("hq", unit.context);
    char *triple = LLVMGetTargetMachineTriple(unit.machine);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(unit.machine);
    LLVMSetTarget(unit.module, triple);
    LLVMSetModuleDataLayout(unit.module, layout);
    LLVMDisposeTargetData(layout);
    LLVMDisposeMessage(triple);

    hq_emit emit = {.program = program, .context = unit.context, .module = unit.module};
    emit.builder = LLVMCreateBuilderInContext(unit.context);
    emit_function(&emit);
    LLVMDisposeBuilder(emit.builder);
    emit_clear(&emit);

    hq_error error = optimise(&unit, reason);
    if (error)
        code_unit_clear(&unit);
    else
        *unit_r = unit;
    return error;
}

void code_unit_clear(code_unit *unit)
{
    LLVMDisposeModule(unit->module);
    LLVMContextDispose(unit->context);
    jit_give_machine(&unit->machine, unit->level);
    *unit = (code_unit){0};
}

static hq_error make_code(hq_code *code, const hq_program *program, hq_reason *reason)
{
    code_unit unit;
    hq_error error = code_module(program, &unit, reason);
    if (error)
        return error;
    char name[JIT_NAME_SIZE];
    jit_new_name(name);
    LLVMSetValueName2(LLVMGetNamedFunction(unit.module, CODE_FUNCTION_NAME), name, strlen(name));
    error = jit_link(unit.machine, unit.module, name, &code->piece, reason);
    code_unit_clear(&unit);
    return error;
}

static void copy_facts(hq_code *code, const hq_program *program)
{
    code->columns = schema_copy(program->columns);
    code->group_columns = hq_calloc(program->columns->count + 1, sizeof *code->group_columns);
    for (size_t i = 0; i < program->columns->count; i++)
        code->group_columns[i] = program->columns->fields[i].depth ? program->groups[program->column_groups[i]].column
                                                                   : (uint32_t)i;
    code->shape = program_new_hists(program);
    code->fault_count = program->fault_count;
    code->has_memory = program->has_memory;
    code->faults = hq_calloc(program->fault_count + 1, sizeof *code->faults);
    for (size_t i = 0; i < program->fault_count; i++)
        code->faults[i] = (hq_fault){program->faults[i].line, hq_strdup(program->faults[i].text)};
}

hq_error code_compile(const hq_program *program, hq_code **code_r, hq_reason *reason)
{
    hq_code *code = hq_calloc(1, sizeof *code);
    copy_facts(code, program);
    code->is_flat = emit_is_flat(program);
    code->memo_columns = emit_memo_columns(program, &code->memo_count);
    hq_error error = make_code(code, program, reason);
    if (error) {
        code_free(&code);
        return error;
    }
    *code_r = code;
    return HQ_OK;
}

void code_free(hq_code **code_p)
{
    hq_code *code = *code_p;
    if (!code)
        return;
    jit_unlink(&code->piece);
    for (size_t i = 0; i < code->fault_count; i++)
        free((char *)code->faults[i].text);
    free(code->faults);
    histset_free(&code->shape);
    free(code->group_columns);
    free(code->memo_columns);
    schema_free(&code->columns);
    free(code);
    *code_p = NULL;
}

/* --- running --- */

int32_t code_look(code_state *state)
{
    if (state->cancel && atomic_load_explicit(state->cancel, memory_order_relaxed))
        state->stopped = HQ_ECANCELLED;
    else if (state->deadline_ms && hq_now_ms() >= state->deadline_ms)
        state->stopped = HQ_ETIMEOUT;
    return state->stopped != HQ_OK;
}

sin_and_cos code_sincos(double angle)
{
    sin_and_cos both;
    sincos(angle, &both.sin, &both.cos);
    return both;
}

void code_count(const int32_t *bins, uint64_t count, int64_t *tables, uint64_t size)
{
    uint64_t i = 0;
    if (flat_tables_of(size) == FLAT_TABLES) {
        uint64_t stride = size + FLAT_NOWHERE;
        for (; i + FLAT_TABLES <= count; i += FLAT_TABLES)
            for (uint64_t table = 0; table < FLAT_TABLES; table++)
                tables[table * stride + (uint64_t)(uint32_t)bins[i + table]]++;
    }
    for (; i < count; i++)
        tables[bins[i]]++;
}

double *code_search_room(code_state *state, int64_t count, int64_t words)
{
    size_t objects = (size_t)count + SEARCH_LANES;
    size_t needed = SEARCH_AT_OBJECTS + objects * (size_t)words;
    if (count > SEARCH_MOST) {
        state->stopped = HQ_ELIMIT;
        return NULL;
    }
    if (needed > state->search_words) {
        free(state->search);
        state->search = hq_calloc(needed + needed / 2, sizeof(double));
        state->search_words = needed + needed / 2;
    }
    return state->search;
}

static bool is_to_end(void *context)
{
    return code_look(context) != 0;
}

int32_t code_search(code_state *state, search_pairs *pairs, search_keys *keys, int64_t count, int32_t is_first_kept,
                    int64_t *triplet)
{
    hq_search search = {.pairs = pairs,
                        .keys = keys,
                        .memory = state->search,
                        .count = count,
                        .is_first_kept = is_first_kept != 0,
                        .stop = is_to_end,
                        .context = state};
    return search_least(&search, triplet);
}

/* Tables for a flat program to count in, all of them 0. */
static int64_t *new_tables(const hq_hist *hist)
{
    uint64_t size = hist_size(hist);
    return hq_calloc(flat_tables_of(size) * (size + FLAT_NOWHERE), sizeof(int64_t));
}

static void add_tables(hq_hist *hist, const int64_t *tables)
{
    uint64_t size = hist_size(hist);
    int64_t *bins = hist_bins(hist);
    for (uint64_t table = 0; table < flat_tables_of(size); table++)
        for (uint64_t i = 0; i < size; i++)
            bins[i] += tables[table * (size + FLAT_NOWHERE) + i];
}

enum { MEMO_LIMIT = 1 << 30 };

/* Room for what is kept of the objects of an entry, the largest one. NULL where nothing is kept. */
static hq_error new_memo(const hq_code *code, const hq_run *run, double **memo_r, uint64_t *objects_r,
                         hq_reason *reason)
{
    uint32_t most = 0;
    for (size_t i = 0; i < code->memo_count; i++) {
        const uint32_t *offsets = run->columns[code->memo_columns[i]]->offsets;
        for (uint64_t entry = 0; entry < run->entries; entry++)
            most = offsets[entry + 1] - offsets[entry] > most ? offsets[entry + 1] - offsets[entry] : most;
    }
    *memo_r = NULL;
    *objects_r = most;
    if (code->memo_count == 0)
        return HQ_OK;
    *memo_r = hq_try_alloc(((size_t)most + 1) * code->memo_count * MEMO_FORMULAS * sizeof(double), MEMO_LIMIT);
    return *memo_r ? HQ_OK
                   : hq_fail(reason, HQ_ELIMIT, "an entry with %u objects is too large for this query", (unsigned)most);
}

/* What a column must be for machine code to stay inside it. Offsets are trusted to rise, as base/column.h says. */
static hq_error check_column(const hq_code *code, const hq_run *run, size_t index, hq_reason *reason)
{
    const hq_field *field = &code->columns->fields[index];
    const hq_column *column = run->columns[index];
    if (column->type != field->type || column_depth(column) != field->depth)
        return hq_fail(reason, HQ_EMISMATCH,
                       "the column %s is %s with lists to depth %u, and the query was compiled for %s with depth %u",
                       field->name, hq_type_name(column->type), column_depth(column), hq_type_name(field->type),
                       (unsigned)field->depth);
    if (column->entries != run->entries)
        return hq_fail(reason, HQ_EMISMATCH, "the column %s has %llu entries where %llu were expected", field->name,
                       (unsigned long long)column->entries, (unsigned long long)run->entries);
    if (!field->depth)
        return HQ_OK;
    if (column->offsets[0] != 0 || column->offsets[column->entries] > column->value_count)
        return hq_fail(reason, HQ_EMISMATCH, "the offsets of the column %s do not fit its values", field->name);
    const hq_column *leader = run->columns[code->group_columns[index]];
    if (leader->entries != column->entries || !leader->offsets)
        return HQ_OK; /* the leader's own check says what is wrong with it */
    if (column->offsets != leader->offsets &&
        memcmp(column->offsets, leader->offsets, (column->entries + 1) * sizeof *column->offsets) != 0)
        return hq_fail(reason, HQ_EMISMATCH, "the columns %s and %s of the collection %s have different lengths",
                       code->columns->fields[code->group_columns[index]].name, field->name, field->collection);
    return HQ_OK;
}

static hq_error check_hists(const hq_code *code, const hq_histset *hists, hq_reason *reason)
{
    bool fits = hists->count == code->shape->count;
    for (size_t i = 0; fits && i < hists->count; i++)
        fits = hist_size(hists->hists[i]) == hist_size(code->shape->hists[i]) &&
               hist_storage(hists->hists[i]) == hist_storage(code->shape->hists[i]);
    return fits ? HQ_OK : hq_fail(reason, HQ_EMISMATCH, "the histograms to fill are not those of the query");
}

static hq_error fail_at_fault(const hq_code *code, hq_run *run, const code_state *state, hq_reason *reason)
{
    const hq_fault *fault = &code->faults[state->fault];
    run->fault_entry = state->fault_entry;
    run->fault_line = fault->line;
    if (state->fault_length < 0)
        return hq_fail(reason, HQ_EQUERY, "%s", fault->text);
    return hq_fail(reason, HQ_EQUERY, "index %lld is out of range: %s has %lld element%s here",
                   (long long)state->fault_index, fault->text, (long long)state->fault_length,
                   state->fault_length == 1 ? "" : "s");
}

/* Clang's check of calls through pointers reads what stands before a function, which for machine code may be nothing.
 */
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
static hq_error
run_blocks(const hq_code *code, hq_run *run, const column_view *views, void *const *bins, int64_t *const *fills,
           double *memo, uint64_t memo_objects, hq_reason *reason)
{
    run_function entries = (run_function)code->piece.address;
    code_state state = {.cancel = run->cancel, .deadline_ms = run->deadline_ms, .stopped = HQ_OK};
    if (code->has_memory)
        state.words = hq_calloc(CODE_MEMORY_WORDS, sizeof *state.words); /* pages that no list reaches cost nothing */
    hq_outcome outcome = OUTCOME_DONE;
    for (uint64_t first = 0; first < run->entries && outcome == OUTCOME_DONE; first += ENTRIES_BETWEEN_LOOKS) {
        uint64_t left = run->entries - first;
        uint64_t last = first + (left < ENTRIES_BETWEEN_LOOKS ? left : ENTRIES_BETWEEN_LOOKS);
        outcome = code_look(&state) ? OUTCOME_STOPPED
                                    : (hq_outcome)entries(views, bins, fills, &state, first, last, memo, memo_objects);
    }
    free(state.words);
    free(state.search);
    if (outcome == OUTCOME_FAULT)
        return fail_at_fault(code, run, &state, reason);
    if (outcome == OUTCOME_STOPPED && state.stopped == HQ_ECANCELLED)
        return hq_fail(reason, HQ_ECANCELLED, "the query was cancelled");
    if (outcome == OUTCOME_STOPPED && state.stopped == HQ_ELIMIT)
        return hq_fail(reason, HQ_ELIMIT,
                       "an entry has more than %d objects, too many for a search over their triplets", SEARCH_MOST);
    if (outcome == OUTCOME_STOPPED)
        return hq_fail(reason, HQ_ETIMEOUT, "the query did not come to its end within the time it was given");
    return HQ_OK;
}

hq_error code_run(const hq_code *code, hq_run *run, hq_histset *hists, hq_reason *reason)
{
    hq_error error = check_hists(code, hists, reason);
    for (size_t i = 0; !error && i < code->columns->count; i++)
        error = check_column(code, run, i, reason);
    double *memo = NULL;
    uint64_t memo_objects = 0;
    error = error ? error : new_memo(code, run, &memo, &memo_objects, reason);
    if (error)
        return error;
    column_view *views = hq_calloc(code->columns->count + 1, sizeof *views);
    void **bins = hq_calloc(hists->count + 1, sizeof *bins);
    int64_t **fills = hq_calloc(hists->count + 1, sizeof *fills);
    for (size_t i = 0; i < code->columns->count; i++)
        views[i] = (column_view){run->columns[i]->values, run->columns[i]->offsets};
    for (size_t i = 0; i < hists->count; i++) {
        bins[i] = code->is_flat ? new_tables(hists->hists[i]) : hist_bins(hists->hists[i]);
        fills[i] = hist_fills(hists->hists[i]);
    }
    error = run_blocks(code, run, views, bins, fills, memo, memo_objects, reason);
    for (size_t i = 0; code->is_flat && i < hists->count; i++) {
        add_tables(hists->hists[i], bins[i]);
        free(bins[i]);
    }
    free(memo);
    free(views);
    free(bins);
    free(fills);
    return error;
}
