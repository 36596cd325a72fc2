// expected: this type has no encoding
#include <twat_cache.hpp>
#if defined(__clang__)
using Wide = _BitInt(128);
#else
struct Wide {}; // gcc has no _BitInt in C++
#endif
int main() { return twat::memoize([](Wide) { return 1; })(Wide{}); }
