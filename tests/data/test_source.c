/* Where bytes come from: files, memory, servers of http that behave in every way, and XRootD's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/fileplan.h"
#include "data/remote.h"
#include "data/shelf.h"
#include "data/source.h"
#include "data/source_remote.h"
#include "data/tree.h"

enum { BIG = 5000000, TIMEOUT_MS = 4000, SHORT_MS = 1500, QUICK_MS = 5 };

static const char *const samples[] = {"uproot-HZZ.root", "uproot-Zmumu-zlib.root"};
static const char ntuple_sample[] = "nano_dy_rntuple.root";

/* What all tests share: the servers, the bytes of one large file, and the way to remote files. */
typedef struct fixture {
    FILE *say, *hear; /* file_servers.py */
    pid_t pid;
    int port, other_port, xrootd_port; /* 0: there is no xrootd */
    char *xrootd_folder, *folder;
    uint8_t *big;
    hq_remote *remote; /* waits long, as a busy machine asks for */
    hq_remote *brisk;  /* for servers that are silent now and then; a good one on a busy machine must not seem so */
    hq_remote *hasty;  /* for servers that say nothing */
} fixture;

static const hq_remote_settings patient_settings = {
    .requests = 4, .timeout_ms = 60000, .attempts = 4, .backoff_ms = QUICK_MS};
static const hq_remote_settings brisk_settings = {
    .requests = 4, .timeout_ms = TIMEOUT_MS, .attempts = 5, .backoff_ms = QUICK_MS};
static const hq_remote_settings hasty_settings = {
    .requests = 4, .timeout_ms = SHORT_MS, .attempts = 3, .backoff_ms = QUICK_MS};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void ask(fixture *f, const char *command, char answer_r[1024])
{
    if (command) {
        fprintf(f->say, "%s\n", command);
        fflush(f->say);
    }
    assert_non_null(fgets(answer_r, 1024, f->hear));
}

static void start_servers(fixture *f)
{
    int to[2], from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    char *script = hq_format("%s/tests/data/file_servers.py", getenv("HQ_SOURCE"));
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execlp("python3", "python3", script, f->folder, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    free(script);
    f->say = fdopen(to[1], "w");
    f->hear = fdopen(from[0], "r");
    char answer[1024];
    ask(f, NULL, answer);
    assert_int_equal(sscanf(answer, "ready %d %d", &f->port, &f->other_port), 2);
}

static int set_up(void **state)
{
    fixture *f = *state = hq_calloc(1, sizeof *f);
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    f->folder = hq_format("%s/served", here);
    mkdir(f->folder, 0777);
    f->big = hq_alloc(BIG);
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < BIG; i++)
        f->big[i] = (uint8_t)next_random(&random);
    char *path = hq_format("%s/big", f->folder);
    write_file(path, f->big, BIG);
    free(path);
    path = hq_format("%s/empty", f->folder);
    write_file(path, "", 0);
    free(path);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char *command = hq_format("cp '%s/%s' '%s/'", getenv("HQ_SAMPLES"), samples[i], f->folder);
        assert_int_equal(system(command), 0);
        free(command);
    }
    char *command = hq_format("cp '%s/../coffea/%s' '%s/'", getenv("HQ_SAMPLES"), ntuple_sample, f->folder);
    assert_int_equal(system(command), 0);
    free(command);
    start_servers(f);
    char answer[1024], folder[1000];
    ask(f, "xrootd", answer);
    if (sscanf(answer, "ok %d %999[^\n]", &f->xrootd_port, folder) == 2)
        f->xrootd_folder = hq_strdup(folder);
    else
        fputs(answer, stderr);
    f->remote = remote_new(&patient_settings);
    f->brisk = remote_new(&brisk_settings);
    f->hasty = remote_new(&hasty_settings);
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    remote_free(&f->remote);
    remote_free(&f->brisk);
    remote_free(&f->hasty);
    fclose(f->say);
    fclose(f->hear);
    int status;
    waitpid(f->pid, &status, 0);
    free(f->xrootd_folder);
    free(f->folder);
    free(f->big);
    free(f);
    return status;
}

static char *http_url(const fixture *f, const char *mode, const char *name)
{
    return hq_format("http://127.0.0.1:%d/%s/%s", f->port, mode, name);
}

