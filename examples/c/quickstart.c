/* A cache on disk in ten lines.
 *
 *   cc quickstart.c $(pkg-config --cflags --libs twat_cache) -o quickstart
 */
#include <stdio.h>
#include <twat_cache.h>

int main(int argc, char **argv)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    twat_bytes value = {0};
    if (twat_config_new("disk", &config) < 0
        || twat_config_set(config, "path", argc > 1 ? argv[1] : "quickstart.cache") < 0
        || twat_cache_open(config, &cache) < 0
        || twat_cache_set(cache, "key", 3, "value", 5, TWAT_TTL_NEVER) < 0
        || twat_cache_get(cache, "key", 3, &value) < 0)
        fprintf(stderr, "%s\n", twat_last_error());
    else
        printf("key = %.*s\n", (int)value.len, (const char *)value.data);
    int failed = value.data == NULL;
    twat_bytes_free(&value);
    twat_cache_close(cache);
    twat_config_free(config);
    return failed;
}
