// The decoders of keys and values, in C++ and in the C example: any bytes are
// read or refused, and what is read encodes to what reads the same.
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "../../examples/c/msgpack.h"
#include "twat_cache.hpp"

using Nested = std::map<std::string, std::vector<std::tuple<long, double, std::optional<std::string>>>>;

template <class T> static void read(twat::View bytes)
{
    T value{}, again{};
    if (!twat::detail::decode_value(bytes, value)) return;
    std::error_code code;
    std::string encoded = twat::encode(value, code);
    if (code || !twat::detail::decode_value(encoded, again) || twat::encode(again, code) != encoded) std::abort();
    // As a key it has one encoding, or none.
    twat::Writer one(twat::Writer::for_key), two(twat::Writer::for_key);
    one.value(value);
    two.value(again);
    if (one.str() != two.str()) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    static char text[1 << 16];
    twat::View bytes(data, size);
    read<std::int64_t>(bytes);
    read<std::string>(bytes);
    read<std::vector<double>>(bytes);
    read<std::vector<std::byte>>(bytes);
    read<std::set<std::string>>(bytes);
    read<Nested>(bytes);
    read<twat::Array>(bytes);
    if (size > 0) {
        twat::Reader reader(twat::View(data + 1, size - 1));
        reader.skip();
        msgpack_to_text(data + 1, size - 1, text, sizeof text);
    }
    return 0;
}
