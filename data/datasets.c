/* Named datasets: dataset_is_name and dataset_lookup of data/dataset.h. */
#include <stdbool.h>
#include <string.h>

#include "base/inifile.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/source.h"

enum { LONGEST_NAME = 100 };

typedef struct section_lookup {
    const char *name;
    const char *folder; /* of the file; relative paths begin here */
    int folder_length;
    char **specs;
    size_t count, capacity;
    char *last_section, *sections; /* those there are, "a, b" */
    bool is_found;
} section_lookup;

static void add_spec(section_lookup *lookup, const char *spec)
{
    bool is_whole = *spec == '/' || lookup->folder_length == 0 || strncmp(spec, "empty:", 6) == 0 ||
                    source_is_url(spec);
    HQ_GROW(lookup->specs, lookup->count, lookup->capacity);
    lookup->specs[lookup->count++] = is_whole ? hq_strdup(spec)
                                              : hq_format("%.*s%s", lookup->folder_length, lookup->folder, spec);
}

static void note_section(section_lookup *lookup, const char *section)
{
    if (lookup->last_section && strcmp(lookup->last_section, section) == 0)
        return;
    free(lookup->last_section);
    lookup->last_section = hq_strdup(section);
    char *longer = lookup->sections ? hq_format("%s, %s", lookup->sections, section) : hq_strdup(section);
    free(lookup->sections);
    lookup->sections = longer;
}

static hq_error take_key(void *context, const char *section, const char *key, const char *value, hq_reason *reason)
{
    section_lookup *lookup = context;
    if (*section == 0)
        return hq_fail(reason, HQ_EINVAL, "%s: a dataset begins with its [name]", key);
    if (strcmp(key, "files") != 0)
        return hq_fail(reason, HQ_EINVAL, "%s: a dataset has only the key files", key);
    note_section(lookup, section);
    if (strcmp(section, lookup->name) != 0)
        return HQ_OK;
    lookup->is_found = true;
    char *words = hq_strdup(value), *rest = words;
    for (char *word; (word = strsep(&rest, " \t"));)
        if (*word)
            add_spec(lookup, word);
    free(words);
    return HQ_OK;
}

bool dataset_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t length = strlen(text);
    if (length == 0 || length > LONGEST_NAME || !strchr(letters, text[0]) || strstr(text, ".root"))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr(letters, text[i]) && !strchr("-.+", text[i]))
            return false;
    return true;
}

hq_error dataset_lookup(const char *config_path, const char *name, char ***specs_r, size_t *count_r, hq_reason *reason)
{
    const char *slash = strrchr(config_path, '/');
    section_lookup lookup = {
        .name = name, .folder = config_path, .folder_length = slash ? (int)(slash - config_path) + 1 : 0};
    hq_error error = inifile_read(config_path, take_key, &lookup, reason);
    if (!error && !lookup.is_found)
        error = hq_fail(reason, HQ_ENOTFOUND, "%s names no dataset \"%s\"; it has %s", config_path, name,
                        lookup.sections ? lookup.sections : "none");
    else if (!error && lookup.count == 0)
        error = hq_fail(reason, HQ_EINVAL, "%s: the dataset \"%s\" has no files", config_path, name);
    free(lookup.last_section);
    free(lookup.sections);
    if (error) {
        dataset_specs_free(&lookup.specs, lookup.count);
        return error;
    }
    *specs_r = lookup.specs;
    *count_r = lookup.count;
    return HQ_OK;
}

void dataset_specs_free(char ***specs_p, size_t count)
{
    if (!*specs_p)
        return;
    for (size_t i = 0; i < count; i++)
        free((*specs_p)[i]);
    free(*specs_p);
    *specs_p = NULL;
}
