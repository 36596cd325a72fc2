/* Every verb once, on a cache in memory and on one on disk. */
#include "check.h"

static void get_and_set(twat_cache *cache)
{
    expect_miss(cache, "absent");
    set_text(cache, "key", "value");
    expect_text(cache, "key", "value");
    set_text(cache, "key", "another");
    expect_text(cache, "key", "another");
    set_text(cache, "empty", "");
    expect_text(cache, "empty", "");
    CHECK_STATUS(twat_cache_set(cache, "a\0b", 3, "x\0y", 3, TWAT_TTL_NEVER), TWAT_OK);
    expect_bytes(cache, "a\0b", 3, "x\0y", 3);
    expect_miss(cache, "a");
    CHECK_STATUS(twat_cache_contains(cache, "key", 3), TWAT_OK);
    CHECK_STATUS(twat_cache_contains(cache, "absent", 6), TWAT_MISS);
    CHECK_STATUS(twat_cache_add(cache, "key", 3, "no", 2, 0), TWAT_EXISTS);
    expect_text(cache, "key", "another");
    CHECK_STATUS(twat_cache_add(cache, "new", 3, "yes", 3, 0), TWAT_OK);
    expect_text(cache, "new", "yes");
    CHECK_STATUS(twat_cache_delete(cache, "new", 3), TWAT_OK);
    CHECK_STATUS(twat_cache_delete(cache, "new", 3), TWAT_MISS);
}

static void into_a_buffer(twat_cache *cache)
{
    char buffer[8] = "????????";
    size_t len = 77;
    set_text(cache, "key", "another");
    CHECK_STATUS(twat_cache_get_into(cache, "absent", 6, buffer, sizeof buffer, &len), TWAT_MISS);
    CHECK(len == 77);
    CHECK_STATUS(twat_cache_get_into(cache, "key", 3, buffer, 6, &len), TWAT_TRUNCATED);
    CHECK(len == 7 && memcmp(buffer, "????????", 8) == 0);
    CHECK_STATUS(twat_cache_get_into(cache, "key", 3, NULL, 0, &len), TWAT_TRUNCATED);
    CHECK_STATUS(twat_cache_get_into(cache, "key", 3, buffer, len, &len), TWAT_OK);
    CHECK(len == 7 && memcmp(buffer, "another?", 8) == 0);
    set_text(cache, "empty", "");
    CHECK_STATUS(twat_cache_get_into(cache, "empty", 5, NULL, 0, &len), TWAT_OK);
    CHECK(len == 0);
}

static void times_to_live(twat_cache *cache)
{
    /* Under valgrind everything takes longer. */
    const char *slow = getenv("TWAT_TEST_SLOW");
    unsigned ms = 100 * (slow ? (unsigned)atoi(slow) : 1);
    CHECK_STATUS(twat_cache_set(cache, "short", 5, "v", 1, ms), TWAT_OK);
    CHECK_STATUS(twat_cache_set(cache, "kept", 4, "v", 1, ms), TWAT_OK);
    CHECK_STATUS(twat_cache_touch(cache, "kept", 4, TWAT_TTL_NEVER), TWAT_OK);
    CHECK_STATUS(twat_cache_touch(cache, "absent", 6, 1000), TWAT_MISS);
    usleep(ms * 2500);
    expect_miss(cache, "short");
    CHECK_STATUS(twat_cache_contains(cache, "short", 5), TWAT_MISS);
    expect_text(cache, "kept", "v");
}

static int count_scan(twat_cache *cache, const char *prefix, int expected_sum)
{
    twat_scan *scan = NULL;
    int n = 0, sum = 0;
    int32_t status;
    twat_bytes key;
    CHECK_STATUS(twat_cache_scan(cache, prefix, strlen(prefix), &scan), TWAT_OK);
    while ((status = twat_scan_next(scan, &key)) == TWAT_OK) {
        CHECK(key.len >= strlen(prefix) && memcmp(key.data, prefix, strlen(prefix)) == 0);
        if (key.len > 5)
            sum += atoi((const char *)key.data + 5);
        twat_bytes_free(&key);
        n++;
    }
    CHECK_STATUS(status, TWAT_MISS);
    CHECK_STATUS(twat_scan_next(scan, &key), TWAT_MISS);
    twat_scan_free(scan);
    CHECK(expected_sum < 0 || sum == expected_sum);
    return n;
}

