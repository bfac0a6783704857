/* Files of http and https servers, read by ranges (RFC 9110, section 14), with libcurl. */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/source_remote.h"

/* One request on its way. */
typedef struct hq_transfer {
    CURL *easy;
    hq_remote_file *file;
    hq_request *request; /* NULL: free */
    hq_fault *fault;     /* of the whole fetch */
    bool is_opening;     /* what the file is stands in the answer, and is not compared with it */
    bool is_checked;     /* the answer's head was looked at, and is right */
    bool is_faulty;      /* has set the fault */
    bool at_place;       /* was sent to where an earlier redirection led */
    size_t expected;     /* bytes of the range that the server says it sends */
    size_t received;
    int64_t heard_ms; /* when the server last said something */
} hq_transfer;

/* The connections of one reader, kept for the next one. */
typedef struct hq_http_session {
    struct hq_http_session *next;
    CURLM *multi;
    hq_transfer *transfers;
    size_t count;
} hq_http_session;

typedef struct hq_http_state {
    char *place; /* where redirections led; NULL: nowhere yet. Under the file's lock. */
} hq_http_state;

enum { RECEIVE_BYTES = 256 << 10 };

static void session_free(hq_http_session **session_p)
{
    hq_http_session *session = *session_p;
    for (size_t i = 0; i < session->count; i++)
        curl_easy_cleanup(session->transfers[i].easy);
    curl_multi_cleanup(session->multi);
    free(session->transfers);
    free(session);
    *session_p = NULL;
    curl_global_cleanup();
}

void http_sessions_free(hq_remote *remote)
{
    while (remote->sessions) {
        hq_http_session *session = remote->sessions;
        remote->sessions = session->next;
        session_free(&session);
    }
}

static hq_http_session *session_take(hq_remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    hq_http_session *session = remote->sessions;
    if (session)
        remote->sessions = session->next;
    pthread_mutex_unlock(&remote->lock);
    if (session)
        return session;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these */
    session = hq_calloc(1, sizeof *session);
    session->count = (size_t)remote->settings.requests;
    session->transfers = hq_calloc(session->count, sizeof *session->transfers);
    session->multi = curl_multi_init();
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)session->count);
    return session;
}

static void session_give(hq_remote *remote, hq_http_session *session)
{
    pthread_mutex_lock(&remote->lock);
    session->next = remote->sessions;
    remote->sessions = session;
    pthread_mutex_unlock(&remote->lock);
}

/* A fault that will not pass counts more than one that may; else the first one counts. */
static void set_fault(hq_transfer *transfer, const hq_fault *fault)
{
    hq_fault *all = transfer->fault;
    if (!all->error || (all->may_pass && !fault->may_pass)) {
        int64_t wait_ms = all->wait_ms;
        *all = *fault;
        all->wait_ms = wait_ms;
    }
    all->wait_ms = fault->wait_ms > all->wait_ms ? fault->wait_ms : all->wait_ms;
    transfer->is_faulty = true;
}

/* What a server says once does not bind it if it was not asked at its own address: a place that a redirection led to
 * may have been meant for a while only. */
static void fail_at(hq_transfer *transfer, hq_fault *fault)
{
    if (transfer->at_place && fault->error != HQ_EMISMATCH) {
        hq_http_state *state = transfer->file->state;
        pthread_mutex_lock(&transfer->file->lock);
        free(state->place);
        state->place = NULL;
        pthread_mutex_unlock(&transfer->file->lock);
        fault->may_pass = true;
    }
    set_fault(transfer, fault);
}

static const char *header(hq_transfer *transfer, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

/* Digits, and the character that must follow them. */
static bool parse_number(const char **text_p, char end, uint64_t *number_r)
{
    const char *text = *text_p;
    uint64_t number = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *text - '0', &number))
            return false;
    if (*text != end)
        return false;
    *text_p = end ? text + 1 : text;
    *number_r = number;
    return true;
}

typedef struct hq_range {
    uint64_t first, last, total;
} hq_range;

/* "bytes 0-99/1000" */
static bool parse_content_range(const char *text, hq_range *range_r)
{
    if (!text || strncmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return parse_number(&text, '-', &range_r->first) && parse_number(&text, '/', &range_r->last) &&
           parse_number(&text, 0, &range_r->total) && range_r->first <= range_r->last && range_r->last < range_r->total;
}

static void take_version(hq_transfer *transfer, uint64_t size)
{
    hq_version *version = &transfer->file->version;
    const char *tag = header(transfer, "ETag");
    curl_off_t modified = -1;
    curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &modified);
    free(version->tag);
    *version = (hq_version){.size = size,
                            .modified_ns = modified > 0 ? (int64_t)modified * 1000000000 : 0,
                            .tag = tag ? hq_strdup(tag) : NULL};
}

