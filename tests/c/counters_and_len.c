/* Counters begin with any stored integer; entries that a get would miss do not count. */
#include "check.h"

static void counters(twat_cache *cache)
{
    int64_t sum = 0;
    twat_bytes value = {0};
    /* As the languages store a 2: MessagePack. */
    CHECK_STATUS(twat_cache_set(cache, "n", 1, "\x01\x02", 2, TWAT_TTL_DEFAULT), TWAT_OK);
    CHECK_STATUS(twat_cache_incr(cache, "n", 1, 1, 0, TWAT_TTL_DEFAULT, &sum), TWAT_OK);
    CHECK(sum == 3);
    CHECK_STATUS(twat_cache_get(cache, "n", 1, &value), TWAT_OK);
    CHECK(value.len == 9 && memcmp(value.data, "\x04\x03\0\0\0\0\0\0", 9) == 0);
    twat_bytes_free(&value);
    CHECK_FAILS(twat_cache_incr(cache, "n", 1, INT64_MAX, 0, 0, &sum), TWAT_E_TOO_LARGE,
                "9223372036854775810");
    CHECK_STATUS(twat_cache_incr(cache, "n", 1, 0, 0, 0, &sum), TWAT_OK);
    CHECK(sum == 3);
    CHECK_STATUS(twat_cache_set(cache, "t", 1, "\x01\xa1x", 3, TWAT_TTL_DEFAULT), TWAT_OK);
    CHECK_FAILS(twat_cache_incr(cache, "t", 1, 1, 0, 0, &sum), TWAT_E_UNSUPPORTED, "got text");
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
}

static uint64_t len_of(twat_cache *cache)
{
    uint64_t len = 77;
    CHECK_STATUS(twat_cache_len(cache, &len), TWAT_OK);
    return len;
}

static void len(twat_cache *cache)
{
    twat_slice tag = {"tag", 3};
    twat_set_options tagged = {.struct_size = sizeof tagged, .tags = &tag, .n_tags = 1};
    set_text(cache, "stays", "1");
    CHECK_STATUS(twat_cache_set(cache, "ends", 4, "2", 1, 20), TWAT_OK);
    CHECK_STATUS(twat_cache_set_with(cache, "tagged", 6, "3", 1, &tagged), TWAT_OK);
    CHECK(len_of(cache) == 3);
    CHECK_STATUS(twat_cache_invalidate_tag(cache, "tag", 3), TWAT_OK);
    while (twat_cache_contains(cache, "ends", 4) == TWAT_OK)
        ;
    CHECK(len_of(cache) == 1);
}

int main(void)
{
    twat_cache *cache = memory_cache(10);
    counters(cache);
    len(cache);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}
