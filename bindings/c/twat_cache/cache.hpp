// The cache.
#ifndef TWAT_CACHE_CACHE_HPP
#define TWAT_CACHE_CACHE_HPP

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config.hpp"

namespace twat {

// A walk over keys; also an input range: for (const twat::Bytes& key : cache.scan()).
class Scan {
public:
    explicit Scan(twat_scan* owned = nullptr) noexcept : raw_(owned) {}

    // The next key; nothing at the end.
    std::optional<Bytes> next(OnError on = {})
    {
        twat_bytes key{};
        std::int32_t status = twat_scan_next(raw_.get(), &key);
        if (!on.ok(status) || status != TWAT_OK) return std::nullopt;
        return Bytes(key);
    }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Bytes;
        using difference_type = std::ptrdiff_t;
        using pointer = const Bytes*;
        using reference = const Bytes&;

        Iterator() noexcept = default;
        explicit Iterator(Scan* scan) : scan_(scan) { ++*this; }
        Iterator(Iterator&&) noexcept = default;
        Iterator& operator=(Iterator&&) noexcept = default;
        Iterator(const Iterator&) = delete;
        Iterator& operator=(const Iterator&) = delete;
        ~Iterator() = default;
        reference operator*() const { return *key_; }
        pointer operator->() const { return &*key_; }
        Iterator& operator++()
        {
            key_ = scan_->next();
            if (!key_) scan_ = nullptr;
            return *this;
        }
        // Returns nothing: an iterator that owns its key has no copies, which
        // -Weffc++ does not foresee.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Weffc++"
#endif
        void operator++(int) { ++*this; }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
        friend bool operator==(const Iterator& a, const Iterator& b) { return a.scan_ == b.scan_; }
        friend bool operator!=(const Iterator& a, const Iterator& b) { return a.scan_ != b.scan_; }

    private:
        Scan* scan_ = nullptr;
        std::optional<Bytes> key_{};
    };
    Iterator begin() { return Iterator(this); }
    Iterator end() { return {}; }

private:
    struct Free {
        void operator()(twat_scan* raw) const noexcept { twat_scan_free(raw); }
    };
    std::unique_ptr<twat_scan, Free> raw_;
};

// How Cache::set_with stores, where a time to live is not all there is to say.
struct SetOptions {
    Ttl ttl{};
    std::uint64_t cost = 0; // weight against max_bytes; 0 takes the bytes
    std::vector<std::string> tags{};
};

// An open cache. Move-only.
class Cache {
public:
    static Cache open(const Config& config, OnError on = {})
    {
        twat_cache* raw = nullptr;
        if (!on.ok(twat_cache_open(config.get(), &raw))) return Cache();
        Cache cache;
        cache.shared_ = std::make_shared<Shared>(raw, config);
        return cache;
    }

    // A cache that is not open: calls fail with errc::arg.
    Cache() noexcept = default;
    Cache(Cache&&) noexcept = default;
    Cache& operator=(Cache&&) noexcept = default;
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    // Flushes, and closes unless memoized functions still use the cache.
    // Idempotent; the destructor does the same and drops the status.
    void close(OnError on = {})
    {
        std::shared_ptr<Shared> last = std::move(shared_);
        shared_.reset();
        if (!last) return;
        if (last.use_count() > 1)
            on.ok(twat_cache_flush(last->raw));
        else
            on.ok(twat_cache_close(std::exchange(last->raw, nullptr)));
    }

    std::optional<Bytes> get(View key, OnError on = {}) const
    {
        // In place: a copy of the two words right after the call would wait for their stores.
        std::optional<Bytes> value(std::in_place);
        std::int32_t status = twat_cache_get(raw(), key.data(), key.size(), value->receive());
        if (!on.ok(status) || status != TWAT_OK) value.reset();
        return value;
    }

