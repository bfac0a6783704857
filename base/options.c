#include "base/options.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "base/inifile.h"
#include "base/memory.h"
#include "base/options_print.h"
#include "base/options_value.h"

/* The programs that have sections in a shared configuration file. */
static const char *const sections[] = {"broker", "worker", "submit", "show", "hist", "status"};

/* What getopt_long gives back for the options every program has, and for the program's own: OWN + 2 * index, and one
 * more for --no-NAME. */
enum { CODE_HELP = 'h', CODE_VERSION = 'V', CODE_CONFIG = 256, CODE_PRINT_CONFIG, CODE_OWN };

/* One option as it stood on the command line. */
typedef struct given {
    size_t index; /* in the program's table */
    const char *text;
} given;

typedef struct option_parser {
    const hq_cli *program;
    void *settings;
    option_state *states; /* one for each option */
    hq_source source;     /* the one being read */
    given *given;         /* the command line, in order */
    size_t given_count, given_capacity;
    const char *config_path;
    bool wants_help, wants_version, wants_config;
    hq_reason *reason;
} option_parser;

/* Sources come from the weakest to the strongest; the first word of a stronger one removes what is there. */
static hq_error take(option_parser *parser, size_t index, const char *text)
{
    const hq_option *option = &parser->program->options[index];
    option_state *state = &parser->states[index];
    if (option->kind == HQ_OPTION_LIST && state->source < parser->source)
        option_clear(option, parser->settings);
    state->source = parser->source;
    if (option->kind == HQ_OPTION_LIST && *text == 0)
        return HQ_OK; /* "key =": no texts */
    return option_set(option, parser->settings, text, parser->reason);
}

static hq_error take_defaults(option_parser *parser)
{
    parser->source = HQ_SOURCE_DEFAULT;
    for (size_t i = 0; i < parser->program->option_count; i++) {
        const hq_option *option = &parser->program->options[i];
        if (option->fallback && take(parser, i, option->fallback) != HQ_OK)
            return hq_fail_within(parser->reason, HQ_EINTERNAL, "the default of --%s", option->name);
    }
    return HQ_OK;
}

static bool is_for(const hq_cli *program, const char *section)
{
    return *section == 0 || (strncmp(program->name, "hq-", 3) == 0 && strcmp(program->name + 3, section) == 0);
}

static bool section_is_known(const char *section)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(section, sections[i]) == 0)
            return true;
    return false;
}

static hq_error take_key(void *context, const char *section, const char *key, const char *value, hq_reason *reason)
{
    option_parser *parser = context;
    const hq_cli *program = parser->program;
    if (!is_for(program, section)) {
        if (section_is_known(section))
            return HQ_OK;
        return hq_fail(reason, HQ_EINVAL, "there is no program for the section [%s]; it may be [broker], [worker] …",
                       section);
    }
    for (size_t i = 0; i < program->option_count; i++) {
        const hq_option *option = &program->options[i];
        if (option->kind == HQ_OPTION_GROUP || option->is_command_only || strcmp(option->name, key) != 0)
            continue;
        if (option->kind != HQ_OPTION_LIST && parser->states[i].source == HQ_SOURCE_FILE)
            return hq_fail(reason, HQ_EINVAL, "%s: given a second time", key);
        hq_error error = take(parser, i, value);
        return error ? hq_fail_within(reason, error, "%s", key) : HQ_OK;
    }
    return hq_fail(reason, HQ_EINVAL, "%s: no such key; \"%s --print-config\" lists them", key, program->name);
}

static hq_error take_file(option_parser *parser)
{
    const char *path = parser->config_path ? parser->config_path : getenv("HQ_CONFIG");
    parser->source = HQ_SOURCE_FILE;
    if (!path || !*path)
        return HQ_OK;
    hq_error error = inifile_read(path, take_key, parser, parser->reason);
    /* A file that was named and is not there is a mistake in the naming. */
    return error == HQ_ENOTFOUND || error == HQ_EIO ? HQ_EINVAL : error;
}

