# Sourced by run-c.sh: every C and C++ block of every page and header is
# compiled as it is written and run under AddressSanitizer, leaks included. A
# block with a main is a program; another one is put into tests/c/documents.h
# or tests/cpp/documents.hpp, which declare what it takes for granted.
documents=$stage/documents
rm -rf "$documents"
mkdir -p "$documents"
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
export ASAN_OPTIONS=detect_leaks=1

# Writes each fenced block of a language to FILE-n.LANGUAGE.
blocks_of_page() { # PAGE LANGUAGE
    awk -v out="$documents/$(tr / _ <<<"$1")" -v language="$2" '
        $0 == "```" language { n++; inside = 1; next }
        /^```/ { inside = 0 }
        inside { print > (out "-" n "." language) }' "$1"
}
# The examples in the comment at the top of a header: lines indented by five.
block_of_header() {
    awk -v out="$documents/$(tr / _ <<<"$1").cpp" '
        !/^\/\// { exit }
        /^\/\/     [^ ]/ || (inside && /^\/\/      /) { sub(/^\/\/     /, ""); print > out; inside = 1; next }
        { inside = inside && /^\/\/$/ }' "$1"
}

say "C and C++ in the documents, under AddressSanitizer"
for page in $(git ls-files '*.md' ':!bindings/node' ':!bindings/python'); do
    blocks_of_page "$page" c
    blocks_of_page "$page" cpp
done
for header in bindings/c/twat_cache.hpp bindings/c/twat_cache/*.hpp; do block_of_header "$header"; done

count=0
for block in "$documents"/*.c "$documents"/*.cpp; do
    kind=${block##*.}
    program=$documents/program.$kind
    if grep -q 'int main(' "$block"; then
        cp "$block" "$program"
    elif [ "$kind" = c ]; then
        printf '#include "documents.h"\nint main(void)\n{\n    begin();\n    {\n#include "%s"\n    }\n    return end();\n}\n' \
            "$block" >"$program"
    elif grep -q '^template <>' "$block"; then
        printf '#include "documents.hpp"\n#include "%s"\nint main() { return use_codec(); }\n' "$block" >"$program"
    else
        printf '#include "documents.hpp"\nint main()\n{\n#include "%s"\n}\n' "$block" >"$program"
    fi
    if [ "$kind" = c ]; then
        $CC -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wno-unused "${sanitizers[@]}" -g -Iinclude -Itests/c "$program" -o "$documents/program" \
            "${shared[@]}" || fail "$block does not compile"
    else
        $CXX -std=c++17 -Wall -Wextra -Wno-unused "${sanitizers[@]}" -g -Iinclude -Ibindings/c -Itests/cpp "$program" -o "$documents/program" \
            "${shared[@]}" || fail "$block does not compile"
    fi
    # A directory of its own, and every sort of cache empty: a block is read by those who start.
    run sh -c 'cd "$TWAT_TEST_DIR" && exec "$0"' "$documents/program" >"$documents/output" || fail "$block"
    count=$((count + 1))
done
[ $count -ge 10 ] || fail "expected ten examples at least, found $count"