static bool is_same_version(hq_transfer *transfer, uint64_t size)
{
    const hq_version *version = &transfer->file->version;
    const char *tag = header(transfer, "ETag");
    curl_off_t modified = -1;
    curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &modified);
    if (size != version->size)
        return false;
    if (tag && version->tag)
        return strcmp(tag, version->tag) == 0;
    return modified <= 0 || !version->modified_ns || (int64_t)modified * 1000000000 == version->modified_ns;
}

static const char changed[] = "the file has changed on its server since it was opened";

/* The answer to a status other than 206. */
static void judge_status(hq_transfer *transfer, long status, hq_fault *fault)
{
    curl_off_t wait_s = 0;
    switch (status) {
    case 200:
        fault_set(fault, HQ_EUNSUPPORTED, false,
                  "the server sends whole files only, no ranges of them; copy the file to a disk that hq can read");
        return;
    case 401:
    case 403:
    case 407:
        fault_set(fault, HQ_EIO, false, "no permission to read it (HTTP status %ld)", status);
        return;
    case 404:
    case 410:
        fault_set(fault, HQ_ENOTFOUND, false, "no such file on the server (HTTP status %ld)", status);
        return;
    case 412:
    case 416:
        if (transfer->is_opening)
            fault_set(fault, HQ_EUNSUPPORTED, false, "the server refuses to send ranges (HTTP status %ld)", status);
        else
            fault_set(fault, HQ_EMISMATCH, false, "%s: its server has no such range any more (HTTP status %ld)",
                      changed, status);
        return;
    default:
        break;
    }
    bool may_pass = status == 408 || status == 425 || status == 429 ||
                    (status >= 500 && status != 501 && status != 505 && status != 511);
    fault_set(fault, may_pass ? HQ_EUNAVAILABLE : HQ_EIO, may_pass, "the server answers with HTTP status %ld%s", status,
              status == 429 ? " (too many requests)" : "");
    if (may_pass && curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &wait_s) == CURLE_OK && wait_s > 0)
        fault->wait_ms = wait_s < INT64_MAX / 1000 ? wait_s * 1000 : INT64_MAX;
}

/* Of an empty file no range can be sent: servers answer so or so. */
static bool is_empty_file(hq_transfer *transfer, long status)
{
    const char *range = header(transfer, "Content-Range"), *length = header(transfer, "Content-Length");
    return transfer->is_opening && ((status == 416 && range && strcmp(range, "bytes */0") == 0) ||
                                    (status == 200 && length && strcmp(length, "0") == 0));
}

/* The head of an answer: is it what was asked for? */
static bool check_answer(hq_transfer *transfer)
{
    hq_fault fault = {0};
    hq_request *request = transfer->request;
    hq_range range;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    const char *coding = header(transfer, "Content-Encoding");
    uint64_t first = request->offset + request->done, missing = request->size - request->done;
    if (is_empty_file(transfer, status)) {
        take_version(transfer, 0);
        request->size = transfer->expected = 0;
    } else if (status != 206) {
        judge_status(transfer, status, &fault);
    } else if (!parse_content_range(header(transfer, "Content-Range"), &range)) {
        fault_set(&fault, HQ_EUNSUPPORTED, false,
                  "the server does not tell the place of the bytes it sends, or the "
                  "size of the file (Content-Range)");
    } else if (coding && strcmp(coding, "identity") != 0) {
        fault_set(&fault, HQ_EUNSUPPORTED, false, "the server sends it compressed (Content-Encoding %.40s)", coding);
    } else if (range.first != first || range.last - range.first >= missing) {
        fault_set(&fault, HQ_EPROTOCOL, false,
                  "the server answers with bytes %" PRIu64 " to %" PRIu64 ", but %" PRIu64 " to %" PRIu64
                  " were asked for",
                  range.first, range.last, first, first + missing - 1);
    } else {
        if (transfer->is_opening) {
            take_version(transfer, range.total);
            request->size = range.total < request->size ? (size_t)range.total : request->size;
        } else if (!is_same_version(transfer, range.total)) {
            fault_set(&fault, HQ_EMISMATCH, false, "%s", changed);
        }
        transfer->expected = (size_t)(range.last - range.first) + 1;
    }
    transfer->is_checked = !fault.error;
    if (fault.error)
        fail_at(transfer, &fault);
    return transfer->is_checked;
}

