// expected: return std::shared_ptr for a type without copies
#include <twat_cache.hpp>
#include <memory>

int main()
{
    return *twat::memoize([](int x) { return std::make_unique<int>(x); })(0);
}
