#!/usr/bin/env bash
# Formatting and lints, all languages; each tool from the project's own lock files.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --check
cargo clippy --locked --quiet --all-targets -- -D warnings
