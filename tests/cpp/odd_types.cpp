// Arguments and callables of less usual types: equal calls are one call, others are not.
#include <cmath>
#include <limits>
#include <optional>

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

int main()
{
    an_optional_of_nothing_is_not_nothing();
    a_nan_in_an_optional_equals_itself();
    a_qualified_call_operator_has_a_signature();
    a_default_lifetime_of_zero_is_refused();
}
