// MessagePack as docs/format.md has it: Writer (canonical in keys) and Reader.
// Specialisations of twat::codec are written with these two.
#ifndef TWAT_CACHE_MSGPACK_HPP
#define TWAT_CACHE_MSGPACK_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bytes.hpp"

namespace twat {

template <class T, class = void> struct codec;

namespace detail {

#if defined(__SIZEOF_INT128__)
// Standard modes hide these types from std::is_integral, GNU modes do not.
__extension__ typedef __int128 wide_signed;
__extension__ typedef unsigned __int128 wide_unsigned;
template <class T>
constexpr bool is_wide_integer = std::is_same_v<T, wide_signed> || std::is_same_v<T, wide_unsigned>;
#else
template <class T> constexpr bool is_wide_integer = false;
#endif

// Integers of up to 64 bits; any wider type but the two above is refused at
// compile time, since a conversion would cut it.
template <class T>
constexpr bool is_word_integer = std::is_integral_v<T> && sizeof(T) <= sizeof(std::uint64_t) && !is_wide_integer<T>;

// Negates an integer in two's complement, highest byte first.
inline void negate(std::string& bytes)
{
    unsigned carry = 1;
    for (std::size_t i = bytes.size(); i-- > 0; carry >>= 8) {
        carry += ~static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) & 0xff;
        bytes[i] = static_cast<char>(carry & 0xff);
    }
}

} // namespace detail

// Numbers of the extension types that languages share.
namespace ext {
constexpr int timestamp = -1, tuple = 1, set = 2, big_integer = 3, decimal = 4, date = 5, time = 6,
              uuid = 7, complex = 8, path = 9, array = 10, named = 11, undefined = 12,
              omitted = 13;
}

// The version of the encoding of keys (docs/format.md).
constexpr int key_version = 3;

inline bool is_utf8(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < text.size();) {
        unsigned char c = static_cast<unsigned char>(text[i++]);
        if (c < 0x80) continue;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        std::uint32_t code = c & (0x3fu >> more);
        if (c < 0xc2 || c > 0xf4 || text.size() - i < static_cast<std::size_t>(more)) return false;
        for (int k = 0; k < more; k++, i++) {
            unsigned char next = static_cast<unsigned char>(text[i]);
            if ((next & 0xc0) != 0x80) return false;
            code = code << 6 | (next & 0x3f);
        }
        bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
        if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    }
    return true;
}

// Writes MessagePack. Chainable; a failure sticks, with its first text.
class Writer {
public:
    enum Purpose { for_value, for_key };
    explicit Writer(Purpose purpose = for_value) noexcept : purpose_(purpose) {}

    // In keys every value has exactly one encoding.
    bool is_key() const noexcept { return purpose_ == for_key; }

    Writer& nil() { return byte(0xc0); }
    Writer& boolean(bool value) { return byte(value ? 0xc3 : 0xc2); }

    // The shortest form; beyond 64 bits extension 3, a big integer.
    template <class Integer> Writer& integer(Integer value)
    {
        if constexpr (detail::is_wide_integer<Integer>) {
            return wide(value);
        } else {
            static_assert(detail::is_word_integer<Integer>, "twat::Writer::integer: expected an integer type of up to "
                                                            "128 bits");
            if constexpr (std::is_signed_v<Integer>) {
                if (value < 0) return negative(value);
            }
            return positive(static_cast<std::make_unsigned_t<Integer>>(value));
        }
    }

    Writer& real(double value)
    {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        if (is_key() && std::isnan(value)) bits = 0x7ff8000000000000;
        return coded(0xcb, bits, 8);
    }

    Writer& text(std::string_view text)
    {
        if (!is_utf8(text)) return fail("expected UTF-8 text, found other bytes (use std::vector<std::byte>)");
        if (text.size() < 32)
            byte(0xa0 | static_cast<unsigned>(text.size()));
        else
            sized(text.size(), 0xd9);
        return raw(text);
    }

    Writer& bytes(View bytes) { return sized(bytes.size(), 0xc4).raw(bytes); }

