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
#include <variant>

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
template <class... T> constexpr bool has_live_form<std::variant<T...>> = true;

// std::filesystem::path, and what is made like it.
template <class T, class = void> struct is_path : std::false_type {};
template <class T>
struct is_path<T, std::void_t<decltype(std::declval<const T&>().native()), typename T::string_type>>
    : std::is_same<std::decay_t<decltype(std::declval<const T&>().native())>, typename T::string_type> {};

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
                                     !has_live_form<T> && !is_path<T>::value>> {
    using type = T;
    static const T& of(const T& argument)
    {
        static_assert(std::is_copy_constructible_v<T>, "twat::memoize: a key is a copy of the argument; expected a type "
                                                       "with copies (a std::unique_ptr says nothing about its value)");
        return argument;
    }
};
// As its text: "a//b" equals "a/b" as a path, and a function can tell them apart.
template <class T> struct live_part<T, std::enable_if_t<is_path<T>::value>> {
    using type = typename T::string_type;
    static const type& of(const T& argument) { return argument.native(); }
};
// Live keys are compared by `==`, so -0.0 is 0.0; and there is one NaN.
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
template <class... T> struct live_part<std::variant<T...>> {
    using type = std::variant<typename live_part<T>::type...>;
    static type of(const std::variant<T...>& argument)
    {
        if (argument.valueless_by_exception())
            OnError::raise(errc::arg, "memoize: argument: expected a variant with a value, got one without");
        return made(argument, std::index_sequence_for<T...>());
    }

private:
    template <std::size_t... I> static type made(const std::variant<T...>& argument, std::index_sequence<I...>)
    {
        std::optional<type> key;
        auto add = [&](auto index) {
            constexpr std::size_t i = index;
            if (const auto* held = std::get_if<i>(&argument))
                key.emplace(std::in_place_index<i>, live_part<std::variant_alternative_t<i, std::variant<T...>>>::of(*held));
        };
        (add(std::integral_constant<std::size_t, I>()), ...);
        return *std::move(key);
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

// The key of a call in a cache of the caller's own: the canonical key, the
// argument, the tuple of the arguments, or what is made of the canonical key
// without losing any of it.
template <class Key, class Live, class = void> struct is_made_of : std::false_type {};
template <class Key, class Live>
struct is_made_of<Key, Live, std::void_t<decltype(Key{std::declval<Live>()})>> : std::true_type {};
// Their own constructors convert each part, and cut it.
template <class K, class L> struct is_made_of<std::optional<K>, L> : std::false_type {};
template <class K, class L> struct is_made_of<std::optional<K>, std::optional<L>> : is_made_of<K, L> {};
template <class A, class B, class L> struct is_made_of<std::pair<A, B>, L> : std::false_type {};
template <class... K, class L> struct is_made_of<std::tuple<K...>, L> : std::false_type {};
template <class... K, class... L> struct is_made_of<std::tuple<K...>, std::tuple<L...>> {
    template <class... Each> struct list {};
    template <class... A, class... B, class = std::enable_if_t<sizeof...(A) == sizeof...(B)>>
    static std::bool_constant<(is_made_of<A, B>::value && ...)> all(list<A...>, list<B...>);
    static std::false_type all(...);
    static constexpr bool value = decltype(all(list<K...>(), list<L...>()))::value;
};

template <class Key, class... T> decltype(auto) live_key_in(const T&... arguments)
{
    using Live = typename live_key<T...>::type;
    if constexpr (std::is_same_v<Key, Live>) {
        return live_key<T...>::of(arguments...);
    } else if constexpr (sizeof...(T) == 1 && (std::is_same_v<Key, T> && ...)) {
        return (arguments, ...);
    } else if constexpr (std::is_same_v<Key, std::tuple<T...>>) {
        return Key(arguments...);
    } else {
        static_assert(is_made_of<Key, Live>::value, "twat::memoize: the key type of the cache cannot be made from the "
                                                    "arguments, or would cut them");
        return Key{live_key<T...>::of(arguments...)};
    }
}

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
// each call it. What the function throws is passed on and not stored. What the
// weigher, the eviction callback or a copy into the cache throws counts in
// stats().failures, and the call returns its result.
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
    static_assert(!detail::borrows<typename Store::Key>::value,
                  "twat::memoize: the key type of the cache refers to memory that the cache does not own");

    template <class F> LiveMemoized(Store cache, F function) : cache_(std::move(cache)), function_(std::move(function)) {}

    Return operator()(const std::decay_t<A>&... arguments) const
    {
        decltype(auto) key = key_of(arguments...);
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
            store(key, nullptr);
        } else {
            Result result = function_(arguments...);
            store(key, result);
            return result;
        }
    }

    // Forgets one call; whether it was stored.
    bool invalidate(const std::decay_t<A>&... arguments) const
    {
        return Store(cache_).erase(key_of(arguments...));
    }
    // Whether a call would be a hit.
    bool contains(const std::decay_t<A>&... arguments) const
    {
        return cache_.contains(key_of(arguments...));
    }
    void clear() const { Store(cache_).clear(); }
    // The cache of the results.
    Store cache() const { return cache_; }

private:
    static decltype(auto) key_of(const std::decay_t<A>&... arguments)
    {
        return detail::live_key_in<typename Store::Key, std::decay_t<A>...>(arguments...);
    }

    // The caller gets the result whatever a copy, the weigher or a callback throws.
    template <class Stored> void store(const typename Store::Key& key, const Stored& value) const
    {
        if (detail::attempt([&] { Store(cache_).set(key, value); })) return;
        std::lock_guard<std::mutex> hold(cache_.state_->mutex);
        cache_.state_->stats.failures++;
    }

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
// a tuple of the arguments, which its Equal compares. A key type that would cut
// the argument is refused. Functions must not share one cache.
template <class K, class V, class Hash, class Equal, class F,
          class Signature = typename detail::signature<std::decay_t<F>>::type>
LiveMemoized<Signature, LiveCache<K, V, Hash, Equal>> memoize(const LiveCache<K, V, Hash, Equal>& cache, F&& function)
{
    return LiveMemoized<Signature, LiveCache<K, V, Hash, Equal>>(cache, std::forward<F>(function));
}

} // namespace twat

#endif
