// Values as languages share them: a format byte, then the payload
// (docs/format.md). memoize uses these; for a cache of one's own:
//
//     cache.set("key", twat::encode(std::vector<double>{1, 2}));
//     auto list = twat::decode<std::vector<double>>(*cache.get("key"));
#ifndef TWAT_CACHE_VALUE_HPP
#define TWAT_CACHE_VALUE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "codec.hpp"
#include "error.hpp"
#include "json.hpp"

namespace twat {

// The format byte.
namespace format {
constexpr unsigned raw = 0, msgpack = 1, json = 2, array = 3, counter = 4;
}

// A view of an array of numbers (format 3), as NumPy's array interface
// describes it. `data` lies inside the value, on a 64-byte boundary of it.
struct ArrayView {
    std::string_view dtype{};
    std::vector<std::uint64_t> shape{};
    char order = 'C';
    View data{};

    // Nothing if the value is no array, or not one as long as it says.
    static std::optional<ArrayView> of(View value)
    {
        auto* at = static_cast<const unsigned char*>(value.data());
        std::size_t size = value.size();
        if (size < 4 || at[0] != format::array || (at[1] != 'C' && at[1] != 'F')) return std::nullopt;
        std::size_t n = at[2], text = 4 + 8 * n, begin = (text + at[3] + 63) / 64 * 64;
        if (size < begin) return std::nullopt;
        ArrayView array;
        array.order = static_cast<char>(at[1]);
        array.dtype = View(at + text, at[3]).text();
        for (std::size_t i = 0; i < n; i++) {
            std::uint64_t dimension = 0;
            for (int k = 7; k >= 0; k--) dimension = dimension << 8 | at[4 + 8 * i + static_cast<std::size_t>(k)];
            array.shape.push_back(dimension);
        }
        array.data = View(at + begin, size - begin);
        return array;
    }
};

// An array that owns its data, for arguments and results.
struct Array {
    std::string dtype{};
    std::vector<std::uint64_t> shape{};
    char order = 'C';
    std::vector<std::byte> data{};

    Array() = default;
    Array(const ArrayView& view) : dtype(view.dtype), shape(view.shape), order(view.order) // NOLINT: implicit
    {
        auto begin = static_cast<const std::byte*>(view.data.data());
        data.assign(begin, begin + view.data.size());
    }
    Array(std::string dtype_, std::vector<std::uint64_t> shape_, View data_, char order_ = 'C')
        : dtype(std::move(dtype_)), shape(std::move(shape_)), order(order_)
    {
        auto begin = static_cast<const std::byte*>(data_.data());
        data.assign(begin, begin + data_.size());
    }

    // Whether both orders are the same: no data, or one dimension of more than one item.
    bool has_one_order() const
    {
        std::size_t wide = 0;
        for (std::uint64_t dimension : shape) {
            if (dimension == 0) return true;
            wide += dimension > 1;
        }
        return order == 'C' || wide < 2;
    }

