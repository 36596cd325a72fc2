// twat::memoize: keys, results, invalidation, and what is not stored.
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "check.hpp"

struct Point {
    int x = 0, y = 0;
    bool operator==(const Point& other) const { return x == other.x && y == other.y; }
};

template <> struct twat::codec<Point> {
    static void write(Writer& to, const Point& p) { to.array(2).value(p.x).value(p.y); }
    static bool read(Reader& from, Point& p)
    {
        std::size_t n;
        return from.array(n) && n == 2 && from.value(p.x) && from.value(p.y);
    }
};

static int calls;

static long twice(long x)
{
    calls++;
    return 2 * x;
}

static std::string hex(const std::string& bytes)
{
    std::string out;
    for (unsigned char byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

static void a_call_is_made_once(twat::Cache& cache)
{
    calls = 0;
    auto f = twat::memoize(cache, "twice", twice);
    auto other = twat::memoize(cache, "other", [](long x) { return calls++, x; });
    CHECK(f(12) == 24 && f(12) == 24 && calls == 1);
    CHECK(f.contains(12) && !f.contains(13));
    CHECK(other(12) == 12 && calls == 2);
    CHECK(f.invalidate(12) && !f.invalidate(12));
    CHECK(f(12) == 24 && calls == 3);
    auto copy = f;
    CHECK(copy(12) == 24 && calls == 3);
    cache.set("beside", "v");
    f.clear();
    CHECK(other(12) == 12 && calls == 3);
    CHECK(cache.contains("beside"));
    CHECK(f(12) == 24 && calls == 4);
}

// The memoized function keeps the store open after its cache is gone.
static void outlives_its_cache()
{
    calls = 0;
    auto f = [] { return twat::memoize(memory_cache(), "twice", twice); }();
    CHECK(f(3) == 6 && f(3) == 6 && calls == 1);
}

template <class T> static void round_trip(twat::Cache& cache, const std::string& name, T value)
{
    calls = 0;
    auto f = twat::memoize(cache, name, [](const T& argument) { return calls++, argument; });
    CHECK(f(value) == value);
    CHECK(f(value) == value);
    CHECK(calls == 1);
}

static void types(twat::Cache& cache)
{
    round_trip(cache, "bool", true);
    round_trip<signed char>(cache, "int8", -128);
    round_trip<unsigned char>(cache, "uint8", 255);
    round_trip<short>(cache, "int16", -32768);
    round_trip(cache, "int64", INT64_MIN);
    round_trip(cache, "uint64", UINT64_MAX);
    round_trip(cache, "float", 1.5f);
    round_trip(cache, "double", -2.25);
    round_trip<std::string>(cache, "string", "na\xc3\xafve \xf0\x9f\x90\x88");
    round_trip(cache, "vector", std::vector<int>{1, -2, 300, 70000});
    round_trip(cache, "bools", std::vector<bool>{true, false});
    round_trip(cache, "bytes", std::vector<std::byte>{std::byte{0}, std::byte{255}});
    round_trip(cache, "array", std::array<double, 3>{1, 2, 3});
    round_trip(cache, "map", std::map<std::string, int>{{"b", 1}, {"a", 2}});
    round_trip(cache, "hash map", std::unordered_map<int, std::string>{{300, "x"}, {-1, "y"}});
    round_trip(cache, "set", std::set<int>{3, 1, 2});
    round_trip(cache, "tuple", std::tuple<int, std::string, bool>{1, "two", true});
    round_trip(cache, "pair", std::pair<int, std::vector<std::string>>{1, {"a", "b"}});
    round_trip(cache, "some", std::optional<int>(5));
    round_trip(cache, "none", std::optional<int>());
    round_trip(cache, "nested", std::map<std::string, std::vector<std::optional<std::pair<int, double>>>>{
                                    {"k", {std::nullopt, std::pair{1, 2.0}}}});
    round_trip(cache, "own type", Point{1, -2});
    round_trip(cache, "own types", std::vector<Point>{{1, 2}, {3, 4}});
}

static void keys_are_canonical(const twat::Cache& cache)
{
    auto f = twat::memoize(cache, "f", [](long x) { return x; });
    CHECK(hex(f.key(12)) == "9403a166910c80");
    auto none = twat::memoize(cache, "f", [] { return 1; });
    CHECK(hex(none.key()) == "9403a1669080");
    auto real = twat::memoize(cache, "f", [](double x) { return x; });
    CHECK(real.key(0.0) != real.key(-0.0));
    CHECK(hex(real.key(-std::numeric_limits<double>::quiet_NaN())) == "9403a16691cb7ff800000000000080");
    auto text = twat::memoize(cache, "f", [](const std::string& x, std::string_view y) { return x.size() + y.size(); });
    CHECK(hex(text.key("a", "b")) == "9403a16692a161a16280");
    auto map = twat::memoize(cache, "f", [](const std::unordered_map<std::string, int>& m) { return m.size(); });
    CHECK(hex(map.key({{"bb", 1}, {"c", 2}, {"a", 3}})) == "9403a1669183a16103a16302a26262" "0180");
    CHECK_THROWS(text.key("\xff", ""), twat::errc::arg, "argument 1");
    CHECK_THROWS(text("", "\xed\xa0\x80"), twat::errc::arg, "argument 2");
    CHECK_THROWS(twat::memoize(cache, "", twice), twat::errc::arg, "name");
    CHECK_THROWS(twat::memoize(cache, "\xff", twice), twat::errc::arg, "UTF-8");
}

static void what_throws_is_not_stored(const twat::Cache& cache)
{
    calls = 0;
    auto f = twat::memoize(cache, "throws", [](int x) {
        if (calls++ == 0) throw std::runtime_error("first");
        return x;
    });
    try {
        f(1);
        CHECK(false);
    } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()) == "first");
    }
    CHECK(f(1) == 1 && f(1) == 1 && calls == 2);
}

