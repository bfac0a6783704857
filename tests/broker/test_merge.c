/* What is merged behind the loop: the result is the same bit for bit as what the loop merges itself, and nobody else
 * waits for it. */
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "tests/broker/stage.h"
#include "wire/socket.h"

enum { SUBTASKS = 40 };

static char *samples; /* several files of one tree */

/* ---- mergers that stand still ---- */

enum { GATES = 8 }; /* more than there are mergers */

typedef struct gate {
    sem_t open;
} gate;

static void gate_run(void *context)
{
    gate *g = context;
    while (sem_wait(&g->open) != 0)
        continue;
}

static void gate_end(void *context)
{
    (void)context;
}

static void gate_shut(hq_broker *broker, void *context)
{
    gate *g = context;
    sem_init(&g->open, 0, 0);
    for (int i = 0; i < GATES; i++)
        jobs_give(broker->mergers, gate_run, gate_end, g);
}

static void gate_open(gate *g)
{
    for (int i = 0; i < GATES; i++)
        sem_post(&g->open);
}

/* ---- queries of so many bins, and what comes of them ---- */

static char *text_of(int bins)
{
    return hq_format("from hist import Hist, axis, storage\n"
                     "h = Hist(axis.Regular(%d, 0, 1, name=\"x\"), storage=storage.Weight())\n"
                     "for event in events:\n"
                     "    h.fill(0.5)\n",
                     bins);
}

static hq_histset *shape_of(int bins)
{
    hq_axis axis = {.name = (char *)"x", .label = (char *)"", .bins = (uint32_t)bins, .low = 0, .high = 1};
    hq_hist *hist = hist_new("h", &axis, 1, HQ_WEIGHTED);
    return histset_new(&hist, 1);
}

static double next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* Of one partial. With DENSE bins all of them are filled, so that its bytes stay in the message. */
enum { FILLS = 60, DENSE = 5000 };

static int64_t fills_of(int bins)
{
    return FILLS + (bins == DENSE ? bins : 0);
}

/* The partial of a subtask: weights of very different size, so that another order of the sums shows. */
static hq_buffer partial_of(int bins, uint32_t index)
{
    hq_histset *set = shape_of(bins);
    hq_buffer bytes = {0};
    uint64_t seed = 1000 + index;
    for (size_t i = 0; bins == DENSE && i < DENSE; i++)
        hist_fill_bin(set->hists[0], i, next_number(&seed), 0);
    for (int i = 0; i < FILLS; i++) {
        double at = next_number(&seed) * 10 / bins, weight = next_number(&seed) - 0.5;
        hist_fill(set->hists[0], &at, i % 3 ? weight : weight * 1e9);
    }
    histset_encode(set, &bytes);
    histset_free(&set);
    return bytes;
}

/* The same with something in every bin. */
static hq_buffer full_partial_of(int bins, uint32_t index)
{
    hq_histset *set = shape_of(bins);
    hq_buffer bytes = {0};
    uint64_t seed = 5000 + index;
    for (int i = 0; i < bins; i++)
        hist_fill_bin(set->hists[0], (size_t)i, next_number(&seed), 1);
    histset_encode(set, &bytes);
    histset_free(&set);
    return bytes;
}

static void say(fake_worker *w, const hq_order *order, const void *bytes, size_t size)
{
    fake_forget(w, order);
    fake_say(w, &(hq_answer){.handle = order->handle,
                             .index = order->index,
                             .entries = order->last - order->first,
                             .contents = bytes,
                             .size = (uint32_t)size});
}

static void answer(fake_worker *w, const hq_order *order, int bins)
{
    hq_buffer bytes = partial_of(bins, order->index);
    say(w, order, bytes.bytes, bytes.size);
    buffer_clear(&bytes);
}

static hq_message *progressing(hq_message *message)
{
    without(message, "progress");
    message_put_bool(message, "progress", true);
    return message;
}

/* The DONE's result must be this sink's. */
static void expect_result(const hq_message *message, hq_sink *sink)
{
    hq_histset *set = result_of(message);
    assert_true(histset_is_equal(set, sink_result(sink)));
    histset_free(&set);
}

static void shuffle(hq_order *orders, size_t count, uint64_t *seed)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)(next_number(seed) * (double)i);
        hq_order kept = orders[i - 1];
        orders[i - 1] = orders[other];
        orders[other] = kept;
    }
}

