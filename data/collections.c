#include "data/collections.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool is_separator(char c)
{
    return c == '_' || c == '.';
}

/* What follows the collection's name and a separator in a column's, or NULL. */
static const char *member_of(const hq_counted *column, const char *collection)
{
    const char *name = last_part(column->name);
    size_t length = strlen(collection);
    if (strncmp(name, collection, length) != 0 || !is_separator(name[length]) || name[length + 1] == 0)
        return NULL;
    return name + length + 1;
}

static bool is_candidate(const hq_counted *column, const void *counter)
{
    return column->counter && column->counter == counter;
}

static bool has_members(const hq_counted *columns, size_t count, const hq_counted *first, const char *collection)
{
    for (size_t i = 0; i < count; i++)
        if (is_candidate(&columns[i], first->counter) && member_of(&columns[i], collection))
            return true;
    return false;
}

/* From the counter's name; NULL if no column goes on from there. The caller frees it. */
static char *name_from_counter(const hq_counted *columns, size_t count, const hq_counted *first)
{
    static const char *const fronts[] = {"n_", "N_", "num_", "num", "Num", "n", "N", ""};
    static const char *const backs[] = {"_size", "_count", "_num", "_len", "_n", "_N", ".size", "_", ""};
    const char *name = last_part(first->counter_name);
    size_t length = strlen(name);
    for (size_t f = 0; f < sizeof fronts / sizeof *fronts; f++)
        for (size_t b = 0; b < sizeof backs / sizeof *backs; b++) {
            size_t front = strlen(fronts[f]), back = strlen(backs[b]);
            if (front + back >= length || strncmp(name, fronts[f], front) != 0 ||
                strcmp(name + length - back, backs[b]) != 0)
                continue;
            char *collection = hq_strndup(name + front, length - front - back);
            if (has_members(columns, count, first, collection))
                return collection;
            free(collection);
        }
    return NULL;
}

/* From what the columns have in common; NULL if that is nothing, or there is only one. The caller frees it. */
static char *name_from_columns(const hq_counted *columns, size_t count, const hq_counted *first)
{
    char *front = NULL;
    size_t members = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_candidate(&columns[i], first->counter))
            continue;
        const char *name = last_part(columns[i].name);
        size_t length = strcspn(name, "_.");
        bool fits = length > 0 && name[length] != 0;
        if (fits && !front)
            front = hq_strndup(name, length);
        else if (!fits || strlen(front) != length || strncmp(front, name, length) != 0)
            members = count; /* not in common */
        members++;
    }
    if (members >= 2 && members <= count)
        return front;
    free(front);
    return NULL;
}

static bool name_is_free(const hq_counted *columns, size_t count, const char *collection)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(columns[i].name, collection) == 0 ||
            (columns[i].collection && strcmp(columns[i].collection, collection) == 0))
            return false;
    return true;
}

static bool member_is_free(const hq_counted *columns, size_t count, const char *collection, const char *member)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i].collection && strcmp(columns[i].collection, collection) == 0 &&
            strcmp(columns[i].member, member) == 0)
            return false;
    return true;
}

static void gather(hq_counted *columns, size_t count, const hq_counted *first)
{
    char *collection = first->counter_name ? name_from_counter(columns, count, first) : NULL;
    if (!collection)
        collection = name_from_columns(columns, count, first);
    if (collection && name_is_free(columns, count, collection))
        for (size_t i = 0; i < count; i++) {
            const char *member = is_candidate(&columns[i], first->counter) ? member_of(&columns[i], collection) : NULL;
            if (!member || !member_is_free(columns, count, collection, member))
                continue;
            columns[i].collection = hq_strdup(collection);
            columns[i].member = hq_strdup(member);
        }
    free(collection);
}

static bool came_before(const hq_counted *columns, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_candidate(&columns[i], columns[index].counter))
            return true;
    return false;
}

void collections_find(hq_counted *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i].counter && !came_before(columns, i))
            gather(columns, count, &columns[i]);
}
