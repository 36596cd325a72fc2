// Byte strings: View (borrowed, for arguments) and Bytes (owned, for answers).
#ifndef TWAT_CACHE_BYTES_HPP
#define TWAT_CACHE_BYTES_HPP

#include <twat_cache.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#if __cplusplus >= 202002L && __has_include(<span>)
#include <span>
#define TWAT_HAS_SPAN 1
#endif

namespace twat {

namespace detail {

// A length as std::size_t, which is narrower on 32-bit systems only.
template <class Integer> constexpr std::size_t as_size(Integer n) noexcept
{
    if constexpr (std::is_same_v<Integer, std::size_t>)
        return n;
    else
        return static_cast<std::size_t>(n);
}

} // namespace detail

// A borrowed byte string: from text, or from anything with data() and size()
// over trivially copyable elements (string, string_view, span, vector, Bytes).
class View {
public:
    View() noexcept = default;
    View(const void* data, std::size_t size) noexcept : data_(data), size_(size) {}
    View(const char* text) noexcept : View(text, std::strlen(text)) {} // NOLINT: implicit

    template <class Range,
              class Element = std::remove_pointer_t<decltype(std::declval<const Range&>().data())>,
              class = decltype(std::declval<const Range&>().size()),
              class = std::enable_if_t<std::is_trivially_copyable_v<Element>>>
    View(const Range& range) noexcept // NOLINT: implicit
        : View(range.data(), range.size() * sizeof(Element))
    {
    }

    const void* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::string_view text() const noexcept
    {
        return size_ == 0 ? std::string_view() : std::string_view(static_cast<const char*>(data_), size_);
    }
    twat_slice slice() const noexcept { return {data_, size_}; }

private:
    const void* data_ = nullptr;
    std::size_t size_ = 0;
};

// A value of the cache: pinned, never changed by a later call, and valid
// after its entry and its cache are gone. Move-only.
class Bytes {
public:
    Bytes() noexcept = default;
    explicit Bytes(const twat_bytes& owned) noexcept : raw_(owned) {} // takes ownership
    Bytes(Bytes&& other) noexcept : raw_(std::exchange(other.raw_, twat_bytes{})) {}
    Bytes& operator=(Bytes&& other) noexcept
    {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes() { twat_bytes_free(&raw_); }

    const std::byte* data() const noexcept { return static_cast<const std::byte*>(raw_.data); }
    std::size_t size() const noexcept { return raw_.len; }
    bool empty() const noexcept { return raw_.len == 0; }
    std::string_view view() const noexcept
    {
        return empty() ? std::string_view() : std::string_view(static_cast<const char*>(raw_.data), raw_.len);
    }
    std::string str() const { return std::string(view()); }
    // Where a C function stores a value that this object then owns; it is empty before.
    twat_bytes* receive() noexcept { return &raw_; }
#ifdef TWAT_HAS_SPAN
    std::span<const std::byte> span() const noexcept { return {data(), size()}; }
#endif

private:
    twat_bytes raw_{};
};

} // namespace twat

#endif
