/* The sink: each subtask counts once, and the result is the same bit for bit whatever the order. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "broker/sink.h"

static double next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static hq_histset *new_shape(uint32_t bins)
{
    hq_axis x = {.name = (char *)"x", .label = (char *)"", .bins = bins, .low = 0, .high = 1};
    hq_hist *hists[] = {hist_new("sums", &x, 1, HQ_WEIGHTED), hist_new("counts", &x, 1, HQ_COUNT)};
    return histset_new(hists, 2);
}

/* One subtask's partial, and as it travels; every third of them is empty and has no contents at all. */
typedef struct part {
    hq_histset *set;
    hq_buffer contents;
} part;

typedef struct parts {
    part *list;
    uint32_t count;
    hq_histset *shape;
} parts;

enum { BINS = 20, MANY_BINS = 200000 };

static void parts_fill_shape(parts *p, hq_histset *shape, uint32_t count, uint64_t seed, bool has_empty)
{
    *p = (parts){hq_calloc(count, sizeof *p->list), count, shape};
    for (uint32_t i = 0; i < count; i++) {
        p->list[i].set = histset_new_like(p->shape);
        if (has_empty && next_number(&seed) < 0.3)
            continue;
        /* Weights of very different size, so that any other order of the sums shows in the last bits. */
        for (int k = 0; k < 30; k++) {
            double at = next_number(&seed), weight = next_number(&seed) - 0.5;
            hist_fill(p->list[i].set->hists[0], &at, k % 3 ? weight : weight * 1e9);
            hist_fill(p->list[i].set->hists[1], &at, 1);
        }
        histset_encode(p->list[i].set, &p->list[i].contents);
    }
}

static void parts_fill(parts *p, uint32_t count, uint64_t seed, bool has_empty)
{
    parts_fill_shape(p, new_shape(BINS), count, seed, has_empty);
}

static void parts_clear(parts *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        histset_free(&p->list[i].set);
        buffer_clear(&p->list[i].contents);
    }
    free(p->list);
    histset_free(&p->shape);
}

/* The tree by its definition: the node over the subtasks from index << level on is its left child + its right child. */
static hq_histset *tree_of(const parts *p, int level, uint32_t index)
{
    if (level == 0)
        return histset_copy(p->list[index].set);
    hq_histset *left = tree_of(p, level - 1, 2 * index);
    if ((uint64_t)(2 * index + 1) << (level - 1) < p->count) {
        hq_histset *right = tree_of(p, level - 1, 2 * index + 1);
        assert_int_equal(histset_merge(left, right, NULL), HQ_OK);
        histset_free(&right);
    }
    return left;
}

static hq_histset *whole_tree_of(const parts *p)
{
    int levels = 0;
    while ((uint64_t)1 << levels < p->count)
        levels++;
    return tree_of(p, levels, 0);
}

static void shuffle(uint32_t *order, uint32_t count, uint64_t *seed)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(next_number(seed) * i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static hq_error add(hq_sink *sink, const parts *p, uint32_t index)
{
    return sink_add(sink, index, p->list[index].contents.bytes, p->list[index].contents.size, NULL);
}

static void the_result_is_that_of_the_tree_in_any_order(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 63, 100, 257, 1000};
    uint64_t seed = 42;
    int differs_from_the_order_of_coming = 0;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        parts p;
        parts_fill(&p, counts[c], seed++, c % 2);
        hq_histset *expected = whole_tree_of(&p);
        uint32_t *order = hq_calloc(p.count, sizeof *order);
        for (int repeat = 0; repeat < 8; repeat++) {
            shuffle(order, p.count, &seed);
            hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
            if (repeat % 2)
                sink_watch(sink);
            for (uint32_t i = 0; i < p.count; i++) {
                assert_int_equal(sink_done(sink), i);
                assert_false(sink_is_complete(sink));
                assert_null(sink_result(sink));
                assert_false(sink_has(sink, order[i]));
                assert_int_equal(add(sink, &p, order[i]), HQ_OK);
                assert_true(sink_has(sink, order[i]));
            }
            assert_true(sink_is_complete(sink));
            assert_true(histset_is_equal(sink_result(sink), expected));
            if (repeat % 2)
                differs_from_the_order_of_coming += !histset_is_equal(sink_so_far(sink), expected);
            sink_free(&sink);
            assert_null(sink);
        }
        free(order);
        histset_free(&expected);
        parts_clear(&p);
    }
    assert_true(differs_from_the_order_of_coming > 20); /* or the sums above would prove nothing */
}

