#include "base/inifile.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* libinih keeps sections and keys in buffers of 50 bytes. */
enum { MAX_NAME = 48 };

typedef struct inifile_reader {
    FILE *stream;
    const char *name;
    inifile_handler *handler;
    void *context;
    hq_reason *reason;
    int line;
    char *text; /* getline's */
    size_t capacity;
    hq_error error;
} inifile_reader;

static hq_error fail_at_line(inifile_reader *reader, const char *text)
{
    reader->error = hq_fail(reader->reason, HQ_EINVAL, "%s:%d: %s", reader->name, reader->line, text);
    return reader->error;
}

/* libinih asks for each line here, so the number of lines asked for is the number of the line being handled. */
static char *next_line(char *buffer, int size, void *context)
{
    inifile_reader *reader = context;
    if (reader->error)
        return NULL;
    errno = 0;
    ssize_t length = getline(&reader->text, &reader->capacity, reader->stream);
    if (length < 0) {
        if (ferror(reader->stream))
            reader->error = hq_fail(reader->reason, HQ_EIO, "%s: %s", reader->name, strerror(errno));
        return NULL;
    }
    reader->line++;
    while (length && (reader->text[length - 1] == '\n' || reader->text[length - 1] == '\r'))
        length--;
    bool is_comment = length && (reader->text[0] == '#' || reader->text[0] == ';');
    if (is_comment)
        length = 0;
    if (memchr(reader->text, 0, (size_t)length))
        return fail_at_line(reader, "there is a zero byte in this line"), NULL;
    if (length > size - 2)
        return fail_at_line(reader, "the line is too long (over 198 bytes); go on with it in an indented line"), NULL;
    memcpy(buffer, reader->text, (size_t)length);
    buffer[length] = 0;
    return buffer;
}

static int handle_key(void *context, const char *section, const char *key, const char *value)
{
    inifile_reader *reader = context;
    if (reader->error)
        return 0;
    if (strlen(section) > MAX_NAME || strlen(key) > MAX_NAME)
        return fail_at_line(reader, "a section or key of more than 48 bytes"), 0;
    hq_error error = reader->handler(reader->context, section, key, value, reader->reason);
    if (error)
        reader->error = hq_fail_within(reader->reason, error, "%s:%d", reader->name, reader->line);
    return error == HQ_OK;
}

hq_error inifile_read_stream(FILE *stream, const char *name, inifile_handler *handler, void *context, hq_reason *reason)
{
    inifile_reader reader = {.stream = stream, .name = name, .handler = handler, .context = context, .reason = reason};
    int bad_line = ini_parse_stream(next_line, &reader, handle_key, &reader);
    free(reader.text);
    if (reader.error)
        return reader.error;
    if (bad_line > 0)
        return hq_fail(reason, HQ_EINVAL, "%s:%d: neither \"key = value\" nor \"[section]\" nor a comment (#)", name,
                       bad_line);
    if (bad_line < 0)
        return hq_fail(reason, HQ_EIO, "%s: the file cannot be read", name);
    return HQ_OK;
}

hq_error inifile_read(const char *path, inifile_handler *handler, void *context, hq_reason *reason)
{
    FILE *stream = fopen(path, "re");
    if (!stream)
        return hq_fail(reason, errno == ENOENT ? HQ_ENOTFOUND : HQ_EIO, "%s: %s", path, strerror(errno));
    hq_error error = inifile_read_stream(stream, path, handler, context, reason);
    fclose(stream);
    return error;
}
