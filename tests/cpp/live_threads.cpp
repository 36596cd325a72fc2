// Live caches under threads: times to live, callbacks that use the cache again, and a fork
// while other threads hold the lock. Run under ThreadSanitizer by tests/run-sanitize.sh.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "check.hpp"

template <class Work> static void on_threads(unsigned count, Work work)
{
    std::vector<std::thread> all;
    for (unsigned t = 0; t < count; t++) all.emplace_back(work, t);
    for (std::thread& each : all) each.join();
}

static void callbacks_use_the_cache_from_every_thread()
{
    using Texts = twat::LiveCache<int, std::string>;
    std::unique_ptr<Texts> cache;
    std::atomic<std::uint64_t> evicted{0};
    Texts::Options options;
    options.max_entries = 50;
    options.ttl = std::chrono::milliseconds(3);
    options.on_evict = [&](const int& key, const std::string& value) {
        CHECK(value == std::to_string(key));
        evicted++;
        // Deeper than one level: what this evicts is reported, too.
        if (key % 5 == 0) cache->set(key + 1, std::to_string(key + 1));
        if (key % 7 == 0) cache->erase(key + 2);
        (void)cache->size();
        (void)cache->get(key + 3);
    };
    cache = std::make_unique<Texts>(options);
    auto f = twat::memoize(*cache, [](int x) { return std::to_string(x); });
    on_threads(4, [&](unsigned t) {
        std::mt19937 random(t);
        for (int i = 0; i < 4000; i++) {
            int key = static_cast<int>(random() % 200);
            CHECK(f(key) == std::to_string(key));
            if (i % 100 == 0) f.invalidate(key);
            if (i % 500 == 0) cache->expire();
            if (i % 1500 == 1499) cache->clear();
        }
    });
    CHECK(cache->size() <= 50 && cache->stats().evictions == evicted);
}

// Objects that are destroyed while other threads read copies of them.
static void values_are_destroyed_outside_of_the_lock()
{
    using Shared = std::shared_ptr<const std::vector<int>>;
    twat::LiveCache<int, Shared> cache({8});
    on_threads(4, [&](unsigned t) {
        std::mt19937 random(t);
        for (int i = 0; i < 4000; i++) {
            int key = static_cast<int>(random() % 32);
            if (auto hit = cache.get(key))
                CHECK((*hit)->size() == 10 && (*hit)->front() == key);
            else
                cache.set(key, std::make_shared<const std::vector<int>>(10, key));
        }
    });
    CHECK(cache.size() <= 8);
}

// The child of a process with threads has a cache that nobody may use, as docs/c.md has it; it
// leaves by _exit, and the parent goes on.
static void a_fork_leaves_the_parent_whole()
{
    twat::LiveCache<int, int> cache({100});
    std::atomic<bool> stop{false};
    std::thread other([&] {
        for (int i = 0; !stop; i = (i + 1) % 300) cache.set(i, i);
    });
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) _exit(7);
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
        cache.set(1000, i);
        (void)cache.get(1000);
    }
    stop = true;
    other.join();
    CHECK(cache.size() == 100);
}

int main()
{
    callbacks_use_the_cache_from_every_thread();
    values_are_destroyed_outside_of_the_lock();
    a_fork_leaves_the_parent_whole();
}
