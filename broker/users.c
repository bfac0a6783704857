/* broker/users.c - what users may have: their shares of the workers' time, and how much at once. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "broker/internal.h"

struct hq_user_share {
    char *user;
    double weight;
};

static const double least_weight = 0.001, most_weight = 1000;

static hq_error add_share(hq_broker *broker, const char *item, hq_reason *reason)
{
    const char *equals = strrchr(item, '=');
    char *end = NULL;
    double weight = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == item || end == equals + 1 || *end || !(weight >= least_weight && weight <= most_weight))
        return hq_fail(reason, HQ_EINVAL, "shares: \"%s\" is not USER=WEIGHT, a weight being from %g to %g", item,
                       least_weight, most_weight);
    HQ_GROW(broker->shares, broker->share_count, broker->share_capacity);
    broker->shares[broker->share_count++] = (hq_user_share){hq_strdup(item), weight};
    broker->shares[broker->share_count - 1].user[equals - item] = 0;
    return HQ_OK;
}

hq_error users_prepare(hq_broker *broker, const char *shares, hq_reason *reason)
{
    char *copy = hq_strdup(shares ? shares : ""), *rest = copy, *item;
    hq_error error = HQ_OK;
    while (!error && (item = strsep(&rest, ", ")))
        if (*item)
            error = add_share(broker, item, reason);
    free(copy);
    return error;
}

void users_free(hq_broker *broker)
{
    for (size_t i = 0; i < broker->share_count; i++)
        free(broker->shares[i].user);
    free(broker->shares);
}

double users_weight(const hq_broker *broker, const char *user)
{
    for (size_t i = broker->share_count; i > 0; i--)
        if (strcmp(broker->shares[i - 1].user, user) == 0)
            return broker->shares[i - 1].weight;
    return 1;
}

/* What a user has under way, but for one query. One that is being planned may still be wrong, or be answered from the
 * store: it counts when it is started. */
static void count_of(const hq_broker *broker, const char *user, const hq_query *but, int64_t *queries_r,
                     int64_t *subtasks_r)
{
    *queries_r = *subtasks_r = 0;
    for (size_t i = 0; i < broker->active_count; i++) {
        const hq_query *query = broker->active[i];
        if (query == but || !query->work || query_is_over(query) || strcmp(query->user, user) != 0)
            continue;
        ++*queries_r;
        *subtasks_r += (int64_t)query->dataset->partition_count - sink_done(query->sink);
    }
}

hq_error users_check(const hq_query *query, hq_reason *reason)
{
    const hq_broker_settings *settings = &query->broker->settings;
    int64_t queries, subtasks;
    count_of(query->broker, query->user, query, &queries, &subtasks);
    if (settings->user_queries && queries >= settings->user_queries)
        return hq_fail(
            reason, HQ_ELIMIT,
            "user %s has %lld queries under way, and one may have %lld (the broker's option --user-queries): "
            "try again when one is done",
            query->user, (long long)queries, (long long)settings->user_queries);
    int64_t more = query->dataset ? (int64_t)query->dataset->partition_count : 0;
    if (settings->user_subtasks && more && subtasks + more > settings->user_subtasks)
        return hq_fail(reason, HQ_ELIMIT,
                       "user %s has %lld subtasks under way, this query has %lld, and one may have %lld (the broker's "
                       "option --user-subtasks): try again when a query is done, or ask for fewer files",
                       query->user, (long long)subtasks, (long long)more, (long long)settings->user_subtasks);
    return HQ_OK;
}
