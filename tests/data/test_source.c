/* Where bytes come from: files and memory, requests for pieces of what is far away, and the names of both. */
#include <string.h>

#include "base/memory.h"
#include "data/source_remote.h"
#include "tests/data/served.h"

/* ---- files and memory ---- */

static void a_file_and_memory_are_read_in_many_places(void **state)
{
    served *f = *state;
    hq_source source;
    char *path = hq_format("%s/big", f->folder);
    served_open(f->remote, path, &source);
    assert_false(source_is_remote(&source));
    served_assert_reads(f, &source);
    source_close(&source);
    free(path);
    source_open_memory("memory", f->big, SERVED_BIG, &source);
    served_assert_reads(f, &source);
    source_close(&source);
}

/* ---- requests ---- */

/* Whatever the limits, and however the bytes come, each stretch gets its own, and no request is more than it may be. */
static void requests_keep_their_limits_and_lose_no_byte(void **state)
{
    enum { ROOM = 6000000, MOST = 300 };
    served *f = *state;
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
        size_t count = served_stretches(round, to, ROOM, stretches, 1 + round * 7 % MOST);
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
                size_t size = served_random(&random) % 20000 + 1, left = request->size - request->done;
                size = size < left ? size : left;
                request_take(request, f->big + request->offset + request->done, size);
            }
            assert_int_equal(request->passed, request->piece_count);
        }
        requests_clear(&requests);
        served_assert_stretches(f, stretches, count);
    }
    free(to);
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
        cmocka_unit_test(urls_are_told_from_paths_and_from_trees),
    };
    return cmocka_run_group_tests(tests, served_set_up_alone, served_tear_down);
}
