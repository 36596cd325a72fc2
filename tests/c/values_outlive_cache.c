/* What was handed out stays readable: after a replacement, a deletion, an
 * eviction, a clear and the close of its cache. */
#include "check.h"

enum { LARGE = 300 * 1024 };

static void outlive(twat_cache *cache, size_t len, int mapped)
{
    unsigned char *value = malloc(len);
    twat_bytes first = {0}, second = {0};
    CHECK(value != NULL);
    for (size_t i = 0; i < len; i++)
        value[i] = (unsigned char)(i * 31 + 7);
    CHECK_STATUS(twat_cache_set(cache, "k", 1, value, len, 0), TWAT_OK);
    CHECK_STATUS(twat_cache_get(cache, "k", 1, &first), TWAT_OK);
    CHECK(!mapped || (uintptr_t)first.data % 64 == 0);
    CHECK_STATUS(twat_cache_set(cache, "k", 1, "replaced", 8, 0), TWAT_OK);
    CHECK_STATUS(twat_cache_get(cache, "k", 1, &second), TWAT_OK);
    CHECK_STATUS(twat_cache_delete(cache, "k", 1), TWAT_OK);
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    CHECK(first.len == len && memcmp(first.data, value, len) == 0);
    CHECK(second.len == 8 && memcmp(second.data, "replaced", 8) == 0);
    twat_bytes_free(&first);
    twat_bytes_free(&second);
    twat_bytes_free(&second);
    free(value);
}

static void outlive_eviction(void)
{
    twat_cache *cache = memory_cache(1);
    twat_bytes value = {0};
    set_text(cache, "a", "first");
    CHECK_STATUS(twat_cache_get(cache, "a", 1, &value), TWAT_OK);
    set_text(cache, "b", "second");
    expect_miss(cache, "a");
    CHECK(value.len == 5 && memcmp(value.data, "first", 5) == 0);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    twat_bytes_free(&value);
}

static void scan_outlives_its_cache(void)
{
    twat_cache *cache = memory_cache(10);
    twat_scan *scan = NULL;
    twat_bytes key = {0};
    int32_t status;
    set_text(cache, "a", "1");
    CHECK_STATUS(twat_cache_scan(cache, NULL, 0, &scan), TWAT_OK);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    status = twat_scan_next(scan, &key);
    CHECK(status == TWAT_E_CLOSED);
    twat_scan_free(scan);
}

int main(void)
{
    outlive(memory_cache(10), 100, 0);
    outlive(memory_cache(10), LARGE, 0);
    outlive(disk_cache(scratch("small")), 100, 0);
    outlive(disk_cache(scratch("large")), LARGE, 1);
    outlive(opened(store_config("file", scratch("file"))), 100, 1);
    outlive_eviction();
    scan_outlives_its_cache();
    return 0;
}
