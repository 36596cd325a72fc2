#!/usr/bin/env bash
# The page of benchmarks, docs/benchmarks.md, with its pictures: from the figures
# of `make bench` (target/bench/*.json) and growth curves, which are measured here.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
pip_install -r bindings/python/requirements-bench.txt -r tools/report/requirements.txt
cargo library --quiet
mkdir -p target/bench
export TWAT_CACHE_LIBRARY=$PWD/target/library/libtwat_cache.so PYTHONPATH=$PWD/bindings/python/src
"$PYTHON" tools/report/growth.py target/bench/growth.json
"$PYTHON" tools/report/page.py target/bench
echo "written: docs/benchmarks.md"
