/* Files of XRootD servers, read by vectors, with the XRootD client library behind source_xrootd_shim.h. */
#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/source_remote.h"
#include "data/source_xrootd_shim.h"

/* What the server allows unless it is configured otherwise (xrootd.org, the protocol's kXR_readv): so many pieces of a
 * vector, none longer. */
enum { VECTOR_PIECES = 1024, PIECE_BYTES = (2 << 20) - 16, REQUEST_BYTES = 8 << 20 };

/* Codes of XrdCl/XrdClStatus.hh, and numbers of the protocol's errors, that hq tells apart. */
enum {
    CODE_RETRY = 1,
    CODE_NO_MORE_REPLICAS = 16,
    CODE_SOCKET_FIRST = 101,
    CODE_SOCKET_TIMEOUT = 103,
    CODE_SOCKET_LAST = 109,
    CODE_AUTH_FAILED = 204,
    CODE_EXPIRED = 206,
    CODE_INTERRUPTED = 207,
    CODE_NO_FREE_IDS = 301,
    CODE_NOT_FOUND = 304,
    CODE_REDIRECT_LIMIT = 306,
    CODE_ERROR_RESPONSE = 400,
    SERVER_ARGUMENT_INVALID = 3000,
    SERVER_ARGUMENT_TOO_LONG = 3002,
    SERVER_FILE_LOCKED = 3003,
    SERVER_FILE_NOT_OPEN = 3004,
    SERVER_FS_ERROR = 3005,
    SERVER_IO_ERROR = 3007,
    SERVER_NO_MEMORY = 3008,
    SERVER_NOT_AUTHORIZED = 3010,
    SERVER_NOT_FOUND = 3011,
    SERVER_ERROR = 3012,
    SERVER_UNSUPPORTED = 3013,
    SERVER_NO_SERVER = 3014,
    SERVER_NOT_FILE = 3015,
    SERVER_IS_DIRECTORY = 3016,
    SERVER_CANCELLED = 3017,
    SERVER_IN_PROGRESS = 3020,
    SERVER_OVERLOADED = 3024,
    SERVER_NO_REPLICAS = 3029,
    SERVER_AUTH_FAILED = 3030,
    SERVER_TIMED_OUT = 3034,
};

/* An open file at the server. After a fault it is not used again: the next read opens another one, and looks whether it
 * is still the same file. */
typedef struct hq_xrootd_handle {
    void *file;
    int users;
    bool is_stale;
} hq_xrootd_handle;

typedef struct hq_xrootd_state {
    const hq_xrootd_api *api;
    pthread_mutex_t lock;  /* over all of this, and what calls say when they end */
    pthread_cond_t ended;  /* a call has */
    hq_xrootd_handle *now; /* NULL: none is open */
    bool has_no_vectors;   /* the server allows less than others do */
    char server[256];      /* that had the file when it was opened */
} hq_xrootd_state;

/* A request on its way. */
typedef struct hq_call {
    hq_xrootd_state *state;
    hq_request *request; /* NULL: free */
    size_t pieces;       /* of it, from passed on, that were asked for */
    bool is_over;
    xrootd_status status;
    uint32_t bytes;
} hq_call;

static uint16_t timeout_s(const hq_remote *remote)
{
    return (uint16_t)((remote->settings.timeout_ms + 999) / 1000);
}

const hq_xrootd_api *xrootd_load(hq_remote *remote, hq_fault *fault)
{
    pthread_mutex_lock(&remote->lock);
    const hq_xrootd_api *api = remote->xrootd;
    if (!api) {
        char folder[4096];
        ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
        folder[length > 0 ? length : 0] = 0;
        char *slash = strrchr(folder, '/');
        if (slash)
            *slash = 0;
        char *path = hq_format("%s/%s", folder, HQ_XROOTD_MODULE);
        /* It stays for good: the library has threads of its own. */
        void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        const hq_xrootd_api *(*find)(void) = NULL;
        if (module)
            *(void **)&find = dlsym(module, "hq_xrootd");
        if (find && find()->version == XROOTD_API_VERSION)
            api = find();
        else
            fault_set(fault, HQ_EUNSUPPORTED, false, "this hq cannot read root:// URLs: its XRootD module is %s: %s",
                      module ? "another version's" : "missing", module ? path : dlerror());
        free(path);
        if (api) {
            int patience_s = timeout_s(remote);
            /* hq repeats what fails by itself, so the library is to say soon that something has. */
            api->set("ConnectionWindow", patience_s);
            api->set("ConnectionRetry", 1);
            api->set("StreamErrorWindow", 0);
            api->set("StreamTimeout", patience_s);
            api->set("RequestTimeout", patience_s);
            api->set("TimeoutResolution", 1);
            api->set("RedirectLimit", REMOTE_REDIRECTS);
            remote->xrootd = api;
        }
    }
    pthread_mutex_unlock(&remote->lock);
    return api;
}

