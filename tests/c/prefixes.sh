# Sourced by run-c.sh: what a user's system may be like. Every prefix a path
# may have works by pkg-config and CMake or is refused before anything is
# written; another user than the builder installs; a moved tree works.
need_package cmake cmake
need_package pkg-config pkg-config
need_package meson meson

tree=$PWD
rooms=$TWAT_TEST_ROOT/prefixes
mkdir -p "$rooms/program"
cat >"$rooms/program/v.c" <<'END'
#include <stdio.h>
#include <twat_cache.h>
int main(void) { return puts(twat_version_string()) < 0; }
END
printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(v LANGUAGES C)' 'find_package(twat_cache REQUIRED)' \
    'add_executable(v v.c)' 'target_link_libraries(v PRIVATE twat_cache::shared)' \
    'add_executable(v_static v.c)' 'target_link_libraries(v_static PRIVATE twat_cache::static)' >"$rooms/program/CMakeLists.txt"
printf '%s\n' "project('v', 'c')" "executable('v', 'v.c', dependencies: dependency('twat_cache'))" \
    "executable('v_static', 'v.c', dependencies: dependency('twat_cache', static: true))" >"$rooms/program/meson.build"

# The static library of the stage is lent: making it takes seconds, each time.
export TWAT_STATIC_LIB=$stage/lib/libtwat_cache.a
put() { TWAT_PROFILE=$profile "$tree/tools/install.sh" install "$@"; }
says_version() { [ "$("$@" 2>&1)" = "$version" ]; }

by_pkg_config() { # PREFIX [OPTION OF pkg-config...]
    local flags p=$1
    shift
    flags=$(PKG_CONFIG_PATH=$p/lib/pkgconfig pkg-config "$@" --cflags --libs twat_cache) || return
    (cd "$rooms/program" && rm -f v && eval "$CC v.c $flags -o v" && LD_LIBRARY_PATH=$p/lib says_version ./v)
}
by_cmake() {
    rm -rf "$rooms/build"
    cmake -S "$rooms/program" -B "$rooms/build" -DCMAKE_PREFIX_PATH="$1" && cmake --build "$rooms/build" &&
        says_version "$rooms/build/v" && says_version "$rooms/build/v_static"
}

say "prefixes with blanks and signs: pkg-config and CMake"
for name in "pre fix" "p&q" 'p#q' 'p\q' 'p|q' "p'q" 'p"q' 'p%sq' 'p@PREFIX@q' '-dash' 'p*[q]?' 'p~q!`q' 'pé' 'p{q}' 'p<q>' \
    'p=q,r^+' $'p\tq' ' lead'; do
    p=$rooms/$name
    put "$p" >/dev/null || fail "install into $name"
    by_pkg_config "$p" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "pkg-config: $name"; }
    rm -rf "$p"
done
# Not a backslash, which CMake takes for a slash, nor a bar, which its Makefiles do not quote.
for name in "pre fix" "p&q'" 'p#q'; do
    p=$rooms/$name
    put "$p" >/dev/null
    by_cmake "$p" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "CMake: $name"; }
    rm -rf "$p"
done
for name in $'p\nq' 'p$q' 'p(q' 'p)q' 'p;q' 'p:q' 'blank at the end '; do
    if put "$rooms/$name" >"$rooms/log" 2>&1; then fail "expected to be refused: $name"; fi
    grep -q '^PREFIX: expected' "$rooms/log" || fail "the refusal of $name: $(cat "$rooms/log")"
    [ ! -e "$rooms/$name" ] || fail "written in spite of the refusal: $name"
done
if put relative/path >/dev/null 2>&1; then fail "a relative prefix"; fi

say "DESTDIR with every sign, and uninstall"
destdir=$rooms/$'dest $(x) %s;:\n\\d'
put /usr "$destdir" >/dev/null
[ -f "$destdir/usr/lib/pkgconfig/twat_cache.pc" ] || fail "DESTDIR"
"$tree/tools/install.sh" uninstall /usr "$destdir" >/dev/null
left=$(find "$destdir" ! -type d)
[ -z "$left" ] || fail "left behind in DESTDIR: $left"

