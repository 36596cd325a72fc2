#!/usr/bin/env bash
# tools/dist.sh: makes what users install, from the last commit, into
# target/dist: wheel, source distribution, npm packages, C and C++ tarball,
# crate, checksums, SBOM. Nothing is read from the work tree, so that two runs
# in two directories give the same bytes. docs/distribution.md says what is what.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/dist/lib.sh
source tools/node.sh
need_node
command -v cargo >/dev/null || fail "missing: cargo (https://rustup.rs)"
tools
export PATH=$venv/bin:$PATH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
source=$PWD/target/dist-source
build=$PWD/target/dist-build

# repack DIRECTORY NAME ARCHIVE: the same bytes for the same files.
repack() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -C "$1" -c "$2" |
        gzip -9n >"$3"
}

say "the source, as committed"
rm -rf "$source" "$out"
mkdir -p "$source" "$out" "$build"
git archive HEAD | tar -x -C "$source"

# Paths of this machine are not in the library: they would differ from run to run.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
rust_paths="--remap-path-prefix=$source=/twat-cache --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust --remap-path-prefix=$build=/build"
c_paths="-ffile-prefix-map=$source=/twat-cache -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$build=/build"
# The alias `library` of .cargo/config.toml, for another target.
c_flags=$(sed -n "s/.*env.CFLAGS='\(.*\)'.*/\1/p" .cargo/config.toml)
[ -n "$c_flags" ] || fail "no CFLAGS of the alias 'library' in .cargo/config.toml"

say "the library, for glibc $glibc"
target=x86_64-unknown-linux-gnu
(cd "$source" && RUSTFLAGS="$rust_paths" CARGO_TARGET_DIR=$build cargo-zigbuild rustc --quiet --lib --locked --profile library \
    --crate-type cdylib,staticlib --target "$target.$glibc" --config "env.CFLAGS='$c_flags $c_paths'")
mkdir -p "$source/target/library"
cp "$build/$target/library/libtwat_cache".{so,a} "$source/target/library/"
so=$source/target/library/libtwat_cache.so
strip --strip-unneeded "$so"
newest=$(objdump -T "$so" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -1)
[ "$(printf '%s\n' "$glibc" "$newest" | sort -V | tail -1)" = "$glibc" ] || fail "the library needs glibc $newest"
! grep -qF -e "$HOME" -e "$PWD" "$so" || fail "a path of this machine is in the library"

say "licences and SBOM"
(cd "$source" && python tools/dist/licences.py THIRD-PARTY-LICENSES.txt "$out/twat-cache-$version.cdx.json")

say "wheels and source distribution"
printf '#!/bin/sh\nexec "%s" -m ziglang cc -target x86_64-linux-gnu.%s "$@"\n' "$venv/bin/python" "$glibc" >"$build/zigcc"
chmod +x "$build/zigcc"
cp "$source/THIRD-PARTY-LICENSES.txt" "$source/bindings/python/"
sed -i 's/^license-files = .*/license-files = ["LICENSE", "THIRD-PARTY-LICENSES.txt"]/' "$source/bindings/python/pyproject.toml"
(cd "$source/bindings/python" && TWAT_CACHE_LIBRARY=$so python setup.py --quiet sdist --dist-dir "$out" &&
    TWAT_CACHE_PURE=1 TWAT_CACHE_LIBRARY=$so python setup.py --quiet bdist_wheel --plat-name manylinux2014_x86_64 --dist-dir "$out") >"$build/python.log" 2>&1 ||
    { cat "$build/python.log"; fail "wheel"; }

# The generic wheel serves every Python 3 without the native part; pip prefers that of the CPython at hand.
for want in 3.10 3.11 3.12 3.13; do
    python=$(python_of "$want")
    headers=$("${python:-false}" -c 'import sysconfig; print(sysconfig.get_path("include"))' || true)
    if [ ! -f "$headers/Python.h" ]; then
        echo "not here: CPython $want with its headers; its users get the generic wheel"
        continue
    fi
    native=$build/native/_speed.cpython-${want/./}-x86_64-linux-gnu.so
    rm -f "$native"
    CC=$build/zigcc CFLAGS="$c_paths -ffile-prefix-map=$headers=/python" python "$source/bindings/python/native/build.py" \
        --required --out "$build/native" --headers "$headers" --suffix "${native##*/_speed}"
    strip --strip-unneeded "$native"
    python tools/dist/wheel.py "$out/twat_cache-$version"-py3-none-*.whl "cp${want/./}" "$native" "$out"
done

# setuptools packs files with the times and owners that they have here.
sdist=$out/twat_cache-$version.tar.gz
mkdir -p "$build/sdist"
rm -rf "$build/sdist/"*
tar -xzf "$sdist" -C "$build/sdist"
repack "$build/sdist" "twat_cache-$version" "$sdist"

say "npm packages"
(
    cd "$source/bindings/node"
    cp ../../THIRD-PARTY-LICENSES.txt ../../LICENSE .
    cp ../../THIRD-PARTY-LICENSES.txt ../../LICENSE npm/linux-x64-gnu/
    npm ci --ignore-scripts --no-audit --no-fund --silent
    CC=$build/zigcc CFLAGS=$c_paths TWAT_CACHE_LIB=$source/target/library npm run --silent build
    strip --strip-unneeded npm/linux-x64-gnu/twat_cache.node
    node scripts/pack.mjs "$out"
) >"$build/node.log" 2>&1 || { cat "$build/node.log"; fail "npm packages"; }

say "C and C++ tarball"
name=twat-cache-$version-$target
room=$build/tarball
rm -rf "$room"
mkdir -p "$room/$name"
(cd "$source" && TWAT_RELOCATABLE=1 tools/install.sh install /prefix "$room/dest" >/dev/null)
mv "$room/dest/prefix"/* "$room/$name/"
cp "$source/LICENSE" "$source/THIRD-PARTY-LICENSES.txt" "$source/docs/c.md" "$room/$name/"
cp -r "$source/examples/c" "$room/$name/examples"
repack "$room" "$name" "$out/$name.tar.gz"

say "crate"
(cd "$source" && CARGO_TARGET_DIR=$build cargo package --quiet --locked --no-verify --allow-dirty)
cp "$build/package/twat-cache-$version.crate" "$out/"

say "checksums"
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
