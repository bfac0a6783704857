/* How a run ends: faults with their place, cancelling, deadlines, columns that do not fit; many threads and one code.
 */
#include <pthread.h>

#include "base/clock.h"
#include "tests/query/fixture.h"

enum { LATE_MS = 60000 }; /* what is meant to end would run for years; a busy machine takes its time */

typedef struct prepared {
    hq_program *program;
    hq_code *code;
    hq_histset *hists;
} prepared;

static prepared prepare(const test_table *table, const char *body)
{
    prepared made;
    char *text = query_with("axis.Regular(10, 0, 10)", body);
    made.program = must_parse(text, table->schema);
    made.code = must_compile(made.program);
    made.hists = program_new_hists(made.program);
    free(text);
    return made;
}

static void release(prepared *made)
{
    histset_free(&made->hists);
    code_free(&made->code);
    program_free(&made->program);
}

static int setup(void **state)
{
    *state = table_of_muons();
    return 0;
}

static int teardown(void **state)
{
    table_free((test_table **)state);
    return 0;
}

static void an_index_out_of_range_names_its_place(void **state)
{
    static const struct {
        const char *body;
        uint64_t entry;
        int line;
        const char *reason;
    } FAULTS[] = {
        /* the body begins in line 6 */
        {"h.fill(event.Muon[0].pt)", 0, 6, "index 0 is out of range: event.Muon has 0 elements here"},
        {"if len(event.Muon) > 0:\n    x = 1\n    h.fill(event.Muon[x].pt)", 1, 8,
         "index 1 is out of range: event.Muon has 1 element here"},
        {"if len(event.Muon) > 1:\n    h.fill(event.Muon[-3].pt)", 2, 7,
         "index -3 is out of range: event.Muon has 2 elements here"},
        {"m = event.Muon[1:]\nfor i in range(3):\n    h.fill(m[i].pt)", 0, 8,
         "index 0 is out of range: m has 0 elements here"},
        {"h.fill(event.hit[-9223372036854775808])", 0, 6,
         "index -9223372036854775808 is out of range: event.hit has 3 elements here"},
        {"h.fill(event.hit[9223372036854775807])", 0, 6,
         "index 9223372036854775807 is out of range: event.hit has 3 elements here"},
        {"h.fill(event.hit[0])", 1, 6, "index 0 is out of range: event.hit has 0 elements here"},
        {"h.fill(2 ** (1 - event.run))", 1, 6,
         "an int to the power of a negative int is no int: make one of them a float(…)"},
        {"for i in range(0, 9, event.run - 3): h.fill(i)", 2, 6, "the step of range is 0"},
    };
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        prepared made = prepare(*state, FAULTS[i].body);
        hq_run run = {0};
        hq_reason reason = {""};
        assert_int_equal(run_over(made.code, made.program, *state, &run, made.hists, &reason), HQ_EQUERY);
        assert_string_equal(reason.text, FAULTS[i].reason);
        assert_int_equal(run.fault_entry, FAULTS[i].entry);
        assert_int_equal(run.fault_line, FAULTS[i].line);
        release(&made);
    }
}

static void endless_loops_meet_their_deadline(void **state)
{
    static const char *const LOOPS[] = {
        "while True: pass",
        "i = 0\nwhile i >= 0: i = (i + 1) % 7",
        "for i in range(9223372036854775807): pass",
        "for i in range(9223372036854775807): h.fill(i)",
        "for i in range(0, -9223372036854775807, -1): h.fill(i)",
        "while True:\n    for m in event.Muon: h.fill(m.pt)",
        "while True:\n    if event.run > 0: continue\n    h.fill(1)",
    };
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS; i++) {
        prepared made = prepare(*state, LOOPS[i]);
        int64_t begin = hq_now_ms();
        hq_run run = {.deadline_ms = begin + 20};
        hq_reason reason = {""};
        assert_int_equal(run_over(made.code, made.program, *state, &run, made.hists, &reason), HQ_ETIMEOUT);
        assert_true(hq_now_ms() - begin >= 20);
        assert_true(hq_now_ms() - begin < LATE_MS);
        release(&made);
    }
}