    // Copies into the caller's buffer. The size of the value: where it is more
    // than the capacity, nothing was copied.
    std::optional<std::size_t> get_into(View key, void* buffer, std::size_t capacity, OnError on = {}) const
    {
        std::size_t size = 0;
        std::int32_t status = twat_cache_get_into(raw(), key.data(), key.size(), buffer, capacity, &size);
        if (!on.ok(status) || status == TWAT_MISS) return std::nullopt;
        return size;
    }

    void set(View key, View value, Ttl ttl = {}, OnError on = {})
    {
        if (ttl.valid(on))
            on.ok(twat_cache_set(raw(), key.data(), key.size(), value.data(), value.size(), ttl.ms()));
    }
    void set(View key, View value, std::error_code& code) { set(key, value, Ttl(), code); }
    void set_with(View key, View value, const SetOptions& options, OnError on = {})
    {
        with(options, on, [&](const twat_set_options& how) {
            return twat_cache_set_with(raw(), key.data(), key.size(), value.data(), value.size(), &how);
        });
    }
    // Stores the content of a file, in bounded memory where the engine has value files.
    void set_file(View key, const std::string& path, const SetOptions& options = {}, OnError on = {})
    {
        with(options, on, [&](const twat_set_options& how) {
            return twat_cache_set_file(raw(), key.data(), key.size(), path.c_str(), &how);
        });
    }

    // Stores where there is nothing; whether it did.
    bool add(View key, View value, Ttl ttl = {}, OnError on = {})
    {
        if (!ttl.valid(on)) return false;
        return yes(on, twat_cache_add(raw(), key.data(), key.size(), value.data(), value.size(), ttl.ms()));
    }

    // Whether there was one.
    bool erase(View key, OnError on = {}) { return yes(on, twat_cache_delete(raw(), key.data(), key.size())); }
    bool contains(View key, OnError on = {}) const
    {
        return yes(on, twat_cache_contains(raw(), key.data(), key.size()));
    }
    bool touch(View key, Ttl ttl, OnError on = {})
    {
        return ttl.valid(on) && yes(on, twat_cache_touch(raw(), key.data(), key.size(), ttl.ms()));
    }

    // Adds to a stored integer (an encoded one, or a counter); the sum. A missing one starts at
    // `initial`. Errors: errc::unsupported for anything else, errc::too_large beyond 64 bits.
    std::int64_t incr(View key, std::int64_t delta = 1, std::int64_t initial = 0, Ttl ttl = {}, OnError on = {})
    {
        std::int64_t value = 0;
        if (ttl.valid(on))
            on.ok(twat_cache_incr(raw(), key.data(), key.size(), delta, initial, ttl.ms(), &value));
        return value;
    }

    std::vector<std::optional<Bytes>> get_many(const std::vector<View>& keys, OnError on = {}) const
    {
        std::vector<twat_slice> slices = sliced(keys);
        std::vector<twat_bytes> found(keys.size());
        std::vector<std::optional<Bytes>> values(keys.size());
        if (on.ok(twat_cache_get_many(raw(), slices.data(), slices.size(), found.data())))
            for (std::size_t i = 0; i < found.size(); i++)
                if (found[i].data != nullptr) values[i].emplace(found[i]);
        return values;
    }
    void set_many(const std::vector<std::pair<View, View>>& pairs, const SetOptions& options = {}, OnError on = {})
    {
        std::vector<twat_slice> keys, values;
        for (const auto& [key, value] : pairs) {
            keys.push_back(key.slice());
            values.push_back(value.slice());
        }
        with(options, on, [&](const twat_set_options& how) {
            return twat_cache_set_many(raw(), keys.data(), values.data(), keys.size(), &how);
        });
    }
    // How many there were.
    std::uint64_t erase_many(const std::vector<View>& keys, OnError on = {})
    {
        std::vector<twat_slice> slices = sliced(keys);
        std::uint64_t n = 0;
        on.ok(twat_cache_delete_many(raw(), slices.data(), slices.size(), &n));
        return n;
    }
    std::uint64_t erase_prefix(View prefix, OnError on = {})
    {
        std::uint64_t n = 0;
        on.ok(twat_cache_delete_prefix(raw(), prefix.data(), prefix.size(), &n));
        return n;
    }

