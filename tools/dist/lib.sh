# Sourced by tools/dist.sh and tools/dist-test.sh from the root of the tree.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
major=${version%%.*}
out=$PWD/target/dist
venv=$PWD/target/dist-tools
glibc=2.17

say() { printf '== %s\n' "$*"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# A virtual environment of its own with the tools of tools/dist/requirements.txt.
tools() {
    if ! cmp -s tools/dist/requirements.txt "$venv/requirements.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tools/dist/requirements.txt
        cp tools/dist/requirements.txt "$venv/"
    fi
}

# python_of 3.12: an interpreter of that version, or nothing.
python_of() {
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | tail -1 | grep . || command -v "python$1" || true
}
