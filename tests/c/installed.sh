# Sourced by run-c.sh: installs into an empty directory and builds every
# example from outside of the tree with nothing but what was installed.
need_package cmake cmake
need_package pkg-config pkg-config

prefix=$TWAT_TEST_ROOT/installed
work=$TWAT_TEST_ROOT/work
tree=$PWD
mkdir -p "$work"

# Whether a program names a shared library among those it needs.
needs() { [[ $(readelf -d "$1" 2>/dev/null) == *"$2"* ]]; }

say "make install into an empty directory"
before=$(git -C "$tree" status --porcelain)
TWAT_PROFILE=$profile tools/install.sh install "$prefix" >/dev/null
lib=$prefix/lib

# Only twat_ is exported, and the archive's other names are local.
exported=$(nm -D --defined-only "$lib/libtwat_cache.so" | awk '$3 !~ /^twat_/ { print $3 }')
[ -z "$exported" ] || fail "exported beside twat_: $exported"
global=$(nm --defined-only --extern-only "$lib/libtwat_cache.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^twat_/ { print $3 }')
[ -z "$global" ] || fail "global in the archive: $global"
soname=$(readelf -d "$lib/libtwat_cache.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = "libtwat_cache.so.$major" ] || fail "SONAME: $soname"
[ -e "$lib/$soname" ] || fail "no link of the name $soname"

# What Cargo.toml tells cargo-c.
cargo metadata --locked --offline --no-deps --format-version 1 | python3 -B tests/c/capi.py "$tree" "$prefix" ||
    fail "[package.metadata.capi] and make install differ"

export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
[ "$(pkg-config --modversion twat_cache)" = "$version" ] || fail "pkg-config names another version"
# Of the debug build, whatever is installed: the answer is the same, and sooner.
rustc_says=$(cargo rustc --quiet --locked --lib --crate-type staticlib -- --print native-static-libs 2>&1 |
    sed -n 's/.*native-static-libs: //p')
ours=$(sed -n 's/^Libs.private: //p' "$lib/pkgconfig/twat_cache.pc")
# Without -lgcc_s: see tools/install.sh.
[ "${rustc_says#-lgcc_s }" = "$ours" ] || fail "Libs.private: rustc says '$rustc_says', we '$ours'"

man=$prefix/share/man/man3/twat_cache.3
grep -q 'SS twat_cache_get_into' "$man" || fail "the man page lacks a function"
for symbol in $(awk '/^twat_/ { print $1 }' docs/symbols.txt); do
    grep -q "^.SS $symbol\$" "$man" || fail "the man page lacks $symbol"
done
if command -v mandoc >/dev/null; then
    mandoc -W error "$man" >/dev/null || fail "the man page is not well-formed"
fi

say "C examples through pkg-config"
cd "$work"
for name in quickstart threads prefork read_store; do
    cp "$tree/examples/c/$name.c" "$tree/examples/c/msgpack.h" .
    $CC -std=c99 -D_POSIX_C_SOURCE=200809L "${warnings[@]}" "$name.c" -o "$name" -pthread \
        $(pkg-config --cflags --libs twat_cache)
done
run ./quickstart store | grep -q '^key = value$' || fail "quickstart"
run ./threads | grep -q '^4000 visits' || fail "threads"
run ./prefork forked | grep -q '^100 requests by 4 workers$' || fail "prefork"
run ./read_store store | grep -q '^1 entries$' || fail "read_store"

say "a program without Rust: wholly static, beside a liblmdb of its own"
$CC -std=c99 quickstart.c -o quickstart-static -static $(pkg-config --cflags twat_cache) \
    $(pkg-config --static --libs twat_cache) 2>/dev/null
! needs quickstart-static NEEDED || fail "not static"
run ./quickstart-static store | grep -q '^key = value$' || fail "static quickstart"
$CC -std=c99 "$tree/tests/c/foreign/own_lmdb.c" -o own_lmdb $(pkg-config --cflags twat_cache) \
    "$lib/libtwat_cache.a" $(pkg-config --static --libs-only-l twat_cache | sed 's/-ltwat_cache//')
run ./own_lmdb || fail "beside another LMDB"

say "a Makefile project through pkg-config"
cp -r "$tree/examples/pkg-config" .
make -s -C pkg-config CC="$CC" 2>/dev/null
for program in hits hits-static hits-all-static; do
    [ "$(run "pkg-config/$program" a b a c b | tr '\n' ' ')" = "a: miss b: miss a: hit c: miss b: miss " ] ||
        fail "$program"
done
! needs pkg-config/hits-static libtwat_cache || fail "hits-static needs the shared library"

say "a CMake project through find_package"
cp -r "$tree/examples/cmake" .
cmake -S cmake -B cmake/build -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build cmake/build >cmake.log 2>&1 || { cat cmake.log; fail "the CMake project"; }
run cmake/build/word_count words "$tree/README.md" "$tree/README.md" | grep -q '^1 hits, 1 misses$' || fail "word_count"
run cmake/build/word_count_static words "$tree/README.md" | grep -q '^1 hits, 0 misses$' || fail "word_count_static"
! needs cmake/build/word_count_static libtwat_cache || fail "word_count_static needs the shared library"

say "C++ and Python share a store"
$CXX -std=c++17 "$tree/examples/cpp/memoize.cpp" -o memoize $(pkg-config --cflags --libs twat_cache)
if command -v python3 >/dev/null; then
    python() { PYTHONPATH=$tree/bindings/python/src TWAT_CACHE_LIBRARY=$lib/libtwat_cache.so python3 -B "$@"; }
    python "$tree/examples/cpp/collatz.py" "$work/shared" 6 7 27 | grep -q '^3 computed here$' || fail "collatz.py"
    [ "$(run ./memoize shared 6 7 27 9 | tail -2 | tr '\n' ' ')" = "collatz(9) = 19 1 computed here " ] ||
        fail "C++ did not read what Python wrote"
    python "$tree/examples/cpp/collatz.py" "$work/shared" 9 | grep -q '^0 computed here$' ||
        fail "Python did not read what C++ wrote"
    run ./read_store shared collatz | tee listed | grep -q '^4 entries$' || fail "read_store of a shared store"
    grep -q '^\[3, "collatz", \[27\], {}\]$' listed || fail "read_store shows no key"
else
    missing python3 "CPython 3.10 or later, for the example of a shared store"
fi
cd "$tree"

say "uninstall leaves nothing"
TWAT_PROFILE=$profile tools/install.sh uninstall "$prefix" >/dev/null
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail "left behind: $left"
TWAT_PROFILE=$profile tools/install.sh install /usr "$TWAT_TEST_ROOT/package" >/dev/null
grep -q '^prefix=/usr$' "$TWAT_TEST_ROOT/package/usr/lib/pkgconfig/twat_cache.pc" || fail "DESTDIR is in the .pc file"
[ "$(git status --porcelain)" = "$before" ] || fail "the tree is not as it was"
