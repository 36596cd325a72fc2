/* The header needs nothing before it: compiled as C99, C11 and C++17 with
 * every warning an error, and linked, so that C++ finds the C names. */
#include "twat_cache.h"

int main(void)
{
    return twat_version_number() == 0;
}
