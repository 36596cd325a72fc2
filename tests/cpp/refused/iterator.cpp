// expected: refers to memory that the cache does not own
#include <twat_cache.hpp>
#include <map>

int main()
{
    static std::map<int, int> table;
    return twat::memoize([](int x) { return table.find(x); })(1) == table.end();
}
