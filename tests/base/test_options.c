/* The one option table: every source, every kind, every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/options.h"

typedef struct test_settings {
    bool verbose, fair;
    char *coordinator, *key_file;
    int64_t window, memory, lease_ms;
    int level;
    hq_texts files;
    char *expression;
} test_settings;

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const hq_option table[] = {
    {.kind = HQ_OPTION_GROUP, .help = "Where"},
    {.name = "coordinator",
     .letter = 'c',
     .kind = HQ_OPTION_TEXT,
     .offset = offsetof(test_settings, coordinator),
     .fallback = "127.0.0.1:2181/hq",
     .argument = "HOSTS",
     .help = "The coordinator's hosts and root."},
    {.name = "key-file",
     .kind = HQ_OPTION_TEXT,
     .offset = offsetof(test_settings, key_file),
     .help = "The file with the secret key."},
    {.name = "file",
     .letter = 'f',
     .kind = HQ_OPTION_LIST,
     .offset = offsetof(test_settings, files),
     .fallback = "first.root",
     .help = "A file to read."},
    {.kind = HQ_OPTION_GROUP, .help = "How"},
    {.name = "window",
     .letter = 'w',
     .kind = HQ_OPTION_INTEGER,
     .offset = offsetof(test_settings, window),
     .fallback = "64",
     .help = "Subtasks under way at once.",
     .min = 1,
     .max = 4096},
    {.name = "memory",
     .kind = HQ_OPTION_SIZE,
     .offset = offsetof(test_settings, memory),
     .fallback = "1G",
     .help = "Bytes of the column cache.",
     .min = 1 << 20},
    {.name = "lease",
     .kind = HQ_OPTION_DURATION,
     .offset = offsetof(test_settings, lease_ms),
     .fallback = "10s",
     .help = "Silence after which a worker counts as lost.",
     .min = 100,
     .max = 86400000},
    {.name = "log-level",
     .kind = HQ_OPTION_CHOICE,
     .offset = offsetof(test_settings, level),
     .fallback = "warn",
     .help = "The least important line that is written.",
     .choices = levels},
    {.name = "verbose",
     .letter = 'v',
     .kind = HQ_OPTION_FLAG,
     .offset = offsetof(test_settings, verbose),
     .help = "Say more."},
    {.name = "fair",
     .kind = HQ_OPTION_FLAG,
     .offset = offsetof(test_settings, fair),
     .fallback = "yes",
     .help = "Share between users."},
    {.name = "expression",
     .letter = 'e',
     .kind = HQ_OPTION_TEXT,
     .is_command_only = true,
     .offset = offsetof(test_settings, expression),
     .help = "What to fill."},
};

static const hq_cli program = {.name = "hq-broker",
                               .summary = "Takes queries and hands them out.",
                               .arguments = "[DATASET]",
                               .max_arguments = 1,
                               .epilogue = "Exit codes: 0 done.",
                               .options = table,
                               .option_count = sizeof table / sizeof *table};

typedef struct test_state {
    test_settings settings;
    hq_arguments arguments;
    hq_reason reason;
    char path[64];
} test_state;

static int set_up(void **state)
{
    test_state *fixture = hq_calloc(1, sizeof *fixture);
    strcpy(fixture->path, "options-XXXXXX");
    int descriptor = mkstemp(fixture->path);
    assert_true(descriptor >= 0);
    close(descriptor);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    test_state *fixture = *state;
    static const char *const names[] = {"HQ_WINDOW", "HQ_FILE", "HQ_CONFIG", "HQ_FAIR", "HQ_EXPRESSION", "HQ_LEASE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    unlink(fixture->path);
    options_free(&program, &fixture->settings);
    free(fixture);
    return 0;
}

static void write_config(test_state *fixture, const char *text)
{
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Parses the words of one line. */
static hq_error parse(test_state *fixture, const char *line)
{
    char *words = hq_strdup(line), *rest = words, *argv[32] = {(char *)"hq-broker"};
    int argc = 1;
    for (char *word; (word = strsep(&rest, " "));)
        if (*word)
            argv[argc++] = word;
    options_free(&program, &fixture->settings);
    *fixture->reason.text = 0;
    hq_error error = options_parse(&program, argc, argv, &fixture->settings, &fixture->arguments, &fixture->reason);
    fixture->arguments.texts = NULL; /* they pointed into words */
    free(words);
    return error;
}