static void open_or_fail(hq_remote *remote, const char *name, hq_source *source_r)
{
    hq_reason reason = {""};
    if (source_open(remote, name, source_r, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
}

/* Stretches of all sizes, in no order, some of them overlapping. */
static size_t make_stretches(uint64_t seed, uint8_t *to, size_t room, hq_stretch *stretches, size_t most)
{
    uint64_t random = seed * 2654435761u + 1;
    size_t count = 0, used = 0;
    while (count < most) {
        unsigned kind = next_random(&random) % 8;
        size_t size = next_random(&random) % (kind == 0 ? 1500000 : kind < 3 ? 100000 : 3000);
        uint64_t offset = kind == 7 && count ? stretches[count - 1].offset + 1 : next_random(&random) % BIG;
        if (size > BIG - offset)
            size = (size_t)(BIG - offset);
        if (size > room - used)
            break;
        stretches[count++] = (hq_stretch){offset, size, to + used};
        used += size;
    }
    return count;
}

static void assert_stretches(const fixture *f, const hq_stretch *stretches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(stretches[i].bytes_r, f->big + stretches[i].offset, stretches[i].size) != 0)
            fail_msg("stretch %zu of %zu, offset %zu, size %zu, has other bytes", i, count, (size_t)stretches[i].offset,
                     stretches[i].size);
}

static void assert_vector_reads(const fixture *f, const hq_source *source, uint64_t seed)
{
    enum { ROOM = 6000000, MOST = 400 };
    hq_stretch stretches[MOST];
    uint8_t *to = hq_calloc(1, ROOM);
    size_t count = make_stretches(seed, to, ROOM, stretches, MOST);
    hq_reason reason = {""};
    if (source_read_vector(source, stretches, count, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    assert_stretches(f, stretches, count);
    free(to);
}

static void assert_reads(const fixture *f, const hq_source *source)
{
    hq_reason reason = {""};
    uint8_t small[100];
    assert_int_equal(source->size, BIG);
    static const uint64_t offsets[] = {0, 65536 - 50, 65536 * 3 - 1, 1234567, BIG - 100};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        if (source_read(source, offsets[i], sizeof small, small, &reason) != HQ_OK)
            fail_msg("%s", reason.text);
        assert_memory_equal(small, f->big + offsets[i], sizeof small);
    }
    for (uint64_t seed = 1; seed < 4; seed++)
        assert_vector_reads(f, source, seed);
    assert_int_equal(source_read_vector(source, NULL, 0, &reason), HQ_OK);
    assert_int_equal(source_read(source, BIG, 0, NULL, &reason), HQ_OK);
    assert_int_equal(source_read(source, BIG - 99, 100, small, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "the file ends at 5000000"));
    assert_int_equal(source_read(source, UINT64_MAX, 2, small, &reason), HQ_EFORMAT);
}

/* ---- files and memory ---- */

static void a_file_and_memory_are_read_in_many_places(void **state)
{
    fixture *f = *state;
    hq_source source;
    char *path = hq_format("%s/big", f->folder);
    open_or_fail(f->remote, path, &source);
    assert_false(source_is_remote(&source));
    assert_reads(f, &source);
    source_close(&source);
    free(path);
    source_open_memory("memory", f->big, BIG, &source);
    assert_reads(f, &source);
    source_close(&source);
}

/* ---- requests ---- */

/* Whatever the limits, and however the bytes come, each stretch gets its own, and no request is more than it may be. */
static void requests_keep_their_limits_and_lose_no_byte(void **state)
{
    enum { ROOM = 6000000, MOST = 300 };
    fixture *f = *state;
    static const hq_request_limits cases[] = {
        {.piece_bytes = SIZE_MAX, .piece_count = SIZE_MAX, .bytes = SIZE_MAX, .gap = SIZE_MAX},
        {.piece_bytes = 1000, .piece_count = SIZE_MAX, .bytes = 1000, .gap = 0},
        {.piece_bytes = 70000, .piece_count = 3, .bytes = 200000, .gap = 5000},
        {.takes_pieces = true, .piece_bytes = 4096, .piece_count = 16, .bytes = 50000},
    };
    uint8_t *to = hq_alloc(ROOM);
    hq_stretch stretches[MOST];
    uint64_t random = 7;
    for (size_t round = 0; round < 40; round++) {
        const hq_request_limits *limits = &cases[round % 4];
        memset(to, 0, ROOM);
        size_t count = make_stretches(round, to, ROOM, stretches, 1 + round * 7 % MOST);
        hq_requests requests;
        requests_plan(limits, stretches, count, &requests);
        for (size_t i = 0; i < requests.count; i++) {
            hq_request *request = &requests.requests[i];
            assert_true(request->piece_count <= limits->piece_count && request->size <= limits->bytes);
            assert_true(request->size > 0);
            if (limits->takes_pieces) {
                for (size_t j = 0; j < request->piece_count; j++)
                    memcpy(request->pieces[j].to, f->big + request->pieces[j].offset, request->pieces[j].size);
                continue;
            }
            while (request->done < request->size) {
                size_t size = next_random(&random) % 20000 + 1, left = request->size - request->done;
                size = size < left ? size : left;
                request_take(request, f->big + request->offset + request->done, size);
            }
            assert_int_equal(request->passed, request->piece_count);
        }
        requests_clear(&requests);
        assert_stretches(f, stretches, count);
    }
    free(to);
}

/* ---- http ---- */

static void assert_http_reads(fixture *f, hq_remote *remote, const char *mode)
{
    char *url = http_url(f, mode, "big");
    hq_source source;
    open_or_fail(remote, url, &source);
    assert_true(source_is_remote(&source));
    assert_string_equal(source.name, url);
    assert_reads(f, &source);
    source_close(&source);
    free(url);
}

static void a_server_is_read_by_ranges(void **state)
{
    fixture *f = *state;
    assert_http_reads(f, f->remote, "good");
    assert_http_reads(f, f->remote, "plain");
}

/* Each of these modes fails in its own way at first. */
static void what_may_pass_is_tried_again(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"busy", "reset", "dropped", "cut", "lessrange", "toomany", "hang"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        hq_remote *remote = strcmp(modes[i], "hang") == 0 ? f->brisk : f->remote;
        hq_remote_counts before = remote_counts(remote);
        assert_http_reads(f, remote, modes[i]);
        hq_remote_counts after = remote_counts(remote);
        assert_true(after.retries > before.retries);
        assert_int_equal(after.failures, before.failures);
    }
}

static void only_what_is_missing_is_asked_for_again(void **state)
{
    fixture *f = *state;
    char *url = http_url(f, "cut", "big");
    hq_source source;
    hq_reason reason;
    open_or_fail(f->remote, url, &source);
    hq_remote_counts before = remote_counts(f->remote);
    uint8_t *to = hq_alloc(4000000);
    assert_int_equal(source_read(&source, 1000000, 4000000, to, &reason), HQ_OK);
    assert_memory_equal(to, f->big + 1000000, 4000000);
    hq_remote_counts after = remote_counts(f->remote);
    assert_true(after.retries > before.retries);
    assert_int_equal(after.bytes - before.bytes, 4000000);
    assert_int_equal(after.wanted - before.wanted, 4000000);
    free(to);
    source_close(&source);
    free(url);
}

static void slow_is_not_silent(void **state)
{
    fixture *f = *state;
    char *url = http_url(f, "drip", "big");
    hq_source source;
    hq_reason reason;
    open_or_fail(f->brisk, url, &source);
    hq_remote_counts before = remote_counts(f->brisk);
    uint8_t *to = hq_alloc(100000);
    int64_t begin_ms = hq_now_ms();
    assert_int_equal(source_read(&source, 200000, 100000, to, &reason), HQ_OK);
    assert_true(hq_now_ms() - begin_ms > TIMEOUT_MS);
    assert_memory_equal(to, f->big + 200000, 100000);
    assert_int_equal(remote_counts(f->brisk).retries, before.retries);
    free(to);
    source_close(&source);
    free(url);
}

static void assert_open_fails(fixture *f, hq_remote *remote, const char *mode, hq_error expected, const char *text,
                              unsigned requests)
{
    char *url = strstr(mode, "://") ? hq_strdup(mode) : http_url(f, mode, "big");
    hq_source source;
    hq_reason reason = {""};
    hq_remote_counts before = remote_counts(remote);
    hq_error error = source_open(remote, url, &source, &reason);
    if (error != expected || !strstr(reason.text, text))
        fail_msg("%s: %s \"%s\"", url, hq_error_name(error), reason.text);
    hq_remote_counts after = remote_counts(remote);
    assert_int_equal(after.requests - before.requests, requests);
    free(url);
}

static void what_will_not_pass_fails_at_once_and_clearly(void **state)
{
    fixture *f = *state;
    assert_open_fails(f, f->remote, "missing", HQ_ENOTFOUND, "no such file on the server (HTTP status 404)", 1);
    assert_open_fails(f, f->remote, "forbidden", HQ_EIO, "no permission", 1);
    assert_open_fails(f, f->remote, "teapot", HQ_EIO, "HTTP status 418", 1);
    assert_open_fails(f, f->remote, "noranges", HQ_EUNSUPPORTED, "whole files only", 1);
    assert_open_fails(f, f->remote, "nosize", HQ_EUNSUPPORTED, "Content-Range", 1);
    assert_open_fails(f, f->remote, "gzip", HQ_EUNSUPPORTED, "Content-Encoding gzip", 1);
    assert_open_fails(f, f->remote, "loop", HQ_EIO, "more than 8 redirections", 1);
    assert_open_fails(f, f->remote, "elsewhere", HQ_EIO, "rotocol", 1);
    assert_open_fails(f, f->hasty, "silent", HQ_ETIMEOUT, "(3 attempts)", 3);
    assert_open_fails(f, f->remote, "http://127.0.0.1:1/x", HQ_EUNAVAILABLE, "(4 attempts)", 4);
}

/* The file opens, then: */
static void assert_read_fails(fixture *f, const char *mode, hq_error expected, const char *text)
{
    enum { ROOM = 6000000, MOST = 400 };
    char *url = http_url(f, mode, "big");
    hq_source source;
    hq_reason reason = {""};
    open_or_fail(f->remote, url, &source);
    hq_stretch stretches[MOST];
    uint8_t *to = hq_alloc(ROOM);
    size_t count = make_stretches(5, to, ROOM, stretches, MOST);
    hq_remote_counts before = remote_counts(f->remote);
    hq_error error = source_read_vector(&source, stretches, count, &reason);
    if (error != expected || !strstr(reason.text, text) || !strstr(reason.text, url))
        fail_msg("%s: %s \"%s\"", url, hq_error_name(error), reason.text);
    assert_int_equal(remote_counts(f->remote).failures, before.failures + 1);
    source_close(&source);
    free(to);
    free(url);
}

static void a_file_must_stay_what_it_was(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"tag", "modified", "grown", "shrunk"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        assert_read_fails(f, modes[i], HQ_EMISMATCH, "the file has changed on its server since it was opened");
}

static void wrong_answers_are_refused(void **state)
{
    fixture *f = *state;
    assert_read_fails(f, "shifted", HQ_EPROTOCOL, "were asked for");
    assert_read_fails(f, "longer", HQ_EPROTOCOL, "more than the");
    assert_read_fails(f, "down", HQ_EUNAVAILABLE, "HTTP status 500 (4 attempts)");
    assert_read_fails(f, "later", HQ_EUNAVAILABLE, "not to be tried again for 86400 s");
}

static void an_empty_file_is_no_root_file(void **state)
{
    fixture *f = *state;
    hq_file *file = NULL;
    hq_reason reason = {""};
    char *url = http_url(f, "noranges", "empty");
    assert_int_equal(rootfile_open_through(f->remote, url, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "it is empty"));
    free(url);
    url = http_url(f, "good", "big");
    assert_int_equal(rootfile_open_through(f->remote, url, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "does not begin with"));
    assert_null(file);
    free(url);
}

static void redirections_are_followed_and_remembered(void **state)
{
    fixture *f = *state;
    char *url = http_url(f, "there", "big"), answer[1024];
    hq_source source;
    open_or_fail(f->remote, url, &source);
    assert_reads(f, &source);
    assert_null(source.version); /* another server's: not the same for all who ask */
    assert_int_equal(source.modified_ns, 0);
    source_close(&source);
    ask(f, "seen /there/big", answer);
    assert_int_equal(atoi(answer), 1); /* later reads went where the first was sent */
    free(url);
    assert_http_reads(f, f->remote, "moving"); /* and back, when that place was closed */
    ask(f, "seen /moving/big", answer);
    assert_true(atoi(answer) > 1);
}

static void an_identity_follows_the_servers_tag(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"good", "good", "plain", "tag"};
    hq_hash identities[4];
    for (size_t i = 0; i < 4; i++) {
        char *url = http_url(f, modes[i], samples[0]);
        hq_file *file = NULL;
        assert_int_equal(rootfile_open_through(f->remote, url, &file, NULL), HQ_OK);
        identities[i] = rootfile_identity(file);
        rootfile_close(&file);
        free(url);
    }
    assert_memory_equal(&identities[0], &identities[1], sizeof *identities);
    assert_memory_not_equal(&identities[0], &identities[2], sizeof *identities);
    assert_memory_equal(&identities[0], &identities[3], sizeof *identities);
}

