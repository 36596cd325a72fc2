/* Bad input: each is a status with a text that names the option or argument,
 * what was expected and what was found; nothing created, nothing lost. */
#include <errno.h>
#include <sys/types.h>

#include "check.h"

static int exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void options(void)
{
    twat_config *config = config_of("memory");
    CHECK_FAILS(twat_config_new("memroy", &(twat_config *){NULL}), TWAT_E_CONFIG,
                "did you mean 'memory'");
    CHECK_FAILS(twat_config_set(config, "max_entrys", "1"), TWAT_E_CONFIG,
                "did you mean 'max_entries'");
    CHECK_FAILS(twat_config_set_u64(config, "", 1), TWAT_E_CONFIG, "unknown option");
    CHECK_FAILS(twat_config_set(config, "max_bytes", "1"), TWAT_E_CONFIG, "65536");
    CHECK_FAILS(twat_config_set(config, "shards", "3"), TWAT_E_CONFIG, "power of two");
    CHECK_FAILS(twat_config_set(config, "ttl_ms", "5 fortnights"), TWAT_E_CONFIG, "5 fortnights");
    CHECK_FAILS(twat_config_set(config, "ttl_ms", "-1"), TWAT_E_CONFIG, "found: -1");
    CHECK_FAILS(twat_config_set(config, "ttl_ms", "99999999999999999999"), TWAT_E_CONFIG,
                "ttl_ms: expected");
    CHECK_FAILS(twat_config_set(config, "create", "yes"), TWAT_E_CONFIG, "true or false");
    CHECK_FAILS(twat_config_set_u64(config, "create", 2), TWAT_E_CONFIG, "found: 2");
    CHECK_FAILS(twat_config_set(config, "dir_mode", "rwx"), TWAT_E_CONFIG, "octal");
    CHECK_FAILS(twat_config_set(config, "policy", "best"), TWAT_E_CONFIG, "lru");
    CHECK_FAILS(twat_config_set_u64(config, "compression_level", 20), TWAT_E_CONFIG, "1 to 19");
    CHECK_FAILS(twat_config_load(config, "{\"max_entries\": 5, \"polcy\": \"lru\"}", 34),
                TWAT_E_CONFIG, "did you mean 'policy'");
    CHECK_FAILS(twat_config_load(config, "{\"max_entries\": \"many\"}", 23), TWAT_E_CONFIG, "many");
    CHECK_FAILS(twat_config_load(config, "{\"max_entries\": [1]}", 20), TWAT_E_CONFIG,
                "max_entries");
    CHECK_FAILS(twat_config_load(config, "{\"max_entries\"", 14), TWAT_E_CONFIG, "JSON");
    CHECK_FAILS(twat_config_load(config, "\x81\xa7", 2), TWAT_E_CONFIG, "MessagePack");
    CHECK_FAILS(twat_config_load(config, "\x80\x80", 2), TWAT_E_CONFIG, "after it");
    /* A load that failed changed nothing: no bound of 5 is left behind. */
    {
        twat_cache *cache = opened(config);
        CHECK(stats_of(cache).max_entries == 0);
        CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    }
}

static void refused(const char *engine, const char *option, const char *value, const char *word)
{
    twat_config *config = config_of(engine);
    twat_cache *cache = (twat_cache *)1;
    CHECK_STATUS(twat_config_set(config, option, value), TWAT_OK);
    CHECK_FAILS(twat_cache_open(config, &cache), TWAT_E_CONFIG, word);
    CHECK(cache == (twat_cache *)1);
    twat_config_free(config);
}

static void options_that_contradict(void)
{
    refused("memory", "path", "/tmp/x", "path");
    refused("disk", "policy", "lru", "path");
    refused("memory", "policy", "ttl", "ttl_ms");
    refused("null", "max_entries", "1", "max_entries");
    refused("tiered", "ttl_ms", "1", "tiers");
    {
        twat_config *config = store_config("disk", scratch("never-made"));
        twat_cache *cache = NULL;
        CHECK_STATUS(twat_config_set(config, "policy", "sieve"), TWAT_OK);
        CHECK_FAILS(twat_cache_open(config, &cache), TWAT_E_CONFIG, "sieve");
        CHECK_STATUS(twat_config_set(config, "policy", "lru"), TWAT_OK);
        CHECK_STATUS(twat_config_set_u64(config, "map_size", 1u << 20), TWAT_OK);
        CHECK_FAILS(twat_cache_open(config, &cache), TWAT_E_CONFIG, "map_size");
        CHECK(!exists(scratch("never-made")));
        CHECK_FAILS(twat_config_add_tier(config, config), TWAT_E_CONFIG, "tiers");
        twat_config_free(config);
    }
}

static int32_t try_open(twat_config *config)
{
    twat_cache *cache = NULL;
    int32_t status = twat_cache_open(config, &cache);
    CHECK(cache == NULL || status == TWAT_OK);
    twat_cache_close(cache);
    twat_config_free(config);
    return status;
}

