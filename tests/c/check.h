/* What the C tests share: checks that say where they failed, and caches to
 * try them on. A program is a test: exit status 0 is a pass. */
#ifndef TWAT_TESTS_CHECK_H
#define TWAT_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twat_cache.h"

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: expected %s (last error: \"%s\")\n", __FILE__,         \
                    __LINE__, #condition, twat_last_error());                              \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

#define CHECK_STATUS(call, expected) check_status(__FILE__, __LINE__, #call, (call), (expected))

/* A failure must name what was wrong: its text contains `word`. */
#define CHECK_FAILS(call, expected, word)                                                  \
    do {                                                                                   \
        CHECK_STATUS(call, expected);                                                      \
        if (strstr(twat_last_error(), word) == NULL) {                                     \
            fprintf(stderr, "%s:%d: %s: the text \"%s\" does not name \"%s\"\n", __FILE__, \
                    __LINE__, #call, twat_last_error(), word);                             \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static inline void check_status(const char *file, int line, const char *call, int32_t found,
                                int32_t expected)
{
    if (found == expected)
        return;
    fprintf(stderr, "%s:%d: %s: expected %s (%d), found %s (%d): %s\n", file, line, call,
            twat_status_name(expected), (int)expected, twat_status_name(found), (int)found,
            found < 0 ? twat_last_error() : "");
    exit(1);
}

/* A path below the directory that the runner gives (and removes). */
static inline const char *scratch(const char *name)
{
    static char paths[8][4096];
    static unsigned next;
    const char *dir = getenv("TWAT_TEST_DIR");
    char *path = paths[next++ % 8];
    CHECK(dir != NULL);
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static inline twat_config *config_of(const char *engine)
{
    twat_config *config = NULL;
    CHECK_STATUS(twat_config_new(engine, &config), TWAT_OK);
    return config;
}

static inline twat_cache *opened(twat_config *config)
{
    twat_cache *cache = NULL;
    CHECK_STATUS(twat_cache_open(config, &cache), TWAT_OK);
    twat_config_free(config);
    return cache;
}

static inline twat_cache *memory_cache(uint64_t max_entries)
{
    twat_config *config = config_of("memory");
    CHECK_STATUS(twat_config_set_u64(config, "max_entries", max_entries), TWAT_OK);
    return opened(config);
}

/* Small bounds: valgrind and sanitizers refuse 64 GiB of address space. */
static inline twat_config *store_config(const char *engine, const char *path)
{
    twat_config *config = config_of(engine);
    CHECK_STATUS(twat_config_set(config, "path", path), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "max_bytes", 64u << 20), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "map_size", 256u << 20), TWAT_OK);
    return config;
}

static inline twat_cache *disk_cache(const char *path)
{
    return opened(store_config("disk", path));
}

static inline void set_text(twat_cache *cache, const char *key, const char *value)
{
    CHECK_STATUS(twat_cache_set(cache, key, strlen(key), value, strlen(value), TWAT_TTL_DEFAULT),
                 TWAT_OK);
}

static inline void expect_bytes(twat_cache *cache, const void *key, size_t key_len,
                                const void *value, size_t value_len)
{
    twat_bytes found = {0};
    CHECK_STATUS(twat_cache_get(cache, key, key_len, &found), TWAT_OK);
    CHECK(found.len == value_len);
    CHECK(found.data != NULL);
    CHECK(value_len == 0 || memcmp(found.data, value, value_len) == 0);
    twat_bytes_free(&found);
    CHECK(found.data == NULL && found.len == 0 && found.owner == NULL);
}

static inline void expect_text(twat_cache *cache, const char *key, const char *value)
{
    expect_bytes(cache, key, strlen(key), value, strlen(value));
}

static inline void expect_miss(twat_cache *cache, const char *key)
{
    twat_bytes untouched = {(const void *)1, 2, (void *)3};
    CHECK_STATUS(twat_cache_get(cache, key, strlen(key), &untouched), TWAT_MISS);
    CHECK(untouched.data == (const void *)1 && untouched.len == 2);
}

static inline twat_stats stats_of(twat_cache *cache)
{
    twat_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_STATUS(twat_cache_stats(cache, &stats), TWAT_OK);
    return stats;
}

#endif
