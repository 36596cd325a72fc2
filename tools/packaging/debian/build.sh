#!/usr/bin/env bash
# tools/packaging/debian/build.sh: the Debian packages of the last commit, into target/debian.
set -euo pipefail
cd "$(dirname "$0")/../../.."
source tools/dist/lib.sh
source tools/packages.sh
need_package dpkg-buildpackage dpkg-dev
need_package dh debhelper
made=$PWD/target/debian
rm -rf "$made"
mkdir -p "$made"
# Outside of the tree: cargo would merge .cargo/config.toml of both.
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir "$room/twat-cache"
git archive HEAD | tar -x -C "$room/twat-cache"
cp -r tools/packaging/debian "$room/twat-cache/debian"
cd "$room/twat-cache"
cat >debian/changelog <<END
twat-cache ($version) unstable; urgency=medium

  * See CHANGELOG.md.

 -- twat-cache <twat-cache@packages.invalid>  $(git -C "$OLDPWD" log -1 --format=%cD)
END
CARGO_TARGET_DIR=$room/twat-cache/target dpkg-buildpackage --no-sign --build=binary >"$room/log" 2>&1 || { tail -20 "$room/log"; exit 1; }
cp "$room"/*.deb "$made/"
ls -l "$made"