/* ---- plans of servers' files ---- */

static void find_records(void *context, const hq_hash *keys, size_t count, hq_shelf_take *take, void *taker)
{
    const hq_shelf *kept = context;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < kept->record_count; j++)
            if (memcmp(&keys[i], &kept->records[j].key, sizeof *keys) == 0)
                take(taker, &kept->records[j]);
}

/* Plans one file with what is kept; gives the data set's identity, and how many requests it took. */
static hq_hash plan_at_server(fixture *f, const char *spec, hq_shelf *shelf, uint64_t *requests_r)
{
    hq_dataset *dataset = NULL;
    hq_reason reason = {""};
    hq_remote_counts before = remote_counts(f->remote);
    if (dataset_plan_through(f->remote, &spec, 1, 100, false, shelf, &dataset, &reason))
        fail_msg("%s", reason.text);
    *requests_r = remote_counts(f->remote).requests - before.requests;
    hq_hash identity = dataset_identity(dataset);
    dataset_free(&dataset);
    return identity;
}

/* The second time the first request is the only one, as long as the file stays. */
static void assert_planned_once(fixture *f, const char *spec, uint64_t fewest)
{
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t first, second;
    hq_hash one = plan_at_server(f, spec, &kept, &first), other = plan_at_server(f, spec, &again, &second);
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(kept.counts.opened, 1);
    assert_int_equal(again.counts.found, 1);
    assert_int_equal(again.counts.opened + again.counts.bad, 0);
    assert_int_equal(again.record_count, 0);
    assert_true(second == fewest && second < first);
    shelf_clear(&kept);
    shelf_clear(&again);
}

