// A hit returns an object of its own, whatever the function returns.
#include <map>
#include <type_traits>

#include "check.hpp"

static std::map<int, std::string>& table()
{
    static std::map<int, std::string> table{{1, std::string(60, 'o')}};
    return table;
}
static const std::string& by_const_reference(int key) { return table().at(key); }
static std::string& by_reference(int key) { return table().at(key); }
static std::string&& by_rvalue(int key) { return std::move(table().at(key)); }
static const std::string by_const_value(int key) { return table().at(key); }

template <class F> static void is_a_copy(const F& f)
{
    static_assert(std::is_same_v<decltype(f(1)), std::string>);
    auto&& first = f(1);
    auto&& second = f(1);
    CHECK(first.size() == 60 && second.size() == 60 && &first != &second);
}

int main()
{
    auto cache = memory_cache();
    is_a_copy(twat::memoize(cache, "const reference", by_const_reference));
    is_a_copy(twat::memoize(cache, "reference", by_reference));
    is_a_copy(twat::memoize(cache, "const value", by_const_value));
    is_a_copy(twat::memoize(by_const_reference));
    is_a_copy(twat::memoize(by_reference));
    is_a_copy(twat::memoize(by_const_value));
    is_a_copy(twat::memoize_as<const std::string&(int)>(cache, "as", [](auto key) -> const std::string& {
        return table().at(key);
    }));
    is_a_copy(twat::memoize(by_rvalue));
}
