/* tests/data/test_reader.c - the reader's inner parts: numbers turned round, indices kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "data/ntuple_decode.h"
#include "data/ntuple_index.h"
#include "data/values.h"

enum { MOST_NUMBERS = 131, MOST_SHIFT = 8, ROOM = (MOST_NUMBERS + 1) * 8 };

static void fill(uint8_t *bytes, size_t size)
{
    uint32_t state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (state >> 24) % 3 == 0 ? 0 : (uint8_t)(state >> 16); /* zeros are false */
    }
}

/* What a number's bytes are in the machine's order, one by one. */
static void expect_numbers(hq_type type, const uint8_t *got, const uint8_t *from, size_t count)
{
    size_t size = hq_type_size(type);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < size; j++) {
            uint8_t byte = from[i * size + size - 1 - j];
            assert_int_equal(got[i * size + j], type == HQ_BOOL ? byte != 0 : byte);
        }
}

static void test_numbers_of_every_width_and_place(void **state)
{
    (void)state;
    uint8_t raw[ROOM + MOST_SHIFT];
    uint64_t aligned[ROOM / 8];
    uint8_t *values = (uint8_t *)aligned;
    fill(raw, sizeof raw);
    for (hq_type type = 0; type < HQ_TYPE_COUNT; type++)
        for (size_t shift = 0; shift < MOST_SHIFT; shift++)
            for (size_t count = 0; count <= MOST_NUMBERS; count++) {
                size_t size = count * hq_type_size(type);
                hq_number number = number_plain(type);
                memset(values, 0xA5, ROOM);
                number_decode(&number, values, raw + shift, count);
                expect_numbers(type, values, raw + shift, count);
                assert_int_equal(values[size], 0xA5); /* nothing behind them is touched */
                memcpy(values, raw + shift, size);
                number_swap(type, values, count);
                expect_numbers(type, values, raw + shift, count);
                assert_int_equal(values[size], 0xA5);
            }
}

/* Split and plain pages of every width, count and place, written past the caches and not. */
static void test_pages_of_every_width_and_place(void **state)
{
    (void)state;
    static const struct {
        uint16_t type, bits;
        hq_type to;
        bool is_plain;
    } columns[] = {{0x12, 16, HQ_UINT16, false},  {0x11, 16, HQ_INT16, false},  {0x14, 32, HQ_UINT32, false},
                   {0x13, 32, HQ_INT32, false},   {0x16, 64, HQ_UINT64, false}, {0x15, 64, HQ_INT64, false},
                   {0x18, 32, HQ_FLOAT32, false}, {0x0C, 32, HQ_FLOAT32, true}, {0x06, 16, HQ_UINT16, true}};
    uint8_t page[ROOM];
    uint64_t aligned[2 * ROOM / 8];
    fill(page, sizeof page);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        for (uint32_t elements = 0; elements <= MOST_NUMBERS; elements++)
            for (uint32_t way = 0; way < 2 * MOST_SHIFT; way++) {
                hq_nt_column column = {.type = columns[i].type, .bits = columns[i].bits};
                size_t size = columns[i].bits / 8;
                uint8_t *values = (uint8_t *)aligned + way / 2 * size;
                uint32_t first = elements > 3 ? way % 4 : 0;
                memset(aligned, 0xA5, sizeof aligned);
                page_numbers(&column, page, elements, first, elements - first, columns[i].to, way % 2 != 0, values);
                for (uint32_t j = first; j < elements; j++) {
                    uint64_t value = 0, got = 0;
                    for (size_t k = 0; k < size; k++)
                        value |= (uint64_t)page[columns[i].is_plain ? j * size + k : k * elements + j] << (8 * k);
                    if (columns[i].type == 0x11 || columns[i].type == 0x13 || columns[i].type == 0x15)
                        value = (value >> 1) ^ (0 - (value & 1));
                    memcpy(&got, values + (j - first) * size, size);
                    assert_true(got == (size == 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1)));
                }
                assert_int_equal(values[(elements - first) * size], 0xA5); /* nothing behind them is touched */
            }
}

static void test_counts_from_offsets(void **state)
{
    (void)state;
    uint32_t offsets[68] = {0}, narrow[68];
    uint64_t wide[68];
    for (uint32_t i = 1; i < 68; i++)
        offsets[i] = offsets[i - 1] + i * 37 % 11;
    for (size_t lists = 0; lists < 68; lists++) {
        memset(narrow, 0xA5, sizeof narrow);
        memset(wide, 0xA5, sizeof wide);
        ends_to_counts(offsets, lists, HQ_UINT32, narrow);
        ends_to_counts(offsets, lists, HQ_UINT64, wide);
        for (size_t i = 0; i < lists; i++) {
            assert_int_equal(narrow[i], offsets[i + 1] - offsets[i]);
            assert_int_equal(wide[i], offsets[i + 1] - offsets[i]);
        }
        assert_int_equal(narrow[lists], 0xA5A5A5A5);
        assert_int_equal(wide[lists], UINT64_C(0xA5A5A5A5A5A5A5A5));
    }
}

