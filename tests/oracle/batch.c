/* tests/oracle/batch.c - hq for run.py, many queries in one process: reader, compiler and merge, without servers.
 *
 * Lines on stdin, tabs between fields, an answer on stdout for each:
 *     QUERY OUT FILE TREE FIRST LAST     "ok", and OUT is the UHI JSON; or one line that says why not
 * The query runs over the entries from FIRST up to LAST, exclusive, of the tree, cut into PARTS partials that are
 * encoded, decoded and merged as a worker and a sink do it. Files stay open.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/tree.h"
#include "query/code.h"
#include "query/uhi.h"

enum { PARTS = 3, MAX_OPEN = 8, TIME_LIMIT_MS = 20000, MAX_COLUMN_BYTES = 1 << 30 };

typedef struct open_tree {
    char *path, *name;
    hq_file *file;
    hq_tree *tree;
} open_tree;

typedef struct session {
    open_tree open[MAX_OPEN];
    size_t count;
} session;

typedef struct request {
    const char *query, *out, *path, *tree;
    uint64_t first, last;
} request;

static hq_error get_tree(session *s, const request *r, hq_tree **tree_r, hq_reason *reason)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->open[i].path, r->path) == 0 && strcmp(s->open[i].name, r->tree) == 0) {
            *tree_r = s->open[i].tree;
            return HQ_OK;
        }
    if (s->count == MAX_OPEN)
        return hq_fail(reason, HQ_ELIMIT, "more than %d trees", MAX_OPEN);
    open_tree fresh = {0};
    hq_error error = rootfile_open(r->path, &fresh.file, reason);
    if (!error)
        error = tree_open(fresh.file, r->tree, &fresh.tree, reason);
    if (error) {
        rootfile_close(&fresh.file);
        return error;
    }
    fresh.path = hq_strdup(r->path);
    fresh.name = hq_strdup(r->tree);
    s->open[s->count++] = fresh;
    *tree_r = fresh.tree;
    return HQ_OK;
}

static void close_all(session *s)
{
    for (size_t i = 0; i < s->count; i++) {
        tree_close(&s->open[i].tree);
        rootfile_close(&s->open[i].file);
        free(s->open[i].path);
        free(s->open[i].name);
    }
}

static hq_error parse_file(const char *path, const hq_schema *schema, hq_program **program_r, hq_reason *reason)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return hq_fail(reason, HQ_ENOTFOUND, "%s cannot be read", path);
    char *text = hq_alloc(HQ_MAX_TEXT + 1);
    size_t length = fread(text, 1, HQ_MAX_TEXT + 1, file);
    fclose(file);
    hq_complaint complaint;
    hq_error error = program_parse(text, length, schema, program_r, &complaint);
    free(text);
    return error ? hq_fail(reason, error, "%d:%d: %s", complaint.line, complaint.column, complaint.message) : HQ_OK;
}

/* One partial, as bytes. */
static hq_error run_part(const hq_program *program, const hq_code *code, const hq_tree *tree, uint64_t first,
                         uint64_t last, hq_buffer *partial, hq_reason *reason)
{
    size_t count = program_column_count(program);
    hq_column **columns = hq_calloc(count, sizeof *columns);
    hq_error error = HQ_OK;
    for (size_t i = 0; i < count && !error; i++)
        error = tree_read(tree, program_column(program, i)->name, first, last, MAX_COLUMN_BYTES, &columns[i], reason);
    if (!error) {
        hq_histset *hists = program_new_hists(program);
        hq_run run = {.columns = (const hq_column *const *)columns,
                      .entries = last - first,
                      .deadline_ms = hq_now_ms() + TIME_LIMIT_MS};
        error = code_run(code, &run, hists, reason);
        if (error)
            hq_fail_within(reason, error, "entry %" PRIu64 ", line %d", first + run.fault_entry, run.fault_line);
        else
            histset_encode(hists, partial);
        histset_free(&hists);
    }
    for (size_t i = 0; i < count; i++)
        column_free(&columns[i]);
    free(columns);
    return error;
}

static hq_error run_parts(const hq_program *program, const hq_code *code, const hq_tree *tree, const request *r,
                          hq_histset *whole, hq_reason *reason)
{
    hq_histset *part = program_new_hists(program);
    hq_error error = HQ_OK;
    uint64_t entries = r->last - r->first;
    for (uint64_t i = 0; i < PARTS && !error; i++) {
        uint64_t first = r->first + entries * i / PARTS, last = r->first + entries * (i + 1) / PARTS;
        if (first == last)
            continue;
        hq_buffer partial = {0};
        error = run_part(program, code, tree, first, last, &partial, reason);
        if (!error)
            error = histset_decode_into(part, partial.bytes, partial.size, reason);
        if (!error)
            error = histset_merge(whole, part, reason);
        buffer_clear(&partial);
    }
    histset_free(&part);
    return error;
}

static hq_error write_result(const char *path, const hq_histset *hists, hq_reason *reason)
{
    hq_buffer text = {0};
    histset_to_uhi(hists, NULL, &text);
    FILE *file = fopen(path, "wb");
    bool is_written = file && fwrite(text.bytes, 1, text.size, file) == text.size;
    is_written = file && fclose(file) == 0 && is_written;
    buffer_clear(&text);
    return is_written ? HQ_OK : hq_fail(reason, HQ_EIO, "%s cannot be written", path);
}

static hq_error answer(session *s, const request *r, hq_reason *reason)
{
    hq_tree *tree = NULL;
    hq_program *program = NULL;
    hq_code *code = NULL;
    hq_error error = get_tree(s, r, &tree, reason);
    if (!error && (r->first > r->last || r->last > tree_entries(tree)))
        error = hq_fail(reason, HQ_EINVAL, "there are %" PRIu64 " entries", tree_entries(tree));
    if (!error)
        error = parse_file(r->query, tree_schema(tree), &program, reason);
    if (!error)
        error = code_compile(program, &code, reason);
    if (!error) {
        hq_histset *whole = program_new_hists(program);
        error = run_parts(program, code, tree, r, whole, reason);
        if (!error)
            error = write_result(r->out, whole, reason);
        histset_free(&whole);
    }
    code_free(&code);
    program_free(&program);
    return error;
}

static bool split(char *line, request *r)
{
    char *fields[6], *rest = line;
    for (size_t i = 0; i < 6; i++)
        fields[i] = strsep(&rest, "\t\n");
    if (!fields[5])
        return false;
    *r = (request){
        fields[0], fields[1], fields[2], fields[3], strtoull(fields[4], NULL, 10), strtoull(fields[5], NULL, 10)};
    return true;
}

int main(void)
{
    session s = {0};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        request r;
        hq_reason reason = {"a line has six fields"};
        hq_error error = split(line, &r) ? answer(&s, &r, &reason) : HQ_EINVAL;
        if (error)
            printf("%s: %s\n", hq_error_name(error), reason.text);
        else
            puts("ok");
        fflush(stdout);
    }
    free(line);
    close_all(&s);
    return 0;
}
