/* client/show.c - hq-show: what is in a ROOT file, for a person or a script.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/remote.h"
#include "data/source.h"
#include "data/tree.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

static const size_t READ_LIMIT = (size_t)4 << 30;
static const uint64_t READ_ENTRIES = 1 << 16; /* of --values, at once */

static const char usage[] =
    "hq-show " HQ_VERSION " - the trees and columns of a ROOT file\n"
    "\n"
    "  hq-show [--json] FILE[:TREE]\n"
    "  hq-show FILE[:TREE] --values COLUMN [--entries FIRST:LAST]\n"
    "\n"
    "Prints the file's trees and the columns of each, those of a collection together, with types, baskets and sizes,\n"
    "and what hq cannot read with the reason. TREE may have directories before it (\"dir/Events\") and a cycle behind "
    "it\n"
    "(\"Events;1\").\n"
    "\n"
    "  --json                 the same as one JSON document\n"
    "  --values COLUMN        the values of a column, as Muon_pt or Muon.pt, one line of JSON for each entry: a "
    "number, "
    "or\n"
    "                         a list, or lists of lists; NaN and Infinity as they are, which Python's json reads\n"
    "  --entries FIRST:LAST   only the entries from FIRST up to LAST, exclusive; either may be left out\n"
    "  --remote-ca PATH       certificates that https servers are trusted by, in a file or a folder (or HQ_REMOTE_CA)\n"
    "  --help                 this text\n"
    "  --version              the version\n"
    "\n"
    "Exit codes: 0 done, 1 failed (or a tree of the file cannot be read), 2 wrong use.\n";

typedef struct show_options {
    char *path, *tree; /* tree NULL: all of them, or the only one */
    const char *column;
    uint64_t first, last;
    hq_remote_settings remote;
    bool wants_json;
} show_options;

static void complain(const char *text)
{
    fprintf(stderr, "hq-show: %s\n", text);
}

/* FILE[:TREE]: both may have colons in them, so the longest front that is a file is the file. */
static void split_target(const char *target, show_options *options)
{
    if (source_is_url(target)) {
        source_split_url(target, &options->path, &options->tree);
        return;
    }
    options->path = hq_strdup(target);
    if (access(target, F_OK) == 0)
        return;
    for (const char *colon = target + strlen(target); colon > target; colon--) {
        if (*colon != ':')
            continue;
        char *front = hq_strndup(target, (size_t)(colon - target));
        bool is_there = access(front, F_OK) == 0;
        if (is_there || !options->tree) {
            /* If none is a file, the last colon is taken for the one, for the sake of the message. */
            free(options->path);
            free(options->tree);
            options->path = front;
            options->tree = hq_strdup(colon + 1);
        } else {
            free(front);
        }
        if (is_there)
            return;
    }
}

static bool parse_number(const char *text, size_t length, uint64_t *value_r)
{
    char *end, *copy = hq_strndup(text, length);
    errno = 0;
    *value_r = strtoull(copy, &end, 10);
    bool is_good = copy[0] >= '0' && copy[0] <= '9' && *end == 0 && errno == 0;
    free(copy);
    return is_good;
}

static bool parse_range(const char *text, show_options *options)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return false;
    return (colon == text || parse_number(text, (size_t)(colon - text), &options->first)) &&
           (colon[1] == 0 || parse_number(colon + 1, strlen(colon + 1), &options->last)) &&
           options->first <= options->last;
}

/* -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, show_options *options)
{
    static const struct option known[] = {
        {"json", no_argument, NULL, 'j'},
        {"values", required_argument, NULL, 'v'},
        {"entries", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"remote-ca", required_argument, NULL, 'c'},
        {0},
    };
    bool has_range = false;
    int option;
    options->last = UINT64_MAX;
    options->remote.ca = getenv("HQ_REMOTE_CA");
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'j':
            options->wants_json = true;
            break;
        case 'v':
            options->column = optarg;
            break;
        case 'e':
            has_range = true;
            if (parse_range(optarg, options))
                break;
            complain("--entries wants FIRST:LAST, as in --entries 0:100");
            return EXIT_WRONG_USE;
        case 'c':
            options->remote.ca = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_DONE;
        case 'V':
            puts("hq-show " HQ_VERSION);
            return EXIT_DONE;
        default:
            complain("try hq-show --help");
            return EXIT_WRONG_USE;
        }
    }
    if (argc - optind != 1) {
        complain(argc == optind ? "which file? Try hq-show --help" : "one file at a time, please");
        return EXIT_WRONG_USE;
    }
    if ((has_range && !options->column) || (options->wants_json && options->column)) {
        complain(has_range && !options->column ? "--entries needs --values COLUMN"
                                               : "--values prints JSON anyway: leave --json out");
        return EXIT_WRONG_USE;
    }
    split_target(argv[optind], options);
    return -1;
}

/* --values. */

