// Memoization of live objects, within one process.
//
//     auto square = twat::memoize([](long x) { return slow(x); });           // unbounded
//     auto parse = twat::memoize(parse_file, {1000});                        // LRU, at most 1,000 results
#ifndef TWAT_CACHE_LIVE_MEMOIZE_HPP
#define TWAT_CACHE_LIVE_MEMOIZE_HPP

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "borrows.hpp"
#include "codec.hpp"
#include "live.hpp"
#include "signature.hpp"

namespace twat {

namespace detail {

template <class T> constexpr bool is_pointer_to_object = std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>;

// Types with a hash that have a form of their own below.
template <class T> constexpr bool has_live_form = std::is_floating_point_v<T>;
template <class T> constexpr bool has_live_form<std::optional<T>> = true;
template <class T> constexpr bool has_live_form<std::shared_ptr<T>> = true;

// How one argument is kept in a key: `type` owns it, `of` makes one.
// The default: by its canonical encoding.
template <class T, class = void> struct live_part {
    using type = std::string;
    static type of(const T& argument)
    {
        static_assert(!is_pointer_to_object<T>, "twat::memoize: a pointer says nothing about the value behind it; "
                                                "take the value, or specialise twat::codec for the type");
        Writer writer(Writer::for_key);
        writer.value(argument);
        if (!writer.error().empty()) OnError::raise(errc::arg, "memoize: argument: " + writer.error());
        return std::move(writer).str();
    }
};
// Types that own their value and have a hash: themselves.
template <class T>
struct live_part<T, std::enable_if_t<std::is_default_constructible_v<std::hash<T>> && !borrows<T>::value &&
                                     !has_live_form<T>>> {
    using type = T;
    static const T& of(const T& argument) { return argument; }
};
// As docs/format.md has it: -0.0 is 0.0, and there is one NaN.
template <class T> struct live_part<T, std::enable_if_t<std::is_floating_point_v<T>>> {
    static_assert(sizeof(T) <= sizeof(std::uint64_t), "twat::memoize: long double has no canonical form; use double");
    using type = std::uint64_t;
    static type of(T argument)
    {
        double value = static_cast<double>(argument);
        if (std::isnan(value)) return 0x7ff8000000000000;
        std::uint64_t bits = 0;
        value += 0.0; // -0.0 becomes 0.0
        std::memcpy(&bits, &value, sizeof bits);
        return bits;
    }
};
template <> struct live_part<std::string_view> {
    using type = std::string;
    static type of(std::string_view argument) { return type(argument); }
};
template <> struct live_part<const char*> {
    using type = std::optional<std::string>;
    static type of(const char* argument) { return argument == nullptr ? type() : type(argument); }
};
template <> struct live_part<char*> : live_part<const char*> {};
// As the value in it, so that a NaN equals itself here, too.
template <class T> struct live_part<std::optional<T>> {
    using type = std::optional<typename live_part<T>::type>;
    static type of(const std::optional<T>& argument)
    {
        return argument ? type(std::in_place, live_part<T>::of(*argument)) : type();
    }
};
// Its hash is that of the address: the object behind it may change between two calls.
template <class T> struct live_part<std::shared_ptr<T>> {
    static_assert(std::is_const_v<T>, "twat::memoize: a pointer says nothing about the value behind it; take the "
                                      "value, or a std::shared_ptr to const");
    using type = std::shared_ptr<T>;
    static const type& of(const type& argument) { return argument; }
};

// One argument is the key itself, several are a tuple.
template <class... T> struct live_key {
    using type = std::tuple<typename live_part<T>::type...>;
    static type of(const T&... arguments) { return type(live_part<T>::of(arguments)...); }
};
template <class T> struct live_key<T> {
    using type = typename live_part<T>::type;
    static decltype(auto) of(const T& argument) { return live_part<T>::of(argument); }
};

// The hash of a key: std::hash, which knows no tuples.
template <class T> struct live_hash : std::hash<T> {};
template <class... T> struct live_hash<std::tuple<T...>> {
    std::size_t operator()(const std::tuple<T...>& key) const
    {
        std::uint64_t hash = 0;
        auto add = [&hash](std::size_t part) {
            hash = (hash ^ part) * std::uint64_t{0x9e3779b97f4a7c15};
            hash ^= hash >> 32;
        };
        std::apply([&](const T&... part) { (add(std::hash<T>()(part)), ...); }, key);
        return detail::as_size(hash);
    }
};

template <class R> using live_result = std::conditional_t<std::is_void_v<R>, std::nullptr_t, std::decay_t<R>>;
template <class... A> using live_key_of = live_key<std::decay_t<A>...>;

// The cache that twat::memoize makes for a signature.
template <class Signature> struct live_cache_of;
template <class R, class... A> struct live_cache_of<R(A...)> {
    using key = typename live_key_of<A...>::type;
    using type = LiveCache<key, live_result<R>, live_hash<key>>;
};

} // namespace detail

// A memoized function over a live cache: call it like the function. Copies
// share one cache. Thread-safe if the function is; threads that miss together
// each call it. What the function throws is passed on and not stored.
//
// A function that returns a reference is memoized by value.
template <class Signature, class Store = typename detail::live_cache_of<Signature>::type> class LiveMemoized;

template <class R, class... A, class Store> class LiveMemoized<R(A...), Store> {
public:
    using Result = detail::live_result<R>;
    using Return = std::conditional_t<std::is_void_v<R>, void, Result>;
    using Options = typename Store::Options;
    static_assert(!detail::borrows<Result>::value,
                  "twat::memoize: the result refers to memory that the cache does not own (a view, pointer or "
                  "iterator); return an owning type, such as std::string or std::shared_ptr");
    static_assert(std::is_copy_constructible_v<Result>,
                  "twat::memoize: each hit copies the result; return std::shared_ptr for a type without copies");
    static_assert(std::is_constructible_v<typename Store::Key, typename detail::live_key_of<A...>::type>,
                  "twat::memoize: the key type of the cache cannot be made from the arguments");

    template <class F> LiveMemoized(Store cache, F function) : cache_(std::move(cache)), function_(std::move(function)) {}

    Return operator()(const std::decay_t<A>&... arguments) const
    {
        decltype(auto) key = detail::live_key_of<A...>::of(arguments...);
        {
            // Not get: the one copy of the result is the one that is returned.
            std::lock_guard<std::mutex> hold(cache_.state_->mutex);
            if (const Result* hit = cache_.state_->find(key)) {
                if constexpr (std::is_void_v<R>)
                    return;
                else
                    return *hit;
            }
        }
        if constexpr (std::is_void_v<R>) {
            function_(arguments...);
            Store(cache_).set(key, nullptr);
        } else {
            Result result = function_(arguments...);
            Store(cache_).set(key, result);
            return result;
        }
    }

    // Forgets one call; whether it was stored.
    bool invalidate(const std::decay_t<A>&... arguments) const
    {
        return Store(cache_).erase(detail::live_key_of<A...>::of(arguments...));
    }
    // Whether a call would be a hit.
    bool contains(const std::decay_t<A>&... arguments) const
    {
        return cache_.contains(detail::live_key_of<A...>::of(arguments...));
    }
    void clear() const { Store(cache_).clear(); }
    // The cache of the results.
    Store cache() const { return cache_; }

private:
    Store cache_;
    std::function<R(const std::decay_t<A>&...)> function_;
};

// Memoizes a callable in memory, as objects. Errors: as LiveCache's constructor.
template <class F, class Signature = typename detail::signature<std::decay_t<F>>::type>
LiveMemoized<Signature> memoize(F&& function, typename LiveMemoized<Signature>::Options options = {}, OnError on = {})
{
    using Store = typename detail::live_cache_of<Signature>::type;
    return LiveMemoized<Signature>(Store(std::move(options), on), std::forward<F>(function));
}

// The same for a callable with several signatures: memoize_as<long(long)>(...).
template <class Signature, class F>
LiveMemoized<Signature> memoize_as(F&& function, typename LiveMemoized<Signature>::Options options = {}, OnError on = {})
{
    using Store = typename detail::live_cache_of<Signature>::type;
    return LiveMemoized<Signature>(Store(std::move(options), on), std::forward<F>(function));
}

// Memoizes a callable in a cache of the caller's: its key is the argument, or
// a tuple of the arguments. Functions must not share one cache.
template <class K, class V, class Hash, class Equal, class F,
          class Signature = typename detail::signature<std::decay_t<F>>::type>
LiveMemoized<Signature, LiveCache<K, V, Hash, Equal>> memoize(const LiveCache<K, V, Hash, Equal>& cache, F&& function)
{
    return LiveMemoized<Signature, LiveCache<K, V, Hash, Equal>>(cache, std::forward<F>(function));
}

} // namespace twat

#endif
