/* While a process has one thread, counts and locks need no locked instructions.
 * What that thread holds when others come, and what they leave to it, stays
 * counted: no value is freed early, and no figure is lost. */
#include <pthread.h>
#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define KNOWS_OF_THREADS 1
#endif
#endif

#include "check.h"

enum { THREADS = 4, ROUNDS = 20000, KEYS = 16, LEN = 100 };

static twat_cache *cache;

static void get(uint64_t key, twat_bytes *value)
{
    CHECK_STATUS(twat_cache_get(cache, &key, sizeof key, value), TWAT_OK);
    CHECK(value->len == LEN && ((const char *)value->data)[0] == (char)key);
}

static void set(uint64_t key)
{
    char value[LEN];
    memset(value, (int)key, sizeof value);
    CHECK_STATUS(twat_cache_set(cache, &key, sizeof key, value, sizeof value, 0), TWAT_OK);
}

/* A value of each key in turn, held while the next one is got. */
static void *worker(void *argument)
{
    twat_bytes held[KEYS] = {{0}};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t key = (uint64_t)(i + *(const int *)argument) % KEYS;
        twat_bytes_free(&held[key]);
        if (i % 64 == 0)
            set(key);
        get(key, &held[key]);
    }
    for (uint64_t key = 0; key < KEYS; key++)
        twat_bytes_free(&held[key]);
    return NULL;
}

static void threads_come_and_go(void)
{
    pthread_t threads[THREADS];
    int begin[THREADS];
    for (int i = 0; i < THREADS; i++) {
        begin[i] = i;
        CHECK(pthread_create(&threads[i], NULL, worker, &begin[i]) == 0);
    }
#ifdef KNOWS_OF_THREADS
    /* Named here, the variable lies in the program and not in the C library. */
    CHECK(!__libc_single_threaded);
#endif
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
    twat_config *config = config_of("memory");
    twat_bytes before[KEYS], after[KEYS];
    twat_stats stats;
    CHECK_STATUS(twat_cache_open(config, &cache), TWAT_OK);
    twat_config_free(config);
#ifdef KNOWS_OF_THREADS
    CHECK(__libc_single_threaded);
#endif
    for (uint64_t key = 0; key < KEYS; key++) {
        set(key);
        get(key, &before[key]);
    }
    threads_come_and_go();
    for (uint64_t key = 0; key < KEYS; key++) {
        get(key, &after[key]);
        CHECK(((const char *)before[key].data)[LEN - 1] == (char)key);
        twat_bytes_free(&before[key]);
        CHECK_STATUS(twat_cache_delete(cache, &key, sizeof key), TWAT_OK);
        CHECK(((const char *)after[key].data)[LEN - 1] == (char)key);
        twat_bytes_free(&after[key]);
    }
    stats.struct_size = sizeof stats;
    CHECK_STATUS(twat_cache_stats(cache, &stats), TWAT_OK);
    CHECK(stats.hits == THREADS * ROUNDS + 2 * KEYS && stats.misses == 0);
    CHECK(stats.sets == KEYS + THREADS * ((ROUNDS + 63) / 64) && stats.entries == 0);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}
