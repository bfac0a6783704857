/* One order of a query, on real files: what comes out, what it cost, and what can go wrong. */
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/worker/questions.h"
#include "worker/task.h"

typedef struct desk {
    hq_cache *cache;
    hq_files *files;
    hq_bench *bench;
    hq_dataset *dataset;
    hq_task *task;
} desk;

static void desk_open_message(desk *d, hq_message *message)
{
    hq_reason reason = {{0}};
    d->cache = cache_new(64 << 20);
    d->files = files_new(10, NULL);
    d->bench = NULL;
    if (task_new(message, NULL, &d->task, &reason))
        fail_msg("%s", reason.text);
    message_free(&message);
}

static void desk_open(desk *d, const char *sample, const char *text)
{
    d->dataset = dataset_of(sample);
    desk_open_message(d, query_of(7, text, d->dataset));
    assert_int_equal(task_handle(d->task), 7);
}

static void desk_close(desk *d)
{
    bench_free(&d->bench);
    assert_null(d->bench);
    task_release(&d->task);
    assert_null(d->task);
    files_free(&d->files);
    cache_free(&d->cache);
    dataset_free(&d->dataset);
}

static hq_outcome execute(desk *d, hq_order order)
{
    hq_outcome outcome;
    hq_supply supply = {.cache = d->cache, .files = d->files};
    task_execute(d->task, &order, &supply, &d->bench, &outcome);
    return outcome;
}

/* The column of a sample's first tree, read without all that is tested here. */
static hq_column *read_column(const hq_dataset *dataset, const char *name, uint64_t first, uint64_t last)
{
    hq_file *file = NULL;
    hq_tree *tree = NULL;
    hq_column *column = NULL;
    hq_reason reason = {{0}};
    if (rootfile_open(dataset->files[0].path, &file, &reason) ||
        tree_open(file, dataset->files[0].tree, &tree, &reason) ||
        tree_read(tree, name, first, last, 64 << 20, &column, &reason))
        fail_msg("%s", reason.text);
    tree_close(&tree);
    rootfile_close(&file);
    return column;
}

static void an_order_yields_the_histogram_of_its_entries(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "uproot-Zmumu.root", mass_text);
    static const uint64_t ranges[][2] = {{0, 2304}, {0, 1}, {2303, 2304}, {100, 1100}, {0, 2304}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        uint64_t first = ranges[i][0], last = ranges[i][1];
        hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, first, last});
        if (outcome.failure.error)
            fail_msg("%s", outcome.failure.reason.text);
        assert_int_equal(outcome.entries, last - first);
        hq_histset *expected = hists_of(mass_text, d.dataset, NULL, 0);
        hq_histset *got = hists_of(mass_text, d.dataset, outcome.contents.bytes, outcome.contents.size);
        hq_column *mass = read_column(d.dataset, "M", first, last);
        assert_int_equal(mass->type, HQ_FLOAT64);
        for (uint64_t k = 0; k < mass->entries; k++)
            hist_fill(expected->hists[0], (const double *)mass->values + k, 1);
        assert_true(histset_is_equal(got, expected)); /* nothing is left over from the order before */
        /* The first time from file, the second time from the cache. */
        assert_int_equal(outcome.read_bytes, i == 4 ? 0 : mass->bytes);
        assert_int_equal(outcome.cached_bytes, i == 4 ? mass->bytes : 0);
        assert_true(i != 0 || outcome.load_us > 0); /* it opened a file and decompressed */
        column_free(&mass);
        histset_free(&got);
        histset_free(&expected);
        buffer_clear(&outcome.contents);
    }
    desk_close(&d);
}

static void an_order_without_entries_needs_no_file(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "empty:3",
              "from hist import Hist, axis\n"
              "h = Hist(axis.Regular(10, 0, 10))\n"
              "for event in events:\n"
              "    h.fill(1.0)\n");
    for (uint32_t i = 0; i < 3; i++) {
        hq_outcome outcome = execute(&d, order_of(7, d.dataset, i));
        assert_int_equal(outcome.failure.error, HQ_OK);
        assert_int_equal(outcome.contents.size, 0);
        assert_int_equal(outcome.entries + outcome.read_bytes + outcome.cached_bytes, 0);
        buffer_clear(&outcome.contents);
    }
    desk_close(&d);
}

static hq_message *query_over(hq_dataset *dataset, const char *path, const hq_hash *identity)
{
    free(dataset->files[0].path);
    dataset->files[0].path = hq_strdup(path);
    dataset->files[0].identity = *identity;
    return query_of(7, mass_text, dataset);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    desk d = {.dataset = dataset_of("uproot-Zmumu.root")};
    hq_hash identity = d.dataset->files[0].identity;
    desk_open_message(&d, query_over(d.dataset, "/nowhere/at-all.root", &identity));
    for (int i = 0; i < 2; i++) { /* a failed load is not remembered */
        hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 10});
        assert_int_equal(outcome.failure.error, HQ_ENOTFOUND);
        assert_non_null(strstr(outcome.failure.reason.text, "/nowhere/at-all.root"));
        assert_int_equal(outcome.contents.size, 0);
        buffer_clear(&outcome.contents);
    }
    desk_close(&d);
}