static void other_results(twat::Cache& cache)
{
    calls = 0;
    auto nothing = twat::memoize(cache, "void", [](int) { calls++; });
    nothing(1);
    nothing(1);
    CHECK(calls == 1);
    auto overloaded = twat::memoize_as<double(double)>(cache, "generic", [](auto x) { return calls++, x; });
    CHECK(overloaded(1.5) == 1.5 && overloaded(1.5) == 1.5 && calls == 2);

    // What another language or version stored in a form this type is not
    // read from is a miss, and replaced.
    auto f = twat::memoize(cache, "form", [](int x) { return calls++, x; });
    twat::Cache bare = f.cache().share();
    for (const char* stored : {"\x10pickle", "\x01\xa1x", "\x01\x01\x01", "\x63?", "\x02{\"a\":", ""}) {
        calls = 0;
        bare.set(f.key(7), stored);
        CHECK(f(7) == 7 && f(7) == 7 && calls == 1);
    }
    bare.set(f.key(8), "\x02 9 ");
    CHECK(f(8) == 9 && calls == 1);
}

// A cache that can store nothing costs a call each time, and no result.
static void a_failing_cache_fails_no_call()
{
    calls = 0;
    auto unopened = twat::memoize(twat::Cache(), "twice", twice);
    CHECK(unopened(1) == 2 && unopened(1) == 2 && calls == 2);
    auto null = twat::memoize(twat::Cache::open(twat::Config("null")), "twice", twice);
    CHECK(null(1) == 2 && null(1) == 2 && calls == 4);
    twat::Cache small = twat::Cache::open(twat::Config("memory").set("max_bytes", 65536));
    auto large = twat::memoize(small, "large", [](int n) { return std::string(static_cast<std::size_t>(n), 'x'); });
    CHECK(large(100000).size() == 100000 && small.stats().rejected == 1);
}

static void arrays(twat::Cache& cache)
{
    const std::int32_t c[] = {1, 2, 3, 4, 5, 6}, fortran[] = {1, 4, 2, 5, 3, 6};
    twat::Array rows("<i4", {2, 3}, twat::View(c, sizeof c)), columns("<i4", {2, 3}, twat::View(fortran, sizeof c), 'F');
    calls = 0;
    auto f = twat::memoize(cache, "arrays", [](const twat::Array& a) { return calls++, a; });
    // The same numbers in another order in memory are another argument.
    CHECK(f(rows).data == rows.data && f(columns).order == 'F' && calls == 2 && f(rows).order == 'C' && calls == 2);
    twat::Bytes stored = *f.cache().get(f.key(rows));
    auto view = twat::ArrayView::of(stored);
    CHECK(view && view->dtype == "<i4" && view->shape[1] == 3 && view->data.size() == sizeof c);
    CHECK((static_cast<const std::byte*>(view->data.data()) - stored.data()) % 64 == 0);
    CHECK(!twat::ArrayView::of(twat::View(stored.data(), 70 > stored.size() ? stored.size() : 12)));
}

static void names_of_namespaces()
{
    CHECK(twat::detail::namespace_of("f") == "f");
    CHECK(twat::detail::namespace_of(std::string(200, 'x')) == std::string(200, 'x'));
    std::string cut = twat::detail::namespace_of(std::string(134, 'x') + "\xc3\xa4" + std::string(100, 'y'));
    CHECK(cut.size() == 134 + 1 + 64 && cut[134] == '~');
}

// Two programs that share a store and a name share results; a namespace is
// the function's alone.
static void shared_on_disk()
{
    calls = 0;
    std::string path = scratch("shared");
    {
        auto cache = twat::Cache::open(store(path));
        auto f = twat::memoize(cache, "twice", twice);
        CHECK(f(21) == 42 && calls == 1);
        CHECK(cache.stats().entries == 0);
    }
    auto cache = twat::Cache::open(store(path));
    auto f = twat::memoize(cache, "twice", twice);
    CHECK(f(21) == 42 && calls == 1);
    auto reader = twat::Cache::open(store(path).set("namespace", "twice"));
    CHECK(reader.get(f.key(21))->view() == std::string_view("\x01\x2a", 2));
    a_call_is_made_once(cache);
    types(cache);
    other_results(cache);
    arrays(cache);
}

// Over tiers the result lies in the store below, under the same namespace.
static void shared_through_tiers()
{
    calls = 0;
    std::string path = scratch("tiers");
    twat::Config tiers("tiered");
    tiers.add_tier(twat::Config("memory").set("max_entries", 100)).add_tier(store(path));
    twat::Config copy = tiers;
    auto f = twat::memoize(twat::Cache::open(copy), "twice", twice);
    CHECK(f(4) == 8 && f(4) == 8 && calls == 1);
    auto below = twat::memoize(twat::Cache::open(store(path)), "twice", twice);
    CHECK(below(4) == 8 && calls == 1);
    f.clear();
    CHECK(!below.contains(4));
}

int main()
{
    twat::Cache cache = memory_cache();
    a_call_is_made_once(cache);
    outlives_its_cache();
    types(cache);
    keys_are_canonical(cache);
    what_throws_is_not_stored(cache);
    other_results(cache);
    a_failing_cache_fails_no_call();
    arrays(cache);
    names_of_namespaces();
    shared_on_disk();
    shared_through_tiers();
}
