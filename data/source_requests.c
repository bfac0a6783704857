/* Cutting a read of a server's file into requests. */
#include <string.h>

#include "base/memory.h"
#include "data/source_remote.h"

static int compare_pieces(const void *one, const void *other)
{
    const hq_piece *a = one, *b = other;
    return a->offset != b->offset ? (a->offset < b->offset ? -1 : 1) : (a->size > b->size) - (a->size < b->size);
}

/* The stretches as pieces, none longer than a request may have it, in the order of the file. */
static void make_pieces(const hq_request_limits *limits, const hq_stretch *stretches, size_t count,
                        hq_requests *requests)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++)
        pieces += stretches[i].size / limits->piece_bytes + (stretches[i].size % limits->piece_bytes != 0);
    requests->pieces = hq_calloc(pieces, sizeof *requests->pieces);
    bool is_sorted = true;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < stretches[i].size; at += limits->piece_bytes) {
            size_t left = stretches[i].size - at;
            hq_piece *piece = &requests->pieces[requests->piece_count++];
            *piece = (hq_piece){.offset = stretches[i].offset + at,
                                .size = left < limits->piece_bytes ? left : limits->piece_bytes,
                                .to = (uint8_t *)stretches[i].bytes_r + at};
            is_sorted = is_sorted && (piece == requests->pieces || compare_pieces(piece - 1, piece) <= 0);
        }
    if (!is_sorted)
        qsort(requests->pieces, requests->piece_count, sizeof *requests->pieces, compare_pieces);
}

/* How large the request becomes with the piece in it; 0 if it does not fit. */
static size_t size_with(const hq_request_limits *limits, const hq_request *request, const hq_piece *piece)
{
    if (request->piece_count == limits->piece_count)
        return 0;
    size_t size = request->size;
    if (limits->takes_pieces) {
        size += piece->size;
    } else {
        uint64_t end = request->offset + request->size;
        if (piece->offset > end && piece->offset - end > limits->gap)
            return 0;
        if (piece->offset + piece->size > end)
            size = (size_t)(piece->offset + piece->size - request->offset);
    }
    return size <= limits->bytes ? size : 0;
}

void requests_plan(const hq_request_limits *limits, const hq_stretch *stretches, size_t count, hq_requests *requests_r)
{
    hq_requests cut = {0};
    make_pieces(limits, stretches, count, &cut);
    *requests_r = (hq_requests){.pieces = cut.pieces, .piece_count = cut.piece_count};
    for (size_t i = 0; i < requests_r->piece_count; i++) {
        const hq_piece *piece = &requests_r->pieces[i];
        hq_request *last = requests_r->count ? &requests_r->requests[requests_r->count - 1] : NULL;
        size_t size = last ? size_with(limits, last, piece) : 0;
        if (size) {
            last->piece_count++;
            last->size = size;
            continue;
        }
        HQ_GROW(requests_r->requests, requests_r->count, requests_r->capacity);
        requests_r->requests[requests_r->count++] =
            (hq_request){.pieces = piece, .piece_count = 1, .offset = piece->offset, .size = piece->size};
    }
}

void requests_clear(hq_requests *requests)
{
    free(requests->requests);
    free(requests->pieces);
    *requests = (hq_requests){0};
}

void request_take(hq_request *request, const uint8_t *bytes, size_t size)
{
    uint64_t from = request->offset + request->done, to = from + size;
    const hq_piece *end = request->pieces + request->piece_count;
    for (const hq_piece *piece = request->pieces + request->passed; piece < end && piece->offset < to; piece++) {
        uint64_t piece_end = piece->offset + piece->size;
        uint64_t begin = piece->offset > from ? piece->offset : from, stop = piece_end < to ? piece_end : to;
        if (begin < stop)
            memcpy(piece->to + (begin - piece->offset), bytes + (begin - from), (size_t)(stop - begin));
    }
    request->done += size;
    /* A piece within another one may end before it: only those at the very front are passed for good. */
    while (request->passed < request->piece_count &&
           request->pieces[request->passed].offset + request->pieces[request->passed].size <= to)
        request->passed++;
}
