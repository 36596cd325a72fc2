/* open_store DIRECTORY [OPTION VALUE]...: opens a disk store and prints its info. */
#include <stdio.h>
#include <twat_cache.h>

static int fail(void) {
    fprintf(stderr, "%s\n", twat_last_error());
    return 1;
}

int main(int argc, char** argv) {
    twat_config* config;
    twat_cache* cache;
    twat_bytes info;
    if (argc < 2 || twat_config_new("disk", &config) < 0) return fail();
    if (twat_config_set(config, "path", argv[1]) < 0) return fail();
    for (int i = 2; i + 1 < argc; i += 2)
        if (twat_config_set(config, argv[i], argv[i + 1]) < 0) return fail();
    if (twat_cache_open(config, &cache) < 0 || twat_cache_info(cache, &info) < 0) return fail();
    printf("%.*s\n", (int)info.len, (const char*)info.data);
    twat_bytes_free(&info);
    twat_cache_close(cache);
    twat_config_free(config);
    return 0;
}
