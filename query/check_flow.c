#include <string.h>

#include "query/check.h"

static size_t word_count(const hq_checker *checker)
{
    return checker->local_count / 64 + 1;
}

hq_flow flow_copy(hq_checker *checker, const hq_flow *flow)
{
    size_t bytes = word_count(checker) * sizeof *flow->bits;
    hq_flow copy = {arena_alloc(checker->program->arena, bytes), flow->is_dead};
    memcpy(copy.bits, flow->bits, bytes);
    return copy;
}

void flow_merge(hq_checker *checker, hq_flow *into, const hq_flow *other)
{
    if (other->is_dead)
        return;
    for (size_t i = 0; i < word_count(checker); i++)
        into->bits[i] = into->is_dead ? other->bits[i] : into->bits[i] & other->bits[i];
    into->is_dead = false;
}

void flow_assign(hq_flow *flow, const hq_symbol *symbol)
{
    flow->bits[symbol->id / 64] |= (uint64_t)1 << symbol->id % 64;
}

bool flow_has(const hq_flow *flow, const hq_symbol *symbol)
{
    return flow->is_dead || (flow->bits[symbol->id / 64] >> symbol->id % 64 & 1);
}
