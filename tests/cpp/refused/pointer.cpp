// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
int main()
{
    auto cache = twat::Cache::open(twat::Config("memory"));
    return twat::memoize(cache, "f", [](int) -> const char* { return "one"; })(1) == nullptr;
}
