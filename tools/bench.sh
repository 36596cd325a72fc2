#!/usr/bin/env bash
# Every measured comparison, each peer in the same run; the table is put
# together from target/bench/*.json. Arguments choose areas: core python node.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
areas=${*:-core python node}
mkdir -p target/bench
for area in $areas; do
  case $area in
    core) cargo bench --locked --quiet ;;
    python) tests/run-python.sh bench ;;
    node) tests/run-node.sh bench ;;
    *) echo "unknown area '$area': core python node"; exit 2 ;;
  esac
done
"$PYTHON" tools/bench_table.py target/bench/*.json