static void a_file_that_changed_is_a_mismatch_6_3(void **state)
{
    (void)state;
    desk d = {.dataset = dataset_of("uproot-Zmumu.root")};
    char *path = sample_path("uproot-Zmumu.root");
    hq_hash other = hash_of("another", 7);
    desk_open_message(&d, query_over(d.dataset, path, &other));
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 10});
    assert_int_equal(outcome.failure.error, HQ_EMISMATCH);
    assert_non_null(strstr(outcome.failure.reason.text, path));
    buffer_clear(&outcome.contents);
    free(path);
    desk_close(&d);
}

static void an_order_for_no_file_of_the_table_is_refused(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "uproot-Zmumu.root", mass_text);
    static const hq_order orders[] = {{7, 0, 1, 0, 10}, {7, 0, UINT32_MAX, 0, 10}, {7, 0, 1, 0, 0}};
    for (int i = 0; i < 3; i++) {
        hq_outcome outcome = execute(&d, orders[i]);
        assert_int_equal(outcome.failure.error, HQ_EPROTOCOL);
        buffer_clear(&outcome.contents);
    }
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 2000, 3000}); /* beyond the tree's end */
    assert_int_not_equal(outcome.failure.error, HQ_OK);
    buffer_clear(&outcome.contents);
    outcome = execute(&d, (hq_order){7, 0, 0, 0, 10}); /* and goes on after all that */
    assert_int_equal(outcome.failure.error, HQ_OK);
    buffer_clear(&outcome.contents);
    desk_close(&d);
}

static void an_index_out_of_range_names_query_entry_and_file_4_4(void **state)
{
    (void)state;
    static const char text[] = "from hist import Hist, axis\n"
                               "h = Hist(axis.Regular(10, 0, 10))\n"
                               "for event in events:\n"
                               "    h.fill(event.Muon[1].Px)\n";
    desk d;
    desk_open(&d, "uproot-HZZ.root", text);
    enum { FIRST = 100, LAST = 200 };
    hq_column *muons = read_column(d.dataset, "Muon_Px", FIRST, LAST);
    uint64_t entry = 0;
    while (entry < LAST - FIRST && muons->offsets[entry + 1] - muons->offsets[entry] > 1)
        entry++;
    column_free(&muons);
    assert_true(entry < LAST - FIRST);
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, FIRST, LAST});
    const hq_failure *failure = &outcome.failure;
    assert_int_equal(failure->error, HQ_EQUERY);
    assert_int_equal(failure->line, 4);
    assert_int_equal(failure->entry, FIRST + entry);
    char entry_text[32];
    snprintf(entry_text, sizeof entry_text, "entry %llu", (unsigned long long)(FIRST + entry));
    assert_non_null(strstr(failure->reason.text, "q.py:4"));
    assert_non_null(strstr(failure->reason.text, entry_text));
    assert_non_null(strstr(failure->reason.text, "uproot-HZZ.root"));
    assert_int_equal(outcome.contents.size, 0);
    buffer_clear(&outcome.contents);
    desk_close(&d);
}

static void a_text_that_the_worker_does_not_understand_fails_every_order(void **state)
{
    (void)state;
    desk d = {.dataset = dataset_of("uproot-Zmumu.root")};
    desk_open_message(&d, query_of(7, "for event in events:\n    nonsense\n", d.dataset));
    for (int i = 0; i < 2; i++) {
        hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 10});
        assert_int_equal(outcome.failure.error, HQ_EQUERY);
        assert_true(outcome.failure.reason.text[0] != 0);
        buffer_clear(&outcome.contents);
    }
    desk_close(&d);
}

/* ---- ends before the end ---- */

static void a_cancelled_task_is_not_begun(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "uproot-Zmumu.root", mass_text);
    assert_false(task_is_cancelled(d.task));
    task_cancel(d.task);
    assert_true(task_is_cancelled(d.task));
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 10});
    assert_int_equal(outcome.failure.error, HQ_ECANCELLED);
    buffer_clear(&outcome.contents);
    desk_close(&d);
}

