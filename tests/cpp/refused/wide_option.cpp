// expected: expected an integer type of up to 64 bits
// flags: -std=gnu++17
#include <twat_cache.hpp>

int main()
{
    twat::Config("memory").set("max_entries", static_cast<unsigned __int128>(1) << 64);
}
