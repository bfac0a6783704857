#include "broker/place.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum { SLOTS = 4096, HOLDERS = 2, LEAST_ENTRIES = 1024 };

typedef struct holder {
    uint32_t worker;
    uint32_t stamp; /* of the worker's seed: another worker under the same number holds nothing */
    uint64_t columns;
} holder;

typedef struct entry {
    uint64_t key; /* 0: free */
    holder holders[HOLDERS];
} entry;

typedef struct member {
    bool is_there;
    uint64_t seed;
    uint32_t weight;
} member;

struct hq_places {
    member *members; /* by number */
    size_t member_count, member_capacity;
    uint32_t homes[SLOTS];
    entry *entries; /* open addressing, linear probing, at most half full */
    size_t count, capacity, max;
};

hq_places *places_new(size_t holders_max)
{
    hq_places *places = hq_calloc(1, sizeof *places);
    places->max = holders_max;
    for (size_t i = 0; i < SLOTS; i++)
        places->homes[i] = HQ_NO_WORKER;
    return places;
}

void places_free(hq_places **places_p)
{
    if (!*places_p)
        return;
    free((*places_p)->members);
    free((*places_p)->entries);
    free(*places_p);
    *places_p = NULL;
}

/* ---- homes ---- */

/* The weighted rendezvous score: -weight / ln(u), u uniform in (0, 1) and the same whenever this worker meets this
 * slot. */
static double score(const member *m, size_t slot)
{
    double u = ((double)(hash_mix(m->seed + slot * 0x9e3779b97f4a7c15u) >> 11) + 0.5) * 0x1p-53;
    return -(double)m->weight / log(u);
}

void place_add(hq_places *places, uint32_t worker, uint64_t seed, uint32_t weight)
{
    while (places->member_count <= worker) {
        HQ_GROW(places->members, places->member_count, places->member_capacity);
        places->members[places->member_count++] = (member){0};
    }
    places->members[worker] = (member){.is_there = true, .seed = seed, .weight = weight ? weight : 1};
    /* Only slots that the new one wins change hands; the others' scores are as they were. */
    for (size_t slot = 0; slot < SLOTS; slot++) {
        uint32_t home = places->homes[slot];
        if (home == HQ_NO_WORKER || score(&places->members[worker], slot) > score(&places->members[home], slot))
            places->homes[slot] = worker;
    }
}

static uint32_t winner(const hq_places *places, size_t slot)
{
    double best = -1;
    uint32_t home = HQ_NO_WORKER;
    for (size_t i = 0; i < places->member_count; i++) {
        double mine = places->members[i].is_there ? score(&places->members[i], slot) : -1;
        if (mine > best) {
            best = mine;
            home = (uint32_t)i;
        }
    }
    return home;
}

void place_remove(hq_places *places, uint32_t worker)
{
    if (worker >= places->member_count || !places->members[worker].is_there)
        return;
    places->members[worker].is_there = false;
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (places->homes[slot] == worker)
            places->homes[slot] = winner(places, slot);
}

uint32_t place_home(const hq_places *places, uint64_t key)
{
    return places->homes[hash_mix(key) % SLOTS];
}

/* ---- holders ---- */

uint64_t place_column(const char *name)
{
    hq_hash hash = hash_of(name, strlen(name));
    return (uint64_t)1 << (hash.bytes[0] % 64);
}

static uint64_t key_of(uint64_t key)
{
    return key ? key : 1;
}

/* Where the key is, or would be. */
static size_t find(const hq_places *places, uint64_t key)
{
    size_t at = hash_mix(key) & (places->capacity - 1);
    while (places->entries[at].key && places->entries[at].key != key)
        at = (at + 1) & (places->capacity - 1);
    return at;
}

static const entry *entry_of(const hq_places *places, uint64_t key)
{
    if (places->count == 0)
        return NULL;
    const entry *e = &places->entries[find(places, key_of(key))];
    return e->key ? e : NULL;
}

static void grow(hq_places *places)
{
    hq_places old = *places;
    places->capacity = old.capacity ? 2 * old.capacity : LEAST_ENTRIES;
    places->entries = hq_calloc(places->capacity, sizeof *places->entries);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].key)
            places->entries[find(places, old.entries[i].key)] = old.entries[i];
    free(old.entries);
}

/* NULL if there is no room. */
static entry *make_entry(hq_places *places, uint64_t key)
{
    bool is_full = places->count >= places->max;
    if (!is_full && 2 * (places->count + 1) > places->capacity)
        grow(places);
    entry *e = &places->entries[find(places, key)];
    if (e->key)
        return e;
    if (is_full) {
        /* Whatever lies where the search for the new one begins makes room for it, so that no chain is broken. */
        e = &places->entries[hash_mix(key) & (places->capacity - 1)];
        if (!e->key)
            return NULL;
        places->count--;
    }
    *e = (entry){.key = key};
    for (size_t i = 0; i < HOLDERS; i++)
        e->holders[i].worker = HQ_NO_WORKER;
    places->count++;
    return e;
}

static bool is_there(const hq_places *places, const holder *h)
{
    return h->worker < places->member_count && places->members[h->worker].is_there &&
           (uint32_t)places->members[h->worker].seed == h->stamp;
}

void place_note(hq_places *places, uint64_t key, uint32_t worker, uint64_t columns)
{
    if (!columns || worker >= places->member_count)
        return;
    entry *e = make_entry(places, key_of(key));
    if (!e)
        return;
    uint32_t stamp = (uint32_t)places->members[worker].seed;
    size_t place = 0;
    while (place < HOLDERS - 1 && !(e->holders[place].worker == worker && e->holders[place].stamp == stamp))
        place++;
    holder *last = &e->holders[place];
    uint64_t had = last->worker == worker && last->stamp == stamp ? last->columns : 0;
    memmove(&e->holders[1], &e->holders[0], place * sizeof *e->holders); /* the latest first */
    e->holders[0] = (holder){.worker = worker, .stamp = stamp, .columns = had | columns};
}

void place_forget(hq_places *places, uint64_t key, uint32_t worker)
{
    entry *e = (entry *)entry_of(places, key);
    for (size_t i = 0; e && i < HOLDERS; i++)
        if (e->holders[i].worker == worker)
            e->holders[i] = (holder){.worker = HQ_NO_WORKER};
}

uint32_t place_holder(const hq_places *places, uint64_t key, uint64_t columns)
{
    const entry *e = columns ? entry_of(places, key) : NULL;
    int most = 0;
    uint32_t best = HQ_NO_WORKER;
    for (size_t i = 0; e && i < HOLDERS; i++) {
        const holder *h = &e->holders[i];
        int have = is_there(places, h) ? __builtin_popcountll(h->columns & columns) : 0;
        if (have > most || (have && have == most && h->worker == place_home(places, key))) {
            most = have;
            best = h->worker;
        }
    }
    return best;
}

bool place_is_held(const hq_places *places, uint64_t key, uint32_t worker, uint64_t columns)
{
    const entry *e = entry_of(places, key);
    for (size_t i = 0; e && i < HOLDERS; i++)
        if (e->holders[i].worker == worker && is_there(places, &e->holders[i]))
            return (columns & ~e->holders[i].columns) == 0;
    return false;
}

size_t place_count(const hq_places *places)
{
    return places->count;
}
