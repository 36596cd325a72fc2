// Counts the words of files, and reads none of them twice.
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <twat_cache.hpp>

// A file is the same as long as its name, size and time are.
static std::map<std::string, std::size_t> count(const std::string& path, std::uintmax_t, long long)
{
    std::map<std::string, std::size_t> words;
    std::ifstream file(path);
    for (std::string word; file >> word;) words[word]++;
    return words;
}

int main(int argc, char** argv)
try {
    if (argc < 3) {
        std::cerr << "usage: " << argv[0] << " CACHE FILE...\n";
        return 2;
    }
    twat::Cache cache = twat::Cache::open(twat::Config("disk").set("path", argv[1]));
    auto counted = twat::memoize(cache, "word_count", count, std::chrono::hours(24 * 30));
    for (int i = 2; i < argc; i++) {
        auto time = std::filesystem::last_write_time(argv[i]).time_since_epoch().count();
        auto words = counted(argv[i], std::filesystem::file_size(argv[i]), static_cast<long long>(time));
        std::cout << argv[i] << ": " << words.size() << " different words\n";
    }
    auto figures = counted.cache().stats();
    std::cout << figures.hits << " hits, " << figures.misses << " misses\n";
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
