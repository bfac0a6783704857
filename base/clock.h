/* base/clock.h - time. Deadlines and durations use the monotonic clock; only what a person reads uses the wall clock.
 */
#ifndef HQ_BASE_CLOCK_H
#define HQ_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t hq_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t hq_now_ms(void)
{
    return hq_now_us() / 1000;
}

/* Milliseconds since 1970, UTC. */
static inline int64_t hq_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