static void assert_parses(test_state *fixture, const char *line)
{
    if (parse(fixture, line) != HQ_OK)
        fail_msg("%s: %s", line, fixture->reason.text);
}

static void assert_refused(test_state *fixture, const char *line, const char *text)
{
    assert_int_equal(parse(fixture, line), HQ_EINVAL);
    if (!strstr(fixture->reason.text, text))
        fail_msg("\"%s\" does not say \"%s\"", fixture->reason.text, text);
    assert_null(fixture->settings.coordinator); /* nothing is left behind */
}

static void defaults_hold_without_any_source(void **state)
{
    test_state *fixture = *state;
    assert_parses(fixture, "");
    const test_settings *settings = &fixture->settings;
    assert_string_equal(settings->coordinator, "127.0.0.1:2181/hq");
    assert_null(settings->key_file);
    assert_int_equal(settings->window, 64);
    assert_int_equal(settings->memory, 1 << 30);
    assert_int_equal(settings->lease_ms, 10000);
    assert_int_equal(settings->level, 1);
    assert_false(settings->verbose);
    assert_true(settings->fair);
    assert_int_equal(settings->files.count, 1);
    assert_string_equal(settings->files.texts[0], "first.root");
    assert_int_equal(fixture->arguments.count, 0);
    assert_false(fixture->arguments.is_done);
}

static void command_line_sets_every_kind(void **state)
{
    test_state *fixture = *state;
    assert_parses(fixture, "-c zk:1/x data --key-file=k -w 5 --memory 1.5G --lease 2m --log-level debug -v --no-fair "
                           "-f a --file=b -e x+1");
    const test_settings *settings = &fixture->settings;
    assert_string_equal(settings->coordinator, "zk:1/x");
    assert_string_equal(settings->key_file, "k");
    assert_int_equal(settings->window, 5);
    assert_int_equal(settings->memory, 3 << 29);
    assert_int_equal(settings->lease_ms, 120000);
    assert_int_equal(settings->level, 3);
    assert_true(settings->verbose);
    assert_false(settings->fair);
    assert_int_equal(settings->files.count, 2);
    assert_string_equal(settings->files.texts[0], "a");
    assert_string_equal(settings->files.texts[1], "b");
    assert_string_equal(settings->expression, "x+1");
    assert_int_equal(fixture->arguments.count, 1);
}

static void stronger_sources_win(void **state)
{
    test_state *fixture = *state;
    write_config(fixture, "window = 7\nlease = 3s\nfile = x\nfile = y\nfair = no\n");
    setenv("HQ_CONFIG", fixture->path, 1);
    assert_parses(fixture, "");
    assert_int_equal(fixture->settings.window, 7);
    assert_int_equal(fixture->settings.lease_ms, 3000);
    assert_false(fixture->settings.fair);
    assert_int_equal(fixture->settings.files.count, 2);

    setenv("HQ_WINDOW", "8", 1);
    setenv("HQ_FILE", "p  q r", 1);
    setenv("HQ_FAIR", "on", 1);
    assert_parses(fixture, "");
    assert_int_equal(fixture->settings.window, 8);
    assert_true(fixture->settings.fair);
    assert_int_equal(fixture->settings.files.count, 3);
    assert_string_equal(fixture->settings.files.texts[2], "r");

    assert_parses(fixture, "--window 9 -w 10 -f z");
    assert_int_equal(fixture->settings.window, 10);
    assert_int_equal(fixture->settings.lease_ms, 3000);
    assert_int_equal(fixture->settings.files.count, 1);
    assert_string_equal(fixture->settings.files.texts[0], "z");

    assert_parses(fixture, "--file=");
    assert_int_equal(fixture->settings.files.count, 0);
}

static void config_may_follow_what_it_yields_to(void **state)
{
    test_state *fixture = *state;
    write_config(fixture, "window = 7\n");
    char *line = hq_format("--window 9 --config %s", fixture->path);
    assert_parses(fixture, line);
    assert_int_equal(fixture->settings.window, 9);
    free(line);
}