static void print_double(double value, bool is_single)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        fputs(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity", stdout);
        return;
    }
    if (value == 0) {
        fputs(signbit(value) ? "-0.0" : "0", stdout); /* "-0" would be an integer to many */
        return;
    }
    /* The fewest digits that give the same number back. */
    for (int digits = is_single ? 6 : 15; digits <= (is_single ? 9 : 17); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    fputs(text, stdout);
}

static void print_value(const hq_column *column, uint64_t index)
{
    switch (column->type) {
    case HQ_BOOL:
        fputs(((const uint8_t *)column->values)[index] ? "true" : "false", stdout);
        break;
    case HQ_INT8:
        printf("%d", ((const int8_t *)column->values)[index]);
        break;
    case HQ_UINT8:
        printf("%u", ((const uint8_t *)column->values)[index]);
        break;
    case HQ_INT16:
        printf("%d", ((const int16_t *)column->values)[index]);
        break;
    case HQ_UINT16:
        printf("%u", ((const uint16_t *)column->values)[index]);
        break;
    case HQ_INT32:
        printf("%" PRId32, ((const int32_t *)column->values)[index]);
        break;
    case HQ_UINT32:
        printf("%" PRIu32, ((const uint32_t *)column->values)[index]);
        break;
    case HQ_INT64:
        printf("%" PRId64, ((const int64_t *)column->values)[index]);
        break;
    case HQ_UINT64:
        printf("%" PRIu64, ((const uint64_t *)column->values)[index]);
        break;
    case HQ_FLOAT32:
        print_double((double)((const float *)column->values)[index], true);
        break;
    default:
        print_double(((const double *)column->values)[index], false);
    }
}

/* Items first up to last of one level of a column's lists; the level behind the innermost lists is the values. */
static void print_items(const hq_column *column, uint32_t level, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i < last; i++) {
        if (i > first)
            fputs(", ", stdout);
        if (level == column->inner_count) {
            print_value(column, i);
        } else {
            const uint32_t *offsets = column->inner[level].offsets;
            putchar('[');
            print_items(column, level + 1, offsets[i], offsets[i + 1]);
            putchar(']');
        }
    }
}

static void print_entries(const hq_column *column)
{
    for (uint64_t entry = 0; entry < column->entries; entry++) {
        if (!column->offsets) {
            print_value(column, entry);
        } else {
            putchar('[');
            print_items(column, 0, column->offsets[entry], column->offsets[entry + 1]);
            putchar(']');
        }
        putchar('\n');
    }
}

/* The full name of what is written as in a query: Muon.pt for Muon_pt. NULL if it is no member of a collection. */
static const char *name_of_member(const hq_schema *schema, const char *column)
{
    for (const char *dot = strchr(column, '.'); dot; dot = strchr(dot + 1, '.')) {
        char *collection = hq_strndup(column, (size_t)(dot - column));
        const hq_field *field = schema_find_member(schema, collection, dot + 1);
        free(collection);
        if (field)
            return field->name;
    }
    return NULL;
}

static hq_error show_values(hq_file *file, const show_options *options, hq_reason *reason)
{
    hq_tree *tree;
    hq_error error = tree_open(file, options->tree, &tree, reason);
    if (error)
        return error;
    uint64_t entries = tree_entries(tree);
    uint64_t last = options->last < entries ? options->last : entries;
    const char *name = options->column;
    if (!schema_find(tree_schema(tree), name)) {
        const char *member = name_of_member(tree_schema(tree), name);
        hq_column *none;
        if (member)
            name = member;
        else
            error = tree_read(tree, name, 0, 0, 0, &none, reason); /* it knows why */
    }
    for (uint64_t first = options->first; !error && first < last && !ferror(stdout);) {
        uint64_t next = last - first > READ_ENTRIES ? first + READ_ENTRIES : last;
        hq_column *column;
        error = tree_read(tree, name, first, next, READ_LIMIT, &column, reason);
        if (error)
            break;
        print_entries(column);
        column_free(&column);
        first = next;
    }
    tree_close(&tree);
    return error;
}

/* --json. */

