/* Files of XRootD's own server. */
#include <string.h>
#include <unistd.h>
#include <utime.h>

#include "base/memory.h"
#include "tests/data/served.h"

static void an_xrootd_server_is_read_by_vectors(void **state)
{
    served *f = *state;
    char *url = served_xrootd(f, "big");
    hq_source source;
    served_open(f->remote, url, &source);
    assert_true(source.modified_ns > 0);
    hq_remote_counts before = remote_counts(f->remote);
    served_assert_vector_reads(f, &source, 1);
    assert_true(remote_counts(f->remote).requests - before.requests < 12);
    served_assert_reads(f, &source);
    source_close(&source);
    free(url);
}

static void xrootd_says_what_it_lacks(void **state)
{
    served *f = *state;
    char *url = served_xrootd(f, "nothing.root");
    served_assert_open_fails(f, f->remote, url, HQ_ENOTFOUND, "no such file", 1);
    free(url);
    url = served_xrootd(f, "folder");
    served_assert_open_fails(f, f->remote, url, HQ_EFORMAT, "it is a directory", 1);
    free(url);
    served_assert_open_fails(f, f->remote, "root://127.0.0.1:1//x", HQ_EUNAVAILABLE, "(4 attempts)", 4);
}

static void a_server_that_died_and_came_back_is_read_on(void **state)
{
    served *f = *state;
    char *url = served_xrootd(f, "big"), answer[1024];
    hq_source source;
    served_open(f->remote, url, &source);
    served_assert_vector_reads(f, &source, 1);
    served_ask(f, "kill", answer);
    served_ask(f, "again", answer);
    assert_non_null(strstr(answer, "ok"));
    served_assert_vector_reads(f, &source, 2);
    served_assert_vector_reads(f, &source, 3);
    served_ask(f, "kill", answer);
    char *path = hq_format("%s/big", f->xrootd_folder);
    assert_int_equal(utime(path, &(struct utimbuf){1000000000, 1000000000}), 0);
    served_ask(f, "again", answer);
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
    served *f = *state;
    char *url = served_xrootd(f, ""), **names = NULL;
    size_t count = 0;
    hq_reason reason = {""};
    if (source_list(f->remote, url, &names, &count, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    static const char *const expected[] = {"big", "empty", served_ntuple, "uproot-HZZ.root", "uproot-Zmumu-zlib.root"};
    assert_int_equal(count, 5); /* without the folder in it */
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], expected[i]);
        free(names[i]);
    }
    free(names);
    free(url);
    assert_int_equal(source_list(f->remote, "http://h/x/", &names, &count, &reason), HQ_EUNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_xrootd_server_is_read_by_vectors),
        cmocka_unit_test(xrootd_says_what_it_lacks),
        cmocka_unit_test(a_folder_is_listed),
        cmocka_unit_test(a_server_that_died_and_came_back_is_read_on),
    };
    return cmocka_run_group_tests(tests, served_set_up_with_xrootd, served_tear_down);
}
