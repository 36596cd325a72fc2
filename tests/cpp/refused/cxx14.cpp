// expected: expected C++17 or later
// flags: -std=c++14
#include <twat_cache.hpp>
int main() {}
