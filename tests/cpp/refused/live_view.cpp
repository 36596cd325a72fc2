// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <string_view>

int main()
{
    return twat::memoize([](int) -> std::string_view { return "one"; })(1).empty();
}