static hq_error take_environment(option_parser *parser)
{
    parser->source = HQ_SOURCE_ENVIRONMENT;
    for (size_t i = 0; i < parser->program->option_count; i++) {
        const hq_option *option = &parser->program->options[i];
        if (option->kind == HQ_OPTION_GROUP || option->is_command_only)
            continue;
        char *name = option_environment_name(option);
        const char *value = getenv(name);
        hq_error error = HQ_OK;
        if (value && option->kind == HQ_OPTION_LIST) {
            char *words = hq_strdup(value), *rest = words;
            for (char *word; !error && (word = strsep(&rest, " \t\n"));)
                error = *word ? take(parser, i, word) : HQ_OK;
            free(words);
        } else if (value) {
            error = take(parser, i, value);
        }
        if (error)
            hq_fail_within(parser->reason, error, "environment %s", name);
        free(name);
        if (error)
            return error;
    }
    return HQ_OK;
}

static hq_error take_command_line(option_parser *parser)
{
    parser->source = HQ_SOURCE_COMMAND;
    for (size_t i = 0; i < parser->given_count; i++) {
        hq_error error = take(parser, parser->given[i].index, parser->given[i].text);
        if (error)
            return hq_fail_within(parser->reason, error, "option --%s",
                                  parser->program->options[parser->given[i].index].name);
    }
    return HQ_OK;
}

typedef struct getopt_tables {
    struct option *longs;
    char *letters;
    char **negations; /* "no-NAME" texts that longs point to */
} getopt_tables;

static getopt_tables build_tables(const hq_cli *program)
{
    getopt_tables tables = {.longs = hq_calloc(2 * program->option_count + 5, sizeof *tables.longs),
                            .letters = hq_calloc(2 * program->option_count + 8, 1),
                            .negations = hq_calloc(program->option_count + 1, sizeof *tables.negations)};
    size_t count = 0, letters = 0;
    tables.longs[count++] = (struct option){"help", no_argument, NULL, CODE_HELP};
    tables.longs[count++] = (struct option){"version", no_argument, NULL, CODE_VERSION};
    tables.longs[count++] = (struct option){"config", required_argument, NULL, CODE_CONFIG};
    tables.longs[count++] = (struct option){"print-config", no_argument, NULL, CODE_PRINT_CONFIG};
    memcpy(tables.letters, ":hV", 3);
    letters = 3;
    for (size_t i = 0; i < program->option_count; i++) {
        const hq_option *option = &program->options[i];
        if (option->kind == HQ_OPTION_GROUP)
            continue;
        bool is_flag = option->kind == HQ_OPTION_FLAG;
        int code = CODE_OWN + 2 * (int)i;
        tables.longs[count++] = (struct option){option->name, is_flag ? no_argument : required_argument, NULL, code};
        if (is_flag) {
            tables.negations[i] = hq_format("no-%s", option->name);
            tables.longs[count++] = (struct option){tables.negations[i], no_argument, NULL, code + 1};
        }
        if (option->letter) {
            tables.letters[letters++] = option->letter;
            if (!is_flag)
                tables.letters[letters++] = ':';
        }
    }
    return tables;
}

static void free_tables(getopt_tables *tables, const hq_cli *program)
{
    for (size_t i = 0; i < program->option_count; i++)
        free(tables->negations[i]);
    free(tables->negations);
    free(tables->letters);
    free(tables->longs);
}

static hq_error wrong_option(const hq_cli *program, int code, char **argv, hq_reason *reason)
{
    const char *word = argv[optind - 1];
    const char *advice = "see --help";
    if (code == ':' && optopt > 0 && optopt < 256)
        return hq_fail(reason, HQ_EINVAL, "option -%c needs a value; %s", optopt, advice);
    if (code == ':')
        return hq_fail(reason, HQ_EINVAL, "option %s needs a value; %s", word, advice);
    if (optopt >= 256 || ((optopt == CODE_HELP || optopt == CODE_VERSION) && strchr(word, '=')))
        return hq_fail(reason, HQ_EINVAL, "option %.*s takes no value; %s", (int)strcspn(word, "="), word, advice);
    if (optopt)
        return hq_fail(reason, HQ_EINVAL, "%s has no option -%c; %s", program->name, optopt, advice);
    return hq_fail(reason, HQ_EINVAL, "%s has no option %s, or several that begin so; %s", program->name, word, advice);
}

