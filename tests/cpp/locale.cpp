// Numbers are written and read the same in a locale with a decimal comma.
// Needs LOCPATH to name a directory with de_DE.UTF-8 (tests/run-c.sh makes one).
#include <clocale>
#include <cstdio>
#include <limits>
#include <locale>

#include "check.hpp"

int main()
{
    if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) {
        std::fprintf(stderr, "no locale de_DE.UTF-8: LOCPATH is not set, or names another directory\n");
        return 1;
    }
    std::locale::global(std::locale("de_DE.UTF-8"));
    char written[16];
    std::snprintf(written, sizeof written, "%.1f", 1.5);
    CHECK(std::string(written) == "1,5");

    CHECK(twat::decode<std::vector<double>>("\2[1.5, -2.25e-3, 1e2, 12345.5, 0.1]") ==
          (std::vector<double>{1.5, -2.25e-3, 100, 12345.5, 0.1}));
    CHECK(twat::decode<double>("\2" "1.7976931348623157e308") == std::numeric_limits<double>::max());
    CHECK_THROWS(twat::decode<double>("\2" "1,5"), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<double>("\2" "1.5x"), twat::errc::unsupported, "format byte");
    CHECK_THROWS(twat::decode<double>("\2" "1.5.5"), twat::errc::unsupported, "format byte");
    CHECK(twat::decode<double>(twat::encode(1.5)) == 1.5);

    // The library's own JSON and options.
    auto cache = twat::Cache::open(twat::Config("memory").load("{\"max_entries\": 12345, \"ttl_ms\": 1500}"));
    auto half = twat::memoize(cache, "half", [](double x) { return x / 2; });
    CHECK(half(2.5) == 1.25 && half(2.5) == 1.25);
    CHECK(cache.stats().max_entries == 12345);
    CHECK_THROWS(twat::Config("memory").set("max_entries", -12345), twat::errc::config, "-12345");
}
