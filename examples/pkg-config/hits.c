/* Shows a cache of two entries at work: which keys hit, which were displaced. */
#include <stdio.h>
#include <string.h>
#include <twat_cache.h>

int main(int argc, char **argv)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    if (twat_config_new("memory", &config) < 0 || twat_config_set(config, "policy", "lru") < 0
        || twat_config_set_u64(config, "max_entries", 2) < 0
        || twat_cache_open(config, &cache) < 0) {
        fprintf(stderr, "%s\n", twat_last_error());
        return 1;
    }
    twat_config_free(config);
    for (int i = 1; i < argc; i++) {
        size_t len = strlen(argv[i]);
        twat_bytes value = {0};
        int32_t status = twat_cache_get(cache, argv[i], len, &value);
        printf("%s: %s\n", argv[i], status == TWAT_OK ? "hit" : status == TWAT_MISS ? "miss" : twat_last_error());
        twat_bytes_free(&value);
        if (status == TWAT_MISS && twat_cache_set(cache, argv[i], len, "", 0, TWAT_TTL_DEFAULT) < 0)
            fprintf(stderr, "%s\n", twat_last_error());
    }
    return twat_cache_close(cache) < 0;
}
