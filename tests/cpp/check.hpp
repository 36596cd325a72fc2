// What the C++ tests share. A program is a test: exit status 0 is a pass.
#ifndef TWAT_TESTS_CHECK_HPP
#define TWAT_TESTS_CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <string>

#include "twat_cache.hpp"

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            std::fprintf(stderr, "%s:%d: expected %s (last error: \"%s\")\n", __FILE__, __LINE__, \
                         #condition, twat_last_error());                                        \
            std::exit(1);                                                                       \
        }                                                                                       \
    } while (0)

// A failure is a twat::Error of this code whose text names what was wrong.
#define CHECK_THROWS(call, expected, word)                                                      \
    do {                                                                                        \
        bool thrown = false;                                                                    \
        try {                                                                                   \
            (void)(call);                                                                       \
        } catch (const twat::Error& error) {                                                    \
            thrown = true;                                                                      \
            CHECK(error.code() == (expected));                                                  \
            if (std::string(error.what()).find(word) == std::string::npos) {                    \
                std::fprintf(stderr, "%s:%d: \"%s\" does not name \"%s\"\n", __FILE__, __LINE__, \
                             error.what(), word);                                               \
                std::exit(1);                                                                   \
            }                                                                                   \
        }                                                                                       \
        CHECK(thrown);                                                                          \
    } while (0)

inline std::string scratch(const std::string& name)
{
    const char* dir = std::getenv("TWAT_TEST_DIR");
    CHECK(dir != nullptr);
    return std::string(dir) + "/" + name;
}

inline twat::Cache memory_cache() { return twat::Cache::open(twat::Config("memory").set("max_entries", 1000)); }

inline twat::Config store(const std::string& path)
{
    return twat::Config("disk").set("path", path).set("max_bytes", 64u << 20).set("map_size", 256u << 20);
}

#endif
