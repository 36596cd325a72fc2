# Sourced: makes .venv where it is missing and sets PYTHON and pip_install.
PYTHON="$PWD/.venv/bin/python"
if ! "$PYTHON" -c '' 2>/dev/null; then
  rm -rf .venv
  python3 -m venv .venv || { echo "missing: python3 with venv (Debian: python3-venv)"; exit 1; }
fi
pip_install() { "$PYTHON" -m pip install --quiet --disable-pip-version-check "$@"; }
# The native part of the Python package, in the source tree, where it is not there or older than its source.
"$PYTHON" bindings/python/native/build.py
