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
    auto g = twat::memoize([](long x, const std::string& y, double z) { return y + std::to_string(x) + (z > 0 ? "+" : ""); }, {10});
    twat::LiveCache<long, std::string> live({10}, code);
    live.set(1, "one");
    if (live.get(1) != "one" || live.size() != 1 || g(1, "2", 3) != "21+" || g.invalidate(2, "", 0)) return 2;
    if (twat::decode<std::vector<double>>(twat::encode(std::vector<double>{1.5}), code).size() != 1) return 3;
    if (twat::decode<twat::Array>(twat::encode(twat::Array()), code).shape.size() != 0) return 4;
    return code || cache.get("k", code) || f(1, "2") != "12";
}
