// How types are written into keys and values: twat::codec<T>.
//
// For a type of your own, specialise it:
//
//     template <> struct twat::codec<Point> {
//         static void write(twat::Writer& to, const Point& p) { to.array(2).value(p.x).value(p.y); }
//         static bool read(twat::Reader& from, Point& p)
//         {
//             std::size_t n;
//             return from.array(n) && n == 2 && from.value(p.x) && from.value(p.y);
//         }
//     };
//
// write is all that an argument needs; a result needs read, too, and a default
// constructor.
#ifndef TWAT_CACHE_CODEC_HPP
#define TWAT_CACHE_CODEC_HPP

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "msgpack.hpp"

namespace twat {

namespace detail {

template <class T> constexpr bool never = false;

template <class T>
constexpr bool is_character = std::is_same_v<T, char> || std::is_same_v<T, wchar_t> ||
#if defined(__cpp_char8_t)
                              std::is_same_v<T, char8_t> ||
#endif
                              std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

template <class T>
constexpr bool is_integer = is_wide_integer<T> ||
                            (is_word_integer<T> && !std::is_same_v<T, bool> && !is_character<T>);

template <class T>
constexpr bool is_byte = std::is_same_v<T, std::byte> || std::is_same_v<T, unsigned char>;

template <class Range> void write_list(Writer& to, const Range& range)
{
    to.array(range.size());
    for (const auto& item : range) to.value(static_cast<const typename Range::value_type&>(item));
}

template <class Map> struct map_codec {
    static void write(Writer& to, const Map& map)
    {
        std::vector<std::pair<std::string, std::string>> pairs;
        for (const auto& [key, value] : map) pairs.emplace_back(to.encoded(key), to.encoded(value));
        to.sorted_map(std::move(pairs));
    }
    static bool read(Reader& from, Map& map)
    {
        std::size_t n = 0;
        if (!from.map(n)) return false;
        map.clear();
        for (std::size_t i = 0; i < n; i++) {
            typename Map::key_type key{};
            typename Map::mapped_type value{};
            if (!from.value(key) || !from.value(value)) return false;
            map.insert_or_assign(std::move(key), std::move(value));
        }
        return true;
    }
};

template <class Set> struct set_codec {
    static void write(Writer& to, const Set& set)
    {
        std::vector<std::string> items;
        for (const auto& item : set) items.push_back(to.encoded(item));
        to.sorted_set(std::move(items));
    }
    // A list is taken, too, from languages without sets.
    static bool read(Reader& from, Set& set)
    {
        std::string_view inside;
        std::size_t n = 0;
        bool extension = from.extension(ext::set, inside);
        Reader within{View(inside)};
        Reader& reader = extension ? within : from;
        if (!reader.array(n)) return false;
        set.clear();
        for (std::size_t i = 0; i < n; i++) {
            typename Set::value_type item{};
            if (!reader.value(item)) return false;
            set.insert(std::move(item));
        }
        return !extension || within.at_end();
    }
};

// A tuple is extension 1; a list of as many items is taken, too.
template <class Tuple> struct tuple_codec {
    static constexpr std::size_t size = std::tuple_size_v<Tuple>;

    static void write(Writer& to, const Tuple& tuple)
    {
        to.extension_of(ext::tuple, [&](Writer& inner) {
            inner.array(size);
            std::apply([&](const auto&... item) { (inner.value(item), ...); }, tuple);
        });
    }
    static bool read(Reader& from, Tuple& tuple)
    {
        std::string_view inside;
        std::size_t n = 0;
        bool extension = from.extension(ext::tuple, inside);
        Reader within{View(inside)};
        Reader& reader = extension ? within : from;
        if (!reader.array(n) || n != size) return false;
        bool all = std::apply([&](auto&... item) { return (reader.value(item) && ...); }, tuple);
        return all && (!extension || within.at_end());
    }
};

} // namespace detail

template <class T, class> struct codec {
    static_assert(detail::never<T>, "twat::codec<T>: this type has no encoding; specialise twat::codec for it");
};

template <> struct codec<std::nullptr_t> {
    static void write(Writer& to, std::nullptr_t) { to.nil(); }
    static bool read(Reader& from, std::nullptr_t&) { return from.nil(); }
};

template <> struct codec<bool> {
    static void write(Writer& to, bool value) { to.boolean(value); }
    static bool read(Reader& from, bool& value) { return from.boolean(value); }
};

template <class T> struct codec<T, std::enable_if_t<detail::is_integer<T>>> {
    static void write(Writer& to, T value) { to.integer(value); }
    static bool read(Reader& from, T& value) { return from.integer(value); }
};

template <> struct codec<double> {
    static void write(Writer& to, double value) { to.real(value); }
    static bool read(Reader& from, double& value) { return from.real(value); }
};

template <> struct codec<float> {
    static void write(Writer& to, float value) { to.real(static_cast<double>(value)); }
    static bool read(Reader& from, float& value)
    {
        double wide = 0;
        if (!from.real(wide)) return false;
        value = static_cast<float>(wide);
        return true;
    }
};

// Text. As a result, what is not UTF-8 is written as bytes; in a key it is an
// error, since no other language has such a text.
template <> struct codec<std::string> {
    static void write(Writer& to, const std::string& text)
    {
        if (to.is_key() || is_utf8(text))
            to.text(text);
        else
            to.bytes(text);
    }
    static bool read(Reader& from, std::string& text)
    {
        std::string_view found;
        if (!from.text(found) && !from.bytes(found)) return false;
        text = found;
        return true;
    }
};
template <> struct codec<std::string_view> {
    static void write(Writer& to, std::string_view text) { to.text(text); }
};
template <> struct codec<const char*> {
    static void write(Writer& to, const char* text) { text == nullptr ? to.nil() : to.text(text); }
};

// Bytes.
template <class T> struct codec<std::vector<T>, std::enable_if_t<detail::is_byte<T>>> {
    static void write(Writer& to, const std::vector<T>& bytes) { to.bytes(bytes); }
    static bool read(Reader& from, std::vector<T>& bytes)
    {
        std::string_view found;
        if (!from.bytes(found)) return false;
        auto begin = reinterpret_cast<const T*>(found.data());
        bytes.assign(begin, begin + found.size());
        return true;
    }
};

// Lists.
template <class T> struct codec<std::vector<T>, std::enable_if_t<!detail::is_byte<T>>> {
    static void write(Writer& to, const std::vector<T>& list) { detail::write_list(to, list); }
    static bool read(Reader& from, std::vector<T>& list)
    {
        std::size_t n = 0;
        if (!from.array(n)) return false;
        list.clear();
        for (std::size_t i = 0; i < n; i++) {
            T item{};
            if (!from.value(item)) return false;
            list.push_back(std::move(item));
        }
        return true;
    }
};
template <class T, std::size_t N> struct codec<std::array<T, N>> {
    static void write(Writer& to, const std::array<T, N>& list) { detail::write_list(to, list); }
    static bool read(Reader& from, std::array<T, N>& list)
    {
        std::size_t n = 0;
        if (!from.array(n) || n != N) return false;
        for (T& item : list)
            if (!from.value(item)) return false;
        return true;
    }
};

// nil or the value. A value that is nil itself (an optional of an empty optional,
// a null pointer to text) is an error: it would be read as no value.
template <class T> struct codec<std::optional<T>> {
    static void write(Writer& to, const std::optional<T>& value)
    {
        if (!value) {
            to.nil();
            return;
        }
        const std::size_t before = to.str().size();
        to.value(*value);
        if (to.str().size() == before + 1 && to.str().back() == '\xc0')
            to.fail("optional: expected a value that is not nil itself, got nil (it would equal no value)");
    }
    static bool read(Reader& from, std::optional<T>& value)
    {
        value.reset();
        return from.nil() || from.value(value.emplace());
    }
};

template <class... T> struct codec<std::tuple<T...>> : detail::tuple_codec<std::tuple<T...>> {};
template <class A, class B> struct codec<std::pair<A, B>> : detail::tuple_codec<std::pair<A, B>> {};
template <class... T> struct codec<std::map<T...>> : detail::map_codec<std::map<T...>> {};
template <class... T> struct codec<std::unordered_map<T...>> : detail::map_codec<std::unordered_map<T...>> {};
template <class... T> struct codec<std::set<T...>> : detail::set_codec<std::set<T...>> {};
template <class... T> struct codec<std::unordered_set<T...>> : detail::set_codec<std::unordered_set<T...>> {};

} // namespace twat

#endif