static void judge_server(const xrootd_status *status, hq_fault *fault)
{
    switch (status->number) {
    case SERVER_NOT_FOUND:
    case SERVER_NO_REPLICAS:
        fault_set(fault, HQ_ENOTFOUND, false, "no such file on the server (%s)", status->text);
        return;
    case SERVER_NOT_AUTHORIZED:
    case SERVER_AUTH_FAILED:
        fault_set(fault, HQ_EIO, false, "no permission to read it (%s)", status->text);
        return;
    case SERVER_NOT_FILE:
    case SERVER_IS_DIRECTORY:
        fault_set(fault, HQ_EFORMAT, false, "not a ROOT file: it is a directory (%s)", status->text);
        return;
    case SERVER_TIMED_OUT:
        fault_set(fault, HQ_ETIMEOUT, true, "%s", status->text);
        return;
    case SERVER_FILE_LOCKED:
    case SERVER_FILE_NOT_OPEN:
    case SERVER_FS_ERROR:
    case SERVER_IO_ERROR:
    case SERVER_NO_MEMORY:
    case SERVER_ERROR:
    case SERVER_NO_SERVER:
    case SERVER_CANCELLED:
    case SERVER_IN_PROGRESS:
    case SERVER_OVERLOADED:
        fault_set(fault, HQ_EUNAVAILABLE, true, "the server answers: %s", status->text);
        return;
    default:
        fault_set(fault, HQ_EIO, false, "the server answers: %s (error %" PRIu32 ")", status->text, status->number);
    }
}

static void judge(const xrootd_status *status, hq_fault *fault)
{
    switch (status->code) {
    case CODE_ERROR_RESPONSE:
        judge_server(status, fault);
        return;
    case CODE_EXPIRED:
    case CODE_SOCKET_TIMEOUT:
        fault_set(fault, HQ_ETIMEOUT, true, "no answer in time: %s", status->text);
        return;
    case CODE_NOT_FOUND:
    case CODE_NO_MORE_REPLICAS:
        fault_set(fault, HQ_ENOTFOUND, false, "no such file on the server (%s)", status->text);
        return;
    case CODE_AUTH_FAILED:
        fault_set(fault, HQ_EIO, false, "no permission to read it (%s)", status->text);
        return;
    case CODE_REDIRECT_LIMIT:
        fault_set(fault, HQ_EIO, false, "more than %d redirections", (int)REMOTE_REDIRECTS);
        return;
    default:
        break;
    }
    bool may_pass = status->code == CODE_RETRY || status->code == CODE_INTERRUPTED ||
                    status->code == CODE_NO_FREE_IDS ||
                    (status->code >= CODE_SOCKET_FIRST && status->code <= CODE_SOCKET_LAST);
    fault_set(fault, may_pass ? HQ_EUNAVAILABLE : HQ_EIO, may_pass, "%s", status->text);
}

/* Opens the file at the server; *version_r gets what it is there. */
static void *open_at_server(const hq_remote_file *file, const hq_xrootd_api *api, hq_version *version_r,
                            char server_r[256], hq_fault *fault)
{
    xrootd_status status;
    uint64_t modified_s = 0;
    atomic_fetch_add(&file->remote->requests, 1);
    void *opened = api->open(file->url, timeout_s(file->remote), &status);
    if (opened)
        api->stat(opened, timeout_s(file->remote), &version_r->size, &modified_s, &status);
    if (status.status) {
        judge(&status, fault);
        if (opened)
            api->close(opened, timeout_s(file->remote));
        return NULL;
    }
    version_r->modified_ns = (int64_t)modified_s * 1000000000;
    api->server(opened, server_r, 256);
    return opened;
}

