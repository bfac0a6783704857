/* Files that failed while a query ran: left out of the next ones that skip bad files, as long as that is likely right.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"

enum { FILES = 5, ENTRIES = 2304 };

static const char reason_text[] = "basket 3 is damaged";

typedef struct scene {
    stage *s;
    zsock_t *client;
    fake_worker *worker;
    int request;
} scene;

static scene scene_start(int64_t remember_ms)
{
    hq_broker_settings settings = stage_settings();
    settings.remember_bad_ms = remember_ms;
    settings.attempts = 1;
    scene sc = {.s = stage_start(&settings)};
    sc.client = stage_client(sc.s);
    sc.worker = fake_join(sc.s, 1, 100);
    return sc;
}

static void scene_end(scene *sc)
{
    zsock_destroy(&sc->client);
    fake_free(&sc->worker);
    stage_end(&sc->s);
}

/* Five copies of a file, each its own by its time. */
static int write_files(void **state)
{
    (void)state;
    mkdir("files", 0777);
    unlink("files/0-copy.root");
    for (int i = 0; i < FILES; i++) {
        char *command = zsys_sprintf("cp '%s/uproot-Zmumu.root' files/%d.root", getenv("HQ_SAMPLES"), i);
        assert_int_equal(system(command), 0);
        zstr_free(&command);
        char *path = zsys_sprintf("files/%d.root", i);
        const struct timespec times[2] = {{1000000000 + i, 0}, {1000000000 + i, 0}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        zstr_free(&path);
    }
    return 0;
}

/* Fills what is read of these columns. */
static void submit(scene *sc, const char *columns, int variant, bool skips_bad, bool is_fresh)
{
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    char *text = zsys_sprintf("from hist import Hist, axis\n"
                              "h = Hist(axis.Regular(10, 0, 10, name=\"x\"))\n"
                              "for event in events:\n"
                              "    h.fill(%d + %s)\n",
                              variant, columns);
    char *glob = zsys_sprintf("%s/files/*.root", here);
    hq_message *message = without(submit_of(++sc->request, text, glob), "fresh");
    message_put_bool(message, "fresh", is_fresh);
    message_put_bool(message, "skip_bad_files", skips_bad);
    talk_send(sc->client, message);
    zstr_free(&glob);
    zstr_free(&text);
}

static void fail_file(fake_worker *w, hq_order order)
{
    hq_failure failure = {.error = HQ_EFORMAT, .is_of_file = true};
    hq_fail(&failure.reason, HQ_EFORMAT, "%s", reason_text);
    fake_fail_as(w, order, &failure);
}

static void expect_accepted(scene *sc, int64_t subtasks)
{
    hq_message *message = talk_expect(sc->client, HQ_ACCEPTED);
    assert_int_equal(talk_int(message, "request"), sc->request);
    assert_int_equal(talk_int(message, "subtasks"), subtasks);
    message_free(&message);
}

/* What is told of the one file that is left out; the caller frees it. */
static char *expect_done(scene *sc, int64_t left_out, bool is_from_store)
{
    hq_message *message = talk_expect(sc->client, HQ_DONE);
    bson_iter_t iter, item, field;
    char *text = NULL;
    assert_int_equal(talk_int(message, "left_out_count"), left_out);
    assert_int_equal(talk_bool(message, "from_store"), is_from_store);
    if (bson_iter_init_find(&iter, message_body(message), "left_out") && bson_iter_recurse(&iter, &item) &&
        bson_iter_next(&item) && bson_iter_recurse(&item, &field) && bson_iter_find(&field, "text"))
        text = strdup(bson_iter_utf8(&field, NULL));
    assert_true((text != NULL) == (left_out > 0));
    message_free(&message);
    return text;
}

/* Asked of five files, of which a worker gets as many as expected; the first fails if it shall. */
static void ask(scene *sc, const char *columns, int variant, bool is_fresh, size_t expected, bool fails)
{
    submit(sc, columns, variant, true, is_fresh);
    expect_accepted(sc, (int64_t)expected);
    fake_collect(sc->worker, expected);
    for (size_t i = 0; fails && i < sc->worker->count; i++)
        if (sc->worker->orders[i].index == 0) {
            fail_file(sc->worker, sc->worker->orders[i]);
            break;
        }
    fake_answer_all(sc->worker, 3.5);
    char *text = expect_done(sc, fails ? 1 : FILES - (int64_t)expected, false);
    bool is_recalled = text && strstr(text, "ago; --fresh tries again)");
    if (text)
        assert_int_equal(strncmp(text, reason_text, strlen(reason_text)), 0);
    assert_true(is_recalled == (expected < FILES));
    free(text);
}

static void a_file_that_failed_is_left_out_of_the_next_query(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    assert_int_equal(stage_counter(sc.s, "files_known_bad"), 1);
    ask(&sc, "event.px1", 2, false, FILES - 1, false);
    scene_end(&sc);
}

/* Who skips no bad files is told of it, as ever, by a worker that has tried. */
static void who_skips_none_has_it_tried(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    submit(&sc, "event.px1", 2, false, false);
    expect_accepted(&sc, FILES);
    fake_collect(sc.worker, FILES);
    fake_answer_all(sc.worker, 3.5);
    free(expect_done(&sc, 0, false));
    /* And one who does learns from the failure of one who does not. */
    submit(&sc, "event.px2", 3, false, false);
    expect_accepted(&sc, FILES);
    fake_collect(sc.worker, FILES);
    hq_order last = sc.worker->orders[FILES - 1];
    fail_file(sc.worker, last);
    hq_message *failed = talk_expect(sc.client, HQ_FAILED);
    assert_non_null(strstr(talk_text(failed, "text"), reason_text));
    message_free(&failed);
    sc.worker->count = 0;
    assert_int_equal(stage_counter(sc.s, "files_known_bad"), 2);
    ask(&sc, "event.px2", 4, false, FILES - 1, false);
    ask(&sc, "event.px1 + event.px2", 5, false, FILES - 2, false);
    scene_end(&sc);
}

static void other_columns_of_it_may_be_good(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1 + event.py1", 1, false, FILES, true);
    ask(&sc, "event.px1", 2, false, FILES, false);
    ask(&sc, "event.py1 + event.pz1 + event.px1", 3, false, FILES - 1, false);
    ask(&sc, "event.px1", 4, false, FILES, true); /* this says more: */
    assert_int_equal(stage_counter(sc.s, "files_known_bad"), 1);
    ask(&sc, "event.px1 + event.M", 5, false, FILES - 1, false);
    scene_end(&sc);
}

static void the_same_question_is_answered_from_the_store(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    submit(&sc, "event.px1", 1, true, false);
    /* A store in memory is the keeper's alone: it answers all the same. */
    expect_accepted(&sc, FILES - 1);
    char *text = expect_done(&sc, 1, true);
    assert_non_null(strstr(text, "--fresh"));
    free(text);
    scene_end(&sc);
}

static void a_fresh_query_tries_and_what_it_reads_is_good(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    ask(&sc, "event.px1", 2, true, FILES, true);
    ask(&sc, "event.px1", 3, false, FILES - 1, false);
    ask(&sc, "event.py1", 4, true, FILES, false); /* which proves nothing of px1 */
    assert_int_equal(stage_counter(sc.s, "files_known_bad"), 1);
    ask(&sc, "event.px1 + event.py1", 5, true, FILES, false);
    assert_int_equal(stage_counter(sc.s, "files_known_bad"), 0);
    ask(&sc, "event.px1", 6, false, FILES, false);
    scene_end(&sc);
}

static void a_file_that_has_changed_is_another(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    const struct timespec times[2] = {{1100000000, 0}, {1100000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, "files/0.root", times, 0), 0);
    ask(&sc, "event.px1", 2, false, FILES, false);
    scene_end(&sc);
}

/* Another server's or disk's, which has the same identity. */
static void a_copy_of_it_elsewhere_may_be_good(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    ask(&sc, "event.px1", 1, false, FILES, true);
    assert_int_equal(rename("files/0.root", "bad.root"), 0);
    assert_int_equal(system("cp -p bad.root files/0-copy.root && rm bad.root"), 0);
    ask(&sc, "event.px1", 2, false, FILES, false);
    scene_end(&sc);
}

static void it_is_forgotten_in_time(void **state)
{
    (void)state;
    scene sc = scene_start(300);
    ask(&sc, "event.px1", 1, false, FILES, true);
    stage_wait_counter(sc.s, "files_known_bad", 0);
    ask(&sc, "event.px1", 2, false, FILES, false);
    scene_end(&sc);
    sc = scene_start(0); /* and not remembered at all if nobody wants that */
    ask(&sc, "event.px1", 1, false, FILES, true);
    ask(&sc, "event.px1", 2, false, FILES, true);
    scene_end(&sc);
}

static void if_all_have_failed_the_query_is_rejected(void **state)
{
    (void)state;
    scene sc = scene_start(3600000);
    submit(&sc, "event.px1", 1, true, false);
    expect_accepted(&sc, FILES);
    fake_collect(sc.worker, FILES);
    while (sc.worker->count)
        fail_file(sc.worker, sc.worker->orders[0]);
    hq_message *failed = talk_expect(sc.client, HQ_FAILED);
    message_free(&failed);
    submit(&sc, "event.px1", 2, true, false);
    hq_message *rejected = talk_expect(sc.client, HQ_REJECTED);
    assert_string_equal(talk_text(rejected, "code"), "format");
    assert_non_null(strstr(talk_text(rejected, "text"), reason_text));
    assert_non_null(strstr(talk_text(rejected, "text"), "--fresh tries again"));
    message_free(&rejected);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_that_failed_is_left_out_of_the_next_query, write_files),
        cmocka_unit_test_setup(who_skips_none_has_it_tried, write_files),
        cmocka_unit_test_setup(other_columns_of_it_may_be_good, write_files),
        cmocka_unit_test_setup(the_same_question_is_answered_from_the_store, write_files),
        cmocka_unit_test_setup(a_fresh_query_tries_and_what_it_reads_is_good, write_files),
        cmocka_unit_test_setup(a_file_that_has_changed_is_another, write_files),
        cmocka_unit_test_setup(a_copy_of_it_elsewhere_may_be_good, write_files),
        cmocka_unit_test_setup(it_is_forgotten_in_time, write_files),
        cmocka_unit_test_setup(if_all_have_failed_the_query_is_rejected, write_files),
    };
    socket_prepare_process();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    socket_end_process();
    return failures;
}
