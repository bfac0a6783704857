#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const hq_level_words[] = {"error", "warn", "info", "debug", NULL};

/* The one file-scope variable of hq: the level is a property of the process's stderr, as that is. */
static _Atomic int current_level = HQ_LOG_WARN;

void hq_log_set_level(hq_level level)
{
    atomic_store(&current_level, level);
}

void hq_log(hq_level level, const char *room, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
        return;
    char line[2048];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                             hq_level_words[level], room);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    used += more > 0 ? (size_t)more : 0;
    if (used > sizeof line - 2)
        used = sizeof line - 2;
    for (size_t i = 0; i < used; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* stderr is gone: there is nobody left to tell */
}
