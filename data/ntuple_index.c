#include "data/ntuple_index.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { KEPT = 32 };

typedef struct kept_index {
    hq_nt_index index; /* first, so that its address is the slot's; free if it has no offsets */
    size_t bytes;
    unsigned users; /* what has users is not touched */
    uint64_t used;  /* when it was asked for last, counted in questions */
} kept_index;

struct hq_nt_indices {
    pthread_mutex_t lock;
    kept_index slots[KEPT];
    size_t bytes;
    uint64_t questions;
};

hq_nt_indices *ntindices_new(void)
{
    hq_nt_indices *indices = hq_calloc(1, sizeof *indices);
    pthread_mutex_init(&indices->lock, NULL);
    return indices;
}

static void drop(hq_nt_indices *indices, kept_index *slot)
{
    indices->bytes -= slot->bytes;
    free(slot->index.offsets);
    free(slot->index.spans);
    *slot = (kept_index){0};
}

void ntindices_free(hq_nt_indices **indices_p)
{
    hq_nt_indices *indices = *indices_p;
    if (!indices)
        return;
    for (size_t i = 0; i < KEPT; i++)
        drop(indices, &indices->slots[i]);
    pthread_mutex_destroy(&indices->lock);
    free(indices);
    *indices_p = NULL;
}

static kept_index *find(hq_nt_indices *indices, uint32_t column, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < KEPT; i++) {
        const hq_nt_index *index = &indices->slots[i].index;
        if (index->offsets && index->column == column && index->first == first && index->last == last)
            return &indices->slots[i];
    }
    return NULL;
}

const hq_nt_index *ntindices_take(hq_nt_indices *indices, uint32_t column, uint64_t first, uint64_t last)
{
    pthread_mutex_lock(&indices->lock);
    kept_index *slot = find(indices, column, first, last);
    if (slot) {
        slot->users++;
        slot->used = ++indices->questions;
    }
    pthread_mutex_unlock(&indices->lock);
    return slot ? &slot->index : NULL;
}

void ntindices_give_back(hq_nt_indices *indices, const hq_nt_index *index)
{
    pthread_mutex_lock(&indices->lock);
    ((kept_index *)index)->users--;
    pthread_mutex_unlock(&indices->lock);
}

/* A free slot, with room for so many bytes; NULL if what is in use leaves none. */
static kept_index *make_room(hq_nt_indices *indices, size_t bytes)
{
    for (;;) {
        kept_index *empty = NULL, *oldest = NULL;
        for (size_t i = 0; i < KEPT; i++) {
            kept_index *slot = &indices->slots[i];
            if (!slot->index.offsets)
                empty = slot;
            else if (slot->users == 0 && (!oldest || slot->used < oldest->used))
                oldest = slot;
        }
        if (empty && bytes <= KEPT_INDEX_BYTES - indices->bytes)
            return empty;
        if (!oldest)
            return NULL;
        drop(indices, oldest);
    }
}

void ntindices_keep(hq_nt_indices *indices, const hq_nt_index *index)
{
    size_t offsets = index->offset_count * sizeof *index->offsets, spans = index->span_count * sizeof *index->spans;
    if (offsets > KEPT_INDEX_BYTES || spans > KEPT_INDEX_BYTES - offsets)
        return;
    pthread_mutex_lock(&indices->lock);
    kept_index *slot = find(indices, index->column, index->first, index->last) ? NULL
                                                                               : make_room(indices, offsets + spans);
    if (slot) {
        *slot = (kept_index){.index = *index, .bytes = offsets + spans, .used = ++indices->questions};
        slot->index.offsets = hq_alloc(offsets);
        memcpy(slot->index.offsets, index->offsets, offsets);
        slot->index.spans = hq_alloc(spans);
        if (spans > 0)
            memcpy(slot->index.spans, index->spans, spans);
        indices->bytes += slot->bytes;
    }
    pthread_mutex_unlock(&indices->lock);
}

void ntindices_rest(hq_nt_indices *indices)
{
    pthread_mutex_lock(&indices->lock);
    for (size_t i = 0; i < KEPT; i++)
        if (indices->slots[i].users == 0)
            drop(indices, &indices->slots[i]);
    pthread_mutex_unlock(&indices->lock);
}

size_t ntindices_bytes(hq_nt_indices *indices)
{
    pthread_mutex_lock(&indices->lock);
    size_t bytes = indices->bytes;
    pthread_mutex_unlock(&indices->lock);
    return bytes;
}
