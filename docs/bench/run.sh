#!/usr/bin/env bash
# Compares ifured with filabres 1.5.1 on the same simulated CAFOS nights, and with ESO's MUSE recipes called by hand, and writes docs/benchmarks.md.
#
#   docs/bench/run.sh          (or: make bench)
#
# Environment:
#   IFURED_SHARED   directory with peers/make_cafos.py and peers/run_filabres.sh   (../shared)
#   IFURED          the program                                                    (target/release/ifured)
#   BENCH_CACHE     simulated data, results of filabres, work directories          (target/bench)
#   BENCH_SETS      which data sets: small, nights                                 (small nights)
#   BENCH_OUT       where the page is written                                      (docs/benchmarks.md)
#
# Data and the results of filabres are made once and kept; remove a directory of the cache to make it again.
# Needs about 30 GB of disk and, the first time, a quarter of an hour for filabres on the ten nights and half an hour for MUSE, which is skipped where
# esorex or its recipes are not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
ROOT=$PWD
BENCH=$ROOT/docs/bench
SHARED=$(readlink -f "${IFURED_SHARED:-../shared}" || true)
IFURED=$(readlink -f "${IFURED:-target/release/ifured}" || true)
CACHE=${BENCH_CACHE:-target/bench}
SETS=${BENCH_SETS:-small nights}
OUT=${BENCH_OUT:-docs/benchmarks.md}
VERSION=1.5.1

fail() { echo "bench: $*" >&2; exit 1; }
say() { echo "== $*" >&2; }

[ -x "$IFURED" ] || fail "there is no program ${IFURED:-target/release/ifured}: build it first (cargo build --release --package ifured)"
for file in make_cafos.py run_filabres.sh; do
  [ -f "$SHARED/peers/$file" ] || fail "$file is missing in ${SHARED:-../shared}/peers: set IFURED_SHARED"
done
[ -x /usr/bin/time ] || fail "/usr/bin/time is missing (package time)"
mkdir -p "$CACHE"
CACHE=$(readlink -f "$CACHE")

# ---------------------------------------------------------------- Python and filabres
REAL=$CACHE/venv
HAVE_FILABRES=yes
if [ ! -x "$REAL/bin/filabres" ]; then
  say "installing filabres $VERSION"
  rm -rf "$REAL"
  if ! { python3 -m venv "$REAL" && "$REAL/bin/pip" install -q "filabres==$VERSION" six; } > "$CACHE/pip.log" 2>&1; then
    say "SKIPPED filabres: it could not be installed from the package registry (see $CACHE/pip.log)"
    rm -rf "$REAL"
    HAVE_FILABRES=no
  fi
fi
PYTHON=
for candidate in "$REAL/bin/python" python3 /usr/bin/python3; do
  if "$candidate" -c 'import numpy, astropy' 2> /dev/null; then PYTHON=$candidate; break; fi
done
[ -n "$PYTHON" ] || fail "Python with numpy and astropy is needed (package python3-astropy)"

