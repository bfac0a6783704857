/* The decoders of histograms: any bytes give an error or a set that can be merged and encoded, and that comes back
 * equal. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "query/uhi.h"

/* Bins beyond which a set is not worth the time here, and its text is not. */
enum { LARGE = 1 << 20, SMALL = 1 << 12 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int is_true)
{
    if (!is_true)
        __builtin_trap();
}

static void check_contents(const uint8_t *bytes, size_t size)
{
    char name[] = "x", label[] = "";
    hq_axis axes[] = {{.name = name, .label = label, .bins = 30, .low = 0, .high = 1},
                      {.name = name, .label = label, .bins = 5, .low = 0, .high = 1}};
    hq_axis flag = {.kind = HQ_AXIS_BOOLEAN, .name = name, .label = label, .bins = 2};
    hq_hist *hists[] = {hist_new("counts", axes, 2, HQ_COUNT), hist_new("sums", axes, 1, HQ_WEIGHTED),
                        hist_new("means", axes, 1, HQ_MEAN), hist_new("weighted means", &flag, 1, HQ_WEIGHTED_MEAN)};
    hq_histset *set = histset_new(hists, 4);
    hq_error error = histset_decode_into(set, bytes, size, NULL);
    require(error == HQ_OK || error == HQ_EFORMAT);

    hq_histset *back = histset_new_like(set);
    hq_buffer again = {0};
    histset_encode(set, &again);
    require(histset_decode_into(back, again.bytes, again.size, NULL) == HQ_OK || error == HQ_EFORMAT);
    require(error == HQ_EFORMAT || histset_is_equal(set, back));
    require(histset_merge(back, set, NULL) == HQ_OK);
    buffer_clear(&again);
    histset_free(&back);
    histset_free(&set);
}

/* Any value has a bin, and the bins have edges that do not fall. */
static void check_axis(const hq_axis *axis, const uint8_t *bytes, size_t size)
{
    double value = 0;
    int64_t whole = 0;
    memcpy(&value, bytes, size < sizeof value ? size : sizeof value);
    memcpy(&whole, bytes, size < sizeof whole ? size : sizeof whole);
    require(axis_fault(axis) == NULL);
    require(axis_index(axis, value) < axis_extent(axis));
    require(axis_index_int(axis, whole) < axis_extent(axis));
    for (uint32_t i = 0; i < axis->bins && i < 1000; ++i)
        require(axis_edge(axis, i) <= axis_edge(axis, i + 1));
    hq_axis copy = axis_copy(axis);
    require(axis_is_equal(&copy, axis));
    axis_clear(&copy);
}

/* Whatever is in the bins, the document is JSON. */
static void check_json(const hq_histset *set)
{
    hq_buffer text = {0};
    histset_to_uhi(set, NULL, &text);
    json_t *document = json_loadb((const char *)text.bytes, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(document || memmem(text.bytes, text.size, "1e999", 5)); /* jansson refuses what is no double */
    json_decref(document);
    buffer_clear(&text);
}

static void check_whole(const uint8_t *bytes, size_t size)
{
    hq_histset *set = NULL, *back = NULL;
    if (histset_decode_whole(bytes, size, &set, NULL) != HQ_OK)
        return;
    size_t bins = 0;
    for (size_t i = 0; i < set->count; ++i)
        bins += hist_size(set->hists[i]);
    for (size_t i = 0; i < set->count && bins <= LARGE; ++i)
        for (size_t k = 0; k < hist_axis_count(set->hists[i]); ++k)
            check_axis(hist_axis(set->hists[i], k), bytes, size);
    if (bins <= LARGE) {
        hq_buffer again = {0};
        histset_encode_whole(set, &again);
        require(histset_decode_whole(again.bytes, again.size, &back, NULL) == HQ_OK);
        require(histset_is_equal(set, back));
        require(histset_merge(back, set, NULL) == HQ_OK);
        buffer_clear(&again);
        if (bins <= SMALL)
            check_json(set);
    }
    histset_free(&set);
    histset_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if (bytes[0] & 1)
        check_whole(bytes + 1, size - 1);
    else
        check_contents(bytes + 1, size - 1);
    return 0;
}