static const int bins_of[] = {100, DENSE, 200000}; /* merged by the loop, behind it, and behind it packed */

/* ---- tests ---- */

static void the_result_is_that_of_the_tree_whoever_merges(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, SUBTASKS);
    uint64_t seed = 3;
    for (size_t k = 0; k < sizeof bins_of / sizeof *bins_of; k++) {
        char *text = text_of(bins_of[k]);
        hq_histset *shape = shape_of(bins_of[k]);
        uint32_t count = SUBTASKS;
        hq_sink *expected = sink_new(&count, 1, shape, false);
        for (uint32_t i = 0; i < count; i++) {
            hq_buffer bytes = partial_of(bins_of[k], i);
            assert_int_equal(sink_add(expected, i, bytes.bytes, bytes.size, NULL), HQ_OK);
            buffer_clear(&bytes);
        }
        for (int repeat = 0; repeat < 3; repeat++) {
            int64_t twice = stage_counter(s, "duplicates");
            hq_order orders[SUBTASKS];
            hq_message *message = progressing(submit_of(1, text, "empty:40"));
            without(message, "fresh");
            message_put_bool(message, "fresh", true);
            talk_send(client, message);
            fake_collect(worker, SUBTASKS);
            memcpy(orders, worker->orders, sizeof orders);
            shuffle(orders, SUBTASKS, &seed);
            for (size_t i = 0; i < SUBTASKS; i++) {
                answer(worker, &orders[i], bins_of[k]);
                if (i < SUBTASKS / 2) { /* again, and with other contents */
                    hq_buffer other = partial_of(bins_of[k], 99);
                    say(worker, &orders[i], other.bytes, other.size);
                    buffer_clear(&other);
                }
            }
            message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
            message_free(&message);
            message = talk_expect_past(client, HQ_PROGRESS, HQ_DONE);
            assert_int_equal(talk_int(message, "done"), SUBTASKS);
            expect_result(message, expected);
            message_free(&message);
            assert_int_equal(stage_counter(s, "duplicates"), twice + SUBTASKS / 2);
            assert_int_equal(stage_counter(s, "merging"), 0);
        }
        sink_free(&expected);
        histset_free(&shape);
        free(text);
    }
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
}

