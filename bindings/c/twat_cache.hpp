// twat-cache for C++17: header-only, over the C ABI of twat_cache.h.
//
//     twat::Cache cache = twat::Cache::open(twat::Config("memory").set("max_entries", 1000));
//     cache.set("key", "value", std::chrono::minutes(5));
//     if (std::optional<twat::Bytes> hit = cache.get("key")) use(hit->view());
//     auto square = twat::memoize(cache, "square", [](long x) { return slow(x); });
//
// Errors   thrown as twat::Error, or stored in a std::error_code that is passed
//          as the last argument. A miss is never an error.
// Threads  any call on any thread; not while the object is moved, assigned,
//          closed or destroyed.
// Needs    no RTTI. Without exceptions only the calls with an error code may
//          fail: the others print the error and abort, as the standard library's.
#ifndef TWAT_CACHE_HPP
#define TWAT_CACHE_HPP

#if defined(_MSVC_LANG) ? _MSVC_LANG < 201703L : __cplusplus < 201703L
#error "twat_cache.hpp: expected C++17 or later; compile with -std=c++17"
#endif

#include "twat_cache/bytes.hpp"
#include "twat_cache/cache.hpp"
#include "twat_cache/codec.hpp"
#include "twat_cache/config.hpp"
#include "twat_cache/error.hpp"
#include "twat_cache/live.hpp"
#include "twat_cache/live_memoize.hpp"
#include "twat_cache/memoize.hpp"
#include "twat_cache/value.hpp"

#endif
