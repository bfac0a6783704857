/* The front end: fingerprints, columns, declared histograms, limits, and how a complaint is shown. */
#include <time.h>

#include "tests/query/fixture.h"

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

static hq_hash fingerprint_of(const char *text, const hq_schema *schema)
{
    hq_program *program = must_parse(text, schema);
    hq_hash hash = program_fingerprint(program);
    program_free(&program);
    return hash;
}

static bool is_same(const hq_hash *one, const hq_hash *other)
{
    return memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

static const char REFERENCE[] = "from hist import Hist, axis\n"
                                "from math import sqrt, pi\n"
                                "h = Hist(axis.Regular(10, 0, 10, name=\"x\", label=\"X\"))\n"
                                "for event in events:\n"
                                "    for i, m in enumerate(event.Muon):\n"
                                "        if m.pt > 2 * pi and m.charge > 0:\n"
                                "            h.fill(sqrt(m.pt))\n";

static void the_spelling_does_not_matter(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    static const char *const SAME[] = {
        /* names of variables, comments, blank lines, widths of indentation, line ends, imports */
        "# a comment\r\nimport hist, math as M\r\n\r\n"
        "h = hist.Hist(hist.axis.Regular(10, 0, 10, label='X', name='x'))\r\n"
        "for e in events:  # each\r\n\tfor k, mu in enumerate(e.Muon):\r\n\t\tif (mu.pt > M.tau) and mu.charge > 0:\r\n"
        "\r\n\t\t\th.fill(x=M.sqrt(mu.pt))",
        /* constants by name, unused names, docstrings */
        "'''What it is\nabout'''\nfrom hist import Hist as H, axis as a\nimport math\nPT = 1 + 1; UNUSED = 3\nPT *= "
        "math.pi\n"
        "h = H(a.Regular(bins=10, start=0.0, stop=1e1, name='x', label='X', underflow=True))\n"
        "for event in events:\n  pass\n  for i, m in enumerate(event.Muon, 0):\n"
        "    if m.pt > PT and \\\n      m.charge > 0: h.fill(math.sqrt(m.pt))\n",
    };
    hq_hash reference = fingerprint_of(REFERENCE, schema);
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        hq_hash other = fingerprint_of(SAME[i], schema);
        assert_true(is_same(&reference, &other));
    }
}

static void the_meaning_does_matter(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    /* one edit each to the reference */
    static const struct {
        const char *from, *to;
    } EDITS[] = {
        {"Regular(10, 0, 10", "Regular(11, 0, 10"},
        {"Regular(10, 0, 10", "Regular(10, 1, 10"},
        {"Regular(10, 0, 10", "Regular(10, 0, 11"},
        {"name=\"x\"", "name=\"y\""},
        {"label=\"X\"", "label=\"Y\""},
        {"2 * pi", "3 * pi"},
        {"m.pt > 2", "m.pt >= 2"},
        {"m.pt > 2", "m.eta > 2"},
        {"m.charge > 0", "m.charge < 0"},
        {"and m", "or m"},
        {"sqrt(m.pt)", "sqrt(m.eta)"},
        {"sqrt(m.pt)", "abs(m.pt)"},
        {"h.fill(sqrt(m.pt))", "h.fill(sqrt(m.pt), weight=1)"},
        {"h.fill(sqrt(m.pt))", "h.fill(sqrt(m.pt)); h.fill(1)"},
        {"h.fill(sqrt(m.pt))", "h.fill(sqrt(m.pt)); break"},
        {"enumerate(event.Muon)", "enumerate(event.Muon, 1)"},
        {"enumerate(event.Muon)", "enumerate(event.Muon[1:])"},
    };
    enum { COUNT = sizeof EDITS / sizeof *EDITS };
    hq_hash hashes[COUNT + 1];
    hashes[COUNT] = fingerprint_of(REFERENCE, schema);
    for (size_t i = 0; i < COUNT; i++) {
        const char *at = strstr(REFERENCE, EDITS[i].from);
        assert_non_null(at);
        char *text = hq_format("%.*s%s%s", (int)(at - REFERENCE), REFERENCE, EDITS[i].to, at + strlen(EDITS[i].from));
        hashes[i] = fingerprint_of(text, schema);
        free(text);
        for (size_t j = 0; j < i; j++)
            assert_false(is_same(&hashes[i], &hashes[j]));
        assert_false(is_same(&hashes[i], &hashes[COUNT]));
    }
}

