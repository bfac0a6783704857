/* Schemas: finding, agreeing, and their bytes, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/schema.h"

static hq_schema *example(void)
{
    hq_schema *schema = schema_new();
    assert_int_equal(schema_add(schema, "MET_pt", NULL, NULL, HQ_FLOAT32, false), HQ_OK);
    assert_int_equal(schema_add(schema, "Muon_pt", "Muon", "pt", HQ_FLOAT32, true), HQ_OK);
    assert_int_equal(schema_add(schema, "Muon_charge", "Muon", "charge", HQ_INT32, true), HQ_OK);
    assert_int_equal(schema_add(schema, "alone", NULL, NULL, HQ_BOOL, true), HQ_OK);
    assert_int_equal(schema_add(schema, "deep", NULL, NULL, HQ_INT16, 3), HQ_OK);
    return schema;
}

static void fields_are_found_by_name_and_by_member(void **state)
{
    (void)state;
    hq_schema *schema = example();
    assert_int_equal(schema_find(schema, "Muon_charge")->type, HQ_INT32);
    assert_null(schema_find(schema, "Muon"));
    assert_string_equal(schema_find_member(schema, "Muon", "pt")->name, "Muon_pt");
    assert_null(schema_find_member(schema, "Muon", "eta"));
    assert_null(schema_find_member(schema, "MET", "pt"));
    assert_true(schema_has_collection(schema, "Muon"));
    assert_false(schema_has_collection(schema, "MET"));
    assert_int_equal(schema_add(schema, "alone", NULL, NULL, HQ_BOOL, true), HQ_EEXISTS);
    assert_int_equal(schema->count, 5);
    schema_free(&schema);
    assert_null(schema);
    schema_free(&schema);
}

static void a_copy_is_its_own(void **state)
{
    (void)state;
    hq_schema *schema = example(), *copy = schema_copy(schema);
    schema_free(&schema);
    assert_int_equal(copy->count, 5);
    assert_string_equal(copy->fields[1].collection, "Muon");
    assert_null(copy->fields[0].collection);
    schema_free(&copy);
}

static void schemas_agree_on_the_names_asked(void **state)
{
    (void)state;
    hq_schema *one = example(), *other = schema_new();
    schema_add(other, "MET_pt", NULL, NULL, HQ_FLOAT32, false);
    schema_add(other, "Muon_pt", "Muon", "pt", HQ_FLOAT64, true);
    schema_add(other, "alone", NULL, NULL, HQ_BOOL, false);
    const char *differs = NULL;
    assert_true(schema_agrees(one, other, (const char *const[]){"MET_pt"}, 1, &differs));
    assert_true(schema_agrees(one, other, NULL, 0, &differs));
    assert_false(schema_agrees(one, other, (const char *const[]){"MET_pt", "Muon_pt", "alone"}, 3, &differs));
    assert_string_equal(differs, "Muon_pt"); /* another type */
    assert_false(schema_agrees(one, other, (const char *const[]){"alone"}, 1, &differs));
    assert_string_equal(differs, "alone"); /* another shape */
    assert_false(schema_agrees(one, other, (const char *const[]){"Muon_charge"}, 1, &differs));
    assert_string_equal(differs, "Muon_charge"); /* missing */
    schema_free(&one);
    schema_free(&other);
}

static void bytes_go_there_and_back(void **state)
{
    (void)state;
    hq_schema *schema = example(), *back = NULL;
    hq_buffer buffer = {0}, again = {0};
    schema_encode(schema, &buffer);
    assert_int_equal(schema_decode(buffer.bytes, buffer.size, &back, NULL), HQ_OK);
    assert_int_equal(back->count, schema->count);
    for (size_t i = 0; i < schema->count; i++) {
        assert_string_equal(back->fields[i].name, schema->fields[i].name);
        assert_int_equal(back->fields[i].type, schema->fields[i].type);
        assert_int_equal(back->fields[i].depth, schema->fields[i].depth);
    }
    schema_encode(back, &again);
    assert_int_equal(again.size, buffer.size);
    assert_memory_equal(again.bytes, buffer.bytes, buffer.size);
    buffer_clear(&buffer);
    buffer_clear(&again);
    schema_free(&schema);
    schema_free(&back);
}

static void assert_no_schema(const void *bytes, size_t size)
{
    hq_schema *schema = NULL;
    hq_reason reason = {""};
    assert_int_equal(schema_decode(bytes, size, &schema, &reason), HQ_EFORMAT);
    assert_null(schema);
    assert_non_null(strstr(reason.text, "not a schema"));
}

static void other_bytes_are_refused(void **state)
{
    (void)state;
    hq_schema *schema = example();
    hq_buffer buffer = {0};
    schema_encode(schema, &buffer);
    for (size_t size = 0; size < buffer.size; size++) { /* cut anywhere */
        uint8_t *exact = memcpy(hq_alloc(size), buffer.bytes, size);
        assert_no_schema(exact, size);
        free(exact);
    }
    buffer_u8(&buffer, 0); /* one byte too many */
    assert_no_schema(buffer.bytes, buffer.size);
    buffer.size--;
    buffer.bytes[4] = HQ_TYPE_COUNT; /* no such type */
    assert_no_schema(buffer.bytes, buffer.size);
    buffer.bytes[4] = HQ_FLOAT32;
    buffer.bytes[5] = (HQ_MAX_DEPTH + 1) << 1; /* lists too deep */
    assert_no_schema(buffer.bytes, buffer.size);
    memset(buffer.bytes, 0xff, 4); /* four thousand million fields */
    assert_no_schema(buffer.bytes, buffer.size);
    buffer_clear(&buffer);
    schema_free(&schema);

    buffer_u32(&buffer, 2);
    for (int i = 0; i < 2; i++) { /* one name twice */
        buffer_u8(&buffer, HQ_BOOL);
        buffer_u8(&buffer, 0);
        buffer_text(&buffer, "twin");
    }
    assert_no_schema(buffer.bytes, buffer.size);
    buffer_clear(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_name_and_by_member),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(schemas_agree_on_the_names_asked),
        cmocka_unit_test(bytes_go_there_and_back),
        cmocka_unit_test(other_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
