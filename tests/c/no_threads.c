/* What the documents say of threads, signals and forks: the library starts no threads
 * (but to look up the name of a redis server), installs no signal handlers, and a
 * forked child waits for no lock that a thread of its parent held. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int threads(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks))
        n += task->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static twat_cache *loaded(const char *options)
{
    twat_config *config = config_of("memory");
    CHECK_STATUS(twat_config_load(config, options, strlen(options)), TWAT_OK);
    return opened(config);
}

static void use(const char *options)
{
    twat_cache *cache = loaded(options);
    char value[40000] = {1};
    int status;
    for (int i = 0; i < 200; i++) {
        uint64_t key = (uint64_t)i, len;
        CHECK_STATUS(twat_cache_set(cache, &key, sizeof key, value, (size_t)i * 200, 60000), TWAT_OK);
        status = twat_cache_contains(cache, &key, sizeof key);
        CHECK(status == TWAT_OK || status == TWAT_MISS);
        CHECK_STATUS(twat_cache_len(cache, &len), TWAT_OK);
    }
    CHECK_STATUS(twat_cache_expire(cache, NULL), TWAT_OK);
    CHECK(threads() == 1);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    CHECK(threads() == 1);
}

static void no_engine_starts_a_thread_or_handles_a_signal(void)
{
    char text[4096];
    const char *dir = getenv("TWAT_TEST_DIR");
    const char *engines[] = {
        "{\"engine\": \"memory\", \"max_entries\": 100}",
        "{\"engine\": \"memory\", \"max_entries\": 100, \"policy\": \"tinylfu\"}",
        "{\"engine\": \"null\"}",
        "{\"engine\": \"disk\", \"path\": \"%s/disk\", \"map_size\": 67108864, \"max_bytes\": 1000000}",
        "{\"engine\": \"file\", \"path\": \"%s/file\", \"map_size\": 67108864, \"max_bytes\": 1000000}",
        "{\"engine\": \"tiered\", \"tiers\": [{\"engine\": \"memory\"}, {\"engine\": \"disk\","
        " \"path\": \"%s/tiers\", \"map_size\": 67108864, \"max_bytes\": 1000000}]}",
    };
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        char *at = strstr(engines[i], "%s");
        int before = at ? (int)(at - engines[i]) : (int)strlen(engines[i]);
        snprintf(text, sizeof text, "%.*s%s%s", before, engines[i], at ? dir : "", at ? at + 2 : "");
        use(text);
    }
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0)
            CHECK(action.sa_handler == SIG_DFL);
    }
}

static twat_policy *policy;
static atomic_bool stop;

static void *busy(void *unused)
{
    uint64_t slot, victims[8];
    size_t n;
    twat_option row;
    for (uint64_t i = 0; !atomic_load(&stop); i++) {
        CHECK_STATUS(twat_policy_insert(policy, NULL, 0, i, 1, &slot, victims, 8, &n), TWAT_OK);
        row.struct_size = sizeof row;
        CHECK_STATUS(twat_option_info((size_t)i % twat_option_count(), &row), TWAT_OK);
    }
    return unused;
}

static void child(void)
{
    uint64_t slot, victims[8];
    size_t n;
    twat_option row = {.struct_size = sizeof row};
    int32_t status;
    alarm(20);
    status = twat_policy_insert(policy, NULL, 0, 1, 1, &slot, victims, 8, &n);
    CHECK(status == TWAT_OK || status == TWAT_E_BUSY);
    CHECK_STATUS(twat_option_info(0, &row), TWAT_OK);
    twat_cache *cache = memory_cache(10);
    set_text(cache, "k", "v");
    expect_text(cache, "k", "v");
    _exit(0);
}

static void a_forked_child_waits_for_no_lock_of_its_parent(void)
{
    pthread_t workers[3];
    twat_config *config = config_of("memory");
    CHECK_STATUS(twat_config_set(config, "max_entries", "100"), TWAT_OK);
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    twat_config_free(config);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&workers[i], NULL, busy, NULL) == 0);
    for (int i = 0; i < 30; i++) {
        int status = 0;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child();
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(workers[i], NULL) == 0);
    twat_policy_free(policy);
}

int main(void)
{
    no_engine_starts_a_thread_or_handles_a_signal();
    a_forked_child_waits_for_no_lock_of_its_parent();
    return 0;
}
