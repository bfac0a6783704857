#include "base/error.h"

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

hq_error hq_fail(hq_reason *reason, hq_error error, const char *format, ...)
{
    if (reason) {
        va_list args;
        va_start(args, format);
        vsnprintf(reason->text, sizeof reason->text, format, args);
        va_end(args);
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
    }
    return error;
}
