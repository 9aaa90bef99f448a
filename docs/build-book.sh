#!/usr/bin/env bash
# Builds the book and fails if an include or a link in it leads nowhere.
#   build-book.sh MDBOOK DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
mdbook=$1
book=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

rm -rf "$book"
"$mdbook" build docs --dest-dir "$PWD/$book" 2>&1 | tee "$log"
# A missing include is only a warning to mdbook.
if grep -qE 'WARN|ERROR' "$log"; then
  echo "the book has warnings, see above" >&2
  exit 1
fi

broken=0
complain() {
  echo "$1: broken link: $2" >&2
  broken=$((broken + 1))
}

# An include whose anchor does not exist gives an empty block of code, and no warning.
while IFS=: read -r page file anchor; do
  [ -z "$anchor" ] || grep -qE "ANCHOR: $anchor\$" "docs/src/$file" || complain "$page" "$file:$anchor"
done < <(grep -oE '\{\{#include [^}]*' docs/src/*.md | sed -E 's/\{\{#include +//')

# Links of the pages to files and to headings. The table of contents and the search write theirs with scripts.
for page in "$book"/*.html; do
  while IFS= read -r link; do
    file=${link%%#*}
    file=${file%%\?*}
    target=$page
    [ -z "$file" ] || target=$(dirname "$page")/$file
    if [ ! -e "$target" ]; then
      complain "$page" "$link"
    elif [[ $link == *'#'* && $target == *.html ]] && ! grep -qF "id=\"${link#*#}\"" "$target"; then
      complain "$page" "$link"
    fi
  done < <(grep -oE '(href|src)="[^"]*"' "$page" | cut -d'"' -f2 | grep -vE '^([a-z]+:|//|$)' | sort -u)
done

# Links of the pages that are read where the source is.
for page in README.md CHANGELOG.md; do
  while IFS= read -r link; do
    [ -e "${link%%#*}" ] || complain "$page" "$link"
  done < <(grep -oE '\]\([^)]*\)' "$page" | sed -E 's/^\]\(|\)$//g' | grep -vE '^([a-z]+:|#)' | sort -u)
done

[ "$broken" = 0 ] || { echo "$broken broken links" >&2; exit 1; }
echo "the book: $PWD/$book/index.html"
