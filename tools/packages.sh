# Sourced: need_package COMMAND PACKAGE installs Debian's package where the
# command is missing and this user may; else it says what is missing.
need_package() {
  command -v "$1" >/dev/null && return
  if command -v apt-get >/dev/null; then
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    local install=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2")
    "${install[@]}" >/dev/null 2>&1 ||
      { "${sudo[@]}" apt-get update >/dev/null 2>&1 && "${install[@]}" >/dev/null 2>&1; } || true
  fi
  command -v "$1" >/dev/null || { echo "missing: $1 (Debian's package $2)" >&2; exit 1; }
}
