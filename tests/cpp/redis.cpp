// C++ over a real redis-server, reached by configuration alone.
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "redis_server.hpp"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Time-outs that a busy machine does not reach, where none is meant.
static twat::Config patient(const RedisServer& server, const char* space)
{
    return twat::Config("redis").set("url", server.url()).set("namespace", space).set("timeout_ms", 5s).set(
        "connect_timeout_ms", 5s);
}

static twat::Config hasty(const RedisServer& server)
{
    return twat::Config("redis").set("url", server.url()).set("timeout_ms", 200ms).set("connect_timeout_ms", 200ms);
}

static void every_verb_reaches_the_server(const RedisServer& server)
{
    twat::Cache cache = twat::Cache::open(patient(server, "verbs"));
    CHECK(cache.info().find("\"engine\":\"redis\"") != std::string::npos);
    CHECK(!cache.get("absent"));
    cache.set("key", "value");
    CHECK(cache.get("key")->view() == "value");
    char buffer[5];
    CHECK(cache.get_into("key", buffer, sizeof buffer) == 5u && std::string_view(buffer, 5) == "value");
    CHECK(!cache.add("key", "other") && cache.add("new", "one") && cache.erase("new"));
    CHECK(cache.incr("counter", 2, 40) == 42 && twat::decode<long>(*cache.get("counter")) == 42);

    cache.set("short", "v", 100ms);
    cache.set("kept", "v", 100ms);
    CHECK(cache.touch("kept", twat::Ttl::never()));
    std::this_thread::sleep_for(200ms);
    CHECK(!cache.get("short") && cache.get("kept"));

    twat::SetOptions tagged;
    tagged.tags = {"tag"};
    cache.set_with("tagged", "v", tagged);
    CHECK(cache.get("tagged") && cache.invalidate_tag("tag") && !cache.get("tagged"));

    cache.clear();
    cache.set_many({{"a:1", "x"}, {"a:2", "y"}, {"b:1", ""}});
    auto many = cache.get_many({"a:2", "absent", "b:1"});
    CHECK(many[0]->view() == "y" && !many[1] && many[2]->empty());
    std::set<std::string> keys;
    for (const twat::Bytes& key : cache.scan("a:")) keys.insert(key.str());
    CHECK((keys == std::set<std::string>{"a:1", "a:2"}));
    CHECK(cache.erase_prefix("a:") == 2 && cache.erase_many({"b:1", "absent"}) == 1);
}

static void namespaces_are_apart_and_handles_share_one(const RedisServer& server)
{
    twat::Cache one = twat::Cache::open(patient(server, "one")), two = twat::Cache::open(patient(server, "two"));
    twat::Cache again = twat::Cache::open(patient(server, "one"));
    one.set("key", "value");
    CHECK(!two.get("key") && again.get("key")->view() == "value");
    two.set("key", "other");
    two.clear();
    CHECK(one.get("key")->view() == "value");
}

using Figures = std::map<std::string, std::vector<double>>;

struct Analysis {
    int calls = 0;
    twat::Memoized<Figures(long, const std::string&)> call;

    explicit Analysis(const RedisServer& server)
        : call(twat::memoize(twat::Cache::open(patient(server, "")), "analysis",
                             [this](long n, const std::string& label) -> Figures {
                                 calls++;
                                 return {{label, {double(n), n / 2.0}}, {"by C++", {}}};
                             }))
    {
    }
};

// What the Python twin of the analysis prints: "who computed / how often it ran".
static std::string python(const RedisServer& server, const std::string& arguments)
{
    std::string command = "PYTHONPATH='" TREE "/bindings/python/src' exec python3 -B '" TREE "/tests/cpp/redis_peer.py' '" +
                          server.url() + "' " + arguments;
    std::FILE* output = popen(command.c_str(), "r");
    CHECK(output != nullptr);
    char line[256] = {};
    CHECK(std::fgets(line, sizeof line, output) != nullptr);
    CHECK(pclose(output) == 0);
    return std::string(line, std::strcspn(line, "\n"));
}