static void loops_over_long_collections_meet_their_deadline(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    uint32_t count = LENGTH;
    float *values = hq_calloc(LENGTH, sizeof *values);
    test_table *table = table_new(1);
    table_jagged(table, "x", NULL, NULL, HQ_FLOAT32, &count, values);
    prepared made = prepare(table, "for a in event.x:\n    for b in event.x:\n        for c in event.x:\n"
                                   "            h.fill(a + b + c)");
    int64_t begin = hq_now_ms();
    hq_run run = {.deadline_ms = begin + 20};
    hq_reason reason = {""};
    assert_int_equal(run_over(made.code, made.program, table, &run, made.hists, &reason), HQ_ETIMEOUT);
    assert_true(hq_now_ms() - begin < LATE_MS);
    release(&made);
    table_free(&table);
    free(values);
}

typedef struct running {
    const test_table *table;
    prepared *made;
    atomic_int cancel;
    atomic_int has_begun;
    hq_error error;
} running;

static void *run_until_cancelled(void *data)
{
    running *job = data;
    hq_run run = {.cancel = &job->cancel};
    hq_reason reason = {""};
    atomic_store(&job->has_begun, 1);
    job->error = run_over(job->made->code, job->made->program, job->table, &run, job->made->hists, &reason);
    return NULL;
}

static void a_run_is_cancelled_from_another_thread(void **state)
{
    prepared made = prepare(*state, "while True: pass");
    running job = {.table = *state, .made = &made};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_until_cancelled, &job), 0);
    while (!atomic_load(&job.has_begun))
        sched_yield();
    atomic_store(&job.cancel, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(job.error, HQ_ECANCELLED);
    release(&made);
}

static void a_cancelled_run_does_not_begin(void **state)
{
    prepared made = prepare(*state, "h.fill(1)");
    atomic_int cancel = 1;
    hq_run run = {.cancel = &cancel};
    hq_reason reason = {""};
    assert_int_equal(run_over(made.code, made.program, *state, &run, made.hists, &reason), HQ_ECANCELLED);
    assert_int_equal(hist_entries(made.hists->hists[0]), 0);
    release(&made);
}

static void columns_that_do_not_fit_are_refused(void **state)
{
    const test_table *muons = *state;
    prepared made = prepare(muons, "for m in event.Muon: h.fill(m.pt + m.eta, weight=event.x)");
    assert_int_equal(program_column_count(made.program), 3);
    const hq_column *pt = muons->columns[0];
    const hq_column *eta = muons->columns[1];
    const hq_column *x = muons->columns[schema_find(muons->schema, "x") - muons->schema->fields];
    uint32_t other_offsets[] = {0, 1, 2, 3, 6};
    uint32_t past_end[] = {0, 0, 1, 3, 7};
    uint32_t late[] = {1, 1, 1, 3, 6};
    hq_column wrong_lengths = *eta, wrong_end = *eta, wrong_start = *eta, wrong_type = *eta, flat = *eta, shorter = *x;
    wrong_lengths.offsets = other_offsets;
    wrong_end.offsets = past_end;
    wrong_start.offsets = late;
    wrong_type.type = HQ_INT32;
    flat.offsets = NULL;
    shorter.entries = 3;
    const struct {
        const hq_column *columns[3];
        hq_error error;
    } CASES[] = {
        {{pt, eta, x}, HQ_OK},
        {{pt, &wrong_lengths, x}, HQ_EMISMATCH},
        {{pt, &wrong_end, x}, HQ_EMISMATCH},
        {{pt, &wrong_start, x}, HQ_EMISMATCH},
        {{pt, &wrong_type, x}, HQ_EMISMATCH},
        {{pt, &flat, x}, HQ_EMISMATCH},
        {{&flat, eta, x}, HQ_EMISMATCH},
        {{pt, eta, &shorter}, HQ_EMISMATCH},
        {{pt, eta, pt}, HQ_EMISMATCH},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        hq_run run = {.columns = CASES[i].columns, .entries = 4};
        hq_reason reason = {""};
        assert_int_equal(code_run(made.code, &run, made.hists, &reason), CASES[i].error);
        assert_true((CASES[i].error == HQ_OK) == (reason.text[0] == 0));
    }
    /* and so are histograms of another query */
    prepared other = prepare(muons, "h.fill(1)");
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(made.code, made.program, muons, &run, other.hists, &reason), HQ_EMISMATCH);
    release(&other);
    release(&made);
}

