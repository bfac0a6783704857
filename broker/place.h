/* broker/place.h - where a partition's columns are, and where they should be.
 *
 * Every partition has a key (64 bits of its identity), and every key a home among the workers: the keys fall into 4,096
 * slots and each slot belongs to the worker that wins it by weighted rendezvous hashing (Thaler and Ravishankar 1998;
 * weights after Schindelhauer and Schomaker 2005), so a question asked again finds its columns where they were loaded,
 * and a worker that comes or goes moves only its own share.
 *
 * Beside that it is remembered who holds what: for each partition the last two workers that had columns of it, and
 * which. Columns are a set of 64 bits (place_column), so that two columns may now and then be taken for each other:
 * then a subtask goes to a worker that must load one, which costs time and nothing else.
 *
 * Belongs to one thread. Each call is O(1), but for place_add and place_remove, which look at every slot, and at every
 * worker for the slots that the one which goes had won.
 */
#ifndef HQ_BROKER_PLACE_H
#define HQ_BROKER_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hq_places hq_places;

enum { HQ_NO_WORKER = UINT32_MAX };

/* holders_max > 0 bounds how many partitions are remembered: beyond it a new one takes the place of any other, or is
 * not remembered. */
hq_places *places_new(size_t holders_max);
void places_free(hq_places **places_p);

/* A worker that takes part, under a number that is free. seed is of its id and always the same for it; weight is how
 * large its share is to be. */
void place_add(hq_places *places, uint32_t worker, uint64_t seed, uint32_t weight);
/* It is nobody's home any more. What it holds is remembered, and is true again if it comes back under its number. */
void place_remove(hq_places *places, uint32_t worker);

/* HQ_NO_WORKER if there are none. */
uint32_t place_home(const hq_places *places, uint64_t key);

/* The bit of a column. */
uint64_t place_column(const char *name);
/* The worker has those columns of the partition now. */
void place_note(hq_places *places, uint64_t key, uint32_t worker, uint64_t columns);
/* It has dropped some column of the partition: nothing of it counts any more. */
void place_forget(hq_places *places, uint64_t key, uint32_t worker);
/* The worker that has most of the columns; the home if it has as many as another; HQ_NO_WORKER if nobody who is there
 * has any. */
uint32_t place_holder(const hq_places *places, uint64_t key, uint64_t columns);
/* Whether it has them all. */
bool place_is_held(const hq_places *places, uint64_t key, uint32_t worker, uint64_t columns);
/* How many partitions are remembered. */
size_t place_count(const hq_places *places);

#endif