    // The data with the last index varying fastest.
    std::vector<std::byte> in_c_order() const
    {
        if (order == 'C' || shape.size() < 2) return data;
        // A shape that was read need not fit its data, nor its product 64 bits.
        std::uint64_t count = 1;
        for (std::uint64_t dimension : shape) {
            if (dimension == 0 || count > data.size() / dimension) return data;
            count *= dimension;
        }
        if (data.size() % count != 0) return data;
        std::size_t item = data.size() / detail::as_size(count);
        std::vector<std::byte> out(data.size());
        std::vector<std::uint64_t> index(shape.size());
        for (std::size_t to = 0; to < out.size(); to += item) {
            std::uint64_t from = 0;
            for (std::size_t d = shape.size(); d-- > 0;) from = from * shape[d] + index[d];
            std::memcpy(out.data() + to, data.data() + from * item, item);
            for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
        }
        return out;
    }
};

// In keys the data is replaced by its hash.
template <> struct codec<Array> {
    static void write(Writer& to, const Array& array)
    {
        to.extension_of(ext::array, [&](Writer& inner) {
            inner.array(4).text(array.dtype).value(array.shape);
            if (!to.is_key()) {
                inner.text(std::string_view(&array.order, 1)).bytes(array.data);
                return;
            }
            unsigned char hash[TWAT_DIGEST_BYTES];
            std::vector<std::byte> data = array.in_c_order();
            twat_hash(data.data(), data.size(), hash);
            inner.text(array.has_one_order() ? "C" : "F").bytes(View(hash, sizeof hash));
        });
    }
    static bool read(Reader& from, Array& array)
    {
        std::string_view inside, dtype, order, data;
        std::size_t n = 0;
        if (!from.extension(ext::array, inside)) return false;
        Reader within{View(inside)};
        if (!within.array(n) || n != 4 || !within.text(dtype) || !within.value(array.shape)) return false;
        if (!within.text(order) || order.size() != 1 || !within.bytes(data)) return false;
        array = Array(std::string(dtype), std::move(array.shape), data, order[0]);
        return true;
    }
};

namespace detail {

template <class T> constexpr bool is_bytes = false;
template <class T> constexpr bool is_bytes<std::vector<T>> = is_byte<T>;

inline std::string encode_array(const Array& array)
{
    std::string out{static_cast<char>(format::array), array.order, static_cast<char>(array.shape.size()),
                    static_cast<char>(array.dtype.size())};
    for (std::uint64_t dimension : array.shape)
        for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(dimension >> shift & 0xff));
    out += array.dtype;
    out.resize((out.size() + 63) / 64 * 64);
    return out.append(reinterpret_cast<const char*>(array.data.data()), array.data.size());
}

// These are false for a format or a type that T cannot be read from.
template <class T> inline bool decode_msgpack(std::string_view payload, T& value)
{
    Reader reader{View(payload)};
    return reader.value(value) && reader.at_end();
}

template <class T> bool decode_other(View bytes, T& value)
{
    std::string_view payload = bytes.text().substr(1);
    switch (static_cast<unsigned char>(bytes.text().front())) {
    case format::raw:
        if constexpr (is_bytes<T>) {
            auto begin = reinterpret_cast<const typename T::value_type*>(payload.data());
            value.assign(begin, begin + payload.size());
            return true;
        } else if constexpr (std::is_same_v<T, std::string>) {
            value = payload;
            return true;
        }
        return false;
    case format::json: {
        Writer converted;
        return JsonReader(payload).read(converted) && decode_msgpack(converted.str(), value);
    }
    case format::array:
        if constexpr (std::is_same_v<T, Array>) {
            if (auto view = ArrayView::of(bytes)) {
                value = *view;
                return true;
            }
        }
        return false;
    case format::counter: {
        std::uint64_t bits = 0;
        if (payload.size() != 8) return false;
        for (std::size_t i = 8; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(payload[i]);
        Writer converted;
        converted.integer(static_cast<std::int64_t>(bits));
        return decode_msgpack(converted.str(), value);
    }
    default: return false;
    }
}

template <class T> inline bool decode_value(View bytes, T& value)
{
    const std::string_view all = bytes.text();
    if (all.empty()) return false;
    if (static_cast<unsigned char>(all.front()) != format::msgpack) return decode_other(bytes, value);
    return decode_msgpack(std::string_view(all.data() + 1, all.size() - 1), value);
}

} // namespace detail

// A value with its format byte. Errors: errc::arg for what has no encoding.
template <class T> std::string encode(const T& value, OnError on = {})
{
    if constexpr (detail::is_bytes<T>) {
        std::string out(1, static_cast<char>(format::raw));
        return out.append(View(value).text());
    } else if constexpr (std::is_same_v<T, Array>) {
        if (value.shape.size() > 255 || value.dtype.size() > 255)
            on.fail(errc::arg, "array: expected at most 255 dimensions and bytes of dtype");
        return detail::encode_array(value);
    } else {
        Writer writer;
        writer.raw(View("\1", 1)).value(value);
        if (!writer.error().empty()) on.fail(errc::arg, writer.error());
        return std::move(writer).str();
    }
}

// Reads a value. Errors: errc::unsupported for a format or a type that T
// cannot be read from; the text names the format byte.
template <class T> T decode(View bytes, OnError on = {})
{
    T value{};
    if (!detail::decode_value(bytes, value)) {
        std::string found = bytes.size() == 0 ? "none" : std::to_string(static_cast<unsigned char>(bytes.text()[0]));
        on.fail(errc::unsupported, "value: expected what this type is read from, found format byte: " + found);
    }
    return value;
}

} // namespace twat

#endif
