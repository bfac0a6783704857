/* Every MongoDB-protocol server that is on this machine, and what happens when it is not there, hangs or dies. */
#include "tests/store/suite.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/servers.h"

static hq_testserver *server; /* the one being tested */
static char address[128];

static void no_plan(void *context, const hq_record *record)
{
    (void)context;
    (void)record;
    fail_msg("a plan came from nowhere");
}

static void bad_documents_are_skipped_and_counted(void **state)
{
    enum { COUNT = 3 };
    (void)state;
    char text[HQ_HASH_TEXT];
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, 100);
    hq_store *store = suite_open(address, 3600000);
    assert_done(store_put_partials(store, &program, partials, COUNT, &reason));
    hash_to_text(&program, text);
    mongoc_client_t *client = mongoc_client_new(address);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, "hq", "partials");
    bson_t *bad[] = {
        BCON_NEW("program", BCON_UTF8(text)),
        BCON_NEW("_id", BCON_INT32(5), "program", BCON_UTF8(text), "bytes", BCON_UTF8("text")),
        BCON_NEW("program", BCON_UTF8(text), "bytes", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"HQP\1", 4)),
        BCON_NEW("program", BCON_UTF8(text), "bytes",
                 BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"HQP\1\377\377\377\377", 8), "expires",
                 BCON_UTF8("never")),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(mongoc_collection_insert_one(collection, bad[i], NULL, NULL, NULL));
        bson_destroy(bad[i]);
    }
    assert_int_equal(suite_count(store, &program, partials, COUNT), COUNT);
    assert_int_equal(store_bad_count(store), 4);
    mongoc_collection_destroy(collection);
    collection = mongoc_client_get_collection(client, "hq", "plans");
    bson_t *plan = BCON_NEW("_id", BCON_UTF8(text), "bytes", BCON_UTF8("text"));
    assert_true(mongoc_collection_insert_one(collection, plan, NULL, NULL, NULL));
    bson_destroy(plan);
    assert_done(store_get_plans(store, &program, 1, no_plan, NULL, &reason));
    assert_int_equal(store_bad_count(store), 5);
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    store_close(&store);
    suite_free_partials(partials, COUNT);
}

static void a_database_of_another_name_is_another_store(void **state)
{
    (void)state;
    char other_address[160];
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *document = BCON_NEW("a", BCON_INT32(1)), *got = NULL;
    snprintf(other_address, sizeof other_address, "mongodb://%s/site", testserver_address(server));
    hq_store *store = suite_open(address, 3600000), *other = suite_open(other_address, 3600000);
    assert_done(store_put_result(other, &key, document, &reason));
    assert_error(store_get_result(store, &key, &got, &reason), HQ_ENOTFOUND);
    assert_done(store_get_result(other, &key, &got, &reason));
    bson_destroy(got);
    bson_destroy(document);
    store_close(&other);
    store_close(&store);
}

enum { SLACK_MS = 10000 }; /* for a busy machine; the driver itself would wait 30 seconds and more */

/* Every call, on a store whose server does not answer: none takes longer than its time, none says that it was done. */
static void assert_nothing_works(hq_store *store, int timeout_ms, bool may_be_uncertain)
{
    hq_reason reason = {""};
    hq_hash key = hash_random();
    uint64_t removed;
    hq_partial *partials = suite_partials(1, 100);
    suite_gathered gathered = {partials, 1, 0, 0, test_calloc(1, 1)};
    bson_t *document = BCON_NEW("a", BCON_INT32(1)), *got = NULL;
    hq_record plan = {key, "plan", 4};
    for (int call = 0; call < 8; call++) {
        int64_t begin_ms = hq_now_ms();
        bool is_write = call >= 3;
        hq_error error = call == 0   ? store_get_result(store, &key, &got, &reason)
                         : call == 1 ? store_get_partials(store, &key, suite_gather, &gathered, &reason)
                         : call == 2 ? store_get_plans(store, &key, 1, no_plan, NULL, &reason)
                         : call == 3 ? store_put_plans(store, &plan, 1, &reason)
                         : call == 4 ? store_put_result(store, &key, document, &reason)
                         : call == 5 ? store_put_partials(store, &key, partials, 1, &reason)
                         : call == 6 ? store_sweep(store, &removed, &reason)
                                     : store_prepare(store, &reason);
        if (!(is_write && may_be_uncertain && error == HQ_EUNCERTAIN))
            suite_assert(error, HQ_EUNAVAILABLE, &reason, __FILE__, __LINE__);
        assert_non_null(strstr(reason.text, "127.0.0.1"));
        assert_true(hq_now_ms() - begin_ms < timeout_ms + SLACK_MS);
        assert_null(got);
    }
    bson_destroy(document);
    test_free(gathered.seen);
    suite_free_partials(partials, 1);
}