/* Sets of megabytes wait packed: the result is the same, and few bins that are filled take little memory. */
static void large_sets_wait_packed(void **state)
{
    (void)state;
    uint64_t seed = 11;
    parts p;
    parts_fill_shape(&p, new_shape(MANY_BINS), 13, seed, true);
    hq_histset *expected = whole_tree_of(&p);
    uint32_t order[13];
    for (int repeat = 0; repeat < 4; repeat++) {
        shuffle(order, p.count, &seed);
        hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
        int64_t entries = 0;
        for (uint32_t i = 0; i < p.count; i++) {
            if (i == (uint32_t)repeat)
                sink_watch(sink); /* what waits packed is in it too */
            assert_int_equal(add(sink, &p, order[i]), HQ_OK);
            assert_true(sink_bytes(sink) < 100000);
            entries += hist_entries(p.list[order[i]].set->hists[1]);
            assert_int_equal(hist_entries(sink_so_far(sink)->hists[1]), i < (uint32_t)repeat ? 0 : entries);
        }
        assert_true(histset_is_equal(sink_result(sink), expected));
        assert_true(histset_is_equal(sink_result(sink), expected));
        sink_free(&sink);
    }
    histset_free(&expected);
    parts_clear(&p);
}

static void sets_of_many_megabytes_are_not_watched(void **state)
{
    (void)state;
    hq_histset *shape = new_shape(1 << 20); /* three numbers for each of its bins */
    uint32_t count = 2;
    hq_sink *sink = sink_new(&count, 1, shape, false);
    sink_watch(sink);
    assert_null(sink_so_far(sink));
    assert_int_equal(sink_add(sink, 0, NULL, 0, NULL), HQ_OK);
    assert_null(sink_so_far(sink));
    sink_free(&sink);
    histset_free(&shape);
}

/* When partials come in order, what waits is one set for each level of the trees, not one for each subtask. */
static void what_waits_is_few_partials_when_they_come_in_order(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    parts p;
    parts_fill(&p, 1, 5, false);
    uint32_t *sizes = hq_calloc(MANY, sizeof *sizes);
    /* One file, files of one subtask each, and files of several. */
    for (uint32_t size = MANY, kind = 0; kind < 3; kind++, size = kind == 1 ? 1 : 333)
        for (int can_leave_out = 0; can_leave_out < 2; can_leave_out++) {
            uint32_t files = MANY / size, count = files * size;
            for (uint32_t i = 0; i < files; i++)
                sizes[i] = size;
            hq_sink *sink = sink_new(sizes, files, p.shape, can_leave_out);
            size_t most = 0, set = sink_set_bytes(sink);
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(sink_add(sink, i, p.list[0].contents.bytes, p.list[0].contents.size, NULL), HQ_OK);
                most = sink_bytes(sink) > most ? sink_bytes(sink) : most;
            }
            assert_true(sink_is_complete(sink));
            assert_int_equal(sink_bytes(sink), set);
            assert_true(most >= 8 * set && most <= 18 * set); /* 2^17 > MANY; over files of 333 it is 8 and 9 levels */
            sink_free(&sink);
        }
    free(sizes);
    parts_clear(&p);
}

static void each_subtask_counts_once(void **state)
{
    (void)state;
    parts p;
    parts_fill(&p, 9, 7, false);
    hq_histset *expected = whole_tree_of(&p);
    hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
    for (uint32_t i = 0; i < p.count; i++)
        for (uint32_t k = 0; k <= i; k++) { /* what came before comes again, and with other contents */
            const hq_buffer *contents = &p.list[k == i ? i : p.count - 1 - k].contents;
            assert_int_equal(sink_add(sink, k, contents->bytes, contents->size, NULL), k == i ? HQ_OK : HQ_EEXISTS);
            assert_int_equal(sink_done(sink), k == i ? i + 1 : i);
        }
    assert_int_equal(sink_add(sink, 3, NULL, 0, NULL), HQ_EEXISTS);
    assert_true(histset_is_equal(sink_result(sink), expected));
    sink_free(&sink);
    histset_free(&expected);
    parts_clear(&p);
}

static void an_index_beyond_the_last_is_refused(void **state)
{
    (void)state;
    parts p;
    parts_fill(&p, 3, 7, false);
    hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
    hq_reason reason = {{0}};
    static const uint32_t wrong[] = {3, 4, 64, 65, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(sink_add(sink, wrong[i], p.list[0].contents.bytes, p.list[0].contents.size, &reason),
                         HQ_EFORMAT);
        assert_false(sink_has(sink, wrong[i]));
    }
    assert_true(reason.text[0] != 0);
    assert_int_equal(sink_done(sink), 0);
    sink_free(&sink);
    parts_clear(&p);
}

