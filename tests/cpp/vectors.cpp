// The vectors that every language runs: tests/vectors/keys.json and values.json.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "check.hpp"

using nlohmann::json;

// A value as the vectors write it: {"int": "5"}, {"list": [...]}, ...
struct Typed {
    json tree;
};

static std::string from_hex(const std::string& text)
{
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return out;
}

static std::string to_hex(std::string_view bytes)
{
    std::string out;
    for (unsigned char byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

static std::string big_endian(std::uint64_t value, int bytes)
{
    std::string out;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
    return out;
}

static std::uint64_t number_of(std::string_view bytes)
{
    std::uint64_t value = 0;
    for (unsigned char byte : bytes) value = value << 8 | byte;
    return value;
}

static std::uint64_t bits_of(double value)
{
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double real_of(const std::string& text) { return text == "nan" ? std::nan("") : std::strtod(text.c_str(), nullptr); }

// Magnitudes, most significant byte first, without leading zeros.
static std::string magnitude(const std::string& digits)
{
    std::string out;
    for (char digit : digits) {
        int carry = digit - '0';
        for (std::size_t i = out.size(); i-- > 0;) {
            carry += 10 * static_cast<unsigned char>(out[i]);
            out[i] = static_cast<char>(carry & 0xff);
            carry >>= 8;
        }
        if (carry > 0) out.insert(out.begin(), static_cast<char>(carry));
    }
    return out;
}

static std::string decimal(std::string bytes)
{
    std::string out;
    while (!bytes.empty()) {
        int rest = 0;
        for (char& byte : bytes) {
            rest = rest << 8 | static_cast<unsigned char>(byte);
            byte = static_cast<char>(rest / 10);
            rest %= 10;
        }
        out.insert(out.begin(), static_cast<char>('0' + rest));
        bytes.erase(0, std::min(bytes.find_first_not_of('\0'), bytes.size()));
    }
    return out.empty() ? "0" : out;
}

static void negate(std::string& bytes)
{
    int carry = 1;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        carry += static_cast<unsigned char>(~bytes[i]);
        bytes[i] = static_cast<char>(carry & 0xff);
        carry >>= 8;
    }
}

static std::string twos_complement(const std::string& text)
{
    bool negative = text[0] == '-';
    std::string bytes = std::string(1, '\0') + magnitude(text.substr(negative ? 1 : 0));
    if (negative) negate(bytes);
    // As few bytes as hold the sign.
    while (bytes.size() > 1) {
        int first = static_cast<signed char>(bytes[0]), second = static_cast<signed char>(bytes[1]);
        if (!((first == 0 && second >= 0) || (first == -1 && second < 0))) break;
        bytes.erase(0, 1);
    }
    return bytes;
}

static std::string from_twos_complement(std::string bytes)
{
    bool negative = !bytes.empty() && static_cast<signed char>(bytes[0]) < 0;
    if (negative) negate(bytes);
    bytes.erase(0, std::min(bytes.find_first_not_of('\0'), bytes.size()));
    return (negative ? "-" : "") + decimal(bytes);
}

static std::string timestamp(std::int64_t seconds, std::uint64_t nanoseconds)
{
    if (seconds < 0 || seconds >> 34 != 0)
        return big_endian(nanoseconds, 4) + big_endian(static_cast<std::uint64_t>(seconds), 8);
    if (nanoseconds == 0 && seconds >> 32 == 0) return big_endian(static_cast<std::uint64_t>(seconds), 4);
    return big_endian(nanoseconds << 34 | static_cast<std::uint64_t>(seconds), 8);
}

static twat::Array array_of(const json& tree)
{
    return {tree["dtype"], tree["shape"], from_hex(tree["data"]), tree["order"].get<std::string>()[0]};
}

static void write_integer(twat::Writer& to, const std::string& text)
{
    std::string bytes = magnitude(text.substr(text[0] == '-' ? 1 : 0));
    std::uint64_t size = bytes.size() <= 8 ? number_of(bytes) : 0;
    if (bytes.size() <= 8 && text[0] != '-')
        to.integer(size);
    else if (bytes.size() <= 8 && size <= std::uint64_t{1} << 63)
        to.integer(static_cast<std::int64_t>(-size));
    else
        to.extension(twat::ext::big_integer, twos_complement(text));
}

template <> struct twat::codec<Typed> {
    static void write(Writer& to, const Typed& typed)
    {
        const std::string kind = typed.tree.begin().key();
        const json& what = typed.tree.begin().value();
        auto items = [&](Writer& w) {
            w.array(what.size());
            for (const json& item : what) w.value(Typed{item});
        };
        if (kind == "nil") to.nil();
        else if (kind == "bool") to.boolean(what);
        else if (kind == "int") write_integer(to, what);
        else if (kind == "float") to.real(real_of(what));
        else if (kind == "str") to.text(what.get<std::string>());
        else if (kind == "surrogate") to.text("\xed\xa0\x80");
        else if (kind == "bytes") to.bytes(from_hex(what));
        else if (kind == "list") items(to);
        else if (kind == "tuple") to.extension_of(ext::tuple, items);
        else if (kind == "set") {
            std::vector<std::string> encoded;
            for (const json& item : what) encoded.push_back(to.encoded(Typed{item}));
            to.sorted_set(encoded);
        } else if (kind == "map") {
            std::vector<std::pair<std::string, std::string>> pairs;
            for (const json& pair : what) pairs.emplace_back(to.encoded(Typed{pair[0]}), to.encoded(Typed{pair[1]}));
            to.sorted_map(pairs);
        }
        else if (kind == "timestamp") to.extension(ext::timestamp, timestamp(what[0], what[1]));
        else if (kind == "decimal") to.extension(ext::decimal, what.get<std::string>());
        else if (kind == "date") to.extension(ext::date, what.get<std::string>());
        else if (kind == "time") to.extension(ext::time, what.get<std::string>());
        else if (kind == "uuid") to.extension(ext::uuid, from_hex(what));
        else if (kind == "path") to.extension(ext::path, what.get<std::string>());
        else if (kind == "default") to.extension(ext::omitted, what.get<std::string>());
        else if (kind == "undefined") to.extension(ext::undefined, View());
        else if (kind == "complex")
            to.extension(ext::complex, big_endian(bits_of(real_of(what[0])), 8) + big_endian(bits_of(real_of(what[1])), 8));
        else if (kind == "array") to.value(array_of(what));
        else if (kind == "named")
            to.extension_of(ext::named, [&](Writer& w) {
                w.array(2).text(what[0].get<std::string>()).value(Typed{what[1]});
            });
        else to.fail("unknown kind " + kind);
    }

    static bool read(Reader& from, Typed& typed)
    {
        std::size_t n;
        bool truth;
        std::int64_t low;
        std::uint64_t high;
        double real;
        std::string_view chars;
        Reader inside{View()};
        int type;
        if (from.nil()) return typed.tree = {{"nil", true}}, true;
        if (from.boolean(truth)) return typed.tree = {{"bool", truth}}, true;
        if (from.integer(low)) return typed.tree = {{"int", std::to_string(low)}}, true;
        if (from.integer(high)) return typed.tree = {{"int", std::to_string(high)}}, true;
        // Before real(), which reads a big integer as the nearest double.
        if (from.extension(type, inside)) return extension(type, inside, typed.tree);
        if (from.real(real)) return typed.tree = {{"float", to_hex(big_endian(bits_of(real), 8))}}, true;
        if (from.text(chars)) return typed.tree = {{"str", chars}}, true;
        if (from.bytes(chars)) return typed.tree = {{"bytes", to_hex(chars)}}, true;
        if (from.array(n)) return typed.tree["list"] = json::array(), items(from, n, typed.tree["list"]);
        if (from.map(n)) return typed.tree["map"] = json::array(), pairs(from, n, typed.tree["map"]);
        return false;
    }

    static bool items(Reader& from, std::size_t n, json& out)
    {
        for (std::size_t i = 0; i < n; i++) {
            Typed item;
            if (!from.value(item)) return false;
            out.push_back(item.tree);
        }
        return true;
    }

    static bool pairs(Reader& from, std::size_t n, json& out)
    {
        for (std::size_t i = 0; i < n; i++) {
            Typed key, value;
            if (!from.value(key) || !from.value(value)) return false;
            out.push_back({key.tree, value.tree});
        }
        return true;
    }

    static bool extension(int type, Reader& inside, json& out)
    {
        std::string bytes(inside.rest());
        std::size_t n;
        switch (type) {
        case ext::timestamp: {
            std::uint64_t packed = number_of(bytes.substr(0, 8));
            if (bytes.size() == 4)
                out = {{"timestamp", {packed, 0}}};
            else if (bytes.size() == 8)
                out = {{"timestamp", {packed & 0x3ffffffff, packed >> 34}}};
            else
                out = {{"timestamp", {static_cast<std::int64_t>(number_of(bytes.substr(4))), number_of(bytes.substr(0, 4))}}};
            return true;
        }
        case ext::tuple: return inside.array(n) && (out["tuple"] = json::array(), items(inside, n, out["tuple"]));
        case ext::set: return inside.array(n) && (out["set"] = json::array(), items(inside, n, out["set"]));
        case ext::big_integer: return out = {{"int", from_twos_complement(bytes)}}, true;
        case ext::decimal: return out = {{"decimal", bytes}}, true;
        case ext::date: return out = {{"date", bytes}}, true;
        case ext::time: return out = {{"time", bytes}}, true;
        case ext::uuid: return out = {{"uuid", to_hex(bytes)}}, true;
        case ext::complex: return out = {{"complex", {to_hex(bytes.substr(0, 8)), to_hex(bytes.substr(8))}}}, true;
        case ext::path: return out = {{"path", bytes}}, true;
        case ext::undefined: return out = {{"undefined", true}}, bytes.empty();
        case ext::named: {
            std::string_view name;
            Typed fields;
            if (!inside.array(n) || n != 2 || !inside.text(name) || !inside.value(fields)) return false;
            return out = {{"named", {name, fields.tree}}}, true;
        }
        case ext::array: {
            Writer again;
            twat::Array array;
            again.extension(type, bytes);
            Reader reader{View(again.str())};
            if (!reader.value(array)) return false;
            out = {{"array", {{"dtype", array.dtype}, {"shape", array.shape}, {"order", std::string(1, array.order)},
                              {"data", to_hex(View(array.data).text())}}}};
            return true;
        }
        default: return false;
        }
    }
};

// Floats by their bits, sets in order: so that equal values are equal trees.
static json normal(const json& typed)
{
    const std::string kind = typed.begin().key();
    json what = typed.begin().value();
    auto bits = [](const json& text) { return to_hex(big_endian(bits_of(real_of(text)), 8)); };
    if (kind == "float") return {{"float", bits(what)}};
    if (kind == "complex") return {{"complex", {bits(what[0]), bits(what[1])}}};
    if (kind == "named") return {{"named", {what[0], normal(what[1])}}};
    if (kind == "list" || kind == "tuple" || kind == "set") {
        for (json& item : what) item = normal(item);
    } else if (kind == "map") {
        for (json& pair : what) pair = {normal(pair[0]), normal(pair[1])};
    }
    return {{kind, what}};
}

static json in_order(json typed)
{
    for (auto& [kind, what] : typed.items()) {
        if (kind == "list" || kind == "tuple" || kind == "set")
            for (json& item : what) item = in_order(item);
        if (kind == "map")
            for (json& pair : what) pair = {in_order(pair[0]), in_order(pair[1])};
        if (kind == "named") what[1] = in_order(what[1]);
        if (kind == "set") std::sort(what.begin(), what.end());
    }
    return typed;
}

static json load(const std::string& name)
{
    std::ifstream file(std::string(VECTORS) + "/" + name);
    CHECK(file.good());
    return json::parse(file);
}

static void expect(bool right, const json& vector, const std::string& found)
{
    if (right) return;
    std::fprintf(stderr, "%.300s\nfound %.300s\n", vector.dump().c_str(), found.c_str());
    std::exit(1);
}

static void keys()
{
    std::size_t n = 0;
    for (const json& vector : load("keys.json")) {
        twat::Writer writer(twat::Writer::for_key);
        std::vector<std::pair<std::string, std::string>> keywords;
        writer.array(4).integer(twat::key_version).text(vector["name"].get<std::string>()).array(vector["args"].size());
        for (const json& argument : vector["args"]) writer.value(Typed{argument});
        for (const json& pair : vector["kwargs"])
            keywords.emplace_back(writer.encoded(pair[0].get<std::string>()), writer.encoded(Typed{pair[1]}));
        writer.sorted_map(keywords);
        if (vector.contains("error"))
            expect(!writer.error().empty(), vector, "no error");
        else
            expect(writer.error().empty() && to_hex(writer.str()) == vector["hex"], vector, to_hex(writer.str()) + writer.error());
        n++;
    }
    CHECK(n > 150);
}

static std::string encoded(const json& typed)
{
    if (typed.contains("raw")) {
        std::string bytes = from_hex(typed["raw"]);
        return twat::encode(std::vector<unsigned char>(bytes.begin(), bytes.end()));
    }
    if (typed.contains("array")) return twat::encode(array_of(typed["array"]));
    return twat::encode(Typed{typed});
}

static void decoded(const json& vector, const std::string& bytes)
{
    const json& typed = vector["value"];
    if (typed.contains("raw")) {
        auto value = twat::decode<std::vector<unsigned char>>(bytes);
        expect(to_hex(twat::View(value).text()) == typed["raw"], vector, to_hex(twat::View(value).text()));
    } else if (typed.contains("array")) {
        auto array = twat::decode<twat::Array>(bytes);
        twat::Array right = array_of(typed["array"]);
        expect(array.data == right.data && array.shape == right.shape && array.dtype == right.dtype &&
                   array.order == right.order, vector, array.dtype);
    } else if (typed.contains("counter")) {
        auto count = std::to_string(twat::decode<std::int64_t>(bytes));
        expect(count == typed["counter"], vector, count);
    } else if (typed.contains("json")) {
        // Its own reader turns it into MessagePack; nlohmann's must agree.
        twat::Writer writer;
        CHECK(twat::detail::JsonReader(std::string_view(bytes).substr(1)).read(writer));
        json found = json::from_msgpack(writer.str());
        expect(found == typed["json"], vector, found.dump());
    } else {
        json found = in_order(twat::decode<Typed>(bytes).tree);
        expect(found == in_order(normal(typed)), vector, found.dump());
    }
}

static void values()
{
    std::size_t n = 0;
    for (const json& vector : load("values.json")) {
        std::string bytes = from_hex(vector["hex"]);
        if (vector.contains("languages")) {
            // Ours are those that not Python alone can read.
            const json& languages = vector["languages"];
            if (std::find(languages.begin(), languages.end(), "c++") == languages.end()) continue;
        }
        bool only_decoded = vector.contains("decode_only") || vector["value"].contains("json") ||
                            vector["value"].contains("counter");
        if (!only_decoded) {
            std::string ours = encoded(vector["value"]);
            expect(ours == bytes, vector, to_hex(ours));
        }
        decoded(vector, bytes);
        n++;
    }
    CHECK(n > 150);
}

// Every beginning of every vector is refused or read, and nothing else.
static void truncated()
{
    for (const json& vector : load("values.json")) {
        std::string bytes = from_hex(vector["hex"]);
        std::size_t step = bytes.size() > 600 ? bytes.size() / 300 : 1;
        for (std::size_t n = 0; n < bytes.size(); n += step) {
            // A heap copy of exactly this size, so that sanitizers see a read beyond it.
            std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
            std::error_code code;
            twat::decode<Typed>(part, code);
            twat::decode<twat::Array>(part, code);
            twat::decode<std::map<std::string, std::vector<std::tuple<int, double>>>>(part, code);
            if (n > 0) twat::Reader{twat::View(part.data() + 1, n - 1)}.skip();
        }
    }
}

// A shape whose product wraps around 64 bits, or that does not fit its data.
static void shapes_that_lie()
{
    const std::uint64_t huge = 0xffffffffffffff03u;
    const std::vector<std::vector<std::uint64_t>> shapes = {
        {24, 0xaaaaaaaaaaaaaaabu}, {huge, 0xfffffffffffffff6u}, {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, {huge, 3}, {0, huge}, {3, 5}};
    for (const auto& shape : shapes) {
        twat::Array lying("|u1", shape, "abcdefgh", 'F');
        CHECK(lying.in_c_order() == lying.data);
    }
    CHECK(twat::Array("|u1", {2, 4}, "aebfcgdh", 'F').in_c_order() != twat::Array("|u1", {2, 4}, "aebfcgdh").in_c_order());
}

int main()
{
    keys();
    values();
    truncated();
    shapes_that_lie();
}