    // Headers: so many values (or pairs) follow. Keys of a map inside of a key
    // must be sorted by their encoding: see sorted_map.
    Writer& array(std::size_t n) { return n < 16 ? byte(0x90 | static_cast<unsigned>(n)) : many(n, 0xdc); }
    Writer& map(std::size_t n) { return n < 16 ? byte(0x80 | static_cast<unsigned>(n)) : many(n, 0xde); }

    Writer& extension(int type, View payload)
    {
        std::size_t n = payload.size();
        switch (n) {
        case 1: byte(0xd4); break;
        case 2: byte(0xd5); break;
        case 4: byte(0xd6); break;
        case 8: byte(0xd7); break;
        case 16: byte(0xd8); break;
        default: sized(n, 0xc7);
        }
        return byte(static_cast<unsigned>(type) & 0xff).raw(payload);
    }

    // An extension whose payload is MessagePack, which `write` writes.
    template <class Write> Writer& extension_of(int type, Write write)
    {
        Writer inner(purpose_);
        write(inner);
        if (!inner.error_.empty()) fail(inner.error_);
        return extension(type, inner.view());
    }

    // Encoded keys and values; sorted, and checked for twins, in keys.
    Writer& sorted_map(std::vector<std::pair<std::string, std::string>> pairs)
    {
        if (is_key()) {
            std::sort(pairs.begin(), pairs.end());
            for (std::size_t i = 1; i < pairs.size(); i++)
                if (pairs[i - 1].first == pairs[i].first) fail("two keys of one map encode alike");
        }
        map(pairs.size());
        for (const auto& [key, value] : pairs) raw(key).raw(value);
        return *this;
    }

    // A set of encoded items.
    Writer& sorted_set(std::vector<std::string> items)
    {
        std::sort(items.begin(), items.end());
        items.erase(std::unique(items.begin(), items.end()), items.end());
        return extension_of(ext::set, [&](Writer& inner) {
            inner.array(items.size());
            for (const std::string& item : items) inner.raw(item);
        });
    }

    // Whatever has a codec.
    template <class T> Writer& value(const T& value)
    {
        codec<T>::write(*this, value);
        return *this;
    }

    // The encoding of one value, by the rules of this writer.
    template <class T> std::string encoded(const T& value)
    {
        Writer inner(purpose_);
        inner.value(value);
        if (!inner.error_.empty()) fail(inner.error_);
        return std::move(inner).str();
    }

    // Bytes that are encoded already.
    Writer& raw(View bytes)
    {
        if (bytes.size() > sizeof near_ - used_) {
            spill();
            if (bytes.size() > sizeof near_) {
                out_.append(bytes.text());
                return *this;
            }
        }
        if (bytes.size() != 0) std::memcpy(near_ + used_, bytes.data(), bytes.size());
        used_ += bytes.size();
        return *this;
    }

    Writer& fail(const std::string& text)
    {
        if (error_.empty()) error_ = text;
        return *this;
    }