static void bytes_that_do_not_fit_are_refused_and_the_right_ones_count_later(void **state)
{
    (void)state;
    parts p;
    parts_fill(&p, 2, 11, false);
    hq_histset *expected = whole_tree_of(&p);
    hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
    sink_watch(sink);
    hq_histset *nothing_yet = histset_copy(sink_so_far(sink));
    for (size_t size = 1; size < p.list[0].contents.size; size++) {
        uint8_t *cut = hq_alloc(size);
        memcpy(cut, p.list[0].contents.bytes, size);
        hq_reason reason = {{0}};
        assert_int_equal(sink_add(sink, 0, cut, size, &reason), HQ_EFORMAT);
        assert_true(reason.text[0] != 0);
        free(cut);
    }
    assert_int_equal(sink_add(sink, 0, "nonsense", 8, NULL), HQ_EFORMAT);
    assert_false(sink_has(sink, 0));
    assert_int_equal(sink_done(sink), 0);
    assert_true(histset_is_equal(sink_so_far(sink), nothing_yet));
    assert_int_equal(add(sink, &p, 0), HQ_OK);
    assert_int_equal(add(sink, &p, 1), HQ_OK);
    assert_true(histset_is_equal(sink_result(sink), expected));
    sink_free(&sink);
    histset_free(&nothing_yet);
    histset_free(&expected);
    parts_clear(&p);
}

static void a_query_whose_partials_are_all_empty_has_an_empty_result(void **state)
{
    (void)state;
    hq_histset *shape = new_shape(BINS), *used = new_shape(BINS);
    double at = 0.5;
    hist_fill(used->hists[0], &at, 1); /* of the shape only the shape is used */
    for (uint32_t count = 1; count < 20; count++) {
        hq_sink *sink = sink_new(&count, 1, used, false);
        sink_watch(sink);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(sink_add(sink, count - 1 - i, NULL, 0, NULL), HQ_OK);
        assert_true(histset_is_equal(sink_result(sink), shape));
        assert_true(histset_is_equal(sink_so_far(sink), shape));
        sink_free(&sink);
    }
    histset_free(&shape);
    histset_free(&used);
}

static void so_far_is_the_sum_of_what_came(void **state)
{
    (void)state;
    parts p;
    parts_fill(&p, 50, 3, true);
    uint64_t seed = 5;
    uint32_t order[50];
    shuffle(order, 50, &seed);
    hq_sink *sink = sink_new(&p.count, 1, p.shape, false);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(add(sink, &p, order[i]), HQ_OK);
        assert_true(histset_is_equal(sink_so_far(sink), p.shape)); /* nobody watches yet */
    }
    sink_watch(sink);
    sink_watch(sink);
    hq_histset *sum = histset_copy(sink_so_far(sink));
    int64_t counted = 0;
    for (uint32_t i = 0; i < 20; i++)
        counted += hist_entries(p.list[order[i]].set->hists[1]);
    assert_int_equal(hist_entries(sum->hists[1]), counted); /* what came before is in it */
    for (uint32_t i = 20; i < 50; i++) {
        assert_int_equal(add(sink, &p, order[i]), HQ_OK);
        assert_int_equal(add(sink, &p, order[i]), HQ_EEXISTS);
        assert_int_equal(histset_merge(sum, p.list[order[i]].set, NULL), HQ_OK);
        assert_true(histset_is_equal(sink_so_far(sink), sum));
    }
    histset_free(&sum);
    sink_free(&sink);
    parts_clear(&p);
}

/* Files of several sizes, some of which are left out half-way: what remains is bit for bit what a sink gives that
 * never knew of them, whether or not that one could have left some out. */
