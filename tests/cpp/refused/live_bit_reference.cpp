// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <vector>

int main()
{
    static std::vector<bool> bits(8);
    return twat::memoize([](std::size_t i) { return bits[i]; })(1);
}
