#!/usr/bin/env bash
# Installs the system packages that a goal of the Makefile needs, or says which ones to install. Those that are only welcome (ESO's recipes, for
# tests and benchmarks that are skipped without them) may be missing.
#   system-libraries.sh build|test|docs|bench
set -euo pipefail

welcome=""
case "${1:-build}" in
  build) packages="gcc pkg-config libcfitsio-dev libopenblas-dev" ;;
  test) packages="fitsverify python3-astropy" welcome="esorex cpl-plugin-muse" ;;
  docs) packages="" ;;
  bench) packages="python3-venv python3-astropy python3-scipy time" welcome="esorex cpl-plugin-muse" ;;
  *) echo "usage: $0 build|test|docs|bench" >&2; exit 2 ;;
esac

if ! command -v cargo > /dev/null; then
  echo "A Rust toolchain (1.95 or newer) is needed: https://rustup.rs" >&2
  exit 1
fi

if ! command -v apt-get > /dev/null; then
  [ "${1:-build}" = build ] && pkg-config --exists cfitsio openblas 2> /dev/null && exit 0
  cat >&2 <<'TEXT'
This is no Debian-like system: install these yourself, then give the command again:
  a C compiler, pkg-config, CFITSIO (4 or newer, with headers), OpenBLAS (with headers)
  for the tests: fitsverify, Python 3 with astropy
  Fedora:  dnf install gcc pkgconf cfitsio-devel openblas-devel fitsverify python3-astropy
  macOS:   brew install pkg-config cfitsio openblas
TEXT
  exit 1
fi

absent() {
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'install ok installed' || printf ' %s' "$package"
  done
}
# shellcheck disable=SC2086
missing=$(absent $packages) wanted=$(absent $welcome)
[ -z "$missing$wanted" ] && exit 0

echo "installing:$missing$wanted"
sudo=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || { echo "as root: apt-get install$missing" >&2; exit 1; }
  sudo="sudo"
fi
$sudo apt-get update -qq || true
install() {
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}
# shellcheck disable=SC2086
[ -z "$missing" ] || install $missing
# shellcheck disable=SC2086
[ -z "$wanted" ] || install $wanted || echo "not installed:$wanted; what needs it is skipped"
