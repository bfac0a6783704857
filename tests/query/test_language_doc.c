/* Every example of docs/query-language.md is a query that compiles, or is refused where it says so. */
#include "tests/query/fixture.h"

static char *read_doc(void)
{
    char *path = hq_format("%s/docs/query-language.md", getenv("HQ_SOURCE"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    hq_buffer text = {0};
    char piece[4096];
    size_t count;
    while ((count = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&text, piece, count);
    fclose(file);
    buffer_u8(&text, 0);
    free(path);
    return (char *)text.bytes;
}

/* An example with what it leaves out: imports, a histogram, an event loop. */
static char *complete(const char *example, int length)
{
    static const char HIST[] = "h = Hist(axis.Regular(100, 0, 100, name=\"x\"))\n";
    char *own = hq_strndup(example, (size_t)length);
    bool has_imports = strstr(own, "import") != NULL;
    bool has_loop = strstr(own, "for event in events") != NULL;
    char *whole =
        hq_format("%s%s%s%s", has_imports ? "" : "from hist import Hist, axis\n", has_loop && !has_imports ? HIST : "",
                  own, has_loop ? "" : "last = Hist(axis.Regular(1, 0, 1))\nfor event in events:\n    last.fill(1)\n");
    free(own);
    return whole;
}

static void examples_are_queries(void **state)
{
    (void)state;
    static const char FENCE[] = "```python\n";
    test_table *muons = table_of_muons();
    hq_schema *schema = schema_copy(muons->schema);
    assert_int_equal(schema_add(schema, "Jet_pt", "Jet", "pt", HQ_FLOAT32, true), HQ_OK);
    char *doc = read_doc();
    int examples = 0, refused = 0;
    for (const char *at = doc; (at = strstr(at, FENCE)) != NULL;) {
        at += strlen(FENCE);
        const char *end = strstr(at, "```");
        assert_non_null(end);
        char *text = complete(at, (int)(end - at));
        hq_program *program = NULL;
        hq_complaint complaint;
        hq_error error = program_parse(text, strlen(text), schema, &program, &complaint);
        bool is_wrong = strstr(text, "# refused") != NULL;
        if ((error != HQ_OK) != is_wrong)
            fail_msg("%s\n%s", text, error ? complaint.message : "was accepted");
        examples++;
        refused += is_wrong;
        program_free(&program);
        free(text);
        at = end + 3;
    }
    assert_true(examples >= 9);
    assert_true(refused >= 1);
    free(doc);
    schema_free(&schema);
    table_free(&muons);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_are_queries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