static void scans(twat_cache *cache)
{
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    CHECK(count_scan(cache, "", -1) == 0);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        /* The closing NUL is part of the key, so that atoi may read it back. */
        int n = snprintf(key, sizeof key, "scan:%d", i) + 1;
        CHECK_STATUS(twat_cache_set(cache, key, (size_t)n, "v", 1, 0), TWAT_OK);
    }
    set_text(cache, "other", "v");
    CHECK(count_scan(cache, "scan:", 999 * 1000 / 2) == 1000);
    CHECK(count_scan(cache, "", -1) == 1001);
    CHECK(count_scan(cache, "nothing", -1) == 0);
}

static void many_at_once(twat_cache *cache)
{
    twat_slice keys[3] = {{"m1", 2}, {"m2", 2}, {"absent", 6}};
    twat_slice values[2] = {{"one", 3}, {"", 0}};
    twat_bytes found[3];
    uint64_t deleted = 77;
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    CHECK_STATUS(twat_cache_set_many(cache, keys, values, 2, NULL), TWAT_OK);
    CHECK_STATUS(twat_cache_get_many(cache, keys, 3, found), TWAT_OK);
    CHECK(found[0].len == 3 && memcmp(found[0].data, "one", 3) == 0);
    CHECK(found[1].len == 0 && found[1].data != NULL);
    CHECK(found[2].len == 0 && found[2].data == NULL);
    for (int i = 0; i < 3; i++)
        twat_bytes_free(&found[i]);
    CHECK_STATUS(twat_cache_delete_many(cache, keys, 3, &deleted), TWAT_OK);
    CHECK(deleted == 2);
    set_text(cache, "p:1", "v");
    set_text(cache, "p:2", "v");
    set_text(cache, "q:1", "v");
    CHECK_STATUS(twat_cache_delete_prefix(cache, "p:", 2, &deleted), TWAT_OK);
    CHECK(deleted == 2);
    expect_text(cache, "q:1", "v");
}

static void tags_and_counters(twat_cache *cache)
{
    twat_slice tag = {"tag", 3};
    twat_set_options options;
    int64_t n = 0;
    uint64_t removed = 77;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.tags = &tag;
    options.n_tags = 1;
    CHECK_STATUS(twat_cache_set_with(cache, "tagged", 6, "v", 1, &options), TWAT_OK);
    set_text(cache, "plain", "v");
    expect_text(cache, "tagged", "v");
    CHECK_STATUS(twat_cache_invalidate_tag(cache, "tag", 3), TWAT_OK);
    CHECK_STATUS(twat_cache_invalidate_tag(cache, "never", 5), TWAT_MISS);
    expect_miss(cache, "tagged");
    expect_text(cache, "plain", "v");
    CHECK_STATUS(twat_cache_expire(cache, &removed), TWAT_OK);
    CHECK_STATUS(twat_cache_expire(cache, NULL), TWAT_OK);
    CHECK_STATUS(twat_cache_incr(cache, "counter", 7, 2, 40, 0, &n), TWAT_OK);
    CHECK(n == 42);
    CHECK_STATUS(twat_cache_incr(cache, "counter", 7, -50, 0, 0, NULL), TWAT_OK);
    CHECK_STATUS(twat_cache_incr(cache, "counter", 7, 0, 0, 0, &n), TWAT_OK);
    CHECK(n == -8);
    CHECK_STATUS(twat_cache_incr(cache, "plain", 5, 1, 0, 0, &n), TWAT_E_UNSUPPORTED);
}

