#!/usr/bin/env bash
# The redis engine and the tiers, against real servers that the tests start
# themselves on free ports of 127.0.0.1. Installs redis-server and openssl where
# they are missing and it may (Debian, Ubuntu); else the tests fail and say how.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null 2>&1 ||
    { "${sudo[@]}" apt-get update -q >/dev/null 2>&1 &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null; } ||
    echo "could not install: ${missing[*]}" >&2
fi

exec cargo test --quiet --test redis --test tiers "$@"
