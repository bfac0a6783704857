#include "tests/store/suite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* With what an earlier run may have left beside it. */
static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        print_error("%s: %s\n", sql, sqlite3_errmsg(db));
        fail();
    }
    sqlite3_close(db);
}

static void assert_refused(const char *address, hq_error error, const char *text)
{
    hq_store *store;
    hq_reason reason = {""};
    assert_error(store_open(address, 1000, 1000, &store, &reason), error);
    assert_null(store);
    assert_non_null(strstr(reason.text, text));
}

static void the_directory_is_made(void **state)
{
    (void)state;
    struct stat stat_;
    hq_store *store = suite_open("sqlite:a/new/directory/store.db", 1000);
    store_close(&store);
    assert_int_equal(stat("a/new/directory/store.db", &stat_), 0);
    write_file("plain", "a file");
    assert_refused("sqlite:plain/store.db", HQ_EIO, "plain");
}

static void files_of_others_are_refused_and_left_alone(void **state)
{
    (void)state;
    char bytes[64] = {0};
    write_file("text.db", "this is no database, but long enough that SQLite looks into it: this is no database.......");
    assert_refused("sqlite:text.db", HQ_EFORMAT, "not an SQLite file");
    FILE *file = fopen("text.db", "r");
    assert_non_null(fgets(bytes, 21, file));
    assert_string_equal(bytes, "this is no database,");
    fclose(file);
    remove_database("other.db");
    execute("other.db", "CREATE TABLE music (title TEXT)");
    assert_refused("sqlite:other.db", HQ_EFORMAT, "another program");
    execute("other.db", "INSERT INTO music VALUES ('Air')");
    assert_int_equal(access("other.db-wal", F_OK), -1);
}

static void a_newer_schema_is_refused(void **state)
{
    (void)state;
    remove_database("newer.db");
    hq_store *store = suite_open("sqlite:newer.db", 1000);
    store_close(&store);
    execute("newer.db", "PRAGMA user_version = 1000");
    assert_refused("sqlite:newer.db", HQ_EMISMATCH, "another version of hq");
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    hq_store *store;
    hq_reason reason = {""};
    assert_refused("sqlite:", HQ_EINVAL, "sqlite:/path/to/file");
    assert_refused("mysql://host", HQ_EINVAL, "mysql://host");
    assert_refused("", HQ_EINVAL, "mongodb://");
    assert_error(store_open("sqlite::memory:", 0, 1000, &store, &reason), HQ_EINVAL);
    assert_error(store_open("sqlite::memory:", 1000, 0, &store, &reason), HQ_EINVAL);
    assert_refused("mongodb://", HQ_EINVAL, "MongoDB");
    assert_error(store_open("mongodb://me:secret@host:port/hq", 1000, 1000, &store, &reason), HQ_EINVAL);
    assert_null(strstr(reason.text, "secret"));
}

static void count_plan(void *context, const hq_record *record)
{
    (void)record;
    ++*(int *)context;
}

static void a_damaged_file_is_told_of(void **state)
{
    enum { COUNT = 200 };
    (void)state;
    remove_database("damaged.db");
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, 50000);
    hq_store *store = suite_open("sqlite:damaged.db", 3600000);
    assert_done(store_put_partials(store, &program, partials, COUNT, &reason));
    store_close(&store); /* the last one out writes the log back into the file */
    int fd = open("damaged.db", O_WRONLY);
    static const char junk[4096 * 8] = {1, 2, 3};
    for (int page = 1; page < 30; page++) /* not the first, which opening looks at */
        assert_int_equal(pwrite(fd, junk, sizeof junk, page * (off_t)4096), sizeof junk);
    close(fd);
    suite_gathered gathered = {partials, COUNT, 0, 0, test_calloc(COUNT, 1)};
    hq_error error = store_open("sqlite:damaged.db", 1000, 3600000, &store, &reason);
    if (error == HQ_OK)
        error = store_get_partials(store, &program, suite_gather, &gathered, &reason);
    suite_assert(error, HQ_EFORMAT, &reason, __FILE__, __LINE__);
    assert_non_null(strstr(reason.text, "damaged.db is damaged"));
    assert_int_equal(gathered.wrong, 0);
    test_free(gathered.seen);
    store_close(&store);
    suite_free_partials(partials, COUNT);
}

static void bad_documents_are_skipped_and_counted(void **state)
{
    enum { COUNT = 3 };
    (void)state;
    remove_database("bad.db");
    char sql[1024], text[HQ_HASH_TEXT], key_text[HQ_HASH_TEXT];
    hq_reason reason = {""};
    hq_hash program = hash_random(), key = hash_random();
    hq_partial *partials = suite_partials(COUNT, 100);
    bson_t *got = NULL, *good = BCON_NEW("a", BCON_INT32(1));
    hq_store *store = suite_open("sqlite:bad.db", 3600000);
    assert_done(store_put_partials(store, &program, partials, COUNT, &reason));
    hash_to_text(&program, text);
    hash_to_text(&key, key_text);
    snprintf(sql, sizeof sql,
             "INSERT INTO partials VALUES ('x1', '%s', 9e15, 'text'), ('x2', '%s', 9e15, x''),"
             "('x3', '%s', 9e15, x'48515001ffffffff'), ('x4', '%s', 9e15, x'4851500100000000ff');"
             "INSERT INTO results VALUES ('%s', 9e15, x'0badc0de')",
             text, text, text, text, key_text);
    execute("bad.db", sql);
    assert_int_equal(suite_count(store, &program, partials, COUNT), COUNT);
    assert_int_equal(store_bad_count(store), 4);
    assert_error(store_get_result(store, &key, &got, &reason), HQ_ENOTFOUND);
    assert_int_equal(store_bad_count(store), 5);
    assert_done(store_put_result(store, &key, good, &reason)); /* computed again, it takes the bad one's place */
    assert_done(store_get_result(store, &key, &got, &reason));
    bson_destroy(got);
    bson_destroy(good);
    store_close(&store);
    suite_free_partials(partials, COUNT);
}

