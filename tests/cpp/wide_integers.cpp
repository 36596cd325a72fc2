// Integers wider than 64 bits: no bit is lost in keys, values and options.
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "check.hpp"

#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 Signed;
__extension__ typedef unsigned __int128 Unsigned;

static const Unsigned one = 1;
static const Signed lowest = static_cast<Signed>(one << 127);
static const Signed highest = static_cast<Signed>(~(one << 127));

// Both sides of every border at which the encoding changes.
static std::vector<Signed> borders()
{
    std::vector<Signed> out{lowest, lowest + 1, highest, highest - 1, 0};
    for (int bit : {5, 7, 8, 15, 16, 31, 32, 63, 64, 65, 71, 72, 119, 120, 126})
        for (Signed near : {-1, 0, 1}) {
            Signed power = static_cast<Signed>(one << bit) + near;
            out.push_back(power);
            out.push_back(-power);
        }
    return out;
}

static void every_border_is_read_back()
{
    for (Signed value : borders()) {
        CHECK(twat::decode<Signed>(twat::encode(value)) == value);
        auto bits = static_cast<Unsigned>(value);
        CHECK(twat::decode<Unsigned>(twat::encode(bits)) == bits);
    }
}

// What fits into 64 bits is written as every other language writes it.
static void a_narrow_number_has_its_narrow_form()
{
    for (std::int64_t value : {INT64_MIN, std::int64_t{-33}, std::int64_t{0}, std::int64_t{300}, INT64_MAX})
        CHECK(twat::encode(Signed{value}) == twat::encode(value));
    CHECK(twat::encode(Unsigned{UINT64_MAX}) == twat::encode(UINT64_MAX));
    // -2^64: nine bytes of two's complement, as docs/format.md has extension 3.
    CHECK(twat::encode(-static_cast<Signed>(one << 64)) == std::string("\1\xc7\x9\x3\xff\0\0\0\0\0\0\0\0", 13));
}

// JavaScript writes a BigInt of any size as extension 3.
static void a_big_integer_of_any_length_is_read()
{
    CHECK(twat::decode<int>(std::string("\1\xd4\x3\x2", 4)) == 2);
    CHECK(twat::decode<int>(std::string("\1\xd4\x3\xff", 4)) == -1);
    CHECK(twat::decode<std::uint8_t>(std::string("\1\xd5\x3\0\xff", 5)) == 255);
    CHECK(twat::decode<Unsigned>(std::string("\1\xc7\x11\x3\0", 5) + std::string(16, '\xff')) == ~Unsigned{});
    CHECK(twat::decode<std::int64_t>(std::string("\1\xc7\x14\x3", 4) + std::string(20, '\xff')) == -1);
}

static void a_number_that_does_not_fit_is_refused()
{
    std::string wide = twat::encode(static_cast<Signed>(one << 64));
    CHECK_THROWS(twat::decode<std::uint64_t>(wide), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<Signed>(twat::encode(~Unsigned{})), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<Unsigned>(twat::encode(Signed{-1})), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<std::uint8_t>(std::string("\1\xd5\x3\x1\0", 5)), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<int>(std::string("\1\xc7\x0\x3", 4)), twat::errc::unsupported, "format byte");
}

static void arguments_that_differ_above_64_bits_are_two_calls()
{
    auto cache = memory_cache();
    int calls = 0;
    auto high = twat::memoize(cache, "high", [&](Unsigned x) { return calls++, x >> 64; });
    CHECK(high(one << 64 | 5) == 1 && high(one << 65 | 5) == 2 && high(5) == 0 && calls == 3);
    CHECK(high(one << 64 | 5) == 1 && calls == 3);
    using Nested = std::map<std::string, std::vector<std::optional<std::tuple<Signed, int>>>>;
    auto nested = twat::memoize(cache, "nested", [&](const Nested& x) { return calls++, x; });
    Nested a{{"k", {std::nullopt, std::tuple{lowest, 1}}}}, b{{"k", {std::nullopt, std::tuple{lowest + 1, 1}}}};
    CHECK(nested(a) == a && nested(b) == b && nested(a) == a && nested(b) == b && calls == 5);
    auto live = twat::memoize([&](const std::vector<Signed>& x) { return calls++, x.front(); });
    CHECK(live({lowest}) == lowest && live({lowest + 1}) == lowest + 1 && live({lowest}) == lowest && calls == 7);
}

int main()
{
    every_border_is_read_back();
    a_narrow_number_has_its_narrow_form();
    a_big_integer_of_any_length_is_read();
    a_number_that_does_not_fit_is_refused();
    arguments_that_differ_above_64_bits_are_two_calls();
}
#else
int main() {}
#endif