/* Names in ROOT files are bytes; what is not UTF-8 in them is shown as "?". */
static json_t *text_of(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    char *copy = hq_strdup(text);
    for (char *at = copy; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    json = json_string(copy);
    free(copy);
    return json;
}

static json_t *text_or_null(const char *text)
{
    return text ? text_of(text) : json_null();
}

static json_t *json_of_branch(const hq_tree *tree, const hq_branch_info *info)
{
    const hq_field *field = schema_find(tree_schema(tree), info->name);
    bool is_column = field && !info->unreadable;
    json_t *json = json_object();
    json_object_set_new(json, "name", text_of(info->name));
    json_object_set_new(json, "title", text_of(info->title));
    json_object_set_new(json, "type", text_of(info->type));
    json_object_set_new(json, "values", text_or_null(is_column ? hq_type_name(field->type) : NULL));
    json_object_set_new(json, "jagged", is_column ? json_boolean(field->depth > 0) : json_null());
    json_object_set_new(json, "depth", is_column ? json_integer(field->depth) : json_null());
    json_object_set_new(json, "collection", text_or_null(is_column ? field->collection : NULL));
    json_object_set_new(json, "member", text_or_null(is_column ? field->member : NULL));
    json_object_set_new(json, "entries", json_integer((json_int_t)info->entries));
    json_object_set_new(json, "baskets", json_integer((json_int_t)info->baskets));
    json_object_set_new(json, "compressed_bytes", json_integer((json_int_t)info->compressed_bytes));
    json_object_set_new(json, "uncompressed_bytes", json_integer((json_int_t)info->uncompressed_bytes));
    json_object_set_new(json, "unreadable", text_or_null(info->unreadable));
    return json;
}

static json_t *json_of_tree(const hq_tree_name *name, const hq_tree *tree, const char *why_not)
{
    json_t *json = json_object();
    json_object_set_new(json, "path", text_of(name->path));
    json_object_set_new(json, "title", text_of(name->title));
    json_object_set_new(json, "cycle", json_integer(name->cycle));
    json_object_set_new(json, "rntuple", json_boolean(name->is_rntuple));
    json_object_set_new(json, "unreadable", text_or_null(why_not));
    if (!tree)
        return json;
    json_t *columns = json_array(), *borders = json_array();
    for (size_t i = 0; i < tree_branch_count(tree); i++)
        json_array_append_new(columns, json_of_branch(tree, tree_branch(tree, i)));
    uint64_t *entries;
    size_t count;
    tree_borders(tree, &entries, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(borders, json_integer((json_int_t)entries[i]));
    free(entries);
    json_object_set_new(json, "entries", json_integer((json_int_t)tree_entries(tree)));
    json_object_set_new(json, "columns", columns);
    json_object_set_new(json, "borders", borders);
    return json;
}

/* For a person. */

/* "217.4 kB". The text lies in the buffer. */
static const char *size_text(uint64_t bytes, char buffer[24])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1000;
    snprintf(buffer, 24, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}

typedef struct tree_sums {
    uint64_t compressed, uncompressed;
    size_t columns, others;
    int name_width, type_width;
} tree_sums;

static void widen(int *width, const char *text)
{
    int length = (int)strlen(text);
    if (length > *width && length <= 48)
        *width = length;
}

static tree_sums sum_up(const hq_tree *tree)
{
    tree_sums sums = {.name_width = 8, .type_width = 7};
    for (size_t i = 0; i < tree_branch_count(tree); i++) {
        const hq_branch_info *info = tree_branch(tree, i);
        const hq_field *field = info->unreadable ? NULL : schema_find(tree_schema(tree), info->name);
        sums.compressed += info->compressed_bytes;
        sums.uncompressed += info->uncompressed_bytes;
        sums.columns += field != NULL;
        sums.others += field == NULL;
        widen(&sums.name_width, field && field->member ? field->member : info->name);
        widen(&sums.type_width, info->type);
    }
    return sums;
}

static void print_branch(const hq_branch_info *info, const char *name, int indent, const tree_sums *sums)
{
    char packed[24], plain[24];
    printf("%*s%-*s  %-*s", indent, "", sums->name_width + 4 - indent, name, sums->type_width, info->type);
    if (info->unreadable)
        printf("  not readable: %s\n", info->unreadable);
    else
        printf("  %6" PRIu64 " basket%s  %9s of %9s\n", info->baskets, info->baskets == 1 ? " " : "s",
               size_text(info->compressed_bytes, packed), size_text(info->uncompressed_bytes, plain));
}

/* The members of a collection, at the place of the first. */
static void print_collection(const hq_tree *tree, const char *collection, const tree_sums *sums)
{
    const hq_schema *schema = tree_schema(tree);
    printf("  %s\n", collection);
    for (size_t i = 0; i < tree_branch_count(tree); i++) {
        const hq_branch_info *info = tree_branch(tree, i);
        const hq_field *field = info->unreadable ? NULL : schema_find(schema, info->name);
        if (field && field->collection && strcmp(field->collection, collection) == 0)
            print_branch(info, field->member, 4, sums);
    }
}

static bool is_first_of_collection(const hq_schema *schema, const hq_field *field)
{
    for (const hq_field *before = schema->fields; before < field; before++)
        if (before->collection && strcmp(before->collection, field->collection) == 0)
            return false;
    return true;
}

static void print_tree(const hq_tree_name *name, const hq_tree *tree, const char *why_not)
{
    printf("\n%s", name->path);
    if (*name->title && strcmp(name->title, name->path) != 0)
        printf("  \"%s\"", name->title);
    if (!tree) {
        printf("\n  not readable: %s\n", why_not);
        return;
    }
    char packed[24], plain[24];
    tree_sums sums = sum_up(tree);
    printf("\n  %" PRIu64 " entries, %zu columns", tree_entries(tree), sums.columns);
    if (sums.others > 0)
        printf(", %zu branches that cannot be read", sums.others);
    printf(", %s (%s unpacked)\n\n", size_text(sums.compressed, packed), size_text(sums.uncompressed, plain));
    for (size_t i = 0; i < tree_branch_count(tree); i++) {
        const hq_branch_info *info = tree_branch(tree, i);
        const hq_field *field = info->unreadable ? NULL : schema_find(tree_schema(tree), info->name);
        if (!field || !field->collection)
            print_branch(info, info->name, 2, &sums);
        else if (is_first_of_collection(tree_schema(tree), field))
            print_collection(tree, field->collection, &sums);
    }
}

/* One tree, in either form; document is NULL for a person's. */
static hq_error show_tree(hq_file *file, const hq_tree_name *name, const char *wanted, json_t *document,
                          hq_reason *reason)
{
    hq_tree *tree = NULL;
    hq_error error = tree_open(file, wanted, &tree, reason);
    const char *why_not = error ? reason->text : NULL;
    if (document)
        json_array_append_new(json_object_get(document, "trees"), json_of_tree(name, tree, why_not));
    else
        print_tree(name, tree, why_not);
    tree_close(&tree);
    return error;
}

static json_t *new_document(const hq_file *file)
{
    char identity[HQ_HASH_TEXT];
    hq_hash hash = rootfile_identity(file);
    hash_to_text(&hash, identity);
    json_t *document = json_object();
    json_object_set_new(document, "file", text_of(rootfile_path(file)));
    json_object_set_new(document, "size", json_integer((json_int_t)rootfile_size(file)));
    json_object_set_new(document, "identity", json_string(identity));
    json_object_set_new(document, "trees", json_array());
    return document;
}

/* The tree asked for as it stands in the list, in the cycle that was asked for; NULL if it is not there. */
static hq_tree_name *find_name(hq_tree_name *names, size_t count, const char *wanted)
{
    wanted += *wanted == '/';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i].path);
        if (strncmp(names[i].path, wanted, length) != 0)
            continue;
        if (wanted[length] == ';')
            names[i].cycle = (uint16_t)strtoul(wanted + length + 1, NULL, 10);
        if (wanted[length] == 0 || wanted[length] == ';')
            return &names[i];
    }
    return NULL;
}

