/* The executors: every order answered once, to the link it came from; what is cancelled or forgotten is not. */
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/worker/questions.h"
#include "worker/pool.h"

enum { MANY = 20000, LINKS = 3 };

typedef struct crew {
    hq_cache *cache;
    hq_files *files;
    hq_pool *pool;
} crew;

static void crew_start_ahead(crew *c, size_t slots, size_t readers, size_t ahead_bytes)
{
    c->cache = cache_new(64 << 20);
    c->files = files_new(10, NULL);
    c->pool = pool_new(slots, readers, ahead_bytes, c->cache, c->files, NULL);
}

static void crew_start(crew *c, size_t slots)
{
    crew_start_ahead(c, slots, 2, 8 << 20);
}

static void crew_end(crew *c)
{
    pool_free(&c->pool);
    assert_null(c->pool);
    pool_free(&c->pool);
    files_free(&c->files);
    cache_free(&c->cache);
}

static hq_task *task_for(uint32_t handle, const char *text, const hq_dataset *dataset)
{
    hq_message *message = query_of(handle, text, dataset);
    hq_task *task = NULL;
    hq_reason reason = {{0}};
    if (task_new(message, NULL, &task, &reason))
        fail_msg("%s", reason.text);
    message_free(&message);
    return task;
}

static hq_batch *next_batch(hq_pool *pool)
{
    hq_batch *batch;
    while (!(batch = pool_take(pool))) {
        struct pollfd item = {pool_fd(pool), POLLIN, 0};
        if (poll(&item, 1, TALK_WAIT_MS) != 1)
            fail_msg("no batch came");
    }
    return batch;
}

/* Calls each for every answer until nothing is under way; gives the number of answers. */
static size_t gather(hq_pool *pool, void (*each)(void *context, uint32_t link, const hq_answer *answer), void *context)
{
    size_t count = 0;
    while (pool_under_way(pool) > 0) {
        size_t before = pool_under_way(pool), in_batch = 0;
        hq_batch *batch = next_batch(pool);
        assert_int_equal(pool_under_way(pool), before - batch->orders);
        assert_true(batch->busy_us >= 0);
        hq_cursor answers = cursor_over(batch->answers.bytes, batch->answers.size);
        hq_cursor contents = cursor_over(batch->contents.bytes, batch->contents.size);
        hq_answer answer;
        for (; answer_next(&answers, &contents, &answer); in_batch++)
            each(context, batch->link, &answer);
        assert_true(cursor_is_complete(&answers) && cursor_is_complete(&contents));
        assert_true(in_batch <= batch->orders);
        count += in_batch;
        batch_free(&batch);
        assert_null(batch);
    }
    return count;
}

static void note_answer(void *context, uint32_t link, const hq_answer *answer)
{
    uint8_t *answered = context;
    assert_false(answer->is_failed);
    assert_int_equal(answer->handle, 100 + link);
    assert_true(answer->index < MANY);
    answered[link * MANY + answer->index]++;
}

static void every_order_is_answered_once_to_its_link(void **state)
{
    (void)state;
    crew c;
    crew_start(&c, 4);
    hq_dataset *dataset = dataset_of("empty:1");
    hq_task *tasks[LINKS];
    for (uint32_t i = 0; i < LINKS; i++)
        tasks[i] = task_for(100 + i,
                            "from hist import Hist, axis\nh = Hist(axis.Regular(1, 0, 1))\n"
                            "for event in events:\n    h.fill(0.5)\n",
                            dataset);
    uint8_t *answered = hq_calloc(LINKS * MANY, 1);
    hq_assigned *assigned = hq_calloc(LINKS * MANY, sizeof *assigned);
    for (uint32_t i = 0; i < LINKS * MANY; i++) {
        uint32_t link = i % LINKS;
        assigned[i] = (hq_assigned){task_hold(tasks[link]), {100 + link, i / LINKS, 0, 5, 5}, link};
    }
    for (uint32_t at = 0, step = 1; at < LINKS * MANY; at += step, step = step * 2 + 1) { /* few and many at once */
        if (step > LINKS * MANY - at)
            step = LINKS * MANY - at;
        pool_give(c.pool, assigned + at, step);
    }
    assert_int_equal(pool_under_way(c.pool), LINKS * MANY);
    assert_int_equal(gather(c.pool, note_answer, answered), LINKS * MANY);
    for (uint32_t i = 0; i < LINKS * MANY; i++)
        assert_int_equal(answered[i], 1);
    assert_null(pool_take(c.pool));
    free(assigned);
    free(answered);
    for (int i = 0; i < LINKS; i++)
        task_release(&tasks[i]);
    dataset_free(&dataset);
    crew_end(&c);
}

