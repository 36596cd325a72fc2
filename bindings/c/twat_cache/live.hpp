// A cache of objects in memory. The objects stay C++ objects: nothing is
// encoded, and a hit does not call the library. The library keeps their order
// and decides which entry is evicted (twat_policy).
//
//     twat::LiveCache<std::string, Image> images({1000});        // at most 1,000 entries, LRU
//     images.set("logo", load("logo.png"));
//     if (std::optional<Image> hit = images.get("logo")) show(*hit);
//
// Use std::shared_ptr<const T> as the value type where copies are expensive.
#ifndef TWAT_CACHE_LIVE_HPP
#define TWAT_CACHE_LIVE_HPP

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#if defined(__linux__)
#include <time.h>
#endif

#include "config.hpp"
#include "live_table.hpp"

namespace twat {

// Bounds and lifetimes of a live cache.
template <class K, class V> struct LiveOptions {
    std::uint64_t max_entries = 0; // 0: no bound
    std::uint64_t max_bytes = 0;   // bound of the sum of weights, at least 65536; 0: no bound; needs a weigher
    std::string policy = "lru";    // docs/options.md; tinylfu has no such form
    Ttl ttl = Ttl::never();        // for entries that are set without a time to live
    std::function<std::uint64_t(const K&, const V&)> weigher{};
    // Called for each entry that was evicted to make room, after the cache's
    // lock is released. Not called for erase, clear, replacement and expiry.
    std::function<void(const K&, const V&)> on_evict{};
};

// Counted since the cache was made.
struct LiveStats {
    std::uint64_t hits = 0, misses = 0, sets = 0, evictions = 0, rejected = 0;
    // Results of memoized calls that were not stored, or whose eviction was not reported to the
    // end, since a copy, the weigher or the eviction callback threw.
    std::uint64_t failures = 0;
};

template <class Signature, class Store> class LiveMemoized;

namespace detail {

// Milliseconds of a clock that goes on while the machine is suspended.
inline std::uint64_t boot_ms() noexcept
{
#if defined(__linux__)
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
#else
    using std::chrono::milliseconds;
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
#endif
}

} // namespace detail

// Bounded map of live objects. Copies are handles of one cache.
//
// Threads  any call on any thread: one mutex, held while V is copied, and not
//          while V is destroyed or a callback runs.
// Errors   std::bad_alloc, and what hashing or copying K and V throws; the cache
//          stays consistent.
// Fork     as any object with a mutex: not in the child of a process with threads.
template <class K, class V, class Hash = std::hash<K>, class Equal = std::equal_to<K>> class LiveCache {
    template <class Signature, class Store> friend class LiveMemoized;

public:
    using Key = K;
    using Value = V;
    using Options = LiveOptions<K, V>;

    // Errors: errc::config for an unknown policy, or max_bytes without a weigher;
    // errc::arg for a time to live of zero or less.
    explicit LiveCache(Options options = {}, OnError on = {}) : state_(std::make_shared<State>(std::move(options)))
    {
        state_->open(on);
    }

    // A copy of the value; nothing where there is none, or it has expired.
    std::optional<V> get(const K& key) const
    {
        std::lock_guard<std::mutex> hold(state_->mutex);
        const V* value = state_->find(key);
        return value == nullptr ? std::nullopt : std::optional<V>(*value);
    }

    // Stores, in place of what is there. False where the entry was not
    // admitted: it weighs more than max_bytes, policy "none" is full, or the key
    // does not equal itself (a NaN).
    bool set(K key, V value, Ttl ttl = {}, OnError on = {})
    {
        return ttl.valid(on) && state_->set(std::move(key), std::move(value), ttl);
    }

    // Whether there was one.
    bool erase(const K& key) { return state_->erase(key); }
    bool contains(const K& key) const
    {
        std::lock_guard<std::mutex> hold(state_->mutex);
        const Item* item = state_->table.find(key, State::hash(key));
        return item != nullptr && !State::is_expired(*item);
    }
    void clear() { state_->clear(); }
    // Removes the expired entries; how many.
    std::size_t expire() { return state_->expire(); }
    // How many entries have not expired. Looks at each where any has a time to live.
    std::size_t size() const { return state_->size(); }
    LiveStats stats() const
    {
        std::lock_guard<std::mutex> hold(state_->mutex);
        return state_->stats;
    }

private:
    using Table = detail::LiveTable<K, V, Equal>;
    using Item = typename Table::Item;
    using Removed = detail::Removed<Item>;

    struct Free {
        void operator()(twat_policy* raw) const noexcept { twat_policy_free(raw); }
    };

    // Public calls of the cache take the mutex; the other functions expect it to
    // be held. Removed items are destroyed after the mutex is released.
    struct State {
        explicit State(Options given) : options(std::move(given)) {}
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() = default;

        void open(const OnError& on)
        {
            if (!options.ttl.valid(on)) return;
            if (options.max_bytes != 0 && !options.weigher)
                on.fail(errc::config, "max_bytes: expected a weigher beside it, got none");
            Config config("memory", on);
            config.set("policy", options.policy, on);
            if (options.max_entries != 0) config.set("max_entries", options.max_entries, on);
            if (options.max_bytes != 0) config.set("max_bytes", options.max_bytes, on);
            twat_policy* raw = nullptr;
            // Made without bounds too, so that a wrong name is an error there as well.
            if (config.get() == nullptr || !on.ok(twat_policy_new(config.get(), &raw))) return;
            policy.reset(raw);
            needs = twat_policy_needs(raw);
            if (options.max_entries == 0 && options.max_bytes == 0) {
                policy.reset();
                needs = TWAT_POLICY_NEEDS_NOTHING;
            }
        }

        static std::uint64_t hash(const K& key) { return Table::mixed(Hash()(key)); }
        static bool is_expired(const Item& item) noexcept
        {
            return item.expires != 0 && item.expires <= detail::boot_ms();
        }

        // The value of a key, counted as a hit or a miss.
        const V* find(const K& key)
        {
            Item* item = table.find(key, hash(key));
            if (item == nullptr || is_expired(*item)) {
                stats.misses++;
                return nullptr;
            }
            record_hit(*item);
            return &item->value;
        }

        void record_hit(Item& item)
        {
            stats.hits++;
            if (needs == TWAT_POLICY_NEEDS_NOTHING) return;
            if (needs == TWAT_POLICY_NEEDS_MARK) {
                if (item.marked) return;
                item.marked = true;
            }
            log[logged++] = item.slot;
            if (logged == log.size()) {
                twat_policy_hits(policy.get(), log.data(), logged);
                end_log();
            }
        }

        // After the log was handed over.
        void end_log()
        {
            if (needs == TWAT_POLICY_NEEDS_MARK)
                for (std::size_t i = 0; i < logged; i++)
                    if (Item* item = at(log[i])) item->marked = false;
            logged = 0;
        }

        bool set(K key, V value, Ttl ttl)
        {
            Removed removed, evicted;
            // A key that does not equal itself (a NaN) would never be found again.
            if (!Equal()(key, key)) {
                std::lock_guard<std::mutex> hold(mutex);
                stats.rejected++;
                return false;
            }
            std::uint64_t weight = options.weigher ? options.weigher(key, value) : 1;
            std::uint64_t hashed = hash(key);
            auto made = std::make_unique<Item>(std::move(key), std::move(value), hashed, end_of(ttl));
            bool stored = false;
            {
                std::lock_guard<std::mutex> hold(mutex);
                timed = timed || made->expires != 0;
                // Whatever may fail for lack of memory comes before the first change.
                table.reserve_one();
                if (policy && places.size() <= table.size()) places.resize(2 * table.size() + 8, nullptr);
                if (Item* old = table.find(made->key, hashed)) take(old, removed);
                stored = admit(*made, weight, evicted);
                (stored ? stats.sets : stats.rejected)++;
                if (stored) table.link(made.release());
            }
            if (options.on_evict)
                for (const Item* item = evicted.first(); item != nullptr; item = item->next)
                    options.on_evict(item->key, item->value);
            return stored;
        }

        // Asks the policy for a slot, and removes what it evicts for it.
        bool admit(Item& item, std::uint64_t weight, Removed& evicted)
        {
            if (!policy) return true;
            std::array<std::uint64_t, 16> victims{};
            std::size_t n = 0;
            std::int32_t status = twat_policy_insert(policy.get(), log.data(), logged, item.hash, weight, &item.slot,
                                                     victims.data(), victims.size(), &n);
            end_log();
            if (status < 0 || status == TWAT_MISS) return false;
            evict(victims.data(), n, evicted);
            while (status == TWAT_TRUNCATED) {
                status = twat_policy_evicted(policy.get(), victims.data(), victims.size(), &n);
                evict(victims.data(), n, evicted);
            }
            // Slots are dense: their indices are below the greatest number of items there were.
            places[index(item.slot)] = &item;
            return true;
        }

        void evict(const std::uint64_t* victims, std::size_t n, Removed& evicted) noexcept
        {
            stats.evictions += n;
            for (std::size_t i = 0; i < n; i++)
                if (Item* item = at(victims[i])) {
                    places[index(victims[i])] = nullptr;
                    table.unlink(item);
                    evicted.push(item);
                }
        }

        // Removes an item from policy and table.
        void take(Item* item, Removed& removed) noexcept
        {
            if (policy) {
                places[index(item->slot)] = nullptr;
                twat_policy_remove(policy.get(), item->slot);
            }
            table.unlink(item);
            removed.push(item);
        }

        bool erase(const K& key)
        {
            Removed removed;
            std::lock_guard<std::mutex> hold(mutex);
            Item* item = table.find(key, hash(key));
            if (item == nullptr) return false;
            take(item, removed);
            return !is_expired(*item);
        }

        void clear() noexcept
        {
            Removed removed;
            std::lock_guard<std::mutex> hold(mutex);
            table.clear(removed);
            logged = 0;
            places.assign(places.size(), nullptr);
            if (policy) twat_policy_clear(policy.get());
        }

        std::size_t expire()
        {
            Removed removed;
            std::size_t n = 0;
            std::lock_guard<std::mutex> hold(mutex);
            table.each([&](Item* item) {
                if (!is_expired(*item)) return;
                take(item, removed);
                n++;
            });
            return n;
        }

        std::size_t size()
        {
            std::lock_guard<std::mutex> hold(mutex);
            if (!timed) return table.size();
            std::size_t live = 0;
            table.each([&](Item* item) { live += is_expired(*item) ? 0u : 1u; });
            return live;
        }

        std::uint64_t end_of(Ttl ttl) const noexcept
        {
            std::uint64_t ms = ttl.ms() == TWAT_TTL_DEFAULT ? options.ttl.ms() : ttl.ms();
            if (ms == TWAT_TTL_NEVER || ms == TWAT_TTL_DEFAULT) return 0;
            std::uint64_t end = detail::boot_ms() + ms;
            return end < ms ? 0 : end;
        }

        static std::size_t index(std::uint64_t slot) noexcept { return detail::as_size(slot & 0xffffffff); }
        // The item of a slot; NULL for a stale one.
        Item* at(std::uint64_t slot) noexcept
        {
            Item* item = index(slot) < places.size() ? places[index(slot)] : nullptr;
            return item != nullptr && item->slot == slot ? item : nullptr;
        }

        const Options options;
        std::mutex mutex{};
        Table table{};
        LiveStats stats{};
        std::unique_ptr<twat_policy, Free> policy{};
        std::int32_t needs = TWAT_POLICY_NEEDS_NOTHING;
        std::vector<Item*> places{}; // by the index in the slot
        std::size_t logged = 0;
        std::array<std::uint64_t, 128> log{};
        bool timed = false; // whether any item ever had a time to live
    };

    std::shared_ptr<State> state_;
};

} // namespace twat

#endif
