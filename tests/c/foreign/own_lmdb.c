/* A program that brings LMDB, zstd and BLAKE3 names of its own links with the
 * static library, and each keeps its own. */
#include <stdio.h>
#include <twat_cache.h>

int mdb_env_create(void **env);
int mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode);
size_t ZSTD_compress(void *to, size_t room, const void *from, size_t n, int level);
void blake3_hasher_init(void *hasher);
void rust_eh_personality(void);

static int called;

int mdb_env_create(void **env) { return (void)env, ++called; }
int mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode)
{
    return (void)env, (void)path, (void)flags, (void)mode, ++called;
}
size_t ZSTD_compress(void *to, size_t room, const void *from, size_t n, int level)
{
    return (void)to, (void)room, (void)from, (void)n, (void)level, (size_t)++called;
}
void blake3_hasher_init(void *hasher) { (void)hasher, ++called; }
void rust_eh_personality(void) { ++called; }

int main(void)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    twat_bytes value = {0};
    if (twat_config_new("disk", &config) < 0 || twat_config_set(config, "path", "own-lmdb.cache") < 0
        || twat_config_set(config, "compression", "zstd") < 0
        || twat_config_set_u64(config, "compress_min_bytes", 1) < 0
        || twat_cache_open(config, &cache) < 0
        || twat_cache_set(cache, "key", 3, "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", 35, TWAT_TTL_NEVER) < 0
        || twat_cache_get(cache, "key", 3, &value) != TWAT_OK)
        fprintf(stderr, "%s\n", twat_last_error());
    int right = value.len == 35 && called == 0;
    twat_bytes_free(&value);
    twat_cache_close(cache);
    twat_config_free(config);
    return !(right && mdb_env_create(NULL) == 1);
}