static void a_small_query_is_answered_while_a_large_one_is_merged(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *large = stage_client(s), *small = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(1000000);
    talk_send(large, progressing(submit_of(1, text, "empty:3")));
    fake_collect(worker, 3);
    while (worker->count) {
        hq_order order = worker->orders[0];
        answer(worker, &order, 1000000);
    }
    stage_wait_counter(s, "merging", 3);
    hq_message *message = talk_expect_past(large, HQ_PROGRESS, HQ_ACCEPTED);
    message_free(&message);
    for (int i = 0; i < 5; i++) {
        message = submit_of(2, stage_text, "empty:2");
        without(message, "fresh");
        message_put_bool(message, "fresh", true);
        talk_send(small, message);
        fake_collect(worker, 2);
        fake_answer_all(worker, 1);
        message = talk_expect(small, HQ_ACCEPTED);
        message_free(&message);
        message = talk_expect(small, HQ_DONE);
        assert_int_equal(result_count(message, 1), 2);
        message_free(&message);
    }
    assert_int_equal(stage_counter(s, "merging"), 3); /* and the large one still is */
    assert_false(talk_has_input(large, 0));
    gate_open(&mergers);
    message = talk_expect_past(large, HQ_PROGRESS, HQ_DONE);
    message_free(&message);
    free(text);
    fake_free(&worker);
    zsock_destroy(&large);
    zsock_destroy(&small);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

/* What comes while another answer to the same subtask waits is decided in the order of coming. */
static void answers_to_one_subtask_that_wait_together_are_decided_in_their_order(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(DENSE);
    talk_send(client, submit_of(1, text, "empty:2"));
    fake_collect(worker, 2);
    hq_order first = worker->orders[0], second = worker->orders[1];
    say(worker, &first, "nonsense", 8); /* is refused, and the subtask given again */
    answer(worker, &first, DENSE);      /* counts all the same */
    say(worker, &first, "nonsense", 8); /* too late to matter */
    fake_fail(worker, second, HQ_EIO, "the disk is on fire");
    stage_wait_counter(s, "merging", 4);
    assert_int_equal(stage_counter(s, "requeued"), 0);
    gate_open(&mergers);
    stage_wait_counter(s, "merging", 0);
    assert_int_equal(stage_counter(s, "subtasks"), 1);
    assert_int_equal(stage_counter(s, "requeued"), 2);
    assert_int_equal(stage_counter(s, "duplicates"), 1);
    while (worker->count == 0 || worker->orders[worker->count - 1].index != second.index)
        fake_collect(worker, worker->count + 1); /* the first one may have been given again before it counted */
    answer(worker, &second, DENSE);
    hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    message_free(&message);
    message = talk_expect(client, HQ_DONE);
    uint32_t count = 2;
    hq_histset *shape = shape_of(DENSE);
    hq_sink *expected = sink_new(&count, 1, shape, false);
    for (uint32_t i = 0; i < count; i++) {
        hq_buffer bytes = partial_of(DENSE, i);
        assert_int_equal(sink_add(expected, i, bytes.bytes, bytes.size, NULL), HQ_OK);
        buffer_clear(&bytes);
    }
    expect_result(message, expected);
    message_free(&message);
    sink_free(&expected);
    histset_free(&shape);
    free(text);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

/* A worker says goodbye while its answers wait: they count, and what was given to another one for it does not. */
static void answers_of_a_worker_that_left_count(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(DENSE);
    talk_send(client, submit_of(1, text, "empty:3"));
    fake_collect(worker, 3);
    while (worker->count) {
        hq_order order = worker->orders[0];
        answer(worker, &order, DENSE);
    }
    talk_send(worker->socket, message_new(HQ_BYE));
    stage_wait_counter(s, "merging", 3);
    fake_worker *other = fake_join(s, 2, 100);
    fake_collect(other, 3); /* as far as the scheduler knows, they are still to be computed */
    gate_open(&mergers);
    hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    message_free(&message);
    message = talk_expect(client, HQ_DONE);
    assert_int_equal(talk_int(message, "done"), 3);
    message_free(&message);
    assert_int_equal(stage_counter(s, "subtasks"), 3);
    free(text);
    fake_free(&worker);
    fake_free(&other);
    zsock_destroy(&client);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

static void a_query_is_cancelled_while_its_answers_wait(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(200000);
    talk_send(client, progressing(submit_of(1, text, "empty:5")));
    fake_collect(worker, 5);
    for (int i = 0; i < 4; i++) {
        hq_order order = worker->orders[0];
        answer(worker, &order, 200000);
    }
    stage_wait_counter(s, "merging", 4);
    hq_message *message = message_new(HQ_CANCEL);
    message_put_int32(message, "request", 1);
    talk_send(client, message);
    message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    message_free(&message);
    message = talk_expect(client, HQ_FAILED);
    assert_string_equal(talk_text(message, "state"), "CANCELLED");
    message_free(&message);
    gate_open(&mergers);
    stage_wait_counter(s, "merging", 0);
    assert_int_equal(stage_counter(s, "subtasks"), 0);
    free(text);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

/* A broker that stops merges what has come, so that it is in the store for whoever asks again. */
static void a_broker_that_stops_keeps_what_waits(void **state)
{
    (void)state;
    char *folder = hq_strdup("/tmp/hq-merge-XXXXXX");
    assert_non_null(mkdtemp(folder));
    char *store = hq_format("sqlite:%s/store", folder), *text = text_of(DENSE), *spec = hq_format("%s:events", samples);
    gate mergers;
    hq_broker_settings settings = stage_settings();
    settings.store = store;
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    talk_send(client, submit_of(1, text, spec));
    hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    size_t subtasks = (size_t)talk_int(message, "subtasks");
    message_free(&message);
    assert_true(subtasks >= 3);
    fake_collect(worker, subtasks);
    for (size_t i = 0; i + 1 < subtasks; i++) {
        hq_order order = worker->orders[0];
        answer(worker, &order, DENSE);
    }
    stage_wait_counter(s, "merging", (int64_t)subtasks - 1);
    broker_stop(s->broker);
    gate_open(&mergers);
    stage_stop_broker(s);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);

    settings = stage_settings();
    settings.store = store;
    s = stage_start(&settings);
    client = stage_client(s);
    talk_send(client, submit_of(1, text, spec));
    message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
    assert_int_equal(talk_int(message, "stored"), subtasks - 1);
    message_free(&message);
    zsock_destroy(&client);
    stage_end(&s);
    sem_destroy(&mergers.open);
    free(store);
    free(text);
    free(spec);
    zsys_dir_delete("%s", folder);
    free(folder);
}

static void say_damaged(fake_worker *w, const hq_order *order)
{
    hq_failure failure = {.error = HQ_EFORMAT, .is_of_file = true};
    hq_fail(&failure.reason, HQ_EFORMAT, "the file is damaged");
    hq_buffer bytes = {0};
    failure_encode(&failure, &bytes);
    fake_forget(w, order);
    fake_say(w, &(hq_answer){.handle = order->handle,
                             .index = order->index,
                             .is_failed = true,
                             .contents = bytes.bytes,
                             .size = (uint32_t)bytes.size});
    buffer_clear(&bytes);
}

/* The sink of a query that never knew of the bad one among the files. */
static hq_sink *sink_without(const uint32_t *sizes, uint32_t files, uint32_t bad, int bins)
{
    uint32_t kept_sizes[FAKE_MAX], kept = 0, index = 0, place = 0;
    hq_histset *shape = shape_of(bins);
    for (uint32_t f = 0; f < files; f++)
        if (f != bad)
            kept_sizes[kept++] = sizes[f];
    hq_sink *sink = sink_new(kept_sizes, kept, shape, false);
    for (uint32_t f = 0; f < files; f++)
        for (uint32_t i = 0; i < sizes[f]; i++, index++) {
            hq_buffer bytes = partial_of(bins, index);
            if (f != bad)
                assert_int_equal(sink_add(sink, place++, bytes.bytes, bytes.size, NULL), HQ_OK);
            buffer_clear(&bytes);
        }
    histset_free(&shape);
    return sink;
}

/* Files of several subtasks, one of which cannot be read: the rest is what a query gives that never knew of it. */
static void a_file_left_out_leaves_no_trace_whoever_merges(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"none";
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *spec = hq_format("%s:events", samples);
    uint64_t seed = 17;
    for (size_t k = 0; k < 3 * sizeof bins_of / sizeof *bins_of; k++) {
        int bins = bins_of[k / 3];
        char *text = text_of(bins);
        hq_message *message = progressing(submit_of(1, text, spec));
        message_put_bool(message, "skip_bad_files", true);
        talk_send(client, message);
        message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
        size_t subtasks = (size_t)talk_int(message, "subtasks");
        message_free(&message);
        fake_collect(worker, subtasks);
        hq_order orders[FAKE_MAX];
        memcpy(orders, worker->orders, subtasks * sizeof *orders);
        uint32_t sizes[FAKE_MAX] = {0}, bad = 1 + (uint32_t)k % 3, files = 0;
        for (size_t i = 0; i < subtasks; i++) {
            sizes[orders[i].file]++;
            files = orders[i].file >= files ? orders[i].file + 1 : files;
        }
        assert_true(files > 4);
        hq_sink *expected = sink_without(sizes, files, bad, bins);
        shuffle(orders, subtasks, &seed);
        for (size_t i = 0, last_bad = 0; i < subtasks; i++) {
            if (orders[i].file != bad || ++last_bad < sizes[bad]) {
                answer(worker, &orders[i], bins);
                continue;
            }
            say_damaged(worker, &orders[i]);
        }
        message = talk_expect_past(client, HQ_PROGRESS, HQ_DONE);
        assert_int_equal(talk_int(message, "left_out_count"), 1);
        expect_result(message, expected);
        message_free(&message);
        sink_free(&expected);
        free(text);
    }
    free(spec);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
}

/* The first PROGRESS comes with the first partial, none sooner than a tenth of a second after the one before, and each
 * has the histogram of the entries that it tells of. */
static void progress_comes_at_once_and_then_ten_times_a_second_at_most_4_1(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof bins_of / sizeof *bins_of; k++) {
        hq_broker_settings settings = stage_settings();
        settings.store = (char *)"none";
        settings.partition_entries = 1;
        stage *s = stage_start(&settings);
        zsock_t *client = stage_client(s);
        fake_worker *worker = fake_join(s, 1, 100);
        char *text = text_of(bins_of[k]), *spec = hq_format("%s:events", samples);
        talk_send(client, progressing(submit_of(1, text, spec)));
        hq_message *message = talk_expect_past(client, HQ_PROGRESS, HQ_ACCEPTED);
        size_t subtasks = (size_t)talk_int(message, "subtasks");
        int64_t entries = talk_int(message, "entries"), told_ms = 0, seen = 0;
        message_free(&message);
        fake_collect(worker, subtasks);
        for (size_t i = 0; i < subtasks; i++) {
            hq_order order = worker->orders[0];
            answer(worker, &order, bins_of[k]);
            stage_wait_counter(s, "subtasks", (int64_t)i + 1);
            if (i > 0 && i + 1 < subtasks)
                continue;
            message = talk_next(client, TALK_WAIT_MS);
            assert_non_null(message);
            while (message_command(message) == HQ_PROGRESS) {
                assert_true(seen == 0 || talk_int(message, "elapsed_ms") - told_ms >= 99);
                told_ms = talk_int(message, "elapsed_ms");
                seen++;
                assert_true(talk_int(message, "entries") > 0 && talk_int(message, "entries") <= entries);
                hq_histset *set = result_of(message);
                assert_int_equal(hist_entries(set->hists[0]), fills_of(bins_of[k]) * talk_int(message, "done"));
                histset_free(&set);
                if (i == 0)
                    break;
                message_free(&message);
                message = talk_next(client, TALK_WAIT_MS);
                assert_non_null(message);
            }
            assert_int_equal(message_command(message), i == 0 ? HQ_PROGRESS : HQ_DONE);
            message_free(&message);
        }
        assert_true(seen >= 1);
        free(text);
        free(spec);
        fake_free(&worker);
        zsock_destroy(&client);
        stage_end(&s);
    }
}

/* ---- what there is memory for ---- */

enum { FULL = 70000, FULL_BYTES = 16 * FULL, MEMORY = 12 << 20 };

static void answer_full(fake_worker *w, const hq_order *order)
{
    hq_buffer bytes = full_partial_of(FULL, order->index);
    say(w, order, bytes.bytes, bytes.size);
    buffer_clear(&bytes);
}

/* Answers whatever comes, the last first, until the query is done; its result must be that of full partials, but for
 * the one of that index. */
static void finish_full(stage *s, zsock_t *client, fake_worker *w, uint32_t but)
{
    while (!talk_has_input(client, 0)) {
        fake_drain(w, 5);
        while (w->count) {
            hq_order order = w->orders[w->count - 1];
            answer_full(w, &order);
            fake_drain(w, 0);
        }
    }
    hq_message *message = talk_expect(client, HQ_DONE);
    uint32_t count = SUBTASKS;
    hq_histset *shape = shape_of(FULL);
    hq_sink *expected = sink_new(&count, 1, shape, false);
    for (uint32_t i = 0; i < count; i++) {
        hq_buffer bytes = i == but ? partial_of(FULL, i) : full_partial_of(FULL, i);
        assert_int_equal(sink_add(expected, i, bytes.bytes, bytes.size, NULL), HQ_OK);
        buffer_clear(&bytes);
    }
    expect_result(message, expected);
    message_free(&message);
    assert_int_equal(stage_counter(s, "merging"), 0);
    sink_free(&expected);
    histset_free(&shape);
}

/* All its answers together would take four times the memory it may have. */
static void a_query_whose_answers_wait_is_given_no_more_workers_and_goes_on_later(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"none";
    settings.query_memory = MEMORY;
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *large = stage_client(s), *small = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(FULL);
    size_t most = MEMORY / 2 / FULL_BYTES;
    talk_send(large, submit_of(1, text, "empty:40"));
    hq_message *message = talk_expect(large, HQ_ACCEPTED);
    message_free(&message);
    fake_collect(worker, most);
    assert_true(fake_hears_nothing(worker, s));
    while (worker->count) {
        hq_order order = worker->orders[0];
        answer_full(worker, &order);
    }
    stage_wait_counter(s, "merging", (int64_t)most);
    assert_true(fake_hears_nothing(worker, s));
    talk_send(small, submit_of(2, stage_text, "empty:20")); /* the worker is there for others */
    fake_collect(worker, 20);
    fake_answer_all(worker, 1);
    message = talk_expect_past(small, HQ_ACCEPTED, HQ_DONE);
    message_free(&message);
    assert_int_equal(stage_counter(s, "merging"), most);
    gate_open(&mergers);
    finish_full(s, large, worker, UINT32_MAX);
    assert_int_equal(stage_counter(s, "requeued"), 0);
    free(text);
    fake_free(&worker);
    zsock_destroy(&large);
    zsock_destroy(&small);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

/* The first answer is nearly empty, so that all the others are asked for at once. */
static void answers_that_there_is_no_room_for_are_computed_again(void **state)
{
    (void)state;
    gate mergers;
    hq_broker_settings settings = stage_settings();
    settings.store = (char *)"none";
    settings.query_memory = MEMORY;
    stage *s = stage_start_with(&settings, gate_shut, &mergers);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(FULL);
    talk_send(client, submit_of(1, text, "empty:40"));
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    message_free(&message);
    fake_collect(worker, MEMORY / 2 / FULL_BYTES);
    hq_order first = worker->orders[0];
    answer(worker, &first, FULL);
    fake_collect(worker, SUBTASKS - 1);
    for (size_t i = SUBTASKS - 1; i > 0; i--) {
        hq_order order = worker->orders[0];
        answer_full(worker, &order);
    }
    stage_wait_counter(s, "merging", 1 + MEMORY / FULL_BYTES);
    stage_wait_counter(s, "requeued", SUBTASKS - 1 - MEMORY / FULL_BYTES);
    gate_open(&mergers);
    finish_full(s, client, worker, first.index);
    free(text);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
    sem_destroy(&mergers.open);
}

static void a_query_that_needs_more_memory_by_itself_fails_4_3(void **state)
{
    (void)state;
    hq_broker_settings settings = stage_settings();
    settings.query_memory = 3 << 19; /* for one sum, but not for two */
    stage *s = stage_start(&settings);
    zsock_t *client = stage_client(s);
    fake_worker *worker = fake_join(s, 1, 100);
    char *text = text_of(FULL);
    talk_send(client, submit_of(1, text, "empty:40"));
    hq_message *message = talk_expect(client, HQ_ACCEPTED);
    message_free(&message);
    while (!talk_has_input(client, 0)) {
        fake_drain(worker, 5);
        assert_true(worker->count <= 1);
        if (worker->count) {
            hq_order order = worker->orders[0];
            answer_full(worker, &order);
        }
    }
    message = talk_expect(client, HQ_FAILED);
    assert_string_equal(talk_text(message, "code"), hq_error_name(HQ_ELIMIT));
    assert_non_null(
        strstr(talk_text(message, "text"), "a query may have 1.5 MiB (the broker's option --query-memory)"));
    message_free(&message);
    assert_int_equal(stage_counter(s, "subtasks"), 2);
    free(text);
    fake_free(&worker);
    zsock_destroy(&client);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_is_that_of_the_tree_whoever_merges),
        cmocka_unit_test(a_small_query_is_answered_while_a_large_one_is_merged),
        cmocka_unit_test(answers_to_one_subtask_that_wait_together_are_decided_in_their_order),
        cmocka_unit_test(answers_of_a_worker_that_left_count),
        cmocka_unit_test(a_query_is_cancelled_while_its_answers_wait),
        cmocka_unit_test(a_broker_that_stops_keeps_what_waits),
        cmocka_unit_test(a_file_left_out_leaves_no_trace_whoever_merges),
        cmocka_unit_test(progress_comes_at_once_and_then_ten_times_a_second_at_most_4_1),
        cmocka_unit_test(a_query_whose_answers_wait_is_given_no_more_workers_and_goes_on_later),
        cmocka_unit_test(answers_that_there_is_no_room_for_are_computed_again),
        cmocka_unit_test(a_query_that_needs_more_memory_by_itself_fails_4_3),
    };
    socket_prepare_process();
    samples = zsys_sprintf("%s/uproot-Zmumu-*.root", getenv("HQ_SAMPLES"));
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    free(samples);
    socket_end_process();
    return failures;
}
