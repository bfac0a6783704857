#include "broker/handles.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

struct hq_handles {
    char *address;
    int timeout_ms;
    int64_t keep_ms;
    pthread_mutex_t lock; /* over what follows */
    hq_store **idle;
    size_t count, capacity;
};

hq_handles *handles_new(const char *address, int timeout_ms, int64_t keep_ms)
{
    if (strcmp(address, "none") == 0 || strcmp(address, "sqlite::memory:") == 0)
        return NULL;
    hq_handles *handles = hq_calloc(1, sizeof *handles);
    *handles = (hq_handles){.address = hq_strdup(address), .timeout_ms = timeout_ms, .keep_ms = keep_ms};
    pthread_mutex_init(&handles->lock, NULL);
    return handles;
}

void handles_free(hq_handles **handles_p)
{
    hq_handles *handles = *handles_p;
    if (!handles)
        return;
    for (size_t i = 0; i < handles->count; i++)
        store_close(&handles->idle[i]);
    pthread_mutex_destroy(&handles->lock);
    free(handles->idle);
    free(handles->address);
    free(handles);
    *handles_p = NULL;
}

hq_error handles_take(hq_handles *handles, hq_store **store_r, hq_reason *reason)
{
    *store_r = NULL;
    if (!handles)
        return hq_fail(reason, HQ_ENOTFOUND, "there is no store that several threads can ask");
    pthread_mutex_lock(&handles->lock);
    if (handles->count > 0)
        *store_r = handles->idle[--handles->count];
    pthread_mutex_unlock(&handles->lock);
    return *store_r ? HQ_OK : store_open(handles->address, handles->timeout_ms, handles->keep_ms, store_r, reason);
}

void handles_give(hq_handles *handles, hq_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&handles->lock);
    HQ_GROW(handles->idle, handles->count, handles->capacity);
    handles->idle[handles->count++] = store;
    pthread_mutex_unlock(&handles->lock);
}
