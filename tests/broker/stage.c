#include "tests/broker/stage.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "wire/socket.h"

const char stage_text[] = "from hist import Hist, axis\n"
                          "h = Hist(axis.Regular(10, 0, 10, name=\"x\"))\n"
                          "for event in events:\n"
                          "    h.fill(1.0)\n";

/* ---- the broker ---- */

hq_broker_settings stage_settings(void)
{
    static int number;
    static char front[64], back[64], coordinator[64];
    snprintf(front, sizeof front, "inproc://front-%d", number);
    snprintf(back, sizeof back, "inproc://back-%d", number);
    snprintf(coordinator, sizeof coordinator, "local:stage-%d", number++);
    hq_log_set_level(HQ_LOG_ERROR); /* what is refused on purpose is logged as a warning */
    return (hq_broker_settings){.front = front,
                                .back = back,
                                .coordinator = coordinator,
                                .store = (char *)"sqlite::memory:",
                                .session_ms = 10000,
                                .lease_ms = 600000,
                                .keep_ms = 3600000,
                                .store_timeout_ms = 10000,
                                .partition_entries = 100000,
                                .attempts = 3,
                                .max_queries = 100,
                                .max_subtasks = 1000000};
}

static void *run_broker(void *context)
{
    stage *s = context;
    hq_reason reason = {{0}};
    s->error = broker_run(s->broker, &reason);
    return NULL;
}

stage *stage_start(const hq_broker_settings *settings)
{
    return stage_start_with(settings, NULL, NULL);
}

stage *stage_start_with(const hq_broker_settings *settings, void (*prepare)(hq_broker *broker, void *context),
                        void *context)
{
    stage *s = hq_calloc(1, sizeof *s);
    hq_reason reason = {{0}};
    if (broker_new(settings, &s->broker, &reason))
        fail_msg("%s", reason.text);
    if (prepare)
        prepare(s->broker, context);
    assert_int_equal(pthread_create(&s->thread, NULL, run_broker, s), 0);
    s->watcher = stage_client(s);
    return s;
}

void stage_stop_broker(stage *s)
{
    broker_stop(s->broker);
    pthread_join(s->thread, NULL);
    s->thread = 0;
}

void stage_end(stage **stage_p)
{
    stage *s = *stage_p;
    if (s->thread) {
        stage_counter(s, "queries"); /* it still answers */
        stage_stop_broker(s);
    }
    assert_int_equal(s->error, HQ_OK);
    zsock_destroy(&s->watcher);
    broker_free(&s->broker);
    assert_null(s->broker);
    free(s);
    *stage_p = NULL;
}

zsock_t *stage_client(const stage *s)
{
    zsock_t *socket = NULL;
    hq_reason reason = {{0}};
    if (socket_dealer(broker_front(s->broker), &socket, &reason))
        fail_msg("%s", reason.text);
    return socket;
}

static hq_message *ask_status(stage *s)
{
    hq_message *message = message_new(HQ_STATUS);
    message_put_int32(message, "request", 5);
    talk_send(s->watcher, message);
    return talk_expect(s->watcher, HQ_STATE);
}

int64_t stage_counter(stage *s, const char *key)
{
    hq_message *message = ask_status(s);
    bson_iter_t iter, counters;
    if (!bson_iter_init_find(&iter, message_body(message), "counters") || !bson_iter_recurse(&iter, &counters) ||
        !bson_iter_find(&counters, key) || !BSON_ITER_HOLDS_INT64(&counters))
        fail_msg("STATE has no counter %s", key);
    int64_t value = bson_iter_int64(&counters);
    message_free(&message);
    return value;
}

void stage_wait_counter(stage *s, const char *key, int64_t value)
{
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS, is;
    while ((is = stage_counter(s, key)) != value) {
        if (hq_now_ms() > end_ms)
            fail_msg("%s is %lld, not %lld", key, (long long)is, (long long)value);
        usleep(2000);
    }
}

void stage_wait_idle(stage *s)
{
    int64_t end_ms = hq_now_ms() + TALK_WAIT_MS;
    for (bool is_idle = false; !is_idle;) {
        hq_message *message = ask_status(s);
        is_idle = talk_int(message, "queries") == 0;
        message_free(&message);
        if (!is_idle && hq_now_ms() > end_ms)
            fail_msg("a query is still under way");
        usleep(is_idle ? 0 : 2000);
    }
}

