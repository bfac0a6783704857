/* base/hash.h - identities: BLAKE2b fingerprints (libsodium) of what must be told apart, random ids of what is new. */
#ifndef HQ_BASE_HASH_H
#define HQ_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct hq_hash {
    uint8_t bytes[16];
} hq_hash;

enum { HQ_HASH_TEXT = 33 }; /* 32 lower-case hexadecimal digits and the zero */

typedef struct hq_hasher hq_hasher;

hq_hasher *hasher_new(void);
void hasher_add(hq_hasher *hasher, const void *bytes, size_t size);
/* The length goes in first, so that "ab" + "c" and "a" + "bc" differ. */
void hasher_add_text(hq_hasher *hasher, const char *text);
void hasher_add_u64(hq_hasher *hasher, uint64_t value);
/* Gives the hash and destroys the hasher. */
hq_hash hasher_end(hq_hasher **hasher_p);

hq_hash hash_of(const void *bytes, size_t size);
hq_hash hash_random(void);
void hash_to_text(const hq_hash *hash, char text_r[HQ_HASH_TEXT]);
/* 0, or -1 if the text is not 32 hexadecimal digits. */
int hash_from_text(const char *text, hq_hash *hash_r);

/* A fast 64-bit mix for tables and rendezvous hashing; not an identity. */
static inline uint64_t hash_mix(uint64_t value)
{
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9u;
    value ^= value >> 27;
    value *= 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

#endif
