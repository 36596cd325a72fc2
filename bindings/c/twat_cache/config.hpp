// The configuration of a cache, and times to live.
#ifndef TWAT_CACHE_CONFIG_HPP
#define TWAT_CACHE_CONFIG_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bytes.hpp"
#include "error.hpp"

namespace twat {

// How long an entry lives: the cache's own default, for ever, or a duration
// (which must be positive; parts of a millisecond are rounded up).
class Ttl {
public:
    constexpr Ttl() noexcept = default;

    template <class Rep, class Period>
    constexpr Ttl(std::chrono::duration<Rep, Period> lives) noexcept // NOLINT: implicit
    {
        using Exact = std::chrono::duration<long double, std::milli>;
        long double exact = std::chrono::duration_cast<Exact>(lives).count();
        if (!(exact > 0)) {
            positive_ = false;
        } else if (exact >= 9e18L) {
            ms_ = TWAT_TTL_NEVER;
        } else {
            ms_ = static_cast<std::uint64_t>(exact);
            if (static_cast<long double>(ms_) < exact) ++ms_;
        }
    }

    static constexpr Ttl never() noexcept
    {
        Ttl ttl;
        ttl.ms_ = TWAT_TTL_NEVER;
        return ttl;
    }

    constexpr std::uint64_t ms() const noexcept { return ms_; }

    // False (and reported) for a duration that is over before it begins, which
    // must not silently become "the default".
    bool valid(const OnError& on) const
    {
        if (!positive_) on.fail(errc::arg, "ttl: expected a positive duration, found zero or less");
        return positive_;
    }

private:
    std::uint64_t ms_ = TWAT_TTL_DEFAULT;
    bool positive_ = true;
};

// Options of a cache; docs/options.md has the table. Each set is checked at
// once. Chainable and copyable.
class Config {
public:
    explicit Config(const std::string& engine, OnError on = {}) : engine_(engine)
    {
        twat_config* raw = nullptr;
        if (no_nul(engine, on) && on.ok(twat_config_new(engine.c_str(), &raw))) raw_.reset(raw);
    }

    Config(Config&&) noexcept = default;
    Config& operator=(Config&&) noexcept = default;
    Config(const Config& other) : Config(other.engine_)
    {
        for (const auto& step : other.steps_) apply(step, {});
    }
    Config& operator=(const Config& other) { return *this = Config(other); }
    ~Config() = default;

    // Text, for any option.
    Config& set(const std::string& name, const std::string& value, OnError on = {})
    {
        return apply({Step::a_text, name, value, 0, nullptr}, on);
    }
    Config& set(const std::string& name, const char* value, OnError on = {})
    {
        return set(name, std::string(value), on);
    }
    // Integers and truth values.
    template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
    Config& set(const std::string& name, Integer value, OnError on = {})
    {
        static_assert(sizeof(Integer) <= sizeof(std::uint64_t), "twat::Config::set: expected an integer type of up to "
                                                                "64 bits");
        if constexpr (std::is_same_v<Integer, bool>) {
            return set(name, value ? "true" : "false", on);
        } else {
            // The library refuses a negative number and says what it expects.
            if (std::is_signed_v<Integer> && value < Integer{}) return set(name, std::to_string(value), on);
            return apply({Step::a_number, name, {}, static_cast<std::uint64_t>(value), nullptr}, on);
        }
    }
    // Durations, for the options that end in _ms. Parts of a millisecond are
    // rounded up, since 0 has a meaning of its own.
    template <class Rep, class Period>
    Config& set(const std::string& name, std::chrono::duration<Rep, Period> value, OnError on = {})
    {
        using Exact = std::chrono::duration<long double, std::milli>;
        const long double exact = std::chrono::duration_cast<Exact>(value).count();
        if (name.size() < 3 || name.compare(name.size() - 3, 3, "_ms") != 0) {
            on.fail(errc::config, name + ": expected an option whose name ends in _ms, got a duration for this one");
            return *this;
        }
        if (!(exact >= 0 && exact < 9e18L)) {
            on.fail(errc::config, name + ": expected a duration from 0 to 9e18 ms, got one outside of that");
            return *this;
        }
        auto ms = static_cast<std::uint64_t>(exact);
        if (static_cast<long double>(ms) < exact) ++ms;
        return set(name, ms, on);
    }

    // Lays a JSON object or a MessagePack map over the configuration.
    Config& load(View json_or_msgpack, OnError on = {})
    {
        return apply({Step::a_load, {}, std::string(json_or_msgpack.text()), 0, nullptr}, on);
    }

    // Adds a tier below those already there (engine "tiered").
    Config& add_tier(const Config& tier, OnError on = {})
    {
        return apply({Step::a_tier, {}, {}, 0, std::make_shared<const Config>(tier)}, on);
    }

    // The C handle, owned by this object. NULL after a failed construction.
    const twat_config* get() const noexcept { return raw_.get(); }

private:
    // The C ABI copies no configuration: what was done to this one is kept,
    // and done again to a copy.
    struct Step {
        enum Kind { a_text, a_number, a_load, a_tier } kind;
        std::string name;
        std::string value;
        std::uint64_t n;
        std::shared_ptr<const Config> config;
    };
    struct Free {
        void operator()(twat_config* raw) const noexcept { twat_config_free(raw); }
    };

    static bool no_nul(const std::string& text, const OnError& on)
    {
        if (text.find('\0') == std::string::npos) return true;
        on.fail(errc::arg, "configuration: expected text without NUL, found one");
        return false;
    }

    std::int32_t run(const Step& step)
    {
        switch (step.kind) {
        case Step::a_text: return twat_config_set(raw_.get(), step.name.c_str(), step.value.c_str());
        case Step::a_number: return twat_config_set_u64(raw_.get(), step.name.c_str(), step.n);
        case Step::a_load: return twat_config_load(raw_.get(), step.value.data(), step.value.size());
        case Step::a_tier: return twat_config_add_tier(raw_.get(), step.config->get());
        }
        return TWAT_E_ARG;
    }

    Config& apply(Step step, const OnError& on)
    {
        bool has_text = step.kind == Step::a_text || step.kind == Step::a_number;
        if (has_text && !(no_nul(step.name, on) && no_nul(step.value, on))) return *this;
        if (on.ok(run(step))) steps_.push_back(std::move(step));
        return *this;
    }

    std::string engine_;
    std::vector<Step> steps_{};
    std::unique_ptr<twat_config, Free> raw_{};
};

} // namespace twat

#endif
