/* Every program of tests/query/wrong is refused, with exactly the words that stand beside it.
 *
 * With HQ_REWRITE set in the environment the words are written anew instead, to be read over before they are committed.
 */
#include <dirent.h>

#include "tests/query/fixture.h"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    hq_buffer text = {0};
    char piece[4096];
    size_t count;
    while ((count = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&text, piece, count);
    fclose(file);
    buffer_u8(&text, 0);
    return (char *)text.bytes;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* True if the program is refused as its text beside it says. */
static bool is_refused_rightly(const char *folder, const char *name, const hq_schema *schema)
{
    char *path = hq_format("%s/%s", folder, name);
    char *words_path = hq_format("%s/%.*s.txt", folder, (int)strlen(name) - 3, name);
    char *text = read_file(path);
    char *wanted = read_file(words_path);
    assert_non_null(text);
    hq_program *program = NULL;
    hq_complaint complaint;
    hq_error error = program_parse(text, strlen(text), schema, &program, &complaint);
    char *words = error ? complaint_render(&complaint, name) : hq_strdup("accepted\n");
    program_free(&program);
    bool is_right = error == HQ_EQUERY || error == HQ_ELIMIT;
    if (is_right && getenv("HQ_REWRITE"))
        write_file(words_path, words);
    else
        is_right = is_right && wanted && strcmp(words, wanted) == 0;
    if (!is_right)
        print_error("gave\n%swanted\n%s", words, wanted ? wanted : "(there is no such file)\n");
    free(words);
    free(wanted);
    free(text);
    free(words_path);
    free(path);
    return is_right;
}

static void wrong_programs_are_refused_in_the_right_words(void **state)
{
    (void)state;
    char *folder = hq_format("%s/tests/query/wrong", getenv("HQ_SOURCE"));
    test_table *muons = table_of_muons();
    hq_schema *schema = schema_copy(muons->schema);
    assert_int_equal(schema_add(schema, "tracks", NULL, NULL, HQ_FLOAT32, 2), HQ_OK);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = 0, failures = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".py") == 0) {
            count++;
            failures += !is_refused_rightly(folder, entry->d_name, schema);
        }
    }
    closedir(directory);
    assert_true(count >= 100);
    assert_int_equal(failures, 0);
    schema_free(&schema);
    table_free(&muons);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_programs_are_refused_in_the_right_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
