/* Plans, columns and threads are the same wherever a file is: here, at a server of http, at one of XRootD. */
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "data/dataset.h"
#include "data/fileplan.h"
#include "data/shelf.h"
#include "data/tree.h"
#include "tests/data/served.h"

/* ---- plans of servers' files ---- */

static void find_records(void *context, const hq_hash *keys, size_t count, hq_shelf_take *take, void *taker)
{
    const hq_shelf *kept = context;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < kept->record_count; j++)
            if (memcmp(&keys[i], &kept->records[j].key, sizeof *keys) == 0)
                take(taker, &kept->records[j]);
}

/* Plans one file with what is kept; gives the data set's identity, and how many requests it took. */
static hq_hash plan_at_server(served *f, const char *spec, hq_shelf *shelf, uint64_t *requests_r)
{
    hq_dataset *dataset = NULL;
    hq_reason reason = {""};
    hq_remote_counts before = remote_counts(f->remote);
    if (dataset_plan_through(f->remote, &spec, 1, 100, false, shelf, &dataset, &reason))
        fail_msg("%s", reason.text);
    *requests_r = remote_counts(f->remote).requests - before.requests;
    hq_hash identity = dataset_identity(dataset);
    dataset_free(&dataset);
    return identity;
}

/* The second time the first request is the only one, as long as the file stays. */
static void assert_planned_once(served *f, const char *spec, uint64_t fewest)
{
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t first, second;
    hq_hash one = plan_at_server(f, spec, &kept, &first), other = plan_at_server(f, spec, &again, &second);
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(kept.counts.opened, 1);
    assert_int_equal(again.counts.found, 1);
    assert_int_equal(again.counts.opened + again.counts.bad, 0);
    assert_int_equal(again.record_count, 0);
    assert_true(second == fewest && second < first);
    shelf_clear(&kept);
    shelf_clear(&again);
}

static void a_plan_that_is_known_spares_all_but_the_first_request(void **state)
{
    served *f = *state;
    char *url = served_http(f, "good", served_samples[0]), *plain = served_http(f, "plain", served_samples[0]);
    assert_planned_once(f, url, 1);
    assert_planned_once(f, plain, 1); /* without a tag: the UUID and the size tell */
    free(plain);
    free(url);
}

/* The record is that of the same bytes with another tag. */
static void a_servers_file_that_has_changed_is_planned_anew(void **state)
{
    served *f = *state;
    char *was = served_http(f, "good", served_samples[0]), *is = served_http(f, "plain", served_samples[0]);
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t requests;
    plan_at_server(f, was, &kept, &requests);
    assert_int_equal(kept.record_count, 2); /* the schema, then the plan: which is now that of the other URL */
    kept.records[1].key = fileplan_key(is, NULL);
    hq_hash identity = plan_at_server(f, is, &again, &requests), alone = plan_at_server(f, is, NULL, &requests);
    assert_memory_equal(&identity, &alone, sizeof identity);
    assert_int_equal(again.counts.found, 0);
    assert_int_equal(again.counts.opened, 1);
    assert_int_equal(again.counts.replaced, 1);
    shelf_clear(&kept);
    shelf_clear(&again);
    free(was);
    free(is);
}

static void a_plan_spares_requests_to_xrootd_too(void **state)
{
    served *f = *state;
    char *url = served_xrootd(f, served_samples[0]);
    hq_shelf kept = {.keeps = true}, again = {.look_up = find_records, .context = &kept, .keeps = true};
    uint64_t first, second;
    hq_hash one = plan_at_server(f, url, &kept, &first), other = plan_at_server(f, url, &again, &second);
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(again.counts.found, 1);
    assert_true(second < first);
    shelf_clear(&kept);
    shelf_clear(&again);
    free(url);
}

/* ---- both, with everything above them ---- */

static void assert_same_column(const hq_column *one, const hq_column *other, const char *name)
{
    assert_int_equal(one->entries, other->entries);
    assert_int_equal(one->value_count, other->value_count);
    if (memcmp(one->values, other->values, one->value_count * hq_type_size(one->type)) != 0)
        fail_msg("%s: other values", name);
    if (one->offsets)
        assert_memory_equal(one->offsets, other->offsets, (one->entries + 1) * sizeof *one->offsets);
}

