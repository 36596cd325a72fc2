#!/usr/bin/env bash
# The redis engine and the tiers alone, against real servers that the tests
# start themselves on free ports of 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/packages.sh
need_package redis-server redis-server
need_package openssl openssl
exec cargo test --quiet --locked --test redis --test tiers "$@"