    const std::string& error() const noexcept { return error_; } // empty: none
    // What was written so far, until the next write.
    std::string_view view() const
    {
        if (!out_.empty()) spill();
        return out_.empty() ? std::string_view(near_, used_) : std::string_view(out_);
    }
    const std::string& str() const&
    {
        spill();
        return out_;
    }
    std::string str() &&
    {
        spill();
        return std::move(out_);
    }

private:
    void spill() const
    {
        out_.append(near_, used_);
        used_ = 0;
    }
    // Room for the longest number and its code. Most keys and small values never need more.
    char* room()
    {
        if (sizeof near_ - used_ < 9) spill();
        return near_ + used_;
    }
    Writer& byte(unsigned value)
    {
        *room() = static_cast<char>(value);
        used_++;
        return *this;
    }
    // A code, then a number of 1, 2, 4 or 8 bytes.
    Writer& coded(unsigned code, std::uint64_t value, int bytes)
    {
        char* at = room();
        value <<= 64 - 8 * bytes;
        auto part = [value](int shift) { return static_cast<unsigned char>(value >> shift & 0xff); };
        // Compilers make one store of this, and do not of a loop.
        const unsigned char whole[8] = {part(56), part(48), part(40), part(32), part(24), part(16), part(8), part(0)};
        *at = static_cast<char>(code);
        std::memcpy(at + 1, whole, sizeof whole);
        used_ += 1 + detail::as_size(bytes);
        return *this;
    }
    // A code for one byte and its followers for two, four, eight.
    Writer& sized(std::uint64_t n, unsigned code)
    {
        int power = n <= 0xff ? 0 : n <= 0xffff ? 1 : n <= 0xffffffff ? 2 : 3;
        return coded(code + static_cast<unsigned>(power), n, 1 << power);
    }
    Writer& many(std::size_t n, unsigned code)
    {
        return n <= 0xffff ? coded(code, n, 2) : coded(code + 1, n, 4);
    }
    Writer& positive(std::uint64_t n) { return n < 0x80 ? byte(static_cast<unsigned>(n)) : sized(n, 0xcc); }

    template <class Wide> Writer& wide(Wide value)
    {
        const bool below_zero = value < 0;
        if (!below_zero && value <= std::numeric_limits<std::uint64_t>::max())
            return positive(static_cast<std::uint64_t>(value));
        if constexpr (static_cast<Wide>(-1) < Wide{}) {
            if (below_zero && value >= std::numeric_limits<std::int64_t>::min())
                return negative(static_cast<std::int64_t>(value));
        }
        // Two's complement, big-endian; a positive number may need a zero byte
        // before it, which carries the sign.
        std::string payload(1, below_zero ? '\xff' : '\0');
        for (int shift = 120; shift >= 0; shift -= 8) payload.push_back(static_cast<char>(value >> shift & 0xff));
        std::size_t first = 0;
        while (payload[first] == payload[0] && ((payload[first + 1] ^ payload[0]) & 0x80) == 0) first++;
        return extension(ext::big_integer, View(payload.data() + first, payload.size() - first));
    }
    Writer& negative(std::int64_t value)
    {
        if (value >= -32) return byte(static_cast<unsigned>(value) & 0xff);
        int power = value >= INT8_MIN ? 0 : value >= INT16_MIN ? 1 : value >= INT32_MIN ? 2 : 3;
        return coded(0xd0 + static_cast<unsigned>(power), static_cast<std::uint64_t>(value), 1 << power);
    }

    // The bytes: those in `out_`, then the first `used_` of `near_`. Mutable, since
    // `str` moves all of them into `out_`.
    mutable std::string out_{};
    mutable std::size_t used_ = 0;
    char near_[104];
    std::string error_{};
    Purpose purpose_;
};

// Reads MessagePack: each call takes one value if it is of that type, and
// answers whether it was. Never reads beyond the end, whatever the bytes say.
class Reader {
public:
    explicit Reader(View bytes) noexcept
        : next_(static_cast<const unsigned char*>(bytes.data())), left_(bytes.size())
    {
    }

    bool at_end() const noexcept { return left_ == 0; }
    // The first byte of the next value; 0xc1, which is never used, at the end.
    unsigned peek() const noexcept { return left_ > 0 ? *next_ : 0xc1; }

    bool nil() { return is(0xc0); }
    bool boolean(bool& out)
    {
        if (peek() != 0xc2 && peek() != 0xc3) return false;
        out = peek() == 0xc3;
        return take(1) != nullptr;
    }

    // False also for a number that does not fit. A big integer (extension 3)
    // of any length is read, since JavaScript writes every BigInt so.
    template <class Integer> bool integer(Integer& out)
    {
        static_assert(detail::is_wide_integer<Integer> || detail::is_word_integer<Integer>,
                      "twat::Reader::integer: expected an integer type of up to 128 bits");
        // Not negative: a count below 128, or a code and 1, 2, 4 or 8 bytes.
        const unsigned code = peek();
        const std::size_t size = code < 0x80 ? 0 : std::size_t{1} << (code & 3);
        if ((code < 0x80 || (code >= 0xcc && code <= 0xcf)) && size < left_) {
            const std::uint64_t bits = size == 0 ? code : number_at(next_ + 1, code & 3);
            if (!holds<Integer>(bits)) return false;
            out = static_cast<Integer>(bits);
            take(1 + size);
            return true;
        }
        return any_integer(out);
    }