static void assert_same_tree(served *f, const char *path, const char *url)
{
    const char *const names[2] = {path, url};
    hq_file *files[2] = {NULL, NULL};
    hq_tree *trees[2] = {NULL, NULL};
    hq_reason reason = {""};
    for (int i = 0; i < 2; i++)
        if (rootfile_open_through(f->remote, names[i], &files[i], &reason) != HQ_OK ||
            tree_open(files[i], "events", &trees[i], &reason) != HQ_OK)
            fail_msg("%s: %s", names[i], reason.text);
    const hq_schema *schema = tree_schema(trees[0]);
    assert_int_equal(schema->count, tree_schema(trees[1])->count);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *columns[2] = {NULL, NULL};
        for (int j = 0; j < 2; j++)
            if (tree_read(trees[j], schema->fields[i].name, 0, tree_entries(trees[j]), 1 << 28, &columns[j], &reason))
                fail_msg("%s", reason.text);
        assert_same_column(columns[0], columns[1], schema->fields[i].name);
        column_free(&columns[0]);
        column_free(&columns[1]);
    }
    for (int i = 0; i < 2; i++) {
        tree_close(&trees[i]);
        rootfile_close(&files[i]);
    }
}

static void columns_are_the_same_wherever_they_come_from(void **state)
{
    served *f = *state;
    static const char *const modes[] = {"good", "busy", "reset", "lessrange", "there"};
    for (size_t i = 0; i < SERVED_SAMPLES; i++) {
        char *path = hq_format("%s/%s", f->folder, served_samples[i]);
        for (size_t j = 0; j < sizeof modes / sizeof *modes; j++) {
            char *url = served_http(f, modes[j], served_samples[i]);
            assert_same_tree(f, path, url);
            free(url);
        }
        if (f->xrootd_port) {
            char *url = served_xrootd(f, served_samples[i]);
            assert_same_tree(f, path, url);
            free(url);
        }
        free(path);
    }
}

/* Both the file of this machine and the server's, whose columns are staged. How many requests were sent for the columns
 * is given back. */
static uint64_t assert_same_staged(served *f, const char *sample, const char *tree_name, const char *url,
                                   uint64_t first, uint64_t last)
{
    char *path = hq_format("%s/%s", f->folder, sample);
    const char *const places[2] = {path, url};
    hq_file *files[2] = {NULL, NULL};
    hq_tree *trees[2] = {NULL, NULL};
    hq_stage *stage = NULL;
    hq_reason reason = {""};
    for (int i = 0; i < 2; i++)
        if (rootfile_open_through(f->remote, places[i], &files[i], &reason) != HQ_OK ||
            tree_open(files[i], tree_name, &trees[i], &reason) != HQ_OK)
            fail_msg("%s: %s", places[i], reason.text);
    const hq_schema *schema = tree_schema(trees[0]);
    last = last ? last : tree_entries(trees[0]);
    const char **names = hq_calloc(schema->count + 1, sizeof *names);
    for (size_t i = 0; i < schema->count; i++)
        names[i] = schema->fields[i].name;
    names[schema->count] = "no such column";
    assert_int_equal(tree_stage(trees[0], names, schema->count, first, last, &stage, &reason), HQ_OK);
    assert_null(stage); /* a file of this machine has no use for it */
    uint64_t before = remote_counts(f->remote).requests;
    if (tree_stage(trees[1], names, schema->count + 1, first, last, &stage, &reason))
        fail_msg("%s", reason.text);
    for (size_t i = 0; i < schema->count; i++) {
        hq_column *columns[2] = {NULL, NULL};
        if (tree_read(trees[0], names[i], first, last, 1 << 28, &columns[0], &reason) ||
            tree_read_staged(trees[1], stage, names[i], first, last, 1 << 28, &columns[1], &reason))
            fail_msg("%s", reason.text);
        assert_same_column(columns[0], columns[1], names[i]);
        column_free(&columns[0]);
        column_free(&columns[1]);
    }
    uint64_t requests = remote_counts(f->remote).requests - before;
    stage_free(&stage);
    assert_null(stage);
    for (int i = 0; i < 2; i++) {
        tree_close(&trees[i]);
        rootfile_close(&files[i]);
    }
    free(names);
    free(path);
    return requests;
}

