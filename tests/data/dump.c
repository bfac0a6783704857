/* tests/data/dump.c - columns as raw bytes, for conformance.py.
 *
 * Lines on stdin, answers on stdout:
 *   open FILE<tab>TREE   "ok ENTRIES COLUMNS OTHERS", then a line for each column,
 * "NAME<tab>TYPE<tab>flat|jagged|lists2…", then a line for each branch that is no column, "NAME<tab>TYPE<tab>REASON"
 *   read FIRST LAST NAME "ok ENTRIES VALUES BYTES", then the offsets of every level of lists, then the values, all raw
 * or "error CODE TEXT".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tree.h"

typedef struct dump_session {
    hq_file *file;
    hq_tree *tree;
} dump_session;

static void answer_error(hq_error error, const hq_reason *reason)
{
    printf("error %s %s\n", hq_error_name(error), reason->text);
}

static void answer_open(dump_session *session, char *argument)
{
    hq_reason reason = {""};
    char *tab = strchr(argument, '\t');
    if (tab)
        *tab = 0;
    tree_close(&session->tree);
    rootfile_close(&session->file);
    hq_error error = rootfile_open(argument, &session->file, &reason);
    if (!error)
        error = tree_open(session->file, tab ? tab + 1 : NULL, &session->tree, &reason);
    if (error) {
        answer_error(error, &reason);
        return;
    }
    const hq_schema *schema = tree_schema(session->tree);
    size_t count = tree_branch_count(session->tree);
    printf("ok %" PRIu64 " %zu %zu\n", tree_entries(session->tree), schema->count, count - schema->count);
    static const char *const shapes[HQ_MAX_DEPTH + 1] = {"flat", "jagged", "lists2", "lists3", "lists4"};
    for (size_t i = 0; i < schema->count; i++)
        printf("%s\t%s\t%s\n", schema->fields[i].name, hq_type_name(schema->fields[i].type),
               shapes[schema->fields[i].depth]);
    for (size_t i = 0; i < count; i++)
        if (tree_branch(session->tree, i)->unreadable)
            printf("%s\t%s\t%s\n", tree_branch(session->tree, i)->name, tree_branch(session->tree, i)->type,
                   tree_branch(session->tree, i)->unreadable);
}

static void answer_read(const dump_session *session, char *argument)
{
    hq_reason reason = {""};
    hq_column *column;
    char *name = NULL;
    uint64_t first = strtoull(argument, &name, 10), last = strtoull(name, &name, 10);
    if (!session->tree || *name != ' ') {
        printf("error invalid no tree is open, or no name\n");
        return;
    }
    hq_error error = tree_read(session->tree, name + 1, first, last, SIZE_MAX / 2, &column, &reason);
    if (error) {
        answer_error(error, &reason);
        return;
    }
    size_t size = column->value_count * hq_type_size(column->type);
    printf("ok %" PRIu64 " %" PRIu64 " %zu\n", column->entries, column->value_count, size);
    if (column->offsets)
        fwrite(column->offsets, sizeof *column->offsets, column->entries + 1, stdout);
    for (uint32_t i = 0; i < column->inner_count; i++)
        fwrite(column->inner[i].offsets, sizeof *column->inner[i].offsets, column->inner[i].count + 1, stdout);
    fwrite(column->values, 1, size, stdout);
    column_free(&column);
}

int main(void)
{
    dump_session session = {0};
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = 0;
        if (strncmp(line, "open ", 5) == 0)
            answer_open(&session, line + 5);
        else if (strncmp(line, "read ", 5) == 0)
            answer_read(&session, line + 5);
        else
            printf("error invalid unknown command\n");
        fflush(stdout);
    }
    free(line);
    tree_close(&session.tree);
    rootfile_close(&session.file);
    return 0;
}
