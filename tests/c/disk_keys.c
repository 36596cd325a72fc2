/* LMDB's keys have 1 to 511 bytes; ours any number: a key of 600 bytes, an
 * empty one, and the ones around the edges, again after a reopening. */
#include "check.h"

static const size_t lengths[] = {0, 1, 254, 255, 256, 500, 509, 510, 511, 512, 600, 70000};
enum { COUNT = sizeof lengths / sizeof lengths[0] };

static void read_back(twat_cache *cache, const char *key)
{
    for (size_t i = 0; i < COUNT; i++)
        expect_bytes(cache, key, lengths[i], &lengths[i], sizeof lengths[i]);
}

static size_t scanned(twat_cache *cache, const char *key)
{
    twat_scan *scan = NULL;
    twat_bytes found;
    size_t n = 0;
    CHECK_STATUS(twat_cache_scan(cache, NULL, 0, &scan), TWAT_OK);
    while (twat_scan_next(scan, &found) == TWAT_OK) {
        CHECK(memcmp(found.data, key, found.len) == 0);
        twat_bytes_free(&found);
        n++;
    }
    twat_scan_free(scan);
    return n;
}

int main(void)
{
    char *key = malloc(70000);
    const char *path = scratch("disk-keys");
    twat_cache *cache = disk_cache(path);
    CHECK(key != NULL);
    memset(key, 'k', 70000);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_STATUS(twat_cache_set(cache, key, lengths[i], &lengths[i], sizeof lengths[i], 0),
                     TWAT_OK);
    read_back(cache, key);
    CHECK(scanned(cache, key) == COUNT);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);

    cache = disk_cache(path);
    read_back(cache, key);
    CHECK(scanned(cache, key) == COUNT);
    /* Two long keys that differ in their last byte only. */
    key[599] = 'x';
    CHECK_STATUS(twat_cache_contains(cache, key, 600), TWAT_MISS);
    CHECK_STATUS(twat_cache_delete(cache, NULL, 0), TWAT_OK);
    CHECK_STATUS(twat_cache_delete(cache, "", 0), TWAT_MISS);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    free(key);
    return 0;
}
