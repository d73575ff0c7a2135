#!/usr/bin/env bash
# clang-tidy over this project's own C++ files, with the compile commands of the given build folders.
#   tools/clang-tidy.sh build/package build/tests
set -euo pipefail

# The wheel's clang-tidy comes without compiler headers; GCC's own serve.
gcc_headers=$(dirname "$(g++ -print-file-name=include/stddef.h)")
status=0
for build in "$@"; do
  python - "$build" <<'PYTHON' | sort -u | xargs -r -P "$(nproc)" -n 1 \
    clang-tidy --quiet -p "$build" --extra-arg="-isystem$gcc_headers" || status=1
import json, pathlib, sys

root = pathlib.Path.cwd()
build = pathlib.Path(sys.argv[1]).resolve()
for entry in json.loads((build / "compile_commands.json").read_text()):
    file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
    if file.suffix == ".cpp" and file.is_relative_to(root) and not file.is_relative_to(root / "build"):
        print(file)
PYTHON
done
exit $status
