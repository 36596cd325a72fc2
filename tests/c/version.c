/* The version is the one of Cargo.toml, which the runner passes. */
#include "check.h"

int main(void)
{
    unsigned major, minor, patch;
    CHECK(sscanf(CARGO_VERSION, "%u.%u.%u", &major, &minor, &patch) == 3);
    CHECK(twat_version_number() == major * 1000000u + minor * 1000u + patch);
    CHECK(strcmp(twat_version_string(), CARGO_VERSION) == 0);
    return 0;
}
