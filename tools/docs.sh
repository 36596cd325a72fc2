#!/usr/bin/env bash
# Builds the documentation's site into target/site. Links and anchors are
# strict: a page that leads nowhere fails. SERVE=1 serves it while pages change.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh
source tools/node.sh
need_node
pip_install -r tools/docs/requirements.txt
(
  cd tools/docs
  cmp -s package-lock.json node_modules/.lock-installed && exit
  npm ci --ignore-scripts --no-audit --no-fund --silent
  cp package-lock.json node_modules/.lock-installed
)
mkdir -p target/docs
tools/docs/node_modules/.bin/typedoc --options tools/docs/typedoc.json
export NO_MKDOCS_2_WARNING=1
if [ "${SERVE:-}" = 1 ]; then exec "$PYTHON" -m mkdocs serve -f tools/docs/mkdocs.yml; fi
"$PYTHON" -m mkdocs build --quiet --clean -f tools/docs/mkdocs.yml
echo "built: target/site/index.html"
