/* NULL in every place of every function, and lengths beyond PTRDIFF_MAX: a
 * status with a text, never a crash; no output is written. */
#include "check.h"

static const size_t beyond = (size_t)PTRDIFF_MAX + 1;

static void configuration(void)
{
    twat_config *config = config_of("tiered");
    CHECK_FAILS(twat_config_new(NULL, &config), TWAT_E_ARG, "engine");
    CHECK_FAILS(twat_config_new("memory", NULL), TWAT_E_ARG, "out_config");
    CHECK_FAILS(twat_config_set(NULL, "ttl_ms", "1"), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_config_set(config, NULL, "1"), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_config_set(config, "ttl_ms", NULL), TWAT_E_ARG, "value");
    CHECK_FAILS(twat_config_set(config, "path", "\xff"), TWAT_E_ARG, "UTF-8");
    CHECK_FAILS(twat_config_set_u64(NULL, "ttl_ms", 1), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_config_set_u64(config, NULL, 1), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_config_load(NULL, "{}", 2), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_config_load(config, NULL, 2), TWAT_E_ARG, "NULL");
    CHECK_FAILS(twat_config_load(config, "{}", beyond), TWAT_E_ARG, "PTRDIFF_MAX");
    CHECK_STATUS(twat_config_load(config, NULL, 0), TWAT_E_CONFIG);
    CHECK_FAILS(twat_config_add_tier(NULL, config), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_config_add_tier(config, NULL), TWAT_E_ARG, "tier");
    CHECK_FAILS(twat_option_info(0, NULL), TWAT_E_ARG, "inout_option");
    CHECK_FAILS(twat_has_engine(NULL), TWAT_E_ARG, "engine");
    CHECK_FAILS(twat_cache_open(NULL, &(twat_cache *){NULL}), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_cache_open(config, NULL), TWAT_E_ARG, "out_cache");
    twat_config_free(config);
    twat_config_free(NULL);
}

