// Hits of twat::memoize, as JSON rows for tools/bench_table.py. Each row and its
// peer take turns within one run; the medians of the rounds are compared.
#include <twat_cache.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

// What a program would write by hand: a hash map, a list and a mutex.
template <class K, class V> class HandWritten {
public:
    explicit HandWritten(std::size_t most) : most_(most) {}

    template <class F> V get(const K& key, F compute)
    {
        {
            std::lock_guard<std::mutex> hold(mutex_);
            auto at = index_.find(key);
            if (at != index_.end()) {
                order_.splice(order_.begin(), order_, at->second);
                return at->second->second;
            }
        }
        V value = compute(key);
        std::lock_guard<std::mutex> hold(mutex_);
        order_.emplace_front(key, value);
        index_[key] = order_.begin();
        if (index_.size() > most_) {
            index_.erase(order_.back().first);
            order_.pop_back();
        }
        return value;
    }

private:
    std::size_t most_;
    std::mutex mutex_{};
    std::list<std::pair<K, V>> order_{};
    std::unordered_map<K, typename std::list<std::pair<K, V>>::iterator> index_{};
};

constexpr std::size_t keys = 1000;
volatile std::size_t sink;

double ns_per_call(const std::function<std::size_t(std::size_t)>& call)
{
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t calls = 400 * keys;
    std::size_t sum = 0, key = 0;
    auto start = Clock::now();
    for (std::size_t i = 0; i < calls; i++) {
        sum += call(key);
        // A walk that no prefetcher follows, over all keys.
        key = (key + 619) % keys;
    }
    sink = sum;
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(calls);
}

double median(std::vector<double> all)
{
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

bool first = true;

void row(const char* what, double target, const std::function<std::size_t(std::size_t)>& ours,
         const std::function<std::size_t(std::size_t)>& peer)
{
    std::vector<double> a, b, ratios;
    ns_per_call(ours);
    ns_per_call(peer);
    for (int round = 0; round < 15; round++) {
        a.push_back(ns_per_call(ours));
        b.push_back(ns_per_call(peer));
        ratios.push_back(a.back() / b.back());
    }
    double ratio = median(ratios);
    std::printf("%s{\"what\": \"%s\", \"unit\": \"ns\", \"ours\": %.2f, \"peer\": %.2f, \"ratio\": %.3f, "
                "\"target\": \"<= %.1f\", \"met\": %s}",
                first ? "[" : ",\n ", what, median(a), median(b), ratio, target, ratio <= target ? "true" : "false");
    first = false;
}

struct Record {
    std::int64_t id, parent, created, updated, size, flags, owner, group, mode, links;
};

} // namespace

template <> struct twat::codec<Record> {
    static void write(Writer& to, const Record& r)
    {
        to.array(10);
        for (std::int64_t field : {r.id, r.parent, r.created, r.updated, r.size, r.flags, r.owner, r.group, r.mode, r.links})
            to.value(field);
    }
    static bool read(Reader& from, Record& r)
    {
        std::size_t n = 0;
        return from.array(n) && n == 10 && from.value(r.id) && from.value(r.parent) && from.value(r.created) &&
               from.value(r.updated) && from.value(r.size) && from.value(r.flags) && from.value(r.owner) &&
               from.value(r.group) && from.value(r.mode) && from.value(r.links);
    }
};

namespace {

void live_rows()
{
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < keys; i++) texts.push_back("key:" + std::to_string(i));

    HandWritten<long, long> numbers(2 * keys);
    auto number = twat::memoize([](long x) { return 3 * x; }, {2 * keys});
    row("C++ memoize live, f(long) / hand-written LRU", 1.3,
        [&](std::size_t i) { return static_cast<std::size_t>(number(static_cast<long>(i))); },
        [&](std::size_t i) {
            return static_cast<std::size_t>(numbers.get(static_cast<long>(i), [](long x) { return 3 * x; }));
        });

