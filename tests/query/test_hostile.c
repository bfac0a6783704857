/* Texts that are made to hurt: each is refused, or compiled, within a second or so of the processor and 256 MiB of
 * address space, in a process of its own that these limits are put on. Those that are accepted are about the largest
 * that are. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/query/fixture.h"

enum {
    ROOM_BYTES = 256 << 20,
    REFUSED_MS = 1000,
    COMPILED_MS = 5000, /* measured: 1 s on a busy machine */
    LATE_MS = 60000,    /* on the clock, of a loop that would run for years */
    CHILD_S = 300
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { HAS_LIMITS = 0 }; /* a sanitizer takes terabytes of addresses, and several times as long */
#else
enum { HAS_LIMITS = 1 };
#endif

static void say(hq_buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(hq_buffer *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof line);
    buffer_append(text, line, (size_t)length);
}

static void begin(hq_buffer *text)
{
    say(text, "from math import comb, sqrt, sin\nfrom itertools import combinations\nfrom hist import Hist, axis\n"
              "from hq import delta_r\nh = Hist(axis.Regular(10, 0, 10))\n");
}

static void repeat(hq_buffer *text, int count, const char *piece)
{
    for (int i = 0; i < count; i++)
        buffer_append(text, piece, strlen(piece));
}

/* --- each makes one text --- */

static void loops_in_loops(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n");
    for (int i = 1; i <= count; i++) {
        repeat(text, i, " ");
        say(text, "for a%d in event.Muon:\n", i);
    }
    repeat(text, count + 1, " ");
    say(text, "h.fill(a1.pt)\n");
}

