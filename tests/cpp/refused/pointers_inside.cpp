// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <vector>

int main()
{
    auto cache = twat::Cache::open(twat::Config("memory"));
    return twat::memoize(cache, "f", [](int) { return std::vector<int*>(); })(1).empty();
}
