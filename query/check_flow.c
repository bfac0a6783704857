#include <string.h>

#include "query/check.h"

hq_flow flow_copy(hq_checker *checker, const hq_flow *flow)
{
    size_t bytes = flow->words * sizeof *flow->bits;
    hq_flow copy = {arena_alloc(checker->source->arena, bytes + 1), flow->words, flow->is_dead};
    if (bytes)
        memcpy(copy.bits, flow->bits, bytes);
    return copy;
}

void flow_merge(hq_checker *checker, hq_flow *into, const hq_flow *other)
{
    if (other->is_dead)
        return;
    if (into->is_dead) {
        *into = flow_copy(checker, other);
        return;
    }
    if (into->words > other->words)
        into->words = other->words;
    for (size_t i = 0; i < into->words; i++)
        into->bits[i] &= other->bits[i];
}

void flow_assign(hq_checker *checker, hq_flow *flow, const hq_symbol *symbol)
{
    size_t word = symbol->id / 64;
    if (word >= flow->words) {
        uint64_t *bits = arena_alloc(checker->source->arena, (word + 1) * sizeof *bits);
        if (flow->words)
            memcpy(bits, flow->bits, flow->words * sizeof *bits);
        flow->bits = bits;
        flow->words = word + 1;
    }
    flow->bits[word] |= (uint64_t)1 << symbol->id % 64;
}

void flow_forget(hq_flow *flow, const hq_symbol *symbol)
{
    if (symbol->id / 64 < flow->words)
        flow->bits[symbol->id / 64] &= ~((uint64_t)1 << symbol->id % 64);
}

bool flow_has(const hq_flow *flow, const hq_symbol *symbol)
{
    if (flow->is_dead)
        return true;
    return symbol->id / 64 < flow->words && (flow->bits[symbol->id / 64] >> symbol->id % 64 & 1);
}