    // How many entries a get would hit; expired and invalidated ones do not count. Constant time
    // where none such can be there, else (and over redis) a walk over all keys.
    std::uint64_t size(OnError on = {}) const
    {
        std::uint64_t n = 0;
        on.ok(twat_cache_len(raw(), &n));
        return n;
    }

    // Makes every entry with the tag a miss; false where none ever had it.
    bool invalidate_tag(View tag, OnError on = {})
    {
        return yes(on, twat_cache_invalidate_tag(raw(), tag.data(), tag.size()));
    }
    // Removes what is expired or invalidated; how many entries left.
    std::uint64_t expire(OnError on = {})
    {
        std::uint64_t n = 0;
        on.ok(twat_cache_expire(raw(), &n));
        return n;
    }
    void clear(OnError on = {}) { on.ok(twat_cache_clear(raw())); }
    void flush(OnError on = {}) { on.ok(twat_cache_flush(raw())); }

    twat_stats stats(OnError on = {}) const
    {
        twat_stats stats{};
        stats.struct_size = sizeof stats;
        on.ok(twat_cache_stats(raw(), &stats));
        return stats;
    }
    // JSON objects.
    std::string info(OnError on = {}) const
    {
        twat_bytes json{};
        return on.ok(twat_cache_info(raw(), &json)) ? Bytes(json).str() : std::string();
    }
    std::string check(bool repair = false, OnError on = {})
    {
        twat_bytes json{};
        return on.ok(twat_cache_check(raw(), repair ? 1 : 0, &json)) ? Bytes(json).str() : std::string();
    }

    // How many entries were written or read.
    std::uint64_t export_to(const std::string& path, OnError on = {}) const
    {
        std::uint64_t n = 0;
        on.ok(twat_cache_export(raw(), path.c_str(), &n));
        return n;
    }
    std::uint64_t import_from(const std::string& path, OnError on = {})
    {
        std::uint64_t n = 0;
        on.ok(twat_cache_import(raw(), path.c_str(), &n));
        return n;
    }

    // The keys that begin with `prefix`.
    Scan scan(View prefix = {}, OnError on = {}) const
    {
        twat_scan* scan = nullptr;
        on.ok(twat_cache_scan(raw(), prefix.data(), prefix.size(), &scan));
        return Scan(scan);
    }

    // The C handle, owned by this object; NULL if it is not open.
    twat_cache* raw() const noexcept { return shared_ ? shared_->raw : nullptr; }
    // What it was opened with; NULL if it is not open.
    const Config* config() const noexcept { return shared_ ? &shared_->config : nullptr; }

    // A second object over the same handle, for those who must keep it open.
    Cache share() const
    {
        Cache other;
        other.shared_ = shared_;
        return other;
    }

private:
    struct Shared {
        Shared(twat_cache* handle, const Config& with) : raw(handle), config(with) {}
        Shared(const Shared&) = delete;
        Shared& operator=(const Shared&) = delete;
        ~Shared() { twat_cache_close(raw); }
        twat_cache* raw;
        Config config;
    };

    static bool yes(const OnError& on, std::int32_t status) { return on.ok(status) && status == TWAT_OK; }

    static std::vector<twat_slice> sliced(const std::vector<View>& views)
    {
        std::vector<twat_slice> slices;
        for (const View& view : views) slices.push_back(view.slice());
        return slices;
    }

    template <class Store> static void with(const SetOptions& options, const OnError& on, Store store)
    {
        if (!options.ttl.valid(on)) return;
        std::vector<twat_slice> tags;
        for (const std::string& tag : options.tags) tags.push_back(View(tag).slice());
        twat_set_options raw{};
        raw.struct_size = sizeof raw;
        raw.ttl_ms = options.ttl.ms();
        raw.cost = options.cost;
        raw.tags = tags.data();
        raw.n_tags = tags.size();
        on.ok(store(raw));
    }

    std::shared_ptr<Shared> shared_{};
};

} // namespace twat

#endif
