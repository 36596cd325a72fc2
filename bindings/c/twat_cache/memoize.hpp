// Memoization over a cache, with keys and values that languages share.
#ifndef TWAT_CACHE_MEMOIZE_HPP
#define TWAT_CACHE_MEMOIZE_HPP

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "borrows.hpp"
#include "cache.hpp"
#include "signature.hpp"
#include "value.hpp"

namespace twat {

namespace detail {

// The namespace of a function: its name, or what stands for a long one.
inline std::string namespace_of(const std::string& name)
{
    if (name.size() <= 200) return name;
    unsigned char hash[TWAT_DIGEST_BYTES];
    std::size_t cut = 135;
    while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) cut--;
    twat_hash(name.data(), name.size(), hash);
    std::string out = name.substr(0, cut) + "~";
    for (unsigned char byte : hash) {
        out.push_back("0123456789abcdef"[byte >> 4]);
        out.push_back("0123456789abcdef"[byte & 15]);
    }
    return out;
}

// The text behind "name": in the outermost object of the library's JSON.
inline std::string json_text(std::string_view json, std::string_view name)
{
    Writer converted;
    if (!JsonReader(json).read(converted)) return {};
    Reader reader{View(converted.str())};
    std::size_t n;
    std::string_view key, text;
    if (!reader.map(n)) return {};
    while (n-- > 0 && reader.text(key))
        if (key == name && reader.text(text))
            return std::string(text);
        else if (key != name && !reader.skip())
            break;
    return {};
}

// Engines that others share keep each function in a namespace of its own,
// reached by a handle of our own over the same store.
inline bool has_namespaces(const Cache& cache)
{
    std::error_code failed;
    std::string engine = json_text(cache.info(failed), "engine");
    return engine == "disk" || engine == "file" || engine == "redis" || engine == "tiered";
}

} // namespace detail

template <class Signature> class Memoized;