static void histograms_names_and_columns_types_count(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    hq_hash one = fingerprint_of(
        "import hist\na = hist.Hist(hist.axis.Regular(1, 0, 1))\nfor e in events: a.fill(e.run)\n", schema);
    hq_hash other = fingerprint_of(
        "import hist\nb = hist.Hist(hist.axis.Regular(1, 0, 1))\nfor e in events: b.fill(e.run)\n", schema);
    assert_false(is_same(&one, &other));
    hq_schema *wider = schema_new();
    schema_add(wider, "run", NULL, NULL, HQ_INT64, false);
    other = fingerprint_of("import hist\na = hist.Hist(hist.axis.Regular(1, 0, 1))\nfor e in events: a.fill(e.run)\n",
                           wider);
    assert_false(is_same(&one, &other));
    schema_free(&wider);
}

static void columns_come_in_the_order_of_their_use(void **state)
{
    char *text = query_with("axis.Regular(1, 0, 1)", "for m in event.Muon: h.fill(m.phi + event.run * m.pt + m.phi)\n"
                                                     "h.fill(len(event.hit))");
    hq_program *program = must_parse(text, ((test_table *)*state)->schema);
    assert_int_equal(program_column_count(program), 4);
    assert_string_equal(program_column(program, 0)->name, "Muon_phi");
    assert_string_equal(program_column(program, 1)->name, "run");
    assert_string_equal(program_column(program, 2)->name, "Muon_pt");
    assert_string_equal(program_column(program, 3)->name, "hit");
    program_free(&program);
    free(text);
    /* only a length: the narrowest member tells it */
    text = query_with("axis.Regular(1, 0, 1)", "h.fill(len(event.Muon))");
    program = must_parse(text, ((test_table *)*state)->schema);
    assert_int_equal(program_column_count(program), 1);
    assert_string_equal(program_column(program, 0)->name, "Muon_tight");
    program_free(&program);
    free(text);
}

static void histograms_are_declared_with_all_they_have(void **state)
{
    static const char TEXT[] = "from hist import Hist, axis\nimport math\nN = 2 ** 3\nNAME = 'mass'\n"
                               "first = Hist(axis.Regular(N, -math.pi, math.pi, name=NAME, label='m [GeV] \xc2\xb1'),\n"
                               "             axis.Regular(5, 0, 1))\n"
                               "second = Hist(axis.Regular(1, 0, 1))\n"
                               "for event in events:\n    second.fill(0, weight=2)\n";
    hq_program *program = must_parse(TEXT, ((test_table *)*state)->schema);
    hq_histset *hists = program_new_hists(program);
    assert_int_equal(hists->count, 2);
    assert_string_equal(hist_name(hists->hists[0]), "first");
    assert_int_equal(hist_axis_count(hists->hists[0]), 2);
    const hq_axis *axis = hist_axis(hists->hists[0], 0);
    assert_int_equal(axis->bins, 8);
    assert_true(axis->low == -axis->high && axis->high > 3.14);
    assert_string_equal(axis->name, "mass");
    assert_string_equal(axis->label, "m [GeV] \xc2\xb1");
    assert_string_equal(hist_axis(hists->hists[0], 1)->name, "");
    assert_int_equal(hist_storage(hists->hists[0]), HQ_COUNT);
    assert_int_equal(hist_storage(hists->hists[1]), HQ_WEIGHTED);
    histset_free(&hists);
    program_free(&program);
}

static void a_complaint_shows_its_place(void **state)
{
    (void)state;
    hq_complaint complaint = {.line = 3, .column = 5, .message = "no such thing", .hint = "did you mean that?"};
    strcpy(complaint.source_line, "\tx\xc2\xb5y = 1");
    char *text = complaint_render(&complaint, "q.py");
    assert_string_equal(text,
                        "q.py:3:5: error: no such thing\n    \tx\xc2\xb5y = 1\n    \t   ^\nhint: did you mean that?\n");
    free(text);
    complaint.line = complaint.column = 0;
    complaint.hint[0] = 0;
    text = complaint_render(&complaint, "q.py");
    assert_string_equal(text, "q.py: error: no such thing\n");
    free(text);
}

static void columns_of_complaints_count_characters(void **state)
{
    hq_program *program = NULL;
    hq_complaint complaint;
    static const char TEXT[] = "x = '\xc3\xa4\xc3\xb6' + $";
    assert_int_equal(program_parse(TEXT, strlen(TEXT), ((test_table *)*state)->schema, &program, &complaint),
                     HQ_EQUERY);
    assert_int_equal(complaint.line, 1);
    assert_int_equal(complaint.column, 12);
    assert_string_equal(complaint.source_line, TEXT);
}

/* --- what is too much --- */

static hq_error error_of(const char *text, size_t length, const hq_schema *schema)
{
    hq_program *program = NULL;
    hq_complaint complaint;
    hq_error error = program_parse(text, length, schema, &program, &complaint);
    if (error)
        assert_true(complaint.message[0] != 0);
    program_free(&program);
    return error;
}