say "the root as the prefix, and slashes that are too many"
put / "$rooms/root//" >/dev/null
pc=$rooms/root/lib/pkgconfig/twat_cache.pc
! grep -q '//' <(grep dir= "$pc") || fail "PREFIX=/: $(grep dir= "$pc")"
[ "$(PKG_CONFIG_PATH=${pc%/*} pkg-config --variable=libdir twat_cache)" = /lib ] || fail "PREFIX=/: libdir"
by_cmake "$rooms/root" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "CMake: PREFIX=/"; }
"$tree/tools/install.sh" uninstall // "$rooms/root" >/dev/null
left=$(find "$rooms/root" ! -type d)
[ -z "$left" ] || fail "left behind below /: $left"
put "/usr//local///" "$rooms/root" >/dev/null
grep -q '^prefix=/usr/local$' "$rooms/root/usr/local/lib/pkgconfig/twat_cache.pc" || fail "PREFIX with doubled slashes"

say "a moved tree, LIBDIR, Meson"
put "$rooms/first" >/dev/null
mv "$rooms/first" "$rooms/second"
by_pkg_config "$rooms/second" --define-prefix >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "a moved tree by --define-prefix"; }
by_cmake "$rooms/second" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "a moved tree by CMake"; }
rm -rf "$rooms/second"
LIBDIR="$rooms/third/lib 64" put "$rooms/third" >/dev/null
grep -q '^libdir=${prefix}/lib\\ 64$' "$rooms/third/lib 64/pkgconfig/twat_cache.pc" || fail "LIBDIR below the prefix"
put "$rooms/third" >/dev/null
PKG_CONFIG_PATH=$rooms/third/lib/pkgconfig meson setup "$rooms/meson" "$rooms/program" >"$rooms/log" 2>&1 &&
    ninja -C "$rooms/meson" >>"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "Meson"; }
LD_LIBRARY_PATH=$rooms/third/lib says_version "$rooms/meson/v" || fail "Meson, shared"
says_version "$rooms/meson/v_static" || fail "Meson, static"
[[ $(readelf -d "$rooms/meson/v_static") != *libtwat_cache* ]] || fail "Meson: static: true took the shared library"

say "symbolic links: a lib directory elsewhere, and a way in beside the prefix"
mkdir -p "$rooms/linked" "$rooms/elsewhere/deep/lib"
ln -s "$rooms/elsewhere/deep/lib" "$rooms/linked/lib"
put "$rooms/linked" >/dev/null
by_cmake "$rooms/linked" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "CMake: lib is a link"; }
put "$rooms/merged/usr" >/dev/null
ln -s usr/lib "$rooms/merged/lib"
by_cmake "$rooms/merged" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "CMake: /lib for /usr/lib"; }

say "another user than the builder, a tree that cannot be written, umask 077"
if [ "$(id -u)" = 0 ] && command -v runuser >/dev/null && runuser -u nobody -- test -r "$tree/target/$profile/libtwat_cache.so"; then
    mkdir -m 777 "$rooms/nobody"
    chmod 711 "$TWAT_TEST_ROOT" "$rooms"
    (umask 077 && runuser -u nobody -- env -i PATH=/usr/bin:/bin HOME=/nonexistent TWAT_PROFILE="$profile" \
        make -s -C "$tree" install PREFIX="$rooms/nobody/of 077") >"$rooms/log" 2>&1 ||
        { cat "$rooms/log"; fail "make install by nobody"; }
    unreadable=$(find "$rooms/nobody" ! -type l ! -perm -a=r)
    [ -z "$unreadable" ] || fail "not readable by all: $unreadable"
    by_pkg_config "$rooms/nobody/of 077" >"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "what nobody installed"; }
else
    echo "not here: another user (needs root, runuser, and a tree that nobody can read)"
fi

unset TWAT_STATIC_LIB
say "add_subdirectory of the tree"
printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(v LANGUAGES C CXX)' \
    "add_subdirectory([==[$tree/bindings/c]==] twat_cache)" 'add_executable(v v.c)' \
    'target_link_libraries(v PRIVATE twat_cache::shared)' 'add_executable(v_static v.c)' \
    'target_link_libraries(v_static PRIVATE twat_cache::static)' >"$rooms/program/CMakeLists.txt"
rm -rf "$rooms/build"
# The tests' own build directory is lent, or this would compile everything again.
mkdir -p "$rooms/build/twat_cache"
ln -s "$tree/target" "$rooms/build/twat_cache/cargo"
cmake -S "$rooms/program" -B "$rooms/build" -DTWAT_CACHE_PROFILE=dev >"$rooms/log" 2>&1 &&
    cmake --build "$rooms/build" >>"$rooms/log" 2>&1 || { cat "$rooms/log"; fail "add_subdirectory"; }
says_version "$rooms/build/v" || fail "add_subdirectory, shared"
says_version "$rooms/build/v_static" || fail "add_subdirectory, static"
