/* Identities: a standard hash, no two ways of writing that collide, and texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/hash.h"

static void assert_differ(hq_hash one, hq_hash other)
{
    assert_memory_not_equal(&one, &other, sizeof one);
}

static void it_is_blake2b_of_16_bytes(void **state)
{
    (void)state;
    /* python3 -c 'import hashlib; print(hashlib.blake2b(b"hq", digest_size=16).hexdigest())' */
    char text[HQ_HASH_TEXT];
    hq_hash hash = hash_of("hq", 2);
    hash_to_text(&hash, text);
    assert_string_equal(text, "512ecf8de11c8544a513364ebbcc4723");
    hash = hash_of("", 0);
    hash_to_text(&hash, text);
    assert_string_equal(text, "cae66941d9efbd404e4d88758ea67670");
}

static hq_hash of_texts(const char *one, const char *other)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, one);
    hasher_add_text(hasher, other);
    hq_hash hash = hasher_end(&hasher);
    assert_null(hasher);
    return hash;
}

static void parts_do_not_run_into_each_other(void **state)
{
    (void)state;
    assert_differ(of_texts("ab", "c"), of_texts("a", "bc"));
    assert_differ(of_texts("", "abc"), of_texts("abc", ""));
    hq_hash one = of_texts("ab", "c"), same = of_texts("ab", "c");
    assert_memory_equal(&one, &same, sizeof one);
}

static void pieces_hash_like_the_whole(void **state)
{
    (void)state;
    hq_hasher *hasher = hasher_new();
    hasher_add(hasher, "abc", 3);
    hasher_add(hasher, "", 0);
    hasher_add(hasher, "def", 3);
    hq_hash pieces = hasher_end(&hasher), whole = hash_of("abcdef", 6);
    assert_memory_equal(&pieces, &whole, sizeof whole);
    hasher = hasher_new();
    hasher_add_u64(hasher, 0x0102);
    pieces = hasher_end(&hasher);
    whole = hash_of("\2\1\0\0\0\0\0\0", 8);
    assert_memory_equal(&pieces, &whole, sizeof whole);
}

static void random_ones_differ(void **state)
{
    (void)state;
    hq_hash hashes[64];
    for (int i = 0; i < 64; i++) {
        hashes[i] = hash_random();
        for (int j = 0; j < i; j++)
            assert_differ(hashes[i], hashes[j]);
    }
}

static void texts_go_there_and_back(void **state)
{
    (void)state;
    hq_hash hash = hash_random(), back;
    char text[HQ_HASH_TEXT], upper[HQ_HASH_TEXT] = "";
    hash_to_text(&hash, text);
    assert_int_equal(strlen(text), 32);
    assert_int_equal(strspn(text, "0123456789abcdef"), 32);
    assert_int_equal(hash_from_text(text, &back), 0);
    assert_memory_equal(&hash, &back, sizeof hash);
    for (int i = 0; i < 32; i++)
        upper[i] = (char)toupper((unsigned char)text[i]);
    assert_int_equal(hash_from_text(upper, &back), 0);

    static const char *const wrong[] = {"",
                                        "0123456789abcdef0123456789abcde",
                                        "0123456789abcdef0123456789abcdef0",
                                        "0123456789abcdef0123456789abcdeg",
                                        "0123456789abcdef 123456789abcdef",
                                        "0123456789abcdef:123456789abcdef"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hash_from_text(wrong[i], &back), -1);
}

static void the_mix_spreads_neighbours(void **state)
{
    (void)state;
    int counts[64] = {0};
    for (uint64_t i = 0; i < 64 * 256; i++)
        counts[hash_mix(i) % 64]++;
    for (int i = 0; i < 64; i++)
        assert_in_range(counts[i], 256 - 80, 256 + 80); /* five standard deviations */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_blake2b_of_16_bytes),  cmocka_unit_test(parts_do_not_run_into_each_other),
        cmocka_unit_test(pieces_hash_like_the_whole), cmocka_unit_test(random_ones_differ),
        cmocka_unit_test(texts_go_there_and_back),    cmocka_unit_test(the_mix_spreads_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
