/* What lists, comprehensions, functions of the query's own and their kin compute: the bins are those that CPython fills
 * when it runs the same text over the same four events. */
#include "tests/query/fixture.h"

/* Definitions for above the event loop, or NULL; a body for h with Regular(10, 0, 10); its bins with flow. */
typedef struct example {
    const char *definitions, *body, *bins;
} example;

static int setup(void **state)
{
    static const uint32_t ELECTRONS[] = {1, 0, 2, 1};
    static const float PT[] = {35, 25, 15, 45};
    static const int32_t CHARGE[] = {1, -1, 1, 1};
    test_table *table = table_of_muons();
    table_jagged(table, "Electron_pt", "Electron", "pt", HQ_FLOAT32, ELECTRONS, PT);
    table_jagged(table, "Electron_charge", "Electron", "charge", HQ_INT32, ELECTRONS, CHARGE);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    table_free((test_table **)state);
    return 0;
}

static char *query_of(const char *definitions, const char *body)
{
    hq_buffer text = {0};
    static const char HEAD[] = "import math\nfrom itertools import combinations\nfrom hist import Hist, axis\n"
                               "h = Hist(axis.Regular(10, 0, 10))\n";
    buffer_append(&text, HEAD, sizeof HEAD - 1);
    if (definitions)
        buffer_append(&text, definitions, strlen(definitions));
    static const char LOOP[] = "\nfor event in events:\n    ";
    buffer_append(&text, LOOP, sizeof LOOP - 1);
    for (const char *at = body; *at; at++) {
        buffer_u8(&text, (uint8_t)*at);
        if (*at == '\n')
            buffer_append(&text, "    ", 4);
    }
    buffer_append(&text, "\n", 2);
    return (char *)text.bytes;
}

static void assert_gives(const test_table *table, const char *definitions, const char *body, const char *wanted)
{
    char *text = query_of(definitions, body);
    assert_outcome(table, text, wanted);
    free(text);
}

static void check_all(const test_table *table, const example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_gives(table, examples[i].definitions, examples[i].body, examples[i].bins);
}

#define CHECK_ALL(state, examples) check_all(*(state), (examples), sizeof(examples) / sizeof *(examples))

