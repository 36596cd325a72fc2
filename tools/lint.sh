#!/usr/bin/env bash
# Formatting and lints, all languages; each tool from the project's own lock files.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
source tools/node.sh
cargo fmt --check
cargo clippy --locked --quiet --all-targets -- -D warnings
pip_install "$(grep -E '^ruff==' bindings/python/requirements-test.txt)"
"$PYTHON" -m ruff check --no-cache bindings/python examples tests tools
"$PYTHON" -m ruff format --no-cache --check bindings/python examples tests tools
node_modules
node bindings/node/node_modules/eslint/bin/eslint.js -c bindings/node/eslint.config.mjs bindings/node examples/node tools/docs
