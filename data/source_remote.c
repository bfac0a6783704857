/* Files of servers: attempts and their repetition, small reads in blocks, counts. */
#include "data/source_remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    DEFAULT_REQUESTS = 8,
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_ATTEMPTS = 5,
    DEFAULT_BACKOFF_MS = 100,
    MOST_BACKOFF_MS = 10000,
    MOST_WAIT_MS = 60000,       /* a server that wants us to wait longer has failed */
    SMALL_READ = 32 << 10,      /* up to here a read takes a block */
    LEAST_REQUEST = 1 << 20,    /* a long read is cut for the requests that may be under way, but not smaller */
    ENOUGH_PROGRESS = 64 << 10, /* bytes that make an attempt one that got something */
};

hq_remote *remote_new(const hq_remote_settings *settings)
{
    hq_remote *remote = hq_calloc(1, sizeof *remote);
    if (settings)
        remote->settings = *settings;
    hq_remote_settings *own = &remote->settings;
    own->ca = hq_strdup(own->ca);
    own->requests = own->requests ? own->requests : DEFAULT_REQUESTS;
    own->timeout_ms = own->timeout_ms ? own->timeout_ms : DEFAULT_TIMEOUT_MS;
    own->attempts = own->attempts ? own->attempts : DEFAULT_ATTEMPTS;
    own->backoff_ms = own->backoff_ms ? own->backoff_ms : DEFAULT_BACKOFF_MS;
    pthread_mutex_init(&remote->lock, NULL);
    return remote;
}

hq_remote_counts remote_counts(const hq_remote *remote)
{
    return (hq_remote_counts){
        .files = atomic_load(&remote->files),
        .requests = atomic_load(&remote->requests),
        .bytes = atomic_load(&remote->bytes),
        .wanted = atomic_load(&remote->wanted),
        .retries = atomic_load(&remote->retries),
        .failures = atomic_load(&remote->failures),
    };
}

void remote_free(hq_remote **remote_p)
{
    hq_remote *remote = *remote_p;
    if (!remote)
        return;
    hq_remote_counts counts = remote_counts(remote);
    if (counts.requests)
        hq_log(HQ_LOG_INFO, "data",
               "files of servers: %" PRIu64 " opened, %" PRIu64 " requests, %" PRIu64 " bytes received for %" PRIu64
               " wanted, %" PRIu64 " retries, %" PRIu64 " failures",
               counts.files, counts.requests, counts.bytes, counts.wanted, counts.retries, counts.failures);
    http_sessions_free(remote);
    pthread_mutex_destroy(&remote->lock);
    free(remote->settings.ca);
    free(remote);
    *remote_p = NULL;
}

void fault_set(hq_fault *fault, hq_error error, bool may_pass, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    fault->error = error;
    fault->may_pass = may_pass;
}

