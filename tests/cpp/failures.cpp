// Whatever a callback, a copy or a codec throws: a memoized call returns its result.
#include <new>
#include <stdexcept>
#include <string>

#include "check.hpp"

// What a program may throw.
static void fail(int kind)
{
    switch (kind) {
    case 0: throw std::runtime_error("thrown");
    case 1: throw 42;
    case 2: throw "text";
    default: throw std::bad_alloc();
    }
}

static void what_a_weigher_or_callback_throws_keeps_the_result()
{
    for (int kind = 0; kind < 4; kind++) {
        using Numbers = twat::LiveCache<int, std::string>;
        Numbers::Options options;
        int calls = 0, evicted = 0;
        bool weigher_fails = true;
        options.max_entries = 2;
        options.max_bytes = 1 << 20;
        options.weigher = [&](const int&, const std::string&) -> std::uint64_t {
            if (weigher_fails) fail(kind);
            return 1;
        };
        options.on_evict = [&](const int&, const std::string&) {
            evicted++;
            fail(kind);
        };
        Numbers cache(options);
        auto f = twat::memoize(cache, [&](int x) { return calls++, std::to_string(x); });
        CHECK(f(1) == "1" && f(1) == "1" && calls == 2 && cache.size() == 0 && cache.stats().failures == 2);
        weigher_fails = false;
        for (int i = 0; i < 20; i++) CHECK(f(i) == std::to_string(i) && f(i) == std::to_string(i));
        CHECK(calls == 22 && cache.size() == 2 && evicted == 18 && cache.stats().failures == 20);
    }
}

// Copies fail where one is made for the cache.
struct Fragile {
    int n = 0;
    static inline int fails = -1;
    Fragile() = default;
    explicit Fragile(int value) : n(value) {}
    Fragile(const Fragile& other) : n(other.n)
    {
        if (fails >= 0) fail(fails);
    }
    Fragile(Fragile&&) noexcept = default;
    Fragile& operator=(const Fragile&) = default;
    Fragile& operator=(Fragile&&) noexcept = default;
};

static void what_a_copy_throws_keeps_the_result()
{
    int calls = 0;
    auto f = twat::memoize([&](int x) { return calls++, Fragile(x); }, {4});
    for (Fragile::fails = 0; Fragile::fails < 4; Fragile::fails++) CHECK(f(7).n == 7);
    CHECK(calls == 4 && f.cache().size() == 0 && f.cache().stats().failures == 4);
    Fragile::fails = -1;
    CHECK(f(7).n == 7 && f(7).n == 7 && calls == 5);
}

struct Coded {
    int n = 0;
    static inline int write_fails = -1, read_fails = -1;
};
template <> struct twat::codec<Coded> {
    static void write(Writer& to, const Coded& value)
    {
        if (Coded::write_fails >= 0) fail(Coded::write_fails);
        to.integer(value.n);
    }
    static bool read(Reader& from, Coded& value)
    {
        if (Coded::read_fails >= 0) fail(Coded::read_fails);
        return from.integer(value.n);
    }
};

static void what_a_codec_throws_keeps_the_result()
{
    auto cache = memory_cache();
    int calls = 0;
    auto f = twat::memoize(cache, "f", [&](int x) { return calls++, Coded{x}; });
    for (int kind = 0; kind < 4; kind++) {
        Coded::write_fails = kind;
        CHECK(f(kind).n == kind && f(kind).n == kind && !f.contains(kind));
        Coded::write_fails = -1;
        CHECK(f(kind).n == kind && f.contains(kind));
        Coded::read_fails = kind;
        CHECK(f(kind).n == kind);
        Coded::read_fails = -1;
        CHECK(f(kind).n == kind);
    }
    CHECK(calls == 16);
}

int main()
{
    what_a_weigher_or_callback_throws_keeps_the_result();
    what_a_copy_throws_keeps_the_result();
    what_a_codec_throws_keeps_the_result();
}