static void figures(twat_cache *cache)
{
    twat_stats before = stats_of(cache), after;
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    set_text(cache, "a", "v");
    set_text(cache, "b", "v");
    expect_text(cache, "a", "v");
    expect_text(cache, "b", "v");
    expect_text(cache, "b", "v");
    expect_miss(cache, "c");
    CHECK_STATUS(twat_cache_contains(cache, "a", 1), TWAT_OK);
    CHECK_STATUS(twat_cache_delete(cache, "a", 1), TWAT_OK);
    after = stats_of(cache);
    CHECK(after.hits - before.hits == 3);
    CHECK(after.misses - before.misses == 1);
    CHECK(after.sets - before.sets == 2);
    CHECK(after.deletes - before.deletes == 1);
    CHECK(after.entries == 1);
    CHECK(after.bytes > 0);
    CHECK(after.errors == before.errors);
}

static void in_words(twat_cache *cache, const char *engine)
{
    twat_bytes json;
    char *text;
    CHECK_STATUS(twat_cache_info(cache, &json), TWAT_OK);
    text = malloc(json.len + 1);
    CHECK(text != NULL);
    memcpy(text, json.data, json.len);
    text[json.len] = 0;
    CHECK(text[0] == '{' && strstr(text, engine) != NULL);
    free(text);
    twat_bytes_free(&json);
    CHECK_STATUS(twat_cache_check(cache, 0, &json), TWAT_OK);
    CHECK(json.len > 2);
    twat_bytes_free(&json);
}

static void to_a_file_and_back(twat_cache *cache, const char *name)
{
    const char *path = scratch(name);
    uint64_t n = 0;
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    set_text(cache, "one", "1");
    set_text(cache, "two", "2");
    CHECK_STATUS(twat_cache_export(cache, path, &n), TWAT_OK);
    CHECK(n == 2);
    CHECK_STATUS(twat_cache_clear(cache), TWAT_OK);
    expect_miss(cache, "one");
    CHECK_STATUS(twat_cache_import(cache, path, &n), TWAT_OK);
    CHECK(n == 2);
    expect_text(cache, "one", "1");
    CHECK_STATUS(twat_cache_set_file(cache, "file", 4, path, NULL), TWAT_OK);
    CHECK_STATUS(twat_cache_contains(cache, "file", 4), TWAT_OK);
}

static void all(twat_cache *cache, const char *engine)
{
    get_and_set(cache);
    into_a_buffer(cache);
    times_to_live(cache);
    scans(cache);
    many_at_once(cache);
    tags_and_counters(cache);
    figures(cache);
    in_words(cache, engine);
    to_a_file_and_back(cache, engine);
    CHECK_STATUS(twat_cache_flush(cache), TWAT_OK);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
}

static void digests(void)
{
    static const unsigned char of_nothing[4] = {0xaf, 0x13, 0x49, 0xb9};
    unsigned char hash[TWAT_DIGEST_BYTES], mac[TWAT_DIGEST_BYTES], other[TWAT_DIGEST_BYTES];
    twat_slice parts[2] = {{"ab", 2}, {"c", 1}}, moved[2] = {{"a", 1}, {"bc", 2}};
    CHECK_STATUS(twat_hash(NULL, 0, hash), TWAT_OK);
    CHECK(memcmp(hash, of_nothing, 4) == 0);
    CHECK_STATUS(twat_mac(hash, sizeof hash, parts, 2, mac), TWAT_OK);
    CHECK_STATUS(twat_mac(hash, sizeof hash, moved, 2, other), TWAT_OK);
    CHECK(memcmp(mac, other, sizeof mac) != 0);
    CHECK_STATUS(twat_mac(hash, 31, parts, 2, mac), TWAT_E_ARG);
}

int main(void)
{
    all(memory_cache(100000), "memory");
    all(disk_cache(scratch("basics")), "disk");
    digests();
    return 0;
}
