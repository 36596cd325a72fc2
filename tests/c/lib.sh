# What run-c.sh and run-sanitize.sh share. Sourced from the root of the tree.
profile=${TWAT_PROFILE:-debug}
stage=$PWD/target/c-tests/$profile
CC=${CC:-cc}
CXX=${CXX:-c++}
warnings=(-Wall -Wextra -pedantic -Werror)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
major=${version%%.*}
native=(-lutil -lrt -lpthread -lm -ldl -lc)
shared=() static=()

# Programs get a directory of their own, removed at the end.
TWAT_TEST_ROOT=$(mktemp -d)
trap 'rm -rf "$TWAT_TEST_ROOT"' EXIT

say() { printf '== %s\n' "$*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

missing() {
    echo "missing: $1 ($2)" >&2
    exit 1
}

command -v "$CC" >/dev/null || missing "$CC" "a C compiler"
command -v "$CXX" >/dev/null || missing "$CXX" "a C++ compiler"

# A Debian package that is installed where it is wanted and may be.
install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    local quietly=(env DEBIAN_FRONTEND=noninteractive apt-get)
    "${quietly[@]}" install -y --no-install-recommends "$1" >/dev/null 2>&1 ||
        { "${quietly[@]}" update >/dev/null 2>&1 &&
            "${quietly[@]}" install -y --no-install-recommends "$1" >/dev/null 2>&1; } || true
}

need_package() {
    command -v "$1" >/dev/null || install_package "$2"
    command -v "$1" >/dev/null || missing "$1" "Debian's package $2"
}

need_header() {
    local found="$CXX -x c++ -fsyntax-only -include $1 /dev/null"
    $found 2>/dev/null || install_package "$2"
    $found 2>/dev/null || missing "$1" "Debian's package $2"
}

# The sanitizers' runtimes, which Debian packs apart from clang.
need_clang_runtime() {
    local major
    major=$(clang -dumpversion | cut -d. -f1)
    local found=(clang -fsanitize=address -x c - -o /dev/null)
    echo 'int main(void) { return 0; }' | "${found[@]}" 2>/dev/null || install_package "libclang-rt-$major-dev"
    echo 'int main(void) { return 0; }' | "${found[@]}" 2>/dev/null ||
        missing "clang's sanitizers" "Debian's package libclang-rt-$major-dev"
}

# need_locale de_DE.UTF-8: makes the locale in a directory of the tests, and sets LOCPATH.
need_locale() {
    command -v localedef >/dev/null && [ -f "/usr/share/i18n/locales/${1%.*}" ] || install_package locales
    export LOCPATH=$TWAT_TEST_ROOT/locales
    mkdir -p "$LOCPATH"
    localedef -i "${1%.*}" -f "${1#*.}" "$LOCPATH/$1" 2>/dev/null || missing "locale $1" "Debian's package locales"
}

need_libcxx() {
    local probe=(clang++ -stdlib=libc++ -x c++ - -o /dev/null)
    echo '#include <string>
int main() {}' | "${probe[@]}" 2>/dev/null || { install_package libc++-dev; install_package libc++abi-dev; }
    echo '#include <string>
int main() {}' | "${probe[@]}" 2>/dev/null || missing "libc++" "Debian's packages libc++-dev and libc++abi-dev"
}

build_library() {
    case $profile in
    debug) cargo build --locked --quiet ;;
    library) cargo library --quiet ;;
    *) fail "TWAT_PROFILE: expected debug or library, found: $profile" ;;
    esac
}

# Lays the library of target/ out as an installed one, without its own build.
stage() {
    local lib=$1/lib
    mkdir -p "$lib"
    ln -sf "$PWD/target/$profile/libtwat_cache.so" "$lib/libtwat_cache.so.$major"
    ln -sf "libtwat_cache.so.$major" "$lib/libtwat_cache.so"
    if [ "target/$profile/libtwat_cache.a" -nt "$lib/libtwat_cache.a" ]; then
        tools/static-lib.sh "target/$profile/libtwat_cache.a" "$lib/libtwat_cache.a"
    fi
    shared=("-L$lib" "-Wl,-rpath,$lib" -ltwat_cache)
    static=("$lib/libtwat_cache.a" "${native[@]}")
    # For the Python programs that C++ programs share a store with.
    export TWAT_CACHE_LIBRARY=$lib/libtwat_cache.so
}

# What the C++ tests need beside a compiler.
need_for_cxx_tests() {
    need_header nlohmann/json.hpp nlohmann-json3-dev
    need_package redis-server redis-server
    command -v python3 >/dev/null || missing python3 "CPython 3.10 or later, for the stores shared with Python"
}

# wanted NAME [NAMES...]: whether NAME is among the names, or none are given.
wanted() {
    local name=$1
    shift
    [ $# = 0 ] && return
    local each
    for each in "$@"; do
        [ "$each" = "$name" ] && return
    done
    return 1
}

compile_c() {
    $CC -std=c11 -D_GNU_SOURCE "-DCARGO_VERSION=\"$version\"" "${warnings[@]}" -O1 -g \
        "${@:3}" -Iinclude -Itests/c -c "$1" -o "$2"
}

# Runs a program in a fresh directory, with a limit so that nothing hangs.
run() {
    local dir status=0
    dir=$(mktemp -d "$TWAT_TEST_ROOT/XXXXXX")
    TWAT_TEST_DIR=$dir timeout 120 "$@" || status=$?
    chmod -R u+w "$dir"
    rm -rf "$dir"
    [ $status = 0 ] || { echo "FAILED ($status): $*" >&2; exit 1; }
}

compile_cxx() {
    local compiler=$1 source=$2 object=$3
    shift 3
    $compiler -std=c++17 "${warnings[@]}" -Wshadow -O1 -g -Iinclude -Ibindings/c -Itests/cpp \
        "-DTREE=\"$PWD\"" "-DVECTORS=\"$PWD/tests/vectors\"" "$@" -c "$source" -o "$object"
}
