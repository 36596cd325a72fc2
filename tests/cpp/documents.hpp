// What the C++ blocks of the documents take for granted.
#include <iostream>
#include <twat_cache.hpp>

struct Point {
    int x, y;
};
struct Image {
    std::string pixels;
};

static twat::Cache cache = twat::Cache::open(twat::Config("memory"));

inline long slow(long x) { return x * x; }
inline void use(std::string_view text) { std::cout << text << '\n'; }
inline Image load(const std::string& path) { return {path}; }
inline void show(const Image& image) { std::cout << image.pixels << '\n'; }
inline std::string parse_file(const std::string& path) { return path; }

template <class T = Point> int use_codec()
{
    T read = twat::decode<T>(twat::encode(T{1, 2}));
    return read.x == 1 && read.y == 2 ? 0 : 1;
}
