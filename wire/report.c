#include "wire/report.h"

#include <stddef.h>

#define FIELD(name) {#name, offsetof(hq_cache_report, name)}

static const struct {
    const char *key;
    size_t offset;
} fields[] = {
    FIELD(hits),          FIELD(misses),       FIELD(evictions),      FIELD(cache_bytes),
    FIELD(cache_columns), FIELD(cache_limit),  FIELD(file_bytes),     FIELD(ahead_used),
    FIELD(ahead_wasted),  FIELD(disk_hits),    FIELD(disk_hit_bytes), FIELD(disk_bytes),
    FIELD(disk_limit),    FIELD(disk_written), FIELD(disk_evicted),   FIELD(disk_damaged),
};

enum { FIELDS = sizeof fields / sizeof *fields };

void report_put(hq_message *message, const hq_cache_report *report)
{
    for (int i = 0; i < FIELDS; i++)
        message_put_int(message, fields[i].key, *(const int64_t *)((const char *)report + fields[i].offset));
}

bool report_get(const hq_message *message, hq_cache_report *report_r)
{
    bool tells = false;
    *report_r = (hq_cache_report){0};
    for (int i = 0; i < FIELDS; i++)
        tells |= message_get_int(message, fields[i].key, 0, INT64_MAX,
                                 (int64_t *)((char *)report_r + fields[i].offset));
    return tells;
}

double report_hit_rate(const hq_cache_report *report)
{
    double wanted = (double)report->hits + (double)report->misses;
    return wanted > 0 ? (double)report->hits / wanted : 0;
}