static void sections_are_for_their_program(void **state)
{
    test_state *fixture = *state;
    write_config(fixture, "lease = 1s\n[worker]\nslots = 3\nwindow = 1\n[broker]\nwindow = 12\n");
    setenv("HQ_CONFIG", fixture->path, 1);
    assert_parses(fixture, "");
    assert_int_equal(fixture->settings.window, 12);
    assert_int_equal(fixture->settings.lease_ms, 1000);
    write_config(fixture, "[borker]\nwindow = 12\n");
    assert_refused(fixture, "", "[borker]");
}

static void mistakes_on_the_command_line_are_named(void **state)
{
    test_state *fixture = *state;
    assert_refused(fixture, "--window ten",
                   "option --window: \"ten\" is not a whole number; it takes a value from 1 to 4096");
    assert_refused(fixture, "-w 0", "\"0\" is out of range; it takes a value from 1 to 4096");
    assert_refused(fixture, "-w 4097", "from 1 to 4096");
    assert_refused(fixture, "-w 99999999999999999999", "not a whole number");
    assert_refused(fixture, "-w 5x", "not a whole number");
    assert_refused(fixture, "--window=", "not a whole number");
    assert_refused(fixture, "--memory 5", "from 1M up");
    assert_refused(fixture, "--memory 5X", "is not a size");
    assert_refused(fixture, "--memory -5M", "is not a size");
    assert_refused(fixture, "--memory 99999999T", "is not a size");
    assert_refused(fixture, "--memory 9999999999.5T", "is not a size");
    assert_refused(fixture, "--lease 30", "is not a duration with its unit");
    assert_refused(fixture, "--lease 1ms", "from 100ms to 1d");
    assert_refused(fixture, "--log-level loud", "\"loud\" is not one of error, warn, info, debug");
    assert_refused(fixture, "--wimdow 5", "no option --wimdow");
    assert_refused(fixture, "-x", "no option -x");
    assert_refused(fixture, "--window", "option --window needs a value");
    assert_refused(fixture, "-w", "option -w needs a value");
    assert_refused(fixture, "--verbose=yes", "option --verbose takes no value");
    assert_refused(fixture, "--help=yes", "option --help takes no value");
    assert_refused(fixture, "one two", "unexpected argument \"two\"");
}

static void mistakes_elsewhere_name_their_place(void **state)
{
    test_state *fixture = *state;
    setenv("HQ_WINDOW", "many", 1);
    assert_refused(fixture, "", "environment HQ_WINDOW: \"many\" is not a whole number");
    assert_refused(fixture, "-w 5", "environment HQ_WINDOW");
    unsetenv("HQ_WINDOW");
    setenv("HQ_CONFIG", fixture->path, 1);
    write_config(fixture, "# a comment\n\nwindow = many\n");
    assert_refused(fixture, "", ":3: window: \"many\" is not a whole number");
    write_config(fixture, "lease = 1s\nlease = 2s\n");
    assert_refused(fixture, "", ":2: lease: given a second time");
    write_config(fixture, "colour = blue\n");
    assert_refused(fixture, "", ":1: colour: no such key");
    write_config(fixture, "expression = x\n");
    assert_refused(fixture, "", "expression: no such key");
    write_config(fixture, "window 5\n");
    assert_refused(fixture, "", ":1: neither");
    assert_refused(fixture, "--config no-such-file", "no-such-file: No such file");
}

static void command_only_options_leave_the_environment_alone(void **state)
{
    test_state *fixture = *state;
    setenv("HQ_EXPRESSION", "x", 1);
    assert_parses(fixture, "");
    assert_null(fixture->settings.expression);
}

static void too_few_arguments_show_the_usage(void **state)
{
    test_state *fixture = *state;
    hq_cli strict = program;
    strict.min_arguments = 1;
    char *argv[] = {(char *)"hq-broker", NULL};
    assert_int_equal(options_parse(&strict, 1, argv, &fixture->settings, &fixture->arguments, &fixture->reason),
                     HQ_EINVAL);
    assert_non_null(strstr(fixture->reason.text, "too few arguments: hq-broker [OPTION]... [DATASET]"));
}

