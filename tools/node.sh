# Sourced: need_node says what is missing; node_modules installs what the lock
# file of the Node package says, again only when that changed.
need_node() {
  command -v node >/dev/null || { echo "missing: node (Node.js 20 or later: https://nodejs.org)" >&2; exit 1; }
  command -v npm >/dev/null || { echo "missing: npm (it comes with Node.js)" >&2; exit 1; }
}

node_modules() {
  need_node
  (
    cd bindings/node
    cmp -s package-lock.json node_modules/.lock-installed && exit
    npm ci --ignore-scripts --no-audit --no-fund
    cp package-lock.json node_modules/.lock-installed
  )
}