static void no_entries_and_no_columns_are_fine(void **state)
{
    (void)state;
    test_table *empty = table_new(0);
    uint32_t none = 0;
    float nothing = 0;
    table_jagged(empty, "Muon_pt", "Muon", "pt", HQ_FLOAT32, &none, &nothing);
    assert_bins(empty, "h.fill(1)", "0 0 0 0 0 0 0 0 0 0 0 0");
    assert_bins(empty, "for m in event.Muon: h.fill(m.pt)", "0 0 0 0 0 0 0 0 0 0 0 0");
    assert_bins(empty, "pass", "0 0 0 0 0 0 0 0 0 0 0 0");
    table_free(&empty);
}

static void many_entries_are_all_seen_once(void **state)
{
    (void)state;
    enum { ENTRIES = 10007 };
    int32_t *values = hq_calloc(ENTRIES, sizeof *values);
    for (int i = 0; i < ENTRIES; i++)
        values[i] = i;
    test_table *table = table_new(ENTRIES);
    table_flat(table, "i", HQ_INT32, values);
    char *text = query_with("axis.Regular(10007, 0, 10007)", "h.fill(event.i)");
    hq_program *program = must_parse(text, table->schema);
    hq_code *code = must_compile(program);
    hq_histset *hists = program_new_hists(program);
    hq_run run = {0};
    hq_reason reason = {""};
    assert_int_equal(run_over(code, program, table, &run, hists, &reason), HQ_OK);
    const int64_t *bins = hist_bins(hists->hists[0]);
    for (int i = 1; i <= ENTRIES; i++)
        assert_int_equal(bins[i], 1);
    histset_free(&hists);
    code_free(&code);
    program_free(&program);
    table_free(&table);
    free(text);
    free(values);
}

/* --- threads --- */

typedef struct worker {
    const test_table *table;
    const hq_program *program;
    const hq_code *code; /* NULL: compile one */
    hq_histset *hists;
    hq_error error;
} worker;

static void *work(void *data)
{
    worker *self = data;
    hq_reason reason = {""};
    self->hists = program_new_hists(self->program);
    for (int i = 0; i < 20 && !self->error; i++) {
        hq_run run = {0};
        hq_code *own = NULL;
        if (!self->code && i < 3)
            self->error = code_compile(self->program, &own, &reason);
        if (!self->error && (self->code || own))
            self->error = run_over(self->code ? self->code : own, self->program, self->table, &run, self->hists,
                                   &reason);
        code_free(&own);
    }
    return NULL;
}

static void threads_share_code_and_compile_at_once(void **state)
{
    prepared made = prepare(*state, "for m in event.Muon:\n    h.fill(sqrt(m.pt) + cos(m.phi) + len(event.hit))");
    worker workers[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (worker){*state, made.program, i < 2 ? made.code : NULL, NULL, HQ_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].error, HQ_OK);
    }
    assert_true(histset_is_equal(workers[0].hists, workers[1].hists));
    assert_true(histset_is_equal(workers[2].hists, workers[3].hists));
    assert_int_equal(hist_entries(workers[0].hists->hists[0]), 20 * 6);
    assert_int_equal(hist_entries(workers[2].hists->hists[0]), 3 * 6);
    for (size_t i = 0; i < 4; i++)
        histset_free(&workers[i].hists);
    release(&made);
}

static void code_outlives_its_program(void **state)
{
    prepared made = prepare(*state, "h.fill(event.hit[0])");
    const test_table *table = *state;
    const hq_column *columns[1] = {table->columns[schema_find(table->schema, "hit") - table->schema->fields]};
    program_free(&made.program);
    hq_run run = {.columns = columns, .entries = table->entries};
    hq_reason reason = {""};
    assert_int_equal(code_run(made.code, &run, made.hists, &reason), HQ_EQUERY);
    assert_non_null(strstr(reason.text, "event.hit has 0 elements"));
    release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_out_of_range_names_its_place),
        cmocka_unit_test(endless_loops_meet_their_deadline),
        cmocka_unit_test(loops_over_long_collections_meet_their_deadline),
        cmocka_unit_test(a_run_is_cancelled_from_another_thread),
        cmocka_unit_test(a_cancelled_run_does_not_begin),
        cmocka_unit_test(columns_that_do_not_fit_are_refused),
        cmocka_unit_test(no_entries_and_no_columns_are_fine),
        cmocka_unit_test(many_entries_are_all_seen_once),
        cmocka_unit_test(threads_share_code_and_compile_at_once),
        cmocka_unit_test(code_outlives_its_program),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