/* head, then as many pieces as fit into the longest text, then tail. */
static hq_error error_of_many(const hq_schema *schema, const char *head, const char *piece, size_t count,
                              const char *tail)
{
    hq_buffer text = {0};
    buffer_append(&text, head, strlen(head));
    for (size_t i = 0; i < count && text.size + strlen(piece) + strlen(tail) <= HQ_MAX_TEXT; i++)
        buffer_append(&text, piece, strlen(piece));
    buffer_append(&text, tail, strlen(tail));
    clock_t begin = clock();
    hq_error error = error_of((const char *)text.bytes, text.size, schema);
    assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
    buffer_clear(&text);
    return error;
}

static void texts_that_are_too_much_are_refused(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    static const char LOOP[] = "from hist import Hist, axis\nh = Hist(axis.Regular(1, 0, 1))\nfor event in events:\n ";
    const size_t many = SIZE_MAX;
    assert_int_equal(error_of_many(schema, "x = ", "(", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = ", "-", many, "1"), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = ", "not ", many, "1"), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 2", "**2", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1", "+1", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1", " if 1 else 1", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1", " and 1", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1", " < 1", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = ", "'a'", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = y", ".y", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = f(", "1,", many, ")"), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, LOOP, "x = event.run; ", many, "pass\n"), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, LOOP, "h.fill(1); ", many, "pass\n"), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1", "0", 100, ""), HQ_EQUERY);
    assert_int_equal(error_of_many(schema, "x = 1", "0", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1.", "0", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 1e", "0", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "x = 0x", "0", many, ""), HQ_ELIMIT);
    assert_int_equal(error_of_many(schema, "", "#", many, ""), HQ_EQUERY);
    assert_int_equal(error_of_many(schema, "", "\n", many, ""), HQ_EQUERY);
    assert_int_equal(error_of_many(schema, "", "a", many, ""), HQ_EQUERY);
    assert_int_equal(error_of_many(schema, "from hist import Hist, axis\n", "h = Hist(axis.Regular(1, 0, 1))\n", 2, ""),
                     HQ_EQUERY);
    char *longest = hq_calloc(1, HQ_MAX_TEXT + 2);
    memset(longest, ' ', HQ_MAX_TEXT + 1);
    assert_int_equal(error_of(longest, HQ_MAX_TEXT + 1, schema), HQ_ELIMIT);
    assert_int_equal(error_of(longest, HQ_MAX_TEXT, schema), HQ_EQUERY);
    free(longest);
}

static void blocks_nested_too_deep_are_refused(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    for (int is_deep = 0; is_deep < 2; is_deep++) {
        hq_buffer text = {0};
        static const char HEAD[] =
            "from hist import Hist, axis\nh = Hist(axis.Regular(1, 0, 1))\nfor event in events:\n";
        buffer_append(&text, HEAD, strlen(HEAD));
        int depth = is_deep ? 300 : 90;
        for (int i = 1; i <= depth; i++) {
            for (int j = 0; j < i; j++)
                buffer_u8(&text, ' ');
            buffer_append(&text, i < depth ? "if 1:\n" : "pass\n", i < depth ? 6 : 5);
        }
        assert_int_equal(error_of((const char *)text.bytes, text.size, schema), is_deep ? HQ_ELIMIT : HQ_OK);
        buffer_clear(&text);
    }
}

static void too_many_histograms_or_bins_are_refused(void **state)
{
    const hq_schema *schema = ((test_table *)*state)->schema;
    for (int count = HQ_MAX_HISTS; count <= HQ_MAX_HISTS + 1; count++) {
        hq_buffer text = {0};
        char line[128];
        buffer_append(&text, "from hist import Hist, axis\n", 28);
        for (int i = 0; i < count; i++) {
            int length = snprintf(line, sizeof line, "h%d = Hist(axis.Regular(1, 0, 1))\n", i);
            buffer_append(&text, line, (size_t)length);
        }
        buffer_append(&text, "for e in events: h0.fill(1)\n", 28);
        assert_int_equal(error_of((const char *)text.bytes, text.size, schema),
                         count > HQ_MAX_HISTS ? HQ_ELIMIT : HQ_OK);
        buffer_clear(&text);
    }
    static const char *const AXES[] = {
        "axis.Regular(67108863, 0, 1)",
        "axis.Regular(9223372036854775807, 0, 1)",
        "axis.Regular(10000, 0, 1), axis.Regular(10000, 0, 1)",
        ("axis.Regular(67108862, 0, 1), axis.Regular(67108862, 0, 1), axis.Regular(67108862, 0, 1), "
         "axis.Regular(67108862, 0, 1)"),
        "axis.Regular(50000000, 0, 1))\nh2 = Hist(axis.Regular(50000000, 0, 1)",
    };
    for (size_t i = 0; i < sizeof AXES / sizeof *AXES; i++) {
        char *text = query_with(AXES[i], "h.fill(1)");
        assert_int_equal(error_of(text, strlen(text), schema), HQ_ELIMIT);
        free(text);
    }
}