    // Integers too: JavaScript writes its integral numbers so.
    bool real(double& out)
    {
        if (is_extension(peek())) return wide_real(out);
        std::uint64_t bits = 0;
        bool negative = false;
        if (peek() == 0xcb || peek() == 0xca) {
            int size = peek() == 0xcb ? 8 : 4;
            if (left_ <= detail::as_size(size)) return false;
            take(1);
            bits = big_endian(take(detail::as_size(size)), size);
            if (size == 8) {
                std::memcpy(&out, &bits, 8);
            } else {
                auto low = static_cast<std::uint32_t>(bits);
                float single;
                std::memcpy(&single, &low, 4);
                out = static_cast<double>(single);
            }
            return true;
        }
        if (!number(bits, negative)) return false;
        out = negative ? static_cast<double>(static_cast<std::int64_t>(bits)) : static_cast<double>(bits);
        return true;
    }

    bool text(std::string_view& out)
    {
        unsigned code = peek();
        if (code >= 0xa0 && code <= 0xbf) return chars(code & 31, 1, out);
        return code >= 0xd9 && code <= 0xdb && sized_chars(1 << (code - 0xd9), out);
    }
    bool bytes(std::string_view& out)
    {
        unsigned code = peek();
        return code >= 0xc4 && code <= 0xc6 && sized_chars(1 << (code - 0xc4), out);
    }

    // Headers: so many values (or pairs) follow, never more than bytes are left.
    bool array(std::size_t& n) { return many(n, 0x90, 0xdc, 1); }
    bool map(std::size_t& n) { return many(n, 0x80, 0xde, 2); }

    // `payload` reads inside of the extension.
    bool extension(int& type, Reader& payload)
    {
        unsigned code = peek();
        int length = code >= 0xc7 && code <= 0xc9 ? 1 << (code - 0xc7) : 0;
        if (length == 0 && (code < 0xd4 || code > 0xd8)) return false;
        std::size_t head = 2 + detail::as_size(length);
        if (left_ < head) return false;
        std::uint64_t n = length > 0 ? big_endian(next_ + 1, length) : std::uint64_t{1} << (code - 0xd4);
        if (n > left_ - head) return false;
        type = static_cast<signed char>(next_[head - 1]);
        take(head);
        const unsigned char* begin = take(detail::as_size(n));
        payload = Reader(View(begin, detail::as_size(n)));
        return true;
    }
    // The payload of an extension of this very type.
    bool extension(int type, std::string_view& out)
    {
        Reader before = *this, payload{View()};
        int found = 0;
        if (extension(found, payload) && found == type) {
            out = payload.rest();
            return true;
        }
        *this = before;
        return false;
    }

    // A kind of JavaScript's own (extension 11, a name that begins with "js."):
    // `inside` reads the nearest value.
    bool javascript(Reader& inside)
    {
        Reader before = *this;
        int type = 0;
        std::size_t n = 0;
        std::string_view name;
        if (extension(type, inside) && type == ext::named && inside.array(n) && n == 2 && inside.text(name) &&
            name.substr(0, 3) == "js.")
            return true;
        *this = before;
        return false;
    }

    // What was not read yet.
    std::string_view rest() const noexcept { return View(next_, left_).text(); }

    // Passes over one value of any type.
    bool skip(int depth = 128)
    {
        std::size_t n = 0;
        std::string_view chars;
        Reader payload{View()};
        double number = 0;
        bool truth = false;
        int type = 0;
        if (depth == 0) return false;
        if (nil() || boolean(truth) || real(number) || text(chars) || bytes(chars) || extension(type, payload))
            return true;
        bool pairs = map(n);
        if (!pairs && !array(n)) return false;
        for (std::size_t i = 0; i < (pairs ? 2 * n : n); i++)
            if (!skip(depth - 1)) return false;
        return true;
    }

