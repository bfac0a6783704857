/* hq-ctl init: the znodes, made or removed. */
#include <stdio.h>

#include "base/memory.h"
#include "client/ctl.h"
#include "zk/coordinator.h"

enum { SESSION_MS = 10000 };

/* The one operation that is waited for. */
typedef struct outcome {
    int is_over;
    hq_error error;
    hq_reason reason;
    size_t count;
} outcome;

static void on_done(void *context, hq_error error, const char *detail)
{
    outcome *o = context;
    o->error = error;
    hq_fail(&o->reason, error, "%s", detail);
    o->is_over = 1;
}

static void on_members(void *context, hq_error error, const char *detail, const hq_member *members, size_t count)
{
    (void)members;
    ((outcome *)context)->count = count;
    on_done(context, error, detail);
}

/* Every outcome outlives the coordinator, whose callbacks may still come after a wait was given up. */
typedef struct outcomes {
    outcome brokers, workers, wiped;
} outcomes;

static hq_error await(const hq_ctl *ctl, hq_coordinator *coordinator, const outcome *o, hq_reason *reason)
{
    if (coordinator_wait(coordinator, &o->is_over, (int)ctl->timeout_ms, reason))
        return hq_fail(reason, HQ_EUNAVAILABLE, "the coordinator at %s does not answer", ctl->coordinator);
    return o->error ? hq_fail(reason, o->error, "%s", o->reason.text) : HQ_OK;
}

static hq_error count_living(const hq_ctl *ctl, hq_coordinator *coordinator, outcomes *o, hq_reason *reason)
{
    coordinator_members(coordinator, "brokers", on_members, &o->brokers);
    coordinator_members(coordinator, "workers", on_members, &o->workers);
    hq_error error = await(ctl, coordinator, &o->brokers, reason);
    return error ? error : await(ctl, coordinator, &o->workers, reason);
}

static int wipe(const hq_ctl *ctl, hq_coordinator *coordinator, outcomes *o)
{
    hq_reason reason = {{0}};
    size_t living = o->brokers.count + o->workers.count;
    if (living && !ctl->is_forced) {
        fprintf(
            stderr,
            "hq-ctl: %zu broker%s and %zu worker%s are alive at %s: end them first, or say --force, which leaves them "
            "useless until they are started again\n",
            o->brokers.count, ctl_plural(o->brokers.count), o->workers.count, ctl_plural(o->workers.count),
            ctl->coordinator);
        return CTL_FAILED;
    }
    char *question = hq_format("All queries that wait, run or are done at %s are forgotten. Remove its znodes?",
                               ctl->coordinator);
    bool is_meant = ctl_confirm(ctl, question);
    free(question);
    if (!is_meant)
        return CTL_FAILED;
    coordinator_wipe(coordinator, on_done, &o->wiped);
    hq_error error = await(ctl, coordinator, &o->wiped, &reason);
    if (error)
        return ctl_complain(error, &reason);
    printf("the znodes at %s are removed\n", ctl->coordinator);
    return CTL_DONE;
}

int ctl_init(const hq_ctl *ctl)
{
    hq_coordinator *coordinator = NULL;
    hq_reason reason = {{0}};
    outcomes o = {0};
    /* Whoever connects makes the nodes that are missing; the members tell that they are there. */
    hq_error error = coordinator_open(ctl->coordinator, SESSION_MS, NULL, NULL, &coordinator, &reason);
    if (!error)
        error = count_living(ctl, coordinator, &o, &reason);
    int code = CTL_DONE;
    if (error)
        code = ctl_complain(error, &reason);
    else if (ctl->wipes)
        code = wipe(ctl, coordinator, &o);
    else
        printf("the znodes at %s are there\n", ctl->coordinator);
    coordinator_close(&coordinator);
    return code;
}
