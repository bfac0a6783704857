/* base/log.h - what happened, for an operator: one line an event on stderr,
 * "2026-11-25T08:30:00.123Z info broker: query 6f… accepted, 312 subtasks".
 *
 * Safe from any thread: a line is one write. Nothing is logged per subtask above debug.
 */
#ifndef HQ_BASE_LOG_H
#define HQ_BASE_LOG_H

typedef enum hq_level { HQ_LOG_ERROR, HQ_LOG_WARN, HQ_LOG_INFO, HQ_LOG_DEBUG } hq_level;

/* Lines above level are dropped. The default is HQ_LOG_WARN. */
void hq_log_set_level(hq_level level);

/* The words for the levels, in their order; NULL after the last. */
extern const char *const hq_level_words[];

void hq_log(hq_level level, const char *room, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