static void a_plan_that_is_known_spares_all_but_the_first_request(void **state)
{
    fixture *f = *state;
    char *url = http_url(f, "good", samples[0]), *plain = http_url(f, "plain", samples[0]);
    assert_planned_once(f, url, 1);
    assert_planned_once(f, plain, 1); /* without a tag: the UUID and the size tell */
    free(plain);
    free(url);
}

/* The record is that of the same bytes with another tag. */
static void a_servers_file_that_has_changed_is_planned_anew(void **state)
{
    fixture *f = *state;
    char *was = http_url(f, "good", samples[0]), *is = http_url(f, "plain", samples[0]);
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t requests;
    plan_at_server(f, was, &kept, &requests);
    assert_int_equal(kept.record_count, 2); /* the schema, then the plan: which is now that of the other URL */
    kept.records[1].key = fileplan_key(is, NULL);
    hq_hash identity = plan_at_server(f, is, &again, &requests), alone = plan_at_server(f, is, NULL, &requests);
    assert_memory_equal(&identity, &alone, sizeof identity);
    assert_int_equal(again.counts.found, 0);
    assert_int_equal(again.counts.opened, 1);
    assert_int_equal(again.counts.replaced, 1);
    shelf_clear(&kept);
    shelf_clear(&again);
    free(was);
    free(is);
}