    template <class T> bool value(T& out)
    {
        if (!is_extension(peek())) return codec<T>::read(*this, out);
        return extended(out);
    }

private:
    static constexpr bool is_extension(unsigned code) noexcept
    {
        return code - 0xc7 < 18 && (0x3e007u >> (code - 0xc7) & 1) != 0; // 0xc7 to 0xc9, 0xd4 to 0xd8
    }

    template <class T> bool extended(T& out)
    {
        Reader inside{View()}, further{View()};
        if (!javascript(inside)) return codec<T>::read(*this, out);
        // A loop, since bytes may nest deeper than a stack.
        for (; inside.javascript(further); inside = further)
            if (!inside.at_end()) return false;
        return codec<T>::read(inside, out) && inside.at_end();
    }

    template <class Integer> bool any_integer(Integer& out)
    {
        if (is_extension(peek())) return wide(out);
        Reader before = *this;
        std::uint64_t bits = 0;
        bool negative = false;
        if (number(bits, negative)) {
            if (negative) {
                auto value = static_cast<std::int64_t>(bits);
                if (fits_below_zero<Integer>(value)) {
                    out = static_cast<Integer>(value);
                    return true;
                }
            } else if (holds<Integer>(bits)) {
                out = static_cast<Integer>(bits);
                return true;
            }
        }
        *this = before;
        return false;
    }

    template <class Integer> bool wide(Integer& out)
    {
        Reader before = *this;
        std::string_view payload;
        if (extension(ext::big_integer, payload) && big_integer(payload, out)) return true;
        *this = before;
        return false;
    }

    // A big integer as the nearest double; false for one beyond the greatest.
    bool wide_real(double& out)
    {
        Reader before = *this;
        std::string_view payload;
        if (extension(ext::big_integer, payload) && !payload.empty()) {
            const bool below_zero = (payload.front() & 0x80) != 0;
            std::string magnitude(payload);
            if (below_zero) detail::negate(magnitude);
            std::uint64_t high = 0;
            int dropped = 0;
            bool rest = false;
            for (char c : magnitude) {
                if (high >> 56 == 0) {
                    high = high << 8 | static_cast<unsigned char>(c);
                } else {
                    dropped += 8;
                    rest = rest || c != 0;
                }
            }
            // `high` has at least 57 bits where any were dropped: its last one stands for those, so
            // that the conversion rounds as for all of them.
            out = std::ldexp(static_cast<double>(rest ? high | 1 : high), dropped);
            if (below_zero) out = -out;
            if (std::isfinite(out)) return true;
        }
        *this = before;
        return false;
    }

    // Whether the type has negative numbers. std::is_signed knows wide types in
    // GNU modes only.
    template <class Integer> static constexpr bool has_sign = static_cast<Integer>(-1) < Integer{};

    template <class Integer> static constexpr bool holds(std::uint64_t value)
    {
        return detail::is_wide_integer<Integer> || value <= static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
    }
    template <class Integer> static constexpr bool fits_below_zero(std::int64_t value)
    {
        if constexpr (!has_sign<Integer>) return false;
        else if constexpr (detail::is_wide_integer<Integer>) return true;
        else return value >= static_cast<std::int64_t>(std::numeric_limits<Integer>::min());
    }

