// expected: refers to memory that the cache does not own
// flags: -std=c++20
#include <ranges>
#include <twat_cache.hpp>

struct Numbers : std::ranges::view_base {
    const int* begin() const { return nullptr; }
    const int* end() const { return nullptr; }
};

int main()
{
    return twat::memoize([](int) { return Numbers(); })(1).begin() != nullptr;
}