/* ---- XRootD ---- */

static char *xrootd_url(const fixture *f, const char *name)
{
    if (!f->xrootd_port)
        skip();
    return hq_format("root://127.0.0.1:%d//data/%s", f->xrootd_port, name);
}

static void an_xrootd_server_is_read_by_vectors(void **state)
{
    fixture *f = *state;
    char *url = xrootd_url(f, "big");
    hq_source source;
    open_or_fail(f->remote, url, &source);
    assert_true(source.modified_ns > 0);
    hq_remote_counts before = remote_counts(f->remote);
    assert_vector_reads(f, &source, 1);
    assert_true(remote_counts(f->remote).requests - before.requests < 12);
    assert_reads(f, &source);
    source_close(&source);
    free(url);
}

static void a_plan_spares_requests_to_xrootd_too(void **state)
{
    fixture *f = *state;
    char *url = xrootd_url(f, samples[0]);
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t first, second;
    hq_hash one = plan_at_server(f, url, &kept, &first), other = plan_at_server(f, url, &again, &second);
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(again.counts.found, 1);
    assert_true(second < first);
    shelf_clear(&kept);
    shelf_clear(&again);
    free(url);
}

static void xrootd_says_what_it_lacks(void **state)
{
    fixture *f = *state;
    char *url = xrootd_url(f, "nothing.root");
    assert_open_fails(f, f->remote, url, HQ_ENOTFOUND, "no such file", 1);
    free(url);
    url = xrootd_url(f, "folder");
    assert_open_fails(f, f->remote, url, HQ_EFORMAT, "it is a directory", 1);
    free(url);
    assert_open_fails(f, f->remote, "root://127.0.0.1:1//x", HQ_EUNAVAILABLE, "(4 attempts)", 4);
}

