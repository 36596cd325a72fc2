// twat::Cache, Config and Bytes, in memory and on disk.
#include <set>
#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;

static void verbs(twat::Cache cache)
{
    CHECK(!cache.get("absent"));
    cache.set("key", "value");
    CHECK(cache.get("key")->view() == "value");
    CHECK(cache.get(std::string("key"))->size() == 5);
    CHECK(cache.get(std::string_view("key"))->str() == "value");
    CHECK(cache.contains("key") && !cache.contains("absent"));
    CHECK(!cache.add("key", "other") && cache.add("new", "one"));
    CHECK(cache.erase("new") && !cache.erase("new"));
    cache.set("empty", "");
    CHECK(cache.get("empty") && cache.get("empty")->empty());

    // Anything with data() and size() is a value.
    std::vector<double> numbers{1.5, 2.5};
    cache.set("numbers", numbers);
    double back[2] = {};
    CHECK(cache.get_into("numbers", back, sizeof back) == sizeof back && back[1] == 2.5);
    CHECK(cache.get_into("numbers", back, 3) == sizeof back);
    CHECK(!cache.get_into("absent", back, sizeof back));

    cache.set("short", "v", 100ms);
    cache.set("kept", "v", 100ms);
    CHECK(cache.touch("kept", twat::Ttl::never()) && !cache.touch("absent", 1s));
    std::this_thread::sleep_for(250ms);
    CHECK(!cache.get("short") && cache.get("kept"));

    CHECK(cache.incr("counter", 2, 40) == 42 && cache.incr("counter", -50) == -8);
    CHECK(twat::decode<long>(*cache.get("counter")) == -8);

    twat::SetOptions tagged;
    tagged.tags = {"tag"};
    cache.set_with("tagged", "v", tagged);
    CHECK(cache.invalidate_tag("tag") && !cache.invalidate_tag("never") && !cache.get("tagged"));
    cache.expire();

    cache.clear();
    cache.set_many({{"a:1", "x"}, {"a:2", "y"}, {"b:1", ""}});
    auto many = cache.get_many({"a:2", "absent", "b:1"});
    CHECK(many[0]->view() == "y" && !many[1] && many[2]->empty());
    std::set<std::string> keys;
    for (const twat::Bytes& key : cache.scan("a:")) keys.insert(key.str());
    CHECK((keys == std::set<std::string>{"a:1", "a:2"}));
    CHECK(cache.erase_prefix("a:") == 2 && cache.erase_many({"b:1", "absent"}) == 1);
    CHECK(cache.stats().entries == 0 && cache.stats().hits > 0);
    CHECK(cache.info().find("engine") != std::string::npos);
    CHECK(cache.check().find("bad") != std::string::npos);

    cache.set("one", "1");
    CHECK(cache.export_to(scratch("export")) == 1);
    cache.clear();
    CHECK(cache.import_from(scratch("export")) == 1 && cache.get("one")->view() == "1");
    cache.set_file("file", scratch("export"));
    CHECK(cache.contains("file"));
    cache.flush();

    // A value outlives its entry, its cache and a move of its object.
    twat::Bytes value = *cache.get("one");
    cache.erase("one");
    cache.close();
    cache.close();
    twat::Bytes moved = std::move(value);
    CHECK(moved.view() == "1");
    CHECK_THROWS(cache.get("one"), twat::errc::arg, "cache");
}

static void errors()
{
    twat::Cache cache = memory_cache();
    CHECK_THROWS(twat::Config("memroy"), TWAT_E_CONFIG, "did you mean 'memory'");
    CHECK_THROWS(twat::Config("memory").set("max_entrys", 1), TWAT_E_CONFIG, "max_entries");
    CHECK_THROWS(twat::Config("memory").set("max_entries", -1), TWAT_E_CONFIG, "found: -1");
    CHECK_THROWS(twat::Config("memory").set("policy", std::string("lru\0x", 5)), TWAT_E_ARG, "NUL");
    CHECK_THROWS(twat::Config("memory").load("{\"ttl_ms\": true}"), TWAT_E_CONFIG, "ttl_ms");
    CHECK_THROWS(twat::Cache::open(twat::Config("disk")), TWAT_E_CONFIG, "path");
    CHECK_THROWS(cache.set("k", "v", 0s), TWAT_E_ARG, "ttl");
    CHECK_THROWS(cache.set("k", "v", -5min), TWAT_E_ARG, "ttl");
    CHECK(!cache.contains("k"));
    CHECK_THROWS(cache.get(twat::View(nullptr, 5)), TWAT_E_ARG, "key");

    // The same with a code: nothing is thrown, success clears it.
    std::error_code code;
    twat::Config wrong("memory");
    wrong.set("max_entrys", 1, code);
    CHECK(code == twat::errc::config && code.category() == twat::category());
    CHECK(code.message() == "TWAT_E_CONFIG" && std::string(twat::last_error()).find("max_entries"));
    CHECK(!cache.get("absent", code) && !code);
    cache.get(twat::View(nullptr, 5), code);
    CHECK(code == twat::errc::arg);
    cache.set("k", "v", code);
    CHECK(!code && cache.get("k", code)->view() == "v");
    twat::Cache none = twat::Cache::open(twat::Config("disk"), code);
    CHECK(code == twat::errc::config && none.raw() == nullptr);
}

static void counters()
{
    twat::Cache cache = memory_cache();
    cache.set("n", twat::encode(2));
    CHECK(cache.incr("n") == 3 && twat::decode<int>(*cache.get("n")) == 3);
    cache.set("n", twat::encode(-1099511627776));
    CHECK(cache.incr("n", 1) == -1099511627775);
    std::error_code code;
    cache.set("n", twat::encode(std::string("2")));
    cache.incr("n", 1, 0, {}, code);
    CHECK(code == twat::errc::unsupported);
    cache.incr("top", 1, INT64_MAX, {}, code);
    CHECK(code == twat::errc::too_large && cache.size() == 1);
}

static void configuration()
{
    twat::Config config("memory");
    config.set("max_entries", 5).set("ttl_ms", 2s).set("policy", "fifo").load("{\"max_bytes\": 70000}");
    twat::Config copy = config;
    copy.set("max_entries", 6);
    CHECK(twat::Cache::open(config).stats().max_entries == 5);
    CHECK(twat::Cache::open(copy).stats().max_entries == 6);
    CHECK(twat::Cache::open(copy).stats().max_bytes == 70000);
    CHECK(twat::Ttl(1500us).ms() == 2 && twat::Ttl().ms() == TWAT_TTL_DEFAULT);
    CHECK(twat::Ttl(std::chrono::hours::max()).ms() == TWAT_TTL_NEVER);
}

static void moves()
{
    twat::Cache cache = memory_cache(), other;
    cache.set("k", "v");
    other = std::move(cache);
    CHECK(other.get("k")->view() == "v" && cache.raw() == nullptr); // NOLINT: moved from on purpose
    twat::Bytes a = *other.get("k"), b;
    b = std::move(a);
    CHECK(b.view() == "v" && a.empty()); // NOLINT: moved from on purpose
    static_assert(!std::is_copy_constructible_v<twat::Cache> && !std::is_copy_constructible_v<twat::Bytes>);
    static_assert(std::is_nothrow_move_constructible_v<twat::Cache> && std::is_copy_constructible_v<twat::Config>);
}

int main()
{
    verbs(memory_cache());
    verbs(twat::Cache::open(store(scratch("disk"))));
    errors();
    counters();
    configuration();
    moves();
}