    HandWritten<std::string, std::string> words(2 * keys);
    auto word = twat::memoize([](const std::string& x) { return x + "!"; }, {2 * keys});
    row("C++ memoize live, f(short text) / hand-written LRU", 1.3, [&](std::size_t i) { return word(texts[i]).size(); },
        [&](std::size_t i) { return words.get(texts[i], [](const std::string& x) { return x + "!"; }).size(); });
}

// What a C program would write to hit the same entry: the key on the stack, the
// get, and the integer out of the value.
std::size_t triple_key(long x, unsigned char* key)
{
    static const unsigned char head[] = {0x94, 3, 0xa6, 't', 'r', 'i', 'p', 'l', 'e', 0x91};
    std::memcpy(key, head, sizeof head);
    std::size_t n = sizeof head;
    if (x < 0x80) {
        key[n++] = static_cast<unsigned char>(x);
    } else if (x <= 0xff) {
        key[n++] = 0xcc;
        key[n++] = static_cast<unsigned char>(x);
    } else {
        key[n++] = 0xcd;
        key[n++] = static_cast<unsigned char>(x >> 8);
        key[n++] = static_cast<unsigned char>(x & 0xff);
    }
    key[n++] = 0x80;
    return n;
}

long triple_in_c(twat_cache* cache, long x)
{
    unsigned char key[32];
    std::size_t size = triple_key(x, key);
    twat_bytes value{};
    if (twat_cache_get(cache, key, size, &value) != TWAT_OK) return 3 * x;
    auto* at = static_cast<const unsigned char*>(value.data);
    long result = 0;
    if (value.len == 2)
        result = at[1];
    else if (value.len == 3 && at[1] == 0xcc)
        result = at[2];
    else if (value.len == 4 && at[1] == 0xcd)
        result = at[2] << 8 | at[3];
    else
        std::abort();
    twat_bytes_free(&value);
    return result;
}

void encoded_rows()
{
    auto cache = twat::Cache::open(twat::Config("memory").set("max_entries", 10 * keys));
    auto memoized = twat::memoize(cache, "triple", [](long x) { return 3 * x; });
    for (std::size_t i = 0; i < keys; i++) {
        memoized(static_cast<long>(i));
        unsigned char key[32];
        std::size_t size = triple_key(static_cast<long>(i), key);
        if (twat::View(key, size).text() != memoized.key(static_cast<long>(i))) std::abort();
    }
    row("C++ memoize over memory, f(long) / the same in C", 1.3,
        [&](std::size_t i) { return static_cast<std::size_t>(memoized(static_cast<long>(i))); },
        [&](std::size_t i) { return static_cast<std::size_t>(triple_in_c(cache.raw(), static_cast<long>(i))); });

    Record record{1, 20000, 1700000000000, 1700000000000, 4096, 3, 1000, 1000, 420, 1};
    auto records = twat::memoize(cache, "record", [&](long) { return record; });
    std::vector<std::string> raw_keys;
    for (std::size_t i = 0; i < keys; i++) {
        records(static_cast<long>(i));
        raw_keys.push_back("raw" + std::to_string(i));
        cache.set(raw_keys.back(), twat::View(&record, sizeof record));
    }
    std::vector<std::string> record_keys;
    for (std::size_t i = 0; i < keys; i++) record_keys.push_back(records.key(static_cast<long>(i)));
    row("C++ get and decode a struct of 10 fields / get and memcpy", 2.0,
        [&](std::size_t i) {
            return static_cast<std::size_t>(twat::decode<Record>(*cache.get(record_keys[i])).created);
        },
        [&](std::size_t i) {
            Record copy{};
            cache.get_into(raw_keys[i], &copy, sizeof copy);
            return static_cast<std::size_t>(copy.created);
        });
}

} // namespace

int main()
{
    live_rows();
    encoded_rows();
    std::puts("]");
}
