// Turns JSON into MessagePack, so that a codec reads both.
#ifndef TWAT_CACHE_JSON_HPP
#define TWAT_CACHE_JSON_HPP

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "msgpack.hpp"
#if !defined(__cpp_lib_to_chars)
#include <locale>
#include <sstream>
#endif

namespace twat::detail {

class JsonReader {
public:
    explicit JsonReader(std::string_view text) noexcept : left_(text) {}

    // The whole text as one MessagePack value; false if it is not JSON.
    bool read(Writer& to)
    {
        if (!value(to, 128)) return false;
        blanks();
        return left_.empty() && to.error().empty();
    }

private:
    void blanks()
    {
        std::size_t n = left_.find_first_not_of(" \t\r\n");
        left_.remove_prefix(n == std::string_view::npos ? left_.size() : n);
    }
    bool take(std::string_view word)
    {
        if (left_.substr(0, word.size()) != word) return false;
        left_.remove_prefix(word.size());
        return true;
    }

    bool value(Writer& to, int depth)
    {
        blanks();
        if (left_.empty() || depth == 0) return false;
        switch (left_.front()) {
        case '{': return items(to, '}', depth);
        case '[': return items(to, ']', depth);
        case '"': return string(to);
        case 'n': return take("null") && (to.nil(), true);
        case 't': return take("true") && (to.boolean(true), true);
        case 'f': return take("false") && (to.boolean(false), true);
        default: return number(to);
        }
    }

    bool items(Writer& to, char closing, int depth)
    {
        Writer inner;
        std::size_t n = 0;
        left_.remove_prefix(1);
        for (blanks(); left_.empty() || left_.front() != closing; blanks(), n++) {
            if (n > 0 && !take(",")) return false;
            blanks();
            if (closing == '}') {
                if (left_.empty() || left_.front() != '"' || !string(inner)) return false;
                blanks();
                if (!take(":")) return false;
            }
            if (!value(inner, depth - 1)) return false;
        }
        left_.remove_prefix(1);
        if (closing == '}')
            to.map(n);
        else
            to.array(n);
        to.raw(inner.str());
        return inner.error().empty();
    }

    bool number(Writer& to)
    {
        std::size_t n = left_.find_first_not_of("+-0123456789.eE");
        std::string text(left_.substr(0, n));
        left_.remove_prefix(text.size());
        const char *begin = text.data(), *end = begin + text.size();
        if (text.empty() || text.front() == '+') return false;
        if (text.find_first_of(".eE") == std::string::npos) {
            long long negative = 0;
            unsigned long long positive = 0;
            auto whole = text.front() == '-' ? std::from_chars(begin, end, negative)
                                             : std::from_chars(begin, end, positive);
            if (whole.ec == std::errc() && whole.ptr == end) {
                text.front() == '-' ? to.integer(negative) : to.integer(positive);
                return true;
            }
            return whole.ec == std::errc::result_out_of_range && whole.ptr == end && big_integer(text, to);
        }
        double value = 0;
        if (!real(text, value)) return false;
        to.real(value);
        return true;
    }

    // An integer beyond 64 bits, with every digit. False for more digits than any number of the
    // languages is read from, since each costs a pass over all bytes.
    static bool big_integer(const std::string& text, Writer& to)
    {
        constexpr std::size_t most_digits = 4300;
        const bool below_zero = text.front() == '-';
        if (text.size() > most_digits) return false;
        std::string bytes; // the magnitude, lowest byte first
        for (std::size_t i = below_zero ? 1 : 0; i < text.size(); i++) {
            auto carry = static_cast<unsigned>(text[i] - '0');
            for (char& byte : bytes) {
                carry += static_cast<unsigned char>(byte) * 10u;
                byte = static_cast<char>(carry & 0xff);
                carry >>= 8;
            }
            if (carry != 0) bytes.push_back(static_cast<char>(carry));
        }
        bytes.push_back('\0');
        std::reverse(bytes.begin(), bytes.end());
        if (below_zero) detail::negate(bytes);
        const char sign = below_zero ? '\xff' : '\0';
        std::size_t first = 0;
        while (first + 1 < bytes.size() && bytes[first] == sign && ((bytes[first + 1] ^ sign) & 0x80) == 0) first++;
        bytes.erase(0, first);
        to.extension(ext::big_integer, bytes);
        return true;
    }

    // Never strtod: it reads the decimal point of the program's locale.
    static bool real(const std::string& text, double& value)
    {
#if defined(__cpp_lib_to_chars)
        const char *begin = text.data(), *end = begin + text.size();
        auto found = std::from_chars(begin, end, value);
        return found.ec == std::errc() && found.ptr == end;
#else
        std::istringstream stream(text);
        stream.imbue(std::locale::classic());
        return static_cast<bool>(stream >> value) && stream.peek() == std::istringstream::traits_type::eof();
#endif
    }

    bool hex4(unsigned& code)
    {
        if (left_.size() < 4) return false;
        auto found = std::from_chars(left_.data(), left_.data() + 4, code, 16);
        if (found.ec != std::errc() || found.ptr != left_.data() + 4) return false;
        left_.remove_prefix(4);
        return true;
    }

    static void utf8(std::string& out, unsigned code)
    {
        auto put = [&](unsigned c) { out.push_back(static_cast<char>(c)); };
        if (code < 0x80) {
            put(code);
        } else if (code < 0x800) {
            put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
        } else {
            put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
            put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
        }
    }

    bool escape(std::string& out)
    {
        static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (left_.empty()) return false;
        char c = left_.front();
        left_.remove_prefix(1);
        if (std::size_t at = names.find(c); at != std::string_view::npos) {
            out.push_back(meanings[at]);
            return true;
        }
        unsigned code = 0, low = 0;
        if (c != 'u' || !hex4(code)) return false;
        if (code >= 0xd800 && code < 0xdc00) {
            if (!take("\\u") || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        utf8(out, code);
        return true;
    }

    bool string(Writer& to)
    {
        std::string out;
        left_.remove_prefix(1);
        while (!left_.empty()) {
            char c = left_.front();
            left_.remove_prefix(1);
            if (c == '"') {
                to.text(out);
                return true;
            }
            if (static_cast<unsigned char>(c) < ' ') return false;
            if (c != '\\')
                out.push_back(c);
            else if (!escape(out))
                return false;
        }
        return false;
    }

    std::string_view left_;
};

} // namespace twat::detail

#endif
