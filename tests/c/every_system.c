/* What holds on every system: memory works, and a store on disk opens or says which
 * engines there are. Uses nothing of Unix: tools/cross.sh runs it on Windows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twat_cache.h"

static void expect(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "expected %s (last error: \"%s\")\n", what, twat_last_error());
        exit(1);
    }
}

static int open_cache(const char *engine, const char *path, twat_cache **cache)
{
    twat_config *config = NULL;
    expect(twat_config_new(engine, &config) == TWAT_OK, "a configuration");
    if (path != NULL)
        expect(twat_config_set(config, "path", path) == TWAT_OK, "a path");
    if (strcmp(engine, "auto") == 0)
        expect(twat_config_set(config, "fallback", "true") == TWAT_OK, "a fallback");
    int status = twat_cache_open(config, cache);
    twat_config_free(config);
    return status;
}

static void keeps_a_value(twat_cache *cache)
{
    twat_bytes value = {0};
    expect(twat_cache_set(cache, "key", 3, "value", 5, TWAT_TTL_NEVER) == TWAT_OK, "a set");
    expect(twat_cache_get(cache, "key", 3, &value) == TWAT_OK, "a hit");
    expect(value.len == 5 && memcmp(value.data, "value", 5) == 0, "the value");
    twat_bytes_free(&value);
    expect(twat_cache_get(cache, "none", 4, &value) == TWAT_MISS, "a miss");
    twat_cache_close(cache);
}

int main(int argc, char **argv)
{
    twat_cache *cache = NULL;
    /* A directory that cannot be made: this program is a file. */
    char path[4096];
    expect(argc > 0 && snprintf(path, sizeof path, "%s/store", argv[0]) < (int)sizeof path, "a path");
    expect(open_cache("memory", NULL, &cache) == TWAT_OK, "a cache in memory");
    keeps_a_value(cache);
    expect(open_cache("auto", path, &cache) == TWAT_OK, "memory where the disk fails");
    keeps_a_value(cache);
    expect(twat_has_engine("memory") == 1 && twat_has_engine("redis") == 1, "memory and redis");
    if (twat_has_engine("disk") == 0) {
        expect(open_cache("disk", path, &cache) == TWAT_E_UNSUPPORTED, "no engine 'disk'");
        expect(strstr(twat_last_error(), "use engine 'memory'") != NULL, "what to do");
        printf("%s\n", twat_last_error());
    }
    return 0;
}
