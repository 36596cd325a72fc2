/* What the C blocks of the documents take for granted. */
#include <stdio.h>
#include <string.h>
#include <twat_cache.h>

static twat_config *config;
static twat_cache *cache;
static twat_bytes value;
static const char *key = "user:1";
static const size_t key_len = 6;

static void use(const twat_bytes *bytes)
{
    printf("%.*s\n", (int)bytes->len, (const char *)bytes->data);
}

static void compute(twat_bytes *bytes)
{
    (void)bytes;
}

static void log_error(const char *format, const char *name, const char *text)
{
    printf(format, name, text);
}

static void begin(void)
{
    twat_config *memory = NULL;
    twat_config_new("memory", &memory);
    twat_cache_open(memory, &cache);
    twat_config_free(memory);
    twat_cache_set(cache, key, key_len, "value", 5, TWAT_TTL_DEFAULT);
    (void)use;
    (void)compute;
    (void)log_error;
}

static int end(void)
{
    twat_bytes_free(&value);
    twat_config_free(config);
    return twat_cache_close(cache) < 0;
}
