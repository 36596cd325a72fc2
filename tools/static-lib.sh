#!/usr/bin/env bash
# tools/static-lib.sh ARCHIVE OUT: makes of cargo's static library one that
# links beside anything: a single object in which only twat_ symbols are
# global. LMDB, zstd, BLAKE3 and the Rust runtime keep their code and lose
# their names, so that a program may bring its own copies of any of them.
set -euo pipefail
archive=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The list is a tested document: it equals header and exports. (nm would have
# to read the archive, and chokes on its bitcode where an LLVM plug-in is.)
awk '/^twat_/ { print $1 }' "$(dirname "$0")/../docs/symbols.txt" | sort -u >"$work/symbols"

# What no twat_ function reaches is dropped here, since a user's linker takes
# an object whole.
sed 's/^/--undefined=/' "$work/symbols" >"$work/roots"
ld -r --gc-sections --force-group-allocation "@$work/roots" \
    --whole-archive "$archive" -o "$work/twat_cache.o"
# Embedded bitcode of the Rust runtime only upsets tools with an LLVM plug-in.
objcopy --keep-global-symbols="$work/symbols" --strip-unneeded \
    --remove-section=.llvmbc --remove-section=.llvmcmd "$work/twat_cache.o"

leaked=$(nm --defined-only --extern-only "$work/twat_cache.o" | awk '$3 !~ /^twat_/')
[ -z "$leaked" ] || { echo "still global: $leaked" >&2; exit 1; }
rm -f "$out"
ar crD "$out" "$work/twat_cache.o"
ranlib -D "$out"
