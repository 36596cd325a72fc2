// LiveCache and the memoizers over it: order, bounds, lifetimes, threads.
#include <atomic>
#include <cmath>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "check.hpp"

using Numbers = twat::LiveCache<int, int>;

// An exact LRU, the plain way.
struct Model {
    std::size_t most;
    std::list<int> order{};
    std::map<int, int> values{};

    bool get(int key)
    {
        if (values.count(key) == 0) return false;
        order.remove(key);
        order.push_front(key);
        return true;
    }
    void set(int key, int value)
    {
        order.remove(key);
        if (values.count(key) == 0 && values.size() == most) {
            values.erase(order.back());
            order.pop_back();
        }
        order.push_front(key);
        values[key] = value;
    }
    bool erase(int key)
    {
        order.remove(key);
        return values.erase(key) != 0;
    }
};

static void lru_is_exact()
{
    Model model{50};
    Numbers cache({50});
    std::mt19937 random(7);
    for (int step = 0; step < 200000; step++) {
        int key = static_cast<int>(random() % 90);
        switch (random() % 16) {
        case 0: CHECK(cache.erase(key) == model.erase(key)); break;
        case 1:
        case 2:
            CHECK(cache.set(key, step));
            model.set(key, step);
            break;
        default:
            auto hit = cache.get(key);
            CHECK(hit.has_value() == model.get(key));
            if (hit) CHECK(*hit == model.values[key]);
            if (!hit) {
                cache.set(key, step);
                model.set(key, step);
            }
        }
        CHECK(cache.size() == model.values.size());
        if (step % 50000 == 49999) {
            cache.clear();
            model = Model{50};
        }
    }
}

// Whatever the policy: the bound holds, and values belong to their keys.
static void every_policy_keeps_the_bound()
{
    for (const char* policy : {"lru", "lfu", "fifo", "lifo", "mru", "rr", "sieve", "s3fifo", "none"}) {
        Numbers::Options options;
        int evicted = 0, stored = 0;
        options.max_entries = 40;
        options.policy = policy;
        options.on_evict = [&](const int& key, const int& value) {
            CHECK(value == 3 * key);
            evicted++;
        };
        Numbers cache(options);
        std::mt19937 random(9);
        for (int step = 0; step < 30000; step++) {
            int key = static_cast<int>(random() % 100);
            if (auto hit = cache.get(key))
                CHECK(*hit == 3 * key);
            else
                stored += cache.set(key, 3 * key);
            if (step % 500 == 0) cache.erase(key);
            CHECK(cache.size() <= 40);
        }
        auto stats = cache.stats();
        CHECK(stats.sets == static_cast<std::uint64_t>(stored) && stats.evictions == static_cast<std::uint64_t>(evicted));
        CHECK(stats.hits > 0 && stats.misses > 0);
        CHECK((stats.rejected > 0) == (std::string(policy) == "none"));
    }
}

static void weights_bound_the_sum()
{
    using Texts = twat::LiveCache<int, std::string>;
    Texts::Options options;
    std::size_t held = 0;
    options.max_bytes = 100000;
    options.weigher = [](const int&, const std::string& text) { return text.size(); };
    options.on_evict = [&](const int&, const std::string& text) { held -= text.size(); };
    Texts cache(options);
    for (int i = 0; i < 2000; i++) {
        // One large entry evicts hundreds of small ones at once.
        std::size_t size = i % 400 == 399 ? 90000 : 100;
        CHECK(cache.set(i, std::string(size, 'x')));
        held += size;
        CHECK(held <= 100000);
    }
    CHECK(!cache.set(0, std::string(100001, 'x')) && !cache.contains(0));
    CHECK_THROWS(Texts(Texts::Options{0, 100000}), twat::errc::config, "weigher");
    CHECK_THROWS(Numbers({10, 0, "LRV"}), twat::errc::config, "LRV");
}

// What is replaced by a value that is not admitted is gone: the old one is no answer.
static void a_refused_value_replaces_the_old_one()
{
    using Texts = twat::LiveCache<int, std::string>;
    Texts::Options options;
    options.max_bytes = 65536;
    options.weigher = [](const int&, const std::string& text) { return text.size(); };
    Texts cache(options);
    CHECK(cache.set(1, "old") && !cache.set(1, std::string(70000, 'x')) && !cache.get(1));
    CHECK(cache.size() == 0 && cache.set(1, "new") && *cache.get(1) == "new");
}

static void lifetimes()
{
    using std::chrono::milliseconds;
    Numbers::Options options;
    options.max_entries = 10;
    options.ttl = milliseconds(40);
    Numbers cache(options);
    cache.set(1, 1);
    cache.set(2, 2, std::chrono::hours(1));
    cache.set(3, 3, twat::Ttl::never());
    CHECK(cache.get(1) && cache.size() == 3);
    std::this_thread::sleep_for(milliseconds(60));
    CHECK(!cache.get(1) && !cache.contains(1) && cache.size() == 2);
    CHECK(!cache.erase(1));
    cache.set(4, 4);
    std::this_thread::sleep_for(milliseconds(60));
    CHECK(cache.expire() == 1 && cache.size() == 2 && cache.get(2) && cache.get(3));
    CHECK_THROWS(cache.set(5, 5, milliseconds(0)), twat::errc::arg, "ttl");
}

