// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
int main()
{
    static int x = 0;
    return *twat::memoize([](int) -> int* { return &x; })(1);
}
