#!/usr/bin/env bash
# The Python package: tests, doctests, types, lints, the acceptance program.
#   tests/run-python.sh            all of it, over a debug build of the core
#   tests/run-python.sh bench      the benchmark, over the shipped build
#   tests/run-python.sh address    the native part under AddressSanitizer, and with Python's debug allocator
#   tests/run-python.sh -k name    pytest with these arguments
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
root=$PWD
package=$root/bindings/python

if [ "${1:-}" = bench ]; then
  shift
  cargo library --quiet
  pip_install -r "$package/requirements-bench.txt"
  export TWAT_CACHE_LIBRARY=$root/target/library/libtwat_cache.so
  PYTHONPATH=$package/src exec "$PYTHON" "$package/bench.py" "$@"
fi

source tools/packages.sh
need_package redis-server redis-server
need_package cc gcc
need_package python3-config python3-dev
"$PYTHON" bindings/python/native/build.py --required
cargo build --quiet --locked
pip_install -r "$package/requirements-test.txt"
export TWAT_CACHE_LIBRARY=$root/target/debug/libtwat_cache.so
export PYTHONPATH=$package/src PYTHONDONTWRITEBYTECODE=1
caches=$root/target/python
mkdir -p "$caches"

if [ "${1:-}" = address ]; then
  # A copy of the package with an extension of its own. Freed memory stays poisoned only without Python's allocator.
  copy=$root/target/python/address
  rm -rf "$copy" && mkdir -p "$copy"
  cp -r "$package/src/twat_cache" "$copy/"
  rm -f "$copy"/twat_cache/_speed.*.so
  CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
    "$PYTHON" "$package/native/build.py" --required --out "$copy/twat_cache"
  export PYTHONPATH=$copy:$package/tests UBSAN_OPTIONS=print_stacktrace=1
  native=(tests/test_native_codec.py tests/test_native_store.py)
  cd "$package"
  (
    export LD_PRELOAD ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 PYTHONMALLOC=malloc
    LD_PRELOAD=$(${CC:-cc} -print-file-name=libasan.so)
    "$PYTHON" -c 'from twat_cache import _speed; assert _speed.__file__.startswith("'"$copy"'"), _speed.__file__'
    "$PYTHON" tests/native_values.py "${FUZZ_SEED:-$RANDOM}" "${FUZZ_ROUNDS:-20000}"
    # What counts blocks of Python's allocator, or starts threads of too small a stack, has no meaning here.
    "$PYTHON" -m pytest -p no:cacheprovider "${native[@]}" -k "not nothing_behind and not small_stack and not reserve"
  )
  rm -f "$copy"/twat_cache/_speed.*.so
  "$PYTHON" "$package/native/build.py" --required --out "$copy/twat_cache"
  PYTHONMALLOC=debug "$PYTHON" -X dev -m pytest -p no:cacheprovider "${native[@]}"
  exit
fi

cd "$package"
"$PYTHON" -m pytest -p no:cacheprovider "$@"
[ $# -eq 0 ] || exit 0
# Values and stores once more without the native part; the rest of the package is the same in both forms.
TWAT_CACHE_PURE=1 "$PYTHON" -m pytest -p no:cacheprovider tests/test_readers.py tests/test_stored_values.py \
  tests/test_vectors.py tests/test_hostile_values.py tests/test_cache.py tests/test_persistent.py
export TWAT_CACHE_DIR XDG_DATA_HOME
TWAT_CACHE_DIR=$(mktemp -d); XDG_DATA_HOME=$TWAT_CACHE_DIR
trap 'rm -rf "$TWAT_CACHE_DIR"' EXIT
"$PYTHON" -m pytest -p no:cacheprovider --doctest-modules src/twat_cache \
  --ignore-glob='*/django.py' --ignore-glob='*/flask*.py' --ignore-glob='*/joblib*.py' \
  --ignore-glob='*/_pyinstaller/hook-*.py'  # run by PyInstaller, which is not installed
"$PYTHON" -m mypy --cache-dir "$caches/mypy"
"$PYTHON" -m mypy --cache-dir "$caches/mypy" tests/typed_examples.py
"$PYTHON" -m ruff check --no-cache .
"$PYTHON" -m ruff format --no-cache --check .
acceptance=${TWAT_ACCEPTANCE:-$root/../shared/acceptance/python_examples.py}
if [ -f "$acceptance" ]; then
  "$PYTHON" "$acceptance"
fi
