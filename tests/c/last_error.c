/* The rules of the last error: empty at first, written by failures only,
 * changed by nothing else, one a thread, at most 511 bytes, whole characters. */
#include <pthread.h>

#include "check.h"

static void *another_thread(void *unused)
{
    (void)unused;
    CHECK(strcmp(twat_last_error(), "") == 0);
    CHECK_FAILS(twat_config_new("elsewhere", &(twat_config *){NULL}), TWAT_E_CONFIG, "elsewhere");
    return NULL;
}

static void kept_by_what_does_not_fail(void)
{
    char before[512];
    twat_cache *cache = memory_cache(10);
    twat_config *config = config_of("memory");
    twat_scan *scan = NULL;
    twat_bytes value = {0};
    pthread_t thread;
    CHECK_FAILS(twat_config_set(config, "max_entrys", "1"), TWAT_E_CONFIG, "max_entries");
    strcpy(before, twat_last_error());
    CHECK_STATUS(twat_cache_get(cache, "k", 1, &value), TWAT_MISS);
    set_text(cache, "k", "v");
    CHECK_STATUS(twat_cache_add(cache, "k", 1, "v", 1, 0), TWAT_EXISTS);
    CHECK_STATUS(twat_cache_get(cache, "k", 1, &value), TWAT_OK);
    CHECK_STATUS(twat_cache_scan(cache, NULL, 0, &scan), TWAT_OK);
    twat_scan_free(scan);
    twat_bytes_free(&value);
    twat_config_free(config);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    CHECK(strcmp(twat_version_string(), "") != 0);
    CHECK(pthread_create(&thread, NULL, another_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(strcmp(twat_last_error(), before) == 0);
}

static void cut_at_a_character(void)
{
    /* 'ä' is two bytes: some cut falls inside of one. */
    char name[1024];
    for (size_t shift = 0; shift < 2; shift++) {
        size_t n = shift;
        twat_config *config = config_of("memory");
        memset(name, 'x', shift);
        for (; n + 2 < sizeof name; n += 2)
            memcpy(name + n, "\xc3\xa4", 2);
        name[n] = 0;
        CHECK_STATUS(twat_config_set(config, "path", name), TWAT_OK);
        CHECK_STATUS(twat_config_set(config, name, "1"), TWAT_E_CONFIG);
        CHECK(strlen(twat_last_error()) <= 511);
        for (const unsigned char *c = (const unsigned char *)twat_last_error(); *c; c++)
            if (*c == 0xc3)
                CHECK(c[1] == 0xa4);
        twat_config_free(config);
    }
}

static void names_of_statuses(void)
{
    CHECK(strcmp(twat_status_name(TWAT_OK), "TWAT_OK") == 0);
    CHECK(strcmp(twat_status_name(TWAT_MISS), "TWAT_MISS") == 0);
    CHECK(strcmp(twat_status_name(TWAT_TRUNCATED), "TWAT_TRUNCATED") == 0);
    CHECK(strcmp(twat_status_name(TWAT_EXISTS), "TWAT_EXISTS") == 0);
    CHECK(strcmp(twat_status_name(TWAT_E_ARG), "TWAT_E_ARG") == 0);
    CHECK(strcmp(twat_status_name(TWAT_E_VERSION), "TWAT_E_VERSION") == 0);
    CHECK(strcmp(twat_status_name(TWAT_E_PANIC), "TWAT_E_PANIC") == 0);
    CHECK(strcmp(twat_status_name(-1000), "TWAT_E_UNKNOWN") == 0);
}

int main(void)
{
    CHECK(strcmp(twat_last_error(), "") == 0);
    kept_by_what_does_not_fail();
    cut_at_a_character();
    names_of_statuses();
    return 0;
}
