#!/usr/bin/env bash
# The check itself is checked: a clean tree passes, each planted violation is found.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

plant() {  # PATH LINE: a tree of that one file beside a clean one
  rm -rf "${tree:?}"/*
  mkdir -p "$tree/base" "$tree/$(dirname "$1")"
  echo '#include <string>' >"$tree/base/clean.h"
  printf '%s\n' "$2" >"$tree/$1"
}
passes() { plant "$1" "$2"; "$here/check_layers.sh" "$tree" >/dev/null || { echo "refused, and is fine: $1: $2"; failed=1; }; }
refused() { plant "$1" "$2"; "$here/check_layers.sh" "$tree" >/dev/null && { echo "not found: $1: $2"; failed=1; }; }

passes core/elf/a.cc '#include "core/bytes/byte_view.h"'
passes core/elf/a.cc '// #include <fstream> would be wrong here; so would throw'
passes server/rpc/a.cc '#include "grpcpp/grpcpp.h"'
passes storage/postgres/a.cc 'try { x(); } catch (...) {}'
passes base/clock.cc 'return absl::Now();'

refused base/a.h '#include "core/crash/ids.h"'
refused core/elf/a.cc '#include <fstream>'
refused core/elf/a.cc '#include <thread>'
refused core/elf/a.cc '#include "base/log.h"'
refused core/elf/a.h '#include "corefleet/v1/crash.pb.h"'
refused storage/memory/a.cc '#include "server/ingest/ingestor.h"'
refused storage/segment/a.cc '#include <pqxx/pqxx>'
refused server/ingest/a.cc '#include <grpcpp/grpcpp.h>'
refused server/ingest/a.cc '#include "storage/postgres/postgres_crash_index.h"'
refused server/archive/a.cc '#include <prometheus/registry.h>'
refused server/rpc/a.cc '#include "storage/postgres/postgres_crash_index.h"'
refused collector/source/a.cc '#include "collector/upload/uploader.h"'
refused cli/a.cc '#include "server/archive/archive.h"'
refused server/ingest/a.cc 'const auto now = absl::Now();'
refused server/ingest/a.cc 'throw std::runtime_error("x");'
refused server/archive/a.cc 'Run("SELECT id FROM crashes");'
refused server/ingest/a.cc 'absl::GetFlag(FLAGS_x);'
refused deploy/a.sh 'cd /home/somebody/corefleet'

[[ $failed -eq 0 ]] && echo "check_layers finds what it should"
exit $failed
