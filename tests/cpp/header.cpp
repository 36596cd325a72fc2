// The header alone, included twice: every template that a user meets is used once.
#include "twat_cache.hpp"
#include "twat_cache.hpp"

int main()
{
    std::error_code code;
    twat::Config config("null", code);
    config.set("ttl_ms", std::chrono::seconds(1), code).set("ttl_ms", 5u, code).load("{}", code);
    twat::Cache cache = twat::Cache::open(config, code);
    cache.set("k", std::vector<int>{1, 2}, code);
    for (auto key = cache.scan({}, code).next(code); key;) key.reset();
    auto f = twat::memoize(cache, "f", [](int x, const std::string& y) { return std::to_string(x) + y; });
    return code || cache.get("k", code) || f(1, "2") != "12";
}