/* Collects what the command line says; nothing is set yet, since --config may stand behind what it yields to. */
static hq_error scan_command_line(option_parser *parser, int argc, char **argv, const getopt_tables *tables)
{
    opterr = 0;
    optind = 0; /* glibc: begin afresh */
    for (int code; (code = getopt_long(argc, argv, tables->letters, tables->longs, NULL)) != -1;) {
        if (code == '?' || code == ':')
            return wrong_option(parser->program, code, argv, parser->reason);
        if (code == CODE_HELP) {
            parser->wants_help = true;
            return HQ_OK; /* whatever else is wrong, help helps */
        }
        if (code == CODE_VERSION) {
            parser->wants_version = true;
        } else if (code == CODE_CONFIG) {
            parser->config_path = optarg;
        } else if (code == CODE_PRINT_CONFIG) {
            parser->wants_config = true;
        } else {
            given one = {0};
            if (code >= CODE_OWN)
                one.index = (size_t)(code - CODE_OWN) / 2;
            else
                while (parser->program->options[one.index].letter != code)
                    one.index++;
            one.text = optarg ? optarg : code > CODE_OWN && (code - CODE_OWN) % 2 ? "no" : "yes";
            HQ_GROW(parser->given, parser->given_count, parser->given_capacity);
            parser->given[parser->given_count++] = one;
        }
    }
    return HQ_OK;
}

static hq_error check_arguments(const hq_cli *program, size_t count, char **texts, hq_reason *reason)
{
    if (count < program->min_arguments)
        return hq_fail(reason, HQ_EINVAL, "too few arguments: %s [OPTION]... %s", program->name, program->arguments);
    if (count > program->max_arguments)
        return hq_fail(reason, HQ_EINVAL, "unexpected argument \"%s\"", texts[program->max_arguments]);
    return HQ_OK;
}

static hq_error run(option_parser *parser, int argc, char **argv, hq_arguments *arguments_r)
{
    getopt_tables tables = build_tables(parser->program);
    hq_error error = scan_command_line(parser, argc, argv, &tables);
    free_tables(&tables, parser->program);
    if (error)
        return error;
    *arguments_r = (hq_arguments){.texts = argv + optind, .count = (size_t)(argc - optind)};
    if (parser->wants_help || parser->wants_version) {
        arguments_r->is_done = true;
        if (parser->wants_help)
            options_print_help(parser->program, stdout);
        else
            printf("%s %s\n", parser->program->name, HQ_VERSION);
        return HQ_OK;
    }
    if ((error = take_defaults(parser)) || (error = take_file(parser)) || (error = take_environment(parser)) ||
        (error = take_command_line(parser)))
        return error;
    if (parser->wants_config) {
        arguments_r->is_done = true;
        options_print_config(parser->program, parser->settings, parser->states, stdout);
        return HQ_OK;
    }
    return check_arguments(parser->program, arguments_r->count, arguments_r->texts, parser->reason);
}

hq_error options_parse(const hq_cli *program, int argc, char **argv, void *settings, hq_arguments *arguments_r,
                       hq_reason *reason)
{
    option_parser parser = {.program = program,
                            .settings = settings,
                            .states = hq_calloc(program->option_count + 1, sizeof *parser.states),
                            .reason = reason};
    hq_error error = run(&parser, argc, argv, arguments_r);
    free(parser.given);
    free(parser.states);
    if (error)
        options_free(program, settings);
    return error;
}

void options_free(const hq_cli *program, void *settings)
{
    for (size_t i = 0; i < program->option_count; i++)
        option_clear(&program->options[i], settings);
}

int options_start(const hq_cli *program, int argc, char **argv, void *settings, hq_arguments *arguments_r)
{
    hq_reason reason;
    hq_error error = options_parse(program, argc, argv, settings, arguments_r, &reason);
    if (error) {
        fprintf(stderr, "%s: %s\n", program->name, reason.text);
        return 2;
    }
    if (!arguments_r->is_done)
        return -1;
    options_free(program, settings);
    return fflush(stdout) == 0 ? 0 : 1;
}