static void a_server_that_died_and_came_back_is_read_on(void **state)
{
    fixture *f = *state;
    char *url = xrootd_url(f, "big"), answer[1024];
    hq_source source;
    open_or_fail(f->remote, url, &source);
    assert_vector_reads(f, &source, 1);
    ask(f, "kill", answer);
    ask(f, "again", answer);
    assert_non_null(strstr(answer, "ok"));
    assert_vector_reads(f, &source, 2);
    assert_vector_reads(f, &source, 3);
    ask(f, "kill", answer);
    char *path = hq_format("%s/big", f->xrootd_folder);
    assert_int_equal(utime(path, &(struct utimbuf){1000000000, 1000000000}), 0);
    ask(f, "again", answer);
    hq_reason reason = {""};
    uint8_t bytes[100000];
    assert_int_equal(source_read(&source, 0, sizeof bytes, bytes, &reason), HQ_EMISMATCH);
    assert_non_null(strstr(reason.text, "has changed on its server"));
    source_close(&source);
    free(path);
    free(url);
}

static void a_folder_is_listed(void **state)
{
    fixture *f = *state;
    char *url = xrootd_url(f, ""), **names = NULL;
    size_t count = 0;
    hq_reason reason = {""};
    if (source_list(f->remote, url, &names, &count, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    static const char *const expected[] = {"big", "empty", ntuple_sample, "uproot-HZZ.root", "uproot-Zmumu-zlib.root"};
    assert_int_equal(count, 5); /* without the folder in it */
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], expected[i]);
        free(names[i]);
    }
    free(names);
    free(url);
    assert_int_equal(source_list(f->remote, "http://h/x/", &names, &count, &reason), HQ_EUNSUPPORTED);
}

/* ---- both, with everything above them ---- */

static void assert_same_column(const hq_column *one, const hq_column *other, const char *name)
{
    assert_int_equal(one->entries, other->entries);
    assert_int_equal(one->value_count, other->value_count);
    if (memcmp(one->values, other->values, one->value_count * hq_type_size(one->type)) != 0)
        fail_msg("%s: other values", name);
    if (one->offsets)
        assert_memory_equal(one->offsets, other->offsets, (one->entries + 1) * sizeof *one->offsets);
}

static void assert_same_tree(fixture *f, const char *path, const char *url)
{
    const char *const names[2] = {path, url};
    hq_file *files[2] = {NULL, NULL};
    hq_tree *trees[2] = {NULL, NULL};
    hq_reason reason = {""};
    for (int i = 0; i < 2; i++)
        if (rootfile_open_through(f->remote, names[i], &files[i], &reason) != HQ_OK ||
            tree_open(files[i], "events", &trees[i], &reason) != HQ_OK)
            fail_msg("%s: %s", names[i], reason.text);
    const hq_schema *schema = tree_schema(trees[0]);
    assert_int_equal(schema->count, tree_schema(trees[1])->count);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *columns[2] = {NULL, NULL};
        for (int j = 0; j < 2; j++)
            if (tree_read(trees[j], schema->fields[i].name, 0, tree_entries(trees[j]), 1 << 28, &columns[j], &reason))
                fail_msg("%s", reason.text);
        assert_same_column(columns[0], columns[1], schema->fields[i].name);
        column_free(&columns[0]);
        column_free(&columns[1]);
    }
    for (int i = 0; i < 2; i++) {
        tree_close(&trees[i]);
        rootfile_close(&files[i]);
    }
}

static void columns_are_the_same_wherever_they_come_from(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"good", "busy", "reset", "lessrange", "there"};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char *path = hq_format("%s/%s", f->folder, samples[i]);
        for (size_t j = 0; j < sizeof modes / sizeof *modes; j++) {
            char *url = http_url(f, modes[j], samples[i]);
            assert_same_tree(f, path, url);
            free(url);
        }
        if (f->xrootd_port) {
            char *url = xrootd_url(f, samples[i]);
            assert_same_tree(f, path, url);
            free(url);
        }
        free(path);
    }
}

/* Both the file of this machine and the server's, whose columns are staged. How many requests were sent for the columns
 * is given back. */