static void paths(void)
{
    const char *file = scratch("a-file"), *locked = scratch("locked");
    char below[4200];
    FILE *made = fopen(file, "w");
    twat_config *config;
    CHECK(made != NULL && fputs("precious", made) >= 0 && fclose(made) == 0);
    CHECK_FAILS(try_open(store_config("disk", file)), TWAT_E_IO, "a-file");
    snprintf(below, sizeof below, "%s/store", file);
    CHECK_FAILS(try_open(store_config("disk", below)), TWAT_E_IO, "a-file");
    CHECK(exists(file));

    config = store_config("disk", scratch("missing"));
    CHECK_STATUS(twat_config_set(config, "create", "false"), TWAT_OK);
    CHECK_FAILS(try_open(config), TWAT_E_IO, "missing");
    CHECK(!exists(scratch("missing")));

    /* Root may write anywhere; there /proc stands for what nobody may. */
    CHECK(mkdir(locked, 0500) == 0);
    snprintf(below, sizeof below, "%s/store", geteuid() == 0 ? "/proc/1" : locked);
    CHECK_FAILS(try_open(store_config("disk", below)), TWAT_E_IO, "store");
    CHECK(!exists(below));
}

/* The format version is the number in the record `version`. */
static void a_store_of_a_newer_version(void)
{
    const char *path = scratch("newer");
    char record[4200], text[64], *number;
    twat_cache *cache = disk_cache(path);
    FILE *file;
    size_t n;
    set_text(cache, "k", "kept");
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    snprintf(record, sizeof record, "%s/version", path);
    CHECK((file = fopen(record, "r+")) != NULL);
    n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    CHECK((number = strpbrk(text, "0123456789")) != NULL);
    CHECK(fseek(file, number - text, SEEK_SET) == 0);
    CHECK(fputc('9', file) == '9' && fclose(file) == 0);
    CHECK_FAILS(try_open(store_config("disk", path)), TWAT_E_VERSION, "9");
    CHECK((file = fopen(record, "r+")) != NULL);
    CHECK(fwrite(text, 1, n, file) == n && fclose(file) == 0);
    cache = disk_cache(path);
    expect_text(cache, "k", "kept");
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

static void keys_and_values(void)
{
    twat_config *config = config_of("memory");
    char *large = calloc(1, 65u << 20);
    twat_cache *cache;
    CHECK(large != NULL);
    CHECK_STATUS(twat_config_set_u64(config, "max_bytes", 128 << 10), TWAT_OK);
    cache = opened(config);
    set_text(cache, "k", "kept");
    CHECK_FAILS(twat_cache_set(cache, "k", 1, large, 256 << 10, 0), TWAT_E_TOO_LARGE, "131072");
    expect_text(cache, "k", "kept");
    CHECK_FAILS(twat_cache_set(cache, large, 65u << 20, "v", 1, 0), TWAT_E_TOO_LARGE, "67108864");
    CHECK(stats_of(cache).rejected == 2);
    CHECK(stats_of(cache).entries == 1);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);

    cache = disk_cache(scratch("too-large"));
    set_text(cache, "k", "kept");
    CHECK_FAILS(twat_cache_set(cache, "k", 1, large, 65u << 20, 0), TWAT_E_TOO_LARGE, "67108864");
    expect_text(cache, "k", "kept");
    CHECK(stats_of(cache).rejected == 1);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    free(large);
}

static void a_cache_that_evicts_nothing(void)
{
    twat_config *config = config_of("memory");
    twat_cache *cache;
    CHECK_STATUS(twat_config_set(config, "policy", "none"), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "max_entries", 1), TWAT_OK);
    cache = opened(config);
    set_text(cache, "k", "kept");
    CHECK_STATUS(twat_cache_set(cache, "j", 1, "v", 1, 0), TWAT_E_FULL);
    expect_text(cache, "k", "kept");
    set_text(cache, "k", "replaced");
    CHECK(stats_of(cache).rejected == 1);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

static void files_of_others(void)
{
    twat_cache *cache = memory_cache(10);
    uint64_t n = 77;
    const char *file = scratch("no-export");
    FILE *made = fopen(file, "w");
    CHECK(made != NULL && fputs("not an export", made) >= 0 && fclose(made) == 0);
    CHECK_STATUS(twat_cache_import(cache, file, &n), TWAT_E_CORRUPT);
    CHECK_STATUS(twat_cache_import(cache, scratch("not-there"), &n), TWAT_E_IO);
    CHECK_STATUS(twat_cache_export(cache, scratch("no/such/directory"), &n), TWAT_E_IO);
    CHECK_STATUS(twat_cache_set_file(cache, "k", 1, scratch("not-there"), NULL), TWAT_E_IO);
    CHECK(n == 77);
    CHECK(stats_of(cache).entries == 0);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

int main(void)
{
    options();
    options_that_contradict();
    paths();
    a_store_of_a_newer_version();
    keys_and_values();
    a_cache_that_evicts_nothing();
    files_of_others();
    return 0;
}