static void a_subtask_that_takes_too_long_is_ended_4_3(void **state)
{
    (void)state;
    desk d = {.dataset = dataset_of("uproot-Zmumu.root")};
    hq_message *message = query_of(7, endless_text, d.dataset);
    bson_t rest = BSON_INITIALIZER;
    bson_copy_to_excluding_noinit(message_body(message), &rest, "limit_ms", NULL);
    bson_append_int64(&rest, "limit_ms", -1, 100);
    bson_reinit(message_body(message));
    bson_concat(message_body(message), &rest);
    bson_destroy(&rest);
    desk_open_message(&d, message);
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 2304});
    assert_int_equal(outcome.failure.error, HQ_ETIMEOUT);
    assert_non_null(strstr(outcome.failure.reason.text, "0.1 s"));
    assert_non_null(strstr(outcome.failure.reason.text, "uproot-Zmumu.root"));
    buffer_clear(&outcome.contents);
    desk_close(&d);
}

static void *cancel_it(void *task)
{
    usleep(20000); /* whether it has begun by then or not, it must end */
    task_cancel(task);
    return NULL;
}

static void a_task_that_is_cancelled_while_it_runs_ends(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "uproot-Zmumu.root", endless_text);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_it, d.task), 0);
    hq_outcome outcome = execute(&d, (hq_order){7, 0, 0, 0, 2304});
    assert_int_equal(outcome.failure.error, HQ_ECANCELLED);
    buffer_clear(&outcome.contents);
    pthread_join(thread, NULL);
    desk_close(&d);
}

static void *drop_it(void *task)
{
    usleep(20000); /* whether it has begun by then or not, it must end */
    task_drop(task, 5);
    return NULL;
}

static void an_order_that_is_dropped_ends_and_no_other_6(void **state)
{
    (void)state;
    desk d;
    desk_open(&d, "uproot-Zmumu.root", endless_text);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drop_it, d.task), 0);
    hq_outcome outcome = execute(&d, (hq_order){7, 5, 0, 0, 2304});
    assert_int_equal(outcome.failure.error, HQ_ECANCELLED);
    buffer_clear(&outcome.contents);
    pthread_join(thread, NULL);
    desk_close(&d);

    desk_open(&d, "uproot-Zmumu.root", mass_text);
    task_drop(d.task, 3);
    for (uint32_t i = 0; i < 5; i++) {
        outcome = execute(&d, (hq_order){7, i, 0, 0, 10});
        assert_int_equal(outcome.failure.error, i == 3 ? HQ_ECANCELLED : HQ_OK);
        buffer_clear(&outcome.contents);
    }
    assert_false(task_is_cancelled(d.task));
    desk_close(&d);
}

/* ---- a QUERY that is none ---- */

static hq_error new_task(hq_message *message)
{
    hq_task *task = NULL;
    hq_reason reason = {{0}};
    hq_error error = task_new(message, NULL, &task, &reason);
    message_free(&message);
    assert_true(error == HQ_OK || (task == NULL && reason.text[0] != 0));
    task_release(&task);
    return error;
}

static void a_query_with_something_missing_is_malformed_6(void **state)
{
    (void)state;
    static const char *const keys[] = {"handle", "name", "text", "limit_ms"};
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    assert_int_equal(new_task(query_of(1, mass_text, dataset)), HQ_OK);
    for (int i = 0; i < 4; i++) {
        hq_message *message = query_of(1, mass_text, dataset);
        bson_t rest = BSON_INITIALIZER;
        bson_copy_to_excluding_noinit(message_body(message), &rest, keys[i], NULL);
        bson_reinit(message_body(message));
        bson_concat(message_body(message), &rest);
        bson_destroy(&rest);
        assert_int_equal(new_task(message), HQ_EPROTOCOL);
    }
    hq_message *whole = query_of(1, mass_text, dataset);
    size_t size;
    const void *schema = message_payload(whole, 0, &size);
    for (int payloads = 0; payloads < 3; payloads++) { /* none; the schema only; the schema and nonsense */
        hq_message *message = message_new(HQ_QUERY);
        bson_concat(message_body(message), message_body(whole));
        if (payloads > 0)
            message_copy_payload(message, schema, size);
        if (payloads > 1)
            message_copy_payload(message, "nonsense", 8);
        assert_int_equal(new_task(message), HQ_EPROTOCOL);
    }
    message_free(&whole);
    dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_yields_the_histogram_of_its_entries),
        cmocka_unit_test(an_order_without_entries_needs_no_file),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_file_that_changed_is_a_mismatch_6_3),
        cmocka_unit_test(an_order_for_no_file_of_the_table_is_refused),
        cmocka_unit_test(an_index_out_of_range_names_query_entry_and_file_4_4),
        cmocka_unit_test(a_text_that_the_worker_does_not_understand_fails_every_order),
        cmocka_unit_test(a_cancelled_task_is_not_begun),
        cmocka_unit_test(a_subtask_that_takes_too_long_is_ended_4_3),
        cmocka_unit_test(a_task_that_is_cancelled_while_it_runs_ends),
        cmocka_unit_test(an_order_that_is_dropped_ends_and_no_other_6),
        cmocka_unit_test(a_query_with_something_missing_is_malformed_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
