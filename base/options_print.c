#include "base/options_print.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "base/options_value.h"

enum { LINE_WIDTH = 80, HELP_COLUMN = 30 };

char *option_environment_name(const hq_option *option)
{
    char *name = hq_format("HQ_%s", option->name);
    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return name;
}

static const char *argument_name(const hq_option *option)
{
    if (option->argument)
        return option->argument;
    switch (option->kind) {
    case HQ_OPTION_INTEGER:
        return "N";
    case HQ_OPTION_SIZE:
        return "BYTES";
    case HQ_OPTION_DURATION:
        return "TIME";
    case HQ_OPTION_CHOICE:
        return "WORD";
    default:
        return "TEXT";
    }
}

/* Columns that length bytes of UTF-8 take, each character one. */
static size_t columns_of(const char *text, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

/* Words of the text, wrapped; the first line begins at the column given, the others after prefix. */
static void print_wrapped(FILE *stream, const char *text, size_t column, const char *prefix)
{
    size_t indent = strlen(prefix);
    while (*text) {
        size_t length = strcspn(text, " "), width = columns_of(text, length);
        if (column > indent && column + 1 + width > LINE_WIDTH) {
            fprintf(stream, "\n%s", prefix);
            column = indent;
        } else if (column > indent) {
            fputc(' ', stream);
            column++;
        }
        fwrite(text, 1, length, stream);
        column += width;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

/* "Help. One of a, b; default a." */
static char *full_help(const hq_option *option, const char *fallback)
{
    char *domain = option_domain(option);
    *domain = (char)toupper((unsigned char)*domain);
    bool is_bounded = *domain != 0, has_default = fallback && *fallback && option->kind != HQ_OPTION_FLAG;
    char *text = hq_format("%s%s%s%s%s%s", option->help, is_bounded ? " " : "", domain,
                           has_default ? (is_bounded ? "; default " : " Default: ") : "", has_default ? fallback : "",
                           is_bounded || has_default ? "." : "");
    free(domain);
    return text;
}

static void print_option(FILE *stream, const char *head, const char *help)
{
    size_t column = columns_of(head, strlen(head));
    fputs(head, stream);
    if (column + 2 > HELP_COLUMN) {
        fputc('\n', stream);
        column = 0;
    }
    char blanks[HELP_COLUMN + 1];
    memset(blanks, ' ', HELP_COLUMN);
    blanks[HELP_COLUMN] = 0;
    fputs(blanks + column, stream);
    print_wrapped(stream, help, HELP_COLUMN, blanks);
}

static void print_own_option(FILE *stream, const hq_option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', 0};
    bool is_flag = option->kind == HQ_OPTION_FLAG;
    /* What is on by default is there to be switched off. */
    bool is_on = is_flag && option->fallback && strcmp(option->fallback, "yes") == 0;
    char *head = hq_format("  %s--%s%s%s%s", option->letter ? letter : "    ", is_on ? "[no-]" : "", option->name,
                           is_flag ? "" : "=", is_flag ? "" : argument_name(option));
    char *help = full_help(option, option->fallback);
    print_option(stream, head, help);
    free(help);
    free(head);
}

void options_print_help(const hq_cli *program, FILE *stream)
{
    fprintf(stream, "Usage: %s [OPTION]...%s%s\n", program->name, *program->arguments ? " " : "", program->arguments);
    print_wrapped(stream, program->summary, 0, "");
    bool has_heading = program->option_count && program->options[0].kind == HQ_OPTION_GROUP;
    if (program->option_count && !has_heading)
        fputs("\nOptions:\n", stream);
    for (size_t i = 0; i < program->option_count; i++) {
        if (program->options[i].kind == HQ_OPTION_GROUP)
            fprintf(stream, "\n%s:\n", program->options[i].help);
        else
            print_own_option(stream, &program->options[i]);
    }
    fputs("\nGeneral:\n", stream);
    print_option(stream, "      --config=FILE",
                 "Read options from this file, \"key = value\" each. Environment: HQ_CONFIG.");
    print_option(stream, "      --print-config", "Print the configuration as such a file and exit.");
    print_option(stream, "  -h, --help", "Print this and exit.");
    print_option(stream, "  -V, --version", "Print the version and exit.");
    fputs("\nAn option is also taken from the environment: --some-name as HQ_SOME_NAME.\n"
          "The command line comes before the environment, that before the file.\n",
          stream);
    if (program->epilogue)
        fprintf(stream, "\n%s\n", program->epilogue);
}

static void print_list(FILE *stream, const hq_option *option, const void *settings, const char *mark)
{
    const hq_texts *list = (const void *)((const char *)settings + option->offset);
    if (list->count == 0)
        fprintf(stream, "%s%s =\n", mark, option->name);
    for (size_t i = 0; i < list->count; i++)
        fprintf(stream, "%s%s = %s\n", mark, option->name, list->texts[i]);
}

void options_print_config(const hq_cli *program, const void *settings, const option_state *states, FILE *stream)
{
    fprintf(stream, "# Configuration of %s: every key, commented out where it has its default.\n#\n# ", program->name);
    print_wrapped(stream,
                  "A key is also an option of the command line (--key=value) and of the environment "
                  "(HQ_KEY=value); these come before this file. A list may give its key several times.",
                  2, "# ");
    for (size_t i = 0; i < program->option_count; i++) {
        const hq_option *option = &program->options[i];
        if (option->kind == HQ_OPTION_GROUP) {
            fprintf(stream, "\n# --- %s ---\n", option->help);
            continue;
        }
        if (option->is_command_only)
            continue;
        char *help = full_help(option, NULL);
        fputs("\n# ", stream);
        print_wrapped(stream, help, 2, "# ");
        free(help);
        const char *mark = states[i].source == HQ_SOURCE_DEFAULT ? "#" : "";
        if (option->kind == HQ_OPTION_LIST) {
            print_list(stream, option, settings, mark);
        } else {
            char *value = option_to_text(option, settings);
            fprintf(stream, "%s%s =%s%s\n", mark, option->name, value && *value ? " " : "", value ? value : "");
            free(value);
        }
    }
}