static void files_left_out_leave_no_trace(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, 1, 8, 5, 1, 1, 7, 2, 13, 4, 1};
    enum { FILES = sizeof sizes / sizeof *sizes };
    uint64_t seed = 11;
    for (unsigned out = 0; out < 1 << FILES; out += 37) {
        parts p, good = {0};
        uint32_t total = 0, kept_sizes[FILES], order[64], file_of[64], rest[64], failed[FILES] = {0};
        size_t kept = 0;
        for (uint32_t f = 0; f < FILES; f++) {
            for (uint32_t i = 0; i < sizes[f]; i++, total++) {
                file_of[total] = f;
                if (!(out >> f & 1))
                    rest[good.count++] = total;
            }
            if (!(out >> f & 1))
                kept_sizes[kept++] = sizes[f];
        }
        parts_fill(&p, total, seed++, true);
        hq_sink *sink = sink_new(sizes, FILES, p.shape, true);
        hq_sink *expected = kept ? sink_new(kept_sizes, kept, p.shape, false) : NULL;
        for (uint32_t i = 0; i < good.count; i++)
            assert_int_equal(sink_add(expected, i, p.list[rest[i]].contents.bytes, p.list[rest[i]].contents.size, NULL),
                             HQ_OK);
        sink_watch(sink);
        shuffle(order, total, &seed);
        for (uint32_t i = 0; i < total; i++) {
            uint32_t f = file_of[order[i]];
            assert_int_equal(sink_file(sink, order[i]), f);
            /* A bad file gives what it has, but for the last one of its subtasks to come. */
            if ((out >> f & 1) && ++failed[f] == sizes[f]) {
                assert_false(sink_is_left_out(sink, f));
                sink_leave_out(sink, f);
                assert_true(sink_is_left_out(sink, f));
                assert_true(sink_has(sink, order[i]));
                assert_int_equal(add(sink, &p, order[i]), HQ_EEXISTS);
            } else {
                assert_int_equal(add(sink, &p, order[i]), HQ_OK);
            }
        }
        assert_true(sink_is_complete(sink));
        assert_int_equal(sink_done(sink), total);
        assert_true(histset_is_equal(sink_result(sink), expected ? sink_result(expected) : p.shape));
        assert_int_equal(hist_entries(sink_so_far(sink)->hists[1]), hist_entries(sink_result(sink)->hists[1]));
        sink_free(&sink);
        sink_free(&expected);
        parts_clear(&p);
    }
}

/* ---- several threads ---- */

enum { THREADS = 4, PACKED_BINS = 70000 };

typedef struct crowd {
    hq_sink *sink;
    const parts *p;
    const uint32_t *order;
    atomic_uint next;
    atomic_int failures;
} crowd;

static void *merge_some(void *context)
{
    crowd *c = context;
    for (uint32_t i; (i = atomic_fetch_add(&c->next, 1)) < c->p->count;) {
        const hq_buffer *contents = &c->p->list[c->order[i]].contents;
        if (sink_merge(c->sink, c->order[i], contents->bytes, contents->size, NULL))
            atomic_fetch_add(&c->failures, 1);
    }
    return NULL;
}

static void merge_together(crowd *c)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, merge_some, c), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&c->failures), 0);
}

/* One file and many, small sets and packed ones, watched and not. */
static void the_result_is_that_of_one_thread_however_many_merge(void **state)
{
    (void)state;
    uint64_t seed = 77;
    for (int round = 0; round < 24; round++) {
        bool is_large = round % 4 == 3, can_leave_out = round & 4;
        uint32_t sizes[20], files = round % 3 ? is_large ? 6 : 20 : 1, total = 0;
        for (uint32_t f = 0; f < files; f++)
            total += sizes[f] = 1 + (uint32_t)(next_number(&seed) * (is_large ? 12 / files : 200 / files));
        parts p;
        parts_fill_shape(&p, new_shape(is_large ? PACKED_BINS : BINS), total, seed++, true);
        hq_sink *expected = sink_new(sizes, files, p.shape, can_leave_out),
                *sink = sink_new(sizes, files, p.shape, can_leave_out);
        for (uint32_t i = 0; i < total; i++)
            assert_int_equal(add(expected, &p, i), HQ_OK);
        uint32_t *order = hq_calloc(total, sizeof *order);
        shuffle(order, total, &seed);
        sink_share(sink);
        if (round % 2)
            sink_watch(sink);
        crowd c = {.sink = sink, .p = &p, .order = order};
        merge_together(&c);
        assert_non_null(sink_result(sink));
        assert_true(histset_is_equal(sink_result(sink), sink_result(expected)));
        if (round % 2)
            assert_int_equal(hist_entries(sink_so_far(sink)->hists[1]), hist_entries(sink_result(expected)->hists[1]));
        sink_drop(sink);
        assert_int_equal(sink_bytes(sink), 0);
        free(order);
        sink_free(&sink);
        sink_free(&expected);
        parts_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_is_that_of_the_tree_in_any_order),
        cmocka_unit_test(large_sets_wait_packed),
        cmocka_unit_test(sets_of_many_megabytes_are_not_watched),
        cmocka_unit_test(what_waits_is_few_partials_when_they_come_in_order),
        cmocka_unit_test(each_subtask_counts_once),
        cmocka_unit_test(an_index_beyond_the_last_is_refused),
        cmocka_unit_test(bytes_that_do_not_fit_are_refused_and_the_right_ones_count_later),
        cmocka_unit_test(a_query_whose_partials_are_all_empty_has_an_empty_result),
        cmocka_unit_test(so_far_is_the_sum_of_what_came),
        cmocka_unit_test(files_left_out_leave_no_trace),
        cmocka_unit_test(the_result_is_that_of_one_thread_however_many_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