static void a_call_is_made_once()
{
    int calls = 0;
    auto f = twat::memoize([&](long x, const std::string& text, std::string_view view, const char* chars, double real) {
        calls++;
        return text + std::to_string(x) + std::string(view) + (chars == nullptr ? "-" : chars) + std::to_string(real);
    });
    std::string long_text(100, 'a');
    CHECK(f(1, long_text, "v", "c", 1.5) == f(1, long_text, std::string("v"), "c", 1.5) && calls == 1);
    CHECK(f(1, long_text, "v", nullptr, 1.5) != f(1, long_text, "v", "", 1.5) && calls == 3);
    CHECK(f(1, "a", "bc", "", 0) != f(1, "ab", "c", "", 0) && calls == 5);
    CHECK(f.contains(1, "a", "bc", "", -0.0) && f.invalidate(1, "a", "bc", "", 0) && !f.contains(1, "a", "bc", "", 0));
    auto copy = f;
    copy(1, long_text, "v", "c", 1.5);
    CHECK(calls == 5);
    f.clear();
    CHECK(f.cache().size() == 0);

    double nan = std::numeric_limits<double>::quiet_NaN();
    auto real = twat::memoize([&](double x) { return calls++, x; });
    calls = 0;
    CHECK(std::isnan(real(nan)) && std::isnan(real(-nan)) && calls == 1);

    auto nothing = twat::memoize([&](int) { calls++; });
    calls = 0;
    nothing(1);
    nothing(1);
    CHECK(calls == 1);
    auto none = twat::memoize([&] { return ++calls; });
    CHECK(none() == 2 && none() == 2);

    // Arguments without a hash are compared by their encoding.
    auto list = twat::memoize([&](const std::vector<std::optional<int>>& l) { return calls++, l.size(); });
    calls = 0;
    CHECK(list({1, std::nullopt}) == 2 && list({1, std::nullopt}) == 2 && list({1}) == 1 && calls == 2);
    auto texts = twat::memoize([&](const std::vector<std::string>& l) { return l.size(); });
    CHECK_THROWS(texts({"\xff"}), twat::errc::arg, "UTF-8");
}

static void a_cache_of_the_callers_own()
{
    twat::LiveCache<long, std::shared_ptr<const std::string>> cache({2});
    int calls = 0;
    auto f = twat::memoize(cache, [&](long x) { return calls++, std::make_shared<const std::string>(std::to_string(x)); });
    CHECK(f(1) == f(1) && calls == 1 && cache.size() == 1);
    cache.set(2, std::make_shared<const std::string>("two"));
    CHECK(*f(2) == "two" && calls == 1);
    f(3);
    CHECK(cache.size() == 2 && !f.contains(1));
}

static void a_function_may_call_itself()
{
    std::function<long(long)> fibonacci;
    int calls = 0;
    auto memoized = twat::memoize([&](long n) { return calls++, n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }, {100});
    fibonacci = memoized;
    CHECK(memoized(80) == 23416728348467685 && calls == 81);
}

// A value whose copies fail: the call fails as the function would, and the
// cache stays usable.
struct Fragile {
    int n;
    static inline bool fails = false;
    explicit Fragile(int value) : n(value) {}
    Fragile(const Fragile& other) : n(other.n)
    {
        if (fails) throw std::bad_alloc();
    }
    Fragile(Fragile&&) noexcept = default;
    Fragile& operator=(const Fragile&) = default;
};

static void what_a_copy_throws_leaves_the_cache_whole()
{
    twat::LiveCache<int, Fragile> cache({4});
    for (int round = 0; round < 100; round++) {
        Fragile::fails = round % 3 == 0;
        try {
            auto hit = cache.get(round % 7);
            CHECK(!hit || hit->n == round % 7);
            if (!hit) cache.set(round % 7, Fragile(round % 7));
        } catch (const std::bad_alloc&) {
            CHECK(Fragile::fails);
        }
        CHECK(cache.size() <= 4);
    }
}

static void what_throws_is_not_stored()
{
    int calls = 0;
    auto f = twat::memoize([&](int x) {
        if (calls++ == 0) throw std::runtime_error("first");
        return x;
    });
    try {
        f(1);
        CHECK(false);
    } catch (const std::runtime_error&) {
    }
    CHECK(f(1) == 1 && f(1) == 1 && calls == 2);
}

// A callback and a destructor run outside of the lock: both may use the cache.
static void callbacks_may_use_the_cache()
{
    Numbers::Options options;
    std::unique_ptr<Numbers> cache;
    int seen = 0;
    options.max_entries = 2;
    options.on_evict = [&](const int& key, const int&) {
        seen++;
        CHECK(!cache->contains(key));
    };
    cache = std::make_unique<Numbers>(options);
    for (int i = 0; i < 10; i++) cache->set(i, i);
    CHECK(seen == 8);
}

static void threads()
{
    std::atomic<long> evicted{0};
    Numbers::Options options;
    options.max_entries = 100;
    options.on_evict = [&](const int&, const int&) { evicted++; };
    Numbers cache(options);
    auto f = twat::memoize(cache, [](int x) { return 7 * x; });
    std::vector<std::thread> all;
    for (unsigned t = 0; t < 4; t++)
        all.emplace_back([&, t] {
            std::mt19937 random(t);
            for (int i = 0; i < 20000; i++) {
                int key = static_cast<int>(random() % 300);
                CHECK(f(key) == 7 * key);
                if (i % 1000 == 0) f.invalidate(key);
                if (i % 7000 == 6999) cache.clear();
            }
        });
    for (std::thread& each : all) each.join();
    CHECK(cache.size() <= 100 && cache.stats().evictions == static_cast<std::uint64_t>(evicted));
}

int main()
{
    lru_is_exact();
    every_policy_keeps_the_bound();
    weights_bound_the_sum();
    a_refused_value_replaces_the_old_one();
    lifetimes();
    a_call_is_made_once();
    a_cache_of_the_callers_own();
    a_function_may_call_itself();
    what_a_copy_throws_leaves_the_cache_whole();
    what_throws_is_not_stored();
    callbacks_may_use_the_cache();
    threads();
}
