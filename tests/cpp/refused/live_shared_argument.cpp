// expected: a pointer says nothing about the value behind it
#include <twat_cache.hpp>
#include <memory>

int main()
{
    return twat::memoize([](const std::shared_ptr<int>& p) { return *p; })(std::make_shared<int>(1));
}
