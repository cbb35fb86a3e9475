#!/usr/bin/env bash
# Fails when a source file crosses a line drawn in layers.txt, or when a tracked file names a path of one machine.
#
#   tests/layers/check_layers.sh [TREE]      TREE: the repository to look at (default: the one this file is in)
set -uo pipefail
rules=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/layers.txt
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 2
bad=0

# Tracked and new files; in a tree without git, all.
sources() {
  { git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null || find "$@" -type f; } | sed 's#^\./##' | sort -u
}

excepted() {
  local path=$1 allowed
  set -f
  for allowed in ${2//,/ }; do
    # shellcheck disable=SC2053  # an exception may be a glob
    [[ $allowed != - && $path == $allowed* ]] && { set +f; return 0; }
  done
  set +f
  return 1
}

mapfile -t code < <(sources . | grep -E '\.(h|cc|proto)$')
[[ ${#code[@]} -gt 0 ]] || { echo "layers: no source file found, so nothing was checked" >&2; exit 2; }

while read -r scopes rest; do
  [[ -z $scopes || $scopes == \#* ]] && continue
  except=${rest##* }
  pattern=${rest% *}
  pattern=${pattern%"${pattern##*[! ]}"}
  files=()
  for path in "${code[@]}"; do
    [[ -e $path ]] || continue
    for scope in ${scopes//,/ }; do
      [[ $scope == . || $path == "$scope"/* ]] && ! excepted "$path" "$except" && files+=("$path")
    done
  done
  [[ ${#files[@]} -eq 0 ]] && continue
  while IFS= read -r hit; do
    [[ ${hit#*:*:} =~ ^[[:space:]]*(//|\*) ]] && continue
    echo "layer: $hit"
    bad=1
  done < <(grep -HnE -- "$pattern" "${files[@]}")
done <"$rules"

# A path of one machine is a step that works there only. /root/ and /home/ are somebody's.
mapfile -t all < <(sources . | grep -vE '\.(zst|png|BIN|bin)$|^tests/layers/|^tests/corpus/')
while IFS= read -r hit; do
  echo "machine path: $hit"
  bad=1
done < <(grep -HnIE -- '(^|[^a-zA-Z0-9._$}/-])/(root|home/[a-z]+)/' "${all[@]}" 2>/dev/null)

[[ $bad -eq 0 ]] && echo "layers: ${#code[@]} source files keep every line of $(grep -cE '^[^# ]' "$rules") rules"
exit $bad