/* A file that hq made before there were plans. */
static void a_file_without_plans_gets_them(void **state)
{
    (void)state;
    remove_database("older.db");
    hq_reason reason = {""};
    hq_hash key = hash_random();
    hq_record plan = {key, "plan", 4};
    bson_t *document = BCON_NEW("a", BCON_INT32(1)), *got = NULL;
    hq_store *store = suite_open("sqlite:older.db", 3600000);
    assert_done(store_put_result(store, &key, document, &reason));
    store_close(&store);
    execute("older.db", "DROP TABLE plans");
    store = suite_open("sqlite:older.db", 3600000);
    hq_store *other = suite_open("sqlite:older.db", 3600000);
    assert_done(store_put_plans(store, &plan, 1, &reason));
    int found = 0;
    assert_done(store_get_plans(other, &key, 1, count_plan, &found, &reason)); /* a planner's own */
    assert_int_equal(found, 1);
    assert_done(store_get_result(store, &key, &got, &reason));
    bson_destroy(got);
    bson_destroy(document);
    store_close(&other);
    store_close(&store);
}

static void several_processes_share_a_file(void **state)
{
    enum { PROCESSES = 4, ROUNDS = 30 };
    (void)state;
    remove_database("shared.db");
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(PROCESSES * ROUNDS, 1000);
    for (int process = 0; process < PROCESSES; process++) {
        pid_t pid = fork(); /* all of them make the file at once */
        assert_true(pid >= 0);
        if (pid > 0)
            continue;
        hq_store *own;
        hq_error error = store_open("sqlite:shared.db", 60000, 3600000, &own, &reason);
        for (int round = 0; round < ROUNDS && error == HQ_OK; round++)
            error = store_put_partials(own, &program, &partials[process * ROUNDS + round], 1, &reason);
        if (error != HQ_OK)
            print_error("%s\n", reason.text);
        _exit(error == HQ_OK ? 0 : 1);
    }
    for (int process = 0; process < PROCESSES; process++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    hq_store *store = suite_open("sqlite:shared.db", 3600000);
    assert_int_equal(suite_count(store, &program, partials, PROCESSES * ROUNDS), PROCESSES * ROUNDS);
    store_close(&store);
    suite_free_partials(partials, PROCESSES * ROUNDS);
}

static void a_lock_held_too_long_is_unavailable(void **state)
{
    (void)state;
    remove_database("locked.db");
    sqlite3 *db;
    hq_store *store;
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *document = BCON_NEW("a", BCON_INT32(1)), *got = NULL;
    assert_done(store_open("sqlite:locked.db", 50, 3600000, &store, &reason));
    assert_int_equal(sqlite3_open("locked.db", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_error(store_put_result(store, &key, document, &reason), HQ_EUNAVAILABLE);
    assert_error(store_flush(store, &reason), HQ_EUNAVAILABLE);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_done(store_put_result(store, &key, document, &reason));
    assert_done(store_get_result(store, &key, &got, &reason));
    sqlite3_close(db);
    store_close(&store);
    bson_destroy(got);
    bson_destroy(document);
}

static void a_killed_writer_leaves_whole_partials(void **state)
{
    enum { COUNT = 40, SIZE = 200000 };
    (void)state;
    remove_database("killed.db");
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, SIZE);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hq_reason reason;
        hq_store *own;
        if (store_open("sqlite:killed.db", 60000, 3600000, &own, &reason) != HQ_OK)
            _exit(1);
        for (int i = 0;; i = (i + 1) % COUNT) {
            store_put_partials(own, &program, &partials[i], 1, &reason);
            if (i == COUNT / 2 && write(ready[1], "", 1) != 1)
                _exit(1);
        }
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    hq_reason reason = {""};
    hq_store *store = suite_open("sqlite:killed.db", 3600000);
    assert_true(suite_count(store, &program, partials, COUNT) >= COUNT / 2);
    assert_done(store_put_partials(store, &program, partials, COUNT, &reason));
    assert_int_equal(suite_count(store, &program, partials, COUNT), COUNT);
    store_close(&store);
    suite_free_partials(partials, COUNT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directory_is_made),
        cmocka_unit_test(files_of_others_are_refused_and_left_alone),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(a_damaged_file_is_told_of),
        cmocka_unit_test(bad_documents_are_skipped_and_counted),
        cmocka_unit_test(a_file_without_plans_gets_them),
        cmocka_unit_test(several_processes_share_a_file),
        cmocka_unit_test(a_lock_held_too_long_is_unavailable),
        cmocka_unit_test(a_killed_writer_leaves_whole_partials),
    };
    remove_database("suite.db");
    int failed = suite_run("sqlite::memory:");
    failed += suite_run("sqlite:suite.db");
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
