/* The shorthand: which text a short question becomes, and what it is refused for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/shorthand.h"

/* The event loop of the text, without its head. */
static char *loop_of(const char *expression, const char *where, const char *weight)
{
    const char *bins = "10,0,1";
    const hq_shorthand shorthand = {&expression, &bins, 1, where, weight};
    char *text = NULL;
    hq_reason reason = {{0}};
    if (shorthand_text(&shorthand, &text, &reason))
        fail_msg("%s: %s", expression, reason.text);
    const char *loop = strstr(text, "for event in events:\n");
    assert_non_null(loop);
    char *copy = strdup(loop + strlen("for event in events:\n"));
    free(text);
    return copy;
}

static void columns_become_the_events(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *where, *weight, *loop;
    } cases[] = {
        {"MET_pt", NULL, NULL, "    h.fill(event.MET_pt)\n"},
        {"sqrt( MET_px**2 + MET_py**2 )", NULL, NULL, "    h.fill(math.sqrt( event.MET_px**2 + event.MET_py**2 ))\n"},
        {"1.5e-3 * MET_pt + 0x1f", NULL, NULL, "    h.fill(1.5e-3 * event.MET_pt + 0x1f)\n"},
        {"Muon.pt", NULL, NULL, "    for item_ in event.Muon:\n        h.fill(item_.pt)\n"},
        {"Muon . pt", NULL, NULL, "    for item_ in event.Muon:\n        h.fill(item_ . pt)\n"},
        {"Muon[0].pt", "len(Muon) > 0", NULL, "    if len(event.Muon) > 0:\n        h.fill(event.Muon[0].pt)\n"},
        {"Jet.pt", "Jet.eta < 1 and nMuon >= 2 and not veto", "w",
         "    for item_ in event.Jet:\n        if item_.eta < 1 and event.nMuon >= 2 and not event.veto:\n"
         "            h.fill(item_.pt, weight=event.w)\n"},
        {"delta_r(Muon[0], Muon[1]) if x else pi", NULL, NULL,
         "    h.fill(delta_r(event.Muon[0], event.Muon[1]) if event.x else math.pi)\n"},
        {"max((m.pt for m in Muon if m.eta < cut), default=0)", NULL, NULL,
         "    h.fill(max((m.pt for m in event.Muon if m.eta < event.cut), default=0))\n"},
        {"sum(a.pt * i for i, (a, b) in enumerate(zip(Muon, Jet)))", "any(x > 3 for x in hit)", "x",
         "    if any(x > 3 for x in event.hit):\n"
         "        h.fill(sum(a.pt * i for i, (a, b) in enumerate(zip(event.Muon, event.Jet))), weight=event.x)\n"},
        {"sorted(Muon, key=lambda m: -m.eta)[0].pt", "Muon", NULL,
         "    if event.Muon:\n        h.fill(sorted(event.Muon, key=lambda m: -m.eta)[0].pt)\n"},
        {"math.hypot(event.MET_px, event[\"a.b\"])", "event.x == 3", NULL,
         "    if event.x == 3:\n        h.fill(math.hypot(event.MET_px, event[\"a.b\"]))\n"},
        {"event.Muon.pt", "Muon.eta < event", NULL,
         "    for item_ in event.Muon:\n        if item_.eta < event.event:\n            h.fill(item_.pt)\n"},
        {"max(len(Jet), 1)", "any_flag", NULL, "    if event.any_flag:\n        h.fill(max(len(event.Jet), 1))\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *loop = loop_of(cases[i].expression, cases[i].where, cases[i].weight);
        assert_string_equal(loop, cases[i].loop);
        free(loop);
    }
}

static void each_expression_is_an_axis(void **state)
{
    (void)state;
    const char *expressions[] = {"Muon.pt", "Muon.eta"}, *bins[] = {"100,0,200", " 50 , -2.5 , 2.5 "};
    const hq_shorthand shorthand = {expressions, bins, 2, NULL, NULL};
    char *text = NULL;
    assert_int_equal(shorthand_text(&shorthand, &text, NULL), HQ_OK);
    assert_non_null(strstr(text, "axis.Regular(100,0,200, name=\"x0\", label=\"Muon.pt\")"));
    assert_non_null(strstr(text, "axis.Regular( 50 , -2.5 , 2.5 , name=\"x1\", label=\"Muon.eta\")"));
    assert_non_null(strstr(text, "h.fill(item_.pt, item_.eta)"));
    free(text);
}

static void labels_are_quoted(void **state)
{
    (void)state;
    const char *expression = "max(\"a\\\", 1)", *bins = "1,0,1";
    const hq_shorthand shorthand = {&expression, &bins, 1, NULL, NULL};
    char *text = NULL;
    assert_int_equal(shorthand_text(&shorthand, &text, NULL), HQ_OK);
    assert_non_null(strstr(text, "label=\"max(\\\"a\\\\\\\", 1)\""));
    free(text);
}

static void what_needs_a_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *bins, *where, *text;
    } cases[] = {
        {"Muon.pt + Jet.pt", "1,0,1", NULL, "of every Muon and of every Jet"},
        {"Muon.pt", "1,0,1", "Jet.pt > 3", "of every Muon and of every Jet"},
        {"x)\n    h.fill(1", "1,0,1", NULL, "is no expression"},
        {"x", "1,0,1", "y; z", "is no expression"},
        {"x # y", "1,0,1", NULL, "is no expression"},
        {" ", "1,0,1", NULL, "is empty"},
        {"x", "1,0,1", "", "is empty"},
        {"x", "1,0", NULL, "number, low and high"},
        {"x", "1,0,1,2", NULL, "number, low and high"},
        {"x", "1,0,1) #", NULL, "number, low and high"},
        {"x", "", NULL, "number, low and high"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const hq_shorthand shorthand = {&cases[i].expression, &cases[i].bins, 1, cases[i].where, NULL};
        char *text = NULL;
        hq_reason reason = {{0}};
        assert_int_equal(shorthand_text(&shorthand, &text, &reason), HQ_EINVAL);
        assert_null(text);
        if (!strstr(reason.text, cases[i].text))
            fail_msg("%s: %s", cases[i].expression, reason.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_become_the_events),
        cmocka_unit_test(each_expression_is_an_axis),
        cmocka_unit_test(labels_are_quoted),
        cmocka_unit_test(what_needs_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
