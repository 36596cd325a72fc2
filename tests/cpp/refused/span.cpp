// expected: refers to memory that the cache does not own
// flags: -std=c++20
#include <span>
#include <twat_cache.hpp>

int main()
{
    return twat::memoize([](int) { return std::span<const int>(); })(1).empty();
}
