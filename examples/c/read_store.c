/* Lists the entries of a store that any language wrote.
 *
 *   read_store DIRECTORY [NAMESPACE [LIMIT]]
 *
 * Keys of memoized calls are shown as name(arguments); of each value its
 * format (docs/format.md), its size and its first bytes. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twat_cache.h>

#include "msgpack.h"

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, twat_last_error());
    return 1;
}

static const char *format_name(const unsigned char *value, size_t len)
{
    if (len == 0)
        return "empty";
    switch (value[0]) {
    case 0: return "raw";
    case 1: return "msgpack";
    case 2: return "json";
    case 3: return "array";
    case 4: return "counter";
    case 16: case 17: return "pickle";
    default: return "bytes";
    }
}

static void print_bytes(const unsigned char *bytes, size_t len, size_t limit)
{
    for (size_t i = 0; i < len && i < limit; i++)
        putchar(isprint(bytes[i]) ? bytes[i] : '.');
    if (len > limit)
        printf("…");
}

static void print_key(const twat_bytes *key)
{
    static char text[4096];
    const unsigned char *bytes = key->data;
    size_t mark = key->len >= 2 && bytes[0] == 0 && bytes[1] == 0xff ? 2 : 0;
    int array = key->len > mark && (mark > 0 || bytes[0] == 0x94);
    if (array && msgpack_to_text(bytes + mark, key->len - mark, text, sizeof text))
        printf("%s", text);
    else
        print_bytes(bytes, key->len, 72);
}

/* MessagePack as text, cut where it is long; other formats as bytes. */
static void print_value(const unsigned char *value, size_t len)
{
    static char text[1 << 16];
    if (len > 0 && value[0] == 1 && msgpack_to_text(value + 1, len - 1, text, sizeof text))
        printf("%.72s%s", text, strlen(text) > 72 ? "…" : "");
    else if (len > 0 && value[0] < 32)
        print_bytes(value + 1, len - 1, 60);
    else
        print_bytes(value, len, 60);
}

/* 0 when shown, 1 when it left between the scan and the get, -1 on failure. */
static int print_entry(twat_cache *cache, const twat_bytes *key)
{
    twat_bytes value = {0};
    int32_t status = twat_cache_get(cache, key->data, key->len, &value);
    const unsigned char *bytes = value.data;
    if (status != TWAT_OK)
        return status == TWAT_MISS ? 1 : -1;
    print_key(key);
    printf("\n    %s, %zu bytes: ", format_name(bytes, value.len), value.len);
    print_value(bytes, value.len);
    putchar('\n');
    twat_bytes_free(&value);
    return 0;
}

static int list(twat_cache *cache, unsigned long limit)
{
    twat_scan *scan = NULL;
    twat_bytes key;
    unsigned long entries = 0;
    int32_t status;
    if (twat_cache_scan(cache, NULL, 0, &scan) < 0)
        return fail("scan");
    while ((status = twat_scan_next(scan, &key)) == TWAT_OK) {
        int shown = entries < limit ? print_entry(cache, &key) : 0;
        twat_bytes_free(&key);
        if (shown < 0) {
            twat_scan_free(scan);
            return fail("get");
        }
        entries += shown == 0;
    }
    twat_scan_free(scan);
    if (status < 0)
        return fail("scan");
    if (entries > limit)
        printf("… and %lu more\n", entries - limit);
    printf("%lu entries\n", entries);
    return 0;
}

int main(int argc, char **argv)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    unsigned long limit = argc > 3 ? strtoul(argv[3], NULL, 10) : (unsigned long)-1;
    int failed;
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s DIRECTORY [NAMESPACE [LIMIT]]\n", argv[0]);
        return 2;
    }
    if (twat_config_new("disk", &config) < 0 || twat_config_set(config, "path", argv[1]) < 0
        || twat_config_set(config, "read_only", "true") < 0
        || (argc > 2 && twat_config_set(config, "namespace", argv[2]) < 0)
        || twat_cache_open(config, &cache) < 0) {
        failed = fail(argv[1]);
    } else {
        failed = list(cache, limit);
    }
    twat_cache_close(cache);
    twat_config_free(config);
    return failed;
}