typedef struct sums {
    const hq_dataset *dataset;
    hq_histset *whole;
    uint64_t entries, bytes;
    int failures;
} sums;

static void add_answer(void *context, uint32_t link, const hq_answer *answer)
{
    sums *s = context;
    (void)link;
    if (answer->is_failed) {
        hq_failure failure;
        assert_int_equal(failure_decode(answer->contents, answer->size, &failure), HQ_OK);
        assert_int_equal(failure.error, HQ_EPROTOCOL);
        s->failures++;
        return;
    }
    hq_histset *part = hists_of(mass_text, s->dataset, answer->contents, answer->size);
    assert_int_equal(histset_merge(s->whole, part, NULL), HQ_OK);
    histset_free(&part);
    s->entries += answer->entries;
    s->bytes += answer->read_bytes + answer->cached_bytes;
}

/* More queries than an executor keeps histograms for, each cut into single entries, some orders wrong. */
static void many_queries_at_once_do_not_mix(void **state)
{
    (void)state;
    enum { QUERIES = 12, CUTS = 64, LENGTH = 2304 / CUTS };
    crew c;
    crew_start(&c, 3);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0)};
    for (uint32_t cut = 0; cut < CUTS; cut++)
        for (uint32_t q = 0; q < QUERIES; q++) {
            hq_task *task = task_for(q, mass_text, dataset);
            pool_give(c.pool,
                      &(hq_assigned){task, {q, cut, cut == 7, (uint64_t)cut * LENGTH, (uint64_t)(cut + 1) * LENGTH}, 0},
                      1);
            if (cut > 2)
                break; /* compiling costs: the first few cuts for all, the rest for one */
        }
    size_t expected = 3 * QUERIES + CUTS - 3;
    assert_int_equal(gather(c.pool, add_answer, &s), expected);
    assert_int_equal(s.failures, 1);
    assert_int_equal(s.entries, (expected - 1) * LENGTH);
    assert_int_equal(hist_entries(s.whole->hists[0]), s.entries);
    assert_true(s.bytes > s.entries * sizeof(double) / 2);
    histset_free(&s.whole);
    dataset_free(&dataset);
    crew_end(&c);
}

static void no_answer(void *context, uint32_t link, const hq_answer *answer)
{
    (void)context;
    (void)link;
    fail_msg("subtask %u of a cancelled query was answered", answer->index);
}

static void a_cancelled_query_is_not_answered(void **state)
{
    (void)state;
    crew c;
    crew_start(&c, 2);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    hq_task *task = task_for(1, endless_text, dataset);
    hq_assigned assigned[100];
    for (uint32_t i = 0; i < 100; i++)
        assigned[i] = (hq_assigned){task_hold(task), {1, i, 0, i, i + 1000}, 0};
    pool_give(c.pool, assigned, 100);
    task_cancel(task);
    task_release(&task);
    assert_int_equal(gather(c.pool, no_answer, NULL), 0);
    dataset_free(&dataset);
    crew_end(&c);
}

static void what_is_queued_when_it_ends_is_forgotten(void **state)
{
    (void)state;
    crew c;
    crew_start(&c, 2);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    hq_assigned assigned[1000];
    hq_task *task = task_for(1, endless_text, dataset);
    for (uint32_t i = 0; i < 1000; i++)
        assigned[i] = (hq_assigned){task_hold(task), {1, i, 0, 0, 2304}, 0};
    pool_give(c.pool, assigned, 1000); /* a century of work */
    task_release(&task);
    int64_t begin_ms = hq_now_ms();
    crew_end(&c);
    assert_true(hq_now_ms() - begin_ms < TALK_WAIT_MS);
    dataset_free(&dataset);
}