/* ---- clients ---- */

hq_message *submit_of(int request, const char *text, const char *spec)
{
    hq_message *message = message_new(HQ_SUBMIT);
    bson_t specs;
    message_put_int32(message, "request", request);
    message_put_text(message, "name", "q.py");
    message_put_text(message, "text", text);
    bson_append_array_begin(message_body(message), "dataset", -1, &specs);
    bson_append_utf8(&specs, "0", -1, spec, -1);
    bson_append_array_end(message_body(message), &specs);
    message_put_text(message, "user", "somebody");
    message_put_int32(message, "priority", 500);
    message_put_bool(message, "fresh", false);
    message_put_bool(message, "progress", false);
    message_put_int(message, "partition_entries", 0);
    return message;
}

hq_message *without(hq_message *message, const char *key)
{
    bson_t rest = BSON_INITIALIZER;
    bson_copy_to_excluding_noinit(message_body(message), &rest, key, NULL);
    bson_reinit(message_body(message));
    bson_concat(message_body(message), &rest);
    bson_destroy(&rest);
    return message;
}

hq_histset *result_of(const hq_message *message)
{
    size_t size;
    const void *bytes = message_payload(message, 0, &size);
    hq_histset *set = NULL;
    hq_reason reason = {{0}};
    if (histset_decode_whole(bytes, size, &set, &reason))
        fail_msg("%s", reason.text);
    return set;
}

int64_t result_count(const hq_message *message, double value)
{
    hq_histset *set = result_of(message);
    assert_int_equal(set->count, 1);
    assert_string_equal(hist_name(set->hists[0]), "h");
    const int64_t *bins = hist_bins_const(set->hists[0]);
    int64_t count = bins[axis_index(hist_axis(set->hists[0], 0), value)];
    histset_free(&set);
    return count;
}

/* ---- workers ---- */

void fake_hello(fake_worker *w)
{
    hq_message *message = message_new(HQ_HELLO);
    message_put_hash(message, "worker", &w->id);
    message_put_text(message, "host", "somewhere");
    message_put_text(message, "version", "0.1.0");
    message_put_int32(message, "slots", 2);
    message_put_int(message, "memory", 1 << 20);
    message_put_int32(message, "credit", w->credit);
    talk_send(w->socket, message);
}

fake_worker *fake_join(const stage *s, int number, int credit)
{
    fake_worker *w = hq_calloc(1, sizeof *w);
    hq_reason reason = {{0}};
    w->id = hash_of(&number, sizeof number);
    w->credit = credit;
    if (socket_dealer(broker_back(s->broker), &w->socket, &reason))
        fail_msg("%s", reason.text);
    fake_hello(w);
    hq_message *message = talk_expect(w->socket, HQ_WELCOME);
    message_free(&message);
    return w;
}

void fake_free(fake_worker **w_p)
{
    zsock_destroy(&(*w_p)->socket);
    free(*w_p);
    *w_p = NULL;
}

static bool is_told(const fake_worker *w, uint32_t handle)
{
    for (size_t i = 0; i < w->handle_count; i++)
        if (w->handles[i] == handle)
            return true;
    return false;
}

static void take_message(fake_worker *w, hq_message *message)
{
    size_t size;
    const void *bytes = message_payload(message, 0, &size);
    uint32_t handle = message_command(message) == HQ_SUBTASKS ? 0 : (uint32_t)talk_int(message, "handle");
    if (message_command(message) == HQ_QUERY) {
        bool is_known = is_told(w, handle);
        assert_true(w->is_forgetful || !is_known);
        if (!is_known)
            w->handles[w->handle_count++] = handle;
        return;
    }
    if (message_command(message) == HQ_DROP) {
        assert_true(is_told(w, handle));
        if (bson_has_field(message_body(message), "index")) {
            fake_forget(w, &(hq_order){.handle = handle, .index = (uint32_t)talk_int(message, "index")});
            w->subtask_drops++;
        } else {
            w->drops++;
        }
        return;
    }
    assert_int_equal(message_command(message), HQ_SUBTASKS);
    hq_cursor cursor = cursor_over(bytes, size);
    hq_order order;
    while (order_next(&cursor, &order)) {
        assert_true(is_told(w, order.handle) && w->count < FAKE_MAX);
        w->orders[w->count++] = order;
    }
    assert_true(cursor_is_complete(&cursor));
    assert_true((int)w->count <= w->credit);
}