static void several_columns_come_in_one_journey(void **state)
{
    served *f = *state;
    static const char *const modes[] = {"good", "reset"};
    for (size_t j = 0; j < sizeof modes / sizeof *modes; j++)
        for (size_t i = 0; i < SERVED_SAMPLES; i++) {
            char *url = served_http(f, modes[j], served_samples[i]);
            uint64_t whole = assert_same_staged(f, served_samples[i], "events", url, 0, 0);
            uint64_t part = assert_same_staged(f, served_samples[i], "events", url, 100, 1100);
            if (j == 0) { /* a few MB in all: no column has a request of its own */
                assert_in_range(whole, 1, 4);
                assert_in_range(part, 1, 4);
            }
            free(url);
        }
    char *url = served_http(f, "good", served_ntuple);
    assert_in_range(assert_same_staged(f, served_ntuple, "Events", url, 0, 0), 1, 2);
    assert_same_staged(f, served_ntuple, "Events", url, 3, 20); /* no whole cluster: nothing is staged */
    free(url);
    if (f->xrootd_port) {
        url = served_xrootd(f, served_samples[0]);
        assert_in_range(assert_same_staged(f, served_samples[0], "events", url, 0, 0), 1, 4);
        free(url);
    }
}

/* ---- threads ---- */

typedef struct reader {
    const served *f;
    const hq_source *source;
    uint64_t seed;
    bool is_right;
    hq_reason reason;
} reader;

static void *read_with_others(void *context)
{
    enum { ROOM = 3000000, MOST = 100, ROUNDS = 4 };
    reader *own = context;
    hq_stretch stretches[MOST];
    uint8_t *to = hq_alloc(ROOM), small[100];
    own->is_right = true;
    for (uint64_t round = 0; round < ROUNDS && own->is_right; round++) {
        size_t count = served_stretches(own->seed * ROUNDS + round, to, ROOM, stretches, MOST);
        own->is_right = source_read_vector(own->source, stretches, count, &own->reason) == HQ_OK;
        for (size_t i = 0; i < count && own->is_right; i++)
            own->is_right = memcmp(stretches[i].bytes_r, own->f->big + stretches[i].offset, stretches[i].size) == 0;
        uint64_t offset = (own->seed * 777777 + round * 55555) % (SERVED_BIG - sizeof small);
        own->is_right = own->is_right && source_read(own->source, offset, sizeof small, small, &own->reason) == HQ_OK &&
                        memcmp(small, own->f->big + offset, sizeof small) == 0;
    }
    free(to);
    return NULL;
}

static void assert_threads_read(served *f, const char *name)
{
    enum { THREADS = 6 };
    hq_source source;
    served_open(f->remote, name, &source);
    pthread_t threads[THREADS];
    reader readers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        readers[i] = (reader){.f = f, .source = &source, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, read_with_others, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (!readers[i].is_right)
            fail_msg("%s: thread %zu: %s", name, i, *readers[i].reason.text ? readers[i].reason.text : "other bytes");
    }
    source_close(&source);
}

static void threads_share_a_source(void **state)
{
    served *f = *state;
    static const char *const modes[] = {"good", "reset", "there"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char *url = served_http(f, modes[i], "big");
        assert_threads_read(f, url);
        free(url);
    }
    if (f->xrootd_port) {
        char *url = served_xrootd(f, "big");
        assert_threads_read(f, url);
        free(url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_is_known_spares_all_but_the_first_request),
        cmocka_unit_test(a_servers_file_that_has_changed_is_planned_anew),
        cmocka_unit_test(a_plan_spares_requests_to_xrootd_too),
        cmocka_unit_test(columns_are_the_same_wherever_they_come_from),
        cmocka_unit_test(several_columns_come_in_one_journey),
        cmocka_unit_test(threads_share_a_source),
    };
    return cmocka_run_group_tests(tests, served_set_up_with_xrootd, served_tear_down);
}
