// expected: would cut them
#include <twat_cache.hpp>
#include <tuple>
struct Hash {
    std::size_t operator()(const std::tuple<int, int>& key) const { return static_cast<std::size_t>(std::get<0>(key)); }
};
int main()
{
    twat::LiveCache<std::tuple<int, int>, long, Hash> cache;
    return static_cast<int>(twat::memoize(cache, [](long x, int y) { return x + y; })(1, 2));
}