// A memoized function: call it like the function. Copies share one cache,
// which stays open as long as any of them lives. Thread-safe if the function
// is; threads that miss together each call it.
//
// A function that returns a reference is memoized by value: a call returns a
// copy, since a hit has no object to refer to. Results that borrow memory
// (views, pointers, iterators, also inside containers) are refused at compile
// time.
//
// A failure of the cache never fails the call: it counts in the statistics,
// and the function runs. The same holds for what a codec throws while the result
// is read or written. What the function throws is passed on, not stored.
template <class R, class... A> class Memoized<R(A...)> {
public:
    using Result = std::conditional_t<std::is_void_v<R>, std::nullptr_t, std::decay_t<R>>;
    using Return = std::conditional_t<std::is_void_v<R>, void, Result>;
    static_assert(!detail::borrows<Result>::value,
                  "twat::memoize: the result refers to memory that the cache does not own (a view, pointer or "
                  "iterator); return an owning type, such as std::string or std::vector");

    template <class F> Memoized(const Cache& cache, std::string name, F function, Ttl ttl, const OnError& on)
        : name_(std::move(name)), head_(head_of(name_)), ttl_(ttl), function_(std::move(function))
    {
        cache_ = std::make_shared<Cache>();
        if (!ttl.valid(on)) return;
        if (name_.empty() || !is_utf8(name_)) {
            on.fail(errc::arg, name_.empty() ? "memoize: expected a name, got an empty one"
                                             : "memoize: expected a name in UTF-8, got other bytes");
            return;
        }
        if (cache.config() != nullptr && detail::has_namespaces(cache)) {
            Config config = *cache.config();
            config.set("namespace", detail::namespace_of(name_), on);
            cache_ = std::make_shared<Cache>(Cache::open(config, on));
            own_namespace_ = true;
        } else {
            cache_ = std::make_shared<Cache>(cache.share());
        }
    }

    // The stored result, or the function's, stored for the next call. Errors:
    // an argument without an encoding throws twat::Error with errc::arg.
    Return operator()(const std::decay_t<A>&... arguments) const
    {
        // The key is used on the stack, without a string of its own.
        Writer writer(Writer::for_key);
        write_key(writer, arguments...);
        const View stored_under = writer.view();
        {
            Result result{};
            if (find(stored_under, result)) return give(std::move(result));
        }
        std::error_code ignored;
        if constexpr (std::is_void_v<R>) {
            function_(arguments...);
            cache_->set(stored_under, View("\1\xc0", 2), ttl_, ignored);
        } else {
            Result result = function_(arguments...);
            // What a codec throws, or memory that is lacking, does not take the result from the caller.
            detail::attempt([&] {
                std::error_code encoding;
                std::string bytes = encode<Result>(result, encoding);
                if (!encoding) cache_->set(stored_under, bytes, ttl_, ignored);
            });
            return result;
        }
    }

    // Forgets one call; whether it was stored.
    bool invalidate(const std::decay_t<A>&... arguments) const { return cache_->erase(key(arguments...)); }

    // Whether a call would be served.
    bool contains(const std::decay_t<A>&... arguments) const { return cache_->contains(key(arguments...)); }

    // Forgets every call of this function, and nothing else.
    void clear(OnError on = {}) const
    {
        if (own_namespace_)
            cache_->clear(on);
        else
            cache_->erase_prefix(head_, on);
    }

    // What a call is stored under: canonical MessagePack of [3, name, [arguments...], {}].
    std::string key(const std::decay_t<A>&... arguments) const
    {
        Writer writer(Writer::for_key);
        write_key(writer, arguments...);
        return std::move(writer).str();
    }

    const std::string& name() const noexcept { return name_; }
    // The cache that results lie in.
    const Cache& cache() const noexcept { return *cache_; }

private:
    static std::string head_of(const std::string& name)
    {
        Writer writer(Writer::for_key);
        writer.array(4).integer(key_version).text(name);
        return std::move(writer).str();
    }

    void write_key(Writer& writer, const std::decay_t<A>&... arguments) const
    {
        writer.raw(head_).array(sizeof...(A));
        [[maybe_unused]] int i = 0;
        (write(writer, ++i, arguments), ...);
        writer.map(0);
    }

    // A failure to look up or to decode is a miss.
    bool find(View key, Result& result) const
    {
        Bytes found;
        if (twat_cache_get(cache_->raw(), key.data(), key.size(), found.receive()) != TWAT_OK) return false;
        bool decoded = false;
        detail::attempt([&] { decoded = detail::decode_value(View(found), result); });
        return decoded;
    }

    template <class T> void write(Writer& writer, int i, const T& argument) const
    {
        writer.value(argument);
        if (!writer.error().empty()) refuse(i, writer.error());
    }

    [[noreturn]] void refuse(int i, const std::string& why) const
    {
        OnError::raise(errc::arg, name_ + ": argument " + std::to_string(i) + ": " + why);
    }

    static Return give(Result&& result)
    {
        if constexpr (!std::is_void_v<R>) return std::move(result);
    }

    std::string name_;
    std::string head_; // what every key of the function begins with
    Ttl ttl_;
    std::function<R(const std::decay_t<A>&...)> function_;
    std::shared_ptr<Cache> cache_{};
    bool own_namespace_ = false;
};

// Memoizes a callable under a name, which languages that share it agree on.
template <class F, class Signature = typename detail::signature<std::decay_t<F>>::type>
Memoized<Signature> memoize(const Cache& cache, std::string name, F&& function, Ttl ttl = {}, OnError on = {})
{
    return {cache, std::move(name), std::forward<F>(function), ttl, on};
}

// The same for a callable with several signatures: memoize_as<long(long)>(...).
template <class Signature, class F>
Memoized<Signature> memoize_as(const Cache& cache, std::string name, F&& function, Ttl ttl = {}, OnError on = {})
{
    return {cache, std::move(name), std::forward<F>(function), ttl, on};
}

} // namespace twat

#endif
