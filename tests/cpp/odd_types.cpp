// Arguments and callables of less usual types: equal calls are one call, others are not.
#include <cmath>
#include <limits>
#include <optional>
#include <string>
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

int main()
{
    encodings_of_every_length_are_whole();
    integers_are_read_from_every_form();
    an_optional_of_nothing_is_not_nothing();
    a_nan_in_an_optional_equals_itself();
    a_qualified_call_operator_has_a_signature();
    a_default_lifetime_of_zero_is_refused();
}
