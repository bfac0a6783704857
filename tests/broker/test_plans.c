/* Plans of files in the store: who asks again about the same files has none of them opened, who changed one has that
 * one opened, and whatever the store says or fails to say, the partitions are the same. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/broker/stage.h"

enum { FILES = 30, ENTRIES = 2304, OTHER_ENTRIES = 2421 };

typedef struct scene {
    stage *s;
    zsock_t *client;
    fake_worker *worker;
    int questions; /* so that none is answered from the store */
} scene;

static void copy_file(const char *sample, const char *to, int number)
{
    char *command = hq_format("cat '%s/%s' > '%s'", getenv("HQ_SAMPLES"), sample, to);
    assert_int_equal(system(command), 0);
    free(command);
    /* Copies differ in their times only, and those of files written at once may be equal. */
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1600000000 + number}};
    assert_int_equal(utimensat(AT_FDCWD, to, times, 0), 0);
}

static void write_files(void)
{
    assert_int_equal(system("rm -rf files plans.db*; mkdir files"), 0);
    for (int i = 0; i < FILES; i++) {
        char path[64];
        snprintf(path, sizeof path, "files/%02d.root", i);
        copy_file("uproot-Zmumu.root", path, i);
    }
}

static scene scene_start(void)
{
    static char store[] = "sqlite:plans.db";
    static int number;
    hq_broker_settings settings = stage_settings();
    settings.store = store;
    scene sc = {.s = stage_start(&settings)};
    sc.client = stage_client(sc.s);
    sc.worker = fake_join(sc.s, 1, FAKE_MAX);
    sc.questions = ++number * 1000;
    return sc;
}

static void scene_end(scene *sc)
{
    fake_free(&sc->worker);
    zsock_destroy(&sc->client);
    stage_end(&sc->s);
}

/* Asks something new of all files, to its end; gives the number of entries that were handed out. */
static uint64_t ask(scene *sc, bool is_fresh)
{
    char folder[PATH_MAX];
    assert_non_null(getcwd(folder, sizeof folder));
    char *spec = hq_format("%s/files/*.root", folder);
    char *text = hq_format("%s    h.fill(%d.5)\n", stage_text, 10 + sc->questions++);
    hq_message *submit = without(submit_of(1, text, spec), "fresh");
    message_put_bool(submit, "fresh", is_fresh);
    talk_send(sc->client, submit);
    hq_message *message = talk_expect(sc->client, HQ_ACCEPTED);
    assert_int_equal(talk_int(message, "subtasks"), FILES);
    message_free(&message);
    fake_collect(sc->worker, FILES);
    uint64_t entries = 0;
    for (size_t i = 0; i < sc->worker->count; i++)
        entries += sc->worker->orders[i].last - sc->worker->orders[i].first;
    fake_answer_all(sc->worker, 1.0);
    message = talk_expect(sc->client, HQ_DONE);
    assert_int_equal(result_count(message, 1.0), FILES);
    message_free(&message);
    free(spec);
    free(text);
    return entries;
}

static void assert_counts(scene *sc, int64_t found, int64_t opened, int64_t replaced, int64_t bad)
{
    assert_int_equal(stage_counter(sc->s, "plans_found"), found);
    assert_int_equal(stage_counter(sc->s, "plans_opened"), opened);
    assert_int_equal(stage_counter(sc->s, "plans_replaced"), replaced);
    assert_int_equal(stage_counter(sc->s, "plans_bad"), bad);
}

static int watch_opens(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0 && inotify_add_watch(fd, "files", IN_OPEN) >= 0);
    return fd;
}

static size_t count_opens(int fd)
{
    char events[65536];
    size_t opens = 0;
    ssize_t size;
    while ((size = read(fd, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < size;) {
            struct inotify_event event;
            memcpy(&event, events + at, sizeof event);
            opens += !(event.mask & IN_ISDIR); /* the folder itself is read for its names */
            at += (ssize_t)(sizeof event + event.len);
        }
    return opens;
}

static void execute(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open("plans.db", &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

static void the_second_question_opens_no_file(void **state)
{
    (void)state;
    write_files();
    scene sc = scene_start();
    int fd = watch_opens();
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_counts(&sc, 0, FILES, 0, 0);
    assert_int_equal(count_opens(fd), FILES);
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_counts(&sc, FILES, FILES, 0, 0);
    assert_int_equal(count_opens(fd), 0);
    scene_end(&sc);
    sc = scene_start(); /* another broker, the same store */
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_counts(&sc, FILES, 0, 0, 0);
    assert_int_equal(count_opens(fd), 0);
    assert_int_equal(ask(&sc, true), FILES * ENTRIES); /* fresh: nothing is taken from the store */
    assert_counts(&sc, FILES, FILES, 0, 0);
    assert_int_equal(count_opens(fd), FILES);
    close(fd);
    scene_end(&sc);
}

static void a_changed_file_is_opened_and_gives_its_new_entries(void **state)
{
    (void)state;
    write_files();
    scene sc = scene_start();
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    copy_file("uproot-HZZ.root", "files/07.root", 7);
    int fd = watch_opens();
    assert_int_equal(ask(&sc, false), (FILES - 1) * ENTRIES + OTHER_ENTRIES);
    assert_counts(&sc, FILES - 1, FILES + 1, 1, 0);
    assert_int_equal(count_opens(fd), 1);
    assert_int_equal(ask(&sc, false), (FILES - 1) * ENTRIES + OTHER_ENTRIES);
    assert_counts(&sc, FILES - 1 + FILES, FILES + 1, 1, 0);
    assert_int_equal(count_opens(fd), 0);
    copy_file("uproot-HZZ.root", "files/07.root", 8); /* only its times */
    assert_int_equal(ask(&sc, false), (FILES - 1) * ENTRIES + OTHER_ENTRIES);
    assert_counts(&sc, FILES - 1 + FILES + FILES - 1, FILES + 2, 2, 0);
    close(fd);
    scene_end(&sc);
}

static void what_the_store_says_may_be_anything(void **state)
{
    (void)state;
    write_files();
    scene sc = scene_start();
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    execute("UPDATE plans SET bytes = substr(bytes, 1, length(bytes) - 1)");
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_counts(&sc, 0, 2 * FILES, 0, FILES); /* without plans no schema is asked for */
    execute("UPDATE plans SET bytes = 'a text' WHERE rowid % 3 = 0");
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    int64_t found = stage_counter(sc.s, "plans_found");
    assert_int_equal(found + stage_counter(sc.s, "plans_opened"), 3 * FILES);
    assert_true(stage_counter(sc.s, "plans_bad") > FILES);
    assert_int_equal(ask(&sc, false), FILES * ENTRIES); /* all have been replaced */
    assert_int_equal(stage_counter(sc.s, "plans_found"), found + FILES);
    scene_end(&sc);
}

static void a_store_that_fails_leaves_files_to_be_opened(void **state)
{
    (void)state;
    write_files();
    scene sc = scene_start();
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    execute("DROP TABLE plans");
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_int_equal(ask(&sc, false), FILES * ENTRIES);
    assert_counts(&sc, 0, 3 * FILES, 0, 0);
    scene_end(&sc);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_question_opens_no_file),
        cmocka_unit_test(a_changed_file_is_opened_and_gives_its_new_entries),
        cmocka_unit_test(what_the_store_says_may_be_anything),
        cmocka_unit_test(a_store_that_fails_leaves_files_to_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
