#!/usr/bin/env bash
# Installs the engines of the editors into target/editors, in the versions of package-lock.json. Without Node.js, which apt
# provides, or without the registry the tests of editors say that they are skipped.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
there="$here/../../../target/editors"
mkdir -p "$there"
cp "$here"/*.mjs "$here/package.json" "$there/"
if [ -d "$there/node_modules" ] && cmp -s "$here/package-lock.json" "$there/package-lock.json"; then
  exit 0
fi

node_is_new_enough() {
  command -v node > /dev/null && command -v npm > /dev/null && [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ]
}
if ! node_is_new_enough && command -v apt-get > /dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  echo "installing: nodejs npm"
  $sudo apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends nodejs npm > /dev/null || true
fi
if ! node_is_new_enough; then
  echo "Node.js 18 or newer is not there: the tests of editors will be skipped" >&2
  exit 0
fi
cp "$here/package-lock.json" "$there/"
if ! (cd "$there" && npm ci --silent --no-audit --no-fund --ignore-scripts); then
  rm -rf "$there/node_modules" "$there/package-lock.json"
  echo "the engines of the editors could not be installed: their tests will be skipped" >&2
fi