static void python_and_cpp_share_memoized_results(const RedisServer& server)
{
    Analysis analysis(server), another(server);
    Figures ours = analysis.call(7, "seven");
    CHECK(analysis.call(7, "seven") == ours && another.call(7, "seven") == ours);
    CHECK(analysis.calls == 1 && another.calls == 0);
    CHECK(python(server, "7 seven") == "by C++ seven=[7.0, 3.5] 0 computed");

    CHECK(python(server, "8 'größer'") == "by Python größer=[8.0, 4.0] 1 computed");
    Figures theirs = analysis.call(8, "größer");
    CHECK(analysis.calls == 1 && theirs.count("by Python") == 1);
    CHECK((theirs["größer"] == std::vector<double>{8.0, 4.0}));

    // Whoever clears, clears for both.
    CHECK(analysis.call.invalidate(7, "seven"));
    CHECK(python(server, "7 seven") == "by Python seven=[7.0, 3.5] 1 computed");
    analysis.call.clear();
    CHECK(python(server, "8 'größer'") == "by Python größer=[8.0, 4.0] 1 computed");
}

// The first success of `call`, which must come within a second.
template <class Call> static void within_a_second(Call call)
{
    Clock::time_point end = Clock::now() + 1s;
    while (!call()) {
        CHECK(Clock::now() < end);
        std::this_thread::sleep_for(5ms);
    }
}

static void a_server_that_dies_costs_no_result(RedisServer& server)
{
    twat::Cache cache = twat::Cache::open(hasty(server));
    int calls = 0;
    auto twice = twat::memoize(cache, "twice", [&](long x) { return calls++, 2 * x; });
    cache.set("key", "value");
    CHECK(twice(1) == 2);
    calls = 0;
    CHECK(twice(1) == 2 && calls == 0);

    server.kill();
    // Memoization computes, each time; direct use says so.
    CHECK(twice(1) == 2 && twice(1) == 2 && twice(3) == 6 && calls == 3);
    CHECK_THROWS(cache.get("key"), twat::errc::unavailable, "redis at 127.0.0.1");
    CHECK_THROWS(cache.set("key", "value"), twat::errc::unavailable, "redis at 127.0.0.1");
    CHECK_THROWS(cache.get_many({"key"}), twat::errc::unavailable, "redis at 127.0.0.1");
    std::error_code code;
    CHECK(!cache.get("key", code) && code == twat::errc::unavailable);
    CHECK(cache.stats().errors > 0);
    // A cache opens whether its server is there or not.
    CHECK(twat::memoize(twat::Cache::open(hasty(server)), "thrice", [](long x) { return 3 * x; })(2) == 6);

    server.restart();
    within_a_second([&] {
        std::error_code down;
        cache.set("key", "again", down);
        return !down;
    });
    CHECK(cache.get("key")->view() == "again");
    // The memoized function has a namespace, and so a handle, of its own.
    within_a_second([&] { return twice(5) == 10 && twice.contains(5); });
    calls = 0;
    CHECK(twice(5) == 10 && calls == 0);
}

static void a_server_that_hangs_delays_by_its_time_out_alone(RedisServer& server)
{
    twat::Cache cache = twat::Cache::open(hasty(server));
    auto twice = twat::memoize(cache, "hanging", [](long x) { return 2 * x; });
    CHECK(twice(1) == 2);
    cache.set("key", "value");
    server.stop();
    Clock::time_point before = Clock::now();
    CHECK_THROWS(cache.get("key"), twat::errc::unavailable, "redis at 127.0.0.1");
    for (long x = 0; x < 100; x++) CHECK(twice(x) == 2 * x);
    // One time-out each for the cache and the function, and a try now and then.
    CHECK(Clock::now() - before < 3s);
    server.go_on();
    within_a_second([&] {
        std::error_code down;
        return cache.get("key", down) && !down;
    });
}

static void bad_configuration_is_named()
{
    auto open = [](const char* url) { return twat::Cache::open(twat::Config("redis").set("url", url)); };
    CHECK_THROWS(open("http://127.0.0.1/"), twat::errc::config, "known are redis");
    CHECK_THROWS(open("redis://127.0.0.1:70000/"), twat::errc::config, "port");
    CHECK_THROWS(twat::Config("redis").set("timeout_ms", "soon"), twat::errc::config, "soon");
}

int main()
{
    RedisServer server;
    every_verb_reaches_the_server(server);
    namespaces_are_apart_and_handles_share_one(server);
    python_and_cpp_share_memoized_results(server);
    a_server_that_dies_costs_no_result(server);
    a_server_that_hangs_delays_by_its_time_out_alone(server);
    bad_configuration_is_named();
}