/* Each variable's type is found out from the one below it: more passes than a query gets. */
static void types_that_do_not_settle_are_refused(void **state)
{
    hq_buffer text = {0};
    char line[64];
    static const char HEAD[] = "from hist import Hist, axis\nh = Hist(axis.Regular(1, 0, 1))\nfor event in events:\n";
    buffer_append(&text, HEAD, strlen(HEAD));
    for (int i = 0; i <= 100; i++)
        buffer_append(&text, line, (size_t)snprintf(line, sizeof line, "  x%d = 0\n", i));
    buffer_append(&text, "  while x0 < 1:\n", 16);
    for (int i = 0; i < 100; i++)
        buffer_append(&text, line, (size_t)snprintf(line, sizeof line, "    x%d = x%d\n", i, i + 1));
    buffer_append(&text, "    x100 = 0.5\n", 15);
    assert_int_equal(error_of((const char *)text.bytes, text.size, ((test_table *)*state)->schema), HQ_ELIMIT);
    buffer_clear(&text);
}

/* Lines for the numbers from 1 to count, where # stands for the number and ~ for the one before it. */
static void add_lines(hq_buffer *text, int count, const char *line)
{
    char number[16];
    for (int i = 1; i <= count; i++)
        for (const char *at = line; *at; at++) {
            if (*at != '#' && *at != '~') {
                buffer_u8(text, (uint8_t)*at);
                continue;
            }
            int length = snprintf(number, sizeof number, "%d", *at == '#' ? i : i - 1);
            buffer_append(text, number, (size_t)length);
        }
}

/* What is short in the text and long, or large, once functions are put in the place of their calls. */
static void what_grows_without_end_is_refused(void **state)
{
    static const struct {
        int count;
        const char *above, *line, *event, *lines;
    } TEXTS[] = {
        {40, "def f0(x):\n    return x + 1\n", "def f#(x):\n    return f~(x) + f~(x)\n", "h.fill(f40(1))", ""},
        {40, "def f0(x):\n    return x + 1\n", "def f#(x):\n    return f~(f~(x))\n", "h.fill(f40(1.5))", ""},
        {4000, "def f0(x):\n    return x + 1\n", "def f#(x):\n    return f~(x)\n", "h.fill(f4000(1))", ""},
        {30, "def f0(x):\n    return [x]\n", "def f#(x):\n    return [y for y in f~(x) for z in f~(x)]\n",
         "h.fill(len(f30(1)))", ""},
        {60, "", "", "t0 = (1, 2)\n", "    t# = (t~, t~)\n"},
        {60, "", "", "t0 = event.Muon + event.Muon\n", "    t# = t~ + t~\n"},
        {2000, "", "", "t0 = event.Muon + event.Muon\n", "    t# = t~[1:]\n"},
        {5000, "", "", "t0 = [1]\n", "    t# = sorted([i for i in t~])\n"},
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        hq_buffer text = {0};
        buffer_append(&text, "from hist import Hist, axis\nh = Hist(axis.Regular(1, 0, 1))\n", 60);
        buffer_append(&text, TEXTS[i].above, strlen(TEXTS[i].above));
        add_lines(&text, TEXTS[i].count, TEXTS[i].line);
        buffer_append(&text, "for event in events:\n    ", 25);
        buffer_append(&text, TEXTS[i].event, strlen(TEXTS[i].event));
        add_lines(&text, TEXTS[i].count, TEXTS[i].lines);
        clock_t begin = clock();
        assert_int_equal(error_of((const char *)text.bytes, text.size, ((test_table *)*state)->schema), HQ_ELIMIT);
        assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
        buffer_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_spelling_does_not_matter),
        cmocka_unit_test(the_meaning_does_matter),
        cmocka_unit_test(histograms_names_and_columns_types_count),
        cmocka_unit_test(columns_come_in_the_order_of_their_use),
        cmocka_unit_test(histograms_are_declared_with_all_they_have),
        cmocka_unit_test(a_complaint_shows_its_place),
        cmocka_unit_test(columns_of_complaints_count_characters),
        cmocka_unit_test(texts_that_are_too_much_are_refused),
        cmocka_unit_test(blocks_nested_too_deep_are_refused),
        cmocka_unit_test(too_many_histograms_or_bins_are_refused),
        cmocka_unit_test(types_that_do_not_settle_are_refused),
        cmocka_unit_test(what_grows_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