/* Reads a column, and then is at it for years. */
static const char stuck_text[] = "from hist import Hist, axis\n"
                                 "h = Hist(axis.Regular(60, 60, 120, name=\"m\"))\n"
                                 "for event in events:\n"
                                 "    s = event.M\n"
                                 "    for i in range(100000):\n"
                                 "        for k in range(100000):\n"
                                 "            s = s * 0.5 + i - k\n"
                                 "    h.fill(s)\n";

enum { AHEAD = 10, AHEAD_LENGTH = 200 };

/* One executor that is stuck, and AHEAD orders behind it. */
typedef struct jam {
    crew c;
    hq_dataset *dataset;
    hq_task *stuck, *task;
} jam;

static hq_cache_counts wait_for_columns(const jam *j, uint64_t least)
{
    hq_cache_counts counts;
    int64_t begin_ms = hq_now_ms();
    do {
        cache_count(j->c.cache, &counts);
        if (hq_now_ms() - begin_ms > TALK_WAIT_MS)
            fail_msg("%d columns and no more", (int)counts.entries);
    } while (counts.entries < least);
    return counts;
}

static void jam_start(jam *j, size_t readers, size_t ahead_bytes)
{
    crew_start_ahead(&j->c, 1, readers, ahead_bytes);
    j->dataset = dataset_of("uproot-Zmumu.root");
    j->stuck = task_for(1, stuck_text, j->dataset);
    j->task = task_for(2, mass_text, j->dataset);
    pool_give(j->c.pool, &(hq_assigned){task_hold(j->stuck), {1, 0, 0, 0, 100}, 0}, 1);
    wait_for_columns(j, 1); /* it is at it */
    hq_assigned assigned[AHEAD];
    for (uint32_t i = 0; i < AHEAD; i++)
        assigned[i] =
            (hq_assigned){task_hold(j->task), {2, i, 0, 100 + i * AHEAD_LENGTH, 100 + (i + 1) * AHEAD_LENGTH}, 0};
    pool_give(j->c.pool, assigned, AHEAD);
}

static void jam_end(jam *j)
{
    task_release(&j->stuck);
    task_release(&j->task);
    dataset_free(&j->dataset);
    crew_end(&j->c);
}

enum { LATER = 6 }; /* orders of the task that comes last */

typedef struct sequence {
    uint32_t handles[AHEAD + LATER], indexes[AHEAD + LATER];
    size_t count;
} sequence;

static void note_sequence(void *context, uint32_t link, const hq_answer *answer)
{
    sequence *s = context;
    (void)link;
    assert_false(answer->is_failed);
    assert_true(s->count < AHEAD + LATER);
    s->handles[s->count] = answer->handle;
    s->indexes[s->count++] = answer->index;
}

/* One executor: one order of the task that comes last is before those that waited, and all others keep their order. */
static void the_first_orders_of_a_task_go_before_what_waits(void **state)
{
    (void)state;
    jam j;
    jam_start(&j, 1, 8 << 20);
    hq_task *later = task_for(3, mass_text, j.dataset);
    for (uint32_t i = 0; i < LATER; i++)
        pool_give(j.c.pool, &(hq_assigned){task_hold(later), {3, i, 0, 0, 100}, 0}, 1);
    task_release(&later);
    task_cancel(j.stuck);
    sequence s = {.count = 0};
    assert_int_equal(gather(j.c.pool, note_sequence, &s), AHEAD + LATER);
    for (uint32_t i = 0; i < AHEAD + LATER; i++) {
        bool is_later = i == 0 || i > AHEAD;
        assert_int_equal(s.handles[i], is_later ? 3 : 2);
        assert_int_equal(s.indexes[i], i == 0 ? 0 : is_later ? i - AHEAD : i - 1);
    }
    jam_end(&j);
}

static void columns_are_read_ahead(void **state)
{
    (void)state;
    jam j;
    for (size_t readers = 1; readers < 5; readers += 3) {
        jam_start(&j, readers, 8 << 20);
        wait_for_columns(&j, 1 + AHEAD); /* while the executor is stuck */
        task_cancel(j.stuck);
        sums s = {.dataset = j.dataset, .whole = hists_of(mass_text, j.dataset, NULL, 0)};
        assert_int_equal(gather(j.c.pool, add_answer, &s), AHEAD);
        assert_int_equal(s.entries, AHEAD * AHEAD_LENGTH);
        hq_cache_counts counts;
        cache_count(j.c.cache, &counts);
        assert_int_equal(counts.misses, 1 + AHEAD);
        assert_int_equal(counts.hits, 0); /* they had to be read, whoever did it */
        assert_int_equal(counts.ahead_used, AHEAD);
        assert_int_equal(counts.ahead_wasted, 0);
        histset_free(&s.whole);
        jam_end(&j);
    }
}