static uint64_t assert_same_staged(fixture *f, const char *sample, const char *tree_name, const char *url,
                                   uint64_t first, uint64_t last)
{
    char *path = hq_format("%s/%s", f->folder, sample);
    const char *const places[2] = {path, url};
    hq_file *files[2] = {NULL, NULL};
    hq_tree *trees[2] = {NULL, NULL};
    hq_stage *stage = NULL;
    hq_reason reason = {""};
    for (int i = 0; i < 2; i++)
        if (rootfile_open_through(f->remote, places[i], &files[i], &reason) != HQ_OK ||
            tree_open(files[i], tree_name, &trees[i], &reason) != HQ_OK)
            fail_msg("%s: %s", places[i], reason.text);
    const hq_schema *schema = tree_schema(trees[0]);
    last = last ? last : tree_entries(trees[0]);
    const char **names = hq_calloc(schema->count + 1, sizeof *names);
    for (size_t i = 0; i < schema->count; i++)
        names[i] = schema->fields[i].name;
    names[schema->count] = "no such column";
    assert_int_equal(tree_stage(trees[0], names, schema->count, first, last, &stage, &reason), HQ_OK);
    assert_null(stage); /* a file of this machine has no use for it */
    uint64_t before = remote_counts(f->remote).requests;
    if (tree_stage(trees[1], names, schema->count + 1, first, last, &stage, &reason))
        fail_msg("%s", reason.text);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *columns[2] = {NULL, NULL};
        if (tree_read(trees[0], names[i], first, last, 1 << 28, &columns[0], &reason) ||
            tree_read_staged(trees[1], stage, names[i], first, last, 1 << 28, &columns[1], &reason))
            fail_msg("%s", reason.text);
        assert_same_column(columns[0], columns[1], names[i]);
        column_free(&columns[0]);
        column_free(&columns[1]);
    }
    uint64_t requests = remote_counts(f->remote).requests - before;
    stage_free(&stage);
    assert_null(stage);
    for (int i = 0; i < 2; i++) {
        tree_close(&trees[i]);
        rootfile_close(&files[i]);
    }
    free(names);
    free(path);
    return requests;
}

static void several_columns_come_in_one_journey(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"good", "reset"};
    for (size_t j = 0; j < sizeof modes / sizeof *modes; j++)
        for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
            char *url = http_url(f, modes[j], samples[i]);
            uint64_t whole = assert_same_staged(f, samples[i], "events", url, 0, 0);
            uint64_t part = assert_same_staged(f, samples[i], "events", url, 100, 1100);
            if (j == 0) { /* a few MB in all: no column has a request of its own */
                assert_in_range(whole, 1, 4);
                assert_in_range(part, 1, 4);
            }
            free(url);
        }
    char *url = http_url(f, "good", ntuple_sample);
    assert_in_range(assert_same_staged(f, ntuple_sample, "Events", url, 0, 0), 1, 2);
    assert_same_staged(f, ntuple_sample, "Events", url, 3, 20); /* no whole cluster: nothing is staged */
    free(url);
    if (f->xrootd_port) {
        url = xrootd_url(f, samples[0]);
        assert_in_range(assert_same_staged(f, samples[0], "events", url, 0, 0), 1, 4);
        free(url);
    }
}

/* ---- threads ---- */

typedef struct reader {
    const fixture *f;
    const hq_source *source;
    uint64_t seed;
    bool is_right;
    hq_reason reason;
} reader;

static void *read_with_others(void *context)
{
    enum { ROOM = 3000000, MOST = 100, ROUNDS = 4 };
    reader *own = context;
    hq_stretch stretches[MOST];
    uint8_t *to = hq_alloc(ROOM), small[100];
    own->is_right = true;
    for (uint64_t round = 0; round < ROUNDS && own->is_right; round++) {
        size_t count = make_stretches(own->seed * ROUNDS + round, to, ROOM, stretches, MOST);
        own->is_right = source_read_vector(own->source, stretches, count, &own->reason) == HQ_OK;
        for (size_t i = 0; i < count && own->is_right; i++)
            own->is_right = memcmp(stretches[i].bytes_r, own->f->big + stretches[i].offset, stretches[i].size) == 0;
        uint64_t offset = (own->seed * 777777 + round * 55555) % (BIG - sizeof small);
        own->is_right = own->is_right && source_read(own->source, offset, sizeof small, small, &own->reason) == HQ_OK &&
                        memcmp(small, own->f->big + offset, sizeof small) == 0;
    }
    free(to);
    return NULL;
}