static void an_unreachable_server_is_unavailable_in_time(void **state)
{
    (void)state;
    hq_store *store;
    hq_reason reason = {""};
    assert_done(store_open("mongodb://127.0.0.1:1/hq", 400, 1000, &store, &reason));
    assert_nothing_works(store, 400, false);
    store_close(&store);
}

static void a_server_that_hangs_is_given_up_in_time(void **state)
{
    (void)state;
    hq_store *store;
    hq_reason reason = {""};
    hq_hash key = hash_random();
    bson_t *document = BCON_NEW("a", BCON_INT32(1)), *got = NULL;
    assert_done(store_open(address, 800, 3600000, &store, &reason));
    int64_t end_ms = hq_now_ms() + 60000;
    while (store_prepare(store, &reason) != HQ_OK) /* it has little time on a busy machine */
        assert_true(hq_now_ms() < end_ms);
    testserver_pause(server);
    suite_assert(store_put_result(store, &key, document, &reason), HQ_EUNCERTAIN, &reason, __FILE__, __LINE__);
    assert_nothing_works(store, 800, true);
    testserver_resume(server);
    end_ms = hq_now_ms() + 60000;
    while (store_put_result(store, &key, document, &reason) != HQ_OK)
        assert_true(hq_now_ms() < end_ms);
    while (store_get_result(store, &key, &got, &reason) != HQ_OK)
        assert_true(hq_now_ms() < end_ms);
    bson_destroy(got);
    bson_destroy(document);
    store_close(&store);
}

static void a_server_killed_in_the_middle_loses_nothing_acknowledged(void **state)
{
    enum { COUNT = 400, AT_ONCE = 10, SIZE = 20000 };
    (void)state;
    hq_store *store;
    hq_reason reason = {""};
    hq_hash program = hash_random();
    hq_partial *partials = suite_partials(COUNT, SIZE);
    int failures = 0;
    assert_done(store_open(address, 2000, 3600000, &store, &reason));
    for (int at = 0; at < COUNT; at += AT_ONCE) {
        int64_t end_ms = hq_now_ms() + 60000;
        hq_error error;
        if (at == COUNT / 2)
            testserver_kill(server);
        while ((error = store_put_partials(store, &program, partials + at, AT_ONCE, &reason)) != HQ_OK) {
            assert_true(error == HQ_EUNCERTAIN || error == HQ_EUNAVAILABLE);
            assert_true(hq_now_ms() < end_ms);
            if (failures++ == 0)
                testserver_restart(server);
        }
    }
    assert_true(failures > 0);
    store_close(&store);
    store = suite_open(address, 3600000); /* which has more time */
    if (!testserver_keeps_data(server)) { /* what it had was in its memory: it is made again, as a caller would */
        assert_int_equal(suite_count(store, &program, partials, COUNT), COUNT / 2);
        assert_done(store_put_partials(store, &program, partials, COUNT, &reason));
    }
    assert_int_equal(suite_count(store, &program, partials, COUNT), COUNT);
    store_close(&store);
    suite_free_partials(partials, COUNT);
}

int main(void)
{
    static const struct CMUnitTest without[] = {cmocka_unit_test(an_unreachable_server_is_unavailable_in_time)};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_documents_are_skipped_and_counted),
        cmocka_unit_test(a_database_of_another_name_is_another_store),
        cmocka_unit_test(a_server_that_hangs_is_given_up_in_time),
        cmocka_unit_test(a_server_killed_in_the_middle_loses_nothing_acknowledged),
    };
    int tested = 0, failed = cmocka_run_group_tests(without, NULL, NULL);
    for (hq_testserver_kind kind = TESTSERVER_MONGOD; kind <= TESTSERVER_MONGO_JAVA; kind++) {
        if (!testserver_is_here(kind))
            continue;
        server = testserver_start(kind);
        snprintf(address, sizeof address, "mongodb://%s/hq", testserver_address(server));
        failed += suite_run(address);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
        testserver_stop(&server);
        tested++;
    }
    if (tested == 0 && failed == 0)
        testserver_skip("these tests need mongod or mongo-java-server");
    mongoc_cleanup();
    return failed;
}
