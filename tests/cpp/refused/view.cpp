// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <string_view>

int main()
{
    auto cache = twat::Cache::open(twat::Config("memory"));
    return twat::memoize(cache, "f", [](int) -> std::string_view { return "one"; })(1).empty();
}
