// expected: a pointer says nothing about the value behind it
#include <twat_cache.hpp>
int main()
{
    int x = 0;
    return twat::memoize([](int* y) { return *y; })(&x);
}
