#include "base/error.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const names[HQ_ERROR_COUNT] = {
    [HQ_OK] = "ok",
    [HQ_EINVAL] = "invalid",
    [HQ_EQUERY] = "query",
    [HQ_EFORMAT] = "format",
    [HQ_EUNSUPPORTED] = "unsupported",
    [HQ_EIO] = "io",
    [HQ_ENOTFOUND] = "notfound",
    [HQ_EEXISTS] = "exists",
    [HQ_EMISMATCH] = "mismatch",
    [HQ_EPROTOCOL] = "protocol",
    [HQ_ELIMIT] = "limit",
    [HQ_ETIMEOUT] = "timeout",
    [HQ_ECANCELLED] = "cancelled",
    [HQ_EUNAVAILABLE] = "unavailable",
    [HQ_EUNCERTAIN] = "uncertain",
    [HQ_EINTERNAL] = "internal",
};

const char *hq_error_name(hq_error error)
{
    return (unsigned)error < HQ_ERROR_COUNT ? names[error] : "internal";
}

hq_error hq_error_from_name(const char *name)
{
    for (int i = 0; i < HQ_ERROR_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (hq_error)i;
    return HQ_EINTERNAL;
}

/* A text that filled the buffer may have been cut within a character: documents and messages take whole ones only. */
static void drop_cut_character(hq_reason *reason)
{
    const uint8_t *bytes = (const uint8_t *)reason->text;
    size_t end = strlen(reason->text), begin = end;
    if (end < sizeof reason->text - 1)
        return;
    while (begin > 0 && end - begin < 3 && (bytes[begin - 1] & 0xc0) == 0x80)
        begin--;
    if (begin == 0 || bytes[begin - 1] < 0xc0)
        return;
    uint8_t first = bytes[begin - 1];
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (end - begin + 1 < size)
        reason->text[begin - 1] = 0;
}

hq_error hq_fail(hq_reason *reason, hq_error error, const char *format, ...)
{
    if (reason) {
        va_list args;
        va_start(args, format);
        vsnprintf(reason->text, sizeof reason->text, format, args);
        va_end(args);
        drop_cut_character(reason);
    }
    return error;
}

hq_error hq_fail_within(hq_reason *reason, hq_error error, const char *format, ...)
{
    if (reason) {
        hq_reason old = *reason;
        va_list args;
        va_start(args, format);
        int length = vsnprintf(reason->text, sizeof reason->text, format, args);
        va_end(args);
        if (length >= 0 && (size_t)length < sizeof reason->text)
            snprintf(reason->text + length, sizeof reason->text - (size_t)length, ": %s", old.text);
        drop_cut_character(reason);
    }
    return error;
}
