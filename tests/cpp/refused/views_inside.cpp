// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

using Result = std::map<int, std::vector<std::optional<std::tuple<int, std::string_view>>>>;

int main()
{
    auto cache = twat::Cache::open(twat::Config("memory"));
    return twat::memoize(cache, "f", [](int) { return Result(); })(1).empty();
}