/* Every call with one wrong argument at a time. */
static void calls(twat_cache *cache)
{
    twat_bytes bytes;
    twat_scan *scan;
    char buffer[4];
    size_t len;
    twat_slice good = {"k", 1}, bad = {NULL, 1};
    uint64_t count;
    CHECK_FAILS(twat_cache_get(NULL, "k", 1, &bytes), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_get(cache, NULL, 1, &bytes), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_get(cache, "k", beyond, &bytes), TWAT_E_ARG, "PTRDIFF_MAX");
    CHECK_FAILS(twat_cache_get(cache, "k", 1, NULL), TWAT_E_ARG, "out_value");
    CHECK_STATUS(twat_cache_get(cache, NULL, 0, &bytes), TWAT_MISS);
    CHECK_FAILS(twat_cache_get_into(NULL, "k", 1, buffer, 4, &len), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_get_into(cache, NULL, 1, buffer, 4, &len), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_get_into(cache, "k", 1, NULL, 4, &len), TWAT_E_ARG, "buffer");
    CHECK_FAILS(twat_cache_get_into(cache, "k", 1, buffer, 4, NULL), TWAT_E_ARG, "out_len");
    CHECK_FAILS(twat_cache_set(NULL, "k", 1, "v", 1, 0), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_set(cache, NULL, 1, "v", 1, 0), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_set(cache, "k", 1, NULL, 1, 0), TWAT_E_ARG, "value");
    CHECK_FAILS(twat_cache_set(cache, "k", 1, "v", beyond, 0), TWAT_E_ARG, "PTRDIFF_MAX");
    CHECK_FAILS(twat_cache_add(NULL, "k", 1, "v", 1, 0), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_add(cache, "k", 1, NULL, 1, 0), TWAT_E_ARG, "value");
    CHECK_FAILS(twat_cache_set_with(NULL, "k", 1, "v", 1, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_set_with(cache, NULL, 1, "v", 1, NULL), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_set_file(cache, "k", 1, NULL, NULL), TWAT_E_ARG, "path");
    CHECK_FAILS(twat_cache_set_file(NULL, "k", 1, "/dev/null", NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_delete(NULL, "k", 1), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_delete(cache, NULL, 1), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_contains(NULL, "k", 1), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_contains(cache, NULL, 1), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_touch(NULL, "k", 1, 0), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_touch(cache, NULL, 1, 0), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_incr(NULL, "k", 1, 1, 0, 0, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_incr(cache, NULL, 1, 1, 0, 0, NULL), TWAT_E_ARG, "key");
    CHECK_FAILS(twat_cache_invalidate_tag(NULL, "t", 1), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_invalidate_tag(cache, NULL, 1), TWAT_E_ARG, "tag");
    CHECK_FAILS(twat_cache_len(NULL, &count), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_len(cache, NULL), TWAT_E_ARG, "out_len");
    CHECK_FAILS(twat_cache_expire(NULL, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_clear(NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_flush(NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_info(NULL, &bytes), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_info(cache, NULL), TWAT_E_ARG, "out_json");
    CHECK_FAILS(twat_cache_check(NULL, 0, &bytes), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_check(cache, 0, NULL), TWAT_E_ARG, "out_json");
    CHECK_FAILS(twat_cache_export(NULL, "x", NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_export(cache, NULL, NULL), TWAT_E_ARG, "path");
    CHECK_FAILS(twat_cache_import(NULL, "x", NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_import(cache, NULL, NULL), TWAT_E_ARG, "path");
    CHECK_FAILS(twat_cache_get_many(NULL, &good, 1, &bytes), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_get_many(cache, NULL, 1, &bytes), TWAT_E_ARG, "keys");
    CHECK_FAILS(twat_cache_get_many(cache, &bad, 1, &bytes), TWAT_E_ARG, "keys");
    CHECK_FAILS(twat_cache_get_many(cache, &good, 1, NULL), TWAT_E_ARG, "out_values");
    CHECK_FAILS(twat_cache_get_many(cache, &good, SIZE_MAX, &bytes), TWAT_E_ARG, "PTRDIFF_MAX");
    CHECK_STATUS(twat_cache_get_many(cache, NULL, 0, NULL), TWAT_OK);
    CHECK_FAILS(twat_cache_set_many(NULL, &good, &good, 1, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_set_many(cache, NULL, &good, 1, NULL), TWAT_E_ARG, "keys");
    CHECK_FAILS(twat_cache_set_many(cache, &good, NULL, 1, NULL), TWAT_E_ARG, "values");
    CHECK_FAILS(twat_cache_set_many(cache, &good, &bad, 1, NULL), TWAT_E_ARG, "values");
    CHECK_FAILS(twat_cache_delete_many(NULL, &good, 1, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_delete_many(cache, &bad, 1, NULL), TWAT_E_ARG, "keys");
    CHECK_FAILS(twat_cache_delete_prefix(NULL, "k", 1, NULL), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_delete_prefix(cache, NULL, 1, NULL), TWAT_E_ARG, "prefix");
    CHECK_FAILS(twat_cache_scan(NULL, "k", 1, &scan), TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_scan(cache, NULL, 1, &scan), TWAT_E_ARG, "prefix");
    CHECK_FAILS(twat_cache_scan(cache, "k", 1, NULL), TWAT_E_ARG, "out_scan");
    CHECK_FAILS(twat_cache_stats(NULL, &(twat_stats){.struct_size = sizeof(twat_stats)}),
                TWAT_E_ARG, "cache");
    CHECK_FAILS(twat_cache_stats(cache, NULL), TWAT_E_ARG, "inout_stats");
    CHECK_STATUS(twat_cache_contains(cache, "k", 1), TWAT_MISS);
    CHECK(stats_of(cache).entries == 0);
    /* A number in the place of a pointer. */
    CHECK_FAILS(twat_cache_len((twat_cache *)(uintptr_t)7, &count), TWAT_E_ARG, "aligned");
    CHECK_FAILS(twat_cache_len(cache, (uint64_t *)(uintptr_t)9), TWAT_E_ARG, "aligned");
    CHECK_FAILS(twat_cache_get_many(cache, (twat_slice *)(uintptr_t)3, 1, &bytes), TWAT_E_ARG,
                "aligned");
}

static void scans(twat_cache *cache)
{
    twat_scan *scan = NULL;
    twat_bytes key;
    CHECK_STATUS(twat_cache_scan(cache, NULL, 0, &scan), TWAT_OK);
    CHECK_FAILS(twat_scan_next(NULL, &key), TWAT_E_ARG, "scan");
    CHECK_FAILS(twat_scan_next(scan, NULL), TWAT_E_ARG, "out_key");
    twat_scan_free(scan);
    twat_scan_free(NULL);
}

static void policies(void)
{
    twat_config *config = config_of("memory");
    twat_policy *policy = NULL;
    uint64_t slot = 77, victims[2];
    size_t n = 77;
    CHECK_FAILS(twat_policy_new(NULL, &policy), TWAT_E_ARG, "config");
    CHECK_FAILS(twat_policy_new(config, NULL), TWAT_E_ARG, "out_policy");
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    CHECK_FAILS(twat_policy_needs(NULL), TWAT_E_ARG, "policy");
    CHECK_FAILS(twat_policy_insert(NULL, NULL, 0, 1, 1, &slot, victims, 2, &n), TWAT_E_ARG,
                "policy");
    CHECK_FAILS(twat_policy_insert(policy, NULL, 1, 1, 1, &slot, victims, 2, &n), TWAT_E_ARG,
                "hits");
    CHECK_FAILS(twat_policy_insert(policy, NULL, 0, 1, 1, NULL, victims, 2, &n), TWAT_E_ARG,
                "out_slot");
    CHECK_FAILS(twat_policy_insert(policy, NULL, 0, 1, 1, &slot, NULL, 2, &n), TWAT_E_ARG,
                "out_victims");
    CHECK_FAILS(twat_policy_insert(policy, NULL, 0, 1, 1, &slot, victims, 2, NULL), TWAT_E_ARG,
                "out_n");
    CHECK(slot == 77 && n == 77);
    CHECK_FAILS(twat_policy_evicted(NULL, victims, 2, &n), TWAT_E_ARG, "policy");
    CHECK_FAILS(twat_policy_evicted(policy, NULL, 2, &n), TWAT_E_ARG, "out_victims");
    CHECK_FAILS(twat_policy_evicted(policy, victims, 2, NULL), TWAT_E_ARG, "out_n");
    CHECK_FAILS(twat_policy_hits(NULL, NULL, 0), TWAT_E_ARG, "policy");
    CHECK_FAILS(twat_policy_hits(policy, NULL, 1), TWAT_E_ARG, "hits");
    CHECK_FAILS(twat_policy_remove(NULL, 1), TWAT_E_ARG, "policy");
    CHECK_FAILS(twat_policy_clear(NULL), TWAT_E_ARG, "policy");
    CHECK_FAILS(twat_policy_stats(policy, NULL), TWAT_E_ARG, "inout_stats");
    CHECK_FAILS(twat_policy_stats(NULL, &(twat_stats){.struct_size = sizeof(twat_stats)}),
                TWAT_E_ARG, "policy");
    twat_policy_free(policy);
    twat_policy_free(NULL);
    twat_config_free(config);
}

static void digests(void)
{
    unsigned char out[TWAT_DIGEST_BYTES];
    twat_slice bad = {NULL, 1};
    CHECK_FAILS(twat_hash(NULL, 1, out), TWAT_E_ARG, "data");
    CHECK_FAILS(twat_hash("", 0, NULL), TWAT_E_ARG, "out_digest");
    CHECK_FAILS(twat_mac(NULL, 32, NULL, 0, out), TWAT_E_ARG, "secret");
    CHECK_FAILS(twat_mac(out, 32, NULL, 1, out), TWAT_E_ARG, "parts");
    CHECK_FAILS(twat_mac(out, 32, &bad, 1, out), TWAT_E_ARG, "parts");
    CHECK_FAILS(twat_mac(out, 32, NULL, 0, NULL), TWAT_E_ARG, "out_mac");
}

int main(void)
{
    twat_cache *cache = memory_cache(10);
    configuration();
    calls(cache);
    scans(cache);
    policies();
    digests();
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    CHECK_STATUS(twat_cache_close(NULL), TWAT_OK);
    twat_bytes_free(NULL);
    twat_bytes_free(&(twat_bytes){NULL, 0, NULL});
    return 0;
}
