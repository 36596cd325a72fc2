// expected: a std::unique_ptr says nothing
#include <twat_cache.hpp>
int main() { return twat::memoize([](const std::unique_ptr<int>& x) { return *x; })(std::make_unique<int>(1)); }