static size_t take_header(char *bytes, size_t one, size_t size, void *context)
{
    (void)bytes;
    ((hq_transfer *)context)->heard_ms = hq_now_ms();
    return one * size;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
    hq_transfer *transfer = context;
    size *= one;
    transfer->heard_ms = hq_now_ms();
    if (!transfer->is_checked && !check_answer(transfer))
        return CURL_WRITEFUNC_ERROR;
    atomic_fetch_add(&transfer->file->remote->bytes, size);
    if (size > transfer->expected - transfer->received) {
        hq_fault fault = {0};
        fault_set(&fault, HQ_EPROTOCOL, false, "the server sends more than the %zu bytes that it announced",
                  transfer->expected);
        fail_at(transfer, &fault);
        return CURL_WRITEFUNC_ERROR;
    }
    transfer->received += size;
    request_take(transfer->request, (const uint8_t *)bytes, size);
    return size;
}

/* Of the system's file and its folder, which libcurl trusts unless told otherwise, none is left. */
static void trust(CURL *easy, const char *ca)
{
    struct stat status;
    if (!ca)
        return;
    bool is_folder = stat(ca, &status) == 0 && S_ISDIR(status.st_mode);
    curl_easy_setopt(easy, CURLOPT_CAINFO, is_folder ? NULL : ca);
    curl_easy_setopt(easy, CURLOPT_CAPATH, is_folder ? ca : NULL);
}

/* What stays the same for all requests. */
static CURL *make_easy(const hq_remote *remote)
{
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REMOTE_REDIRECTS);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hq/" HQ_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    trust(easy, remote->settings.ca);
    curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)remote->settings.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    return easy;
}

static void start(hq_http_session *session, hq_transfer *transfer, hq_remote_file *file, hq_request *request,
                  bool is_opening, hq_fault *fault)
{
    CURL *easy = transfer->easy ? transfer->easy : make_easy(file->remote);
    *transfer = (hq_transfer){.easy = easy,
                              .file = file,
                              .request = request,
                              .fault = fault,
                              .is_opening = is_opening,
                              .heard_ms = hq_now_ms()};
    char range[48];
    snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, request->offset + request->done,
             request->offset + request->size - 1);
    hq_http_state *state = file->state;
    pthread_mutex_lock(&file->lock);
    transfer->at_place = state && state->place;
    curl_easy_setopt(easy, CURLOPT_URL, transfer->at_place ? state->place : file->url);
    pthread_mutex_unlock(&file->lock);
    curl_easy_setopt(easy, CURLOPT_RANGE, range);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_multi_add_handle(session->multi, easy);
    atomic_fetch_add(&file->remote->requests, 1);
}

static bool may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_AGAIN:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_NO_CONNECTION_AVAILABLE:
        return true;
    default:
        return false;
    }
}

/* A transfer that ended, well or not. */
static void finish(hq_transfer *transfer, CURLcode code)
{
    hq_request *request = transfer->request;
    hq_fault fault = {0};
    if (transfer->is_faulty)
        return;
    if (code == CURLE_OK && !transfer->is_checked && !check_answer(transfer)) /* no body */
        return;
    if (code == CURLE_OK && request->done < request->size)
        fault_set(&fault, HQ_EUNAVAILABLE, true, "the server sent only %zu of %zu bytes", request->done, request->size);
    else if (code == CURLE_TOO_MANY_REDIRECTS)
        fault_set(&fault, HQ_EIO, false, "more than %d redirections", (int)REMOTE_REDIRECTS);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        fault_set(&fault, HQ_ETIMEOUT, true, "no connection within %" PRId64 " ms",
                  transfer->file->remote->settings.timeout_ms);
    else if (code != CURLE_OK)
        fault_set(&fault, may_pass(code) ? HQ_EUNAVAILABLE : HQ_EIO, may_pass(code), "%s", curl_easy_strerror(code));
    if (fault.error)
        fail_at(transfer, &fault);
}

static void finish_all_ended(hq_http_session *session)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(session->multi, &left));) {
        hq_transfer *transfer;
        if (message->msg != CURLMSG_DONE || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) != 0)
            continue;
        CURLcode code = message->data.result;
        finish(transfer, code);
        curl_multi_remove_handle(session->multi, transfer->easy);
        transfer->request = NULL;
    }
}

static void stop(hq_http_session *session, hq_transfer *transfer)
{
    curl_multi_remove_handle(session->multi, transfer->easy);
    transfer->request = NULL;
}

/* Ends those that have been silent for too long; gives how long until the next one might be. */
static int64_t stop_silent(hq_http_session *session, int64_t timeout_ms)
{
    int64_t now_ms = hq_now_ms(), next_ms = timeout_ms;
    for (size_t i = 0; i < session->count; i++) {
        hq_transfer *transfer = &session->transfers[i];
        if (!transfer->request)
            continue;
        int64_t left_ms = transfer->heard_ms + timeout_ms - now_ms;
        if (left_ms <= 0) {
            hq_fault fault = {0};
            fault_set(&fault, HQ_ETIMEOUT, true, "not a byte from the server within %" PRId64 " ms", timeout_ms);
            fail_at(transfer, &fault);
            stop(session, transfer);
            next_ms = 0; /* there is room for another one, or nothing to wait for */
        } else if (left_ms < next_ms) {
            next_ms = left_ms;
        }
    }
    return next_ms;
}

