/* Files of servers of http, which behave in every way. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/tree.h"
#include "tests/data/served.h"

static void assert_http_reads(served *f, hq_remote *remote, const char *mode)
{
    char *url = served_http(f, mode, "big");
    hq_source source;
    served_open(remote, url, &source);
    assert_true(source_is_remote(&source));
    assert_string_equal(source.name, url);
    served_assert_reads(f, &source);
    source_close(&source);
    free(url);
}

static void a_server_is_read_by_ranges(void **state)
{
    served *f = *state;
    assert_http_reads(f, f->remote, "good");
    assert_http_reads(f, f->remote, "plain");
}

/* Each of these modes fails in its own way at first. */
static void what_may_pass_is_tried_again(void **state)
{
    served *f = *state;
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
    served *f = *state;
    char *url = served_http(f, "cut", "big");
    hq_source source;
    hq_reason reason;
    served_open(f->remote, url, &source);
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
    served *f = *state;
    char *url = served_http(f, "drip", "big");
    hq_source source;
    hq_reason reason;
    served_open(f->brisk, url, &source);
    hq_remote_counts before = remote_counts(f->brisk);
    uint8_t *to = hq_alloc(100000);
    int64_t begin_ms = hq_now_ms();
    assert_int_equal(source_read(&source, 200000, 100000, to, &reason), HQ_OK);
    assert_true(hq_now_ms() - begin_ms > SERVED_BRISK_MS);
    assert_memory_equal(to, f->big + 200000, 100000);
    assert_int_equal(remote_counts(f->brisk).retries, before.retries);
    free(to);
    source_close(&source);
    free(url);
}

static void what_will_not_pass_fails_at_once_and_clearly(void **state)
{
    served *f = *state;
    served_assert_open_fails(f, f->remote, "missing", HQ_ENOTFOUND, "no such file on the server (HTTP status 404)", 1);
    served_assert_open_fails(f, f->remote, "forbidden", HQ_EIO, "no permission", 1);
    served_assert_open_fails(f, f->remote, "teapot", HQ_EIO, "HTTP status 418", 1);
    served_assert_open_fails(f, f->remote, "noranges", HQ_EUNSUPPORTED, "whole files only", 1);
    served_assert_open_fails(f, f->remote, "nosize", HQ_EUNSUPPORTED, "Content-Range", 1);
    served_assert_open_fails(f, f->remote, "gzip", HQ_EUNSUPPORTED, "Content-Encoding gzip", 1);
    served_assert_open_fails(f, f->remote, "loop", HQ_EIO, "more than 8 redirections", 1);
    served_assert_open_fails(f, f->remote, "elsewhere", HQ_EIO, "rotocol", 1);
    served_assert_open_fails(f, f->hasty, "silent", HQ_ETIMEOUT, "(3 attempts)", 3);
    served_assert_open_fails(f, f->remote, "http://127.0.0.1:1/x", HQ_EUNAVAILABLE, "(4 attempts)", 4);
}

/* The file opens, then: */
static void assert_read_fails(served *f, const char *mode, hq_error expected, const char *text)
{
    enum { ROOM = 6000000, MOST = 400 };
    char *url = served_http(f, mode, "big");
    hq_source source;
    hq_reason reason = {""};
    served_open(f->remote, url, &source);
    hq_stretch stretches[MOST];
    uint8_t *to = hq_alloc(ROOM);
    size_t count = served_stretches(5, to, ROOM, stretches, MOST);
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
    served *f = *state;
    static const char *const modes[] = {"tag", "modified", "grown", "shrunk"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        assert_read_fails(f, modes[i], HQ_EMISMATCH, "the file has changed on its server since it was opened");
}

static void wrong_answers_are_refused(void **state)
{
    served *f = *state;
    assert_read_fails(f, "shifted", HQ_EPROTOCOL, "were asked for");
    assert_read_fails(f, "longer", HQ_EPROTOCOL, "more than the");
    assert_read_fails(f, "down", HQ_EUNAVAILABLE, "HTTP status 500 (4 attempts)");
    assert_read_fails(f, "later", HQ_EUNAVAILABLE, "not to be tried again for 86400 s");
}

static void an_empty_file_is_no_root_file(void **state)
{
    served *f = *state;
    hq_file *file = NULL;
    hq_reason reason = {""};
    char *url = served_http(f, "noranges", "empty");
    assert_int_equal(rootfile_open_through(f->remote, url, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "it is empty"));
    free(url);
    url = served_http(f, "good", "big");
    assert_int_equal(rootfile_open_through(f->remote, url, &file, &reason), HQ_EFORMAT);
    assert_non_null(strstr(reason.text, "does not begin with"));
    assert_null(file);
    free(url);
}

static void redirections_are_followed_and_remembered(void **state)
{
    served *f = *state;
    char *url = served_http(f, "there", "big"), answer[1024];
    hq_source source;
    served_open(f->remote, url, &source);
    served_assert_reads(f, &source);
    assert_null(source.version); /* another server's: not the same for all who ask */
    assert_int_equal(source.modified_ns, 0);
    source_close(&source);
    served_ask(f, "seen /there/big", answer);
    assert_int_equal(atoi(answer), 1); /* later reads went where the first was sent */
    free(url);
    assert_http_reads(f, f->remote, "moving"); /* and back, when that place was closed */
    served_ask(f, "seen /moving/big", answer);
    assert_true(atoi(answer) > 1);
}

static void an_identity_follows_the_servers_tag(void **state)
{
    served *f = *state;
    static const char *const modes[] = {"good", "good", "plain", "tag"};
    hq_hash identities[4];
    for (size_t i = 0; i < 4; i++) {
        char *url = served_http(f, modes[i], served_samples[0]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, served_set_up, served_tear_down);
}
