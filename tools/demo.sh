#!/usr/bin/env bash
# The main job on real input, in a fresh store under target/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
pip_install -r examples/demo/requirements.txt
pip_install ./bindings/python
work=target/demo
rm -rf "$work"
mkdir -p "$work"
cc -O2 -Wall -Iinclude -o "$work/read_store" examples/c/read_store.c \
   -Ltarget/library -ltwat_cache -Wl,-rpath,"$PWD/target/library"
if command -v node >/dev/null && command -v npm >/dev/null; then
  tests/run-node.sh build >"$work/build-node.log" 2>&1 || { cat "$work/build-node.log"; exit 1; }
fi
"$PYTHON" examples/demo/demo.py "$work" "$work/read_store"
