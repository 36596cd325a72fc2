#!/usr/bin/env bash
# Every measured comparison, each peer in the same run; the table is put
# together from target/bench/*.json. Arguments choose areas: core python node cpp.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
areas=${*:-core python node cpp}
mkdir -p target/bench

size_of_the_library() {
  local stripped=target/bench/libtwat_cache.so
  strip --strip-unneeded -o "$stripped" target/library/libtwat_cache.so
  "$PYTHON" - "$stripped" >target/bench/size.json <<'END'
import json, os, sys
size = os.path.getsize(sys.argv[1]) / 1e6
row = {"what": "stripped shared object", "unit": "MB", "ours": size, "ratio": size, "target": "<= 3 MB", "met": size <= 3}
print(json.dumps([row]))
END
}

for area in $areas; do
  case $area in
    core)
      cargo library --quiet
      cargo bench --locked --quiet
      size_of_the_library
      ;;
    python) tests/run-python.sh bench ;;
    node) tests/run-node.sh bench ;;
    cpp)
      cargo library --quiet
      c++ -std=c++17 -O2 -Iinclude -Ibindings/c benches/cpp/memoize.cpp -o target/bench/memoize -pthread \
        -Ltarget/library -ltwat_cache -Wl,-rpath,"$PWD/target/library"
      target/bench/memoize >target/bench/cpp.json
      ;;
    *) echo "unknown area '$area': core python node cpp"; exit 2 ;;
  esac
done
"$PYTHON" tools/bench_table.py target/bench/*.json
