/* An exact LRU and its figures against a plain model, over keys of every length
 * about those that have a way of their own, in a process of one thread (whose
 * hits take no lock) and in the same one with a second thread. */
#include <pthread.h>

#include "check.h"

enum { KEYS = 200, MOST = 64, HELD = 32, OPERATIONS = 200000, LONGEST = 320 };

typedef struct {
    int present, len;
    unsigned char fill;
    uint64_t used;
} model;

typedef struct {
    twat_bytes bytes;
    int len;
    unsigned char fill;
} holding;

static uint64_t state = 88172645463325252u;

static unsigned below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 33) % n);
}

/* Key `n`: 0 to 40 bytes, which differ in the middle alone where there is one;
 * the same bytes are keys of several lengths. */
static size_t key_of(int n, unsigned char *key)
{
    size_t len = n < 2 ? (size_t)n : 4 + (size_t)n % 37;
    memset(key, 'k', len);
    if (len > 1)
        key[len / 2] = (unsigned char)(n / 37);
    return len;
}

static int is_full_of(const void *data, int len, unsigned char fill)
{
    const unsigned char *bytes = data;
    for (int i = 0; i < len; i++)
        if (bytes[i] != fill)
            return 0;
    return 1;
}

static model *oldest(model *entries, int *count)
{
    model *found = NULL;
    *count = 0;
    for (int n = 0; n < KEYS; n++) {
        *count += entries[n].present;
        if (entries[n].present && (found == NULL || entries[n].used < found->used))
            found = &entries[n];
    }
    return found;
}

static void drop_held(holding *held)
{
    if (held->bytes.data != NULL)
        CHECK(is_full_of(held->bytes.data, held->len, held->fill));
    twat_bytes_free(&held->bytes);
    CHECK(held->bytes.data == NULL && held->bytes.len == 0 && held->bytes.owner == NULL);
}

static void agrees_with_the_model(uint64_t ttl_ms)
{
    static model entries[KEYS];
    static holding holds[HELD];
    uint64_t clock = 0, hits = 0, misses = 0, sets = 0;
    twat_config *config = config_of("memory");
    CHECK_STATUS(twat_config_set_u64(config, "max_entries", MOST), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "ttl_ms", ttl_ms), TWAT_OK);
    twat_cache *cache;
    CHECK_STATUS(twat_cache_open(config, &cache), TWAT_OK);
    twat_config_free(config);
    memset(entries, 0, sizeof entries);

    for (int i = 0; i < OPERATIONS; i++) {
        unsigned char key[64], value[LONGEST];
        /* The lower ones more often. */
        int n = (int)below(1 + below(KEYS));
        size_t key_len = key_of(n, key);
        model *entry = &entries[n];
        switch (below(8)) {
        case 0:
        case 1: {
            /* Many of one length: the memory of what leaves is used again. */
            int count, len = below(2) ? 64 : (int)below(LONGEST);
            unsigned char fill = (unsigned char)below(256);
            memset(value, fill, (size_t)len);
            if (!entry->present) {
                model *first = oldest(entries, &count);
                if (count == MOST)
                    first->present = 0;
            }
            CHECK_STATUS(twat_cache_set(cache, key, key_len, value, (size_t)len, 0), TWAT_OK);
            entry->present = 1, entry->len = len, entry->fill = fill, entry->used = ++clock;
            sets++;
            break;
        }
        case 2:
            CHECK_STATUS(twat_cache_delete(cache, key, key_len), entry->present ? TWAT_OK : TWAT_MISS);
            entry->present = 0;
            break;
        case 3:
            CHECK_STATUS(twat_cache_contains(cache, key, key_len),
                         entry->present ? TWAT_OK : TWAT_MISS);
            break;
        case 4: {
            size_t len = 7, room = below(LONGEST);
            void *buffer = room == 0 && below(2) ? NULL : value;
            memset(value, 0, sizeof value);
            int32_t status = twat_cache_get_into(cache, key, key_len, buffer, room, &len);
            if (!entry->present) {
                CHECK(status == TWAT_MISS && len == 7);
                misses++;
                break;
            }
            CHECK(status == (room < (size_t)entry->len ? TWAT_TRUNCATED : TWAT_OK));
            CHECK(len == (size_t)entry->len);
            if (status == TWAT_OK)
                CHECK(is_full_of(value, entry->len, entry->fill));
            CHECK(is_full_of(value + (status == TWAT_OK ? len : 0),
                             LONGEST - (status == TWAT_OK ? entry->len : 0), 0));
            entry->used = ++clock;
            hits++;
            break;
        }
        default: {
            holding *held = &holds[below(HELD)];
            drop_held(held);
            int32_t status = twat_cache_get(cache, key, key_len, &held->bytes);
            CHECK(status == (entry->present ? TWAT_OK : TWAT_MISS));
            if (!entry->present) {
                misses++;
                break;
            }
            CHECK(held->bytes.len == (size_t)entry->len && held->bytes.data != NULL);
            CHECK((uintptr_t)held->bytes.data % 16 == 0);
            held->len = entry->len, held->fill = entry->fill;
            entry->used = ++clock;
            hits++;
        }
        }
    }

    twat_stats stats = stats_of(cache);
    int count;
    oldest(entries, &count);
    CHECK(stats.hits == hits && stats.misses == misses && stats.sets == sets);
    CHECK(stats.entries == (uint64_t)count);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    for (int i = 0; i < HELD; i++)
        drop_held(&holds[i]);
}

static void what_ends_is_a_miss(void)
{
    twat_config *config = config_of("memory");
    CHECK_STATUS(twat_config_set_u64(config, "ttl_ms", 50), TWAT_OK);
    twat_cache *cache;
    CHECK_STATUS(twat_cache_open(config, &cache), TWAT_OK);
    twat_config_free(config);
    twat_bytes value;
    size_t len;
    char buffer[8];
    CHECK_STATUS(twat_cache_set(cache, "12345678", 8, "v", 1, 0), TWAT_OK);
    CHECK_STATUS(twat_cache_set(cache, "stays for ever", 14, "v", 1, TWAT_TTL_NEVER), TWAT_OK);
    CHECK_STATUS(twat_cache_get(cache, "12345678", 8, &value), TWAT_OK);
    usleep(150 * 1000);
    CHECK_STATUS(twat_cache_get_into(cache, "12345678", 8, buffer, sizeof buffer, &len), TWAT_MISS);
    CHECK_STATUS(twat_cache_get_into(cache, "stays for ever", 14, buffer, 8, &len), TWAT_OK);
    CHECK(len == 1 && buffer[0] == 'v' && ((const char *)value.data)[0] == 'v');
    twat_bytes_free(&value);
    twat_bytes_free(&value);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

static void *sleeper(void *until)
{
    pthread_mutex_lock(until);
    pthread_mutex_unlock(until);
    return NULL;
}

int main(void)
{
    agrees_with_the_model(0);
    agrees_with_the_model(3600000);
    what_ends_is_a_miss();

    pthread_mutex_t until = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    pthread_mutex_lock(&until);
    CHECK(pthread_create(&thread, NULL, sleeper, &until) == 0);
    agrees_with_the_model(0);
    agrees_with_the_model(3600000);
    what_ends_is_a_miss();
    pthread_mutex_unlock(&until);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
