// Arguments and callables of less usual types: equal calls are one call, others are not.
#include <array>
#include <bitset>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include "check.hpp"

static void an_optional_of_nothing_is_not_nothing()
{
    using Twice = std::optional<std::optional<int>>;
    auto cache = memory_cache();
    auto f = twat::memoize(cache, "f", [](const Twice& x) { return x.has_value(); });
    CHECK(!f(Twice{}) && f(Twice{std::optional<int>{7}}));
    CHECK_THROWS(f(Twice{std::optional<int>{}}), twat::errc::arg, "nil");
    int calls = 0;
    auto result = twat::memoize(cache, "result", [&](int) { return calls++, Twice{std::optional<int>{}}; });
    CHECK(result(1).has_value() && result(1).has_value() && calls == 2);
}

static void a_nan_in_an_optional_equals_itself()
{
    int calls = 0;
    auto f = twat::memoize([&](std::optional<double> x) { return calls++, x.has_value(); });
    double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(f(nan) && f(-nan) && !f(std::nullopt) && f(0.0) && f(-0.0) && calls == 3);
}

struct OnLvalues {
    int operator()(int x) const& { return x + 1; }
};
struct Volatile {
    int operator()(int x) volatile noexcept { return x + 2; }
};

static void a_qualified_call_operator_has_a_signature()
{
    CHECK(twat::memoize(OnLvalues())(1) == 2 && twat::memoize(Volatile())(1) == 3);
}

static void a_default_lifetime_of_zero_is_refused()
{
    using Numbers = twat::LiveCache<int, int>;
    Numbers::Options options;
    options.ttl = std::chrono::milliseconds(0);
    CHECK_THROWS(Numbers(options), twat::errc::arg, "ttl");
}

// A writer keeps short encodings in itself, and longer ones elsewhere: no length between loses a byte.
static void encodings_of_every_length_are_whole()
{
    for (std::size_t length = 0; length < 400; length++) {
        std::string text(length, 'x');
        std::vector<long> numbers(length, 70000);
        twat::Writer writer;
        writer.array(4).text(text).value(numbers).integer(-70000).real(1.5);
        std::string head = writer.str();
        CHECK(writer.view() == head);
        writer.boolean(true);
        CHECK(writer.str() == head + "\xc3" && std::string(writer.view()) == head + "\xc3");
        twat::Reader reader{twat::View(head)};
        std::size_t n = 0;
        std::string_view found;
        std::vector<long> list;
        long below = 0;
        double real = 0;
        CHECK(reader.array(n) && n == 4 && reader.text(found) && found == text && reader.value(list) && list == numbers);
        CHECK(reader.integer(below) && below == -70000 && reader.real(real) && reader.at_end() && real > 1.4);
    }
}