static void brackets(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(");
    repeat(text, count, "(");
    say(text, "event.run");
    repeat(text, count + 1, ")");
}

static void functions_in_functions(hq_buffer *text, int count)
{
    begin(text);
    say(text, "def f0(x):\n return x * x\n");
    for (int i = 1; i <= count; i++)
        say(text, "def f%d(x):\n return f%d(x) + f%d(x + 1)\n", i, i - 1, i - 1);
    say(text, "for event in events:\n h.fill(f%d(event.MET_pt))\n", count);
}

static void tuples_of_tuples(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n t0 = (event.run, event.MET_pt)\n");
    for (int i = 1; i <= count; i++)
        say(text, " t%d = (t%d, t%d)\n", i, i - 1, i - 1);
}

static void variables_that_depend(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n");
    for (int i = 0; i <= count; i++)
        say(text, " v%d = 0\n", i);
    say(text, " while event.run > 0:\n");
    for (int i = 0; i < count; i++)
        say(text, "  v%d = v%d\n", i, i + 1);
    say(text, "  v%d = 0.5\n", count);
}

static void sums_of_collections(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n s = event.Muon");
    repeat(text, count, " + event.Muon");
    say(text, "\n for a, b in combinations(s, 2):\n  h.fill(delta_r(a, b))\n");
}

static void bins(hq_buffer *text, int count)
{
    say(text, "from hist import Hist, axis\nh = Hist(axis.Regular(%d, 0, 1), axis.Regular(%d, 0, 1))\n", count, count);
    say(text, "for event in events:\n h.fill(event.run, 0)\n");
}

static void bins_of_means(hq_buffer *text, int count)
{
    say(text, "from hist import Hist, axis\nh = Hist(axis.Regular(%d, 0, 1), storage=\"WeightedMean\")\n", count);
    say(text, "for event in events:\n h.fill(0.5, sample=1, weight=2)\n");
}

static void bins_with_weights(hq_buffer *text, int count)
{
    say(text, "from hist import Hist, axis\nh = Hist(axis.Regular(%d, 0, 1))\n", count);
    say(text, "for event in events:\n h.fill(0.5)\n h.fill(0.5, weight=2)\n h.fill(0.5, weight=3)\n");
}

static void digits(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(1");
    repeat(text, count, "0");
    say(text, ")\n");
}

static void shifts(hq_buffer *text, int count)
{
    begin(text);
    say(text, "x = 2 ** %d ** %d ** %d\nfor event in events:\n h.fill(x)\n", count, count, count);
}

static void edges(hq_buffer *text, int count)
{
    say(text, "from hist import Hist, axis\nh = Hist(axis.Variable([0");
    for (int i = 1; i < count; i++)
        say(text, ", %d", i);
    say(text, "]))\nfor event in events:\n h.fill(event.run)\n");
}

static void comments(hq_buffer *text, int count)
{
    repeat(text, count, "# a text of comments alone\n");
}

static void numbers_chosen(hq_buffer *text, int count)
{
    begin(text);
    for (int i = 0; i < count; i++)
        say(text, "x%d = comb(131072, 65536)\n", i);
    say(text, "for event in events:\n h.fill(x0)\n");
}

static void comprehensions(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(");
    repeat(text, count, "sum(");
    say(text, "1");
    for (int i = 0; i < count; i++)
        say(text, " for x%d in event.Muon)", i);
    say(text, ")\n");
}

static void lambdas(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(");
    repeat(text, count, "max(event.Muon, key=lambda m: ");
    say(text, "m.pt");
    repeat(text, count, ").pt");
    say(text, ")\n");
}

/* Each function is twice in the next one's key. */
static void keys_in_keys(hq_buffer *text, int count)
{
    begin(text);
    say(text, "def k0(m):\n return m.pt\n");
    for (int i = 1; i <= count; i++)
        say(text, "def k%d(m):\n return max([m, m], key=k%d).pt + k%d(m)\n", i, i - 1, i - 1);
    say(text, "for event in events:\n h.fill(max(event.Muon, key=k%d).pt)\n", count);
}

static void named_lists(hq_buffer *text, int count)
{
    begin(text);
    say(text, "L0 = [1, 2]\n");
    for (int i = 1; i <= count; i++)
        say(text, "L%d = (L%d, L%d)\n", i, i - 1, i - 1);
    say(text, "for event in events:\n h.fill(len(L%d))\n", count);
}

static void named_lists_used(hq_buffer *text, int count)
{
    begin(text);
    say(text, "L = [");
    repeat(text, 256, "1, ");
    say(text, "]\nfor event in events:\n");
    repeat(text, count, " h.fill(L[event.run])\n");
}

static void long_names(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(event.");
    repeat(text, count, "x");
    say(text, ")\n");
}

static void minuses(hq_buffer *text, int count)
{
    begin(text);
    say(text, "for event in events:\n h.fill(");
    repeat(text, count, "-");
    say(text, "1)\n");
}

/* One statement again and again. */
static void statements(hq_buffer *text, int count, const char *statement)
{
    begin(text);
    say(text, "def f(x, y):\n if x > y:\n  return x - y\n while x < 100:\n  x = x + y\n  if x > 50: return x * 2\n "
              "return x\n");
    say(text, "for event in events:\n");
    repeat(text, count, statement);
}

static void fills(hq_buffer *text, int count)
{
    statements(text, count, " h.fill(event.MET_pt)\n");
}

static void conditions(hq_buffer *text, int count)
{
    statements(text, count, " if event.MET_pt > 7: h.fill(event.MET_pt)\n");
}

static void indexes(hq_buffer *text, int count)
{
    statements(text, count, " h.fill(event.Muon[3].pt)\n");
}

static void loops(hq_buffer *text, int count)
{
    statements(text, count, " for a in event.Muon: h.fill(a.pt)\n");
}

static void pairs(hq_buffer *text, int count)
{
    statements(text, count, " for a, b in combinations(event.Muon, 2): h.fill(delta_r(a, b))\n");
}

static void sorts(hq_buffer *text, int count)
{
    statements(text, count, " s = sorted(event.Muon, key=lambda m: -m.eta)\n if s: h.fill(s[0].pt)\n");
}

static void calls(hq_buffer *text, int count)
{
    statements(text, count, " h.fill(f(event.MET_pt, 3.0))\n");
}

static void sums(hq_buffer *text, int count)
{
    statements(text, count, " h.fill(sum(sin(m.pt) for m in event.Muon if m.eta > 1))\n");
}

/* --- what becomes of it --- */

typedef enum fate { ACCEPTED, REFUSED } fate;

typedef struct hostile {
    const char *name;
    void (*make)(hq_buffer *text, int count);
    int count;
    fate fate;
} hostile;

/* The largest are found by trying: what refuses them is one limit or another. */
static const hostile TEXTS[] = {
    {"brackets", brackets, 190, ACCEPTED},
    {"brackets", brackets, 250000, REFUSED},
    {"brackets", brackets, 1000000, REFUSED}, /* over a megabyte */
    {"loops in loops", loops_in_loops, 190, ACCEPTED},
    {"loops in loops", loops_in_loops, 900, REFUSED},
    {"functions in functions", functions_in_functions, 8, ACCEPTED},
    {"functions in functions", functions_in_functions, 60, REFUSED},
    {"functions in functions", functions_in_functions, 10000, REFUSED},
    {"tuples of tuples", tuples_of_tuples, 60, REFUSED},
    {"variables that depend", variables_that_depend, 4000, REFUSED},
    {"sums of collections", sums_of_collections, 12, ACCEPTED},
    {"sums of collections", sums_of_collections, 190, REFUSED},
    {"bins", bins, 1000000, REFUSED},
    {"bins of means", bins_of_means, 1000000, ACCEPTED},
    {"bins of means", bins_of_means, (HQ_MAX_BINS >> 2) - 1, REFUSED},
    {"bins with weights", bins_with_weights, 2000000, ACCEPTED},
    {"bins with weights", bins_with_weights, (HQ_MAX_BINS >> 1) - 1, REFUSED},
    {"digits", digits, 500000, REFUSED},
    {"shifts", shifts, 99, REFUSED},
    {"edges", edges, 9000, ACCEPTED},
    {"edges", edges, 60000, REFUSED},
    {"comments", comments, 19000, REFUSED}, /* it has no event loop */
    {"fills", fills, 1600, ACCEPTED},
    {"fills", fills, 22000, REFUSED},
    {"conditions", conditions, 950, ACCEPTED},
    {"conditions", conditions, 12000, REFUSED},
    {"indexes", indexes, 1100, ACCEPTED},
    {"indexes", indexes, 18000, REFUSED},
    {"loops", loops, 400, ACCEPTED},
    {"loops", loops, 401, REFUSED},
    {"pairs", pairs, 190, ACCEPTED},
    {"pairs", pairs, 8000, REFUSED},
    {"sorts", sorts, 190, ACCEPTED},
    {"sorts", sorts, 7000, REFUSED},
    {"calls", calls, 340, ACCEPTED},
    {"calls", calls, 17000, REFUSED},
    {"numbers chosen", numbers_chosen, 19, ACCEPTED},
    {"numbers chosen", numbers_chosen, 9000, REFUSED},
    {"comprehensions", comprehensions, 60, ACCEPTED},
    {"comprehensions", comprehensions, 15000, REFUSED},
    {"lambdas", lambdas, 40, ACCEPTED},
    {"lambdas", lambdas, 10000, REFUSED},
    {"keys in keys", keys_in_keys, 6, ACCEPTED},
    {"keys in keys", keys_in_keys, 60, REFUSED},
    {"named lists", named_lists, 60, REFUSED},
    {"named lists used", named_lists_used, 12, ACCEPTED},
    {"named lists used", named_lists_used, 9000, REFUSED},
    {"long names", long_names, 500000, REFUSED},
    {"minuses", minuses, 500000, REFUSED},
    {"sums", sums, 390, ACCEPTED},
    {"sums", sums, 8000, REFUSED},
};

static void limit_room(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        _exit(3);
    fclose(file);
    rlim_t size = pages * (rlim_t)sysconf(_SC_PAGESIZE) + ROOM_BYTES;
    if (setrlimit(RLIMIT_AS, &(struct rlimit){size, size}) != 0)
        _exit(3);
}

/* In the child. Exits with the fate, or with something else. */
static void meet(const hq_buffer *text, const hq_schema *schema)
{
    alarm(CHILD_S);
    if (HAS_LIMITS)
        limit_room();
    hq_program *program = NULL;
    hq_code *code = NULL;
    hq_complaint complaint;
    hq_reason reason;
    hq_error error = program_parse((const char *)text->bytes, text->size, schema, &program, &complaint);
    if (error)
        fprintf(stderr, "  %s\n", complaint.message);
    if (error)
        _exit((error == HQ_ELIMIT || error == HQ_EQUERY) && complaint.message[0] ? REFUSED : 4);
    error = code_compile(program, &code, &reason);
    if (error)
        fprintf(stderr, "%s\n", reason.text);
    _exit(error ? 5 : ACCEPTED);
}

static void check(const hostile *subject, const hq_schema *schema)
{
    hq_buffer text = {0};
    subject->make(&text, subject->count);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        meet(&text, schema);
    int status = 0;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    long used_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    print_message("%-24s %7d: %7zu bytes, %4ld ms\n", subject->name, subject->count, text.size, used_ms);
    buffer_clear(&text);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != (int)subject->fate)
        fail_msg("%s, %d of them: status %#x", subject->name, subject->count, (unsigned)status);
    if (HAS_LIMITS)
        assert_in_range(used_ms, 0, subject->fate == ACCEPTED ? COMPILED_MS : REFUSED_MS);
}

static void every_text_is_refused_or_compiled_in_time_and_room(void **state)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        check(&TEXTS[i], ((test_table *)*state)->schema);
}

/* The entries are few: what takes so long must be seen within one entry. */
static void endless_loops_are_ended(void **state)
{
    const test_table *table = *state;
    static const char *const ENDLESS[] = {
        " while True: pass\n",
        " while True: h.fill(1)\n",
        " x = 0\n while x < 1:\n  x = x - 1\n  for m in event.Muon: x = x + 0\n",
        " for i in range(1 << 62): h.fill(i)\n",
        " for i in range(1 << 20):\n  for j in range(1 << 20):\n   for k in range(1 << 20): h.fill(k)\n",
        " h.fill(sum(i * j for i in range(1 << 40) for j in range(1 << 40)))\n",
        " for a, b, c in combinations(range(1 << 30), 3): h.fill(a)\n",
        " h.fill(max(i % 7 for i in range(1 << 62)))\n",
        " while any(i < 0 for i in range(1000)) or True: pass\n",
        " while True:\n  s = [m.pt for m in event.Muon for n in range(1000)]\n",
    };
    for (size_t i = 0; i < sizeof ENDLESS / sizeof *ENDLESS; i++) {
        hq_buffer text = {0};
        statements(&text, 1, ENDLESS[i]);
        buffer_u8(&text, 0);
        hq_program *program = must_parse((const char *)text.bytes, table->schema);
        hq_code *code = must_compile(program);
        hq_histset *hists = program_new_hists(program);
        int64_t begun = hq_now_ms();
        hq_run run = {.deadline_ms = begun + 50};
        hq_reason reason;
        assert_int_equal(run_over(code, program, table, &run, hists, &reason), HQ_ETIMEOUT);
        if (HAS_LIMITS)
            assert_in_range(hq_now_ms() - begun, 50, LATE_MS);
        histset_free(&hists);
        code_free(&code);
        program_free(&program);
        buffer_clear(&text);
    }
}

static void endless_lists_are_ended(void **state)
{
    static const char *const ENDLESS[] = {
        " s = [i for i in range(1 << 62)]\n",
        " s = sorted(i for i in range(1 << 62))\n",
        " s = [(a, b) for a, b in combinations(range(1 << 30), 2)]\n",
    };
    const test_table *table = *state;
    for (size_t i = 0; i < sizeof ENDLESS / sizeof *ENDLESS; i++) {
        hq_buffer text = {0};
        statements(&text, 1, ENDLESS[i]);
        buffer_u8(&text, 0);
        char *outcome = outcome_of((const char *)text.bytes, table);
        if (!strstr(outcome, "MiB"))
            fail_msg("%s: %s", ENDLESS[i], outcome);
        free(outcome);
        buffer_clear(&text);
    }
}

/* A large query is compiled in another way, and gives the same. */
static void large_queries_give_the_same(void **state)
{
    const test_table *table = *state;
    static const char BODY[] = " for a, b in combinations(event.Muon, 2): h.fill(a.pt / 10 + b.eta)\n"
                               " s = sorted(event.Muon, key=lambda m: -m.eta)\n"
                               " if s: h.fill(s[-1].pt / 10)\n"
                               " h.fill(f(event.MET_pt, 3.5) % 10)\n"
                               " h.fill(sum(sin(m.phi) for m in event.Muon if m.tight))\n";
    enum { TIMES = 60 };
    hq_histset *hists[2];
    for (int i = 0; i < 2; i++) {
        hq_buffer text = {0};
        statements(&text, i ? TIMES : 1, BODY);
        buffer_u8(&text, 0);
        hq_program *program = must_parse((const char *)text.bytes, table->schema);
        hq_code *code = must_compile(program);
        hists[i] = program_new_hists(program);
        hq_run run = {0};
        hq_reason reason;
        assert_int_equal(run_over(code, program, table, &run, hists[i], &reason), HQ_OK);
        code_free(&code);
        program_free(&program);
        buffer_clear(&text);
    }
    const int64_t *once = hist_bins_const(hists[0]->hists[0]), *often = hist_bins_const(hists[1]->hists[0]);
    int64_t fills = 0;
    for (size_t i = 0; i < hist_size(hists[0]->hists[0]); i++) {
        assert_int_equal(often[i], TIMES * once[i]);
        fills += once[i];
    }
    assert_true(fills > 10);
    histset_free(&hists[0]);
    histset_free(&hists[1]);
}

static int set_up(void **state)
{
    *state = table_of_muons();
    return 0;
}

static int tear_down(void **state)
{
    table_free((test_table **)state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_is_refused_or_compiled_in_time_and_room),
        cmocka_unit_test(endless_loops_are_ended),
        cmocka_unit_test(endless_lists_are_ended),
        cmocka_unit_test(large_queries_give_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