    // Two's complement, big-endian, of any length: longer than the type only by
    // bytes that repeat the sign.
    template <class Integer> static bool big_integer(std::string_view payload, Integer& out)
    {
        if (payload.empty()) return false;
        const bool below_zero = (payload.front() & 0x80) != 0;
        const char sign = below_zero ? '\xff' : '\0';
        while (payload.size() > 1 && payload[0] == sign && ((payload[1] ^ sign) & 0x80) == 0) payload.remove_prefix(1);
        if constexpr (has_sign<Integer>) {
            if (payload.size() > sizeof(Integer)) return false;
        } else {
            if (below_zero) return false;
            if (payload.size() > 1 && payload.front() == 0) payload.remove_prefix(1);
            if (payload.size() > sizeof(Integer)) return false;
        }
        // Unsigned arithmetic: shifting a negative number to the left is not defined in C++17.
        std::uint64_t high = below_zero ? ~std::uint64_t{0} : 0, low = high;
        for (char c : payload) {
            high = high << 8 | low >> 56;
            low = low << 8 | static_cast<unsigned char>(c);
        }
        if constexpr (detail::is_wide_integer<Integer>)
            out = static_cast<Integer>(static_cast<detail::wide_unsigned>(high) << 64 | low);
        else
            out = static_cast<Integer>(low);
        return true;
    }

    const unsigned char* take(std::size_t n) noexcept
    {
        const unsigned char* at = next_;
        next_ += n;
        left_ -= n;
        return at;
    }
    bool is(unsigned code) noexcept { return peek() == code && take(1) != nullptr; }

    static std::uint64_t big_endian(const unsigned char* at, int size) noexcept
    {
        std::uint64_t value = 0;
        for (int i = 0; i < size; i++) value = value << 8 | at[i];
        return value;
    }

    // Of 1, 2, 4 or 8 bytes: each is one load, since its size is known where it is compiled.
    static std::uint64_t number_at(const unsigned char* at, unsigned power) noexcept
    {
        auto part = [at](int i, int shift) { return static_cast<std::uint64_t>(at[i]) << shift; };
        switch (power) {
        case 0: return part(0, 0);
        case 1: return part(0, 8) | part(1, 0);
        case 2: return part(0, 24) | part(1, 16) | part(2, 8) | part(3, 0);
        default:
            return part(0, 56) | part(1, 48) | part(2, 40) | part(3, 32) | part(4, 24) | part(5, 16) | part(6, 8) |
                   part(7, 0);
        }
    }

    bool number(std::uint64_t& bits, bool& negative)
    {
        unsigned code = peek();
        negative = false;
        if (code < 0x80 || code >= 0xe0) {
            if (left_ == 0) return false;
            negative = code >= 0xe0;
            bits = negative ? static_cast<std::uint64_t>(static_cast<signed char>(code)) : code;
            return take(1) != nullptr;
        }
        if (code < 0xcc || code > 0xd3) return false;
        int size = 1 << (code & 3);
        if (left_ <= detail::as_size(size)) return false;
        bits = number_at(next_ + 1, code & 3);
        if (code >= 0xd0) {
            int spare = 64 - 8 * size;
            auto value = static_cast<std::int64_t>(bits << spare) >> spare;
            negative = value < 0;
            bits = static_cast<std::uint64_t>(value);
        }
        return take(1 + detail::as_size(size)) != nullptr;
    }

    bool chars(std::uint64_t n, std::size_t head, std::string_view& out)
    {
        if (left_ < head || n > left_ - head) return false;
        take(head);
        out = View(take(detail::as_size(n)), detail::as_size(n)).text();
        return true;
    }
    bool sized_chars(int length, std::string_view& out)
    {
        auto head = 1 + detail::as_size(length);
        return left_ >= head && chars(big_endian(next_ + 1, length), head, out);
    }

    bool many(std::size_t& n, unsigned fix, unsigned code, std::size_t least)
    {
        std::size_t head = 1;
        std::uint64_t count = 0;
        if ((peek() & 0xf0) == fix && left_ > 0) {
            count = peek() & 15;
        } else if (peek() == code || peek() == code + 1) {
            int length = peek() == code ? 2 : 4;
            head += detail::as_size(length);
            if (left_ < head) return false;
            count = big_endian(next_ + 1, length);
        } else {
            return false;
        }
        if (count > (left_ - head) / least) return false;
        n = detail::as_size(count);
        return take(head) != nullptr;
    }

    const unsigned char* next_;
    std::size_t left_;
};

} // namespace twat

#endif