/* An index of so many offsets, all of them its column's number. */
static void keep(hq_nt_indices *indices, uint32_t column, uint64_t first, size_t count)
{
    uint32_t *offsets = hq_alloc(count * sizeof *offsets);
    for (size_t i = 0; i < count; i++)
        offsets[i] = column;
    hq_nt_span span = {column, column + 1};
    ntindices_keep(indices, &(hq_nt_index){.column = column,
                                           .first = first,
                                           .last = first + count - 1,
                                           .offsets = offsets,
                                           .offset_count = count,
                                           .spans = &span,
                                           .span_count = 1});
    free(offsets);
}

static void test_indices_are_found_by_column_and_entries(void **state)
{
    (void)state;
    hq_nt_indices *indices = ntindices_new();
    keep(indices, 3, 100, 11);
    keep(indices, 4, 100, 11);
    assert_null(ntindices_take(indices, 5, 100, 110));
    assert_null(ntindices_take(indices, 3, 100, 109));
    assert_null(ntindices_take(indices, 3, 99, 110));
    const hq_nt_index *found = ntindices_take(indices, 4, 100, 110);
    assert_non_null(found);
    assert_int_equal(found->offset_count, 11);
    assert_int_equal(found->offsets[10], 4);
    assert_int_equal(found->span_count, 1);
    assert_int_equal(found->spans[0].first, 4);
    ntindices_give_back(indices, found);
    ntindices_free(&indices);
    assert_null(indices);
    ntindices_free(&indices);
}

static void test_indices_give_way(void **state)
{
    (void)state;
    enum { COUNT = KEPT_INDEX_BYTES / 4 / 3 }; /* two of them fit, three do not */
    hq_nt_indices *indices = ntindices_new();
    keep(indices, 1, 0, COUNT);
    keep(indices, 2, 0, COUNT);
    const hq_nt_index *one = ntindices_take(indices, 1, 0, COUNT - 1);
    assert_non_null(one);
    keep(indices, 3, 0, COUNT); /* the second one goes: it was used least lately */
    assert_null(ntindices_take(indices, 2, 0, COUNT - 1));
    const hq_nt_index *three = ntindices_take(indices, 3, 0, COUNT - 1);
    assert_non_null(three);
    keep(indices, 4, 0, COUNT); /* what is in use stays, and the new one finds no room */
    assert_null(ntindices_take(indices, 4, 0, COUNT - 1));
    assert_int_equal(one->offsets[COUNT - 1], 1);
    assert_int_equal(three->offsets[COUNT - 1], 3);
    ntindices_give_back(indices, one);
    ntindices_give_back(indices, three);
    keep(indices, 5, 0, KEPT_INDEX_BYTES / 4 + 1); /* larger than all there is */
    assert_null(ntindices_take(indices, 5, 0, KEPT_INDEX_BYTES / 4));
    for (uint32_t column = 10; column < 100; column++)
        keep(indices, column, 0, 2);
    const hq_nt_index *last = ntindices_take(indices, 99, 0, 1);
    assert_non_null(last);
    ntindices_give_back(indices, last);
    ntindices_free(&indices);
}

static void test_indices_are_given_back(void **state)
{
    (void)state;
    hq_nt_indices *indices = ntindices_new();
    keep(indices, 1, 0, 100);
    keep(indices, 2, 0, 100);
    const hq_nt_index *used = ntindices_take(indices, 1, 0, 99);
    ntindices_rest(indices);
    assert_int_equal(ntindices_bytes(indices), 100 * sizeof(uint32_t) + sizeof(hq_nt_span));
    assert_int_equal(used->offsets[99], 1);
    assert_null(ntindices_take(indices, 2, 0, 99));
    ntindices_give_back(indices, used);
    ntindices_rest(indices);
    assert_int_equal(ntindices_bytes(indices), 0);
    assert_null(ntindices_take(indices, 1, 0, 99));
    ntindices_free(&indices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_every_width_and_place),
        cmocka_unit_test(test_pages_of_every_width_and_place),
        cmocka_unit_test(test_counts_from_offsets),
        cmocka_unit_test(test_indices_are_found_by_column_and_entries),
        cmocka_unit_test(test_indices_give_way),
        cmocka_unit_test(test_indices_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