static void sleep_ms(int64_t duration_ms)
{
    struct timespec left = {.tv_sec = (time_t)(duration_ms / 1000), .tv_nsec = (long)(duration_ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Half of the doubled wait is chance, so that a thousand readers that failed together do not come back together. */
static int64_t backoff_ms(const hq_remote *remote, int64_t failures)
{
    int64_t wait = remote->settings.backoff_ms;
    for (int64_t i = 1; i < failures && wait < MOST_BACKOFF_MS; i++)
        wait *= 2;
    wait = wait < MOST_BACKOFF_MS ? wait : MOST_BACKOFF_MS;
    hq_hash chance = hash_random();
    return wait / 2 + (wait - wait / 2) * chance.bytes[0] / 255;
}

/* After a fault: waits, if another attempt is to be made, and gives HQ_OK; else the error. */
static hq_error wait_or_fail(hq_remote *remote, const char *url, const hq_fault *fault, int64_t failures,
                             hq_reason *reason)
{
    bool waits_too_long = fault->wait_ms > MOST_WAIT_MS;
    if (!fault->may_pass || failures >= remote->settings.attempts || waits_too_long) {
        atomic_fetch_add(&remote->failures, 1);
        if (waits_too_long)
            return hq_fail(reason, fault->error, "%s: %s, and asks not to be tried again for %" PRId64 " s", url,
                           fault->text, fault->wait_ms / 1000);
        if (fault->may_pass && failures > 1)
            return hq_fail(reason, fault->error, "%s: %s (%" PRId64 " attempts)", url, fault->text, failures);
        return hq_fail(reason, fault->error, "%s: %s", url, fault->text);
    }
    int64_t wait_ms = backoff_ms(remote, failures);
    wait_ms = fault->wait_ms > wait_ms ? fault->wait_ms : wait_ms;
    atomic_fetch_add(&remote->retries, 1);
    hq_log(HQ_LOG_INFO, "data", "%s: %s; attempt %" PRId64 " of %" PRId64 " in %" PRId64 " ms", url, fault->text,
           failures + 1, remote->settings.attempts, wait_ms);
    sleep_ms(wait_ms);
    return HQ_OK;
}

/* How far the requests are: bytes that make an attempt worth its while, each request that is done counting as so many.
 */
static size_t progress_of(const hq_requests *requests)
{
    size_t done = 0;
    for (size_t i = 0; i < requests->count; i++) {
        const hq_request *request = &requests->requests[i];
        done += request->done + (request->done == request->size ? ENOUGH_PROGRESS : 0);
    }
    return done;
}

/* Sends the requests until all are done. */
static hq_error run(hq_remote_file *file, hq_requests *requests, hq_reason *reason)
{
    size_t done = 0;
    for (int64_t failures = 1;; failures++) {
        hq_fault fault = {0};
        file->protocol->fetch(file, requests->requests, requests->count, &fault);
        if (!fault.error)
            return HQ_OK;
        size_t now_done = progress_of(requests);
        if (now_done - done >= ENOUGH_PROGRESS)
            failures = 1;
        done = now_done;
        hq_error error = wait_or_fail(file->remote, file->url, &fault, failures, reason);
        if (error)
            return error;
    }
}

static hq_error read_all(hq_remote_file *file, const hq_stretch *stretches, size_t count, hq_reason *reason)
{
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        wanted += stretches[i].size;
    hq_request_limits limits = file->protocol->limits;
    size_t share = wanted / (size_t)file->remote->settings.requests;
    share = share < LEAST_REQUEST ? LEAST_REQUEST : share;
    if (share < limits.bytes) {
        limits.bytes = share;
        limits.piece_bytes = share < limits.piece_bytes ? share : limits.piece_bytes;
    }
    hq_requests requests;
    requests_plan(&limits, stretches, count, &requests);
    hq_error error = run(file, &requests, reason);
    requests_clear(&requests);
    if (!error)
        atomic_fetch_add(&file->remote->wanted, wanted);
    return error;
}

/* With the lock held: true if a block had the bytes. */
static bool copy_from_block(hq_remote_file *file, uint64_t offset, size_t size, void *bytes_r)
{
    for (int i = 0; i < REMOTE_BLOCKS; i++) {
        hq_block *block = &file->blocks[i];
        if (!block->bytes || offset < block->offset || offset - block->offset > block->size ||
            size > block->size - (offset - block->offset))
            continue;
        memcpy(bytes_r, block->bytes + (offset - block->offset), size);
        block->used = ++file->clock;
        return true;
    }
    return false;
}

void remote_file_keep(hq_remote_file *file, uint64_t offset, uint8_t *bytes, size_t size)
{
    pthread_mutex_lock(&file->lock);
    hq_block *oldest = file->blocks;
    for (int i = 1; i < REMOTE_BLOCKS; i++)
        if (file->blocks[i].used < oldest->used)
            oldest = &file->blocks[i];
    free(oldest->bytes);
    *oldest = (hq_block){.offset = offset, .size = size, .bytes = bytes, .used = ++file->clock};
    pthread_mutex_unlock(&file->lock);
}

static hq_error read_small(hq_remote_file *file, const hq_stretch *stretch, hq_reason *reason)
{
    pthread_mutex_lock(&file->lock);
    bool is_there = copy_from_block(file, stretch->offset, stretch->size, stretch->bytes_r);
    pthread_mutex_unlock(&file->lock);
    if (is_there)
        return HQ_OK;
    uint64_t begin = stretch->offset / REMOTE_BLOCK * REMOTE_BLOCK, end = stretch->offset + stretch->size;
    end = (end + REMOTE_BLOCK - 1) / REMOTE_BLOCK * REMOTE_BLOCK;
    end = end < file->version.size ? end : file->version.size;
    hq_stretch block = {.offset = begin, .size = (size_t)(end - begin), .bytes_r = hq_alloc((size_t)(end - begin))};
    hq_error error = read_all(file, &block, 1, reason);
    if (error) {
        free(block.bytes_r);
        return error;
    }
    memcpy(stretch->bytes_r, (uint8_t *)block.bytes_r + (stretch->offset - begin), stretch->size);
    remote_file_keep(file, begin, block.bytes_r, block.size);
    return HQ_OK;
}

hq_error remote_file_read(hq_remote_file *file, const hq_stretch *stretches, size_t count, hq_reason *reason)
{
    if (count == 1 && stretches->size <= SMALL_READ)
        return stretches->size ? read_small(file, stretches, reason) : HQ_OK;
    return read_all(file, stretches, count, reason);
}

hq_error remote_file_open(hq_remote *remote, const char *url, hq_remote_file **file_r, hq_reason *reason)
{
    hq_remote_file *file = hq_calloc(1, sizeof *file);
    file->owns_remote = !remote;
    file->remote = remote ? remote : remote_new(NULL);
    file->url = url;
    file->protocol = strncmp(url, "http", 4) == 0 ? &http_protocol : &xrootd_protocol;
    pthread_mutex_init(&file->lock, NULL);
    hq_error error = HQ_OK;
    for (int64_t failures = 1;; failures++) {
        hq_fault fault = {0};
        file->protocol->open(file, &fault);
        if (!fault.error)
            break;
        error = wait_or_fail(file->remote, file->url, &fault, failures, reason);
        if (error) {
            remote_file_close(&file);
            return error;
        }
    }
    atomic_fetch_add(&file->remote->files, 1);
    hq_log(HQ_LOG_DEBUG, "data", "%s: opened, %" PRIu64 " bytes%s%s", url, file->version.size,
           file->version.tag ? ", ETag " : "", file->version.tag ? file->version.tag : "");
    *file_r = file;
    return HQ_OK;
}

void remote_file_close(hq_remote_file **file_p)
{
    hq_remote_file *file = *file_p;
    if (!file)
        return;
    if (file->state)
        file->protocol->close(file);
    for (int i = 0; i < REMOTE_BLOCKS; i++)
        free(file->blocks[i].bytes);
    free(file->version.tag);
    pthread_mutex_destroy(&file->lock);
    if (file->owns_remote)
        remote_free(&file->remote);
    free(file);
    *file_p = NULL;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

hq_error remote_list(hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_reason *reason)
{
    hq_error error = HQ_OK;
    for (int64_t failures = 1; !error; failures++) {
        hq_fault fault = {0};
        xrootd_list(remote, url, names_r, count_r, &fault);
        if (!fault.error) {
            if (*count_r)
                qsort(*names_r, *count_r, sizeof **names_r, compare_names);
            break;
        }
        error = wait_or_fail(remote, url, &fault, failures, reason);
    }
    return error;
}
