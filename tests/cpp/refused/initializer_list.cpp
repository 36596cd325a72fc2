// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <initializer_list>

int main()
{
    return twat::memoize([](int) -> std::initializer_list<int> { return {}; })(1).size() != 0;
}
