#include "base/hash.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "base/memory.h"

struct hq_hasher {
    crypto_generichash_state *state; /* libsodium wants it 64-byte aligned */
};

hq_hasher *hasher_new(void)
{
    hq_hasher *hasher = hq_alloc(sizeof *hasher);
    hasher->state = aligned_alloc(64, (crypto_generichash_statebytes() + 63) / 64 * 64);
    if (sodium_init() < 0 || !hasher->state || crypto_generichash_init(hasher->state, NULL, 0, sizeof(hq_hash)) != 0)
        abort(); /* only if the library has no memory or no random numbers */
    return hasher;
}

void hasher_add(hq_hasher *hasher, const void *bytes, size_t size)
{
    crypto_generichash_update(hasher->state, bytes, size);
}

void hasher_add_u64(hq_hasher *hasher, uint64_t value)
{
    value = htole64(value);
    hasher_add(hasher, &value, sizeof value);
}

void hasher_add_text(hq_hasher *hasher, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    hasher_add_u64(hasher, length);
    hasher_add(hasher, text, length);
}

hq_hash hasher_end(hq_hasher **hasher_p)
{
    hq_hash hash;
    crypto_generichash_final((*hasher_p)->state, hash.bytes, sizeof hash.bytes);
    free((*hasher_p)->state);
    free(*hasher_p);
    *hasher_p = NULL;
    return hash;
}

hq_hash hash_of(const void *bytes, size_t size)
{
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, bytes, size);
    return hasher_end(&hasher);
}

hq_hash hash_random(void)
{
    hq_hash hash;
    if (sodium_init() < 0)
        abort();
    randombytes_buf(hash.bytes, sizeof hash.bytes);
    return hash;
}

void hash_to_text(const hq_hash *hash, char text_r[HQ_HASH_TEXT])
{
    sodium_bin2hex(text_r, HQ_HASH_TEXT, hash->bytes, sizeof hash->bytes);
}

int hash_from_text(const char *text, hq_hash *hash_r)
{
    size_t size = 0;
    if (strlen(text) != HQ_HASH_TEXT - 1)
        return -1;
    return sodium_hex2bin(hash_r->bytes, sizeof hash_r->bytes, text, HQ_HASH_TEXT - 1, NULL, &size, NULL) == 0 &&
                   size == sizeof hash_r->bytes
               ? 0
               : -1;
}
