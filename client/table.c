#include "client/table.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

typedef struct column {
    char *head;
    int is_number;
} column;

struct hq_table {
    column *columns;
    size_t column_count, column_capacity;
    char **cells;
    size_t cell_count, cell_capacity;
};

hq_table *table_new(const char *heads)
{
    hq_table *table = hq_calloc(1, sizeof *table);
    for (const char *at = heads; *at;) {
        size_t length = strcspn(at, " ");
        int is_number = *at == '>';
        HQ_GROW(table->columns, table->column_count, table->column_capacity);
        column *c = &table->columns[table->column_count++];
        *c = (column){hq_strndup(at + is_number, length - (size_t)is_number), is_number};
        for (char *blank = c->head; (blank = strchr(blank, '_'));)
            *blank = ' ';
        at += length + strspn(at + length, " ");
    }
    return table;
}

void table_free(hq_table **table_p)
{
    hq_table *table = *table_p;
    if (!table)
        return;
    for (size_t i = 0; i < table->column_count; i++)
        free(table->columns[i].head);
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->columns);
    free(table->cells);
    free(table);
    *table_p = NULL;
}

/* Control characters of both sets: below the blank and DEL, and U+0080 to U+009F. */
static void make_safe(char *text)
{
    for (uint8_t *c = (uint8_t *)text; *c; c++) {
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            c[0] = c[1] = '?';
    }
}

char *table_safe(const char *text)
{
    char *copy = hq_strdup(text);
    make_safe(copy);
    return copy;
}

void table_add_own(hq_table *table, char *text)
{
    make_safe(text);
    HQ_GROW(table->cells, table->cell_count, table->cell_capacity);
    table->cells[table->cell_count++] = text;
}

void table_add(hq_table *table, const char *text)
{
    table_add_own(table, hq_strdup(text));
}

void table_add_format(hq_table *table, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_add(table, text);
}

/* Characters, each taken for one column wide. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((uint8_t)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, size_t width, int is_right, int is_last, FILE *stream)
{
    int room = (int)(width - width_of(text));
    fprintf(stream, "%*s%s%*s", is_right ? room : 0, "", text, is_right || is_last ? 0 : room, "");
    fputs(is_last ? "\n" : "  ", stream);
}

void table_print(const hq_table *table, FILE *stream)
{
    size_t columns = table->column_count;
    if (columns == 0 || table->cell_count == 0)
        return;
    size_t *widths = hq_calloc(columns, sizeof *widths);
    for (size_t i = 0; i < columns; i++)
        widths[i] = width_of(table->columns[i].head);
    for (size_t i = 0; i < table->cell_count; i++)
        if (width_of(table->cells[i]) > widths[i % columns])
            widths[i % columns] = width_of(table->cells[i]);
    for (size_t i = 0; i < columns; i++)
        print_cell(table->columns[i].head, widths[i], table->columns[i].is_number, i + 1 == columns, stream);
    for (size_t i = 0; i < table->cell_count; i++)
        print_cell(table->cells[i], widths[i % columns], table->columns[i % columns].is_number,
                   (i + 1) % columns == 0 || i + 1 == table->cell_count, stream);
    free(widths);
}

/* ---- numbers ---- */

int64_t table_sum(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

char *table_bytes(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double number = (double)bytes;
    size_t unit = 0;
    for (; number >= 1023.95 && unit < 6; unit++)
        number /= 1024;
    return hq_format(unit == 0 ? "%.0f %s" : "%.1f %s", number, units[unit]);
}

char *table_count(int64_t count)
{
    char digits[32], text[48];
    snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t length = strlen(digits), sign = digits[0] == '-', to = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > sign && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    return hq_strndup(text, to);
}

char *table_span(int64_t ms)
{
    static const struct {
        int64_t s;
        const char *large, *small;
        int64_t small_s;
    } units[] = {{86400, "d", "h", 3600}, {3600, "h", "m", 60}, {60, "m", "s", 1}};
    if (ms < 60000)
        return hq_format(ms < 10000 ? "%.2f s" : "%.0f s", (double)ms / 1e3);
    for (size_t i = 0;; i++)
        if (ms / 1000 >= units[i].s)
            return hq_format("%lld %s %lld %s", (long long)(ms / 1000 / units[i].s), units[i].large,
                             (long long)(ms / 1000 % units[i].s / units[i].small_s), units[i].small);
}

char *table_share(int64_t part, int64_t of)
{
    return of > 0 ? hq_format("%.1f%%", 100.0 * (double)part / (double)of) : hq_strdup("-");
}

char *table_date(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[64];
    if (!localtime_r(&seconds, &parts) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return hq_strdup("?");
    return hq_strdup(text);
}
