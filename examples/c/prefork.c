/* A prefork server in small: the parent opens the cache, the children use it.
 *
 *   cc prefork.c $(pkg-config --cflags --libs twat_cache) -o prefork
 *   ./prefork DIRECTORY
 *
 * A handle that was opened before fork works in parent and children: on disk
 * they share every entry. (In memory each process has its own.) Each of four
 * workers answers requests from the shared store and renders what is missing;
 * the parent then sees what all of them stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <twat_cache.h>
#include <unistd.h>

enum { WORKERS = 4, REQUESTS = 25 };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, twat_last_error());
    return 1;
}

static int worker(twat_cache *cache, int number)
{
    for (int i = 0; i < REQUESTS; i++) {
        char key[32], page[64];
        twat_bytes value = {0};
        int n = snprintf(key, sizeof key, "/page/%d", (number + i) % 10);
        int32_t status = twat_cache_get(cache, key, (size_t)n, &value);
        if (status < 0)
            return fail("get");
        if (status == TWAT_MISS) {
            int len = snprintf(page, sizeof page, "<p>%s by worker %d", key, number);
            if (twat_cache_set(cache, key, (size_t)n, page, (size_t)len, TWAT_TTL_NEVER) < 0)
                return fail("set");
        }
        twat_bytes_free(&value);
        if (twat_cache_incr(cache, "requests", 8, 1, 0, TWAT_TTL_NEVER, NULL) < 0)
            return fail("incr");
    }
    /* The child closes its own side of the handle. */
    return twat_cache_close(cache) < 0 ? fail("close") : 0;
}

int main(int argc, char **argv)
{
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    int64_t requests = 0;
    int failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    if (twat_config_new("disk", &config) < 0 || twat_config_set(config, "path", argv[1]) < 0
        || twat_cache_open(config, &cache) < 0)
        return fail("open");
    twat_config_free(config);
    for (int i = 0; i < WORKERS; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0)
            _exit(worker(cache, i));
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = 0;
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed = 1;
    }
    if (twat_cache_incr(cache, "requests", 8, 0, 0, TWAT_TTL_DEFAULT, &requests) < 0)
        return fail("incr");
    for (int i = 0; i < 10; i++) {
        char key[32];
        int n = snprintf(key, sizeof key, "/page/%d", i);
        failed |= twat_cache_contains(cache, key, (size_t)n) != TWAT_OK;
    }
    printf("%d requests by %d workers\n", (int)requests, WORKERS);
    if (twat_cache_close(cache) < 0)
        return fail("close");
    return failed || requests != WORKERS * REQUESTS;
}