static void what_is_read_ahead_is_bounded(void **state)
{
    (void)state;
    jam j;
    jam_start(&j, 1, 5000); /* some 1,700 bytes each */
    wait_for_columns(&j, 3);
    for (int i = 0; i < 10000; i++)
        assert_true(wait_for_columns(&j, 3).bytes < 8000); /* the one in use with them */
    task_cancel(j.stuck);
    sums s = {.dataset = j.dataset, .whole = hists_of(mass_text, j.dataset, NULL, 0)};
    assert_int_equal(gather(j.c.pool, add_answer, &s), AHEAD);
    assert_int_equal(s.entries, AHEAD * AHEAD_LENGTH);
    histset_free(&s.whole);
    jam_end(&j);
}

static void a_cancelled_query_gives_back_what_was_read_ahead(void **state)
{
    (void)state;
    jam j;
    jam_start(&j, 2, 8 << 20);
    wait_for_columns(&j, 3);
    task_cancel(j.task);
    task_cancel(j.stuck);
    assert_int_equal(gather(j.c.pool, no_answer, NULL), 0);
    jam_end(&j); /* where the cache wants every column released */
}

static void what_was_read_ahead_when_it_ends_is_given_back(void **state)
{
    (void)state;
    jam j;
    jam_start(&j, 2, 8 << 20);
    wait_for_columns(&j, 3);
    task_cancel(j.stuck);
    jam_end(&j);
}

/* Warm and cold, few and many at a time, by several executors and readers. */
static void readers_and_executors_agree(void **state)
{
    (void)state;
    enum { ROUNDS = 20, CUTS = 96, LENGTH = 2304 / CUTS };
    crew c;
    crew_start_ahead(&c, 3, 3, 20000);
    hq_dataset *dataset = dataset_of("uproot-Zmumu.root");
    hq_task *task = task_for(1, mass_text, dataset);
    sums s = {.dataset = dataset, .whole = hists_of(mass_text, dataset, NULL, 0)};
    hq_assigned assigned[CUTS];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t shift = round / 2 % LENGTH; /* every other round is cold */
        for (uint32_t i = 0; i < CUTS; i++)
            assigned[i] = (hq_assigned){task_hold(task), {1, i, 0, i * LENGTH + shift, (i + 1) * LENGTH}, 0};
        for (uint32_t at = 0, step = 1; at < CUTS; at += step, step = step + round % 3) {
            step = step > CUTS - at ? CUTS - at : step;
            pool_give(c.pool, assigned + at, step);
        }
        assert_int_equal(gather(c.pool, add_answer, &s), CUTS);
    }
    hq_cache_counts counts;
    cache_count(c.cache, &counts);
    assert_int_equal(counts.misses, CUTS * ROUNDS / 2);
    assert_int_equal(counts.hits, CUTS * ROUNDS / 2);
    assert_int_equal(hist_entries(s.whole->hists[0]), s.entries);
    histset_free(&s.whole);
    task_release(&task);
    dataset_free(&dataset);
    crew_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_is_answered_once_to_its_link),
        cmocka_unit_test(many_queries_at_once_do_not_mix),
        cmocka_unit_test(a_cancelled_query_is_not_answered),
        cmocka_unit_test(what_is_queued_when_it_ends_is_forgotten),
        cmocka_unit_test(the_first_orders_of_a_task_go_before_what_waits),
        cmocka_unit_test(columns_are_read_ahead),
        cmocka_unit_test(what_is_read_ahead_is_bounded),
        cmocka_unit_test(a_cancelled_query_gives_back_what_was_read_ahead),
        cmocka_unit_test(what_was_read_ahead_when_it_ends_is_given_back),
        cmocka_unit_test(readers_and_executors_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
