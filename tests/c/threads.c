/* Eight threads on one handle: values are never torn or another key's, the
 * counts add up, and errors are each thread's own. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 8, ROUNDS = 2000, KEYS = 64 };

static twat_cache *shared;

static void *worker(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    char wrong[16], value[64], found[64];
    size_t len;
    snprintf(wrong, sizeof wrong, "option%u", seed);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t key = (seed = seed * 1664525u + 1013904223u) >> 16;
        int32_t status;
        key %= KEYS;
        memset(value, (int)('A' + key % 26), sizeof value);
        if (i % 4 == 0)
            CHECK_STATUS(twat_cache_set(shared, &key, sizeof key, value, sizeof value, 0), TWAT_OK);
        status = twat_cache_get_into(shared, &key, sizeof key, found, sizeof found, &len);
        CHECK(status == TWAT_OK || status == TWAT_MISS);
        if (status == TWAT_OK)
            CHECK(len == sizeof value && memcmp(found, value, len) == 0);
        if (i % 100 == 0) {
            twat_config *config = config_of("memory");
            CHECK_FAILS(twat_config_set(config, wrong, "1"), TWAT_E_CONFIG, wrong);
            twat_config_free(config);
        }
    }
    return NULL;
}

static void hammer(twat_cache *cache)
{
    pthread_t threads[THREADS];
    twat_stats stats;
    shared = cache;
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    stats = stats_of(cache);
    CHECK(stats.hits + stats.misses == THREADS * ROUNDS);
    CHECK(stats.sets == THREADS * ROUNDS / 4);
    CHECK(stats.entries <= KEYS);
    CHECK(stats.errors == 0);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

int main(void)
{
    hammer(memory_cache(10000));
    hammer(memory_cache(KEYS / 4));
    hammer(disk_cache(scratch("threads")));
    CHECK(strcmp(twat_last_error(), "") == 0);
    return 0;
}
