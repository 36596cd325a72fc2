// Errors: twat::Error, twat::errc, and how a call is told where to report.
#ifndef TWAT_CACHE_ERROR_HPP
#define TWAT_CACHE_ERROR_HPP

#include <twat_cache.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>
#if defined(__cpp_exceptions) && defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace twat {

// The negative statuses of the C ABI. Others may come from newer libraries.
enum class errc : int {
    arg = TWAT_E_ARG,
    config = TWAT_E_CONFIG,
    nomem = TWAT_E_NOMEM,
    io = TWAT_E_IO,
    full = TWAT_E_FULL,
    too_large = TWAT_E_TOO_LARGE,
    busy = TWAT_E_BUSY,
    corrupt = TWAT_E_CORRUPT,
    unavailable = TWAT_E_UNAVAILABLE,
    closed = TWAT_E_CLOSED,
    unsupported = TWAT_E_UNSUPPORTED,
    version = TWAT_E_VERSION,
    panic = TWAT_E_PANIC
};

// The category "twat"; messages are the names of the statuses.
inline const std::error_category& category() noexcept
{
    struct Category final : std::error_category {
        const char* name() const noexcept override { return "twat"; }
        std::string message(int status) const override { return twat_status_name(status); }
    };
    static const Category instance;
    return instance;
}

inline std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

// A code compares with the TWAT_E_ constants and converts to std::error_code.
constexpr bool operator==(errc code, int status) noexcept { return static_cast<int>(code) == status; }
constexpr bool operator!=(errc code, int status) noexcept { return static_cast<int>(code) != status; }

// What failed: what() is the library's text, code() its status.
class Error : public std::runtime_error {
public:
    Error(errc code, const std::string& text) : std::runtime_error(text), code_(code) {}
    errc code() const noexcept { return code_; }

private:
    errc code_;
};

// The text of this thread's last failure inside the library.
inline const char* last_error() noexcept { return twat_last_error(); }

// The last parameter of every call that may fail: absent, failures are thrown;
// a std::error_code, they are stored there (and success clears it).
class OnError {
public:
    OnError() noexcept = default;
    OnError(std::error_code& code) noexcept : code_(&code) {} // NOLINT: implicit on purpose

    // Reports a status of the C ABI; false if it was a failure.
    bool ok(std::int32_t status) const
    {
        if (status >= 0) {
            if (code_ != nullptr) code_->clear();
            return true;
        }
        if (code_ != nullptr)
            *code_ = make_error_code(static_cast<errc>(status));
        else
            raise(static_cast<errc>(status), twat_last_error());
        return false;
    }

    // Reports a failure that the library did not see.
    void fail(errc code, const std::string& text) const
    {
        if (code_ != nullptr)
            *code_ = make_error_code(code);
        else
            raise(code, text);
    }

    [[noreturn]] static void raise(errc code, const std::string& text)
    {
#if defined(__cpp_exceptions)
        throw Error(code, text);
#else
        std::fprintf(stderr, "twat::Error %d: %s\n", static_cast<int>(code), text.c_str());
        std::abort();
#endif
    }

private:
    std::error_code* code_ = nullptr;
};

namespace detail {

// Runs a step without which the caller can do; false where it threw. Anything
// may be thrown by a program's callbacks, copies and codecs, not only
// std::exception.
template <class Step> bool attempt(Step step)
{
#if defined(__cpp_exceptions)
    try {
        step();
        return true;
    }
#if defined(__GLIBCXX__)
    // The end of a thread by pthread_cancel or pthread_exit: whoever catches it ends the process.
    catch (abi::__forced_unwind&) {
        throw;
    }
#endif
    catch (...) {
        return false;
    }
#else
    step();
    return true;
#endif
}

} // namespace detail

} // namespace twat

namespace std {
template <> struct is_error_code_enum<twat::errc> : true_type {};
} // namespace std

#endif