# The runner of filabres calls $VENV/bin/filabres: here one that also counts bytes.
MEASURED=$CACHE/venv-measured
if [ $HAVE_FILABRES = yes ]; then
  mkdir -p "$MEASURED/bin"
  printf '#!/bin/sh\nexec python3 -S "%s" --name "$*" --append "$BENCH_IO" -- "%s" "$@"\n' "$BENCH/measure.py" "$REAL/bin/filabres" > "$MEASURED/bin/filabres"
  for name in python pip; do
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$REAL/bin/$name" > "$MEASURED/bin/$name"
  done
  chmod +x "$MEASURED"/bin/*
fi

# ---------------------------------------------------------------- data
arguments_of() {
  case $1 in
    small) echo "--seed 1" ;;
    nights) echo "--seed 1 --nights 10 --nx 1650 --ny 1650 --nbias 6 --nflat 3 --nsky 2 --nscience 6 --no-bad" ;;
    *) fail "there is no data set '$1' (small, nights)" ;;
  esac
}

simulate() {
  local set=$1 data=$CACHE/data/$1 arguments
  arguments=$(arguments_of "$set")
  if [ "$(cat "$data.done" 2> /dev/null)" != "$arguments" ]; then
    say "simulating $set"
    rm -rf "$data" "$data.done"
    mkdir -p "$CACHE/data"
    # shellcheck disable=SC2086
    "$PYTHON" "$SHARED/peers/make_cafos.py" --out "$data" $arguments > "$data.log" 2>&1 || fail "make_cafos.py: see $data.log"
    echo "$arguments" > "$data.done"
  fi
}

# ---------------------------------------------------------------- filabres
peer() {
  local set=$1 work=$CACHE/filabres/$1 key
  local results=$CACHE/results/$set
  key="$VERSION $(arguments_of "$set")"
  [ $HAVE_FILABRES = yes ] || { rm -f "$results"/filabres.*; return 0; }
  if [ "$(cat "$work.done" 2> /dev/null)" != "$key" ]; then
    say "filabres on $set (this takes a while)"
    rm -rf "$work" "$work.done" "$work.io"
    mkdir -p "$CACHE/filabres"
    BENCH_IO=$work.io VENV=$MEASURED FILABRES_VERSION=$VERSION "$SHARED/peers/run_filabres.sh" "$CACHE/data/$set/raw" "$work" > "$work.log" 2>&1 \
      || fail "run_filabres.sh: see $work.log"
    local step
    for step in initialize bias flat science_noastro; do
      awk -F'\t' -v s=$step '$1 == s && $6 == 0 {ok = 1} END {exit !ok}' "$work/timings.tsv" || fail "filabres: step $step failed: see $work/log_$step.txt"
    done
    echo "$key" > "$work.done"
  fi
  cp "$work/timings.tsv" "$results/filabres.tsv"
  cp "$work.io" "$results/filabres.io"
  if [ ! -f "$results/filabres.accuracy.json" ] || [ "$BENCH/accuracy.py" -nt "$results/filabres.accuracy.json" ]; then
    say "filabres on $set against the truth"
    "$PYTHON" "$BENCH/accuracy.py" "$work" "$CACHE/data/$set/truth" --json "$results/filabres.accuracy.json"
  fi
}

# ---------------------------------------------------------------- ifured
# What filabres does and no more: no spectra, no polarimetry, no sums; of images no illumination correction, drift of the bias, cosmic rays, stars.
SAME=(
  --set recipes.science-imaging.cosmic_rays=false --set recipes.science-imaging.illumination=false
  --set recipes.science-imaging.pedestal=false --set recipes.science-imaging.stars=false
  --set recipes.science-imaging-wollaston.enabled=false --set recipes.polarimetry.enabled=false
  --set recipes.illumination.enabled=false --set recipes.coadd.enabled=false
  --set recipes.master-flat-spectroscopy.enabled=false --set recipes.arc.enabled=false --set recipes.science-spectroscopy.enabled=false
)

measure() {  # measure SET NAME COMMAND...: the small set holds frames that may rightly be refused (exit code 1)
  local set=$1 name=$2 code=0
  shift 2
  "$PYTHON" "$BENCH/measure.py" --name "$name" --json "$CACHE/results/$set/$name.json" --log "$CACHE/results/$set/$name.log" -- "$@" || code=$?
  [ $code = 0 ] || { [ "$set" = small ] && [ $code = 1 ]; } || fail "$name on $set ended with exit code $code: see $CACHE/results/$set/$name.log"
}

attempts() { "$PYTHON" "$BENCH/report.py" attempts "$1" "$2"; }

ours() {
  local set=$1 raw=$CACHE/data/$1/raw truth=$CACHE/data/$1/truth work=$CACHE/ifured/$1 results=$CACHE/results/$1
  local base=("$IFURED" --instrument cafos)
  rm -rf "$work"
  mkdir -p "$work"

  say "ifured on $set: reading"
  find "$raw" -name '*.fits' -exec cat {} + > /dev/null          # into the page cache
  measure "$set" cat sh -c "find '$raw' -name '*.fits' -exec cat {} + > /dev/null"
  measure "$set" scan "${base[@]}" --output "$work/scan" scan "$raw"

  say "ifured on $set: same steps as filabres"
  measure "$set" same "${base[@]}" "${SAME[@]}" --output "$work/same" reduce "$raw"
  attempts "$work/same" "$results/same.attempts.json"
  "$PYTHON" "$BENCH/accuracy.py" "$work/same" "$truth" --json "$results/same.accuracy.json"

  say "ifured on $set: same steps and cosmic rays"
  measure "$set" rays "${base[@]}" "${SAME[@]}" --set recipes.science-imaging.cosmic_rays=true --output "$work/same" reduce "$raw"
  attempts "$work/same" "$results/rays.attempts.json"
  rm -rf "$work/same"

  say "ifured on $set: all steps"
  measure "$set" full "${base[@]}" --output "$work/full" reduce "$raw"
  attempts "$work/full" "$results/full.attempts.json"
  "$PYTHON" "$BENCH/accuracy.py" "$work/full" "$truth" --json "$results/full.accuracy.json"

  say "ifured on $set: again, nothing to do"
  measure "$set" again "${base[@]}" --output "$work/full" reduce "$raw"
  du -sm "$raw" | cut -f1 > "$results/raw.mb"
  find "$raw" -name '*.fits' | wc -l > "$results/raw.files"
  find "$work/full" -name '*.fits' -printf '%s\n' | awk '{s += $1} END {print s / 1e6}' > "$results/full.mb"
}

# The same products, byte for byte, with 1, 2 and 7 threads, and from directories that are given, and were filled, in another order.
sameness() {
  local raw=$CACHE/data/small/raw work=$CACHE/ifured/sameness threads name
  rm -rf "$work"
  mkdir -p "$work" "$CACHE/results/small"
  say "the same bytes?"
  local runs=()
  for threads in 1 2 7; do
    measure small "threads$threads" "$IFURED" --instrument cafos --threads $threads --output "$work/threads$threads" reduce "$raw"
    runs+=("$work/threads$threads")
  done
  mkdir "$work/raw"
  find "$raw" -name '*.fits' -printf '%P\n' | LC_ALL=C sort | shuf --random-source=<(yes) | while IFS= read -r name; do
    mkdir -p "$work/raw/$(dirname "$name")"
    cp "$raw/$name" "$work/raw/$name"
  done
  local nights=()
  while IFS= read -r name; do nights+=("$name"); done < <(find "$work/raw" -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort -r)
  measure small shuffled "$IFURED" --instrument cafos --output "$work/shuffled" reduce "${nights[@]}"
  runs+=("$work/shuffled")
  "$PYTHON" "$BENCH/report.py" sameness "$CACHE/results/sameness.json" "${runs[@]}"
  rm -rf "$work"
}

rm -f "$CACHE/results/sameness.json"
for set in $SETS; do
  mkdir -p "$CACHE/results/$set"
  simulate "$set"
  peer "$set"
  ours "$set"
done
simulate small
sameness
say "world coordinates and star fluxes"
IFURED_SHARED=$SHARED IFURED=$IFURED BENCH_CACHE=$CACHE BENCH_OUT=$CACHE/astrometry.page "$PYTHON" "$BENCH/astrometry.py" > "$CACHE/astrometry.log"
say "MUSE: the recipes of ESO by hand and through ifured"
IFURED_SHARED=$SHARED IFURED=$IFURED BENCH_CACHE=$CACHE BENCH_OUT=$CACHE/muse.page "$PYTHON" "$BENCH/muse.py" > "$CACHE/muse.log"
"$PYTHON" "$BENCH/report.py" page "$CACHE/results" "$OUT" \
  --sets "$SETS" --ifured "$("$IFURED" --version)" --commit "$(git rev-parse --short HEAD 2> /dev/null || echo unknown)"
say "wrote $OUT"
