/* A child made by a bare clone, for which no handler of the C library runs: what it writes
 * to a shared store goes through an environment of its own, not through its parent's. */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static twat_cache *store(void)
{
    twat_config *config = config_of("disk");
    twat_cache *cache = NULL;
    CHECK_STATUS(twat_config_set(config, "path", getenv("TWAT_TEST_DIR")), TWAT_OK);
    CHECK_STATUS(twat_config_set(config, "max_bytes", "1000000"), TWAT_OK);
    CHECK_STATUS(twat_config_set(config, "map_size", "16777216"), TWAT_OK);
    CHECK_STATUS(twat_cache_open(config, &cache), TWAT_OK);
    twat_config_free(config);
    return cache;
}

static void child(twat_cache *cache)
{
    set_text(cache, "child", "1");
    expect_text(cache, "parent", "0");
    expect_text(cache, "child", "1");
    /* Its own figures: it has opened the store anew. */
    CHECK(stats_of(cache).sets == 1 && stats_of(cache).hits == 2);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    _exit(0);
}

int main(void)
{
    if (getenv("TWAT_TEST_SLOW")) {
        puts("not under valgrind: a child leaks what it inherited, on purpose");
        return 0;
    }
    twat_cache *cache = store();
    set_text(cache, "parent", "0");
    for (int i = 0; i < 5; i++) {
        int status = 0;
        long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
        CHECK(pid >= 0);
        if (pid == 0)
            child(cache);
        CHECK(waitpid((pid_t)pid, &status, 0) == (pid_t)pid && status == 0);
        expect_text(cache, "child", "1");
        CHECK_STATUS(twat_cache_delete(cache, "child", 5), TWAT_OK);
    }
    CHECK(stats_of(cache).sets == 1);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}