/* What fn writes to stdout. */
static char *stdout_of(test_state *fixture, const char *line)
{
    char path[] = "stdout-XXXXXX";
    int file = mkstemp(path), old = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    hq_error error = parse(fixture, line);
    fflush(stdout);
    dup2(old, STDOUT_FILENO);
    close(old);
    assert_int_equal(error, HQ_OK);
    assert_true(fixture->arguments.is_done);
    off_t size = lseek(file, 0, SEEK_END);
    char *text = hq_calloc((size_t)size + 1, 1);
    assert_int_equal(pread(file, text, (size_t)size, 0), size);
    close(file);
    unlink(path);
    return text;
}

/* The text with every run of blanks and line ends made one blank. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
}

static void help_shows_each_option_once(void **state)
{
    test_state *fixture = *state;
    char *text = stdout_of(fixture, "--help --window nonsense");
    assert_non_null(strstr(text, "Usage: hq-broker [OPTION]... [DATASET]\nTakes queries"));
    assert_non_null(strstr(text, "\nWhere:\n  -c, --coordinator=HOSTS"));
    assert_non_null(strstr(text, "  -w, --window=N"));
    assert_non_null(strstr(text, "--[no-]fair"));
    assert_non_null(strstr(text, "\nExit codes: 0 done.\n"));
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_true(end - line <= 80);
    squeeze(text);
    assert_non_null(strstr(text, "at once. From 1 to 4096; default 64. "));
    assert_non_null(strstr(text, "is written. One of error, warn, info, debug; default warn. "));
    free(text);
    text = stdout_of(fixture, "--version");
    assert_string_equal(text, "hq-broker " HQ_VERSION "\n");
    free(text);
}

static void printed_config_reads_back_to_the_same(void **state)
{
    test_state *fixture = *state;
    char *plain = stdout_of(fixture, "--print-config");
    assert_non_null(strstr(plain, "\n# Subtasks under way at once. From 1 to 4096.\n#window = 64\n"));
    assert_non_null(strstr(plain, "\n#memory = 1G\n"));
    assert_non_null(strstr(plain, "\n#key-file =\n"));
    assert_null(strstr(plain, "expression"));
    for (const char *line = plain; *line; line = strchr(line, '\n') + 1)
        assert_true(*line == '#' || *line == '\n');

    char *text = stdout_of(fixture, "--print-config -w 9 --lease 1500ms -f a -f b -v --no-fair --log-level info");
    assert_non_null(strstr(text, "\nwindow = 9\n"));
    assert_non_null(strstr(text, "\nlease = 1500ms\n"));
    assert_non_null(strstr(text, "\nfile = a\nfile = b\n"));
    assert_non_null(strstr(text, "\n#memory = 1G\n"));
    write_config(fixture, text);
    setenv("HQ_CONFIG", fixture->path, 1);
    char *again = stdout_of(fixture, "--print-config");
    assert_string_equal(again, text);
    free(again);
    free(text);
    free(plain);
}

static void durations_and_sizes_are_exact(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(options_parse_duration("0", &value, NULL), HQ_OK);
    assert_int_equal(value, 0);
    assert_int_equal(options_parse_duration("1.5h", &value, NULL), HQ_OK);
    assert_int_equal(value, 5400000);
    assert_int_equal(options_parse_duration("7d", &value, NULL), HQ_OK);
    assert_int_equal(value, 604800000);
    assert_int_equal(options_parse_size("64k", &value, NULL), HQ_OK);
    assert_int_equal(value, 65536);
    assert_int_equal(options_parse_size("9007199254740993", &value, NULL), HQ_OK);
    assert_true(value == INT64_C(9007199254740993));
    static const char *const wrong[] = {"", "s", "1", "1 s", ".5s", "1.5.5s", "0x10s", "inf", "1e3s", "-1s", "1sm"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(options_parse_duration(wrong[i], &value, NULL), HQ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(defaults_hold_without_any_source),
        T(command_line_sets_every_kind),
        T(stronger_sources_win),
        T(config_may_follow_what_it_yields_to),
        T(sections_are_for_their_program),
        T(mistakes_on_the_command_line_are_named),
        T(mistakes_elsewhere_name_their_place),
        T(command_only_options_leave_the_environment_alone),
        T(too_few_arguments_show_the_usage),
        T(help_shows_each_option_once),
        T(printed_config_reads_back_to_the_same),
        T(durations_and_sizes_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
