// The C++ side of kinds of JavaScript's own: each argument is a value in hexadecimal and the type to read it as.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "twat_cache.hpp"

static std::string from_hex(const char* text)
{
    std::string out;
    for (; text[0] && text[1]; text += 2) out.push_back(static_cast<char>(std::stoi(std::string(text, 2), nullptr, 16)));
    return out;
}

template <class T> static T as(const char* hex) { return twat::decode<T>(twat::View(from_hex(hex))); }

int main(int, char** argv)
{
    std::printf("%lld\n", as<long long>(argv[1]));
    std::printf("%s\n", as<std::string>(argv[2]).c_str());
    std::printf("%d\n", (as<std::map<std::string, int>>(argv[3])["a"]));
    std::printf("%zu\n", as<std::vector<unsigned char>>(argv[4]).size());
    std::printf("%zu\n", as<std::vector<std::vector<std::string>>>(argv[5]).size());
    std::printf("%d\n", as<std::vector<int>>(argv[6])[1]);
    std::printf("%g\n", as<double>(argv[7]));
    // Ten thousand wrappers end in an error, not in the end of the process.
    std::string deep = "\xc0";
    for (int i = 0; i < 10000; i++) {
        std::string inner = std::string("\x92\xa4js.X") + deep;
        auto n = static_cast<unsigned>(inner.size());
        deep = std::string("\xc9") + static_cast<char>(n >> 24) + static_cast<char>(n >> 16) + static_cast<char>(n >> 8) +
               static_cast<char>(n) + "\x0b" + inner;
    }
    try {
        std::printf("%d\n", twat::decode<int>(twat::View("\1" + deep)));
    } catch (const twat::Error&) {
        std::printf("refused\n");
    }
}
