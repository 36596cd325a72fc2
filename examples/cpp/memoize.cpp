// Memoizes a function on disk or over redis, under a name that Python (or Node) shares.
//
//     g++ -std=c++17 memoize.cpp $(pkg-config --cflags --libs twat_cache) -o memoize
//     ./memoize DIRECTORY N...
//     ./memoize redis://HOST N...
//
// In Python, the same results, whoever computed them first (collatz.py is the whole of it):
//
//     @twat_cache.bcache(folder_name=DIRECTORY, name="collatz")
//     def collatz(n): ...
#include <cstdlib>
#include <iostream>
#include <string>
#include <twat_cache.hpp>

int main(int argc, char** argv)
try {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " DIRECTORY|URL N...\n";
        return 2;
    }
    int calls = 0;
    const std::string place = argv[1];
    const bool server = place.find("://") != std::string::npos;
    twat::Cache cache = twat::Cache::open(twat::Config(server ? "redis" : "disk").set(server ? "url" : "path", place));
    auto collatz = twat::memoize(cache, "collatz", [&](long long n) {
        long long steps = 0;
        for (calls++; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
        return steps;
    });
    for (int i = 2; i < argc; i++) {
        long long n = std::atoll(argv[i]);
        if (n > 0) std::cout << "collatz(" << n << ") = " << collatz(n) << '\n';
    }
    std::cout << calls << " computed here\n";
} catch (const twat::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
