#include "tests/data/served.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

enum { HASTY_MS = 1500, QUICK_MS = 5 };

const char *const served_samples[SERVED_SAMPLES] = {"uproot-HZZ.root", "uproot-Zmumu-zlib.root"};
const char served_ntuple[] = "nano_dy_rntuple.root";

static const hq_remote_settings patient_settings = {
    .requests = 4, .timeout_ms = 60000, .attempts = 4, .backoff_ms = QUICK_MS};
static const hq_remote_settings brisk_settings = {
    .requests = 4, .timeout_ms = SERVED_BRISK_MS, .attempts = 5, .backoff_ms = QUICK_MS};
static const hq_remote_settings hasty_settings = {
    .requests = 4, .timeout_ms = HASTY_MS, .attempts = 3, .backoff_ms = QUICK_MS};

uint64_t served_random(uint64_t *state)
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

void served_ask(served *f, const char *command, char answer_r[1024])
{
    if (command) {
        fprintf(f->say, "%s\n", command);
        fflush(f->say);
    }
    assert_non_null(fgets(answer_r, 1024, f->hear));
}

static void start_servers(served *f)
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
    served_ask(f, NULL, answer);
    assert_int_equal(sscanf(answer, "ready %d %d", &f->port, &f->other_port), 2);
}

static served *served_new(void)
{
    served *f = hq_calloc(1, sizeof *f);
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    f->folder = hq_format("%s/served", here);
    mkdir(f->folder, 0777);
    f->big = hq_alloc(SERVED_BIG);
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < SERVED_BIG; i++)
        f->big[i] = (uint8_t)served_random(&random);
    char *path = hq_format("%s/big", f->folder);
    write_file(path, f->big, SERVED_BIG);
    free(path);
    path = hq_format("%s/empty", f->folder);
    write_file(path, "", 0);
    free(path);
    for (size_t i = 0; i < SERVED_SAMPLES; i++) {
        char *command = hq_format("cp '%s/%s' '%s/'", getenv("HQ_SAMPLES"), served_samples[i], f->folder);
        assert_int_equal(system(command), 0);
        free(command);
    }
    char *command = hq_format("cp '%s/../coffea/%s' '%s/'", getenv("HQ_SAMPLES"), served_ntuple, f->folder);
    assert_int_equal(system(command), 0);
    free(command);
    f->remote = remote_new(&patient_settings);
    f->brisk = remote_new(&brisk_settings);
    f->hasty = remote_new(&hasty_settings);
    return f;
}

int served_set_up_alone(void **state)
{
    *state = served_new();
    return 0;
}

int served_set_up(void **state)
{
    served_set_up_alone(state);
    start_servers(*state);
    return 0;
}

int served_set_up_with_xrootd(void **state)
{
    served_set_up(state);
    served *f = *state;
    char answer[1024], folder[1000];
    served_ask(f, "xrootd", answer);
    if (sscanf(answer, "ok %d %999[^\n]", &f->xrootd_port, folder) == 2)
        f->xrootd_folder = hq_strdup(folder);
    else
        fputs(answer, stderr);
    return 0;
}

int served_tear_down(void **state)
{
    served *f = *state;
    remote_free(&f->remote);
    remote_free(&f->brisk);
    remote_free(&f->hasty);
    int status = 0;
    if (f->pid) {
        fclose(f->say);
        fclose(f->hear);
        waitpid(f->pid, &status, 0);
    }
    free(f->xrootd_folder);
    free(f->folder);
    free(f->big);
    free(f);
    return status;
}

char *served_http(const served *f, const char *mode, const char *name)
{
    return hq_format("http://127.0.0.1:%d/%s/%s", f->port, mode, name);
}

char *served_xrootd(const served *f, const char *name)
{
    if (!f->xrootd_port)
        skip();
    return hq_format("root://127.0.0.1:%d//data/%s", f->xrootd_port, name);
}

void served_open(hq_remote *remote, const char *name, hq_source *source_r)
{
    hq_reason reason = {""};
    if (source_open(remote, name, source_r, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
}

/* Stretches of all sizes, in no order, some of them overlapping. */
size_t served_stretches(uint64_t seed, uint8_t *to, size_t room, hq_stretch *stretches, size_t most)
{
    uint64_t random = seed * 2654435761u + 1;
    size_t count = 0, used = 0;
    while (count < most) {
        unsigned kind = served_random(&random) % 8;
        size_t size = served_random(&random) % (kind == 0 ? 1500000 : kind < 3 ? 100000 : 3000);
        uint64_t offset = kind == 7 && count ? stretches[count - 1].offset + 1 : served_random(&random) % SERVED_BIG;
        if (size > SERVED_BIG - offset)
            size = (size_t)(SERVED_BIG - offset);
        if (size > room - used)
            break;
        stretches[count++] = (hq_stretch){offset, size, to + used};
        used += size;
    }
    return count;
}

void served_assert_stretches(const served *f, const hq_stretch *stretches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(stretches[i].bytes_r, f->big + stretches[i].offset, stretches[i].size) != 0)
            fail_msg("stretch %zu of %zu, offset %zu, size %zu, has other bytes", i, count, (size_t)stretches[i].offset,
                     stretches[i].size);
}

void served_assert_vector_reads(const served *f, const hq_source *source, uint64_t seed)
{
    enum { ROOM = 6000000, MOST = 400 };
    hq_stretch stretches[MOST];
    uint8_t *to = hq_calloc(1, ROOM);
    size_t count = served_stretches(seed, to, ROOM, stretches, MOST);
    hq_reason reason = {""};
    if (source_read_vector(source, stretches, count, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    served_assert_stretches(f, stretches, count);
    free(to);
}

void served_assert_reads(const served *f, const hq_source *source)
{
    hq_reason reason = {""};
    uint8_t small[100];
    assert_int_equal(source->size, SERVED_BIG);
    static const uint64_t offsets[] = {0, 65536 - 50, 65536 * 3 - 1, 1234567, SERVED_BIG - 100};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        if (source_read(source, offsets[i], sizeof small, small, &reason) != HQ_OK)
            fail_msg("%s", reason.text);
        assert_memory_equal(small, f->big + offsets[i], sizeof small);
    }
    for (uint64_t seed = 1; seed < 4; seed++)
        served_assert_vector_reads(f, source, seed);
    assert_int_equal(source_read_vector(source, NULL, 0, &reason), HQ_OK);
    assert_int_equal(source_read(source, SERVED_BIG, 0, NULL, &reason), HQ_OK);
    assert_int_equal(source_read(source, SERVED_BIG - 99, 100, small, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "the file ends at 5000000"));
    assert_int_equal(source_read(source, UINT64_MAX, 2, small, &reason), HQ_EFORMAT);
}

void served_assert_open_fails(served *f, hq_remote *remote, const char *mode, hq_error expected, const char *text,
                              unsigned requests)
{
    char *url = strstr(mode, "://") ? hq_strdup(mode) : served_http(f, mode, "big");
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