static void receive_one(fake_worker *w, const char *waited_for)
{
    hq_message *message = talk_next(w->socket, TALK_WAIT_MS);
    if (!message)
        fail_msg("no %s came: %zu orders at hand", waited_for, w->count);
    if (message_command(message) == HQ_REJECTED)
        fail_msg("refused: %s", talk_text(message, "text"));
    take_message(w, message);
    message_free(&message);
}

void fake_collect(fake_worker *w, size_t count)
{
    while (w->count < count)
        receive_one(w, "order");
    assert_int_equal(w->count, count);
}

void fake_drain(fake_worker *w, int wait_ms)
{
    while (talk_has_input(w->socket, wait_ms))
        receive_one(w, "message");
}

void fake_collect_drops(fake_worker *w, size_t drops)
{
    while (w->drops < drops)
        receive_one(w, "DROP");
}

bool fake_hears_nothing(fake_worker *w, stage *s)
{
    stage_counter(s, "queries");
    stage_counter(s, "queries");
    return !talk_has_input(w->socket, 0);
}

void fake_forget(fake_worker *w, const hq_order *order)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->orders[i].handle == order->handle && w->orders[i].index == order->index) {
            w->orders[i] = w->orders[--w->count];
            return;
        }
}

void fake_say(fake_worker *w, const hq_answer *answer)
{
    hq_message *message = message_new(HQ_PARTIALS);
    hq_buffer answers = {0}, contents = {0};
    answer_encode(answer, &answers, &contents);
    message_put_int32(message, "credit", w->credit);
    message_add_payload(message, &answers);
    message_add_payload(message, &contents);
    talk_send(w->socket, message);
}

void fake_answer(fake_worker *w, hq_order order, double value)
{
    hq_axis axis = {.name = (char *)"x", .label = (char *)"", .bins = 10, .low = 0, .high = 10};
    hq_hist *hist = hist_new("h", &axis, 1, HQ_COUNT);
    hist_fill(hist, &value, 1);
    hq_histset *set = histset_new(&hist, 1);
    hq_buffer bytes = {0};
    histset_encode(set, &bytes);
    fake_forget(w, &order);
    fake_say(w, &(hq_answer){.handle = order.handle,
                             .index = order.index,
                             .entries = order.last - order.first,
                             .read_bytes = 10,
                             .cached_bytes = 20,
                             .contents = bytes.bytes,
                             .size = (uint32_t)bytes.size});
    buffer_clear(&bytes);
    histset_free(&set);
}

void fake_answer_all(fake_worker *w, double value)
{
    while (w->count)
        fake_answer(w, w->orders[0], value);
}

void fake_fail(fake_worker *w, hq_order order, hq_error error, const char *text)
{
    hq_failure failure = {.error = error, .entry = 3, .line = error == HQ_EQUERY ? 4 : 0};
    hq_fail(&failure.reason, error, "%s", text);
    fake_fail_as(w, order, &failure);
}

void fake_fail_as(fake_worker *w, hq_order order, const hq_failure *failure)
{
    hq_buffer bytes = {0};
    failure_encode(failure, &bytes);
    fake_forget(w, &order);
    fake_say(w, &(hq_answer){.handle = order.handle,
                             .index = order.index,
                             .is_failed = true,
                             .contents = bytes.bytes,
                             .size = (uint32_t)bytes.size});
    buffer_clear(&bytes);
}

void fake_say_credit(fake_worker *w, int credit)
{
    w->credit = credit;
    hq_message *message = message_new(HQ_CREDIT);
    message_put_int32(message, "credit", credit);
    message_put_int(message, "hits", 1);
    message_put_int(message, "misses", 2);
    message_put_int(message, "cache_bytes", 3);
    talk_send(w->socket, message);
}