static void assert_threads_read(fixture *f, const char *name)
{
    enum { THREADS = 6 };
    hq_source source;
    open_or_fail(f->remote, name, &source);
    pthread_t threads[THREADS];
    reader readers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        readers[i] = (reader){.f = f, .source = &source, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, read_with_others, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (!readers[i].is_right)
            fail_msg("%s: thread %zu: %s", name, i, *readers[i].reason.text ? readers[i].reason.text : "other bytes");
    }
    source_close(&source);
}

static void threads_share_a_source(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"good", "reset", "there"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char *url = http_url(f, modes[i], "big");
        assert_threads_read(f, url);
        free(url);
    }
    if (f->xrootd_port) {
        char *url = xrootd_url(f, "big");
        assert_threads_read(f, url);
        free(url);
    }
}

/* ---- names ---- */

static void urls_are_told_from_paths_and_from_trees(void **state)
{
    (void)state;
    assert_true(source_is_url("http://h/x"));
    assert_true(source_is_url("a+b-c.d://h/x"));
    assert_false(source_is_url("/http://h/x"));
    assert_false(source_is_url("://x"));
    assert_false(source_is_url("file.root:events"));
    static const struct {
        const char *text, *url, *tree;
    } cases[] = {
        {"http://h:80/a.root", "http://h:80/a.root", NULL},
        {"http://h:80/a.root:Events", "http://h:80/a.root", "Events"},
        {"root://h//a.root:dir/Events;1", "root://h//a.root", "dir/Events;1"},
        {"root://h//a:b/c.root", "root://h//a:b/c.root", NULL},
        {"root://h//a.root:b/c.root:t", "root://h//a.root:b/c.root", "t"},
        {"https://h/a?x=1:t", "https://h/a?x=1", "t"},
        {"https://h/a:", "https://h/a", ""},
        {"https://h:1", "https://h:1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *url, *tree;
        source_split_url(cases[i].text, &url, &tree);
        assert_string_equal(url, cases[i].url);
        if (cases[i].tree)
            assert_string_equal(tree, cases[i].tree);
        else
            assert_null(tree);
        free(url);
        free(tree);
    }
    hq_reason reason;
    assert_int_equal(source_check_url("https://h/x", &reason), HQ_OK);
    assert_int_equal(source_check_url("roots://user@h:1//x", &reason), HQ_OK);
    assert_int_equal(source_check_url("ftp://h/x", &reason), HQ_EUNSUPPORTED);
    assert_int_equal(source_check_url("http:///x", &reason), HQ_EINVAL);
    assert_int_equal(source_check_url("http://h", &reason), HQ_EINVAL);
    assert_int_equal(source_check_url("http://h/", &reason), HQ_EINVAL);
    assert_int_equal(source_check_url("http://user:secret@h/x", &reason), HQ_EINVAL);
    assert_null(strstr(reason.text, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_and_memory_are_read_in_many_places),
        cmocka_unit_test(requests_keep_their_limits_and_lose_no_byte),
        cmocka_unit_test(a_server_is_read_by_ranges),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(only_what_is_missing_is_asked_for_again),
        cmocka_unit_test(slow_is_not_silent),
        cmocka_unit_test(what_will_not_pass_fails_at_once_and_clearly),
        cmocka_unit_test(a_file_must_stay_what_it_was),
        cmocka_unit_test(wrong_answers_are_refused),
        cmocka_unit_test(an_empty_file_is_no_root_file),
        cmocka_unit_test(redirections_are_followed_and_remembered),
        cmocka_unit_test(an_identity_follows_the_servers_tag),
        cmocka_unit_test(a_plan_that_is_known_spares_all_but_the_first_request),
        cmocka_unit_test(a_servers_file_that_has_changed_is_planned_anew),
        cmocka_unit_test(an_xrootd_server_is_read_by_vectors),
        cmocka_unit_test(a_plan_spares_requests_to_xrootd_too),
        cmocka_unit_test(xrootd_says_what_it_lacks),
        cmocka_unit_test(a_folder_is_listed),
        cmocka_unit_test(columns_are_the_same_wherever_they_come_from),
        cmocka_unit_test(several_columns_come_in_one_journey),
        cmocka_unit_test(threads_share_a_source),
        cmocka_unit_test(a_server_that_died_and_came_back_is_read_on),
        cmocka_unit_test(urls_are_told_from_paths_and_from_trees),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