static hq_error show_trees(hq_file *file, const show_options *options, json_t *document, hq_reason *reason)
{
    hq_tree_name *names;
    size_t count;
    hq_error error = rootfile_list(file, &names, &count, reason);
    if (error)
        return error;
    if (!document && count == 0)
        printf("\nno trees\n");
    if (options->tree) {
        hq_tree_name *name = find_name(names, count, options->tree);
        hq_tree *tree = NULL;
        if (!name)
            error = tree_open(file, options->tree, &tree, reason); /* it knows why not */
        else
            error = show_tree(file, name, options->tree, document, reason);
        tree_close(&tree);
    } else {
        for (size_t i = 0; i < count; i++) {
            hq_reason why = {""};
            hq_error one = show_tree(file, &names[i], names[i].path, document, &why);
            if (one && !error) {
                error = one;
                *reason = why;
            }
        }
    }
    tree_names_free(&names, count);
    return error;
}

static hq_error show_file(hq_file *file, const show_options *options, hq_reason *reason)
{
    char size[24];
    if (options->column)
        return show_values(file, options, reason);
    json_t *document = options->wants_json ? new_document(file) : NULL;
    if (!document)
        printf("%s  %s\n", rootfile_path(file), size_text(rootfile_size(file), size));
    hq_error error = show_trees(file, options, document, reason);
    if (document) {
        json_dumpf(document, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(document);
    }
    return error;
}

int main(int argc, char **argv)
{
    show_options options = {0};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    hq_reason reason = {""};
    hq_file *file = NULL;
    hq_remote *remote = remote_new(&options.remote);
    hq_error error = rootfile_open_through(remote, options.path, &file, &reason);
    if (!error)
        error = show_file(file, &options, &reason);
    rootfile_close(&file);
    remote_free(&remote);
    free(options.path);
    free(options.tree);
    if (error)
        complain(reason.text);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write the output");
        error = HQ_EIO;
    }
    return error ? EXIT_FAILED : EXIT_DONE;
}