static void sums_and_questions(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "h.fill(sum(m.pt for m in event.Muon) / 20)", "0 2 0 1 0 0 0 0 1 0 0 0"},
        {NULL, "h.fill(sum(event.hit))", "0 1 0 0 0 1 0 0 1 0 0 1"},
        {NULL, "h.fill(sum(m.pt > 15 for m in event.Muon))", "0 2 0 1 1 0 0 0 0 0 0 0"},
        {NULL, "h.fill(sum((m.charge for m in event.Muon), 2))", "0 0 0 2 2 0 0 0 0 0 0 0"},
        {NULL, "h.fill(sum((x for x in event.hit), start=0.5))", "0 1 0 0 0 0 1 0 0 1 0 1"},
        {NULL, "h.fill(sum([x * 2 for x in event.hit if x > 2]))", "0 1 0 0 0 0 0 0 0 0 1 2"},
        {NULL, "h.fill(sum(1 for i in range(event.run) for j in range(i)))", "0 1 1 0 1 0 0 1 0 0 0 0"},
        {NULL, "h.fill(sum(i * j for i in range(4) if i % 2 for j in range(i, 4) if j != 2))",
         "0 0 0 0 0 0 0 0 0 0 0 4"},
        {NULL, "h.fill(any(m.pt > 25 for m in event.Muon))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(all(m.pt > 15 for m in event.Muon))", "0 1 3 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(any(a.charge != b.charge for a in event.Muon for b in event.Electron))",
         "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(all(event.hit) + any(event.hit))", "0 0 1 3 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(any([x > 3 for x in event.hit]))", "0 1 3 0 0 0 0 0 0 0 0 0"},
        {NULL,
         "for m in event.Muon:\n    if any(x > m.pt / 10 for x in event.hit):\n        continue\n    h.fill(m.pt / 10)",
         "0 0 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(len([m for m in event.Muon if m.charge > 0]))", "0 1 2 1 0 0 0 0 0 0 0 0"},
        {NULL, "if event.Muon and not any(x > 6 for x in event.hit):\n    h.fill(len(event.Muon))",
         "0 0 1 1 0 0 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void the_least_and_the_greatest(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "h.fill(max((m.pt for m in event.Muon), default=-1) / 10)", "1 0 1 0 1 0 0 1 0 0 0 0"},
        {NULL, "h.fill(min((m.pt for m in event.Muon), default=95.0) / 10)", "0 0 1 1 0 1 0 0 0 0 1 0"},
        {NULL, "h.fill(max(event.hit, default=0))", "0 1 0 0 1 1 0 1 0 0 0 0"},
        {NULL, "if event.Muon:\n    h.fill(max(event.Muon, key=lambda m: -m.pt).pt / 10)", "0 0 1 1 0 1 0 0 0 0 0 0"},
        {NULL,
         "if event.Muon:\n    m = min(event.Muon, key=lambda m: (m.charge + 1) * 100 + m.pt)\n    h.fill(m.pt / 10)",
         "0 0 1 0 1 1 0 0 0 0 0 0"},
        {NULL,
         "if len(event.Muon) > 1:\n    i, m = max(enumerate(event.Muon), key=lambda p: p[1].charge)\n    h.fill(i)",
         "0 1 1 0 0 0 0 0 0 0 0 0"},
        {NULL,
         "if len(event.Muon) > 1:\n    a, b = min(combinations(event.Muon, 2), key=lambda t: abs(t[0].pt + t[1].pt - "
         "95))\n    h.fill(a.pt / 10)\n    h.fill(b.pt / 10)",
         "0 0 0 1 1 1 1 0 0 0 0 0"},
        {NULL, "h.fill(max([3, 1.5, 2]))", "0 0 0 0 4 0 0 0 0 0 0 0"},
        {NULL, "h.fill(min(3, event.run, key=lambda x: -x))", "0 0 0 0 3 1 0 0 0 0 0 0"},
        {NULL, "h.fill(max((x for x in event.hit if x > 3), default=0.5))", "0 1 0 0 1 1 0 1 0 0 0 0"},
        {"def negative(x):\n    return -x", "h.fill(max(event.hit, key=negative, default=9))",
         "0 0 1 0 0 1 1 0 0 0 1 0"},
        {NULL, "if event.hit:\n    h.fill(min(event.hit, key=abs))", "0 0 1 0 0 1 1 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void lists(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "good = [m for m in event.Muon if m.pt > 15]\nh.fill(len(good))\nfor m in good:\n    h.fill(m.pt / 10)",
         "0 2 0 2 2 1 1 1 0 0 0 0"},
        {NULL, "pts = [m.pt / 10 for m in event.Muon]\nif pts:\n    h.fill(pts[-1])\n    h.fill(pts[0])",
         "0 0 2 1 1 1 0 1 0 0 0 0"},
        {NULL, "xs = [x + 1 for x in event.hit]\nfor x in xs[1:]:\n    h.fill(x)\nfor x in xs[:-1]:\n    h.fill(x)",
         "0 0 0 1 2 1 0 1 1 0 0 0"},
        {NULL, "xs = [3, 1.5, event.run]\nh.fill(xs[event.run - 2])", "0 0 2 0 1 1 0 0 0 0 0 0"},
        {NULL,
         "pairs = [(i, m) for i, m in enumerate(event.Muon) if m.charge > 0]\nfor i, m in pairs:\n    h.fill(i + m.pt "
         "/ 20)",
         "0 1 1 0 1 0 1 0 0 0 0 0"},
        {NULL,
         "xs = [i * 1000 + j for i in range(50) for j in range(i)]\nh.fill(len(xs) / 200)\nh.fill(xs[-1] // 10000)",
         "0 0 0 0 0 4 0 4 0 0 0 0"},
        {NULL, "nested = [len([y for y in event.hit if y < x]) for x in event.hit]\nfor n in nested:\n    h.fill(n)",
         "0 3 2 1 0 0 0 0 0 0 0 0"},
        {NULL, "xs = list(range(1, 9, 3))\nh.fill(sum(xs) - 8)", "0 0 0 0 0 4 0 0 0 0 0 0"},
        {NULL, "xs = [1, 2]\nfor x in xs:\n    xs = [5, 6, 7]\n    h.fill(x)", "0 0 4 4 0 0 0 0 0 0 0 0"},
        {NULL, "flags = [x > 3 for x in event.hit]\nfor i, flag in enumerate(flags):\n    if flag:\n        h.fill(i)",
         "0 2 1 1 0 0 0 0 0 0 0 0"},
        {NULL, "for c in [c for c in combinations(event.Muon, 2)]:\n    h.fill((c[0].pt + c[1].pt) / 20)",
         "0 0 0 1 0 1 2 0 0 0 0 0"},
        {NULL, "total = 0.0\nfor scale in (0.5, 1, 1.5):\n    total += scale\nh.fill(total)",
         "0 0 0 0 4 0 0 0 0 0 0 0"},
        {NULL, "a = [x for x in event.hit]\nb = a if event.run > 2 else a[:1]\nh.fill(len(b))",
         "0 1 2 1 0 0 0 0 0 0 0 0"},
        {NULL, "rows = [[1, 2], [3, 4, 5]]\nfor row in rows:\n    h.fill(sum(row))", "0 0 0 0 4 0 0 0 0 0 0 4"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void sorting(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "for x in sorted(event.hit, reverse=True)[:2]:\n    h.fill(x)", "0 0 0 1 1 1 1 1 0 0 0 0"},
        {NULL, "for i, m in enumerate(sorted(event.Muon, key=lambda m: -m.pt)):\n    h.fill(i + m.pt / 20)",
         "0 1 1 1 2 1 0 0 0 0 0 0"},
        {NULL,
         "xs = sorted([(x * 7) % 5 for x in range(20)])\nh.fill(xs[4])\nh.fill(xs[15])\nh.fill(sum(x * i for i, x in "
         "enumerate(xs)) / 60)",
         "0 0 4 0 4 0 0 0 0 0 4 0"},
        {NULL, "ms = sorted(event.Muon, key=lambda m: m.charge)\nfor i, m in enumerate(ms):\n    h.fill(i + m.pt / 20)",
         "0 1 1 2 1 0 1 0 0 0 0 0"},
        {NULL,
         "ms = sorted(event.Muon, key=lambda m: m.charge, reverse=True)\nfor i, m in enumerate(ms):\n    h.fill(i + "
         "m.pt / 20)",
         "0 1 1 2 0 2 0 0 0 0 0 0"},
        {NULL,
         "xs = sorted([i * 37 % 101 for i in range(101)], key=lambda x: abs(x - 50))\nh.fill(xs[0] / "
         "10)\nh.fill(xs[99] / 10)\nh.fill(sum(x * i for i, x in enumerate(xs)) % 7)",
         "0 4 0 0 0 4 4 0 0 0 0 0"},
        {NULL, "xs = sorted((3, 1, 2))\nh.fill(xs[0] * 3 + xs[2])", "0 0 0 0 0 0 0 4 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void tuples_zip_enumerate_and_combinations(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "pair = (event.run, event.x)\nh.fill(pair[0])\nh.fill(pair[-1])\nh.fill(len(pair))",
         "1 1 1 6 1 1 0 0 1 0 0 0"},
        {NULL, "a, (b, c) = 1, (2, event.run)\nh.fill(a + b + c)", "0 0 0 0 0 1 1 1 1 0 0 0"},
        {NULL, "t = 1, 2.5\nt = (t[1], t[0] * 2)\nh.fill(t[0] + t[1])", "0 0 0 0 0 4 0 0 0 0 0 0"},
        {NULL, "for a, b in zip(event.Muon, event.hit):\n    h.fill(a.pt / 20 + b)", "0 0 0 0 0 0 1 0 1 0 1 0"},
        {NULL, "for a, b, c in zip(event.Muon, event.Muon[1:], range(5)):\n    h.fill(c + (a.pt + b.pt) / 50)",
         "0 0 2 0 1 0 0 0 0 0 0 0"},
        {NULL, "for i, x in enumerate(event.hit, 2):\n    h.fill(i + x / 2)", "0 0 0 1 0 3 1 1 0 0 0 0"},
        {NULL, "for i, (a, b) in enumerate(zip(event.hit, event.hit[1:])):\n    h.fill(i + b - a)",
         "0 0 2 1 0 0 0 0 0 0 0 0"},
        {NULL, "for i, (a, b) in enumerate(combinations(event.Muon, 2), start=1):\n    h.fill(i + (b.pt - a.pt) / 100)",
         "0 0 2 1 1 0 0 0 0 0 0 0"},
        {NULL, "for i, x in enumerate(x for x in event.hit if x > 2):\n    h.fill(i + x)", "0 0 0 1 0 2 1 0 1 0 0 0"},
        {NULL, "for i, j, k in combinations(range(5), 3):\n    h.fill(i + j + k)", "0 0 0 0 4 4 8 8 8 4 4 0"},
        {NULL, "for i, j in combinations(range(8, 0, -2), 2):\n    h.fill(i - j)", "0 0 0 12 0 8 0 4 0 0 0 0"},
        {NULL,
         "for a, b in combinations(event.hit, 2):\n    if a + b > 5:\n        break\n    h.fill(a + b)\nelse:\n    "
         "h.fill(9)",
         "0 0 0 0 0 1 1 0 0 0 2 0"},
        {NULL, "for a, b in combinations(event.hit, 2):\n    if b - a > 1.5:\n        continue\n    h.fill(a + b)",
         "0 0 0 0 0 1 0 1 0 0 0 1"},
        {NULL, "h.fill(sum(a * b for a, b in combinations(event.hit, 2)) / 5)", "0 2 0 0 1 0 0 0 1 0 0 0"},
        {NULL, "h.fill(sum(1 for t in combinations(event.Muon, 3) if t[0].pt < t[2].pt))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "for x, y in [(1, 2.0), (3, 4.5)]:\n    h.fill(x + y)", "0 0 0 0 4 0 0 0 4 0 0 0"},
        {NULL, "for i in range(10, 0, -3)[1:]:\n    h.fill(i)", "0 0 4 0 0 4 0 0 4 0 0 0"},
        {NULL, "r = range(2, 20, 3)\nh.fill(len(r))\nh.fill(r[-5])\nh.fill(r[event.run - 3] / 2)",
         "0 0 1 1 0 0 4 4 1 1 0 0"},
        {NULL, "i = 7\nfor a, b in zip(range(3), range(5, 9)):\n    i = a\n    h.fill(b - a)\nh.fill(i)",
         "0 0 0 4 0 0 12 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void collections_joined(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "leptons = event.Muon + event.Electron\nh.fill(len(leptons))\nfor l in leptons:\n    h.fill(l.pt / 10)",
         "0 0 4 2 2 4 1 1 0 0 0 0"},
        {NULL, "for l in (event.Muon + event.Electron)[1:3]:\n    h.fill(l.pt / 10)", "0 0 0 1 1 0 1 1 0 0 0 0"},
        {NULL, "for l in (event.Muon + event.Electron)[-2:]:\n    h.fill(l.pt / 10)", "0 0 2 1 1 1 0 1 0 0 0 0"},
        {NULL,
         "leptons = event.Muon + event.Electron\nif leptons:\n    h.fill(leptons[-1].pt / 10)\n    h.fill(max(leptons, "
         "key=lambda l: l.pt).pt / 10)",
         "0 0 3 0 3 1 0 1 0 0 0 0"},
        {NULL,
         "for a, b in combinations(event.Muon + event.Electron, 2):\n    if a.charge != b.charge:\n        "
         "h.fill((a.pt + b.pt) / 20)",
         "0 0 0 4 0 2 1 0 0 0 0 0"},
        {NULL,
         "ls = sorted(event.Electron + event.Muon, key=lambda l: -l.pt)\nfor i, l in enumerate(ls):\n    h.fill(i + "
         "l.pt / 20)",
         "0 1 2 1 4 1 1 0 0 0 0 0"},
        {NULL, "for x in event.hit + event.hit[1:]:\n    h.fill(x)", "0 0 1 2 2 1 1 2 0 0 0 0"},
        {NULL,
         "both = event.Muon[:1] + event.Electron + event.Muon[1:]\nfor i, l in enumerate(both):\n    h.fill(i + l.pt / "
         "20)",
         "0 1 2 3 1 2 0 1 0 0 0 0"},
        {NULL, "xs = [1, 2] + [3]\nfor x in xs:\n    h.fill(x)", "0 0 4 4 4 0 0 0 0 0 0 0"},
        {NULL, "l = event.Muon[0] if event.Muon else event.Electron[0]\nh.fill(l.pt / 10)", "0 0 1 1 1 1 0 0 0 0 0 0"},
        {NULL,
         "if len(event.Muon) > 1:\n    a, b = event.Muon[0], event.Muon[1]\n    h.fill((a.pt + b.pt) / 20)\nif "
         "len(event.Electron) > 1:\n    a, b = event.Electron[0], event.Electron[1]\n    h.fill((a.pt + b.pt) / 20)",
         "0 0 0 2 0 1 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void tuples_compared(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "h.fill((event.run, 2) < (2, event.run))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((event.run, 2) <= (2, 2.0))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((event.run, 2) > (2, 1))", "0 1 3 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((2, event.run) >= (2, 3))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(((event.run, 1), 2) == ((3, 1.0), 2))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((event.run, event.x) != (2, 0))", "0 1 3 0 0 0 0 0 0 0 0 0"},
        {NULL,
         "h.fill(((event.run,) < (event.run, 0)) + 2 * ((event.run, 0) < (event.run,)) + 4 * ((event.run,) == "
         "(event.run, 0)))",
         "0 0 4 0 0 0 0 0 0 0 0 0"},
        {NULL,
         "nan = event.run * math.nan\nother = event.run + nan\nh.fill(((nan, 1) < (other, 2)) + 2 * ((1, nan) <= "
         "(event.run, 5)) + 4 * ((0, nan) < (event.run, other)))",
         "0 0 0 0 0 1 0 3 0 0 0 0"},
        {NULL, "h.fill((1, 0) < (event.run, event.x) < (3, 3))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(() < (event.run,))", "0 0 4 0 0 0 0 0 0 0 0 0"},
        {NULL, "t = (event.run, event.x, event.flag)\nh.fill(t[1:][0] + t[::-1][0] + len(t[:-1]) + t[2:0:-1][1])",
         "1 0 0 0 1 0 0 0 1 0 0 1"},
        {NULL, "t = (event.run, 1.5) + (event.flag,)\nh.fill(len(t) + sum(t))", "0 0 0 0 0 0 1 0 2 0 1 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void sorted_and_chosen_by_tuples(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "for i, m in enumerate(sorted(event.Muon, key=lambda m: (m.charge, -m.pt))):\n    h.fill(i + m.pt / 20)",
         "0 1 1 2 0 2 0 0 0 0 0 0"},
        {NULL,
         "for i, m in enumerate(sorted(event.Muon, key=lambda m: (m.tight, m.charge, m.pt), reverse=True)):\n    "
         "h.fill(i + m.pt / 20)",
         "0 1 1 2 1 0 1 0 0 0 0 0"},
        {NULL, "for i, (a, b) in enumerate(sorted((x > 3, -x) for x in event.hit)):\n    h.fill(i + a - b)",
         "0 0 0 2 0 0 1 1 2 0 0 0"},
        {NULL,
         "for a, (b, c) in sorted([(2, (1, 0.5)), (1, (event.run, 1.5)), (1, (2, 0.25))])[:2]:\n    h.fill(a + b + c)",
         "0 0 0 0 5 1 1 1 0 0 0 0"},
        {NULL,
         "xs = sorted(((i * 7) % 5, (i * 3) % 4) for i in range(20))\nh.fill(sum(a * 4 + b for a, b in xs[7:9]) / "
         "2)\nh.fill(xs[-1][0])",
         "0 0 0 0 0 4 0 0 4 0 0 0"},
        {NULL,
         "if event.Muon:\n    h.fill(max(event.Muon, key=lambda m: (m.charge, -m.pt)).pt / 10)\n    "
         "h.fill(min(event.Muon, key=lambda m: (m.charge, -m.pt)).pt / 10)",
         "0 0 2 1 1 1 1 0 0 0 0 0"},
        {NULL, "h.fill(max((event.run, 1.5), (2, event.x))[1] + 2)", "0 1 0 0 3 0 0 0 0 0 0 0"},
        {NULL, "h.fill(sum(min((x > 2, -x) for x in [3.0, 1.0, 1.5])))", "4 0 0 0 0 0 0 0 0 0 0 0"},
        {NULL, "a, b = max(((m.charge, m.pt / 10) for m in event.Muon), default=(1, 2.5))\nh.fill(a + b)",
         "0 0 0 1 2 0 0 0 1 0 0 0"},
        {NULL,
         "if len(event.Muon) > 1:\n    a, b = min(combinations(event.Muon, 2), key=lambda p: (p[0].charge * "
         "p[1].charge, p[0].pt))\n    h.fill((a.pt + b.pt) / 20)",
         "0 0 0 1 0 1 0 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void what_is_in_a_sequence(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "h.fill(event.run in (1, 2, 5))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(event.run not in [2, 3.0])", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(4.5 in event.hit)", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL,
         "h.fill((event.run in range(2, 9, 2)) + 2 * (event.run in range(3, 0, -1)) + 4 * (event.x in range(-3, 5)))",
         "0 0 1 2 0 0 0 0 1 0 0 0"},
        {NULL, "h.fill(2 in (m.charge + 1 for m in event.Muon if m.pt > 25))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((1, -1) in [(i, m.charge) for i, m in enumerate(event.Muon)])", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill((0, 1) in zip(range(event.run - 2), (1, 2)))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(1 < event.run in (3, 4, 1) and event.run not in (4,))", "0 3 1 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(not event.run in (1, 2))", "0 2 2 0 0 0 0 0 0 0 0 0"},
        {NULL, "h.fill(math.nan in event.hit + event.hit)", "0 4 0 0 0 0 0 0 0 0 0 0"},
        {NULL, "xs = [x for x in event.hit if x not in (1.5, 5.5)]\nfor x in xs:\n    h.fill(x)",
         "0 0 0 1 1 1 0 1 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void backwards_and_in_steps(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "for i, x in enumerate(reversed(event.hit)):\n    h.fill(i + x)", "0 0 0 0 3 1 0 2 0 0 0 0"},
        {NULL, "for m, n in zip(reversed(event.Muon), event.Muon):\n    h.fill((m.pt - n.pt) / 10)",
         "2 2 1 1 0 0 0 0 0 0 0 0"},
        {NULL, "for i in reversed(range(1, 9, 3)):\n    h.fill(i)", "0 0 4 0 0 4 0 0 4 0 0 0"},
        {NULL, "for a, b in combinations(reversed(event.hit), 2):\n    h.fill(a * 2 - b)", "0 0 0 0 1 1 1 0 1 0 0 0"},
        {NULL, "for i, x in enumerate(list(reversed([event.run, 5, 3]))):\n    h.fill(i * 2 + x / 2)",
         "0 0 4 0 0 5 2 1 0 0 0 0"},
        {NULL, "for x in reversed((event.run, 2.5)):\n    h.fill(x)", "0 0 1 5 1 1 0 0 0 0 0 0"},
        {NULL, "for l in reversed(event.Muon + event.Electron):\n    h.fill(l.pt / 10)", "0 0 2 2 2 2 1 1 0 0 0 0"},
        {NULL, "for x in event.hit[::2]:\n    h.fill(x)", "0 0 1 0 1 1 1 0 0 0 0 0"},
        {NULL, "for i, x in enumerate(event.hit[::-1]):\n    h.fill(i + x)", "0 0 0 0 3 1 0 2 0 0 0 0"},
        {NULL,
         "xs = [0, 1, 2, 3, 4, 5, 6, 7]\nfor x in xs[event.run::3]:\n    h.fill(x)\nfor x in xs[:event.run:-2]:\n    "
         "h.fill(x)",
         "0 0 1 1 3 2 5 1 6 0 0 0"},
        {NULL,
         "xs = [0, 1, 2, 3, 4, 5, 6, 7]\nh.fill(xs[-2:-9:-2][1])\nh.fill(len(xs[5:2]) + len(xs[2:5:-1]) + "
         "len(xs[5:2:-1]) + len(xs[-100:100:5]))",
         "0 0 0 0 0 4 4 0 0 0 0 0"},
        {NULL, "xs = list(range(10))\nstep = event.run - 5\nfor x in xs[::step][::-2][1:]:\n    h.fill(x)",
         "0 0 0 1 0 1 1 2 0 1 2 0"},
        {NULL, "for x in range(20)[::-3][1:5:2]:\n    h.fill(x / 2)", "0 0 0 0 0 0 4 0 0 4 0 0"},
        {NULL, "ls = (event.Muon + event.Electron)[::-2]\nfor i, l in enumerate(ls):\n    h.fill(i + l.pt / 20)",
         "0 2 1 2 1 0 0 0 0 0 0 0"},
        {NULL, "xs = [1, 2, 3][::2] + [4, 5][::-1]\nfor i, x in enumerate(xs):\n    h.fill(i + x)",
         "0 0 4 0 0 4 0 0 8 0 0 0"},
        {NULL, "h.fill(len(event.hit[::-2]))\nif event.hit[::2]:\n    h.fill(event.hit[::2][-1])",
         "0 1 2 1 1 1 1 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void functions(void **state)
{
    static const example EXAMPLES[] = {
        {"def f(a, b, c=1):\n    return a * b + c", "t = (event.run, 2)\nh.fill(f(*t))\nh.fill(f(3, *t[:1], c=0) / 2)",
         "0 0 1 0 2 1 1 1 1 0 1 0"},
        {NULL, "p = (event.x, event.run)\nh.fill(max(*p) + min(1, *p) + math.hypot(*p, 0) * 0)\nh.fill(*p[1:])",
         "1 0 1 2 1 2 0 0 0 1 0 0"},
        {"def double(x):\n    return 2 * x", "h.fill(double(event.run) + double(0.25))", "0 0 0 1 0 1 0 1 0 1 0 0"},
        {"def cut(m, least=25, charge=0):\n    return m.pt > least and m.charge >= charge",
         "for m in event.Muon:\n    h.fill(cut(m) + cut(m, charge=1, least=5) + cut(m, 45))",
         "0 2 2 0 2 0 0 0 0 0 0 0"},
        {"def sign(x):\n    if x < 0:\n        return -1\n    elif x > 2:\n        return 2.5\n    return 1",
         "h.fill(sign(event.x) + 3)", "0 0 0 1 0 1 2 0 0 0 0 0"},
        {"def first_above(xs, cut):\n    for i, x in enumerate(xs):\n        if x > cut:\n            return i\n    "
         "return 9",
         "h.fill(first_above(event.hit, 2))\nh.fill(first_above([5, 4, 3.5], event.run))", "0 6 1 0 0 0 0 0 0 0 1 0"},
        {"def pair(xs):\n    for a in xs:\n        for b in xs:\n            if a + b > 7:\n                return a, "
         "b\n    return 0.0, 0.5",
         "a, b = pair(event.hit)\nh.fill(a)\nh.fill(b)", "0 4 0 0 0 2 2 0 0 0 0 0"},
        {"def book(x, up):\n    h.fill(x)\n    if up:\n        return\n    h.fill(x + 1)",
         "book(event.run, event.x > 0)", "0 0 1 2 2 1 0 0 0 0 0 0"},
        {"def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a", "h.fill(gcd(12 * event.run, 18))",
         "0 0 0 0 0 0 0 3 0 0 0 1"},
        {"LIMIT = 2\ndef clip(x):\n    y = x if x < LIMIT else LIMIT\n    return y\ndef twice(x):\n    y = clip(x) + "
         "clip(x + 1)\n    return y",
         "y = 5\nh.fill(twice(event.run))\nh.fill(y)", "0 0 0 0 1 3 4 0 0 0 0 0"},
        {"def f(x):\n    def_ = x\n    return def_ + 1",
         "x = f(f(f(event.run)))\nh.fill(x)\nfor f_ in [f(y) for y in event.hit]:\n    h.fill(f_)",
         "0 0 0 1 1 2 2 2 2 0 0 0"},
        {"def good(ms):\n    return [m for m in ms if m.charge > 0]",
         "for m in good(event.Muon):\n    h.fill(m.pt / 10)\nh.fill(len(good(event.Electron)))",
         "0 1 4 1 0 0 1 1 0 0 0 0"},
        {"def met(e):\n    return e.MET_pt", "h.fill(met(event) / 5)", "0 0 1 0 1 0 1 0 1 0 0 0"},
        {"def nearest(ms, pt):\n    best = ms[0]\n    for m in ms[1:]:\n        if abs(m.pt - pt) < abs(best.pt - "
         "pt):\n            best = m\n    return best",
         "if event.Muon:\n    h.fill(nearest(event.Muon, 48).pt / 10)", "0 0 1 0 1 0 1 0 0 0 0 0"},
        {"def collatz(n):\n    steps = 0\n    while True:\n        if n == 1:\n            return steps\n        n = n "
         "// 2 if n % 2 == 0 else 3 * n + 1\n        steps += 1",
         "h.fill(collatz(event.run))", "0 1 1 1 0 0 0 0 1 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void names_in_scopes(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "x = 3\ny = sum(x for x in event.hit)\nh.fill(x)\nh.fill(y)", "0 1 0 0 4 1 0 0 1 0 0 1"},
        {NULL, "k = 2\nh.fill(max((k for k in range(3)), key=lambda j: -abs(j - k)))", "0 0 0 4 0 0 0 0 0 0 0 0"},
        {NULL, "x = 1.5\nfor y in (x for x in event.hit):\n    h.fill(x + y)", "0 0 0 0 1 1 1 1 1 1 0 0"},
        {NULL, "h.fill(sum(x for x in [x + 1 for x in event.hit]))", "0 1 0 0 0 0 1 0 0 0 0 2"},
        {NULL, "x = 0.5\nh.fill(sum(y for y in (x for x in event.hit)) + x)", "0 1 0 0 0 0 1 0 0 1 0 1"},
        {NULL, "h.fill(sum(x for x in (y for y in (x + 1 for x in event.hit) if y < 5)))", "0 3 0 0 0 0 0 0 0 0 0 1"},
        {NULL, "h.fill(sum(x * y for x in (y for y in event.hit) for y in (x for x in range(3))) / 9)",
         "0 1 1 1 0 1 0 0 0 0 0 0"},
        {NULL,
         "for m in (x for x in event.Muon):\n    h.fill(max((x for x in (m.pt / 10, 2)), default=0) + sum(m for m in "
         "range(2)))",
         "0 0 0 0 2 1 1 1 1 0 0 0"},
        {NULL, "m = 4\nh.fill(sum(m.charge for m in event.Muon) + m)", "0 0 0 0 0 2 2 0 0 0 0 0"},
    };
    CHECK_ALL(state, EXAMPLES);
}

static void faults_name_the_place(void **state)
{
    static const example EXAMPLES[] = {
        {NULL, "h.fill(max(event.hit))", "query: max of nothing: give it a default=…"},
        {NULL, "xs = [x for x in event.hit]\nh.fill(xs[3])", "query: index 3 is out of range: xs has 3 elements here"},
        {NULL, "xs = [i for i in range(10 ** 7)]\nh.fill(len(xs))",
         "query: the lists of this event need more than 16 MiB"},
        {NULL, "while True:\n    xs = list(event.hit + event.hit)",
         "query: the lists of this event need more than 16 MiB"},
        {NULL, "xs = sorted(range(1100000))\nh.fill(xs[0])", "query: the lists of this event need more than 16 MiB"},
        {NULL, "h.fill(len(event.hit[::event.run - 3]))", "query: the step of the slice is 0"},
        {NULL, "h.fill(math.dist(event.hit, [1, 2, 3]))",
         "query: math.dist of points with different numbers of coordinates"},
        {"def f(n):\n    return event.hit[n]", "h.fill(f(event.run + 5))",
         "query: index 6 is out of range: event.hit has 3 elements here"},
    };
    CHECK_ALL(state, EXAMPLES);
}

/* An event's lists are gone with the event: many of them need no more memory than one. */
static void memory_is_an_events_own(void **state)
{
    enum { ENTRIES = 2000 };
    (void)state;
    double *x = hq_calloc(ENTRIES, sizeof *x);
    test_table *table = table_new(ENTRIES);
    table_flat(table, "x", HQ_FLOAT64, x);
    assert_gives(table, NULL, "xs = [i + event.x for i in range(20000)]\nh.fill(len(xs) / 4000)",
                 "0 0 0 0 0 0 2000 0 0 0 0 0");
    table_free(&table);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_questions),
        cmocka_unit_test(the_least_and_the_greatest),
        cmocka_unit_test(lists),
        cmocka_unit_test(sorting),
        cmocka_unit_test(tuples_zip_enumerate_and_combinations),
        cmocka_unit_test(collections_joined),
        cmocka_unit_test(tuples_compared),
        cmocka_unit_test(sorted_and_chosen_by_tuples),
        cmocka_unit_test(what_is_in_a_sequence),
        cmocka_unit_test(backwards_and_in_steps),
        cmocka_unit_test(functions),
        cmocka_unit_test(names_in_scopes),
        cmocka_unit_test(faults_name_the_place),
        cmocka_unit_test(memory_is_an_events_own),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