/* The part between "://" and the path, without a user's name. */
static bool url_names(const char *url, const char *server)
{
    const char *host = strstr(url, "://") + 3, *slash = strchr(host, '/');
    size_t length = slash ? (size_t)(slash - host) : strlen(host);
    const char *at = memchr(host, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    bool has_port = length > 0 && memchr(host, ':', length) && host[length - 1] != ']';
    size_t known = strlen(server);
    const char *port = strrchr(server, ':');
    if (!has_port && port && strcmp(port, ":1094") == 0)
        known = (size_t)(port - server);
    return length == known && strncasecmp(host, server, length) == 0;
}

static void xrootd_open(hq_remote_file *file, hq_fault *fault)
{
    const hq_xrootd_api *api = xrootd_load(file->remote, fault);
    hq_xrootd_state *state = hq_calloc(1, sizeof *state);
    void *opened = api ? open_at_server(file, api, &file->version, state->server, fault) : NULL;
    if (!opened) {
        free(state);
        return;
    }
    file->version.is_replica = !url_names(file->url, state->server);
    state->api = api;
    state->now = hq_calloc(1, sizeof *state->now);
    state->now->file = opened;
    pthread_mutex_init(&state->lock, NULL);
    pthread_cond_init(&state->ended, NULL);
    file->state = state;
}

static void xrootd_close(hq_remote_file *file)
{
    hq_xrootd_state *state = file->state;
    if (state->now) {
        state->api->close(state->now->file, timeout_s(file->remote));
        free(state->now);
    }
    pthread_mutex_destroy(&state->lock);
    pthread_cond_destroy(&state->ended);
    free(state);
    file->state = NULL;
}

/* The open file, opened again if need be; in use until put_handle. */
static hq_xrootd_handle *get_handle(hq_remote_file *file, hq_fault *fault)
{
    hq_xrootd_state *state = file->state;
    pthread_mutex_lock(&state->lock);
    hq_xrootd_handle *handle = state->now;
    if (handle)
        handle->users++;
    pthread_mutex_unlock(&state->lock);
    if (handle)
        return handle;
    hq_version version = {0};
    char server[256];
    void *opened = open_at_server(file, state->api, &version, server, fault);
    if (!opened)
        return NULL;
    /* Another server's copy has another time. */
    bool is_same_time = version.modified_ns == file->version.modified_ns || strcmp(server, state->server) != 0;
    if (version.size != file->version.size || !is_same_time) {
        state->api->close(opened, timeout_s(file->remote));
        fault_set(fault, HQ_EMISMATCH, false, "the file has changed on its server since it was opened");
        return NULL;
    }
    pthread_mutex_lock(&state->lock);
    if (state->now) { /* another thread was faster */
        handle = state->now;
    } else {
        handle = state->now = hq_calloc(1, sizeof *handle);
        handle->file = opened;
        opened = NULL;
    }
    handle->users++;
    pthread_mutex_unlock(&state->lock);
    if (opened)
        state->api->close(opened, timeout_s(file->remote));
    return handle;
}

static void put_handle(hq_remote_file *file, hq_xrootd_handle *handle, bool is_faulty)
{
    hq_xrootd_state *state = file->state;
    void *to_close = NULL;
    pthread_mutex_lock(&state->lock);
    if (is_faulty) {
        handle->is_stale = true;
        if (state->now == handle)
            state->now = NULL;
    }
    if (--handle->users == 0 && handle->is_stale) {
        to_close = handle->file;
        free(handle);
    }
    pthread_mutex_unlock(&state->lock);
    if (to_close)
        state->api->close(to_close, timeout_s(file->remote));
}

/* By a thread of the library. */
static void call_ended(void *context, const xrootd_status *status, uint32_t bytes)
{
    hq_call *call = context;
    hq_xrootd_state *state = call->state;
    pthread_mutex_lock(&state->lock);
    call->status = *status;
    call->bytes = bytes;
    call->is_over = true;
    pthread_cond_broadcast(&state->ended);
    pthread_mutex_unlock(&state->lock);
}

/* Asks for what the request still lacks, or, of a server without vectors, for its next piece. */
static void send_call(hq_remote_file *file, const hq_xrootd_handle *handle, hq_call *call)
{
    const hq_xrootd_api *api = call->state->api;
    const hq_request *request = call->request;
    xrootd_chunk chunks[VECTOR_PIECES];
    call->is_over = false;
    pthread_mutex_lock(&call->state->lock);
    call->pieces = call->state->has_no_vectors ? 1 : request->piece_count - request->passed;
    pthread_mutex_unlock(&call->state->lock);
    for (size_t i = 0; i < call->pieces; i++) {
        const hq_piece *piece = &request->pieces[request->passed + i];
        chunks[i] = (xrootd_chunk){piece->offset, (uint32_t)piece->size, piece->to};
    }
    xrootd_status status = {0};
    atomic_fetch_add(&file->remote->requests, 1);
    if (call->pieces == 1)
        api->read(handle->file, chunks, timeout_s(file->remote), call_ended, call, &status);
    else
        api->read_vector(handle->file, chunks, (uint32_t)call->pieces, timeout_s(file->remote), call_ended, call,
                         &status);
    if (status.status)
        call_ended(call, &status, 0);
}

static bool refuses_vector(const hq_call *call)
{
    uint32_t number = call->status.number;
    return call->pieces > 1 && call->status.status && call->status.code == CODE_ERROR_RESPONSE &&
           (number == SERVER_ARGUMENT_INVALID || number == SERVER_ARGUMENT_TOO_LONG || number == SERVER_UNSUPPORTED);
}

/* A call that is over: true if the request is to be sent once more, now. */
static bool take_result(hq_remote_file *file, hq_call *call, hq_fault *fault)
{
    hq_request *request = call->request;
    hq_fault own = {0};
    if (refuses_vector(call)) {
        pthread_mutex_lock(&call->state->lock);
        call->state->has_no_vectors = true;
        pthread_mutex_unlock(&call->state->lock);
        return true;
    }
    size_t wanted = 0;
    for (size_t i = 0; i < call->pieces; i++)
        wanted += request->pieces[request->passed + i].size;
    atomic_fetch_add(&file->remote->bytes, call->bytes);
    if (call->status.status)
        judge(&call->status, &own);
    else if (call->bytes != wanted)
        fault_set(&own, HQ_EMISMATCH, false,
                  "the file has changed on its server since it was opened: it has only %" PRIu32 " of %zu bytes",
                  call->bytes, wanted);
    if (own.error) {
        if (!fault->error || (fault->may_pass && !own.may_pass))
            *fault = own;
        return false;
    }
    request->passed += call->pieces;
    request->done += wanted;
    return request->passed < request->piece_count;
}

/* Waits until one of the calls is over, and gives it; NULL if none is under way. */
static hq_call *wait_for_one(hq_xrootd_state *state, hq_call *calls, size_t count)
{
    hq_call *over = NULL;
    pthread_mutex_lock(&state->lock);
    for (;;) {
        bool is_any = false;
        for (size_t i = 0; i < count && !over; i++) {
            is_any |= calls[i].request != NULL;
            if (calls[i].request && calls[i].is_over)
                over = &calls[i];
        }
        if (over || !is_any)
            break;
        pthread_cond_wait(&state->ended, &state->lock);
    }
    pthread_mutex_unlock(&state->lock);
    return over;
}

static void xrootd_fetch(hq_remote_file *file, hq_request *requests, size_t count, hq_fault *fault)
{
    hq_xrootd_state *state = file->state;
    hq_xrootd_handle *handle = get_handle(file, fault);
    if (!handle)
        return;
    size_t call_count = (size_t)file->remote->settings.requests, next = 0;
    hq_call *calls = hq_calloc(call_count, sizeof *calls);
    for (;;) {
        for (size_t i = 0; i < call_count; i++) {
            while (!calls[i].request && !fault->error && next < count) {
                hq_request *request = &requests[next++];
                if (request->passed == request->piece_count)
                    continue;
                calls[i] = (hq_call){.state = state, .request = request};
                send_call(file, handle, &calls[i]);
            }
        }
        hq_call *call = wait_for_one(state, calls, call_count);
        if (!call)
            break;
        if (take_result(file, call, fault) && !fault->error)
            send_call(file, handle, call);
        else
            call->request = NULL;
    }
    free(calls);
    put_handle(file, handle, fault->error != HQ_OK);
}

typedef struct hq_names {
    char **texts;
    size_t count, capacity;
} hq_names;

static void add_name(void *context, const char *name, int is_directory)
{
    hq_names *names = context;
    if (is_directory)
        return;
    HQ_GROW(names->texts, names->count, names->capacity);
    names->texts[names->count++] = hq_strdup(name);
}

void xrootd_list(hq_remote *remote, const char *url, char ***names_r, size_t *count_r, hq_fault *fault)
{
    const hq_xrootd_api *api = xrootd_load(remote, fault);
    if (!api)
        return;
    hq_names names = {0};
    xrootd_status status;
    atomic_fetch_add(&remote->requests, 1);
    api->list(url, timeout_s(remote), add_name, &names, &status);
    if (status.status)
        judge(&status, fault);
    *names_r = names.texts;
    *count_r = names.count;
}

const hq_protocol xrootd_protocol = {
    .limits = {.takes_pieces = true, .piece_bytes = PIECE_BYTES, .piece_count = VECTOR_PIECES, .bytes = REQUEST_BYTES},
    .open = xrootd_open,
    .close = xrootd_close,
    .fetch = xrootd_fetch,
};