/* Begins as many of the requests that are left as may be; gives how many are under way. */
static size_t start_some(hq_http_session *session, hq_remote_file *file, hq_request *requests, size_t count,
                         size_t *next_p, bool is_opening, hq_fault *fault)
{
    size_t under_way = 0;
    for (size_t i = 0; i < session->count; i++) {
        hq_transfer *transfer = &session->transfers[i];
        while (!transfer->request && !fault->error && *next_p < count) {
            hq_request *request = &requests[(*next_p)++];
            if (request->done < request->size)
                start(session, transfer, file, request, is_opening, fault);
        }
        under_way += transfer->request != NULL;
    }
    return under_way;
}

/* Sends the requests; the transfer that is to stay for a look at what it found is the first. */
static void send_all(hq_http_session *session, hq_remote_file *file, hq_request *requests, size_t count,
                     bool is_opening, hq_fault *fault)
{
    size_t next = 0;
    while (start_some(session, file, requests, count, &next, is_opening, fault)) {
        int running;
        CURLMcode code = curl_multi_perform(session->multi, &running);
        finish_all_ended(session);
        int64_t wait_ms = stop_silent(session, file->remote->settings.timeout_ms);
        if (code == CURLM_OK && running > 0 && !(fault->error && !fault->may_pass))
            code = curl_multi_poll(session->multi, NULL, 0, (int)wait_ms, NULL);
        if (code != CURLM_OK && !fault->error)
            fault_set(fault, HQ_EIO, false, "%s", curl_multi_strerror(code));
        if (fault->error && !fault->may_pass)
            for (size_t i = 0; i < session->count; i++)
                if (session->transfers[i].request)
                    stop(session, &session->transfers[i]);
    }
}

static void http_fetch(hq_remote_file *file, hq_request *requests, size_t count, hq_fault *fault)
{
    hq_http_session *session = session_take(file->remote);
    send_all(session, file, requests, count, false, fault);
    session_give(file->remote, session);
}

/* Two URLs with the same host and port. */
static bool is_same_server(const char *one, const char *other)
{
    const char *urls[2] = {one, other};
    char *hosts[2] = {NULL, NULL}, *ports[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        CURLU *url = curl_url();
        if (curl_url_set(url, CURLUPART_URL, urls[i], 0) == CURLUE_OK) {
            curl_url_get(url, CURLUPART_HOST, &hosts[i], 0);
            curl_url_get(url, CURLUPART_PORT, &ports[i], CURLU_DEFAULT_PORT);
        }
        curl_url_cleanup(url);
    }
    bool is_same = hosts[0] && hosts[1] && ports[0] && ports[1] && strcasecmp(hosts[0], hosts[1]) == 0 &&
                   strcmp(ports[0], ports[1]) == 0;
    for (int i = 0; i < 2; i++) {
        curl_free(hosts[i]);
        curl_free(ports[i]);
    }
    return is_same;
}

/* The first block is asked for, and with it comes what the file is. */
static void http_open(hq_remote_file *file, hq_fault *fault)
{
    hq_http_session *session = session_take(file->remote);
    hq_piece piece = {.size = REMOTE_BLOCK, .to = hq_alloc(REMOTE_BLOCK)};
    hq_request request = {.pieces = &piece, .piece_count = 1, .size = REMOTE_BLOCK};
    send_all(session, file, &request, 1, true, fault);
    const char *place = NULL;
    long redirections = 0;
    if (!fault->error) {
        hq_http_state *state = hq_calloc(1, sizeof *state);
        curl_easy_getinfo(session->transfers[0].easy, CURLINFO_REDIRECT_COUNT, &redirections);
        curl_easy_getinfo(session->transfers[0].easy, CURLINFO_EFFECTIVE_URL, &place);
        if (redirections > 0 && place) {
            state->place = hq_strdup(place);
            file->version.is_replica = !is_same_server(file->url, place);
        }
        file->state = state;
        remote_file_keep(file, 0, piece.to, request.size);
    } else {
        free(piece.to);
    }
    session_give(file->remote, session);
}

static void http_close(hq_remote_file *file)
{
    hq_http_state *state = file->state;
    free(state->place);
    free(state);
    file->state = NULL;
}

const hq_protocol http_protocol = {
    .limits = {.piece_bytes = 8 << 20, .piece_count = SIZE_MAX, .bytes = 8 << 20, .gap = 64 << 10},
    .open = http_open,
    .close = http_close,
    .fetch = http_fetch,
};
