// expected: would cut them
#include <twat_cache.hpp>
int main()
{
    twat::LiveCache<int, long> cache;
    return static_cast<int>(twat::memoize(cache, [](long x) { return x; })(1));
}