// What other languages may write: a positive number under a signed code, the widest of each.
static void integers_are_read_from_every_form()
{
    auto read = [](std::string_view bytes, auto expected) {
        decltype(expected) found{};
        twat::Reader reader{twat::View(bytes)};
        CHECK(reader.integer(found) && found == expected && reader.at_end());
        twat::Reader cut{twat::View(bytes.substr(0, bytes.size() - 1))};
        CHECK(!cut.integer(found));
    };
    read(std::string_view("\xd0\x05", 2), 5L);
    read(std::string_view("\xd1\x00\x05", 3), 5);
    read(std::string_view("\xd1\xff\xfe", 3), -2);
    read(std::string_view("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9), std::numeric_limits<std::int64_t>::max());
    read(std::string_view("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9), std::numeric_limits<std::uint64_t>::max());
    read(std::string_view("\xcc\xff", 2), static_cast<unsigned char>(255));
    signed char narrow = 0;
    twat::Reader wide{twat::View("\xcc\xff", 2)};
    CHECK(!wide.integer(narrow) && wide.peek() == 0xcc);
}

static double wave(double x) { return std::sin(x); }

// A cache of the caller's own: what its key type cannot hold is refused (refused/), the rest is kept whole.
static void keys_of_the_callers_own_type_keep_every_bit()
{
    twat::LiveCache<double, double> reals({1000});
    auto f = twat::memoize(reals, wave);
    double x = 1.0;
    for (int i = 0; i < 100; i++, x = std::nextafter(x, 2)) CHECK(f(x) >= wave(x) && f(x) <= wave(x));
    CHECK(f.contains(1.0) && reals.contains(1.0) && reals.size() == 100);
    double nan = std::numeric_limits<double>::quiet_NaN();
    for (int i = 0; i < 100; i++) CHECK(std::isnan(f(nan)));
    CHECK(reals.size() == 100 && !reals.set(nan, 0) && reals.stats().rejected == 101);

    twat::LiveCache<std::int64_t, int> wide;
    auto g = twat::memoize(wide, [](int n) { return n + 1; });
    CHECK(g(-1) == 0 && wide.contains(-1));
    using Pair = std::tuple<double, int>;
    struct HashPair {
        std::size_t operator()(const Pair& p) const { return std::hash<double>()(std::get<0>(p)); }
    };
    twat::LiveCache<Pair, double, HashPair> pairs;
    auto h = twat::memoize(pairs, [](double a, int b) { return a + b; });
    CHECK(h(1.5, 2) > 3.4 && pairs.contains(Pair(1.5, 2)));
}

static void paths_that_are_written_otherwise_are_others()
{
    using std::filesystem::path;
    auto f = twat::memoize([](const path& p) { return p.string(); });
    auto g = twat::memoize([](const std::optional<path>& p) { return p->string(); });
    for (const char* text : {"a//b", "a/b", "a/b/", "a/./b", "a///b"}) CHECK(f(text) == text && g(path(text)) == text);
    CHECK(f.cache().size() == 5 && f("a//b") == "a//b");
}

static void a_nan_in_a_variant_equals_itself()
{
    using Either = std::variant<double, float, std::string, std::optional<double>>;
    int calls = 0;
    auto f = twat::memoize([&](const Either& x) { return calls++, x.index(); });
    double nan = std::numeric_limits<double>::quiet_NaN();
    for (int round = 0; round < 3; round++) {
        CHECK(f(nan) == 0 && f(-nan) == 0 && f(std::numeric_limits<float>::quiet_NaN()) == 1);
        CHECK(f(std::string("x")) == 2 && f(std::optional<double>(nan)) == 3 && f(std::optional<double>()) == 3);
        CHECK(f(1.5) == 0 && f(1.5f) == 1);
    }
    CHECK(calls == 7 && f.cache().size() == 7);
    auto g = twat::memoize([&](const std::optional<std::variant<double>>& x) { return x.has_value(); });
    CHECK(g(nan) && g(-nan) && !g(std::nullopt) && g.cache().size() == 2);
    auto h = twat::memoize([](const std::pair<double, std::optional<float>>& x) { return x.second.has_value(); });
    CHECK(h({nan, std::nullopt}) == h({-nan, std::nullopt}) && h.cache().size() == 1);
}

// Kinds that have a hash and are themselves the key.
enum class Colour : signed char { red = -1, blue = 1 };
static void small_kinds_are_told_apart()
{
    auto f = twat::memoize([](bool a, char b, signed char c, Colour d, std::byte e, wchar_t w, std::u16string u, std::u32string v) {
        return std::to_string(a) + "," + std::to_string(b) + "," + std::to_string(c) + "," +
               std::to_string(static_cast<int>(d)) + "," + std::to_string(static_cast<int>(e)) + "," +
               std::to_string(static_cast<int>(w)) + "," + std::to_string(u.size()) + "," + std::to_string(v.size());
    });
    for (int round = 0; round < 2; round++) {
        CHECK(f(true, 'a', -1, Colour::red, std::byte{255}, L'w', u"", U"x") == "1,97,-1,-1,255,119,0,1");
        CHECK(f(true, 'a', -1, Colour::blue, std::byte{255}, L'w', u"", U"x") == "1,97,-1,1,255,119,0,1");
        CHECK(f(true, 'a', 1, Colour::red, std::byte{1}, L'w', std::u16string(1, u'\0'), U"") == "1,97,1,-1,1,119,1,0");
    }
    auto g = twat::memoize([](const std::bitset<70>& bits, const std::string& text, const std::array<double, 2>& pair) {
        return bits.count() + text.size() + (std::signbit(pair[1]) ? 100u : 0u);
    });
    CHECK(g(5, std::string("a\0b", 3), {0, 1}) == 5 && g(1, "a", {0, 1}) == 2 && g(5, "a", {0, -1}) == 103);
}

static void json_integers_beyond_64_bits_are_exact_or_refused()
{
    auto json = [](const std::string& text) { return "\2" + text; };
    auto refused = [&](auto type, const std::string& text) {
        std::error_code code;
        (void)twat::decode<decltype(type)>(json(text), code);
        return code == twat::errc::unsupported;
    };
    CHECK(twat::decode<std::uint64_t>(json("18446744073709551615")) == std::numeric_limits<std::uint64_t>::max());
    CHECK(refused(std::uint64_t{}, "18446744073709551616") && refused(std::int64_t{}, "9223372036854775808"));
    CHECK(refused(std::int64_t{}, "-9223372036854775809") && refused(1, "100000000000000000000000000000000000000000"));
    CHECK(refused(1.0, std::string(5000, '9')) && refused(1.0, "1" + std::string(400, '0')) && refused(1, "1e3"));
#if defined(__SIZEOF_INT128__)
    using Wide = twat::detail::wide_signed;
    Wide most = static_cast<Wide>(~twat::detail::wide_unsigned{0} >> 1);
    CHECK(twat::decode<Wide>(json("170141183460469231731687303715884105727")) == most);
    CHECK(twat::decode<Wide>(json("-170141183460469231731687303715884105728")) == -most - 1);
    CHECK(twat::decode<Wide>(json("-18446744073709551617")) == -(static_cast<Wide>(1) << 64) - 1);
    CHECK(refused(Wide{}, "170141183460469231731687303715884105728") && twat::decode<Wide>(json("-1")) == -1);
#endif
    // The nearest double, as by the compiler.
    auto same = [&](const std::string& text, double expected) {
        double found = twat::decode<double>(json(text)), negative = twat::decode<double>(json("-" + text));
        CHECK(std::memcmp(&found, &expected, sizeof found) == 0);
        expected = -expected;
        CHECK(std::memcmp(&negative, &expected, sizeof found) == 0);
    };
    same("18446744073709551616", 18446744073709551616.0);
    same("100000000000000000000", 1e20);
    same("36893488147419107329", 36893488147419107329.0);
    same("36893488147419107328", 36893488147419107328.0);
    same("36893488147419107327", 36893488147419107327.0);
    same("123456789012345678901234567890123456789", 123456789012345678901234567890123456789.0);
    same("1" + std::string(300, '0'), 1e300);
}

static void durations_of_options_are_rounded_up_or_refused()
{
    using namespace std::chrono;
    auto ttl = [](auto value) {
        auto cache = twat::Cache::open(twat::Config("memory").set("max_entries", 10).set("ttl_ms", value));
        std::string info = cache.info();
        auto at = info.find("\"ttl_ms\":");
        return at == std::string::npos ? info : info.substr(at + 9, info.find_first_of(",}", at) - at - 9);
    };
    auto one = twat::Cache::open(twat::Config("memory").set("max_entries", 10).set("ttl_ms", microseconds(1)));
    one.set("k", "v");
    std::this_thread::sleep_for(milliseconds(5));
    CHECK(!one.get("k"));
    CHECK(ttl(duration<double>(0.0015)) == ttl(2) && ttl(seconds(3)) == ttl(3000) && ttl(seconds(0)) == ttl(0));
    twat::Config config("memory");
    CHECK_THROWS(config.set("ttl_ms", microseconds(-1)), twat::errc::config, "ttl_ms");
    CHECK_THROWS(config.set("ttl_ms", hours(std::numeric_limits<std::int64_t>::max() / 3600)), twat::errc::config, "ttl_ms");
    CHECK_THROWS(config.set("ttl_ms", duration<double>(std::numeric_limits<double>::quiet_NaN())), twat::errc::config, "ttl_ms");
    CHECK_THROWS(config.set("max_entries", seconds(5)), twat::errc::config, "max_entries");
}

int main()
{
    keys_of_the_callers_own_type_keep_every_bit();
    paths_that_are_written_otherwise_are_others();
    a_nan_in_a_variant_equals_itself();
    small_kinds_are_told_apart();
    json_integers_beyond_64_bits_are_exact_or_refused();
    durations_of_options_are_rounded_up_or_refused();
    encodings_of_every_length_are_whole();
    integers_are_read_from_every_form();
    an_optional_of_nothing_is_not_nothing();
    a_nan_in_an_optional_equals_itself();
    a_qualified_call_operator_has_a_signature();
    a_default_lifetime_of_zero_is_refused();
}
