/* One cache, many threads: any call on any thread, no lock of your own.
 *
 *   cc -pthread threads.c $(pkg-config --cflags --libs twat_cache) -o threads
 *
 * Four threads share a memory cache of at most 100 entries; each counts its
 * visits to a key with an atomic counter. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <twat_cache.h>

enum { THREADS = 4, VISITS = 1000 };

static void *visit(void *argument)
{
    twat_cache *cache = argument;
    for (int i = 0; i < VISITS; i++) {
        char key[16], value[64];
        size_t len = 0;
        int n = snprintf(key, sizeof key, "page %d", i % 10);
        int32_t status = twat_cache_get_into(cache, key, (size_t)n, value, sizeof value, &len);
        if (status == TWAT_MISS)
            status = twat_cache_add(cache, key, (size_t)n, "rendered", 8, TWAT_TTL_DEFAULT);
        if (status >= 0)
            status = twat_cache_incr(cache, "visits", 6, 1, 0, TWAT_TTL_NEVER, NULL);
        if (status < 0) {
            /* The text is this thread's own. */
            fprintf(stderr, "%s\n", twat_last_error());
            return argument;
        }
    }
    return NULL;
}

int main(void)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    pthread_t threads[THREADS];
    twat_stats stats;
    int64_t visits = 0;
    int failed = 0;
    if (twat_config_new("memory", &config) < 0
        || twat_config_set_u64(config, "max_entries", 100) < 0
        || twat_cache_open(config, &cache) < 0) {
        fprintf(stderr, "%s\n", twat_last_error());
        return 1;
    }
    twat_config_free(config);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, visit, cache) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        failed |= result != NULL;
    }
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    failed |= twat_cache_stats(cache, &stats) < 0;
    failed |= twat_cache_incr(cache, "visits", 6, 0, 0, TWAT_TTL_DEFAULT, &visits) < 0;
    printf("%" PRId64 " visits, %" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64 " entries\n", visits,
           stats.hits, stats.misses, stats.entries);
    /* Closed by one thread, after the others are done. */
    failed |= twat_cache_close(cache) < 0;
    return failed || visits != THREADS * VISITS;
}
