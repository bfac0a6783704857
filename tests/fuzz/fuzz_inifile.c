/* Configuration files and the values in them: any bytes give an error or keys, and nothing worse. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/inifile.h"
#include "base/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static hq_error check_key(void *context, const char *section, const char *key, const char *value, hq_reason *reason)
{
    int64_t number;
    size_t *total = context;
    *total += strlen(section) + strlen(key) + strlen(value);
    hq_error error = options_parse_size(value, &number, reason);
    if (error == HQ_OK && number < 0)
        __builtin_trap();
    error = options_parse_duration(value, &number, reason);
    if (error == HQ_OK && number < 0)
        __builtin_trap();
    return strcmp(key, "stop") == 0 ? HQ_EINVAL : HQ_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    FILE *stream = size ? fmemopen((void *)(uintptr_t)bytes, size, "r") : NULL;
    if (!stream)
        return 0;
    hq_reason reason = {""};
    size_t total = 0;
    hq_error error = inifile_read_stream(stream, "fuzz", check_key, &total, &reason);
    if (error && *reason.text == 0)
        __builtin_trap();
    fclose(stream);
    return 0;
}
